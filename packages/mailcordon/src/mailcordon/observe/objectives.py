"""Objectives of lanes from what was counted: for people, and as a source of alarms. The rules are guard/objectives.py."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mailcordon.core.incident import Alarm, Kind, Scope, ScopeKind
from mailcordon.core.priority import Class
from mailcordon.guard import objectives as rules
from mailcordon.guard.objectives import Cell, Goal, Judged, Objective
from mailcordon.guard.policy.effective import ObjectivePolicy
from mailcordon.messages import objectives as messages

MINUTE_MS = 60_000
_FINE = 60  #: minutes; longer windows are read by hour
MOST_LANES = 40  #: judged in a round; the rest have their turn in the next
MOST_CANDIDATES = 2_000
FOLD = 20_000  #: changes of times of delivery that a round adds up at most
FORGET_MS = 3_600_000  #: between two deletions of old times


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Mail of a lane, or of it to one mailbox provider, in cells of three sizes."""

    fine: Sequence[Cell] = ()  #: minutes or tens of minutes, of the last hour
    hours: Sequence[Cell] = ()  #: of three days
    days: Sequence[Cell] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFacts:
    """A lane with what its objectives are judged by."""

    lane: int
    tenant: int
    slug: str
    type: str
    class_: Class
    policy: ObjectivePolicy
    held: bool  #: a hold stops all of its mail
    counted: Mapping[str | None, Counted]  #: by word of a mailbox provider; None: all mail
    causes: Sequence[str] = ()  #: of alarms about its rates

    @property
    def name(self) -> str:
        return f"{self.slug}/{self.type}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectiveScope:
    """Whose lanes are read. `as_tenant`: the caller has a tenant's key, and the database enforces the limit too."""

    tenant: int | None  #: None: every tenant's
    as_tenant: bool = False


class ObjectiveReads(Protocol):
    """For people."""

    async def now(self) -> int:
        """Minutes since 1970, by the database's clock."""
        ...

    async def tenant_id(self, slug: str) -> int | None: ...

    async def lane_id(self, tenant: int, type: str) -> int | None: ...

    async def page(
        self, scope: ObjectiveScope, *, type: str | None, after: int, limit: int
    ) -> Sequence[LaneFacts]: ...


@dataclass(frozen=True, slots=True)
class Open:
    """An alarm that lasts."""

    lane: int
    goal: Goal
    provider: str | None
    since: int  #: milliseconds since 1970

    @property
    def of(self) -> tuple[int, Goal, str | None]:
        return self.lane, self.goal, self.provider


class ObjectiveStore(Protocol):
    """For the loop of alarms."""

    async def fold(self, most: int, *, forget: bool) -> None:
        """Adds up times of delivery that observers counted. `forget`: deletes old ones as well."""
        ...

    async def now(self) -> int:
        """Milliseconds since 1970, by the database's clock."""
        ...

    async def candidates(self, since: int, least: int, most: int) -> Sequence[int]:
        """Lanes that may spend a budget too fast, by what was bad since the day of a minute, the worst first."""
        ...

    async def lanes(self, ids: Sequence[int]) -> Sequence[LaneFacts]: ...

    async def open(self) -> Sequence[Open]: ...

    async def record(self, raised: Sequence[Open], ended: Sequence[Open]) -> None: ...


def judge(facts: LaneFacts, now: int, open: frozenset[tuple[Goal, str | None]] = frozenset()) -> list[Judged]:
    """All objectives of a lane. `now`: minutes since 1970. `open`: those that are an alarm already."""
    return [
        _judged(facts, objective, now, open=(objective.goal, objective.provider) in open)
        for objective in rules.objectives(facts.policy)
    ]


def _judged(facts: LaneFacts, objective: Objective, now: int, *, open: bool) -> Judged:
    counted = facts.counted.get(objective.provider, Counted())
    windows = {
        minutes: rules.tally(
            counted.fine if minutes <= _FINE else counted.hours, objective, now - minutes, now
        )
        for minutes in rules.WINDOWS
    }
    since = now - objective.days * rules.DAY
    p95 = None
    if objective.goal is Goal.DELIVERY_TIME:
        cells = [cell for cell in counted.days if cell.times and cell.start + cell.span > since]
        times = [sum(of) for of in zip(*(cell.times for cell in cells), strict=True)]
        p95 = rules.percentile(times, 1 - rules.MAY_BE_LATE)
    return rules.judge(
        objective, rules.tally(counted.days, objective, since, now), windows, open=open, p95_seconds=p95
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Milliseconds."""

    again: int = 60_000  #: between two looks at all candidates
    fold: int = (
        10_000  #: between two folds of times of delivery: the shortest window of an objective is five minutes
    )


LOCAL = Intervals(again=2_000, fold=5_000)


@dataclass(slots=True)
class _State:
    waiting: list[int] = field(default_factory=list[int])  #: lanes that are judged next
    looked_at: int = 0
    forgot_at: int = 0
    folded_at: int = 0


class ObjectiveWatch:
    """`read` is a source of alarms (observe/incidents/sources.py): lanes whose budgets go too fast."""

    def __init__(self, store: ObjectiveStore, intervals: Intervals | None = None) -> None:
        self._store = store
        self._intervals = intervals or Intervals()
        self._state = _State()
        self._open: dict[tuple[int, Goal, str | None], Open] | None = None
        self._alarms: dict[tuple[int, Goal, str | None], Alarm] = {}

    async def read(self) -> Sequence[Alarm]:
        state = self._state
        now = await self._store.now()
        begins = self._open is None
        if self._open is None:
            self._open = {one.of: one for one in await self._store.open()}
        forget = abs(now - state.forgot_at) >= FORGET_MS
        if forget or abs(now - state.folded_at) >= self._intervals.fold:
            await self._store.fold(FOLD, forget=forget)
            state.folded_at = now
        state.forgot_at = now if forget else state.forgot_at
        if not state.waiting:
            await self._look(now)
        # At its begin all alarms that last are looked at: those that it does not return would count as ended.
        most = max(MOST_LANES, len({one.lane for one in self._open.values()})) if begins else MOST_LANES
        due, state.waiting = state.waiting[:most], state.waiting[most:]
        if due:
            await self._judge(await self._store.lanes(due), due, now // MINUTE_MS, self._open)
        return list(self._alarms.values())

    async def _look(self, now: int) -> None:
        state = self._state
        if abs(now - state.looked_at) < self._intervals.again:
            return
        state.looked_at = now
        assert self._open is not None
        longest = max(pace.long for pace in rules.PACES)
        since = (now // MINUTE_MS - longest) // rules.DAY * rules.DAY
        found = await self._store.candidates(since, rules.LEAST_BAD, MOST_CANDIDATES)
        lasting = {one.lane for one in self._open.values()}
        state.waiting = [*sorted(lasting), *(lane for lane in found if lane not in lasting)]

    async def _judge(
        self,
        found: Sequence[LaneFacts],
        due: Sequence[int],
        now: int,
        known: dict[tuple[int, Goal, str | None], Open],
    ) -> None:
        raised: list[Open] = []
        alarms: dict[tuple[int, Goal, str | None], Alarm] = {}
        for facts in found:
            await asyncio.sleep(0)  # each lane is milliseconds of work
            open = frozenset((goal, provider) for lane, goal, provider in known if lane == facts.lane)
            for judged in judge(facts, now, open):
                burn = judged.burning
                if burn is None:
                    continue
                of = facts.lane, judged.objective.goal, judged.objective.provider
                one = known.get(of)
                if one is None:
                    since = max(now - burn.pace.long, _onset(facts, judged, now)) * MINUTE_MS
                    one = Open(*of, since)
                    raised.append(one)
                alarms[of] = alarm(one, facts, judged)
        lanes = set(due)
        ended = [one for of, one in known.items() if one.lane in lanes and of not in alarms]
        if raised or ended:
            await self._store.record(raised, ended)
        for one in raised:
            known[one.of] = one
        for one in ended:
            del known[one.of]
        self._alarms = {of: one for of, one in self._alarms.items() if of[0] not in lanes} | alarms


def _onset(facts: LaneFacts, judged: Judged, now: int) -> int:
    """The minute from which the bad mail that is more than allowed adds up to the most."""
    objective = judged.objective
    counted = facts.counted.get(objective.provider, Counted())
    burn = judged.burning
    assert burn is not None
    cells = counted.fine if burn.pace.long <= _FINE else counted.hours
    best, excess, most = now - burn.pace.long, 0.0, 0.0
    for cell in sorted(cells, key=lambda cell: -cell.start):
        found = rules.tally([cell], objective, 0, now)
        excess += found.bad - objective.may_be_bad * found.of
        if excess > 0 and excess >= most:
            best, most = cell.start, excess
    return min(best, now)


def alarm(one: Open, facts: LaneFacts, judged: Judged) -> Alarm:
    """A budget that goes too fast, as it is now."""
    burn, objective = judged.burning, judged.objective
    assert burn is not None
    at = "" if objective.provider is None else f"/{objective.provider}"
    return Alarm(
        key=f"objective:{objective.goal}:{facts.lane}{at}",
        kind=Kind.OBJECTIVE,
        cause=f"lane:{facts.lane}/objective{at}",
        severity={"fast": "high", "slow": "medium"}.get(burn.pace.name, "low"),  # pyright: ignore[reportArgumentType]
        scope=Scope(kind=ScopeKind.LANE, name=facts.name),
        sentence=messages.burning(
            of=facts.name,
            provider=objective.provider,
            goal=str(objective.goal),
            seconds=objective.seconds,
            bad=burn.long.bad,
            mails=round(burn.long.of),
            minutes=burn.pace.long,
            may_be_bad=objective.may_be_bad,
            rate=burn.long_rate,
            spent=judged.spent,
            days=objective.days,
        ),
        next=messages.next_step(goal=str(objective.goal), held=facts.held),
        command=messages.command(tenant=facts.slug, type=facts.type),
        since=one.since,
        tenant=facts.tenant,
        lane=facts.lane,
        culprit=messages.culprit(of=facts.name, provider=objective.provider),
        explained_by=_explained_by(facts, objective),
        contained=facts.held,
        evidence={
            "goal": str(objective.goal),
            "provider": objective.provider,
            "allowed_share": objective.may_be_bad,
            "pace": burn.pace.name,
            "bad": burn.long.bad,
            "of": round(burn.long.of, 1),
            "burn_rate": round(burn.long_rate, 2),
            "burn_rate_short": round(burn.short_rate, 2),
            "budget_spent": round(judged.spent, 3),
            "budget_spent_in_window": round(burn.spent, 3),
        },
    )


def _explained_by(facts: LaneFacts, objective: Objective) -> tuple[str, ...]:
    """What else is known to be wrong with the lane's mail says more than its budget does."""
    lane = f"lane:{facts.lane}"
    found = [f"{lane}/rates", *facts.causes]
    if objective.provider is not None:
        found.append(f"provider:{objective.provider}")
    if objective.goal in (Goal.DELIVERED, Goal.DELIVERY_TIME):
        found += [lane, "lanes:slow", "role:dispatch"]
    return tuple(found)
