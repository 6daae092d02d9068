"""The queue's rules on a real database: accepted mail is durable, tenants take turns, holds stop lanes."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from mailcordon.adapters.db import queries
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.errors import Conflict, Invalid, MailcordonError, TooMuch
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.send.accept import Accept
from mailcordon.send.accept_item import Accepted, Repeated
from mailcordon.send.moves import Claimed, Defer, Finish, Requeue, Why
from mailcordon_fixtures.queue_world import accepting, allowed, now_ms

_SQL = queries.load("queue_store.sql")
ALL = (Class.URGENT, Class.TRANSACTIONAL, Class.MARKETING)


@pytest.fixture
async def accept(world) -> AsyncIterator[Accept]:
    async with accepting(world) as accept:
        yield accept


async def put(door: Accept, submission, slug: str = "acme", key: str | None = None) -> Accepted:
    answer = await door.enqueue(slug, submission, api_key=1, key=key, still_allowed=allowed)
    assert isinstance(answer, Accepted)
    return answer


async def finish(queue: QueueStore, claims: list[Claimed], state: State = State.SENT) -> None:
    await queue.complete(
        [Finish(claim=c, state=state, reason=Reason.SENT, detail="", ses_id=f"ses-{c.id}") for c in claims],
        [],
        [],
    )


async def test_what_is_accepted_is_claimed_once_and_ends_in_the_ledger(world, accept, queue, make_submission):
    await world.lane("acme", "password-reset")
    answer = await put(accept, make_submission(to=["kim@example.com", "lee@example.com"], individually=True))
    claims = (await queue.claim(ALL, 10)).claimed
    assert [c.to for c in claims] == ["kim@example.com", "lee@example.com"]
    assert [c.id for c in claims] == [d.id for d in answer.deliveries]
    assert all(c.attempt == 1 and b"Hello Kim" in c.content for c in claims)
    assert (await queue.claim(ALL, 10)).claimed == []
    await finish(queue, claims)
    assert await world.count("ready") == 0
    assert await world.count("ledger", "state = 20") == 2


async def test_an_idempotency_key_makes_one_message(world, accept, make_submission):
    await world.lane("acme", "password-reset")
    first = await put(accept, make_submission(), key="k1")
    again = await accept.enqueue("acme", make_submission(), api_key=1, key="k1", still_allowed=allowed)
    assert again == Repeated(first.id)
    with pytest.raises(Conflict):
        await put(accept, make_submission(subject="Other"), key="k1")
    assert await world.count("message") == 1


async def test_the_same_key_twice_in_one_batch_makes_one_message(world, accept, make_submission):
    await world.lane("acme", "password-reset")
    answers = await asyncio.gather(
        *(
            accept.enqueue("acme", make_submission(), api_key=1, key="k", still_allowed=allowed)
            for _ in range(8)
        ),
        accept.enqueue("acme", make_submission(subject="Other"), api_key=1, key="k", still_allowed=allowed),
        return_exceptions=True,
    )
    made = [a for a in answers if isinstance(a, Accepted)]
    assert len(made) == 1
    assert sum(isinstance(a, Repeated) and a.message == made[0].id for a in answers) == 7
    assert sum(isinstance(a, Conflict) for a in answers) == 1
    assert await world.count("message") == 1


async def test_one_tenants_key_is_not_anothers(world, accept, make_submission):
    await world.lane("acme", "password-reset")
    await world.lane("zen", "password-reset")
    await put(accept, make_submission(), key="k")
    await put(accept, make_submission(slug="zen"), slug="zen", key="k")
    assert await world.count("message") == 2


async def test_nothing_is_resolved_by_default(world, accept, make_submission):
    await world.lane("acme", "password-reset")
    for slug, submission, field in (
        ("nobody", make_submission(), "tenant"),
        ("acme", make_submission(type="invoice"), "type"),
        ("acme", make_submission(sender="a@elsewhere.example"), "from"),
    ):
        with pytest.raises(Invalid) as refused:
            await put(accept, submission, slug=slug)
        assert refused.value.faults[0].field == field
    assert await world.count("message") == 0


async def test_a_suppressed_recipient_is_refused_with_its_reason_and_the_others_are_accepted(
    world, accept, queue, make_submission
):
    lane = await world.lane("acme", "password-reset")
    await world.lane("zen", "password-reset")
    await world.suppress("acme", "Kim@Example.com")
    answer = await put(accept, make_submission(to=["kim@example.com", "lee@example.com"]))
    assert [d.state for d in answer.deliveries] == [State.REFUSED, State.READY]
    assert "hard bounce" in (answer.deliveries[0].detail or "")
    other = await put(accept, make_submission(slug="zen"), slug="zen")
    assert other.deliveries[0].state is State.READY
    assert len((await queue.claim(ALL, 10)).claimed) == 2
    assert await world.count("ledger", f"lane = {lane} and state = 10") == 1


async def test_a_suppression_of_one_class_leaves_the_tenants_other_class_open(world, accept, make_submission):
    await world.lane("acme", "password-reset")
    await world.lane("acme", "newsletter")
    await world.suppress("acme", "kim@example.com", scope=1, target=int(Class.MARKETING))
    assert (await put(accept, make_submission("newsletter"))).deliveries[0].state is State.REFUSED
    assert (await put(accept, make_submission())).deliveries[0].state is State.READY


async def test_a_held_lane_is_not_claimed_and_others_are(world, accept, queue, make_submission):
    held = await world.lane("acme", "newsletter")
    await world.lane("acme", "password-reset")
    await world.connection.execute("update lane set held = true where id = $1", held)
    waiting = await put(accept, make_submission("newsletter"))
    assert waiting.deliveries[0].state is State.HELD
    await put(accept, make_submission())
    assert {c.lane for c in (await queue.claim(ALL, 10)).claimed} != {held}
    assert await world.count("ready", f"lane = {held} and state = 0") == 1


async def test_tenants_take_turns_whatever_their_backlog(world, accept, queue, make_submission):
    big = await world.lane("acme", "newsletter")
    small = await world.lane("zen", "newsletter")
    to = [f"r{n}@example.com" for n in range(50)]
    for _ in range(4):
        await put(accept, make_submission("newsletter", to=to))
    await put(accept, make_submission("newsletter", slug="zen", to=to[:5]), slug="zen")
    lanes = [c.lane for c in (await queue.claim(ALL, 20)).claimed]
    assert lanes.count(small) == 5
    assert lanes.count(big) == 10


async def test_more_lanes_give_no_more_turns(world, accept, queue, make_submission):
    one = await world.lane("zen", "newsletter")
    for type in ("newsletter", "announcement"):
        await world.lane("acme", type)
    to = [f"r{n}@example.com" for n in range(50)]
    for type in ("newsletter", "announcement"):
        await put(accept, make_submission(type, to=to))
    await put(accept, make_submission("newsletter", slug="zen", to=to), slug="zen")
    lanes = [c.lane for c in (await queue.claim(ALL, 20)).claimed]
    assert len(lanes) == 20
    assert lanes.count(one) == 10


async def test_urgent_mail_has_its_weight_of_a_batch(world, accept, queue, make_submission):
    urgent = await world.lane("acme", "password-reset")
    await world.lane("acme", "newsletter")
    to = [f"r{n}@example.com" for n in range(50)]
    await put(accept, make_submission(to=to))
    await put(accept, make_submission("newsletter", to=to))
    lanes = [c.lane for c in (await queue.claim(ALL, 45)).claimed]
    assert lanes.count(urgent) == 40


async def test_a_lanes_rate_is_not_exceeded(world, accept, queue, make_submission):
    await world.lane("acme", "newsletter", rate=3.0, tokens=3.0, tokens_at=2**50)
    await put(accept, make_submission("newsletter", to=[f"r{n}@example.com" for n in range(10)]))
    assert len((await queue.claim(ALL, 100)).claimed) == 3
    assert (await queue.claim(ALL, 100)).claimed == []
    assert await world.connection.fetchval("select next_at from turn") > 0


async def test_a_turn_is_not_visited_before_its_lane_has_a_token_again(world, accept, queue, make_submission):
    await world.lane("acme", "newsletter", rate=0.5)
    await put(accept, make_submission("newsletter", to=["kim@example.com", "lee@example.com"]))
    [claim] = (await queue.claim(ALL, 100)).claimed
    waits = await world.connection.fetchval("select next_at / 1000 from turn") - claim.called_at
    assert 1500 < waits <= 2001


async def test_a_lane_at_its_backlog_bound_says_so_and_others_accept(world, accept, make_submission):
    await world.lane("acme", "password-reset", backlog_deliveries=1)
    await world.lane("zen", "password-reset")
    await put(accept, make_submission())
    await accept.forget()
    with pytest.raises(TooMuch) as refused:
        await put(accept, make_submission())
    assert refused.value.retry_after > 0
    await put(accept, make_submission(slug="zen"), slug="zen")


async def test_a_full_lane_answers_a_repeated_key_with_the_message_it_made(world, accept, make_submission):
    await world.lane("acme", "password-reset", backlog_deliveries=1)
    first = await put(accept, make_submission(), key="k1")
    await accept.forget()
    again = await accept.enqueue("acme", make_submission(), api_key=1, key="k1", still_allowed=allowed)
    assert again == Repeated(first.id)
    with pytest.raises(Conflict):
        await put(accept, make_submission(subject="Other"), key="k1")
    for key in ("k2", None):
        with pytest.raises(TooMuch):
            await put(accept, make_submission(), key=key)


@pytest.mark.parametrize("offset_ms", [-600_000, 600_000])
async def test_ids_have_the_databases_time_whatever_the_hosts_clock_says(world, make_submission, offset_ms):
    await world.lane("acme", "password-reset")
    async with accepting(world, lambda: now_ms() + offset_ms) as door:
        before = await world.connection.fetchval("select now_ms()")
        made = [await put(door, make_submission()) for _ in range(3)]
        after = await world.connection.fetchval("select now_ms()")
    # The difference of the clocks is measured over the time of a statement, which a busy machine stretches.
    assert all(before - 60_000 <= ids.ms_of(one.id) <= after for one in made)


async def test_a_completion_is_fenced_by_its_attempt(world, accept, queue, make_submission):
    await world.lane("acme", "password-reset")
    await put(accept, make_submission())
    [claim] = (await queue.claim(ALL, 10)).claimed
    await world.connection.execute("update ready set attempt = 2")
    await finish(queue, [claim])
    assert await world.count("ledger") == 0
    assert await world.count("ready") == 1


async def test_an_answer_that_comes_after_the_reaper_still_settles_the_delivery(
    world, accept, queue, make_submission
):
    await world.lane("acme", "password-reset")
    await put(accept, make_submission())
    [claim] = (await queue.claim(ALL, 10)).claimed
    other = QueueStore(world.database.dsn("send"))
    await other.begin_work()
    await world.connection.execute("update worker set heartbeat = 0 where id = $1", queue.worker)
    assert await other.reap(1000) == 0, "it still holds its lock, so it lives"
    await queue._worker_lock.close()
    async with asyncio.timeout(60):
        while not await other.reap(1000):
            await asyncio.sleep(0.01)
    assert await world.count("waiting", "why = 2") == 1
    await finish(queue, [claim])
    assert await world.count("ledger", "state = 20") == 1
    assert await world.count("waiting") == 0
    await other.close()


async def test_requeued_mail_counts_no_attempt_and_is_claimed_again(world, accept, queue, make_submission):
    await world.lane("acme", "password-reset")
    await put(accept, make_submission())
    for _ in range(2):
        [claim] = (await queue.claim(ALL, 10)).claimed
        assert claim.attempt == 1
        await queue.complete([], [], [Requeue(claim)])


async def defer_as_unknown(queue: QueueStore, claims: list[Claimed]) -> None:
    deferred = [
        Defer(
            claim=c, why=Why.UNKNOWN, code=Reason.OUTCOME_UNKNOWN, reason="no answer", note="outcome-unknown"
        )
        for c in claims
    ]
    await queue.complete([], deferred, [])


async def test_a_send_event_settles_an_unknown_outcome_without_a_second_call(
    world, accept, queue, settle, make_submission
):
    await world.lane("acme", "password-reset")
    await put(accept, make_submission())
    claims = (await queue.claim(ALL, 10)).claimed
    await defer_as_unknown(queue, claims)
    await world.connection.execute(
        "insert into send_event (delivery, attempt, ses_id, at) values ($1, 1, 'ses-1', now_ms())",
        claims[0].id,
    )
    done = await settle.settle()
    assert done is not None
    assert done.proved_sent == 1
    assert await world.connection.fetchval("select ses_id from ledger") == "ses-1"
    assert (await queue.claim(ALL, 10)).claimed == []


@pytest.mark.parametrize(("type", "resends"), [("password-reset", True), ("newsletter", False)])
async def test_proved_absence_resends_or_gives_up_as_the_class_says(
    world, accept, queue, settle, make_submission, type, resends
):
    await world.lane("acme", type, grace_ms=1000)
    await put(accept, make_submission(type))
    claims = (await queue.claim(ALL, 10)).claimed
    await defer_as_unknown(queue, claims)
    seen = (
        "insert into send_seen select configuration_set, $1, $1 from route "
        "on conflict (configuration_set) do update set called_at = $1, proved_called_at = $1"
    )
    await world.connection.execute("update waiting set called_at = called_at - 5000")
    called_at = claims[0].called_at - 5000
    await world.connection.execute(seen, called_at + 999)
    done = await settle.settle()
    assert done is not None
    assert done.resent + done.given_up == 0, "a Send event within the grace proves nothing"
    await world.connection.execute(seen, called_at + 1000)
    done = await settle.settle()
    assert done is not None
    assert (done.resent, done.given_up) == ((1, 0) if resends else (0, 1))
    again = (await queue.claim(ALL, 10)).claimed
    assert [c.attempt for c in again] == ([2] if resends else [])
    assert await world.count("note", "what in ('resend', 'given-up')") == 1


async def test_an_unknown_past_its_grace_asks_for_a_canary(world, accept, queue, settle, make_submission):
    await world.lane("acme", "password-reset", grace_ms=1)
    await put(accept, make_submission())
    claims = (await queue.claim(ALL, 10)).claimed
    await defer_as_unknown(queue, claims)
    await asyncio.sleep(0.01)
    done = await settle.settle()
    assert done is not None
    assert [need.configuration_set for need in done.canaries] == ["mc-urgent"]


async def test_an_unknown_that_expires_ends_as_no_outcome(world, accept, queue, settle, make_submission):
    lane = await world.lane("acme", "password-reset")
    await put(accept, make_submission())
    await defer_as_unknown(queue, (await queue.claim(ALL, 10)).claimed)
    await world.connection.execute("update lane set expiry_ms = 1 where id = $1", lane)
    await asyncio.sleep(0.01)
    done = await settle.settle()
    assert done is not None
    assert done.no_outcome == 1
    assert await world.count("ledger", "state = 28") == 1


async def test_urgent_content_is_deleted_when_the_last_delivery_of_its_message_has_left(
    world, accept, queue, make_submission
):
    await world.lane("acme", "password-reset")
    await put(accept, make_submission(to=["kim@example.com", "lee@example.com"]))
    first, second = (await queue.claim(ALL, 10)).claimed

    async def hand_over(claim: Claimed) -> None:
        await queue.complete(
            [Finish(claim=claim, state=State.SENT, reason=Reason.SENT, detail="", ses_id="x", forget=True)],
            [],
            [],
        )

    await hand_over(first)
    assert await world.count("urgent_content") == 1
    await hand_over(second)
    assert await world.count("urgent_content") == 0


async def test_mail_enqueued_while_its_turn_goes_idle_is_found_by_the_recheck(
    world, accept, queue, make_submission
):
    await world.lane("acme", "password-reset")
    await put(accept, make_submission())
    await finish(queue, (await queue.claim(ALL, 10)).claimed)
    assert await world.count("turn", "next_at is null") == 1
    # An enqueue that saw the turn awake does not wake it: the row below is inserted without a wake-up.
    await put(accept, make_submission())
    await world.connection.execute("update turn set next_at = null")
    assert await queue.recheck() == 1
    assert len((await queue.claim(ALL, 10)).claimed) == 1


async def test_the_accounts_rate_is_shared_and_leaves_a_reserve_for_urgent_mail(world, queue):
    granted, because = await queue.take_tokens("default", 10, urgent=True)
    assert granted.calls == 0
    assert because is Reason.RATE_UNKNOWN
    await world.account(rate=10)
    bulk, _ = await queue.take_tokens("default", 100, urgent=False)
    urgent, _ = await queue.take_tokens("default", 100, urgent=True)
    assert bulk.calls == 8
    assert urgent.calls >= 2


async def test_a_changed_route_is_used_by_every_process_at_once(world, accept, make_submission):
    lane = await world.lane("acme", "password-reset")
    await put(accept, make_submission())
    await world.connection.execute("update route set domain = 'new.acme.example' where lane = $1", lane)
    await world.connection.execute("update epoch set value = value + 1 where name = 'control'")
    with pytest.raises(Invalid):
        await put(accept, make_submission())


async def test_a_revoked_key_is_read_again_when_the_epoch_changes(world, accept, make_submission):
    await world.lane("acme", "password-reset")
    await put(accept, make_submission())
    await world.connection.execute("update epoch set value = value + 1 where name = 'control'")

    async def revoked() -> None:
        raise MailcordonError("revoked")

    with pytest.raises(MailcordonError, match="revoked"):
        await accept.enqueue("acme", make_submission(), api_key=1, key=None, still_allowed=revoked)
    assert await world.count("message") == 1


async def test_deferred_mail_expires(world, accept, queue, settle, make_submission):
    lane = await world.lane("acme", "newsletter")
    for n in range(3):
        await put(accept, make_submission("newsletter", to=[f"r{n}@example.com"]))
    claims = (await queue.claim(ALL, 10)).claimed
    await queue.complete(
        [],
        [Defer(claim=c, why=Why.RETRY, code=Reason.RETRY, until=2**50, reason="later") for c in claims],
        [],
    )
    await world.connection.execute("update lane set expiry_ms = 1 where id = $1", lane)
    await asyncio.sleep(0.01)
    done = await settle.settle()
    assert done is not None
    assert done.expired == 3
    assert await world.count("ledger", "state = 11") == 3


async def test_an_answer_that_is_written_while_its_worker_is_declared_dead_settles_the_delivery(
    world, accept, queue, make_submission
):
    await world.lane("acme", "password-reset")
    await put(accept, make_submission())
    [claim] = (await queue.claim(ALL, 10)).claimed
    other = QueueStore(world.database.dsn("send"))
    async with other._results._connection.transaction() as connection:
        await connection.fetchval(_SQL.reap_worker, queue.worker)
        answered = asyncio.create_task(finish(queue, [claim]))
        while not await world.connection.fetchval("select exists (select from pg_locks where not granted)"):
            await asyncio.sleep(0.01)
    await answered
    await other.close()
    assert await world.count("ledger", "state = 20") == 1
    assert await world.count("waiting") == 0


async def test_urgent_mail_whose_recipients_are_all_refused_leaves_no_content(world, accept, make_submission):
    await world.lane("acme", "password-reset")
    await world.suppress("acme", "kim@example.com")
    await put(accept, make_submission())
    assert await world.count("ledger", "state = 10") == 1
    assert await world.count("urgent_content") == 0


@pytest.mark.parametrize("scope", [0, 1, 2, 3])
async def test_a_suppression_is_worded_the_same_at_the_door_and_before_the_call(
    world, accept, queue, make_submission, scope
):
    lane = await world.lane("acme", "password-reset")
    await put(accept, make_submission())
    if scope == 3:
        await world.connection.execute(
            "insert into platform_suppression (hash, address, cause, since, by)"
            " select hash, 'kim@example.com', 'legal request', 1, 'ann' from ready"
        )
    else:
        await world.suppress("acme", "kim@example.com", scope=scope, target=lane if scope == 2 else 0)
    await queue.claim(ALL, 10)
    await put(accept, make_submission())
    late, refused = await world.connection.fetch("select detail from ledger order by id")
    assert late == refused
    assert "kim@example.com" in late["detail"]


async def test_what_of_the_platforms_list_is_for_a_class_covers_no_other_mail(
    world, accept, queue, make_submission
):
    urgent, _ = await world.lane("acme", "password-reset"), await world.lane("acme", "newsletter")
    both = make_submission(), make_submission("newsletter", to=["kim@example.com"])
    for one in both:
        await put(accept, one)
    await world.connection.execute(
        "insert into platform_suppression (hash, address, cause, since, by, class)"
        " select hash, 'kim@example.com', 'complaint', 1, 'split', 2 from ready limit 1"
    )
    for one in both:
        await put(accept, one)
    claimed = (await queue.claim(ALL, 10)).claimed
    assert [one.lane for one in claimed] == [urgent] * 2
    refused = await world.connection.fetch("select detail from ledger where state = 10")
    assert len(refused) == 2
    assert {row["detail"].partition(":")[0] for row in refused} == {
        "No tenant may send marketing mail to kim@example.com"
    }
