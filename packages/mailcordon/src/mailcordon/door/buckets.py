"""Token buckets for each key and each tenant: messages, bytes of their bodies, and reads.

A bucket holds what its rate gives in BURST_SECONDS, of bytes in BYTES_BURST_SECONDS. It grants a request as long as anything is
in it, and may then owe: so a body that is larger than a small bucket is taken too, and paid for afterwards. Time is passed in, in
seconds of any clock that does not jump.

A key's own limits replace the installation's. A platform key has no bucket unless it sets limits: it speaks for all tenants, and
one tenant's flood must not use up the share of the others. Every request counts for its tenant.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import StrEnum

from mailcordon.core.errors import TooMuch
from mailcordon.core.key_limits import UNLIMITED_BY_KEY, KeyLimits
from mailcordon.messages import mail

BURST_SECONDS = 10.0  #: how long a caller that was quiet may exceed its rate twofold
#: The same of bytes. Large mail that comes at once keeps both cores of a small host busy, so it is less: 32 MB by default.
BYTES_BURST_SECONDS = 4.0
_MOST = 10_000  #: owners that are remembered; beyond it, those with full buckets are forgotten


class Owner(StrEnum):
    KEY = "key"
    TENANT = "tenant"


class What(StrEnum):
    MESSAGES = "messages"
    BYTES = "bytes"
    READS = "reads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Per second. Defaults are those of a tenant's key (docs/operations.md says why)."""

    messages: float = 1000
    bytes: float = 8 * 1024 * 1024
    reads: float = 100


TENANT_RATES = Rates(messages=2000, bytes=16 * 1024 * 1024, reads=200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """An empty bucket."""

    owner: Owner
    name: str  #: prefix of the key, or slug of the tenant
    what: What
    per_second: float
    room_in: float  #: seconds until it grants a request
    full_in: float  #: seconds until it is full

    @property
    def limit(self) -> str:
        """Its name in DoorFacts."""
        return f"{self.what}-per-{self.owner}"


class _Bucket:
    __slots__ = ("burst", "each", "full_at")

    def __init__(self, per_second: float | None, burst: float = BURST_SECONDS) -> None:
        self.each = 0.0 if per_second is None else 1 / per_second  #: seconds that one token takes to come
        self.burst = burst  #: seconds in which it fills
        self.full_at = 0.0


class _Owned:
    """The buckets of one key or tenant."""

    __slots__ = ("bytes", "limits", "messages", "reads")

    def __init__(self, limits: KeyLimits, defaults: Rates | None) -> None:
        self.limits = limits

        def bucket(own: float | None, default: float | None, burst: float = BURST_SECONDS) -> _Bucket:
            return _Bucket(default if own is None else own, burst)

        self.messages = bucket(limits.messages_per_second, defaults and defaults.messages)
        self.bytes = bucket(limits.bytes_per_second, defaults and defaults.bytes, BYTES_BURST_SECONDS)
        self.reads = bucket(limits.reads_per_second, defaults and defaults.reads)

    def owes(self, now: float) -> bool:
        return self.messages.full_at > now or self.bytes.full_at > now or self.reads.full_at > now


class Buckets:
    """Of one process. Each method takes from the buckets of a key or a tenant, or raises TooMuch with the code `rate-limit` and
    takes nothing. `refused` is told the name of the limit."""

    def __init__(self, key: Rates, tenant: Rates, refused: Callable[[str], None]) -> None:
        self._key = key
        self._tenant = tenant
        self._refused = refused
        self._keys: dict[Hashable, _Owned] = {}
        self._tenants: dict[Hashable, _Owned] = {}

    def message_of_key(
        self, id: int, prefix: str, limits: KeyLimits, size: int, now: float, *, platform: bool
    ) -> None:
        """Takes one message with a body of `size` bytes."""
        owned = self._keys.get(id)
        if owned is None or owned.limits is not limits:
            owned = self._of_key(id, limits, platform, now)
        if (found := _take_message(owned, size, now)) is not None:
            raise self._problem(Owner.KEY, prefix, *found, now)

    def message_of_tenant(self, slug: str, size: int, now: float) -> None:
        """Takes one message with a body of `size` bytes."""
        owned = self._tenants.get(slug) or self._of_tenant(slug, now)
        if (found := _take_message(owned, size, now)) is not None:
            raise self._problem(Owner.TENANT, slug, *found, now)

    def require_room(
        self, id: int, prefix: str, limits: KeyLimits, slug: str | None, now: float, *, platform: bool
    ) -> None:
        """Takes nothing: whether a message of this key, and of this tenant if it is known, would be granted now."""
        owned = self._keys.get(id)
        if owned is None or owned.limits is not limits:
            owned = self._of_key(id, limits, platform, now)
        if (found := _empty(owned, now)) is not None:
            raise self._problem(Owner.KEY, prefix, *found, now)
        if slug is None:
            return
        owned = self._tenants.get(slug) or self._of_tenant(slug, now)
        if (found := _empty(owned, now)) is not None:
            raise self._problem(Owner.TENANT, slug, *found, now)

    def read_of_key(self, id: int, prefix: str, limits: KeyLimits, now: float, *, platform: bool) -> None:
        """Takes one read."""
        owned = self._keys.get(id)
        if owned is None or owned.limits is not limits:
            owned = self._of_key(id, limits, platform, now)
        if not _take(owned.reads, 1, now):
            raise self._problem(Owner.KEY, prefix, What.READS, owned.reads, now)

    def read_of_tenant(self, slug: str, now: float) -> None:
        """Takes one read."""
        owned = self._tenants.get(slug) or self._of_tenant(slug, now)
        if not _take(owned.reads, 1, now):
            raise self._problem(Owner.TENANT, slug, What.READS, owned.reads, now)

    def _of_key(self, id: int, limits: KeyLimits, platform: bool, now: float) -> _Owned:
        owned = self._keys.get(id)
        if owned is not None and owned.limits == limits:
            # The key was read again, and is as it was. Remembered, so that the next message need not compare.
            owned.limits = limits
            return owned
        _forget_full(self._keys, now)
        owned = self._keys[id] = _Owned(limits, None if platform else self._key)
        return owned

    def _of_tenant(self, slug: str, now: float) -> _Owned:
        _forget_full(self._tenants, now)
        owned = self._tenants[slug] = _Owned(UNLIMITED_BY_KEY, self._tenant)
        return owned

    def _problem(self, owner: Owner, name: str, what: What, bucket: _Bucket, now: float) -> TooMuch:
        empty = Empty(
            owner=owner,
            name=name,
            what=what,
            per_second=1 / bucket.each,
            room_in=bucket.full_at - now - bucket.burst,
            full_in=bucket.full_at - now,
        )
        self._refused(empty.limit)
        sentence = mail.bucket_empty(
            what.value, owner.value, name, empty.per_second, empty.room_in, empty.full_in
        )
        return TooMuch(sentence, retry_after=int(empty.room_in) + 1, code="rate-limit")


def _take(bucket: _Bucket, tokens: float, now: float) -> bool:
    full_at = bucket.full_at
    if full_at - now >= bucket.burst:
        return False
    bucket.full_at = (full_at if full_at > now else now) + tokens * bucket.each
    return True


def _take_message(owned: _Owned, size: int, now: float) -> tuple[What, _Bucket] | None:
    """Takes from both buckets, or from neither: then returns the one that is empty."""
    messages, bytes = owned.messages, owned.bytes
    messages_at, bytes_at = messages.full_at, bytes.full_at
    if messages_at >= now + BURST_SECONDS:
        return What.MESSAGES, messages
    if bytes_at >= now + BYTES_BURST_SECONDS:
        return What.BYTES, bytes
    # Without calls: this is done twice for each message.
    messages.full_at = (messages_at if messages_at > now else now) + messages.each
    bytes.full_at = (bytes_at if bytes_at > now else now) + size * bytes.each
    return None


def _empty(owned: _Owned, now: float) -> tuple[What, _Bucket] | None:
    if owned.messages.full_at >= now + BURST_SECONDS:
        return What.MESSAGES, owned.messages
    if owned.bytes.full_at >= now + BYTES_BURST_SECONDS:
        return What.BYTES, owned.bytes
    return None


def _forget_full(owners: dict[Hashable, _Owned], now: float) -> None:
    """A full bucket is as good as none. Callers can name any tenant, so the number of owners is bounded: if all of them owe, the
    oldest are forgotten."""
    if len(owners) < _MOST:
        return
    for name in [name for name, owned in owners.items() if not owned.owes(now)]:
        del owners[name]
    for name in list(owners)[: max(0, len(owners) - _MOST // 2)]:
        del owners[name]
