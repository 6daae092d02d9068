"""The breaker's loop on a database of its own. What it decides is told by the test, or by a real breaker."""

import dataclasses
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.breaker_store import BreakerStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.limit_store import LimitStore
from mailcordon.control.governor import Governor
from mailcordon.core.hold import Hold, NewHold
from mailcordon.core.provider import Provider
from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.nouns import (
    Decision,
    Dimension,
    Half,
    LaneFacts,
    Level,
    Phase,
    Slice,
    Standing,
    Suspect,
)
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.guard.delays import Signal
from mailcordon.observe.breaker.intervals import Intervals
from mailcordon.observe.breaker.loop import BreakerLoop
from mailcordon_fixtures.cohorts import Cohorts
from mailcordon_fixtures.queue_world import World

EAGER = Intervals(arming=0, facts=0, carried=0, account=0, follow=0, delays=0)
LIST = (Slice(Dimension.LIST, "bought"),)


class Told(Breaker):
    """It sees what a breaker sees, and decides what the test says."""

    def __init__(self, decisions: list[Decision], standings: dict[int, list[Standing]]) -> None:
        super().__init__()
        self.decisions, self.standings = decisions, standings
        self.seen: list[Delta] = []
        self.replayed: list[Delta] = []
        self.known: dict[int, LaneFacts] = {}
        self.accepted: list[int] = []
        self.freed: list[tuple[int, tuple[Slice, ...]]] = []
        self.restored: list[Standing] = []
        self.tried: list[tuple[int, tuple[Slice, ...]]] = []

    def lane(self, facts: LaneFacts) -> None:
        self.known[facts.lane] = facts

    def observe(
        self, minute: int, deltas: Sequence[Delta], domains: Sequence[DomainDelta] = ()
    ) -> list[Decision]:
        self.seen += deltas
        due, self.decisions[:] = list(self.decisions), []
        return due

    def replay(self, minute: int, deltas: Iterable[Delta], domains: Iterable[DomainDelta] = ()) -> None:
        self.replayed += deltas

    def standing(self, lane: int) -> list[Standing]:
        return self.standings.get(lane, [])

    def restore(self, standings: Iterable[Standing]) -> None:
        self.restored += standings

    def let_go(self, lane: int, guilty: tuple[Slice, ...], minute: int) -> list[Decision]:
        self.freed.append((lane, guilty))
        self.standings.pop(lane, None)
        return []

    def try_now(self, lane: int, guilty: tuple[Slice, ...], minute: int, asked: int) -> bool:
        held = next(
            (
                one
                for one in self.standings.get(lane, [])
                if one.guilty == guilty and one.phase is Phase.CORDONED and one.since <= asked
            ),
            None,
        )
        if held is None:
            return False
        self.tried.append((lane, guilty))
        begun = dataclasses.replace(
            held, phase=Phase.PROBING, since=minute, probe_from=minute, probe_mails=60
        )
        self.standings[lane] = [begun if one is held else one for one in self.standings[lane]]
        return True

    def accept(self, lane: int, minute: int) -> list[Decision]:
        self.accepted.append(lane)
        self.standings.pop(lane, None)
        return []


class Dies(Exception):
    pass


class Failing(Governor):
    """It places the hold, and its process dies before anybody hears of it."""

    fails = False

    async def place(self, hold: NewHold, *, actor: str, once: bool = False) -> Hold:
        placed = await super().place(hold, actor=actor, once=once)
        if self.fails:
            raise Dies
        return placed


@dataclass
class Watching:
    world: World
    cohorts: Cohorts
    control: engine.Pool
    reader: engine.Pool
    governor: Failing
    now: int  #: minutes since 1970
    decisions: list[Decision] = field(default_factory=list[Decision])
    standings: dict[int, list[Standing]] = field(default_factory=dict[int, list[Standing]])
    loops: list[BreakerLoop] = field(default_factory=list[BreakerLoop])
    made: list[Told] = field(default_factory=list[Told])

    def start(self, *, intervals: Intervals = EAGER, real: bool = False) -> BreakerLoop:
        """`real`: the breaker decides by itself."""

        def make() -> Breaker:
            if real:
                return Breaker()
            self.made.append(Told(self.decisions, self.standings))
            return self.made[-1]

        loop = BreakerLoop(
            BreakerStore(self.world.database.dsn("control"), self.control),
            self.governor,
            LimitStore(self.control),
            intervals=intervals,
            make=make,
        )
        self.loops.append(loop)
        return loop

    @property
    def engine(self) -> Told:
        return self.made[-1]

    async def mail(self, lane: int, sent: int, *, ago: int = 5, **of: Any) -> None:
        await self.cohorts.add(lane, minute=self.now - ago, provider=Provider.YAHOO, sent=sent, **of)

    def decide(self, lane: int, level: Level = Level.CORDON, **over: Any) -> None:
        decision = decided(lane, self.now, level, **over)
        self.decisions.append(decision)
        phase = {Level.WARN: Phase.WARNED, Level.THROTTLE: Phase.THROTTLED, Level.CORDON: Phase.CORDONED}[
            level
        ]
        self.standings[lane] = [
            Standing(
                lane=lane,
                guilty=decision.guilty,
                signal=decision.signal,
                phase=phase,
                since=self.now,
                decided=self.now,
                decision=decision,
            )
        ]

    async def prove(self, lane: int) -> None:
        await self.world.connection.execute(
            "insert into proof (tenant, lane, asked_at, asked_by, limit_ms, ended_at, proved, counts, because, parts)"
            " select tenant, id, now_ms(), 'test', 60000, now_ms(), true, true, 'proved', proof_parts(id) from lane"
            " where id = $1",
            lane,
        )

    async def rows(self, what: str, **_: Any) -> list[tuple[Any, ...]]:
        return [tuple(row) for row in await self.world.connection.fetch(what)]

    async def holds(self) -> list[tuple[Any, ...]]:
        return await self.rows(
            "select lane, list, stops, owner, by from hold where lifted_at is null order by id"
        )


def decided(lane: int, now: int, level: Level = Level.CORDON, **over: Any) -> Decision:
    values: dict[str, Any] = {
        "minute": now,
        "lane": lane,
        "level": level,
        "signal": Signal.BOUNCES,
        "half": Half.ABSOLUTE,
        "guilty": LIST,
        "since": now - 5,
        "nats": 14.2,
        "threshold": 10.5,
        "days": 36_500.0,
        "events": 31,
        "mails": 420,
        "usual": 3.1,
        "ceiling": 0.025,
        "suspects": (Suspect(slices=LIST, events=30, mails=400, expected=3.0, nats=50.0, share=0.96),),
    }
    return Decision(**{**values, **over})


@pytest.fixture
async def watching(world: World) -> AsyncIterator[Watching]:
    dsn = world.database.dsn
    control = await engine.create_pool(dsn("control"))
    reader = await engine.create_pool(dsn("reader"))
    governors = await engine.create_pool(dsn("governor"))
    now = await world.connection.fetchval("select now_ms() / 60000")
    found = Watching(
        world, Cohorts(world.connection), control, reader, Failing(GovernorStore(governors)), now
    )
    yield found
    for loop in found.loops:
        await loop.close()
    for pool in (control, reader, governors):
        await pool.close()


async def held_list(watching: Watching, *, proved: bool = True) -> tuple[BreakerLoop, int]:
    lane = await watching.world.lane("acme", "newsletter")
    if proved:
        await watching.prove(lane)
    loop = watching.start()
    assert await loop.advance()
    await watching.mail(lane, 420, list="bought", hard_bounced=31)
    watching.decide(lane)
    assert await loop.advance()
    return loop, lane
