"""Mailbox providers on a running system: the first mail to a company's domain is held, counted and named as its provider's."""

import json
import secrets
from typing import Any

import pytest

from mailcordon.core.provider import Provider
from mailcordon_fixtures.traffic import Traffic


async def test_a_hold_on_gmail_catches_the_first_mail_to_a_domain_that_google_hosts(mail: Traffic) -> None:
    """A look-up whose DNS did not answer in time is repeated after half a minute, and mail does not wait for so long: then with
    another domain."""
    for _ in range(5):
        if await play(mail):
            return
    pytest.fail("five look-ups in a row failed")


async def play(mail: Traffic) -> bool:
    """False if the look-up of the domain that Google hosts failed."""
    name = secrets.token_hex(3)
    tenant, hosted, another = f"hosts-{name}", f"hosted-{name}.test", f"another-{name}.test"
    await mail.onboard({tenant: ["newsletter"]})
    records = [
        {"name": hosted, "type": "MX", "value": "10 aspmx.l.google.com."},
        {"name": another, "type": "MX", "value": "10 mx.yandex.net."},
    ]
    await mail.ses("PUT", "/dns", {"records": records})
    await mail.hold(tenant, provider="gmail")
    old_enough = (
        "select exists (select from hold h join tenant t on t.id = h.tenant"
        " where t.slug = $1 and h.since < now_ms() - 1000)"
    )
    await mail.until(lambda: mail.db.fetchval(old_enough, tenant), "dispatch has read the hold")

    held = await mail.put(tenant, "newsletter", [f"kim@{hosted}"])
    await mail.put(tenant, "newsletter", [f"kim@{another}"])

    async def parked() -> str | None:
        if await mail.db.fetchval("select failures > 0 from domain_provider where domain = $1", hosted):
            return "late"
        return "held" if await mail.count("waiting", tenant, "why = 3") == 1 else None

    if await mail.until(parked, "the mail to Google's customer is held") == "late":
        await mail.lift(tenant, provider="gmail")
        await mail.all_final(tenant)
        return False
    await mail.until(lambda: mail.count_sent(tenant), "the other mail is sent")
    assert [one["recipients"] for one in await mail.sent(tenant)] == [[f"kim@{another}"]]
    assert held is not None

    status, found = await mail.call("GET", f"/v1/providers/{hosted}")
    assert (status, found["provider"], found["source"], found["hosts"]) == (
        200,
        "gmail",
        "mx",
        ["aspmx.l.google.com"],
    )
    await mail.lift(tenant, provider="gmail")
    await mail.all_final(tenant)

    async def counted() -> bool:
        rows = await mail.db.fetch(
            "select c.provider, sum(c.sent)::int as sent from cohort_minute c join slice s on s.id = c.slice"
            " join tenant t on t.id = s.tenant where t.slug = $1 group by 1",
            tenant,
        )
        counts = {row["provider"]: row["sent"] for row in rows if row["sent"]}
        return counts == {Provider.GMAIL: 1, Provider.YANDEX: 1}

    await mail.until(counted, "both are counted under the provider of their domain")
    return True


def test_the_provider_of_a_domain_is_shown_with_its_source(run: Any) -> None:
    code, out, err = run("provider", "gmail.com")
    assert (code, "one of the domains that gmail offers" in out) == (0, True), err
    code, out, _ = run("provider", f"nobody-{secrets.token_hex(3)}.test", "--json")
    assert (code, json.loads(out)["source"], json.loads(out)["provider"]) == (0, "no-name", "other")
    assert run("provider", "no domain", "--json")[0] == 1
