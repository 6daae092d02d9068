"""The account at SES: its limits, and the budget of management calls: what uses it, what waits, and when a newcomer is ready."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

from mailcordon.control.call_budget import SHARES
from mailcordon.control.work import Work
from mailcordon.guard.account_guard import LEAST_MAILS, PAUSE, REVIEW
from mailcordon.guard.delays import Signal
from mailcordon.guard.policy.forecast import Forecast

#: Calls that make a tenant with one domain and one type, its sets being shared (a test counts them).
NEWCOMER_CALLS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What GetAccount said last."""

    cell: str
    polled_at: int
    max_send_rate: float  #: recipients a second
    max_24h: float  #: negative: unlimited
    sent_24h: float  #: and what dispatchers took since
    sending_enabled: bool
    enforcement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is due and waits for calls, in one kind of work."""

    work: Work
    resources: int  #: of which each needs a call at least
    tenants: int
    since: int | None  #: the oldest


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """One of the account's rates over 24 hours, and where AWS reviews and pauses an account for it (ses.md 5)."""

    signal: Signal
    mails: int
    events: int

    @property
    def rate(self) -> float | None:
        """None: fewer mails than a rate can be told of."""
        return self.events / self.mails if self.mails >= LEAST_MAILS else None

    @property
    def line(self) -> float:
        """AWS reviews the account at this rate."""
        return REVIEW[self.signal]

    @property
    def pause(self) -> float:
        """AWS may pause the account at this rate."""
        return PAUSE[self.signal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    now: int
    reviewed: Sequence[Reviewed] = ()
    limits: Sequence[Limits] = ()
    waiting: Sequence[Waiting] = ()
    calls: Mapping[str, Any] | None = (
        None  #: of the report of the process that reconciles; None: no process does
    )
    oldest_read: int | None = None  #: when the resource that was read longest ago was read
    forecast: Forecast | None = None  #: of the quota; None: nothing leaves, or there are several accounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """One kind of work in the budget."""

    work: Work
    share: float  #: of all calls while every kind waits
    used: int  #: calls of the last minute
    waiting: int
    tenants: int
    since: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """The rolling scan. Seconds."""

    resources: int
    period: float  #: in which each resource is read again
    longest_period: float  #: the same while every other kind of work uses its share
    shared_period: float  #: for what all tenants share
    oldest_read: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    per_second: float | None  #: None: no limit
    per_second_now: float | None  #: less after SES has refused calls for their rate
    slowed_at: int | None  #: when it refused the last one
    shares: Sequence[Share] = field(default_factory=tuple[Share, ...])
    newcomer_calls: int = NEWCOMER_CALLS
    newcomer_seconds: float = 0.0  #: until SES has what a tenant needs that is onboarded now
    scan: Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    limits: Sequence[Limits]
    budget: Budget | None  #: None: no control process reports
    forecast: Forecast | None = None
    reviewed: Sequence[Reviewed] = ()


class Reader(Protocol):
    async def facts(self) -> Facts:
        """Raises Unavailable while the database cannot be reached."""
        ...


def of(facts: Facts) -> Account:
    calls = facts.calls
    if calls is None:
        return Account(limits=facts.limits, reviewed=facts.reviewed, budget=None, forecast=facts.forecast)
    waiting = {one.work: one for one in facts.waiting}
    used = cast("Mapping[str, int]", calls.get("calls_used") or {})
    slowed = calls.get("calls_slowed_seconds_ago")
    rate = calls.get("calls_per_second_now")
    return Account(
        limits=facts.limits,
        reviewed=facts.reviewed,
        forecast=facts.forecast,
        budget=Budget(
            per_second=calls.get("calls_per_second"),
            per_second_now=rate,
            slowed_at=None if slowed is None else facts.now - int(slowed) * 1000,
            shares=[_share(work, used.get(work, 0), waiting.get(work)) for work in SHARES],
            newcomer_seconds=newcomer_seconds(rate, set(waiting)),
            scan=_scan(calls.get("scan") or {}, facts.oldest_read),
        ),
    )


def newcomer_seconds(rate: float | None, waiting: set[Work]) -> float:
    """Seconds until a tenant that is onboarded now is set up at SES, from the kinds of work that wait. Its domain may be verified
    later."""
    if rate is None:
        return 0.0
    whole = sum(SHARES[work] for work in waiting | {Work.ONBOARDING})
    own = rate * SHARES[Work.ONBOARDING] / whole
    if Work.ONBOARDING in waiting:
        own /= 2  # the newest tenant and the oldest take turns
    return NEWCOMER_CALLS / own


def _share(work: Work, used: int, waiting: Waiting | None) -> Share:
    return Share(
        work=work,
        share=SHARES[work] / sum(SHARES.values()),
        used=used,
        waiting=waiting.resources if waiting else 0,
        tenants=waiting.tenants if waiting else 0,
        since=waiting.since if waiting else None,
    )


def _scan(said: Mapping[str, Any], oldest_read: int | None) -> Scan:
    return Scan(
        resources=int(said.get("resources") or 0),
        period=float(said.get("period_seconds") or 0),
        longest_period=float(said.get("longest_period_seconds") or 0),
        shared_period=float(said.get("shared_seconds") or 0),
        oldest_read=oldest_read,
    )
