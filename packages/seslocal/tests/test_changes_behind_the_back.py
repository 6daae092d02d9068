"""What somebody else changes at SES: each such change can be made, is returned by the reads of a governor, and is reported once.
The lists that find what stands beside page without gaps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from seslocal_fixtures.keys import private_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from seslocal_fixtures.world import World

DOMAIN, SET = "mail.acme.example", "acme-reset"
TENANT = "acme"
ELSEWHERE = "arn:aws:sns:us-east-1:123456789012:elsewhere"
NONE = "arn:aws:ses:us-east-1:aws:reputation-policy/none"
EVENTS = ["BOUNCE"]

Read = dict[str, Any]


def identity(world: World) -> Read:
    return world.ses.get_email_identity(EmailIdentity=DOMAIN)


def configuration_set(world: World) -> Read:
    return world.ses.get_configuration_set(ConfigurationSetName=SET)


def destinations(world: World) -> Read:
    found = world.ses.get_configuration_set_event_destinations(ConfigurationSetName=SET)
    return {each["Name"]: each for each in found["EventDestinations"]}


def tenant(world: World) -> Read:
    return world.ses.get_tenant(TenantName=TENANT)["Tenant"]


def entity(world: World) -> Read:
    [found] = [
        each
        for each in world.ses.list_reputation_entities()["ReputationEntities"]
        if f":tenant/{TENANT}/" in each["ReputationEntityReference"]
    ]
    return found


def associations(world: World) -> Read:
    found = world.ses.list_tenant_resources(TenantName=TENANT)["TenantResources"]
    return {each["ResourceArn"].split(":", 5)[-1]: True for each in found}


def users(world: World) -> Read:
    found = world.ses.list_resource_tenants(ResourceArn=world.arn(f"identity/{DOMAIN}"))["ResourceTenants"]
    return {each["TenantName"]: True for each in found}


def account(world: World) -> Read:
    return world.ses.get_account()


def at(read: Read, path: str) -> Any:
    found: Any = read
    for name in path.split("."):
        found = found.get(name) if isinstance(found, dict) else None
    return found


#: name: the call with its members, what reads it, which member changes, and what it is then
CHANGES: dict[str, tuple[str, dict[str, Any], Callable[[World], Read], str, Any]] = {
    "tenant's list": (
        "put_tenant_suppression_attributes",
        {"TenantName": TENANT, "SuppressionScope": "ACCOUNT", "SuppressedReasons": []},
        tenant,
        "SuppressionAttributes",
        {"SuppressionScope": "ACCOUNT", "SuppressedReasons": []},
    ),
    "tenant's list cleared": (
        "put_tenant_suppression_attributes",
        {"TenantName": TENANT},
        tenant,
        "SuppressionAttributes",
        None,
    ),
    "set's reasons": (
        "put_configuration_set_suppression_options",
        {"ConfigurationSetName": SET, "SuppressionScope": "ACCOUNT", "SuppressedReasons": ["COMPLAINT"]},
        configuration_set,
        "SuppressionOptions",
        {"SuppressionScope": "ACCOUNT", "SuppressedReasons": ["COMPLAINT"]},
    ),
    "account's reasons": (
        "put_account_suppression_attributes",
        {"SuppressedReasons": []},
        account,
        "SuppressionAttributes.SuppressedReasons",
        [],
    ),
    "association": (
        "delete_tenant_resource_association",
        {"TenantName": TENANT, "ResourceArn": "{arn}configuration-set/acme-reset"},
        associations,
        f"configuration-set/{SET}",
        None,
    ),
    "foreign association": (
        "create_tenant_resource_association",
        {"TenantName": "zen", "ResourceArn": "{arn}identity/mail.acme.example"},
        users,
        "zen",
        True,
    ),
    "policy": (
        "update_reputation_entity_policy",
        {
            "ReputationEntityType": "RESOURCE",
            "ReputationEntityReference": "{tenant}",
            "ReputationEntityPolicy": NONE,
        },
        entity,
        "ReputationManagementPolicy",
        NONE,
    ),
    "tenant paused": (
        "update_reputation_entity_customer_managed_status",
        {
            "ReputationEntityType": "RESOURCE",
            "ReputationEntityReference": "{tenant}",
            "SendingStatus": "DISABLED",
        },
        entity,
        "SendingStatusAggregate",
        "DISABLED",
    ),
    "set's sending": (
        "put_configuration_set_sending_options",
        {"ConfigurationSetName": SET, "SendingEnabled": False},
        configuration_set,
        "SendingOptions.SendingEnabled",
        False,
    ),
    "account's sending": (
        "put_account_sending_attributes",
        {"SendingEnabled": False},
        account,
        "SendingEnabled",
        False,
    ),
    "DKIM off": (
        "put_email_identity_dkim_attributes",
        {"EmailIdentity": DOMAIN, "SigningEnabled": False},
        identity,
        "DkimAttributes.SigningEnabled",
        False,
    ),
    "DKIM key": (
        "put_email_identity_dkim_signing_attributes",
        {
            "EmailIdentity": DOMAIN,
            "SigningAttributesOrigin": "EXTERNAL",
            "SigningAttributes": {"DomainSigningSelector": "s1", "DomainSigningPrivateKey": "{key}"},
        },
        identity,
        "DkimAttributes.Tokens",
        ["s1"],
    ),
    "MAIL FROM": (
        "put_email_identity_mail_from_attributes",
        {"EmailIdentity": DOMAIN, "MailFromDomain": "x.mail.acme.example"},
        identity,
        "MailFromAttributes.MailFromDomain",
        "x.mail.acme.example",
    ),
    "default set": (
        "put_email_identity_configuration_set_attributes",
        {"EmailIdentity": DOMAIN},
        identity,
        "ConfigurationSetName",
        None,
    ),
    "feedback forwarding": (
        "put_email_identity_feedback_attributes",
        {"EmailIdentity": DOMAIN, "EmailForwardingEnabled": False},
        identity,
        "FeedbackForwardingStatus",
        False,
    ),
    "sending authorization": (
        "create_email_identity_policy",
        {
            "EmailIdentity": DOMAIN,
            "PolicyName": "p",
            "Policy": '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"ses:SendEmail"}]}',
        },
        identity,
        "Policies.p",
        '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"ses:SendEmail"}]}',
    ),
    "destination missing": (
        "delete_configuration_set_event_destination",
        {"ConfigurationSetName": SET, "EventDestinationName": "outcome"},
        destinations,
        "outcome",
        None,
    ),
    "destination disabled": (
        "update_configuration_set_event_destination",
        {
            "ConfigurationSetName": SET,
            "EventDestinationName": "outcome",
            "EventDestination": {
                "Enabled": False,
                "MatchingEventTypes": EVENTS,
                "SnsDestination": {"TopicArn": ELSEWHERE},
            },
        },
        destinations,
        "outcome",
        {
            "Name": "outcome",
            "Enabled": False,
            "MatchingEventTypes": EVENTS,
            "SnsDestination": {"TopicArn": ELSEWHERE},
        },
    ),
    "destination not ours": (
        "create_configuration_set_event_destination",
        {
            "ConfigurationSetName": SET,
            "EventDestinationName": "spy",
            "EventDestination": {
                "Enabled": True,
                "MatchingEventTypes": EVENTS,
                "SnsDestination": {"TopicArn": ELSEWHERE},
            },
        },
        destinations,
        "spy.Enabled",
        True,
    ),
    "TLS and delivery time": (
        "put_configuration_set_delivery_options",
        {"ConfigurationSetName": SET, "TlsPolicy": "OPTIONAL", "MaxDeliverySeconds": 300},
        configuration_set,
        "DeliveryOptions",
        {"TlsPolicy": "OPTIONAL", "MaxDeliverySeconds": 300},
    ),
    "tracking domain": (
        "put_configuration_set_tracking_options",
        {"ConfigurationSetName": SET, "CustomRedirectDomain": DOMAIN},
        configuration_set,
        "TrackingOptions.CustomRedirectDomain",
        DOMAIN,
    ),
    "engagement metrics": (
        "put_configuration_set_vdm_options",
        {"ConfigurationSetName": SET, "VdmOptions": {"DashboardOptions": {"EngagementMetrics": "ENABLED"}}},
        configuration_set,
        "VdmOptions.DashboardOptions.EngagementMetrics",
        "ENABLED",
    ),
    "account's engagement metrics": (
        "put_account_vdm_attributes",
        {"VdmAttributes": {"VdmEnabled": "ENABLED", "DashboardAttributes": {"EngagementMetrics": "ENABLED"}}},
        account,
        "VdmAttributes.DashboardAttributes.EngagementMetrics",
        "ENABLED",
    ),
    "tags": (
        "tag_resource",
        {"ResourceArn": "{tenant}", "Tags": [{"Key": "owner", "Value": "kim"}]},
        tenant,
        "Tags",
        [{"Key": "owner", "Value": "kim"}],
    ),
}


@pytest.fixture
def governed(world: World) -> World:
    """A tenant as a governor sets it up, and a second one beside it."""
    world.ready()
    world.destination(SET, {"EventBridgeDestination": {"EventBusArn": _BUS}}, EVENTS)
    world.ses.create_configuration_set_event_destination(
        ConfigurationSetName=SET,
        EventDestinationName="outcome",
        EventDestination={
            "Enabled": True,
            "MatchingEventTypes": EVENTS,
            "SnsDestination": {"TopicArn": ELSEWHERE},
        },
    )
    world.ses.put_email_identity_configuration_set_attributes(EmailIdentity=DOMAIN, ConfigurationSetName=SET)
    world.tenant("zen")
    world.admin("PUT", "/account", {"management_queue": "management"})
    return world


_BUS = "arn:aws:events:us-east-1:123456789012:event-bus/default"


def filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled(each, names) for name, each in value.items()}
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace("{" + name + "}", text)
    return value


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_behind_the_back_is_read_and_reported_once(governed: World, what: str) -> None:
    operation, members, read, path, expected = CHANGES[what]
    names = {"arn": governed.arn(""), "tenant": tenant(governed)["TenantArn"], "key": private_key()}
    assert at(read(governed), path) != expected
    getattr(governed.ses, operation)(**filled(members, names))
    assert at(read(governed), path) == expected
    [body] = governed.bodies(1, "management")
    record = json.loads(body)["detail"]
    assert record["eventName"] == "".join(part.capitalize() for part in operation.split("_"))
    assert "errorCode" not in record


def test_a_mail_from_that_fell_back_is_read(governed: World) -> None:
    """What nobody called, SES does not report."""
    governed.ses.put_email_identity_mail_from_attributes(
        EmailIdentity=DOMAIN, MailFromDomain="x.mail.acme.example"
    )
    governed.admin("PUT", f"/identities/{DOMAIN}", {"mail_from_status": "FAILED"})
    assert identity(governed)["MailFromAttributes"]["MailFromDomainStatus"] == "FAILED"
    assert len(governed.bodies(1, "management")) == 1


def pages(call: Any, key: str, **members: Any) -> list[list[Any]]:
    found: list[list[Any]] = []
    more: dict[str, str] = {}
    while True:
        answer = call(PageSize=3, **members, **more)
        found.append(answer[key])
        if "NextToken" not in answer:
            return found
        more = {"NextToken": answer["NextToken"]}


def test_the_lists_page_without_gaps_and_in_order(world: World) -> None:
    sets, domains, tenants = (
        [f"{kind}-{number}" for number in range(7)] for kind in ("set", "domain", "tenant")
    )
    for name in sets:
        world.ses.create_configuration_set(ConfigurationSetName=name)
    for name in domains:
        world.domain(f"{name}.example")
    shared = world.arn("identity/domain-0.example")
    for name in tenants:
        world.tenant(name, shared)
    for name in domains[1:]:
        world.ses.create_tenant_resource_association(
            TenantName="tenant-0", ResourceArn=world.arn(f"identity/{name}.example")
        )
    ses = world.ses
    arns = [world.arn(f"identity/{name}.example") for name in domains]
    assert _flat(pages(ses.list_configuration_sets, "ConfigurationSets")) == sets
    assert [each["IdentityName"] for each in _flat(pages(ses.list_email_identities, "EmailIdentities"))] == [
        f"{name}.example" for name in domains
    ]
    assert [each["TenantName"] for each in _flat(pages(ses.list_tenants, "Tenants"))] == tenants
    entities = _flat(pages(ses.list_reputation_entities, "ReputationEntities"))
    assert [each["ReputationEntityReference"].split("/")[1] for each in entities] == tenants
    resources = _flat(pages(ses.list_tenant_resources, "TenantResources", TenantName="tenant-0"))
    assert [each["ResourceArn"] for each in resources] == arns
    using = _flat(pages(ses.list_resource_tenants, "ResourceTenants", ResourceArn=shared))
    assert [each["TenantName"] for each in using] == tenants


def _flat(found: list[list[Any]]) -> list[Any]:
    assert [len(page) for page in found] == [3, 3, 1]
    return [each for page in found for each in page]
