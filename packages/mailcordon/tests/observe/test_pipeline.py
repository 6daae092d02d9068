"""The pipeline from a real queue to a real database loses nothing, whatever fails."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

import seslocal
from mailcordon.adapters.db.observe_store import ObserveStore
from mailcordon.adapters.ses.certificates import Certificates, LocalSource, _download
from mailcordon.adapters.ses.feedback import Reader
from mailcordon.adapters.ses.queue import SqsQueue, open_queue
from mailcordon.adapters.ses.signer import Credentials, FixedCredentials
from mailcordon.adapters.ses.sns_signature import Proof
from mailcordon.core.pace import steady
from mailcordon.core.queue import Received
from mailcordon.observe.pipeline import RECEIVERS, Pipeline
from mailcordon.observe.ports import EventReader
from mailcordon.run import local_ses
from mailcordon_fixtures.queue_world import database_away
from seslocal.events import certificate

from .conftest import Sent, World

TOPIC = "arn:aws:sns:us-east-1:123456789012:outcome"


async def until(true: Callable[[], Awaitable[object]], what: str) -> None:
    deadline = time.monotonic() + 60
    while not await true():
        assert time.monotonic() < deadline, f"not within 60 s: {what}"
        await asyncio.sleep(0.02)


@dataclass
class PipelineWorld:
    """A queue, and the pipeline that reads it."""

    client: Any
    url: str
    local: seslocal.Local
    dsn: str
    world: World

    async def put(self, *bodies: str) -> None:
        """As any program with boto3 can."""
        for body in bodies:
            await asyncio.to_thread(self.client.send_message, QueueUrl=self.url, MessageBody=body)

    async def left(self, *, waiting: bool = True, in_flight: bool = True) -> int:
        names = ["ApproximateNumberOfMessages"] * waiting + [
            "ApproximateNumberOfMessagesNotVisible"
        ] * in_flight
        answer = await asyncio.to_thread(
            self.client.get_queue_attributes, QueueUrl=self.url, AttributeNames=names
        )
        return sum(int(answer["Attributes"][name]) for name in names)

    async def empty(self) -> bool:
        return await self.left() == 0

    @asynccontextmanager
    async def running(
        self,
        *,
        visibility_seconds: int = 1,
        settles_after: float | None = None,
        exact: bool = False,
        reader: EventReader | None = None,
        receivers: int = 2,
    ) -> AsyncIterator[Pipeline]:
        queue = open_queue(
            self.url,
            region="us-east-1",
            credentials=FixedCredentials(Credentials("test", "test")),
            endpoint=self.local.url,
            wait_seconds=1,
            visibility_seconds=visibility_seconds,
        )
        store = ObserveStore(self.dsn)
        pipeline = Pipeline(
            queue,
            store,
            reader=reader or Reader(Proof({TOPIC})),
            ingest=self.world.ingest,
            receivers=receivers,
            settles_after=settles_after,
            exact=exact,
        )
        stop = asyncio.Event()
        task = asyncio.create_task(pipeline.run(stop))
        try:
            yield pipeline
        finally:
            stop.set()
            await task
            await store.close()
            await queue.close()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked and proved every second or twice a second happens ten or twenty times as often."""
    monkeypatch.setattr("mailcordon.observe.pipeline.ASK", steady(0.1))
    monkeypatch.setattr("mailcordon.observe.pipeline.TICK", 0.025)


@pytest.fixture
async def pipeline(world: World, database: Any) -> AsyncIterator[PipelineWorld]:
    async with seslocal.running() as local:
        client = boto3.client(
            "sqs",
            endpoint_url=local.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        made = await asyncio.to_thread(client.create_queue, QueueName="outcome")
        yield PipelineWorld(client, made["QueueUrl"], local, database.dsn("observe"), world)
        client.close()


async def test_where_the_queues_policy_is_the_proof_raw_and_enveloped_events_count(
    pipeline: PipelineWorld,
) -> None:
    world = pipeline.world
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    enveloped = json.dumps({"Type": "Notification", "TopicArn": TOPIC, "Message": sent.bounce()})
    await pipeline.put(sent.send(), enveloped)
    async with pipeline.running():
        await until(pipeline.empty, "both stored and deleted")
    assert await world.metrics("sent", "hard_bounced") == [(1, 1)]
    assert await world.rows("select address from suppression") == [("kim@example.com",)]


async def test_a_flood_of_quarantined_documents_is_a_line_for_each_kind_in_the_log(
    pipeline: PipelineWorld, caplog: pytest.LogCaptureFixture
) -> None:
    await pipeline.world.owner.execute("update quarantine_kind set most_entries = 2 where why = 'malformed'")
    for n in range(6):
        await pipeline.put(*[f"{n} {k} {{" for k in range(10)])
    async with pipeline.running():
        await until(pipeline.empty, "counted and deleted")
    lines = [
        record.getMessage() for record in caplog.records if record.getMessage().startswith("quarantine: ")
    ]
    assert [line.partition(" (")[0][:22] for line in lines] == [
        "quarantine: malformed:",
        "quarantine: no room fo",
    ]
    assert await pipeline.world.rows(
        "select entries::int, documents::int, not_kept::int from quarantine_kind where why = 'malformed'"
    ) == [(2, 60, 58)]


async def test_a_full_queue_is_read_by_many_receivers_at_once(
    pipeline: PipelineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Amazon's needs: a receive brings at most ten messages, and each takes a while."""
    queue = pipeline.local.account.queues.ensure("outcome")
    for _ in range(2000):
        queue.put("Successfully validated SNS topic for Amazon SES event publishing.")
    now = most = 0
    receive = SqsQueue.receive

    async def slow(self: SqsQueue, *, wait: bool = True) -> list[Received]:
        nonlocal now, most
        now += 1
        most = max(most, now)
        try:
            await asyncio.sleep(0.01)
            return await receive(self, wait=wait)
        finally:
            now -= 1

    monkeypatch.setattr(SqsQueue, "receive", slow)
    async with pipeline.running(receivers=RECEIVERS) as running:
        await until(pipeline.empty, "all read and deleted")
    assert running.totals.stored == 2000
    assert most > 8


async def test_a_document_without_our_tags_is_an_ungoverned_send(pipeline: PipelineWorld) -> None:
    sent = await pipeline.world.sent("acme", "newsletter", "kim@example.com")
    await pipeline.put(sent.bounce(mail=sent.mail(tags={"ses:configuration-set": ["mc-marketing"]})))
    async with pipeline.running():
        await until(pipeline.empty, "quarantined and deleted")
    assert await pipeline.world.whys() == ["ungoverned"]
    assert await pipeline.world.rows("select 1 from suppression") == []


# Signatures ------------------------------------------------------------------------------------------------------------------


@dataclass
class Sns:
    """A topic of the local SES that feeds the queue, and what reads it by its signatures."""

    client: Any
    local: seslocal.Local

    async def publish(self, *documents: str, version: str = "2") -> None:
        ask = self.client.set_topic_attributes
        await asyncio.to_thread(ask, TopicArn=TOPIC, AttributeName="SignatureVersion", AttributeValue=version)
        for document in documents:
            await asyncio.to_thread(self.client.publish, TopicArn=TOPIC, Message=document)

    def reader(
        self,
        download: Callable[[str], tuple[int, bytes]] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> Reader:
        source = LocalSource(self.local.url, download=download)
        return Reader(Proof({TOPIC}, Certificates(source, clock=clock)))


@pytest.fixture
async def sns(pipeline: PipelineWorld) -> AsyncIterator[Sns]:
    client = boto3.client(
        "sns",
        endpoint_url=pipeline.local.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    await local_ses.sign_events(pipeline.local.url)
    await asyncio.to_thread(client.create_topic, Name="outcome")
    await asyncio.to_thread(
        client.subscribe, TopicArn=TOPIC, Protocol="sqs", Endpoint=TOPIC.replace(":sns:", ":sqs:")
    )
    yield Sns(client, pipeline.local)
    client.close()


async def test_what_sns_signed_counts_and_what_others_put_on_the_queue_does_not(
    pipeline: PipelineWorld, sns: Sns
) -> None:
    world = pipeline.world
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    reader = sns.reader()
    await sns.publish(sent.send(), version="1")
    await sns.publish(sent.delivery_event(), version="2")
    forged = json.dumps({"Type": "Notification", "TopicArn": TOPIC, "Message": sent.complaint()})
    await pipeline.put(sent.bounce(), forged, "nonsense")
    async with pipeline.running(reader=reader) as running:
        await until(pipeline.empty, "all stored or put aside")
    assert await world.metrics("sent", "delivered", "hard_bounced", "complained") == [(1, 1, 0, 0)]
    assert await world.rows("select 1 from suppression") == []
    assert await world.whys() == ["unverified"] * 3
    assert reader.proof.version_1_topics == {TOPIC}
    assert running.facts.document()["unverified"] == 3


async def test_without_its_certificate_nothing_is_received_and_nothing_is_lost(
    pipeline: PipelineWorld, sns: Sns, caplog: pytest.LogCaptureFixture
) -> None:
    world = pipeline.world
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    away, asked = True, 0

    def download(url: str) -> tuple[int, bytes]:
        nonlocal asked
        asked += 1
        return (503, b"") if away else _download(url)

    await sns.publish(sent.send(), sent.bounce())
    async with pipeline.running(reader=sns.reader(download)) as running:

        async def stopped() -> bool:
            return running.facts.uncertain is not None and asked > 1

        await until(stopped, "receiving has stopped")
        assert (await pipeline.left(), await world.metrics("send_events"), await world.whys()) == (
            2,
            [(0,)],
            [],
        )
        facts = running.facts.document()
        assert (facts["live"], "HTTP 503" in str(facts["problem"])) == (False, True)
        assert "HTTP 503" in str(facts["uncertain"])
        assert "receiving events stopped" in caplog.text
        away = False
        await until(pipeline.empty, "all stored")
        assert running.facts.document()["uncertain"] is None
    assert await world.metrics("sent", "hard_bounced") == [(1, 1)]


async def test_a_forged_certificate_keeps_nothing_but_its_own_message(
    pipeline: PipelineWorld, sns: Sns
) -> None:
    """Its message waits, and proves no absence, until it is certain that SNS has no such certificate."""
    world = pipeline.world
    call = await unknown(world)
    late = await world.sent("acme", "password-reset", "lee@example.com", at=call.attempt.called_at + 5000)
    now = 0.0

    def download(url: str) -> tuple[int, bytes]:
        return (404, b"") if "forged" in url else _download(url)

    reader = sns.reader(download, clock=lambda: now)
    forged = {
        "Type": "Notification",
        "TopicArn": TOPIC,
        "Message": call.bounce(),
        "MessageId": "x",
        "Timestamp": "2026-03-01T10:00:00.000Z",
        "SignatureVersion": "2",
        "Signature": "EXAMPLE",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-forged.pem",
    }
    await pipeline.put(json.dumps(forged))
    await sns.publish(late.send())
    async with pipeline.running(reader=reader, settles_after=1.5) as running:
        await until(lambda: _equal(stored(world, late), 1), "the other event is stored")
        came = running.totals.received
        await until(lambda: _true(running.totals.received >= came + 3), "it came back again and again")
        assert (await pipeline.left(), await proved(world), await world.whys()) == (1, 0, [])
        facts = running.facts.document()
        assert (facts["live"], facts["uncertain"]) == (True, None)
        assert "HTTP 404" in str(facts["left"])

        async def empty_later() -> bool:
            nonlocal now
            now += 2  # a minute passes while it comes back
            return await pipeline.empty()

        await until(empty_later, "put aside")
    assert await world.whys() == ["unverified"]
    assert await world.metrics("hard_bounced") == [(0,)]


async def test_a_local_ses_that_started_again_signs_with_another_certificate(
    pipeline: PipelineWorld, sns: Sns
) -> None:
    sent = await pipeline.world.sent("acme", "newsletter", "kim@example.com")
    now = 0.0
    reader = sns.reader()
    reader.proof._certificates = certificates = Certificates(LocalSource(sns.local.url), clock=lambda: now)
    await sns.publish(sent.send())
    async with pipeline.running(reader=reader):
        await until(pipeline.empty, "the first stored")
        certificate._pair.cache_clear()
        now = 60.0
        await sns.publish(sent.delivery_event())
        await until(pipeline.empty, "the second stored")
    assert await pipeline.world.whys() == []
    assert certificates._keys


# Whatever fails --------------------------------------------------------------------------------------------------------------


async def test_nonsense_never_stops_the_loop(pipeline: PipelineWorld) -> None:
    sent = await pipeline.world.sent("acme", "newsletter", "kim@example.com")
    topic = "Successfully validated SNS topic for Amazon SES event publishing."
    await pipeline.put(topic, "{", "nothing", '{"mail":' * 5000, "[]")
    async with pipeline.running() as running:
        await until(pipeline.empty, "all put aside")
        await pipeline.put(sent.send())
        await until(pipeline.empty, "the event after them stored")
    assert (running.totals.stored, running.totals.counted) == (6, {"send": 1})
    assert await pipeline.world.whys() == ["malformed"] * 4


async def test_nothing_is_deleted_when_the_commit_fails(pipeline: PipelineWorld) -> None:
    world = pipeline.world
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    await world.owner.execute("""
        create function fail() returns trigger language plpgsql as $$
        begin raise exception 'no space left' using errcode = 'disk_full'; end $$;
        create constraint trigger fail after insert on send_seen deferrable initially deferred
            for each row execute function fail()
    """)
    await pipeline.put(sent.send())
    async with pipeline.running() as running:
        await until(lambda: _true(running.totals.received >= 2), "received a second time")
        assert (running.totals.stored, await pipeline.left()) == (0, 1)
        await world.owner.execute("drop trigger fail on send_seen")
        await until(pipeline.empty, "stored once the disk has room")
    assert await world.metrics("sent") == [(1,)]


async def test_nothing_is_received_while_the_database_is_unavailable(pipeline: PipelineWorld) -> None:
    world = pipeline.world
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    async with pipeline.running() as running:
        await pipeline.put(sent.send())
        await until(pipeline.empty, "the first stored")
        async with database_away(world.owner, pipeline.dsn):
            await pipeline.put(sent.delivery_event())
            await until(lambda: _true(not running._open.is_set()), "receiving has stopped")
            await pipeline.put(sent.complaint())
            # Receives that were open before may still return messages; no new ones start.
            await until(lambda: _both(pipeline.left(in_flight=False)), "what was in flight is back")
            received = running.totals.received
            assert (await pipeline.left(in_flight=False), running.totals.received) == (2, received)
        await until(pipeline.empty, "all stored once it is back")
    assert await world.metrics("sent", "delivered", "complained") == [(1, 1, 1)]


async def test_an_observer_that_cannot_report_receives_nothing(pipeline: PipelineWorld) -> None:
    """Others take it as gone. With nothing to store, only its question to the database fails."""
    world = pipeline.world
    sent = await world.sent("acme", "newsletter", "kim@example.com")
    async with pipeline.running(settles_after=600) as running:
        await until(lambda: _true(running._open.is_set()), "it receives")
        live_since = running._watermark.live_since
        async with database_away(world.owner, pipeline.dsn):
            await until(lambda: _true(not running._open.is_set()), "receiving has stopped")
            assert running._watermark.live_since > live_since
        await pipeline.put(sent.send())
        await until(pipeline.empty, "stored once it is back")
    assert await world.metrics("sent") == [(1,)]


async def test_an_observer_whose_question_stays_open_receives_nothing_meanwhile(
    pipeline: PipelineWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailcordon.observe.pipeline.ASK_PATIENCE", 0.1)
    world = pipeline.world
    async with pipeline.running(settles_after=600) as running:
        async with world.owner.transaction():
            await world.owner.execute("lock table waiting in access exclusive mode")
            await until(lambda: _true(not running._open.is_set()), "receiving has stopped")
        await until(lambda: _true(running._open.is_set()), "receiving again")


async def test_one_message_that_the_database_rejects_does_not_stop_the_others(
    pipeline: PipelineWorld,
) -> None:
    world = pipeline.world
    bad = await world.sent("acme", "newsletter", "lee@example.com")
    good = [await world.sent("acme", "newsletter", f"a{n}@example.com") for n in range(5)]
    await world.owner.execute(f"alter table event add constraint no_lee check (delivery <> {bad.delivery})")
    await pipeline.put(bad.bounce(), *[sent.send() for sent in good])
    async with pipeline.running():
        await until(pipeline.empty, "all stored or put aside")
    assert await world.metrics("sum(c.sent)", "sum(c.send_events)") == [(6, 5)]
    assert await world.whys() == ["malformed"]
    assert "no_lee" in (await world.rows("select detail from quarantine"))[0][0]


async def test_stopping_stores_and_deletes_what_was_received(pipeline: PipelineWorld) -> None:
    sent = [await pipeline.world.sent("acme", "newsletter", f"a{n}@example.com") for n in range(60)]
    await pipeline.put(*[one.send() for one in sent])
    async with pipeline.running(visibility_seconds=30) as running:
        await until(lambda: _true(running.totals.received > 0), "some received")
    assert running.totals.stored == running.totals.received
    assert await pipeline.left() == 60 - running.totals.stored


# How far the queue is read ----------------------------------------------------------------------------------------------


async def unknown(world: World, slug: str = "acme", type: str = "password-reset") -> Sent:
    """A call whose outcome is unknown; the lane's grace is one second."""
    call = await world.sent(slug, type, "kim@example.com", known=False)
    lane = world.lanes[slug, type]
    await world.owner.execute("update lane set grace_ms = 1000 where id = $1", lane)
    await world.owner.execute(
        "with d as (delete from ready where id = $1 returning *)"
        " insert into waiting (lane, id, tenant, why, attempt, called_at, hash, reason, code, configuration_set, since)"
        " select lane, id, tenant, 2, attempt, called_at, hash, 'no answer', 'outcome-unknown', $2, called_at from d",
        call.delivery,
        call.set,
    )
    return call


async def stored(world: World, call: Sent) -> int:
    return (await world.rows("select count(*) from outcome where id = $1", call.delivery))[0][0]


async def proved(world: World) -> int:
    return (await world.rows("select coalesce(max(proved_called_at), 0) from send_seen"))[0][0]


async def test_an_empty_queue_proves_the_absence_of_an_older_call(pipeline: PipelineWorld) -> None:
    world = pipeline.world
    call = await unknown(world)
    later = await world.sent("zen", "newsletter", "lee@example.com", at=world.now + 1000)
    other_set = later.send()
    async with pipeline.running(settles_after=600, exact=True):
        await pipeline.put(other_set)
        await until(pipeline.empty, "an event of another set is stored")
        same_set = await world.sent(
            "acme", "password-reset", "lee@example.com", at=call.attempt.called_at + 999
        )
        await pipeline.put(same_set.send())
        await until(pipeline.empty, "an event within the grace is stored")
        await asyncio.sleep(0.5)
        assert await proved(world) == 0
        assert await world.rows("select 1 from observer") == [], "there was nothing that could be proved"
        late = await world.sent("acme", "password-reset", "lee@example.com", at=call.attempt.called_at + 1000)
        await pipeline.put(late.send())
        await until(lambda: _equal(proved(world), late.attempt.called_at), "proved")
    [row] = await world.rows("select queue, ended from observer")
    assert row == ("outcome", True)


async def test_a_message_in_anothers_hands_proves_nothing_until_it_is_stored(pipeline: PipelineWorld) -> None:
    world = pipeline.world
    call = await unknown(world)
    await pipeline.put(call.send())
    held = await asyncio.to_thread(
        pipeline.client.receive_message, QueueUrl=pipeline.url, VisibilityTimeout=600, WaitTimeSeconds=1
    )
    assert len(held["Messages"]) == 1, "an observer that was killed had it"
    late = await world.sent("acme", "password-reset", "lee@example.com", at=call.attempt.called_at + 5000)
    await pipeline.put(late.send())
    async with pipeline.running(settles_after=600, exact=True):
        await until(lambda: _equal(stored(world, late), 1), "the later event is stored")
        await asyncio.sleep(0.5)
        assert (await pipeline.left(), await proved(world)) == (1, 0)
        await asyncio.to_thread(
            pipeline.client.change_message_visibility,
            QueueUrl=pipeline.url,
            ReceiptHandle=held["Messages"][0]["ReceiptHandle"],
            VisibilityTimeout=0,
        )
        await until(lambda: _equal(proved(world), late.attempt.called_at), "proved after that")
    assert await stored(world, call) == 1


async def test_where_counts_are_not_exact_time_proves_it(pipeline: PipelineWorld) -> None:
    world = pipeline.world
    call = await unknown(world)
    late = await world.sent("acme", "password-reset", "lee@example.com", at=call.attempt.called_at + 5000)
    await pipeline.put(late.send())
    async with pipeline.running(settles_after=2):
        await until(lambda: _equal(proved(world), late.attempt.called_at), "proved")
    [[live, beat]] = await world.rows("select live_since, beat from observer")
    assert beat - live >= 2000


async def test_an_event_that_cannot_be_stored_still_proves_that_ses_has_the_mail(
    pipeline: PipelineWorld,
) -> None:
    world = pipeline.world
    call = await unknown(world)
    await world.owner.execute("alter table event add constraint broken check (kind < 0)")
    await pipeline.put(call.send())
    async with pipeline.running():
        await until(pipeline.empty, "quarantined")
    assert await world.whys() == ["malformed"]
    assert await world.rows("select delivery, attempt from send_event") == [(call.delivery, 1)]


async def test_with_no_unknown_outcome_nothing_is_marked_or_counted(pipeline: PipelineWorld) -> None:
    world = pipeline.world
    sent = [await world.sent("acme", "password-reset", f"r{n}@example.com") for n in range(20)]
    async with pipeline.running(settles_after=600, exact=True) as running:
        await pipeline.put(*[one.send() for one in sent])
        await until(pipeline.empty, "all stored")
        await asyncio.sleep(0.5)
        assert not running._watermark.waits
    assert (await proved(world), await world.rows("select 1 from observer")) == (0, [])


async def _equal(found: Awaitable[int], wanted: int) -> bool:
    return await found == wanted


async def _true(value: bool) -> bool:
    return value


async def _both(count: Awaitable[int]) -> bool:
    return await count == 2
