"""Problems of the status as alarms: one judgement, with a kind, a cause, a culprit and patience."""

import ast
import inspect
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from mailcordon.control import alarms, pool_health, status, status_checks, status_events
from mailcordon.control.alarms import KINDS, Alarms, Others, Patience
from mailcordon.control.retention import Storage
from mailcordon.control.status_facts import (
    Account,
    BackRollout,
    Beat,
    Doubtful,
    Facts,
    FailingResource,
    FullLane,
    LapsedDomain,
    LateOverLimit,
    OpenFinding,
    OpenHold,
    OpenLoss,
    OpenStop,
    SesFinding,
    StoppedRelease,
    Waiting,
    WaitingPlan,
)
from mailcordon.core.feedback import Cause
from mailcordon.core.health import ROLES
from mailcordon.core.incident import Alarm, Kind, ScopeKind
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason

NOW = 1_795_879_380_000  # 28 Nov 2026 15:23 UTC
MINUTE = 60_000
AT_ONCE = Patience(silent=0, absent=0, repair=0, account=0, again=0)


def beat(role: Any, age: int = 1_000, **told: Any) -> Beat:
    return Beat(
        role=role, instance="a", host="mail-1", pid=7, started=NOW - 60 * MINUTE, beat=NOW - age, facts=told
    )


def facts(**over: Any) -> Facts:
    busy = {"dispatch": {"last_claim": NOW - 1_000}}
    known: dict[str, Any] = {
        "now": NOW,
        "beats": [beat(role, **busy.get(role, {})) for role in ROLES],
        "accounts": [Account(cell="default", polled_at=NOW, max_24h=-1, sent_24h=0, enabled=True)],
    }
    return Facts(**known | over)


def found(given: Facts, **others: Any) -> list[Alarm]:
    """Without those of a storage that was not read."""
    made = Alarms(AT_ONCE).of(given, Others(tenants={"acme": 1, "zen": 2}, **others))
    return [one for one in made if one.cause != "database:partitions"]


def stop(**over: Any) -> OpenStop:
    values: dict[str, Any] = {
        "id": 1,
        "scope": "cell",
        "name": "default",
        "tenant": None,
        "type": None,
        "cause": Reason.ACCOUNT_PAUSED,
        "because": "Sending is paused",
        "sentence": "Stopped; tested next at 15:23:30",
        "record": "Stopped",
        "since": NOW - MINUTE,
        "probe_at": None,
        "last_probe": None,
    }
    return OpenStop(**(values | over))


def late(n: int = 1, **over: Any) -> Waiting:
    values: dict[str, Any] = {
        "class_": Class.URGENT,
        "tenant": "acme",
        "type": f"reset-{n}",
        "since": NOW - 2 * MINUTE,
        "lane": n,
        "domain": "mail.acme.example",
        "configuration_set": "mc-urgent",
        "ses_tenant": "mc-1",
    }
    return Waiting(**(values | over))


def loss(cause: str, **over: Any) -> OpenLoss:
    values: dict[str, Any] = {
        "id": 4,
        "signal": "send",
        "sentence": "Feedback lost",
        "cause": cause,
        "because": f"it is {cause}",
        "late": False,
        "since": NOW - 3 * MINUTE,
        "configuration_set": "mc-urgent",
    }
    return OpenLoss(**(values | over))


# One judgement -----------------------------------------------------------------------------------------------------------------


def written_codes() -> set[str]:
    """Every code that a check writes."""
    written: set[str] = set()
    for module in (status_checks, status_events, status, pool_health):
        tree = ast.parse(Path(inspect.getfile(module)).read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg == "code":
                written |= {
                    leaf.value
                    for leaf in ast.walk(node.value)
                    if isinstance(leaf, ast.Constant) and isinstance(leaf.value, str)
                }
    return written


def test_every_code_of_the_status_has_a_kind_and_a_severity() -> None:
    known = {code for code in KINDS if code != "stopped-*"} - {"quota-used-up", "quota-reserved"}
    # An incident that other sources opened is no alarm once more.
    assert written_codes() - {"stopped-", "incident-open", "alarms-unread"} == known


def test_every_kind_that_this_source_owns_is_used_and_those_of_others_are_not() -> None:
    assert {kind for kind, _ in KINDS.values()} == set(Kind) - {Kind.UNGOVERNED, Kind.BREAKER, Kind.OBJECTIVE}


def stopped(**over: Any) -> StoppedRelease:
    known: dict[str, Any] = {
        "id": 1,
        "tenant": "acme",
        "type": "newsletter",
        "lane": 12,
        "kind": "list",
        "name": "bought",
        "closed": True,
        "because": "List bought has stopped: 31 hard bounces.",
        "sent": 1500,
        "heard": 100,
        "expiry_ms": 72 * 60 * MINUTE,
        "since": NOW - MINUTE,
    }
    return StoppedRelease(**known | over)


def test_a_closed_release_joins_the_incident_of_its_list_and_one_without_feedback_that_of_the_feedback() -> (
    None
):
    closed, silent = found(
        facts(stopped_releases=[stopped(), stopped(id=2, closed=False, kind="lane", name="")])
    )
    assert (closed.cause, closed.scope.name, closed.contained) == ("lane:12/list:bought", "bought", True)
    assert closed.culprit == "list bought of acme/newsletter"
    assert (silent.cause, silent.contained, silent.explained_by) == ("lane:12/rates", False, ("feedback",))


def went_back(**over: Any) -> BackRollout:
    known: dict[str, Any] = {
        "id": 5,
        "tenant": "acme",
        "types": ["newsletter", "digest"],
        "lanes": [12, 13],
        "at_fault": None,
        "provider": None,
        "domains": ["news.acme.example"],
        "configuration_sets": ["mc-marketing"],
        "sentence": "Back from 5 percent: of 310 mails, 64 were delayed.",
        "moving": False,
        "since": NOW - MINUTE,
    }
    return BackRollout(**known | over)


def test_a_rollout_that_went_back_names_its_new_path_and_is_contained_once_its_mail_is_back() -> None:
    [whole] = found(facts(back_rollouts=[went_back(moving=True)]))
    assert (whole.kind, whole.cause, whole.tenant, whole.lane) == (Kind.ROLLOUT, "rollout:5", 1, None)
    assert whole.sentence.startswith(
        "Rollout 5 of acme (newsletter, digest) went back by itself. Back from 5"
    )
    assert (whole.command, whole.contained) == ("mailcordon rollout status 5", False)
    assert "mailcordon rollout advance 5" in whole.next
    [one] = found(facts(back_rollouts=[went_back(at_fault=13, provider="gmail")]))
    assert (one.lane, one.scope.name, one.contained) == (13, "acme/digest", True)
    assert one.culprit == "the own path of acme/digest (from news.acme.example), with mail to gmail"
    assert one.explained_by == ("identity:news.acme.example", "set:mc-marketing")


EVERYTHING = facts(
    beats=[
        beat("dispatch", 20_000),
        beat(
            "api",
            skew_ms=60_000,
        ),
        beat("control", advice_problem=None),
        beat("observe", queues=[{"name": "outcome", "last_receive": NOW - 5 * MINUTE, "waiting": 90_000}]),
    ],
    late=[late()],
    stopped_releases=[stopped(), stopped(id=2, closed=False, kind="lane", name="")],
    back_rollouts=[went_back()],
    over_limits=[
        LateOverLimit(
            limit=9,
            tenant="acme",
            type="login",
            lane=5,
            because="a new lane",
            expiry_ms=900_000,
            since=NOW - 3,
        )
    ],
    stops=[stop(), stop(id=2, scope="worker", name="3", cause=Reason.CREDENTIALS)],
    losses=[loss("destination-disabled")],
    set_aside=3,
    failing=[FailingResource(kind="identity", name="mail.acme.example", tenant="acme", error="no")],
    plans=[WaitingPlan(id=3, calls=8, since=NOW)],
    findings=[OpenFinding(id=7, tenant="acme", sentence="Off.", plan=None, since=NOW - MINUTE)],
    ses_findings=[
        SesFinding(
            id=1, tenant="acme", name="mc-1", type="IP_LISTING", impact="HIGH", description="", since=NOW - 5
        )
    ],
    doubtful=[Doubtful(why="double", tenant="acme", source="q", documents=2, detail="", since=NOW - 9)],
    full=[FullLane(lane=4, tenant="acme", type="x", sentence="Full", refused=2, since=NOW - 4)],
    lapsed=[LapsedDomain(domain="mail.acme.example", tenant="acme", sentence="No DKIM", since=NOW - 7)],
    folded_at=NOW - 10 * MINUTE,
    snapshot_seconds=300,
    storage=None,
)


def test_every_problem_is_an_alarm_with_the_sentence_that_the_status_shows() -> None:
    judged = status.judge(EVERYTHING)
    shown = {one.sentence for one in judged.problems}
    shown |= {one.sentence for one in judged.notices if one.about is not None}
    made = Alarms(AT_ONCE).of(EVERYTHING, Others())
    told = {one.sentence for one in made}
    assert told - shown == {"Stopped"}, "a stop's sentence without the time of its next test"
    assert shown - told == {"Stopped; tested next at 15:23:30"}
    assert {one.kind for one in made} == set(Kind) - {Kind.UNGOVERNED, Kind.BREAKER, Kind.OBJECTIVE}
    assert all(one.since <= NOW and one.next for one in made)


def test_a_service_at_rest_has_no_alarm() -> None:
    assert found(facts()) == []
    at_rest = Storage(today=date(2026, 11, 28), tables=())
    assert status.judge(facts(storage=at_rest)).problems != (), "without partitions it is not at rest"


def test_what_could_not_be_read_keeps_its_alarms_and_is_an_alarm_itself() -> None:
    given = facts(stops=[stop()])
    made = found(given, unread={"stops": (NOW - MINUTE, "no response in time")})
    assert [one.cause for one in made] == ["cell:default/account-paused", "database:reads"]
    assert "no response in time" in made[1].sentence


# Causes ------------------------------------------------------------------------------------------------------------------------


def test_lost_feedback_of_a_set_and_the_difference_at_ses_have_one_cause() -> None:
    drift = OpenFinding(
        id=7,
        tenant=None,
        sentence="Destination outcome of mc-urgent is disabled.",
        plan=None,
        since=NOW - MINUTE,
        severity="critical",
        resource_kind="event-destination",
        resource="mc-urgent/outcome",
        by="role deploy (203.0.113.7)",
    )
    lost, differs = found(facts(losses=[loss("destination-disabled")], findings=[drift]))
    assert lost.cause == differs.cause == "set:mc-urgent"
    assert (lost.kind, differs.kind) == (Kind.FEEDBACK_LOST, Kind.DRIFT)
    assert lost.culprit == "it is destination-disabled"
    assert differs.culprit == "role deploy (203.0.113.7), who changed event-destination mc-urgent/outcome"
    assert differs.severity == "critical"
    assert differs.command == "mailcordon drift show 7"


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (Cause.DESTINATION_MISSING, "set:mc-urgent"),
        (Cause.TOPIC_POLICY, "feedback:topic-policy"),
        (Cause.OBSERVER_STOPPED, "role:observe"),
        (Cause.BACKLOG, "feedback:backlog"),
        (Cause.UNKNOWN, "set:mc-urgent"),
        ("a cause that this version does not know", "set:mc-urgent"),
    ],
)
def test_the_cause_of_lost_feedback_names_what_is_dead(cause: str, expected: str) -> None:
    [made] = found(facts(losses=[loss(cause)]))
    assert made.cause == expected
    assert (made.culprit is None) == (expected == "set:mc-urgent" and cause != Cause.DESTINATION_MISSING)


def test_a_silent_provider_is_the_cause_and_the_scope() -> None:
    [made] = found(
        facts(losses=[loss("provider-silent", configuration_set=None, provider="yahoo", signal="complaint")])
    )
    assert (made.cause, made.scope.kind, made.scope.name) == ("provider:yahoo", ScopeKind.PROVIDER, "yahoo")


def test_events_that_wait_belong_to_the_queue_that_grows() -> None:
    observer = beat(
        "observe", queues=[{"name": "outcome", "last_receive": NOW, "waiting": 90_000, "live": True}]
    )
    beats = [one for one in facts().beats if one.role != "observe"]
    late_events, grows = found(facts(beats=[*beats, observer], losses=[loss("backlog", late=True)]))
    assert late_events.explained_by == (grows.cause,)
    assert grows.kind is Kind.BACKLOG


def test_a_lane_whose_mail_waits_is_the_culprit_unless_a_stop_covers_it() -> None:
    [alone] = found(facts(late=[late()]))
    assert (alone.cause, alone.lane, alone.tenant) == ("lane:1", 1, 1)
    assert alone.culprit == "the lane reset-1 of acme"
    assert alone.explained_by == ()
    for over in (
        {"scope": "set", "name": "mc-urgent"},
        {"scope": "identity", "name": "mail.acme.example"},
        {"scope": "tenant", "name": "mc-1", "tenant": "acme"},
        {"scope": "cell", "name": "default"},
    ):
        waits, stopped = sorted(
            found(facts(late=[late()], stops=[stop(**over)])), key=lambda one: str(one.kind), reverse=True
        )
        assert waits.explained_by == (stopped.cause,)
    other = found(facts(late=[late()], stops=[stop(scope="set", name="mc-marketing")]))
    assert [one.explained_by for one in other if one.kind is Kind.STUCK] == [()]


def test_a_stop_that_ended_lately_and_a_dispatcher_that_was_silent_explain_what_still_waits() -> None:
    [waits] = found(facts(late=[late()], past_stops=[stop()]))
    assert waits.explained_by == ("cell:default/account-paused",)
    assert waits.culprit == "the lane reset-1 of acme", (
        "if that incident is over, this one has a culprit all the same"
    )
    [waits] = found(facts(late=[late()], was_silent=True))
    assert waits.explained_by == ("role:dispatch",)


def test_mail_of_many_lanes_that_waits_has_one_cause_that_is_no_lane() -> None:
    few = found(facts(late=[late(n) for n in range(status_checks.MANY_LANES - 1)]))
    assert all(one.cause.startswith("lane:") and not one.explained_by for one in few)
    many, *lanes = found(facts(late=[late(n) for n in range(status_checks.MANY_LANES)]))
    assert many.cause == "lanes:slow"
    assert {one.explained_by for one in lanes} == {("lanes:slow",)}


def test_dispatchers_that_report_and_take_no_mail_stand_still() -> None:
    def idle(**told: Any) -> list[str]:
        beats = [one for one in facts().beats if one.role != "dispatch"]
        made = found(facts(beats=[*beats, beat("dispatch", **told)], late=[late(since=NOW - 5 * MINUTE)]))
        return [one.cause for one in made if "taken no mail" in one.sentence]

    assert idle(last_claim=NOW - 2 * MINUTE) == ["role:dispatch"]
    assert idle(last_claim=NOW - 1_000) == []
    assert idle(last_claim=NOW - 2 * MINUTE, stopped="SES is away") == []
    assert idle(last_claim=NOW - 2 * MINUTE, because="the account's rate is not known") == []


def test_a_held_tenant_or_domain_is_contained_and_tells_which_hold() -> None:
    hold = OpenHold(id=12, tenant="acme", by="Ana", sentence="Held by Ana", since=NOW - 5)
    lapse = LapsedDomain(domain="d.example", tenant="acme", sentence="x", since=NOW, held=True)
    [made] = found(facts(lapsed=[lapse]), holds=[hold, replace(hold, id=13, tenant="zen")])
    assert made.contained
    assert [(one.key, one.author) for one in made.actions] == [("hold:12", "Ana")]
    [made] = found(facts(lapsed=[replace(lapse, held=False)]))
    assert (made.contained, made.actions) == (False, ())


@pytest.mark.parametrize(
    ("type", "words"),
    [
        ("FEEDBACK_3P", "mailbox providers report bad mail (third-party complaints"),
        ("IP_LISTING", "is on a blocklist"),
        ("BOUNCE", "too much of the mail bounces"),
        ("COMPLAINT", "too many recipients complain"),
        ("SOMETHING_NEW", "something is wrong"),
    ],
)
def test_a_finding_of_ses_is_told_in_plain_words_with_its_tenant(type: str, words: str) -> None:
    finding = SesFinding(
        id=1, tenant="acme", name="mc-1", type=type, impact="HIGH", description="SES's words.", since=NOW
    )
    [made] = found(facts(ses_findings=[finding]))
    assert (made.cause, made.tenant, made.severity) == ("tenant:acme", 1, "high")
    assert words in made.sentence
    assert type in made.sentence
    assert made.sentence.endswith(": SES's words")
    assert made.culprit is not None
    assert made.culprit.startswith("acme: ")
    [of_others] = found(facts(ses_findings=[replace(finding, tenant=None, name="theirs.example")]))
    assert (of_others.cause, of_others.tenant) == ("ses:theirs.example", None)


# Patience and wording ----------------------------------------------------------------------------------------------------------


def test_a_silent_role_is_an_alarm_after_its_patience_and_a_missing_one_later() -> None:
    def after(ms: int, beats: list[Beat]) -> list[str]:
        one = Alarms(Patience(silent=10_000, absent=60_000))
        one.of(facts(beats=beats), Others())
        moved = [replace(each, beat=each.beat + ms) for each in beats if not each.is_silent(NOW)]
        stays = [each for each in beats if each.is_silent(NOW)]
        made = one.of(facts(now=NOW + ms, beats=[*moved, *stays]), Others())
        return [each.cause for each in made if each.kind is Kind.SERVICE and "role:" in each.cause]

    others = [each for each in facts().beats if each.role != "observe"]
    assert after(9_000, [*others, beat("observe", 11_000)]) == []
    assert after(10_000, [*others, beat("observe", 11_000)]) == ["role:observe"]
    assert after(59_000, others) == []
    assert after(60_000, others) == ["role:observe"]


def test_a_problem_that_comes_back_soon_needs_no_new_patience() -> None:
    finding = OpenFinding(id=7, tenant="acme", sentence="Off.", plan=None, since=NOW)
    one = Alarms(Patience(repair=15_000))

    def at(ms: int, *findings: OpenFinding) -> int:
        beats = [replace(each, beat=NOW + ms) for each in facts().beats]
        accounts = [replace(each, polled_at=NOW + ms) for each in facts().accounts]
        made = one.of(facts(now=NOW + ms, beats=beats, accounts=accounts, findings=findings), Others())
        return len([each for each in made if each.kind is Kind.DRIFT])

    assert at(0, finding) == 0
    assert at(16_000, finding) == 1
    assert at(20_000) == 0
    assert at(30_000, finding) == 1
    assert at(30_000 + alarms.FORGET_MS + 1, finding) == 0


def test_the_since_of_an_alarm_stays_when_its_problem_does_not_know_it() -> None:
    one = Alarms(AT_ONCE)
    aside = facts(set_aside=3)
    [first] = [each for each in one.of(aside, Others()) if each.cause == "mail:set-aside"]
    [later] = [
        each
        for each in one.of(replace(aside, now=NOW + 10 * MINUTE - 1, set_aside=4), Others())
        if each.cause == "mail:set-aside"
    ]
    assert (first.since, later.since) == (NOW, NOW)
