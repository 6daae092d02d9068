"""SES reviews the account and pauses it by its bounce and complaint rates: what GetAccount shows and what sends are answered."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from seslocal_fixtures.world import World

INBOX = (
    "Sending paused for this account. For more information, please check the inbox of the email address associated with your "
    "AWS account."
)
NUMBERS = itertools.count()
RULES: dict[str, Any] = {"on": True, "minimum": 10, "complaint_minimum": 10, "interval": 60}


@pytest.fixture
def ready(world: World) -> World:
    """Tenant acme, small rules, no findings about tenants, and a frozen clock."""
    world.ready(events=["SEND"])
    world.admin("PUT", "/clock", {"at": "2026-01-05T12:00:00Z", "frozen": True})
    world.admin("PUT", "/account", {"account_review": RULES, "findings": False, "event_bus_queue": "bus"})
    world.bad_mailboxes()
    return world


def mail(world: World, good: int = 0, *, bounces: int = 0, complains: int = 0) -> None:
    # no address is on a suppression list yet
    world.mails(good, bounces, complains, lambda number: f"kim{number}.{next(NUMBERS)}", 60)


def shown(world: World) -> tuple[str, bool]:
    account = world.ses.get_account()
    return account["EnforcementStatus"], account["SendingEnabled"]


def test_a_high_bounce_rate_is_a_review_and_mail_is_still_sent(ready: World) -> None:
    mail(ready, 19, bounces=1)
    assert shown(ready) == ("PROBATION", True)
    ready.send("kim@good.example")
    found = ready.admin("GET", "/account/review")
    assert (found["mailed"], found["bounced"], found["bounce_rate"]) == (20, 1, 0.05)
    assert found["reviews"] == {"BOUNCE": 1, "COMPLAINT": 0}
    assert ready.admin("GET", "/cloudwatch")["reputation"] == {
        "Reputation.BounceRate": 0.05,
        "Reputation.ComplaintRate": 0.0,
    }
    assert found["cause"] == (
        "The bounce rate is 5.00% of the last 20 eligible mails, and 5.0% or more is too high."
    )


@pytest.mark.parametrize("given", [{"bounces": 2}, {"complains": 1}])
def test_a_higher_rate_is_a_pause_for_all_tenants_and_for_mail_without_one(
    ready: World, given: dict[str, int]
) -> None:
    ready.tenant("zen", ready.arn("identity/mail.acme.example"), ready.arn("configuration-set/acme-reset"))
    mail(ready, 18, **given)
    assert shown(ready) == ("SHUTDOWN", False)
    for tenant in ("acme", "zen", None):
        refused = ready.refused(lambda: ready.send("kim@good.example", tenant=tenant))  # noqa: B023
        assert refused == (400, "SendingPausedException", INBOX)


def test_a_pause_by_ses_is_message_rejected_in_v1(ready: World, v1: Any) -> None:
    mail(ready, 10, bounces=10)
    content = {"Subject": {"Data": "s"}, "Body": {"Text": {"Data": "t"}}}
    refused = ready.refused(
        lambda: v1.send_email(
            Source="a@mail.acme.example", Destination={"ToAddresses": ["b@x.example"]}, Message=content
        )
    )
    assert refused == (400, "MessageRejected", INBOX)
    assert v1.get_account_sending_enabled()["Enabled"] is False


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("SendingPausedException", "ACCOUNT_SENDING_PAUSED"),
        ("MessageRejected", "MESSAGE_REJECTED"),
        ("AccountSuspendedException", "ACCOUNT_SUSPENDED"),
    ],
)
def test_the_code_of_a_pause_can_be_chosen_and_bulk_entries_have_it_as_status(
    ready: World, code: str, status: str
) -> None:
    mail(ready, 10, bounces=10)
    ready.admin("PUT", "/account", {"behaviour": {"pause_error": code}})
    assert ready.refused(lambda: ready.send("kim@good.example"))[1:] == (code, INBOX)
    content = {"TemplateContent": {"Subject": "s", "Text": "t"}, "TemplateData": "{}"}
    answer = ready.ses.send_bulk_email(
        FromEmailAddress="a@mail.acme.example",
        TenantName="acme",
        ConfigurationSetName="acme-reset",
        DefaultContent={"Template": content},
        BulkEmailEntries=[{"Destination": {"ToAddresses": ["kim@good.example"]}}],
    )
    assert answer["BulkEmailEntryResults"] == [{"Status": status, "Error": INBOX}]


def test_support_ends_a_pause_and_old_bounces_are_forgotten(ready: World) -> None:
    mail(ready, 10, bounces=10)
    ready.admin("PUT", "/account", {"enforcement": "HEALTHY"})
    assert shown(ready) == ("HEALTHY", True)
    mail(ready, 20)
    assert shown(ready) == ("HEALTHY", True)
    mail(ready, 10, bounces=10)
    assert shown(ready) == ("SHUTDOWN", False)


def test_a_pause_ends_after_a_stated_time(ready: World) -> None:
    ready.admin("PUT", "/account", {"account_review": {"pause": 3600}})
    mail(ready, 10, bounces=10)
    assert shown(ready) == ("SHUTDOWN", False)
    ready.admin("PUT", "/clock", {"advance": 3600})
    assert shown(ready) == ("HEALTHY", True)
    ready.send("kim@good.example")


def test_a_pause_set_by_hand_is_a_suspension_as_before(ready: World) -> None:
    ready.admin("PUT", "/account", {"enforcement": "SHUTDOWN"})
    assert ready.refused(lambda: ready.send("kim@good.example"))[1] == "AccountSuspendedException"


def test_own_domains_the_simulator_lists_and_soft_bounces_do_not_count(ready: World) -> None:
    ready.domain("own.example")
    ready.mailbox("*@own.example", "bounces")
    ready.mailbox("*@full.example", "bounces", subtype="MailboxFull")
    ready.ses.put_suppressed_destination(TenantName="acme", EmailAddress="x@listed.example", Reason="BOUNCE")
    for number in range(10):
        for address in (
            f"kim{number}@own.example",
            f"kim{number}@full.example",
            "x@listed.example",
            "bounce@simulator.amazonses.com",
        ):
            ready.send(address)
    mail(ready)
    found = ready.admin("GET", "/account/review")
    # mail to own domains and to the simulator is not eligible at all
    assert (found["status"], found["mailed"], found["bounced"]) == ("HEALTHY", 20, 0)


def test_complaints_are_a_share_of_the_mail_to_providers_that_report_them(ready: World) -> None:
    ready.admin("PUT", "/account", {"account_review": {"complaint_review": 0.05, "complaint_pause": 0.5}})
    for number in range(90):
        ready.send(f"kim{number}@gmail.com")
    mail(ready, 9, complains=1)
    found = ready.admin("GET", "/account/review")
    assert (found["status"], found["complained"], found["with_loop"], found["mailed"]) == (
        "PROBATION",
        1,
        10,
        100,
    )


def test_nothing_about_the_account_is_published_on_the_bus(ready: World) -> None:
    mail(ready, 10, bounces=10)
    assert shown(ready)[0] == "SHUTDOWN"
    ready.admin("PUT", "/tenants/acme", {"aws_status": "DISABLED", "cause": "last"})
    (only,) = ready.bodies(1, "bus")
    assert "Sending Status Disabled" in only


def test_the_review_is_off_without_a_world_and_on_with_one(ready: World) -> None:
    ready.admin("PUT", "/account", {"account_review": {"on": None}})
    mail(ready, 10, bounces=10)
    assert shown(ready) == ("HEALTHY", True)
    ready.admin("PUT", "/world", {})
    mail(ready, 10, bounces=10)
    assert shown(ready) == ("SHUTDOWN", False)


def test_in_a_world_only_its_reporting_providers_count_for_complaints(ready: World) -> None:
    ready.admin("PUT", "/world", {})
    for domain in ("gmail.com", "outlook.com", "small.example"):
        for number in range(5):
            ready.send(f"kim{number}@{domain}")
    mail(ready)
    assert ready.admin("GET", "/account/review")["with_loop"] == 5


def test_hard_bounces_of_a_bought_list_pause_the_account(ready: World) -> None:
    ready.admin("PUT", "/world", {"lists": [{"name": "bought", "quality": "bought"}]})
    ready.configuration_set("told", events=["BOUNCE"])
    for number in range(60):
        ready.send(f"bought.{number}@outlook.com", tenant=None, configuration_set="told")
    ready.admin("PUT", "/clock", {"advance": 3600})
    found = ready.admin("GET", "/account/review")
    ended = ready.admin("GET", "/world/mails?ended=refused&limit=100")["mails"]
    hard = [event for event in ready.events(len(ended)) if event["bounce"]["bounceType"] == "Permanent"]
    assert (found["mailed"], found["bounced"]) == (60, len(hard))
    assert len(hard) >= 6
    assert (found["status"], shown(ready)) == ("SHUTDOWN", ("SHUTDOWN", False))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"account_review": 5}, "account_review"),
        ({"account_review": {"on": 1}}, "on"),
        ({"account_review": {"interval": 0}}, "interval"),
        ({"account_review": {"bounces": 1}}, "bounces"),
        ({"warm_up": {"growth": "fast"}}, "growth"),
        ({"warm_up": {"cool_standard": 1}}, "cool_standard"),
        ({"behaviour": {"pause_error": "Oops"}}, "pause_error"),
    ],
)
def test_wrong_rules_are_refused_and_change_nothing(world: World, body: dict[str, Any], named: str) -> None:
    before = world.admin("GET", "/account")
    assert named in world.admin("PUT", "/account", body, expect=400)["error"]
    after = world.admin("GET", "/account")
    assert {**after, "sent_last_24_hours": 0} == {**before, "sent_last_24_hours": 0}
