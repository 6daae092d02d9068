"""What a management event makes looked at: every operation of SES that changes something, in the spelling of v2 and v1."""

import json
from typing import Any

import botocore.session
import pytest

from mailcordon.adapters.ses import management_events
from mailcordon.control import hints
from mailcordon.control.hints import Call, Place, Verdict

ARN = "arn:aws:ses:us-east-1:111122223333:"


def body(event: str, parameters: dict[str, Any] | None, **more: Any) -> str:
    """An event as EventBridge puts it on a queue."""
    record = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": "arn:aws:sts::111122223333:assumed-role/Ops/kim",
            "accessKeyId": "ASIAEXAMPLE",
        },
        "eventTime": "2026-03-01T14:02:11Z",
        "eventSource": "ses.amazonaws.com",
        "eventName": event,
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.7",
        "userAgent": "aws-cli/2.0",
        "requestParameters": parameters,
        "responseElements": None,
        "readOnly": False,
        **more,
    }
    envelope = {
        "version": "0",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ses",
        "time": "2026-03-01T14:02:12Z",
        "detail": record,
    }
    return json.dumps(envelope)


def judged(event: str, parameters: dict[str, Any] | None, **more: Any) -> tuple[Verdict, list[Place]]:
    call = management_events.decode(body(event, parameters, **more), "us-east-1")
    assert isinstance(call, Call)
    verdict, places = hints.judge(call, "default")
    return verdict, list(places)


def places(event: str, parameters: dict[str, Any]) -> list[Place]:
    verdict, found = judged(event, parameters)
    assert verdict == Verdict.LOOK
    return found


#: Every change behind our back that drift has a kind for, as CloudTrail names it.
CALLS: list[tuple[str, dict[str, Any], list[Place]]] = [
    (
        "PutTenantSuppressionAttributes",
        {"tenantName": "mc-a", "suppressionScope": "ACCOUNT", "suppressedReasons": []},
        [Place("tenant", "mc-a", "suppression")],
    ),
    (
        "PutConfigurationSetSuppressionOptions",
        {"configurationSetName": "mc-urgent", "suppressedReasons": ["COMPLAINT"]},
        [Place("configuration-set", "mc-urgent", "suppression")],
    ),
    (
        "PutAccountSuppressionAttributes",
        {"suppressedReasons": []},
        [Place("account", "default", "suppression")],
    ),
    (
        "CreateTenantResourceAssociation",
        {"tenantName": "zen", "resourceArn": f"{ARN}identity/mail.acme.example"},
        [
            Place("association", "zen", "identity/mail.acme.example"),
            Place("identity", "mail.acme.example", "tenant/zen"),
        ],
    ),
    (
        "DeleteTenantResourceAssociation",
        {"tenantName": "mc-a", "resourceArn": f"{ARN}configuration-set/mc-urgent"},
        [
            Place("association", "mc-a", "configuration-set/mc-urgent"),
            Place("configuration-set", "mc-urgent", "tenant/mc-a"),
        ],
    ),
    (
        "UpdateReputationEntityPolicy",
        {"reputationEntityType": "RESOURCE", "reputationEntityReference": f"{ARN}tenant/mc-a/tn-1"},
        [Place("policy", "mc-a", "policy")],
    ),
    (
        "UpdateReputationEntityCustomerManagedStatus",
        {"reputationEntityReference": (ARN + "tenant/mc-a/tn-1").replace(":", "%3A").replace("/", "%2F")},
        [Place("policy", "mc-a", "status"), Place("tenant", "mc-a", "status")],
    ),
    (
        "PutConfigurationSetSendingOptions",
        {"configurationSetName": "mc-urgent"},
        [Place("configuration-set", "mc-urgent", "sending")],
    ),
    (
        "PutEmailIdentityDkimAttributes",
        {"emailIdentity": "mail.acme.example", "signingEnabled": False},
        [Place("identity", "mail.acme.example", "dkim_signing")],
    ),
    (
        "PutEmailIdentityDkimSigningAttributes",
        {"emailIdentity": "mail.acme.example", "signingAttributesOrigin": "EXTERNAL"},
        [Place("identity", "mail.acme.example", "dkim_key")],
    ),
    (
        "PutEmailIdentityMailFromAttributes",
        {"emailIdentity": "Mail.Acme.example", "mailFromDomain": "bounce.mail.acme.example"},
        [Place("identity", "mail.acme.example", "mail_from")],
    ),
    (
        "PutEmailIdentityConfigurationSetAttributes",
        {"emailIdentity": "mail.acme.example", "configurationSetName": "mc-urgent"},
        [Place("identity", "mail.acme.example", "configuration_set")],
    ),
    (
        "PutEmailIdentityFeedbackAttributes",
        {"emailIdentity": "mail.acme.example", "emailForwardingEnabled": True},
        [Place("identity", "mail.acme.example", "feedback_forwarding")],
    ),
    (
        "DeleteConfigurationSetEventDestination",
        {"configurationSetName": "mc-urgent", "eventDestinationName": "outcome"},
        [
            Place("event-destination", "mc-urgent/outcome"),
            Place("configuration-set", "mc-urgent", "event-destination/outcome"),
        ],
    ),
    (
        "PutConfigurationSetDeliveryOptions",
        {"configurationSetName": "mc-urgent", "tlsPolicy": "OPTIONAL"},
        [Place("configuration-set", "mc-urgent", "delivery")],
    ),
    (
        "PutConfigurationSetTrackingOptions",
        {"configurationSetName": "mc-urgent"},
        [Place("configuration-set", "mc-urgent", "tracking")],
    ),
    (
        "PutConfigurationSetVdmOptions",
        {"configurationSetName": "mc-urgent", "vdmOptions": {}},
        [Place("configuration-set", "mc-urgent", "vdm")],
    ),
    (
        "TagResource",
        {"resourceArn": f"{ARN}tenant/mc-a/tn-1", "tags": [{"key": "a", "value": "b"}]},
        [Place("tenant", "mc-a", "tags")],
    ),
    (
        "CreateEmailIdentity",
        {"emailIdentity": "ceo@mail.acme.example"},
        [
            Place("identity", "ceo@mail.acme.example"),
            Place("identity", "mail.acme.example", "identity/ceo@mail.acme.example"),
        ],
    ),
    ("PutAccountVdmAttributes", {"vdmAttributes": {}}, [Place("account", "default", "vdm")]),
    # SES v1
    (
        "UpdateConfigurationSetEventDestination",
        {"configurationSetName": "mc-urgent", "eventDestination": {"name": "outcome"}},
        [
            Place("event-destination", "mc-urgent/outcome"),
            Place("configuration-set", "mc-urgent", "event-destination/outcome"),
        ],
    ),
    (
        "CreateConfigurationSet",
        {"configurationSet": {"name": "mc-urgent"}},
        [Place("configuration-set", "mc-urgent")],
    ),
    (
        "SetIdentityMailFromDomain",
        {"identity": "mail.acme.example", "mailFromDomain": "x.mail.acme.example"},
        [Place("identity", "mail.acme.example", "mail_from")],
    ),
    ("VerifyDomainIdentity", {"domain": "mail.acme.example"}, [Place("identity", "mail.acme.example")]),
]


@pytest.mark.parametrize(("event", "parameters", "expected"), CALLS, ids=[call[0] for call in CALLS])
def test_a_call_names_what_it_changed(event: str, parameters: dict[str, Any], expected: list[Place]) -> None:
    assert places(event, parameters) == expected


def test_every_operation_that_changes_something_is_known() -> None:
    """A new operation of SES needs a decision: what it makes looked at, or that it is not ours to govern."""
    session = botocore.session.get_session()
    reads = ("Get", "List", "Describe", "BatchGet", "Test", "Send")
    for service in ("sesv2", "ses"):
        for name in session.get_service_model(service).operation_names:
            known = name in hints._EVENTS or any(part in name for part in hints._ELSEWHERE)
            assert known or name.startswith(reads), name


def test_an_unknown_operation_makes_looked_at_what_it_names() -> None:
    assert judged("RenameTenant", {"tenantName": "mc-a", "emailIdentity": "mail.acme.example"}) == (
        Verdict.GUESSED,
        [Place("identity", "mail.acme.example"), Place("tenant", "mc-a")],
    )
    assert judged("DoSomething", {"colour": "red"}) == (Verdict.NOTHING, [])
    assert judged("DoSomething", None) == (Verdict.NOTHING, [])


def test_our_own_calls_cause_no_look() -> None:
    agent = "Boto3/1.43 md/Botocore#1.43 mailcordon/control"
    assert judged("CreateTenant", {"tenantName": "mc-a"}, userAgent=agent) == (Verdict.OWN, [])


def test_calls_that_changed_nothing_cause_no_look() -> None:
    given = {"tenantName": "mc-a"}
    assert judged("GetTenant", given, readOnly=True)[0] == Verdict.READ
    assert judged("DeleteTenant", given, errorCode="NotFoundException")[0] == Verdict.REFUSED
    assert judged("DeleteTenant", given, errorCode="AccessDenied")[0] == Verdict.REFUSED
    assert judged("DeleteTenant", given, errorCode="InternalServiceErrorException")[0] == Verdict.LOOK
    assert judged("CreateEmailTemplate", {"templateName": "t"})[0] == Verdict.ELSEWHERE
    assert judged("PutSuppressedDestination", {"emailAddress": "kim@example.com"})[0] == Verdict.ELSEWHERE


def test_a_name_that_no_resource_can_have_is_none() -> None:
    assert judged("DeleteTenant", {"tenantName": "x" * 400}) == (Verdict.NOTHING, [])
    assert judged("DeleteEmailIdentity", {"emailIdentity": "a%00b"}) == (Verdict.NOTHING, [])
    assert judged("DeleteTenant", {"tenantName": ["mc-a"]}) == (Verdict.NOTHING, [])
    assert judged("DeleteTenantResourceAssociation", {"tenantName": "mc-a", "resourceArn": "x"})[1] == []
    assert judged("UpdateReputationEntityPolicy", {"reputationEntityReference": f"{ARN}tenant"})[1] == []
