"""What the send path promises, on real processes (docs/testing.md names the promise of each test).

The tests judge by counts: what SES's ledger has, in which order, and what the queue's rows say. Grace, rates, slots and ramps are
small, so that a broken promise shows in seconds. All tests share one running system, and each uses tenants of its own.
"""

import asyncio
import contextlib
import json
import secrets
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

from mailcordon import config
from mailcordon.adapters.ses.signer import Credentials, Signer
from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

SLOTS = 64  #: 16 for urgent mail, 48 for the rest
SETTINGS = {"MAILCORDON_CALL_SLOTS": str(SLOTS), "MAILCORDON_VISIBILITY_SECONDS": "3"}
MINUTE = 60_000
RATE = 1000.0  #: recipients a second that the local SES grants by default


@pytest.fixture(scope="module")
def system(short_home: Callable[[], AbstractContextManager[Path]]) -> Iterator[systems.System]:
    with short_home() as home, systems.running(home, **SETTINGS) as running:
        yield running


@pytest.fixture
async def mail(mail: Traffic) -> Traffic:
    """The shared system as a test finds it: SES without faults and with its default limits."""
    await mail.account(rate=RATE, quota=-1)
    return mail


def names(*stems: str) -> list[str]:
    """Slugs that no other test uses."""
    suffix = secrets.token_hex(3)
    return [f"{stem}-{suffix}" for stem in stems]


# Nothing is doubled -----------------------------------------------------------------------------------------------------


async def test_a_reset_is_not_sent_again_while_its_send_event_may_be_in_the_queue(mail: Traffic) -> None:
    """Observe was away, comes back, and dies with the events of unanswered calls received and not stored."""
    [slug] = names("lost-answers")
    await mail.onboard({slug: ["password-reset"]}, grace_ms=1000)
    async with mail.fault("accept_lose_answer", count=10), locked(mail, "event"):
        await mail.fill(slug, "password-reset", 30)

        async def called() -> bool:
            return not await mail.count("ready", slug)

        await mail.until(called, "SES was called for all")
        await mail.until(lambda: events_are_invisible(mail.system, 60), "observe has received their events")
        assert await mail.count("waiting", slug, "why = 2") > 0
        pid = mail.system.kill("observe")
    await asyncio.to_thread(mail.system.wait_replaced, "observe", pid)
    await mail.until(lambda: grace_is_over(mail, slug), "the grace is over")
    await mail.fill(slug, "password-reset", 30)
    await mail.all_final(slug)
    times = Counter(traffic.delivery_of(one) for one in await mail.sent(slug))
    assert Counter(times.values()) == {1: 60}


async def test_at_a_quiet_hour_a_canary_proves_that_a_call_was_not_accepted(mail: Traffic) -> None:
    [slug] = names("quiet")
    await mail.onboard({slug: ["password-reset"]}, grace_ms=1000)
    async with mail.fault("error_500", count=1):
        await mail.fill(slug, "password-reset", 1)
        await mail.until(lambda: unknown(mail, slug), "the outcome of its call is unknown")
    await mail.all_final(slug)
    assert len(await mail.sent(slug)) == 1
    notes = "select what from note n join tenant t on t.id = n.tenant where t.slug = $1 order by seq"
    assert [row["what"] for row in await mail.db.fetch(notes, slug)] == ["outcome-unknown", "resend"]


async def unknown(mail: Traffic, slug: str) -> bool:
    return await mail.count("waiting", slug, "why = 2") == 1


@contextlib.asynccontextmanager
async def locked(mail: Traffic, table: str) -> AsyncIterator[None]:
    """Nothing can be written to the table meanwhile."""
    other = await traffic.connect(mail.system)
    try:
        async with other.transaction():
            await other.execute(f"lock table {table} in exclusive mode")
            yield
    finally:
        await other.close()


async def grace_is_over(mail: Traffic, slug: str) -> bool:
    return await mail.count("waiting", slug, "why = 2 and called_at + 1000 > now_ms()") == 0


async def events_are_invisible(system: systems.System, least: int) -> bool:
    counts = await asyncio.to_thread(outcome_queue, system)
    return counts["ApproximateNumberOfMessages"] == 0 and (
        counts["ApproximateNumberOfMessagesNotVisible"] >= least
    )


def outcome_queue(system: systems.System) -> dict[str, int]:
    queue = f"{system.ses_url}/{config.LOCAL_ACCOUNT}/{config.QUEUES['outcome']}"
    body = json.dumps({"QueueUrl": queue, "AttributeNames": ["All"]}).encode()
    headers = {
        "content-type": "application/x-amz-json-1.0",
        "x-amz-target": "AmazonSQS.GetQueueAttributes",
    }
    signer = Signer(service="sqs", region="us-east-1", host=urlsplit(queue).netloc)
    request = urllib.request.Request(
        system.ses_url, body, signer.sign(Credentials("test", "test"), "/", body, headers)
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        attributes = json.loads(answer.read())["Attributes"]
    return {name: int(value) for name, value in attributes.items() if value.lstrip("-").isdigit()}


# Service is fair --------------------------------------------------------------------------------------------------------


async def test_service_of_the_tenants_of_a_class_differs_by_at_most_one_mail(mail: Traffic) -> None:
    """Ten tenants with receipts and 39 with newsletters, more mail than the rate lets through."""
    receipts = names(*(f"receipts{n}" for n in range(10)))
    newsletters = names(*(f"news{n}" for n in range(39)))
    await mail.onboard(
        {slug: ["receipt"] for slug in receipts} | {slug: ["newsletter"] for slug in newsletters}
    )
    with traffic.stopped(mail.system, "dispatch"):
        for slug in receipts:
            await mail.fill(slug, "receipt", 90)
        for slug in newsletters:
            await mail.fill(slug, "newsletter", 30)
    spreads: list[int] = []
    while True:
        rows = await mail.db.fetch(
            "select t.slug, (select count(*) from lane l join ready r on r.lane = l.id"
            " where l.tenant = t.id and r.state = 0) as n from tenant t where t.slug = any ($1::text[])",
            receipts + newsletters,
        )
        left = {row["slug"]: row["n"] for row in rows}
        classes = [[left[slug] for slug in slugs] for slugs in (receipts, newsletters)]
        if all(min(counts) == 0 for counts in classes):
            break
        spreads += [max(counts) - min(counts) for counts in classes if min(counts) > 0]
        await asyncio.sleep(0.02)
    assert len(spreads) > 10
    assert max(spreads) <= 1
    await mail.all_final(*receipts, *newsletters)


async def test_dead_mail_delays_no_living_mail(mail: Traffic) -> None:
    """Thousands of expired resets under a cordon that is lifted, and at the head of a lane with a small rate."""
    cordoned, limited, other = slugs = names("cordoned", "limited", "other")
    await mail.onboard({slug: ["password-reset"] for slug in slugs})
    await mail.hold(cordoned)
    await mail.fill(cordoned, "password-reset", 3000)
    with traffic.stopped(mail.system, "dispatch"):
        await mail.fill(limited, "password-reset", 500)
        await mail.age(cordoned, 16 * MINUTE)
        await mail.age(limited, 16 * MINUTE)
        await mail.set_lanes([limited], rate=10)
        await mail.account(rate=50)
        await mail.fill(other, "password-reset", 400)
        fresh = [await mail.put(slug, "password-reset") for slug in (cordoned, limited)]
        await mail.lift(cordoned)

    async def both_sent() -> bool:
        return len(await mail.sent(cordoned, limited)) == 2

    await mail.until(both_sent, "the fresh resets are sent", 60)
    order = [traffic.delivery_of(one) for one in await mail.sent(*slugs)]
    before = [order.index(id + 1) for id in fresh if id is not None]
    assert max(before) < 100, "mails of another tenant that left before them"
    await mail.account(rate=RATE)
    await mail.all_final(*slugs)
    assert await mail.count("ledger", cordoned, "state = 11") == 3000
    assert await mail.count("ledger", limited, "state = 11") == 500


async def test_a_held_campaign_costs_others_nothing_and_returns_along_the_ramp(mail: Traffic) -> None:
    campaign, other = names("campaign", "other")
    await mail.onboard({campaign: ["newsletter"], other: ["newsletter"]})
    with traffic.stopped(mail.system, "dispatch"):
        await mail.account(rate=100)
        await mail.fill(campaign, "newsletter", 1500, campaign="spring")
        await mail.fill(other, "newsletter", 1000)
        await mail.hold(campaign, campaign="spring")

    async def parked() -> bool:
        return await mail.count("waiting", campaign, "why = 3") == 1500

    await mail.until(parked, "the campaign waits", 60)
    sent_meanwhile, notes = await mail.count_sent(other), await mail.count("note", campaign)
    await mail.account(rate=RATE)
    await mail.all_final(other)
    sent_while_held = await mail.count_sent(campaign)
    await mail.lift(campaign, campaign="spring")
    left_by_the_request = await mail.count("waiting", campaign)
    await mail.until(lambda: mail.count_sent(campaign), "it returns")
    await asyncio.sleep(1.2)
    times = [one["at"] for one in await mail.sent(campaign)]
    first_second = sum(at < times[0] + 1 for at in times)
    await mail.call("POST", "/v1/cancellations", {"tenant": campaign, "because": "the test is over"})
    assert sent_meanwhile < 1000, "if parking took turns and tokens, all of them left meanwhile"
    assert notes == 0
    assert sent_while_held == 0
    assert left_by_the_request > 1400, "what the request itself does not move"
    assert first_second < 60


async def test_slow_calls_of_one_tenant_do_not_keep_another_waiting(mail: Traffic) -> None:
    slow, other = names("slow", "other")
    await mail.onboard({slow: ["password-reset"], other: ["password-reset"]})
    key = await mail.db.fetchval("select key from tenant where slug = $1", slow)
    async with mail.fault("slow", tenant=key, seconds=8):
        await mail.fill(slow, "password-reset", SLOTS)

        async def on_the_wire() -> bool:
            return await mail.count("ready", slow, "state = 1") > 0

        await mail.until(on_the_wire, "slow calls are on the wire")
        await asyncio.sleep(0.5)
        await mail.fill(other, "password-reset", 50)

        async def others_sent() -> bool:
            return await mail.count_sent(other) == 50

        await mail.until(others_sent, "the other's resets are sent")
        assert await mail.count("ledger", slow) == 0, "slow calls that ended meanwhile"
    await mail.call("POST", "/v1/cancellations", {"tenant": slow, "because": "the test is over"})


async def test_one_tenants_newsletter_leaves_anothers_reset_its_share_of_the_days_quota(
    mail: Traffic,
) -> None:
    big, other = names("big", "other")
    await mail.onboard({big: ["newsletter"], other: ["password-reset"]})
    total = (await mail.ses("GET", "/health"))["sent"]
    await mail.account(quota=total + 400)
    await mail.fill(big, "newsletter", 1000)
    await until_steady(lambda: mail.count_sent(big))
    await mail.fill(other, "password-reset", 5)

    async def sent() -> bool:
        return await mail.count_sent(other) == 5

    await mail.until(sent, "the reset is sent")
    assert await mail.count("ready", big) > 0
    await mail.account(quota=-1)
    await mail.all_final(big, other)


async def until_steady(count: Callable[[], object]) -> None:
    """Until the count has not changed for a while."""
    last, since = object(), 0
    while since < 20:
        now = await count()  # type: ignore[misc]
        last, since = now, since + 1 if now == last else 0
        await asyncio.sleep(0.1)


# Outages ----------------------------------------------------------------------------------------------------------------


async def test_a_second_of_errors_leaves_few_outcomes_unknown(mail: Traffic) -> None:
    [slug] = names("blip")
    await mail.onboard({slug: ["newsletter"]})
    with traffic.stopped(mail.system, "dispatch"):
        await mail.fill(slug, "newsletter", 500)
        await mail.ses("POST", "/faults", {"fault": "error_500", "lasts": 1})

    async def all_called() -> bool:
        return await mail.count("ready", slug) == 0

    await mail.until(all_called, "it goes on")
    assert (
        await ever_unknown(mail, slug) <= 24
    )  # a first window of 8, and one or two each time a test got through
    await mail.call("POST", "/v1/cancellations", {"tenant": slug, "because": "the test is over"})


async def test_a_second_of_errors_in_full_flow_leaves_few_outcomes_unknown(mail: Traffic) -> None:
    [slug] = names("flow")
    await mail.onboard({slug: ["newsletter"]})
    await mail.fill(slug, "newsletter", 1000)

    async def flows() -> bool:
        return await mail.count_sent(slug) > 300

    await mail.until(flows, "it is being sent")
    await mail.ses("POST", "/faults", {"fault": "error_500", "lasts": 1})

    async def all_called() -> bool:
        return await mail.count("ready", slug) == 0

    await mail.until(all_called, "it goes on")
    assert await ever_unknown(mail, slug) < 46, "less than one claim"
    await mail.call("POST", "/v1/cancellations", {"tenant": slug, "because": "the test is over"})


async def test_an_outage_of_most_calls_leaves_few_outcomes_unknown(mail: Traffic) -> None:
    [slug] = names("brownout")
    await mail.onboard({slug: ["newsletter"]})
    await mail.fill(slug, "newsletter", 2000)
    async with mail.fault("error_500", share=0.8):
        await asyncio.sleep(4)
    # What was on the wire when it began, and one or two each time that a test got through.
    assert await ever_unknown(mail, slug) <= SLOTS
    await mail.call("POST", "/v1/cancellations", {"tenant": slug, "because": "the test is over"})


async def ever_unknown(mail: Traffic, slug: str) -> int:
    return await mail.db.fetchval(
        "select count(distinct n.id) from note n join tenant t on t.id = n.tenant"
        " where t.slug = $1 and n.what = 'outcome-unknown'",
        slug,
    )


# The database -----------------------------------------------------------------------------------------------------------


async def test_a_missing_partition_stops_nothing(mail: Traffic) -> None:
    [slug] = names("no-partition")
    await mail.onboard({slug: ["password-reset", "newsletter"]})
    before = mail.system.processes
    await mail.drop_partitions("ledger", "event", "outcome")
    try:
        await mail.fill(slug, "password-reset", 20)
        await mail.fill(slug, "newsletter", 20)

        async def recorded() -> bool:
            return await mail.count("ledger", slug, "state = 20") == 40

        await mail.until(recorded, "all is recorded")
        await mail.until(lambda: outcomes(mail, slug, 40), "all outcomes are recorded")
    finally:
        await mail.until(lambda: partitions_are_made(mail), "partitions are made")
    assert mail.system.processes == before


async def partitions_are_made(mail: Traffic) -> bool:
    """It waits half a second for its locks, which roles hold meanwhile: control, too, tries again."""
    try:
        await mail.db.execute("select ensure_partitions(14)")
    except asyncpg.LockNotAvailableError:
        return False
    return True


async def outcomes(mail: Traffic, slug: str, count: int) -> bool:
    return await mail.count("outcome", slug, "state = 23") == count


async def test_mail_of_every_class_leaves_when_the_databases_clock_steps_back(mail: Traffic) -> None:
    [slug] = names("clock")
    types = ["password-reset", "receipt", "newsletter"]
    await mail.onboard({slug: types})
    await mail.account(rate=50)
    for type in types:
        await mail.fill(slug, type, 10)
    await mail.all_final(slug)
    await mail.shift_clock(-10 * MINUTE)
    try:
        for type in types:
            await mail.fill(slug, type, 50)

        async def sent() -> bool:
            return await mail.count_sent(slug) == 180

        await mail.until(sent, "mail of every class is sent")
    finally:
        await mail.shift_clock(0)
    await mail.all_final(slug)


# Bodies -----------------------------------------------------------------------------------------------------------------


async def test_the_body_of_an_urgent_mail_ends_with_its_last_delivery_however_it_ends(mail: Traffic) -> None:
    expired, cancelled = names("expired", "cancelled")
    await mail.onboard({expired: ["password-reset"], cancelled: ["password-reset"]})
    for slug in (expired, cancelled):
        await mail.hold(slug)
        await mail.fill(slug, "password-reset", 120)
    assert await bodies(mail, expired, cancelled) == 6
    await mail.age(expired, 16 * MINUTE)
    await mail.lift(expired)
    status, said = await mail.call("POST", "/v1/cancellations", {"tenant": cancelled, "because": "a test"})
    assert (status, said["cancelled"]) == (200, 120)
    await mail.all_final(expired, cancelled)

    async def gone() -> bool:
        return await bodies(mail, expired, cancelled) == 0

    await mail.until(gone, "their bodies are gone")


async def bodies(mail: Traffic, *slugs: str) -> int:
    return await mail.db.fetchval(
        "select count(*) from urgent_content u where exists (select from message m join tenant t on t.id = m.tenant"
        " where m.id = u.id and t.slug = any ($1::text[]))",
        list(slugs),
    )
