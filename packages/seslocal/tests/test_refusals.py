"""What is refused in addresses, headers and parts: each row of the table by Simple, by Raw and by SES v1, in the same words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seslocal.mail import refusals
from seslocal.mail.refusals import Refusal
from seslocal_fixtures.world import World

PAGE = Path(__file__).parents[1] / "docs" / "refusals.md"
SENDER = "no-reply@mail.acme.example"
TEXT: Any = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}
#: what raises each refusal of an address, and the members of its text
ADDRESSES: list[tuple[Refusal, str, dict[str, str]]] = [
    (refusals.ILLEGAL_ADDRESS, "Karen, Chan <karen@e.example>", {}),
    (refusals.LOCAL_WHITESPACE, '"Karen, Chan" <karen @e.example>', {}),
    (refusals.LOCAL_WHITESPACE, "Kim Lee, Chan <kim@e.example>", {}),
    (refusals.LOCAL_WHITESPACE, "küm@e.example", {}),
    (refusals.LOCAL_CHARACTER, "DEBUG: Bob <bob@e.example>", {}),
    (refusals.LOCAL_CHARACTER, "github:kim", {}),
    (refusals.NO_DOMAIN, "nobody", {}),
    (refusals.EMPTY_DOMAIN, "kim@", {}),
    (refusals.NO_LOCAL, "@e.example", {}),
    (refusals.DOMAIN_CHARACTER, "kim@gmail.com%!", {}),
    (refusals.DOMAIN_CHARACTER, "=?utf-8?Q?kim@e.example?=", {}),
    (refusals.DOMAIN_WHITESPACE, "kim@exämple.com", {}),
    (refusals.EXTRA_ROUTE, "Kim <kim@e.example> <lee@e.example>", {}),
    (refusals.SEMICOLON, "kim@e.example; lee@e.example", {}),
    (refusals.NO_QUOTE, '"Kim <kim@e.example>', {}),
    (refusals.NO_RIGHT_ANGLE, "Kim <kim@e.example", {}),
    (refusals.NO_LEFT_ANGLE, "kim@e.example>", {}),
    (refusals.NO_RIGHT_PARENTHESIS, "kim@e.example (Kim", {}),
    (refusals.NO_LEFT_PARENTHESIS, "kim@e.example Kim)", {}),
    (refusals.NO_BRACKET, "kim@[e.example", {}),
    (refusals.NESTED_GROUP, "a: b: kim@e.example;", {}),
    (refusals.ROUTE, "<@a,@b:kim@e.example>", {}),
    (refusals.QUOTE_LATE, 'k"im"@e.example', {}),
    (refusals.QUOTE_EARLY, '"ki"m@e.example', {}),
    (refusals.LOCAL_STARTS_WITH_DOT, ".kim@e.example", {}),
    (refusals.LOCAL_DOT_DOT, "k..im@e.example", {}),
    (refusals.LOCAL_ENDS_WITH_DOT, "kim.@e.example", {}),
    (refusals.DOMAIN_STARTS_WITH_DOT, "kim@.e.example", {}),
    (refusals.DOMAIN_DOT_DOT, "kim@e..example", {}),
    (refusals.DOMAIN_ENDS_WITH_DOT, "kim@e.example.", {}),
    (refusals.LONG_ADDRESS, "k" * 311 + "@e.example", {"address": "k" * 311 + "@e.example"}),
    (refusals.NAME_BEYOND_ASCII, "Jörg <joe@e.example>", {"address": "Jörg <joe@e.example>"}),
    (refusals.LONG_WORD, f"=?utf-8?q?{'x' * 64}?= <kim@e.example>", {"name": "To"}),
]
#: raw mail, after its From and To
RAW: list[tuple[Refusal, bytes, dict[str, str]]] = [
    (refusals.DUPLICATE_HEADER, b"Dkim-signature: v=1\r\nDKIM-SIGNATURE: v=1\r\n\r\nt", {"name": "DKIM-Signature"}),
    (refusals.EMPTY_HEADER_NAME, b": x\r\n\r\nt", {}),
    (refusals.EMPTY_HEADER_NAME, b" \t: x\r\n: y\r\n\r\nt", {}),
    (refusals.LONG_LINE, b"\r\n" + b"x" * 999, {}),
    (refusals.LONG_WORD, b"Subject: =?utf-8?q?" + b"x" * 64 + b"?=\r\n\r\nt", {"name": "Subject"}),
    (refusals.LONG_WORD, b"X-A: a\r\n =?utf-8?b?" + b"x" * 64 + b"?=\r\n\r\nt", {"name": "X-A"}),
    (refusals.NO_START_BOUNDARY, b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--c\r\n\r\nt', {}),
    (refusals.NO_START_BOUNDARY, b'Content-Type: multipart/mixed;\r\n\tboundary=b\r\n\r\n--b--\r\n', {}),
    (refusals.NO_START_BOUNDARY, b"Content-Type: multipart/mixed\r\n\r\nt", {}),
    (
        refusals.NO_START_BOUNDARY,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/related; boundary=c\r\n\r\nt\r\n--b--",
        {},
    ),
    (refusals.NO_SLASH, b"Content-Type: text; charset=utf-8\r\n\r\nt", {"found": ";"}),
    (
        refusals.DUPLICATE_HEADER,
        b"Content-Type: multipart/mixed; boundary=b\r\n--b\r\nContent-Type: text/plain\r\n\r\nt\r\n--b--",
        {"name": "Content-Type"},
    ),
]  # fmt: skip
ELSEWHERE = {refusals.INVALID_ADDRESS, refusals.MISSING_HEADER}  #: rows with a test of their own


@pytest.fixture
def ready(world: World) -> World:
    world.domain()
    world.admin("PUT", "/account", {"behaviour": {"refuse_long_words": True}})
    return world


def test_long_encoded_words_pass_unless_they_are_to_be_refused(world: World) -> None:
    world.domain()
    long = f"=?utf-8?q?{'x' * 100}?= <a@x.example>"
    call: Any = {
        "FromEmailAddress": SENDER,
        "Content": {"Simple": TEXT},
        "Destination": {"ToAddresses": [long]},
    }
    world.ses.send_email(**call)
    world.admin("PUT", "/account", {"behaviour": {"refuse_long_words": True}})
    assert world.refused(world.ses.send_email, **call)[1] == "BadRequestException"


def simple(world: World, **more: Any) -> tuple[str, str]:
    call = {
        "FromEmailAddress": SENDER,
        "Destination": {"ToAddresses": ["a@x.example"]},
        "Content": {"Simple": TEXT},
    }
    return world.refused(world.ses.send_email, **{**call, **more})[1:]


def raw(world: World, data: bytes, **more: Any) -> tuple[str, str]:
    return world.refused(world.ses.send_email, Content={"Raw": {"Data": data}}, **more)[1:]


def test_each_row_has_an_example() -> None:
    shown = {id(row) for row, *_ in (*ADDRESSES, *RAW)} | {id(row) for row in ELSEWHERE}
    assert [row.text for row in refusals.TABLE if id(row) not in shown] == []


def test_the_page_lists_each_row_with_its_source() -> None:
    page = PAGE.read_text()
    for row in refusals.TABLE:
        word = "yes" if row.seen else "no"
        line = f"| `{row.text}` | {row.when} | {word} | {row.source} |"
        assert line in page, f"docs/refusals.md lacks:\n{line}"
    for text, source, why in refusals.NOT_SAID:
        assert f"| `{text}` | {source} | {why} |" in page


@pytest.mark.parametrize(("row", "address", "members"), ADDRESSES, ids=[one[1][:24] for one in ADDRESSES])
def test_an_address_is_refused_alike_wherever_it_stands(
    ready: World, v1: Any, row: Refusal, address: str, members: dict[str, str]
) -> None:
    text = row.text.format(**members)
    assert simple(ready, Destination={"ToAddresses": [address]}) == ("BadRequestException", text)
    head = f"From: {SENDER}\r\nTo: a@x.example\r\nSubject: s\r\n\r\nt".encode()
    assert raw(ready, head, Destination={"ToAddresses": [address]}) == ("BadRequestException", text)
    call: Any = {"Source": SENDER, "Destination": {"ToAddresses": [address]}, "Message": TEXT}
    assert ready.refused(v1.send_email, **call)[1:] == ("InvalidParameterValue", text)
    refused = ready.refused(v1.send_raw_email, Destinations=[address], RawMessage={"Data": head})
    assert refused[1:] == ("InvalidParameterValue", text)
    if row is not refusals.ILLEGAL_ADDRESS:  # in a header it is a list
        header = f"From: {SENDER}\r\nTo: {address}\r\nSubject: s\r\n\r\nt".encode()
        assert raw(ready, header) == ("BadRequestException", text)
        assert raw(ready, header, Destination={"ToAddresses": ["a@x.example"]}) == (
            "BadRequestException",
            text,
        )
    assert ready.sent() == []


@pytest.mark.parametrize("member", ["FromEmailAddress", "FeedbackForwardingEmailAddress"])
def test_other_addresses_of_a_call_are_read_too(ready: World, member: str) -> None:
    text = ("BadRequestException", "Illegal address")
    assert simple(ready, **{member: "Kim, Chan <kim@e.example>"}) == text
    assert simple(ready, ReplyToAddresses=["Kim, Chan <kim@e.example>"]) == text
    assert simple(ready, Destination={"CcAddresses": ["Kim, Chan <kim@e.example>"]}) == text


@pytest.mark.parametrize("name", ["From", "Cc", "Bcc", "Reply-To", "Return-Path"])
def test_the_address_headers_of_raw_mail_are_read(ready: World, name: str) -> None:
    own = f"{name}: kim @e.example\r\n" + ("" if name == "From" else f"From: {SENDER}\r\n")
    data = f"{own}To: a@x.example\r\nSubject: s\r\n\r\nt".encode()
    assert raw(ready, data) == ("BadRequestException", "Local address contains control or whitespace")


@pytest.mark.parametrize(("row", "rest", "members"), RAW)
def test_raw_mail_is_refused_alike_by_both_versions(
    ready: World, v1: Any, row: Refusal, rest: bytes, members: dict[str, str]
) -> None:
    text, data = row.text.format(**members), f"From: {SENDER}\r\nTo: a@x.example\r\n".encode() + rest
    assert raw(ready, data) == ("BadRequestException", text)
    refused = ready.refused(v1.send_raw_email, RawMessage={"Data": data})
    assert refused[1:] == ("InvalidParameterValue", text)
    assert ready.sent() == []


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Type: multipart/mixed\r\n\r\n--b\r\n\r\nt\r\n--b--",  # JavaMail takes the first line that is like one
        b'Content-Type: multipart/mixed; boundary="b c"\r\n\r\n--b c\r\n\r\nt\r\n',
        b"\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\nonly a text",
        b"Return-Path: <>\r\nReply-To: team: kim@e.example, lee@e.example;\r\n\r\nt",
        b"Content-Type: text/plain;charset=utf-8\r\n\r\nt",
        b"Reply-To: <kim@e.example>\r\n Subject: s\r\n\r\nt",  # nodemailer's connection check
        b"Content-Type: \r\nReceived: a\r\nReceived: b\r\n\r\nt",
    ],
)
def test_raw_mail_with_odd_but_right_headers_is_accepted(ready: World, rest: bytes) -> None:
    ready.ses.send_email(Content={"Raw": {"Data": f"From: {SENDER}\r\nTo: a@x.example\r\n".encode() + rest}})


def test_a_nested_multipart_is_accepted(ready: World) -> None:
    inner = b"--b\r\nContent-Type: multipart/related;\r\n boundary=c\r\n\r\n--c\r\n\r\nt\r\n--c--\r\n--b--"
    head = f"From: {SENDER}\r\nTo: a@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n".encode()
    ready.ses.send_email(Content={"Raw": {"Data": head + inner}})


@pytest.mark.parametrize("member", ["FromEmailAddress", "FeedbackForwardingEmailAddress"])
def test_a_bulk_call_whose_sender_is_no_address_is_refused_as_a_whole(ready: World, member: str) -> None:
    call: Any = {
        "FromEmailAddress": SENDER,
        "DefaultContent": {
            "Template": {"TemplateContent": {"Subject": "s", "Text": "t"}, "TemplateData": "{}"}
        },
        "BulkEmailEntries": [{"Destination": {"ToAddresses": ["a@x.example"]}}],
        member: "Kim, Chan <kim@e.example>",
    }
    refused = ready.refused(ready.ses.send_bulk_email, **call)
    assert refused[1:] == ("BadRequestException", "Invalid email address<Kim, Chan <kim@e.example>>.")


@pytest.mark.parametrize(
    ("switch", "data"),
    [
        ("refuse_long_lines", b"\r\n" + b"x" * 5000),
        ("refuse_long_words", b"Subject: =?utf-8?q?" + b"x" * 200 + b"?=\r\n\r\nt"),
        ("refuse_bare_names", "Reply-To: Jörg <joe@e.example>\r\n\r\nt".encode()),
    ],
)
def test_what_ses_may_take_can_be_switched(ready: World, switch: str, data: bytes) -> None:
    content = {"Raw": {"Data": f"From: {SENDER}\r\nTo: a@x.example\r\n".encode() + data}}
    ready.admin("PUT", "/account", {"behaviour": {switch: True}})
    assert raw(ready, content["Raw"]["Data"])[0] == "BadRequestException"
    ready.admin("PUT", "/account", {"behaviour": {switch: False}})
    ready.ses.send_email(Content=content)


# bytes beyond ASCII


def test_no_byte_of_a_header_is_lost(ready: World) -> None:
    ready.configuration_set(events=["SEND"])
    head = f"From: {SENDER}\r\nTo: a@x.example\r\n".encode()
    data = head + "Subject: héllo\r\n".encode() + b"X-A: h\xe9llo \xff\xfe\r\n\r\nt"
    ready.ses.send_email(Content={"Raw": {"Data": data}}, ConfigurationSetName="acme-reset")
    [mail] = ready.sent()
    assert mail["subject"] == "héllo"
    shown = {header["name"]: header["value"] for header in mail["headers"]}
    assert shown["X-A"] == "h=?unknown-8bit?q?=E9?=llo =?unknown-8bit?q?=FF=FE?="
    [event] = ready.events(1)
    assert event["mail"]["commonHeaders"]["subject"] == "héllo"
    assert {"name": "X-A", "value": shown["X-A"]} in event["mail"]["headers"]


def test_a_subject_of_an_unknown_charset_keeps_its_bytes(ready: World) -> None:
    data = f"From: {SENDER}\r\nTo: a@x.example\r\n".encode() + b"Subject: h\xe9llo\r\n\r\nt"
    ready.ses.send_email(Content={"Raw": {"Data": data}})
    assert ready.sent()[0]["subject"] == "h=?unknown-8bit?q?=E9?=llo"


# identities of others


FOREIGN = "arn:aws:ses:us-east-1:111122223333:identity/mail.acme.example"
DENIED = (
    "User: arn:aws:iam::123456789012:user/test is not authorized to perform: ses:{action} on resource: "
    + FOREIGN
    + " because no resource-based policy allows the ses:{action} action"
)


def denied(action: str) -> tuple[int, str, str]:
    return 403, "AccessDeniedException", DENIED.format(action=action)


@pytest.mark.parametrize(
    "member", ["FromEmailAddressIdentityArn", "FeedbackForwardingEmailAddressIdentityArn"]
)
def test_an_identity_of_another_account_is_refused(ready: World, member: str) -> None:
    call: Any = {"FromEmailAddress": SENDER, "Destination": {"ToAddresses": ["a@x.example"]}}
    ready.ses.send_email(
        **call, Content={"Simple": TEXT}, **{member: ready.arn("identity/mail.acme.example")}
    )
    refused = ready.refused(ready.ses.send_email, **call, Content={"Simple": TEXT}, **{member: FOREIGN})
    assert refused == denied("SendEmail")
    ready.admin("PUT", "/account", {"behaviour": {"old_denials": True}})
    refused = ready.refused(ready.ses.send_email, **call, Content={"Simple": TEXT}, **{member: FOREIGN})
    assert refused[2] == (
        f"User `arn:aws:iam::123456789012:user/test' is not authorized to perform `ses:SendEmail' on resource `{FOREIGN}'"
    )
    assert len(ready.sent()) == 1


@pytest.mark.parametrize("name", ["SOURCE", "FROM", "RETURN-PATH"])
def test_headers_of_raw_mail_can_name_such_an_identity(ready: World, v1: Any, name: str) -> None:
    data = f"From: {SENDER}\r\nTo: a@x.example\r\nX-SES-{name}-ARN: {FOREIGN}\r\n\r\nt".encode()
    refused = ready.refused(ready.ses.send_email, Content={"Raw": {"Data": data}})
    assert refused == denied("SendRawEmail")
    refused = ready.refused(v1.send_raw_email, RawMessage={"Data": data})
    assert refused[:2] == (403, "AccessDenied")
    own = data.replace(b"111122223333", b"123456789012")
    ready.ses.send_email(Content={"Raw": {"Data": own}})


@pytest.mark.parametrize("member", ["SourceArn", "ReturnPathArn"])
def test_ses_v1_refuses_such_an_identity(ready: World, v1: Any, member: str) -> None:
    call: Any = {"Source": SENDER, "Destination": {"ToAddresses": ["a@x.example"]}, "Message": TEXT}
    refused = ready.refused(v1.send_email, **call, **{member: FOREIGN})
    assert refused == (403, "AccessDenied", DENIED.format(action="SendEmail"))
    refused = ready.refused(v1.send_email, **call, **{member: "mail.acme.example"})
    assert refused == (400, "InvalidParameterValue", "Invalid identity ARN <mail.acme.example>.")


# other answers


def test_an_automatic_reply_is_a_bounce_if_asked_for(ready: World) -> None:
    ready.configuration_set(events=["SEND", "DELIVERY", "BOUNCE"])
    away = "ooto+x@simulator.amazonses.com"
    ready.send(away, tenant=None)
    assert ready.kinds(2) == ["Send", "Delivery"]
    ready.admin("PUT", "/account", {"behaviour": {"ooto_bounces": True}})
    ready.send(away, tenant=None)
    events = ready.events(3)
    assert [event["eventType"] for event in events] == ["Send", "Delivery", "Bounce"]
    bounce = events[2]["bounce"]
    assert (bounce["bounceType"], bounce["bounceSubType"]) == ("Transient", "General")
    assert bounce["bouncedRecipients"] == [{"emailAddress": away}]
    assert "reportingMTA" not in bounce


@pytest.mark.parametrize("code", ["MessageRejected", "AccountSuspendedException"])
def test_what_a_paused_account_answers_can_be_switched(ready: World, code: str) -> None:
    ready.ses.put_account_sending_attributes(SendingEnabled=False)
    assert simple(ready) == ("SendingPausedException", "Sending paused for this account.")
    ready.admin("PUT", "/account", {"behaviour": {"pause_error": code}})
    refused = simple(ready)
    assert refused[0] == code
    assert refused[1].startswith("Sending paused for this account. For more information, please check")


def test_a_queue_is_purged_at_most_once_a_minute(world: World) -> None:
    world.admin("PUT", "/clock", {"frozen": True})
    urls = [world.sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("q", "other")]
    for url in urls:
        world.sqs.purge_queue(QueueUrl=url)
    world.admin("PUT", "/clock", {"advance": 59})
    assert world.refused(world.sqs.purge_queue, QueueUrl=urls[0]) == (
        403,
        "AWS.SimpleQueueService.PurgeQueueInProgress",
        "Only one PurgeQueue operation on q is allowed every 60 seconds.",
    )
    world.admin("PUT", "/clock", {"advance": 1})
    world.sqs.purge_queue(QueueUrl=urls[0])
