"""Links to unsubscribe (RFC 8058, RFC 2369): their tokens, the headers that carry them, and the request of a mail program.

A token names a lane and the keyed hash of a recipient's address, encrypted and authenticated with AES-SIV (RFC 5297). It says
nothing to who has no key, never expires, and needs no row: it works when the mail is long past retention. AES-SIV takes no
nonce, so a recipient has one link for each lane, and it is the same in every mail. The number of the key is part of the token,
so links that an older key made stay valid after a rotation.
"""

import base64
import re
import struct
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from mailcordon.core import address
from mailcordon.send.slots import Unsubscribe

PATH = "/u/"  #: of a link; the token follows
SECRET_BYTES = 64  #: of a key, for AES-256-SIV

_TOKEN = re.compile(r"[A-Za-z0-9_-]{52}", re.ASCII)
_VERSION = 1
_HEAD = struct.Struct(">BH")  #: version, number of the key
_NAMED = struct.Struct(">I16s")  #: number of the lane, hash of the address
_FIELD, _VALUE = "List-Unsubscribe", "One-Click"


class Named(NamedTuple):
    """Whom a token names."""

    lane: int
    hash: bytes  #: of the recipient's address (core/address.py)


class UnknownKey(Exception):
    """The token was made with a key that is not in the ring: perhaps one that was made since the ring was read."""


class Keyring:
    """`secrets`: every key by its number. The one with the highest number makes tokens."""

    def __init__(self, secrets: Mapping[int, bytes]) -> None:
        self._ciphers = {number: AESSIV(secret) for number, secret in secrets.items()}
        self._newest = max(secrets, default=0)

    @property
    def is_empty(self) -> bool:
        return not self._ciphers

    def token(self, named: Named) -> str:
        head = _HEAD.pack(_VERSION, self._newest)
        sealed = self._ciphers[self._newest].encrypt(_NAMED.pack(*named), [head])
        return base64.urlsafe_b64encode(head + sealed).decode()

    def read(self, token: str) -> Named | None:
        """Whom it names; None for a text that none of our keys made. Raises UnknownKey. The time it takes says nothing about how
        much of a forged token is right: OpenSSL compares the whole tag."""
        if _TOKEN.fullmatch(token) is None:
            return None
        raw = base64.urlsafe_b64decode(token)
        head, sealed = raw[: _HEAD.size], raw[_HEAD.size :]
        version, number = _HEAD.unpack(head)
        if version != _VERSION:
            return None
        cipher = self._ciphers.get(number)
        if cipher is None:
            raise UnknownKey
        try:
            lane, hash = _NAMED.unpack(cipher.decrypt(sealed, [head]))
        except InvalidTag:
            return None
        return Named(lane, hash)


class Links:
    """Makes the link of each recipient. `base`: the address of our page, without a slash at its end; None: not set, so only
    tenants with a host name of their own have links."""

    def __init__(self, ring: Keyring, hash_key: bytes, base: str | None) -> None:
        self.ring = ring
        self._hash_key = hash_key
        self._base = base

    def of(self, lane: int, to: str, host: str | None) -> str | None:
        """The link of a recipient of this lane. `host`: the tenant's own. None: there is no address or no key to make one."""
        base = self._base if host is None else f"https://{host}"
        if base is None or self.ring.is_empty:
            return None
        hash = address.hash_of_text(self._hash_key, to)
        return f"{base}{PATH}{self.ring.token(Named(lane, hash))}"

    def offer(self, lane: int, to: str, host: str | None, *, one_click: bool) -> Unsubscribe | None:
        """What a mail to this recipient offers. `one_click`: whether its class needs the headers; else only placeholders get the
        link. None as `of`."""
        link = self.of(lane, to, host)
        return None if link is None else Unsubscribe(headers(link) if one_click else (), link)


def headers(link: str) -> tuple[tuple[str, str], ...]:
    """The headers of a mail with this link (RFC 2369 section 3.2, RFC 8058 section 3.1). SES's signature covers both."""
    return ((_FIELD, f"<{link}>"), (f"{_FIELD}-Post", f"{_FIELD}={_VALUE}"))


def is_one_click(content_type: str, body: bytes) -> bool:
    """Whether a POST is the one that a mail program makes (RFC 8058 section 3.2): the one field, as a form of either kind.

    Nothing else unsubscribes without a person's choice: scanners follow links, and some post empty or made-up forms.
    """
    kind, _, parameters = content_type.partition(";")
    try:
        match kind.strip().lower():
            case "" | "application/x-www-form-urlencoded":
                return parse_qsl(body.decode("ascii").strip(), keep_blank_values=True) == [(_FIELD, _VALUE)]
            case "multipart/form-data":
                return _parts(parameters, body) == [(_FIELD, _VALUE)]
            case _:
                return False
    except (UnicodeDecodeError, ValueError):
        return False


def _parts(parameters: str, body: bytes) -> list[tuple[str, str]]:
    """The fields of a multipart form (RFC 7578). Raises ValueError if it is none."""
    boundary = next(
        (
            value.strip().strip('"')
            for name, _, value in (one.partition("=") for one in parameters.split(";"))
            if name.strip().lower() == "boundary"
        ),
        "",
    )
    if not boundary:
        raise ValueError("a form without a boundary")
    start, *parts = (b"\r\n" + body).split(b"\r\n--" + boundary.encode())
    if start.strip() or not parts or parts[-1].strip() != b"--":
        raise ValueError("no form, or one that is cut off")
    fields: list[tuple[str, str]] = []
    for part in parts[:-1]:
        head, blank, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        if not blank:
            raise ValueError("a part without a head")
        fields.append((_name_of_part(head.decode("ascii")), value.decode("ascii")))
    return fields


def _name_of_part(head: str) -> str:
    for line in head.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-disposition":
            kind, *parameters = (one.strip() for one in value.split(";"))
            names = [
                one.partition("=")[2].strip('"') for one in parameters if one.lower().startswith("name=")
            ]
            if kind.lower() == "form-data" and len(names) == 1:
                return names[0]
    raise ValueError("a part without a name")
