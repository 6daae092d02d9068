"""Management operations: tenants and their resources, reputation entities, identities, configuration sets, event
destinations, the account and tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from seslocal_fixtures.keys import private_key

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

TOPIC = "arn:aws:sns:us-east-1:123456789012:events"


def test_a_tenant_is_created_read_listed_and_deleted(world: World) -> None:
    made = world.ses.create_tenant(TenantName="acme", Tags=[{"Key": "tier", "Value": "gold"}])
    assert re.fullmatch(r"tn-[0-9a-f]{30}", made["TenantId"])
    assert made["TenantArn"] == world.arn(f"tenant/acme/{made['TenantId']}")
    assert made["SendingStatus"] == "ENABLED"
    read = world.ses.get_tenant(TenantName="acme")["Tenant"]
    assert {k: read[k] for k in ("TenantId", "TenantArn", "Tags")} == {
        k: made[k] for k in ("TenantId", "TenantArn", "Tags")
    }
    assert [t.get("TenantName") for t in world.ses.list_tenants()["Tenants"]] == ["acme"]
    world.ses.delete_tenant(TenantName="acme")
    assert world.ses.list_tenants()["Tenants"] == []


def test_tenant_names_are_unique(world: World) -> None:
    world.tenant("acme")
    assert world.refused(world.ses.create_tenant, TenantName="acme") == (
        400,
        "AlreadyExistsException",
        "Tenant acme already exists.",
    )


def test_tenants_page_by_name_and_filter(world: World) -> None:
    for i in range(7):
        world.tenant(f"t{6 - i}")
    first = world.ses.list_tenants(PageSize=3)
    assert [t.get("TenantName") for t in first["Tenants"]] == ["t0", "t1", "t2"]
    world.ses.delete_tenant(TenantName="t2")
    second = world.ses.list_tenants(PageSize=3, NextToken=first["NextToken"])
    assert [t.get("TenantName") for t in second["Tenants"]] == ["t3", "t4", "t5"]
    world.admin("PUT", "/tenants/t4", {"aws_status": "DISABLED"})
    found = world.ses.list_tenants(Filter={"SENDING_STATUS": "DISABLED"})["Tenants"]
    assert [t.get("TenantName") for t in found] == ["t4"]
    found = world.ses.list_tenants(Filter={"TENANT_NAME_CONTAINS": "5"})["Tenants"]
    assert [t.get("TenantName") for t in found] == ["t5"]
    for wrong in ({"PageSize": 101}, {"PageSize": 0}, {"NextToken": "%%%"}, {"Filter": {"COLOUR": "red"}}):
        assert world.refused(world.ses.list_tenants, **wrong)[:2] == (400, "BadRequestException")
    assert world.refused(world.ses.list_reputation_entities, NextToken=first["NextToken"])[0] == 400


def test_associated_resources_are_listed_both_ways_and_cannot_be_deleted(world: World) -> None:
    identity, configuration_set = world.domain(), world.configuration_set()
    world.tenant("acme", identity, configuration_set)
    world.tenant("other", identity)
    found = world.ses.list_tenant_resources(TenantName="acme")["TenantResources"]
    assert found == [
        {"ResourceType": "CONFIGURATION_SET", "ResourceArn": configuration_set},
        {"ResourceType": "EMAIL_IDENTITY", "ResourceArn": identity},
    ]
    only = world.ses.list_tenant_resources(TenantName="acme", Filter={"RESOURCE_TYPE": "EMAIL_IDENTITY"})
    assert [r.get("ResourceArn") for r in only["TenantResources"]] == [identity]
    tenants = world.ses.list_resource_tenants(ResourceArn=identity)["ResourceTenants"]
    assert [t.get("TenantName") for t in tenants] == ["acme", "other"]
    refusal = (
        "Cannot delete {} because it has tenant associations. Remove all tenant associations and try again."
    )
    assert world.refused(world.ses.delete_email_identity, EmailIdentity="mail.acme.example") == (
        400,
        "BadRequestException",
        refusal.format(identity),
    )
    assert world.refused(world.ses.delete_configuration_set, ConfigurationSetName="acme-reset")[
        2
    ] == refusal.format(configuration_set)
    for name in ("acme", "other"):
        world.ses.delete_tenant(TenantName=name)
    world.ses.delete_email_identity(EmailIdentity="mail.acme.example")
    world.ses.delete_configuration_set(ConfigurationSetName="acme-reset")


def test_an_associated_resource_must_exist(world: World) -> None:
    world.tenant("acme")
    associate = world.ses.create_tenant_resource_association
    for resource, message in (
        ("identity/x.example", "Identity <x.example> does not exist."),
        ("configuration-set/x", "Configuration set <x> does not exist."),
        ("template/x", "Template <x> does not exist."),
    ):
        assert world.refused(associate, TenantName="acme", ResourceArn=world.arn(resource)) == (
            404,
            "NotFoundException",
            message,
        )
    for arn in (
        "arn:aws:ses:eu-west-1:123456789012:identity/x.example",
        "arn:aws:ses:us-east-1:111111111111:identity/x.example",
        "nonsense",
        "arn:aws:ses:us-east-1:123456789012:dedicated-ip-pool/x",
    ):
        assert world.refused(associate, TenantName="acme", ResourceArn=arn)[:2] == (
            400,
            "BadRequestException",
        )


def test_associating_twice_is_an_error_by_default_and_dissociating_twice_is_not(world: World) -> None:
    identity = world.domain()
    world.tenant("acme", identity)
    params = {"TenantName": "acme", "ResourceArn": identity}
    assert world.refused(world.ses.create_tenant_resource_association, **params)[:2] == (
        400,
        "AlreadyExistsException",
    )
    world.admin("PUT", "/account", {"behaviour": {"association_twice_is_error": False}})
    world.ses.create_tenant_resource_association(**params)
    world.ses.delete_tenant_resource_association(**params)
    world.ses.delete_tenant_resource_association(**params)
    assert world.ses.list_tenant_resources(TenantName="acme")["TenantResources"] == []
    assert world.ses.list_resource_tenants(ResourceArn=identity)["ResourceTenants"] == []


def test_a_reputation_entity_shows_both_records_and_its_policy_can_be_set(world: World) -> None:
    arn = world.tenant("acme")
    where: Any = {"ReputationEntityType": "RESOURCE", "ReputationEntityReference": arn}
    policy = "arn:aws:ses:us-east-1:aws:reputation-policy/{}"
    entity = world.ses.get_reputation_entity(**where)["ReputationEntity"]
    assert entity.get("ReputationManagementPolicy") == policy.format("standard")
    assert "ReputationImpact" not in entity
    world.ses.update_reputation_entity_policy(**where, ReputationEntityPolicy=policy.format("strict"))
    world.ses.update_reputation_entity_customer_managed_status(**where, SendingStatus="REINSTATED")
    world.admin("PUT", "/tenants/acme", {"impact": "HIGH"})
    entity = world.ses.get_reputation_entity(**where)["ReputationEntity"]
    assert entity.get("ReputationManagementPolicy") == policy.format("strict")
    assert entity.get("CustomerManagedStatus", {}).get("Cause") == "Status manually updated."
    assert (entity.get("SendingStatusAggregate"), entity.get("ReputationImpact")) == ("REINSTATED", "HIGH")
    found = world.ses.list_reputation_entities(Filter={"REPUTATION_IMPACT": "HIGH"})["ReputationEntities"]
    assert [e.get("ReputationEntityReference") for e in found] == [arn]
    assert (
        world.ses.list_reputation_entities(Filter={"SENDING_STATUS": "DISABLED"})["ReputationEntities"] == []
    )
    assert world.refused(world.ses.update_reputation_entity_policy, **where, ReputationEntityPolicy="arn:x")[
        :2
    ] == (
        400,
        "BadRequestException",
    )
    where["ReputationEntityReference"] = arn + "0"
    assert world.refused(world.ses.get_reputation_entity, **where)[:2] == (404, "NotFoundException")
    assert world.refused(
        world.ses.update_reputation_entity_customer_managed_status, **where, SendingStatus="ENABLED"
    )[:2] == (400, "BadRequestException")


def test_a_domain_is_verified_at_once_with_easy_dkim(world: World) -> None:
    made = world.ses.create_email_identity(EmailIdentity="Mail.Acme.Example")
    assert (made["IdentityType"], made["VerifiedForSendingStatus"]) == ("DOMAIN", True)
    dkim = made["DkimAttributes"]
    assert len(set(dkim.get("Tokens", []))) == 3
    assert (dkim.get("Status"), dkim.get("SigningHostedZone")) == ("SUCCESS", "dkim.amazonses.com")
    read = world.ses.get_email_identity(EmailIdentity="mail.acme.example")
    assert read["DkimAttributes"] == dkim
    assert read["VerificationStatus"] == "SUCCESS"
    assert read["FeedbackForwardingStatus"] is True
    world.ses.put_email_identity_feedback_attributes(EmailIdentity="mail.acme.example")
    assert (
        world.ses.get_email_identity(EmailIdentity="mail.acme.example")["FeedbackForwardingStatus"] is False
    )


def test_a_domain_can_be_set_to_pending_and_failed(world: World) -> None:
    world.admin("PUT", "/account", {"behaviour": {"verify_at_once": False}})
    made = world.ses.create_email_identity(EmailIdentity="mail.acme.example")
    assert (made["VerifiedForSendingStatus"], made["DkimAttributes"].get("Status")) == (False, "NOT_STARTED")
    read = world.ses.get_email_identity(EmailIdentity="mail.acme.example")
    assert (read["VerificationStatus"], read["DkimAttributes"].get("Status")) == ("PENDING", "PENDING")
    world.admin("PUT", "/identities/mail.acme.example", {"status": "FAILED"})
    read = world.ses.get_email_identity(EmailIdentity="mail.acme.example")
    assert (read["VerificationStatus"], read["VerifiedForSendingStatus"]) == ("FAILED", False)
    assert read["VerificationInfo"].get("ErrorType") == "HOST_NOT_FOUND"
    found = world.ses.list_email_identities(Filter={"VERIFICATION_STATUS": "FAILED"})["EmailIdentities"]
    assert [(i.get("IdentityName"), i.get("SendingEnabled")) for i in found] == [("mail.acme.example", False)]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("QUJD", "it is not an RSA private key in base64 without PEM header and footer"),
        (private_key(bits=3072), "it has 3072 bits, not 1024 to 2048"),
        (private_key(curve=True), "it is not an RSA key"),
    ],
)
def test_an_invalid_dkim_key_is_refused(world: World, key: str, why: str) -> None:
    own = {"DomainSigningSelector": "s1", "DomainSigningPrivateKey": key}
    refused = world.refused(
        world.ses.create_email_identity, EmailIdentity="own.example", DkimSigningAttributes=own
    )
    assert refused == (400, "BadRequestException", f"The DomainSigningPrivateKey cannot be used: {why}.")


def test_the_dkim_key_length_can_change_once_a_day(world: World) -> None:
    world.domain("acme.example")

    def put(length: str) -> Any:
        return world.ses.put_email_identity_dkim_signing_attributes(
            EmailIdentity="acme.example",
            SigningAttributesOrigin="AWS_SES",
            SigningAttributes={"NextSigningKeyLength": length},
        )

    world.admin("PUT", "/clock", {"advance": 60})
    put("RSA_1024_BIT")
    assert world.refused(lambda: put("RSA_2048_BIT"))[:2] == (400, "BadRequestException")
    world.admin("PUT", "/clock", {"advance": 86400})
    put("RSA_2048_BIT")


def test_requesting_the_same_dkim_keys_again_keeps_them(world: World) -> None:
    tokens = world.ses.create_email_identity(EmailIdentity="acme.example")["DkimAttributes"]["Tokens"]
    put = world.ses.put_email_identity_dkim_signing_attributes
    assert put(EmailIdentity="acme.example", SigningAttributesOrigin="AWS_SES")["DkimTokens"] == tokens


def test_an_address_has_its_domains_dkim(world: World) -> None:
    world.ses.create_email_identity(EmailIdentity="kim@acme.example")
    assert signing(world, "kim@acme.example") == {
        "SigningEnabled": False,
        "Status": "NOT_STARTED",
        "Tokens": [],
    }
    put = world.ses.put_email_identity_dkim_attributes
    refusal = (400, "BadRequestException", "Domain acme.example is not verified for DKIM signing.")
    assert world.refused(put, EmailIdentity="kim@acme.example", SigningEnabled=True) == refusal
    assert world.refused(put, EmailIdentity="acme.example", SigningEnabled=True) == refusal
    world.domain("acme.example")
    assert signing(world, "kim@acme.example") == signing(world, "acme.example")
    put(EmailIdentity="kim@acme.example", SigningEnabled=False)  # succeeds and changes nothing
    assert signing(world, "acme.example")["SigningEnabled"] is True
    put(EmailIdentity="acme.example", SigningEnabled=False)
    assert signing(world, "kim@acme.example")["SigningEnabled"] is False


def signing(world: World, name: str) -> Any:
    return world.ses.get_email_identity(EmailIdentity=name)["DkimAttributes"]


def test_a_replica_has_no_own_dkim_keys(world: World) -> None:
    create = world.ses.create_email_identity
    replica = {"DomainSigningAttributesOrigin": "AWS_SES_EU_WEST_1"}
    made = create(EmailIdentity="acme.example", DkimSigningAttributes=replica)
    assert (made["VerifiedForSendingStatus"], made["DkimAttributes"].get("SigningAttributesOrigin")) == (
        True,
        "AWS_SES_EU_WEST_1",
    )
    for more in (
        {"NextSigningKeyLength": "RSA_2048_BIT"},
        {"DomainSigningSelector": "s", "DomainSigningPrivateKey": private_key()},
    ):
        given = {**replica, **more}
        refused = world.refused(create, EmailIdentity="b.example", DkimSigningAttributes=given)
        assert refused[:2] == (400, "BadRequestException")


@pytest.mark.parametrize(
    ("name", "given", "why"),
    [
        ("kim@acme.example", {}, "The EmailIdentity value must be a valid domain."),
        (
            "acme.example",
            {"DomainSigningAttributesOrigin": "AWS_SES"},
            "DomainSigningAttributesOrigin cannot be given here; use SigningAttributesOrigin.",
        ),
    ],
)
def test_invalid_signing_attributes_are_refused(
    world: World, name: str, given: dict[str, str], why: str
) -> None:
    world.domain("acme.example")
    refused = world.refused(
        world.ses.put_email_identity_dkim_signing_attributes,
        EmailIdentity=name,
        SigningAttributesOrigin="AWS_SES",
        SigningAttributes=given,
    )
    assert refused == (400, "BadRequestException", why)


def test_a_customers_dkim_key_shows_its_selector(world: World) -> None:
    own = {"DomainSigningSelector": "s1", "DomainSigningPrivateKey": private_key()}
    made = world.ses.create_email_identity(EmailIdentity="own.example", DkimSigningAttributes=own)
    assert made["DkimAttributes"].get("SigningAttributesOrigin") == "EXTERNAL"
    assert made["DkimAttributes"].get("Tokens") == ["s1"]
    wrong = {**own, "NextSigningKeyLength": "RSA_2048_BIT"}
    refused = world.refused(
        world.ses.create_email_identity, EmailIdentity="x.example", DkimSigningAttributes=wrong
    )
    assert refused[:2] == (400, "BadRequestException")
    answer = world.ses.put_email_identity_dkim_signing_attributes(
        EmailIdentity="own.example", SigningAttributesOrigin="AWS_SES"
    )
    assert len(answer["DkimTokens"]) == 3


def test_mail_from_must_be_a_sub_domain_of_the_identity(world: World) -> None:
    world.domain("acme.example")
    put = world.ses.put_email_identity_mail_from_attributes
    assert world.refused(put, EmailIdentity="acme.example", MailFromDomain="bounce.other.example")[0] == 400
    put(EmailIdentity="acme.example", MailFromDomain="bounce.acme.example")
    read = world.ses.get_email_identity(EmailIdentity="acme.example")
    assert read["MailFromAttributes"] == {
        "MailFromDomain": "bounce.acme.example",
        "MailFromDomainStatus": "SUCCESS",
        "BehaviorOnMxFailure": "USE_DEFAULT_VALUE",
    }
    put(EmailIdentity="acme.example", BehaviorOnMxFailure="REJECT_MESSAGE")
    read = world.ses.get_email_identity(EmailIdentity="acme.example")
    assert read["MailFromAttributes"] == {"BehaviorOnMxFailure": "USE_DEFAULT_VALUE"}


def test_invalid_duplicate_and_missing_identities_are_refused(world: World) -> None:
    world.domain()
    create = world.ses.create_email_identity
    assert world.refused(create, EmailIdentity="mail.acme.example")[:2] == (400, "AlreadyExistsException")
    for name in ("no dots", "a@b@c.example", "-x.example", "x..example", "ü.example", "kim@nowhere"):
        assert world.refused(create, EmailIdentity=name)[:2] == (400, "BadRequestException")
    assert world.refused(create, EmailIdentity="b.example", ConfigurationSetName="none")[:2] == (
        404,
        "NotFoundException",
    )
    assert world.refused(world.ses.get_email_identity, EmailIdentity="b.example")[:2] == (
        404,
        "NotFoundException",
    )


def test_older_list_paths_work(world: World) -> None:
    world.domain("a.example")
    world.domain("b.example")
    world.configuration_set("one")
    status, body = world.http("GET", "/v2/email/identities?PageSize=1")
    assert (status, b'"a.example"' in body, b'"b.example"' in body, b"NextToken" in body) == (
        200,
        True,
        False,
        True,
    )
    assert world.http("GET", "/v2/email/configuration-sets") == (200, b'{"ConfigurationSets":["one"]}')
    assert [i.get("IdentityName") for i in world.ses.list_email_identities()["EmailIdentities"]] == [
        "a.example",
        "b.example",
    ]
    assert world.ses.list_configuration_sets()["ConfigurationSets"] == ["one"]


def test_a_configuration_set_keeps_all_its_options(world: World) -> None:
    world.domain("acme.example")
    options: dict[str, Any] = {
        "TrackingOptions": {"CustomRedirectDomain": "t.acme.example", "HttpsPolicy": "REQUIRE"},
        "DeliveryOptions": {"TlsPolicy": "REQUIRE", "MaxDeliverySeconds": 300},
        "ReputationOptions": {"ReputationMetricsEnabled": True},
        "SendingOptions": {"SendingEnabled": True},
        "SuppressionOptions": {"SuppressedReasons": [], "SuppressionScope": "TENANT"},
        "VdmOptions": {"DashboardOptions": {"EngagementMetrics": "ENABLED"}},
        "Tags": [{"Key": "a", "Value": "b"}],
    }
    world.ses.create_configuration_set(ConfigurationSetName="full", **options)
    read: Any = world.ses.get_configuration_set(ConfigurationSetName="full")
    del read["ResponseMetadata"]
    assert read == {"ConfigurationSetName": "full", **options}


def test_a_put_replaces_its_whole_group(world: World) -> None:
    world.ses.create_configuration_set(
        ConfigurationSetName="s",
        DeliveryOptions={"TlsPolicy": "REQUIRE", "MaxDeliverySeconds": 300},
        SuppressionOptions={"SuppressedReasons": ["BOUNCE"], "SuppressionScope": "TENANT"},
        ReputationOptions={"ReputationMetricsEnabled": True},
    )
    world.ses.put_configuration_set_delivery_options(ConfigurationSetName="s", MaxDeliverySeconds=600)
    world.ses.put_configuration_set_suppression_options(
        ConfigurationSetName="s", SuppressedReasons=["COMPLAINT"]
    )
    world.ses.put_configuration_set_sending_options(ConfigurationSetName="s")
    world.ses.put_configuration_set_reputation_options(ConfigurationSetName="s")
    world.ses.put_configuration_set_vdm_options(
        ConfigurationSetName="s", VdmOptions={"GuardianOptions": {"OptimizedSharedDelivery": "DISABLED"}}
    )
    read = world.ses.get_configuration_set(ConfigurationSetName="s")
    assert read["DeliveryOptions"] == {"MaxDeliverySeconds": 600}
    assert read["SuppressionOptions"] == {"SuppressedReasons": ["COMPLAINT"]}
    assert read["SendingOptions"] == {"SendingEnabled": False}
    assert read["ReputationOptions"] == {"ReputationMetricsEnabled": False}
    assert read["VdmOptions"] == {"GuardianOptions": {"OptimizedSharedDelivery": "DISABLED"}}


def test_invalid_duplicate_and_missing_configuration_sets_are_refused(world: World) -> None:
    create = world.ses.create_configuration_set
    create(ConfigurationSetName="s")
    assert world.refused(create, ConfigurationSetName="s")[:2] == (400, "AlreadyExistsException")
    assert world.refused(create, ConfigurationSetName="has space")[:2] == (400, "BadRequestException")
    wrong = world.refused(create, ConfigurationSetName="t", DeliveryOptions={"MaxDeliverySeconds": 10})
    assert wrong[2].endswith(
        "at 'deliveryOptions.maxDeliverySeconds' failed to satisfy constraint: "
        "Member must have value greater than or equal to 300"
    )
    for call in (world.ses.get_configuration_set, world.ses.delete_configuration_set):
        assert world.refused(call, ConfigurationSetName="none") == (
            404,
            "NotFoundException",
            "Configuration set <none> does not exist.",
        )
    world.domain("a.example")
    world.ses.put_email_identity_configuration_set_attributes(
        EmailIdentity="a.example", ConfigurationSetName="s"
    )
    assert world.refused(world.ses.delete_configuration_set, ConfigurationSetName="s")[0] == 400


def test_event_destinations_are_created_read_updated_and_deleted(world: World) -> None:
    world.ses.create_configuration_set(ConfigurationSetName="s")
    world.destination("s", {"SnsDestination": {"TopicArn": TOPIC}}, ["SEND", "BOUNCE"])
    where = {"ConfigurationSetName": "s", "EventDestinationName": "d-SnsDestination"}
    [read] = world.ses.get_configuration_set_event_destinations(ConfigurationSetName="s")["EventDestinations"]
    assert read == {
        "Name": "d-SnsDestination",
        "Enabled": True,
        "MatchingEventTypes": ["SEND", "BOUNCE"],
        "SnsDestination": {"TopicArn": TOPIC},
    }
    world.ses.update_configuration_set_event_destination(
        **where, EventDestination={"MatchingEventTypes": ["SEND"], "SnsDestination": {"TopicArn": TOPIC}}
    )
    [read] = world.ses.get_configuration_set_event_destinations(ConfigurationSetName="s")["EventDestinations"]
    assert (read.get("Enabled"), read["MatchingEventTypes"]) == (False, ["SEND"])
    world.ses.delete_configuration_set_event_destination(**where)
    assert world.refused(world.ses.delete_configuration_set_event_destination, **where)[:2] == (
        404,
        "NotFoundException",
    )


@pytest.mark.parametrize(
    "destination",
    [
        {"MatchingEventTypes": ["SEND"]},
        {"MatchingEventTypes": [], "SnsDestination": {"TopicArn": TOPIC}},
        {"MatchingEventTypes": ["SENT"], "SnsDestination": {"TopicArn": TOPIC}},
        {"MatchingEventTypes": ["SEND"], "SnsDestination": {"TopicArn": TOPIC + ".fifo"}},
        {
            "MatchingEventTypes": ["SEND"],
            "SnsDestination": {"TopicArn": TOPIC.replace("us-east-1", "eu-west-1")},
        },
        {
            "MatchingEventTypes": ["SEND"],
            "EventBridgeDestination": {"EventBusArn": "arn:aws:events:x:y:event-bus/z"},
        },
        {
            "MatchingEventTypes": ["SEND"],
            "SnsDestination": {"TopicArn": TOPIC},
            "EventBridgeDestination": {
                "EventBusArn": "arn:aws:events:us-east-1:123456789012:event-bus/default"
            },
        },
    ],
)
def test_invalid_event_destinations_are_refused(world: World, destination: dict[str, Any]) -> None:
    world.ses.create_configuration_set(ConfigurationSetName="s")
    refused = world.refused(
        world.ses.create_configuration_set_event_destination,
        ConfigurationSetName="s",
        EventDestinationName="d",
        EventDestination=destination,
    )
    assert refused[:2] == (400, "BadRequestException")


def test_a_set_has_at_most_ten_event_destinations(world: World) -> None:
    world.ses.create_configuration_set(ConfigurationSetName="s")

    def add(name: str) -> None:
        world.ses.create_configuration_set_event_destination(
            ConfigurationSetName="s",
            EventDestinationName=name,
            EventDestination={"MatchingEventTypes": ["SEND"], "SnsDestination": {"TopicArn": TOPIC}},
        )

    for i in range(10):
        add(f"d{i}")
    assert world.refused(lambda: add("d0"))[:2] == (400, "AlreadyExistsException")
    assert world.refused(lambda: add("d10"))[:2] == (400, "LimitExceededException")


def test_every_resource_with_an_arn_has_tags(world: World) -> None:
    for arn in (world.domain(), world.configuration_set(), world.tenant("acme")):
        world.ses.tag_resource(ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        world.ses.untag_resource(ResourceArn=arn, TagKeys=["a"])
        assert world.ses.list_tags_for_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": "2"}]
    assert world.ses.get_tenant(TenantName="acme")["Tenant"].get("Tags") == [{"Key": "b", "Value": "2"}]
    missing = world.arn("identity/none.example")
    assert world.refused(world.ses.list_tags_for_resource, ResourceArn=missing)[:2] == (
        404,
        "NotFoundException",
    )
    assert world.refused(world.ses.list_tags_for_resource, ResourceArn="x")[:2] == (
        400,
        "BadRequestException",
    )


def test_unimplemented_operations_check_their_input_first(world: World) -> None:
    status, code, message = world.refused(world.ses.get_deliverability_test_report, ReportId="r")
    assert (status, code) == (400, "NotImplementedException")
    assert "GetDeliverabilityTestReport" in message
    refused = world.refused(world.ses.create_deliverability_test_report, FromEmailAddress="a@acme.example")
    assert refused[:2] == (400, "BadRequestException")
