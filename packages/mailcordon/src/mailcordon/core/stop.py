"""Stops: what SES, or the way to it, refuses, as one row at the scope of its cause.

A hold is a decision of ours and ends when its owner lifts it. A stop is a fact about SES: it has a condition under which it ends,
and a probe that tests the condition. It covers every lane that uses what it names, whoever owns the lane.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from mailcordon.core.reason import Reason
from mailcordon.messages import reasons, times


class StopScope(StrEnum):
    """What a stop names. Lanes that do not use it go on."""

    CELL = "cell"  #: the AWS account in its region: every lane
    WORKER = "worker"  #: one dispatcher; the others go on
    SET = "set"  #: a configuration set; a shared one covers lanes of all tenants
    IDENTITY = "identity"  #: a domain
    TENANT = "tenant"  #: an SES tenant
    LANE = "lane"


_SCOPES = {
    Reason.ACCOUNT_PAUSED: StopScope.CELL,
    Reason.ACCOUNT_SUSPENDED: StopScope.CELL,
    Reason.DAILY_QUOTA: StopScope.CELL,
    Reason.RATE_UNKNOWN: StopScope.CELL,
    Reason.RESTORED: StopScope.CELL,
    Reason.CREDENTIALS: StopScope.WORKER,
    Reason.SES_UNREACHABLE: StopScope.WORKER,
    Reason.OUTAGE: StopScope.WORKER,
    Reason.SET_PAUSED: StopScope.SET,
    Reason.SET_MISSING: StopScope.SET,
    Reason.IDENTITY: StopScope.IDENTITY,
    Reason.MAIL_FROM: StopScope.IDENTITY,
    Reason.TENANT_PAUSED: StopScope.TENANT,
    Reason.TENANT_MISSING: StopScope.TENANT,
    Reason.ACCESS_DENIED: StopScope.LANE,
    Reason.SETUP: StopScope.LANE,
}
#: Causes that GetAccount tells of: it must agree before such a stop ends.
OF_THE_ACCOUNT = frozenset(
    {Reason.ACCOUNT_PAUSED, Reason.ACCOUNT_SUSPENDED, Reason.DAILY_QUOTA, Reason.RATE_UNKNOWN}
)


def scope_of(cause: Reason) -> StopScope:
    """The scope of the cause, unless SES's answer names another one."""
    return _SCOPES[cause]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewStop:
    """A stop to be placed. Placing it again while it is open only counts it."""

    scope: StopScope
    name: str  #: cell; worker id; configuration set; domain; SES tenant; lane id
    cause: Reason
    because: str  #: what is refused, as a sentence without SES's own words
    said: str = ""  #: SES's own words
    tenant: int | None = None  #: for scopes that belong to one tenant
    lane: int | None = None  #: the lane whose call was refused: its resources are read again
    first_probe_ms: int = 1_000  #: until the first probe; doubles

    @property
    def key(self) -> tuple[StopScope, str, Reason]:
        return (self.scope, self.name, self.cause)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """A stop as it is stored. Times are milliseconds since 1970."""

    id: int
    scope: StopScope
    name: str
    tenant: int | None
    lane: int | None  #: only for the scope lane
    cause: Reason
    because: str
    said: str
    since: int
    last_seen: int
    hits: int  #: calls that were refused for it
    probe_at: int
    probes: int
    last_probe: str | None  #: what the last probe found
    ended_at: int | None = None
    ended_by: str | None = None
    ended_because: str | None = None
    path: str | None = (
        None  #: where it was read for one lane with two paths: the one that it stops, if only that
    )

    @property
    def key(self) -> tuple[StopScope, str, Reason]:
        return (self.scope, self.name, self.cause)

    @property
    def narrow(self) -> bool:
        """Whether it covers lanes by their route. A stop of a cell or worker stops the claiming instead."""
        return self.scope not in (StopScope.CELL, StopScope.WORKER)

    @property
    def for_tenants(self) -> "Stop":
        """As a tenant's key sees it: without the words of hosts, credentials and the AWS account, which are the platform's."""
        if self.scope is StopScope.WORKER:
            return replace(self, because=reasons.platform_cannot_call(), said="", last_probe=None)
        if self.scope is StopScope.CELL or self.cause is Reason.ACCESS_DENIED:
            return replace(self, said="", last_probe=None)
        return self

    @property
    def next_probe(self) -> int | None:
        """When it is tested next. None if it has ended, if its dispatcher tests it all the time, or if a person ends it."""
        untested = (Reason.OUTAGE, Reason.RESTORED)
        return None if self.ended_at is not None or self.cause in untested else self.probe_at

    @property
    def sentence(self) -> str:
        """The one sentence that every surface shows."""
        return reasons.stopped(
            because=self.because,
            since=times.minute(self.since),
            said=self.said,
            ends=ends_when(self.cause),
            next_probe=None if self.next_probe is None else times.second(self.next_probe),
            last_probe=self.last_probe or "",
            stop=str(self.id),
        )

    @property
    def record(self) -> str:
        """The same for a timeline and for the reason of an expiry: without when it is tested next."""
        return reasons.stopped_then(
            because=self.because, since=times.minute(self.since), said=self.said, stop=str(self.id)
        )


def ends_when(cause: Reason) -> str:
    """The condition that ends a stop, as a clause."""
    match cause:
        case Reason.DAILY_QUOTA:
            return reasons.ends_with_quota()
        case Reason.RATE_UNKNOWN:
            return reasons.ends_with_rate()
        case Reason.ACCOUNT_PAUSED | Reason.ACCOUNT_SUSPENDED:
            return reasons.ends_with_account()
        case Reason.TENANT_PAUSED:
            return reasons.ends_with_tenant()
        case Reason.RESTORED:
            return reasons.ends_with_settling()
        case _:
            return reasons.ends_with_canary()


def because_of(cause: Reason, name: str, *, code: str = "", said: str = "") -> str:
    """What is refused, as a sentence. `name` as in `NewStop`; `code` and `said` are SES's error code and words."""
    match cause:
        case Reason.CREDENTIALS:
            return reasons.credentials_refused(code)
        case Reason.SES_UNREACHABLE:
            return reasons.ses_unreachable(said)
        case Reason.OUTAGE | Reason.RESTORED:
            return said
        case Reason.SETUP:
            return reasons.setup_refused(code)
        case _:
            named = _NAMED.get(cause)
            return named(name) if named is not None else _PLAIN[cause]()


_NAMED = {
    Reason.SET_PAUSED: reasons.set_paused,
    Reason.SET_MISSING: reasons.set_missing,
    Reason.IDENTITY: reasons.identity_not_verified,
    Reason.MAIL_FROM: reasons.mail_from_not_verified,
}
_PLAIN = {
    Reason.ACCOUNT_PAUSED: reasons.account_paused,
    Reason.ACCOUNT_SUSPENDED: reasons.account_suspended,
    Reason.DAILY_QUOTA: reasons.quota_used_up,
    Reason.RATE_UNKNOWN: reasons.rate_unknown,
    Reason.TENANT_PAUSED: reasons.tenant_paused,
    Reason.TENANT_MISSING: reasons.tenant_missing,
    Reason.ACCESS_DENIED: reasons.access_denied,
}
