"""Management calls as CloudTrail reports them through EventBridge: what is reported, to whom, and how faults lose it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from seslocal.clock import iso
from seslocal_fixtures.keys import private_key

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

QUEUE = "management"
HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"


@pytest.fixture
def watched(world: World) -> World:
    world.admin("PUT", "/account", {"management_queue": QUEUE})
    return world


def reported(world: World, count: int) -> list[dict[str, Any]]:
    """The next records, and no others."""
    found = [json.loads(body) for body in world.bodies(count, QUEUE)]
    assert len(found) == count
    return [event["detail"] for event in found]


def is_quiet(world: World) -> bool:
    asked = world.sqs.get_queue_attributes(QueueUrl=world.queue(QUEUE), AttributeNames=["All"])["Attributes"]
    return asked["ApproximateNumberOfMessages"] == "0"


def test_a_call_is_reported_as_cloudtrail_does(watched: World) -> None:
    answer = watched.ses.create_email_identity(
        EmailIdentity="mail.acme.example", Tags=[{"Key": "tier", "Value": "gold"}]
    )
    [body] = watched.bodies(1, QUEUE)
    event = json.loads(body)
    assert event["source"] == "aws.ses"
    assert event["detail-type"] == "AWS API Call via CloudTrail"
    assert event["resources"] == []
    record = event["detail"]
    assert record["eventTime"] == event["time"]
    assert record["eventSource"] == "ses.amazonaws.com"
    assert record["eventName"] == "CreateEmailIdentity"
    assert (record["eventType"], record["readOnly"], record["managementEvent"]) == ("AwsApiCall", False, True)
    assert record["requestParameters"] == {
        "emailIdentity": "mail.acme.example",
        "tags": [{"key": "tier", "value": "gold"}],
    }
    assert record["responseElements"]["identityType"] == "DOMAIN"
    assert record["requestID"] == answer["ResponseMetadata"]["RequestId"]
    assert "errorCode" not in record
    assert record["userIdentity"] == {
        "type": "IAMUser",
        "arn": "arn:aws:iam::123456789012:user/test",
        "principalId": "test",
        "accountId": "123456789012",
        "accessKeyId": "test",
        "userName": "test",
    }
    assert record["sourceIPAddress"] == "127.0.0.1"
    assert record["userAgent"].startswith("Boto3/")


def test_a_refused_call_is_reported_with_its_error(watched: World) -> None:
    code, name, message = watched.refused(watched.ses.delete_tenant, TenantName="acme")
    [record] = reported(watched, 1)
    assert (code, record["errorCode"], record["errorMessage"]) == (404, name, message)
    assert record["requestParameters"] == {"tenantName": "acme"}
    assert record["responseElements"] is None


def test_a_call_whose_response_is_lost_is_reported(watched: World) -> None:
    watched.fault("accept_lose_answer", count=1, operation="CreateTenant")
    with pytest.raises(Exception, match="Connection was closed"):
        watched.ses.create_tenant(TenantName="acme")
    [record] = reported(watched, 1)
    assert record["eventName"] == "CreateTenant"
    assert watched.ses.get_tenant(TenantName="acme")


def test_reading_and_sending_are_not_reported(watched: World) -> None:
    watched.ready()
    made = [record["eventName"] for record in reported(watched, 6)]
    assert made == [
        "CreateEmailIdentity",
        "CreateConfigurationSet",
        "CreateConfigurationSetEventDestination",
        "CreateTenant",
        "CreateTenantResourceAssociation",
        "CreateTenantResourceAssociation",
    ]
    watched.send("kim@example.com")
    watched.ses.list_tenants()
    watched.ses.get_account()
    assert is_quiet(watched)


def test_a_trail_of_data_events_reports_calls_that_send_without_what_is_private(watched: World) -> None:
    watched.ready()
    reported(watched, 6)
    watched.admin("PUT", "/account", {"data_events": True})
    made = watched.ses.send_email(
        FromEmailAddress="Shop <shop@mail.acme.example>",
        Destination={"ToAddresses": ["kim@example.com", "lee@example.com"], "CcAddresses": ["b@example.com"]},
        Content={"Simple": {"Subject": {"Data": "for Kim"}, "Body": {"Text": {"Data": "secret"}}}},
        EmailTags=[{"Name": "campaign", "Value": "spring"}],
    )
    [record] = reported(watched, 1)
    assert (record["eventName"], record["eventCategory"]) == ("SendEmail", "Data")
    assert (record["managementEvent"], record["readOnly"]) == (False, True)
    assert record["resources"] == [
        {
            "accountId": "123456789012",
            "type": "AWS::SES::EmailIdentity",
            "ARN": "arn:aws:ses:us-east-1:123456789012:identity/mail.acme.example",
        }
    ]
    assert record["additionalEventData"] == {"sesMessageId": made["MessageId"]}
    asked = record["requestParameters"]
    assert asked["emailTags"] == [{"name": "campaign", "value": "spring"}]
    assert asked["destination"] == {"toAddresses": [HIDDEN, HIDDEN], "ccAddresses": [HIDDEN]}
    assert not [word for word in ("kim@", "for Kim", "secret") if word in json.dumps(record)]


def test_data_events_of_older_calls_and_of_refused_ones(watched: World, v1: Any) -> None:
    watched.ready()
    reported(watched, 6)
    watched.admin("PUT", "/account", {"data_events": True})
    raw = b"From: shop@mail.acme.example\r\nTo: kim@example.com\r\nSubject: x\r\n\r\nsecret"
    made = v1.send_raw_email(RawMessage={"Data": raw}, Destinations=["kim@example.com"])
    watched.refused(
        watched.ses.send_email,
        FromEmailAddress="shop@unknown.example",
        Destination={"ToAddresses": ["kim@example.com"]},
        Content={"Raw": {"Data": raw}},
    )
    first, second = reported(watched, 2)
    assert first["requestParameters"] == {"rawMessage": {"data": HIDDEN}, "destinations": [HIDDEN]}
    assert first["additionalEventData"] == {"sesMessageId": made["MessageId"]}
    assert first["resources"][0]["ARN"].endswith("identity/mail.acme.example")
    assert second["errorCode"] == "MessageRejected"
    assert "additionalEventData" not in second


def test_older_calls_are_reported_in_their_own_words(watched: World, v1: Any) -> None:
    v1.verify_domain_identity(Domain="mail.acme.example")
    answer = v1.set_identity_dkim_enabled(Identity="mail.acme.example", DkimEnabled=False)
    v1.list_identities()
    first, second = reported(watched, 2)
    assert (first["eventName"], first["requestParameters"]) == (
        "VerifyDomainIdentity",
        {"domain": "mail.acme.example"},
    )
    assert second["eventName"] == "SetIdentityDkimEnabled"
    assert second["requestID"] == answer["ResponseMetadata"]["RequestId"]


def test_keys_and_content_are_hidden(watched: World) -> None:
    secret = private_key()
    watched.ses.create_email_identity(
        EmailIdentity="mail.acme.example",
        DkimSigningAttributes={"DomainSigningSelector": "s1", "DomainSigningPrivateKey": secret},
    )
    watched.ses.create_email_template(TemplateName="t", TemplateContent={"Subject": "s", "Text": "a secret"})
    identity, template = reported(watched, 2)
    assert identity["requestParameters"]["dkimSigningAttributes"] == {
        "domainSigningSelector": "s1",
        "domainSigningPrivateKey": "HIDDEN_DUE_TO_SECURITY_REASONS",
    }
    assert template["requestParameters"]["templateContent"] == "HIDDEN_DUE_TO_SECURITY_REASONS"


def test_temporary_credentials_are_reported_as_a_role(watched: World) -> None:
    watched.admin("PUT", "/keys/ASIAOPS", {"secret": "s", "session_token": "t", "user": "ops"})
    client = boto3.client(
        "sesv2",
        endpoint_url=watched.local.url,
        region_name="us-east-1",
        aws_access_key_id="ASIAOPS",
        aws_secret_access_key="s",
        aws_session_token="t",
    )
    client.create_tenant(TenantName="acme")
    client.close()
    [record] = reported(watched, 1)
    identity = record["userIdentity"]
    assert (identity["type"], identity["arn"]) == (
        "AssumedRole",
        "arn:aws:sts::123456789012:assumed-role/ops/session",
    )
    assert identity["sessionContext"]["sessionIssuer"]["userName"] == "ops"


def test_management_events_go_to_their_own_queue_only(watched: World) -> None:
    watched.admin("PUT", "/account", {"event_bus_queue": "bus"})
    arn = watched.tenant()
    watched.ses.update_reputation_entity_customer_managed_status(
        ReputationEntityType="RESOURCE", ReputationEntityReference=arn, SendingStatus="DISABLED"
    )
    [status] = [json.loads(body)["detail-type"] for body in watched.bodies(1, "bus")]
    assert status == "Sending Status Disabled"
    assert [one["eventName"] for one in reported(watched, 2)] == [
        "CreateTenant",
        "UpdateReputationEntityCustomerManagedStatus",
    ]


def test_management_events_can_be_lost(watched: World) -> None:
    watched.fault("drop_management_events", operation="DeleteTenant", count=1)
    watched.tenant()
    watched.ses.delete_tenant(TenantName="acme")
    watched.tenant()
    assert [one["eventName"] for one in reported(watched, 2)] == ["CreateTenant", "CreateTenant"]


def test_management_events_can_be_late(watched: World) -> None:
    watched.admin("PUT", "/clock", {"frozen": True})
    watched.fault("delay_management_events", seconds=300)
    before = watched.local.account.clock.now()
    watched.tenant()
    assert is_quiet(watched)
    watched.admin("PUT", "/clock", {"advance": 301})
    [body] = watched.bodies(1, QUEUE)
    assert json.loads(body)["time"] == iso(before)[:19] + "Z"


def test_without_a_queue_nothing_is_reported(world: World) -> None:
    world.tenant()
    assert QUEUE not in world.local.account.queues.by_name
