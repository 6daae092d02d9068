"""What SES refuses stops whom it speaks of and nobody else, and ends by itself: on real processes, judged by counts.

Each test has tenants of its own and undoes at SES what it did. None of them lifts anything by hand.
"""

import asyncio
import secrets
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

PAUSED = (
    "Sending paused for this account. For more information, please check the inbox of the email address "
    "associated with your AWS account."
)


@pytest.fixture
def system(shaken_system: systems.System) -> systems.System:
    return shaken_system


@pytest.fixture
def ses(system: systems.System) -> Iterator[Any]:
    """SES's own API, for what somebody changes there."""
    client = boto3.client(
        "sesv2",
        endpoint_url=system.ses_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    yield client
    client.close()


async def tenants(mail: Traffic, *stems: str) -> list[str]:
    """Each with resets and newsletters."""
    slugs = [f"{stem}-{secrets.token_hex(3)}" for stem in stems]
    await mail.onboard({slug: ["password-reset", "newsletter"] for slug in slugs})
    return slugs


async def stops(mail: Traffic, cause: str) -> list[dict[str, Any]]:
    """The open stops of this cause."""
    rows = await mail.db.fetch("select * from stop where cause = $1 and ended_at is null", cause)
    return [dict(row) for row in rows]


async def stopped(mail: Traffic, cause: str) -> dict[str, Any]:
    """Waits for the one stop of this cause."""
    await mail.until(lambda: stops(mail, cause), f"a stop says {cause}")
    [found] = await stops(mail, cause)
    return found


async def stops_of(mail: Traffic, *slugs: str) -> list[dict[str, Any]]:
    """The open stops of these tenants and of what tenants share."""
    rows = await mail.db.fetch(
        "select s.* from stop s left join tenant t on t.id = s.tenant"
        " where s.ended_at is null and (t.id is null or t.slug = any ($1))",
        list(slugs),
    )
    return [dict(row) for row in rows]


async def all_sent(mail: Traffic, *slugs: str) -> None:
    """Everything left by itself, once, and nothing of theirs is stopped any more. Other tests of this system leave holds."""
    await mail.all_final(*slugs)
    verdict = await mail.judge(*slugs)
    assert verdict.faults == []
    assert set(verdict.states) == {"sent"}
    assert await stops_of(mail, *slugs) == []
    lanes = "from lane l join tenant t on t.id = l.tenant where t.slug = any ($1) and l.stopped"
    holds = "from hold h join tenant t on t.id = h.tenant where t.slug = any ($1) and h.lifted_at is null"
    for what in (lanes, holds):
        assert await mail.db.fetchval(f"select count(*) {what}", list(slugs)) == 0


# A shared thing is lost and comes back ---------------------------------------------------------------------------------


async def test_a_shared_set_that_is_paused_and_resumed_holds_only_its_mail_and_only_meanwhile(
    mail: Traffic, ses: Any
) -> None:
    one, other = await tenants(mail, "one", "other")
    pause = ses.put_configuration_set_sending_options
    await asyncio.to_thread(lambda: pause(ConfigurationSetName="mc-urgent", SendingEnabled=False))
    try:
        for slug in (one, other):
            await mail.fill(slug, "password-reset", 20)
            await mail.fill(slug, "newsletter", 20)
        stop = await stopped(mail, "set-paused")
        assert (stop["scope"], stop["name"]) == ("set", "mc-urgent")
        assert stop["said"] == "Sending paused for configuration set mc-urgent."

        async def newsletters_left() -> bool:
            kept = [await mail.count("ready", slug) for slug in (one, other)]
            return await mail.count_sent(one, other) == 40 and kept == [20, 20]

        await mail.until(newsletters_left, "the newsletters leave and the resets wait")
    finally:
        await asyncio.to_thread(lambda: pause(ConfigurationSetName="mc-urgent", SendingEnabled=True))
    await all_sent(mail, one, other)


async def test_a_short_pause_of_the_account_ends_by_itself_for_every_lane(mail: Traffic) -> None:
    one, other = await tenants(mail, "one", "other")
    await mail.ses("PUT", "/account", {"sending_enabled": False})
    try:
        for slug in (one, other):
            await mail.fill(slug, "password-reset", 5)
            await mail.fill(slug, "newsletter", 5)
        assert (await stopped(mail, "account-paused"))["scope"] == "cell"
        assert await mail.count_sent(one, other) == 0
    finally:
        await mail.ses("PUT", "/account", {"sending_enabled": True})
    await all_sent(mail, one, other)


async def test_a_lost_identity_stops_its_domain_and_comes_back(mail: Traffic) -> None:
    one, other = await tenants(mail, "one", "other")
    domain = traffic.domain(one, "password-reset")
    await mail.ses("PUT", f"/identities/{domain}", {"status": "FAILED"})
    try:
        await mail.fill(one, "password-reset", 10)
        await mail.fill(one, "newsletter", 10)
        await mail.fill(other, "password-reset", 10)

        async def kept() -> bool:
            return await mail.count_sent(one, other) == 20 and await mail.count("ready", one) == 10

        await mail.until(kept, "all other mail leaves")
    finally:
        await mail.ses("PUT", f"/identities/{domain}", {"status": "SUCCESS"})
    await all_sent(mail, one, other)


async def test_trouble_with_the_mail_from_domain_stops_its_domain_and_ends(mail: Traffic, ses: Any) -> None:
    one, other = await tenants(mail, "one", "other")
    domain = traffic.domain(one, "newsletter")
    # Else the domain is repaired within a second, and nothing is left to stop.
    await mail.db.execute(
        "insert into drift_policy (kind, act, by, because) values ('mail-from', 'propose', 'test', 'this test')"
    )
    put = ses.put_email_identity_mail_from_attributes
    await asyncio.to_thread(
        lambda: put(
            EmailIdentity=domain, MailFromDomain=f"bounce.{domain}", BehaviorOnMxFailure="REJECT_MESSAGE"
        )
    )
    await mail.ses("PUT", f"/identities/{domain}", {"mail_from_status": "FAILED"})
    try:
        await mail.fill(one, "newsletter", 10)
        await mail.fill(one, "password-reset", 10)
        await mail.fill(other, "newsletter", 10)
        stop = await stopped(mail, "mail-from")
        assert (stop["scope"], stop["name"]) == ("identity", domain)

        async def kept() -> bool:
            return await mail.count_sent(one, other) == 20 and await mail.count("ready", one) == 10

        await mail.until(kept, "all other mail leaves")
    finally:
        await mail.ses("PUT", f"/identities/{domain}", {"mail_from_status": "SUCCESS"})
        await mail.db.execute("delete from drift_policy where kind = 'mail-from' and because = 'this test'")
    await all_sent(mail, one, other)


# What does not speak of the mail keeps the mail ------------------------------------------------------------------------


async def test_a_paused_account_that_rejects_the_message_loses_none(mail: Traffic) -> None:
    [slug] = await tenants(mail, "rejected")
    async with mail.fault("refuse", code="MessageRejected", message=PAUSED):
        await mail.fill(slug, "password-reset", 3)
        await mail.fill(slug, "newsletter", 3)
        stop = await stopped(mail, "account-paused")
        assert stop["said"] == PAUSED
        assert await mail.count("ledger", slug) == 0
        assert await mail.queued(slug) == 6
    await all_sent(mail, slug)


@pytest.mark.parametrize(
    ("code", "message"), [("NewerThanThisException", "x"), ("BadRequestException", "<html>a proxy</html>")]
)
async def test_an_unknown_refusal_sets_its_mail_aside_and_the_lane_goes_on(
    mail: Traffic, code: str, message: str
) -> None:
    [slug] = await tenants(mail, "unknown")
    async with mail.fault("refuse", code=code, message=message, count=6):
        await mail.fill(slug, "password-reset", 6)

        async def aside() -> bool:
            return await mail.count("waiting", slug, "why = 1 and code = 'set-aside'") == 6

        await mail.until(aside, "six mails are set aside")
    said = await mail.db.fetchval("select reason from waiting where why = 1 and code = 'set-aside' limit 1")
    assert message in said
    await mail.fill(slug, "password-reset", 20)

    async def others_left() -> bool:
        return await mail.count_sent(slug) == 20

    await mail.until(others_left, "the lane goes on")
    assert await stops_of(mail, slug) == []
    await retry_now(mail, slug)
    await all_sent(mail, slug)


async def retry_now(mail: Traffic, slug: str) -> None:
    """As if the pause before the next attempt were over."""
    await mail.db.execute(
        "update waiting set until = now_ms() where tenant = (select id from tenant where slug = $1) and why = 1",
        slug,
    )


async def test_a_rate_that_is_exceeded_in_other_words_lowers_the_rate(mail: Traffic) -> None:
    [slug] = await tenants(mail, "rate")
    async with mail.fault(
        "refuse", code="BadRequestException", message="Maximum sending rate exceeded.", count=4
    ):
        await mail.fill(slug, "password-reset", 6)
        await all_sent(mail, slug)


# The sandbox -----------------------------------------------------------------------------------------------------------


async def test_in_the_sandbox_a_stranger_is_refused_and_the_lane_goes_on(mail: Traffic) -> None:
    [slug] = await tenants(mail, "sandbox")
    await mail.ses("PUT", "/account", {"production": False, "rate": 1000, "quota": -1})
    try:
        stranger = await mail.put(slug, "password-reset", ["kim@example.com"])
        fine = await mail.put(slug, "password-reset", ["success@simulator.amazonses.com"])
        await mail.all_final(slug)
    finally:
        await mail.ses("PUT", "/account", {"production": True, "rate": 1000, "quota": -1})
    assert stranger is not None
    assert fine is not None
    ends = {
        row["id"] - 1: (row["state"], row["reason"])
        for row in await mail.db.fetch(
            "select id, state, reason from ledger where id = any ($1)", [stranger + 1, fine + 1]
        )
    }
    assert ends == {stranger: (14, "recipient-not-verified"), fine: (20, "sent")}
    assert (
        await mail.db.fetchval(
            "select count(*) from stop where cause = 'identity' and name like $1", f"%{slug}%"
        )
        == 0
    )
