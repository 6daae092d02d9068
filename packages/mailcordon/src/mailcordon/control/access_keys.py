"""Access keys: what an AWS SDK signs its requests to the SES door with (docs/ses-door.md).

An access key belongs to one API key and has no power of its own: scopes, message types, networks, limits, end and revocation are
the API key's. Its secret must be readable, since a signature is checked with it: it is stored encrypted, and shown once.
"""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from mailcordon.control.key_cache import KeyCache, Known
from mailcordon.control.keys import Key, Terms, check_given
from mailcordon.core.errors import Conflict, NotFound, parse_field
from mailcordon.core.principal import Principal
from mailcordon.messages import api
from mailcordon.messages import ses_door as messages

MOST_OF_A_KEY = 10  #: access keys of one API key that are not revoked
MOST_SETS = 500  #: names of configuration sets of one tenant, or of the platform
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
ID = re.compile(r"MCAK[A-Z2-7]{16}", re.ASCII)
_SET = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_MOST = 10_000  #: cached access keys; when there are more, the cache is emptied
_MOST_SCOPES = 32  #: signing keys of one access key: a day, a region and a service each


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A new access key. The secret is shown to its owner once, and stored encrypted."""

    id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """A stored access key, without its secret."""

    id: str
    prefix: str  #: of the API key that it belongs to
    made_at: datetime
    made_by: str
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SetName:
    """What the name of a configuration set stands for at the SES door."""

    name: str
    type: str
    tenant: str | None  #: slug; None: of every tenant that has no own row


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of looking up an access key, as of an epoch."""

    principal: Principal | None  #: None: unknown or revoked, or its API key is, or its tenant is retired
    expires_at: float | None  #: seconds since 1970
    secret: bytes | None = field(repr=False)
    types_of_sets: Mapping[str, str]
    epoch: int


@dataclass(slots=True, eq=False)
class KnownAccess:
    """An access key in the cache."""

    id: str
    known: Known
    secret: bytes = field(repr=False)
    types_of_sets: Mapping[str, str]  #: message types by the names of configuration sets
    signing_keys: dict[str, bytes] = field(repr=False, default_factory=dict[str, bytes])

    @property
    def principal(self) -> Principal:
        return self.known.principal

    def signing_key(self, scope: str, derive: Callable[[bytes, str], bytes]) -> bytes:
        """The derived key of `DATE/REGION/SERVICE`, remembered."""
        found = self.signing_keys.get(scope)
        if found is None:
            if len(self.signing_keys) >= _MOST_SCOPES:
                self.signing_keys.clear()
            found = self.signing_keys[scope] = derive(self.secret, scope)
        return found


class AccessKeyStore(Protocol):
    """Each change audits and bumps the epoch in its transaction."""

    async def insert(
        self, prefix: str, minted: Minted, decide: Callable[[Key, int], None], *, actor: str
    ) -> AccessKey | None:
        """None: no such API key. `decide` gets the locked API key and how many access keys it has, and may raise."""
        ...

    async def list(self, prefix: str) -> Sequence[AccessKey] | None: ...

    async def revoke(self, id: str, *, actor: str) -> AccessKey | None: ...

    async def find(self, id: str) -> Found: ...

    async def sets(self, tenant: str | None) -> Sequence[SetName]:
        """Raises NotFound for an unknown tenant."""
        ...

    async def put_set(self, named: SetName, most: int, *, actor: str) -> None:
        """Raises NotFound for an unknown tenant, Invalid for an unknown type, Conflict if there are `most` already."""
        ...

    async def remove_set(self, name: str, tenant: str | None, *, actor: str) -> bool: ...


def check_set_name(name: str) -> str:
    """Returns the name. Raises ValueError."""
    if _SET.fullmatch(name) is None:
        raise ValueError(messages.bad_set_name())
    return name


def mint() -> Minted:
    id = "MCAK" + "".join(secrets.choice(_LETTERS) for _ in range(16))
    return Minted(id=id, secret=secrets.token_urlsafe(30))


class AccessKeys:
    """Makes, lists and revokes access keys, and says what the names of configuration sets stand for."""

    def __init__(self, store: AccessKeyStore) -> None:
        self._store = store

    async def create(self, principal: Principal, prefix: str) -> tuple[AccessKey, str]:
        """Returns the access key and its secret, which cannot be read again.

        Raises NotFound, Conflict if the API key is revoked or has too many, Forbidden if the principal holds less than it.
        """
        minted = mint()

        def decide(key: Key, number: int) -> None:
            if key.revoked_at is not None:
                raise Conflict(messages.key_of_access_key_revoked(prefix), code="key-ended")
            if number >= MOST_OF_A_KEY:
                raise Conflict(messages.too_many_access_keys(prefix, MOST_OF_A_KEY), code="too-many")
            terms: Terms = key.terms
            check_given(principal, terms, key.also_mints)

        made = await self._store.insert(prefix, minted, decide, actor=principal.actor)
        if made is None:
            raise _no_key(prefix)
        return made, minted.secret

    async def list(self, prefix: str) -> Sequence[AccessKey]:
        """Raises NotFound."""
        found = await self._store.list(prefix)
        if found is None:
            raise _no_key(prefix)
        return found

    async def revoke(self, id: str, *, actor: str) -> AccessKey:
        """At once and for good. Raises NotFound."""
        found = await self._store.revoke(id, actor=actor) if ID.fullmatch(id) else None
        if found is None:
            raise NotFound(messages.no_access_key(ascii(id[:32])[1:-1]), code="no-such-key")
        return found

    async def sets(self, tenant: str | None) -> Sequence[SetName]:
        return await self._store.sets(tenant)

    async def put_set(self, named: SetName, *, actor: str) -> None:
        """Raises Invalid, NotFound or Conflict."""
        parse_field("set", check_set_name, named.name)
        await self._store.put_set(named, MOST_SETS, actor=actor)

    async def remove_set(self, name: str, tenant: str | None, *, actor: str) -> None:
        """Raises NotFound."""
        if not await self._store.remove_set(name, tenant, actor=actor):
            raise NotFound(messages.no_set(ascii(name[:64])[1:-1]), code="no-such-set")


class AccessKeyCache:
    """Access keys in memory, dropped with the cache of API keys when the control epoch moves."""

    def __init__(self, store: AccessKeyStore, keys: KeyCache) -> None:
        self._store = store
        self._keys = keys
        self._cached: dict[str, KnownAccess] = {}

    def find(self, id: str) -> KnownAccess | None:
        """The access key as of the last epoch seen, or None if it is not cached: then call `load`. Never waits.

        Nothing proves here that a caller has its secret.
        """
        found = self._cached.get(id)
        if found is None or not self._keys.is_current(found.known):
            return None
        return found

    async def load(self, id: str) -> KnownAccess | None:
        """Reads it from the database. None: unknown, revoked or expired."""
        if ID.fullmatch(id) is None:
            return None
        generation = self._keys.generation
        found = await self._store.find(id)
        fresh = self._keys.see(found.epoch, generation)
        if found.principal is None or found.secret is None:
            return None
        if found.expires_at is not None and found.expires_at <= self._keys.now():
            return None
        known = Known(found.principal, found.expires_at, found.principal.key_id, self._keys.generation)
        access = KnownAccess(id, known, found.secret, found.types_of_sets)
        if fresh:
            if len(self._cached) >= _MOST:
                self._cached.clear()
            self._cached[id] = access
        self._keys.note_use(found.principal.key_id)
        return access

    async def authenticate(self, id: str) -> KnownAccess | None:
        """As `load`, but from the cache while the epoch stands."""
        if self.find(id) is not None:
            await self._keys.look()
            if (found := self.find(id)) is not None:
                return found
        return await self.load(id)


def _no_key(prefix: str) -> NotFound:
    return NotFound(api.no_key(ascii(prefix[:32])[1:-1]), code="no-such-key")
