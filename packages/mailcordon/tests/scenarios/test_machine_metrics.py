"""Every role of a running system answers a scraper, and what it says follows the mail."""

import asyncio
import json
import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from mailcordon.adapters.prometheus.families import OF_ROLE
from mailcordon_fixtures.traffic import Traffic

Page = dict[tuple[str, frozenset[tuple[str, str]]], float]


async def addresses(mail: Traffic) -> Mapping[str, str]:
    rows = await mail.db.fetch(
        "select distinct on (role) role, facts from role_health order by role, beat desc"
    )
    return {row["role"]: json.loads(row["facts"])["metrics"] for row in rows}


async def scrape(address: str) -> Page:
    def read() -> str:
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
            return answer.read().decode()

    found: Page = {}
    for family in text_string_to_metric_families(await asyncio.to_thread(read)):
        for sample in family.samples:
            found[sample.name, frozenset(sample.labels.items())] = sample.value
    return found


def value(page: Page, name: str, **labels: str) -> float:
    """A counter has no sample before its first event."""
    return page.get((f"mailcordon_{name}", frozenset(labels.items())), 0.0)


async def test_what_each_role_says_follows_the_mail(mail: Traffic) -> None:
    await mail.onboard({"mm-acme": ("password-reset",)})

    async def all_report() -> bool:
        return (await addresses(mail)).keys() == OF_ROLE.keys()

    await mail.until(all_report, "every role reports, those too that `up` does not wait for")
    at = await addresses(mail)
    before = {role: await scrape(at[role]) for role in OF_ROLE}
    assert value(before["control"], "state_read_success") == 1
    assert value(before["control"], "processes_running", role="dispatch") >= 1
    queue = "mailcordon-outcome"
    for n in range(3):
        assert await mail.put("mm-acme", "password-reset", [f"mm{n}@example.com"]) is not None

    async def told() -> bool:
        api, dispatch, observe = [await scrape(at[role]) for role in ("api", "dispatch", "observe")]
        return (
            value(api, "accepted_deliveries_total") - value(before["api"], "accepted_deliveries_total") >= 3
            and value(dispatch, "sent_deliveries_total") - value(before["dispatch"], "sent_deliveries_total")
            >= 3
            and value(dispatch, "call_seconds_count") >= 3
            and value(dispatch, "accepted_to_sent_seconds_count", loop="urgent") >= 3
            and value(observe, "events_total", queue=queue, kind="delivery") >= 3
            and value(observe, "event_lag_seconds_count", queue=queue) >= 6
            and value(observe, "queue_receiving", queue=queue) == 1
        )

    await mail.until(told, "the roles tell of the mail")
