"""Tokens of people: 256 random bits, shown once, stored as sha256 (random bits need no slow hash).

`mcs_` begins the token of a session (in a cookie), `mcl_` that of a one-time link to sign in, `mcv_` that of a tenant's view
link. The prefix names one of them in lists and in the audit trail, and reveals nothing of the token.
"""

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from enum import StrEnum

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_PREFIX_LETTERS = 8
_PREFIX = re.compile(rf"[{_ALPHABET}]{{{_PREFIX_LETTERS}}}", re.ASCII)
_TOKEN = re.compile(r"(mc[slv])_[A-Za-z0-9_-]{43}", re.ASCII)


class Kind(StrEnum):
    SESSION = "mcs"
    SIGN_IN_LINK = "mcl"
    VIEW_LINK = "mcv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A new token. The text is shown once; only prefix and hash are stored."""

    text: str = field(repr=False)
    prefix: str
    hash: bytes = field(repr=False)


def mint(kind: Kind) -> Minted:
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_LETTERS))
    text = f"{kind}_{secrets.token_urlsafe(32)}"
    return Minted(text=text, prefix=prefix, hash=hash_of(text))


def hash_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def is_token(kind: Kind, text: str) -> bool:
    """Whether a text has the form of such a token. Anything else is not looked up."""
    found = _TOKEN.fullmatch(text)
    return found is not None and found[1] == kind


def is_prefix(text: str) -> bool:
    return _PREFIX.fullmatch(text) is not None


def derived(secret: str, purpose: str) -> str:
    """A second secret, from which the first cannot be learnt: HMAC-SHA256 (RFC 2104) in URL-safe base64, 43 characters.

    So the token of a form, a PKCE verifier and a nonce belong to one browser, and none of them is stored.
    """
    digest = hmac.new(secret.encode(), purpose.encode(), hashlib.sha256).digest()
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_same(one: str, other: str) -> bool:
    """Compares in constant time."""
    return hmac.compare_digest(one.encode(), other.encode())
