"""Delivery to SNS's HTTP and HTTPS subscribers: headers, retries and confirmations."""

from __future__ import annotations

from typing import Final

import msgspec

from seslocal.events.certificate import sign
from seslocal.events.documents import sns_confirmation
from seslocal.state.account import Account
from seslocal.state.outbox import HttpDelivery
from seslocal.state.topics import Subscription, Topic

_encode = msgspec.json.Encoder().encode
_PAUSES: Final = (20.0, 20.0, 20.0)  # SNS's default: three retries


def sns_url(account: Account) -> str:
    """Returns SNS's URL as its messages contain it."""
    return account.events.sns_url or f"https://sns.{account.region}.amazonaws.com"


def request_confirmation(account: Account, topic: Topic, subscription: Subscription) -> None:
    """Asks an endpoint to confirm its subscription."""
    _confirmation(account, topic, subscription, unsubscribed=False)


def confirm_unsubscribe(account: Account, topic: Topic, subscription: Subscription) -> None:
    _confirmation(account, topic, subscription, unsubscribed=True)


def deliver(
    account: Account, topic: Topic, subscription: Subscription, kind: str, message_id: str, body: str
) -> None:
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "User-Agent": "Amazon Simple Notification Service Agent",
        "x-amz-sns-message-type": kind,
        "x-amz-sns-message-id": message_id,
        "x-amz-sns-topic-arn": topic.arn,
    }
    if kind == "Notification":
        headers["x-amz-sns-subscription-arn"] = subscription.arn
        if subscription.raw:
            headers["x-amz-sns-rawdelivery"] = "true"
    account.events.outbox.send(
        HttpDelivery(
            subscription.endpoint, headers, body.encode("utf-8", "surrogatepass"), _is_delivered, _PAUSES
        )
    )


def _confirmation(account: Account, topic: Topic, subscription: Subscription, *, unsubscribed: bool) -> None:
    message_id = account.ids.uuid()
    at = account.clock.now() + account.faults.skew()
    version = topic.signature_version
    message = sns_confirmation(
        topic.arn, subscription.token, sns_url(account), at, message_id, version, unsubscribed=unsubscribed
    )
    sign(message)
    deliver(account, topic, subscription, message["Type"], message_id, _encode(message).decode())


def _is_delivered(status: int, body: bytes) -> bool | None:
    """SNS treats any 2xx as delivered, and does not retry a 4xx other than 429."""
    if 200 <= status < 300:
        return True
    return None if 400 <= status < 500 and status != 429 else False
