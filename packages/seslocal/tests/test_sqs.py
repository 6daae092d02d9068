"""Queues through boto3: delivered at least once, hidden while in flight, deleted by the latest handle."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from seslocal.clock import Clock
from seslocal.ids import Ids
from seslocal.sqs import operations as sqs
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.queues import Queues
from seslocal.state.settings import Settings
from seslocal_fixtures import signing

if TYPE_CHECKING:
    from seslocal_fixtures.world import World


@pytest.fixture
def url(world: World) -> str:
    return world.sqs.create_queue(QueueName="q")["QueueUrl"]


def take(world: World, url: str, **more: Any) -> list[dict[str, Any]]:
    return [dict(m) for m in world.sqs.receive_message(QueueUrl=url, **more).get("Messages", [])]


def test_a_received_message_has_its_digest_and_attributes(world: World, url: str) -> None:
    sent = world.sqs.send_message(
        QueueUrl=url,
        MessageBody="Grüße ✉",
        MessageAttributes={
            "colour": {"DataType": "String", "StringValue": "red"},
            "bits": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
        },
    )
    digest = hashlib.md5("Grüße ✉".encode()).hexdigest()
    assert sent["MD5OfMessageBody"] == digest
    [message] = take(world, url, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"])
    assert (message["Body"], message["MD5OfBody"]) == ("Grüße ✉", digest)
    assert message["MD5OfMessageAttributes"] == sent["MD5OfMessageAttributes"]
    assert message["MessageAttributes"]["bits"]["BinaryValue"] == b"\x00\x01"
    assert message["Attributes"]["ApproximateReceiveCount"] == "1"
    assert abs(int(message["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60


def test_a_message_in_flight_is_hidden_until_its_visibility_timeout(world: World, url: str) -> None:
    world.sqs.send_message(QueueUrl=url, MessageBody="x")
    [first] = take(world, url, VisibilityTimeout=2)
    assert take(world, url) == []
    [again] = take(world, url, WaitTimeSeconds=5, MessageSystemAttributeNames=["ApproximateReceiveCount"])
    assert again["MessageId"] == first["MessageId"]
    assert again["Attributes"] == {"ApproximateReceiveCount": "2"}
    world.sqs.delete_message(
        QueueUrl=url, ReceiptHandle=first["ReceiptHandle"]
    )  # stale handle: succeeds, deletes nothing
    world.sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=again["ReceiptHandle"], VisibilityTimeout=0
    )
    [third] = take(world, url)
    world.sqs.delete_message(QueueUrl=url, ReceiptHandle=third["ReceiptHandle"])
    assert counts(world, url) == (0, 0, 0)


def counts(world: World, url: str) -> tuple[int, int, int]:
    names = ["", "NotVisible", "Delayed"]
    answer = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    visible, hidden, delayed = (int(answer[f"ApproximateNumberOfMessages{name}"]) for name in names)
    return visible, hidden, delayed


def test_queue_counts_are_visible_in_flight_and_delayed(world: World, url: str) -> None:
    for _ in range(3):
        world.sqs.send_message(QueueUrl=url, MessageBody="x")
    world.sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=900)
    take(world, url, MaxNumberOfMessages=2)
    assert counts(world, url) == (1, 2, 1)
    world.sqs.purge_queue(QueueUrl=url)
    assert counts(world, url) == (0, 0, 0)


def test_a_delayed_message_is_hidden_until_its_time(world: World, url: str) -> None:
    world.sqs.send_message(QueueUrl=url, MessageBody="later", DelaySeconds=2)
    assert take(world, url) == []
    assert [m["Body"] for m in take(world, url, WaitTimeSeconds=5)] == ["later"]


def test_a_long_poll_returns_when_a_message_arrives(world: World, url: str) -> None:
    def later() -> None:
        world.http(
            "POST",
            "/",
            json.dumps({"QueueUrl": url, "MessageBody": "now"}).encode(),
            {"X-Amz-Target": "AmazonSQS.SendMessage"},
        )

    timer = threading.Timer(0.2, later)
    timer.start()
    start = time.monotonic()
    assert [m["Body"] for m in take(world, url, WaitTimeSeconds=20)] == ["now"]
    assert time.monotonic() - start < 15
    timer.join()


def test_an_empty_long_poll_ends(world: World, url: str) -> None:
    start = time.monotonic()
    assert take(world, url, WaitTimeSeconds=1) == []
    assert 0.9 < time.monotonic() - start < 10


def test_batches_return_a_result_per_entry(world: World, url: str) -> None:
    entries: Any = [{"Id": str(i), "MessageBody": f"m{i}"} for i in range(9)]
    entries.append({"Id": "bad", "MessageBody": "\x00"})
    answer = world.sqs.send_message_batch(QueueUrl=url, Entries=entries)
    assert len(answer["Successful"]) == 9
    assert [(f["Id"], f["Code"], f["SenderFault"]) for f in answer["Failed"]] == [
        ("bad", "InvalidMessageContents", True)
    ]
    taken = take(world, url, MaxNumberOfMessages=10)
    assert [m["Body"] for m in taken] == [f"m{i}" for i in range(9)]
    handles: Any = [{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(taken)]
    hidden: Any = [{**h, "VisibilityTimeout": 0} for h in handles[:4]]
    assert len(world.sqs.change_message_visibility_batch(QueueUrl=url, Entries=hidden)["Successful"]) == 4
    assert counts(world, url) == (4, 5, 0)
    gone = world.sqs.delete_message_batch(
        QueueUrl=url, Entries=[*handles[4:], {"Id": "x", "ReceiptHandle": "no"}]
    )
    assert len(gone["Successful"]) == 5
    assert [f["Code"] for f in gone["Failed"]] == ["ReceiptHandleIsInvalid"]
    assert counts(world, url) == (4, 0, 0)


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "EmptyBatchRequest"),
        ([{"Id": str(i), "MessageBody": "x"} for i in range(11)], "TooManyEntriesInBatchRequest"),
        ([{"Id": "a", "MessageBody": "x"}] * 2, "BatchEntryIdsNotDistinct"),
        ([{"Id": "a b", "MessageBody": "x"}], "InvalidBatchEntryId"),
    ],
)
def test_a_malformed_batch_is_refused_whole(world: World, url: str, entries: Any, code: str) -> None:
    with pytest.raises(getattr(world.sqs.exceptions, code)):
        world.sqs.send_message_batch(QueueUrl=url, Entries=entries)


def test_an_unknown_queue_has_the_codes_of_both_protocols(world: World, url: str) -> None:
    with pytest.raises(world.sqs.exceptions.QueueDoesNotExist) as caught:
        world.sqs.get_queue_url(QueueName="none")
    assert caught.value.response["Error"]["Code"] == "AWS.SimpleQueueService.NonExistentQueue"
    world.sqs.delete_queue(QueueUrl=url)
    with pytest.raises(world.sqs.exceptions.QueueDoesNotExist):
        take(world, url)


def test_a_missing_parameter_is_named(world: World) -> None:
    assert world.refused(world.sqs.send_message, QueueUrl="http://x/123456789012/q") == (
        400,
        "MissingParameter",
        "The request must contain the parameter MessageBody.",
    )


def test_numbers_out_of_range_are_refused(world: World, url: str) -> None:
    for params in ({"MaxNumberOfMessages": 11}, {"WaitTimeSeconds": 21}, {"VisibilityTimeout": 43201}):
        assert world.refused(world.sqs.receive_message, QueueUrl=url, **params)[:2] == (
            400,
            "InvalidParameterValue",
        )


def test_queues_are_listed_and_creating_one_twice_compares_attributes(world: World, url: str) -> None:
    assert world.sqs.create_queue(QueueName="q")["QueueUrl"] == url
    with pytest.raises(world.sqs.exceptions.QueueNameExists):
        world.sqs.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "7"})
    world.sqs.create_queue(QueueName="other", Attributes={"VisibilityTimeout": "7"})
    assert [u.rpartition("/")[2] for u in world.sqs.list_queues()["QueueUrls"]] == ["other", "q"]
    world.sqs.set_queue_attributes(QueueUrl=url, Attributes={"MessageRetentionPeriod": "1209600"})
    attributes = world.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["MessageRetentionPeriod"] == "1209600"
    assert attributes["QueueArn"] == "arn:aws:sqs:us-east-1:123456789012:q"
    assert world.refused(world.sqs.set_queue_attributes, QueueUrl=url, Attributes={"Nonsense": "1"})[1] == (
        "InvalidAttributeName"
    )


def test_a_message_received_too_often_moves_to_the_dead_letter_queue(world: World, url: str) -> None:
    dead = world.sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = {"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": "2"}
    world.sqs.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": json.dumps(policy)})
    world.sqs.send_message(QueueUrl=url, MessageBody="poison")
    for _ in range(2):
        assert len(take(world, url, VisibilityTimeout=0)) == 1
    assert take(world, url) == []
    assert [m["Body"] for m in take(world, dead)] == ["poison"]


@pytest.mark.parametrize("count", ["1e999", "NaN", "[" * 100_000, "null", '"often"'])
def test_a_redrive_policy_needs_a_whole_number(world: World, url: str, count: str) -> None:
    policy = (
        f'{{"deadLetterTargetArn": "arn:aws:sqs:us-east-1:123456789012:dead", "maxReceiveCount": {count}}}'
    )
    refused = world.refused(
        world.sqs.set_queue_attributes, QueueUrl=url, Attributes={"RedrivePolicy": policy}
    )
    assert refused[:2] == (400, "InvalidAttributeValue")


async def test_a_cancelled_poll_wakes_the_next_one() -> None:
    queue = Queues(Clock(), Ids(), "us-east-1", "0" * 12).ensure("q")
    until = queue.created_at + 30
    first = asyncio.create_task(queue.wait_for_message(until))
    second = asyncio.create_task(queue.wait_for_message(until))
    await asyncio.sleep(0)
    queue.put("x")
    first.cancel()  # woken already, but cancelled before it takes the message
    await asyncio.wait_for(second, 60)
    assert first.cancelled()


async def test_a_message_that_arrives_before_a_poll_waits_is_not_missed() -> None:
    account = Account(Settings(), Clock())
    queue = account.queues.ensure("q")
    params = {"QueueUrl": "http://x/123456789012/q", "WaitTimeSeconds": 20}
    pending = sqs.receive_message(account, params, Caller("test", "us-east-1", "", "x", "test"))
    assert not isinstance(pending, dict)
    queue.put("x")
    answer = await asyncio.wait_for(pending, 60)
    assert [message["Body"] for message in answer["Messages"]] == ["x"]


def test_a_disconnected_poller_leaves_the_message_to_others(world: World, url: str) -> None:
    import socket

    body = json.dumps({"QueueUrl": url, "WaitTimeSeconds": 20}).encode()
    with socket.create_connection((world.local.host, world.local.port)) as sock:
        sock.sendall(
            signing.wire("POST", "/", body, {"X-Amz-Target": "AmazonSQS.ReceiveMessage"}, service="sqs")
        )
        assert world.admin("GET", "/health")["status"] == "ok"
    assert world.admin("GET", "/health")["status"] == "ok"
    world.sqs.send_message(QueueUrl=url, MessageBody="x")
    assert [m["Body"] for m in take(world, url, WaitTimeSeconds=2)] == ["x"]
