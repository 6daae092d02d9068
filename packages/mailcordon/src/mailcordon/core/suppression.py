"""Suppressions: addresses that must not be mailed, each with a scope, a cause and evidence.

No suppression of one tenant covers mail of another. The platform's own list is explicit and covers everybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from mailcordon.core.priority import Class
from mailcordon.messages import reasons, times

HOUR_MS = 3_600_000
DAY_MS = 86_400_000


class Scope(IntEnum):
    """Which mail to the address is covered. The values are stored."""

    TENANT = 0
    CLASS = 1
    LANE = 2
    PLATFORM = 3

    @property
    def word(self) -> str:
        return self.name.lower()


class Reported(IntEnum):
    """What of an address is remembered to compute suppressions that end. The values are stored."""

    SOFT_BOUNCE = 0
    COMPLAINT = 1
    NOT_SPAM = 2


SCOPES = tuple(scope.word for scope in Scope if scope is not Scope.PLATFORM)  #: of a tenant's suppressions


#: Causes that not-spam feedback takes back, as SES takes back its own entries (ses.md 2.2).
LIFTED_BY_NOT_SPAM = frozenset({"complaint", "ses-tenant-complaint", "ses-account-complaint"})


@dataclass(frozen=True, slots=True, kw_only=True)
class SoftBouncePolicy:
    """When soft bounces of one address suppress it: `count` within `window_ms`, from the first to the last at least `spread_ms`
    apart. `off_ms`: for how long, from the last one on. `count` 0: never.

    Before that, marketing mail to it pauses for `pause_ms` after `pause_count` soft bounces of marketing mail within as long."""

    count: int = 5
    window_ms: int = 14 * DAY_MS
    spread_ms: int = 3 * DAY_MS
    off_ms: int = 30 * DAY_MS
    pause_count: int = 3
    pause_ms: int = 6 * HOUR_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppression:
    """`target` is the number of the class or lane that the scope names, else 0. Times are milliseconds since 1970."""

    tenant: int  #: 0: the platform's list
    hash: bytes  #: keyed hash of the address (core/address.py)
    address: str
    scope: Scope
    target: int = 0
    type: str | None = None  #: the lane's message type, where it was read with the row
    cause: str
    evidence: Mapping[str, object] = field(default_factory=dict[str, object])
    since: int
    until: int | None = None
    by: str = "ses"
    removing_since: int | None = None  #: its removal was requested; it ends when SES's own entry is gone
    removal_waits: str | None = None  #: why a requested removal is not done yet
    only: Class | None = None  #: of the platform's list: the class whose mail alone it covers

    @property
    def mail(self) -> str | None:
        """The class or message type that it is limited to, in words."""
        if self.scope is Scope.CLASS:
            return Class(self.target).word
        if self.only is not None:
            return self.only.word
        return self.type if self.scope is Scope.LANE else None

    @property
    def may_be_lifted(self) -> bool:
        """Whether not-spam feedback takes it back."""
        return self.cause in LIFTED_BY_NOT_SPAM

    def covers(self, class_: Class, lane: int, now: int) -> bool:
        """Whether it covers mail of this lane of its tenant now. The SQL function `suppressed_for` has the same rule."""
        if self.until is not None and self.until <= now:
            return False
        match self.scope:
            case Scope.CLASS:
                return self.target == class_
            case Scope.LANE:
                return self.target == lane
            case _:
                return self.only is None or self.only is class_

    def sentence(self, tenant: str) -> str:
        """The reason of a refused delivery, and what `why` and the lists show. `tenant` is the slug."""
        return reasons.suppressed(
            tenant=None if self.scope is Scope.PLATFORM else tenant,
            address=self.address,
            mail=self.mail or "",
            cause=self.cause,
            on=times.day(self.since),
            by=self.by,
            until="" if self.until is None else times.day(self.until),
            removing=self.removing_since is not None,
        )
