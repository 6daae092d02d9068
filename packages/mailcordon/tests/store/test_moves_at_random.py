"""Random moves, claims, restarts, holds, cancels, expiries and settlements: no delivery is lost, doubled or miscounted.

After every step: taken in - finished = queued for each lane, in deliveries and in bytes; each delivery is in exactly one place;
the content of an urgent message is there exactly as long as one of its deliveries is queued.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

import asyncpg
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.adapters.db.clearing_store import ClearingStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.message_reader import MessageCanceller
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.adapters.db.settle_store import SettleStore
from mailcordon.control.governor import Governor
from mailcordon.core import ids
from mailcordon.core.delivery import State, Why
from mailcordon.core.hold import NewHold
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.core.target import Target
from mailcordon.send.moves import Claimed, Defer, Finish, Requeue
from mailcordon_fixtures.queue_world import World, new_message

_QUEUE = queries.load("queue_store.sql")
#: Without shrinking, which would repeat a failure for minutes: thirty steps are read as they are.
SMALL = settings(max_examples=20, stateful_step_count=30, phases=[Phase.generate])
ALL = (Class.URGENT, Class.TRANSACTIONAL, Class.MARKETING)
TYPES = ("password-reset", "newsletter")
ANSWERS = ("sent", "rejected", "requeued", "retry", "unknown", "held")


class System:
    """The stores of one database, two dispatchers among them, on an event loop of their own."""

    def __init__(self, database: Any) -> None:
        self.runner = asyncio.Runner()
        send = database.dsn("send")
        self.owner = self.run(
            asyncpg.connect(database.dsn("owner"), server_settings={"search_path": "mailcordon"})
        )
        self.world = World(database, self.owner)
        self.pool = self.run(engine.create_pool(database.dsn("governor")))
        self.governor = Governor(GovernorStore(self.pool))
        self.accept, self.settle = AcceptStore(send), SettleStore(send)
        self.clearing, self.canceller = ClearingStore(send), MessageCanceller(database.dsn("governor"))
        self.workers = [QueueStore(send), QueueStore(send)]
        for worker in self.workers:
            self.run(worker.begin_work())
        self.node = self.run(self.accept.node())
        self.generator = ids.IdGenerator(self.node)
        self.tenants = 0

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def close(self) -> None:
        for store in (self.accept, self.settle, self.clearing, self.canceller, *self.workers):
            self.run(store.close())
        self.run(self.pool.close())
        self.run(self.owner.close())
        self.runner.close()


class Moves(RuleBasedStateMachine):
    system: System

    messages = Bundle("messages")
    claims = Bundle("claims")
    holds = Bundle("holds")

    @initialize()
    def onboard(self) -> None:
        self.run, self.owner = self.system.run, self.system.owner
        self.system.tenants += 1
        self.slug = f"t{self.system.tenants}"
        self.lanes = {type: self.run(self.system.world.lane(self.slug, type, grace_ms=1)) for type in TYPES}
        self.tenant = self.run(
            self.owner.fetchval("select tenant from lane where id = $1", self.lanes[TYPES[0]])
        )
        self.accepted: set[int] = set()

    @rule(
        target=messages,
        type=st.sampled_from(TYPES),
        recipients=st.lists(st.integers(1, 3), min_size=1, max_size=3),
        campaign=st.sampled_from(["spring", None]),
    )
    def accept(self, type: str, recipients: list[int], campaign: str | None) -> Any:
        [entry] = self.run(self.system.accept.lanes([self.slug]))[self.slug].entries[type]
        now = self.run(self.owner.fetchval("select now_ms()"))
        batch = [
            new_message(
                self.system.generator.next(now),
                self.slug,
                entry.route,
                number,
                campaign=campaign,
                content=b"x" * 10 * number,
            )
            for number in recipients
        ]
        epoch = self.run(self.owner.fetchval("select value from epoch where name = 'control'"))
        self.run(self.system.accept.store(batch, epoch))
        self.accepted |= {one.id for message in batch for one in message.deliveries}
        return multiple(*(message.id for message in batch))

    @rule(target=claims, worker=st.integers(0, 1), slots=st.integers(1, 8))
    def claim(self, worker: int, slots: int) -> Any:
        self.run(self.owner.execute("update turn set next_at = 1 where tenant = $1", self.tenant))
        batch = self.run(self.system.workers[worker].claim(ALL, slots))
        return multiple(*((worker, one) for one in batch.claimed))

    @rule(claimed=claims, answer=st.sampled_from(ANSWERS))
    def record(self, claimed: tuple[int, Claimed], answer: str) -> None:
        """Also twice, with another answer, or by a dispatcher that was declared dead."""
        worker, one = claimed
        finished, deferred, requeued = [], [], []
        match answer:
            case "sent":
                finished = [Finish(one, State.SENT, Reason.SENT, "", "ses", forget=True)]
            case "rejected":
                finished = [Finish(one, State.REJECTED_AT_CALL, Reason.REJECTED_BY_SES, "")]
            case "requeued":
                requeued = [Requeue(one)]
            case "retry":
                deferred = [Defer(one, Why.RETRY, Reason.RETRY, "later", until=1)]
            case "held":
                deferred = [Defer(one, Why.HELD, Reason.HELD, "held", hold=1)]
            case _:
                deferred = [Defer(one, Why.UNKNOWN, Reason.OUTCOME_UNKNOWN, "no answer")]
        self.run(self.system.workers[worker].complete(finished, deferred, requeued))

    @rule(worker=st.integers(0, 1))
    def declare_dead(self, worker: int) -> None:
        self.run(self.owner.fetchval(_QUEUE.reap_worker, self.system.workers[worker].worker))

    @rule(claimed=claims)
    def show_send_event(self, claimed: tuple[int, Claimed]) -> None:
        self.run(
            self.owner.execute(
                "insert into send_event values ($1, $2, 'ses', 1) on conflict do nothing",
                claimed[1].id,
                claimed[1].attempt,
            )
        )

    @rule()
    def show_absence(self) -> None:
        self.run(self.system.world.prove_absence())

    @rule()
    def settle(self) -> None:
        self.run(self.system.settle.settle())
        self.run(self.system.clearing.give_back())

    @rule(on=st.booleans())
    def suppress(self, on: bool) -> None:
        """The first recipient of every message. What is refused when it is accepted was never queued."""
        self.run(self.owner.execute("delete from suppression where tenant = $1", self.tenant))
        if on:
            self.run(
                self.owner.execute(
                    "insert into suppression (tenant, hash, scope, target, address, cause, since, by)"
                    " values ($1, $2, 0, 0, 'k', 'manual', 1, 'ann')",
                    self.tenant,
                    bytes([1]) * 16,
                )
            )

    @rule()
    def park(self) -> None:
        holds = self.run(self.system.governor.open_holds(self.tenant))
        self.run(self.system.clearing.park({self.tenant: [hold for hold in holds if hold.narrow]}))

    @rule(target=holds, type=st.sampled_from((None, *TYPES)), campaign=st.sampled_from(["spring", None]))
    def hold(self, type: str | None, campaign: str | None) -> int:
        target = Target(tenant=self.tenant, lane=self.lanes[type] if type else None, campaign=campaign)
        new = NewHold(target=target, owner="person", because="bad list")
        return self.run(self.system.governor.place(new, actor="ann")).id

    @rule(hold=holds)
    def lift(self, hold: int) -> None:
        self.run(self.system.governor.lift([hold], tenant=self.tenant, actor="ann", because="clean"))

    @rule(message=messages, type=st.sampled_from(TYPES))
    def cancel_message(self, message: int, type: str) -> None:
        self.run(
            self.system.canceller.cancel_message(
                message, self.lanes[type], tenant=1, actor="ann", because="wrong link"
            )
        )

    @rule(type=st.sampled_from(TYPES), campaign=st.sampled_from(["spring", None]))
    def cancel_lane(self, type: str, campaign: str | None) -> None:
        target = Target(tenant=self.tenant, lane=self.lanes[type], campaign=campaign)
        self.run(self.system.governor.cancel(target, actor="ann", because="wrong link"))

    @rule(type=st.sampled_from(TYPES))
    def expire(self, type: str) -> None:
        lane = self.lanes[type]
        before = self.run(self.owner.fetchval("select expiry_ms from lane where id = $1", lane))
        self.run(self.owner.execute("update lane set expiry_ms = 1 where id = $1", lane))
        self.run(self.system.clearing.expire())
        self.settle()
        self.run(self.owner.execute("update lane set expiry_ms = $2 where id = $1", lane, before))

    @invariant()
    def nothing_is_lost_doubled_or_miscounted(self) -> None:
        if not hasattr(self, "tenant"):
            return
        for row in self.run(self.owner.fetch(COUNTS, self.tenant)):
            assert row["taken_in"] - row["finished"] == row["queued"], dict(row)
            assert row["bytes_in"] - row["bytes_finished"] == row["bytes_queued"], dict(row)
        places = [row["id"] for row in self.run(self.owner.fetch(PLACES, self.tenant))]
        assert len(places) == len(set(places))
        assert set(places) == self.accepted
        assert self.run(self.owner.fetch(WRONG_CONTENT, self.tenant)) == []

    def teardown(self) -> None:
        """The next example starts with an empty queue. What it leaves in the ledger is another tenant's."""
        self.run(
            self.owner.execute(
                "delete from ready; delete from waiting; delete from urgent_content; update turn set next_at = null;"
                "update hold set lifted_at = 1 where lifted_at is null"
            )
        )


COUNTS = """
with q as (
    select x.lane, count(*) as queued, sum(m.bytes) as bytes
      from (select lane, id from ready union all select lane, id from waiting) x join message m on m.id = (x.id & -64)
     group by x.lane
)
select l.id, coalesce((select sum(deliveries) from lane_intake i where i.lane = l.id), 0) as taken_in,
       coalesce((select sum(bytes) from lane_intake i where i.lane = l.id), 0) as bytes_in,
       coalesce((select sum(deliveries) from lane_finished f where f.lane = l.id), 0) as finished,
       coalesce((select sum(bytes) from lane_finished f where f.lane = l.id), 0) as bytes_finished,
       coalesce(q.queued, 0) as queued, coalesce(q.bytes, 0) as bytes_queued
  from lane l left join q on q.lane = l.id where l.tenant = $1
"""
PLACES = """
select id from ready where tenant = $1 union all select id from waiting where tenant = $1
union all select id from ledger where tenant = $1
"""
#: Urgent messages with content and nothing queued, or the other way round.
WRONG_CONTENT = """
select m.id from message m join lane l on l.id = m.lane
 where m.tenant = $1 and l.class = 0
   and exists (select from urgent_content c where c.id = m.id)
       is distinct from exists (select from (select id from ready union all select id from waiting) q where q.id & -64 = m.id)
"""


def test_no_order_of_moves_loses_doubles_or_miscounts_mail(database: Any) -> None:
    system = System(database)
    try:
        Moves.system = system
        run_state_machine_as_test(Moves, settings=SMALL)
    finally:
        system.close()
