"""The paths of lanes on a real database: shares, and the way back of mail that waits."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.path_store import PathStore
from mailcordon.control import paths
from mailcordon.core import path_choice
from mailcordon.core.errors import Conflict
from mailcordon_fixtures.queue_world import World

DOMAIN = "newsletter.acme.example"


@pytest.fixture
async def store(world: Any) -> AsyncIterator[PathStore]:
    pool = await engine.create_pool(world.database.dsn("control"))
    yield PathStore(pool)
    await pool.close()


@pytest.fixture
async def lane(world: Any) -> int:
    made = await world.lane("acme", "newsletter")
    await world.share(made)
    return made


async def message(
    world: World, lane: int, number: int, recipients: int, path: str, others: int | None
) -> int:
    """A message without content whose deliveries are ready."""
    return await world.connection.fetchval(
        "with m as (insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key, other_path) "
        "select (now_ms() - 1767225600000) << 22 | $2::int << 6, tenant, id, $4, 'a@b.example', "
        "array_fill('r@x.example'::text, array[$3::int]), 1, 1, $5 from lane where id = $1 returning *), "
        "q as (insert into ready (lane, id, tenant, hash) select lane, id + n, tenant, 'h' from m, generate_series(1, $3) n) "
        "select id from m",
        lane,
        number,
        recipients,
        path,
        others,
    )


async def found(world: World, id: int) -> list[str]:
    row = await world.connection.fetchrow(
        "select path, other_path, cardinality(recipients) as n from message where id = $1", id
    )
    of_code = [path_choice.path_of(row["path"], row["other_path"], n) for n in range(1, row["n"] + 1)]
    of_database = await world.connection.fetchval(
        "select array_agg(path_of(path, other_path, id + n) order by n) from message, generate_series(1, $2::int) n "
        "where id = $1",
        id,
        row["n"],
    )
    assert of_code == of_database
    return of_code


async def test_shares_of_lanes_change_together_or_not_at_all(world: Any, store: PathStore, lane: int) -> None:
    alone = await world.lane("acme", "invoice")
    epoch = await world.connection.fetchval("select value from epoch where name = 'control'")
    with pytest.raises(Conflict):
        await store.set_shares({lane: 25, alone: 25}, actor="ann", because="a step")
    assert {one.type: one.share for one in await store.lanes("acme", limit=100)} == {
        "invoice": 100,
        "newsletter": 0,
    }
    assert [one.type for one in await store.lanes("acme", after=lane, limit=1)] == ["invoice"]
    await store.set_shares({lane: 25}, actor="ann", because="a step")
    found = {one.type: one for one in await store.lanes("acme", limit=100)}
    assert [(one.path, one.share, one.shared_path) for one in found["newsletter"].paths] == [
        ("isolated", 25, None),
        ("shared", 75, "platform"),
    ]
    assert await world.connection.fetchval("select value from epoch where name = 'control'") == epoch + 1
    entry = await world.connection.fetchrow("select actor, action, object, because from audit")
    assert tuple(entry) == ("ann", "path.share", "newsletter of acme", "a step")
    await store.set_shares({lane: 25}, actor="ann", because="again")
    assert await world.connection.fetchval("select count(*) from audit") == 1


async def test_waiting_mail_moves_back_and_what_was_called_or_cannot_change_stays(
    world: Any, store: PathStore, lane: int
) -> None:
    every = (1 << 50) - 1
    split = await message(world, lane, 1, 50, "shared", 0b1011 << 40 | 0b101)
    isolated = await message(world, lane, 2, 3, "isolated", 0)
    raw = await message(world, lane, 3, 1, "isolated", path_choice.KEEPS_ITS_PATH)
    before = await message(world, lane, 4, 1, "isolated", None)
    called = await message(world, lane, 5, 3, "isolated", 0)
    all_other = await message(world, lane, 6, 50, "shared", every)
    execute = world.connection.execute
    await execute(
        "update ready set state = 1, attempt = 1, called_at = 1, worker = 1 where id = $1", called + 1
    )
    await execute("update ready set attempt = 1 where id = $1", called + 2)
    for why, delivery in ((2, split + 1), (4, split + 3)):
        await execute("delete from ready where id = $1", delivery)
        await execute(
            "insert into waiting (lane, id, tenant, why, attempt, called_at, hash, reason, code, since) "
            "select id, $1, tenant, $2, $3, 1, 'h', 'r', 'held', 1 from lane where id = $4",
            delivery,
            why,
            int(why == 2),
            lane,
        )
    moved = []
    after: int | None = 0
    while after is not None:
        after, *counts = await store.move_back(lane, "shared", after, 7)
        moved.append(counts)
    # Of the split message: one that is scheduled and three ready ones; of `isolated` three, of `called` one.
    assert [sum(column) for column in zip(*moved, strict=True)] == [4 + 3 + 1 + 50, 2]
    assert await found(world, split) == ["isolated", *["shared"] * 49]
    assert await found(world, isolated) == ["shared"] * 3
    assert await found(world, raw) == ["isolated"]
    assert await found(world, before) == ["isolated"]
    assert await found(world, called) == ["isolated", "isolated", "shared"]
    assert await found(world, all_other) == ["shared"] * 50
    assert await paths.move_all_back(store, lane, "shared") == (0, 2)
    # And forward again, as if nothing had been.
    assert (await paths.move_all_back(store, lane, "isolated"))[0] > 100
    assert await found(world, split) == ["isolated"] * 50


async def test_a_delivery_that_a_claim_has_is_not_moved_under_it(
    world: Any, store: PathStore, lane: int, pinned: engine.Connection
) -> None:
    id = await message(world, lane, 1, 2, "isolated", 0)
    async with pinned.transaction():
        await pinned.execute(
            "update ready set state = 1, attempt = 1, called_at = 1, worker = 1 where id = $1", id + 1
        )
        assert await paths.move_all_back(store, lane, "shared") == (1, 0)
    assert await found(world, id) == ["isolated", "shared"]


async def test_what_waits_for_each_path_is_counted(world: Any, store: PathStore, lane: int) -> None:
    await message(world, lane, 1, 5, "shared", 0b11)
    [one] = await store.lanes("acme", waiting=True, limit=100)
    assert {each.path: each.waiting for each in one.paths} == {"isolated": 2, "shared": 3}
    [shared] = await store.shared_paths()
    assert (shared.name, shared.domain, shared.lanes, shared.tenants) == (
        "platform",
        "mail.platform.example",
        1,
        1,
    )


async def test_an_unverified_domain_holds_a_lane_only_once_mail_takes_its_path(
    world: Any, store: PathStore, lane: int
) -> None:
    await world.connection.execute("update identity set status = 'pending'")
    unverified = queries.load("governor_store.sql").unverified_lanes
    tenant = await world.connection.fetchval("select id from tenant")
    assert await world.connection.fetch(unverified, tenant) == []
    with pytest.raises(Conflict, match="not verified newsletter.acme.example"):
        await store.set_shares({lane: 1}, actor="ann", because="a step")
    await world.connection.execute("update route set share = 1 where path = 'isolated'")
    assert [row["lane"] for row in await world.connection.fetch(unverified, tenant)] == [lane]
