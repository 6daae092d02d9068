"""What counts as a problem of the service, and what does not."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from mailcordon.control import problem as control_problem
from mailcordon.control import status
from mailcordon.control.retention import Storage, TableSize
from mailcordon.control.status_facts import (
    Account,
    Beat,
    Facts,
    FailingResource,
    HeldMail,
    HeldRetirement,
    OpenFinding,
    OpenLoss,
    OpenStop,
    Overdue,
    RecipientDomains,
    Waiting,
    WaitingPlan,
)
from mailcordon.core.health import OPTIONAL_ROLES, ROLES, Role
from mailcordon.core.priority import Class
from mailcordon.guard.policy.forecast import Forecast

NOW = 1_795_879_380_000  # 28 Nov 2026 15:23 UTC
MINUTE = 60_000


def beat(role: Role, age: int = 1_000, **facts: Any) -> Beat:
    return Beat(
        role=role, instance="a", host="mail-1", pid=7, started=NOW - 10 * MINUTE, beat=NOW - age, facts=facts
    )


def beats(**over: Beat) -> list[Beat]:
    busy = {"dispatch": beat("dispatch", last_claim=NOW - 1_000)}
    return [over.get(role, busy.get(role, beat(role))) for role in ROLES]


def account(**over: Any) -> Account:
    values = {"cell": "default", "polled_at": NOW - 1_000, "max_24h": 50_000, "sent_24h": 10, "enabled": True}
    return Account(**(values | over))


def facts(**over: Any) -> Facts:
    return Facts(**({"now": NOW, "beats": beats(), "accounts": [account()], "storage": storage(14)} | over))


def storage(days: int | None, in_default: int = 0) -> Storage:
    """Partitions that reach so many days ahead."""
    today = date(2026, 11, 28)
    last = None if days is None else today + timedelta(days=days)
    return Storage(
        today=today, tables=(TableSize(table="ledger", bytes=1, last_day=last, in_default=in_default),)
    )


def codes(given: Facts) -> list[str]:
    return [problem.code for problem in status.judge(given).problems]


def stop(**over: Any) -> OpenStop:
    values = {
        "id": 1,
        "scope": "cell",
        "name": "default",
        "tenant": None,
        "type": None,
        "cause": "daily-quota",
        "because": "The account's 24-hour quota is used up",
        "sentence": "Stopped since 28 Nov 2026 15:22 UTC: The account's 24-hour quota is used up",
        "since": NOW - MINUTE,
        "probe_at": None,
        "last_probe": None,
    }
    return OpenStop(**(values | over))


def test_management_events_that_are_not_read_are_a_notice_after_a_minute() -> None:
    def codes(**signals: Any) -> list[str]:
        control = beat("control", signals={"name": "m", **signals})
        return [notice.code for notice in status.judge(facts(beats=beats(control=control))).notices]

    assert codes(last_receive=NOW - 1_000, problem="it is away") == []
    assert codes(last_receive=NOW - 2 * MINUTE, problem=None) == []
    assert codes(last_receive=NOW - 2 * MINUTE, problem="it is away") == ["management-events-unread"]
    assert codes(last_receive=None, problem="it is away") == ["management-events-unread"]
    away = beat("control", signals={"name": "m", "last_receive": None, "problem": "it is away"})
    assert status.judge(facts(beats=beats(control=away))).problems == ()
    assert status.judge(facts()).notices == (), "no queue is set"


def test_a_service_whose_incidents_nobody_is_told_of_says_so():
    def codes(channels: int | None) -> list[str]:
        return [notice.code for notice in status.judge(facts(alert_channels=channels)).notices]

    assert codes(0) == ["no-alert-channel"]
    assert codes(1) == codes(None) == []


def test_a_service_at_rest_is_well_and_says_what_was_checked():
    found = status.judge(facts())
    assert (found.ok, found.problems, found.notices) == (True, (), ())
    assert found.checked == control_problem.CHECKS


def test_an_installation_that_observes_only_does_not_say_that_it_checked_what_ses_has():
    found = status.judge(facts(observe_only=True))
    assert set(control_problem.CHECKS) - set(found.checked) == {
        "account",
        "resources at SES",
        "findings of SES",
    }


def test_what_could_not_be_read_is_a_problem_and_not_called_checked():
    found = status.judge(facts(unread={"stops": "no response in time"}))
    assert not found.ok
    assert "stops" not in found.checked
    [problem] = found.problems
    assert (problem.code, problem.check) == ("not-checked", "stops")
    assert "no response in time" in problem.sentence


@pytest.mark.parametrize("role", ROLES)
def test_a_role_without_a_report_for_ten_seconds_is_silent(role: Role):
    assert codes(facts(beats=beats(**{role: beat(role, 9_000)}))) == []
    assert codes(facts(beats=beats(**{role: beat(role, 11_000)}))) == ["role-silent"]
    # Not every installation takes mail by SMTP.
    never = [] if role in OPTIONAL_ROLES else ["role-silent"]
    assert codes(facts(beats=[one for one in beats() if one.role != role])) == never


def test_one_living_process_is_enough_for_its_role():
    assert codes(facts(beats=[*beats(), beat("dispatch", 50 * MINUTE)])) == []


def test_a_silent_dispatcher_is_said_in_the_words_of_the_delivery():
    [problem] = status.judge(facts(beats=beats(dispatch=beat("dispatch", MINUTE)))).problems
    assert problem.sentence == "No dispatcher has reported since 28 Nov 2026 15:22 UTC, so no mail leaves"
    assert "mailcordon run dispatch" in problem.next


@pytest.mark.parametrize(
    ("class_", "most"),
    [(Class.URGENT, 30_000), (Class.TRANSACTIONAL, 10 * MINUTE), (Class.MARKETING, 360 * MINUTE)],
)
def test_mail_may_wait_as_long_as_its_class_may(class_: Class, most: int):
    def waiting(ms: int) -> Facts:
        return facts(waiting=[Waiting(class_=class_, tenant="acme", type="x", since=NOW - ms)])

    assert codes(waiting(most)) == []
    assert codes(waiting(most + 1)) == ["mail-waits"]
    assert status.judge(waiting(most + 1)).problems[0].whose == "acme"


def test_every_open_stop_is_a_problem_with_its_sentence():
    found = status.judge(
        facts(stops=[stop(), stop(id=2, scope="tenant", cause="tenant-paused", tenant="acme")])
    )
    assert [problem.code for problem in found.problems] == ["stopped-daily-quota", "stopped-tenant-paused"]
    assert found.problems[0].sentence == (
        "Stopped since 28 Nov 2026 15:22 UTC: The account's 24-hour quota is used up"
    )
    assert [problem.whose for problem in found.problems] == [None, "acme"]


def test_a_dispatcher_that_stopped_says_so_unless_a_stop_says_it():
    stopped = beats(dispatch=beat("dispatch", stopped="5 calls in a row had no clear answer"))
    assert codes(facts(beats=stopped)) == ["dispatcher-stopped"]
    same = stop(because="5 calls in a row had no clear answer", cause="outage")
    assert codes(facts(beats=stopped, stops=[same])) == ["stopped-outage"]


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ([], "rate-unknown"),
        ([account(enabled=False)], "account-paused"),
        ([account(max_24h=200, sent_24h=200)], "quota-used-up"),
        ([account(max_24h=200, sent_24h=180)], "quota-reserved"),
        ([account(polled_at=NOW - 6 * MINUTE)], "account-old"),
    ],
)
def test_the_account_is_judged_by_what_ses_said_of_it(given: list[Account], code: str):
    assert codes(facts(accounts=given)) == [code]


def test_when_the_quota_ends_at_this_pace_is_a_notice_and_no_problem():
    found = status.judge(facts(accounts=[account(forecast=Forecast(9_000, NOW + 90 * MINUTE))]))
    assert (found.problems, [one.code for one in found.notices]) == ((), ["quota-ends"])
    assert found.notices[0].sentence.startswith("At this pace (9,000 mails an hour) the quota ends at ")
    for ends_at in (None, NOW):  # it lasts; it has ended, which is a problem of its own
        assert status.judge(facts(accounts=[account(forecast=Forecast(9_000, ends_at))])).notices == ()


def test_an_account_without_a_daily_limit_has_no_quota_to_use_up():
    assert codes(facts(accounts=[account(max_24h=-1, sent_24h=5)])) == []


@pytest.mark.parametrize(
    ("given", "cause"),
    [(account(enabled=False), "account-paused"), (account(max_24h=200, sent_24h=200), "daily-quota")],
)
def test_a_stop_of_the_account_is_said_once(given: Account, cause: str):
    assert codes(facts(accounts=[given], stops=[stop(cause=cause)])) == [f"stopped-{cause}"]


class TestFeedback:
    def sent_in(self, *minutes: int) -> list[Beat]:
        """Calls were accepted so many minutes ago."""
        stamps = [(NOW - minute * MINUTE) // MINUTE for minute in sorted(minutes, reverse=True)]
        return beats(dispatch=beat("dispatch", success_minutes=stamps))

    def test_events_that_do_not_come_are_a_problem(self):
        assert codes(facts(beats=self.sent_in(8))) == ["feedback-silent"]
        assert codes(facts(beats=self.sent_in(8), seen_call=NOW - 20 * MINUTE)) == ["feedback-silent"]

    def test_events_of_the_last_minutes_may_still_come(self):
        assert codes(facts(beats=self.sent_in(0, 1, 4))) == []

    def test_an_event_of_a_later_call_shows_that_feedback_works(self):
        assert codes(facts(beats=self.sent_in(1, 8), seen_call=NOW - 5 * MINUTE)) == []

    def test_a_quiet_hour_is_no_silence(self):
        assert codes(facts(seen_call=NOW - 50 * MINUTE)) == []

    def test_calls_of_a_dispatcher_that_has_died_count(self):
        dead = beat("dispatch", 9 * MINUTE, success_minutes=[(NOW - 8 * MINUTE) // MINUTE])
        assert codes(facts(beats=[*beats(), dead])) == ["feedback-silent"]

    def test_a_loss_is_a_problem_with_what_to_do_and_is_said_once(self):
        lost = OpenLoss(signal="send", sentence="Feedback lost", cause="topic-policy", late=False, since=NOW)
        late = replace(lost, sentence="Feedback late", cause="backlog", late=True)
        found = status.judge(facts(beats=self.sent_in(8), losses=[lost, late])).problems
        assert [(one.code, one.sentence) for one in found] == [
            ("feedback-lost", "Feedback lost"),
            ("feedback-late", "Feedback late"),
        ]
        assert "Repair the topic" in found[0].next
        bounces = replace(lost, signal="bounce")
        assert codes(facts(beats=self.sent_in(8), losses=[bounces])) == ["feedback-lost", "feedback-silent"]

    def test_a_queue_that_is_not_read_for_a_minute_is_a_problem(self):
        def reading(age: int) -> list[Beat]:
            queue = {"name": "outcome", "last_receive": NOW - age, "problem": "no response within 30 s"}
            return beats(observe=beat("observe", queues=[queue]))

        assert codes(facts(beats=reading(50_000))) == []
        [problem] = status.judge(facts(beats=reading(70_000))).problems
        assert problem.code == "queue-silent"
        assert "no response within 30 s" in problem.sentence


def test_counts_that_nobody_folds_are_a_problem_of_whoever_runs():
    assert codes(facts(folded_at=NOW - 14_000)) == []
    [problem] = status.judge(facts(folded_at=NOW - 42_000)).problems
    assert problem.code == "counts-behind"
    assert "42 seconds" in problem.sentence


def test_a_certificate_that_cannot_be_fetched_is_a_problem_at_once():
    queue = {"name": "outcome", "last_receive": NOW - 1_000, "uncertain": "HTTP 503", "problem": "HTTP 503"}
    [problem] = status.judge(facts(beats=beats(observe=beat("observe", queues=[queue])))).problems
    assert problem.code == "events-uncertain"
    assert "HTTP 503" in problem.sentence
    assert "MAILCORDON_EVENT_PROOF" in problem.next


def test_messages_that_wait_for_their_certificate_are_a_problem_while_others_are_read():
    queue = {"name": "outcome", "last_receive": NOW - 1_000, "left": "HTTP 404"}
    [problem] = status.judge(facts(beats=beats(observe=beat("observe", queues=[queue])))).problems
    assert problem.code == "events-uncertain"
    assert problem.sentence == "Some messages wait in the queue outcome, and others are read: HTTP 404"


def test_messages_that_nothing_proves_and_topics_that_sign_with_sha_1_are_notices():
    topic = "arn:aws:sns:us-east-1:123456789012:outcome"
    queue = {"name": "outcome", "last_receive": NOW - 1_000, "unverified": 3}
    found = status.judge(
        facts(beats=beats(observe=beat("observe", queues=[queue], version_1_topics=[topic])))
    )
    assert found.problems == ()
    assert [notice.code for notice in found.notices] == ["events-unverified", "topic-signs-with-sha-1"]
    assert "3" in found.notices[0].sentence
    assert topic in found.notices[1].next


def test_unknown_outcomes_past_their_time_are_a_problem():
    assert codes(facts(overdue=Overdue(3, NOW - 20 * MINUTE))) == ["unknown-overdue"]


def test_results_that_the_database_rejects_are_a_problem():
    assert codes(facts(beats=beats(dispatch=beat("dispatch", rejected=0)))) == []
    assert codes(facts(beats=beats(dispatch=beat("dispatch", rejected=2)))) == ["results-rejected"]


def test_mail_that_is_set_aside_is_a_problem():
    assert codes(facts(set_aside=1)) == ["set-aside"]


def test_failing_resources_are_named_and_many_are_counted():
    failing = [FailingResource(kind="tenant", name=f"mc-{n}", tenant="acme", error="no") for n in range(12)]
    found = status.judge(facts(failing=failing))
    assert len(found.problems) == status.MOST_OF_A_KIND + 1
    assert found.problems[-1].sentence == "2 more of resource-failing"


def test_a_difference_at_ses_is_a_problem_until_it_is_over():
    found = OpenFinding(id=7, tenant="acme", sentence="zen can send as mail.acme.example.", plan=31, since=1)
    (problem,) = status.judge(facts(findings=[found])).problems
    assert (problem.code, problem.whose) == ("drift", "acme")
    assert "mailcordon apply 31" in problem.next


def test_changed_settings_that_wait_for_a_person_are_a_problem_with_what_to_do():
    (problem,) = status.judge(facts(plans=[WaitingPlan(id=12, calls=8, since=1)])).problems
    assert (problem.code, problem.check) == ("plan-waits", "resources at SES")
    assert "mailcordon apply 12" in problem.next


@pytest.mark.parametrize(
    ("days", "found"), [(3, []), (2, ["partitions-few"]), (None, ["partitions-missing"])]
)
def test_partitions_must_reach_three_days_ahead(days: int | None, found: list[str]):
    assert codes(facts(storage=storage(days))) == found


def test_rows_in_a_default_partition_are_a_problem():
    assert codes(facts(storage=storage(14, in_default=12))) == ["default-partition"]


def test_a_snapshot_older_than_a_minute_is_a_problem():
    assert codes(facts(snapshot_seconds=60.9)) == []
    assert codes(facts(snapshot_seconds=61)) == ["snapshot-old"]


@pytest.mark.parametrize(("skew", "found"), [(4_000, []), (-600_000, ["clock-skew"]), (None, [])])
def test_a_host_whose_clock_differs_from_the_databases_is_a_problem(skew: int | None, found: list[str]):
    assert codes(facts(beats=beats(api=beat("api", skew_ms=skew)))) == found


def test_a_hold_is_a_notice_and_all_is_well():
    held = HeldMail(tenant="acme", mail="all mail of acme", sentence="Held by Ana since 15:23: x", since=NOW)
    found = status.judge(facts(holds=[held]))
    assert found.ok
    [notice] = found.notices
    assert notice.sentence == "all mail of acme: Held by Ana since 15:23: x"
    assert notice.next == "It ends when it is lifted; `mailcordon uncordon acme` lifts it now"


def test_a_retired_lane_that_is_held_is_a_notice_with_what_ends_it():
    found = status.judge(facts(retirements=[HeldRetirement(tenant="acme", type="newsletter", since=NOW)]))
    assert found.ok
    [notice] = found.notices
    assert (notice.code, notice.whose) == ("retirement-held", "acme")
    assert "mailcordon cancel acme --type newsletter" in notice.next


def test_what_was_sent_as_snss_and_not_believed_is_a_notice_for_ten_minutes():
    def refused(age: int) -> Facts:
        doors = {"refused": {"foreign-topic": 2}, "last_refusal": NOW - age, "taken": {}, "last_event": None}
        return facts(beats=[*beats(api=beat("api", event_doors=doors)), beat("api", event_doors=doors)])

    found = status.judge(refused(MINUTE))
    assert [notice.code for notice in found.notices] == ["pushed-events-refused"]
    assert "refused 4 messages that were sent as SNS's (foreign-topic 4)" in found.notices[0].sentence
    assert status.judge(refused(11 * MINUTE)).notices == ()


def test_what_the_doors_refused_in_the_last_ten_minutes_is_a_notice_that_adds_up_all_processes():
    def refused(age: int) -> Facts:
        one = beat("api", door={"refused": {"head-time": 2, "body-time": 1}, "last_refusal": NOW - age})
        other = beat("api", door={"refused": {"body-time": 4}, "last_refusal": None})
        return facts(beats=[*beats(api=one), other])

    found = status.judge(refused(MINUTE))
    assert found.refused == {"body-time": 5, "head-time": 2}
    assert [notice.code for notice in found.notices] == ["door-refused"]
    assert (
        "7 requests and connections by their limits (body-time 5, head-time 2)" in found.notices[0].sentence
    )
    found = status.judge(refused(11 * MINUTE))
    assert (found.notices, found.refused["head-time"]) == ((), 2)


def test_a_clock_that_was_set_back_is_a_notice_for_ten_minutes():
    def corrected(age: int) -> Facts:
        one = beat("dispatch", clock_corrections=2, last_clock_correction=NOW - age)
        return facts(beats=beats(dispatch=one))

    assert [notice.code for notice in status.judge(corrected(MINUTE)).notices] == ["clock-corrected"]
    assert status.judge(corrected(11 * MINUTE)).notices == ()


def test_the_period_in_which_a_change_at_ses_is_found_is_stated() -> None:
    calls = {"scan": {"period_seconds": 39_600, "shared_seconds": 60}}
    said = status.judge(facts(beats=beats(control=beat("control", calls=calls)))).scan
    assert said is not None
    assert "within 11 h" in said
    assert "only this scan finds changes" in said
    with_events = status.judge(
        facts(beats=beats(control=beat("control", calls=calls, signals={"read": 1})))
    ).scan
    assert with_events is not None
    assert "in seconds" in with_events
    assert status.judge(facts()).scan is None


@pytest.mark.parametrize(
    ("over", "expected"),
    [
        ({}, []),
        ({"waiting": 3, "waiting_since": NOW - 9 * MINUTE}, []),
        ({"waiting": 3, "waiting_since": NOW - 11 * MINUTE}, ["recipients-not-looked-up"]),
        ({"failed": 19, "answered": 0}, []),
        ({"failed": 20, "answered": 30}, []),
        ({"failed": 20, "answered": 3}, ["recipients-dns-fails"]),
    ],
)
def test_look_ups_of_recipients_that_wait_or_fail_are_a_problem(
    over: dict[str, Any], expected: list[str]
) -> None:
    found = {"waiting": 0, "waiting_since": None, "failed": 0, "answered": 0, "detail": None} | over
    assert codes(facts(recipients=RecipientDomains(**found))) == expected


def test_alarms_that_nobody_reads_are_a_problem_and_one_reader_is_enough() -> None:
    def of(control: int | None, api: int | None) -> list[str]:
        read = {
            "control": beat("control", last_alarm_round=control),
            "api": beat("api", last_alarm_round=api),
        }
        return codes(facts(beats=beats(**read)))

    assert of(NOW - 2_000, None) == []
    assert of(None, NOW - 2_000) == []
    assert of(NOW - 2 * MINUTE, None) == ["alarms-unread"]
    assert of(None, None) == ["alarms-unread"]
