"""E-mail addresses as SES accepts them: ASCII local part, domain in punycode, one strict grammar for all inputs.

Anything that could inject a header, a second mailbox or a display name is refused (ses.md 3.3, RFC 5321 section 4.1.2). Quoted
local parts and domain literals are legal there and refused here, because no mailbox provider needs them. A display name shows
what it says: it hides no letters, and it shows no address but its own, since many programs show the name alone.
"""

import functools
import hashlib
import re
import unicodedata
from collections.abc import Sequence
from email.utils import formataddr
from typing import NamedTuple

from mailcordon.core import domain as domains
from mailcordon.core import encoded_words, reserved_domains
from mailcordon.core import text as texts
from mailcordon.messages import mail

LONGEST_MAILBOX = 320  #: characters of an address with its display name, as it is typed
LONGEST_LINE = 998  #: octets of a header line (RFC 5322 2.1.1, ses.md 3.3); whether SES folds is not known, so we count on none

_PLAIN = re.compile(
    r"([A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*)@([^@\s]+)", re.ASCII
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*<([^<>\s]+)>')
_NAMED = re.compile(r"([^<>]*)<([^<>\s]+)>")
#: An address as a reader would take it for one. The second full stop is the one that IDNA takes for a dot.
#: It begins where a word does: tried from every letter, a long name without an address would be read again and again.
_SHOWN_ADDRESS = re.compile(
    r"(?<![^\s@<>()\",;:])[^\s@<>()\",;:]+@((?:[^\s@<>()\",;:.\u3002]+[.\u3002])+[^\s@<>()\",;:.\u3002]+)"
)
#: Percent-encoded line breaks, which some programs decode.
_ENCODED_BREAK = re.compile(r"%0[ad]", re.IGNORECASE)
_LONGEST = 254  #: characters; the limit of RCPT TO without the angle brackets (RFC 5321 4.5.3.1.3)
_LONGEST_LOCAL = 64  #: characters (RFC 5321 4.5.3.1.1)
_LONGEST_TYPED = (
    4 * _LONGEST
)  #: characters; more cannot be an address, even with decomposed letters in its domain


#: Stands for an address whose mail was erased (docs/control.md, "Erasing personal data"). It has no @, so no address is this.
ERASED = "erased"


class Address(NamedTuple):  # made for every recipient, and faster to make than a frozen dataclass
    local: str
    domain: str  #: lower case, punycode

    def __str__(self) -> str:
        return f"{self.local}@{self.domain}"


class Mailbox(NamedTuple):
    """An address with its display name, as in a From header."""

    name: str  #: empty if there is none
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
    return formataddr((name, address)) if name.isascii() else f"{encoded_words.encode(name)} <{address}>"


@functools.lru_cache(maxsize=4096)
def shown(mailbox: Mailbox) -> str:
    """Its text. Cached, as of a sender: most mail comes from a few."""
    return str(mailbox)


def parse(text: str) -> Address:
    """Parses a bare address. Raises ValueError with a message for the user."""
    if len(text) > _LONGEST_TYPED:
        raise ValueError(mail.too_long(_LONGEST))
    match = _PLAIN.fullmatch(text)
    if match is None:
        if "," in text or ";" in text:
            raise ValueError(mail.several_addresses())
        if not text.isascii() and not text.split("@", 1)[0].isascii():
            raise ValueError(mail.local_part_not_ascii())
        raise ValueError(mail.not_an_address())
    local, domain = match.groups()
    if len(local) > _LONGEST_LOCAL:
        raise ValueError(mail.local_part_too_long(_LONGEST_LOCAL))
    if "%" in local and _ENCODED_BREAK.search(local):
        raise ValueError(mail.has_encoded_line_break())
    domain = domains.parse(domain)
    if len(local) + 1 + len(domain) > _LONGEST:
        raise ValueError(mail.too_long(_LONGEST))
    return Address(local, domain)


def parse_mailbox(text: str) -> Mailbox:
    """Parses `name@domain` or `Name <name@domain>`: exactly one mailbox. Raises ValueError.

    Cached, because most mail comes from a few senders."""
    if len(text) > LONGEST_MAILBOX:
        raise ValueError(mail.mailbox_too_long(LONGEST_MAILBOX))
    return _known_mailbox(text)


def parse_recipient(text: str) -> Mailbox:
    """As `parse_mailbox`, and not cached: each is another one."""
    return _parse_mailbox(text)


def make_mailbox(name: str, text: str) -> Mailbox:
    """The mailbox of a name as it is read, without quotes, and a bare address. Raises ValueError."""
    if len(name) + len(text) > LONGEST_MAILBOX:
        raise ValueError(mail.mailbox_too_long(LONGEST_MAILBOX))
    if texts.has_control(name):
        raise ValueError(mail.has_line_breaks())
    return _mailbox(name if name.strip() else "", text)


def _parse_mailbox(text: str) -> Mailbox:
    if texts.has_control(text):
        raise ValueError(mail.has_line_breaks())
    stripped = text.strip()
    if quoted := _QUOTED.fullmatch(stripped):
        name, bare = re.sub(r"\\(.)", r"\1", quoted[1]), quoted[2]
        name = name if name.strip() else ""
    elif named := _NAMED.fullmatch(stripped):
        name, bare = named[1].strip(), named[2]
        if "," in name or '"' in name or "@" in name:
            # A lenient parser reads `a@x, b <c@y>` as two mailboxes.
            raise ValueError(mail.name_needs_quotes())
    elif "<" in stripped or ">" in stripped:
        raise ValueError(mail.not_one_mailbox())
    else:
        return Mailbox("", parse(stripped))
    return _mailbox(name, bare)


_known_mailbox = functools.lru_cache(maxsize=4096)(_parse_mailbox)


def _mailbox(name: str, bare: str) -> Mailbox:
    mailbox = Mailbox(name, parse(bare))
    if name:
        _check_name(name, mailbox.address)
        if line_length("Reply-To", [mailbox]) > LONGEST_LINE:
            raise ValueError(mail.mailbox_line_too_long(LONGEST_LINE))
    return mailbox


def line_length(name: str, mailboxes: Sequence[Mailbox]) -> int:
    """Octets of a header line with these mailboxes."""
    return len(name) + 2 + sum(len(one.header()) + 2 for one in mailboxes) - 2


def _check_name(name: str, own: Address) -> None:
    if "=?" in name:
        # An encoded word could hide a line break or another address that a mail program would show.
        raise ValueError(mail.name_encoded())
    if texts.has_bidi_control(name) or texts.has_zero_width(name):
        raise ValueError(mail.has_hidden_letters())
    if "%" in name and _ENCODED_BREAK.search(name):
        raise ValueError(mail.has_encoded_line_break())
    for shown in _SHOWN_ADDRESS.finditer(unicodedata.normalize("NFKC", name)):
        if shown[0].lower() != str(own).lower() and not _is_nobodys(shown[1]):
            raise ValueError(mail.name_shows_address(shown[0]))


def _is_nobodys(domain: str) -> bool:
    """Whether the domain is reserved, so that an address in it is nobody's and impersonates nobody."""
    try:
        found = reserved_domains.find(domains.parse(domain.replace("\u3002", ".")), False)
    except ValueError:
        return False
    return found is not None and bool(found.by)


def hash_of(key: bytes, address: Address) -> bytes:
    """A 16-byte keyed hash of an address, for suppression and look-up. Letter case does not matter (ses.md 2.4). Without the
    key, guessed addresses cannot be tested against a stolen table."""
    return hash_of_text(key, str(address))


def hash_of_text(key: bytes, address: str) -> bytes:
    """As `hash_of`, for the text of an address that was parsed."""
    return hashlib.blake2b(address.lower().encode(), digest_size=16, key=key).digest()


def hash_of_any(key: bytes, text: str) -> bytes | None:
    """As `hash_of`, for a text that may be no address that we mail: then None."""
    try:
        return hash_of(key, parse(text))
    except ValueError:
        return None
