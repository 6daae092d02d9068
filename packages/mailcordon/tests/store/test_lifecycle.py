"""Retiring, bringing back and moving, by plans and against the local SES: what goes there, when, and what is said beforehand."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.lifecycle_store import LifecycleStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.provision_store import ProvisionStore
from mailcordon.adapters.db.tenant_store import TenantStore
from mailcordon.adapters.ses.administer import Administer
from mailcordon.control import desired
from mailcordon.control.governor import Governor
from mailcordon.control.lifecycle import Change, Lifecycle, Prepared, Verb
from mailcordon.control.plans import Plan, Plans
from mailcordon.control.reconcile import Pace, Reconciler
from mailcordon.control.retirement import Retirement
from mailcordon.control.tenants import Tenants
from mailcordon.core.errors import Conflict
from mailcordon.core.hold import NewHold
from mailcordon.core.target import Target
from mailcordon_fixtures import local_ses
from seslocal import server
from seslocal.state.settings import Settings

SETTINGS = desired.Settings(
    outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    engagement_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-engagement",
    local=True,
)
ACME = {
    "newsletter": "news.acme.example",
    "password-reset": "mail.acme.example",
    "invoice": "mail.acme.example",
}


class World:
    def __init__(
        self, local: server.Local, owner: engine.Connection, control: engine.Pool, governor: engine.Pool
    ) -> None:
        self.local = local
        self.owner = owner
        self.control = control
        self.administer = Administer(
            region="us-east-1", endpoint=local.url, access_key="test", secret_key="test"
        )
        self.governor = Governor(GovernorStore(governor))
        self.reconciler = Reconciler(
            ProvisionStore(control), self.administer, self.governor, Pace(retry=0.05, identity=0.05)
        )
        self.plans = Plans(PlanStore(control), self.governor, SETTINGS)
        self.tenants = Tenants(TenantStore(control), self.plans, local=True)
        self.store = LifecycleStore(control)
        self.retirement = Retirement(self.store, self.governor, lambda _: 0.0)
        self.lifecycle = Lifecycle(self.plans, self.store, local=True)
        self.ses: Any = self.administer._client
        self.keys: dict[str, str] = {}

    async def onboard(self, slug: str, types: dict[str, str], *, dedicated: bool = False) -> None:
        await self.tenants.onboard(slug, types, actor="ann", dedicated=dedicated)
        self.keys[slug] = await self.owner.fetchval("select key from tenant where slug = $1", slug)
        await self.settle()

    async def settle(self) -> None:
        """Everything that the control role does by itself, until there is nothing left."""
        for _ in range(6):
            await self.retirement.advance()
            await self.plans.follow()
            # What waits for mail does so for some seconds after a route moved.
            await self.owner.execute(
                "update route_before set until = until - 60000 where until > now_ms() - 60000"
            )
            while await self.reconciler.step():
                pass
            await self.owner.execute(
                "update ses_resource set next_try_at = now() where state <> 'applied' or not wanted"
            )

    async def prepare(self, verb: Verb, **over: Any) -> Prepared:
        return await self.lifecycle.prepare(
            Change(verb=verb, tenant="acme", **over), actor="ann", because="asked to"
        )

    async def do(self, verb: Verb, **over: Any) -> Plan:
        prepared = await self.prepare(verb, **over)
        assert prepared.plan.id is not None
        return await self.plans.apply(prepared.plan.id, actor="ann", because="asked to")

    async def plan(self, plan: Plan) -> Plan:
        assert plan.id is not None
        return await self.plans.get(plan.id)

    async def at_ses(self, slug: str) -> dict[str, list[str]]:
        """What SES has of a tenant: its SES tenants with what is associated with them, its sets and its domains."""
        key = self.keys[slug]

        def look() -> dict[str, list[str]]:
            found: dict[str, list[str]] = {}
            for each in self.ses.list_tenants(PageSize=100)["Tenants"]:
                if each["TenantName"].startswith(key):
                    resources = self.ses.list_tenant_resources(TenantName=each["TenantName"])[
                        "TenantResources"
                    ]
                    name = f"tenant{each['TenantName'].removeprefix(key)}"
                    found[name] = sorted(
                        one["ResourceArn"].rpartition("/")[2].replace(key, "KEY") for one in resources
                    )
            sets = self.ses.list_configuration_sets(PageSize=1000)["ConfigurationSets"]
            found["sets"] = sorted(name.replace(key, "KEY") for name in sets if name.startswith(key))
            identities = self.ses.list_email_identities(PageSize=1000)["EmailIdentities"]
            found["domains"] = sorted(
                one["IdentityName"] for one in identities if f".{slug}." in one["IdentityName"]
            )
            return found

        return await asyncio.to_thread(look)

    async def queue(self, type: str, id: int = 1 << 60) -> None:
        await self.owner.execute(
            "insert into ready (lane, id, tenant, hash) select l.id, $2, l.tenant, ''"
            " from lane l join message_type t on t.id = l.type join tenant e on e.id = l.tenant"
            " where t.name = $1 and e.slug = 'acme'",
            type,
            id,
        )  # fmt: skip

    async def findings(self) -> list[str]:
        rows = await self.owner.fetch(
            "select kind || ' ' || resource as words from finding where ended_at is null"
        )
        return [row["words"] for row in rows]

    async def open_lanes(self) -> list[str]:
        rows = await self.owner.fetch(
            "select t.name from lane l join message_type t on t.id = l.type join tenant e on e.id = l.tenant"
            " where e.slug = 'acme' and not l.held and l.retiring_at is null order by 1"
        )
        return [row["name"] for row in rows]


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    async with local_ses.running(database, Settings(rate=80.0, quota=50_000.0)) as parts:
        world = World(*parts)
        try:
            yield world
        finally:
            world.administer.close()


NOTHING: dict[str, list[str]] = {"sets": [], "domains": []}


async def test_a_retired_tenant_leaves_nothing_at_ses_and_another_is_untouched(world: World) -> None:
    await world.onboard("acme", ACME, dedicated=True)
    await world.onboard("zen", {"newsletter": "news.zen.example"}, dedicated=True)
    zen = await world.at_ses("zen")
    assert (await world.at_ses("acme"))["domains"] == ["mail.acme.example", "news.acme.example"]
    plan = await world.do("retire-tenant", mail="drain")
    await world.settle()
    assert await world.at_ses("acme") == NOTHING
    assert await world.at_ses("zen") == zen
    done = await world.plan(plan)
    assert (done.state, dict(done.counts)) == ("applied", {"done": len(done.calls)})
    assert await world.findings() == []
    assert await world.owner.fetchval("select array_agg(slug) from tenant where retired_at is not null") == [
        "acme"
    ]


async def test_nothing_is_detached_while_mail_is_in_the_queue(world: World) -> None:
    await world.onboard("acme", ACME, dedicated=True)
    before = await world.at_ses("acme")
    await world.queue("newsletter")
    plan = await world.do("retire-tenant", mail="drain")
    await world.settle()
    now = await world.at_ses("acme")
    assert "news.acme.example" in now["tenant"]
    assert "KEY-marketing" in now["tenant"]
    assert "news.acme.example" in before["domains"]
    assert await world.findings() == []
    assert (await world.plan(plan)).state == "applying"
    await world.owner.execute("delete from ready")
    await world.settle()
    assert await world.at_ses("acme") == NOTHING
    assert (await world.plan(plan)).state == "applied"


async def test_a_tenant_that_comes_back_before_its_mail_left_keeps_everything_at_ses(world: World) -> None:
    await world.onboard("acme", ACME, dedicated=True)
    before = await world.at_ses("acme")
    for n, type in enumerate(ACME):
        await world.queue(type, (1 << 60) + n)
    plan = await world.do("retire-tenant", mail="drain")
    await world.settle()
    await world.do("unretire-tenant")
    await world.settle()
    assert await world.at_ses("acme") == before
    overtaken = await world.plan(plan)
    assert overtaken.state == "applied"
    assert {call.state for call in overtaken.calls} == {"needless"}
    assert await world.open_lanes() == sorted(ACME)
    await world.owner.execute("delete from ready")
    await world.settle()
    assert await world.at_ses("acme") == before


async def test_a_tenant_that_comes_back_after_it_was_deleted_is_made_again(world: World) -> None:
    await world.onboard("acme", ACME, dedicated=True)
    before = await world.at_ses("acme")
    await world.do("retire-tenant", mail="drain")
    await world.settle()
    assert await world.at_ses("acme") == NOTHING
    prepared = await world.prepare("unretire-tenant")
    assert any("made at SES again" in each for each in prepared.preview.does)
    assert prepared.plan.id is not None
    await world.plans.apply(prepared.plan.id, actor="ann")
    assert await world.open_lanes() == []  # SES has not verified the domains again
    await world.settle()
    assert await world.at_ses("acme") == before
    assert await world.open_lanes() == sorted(ACME)
    assert await world.findings() == []


async def test_a_retired_lane_takes_along_only_what_it_alone_used(world: World) -> None:
    await world.onboard("acme", ACME)
    await world.do("retire-lane", type="invoice", mail="drain")
    await world.settle()
    assert (await world.at_ses("acme"))["tenant"] == [
        "mail.acme.example",
        "mc-marketing",
        "mc-urgent",
        "news.acme.example",
    ]
    sets = await asyncio.to_thread(
        lambda: world.ses.list_configuration_sets(PageSize=100)["ConfigurationSets"]
    )
    assert "mc-transactional" in sets
    assert await world.open_lanes() == ["newsletter", "password-reset"]
    await world.do("unretire-lane", type="invoice")
    await world.settle()
    assert "mc-transactional" in (await world.at_ses("acme"))["tenant"]
    assert await world.open_lanes() == sorted(ACME)


async def test_a_retired_domain_goes_with_its_lanes(world: World) -> None:
    await world.onboard("acme", ACME)
    await world.do("retire-domain", domain="mail.acme.example", mail="drain")
    await world.settle()
    found = await world.at_ses("acme")
    assert found["domains"] == ["news.acme.example"]
    assert found["tenant"] == ["mc-marketing", "news.acme.example"]
    assert await world.open_lanes() == ["newsletter"]


async def test_a_lane_that_comes_back_takes_the_way_that_its_tenant_has_by_then(world: World) -> None:
    await world.onboard("acme", ACME)
    await world.do("retire-lane", type="newsletter", mail="drain")
    await world.settle()
    await world.do("set-topology", dedicated=True, ses_tenants="per-class")
    await world.settle()
    await world.do("unretire-lane", type="newsletter")
    await world.settle()
    found = await world.at_ses("acme")
    assert found["tenant-marketing"] == ["KEY-marketing", "news.acme.example"]
    assert "tenant" not in found
    ways = await world.owner.fetch("select distinct configuration_set, ses_tenant from route order by 1")
    key = world.keys["acme"]
    assert [tuple(row) for row in ways] == [
        (f"{key}-{word}", f"{key}-{word}") for word in ("marketing", "transactional", "urgent")
    ]
    assert await world.open_lanes() == sorted(ACME)


async def test_a_set_that_lanes_left_stays_while_ses_may_report_on_their_mail(world: World) -> None:
    await world.onboard("acme", ACME, dedicated=True)
    for table in ("lane_intake", "lane_finished"):  # each lane has sent a mail
        await world.owner.execute(f"insert into {table} (lane, node, deliveries) select id, 0, 1 from lane")
    hour = 3_600_000
    world.plans = Plans(PlanStore(world.control, [0, hour, hour]), world.governor, SETTINGS)
    world.lifecycle = Lifecycle(world.plans, world.store, local=True, keep_sets_seconds=7 * 86_400.0)
    key = world.keys["acme"]
    said = (await world.prepare("set-topology", dedicated=False)).preview.does
    assert (
        f"{key}-marketing, {key}-transactional and {key}-urgent are deleted 7 days after their last mail. What SES would report"
        " of mail through them after that, such as a late complaint, is lost."
    ) in said
    await world.do("set-topology", dedicated=False)
    await world.settle()
    found = await world.at_ses("acme")
    assert found["sets"] == ["KEY-marketing", "KEY-transactional"]
    assert not any(name.startswith("KEY-") for name in found["tenant"])
    await world.owner.execute("update route_before set until = until - 3600000")
    await world.settle()
    assert (await world.at_ses("acme"))["sets"] == []


async def test_a_class_whose_ses_tenant_cannot_be_made_delays_no_other(world: World) -> None:
    await world.onboard("acme", ACME)
    await world.do("set-topology", dedicated=False, ses_tenants="per-class")
    await world.owner.execute(
        "update ses_resource set state = 'failing', next_try_at = now() + interval '1 h'"
        " where kind = 'tenant' and name like '%-urgent'"
    )
    while await world.reconciler.step():
        pass
    await world.plans.follow()
    found = await world.at_ses("acme")
    assert found["tenant-marketing"] == ["mc-marketing", "news.acme.example"]
    assert "tenant-urgent" not in found
    rows = await world.owner.fetch(
        "select class, ses_tenant from route join lane on lane.id = lane order by class"
    )
    key = world.keys["acme"]
    assert [row["ses_tenant"] for row in rows] == [key, f"{key}-transactional", f"{key}-marketing"]


# What is said beforehand ----------------------------------------------------------------------------------------------------


async def test_a_preview_says_what_it_will_do_whom_it_touches_and_what_stays_and_changes_nothing(
    world: World,
) -> None:
    await world.onboard("acme", ACME)
    await world.queue("invoice")
    tenant = await world.owner.fetchval("select id from tenant where slug = 'acme'")
    lane = await world.owner.fetchval(
        "select l.id from lane l join message_type t on t.id = l.type where t.name = 'invoice'"
    )
    await world.governor.place(
        NewHold(target=Target(tenant=tenant, lane=lane), owner="person", because="wrong prices"), actor="kim"
    )
    prepared = await world.prepare("retire-lane", type="invoice", mail="drain")
    said = prepared.preview
    assert said.does == (
        "From now on acme takes no new mail of invoice: requests get 422 with the code lane-retired.",
        "invoice: 1 delivery in its queue is sent first.",
        'invoice: hold 4 "wrong prices" by kim keeps its mail. The lane ends once the hold is lifted and the mail has left, or'
        " once the mail has expired, which takes 24 h at most.",
        f"At SES: disassociate configuration-set/mc-transactional from tenant {world.keys['acme']}.",
        "What only invoice uses at SES goes when its queue is empty and SES has had 3 s, its own limit, to report on the last"
        " mail.",
    )
    assert said.touches == (
        "mail.acme.example stays as it is: password-reset sends from it too.",
        "newsletter and password-reset of acme and every other tenant are not touched.",
    )
    assert said.stays == (
        "Records, suppressions, holds and the audit trail stay. Events that arrive later count for the mail they are about.",
    )
    assert [(one.type, one.queued) for one in said.lanes] == [("invoice", 1)]
    assert prepared.plan.state == "proposed"
    assert len(await world.open_lanes()) == 2  # the third is held


async def test_what_was_done_before_is_not_planned_again(world: World) -> None:
    await world.onboard("acme", ACME)
    await world.do("retire-lane", type="invoice", mail="cancel")
    with pytest.raises(Conflict) as caught:
        await world.prepare("retire-lane", type="invoice", mail="drain")
    assert caught.value.code == "nothing-to-do"


async def test_a_tenants_retirement_counts_its_keys_and_reserves_its_domains(world: World) -> None:
    await world.onboard("acme", ACME)
    said = (await world.prepare("retire-tenant", mail="cancel")).preview
    assert any(each.startswith("1 key of the tenant is revoked at once") for each in said.does)
    assert any("suppression list of its tenant" in each for each in said.does)
    assert sum("stays reserved for acme" in each for each in said.stays) == 2
    assert said.touches == ("Every other tenant is not touched.",)


async def test_a_move_says_whose_reputation_the_lane_shares(world: World) -> None:
    await world.onboard("acme", ACME)
    said = (await world.prepare("move-lane", type="newsletter", domain="mail.acme.example")).preview
    assert "It shares the reputation of mail.acme.example with invoice and password-reset." in said.touches
    assert not any("held until" in each for each in said.does)
    new = (await world.prepare("move-lane", type="newsletter", domain="new.acme.example")).preview
    assert "The lane is held until SES has verified new.acme.example." in new.does


async def test_a_change_of_topology_says_which_list_is_not_copied(world: World) -> None:
    await world.onboard("acme", ACME)
    said = (await world.prepare("set-topology", dedicated=True, ses_tenants="per-class")).preview
    assert any(f"suppression list of {world.keys['acme']} is not copied" in each for each in said.does)
