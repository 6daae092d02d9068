"""The printed policies, attached to keys of a local SES and tried with real clients; and the template that has the same ones."""

import asyncio
import inspect
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import boto3
import pytest
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

import seslocal
from mailcordon import config
from mailcordon.adapters.ses import queue_policy
from mailcordon.adapters.ses.administer import Administer
from mailcordon.adapters.ses.event_road import EventRoad
from mailcordon.adapters.ses.queue import SqsQueue, open_queue
from mailcordon.adapters.ses.signer import Credentials, FixedCredentials
from mailcordon.control import desired
from mailcordon.core.errors import BadConfig
from mailcordon.run import iam, iam_policies
from mailcordon.run.iam_policies import Document, Place

TEMPLATE = Path(iam.__file__).with_name(iam.TEMPLATE)
IN_THE_CHECKOUT = Path(__file__).resolve().parents[4] / "deploy" / iam.TEMPLATE
LOCAL = Place(account="123456789012", region="us-east-1")
SECRET = "hidden"
DOMAIN = "mail.acme.example"
SET = "mc-urgent"
FROM = f"no-reply@{DOMAIN}"
TO = {"ToAddresses": ["success@simulator.amazonses.com"]}
SIMPLE: Any = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}}
RAW = f"From: {FROM}\r\nTo: {TO['ToAddresses'][0]}\r\nX-SES-TENANT: mc-acme\r\nSubject: Hi\r\n\r\nHello".encode()
FULL = {"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}


class World:
    """A local SES with a tenant that can send, and keys with policies."""

    def __init__(self, local: seslocal.Local) -> None:
        self.local = local

    def client(self, service: Any, key: str = "test", secret: str = "test") -> Any:
        return boto3.client(
            service,
            endpoint_url=self.local.url,
            region_name=LOCAL.region,
            aws_access_key_id=key,
            aws_secret_access_key=secret,
            config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
        )

    async def admin(self, method: str, path: str, body: object = None) -> Any:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"{self.local.url}/_seslocal{path}", json=body) as answer,
        ):
            said = await answer.json()
            assert answer.status == 200, said
            return said

    async def key(self, name: str, *documents: Document, scps: tuple[Document, ...] = (), **more: Any) -> str:
        await self.admin("PUT", f"/keys/{name}", {"secret": SECRET})
        attached = [{"document": one} for one in documents]
        attached += [{"kind": "scp", "document": one} for one in scps]
        await self.admin("PUT", f"/keys/{name}/policies", {"policies": attached, **more})
        return name

    async def used(self, name: str) -> set[str]:
        return set((await self.admin("GET", f"/keys/{name}/policies"))["used"])


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with seslocal.running() as local:
        world = World(local)
        ses, sqs = world.client("sesv2"), world.client("sqs")
        await asyncio.to_thread(_make, ses, sqs)
        yield world


def _make(ses: Any, sqs: Any) -> None:
    ses.create_email_identity(EmailIdentity=DOMAIN)
    for name in (SET, "theirs"):
        ses.create_configuration_set(ConfigurationSetName=name)
    for tenant in ("mc-acme", "theirs"):
        ses.create_tenant(TenantName=tenant)
        for resource in (f"identity/{DOMAIN}", f"configuration-set/{SET}", "configuration-set/theirs"):
            ses.create_tenant_resource_association(TenantName=tenant, ResourceArn=LOCAL.ses(resource))
    ses.create_email_template(TemplateName="t", TemplateContent={"Subject": "Hi", "Text": "Hi"})
    for name in LOCAL.queues.values():
        sqs.create_queue(QueueName=name)


async def refusal(act: Callable[..., Any], **given: Any) -> str | None:
    """The action that is denied; None if the call is allowed, whatever becomes of it."""
    try:
        await asyncio.to_thread(partial(act, **given))
    except ClientError as error:
        response: Any = error.response
        if response["Error"]["Code"] not in ("AccessDeniedException", "AccessDenied", "AuthorizationError"):
            return None
        return response["Error"]["Message"].partition("perform: ")[2].partition(" ")[0]
    return None


#: Every way of sending of SES v2 and v1: method and members. Without the first one none has a tenant of ours.
GOVERNED = {
    "FromEmailAddress": FROM,
    "Destination": TO,
    "Content": SIMPLE,
    "TenantName": "mc-acme",
    "ConfigurationSetName": SET,
}
BULK = {
    "FromEmailAddress": FROM,
    "DefaultContent": {"Template": {"TemplateName": "t", "TemplateData": "{}"}},
    "BulkEmailEntries": [{"Destination": TO}],
    "ConfigurationSetName": SET,
}
V2_SENDS: list[tuple[str, str, dict[str, Any]]] = [
    ("ses:SendEmail", "send_email", {k: v for k, v in GOVERNED.items() if k != "TenantName"}),
    ("ses:SendEmail", "send_email", {**GOVERNED, "TenantName": "theirs"}),
    ("ses:SendEmail", "send_email", {**GOVERNED, "ConfigurationSetName": "theirs"}),
    ("ses:SendRawEmail", "send_email", {**GOVERNED, "Content": {"Raw": {"Data": RAW}}}),
    ("ses:SendRawEmail", "send_email", {"Content": {"Raw": {"Data": RAW}}}),
    ("ses:SendBulkEmail", "send_bulk_email", BULK),
    ("ses:SendBulkEmail", "send_bulk_email", {**BULK, "TenantName": "mc-acme"}),
    (
        "ses:SendCustomVerificationEmail",
        "send_custom_verification_email",
        {"EmailAddress": FROM, "TemplateName": "t"},
    ),
]
BODY = {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}
V1_SENDS: list[tuple[str, str, dict[str, Any]]] = [
    ("ses:SendEmail", "send_email", {"Source": FROM, "Destination": TO, "Message": BODY}),
    ("ses:SendRawEmail", "send_raw_email", {"RawMessage": {"Data": RAW}}),
    (
        "ses:SendTemplatedEmail",
        "send_templated_email",
        {"Source": FROM, "Destination": TO, "Template": "t", "TemplateData": "{}"},
    ),
    (
        "ses:SendBulkTemplatedEmail",
        "send_bulk_templated_email",
        {"Source": FROM, "Destinations": [{"Destination": TO}], "Template": "t", "DefaultTemplateData": "{}"},
    ),
    (
        "ses:SendCustomVerificationEmail",
        "send_custom_verification_email",
        {"EmailAddress": FROM, "TemplateName": "t"},
    ),
    (
        "ses:SendBounce",
        "send_bounce",
        {"OriginalMessageId": "m", "BounceSender": FROM, "BouncedRecipientInfoList": [{"Recipient": FROM}]},
    ),
]
ADMINISTRATION: list[tuple[str, str, dict[str, Any]]] = [
    ("ses:GetAccount", "get_account", {}),
    ("ses:PutAccountSendingAttributes", "put_account_sending_attributes", {"SendingEnabled": True}),
    ("ses:CreateTenant", "create_tenant", {"TenantName": "mc-new"}),
    ("ses:DeleteConfigurationSet", "delete_configuration_set", {"ConfigurationSetName": SET}),
    ("ses:CreateEmailIdentity", "create_email_identity", {"EmailIdentity": "new.example"}),
    (
        "ses:CreateEmailIdentityPolicy",
        "create_email_identity_policy",
        {"EmailIdentity": DOMAIN, "PolicyName": "p", "Policy": "{}"},
    ),
]


async def every_way_denied(world: World, key: str, *, but_ours: bool) -> None:
    v2, v1 = world.client("sesv2", key, SECRET), world.client("ses", key, SECRET)
    before = (await world.admin("GET", "/health"))["sent"]
    for client, calls in ((v2, V2_SENDS), (v1, V1_SENDS)):
        for action, method, given in calls:
            assert await refusal(getattr(client, method), **given) == action, (method, given)
    assert (await world.admin("GET", "/health"))["sent"] == before
    assert await refusal(v2.send_email, **GOVERNED) == (None if but_ours else "ses:SendEmail")
    assert (await world.admin("GET", "/health"))["sent"] == before + but_ours


async def test_the_send_role_sends_through_our_tenants_and_in_no_other_way(world: World) -> None:
    key = await world.key("send", iam_policies.send(LOCAL))
    await every_way_denied(world, key, but_ours=True)
    assert await world.used(key) == {"ses:SendEmail"}
    v2 = world.client("sesv2", key, SECRET)
    for action, method, given in ADMINISTRATION:
        assert await refusal(getattr(v2, method), **given) == action


async def test_a_policy_that_allows_everything_beside_it_gives_the_send_role_no_other_way(
    world: World,
) -> None:
    key = await world.key("send", iam_policies.send(LOCAL), FULL)
    v2, v1 = world.client("sesv2", key, SECRET), world.client("ses", key, SECRET)
    assert await refusal(v2.send_email, **GOVERNED) is None
    untenanted = {name: value for name, value in GOVERNED.items() if name != "TenantName"}
    assert await refusal(v2.send_email, **untenanted) == "ses:SendEmail"
    assert await refusal(v2.send_bulk_email, **BULK) == "ses:SendBulkEmail"
    assert await refusal(v1.send_raw_email, RawMessage={"Data": RAW}) == "ses:SendRawEmail"


async def test_an_application_cannot_send_past_us_whatever_else_it_may_do(world: World) -> None:
    key = await world.key("app", iam_policies.app(LOCAL), FULL)
    await every_way_denied(world, key, but_ours=False)
    assert await refusal(world.client("sesv2", key, SECRET).get_account) is None


async def test_an_application_cannot_forge_events_about_mail(world: World) -> None:
    key = await world.key("app", iam_policies.app(LOCAL), FULL)
    sqs, sns = world.client("sqs", key, SECRET), world.client("sns", key, SECRET)
    for name in LOCAL.queues.values():
        url = f"{world.local.url}/{LOCAL.account}/{name}"
        assert await refusal(sqs.send_message, QueueUrl=url, MessageBody="forged") == "sqs:sendmessage"
    for kind in LOCAL.topics:
        assert await refusal(sns.publish, TopicArn=LOCAL.topic(kind), Message="forged") == "SNS:Publish"


async def test_the_administering_role_cannot_send_even_with_a_policy_that_allows_everything(
    world: World,
) -> None:
    for number, more in enumerate(((), (FULL,))):
        key = await world.key(f"administer{number}", iam_policies.administer(LOCAL), *more)
        await every_way_denied(world, key, but_ours=False)


async def test_the_administering_role_changes_our_sets_and_tenants_only(world: World) -> None:
    key = await world.key("administer", iam_policies.administer(LOCAL))
    v2, sqs = world.client("sesv2", key, SECRET), world.client("sqs", key, SECRET)
    assert (
        await refusal(v2.delete_configuration_set, ConfigurationSetName="theirs")
        == "ses:DeleteConfigurationSet"
    )
    assert await refusal(v2.delete_tenant, TenantName="theirs") == "ses:DeleteTenant"
    policy = {"EmailIdentity": DOMAIN, "PolicyName": "p", "Policy": "{}"}
    assert await refusal(v2.create_email_identity_policy, **policy) == "ses:CreateEmailIdentityPolicy"
    url = f"{world.local.url}/{LOCAL.account}/{LOCAL.queues['outcome']}"
    assert await refusal(sqs.receive_message, QueueUrl=url) == "sqs:receivemessage"


async def test_the_observing_role_reads_its_two_queues_and_nothing_else(world: World) -> None:
    key = await world.key("observe", iam_policies.observe(LOCAL))
    await every_way_denied(world, key, but_ours=False)
    v2, sqs = world.client("sesv2", key, SECRET), world.client("sqs", key, SECRET)
    for action, method, given in ADMINISTRATION:
        assert await refusal(getattr(v2, method), **given) == action
    urls = {kind: f"{world.local.url}/{LOCAL.account}/{name}" for kind, name in LOCAL.queues.items()}
    assert await refusal(sqs.receive_message, QueueUrl=urls["management"]) == "sqs:receivemessage"
    assert await refusal(sqs.send_message, QueueUrl=urls["outcome"], MessageBody="x") == "sqs:sendmessage"
    for kind in ("outcome", "engagement"):
        await use_queue(world, key, kind)
    assert await world.used(key) == actions_of(iam_policies.observe(LOCAL))


async def test_a_service_control_policy_lets_the_send_role_alone_send(world: World) -> None:
    scps = (FULL, iam_policies.scp([LOCAL.role("send")]))
    admin = await world.key("admin", FULL, scps=scps)
    await every_way_denied(world, admin, but_ours=False)
    send = await world.key("send", iam_policies.send(LOCAL), scps=scps, principal=LOCAL.role("send"))
    await every_way_denied(world, send, but_ours=True)


# nothing missing, nothing unused


def actions_of(document: Document) -> set[str]:
    return {
        action
        for statement in document["Statement"]
        if statement["Effect"] == "Allow"
        for action in statement["Action"]
    }


async def use_queue(world: World, key: str, kind: str) -> None:
    """Everything that our client does with a queue."""
    sqs = world.client("sqs")
    url = f"{world.local.url}/{LOCAL.account}/{LOCAL.queues[kind]}"
    await asyncio.to_thread(partial(sqs.send_message, QueueUrl=url, MessageBody="{}"))
    queue = open_queue(
        url,
        region=LOCAL.region,
        credentials=FixedCredentials(Credentials(key, SECRET)),
        endpoint=world.local.url,
    )
    try:
        calls: dict[str, Callable[[], Awaitable[Any]]] = {"count": queue.count, "policy": queue.policy}
        assert public_methods(SqsQueue) == {*calls, "receive", "delete", "close"}
        [message] = await queue.receive(wait=False)
        await queue.delete([message.receipt])
        for call in calls.values():
            await call()
    finally:
        await queue.close()


def public_methods(of: type) -> set[str]:
    return {
        name for name, _ in inspect.getmembers(of, inspect.iscoroutinefunction) if not name.startswith("_")
    }


def dkim_key() -> str:
    """A private key as SES takes it: base64 without header and footer."""
    key = rsa.generate_private_key(65537, 2048)
    return b64encode(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())).decode()


def calls_of(ses: Administer, arn: str) -> dict[str, Callable[[], Awaitable[Any]]]:
    """A call of every method, in an order in which each has what it needs."""
    kinds = ("suppression", "delivery", "sending", "tracking", "vdm", "reputation")
    groups: dict[str, Any] = {
        "suppression": {"SuppressedReasons": ["BOUNCE"]},
        "delivery": {"TlsPolicy": "OPTIONAL"},
        "sending": {"SendingEnabled": True},
        "tracking": {},
        "vdm": {"GuardianOptions": {"OptimizedSharedDelivery": "DISABLED"}},
        "reputation": {"ReputationMetricsEnabled": True},
    }
    destination = {
        "Enabled": True,
        "MatchingEventTypes": ["BOUNCE"],
        "SnsDestination": {"TopicArn": LOCAL.topic("outcome")},
    }

    async def put_set_groups() -> None:
        for kind in kinds:
            await ses.put_set_group("mc-new", kind, groups[kind])

    async def get_suppressed() -> None:
        for tenant in ("mc-acme", None):
            await ses.get_suppressed("kim@example.com", tenant=tenant)

    async def suppressed_page() -> None:
        for tenant in ("mc-acme", None):
            await ses.suppressed_page(tenant=tenant, token=None)

    async def delete_suppressed() -> None:
        for tenant in ("mc-acme", None):
            await ses.delete_suppressed("kim@example.com", tenant=tenant)

    identity = LOCAL.ses("identity/new.example")
    return {
        "create_configuration_set": lambda: ses.create_configuration_set(
            "mc-new", reasons=["BOUNCE"], max_delivery_seconds=300
        ),
        "put_set_group": put_set_groups,
        "get_configuration_set": lambda: ses.get_configuration_set("mc-new"),
        "configuration_sets": ses.configuration_sets,
        "create_ip_pool": lambda: ses.create_ip_pool("bulk", mode="MANAGED"),
        "get_ip_pool": lambda: ses.get_ip_pool("bulk"),
        "delete_ip_pool": lambda: ses.delete_ip_pool("bulk"),
        "create_destination": lambda: ses.create_destination("mc-new", "outcome", destination),
        "put_destination": lambda: ses.put_destination("mc-new", "outcome", destination),
        "get_destinations": lambda: ses.get_destinations("mc-new"),
        "delete_destination": lambda: ses.delete_destination("mc-new", "outcome"),
        "create_identity": lambda: ses.create_identity("new.example", configuration_set="mc-new"),
        "get_identity": lambda: ses.get_identity("new.example"),
        "put_identity_set": lambda: ses.put_identity_set("new.example", SET),
        "put_dkim": lambda: ses.put_dkim("new.example", signing=True),
        "put_dkim_key": lambda: ses.put_dkim_key("new.example", selector="s1", private_key=dkim_key()),
        "put_easy_dkim": lambda: ses.put_easy_dkim("new.example"),
        "put_mail_from": lambda: ses.put_mail_from(
            "new.example", "bounce.new.example", behavior="USE_DEFAULT_VALUE"
        ),
        "put_feedback": lambda: ses.put_feedback("new.example", forwarding=False),
        "identities": ses.identities,
        "create_tenant": lambda: ses.create_tenant("mc-new", scope="TENANT", reasons=["BOUNCE"]),
        "get_tenant": lambda: ses.get_tenant("mc-new"),
        "put_tenant_suppression": lambda: ses.put_tenant_suppression(
            "mc-acme", scope="TENANT", reasons=["BOUNCE"]
        ),
        "tenants": ses.tenants,
        "tenants_with_status": lambda: ses.tenants_with_status("DISABLED"),
        "get_entity": lambda: ses.get_entity(arn),
        "entities": ses.entities,
        "open_recommendations": lambda: ses.open_recommendations("BOUNCE"),
        "put_policy": lambda: ses.put_policy(arn, "standard"),
        "put_status": lambda: ses.put_status(arn, "ENABLED"),
        "status_cause": lambda: ses.status_cause(arn),
        "associate": lambda: ses.associate("mc-new", identity),
        "get_associations": lambda: ses.get_associations("mc-new"),
        "tenants_of": lambda: ses.tenants_of(identity),
        "disassociate": lambda: ses.disassociate("mc-new", identity),
        "get_suppressed": get_suppressed,
        "suppressed_page": suppressed_page,
        "put_suppressed": lambda: ses.put_suppressed("kim@example.com", reason="BOUNCE", tenant="mc-acme"),
        "delete_suppressed": delete_suppressed,
        "get_account": ses.get_account,
        "get_whole_account": ses.get_whole_account,
        "put_account_suppression": lambda: ses.put_account_suppression({"SuppressedReasons": ["BOUNCE"]}),
        "put_account_vdm": lambda: ses.put_account_vdm({"VdmEnabled": "DISABLED"}),
        "tag": lambda: ses.tag(identity, {"a": "b"}),
        "untag": lambda: ses.untag(identity, ["a"]),
        "delete_tenant": lambda: ses.delete_tenant("mc-new"),
        "delete_identity": lambda: ses.delete_identity("new.example"),
        "delete_configuration_set": lambda: ses.delete_configuration_set("mc-new"),
    }


async def test_the_administering_role_has_what_its_calls_need_and_no_more(world: World) -> None:
    key = await world.key("administer", iam_policies.administer(LOCAL))
    ses = Administer(region=LOCAL.region, endpoint=world.local.url, access_key=key, secret_key=SECRET)
    found = await asyncio.to_thread(partial(world.client("sesv2").get_tenant, TenantName="mc-acme"))
    calls = calls_of(ses, found["Tenant"]["TenantArn"])
    assert public_methods(Administer) == set(calls), (
        "call a new method here, and add its action to run/iam_policies.py and run/cloudformation.yaml"
    )
    try:
        for call in calls.values():
            await call()
    finally:
        ses.close()
    await use_queue(world, key, "management")
    url = f"{world.local.url}/{LOCAL.account}/{LOCAL.queues['outcome']}"
    road = EventRoad(
        topic=LOCAL.topic("outcome"),
        queue_url=url,
        region=LOCAL.region,
        sns_endpoint=world.local.url,
        sqs_endpoint=world.local.url,
        credentials=(key, SECRET),
        local=False,
    )
    await asyncio.to_thread(partial(world.client("sns").create_topic, Name=LOCAL.topics["outcome"]))
    assert (await road.faults(SET))[1] == [], "nothing is unread"
    assert await world.used(key) == actions_of(iam_policies.administer(LOCAL))


# the template


class _Loader(yaml.SafeLoader):
    """CloudFormation's short forms as {"Fn::...": ...}."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    return {suffix: value}


_Loader.add_multi_constructor("!", _short_form)


def resolved(value: Any, place: Place) -> Any:
    """A value of the template in an account and region."""
    pseudo = {
        "AWS::Partition": place.partition,
        "AWS::Region": place.region,
        "AWS::AccountId": place.account,
        **{f"{kind.title()}Topic": place.topic(kind) for kind in place.topics},
        **{
            f"{kind.title()}Queue": f"https://sqs.{place.region}.amazonaws.com/{place.account}/{name}"
            for kind, name in place.queues.items()
        },
    }
    attributes = {f"{kind.title()}Queue.Arn": place.queue(kind) for kind in place.queues}
    match value:
        case {"Ref": name}:
            return pseudo[name]
        case {"GetAtt": name}:
            return attributes[name]
        case {"Sub": text}:
            for name, given in pseudo.items():
                text = text.replace(f"${{{name}}}", given)
            assert "${" not in text, text
            return text
        case dict():
            return {key: resolved(one, place) for key, one in value.items()}
        case list():
            return [resolved(one, place) for one in value]
        case _:
            return value


@pytest.fixture(scope="module")
def template() -> dict[str, Any]:
    return yaml.load(TEMPLATE.read_text(), _Loader)


@pytest.mark.parametrize(
    "place",
    [
        Place(account="123456789012", region="eu-west-1"),
        Place(account="123456789012", region="us-gov-west-1", partition="aws-us-gov"),
    ],
    ids=lambda place: place.region,
)
def test_the_template_has_the_policies_that_are_printed(template: dict[str, Any], place: Place) -> None:
    resources = template["Resources"]
    for kind in ("send", "administer", "observe"):
        role = resolved(resources[f"{kind.title()}Role"]["Properties"]["Policies"], place)
        assert role == [
            {"PolicyName": f"mailcordon-{kind}", "PolicyDocument": getattr(iam_policies, kind)(place)}
        ]
        name = resolved(resources[f"{kind.title()}Role"]["Properties"]["RoleName"], place)
        assert place.role(kind).endswith(f":role/{name}")
    for kind in ("outcome", "engagement", "management"):
        found = resolved(resources[f"{kind.title()}QueuePolicy"]["Properties"]["PolicyDocument"], place)
        if kind == "management":
            rule = queue_policy.rule_arn(place.queue(kind), config.MANAGEMENT_QUEUE)
            assert found == queue_policy.rule_policy(place.queue(kind), rule)
        else:
            assert found == queue_policy.policy(place.queue(kind), [place.topic(kind)])
        assert resources[f"{kind.title()}Queue"]["Properties"]["QueueName"] == place.queues[kind]
    assert resources["ManagementRule"]["Properties"]["Name"] == config.MANAGEMENT_QUEUE


def test_the_templates_output_is_settings_that_a_process_starts_with(
    template: dict[str, Any], tmp_path: Path
) -> None:
    place = Place(account="123456789012", region="eu-west-1")
    text = resolved(template["Outputs"]["Settings"]["Value"], place)
    settings = dict(line.split("=", 1) for line in text.splitlines())
    more = {"MAILCORDON_INSTALLATION": "prod", "MAILCORDON_SECRET_KEYS": "a" * 43 + "="}
    found = config.read({"MAILCORDON_HOME": str(tmp_path), **settings, **more})
    assert (found.ses, found.region) == ("aws", "eu-west-1")
    assert found.topic_arns == {place.topic("outcome"), place.topic("engagement")}
    assert str(found.management_queue_url).endswith("/123456789012/mailcordon-management")


def test_the_topics_let_ses_publish_for_our_sets_of_this_account_only(template: dict[str, Any]) -> None:
    place = Place(account="123456789012", region="eu-west-1")
    policy = resolved(template["Resources"]["TopicPolicy"]["Properties"]["PolicyDocument"], place)
    [statement] = policy["Statement"]
    assert statement["Principal"] == {"Service": "ses.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {
            "aws:SourceArn": [
                place.ses("configuration-set/mc-*"),
                place.ses(f"configuration-set/{desired.UNGOVERNED}"),
            ]
        },
    }


async def test_events_pass_the_templates_topics_and_queues_from_our_sets_and_from_no_others(
    world: World, template: dict[str, Any]
) -> None:
    resources = template["Resources"]
    topic = resolved(resources["TopicPolicy"]["Properties"]["PolicyDocument"], LOCAL)
    queue = resolved(resources["OutcomeQueuePolicy"]["Properties"]["PolicyDocument"], LOCAL)
    sns, sqs, ses = (world.client(service) for service in ("sns", "sqs", "sesv2"))
    url = f"{world.local.url}/{LOCAL.account}/{LOCAL.queues['outcome']}"

    def connect() -> None:
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(queue)})
        arn = sns.create_topic(Name=LOCAL.topics["outcome"], Attributes={"Policy": json.dumps(topic)})[
            "TopicArn"
        ]
        sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=LOCAL.queue("outcome"))

    def arrived(configuration_set: str) -> list[str]:
        """The events that reach the queue after a mail was sent with this set."""
        ses.create_configuration_set_event_destination(
            ConfigurationSetName=configuration_set,
            EventDestinationName="outcome",
            EventDestination={
                "Enabled": True,
                "MatchingEventTypes": ["SEND"],
                "SnsDestination": {"TopicArn": LOCAL.topic("outcome")},
            },
        )
        ses.send_email(**{**GOVERNED, "ConfigurationSetName": configuration_set})
        found: list[str] = []
        while received := sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages"):
            found += [json.loads(one["Body"])["Message"] for one in received]
            sqs.delete_message(QueueUrl=url, ReceiptHandle=received[0]["ReceiptHandle"])
        return [json.loads(one)["eventType"] for one in found if one.startswith("{")]

    await asyncio.to_thread(connect)
    assert await asyncio.to_thread(arrived, SET) == ["Send"]
    assert await asyncio.to_thread(arrived, "theirs") == []


def test_the_template_is_the_one_of_the_checkout_and_cfn_lint_finds_nothing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert IN_THE_CHECKOUT.read_text() == TEMPLATE.read_text()
    iam.cloudformation()
    assert capsys.readouterr().out == TEMPLATE.read_text()
    regions = ["us-east-1", "eu-west-1", "ap-southeast-2"]
    found = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), "--regions", *regions, "--", str(TEMPLATE)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stdout + found.stderr) == (0, "")


# the commands


@pytest.fixture
def printed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Document]:
    monkeypatch.setenv("MAILCORDON_HOME", str(tmp_path))

    def printed(name: str, **options: Any) -> Document:
        {command: act for command, act, _ in iam.COMMANDS}[name](**options)
        return json.loads(capsys.readouterr().out)

    return printed


POLICIES = ("send", "administer", "observe", "app", "scp")


def test_a_policy_needs_no_settings_of_aws(printed: Callable[..., Document]) -> None:
    place = Place(account="123456789012", region="eu-west-1")
    for name in POLICIES:
        expected = (
            iam_policies.scp([place.role("send")]) if name == "scp" else getattr(iam_policies, name)(place)
        )
        assert printed(name, account=place.account, region=place.region) == expected
    china = printed("observe", account="123456789012", region="cn-north-1")
    assert china["Statement"][0]["Resource"][0].startswith("arn:aws-cn:sqs:cn-north-1:123456789012:")


def test_account_region_and_queues_are_those_of_the_settings(
    printed: Callable[..., Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "MAILCORDON_SES": "aws",
        "MAILCORDON_REGION": "eu-west-1",
        "MAILCORDON_INSTALLATION": "prod",
        "MAILCORDON_SECRET_KEYS": "a" * 43 + "=",
        "MAILCORDON_OUTCOME_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/bounces",
        "MAILCORDON_ENGAGEMENT_QUEUE_URL": "https://sqs.eu-west-1.amazonaws.com/111122223333/clicks",
        "MAILCORDON_OUTCOME_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:bounces",
        "MAILCORDON_ENGAGEMENT_TOPIC_ARN": "arn:aws:sns:eu-west-1:111122223333:clicks",
    }.items():
        monkeypatch.setenv(name, value)
    arn = "arn:aws:sqs:eu-west-1:111122223333:"
    assert printed("observe")["Statement"][0]["Resource"] == [f"{arn}bounces", f"{arn}clicks"]


@pytest.mark.parametrize(
    ("name", "options", "word"),
    [
        ("send", {"account": "12345"}, "12 digits"),
        ("send", {"region": "Frankfurt"}, "region"),
        ("scp", {"send_role_arn": ["arn:aws:iam::123456789012:user/kim"]}, "role"),
    ],
)
def test_an_option_that_cannot_be_is_refused(
    printed: Callable[..., Document], name: str, options: Any, word: str
) -> None:
    with pytest.raises(BadConfig, match=word):
        printed(name, **options)


def test_the_policies_fit_into_what_aws_allows(printed: Callable[..., Document]) -> None:
    """In characters without white space: 6,144 of a managed policy, 5,120 of a service control policy (IAM and AWS Organizations,
    quotas)."""
    for name in POLICIES:
        document = printed(name, account="123456789012", region="ap-southeast-2")
        assert len(json.dumps(document, separators=(",", ":"))) <= (5_120 if name == "scp" else 6_144)
