"""What a channel is told next: decided from facts and time alone."""

import dataclasses
from typing import Any

import pytest

from mailcordon.core.incident import Kind, ScopeKind
from mailcordon.observe.alerts import plan, trouble
from mailcordon.observe.alerts.nouns import Channel, Incident, LaneState, Thread, What

NOW = 1_795_879_380_000
MINUTE = 60_000
CHANNEL = Channel(id=1, name="night", form="webhook", target="hooks.example")
INCIDENT = Incident(
    id=12,
    kind=Kind.RATES,
    cause="lane:12",
    severity="medium",
    scope=ScopeKind.LANE,
    name="acme/newsletter",
    tenant=1,
    tenant_slug="acme",
    lane=12,
    culprit=None,
    sentence="acme's newsletter bounces",
    next="Ask acme",
    command="mailcordon incident show 12",
    since=NOW - 5 * MINUTE,
    opened_at=NOW,
    mitigated_at=None,
    mitigated_by=None,
    acknowledged_at=None,
    acknowledged_by=None,
    closed_at=None,
    closed_by=None,
    closed_because=None,
)


def incident(**changes: Any) -> Incident:
    return dataclasses.replace(INCIDENT, **changes)


def channel(**changes: Any) -> Channel:
    return dataclasses.replace(CHANNEL, **changes)


def told(**changes: Any) -> Thread:
    """A thread that was told the incident a moment ago."""
    return dataclasses.replace(plan.after_sent(Thread(), What.OPENED, INCIDENT, NOW), **changes)


def test_an_incident_is_told_once() -> None:
    assert plan.next_message(INCIDENT, CHANNEL, None, NOW) is What.OPENED
    assert plan.next_message(INCIDENT, CHANNEL, told(), NOW + 1) is None


def test_it_is_told_again_after_15_minutes_1_hour_4_hours_and_each_day_until_acknowledged() -> None:
    thread, now, waits = told(), NOW, list[int]()
    for _ in range(5):
        assert thread.remind_at is not None
        assert plan.next_message(INCIDENT, CHANNEL, thread, thread.remind_at - 1) is None
        assert plan.next_message(INCIDENT, CHANNEL, thread, thread.remind_at) is What.REMINDER
        waits.append((thread.remind_at - now) // MINUTE)
        now = thread.remind_at
        thread = plan.after_sent(thread, What.REMINDER, INCIDENT, now)
    assert waits == [15, 60, 240, 1440, 1440]
    acknowledged = incident(acknowledged_at=now, acknowledged_by="ann")
    thread = plan.after_sent(thread, What.ACKNOWLEDGED, acknowledged, now)
    assert plan.next_message(acknowledged, CHANNEL, thread, now + 100 * 24 * 60 * MINUTE) is None


def test_that_it_is_acknowledged_is_told_once() -> None:
    now = incident(acknowledged_at=NOW, acknowledged_by="ann")
    assert plan.next_message(now, CHANNEL, told(), NOW) is What.ACKNOWLEDGED
    assert plan.next_message(now, CHANNEL, told(told_acknowledged=True), NOW) is None


def test_what_becomes_worse_is_told_again_even_if_it_is_acknowledged() -> None:
    worse = incident(severity="critical", acknowledged_at=NOW, acknowledged_by="ann")
    assert plan.next_message(worse, CHANNEL, told(told_acknowledged=True), NOW) is What.WORSENED
    thread = plan.after_sent(told(), What.WORSENED, incident(severity="critical"), NOW)
    assert thread.remind_at == NOW + 15 * MINUTE
    assert plan.next_message(incident(severity="low"), CHANNEL, thread, NOW) is None


def test_a_culprit_that_becomes_known_is_told_once() -> None:
    known = incident(culprit="list bought")
    assert plan.next_message(known, CHANNEL, told(), NOW) is What.IDENTIFIED
    thread = plan.after_sent(told(), What.IDENTIFIED, known, NOW)
    assert plan.next_message(known, CHANNEL, thread, NOW) is None
    assert thread.remind_at == told().remind_at


def test_that_it_is_closed_is_told_once_to_those_who_were_told_of_it() -> None:
    closed = incident(closed_at=NOW, closed_by="mailcordon")
    assert plan.next_message(closed, CHANNEL, None, NOW) is None
    assert plan.next_message(closed, CHANNEL, told(), NOW) is What.CLOSED
    thread = plan.after_sent(told(), What.CLOSED, closed, NOW)
    assert plan.next_message(closed, CHANNEL, thread, NOW) is None
    assert plan.next_message(INCIDENT, CHANNEL, thread, NOW) is What.REOPENED


def test_what_opened_and_closed_before_it_arrived_is_not_told() -> None:
    closed = incident(closed_at=NOW, closed_by="mailcordon")
    assert plan.next_message(closed, CHANNEL, Thread(what=What.OPENED, tries=3), NOW) is None


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ({}, True),
        ({"least": "medium"}, True),
        ({"least": "high"}, False),
        ({"kinds": frozenset({Kind.RATES})}, True),
        ({"kinds": frozenset({Kind.DRIFT})}, False),
        ({"tenants": frozenset({1})}, True),
        ({"tenants": frozenset({2})}, True),
        ({"tenants": frozenset({3})}, False),
    ],
)
def test_a_channel_gets_its_severities_kinds_and_tenants(settings: Any, wanted: bool) -> None:
    found = plan.next_message(incident(concerned=frozenset({2})), channel(**settings), None, NOW)
    assert (found is What.OPENED) is wanted


def test_an_incident_that_reaches_a_channels_severity_later_is_new_to_it() -> None:
    high = channel(least="high")
    assert plan.next_message(INCIDENT, high, None, NOW) is None
    assert plan.next_message(incident(severity="high"), high, None, NOW) is What.OPENED


def test_a_channel_is_not_told_that_it_does_not_work() -> None:
    own = incident(cause="alert-channel:night")
    assert plan.next_message(own, CHANNEL, None, NOW) is None
    assert plan.next_message(own, channel(name="day"), None, NOW) is What.OPENED


def test_a_flood_of_incidents_is_told_in_parts_the_worst_first() -> None:
    new = [("low", id) for id in range(40)] + [("critical", 99)]
    allowed = plan.new_ones(new, 0)  # pyright: ignore[reportArgumentType]
    assert len(allowed) == plan.MOST_NEW
    assert 99 in allowed
    assert plan.new_ones(new, plan.MOST_NEW - 1) == {99}  # pyright: ignore[reportArgumentType]
    assert plan.new_ones(new, plan.MOST_NEW + 5) == set()  # pyright: ignore[reportArgumentType]


def test_a_message_that_fails_is_tried_later_and_later_and_as_the_receiver_asks() -> None:
    waits = [plan.retry_at(tries, 0) // 1_000 for tries in range(1, 9)]
    assert waits == [5, 20, 60, 180, 600, 1800, 1800, 1800]
    assert plan.retry_at(1, 0, 120) == 120_000
    assert not plan.is_given_up(What.OPENED, 10_000)
    assert plan.is_given_up(What.CLOSED, plan.MOST_TRIES_WHEN_OVER)


LANE = LaneState(
    tenant=7,
    lane=70,
    name="ops/notification",
    configuration_set="mc-transactional",
    domain="ops.example",
    held=False,
    stopped=False,
    nothing_leaves=False,
    dispatcher_silent=False,
)


@pytest.mark.parametrize(
    ("wrong", "state"),
    [
        ({"tenant": 7}, {}),
        ({"concerned": frozenset({7})}, {}),
        ({"lane": 70}, {}),
        ({"cause": "set:mc-transactional", "scope": ScopeKind.SET, "name": "mc-transactional"}, {}),
        ({"cause": "identity:ops.example", "scope": ScopeKind.IDENTITY, "name": "ops.example"}, {}),
        ({"cause": "cell:default/account-paused", "scope": ScopeKind.CELL, "name": "default"}, {}),
        ({"cause": "role:dispatch", "scope": ScopeKind.PROCESS, "name": "dispatch"}, {}),
        ({"cause": "role:api", "scope": ScopeKind.PROCESS, "name": "api"}, {}),
        ({}, {"held": True}),
        ({}, {"stopped": True}),
        ({}, {"nothing_leaves": True}),
        ({}, {"dispatcher_silent": True}),
    ],
)
def test_an_alert_never_takes_the_way_that_it_is_about(wrong: Any, state: Any) -> None:
    assert trouble.reason(incident(**wrong), dataclasses.replace(LANE, **state))


@pytest.mark.parametrize(
    "about",
    [
        {},
        {"cause": "set:mc-urgent", "scope": ScopeKind.SET, "name": "mc-urgent", "tenant": None, "lane": None},
        {
            "cause": "role:observe",
            "scope": ScopeKind.PROCESS,
            "name": "observe",
            "tenant": None,
            "lane": None,
        },
        {"tenant": 7, "closed_at": NOW, "closed_by": "mailcordon"},
    ],
)
def test_a_lane_that_is_not_concerned_carries_the_alert(about: Any) -> None:
    assert trouble.reason(incident(**about), LANE) is None
