"""The control role's housekeeping against the local SES and a real database."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.advice_store import AdviceStore
from mailcordon.adapters.db.beside_store import BesideStore
from mailcordon.adapters.db.claim_store import ClaimStore
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.dkim_key_store import DkimKeyStore
from mailcordon.adapters.db.erasure_store import ErasureStore
from mailcordon.adapters.db.feedback_store import FeedbackStore
from mailcordon.adapters.db.finding_store import FindingStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.identity_check_store import IdentityCheckStore
from mailcordon.adapters.db.lifecycle_store import LifecycleStore
from mailcordon.adapters.db.outside_signal_store import OutsideSignalStore
from mailcordon.adapters.db.path_store import PathStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.policy_store import PolicyStore
from mailcordon.adapters.db.pool_store import PoolStore
from mailcordon.adapters.db.proof_store import ProofStore
from mailcordon.adapters.db.provider_store import ProviderStore
from mailcordon.adapters.db.provision_store import ProvisionStore
from mailcordon.adapters.db.release_store import ReleaseStore
from mailcordon.adapters.db.rollout_store import RolloutStore
from mailcordon.adapters.db.ses_finding_store import SesFindingStore
from mailcordon.adapters.db.ses_list_store import SesListStore
from mailcordon.adapters.db.split_store import SplitStore
from mailcordon.adapters.db.tenant_store import TenantStore
from mailcordon.adapters.db.ungoverned_store import UngovernedStore
from mailcordon.adapters.db.unlisting_store import UnlistingStore
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.adapters.db.warm_up_store import WarmUpStore
from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.adapters.dns.resolver import Resolver
from mailcordon.adapters.ses.administer import Administer
from mailcordon.adapters.ses.event_road import EventRoad
from mailcordon.adapters.ses.feedback_look import FeedbackLook
from mailcordon.control import desired, paces, schedule
from mailcordon.control.beside import Beside
from mailcordon.control.claims import Claims
from mailcordon.control.dkim_keys import DkimSigning
from mailcordon.control.erasure import Erasures
from mailcordon.control.findings import Findings
from mailcordon.control.governor import Governor
from mailcordon.control.identity_checks import IdentityChecks
from mailcordon.control.ip_pools import IpPools
from mailcordon.control.outside_signals import OutsideSignals
from mailcordon.control.pacing.releases import Releases
from mailcordon.control.pacing.warm_ups import WarmUps
from mailcordon.control.plans import Plans
from mailcordon.control.policies import Policies
from mailcordon.control.provider_learning import ProviderLearning
from mailcordon.control.proving import Judge
from mailcordon.control.reconcile import Pace, Reconciler
from mailcordon.control.retirement import Retirement
from mailcordon.control.rollouts.loop import Rollouts
from mailcordon.control.scan import Scan
from mailcordon.control.ses_findings import SesFindings
from mailcordon.control.ses_lists import SesLists
from mailcordon.control.suppression_split.worker import Splitter
from mailcordon.control.tenants import Tenants
from mailcordon.control.unlisting import Unlister
from mailcordon.control.upkeep import Upkeep
from mailcordon.core.hold import NewHold
from mailcordon.core.reason import Reason
from mailcordon.core.stop import NewStop, StopScope
from mailcordon.core.target import Target
from mailcordon.observe.feedback_loop import Watch
from mailcordon_fixtures import local_ses
from seslocal import server
from seslocal.state.settings import Settings

SETTINGS = desired.Settings(
    outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    engagement_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-engagement",
    local=True,
)


class World:
    def __init__(
        self, local: server.Local, owner: engine.Connection, control: engine.Pool, governor: engine.Pool
    ) -> None:
        self.local = local
        self.owner = owner
        self.control = control
        self.administer = Administer(
            region="us-east-1",
            endpoint=local.url,
            access_key="test",
            secret_key="test",
        )
        self.governor = Governor(GovernorStore(governor))
        self.store = UpkeepStore(control)
        self.upkeep = Upkeep(self.store, self.administer, self.governor, cell="default")
        self.provision = ProvisionStore(control)
        self.reconciler = Reconciler(
            self.provision, self.administer, self.governor, Pace(retry=0.05, identity=0.05)
        )
        self.plans = Plans(PlanStore(control), self.governor, SETTINGS)
        self.tenants = Tenants(TenantStore(control), self.plans, local=True)
        self.ses: Any = self.administer._client

    async def onboard(self, slug: str, domain: str) -> tuple[int, str]:
        await self.tenants.onboard(slug, {"newsletter": domain, "password-reset": domain}, actor="ann")
        while await self.reconciler.step():
            pass
        row = await self.owner.fetchrow("select id, key from tenant where slug = $1", slug)
        assert row is not None
        return row["id"], row["key"]

    async def give_each_class_its_own(self, tenant: int, key: str) -> None:
        """As a change of topology leaves it: an SES tenant of each class, and routes that name it."""
        await self.owner.execute(
            "insert into ses_resource (kind, name, phase, tenant, desired)"
            " select kind, name || '-' || word, phase, tenant, desired from ses_resource,"
            " (values ('urgent'), ('marketing')) w (word) where kind = 'tenant' and name = $1",
            key,
        )
        await self.owner.execute(
            "update route r set ses_tenant = $2 || case l.class when 0 then '-urgent' else '-marketing' end"
            " from lane l where l.id = r.lane and l.tenant = $1", tenant, key,
        )  # fmt: skip
        while await self.reconciler.step():
            pass

    async def pause(self, key: str, status: str, cause: str = "HIGH bounce finding") -> None:
        self.local.account.tenants[key].aws_managed = type(self.local.account.tenants[key].aws_managed)(
            status, cause, self.local.account.clock.now()
        )

    async def stopped(self) -> set[int]:
        return {row["tenant"] for row in await self.owner.fetch("select tenant from lane where stopped")}

    async def account(self) -> Any:
        return await self.owner.fetchrow("select * from account_rate")


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    async with local_ses.running(database, Settings(rate=80.0, quota=50_000.0)) as parts:
        world = World(*parts)
        try:
            yield world
        finally:
            world.administer.close()


async def test_the_accounts_rate_comes_from_ses_and_leaves_the_dispatchers_share_alone(world: World) -> None:
    await world.upkeep.poll_account()
    row = await world.account()
    assert (row["cell"], row["ceiling"], row["rate"], row["max_24h"], row["sending_enabled"]) == (
        "default",
        80,
        80,
        50_000,
        True,
    )
    await world.owner.execute(
        "update account_rate set rate = 56, tokens = 7, at = 5"
    )  # after a throttling answer
    await world.upkeep.poll_account()
    row = await world.account()
    assert (row["rate"], row["tokens"], row["at"]) == (56, 7, 5)
    world.local.account.sending.limits.set_rate(40)
    await world.upkeep.poll_account()
    assert ((await world.account())["ceiling"], (await world.account())["rate"]) == (40, 40)
    world.local.account.sending.limits.set_rate(100)
    await world.upkeep.poll_account()
    assert (await world.account())["rate"] == 100


async def test_a_tenant_that_ses_pauses_is_stopped_with_its_cause_and_no_other(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.onboard("zen", "mail.zen.example")
    await world.pause(key, "DISABLED")
    await world.upkeep.follow_pauses()
    await world.upkeep.follow_pauses()
    [stop] = await world.governor.stops.open()
    assert (stop.cause, stop.name, stop.tenant) == (Reason.TENANT_PAUSED, key, acme)
    assert (stop.said, stop.hits) == ("HIGH bounce finding", 1)
    assert await world.stopped() == {acme}


async def test_a_pause_of_the_marketing_tenant_stops_only_marketing_lanes(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.give_each_class_its_own(acme, key)
    await world.pause(f"{key}-marketing", "DISABLED")
    await world.upkeep.follow_pauses()
    [stop] = await world.governor.stops.open()
    assert (stop.name, stop.tenant) == (f"{key}-marketing", acme)
    rows = await world.owner.fetch("select class, stopped from lane order by class")
    assert [(row["class"], row["stopped"]) for row in rows] == [(0, False), (2, True)]
    await world.pause(f"{key}-marketing", "REINSTATED")
    await world.upkeep.follow_pauses()
    assert await world.governor.stops.open() == []


async def test_it_is_released_when_ses_reinstates_it_and_a_persons_hold_stays(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.pause(key, "DISABLED")
    await world.upkeep.follow_pauses()
    await world.governor.place(
        NewHold(target=Target(tenant=acme), owner="person", because="unpaid"), actor="ann"
    )
    await world.pause(key, "REINSTATED")
    await world.upkeep.follow_pauses()
    assert await world.stopped() == set()
    assert [h.owner for h in await world.governor.open_holds(acme)] == ["person"]


async def test_a_pause_found_by_a_refused_call_ends_like_any_other(world: World) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    await world.pause(key, "DISABLED")
    refused = NewStop(
        scope=StopScope.TENANT, name=key, cause=Reason.TENANT_PAUSED, because="SES has paused it", tenant=acme
    )
    await world.governor.stops.place(refused, actor="dispatch")
    await world.upkeep.follow_pauses()
    assert len(await world.governor.stops.open()) == 1
    await world.pause(key, "REINSTATED")
    await world.upkeep.follow_pauses()
    assert await world.governor.stops.open() == []


async def test_a_route_that_ses_refuses_is_checked_and_repaired_and_its_stop_tested_at_once(
    world: World,
) -> None:
    acme, key = await world.onboard("acme", "mail.acme.example")
    lane = await world.owner.fetchval("select min(id) from lane")
    arn = (await world.administer.get_associations(key) or [""])[0]
    await asyncio.to_thread(
        lambda: world.ses.delete_tenant_resource_association(TenantName=key, ResourceArn=arn)
    )
    while await world.reconciler.step():
        pass  # the domain is read once more soon; the associations are not
    assert arn not in (await world.administer.get_associations(key) or [])
    refused = NewStop(
        scope=StopScope.LANE,
        name=str(lane),
        cause=Reason.ACCESS_DENIED,
        because="Tenant not associated with resources",
        tenant=acme,
        lane=lane,
        first_probe_ms=30_000,
    )
    await world.governor.stops.place(refused, actor="dispatch")
    assert await world.governor.stops.take_probes(1, 1000) == []
    while await world.reconciler.step():
        pass
    assert arn in (await world.administer.get_associations(key) or [])
    assert len(await world.governor.stops.take_probes(1, 1000)) == 1


@pytest.mark.parametrize(
    ("set_", "cause"),
    [
        (lambda sending: setattr(sending, "enabled", False), Reason.ACCOUNT_PAUSED),
        (lambda sending: setattr(sending, "enforcement", "SHUTDOWN"), Reason.ACCOUNT_SUSPENDED),
        (lambda sending: setattr(sending.limits, "exhausted", True), Reason.DAILY_QUOTA),
    ],
)
async def test_what_the_account_reports_is_a_stop_without_any_mail(
    world: World, set_: Any, cause: Reason
) -> None:
    world.local.account.sending.limits.quota = 1000
    set_(world.local.account.sending)
    await world.upkeep.poll_account()
    await world.upkeep.poll_account()
    [stop] = await world.governor.stops.open()
    assert (stop.scope, stop.name, stop.cause, stop.hits) == (StopScope.CELL, "default", cause, 1)
    assert not await world.governor.stops.account_agrees(stop, "default")


async def test_nothing_is_released_when_ses_cannot_be_asked(world: World) -> None:
    _, key = await world.onboard("acme", "mail.acme.example")
    await world.pause(key, "DISABLED")
    await world.upkeep.follow_pauses()
    await world.local.close()
    with pytest.raises(Exception, match="onnect"):
        await world.upkeep.follow_pauses()
    assert len(await world.governor.stops.open()) == 1


async def test_the_control_role_runs_every_step_and_stops_on_request(world: World) -> None:
    stop = asyncio.Event()
    topic = SETTINGS.outcome_topic_arn
    road = EventRoad(
        topic=topic,
        queue_url=None,
        region="us-east-1",
        sns_endpoint=world.local.url,
        sqs_endpoint=world.local.url,
        credentials=("test", "test"),
        local=True,
    )
    look = FeedbackLook(world.administer, road, topic=topic, queue="mailcordon-outcome")
    watch = Watch(FeedbackStore(world.control, topic=topic), look, queue="mailcordon-outcome")
    counts = UngovernedStore(world.control)
    services = schedule.Services(
        governor=world.governor,
        reconciler=world.reconciler,
        upkeep=world.upkeep,
        ses_lists=SesLists(SesListStore(world.control), world.administer, lambda _: None),
        unlister=Unlister(UnlistingStore(world.control), world.administer),
        splitter=Splitter(SplitStore(world.control), world.administer, lambda text: None),
        retirement=Retirement(LifecycleStore(world.control), world.governor, lambda _: 0.0),
        erasures=Erasures(ErasureStore(world.control)),
        beside=Beside(BesideStore(world.control), world.administer, cell="default", recheck=45.0),
        findings=Findings(FindingStore(world.control), world.governor),
        ses_findings=SesFindings(SesFindingStore(world.control), world.administer),
        checks=IdentityChecks(
            IdentityCheckStore(world.control),
            ControlReader(world.control, world.control),
            world.governor,
            lambda seconds: Resolver().check(authoritative=True, seconds=seconds),
            PublicSuffixes(),
            region="us-east-1",
        ),
        claims=Claims(ClaimStore(world.control), world.plans, lambda: Resolver().check(authoritative=True)),
        learning=ProviderLearning(
            ProviderStore(world.control), lambda *_: Resolver().check(authoritative=False), local=True
        ),
        judge=Judge(
            ProofStore(world.control),
            world.administer,
            road,
            topic=topic,
        ),
        dkim=DkimSigning(
            DkimKeyStore(world.control, []), world.administer, lambda: Resolver().check(authoritative=True)
        ),
        releases=Releases(ReleaseStore(world.control)),
        warm_ups=WarmUps(WarmUpStore(world.control)),
        outside=OutsideSignals(OutsideSignalStore(world.control)),
        rollouts=Rollouts(RolloutStore(world.control), PathStore(world.control)),
        watch_pools=IpPools(PoolStore(world.control), world.plans).watch,
        settings=SETTINGS,
        want_everything=world.plans.want_everything,
        follow_plans=world.plans.follow,
        recheck_all=world.provision.recheck_all,
        keep_policies=Policies(PolicyStore(world.control)).keep,
        count_senders=AdviceStore(world.control).count_senders,
        watch_feedback=watch.advance,
        count_sent=lambda: counts.count_sent("default", 0),
        purge_ungoverned=lambda: counts.purge(90 * 86_400_000),
        reconciler_lock=world.provision.reconciler_lock,
        paces=paces.LOCAL,
        budget=world.administer.budget,
        scan=Scan(world.administer.budget.turns.rates),
    )
    role = asyncio.create_task(schedule.run(services, stop))
    await world.tenants.onboard("acme", {"newsletter": "mail.acme.example"}, actor="ann")
    async with asyncio.timeout(60):
        while await world.owner.fetchval("select bool_or(held) from lane") or await world.account() is None:
            await asyncio.sleep(0.05)
        while await world.owner.fetchval("select count(*) from ses_resource where state <> 'applied'"):
            await asyncio.sleep(0.05)
        stop.set()
        await role
    assert await world.owner.fetchval("select count(*) from ses_count") >= 1
    sets = await asyncio.to_thread(world.ses.list_configuration_sets)
    assert set(sets["ConfigurationSets"]) == {"ungoverned", "mc-urgent", "mc-transactional", "mc-marketing"}
