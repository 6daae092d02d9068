"""What is shown of a process and of the installation: from facts to samples and to the page."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mailcordon.adapters.prometheus import exposition
from mailcordon.adapters.prometheus.families import OF_ROLE, STATE, Family
from mailcordon.adapters.prometheus.samples import Sample, of_role
from mailcordon.adapters.prometheus.state_samples import of_state
from mailcordon.control import status
from mailcordon.control.facts import ControlFacts
from mailcordon.control.machine_state import (
    IncidentTimes,
    LastHour,
    OpenHolds,
    OpenIncidents,
    QueuedMail,
    State,
    WaitingMessages,
)
from mailcordon.control.status_facts import Account, Beat, Facts, Waiting
from mailcordon.core.health import Role
from mailcordon.core.histogram import Histogram
from mailcordon.core.priority import Class
from mailcordon.door.facts import DoorFacts
from mailcordon.observe import facts as observe_facts
from mailcordon.observe.door import DoorTotals
from mailcordon.observe.facts import QueueFacts, Totals
from mailcordon.observe.webhooks.tally import Tally
from mailcordon.send.facts import AcceptFacts, DispatchFacts

ROOT = Path(__file__).resolve().parents[4]
NOW = 1_795_879_380_000
SECOND = 1000


def state(facts: Facts | None = None) -> State:
    return State(
        facts=facts or Facts(now=NOW),
        lanes=(),
        waiting={},
        holds=(),
        incidents=(),
        times=(),
        last_hour=(),
        webhooks=(),
    )


def values(found: list[Sample], name: str) -> dict[tuple[str, ...], object]:
    return {sample.labels: sample.value for sample in found if sample.name == name}


def test_every_family_is_in_the_documentation_with_its_type_and_labels() -> None:
    page = (ROOT / "docs" / "machine-metrics.md").read_text()
    rows = re.findall(r"^\| `(mailcordon_\w+)` \| (\w+) \| ([^|]*) \|", page, re.MULTILINE)
    documented = {name: (type, tuple(re.findall(r"`(\w+)`", labels))) for name, type, labels in rows}
    assert documented == {
        family.name: (family.type, family.labels) for of in OF_ROLE.values() for family in of
    }


def of_each_role() -> dict[Role, list[Sample]]:
    observed = QueueFacts("mailcordon-outcome", Totals())
    observed.answered()
    facts = {
        "api": {**AcceptFacts().document(), **DoorFacts().document(), **DoorTotals().document()},
        "dispatch": DispatchFacts().document(in_flight=0, stopped=None),
        "observe": observe_facts.document([observed]),
        "control": {**ControlFacts().document(), **Tally().document()},
        "smtp": {**AcceptFacts().document(), **DoorFacts().document()},
        "dashboard": {**DoorFacts().document(), "pages": {"200": 1}, "live_viewers": 0},
    }
    return {role: list(of_role(role, facts[role])) for role in OF_ROLE}


@pytest.mark.parametrize("role", OF_ROLE)
def test_a_page_has_every_family_of_the_role_even_without_a_sample(role: Role) -> None:
    found = [*of_each_role()[role], *(of_state(state()) if role == "control" else ())]
    body, content_type = exposition.render(OF_ROLE[role], found, "")
    assert content_type.startswith("text/plain; version=")
    page = body.decode()
    for family in OF_ROLE[role]:
        assert f"# TYPE {family.name} {family.type}\n" in page
        assert re.search(rf"^# HELP {family.name} \S", page, re.MULTILINE)


def test_a_scraper_that_asks_for_openmetrics_gets_it() -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
    body, content_type = exposition.render(OF_ROLE["api"], of_each_role()["api"], accept)
    assert content_type.startswith("application/openmetrics-text")
    assert body.endswith(b"# EOF\n")


def test_a_sample_that_no_family_declares_is_an_error() -> None:
    with pytest.raises(KeyError):
        exposition.render(OF_ROLE["api"], [Sample("surprise", (), 1)], "")
    with pytest.raises(ValueError, match="process_info has the labels"):
        exposition.render(
            [Family("mailcordon_process_info", "gauge", ("role",))], [Sample("process_info", (), 1)], ""
        )


def test_a_histogram_is_cumulative_on_the_page() -> None:
    seconds = Histogram((0.5, 2.5))
    for value in (0.1, 0.2, 2.0, 30.0):
        seconds.add(value)
    body, _ = exposition.render(OF_ROLE["dispatch"], [Sample("call_seconds", (), seconds)], "")
    parsed = {family.name: family for family in text_string_to_metric_families(body.decode())}
    shown = {
        (sample.name.rpartition("_")[2], sample.labels.get("le", "")): sample.value
        for sample in parsed["mailcordon_call_seconds"].samples
    }
    assert shown == {
        ("bucket", "0.5"): 2,
        ("bucket", "2.5"): 3,
        ("bucket", "+Inf"): 4,
        ("count", ""): 4,
        ("sum", ""): pytest.approx(32.3),
    }


def test_what_a_process_does_not_know_yet_has_no_sample() -> None:
    names = {sample.name for samples in of_each_role().values() for sample in samples}
    assert names.isdisjoint(
        {
            "last_accepted_timestamp_seconds",
            "clock_skew_seconds",
            "last_sent_timestamp_seconds",
            "last_account_timestamp_seconds",
            "queue_last_event_timestamp_seconds",
        }
    )


def test_a_dispatcher_that_has_stopped_says_so() -> None:
    stopped = DispatchFacts().document(in_flight=3, stopped="SES answers nothing")
    found = list(of_role("dispatch", stopped))
    assert values(found, "dispatch_stopped") == {(): 1}
    assert values(found, "calls_in_flight") == {(): 3}


def test_problems_are_those_of_the_status() -> None:
    facts = Facts(
        now=NOW,
        beats=[Beat(role="api", instance="a", host="h", pid=1, started=NOW, beat=NOW, facts={})],
        waiting=[Waiting(class_=Class.URGENT, tenant="acme", type="reset", since=NOW - 31 * SECOND)],
    )
    found = list(of_state(state(facts)))
    problems = values(found, "problems")
    assert sum(int(str(value)) for value in problems.values()) == len(status.judge(facts).problems)
    assert problems["waiting mail", "mail-waits"] == 1
    assert problems["roles", "role-silent"] == 3
    assert problems["stops", ""] == 0
    assert values(found, "processes_running")["api",] == 1
    assert values(found, "processes_running")["dispatch",] == 0
    assert values(found, "oldest_waiting_seconds") == {
        ("urgent",): 31,
        ("transactional",): 0,
        ("marketing",): 0,
    }


def test_an_installation_that_observes_only_misses_no_dispatcher() -> None:
    """The rule of silent roles would wake somebody, for as long as it observes."""
    running = values(list(of_state(state(Facts(now=NOW, observe_only=True)))), "processes_running")
    assert set(running) == {("api",), ("observe",), ("control",)}


def test_no_hold_is_a_zero() -> None:
    held = replace(state(), holds=(OpenHolds(owner="person", stops=True, count=2),))
    found = values(list(of_state(held)), "holds_open")
    assert (found["person", "stops"], found["person", "slows"], found["policy", "stops"]) == (2, 0, 0)


def test_a_check_that_could_not_be_made_has_no_figure() -> None:
    facts = Facts(now=NOW, unread={"waiting mail": "too slow", "feedback": "too slow"})
    found = list(of_state(state(facts)))
    assert values(found, "oldest_waiting_seconds") == {}
    assert values(found, "feedback_losses_open") == {}
    assert values(found, "problems")["waiting mail", "not-checked"] == 1


def test_without_the_database_nothing_is_said_of_the_installation() -> None:
    assert list(of_state(None)) == [Sample("state_read_success", (), 0.0)]


def test_incidents_are_counted_by_kind_with_zeros_and_their_times() -> None:
    one = replace(
        state(),
        incidents=[OpenIncidents(kind="rates", severity="high", count=2, since=NOW - 60 * SECOND)],
        times=[IncidentTimes(kind="rates", identify_ms=[2_000.0, 9_000.0], mitigate_ms=None)],
    )
    found = list(of_state(one))
    counts = values(found, "incidents_open")
    assert counts["rates", "high"] == 2
    assert counts["rates", "low"] == counts["ungoverned", "critical"] == 0
    assert values(found, "incident_oldest_open_timestamp_seconds") == {("rates",): NOW / 1000 - 60}
    assert values(found, "incident_time_to_identify_seconds") == {("rates", "50"): 2, ("rates", "95"): 9}
    assert values(found, "incident_time_to_mitigate_seconds") == {}


def test_lanes_are_named_as_they_were_read_and_others_added_up() -> None:
    lane = QueuedMail(tenant="acme", type="reset", class_=Class.URGENT, deliveries=7)
    rest = [
        QueuedMail(tenant="other", type="other", class_=class_, deliveries=n)
        for class_, n in ((Class.URGENT, 1), (Class.MARKETING, 5))
    ]
    mail = replace(
        state(),
        lanes=[lane, *rest],
        waiting={"retry": 3},
        holds=[OpenHolds(owner="person", stops=True, count=2)],
        last_hour=[LastHour(tenant="acme", type="reset", outcomes={"sent": 9, "hard_bounced": 2})],
    )
    found = list(of_state(mail))
    assert values(found, "lane_queued_deliveries") == {("acme", "reset"): 7, ("other", "other"): 6}
    assert values(found, "queued_deliveries") == {
        ("urgent",): 8,
        ("transactional",): 0,
        ("marketing",): 5,
    }
    assert values(found, "waiting_deliveries") == {("retry",): 3}
    assert values(found, "holds_open")["person", "stops"] == 2
    assert values(found, "lane_last_hour_deliveries")["acme", "reset", "hard_bounced"] == 2


def test_webhooks_show_what_waits_and_since_when() -> None:
    waits = [
        WaitingMessages(name="acme-app", waiting=7, oldest=NOW - 90 * SECOND),
        WaitingMessages(name="other", waiting=0, oldest=None),
    ]
    found = list(of_state(replace(state(), webhooks=waits)))
    assert values(found, "webhook_waiting_messages") == {("acme-app",): 7, ("other",): 0}
    assert values(found, "webhook_oldest_waiting_seconds") == {("acme-app",): 90, ("other",): 0}


def test_an_account_without_a_quota_has_an_infinite_one() -> None:
    facts = Facts(now=NOW, accounts=[Account(cell="a", polled_at=NOW, max_24h=-1, sent_24h=4, enabled=False)])
    found = list(of_state(state(facts)))
    assert values(found, "account_quota") == {("a",): float("inf")}
    assert values(found, "account_sending_enabled") == {("a",): 0}


def test_only_metrics_of_lanes_name_tenants() -> None:
    named = {family.name for of in OF_ROLE.values() for family in of if "tenant" in family.labels}
    assert named == {family.name for family in STATE if family.name.startswith("mailcordon_lane_")}
