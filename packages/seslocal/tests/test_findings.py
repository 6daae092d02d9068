"""Findings open by a tenant's rates, its policy acts on them, and they close when the rates fall."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seslocal.state.findings import Counts, Thresholds, find_exceeded
from seslocal_fixtures.world import World

HOUR = 3600


def counts(mailed: int, bounced: int = 0, complained: int = 0, at: float = 0.0) -> Counts:
    found = Counts()
    found.add(at, mailed, bounced, mailed, complained)
    return found


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (counts(99, 99), {}),
        (counts(1000, 49), {}),
        (counts(1000, 50), {"BOUNCE": ("LOW", 0.05)}),
        (counts(1000, 150), {"BOUNCE": ("HIGH", 0.15)}),
        (counts(1000, 0, 1), {"COMPLAINT": ("LOW", 0.001)}),
        (counts(1000, 0, 5), {"COMPLAINT": ("HIGH", 0.005)}),
        (counts(1000, 200, 10), {"BOUNCE": ("HIGH", 0.15), "COMPLAINT": ("HIGH", 0.005)}),
    ],
)
def test_rates_are_compared_with_thresholds_above_a_minimum(given: Counts, found: dict[str, Any]) -> None:
    assert find_exceeded(given, Thresholds()) == found


def test_counts_cover_the_last_day() -> None:
    given = counts(100, 50, at=0)
    given.add(23 * HOUR, 100, 0, 100, 0)
    assert (given.mailed, given.bounced) == (200, 50)
    given.forget(24 * HOUR)
    assert (given.mailed, given.bounced, given.since) == (100, 0, 23 * HOUR)


@pytest.fixture
def ready(world: World) -> World:
    """Tenant acme, a minimum of ten mails, and a frozen clock."""
    world.ready()
    world.admin("PUT", "/clock", {"at": "2026-01-05T12:00:00Z", "frozen": True})
    world.admin("PUT", "/account", {"thresholds": {"minimum": 10}, "event_bus_queue": "bus"})
    world.bad_mailboxes()
    return world


def mail(world: World, good: int = 0, *, bounces: int = 0, complains: int = 0) -> None:
    world.mails(good, bounces, complains, "kim{}".format, 1)


def arn(world: World) -> str:
    return world.ses.get_tenant(TenantName="acme")["Tenant"]["TenantArn"]


def entity(world: World) -> dict[str, Any]:
    return world.ses.get_reputation_entity(
        ReputationEntityType="RESOURCE", ReputationEntityReference=arn(world)
    )["ReputationEntity"]


def findings(world: World, **wanted: str) -> list[tuple[str, str, str]]:
    found = world.ses.list_recommendations(**({"Filter": wanted} if wanted else {}))["Recommendations"]
    return [(one["Type"], one["Impact"], one["Status"]) for one in found]


def policy(world: World, name: str) -> None:
    world.ses.update_reputation_entity_policy(
        ReputationEntityType="RESOURCE",
        ReputationEntityReference=arn(world),
        ReputationEntityPolicy=f"arn:aws:ses:us-east-1:aws:reputation-policy/{name}",
    )


def resume(world: World, status: str = "ENABLED") -> None:
    world.ses.update_reputation_entity_customer_managed_status(
        ReputationEntityType="RESOURCE", ReputationEntityReference=arn(world), SendingStatus=status
    )


def bus(world: World, count: int) -> list[dict[str, Any]]:
    return [json.loads(body) for body in world.bodies(count, "bus")]


def test_a_high_finding_pauses_the_tenant_under_the_standard_policy_and_is_published(ready: World) -> None:
    mail(ready, 17, bounces=3)
    assert findings(ready) == [("BOUNCE", "HIGH", "OPEN")]
    found = entity(ready)
    assert (found["SendingStatusAggregate"], found["ReputationImpact"]) == ("DISABLED", "HIGH")
    assert found["CustomerManagedStatus"]["Cause"].startswith(
        "Reputation policy standard: The bounce rate exceeded 15.0% "
    )
    assert ready.refused(lambda: ready.send("x@good.example")) == (
        400,
        "MessageRejected",
        f"Sending disabled for {arn(ready)}.",
    )
    low, opened, disabled = bus(ready, 3)
    assert low["detail"]["metadata"] == {"impact": "LOW", "type": "BOUNCE"}
    assert opened["detail-type"] == "Advisor Recommendation Status Open"
    assert opened["detail"]["metadata"] == {"impact": "HIGH", "type": "BOUNCE"}
    assert opened["detail"]["data"] == (
        "The bounce rate exceeded 15.0% based on a representative volume of 20 emails from January 5, 2026 at 12:00 (UTC) "
        "to January 5, 2026 at 12:00 (UTC)."
    )
    assert (disabled["detail-type"], disabled["resources"]) == ("Sending Status Disabled", [arn(ready)])


@pytest.mark.parametrize(
    ("name", "bounces", "status"),
    [
        ("standard", 1, "ENABLED"),
        ("strict", 1, "DISABLED"),
        ("none", 10, "ENABLED"),
        ("standard", 4, "DISABLED"),
    ],
)
def test_each_policy_acts_on_its_findings(ready: World, name: str, bounces: int, status: str) -> None:
    policy(ready, name)
    mail(ready, 20 - bounces, bounces=bounces)
    assert findings(ready)[0][0] == "BOUNCE"
    assert entity(ready)["SendingStatusAggregate"] == status


def test_a_stricter_policy_acts_on_open_findings_at_the_next_evaluation(ready: World) -> None:
    mail(ready, 19, bounces=1)
    assert entity(ready)["SendingStatusAggregate"] == "ENABLED"
    policy(ready, "strict")
    ready.admin("PUT", "/clock", {"advance": HOUR})
    assert entity(ready)["SendingStatusAggregate"] == "DISABLED"


def test_complaints_open_findings_too(ready: World) -> None:
    mail(ready, 19, complains=1)
    assert findings(ready) == [("COMPLAINT", "HIGH", "OPEN")]


def test_simulator_suppressed_and_soft_bounces_are_not_counted(ready: World) -> None:
    for address in ("bounce@simulator.amazonses.com", "complaint@simulator.amazonses.com"):
        for _ in range(20):
            ready.send(address)
    ready.ses.put_suppressed_destination(TenantName="acme", EmailAddress="listed@x.example", Reason="BOUNCE")
    for _ in range(5):
        ready.send("listed@x.example")
    ready.mailbox("*@full.example", "bounces", subtype="MailboxFull")
    for number in range(5):
        ready.send(f"kim{number}@full.example")
    ready.admin("PUT", "/clock", {"advance": 1})
    assert findings(ready) == []


def test_another_tenant_is_not_affected(ready: World) -> None:
    ready.tenant("zen")
    mail(ready, 10, bounces=10)
    found = ready.ses.list_reputation_entities(Filter={"SENDING_STATUS": "DISABLED"})["ReputationEntities"]
    assert [one["ReputationEntityReference"] for one in found] == [arn(ready)]
    assert (
        ready.ses.list_reputation_entities(Filter={"REPUTATION_IMPACT": "HIGH"})["ReputationEntities"]
        == found
    )


def test_a_tenant_resumed_with_open_findings_is_reinstated_until_they_close(ready: World) -> None:
    mail(ready, 10, bounces=10)
    resume(ready)
    assert entity(ready)["SendingStatusAggregate"] == "REINSTATED"
    mail(ready, bounces=5)
    assert entity(ready)["SendingStatusAggregate"] == "REINSTATED"
    ready.admin("PUT", "/clock", {"advance": 26 * HOUR})
    assert entity(ready)["SendingStatusAggregate"] == "ENABLED"
    assert "ReputationImpact" not in entity(ready)
    assert findings(ready) == [("BOUNCE", "HIGH", "FIXED")]
    detail_types = [event["detail-type"] for event in bus(ready, 6)]
    assert detail_types[3:] == [
        "Sending Status Enabled",
        "Advisor Recommendation Status Resolved",
        "Sending Status Enabled",
    ]


def test_a_paused_tenant_stays_paused_when_its_findings_close(ready: World) -> None:
    mail(ready, 10, bounces=10)
    ready.admin("PUT", "/clock", {"advance": 26 * HOUR})
    assert findings(ready, STATUS="OPEN") == []
    assert entity(ready)["SendingStatusAggregate"] == "DISABLED"


def test_a_finding_is_raised_from_low_to_high(ready: World) -> None:
    mail(ready, 19, bounces=1)
    assert findings(ready) == [("BOUNCE", "LOW", "OPEN")]
    mail(ready, bounces=5)
    assert findings(ready) == [("BOUNCE", "HIGH", "OPEN")]


def test_findings_set_by_the_admin_api_stay_until_it_closes_them(ready: World) -> None:
    ready.admin(
        "POST",
        "/tenants/acme/findings",
        {"type": "IP_LISTING", "impact": "HIGH", "description": "On a blocklist."},
    )
    ready.admin("PUT", "/clock", {"advance": 48 * HOUR})
    [found] = ready.ses.list_recommendations(Filter={"RESOURCE_ARN": arn(ready)})["Recommendations"]
    assert (found["Type"], found["Description"], found["Status"]) == ("IP_LISTING", "On a blocklist.", "OPEN")
    assert entity(ready)["SendingStatusAggregate"] == "DISABLED"
    ready.admin("DELETE", "/tenants/acme/findings/IP_LISTING")
    assert findings(ready) == [("IP_LISTING", "HIGH", "FIXED")]
    ready.admin("DELETE", "/tenants/acme/findings/IP_LISTING", expect=404)
    ready.admin("POST", "/tenants/acme/findings", {"type": "X"}, expect=400)
    ready.admin("POST", "/tenants/no/findings", {"type": "BOUNCE"}, expect=404)


def test_findings_can_be_switched_off(ready: World) -> None:
    ready.admin("PUT", "/account", {"findings": False})
    mail(ready, 10, bounces=10)
    assert findings(ready) == []


@pytest.mark.parametrize(
    "wanted",
    [
        {"TYPE": "BOUNCE", "IMPACT": "HIGH"},
        {"STATUS": "OPEN", "RESOURCE_ARN": "arn:x"},
        {"STATUS": "CLOSED"},
        {"TYPE": "X"},
    ],
)
def test_invalid_filter_combinations_are_refused(ready: World, wanted: dict[str, str]) -> None:
    assert ready.refused(ready.ses.list_recommendations, Filter=wanted)[:2] == (400, "BadRequestException")


@pytest.mark.parametrize(
    "wanted", [{"STATUS": "OPEN", "IMPACT": "HIGH"}, {"STATUS": "OPEN", "TYPE": "BOUNCE"}, {"TYPE": "BOUNCE"}]
)
def test_valid_filters_select_recommendations(ready: World, wanted: dict[str, str]) -> None:
    mail(ready, 10, bounces=10)
    assert findings(ready, **wanted) == [("BOUNCE", "HIGH", "OPEN")]
