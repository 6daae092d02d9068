"""A change at SES behind our back, on a running system: control looks at it because SES reports it, and knows who it was."""

import asyncio
import json
import secrets
from typing import Any

import boto3

from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

_ROW = "select observed_at from ses_resource where kind = 'identity' and name = $1"
_NEVER = "update ses_resource set next_try_at = 'infinity' where kind = 'identity' and name = $1 returning observed_at"


async def test_a_change_behind_our_back_is_looked_at_and_who_made_it_is_known(
    system: systems.System, mail: Traffic
) -> None:
    slug = f"acme-{secrets.token_hex(3)}"
    await mail.onboard({slug: ["password-reset"]})
    domain = traffic.domain(slug, "password-reset")
    given: dict[str, Any] = {
        "endpoint_url": system.ses_url,
        "region_name": "us-east-1",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }
    somebody = boto3.client("sesv2", **given)

    async def checked() -> bool:
        return await mail.db.fetchval(_ROW, domain) is not None

    await mail.until(checked, "the domain was checked")
    before = await mail.db.fetchval(_NEVER, domain)  # the rolling check does not come by
    await asyncio.to_thread(
        somebody.put_email_identity_feedback_attributes, EmailIdentity=domain, EmailForwardingEnabled=True
    )
    somebody.close()

    async def found() -> Any:
        return await mail.db.fetchrow("select kind, found_by, by from finding where resource = $1", domain)

    finding = await mail.until(found, "the domain is looked at")
    assert await mail.db.fetchval(_ROW, domain) > before
    [hint] = await mail.db.fetch(
        "select event, member, by, at, received_at from ses_hint where resource_kind = 'identity' and resource = $1",
        domain,
    )
    assert (hint["event"], hint["member"]) == ("PutEmailIdentityFeedbackAttributes", "feedback_forwarding")
    by = json.loads(hint["by"])
    assert by["arn"] == "arn:aws:iam::123456789012:user/test"
    assert by["user_agent"].startswith("Boto3/")
    assert "mailcordon" not in by["user_agent"]
    assert (finding["kind"], finding["found_by"]) == ("feedback-forwarding", "event")
    assert json.loads(finding["by"])["arn"] == by["arn"]
    facts = json.loads(
        await mail.db.fetchval(
            "select facts from role_health where role = 'control' order by beat desc limit 1"
        )
    )["signals"]
    assert facts["name"] == "mailcordon-management"
    assert facts["events"].get("malformed") is None
