"""A delivery is counted as sent once, in the right minute, whichever comes first: its end in the ledger or what SES reports."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import cohort_rebuild, engine, queries
from mailcordon.adapters.db.cohort_store import CohortStore
from mailcordon.adapters.db.result_store import ResultStore
from mailcordon.control import retention
from mailcordon.core import provider
from mailcordon.core.delivery import State
from mailcordon.core.reason import Reason
from mailcordon.observe import folding
from mailcordon.send.decide import RowFacts
from mailcordon.send.moves import Claimed, Finish

from .conftest import Sent, World

Count = tuple[int, int]  #: minute after the first call, and how often


@dataclass
class Ledger:
    """Ends deliveries as dispatchers and settlers do, with their rights."""

    world: World
    results: ResultStore
    governor: engine.Connection

    async def claimed(self, sent: Sent) -> None:
        """The delivery is on the wire with this attempt."""
        await self.world.owner.execute(
            "update ready set state = 1, attempt = $2, called_at = $3 where id = $1",
            sent.delivery,
            sent.attempt.attempt,
            sent.attempt.called_at,
        )

    async def answered(self, sent: Sent) -> None:
        """SES took it."""
        lane = self.world.lanes["acme", "newsletter"]
        claim = Claimed(
            lane=lane,
            id=sent.delivery,
            tenant=self.world.tenants["acme"],
            attempt=sent.attempt.attempt,
            called_at=sent.attempt.called_at,
            provider=int(provider.of(sent.to.rpartition("@")[2])),
            campaign=None,
            list=None,
            to=sent.to,
            content=None,
            facts=RowFacts(None),
            path="shared",
        )
        await self.results.complete(1, [Finish(claim, State.SENT, Reason.SENT, "x", sent.ses_id)], [], [])

    async def ended(self, sent: Sent, state: State) -> None:
        await self.governor.execute(
            "select queue_finish(array[$1::int], array[$2::bigint], null, 15, array[$3::smallint], null, null, array['x'],"
            " array['x'], 0)",
            self.world.lanes["acme", "newsletter"],
            sent.delivery,
            int(state),
        )


@pytest.fixture
async def ledger(world: World, database: Any) -> AsyncIterator[Ledger]:
    results = ResultStore(database.dsn("send"))
    governor = await engine.connect(database.dsn("governor"))
    yield Ledger(world, results, governor)
    await results.close()
    await governor.close()


async def counted(world: World, column: str) -> list[Count]:
    await world.cohorts.fold()
    rows = await world.rows(
        f"select minute - $1::int, sum({column})::int from cohort_minute where {column} is not null group by 1 order by 1",
        world.now // 60_000,
    )
    return [(row[0], row[1]) for row in rows]


async def assert_rebuilt(world: World) -> None:
    """Ledger and outcomes say the same, and hours and days are the sums of their minutes."""
    compared = await cohort_rebuild.rebuild(world.owner, 0, check=True)
    assert (compared.differences, compared.sums) == ([], 0)


Step = Callable[[], Awaitable[object]]

#: How the delivery ends, the attempt that it ends with, and what is counted without any word of SES: sent or unclear.
ENDS: Sequence[tuple[str, State, int, str | None]] = [
    ("answered", State.SENT, 1, "sent"),
    ("answered", State.SENT, 2, "sent"),
    ("proved", State.SENT, 1, "sent"),
    ("given up", State.GIVEN_UP, 1, "unclear"),
    ("no outcome", State.NO_OUTCOME, 1, "unclear"),
    ("rejected", State.REJECTED_AT_CALL, 1, None),
    ("cancelled", State.CANCELLED, 1, None),
    ("cancelled", State.CANCELLED, 2, None),
]


#: What a delivery leaves. Each table has partitions, which are slow to truncate.
COUNTED = (
    "cohort_minute", "cohort_hour", "cohort_day", "cohort_slice", "cohort_bounce_domain", "ledger", "outcome", "event",
    "send_event", "suppression", "quarantine",
)  # fmt: skip


@pytest.mark.parametrize(("how", "state", "attempts", "alone"), ENDS)
async def test_every_order_of_end_and_events_counts_the_same(
    world: World, ledger: Ledger, how: str, state: State, attempts: int, alone: str | None
) -> None:
    """Events of each attempt, with the end of the delivery at every place among them.

    The counts are folded and compared after each step from the end on, and in every other order after the last two alone.
    """
    names = ["end", "1", "1 bounce"] + (["2"] if attempts == 2 else [])
    # Two orders that follow each other begin the same, but for the last two steps.
    for number, order in enumerate(itertools.permutations(names)):
        first = await world.sent("acme", "newsletter", "kim@gmail.com", known=False)
        second = first.again(ses_id=f"{first.ses_id}-2")
        last = second if attempts == 2 else first
        await ledger.claimed(last)
        steps: dict[str, Step] = {
            "end": lambda how=how, last=last: (
                ledger.answered(last) if how == "answered" else ledger.ended(last, state)
            ),
            "1": lambda first=first: world.tell(first.send()),
            "1 bounce": lambda first=first: world.tell(first.bounce()),
            "2": lambda second=second: world.tell(second.send()),
        }
        for length, name in enumerate(order, 1):
            await steps[name]()
            if "end" not in order[:length] or (number % 2 and length < len(order) - 1):
                continue
            told = set(order[:length]) - {"end"}
            minute = 0 if {"1", "1 bounce"} & told or attempts == 1 else 1
            await world.cohorts.fold()
            rows = await world.rows(
                "select (minute - $1::int), coalesce(sent, 0), coalesce(unclear, 0) from cohort_minute order by 1",
                world.now // 60_000,
            )
            wanted = "sent" if told else alone
            expected = [] if wanted is None else [(minute, int(wanted == "sent"), int(wanted == "unclear"))]
            assert rows == expected, order[:length]
        for table in COUNTED:
            await world.owner.execute(f"delete from {table}")
    assert await world.whys() == []


async def test_an_unclear_call_is_unclear_until_ses_reports_it(world: World, ledger: Ledger) -> None:
    sent = await world.sent("acme", "newsletter", "kim@gmail.com", known=False)
    await ledger.ended(sent, State.GIVEN_UP)
    assert (await counted(world, "unclear"), await counted(world, "sent")) == ([(0, 1)], [])
    await world.tell(sent.delivery_event())
    assert (await counted(world, "unclear"), await counted(world, "sent")) == ([], [(0, 1)])
    await assert_rebuilt(world)


async def test_mail_that_was_never_called_is_not_counted(world: World, ledger: Ledger) -> None:
    sent = await world.sent("acme", "newsletter", "kim@gmail.com", known=False)
    await world.owner.execute("update ready set state = 0, attempt = 0, called_at = null, worker = null")
    await ledger.ended(sent, State.CANCELLED)
    assert await world.rows("select count(*) from pending_change") == [(0,)]


async def test_an_earlier_attempt_takes_all_counts_back_from_the_later_ones_minute(
    world: World, ledger: Ledger
) -> None:
    first = await world.sent("acme", "newsletter", "kim@gmail.com", known=False)
    second = first.again(ses_id="ses-2")
    await ledger.claimed(second)
    await ledger.answered(second)
    await world.tell(second.send(), second.delivery_event())
    assert (await counted(world, "sent"), await counted(world, "delivered")) == ([(1, 1)], [(1, 1)])
    await world.tell(first.send())
    assert (await counted(world, "sent"), await counted(world, "delivered")) == ([(0, 1)], [(0, 1)])
    # Nothing is left of the later minute, and the feed tells who followed it.
    assert await world.rows("select count(*) from cohort_minute") == [(1,)]
    back = await world.rows(
        "select counts[1], counts[3] from cohort_feed where minute = $1 order by fold",
        world.now // 60_000 + 1,
    )
    assert back[-1] == (-1, -1)
    await assert_rebuilt(world)


@pytest.mark.parametrize("first", ["observer", "ledger"])
async def test_who_ends_a_delivery_and_who_stores_its_first_event_wait_for_each_other(
    world: World, ledger: Ledger, database: Any, first: str
) -> None:
    """Neither sees what the other has not committed, and still exactly one counts it."""
    sent = await world.sent("acme", "newsletter", "kim@gmail.com", known=False)
    steps: list[Step] = [lambda: world.tell(sent.bounce()), lambda: ledger.ended(sent, State.GIVEN_UP)]
    if first == "ledger":
        steps.reverse()
    other = await engine.connect(database.dsn("observe"))
    transaction = other.transaction()
    await transaction.start()
    await other.execute("select lock_deliveries(array[$1::bigint])", sent.delivery)
    waiting: list[asyncio.Future[object]] = []
    for step in steps:
        waiting.append(asyncio.ensure_future(step()))
        while len(waiting) > await world.owner.fetchval(
            "select count(*) from pg_locks where locktype = 'advisory' and classid = 28016 and not granted"
        ):
            await asyncio.sleep(0.01)
    await transaction.rollback()
    await asyncio.gather(*waiting)
    await other.close()
    assert (await counted(world, "sent"), await counted(world, "unclear")) == ([(0, 1)], [])
    await assert_rebuilt(world)


async def test_an_observer_says_that_nothing_waits_only_in_place_of_a_control_process(
    world: World, database: Any
) -> None:
    store = CohortStore(database.dsn("observe"))
    age = "select now_ms() - folded_at < 1000 from cohort_fold"
    for ago, says in ((3000, False), (8000, True)):
        await world.owner.execute("update cohort_fold set folded_at = now_ms() - $1::int", ago)
        assert await folding.fold_all(store, lately_ms=1500) == 0
        assert await world.owner.fetchval(age) is says
    await world.sent("acme", "newsletter", "a@gmail.com")
    await world.owner.execute("update cohort_fold set folded_at = now_ms() - 3000")
    assert await folding.fold_all(store, lately_ms=1500) == 1
    await store.close()


async def test_only_a_fold_with_changes_waits_for_the_disk(world: World, database: Any) -> None:
    connection = await engine.connect(database.dsn("control"))
    await world.sent("acme", "newsletter", "a@gmail.com")
    for folded, waits in ((1, "on"), (0, "off")):
        async with connection.transaction():
            assert await connection.fetchval(queries.load("cohort_store.sql").fold, 10, 0, 0) == folded
            assert await connection.fetchval("show synchronous_commit") == waits
    await connection.close()


async def test_two_processes_fold_no_more_often_than_one(world: World, database: Any) -> None:
    """Each sum would be written twice as often."""
    await world.sent("acme", "newsletter", "a@gmail.com")
    stores = [CohortStore(database.dsn(login)) for login in ("observe", "control")]
    assert await folding.fold_all(stores[0]) == 1
    await world.sent("acme", "newsletter", "b@gmail.com")
    await world.owner.execute("update cohort_fold set folded_at = now_ms() - 1000")
    assert await folding.fold_all(stores[1], lately_ms=60_000) == 0
    assert await folding.fold_all(stores[1], lately_ms=900) == 1  # whoever died folds no more
    await world.owner.execute("update cohort_fold set folded_at = now_ms() + 60000")  # the clock was set back
    await world.sent("acme", "newsletter", "c@gmail.com")
    assert await folding.fold_all(stores[0], lately_ms=900) == 1
    for store in stores:
        await store.close()


async def test_two_folders_and_one_that_dies_count_each_change_once(world: World, database: Any) -> None:
    sent = [await world.sent("acme", "newsletter", f"a{n}@gmail.com") for n in range(40)]
    dying = await asyncpg.connect(database.dsn("observe"), server_settings={"search_path": engine.SCHEMA})
    transaction = dying.transaction()
    await transaction.start()
    assert await dying.fetchval("select fold_cohorts(30)") == 30
    stores = [CohortStore(database.dsn(login)) for login in ("observe", "control")]
    assert [await store.fold(10) for store in stores] == [None, None]
    await world.owner.execute("select pg_terminate_backend($1)", dying.get_server_pid())
    while await stores[0].fold(7) is None:  # the lock goes with the session
        await asyncio.sleep(0.01)
    await world.tell(*[document for one in sent for document in (one.send(), one.delivery_event())])
    await asyncio.gather(*(folding.fold_all(store) for store in stores * 3))
    for store in stores:
        await store.close()
    assert await counted(world, "sent") == [(0, 40)]
    assert await counted(world, "delivered") == [(0, 40)]
    folds = [row[0] for row in await world.rows("select distinct fold from cohort_feed order by 1")]
    assert folds == list(range(1, len(folds) + 1))
    sums = await world.rows("select sum(counts[1])::int, sum(counts[3])::int from cohort_feed")
    assert sums == [(40, 40)]


async def test_a_random_history_is_rebuilt_from_ledger_and_outcomes(world: World, ledger: Ledger) -> None:
    for days, table in itertools.product(
        range(2, 5), ("ledger", "message", "outcome", "event", *retention.COUNTS)
    ):
        await world.owner.execute("select make_partition($1, owner_today() - $2::int)", table, days)
    chance = random.Random(7)
    states = [State.GIVEN_UP, State.NO_OUTCOME, State.REJECTED_AT_CALL, State.CANCELLED, State.SENT]
    ages = sorted((chance.randrange(0, 3 * 1440) for _ in range(60)), reverse=True)
    for n, age in enumerate(ages):
        to = chance.choice(["a@gmail.com", f"b@corp{n % 3}.example", "c@yahoo.com"])
        first = await world.sent("acme", "newsletter", to, known=False, at=world.now - age * 60_000)
        second = first.again(ses_id=f"{first.ses_id}-2")
        steps: list[Step] = [
            lambda first=first: world.tell(first.send(), first.delivery_event()),
            lambda first=first: world.tell(first.bounce(diagnosticCode="x")),
        ]
        last = chance.choice([first, second])
        await ledger.claimed(last)
        if last is second:
            steps.append(lambda second=second: world.tell(second.send(), second.complaint()))
        steps = chance.sample(steps, chance.randint(0, len(steps)))
        state = chance.choice(states)
        end: Step = (
            (lambda last=last: ledger.answered(last))
            if n % 2
            else (lambda last=last, state=state: ledger.ended(last, state))
        )
        steps.insert(chance.randint(0, len(steps)), end)
        for step in steps:
            await step()
    await assert_rebuilt(world)

    picture = await everything(world)
    assert all(picture.values())
    await world.owner.execute(
        "truncate cohort_minute, cohort_hour, cohort_day, cohort_slice, cohort_bounce_domain, cohort_unknown, cohort_change,"
        " cohort_batch"
    )
    compared = await cohort_rebuild.rebuild(world.owner, 0, check=False)
    assert compared.differences
    assert await everything(world) == picture
    await world.owner.execute(
        "update cohort_hour set sent = 9; update cohort_day set sent = 8; update cohort_slice set sent = 7"
    )
    assert (await cohort_rebuild.rebuild(world.owner, 0, check=False)).sums > 0
    assert await everything(world) == picture
    await assert_rebuilt(world)


async def test_what_waits_for_a_fold_is_compared_as_counted(
    world: World, database: Any, ledger: Ledger
) -> None:
    folding_now = await asyncpg.connect(database.dsn("observe"))
    await folding_now.execute("select pg_advisory_lock(28015, 0)")
    sent = await world.sent("acme", "newsletter", "kim@corp.example", known=False)
    await ledger.claimed(sent)
    await ledger.answered(sent)
    await world.tell(sent.send(), sent.bounce())
    await folding_now.close()
    assert await world.rows("select count(*) from cohort_batch") == [(2,)]
    compared = await cohort_rebuild.rebuild(world.owner, 0, check=True)
    assert compared.differences == []


async def test_wrong_counts_are_found_and_only_corrected_when_asked(world: World) -> None:
    sent = await world.sent("acme", "newsletter", "kim@corp.example")
    await world.tell(sent.bounce())
    await world.owner.execute("update cohort_minute set sent = 7, delivered = 1")
    await world.owner.execute("delete from cohort_bounce_domain")
    for check in (True, True, False):
        compared = await cohort_rebuild.rebuild(world.owner, 0, check=check)
        changes = [
            (one.cell.domain, {n: c for n, c in enumerate(one.counts) if c}) for one in compared.differences
        ]
        # The bounce is counted; only its domain is not.
        wanted = [(None, {0: -6, 2: -1}), ("corp.example", {3: 1}), (None, {3: -1})]
        assert sorted(changes, key=str) == sorted(wanted, key=str)
    assert await counted(world, "sent") == [(0, 1)]
    assert await counted(world, "hard_bounced") == [(0, 1)]
    assert await world.rows("select hard_bounced from cohort_bounce_domain") == [(1,)]
    await assert_rebuilt(world)


async def test_a_campaign_per_mail_is_counted_under_one_name_beyond_the_bound(world: World) -> None:
    lane = world.lanes["acme", "newsletter"]
    await world.cohorts.add(lane, campaign="spring", sent=1)
    await world.owner.execute(
        "insert into slice (tenant, lane, path, campaign, first_minute) select $1, $2, 'isolated', 'x' || n, 0"
        " from generate_series(1, 19998) n",
        world.tenants["acme"],
        lane,
    )
    for name in ("b", "a", "c"):
        await world.cohorts.add(lane, campaign=name, list="l", sent=1, fold=False)
    await world.cohorts.add(lane, campaign="spring", sent=1)
    await world.cohorts.add(lane, campaign="b", list="l", delivered=1)
    await world.cohorts.add(lane, sent=1)
    await world.cohorts.add(world.lanes["zen", "newsletter"], campaign="b", sent=1)
    rows = await world.rows(
        "select campaign, list, sum(sent)::int, sum(delivered)::int from cohort_slice c join slice s on s.id = c.slice"
        " where lane = $1 group by 1, 2",
        lane,
    )
    assert sorted(rows, key=repr) == [
        ("*", None, 2, 1),
        ("a", "l", 1, None),
        ("spring", None, 2, None),
        (None, None, 1, None),
    ]
    assert await world.rows("select campaign from slice where lane <> $1", lane) == [("b",)]


async def everything(world: World) -> dict[str, list[tuple[Any, ...]]]:
    await world.cohorts.fold()
    tables = {
        "cohort_minute": "*", "cohort_hour": "*", "cohort_day": "*", "cohort_bounce_domain": "*",
        "cohort_unknown where 0 <> any (counts)": "*",
        "cohort_slice": "slice, provider, first_minute, sent, delivered, hard_bounced",
    }  # fmt: skip
    return {
        table: sorted(await world.rows(f"select {columns} from {table}"), key=repr)
        for table, columns in tables.items()
    }


async def test_a_change_that_cannot_be_added_stops_none_of_those_before_it(
    database: Any, world: World
) -> None:
    largest = 2**31 - 3  # with the two before, an hour is full
    append = (
        "insert into cohort_change (tenant, lane, minute, path, provider, counts)"
        " select tenant, id, $1, 'isolated', 0, array[$2::int] from lane order by id limit 1"
    )
    for minute, sent in ((1, 1), (2, 1), (3, largest), (3, 1), (4, 1)):
        await world.owner.execute(append, minute, sent)
    store = CohortStore(database.dsn("control"))
    try:
        with pytest.raises(folding.NotFolded, match="does not take a value"):
            await folding.fold_all(store)
    finally:
        await store.close()
    rows = await world.owner.fetch("select minute, sent from cohort_minute order by minute")
    assert [tuple(row) for row in rows] == [(1, 1), (2, 1), (3, largest)]
    assert await world.owner.fetchval("select count(*) from cohort_change") == 2
    assert await world.owner.fetchval("select folded_at from cohort_fold") == 0
