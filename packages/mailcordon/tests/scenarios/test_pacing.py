"""Paced releases and warm-up with the real processes: what leaves is judged by SES's ledger.

The policies of the tests have small steps, so that two minutes are two seconds. What else a large batch needs is as built in.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic

STEPS = {
    "mode": "enforce",
    "first": 100,
    "wait_seconds": 2,
    "factor": 3,
    "step_seconds": 2,
    "above_mails": 150,
}


@pytest.fixture
def system(shaken_system: systems.System) -> systems.System:
    """SES finds that a tenant's mail bounces, which no other test may meet."""
    return shaken_system


@contextlib.asynccontextmanager
async def policy(mail: Traffic, slug: str, sections: dict[str, Any]) -> AsyncIterator[None]:
    """Of a tenant, until the end of the test."""

    async def apply(document: dict[str, Any]) -> None:
        status, plan = await mail.call("POST", "/v1/policy/plans", {"document": document})
        assert status in (200, 201), plan
        status, said = await mail.call("POST", f"/v1/policy/plans/{plan['id']}/apply", {})
        assert status == 200, said

    before = (await mail.call("GET", "/v1/policy"))[1]["document"]
    tenants = {**before.get("tenants", {}), slug: sections}
    await apply({**before, "tenants": tenants})
    try:
        yield
    finally:
        await apply(before)


async def release(mail: Traffic, slug: str) -> Any:
    [item] = (await mail.call("GET", f"/v1/releases?tenant={slug}&open=true"))[1]["items"]
    return item


async def test_a_release_opens_by_feedback_and_resets_pass_it(mail: Traffic) -> None:
    await mail.onboard({"pace-good": ("newsletter", "password-reset")})
    async with policy(mail, "pace-good", {"release": STEPS}):
        # Without events there is no feedback: the first step stays alone, however long it takes.
        with traffic.stopped(mail.system, "observe"):
            await mail.fill("pace-good", "newsletter", 600, campaign="sale")

            async def first_is_out() -> bool:
                return await mail.count_sent("pace-good") >= 100

            await mail.until(first_is_out, "the first step has left")

            async def silent() -> bool:
                return (await release(mail, "pace-good"))["waits_for"] == "silence"

            await mail.until(silent, "the wait is over and nothing came back")
            # What arrived before it was a batch is the trickle of one process: two messages of 50 at most.
            assert 100 <= await mail.count_sent("pace-good") <= 200
            item = await release(mail, "pace-good")
            assert (item["step"], item["may_leave"]) == (1, 100)
            assert item["waiting"] > 0
            assert "outcomes came back" in item["sentence"]
            await mail.put("pace-good", "password-reset", [f"reset{n}@example.com" for n in range(20)])

            async def resets_are_out() -> bool:
                resets = [
                    one for one in await mail.sent("pace-good") if str(one["recipients"]).find("reset") >= 0
                ]
                return len(resets) == 20

            await mail.until(resets_are_out, "the resets have left past the release")
        await mail.all_final("pace-good")
        assert await mail.count_sent("pace-good") == 620
        assert (await mail.judge("pace-good")).doubled == []
        steps = await mail.db.fetchval(
            "select step from release r join tenant t on t.id = r.tenant where t.slug = 'pace-good'"
        )
        assert steps >= 1


async def test_a_release_closes_when_its_first_step_bounces_and_a_person_may_open_it(mail: Traffic) -> None:
    await mail.onboard({"pace-bad": ("newsletter",)})
    bad = [f"gone{n}@pace-bad.example" for n in range(20)]
    for one in bad:
        await mail.ses("PUT", f"/mailboxes/{one}", {"fate": "bounces"})
    async with policy(mail, "pace-bad", {"release": STEPS}):
        # The first two messages are a trickle; the list shows what it is in the first step.
        for first in range(8):
            gone = bad[5 * first : 5 * first + 5]
            to = gone + [f"r{first}-{n}@pace-bad.example" for n in range(50 - len(gone))]
            assert await mail.put("pace-bad", "newsletter", to, campaign="bought")

        async def closed() -> bool:
            return (await release(mail, "pace-bad"))["state"] == "closed"

        await mail.until(closed, "the release is closed")
        item = await release(mail, "pace-bad")
        assert "Nothing more of it leaves" in item["sentence"]
        out = await mail.count_sent("pace-bad")
        assert out <= 200
        waiting = await mail.db.fetchval(
            "select w.reason from waiting w join tenant t on t.id = w.tenant"
            " where t.slug = 'pace-bad' and w.send_limit is not null limit 1"
        )
        assert "Campaign bought has stopped" in waiting or "leaves in steps" in waiting
        status, said = await mail.call("POST", f"/v1/releases/{item['id']}/open", {"because": "a test"})
        assert status == 200, said
        await mail.all_final("pace-bad")
        assert await mail.count_sent("pace-bad") == 400


async def test_a_new_domain_sends_its_days_budget_to_a_provider_urgent_mail_first(mail: Traffic) -> None:
    await mail.onboard({"warm-new": ("newsletter",)})
    warm_up = {"mode": "enforce", "steps": {"gmail": [20, 40, 80]}, "others": [1000]}
    async with policy(mail, "warm-new", {"warm_up": warm_up, "release": {"mode": "observe"}}):
        # Two days with mail lie behind the domain: today is the third.
        lane = await mail.db.fetchval(
            "select l.id from lane l join tenant t on t.id = l.tenant where t.slug = 'warm-new'"
        )
        await mail.db.execute(
            "insert into cohort_day (day, lane, provider, tenant, sent)"
            " select now_ms() / 86400000 - ago, l.id, 1, l.tenant, n"
            " from lane l, (values (1, 40), (2, 20)) d (ago, n) where l.id = $1",
            lane,
        )
        await mail.db.execute(
            "delete from warm_up where tenant = (select tenant from lane where id = $1)", lane
        )

        async def third_day() -> bool:
            items = (await mail.call("GET", "/v1/warm-ups?tenant=warm-new"))[1]["items"]
            return [
                (one["day"], one["days"], one["mails_today"]) for one in items if one["provider"] == "gmail"
            ] == [(3, 3, 80)]

        await mail.until(third_day, "it is day 3 of 3 at gmail")
        await mail.put("warm-new", "newsletter", [f"a{n}@gmail.com" for n in range(50)])
        await mail.put("warm-new", "newsletter", [f"b{n}@gmail.com" for n in range(50)])
        await mail.put("warm-new", "newsletter", [f"c{n}@yahoo.com" for n in range(50)])

        async def budget_is_out() -> bool:
            return await mail.count_sent("warm-new") == 130

        await mail.until(budget_is_out, "80 mails to gmail and all to yahoo have left")

        async def rest_waits() -> bool:
            return await mail.count("waiting", "warm-new", "send_limit is not null") == 20

        await mail.until(rest_waits, "the rest waits for tomorrow")
        reason = await mail.db.fetchval(
            "select w.reason from waiting w join tenant t on t.id = w.tenant where t.slug = 'warm-new' limit 1"
        )
        assert "is new to gmail: 80 mails today, on day 3 of 3" in reason
        assert await mail.count_sent("warm-new") == 130
    # Without the policy's warm-up nothing holds the rest.
    await mail.all_final("warm-new")
