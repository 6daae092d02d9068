"""E-mail addresses as SES accepts them: ASCII local part, domain in punycode, one strict grammar for all inputs.

Anything that could inject a header, a second mailbox or a display name is refused (ses.md 3.3, RFC 5321 section 4.1.2). Quoted
local parts and domain literals are legal there and refused here, because no mailbox provider needs them.
"""

import functools
import hashlib
import re
import unicodedata
from dataclasses import dataclass
from email.utils import formataddr

from mailcordon.core import domain as domains
from mailcordon.messages import api

_PLAIN = re.compile(
    r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@([^@\s]+)", re.ASCII
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>\s]+)>")
_LONGEST = 254  #: characters; the limit of RCPT TO without the angle brackets (RFC 5321 4.5.3.1.3)
_LONGEST_LOCAL = 64  #: characters (RFC 5321 4.5.3.1.1)
_CACHED = 320  #: characters; longer texts are not cached, to limit memory
#: Control characters, lone surrogates, line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Address:
    local: str
    domain: str  #: lower case, punycode

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """An address with its display name, as in a From header."""

    name: str
    address: Address

    def header(self) -> str:
        """As a header value: ASCII, with the name in RFC 2047 form if it needs one."""
        return _header(self.name, str(self.address)) if self.name else str(self.address)

    def __str__(self) -> str:
        if not self.name:
            return str(self.address)
        quoted = self.name.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{quoted}" <{self.address}>'


@functools.lru_cache(maxsize=1024)
def _header(name: str, address: str) -> str:
    return formataddr((name, address))


def parse(text: str) -> Address:
    """Parses a bare address. Raises ValueError with a message for the user."""
    match = _PLAIN.fullmatch(text)
    if match is None:
        if "," in text or ";" in text:
            raise ValueError(api.several_addresses())
        if not text.isascii() and not text.split("@", 1)[0].isascii():
            raise ValueError(api.local_part_not_ascii())
        raise ValueError(api.not_an_address())
    local, domain = match.groups()
    if len(local) > _LONGEST_LOCAL:
        raise ValueError(api.local_part_too_long(_LONGEST_LOCAL))
    domain = domains.parse(domain)
    if len(local) + 1 + len(domain) > _LONGEST:
        raise ValueError(api.too_long(_LONGEST))
    return Address(local, domain)


def parse_mailbox(text: str) -> Mailbox:
    """Parses `name@domain` or `Name <name@domain>`: exactly one mailbox. Raises ValueError.

    Cached, because most mail comes from a few senders."""
    return _known_mailbox(text) if len(text) <= _CACHED else _parse_mailbox(text)


def _parse_mailbox(text: str) -> Mailbox:
    if any(unicodedata.category(letter) in _UNPRINTABLE for letter in text):
        raise ValueError(api.has_line_breaks())
    stripped = text.strip()
    named = _NAMED.fullmatch(stripped)
    if named is None:
        if "<" in stripped or ">" in stripped:
            raise ValueError(api.not_one_mailbox())
        return Mailbox("", parse(stripped))
    return Mailbox(_display_name(named["name"].strip()), parse(named["address"]))


_known_mailbox = functools.lru_cache(maxsize=4096)(_parse_mailbox)


def _display_name(text: str) -> str:
    if "=?" in text:
        # An encoded word could hide a line break or another address that a mail program would show.
        raise ValueError(api.name_encoded())
    if quoted := _QUOTED.fullmatch(text):
        return re.sub(r"\\(.)", r"\1", quoted[1])
    if "," in text or '"' in text or "@" in text:
        # A lenient parser reads `a@x, b <c@y>` as two mailboxes.
        raise ValueError(api.name_needs_quotes())
    return text


def hash_of(key: bytes, address: Address) -> bytes:
    """A 16-byte keyed hash of an address, for suppression and look-up. Letter case does not matter (ses.md 2.4). Without the
    key, guessed addresses cannot be tested against a stolen table."""
    return hashlib.blake2b(str(address).lower().encode(), digest_size=16, key=key).digest()
