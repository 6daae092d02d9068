"""The view of a delivery follows from its rows, and each state that follows from time has a reason."""

from dataclasses import replace
from typing import Any

import pytest

from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.event import Kind
from mailcordon.core.health import Outflow
from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.core.target import Target
from mailcordon.messages import reasons, times
from mailcordon.send import view
from mailcordon.send.view import (
    Behind,
    DeliveryRow,
    DeliveryView,
    MessageRecords,
    MessageRow,
    PastHold,
    PastStop,
    TimelineEntry,
)

NOW = 1_790_000_000_000
MINUTE = 60_000
HOLD = Hold(id=1, target=Target(tenant=1), owner="person", because="bad list", by="kim", since=NOW - MINUTE)
HELD = "Held by kim since 21 Sep 2026 14:12 UTC: bad list [hold 1]"
QUOTA = "Stopped since 21 Sep 2026 14:13 UTC: The account's 24-hour quota is used up"
WELL = Outflow(now=NOW, dispatch_beat=NOW, account_known=True)
ID = ids.IdGenerator(1).next(NOW)
EXPIRY = 900_000
SILENCE = 4_500_000


def row(source: str, state: State, *, index: int = 1, **over) -> DeliveryRow:
    return DeliveryRow(
        **{
            "source": source,
            "id": ID + index,
            "state": state,
            "attempt": 0,
            "provider": 1,
            "ses_id": None,
            "called_at": None,
            "at": None,
            "reason": None,
            "detail": None,
            "lane_held": False,
            **over,
        }
    )


def read(
    *rows: DeliveryRow, after: int = 0, hold: Hold | None = None, history=None, **over: Any
) -> tuple[DeliveryView, ...]:
    records = MessageRecords(
        message=MessageRow(
            id=ID,
            tenant=1,
            tenant_slug="acme",
            lane=7,
            type="receipt",
            from_address="hello@acme.example",
            recipients=["kim@example.com", "lee@example.com"],
            campaign="spring",
            list=None,
        ),
        rows=rows,
        history=history or {},
        class_=Class.TRANSACTIONAL,
        holds=[] if hold is None else [PastHold(hold=hold)],
        stops=[],
        outflow=WELL,
        expiry_ms=EXPIRY,
        silence_ms=SILENCE,
        now=NOW + after,
    )
    return view.deliveries(replace(records, **over))


def kim(*rows: DeliveryRow, **over: Any) -> DeliveryView:
    return read(*rows, **over)[0]


def lifted(hold: Hold, at: int) -> PastHold:
    return PastHold(hold=hold, lifted_at=at, lifted_by="Ana", lifted_because="fixed")


def story(one: DeliveryView) -> list[tuple[str, int]]:
    """What its timeline says, in milliseconds after the acceptance."""
    return [(entry.what, entry.at - NOW) for entry in one.timeline]


def test_each_recipient_has_its_own_view():
    one, other = read(
        row("ready", State.READY), row("ledger", State.REFUSED, index=2, reason="suppressed", at=NOW)
    )
    assert (one.to, one.state) == ("kim@example.com", State.READY)
    assert (other.to, other.state, other.reason) == ("lee@example.com", State.REFUSED, "suppressed")
    assert (one.id, other.id) == (ID + 1, ID + 2)


@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([row("ready", State.READY)], State.READY),
        ([row("ready", State.SENDING, attempt=1, called_at=NOW)], State.SENDING),
        ([row("waiting", State.WAITING, at=NOW)], State.WAITING),
        ([row("waiting", State.UNKNOWN, at=NOW)], State.UNKNOWN),
        ([row("ledger", State.SENT, at=NOW)], State.SENT),
        ([row("ledger", State.SENT, at=NOW), row("outcome", State.BOUNCED, at=NOW)], State.BOUNCED),
        ([row("ready", State.SENDING), row("outcome", State.DELIVERED, at=NOW)], State.DELIVERED),
        (
            [row("ledger", State.GIVEN_UP, at=NOW), row("outcome", State.DELIVERED, at=NOW)],
            State.DELIVERED,
        ),
        ([row("ledger", State.EXPIRED, at=NOW)], State.EXPIRED),
    ],
)
def test_the_state_is_the_fold_of_all_rows(rows, state):
    assert kim(*rows).state is state


def test_the_reason_shown_is_that_of_the_record_that_decided():
    one = kim(
        row("ledger", State.SENT, at=NOW, reason="sent", ses_id="ses-1"),
        row("outcome", State.BOUNCED, at=NOW + 5_000, reason="Permanent/General", detail="550 no such user"),
    )
    assert (one.reason, one.detail, one.since, one.ses_id) == (
        "Permanent/General", "550 no such user", NOW + 5_000, "ses-1",
    )  # fmt: skip


def test_mail_in_a_held_lane_is_held_and_says_by_whom():
    one = kim(
        row("ready", State.READY, lane_held=True),
        hold=HOLD,
    )
    assert (one.state, one.reason, one.detail) == (
        State.HELD,
        "held",
        HELD,
    )


def test_mail_deferred_by_a_narrow_hold_names_it():
    one = kim(
        row(
            "waiting",
            State.HELD,
            at=NOW,
            reason="held",
            detail=HELD,
        )
    )
    assert (one.state, one.detail) == (
        State.HELD,
        HELD,
    )


def test_mail_on_the_wire_or_sent_is_not_shown_as_held():
    assert kim(row("ready", State.SENDING, lane_held=True)).state is State.SENDING
    assert kim(row("ledger", State.SENT, at=NOW, lane_held=True)).state is State.SENT


def test_mail_past_its_expiry_is_shown_as_expired_before_its_row_changes():
    ready = row("ready", State.READY, lane_held=True)
    assert kim(ready, after=EXPIRY).state is State.HELD
    one = kim(ready, after=EXPIRY + 1, hold=HOLD)
    assert (one.state, one.reason) == (State.EXPIRED, "expired")
    assert one.since == NOW + EXPIRY


def test_mail_on_the_wire_is_never_shown_as_expired():
    assert kim(row("ready", State.SENDING, called_at=NOW), after=EXPIRY * 2).state is State.SENDING


@pytest.mark.parametrize(
    "outcome",
    [[], [row("outcome", State.SENT, at=NOW)], [row("outcome", State.DELAYED, at=NOW)]],
    ids=["none", "send", "delay"],
)
def test_without_an_event_in_ses_time_limit_the_state_is_no_outcome(outcome):
    rows = [row("ledger", State.SENT, at=NOW, reason="sent", detail="SES accepted the mail"), *outcome]
    assert kim(*rows, after=SILENCE).state in (State.SENT, State.DELAYED)
    one = kim(*rows, after=SILENCE + 1)
    assert (one.state, one.reason) == (State.NO_OUTCOME, "no-outcome")
    assert "reported no final outcome" in (one.detail or "")
    assert one.since == NOW + SILENCE


def test_a_final_outcome_stays_whatever_its_age():
    rows = [row("ledger", State.SENT, at=NOW), row("outcome", State.DELIVERED, at=NOW)]
    assert kim(*rows, after=SILENCE * 100).state is State.DELIVERED


def test_an_unknown_that_expired_keeps_the_reason_that_was_recorded():
    ended = row("ledger", State.NO_OUTCOME, at=NOW, reason="no-outcome", detail="neither event nor proof")
    assert kim(ended, after=SILENCE * 2).detail == "neither event nor proof"


def test_a_delivery_without_any_row_is_shown_as_ready():
    assert kim().state is State.READY


def test_the_timeline_is_in_order_and_begins_with_the_acceptance():
    one = kim(
        row(
            "ledger",
            State.SENT,
            attempt=2,
            called_at=NOW + 4_000,
            at=NOW + 4_100,
            detail="SES accepted the mail",
        ),
        row("outcome", State.DELIVERED, attempt=2, at=NOW + 9_000),
        history={
            ID + 1: [
                TimelineEntry(at=NOW + 9_000, what="SES: delivery", detail=""),
                TimelineEntry(at=NOW + 1_000, what="retry", detail="association"),
            ],
            ID + 2: [TimelineEntry(at=NOW + 2_000, what="retry", detail="another's")],
        },
    )
    assert [m.what for m in one.timeline] == ["accepted", "retry", "called", "sent", "SES: delivery"]
    assert one.attempts == 2


def test_a_call_without_an_answer_yet_is_in_the_timeline():
    one = kim(row("ready", State.SENDING, attempt=1, called_at=NOW + 10))
    assert [(m.what, m.detail) for m in one.timeline][1:] == [("called", "attempt 1, no answer yet")]


def test_the_provider_is_named():
    assert kim(row("ready", State.READY, provider=1)).provider == "gmail"
    assert kim(row("ready", State.READY, provider=0)).provider == "other"


def test_events_of_unknown_kinds_have_a_name():
    assert view.event_word(int(Kind.HARD_BOUNCE)) == "hard-bounce"
    assert view.event_word(77) == "event 77"


class TestWhatKeptIt:
    """Holds and stops that covered a delivery while it was queued are in its timeline, though no row of it says so."""

    def test_a_hold_is_said_from_its_placing_or_the_acceptance_on(self):
        before = kim(row("ready", State.READY, lane_held=True), hold=HOLD)
        assert story(before) == [("accepted", 0), ("held", 0)]
        after = replace(HOLD, since=NOW + 5_000)
        assert story(kim(row("ready", State.READY, lane_held=True), after=9_000, hold=after)) == [
            ("accepted", 0),
            ("held", 5_000),
        ]
        assert before.timeline[1].detail == HELD

    def test_its_lifting_is_said_with_its_reason(self):
        one = kim(row("ready", State.READY), after=9_000, holds=[lifted(HOLD, NOW + 4_000)])
        assert story(one) == [("accepted", 0), ("held", 0), ("released", 4_000)]
        assert one.timeline[2].detail == "By Ana: fixed"
        assert one.state is State.READY

    def test_what_ended_before_or_began_after_its_time_in_the_queue_is_not_its_story(self):
        sent = row("ledger", State.SENT, at=NOW + 1_000, called_at=NOW + 900, attempt=1)
        holds = [lifted(HOLD, NOW), PastHold(hold=replace(HOLD, since=NOW + 2_000))]
        assert [what for what, _ in story(kim(sent, after=9_000, holds=holds))] == [
            "accepted",
            "called",
            "sent",
        ]

    @pytest.mark.parametrize(
        ("target", "covers"),
        [
            (Target(tenant=1, campaign="spring"), True),
            (Target(tenant=1, campaign="autumn"), False),
            (Target(tenant=1, provider=Provider(1)), True),
            (Target(tenant=1, provider=Provider(2)), False),
            (Target(tenant=1, list="import"), False),
        ],
    )
    def test_a_narrow_hold_is_said_of_the_mail_that_it_covers(self, target: Target, covers: bool):
        one = kim(row("ready", State.READY), hold=replace(HOLD, target=target))
        assert ("held" in dict(story(one))) is covers

    def test_a_hold_that_its_own_history_names_is_not_repeated(self):
        parked = TimelineEntry(at=NOW + 10, what="parked", detail=HELD)
        waiting = row("waiting", State.HELD, at=NOW + 10, reason="held", detail=HELD)
        one = kim(waiting, hold=HOLD, history={ID + 1: [parked]})
        assert [what for what, _ in story(one)] == ["accepted", "parked"]

    def test_a_hold_that_only_slows_keeps_nothing(self):
        slows = replace(HOLD, stops=False, rate=5.0)
        assert [what for what, _ in story(kim(row("ready", State.READY), hold=slows))] == ["accepted"]

    def test_a_stop_is_said_with_its_end(self):
        stop = PastStop(
            sentence=f"{QUOTA} It ends soon",
            record=QUOTA,
            since=NOW + 100,
            ended_at=NOW + 700,
            ended_because="it is free again",
        )
        one = kim(row("ready", State.READY), after=900, stops=[stop])
        assert story(one) == [("accepted", 0), ("stopped", 100), ("open-again", 700)]
        assert [entry.detail for entry in one.timeline[1:]] == [QUOTA, "The stop ended: it is free again"]


class TestAfterExpiry:
    EXPIRED = row(
        "ledger", State.EXPIRED, at=NOW + 2 * EXPIRY, reason="expired", detail=reasons.expired_in_queue()
    )

    def test_the_hold_that_covered_the_moment_of_expiry_is_the_cause_even_if_it_was_lifted_since(self):
        one = kim(self.EXPIRED, after=3 * EXPIRY, holds=[lifted(HOLD, NOW + EXPIRY + 1)])
        assert (one.state, one.reason, one.detail) == (
            State.EXPIRED,
            "expired",
            f"Expired in the queue. {HELD}",
        )
        assert story(one) == [
            ("accepted", 0),
            ("held", 0),
            ("released", EXPIRY + 1),
            ("expired", 2 * EXPIRY),
        ]
        assert one.timeline[-1].detail == one.detail

    def test_before_its_row_says_so_too(self):
        ready = row("ready", State.READY, lane_held=True)
        assert kim(ready, after=EXPIRY + 1, hold=HOLD).detail == f"Expired in the queue. {HELD}"

    def test_a_stop_can_be_the_cause(self):
        one = kim(
            self.EXPIRED,
            after=3 * EXPIRY,
            stops=[PastStop(sentence=f"{QUOTA} It ends soon", record=QUOTA, since=NOW)],
        )
        assert one.detail == f"Expired in the queue. {QUOTA}"

    def test_what_kept_it_for_most_of_its_time_is_named_when_nothing_did_at_the_end(self):
        one = kim(self.EXPIRED, after=3 * EXPIRY, holds=[lifted(HOLD, NOW + EXPIRY - 1_000)])
        assert one.detail == f"Expired in the queue, after it was kept for most of its time. {HELD}"
        short = kim(self.EXPIRED, after=3 * EXPIRY, holds=[lifted(HOLD, NOW + 1_000)])
        assert short.detail == "Expired before its turn came"

    def test_a_reason_that_was_recorded_stays(self):
        waited = row(
            "ledger", State.EXPIRED, at=NOW + EXPIRY, reason="expired", detail="Expired while waiting: x"
        )
        assert kim(waited, after=2 * EXPIRY, hold=HOLD).detail == "Expired while waiting: x"


class TestWhyItDoesNotLeave:
    READY = row("ready", State.READY)

    def test_a_stop_of_its_lane_comes_before_what_stops_everybody(self):
        stop = PastStop(sentence=f"{QUOTA} It ends soon", record=QUOTA, since=NOW - 1)
        one = kim(self.READY, stops=[stop], outflow=replace(WELL, dispatch_beat=None))
        assert (one.state, one.reason, one.detail) == (State.HELD, "stopped", f"{QUOTA} It ends soon")

    @pytest.mark.parametrize(
        ("over", "reason", "detail"),
        [
            (
                {"dispatch_beat": NOW - 18 * MINUTE},
                "no-dispatcher",
                "No dispatcher has reported since 21 Sep 2026 13:55 UTC, so no mail leaves",
            ),
            ({"dispatch_beat": None}, "no-dispatcher", "No dispatcher has reported, so no mail leaves"),
            ({"account_known": False}, "rate-unknown", reasons.rate_unknown()),
            ({"enabled": False}, "account-paused", reasons.account_paused()),
            ({"quota": 400.0, "quota_left": 0.0}, "daily-quota", reasons.quota_used_up()),
            ({"quota": 400.0, "quota_left": 40.0}, "daily-quota", reasons.quota_reserved()),
        ],
    )
    def test_queued_mail_says_what_stops_everybody(self, over: Any, reason: str, detail: str):
        one = kim(self.READY, outflow=replace(WELL, **over))
        assert (one.state, one.reason, one.detail) == (State.READY, reason, detail)

    def test_the_reserve_of_the_quota_is_for_urgent_mail(self):
        left = replace(WELL, quota=400.0, quota_left=40.0)
        assert kim(self.READY, outflow=left, class_=Class.URGENT).reason is None

    def test_while_mail_can_leave_a_queued_delivery_has_no_reason(self):
        assert kim(self.READY).reason is None
        assert kim(self.READY, outflow=replace(WELL, quota=400.0, quota_left=41.0)).reason is None

    @pytest.mark.parametrize("code", ["retry", "set-aside", "association"])
    def test_mail_that_waits_for_a_retry_names_what_closes_its_lane(self, code: str):
        waits = row("waiting", State.WAITING, at=NOW + 7, reason=code, detail="SES said 500")
        assert kim(waits).detail == "SES said 500"
        held = kim(replace(waits, lane_held=True), hold=HOLD)
        assert (held.state, held.since, held.reason, held.detail) == (State.HELD, NOW + 7, "held", HELD)
        stop = PastStop(sentence=f"{QUOTA} It ends soon", record=QUOTA, since=NOW - 1)
        stopped = kim(waits, stops=[stop])
        assert (stopped.state, stopped.reason, stopped.detail) == (State.HELD, "stopped", stop.sentence)
        assert kim(waits, stops=[replace(stop, ended_at=NOW, ended_because="x")]).detail == "SES said 500"

    def test_scheduled_mail_waits_for_its_time_also_in_a_held_lane(self):
        waits = row("waiting", State.WAITING, at=NOW, reason="scheduled", detail="at nine", lane_held=True)
        assert kim(waits, hold=HOLD).detail == "at nine"

    def test_a_hold_comes_first(self):
        one = kim(row("ready", State.READY, lane_held=True), hold=HOLD, outflow=replace(WELL, enabled=False))
        assert (one.state, one.detail) == (State.HELD, HELD)

    def test_mail_that_left_is_not_concerned(self):
        sent = row("ledger", State.SENT, at=NOW, reason="sent", detail="SES accepted the mail")
        assert kim(sent, outflow=replace(WELL, dispatch_beat=None)).reason == "sent"


def test_mail_far_back_in_a_loop_names_its_own_window() -> None:
    said = "Over the limit of 5 mails an hour of acme/reset to one address. It can leave from 21 Sep 2026 15:00 UTC on"
    opens = NOW // 3_600_000 * 3_600_000 + 3_600_000
    assert times.minute(opens) == "21 Sep 2026 15:00 UTC"
    behind = Behind(12, opens, opens + 2 * 3_600_000)
    waits = row("waiting", State.WAITING, at=NOW - 5, reason="recipient-limit", detail=said, behind=behind)
    found = read(waits)[0]
    assert found.detail is not None
    assert (
        "12 mails of the same wait before it, so it can leave from 21 Sep 2026 17:00 UTC on" in found.detail
    )
    assert "15:00" not in found.detail
