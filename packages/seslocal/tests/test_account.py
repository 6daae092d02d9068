"""Account details and settings, and identity policies."""

from __future__ import annotations

from typing import Any

import pytest

from seslocal_fixtures.world import World

DETAILS: dict[str, Any] = {
    "MailType": "TRANSACTIONAL",
    "WebsiteURL": "https://acme.example",
    "ContactLanguage": "EN",
    "UseCaseDescription": "Receipts.",
    "AdditionalContactEmailAddresses": ["ops@acme.example"],
}
POLICY = '{"Statement":[{"Effect":"Allow","Principal":"*","Action":"ses:SendEmail"}]}'


def test_account_details_are_stored_and_production_access_can_be_requested_and_granted(world: World) -> None:
    world.admin("PUT", "/account", {"production": False})
    world.ses.put_account_details(**DETAILS, ProductionAccessEnabled=True)
    details = world.ses.get_account()["Details"]
    assert details == {**DETAILS, "ReviewDetails": {"Status": "PENDING", "CaseId": "case-123456789012-1"}}
    refused = world.refused(world.ses.put_account_details, **DETAILS)
    assert refused[:2] == (409, "ConflictException")
    world.admin("PUT", "/account", {"review": "GRANTED"})
    account = world.ses.get_account()
    assert (account["ProductionAccessEnabled"], account["Details"]["ReviewDetails"]["Status"]) == (
        True,
        "GRANTED",
    )


def test_get_account_shows_vdm_and_pricing_plan(world: World) -> None:
    vdm: dict[str, Any] = {"VdmEnabled": "ENABLED", "DashboardAttributes": {"EngagementMetrics": "ENABLED"}}
    assert "VdmAttributes" not in world.ses.get_account()
    world.ses.put_account_vdm_attributes(VdmAttributes=vdm)
    world.ses.put_account_pricing_attributes(Plan="PRO")
    account = world.ses.get_account()
    vdm["GuardianAttributes"] = {"OptimizedSharedDelivery": "DISABLED"}
    assert (account["VdmAttributes"], account["PricingAttributes"]) == (vdm, {"CurrentPlan": "PRO"})
    world.ses.put_account_vdm_attributes(VdmAttributes={**vdm, "VdmEnabled": "DISABLED"})
    assert world.ses.get_account()["VdmAttributes"] == {"VdmEnabled": "DISABLED"}


def test_engagement_metrics_of_the_account_track_every_mail_of_a_set(world: World) -> None:
    world.ready(events=["SEND"])
    vdm = {"VdmEnabled": "ENABLED", "DashboardAttributes": {"EngagementMetrics": "ENABLED"}}
    world.ses.put_account_vdm_attributes(VdmAttributes=vdm)
    html = {"Simple": {"Subject": {"Data": "s"}, "Body": {"Html": {"Data": "<p>Hi</p>"}}}}
    message_id = world.send("kim@example.com", Content=html)
    assert b"/I0/" in world.http("GET", f"/_seslocal/sent/{message_id}/html")[1]


def test_a_redirect_domain_must_be_verified(world: World) -> None:
    world.ses.create_configuration_set(ConfigurationSetName="s")
    put = world.ses.put_configuration_set_tracking_options
    refused = world.refused(put, ConfigurationSetName="s", CustomRedirectDomain="t.acme.example")
    assert refused == (
        400,
        "BadRequestException",
        "Domain <t.acme.example> is not verified under this account.",
    )
    world.domain("acme.example")
    put(ConfigurationSetName="s", CustomRedirectDomain="t.acme.example")


def test_identity_policies_are_created_updated_read_and_deleted(world: World) -> None:
    world.domain("acme.example")
    names: Any = {"EmailIdentity": "acme.example", "PolicyName": "p"}
    world.ses.create_email_identity_policy(**names, Policy=f" {POLICY}\n")  # SES removes white space
    assert world.ses.get_email_identity_policies(EmailIdentity="acme.example")["Policies"] == {"p": POLICY}
    assert world.refused(world.ses.create_email_identity_policy, **names, Policy=POLICY)[:2] == (
        400,
        "AlreadyExistsException",
    )
    other = POLICY.replace("SendEmail", "SendRawEmail")
    world.ses.update_email_identity_policy(**names, Policy=other)
    assert world.ses.get_email_identity_policies(EmailIdentity="acme.example")["Policies"] == {"p": other}
    assert world.ses.get_email_identity(EmailIdentity="acme.example")["Policies"] == {"p": other}
    world.ses.delete_email_identity_policy(**names)
    absent = (404, "NotFoundException", "Policy <p> does not exist")
    assert world.refused(world.ses.delete_email_identity_policy, **names) == absent
    assert world.refused(world.ses.update_email_identity_policy, **names, Policy=POLICY) == absent


@pytest.mark.parametrize(
    ("name", "policy"),
    [
        ("no spaces", POLICY),
        ("p", "{"),
        ("p", "[]"),
        ("p", '{"Statement": []}'),
        ("p", '{"Statement": [{"Effect": "Allow"}]}'),
        ("p", '{"Statement": [1]}'),
        ("p", POLICY + " " * 4096),
    ],
)
def test_an_invalid_policy_is_refused(world: World, name: str, policy: str) -> None:
    world.domain("acme.example")
    create = world.ses.create_email_identity_policy
    refused = world.refused(create, EmailIdentity="acme.example", PolicyName=name, Policy=policy)
    assert refused[:2] == (400, "BadRequestException")


def test_an_identity_has_at_most_twenty_policies(world: World) -> None:
    world.domain("acme.example")
    create = world.ses.create_email_identity_policy
    for number in range(20):
        create(EmailIdentity="acme.example", PolicyName=f"p{number}", Policy=POLICY)
    refused = world.refused(create, EmailIdentity="acme.example", PolicyName="p20", Policy=POLICY)
    assert refused[:2] == (400, "LimitExceededException")
