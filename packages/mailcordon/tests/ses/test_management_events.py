"""SES's management events as AWS writes them, and whatever else a queue may bring."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.adapters.ses.management_events import decode
from mailcordon.control import hints
from mailcordon.control.hints import Call, Caller
from mailcordon.core.ungoverned import SentCall

#: As the SES Developer Guide prints a record ("Logging Amazon SES API calls with AWS CloudTrail"), in EventBridge's envelope.
RECORD: dict[str, Any] = {
    "awsRegion": "us-west-2",
    "eventID": "0ffa308d-1467-4259-8be3-c749753be325",
    "eventName": "DeleteIdentity",
    "eventSource": "ses.amazonaws.com",
    "eventTime": "2018-02-02T21:34:50Z",
    "eventType": "AwsApiCall",
    "eventVersion": "1.02",
    "recipientAccountId": "111122223333",
    "requestID": "50b87bfe-ab23-11e4-9106-5b36376f9d12",
    "requestParameters": {"identity": "amazon.com"},
    "responseElements": None,
    "sourceIPAddress": "192.0.2.0",
    "userAgent": "aws-sdk-java/unknown-version",
    "userIdentity": {
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "accountId": "111122223333",
        "arn": "arn:aws:iam::111122223333:root",
        "principalId": "111122223333",
        "type": "Root",
    },
}
ENVELOPE: dict[str, Any] = {
    "version": "0",
    "id": "36eb8523-97d0-4518-b33d-ee3579ff19f0",
    "detail-type": "AWS API Call via CloudTrail",
    "source": "aws.ses",
    "account": "111122223333",
    "time": "2018-02-02T21:34:51Z",
    "region": "us-west-2",
    "resources": [],
    "detail": RECORD,
}


def read(record: dict[str, Any] | None = None, **envelope: Any) -> Call | None:
    call = decode(json.dumps({**ENVELOPE, "detail": {**RECORD, **(record or {})}, **envelope}), "us-west-2")
    assert not isinstance(call, SentCall)
    return call


def test_a_record_of_the_guide() -> None:
    assert read() == Call(
        event="DeleteIdentity",
        by=Caller(
            arn="arn:aws:iam::111122223333:root",
            access_key="AKIAIOSFODNN7EXAMPLE",
            source_ip="192.0.2.0",
            user_agent="aws-sdk-java/unknown-version",
        ),
        at=datetime(2018, 2, 2, 21, 34, 50, tzinfo=UTC),
        parameters={"identity": "amazon.com"},
    )


def test_an_event_that_comes_through_sns() -> None:
    wrapped = {"Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": json.dumps(ENVELOPE)}
    assert decode(json.dumps(wrapped), "us-west-2") == read()


@pytest.mark.parametrize(
    "body",
    [
        "",
        "[]",
        "null",
        "{",
        "[" * 100_000,
        "Successfully validated SNS topic for Amazon SES event publishing.",
        json.dumps({**ENVELOPE, "detail-type": "Email Bounced"}),
        json.dumps({**ENVELOPE, "detail": None}),
        json.dumps({**ENVELOPE, "detail": {**RECORD, "eventSource": "s3.amazonaws.com"}}),
        json.dumps({**ENVELOPE, "detail": {**RECORD, "awsRegion": "eu-west-1"}}),
        json.dumps({**ENVELOPE, "detail": {**RECORD, "eventName": ["DeleteIdentity"]}}),
        json.dumps({"Type": "Notification", "Message": 5}),
    ],
)
def test_what_is_no_call_of_ses_in_this_region_is_none(body: str) -> None:
    assert decode(body, "us-west-2") is None


def test_an_odd_member_counts_as_absent() -> None:
    odd = read(
        {
            "userIdentity": "kim",
            "eventTime": 5,
            "sourceIPAddress": {},
            "userAgent": None,
            "requestParameters": [1, 2],
            "readOnly": "perhaps",
        },
        time="yesterday",
    )
    assert odd == Call(event="DeleteIdentity", by=Caller(), at=None, parameters={})


def test_texts_can_be_stored_and_are_bounded() -> None:
    call = read({"userAgent": "a\0b\ud800" + "x" * 10_000, "requestParameters": {"Identity": "a\0b"}})
    assert call is not None
    assert call.by.user_agent is not None
    assert call.by.user_agent.startswith("ab?")
    assert len(call.by.user_agent) == 512
    assert call.parameters == {"identity": "ab"}


def test_a_call_that_aws_makes_itself_names_the_service() -> None:
    call = read({"userIdentity": {"type": "AWSService", "invokedBy": "ses.amazonaws.com"}})
    assert call is not None
    assert call.by.arn == "ses.amazonaws.com"


def test_nested_parameters_are_read_to_a_depth() -> None:
    deep: dict[str, Any] = {"name": "x"}
    for _ in range(200):
        deep = {"a": deep}
    call = read({"requestParameters": {"configurationSet": {"Name": "s"}, "deep": deep}})
    assert call is not None
    assert call.parameters["configurationset"] == {"name": "s"}


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from(
    [
        "tenantName",
        "resourceArn",
        "emailIdentity",
        "configurationSetName",
        "configurationSet",
        "eventDestination",
    ]
)
VALUES = ODD | st.sampled_from(
    ["arn:aws:ses:us-east-1:1:tenant/a/b", "arn:::::", ":::::identity/", "%", "%00", "/", "a@"]
)


@given(
    st.sampled_from(sorted(hints._EVENTS)) | st.text(),
    st.dictionaries(NAMES | st.text(), VALUES, max_size=4) | ODD,
    st.dictionaries(st.sampled_from(sorted(RECORD)), ODD, max_size=3),
)
def test_nothing_in_an_event_raises_and_every_place_can_be_stored(
    event: str, parameters: Any, more: dict[str, Any]
) -> None:
    call = read({"eventName": event, "requestParameters": parameters, "awsRegion": None, **more})
    if call is None:
        return
    _, places = hints.judge(call, "default")
    for place in places:
        assert 0 < len(place.name) <= hints.LONGEST_NAME
        assert "\0" not in place.name + place.member
        (place.name + place.member).encode()


#: As the SES Developer Guide prints them (ses.md 1.8); without a caller, because SES itself reports them.
STATUS: dict[str, Any] = {
    "version": "0",
    "detail-type": "Sending Status Disabled",
    "source": "aws.ses",
    "account": "012345678901",
    "time": "2025-07-24T12:44:28Z",
    "region": "us-east-1",
    "resources": ["arn:aws:ses:us-east-1:012345678901:tenant/mc-acme/tn-1"],
    "detail": {
        "version": "1.0.0",
        "data": {
            "origin": "AWS_MANAGED",
            "record": {
                "status": "DISABLED",
                "cause": "Paused.",
                "lastUpdatedTimestamp": [2025, 7, 24, 12, 44, 28, 995000000],
            },
        },
    },
}
TYPES = [
    "Sending Status Enabled",
    "Sending Status Disabled",
    "Advisor Recommendation Status Open",
    "Advisor Recommendation Status Resolved",
    "Advisor Recommendation Status Closed",
]


@pytest.mark.parametrize("type", TYPES)
def test_what_ses_reports_of_a_tenant_makes_its_status_looked_at(type: str) -> None:
    call = decode(json.dumps({**STATUS, "detail-type": type}), "us-east-1")
    assert isinstance(call, Call)
    assert (call.event, call.by, call.says_who) == (type, Caller(), False)
    assert call.at == datetime(2025, 7, 24, 12, 44, 28, tzinfo=UTC)
    verdict, places = hints.judge(call, "default")
    assert verdict is hints.Verdict.LOOK
    assert {(place.kind, place.name) for place in places} >= {("policy", "mc-acme"), ("tenant", "mc-acme")}


@pytest.mark.parametrize(
    "resources",
    [[], None, "tenant/mc-acme", [7], ["arn:aws:ses:us-east-1:012345678901:identity/acme.example"]],
)
def test_advice_about_the_account_or_an_identity_is_counted_and_causes_no_look(resources: object) -> None:
    call = decode(json.dumps({**STATUS, "detail-type": TYPES[2], "resources": resources}), "us-east-1")
    assert isinstance(call, Call)
    assert hints.judge(call, "default") == (hints.Verdict.NOTHING, ())


def test_what_ses_reports_in_another_region_or_others_in_its_name_is_no_event() -> None:
    assert decode(json.dumps(STATUS), "eu-west-1") is None
    assert decode(json.dumps({**STATUS, "source": "com.example"}), "us-east-1") is None
