"""Whoever can write to the event queue of a running system bounces, suppresses and settles nothing (docs/observe.md).

The attacker has seen events: its documents have valid tags and an id of SES's. The rest is what SNS does sign, and is odd.
"""

import asyncio
import copy
import json
import secrets
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from urllib.parse import quote

import boto3
import pytest

from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon_fixtures import systems
from mailcordon_fixtures.traffic import Traffic, domain

TOPIC = "arn:aws:sns:us-east-1:123456789012:mailcordon-outcome"


@pytest.fixture
def system(shaken_system: systems.System) -> systems.System:
    return shaken_system


def iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass
class Mailed:
    """A delivered mail, and what SES's events about it contain."""

    traffic: Traffic
    slug: str
    to: str
    id: int
    mail: dict[str, Any]

    async def shown(self) -> dict[str, Any]:
        _, found = await self.traffic.call("GET", f"/v1/messages/{ids.message_id(self.id)}")
        return found["deliveries"][0]

    async def suppressions(self, address: str | None = None) -> list[Any]:
        path = f"/v1/addresses/{quote(address or self.to)}?tenant={self.slug}"
        return (await self.traffic.call("GET", path))[1]["suppressions"]

    def bounce(
        self, *, mail: dict[str, Any] | None = None, to: str | None = None, **over: Any
    ) -> dict[str, Any]:
        return {
            "eventType": "Bounce",
            "mail": {**self.mail, **(mail or {})},
            "bounce": {
                "feedbackId": uuid.uuid4().hex,
                "bounceType": "Permanent",
                "bounceSubType": "General",
                "bouncedRecipients": [{"emailAddress": to or self.to, "status": "5.1.1"}],
                "timestamp": iso(time.time()),
                **over,
            },
        }

    def without_tags(self) -> dict[str, Any]:
        made = copy.deepcopy(self.bounce())
        del made["mail"]["tags"]
        return made


Send = Callable[..., Any]


async def mailed(mail: Traffic, type: str = "receipt") -> Mailed:
    slug, to = f"events-{secrets.token_hex(3)}", f"{secrets.token_hex(4)}@example.com"
    await mail.onboard({slug: [type]})
    id = await mail.put(slug, type, [to])
    assert id is not None

    async def delivered() -> bool:
        _, found = await mail.call("GET", f"/v1/messages/{ids.message_id(id)}")
        return found["deliveries"][0]["state"] == "delivered"

    await mail.until(delivered, "it is delivered: the local SES's own events are signed")
    async with mail.http.get(f"{mail.system.ses_url}/_seslocal/sent", params={"recipient": to}) as answer:
        [sent] = (await answer.json())["sent"]
    return Mailed(
        mail,
        slug,
        to,
        id,
        {
            "timestamp": iso(time.time() - 1),
            "messageId": sent["message_id"],
            "source": f"a@{domain(slug, type)}",
            "destination": [to],
            "tags": {**sent["tags"], "ses:configuration-set": [sent["configuration_set"]]},
        },
    )


def client(system: systems.System, name: Literal["sqs", "sns"]) -> Any:
    return boto3.client(
        name,
        endpoint_url=system.ses_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def put(system: systems.System, body: str) -> None:
    sqs = client(system, "sqs")
    sqs.send_message(QueueUrl=sqs.get_queue_url(QueueName="mailcordon-outcome")["QueueUrl"], MessageBody=body)


def publish(system: systems.System, document: dict[str, Any]) -> None:
    """Through SNS, which signs."""
    sns = client(system, "sns")
    topic = sns.create_topic(Name="mailcordon-outcome")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=topic.replace(":sns:", ":sqs:"))
    sns.publish(TopicArn=topic, Message=json.dumps(document))


def forged(document: dict[str, Any], **over: Any) -> str:
    envelope = {
        "Type": "Notification",
        "MessageId": str(uuid.uuid4()),
        "TopicArn": TOPIC,
        "Message": json.dumps(document),
        "Timestamp": iso(time.time()),
        "SignatureVersion": "1",
        "Signature": "EXAMPLE",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-5e510ca15e510ca15e510ca15e510ca1.pem",
    }
    return json.dumps(envelope | over)


def attacks(one: Mailed) -> dict[str, str]:
    complaint = {"eventType": "Complaint", "mail": one.mail, "complaint": {"feedbackId": "x"}}
    reject = {"eventType": "Reject", "mail": one.mail, "reject": {"reason": "Bad content"}}
    late = iso(253_402_300_000)  # the year 9999
    documents = {
        "no tags": one.without_tags(),
        "no tags, the older dialect": {
            "notificationType": "Bounce",
            **{name: value for name, value in one.without_tags().items() if name != "eventType"},
        },
        "valid tags of another kind": one.bounce(),
        "valid tags, a complaint": complaint,
        "valid tags, a reject": reject,
        "an empty destination": one.bounce(mail={"destination": []}),
        "another destination": one.bounce(mail={"destination": ["lee@example.com"]}, to="lee@example.com"),
        "the year 9999": one.bounce(mail={"timestamp": late}, timestamp=late),
    }
    found = {f"bare: {name}": json.dumps(document) for name, document in documents.items()}
    found |= {f"enveloped: {name}": forged(document) for name, document in documents.items()}
    evil = "https://evil.example/SimpleNotificationService-0.pem"
    found["another host's certificate"] = forged(one.bounce(), SigningCertURL=evil)
    found["another topic"] = forged(one.bounce(), TopicArn=TOPIC.replace("123456789012", "111111111111"))
    found["no signature at all"] = json.dumps(
        {"Type": "Notification", "TopicArn": TOPIC, "Message": json.dumps(one.bounce())}
    )
    found["EventBridge"] = json.dumps(
        {"detail-type": "Email Bounced", "source": "aws.ses", "detail": one.bounce()}
    )
    return found


async def test_who_writes_to_the_queue_without_snss_signature_changes_nothing(
    system: systems.System, mail: Traffic
) -> None:
    one = await mailed(mail)
    made = attacks(one)
    before = await mail.db.fetchval("select count(*) from quarantine where why = 'unverified'")
    for body in made.values():
        await asyncio.to_thread(put, system, body)

    async def read() -> bool:
        now = await mail.db.fetchval("select count(*) from quarantine where why = 'unverified'")
        return now - before >= len(made)

    await mail.until(read, "all of them are in quarantine")
    shown = await one.shown()
    assert shown["state"] == "delivered"
    assert await one.suppressions() == []
    assert await one.suppressions("lee@example.com") == []
    counted = (await mail.call("GET", f"/v1/metrics?tenant={one.slug}"))[1]["items"][0]
    assert (counted["hard_bounced"], counted["complained"], counted["rejected"]) == (0, 0, 0)

    async def said() -> bool:
        _, status = await mail.call("GET", "/v1/status")
        return "events-unverified" in {notice["code"] for notice in status["notices"]}

    await mail.until(said, "the next report of observe says it")


async def test_what_sns_signed_without_tags_counts_for_nobody(system: systems.System, mail: Traffic) -> None:
    one = await mailed(mail)
    await asyncio.to_thread(publish, system, one.without_tags())

    async def read() -> bool:
        why = "select 1 from quarantine where why = 'ungoverned' and document like '%' || $1 || '%'"
        return bool(await mail.db.fetchval(why, one.mail["messageId"]))

    await mail.until(read, "it is in quarantine")
    assert (await one.shown())["state"] == "delivered"
    assert await one.suppressions() == []


@pytest.mark.parametrize("odd", ["time", "destination", "status"])
async def test_what_sns_signed_and_is_odd_counts_for_its_own_delivery(
    system: systems.System, mail: Traffic, odd: str
) -> None:
    one = await mailed(mail)
    late = iso(253_402_300_000)
    documents = {
        "time": one.bounce(mail={"timestamp": late}, timestamp=late),
        "destination": one.bounce(mail={"destination": ["lee@example.com"]}, to="lee@example.com"),
        "status": one.bounce(
            bouncedRecipients=[{"emailAddress": one.to, "status": 511, "diagnosticCode": ["550"]}]
        ),
    }
    await asyncio.to_thread(publish, system, documents[odd])

    async def bounced() -> bool:
        return (await one.shown())["state"] == "bounced"

    await mail.until(bounced, "it is bounced")
    assert len(await one.suppressions()) == 1
    assert await one.suppressions("lee@example.com") == []
    at = await mail.db.fetchval("select at from outcome where id = $1", one.id + 1)
    assert abs(at / 1000 - time.time()) < 600


async def test_a_bounce_for_spam_leaves_the_address_open_here_and_at_ses(mail: Traffic) -> None:
    """SES lists the address for it, and would drop every later mail. Its entry goes, so the next mail arrives."""
    text = "smtp; 554 5.7.1 message identified as spam"
    slug, to = f"events-{secrets.token_hex(3)}", f"{secrets.token_hex(4)}@example.com"
    await mail.onboard({slug: ["receipt"]})
    box = f"{mail.system.ses_url}/_seslocal/mailboxes/{to}"
    async with mail.http.put(box, json={"fate": "bounces", "diagnostic": text}) as answer:
        assert answer.status == 200, await answer.text()
    bounced = await mail.put(slug, "receipt", [to])
    assert bounced is not None
    shown: dict[str, Any] = {}

    async def is_bounced() -> bool:
        _, found = await mail.call("GET", f"/v1/messages/{ids.message_id(bounced)}")
        shown.update(found["deliveries"][0])
        return shown["state"] == "bounced"

    await mail.until(is_bounced, "its bounce is counted")
    assert (shown["bounce"]["reason"], shown["bounce"]["follows"]) == ("content", "nothing")
    _, address = await mail.call("GET", f"/v1/addresses/{quote(to)}?tenant={slug}")
    assert address["suppressions"] == []
    async with mail.http.delete(box) as answer:
        assert answer.status == 200

    async def arrives() -> bool:
        again = await mail.put(slug, "receipt", [to])
        assert again is not None

        async def ended() -> bool:
            _, found = await mail.call("GET", f"/v1/messages/{ids.message_id(again)}")
            shown.update(found["deliveries"][0])
            return shown["state"] in ("delivered", "bounced", State.SUPPRESSED_AT_SES.word, "refused")

        await mail.until(ended, "the next mail ends")
        return shown["state"] == "delivered"

    await mail.until(arrives, "SES's entry is gone")
