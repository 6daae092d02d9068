"""The body of urgent mail ends with its last delivery, however that ends."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.clearing_store import ClearingStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.message_reader import MessageCanceller
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.adapters.db.settle_store import SettleStore
from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.core.target import Target
from mailcordon.send.accept_item import Accepted
from mailcordon.send.moves import Claimed, Defer, Finish, Why
from mailcordon_fixtures.queue_world import accepting, allowed


@dataclass
class Mail:
    """Urgent mail to two recipients, and all that can end it."""

    world: Any
    lane: int
    id: int
    queue: QueueStore
    clearing: ClearingStore
    settle: SettleStore
    canceller: MessageCanceller
    governor: GovernorStore

    async def claim(self) -> list[Claimed]:
        return list((await self.queue.claim([Class.URGENT], 10)).claimed)

    async def finish(self, state: State, reason: Reason) -> None:
        for claim in await self.claim():  # one by one: the first must leave the body to the second
            assert await self.world.count("urgent_content") == 1
            ses_id = f"ses-{claim.id}" if state is State.SENT else None
            end = Finish(
                claim=claim, state=state, reason=reason, detail="", ses_id=ses_id, forget=state is State.SENT
            )
            await self.queue.complete([end], [], [])

    async def defer(self, why: Why, code: Reason) -> None:
        moves = [
            Defer(claim=claim, why=why, code=code, reason="", until=None) for claim in await self.claim()
        ]
        await self.queue.complete([], moves, [])

    async def expire(self) -> None:
        # Older than its lane lets mail become; at least a millisecond has passed since accept.
        await self.world.connection.execute("update lane set expiry_ms = 1")
        await self.world.connection.execute("select pg_sleep(0.01)")

    async def settled(self) -> None:
        assert await self.settle.settle() is not None


@pytest.fixture
async def mail(world: Any, make_submission: Any) -> AsyncIterator[Mail]:
    lane = await world.lane("acme", "password-reset")
    submission = make_submission(to=["kim@example.com", "lee@example.com"])
    async with accepting(world) as accept:
        answer = await accept.enqueue("acme", submission, api_key=1, key=None, still_allowed=allowed)
    assert isinstance(answer, Accepted)
    queue = QueueStore(world.database.dsn("send"))
    clearing = ClearingStore(world.database.dsn("send"))
    settle = SettleStore(world.database.dsn("send"))
    canceller = MessageCanceller(world.database.dsn("governor"))
    await queue.begin_work()
    async with await engine.create_pool(world.database.dsn("governor")) as pool:
        id = ids.message_of(answer.deliveries[0].id)
        yield Mail(world, lane, id, queue, clearing, settle, canceller, GovernorStore(pool))
    for store in (queue, clearing, settle, canceller):
        await store.close()


async def sent(mail: Mail) -> None:
    await mail.finish(State.SENT, Reason.SENT)


async def rejected_by_ses(mail: Mail) -> None:
    await mail.finish(State.REJECTED_AT_CALL, Reason.REJECTED_BY_SES)


async def suppressed_before_the_call(mail: Mail) -> None:
    await mail.finish(State.REFUSED, Reason.SUPPRESSED)


async def expired_in_its_lane(mail: Mail) -> None:
    await mail.expire()
    assert await mail.clearing.expire() == 2


async def suppressed_in_its_lane(mail: Mail) -> None:
    for address in ("kim@example.com", "lee@example.com"):
        await mail.world.suppress("acme", address)
    assert await mail.claim() == []


async def expired_while_waiting_for_a_retry(mail: Mail) -> None:
    await mail.defer(Why.RETRY, Reason.RETRY)
    await mail.expire()
    await mail.settled()


async def no_outcome_reported(mail: Mail) -> None:
    await mail.defer(Why.UNKNOWN, Reason.OUTCOME_UNKNOWN)
    await mail.expire()
    await mail.settled()


async def proved_by_a_send_event(mail: Mail) -> None:
    await mail.defer(Why.UNKNOWN, Reason.OUTCOME_UNKNOWN)
    await mail.world.connection.execute("insert into send_event select id, attempt, 's', 0 from waiting")
    await mail.settled()


async def given_up(mail: Mail) -> None:
    await mail.world.connection.execute("update lane set resend = false")
    await mail.defer(Why.UNKNOWN, Reason.OUTCOME_UNKNOWN)
    await mail.world.connection.execute("update waiting set called_at = called_at - 120000")
    await mail.world.connection.execute(
        "insert into send_seen (configuration_set, called_at, proved_called_at)"
        " select configuration_set, now_ms(), now_ms() from route"
    )
    await mail.settled()


async def cancelled_in_its_lane(mail: Mail) -> None:
    assert (
        len(await mail.canceller.cancel_message(mail.id, mail.lane, tenant=1, actor="ann", because=None)) == 2
    )


async def cancelled_while_waiting(mail: Mail) -> None:
    await mail.defer(Why.RETRY, Reason.RETRY)
    assert (
        len(await mail.canceller.cancel_message(mail.id, mail.lane, tenant=1, actor="ann", because=None)) == 2
    )


async def cancelled_with_its_lane(mail: Mail) -> None:
    tenant = await mail.world.connection.fetchval("select id from tenant")
    assert await mail.governor.cancel(Target(tenant=tenant), mail.lane, detail="", most=100) == 2


async def cancelled_with_its_lane_while_waiting(mail: Mail) -> None:
    await mail.defer(Why.RETRY, Reason.RETRY)
    await cancelled_with_its_lane(mail)


@pytest.mark.parametrize(
    "end",
    [
        sent,
        rejected_by_ses,
        suppressed_before_the_call,
        suppressed_in_its_lane,
        expired_in_its_lane,
        expired_while_waiting_for_a_retry,
        no_outcome_reported,
        proved_by_a_send_event,
        given_up,
        cancelled_in_its_lane,
        cancelled_while_waiting,
        cancelled_with_its_lane,
        cancelled_with_its_lane_while_waiting,
    ],
)
async def test_no_body_of_urgent_mail_is_left(mail: Mail, end: Callable[[Mail], Awaitable[None]]) -> None:
    assert await mail.world.count("urgent_content") == 1
    await end(mail)
    assert await mail.world.count("ledger") == 2
    assert await mail.world.count("urgent_content") == 0
