"""A lane on two paths in a running system: a mailing splits, each mail counts on its path, and a way back moves what waits."""

import asyncio
import secrets
from collections import Counter
from typing import Any

import boto3
from botocore.config import Config

from mailcordon.core import ids, path_choice
from mailcordon_fixtures import traffic
from mailcordon_fixtures.traffic import Traffic

from .conftest import Run

TYPE = "newsletter"


async def two_paths(mail: Traffic, run: Run, slug: str) -> str:
    """Gives the tenant's lane a shared path, which exists at SES before. Returns its domain."""
    name, shared = f"way-{slug}", f"mail.way-{slug}.example"

    def adopted() -> None:
        ses = boto3.client(
            "sesv2",
            endpoint_url=mail.system.ses_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )
        ses.create_tenant(TenantName=name)
        ses.create_email_identity(EmailIdentity=shared)
        ses.close()

    await asyncio.to_thread(adopted)
    for words in (
        ("path", "add-shared", name, shared, name, "--because", "how all mail left"),
        ("path", "add", slug, TYPE, name, "--yes", "--because", "a rollout begins"),
    ):
        code, out, err = await asyncio.to_thread(run, *words)
        assert code == 0, out + err

    async def associated() -> bool:
        state = "select state from ses_resource where kind = 'association' and name = $1"
        return await mail.db.fetchval(state, name) == "applied"

    await mail.until(associated, "our sets are associated with the shared path's SES tenant")
    return shared


async def share(run: Run, slug: str, percent: int) -> None:
    code, out, err = await asyncio.to_thread(
        run, "path", "share", slug, TYPE, str(percent), "--because", "a step"
    )
    assert code == 0, out + err


async def isolated(mail: Traffic, slug: str, percent: int) -> set[int]:
    """Deliveries of the tenant whose recipients are on its own path at this share."""
    key = await mail.db.fetchval("select key from tenant where slug = $1", slug)
    rows = await mail.db.fetch(
        "select r.id, r.hash from recipient r join tenant t on t.id = r.tenant where t.slug = $1", slug
    )
    return {row["id"] for row in rows if path_choice.isolated(key, row["hash"], percent)}


async def sent(mail: Traffic, slug: str) -> list[dict[str, Any]]:
    """What SES took of this tenant, whatever domain it is from."""
    found = [(ids.message_of(traffic.delivery_of(one)), one) for one in await mail.sent()]
    return [one for message, one in found if mail.accepted.get(message) == slug]


async def by_domain(mail: Traffic, slug: str) -> dict[int, str]:
    found: dict[int, str] = {}
    for one in await sent(mail, slug):
        found[traffic.delivery_of(one)] = str(one["from"]).rpartition("@")[2].rstrip(">")
    return found


async def test_a_mailing_splits_and_every_event_is_counted_by_its_path(mail: Traffic, run: Run) -> None:
    slug = f"split-{secrets.token_hex(3)}"
    await mail.onboard({slug: [TYPE]})
    own, shared = traffic.domain(slug, TYPE), await two_paths(mail, run, slug)
    await share(run, slug, 25)
    await mail.fill(slug, TYPE, 40, campaign="may")
    await mail.all_final(slug)
    expected = await isolated(mail, slug, 25)
    assert 0 < len(expected) < 40
    domains = await by_domain(mail, slug)
    assert len(domains) == len(await sent(mail, slug)) == 40
    assert {id for id, domain in domains.items() if domain == own} == expected
    assert set(domains.values()) == {own, shared}

    async def counted() -> bool:
        rows = await mail.db.fetch(
            "select s.path, sum(c.sent)::int as sent, sum(c.send_events)::int as seen, sum(c.delivered)::int as delivered"
            " from slice s join tenant t on t.id = s.tenant join cohort_slice c on c.slice = s.id"
            " where t.slug = $1 and s.campaign = 'may' group by s.path",
            slug,
        )
        found = {row["path"]: (row["sent"], row["seen"], row["delivered"]) for row in rows}
        n = len(expected)
        return found == {"isolated": (n, n, n), "shared": (40 - n, 40 - n, 40 - n)}

    await mail.until(counted, "both paths have their own counts")


async def test_a_way_back_moves_waiting_mail_and_no_recipient_is_on_both_paths(
    mail: Traffic, run: Run
) -> None:
    slug = f"back-{secrets.token_hex(3)}"
    await mail.onboard({slug: [TYPE]})
    shared = await two_paths(mail, run, slug)
    await share(run, slug, 50)
    await mail.fill(slug, TYPE, 20)
    await mail.all_final(slug)
    before = await by_domain(mail, slug)
    await mail.hold(slug)
    await mail.fill(slug, TYPE, 40)
    waiting = await isolated(mail, slug, 50) - before.keys()
    assert waiting
    await share(run, slug, 0)
    code, out, err = await asyncio.to_thread(
        run, "path", "move", slug, TYPE, "shared", "--because", "bounces"
    )
    assert code == 0, out + err
    assert f"{len(waiting)} waiting mail" in out
    await mail.lift(slug)
    await mail.all_final(slug)
    after = await by_domain(mail, slug)
    assert {domain for id, domain in after.items() if id not in before} == {shared}
    assert all(after[id] == domain for id, domain in before.items())
    times = Counter(traffic.delivery_of(one) for one in await sent(mail, slug))
    assert Counter(times.values()) == {1: 60}
    assert len({ids.message_of(id) for id in after}) >= 2
