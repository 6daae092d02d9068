"""What a fold makes of changes that came in batches is what plain addition makes of them, each once, whatever the folds take."""

import asyncio
from collections import Counter
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailcordon.adapters.db import arrays, queries
from mailcordon.adapters.db.cohort_store import CohortStore
from mailcordon.core.cohort import COLUMNS
from mailcordon.core.provider import Provider
from mailcordon_fixtures.queue_world import World

_SQL = queries.load("observe_store.sql")
_MINUTE = 20_139 * 1440  #: a day begins
_TABLES = (
    "cohort_change", "cohort_batch", "cohort_minute", "cohort_hour", "cohort_day", "cohort_slice", "cohort_feed",
    "cohort_unknown", "cohort_bounce_domain", "cohort_lane", "cohort_fleet", "slice",
)  # fmt: skip


class Change(NamedTuple):
    type: str
    minute: int
    path: str
    campaign: str | None
    list: str | None
    provider: int
    domain: str | None
    counts: tuple[int, ...]


CHANGES = st.builds(
    Change,
    type=st.sampled_from(["password-reset", "newsletter"]),
    minute=st.sampled_from([_MINUTE, _MINUTE + 1, _MINUTE + 1439]),
    path=st.sampled_from(["isolated", "shared"]),
    campaign=st.sampled_from([None, "spring", 'a "b", {c}']),
    list=st.sampled_from([None, "l"]),
    provider=st.sampled_from([0, 1, int(Provider.UNKNOWN)]),
    domain=st.sampled_from([None, "nobody-knows.example"]),
    counts=st.lists(st.integers(-2, 3), min_size=1, max_size=len(COLUMNS)).map(tuple),
)
#: A batch of an observer; a change alone; or a fold of at most so many.
STEPS = st.lists(
    st.lists(CHANGES, min_size=1, max_size=6) | CHANGES | st.integers(1, 5), min_size=1, max_size=12
)


async def append(world: World, lanes: dict[str, int], changes: list[Change], *, batch: bool) -> None:
    cells = [(1, lanes[one.type], *one[1:-1], arrays.integers(one.counts)) for one in changes]
    columns = [arrays.mixed(column) for column in zip(*cells, strict=True)]
    if batch:
        await world.connection.execute(_SQL.add_counts, *columns, "{}", "{}", *["{}"] * 6)
    else:
        await world.connection.execute(
            "insert into cohort_change (tenant, lane, minute, path, campaign, list, provider, domain, counts)"
            " select x.tenant, x.lane, x.minute, x.path, x.campaign, x.list, x.provider, x.domain, x.counts::int[]"
            " from unnest($1::text::int[], $2::text::int[], $3::text::int[], $4::text::text[], $5::text::text[],"
            "       $6::text::text[], $7::text::smallint[], $8::text::text[], $9::text::text[])"
            "       x (tenant, lane, minute, path, campaign, list, provider, domain, counts)",
            *columns,
        )


async def summed(world: World, table: str, key: str) -> Counter[tuple[Any, ...]]:
    """By column and key, without zeros."""
    rows = await world.connection.fetch(
        f"select {key}, array[{', '.join(f'coalesce(sum(c.{name}), 0)' for name in COLUMNS)}]::int[]"
        f" from {table} c join slice s on s.id = c.slice group by {', '.join(map(str, range(1, 7)))}"
    )
    return Counter({(i, *row[:-1]): count for row in rows for i, count in enumerate(row[-1]) if count})


def added(changes: list[Change], lanes: dict[str, int], minutes: int) -> Counter[tuple[Any, ...]]:
    """The twin."""
    found: Counter[tuple[Any, ...]] = Counter()
    for one in changes:
        for i, count in enumerate(one.counts):
            found[
                i, one.minute // minutes, lanes[one.type], one.path, one.campaign, one.list, one.provider
            ] += count
    return Counter({key: count for key, count in found.items() if count})


async def test_folds_of_batches_are_plain_sums(world: World) -> None:
    lanes = {type: await world.lane("acme", type) for type in ("password-reset", "newsletter")}
    loop = asyncio.get_running_loop()

    async def check(steps: list[list[Change] | Change | int]) -> None:
        await world.connection.execute("; ".join(f"delete from {table}" for table in _TABLES))
        changes: list[Change] = []
        for step in steps:
            if isinstance(step, int):
                await world.connection.execute("select fold_cohorts($1)", step)
            else:
                alone = isinstance(step, Change)
                more = [step] if isinstance(step, Change) else step
                changes += more
                await append(world, lanes, more, batch=not alone)
        folded = 0
        while n := await world.connection.fetchval("select fold_cohorts(3)"):
            folded += n
        assert folded <= len(changes)
        assert await world.connection.fetchval("select count(*) from pending_change") == 0
        key = "s.lane, s.path, s.campaign, s.list, c.provider"
        assert await summed(world, "cohort_minute", f"c.minute, {key}") == added(changes, lanes, 1)
        assert await summed(world, "cohort_hour", f"c.hour, {key}") == added(changes, lanes, 60)
        whole = await summed(world, "cohort_slice", f"0, {key}")
        assert whole == added(changes, lanes, 2**31)
        day = f"select lane, provider, array[{', '.join(f'coalesce({name}, 0)' for name in COLUMNS)}]::int[] from cohort_day"
        by_lane: Counter[tuple[Any, ...]] = Counter()
        for (i, _, lane, _, _, _, of), count in added(changes, lanes, 1440).items():
            by_lane[i, lane, of] += count
        assert {
            (i, lane, of): count
            for lane, of, counts in await world.connection.fetch(day)
            for i, count in enumerate(counts)
            if count
        } == {place: count for place, count in by_lane.items() if count}
        feed: Counter[int] = Counter()
        for [counts] in await world.connection.fetch("select counts from cohort_feed"):
            feed.update(dict(enumerate(counts)))
        assert all(feed[i] == sum((*one.counts, *[0] * 23)[i] for one in changes) for i in range(23))

    @settings(max_examples=20, deadline=None)
    @given(STEPS)
    def examples(steps: list[list[Change] | Change | int]) -> None:
        asyncio.run_coroutine_threadsafe(check(steps), loop).result()

    await asyncio.to_thread(examples)


@pytest.mark.parametrize(
    ("counts", "waits"), [((1,), True), ((0, 1, 1), True), ((0, 0, 0, 1), False), ((0, 0, 0, 0, 0, 1), False)]
)
async def test_what_is_only_sent_and_delivered_waits_for_more(
    world: World, counts: tuple[int, ...], waits: bool
) -> None:
    lane = await world.lane("acme", "newsletter")
    cell = ("1", lane, _MINUTE, "isolated", None, None, 0, None, arrays.integers(counts))
    columns = [arrays.mixed([value]) for value in cell]
    nothing: list[str | None] = [None] * 6
    none: list[Any] = [*[None] * 9, 0, *[None] * 14, 0, None, 0, *nothing]
    store = CohortStore(world.database.dsn("control"))
    try:
        await world.connection.execute("update cohort_fold set folded_at = now_ms()")
        assert await world.connection.fetchval(_SQL.store_at_once, *none, *columns, *nothing, None, None)
        assert await store.fold(10, calm_ms=60_000) == (None if waits else 1)
        assert await store.fold(10, lately_ms=60_000) is None
        assert await store.fold(10) == (1 if waits else 0)
        await append(
            world,
            {"newsletter": lane},
            [Change("newsletter", _MINUTE, "isolated", None, None, 0, None, (1,))],
            batch=False,
        )
        assert await store.fold(10, calm_ms=60_000) == 1  # whoever writes one alone has something to say
    finally:
        await store.close()
