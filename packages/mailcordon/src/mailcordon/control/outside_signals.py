"""Takes what others say of our mail, opens incidents for it, and slows mail for it (docs/signals.md).

What follows is decided by guard/outside_signals.py. Limits slow mail: half of the usual mail of a day from a domain to a mailbox
provider. Where several tenants send from a domain, nobody says whose mail it was, so none of them is slowed.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mailcordon.control.pacing.warm_ups import strictest
from mailcordon.control.views import Viewer
from mailcordon.core.clock import boot_time
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.incident import Alarm, Kind, Scope, ScopeKind
from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.core.outside_signal import OutsideSignal, Source, at_most
from mailcordon.core.provider import Provider
from mailcordon.guard import outside_signals as rules
from mailcordon.guard.outside_signals import Level, Standing
from mailcordon.guard.policy.effective import WarmUpPolicy
from mailcordon.messages import outside_signals as messages

OWNER = "outside"
KEEP_DAYS = 400
ALARMS_EVERY = 30.0  #: seconds between two looks
USUAL_DAYS = 7  #: up to the signal's day: what is usual
DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A tenant that sends from a domain."""

    tenant: int
    slug: str
    lanes: Sequence[int]
    policies: Sequence[WarmUpPolicy]


@dataclass(frozen=True, slots=True)
class Added:
    new: int
    changed: int
    known: int
    not_ours: tuple[str, ...]  #: domains that no lane sends from


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A signal as people are shown it."""

    id: int
    signal: OutsideSignal
    tenant: str | None  #: slug of the one that alone sent from the domain
    imported_at: int  #: milliseconds since 1970
    imported_by: str
    counts: bool  #: it is of the last days: something can follow from it


class OutsideSignalStore(Protocol):
    async def today(self) -> int:
        """The UTC day, since 1970, by the database's clock."""
        ...

    async def add(
        self, signals: Sequence[OutsideSignal], *, keep_days: int, because: str, actor: str
    ) -> tuple[int, int]:
        """How many are new, and how many were changed. With an entry of the audit trail; forgets what is older than
        `keep_days`."""
        ...

    async def fresh(self, days: int) -> Sequence[OutsideSignal]:
        """Those of the last days."""
        ...

    async def senders(self, domains: Sequence[str]) -> Mapping[str, Sequence[Sender]]: ...

    async def sent(self, lanes: Sequence[int], provider: Provider, first: int, last: int) -> tuple[int, int]:
        """What left of the lanes to the provider on these UTC days, and on how many of them."""
        ...

    async def keep_limits(self, wanted: Mapping[int, Sequence[Limit]]) -> None:
        """From now on these are all limits of the owner `outside`, by tenant."""
        ...


class SignalReads(Protocol):
    async def tenant_id(self, slug: str) -> int | None: ...

    async def page(
        self, viewer: Viewer, *, domain: str | None, source: Source | None, before: int | None, limit: int
    ) -> Sequence[Shown]:
        """The newest first."""
        ...


class OutsideSignals:
    def __init__(self, store: OutsideSignalStore) -> None:
        self._store = store

    async def add(self, signals: Sequence[OutsideSignal], *, because: str, actor: str) -> Added:
        """All of them or, with Invalid, none. The same signals again change nothing."""
        today = await self._store.today()
        faults: list[Fault] = []
        for number, one in enumerate(signals):
            if one.day > today:
                faults.append(Fault(f"signals[{number}].day", messages.future_day()))
            if at_most(one.trust, one.source) is not one.trust:
                faults.append(Fault(f"signals[{number}].trust", messages.trust_too_high(str(one.source))))
            if (one.bad or 0) > (one.of or 0) or (one.elsewhere_bad or 0) > (one.elsewhere or 0):
                faults.append(Fault(f"signals[{number}].bad", messages.counts_do_not_fit()))
        if faults:
            raise Invalid(*faults)
        once = {(one.source, one.domain, one.day, one.reporter, one.report): one for one in signals}
        new, changed = await self._store.add(
            list(once.values()), keep_days=KEEP_DAYS, because=because, actor=actor
        )
        domains = sorted({one.domain for one in signals})
        ours = await self._store.senders(domains)
        not_ours = tuple(domain for domain in domains if domain not in ours)
        await self.advance()
        return Added(new, changed, len(once) - new - changed, not_ours)

    async def advance(self) -> None:
        """Slows mail for what is said at present, and no longer for what is not."""
        slow = [one for one in await self.standings() if one.level is Level.SLOW]
        senders = await self._senders(slow)
        wanted: dict[int, list[Limit]] = defaultdict(list)
        for one in slow:
            if (limit := await self._limit(one, senders.get(one.domain, ()))) is not None:
                wanted[limit.tenant].append(limit)
        await self._store.keep_limits(wanted)

    async def standings(self) -> Sequence[Standing]:
        signals = await self._store.fresh(rules.FRESH_DAYS)
        return rules.standings(signals, await self._store.today()) if signals else ()

    async def alarms(self) -> Sequence[Alarm]:
        """Of domains that some lane sends from."""
        wrong = [one for one in await self.standings() if one.level in (Level.BAD, Level.SLOW)]
        senders = await self._senders(wrong)
        found: list[Alarm] = []
        for one in wrong:
            if (of := senders.get(one.domain)) is not None:
                limit = await self._limit(one, of) if one.level is Level.SLOW else None
                found.append(alarm(one, of, slowed=limit is not None and limit.mode is Mode.ENFORCE))
        return found

    async def _senders(self, found: Sequence[Standing]) -> Mapping[str, Sequence[Sender]]:
        return await self._store.senders(sorted({one.domain for one in found})) if found else {}

    async def _limit(self, one: Standing, senders: Sequence[Sender]) -> Limit | None:
        if len(senders) != 1 or one.provider is None:
            return None
        [sender] = senders
        mode = strictest(sender.policies).mode
        sent = await self._store.sent(sender.lanes, one.provider, one.day - USUAL_DAYS + 1, one.day)
        cap = rules.cap(*sent)
        if cap is None or mode is Mode.OBSERVE:
            return None
        return Limit(
            id=0,
            tenant=sender.tenant,
            owner=OWNER,
            scope=LimitScope.IDENTITY,
            per=Per.DAY,
            cap=cap,
            mode=mode,
            because=messages.slowed(domain=one.domain, rate=one.rate, day=one.day, cap=cap),
            domain=one.domain,
            provider=one.provider,
        )


class OutsideAlarms:
    """The alarms, read anew after some seconds: they change with an import and with the day."""

    def __init__(self, service: OutsideSignals, *, every: float = ALARMS_EVERY) -> None:
        self._service = service
        self._every = every
        self._at = float("-inf")
        self._found: Sequence[Alarm] = ()

    async def read(self) -> Sequence[Alarm]:
        if (now := boot_time()) - self._at >= self._every:
            self._found = await self._service.alarms()
            self._at = now
        return self._found


def alarm(one: Standing, senders: Sequence[Sender], *, slowed: bool) -> Alarm:
    """`senders`: who sends from the domain. `slowed`: its mail to the provider is, for this."""
    alone = senders[0] if len(senders) == 1 else None
    is_dmarc = one.source is Source.DMARC
    return Alarm(
        key=f"outside:{one.source}:{one.domain}",
        kind=Kind.DOMAIN_LAPSED if is_dmarc else Kind.RATES,
        cause=f"outside:{one.source}:{one.domain}",
        severity="high" if one.level is Level.SLOW else "medium",
        scope=Scope(kind=ScopeKind.IDENTITY, name=one.domain),
        sentence=sentence(one, slowed=slowed),
        next=messages.failing_dmarc_next()
        if is_dmarc
        else messages.spam_rate_next(domain=one.domain, slowed=slowed, tenants=len(senders)),
        command=messages.check_command(one.domain) if is_dmarc else messages.list_command(one.domain),
        since=one.since * DAY_MS,
        tenant=None if alone is None else alone.tenant,
        tenants=frozenset() if alone is not None else frozenset(each.tenant for each in senders),
        contained=slowed,
        evidence={"rate": one.rate, "day": one.day, "bad": one.bad, "of": one.of, "trust": str(one.trust)},
    )


def sentence(one: Standing, *, slowed: bool) -> str:
    """What is said of a domain, if it is bad."""
    if one.source is Source.DMARC:
        return messages.failing_dmarc(
            domain=one.domain,
            bad=one.bad or 0,
            of=one.of or 0,
            since=one.since,
            day=one.day,
            reporters=one.reporters,
        )
    return messages.spam_rate(domain=one.domain, rate=one.rate, day=one.day, since=one.since, slowed=slowed)
