"""SES's documents in every envelope and dialect, with missing, additional and wrong members."""

import gzip
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.adapters.ses import common_events, event_values, feedback
from mailcordon.adapters.ses.feedback import decode
from mailcordon.core import tags
from mailcordon.core.event import NO_TIME, Event, Kind
from mailcordon.observe.ports import DecodedEvent, Malformed, Notice

AT = "2026-03-01T10:00:05.250Z"
MAIL_MS = 1_772_359_200_000  # 2026-03-01T10:00:00Z
TO = "kim@example.com"


def mail(**over: Any) -> dict[str, Any]:
    return {
        "timestamp": "2026-03-01T10:00:00.000Z",
        "messageId": "0100-a",
        "source": "Acme <hello@mail.acme.example>",
        "destination": [TO],
        "headersTruncated": False,
        "headers": [{"name": "Subject", "value": "Hi"}],
        "commonHeaders": {"subject": "Hi"},
        "tags": {
            "ses:configuration-set": ["mc-marketing"],
            "ses:tenant-name": ["mc-acme"],
            "mc-type": ["newsletter", "second"],
            "empty": [],
            "null": None,
        },
    } | over


def document(type: str, key: str | None = None, member: Any = None, **over: Any) -> dict[str, Any]:
    whole: dict[str, Any] = {"eventType": type, "mail": mail(**over)}
    if key is not None:
        whole[key] = member
    return whole


def bounce(type: str = "Permanent", sub_type: str = "General", **over: Any) -> dict[str, Any]:
    recipient = {"emailAddress": TO, "status": "5.1.1", "action": "failed", "diagnosticCode": "550 unknown"}
    member = {
        "bounceType": type,
        "bounceSubType": sub_type,
        "bouncedRecipients": [recipient],
        "timestamp": AT,
        "feedbackId": "f-1",
        "reportingMTA": "dns; mx.example.com",
    }
    return document("Bounce", "bounce", member | over)


def complaint(**over: Any) -> dict[str, Any]:
    member = {"complainedRecipients": [{"emailAddress": TO}], "timestamp": AT, "feedbackId": "c-1"}
    return document("Complaint", "complaint", member | over)


DELIVERY = {"timestamp": AT, "recipients": [TO], "smtpResponse": "250 ok", "processingTimeMillis": "odd"}
DELAY = {
    "delayType": "MailboxFull",
    "delayedRecipients": [{"emailAddress": TO}],
    "expirationTime": AT,
    "timestamp": AT,
}
CLICK = {
    "timestamp": AT,
    "ipAddress": "192.0.2.1",
    "link": "https://x.example",
    "linkTags": None,
    "isBotEvent": "Likely",
}


def event_of(body: Any) -> Event:
    decoded = decode(body if isinstance(body, str | bytes) else json.dumps(body))
    assert isinstance(decoded, DecodedEvent), decoded
    return decoded.event


@pytest.mark.parametrize(
    ("whole", "kind", "at", "reason", "text"),
    [
        (document("Send", "send", {}), Kind.SEND, 0, None, None),
        (document("Delivery", "delivery", DELIVERY), Kind.DELIVERY, 5250, None, "250 ok"),
        (bounce(), Kind.HARD_BOUNCE, 5250, "Permanent/General", "550 unknown"),
        (bounce("Permanent", "NoEmail"), Kind.HARD_BOUNCE, 5250, "Permanent/NoEmail", "550 unknown"),
        (bounce("Permanent", "Suppressed"), Kind.HARD_BOUNCE, 5250, "Permanent/Suppressed", "550 unknown"),
        (bounce("Permanent", "NewWord"), Kind.HARD_BOUNCE, 5250, "Permanent/NewWord", "550 unknown"),
        (bounce("Transient", "General"), Kind.SOFT_BOUNCE, 5250, "Transient/General", "550 unknown"),
        (
            bounce("Undetermined", "Undetermined"),
            Kind.SOFT_BOUNCE,
            5250,
            "Undetermined/Undetermined",
            "550 unknown",
        ),
        (
            bounce("Permanent", "OnTenantSuppressionList"),
            Kind.SUPPRESSED,
            5250,
            "Permanent/OnTenantSuppressionList",
            "550 unknown",
        ),
        (
            bounce("Permanent", "OnOrganisationSuppressionList"),
            Kind.SUPPRESSED,
            5250,
            "Permanent/OnOrganisationSuppressionList",
            "550 unknown",
        ),
        (
            bounce(bouncedRecipients=None, reportingMTA=None),
            Kind.HARD_BOUNCE,
            5250,
            "Permanent/General",
            None,
        ),
        (complaint(complaintFeedbackType="abuse"), Kind.COMPLAINT, 5250, "abuse", None),
        (complaint(complaintSubType=None), Kind.COMPLAINT, 5250, None, None),
        (complaint(complaintFeedbackType="not-spam"), Kind.OTHER, 5250, "not-spam", None),
        (
            complaint(complaintSubType="OnAccountSuppressionList"),
            Kind.SUPPRESSED,
            5250,
            "OnAccountSuppressionList",
            None,
        ),
        (document("DeliveryDelay", "deliveryDelay", DELAY), Kind.DELAY, 5250, "MailboxFull", None),
        (
            document("Reject", "reject", {"reason": "Bad content"}),
            Kind.REJECT,
            0,
            "Bad content",
            "Bad content",
        ),
        (
            document("Rendering Failure", "failure", {"templateName": "T", "errorMessage": "no name"}),
            Kind.RENDERING_FAILURE,
            0,
            "T",
            "no name",
        ),
        (document("Open", "open", {"timestamp": AT, "userAgent": None}), Kind.OPEN, 5250, None, None),
        (document("Click", "click", CLICK), Kind.MACHINE_CLICK, 5250, None, None),
        (document("Subscription", "subscription", {"timestamp": AT}), Kind.OTHER, 0, "Subscription", None),
        (document("Telepathy", "telepathy", {"x": 1}), Kind.OTHER, 0, "Telepathy", None),
        (document("Bounce"), Kind.OTHER, 0, "Bounce", None),
    ],
)
def test_each_kind_is_read(whole: Any, kind: Kind, at: int, reason: str | None, text: str | None) -> None:
    event = event_of(whole)
    assert (event.kind, event.at - MAIL_MS, event.reason, event.text) == (kind, at, reason, text)
    assert (event.mail_at, event.ses_id, event.destinations) == (MAIL_MS, "0100-a", (TO,))
    assert (event.configuration_set, event.ses_tenant) == ("mc-marketing", "mc-acme")
    assert event.tags == {
        "ses:configuration-set": "mc-marketing",
        "ses:tenant-name": "mc-acme",
        "mc-type": "newsletter",
    }


def sns(text: str) -> str:
    return json.dumps(
        {
            "Type": "Notification",
            "MessageId": "m-1",
            "TopicArn": "arn:aws:sns:us-east-1:1:outcome",
            "Subject": "Amazon SES Email Event Notification",
            "Message": text,
            "Timestamp": AT,
            "SignatureVersion": "1",
            "Signature": "x",
            "SigningCertURL": "https://sns.example/c.pem",
            "UnsubscribeURL": "https://sns.example/u",
        }
    )


def event_bridge(detail: Any, detail_type: str = "Email Bounced", **over: Any) -> str:
    return json.dumps(
        {
            "version": "0",
            "id": "e-1",
            "detail-type": detail_type,
            "source": "aws.ses",
            "account": "1",
            "time": AT,
            "region": "us-east-1",
            "resources": ["arn:aws:ses:us-east-1:1:identity/acme.example"],
            "detail": detail,
        }
        | over
    )


def test_the_envelope_changes_nothing() -> None:
    bare = json.dumps(bounce())
    bodies = [bare, bare.encode(), sns(bare), sns(bare).encode(), event_bridge(bounce()), " \n" + bare]
    first = event_of(bodies[0])
    assert all(event_of(body) == first for body in bodies)


def test_the_stored_document_is_ses_own_without_its_envelope() -> None:
    bare = json.dumps(bounce())
    for body in (bare, sns(bare), event_bridge(bounce())):
        decoded = decode(body)
        assert isinstance(decoded, DecodedEvent)
        assert json.loads(decoded.document) == bounce()
        assert decode(decoded.document) == decoded or event_of(decoded.document) == decoded.event


def test_the_older_dialect_is_the_same_event() -> None:
    older: dict[str, Any] = bounce()
    older["notificationType"] = older.pop("eventType")
    assert event_of(older) == event_of(bounce())
    del older["mail"]["tags"]
    assert (event_of(older).tags, event_of(older).key) == ({}, event_of(bounce()).key)


def test_the_key_depends_on_content_not_on_envelope_or_order_of_recipients() -> None:
    one, two = {"emailAddress": "a@x.example"}, {"emailAddress": "b@x.example"}
    assert (
        event_of(bounce(bouncedRecipients=[one, two])).key
        == event_of(bounce(bouncedRecipients=[two, one])).key
    )
    different = [
        bounce(),
        bounce(feedbackId="f-2"),
        bounce(feedbackId=None),
        complaint(feedbackId="f-1"),
        document("Send"),
        document("Send", messageId="0100-b"),
        document("Delivery", "delivery", DELIVERY),
        document("Delivery", "delivery", DELIVERY | {"timestamp": "2026-03-01T10:00:06Z"}),
        document("Open", "open", CLICK),
        document("Click", "click", CLICK),
        document("Click", "click", CLICK | {"link": "https://y.example"}),
        document("Telepathy", "x", 1),
        document("Telepathy", "x", 2),
    ]
    assert len({event_of(one).key for one in different}) == len(different)


def test_names_around_addresses_are_removed() -> None:
    event = event_of(bounce(bouncedRecipients=[{"emailAddress": "Kim <kim@example.com>"}]))
    assert event.recipients == (TO,)
    assert event_of(document("Send", destination=["Kim <kim@example.com>", TO])).destinations == (TO, TO)


@pytest.mark.parametrize(
    "over",
    [
        {"messageId": None},
        {"messageId": ""},
        {"messageId": 7},
        {"messageId": ["0100-a"]},
    ],
)
def test_a_mail_without_id_is_malformed(over: dict[str, Any]) -> None:
    assert isinstance(decode(json.dumps(document("Send", **over))), Malformed)


@pytest.mark.parametrize("time", [None, "yesterday", [], {}, True, 1e300])
def test_an_event_without_any_time_has_none(time: object) -> None:
    """Ingest takes the time of its arrival."""
    event = event_of(bounce() | {"mail": mail(timestamp=time)} | {"bounce": {"timestamp": time}})
    assert (event.at, event.mail_at) == (NO_TIME, NO_TIME)


def test_an_event_with_its_own_time_needs_no_mail_time() -> None:
    event = event_of(document("Delivery", "delivery", DELIVERY, timestamp=None))
    assert (event.at, event.mail_at) == (MAIL_MS + 5250, MAIL_MS + 5250)


@pytest.mark.parametrize(
    ("body", "keep"),
    [
        ("Successfully validated SNS topic for Amazon SES event publishing.", False),
        (sns("Successfully validated SNS topic for Amazon SES event publishing."), False),
        (json.dumps({"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "x"}), False),
        (json.dumps({"Type": "SubscriptionConfirmation", "Message": "You have chosen", "Token": "t"}), True),
        (
            event_bridge(
                {"version": "1.0.0", "data": {"record": {"status": "DISABLED"}}}, "Sending Status Disabled"
            ),
            True,
        ),
        (event_bridge({"version": "1.0.0", "data": "text"}, "Advisor Recommendation Status Open"), True),
        (event_bridge([1, 2], "Something New"), True),
        (json.dumps(document("x") | {"eventType": None, "notificationType": "Received"}), True),
    ],
)
def test_a_message_about_no_mail_is_a_notice(body: str, keep: bool) -> None:
    decoded = decode(body)
    assert isinstance(decoded, Notice)
    assert decoded.keep is keep


def test_a_notice_names_its_subject() -> None:
    arn = "arn:aws:ses:us-east-1:1:tenant/mc-acme/tn-1"
    decoded = decode(event_bridge({"version": "1.0.0"}, "Sending Status Disabled", resources=[arn]))
    assert isinstance(decoded, Notice)
    assert (decoded.what, decoded.subject) == ("Sending Status Disabled", arn)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "hello",
        "[]",
        "3",
        "null",
        "{}",
        '{"mail": 3}',
        b"\xff\xfe",
        "\ud800",
        '{"mail": {"tags": {"a": "b"}, "messageId": "x", "timestamp": "2026-01-01T00:00:00Z"}, "eventType": "Send"}',
        sns("{}"),
        sns(sns(sns(sns("{}")))),
        event_bridge({"eventType": "Bounce", "mail": 3}),
        "[" * 100_000,
        '{"mail":' * 10_000,
    ],
)
def test_nonsense_is_malformed_and_says_why(body: str | bytes) -> None:
    decoded = decode(body)
    assert isinstance(decoded, Malformed)
    assert decoded.why


ODD: list[Any] = [511, 5.11, True, ["550 unknown", "2"], {"a": 1}, [], {}, [None, 7, {"a": [1]}]]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["timestamp", "feedbackId", "reportingMTA", "bouncedRecipients", "unknown"])
def test_no_hard_bounce_is_lost_to_an_odd_member(name: str, odd: Any) -> None:
    event = event_of(bounce(**{name: odd}) | {"mail": mail(tags=GOVERNED)})
    assert (event.kind, event.ses_id, event.tags[tags.ATTEMPT]) == (
        Kind.HARD_BOUNCE,
        "0100-a",
        GOVERNED[tags.ATTEMPT][0],
    )


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["emailAddress", "status", "diagnosticCode", "action"])
def test_no_hard_bounce_is_lost_to_an_odd_member_of_its_recipient(name: str, odd: Any) -> None:
    whole = bounce()
    whole["mail"]["tags"] = GOVERNED
    whole["bounce"]["bouncedRecipients"][0][name] = odd
    for body in (json.dumps(whole), sns(json.dumps(whole)), event_bridge(whole)):
        event = event_of(body)
        assert (event.kind, event.at, event.tags) == (Kind.HARD_BOUNCE, MAIL_MS + 5250, event.tags)
        assert event.recipients == ((TO,) if name != "emailAddress" else event.recipients)


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["complainedRecipients", "userAgent", "arrivalDate", "feedbackId"])
def test_no_complaint_is_lost_to_an_odd_member(name: str, odd: Any) -> None:
    assert event_of(complaint(**{name: odd})).kind is Kind.COMPLAINT


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("name", ["timestamp", "source", "destination", "headers", "sendingAccountId"])
def test_an_odd_member_of_the_mail_changes_nothing_else(name: str, odd: Any) -> None:
    event = event_of(bounce() | {"mail": mail(**{name: odd}, tags=GOVERNED)})
    assert (event.kind, event.at, event.ses_id) == (Kind.HARD_BOUNCE, MAIL_MS + 5250, "0100-a")


def test_odd_members_keep_what_they_say() -> None:
    whole = bounce(timestamp=1_772_359_205.25)
    [recipient] = whole["bounce"]["bouncedRecipients"]
    recipient |= {"status": 511, "diagnosticCode": ["550", "no such user"]}
    event = event_of(whole)
    assert (event.at, event.text) == (MAIL_MS + 5250, "550; no such user")
    assert event.detail["status"] == "511"
    assert event_of(bounce(timestamp=MAIL_MS + 5250, bouncedRecipients=TO)).recipients == (TO,)
    assert event_of(bounce(timestamp=MAIL_MS + 5250)).at == MAIL_MS + 5250


def test_half_a_character_or_a_control_character_in_a_text_loses_no_bounce() -> None:
    whole = json.dumps(bounce())
    for odd in ("\\ud83d", "\x01", "\t"):
        event = event_of(whole.replace("550 unknown", f"550 {odd} unknown"))
        assert event.kind is Kind.HARD_BOUNCE
        assert event.text is not None
        assert event.text.startswith("550 ")
    assert event_of(whole.encode().replace(b"550 unknown", b"550 \xe9 unknown")).kind is Kind.HARD_BOUNCE


@pytest.mark.parametrize("odd", ["text", 7, True, {"a": "b"}, ["1", 2], [["1"]]])
@pytest.mark.parametrize("name", tags.SIGNED)
def test_our_own_tags_are_read_strictly(name: str, odd: Any) -> None:
    assert isinstance(decode(json.dumps(bounce() | {"mail": mail(tags=GOVERNED | {name: odd})})), Malformed)


@pytest.mark.parametrize("odd", ["text", 7, True, {"a": "b"}, ["1", 2]])
def test_a_tag_of_others_may_be_odd_beside_ours(odd: Any) -> None:
    event = event_of(bounce() | {"mail": mail(tags=GOVERNED | {"ses:recipient-isp": odd})})
    assert event.tags[tags.ATTEMPT] == GOVERNED[tags.ATTEMPT][0]
    assert "ses:recipient-isp" not in event.tags


@pytest.mark.parametrize("odd", [7, ["Bounce"], {"a": 1}, True])
def test_the_type_is_read_strictly(odd: Any) -> None:
    assert isinstance(decode(json.dumps(bounce() | {"eventType": odd})), Malformed)


@given(st.binary() | st.text())
def test_no_body_makes_it_raise(body: str | bytes) -> None:
    decode(body)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(
    st.sampled_from(["mail", "eventType", "bounce", "timestamp", "messageId", "tags", "Type", "Message", "detail",
                     "detail-type", "bouncedRecipients", "emailAddress"]), x), max_leaves=30))  # fmt: skip
def test_no_json_makes_it_raise(value: Any) -> None:
    decode(json.dumps(value))


def test_long_texts_are_cut() -> None:
    recipient = {"emailAddress": TO, "diagnosticCode": "x" * 100_000}
    assert len(event_of(bounce(bouncedRecipients=[recipient])).text or "") == 1000


# Documents of other projects, which are not part of this repository ---------------------------------------------------------

SHARED = Path(os.environ.get("MAILCORDON_SHARED", "nowhere")) / "data" / "ses_events"
SUPPRESSING = (Kind.HARD_BOUNCE, Kind.COMPLAINT)


@pytest.mark.skipif(not SHARED.is_dir(), reason="MAILCORDON_SHARED names no folder with SES documents")
def test_documents_of_other_projects_are_read_as_expected_there() -> None:
    with gzip.open(SHARED / "envelopes.jsonl.gz", "rt") as file:
        cases = [json.loads(line) for line in file]
    cases = [case for case in cases if case["envelope"] in ("raw", "sns_http", "eventbridge")]
    read = 0
    for case in cases:
        decoded, expected = decode(json.dumps(case["payload"])), case["expected"]
        if isinstance(decoded, Malformed):
            # Templates and shortened ones: without an id or a time they cannot be attributed or ordered.
            assert any(word in decoded.why for word in ("no messageId", "has a time", "no member `mail`")), (
                decoded
            )
            continue
        assert isinstance(decoded, DecodedEvent)
        event = decoded.event
        read += 1
        assert event.ses_id == expected["message_id"]
        assert (event.configuration_set or None) == expected.get("configuration_set")
        assert expected["kind"] in event.kind.word or event.kind in (Kind.SUPPRESSED, Kind.OTHER)
        suppressed = list(event.recipients) if event.kind in SUPPRESSING else []
        assert sorted(suppressed) == sorted(expected["suppress"])
    assert read > len(cases) / 2


GOVERNED = {
    tags.INSTALLATION: ["here"],
    tags.TENANT: ["mc-acme"],
    tags.TYPE: ["receipt", "second"],
    tags.DELIVERY: ["0000000000041"],
    tags.ATTEMPT: ["1-1772359200000-abcdefghijklmnop"],
    "ses:configuration-set": ["mc-transactional"],
    "ses:tenant-name": ["mc-acme"],
    "ses:from-domain": ["mail.acme.example"],
}
SOMETHING = st.none() | st.text(max_size=5) | st.integers() | st.just([]) | st.just([None]) | st.just({})
TIMES = [
    AT,
    "2026-03-01T10:00:05.250+00:00",
    "2026-03-01T10:00:05Z",
    "2026-03-01T10:00:60.000Z",
    "2026-03-01T10:00:75.000Z",
    "2026-03-01T10:00:5 .250Z",
    "2026-03-01T10:00:\u0665\u0665.250Z",
    "2026-02-30T10:00:05.250Z",
    "",
]
ODD_TIMES = st.sampled_from(TIMES)


@given(
    st.sampled_from([("Send", "send", {}), ("Delivery", "delivery", DELIVERY)]),
    # The fast decoder does not check tags that attribution does not read.
    st.dictionaries(
        st.sampled_from([name for name in GOVERNED if name != "ses:from-domain"]),
        SOMETHING | st.just(["x"]),
        max_size=2,
    ),
    st.dictionaries(
        st.sampled_from(["timestamp", "messageId", "source", "destination", "tags"]),
        SOMETHING | ODD_TIMES | st.just(["Kim <kim@example.com>", "lee@example.com "]),
        max_size=2,
    ),
    st.dictionaries(
        st.sampled_from([*DELIVERY, "reportingMTA", "remoteMtaIp"]),
        SOMETHING | ODD_TIMES | st.just([f"Kim <{TO}>", "lee@example.com"]) | st.just("x\0" * 600),
        max_size=2,
    ),
    st.dictionaries(
        st.sampled_from(["eventType", "notificationType", "delivery", "mail"]), SOMETHING, max_size=1
    ),
    st.sampled_from(["bare", "SNS", "SNS twice", "another Type"]),
)
def test_the_fast_decoder_reads_what_the_careful_one_does(
    of: tuple[str, str, Any],
    tagged: dict[str, Any],
    mailed: dict[str, Any],
    said: dict[str, Any],
    top: dict[str, Any],
    wrapped: str,
) -> None:
    """If it reads it at all: it leaves odd documents to the careful one."""
    type, key, member = of
    whole = document(type, key, {**member, **said} if member else {}, **{"tags": GOVERNED | tagged} | mailed)
    body = json.dumps(whole | top)
    if wrapped != "bare":
        body = json.dumps({"Type": "Other" if wrapped == "another Type" else "Notification", "Message": body})
    if wrapped == "SNS twice":
        body = json.dumps({"Type": "Notification", "Message": body})
    found = common_events.decode_common(body)
    careful, outermost = feedback._decode_carefully(body, body, None, 0)
    if found is None:
        return
    short, envelope = found
    assert isinstance(careful, DecodedEvent)
    assert (envelope is None) == (outermost is None)
    assert (short.topic, short.body) == (careful.topic, careful.body)
    kept = {name: careful.event.tags[name] for name in short.event.tags}
    assert (short.event, short.document) == (replace(careful.event, tags=kept), careful.document)
    assert set(kept) >= {*tags.SIGNED} | {"ses:configuration-set", "ses:tenant-name"} & {*careful.event.tags}


@pytest.mark.parametrize("of", [("Send", "send", {}), ("Delivery", "delivery", DELIVERY)])
def test_governed_sends_and_deliveries_use_the_fast_decoder(of: tuple[str, str, Any]) -> None:
    body = json.dumps(document(*of, tags=GOVERNED))
    for wrapped in (body, json.dumps({"Type": "Notification", "Message": body})):
        found = common_events.decode_common(wrapped)
        assert found is not None
        assert found[0] == decode(wrapped)


@pytest.mark.parametrize("time", TIMES)
def test_the_cache_of_minutes_does_not_change_a_time(time: str) -> None:
    event_values._minutes.clear()
    fresh = event_values.milliseconds(time)
    assert event_values.milliseconds(AT) == MAIL_MS + 5250
    assert event_values.milliseconds(time) == fresh == event_values._parse_time(time)
