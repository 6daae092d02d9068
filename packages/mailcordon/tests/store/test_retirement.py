"""Retiring and bringing back lanes, domains and tenants: their rows, and what ends when."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import accept_arguments, engine, lifecycle_store, queries
from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.lifecycle_store import LifecycleStore
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.control import retirement
from mailcordon.control.governor import Governor
from mailcordon.control.retirement import Next, Retirement, Retiring, late_seconds, next_of
from mailcordon.control.steps import Step, StepKind
from mailcordon.core.errors import Invalid
from mailcordon.core.priority import Class
from mailcordon.send.accept import Accept
from mailcordon.send.submission import Submission
from mailcordon_fixtures.queue_world import MakeSubmission, World, accepting, allowed, new_message

RETIRING = Retiring(
    lane=1,
    tenant=1,
    slug="acme",
    type="newsletter",
    class_=Class.MARKETING,
    mail="drain",
    sealed=True,
    drained_for=10.0,
    has_mail=False,
    has_cancellable=False,
    has_sent=True,
)


class Lifecycle:
    def __init__(self, world: World, control: engine.Pool, governor: engine.Pool) -> None:
        self.world = world
        self.control = control
        self.governor = Governor(GovernorStore(governor))
        self.store = LifecycleStore(control)
        self.retirement = Retirement(self.store, self.governor, lambda _: 0.0)

    async def step(self, kind: StepKind, slug: str = "acme", **over: Any) -> None:
        tenant = await self.world.connection.fetchval("select id from tenant where slug = $1", slug)
        async with self.control.acquire() as conn, conn.transaction():
            step = Step(kind=kind, tenant=slug, **over)
            await lifecycle_store.write(conn, step, tenant, actor="ann")
            await conn.execute("update epoch set value = value + 1 where name = 'control'")

    async def advance(self, times: int = 4) -> None:
        for _ in range(times):
            await self.retirement.advance()

    async def lanes(self) -> dict[str, str]:
        rows = await self.world.connection.fetch(
            "select e.slug || ' ' || t.name as lane, case when l.retired_at is not null then 'retired'"
            " when l.retiring_at is not null then 'retiring' else 'open' end as state"
            " from lane l join message_type t on t.id = l.type join tenant e on e.id = l.tenant"
        )
        return {row["lane"]: row["state"] for row in rows}

    async def retired(self, table: str) -> list[str]:
        name = "slug" if table == "tenant" else "domain"
        rows = await self.world.connection.fetch(f"select {name} from {table} where retired_at is not null")
        return sorted(row[name] for row in rows)

    async def actions(self) -> list[str]:
        rows = await self.world.connection.fetch(
            "select action || ' ' || object as words from audit order by id"
        )
        return [row["words"] for row in rows]


async def put(accept: Accept, submission: Submission) -> None:
    await accept.enqueue("acme", submission, api_key=1, key=None, still_allowed=allowed)


@pytest.fixture
async def life(world: World) -> AsyncIterator[Lifecycle]:
    control = await engine.create_pool(world.database.dsn("control"))
    governor = await engine.create_pool(world.database.dsn("governor"), max_size=2)
    yield Lifecycle(world, control, governor)
    await governor.close()
    await control.close()


# The order ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({}, Next.WAIT),
        ({"drained_for": 100.0}, Next.DONE),
        ({"has_sent": False}, Next.DONE),  # SES has nothing to report
        ({"drained_for": None}, Next.DRAINED),
        ({"drained_for": None, "has_mail": True}, Next.WAIT),
        ({"sealed": False, "drained_for": None}, Next.SEAL),
        ({"mail": "cancel", "has_mail": True, "has_cancellable": True, "sealed": False}, Next.CANCEL),
        ({"mail": "cancel", "has_mail": True, "drained_for": None}, Next.WAIT),  # on the wire or unknown
        ({"has_mail": True, "has_cancellable": True, "drained_for": None}, Next.WAIT),  # it drains
    ],
)
def test_a_lane_ends_after_its_queue_is_sealed_and_empty_and_ses_had_its_time(
    over: dict[str, Any], expected: Next
) -> None:
    assert next_of(replace(RETIRING, **over), 100.0) is expected


def test_ses_has_the_time_limit_of_the_class_and_the_local_one_seconds() -> None:
    assert [late_seconds(each, local=False) for each in Class] == [900, 14_400, 50_400]
    assert max(late_seconds(each, local=True) for each in Class) < 10


# Lanes ----------------------------------------------------------------------------------------------------------------------


async def test_a_retired_lane_takes_no_mail_while_others_do(
    world: World, life: Lifecycle, make_submission: MakeSubmission
) -> None:
    for type in ("newsletter", "receipt"):
        await world.lane("acme", type)
    async with accepting(world) as accept:
        await put(accept, make_submission("newsletter"))
        await life.step(StepKind.RETIRE_LANE, type="newsletter", mail="drain")
        with pytest.raises(Invalid) as caught:
            await put(accept, make_submission("newsletter"))
        assert caught.value.code == "lane-retired"
        await put(accept, make_submission("receipt"))
    assert await world.count("ready") == 2
    await life.advance()
    assert await life.lanes() == {
        "acme newsletter": "retiring",
        "acme receipt": "open",
    }  # its mail still waits


async def test_an_empty_lane_ends_at_once_and_the_last_of_its_domain_stays_a_domain(
    world: World, life: Lifecycle
) -> None:
    await world.lane("acme", "newsletter")
    await life.step(StepKind.RETIRE_LANE, type="newsletter", mail="drain")
    await life.advance()
    assert await life.lanes() == {"acme newsletter": "retired"}
    assert await life.retired("identity") == []
    assert await life.actions() == ["lane.retired newsletter of acme"]


async def test_mail_is_cancelled_but_not_what_is_on_the_wire_or_unknown(
    world: World, life: Lifecycle, queue: QueueStore
) -> None:
    lane = await world.lane("acme", "newsletter")
    zen = await world.lane("zen", "newsletter")
    routes = await queue.lane_routes([lane, zen])
    store = AcceptStore(world.database.dsn("send"))
    epoch = (await store.moment()).epoch
    await store.store(
        [new_message(1 << 40, "acme", routes[lane], 3), new_message(2 << 40, "zen", routes[zen], 1)], epoch
    )
    await store.close()
    first = (1 << 40) + 1
    await world.connection.execute(
        "update ready set state = 1, attempt = 1, worker = 1, called_at = now_ms() where id = $1", first
    )
    await life.step(StepKind.RETIRE_LANE, type="newsletter", mail="cancel")
    await life.advance()
    rows = await world.connection.fetch("select lane, id, state from ready order by lane, id")
    assert [(row["lane"], row["id"], row["state"]) for row in rows] == [
        (lane, first, 1),
        (zen, (2 << 40) + 1, 0),
    ]
    assert await world.count("ledger", "state = 12 and tenant = 1") == 2
    assert (await life.lanes())["acme newsletter"] == "retiring"
    assert (await life.actions()).count("delivery.cancel newsletter mail of acme") == 1
    await world.connection.execute("delete from ready where id = $1", first)  # its outcome came
    await life.advance()
    assert await life.lanes() == {"acme newsletter": "retired", "zen newsletter": "open"}


@pytest.mark.parametrize("statement", ["accept", "accept_one"])
async def test_a_lane_is_not_sealed_before_the_last_transaction_that_may_add_mail_ended(
    world: World, life: Lifecycle, queue: QueueStore, statement: str
) -> None:
    """A batch that read the epoch before the retirement commits after it, when the queue was seen to be empty."""
    lane = await world.lane("acme", "newsletter")
    routes = await queue.lane_routes([lane])
    store = AcceptStore(world.database.dsn("send"))
    epoch = (await store.moment()).epoch
    await store.close()
    connection = await engine.connect(world.database.dsn("send"))
    slow = connection.transaction()
    await slow.start()
    batch = [new_message(1 << 40, "acme", routes[lane], 1)]
    arguments = (
        accept_arguments.build(batch, 1) if statement == "accept" else accept_arguments.of_one(batch[0], 1)
    )
    await connection.fetchrow(queries.load("accept_store.sql")[statement], epoch, *arguments)
    await life.step(StepKind.RETIRE_LANE, type="newsletter", mail="drain")
    await life.advance()
    assert await life.lanes() == {"acme newsletter": "retiring"}
    assert await world.count("lane", "sealed_at is not null") == 0
    await slow.commit()
    await connection.close()
    await life.advance()
    assert await world.count("lane", "sealed_at is not null and drained_at is null") == 1
    await world.connection.execute("delete from ready")
    await life.advance()
    assert await life.lanes() == {"acme newsletter": "retired"}


async def test_an_unretired_lane_takes_mail_again_behind_the_holds_placed_meanwhile(
    world: World, life: Lifecycle, make_submission: MakeSubmission
) -> None:
    await world.lane("acme", "newsletter")
    await life.step(StepKind.RETIRE_LANE, type="newsletter", mail="drain")
    await life.advance()
    await life.step(StepKind.UNRETIRE_LANE, type="newsletter")
    assert await life.lanes() == {"acme newsletter": "open"}
    assert await world.count("lane", "held") == 1  # until the governor has looked
    await life.governor.align(1)
    assert await world.count("lane", "held") == 0
    async with accepting(world) as accept:
        await put(accept, make_submission("newsletter"))


async def test_a_lane_that_is_unretired_before_it_ended_does_not_end(world: World, life: Lifecycle) -> None:
    lane = await world.lane("acme", "newsletter")
    await life.step(StepKind.RETIRE_LANE, type="newsletter", mail="drain")
    await life.advance(2)
    await life.step(StepKind.UNRETIRE_LANE, type="newsletter")
    assert not await life.store.finish(1, [lane], actor="control")
    assert await life.lanes() == {"acme newsletter": "open"}
    await life.step(StepKind.RETIRE_LANE, type="newsletter", mail="drain")
    assert not await life.store.finish(1, [lane], actor="control")
    assert await life.lanes() == {"acme newsletter": "retiring"}


# Domains and tenants ----------------------------------------------------------------------------------------------------------


async def test_a_domain_takes_its_lanes_along_and_ends_after_the_last(world: World, life: Lifecycle) -> None:
    for type in ("newsletter", "receipt"):
        await world.lane("acme", type)
    await life.step(StepKind.RETIRE_DOMAIN, domain="newsletter.acme.example", mail="drain")
    await life.advance()
    assert await life.lanes() == {"acme newsletter": "retired", "acme receipt": "open"}
    assert await life.retired("identity") == ["newsletter.acme.example"]
    await life.step(StepKind.UNRETIRE_DOMAIN, domain="newsletter.acme.example")
    assert await life.lanes() == {"acme newsletter": "open", "acme receipt": "open"}
    assert await world.count("identity", "status = 'pending'") == 1  # it may be gone at SES


async def test_a_tenant_ends_after_its_last_lane_with_its_keys_and_no_other_does(
    world: World, life: Lifecycle
) -> None:
    for slug in ("acme", "zen"):
        for type in ("newsletter", "receipt"):
            await world.lane(slug, type)
        await world.connection.execute(
            "insert into api_key (tenant, prefix, hash, name, scopes, created_by, holder)"
            " select id, slug, slug::bytea, slug, '{send}', 'ann', 'ann' from tenant where slug = $1", slug,
        )  # fmt: skip
    await world.connection.execute(
        "insert into ready (lane, id, tenant, hash) select id, 1 << 20, tenant, '' from lane where tenant = 1 and class = 2"
    )
    await life.step(StepKind.RETIRE_TENANT, mail="drain")
    await life.advance()
    assert await world.connection.fetchval(
        "select array_agg(prefix) from api_key where revoked_at is null"
    ) == ["zen"]
    assert await life.retired("tenant") == []
    assert await life.retired("identity") == ["receipt.acme.example"]
    await world.connection.execute("delete from ready")
    await life.advance()
    assert await life.retired("tenant") == ["acme"]
    assert await life.retired("identity") == ["newsletter.acme.example", "receipt.acme.example"]
    assert {lane: state for lane, state in (await life.lanes()).items() if state != "retired"} == {
        "zen newsletter": "open",
        "zen receipt": "open",
    }
    assert (await life.actions())[-1] == "tenant.retired tenant acme"


async def test_a_tenant_comes_back_with_what_was_retired_with_it_and_no_more(
    world: World, life: Lifecycle
) -> None:
    for type in ("newsletter", "receipt", "invoice"):
        await world.lane("acme", type)
    await life.step(StepKind.RETIRE_LANE, type="invoice", mail="drain")
    await life.step(StepKind.RETIRE_DOMAIN, domain="receipt.acme.example", mail="drain")
    await life.step(StepKind.RETIRE_TENANT, mail="cancel")
    await life.advance()
    assert await life.retired("tenant") == ["acme"]
    await life.step(StepKind.UNRETIRE_TENANT)
    assert await life.lanes() == {
        "acme newsletter": "open",
        "acme receipt": "retired",
        "acme invoice": "retired",
    }
    assert await life.retired("tenant") == []
    assert await life.retired("identity") == ["receipt.acme.example"]


async def test_a_retirement_may_not_be_half_written(world: World) -> None:
    await world.lane("acme", "newsletter")
    for statement in (
        "update lane set retiring_at = now()",
        "update lane set sealed_at = now()",
        "update identity set retired_at = now()",
    ):
        with pytest.raises(asyncpg.CheckViolationError):
            await world.connection.execute(statement)


async def test_lanes_that_drain_do_not_keep_others_from_ending(
    world: World, life: Lifecycle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retirement, "LANES", 1)
    slow = await world.lane("acme", "newsletter")
    await world.lane("acme", "invoice")
    for type in ("newsletter", "invoice"):
        await life.step(StepKind.RETIRE_LANE, type=type)
    await world.connection.execute(
        "insert into ready (lane, id, tenant, hash) select id, first_id_at(now_ms()), tenant, '\\x00' from lane where id = $1",
        slow,
    )
    await life.advance(12)
    assert await life.lanes() == {"acme newsletter": "retiring", "acme invoice": "retired"}


async def test_two_processes_may_advance_at_once(world: World, life: Lifecycle) -> None:
    await world.lane("acme", "newsletter")
    await life.step(StepKind.RETIRE_TENANT, mail="drain")
    for _ in range(4):
        await asyncio.gather(*(life.retirement.advance() for _ in range(3)))
    assert await life.retired("tenant") == ["acme"]
    assert (await life.actions()).count("tenant.retired tenant acme") == 1
