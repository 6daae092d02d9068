"""The checks of a tenant's mail as observed at SES (ses.md 1.4, 1.5): each error by status, code and message, for every
operation that sends, and the order of the checks."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from typing import Any

import pytest

from seslocal_fixtures.world import ACCOUNT, World

SENDER = "no-reply@mail.acme.example"
STORED: Any = {"Template": {"TemplateName": "welcome", "TemplateData": "{}"}}
Send = Callable[..., Any]


def one(world: World, *, tenant: str = "acme", **more: Any) -> Any:
    return world.send("kim@example.com", tenant=tenant, **more)


def bulk(world: World, *, tenant: str = "acme", **more: Any) -> Any:
    return world.ses.send_bulk_email(
        FromEmailAddress=SENDER,
        TenantName=tenant,
        ConfigurationSetName="acme-reset",
        DefaultContent={
            "Template": {"TemplateContent": {"Subject": "Hi", "Text": "Hi"}, "TemplateData": "{}"}
        },
        BulkEmailEntries=[{"Destination": {"ToAddresses": ["kim@example.com"]}}],
        **more,
    )


def raw(world: World, *, tenant: str = "acme") -> Any:
    """Sends raw mail that names the tenant in a header."""
    text = f"From: {SENDER}\r\nTo: kim@example.com\r\nX-SES-TENANT: {tenant}\r\n\r\nHi"
    return world.send("kim@example.com", tenant=None, Content={"Raw": {"Data": text.encode()}})


ways = pytest.mark.parametrize("send", [one, bulk, raw])


@pytest.fixture
def stored(world: World) -> World:
    """Tenant acme, ready to send, and a template that is not associated with it."""
    world.ready()
    world.ses.create_email_template(TemplateName="welcome", TemplateContent={"Subject": "Hi", "Text": "Hi"})
    return world


@ways
def test_a_missing_tenant_is_404_with_name_and_account(world: World, send: Send) -> None:
    world.ready()
    refusal = world.refused(lambda: send(world, tenant="nobody"))
    assert refusal == (404, "NotFoundException", f"Tenant nobody for AwsAccountId {ACCOUNT} not found.")
    assert world.sent() == []


@pytest.mark.parametrize("call", ["get", "delete"])
def test_list_management_of_a_missing_tenant_is_404_with_another_text(world: World, call: str) -> None:
    manage = getattr(world.ses, f"{call}_suppressed_destination")
    refusal = world.refused(manage, EmailAddress="kim@example.com", TenantName="nobody")
    assert refusal == (404, "NotFoundException", "The requested tenant nobody does not exist.")


@ways
def test_the_403_has_the_arns_that_are_not_associated(world: World, send: Send) -> None:
    arns = world.domain(), world.configuration_set()
    world.tenant("acme")
    assert world.refused(lambda: send(world)) == (
        403,
        "AccessDeniedException",
        f"Tenant not associated with resources [{', '.join(arns)}].",
    )
    assert world.sent() == []


def test_the_403_has_its_text_in_capital_message_and_no_other_key(world: World) -> None:
    world.domain()
    world.configuration_set()
    world.tenant("acme")
    answer: Any = None
    try:
        one(world)
    except world.ses.exceptions.ClientError as error:
        answer = error.response
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-errortype"] == "AccessDeniedException"
    body = b'{"FromEmailAddress":"a@mail.acme.example","Destination":{"ToAddresses":["k@x.example"]},"TenantName":"acme",'
    body += (
        b'"ConfigurationSetName":"acme-reset","Content":{"Raw":{"Data":"'
        + b64encode(b"From: a@mail.acme.example\r\n\r\n")
        + b'"}}}'
    )
    status, text = world.http("POST", "/v2/email/outbound-emails", body)
    assert status == 403
    assert text.startswith(b'{"Message":"Tenant not associated with resources [')
    assert text.endswith(b'."}')


@pytest.mark.parametrize("by", ["TemplateName", "TemplateArn"])
def test_a_stored_template_must_be_associated(stored: World, by: str) -> None:
    arn = stored.arn("template/welcome")
    template = {by: "welcome" if by == "TemplateName" else arn, "TemplateData": "{}"}
    refusal = stored.refused(lambda: one(stored, Content={"Template": template}))
    assert refusal == (403, "AccessDeniedException", f"Tenant not associated with resources [{arn}].")
    stored.ses.create_tenant_resource_association(TenantName="acme", ResourceArn=arn)
    assert one(stored, Content={"Template": template})


def test_a_bulk_call_with_a_template_that_is_not_associated_is_refused(stored: World) -> None:
    entries = [{"Destination": {"ToAddresses": [f"{name}@example.com"]}} for name in ("kim", "lee")]
    refusal = stored.refused(
        stored.ses.send_bulk_email,
        FromEmailAddress=SENDER,
        TenantName="acme",
        ConfigurationSetName="acme-reset",
        DefaultContent=STORED,
        BulkEmailEntries=entries,
    )
    arn = stored.arn("template/welcome")
    assert refusal == (403, "AccessDeniedException", f"Tenant not associated with resources [{arn}].")
    assert stored.sent() == []


def test_a_template_in_the_call_needs_no_association(world: World) -> None:
    world.ready()
    content = {"TemplateContent": {"Subject": "Hi", "Text": "Hi"}, "TemplateData": "{}"}
    assert one(world, Content={"Template": content})


@ways
def test_a_paused_tenant_is_message_rejected_with_its_arn(world: World, send: Send) -> None:
    arn = world.ready()
    world.admin("PUT", "/tenants/acme", {"aws_status": "DISABLED"})
    refusal = world.refused(lambda: send(world))
    assert refusal == (400, "MessageRejected", f"Sending disabled for {arn}.")
    assert world.sent() == []


def test_a_reinstated_tenant_may_send(world: World) -> None:
    arn = world.ready()
    for status in ("DISABLED", "REINSTATED"):
        world.ses.update_reputation_entity_customer_managed_status(
            ReputationEntityType="RESOURCE", ReputationEntityReference=arn, SendingStatus=status
        )
    assert world.ses.get_tenant(TenantName="acme")["Tenant"].get("SendingStatus") == "REINSTATED"
    assert one(world)


NAMES = [
    ("no spaces", "Member must satisfy regular expression pattern: ^[a-zA-Z0-9_-]+$"),
    ("dots.too", "Member must satisfy regular expression pattern: ^[a-zA-Z0-9_-]+$"),
    ("x" * 65, "Member must have length less than or equal to 64"),
]


@pytest.mark.parametrize(("name", "rule"), NAMES)
@pytest.mark.parametrize(
    ("operation", "more"),
    [
        ("create_tenant", {}),
        ("get_tenant", {}),
        ("put_tenant_suppression_attributes", {}),
        ("put_suppressed_destination", {"EmailAddress": "kim@example.com", "Reason": "BOUNCE"}),
        ("list_suppressed_destinations", {}),
        ("send_email", {"Content": {"Simple": {"Subject": {"Data": "x"}, "Body": {}}}}),
    ],
)
def test_an_illegal_tenant_name_is_a_validation_error(
    world: World, operation: str, more: dict[str, Any], name: str, rule: str
) -> None:
    assert world.refused(getattr(world.ses, operation), TenantName=name, **more) == (
        400,
        "BadRequestException",
        f"1 validation error detected: Value '{name}' at 'tenantName' failed to satisfy constraint: {rule}",
    )


def test_the_checks_run_in_sess_order(world: World) -> None:
    """Each error hides later ones: fixing them one by one shows the next."""
    configuration_set = world.configuration_set()
    call: dict[str, Any] = {
        "FromEmailAddress": SENDER,
        "TenantName": "acme",
        "ConfigurationSetName": "acme-reset",
        "Destination": {"ToAddresses": ["not an address"]},
    }
    world.ses.put_account_sending_attributes(SendingEnabled=False)

    def refused() -> tuple[int, str, str]:
        return world.refused(world.ses.send_email, **call)

    assert refused()[:2] == (400, "BadRequestException")  # the shape: there is no Content
    call["Content"] = {"Simple": {"Subject": {"Data": "Hi"}, "Body": {"Text": {"Data": "Hi"}}}}
    assert refused()[:2] == (404, "NotFoundException")  # the tenant
    arn = world.tenant("acme")
    world.admin("PUT", "/tenants/acme", {"aws_status": "DISABLED"})
    assert refused()[:2] == (400, "BadRequestException")  # further validation: the recipient
    call["Destination"] = {"ToAddresses": ["kim@example.com"]}
    assert refused() == (
        403,
        "AccessDeniedException",
        f"Tenant not associated with resources [{configuration_set}].",
    )
    world.ses.create_tenant_resource_association(TenantName="acme", ResourceArn=configuration_set)
    assert refused() == (400, "MessageRejected", f"Sending disabled for {arn}.")
    world.admin("PUT", "/tenants/acme", {"aws_status": "ENABLED"})
    assert refused()[:2] == (400, "SendingPausedException")
    world.ses.put_account_sending_attributes(SendingEnabled=True)
    assert refused()[:2] == (400, "MessageRejected")  # a missing identity
    identity = world.domain()
    assert refused()[2] == f"Tenant not associated with resources [{identity}]."
    world.ses.create_tenant_resource_association(TenantName="acme", ResourceArn=identity)
    world.ses.send_email(**call)


def test_a_refused_mail_uses_no_quota_and_has_no_events(world: World) -> None:
    world.ready()
    world.admin("PUT", "/tenants/acme", {"aws_status": "DISABLED"})
    world.refused(lambda: one(world))
    assert world.ses.get_account()["SendQuota"]["SentLast24Hours"] == 0
    world.admin("PUT", "/tenants/acme", {"aws_status": "ENABLED"})
    assert world.silent()
