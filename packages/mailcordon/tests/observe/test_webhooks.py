"""Webhooks from SES's documents to a receiver: real database, real HTTP, real signatures. The receiver counts."""

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from mailcordon.adapters.db import engine, installation
from mailcordon.adapters.db.secrets import Vault, make_secret_key
from mailcordon.adapters.db.webhook_store import PostgresWebhooks
from mailcordon.adapters.ses.feedback import decode
from mailcordon.adapters.web import standard_webhooks
from mailcordon.adapters.web.post import Poster
from mailcordon.adapters.web.webhook_courier import SesForm, WebhookCourier
from mailcordon.app.webhooks import Signing
from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.errors import Conflict, Invalid, NotFound
from mailcordon.observe.webhooks import outbox, plan
from mailcordon.observe.webhooks.endpoints import Endpoints, NewEndpoint
from mailcordon.observe.webhooks.loop import Webhooks
from mailcordon.observe.webhooks.nouns import EVENTS, LEFT_STATES, Result, Subscription, Subscriptions
from mailcordon.observe.webhooks.tally import MOST_NAMED, OTHER, Tally
from mailcordon_fixtures.alerting import ANN
from mailcordon_fixtures.receiver import Receiver

from .conftest import Sent, World

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


@dataclass
class Hooks:
    world: World
    pool: engine.Pool
    store: PostgresWebhooks
    endpoints: Endpoints
    loop: Webhooks
    tally: Tally
    secret_key: str

    async def add(self, url: str, name: str = "app", tenant: str | None = "acme", **more: Any) -> str | None:
        number = None if tenant is None else self.world.tenants[tenant]
        new = NewEndpoint(name=name, url=url, tenant=tenant, **more)
        return await self.endpoints.add(new, number, ANN, because=None)

    async def rounds(self, *, after_ms: int = 0) -> None:
        self.store.clock_ms += after_ms
        while await self.loop.begin():
            await self.loop.round()

    async def state(self, name: str = "app") -> Any:
        return await self.world.owner.fetchrow("select * from webhook_endpoint where name = $1", name)

    async def outbox(self) -> list[tuple[Any, ...]]:
        rows = await self.world.owner.fetch(
            "select e.name, m.event, m.tries, m.due_at is not null as waits, m.arrived_at is not null as arrived"
            " from webhook_message m join webhook_endpoint e on e.id = m.endpoint order by m.id"
        )
        return [tuple(row) for row in rows]

    async def tag(self, sent: Sent, tags: dict[str, str]) -> None:
        """Tags of the app's own."""
        await self.world.owner.execute(
            "update message set tags = $2::jsonb where id = $1",
            ids.message_of(sent.delivery),
            json.dumps(tags),
        )

    async def leaves(self, sent: Sent, state: State, detail: str) -> None:
        """A delivery ends without SES."""
        await self.world.owner.execute("delete from ledger where id = $1", sent.delivery)
        await self.world.owner.execute(
            "insert into ledger (id, tenant, lane, state, attempt, provider, at, reason, detail)"
            " select $1, tenant, lane, $2, 1, 0, now_ms(), $3, $4 from message where id = $1 & ~63::bigint",
            sent.delivery,
            int(state),
            state.word,
            detail,
        )


@pytest.fixture
async def hooks(world: World, database: Any) -> AsyncIterator[Hooks]:
    pool = await engine.create_pool(database.dsn("control"))
    secret_key = make_secret_key()
    store = PostgresWebhooks(pool, [secret_key])
    poster = Poster(LOOPBACK, seconds=20)
    signing = Signing(store, "https://mail.example.com")

    def message_id(delivery: int) -> str:
        return f"0100-{ids.encode(ids.message_of(delivery))}"

    courier = WebhookCourier(
        poster, SesForm(signer=signing.signer, region="us-east-1", message_id=message_id)
    )
    endpoints = Endpoints(
        store,
        courier,
        check_url=poster.check,
        new_secret=standard_webhooks.new_secret,
        is_secret=standard_webhooks.is_secret,
        ses_form=signing.ready,
    )
    tally = Tally()
    loop = Webhooks(store, courier, _always, tally=tally)
    yield Hooks(world, pool, store, endpoints, loop, tally, secret_key)
    await pool.close()


async def _always() -> bool:
    return True


def types(receiver: Receiver) -> list[str]:
    return [got.json["type"] for got in receiver.take()]


def signatures(secret: str, got: Any) -> str:
    signed = f"{got.headers['webhook-id']}.{got.headers['webhook-timestamp']}.".encode() + got.body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


# What is told ---------------------------------------------------------------------------------------------------------------


async def test_an_event_reaches_the_endpoint_of_its_tenant_once_signed_and_says_what_whose_and_why(
    hooks: Hooks, receiver: Receiver
) -> None:
    secret = await hooks.add(receiver.url)
    assert secret is not None
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    other = await hooks.world.sent("zen", "newsletter", "lee@example.com")
    await hooks.tag(sent, {"order": "4711"})
    for _ in range(2):  # SES repeats events
        await hooks.world.tell(sent.send(), sent.bounce(), other.bounce())
    await hooks.rounds()
    bounced, suppressed = sorted(receiver.take(), key=lambda got: got.json["type"])
    assert signatures(secret, bounced) == bounced.headers["webhook-signature"]
    assert bounced.json["type"] == "delivery.bounced"
    data = bounced.json["data"]
    assert {
        name: data[name] for name in ("tenant", "type", "to", "message", "delivery", "tags", "attempt")
    } == {
        "tenant": "acme",
        "type": "newsletter",
        "to": "kim@example.com",
        "message": ids.message_id(ids.message_of(sent.delivery)),
        "delivery": ids.delivery_id(sent.delivery),
        "tags": {"order": "4711"},
        "attempt": 1,
    }
    assert data["reason"]
    assert (suppressed.json["type"], suppressed.json["data"]["cause"]) == ("suppression.added", "hard-bounce")
    assert suppressed.json["data"]["to"] == "kim@example.com"
    assert bounced.headers["webhook-id"] != suppressed.headers["webhook-id"]


async def test_what_no_endpoint_wants_is_in_no_outbox(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.add(receiver.url, events=["delivery.complained"])
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    other = await hooks.world.sent("zen", "newsletter", "kim@example.com")
    await hooks.world.tell(sent.send(), sent.bounce(), other.complaint())
    await hooks.leaves(sent, State.EXPIRED, "too old")
    assert await hooks.outbox() == []


async def test_mail_past_retention_and_mail_of_others_is_not_told(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.add(receiver.url)
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")

    async def attributed(tx: Any) -> Any:
        return (await hooks.world.ingest.store(tx, [decode(sent.delivery_event())], "queue")).new

    (told,) = await hooks.world.store.run(attributed)
    everybody: Subscriptions = {None: [Subscription(1, frozenset(EVENTS), False)]}
    assert len(outbox.rows([told], everybody, {})[0]) == 1
    for other in (replace(told, has_rows=False), replace(told, ours=False)):
        assert outbox.rows([other], everybody, {}) == ([], [])


async def test_the_platforms_endpoint_gets_every_tenants_events(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.add(receiver.url, tenant=None, events=["delivery.delivered", "delivery.sent"])
    for slug in ("acme", "zen"):
        sent = await hooks.world.sent(slug, "newsletter", "kim@example.com")
        await hooks.world.tell(sent.send(), sent.delivery_event())
    await hooks.rounds()
    told = sorted((got.json["data"]["tenant"], got.json["type"]) for got in receiver.take())
    assert told == [
        (slug, event) for slug in ("acme", "zen") for event in ("delivery.delivered", "delivery.sent")
    ]


async def test_the_end_of_a_delivery_without_ses_is_told_with_its_sentence(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url, events=list(EVENTS))
    for state in LEFT_STATES:
        sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
        await hooks.leaves(sent, state, f"because {state.word}")
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.leaves(sent, State.SENT, "accepted by SES")
    await hooks.rounds()
    told = {got.json["type"]: got.json["data"]["detail"] for got in receiver.take()}
    assert told == {event: f"because {state.word}" for state, event in LEFT_STATES.items()}


async def test_a_lane_that_is_held_and_released_is_told(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.add(receiver.url)
    lane = hooks.world.lanes["acme", "newsletter"]
    for change in ("held = true", "stopped = true", "held = false", "stopped = false"):
        await hooks.world.owner.execute(f"update lane set {change} where id = $1", lane)
    await hooks.rounds()
    assert sorted(types(receiver)) == ["lane.held", "lane.released"]


async def test_an_event_is_in_the_outbox_if_and_only_if_it_is_stored(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")

    async def store_and_fail(tx: Any) -> None:
        await hooks.world.ingest.store(tx, [decode(sent.delivery_event())], "queue")
        raise RuntimeError("the process dies before the commit")

    with pytest.raises(RuntimeError):
        await hooks.world.store.run(store_and_fail)
    assert (await hooks.outbox(), await hooks.world.owner.fetchval("select count(*) from event")) == ([], 0)
    await hooks.world.tell(sent.delivery_event())
    assert [row[1] for row in await hooks.outbox()] == ["delivery.delivered"]


async def test_an_erased_address_is_in_no_message(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.add(receiver.url)
    await hooks.add(receiver.url, "ses", form="ses-sns")
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.world.tell(sent.delivery_event())
    assert "kim" in await hooks.world.owner.fetchval("select document from webhook_document")
    await hooks.world.owner.execute(
        "update message set recipients = array['erased'] where id = $1", ids.message_of(sent.delivery)
    )
    assert await hooks.world.owner.fetchval("select count(*) from webhook_document") == 0
    await hooks.rounds()
    (got,) = receiver.take()
    assert got.json["data"]["to"] is None
    assert "kim" not in got.body.decode()


# When it does not arrive ----------------------------------------------------------------------------------------------------


async def test_a_message_that_fails_is_tried_with_one_id_until_it_arrives(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.world.tell(sent.delivery_event())
    receiver.answer(500, times=2)
    for after in (0, 6 * SECOND, 40 * SECOND, DAY):
        await hooks.rounds(after_ms=after)
    tries = receiver.take()
    assert len(tries) == 3
    assert len({got.headers["webhook-id"] for got in tries}) == 1
    assert await hooks.outbox() == [("app", "delivery.delivered", 3, False, True)]


async def test_a_process_counts_what_arrived_and_what_failed_of_few_webhooks_and_of_all_others_together(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    await hooks.world.tell((await hooks.world.sent("acme", "newsletter", "kim@example.com")).delivery_event())
    receiver.answer(500)
    await hooks.rounds()
    await hooks.rounds(after_ms=HOUR)
    assert hooks.tally.document() == {"webhooks": {"app": {"delivered": 1, "failed": 1}}}
    for number in range(MOST_NAMED + 5):
        hooks.tally.count(f"app-{number}", ())
    counted = hooks.tally.document()["webhooks"]
    assert len(counted) == MOST_NAMED + 1
    assert OTHER in counted


async def test_one_message_that_always_fails_keeps_no_other_from_arriving(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    first = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.world.tell(first.delivery_event())
    receiver.answer(500)
    await hooks.rounds()
    others = [await hooks.world.sent("acme", "newsletter", f"{n}@example.com") for n in range(5)]
    await hooks.world.tell(*(one.delivery_event() for one in others))
    receiver.answer(500)  # one message again
    await hooks.rounds(after_ms=6 * SECOND)
    assert [row[4] for row in await hooks.outbox()].count(True) == 5
    assert (await hooks.state())["failing_since"] is None


async def test_a_receiver_that_is_down_costs_a_few_requests_and_then_gets_everything(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    mails = [await hooks.world.sent("acme", "newsletter", f"{n}@example.com") for n in range(30)]
    await hooks.world.tell(*(one.delivery_event() for one in mails))
    receiver.answer(503, times=1_000)
    await hooks.rounds()
    for _ in range(6):
        await hooks.rounds(after_ms=10 * MINUTE)
    assert len(receiver.take()) <= 30 + 6 * plan.PROBE
    receiver.answers.clear()
    for _ in range(8):
        await hooks.rounds(after_ms=30 * MINUTE)
    assert all(row[4] for row in await hooks.outbox())
    assert len({got.headers["webhook-id"] for got in receiver.take()}) == 30


async def test_retry_after_is_kept_for_the_endpoint(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.add(receiver.url)
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.world.tell(sent.delivery_event())
    receiver.answer(429, {"Retry-After": "600"})
    await hooks.rounds()
    await hooks.rounds(after_ms=500 * SECOND)
    assert len(receiver.take()) == 1
    await hooks.rounds(after_ms=101 * SECOND)
    assert len(receiver.take()) == 1


async def test_retry_after_is_kept_although_other_messages_arrive(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.add(receiver.url)
    mails = [await hooks.world.sent("acme", "newsletter", f"{n}@example.com") for n in range(2)]
    await hooks.world.tell(*(one.delivery_event() for one in mails))
    receiver.answer(429, {"Retry-After": "600"})
    await hooks.rounds()
    assert len(receiver.take()) == 2
    later = await hooks.world.sent("acme", "newsletter", "later@example.com")
    await hooks.world.tell(later.delivery_event())
    await hooks.rounds(after_ms=500 * SECOND)
    assert receiver.take() == []
    await hooks.rounds(after_ms=101 * SECOND)
    assert len(receiver.take()) == 2


async def test_an_odd_document_of_ses_keeps_no_other_event_from_being_sent(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url, form="ses-sns")
    for name in ("odd", "fine"):
        sent = await hooks.world.sent("acme", "newsletter", f"{name}@example.com")
        await hooks.world.tell(sent.delivery_event())
    await hooks.world.owner.execute(
        "update webhook_document set document = $1 where document like '%odd@example.com%'", "[" * 200_000
    )
    await hooks.rounds()
    assert [json.loads(got.json["Message"])["delivery"]["recipients"] for got in receiver.take()] == [
        ["fine@example.com"]
    ]


async def test_after_three_days_a_message_is_given_up(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.add(receiver.url)
    first = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.world.tell(first.delivery_event())
    receiver.answer(500)
    await hooks.rounds()
    await hooks.world.owner.execute("update webhook_message set made_at = made_at - $1::bigint", 3 * DAY)
    receiver.answer(500)
    await hooks.rounds(after_ms=10 * SECOND)
    await hooks.rounds(after_ms=DAY)
    assert await hooks.outbox() == [("app", "delivery.delivered", 2, False, False)]


async def test_an_endpoint_is_paused_after_failing_for_a_day_and_what_happens_meanwhile_waits_for_it(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.world.tell(sent.delivery_event())
    receiver.answer(500, times=1_000)
    for _ in range(12):
        await hooks.rounds(after_ms=3 * HOUR)
    state = await hooks.state()
    assert (state["paused_by"], "for a day" in state["paused_because"]) == ("mailcordon", True)
    audited = "select count(*) from audit where action = 'webhook.pause' and object = 'webhook app'"
    assert await hooks.world.owner.fetchval(audited) == 1
    (failing,) = await hooks.store.failing(for_ms=HOUR)
    assert (failing["name"], failing["slug"]) == ("app", "acme")
    receiver.answers.clear()
    receiver.take()
    later = await hooks.world.sent("acme", "newsletter", "lee@example.com")
    await hooks.world.tell(later.delivery_event())
    await hooks.rounds(after_ms=HOUR)
    assert receiver.take() == []
    await hooks.endpoints.resume("app", ANN, because=None)
    await hooks.rounds(after_ms=9 * HOUR)
    assert types(receiver) == ["delivery.delivered"] * 2
    assert await hooks.store.failing(for_ms=HOUR) == []


async def test_a_receiver_that_answers_410_is_paused_at_once(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.add(receiver.url)
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.world.tell(sent.delivery_event())
    receiver.answer(410)
    await hooks.rounds()
    assert (await hooks.state())["paused_by"] == "mailcordon"
    await hooks.rounds(after_ms=DAY)
    assert len(receiver.take()) == 1


async def test_what_was_paused_while_it_was_served_is_served_at_once_when_it_is_resumed(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    await hooks.world.tell((await hooks.world.sent("acme", "newsletter", "kim@example.com")).delivery_event())
    receiver.answer(410)
    await hooks.rounds()
    await hooks.endpoints.resume("app", ANN, because=None)
    receiver.take()
    await hooks.world.tell((await hooks.world.sent("acme", "newsletter", "lee@example.com")).delivery_event())
    await hooks.rounds()
    assert types(receiver) == ["delivery.delivered"]


async def test_a_slow_endpoint_delays_no_other(hooks: Hooks, receiver: Receiver) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it accepts connections and never answers
        await hooks.add(f"http://127.0.0.1:{silent.getsockname()[1]}/", "slow")
        await hooks.add(receiver.url, "quick")
        mails = [await hooks.world.sent("acme", "newsletter", f"{n}@example.com") for n in range(20)]
        await hooks.world.tell(*(one.delivery_event() for one in mails))
        begun = asyncio.create_task(hooks.loop.round())
        while len(receiver.got) < 20:
            assert not begun.done()
            await asyncio.sleep(0.01)
        assert not begun.done()  # the slow one is still waited for
        while len([row for row in await hooks.outbox() if row[4]]) < 20:
            await asyncio.sleep(0.01)
        begun.cancel()
        await asyncio.gather(begun, return_exceptions=True)
    assert {row[0] for row in await hooks.outbox() if row[4]} == {"quick"}


async def test_a_process_that_dies_after_sending_leaves_the_message_to_another_which_sends_the_same_id(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.world.tell(sent.delivery_event())
    (endpoint,) = await hooks.store.lease(10)
    due = await hooks.store.due(endpoint, 10)
    courier = hooks.loop._courier  # pyright: ignore[reportPrivateUsage]
    async with courier.line(endpoint) as line:
        await line.send(due[0], await hooks.store.now())
    await hooks.rounds()  # leased to the process that died
    assert len(receiver.got) == 1
    await hooks.rounds(after_ms=61 * SECOND)
    first, second = receiver.take()
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


# Where requests may go ------------------------------------------------------------------------------------------------------


async def test_a_private_address_a_redirect_and_a_body_without_end_are_refused_or_harmless(
    hooks: Hooks, receiver: Receiver
) -> None:
    for url in ("https://169.254.169.254/latest", "https://10.0.0.1/", "http://example.com/x\r\nHost: y"):
        with pytest.raises(Invalid):
            await hooks.add(url, "private")
    await hooks.add("https://localhost.internal.invalid/", "nowhere")
    await hooks.add(receiver.url)
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.world.tell(sent.delivery_event())
    receiver.answer(302, {"Location": "http://127.0.0.1:1/"})
    await hooks.rounds()
    assert len(receiver.take()) == 1
    assert "302" in (await hooks.state())["problem"]
    assert "localhost.internal.invalid" in (await hooks.state("nowhere"))["problem"]


# Secrets --------------------------------------------------------------------------------------------------------------------


async def test_while_a_secret_takes_anothers_place_both_sign(hooks: Hooks, receiver: Receiver) -> None:
    old = await hooks.add(receiver.url)
    new = await hooks.endpoints.rotate("app", ANN, because=None)
    assert old is not None
    for after, secrets in ((0, [new, old]), (DAY, [new])):
        sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
        await hooks.world.tell(sent.delivery_event())
        await hooks.rounds(after_ms=after)
        (got,) = receiver.take()
        assert got.headers["webhook-signature"].split() == [signatures(one, got) for one in secrets]


async def test_urls_and_secrets_are_encrypted_counted_and_renewed_and_go_with_the_endpoint(
    hooks: Hooks, receiver: Receiver
) -> None:
    secret = await hooks.add(f"{receiver.url}/T0K3N")
    await hooks.add(receiver.url, "ses", form="ses-sns")
    tables = ("webhook_endpoint", "webhook_signer", "audit")
    stored = str(
        [tuple(row) for table in tables for row in await hooks.world.owner.fetch(f"select * from {table}")]
    )
    assert "T0K3N" not in stored
    assert str(secret) not in stored
    newer = make_secret_key()
    for rows in installation._ELSEWHERE.values():  # pyright: ignore[reportPrivateUsage]
        await rows.reencrypt(hooks.world.owner, Vault([newer, hooks.secret_key]))
    found = await installation._ELSEWHERE["webhook_endpoint"].count(  # pyright: ignore[reportPrivateUsage]
        hooks.world.owner, Vault([newer])
    )
    assert found == (3, 0)
    hooks.store._secret_keys = [newer]  # pyright: ignore[reportPrivateUsage]
    assert await hooks.endpoints.try_out("app") is None
    assert await hooks.endpoints.try_out("ses") is None
    await hooks.endpoints.remove("app", ANN, because="over")
    assert (await hooks.state())["secret"] is None


async def test_an_endpoint_whose_secret_cannot_be_read_keeps_no_other_from_its_messages(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    await hooks.add(receiver.url, "lost")
    broken = Vault([make_secret_key()]).encrypt(b"{}")
    await hooks.world.owner.execute("update webhook_endpoint set secret = $1 where name = 'lost'", broken)
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.world.tell(sent.delivery_event())
    await hooks.rounds()
    assert types(receiver) == ["delivery.delivered"]
    assert (await hooks.state("lost"))["problem"]


# Log and replay -------------------------------------------------------------------------------------------------------------


async def test_what_did_not_arrive_or_all_of_it_is_sent_again_with_its_ids(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    mails = [await hooks.world.sent("acme", "newsletter", f"{n}@example.com") for n in range(3)]
    await hooks.world.tell(*(one.delivery_event() for one in mails))
    await hooks.rounds()
    before = {got.headers["webhook-id"] for got in receiver.take()}
    await hooks.world.owner.execute(
        "update webhook_message set arrived_at = null, problem = 'given up' where delivery = $1",
        mails[0].delivery,
    )
    now = await hooks.store.now()
    window = {"since": now - HOUR, "until": None, "because": None}
    assert await hooks.endpoints.replay_since("app", ANN, after=0, arrived=False, **window) == (1, None)
    await hooks.rounds(after_ms=SECOND)
    (again,) = receiver.take()
    assert again.headers["webhook-id"] in before
    assert await hooks.endpoints.replay_since("app", ANN, after=0, arrived=True, **window) == (3, None)
    await hooks.rounds(after_ms=SECOND)
    assert {got.headers["webhook-id"] for got in receiver.take()} == before
    with pytest.raises(Invalid):
        await hooks.endpoints.replay_since(
            "app", ANN, since=now, until=now - 1, after=0, arrived=False, because=None
        )


async def test_a_replay_by_time_is_bounded_and_goes_on_where_it_ended(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    mails = [await hooks.world.sent("acme", "newsletter", f"{n}@example.com") for n in range(5)]
    await hooks.world.tell(*(one.delivery_event() for one in mails))
    (endpoint,) = await hooks.endpoints.seen_by(ANN, "app")
    found, after = list[int](), 0
    while True:
        count, further = await hooks.store.replay_since(
            endpoint, 0, 1 << 60, after=after, arrived=True, most=2, actor="ann", because=None
        )
        found.append(count)
        if further is None:
            break
        after = further
    assert found == [2, 2, 1]


async def test_a_replay_of_a_message_reads_its_rows_whatever_the_outbox_has(
    hooks: Hooks, receiver: Receiver
) -> None:
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.world.tell(sent.send(), sent.delivery_event(), sent.complaint())
    other = await hooks.world.sent("zen", "newsletter", "kim@example.com")
    await hooks.add(receiver.url)
    for id in (ids.message_id(ids.message_of(sent.delivery)), ids.delivery_id(sent.delivery)):
        assert await hooks.endpoints.replay_mail("app", ANN, id=id, because=None) == 2
        await hooks.rounds(after_ms=SECOND)
        assert sorted(types(receiver)) == ["delivery.complained", "delivery.delivered"]
    with pytest.raises(NotFound):
        await hooks.endpoints.replay_mail("app", ANN, id=ids.delivery_id(other.delivery), because=None)
    with pytest.raises(Invalid):
        await hooks.endpoints.replay_mail("app", ANN, id="dlv_nothing", because=None)


async def test_the_log_says_what_became_of_each_message_and_is_kept_for_seven_days(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    await hooks.add(receiver.url, "ses", form="ses-sns")
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.world.tell(sent.delivery_event())
    receiver.answer(500)
    await hooks.rounds()
    endpoint = next(one for one in await hooks.endpoints.seen_by(ANN) if one.name == "app")
    every = {"delivery": None, "before": None, "limit": 10, "tenant": None}
    logged = {
        state: await hooks.store.log(endpoint, state=state, **every)
        for state in (None, "arrived", "waiting", "failed")
    }
    assert len(logged[None]) == 1
    assert sum(len(logged[state]) for state in ("arrived", "waiting", "failed")) == 1
    await hooks.loop.tidy()
    assert len(await hooks.outbox()) == 2
    hooks.store.clock_ms += 7 * DAY + HOUR
    await hooks.loop.tidy()
    assert await hooks.outbox() == []
    assert await hooks.world.owner.fetchval("select count(*) from webhook_document") == 0


async def test_an_endpoint_that_is_removed_or_whose_tenant_is_retired_gets_nothing_more(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    await hooks.add(receiver.url, "zen", "zen")
    mails = {slug: await hooks.world.sent(slug, "newsletter", "kim@example.com") for slug in ("acme", "zen")}
    for sent in mails.values():
        await hooks.world.tell(sent.delivery_event())
    await hooks.endpoints.remove("app", ANN, because="over")
    await hooks.world.owner.execute("update tenant set retired_at = now() where slug = 'zen'")
    await hooks.loop.tidy()
    for sent in mails.values():
        await hooks.world.tell(sent.complaint())
    await hooks.rounds()
    assert receiver.take() == []
    assert not any(row[3] for row in await hooks.outbox())
    assert (await hooks.state("zen"))["secret"] is None
    with pytest.raises(NotFound):
        await hooks.endpoints.try_out("app")


# Changing one ----------------------------------------------------------------------------------------------------------------


async def test_what_waits_for_a_receiver_that_is_down_goes_to_its_new_url_at_once(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add("http://127.0.0.1:1/old")
    for name in ("kim", "lee"):
        sent = await hooks.world.sent("acme", "newsletter", f"{name}@example.com")
        await hooks.world.tell(sent.delivery_event())
        await hooks.rounds(after_ms=HOUR)
    assert (await hooks.state())["failing_since"] is not None
    await hooks.endpoints.change("app", ANN, because="they moved", url=receiver.url)
    state = await hooks.state()
    assert (state["failing_since"], state["problem"], state["failed_rounds"]) == (None, None, 0)
    await hooks.rounds()
    assert types(receiver) == ["delivery.delivered"] * 2


async def test_what_was_under_way_to_the_old_url_neither_pauses_the_new_one_nor_is_lost(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add("http://127.0.0.1:1/old")
    first, second = [await hooks.world.sent("acme", "newsletter", f"{n}@example.com") for n in range(2)]
    await hooks.world.tell(first.delivery_event())
    (leased,) = await hooks.store.lease(10)
    (message,) = await hooks.store.due(leased, 10)
    await hooks.endpoints.change("app", ANN, because=None, url=receiver.url)
    await hooks.world.tell(second.delivery_event())
    assert await hooks.store.due(leased, 10) == [], "nothing more leaves to the old URL"
    gone = [Result(message=message, problem="the answer was 410", gone=True)]
    after = plan.after_round(leased, gone, await hooks.store.now())
    assert after.pause
    assert await hooks.store.record(leased, gone, after) is None
    state = await hooks.state()
    assert (state["paused_at"], state["failing_since"]) == (None, None)
    await hooks.store.release(leased)
    await hooks.rounds()
    assert types(receiver) == ["delivery.delivered"] * 2


async def test_an_endpoint_of_another_tenant_gets_nothing_of_the_one_before(
    hooks: Hooks, receiver: Receiver
) -> None:
    await hooks.add(receiver.url)
    tells = [
        (await hooks.world.sent(slug, "newsletter", "kim@example.com")).delivery_event()
        for slug in ("acme", "zen")
    ]
    await hooks.world.tell(*tells)
    await hooks.endpoints.pause("app", ANN, because="they merge")
    zen = (hooks.world.tenants["zen"], "zen")
    await hooks.endpoints.change("app", ANN, because="they merge", tenant=zen)
    await hooks.endpoints.resume("app", ANN, because=None)
    await hooks.rounds()
    assert receiver.take() == []
    assert await hooks.outbox() == [("app", "delivery.delivered", 0, False, False)]
    problem = await hooks.world.owner.fetchval("select problem from webhook_message")
    assert problem == "the webhook was changed and does not get this tenant's events any more"
    count, _ = await hooks.endpoints.replay_since(
        "app", ANN, since=0, until=None, after=0, arrived=True, because=None
    )
    assert count == 0
    await hooks.world.tell((await hooks.world.sent("zen", "newsletter", "lee@example.com")).delivery_event())
    await hooks.rounds()
    assert [got.json["data"]["tenant"] for got in receiver.take()] == ["zen"]


async def test_a_change_is_audited_with_before_and_after_and_without_a_secret_and_no_change_is_not(
    hooks: Hooks, receiver: Receiver
) -> None:
    old = await hooks.add(f"{receiver.url}/0LD", events=["delivery.bounced"])
    assert old is not None
    new = standard_webhooks.new_secret()
    everything = {"url": f"{receiver.url}/N3W", "events": ["delivery.delivered"], "secret": new}
    await hooks.endpoints.change("app", ANN, because="they moved", **everything)  # pyright: ignore[reportArgumentType]
    tables = "select audit::text from audit union all select epoch::text from epoch"
    before = [row[0] for row in await hooks.world.owner.fetch(tables)]
    await hooks.endpoints.change("app", ANN, because="again", **everything)  # pyright: ignore[reportArgumentType]
    await hooks.endpoints.change("app", ANN, because="nothing")
    assert [row[0] for row in await hooks.world.owner.fetch(tables)] == before
    row = await hooks.world.owner.fetchrow(
        "select before, after, because, actor from audit where action = 'webhook.change'"
    )
    assert row is not None
    host = f"127.0.0.1:{receiver.port}"
    assert json.loads(row["before"]) == {"tenant": "acme", "target": host, "events": ["delivery.bounced"]}
    assert json.loads(row["after"]) == {
        "tenant": "acme",
        "target": host,
        "events": ["delivery.delivered"],
        "changed": ["url", "events", "secret"],
    }
    assert (row["because"], row["actor"]) == ("they moved", ANN.actor)
    for secret in ("0LD", "N3W", old, new):
        assert secret not in str(before)
    await hooks.world.tell((await hooks.world.sent("acme", "newsletter", "kim@example.com")).delivery_event())
    await hooks.rounds()
    (got,) = receiver.take()
    assert got.path == "/hook/N3W"
    assert got.headers["webhook-signature"].split() == [signatures(one, got) for one in (new, old)]


async def test_two_changes_at_once_lose_neither(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.add("http://127.0.0.1:1/old")
    made, *_ = await asyncio.gather(
        hooks.endpoints.rotate("app", ANN, because=None),
        hooks.endpoints.change("app", ANN, because=None, url=receiver.url),
        hooks.endpoints.change("app", ANN, because=None, events=["delivery.bounced"]),
    )
    endpoint = await hooks.store.with_secret("app")
    assert endpoint is not None
    assert (endpoint.url, endpoint.events, endpoint.signing[0]) == (receiver.url, ("delivery.bounced",), made)


async def test_an_endpoint_moves_to_no_tenant_that_has_the_most(hooks: Hooks) -> None:
    for number in range(10):
        await hooks.add("https://hooks.zen.example/", f"app-{number}", "zen")
    await hooks.add("https://hooks.acme.example/")
    with pytest.raises(Conflict):
        await hooks.endpoints.change("app", ANN, because=None, tenant=(hooks.world.tenants["zen"], "zen"))
    with pytest.raises(NotFound):
        await hooks.endpoints.change("nobody", ANN, because=None, events=[])


# SES's own form -------------------------------------------------------------------------------------------------------------


async def test_ses_form_is_sess_own_json_in_a_signed_envelope_of_sns_with_the_id_that_the_app_was_given(
    hooks: Hooks, receiver: Receiver
) -> None:
    assert (
        await hooks.add(receiver.url, form="ses-sns", events=["delivery.bounced", "delivery.expired"]) is None
    )
    sent = await hooks.world.sent("acme", "newsletter", "kim@example.com")
    await hooks.tag(sent, {"order": "4711"})
    internal = {
        "sourceArn": "arn:aws:ses:eu-west-1:123456789012:identity/acme.example",
        "sendingAccountId": "123456789012",
        "callerIdentity": "mailcordon-dispatch",
        "sourceIp": "10.0.0.7",
        "headers": [{"name": "X-SES-TENANT", "value": "mc-1"}, {"name": "Subject", "value": "Hi"}],
        "commonHeaders": {"subject": "Hi", "messageId": sent.ses_id},
    }
    await hooks.world.tell(
        sent.document("Bounce", bounceType="Permanent", bounceSubType="General", mail=sent.mail(**internal))
    )
    await hooks.rounds()
    (got,) = receiver.take()
    body = got.json
    number = int(body["SigningCertURL"].rpartition("/")[2].removesuffix(".pem"))
    pem = await hooks.store.certificate(number)
    assert pem is not None
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    names = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
    text = "".join(f"{name}\n{body[name]}\n" for name in names)
    key.verify(base64.b64decode(body["Signature"]), text.encode(), padding.PKCS1v15(), hashes.SHA1())
    assert got.headers["x-amz-sns-message-type"] == "Notification"
    assert got.headers["x-amz-sns-message-id"] == body["MessageId"]
    event = json.loads(body["Message"])
    id = f"0100-{ids.encode(ids.message_of(sent.delivery))}"
    assert (event["eventType"], event["mail"]["messageId"]) == ("Bounce", id)
    assert event["mail"]["commonHeaders"] == {"subject": "Hi", "messageId": id}
    assert event["bounce"]["bouncedRecipients"] == [{"emailAddress": "kim@example.com"}]
    assert event["mail"]["tags"] == {"ses:configuration-set": ["newsletter"], "order": ["4711"]}
    for secret in ("123456789012", "mailcordon-dispatch", "10.0.0.7", "mc-", sent.ses_id):
        assert secret not in body["Message"].replace(f"f-{sent.ses_id}", ""), secret

    await hooks.leaves(sent, State.EXPIRED, "it was worth sending for 72 h")
    await hooks.rounds()
    (got,) = receiver.take()
    event = json.loads(got.json["Message"])
    assert (event["eventType"], event["reject"]) == ("Reject", {"reason": "it was worth sending for 72 h"})
    assert event["mail"]["destination"] == ["kim@example.com"]


async def test_ses_form_needs_the_address_of_its_certificate_and_takes_only_events_of_ses(
    hooks: Hooks, receiver: Receiver
) -> None:
    with pytest.raises(Invalid):
        await hooks.add(receiver.url, form="ses-sns", events=["lane.held"])
    with pytest.raises(Conflict):
        await Signing(hooks.store, None).ready()
    with pytest.raises(Invalid):
        await hooks.add(receiver.url, form="ses-sns", secret=standard_webhooks.new_secret())


# Rules ----------------------------------------------------------------------------------------------------------------------


async def test_a_tenant_has_ten_endpoints_at_most_and_names_are_unique(hooks: Hooks) -> None:
    for number in range(10):
        await hooks.add("https://hooks.acme.example/", f"app-{number}")
    with pytest.raises(Conflict):
        await hooks.add("https://hooks.acme.example/", "one-more")
    with pytest.raises(Conflict):
        await hooks.add("https://hooks.zen.example/", "app-0", "zen")


async def test_a_tenant_has_at_most_ten_however_many_are_added_at_once(hooks: Hooks):
    adding = (hooks.add("http://127.0.0.1:1/", f"app-{number}") for number in range(14))
    found = await asyncio.gather(*adding, return_exceptions=True)
    refused = [one for one in found if isinstance(one, BaseException)]
    assert {(type(one), getattr(one, "code", None)) for one in refused} == {(Conflict, "too-many-webhooks")}
    assert len(refused) == 4
    assert await hooks.world.owner.fetchval("select count(*) from webhook_endpoint") == 10
    await hooks.add("http://127.0.0.1:1/", "of-the-platform", None)
