"""The doors for events over real HTTP, on a real database, with the local SES as SNS and Firehose (docs/events.md)."""

import asyncio
import base64
import contextlib
import gzip
import json
import socket
import time
import tracemalloc
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import boto3
import httpx
import pytest
import uvicorn

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.adapters.db.event_subscriptions import EventSubscriptions
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.message_reader import MessageCanceller, MessageReader
from mailcordon.adapters.db.observe_store import ObserveStore
from mailcordon.adapters.http import event_doors, message_protocol, problems, server
from mailcordon.adapters.http.event_doors import EventDoors
from mailcordon.adapters.http.message_endpoint import MessageEndpoint
from mailcordon.adapters.ses import envelopes
from mailcordon.adapters.ses.certificates import Certificates, Download, LocalSource
from mailcordon.adapters.ses.feedback import Reader
from mailcordon.adapters.ses.sns_push import SnsConfirmer, SnsPush
from mailcordon.adapters.ses.sns_signature import Proof
from mailcordon.control.key_cache import KeyCache
from mailcordon.control.keys import Keys
from mailcordon.core.errors import Unavailable
from mailcordon.observe.door import Door, DoorTotals
from mailcordon.observe.ports import Malformed
from mailcordon.send.accept import Accept
from seslocal import server as seslocal
from seslocal.events import certificate, documents

from .conftest import Sent, World, enveloped

TOPIC = "arn:aws:sns:us-east-1:123456789012:events"
FOREIGN = "arn:aws:sns:us-east-1:123456789012:foreign"
BASE = "https://sns.us-east-1.amazonaws.com"
SNS, FIREHOSE, BRIDGE = "/v1/events/sns", "/v1/events/firehose", "/v1/events/eventbridge"
PATIENCE = 60.0


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


@dataclass
class Web:
    """Downloads certificates from the local SES, and counts."""

    local: Any
    asked: list[str] = field(default_factory=list[str])
    status: int = 200

    def __call__(self, url: str) -> tuple[int, bytes]:
        self.asked.append(url)
        return self.status, certificate.certificate()


class Confirmer(SnsConfirmer):
    """Counts what is asked. SNS knows the token `known`."""

    asked: tuple[str, ...] = ()

    async def confirm(self, topic: str, token: str) -> None:
        self.asked = (*self.asked, token)
        if token != "known":
            await super().confirm(topic, token)


@dataclass
class Doors:
    world: World
    url: str
    client: httpx.AsyncClient
    local: Any
    keys: dict[str, str]
    web: Web
    totals: DoorTotals
    database: Any
    confirmer: Confirmer

    async def push(
        self, document: Any, *, headers: dict[str, str] | None = None, **over: Any
    ) -> httpx.Response:
        """As SNS does, signed by the local SES."""
        text = document if isinstance(document, str) else json.dumps(document)
        at = time.time()
        made = documents.sns_envelope(text, TOPIC, BASE, at, "m", "Amazon SES", version="2") | over
        certificate.sign(made)
        return await self.post(SNS, json.dumps(made), headers)

    async def post(
        self, path: str, body: str | bytes, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        return await self.client.post(
            path, content=body, headers={"content-type": "text/plain", **(headers or {})}
        )

    async def batch(
        self,
        *records: str | bytes,
        key: str | None = "events",
        zipped: bool = False,
        id: str = "r-1",
        raw: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """As Firehose does."""
        data = [
            {"data": base64.b64encode(one.encode() if isinstance(one, str) else one).decode()}
            for one in records
        ]
        body = raw or json.dumps({"requestId": id, "timestamp": 1, "records": data}).encode()
        sent = {
            "content-type": "application/json",
            "x-amz-firehose-protocol-version": "1.0",
            "x-amz-firehose-request-id": id,
            "x-amz-firehose-source-arn": "arn:aws:firehose:us-east-1:123456789012:deliverystream/ses",
        }
        if key is not None:
            sent["x-amz-firehose-access-key"] = self.keys.get(key, key)
        if zipped:
            body = gzip.compress(body)
            sent["content-encoding"] = "gzip"
        return await self.post(FIREHOSE, body, sent | (headers or {}))

    async def settled(self, *sent: Sent) -> set[str]:
        """SES's ids of those whose Send event was stored."""
        rows = await self.world.rows("select ses_id from send_event")
        return {str(row[0]) for row in rows} & {one.ses_id for one in sent}


@pytest.fixture
async def doors(world: World, database: Any) -> AsyncIterator[Doors]:
    async with contextlib.AsyncExitStack() as stack:
        local = await stack.enter_async_context(seslocal.running())
        control = await stack.enter_async_context(await engine.create_pool(database.dsn("control")))
        reader = await stack.enter_async_context(await engine.create_pool(database.dsn("reader")))
        key_store = KeyStore(control)
        cache, keys = KeyCache(key_store), Keys(key_store)
        accept_store, canceller = (
            AcceptStore(database.dsn("send")),
            MessageCanceller(database.dsn("governor")),
        )
        stack.push_async_callback(accept_store.close)
        stack.push_async_callback(canceller.close)
        endpoint = MessageEndpoint(
            accept=Accept(accept_store, b"h" * 32, lambda: 0, cache.invalidate, local=True),
            keys=cache,
            reader=MessageReader(control, reader),
            canceller=canceller,
            hash_key=b"h" * 32,
        )
        totals, web = DoorTotals(), Web(local)
        opened: list[Door] = []
        for name in ("https", "firehose"):
            store = ObserveStore(database.dsn("observe"))
            stack.push_async_callback(store.close)
            opened.append(Door(name, store, world.ingest, totals))
        running = [asyncio.create_task(door.run()) for door in opened]
        subscriptions = EventSubscriptions(database.dsn("observe"))
        stack.push_async_callback(subscriptions.close)
        download: Download = web
        confirmer = Confirmer(local.url)
        events = EventDoors(
            keys=cache,
            reads=endpoint.reads,
            sns=SnsPush(Proof({TOPIC}, Certificates(LocalSource(local.url, download=download))), {TOPIC}),
            confirmer=confirmer,
            subscriptions=subscriptions,
            live=opened[0],
            bulk=opened[1],
            reader=Reader(Proof({TOPIC})),
            unwrap=envelopes.documents,
            totals=totals,
        )

        async def health() -> server.Health:
            return server.Health(ok=True, database="ok", oldest_snapshot_seconds=None)

        listener = socket.create_server(("127.0.0.1", 0))
        app: Any = server.build(endpoint, cache, [], health, "0", events)
        http: Any = message_protocol.protocol(endpoint)
        config = uvicorn.Config(app, http=http, lifespan="on", access_log=False, log_config=None)
        serving = _Server(config)
        task = asyncio.create_task(serving.serve(sockets=[listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        made = {
            "events": (await keys.create(tenant=None, name="e", scopes=["events"], actor="t"))[1],
            "all but events": (
                await keys.create(
                    tenant=None, name="o", scopes=["send", "read", "operate", "admin"], actor="t"
                )
            )[1],
            "acme": (await keys.create(tenant="acme", name="a", scopes=["send", "read"], actor="t"))[1],
        }
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=PATIENCE))
        yield Doors(world, url, client, local, made, web, totals, database, confirmer)
        serving.should_exit = True
        await asyncio.wait_for(task, PATIENCE)
        for one in running:
            one.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def until(true: Any, what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not await true():
        assert time.monotonic() < deadline, f"still waiting until {what}"
        await asyncio.sleep(0.02)


# SNS over HTTPS ---------------------------------------------------------------------------------------------------------------


async def test_what_sns_signs_is_answered_when_it_is_stored_and_settles_without_proving(doors: Doors) -> None:
    world = doors.world
    sent = await world.sent("acme", "receipt", "kim@example.com", known=False)
    answer = await doors.push(sent.send())
    assert (answer.status_code, answer.json()) == (200, {})
    assert await doors.settled(sent) == {sent.ses_id}
    assert await world.rows("select configuration_set from send_seen") == []
    for _ in range(3):  # SNS sends again what it is not sure of
        assert (await doors.push(sent.bounce())).status_code == 200
    assert await world.rows("select address, cause from suppression") == [("kim@example.com", "hard-bounce")]
    assert await world.metrics("hard_bounced") == [(1,)]
    assert len(doors.web.asked) == 1
    assert doors.totals.taken == {"https": 4}


async def test_events_of_many_callers_share_a_commit(doors: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailcordon.observe.door.GATHER", 0.3)
    sent = [await doors.world.sent("acme", "newsletter", f"a{n}@example.com", known=False) for n in range(20)]
    answers = await asyncio.gather(*(doors.push(one.send()) for one in sent))
    assert {one.status_code for one in answers} == {200}
    assert len(await doors.settled(*sent)) == 20
    batches = await doors.world.rows("select count(distinct xmin::text) from event")
    assert batches[0][0] < 10


async def test_what_sns_did_not_sign_for_our_topics_is_refused_and_leaves_nothing(doors: Doors) -> None:
    sent = await doors.world.sent("acme", "receipt", "kim@example.com")
    event = sent.bounce()
    made = documents.sns_envelope(event, TOPIC, BASE, time.time(), "m", "Amazon SES", version="2")
    forged = json.dumps(made)
    answers = {
        "unsigned": await doors.post(SNS, forged),
        "another topic": await doors.push(event, TopicArn=FOREIGN),
        "old": await doors.push(event, Timestamp="2026-01-01T00:00:00.000Z"),
        "raw": await doors.post(SNS, event, {"x-amz-sns-rawdelivery": "true"}),
        "raw, unsaid": await doors.post(SNS, event),
        "elsewhere": await doors.push(
            event, SigningCertURL="https://evil.example/SimpleNotificationService-a.pem"
        ),
        "no JSON": await doors.post(SNS, "{"),
    }
    assert {name: one.status_code for name, one in answers.items()} == dict.fromkeys(answers, 403)
    assert {name: one.json()["code"] for name, one in answers.items()} == {
        "unsigned": "not-signed",
        "another topic": "foreign-topic",
        "old": "too-old",
        "raw": "raw-delivery",
        "raw, unsaid": "no-message",
        "elsewhere": "not-signed",
        "no JSON": "no-message",
    }
    assert all(one.headers["content-type"] == "application/problem+json" for one in answers.values())
    assert "Switch it off" in answers["raw"].json()["detail"]
    assert await doors.world.rows("select * from suppression") == []
    assert await doors.world.rows("select * from quarantine") == []
    assert all(url.startswith(doors.local.url) for url in doors.web.asked)
    assert doors.totals.refused == {
        "not-signed": 2,
        "foreign-topic": 1,
        "too-old": 1,
        "raw-delivery": 1,
        "no-message": 2,
    }


async def test_what_is_refused_drives_no_terminal_from_the_log(
    doors: Doors, caplog: pytest.LogCaptureFixture
) -> None:
    hostile = "\x1b]0;owned\x07\nforged line"
    await doors.push("{}", TopicArn=hostile)
    await doors.push("{}", Timestamp=hostile)
    await doors.push("{}", SigningCertURL=hostile)
    lines = [one.getMessage() for one in caplog.records if "was refused" in one.getMessage()]
    assert len(lines) == 3
    assert all("owned" in line and line.isprintable() for line in lines)


async def test_a_foreign_topic_in_the_header_is_refused_before_the_body_is_read(doors: Doors) -> None:
    reader, writer = await asyncio.open_connection(*doors.url.removeprefix("http://").split(":"))
    head = f"POST {SNS} HTTP/1.1\r\nhost: x\r\nx-amz-sns-topic-arn: {FOREIGN}\r\ncontent-length: 9000\r\n\r\n"
    writer.write(head.encode())
    answer = await asyncio.wait_for(reader.readuntil(b"\r\n"), PATIENCE)
    assert b" 403 " in answer
    writer.close()


async def test_more_messages_at_once_than_an_address_may_send_come_again(doors: Doors) -> None:
    """SNS discards what is answered with 4xx. It sends from few addresses, and many messages at once."""
    sent = await doors.world.sent("acme", "receipt", "kim@example.com", known=False)
    event = sent.send()
    limits = httpx.Limits(max_connections=150)
    async with httpx.AsyncClient(base_url=doors.url, timeout=PATIENCE, limits=limits) as doors.client:
        answers = await asyncio.gather(*(doors.push(event) for _ in range(150)))
    assert {one.status_code for one in answers} == {200, 503}
    assert all(int(one.headers["retry-after"]) > 0 for one in answers if one.status_code == 503)


async def test_while_a_certificate_cannot_be_had_sns_is_told_to_send_again(doors: Doors) -> None:
    sent = await doors.world.sent("acme", "receipt", "kim@example.com", known=False)
    doors.web.status = 503
    answer = await doors.push(sent.send())
    assert (answer.status_code, answer.json()["retryable"]) == (503, True)
    assert int(answer.headers["retry-after"]) > 0
    doors.web.status = 200
    assert (await doors.push(sent.send())).status_code == 200
    assert await doors.settled(sent) == {sent.ses_id}


async def test_made_up_certificates_make_us_ask_once_for_many(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is at SNS's host, and none exists. A round asks for 16 of them, and rounds are a second apart."""
    monkeypatch.setattr(event_doors, "_FETCH_EVERY", 30.0)
    monkeypatch.setattr(event_doors, "_CERTIFICATE_SECONDS", 1.0)
    sent = await doors.world.sent("acme", "receipt", "kim@example.com")
    doors.web.status = 404
    urls = [f"{BASE}/SimpleNotificationService-{n:032x}.pem" for n in range(50)]
    for some in (urls[:1], urls[1:]):
        answers = await asyncio.gather(*(doors.push(sent.bounce(), SigningCertURL=url) for url in some))
        assert {one.status_code for one in answers} == {503}
    assert len(doors.web.asked) <= 17


async def test_the_local_sns_subscribes_sends_and_unsubscribes(doors: Doors) -> None:
    sns = boto3.client(
        "sns",
        endpoint_url=doors.local.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    row = "select confirmed_at, ended_at, last_at from event_subscription where topic = $1"

    async def call(name: str, **members: Any) -> Any:
        return await asyncio.to_thread(getattr(sns, name), **members)

    async def is_confirmed() -> bool:
        found = await call("get_subscription_attributes", SubscriptionArn=arn)
        return found["Attributes"]["PendingConfirmation"] == "false"

    assert (await call("create_topic", Name="events"))["TopicArn"] == TOPIC
    await call("set_topic_attributes", TopicArn=TOPIC, AttributeName="SignatureVersion", AttributeValue="2")
    asked = {"Protocol": "http", "Endpoint": doors.url + SNS, "ReturnSubscriptionArn": True}
    arn = (await call("subscribe", TopicArn=TOPIC, **asked))["SubscriptionArn"]
    await until(is_confirmed, "it is confirmed")
    sent = await doors.world.sent("acme", "receipt", "kim@example.com", known=False)
    await call("publish", TopicArn=TOPIC, Message=sent.send())

    async def is_stored() -> bool:
        return bool(await doors.settled(sent))

    await until(is_stored, "the event is stored")
    await call("unsubscribe", SubscriptionArn=arn)

    async def is_ended() -> bool:
        [(confirmed_at, ended_at, last_at)] = await doors.world.rows(row, TOPIC)
        return ended_at is not None and confirmed_at <= last_at <= ended_at

    await until(is_ended, "the end of the subscription is known")
    # It is not taken back: whoever cancelled it meant to.
    assert (await call("list_subscriptions"))["Subscriptions"] == []


async def test_a_confirmation_that_is_sent_again_makes_us_ask_sns_once(doors: Doors) -> None:
    made = documents.sns_confirmation(TOPIC, "known", BASE, time.time(), "m", "2")
    certificate.sign(made)
    answers = await asyncio.gather(*(doors.post(SNS, json.dumps(made)) for _ in range(8)))
    assert {one.status_code for one in answers} == {200}
    assert doors.confirmer.asked == ("known",)


async def test_no_subscription_to_a_foreign_topic_is_confirmed(doors: Doors) -> None:
    made = documents.sns_confirmation(FOREIGN, "token", BASE, time.time(), "m", "2")
    certificate.sign(made)
    assert (await doors.post(SNS, json.dumps(made))).json()["code"] == "foreign-topic"
    unknown = documents.sns_confirmation(TOPIC, "token", BASE, time.time(), "m", "2")
    certificate.sign(unknown)
    answer = await doors.post(SNS, json.dumps(unknown))  # SNS does not know the token
    assert (answer.status_code, "did not confirm" in answer.json()["detail"]) == (503, True)
    assert await doors.world.rows("select * from event_subscription") == []


# Firehose ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("zipped", [False, True])
async def test_a_batch_is_stored_whole_and_answered_as_firehose_wants(doors: Doors, zipped: bool) -> None:
    world = doors.world
    sent = [await world.sent("acme", "newsletter", f"a{n}@example.com", known=False) for n in range(5)]
    records = [
        sent[0].send() + "\n",
        json.dumps({"detail-type": "Email Sent", "source": "aws.ses", "detail": json.loads(sent[1].send())}),
        enveloped(sent[2].send(), TOPIC),
        sent[3].send() + "\n" + sent[4].send() + "\n",
    ]
    answer = await doors.batch(*records, zipped=zipped, id="r-7")
    said = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert (said["requestId"], set(said)) == ("r-7", {"requestId", "timestamp"})
    assert abs(said["timestamp"] - time.time() * 1000) < 60_000
    assert len(await doors.settled(*sent)) == 5
    assert await world.rows("select configuration_set from send_seen") == []
    assert (await doors.batch(*records)).status_code == 200
    assert await world.metrics("send_events") == [(5,)]


async def test_a_batch_needs_a_key_with_the_scope_events_which_can_do_nothing_else(doors: Doors) -> None:
    sent = await doors.world.sent("acme", "receipt", "kim@example.com")
    for key, status in (
        (None, 401),
        ("mck_aaaaaaaa_" + "A" * 43, 401),
        ("nonsense", 401),
        ("all but events", 403),
        ("acme", 403),
    ):
        for path in (FIREHOSE, BRIDGE):
            if path == BRIDGE:
                bearer = {} if key is None else {"authorization": f"Bearer {doors.keys.get(key, key)}"}
                answer = await doors.post(BRIDGE, sent.bounce(), bearer)
            else:
                answer = await doors.batch(sent.bounce(), key=key)
                assert (answer.json()["requestId"], bool(answer.json()["errorMessage"])) == ("r-1", True)
            assert answer.status_code == status, (key, path)
    assert await doors.world.rows("select * from suppression") == []
    bearer = {"authorization": f"Bearer {doors.keys['events']}"}
    assert (await doors.client.post("/v1/messages", headers=bearer, json={})).status_code == 403
    assert (await doors.client.get("/v1/messages/x", headers=bearer)).status_code == 403


async def test_a_revoked_key_hands_in_nothing_more(doors: Doors) -> None:
    sent = await doors.world.sent("acme", "receipt", "kim@example.com", known=False)
    assert (await doors.batch()).status_code == 200
    await doors.world.owner.execute("update api_key set revoked_at = now() where scopes = '{events}'")
    await doors.world.owner.execute("update epoch set value = value + 1 where name = 'control'")
    assert (await doors.batch(sent.send())).status_code == 401
    assert await doors.settled(sent) == set()


async def test_a_bad_record_is_quarantined_alone(doors: Doors) -> None:
    world = doors.world
    good = [await world.sent("acme", "newsletter", f"a{n}@example.com", known=False) for n in range(3)]
    bad = await world.sent("acme", "newsletter", "lee@example.com")
    await world.owner.execute(f"alter table event add constraint no_lee check (delivery <> {bad.delivery})")
    body = {
        "requestId": "r-1",
        "timestamp": 1,
        "records": [
            {"data": base64.b64encode(one.encode()).decode()}
            for one in (*(one.send() for one in good), bad.delivery_event())
        ]
        + [{"data": "!no base64!"}, {"data": base64.b64encode(b"{nonsense").decode()}],
    }
    answer = await doors.batch(raw=json.dumps(body).encode())
    assert answer.status_code == 200, answer.text
    assert len(await doors.settled(*good)) == 3
    assert await world.whys() == ["malformed"] * 3
    details = " ".join(str(row[0]) for row in await world.rows("select detail from quarantine"))
    assert "no_lee" in details
    assert "not base64" in details
    assert {row[0] for row in await world.rows("select source from quarantine")} == {"firehose"}


NO_BATCHES: list[tuple[bytes, dict[str, str]]] = [
    (b"{", {}),
    (b"[]", {}),
    (b"{}", {}),
    (b'{"requestId": "r-1", "timestamp": 1, "records": [{"data": 7}]}', {}),
    (b'{"requestId": "other", "timestamp": 1, "records": []}', {}),
    (b"no gzip", {"content-encoding": "gzip"}),
    (gzip.compress(b'{"requestId": "r-1", "records": []}')[:-9], {"content-encoding": "gzip"}),
    (b"{}", {"content-encoding": "br"}),
]


async def test_what_is_no_batch_is_refused_in_firehoses_form(doors: Doors) -> None:
    for body, headers in NO_BATCHES:
        answer = await doors.batch(raw=body, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/json"), body
        assert (answer.json()["requestId"], bool(answer.json()["errorMessage"])) == ("r-1", True), body


async def test_a_small_body_that_unpacks_to_gigabytes_is_refused(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_doors, "MAX_BATCH", 1_000_000)
    answer = await doors.batch(raw=gzip.compress(b" " * 50_000_000), headers={"content-encoding": "gzip"})
    assert answer.status_code == 413


def test_what_is_beyond_the_bound_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_doors, "MAX_BATCH", 1_000_000)
    raw = gzip.compress(b" " * 50_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(problems.TooLarge):
            event_doors.unpacked(raw)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


async def test_a_large_batch_of_a_known_key_is_taken_and_of_an_unknown_one_not_read(doors: Doors) -> None:
    sent = await doors.world.sent("acme", "newsletter", "kim@example.com", known=False)
    padded = json.loads(sent.send())
    padded["padding"] = "x" * 3_000_000
    assert (await doors.batch(json.dumps(padded))).status_code == 200  # 4 MB, and the key is not cached yet
    assert await doors.settled(sent) == {sent.ses_id}
    assert (await doors.batch(b"x" * 3_000_000, key="mck_aaaaaaaa_" + "A" * 43)).status_code == 401


async def test_a_batch_of_more_events_than_firehose_sends_is_refused(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few bytes can be an event that is quarantined, so the bound of bytes bounds neither memory nor time."""
    monkeypatch.setattr(event_doors, "MOST_EVENTS", 10)
    assert (await doors.batch(*["{}"] * 10)).status_code == 200
    many = await doors.batch(*["{}"] * 11)
    in_one = await doors.batch("{}" * 11)
    assert [one.status_code for one in (many, in_one)] == [413, 413]
    assert "more than 10 events" in in_one.json()["errorMessage"]


async def test_a_door_that_has_ended_takes_nothing(doors: Doors) -> None:
    """During a shutdown requests are still answered; nobody may wait for a door that stores nothing more."""
    door = Door("https", ObserveStore(doors.database.dsn("observe")), doors.world.ingest, DoorTotals())
    running = asyncio.create_task(door.run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    event = Malformed("no event", "{}")
    with pytest.raises(Unavailable):
        await asyncio.wait_for(door.take([event], ["{}"]), PATIENCE)


async def test_the_local_firehose_delivers_a_mails_events(doors: Doors) -> None:
    """A mail of SES with our tags and a configuration set that publishes to a stream, as a set-up with Firehose has it."""
    world = doors.world
    ses = boto3.client(
        "sesv2",
        endpoint_url=doors.local.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    stream = "arn:aws:firehose:us-east-1:123456789012:deliverystream/ses"
    async with httpx.AsyncClient(base_url=doors.local.url) as admin:
        given = {
            "url": doors.url + FIREHOSE,
            "access_key": doors.keys["events"],
            "seconds": 0,
            "attributes": {"environment": "test"},
        }
        assert (await admin.put("/_seslocal/streams/ses", json=given)).status_code == 200

        def send() -> None:
            ses.create_email_identity(EmailIdentity="acme.example")
            ses.create_configuration_set(ConfigurationSetName="mc-transactional")
            ses.create_configuration_set_event_destination(
                ConfigurationSetName="mc-transactional",
                EventDestinationName="stream",
                EventDestination={
                    "Enabled": True,
                    "MatchingEventTypes": ["SEND", "DELIVERY", "BOUNCE"],
                    "KinesisFirehoseDestination": {
                        "IamRoleArn": "arn:aws:iam::123456789012:role/firehose",
                        "DeliveryStreamArn": stream,
                    },
                },
            )
            ses.send_email(
                FromEmailAddress="hello@acme.example",
                Destination={"ToAddresses": ["kim@example.com"]},
                Content={"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}},
                ConfigurationSetName="mc-transactional",
                EmailTags=[
                    {"Name": name, "Value": values[0]}
                    for name, values in sent.mail()["tags"].items()
                    if not name.startswith("ses:")
                ],
            )

        sent = await world.sent("acme", "receipt", "kim@example.com", known=False)
        await asyncio.to_thread(send)

        async def stored() -> bool:
            await admin.post("/_seslocal/streams/ses/flush", json={})
            kinds = await world.rows("select kind from event where delivery = $1", sent.delivery)
            return {row[0] for row in kinds} >= {0, 3}

        await until(stored, "Send and Delivery are stored")
    assert await world.whys() == []


# EventBridge ------------------------------------------------------------------------------------------------------------------


async def test_an_event_of_event_bridge_is_stored(doors: Doors) -> None:
    sent = await doors.world.sent("acme", "receipt", "kim@example.com", known=False)
    bearer = {"authorization": f"Bearer {doors.keys['events']}"}
    event = {"detail-type": "Email Sent", "source": "aws.ses", "detail": json.loads(sent.send())}
    assert (await doors.post(BRIDGE, json.dumps(event), bearer)).status_code == 200
    assert await doors.settled(sent) == {sent.ses_id}
    for body in (sent.send(), "{}", "[", ""):
        assert (await doors.post(BRIDGE, body, bearer)).status_code == 400


# All doors --------------------------------------------------------------------------------------------------------------------


async def test_while_the_database_is_away_every_sender_keeps_what_it_has(doors: Doors) -> None:
    world = doors.world
    sent = [await world.sent("acme", "newsletter", f"a{n}@example.com", known=False) for n in range(2)]
    assert (await doors.push(json.loads(sent[0].send()))).status_code == 200
    name = doors.database.name
    admin = await asyncpg.connect(doors.database.dsn("owner").replace(f"/{name}", "/postgres"))
    try:
        await admin.execute(f"alter database {name} with allow_connections false")
        await admin.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and usename like '%observe%'",
            name,
        )
        answers = [await doors.push(sent[1].send()), await doors.batch(sent[1].send())]
        assert [one.status_code for one in answers] == [503, 503]
        assert all(int(one.headers["retry-after"]) > 0 for one in answers)
        assert set(answers[1].json()) == {"requestId", "timestamp", "errorMessage"}
    finally:
        await admin.execute(f"alter database {name} with allow_connections true")
        await admin.close()

    async def taken() -> bool:
        return (await doors.batch(sent[1].send())).status_code == 200

    await until(taken, "the database is back")
    assert len(await doors.settled(*sent)) == 2


async def test_only_post_is_a_door(doors: Doors) -> None:
    for path in (SNS, FIREHOSE, BRIDGE):
        answer = await doors.client.get(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST"), path


async def test_the_doors_are_described(doors: Doors) -> None:
    described = (await doors.client.get("/openapi.json")).json()
    for path in (SNS, FIREHOSE, BRIDGE):
        assert "post" in described["paths"][path]
    assert described["paths"][SNS]["post"]["security"] == []
