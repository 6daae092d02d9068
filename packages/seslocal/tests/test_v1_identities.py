"""Identities in SES v1: verification by name, attributes read in bulk, policies and notification topics."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seslocal_fixtures.v1 import send
from seslocal_fixtures.world import TOPIC, World

# identities


def test_identities_are_shared_with_v2(world: World, v1: Any) -> None:
    token = v1.verify_domain_identity(Domain="acme.example")["VerificationToken"]
    v1.verify_email_identity(EmailAddress="kim@example.com")
    v1.verify_email_identity(EmailAddress="kim@example.com")
    world.domain("two.example")
    assert world.ses.get_email_identity(EmailIdentity="acme.example")["VerifiedForSendingStatus"] is True
    assert v1.list_identities()["Identities"] == ["acme.example", "kim@example.com", "two.example"]
    assert v1.list_identities(IdentityType="EmailAddress")["Identities"] == ["kim@example.com"]
    assert v1.list_identities(IdentityType="Domain", MaxItems=1)["Identities"] == ["acme.example"]
    assert v1.list_verified_email_addresses()["VerifiedEmailAddresses"] == ["kim@example.com"]
    found = v1.get_identity_verification_attributes(Identities=["acme.example", "no.example"])[
        "VerificationAttributes"
    ]
    assert found == {"acme.example": {"VerificationStatus": "Success", "VerificationToken": token}}
    for _ in range(2):
        v1.delete_identity(Identity="acme.example")
    v1.delete_verified_email_address(EmailAddress="kim@example.com")
    assert v1.list_identities()["Identities"] == ["two.example"]


def test_dkim_and_mail_from_are_read_and_set(world: World, v1: Any) -> None:
    tokens = v1.verify_domain_dkim(Domain="acme.example")["DkimTokens"]
    v1.set_identity_dkim_enabled(Identity="acme.example", DkimEnabled=False)
    assert v1.get_identity_dkim_attributes(Identities=["acme.example"])["DkimAttributes"] == {
        "acme.example": {"DkimEnabled": False, "DkimVerificationStatus": "Success", "DkimTokens": tokens}
    }
    v1.set_identity_mail_from_domain(
        Identity="acme.example", MailFromDomain="b.acme.example", BehaviorOnMXFailure="RejectMessage"
    )
    found = v1.get_identity_mail_from_domain_attributes(Identities=["acme.example"])[
        "MailFromDomainAttributes"
    ]
    assert found["acme.example"]["MailFromDomain"] == "b.acme.example"
    assert found["acme.example"]["BehaviorOnMXFailure"] == "RejectMessage"


def test_policies_are_shared_with_v2(world: World, v1: Any) -> None:
    world.domain("acme.example")
    policy = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"ses:SendEmail"}]}'
    for _ in range(2):
        v1.put_identity_policy(Identity="acme.example", PolicyName="p", Policy=policy)
    assert v1.list_identity_policies(Identity="acme.example")["PolicyNames"] == ["p"]
    assert v1.get_identity_policies(Identity="acme.example", PolicyNames=["p", "q"])["Policies"] == {
        "p": policy
    }
    assert world.ses.get_email_identity(EmailIdentity="acme.example")["Policies"] == {"p": policy}
    refused = world.refused(v1.put_identity_policy, Identity="acme.example", PolicyName="p", Policy="{}")
    assert refused[:2] == (400, "InvalidPolicy")
    v1.delete_identity_policy(Identity="acme.example", PolicyName="p")
    v1.delete_identity_policy(Identity="acme.example", PolicyName="p")  # succeeds also for a missing policy
    assert v1.list_identity_policies(Identity="acme.example")["PolicyNames"] == []


# notifications


@pytest.fixture
def notified(world: World, v1: Any) -> World:
    world.domain()
    for kind in ("Bounce", "Complaint", "Delivery"):
        v1.set_identity_notification_topic(
            Identity="mail.acme.example", NotificationType=kind, SnsTopic=TOPIC
        )
    first = {one["notificationType"] for one in notifications(world, 3)}
    assert first == {"AmazonSnsSubscriptionSucceeded"}
    return world


def notifications(world: World, count: int) -> list[dict[str, Any]]:
    return [json.loads(json.loads(body)["Message"]) for body in world.bodies(count)]


@pytest.mark.parametrize(
    ("to", "kinds"),
    [("success", ["Delivery"]), ("bounce", ["Bounce"]), ("complaint", ["Delivery", "Complaint"])],
)
def test_identity_topics_get_the_older_notifications(
    notified: World, v1: Any, to: str, kinds: list[str]
) -> None:
    message_id = send(v1, f"{to}@simulator.amazonses.com")
    found = notifications(notified, len(kinds))
    assert [one["notificationType"] for one in found] == kinds
    mail = found[0]["mail"]
    assert (mail["messageId"], mail["sourceIp"], mail["callerIdentity"]) == (message_id, "127.0.0.1", "test")
    assert not {"tags", "headers", "headersTruncated", "commonHeaders"} & mail.keys()
    assert kinds[0].lower() in found[0]
    assert "eventType" not in found[0]


def test_notifications_include_headers_if_set_and_stop_without_a_topic(notified: World, v1: Any) -> None:
    v1.set_identity_headers_in_notifications_enabled(
        Identity="mail.acme.example", NotificationType="Delivery", Enabled=True
    )
    send(v1, "success@simulator.amazonses.com")
    assert notifications(notified, 1)[0]["mail"]["commonHeaders"]["subject"] == "Hi <&> é"
    found = v1.get_identity_notification_attributes(Identities=["mail.acme.example"])[
        "NotificationAttributes"
    ]
    assert found["mail.acme.example"] == {
        "ForwardingEnabled": True,
        **{f"{kind}Topic": TOPIC for kind in ("Bounce", "Complaint", "Delivery")},
        "HeadersInBounceNotificationsEnabled": False,
        "HeadersInComplaintNotificationsEnabled": False,
        "HeadersInDeliveryNotificationsEnabled": True,
    }
    v1.set_identity_notification_topic(Identity="mail.acme.example", NotificationType="Delivery")
    send(v1, "success@simulator.amazonses.com")
    assert notified.silent()


def test_forwarding_can_be_off_only_with_topics(world: World, v1: Any) -> None:
    world.domain()
    off: Any = {"Identity": "mail.acme.example", "ForwardingEnabled": False}
    assert world.refused(v1.set_identity_feedback_forwarding_enabled, **off)[:2] == (
        400,
        "InvalidParameterValue",
    )
    for kind in ("Bounce", "Complaint"):
        v1.set_identity_notification_topic(
            Identity="mail.acme.example", NotificationType=kind, SnsTopic=TOPIC
        )
    v1.set_identity_feedback_forwarding_enabled(**off)
    assert (
        world.ses.get_email_identity(EmailIdentity="mail.acme.example")["FeedbackForwardingStatus"] is False
    )


@pytest.mark.parametrize(
    "topic",
    [
        "arn:aws:sns:us-east-1:x",
        "arn:aws:sns:us-east-1:123456789012:a.fifo",
        "x",
        "arn:aws:sns:eu-west-1:123456789012:a",
    ],
)
def test_a_topic_that_cannot_be_published_to_is_refused(world: World, v1: Any, topic: str) -> None:
    world.domain()
    given: Any = {"Identity": "mail.acme.example", "NotificationType": "Bounce", "SnsTopic": topic}
    assert world.refused(v1.set_identity_notification_topic, **given)[:2] == (400, "InvalidParameterValue")


def test_topics_are_deleted_with_their_identity(notified: World, v1: Any) -> None:
    v1.delete_identity(Identity="mail.acme.example")
    notified.domain()
    send(v1, "success@simulator.amazonses.com")
    assert notified.silent()
