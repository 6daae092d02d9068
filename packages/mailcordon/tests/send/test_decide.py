"""The decisions at the door and before a call: every fact has its answer, in the order of cause."""

import itertools

import pytest

from mailcordon.core import reserved_domains
from mailcordon.core.delivery import State, Why
from mailcordon.core.hold import Hold
from mailcordon.core.reason import MEANINGS, Reason
from mailcordon.core.target import Target
from mailcordon.send.decide import CallFacts, Decision, DoorFacts, Kept, RowFacts, at_door, before_call

HOLD = Hold(
    id=7, target=Target(tenant=1, campaign="spring"), owner="person", because="bought list", by="ann", since=0
)


def call(
    may_start: bool = True, hold: Hold | None = None, suppressed: bool = False, has_content: bool = True
) -> Decision:
    return before_call(
        CallFacts(
            may_start, hold, has_content, RowFacts("kim@example.com is suppressed" if suppressed else None)
        )
    )


def test_mail_that_nothing_stops_is_sent() -> None:
    assert call() == Decision(State.SENDING)


@pytest.mark.parametrize(
    ("hold", "suppressed", "has_content"), list(itertools.product([None, HOLD], [False, True], [False, True]))
)
def test_mail_of_a_stopped_lane_goes_back_whatever_else_is_known_of_it(
    hold: Hold | None, suppressed: bool, has_content: bool
) -> None:
    assert call(False, hold, suppressed, has_content) == Decision(State.READY)


def test_mail_of_a_held_campaign_waits_for_that_hold() -> None:
    decision = call(hold=HOLD, suppressed=True)
    assert (decision.state, decision.reason, decision.why, decision.hold) == (
        State.HELD,
        Reason.HELD,
        Why.HELD,
        7,
    )
    assert "bought list" in decision.sentence


def test_a_suppressed_address_is_refused_and_missing_content_is_given_up() -> None:
    assert (call(suppressed=True).state, call(suppressed=True).reason) == (State.REFUSED, Reason.SUPPRESSED)
    assert (call(has_content=False).state, call(has_content=False).reason) == (
        State.GIVEN_UP,
        Reason.NO_CONTENT,
    )


def test_every_decision_but_to_go_on_has_a_reason_and_a_sentence() -> None:
    for facts in itertools.product([True, False], [None, HOLD], [False, True], [False, True]):
        decision = call(*facts)
        if decision.state not in (State.SENDING, State.READY):
            assert decision.reason in MEANINGS
            assert decision.sentence


def test_at_the_door_an_undeliverable_domain_and_a_suppression_refuse_and_a_hold_keeps() -> None:
    assert at_door(DoorFacts(None, None, None)) == Decision(State.READY)
    held = at_door(DoorFacts(None, None, Kept(Reason.HELD, "Held by ann")))
    assert (held.state, held.reason, held.sentence) == (State.HELD, Reason.HELD, "Held by ann")
    nobody = reserved_domains.find("printer.local", True)
    for suppressed, kept in itertools.product(
        [None, "acme may not mail"], [None, Kept(Reason.HELD, "Held by ann")]
    ):
        refused = at_door(DoorFacts(nobody, suppressed, kept))
        assert (refused.state, refused.reason) == (State.REFUSED, Reason.UNDELIVERABLE_DOMAIN)
        assert "printer.local" in refused.sentence
    both = at_door(DoorFacts(None, "acme may not mail", Kept(Reason.HELD, "Held by ann")))
    assert (both.state, both.reason) == (State.REFUSED, Reason.SUPPRESSED)
