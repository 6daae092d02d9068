"""Limits as their owners write them."""

from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.limit_store import LimitStore
from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider


@pytest.fixture
async def store(world: Any) -> Any:
    pool = await engine.create_pool(world.database.dsn("control"), max_size=2)
    yield LimitStore(pool)
    await pool.close()


async def _limits(world: Any) -> tuple[int, list[Limit]]:
    lane = await world.lane("acme", "newsletter")
    tenant = await world.connection.fetchval("select tenant from lane where id = $1", lane)
    of_lane = Limit(
        id=0,
        tenant=tenant,
        owner="policy",
        scope=LimitScope.LANE,
        lane=lane,
        per=Per.HOUR,
        cap=1000,
        mode=Mode.ENFORCE,
        because="Tier standard.",
    )
    return tenant, [
        of_lane,
        replace(of_lane, per=Per.DAY, cap=5000, mode=Mode.SHADOW),
        replace(of_lane, scope=LimitScope.CLASS, lane=None, class_=Class.MARKETING, spares_urgent=False),
        replace(of_lane, scope=LimitScope.KEY, lane=None, api_key=7, refuses=True),
        replace(of_lane, scope=LimitScope.CAMPAIGN, campaign="may"),
        replace(of_lane, scope=LimitScope.LIST, list="vip", per=Per.EVER),
        replace(of_lane, scope=LimitScope.PROVIDER, provider=Provider.GMAIL),
        replace(of_lane, scope=LimitScope.IDENTITY, lane=None, domain="x.example"),
        replace(of_lane, scope=LimitScope.IDENTITY, lane=None, domain="x.example", provider=Provider.OTHER),
        replace(of_lane, scope=LimitScope.RECIPIENT, cap=5),
        replace(of_lane, scope=LimitScope.TENANT, lane=None),
    ]


async def test_an_owner_replaces_its_own_limits_and_those_that_stay_keep_their_id_and_count(
    world: Any, store: LimitStore
) -> None:
    tenant, wanted = await _limits(world)
    assert await store.replace(tenant, "policy", wanted) == len(wanted)
    found = await store.list(tenant)
    assert [replace(one, id=0) for one in found] == wanted
    assert (
        await world.count("limit_use") == len(wanted) - 2
    )  # two windows of the lane, and each recipient apart
    version = await world.connection.fetchval("select value from limit_version where tenant = $1", tenant)

    assert await store.replace(tenant, "policy", wanted) == 0
    assert await world.connection.fetchval("select value from limit_version") == version

    warm_up = replace(wanted[0], owner="warm-up", per=Per.DAY, cap=50)
    assert await store.replace(tenant, "warm-up", [warm_up]) == 1
    grown = [replace(wanted[0], cap=2000), *wanted[2:]]
    assert await store.replace(tenant, "policy", grown) == 2
    after = await store.list(tenant, "policy")
    assert [replace(one, id=0) for one in after] == grown
    assert [one.id for one in after] == [found[0].id, *(one.id for one in found[2:])]
    assert [one.cap for one in await store.list(tenant, "warm-up")] == [50]
    uses = await world.connection.fetch("select distinct use from send_limit where scope = 'lane'")
    assert len(uses) == 1  # owners and windows share what they count
    assert await world.connection.fetchval("select value from limit_version") == version + 2


async def test_the_limits_of_one_lane_are_replaced_without_the_others(world: Any, store: LimitStore) -> None:
    tenant, wanted = await _limits(world)
    other = await world.lane("acme", "receipt")
    elsewhere = replace(wanted[0], lane=other)
    await store.replace(tenant, "policy", [*wanted, elsewhere])
    await store.replace(tenant, "policy", [wanted[0]], lane=wanted[0].lane)
    left = {(one.scope, one.lane, one.per) for one in await store.list(tenant)}
    assert left == {
        (one.scope, one.lane, one.per)
        for one in (*wanted, elsewhere)
        if one.lane is None or one in (wanted[0], elsewhere)
    }


async def test_a_limit_that_names_no_lane_of_its_own_or_no_target_is_refused(
    world: Any, store: LimitStore
) -> None:
    tenant, wanted = await _limits(world)
    foreign = await world.lane("zen", "receipt")
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await store.replace(tenant, "policy", [replace(wanted[0], lane=foreign)])
    for missing in (
        replace(wanted[0], lane=None),
        replace(wanted[4], campaign=None),
        replace(wanted[9], per=Per.EVER),
        replace(wanted[0], because=""),
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await store.replace(tenant, "policy", [missing])
    assert await store.list(tenant) == []
