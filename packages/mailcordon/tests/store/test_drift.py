"""Every kind of difference, made behind our back at the local SES with boto3: found by an event and by the scan, described,
repaired or proposed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.beside_store import BesideStore
from mailcordon.adapters.db.finding_store import FindingStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.hint_store import HintStore
from mailcordon.adapters.db.path_store import PathStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.provision_store import ProvisionStore
from mailcordon.adapters.db.tenant_store import TenantStore
from mailcordon.adapters.ses import management_events
from mailcordon.adapters.ses.administer import Administer
from mailcordon.adapters.ses.queue import SqsQueue, open_queue
from mailcordon.adapters.ses.signer import Credentials, FixedCredentials
from mailcordon.control import desired, hints
from mailcordon.control.beside import Beside
from mailcordon.control.findings import Finding, Findings
from mailcordon.control.governor import Governor
from mailcordon.control.paths import NewSharedPath
from mailcordon.control.plans import Plans
from mailcordon.control.reconcile import Pace, Reconciler
from mailcordon.control.signals import Signals
from mailcordon.control.tenants import Tenants
from mailcordon.core.drift import Drift, Policy
from mailcordon.core.errors import Conflict, Invalid
from seslocal import server
from seslocal.kept.keeper import Keeper
from seslocal.state.account import Account
from seslocal.state.settings import Settings

QUEUE = "mailcordon-management"
TOPICS = desired.Settings(
    outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    engagement_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-engagement",
    local=True,
)
ACME = {"password-reset": "mail.acme.example", "newsletter": "news.acme.example"}
OTHER_TOPIC = "arn:aws:sns:us-east-1:123456789012:other"


class World:
    def __init__(
        self,
        local: server.Local,
        owner: engine.Connection,
        control: engine.Pool,
        governor: engine.Pool,
        queue: SqsQueue,
    ) -> None:
        self.local, self.owner = local, owner
        self.control = control
        self.governor = Governor(GovernorStore(governor))
        self.store = ProvisionStore(control)
        self.plans = Plans(PlanStore(control), self.governor, TOPICS)
        self.tenants = Tenants(TenantStore(control), self.plans, local=True)
        self.findings = Findings(FindingStore(control), self.governor)
        given: dict[str, Any] = {
            "region_name": "us-east-1",
            "aws_access_key_id": "test",
            "aws_secret_access_key": "test",
        }
        self.administer = Administer(
            region="us-east-1", endpoint=local.url, access_key="test", secret_key="test"
        )
        self.reconciler = Reconciler(self.store, self.administer, self.governor, Pace(retry=0))
        self.beside = Beside(BesideStore(control), self.administer, cell="default", recheck=3600)
        self.ses: Any = boto3.client("sesv2", endpoint_url=local.url, **given)  # somebody else's
        self.keys: dict[str, str] = {}
        self.now = 1000.0
        self.made = 0  #: calls of somebody else
        decode = partial(management_events.decode, region="us-east-1")
        self.signals = Signals(queue, HintStore(control), decode, cell="default", clock=lambda: self.now)

    async def start(self) -> None:
        for slug, types in (
            ("acme", ACME),
            ("zen", {"newsletter": "news.zen.example", "invoice": "mail.zen.example"}),
        ):
            await self.tenants.onboard(slug, types, actor="ann")
        await self.settle()
        await self.beside.round()
        await self.scan()
        assert await self.open() == []

    async def resume(self) -> None:
        """Goes on after `start`, in copies of what it left."""
        rows = await self.owner.fetch("select slug, key from tenant")
        self.keys = {row["slug"]: row["key"] for row in rows}

    async def call(self, operation: str, **members: Any) -> Any:
        given = {name: self.filled(value) for name, value in members.items()}
        self.made += 1
        return await asyncio.to_thread(lambda: getattr(self.ses, operation)(**given))

    def filled(self, value: Any) -> Any:
        """{acme}: the SES tenant; {arn}: the start of every ARN; {acme-arn}: of the tenant."""
        if not isinstance(value, str):
            return value
        for slug, key in self.keys.items():
            value = value.replace(f"{{{slug}}}", key)
            if f"{{{slug}-arn}}" in value:
                value = value.replace(f"{{{slug}-arn}}", self.local.account.tenants[key].arn)
        return value.replace("{arn}", self.local.account.arn(""))

    async def settle(self) -> None:
        for _ in range(300):
            if not await self.reconciler.step():
                return
        raise AssertionError(await self.owner.fetch("select kind, name, state, error from ses_resource"))

    async def scan(self) -> None:
        """As the rolling check does over its period."""
        await self.beside.round()
        await self.owner.execute("update ses_resource set next_try_at = now() where next_try_at > now()")
        await self.settle()

    async def events(self) -> None:
        """Reads the management queue, and looks at what the events named; nothing else is due."""
        await self.beside.follow_hints()
        await self.beside.follow_other_hints()
        async with asyncio.timeout(60):
            while (
                self.made > self.signals.facts.counted[hints.Verdict.LOOK]
            ):  # one event each, and some of our own
                await self.signals.read()
        await self.owner.execute(
            "update ses_resource set next_try_at = 'epoch' where work = 'urgent' and next_try_at < now() + interval '1 minute'"
        )
        await self.settle()
        await self.beside.follow_hints()
        await self.beside.follow_other_hints()

    async def open(self) -> list[Finding]:
        return await self.findings.newest(is_open=True, limit=1000)

    async def all(self) -> dict[tuple[str, str], Finding]:
        found = await self.findings.newest(is_open=None, limit=1000)
        return {(each.kind.value, f"{each.resource} {each.member}".strip()): each for each in reversed(found)}


@contextlib.asynccontextmanager
async def opened(database: Any, settings: Settings, kept: Path | None = None) -> AsyncIterator[World]:
    """`kept`: the local SES goes on from what another one kept there, and keeps nothing itself."""
    owner = await engine.connect(database.dsn("owner"))
    control = await engine.create_pool(database.dsn("control"))
    governor = await engine.create_pool(database.dsn("governor"))
    local = server.Local(settings, server.Clock())
    if kept is not None:
        local.account = Keeper(kept).restore(lambda: Account(settings, server.Clock()))
    await local.listen("127.0.0.1", 0)
    local.account.events.management_queue = QUEUE
    local.account.queues.ensure(QUEUE)
    queue = open_queue(
        f"{local.url}/123456789012/{QUEUE}",
        region="us-east-1",
        credentials=FixedCredentials(Credentials("test", "test")),
        endpoint=local.url,
    )
    world = World(local, owner, control, governor, queue)
    try:
        yield world
    finally:
        world.ses.close()
        world.administer.close()
        await queue.close()
        await local.close()
        await governor.close()
        await control.close()
        await owner.close()


#: What `World.start` left, by the day of the template: a database and what the local SES kept. Each test gets copies of both.
_started: dict[date, tuple[Any, Path]] = {}


@pytest.fixture
async def world(
    todays_template: Any, copy_of: Any, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    if todays_template.day not in _started:
        kept = tmp_path_factory.mktemp("drift")
        async with (
            copy_of(todays_template.database, keep=True) as original,
            opened(original, Settings(state=str(kept))) as world,
        ):
            await world.start()
        _started[todays_template.day] = original, kept
    original, kept = _started[todays_template.day]
    async with copy_of(original) as database, opened(database, Settings(), kept) as world:
        await world.resume()
        yield world


@dataclass(frozen=True)
class Case:
    """A change behind our back, and what is said about it."""

    operation: str
    members: dict[str, Any]
    kind: Drift
    about: str  #: resource and member
    says: str  #: part of the sentence
    repaired: bool = False  #: else it is proposed or only reported
    before: tuple[tuple[str, dict[str, Any]], ...] = field(default=())
    by_event: bool = True


URGENT = {"ConfigurationSetName": "mc-urgent"}
RESET = {"EmailIdentity": "mail.acme.example"}
NEWS = {"EmailIdentity": "news.acme.example"}
OUTCOME = {"ConfigurationSetName": "mc-urgent", "EventDestinationName": "outcome"}


def destination(**changed: Any) -> dict[str, Any]:
    given = {
        "Enabled": True,
        "MatchingEventTypes": list(desired.OUTCOME_EVENTS),
        "SnsDestination": {"TopicArn": TOPICS.outcome_topic_arn},
    }
    return {"EventDestination": {**given, **changed}}


CASES = {
    "tenant's suppression": Case(
        "put_tenant_suppression_attributes",
        {"TenantName": "{acme}", "SuppressionScope": "ACCOUNT", "SuppressedReasons": ["BOUNCE"]},
        Drift.TENANT_SUPPRESSION,
        "{acme}",
        "acme uses the account's suppression list",
        repaired=True,
    ),
    "set's suppression": Case(
        "put_configuration_set_suppression_options",
        {**URGENT, "SuppressedReasons": ["BOUNCE"], "SuppressionScope": "ACCOUNT"},
        Drift.SET_SUPPRESSION,
        "mc-urgent",
        "Mail through mc-urgent uses the account suppression list",
        repaired=True,
    ),
    "account's suppression": Case(
        "put_account_suppression_attributes",
        {"SuppressedReasons": []},
        Drift.ACCOUNT_SUPPRESSION,
        "default",
        "now blocks nothing",
    ),
    "association of another tenant's domain": Case(
        "create_tenant_resource_association",
        {"TenantName": "{zen}", "ResourceArn": "{arn}identity/mail.acme.example"},
        Drift.SHARED_ASSOCIATION,
        "{zen} identity/mail.acme.example",
        "zen can send as mail.acme.example, which belongs to acme. Association made ",
    ),
    "missing association": Case(
        "delete_tenant_resource_association",
        {"TenantName": "{zen}", "ResourceArn": "{arn}identity/mail.zen.example"},
        Drift.MISSING_ASSOCIATION,
        "{zen} identity/mail.zen.example",
        "zen is no longer associated with the identity mail.zen.example",
        repaired=True,
    ),
    "extra association": Case(
        "create_tenant_resource_association",
        {"TenantName": "{zen}", "ResourceArn": "{arn}identity/other.example"},
        Drift.EXTRA_ASSOCIATION,
        "{zen} identity/other.example",
        "zen is associated with identity/other.example",
        before=(("create_email_identity", {"EmailIdentity": "other.example"}),),
    ),
    "weaker policy": Case(
        "update_reputation_entity_policy",
        {
            "ReputationEntityType": "RESOURCE",
            "ReputationEntityReference": "{acme-arn}",
            "ReputationEntityPolicy": "arn:aws:ses:us-east-1:aws:reputation-policy/none",
        },
        Drift.REPUTATION_POLICY,
        "{acme}",
        "SES no longer pauses acme",
        repaired=True,
    ),
    "paused tenant": Case(
        "update_reputation_entity_customer_managed_status",
        {
            "ReputationEntityType": "RESOURCE",
            "ReputationEntityReference": "{zen-arn}",
            "SendingStatus": "DISABLED",
        },
        Drift.TENANT_DISABLED,
        "{zen}",
        "No mail of zen leaves",
    ),
    "set's sending": Case(
        "put_configuration_set_sending_options",
        {**URGENT, "SendingEnabled": False},
        Drift.SENDING_OFF,
        "mc-urgent",
        "No mail leaves through mc-urgent",
    ),
    "DKIM off": Case(
        "put_email_identity_dkim_attributes",
        {**RESET, "SigningEnabled": False},
        Drift.DKIM_OFF,
        "mail.acme.example",
        "without a DKIM signature",
        repaired=True,
    ),
    "DKIM key": Case(
        "put_email_identity_dkim_signing_attributes",
        {
            **NEWS,
            "SigningAttributesOrigin": "AWS_SES",
            "SigningAttributes": {"NextSigningKeyLength": "RSA_1024_BIT"},
        },
        Drift.DKIM_KEY,
        "news.acme.example",
        "The DKIM key of news.acme.example was changed (NextSigningKeyLength",
    ),
    "MAIL FROM": Case(
        "put_email_identity_mail_from_attributes",
        {**NEWS, "MailFromDomain": "bounce.news.acme.example", "BehaviorOnMxFailure": "REJECT_MESSAGE"},
        Drift.MAIL_FROM,
        "news.acme.example",
        "leaves with the MAIL FROM bounce.news.acme.example",
        repaired=True,
    ),
    "default set": Case(
        "put_email_identity_configuration_set_attributes",
        RESET,
        Drift.DEFAULT_SET,
        "mail.acme.example",
        "its default configuration set is missing",
        repaired=True,
    ),
    "feedback forwarding": Case(
        "put_email_identity_feedback_attributes",
        {**RESET, "EmailForwardingEnabled": True},
        Drift.FEEDBACK_FORWARDING,
        "mail.acme.example",
        "SES e-mails every bounce",
        repaired=True,
    ),
    "missing destination": Case(
        "delete_configuration_set_event_destination",
        {"ConfigurationSetName": "ungoverned", "EventDestinationName": "outcome"},
        Drift.MISSING_DESTINATION,
        "ungoverned/outcome",
        "no longer exists: its events are lost",
        repaired=True,
    ),
    "destination off": Case(
        "update_configuration_set_event_destination",
        {**OUTCOME, **destination(Enabled=False)},
        Drift.DESTINATION_DISABLED,
        "mc-urgent/outcome",
        "is switched off",
        repaired=True,
    ),
    "destination redirected": Case(
        "update_configuration_set_event_destination",
        {
            **OUTCOME,
            "ConfigurationSetName": "mc-transactional",
            **destination(SnsDestination={"TopicArn": OTHER_TOPIC}),
        },
        Drift.DESTINATION_REDIRECTED,
        "mc-transactional/outcome",
        f"go to {OTHER_TOPIC}",
        repaired=True,
    ),
    "fewer events": Case(
        "update_configuration_set_event_destination",
        {**OUTCOME, "ConfigurationSetName": "mc-marketing", **destination(MatchingEventTypes=["SEND"])},
        Drift.DESTINATION_EVENTS,
        "mc-marketing/outcome",
        "no longer publishes BOUNCE, COMPLAINT",
        repaired=True,
    ),
    "extra destination": Case(
        "create_configuration_set_event_destination",
        {**URGENT, "EventDestinationName": "copy", **destination()},
        Drift.EXTRA_DESTINATION,
        "mc-urgent/copy",
        "are also sent to copy",
    ),
    "tracked by a destination": Case(
        "update_configuration_set_event_destination",
        {
            **URGENT,
            "EventDestinationName": "engagement",
            "EventDestination": {
                "Enabled": True,
                "MatchingEventTypes": ["OPEN", "CLICK"],
                "SnsDestination": {"TopicArn": TOPICS.engagement_topic_arn},
            },
        },
        Drift.TRACKING,
        "mc-urgent/engagement",
        "rewrites links",
        repaired=True,
    ),
    "tracked by VDM": Case(
        "put_configuration_set_vdm_options",
        {**URGENT, "VdmOptions": {"DashboardOptions": {"EngagementMetrics": "ENABLED"}}},
        Drift.TRACKING,
        "mc-urgent vdm",
        "engagement metrics",
        repaired=True,
    ),
    "tracked by the account": Case(
        "put_account_vdm_attributes",
        {
            "VdmAttributes": {
                "VdmEnabled": "ENABLED",
                "DashboardAttributes": {"EngagementMetrics": "ENABLED"},
            }
        },
        Drift.ACCOUNT_TRACKING,
        "default",
        "VDM settings of the account were changed",
    ),
    "TLS": Case(
        "put_configuration_set_delivery_options",
        {"ConfigurationSetName": "mc-transactional", "TlsPolicy": "REQUIRE", "MaxDeliverySeconds": 14_400},
        Drift.TLS_POLICY,
        "mc-transactional",
        "is not delivered to hosts without TLS",
    ),
    "time to deliver": Case(
        "put_configuration_set_delivery_options",
        {"ConfigurationSetName": "mc-marketing", "MaxDeliverySeconds": 300},
        Drift.MAX_DELIVERY,
        "mc-marketing",
        "SES tries 300 seconds",
        repaired=True,
    ),
    "tags": Case(
        "tag_resource",
        {"ResourceArn": "{acme-arn}", "Tags": [{"Key": "team", "Value": "x"}]},
        Drift.TAGS,
        "{acme}",
        "The tags of the tenant",
    ),
    "policy of an identity": Case(
        "create_email_identity_policy",
        {
            "EmailIdentity": "mail.zen.example",
            "PolicyName": "partner",
            "Policy": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},'
            '"Action":"ses:SendEmail","Resource":"arn:aws:ses:us-east-1:123456789012:identity/mail.zen.example"}]}',
        },
        Drift.IDENTITY_POLICY,
        "mail.zen.example partner",
        "another AWS account may send as mail.zen.example",
    ),
    "unknown difference": Case(
        "put_configuration_set_reputation_options",
        {"ConfigurationSetName": "mc-marketing", "ReputationMetricsEnabled": True},
        Drift.UNKNOWN,
        "mc-marketing ReputationOptions.ReputationMetricsEnabled",
        "This version does not know what follows from it",
    ),
    "foreign tenant": Case(
        "create_tenant_resource_association",
        {"TenantName": "other-app", "ResourceArn": "{arn}identity/news.acme.example"},
        Drift.FOREIGN_ASSOCIATION,
        "news.acme.example other-app",
        "The SES tenant other-app, which is not Mailcordon's, can send through news.acme.example of acme",
        before=(("create_tenant", {"TenantName": "other-app"}),),
    ),
    "address of our domain": Case(
        "create_email_identity",
        {"EmailIdentity": "kim@mail.acme.example"},
        Drift.NEARBY_IDENTITY,
        "kim@mail.acme.example mail.acme.example",
        "is matched before mail.acme.example",
    ),
    "foreign domain": Case(
        "create_email_identity",
        {"EmailIdentity": "stranger.example"},
        Drift.EXTRA_IDENTITY,
        "stranger.example",
        "The identity stranger.example is not Mailcordon's",
    ),
    "foreign set": Case(
        "create_configuration_set",
        {"ConfigurationSetName": "old-set"},
        Drift.EXTRA_SET,
        "old-set",
        "The configuration set old-set is not Mailcordon's",
    ),
    "foreign tenant itself": Case(
        "create_tenant",
        {"TenantName": "lonely-app"},
        Drift.EXTRA_TENANT,
        "lonely-app",
        "The SES tenant lonely-app is not Mailcordon's",
    ),
    "missing identity": Case(
        "delete_email_identity",
        {"EmailIdentity": "news.zen.example"},
        Drift.MISSING_RESOURCE,
        "news.zen.example",
        "The identity news.zen.example no longer exists",
        repaired=True,
        before=(
            (
                "delete_tenant_resource_association",
                {"TenantName": "{zen}", "ResourceArn": "{arn}identity/news.zen.example"},
            ),
        ),
    ),
}


async def change_all(world: World) -> None:
    for case in CASES.values():
        for operation, members in (*case.before, (case.operation, case.members)):
            await world.call(operation, **members)


def check(world: World, found: dict[tuple[str, str], Finding], found_by: str) -> None:
    for name, case in CASES.items():
        finding = found.get((case.kind.value, world.filled(case.about)))
        assert finding is not None, (name, sorted(found))
        said = case.says if found_by == "event" else case.says.removesuffix(" Association made ")
        assert said in finding.sentence, name
        ended = finding.ended_because if finding.ended_at else None
        assert ended == ("repaired" if case.repaired else None), (name, finding)
        assert finding.found_by == found_by, (name, finding)


async def test_every_kind_is_found_by_the_scan_with_all_events_lost(world: World) -> None:
    await change_all(world)
    await world.scan()
    await world.scan()  # what was repaired is compared again
    check(world, await world.all(), "scan")


async def test_every_kind_is_found_by_its_event_and_says_who_did_it(world: World) -> None:
    await change_all(world)
    await world.events()
    found = await world.all()
    check(world, found, "event")
    for case in CASES.values():
        finding = found[case.kind.value, world.filled(case.about)]
        assert finding.by is not None
        assert finding.by.event is not None


async def find(world: World, kind: Drift) -> Finding:
    (found,) = await world.findings.newest(kind=kind.value, is_open=None, limit=10)
    return found


async def apply_case(world: World, name: str) -> Finding:
    case = CASES[name]
    for operation, members in (*case.before, (case.operation, case.members)):
        await world.call(operation, **members)
    await world.scan()
    return await find(world, case.kind)


async def associations(world: World, tenant: str) -> set[str]:
    arns = await world.administer.get_associations(world.keys.get(tenant, tenant))
    return {arn.split(":", 5)[-1] for arn in arns or ()}


@pytest.mark.parametrize("tenant", ["zen", "other-app"])
async def test_what_somebody_else_made_goes_only_by_a_plan_that_a_person_applies(
    world: World, tenant: str
) -> None:
    name = "association of another tenant's domain" if tenant == "zen" else "foreign tenant"
    kind = CASES[name].kind.value
    with pytest.raises(Invalid, match="takes away what somebody else made"):
        await world.findings.set_policy(kind, Policy(act="apply"), actor="Kim", because="x")
    await world.owner.execute(  # whatever the policy would say
        "insert into drift_policy (kind, act, by, because) values ($1, 'apply', 'x', 'x')", kind
    )
    found = await apply_case(world, name)
    domain = found.member if tenant == "zen" else f"identity/{found.resource}"
    assert found.plan is not None
    await world.scan()
    await world.beside.carry_out()
    assert domain in await associations(world, tenant)  # nothing happened by itself
    await world.plans.apply(found.plan, actor="Kim")
    await world.beside.carry_out()
    await world.settle()
    assert domain not in await associations(world, tenant)
    ended = await find(world, found.kind)
    assert ended.ended_because is not None
    plan = await world.plans.get(found.plan)
    assert (plan.state, [call.state for call in plan.calls]) == ("applied", ["done"])


async def test_what_a_shared_path_uses_is_meant_and_what_its_tenant_uses_beside_is_found(
    world: World,
) -> None:
    await world.call("create_tenant", TenantName="old-app")
    await world.call("create_email_identity", EmailIdentity="mail.platform.example")
    new = NewSharedPath(name="platform", domain="mail.platform.example", ses_tenant="old-app", ip_pool=None)
    await PathStore(world.control).add_shared(new, actor="Kim", because="how all mail left")
    await world.settle()
    assert "configuration-set/mc-urgent" in await associations(world, "old-app")
    await world.scan()
    await world.events()
    assert await world.open() == []
    await world.call(
        "create_tenant_resource_association",
        TenantName="old-app",
        ResourceArn="{arn}identity/news.acme.example",
    )
    await world.scan()
    [found] = await world.open()
    assert found.kind is Drift.SHARED_ASSOCIATION
    assert found.sentence == "old-app can send as news.acme.example, which belongs to acme."


async def test_an_extra_destination_goes_by_its_plan(world: World) -> None:
    found = await apply_case(world, "extra destination")
    assert found.plan is not None
    await world.plans.apply(found.plan, actor="Kim")
    assert await world.beside.carry_out() == 1
    await world.settle()
    assert (await find(world, found.kind)).ended_at is not None
    assert (await world.plans.get(found.plan)).state == "applied"


async def test_what_was_switched_off_is_switched_on_by_its_plan(world: World) -> None:
    for name in ("set's sending", "paused tenant"):
        found = await apply_case(world, name)
        assert found.plan is not None
        await world.plans.apply(found.plan, actor="Kim")
        await world.settle()
        ended = await find(world, found.kind)
        assert ended.ended_because == "repaired", name


async def test_a_difference_that_is_undone_ends_and_its_plan_is_outdated(world: World) -> None:
    found = await apply_case(world, "set's sending")
    await world.call("put_configuration_set_sending_options", **URGENT, SendingEnabled=True)
    await world.scan()
    ended = await find(world, found.kind)
    assert "somebody else changed it back" in (ended.ended_because or "")
    assert (await world.plans.get(found.plan or 0)).state == "outdated"


ACCEPTED = (
    "association of another tenant's domain",
    "extra association",
    "extra destination",
    "account's suppression",
    "DKIM key",
    "TLS",
    "tags",
    "policy of an identity",
    "unknown difference",
    "foreign tenant",
    "foreign set",
    "address of our domain",
)


async def test_what_was_accepted_is_not_found_again_until_it_changes(world: World) -> None:
    for name in ACCEPTED:
        case = CASES[name]
        for operation, members in (*case.before, (case.operation, case.members)):
            await world.call(operation, **members)
    await world.scan()
    kinds = {CASES[name].kind for name in ACCEPTED}
    for found in await world.open():
        if found.kind in kinds:
            ended = await world.findings.accept(found.id, actor="Kim", because="meant")
            assert ended.ended_because == "accepted by Kim: meant"
    await world.scan()
    assert not kinds & {found.kind for found in await world.open()}
    await world.call(
        "put_configuration_set_reputation_options",
        ConfigurationSetName="mc-marketing",
        ReputationMetricsEnabled=False,
    )
    await world.call("put_account_suppression_attributes", SuppressedReasons=["COMPLAINT"])
    await world.scan()
    again = {found.kind for found in await world.open()} & kinds
    assert again == {Drift.UNKNOWN, Drift.ACCOUNT_SUPPRESSION}


async def test_a_value_that_is_desired_cannot_be_accepted(world: World) -> None:
    found = await apply_case(world, "set's sending")
    with pytest.raises(Conflict):
        await world.findings.accept(found.id, actor="Kim", because="meant")
    assert (await find(world, found.kind)).ended_at is None


async def test_a_policy_can_have_repairs_and_additions_proposed(world: World) -> None:
    propose = Policy(act="propose")
    await world.findings.set_policy("dkim-off", propose, actor="Kim", because="careful")
    await world.findings.set_policy("addition", propose, actor="Kim", because="careful")
    dkim = await apply_case(world, "DKIM off")
    missing = await apply_case(world, "missing association")
    await world.scan()
    for found in (dkim, missing):
        assert (await find(world, found.kind)).ended_at is None
        assert found.plan is not None
    identity = await world.call("get_email_identity", EmailIdentity="mail.acme.example")
    assert not identity["DkimAttributes"]["SigningEnabled"]
    await world.plans.apply(dkim.plan or 0, actor="Kim")
    await world.settle()
    assert (await find(world, Drift.DKIM_OFF)).ended_because == "repaired"
    await world.findings.set_policy("addition", Policy(act="apply"), actor="Kim", because="back")
    await world.settle()  # what is open follows the policy
    assert (await find(world, Drift.MISSING_ASSOCIATION)).ended_because == "repaired"


async def test_what_breaks_isolation_holds_mail_only_by_policy_and_until_it_is_over(world: World) -> None:
    found = await apply_case(world, "association of another tenant's domain")
    assert await world.findings.align_holds() == 0
    zen = await world.owner.fetchval("select id from tenant where slug = 'zen'")
    assert await world.governor.open_holds(zen) == []
    await world.findings.set_policy(found.kind.value, Policy(act="propose"), actor="Kim", because="x")
    assert await world.findings.align_holds() == 0
    hold = Policy(act="propose", hold=True)
    await world.findings.set_policy(found.kind.value, hold, actor="Kim", because="x")
    assert await world.findings.align_holds() == 1
    assert await world.findings.align_holds() == 0
    await world.governor.align(zen)
    (held,) = await world.governor.open_holds(zen)
    assert held.owner == "policy"
    assert f"drift show {found.id}" in held.because
    acme = await world.owner.fetchval("select id from tenant where slug = 'acme'")
    assert await world.governor.open_holds(acme) == []
    await world.call(
        "delete_tenant_resource_association",
        TenantName="{zen}",
        ResourceArn="{arn}identity/mail.acme.example",
    )
    await world.scan()
    await world.findings.align_holds()
    assert await world.governor.open_holds(zen) == []


async def test_a_late_event_still_says_who_did_it(world: World) -> None:
    found = await apply_case(world, "TLS")
    assert found.by is None
    await world.events()
    known = await find(world, Drift.TLS_POLICY)
    assert known.by is not None
    assert (known.by.event, known.found_by) == ("PutConfigurationSetDeliveryOptions", "scan")


async def test_a_mail_from_that_ses_no_longer_finds_is_found(world: World) -> None:
    await world.owner.execute(
        "update ses_resource set state = 'pending', next_try_at = now(), desired = desired ||"
        """ '{"mail_from": "bounce.mail.acme.example", "mail_from_behavior": "USE_DEFAULT_VALUE"}'"""
        " where name = 'mail.acme.example'"
    )
    await world.settle()
    identity = world.local.account.identities["mail.acme.example"]
    assert identity.mail_from == "bounce.mail.acme.example"
    identity.mail_from_status = "FAILED"
    world.local.account.identities.changed(identity)
    await world.scan()
    records = await world.owner.fetchval(
        "select records::text from identity where domain = 'mail.acme.example'"
    )
    assert "10 feedback-smtp.us-east-1.amazonses.com" in records  # what to publish
    found = await find(world, Drift.MAIL_FROM_FAILED)
    assert "SES does not find the MX record of bounce.mail.acme.example" in found.sentence
    assert found.plan is None


async def test_a_changed_desire_is_no_drift(world: World) -> None:
    other = desired.Settings(
        outcome_topic_arn=OTHER_TOPIC, engagement_topic_arn=TOPICS.engagement_topic_arn, local=True
    )
    await world.owner.execute(
        "update ses_resource set state = 'pending', next_try_at = now(),"
        " desired = jsonb_set(desired, '{topic}', to_jsonb($1::text))"
        " where kind = 'event-destination' and name = 'mc-urgent/outcome'",
        other.outcome_topic_arn,
    )
    await world.settle()
    to = await world.call("get_configuration_set_event_destinations", **URGENT)
    topics = {each["Name"]: each["SnsDestination"]["TopicArn"] for each in to["EventDestinations"]}
    assert topics["outcome"] == OTHER_TOPIC
    assert await world.findings.newest(is_open=None) == []


async def test_everything_that_ses_returns_is_kept_with_its_age(world: World) -> None:
    rows = await world.owner.fetch(
        "select kind, whole::text, observed_at from ses_resource where kind <> 'association'"
    )
    assert {row["kind"] for row in rows} >= {"identity", "tenant", "policy", "account", "configuration-set"}
    for row in rows:
        assert row["whole"] is not None, row["kind"]
        assert row["observed_at"] is not None
    whole = next(row["whole"] for row in rows if row["kind"] == "identity")
    assert "SigningHostedZone" in whole
