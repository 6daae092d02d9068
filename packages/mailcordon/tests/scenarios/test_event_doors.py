"""Events that SNS pushes to a running system, with the local SES as SNS (docs/events.md)."""

import asyncio
import gzip
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from mailcordon.core import ids
from mailcordon_fixtures import systems
from mailcordon_fixtures.traffic import Traffic

from .conftest import Run

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

    async def is_named() -> bool:
        incident = "select culprit from incident where cause = 'topic:' || $1 and closed_at is null"
        return "Unsubscribe" in (await mail.db.fetchval(incident, topic) or "")

    await mail.until(is_named, "an incident names what happened")
    # As somebody who subscribes us again does: the incident ends by itself.
    again = await asyncio.to_thread(
        sns.subscribe, TopicArn=topic, Protocol="http", Endpoint=f"{system.url}/v1/events/sns"
    )
    assert again["SubscriptionArn"] == "pending confirmation"

    async def is_closed() -> bool:
        incident = "select bool_and(closed_at is not null) from incident where cause = 'topic:' || $1"
        return await mail.db.fetchval(incident, topic)

    await mail.until(is_closed, "the incident is closed")
    notice = "select count(*) from ses_notice where subject = $1 and what = 'SNS: UnsubscribeConfirmation'"
    assert await mail.db.fetchval(notice, topic) == 1


async def test_a_file_of_firehose_is_replayed_once_however_often(
    system: systems.System, mail: Traffic, run: Run, tmp_path: Path
) -> None:
    slug, to = f"file-{secrets.token_hex(3)}", f"{secrets.token_hex(4)}@example.com"
    await mail.onboard({slug: ["receipt"]})
    id = await mail.put(slug, "receipt", [to])
    assert id is not None

    async def delivered() -> bool:
        _, found = await mail.call("GET", f"/v1/messages/{ids.message_id(id)}")
        return found["deliveries"][0]["state"] == "delivered"

    await mail.until(delivered, "it is delivered")
    async with mail.http.get(f"{system.ses_url}/_seslocal/sent", params={"recipient": to}) as answer:
        [sent] = (await answer.json())["sent"]
    event = {
        "eventType": "Bounce",
        "mail": {
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "messageId": sent["message_id"],
            "source": sent["from"],
            "destination": [to],
            "tags": {**sent["tags"], "ses:configuration-set": [sent["configuration_set"]]},
        },
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "feedbackId": "f-1",
            "bouncedRecipients": [{"emailAddress": to, "status": "5.1.1"}],
        },
    }
    text = json.dumps(event)
    file = tmp_path / "events.gz"
    file.write_bytes(gzip.compress((text + text.replace("f-1", "f-2") + "\n{").encode()))
    results: list[Any] = []
    for words in ((), (), ("--skip", "1")):
        code, out, err = await asyncio.to_thread(run, "events", "replay", str(file), "--json", *words)
        assert code == 0, err
        results.append(json.loads(out))
    assert [one["documents"] for one in results] == [3, 3, 2]
    # Of a file that was cut off, what can be read is stored. Its name is no Unicode.
    cut = tmp_path / "cut-\udcff.gz"
    cut.write_bytes(gzip.compress((text + "\n{" + secrets.token_hex(9_000)).encode())[:-5_000])
    code, out, err = await asyncio.to_thread(run, "events", "replay", str(cut), "--json")
    assert (code, json.loads(out)["copies"], "--skip 1 leaves" in err) == (1, 1, True), (out, err)
    assert [one["new"].get("hard-bounce") for one in results] == [2, None, None]
    assert results[0]["quarantined"] == {"malformed": 1}
    assert [one["copies"] for one in results] == [0, 2, 1]
    _, shown = await mail.call("GET", f"/v1/messages/{ids.message_id(id)}")
    assert shown["deliveries"][0]["state"] == "bounced"
    code, out, _ = await asyncio.to_thread(run, "events", "replay", str(file))
    assert (code, out) == (0, "0 new events, 2 copies of known ones, 1 in quarantine\n")
    file.write_bytes(file.read_bytes()[:-6])
    code, _, err = await asyncio.to_thread(run, "events", "replay", str(file))
    assert (code, "cannot be read" in err) == (1, True)
    code, _, err = await asyncio.to_thread(run, "events", "replay", str(tmp_path / "nothing"))
    assert (code, "No such file" in err) == (1, True)
