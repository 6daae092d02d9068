"""Limits on a real database: never more than the cap in a window, never less while mail waits."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import engine, limit_clearing, limited_claim
from mailcordon.adapters.db.clearing_store import ClearingStore
from mailcordon.adapters.db.limit_store import LimitStore
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.core.delivery import State, Why
from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.core.reason import Reason
from mailcordon.guard.limits.windows import LENGTH_MS
from mailcordon.send.decide import RowFacts
from mailcordon.send.moves import Claimed, Defer, Finish, Requeue
from mailcordon_fixtures.queue_world import World

from .test_claim import claimed, mail, turn_of

HOUR = 3_600_000


class Limits:
    """Of tenant acme, as policy."""

    def __init__(self, world: World, store: LimitStore) -> None:
        self._world, self._store = world, store
        self.all: list[Limit] = []

    async def tenant(self) -> int:
        return await self._world.connection.fetchval("select id from tenant where slug = 'acme'")

    async def set(self, *limits: Limit) -> None:
        tenant = await self.tenant()
        await self._store.replace(tenant, "policy", [replace(one, tenant=tenant) for one in limits])

    async def default(self, *lanes: int) -> None:
        await self._world.connection.execute("select default_limits($1)", list(lanes))


@pytest.fixture
async def limits(world: World) -> AsyncIterator[Limits]:
    """The database's clock is in the middle of a minute of the middle of an hour and of a day: no window ends meanwhile."""
    middle = (12 * 60 + 30) * 60_000 + 20_000
    offset = middle - await world.connection.fetchval("select now_ms() % 86400000")
    name = await world.connection.fetchval("select current_database()")
    await world.connection.execute(f"alter database {name} set mailcordon.clock_offset_ms = {offset}")
    await world.connection.execute(f"set mailcordon.clock_offset_ms = {offset}")
    pool = await engine.create_pool(world.database.dsn("control"), max_size=2)
    yield Limits(world, LimitStore(pool))
    await pool.close()


def limit(scope: LimitScope, cap: int, per: Per = Per.HOUR, mode: Mode = Mode.ENFORCE, **over: Any) -> Limit:
    return Limit(
        **{
            "id": 0,
            "tenant": 0,
            "owner": "policy",
            "scope": scope,
            "per": per,
            "cap": cap,
            "mode": mode,
            "because": "Tier standard.",
            **over,
        }
    )


async def forget_window(world: World, table: str = "limit_use") -> None:
    """As if the hour had passed."""
    await world.connection.execute(f"update {table} set minute = minute - 60, hour = hour - 1, day = day - 1")


async def due(world: World) -> None:
    await world.connection.execute("update turn set next_at = now_us()")


async def after_the_belief(queue: QueueStore) -> None:
    """A lane that was over its limit is not looked at for a second."""
    queue._limited._closed.clear()  # pyright: ignore[reportPrivateUsage]


async def test_a_lane_gives_its_cap_and_rests_until_the_window_ends(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    lane, other = await world.lane("acme", "newsletter"), await world.lane("acme", "announcement")
    await limits.set(limit(LimitScope.LANE, 7, lane=lane))
    await mail(world, lane, 20)
    await mail(world, other, 30)
    assert Counter(await claimed(queue, 24)) == {lane: 7, other: 17}, "the lane's share goes to the other"
    assert Counter(await claimed(queue, 24)) == {other: 13}
    now = await world.connection.fetchval("select now_us()")
    assert await claimed(queue, 24) == []
    at = await turn_of(world, lane)
    opens = (now // 1000 // HOUR + 1) * HOUR * 1000
    assert at is not None
    assert at == opens or now < at <= now + 6_000_000, "it sleeps, at most for five seconds"
    await forget_window(world)
    await after_the_belief(queue)
    await due(world)
    assert Counter(await claimed(queue, 24)) == {lane: 7}
    assert await world.count("ready", "state = 0") == 6
    assert await world.count("waiting") == 0


async def test_lanes_and_classes_share_their_tenants_limit_and_urgent_mail_counts_without_waiting(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    receipt, letter = await world.lane("acme", "receipt"), await world.lane("acme", "newsletter")
    reset, zen = await world.lane("acme", "password-reset"), await world.lane("zen", "newsletter")
    await limits.set(limit(LimitScope.TENANT, 10, Per.DAY))
    for lane in (receipt, letter, reset, zen):
        await mail(world, lane, 9)
    assert Counter(await claimed(queue, 4, (Class.URGENT,))) == {reset: 4}
    got = Counter(await claimed(queue, 40))
    got += Counter(await claimed(queue, 40))
    assert got[receipt] + got[letter] + 4 + got[reset] >= 10
    assert got[reset] == 5
    assert got[zen] == 9
    assert got[receipt] + got[letter] <= 6
    left = await world.connection.fetchval("select in_day from limit_use")
    assert left == 9 + got[receipt] + got[letter]


async def test_three_dispatchers_together_give_exactly_the_cap(world: World, limits: Limits) -> None:
    lanes = [await world.lane("acme", type) for type in ("receipt", "invoice", "newsletter", "announcement")]
    await limits.set(
        limit(LimitScope.TENANT, 100, Per.DAY), limit(LimitScope.LANE, 40, lane=lanes[0], per=Per.MINUTE)
    )
    for lane in lanes:
        await mail(world, lane, 90)
    queues = [QueueStore(world.database.dsn("send")) for _ in range(3)]
    for one in queues:
        await one.begin_work()
    got: Counter[int] = Counter()
    for _ in range(12):
        await due(world)
        for part in await asyncio.gather(*(claimed(one, 9) for one in queues)):
            got.update(part)
    assert sum(got.values()) == 100
    assert got[lanes[0]] <= 40
    for one in queues:
        await one.close()


async def test_what_is_over_a_narrow_limit_waits_aside_with_its_time_and_comes_back(
    world: World, queue: QueueStore, limits: Limits, clearing: ClearingStore
) -> None:
    lane = await world.lane("acme", "newsletter")
    campaign = limit(LimitScope.CAMPAIGN, 5, lane=lane, campaign="spring")
    await limits.set(campaign)
    await mail(world, lane, 600, age_ms=9_000, campaign="spring")
    await mail(world, lane, 20, campaign="autumn")
    got = len(await claimed(queue, 15))
    while more := len(await claimed(queue, 15)):
        got += more
    assert got == 5 + 20
    assert await world.count("waiting", "why = 5 and code = 'limit' and send_limit is not null") == 595
    row = await world.connection.fetchrow("select reason, until, now_ms() as now from waiting limit 1")
    assert row["reason"].startswith(
        "Over the limit of 5 mails an hour of acme/newsletter's campaign spring. Tier standard. It can leave from"
    )
    assert row["until"] == (row["now"] // HOUR + 1) * HOUR

    assert await clearing.open_limits() == 0, "the window is not over"
    await forget_window(world)
    assert await clearing.open_limits() == 5
    assert await clearing.open_limits() == 0, "they take the room until they have left"
    assert len(await claimed(queue, 15)) == 5
    assert await clearing.open_limits() == 0

    await limits.set(replace(campaign, cap=12))
    assert await clearing.open_limits() == 7, "the cap grew"
    await limits.set()
    assert await clearing.open_limits() == 595 - 12, "the limit is gone"
    assert await world.count("waiting") == 0


async def test_mail_to_other_providers_and_with_other_keys_goes_on(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    lane = await world.lane("acme", "newsletter")
    await limits.set(
        limit(LimitScope.IDENTITY, 4, Per.DAY, domain="newsletter.acme.example", provider=Provider.GMAIL),
        limit(LimitScope.PROVIDER, 3, lane=lane, provider=Provider.YAHOO),
    )
    await mail(world, lane, 30)
    await world.connection.execute(
        "update ready set provider = ((id >> 6) % 3)::int * 3 % 4"
    )  # other, yahoo, microsoft
    await world.connection.execute("update ready set provider = 1 where provider = 2")
    kinds = {
        row["provider"]: row["n"]
        for row in await world.connection.fetch("select provider, count(*) as n from ready group by 1")
    }
    assert set(kinds) == {0, 1, 3}
    got: Counter[int] = Counter()
    for _ in range(6):
        got.update(one.provider for one in (await queue.claim(tuple(Class), 9)).claimed)
    assert got == {0: kinds[0], 1: 4, 3: 3}
    assert await world.count("waiting", "provider = 1") == kinds[1] - 4


async def test_one_key_is_limited_and_another_is_not(world: World, queue: QueueStore, limits: Limits) -> None:
    lane = await world.lane("acme", "receipt")
    await limits.set(limit(LimitScope.KEY, 2, api_key=7))
    await mail(world, lane, 12)
    await world.connection.execute(
        "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key)"
        " select id & -64, tenant, lane, 'isolated', 'a@b', '{x@y}', 1, case when (id >> 6) % 2 = 0 then 7 else 8 end from ready"
    )
    assert len(await claimed(queue, 12)) == 2 + 6
    assert await world.count("waiting") == 4


async def test_what_is_refused_leaves_with_its_reason(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    lane = await world.lane("acme", "newsletter")
    await limits.set(limit(LimitScope.LANE, 3, lane=lane, refuses=True))
    await mail(world, lane, 8)
    assert len(await claimed(queue, 5)) == 3
    await claimed(queue, 5)
    assert await world.count("ledger", "state = 10 and reason = 'limit-refused' and attempt = 0") == 5


async def test_requeued_and_held_mail_gives_its_count_back_once(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    lane = await world.lane("acme", "password-reset")
    await limits.set(limit(LimitScope.LANE, 6, lane=lane), limit(LimitScope.LANE, 9, Per.EVER, lane=lane))
    await limits.default(lane)
    await mail(world, lane, 3, hash=b"kim")
    await mail(world, lane, 3, age_ms=9_000, hash=b"lee")
    batch = (await queue.claim(tuple(Class), 20)).claimed
    assert len(batch) == 6
    assert {one.facts for one in batch} == {RowFacts(suppressed=None)}, "nothing keeps them from being called"

    async def counted() -> tuple[int, int, int, int]:
        use = await world.connection.fetchrow("select in_minute, in_hour, ever from limit_use")
        return (*use, await world.connection.fetchval("select sum(in_hour) from recipient_use"))

    assert await counted() == (6, 6, 6, 6)
    back = [Requeue(one) for one in batch[:2]]
    await queue.complete([], [], back)
    assert await counted() == (4, 4, 4, 4)
    await queue.complete([], [], back)
    assert await counted() == (4, 4, 4, 4), "recorded twice, given back once"
    held = Defer(batch[2], Why.HELD, Reason.HELD, "x", hold=1)
    unknown = Defer(batch[3], Why.UNKNOWN, Reason.OUTCOME_UNKNOWN, "x", configuration_set="s")
    await queue.complete([], [held, unknown], [])
    assert await counted() == (3, 3, 3, 3), "an unknown outcome counts"


# ADDRESSES ------------------------------------------------------------------------------------------------------------------


async def test_a_loop_of_resets_to_one_address_stops_after_five_and_delays_nobody_else(
    world: World, queue: QueueStore, limits: Limits, clearing: ClearingStore
) -> None:
    lane = await world.lane("acme", "password-reset")
    await limits.default(lane)
    await mail(world, lane, 1200, age_ms=60_000, hash=b"kim")
    for n in range(10):
        await mail(world, lane, 1, age_ms=1_000 * n, hash=b"%d" % n)
    got = await claimed(queue, 30)
    for _ in range(3):
        got += await claimed(queue, 30)
    assert len(got) == 5 + 10, "in a few claims"
    assert await world.count("waiting", "code = 'recipient-limit' and hash = 'kim'") == 1195
    assert await clearing.open_limits() == 0
    await forget_window(world, "recipient_use")
    clearing._limits._passes.clear()  # pyright: ignore[reportPrivateUsage]
    assert await clearing.open_limits() == 5
    await mail(world, lane, 1, hash=b"kim")
    assert len(await claimed(queue, 30)) == 5
    assert await clearing.open_limits() == 0


async def test_mail_to_addresses_comes_back_in_pages_and_when_the_cap_grows(
    world: World, queue: QueueStore, limits: Limits, clearing: ClearingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_clearing, "_MOST", 6)  # three addresses a statement
    lane = await world.lane("acme", "password-reset")
    await limits.set(limit(LimitScope.RECIPIENT, 2, lane=lane))
    people = [b"%02d" % n for n in range(7)]
    for n, one in enumerate(people):
        await mail(world, lane, 6, age_ms=60_000 + 1_000 * n, hash=one)
    for _ in range(3):
        await claimed(queue, 60)
    assert await world.count("waiting", "code = 'recipient-limit'") == 7 * 4
    assert await clearing.open_limits() == 0
    await limits.set(limit(LimitScope.RECIPIENT, 3, lane=lane))
    assert await clearing.open_limits() == 7, "one more to each, in the same hour"
    assert len(await claimed(queue, 60)) == 7
    assert await clearing.open_limits() == 0


async def test_addresses_of_the_simulator_have_no_limit_and_a_policy_replaces_the_default(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    lane = await world.lane("acme", "password-reset")
    await limits.default(lane)
    await mail(world, lane, 20, hash=b"sim")
    await world.connection.execute(
        "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key)"
        " select id & -64, tenant, lane, 'isolated', 'a@b', '{Success@Simulator.amazonses.com}', 1, 1 from ready"
    )
    assert len(await claimed(queue, 40)) == 20
    await limits.set(limit(LimitScope.RECIPIENT, 8, lane=lane))
    await mail(world, lane, 20, hash=b"kim")
    assert len(await claimed(queue, 40)) + len(await claimed(queue, 40)) == 8


async def messages(world: World, alike: int, *, where: str = "true", to: str = "kim@example.com") -> None:
    """The messages of mail that is ready and has none yet."""
    await world.connection.execute(
        "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key, alike)"
        " select id & -64, tenant, lane, 'isolated', 'a@b', array[$2], 1, 1, $1 from ready r"
        f" where ({where}) and not exists (select from message m where m.id = (r.id & -64))",
        alike,
        to,
    )


async def test_a_loop_of_the_same_mail_to_one_address_stops_and_other_mail_to_it_goes_on(
    world: World, queue: QueueStore, limits: Limits, clearing: ClearingStore
) -> None:
    lane = await world.lane("acme", "receipt")
    await limits.set(limit(LimitScope.REPEAT, 20, lane=lane))
    await mail(world, lane, 300, age_ms=60_000, hash=b"kim")
    await messages(world, 4711)
    await mail(world, lane, 25, age_ms=30_000, hash=b"kim")
    await messages(world, -1)
    await mail(world, lane, 30, age_ms=20_000, hash=b"sim")
    await messages(world, 4711, to="Success@simulator.amazonses.com")
    await mail(world, lane, 40, age_ms=10_000, hash=b"kim")  # accepted before there were such limits
    batch = [one for _ in range(4) for one in (await queue.claim(tuple(Class), 100)).claimed]
    assert len(batch) == 20 + 20 + 30 + 40
    waits = "code = 'recipient-limit' and hash = 'kim'"
    assert await world.count("waiting", waits) == 280 + 5
    reason = await world.connection.fetchval("select distinct reason from waiting")
    assert "20 mails an hour of acme/receipt with one template or subject to one address" in reason
    assert await clearing.open_limits() == 0

    await queue.complete([], [], [Requeue(one) for one in batch[:3]])
    assert await world.connection.fetch("select in_hour from recipient_use order by 1") == [(17,), (20,)]
    assert len((await queue.claim(tuple(Class), 100)).claimed) == 3, "what was not called gave its count back"

    await forget_window(world, "recipient_use")
    clearing._limits._passes.clear()  # pyright: ignore[reportPrivateUsage]
    assert await clearing.open_limits() == 20 + 5, "of each kind as many as may leave"
    assert len(await claimed(queue, 100)) == 25
    assert await clearing.open_limits() == 0


# EACH CAMPAIGN AND PROVIDER -----------------------------------------------------------------------------------------------------


async def test_each_campaign_has_a_limit_of_its_own_from_its_first_mail_on_and_a_lane_a_bounded_number(
    world: World, queue: QueueStore, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limited_claim, "MOST_EACH", 3)
    lane = await world.lane("acme", "newsletter")
    of_each = limit(LimitScope.EACH_CAMPAIGN, 4, lane=lane)
    await limits.set(of_each, limit(LimitScope.CAMPAIGN, 6, lane=lane, campaign="b"))
    for n, name in enumerate("abcdefg"):
        await mail(world, lane, 10, age_ms=1_000 - 100 * n, campaign=name)
    await mail(world, lane, 5)

    async def left() -> dict[str, int]:
        batch = [one for _ in range(4) for one in (await queue.claim(tuple(Class), 90)).claimed]
        return Counter(one.campaign or "" for one in batch)

    first = await left()
    assert {name: first[name] for name in ("a", "b", "c", "d", "")} == {"a": 4, "b": 6, "c": 4, "d": 4, "": 5}
    assert first["e"] + first["f"] + first["g"] == 4, "beyond the most, they count together"
    made = "owner = 'each' and scope = 'campaign'"
    assert await world.count("send_limit", made) == 3
    assert await world.count("waiting", "code = 'limit'") == 75 - 27

    await limits.set(limit(LimitScope.EACH_CAMPAIGN, 7, Per.HOUR, Mode.SHADOW, lane=lane))
    rows = await world.connection.fetch(f"select cap, mode from send_limit where {made}")
    assert [tuple(row) for row in rows] == [(7, "shadow")] * 3, "they follow the policy"

    await limits.set(of_each)
    await world.connection.execute(
        "delete from waiting; update limit_use set day = day - 3, hour = hour - 72"
    )
    queue._limited._full_until.clear()  # pyright: ignore[reportPrivateUsage]
    await mail(world, lane, 10, campaign="h", age_ms=9_000)
    assert await left() == {"h": 4}
    names = await world.connection.fetch(f"select campaign from send_limit where {made}")
    assert [row["campaign"] for row in names] == ["h"], "campaigns without mail made room"

    await limits.set()
    assert await world.count("send_limit") == 0


async def test_each_mailbox_provider_has_a_limit_of_its_own(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    lane = await world.lane("acme", "newsletter")
    await limits.set(limit(LimitScope.EACH_PROVIDER, 4, lane=lane))
    for n, provider in enumerate((Provider.OTHER, Provider.GMAIL, Provider.YAHOO, Provider.UNKNOWN)):
        await mail(world, lane, 10, age_ms=9_000 * n, hash=b"%d" % n)
        await world.connection.execute(
            "update ready set provider = $1 where hash = $2", int(provider), b"%d" % n
        )
    batch = [one for _ in range(4) for one in (await queue.claim(tuple(Class), 90)).claimed]
    assert Counter(one.provider for one in batch) == {
        Provider.OTHER: 10,
        Provider.UNKNOWN: 10,
        Provider.GMAIL: 4,
        Provider.YAHOO: 4,
    }


# MODES AND TIME ---------------------------------------------------------------------------------------------------------------


async def test_shadow_counts_what_it_would_have_held_and_observe_only_counts(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    lane = await world.lane("acme", "newsletter")
    await limits.set(
        limit(LimitScope.LANE, 4, mode=Mode.SHADOW, lane=lane),
        limit(LimitScope.CLASS, 1, mode=Mode.OBSERVE, class_=Class.MARKETING),
    )
    await mail(world, lane, 15)
    assert len(await claimed(queue, 6)) == 6
    assert len(await claimed(queue, 9)) == 9
    assert await world.connection.fetchval("select mails from limit_shadow") == 11
    assert [row[0] for row in await world.connection.fetch("select in_hour from limit_use")] == [15, 15]


async def test_nothing_leaves_before_a_window_that_lies_ahead_after_the_clock_was_set_back(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    lane = await world.lane("acme", "newsletter")
    await limits.set(limit(LimitScope.LANE, 10, Per.MINUTE, lane=lane))
    await mail(world, lane, 30)
    assert len(await claimed(queue, 10)) == 10
    # This minute is used up; the next had 3 when the clock was set back.
    await world.connection.execute("update limit_use set minute = minute + 5, in_minute = 3")
    await due(world)
    await after_the_belief(queue)
    assert await claimed(queue, 7) == [], "this minute would have 17"
    # The clock was wrong by days: the lane must not wait for them.
    await world.connection.execute("update limit_use set minute = minute + 5000, in_minute = 10")
    await due(world)
    await after_the_belief(queue)
    assert await claimed(queue, 7) == []
    assert await world.connection.fetchval("select minute - now_ms() / 60000 from limit_use") <= 0
    await forget_window(world)
    await due(world)
    await after_the_belief(queue)
    assert len(await claimed(queue, 7)) == 7


async def test_a_window_more_than_an_hour_ahead_counts_on(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    lane = await world.lane("acme", "newsletter")
    await limits.set(limit(LimitScope.LANE, 10, lane=lane))
    await mail(world, lane, 30)
    assert len(await claimed(queue, 7)) == 7
    await world.connection.execute("update limit_use set minute = minute + 120, hour = hour + 2")
    assert len(await claimed(queue, 7)) == 3
    assert await claimed(queue, 7) == []
    use = await world.connection.fetchrow("select hour - now_ms() / 3600000 as ahead, in_hour from limit_use")
    assert use is not None
    assert tuple(use) == (2, 10)


async def test_a_claim_that_another_overtook_across_the_end_of_a_window_counts_nothing_there(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    """It thought that there was room, as its last claim had left some."""
    lane = await world.lane("acme", "newsletter")
    await limits.set(limit(LimitScope.TENANT, 100, Per.MINUTE))
    await mail(world, lane, 30)
    assert len(await claimed(queue, 5)) == 5
    await world.connection.execute("update limit_use set minute = minute + 1, in_minute = 1")
    assert await claimed(queue, 5) == []
    assert await world.connection.fetchval("select in_minute from limit_use") == 1


async def test_a_lane_is_looked_at_before_it_is_taken_from_only_while_it_is_near_a_limit(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    lane = await world.lane("acme", "newsletter")
    await limits.set(limit(LimitScope.LANE, 50, lane=lane))
    await mail(world, lane, 200)
    near = queue._limited._near  # pyright: ignore[reportPrivateUsage]
    for n in (20, 20, 10):
        assert near == {}
        assert len(await claimed(queue, 20)) == n
    assert set(near) == {lane}, "the third claim was one too many, and was made again with a look"
    await forget_window(world)
    for still in (True, False):
        await after_the_belief(queue)
        await due(world)
        assert len(await claimed(queue, 5)) == 5
        assert (lane in near) is still
        near.update(dict.fromkeys(near, 0.0))  # as if a second had passed
    assert await world.connection.fetchval("select in_hour from limit_use") == 10


async def test_a_change_is_obeyed_by_the_next_claim(world: World, queue: QueueStore, limits: Limits) -> None:
    lane = await world.lane("acme", "newsletter")
    await limits.set(limit(LimitScope.LANE, 1, lane=lane))
    await mail(world, lane, 30)
    assert len(await claimed(queue, 5)) == 1
    await limits.set(limit(LimitScope.LANE, 4, lane=lane))
    await due(world)
    assert len(await claimed(queue, 5)) == 3
    await limits.set()
    await due(world)
    assert len(await claimed(queue, 5)) == 5


async def test_suppressed_mail_under_a_limit_is_refused_before_it_counts(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    lane = await world.lane("acme", "newsletter")
    await limits.set(limit(LimitScope.LANE, 12, lane=lane))
    await world.suppress("acme", "kim@example.com")
    dead = await world.connection.fetchval("select hash from suppression")
    await mail(world, lane, 600, age_ms=1_000, hash=dead)
    await mail(world, lane, 20)
    assert len(await claimed(queue, 100)) == 12
    assert await world.count("ledger", "state = 10 and reason = 'suppressed'") == 600
    assert await world.connection.fetchval("select in_hour from limit_use") == 12


# ANY ORDER OF THINGS ------------------------------------------------------------------------------------------------------------


class Storm:
    """Three dispatchers that claim, record, give back and die while the database's clock steps."""

    def __init__(self, world: World, clearing: ClearingStore, offset: int, chance: random.Random) -> None:
        self.world, self.clearing, self.offset, self.chance = world, clearing, offset, chance
        self.queues: list[QueueStore] = []
        self.open: list[list[Claimed]] = [[], [], []]
        self.given_back = 0

    async def start(self, n: int) -> None:
        queue = QueueStore(self.world.database.dsn("send"))
        await queue.begin_work()
        self.queues[n : n + 1] = [queue]

    async def claim(self) -> int:
        """All three at once."""
        await due(self.world)
        for queue in self.queues:
            await after_the_belief(queue)
        slots = [self.chance.randint(1, 12) for _ in self.queues]
        batches = await asyncio.gather(
            *(queue.claim(tuple(Class), n) for queue, n in zip(self.queues, slots, strict=True))
        )
        for open_, batch in zip(self.open, batches, strict=True):
            open_ += batch.claimed
        return sum(len(batch.claimed) for batch in batches)

    async def record(self, n: int) -> None:
        done, self.open[n] = self.open[n], []
        back = [Requeue(one) for one in done if self.chance.random() < 0.2]
        sent = [Finish(one, State.SENT, Reason.SENT, "x", "s") for one in done if Requeue(one) not in back]
        self.given_back += len(back)
        await self.queues[n].complete(sent, [], back)

    async def kill(self, n: int) -> None:
        """What it had on the wire is of unknown outcome."""
        self.open[n] = []
        await self.queues[n].close()
        await self.world.connection.execute(
            "update worker set heartbeat = 0 where id = $1", self.queues[n].worker
        )
        await self.start(n)
        await self.queues[n].reap(1)

    async def step(self, ms: int) -> None:
        """Of the clock that the dispatchers go by. They connect again, as after a failover."""
        self.offset += ms
        name = await self.world.connection.fetchval("select current_database()")
        await self.world.connection.execute(
            f"alter database {name} set mailcordon.clock_offset_ms = {self.offset}"
        )
        await self.world.connection.execute(f"set mailcordon.clock_offset_ms = {self.offset}")
        await self.clearing.close()
        for n in range(3):
            await self.record(n)
            await self.queues[n].close()
            await self.start(n)

    async def calls(self) -> list[asyncpg.Record]:
        """Every intent that was not taken back: by our ledger and what is on the wire or unknown. Each mail is called once."""
        return await self.world.connection.fetch(
            "select l.lane, l.called_at, m.campaign, la.tenant from ledger l join lane la on la.id = l.lane"
            " left join message m on m.id = l.id & -64 where l.called_at is not null"
            " union all select r.lane, r.called_at, r.campaign, r.tenant from ready r where r.state = 1"
            " union all select w.lane, w.called_at, w.campaign, w.tenant from waiting w where w.why = 2"
        )


async def used_up(world: World) -> tuple[asyncpg.Record, bool]:
    """Whether nothing more may leave now: some limit of the tenant is used up to the last mail."""
    use = await world.connection.fetchrow(
        "select in_minute, in_hour, in_day, minute >= now_ms() / 60000 as this_minute,"
        " hour >= now_ms() / 3600000 as this_hour,"
        " minute > now_ms() / 60000 or hour > now_ms() / 3600000 as not_begun from limit_use where scope = 'tenant'"
    )
    full = (
        use["not_begun"],
        use["in_minute"] == 20 and use["this_minute"],
        use["in_hour"] == 55 and use["this_hour"],
        use["in_day"] == 120,
    )
    return use, any(full)


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_no_window_has_more_than_its_cap_and_none_less_while_mail_waits(
    world: World, limits: Limits, clearing: ClearingStore, seed: int
) -> None:
    lanes = [await world.lane("acme", type) for type in ("receipt", "newsletter", "announcement")]
    caps = {Per.MINUTE: 20, Per.HOUR: 55, Per.DAY: 120}
    await limits.set(
        *(limit(LimitScope.TENANT, cap, per) for per, cap in caps.items()),
        limit(LimitScope.LANE, 9, Per.MINUTE, lane=lanes[0]),
        limit(LimitScope.CAMPAIGN, 7, Per.HOUR, lane=lanes[1], campaign="spring"),
    )
    for lane in lanes:
        await mail(world, lane, 120, age_ms=9_000, campaign="spring")
        await mail(world, lane, 60)
    offset = await world.connection.fetchval("select current_setting('mailcordon.clock_offset_ms')::bigint")
    storm = Storm(world, clearing, offset, random.Random(seed))
    for n in range(3):
        await storm.start(n)
    for _ in range(45):
        match storm.chance.randint(0, 9):
            case 0 | 1 | 2 | 3 | 4:
                await storm.claim()
            case 5 | 6:
                await storm.record(storm.chance.randrange(3))
            case 7:
                await storm.kill(storm.chance.randrange(3))
            case 8:
                await storm.step(storm.chance.choice([-70_000, -5_000, 61_000, 65_000]))
            case _:
                await storm.clearing.open_limits()
    for n in range(3):
        await storm.record(n)
    use, is_full = await used_up(world)
    for _ in range(3):  # a minute may end between the last claim and the look
        while await storm.claim():
            pass
        use, is_full = await used_up(world)
        if is_full:
            break
    assert is_full, dict(use)
    calls = await storm.calls()
    for per, length in LENGTH_MS.items():
        times = Counter(row["called_at"] // length for row in calls)
        assert max(times.values()) <= caps[per], (per, times)
    assert (
        max(Counter((row["called_at"] // 60_000) for row in calls if row["lane"] == lanes[0]).values()) <= 9
    )
    assert len(calls) == use["in_day"], "all that was given back, and nothing else"
    assert storm.given_back > 0
    for queue in storm.queues:
        await queue.close()
