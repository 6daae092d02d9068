"""Mail for a later time waits for it, ages from it, and keeps the app's own tags."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.adapters.db.clearing_store import ClearingStore
from mailcordon.adapters.db.message_reader import MessageCanceller, MessageReader
from mailcordon.adapters.db.settle_store import SettleStore
from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.errors import Invalid
from mailcordon.core.reason import Reason
from mailcordon.send import scheduling, view
from mailcordon.send.accept import Accept
from mailcordon.send.accept_item import Accepted
from mailcordon_fixtures.queue_world import accepting, allowed

HOUR, DAY = 3_600_000, 86_400_000


@dataclass
class Bench:
    world: Any
    accept: Accept
    settle: SettleStore
    clearing: ClearingStore
    reader: MessageReader
    make: Any

    async def now(self) -> int:
        return await self.world.connection.fetchval("select now_ms()")

    async def put(self, type: str, send_at: int | None, key: str | None = None, **over: Any) -> Any:
        return await self.put_by(self.accept, type, send_at, key, **over)

    async def put_by(
        self, accept: Accept, type: str, send_at: int | None, key: str | None = None, **over: Any
    ) -> Any:
        mail = self.make(type, **over)._replace(send_at=send_at, tags=(("order", "17"),))
        return await accept.enqueue("acme", mail, api_key=7, key=key, still_allowed=allowed)

    async def shown(self, message: int) -> view.DeliveryView:
        records = await self.reader.records(message, None)
        assert records is not None
        return view.delivery(records, message + 1)

    async def shift(self, ms: int) -> None:
        """Of the database's clock, for what connects from now on."""
        name = await self.world.connection.fetchval("select current_database()")
        await self.world.connection.execute(f"alter database {name} set mailcordon.clock_offset_ms = {ms}")
        await self.settle.close()
        await self.clearing.close()
        dsn = self.world.database.dsn("send")
        self.settle, self.clearing = SettleStore(dsn), ClearingStore(dsn)


@pytest.fixture
async def bench(world: Any, make_submission: Any) -> AsyncIterator[Bench]:
    dsn = world.database.dsn("send")
    async with (
        accepting(world) as accept,
        await engine.create_pool(world.database.dsn("control")) as control,
        await engine.create_pool(world.database.dsn("reader")) as reader,
    ):
        bench = Bench(
            world,
            accept,
            SettleStore(dsn),
            ClearingStore(dsn),
            MessageReader(control, reader),
            make_submission,
        )
        yield bench
        await bench.settle.close()
        await bench.clearing.close()


async def test_scheduled_mail_waits_and_becomes_ready_at_its_time(bench: Bench) -> None:
    lane = await bench.world.lane("acme", "receipt")
    await bench.world.suppress("acme", "gone@example.com")
    now = await bench.now()
    send_at = now + 3 * DAY
    answer = await bench.put("receipt", send_at, to=["kim@example.com", "gone@example.com"])
    waits, refused = answer.deliveries
    assert (waits.state, waits.reason) == (State.WAITING, Reason.SCHEDULED)
    assert waits.detail == scheduling.sentence(send_at)
    assert refused.state is State.REFUSED
    assert 0 <= ids.ms_of(answer.id) - send_at < 1000

    shown = await bench.shown(answer.id)
    assert (shown.state, shown.reason, shown.detail) == (State.WAITING, Reason.SCHEDULED, waits.detail)
    assert [entry.what for entry in shown.timeline] == [Reason.ACCEPTED, Reason.SCHEDULED]
    assert abs(shown.timeline[0].at - now) < 60_000
    records = await bench.reader.records(answer.id, None)
    assert records is not None
    assert (records.message.send_at, records.message.tags) == (send_at, {"order": "17"})
    assert await bench.world.count("content") == 1

    settled = await bench.settle.settle()
    assert settled is not None
    assert settled.released == 0
    await bench.shift(3 * DAY + 2000)
    settled = await bench.settle.settle()
    assert settled is not None
    assert settled.released == 1
    assert (
        await bench.world.connection.fetchval("select lane from ready where id = $1", answer.id + 1) == lane
    )


async def test_expiry_counts_from_the_time_it_is_scheduled_for(bench: Bench) -> None:
    await bench.world.lane("acme", "password-reset")  # worth sending for 15 minutes
    answer = await bench.put("password-reset", await bench.now() + 2 * HOUR)
    await bench.shift(2 * HOUR + 14 * 60_000)
    await bench.settle.settle()
    assert await bench.clearing.expire() == 0
    assert await bench.world.count("ready", f"id = {answer.id + 1}") == 1
    assert await bench.world.count("urgent_content") == 1
    await bench.shift(2 * HOUR + 16 * 60_000)
    assert await bench.clearing.expire() == 1


async def test_scheduled_mail_can_be_cancelled(bench: Bench) -> None:
    lane = await bench.world.lane("acme", "password-reset")
    answer = await bench.put("password-reset", await bench.now() + HOUR)
    canceller = MessageCanceller(bench.world.database.dsn("governor"))
    assert await canceller.cancel_message(answer.id, lane, tenant=1, actor="ann", because=None) == [
        answer.id + 1
    ]
    await canceller.close()
    assert (await bench.shown(answer.id)).state is State.CANCELLED
    assert await bench.world.count("waiting") + await bench.world.count("urgent_content") == 0


async def test_a_time_that_is_over_or_too_far_ahead_is_refused(bench: Bench) -> None:
    await bench.world.lane("acme", "receipt")
    now = await bench.now()
    for send_at, sentence in (
        (now - 1000, "is in the past"),
        (now + 30 * DAY + 60_000, "at most 30 days ahead"),
    ):
        with pytest.raises(Invalid, match=sentence):
            await bench.put("receipt", send_at)
    assert await bench.put("receipt", now + 30 * DAY - 60_000)


async def test_a_repeated_key_gets_its_answer_after_the_time_is_over(bench: Bench) -> None:
    await bench.world.lane("acme", "receipt")
    send_at = await bench.now() + HOUR
    first = await bench.put("receipt", send_at, key="k")
    await bench.shift(2 * HOUR)
    async with accepting(bench.world) as later:
        again = await bench.put_by(later, "receipt", send_at, key="k")
        with pytest.raises(Invalid, match="in the past"):
            await bench.put_by(later, "receipt", send_at, key="another")
    assert again.message == first.id


async def test_mail_for_a_day_without_partitions_is_no_fault_and_moves_into_them(bench: Bench) -> None:
    await bench.world.lane("acme", "receipt")
    answer = await bench.put("receipt", await bench.now() + 20 * DAY)
    in_default = "select tableoid::regclass::text from message where id = $1"
    c = bench.world.connection
    assert await c.fetchval(in_default, answer.id) == "message_default"
    assert {row["rows"] for row in await c.fetch("select * from rows_in_default(10)")} == {0}
    await c.fetchval("select ensure_partitions(1)")
    assert await c.fetchval(in_default, answer.id) != "message_default"
    assert (await bench.shown(answer.id)).state is State.WAITING


async def test_processes_make_different_ids_for_one_time(bench: Bench) -> None:
    await bench.world.lane("acme", "receipt")
    send_at = await bench.now() + HOUR
    async with accepting(bench.world) as other:
        made = await asyncio.gather(
            *(
                one.enqueue(
                    "acme",
                    bench.make("receipt")._replace(send_at=send_at),
                    api_key=7,
                    key=None,
                    still_allowed=allowed,
                )
                for one in (bench.accept, other)
                for _ in range(300)
            )
        )
    made = [one for one in made if isinstance(one, Accepted)]
    assert len({one.id for one in made}) == 600
    store = AcceptStore(bench.world.database.dsn("send"))
    assert await store.node() != ids.SCHEDULED_NODE
    await store.close()
