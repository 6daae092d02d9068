"""The account's access keys and the signing keys derived from them. A signing key costs four HMACs and is valid for one
day, region and service, so it is cached by credential. Changing an access key clears the cache."""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Final, NamedTuple

from seslocal.wire import sigv4a

MOST: Final = 1000  # keys
_MOST_SCOPES: Final = 1000
_ID: Final = re.compile(r"[A-Za-z0-9_.@+-]{1,128}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    id: str  #: access key id
    secret: str = field(repr=False)
    token: str | None = field(default=None, repr=False)  #: session token of temporary credentials
    expires: float | None = None  #: of temporary credentials, on the account's clock
    user: str  #: the name in `ses:caller-identity`


class Scope(NamedTuple):
    """A credential of a request, and what is needed to check its signature."""

    key: Key
    date: str  #: YYYYMMDD
    region: str  #: empty for SigV4a, where a header names the regions
    service: str
    text: str  #: date/region/service/aws4_request
    is_valid: Callable[[bytes, str], bool]  #: whether a string to sign has this signature (hexadecimal)


class Keys:
    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.by_id: dict[str, Key] = {}
        self._scopes: dict[str, Scope] = {}
        for key_id, secret in pairs:
            self.put(Key(id=key_id, secret=secret, user=key_id))

    def put(self, key: Key) -> None:
        self.by_id[key.id] = key
        self._scopes.clear()

    def delete(self, key_id: str) -> bool:
        self._scopes.clear()
        return self.by_id.pop(key_id, None) is not None

    def scope(self, credential: str) -> Scope | None:
        """Returns the cached scope of this credential, or None. Only credentials of known keys are cached."""
        return self._scopes.get(credential)

    def derive(self, credential: str, key: Key, date: str, region: str, service: str) -> Scope:
        text = f"{date}/{region}/{service}/aws4_request"
        signing_key = f"AWS4{key.secret}".encode()
        for part in text.split("/"):
            signing_key = hmac.digest(signing_key, part.encode(), "sha256")
        return self._keep(credential, Scope(key, date, region, service, text, _verifier(signing_key)))

    def derive_sigv4a(self, credential: str, key: Key, date: str, service: str) -> Scope:
        text = f"{date}/{service}/aws4_request"
        return self._keep(
            credential, Scope(key, date, "", service, text, sigv4a.verifier(key.id, key.secret))
        )

    def _keep(self, credential: str, scope: Scope) -> Scope:
        if len(self._scopes) >= _MOST_SCOPES:
            self._scopes.clear()
        self._scopes[credential] = scope
        return scope


def _verifier(signing_key: bytes) -> Callable[[bytes, str], bool]:
    """HMAC-SHA256 with both pads already hashed: hashing them is most of the cost of hmac.digest."""
    padded = signing_key.ljust(64, b"\0")
    inner, outer = (sha256(bytes(byte ^ pad for byte in padded)) for pad in (0x36, 0x5C))

    def is_valid(text: bytes, signature: str) -> bool:
        within, around = inner.copy(), outer.copy()
        within.update(text)
        around.update(within.digest())
        return hmac.compare_digest(around.hexdigest().encode(), signature.encode("utf-8", "replace"))

    return is_valid


def parse_key(text: str) -> tuple[str, str]:
    """Splits ID:SECRET. Raises ValueError."""
    key_id, colon, secret = text.partition(":")
    secret.encode()
    if not colon or not secret or not is_key_id(key_id):
        raise ValueError(f"{text!r} is not ID:SECRET")
    return key_id, secret


def is_key_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None
