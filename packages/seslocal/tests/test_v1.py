"""SES v1 through boto3's `ses`: the same account as SES v2, with forms, XML and the older error codes."""

from __future__ import annotations

from typing import Any

import pytest

from seslocal.mail.sending import PAUSED
from seslocal_fixtures.v1 import SENDER, TEXT, send
from seslocal_fixtures.world import TOPIC, World

# sending


def test_a_mail_is_accepted_with_the_events_of_v2(world: World, v1: Any) -> None:
    world.domain()
    world.configuration_set(events=["SEND"])
    message_id = send(
        v1, "kim@example.com", ConfigurationSetName="acme-reset", Tags=[{"Name": "t", "Value": "v"}]
    )
    [event] = world.events(1)
    assert event["mail"]["messageId"] == message_id
    assert (event["mail"]["tags"]["t"], event["mail"]["tags"]["ses:operation"]) == (["v"], ["SendEmail"])
    assert world.sent()[0]["subject"] == "Hi <&> é"


def test_raw_mail_goes_to_destinations_else_to_its_headers(world: World, v1: Any) -> None:
    world.domain()
    raw = {"Data": b"From: a@mail.acme.example\r\nTo: kim@example.com\r\nSubject: s\r\n\r\nHello\r\n"}
    v1.send_raw_email(RawMessage=raw)
    v1.send_raw_email(RawMessage=raw, Source="a@mail.acme.example", Destinations=["b@x.example"])
    assert [mail["recipients"] for mail in world.sent()] == [["kim@example.com"], ["b@x.example"]]


def test_templates_are_shared_with_v2_and_render_single_and_bulk_mail(world: World, v1: Any) -> None:
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


def test_account_and_sets_can_be_paused(world: World, v1: Any) -> None:
    v1.update_account_sending_enabled(Enabled=False)
    assert v1.get_account_sending_enabled()["Enabled"] is False
    assert world.ses.get_account()["SendingEnabled"] is False


# configuration sets


def test_configuration_sets_are_shared_with_v2(world: World, v1: Any) -> None:
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


def test_custom_verification_mails_are_shared_with_v2(world: World, v1: Any) -> None:
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


# errors


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
def test_errors_have_the_older_codes(
    world: World, v1: Any, call: str, given: dict[str, Any], code: str
) -> None:
    world.domain()
    v1.create_configuration_set(ConfigurationSet={"Name": "s"})
    v1.create_template(Template={"TemplateName": "there", "SubjectPart": "{{x}}", "TextPart": "x"})
    assert world.refused(getattr(v1, call), **given)[:2] == (400, code)


def test_pauses_and_limits_of_v2_apply(world: World, v1: Any) -> None:
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
    assert world.refused(lambda: send(v1, "a@x.example")) == (400, "MessageRejected", PAUSED)
    code = "AccountSendingPausedException"
    world.admin("PUT", "/account", {"behaviour": {"old_pause_error": code}})
    assert world.refused(lambda: send(v1, "a@x.example"))[:2] == (400, code)


def test_a_tenant_header_is_ignored(world: World, v1: Any) -> None:
    world.ready()
    raw = b"From: a@mail.acme.example\r\nTo: kim@example.com\r\nX-SES-TENANT: acme\r\nSubject: s\r\n\r\nHello\r\n"
    v1.send_raw_email(RawMessage={"Data": raw})
    assert world.sent()[0]["tenant"] is None


def test_faults_apply_to_v1(world: World, v1: Any) -> None:
    world.domain()
    world.fault("throttle", count=1)
    assert world.refused(lambda: send(v1, "a@x.example"))[:2] == (400, "Throttling")
    world.fault("error_500", count=1, operation="GetSendQuota")
    assert world.refused(v1.get_send_quota)[:2] == (500, "InternalFailure")
    world.fault("error_503", count=1, operation="GetSendQuota")
    assert world.refused(v1.get_send_quota)[:2] == (503, "ServiceUnavailable")


def test_raw_mail_can_name_a_contact_list_in_a_header(world: World, v1: Any) -> None:
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


def test_the_return_path_must_be_verified(world: World, v1: Any) -> None:
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


def test_invalid_cloudwatch_dimensions_are_refused(world: World, v1: Any) -> None:
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


def test_an_entry_failed_by_a_fault_is_a_transient_failure(world: World, v1: Any) -> None:
    world.domain()
    v1.create_template(Template=THERE)
    world.fault("entry_fails", count=1)
    destinations = [{"Destination": {"ToAddresses": [to]}} for to in ("a@x.example", "b@x.example")]
    status = v1.send_bulk_templated_email(
        Source=SENDER, Template="there", DefaultTemplateData="{}", Destinations=destinations
    )["Status"]
    assert [one["Status"] for one in status] == ["TransientFailure", "Success"]


def test_a_fault_on_sendemail_applies_to_both_apis(world: World, v1: Any) -> None:
    world.domain()
    world.fault("throttle", count=2, operation="SendEmail")
    assert world.refused(lambda: send(v1, "a@x.example"))[1] == "Throttling"
    content = {"Simple": {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "x"}}}}
    to = {"ToAddresses": ["a@x.example"]}
    refused = world.refused(world.ses.send_email, FromEmailAddress=SENDER, Destination=to, Content=content)
    assert refused[1] == "TooManyRequestsException"
