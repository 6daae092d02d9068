"""The grammar of addresses, as SES reads them in parameters and in headers. It follows JavaMail's `InternetAddress`, whose texts
SES answers with (`refusals` has the sources). Pure.

A mailbox is `kim@example.com`, `Name <kim@example.com>` or `kim@example.com (Name)`. A name needs quotes if it has one of
()<>,;:\\"[]. A header may list several, and groups."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from seslocal.mail import refusals
from seslocal.mail.refusals import MOST_ADDRESS, Refusal

_ATOM: Final = r"[!#-'*+/-9=?A-Z^-~-]+"
_LOCAL: Final = rf"(?:{_ATOM}(?:\.{_ATOM})*|\"(?:[ !#-\[\]-~]|\\[ -~])+\")"
_DOMAIN: Final = (
    r"(?=[^@>]{1,253}(?:>|$))(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*"
    r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_WHOLE: Final = re.compile(rf"({_LOCAL})@({_DOMAIN})")
#: nearly all mail: an address, or a name that holds nothing special and an address
_COMMON: Final = re.compile(rf"({_ATOM}(?:\.{_ATOM})*@{_DOMAIN})")
_NAMED: Final = re.compile(
    rf"(?:\"([ !#-\[\]-~]*)\"|([ !#-'*+./-9=?A-Z^-~-]*)) ?<({_ATOM}(?:\.{_ATOM})*@{_DOMAIN})>"
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_SPECIALS: Final = frozenset('()<>,;:\\"[]@')
_NAME_SPECIALS: Final = re.compile(r'[()<>@,;:\\".\[\]]|[^\t -~]')


@dataclass(frozen=True, slots=True)
class Mailbox:
    name: str  #: as written, without its quotes; empty: none
    address: str


def mailbox(text: str) -> Mailbox:
    """Reads a parameter that is one mailbox. Raises ApiError."""
    if found := _common(text):
        return found
    if not text.strip():
        raise refusals.NO_DOMAIN.error()
    read = list(_read(text))
    if len(read) != 1 or read[0].is_group:
        raise refusals.ILLEGAL_ADDRESS.error()
    return _strict(read[0])


def mailboxes(text: str) -> list[Mailbox]:
    """Reads the value of a header, unfolded: a list of mailboxes, with those inside groups. Raises ApiError."""
    if common := _common(text):
        return [common]
    found: list[Mailbox] = []
    for one in list(_read(text)):  # all of it is read before any domain is asked for
        if one.is_group:
            found.extend(mailboxes(one.address.partition(":")[2].removesuffix(";")))
        else:
            found.append(_strict(one))
    return found


def bare_address(text: str) -> str:
    """Returns the address of a mailbox. Raises ApiError."""
    return mailbox(text).address


@lru_cache(maxsize=1024)
def _common(text: str) -> Mailbox | None:
    """What nearly all mail has, without reading it letter by letter. Cached: senders repeat, recipients do not."""
    if len(text) > MOST_ADDRESS - 2:  # SES may count two quotes more
        return None
    if _COMMON.fullmatch(text):
        return Mailbox("", text)
    found = _NAMED.fullmatch(text)
    return Mailbox((found[1] or found[2] or "").strip(), found[3]) if found else None


@dataclass(slots=True)
class _Item:
    """A mailbox while it is read."""

    address: str
    name: str = ""
    is_group: bool = False


def _strict(item: _Item) -> Mailbox:
    if not item.address:
        raise refusals.NO_DOMAIN.error()
    _check(item.address, strict=True)
    if not (found := _WHOLE.fullmatch(item.address)):
        local = item.address.rpartition("@")[0]
        whole = re.fullmatch(_LOCAL, local) is not None
        raise (refusals.DOMAIN_CHARACTER if whole else refusals.LOCAL_CHARACTER).error()
    written = _as_ses_counts(item)
    if len(written) > MOST_ADDRESS:
        raise refusals.LONG_ADDRESS.error(address=written)
    return Mailbox(item.name, found[0])


def _as_ses_counts(item: _Item) -> str:
    """The name has quotes only if it needs them. It stays as written otherwise."""
    if not item.name:
        return item.address
    name = f'"{item.name}"' if _NAME_SPECIALS.search(item.name) else item.name
    return f"{name} <{item.address}>"


def _read(text: str) -> Iterator[_Item]:
    """Reads from left to right; each item that a comma ends is checked before the next is read. What stands between a `>` and the
    next comma is not read: nodemailer's connection check puts text there, and SES does not refuse it."""
    if _CONTROL.search(text):
        raise refusals.LOCAL_WHITESPACE.error()
    at, size = 0, len(text)
    start = end = -1  # of the address, or of what may turn out to be one
    name, in_group, angled = "", False, False
    while at < size:
        char = text[at]
        match char:
            case "(":
                close = _end_of_comment(text, at)
                if start >= 0 and end < 0:
                    end = at
                name = name or text[at + 1 : close].strip()
                at = close
            case "<":
                if angled:
                    raise refusals.EXTRA_ROUTE.error()
                close = _end_of_angle(text, at)
                if not in_group:
                    if start >= 0:
                        name = _unquoted(text[start:at].strip())
                    start = at + 1
                angled, end = not in_group, close
                at = close
            case '"':
                start = at if start < 0 else start
                at = _end_of(text, at, '"', refusals.NO_QUOTE)
            case "[":
                start = at if start < 0 else start
                at = _end_of(text, at, "]", refusals.NO_BRACKET)
            case ">":
                raise refusals.NO_LEFT_ANGLE.error()
            case ")":
                raise refusals.NO_LEFT_PARENTHESIS.error()
            case ":":
                if in_group:
                    raise refusals.NESTED_GROUP.error()
                start = at if start < 0 else start
                in_group = True
            case ";" if start >= 0:
                if not in_group:
                    raise refusals.SEMICOLON.error()
                yield _Item(text[start : at + 1].strip(), is_group=True)
                start = end = -1
                name, in_group, angled = "", False, False
            case "," if start >= 0 and not in_group:
                yield _loose(text[start : end if end >= 0 else at], name)
                start = end = -1
                name, angled = "", False
            case " " | "\t" | "\r" | "\n" | "," | ";":
                pass
            case _:
                start = at if start < 0 else start
        at += 1
    if start >= 0:
        yield _loose(text[start : end if end >= 0 else size], name)


def _loose(address: str, name: str) -> _Item:
    """An item of a list. A simple name passes here: whether a domain is missing is asked when the list is whole."""
    item = _Item(address.strip(), name)
    if item.address:
        _check(item.address, strict=False)
    return item


def _end_of_comment(text: str, at: int) -> int:
    level = 0
    while at < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == "(":
            level += 1
        elif text[at] == ")":
            level -= 1
            if level == 0:
                return at
        at += 1
    raise refusals.NO_RIGHT_PARENTHESIS.error()


def _end_of_angle(text: str, at: int) -> int:
    quoted = False
    while (at := at + 1) < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == '"':
            quoted = not quoted
        elif text[at] == ">" and not quoted:
            return at
    raise (refusals.NO_QUOTE if quoted else refusals.NO_RIGHT_ANGLE).error()


def _end_of(text: str, at: int, closer: str, missing: Refusal) -> int:
    while (at := at + 1) < len(text):
        if text[at] == "\\":
            at += 1
        elif text[at] == closer:
            return at
    raise missing.error()


def _unquoted(name: str) -> str:
    return name[1:-1] if len(name) >= 2 and name[0] == name[-1] == '"' else name


def _check(address: str, *, strict: bool) -> None:
    if address[0] == "@" and ":" in address:
        raise refusals.ROUTE.error()
    at = _check_local(address, strict=strict)
    if at < 0:
        if strict:
            raise refusals.NO_DOMAIN.error()
        return
    _check_domain(address[at + 1 :])


def _check_local(address: str, *, strict: bool) -> int:
    """Returns where the @ is; -1 if there is none."""
    last, quoted, escaped = "", False, False
    for at, char in enumerate(address):
        before, last = last, char
        if escaped or char == "\\":
            if not quoted:
                raise refusals.LOCAL_CHARACTER.error()
            escaped = not escaped
            continue
        if char == '"':
            if strict and not quoted and at:
                raise refusals.QUOTE_LATE.error()
            if strict and quoted and address[at + 1 : at + 2] not in ("@", ""):
                raise refusals.QUOTE_EARLY.error()
            quoted = not quoted
            continue
        if quoted:
            if not " " <= char <= "~":
                raise refusals.LOCAL_WHITESPACE.error()
            continue
        if char == ".":
            if not before:
                raise refusals.LOCAL_STARTS_WITH_DOT.error()
            if before == ".":
                raise refusals.LOCAL_DOT_DOT.error()
        elif char == "@":
            if not at:
                raise refusals.NO_LOCAL.error()
            if before == ".":
                raise refusals.LOCAL_ENDS_WITH_DOT.error()
            return at
        elif char <= " " or char >= "\x7f":
            raise refusals.LOCAL_WHITESPACE.error()
        elif char in _SPECIALS:
            raise refusals.LOCAL_CHARACTER.error()
    return -1


def _check_domain(domain: str) -> None:
    if not domain:
        raise refusals.EMPTY_DOMAIN.error()
    if domain[0] == ".":
        raise refusals.DOMAIN_STARTS_WITH_DOT.error()
    last = ""
    for char in domain:
        if char <= " " or char >= "\x7f":
            raise refusals.DOMAIN_WHITESPACE.error()
        if not (char.isalnum() or char in "-."):
            raise refusals.DOMAIN_CHARACTER.error()
        if char == last == ".":
            raise refusals.DOMAIN_DOT_DOT.error()
        last = char
    if last == ".":
        raise refusals.DOMAIN_ENDS_WITH_DOT.error()
