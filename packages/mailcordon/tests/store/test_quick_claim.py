"""A quick claim takes what a plain one takes, writes what that writes, and takes nothing if what it saw has changed."""

import math
import random
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.adapters.db.quick_claim import MOST_OF_A_LANE, QuickClaim
from mailcordon.core.limit import LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.send.ports import Bounds
from mailcordon_fixtures.queue_world import World

from .test_claim import claimed, mail, turn_of
from .test_limited_claim import Limits, limit, limits

__all__ = ["limits"]  # a fixture

ALL = tuple(Class)
_SQL = queries.load("quick_claim.sql")
RESET = (
    "delete from ready",
    "delete from recipient_use",
    "delete from limit_shadow",
    "update limit_use set in_minute = 0, in_hour = 0, in_day = 0, ever = 0",
)
PUT = """
insert into ready (lane, id, tenant, hash)
select l.id, ($4::bigint - 1767225600000 - u.late * 80 * 3600000) << 22 | (l.id << 15) + 64 * n + 1, l.tenant, int4send(n)
  from unnest($1::int[], $2::int[], $3::bigint[]) u (lane, mails, late) join lane l on l.id = u.lane
 cross join lateral generate_series(1, u.mails) g (n)
"""
RATES = """
update lane l set rate = u.rate, tokens = u.tokens, tokens_at = now_ms()
  from unnest($1::int[], $2::real[], $3::real[]) u (lane, rate, tokens) where l.id = u.lane
"""
DUE = "update turn t set next_at = now_us() + u.due from unnest($1::int[], $2::bigint[]) u (turn, due) where t.id = u.turn"


@pytest.fixture
async def queue(world: World) -> AsyncIterator[QueueStore]:
    """On a busy machine, too, it does not take a slow look for one that met old versions of rows."""
    store = QueueStore(world.database.dsn("send"), crowded_after=60.0)
    await store.begin_work()
    yield store
    await store.close()


async def written(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """What a claim may write, but for its time."""
    statements = {
        "ready": "select id, state, attempt, worker is not null, called_at is not null from ready order by id",
        "turns": "select id, next_at is null, next_at > now_us(), "
        "rank() over (partition by class order by next_at) from turn order by id",
        "rates": "select id, floor(tokens) from lane order by id",
        "uses": "select id, in_minute, in_hour, in_day, ever from limit_use order by id",
        "shadows": "select send_limit, tenant, mails from limit_shadow order by send_limit",
        "addresses": "select lane, hash, in_minute, in_hour, in_day from recipient_use order by lane, hash",
    }
    return {
        name: [tuple(row) for row in await world.connection.fetch(statement)]
        for name, statement in statements.items()
    }


def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QuickClaim, "may", lambda *_: False)


def asking(queue: QueueStore, lanes: Sequence[int]) -> Callable[[pytest.MonkeyPatch], None]:
    """A plain claim as if the lanes were near their limits."""

    def only(monkeypatch: pytest.MonkeyPatch) -> None:
        plain(monkeypatch)
        near = dict.fromkeys(lanes, math.inf)
        monkeypatch.setattr(queue._limited, "_near", near)  # pyright: ignore[reportPrivateUsage]

    return only


def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def none(*_: object) -> None:
        raise AssertionError("the claim was not quick")

    monkeypatch.setattr(QuickClaim, "may", lambda *_: True)
    monkeypatch.setattr(QueueStore, "_claim_plainly", none)


async def test_it_claims_what_the_plain_claim_would(
    world: World, queue: QueueStore, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection, chance = world.connection, random.Random(5)
    lanes = [
        await world.lane(slug, type)
        for slug in ("acme", "zen", "orbit")
        for type in ("password-reset", "receipt", "invoice", "newsletter", "announcement")
    ]
    await limits.set(
        limit(LimitScope.TENANT, 10_000),
        limit(LimitScope.TENANT, 2, Per.DAY, Mode.SHADOW),
        limit(LimitScope.LANE, 5_000, lane=lanes[0]),
        *[limit(LimitScope.LANE, 0, per, Mode.SHADOW, lane=lane) for lane in lanes[1:3] for per in Per],
    )
    await limits.default(*lanes[5:10])
    for lane in lanes:
        await mail(world, lane, 1)
    await claimed(queue, 100)  # it knows the limits now
    tenants = [row["id"] for row in await connection.fetch("select id from tenant")]
    turns = [row["id"] for row in await connection.fetch("select id from turn")]
    stamp, took, over = await connection.fetchval("select now_ms()"), 0, 0
    for _ in range(25):
        counts = [chance.choice([0, 0, 1, 2, MOST_OF_A_LANE - 1]) for _ in lanes]
        rates = [chance.choice([None, None, 0.001]) for _ in lanes]
        tokens = [chance.choice([0.5, 2.5, 9.5]) for _ in lanes]
        late = [chance.choice([0, 0, 0, 1]) for _ in lanes]
        slots, classes = chance.choice([5, 40, 200, 200]), chance.choice([ALL, ALL, ALL[1:], ALL[:1]])
        bounds = Bounds(
            chance.choice([3, 100, 100]), {tenant: chance.choice([0, 2, 3]) for tenant in tenants}
        )
        due = [chance.choice([None, *[-chance.randrange(1000, 9_000_000)] * 4]) for _ in turns]
        share = chance.random()
        monkeypatch.setattr(random, "random", lambda share=share: share)
        found: list[Any] = []
        for which in (plain, asking(queue, lanes), quick):
            for statement in RESET:
                await connection.execute(statement)
            await connection.execute(PUT, lanes, counts, late, stamp)
            await connection.execute(RATES, lanes, rates, tokens)
            await connection.execute(DUE, turns, due)
            with monkeypatch.context() as only:
                which(only)
                batch = await queue.claim(classes, slots, bounds)
            deliveries = sorted(
                (one.id, one.lane, one.tenant, one.attempt, one.counted, one.addresses)
                for one in batch.claimed
            )
            found.append((deliveries, await written(world)))
        assert found[1] == found[0], "asking its limits"
        assert found[2] == found[0], "quick"
        over += len(found[0][1]["shadows"])
        took += len(found[0][0])
    assert took > 100
    assert over > 20, "limits in shadow mode were reached"


async def test_it_has_the_content_of_urgent_mail_and_other(
    world: World, queue: QueueStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes = [await world.lane("acme", type) for type in ("password-reset", "receipt")]
    for lane in lanes:
        await mail(world, lane, 1)
    await world.connection.execute(
        "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key) "
        "select id - 1, tenant, lane, 'isolated', 'a@x.example', array['kim@x.example'], 3, 1 from ready"
    )
    for table, lane in zip(("urgent_content", "content"), lanes, strict=True):
        await world.connection.execute(
            f"insert into {table} (id, body) select id, convert_to('of ' || $1::int, 'utf8') from message where lane = $1",
            lane,
        )
    quick(monkeypatch)
    batch = await queue.claim(ALL, 10)
    assert {(one.lane, one.content, one.to) for one in batch.claimed} == {
        (lane, b"of %d" % lane, "kim@x.example") for lane in lanes
    }


@pytest.mark.parametrize("what", ["much", "suppressed", "unknown limits"])
async def test_the_plain_claim_is_made_where_there_is_more_to_look_at(
    world: World, queue: QueueStore, limits: Limits, what: str
) -> None:
    lane = await world.lane("acme", "newsletter")
    await mail(world, lane, 20 if what == "much" else 2)
    if what == "suppressed":
        await world.connection.execute(
            "insert into suppression (tenant, hash, scope, target, address, cause, since, by) "
            "select tenant, 'live', 0, 0, 'a@x.example', 'hard-bounce', now_ms(), 'test' from lane where id = $1",
            lane,
        )
    elif what == "unknown limits":
        await limits.set(limit(LimitScope.LANE, 1, lane=lane))
    assert await claimed(queue, 100) == [lane] * {"much": 20, "suppressed": 0, "unknown limits": 1}[what]


class Seen:
    """What a claim has seen of one lane with two mails and a limit, and takes a moment later."""

    def __init__(self, world: World, pinned: Any, lane: int) -> None:
        self._world, self._pinned, self._lane = world, pinned, lane
        self.rows: Sequence[asyncpg.Record] = ()
        self.use = 0
        self.cap = 10

    async def see(self) -> None:
        self.rows = await self._pinned.fetch(_SQL.see, [int(c) for c in ALL], [], 9, 9)
        self.use = await self._world.connection.fetchval("select use from send_limit where owner = 'policy'")

    async def take(self, mails: int = 2) -> bool:
        [first, *_], taken = self.rows, self.rows[:mails]
        counted = [f"{{{self.use}}}", f"{{{mails}}}", *[f"{{{self.cap}}}"] * 4, *["{}"] * 7]
        return await self._pinned.fetchval(
            "select claim_seen(" + ", ".join(f"${n}" for n in range(1, 30)) + ")",
            *(7, first["us"], first["epoch"]),
            *([first["turn"]], [first["row"]], [first["next_at"]], [None]),
            *([self._lane], [first["tenant"]], [first["limits"]]),
            *(
                [row["id"] for row in taken],
                [row["mail"] for row in taken],
                [row["attempt"] for row in taken],
            ),
            *([self._lane], [3.0], [first["us"] // 1000]),
            *counted,
        )


@pytest.fixture
async def seen(world: World, limits: Limits, pinned: Any) -> Seen:
    lane = await world.lane("acme", "newsletter")
    await limits.set(limit(LimitScope.LANE, 10, lane=lane))
    await mail(world, lane, 2)
    found = Seen(world, pinned, lane)
    await found.see()
    return found


async def test_what_was_seen_is_taken_and_counted(world: World, seen: Seen) -> None:
    assert await seen.take()
    assert await world.count("ready", "state = 1 and attempt = 1 and worker = 7") == 2
    assert await world.count("turn", "next_at is not null") == 0
    assert await world.count("lane", "tokens = 3") == 1
    assert await world.count("limit_use", "in_hour = 2 and ever = 2") == 1


CHANGES = {
    "the turn was served by another dispatcher": "update turn set next_at = next_at + 1",
    "the lane was held": "update lane set held = true",
    "the lane was stopped": "update lane set stopped = true",
    "the limits have changed": "update limit_version set value = value + 1",
    "the control epoch has moved": "update epoch set value = value + 1 where name = 'control'",
    "a mail was taken by another": "update ready set state = 1, attempt = 1, worker = 8, called_at = 1 "
    "where id = (select max(id) from ready)",
    "a mail was tried by another": "update ready set attempt = 1 where id = (select max(id) from ready)",
    "a mail has left": "delete from ready where id = (select max(id) from ready)",
    "others have used the limit up": "update limit_use set in_hour = 9, hour = (now_ms() / 3600000)::int",
}


@pytest.mark.parametrize("change", CHANGES)
async def test_nothing_is_taken_if(world: World, seen: Seen, change: str) -> None:
    await world.connection.execute(CHANGES[change])
    before = await written(world)
    assert not await seen.take()
    assert await written(world) == before


async def test_nothing_is_taken_while_another_dispatcher_has_the_turn(world: World, seen: Seen) -> None:
    async with world.connection.transaction():
        await world.connection.execute("select from turn for no key update")
        assert not await seen.take()
    assert await seen.take()


async def test_a_turn_that_got_mail_meanwhile_stays_due(world: World, seen: Seen) -> None:
    """Mail that was stored after the look saw the turn awake, and told nobody."""
    assert await seen.take(mails=1)
    assert await world.count("turn", "next_at <= now_us()") == 1


async def test_mail_over_a_limit_in_shadow_mode_is_claimed_quickly(
    world: World, queue: QueueStore, limits: Limits, monkeypatch: pytest.MonkeyPatch
) -> None:
    lane = await world.lane("acme", "newsletter")
    await limits.set(limit(LimitScope.LANE, 3, mode=Mode.SHADOW, lane=lane))
    await mail(world, lane, 2)
    assert await claimed(queue, 10) == [lane] * 2
    assert await world.count("limit_shadow") == 0
    quick(monkeypatch)
    for n, beyond in ((4, 3), (5, 8)):
        await mail(world, lane, n, age_ms=n * 1000)
        assert await claimed(queue, 10) == [lane] * n
        assert await world.connection.fetchval("select mails from limit_shadow") == beyond


async def test_a_claim_that_was_overtaken_is_made_plainly(
    world: World, queue: QueueStore, limits: Limits
) -> None:
    lane = await world.lane("acme", "newsletter")
    await limits.set(limit(LimitScope.LANE, 3, lane=lane))
    await mail(world, lane, 2)
    assert await claimed(queue, 10) == [lane] * 2
    await mail(world, lane, 4)  # the ids of the first two are taken
    assert await turn_of(world, lane) is not None
    assert await claimed(queue, 10) == [lane]
    assert await world.count("ready", "state = 0") == 3
