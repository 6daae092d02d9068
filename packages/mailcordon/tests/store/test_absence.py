"""What proves that SES did not accept a call, and which lanes ask a canary for it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from mailcordon.adapters.db.clearing_store import ClearingStore
from mailcordon.adapters.db.observe_store import ObserveStore
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.adapters.db.settle_store import SettleStore
from mailcordon.core import ids
from mailcordon.core.reason import Reason
from mailcordon.send.decide import RowFacts
from mailcordon.send.moves import Claimed, Defer, Why

GRACE = 1_000
AGE = 5_000  #: ms since the calls


@dataclass
class Settle:
    """A queue, and a settler for it."""

    world: Any
    queue: QueueStore
    store: SettleStore

    async def on_the_wire(self, lane: int) -> Claimed:
        """A delivery that this worker called SES for."""
        now = await self.world.connection.fetchval("select now_ms()") - AGE
        id = ids.first_of(now) + 1
        tenant = await self.world.connection.fetchval("select tenant from lane where id = $1", lane)
        await self.world.connection.execute(
            "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key)"
            " values ($1, $2, $3, 'isolated', 'a@b.example', '{kim@example.com}', 1, 1)",
            id - 1,
            tenant,
            lane,
        )
        await self.world.connection.execute(
            "insert into ready (lane, id, tenant, state, attempt, worker, called_at, hash)"
            " values ($1, $2, $3, 1, 1, $4, $5, '\\x00')",
            lane,
            id,
            tenant,
            self.queue.worker,
            now,
        )
        return Claimed(lane, id, tenant, 1, now, 0, None, None, "kim@example.com", b"x", RowFacts(None))

    async def unknown(self, lane: int, configuration_set: str = "mc-urgent") -> Claimed:
        claim = await self.on_the_wire(lane)
        defer = Defer(
            claim,
            Why.UNKNOWN,
            Reason.OUTCOME_UNKNOWN,
            "no clear answer",
            configuration_set=configuration_set,
        )
        await self.queue.complete([], [defer], [])
        return claim

    async def show(self, configuration_set: str, called_at: int, *, proved: bool = True) -> None:
        await self.world.connection.execute(
            "insert into send_seen (configuration_set, called_at, proved_called_at) values ($1, $2, $3)"
            " on conflict (configuration_set) do update set called_at = $2, proved_called_at = $3",
            configuration_set,
            called_at,
            called_at if proved else 0,
        )

    async def change_set(self, lane: int, to: str) -> None:
        await self.world.connection.execute(
            "insert into configuration_set (name, kind, class) values ($1, 'shared', 0) on conflict do nothing",
            to,
        )
        await self.world.connection.execute(
            "update route set configuration_set = $2 where lane = $1", lane, to
        )

    async def resent(self) -> int:
        settled = await self.store.settle()
        return 0 if settled is None else settled.resent

    async def asked(self) -> set[tuple[str, int]]:
        """Configuration set and lane of the canaries that are asked for."""
        settled = await self.store.settle()
        assert settled is not None
        return {(need.configuration_set, need.unknown.lane) for need in settled.canaries}


@pytest.fixture
async def settle(world: Any) -> AsyncIterator[Settle]:
    queue, store = QueueStore(world.database.dsn("send")), SettleStore(world.database.dsn("send"))
    await queue.begin_work()
    yield Settle(world, queue, store)
    await queue.close()
    await store.close()


async def test_a_later_send_event_alone_proves_no_absence(world: Any, settle: Settle) -> None:
    claim = await settle.unknown(await world.lane("acme", "password-reset", grace_ms=GRACE))
    await settle.show("mc-urgent", claim.called_at + 60_000, proved=False)
    assert await settle.resent() == 0, "the older event may still be in the queue"
    await settle.show("mc-urgent", claim.called_at + GRACE - 1)
    assert await settle.resent() == 0, "an event within the grace proves nothing"
    await settle.show("mc-urgent", claim.called_at + GRACE)
    assert await settle.resent() == 1


async def test_after_the_clock_was_set_back_a_proof_from_before_proves_nothing(
    world: Any, settle: Settle, clearing: ClearingStore
) -> None:
    """The step is ten minutes: what was seen and proved before it is ahead of the clock."""
    claim = await settle.unknown(await world.lane("acme", "password-reset", grace_ms=GRACE))
    await settle.show("mc-urgent", claim.called_at + AGE + 600_000)
    assert await settle.resent() == 0
    assert await clearing.correct_clocks() == 1
    assert await world.count("send_seen", "called_at = 0 and proved_called_at = 0") == 1, (
        "lowered to now, it would prove the absence of calls made since the step"
    )
    assert len(await settle.asked()) == 1, "a canary brings a new proof"
    await settle.show("mc-urgent", claim.called_at + GRACE)
    assert await clearing.correct_clocks() == 0
    assert await settle.resent() == 1


async def test_the_configuration_set_of_the_call_must_prove_it(world: Any, settle: Settle) -> None:
    lane = await world.lane("acme", "password-reset", grace_ms=GRACE)
    claim = await settle.unknown(lane)
    await settle.change_set(lane, "mc-new")
    await settle.show("mc-new", claim.called_at + GRACE)
    assert await settle.resent() == 0
    await settle.show("mc-urgent", claim.called_at + GRACE)
    assert await settle.resent() == 1


@pytest.mark.parametrize("order", [("mc-new", "mc-urgent"), ("mc-urgent", "mc-new")])
async def test_if_a_dead_dispatcher_may_have_used_two_sets_both_must_prove_it(
    world: Any, settle: Settle, order: tuple[str, str]
) -> None:
    lane = await world.lane("acme", "password-reset", grace_ms=GRACE)
    claim = await settle.on_the_wire(lane)
    await settle.queue.close()
    await settle.change_set(lane, "mc-new")
    other = QueueStore(world.database.dsn("send"))
    await other.begin_work()
    try:
        async with asyncio.timeout(60):
            while not await other.reap(0):
                await asyncio.sleep(0.02)  # the server has not closed the dead one's session yet
    finally:
        await other.close()
    await settle.show(order[0], claim.called_at + GRACE)
    assert await settle.resent() == 0
    await settle.show(order[1], claim.called_at + GRACE)
    assert await settle.resent() == 1


async def test_a_change_before_the_call_does_not_matter(world: Any, settle: Settle) -> None:
    lane = await world.lane("acme", "password-reset", grace_ms=GRACE)
    await settle.change_set(lane, "mc-new")
    await world.connection.execute("update route_before set until = until - 60000 - $1::bigint", AGE)
    claim = await settle.unknown(lane, "mc-new")
    await settle.show("mc-new", claim.called_at + GRACE)
    assert await settle.resent() == 1


@pytest.mark.parametrize("column", ["held", "stopped"])
async def test_a_lane_that_may_not_send_asks_for_no_canary(world: Any, settle: Settle, column: str) -> None:
    held = await world.lane("acme", "password-reset", grace_ms=1)
    await settle.unknown(held)
    await world.connection.execute(f"update lane set {column} = true where id = $1", held)
    await asyncio.sleep(0.01)
    assert await settle.asked() == set()
    other = await world.lane("zen", "password-reset", grace_ms=1)
    await settle.unknown(other)
    await asyncio.sleep(0.01)
    assert await settle.asked() == {("mc-urgent", other)}
    await world.connection.execute(f"update lane set {column} = false")
    assert len(await settle.asked()) == 1, "one canary serves a set"


async def test_a_canary_uses_the_set_of_the_call(world: Any, settle: Settle) -> None:
    lane = await world.lane("acme", "password-reset", grace_ms=1)
    await settle.unknown(lane)
    await settle.change_set(lane, "mc-new")
    await asyncio.sleep(0.01)
    assert await settle.asked() == {("mc-urgent", lane)}


async def test_a_canary_uses_the_ses_tenant_and_domain_of_the_call_when_the_route_has_moved(
    world: Any, settle: Settle
) -> None:
    lane = await world.lane("acme", "password-reset", grace_ms=1)
    before = await world.connection.fetchrow("select ses_tenant, domain from route where lane = $1", lane)
    await settle.unknown(lane)
    await world.connection.execute(
        "insert into configuration_set (name, kind, class) values ('mc-new', 'shared', 0)"
    )
    await world.connection.execute(
        "update route set configuration_set = 'mc-new', ses_tenant = 'mc-x-urgent' where lane = $1", lane
    )
    await asyncio.sleep(0.01)
    settled = await settle.store.settle()
    assert settled is not None
    (need,) = settled.canaries
    assert (need.configuration_set, need.ses_tenant, need.domain) == ("mc-urgent", *before)


async def test_observe_proves_nothing_with_a_time_ahead_of_the_clock(world: Any, settle: Settle) -> None:
    store = ObserveStore(world.database.dsn("observe"))
    try:
        claim = await settle.unknown(await world.lane("acme", "password-reset", grace_ms=GRACE))
        ahead = claim.called_at + AGE + 600_000
        await settle.show("mc-urgent", ahead, proved=False)
        assert dict(await store.run(lambda tx: tx.unproved())) == {}
        await store.run(lambda tx: tx.prove({"mc-urgent": ahead}))
        assert await world.count("send_seen", "proved_called_at = 0") == 1
    finally:
        await store.close()


async def test_a_report_from_before_the_clock_was_set_back_counts_as_made_now(world: Any) -> None:
    store = ObserveStore(world.database.dsn("observe"))

    async def report(observer: str) -> list[tuple[float, float, float, bool]]:
        return list(await store.run(lambda tx: tx.report_observer("q", observer, 700.0, 0.0, ended=False)))

    try:
        await report("dead")
        await world.connection.execute("update observer set beat = beat + 600000")
        [(age, *_)] = await report("live")
        assert age < -590, "silent for an unknown time"
        [(age, live, *_)] = await report("live")
        assert -1 < age < 60
        assert -1 < live < 60, "nothing before is certain"
    finally:
        await store.close()


async def test_observe_is_asked_only_for_what_a_stored_event_could_prove(world: Any, settle: Settle) -> None:
    store = ObserveStore(world.database.dsn("observe"))

    async def unproved() -> dict[str, int]:
        return dict(await store.run(lambda tx: tx.unproved()))

    try:
        lane = await world.lane("acme", "password-reset", grace_ms=GRACE)
        await settle.show("mc-urgent", 1, proved=False)
        assert await unproved() == {}
        claim = await settle.unknown(lane)
        late = claim.called_at + GRACE
        await settle.show("mc-urgent", late - 1, proved=False)
        await settle.show("mc-other", late, proved=False)
        assert await unproved() == {}
        await settle.show("mc-urgent", late, proved=False)
        assert await unproved() == {"mc-urgent": late}
        await store.run(lambda tx: tx.prove({"mc-urgent": late}))
        assert await unproved() == {}
        await store.run(lambda tx: tx.prove({"mc-urgent": 5}))
        assert await world.count("send_seen", f"proved_called_at = {late}") == 1, "a proof stays"
    finally:
        await store.close()
