"""API keys: 256 random bits each, shown once, stored as sha256 (random bits need no slow hash), scoped and revocable.

`mck_<prefix>_<secret>`: the prefix identifies the key in lists, logs and the audit trail, and reveals nothing of the secret.
"""

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from mailcordon.core.errors import Fault, Invalid, NotFound
from mailcordon.core.principal import SCOPES, TENANT_SCOPES, Principal
from mailcordon.messages import api

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_PREFIX_LETTERS = 8
_BEARER = re.compile(r"Bearer +(mck_[a-z0-9]{8}_[A-Za-z0-9_-]{43})", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A new key. The text is shown to its owner once; only prefix and hash are stored."""

    text: str = field(repr=False)
    prefix: str
    hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A stored key, without its secret."""

    id: int
    prefix: str
    name: str
    tenant: str | None  #: slug; None: a platform key
    scopes: tuple[str, ...]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of looking up a key, as of an epoch."""

    principal: Principal | None  #: None: unknown, revoked, or its tenant is retired
    expires_at: float | None  #: seconds since 1970
    epoch: int


class KeyStore(Protocol):
    async def insert(
        self,
        minted: Minted,
        *,
        tenant: str | None,
        name: str,
        scopes: Sequence[str],
        expires_at: datetime | None,
        actor: str,
    ) -> Key:
        """Raises NotFound for an unknown tenant. Audits and bumps the epoch in the same transaction."""
        ...

    async def revoke(self, prefix: str, *, actor: str) -> Key | None: ...

    async def find(self, hash: bytes) -> Found: ...

    async def epoch(self) -> int: ...


def mint() -> Minted:
    prefix = "".join(secrets.choice(_ALPHABET) for _ in range(_PREFIX_LETTERS))
    text = f"mck_{prefix}_{secrets.token_urlsafe(32)}"
    return Minted(text=text, prefix=prefix, hash=hash_of(text))


def hash_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


def bearer(authorization: str | None) -> str | None:
    """Returns the key in an Authorization header, or None if it has no key of our form."""
    match = _BEARER.fullmatch(authorization.strip()) if authorization else None
    return match[1] if match else None


class Keys:
    """Creates and revokes keys."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    async def create(
        self,
        *,
        tenant: str | None,
        name: str,
        scopes: Sequence[str],
        actor: str,
        expires_at: datetime | None = None,
    ) -> tuple[Key, str]:
        """Returns the stored key and its text, which cannot be read again. Raises Invalid or NotFound."""
        check(tenant=tenant, name=name, scopes=scopes, expires_at=expires_at)
        minted = mint()
        ordered = [scope for scope in SCOPES if scope in scopes]
        key = await self._store.insert(
            minted, tenant=tenant, name=name, scopes=ordered, expires_at=expires_at, actor=actor
        )
        return key, minted.text

    async def mint_platform_key(self, name: str, *, actor: str = "mailcordon") -> tuple[Key, str]:
        """A key with every scope, for the operator of this installation."""
        return await self.create(tenant=None, name=name, scopes=SCOPES, actor=actor)

    async def revoke(self, prefix: str, *, actor: str) -> Key:
        """Takes effect at once in every process. Revoking a revoked key changes nothing. Raises NotFound."""
        key = await self._store.revoke(prefix, actor=actor)
        if key is None:
            raise NotFound(api.no_key(prefix), code="no-such-key")
        return key


def check(*, tenant: str | None, name: str, scopes: Sequence[str], expires_at: datetime | None) -> None:
    """Raises Invalid with every problem."""
    faults: list[Fault] = []
    if not name.strip() or len(name) > 100:
        faults.append(Fault("name", api.bad_key_name()))
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        faults.append(Fault("scopes", api.bad_scopes(list(SCOPES))))
    elif tenant is not None and not set(scopes) <= set(TENANT_SCOPES):
        faults.append(Fault("scopes", api.bad_tenant_scopes(list(TENANT_SCOPES))))
    if expires_at is not None and expires_at.tzinfo is None:
        faults.append(Fault("expires_at", api.time_without_zone()))
    elif expires_at is not None and expires_at <= datetime.now(UTC):
        faults.append(Fault("expires_at", api.time_in_the_past()))
    if faults:
        raise Invalid(*faults)
