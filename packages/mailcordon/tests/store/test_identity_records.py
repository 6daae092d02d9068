"""The records that `identity records` lists, published as they are at the name server of a strict local SES: the domain verifies,
and its MAIL FROM becomes active."""

from collections.abc import AsyncIterator
from typing import Any

import dns.zone
import pytest
from dns.rdatatype import to_text

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.provision_store import ProvisionStore
from mailcordon.adapters.db.tenant_store import TenantStore
from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.adapters.ses.administer import Administer
from mailcordon.control.desired import Settings
from mailcordon.control.governor import Governor
from mailcordon.control.identity_records import IdentityRecords, Records
from mailcordon.control.plans import Plans
from mailcordon.control.reconcile import Pace, Reconciler
from mailcordon.control.steps import Step, StepKind
from mailcordon.control.tenants import Tenants
from mailcordon.control.views import Viewer
from mailcordon_fixtures import local_ses
from seslocal.state.settings import Settings as Strict
from seslocal.state.zone import Record as ZoneRecord

DOMAIN = "mail.acme.example"
TOPICS = Settings(
    outcome_topic_arn="arn:aws:sns:us-east-1:000000000000:mailcordon-outcome",
    engagement_topic_arn="arn:aws:sns:us-east-1:000000000000:mailcordon-engagement",
    local=True,
)


class World:
    def __init__(self, parts: local_ses.Parts, reader: engine.Pool) -> None:
        self.local, self.owner = parts.local, parts.owner
        governor = Governor(GovernorStore(parts.governor))
        self.plans = Plans(PlanStore(parts.control), governor, TOPICS)
        self.tenants = Tenants(TenantStore(parts.control), self.plans, local=True)
        self.ses = Administer(
            region="us-east-1", endpoint=self.local.url, access_key="test", secret_key="test"
        )
        self.reconciler = Reconciler(
            ProvisionStore(parts.control), self.ses, governor, Pace(retry=0, identity=0)
        )
        self.records = IdentityRecords(
            ControlReader(parts.control, reader), PublicSuffixes(), region="us-east-1"
        )

    async def settle(self) -> None:
        await self.owner.execute("update ses_resource set next_try_at = now()")
        for _ in range(30):
            if not await self.reconciler.step():
                return

    async def listed(self, **more: Any) -> Records:
        return await self.records.of(Viewer(None), DOMAIN, **more)

    def publish(self, zone_file: str) -> None:
        """As a DNS provider imports it."""
        zone = dns.zone.from_text(zone_file, relativize=False, check_origin=False)
        self.local.account.zone.put(
            [
                ZoneRecord(name.to_text().rstrip("."), to_text(data.rdtype), _value(data), ttl)
                for name, ttl, data in zone.iterate_rdatas()
            ]
        )


def _value(data: Any) -> str:
    if hasattr(data, "strings"):
        return b"".join(data.strings).decode()
    return data.to_text().rstrip(".")


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    reader = await engine.create_pool(database.dsn("reader"))
    async with local_ses.running(database, Strict(strict=True)) as parts:
        world = World(parts, reader)
        yield world
        world.ses.close()
    await reader.close()


@pytest.mark.parametrize("names", ["absolute", "relative"])
async def test_the_zone_file_verifies_the_domain_and_makes_its_mail_from_active(
    world: World, names: Any
) -> None:
    await world.tenants.onboard("acme", {"newsletter": DOMAIN}, actor="ann")
    step = Step(kind=StepKind.SET_MAIL_FROM, tenant="acme", domain=DOMAIN, to=f"bounce.{DOMAIN}")
    planned = await world.plans.make([step], actor="ann")
    await world.plans.apply(planned.id or 0, actor="ann")
    assert not (await world.listed()).complete

    await world.settle()
    before = await world.ses.get_identity(DOMAIN)
    listed = await world.listed(names=names)
    assert (listed.complete, listed.zone) == (True, "acme.example")
    world.publish(listed.zone_file)
    after = await world.ses.get_identity(DOMAIN)

    assert before is not None
    assert (before["VerificationStatus"], before["MailFromAttributes"]["MailFromDomainStatus"]) == (
        "PENDING",
        "PENDING",
    )
    assert after is not None
    assert (after["VerificationStatus"], after["MailFromAttributes"]["MailFromDomainStatus"]) == (
        "SUCCESS",
        "SUCCESS",
    )
