"""The breaker's loop over as many lanes as there are tenants: its start, rounds in which few, many and all lanes have new counts,
and how long it takes from a bad count to a hold.
"""

import contextlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from bench.guard_scale_parts.world import Figures, World
from bench.system import Failed
from mailcordon.adapters.db import engine
from mailcordon.adapters.db.breaker_store import BreakerStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.limit_store import LimitStore
from mailcordon.control.governor import Governor
from mailcordon.core.cohort import COLUMNS
from mailcordon.observe.breaker.loop import BreakerLoop

_HOURS = (26, 20, 14, 8, 5, 2)  #: ago, in which each lane has sent
_ROUNDS = 10
_BOUNCES = 50  #: of so many lanes with mail one has a bounce
_SHARES = (0.0, 0.01, 0.1, 1.0)
_MOST = 10_000  #: changes of one fold


async def measure(world: World, tenants: int) -> Figures:
    found: dict[str, float] = {}
    lanes = [
        row["id"]
        for row in await world.owner.fetch(
            "select l.id from lane l join message_type y on y.id = l.type where y.name = 'newsletter' order by l.id"
        )
    ]
    await world.owner.execute(
        "insert into proof (tenant, lane, asked_at, asked_by, limit_ms, ended_at, proved, counts, because, parts)"
        " select tenant, id, now_ms(), 'bench', 60000, now_ms(), true, true, 'proved', proof_parts(id) from lane"
    )
    for hours in _HOURS:
        await mail(world, lanes, ago=60 * hours, sent=200, delivered=199, hard_bounced=1)
    await world.owner.execute("vacuum analyze")
    async with _loop(world) as loop:
        before = _resident()
        rounds = 0
        with world.measured(found, "start"):
            while rounds == 0 or loop._state is None or loop._state.to_load:
                await _round(loop)
                rounds += 1
        found["start: rounds"] = rounds
        found["memory: kB a lane"] = (_resident() - before) / len(lanes) / 1024
        # The first counts of a lane that was read are judged, whatever they are.
        await mail(world, lanes, sent=1, delivered=1)
        began = world.spent()
        await _round(loop)
        found["first counts after a start: CPU ms a lane"] = 1000 * (world.spent() - began) / len(lanes)
        for share in _SHARES:
            spent = 0.0
            for number in range(_ROUNDS):
                step = int(1 / share) if share else 0
                changed = lanes[number % step :: step] if step else []
                await mail(world, changed, sent=1, delivered=1)
                await mail(world, changed[number::_BOUNCES], hard_bounced=1)
                began = world.spent()
                await _round(loop)
                spent += world.spent() - began
            found[f"a round, {share:.0%} of the lanes changed: CPU ms"] = 1000 * spent / _ROUNDS
        await _contain(world, loop, lanes[len(lanes) // 2], found, "bad counts to the hold")
    async with _loop(world) as loop:
        await _round(loop)
        await _contain(world, loop, lanes[-1], found, "the same right after a start")
    return found


async def _contain(world: World, loop: BreakerLoop, lane: int, found: dict[str, float], name: str) -> None:
    await mail(world, [lane], sent=3000, delivered=2500, hard_bounced=500)
    for rounds in range(1, 1000):
        await _round(loop)
        if await world.owner.fetchval(
            "select exists (select from hold where lane = $1 and owner = 'breaker' and lifted_at is null)",
            lane,
        ):
            found[f"{name}: rounds"] = rounds
            return
    raise Failed("the breaker did not stop what it should have stopped")


async def mail(world: World, lanes: Sequence[int], *, ago: int = 0, **counts: int) -> None:
    """Counts of a minute for each lane, folded."""
    if not lanes:
        return
    await world.owner.execute(
        "insert into cohort_change (tenant, lane, minute, path, provider, counts)"
        " select l.tenant, l.id, (now_ms() / 60000)::int - $2::int, 'shared', 3, $3::int[] from lane l"
        " where l.id = any ($1::int[])",
        list(lanes),
        ago,
        [counts.get(name, 0) for name in COLUMNS],
    )
    while await world.owner.fetchval("select fold_cohorts($1)", _MOST):
        pass


async def _round(loop: BreakerLoop) -> None:
    if not await loop.advance():
        raise Failed("the breaker's loop does not lead")


@contextlib.asynccontextmanager
async def _loop(world: World) -> AsyncIterator[BreakerLoop]:
    governors = await engine.create_pool(world.dsns["governor"], max_size=2)
    loop = BreakerLoop(
        BreakerStore(world.dsns["control"], world.control, idle_seconds=600.0),
        Governor(GovernorStore(governors)),
        LimitStore(world.control),
    )
    try:
        yield loop
    finally:
        await loop.close()
        await governors.close()


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096
