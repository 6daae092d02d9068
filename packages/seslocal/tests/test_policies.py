"""Policies of access keys on a server, with real boto3 clients that sign with those keys."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from seslocal.__main__ import main
from seslocal_fixtures.world import ACCOUNT, REGION, TOPIC, Background, World

Clients = Callable[..., Any]
FROM = "news@mail.acme.example"
SIMPLE = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hello"}}}}
RAW = {"Raw": {"Data": f"From: {FROM}\r\nTo: kim@example.com\r\nSubject: Hi\r\n\r\nHello".encode()}}
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:events"


def statement(
    effect: str, action: str | list[str], resource: str | list[str] = "*", **more: Any
) -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource, **more}


@pytest.fixture
def as_key(world: World) -> Iterator[Clients]:
    """Attaches a document of these statements to a key of its own and returns a client that signs with it."""
    with ExitStack() as stack:

        def client(service: str, *statements: dict[str, Any], key: str = "app", **more: Any) -> Any:
            world.admin("PUT", f"/keys/{key}", {"secret": "hidden"})
            document = {"Version": "2012-10-17", "Statement": list(statements)}
            world.admin("PUT", f"/keys/{key}/policies", {"policies": [{"document": document}], **more})
            return stack.enter_context(closing(signed(world, service, key)))

        yield client


def signed(world: World, service: Any, key: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=world.local.url,
        region_name=REGION,
        aws_access_key_id=key,
        aws_secret_access_key="hidden",
        config=Config(retries={"total_max_attempts": 1}),
    )


def mail(content: Any = SIMPLE, **more: Any) -> dict[str, Any]:
    return {
        "FromEmailAddress": FROM,
        "Destination": {"ToAddresses": ["kim@example.com"]},
        "Content": content,
        **more,
    }


def denied(act: Callable[..., Any], **given: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        act(**given)
    response: Any = refused.value.response
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return response["Error"]["Code"], response["Error"]["Message"]


def test_a_key_without_policies_may_do_everything(world: World) -> None:
    world.ready()
    assert world.ses.send_email(**mail(TenantName="acme", ConfigurationSetName="acme-reset"))["MessageId"]
    assert world.admin("GET", "/keys/test/policies") == {"principal": None, "policies": [], "used": {}}


def test_a_send_needs_its_action_on_identity_and_configuration_set(world: World, as_key: Clients) -> None:
    world.ready()
    given = mail(TenantName="acme", ConfigurationSetName="acme-reset")
    identity, its_set = world.arn("identity/mail.acme.example"), world.arn("configuration-set/acme-reset")
    ses = as_key("sesv2", statement("Allow", "ses:SendEmail", identity))
    reason = "because no identity-based policy allows the ses:SendEmail action"
    user = f"arn:aws:iam::{ACCOUNT}:user/app"
    assert denied(ses.send_email, **given) == (
        "AccessDeniedException",
        f"User: {user} is not authorized to perform: ses:SendEmail on resource: {its_set} {reason}",
    )
    world.admin("PUT", "/account", {"behaviour": {"old_denials": True}})
    said = f"User `{user}' is not authorized to perform `ses:SendEmail' on resource `{its_set}'"
    assert denied(ses.send_email, **given)[1] == said
    ses = as_key("sesv2", statement("Allow", "ses:SendEmail", its_set))
    assert identity in denied(ses.send_email, **given)[1]
    ses = as_key("sesv2", statement("Allow", "ses:SendEmail", [identity, its_set]))
    assert ses.send_email(**given)["MessageId"]
    assert world.admin("GET", "/keys/app/policies")["used"] == {"ses:SendEmail": 1}
    assert [sent["tenant"] for sent in world.admin("GET", "/sent")["sent"]] == ["acme"]


def test_an_identitys_default_set_and_an_address_of_its_own_are_resources_too(
    world: World, as_key: Clients
) -> None:
    world.domain()
    world.configuration_set("usual")
    world.ses.put_email_identity_configuration_set_attributes(
        EmailIdentity="mail.acme.example", ConfigurationSetName="usual"
    )
    domain = world.arn("identity/mail.acme.example")
    ses = as_key("sesv2", statement("Allow", "ses:SendEmail", domain))
    assert "configuration-set/usual" in denied(ses.send_email, **mail())[1]
    world.ses.create_email_identity(EmailIdentity=FROM)
    assert f"identity/{FROM}" in denied(ses.send_email, **mail())[1]
    assert (
        "identity/eve@other.example"
        in denied(ses.send_email, **mail() | {"FromEmailAddress": "eve@other.example"})[1]
    )


def test_raw_content_is_authorised_as_send_raw_email_in_both_versions(world: World, as_key: Clients) -> None:
    world.domain()
    ses = as_key("sesv2", statement("Allow", "ses:SendEmail"))
    assert "ses:SendRawEmail on" in denied(ses.send_email, **mail(RAW))[1]
    assert "ses:SendRawEmail on" in denied(ses.send_email, Content=RAW)[1], "its From is in the headers"
    v1 = signed(world, "ses", "app")
    code, said = denied(v1.send_raw_email, RawMessage=RAW["Raw"])
    assert (code, "ses:SendRawEmail on" in said) == ("AccessDenied", True)
    ses = as_key("sesv2", statement("Allow", "ses:SendRawEmail"))
    assert ses.send_email(**mail(RAW))["MessageId"]
    assert v1.send_raw_email(RawMessage=RAW["Raw"])["MessageId"]
    assert "ses:SendEmail on" in denied(ses.send_email, **mail())[1]
    v1.close()


def test_a_send_without_a_tenant_is_denied_where_the_key_must_be_there(world: World, as_key: Clients) -> None:
    world.ready()
    without = {"Null": {"ses:TenantName": "true"}}
    ses = as_key("sesv2", statement("Allow", "*"), statement("Deny", "ses:Send*", Condition=without))
    given = {"ConfigurationSetName": "acme-reset"}
    assert ses.send_email(**mail(TenantName="acme", **given))["MessageId"]
    assert denied(ses.send_email, **mail(**given))[0] == "AccessDeniedException"
    raw = {"Raw": {"Data": b"X-SES-TENANT: acme\r\n" + RAW["Raw"]["Data"]}}
    denied(ses.send_email, **mail(raw, TenantName="acme", **given))  # SendRawEmail has no ses:TenantName
    v1 = signed(world, "ses", "app")
    to = {"Source": FROM, "Destination": {"ToAddresses": ["kim@example.com"]}}
    denied(v1.send_email, **to, Message={"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hi"}}})
    v1.close()


def test_every_operation_of_v1_that_sends_has_its_own_action(world: World, as_key: Clients) -> None:
    world.domain()
    v1 = as_key("ses", statement("Allow", "*"), statement("Deny", "ses:Send*"))
    body = {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hi"}}}
    to = {"ToAddresses": ["kim@example.com"]}
    calls: dict[str, dict[str, Any]] = {
        "SendEmail": {"Source": FROM, "Destination": to, "Message": body},
        "SendRawEmail": {"RawMessage": RAW["Raw"]},
        "SendTemplatedEmail": {"Source": FROM, "Destination": to, "Template": "t", "TemplateData": "{}"},
        "SendBulkTemplatedEmail": {
            "Source": FROM,
            "Destinations": [{"Destination": to}],
            "Template": "t",
            "DefaultTemplateData": "{}",
        },
        "SendCustomVerificationEmail": {"EmailAddress": "kim@example.com", "TemplateName": "t"},
        "SendBounce": {
            "OriginalMessageId": "m",
            "BounceSender": FROM,
            "BouncedRecipientInfoList": [{"Recipient": "kim@example.com", "BounceType": "DoesNotExist"}],
        },
    }
    for operation, given in calls.items():
        method = next(name for name, api in v1.meta.method_to_api_mapping.items() if api == operation)
        code, said = denied(getattr(v1, method), **given)
        assert (code, f"ses:{operation}" in said) == ("AccessDenied", True), operation
    assert v1.get_send_quota()["MaxSendRate"]


def test_conditions_see_from_recipients_feedback_address_and_version(world: World, as_key: Clients) -> None:
    world.domain()
    world.domain("other.example")
    for key, value, other in (
        ("ses:FromAddress", FROM, {"FromEmailAddress": "eve@other.example"}),
        ("ses:FromDisplayName", "Acme", {}),
        ("ses:FeedbackAddress", "back@mail.acme.example", {"FeedbackForwardingEmailAddress": FROM}),
        ("ses:ApiVersion", "2", None),
    ):
        ses = as_key("sesv2", statement("Allow", "ses:SendEmail", Condition={"StringEquals": {key: value}}))
        given = mail(FeedbackForwardingEmailAddress="back@mail.acme.example")
        if key == "ses:FromDisplayName":
            given["FromEmailAddress"] = f"Acme <{FROM}>"
        assert ses.send_email(**given)["MessageId"], key
        if other is not None:
            denied(ses.send_email, **mail(**other))
    for secure, allowed in (("true", True), ("false", False)):
        over_tls = {"Bool": {"aws:SecureTransport": secure}}
        ses = as_key("sesv2", statement("Allow", "ses:SendEmail", Condition=over_tls))
        assert bool(ses.send_email(**mail())["MessageId"] if allowed else denied(ses.send_email, **mail()))
    only = {"ForAllValues:StringEquals": {"ses:Recipients": ["kim@example.com"]}}
    ses = as_key("sesv2", statement("Allow", "ses:SendEmail", Condition=only))
    assert ses.send_email(**mail())["MessageId"]
    both = {"ToAddresses": ["kim@example.com"], "BccAddresses": ["Eve <eve@example.com>"]}
    denied(ses.send_email, **mail() | {"Destination": both})


def test_overriding_tracking_needs_an_action_of_its_own(world: World, as_key: Clients) -> None:
    world.domain()
    given = mail(ConfigurationOverrides={"Tracking": {"OpenTrackingEnabled": "ENABLED"}})
    ses = as_key("sesv2", statement("Allow", "ses:SendEmail"))
    assert "ses:ApplyTrackingConfigurationOverrides" in denied(ses.send_email, **given)[1]
    ses = as_key("sesv2", statement("Allow", ["ses:SendEmail", "ses:ApplyTrackingConfigurationOverrides"]))
    assert ses.send_email(**given)["MessageId"]


def test_administration_is_denied_as_aws_says_it(world: World, as_key: Clients) -> None:
    world.ready()
    arn = f"arn:aws:iam::{ACCOUNT}:user/app"
    ses = as_key("sesv2", statement("Allow", "ses:GetTenant", world.arn("tenant/acme/*")))
    tenant = ses.get_tenant(TenantName="acme")["Tenant"]["TenantArn"]
    assert denied(ses.delete_tenant, TenantName="acme") == (
        "AccessDeniedException",
        f"User: {arn} is not authorized to perform: ses:DeleteTenant on resource: {tenant} "
        "because no identity-based policy allows the ses:DeleteTenant action",
    )
    assert denied(ses.get_account)[1] == (
        f"User: {arn} is not authorized to perform: ses:GetAccount on resource: * "
        "because no identity-based policy allows the ses:GetAccount action"
    )
    ses = as_key("sesv2", statement("Allow", "*"), statement("Deny", "ses:DeleteTenant"))
    assert denied(ses.delete_tenant, TenantName="acme")[1].endswith(
        "with an explicit deny in an identity-based policy"
    )
    assert ses.create_tenant(TenantName="zen")["TenantName"] == "zen"


def test_creating_with_tags_needs_the_permission_to_tag(world: World, as_key: Clients) -> None:
    tags = [{"Key": "team", "Value": "mail"}]
    ses = as_key("sesv2", statement("Allow", ["ses:CreateTenant", "ses:CreateEmailIdentity"]))
    assert "ses:TagResource" in denied(ses.create_tenant, TenantName="acme", Tags=tags)[1]
    assert ses.create_tenant(TenantName="acme", Tags=[])["TenantName"] == "acme"
    ses = as_key("sesv2", statement("Allow", ["ses:CreateEmailIdentity", "ses:TagResource"]))
    assert ses.create_email_identity(EmailIdentity="mail.acme.example", Tags=tags)


def test_an_association_needs_the_tenant_and_the_resource(world: World, as_key: Clients) -> None:
    world.tenant("acme")
    identity = world.domain()
    tenant, action = world.arn("tenant/acme/*"), "ses:CreateTenantResourceAssociation"
    given = {"TenantName": "acme", "ResourceArn": identity}
    denied(as_key("sesv2", statement("Allow", action, tenant)).create_tenant_resource_association, **given)
    denied(as_key("sesv2", statement("Allow", action, identity)).create_tenant_resource_association, **given)
    as_key("sesv2", statement("Allow", action, [tenant, identity])).create_tenant_resource_association(
        **given
    )


def test_a_tenants_suppression_list_is_authorised_as_the_tenant_and_the_accounts_as_nothing(
    world: World, as_key: Clients
) -> None:
    world.tenant("acme", scope="TENANT", reasons=["BOUNCE"])
    ses = as_key("sesv2", statement("Allow", "ses:*SuppressedDestination*", world.arn("tenant/acme/*")))
    given = {"EmailAddress": "kim@example.com", "Reason": "BOUNCE"}
    ses.put_suppressed_destination(**given, TenantName="acme")
    denied(ses.put_suppressed_destination, **given)
    assert ses.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"]
    denied(ses.list_suppressed_destinations)


def test_queues_are_authorised_by_their_arn_and_batches_as_single_calls(
    world: World, as_key: Clients
) -> None:
    url = world.sqs.create_queue(QueueName="events")["QueueUrl"]
    sqs = as_key("sqs", statement("Allow", ["sqs:ReceiveMessage", "sqs:DeleteMessage"], QUEUE))
    assert "Messages" not in sqs.receive_message(QueueUrl=url)
    entries = [{"Id": "1", "ReceiptHandle": "a#b"}]
    assert sqs.delete_message_batch(QueueUrl=url, Entries=entries)["Successful"]
    code, said = denied(sqs.send_message, QueueUrl=url, MessageBody="forged")
    assert (code, said) == (
        "AccessDenied",
        f"User: arn:aws:iam::{ACCOUNT}:user/app is not authorized to perform: sqs:sendmessage on resource: {QUEUE} "
        "because no identity-based policy allows the sqs:sendmessage action",
    )
    denied(sqs.receive_message, QueueUrl=url.replace("events", "other"))
    denied(sqs.list_queues)


def test_topics_are_authorised_by_their_arn(world: World, as_key: Clients) -> None:
    sns = as_key("sns", statement("Allow", "sns:CreateTopic", TOPIC))
    assert sns.create_topic(Name="events")["TopicArn"] == TOPIC
    code, said = denied(sns.publish, TopicArn=TOPIC, Message="forged")
    assert (code, f"SNS:Publish on resource: {TOPIC} because" in said) == ("AuthorizationError", True)
    denied(sns.create_topic, Name="other")


def test_a_call_of_sns_is_authorised_for_what_it_acts_on_whatever_else_it_names(
    world: World, as_key: Clients
) -> None:
    world.sqs.create_queue(QueueName="events")
    with closing(signed(world, "sns", "owner")) as owner:
        world.admin("PUT", "/keys/owner", {"secret": "hidden"})
        other = owner.create_topic(Name="other")["TopicArn"]
        subscription = owner.subscribe(TopicArn=other, Protocol="sqs", Endpoint=QUEUE)["SubscriptionArn"]
        sns = as_key("sns", statement("Allow", "sns:*", TOPIC))
        sns.meta.events.register("before-call.sns", lambda params, **_: params["body"].update(TopicArn=TOPIC))
        denied(sns.unsubscribe, SubscriptionArn=subscription)
        denied(sns.create_topic, Name="third")
        denied(sns.list_topics)
        assert owner.list_subscriptions_by_topic(TopicArn=other)["Subscriptions"]


def test_a_key_may_stand_for_a_role_and_service_control_policies_are_attached_as_such(
    world: World, as_key: Clients
) -> None:
    world.domain()
    role = f"arn:aws:iam::{ACCOUNT}:role/mailcordon-send"
    deny = statement("Deny", "ses:Send*", Condition={"ArnNotLike": {"aws:PrincipalArn": [role]}})
    both = [
        {"kind": "scp", "name": "FullAWSAccess", "document": {"Statement": statement("Allow", "*")}},
        {"kind": "scp", "name": "OnlyMailcordonSends", "document": {"Statement": deny}},
    ]
    ses = as_key("sesv2", statement("Allow", "*"))
    world.admin("PUT", "/keys/app/policies", {"policies": both})
    assert "ses:SendEmail" in denied(ses.send_email, **mail())[1], (
        "administrators of the account are denied too"
    )
    world.admin("PUT", "/keys/app/policies", {"policies": both, "principal": role})
    assert ses.send_email(**mail())["MessageId"]
    world.admin("PUT", "/keys/app/policies", {"policies": both[1:], "principal": role})
    assert "because no service control policy allows" in denied(ses.get_account)[1]


def test_what_is_not_evaluated_is_not_attached(world: World) -> None:
    wrong = statement("Allow", "*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}})
    named = {"name": "office", "document": {"Statement": wrong}}
    said = world.admin("PUT", "/keys/test/policies", {"policies": [named]}, expect=400)["error"]
    assert said.startswith(
        "The policy office was not attached: seslocal does not know the condition key aws:SourceIp."
    )
    assert world.admin("GET", "/keys/test/policies")["policies"] == []
    assert world.ses.get_account()
    for body in (
        {},
        {"policies": {}},
        {"policies": [7]},
        {"policies": [], "principal": "root"},
        {"policies": [{"kind": "x"}]},
    ):
        world.admin("PUT", "/keys/test/policies", body, expect=400)
    world.admin("PUT", "/keys/none/policies", {"policies": []}, expect=404)
    big = {"Statement": statement("Allow", ["ses:SendEmail"] * 1_000)}
    world.admin("PUT", "/keys/test/policies", {"policies": [{"document": big}]}, expect=400)
    nested: Any = []
    for _ in range(900):
        nested = [nested]
    world.admin("PUT", "/keys/test/policies", {"policies": [{"document": nested}]}, expect=400)
    many = [{"document": {"Statement": statement("Allow", "*")}}] * 21
    world.admin("PUT", "/keys/test/policies", {"policies": many}, expect=400)


def test_policies_go_with_their_key_and_can_be_removed(world: World, as_key: Clients) -> None:
    ses = as_key("sesv2", statement("Deny", "*"))
    denied(ses.get_account)
    world.admin("DELETE", "/keys/app/policies")
    assert ses.get_account()
    as_key("sesv2", statement("Deny", "*"))
    world.admin("DELETE", "/keys/app")
    world.admin("PUT", "/keys/app", {"secret": "hidden"})
    assert ses.get_account()


def test_a_kept_account_keeps_its_policies(tmp_path: Path) -> None:
    import seslocal

    settings = seslocal.Settings(state=str(tmp_path), event_delay=0.001)
    role = f"arn:aws:iam::{ACCOUNT}:role/observe"
    document = {"Version": "2012-10-17", "Statement": [statement("Allow", "sqs:*")]}
    given = {"principal": role, "policies": [{"name": "observe", "kind": "identity", "document": document}]}
    for attach in (True, False):
        server = Background(settings)
        try:
            world = World(server.local, None, None)
            if attach:
                world.admin("PUT", "/keys/test/policies", given)
            assert world.admin("GET", "/keys/test/policies") == {**given, "used": {}}
        finally:
            server.stop()


def test_the_command_line_takes_policies_from_files_and_names_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong = tmp_path / "wrong.json"
    wrong.write_text(json.dumps({"Statement": statement("Allow", "*", Principal="*")}))
    for text, named in (
        ("test", "KEY=FILE"),
        (f"test={tmp_path / 'none'}", "No such file"),
        (f"test={wrong}", "Principal"),
    ):
        with pytest.raises(SystemExit):
            main(["--policy", text])
        assert named in capsys.readouterr().err
