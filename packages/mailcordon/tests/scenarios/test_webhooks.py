"""Webhooks on real processes: what SES reports and what the platform does reaches programs, in our form and in SES's."""

import asyncio
import json
import secrets
from typing import Any

import boto3
from botocore.config import Config

from mailcordon.core import ids, ses_door_ids
from mailcordon_client import Webhook
from mailcordon_fixtures.receiver import Got, Receiver
from mailcordon_fixtures.traffic import Traffic, domain
from scenarios.conftest import Run

BOUNCES = "bounce@simulator.amazonses.com"


async def command(run: Run, *words: str) -> Any:
    """In a thread, as it has an event loop of its own."""
    code, out, err = await asyncio.to_thread(run, *words, "--json")
    assert code == 0, err
    return json.loads(out)


async def boto3_client(mail: Traffic, slug: str) -> Any:
    """The client of an app of this tenant, as it is but for its endpoint and credentials."""
    status, key = await mail.call("POST", "/v1/keys", {"tenant": slug, "name": "app", "scopes": ["send"]})
    assert status == 201, key
    status, access = await mail.call("POST", f"/v1/keys/{key['prefix']}/access-keys", {})
    assert status == 201, access
    return boto3.client(
        "sesv2",
        endpoint_url=mail.system.url,
        region_name="us-east-1",
        aws_access_key_id=access["id"],
        aws_secret_access_key=access["secret"],
        config=Config(retries={"total_max_attempts": 1}),
    )


async def test_an_apps_events_come_back_to_it_in_our_form_and_in_ses_own_with_the_id_that_it_was_given(
    mail: Traffic, receiver: Receiver, run: Run
) -> None:
    mark = secrets.token_hex(3)
    acme, ours, ses = f"acme{mark}", f"ours-{mark}", f"ses-{mark}"
    await mail.onboard({acme: ("receipt",)})
    made = await command(run, "webhook", "add", ours, f"{receiver.url}/ours", "--tenant", acme)
    assert made["secret"].startswith("whsec_")
    await command(run, "webhook", "add", ses, f"{receiver.url}/ses", "--tenant", acme, "--form", "ses-sns")
    try:
        for name in (ours, ses):
            assert (await command(run, "webhook", "test", name))["delivered"]
        receiver.take()

        client: Any = await boto3_client(mail, acme)
        sent = await asyncio.to_thread(
            client.send_email,
            FromEmailAddress=f"a@{domain(acme, 'receipt')}",
            Destination={"ToAddresses": [BOUNCES]},
            Content={"Simple": {"Subject": {"Data": "hi"}, "Body": {"Text": {"Data": "hi"}}}},
            EmailTags=[{"Name": "type", "Value": "receipt"}],
        )
        client.close()
        message = ids.message_id(ses_door_ids.decode(sent["MessageId"]))
        await mail.hold(acme, type="receipt")
        await mail.lift(acme, type="receipt")

        def told(path: str) -> dict[str, Got]:
            return {_type(got): got for got in receiver.got if got.path == f"/hook/{path}"}

        async def all_told() -> bool:
            wanted = {"delivery.bounced", "lane.held", "lane.released"}
            return wanted <= told("ours").keys() and "Bounce" in told("ses")

        await mail.until(all_told, "the app is told")
        data = told("ours")["delivery.bounced"].json["data"]
        assert (data["tenant"], data["type"], data["to"]) == (acme, "receipt", BOUNCES)
        assert data["message"] == message
        event = json.loads(told("ses")["Bounce"].json["Message"])
        assert event["mail"]["messageId"] == sent["MessageId"]
        assert event["bounce"]["bouncedRecipients"][0]["emailAddress"] == BOUNCES
        assert set(event["mail"]["tags"]) <= {
            "ses:configuration-set",
            "ses:from-domain",
            "ses:outgoing-ip",
            "type",
        }
        certificate = told("ses")["Bounce"].json["SigningCertURL"]
        async with mail.http.get(certificate) as answer:
            assert (await answer.text()).startswith("-----BEGIN CERTIFICATE-----")

        # The log, and what people do.
        await command(run, "webhook", "pause", ours, "--because", "a test")
        shown = await command(run, "webhook", "show", ours)
        assert (shown["paused_because"], shown["failing_since"]) == ("a test", None)
        receiver.take()
        assert (await command(run, "webhook", "replay", ours, "--message", message))["messages"] >= 1
        assert (await command(run, "webhook", "log", ours, "--state", "waiting"))["items"]
        rotated = await command(run, "webhook", "rotate", ours, "--overlap", "1h")
        await command(run, "webhook", "resume", ours)

        async def replayed() -> bool:
            return "delivery.bounced" in told("ours")

        await mail.until(replayed, "the app is told again")
        got = told("ours")["delivery.bounced"]
        assert rotated["secret"] != made["secret"]
        assert len(got.headers["webhook-signature"].split()) == 2
        for secret in (made["secret"], rotated["secret"]):
            event = Webhook(secret).verify(got.body, got.headers)
            assert (event.type, event.data["message"]) == ("delivery.bounced", message)
        assert (await command(run, "webhook", "replay", ours, "--since", "1h"))["messages"] == 0
        listed = await command(run, "webhook", "list", "--tenant", acme)
        assert [one["name"] for one in listed["items"]] == [ours, ses]
    finally:
        for name in (ours, ses):
            await command(run, "webhook", "remove", name, "--because", "the test is over")


def _type(got: Got) -> str:
    body = got.json
    return body["type"] if "type" in body else json.loads(body["Message"]).get("eventType", "")
