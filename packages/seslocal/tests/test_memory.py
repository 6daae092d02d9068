"""Memory: what the local SES keeps of many mails is limited, also if nobody reads its queues."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from seslocal import Clock, Settings
from seslocal.sesv2 import configuration_sets, identities, sending
from seslocal.state import event_log, tracking
from seslocal.state.access import Caller
from seslocal.state.account import Account

CALLER = Caller("test", "us-east-1", "127.0.0.1", "127.0.0.1:8005", "test")
KEPT = 150  # mails in the ledger, and twice as many messages in a queue


@pytest.fixture
async def account(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Account]:
    monkeypatch.setattr(tracking, "MOST", KEPT)
    monkeypatch.setattr(event_log, "MOST", 2 * KEPT)
    settings = Settings(seed=1, ledger=KEPT, queue_most=2 * KEPT, rate=1e9, quota=-1, event_delay=0.01)
    account = Account(settings, Clock(1_767_225_600.0, 0))
    identities.create(account, {"EmailIdentity": "acme.example"}, CALLER)
    configuration_sets.create(account, {"ConfigurationSetName": "s"}, CALLER)
    target = {"TopicArn": "arn:aws:sns:us-east-1:123456789012:events"}
    kinds = ["SEND", "DELIVERY", "OPEN", "CLICK"]
    destination = {"Enabled": True, "MatchingEventTypes": kinds, "SnsDestination": target}
    configuration_sets.create_destination(
        account,
        {"ConfigurationSetName": "s", "EventDestinationName": "e", "EventDestination": destination},
        CALLER,
    )
    yield account
    await account.events.outbox.close()


def send(account: Account, count: int, *, consume: bool) -> None:
    queue = account.queues.ensure("events")
    for number in range(count):
        content: dict[str, Any] = {"Subject": {"Data": "Hi"}, "Body": {"Html": {"Data": "<p>Hello</p>" * 20}}}
        call = {
            "FromEmailAddress": "a@acme.example",
            "Destination": {"ToAddresses": [f"kim{number}@example.com"]},
            "ConfigurationSetName": "s",
            "Content": {"Simple": content},
        }
        sending.send_email(account, call, CALLER)
        account.clock.advance(0.05)
        if consume:
            for message in queue.take(10, 30):
                queue.remove(message)


def held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


@pytest.mark.parametrize("consume", [True, False])
async def test_memory_hardly_grows_with_ten_times_the_mail(account: Account, consume: bool) -> None:
    tracemalloc.start()
    try:
        nothing = held()
        send(account, 2 * KEPT, consume=consume)
        before = held() - nothing
        send(account, 8 * KEPT, consume=consume)
        after = held() - nothing
    finally:
        tracemalloc.stop()
    assert after < 1.2 * before, (before, after)
    assert account.mail.ledger.total == 10 * KEPT
    assert len(account.mail.ledger) == KEPT


async def test_a_queue_that_is_full_drops_its_oldest_and_counts_them(account: Account) -> None:
    send(account, 2 * KEPT, consume=False)
    queue = account.queues.ensure("events")
    assert len(queue.messages) == queue.most == 2 * KEPT
    assert queue.dropped == 4 * KEPT + 1 - 2 * KEPT  # one is the topic's plain-text message
    newest = [message.body for message in queue.take(2 * KEPT, 30)][-1]
    assert f"kim{2 * KEPT - 1}@example.com" in newest


async def test_messages_in_flight_are_dropped_from_a_full_queue(account: Account) -> None:
    queue = account.queues.ensure("events")
    for _ in range(5):
        send(account, KEPT, consume=False)
        queue.take(KEPT, 43200)
    assert len(queue.messages) == queue.most
    visible, in_flight, _ = queue.counts()
    assert visible + in_flight == queue.most
    assert visible >= 0
