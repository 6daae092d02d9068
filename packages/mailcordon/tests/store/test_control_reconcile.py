"""What onboarding does at SES: real boto3 against the local SES, a real database, and a kill at every step."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.provision_store import ProvisionStore, make_due
from mailcordon.adapters.db.tenant_store import TenantStore
from mailcordon.adapters.ses.administer import Administer
from mailcordon.control import account, desired
from mailcordon.control.governor import Governor
from mailcordon.control.plans import Plans
from mailcordon.control.provisioning import Outcome
from mailcordon.control.reconcile import Pace, Reconciler
from mailcordon.control.resources import Reading
from mailcordon.control.tenants import Tenants
from mailcordon.control.work import Work
from mailcordon_fixtures import local_ses
from seslocal import server

TYPES = {"password-reset": "mail.acme.example", "newsletter": "news.acme.example"}
TOPICS = desired.Settings(
    outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    engagement_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-engagement",
    local=True,
)


class Killed(BaseException):
    """Simulates the death of the process: no code catches it."""


class World:
    """`calls` are the operations that were sent; `die_after` kills the process after that many changing ones."""

    def __init__(
        self, local: server.Local, owner: engine.Connection, control: engine.Pool, governor: engine.Pool
    ) -> None:
        self.local = local
        self.owner = owner
        self.pool = governor
        self.control = control
        self.governor = Governor(GovernorStore(governor))
        self.store = ProvisionStore(control)
        self.plans = Plans(PlanStore(control), self.governor, TOPICS)
        self.tenants = Tenants(TenantStore(control), self.plans, local=True)
        self.administer = Administer(
            region="us-east-1",
            endpoint=local.url,
            access_key="test",
            secret_key="test",
        )
        self.reconciler = Reconciler(self.store, self.administer, self.governor, Pace(retry=0, identity=0.05))
        self.ses: Any = self.administer._client  # the same real client, to look at the result
        self.calls: list[str] = []
        self.taken: list[str] = []  #: of these, what SES carried out
        self.die_after: int | None = None
        self.ses.meta.events.register("after-call.sesv2", self._after)

    async def make_due(self, lane: int) -> int:
        async with self.pool.acquire() as conn:
            return await make_due(conn, lane)

    def _after(self, model: Any, http_response: Any, **_: Any) -> None:
        self.calls.append(model.name)
        if http_response.status_code < 300:
            self.taken.append(model.name)
        if self.die_after is not None and len(self.changes) >= self.die_after:
            self.die_after = None
            raise Killed

    @property
    def changes(self) -> list[str]:
        return [c for c in self.calls if not c.startswith(("Get", "List"))]

    @property
    def created(self) -> list[str]:
        return sorted(c for c in self.taken if c.startswith("Create"))

    async def onboard(self, slug: str = "acme", types: dict[str, str] | None = None, **more: Any) -> str:
        await self.tenants.onboard(slug, types or TYPES, actor="ann", **more)
        return await self.owner.fetchval("select key from tenant where slug = $1", slug)

    async def settle(self) -> None:
        for _ in range(200):
            if not await self.reconciler.step():
                return
        raise AssertionError(await self.rows())

    async def rows(self) -> list[tuple[Any, ...]]:
        return [
            tuple(r)
            for r in await self.owner.fetch("select kind, name, state, error from ses_resource order by 1, 2")
        ]

    async def lane(self, type: str = "password-reset") -> int:
        return await self.owner.fetchval(
            "select l.id from lane l join message_type t on t.id = l.type where t.name = $1", type
        )

    async def due(self) -> list[str]:
        return [str(row.resource) for row in await self.store.due(100)]

    async def behave(self, **behaviour: Any) -> None:
        for name, value in behaviour.items():
            object.__setattr__(self.local.account.behaviour, name, value)

    async def held(self) -> int:
        return await self.owner.fetchval("select count(*) from lane where held")


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    async with local_ses.running(database) as parts:
        world = World(*parts)
        try:
            yield world
        finally:
            world.administer.close()


async def ask(call: Any, **members: Any) -> Any:
    return await asyncio.to_thread(lambda: call(**members))


async def test_the_tenant_has_a_list_of_its_own_from_its_first_moment_and_the_standard_policy(
    world: World,
) -> None:
    await world.behave(default_policy="none")  # as a live run has seen it (ses.md 1.7)
    key = await world.onboard()
    await world.settle()
    tenant = (await ask(world.ses.get_tenant, TenantName=key))["Tenant"]
    assert tenant["SuppressionAttributes"] == {
        "SuppressionScope": "TENANT",
        "SuppressedReasons": ["BOUNCE", "COMPLAINT"],
    }
    assert "PutTenantSuppressionAttributes" not in world.calls  # both came with the create call
    entity = await ask(
        world.ses.get_reputation_entity,
        ReputationEntityType="RESOURCE",
        ReputationEntityReference=tenant["TenantArn"],
    )
    assert entity["ReputationEntity"]["ReputationManagementPolicy"].endswith(
        ":aws:reputation-policy/standard"
    )


async def test_the_sets_carry_their_classs_reasons_and_time_and_both_destinations(world: World) -> None:
    await world.onboard()
    await world.settle()
    found = {}
    for name in ("mc-urgent", "mc-marketing", "ungoverned"):
        one = await ask(world.ses.get_configuration_set, ConfigurationSetName=name)
        to = await ask(world.ses.get_configuration_set_event_destinations, ConfigurationSetName=name)
        found[name] = (
            one.get("SuppressionOptions"),
            one.get("DeliveryOptions", {}).get("MaxDeliverySeconds"),
            {d["Name"]: (d["Enabled"], sorted(d["MatchingEventTypes"])) for d in to["EventDestinations"]},
        )
    outcome = (True, sorted(desired.OUTCOME_EVENTS))
    assert found == {
        "mc-urgent": (
            {"SuppressedReasons": ["BOUNCE"]},
            900,
            {"outcome": outcome, "engagement": (False, ["CLICK", "OPEN"])},
        ),
        "mc-marketing": (None, 50_400, {"outcome": outcome, "engagement": (True, ["CLICK", "OPEN"])}),
        "ungoverned": (None, None, {"outcome": outcome, "engagement": (False, ["CLICK", "OPEN"])}),
    }


async def test_the_tenant_is_associated_with_exactly_what_it_sends_through(world: World) -> None:
    key = await world.onboard()
    await world.settle()
    resources = (await ask(world.ses.list_tenant_resources, TenantName=key))["TenantResources"]
    assert sorted(r["ResourceArn"].split(":", 5)[5] for r in resources) == [
        "configuration-set/mc-marketing",
        "configuration-set/mc-urgent",
        "identity/mail.acme.example",
        "identity/news.acme.example",
    ]
    identity = await ask(world.ses.get_email_identity, EmailIdentity="mail.acme.example")
    assert identity["ConfigurationSetName"] == "ungoverned"


async def test_a_second_run_only_reads(world: World) -> None:
    await world.onboard()
    await world.plans.want_everything(TOPICS)
    await world.settle()
    world.calls.clear()
    await world.plans.want_everything(TOPICS)
    assert await world.reconciler.step() == 0
    await world.owner.execute("update ses_resource set state = 'pending', next_try_at = now()")
    await world.settle()
    assert world.changes == []
    assert len(world.calls) > 10


async def test_reconciling_completes_after_a_kill_at_any_call_and_creates_nothing_twice(world: World) -> None:
    await world.onboard("ref", {"password-reset": "mail.ref.example", "newsletter": "news.ref.example"})
    await world.settle()
    whole, created = len(world.changes), world.created
    assert whole > 15
    for step in range(1, whole + 1):
        world.local.reset()
        await world.owner.execute(
            "update ses_resource set state = 'pending', observed = null, attempts = 0, next_try_at = now()"
        )
        world.calls.clear()
        world.taken.clear()
        world.die_after = step
        with pytest.raises(Killed):
            await world.settle()
        await world.settle()
        # SES carried out the call during which the process died, and refuses to create the same again.
        assert world.created == created, (step, world.changes)
        assert len([c for c in world.taken if not c.startswith(("Get", "List"))]) <= whole + 1
        assert {row[2] for row in await world.rows()} == {"applied"}


async def test_a_verified_domain_opens_its_lanes_and_shows_the_records_to_publish(world: World) -> None:
    await world.onboard()
    assert await world.held() == 2
    await world.settle()
    assert await world.held() == 0
    row = await world.owner.fetchrow(
        "select status, records::text from identity where domain = 'mail.acme.example'"
    )
    assert row is not None
    assert row["status"] == "verified"
    assert row["records"].count("._domainkey.mail.acme.example") == 3


async def test_what_ses_has_of_a_new_domain_is_read_soon_although_it_is_verified_at_once(
    world: World,
) -> None:
    await world.onboard()
    unread = "select count(*) from ses_resource where kind = 'identity' and whole is null"
    async with asyncio.timeout(10):
        while await world.owner.fetchval(unread):
            await world.settle()
    assert not await world.due()


async def test_a_domain_that_is_not_verified_keeps_its_lanes_held_and_is_asked_about_again(
    world: World,
) -> None:
    await world.behave(verify_at_once=False)
    await world.onboard()
    await world.reconciler.step(limit=100)
    assert await world.held() == 2
    work = "select distinct work from ses_resource where kind = 'identity'"
    assert await world.owner.fetchval(work) == "repair", "not behind all that the scan reads again"
    for hours, later in ((2, "bulk"), (96, "scan")):  # SES no longer looks after 72
        await world.owner.execute(f"update identity set created_at = now() - interval '{hours} hours'")
        await world.owner.execute("update ses_resource set next_try_at = now() where kind = 'identity'")
        await world.reconciler.step(limit=100)
        assert await world.owner.fetchval(work) == later
    identity = world.local.account.identities["mail.acme.example"]
    identity.status = "SUCCESS"
    await asyncio.sleep(0)
    async with asyncio.timeout(60):
        while await world.held() != 1:
            await world.owner.execute("update ses_resource set next_try_at = now() where kind = 'identity'")
            await world.reconciler.step()
            await asyncio.sleep(0.02)


async def test_drift_is_found_repaired_and_audited(world: World) -> None:
    key = await world.onboard()
    await world.settle()
    await ask(
        world.ses.put_configuration_set_suppression_options,
        ConfigurationSetName="mc-urgent",
        SuppressedReasons=["BOUNCE", "COMPLAINT"],
        SuppressionScope="ACCOUNT",
    )
    await ask(
        world.ses.put_tenant_suppression_attributes,
        TenantName=key,
        SuppressionScope="ACCOUNT",
        SuppressedReasons=[],
    )
    await world.owner.execute("update ses_resource set next_try_at = now()")
    await world.settle()
    one = await ask(world.ses.get_configuration_set, ConfigurationSetName="mc-urgent")
    assert one["SuppressionOptions"] == {"SuppressedReasons": ["BOUNCE"]}
    tenant = (await ask(world.ses.get_tenant, TenantName=key))["Tenant"]
    assert tenant["SuppressionAttributes"]["SuppressionScope"] == "TENANT"
    audit = await world.owner.fetch(
        "select object, before::text from audit where action = 'ses.update' order by id desc limit 2"
    )
    assert {row["object"] for row in audit} == {
        "update configuration-set mc-urgent: suppression",
        f"update tenant {key}: suppression",
    }
    assert any("ACCOUNT" in (row["before"] or "") for row in audit)


async def test_settings_that_we_do_not_manage_are_left_as_they_are(world: World) -> None:
    await world.onboard()
    await world.settle()
    await ask(
        world.ses.put_configuration_set_delivery_options,
        ConfigurationSetName="mc-urgent",
        TlsPolicy="REQUIRE",
        MaxDeliverySeconds=300,
    )
    await world.owner.execute("update ses_resource set next_try_at = now()")
    await world.settle()
    one = await ask(world.ses.get_configuration_set, ConfigurationSetName="mc-urgent")
    assert one["DeliveryOptions"] == {"TlsPolicy": "REQUIRE", "MaxDeliverySeconds": 900}


async def test_a_tenant_deleted_at_ses_comes_back_whole(world: World) -> None:
    key = await world.onboard()
    await world.settle()
    await ask(world.ses.delete_tenant, TenantName=key)
    await world.owner.execute("update ses_resource set next_try_at = now() where kind = 'tenant'")
    await world.settle()
    resources = (await ask(world.ses.list_tenant_resources, TenantName=key))["TenantResources"]
    assert len(resources) == 4


VANISHED = {
    "configuration set": ("delete_configuration_set", {"ConfigurationSetName": "mc-urgent"}),
    "event destination": (
        "delete_configuration_set_event_destination",
        {"ConfigurationSetName": "mc-urgent", "EventDestinationName": "outcome"},
    ),
    "identity": ("delete_email_identity", {"EmailIdentity": "mail.acme.example"}),
    "tenant": ("delete_tenant", {"TenantName": "{key}"}),
    "association": (
        "delete_tenant_resource_association",
        {"TenantName": "{key}", "ResourceArn": "{arn}identity/mail.acme.example"},
    ),
    "set options": (
        "put_configuration_set_suppression_options",
        {"ConfigurationSetName": "mc-urgent", "SuppressedReasons": ["COMPLAINT"]},
    ),
    "tenant's list": (
        "put_tenant_suppression_attributes",
        {"TenantName": "{key}", "SuppressionScope": "ACCOUNT", "SuppressedReasons": []},
    ),
    "policy": (
        "update_reputation_entity_policy",
        {
            "ReputationEntityType": "RESOURCE",
            "ReputationEntityReference": "{tenant}",
            "ReputationEntityPolicy": "arn:aws:ses:us-east-1:aws:reputation-policy/none",
        },
    ),
}


async def dissociate(world: World, resource: str) -> None:
    """SES deletes nothing that a tenant is associated with."""
    arn = world.local.account.arn(resource)
    for tenant in list(world.local.account.tenants.of_resource.get(arn, ())):
        await ask(world.ses.delete_tenant_resource_association, TenantName=tenant, ResourceArn=arn)


async def _as_seen(world: World, key: str) -> list[Any]:
    """What SES has on the lane's route, without times and ids."""
    one = await ask(world.ses.get_configuration_set, ConfigurationSetName="mc-urgent")
    to = await ask(world.ses.get_configuration_set_event_destinations, ConfigurationSetName="mc-urgent")
    tenant = (await ask(world.ses.get_tenant, TenantName=key))["Tenant"]
    identity = await ask(world.ses.get_email_identity, EmailIdentity="mail.acme.example")
    return [
        one["SuppressionOptions"],
        sorted(each["Name"] for each in to["EventDestinations"]),
        tenant["SuppressionAttributes"],
        sorted(arn.split(":", 5)[5] for arn in await world.administer.get_associations(key) or ()),
        (await world.administer.get_entity(tenant["TenantArn"]) or {})["ReputationManagementPolicy"],
        identity["ConfigurationSetName"],
    ]


@pytest.mark.parametrize("what", VANISHED)
async def test_what_vanished_at_ses_is_whole_again_once_ses_has_refused_the_lane(
    world: World, what: str
) -> None:
    key = await world.onboard()
    await world.settle()
    before = await _as_seen(world, key)
    tenant_arn = world.local.account.tenants[key].arn
    operation, members = VANISHED[what]
    given = {
        name: value.format(key=key, arn=world.local.account.arn(""), tenant=tenant_arn)
        if isinstance(value, str)
        else value
        for name, value in members.items()
    }
    for name, resource in (
        ("configuration set", "configuration-set/mc-urgent"),
        ("identity", "identity/mail.acme.example"),
    ):
        if what == name:
            await dissociate(world, resource)
    await ask(getattr(world.ses, operation), **given)
    assert await world.make_due(await world.lane()) == 7
    await world.settle()
    assert await _as_seen(world, key) == before
    assert {row[2] for row in await world.rows()} == {"applied"}


async def test_what_is_made_due_while_it_is_read_is_read_again(world: World) -> None:
    """The change may have come after SES answered."""
    await world.onboard()
    await world.settle()
    lane = await world.lane()
    await world.make_due(lane)
    rows = await world.store.due(100)
    await world.make_due(lane)
    for row in rows:
        outcome = Outcome(reading=Reading(whole={}), members={})
        await world.store.applied(row, outcome, again_in=3600)
    assert len(await world.due()) == len(rows)
    for row in await world.store.due(100):
        outcome = Outcome(reading=Reading(whole={}), members={})
        await world.store.applied(row, outcome, again_in=3600)
    assert await world.due() == []


async def test_what_ses_refused_is_due_before_everything_else_and_shared_resources_first(
    world: World,
) -> None:
    key = await world.onboard()
    await world.settle()
    await world.owner.execute("update ses_resource set next_try_at = now() - interval '1 hour'")
    await world.onboard("zen", {"password-reset": "mail.zen.example"})
    lane = await world.owner.fetchval(
        "select l.id from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type"
        " where e.slug = 'acme' and t.name = 'password-reset'"
    )
    await world.make_due(lane)
    first, *destinations, identity, tenant, policy, association = (await world.due())[:7]
    assert [first, *sorted(destinations), identity, tenant, policy, association] == [
        "configuration-set mc-urgent",
        "event-destination mc-urgent/engagement",
        "event-destination mc-urgent/outcome",
        "identity mail.acme.example",
        f"tenant {key}",
        f"policy {key}",
        f"association {key}",
    ]


async def test_a_failure_makes_due_what_the_resource_depends_on_and_a_new_one_what_depends_on_it(
    world: World,
) -> None:
    key = await world.onboard()
    await world.settle()
    await world.owner.execute("update ses_resource set observed_at = now() - interval '1 minute'")
    await ask(world.ses.delete_tenant, TenantName=key)
    await ask(world.ses.delete_configuration_set, ConfigurationSetName="mc-urgent")
    await world.owner.execute(
        "update ses_resource set next_try_at = now() where kind = 'policy' or name = 'mc-urgent/outcome'"
    )
    await world.settle()
    assert len(await world.administer.get_associations(key) or ()) == 4
    to = await ask(world.ses.get_configuration_set_event_destinations, ConfigurationSetName="mc-urgent")
    assert len(to["EventDestinations"]) == 2
    assert {row[2] for row in await world.rows()} == {"applied"}


async def test_an_error_of_ses_is_stored_with_its_message_and_retried(world: World) -> None:
    await world.onboard()
    bad = "Invalid SNS topic"
    await world.owner.execute(
        "update ses_resource set desired = jsonb_set(desired, '{topic}', '\"arn:aws:sns:eu-west-1:1:x\"')"
        " where kind = 'event-destination' and name = 'mc-urgent/outcome'"
    )
    for _ in range(12):  # retries are due at once here
        await world.reconciler.step()
    row = await world.owner.fetchrow(
        "select state, error, attempts from ses_resource where name = 'mc-urgent/outcome'"
    )
    assert row is not None
    assert row["state"] == "failing"
    assert bad in row["error"]
    assert row["attempts"] >= 2
    others = {r[2] for r in await world.rows() if r[1] != "mc-urgent/outcome"}
    assert others == {"applied"}
    await world.plans.want_everything(TOPICS)
    await world.settle()
    assert {r[2:] for r in await world.rows()} == {("applied", None)}


async def test_a_resource_that_exists_already_counts_as_created(world: World) -> None:
    """The client repeats a call that SES carried out if the response was lost."""
    key = await world.onboard()
    await world.settle()
    arn = (await world.administer.get_associations(key) or [""])[0]
    await world.administer.create_tenant(key, scope="TENANT", reasons=["BOUNCE"])
    await world.administer.create_identity("mail.acme.example", configuration_set="ungoverned")
    await world.administer.create_configuration_set("mc-urgent", reasons=None, max_delivery_seconds=None)
    await world.administer.associate(key, arn)


async def test_a_change_that_ses_accepts_but_does_not_read_back_is_not_applied(world: World) -> None:
    await world.behave(default_policy="none")
    key = await world.onboard()

    def forget(model: Any, **_: Any) -> None:
        if model.name == "UpdateReputationEntityPolicy":
            tenant = world.local.account.tenants[key]
            tenant.policy = tenant.policy.replace("standard", "none")

    world.ses.meta.events.register("after-call.sesv2", forget)
    for _ in range(10):
        await world.reconciler.step()
    row = await world.owner.fetchrow("select state, error from ses_resource where kind = 'policy'")
    assert row is not None
    assert row["state"] == "failing"
    assert "returns other values; still needed: update policy" in row["error"]


async def test_settings_that_rewire_every_set_change_nothing_until_a_person_applies_their_plan(
    world: World,
) -> None:
    await world.onboard(dedicated=True)
    await world.plans.want_everything(TOPICS)
    await world.settle()
    world.calls.clear()
    other = desired.Settings(
        outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:other",
        engagement_topic_arn=TOPICS.engagement_topic_arn,
        local=True,
        policy="strict",
    )
    await world.plans.want_everything(other)
    await world.settle()
    assert world.changes == []
    (waiting,) = await world.plans.newest(state="proposed")
    assert waiting.id is not None
    await world.plans.apply(waiting.id, actor="ann")
    await world.settle()
    assert (
        world.changes.count("UpdateConfigurationSetEventDestination") == 6
    )  # four shared sets, two of its own
    assert world.changes.count("UpdateReputationEntityPolicy") == 1


async def test_a_newcomer_takes_the_calls_that_the_account_says(world: World) -> None:
    await world.onboard("ref", {"newsletter": "mail.ref.example"})
    await world.settle()  # what all tenants share
    world.calls.clear()
    await world.onboard("acme", {"newsletter": "mail.acme.example"})
    await world.settle()
    # A new domain is read again soon, and then for as long as it is not verified.
    calls = [each for each in world.calls if each != "GetEmailIdentity"]
    assert len(calls) == account.NEWCOMER_CALLS, calls


async def test_calls_that_ses_refuses_for_their_rate_are_repeated_in_turn_and_slow_the_others_down(
    world: World,
) -> None:
    world.local.account.access.management_rate.set(5, together=True)  # fewer than a busy machine makes
    for _ in range(20):
        await world.administer.get_tenant("mc-nobody")
    turns = world.administer.budget.turns
    assert turns.slowed_at is not None
    refused = turns.total.total() - 20
    assert 0 < refused < 10


async def test_calls_use_the_share_of_the_work_that_they_are_made_for(world: World) -> None:
    await world.onboard()
    await world.settle()
    total = world.administer.budget.turns.total
    # What all tenants share is urgent. A new domain may have been read again already.
    assert set(total) - {Work.REPAIR} == {Work.URGENT, Work.ONBOARDING}
    await world.owner.execute("update ses_resource set next_try_at = now()")
    await world.settle()
    assert total[Work.SCAN] > 0


async def test_it_is_no_news_that_a_domain_is_as_it_was(world: World) -> None:
    """A domain that is not verified is asked for again and again (docs/decisions/100-pace.md)."""
    await world.onboard("acme", {"newsletter": "mail.acme.example"})
    await world.settle()
    due = "update ses_resource set next_try_at = 'epoch', work = 'repair', state = $1 where kind = 'identity'"

    async def quiet_writes(state: str) -> int:
        await world.owner.execute(due, state)
        before = await world.owner.fetchval("select nextval('quiet_write')")
        assert await world.reconciler.step(1) == 1
        return await world.owner.fetchval("select nextval('quiet_write')") - before - 1

    # Of the domain and of the resource.
    assert [await quiet_writes(state) for state in ("applied", "pending", "failing")] == [2, 1, 1]
    await world.owner.execute("update identity set status = 'pending'")
    assert await quiet_writes("applied") == 1
