"""Our SQS client against a queue that real boto3 fills and inspects."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

import seslocal
from mailcordon.adapters.ses.httptools_transport import HttptoolsTransport
from mailcordon.adapters.ses.queue import SqsQueue, open_queue
from mailcordon.adapters.ses.signer import Credentials, FixedCredentials
from mailcordon.core.queue import Unreachable


@dataclass
class Sqs:
    local: seslocal.Local
    client: Any
    url: str

    async def put(self, *bodies: str) -> None:
        for body in bodies:
            await asyncio.to_thread(self.client.send_message, QueueUrl=self.url, MessageBody=body)

    async def left(self) -> int:
        """Messages in the queue, received or not."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = await asyncio.to_thread(
            self.client.get_queue_attributes, QueueUrl=self.url, AttributeNames=names
        )
        return sum(int(answer["Attributes"][name]) for name in names)

    def open(self, **more: Any) -> SqsQueue:
        credentials = FixedCredentials(Credentials("test", "test"))
        return open_queue(
            self.url,
            **{
                "region": "us-east-1",
                "credentials": credentials,
                "endpoint": self.local.url,
                "wait_seconds": 0,
            }
            | more,
        )


@pytest.fixture
async def sqs() -> AsyncIterator[Sqs]:
    async with seslocal.running() as local:
        client = boto3.client(
            "sqs",
            endpoint_url=local.url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        made = await asyncio.to_thread(client.create_queue, QueueName="events")
        yield Sqs(local, client, made["QueueUrl"])
        client.close()


async def test_what_boto3_sends_is_received_and_deleted(sqs: Sqs) -> None:
    texts = ["plain", '{"a": "\\u00e9"}', "ünïcode \U0001f4e8", "line\nline"]
    await sqs.put(*texts)
    queue = sqs.open()
    messages = await queue.receive()
    assert sorted(message.body for message in messages) == sorted(texts)
    assert await queue.receive() == []
    await queue.delete([message.receipt for message in messages])
    assert await sqs.left() == 0
    await queue.close()


async def test_receives_of_one_second_have_one_signature(sqs: Sqs, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS takes a signature for five minutes, however often it comes."""
    now = [time.time()]
    monkeypatch.setattr("mailcordon.adapters.ses.queue.time.time", lambda: now[0])
    sent: list[str] = []
    post = HttptoolsTransport.post

    async def listen(self: HttptoolsTransport, path: str, body: bytes, headers: Any) -> Any:
        sent.append(headers["authorization"])
        return await post(self, path, body, headers)

    monkeypatch.setattr(HttptoolsTransport, "post", listen)
    queue = sqs.open()
    for _ in range(3):
        await queue.receive()
    now[0] += 1
    await queue.receive()
    queue._credentials = FixedCredentials(Credentials("test", "another"))  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(Unreachable):  # it is signed anew
        await queue.receive()
    assert [sent.index(one) for one in sent] == [0, 0, 0, 3, 4]
    await queue.close()


async def test_received_messages_count_until_they_are_deleted(sqs: Sqs) -> None:
    queue = sqs.open()
    assert await queue.count() == 0
    await sqs.put("a", "b")
    await asyncio.to_thread(
        sqs.client.send_message, QueueUrl=sqs.url, MessageBody="delayed", DelaySeconds=600
    )
    received = await queue.receive()
    assert (len(received), await queue.count()) == (2, 3)
    await queue.delete([message.receipt for message in received])
    assert await queue.count() == 1
    await queue.close()


async def test_any_number_is_deleted_in_batches_of_ten(sqs: Sqs) -> None:
    await sqs.put(*[str(n) for n in range(23)])
    queue = sqs.open()
    found = [message for batch in [await queue.receive() for _ in range(3)] for message in batch]
    assert len(found) == 23
    await queue.delete([message.receipt for message in found])
    assert await sqs.left() == 0
    await queue.close()


async def test_waiting_receives_run_at_once(sqs: Sqs) -> None:
    queue = sqs.open(wait_seconds=20)
    waiting = {asyncio.create_task(queue.receive()) for _ in range(3)}
    async with asyncio.timeout(60):
        while sqs.local.account.queues.ensure(queue.name).polls < len(waiting):
            await asyncio.sleep(0.001)
        # One at a time: a receive takes up to ten messages, so it could take all that was put before it ran.
        for text in ("one", "two", "three"):
            await sqs.put(text)
            [done], waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            assert [message.body for message in done.result()] == [text]
    await queue.close()


async def test_what_is_not_deleted_is_received_again(sqs: Sqs) -> None:
    await sqs.put("again")
    queue = sqs.open(visibility_seconds=0)
    assert [message.body for message in await queue.receive()] == ["again"]
    second = await queue.receive()
    assert [message.body for message in second] == ["again"]
    await queue.delete([message.receipt for message in second])
    assert await sqs.left() == 0
    await queue.close()


async def test_an_invalid_receipt_is_not_an_error(sqs: Sqs) -> None:
    queue = sqs.open()
    await queue.delete(["nonsense"])
    await queue.close()


@pytest.mark.parametrize("more", [{"endpoint": "http://127.0.0.1:1"}, {"url": "gone"}])
async def test_a_queue_that_does_not_answer_is_unreachable(sqs: Sqs, more: dict[str, Any]) -> None:
    if "url" in more:
        sqs.url = sqs.url.replace("events", "gone")
        more = {}
    queue = sqs.open(**more)
    with pytest.raises(Unreachable, match=queue.name):
        await queue.receive()
    with pytest.raises(Unreachable):
        await queue.delete(["x"])
    await queue.close()
