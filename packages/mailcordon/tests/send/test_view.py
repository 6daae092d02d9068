"""The view of a delivery follows from its rows, and each state that follows from time has a reason."""

import pytest

from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.event import Kind
from mailcordon.send import view
from mailcordon.send.view import DeliveryRow, DeliveryView, MessageRecords, MessageRow, TimelineEntry

NOW = 1_790_000_000_000
HELD = "Held by kim since 28 Nov 2026 15:23 UTC: bad list [hold 1]"
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
    *rows: DeliveryRow, after: int = 0, hold: str | None = None, history=None
) -> tuple[DeliveryView, ...]:
    return view.deliveries(
        MessageRecords(
            message=MessageRow(
                id=ID,
                tenant=1,
                tenant_slug="acme",
                lane=7,
                type="receipt",
                from_address="hello@acme.example",
                recipients=["kim@example.com", "lee@example.com"],
                campaign=None,
                list=None,
            ),
            rows=rows,
            history=history or {},
            lane_hold=hold,
            expiry_ms=EXPIRY,
            silence_ms=SILENCE,
            now=NOW + after,
        )
    )


def kim(*rows: DeliveryRow, after: int = 0, hold: str | None = None, history=None) -> DeliveryView:
    return read(*rows, after=after, hold=hold, history=history)[0]


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
        hold=HELD,
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
    one = kim(ready, after=EXPIRY + 1, hold=HELD)
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
