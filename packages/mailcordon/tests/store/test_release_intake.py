"""Releases begin when their mail is accepted, before it is stored, each with the limit of its first step."""

import asyncio
from typing import Any

import pytest

from mailcordon.send import committer
from mailcordon_fixtures.queue_world import accepting, allowed


@pytest.fixture
async def lane(world: Any) -> int:
    await world.lane("acme", "password-reset")
    return await world.lane("acme", "newsletter")


async def hand_in(accept: Any, make: Any, messages: int, type: str = "newsletter", **over: Any) -> None:
    to = [f"k{n}@example.com" for n in range(50)]
    await asyncio.gather(
        *(
            accept.enqueue("acme", make(type, to=to, **over), api_key=7, key=None, still_allowed=allowed)
            for _ in range(messages)
        )
    )


async def releases(world: Any) -> list[tuple[Any, ...]]:
    rows = await world.connection.fetch(
        "select kind, name, phase, cap, fresh, (select sum(deliveries) from release_intake where release = r.id)::int as size "
        "from release r order by id"
    )
    return [tuple(row) for row in rows]


async def limits(world: Any) -> list[tuple[Any, ...]]:
    rows = await world.connection.fetch(
        "select scope, campaign, list, per, cap, mode, spares_urgent from send_limit where owner = 'release' order by id"
    )
    return [tuple(row) for row in rows]


async def test_a_large_batch_is_a_release_with_a_limit_before_any_of_its_mail_is_ready(
    world: Any, lane: int, make_submission: Any
) -> None:
    async with accepting(world) as accept:
        await hand_in(accept, make_submission, 1, campaign="sale")
        assert await releases(world) == [], "50 mails are a trickle"
        first = await world.connection.fetchval("select max(id) from ready")
        await hand_in(accept, make_submission, 4, campaign="sale")
    assert await releases(world) == [("campaign", "sale", "steps", 1500, False, 250)]
    assert await limits(world) == [("campaign", "sale", None, "ever", 1500, "enforce", True)]
    stored_after = await world.connection.fetchval(
        "select bool_and(r.xmin::text::bigint > l.xmin::text::bigint) from ready r, send_limit l where r.id > $1",
        first,
    )
    assert stored_after is True


async def test_a_batch_that_cannot_be_counted_to_its_end_keeps_no_mail_out(
    world: Any, lane: int, make_submission: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "TELL_EVERY", 0.01)
    async with accepting(world) as accept:
        await hand_in(accept, make_submission, 2, campaign="sale")
        await world.connection.execute("alter table release_intake rename to gone")
        await hand_in(accept, make_submission, 1, campaign="sale")
        for _ in range(20):
            async with asyncio.timeout(10):
                await hand_in(accept, make_submission, 1, type="password-reset")
            await asyncio.sleep(0.02)  # the rest is counted while nothing comes


async def test_the_end_of_a_batch_is_counted_once_no_more_mail_comes(
    world: Any, lane: int, make_submission: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(committer, "TELL_EVERY", 0.05)
    async with accepting(world) as accept:
        for number in (1, 2):  # the second time, its timer has rung before
            await hand_in(accept, make_submission, 2, campaign=f"sale-{number}")
            await hand_in(accept, make_submission, 1, campaign=f"sale-{number}")
            async with asyncio.timeout(20):
                while [one[-1] for one in await releases(world)] != [150] * number:
                    await asyncio.sleep(0.02)


async def test_urgent_mail_is_no_release(world: Any, lane: int, make_submission: Any) -> None:
    async with accepting(world) as accept:
        await hand_in(accept, make_submission, 4, type="password-reset", campaign="sale")
    assert await releases(world) == []
    assert await limits(world) == []


async def test_a_list_is_a_release_only_if_the_lane_never_mailed_it(
    world: Any, lane: int, make_submission: Any
) -> None:
    tenant = await world.connection.fetchval("select tenant from lane where id = $1", lane)
    await world.connection.execute(
        "insert into slice (tenant, lane, path, list, first_minute) values ($1, $2, 'isolated', 'members', 29000000)",
        tenant,
        lane,
    )
    async with accepting(world) as accept:
        await hand_in(accept, make_submission, 4, list="members")
        await hand_in(accept, make_submission, 4, list="import-7")
    assert await releases(world) == [("list", "import-7", "steps", 1500, True, 200)]


async def test_mail_without_names_is_a_release_of_its_lane(
    world: Any, lane: int, make_submission: Any
) -> None:
    async with accepting(world) as accept:
        await hand_in(accept, make_submission, 4)
    assert await releases(world) == [("lane", "", "steps", 1500, False, 200)]
    assert await limits(world) == [("lane", None, None, "ever", 1500, "enforce", True)]


async def test_a_second_batch_of_a_lane_keeps_the_limit_of_the_first(
    world: Any, lane: int, make_submission: Any
) -> None:
    async with accepting(world) as accept, accepting(world) as other:
        await hand_in(accept, make_submission, 4, campaign="sale")
        await world.connection.execute("update send_limit set cap = 6000")
        await asyncio.gather(
            hand_in(accept, make_submission, 4, campaign="news"),
            hand_in(other, make_submission, 4, campaign="news"),
        )
    assert [row[:2] + row[4:5] for row in await limits(world)] == [
        ("campaign", "sale", 6000),
        ("campaign", "news", 1500),
    ]
    assert await releases(world) == [
        ("campaign", "sale", "steps", 1500, False, 200),
        ("campaign", "news", "steps", 1500, False, 400),
    ]


async def test_a_name_that_was_used_before_begins_behind_what_it_counted(
    world: Any, lane: int, make_submission: Any
) -> None:
    tenant = await world.connection.fetchval("select tenant from lane where id = $1", lane)
    await world.connection.execute(
        "insert into limit_use (tenant, scope, lane, campaign, ever) values ($1, 'campaign', $2, 'weekly', 70000)",
        tenant,
        lane,
    )
    async with accepting(world) as accept:
        await hand_in(accept, make_submission, 4, campaign="weekly")
    assert [row[4] for row in await limits(world)] == [71_500]
    assert await world.connection.fetchval("select use_before from release") == 70_000


async def test_the_lanes_policy_says_the_first_step_and_whether_there_is_one(
    world: Any, lane: int, make_submission: Any
) -> None:
    tenant = await world.connection.fetchval("select tenant from lane where id = $1", lane)
    document = '{"version": 1, "tier": "strict", "release": {"mode": "shadow", "first": 300}}'
    await world.connection.execute(
        "insert into lane_policy (lane, tenant, version, document) values ($1, $2, 1, $3::jsonb)",
        lane,
        tenant,
        document,
    )
    async with accepting(world) as accept:
        await hand_in(accept, make_submission, 4, campaign="sale")
        await world.connection.execute(
            'update lane_policy set document = document || \'{"release": {"mode": "observe"}}\''
        )
        await hand_in(accept, make_submission, 4, campaign="news")
    assert await limits(world) == [("campaign", "sale", None, "ever", 300, "shadow", True)]


async def test_an_app_that_makes_up_campaigns_is_paced_as_a_lane(
    world: Any, lane: int, make_submission: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailcordon.adapters.db.release_intake.MOST_OF_LANE", 2)
    async with accepting(world) as accept:
        for n in range(4):
            await hand_in(accept, make_submission, 2, campaign=f"c{n}")
    assert [row[:2] for row in await releases(world)] == [
        ("campaign", "c0"),
        ("campaign", "c1"),
        ("lane", ""),
    ]


async def test_the_end_of_a_batch_is_counted_though_no_more_mail_comes(
    world: Any, lane: int, make_submission: Any
) -> None:
    async with accepting(world) as accept:
        await hand_in(accept, make_submission, 4, campaign="sale")
        await hand_in(accept, make_submission, 1, campaign="sale")
        async with asyncio.timeout(20):
            while (await releases(world))[0][-1] != 250:
                await asyncio.sleep(0.05)
