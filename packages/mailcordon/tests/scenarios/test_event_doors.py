"""Events that SNS pushes to a running system, with the local SES as SNS (docs/events.md)."""

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from mailcordon.core import ids
from mailcordon_fixtures import systems
from mailcordon_fixtures.traffic import Traffic

NAME = "mailcordon-outcome"


@pytest.fixture
def sns(system: systems.System) -> Any:
    return boto3.client(
        "sns",
        endpoint_url=system.ses_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


@pytest.fixture
def topic(sns: Any) -> Iterator[str]:
    """While it exists, the queue gets nothing of it: events come only by what is subscribed."""
    arn = sns.create_topic(Name=NAME)["TopicArn"]
    yield arn
    sns.delete_topic(TopicArn=arn)


async def test_sns_over_http_alone_brings_a_mails_events(
    system: systems.System, mail: Traffic, sns: Any, topic: str
) -> None:
    slug = f"door-{secrets.token_hex(3)}"
    await mail.onboard({slug: ["receipt"]})
    subscribed = await asyncio.to_thread(
        sns.subscribe,
        TopicArn=topic,
        Protocol="http",
        Endpoint=f"{system.url}/v1/events/sns",
        ReturnSubscriptionArn=True,
    )
    subscription = subscribed["SubscriptionArn"]

    async def row() -> Any:
        return await mail.db.fetchrow("select * from event_subscription where topic = $1", topic)

    async def confirmed() -> bool:
        found = await asyncio.to_thread(sns.get_subscription_attributes, SubscriptionArn=subscription)
        return found["Attributes"]["PendingConfirmation"] == "false"

    await mail.until(confirmed, "we have told SNS that we want its messages")
    id = await mail.put(slug, "receipt", ["kim@example.com", "bounce@simulator.amazonses.com"])
    assert id is not None

    async def final() -> bool:
        _, found = await mail.call("GET", f"/v1/messages/{ids.message_id(id)}")
        return {one["state"] for one in found["deliveries"]} == {"delivered", "bounced"}

    await mail.until(final, "its events came through the door")
    await asyncio.to_thread(sns.unsubscribe, SubscriptionArn=subscription)

    async def ended() -> bool:
        return (await row())["ended_at"] is not None

    await mail.until(ended, "the end of the subscription is known")
    assert (await row())["confirmed_at"] is not None
    notice = "select count(*) from ses_notice where subject = $1 and what = 'SNS: UnsubscribeConfirmation'"
    assert await mail.db.fetchval(notice, topic) == 1
