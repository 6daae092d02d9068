"""The table of legal moves is what the database does: every move is tried from every place."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.clearing_store import ClearingStore
from mailcordon.adapters.db.message_reader import MessageCanceller
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.adapters.db.settle_store import SettleStore
from mailcordon.core import ids
from mailcordon.core.delivery import State, Why
from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.core.reason import Reason
from mailcordon.core.target import Target
from mailcordon.send import moves
from mailcordon.send.decide import RowFacts
from mailcordon.send.moves import LEGAL, Claimed, Defer, Finish, Move, Place, Requeue

from .test_queue_functions import Queue

_QUEUE = queries.load("queue_store.sql")
_GOVERNOR = queries.load("governor_store.sql")
DOCS = Path(__file__).parents[4] / "docs"


@dataclass
class Bench:
    """One delivery in each place, its first call at 7 ms, and everything that moves mail."""

    queue: Queue
    store: QueueStore
    settle: SettleStore
    clearing: ClearingStore
    canceller: MessageCanceller
    ids: dict[Place, int]

    @property
    def c(self) -> Any:
        return self.queue.c

    def claims(self) -> list[Claimed]:
        return [
            Claimed(
                self.queue.lane, id, 1, 1, 7, 0, None, None, "k@x.example", b"", RowFacts(suppressed=None)
            )
            for id in self.ids.values()
        ]

    async def places(self) -> dict[Place, Place]:
        return {place: Place[(await self.queue.place(id)).upper()] for place, id in self.ids.items()}


@pytest.fixture
async def bench(world: Any) -> AsyncIterator[Bench]:
    queue = Queue(world, await world.lane("acme", "password-reset"))
    dsn = world.database.dsn("send")
    store, settle, clearing, canceller = (
        QueueStore(dsn),
        SettleStore(dsn),
        ClearingStore(dsn),
        MessageCanceller(world.database.dsn("governor")),
    )
    await store.begin_work()
    yield Bench(queue, store, settle, clearing, canceller, {place: await queue.at(place) for place in Place})
    for one in (store, settle, clearing, canceller):
        await one.close()


async def claim(bench: Bench) -> None:
    await bench.c.execute("update turn set next_at = 1")
    await bench.store.claim((Class.URGENT,), 10)


async def park(bench: Bench) -> None:
    target = Target(tenant=1, provider=Provider(0))
    hold = Hold(id=1, target=target, owner="person", because="bad list", by="ann", since=1)
    await bench.clearing.park({1: [hold]})


async def refuse(bench: Bench) -> None:
    await bench.c.execute(
        "insert into suppression (tenant, hash, scope, target, address, cause, since, by)"
        " values (1, 'h', 0, 0, 'k', 'manual', 1, 'ann') on conflict do nothing"
    )
    await claim(bench)


async def record_sent(bench: Bench) -> None:
    finished = [Finish(one, State.SENT, Reason.SENT, "", "ses", forget=True) for one in bench.claims()]
    await bench.store.complete(finished, [], [])


async def record_rejected(bench: Bench) -> None:
    finished = [Finish(one, State.REJECTED_AT_CALL, Reason.REJECTED_BY_SES, "") for one in bench.claims()]
    await bench.store.complete(finished, [], [])


async def defer(bench: Bench) -> None:
    deferred = [Defer(one, Why.RETRY, Reason.RETRY, "later") for one in bench.claims()]
    await bench.store.complete([], deferred, [])


async def requeue(bench: Bench) -> None:
    await bench.store.complete([], [], [Requeue(one) for one in bench.claims()])


async def lose(bench: Bench) -> None:
    deferred = [Defer(one, Why.UNKNOWN, Reason.OUTCOME_UNKNOWN, "no answer") for one in bench.claims()]
    await bench.store.complete([], deferred, [])


async def die(bench: Bench) -> None:
    await bench.c.fetchval(_QUEUE.reap_worker, 1)


async def release(bench: Bench) -> None:
    await bench.c.execute("update waiting set until = 1")
    await bench.settle.settle()


async def prove(bench: Bench) -> None:
    await bench.c.execute(
        "insert into send_event select id, 1, 'ses', 8 from unnest($1::bigint[]) id on conflict do nothing",
        list(bench.ids.values()),
    )
    await bench.settle.settle()


async def prove_absent(bench: Bench, *, resend: bool) -> None:
    await bench.c.execute("update lane set resend = $1", resend)
    await bench.queue.world.prove_absence()
    await bench.settle.settle()


async def resend(bench: Bench) -> None:
    await prove_absent(bench, resend=True)


async def give_up(bench: Bench) -> None:
    await prove_absent(bench, resend=False)


async def expire(bench: Bench) -> None:
    await bench.c.execute("update lane set expiry_ms = 1; select pg_sleep(0.005)")
    await bench.clearing.expire()
    await bench.settle.settle()


async def cancel_messages(bench: Bench) -> None:
    for id in bench.ids.values():
        await bench.canceller.cancel_message(
            ids.message_of(id), bench.queue.lane, tenant=1, actor="ann", because="wrong link"
        )


async def cancel_lane(bench: Bench) -> None:
    for statement in (_GOVERNOR.cancel_ready, _GOVERNOR.cancel_waiting):
        await bench.c.fetchval(statement, bench.queue.lane, None, None, None, 100, "wrong link")


Carry = Callable[[Bench], Awaitable[None]]
WAYS: list[tuple[Move, Carry]] = [
    (Move.CLAIM, claim), (Move.PARK, park), (Move.REFUSE, refuse), (Move.RECORD, record_sent),
    (Move.RECORD, record_rejected), (Move.DEFER, defer), (Move.REQUEUE, requeue), (Move.LOSE, lose), (Move.LOSE, die),
    (Move.RELEASE, release), (Move.PROVE, prove), (Move.RESEND, resend), (Move.GIVE_UP, give_up), (Move.EXPIRE, expire),
    (Move.CANCEL, cancel_messages), (Move.CANCEL, cancel_lane),
]  # fmt: skip


def test_every_move_is_tried() -> None:
    assert {move for move, _ in WAYS} == set(Move)


@pytest.mark.parametrize(("move", "carry_out"), WAYS)
async def test_a_move_does_what_the_table_says_and_nothing_else(
    bench: Bench, move: Move, carry_out: Carry
) -> None:
    legal = {place: LEGAL[place, move].to if (place, move) in LEGAL else place for place in Place}
    for _ in range(2 if Place.LEDGER in legal.values() else 1):  # what is in the ledger stays there
        await carry_out(bench)
        assert await bench.places() == legal
    finished = sum(place is Place.LEDGER for place in legal.values())
    assert await bench.c.fetchval("select sum(deliveries) from lane_finished") == finished


def test_the_documentation_shows_the_table() -> None:
    assert "\n".join(moves.table()) in (DOCS / "send-path.md").read_text()
