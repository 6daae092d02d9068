"""A domain from its first record to its lapse and back: the control plane's own reconciler and resolver against a strict local
SES and its name server. Hours pass by the clock that is passed in."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.identity_check_store import IdentityCheckStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.provision_store import ProvisionStore
from mailcordon.adapters.db.status_reader import StatusReader
from mailcordon.adapters.db.tenant_store import TenantStore
from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.adapters.dns.reply import Server
from mailcordon.adapters.dns.resolver import Resolver
from mailcordon.adapters.ses.administer import Administer
from mailcordon.control import desired, identity_check_rows, lanes, status
from mailcordon.control.governor import Governor
from mailcordon.control.identity_checks import Checked, IdentityChecks
from mailcordon.control.lapses import Effect
from mailcordon.control.plans import Plans
from mailcordon.control.problem import Problem
from mailcordon.control.reconcile import Pace, Reconciler
from mailcordon.control.tenants import Tenants
from mailcordon.control.views import Viewer
from mailcordon_fixtures import local_ses
from seslocal.dns.identity_records import required_records
from seslocal.state.name_faults import NameFault
from seslocal.state.settings import Settings as Strict
from seslocal.state.zone import Record

HOUR = 3_600_000
DOMAIN = "mail.acme.example"
BOUNCE = f"bounce.{DOMAIN}"
DMARC = f"_dmarc.{DOMAIN}"
SETTINGS = desired.Settings(
    outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    engagement_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-engagement",
    local=True,
    mail_from_label="bounce",
)
SUFFIXES = PublicSuffixes()


class World:
    def __init__(self, parts: local_ses.Parts) -> None:
        self.account = parts.local.account
        self.owner = parts.owner
        self.at = 0
        governor = Governor(GovernorStore(parts.governor))
        self.reads = ControlReader(parts.control, parts.control)
        self.status = StatusReader(parts.control)
        plans = Plans(PlanStore(parts.control), governor, SETTINGS, suffixes=SUFFIXES)
        self.tenants = Tenants(TenantStore(parts.control), plans, local=True)
        ses = Administer(region="us-east-1", endpoint=parts.local.url, access_key="test", secret_key="test")
        self.reconciler = Reconciler(ProvisionStore(parts.control), ses, governor, Pace(retry=0, identity=0))
        resolver = Resolver([Server("127.0.0.1", parts.local.names.port)], seconds=0.5)

        async def clock() -> int:
            return self.at

        self.checks = IdentityChecks(
            IdentityCheckStore(parts.control),
            self.reads,
            governor,
            lambda seconds: resolver.check(authoritative=True, seconds=seconds),
            SUFFIXES,
            region="us-east-1",
            clock=clock,
        )

    async def onboard(self) -> None:
        types = {"newsletter": DOMAIN, "password-reset": DOMAIN}
        await self.tenants.onboard("acme", types, actor="ann")
        await self.settle()
        self.at = await self.owner.fetchval("select now_ms()")

    async def settle(self) -> None:
        """What the reconciler does with everything that is due; SES is asked again."""
        await self.owner.execute("update ses_resource set next_try_at = now()")
        for _ in range(40):
            if not await self.reconciler.step():
                return

    def publish(self) -> None:
        self.account.zone.put(required_records(self.account.identities[DOMAIN], "us-east-1"))
        self.account.zone.put([Record(DMARC, "TXT", "v=DMARC1; p=reject")])

    def ses_knows_no_better(self) -> None:
        """SES looks at its own pace: here it has found everything, and does not look again."""
        self.account.zone.changed = lambda: None

    async def check(self, hours: float = 0) -> Checked:
        self.at += int(hours * HOUR)
        return await self.checks.now(Viewer(None), DOMAIN, reread=False)

    async def day(self) -> None:
        """A day of the schedule."""
        for _ in range(4):
            self.at += int(8.1 * HOUR)
            await self.checks.run_due(asyncio.Event())
            await self.checks.align_holds()

    async def lane(self, type: str) -> tuple[str, list[str]]:
        """As `lane show` shows it: its state, and the reasons of its holds."""
        found = await lanes.overview(self.reads, Viewer(1), "acme", type)
        return found.lane.state, [each.hold.because for each in found.holds]

    async def problems(self) -> list[Problem]:
        found = status.judge(await self.status.facts())
        return [each for each in found.problems if each.check == "domains"]


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    async with local_ses.running(database, Strict(strict=True, dns_port=0)) as parts:
        world = World(parts)
        await world.onboard()
        yield world


def rows(found: Checked, *states: str) -> list[identity_check_rows.Row]:
    return [row for row in identity_check_rows.rows(found) if row.state in states]


def mends(found: Checked) -> set[tuple[str, str, str]]:
    """The records that a check says to publish."""
    return {
        (row.publish["type"], row.publish["name"], row.publish["value"])
        for row in identity_check_rows.rows(found)
        if row.publish
    }


async def test_a_new_domain_is_told_what_to_publish_and_passes_once_it_has(world: World) -> None:
    found = await world.check()
    assert not found.check.passes
    wanted = {
        (each.type, each.name.rstrip("."), each.value.rstrip("."))
        for each in required_records(world.account.identities[DOMAIN], "us-east-1")
        if each.type in ("CNAME", "MX")
    }
    for _ in range(4):  # a look-up that fails says nothing, and is tried again
        if {(kind, name, value.rstrip(".")) for kind, name, value in mends(found)} >= wanted:
            break
        found = await world.check()
    assert {(kind, name, value.rstrip(".")) for kind, name, value in mends(found)} >= wanted
    assert found.state.suspicions == ()  # what was never there is no loss

    world.publish()
    await world.settle()
    found = await world.check(1)
    assert found.check.passes, found.check.result["faults"]
    assert found.check.authoritative
    assert {each["result"] for each in found.check.result["lanes"]} == {"passes-both"}
    assert (found.check.result["ses"]["status"], found.check.result["ses"]["mail_from_status"]) == (
        "SUCCESS",
        "SUCCESS",
    )
    assert await world.lane("newsletter") == ("open", [])


async def test_a_dmarc_answer_that_fails_for_a_day_holds_marketing_only_and_says_what_to_publish(
    world: World,
) -> None:
    world.publish()
    await world.settle()
    assert (await world.check(1)).check.passes
    world.ses_knows_no_better()
    records = list(world.account.zone)
    for record in records:
        if record.name != DMARC:
            world.account.zone.delete(record.name)

    found = await world.check(1)
    assert {each["result"] for each in found.check.result["lanes"]} == {"fails"}
    assert await world.lane("newsletter") == ("open", [])
    await world.day()
    state, [because] = await world.lane("newsletter")
    assert state == "held"
    assert "Publish " in because
    assert "fails DMARC" in because
    assert (await world.lane("password-reset"))[0] == "open"
    [hold] = await world.reads.open_holds(Viewer(None), [1])
    assert because in hold.hold.sentence  # which `why` shows of each mail that it keeps
    [problem] = await world.problems()
    assert (problem.code, problem.whose) == ("domain-lapsed", "acme")
    assert "Publish " in problem.sentence

    world.account.zone.put(records)
    assert (await world.check(1)).state.lapsed_at is None
    assert await world.lane("newsletter") == ("open", [])
    assert await world.problems() == []


async def test_ses_that_gives_up_the_mail_from_is_a_lapse_with_its_record(world: World) -> None:
    world.publish()
    await world.settle()
    await world.check(1)
    world.account.zone.delete(BOUNCE, "MX")
    world.account.clock.advance(73 * 3600)
    await world.settle()
    found = await world.check(80)
    assert found.check.result["ses"]["mail_from_status"] == "FAILED"
    assert {each["result"] for each in found.check.result["lanes"]} == {"passes-dkim-only"}
    assert found.state.effect is Effect.WEAKER
    assert ("MX", BOUNCE, "10 feedback-smtp.us-east-1.amazonses.com") in mends(found)
    assert (await world.lane("newsletter"))[0] == "open"
    [problem] = await world.problems()
    assert f"MX {BOUNCE} 10 feedback-smtp.us-east-1.amazonses.com" in problem.sentence


async def test_servfail_for_days_lapses_nothing_and_status_says_that_it_is_not_known(world: World) -> None:
    world.publish()
    await world.settle()
    assert (await world.check(1)).check.passes
    world.ses_knows_no_better()
    for name in [each.name for each in world.account.zone]:
        world.account.faults.names.put(NameFault(name=name, rcode="SERVFAIL"))
    for _ in range(3):
        await world.day()
    found = await world.check(1)
    assert found.state.suspicions == ()
    assert not found.check.complete
    assert rows(found, "unknown")
    assert not rows(found, "error", "lapsed")
    assert await world.lane("newsletter") == ("open", [])
    # `status` goes by the database's clock: nothing was read completely for three days.
    await world.owner.execute("update identity_state set answered_at = now_ms() - $1::bigint", 72 * HOUR)
    [problem] = await world.problems()
    assert problem.code == "domains-unchecked"
