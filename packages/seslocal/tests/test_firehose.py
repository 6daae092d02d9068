"""Firehose: a stream's endpoint gets documents in batches, in the format of HTTP endpoint delivery."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from seslocal_fixtures.receiver import Receiver

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

STREAM = "arn:aws:firehose:us-east-1:123456789012:deliverystream/mail"
TARGET = {
    "KinesisFirehoseDestination": {
        "IamRoleArn": "arn:aws:iam::123456789012:role/ses",
        "DeliveryStreamArn": STREAM,
    }
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.reply = lambda posted: (
        200,
        json.dumps({"requestId": json.loads(posted.body)["requestId"], "timestamp": 1}).encode(),
        {},
    )
    yield receiver
    receiver.close()


def publishing(world: World, receiver: Receiver, **more: Any) -> None:
    world.domain()
    world.ses.create_configuration_set(ConfigurationSetName="acme-reset")
    world.destination("acme-reset", TARGET, ["SEND", "DELIVERY"])
    world.admin("PUT", "/streams/mail", {"url": receiver.url + "/firehose", **more})


def documents(body: bytes) -> list[Any]:
    records = json.loads(body)["records"]
    return [json.loads(base64.b64decode(record["data"])) for record in records]


def test_documents_leave_as_one_batch_when_they_are_old_enough(world: World, receiver: Receiver) -> None:
    publishing(world, receiver, access_key="k", attributes={"stage": "test"})
    world.send("kim@example.com", tenant=None)
    world.wait_for(lambda: world.admin("GET", "/streams")["streams"][0]["waiting"] == 2)
    assert receiver.got == []
    world.admin("PUT", "/clock", {"advance": 61})
    [posted] = receiver.wait(1)
    assert posted.path == "/firehose"
    body = json.loads(posted.body)
    assert set(body) == {"requestId", "timestamp", "records"}
    assert isinstance(body["timestamp"], int)
    assert [document["eventType"] for document in documents(posted.body)] == ["Send", "Delivery"]
    expected = {
        "content-type": "application/json",
        "x-amz-firehose-protocol-version": "1.0",
        "x-amz-firehose-request-id": body["requestId"],
        "x-amz-firehose-source-arn": STREAM,
        "x-amz-firehose-access-key": "k",
        "x-amz-firehose-common-attributes": '{"commonAttributes":{"stage":"test"}}',
    }
    assert {name: posted.headers.get(name) for name in expected} == expected


def test_a_full_batch_leaves_at_once(world: World, receiver: Receiver) -> None:
    publishing(world, receiver, bytes=1)
    world.send("kim@example.com", tenant=None)
    assert [len(documents(posted.body)) for posted in receiver.wait(2)] == [1, 1]


def test_a_batch_is_sent_again_if_the_response_lacks_its_request_id(world: World, receiver: Receiver) -> None:
    good, receiver.reply = receiver.reply, lambda posted: (200, b"{}", {})
    publishing(world, receiver)
    world.send("kim@example.com", tenant=None)
    world.wait_for(lambda: world.admin("GET", "/streams")["streams"][0]["waiting"] == 2)
    assert world.admin("POST", "/streams/mail/flush") == {"records": 2}
    receiver.wait(1)
    world.wait_for(lambda: world.admin("GET", "/clock")["due"] >= 2)  # the batch's deadline and its retry
    receiver.reply = good
    world.admin("PUT", "/clock", {"advance": 2})
    first, second = receiver.wait(2)
    assert first.body == second.body
    world.wait_for(lambda: world.admin("GET", "/outbox") == {"sent": 1, "dropped": 0, "waiting": 0})


def test_a_stream_without_an_endpoint_discards_documents(world: World, receiver: Receiver) -> None:
    publishing(world, receiver)
    world.admin("DELETE", "/streams/mail")
    assert world.send("kim@example.com", tenant=None)
    assert world.admin("POST", "/streams/mail/flush", expect=404)["error"]
    assert world.admin("GET", "/outbox")["sent"] == 0
