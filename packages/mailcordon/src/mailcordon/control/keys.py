"""API keys: 256 random bits each, shown once, stored as sha256 (random bits need no slow hash), scoped and revocable.

`mck_<prefix>_<secret>`: the prefix identifies the key in lists, logs and the audit trail, and reveals nothing of the secret.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import Enum
from ipaddress import IPv4Network, IPv6Network
from types import MappingProxyType
from typing import Final, Protocol, TypedDict, Unpack

from mailcordon.core import names
from mailcordon.core.errors import Conflict, Fault, Forbidden, Invalid, NotFound, parse_into
from mailcordon.core.key_limits import LEAST_PER_SECOND, MOST_PER_SECOND, UNLIMITED_BY_KEY, KeyLimits
from mailcordon.core.principal import SCOPES, TENANT_SCOPES, Principal
from mailcordon.messages import api, keys

_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"
_PREFIX_LETTERS = 8
MOST_TYPES = 100
MOST_NETWORKS = 100
LONGEST_OVERLAP = timedelta(days=90)
LONGEST_LIFE = timedelta(days=36_525)
_PREFIX = re.compile(rf"[{_ALPHABET}]{{{_PREFIX_LETTERS}}}", re.ASCII)
_BEARER = re.compile(r"Bearer +(mck_[a-z0-9]{8}_[A-Za-z0-9_-]{43})", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A new key. The text is shown to its owner once; only prefix and hash are stored."""

    text: str = field(repr=False)
    prefix: str
    hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a key is for. All of it but the tenant can be changed later."""

    tenant: str | None  #: slug; None: a platform key
    name: str
    scopes: tuple[str, ...]
    types: tuple[str, ...] | None = None  #: message types that it may send and cancel; None: all
    networks: tuple[IPv4Network | IPv6Network, ...] = ()  #: client addresses that it works from; empty: any
    limits: KeyLimits = UNLIMITED_BY_KEY
    expires_at: datetime | None = None
    holder: str | None = None  #: the person or the part of a system that uses it; None: who creates it
    default_type: str | None = None  #: of mail whose door names no type: SMTP and the SES door


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A stored key, without its secret."""

    id: int
    prefix: str
    terms: Terms
    created_at: datetime
    created_by: str
    revoked_at: datetime | None
    last_used_at: datetime | None  #: a minute or two behind; None: not yet
    also_mints: tuple[str, ...]  #: scopes that it may give to other keys without holding them
    succeeds: str | None  #: prefix of the key that it replaces


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The result of looking up a key, as of an epoch."""

    principal: Principal | None  #: None: unknown, revoked, or its tenant is retired
    expires_at: float | None  #: seconds since 1970
    epoch: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotated:
    """What to store for a rotation."""

    successor: Terms
    predecessor_expires_at: datetime


class KeyStore(Protocol):
    """Each change audits and bumps the epoch in its transaction."""

    async def insert(self, minted: Minted, terms: Terms, *, actor: str) -> Key:
        """Raises NotFound for an unknown tenant, Invalid for an unknown message type."""
        ...

    async def revoke(self, prefix: str, *, actor: str, because: str | None) -> Key | None: ...

    async def change(self, prefix: str, decide: Callable[[Key], Terms], *, actor: str) -> Key | None:
        """Stores what `decide` returns for the locked key; what it raises, this raises. None: no such key."""
        ...

    async def rotate(
        self, prefix: str, minted: Minted, decide: Callable[[Key, str | None], Rotated], *, actor: str
    ) -> tuple[Key, Key] | None:
        """Inserts the successor and ends the predecessor; returns both, the successor first. None: no such key.

        `decide` gets the locked key and the prefix of a successor that is valid already; what it raises, this raises.
        """
        ...

    async def find(self, hash: bytes) -> Found: ...

    async def epoch(self) -> int: ...


class Changes(TypedDict, total=False):
    """Terms of a key that can be changed. What is left out stays."""

    name: str
    holder: str
    scopes: tuple[str, ...]
    types: tuple[str, ...] | None
    networks: tuple[IPv4Network | IPv6Network, ...]
    expires_at: datetime | None
    default_type: str | None


class More(TypedDict, total=False):
    """The terms of a new key that have defaults."""

    types: tuple[str, ...] | None
    networks: tuple[IPv4Network | IPv6Network, ...]
    limits: KeyLimits
    expires_at: datetime | None
    holder: str | None
    default_type: str | None


class Same(Enum):
    """Stands for a value that was not given, where None is one."""

    SAME = "same"


SAME: Final = Same.SAME


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
    """Creates, changes, rotates and revokes keys."""

    def __init__(self, store: KeyStore) -> None:
        self._store = store

    async def create(
        self,
        *,
        tenant: str | None,
        name: str,
        scopes: Sequence[str],
        actor: str,
        **more: Unpack[More],
    ) -> tuple[Key, str]:
        """Returns the stored key and its text, which cannot be read again. Raises Invalid or NotFound.

        For the installation's own processes, which may give every scope. A request creates keys with `create_by`.
        """
        terms = Terms(tenant=tenant, name=name, scopes=tuple(scopes), **more)
        check(terms)
        return await self._create(terms, actor)

    async def create_by(self, principal: Principal, terms: Terms) -> tuple[Key, str]:
        """As `create`, for a request. Raises Forbidden if the principal holds less than it would give."""
        check(terms)
        check_given(principal, terms)
        return await self._create(terms, principal.actor)

    async def _create(self, terms: Terms, actor: str) -> tuple[Key, str]:
        minted = mint()
        return await self._store.insert(minted, _in_order(terms), actor=actor), minted.text

    async def mint_platform_key(self, name: str, *, actor: str = "mailcordon") -> tuple[Key, str]:
        """A key with every scope, for the operator of this installation."""
        return await self.create(tenant=None, name=name, scopes=SCOPES, actor=actor)

    async def change(
        self,
        principal: Principal,
        prefix: str,
        *,
        rates: Mapping[str, float | None] = MappingProxyType({}),
        **changes: Unpack[Changes],
    ) -> Key:
        """Takes effect at once in every process. Raises NotFound, Invalid, Conflict for a revoked key, or Forbidden.

        `rates` are the fields of the limits that change.

        Narrowing takes no scope but `admin`. Widening takes what creating the result would take.
        """

        def decide(key: Key) -> Terms:
            if key.revoked_at is not None:
                raise Conflict(keys.key_is_revoked(prefix), code="key-ended")
            terms = replace(key.terms, **changes, limits=replace(key.terms.limits, **rates))
            check(terms, ends=terms.expires_at != key.terms.expires_at)
            if widens(key.terms, terms):
                check_given(principal, terms, key.also_mints)
            return _in_order(terms)

        key = await self._store.change(_known(prefix), decide, actor=principal.actor)
        if key is None:
            raise _no_key(prefix)
        return key

    async def rotate(
        self,
        principal: Principal,
        prefix: str,
        *,
        overlap: timedelta,
        expires_at: datetime | Same | None = SAME,
    ) -> tuple[Key, Key, str]:
        """Creates a successor with the same terms, and ends the key after the overlap, or when it ends anyway.

        `expires_at` is the successor's end; it must be given for a key that has one.

        Returns the successor, its predecessor and the successor's text. Raises NotFound, Invalid, Conflict or Forbidden.
        """
        minted = mint()
        now = datetime.now(UTC)

        def decide(key: Key, successor: str | None) -> Rotated:
            end = key.terms.expires_at
            if key.revoked_at is not None:
                raise Conflict(keys.key_is_revoked(prefix), code="key-ended")
            if end is not None and end <= now:
                raise Conflict(keys.key_expired(prefix), code="key-ended")
            if successor is not None:
                raise Conflict(keys.key_has_successor(prefix, successor), code="key-rotated")
            if end is not None and isinstance(expires_at, Same):
                raise Invalid(Fault("expires_at", keys.successors_end_missing(prefix), "missing"))
            terms = replace(key.terms, expires_at=None if isinstance(expires_at, Same) else expires_at)
            check(terms)
            check_given(principal, terms, key.also_mints)
            ends = now + overlap
            return Rotated(successor=terms, predecessor_expires_at=ends if end is None else min(end, ends))

        found = await self._store.rotate(_known(prefix), minted, decide, actor=principal.actor)
        if found is None:
            raise _no_key(prefix)
        return *found, minted.text

    async def revoke(self, prefix: str, *, actor: str, because: str | None = None) -> Key:
        """Takes effect at once in every process. Revoking a revoked key changes nothing. Raises NotFound."""
        key = await self._store.revoke(_known(prefix), actor=actor, because=because)
        if key is None:
            raise _no_key(prefix)
        return key


def _known(prefix: str) -> str:
    """Raises NotFound for a text that no key has as its prefix."""
    if _PREFIX.fullmatch(prefix) is None:
        raise _no_key(prefix)
    return prefix


def _no_key(prefix: str) -> NotFound:
    return NotFound(api.no_key(ascii(prefix[:32])[1:-1]), code="no-such-key")


def check_given(principal: Principal, terms: Terms, also_mints: Sequence[str] = ()) -> None:
    """A key gives no more than it has: no scope, tenant or message type. Raises Forbidden.

    Limits, address ranges and ends are no power, and are not inherited: a key that works from the office only can make one for a
    customer's server.
    """
    missing = sorted({*terms.scopes, *also_mints} - principal.gives)
    if missing:
        problem = keys.scopes_not_held(principal.prefix, missing, sorted(principal.gives))
        raise Forbidden(problem, code="scope-not-held")
    if principal.tenant_slug is not None and terms.tenant != principal.tenant_slug:
        raise Forbidden(
            keys.key_of_another_tenant(principal.prefix, principal.tenant_slug), code="foreign-tenant"
        )
    if principal.types is not None and (terms.types is None or not set(terms.types) <= principal.types):
        raise Forbidden(keys.types_not_held(principal.prefix, sorted(principal.types)), code="type-not-held")


def widens(old: Terms, new: Terms) -> bool:
    """Whether a key would be able to do anything that it was not: by scope, message type, client address or end."""
    return (
        not set(new.scopes) <= set(old.scopes)
        or (old.types is not None and (new.types is None or not set(new.types) <= set(old.types)))
        or (bool(old.networks) and not _covers(old.networks, new.networks))
        or (old.expires_at is not None and (new.expires_at is None or new.expires_at > old.expires_at))
    )


def _covers(wide: Sequence[IPv4Network | IPv6Network], narrow: Sequence[IPv4Network | IPv6Network]) -> bool:
    return bool(narrow) and all(any(_within(one, all) for all in wide) for one in narrow)


def _within(one: IPv4Network | IPv6Network, other: IPv4Network | IPv6Network) -> bool:
    if isinstance(one, IPv4Network):
        return isinstance(other, IPv4Network) and one.subnet_of(other)
    return isinstance(other, IPv6Network) and one.subnet_of(other)


def _in_order(terms: Terms) -> Terms:
    types = None if terms.types is None else tuple(sorted(set(terms.types)))
    return replace(
        terms,
        name=terms.name.strip(),
        holder=None if terms.holder is None else terms.holder.strip(),
        scopes=tuple(scope for scope in SCOPES if scope in terms.scopes),
        types=types,
    )


def check(terms: Terms, *, ends: bool = True) -> None:
    """Raises Invalid with every problem. `ends`: whether the end is new; one that is over can stay."""
    faults: list[Fault] = []
    parse_into(faults, "name", names.key_name, terms.name)
    if terms.holder is not None:
        parse_into(faults, "holder", names.holder, terms.holder)
    unknown = sorted(set(terms.scopes) - set(SCOPES))
    if unknown or not terms.scopes:
        faults.append(Fault("scopes", keys.bad_scopes(list(SCOPES))))
    elif terms.tenant is not None and not set(terms.scopes) <= set(TENANT_SCOPES):
        faults.append(Fault("scopes", keys.bad_tenant_scopes(list(TENANT_SCOPES))))
    if terms.types is not None and not 0 < len(terms.types) <= MOST_TYPES:
        faults.append(Fault("types", keys.bad_number_of_types(MOST_TYPES)))
    elif terms.types is not None and not all(names.is_slug(type) for type in terms.types):
        unknown = [ascii(type[:64])[1:-1] for type in terms.types if not names.is_slug(type)]
        faults.append(Fault("types", keys.key_types_unknown(unknown[:5]), "unknown-type"))
    elif terms.types is not None and not set(terms.scopes) <= set(TENANT_SCOPES):
        faults.append(Fault("types", keys.types_with_power(sorted(set(terms.scopes) - set(TENANT_SCOPES)))))
    if terms.default_type is not None:
        shown = ascii(terms.default_type[:64])[1:-1]
        if not names.is_slug(terms.default_type):
            faults.append(Fault("default_type", keys.key_types_unknown([shown]), "unknown-type"))
        elif terms.types is not None and terms.default_type not in terms.types:
            faults.append(Fault("default_type", keys.default_type_not_allowed(shown)))
    if len(terms.networks) > MOST_NETWORKS:
        faults.append(Fault("networks", keys.too_many_networks(MOST_NETWORKS)))
    for name in ("messages_per_second", "bytes_per_second", "reads_per_second"):
        value = getattr(terms.limits, name)
        if value is not None and not LEAST_PER_SECOND <= value <= MOST_PER_SECOND:
            faults.append(Fault(f"limits.{name}", keys.bad_key_limit(LEAST_PER_SECOND, MOST_PER_SECOND)))
    if ends and terms.expires_at is not None:
        if terms.expires_at.tzinfo is None:
            faults.append(Fault("expires_at", keys.time_without_zone()))
        elif terms.expires_at <= datetime.now(UTC):
            faults.append(Fault("expires_at", keys.time_in_the_past()))
        elif terms.expires_at - datetime.now(UTC) > LONGEST_LIFE:
            faults.append(Fault("expires_at", keys.key_lives_too_long(LONGEST_LIFE.days)))
    if faults:
        raise Invalid(*faults)
