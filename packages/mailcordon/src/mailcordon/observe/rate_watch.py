"""The source of alarms about rates: a lane, list, campaign or mailbox provider whose bounces or complaints are above the ceiling.

It follows the feed of folded counts, and reads the mail of a lane only after new bounces or complaints of it, so a round on a
quiet system reads one row. What is an alarm is decided in rate_alarms.py.
"""

import dataclasses
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mailcordon.core.hold import Hold
from mailcordon.core.incident import Action, Alarm, Kind, Scope, ScopeKind
from mailcordon.guard.delays import Signal
from mailcordon.messages import observing
from mailcordon.messages import rate_alarms as messages
from mailcordon.observe import rate_alarms
from mailcordon.observe.rate_alarms import MINUTE_MS, SIGNALS, WINDOW, Cell, Count, LaneMail, Part, Share

EVENTS_AT_ONCE = 5  #: new events of a lane after which it is judged at once
MOST_LANES = 40  #: judged in a round; the rest have their turn in the next
MOST_ALARMS = 5  #: of one lane and signal at a time; of more parts, the whole lane is at fault
SUSPECTS_MS = 60 * MINUTE_MS  #: between two looks for lanes with events in the last days
FOLDS = 600  #: rounds that are remembered, a second each
FOLD_MS = 1_000  #: between two folds
FOLDS_A_SECOND = 4  #: at most, by the processes that fold
#: After so long without a round another process may have read the alarms: everything is read anew.
ASLEEP_MS = 30_000
#: Tenants with alarms about one mailbox provider after which the provider is the cause.
TENANTS_OF_A_PROVIDER = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Milliseconds."""

    few_events: int = 10_000  #: until a lane with fewer new events is judged
    again: int = 2_000  #: between two judgements of a lane
    open: int = 10_000  #: between two judgements of a lane with an alarm, without new events
    prompt: bool = False  #: all feedback comes at once


LOCAL = Intervals(few_events=1_000, again=500, open=1_000, prompt=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What was folded since."""

    now: int  #: milliseconds since 1970
    fold: int
    continues: bool  #: False: the feed no longer has what followed the fold that was asked for
    events: Mapping[int, int]  #: new bounces and complaints, by lane


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFacts:
    """A lane with its mail in the windows."""

    mail: LaneMail
    tenant: int
    slug: str
    type: str
    holds: Sequence[Hold] = ()  #: open ones that cover any of its mail
    last: Mapping[Part | None, int] = field(
        default_factory=dict[Part | None, int]
    )  #: minute of the last mail
    observed: bool = False  #: none of its mail passes through us, so no hold stops it

    @property
    def name(self) -> str:
        return f"{self.slug}/{self.type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """An alarm that lasts. Times are milliseconds since 1970."""

    lane: int
    signal: Signal
    part: Part | None
    since: int
    raised_at: int

    @property
    def key(self) -> str:
        return f"rates:{self.signal}:{self.lane}{'' if self.part is None else f'/{_named(self.part)}'}"

    @property
    def cause(self) -> str:
        """Bounces and complaints of the same mail have one cause; mail of the lane that waits (`lane:12`) has another."""
        return _whole(self.lane) if self.part is None else f"lane:{self.lane}/{_named(self.part)}"


class RateStore(Protocol):
    async def changes(self, fold: int | None) -> Changes: ...

    async def suspects(self, since: int) -> Mapping[int, int]:
        """Bounces and complaints by lane, of lanes that had enough of them since the day of a minute."""
        ...

    async def lanes(self, ids: Sequence[int], now: int) -> Sequence[LaneFacts]: ...

    async def minutes(self, lane: int, part: Part | None, since: int) -> Sequence[Cell]:
        """The mail of the first two hours from a minute on, by minute."""
        ...

    async def first_seen(self, lane: int, part: Part | None, minute: int, *, after: int) -> int | None:
        """When the first mail of a minute was counted, in milliseconds since 1970, if that was after a fold."""
        ...

    async def open(self) -> Sequence[Open]: ...

    async def record(self, raised: Sequence[Open], ended: Sequence[Open]) -> None: ...


@dataclass(slots=True)
class _Lane:
    events: int = 0  #: in the last days, roughly
    new: int = 0  #: since it was judged
    since: int = 0  #: when the first of these was read
    judged: int = 0


class RateWatch:
    """`read` is a source of alarms (observe/incidents/sources.py)."""

    def __init__(self, store: RateStore, intervals: Intervals | None = None) -> None:
        self._store = store
        self._intervals = intervals or Intervals()
        self._fold: int | None = None
        self._read_at = 0
        #: When a round began, and the fold that it read up to.
        self._folds: deque[tuple[int, int]] = deque(maxlen=FOLDS)
        self._suspects_at = 0
        self._lanes: dict[int, _Lane] = {}
        self._open: dict[str, Open] = {}
        self._alarms: dict[str, Alarm] = {}

    async def read(self) -> Sequence[Alarm]:
        changes = await self._store.changes(self._fold)
        now = changes.now
        if now < self._read_at:  # the database's clock was set back
            for known in self._lanes.values():
                known.judged = known.since = 0
        if self._fold is not None and abs(now - self._read_at) > ASLEEP_MS:
            self._fold, self._alarms = None, {}
            changes = dataclasses.replace(changes, events={})
        self._read_at = now
        await self._look_for_suspects(changes)
        self._fold = changes.fold
        self._folds.append((now, changes.fold))
        for lane, events in changes.events.items():
            known = self._lanes.setdefault(lane, _Lane())
            known.events += events
            known.since = known.since if known.new else now
            known.new += events
        due = self._due(now)
        if due:
            await self._judge(await self._store.lanes(due, now), due, now)
        return [*self._alarms.values(), *_of_providers(self._open.values(), self._alarms)]

    async def _look_for_suspects(self, changes: Changes) -> None:
        """At first, and when the feed was lost, every lane with enough events is judged."""
        fresh = self._fold is None or not changes.continues
        if not fresh and changes.now - self._suspects_at < SUSPECTS_MS:
            return
        if self._fold is None:
            self._open = {one.key: one for one in await self._store.open()}
        found = await self._store.suspects(changes.now // MINUTE_MS - max(WINDOW.values()))
        self._suspects_at = changes.now
        for lane in [lane for lane in self._lanes if lane not in found and not self._lanes[lane].new]:
            del self._lanes[lane]
        for lane, events in found.items():
            known = self._lanes.setdefault(lane, _Lane())
            known.events = events
            if fresh:
                known.new = max(known.new, EVENTS_AT_ONCE)
        for one in self._open.values():
            self._lanes.setdefault(one.lane, _Lane())

    def _due(self, now: int) -> list[int]:
        spans = self._intervals
        with_alarm = {one.lane for one in self._open.values()}
        lasting: list[tuple[int, int]] = []
        fresh: list[tuple[int, int, int]] = []
        for lane, known in self._lanes.items():
            if now - known.judged < spans.again:
                continue
            enough = known.events >= rate_alarms.LEAST_EVENTS
            waited = now - known.since >= spans.few_events
            has_news = known.new and enough and (known.new >= EVENTS_AT_ONCE or waited)
            if lane not in with_alarm:
                if has_news:
                    fresh.append((-known.new, known.since, lane))
            elif has_news or now - known.judged >= spans.open:
                lasting.append((known.judged, lane))
        # Neither many alarms nor many new events keep the other lanes from their turn.
        first = [lane for *_, lane in sorted(lasting)]
        second = [lane for *_, lane in sorted(fresh)]
        room = max(MOST_LANES - MOST_LANES // 2, MOST_LANES - len(second))
        first = first[:room]
        return [*first, *second[: MOST_LANES - len(first)]]

    async def _judge(self, found: Sequence[LaneFacts], due: Sequence[int], now: int) -> None:
        raised: list[Open] = []
        ended: list[Open] = []
        alarms = dict(self._alarms)
        exposed = rate_alarms.exposure_at(now, prompt=self._intervals.prompt)
        gone = set(due) - {facts.mail.lane for facts in found}
        for one in [one for one in self._open.values() if one.lane in gone]:
            ended.append(one)
            alarms.pop(one.key, None)
        for facts in found:
            for signal in SIGNALS:
                limit = rate_alarms.ceiling(signal, facts.mail.class_)
                mine = [
                    one for one in self._open.values() if (one.lane, one.signal) == (facts.mail.lane, signal)
                ]
                lasting: list[Open] = []
                for one in mine:
                    count = _count(one, facts, now, exposed)
                    if rate_alarms.lasts(count, limit):
                        lasting.append(one)
                    else:
                        ended.append(one)
                        alarms.pop(one.key, None)
                while len(lasting) < MOST_ALARMS and all(one.part is not None for one in lasting):
                    known = [one.part for one in lasting if one.part is not None]
                    new = rate_alarms.judge(facts.mail, signal, now, known=known, exposed=exposed)
                    if new is None:
                        break
                    minutes = await self._store.minutes(facts.mail.lane, new.part, new.count.start)
                    onset = _onset(new, minutes, facts.mail, limit, exposed)
                    one = Open(
                        lane=facts.mail.lane,
                        signal=signal,
                        part=new.part,
                        since=await self._to_the_second(facts.mail.lane, new.part, onset),
                        raised_at=now,
                    )
                    raised.append(one)
                    lasting.append(one)
                for one in lasting:
                    alarms[one.key] = alarm(one, facts, now, exposed)
        if raised or ended:
            await self._store.record(raised, ended)
        for one in raised:
            self._open[one.key] = one
        for one in ended:
            self._open.pop(one.key, None)
        self._alarms = alarms
        for lane in due:
            known = self._lanes[lane]
            known.new, known.judged = 0, now

    async def _to_the_second(self, lane: int, part: Part | None, minute: int) -> int:
        """Counts know minutes; of the last ones the feed also has when they were folded, a second after the mail left."""
        since = minute * MINUTE_MS
        began, fold = max((one for one in self._folds if one[0] <= since), default=self._folds[0])
        if began - since > FOLDS * 1_000:
            return since
        if began > since:  # this process had not begun
            fold -= FOLDS_A_SECOND * -(-(began - since) // 1_000)
        seen = await self._store.first_seen(lane, part, minute, after=fold)
        return since if seen is None else max(since, seen - FOLD_MS)


def _onset(
    found: rate_alarms.Found,
    minutes: Sequence[Cell],
    mail: LaneMail,
    limit: float,
    exposed: rate_alarms.Exposed,
) -> int:
    """By minutes as far as they are known, by larger cells after that."""
    start, part = found.count.start, found.part
    cells = [cell for cell in minutes if part is None or part.has(cell)]
    until = max((cell.start + cell.span for cell in cells), default=start)
    until += -until % 60
    cells += [cell for cell in _cells(mail, part) if cell.start >= until]
    estimate = rate_alarms.onset(cells, found.signal, limit, exposed)
    return start if estimate is None else max(start, estimate)


def _cells(mail: LaneMail, part: Part | None) -> list[Cell]:
    return list(mail.whole) if part is None else [cell for cell in mail.parts if part.has(cell)]


def _count(one: Open, facts: LaneFacts, now: int, exposed: rate_alarms.Exposed) -> Count:
    oldest = now // MINUTE_MS - WINDOW[one.signal]
    since = max(one.since // MINUTE_MS, oldest)
    return rate_alarms.counted(_cells(facts.mail, one.part), one.signal, since, exposed)


def alarm(one: Open, facts: LaneFacts, now: int, exposed: rate_alarms.Exposed) -> Alarm:
    """What an open alarm says at present."""
    count = _count(one, facts, now, exposed)
    limit = rate_alarms.ceiling(one.signal, facts.mail.class_)
    rate = count.rate
    since = one.since // MINUTE_MS
    total = rate_alarms.counted(facts.mail.whole, one.signal, since, exposed)
    shares = rate_alarms.explained(
        [cell for cell in facts.mail.parts if cell.start + cell.span > since], total, one.signal, exposed
    )[:3]
    named = None if one.part is None else (one.part.kind, one.part.value)
    holds = (
        [] if facts.observed else [hold for hold in facts.holds if rate_alarms.contains(hold, one.part, now)]
    )
    last = facts.last.get(one.part)
    left = last if last is not None else facts.last.get(None)  # of one provider it is not known
    quiet = left is not None and now // MINUTE_MS - left >= rate_alarms.QUIET_MINUTES
    return Alarm(
        key=one.key,
        kind=Kind.RATES,
        cause=one.cause,
        severity=rate_alarms.severity(one.signal, count),
        scope=Scope(
            kind=ScopeKind.LANE if one.part is None else ScopeKind(one.part.kind),
            name=facts.name if one.part is None else one.part.value,
        ),
        sentence=messages.above(
            of=facts.name,
            part=named,
            signal=str(one.signal),
            events=count.events,
            mails=count.sent,
            since=one.since,
            rate=rate.rate or 0.0,
            low=rate.low,
            high=rate.high,
            limit=limit,
            young=rate.young,
        ),
        next=observing.stop_at_source(tenant=facts.slug)
        if facts.observed
        else messages.next_step(
            part=named, held=bool(holds), last=None if last is None else last * MINUTE_MS
        ),
        command=None
        if holds
        else observing.show_mail(tenant=facts.slug, type=facts.type)
        if facts.observed
        else messages.cordon(tenant=facts.slug, type=facts.type, part=named, signal=str(one.signal)),
        since=one.since,
        tenant=facts.tenant,
        lane=one.lane,
        culprit=messages.culprit(
            of=facts.name,
            part=named,
            shares=[(share.part.kind, share.part.value, share.share) for share in shares],
        ),
        explained_by=_explained_by(one),
        contained=bool(holds) or quiet,
        evidence=_evidence(one, count, limit, shares),
        actions=tuple(
            Action(key=f"hold:{hold.id}", at=hold.since, author=hold.by, text=hold.sentence) for hold in holds
        ),
    )


def _evidence(one: Open, count: Count, limit: float, shares: Sequence[Share]) -> dict[str, object]:
    rate = count.rate
    return {
        "signal": str(one.signal),
        "events": count.events,
        "sent": count.sent,
        "exposure": round(count.exposure, 1),
        "rate": None if rate.rate is None else round(rate.rate, 6),
        "low": round(rate.low, 6),
        "high": round(rate.high, 6),
        "ceiling": limit,
        "excess_by": [
            {
                "part": share.part.kind,
                "value": share.part.value,
                "share": round(share.share, 3),
                "events": share.count.events,
                "sent": share.count.sent,
            }
            for share in shares
        ],
    }


def _explained_by(one: Open) -> tuple[str, ...]:
    if one.part is None:
        return ()
    whole = (_whole(one.lane),)
    return (*whole, f"provider:{one.part.value}") if one.part.kind == "provider" else whole


def _of_providers(open: Iterable[Open], alarms: Mapping[str, Alarm]) -> list[Alarm]:
    """A mailbox provider that refuses the mail of several tenants is the cause itself, not each of them."""
    by_provider: dict[tuple[str, Signal], list[Alarm]] = {}
    for one in open:
        if one.part is not None and one.part.kind == "provider" and one.key in alarms:
            by_provider.setdefault((one.part.value, one.signal), []).append(alarms[one.key])
    found: list[Alarm] = []
    for (provider, signal), of in by_provider.items():
        tenants = frozenset(one.tenant for one in of if one.tenant is not None)
        if len(tenants) < TENANTS_OF_A_PROVIDER:
            continue
        found.append(
            dataclasses.replace(
                of[0],
                key=f"rates:{signal}:provider:{provider}",
                cause=f"provider:{provider}",
                severity="high",
                scope=Scope(kind=ScopeKind.PROVIDER, name=provider),
                sentence=messages.provider_above(
                    provider=provider, signal=str(signal), tenants=len(tenants), lanes=len(of)
                ),
                next=messages.provider_next(provider=provider),
                command=messages.provider_command(provider=provider, signal=str(signal)),
                since=min(one.since for one in of),
                tenant=None,
                lane=None,
                culprit=provider,
                tenants=tenants,
                explained_by=(),
                contained=all(one.contained for one in of),
                evidence={"signal": str(signal), "lanes": [one.lane for one in of][:100]},
                actions=(),
            )
        )
    return found


def _whole(lane: int) -> str:
    return f"lane:{lane}/rates"


def _named(part: Part) -> str:
    return f"{part.kind}:{part.value}"
