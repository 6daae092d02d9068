"""A rollout with the real processes: shares, mail on both paths, and a way back by itself, judged by SES's ledger."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from mailcordon_fixtures import systems
from mailcordon_fixtures.traffic import Traffic

OLD, OWN = "mail.roll-platform.example", "newsletter.roll-acme.example"
READERS = [f"reader{n}@roll.example" for n in range(200)]
GATES = ("unreported", "undelivered", "bounced", "delayed")


@pytest.fixture
def system(shaken_system: systems.System) -> systems.System:
    """Mail of the test bounces, which no other test may meet."""
    return shaken_system


@pytest.fixture
def ses(system: systems.System) -> Iterator[Any]:
    client = boto3.client(
        "sesv2",
        endpoint_url=system.ses_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    yield client
    client.close()


async def done(mail: Traffic, method: str, path: str, body: object = None) -> Any:
    status, said = await mail.call(method, path, body)
    assert status in (200, 201), said
    return said


async def mailing(mail: Traffic, name: str) -> dict[str, str]:
    """Sends one to all readers. By reader: the From domain that it left with."""
    for start in range(0, len(READERS), 50):
        assert (
            await mail.put("roll-acme", "newsletter", READERS[start : start + 50], subject=name) is not None
        )
    await mail.all_final("roll-acme")
    return {
        each["recipients"][0]: each["from"].rpartition("@")[2].rstrip(">")
        for each in await mail.sent()
        if each["from"].rpartition("@")[2].rstrip(">") in (OLD, OWN) and each["subject"] == name
    }


async def test_a_path_that_harms_mail_goes_back_by_itself(mail: Traffic, ses: Any) -> None:
    await mail.onboard({"roll-acme": ("newsletter",)})
    ses.create_tenant(TenantName="roll-platform")
    ses.create_email_identity(EmailIdentity=OLD)
    set_ = await mail.db.fetchval(
        "select r.configuration_set from route r join tenant t on t.id = r.tenant where t.slug = 'roll-acme'"
    )
    for resource in (f"identity/{OLD}", f"configuration-set/{set_}"):
        ses.create_tenant_resource_association(
            TenantName="roll-platform", ResourceArn=f"arn:aws:ses:us-east-1:123456789012:{resource}"
        )
    await mail.db.execute(
        "insert into shared_path (name, domain, ses_tenant) values ('roll-platform', $1, 'roll-platform')",
        OLD,
    )
    step = {"kind": "add-path", "tenant": "roll-acme", "type": "newsletter", "to": "roll-platform"}
    plan = await done(mail, "POST", "/v1/plans", {"steps": [step], "because": "a test"})
    await done(mail, "POST", f"/v1/plans/{plan['id']}/apply", {})

    async def both() -> bool:
        shares = "update route r set share = case r.path when 'shared' then 100 else 0 end from tenant t"
        found = await mail.db.fetch(
            f"{shares} where t.id = r.tenant and t.slug = 'roll-acme' returning r.path"
        )
        return len(found) == 2

    await mail.until(both, "the lane has both paths")
    await mail.db.execute("update epoch set value = value + 1")
    asked = {"tenant": "roll-acme", "types": ["newsletter"], "shares": [50, 100]}
    preview = await done(mail, "POST", "/v1/rollouts/preview", asked)
    missing = [item["key"] for item in preview["checklist"] if item["holds"] is not True]
    assert preview["lanes"][0]["old"]["domain"] == OLD
    made = await done(mail, "POST", "/v1/rollouts", {**asked, "because": "off the shared domain"})
    url = f"/v1/rollouts/{made['id']}"
    assert set((await mailing(mail, "before")).values()) == {OLD}

    await done(mail, "POST", f"{url}/advance", {"because": "a test", "overrides": missing})
    where = await mailing(mail, "both")
    assert {OLD, OWN} == set(where.values())
    new = [reader for reader, domain in where.items() if domain == OWN]
    assert 60 < len(new) < 140

    again = await mailing(mail, "again")
    assert {reader for reader, domain in again.items() if domain == OWN} == set(new)  # nobody flaps

    # The new path turns bad: its recipients bounce. What waits when it goes back leaves by the old one.
    for reader in new[: len(new) // 2]:
        await mail.ses("PUT", f"/mailboxes/{reader}", {"fate": "bounces"})
    bad = await mailing(mail, "bad")
    assert {reader for reader, domain in bad.items() if domain == OWN} <= set(new)

    async def back() -> Any:
        found = await done(mail, "GET", url)
        return found if found["state"] == "back" else None

    found = await mail.until(back, "the rollout went back")
    assert found["share"] == 0
    assert "bounced hard" in found["sentence"]
    assert [one["what"] for one in found["steps"]][:1] == ["back"]
    assert set((await mailing(mail, "after")).values()) == {OLD}
    await done(mail, "POST", f"{url}/cancel", {"because": "the test is over"})
