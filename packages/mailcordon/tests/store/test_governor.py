"""The governor on a real PostgreSQL: what a hold, its lifting or a cancel changes, and what it leaves alone."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.control.governor import Governor
from mailcordon.core import ids
from mailcordon.core.errors import Invalid, NotFound
from mailcordon.core.hold import NewHold, state_of
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.core.provider import Provider
from mailcordon.core.target import Target


class World:
    """Two tenants with the same three lanes, and the governor on its own role."""

    def __init__(self, owner: engine.Connection, pool: engine.Pool) -> None:
        self.owner = owner
        self.governor = Governor(GovernorStore(pool))
        self.lanes: dict[tuple[str, str], int] = {}
        self.tenants: dict[str, int] = {}
        self._ids = ids.IdGenerator(0)

    async def tenant(self, slug: str, types: Sequence[str], *, held: bool = False) -> int:
        self.tenants[slug] = await self.owner.fetchval(
            "insert into tenant (key, slug) values ('mc-' || $1 || 'aaaaaaaa', $1) returning id",
            slug,
        )
        for name in types:
            await self.lane(slug, name, held=held)
        return self.tenants[slug]

    async def lane(self, slug: str, type: str, *, held: bool = False) -> int:
        tenant = self.tenants[slug]
        row = await self.owner.fetchrow("select id, class from message_type where name = $1", type)
        assert row is not None
        turn = await self.owner.fetchval(
            "insert into turn (tenant, class) values ($1, $2) on conflict (tenant, class) do update set class = $2"
            " returning id",
            tenant,
            row["class"],
        )
        defaults = CLASS_DEFAULTS[Class(row["class"])]
        self.lanes[slug, type] = await self.owner.fetchval(
            "insert into lane (tenant, type, class, turn, held, expiry_ms, grace_ms, resend)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8) returning id",
            tenant, row["id"], row["class"], turn, held, defaults.expiry_ms, defaults.grace_ms, defaults.resend,
        )  # fmt: skip
        return self.lanes[slug, type]

    async def enqueue(
        self,
        slug: str,
        type: str,
        *,
        provider: Provider = Provider.OTHER,
        campaign: str | None = None,
        state: int = 0,
    ) -> int:
        now = await self.owner.fetchval("select now_ms()")
        id = self._ids.next(now) + 1
        await self.owner.execute(
            "insert into ready (lane, id, tenant, state, attempt, worker, called_at, provider, hash, campaign)"
            " values ($1, $2, $3, $4::int, $4, nullif($4, 0), nullif($4, 0), $5, '\\x00', $6)",
            self.lanes[slug, type], id, self.tenants[slug], state, provider, campaign,
        )  # fmt: skip
        return id

    async def defer(self, slug: str, type: str, *, why: int, hold: int | None = None) -> int:
        now = await self.owner.fetchval("select now_ms()")
        id = self._ids.next(now) + 1
        await self.owner.execute(
            "insert into waiting (lane, id, tenant, why, attempt, called_at, hash, hold, reason, code, since)"
            " values ($1, $2, $3, $4, 1, 1, '\\x00', $5, 'r', 'retry', 0)",
            self.lanes[slug, type], id, self.tenants[slug], why, hold,
        )  # fmt: skip
        return id

    def target(self, slug: str, type: str | None = None, **more: Any) -> Target:
        return Target(tenant=self.tenants[slug], lane=self.lanes[slug, type] if type else None, **more)

    async def cordon(self, slug: str, type: str | None = None, *, owner: str = "person", **more: Any) -> int:
        new = NewHold(target=self.target(slug, type, **more), owner=owner, because="too many complaints")
        return (await self.governor.place(new, actor="ann")).id

    async def lift(self, slug: str, *holds: int) -> list[int]:
        lifted = await self.governor.lift(holds, tenant=self.tenants[slug], actor="ann", because="it is over")
        return [hold.id for hold in lifted]

    async def held(self) -> set[tuple[str, str]]:
        rows = await self.owner.fetch(
            "select e.slug, t.name from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type"
            " where l.held"
        )
        return {(row["slug"], row["name"]) for row in rows}

    async def epoch(self, name: str) -> int:
        return await self.owner.fetchval("select value from epoch where name = $1", name)


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    owner = await engine.connect(database.dsn("owner"))
    pool = await engine.create_pool(database.dsn("governor"))
    try:
        world = World(owner, pool)
        for slug in ("acme", "zen"):
            await world.tenant(slug, ["password-reset", "newsletter", "announcement"])
        yield world
    finally:
        await pool.close()
        await owner.close()


async def test_a_lanes_hold_stops_that_lane_and_no_other(world: World) -> None:
    before = await world.epoch("hold")
    await world.cordon("acme", "newsletter")
    assert await world.held() == {("acme", "newsletter")}
    assert await world.epoch("hold") == before + 1


async def test_a_classs_hold_stops_the_tenants_lanes_of_that_class(world: World) -> None:
    await world.cordon("acme", class_=Class.MARKETING)
    assert await world.held() == {("acme", "newsletter"), ("acme", "announcement")}


async def test_a_tenants_hold_stops_all_its_lanes_and_nobody_elses(world: World) -> None:
    await world.cordon("zen")
    assert await world.held() == {("zen", t) for t in ("password-reset", "newsletter", "announcement")}


async def test_a_narrow_hold_leaves_the_lane_itself_moving(world: World) -> None:
    await world.cordon("acme", "newsletter", provider=Provider.GMAIL)
    await world.cordon("acme", campaign="spring")
    assert await world.held() == set()


async def test_lifting_one_hold_never_lifts_another(world: World) -> None:
    mine = await world.cordon("acme", "newsletter")
    await world.cordon("acme", "newsletter", owner="breaker")
    whole = await world.cordon("acme")
    assert await world.lift("acme", mine, whole) == [mine, whole]
    assert await world.held() == {("acme", "newsletter")}


async def test_another_tenants_hold_is_not_lifted_by_its_number(world: World) -> None:
    hold = await world.cordon("zen", "newsletter")
    assert await world.lift("acme", hold) == []
    assert await world.held() == {("zen", "newsletter")}


async def test_the_lane_is_released_and_its_turn_woken_when_the_last_stopping_hold_goes(world: World) -> None:
    first = await world.cordon("acme", "newsletter")
    second = await world.cordon("acme", class_=Class.MARKETING)
    lane = world.lanes["acme", "newsletter"]
    turn = "select t.next_at from turn t join lane l on l.turn = t.id where l.id = $1"
    await world.enqueue("acme", "newsletter")

    await world.lift("acme", first)
    assert await world.owner.fetchval("select released_at from lane where id = $1", lane) is None
    assert await world.owner.fetchval(turn, lane) is None
    await world.lift("acme", second)
    assert await world.owner.fetchval("select released_at from lane where id = $1", lane) is not None
    assert await world.owner.fetchval(turn, lane) is not None


async def test_a_lane_in_which_nothing_waits_is_released_without_a_ramp(world: World) -> None:
    await world.lift("acme", await world.cordon("acme", "newsletter"))
    lane = world.lanes["acme", "newsletter"]
    assert await world.owner.fetchval("select released_at from lane where id = $1", lane) is None


async def test_lifting_twice_says_that_nothing_was_lifted(world: World) -> None:
    hold = await world.cordon("acme", "newsletter")
    await world.lift("acme", hold)
    before = await world.epoch("hold")
    assert await world.lift("acme", hold) == []
    assert await world.epoch("hold") == before


async def test_a_new_lane_is_closed_until_derived_and_then_inherits_its_tenants_holds(world: World) -> None:
    hold = await world.cordon("acme", class_=Class.TRANSACTIONAL)
    await world.lane("acme", "invoice", held=True)
    await world.lane("zen", "invoice", held=True)
    assert await world.held() == {("acme", "invoice"), ("zen", "invoice")}
    await world.governor.align_all()
    assert await world.held() == {("acme", "invoice")}
    await world.lift("acme", hold)
    assert await world.held() == set()


async def test_a_lane_made_while_its_tenant_is_being_held_is_held_too(world: World) -> None:
    """The race: the hold does not see the new lane yet, so deriving the new lane must see the hold."""
    for round in range(20):
        slug = f"race{round}"
        await world.tenant(slug, [])

        async def make(slug: str = slug) -> None:
            await world.lane(slug, "receipt", held=True)
            await world.governor.align(world.tenants[slug])

        await asyncio.gather(make(), world.cordon(slug))
        assert (slug, "receipt") in await world.held()


async def test_a_hold_and_its_lifting_are_audited_in_the_same_transaction(world: World) -> None:
    hold = await world.cordon("acme", "newsletter")
    await world.lift("acme", hold)
    rows = await world.owner.fetch("select actor, action, object, because from audit order by id")
    assert [tuple(row) for row in rows] == [
        ("ann", "hold.place", f"hold {hold} on newsletter mail of acme", "too many complaints"),
        ("ann", "hold.lift", f"hold {hold} on newsletter mail of acme", "it is over"),
    ]


async def test_the_audit_trail_cannot_be_changed_by_anybody(world: World) -> None:
    await world.cordon("acme")
    for statement in ("delete from audit", "update audit set actor = 'nobody'", "truncate audit"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await world.owner.execute(statement)


async def test_a_hold_without_a_reason_is_refused(world: World) -> None:
    with pytest.raises(Invalid, match="because"):
        await world.governor.place(
            NewHold(target=world.target("acme"), owner="person", because=" "), actor="ann"
        )
    assert await world.held() == set()


async def test_a_hold_on_another_tenants_lane_is_refused(world: World) -> None:
    target = Target(tenant=world.tenants["acme"], lane=world.lanes["zen", "newsletter"])
    with pytest.raises(NotFound):
        await world.governor.place(NewHold(target=target, owner="person", because="x"), actor="ann")
    assert await world.held() == set()


async def test_the_same_hold_asked_for_once_is_placed_once(world: World) -> None:
    new = NewHold(
        target=world.target("acme"), owner="policy", because="paused", evidence={"status": "DISABLED"}
    )
    holds = await asyncio.gather(*(world.governor.place(new, actor="control", once=True) for _ in range(5)))
    assert len({hold.id for hold in holds}) == 1


async def test_a_throttling_hold_sets_the_lowest_rate_and_its_end_restores_the_lanes_own(
    world: World,
) -> None:
    lane = world.lanes["acme", "newsletter"]
    rate = "select rate from lane where id = $1"
    await world.governor.set_rate(world.tenants["acme"], lane, 50, actor="ann", because="warm-up")
    slow = NewHold(
        target=world.target("acme", "newsletter"), owner="breaker", because="deferrals", stops=False, rate=5
    )
    hold = await world.governor.place(slow, actor="breaker")
    assert await world.owner.fetchval(rate, lane) == 5
    assert await world.held() == set()
    await world.lift("acme", hold.id)
    assert await world.owner.fetchval(rate, lane) == 50
    await world.governor.set_rate(world.tenants["acme"], lane, None, actor="ann", because="done")
    assert await world.owner.fetchval(rate, lane) is None


async def test_a_hold_past_its_end_is_lifted_in_the_name_of_the_clock(world: World) -> None:
    now = await world.owner.fetchval("select now_ms()")
    for until in (now - 1, now + 60_000):
        await world.governor.place(
            NewHold(target=world.target("acme", "newsletter"), owner="person", because="x", until=until),
            actor="ann",
        )
    assert await world.governor.lift_expired() == 1
    assert await world.held() == {("acme", "newsletter")}
    assert await world.owner.fetchval("select lifted_by from hold where lifted_at is not null") == "clock"


async def test_lifting_a_narrow_hold_leaves_its_mail_to_the_ramp(world: World) -> None:
    hold = await world.cordon("acme", "newsletter", campaign="spring")
    mine = {await world.defer("acme", "newsletter", why=3, hold=hold) for _ in range(3)}
    await world.lift("acme", hold)
    assert {row["id"] for row in await world.owner.fetch("select id from waiting")} == mine


async def test_a_cancel_drops_what_it_names_and_leaves_the_wire_and_the_unknown_alone(world: World) -> None:
    gone = [
        await world.enqueue("acme", "newsletter", campaign="spring"),
        await world.enqueue("acme", "announcement", campaign="spring"),
    ]
    await world.enqueue("acme", "newsletter", campaign="autumn")
    await world.enqueue("zen", "newsletter", campaign="spring")
    on_the_wire = await world.enqueue("acme", "newsletter", campaign="spring", state=1)
    count = await world.governor.cancel(
        world.target("acme", campaign="spring"), actor="ann", because="wrong price"
    )
    assert count == 2
    rows = await world.owner.fetch("select id, state, reason, detail from ledger order by id")
    assert [tuple(row) for row in rows] == [
        (id, 12, "cancelled", "Cancelled by ann: wrong price") for id in gone
    ]
    assert on_the_wire in {row["id"] for row in await world.owner.fetch("select id from ready")}
    assert await world.owner.fetchval("select count(*) from ready") == 3


async def test_a_cancel_takes_the_waiting_but_not_the_unknown_and_counts_them_finished(world: World) -> None:
    await world.defer("acme", "newsletter", why=1)
    unknown = await world.defer("acme", "newsletter", why=2)
    assert (
        await world.governor.cancel(world.target("acme", "newsletter"), actor="ann", because="wrong price")
        == 1
    )
    assert await world.owner.fetchval("select id from waiting") == unknown
    rows = await world.owner.fetch("select lane, node, deliveries from lane_finished")
    assert [tuple(row) for row in rows] == [(world.lanes["acme", "newsletter"], 0, 1)]


async def test_a_preview_counts_what_is_there_and_changes_nothing(world: World) -> None:
    await world.enqueue("acme", "newsletter", provider=Provider.GMAIL)
    await world.enqueue("acme", "newsletter", provider=Provider.GMAIL, state=1)
    await world.enqueue("acme", "newsletter")
    await world.defer("acme", "newsletter", why=1)
    whole = await world.governor.preview(world.target("acme", class_=Class.MARKETING))
    assert [(lane.type, lane.ready, lane.waiting, lane.sending, lane.state) for lane in whole.lanes] == [
        ("announcement", 0, 0, 0, "open"),
        ("newsletter", 2, 1, 1, "open"),
    ]
    assert whole.untouched == ("password-reset",)
    narrow = await world.governor.preview(world.target("acme", "newsletter", provider=Provider.GMAIL))
    assert [(lane.ready, lane.waiting, lane.sending) for lane in narrow.lanes] == [(1, 0, 1)]
    assert await world.held() == set()


async def test_the_stored_state_of_a_lane_follows_from_its_set_of_holds(world: World) -> None:
    placed: list[int] = []
    mores: list[dict[str, Any]] = [{}, {"class_": Class.MARKETING}, {"campaign": "spring"}]
    for more in mores:
        placed.append(await world.cordon("acme", **more))
    placed.append(await world.cordon("acme", "newsletter"))
    while placed:
        await world.lift("acme", placed.pop(0))
        preview = await world.governor.preview(world.target("acme"))
        for lane in preview.lanes:
            covering = [
                h
                for h in preview.holds
                if h.target.covers_lane(world.tenants["acme"], lane.class_, lane.lane)
            ]
            assert lane.state == state_of(covering)
            assert (("acme", lane.type) in await world.held()) == (lane.state == "held")


async def test_concurrent_holds_leave_each_lane_in_the_state_of_its_open_holds(world: World) -> None:
    """Also while the queue locks the same lanes in any order."""
    stop = asyncio.Event()

    async def disturb() -> None:
        while not stop.is_set():
            with contextlib.suppress(asyncpg.DeadlockDetectedError):  # either side may be the victim
                async with world.owner.transaction():
                    await world.owner.execute(
                        "select from lane where id in (select id from lane order by id desc) for update"
                    )
            await asyncio.sleep(0)

    disturber = asyncio.create_task(disturb())
    holds = await asyncio.gather(
        *(world.cordon("acme", "newsletter") for _ in range(10)), *(world.cordon("acme") for _ in range(10))
    )
    kept = holds[0]
    await asyncio.gather(*(world.lift("acme", hold) for hold in holds[1:]))
    stop.set()
    await disturber
    assert await world.held() == {("acme", "newsletter")}
    await world.lift("acme", kept)
    assert await world.held() == set()


async def test_a_cancel_deletes_the_content_of_urgent_mail(world: World) -> None:
    id = await world.enqueue("acme", "password-reset")
    await world.owner.execute("insert into urgent_content values ($1, 'body')", id & ~63)
    await world.governor.cancel(world.target("acme", "password-reset"), actor="ann", because="wrong link")
    assert await world.owner.fetchval("select count(*) from urgent_content") == 0
