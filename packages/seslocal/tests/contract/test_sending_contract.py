"""SendEmail and SendBulkEmail (ses.md 3): each documented limit, format and error, by status, code and message."""

from __future__ import annotations

import re
from typing import Any

import pytest

from seslocal_fixtures.world import World

SENDER = "no-reply@mail.acme.example"
TO = {"ToAddresses": ["kim@example.com"]}
HEAD = b"From: no-reply@mail.acme.example\r\nTo: kim@example.com\r\nSubject: s\r\n"
BAD = (400, "BadRequestException")


@pytest.fixture
def ready(world: World) -> World:
    world.domain()
    return world


def simple(**more: Any) -> dict[str, Any]:
    return {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}, **more}}


def refusal(world: World, **more: Any) -> tuple[int, str, str]:
    call = {"FromEmailAddress": SENDER, "Destination": TO, "Content": simple(), **more}
    return world.refused(world.ses.send_email, **call)


def accepted(world: World, **more: Any) -> dict[str, Any]:
    call = {"FromEmailAddress": SENDER, "Destination": TO, "Content": simple(), **more}
    return world.admin("GET", f"/sent/{world.ses.send_email(**call)['MessageId']}")


def raw(head: bytes = HEAD, body: bytes = b"Hello\r\n") -> dict[str, Any]:
    return {"Raw": {"Data": head + b"\r\n" + body}}


# 3.1


def test_the_sender_can_have_a_display_name(ready: World) -> None:
    assert accepted(ready, FromEmailAddress=f"Acme <{SENDER}>")["from"] == f"Acme <{SENDER}>"
    assert refusal(ready, FromEmailAddress=f"Grüße <{SENDER}>")[:2] == BAD


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nobody", "Missing final '@domain'"),
        ("küm@example.com", "Local address contains control or whitespace"),
        ("kim@exämple.com", "Domain contains control or whitespace"),
        ("kim@example.com\r\nBcc: x@y.example", "Local address contains control or whitespace"),
    ],
)
def test_addresses_are_ascii_with_domains_in_punycode(ready: World, address: str, message: str) -> None:
    assert refusal(ready, Destination={"ToAddresses": [address]}) == (*BAD, message)
    assert refusal(ready, Destination={"ToAddresses": ["lee@example.com", address]}) == (*BAD, message)
    assert ready.sent() == []


def test_a_mail_has_at_most_fifty_recipients_in_all(ready: World) -> None:
    many = {f"{kind}Addresses": [f"{kind}{n}@x.example" for n in range(17)] for kind in ("To", "Cc", "Bcc")}
    assert refusal(ready, Destination=many) == (*BAD, "Recipient count exceeds 50.")
    many["BccAddresses"].pop()
    assert len(accepted(ready, Destination=many)["recipients"]) == 50


@pytest.mark.parametrize("content", [{}, {**simple(), **raw()}])
def test_content_is_exactly_one_of_three(ready: World, content: dict[str, Any]) -> None:
    assert refusal(ready, Content=content) == (
        *BAD,
        "Content must hold exactly one of Simple, Raw and Template.",
    )


def test_with_raw_the_destination_is_the_envelope_and_may_be_omitted(ready: World) -> None:
    assert accepted(ready, Content=raw(), Destination={"ToAddresses": ["lee@example.com"]})["recipients"] == [
        "lee@example.com"
    ]
    message_id = ready.ses.send_email(Content=raw())["MessageId"]
    assert ready.admin("GET", f"/sent/{message_id}")["recipients"] == ["kim@example.com"]


def test_a_message_id_is_of_ses_shape(ready: World) -> None:
    message_id = ready.ses.send_email(FromEmailAddress=SENDER, Destination=TO, Content=simple())["MessageId"]
    assert re.fullmatch(
        r"0100[0-9a-f]{12}-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}-000000",
        message_id,
    )


@pytest.mark.parametrize(
    ("listened", "overrides", "tracked"),
    [
        (["SEND"], {"OpenTrackingEnabled": "ENABLED"}, True),
        (["OPEN"], {"OpenTrackingEnabled": "DISABLED"}, False),
        (["OPEN"], {"ClickTrackingEnabled": "DISABLED"}, True),
        (["OPEN"], {}, True),
        (["SEND"], {}, False),
    ],
)
def test_tracking_in_the_call_overrides_the_set(
    ready: World, listened: list[str], overrides: dict[str, str], tracked: bool
) -> None:
    ready.configuration_set("s", events=listened)
    html = {"Simple": {"Subject": {"Data": "s"}, "Body": {"Html": {"Data": "<p>Hi</p>"}}}}
    line = accepted(
        ready, Content=html, ConfigurationSetName="s", ConfigurationOverrides={"Tracking": overrides}
    )
    assert (b"/I0/" in ready.http("GET", f"/_seslocal/sent/{line['message_id']}/html")[1]) is tracked


# 3.3


def test_a_message_has_at_most_forty_megabytes_after_base64(ready: World) -> None:
    status, code, message = refusal(
        ready, Content=raw(body=b"x" * 78 + b"\r\n" + (b"y" * 76 + b"\r\n") * 410_000)
    )
    assert (status, code) == BAD
    assert message.startswith("Message length is more than 41943040 bytes long: '")


@pytest.mark.parametrize("end", [b"\r\n", b"\n", b""])
def test_a_raw_message_has_lines_of_at_most_a_thousand_octets(ready: World, end: bytes) -> None:
    accepted(ready, Content=raw(body=b"x" * 998 + end))
    assert refusal(ready, Content=raw(body=b"x" * 999 + end)) == (
        *BAD,
        "A line of the message is longer than 998 octets.",
    )


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ({"Name": "a b", "Value": "x"}, "Invalid tag name <a b>"),
        ({"Name": "a", "Value": "kim@example.com"}, "Invalid tag value <kim@example.com>"),
        ({"Name": "ses:tenant-name", "Value": "x"}, "Invalid tag name <ses:tenant-name>"),
        ({"Name": "n" * 257, "Value": "x"}, f"Invalid tag name <{'n' * 257}>"),
        ({"Name": "a", "Value": "v" * 257}, f"Invalid tag value <{'v' * 257}>"),
    ],
)
def test_tags_are_letters_digits_and_two_signs(ready: World, tag: dict[str, str], message: str) -> None:
    rule = ": only alphanumeric ASCII characters, '_', and '-' are allowed, 1 to 256 of them."
    assert refusal(ready, EmailTags=[tag]) == (*BAD, message + rule)


def test_feedback_ids_can_have_sess_prefix(ready: World) -> None:
    tags = [{"Name": f"ses:feedback-id-{one}", "Value": "acme"} for one in "ab"]
    assert accepted(ready, EmailTags=tags)["tags"] == {
        "ses:feedback-id-a": ["acme"],
        "ses:feedback-id-b": ["acme"],
    }


WRITTEN = "BCC CC Content-Disposition Content-Type Date From Message-ID MIME-Version Reply-To Return-Path Subject To"
ONCE = (
    "Subject From Date Message-ID Sender References List-Id Precedence DKIM-Signature Thread-Topic Keywords "
    "MIME-Version Content-MD5 VBR-Info Bounces-to acceptLanguage Delivered-To"
)


@pytest.mark.parametrize("name", WRITTEN.split())
def test_headers_that_ses_writes_itself_are_refused_in_simple_mail(ready: World, name: str) -> None:
    content = simple(Headers=[{"Name": name, "Value": "x"}])
    assert refusal(ready, Content=content) == (*BAD, f"Header {name} is not allowed.")


def test_custom_headers_have_their_limits(ready: World) -> None:
    fifteen = [{"Name": f"X-{n}", "Value": "a"} for n in range(15)]
    accepted(ready, Content=simple(Headers=fifteen))
    assert refusal(ready, Content=simple(Headers=[*fifteen, {"Name": "X-15", "Value": "a"}])) == (
        *BAD,
        "1 validation error detected: Value '16 members' at 'content.simple.headers' failed to satisfy constraint: "
        "Member must have length less than or equal to 15",
    )
    assert refusal(ready, Content=simple(Headers=[{"Name": "X" * 126, "Value": "a" * 871}])) == (
        *BAD,
        f"Header {'X' * 126} is longer than 996 characters.",
    )
    for name, value in (("X:", "a"), ("X A", "a"), ("X", "a\r\nBcc: x"), ("X" * 127, "a"), ("X", "a" * 996)):
        assert refusal(ready, Content=simple(Headers=[{"Name": name, "Value": value}]))[:2] == BAD


def test_unsubscribe_headers_are_allowed_once(ready: World) -> None:
    header = {"Name": "List-Unsubscribe", "Value": "<https://acme.example/out>"}
    accepted(
        ready,
        Content=simple(
            Headers=[header, {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"}]
        ),
    )
    assert refusal(ready, Content=simple(Headers=[header, header])) == (
        *BAD,
        "Duplicate header 'List-Unsubscribe'.",
    )


@pytest.mark.parametrize("name", ONCE.split())
def test_some_headers_are_allowed_once_in_raw_mail(ready: World, name: str) -> None:
    twice = f"{name.lower()}: a@mail.acme.example\r\n{name.upper()}: a@mail.acme.example\r\n".encode()
    head = b"\r\n".join(line for line in HEAD.split(b"\r\n") if not line.startswith(name.encode()))
    assert refusal(ready, Content=raw(head=head + twice)) == (*BAD, f"Duplicate header '{name}'.")


def test_raw_mail_needs_from_and_a_recipient(ready: World) -> None:
    assert refusal(ready, Content=raw(head=b"Subject: s\r\n")) == (*BAD, "Missing required header 'From'.")
    refused = ready.refused(ready.ses.send_email, Content=raw(head=b"From: no-reply@mail.acme.example\r\n"))
    assert refused == (*BAD, "Missing required header 'To'.")


def test_parameters_override_sess_headers_which_are_removed_from_events(ready: World) -> None:
    for name in ("s", "other"):
        ready.ses.create_configuration_set(ConfigurationSetName=name)
    head = HEAD + b"X-SES-CONFIGURATION-SET: other\r\nX-SES-MESSAGE-TAGS: a=header\r\n"
    line = accepted(
        ready, Content=raw(head=head), ConfigurationSetName="s", EmailTags=[{"Name": "a", "Value": "call"}]
    )
    assert (line["configuration_set"], line["tags"]) == ("s", {"a": ["call"]})
    line = accepted(ready, Content=raw(head=head))
    assert (line["configuration_set"], line["tags"]) == ("other", {"a": ["header"]})


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("FileName", "x" * 256),
        ("ContentId", ""),
        ("ContentId", "x" * 79),
        ("ContentType", "x" * 79),
        ("ContentDescription", "x" * 1001),
        ("ContentDisposition", "ELSEWHERE"),
        ("ContentTransferEncoding", "UUENCODE"),
    ],
)
def test_attachments_have_their_limits(ready: World, member: str, value: str) -> None:
    attachment = {"FileName": "a.txt", "RawContent": b"x", member: value}
    status, code, message = refusal(ready, Content=simple(Attachments=[attachment]))
    assert (status, code) == BAD
    assert f"at 'content.simple.attachments.1.member.{member[0].lower()}{member[1:]}' failed" in message


# 3.4


def test_exceeding_the_rate_is_429(ready: World) -> None:
    ready.admin("PUT", "/clock", {"frozen": True})
    ready.admin("PUT", "/account", {"rate": 1})
    accepted(ready)
    assert refusal(ready) == (429, "TooManyRequestsException", "Maximum sending rate exceeded.")


def test_exceeding_the_quota_is_limit_exceeded(ready: World) -> None:
    ready.admin("PUT", "/account", {"quota": 0})
    assert refusal(ready) == (400, "LimitExceededException", "Daily message quota exceeded.")


def test_a_restricted_account_is_suspended(ready: World) -> None:
    ready.admin("PUT", "/account", {"enforcement": "SHUTDOWN"})
    assert refusal(ready) == (400, "AccountSuspendedException", "Sending suspended for this account.")


def test_a_paused_account_or_set_is_sending_paused(ready: World) -> None:
    ready.ses.create_configuration_set(ConfigurationSetName="s", SendingOptions={"SendingEnabled": False})
    assert refusal(ready, ConfigurationSetName="s") == (
        400,
        "SendingPausedException",
        "Sending paused for configuration set s.",
    )
    ready.ses.put_account_sending_attributes(SendingEnabled=False)
    assert refusal(ready) == (400, "SendingPausedException", "Sending paused for this account.")


def test_a_sender_that_is_not_verified_is_rejected_by_name_and_region(ready: World) -> None:
    message = "Email address is not verified. The following identities failed the check in region US-EAST-1: a@no.example"
    assert refusal(ready, FromEmailAddress="a@no.example") == (400, "MessageRejected", message)


def test_an_unverified_mail_from_rejects_if_configured(ready: World) -> None:
    ready.ses.put_email_identity_mail_from_attributes(
        EmailIdentity="mail.acme.example",
        MailFromDomain="b.mail.acme.example",
        BehaviorOnMxFailure="REJECT_MESSAGE",
    )
    ready.admin("PUT", "/identities/mail.acme.example", {"mail_from_status": "FAILED"})
    assert refusal(ready) == (
        400,
        "MailFromDomainNotVerifiedException",
        "Mail-From domain b.mail.acme.example is not verified.",
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ConfigurationSetName": "no"}, "Configuration set <no> does not exist."),
        ({"Content": {"Template": {"TemplateName": "no"}}}, "Template no does not exist."),
        ({"ListManagementOptions": {"ContactListName": "no"}}, "List with name: no doesn't exist."),
    ],
)
def test_missing_sets_and_templates_are_not_found(ready: World, more: dict[str, Any], message: str) -> None:
    assert refusal(ready, **more) == (404, "NotFoundException", message)


def test_a_failed_call_does_not_count(ready: World) -> None:
    refusal(ready, ConfigurationSetName="no")
    assert ready.ses.get_account()["SendQuota"]["SentLast24Hours"] == 0
    assert ready.sent() == []


# 3.5


def test_the_account_shows_its_quotas(ready: World) -> None:
    accepted(ready, Destination={"ToAddresses": ["a@x.example", "b@x.example"]})
    account = ready.ses.get_account()
    assert account["SendQuota"] == {"Max24HourSend": 1e7, "MaxSendRate": 1000.0, "SentLast24Hours": 2.0}
    assert (account["SendingEnabled"], account["ProductionAccessEnabled"]) == (True, True)
    assert account["EnforcementStatus"] == "HEALTHY"
