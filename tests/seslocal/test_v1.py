"""The older API, through boto3's `ses`: the same account as SES v2, in forms, XML and codes of its own."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.seslocal.conftest import TOPIC, World

TEXT: Any = {"Subject": {"Data": "Hi <&> é"}, "Body": {"Text": {"Data": "Hello"}}}
SENDER = "Acme <no-reply@mail.acme.example>"


def send(v1: Any, *to: str, **more: Any) -> str:
    call = {"Source": SENDER, "Destination": {"ToAddresses": list(to)}, "Message": TEXT, **more}
    return v1.send_email(**call)["MessageId"]


# identities


def test_an_identity_verified_here_is_there_in_v2_and_back(world: World, v1: Any) -> None:
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


def test_policies_are_v2s(world: World, v1: Any) -> None:
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
    v1.delete_identity_policy(
        Identity="acme.example", PolicyName="p"
    )  # says the same of one that is not there
    assert v1.list_identity_policies(Identity="acme.example")["PolicyNames"] == []


# notifications


@pytest.fixture
def notified(world: World, v1: Any) -> World:
    world.domain()
    for kind in ("Bounce", "Complaint", "Delivery"):
        v1.set_identity_notification_topic(
            Identity="mail.acme.example", NotificationType=kind, SnsTopic=TOPIC
        )
    greetings = {one["notificationType"] for one in notifications(world, 3)}
    assert greetings == {"AmazonSnsSubscriptionSucceeded"}
    return world


def notifications(world: World, count: int) -> list[dict[str, Any]]:
    return [json.loads(json.loads(body)["Message"]) for body in world.bodies(count)]


@pytest.mark.parametrize(
    ("to", "kinds"),
    [("success", ["Delivery"]), ("bounce", ["Bounce"]), ("complaint", ["Delivery", "Complaint"])],
)
def test_topics_of_an_identity_hear_in_the_older_format(
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


def test_they_carry_headers_where_asked_for_and_end_without_a_topic(notified: World, v1: Any) -> None:
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


def test_forwarding_ends_only_where_topics_hear(world: World, v1: Any) -> None:
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


# sending


def test_a_mail_is_accepted_and_told_as_v2s(world: World, v1: Any) -> None:
    world.domain()
    world.configuration_set(events=["SEND"])
    message_id = send(
        v1, "kim@example.com", ConfigurationSetName="acme-reset", Tags=[{"Name": "t", "Value": "v"}]
    )
    [event] = world.events(1)
    assert event["mail"]["messageId"] == message_id
    assert (event["mail"]["tags"]["t"], event["mail"]["tags"]["ses:operation"]) == (["v"], ["SendEmail"])
    assert world.sent()[0]["subject"] == "Hi <&> é"


def test_raw_mail_goes_to_its_destinations_or_else_to_its_headers(world: World, v1: Any) -> None:
    world.domain()
    raw = {"Data": b"From: a@mail.acme.example\r\nTo: kim@example.com\r\nSubject: s\r\n\r\nHello\r\n"}
    v1.send_raw_email(RawMessage=raw)
    v1.send_raw_email(RawMessage=raw, Source="a@mail.acme.example", Destinations=["b@x.example"])
    assert [mail["recipients"] for mail in world.sent()] == [["kim@example.com"], ["b@x.example"]]


def test_templates_are_v2s_and_fill_single_and_bulk_mail(world: World, v1: Any) -> None:
    world.domain()
    template = {"TemplateName": "t", "SubjectPart": "Hi {{name}}", "TextPart": "x"}
    v1.create_template(Template=template)
    assert v1.get_template(TemplateName="t")["Template"] == template
    assert [one["Name"] for one in v1.list_templates()["TemplatesMetadata"]] == ["t"]
    assert (
        "Subject: Hi Kim"
        in v1.test_render_template(TemplateName="t", TemplateData='{"name": "Kim"}')["RenderedTemplate"]
    )
    call: Any = {"Source": SENDER, "Template": "t"}
    v1.send_templated_email(
        **call, Destination={"ToAddresses": ["a@x.example"]}, TemplateData='{"name": "A"}'
    )
    destinations = [
        {"Destination": {"ToAddresses": ["b@x.example"]}, "ReplacementTemplateData": '{"name": "B"}'},
        {"Destination": {"ToAddresses": ["nowhere"]}},
    ]
    status = v1.send_bulk_templated_email(
        **call, DefaultTemplateData='{"name": "you"}', Destinations=destinations
    )["Status"]
    assert [one["Status"] for one in status] == ["Success", "InvalidParameterValue"]
    assert [mail["subject"] for mail in world.sent()] == ["Hi A", "Hi B"]
    v1.update_template(Template={**template, "TextPart": "y"})
    assert world.ses.get_email_template(TemplateName="t")["TemplateContent"]["Text"] == "y"
    for _ in range(2):
        v1.delete_template(TemplateName="t")


def test_quota_and_statistics_count(world: World, v1: Any) -> None:
    world.domain()
    world.admin("PUT", "/clock", {"at": "2026-01-05T12:00:00Z", "frozen": True})
    world.mailbox("kim@example.com", "bounces")
    world.mailbox("lee@example.com", "complains")
    for to in ("kim@example.com", "lee@example.com", "pat@example.com"):
        send(v1, to)
    world.admin("PUT", "/clock", {"advance": 1})
    assert v1.get_send_quota()["SentLast24Hours"] == 3
    [point] = v1.get_send_statistics()["SendDataPoints"]
    counted = {name: point[name] for name in ("DeliveryAttempts", "Bounces", "Complaints", "Rejects")}
    assert counted == {"DeliveryAttempts": 3, "Bounces": 1, "Complaints": 1, "Rejects": 0}
    assert point["Timestamp"].isoformat() == "2026-01-05T12:00:00+00:00"
    world.admin("PUT", "/clock", {"advance": 15 * 86400})
    assert v1.get_send_statistics()["SendDataPoints"] == []


def test_the_account_and_sets_are_switched(world: World, v1: Any) -> None:
    v1.update_account_sending_enabled(Enabled=False)
    assert v1.get_account_sending_enabled()["Enabled"] is False
    assert world.ses.get_account()["SendingEnabled"] is False


# configuration sets


def test_configuration_sets_are_v2s(world: World, v1: Any) -> None:
    world.domain("acme.example")
    v1.create_configuration_set(ConfigurationSet={"Name": "s"})
    destination = {
        "Name": "d",
        "Enabled": True,
        "MatchingEventTypes": ["send", "renderingFailure"],
        "SNSDestination": {"TopicARN": TOPIC},
    }
    v1.create_configuration_set_event_destination(ConfigurationSetName="s", EventDestination=destination)
    v1.put_configuration_set_delivery_options(
        ConfigurationSetName="s", DeliveryOptions={"TlsPolicy": "Require"}
    )
    v1.create_configuration_set_tracking_options(
        ConfigurationSetName="s", TrackingOptions={"CustomRedirectDomain": "t.acme.example"}
    )
    v1.update_configuration_set_sending_enabled(ConfigurationSetName="s", Enabled=False)
    v1.update_configuration_set_reputation_metrics_enabled(ConfigurationSetName="s", Enabled=True)
    names = ["eventDestinations", "trackingOptions", "deliveryOptions", "reputationOptions"]
    found = v1.describe_configuration_set(ConfigurationSetName="s", ConfigurationSetAttributeNames=names)
    assert found["EventDestinations"] == [destination]
    assert found["TrackingOptions"] == {"CustomRedirectDomain": "t.acme.example"}
    assert found["DeliveryOptions"] == {"TlsPolicy": "Require"}
    assert found["ReputationOptions"] == {"SendingEnabled": False, "ReputationMetricsEnabled": True}
    assert [one["Name"] for one in v1.list_configuration_sets()["ConfigurationSets"]] == ["s"]
    again = {"ConfigurationSetName": "s", "TrackingOptions": {"CustomRedirectDomain": "t.acme.example"}}
    assert (
        world.refused(v1.create_configuration_set_tracking_options, **again)[1]
        == "TrackingOptionsAlreadyExistsException"
    )
    v1.delete_configuration_set_tracking_options(ConfigurationSetName="s")
    assert (
        world.refused(v1.update_configuration_set_tracking_options, **again)[1]
        == "TrackingOptionsDoesNotExistException"
    )
    v1.delete_configuration_set_event_destination(ConfigurationSetName="s", EventDestinationName="d")
    assert (
        world.ses.get_configuration_set_event_destinations(ConfigurationSetName="s")["EventDestinations"]
        == []
    )
    v1.delete_configuration_set(ConfigurationSetName="s")


def test_custom_verification_mails_are_v2s(world: World, v1: Any) -> None:
    world.domain()
    template = {
        "TemplateName": "confirm",
        "FromEmailAddress": "hello@mail.acme.example",
        "TemplateSubject": "You?",
        "TemplateContent": "<p>Confirm</p>",
        "SuccessRedirectionURL": "https://acme.example/yes",
        "FailureRedirectionURL": "https://acme.example/no",
    }
    v1.create_custom_verification_email_template(**template)
    v1.update_custom_verification_email_template(TemplateName="confirm", TemplateSubject="Is it you?")
    found = v1.get_custom_verification_email_template(TemplateName="confirm")
    assert {name: found[name] for name in template} == {**template, "TemplateSubject": "Is it you?"}
    assert len(v1.list_custom_verification_email_templates()["CustomVerificationEmailTemplates"]) == 1
    v1.send_custom_verification_email(EmailAddress="kim@example.com", TemplateName="confirm")
    assert v1.get_identity_verification_attributes(Identities=["kim@example.com"])[
        "VerificationAttributes"
    ] == {"kim@example.com": {"VerificationStatus": "Pending"}}
    v1.delete_custom_verification_email_template(TemplateName="confirm")
    refused = world.refused(v1.get_custom_verification_email_template, TemplateName="confirm")
    assert refused[:2] == (400, "CustomVerificationEmailTemplateDoesNotExist")


# refusals


ONE: Any = {"Source": SENDER, "Destination": {"ToAddresses": ["b@x.example"]}}
FILTER = {"Name": "f", "IpFilter": {"Policy": "Block", "Cidr": "10.0.0.0/8"}}
THERE = {"TemplateName": "there", "SubjectPart": "s", "TextPart": "x"}


@pytest.mark.parametrize(
    ("call", "given", "code"),
    [
        ("send_email", {**ONE, "Message": TEXT, "Source": "a@no.example"}, "MessageRejected"),
        (
            "send_email",
            {**ONE, "Message": TEXT, "Destination": {"ToAddresses": ["x"]}},
            "InvalidParameterValue",
        ),
        (
            "send_email",
            {**ONE, "Message": TEXT, "ConfigurationSetName": "no"},
            "ConfigurationSetDoesNotExist",
        ),
        ("send_email", {"Source": SENDER}, "ValidationError"),
        ("send_raw_email", {"RawMessage": {"Data": b"x" * (10 * 1024 * 1024 + 1)}}, "InvalidParameterValue"),
        ("send_templated_email", {**ONE, "Template": "no", "TemplateData": "{}"}, "TemplateDoesNotExist"),
        ("get_template", {"TemplateName": "no"}, "TemplateDoesNotExist"),
        ("create_template", {"Template": {"TemplateName": "t", "TextPart": "x"}}, "InvalidTemplate"),
        ("create_template", {"Template": THERE}, "AlreadyExists"),
        (
            "test_render_template",
            {"TemplateName": "there", "TemplateData": "{}"},
            "MissingRenderingAttribute",
        ),
        ("test_render_template", {"TemplateName": "there", "TemplateData": "["}, "InvalidRenderingParameter"),
        ("create_configuration_set", {"ConfigurationSet": {"Name": "s"}}, "ConfigurationSetAlreadyExists"),
        ("describe_configuration_set", {"ConfigurationSetName": "no"}, "ConfigurationSetDoesNotExist"),
        ("delete_configuration_set", {"ConfigurationSetName": "no"}, "ConfigurationSetDoesNotExist"),
        (
            "delete_configuration_set_event_destination",
            {"ConfigurationSetName": "s", "EventDestinationName": "no"},
            "EventDestinationDoesNotExist",
        ),
        ("list_identity_policies", {"Identity": "no.example"}, "InvalidParameterValue"),
        ("verify_domain_identity", {"Domain": "no domain"}, "InvalidParameterValue"),
        ("create_receipt_filter", {"Filter": FILTER}, "NotImplemented"),
    ],
)
def test_refusals_have_the_older_codes(
    world: World, v1: Any, call: str, given: dict[str, Any], code: str
) -> None:
    world.domain()
    v1.create_configuration_set(ConfigurationSet={"Name": "s"})
    v1.create_template(Template={"TemplateName": "there", "SubjectPart": "{{x}}", "TextPart": "x"})
    assert world.refused(getattr(v1, call), **given)[:2] == (400, code)


def test_what_pauses_and_limits_v2_does_here(world: World, v1: Any) -> None:
    world.domain()
    v1.create_configuration_set(ConfigurationSet={"Name": "s"})
    v1.update_configuration_set_sending_enabled(ConfigurationSetName="s", Enabled=False)
    refused = world.refused(lambda: send(v1, "a@x.example", ConfigurationSetName="s"))
    assert refused[:2] == (400, "ConfigurationSetSendingPausedException")
    world.admin("PUT", "/clock", {"frozen": True})
    world.admin("PUT", "/account", {"rate": 1})
    send(v1, "a@x.example")
    refused = world.refused(lambda: send(v1, "a@x.example"))
    assert refused == (400, "Throttling", "Maximum sending rate exceeded.")
    world.admin("PUT", "/account", {"rate": 100, "quota": 1})
    world.admin("PUT", "/clock", {"advance": 1})
    refused = world.refused(lambda: send(v1, "a@x.example"))
    assert refused == (400, "Throttling", "Daily message quota exceeded.")
    v1.update_account_sending_enabled(Enabled=False)
    assert world.refused(lambda: send(v1, "a@x.example"))[:2] == (400, "AccountSendingPausedException")


def test_a_header_cannot_bring_a_tenant_in(world: World, v1: Any) -> None:
    world.ready()
    raw = b"From: a@mail.acme.example\r\nTo: kim@example.com\r\nX-SES-TENANT: acme\r\nSubject: s\r\n\r\nHello\r\n"
    v1.send_raw_email(RawMessage={"Data": raw})
    assert world.sent()[0]["tenant"] is None


def test_faults_strike_here_too(world: World, v1: Any) -> None:
    world.domain()
    world.fault("throttle", count=1)
    assert world.refused(lambda: send(v1, "a@x.example"))[:2] == (400, "Throttling")
    world.fault("error_500", count=1, operation="GetSendQuota")
    assert world.refused(v1.get_send_quota)[:2] == (500, "InternalFailure")
    world.fault("error_503", count=1, operation="GetSendQuota")
    assert world.refused(v1.get_send_quota)[:2] == (503, "ServiceUnavailable")


def test_raw_mail_may_name_a_contact_list_in_its_header(world: World, v1: Any) -> None:
    world.domain()
    world.ses.create_contact_list(ContactListName="people")
    raw = (
        b"From: a@mail.acme.example\r\nTo: b@x.example\r\nSubject: s\r\n"
        b"X-SES-LIST-MANAGEMENT-OPTIONS: people\r\n\r\n{{amazonSESUnsubscribeUrl}}\r\n"
    )
    v1.send_raw_email(RawMessage={"Data": raw})
    assert "List-Unsubscribe" in [header["name"] for header in world.sent()[0]["headers"]]
    assert (
        world.ses.get_contact(ContactListName="people", EmailAddress="b@x.example")["UnsubscribeAll"] is False
    )


def test_where_bounces_are_forwarded_to_has_to_be_verified_too(world: World, v1: Any) -> None:
    world.domain()
    refused = world.refused(lambda: send(v1, "a@x.example", ReturnPath="bounces@no.example"))
    assert refused[:2] == (400, "MessageRejected")
    assert refused[2].endswith(": bounces@no.example")
    v1.create_template(Template=THERE)
    bulk = {
        "Source": SENDER,
        "Template": "there",
        "DefaultTemplateData": "{}",
        "ReturnPath": "bounces@no.example",
    }
    destinations = [{"Destination": {"ToAddresses": ["a@x.example"]}}]
    refused = world.refused(v1.send_bulk_templated_email, **bulk, Destinations=destinations)
    assert refused[:2] == (400, "MessageRejected")
    send(v1, "a@x.example", ReturnPath="bounces@mail.acme.example")
    assert len(world.sent()) == 1


@pytest.mark.parametrize(
    "topic",
    [
        "arn:aws:sns:us-east-1:x",
        "arn:aws:sns:us-east-1:000000000000:a.fifo",
        "x",
        "arn:aws:sns:eu-west-1:000000000000:a",
    ],
)
def test_a_topic_that_cannot_be_published_to_is_refused(world: World, v1: Any, topic: str) -> None:
    world.domain()
    given: Any = {"Identity": "mail.acme.example", "NotificationType": "Bounce", "SnsTopic": topic}
    assert world.refused(v1.set_identity_notification_topic, **given)[:2] == (400, "InvalidParameterValue")


def test_topics_go_with_their_identity(notified: World, v1: Any) -> None:
    v1.delete_identity(Identity="mail.acme.example")
    notified.domain()
    send(v1, "success@simulator.amazonses.com")
    assert notified.silent()


def test_what_cloudwatch_cannot_count_by_is_refused(world: World, v1: Any) -> None:
    v1.create_configuration_set(ConfigurationSet={"Name": "s"})
    odd = {"DimensionName": "no name", "DimensionValueSource": "messageTag", "DefaultDimensionValue": "x"}
    destination = {
        "Name": "d",
        "MatchingEventTypes": ["send"],
        "CloudWatchDestination": {"DimensionConfigurations": [odd]},
    }
    refused = world.refused(
        v1.create_configuration_set_event_destination, ConfigurationSetName="s", EventDestination=destination
    )
    assert refused[:2] == (400, "InvalidCloudWatchDestination")
