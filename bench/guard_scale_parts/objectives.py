"""What it costs to find the lanes whose objectives may be missed, and to add up times of delivery."""

from bench.guard_scale_parts.world import Figures, World
from mailcordon.adapters.db.objective_store import ObjectiveStore
from mailcordon.guard import objectives as rules
from mailcordon.observe.objectives import FOLD, MOST_CANDIDATES

_DAYS = 4
_PROVIDERS = 5
_LOOKS = 5


async def measure(world: World, tenants: int) -> Figures:
    found: dict[str, float] = {}
    minute = await world.owner.fetchval("select (now_ms() / 60000)::int")
    since = (minute // rules.DAY - _DAYS + 1) * rules.DAY
    await _fill(world, since)
    store = ObjectiveStore(world.control)
    lanes = await store.candidates(since, rules.LEAST_BAD, MOST_CANDIDATES)
    with world.measured(found, f"{_LOOKS} looks for candidates"):
        for _ in range(_LOOKS):
            await store.candidates(since, rules.LEAST_BAD, MOST_CANDIDATES)
    found["candidates"] = len(lanes)
    await world.owner.execute(
        "insert into delivery_time_change (tenant, lane, minute, provider, counts)"
        f" select tenant, id, $1, 3, '{{1}}'::int[] || array_fill(0, array[{rules.TIME_CLASSES - 1}]) from lane limit $2",
        minute - minute % 10,
        FOLD,
    )
    with world.measured(found, "times of a delivery of each lane added up"):
        await store.fold(FOLD, forget=False)
    return found


async def _fill(world: World, since: int) -> None:
    """Days of all lanes with mail to some mailbox providers. One lane in 100 has slow deliveries, one in 20 bounces."""
    await world.owner.execute(
        "insert into delivery_time (span, minute, lane, provider, tenant, counts)"
        " select 1440, $1::int + d * 1440, l.id, p, l.tenant, '{400,50,20,5,3}'::int[]"
        f" || array_fill(case when l.id % 100 = 0 then 3 else 0 end, array[{rules.TIME_CLASSES - 5}])"
        f" from generate_series(0, {_DAYS - 1}) d cross join lane l cross join generate_series(1, {_PROVIDERS}) p"
        " order by 2, 3, 4",
        since,
    )
    if await world.owner.fetchval(
        "select exists (select from information_schema.columns where table_name = 'delivery_time' and column_name = 'slow')"
    ):
        await world.owner.execute(
            "update delivery_time set slow = (select coalesce(sum(n), 0) from unnest(counts[6:]) n) where lane % 100 = 0"
        )
    await world.owner.execute(
        "insert into cohort_lane (span, minute, lane, isolated, tenant, sent, send_events, delivered, hard_bounced)"
        " select 1440, $1::int + d * 1440, l.id, false, l.tenant, 2500, 2500, 2500, case when l.id % 20 = 0 then 30 end"
        f" from generate_series(0, {_DAYS - 1}) d cross join lane l order by 2, 3",
        since,
    )
    await world.owner.execute("vacuum analyze")
