"""Host names of mail domains: lower case, punycode, at least two labels (RFC 1035 2.3.4, RFC 5890)."""

import functools
import re
import unicodedata

from mailcordon.core import text as texts
from mailcordon.messages import mail

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
LONGEST = 253  #: characters
_LONGEST_TYPED = 4 * LONGEST  #: characters; more cannot become a domain, even from decomposed letters
_A_LABEL = "xn--"
_JOINERS = "\u200c\u200d"  #: allowed in names of some scripts (RFC 5892 A.1, A.2)
#: Control, format and private letters, lone surrogates, spaces and separators.
_NEVER_IN_NAMES = frozenset({"Cc", "Cf", "Co", "Cs", "Zs", "Zl", "Zp"})


def parse(text: str) -> str:
    """The domain in the form that SES and DNS use. Raises ValueError with a message for the user.

    Results are cached: most mail goes to the same few domains."""
    return _known(text) if len(text) <= LONGEST else _parse(text)


def _parse(text: str) -> str:
    if len(text) > _LONGEST_TYPED:
        raise ValueError(mail.domain_too_long(LONGEST))
    domain = text.lower()
    if not domain.isascii():
        domain = _punycode(unicodedata.normalize("NFC", domain))
    if len(domain) > LONGEST:
        raise ValueError(mail.domain_too_long(LONGEST))
    labels = domain.split(".")
    if len(labels) < 2 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(mail.not_a_domain(texts.harmless(text, 80)))
    if not labels[-1][-1].isalpha():
        raise ValueError(mail.domain_ends_in_digit())
    return domain


_known = functools.lru_cache(maxsize=8192)(_parse)


def _punycode(domain: str) -> str:
    """Accepts only names that are the same after a round trip. For others the standards disagree (IDNA 2003 makes `straße` the
    domain `strasse`, IDNA 2008 a different one), and a guess could send the mail to another owner."""
    try:
        ascii_form = domain.encode("idna").decode()
        if ascii_form.encode().decode("idna") == domain:
            return ascii_form
    except UnicodeError:
        pass
    raise ValueError(mail.domain_ambiguous(ascii(domain[:80])[1:-1]))


def is_a_label(label: str) -> bool:
    """Whether a label that starts with `xn--` encodes an international name (RFC 5891 5.4): it decodes, encodes to itself again,
    and has letters that such a name may have. Which letters IDNA 2008 adds with each version of Unicode is not looked at, and
    signs are allowed, because registries sell domains of emoji."""
    try:
        name = label.removeprefix(_A_LABEL).encode().decode("punycode")
        again = name.encode("punycode").decode()
    except (UnicodeError, OverflowError):
        return False
    return (
        again == label.removeprefix(_A_LABEL)
        and not name.isascii()
        and unicodedata.normalize("NFC", name) == name
        and name.lower() == name
        and not unicodedata.category(name[0]).startswith("M")
        and not any(
            unicodedata.category(letter) in _NEVER_IN_NAMES for letter in name if letter not in _JOINERS
        )
    )


def covers(parent: str, child: str) -> bool:
    """Whether an identity for `parent` also covers `child`: the same domain or one above it (ses.md 5.6)."""
    return child == parent or child.endswith("." + parent)
