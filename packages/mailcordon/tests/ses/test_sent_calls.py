"""CloudTrail's data events of SES: who sent what. The records are those of AWS's page on logging SES's calls."""

import json
from typing import Any

import pytest

from mailcordon.adapters.ses import management_events
from mailcordon.control.hints import Call
from mailcordon.core.event import NO_TIME
from mailcordon.core.ungoverned import SentCall

HIDDEN = "HIDDEN_DUE_TO_SECURITY_REASONS"
RECORD: dict[str, Any] = {
    "eventVersion": "1.11",
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": "AROA4DO2KAWIPZEXAMPLE:myUserName",
        "arn": "arn:aws:sts::111122223333:assumed-role/admin-role/myUserName",
        "accountId": "111122223333",
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "arn": "arn:aws:iam::111122223333:role/admin-role",
                "accountId": "111122223333",
                "userName": "admin-role",
            }
        },
    },
    "eventTime": "2025-03-05T19:16:29Z",
    "eventSource": "ses.amazonaws.com",
    "eventName": "SendEmail",
    "awsRegion": "us-east-1",
    "sourceIPAddress": "192.0.2.0",
    "userAgent": "aws-cli/2.23.4",
    "requestParameters": {
        "fromEmailAddress": "sender@example.com",
        "destination": {
            "toAddresses": [HIDDEN],
            "bccAddresses": [HIDDEN],
            "ccAddresses": [HIDDEN],
        },
        "emailTags": [{"value": "test", "name": "campaign"}, {"value": "cli-test", "name": "sender"}],
        "replyToAddresses": [HIDDEN],
        "content": {"template": {"templateData": HIDDEN, "templateName": "TestTemplate"}},
    },
    "responseElements": None,
    "additionalEventData": {"sesMessageId": "01000100a11a11aa-00aa0a00"},
    "requestID": "50b87bfe-ab23-11e4-9106-5b36376f9d12",
    "eventID": "0ffa308d-1467-4259-8be3-c749753be325",
    "readOnly": True,
    "resources": [
        {
            "accountId": "111122223333",
            "type": "AWS::SES::Template",
            "ARN": "arn:aws:ses:us-east-1:111122223333:template/TestTemplate",
        },
        {
            "accountId": "111122223333",
            "type": "AWS::SES::EmailIdentity",
            "ARN": "arn:aws:ses:us-east-1:111122223333:identity/sender@example.com",
        },
    ],
    "eventType": "AwsApiCall",
    "managementEvent": False,
    "recipientAccountId": "111122223333",
    "eventCategory": "Data",
}


def decoded(region: str = "us-east-1", **over: Any) -> Call | SentCall | None:
    envelope = {
        "source": "aws.ses",
        "detail-type": "AWS API Call via CloudTrail",
        "detail": {name: value for name, value in (RECORD | over).items() if value != "absent"},
    }
    return management_events.decode(json.dumps(envelope), region)


def sent(**over: Any) -> SentCall:
    found = decoded(**over)
    assert isinstance(found, SentCall)
    return found


def test_a_record_tells_identity_caller_number_of_recipients_and_ses_id() -> None:
    seen = sent().sighting
    assert (seen.identity, seen.caller, seen.ses_id) == (
        "sender@example.com",
        "admin-role",
        "01000100a11a11aa-00aa0a00",
    )
    assert (seen.recipients, seen.sends, seen.at) == (3, True, 1_741_202_189_000)
    assert {fact.value: value for fact, value in seen.facts.items()} == {
        "nets": "cloudtrail",
        "source_ips": "192.0.2.0",
        "operations": "SendEmail",
        "services": "AWS CLI",
        "arns": "arn:aws:sts::111122223333:assumed-role/admin-role",
        "accounts": "111122223333",
        "examples": "01000100a11a11aa-00aa0a00",
    }
    assert sent().tags == {"campaign": "test", "sender": "cli-test"}


def test_a_user_the_root_and_a_service_are_named() -> None:
    user = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/team/ci", "userName": "ci"}
    assert sent(userIdentity=user).sighting.caller == "ci"
    root = {"type": "Root", "arn": "arn:aws:iam::111122223333:root"}
    assert sent(userIdentity=root).sighting.caller == "root"
    service = {"type": "AWSService", "invokedBy": "cognito-idp.amazonaws.com"}
    found = sent(userIdentity=service).sighting
    assert found.caller == "cognito-idp.amazonaws.com"
    assert sent(userIdentity="absent").sighting.caller == ""


def test_without_a_resource_the_senders_domain_is_the_identity() -> None:
    assert sent(resources=[]).sighting.identity == "example.com"
    asked = {"source": "Shop <shop@Mail.Acme.Example>", "tags": []}
    found = sent(resources="absent", requestParameters=asked)
    assert (found.sighting.identity, found.tags) == ("mail.acme.example", None)


def test_names_that_would_disguise_themselves_are_made_harmless() -> None:
    user = {"type": "IAMUser", "userName": "ci\u202etxt"}
    found = sent(userIdentity=user, resources=[], requestParameters={"source": "a@x\u200b.example"}).sighting
    assert (found.caller, found.identity) == ("ci\ufffdtxt", "x\ufffd.example")


def test_a_refused_call_sent_no_mail() -> None:
    assert decoded(errorCode="AccessDenied") is None


def test_a_call_of_another_region_or_a_management_call_is_no_mail() -> None:
    assert decoded("eu-west-1") is None
    found = decoded(eventName="SendCustomVerificationEmail", eventCategory="Management", managementEvent=True)
    assert isinstance(found, Call)


def test_a_call_with_several_mails_counts_their_recipients() -> None:
    bulk = [{"destination": {"toAddresses": [HIDDEN]}} for _ in range(7)]
    found = sent(
        eventName="SendBulkEmail",
        requestParameters={"bulkEmailEntries": bulk},
        additionalEventData="absent",
    ).sighting
    assert (found.recipients, found.ses_id) == (7, "call 0ffa308d-1467-4259-8be3-c749753be325")


@pytest.mark.parametrize("odd", [None, 7, "x", [], {}, [[1]], {"a": {"b": 1}}, "\ud800\0"])
def test_an_odd_member_is_left_out(odd: Any) -> None:
    for name in RECORD:
        if name in ("eventSource", "eventName", "awsRegion", "eventCategory", "errorCode"):
            continue
        found = decoded(**{name: odd})
        assert isinstance(found, SentCall)
        assert found.sighting.recipients >= 1
        assert "\0" not in repr(found.sighting)
    assert sent(eventTime="yesterday").sighting.at == NO_TIME
