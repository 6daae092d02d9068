"""An SPF record as RFC 7208 section 12 writes it: terms, or the first place where it is not one.

A record is read whole before any term is looked at, because one wrong term makes the whole record a permanent error
(RFC 7208 4.6).
"""

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum

from mailcordon.messages import identities as words

LETTERS = "slodipvhcrt"
_EXPLANATION_ONLY = "crt"  #: letters of macros that only explanations may have (RFC 7208 7.2)
_CASELESS = re.IGNORECASE | re.ASCII  #: without ASCII, `\u017f` is an `s`
_VERSION = re.compile(r"v=spf1(?= |\Z)", _CASELESS)
_QUALIFIER = re.compile(r"[+?~-]?")
_MECHANISM = re.compile(r"(all|include|a|mx|ptr|ip4|ip6|exists)(?=[:/]|\Z)", _CASELESS)
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=", _CASELESS)
_CIDR4 = r"/(0|[1-9][0-9]?)"
_CIDR6 = r"/(0|[1-9][0-9]{0,2})"
_DUAL = re.compile(rf"(?:{_CIDR4})?(?:/{_CIDR6})?\Z")
_NETWORK4 = re.compile(rf"([^/]*)(?:{_CIDR4})?")
_NETWORK6 = re.compile(rf"([^/]*)(?:{_CIDR6})?")
_TOP_LABEL = re.compile(r"\.(?:[a-z0-9]*[a-z][a-z0-9]*|[a-z0-9]+-[a-z0-9-]*[a-z0-9])\.?\Z", _CASELESS)
_MACRO = re.compile(
    rf"%(?:\{{(?P<letter>[{LETTERS}])(?P<digits>[0-9]*)(?P<reverse>r?)(?P<delimiters>[-.+,/_=]*)\}}|(?P<escape>[%_-]))",
    _CASELESS,
)
_LITERAL = re.compile(r"[\x21-\x24\x26-\x7e]+")
_EXPLANATION_LITERAL = re.compile(r"[\x20-\x24\x26-\x7e]+")  #: with spaces (RFC 7208 6.2)
_ESCAPES = {"%": "%", "_": " ", "-": "%20"}


class Qualifier(StrEnum):
    PASS = "+"  # noqa: S105 (no password)
    FAIL = "-"
    SOFTFAIL = "~"
    NEUTRAL = "?"


@dataclass(frozen=True, slots=True)
class Macro:
    letter: str  #: lower case
    keep: int  #: how many labels are kept, from the right; 0: all
    reverse: bool
    delimiters: str
    escape: bool  #: written in upper case: what it becomes is URL-escaped


MacroString = tuple[str | Macro, ...]
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class Mechanism:
    text: str  #: as written, with its qualifier
    position: int  #: of its first character in the record, from 0
    qualifier: Qualifier
    kind: str  #: all, include, a, mx, ptr, ip4, ip6, exists
    domain: MacroString | None = None  #: None: the domain being checked
    network: Network | None = None  #: of ip4 and ip6
    prefix4: int = 32
    prefix6: int = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class SpfRecord:
    text: str
    mechanisms: tuple[Mechanism, ...]
    redirect: MacroString | None = None
    explanation: MacroString | None = None

    @property
    def direct_lookups(self) -> int:
        """How many of its own terms cost a look-up if all are reached (RFC 7208 4.6.4), without those of what it includes."""
        costly = sum(one.kind in LOOKUP_TERMS for one in self.mechanisms)
        return costly + (self.redirect is not None and not self.has_all)

    @property
    def has_all(self) -> bool:
        """A redirect beside `all` is ignored (RFC 7208 6.1)."""
        return any(one.kind == "all" for one in self.mechanisms)


LOOKUP_TERMS = frozenset({"include", "a", "mx", "ptr", "exists"})


class SpfSyntaxError(ValueError):
    """`position` is that of the wrong term's first character in the record, `term` the term as written."""

    def __init__(self, why: str, term: str, position: int) -> None:
        super().__init__(why)
        self.term = term
        self.position = position


def is_spf(text: str) -> bool:
    """Whether a TXT record is an SPF record at all; other TXT records are none of SPF's business (RFC 7208 4.5)."""
    return _VERSION.match(text) is not None


def parse(text: str) -> SpfRecord:
    """Raises SpfSyntaxError for the first term that is wrong. `text` is what `is_spf` accepts."""
    if not is_spf(text):
        raise SpfSyntaxError(words.spf_term_wrong("start"), text[:40], 0)
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, MacroString] = {}
    position = len("v=spf1")
    for term in text[position:].split(" "):  # only spaces separate terms, no tabs or line ends
        if term:
            _read_term(term, position, mechanisms, modifiers)
        position += len(term) + 1
    return SpfRecord(
        text=text,
        mechanisms=tuple(mechanisms),
        redirect=modifiers.get("redirect"),
        explanation=modifiers.get("exp"),
    )


def parse_explanation(text: str) -> MacroString:
    """Raises ValueError."""
    return _macros(text, _EXPLANATION_LITERAL, letters=LETTERS)


def _read_term(
    term: str, position: int, mechanisms: list[Mechanism], modifiers: dict[str, MacroString]
) -> None:
    try:
        if modifier := _MODIFIER.match(term):
            _read_modifier(modifier[1].lower(), term[modifier.end() :], modifiers)
        else:
            mechanisms.append(_mechanism(term, position))
    except SpfSyntaxError:
        raise
    except ValueError as error:
        raise SpfSyntaxError(str(error), term, position) from None


def _read_modifier(name: str, value: str, modifiers: dict[str, MacroString]) -> None:
    if name not in ("redirect", "exp"):
        _macros(value, _LITERAL)  # unknown modifiers are ignored, but not what is no macro string
        return
    if name in modifiers:
        raise ValueError(words.spf_term_wrong("twice", name))
    modifiers[name] = _domain_spec(value)


def _mechanism(term: str, position: int) -> Mechanism:
    qualifier = _QUALIFIER.match(term)
    sign = qualifier[0] if qualifier else ""
    rest = term[len(sign) :]
    name = _MECHANISM.match(rest)
    if name is None:
        raise ValueError(words.spf_term_wrong("mechanism"))
    kind, argument = name[1].lower(), rest[name.end() :]
    read = {
        "all": _nothing,
        "include": _required_domain,
        "exists": _required_domain,
        "ptr": _optional_domain,
        "a": _address_domain,
        "mx": _address_domain,
        "ip4": _network4,
        "ip6": _network6,
    }[kind]
    domain, network, prefix4, prefix6 = read(argument)
    return Mechanism(
        text=term,
        position=position,
        qualifier=Qualifier(sign or "+"),
        kind=kind,
        domain=domain,
        network=network,
        prefix4=prefix4,
        prefix6=prefix6,
    )


_Arguments = tuple[MacroString | None, Network | None, int, int]


def _nothing(argument: str) -> _Arguments:
    if argument:
        raise ValueError(words.spf_term_wrong("all"))
    return None, None, 32, 128


def _required_domain(argument: str) -> _Arguments:
    if not argument.startswith(":"):
        raise ValueError(words.spf_term_wrong("domain-missing"))
    return _domain_spec(argument[1:]), None, 32, 128


def _optional_domain(argument: str) -> _Arguments:
    return _required_domain(argument) if argument else (None, None, 32, 128)


def _address_domain(argument: str) -> _Arguments:
    # A slash may be part of the domain, so the prefix lengths are what the end of the term can be read as.
    prefixes = _DUAL.search(argument)
    start = prefixes.start() if prefixes else len(argument)
    prefix4, prefix6 = (prefixes[1], prefixes[2]) if prefixes else (None, None)
    domain = _required_domain(argument[:start])[0] if start else None
    return domain, None, _prefix(prefix4, 32), _prefix(prefix6, 128)


def _network4(argument: str) -> _Arguments:
    found = _NETWORK4.fullmatch(argument[1:]) if argument.startswith(":") else None
    try:
        address = ipaddress.IPv4Address(found[1] if found else "")
    except ValueError:
        raise ValueError(words.spf_term_wrong("ip4")) from None
    network = ipaddress.IPv4Network((address, _prefix(found[2] if found else None, 32)), strict=False)
    return None, network, 32, 128


def _network6(argument: str) -> _Arguments:
    found = _NETWORK6.fullmatch(argument[1:]) if argument.startswith(":") else None
    try:
        # A zone of an address (fe80::1%eth0) means something on one machine only.
        address = ipaddress.IPv6Address(found[1] if found and "%" not in found[1] else "")
    except ValueError:
        raise ValueError(words.spf_term_wrong("ip6")) from None
    network = ipaddress.IPv6Network((address, _prefix(found[2] if found else None, 128)), strict=False)
    return None, network, 32, 128


def _prefix(digits: str | None, most: int) -> int:
    length = most if digits is None else int(digits)
    if length > most:
        raise ValueError(words.spf_term_wrong("prefix", str(most)))
    return length


def _domain_spec(text: str) -> MacroString:
    parts = _macros(text, _LITERAL)
    if not parts:
        raise ValueError(words.spf_term_wrong("domain-empty"))
    ends_in_macro = isinstance(parts[-1], Macro) or _MACRO.match(text, _last_percent(text)) is not None
    if not ends_in_macro and _TOP_LABEL.search(text) is None:
        raise ValueError(words.spf_term_wrong("domain-end"))
    return parts


def _last_percent(text: str) -> int:
    """Where the escape that ends the text starts, such as `%_`; the end of the text if it does not end in one."""
    escapes = [found for found in _MACRO.finditer(text) if found.end() == len(text)]
    return escapes[0].start() if escapes else len(text)


def _macros(text: str, literal: re.Pattern[str], letters: str = LETTERS) -> MacroString:
    parts: list[str | Macro] = []
    position = 0
    while position < len(text):
        if plain := literal.match(text, position):
            parts.append(plain[0])
            position = plain.end()
        elif macro := _MACRO.match(text, position):
            parts.append(_macro(macro, explanation=literal is _EXPLANATION_LITERAL))
            position = macro.end()
        else:
            raise ValueError(words.spf_term_wrong("macro", text[position : position + 10]))
    return tuple(parts)


def _macro(found: re.Match[str], *, explanation: bool) -> str | Macro:
    if escape := found["escape"]:
        return _ESCAPES[escape]
    letter = found["letter"].lower()
    if letter in _EXPLANATION_ONLY and not explanation:
        raise ValueError(words.spf_term_wrong("explanation-only", letter))
    if found["digits"] and int(found["digits"]) == 0:
        raise ValueError(words.spf_term_wrong("keeps-nothing"))
    return Macro(
        letter=letter,
        keep=min(int(found["digits"] or 0), 128),
        reverse=bool(found["reverse"]),
        delimiters=found["delimiters"] or ".",
        escape=found["letter"].isupper(),
    )
