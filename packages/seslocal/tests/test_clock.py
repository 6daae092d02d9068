"""The clock: set, frozen, sped up and moved, with everything that depends on it; and repeatable runs."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

import seslocal

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

HOUR = 3600.0
START = 1_767_225_600.0  # 2026-01-01T00:00:00Z


@pytest.fixture
def frozen(world: World) -> Iterator[World]:
    world.admin("PUT", "/clock", {"at": START, "frozen": True})
    yield world
    world.admin("POST", "/reset")


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_a_frozen_clock_does_not_move_until_it_is_set(frozen: World) -> None:
    assert frozen.admin("GET", "/clock")["now"] == START
    frozen.ready()
    frozen.send("kim@example.com")
    assert frozen.admin("GET", "/clock") == {
        "now": START, "time": "2026-01-01T00:00:00.000Z", "speed": 0.0, "frozen": True, "due": 1,
    }  # fmt: skip
    frozen.admin("PUT", "/clock", {"advance": 1})
    send, delivery = frozen.events(2)
    assert send["mail"]["timestamp"] == "2026-01-01T00:00:00.000Z"
    assert delivery["delivery"]["timestamp"] == "2026-01-01T00:00:00.002Z"  # each event at its own time


def test_a_delay_of_fourteen_hours_does_not_wait_for_real_time(frozen: World) -> None:
    frozen.ready()
    frozen.mailbox("slow@example.com", "defers", seconds=13 * HOUR, delays=3)
    began = time.monotonic()
    frozen.send("slow@example.com")
    frozen.admin("PUT", "/clock", {"advance": 14 * HOUR})
    events = frozen.events(5)
    assert time.monotonic() - began < 10
    assert [e["eventType"] for e in events] == ["Send", *["DeliveryDelay"] * 3, "Delivery"]
    passed = [at(e["deliveryDelay"]["timestamp"]) - START for e in events[1:4]]
    assert passed == pytest.approx([0, 13 * HOUR / 3, 26 * HOUR / 3], abs=1)
    assert at(events[4]["delivery"]["timestamp"]) - START == pytest.approx(13 * HOUR, abs=1)
    assert events[4]["delivery"]["processingTimeMillis"] == pytest.approx(13 * HOUR * 1000, abs=1000)


def test_a_fast_clock_ends_a_delay(world: World) -> None:
    world.ready()
    world.mailbox("slow@example.com", "defers", seconds=10 * HOUR)
    world.admin("PUT", "/clock", {"speed": 10 * HOUR})
    world.send("slow@example.com")
    assert world.kinds(3) == ["Send", "DeliveryDelay", "Delivery"]


def test_ses_gives_up_after_fourteen_hours(frozen: World) -> None:
    frozen.ready()
    frozen.mailbox("gone@example.com", "defers", seconds=20 * HOUR, delays=2)
    frozen.send("gone@example.com")
    frozen.admin("PUT", "/clock", {"advance": 24 * HOUR})
    bounce = frozen.events(4)[3]["bounce"]
    assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Transient", "General")
    assert at(bounce["timestamp"]) - START == pytest.approx(14 * HOUR, abs=1)
    [line] = frozen.sent()
    assert line["fates"]["gone@example.com"] == {"fate": "bounces", "subtype": "General"}


def test_the_sets_max_delivery_time_ends_a_delay_sooner(frozen: World) -> None:
    frozen.ready(DeliveryOptions={"MaxDeliverySeconds": 600})
    frozen.mailbox("gone@example.com", "defers", seconds=HOUR, then="delivers")
    frozen.send("gone@example.com")
    frozen.admin("PUT", "/clock", {"advance": HOUR})
    bounce = frozen.events(3)[2]["bounce"]
    assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Transient", "CustomTimeoutExceeded")
    assert at(bounce["timestamp"]) - START == pytest.approx(600, abs=1)


def test_a_complaint_can_come_days_later(frozen: World) -> None:
    frozen.ready()
    frozen.mailbox("lee@example.com", "complains", seconds=72 * HOUR)
    frozen.send("lee@example.com")
    frozen.admin("PUT", "/clock", {"advance": 71 * HOUR})
    assert frozen.kinds(2) == ["Send", "Delivery"]
    frozen.admin("PUT", "/clock", {"advance": 2 * HOUR})
    assert frozen.kinds(1) == ["Complaint"]


def test_the_daily_quota_is_free_again_after_a_day(frozen: World) -> None:
    frozen.ready()
    frozen.admin("PUT", "/account", {"quota": 1})
    frozen.send("kim@example.com")
    assert "quota exceeded" in frozen.refused(lambda: frozen.send("kim@example.com"))[2]
    frozen.admin("PUT", "/clock", {"advance": 25 * HOUR})
    assert frozen.send("kim@example.com")


def test_a_received_message_returns_after_its_visibility_timeout(frozen: World) -> None:
    url = frozen.sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "43200"})["QueueUrl"]
    frozen.sqs.send_message(QueueUrl=url, MessageBody="x")
    assert frozen.sqs.receive_message(QueueUrl=url)["Messages"]
    assert "Messages" not in frozen.sqs.receive_message(QueueUrl=url)
    frozen.admin("PUT", "/clock", {"advance": 43201})
    assert frozen.sqs.receive_message(QueueUrl=url)["Messages"]


def test_a_long_poll_ends_with_a_frozen_clock(frozen: World) -> None:
    url = frozen.sqs.create_queue(QueueName="q")["QueueUrl"]
    assert "Messages" not in frozen.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1)


def test_a_reset_restores_the_clock(frozen: World) -> None:
    frozen.admin("POST", "/reset")
    assert abs(frozen.admin("GET", "/clock")["now"] - time.time()) < 5


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"at": "yesterday"}, "at must be a time"),
        ({"at": 1e30}, "at must be a time"),
        ({"at": 5, "advance": 5}, "not both"),
        ({"speed": -1}, "speed"),
        ({"frozen": True, "speed": 2}, "disagree"),
        ({"frozen": 1}, "true or false"),
        ({"advance": -5}, "advance"),
        ({"hour": 5}, "hour"),
    ],
)
def test_an_invalid_time_is_refused_with_a_sentence(world: World, body: object, word: str) -> None:
    assert word in world.admin("PUT", "/clock", body, expect=400)["error"]


def test_a_clock_cannot_be_moved_beyond_the_year_9000(frozen: World) -> None:
    frozen.admin("PUT", "/clock", {"at": "8999-01-01T00:00:00Z"})
    assert "year 9000" in frozen.admin("PUT", "/clock", {"advance": 1e9}, expect=400)["error"]


async def test_callbacks_run_in_order_and_each_sees_its_own_time() -> None:
    clock = seslocal.Clock(100.0, 0)
    seen: list[tuple[str, float]] = []

    def note(name: str) -> None:
        seen.append((name, clock.now()))

    clock.call_at(130, lambda: note("late"))
    clock.call_at(110, lambda: (note("first"), clock.call_later(5, lambda: note("asked by first"))))  # type: ignore[arg-type, return-value]
    clock.call_at(110, lambda: note("second"))
    clock.call_at(500, lambda: note("never"))
    clock.advance(100)
    assert seen == [("first", 110), ("second", 110), ("asked by first", 115), ("late", 130)]
    assert clock.now() == 200


async def test_a_clock_set_back_undoes_nothing() -> None:
    clock = seslocal.Clock(100.0, 0)
    seen: list[float] = []
    clock.call_at(150, lambda: seen.append(clock.now()))
    clock.advance(100)
    clock.set(at=120)
    clock.advance(100)
    assert (seen, clock.now()) == ([150], 220)


def run_once(port_box: list[int]) -> bytes:
    """Returns all responses and events that one client got from a server with a seed and a frozen clock."""
    session = boto3.Session("test", "test", region_name="us-east-1")
    config = Config(retries={"total_max_attempts": 1})
    where = {"endpoint_url": f"http://127.0.0.1:{port_box[0]}", "config": config}
    client: Any = session.client
    ses, sqs, sns = client("sesv2", **where), client("sqs", **where), client("sns", **where)
    said: list[Any] = []

    def say(answer: Any) -> Any:
        headers = answer["ResponseMetadata"]["HTTPHeaders"]
        said.append(
            [answer["ResponseMetadata"]["RequestId"], headers["content-length"], repr(sorted(answer))]
        )
        said.append({k: v for k, v in answer.items() if k != "ResponseMetadata"})
        return answer

    queue = say(sqs.create_queue(QueueName="q"))
    topic = say(sns.create_topic(Name="t"))["TopicArn"]
    say(sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint="arn:aws:sqs:us-east-1:123456789012:q"))
    say(ses.create_email_identity(EmailIdentity="acme.example"))
    say(ses.create_configuration_set(ConfigurationSetName="s"))
    target = {"Enabled": True, "SnsDestination": {"TopicArn": topic}}
    kinds = ["SEND", "DELIVERY", "BOUNCE", "COMPLAINT"]
    say(ses.create_configuration_set_event_destination(
        ConfigurationSetName="s", EventDestinationName="e", EventDestination={**target, "MatchingEventTypes": kinds}
    ))  # fmt: skip
    for number in range(10):
        to = ("kim@example.com", "bounce@simulator.amazonses.com", "complaint@simulator.amazonses.com")[
            number % 3
        ]
        say(ses.send_email(
            FromEmailAddress="a@acme.example", Destination={"ToAddresses": [to]}, ConfigurationSetName="s",
            Content={"Simple": {"Subject": {"Data": str(number)}, "Body": {"Text": {"Data": "x"}}}},
        ))  # fmt: skip
        got = say(sqs.receive_message(QueueUrl=queue["QueueUrl"], MaxNumberOfMessages=10))
        for message in got.get("Messages", []):
            say(sqs.delete_message(QueueUrl=queue["QueueUrl"], ReceiptHandle=message["ReceiptHandle"]))
    for client in (ses, sqs, sns):
        client.close()
    text = json.dumps(said, default=str, sort_keys=True)
    return text.replace(str(port_box[0]), "PORT").encode()


async def test_the_same_seed_and_calls_give_the_same_ids_and_events_byte_for_byte() -> None:
    outputs: list[bytes] = []
    for seed in (7, 7, 8):
        clock = seslocal.Clock(START, 0)
        settings = seslocal.Settings(seed=seed, event_delay=0)
        async with seslocal.running(settings=settings, clock=clock) as local:
            outputs.append(await asyncio.to_thread(run_once, [local.port]))
    # Ports can have different numbers of digits, which changes lengths of what contains them.
    assert b"Complaint" in outputs[0]
    assert b"bounceType" in outputs[0]
    assert outputs[0] == outputs[1]
    assert outputs[0] != outputs[2]
