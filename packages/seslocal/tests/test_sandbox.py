"""Account limits: the sandbox, and the rate of management calls."""

from __future__ import annotations

import pytest

from seslocal_fixtures.world import World


@pytest.fixture
def sandbox(world: World) -> World:
    world.ready()
    world.admin("PUT", "/clock", {"frozen": True})
    world.admin("PUT", "/account", {"production": False})
    return world


def test_the_sandbox_shows_its_limits_and_leaving_it_lifts_them(sandbox: World) -> None:
    account = sandbox.ses.get_account()
    assert account["ProductionAccessEnabled"] is False
    assert (account["SendQuota"]["Max24HourSend"], account["SendQuota"]["MaxSendRate"]) == (200.0, 1.0)
    sandbox.admin("PUT", "/account", {"production": True})
    assert sandbox.ses.get_account()["SendQuota"]["MaxSendRate"] == 1000.0


def test_the_sandbox_allows_one_mail_a_second_and_two_hundred_a_day(sandbox: World) -> None:
    sandbox.ses.create_email_identity(EmailIdentity="kim@example.com")
    for _ in range(200):
        sandbox.send("kim@example.com")
        sandbox.admin("PUT", "/clock", {"advance": 1})
    refused = sandbox.refused(lambda: sandbox.send("kim@example.com"))
    assert refused == (400, "LimitExceededException", "Daily message quota exceeded.")
    sandbox.admin("PUT", "/clock", {"advance": 86400})
    sandbox.send("kim@example.com")
    refused = sandbox.refused(lambda: sandbox.send("kim@example.com"))
    assert refused == (429, "TooManyRequestsException", "Maximum sending rate exceeded.")


def test_the_sandbox_allows_verified_recipients_and_the_simulator(sandbox: World) -> None:
    status, code, message = sandbox.refused(lambda: sandbox.send("kim@example.com"))
    assert (status, code) == (400, "MessageRejected")
    assert message == (
        "Email address is not verified. The following identities failed the check in region US-EAST-1: kim@example.com"
    )
    sandbox.send("success@simulator.amazonses.com")


def test_the_sandbox_refuses_suppressed_destinations(sandbox: World) -> None:
    put = sandbox.ses.put_suppressed_destination
    assert sandbox.refused(put, EmailAddress="a@x.example", Reason="BOUNCE")[:2] == (
        400,
        "BadRequestException",
    )


def test_management_calls_have_no_rate_limit_by_default(world: World) -> None:
    for _ in range(20):
        world.ses.get_account()


def test_management_calls_can_be_limited_per_operation(world: World) -> None:
    world.admin("PUT", "/clock", {"frozen": True})
    world.admin("PUT", "/account", {"management_rate": 1})
    for _ in range(2):  # a short burst is allowed
        world.ses.get_account()
    refused = world.refused(world.ses.get_account)
    assert refused == (429, "TooManyRequestsException", "Too many requests have been made to the operation.")
    world.ses.list_tenants()
    world.admin("PUT", "/clock", {"advance": 1})
    world.ses.get_account()


def test_management_calls_can_be_limited_together(world: World) -> None:
    world.admin("PUT", "/clock", {"frozen": True})
    world.admin("PUT", "/account", {"management_rate": 1, "management_together": True})
    world.ses.get_account()
    world.ses.list_tenants()
    assert world.refused(world.ses.list_email_identities)[0] == 429


def test_sending_and_operations_with_a_higher_documented_rate_are_not_limited(world: World) -> None:
    world.ready()
    world.ses.create_email_template(TemplateName="t", TemplateContent={"Subject": "s", "Text": "t"})
    world.admin("PUT", "/clock", {"frozen": True})
    world.admin("PUT", "/account", {"management_rate": 1})
    for _ in range(10):
        world.send("kim@example.com")
        world.ses.get_email_template(TemplateName="t")
