"""Lanes of a running system that have both paths, with all mail on the shared one, as a rollout begins."""

import asyncio
from collections.abc import Sequence
from typing import Any

import boto3

from mailcordon_fixtures import systems
from mailcordon_fixtures.traffic import Traffic


def ses_client(system: systems.System) -> Any:
    return boto3.client(
        "sesv2",
        endpoint_url=system.ses_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


async def done(mail: Traffic, method: str, path: str, body: object = None) -> Any:
    status, said = await mail.call(method, path, body)
    assert status in (200, 201), said
    return said


async def onto_two_paths(mail: Traffic, slugs: Sequence[str], type: str, platform: str) -> str:
    """Gives these tenants the shared path `platform`, which exists at SES before. Returns its domain."""
    domain = f"mail.{platform}.example"

    def exists() -> None:
        ses = ses_client(mail.system)
        ses.create_tenant(TenantName=platform)
        ses.create_email_identity(EmailIdentity=domain)
        ses.close()

    await asyncio.to_thread(exists)
    shared = {"name": platform, "domain": domain, "ses_tenant": platform, "because": "how all mail left"}
    await done(mail, "POST", "/v1/shared-paths", shared)
    steps = [{"kind": "add-path", "tenant": slug, "type": type, "to": platform} for slug in slugs]
    plan = await done(mail, "POST", "/v1/plans", {"steps": steps, "because": "they move"})
    await done(mail, "POST", f"/v1/plans/{plan['id']}/apply", {})
    for slug in slugs:
        share = {"tenant": slug, "type": type, "isolated": 0, "because": "a rollout begins"}
        await done(mail, "POST", "/v1/paths/share", share)

    async def associated() -> bool:
        state = "select state from ses_resource where kind = 'association' and name = $1"
        return await mail.db.fetchval(state, platform) == "applied"

    await mail.until(associated, "our sets are associated with the shared path's SES tenant")
    return domain
