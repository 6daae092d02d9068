"""Every kind of difference, made behind our back at the local SES with boto3: found by an event and by the scan, described,
repaired or proposed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import boto3
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.beside_store import BesideStore
from mailcordon.adapters.db.finding_store import FindingStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.hint_store import HintStore
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
from mailcordon.control.plans import Plans
from mailcordon.control.reconcile import Pace, Reconciler
from mailcordon.control.signals import Signals
from mailcordon.control.tenants import Tenants
from mailcordon.core.drift import Drift
from seslocal import server
from seslocal.state.settings import Settings

QUEUE = "mailcordon-management"
TOPICS = desired.Settings(
    outcome_topic_arn="arn:aws:sns:us-east-1:000000000000:mailcordon-outcome",
    engagement_topic_arn="arn:aws:sns:us-east-1:000000000000:mailcordon-engagement",
    local=True,
)
ACME = {"password-reset": "mail.acme.example", "newsletter": "news.acme.example"}
OTHER_TOPIC = "arn:aws:sns:us-east-1:000000000000:other"


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
            self.keys[slug] = await self.owner.fetchval("select key from tenant where slug = $1", slug)
        await self.settle()
        await self.beside.round()
        await self.scan()
        assert await self.open() == []

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

    async def open(self) -> list[Finding]:
        return await self.findings.newest(is_open=True, limit=1000)

    async def all(self) -> dict[tuple[str, str], Finding]:
        found = await self.findings.newest(is_open=None, limit=1000)
        return {(each.kind.value, f"{each.resource} {each.member}".strip()): each for each in reversed(found)}


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    owner = await engine.connect(database.dsn("owner"))
    control = await engine.create_pool(database.dsn("control"))
    governor = await engine.create_pool(database.dsn("governor"))
    local = server.Local(Settings(), server.Clock())
    await local.listen("127.0.0.1", 0)
    local.account.events.management_queue = QUEUE
    local.account.queues.ensure(QUEUE)
    queue = open_queue(
        f"{local.url}/000000000000/{QUEUE}",
        region="us-east-1",
        credentials=FixedCredentials(Credentials("test", "test")),
        endpoint=local.url,
    )
    world = World(local, owner, control, governor, queue)
    try:
        await world.start()
        yield world
    finally:
        world.ses.close()
        world.administer.close()
        await queue.close()
        await local.close()
        await governor.close()
        await control.close()
        await owner.close()


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
            '"Action":"ses:SendEmail","Resource":"arn:aws:ses:us-east-1:000000000000:identity/mail.zen.example"}]}',
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
