"""The checks of a tenant's mail: every documented error with its status, code and message, and the order of the
checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

ACCOUNT = "123456789012"
NO_CONTENT: dict[str, Any] = {"Simple": {"Subject": {"Data": "x"}, "Body": {}}}


def test_mail_of_an_associated_tenant_is_accepted_with_an_id_of_ses_shape(world: World) -> None:
    world.ready()
    message_id = world.send("kim@example.com")
    head, *uuid, tail = message_id.split("-")
    assert (len(head), [len(part) for part in uuid], tail) == (16, [8, 4, 4, 4, 12], "000000")
    [line] = world.sent(tenant="acme")
    assert line["message_id"] == message_id


def test_unknown_tenant_at_send_is_404(world: World) -> None:
    world.domain()
    assert world.refused(world.send, tenant="nobody", configuration_set=None) == (
        404,
        "NotFoundException",
        f"Tenant nobody for AwsAccountId {ACCOUNT} not found.",
    )


@pytest.mark.parametrize(
    ("operation", "params"),
    [
        ("get_tenant", {}),
        ("delete_tenant", {}),
        ("put_tenant_suppression_attributes", {}),
        (
            "create_tenant_resource_association",
            {"ResourceArn": f"arn:aws:ses:us-east-1:{ACCOUNT}:identity/x.example"},
        ),
        (
            "delete_tenant_resource_association",
            {"ResourceArn": f"arn:aws:ses:us-east-1:{ACCOUNT}:identity/x.example"},
        ),
        ("list_tenant_resources", {}),
        ("list_suppressed_destinations", {}),
        ("put_suppressed_destination", {"EmailAddress": "a@b.example", "Reason": "BOUNCE"}),
    ],
)
def test_unknown_tenant_in_management_calls_is_404(
    world: World, operation: str, params: dict[str, str]
) -> None:
    assert world.refused(getattr(world.ses, operation), TenantName="nobody", **params) == (
        404,
        "NotFoundException",
        "The requested tenant nobody does not exist.",
    )


def test_the_403_names_all_resources_that_are_not_associated(
    world: World,
) -> None:
    identity, configuration_set = world.domain(), world.configuration_set()
    world.tenant("acme")
    status, code, message = world.refused(world.send)
    assert (status, code) == (400, "BadRequestException")  # no recipient: further validation comes first
    status, code, message = world.refused(lambda: world.send("kim@example.com"))
    assert (status, code) == (403, "AccessDeniedException")
    assert message == f"Tenant not associated with resources [{identity}, {configuration_set}]."
    body = b"""{"FromEmailAddress":"a@mail.acme.example","Destination":{"ToAddresses":["k@example.com"]},"TenantName":"acme",
        "ConfigurationSetName":"acme-reset","Content":{"Simple":{"Subject":{"Data":"x"},"Body":{"Text":{"Data":"x"}}}}}"""
    assert world.http("POST", "/v2/email/outbound-emails", body)[1].startswith(
        b'{"Message":"Tenant not assoc'
    )


def test_the_403_names_only_what_is_missing(world: World) -> None:
    identity, configuration_set = world.domain(), world.configuration_set()
    world.tenant("acme", configuration_set)
    assert world.refused(lambda: world.send("kim@example.com"))[2] == (
        f"Tenant not associated with resources [{identity}]."
    )


def test_an_address_identity_is_resolved_before_its_domain(world: World) -> None:
    world.ready()
    world.ses.create_email_identity(EmailIdentity="no-reply@mail.acme.example")
    assert world.refused(lambda: world.send("kim@example.com"))[2] == (
        f"Tenant not associated with resources [{world.arn('identity/no-reply@mail.acme.example')}]."
    )


def test_an_identity_named_by_arn_must_be_associated_too(world: World) -> None:
    world.ready()
    other = world.domain("other.example")
    assert world.refused(
        lambda: world.send("kim@example.com", FeedbackForwardingEmailAddressIdentityArn=other)
    )[2] == (f"Tenant not associated with resources [{other}].")


def test_a_pending_address_does_not_hide_its_verified_domain(world: World) -> None:
    world.ready()
    world.ses.create_email_identity(EmailIdentity="no-reply@mail.acme.example")
    world.admin("PUT", "/identities/no-reply@mail.acme.example", {"status": "PENDING"})
    assert world.send("kim@example.com")


def test_a_parent_domain_covers_its_sub_domains(world: World) -> None:
    world.ready()
    assert world.send("kim@example.com", sender="a@deep.mail.acme.example")


def test_the_identitys_default_set_is_used_and_must_be_associated(world: World) -> None:
    world.ready()
    world.ses.put_email_identity_configuration_set_attributes(
        EmailIdentity="mail.acme.example", ConfigurationSetName="acme-reset"
    )
    world.send("kim@example.com", configuration_set=None)
    assert world.sent()[0]["configuration_set"] == "acme-reset"


def test_a_tenants_mail_without_a_set_is_refused_by_default(world: World) -> None:
    world.ready()
    status, code, _ = world.refused(lambda: world.send("kim@example.com", configuration_set=None))
    assert (status, code) == (400, "BadRequestException")
    world.admin("PUT", "/account", {"behaviour": {"tenant_needs_configuration_set": False}})
    assert world.send("kim@example.com", configuration_set=None)


@pytest.mark.parametrize("who", ["customer", "aws"])
def test_a_paused_tenant_is_refused_whoever_paused_it(world: World, who: str) -> None:
    arn = world.ready()
    if who == "customer":
        world.ses.update_reputation_entity_customer_managed_status(
            ReputationEntityType="RESOURCE", ReputationEntityReference=arn, SendingStatus="DISABLED"
        )
    else:
        world.admin("PUT", "/tenants/acme", {"aws_status": "DISABLED", "cause": "Too many complaints."})
    assert world.ses.get_tenant(TenantName="acme")["Tenant"].get("SendingStatus") == "DISABLED"
    assert world.refused(lambda: world.send("kim@example.com")) == (
        400,
        "MessageRejected",
        f"Sending disabled for {arn}.",
    )
    assert world.sent() == []


def test_the_customer_cannot_resume_a_tenant_paused_by_aws(world: World) -> None:
    arn = world.ready()
    world.admin("PUT", "/tenants/acme", {"aws_status": "DISABLED"})
    world.ses.update_reputation_entity_customer_managed_status(
        ReputationEntityType="RESOURCE", ReputationEntityReference=arn, SendingStatus="ENABLED"
    )
    entity = world.ses.get_reputation_entity(ReputationEntityType="RESOURCE", ReputationEntityReference=arn)
    assert entity["ReputationEntity"].get("SendingStatusAggregate") == "DISABLED"
    world.admin("PUT", "/tenants/acme", {"aws_status": "REINSTATED"})
    assert world.send("kim@example.com")


def test_an_illegal_tenant_name_is_a_validation_error(world: World) -> None:
    status, code, message = world.refused(world.ses.create_tenant, TenantName="no spaces")
    assert (status, code) == (400, "BadRequestException")
    assert message == (
        "1 validation error detected: Value 'no spaces' at 'tenantName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: ^[a-zA-Z0-9_-]+$"
    )
    assert world.refused(lambda: world.send("kim@example.com", tenant="x" * 65))[2].endswith(
        "Member must have length less than or equal to 64"
    )


def test_shape_comes_before_tenant_and_tenant_before_further_validation(world: World) -> None:
    world.domain()
    raw = {"ToAddresses": ["kim@example.com"]}
    status, code, _ = world.refused(
        world.ses.send_email, FromEmailAddress="a@mail.acme.example", TenantName="nobody", Destination=raw
    )
    assert (status, code) == (400, "BadRequestException")  # Content is missing
    assert world.refused(lambda: world.send("not an address", tenant="nobody"))[:2] == (
        404,
        "NotFoundException",
    )
    assert world.refused(lambda: world.send("not an address", tenant=None))[:2] == (
        400,
        "BadRequestException",
    )


def test_a_mail_without_tenant_succeeds_silently(world: World) -> None:
    world.domain()
    world.send("kim@example.com", tenant=None, configuration_set=None)
    assert world.sent()[0]["tenant"] is None


def test_unknown_configuration_set_is_404(world: World) -> None:
    world.domain()
    assert world.refused(lambda: world.send("kim@example.com", tenant=None, configuration_set="none")) == (
        404,
        "NotFoundException",
        "Configuration set <none> does not exist.",
    )


def test_an_identity_that_is_not_verified_is_rejected_by_name_and_region(world: World) -> None:
    world.domain()
    world.admin("PUT", "/identities/mail.acme.example", {"status": "PENDING"})
    expected = (
        "Email address is not verified. The following identities failed the check in region US-EAST-1: "
    )
    for sender in ("a@mail.acme.example", "a@stranger.example"):
        assert world.refused(
            lambda sender=sender: world.send(
                "k@x.example", sender=sender, tenant=None, configuration_set=None
            )
        ) == (400, "MessageRejected", expected + sender)


def test_a_paused_set_and_a_paused_account_refuse_with_sending_paused(world: World) -> None:
    world.ready()
    world.ses.put_configuration_set_sending_options(ConfigurationSetName="acme-reset", SendingEnabled=False)
    assert world.refused(lambda: world.send("kim@example.com"))[:2] == (400, "SendingPausedException")
    world.ses.put_configuration_set_sending_options(ConfigurationSetName="acme-reset", SendingEnabled=True)
    world.ses.put_account_sending_attributes(SendingEnabled=False)
    assert world.refused(lambda: world.send("kim@example.com"))[:2] == (400, "SendingPausedException")
    assert world.ses.get_account()["SendingEnabled"] is False


def test_a_shut_down_account_is_suspended(world: World) -> None:
    world.ready()
    world.admin("PUT", "/account", {"enforcement": "SHUTDOWN"})
    assert world.refused(lambda: world.send("kim@example.com"))[:2] == (400, "AccountSuspendedException")
    assert world.ses.get_account()["EnforcementStatus"] == "SHUTDOWN"


def test_an_unverified_mail_from_rejects_only_if_configured(world: World) -> None:
    world.ready()
    params = {"EmailIdentity": "mail.acme.example", "MailFromDomain": "bounce.mail.acme.example"}
    world.ses.put_email_identity_mail_from_attributes(**params)
    world.admin("PUT", "/identities/mail.acme.example", {"mail_from_status": "FAILED"})
    assert world.send("kim@example.com")
    world.ses.put_email_identity_mail_from_attributes(**params, BehaviorOnMxFailure="REJECT_MESSAGE")
    world.admin("PUT", "/identities/mail.acme.example", {"mail_from_status": "FAILED"})
    status, code, _ = world.refused(lambda: world.send("kim@example.com"))
    assert (status, code) == (400, "MailFromDomainNotVerifiedException")


def test_the_sandbox_allows_only_verified_recipients_and_the_simulator(world: World) -> None:
    world.ready()
    world.admin("PUT", "/account", {"production": False})
    assert world.refused(lambda: world.send("kim@example.com"))[:2] == (400, "MessageRejected")
    assert world.send("success@simulator.amazonses.com")
    world.admin("PUT", "/clock", {"advance": 1})
    assert world.send("me@mail.acme.example")
