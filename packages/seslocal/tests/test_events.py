"""Events: what SES publishes about a mail, in which envelope, and to which destinations. Read by real boto3 from
the queue."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
TOPIC = "arn:aws:sns:us-east-1:123456789012:events"
BUS = "arn:aws:events:us-east-1:123456789012:event-bus/default"
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def test_a_delivered_mail_has_send_and_delivery_events(world: World) -> None:
    world.ready()
    message_id = world.send(
        "kim@example.com",
        EmailTags=[{"Name": "attempt", "Value": "a-1"}, {"Name": "ses:feedback-id-a", "Value": "reset"}],
        ReplyToAddresses=["help@acme.example"],
    )
    send, delivery = world.events(2)
    assert send["eventType"] == "Send"
    assert send["send"] == {}
    mail = send["mail"]
    assert ISO.fullmatch(mail.pop("timestamp"))
    common = {
        "from": ["Acme <no-reply@mail.acme.example>"],
        "replyTo": ["help@acme.example"],
        "to": ["kim@example.com"],
        "messageId": message_id,
        "subject": "Hi",
    }
    assert mail == {
        "source": "Acme <no-reply@mail.acme.example>",
        "sourceArn": world.arn("identity/mail.acme.example"),
        "sendingAccountId": "123456789012",
        "messageId": message_id,
        "destination": ["kim@example.com"],
        "headersTruncated": False,
        "headers": [
            {"name": "From", "value": "Acme <no-reply@mail.acme.example>"},
            {"name": "Reply-To", "value": "help@acme.example"},
            {"name": "To", "value": "kim@example.com"},
            {"name": "Subject", "value": "Hi"},
            {"name": "MIME-Version", "value": "1.0"},
            {"name": "Content-Type", "value": "text/plain; charset=UTF-8"},
        ],
        "commonHeaders": common,
        "tags": {
            "ses:operation": ["SendEmail"],
            "ses:configuration-set": ["acme-reset"],
            "ses:source-ip": ["127.0.0.1"],
            "ses:from-domain": ["mail.acme.example"],
            "ses:caller-identity": ["test"],
            "attempt": ["a-1"],
            "ses:feedback-id-a": ["reset"],
        },
    }
    assert delivery["eventType"] == "Delivery"
    assert "ses:outgoing-ip" in delivery["mail"]["tags"]
    facts = delivery["delivery"]
    assert ISO.fullmatch(facts["timestamp"])
    assert isinstance(facts["processingTimeMillis"], int)
    assert facts["recipients"] == ["kim@example.com"]
    assert set(facts) == {
        "timestamp", "processingTimeMillis", "recipients", "smtpResponse", "reportingMTA", "remoteMtaIp",
    }  # fmt: skip


def test_a_bounce_names_its_recipient_and_the_tenant(world: World) -> None:
    world.ready()
    world.mailbox("kim@example.com", "bounces")
    world.send("kim@example.com")
    bounce = world.events(2)[1]
    assert bounce["mail"]["tags"]["ses:tenant-name"] == ["acme"]
    facts = bounce["bounce"]
    assert ISO.fullmatch(facts.pop("timestamp"))
    assert re.fullmatch(r"[0-9a-f]{16}-[0-9a-f-]{36}-000000", facts.pop("feedbackId"))
    assert facts == {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {
                "emailAddress": "kim@example.com",
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 user unknown",
            }
        ],
        "reportingMTA": "dns; mail.example.com",
    }


def test_a_complaint_follows_its_delivery(world: World) -> None:
    world.ready()
    world.mailbox("lee@example.com", "complains")
    world.send("lee@example.com")
    send, delivery, complaint = world.events(3)
    assert [e["eventType"] for e in (send, delivery, complaint)] == ["Send", "Delivery", "Complaint"]
    facts = complaint["complaint"]
    assert facts["complainedRecipients"] == [{"emailAddress": "lee@example.com"}]
    assert (facts["complaintFeedbackType"], facts["complaintSubType"]) == ("abuse", None)
    assert ISO.fullmatch(facts["arrivalDate"])
    assert "userAgent" in facts
    assert complaint["mail"]["tags"]["ses:tenant-name"] == ["acme"]
    assert "ses:tenant-name" not in send["mail"]["tags"]


def test_the_tenant_tag_can_be_switched_to_every_event(world: World) -> None:
    world.ready()
    world.admin("PUT", "/account", {"behaviour": {"tenant_tag_on_every_event": True}})
    world.send("kim@example.com")
    assert all(e["mail"]["tags"]["ses:tenant-name"] == ["acme"] for e in world.events(2))


def test_a_delay_event_has_the_expiration_time(world: World) -> None:
    world.ready(DeliveryOptions={"MaxDeliverySeconds": 600})
    world.mailbox("slow@example.com", "defers", subtype="MailboxFull", then="nothing")
    world.send("slow@example.com")
    delay = world.events(2)[1]
    assert delay["eventType"] == "DeliveryDelay"
    facts = delay["deliveryDelay"]
    assert facts["delayType"] == "MailboxFull"
    assert facts["delayedRecipients"][0]["emailAddress"] == "slow@example.com"
    assert ISO.fullmatch(facts["expirationTime"])
    assert facts["expirationTime"] > delay["mail"]["timestamp"]
    assert "headers" not in delay["mail"]
    assert world.silent()


@pytest.mark.parametrize("shape", ["text", "attachment", "raw", "raw base64"])
def test_a_virus_is_accepted_and_then_rejected(world: World, shape: str) -> None:
    world.ready()
    simple: dict[str, Any] = {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "see"}}}
    head = b"From: a@mail.acme.example\r\nTo: kim@example.com\r\nSubject: x\r\n\r\n"
    content: dict[str, Any] = {
        "text": {"Simple": {**simple, "Body": {"Text": {"Data": EICAR}}}},
        "attachment": {
            "Simple": {**simple, "Attachments": [{"FileName": "a.txt", "RawContent": EICAR.encode()}]}
        },
        "raw": {"Raw": {"Data": head + EICAR.encode()}},
        "raw base64": {"Raw": {"Data": head + base64.b64encode(EICAR.encode())}},
    }[shape]
    world.send("kim@example.com", Content=content)
    send, reject = world.events(2)
    assert (send["eventType"], reject["eventType"]) == ("Send", "Reject")
    assert reject["reject"] == {"reason": "Bad content"}
    assert world.silent()
    assert world.sent(recipient="kim@example.com")[0]["fates"]["kim@example.com"]["fate"] == "rejected"


def test_sns_puts_the_document_into_its_envelope(world: World) -> None:
    world.ready()
    world.send("kim@example.com")
    envelope = json.loads(world.bodies(2)[0])
    assert list(envelope) == [
        "Type", "MessageId", "TopicArn", "Subject", "Message", "Timestamp", "SignatureVersion", "Signature",
        "SigningCertURL", "UnsubscribeURL",
    ]  # fmt: skip
    assert envelope["Type"] == "Notification"
    assert envelope["TopicArn"] == TOPIC
    assert envelope["Subject"] == "Amazon SES Email Event Notification"
    assert json.loads(envelope["Message"])["eventType"] == "Send"
    assert ISO.fullmatch(envelope["Timestamp"])


def test_a_raw_topic_carries_the_bare_document(world: World) -> None:
    world.admin("PUT", "/topics/events", {"raw": True})
    world.ready()
    url = world.queue()
    [greeting] = world.sqs.receive_message(QueueUrl=url).get("Messages", [])
    assert greeting.get("Body") == "Successfully validated SNS topic for Amazon SES event publishing."
    world.send("kim@example.com")
    assert [json.loads(body)["eventType"] for body in world.bodies(2)] == ["Send", "Delivery"]


def test_a_new_destination_publishes_a_plain_text_message(world: World) -> None:
    world.configuration_set()
    [message] = world.sqs.receive_message(QueueUrl=world.queue()).get("Messages", [])
    envelope = json.loads(message.get("Body", ""))
    assert envelope["Message"] == "Successfully validated SNS topic for Amazon SES event publishing."


def test_the_bus_feeds_its_queue_with_eventbridge_envelopes(world: World) -> None:
    world.admin("PUT", "/account", {"event_bus_queue": "bus"})
    arns = world.domain(), world.configuration_set(events=["REJECT"])
    world.destination("acme-reset", {"EventBridgeDestination": {"EventBusArn": BUS}}, ["SEND", "BOUNCE"])
    world.tenant("acme", *arns)
    world.mailbox("kim@example.com", "bounces")
    world.send("kim@example.com")
    sent, bounced = (json.loads(body) for body in world.bodies(2, "bus"))
    assert list(sent) == [
        "version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail",
    ]  # fmt: skip
    assert (sent["detail-type"], bounced["detail-type"]) == ("Email Sent", "Email Bounced")
    assert (sent["source"], sent["version"], sent["account"]) == ("aws.ses", "0", "123456789012")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", sent["time"])
    assert bounced["detail"]["eventType"] == "Bounce"
    assert world.silent()  # the topic's destination has only REJECT


def test_a_tenants_status_change_is_published_on_the_bus(world: World) -> None:
    world.admin("PUT", "/account", {"event_bus_queue": "bus"})
    arn = world.tenant("acme")
    world.ses.update_reputation_entity_customer_managed_status(
        ReputationEntityType="RESOURCE", ReputationEntityReference=arn, SendingStatus="DISABLED"
    )
    event = json.loads(world.bodies(1, "bus")[0])
    assert (event["detail-type"], event["resources"]) == ("Sending Status Disabled", [arn])
    data = event["detail"]["data"]
    assert data["origin"] == "CUSTOMER_MANAGED"
    assert data["record"]["cause"] == "Status manually updated."
    assert len(data["record"]["lastUpdatedTimestamp"]) == 7


def test_only_matching_types_of_enabled_destinations_are_published(world: World) -> None:
    world.ready(events=["DELIVERY"])
    world.send("kim@example.com")
    assert world.kinds(1) == ["Delivery"]
    world.ses.update_configuration_set_event_destination(
        ConfigurationSetName="acme-reset",
        EventDestinationName="d-SnsDestination",
        EventDestination={"MatchingEventTypes": ["DELIVERY"], "SnsDestination": {"TopicArn": TOPIC}},
    )
    world.send("kim@example.com")
    assert world.silent()  # Enabled was left out, which is false


def test_a_disabled_destination_gets_nothing_next_to_an_enabled_one(world: World) -> None:
    world.ready()
    world.ses.create_configuration_set_event_destination(
        ConfigurationSetName="acme-reset",
        EventDestinationName="off",
        EventDestination={
            "Enabled": False,
            "MatchingEventTypes": ["SEND"],
            "SnsDestination": {"TopicArn": TOPIC.replace("events", "other")},
        },
    )
    world.send("kim@example.com")
    assert world.kinds(2) == ["Send", "Delivery"]
    assert world.silent("other")


def test_a_mail_without_set_publishes_nothing(world: World) -> None:
    world.ready()
    world.send("kim@example.com", tenant=None, configuration_set=None)
    assert world.silent()


def test_headers_beyond_ten_kilobytes_are_truncated_and_flagged(world: World) -> None:
    world.ready()
    headers = [{"Name": f"X-Long-{i}", "Value": "v" * 900} for i in range(15)]
    body = {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "x"}}, "Headers": headers}
    world.send("kim@example.com", Content={"Simple": body})
    mail = world.events(2)[0]["mail"]
    assert mail["headersTruncated"] is True
    assert 0 < len(mail["headers"]) < 20


def test_raw_mail_takes_recipients_and_subject_from_its_headers(world: World) -> None:
    world.ready()
    data = (
        b"From: Acme <no-reply@mail.acme.example>\r\nTo: Kim <kim@example.com>,\r\n lee@example.org\r\n"
        b"Bcc: hidden@example.net\r\nSubject: =?utf-8?b?R3LDvMOfZQ==?=\r\nX-SES-MESSAGE-TAGS: attempt=7, kind=reset\r\n"
        b"X-SES-CONFIGURATION-SET: acme-reset\r\nX-SES-TENANT: acme\r\n\r\nbody\r\n"
    )
    message_id = world.ses.send_email(Content={"Raw": {"Data": data}})["MessageId"]
    events = world.events(4)  # Send and a Delivery for each of three domains
    mail = events[0]["mail"]
    assert mail["messageId"] == message_id
    assert mail["destination"] == ["kim@example.com", "lee@example.org", "hidden@example.net"]
    assert (mail["tags"]["attempt"], mail["tags"]["kind"]) == (["7"], ["reset"])
    assert "Bcc" not in [header["name"] for header in mail["headers"]]
    line = world.admin("GET", f"/sent/{message_id}")
    assert (line["tenant"], line["configuration_set"], line["subject"]) == ("acme", "acme-reset", "Grüße")
    assert base64.b64decode(line["content"]["Raw"]["Data"]) == data


def test_parameters_override_headers_of_raw_mail(world: World) -> None:
    world.ready()
    data = b"From: a@mail.acme.example\r\nTo: kim@example.com\r\nX-SES-MESSAGE-TAGS: attempt=7\r\nX-SES-TENANT: x\r\n\r\nb"
    world.send(
        Content={"Raw": {"Data": data}},
        Destination={"ToAddresses": ["lee@example.com"]},
        EmailTags=[{"Name": "other", "Value": "1"}],
    )
    mail = world.events(2)[0]["mail"]
    assert mail["destination"] == ["lee@example.com"]
    assert "attempt" not in mail["tags"]
    assert mail["tags"]["other"] == ["1"]
