"""A batch in one statement makes the rows that the steps with locks make, whatever others change meanwhile."""

# pyright: reportPrivateUsage=false

import random
from collections.abc import Callable
from typing import Any

import pytest

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.observe_store import PostgresTransaction
from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.observe.ingest import Ingest
from mailcordon.observe.ports import AtOnce

from .conftest import IDENTITY_TOPIC, INSTALLATION, Sent, World
from .test_order import documents_of_a_delivery, nothing_told, split

_READER = queries.load("message_reader.sql")
_HOOKS = queries.load("webhook_store.sql")


class StepByStep(Ingest):
    """Never tries the one statement."""

    def __init__(self) -> None:
        super().__init__(INSTALLATION, identity_topics={IDENTITY_TOPIC})
        self._long_way = 1_000_000


Picture = dict[str, list[tuple[Any, ...]]]


async def statements(world: World, *documents: str) -> list[str]:
    """What this batch asks the database."""
    asked: list[str] = []

    def ask(record: Any) -> None:
        asked.append(record.query)

    async with world.store._connection.use() as connection:
        connection.add_query_logger(ask)
    try:
        await world.tell(*documents)
    finally:
        async with world.store._connection.use() as connection:
            connection.remove_query_logger(ask)
    return asked


async def test_plain_mail_takes_one_question_and_one_statement(world: World) -> None:
    sent = [await world.sent("acme", "newsletter", f"{n}@gmail.com") for n in range(3)]
    await world.tell(sent[0].send(), sent[0].delivery_event())  # lanes and sets are cached
    asked = await statements(
        world, *[one.send() for one in sent[1:]], *[one.delivery_event() for one in sent[1:]]
    )
    assert ["store_events" in one for one in asked] == [False, True]
    asked = await statements(world, sent[1].bounce())
    assert asked[1].startswith("BEGIN")
    assert "store_events" in asked[2]
    assert await world.metrics("sent", "send_events", "delivered", "hard_bounced") == [(3, 3, 3, 1)]


async def test_both_ways_make_the_same_rows_in_any_order(world: World) -> None:
    documents = await documents_of_a_delivery(world)
    steps = StepByStep()
    short = world.ingest
    for seed in range(3):
        chance = random.Random(seed)
        told = documents * 2
        chance.shuffle(told)
        batches = split(told, chance, 25)
        pictures: list[Picture] = []
        for ingest in (short, steps):
            await nothing_told(world)
            world.ingest = ingest
            for batch in batches:
                if ingest is short:
                    ingest._long_way = 0
                await world.tell(*batch)
            pictures.append(await world.picture())
        assert pictures[0] == pictures[1]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[bool]]:
    """What happens after the rows were read and before they are written; returns whether the one statement was possible."""
    own = PostgresTransaction.store_at_once

    def happens(change: Callable[[], Any]) -> list[bool]:
        was: list[bool] = []

        async def after_a_change(self: PostgresTransaction, batch: AtOnce, *, alone: bool) -> bool:
            monkeypatch.setattr(PostgresTransaction, "store_at_once", own)
            await change()
            was.append(await own(self, batch, alone=alone))
            return was[0]

        monkeypatch.setattr(PostgresTransaction, "store_at_once", after_a_change)
        return was

    return happens


async def counted(world: World, tables: str = "event, outcome, send_event, cohort_minute") -> Picture:
    found = await world.picture()
    return {table: found[table] for table in tables.split(", ")}


@pytest.mark.parametrize(
    ("state", "later", "fits"),
    [(State.SENT, 0, True), (State.SENT, 61_000, False), (State.GIVEN_UP, 0, False)],
)
async def test_an_answer_that_is_recorded_meanwhile_is_counted_once(
    world: World, meanwhile: Callable[..., list[bool]], state: State, later: int, fits: bool
) -> None:
    call = await world.sent("acme", "receipt", "a@gmail.com", known=False)

    async def answer() -> None:
        await world.owner.execute("delete from ready where id = $1", call.delivery)
        await world.owner.execute(
            "insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at)"
            " values ($1, $2, $3, $4, 1, 1, $5, $6, $6)",
            call.delivery,
            world.tenants["acme"],
            world.lanes["acme", "receipt"],
            int(state),
            call.ses_id,
            call.attempt.called_at + later,
        )
        await world.owner.execute("select count_finished(array[$1::bigint])", call.delivery)

    was = meanwhile(answer)
    await world.tell(call.send(), call.delivery_event())
    assert was == [fits]
    assert await world.metrics("sent", "unclear", "send_events", "delivered") == [(1, 0, 1, 1)]
    assert await world.rows("select count(*) from send_event") == [(1,)]


@pytest.mark.parametrize("first", [True, False])
async def test_what_another_observer_stores_meanwhile_is_merged(
    world: World, meanwhile: Callable[..., list[bool]], first: bool
) -> None:
    """`first`: the other one is the first of all."""
    sent = await world.sent("acme", "newsletter", "a@gmail.com")
    documents = [
        sent.send(),
        sent.delivery_event(),
        sent.document("Open", after=3000),
        sent.complaint(after=4000),
    ]
    for document in documents:
        await world.tell(document)
    expected = await counted(world)
    await nothing_told(world)
    if not first:
        await world.tell(documents[0])
    other = World(world.owner, world.store, world.now)
    other.store = type(world.store)(world.store._connection._dsn)
    try:
        was = meanwhile(lambda: other.tell(documents[2]))
        await world.tell(*documents[:2], documents[3])
    finally:
        await other.store.close()
    assert was == [False]
    assert await counted(world) == expected


async def test_after_rows_that_had_changed_some_batches_go_step_by_step(world: World) -> None:
    sent = [await world.sent("acme", "newsletter", f"{n}@gmail.com") for n in range(12)]
    await world.tell(sent[0].delivery_event())
    await world.tell(sent[0].delivery_event())  # a copy
    asked = await statements(world, sent[1].delivery_event())
    assert not any("store_events" in one for one in asked)
    for one in sent[2:10]:
        await world.tell(one.delivery_event())
    asked = await statements(world, sent[11].delivery_event())
    assert any("store_events" in one for one in asked)


async def shown(world: World, call: Sent) -> list[tuple[Any, ...]]:
    return await world.rows(
        "select kind, attempt, at from event where delivery = $1 union all"
        " select 0, 1, send_at from outcome where id = $1 and send_at is not null order by 1",
        call.delivery,
    )


async def test_a_send_event_has_a_row_only_if_its_call_is_not_answered(world: World) -> None:
    known = await world.sent("acme", "receipt", "a@gmail.com")
    unknown = await world.sent("acme", "receipt", "b@gmail.com", known=False)
    for _ in range(2):  # as often as they come
        await world.tell(known.send(), unknown.send())
        await world.tell(known.delivery_event(), unknown.delivery_event())
    assert await world.rows("select delivery from event where kind = 0") == [(unknown.delivery,)]
    await world.owner.execute("delete from ready where id = $1", unknown.delivery)
    await world.answered(unknown, world.tenants["acme"], world.lanes["acme", "receipt"])
    report = await world.tell(unknown.send(), known.send(), known.send())
    assert (report.copies, sum(report.counted.values())) == (3, 0)
    for call in (known, unknown):
        at = call.attempt.called_at
        assert await shown(world, call) == [(0, 1, at + 40), (3, 1, at + 1000)]
    assert await world.metrics("sent", "send_events", "delivered") == [(2, 2, 2)]


async def test_people_read_a_send_event_without_a_row(world: World) -> None:
    call = await world.sent("acme", "receipt", "a@gmail.com")
    await world.tell(call.send(), call.delivery_event())
    message, at = ids.message_of(call.delivery), call.attempt.called_at + 40
    history = await world.rows(_READER.history, message)
    assert [row[:3] for row in history] == [
        (call.delivery, at, "event:0"),
        (call.delivery, at + 960, "event:3"),
    ]
    [sent, _] = await world.rows(_READER.events, message, 1000, 10)
    assert sent[:4] == (call.delivery, 0, 1, at)
    assert sent[5] == call.ses_id
    kinds, names = [0, 3], ["delivery.sent", "delivery.delivered"]
    await world.owner.execute(_HOOKS.replay_mail, 1, message, None, 1, kinds, names, names, [20], ["x"])
    assert await world.rows("select event from webhook_message order by 1") == [
        ("delivery.delivered",),
        ("delivery.sent",),
    ]


async def test_a_send_event_that_says_more_has_a_row(world: World) -> None:
    odd = await world.sent("acme", "receipt", "a@gmail.com")
    await world.tell(odd.document("Send", mail=odd.mail(destination=["b@gmail.com"])))
    [(detail,)] = await world.rows("select detail from event where kind = 0")
    assert "said_to" in detail


async def test_who_reads_send_events_gets_each_once(world: World) -> None:
    tenant = world.tenants["acme"]
    early = await world.sent("acme", "receipt", "a@gmail.com")
    await world.tell(early.send())
    await world.owner.execute(
        "insert into webhook_endpoint (name, tenant, form, target, events, made_at, made_by)"
        " values ('hook', $1, 'standard', 'x', '{delivery.sent}', 1, 'ana')",
        tenant,
    )
    await world.owner.execute("update epoch set value = value + 1 where name = 'control'")
    late, others = (
        await world.sent("acme", "receipt", "b@gmail.com"),
        await world.sent("zen", "newsletter", "c@d.example"),
    )
    await world.tell(early.delivery_event(), others.delivery_event())  # the subscription is read
    for _ in range(2):
        await world.tell(early.send(), late.send(), others.send())
    assert await world.rows("select delivery from event where kind = 0") == [(late.delivery,)]
    assert await world.rows("select delivery from webhook_message") == [(late.delivery,)]
    assert await world.metrics("sent", "send_events") == [(2, 2), (1, 1)]
