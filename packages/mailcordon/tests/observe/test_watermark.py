"""When a mark is confirmed: everything that was in the queue when it was made is stored."""

import pytest

from mailcordon.observe.watermark import (
    AHEAD,
    FRESH,
    LONGEST_GAP,
    LOST,
    MARK_EVERY,
    SLACK,
    Observer,
    Watermark,
)

VISIBLE_AGAIN = 45.0  #: visibility time-out plus margin
SET = {"mc-urgent": 7_000}


class Live:
    """An observer whose clock is moved by hand; it ticks as a live one does."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.watermark = Watermark(settles_after=VISIBLE_AGAIN, now=self.now)

    def wait(self, seconds: float) -> None:
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + 1.0)
            self.watermark.tick(self.now)

    def suspend(self, seconds: float) -> None:
        self.now += seconds
        self.watermark.tick(self.now)

    def mark(self, called: dict[str, int] | None = None) -> None:
        self.watermark.mark(self.now, SET if called is None else called)

    def short_receive(self) -> None:
        """One that begins now and ends a second later with a few messages, which are stored."""
        number = self.watermark.receive(self.now)
        self.wait(1)
        self.watermark.drained(number, self.now)
        self.watermark.stored(number)

    def settled(self, *others: Observer) -> dict[str, int]:
        return self.watermark.settled(self.now, others)


@pytest.fixture
def live() -> Live:
    return Live()


# A clock that was set back ----------------------------------------------------------------------------------------------


def test_a_report_from_the_future_is_no_sign_of_life(live: Live) -> None:
    live.mark()
    live.wait(VISIBLE_AGAIN)
    live.short_receive()
    dead = Observer(live.now + AHEAD + 600, live.now - 900, live.now + 600, False)
    assert live.settled(dead) == {}
    assert live.settled() == SET


# By count ---------------------------------------------------------------------------------------------------------------


def test_an_exact_count_of_zero_confirms_what_was_marked_before_it(live: Live) -> None:
    live.mark()
    live.wait(1)
    assert live.watermark.emptied(live.now) == SET
    assert not live.watermark.waits


def test_a_count_that_began_before_the_mark_confirms_nothing(live: Live) -> None:
    asked = live.now
    live.wait(1)
    live.mark()
    assert live.watermark.emptied(asked) == {}
    assert live.watermark.waits


def test_several_marks_are_confirmed_with_their_latest_calls(live: Live) -> None:
    live.mark({"a": 1, "b": 9})
    live.wait(MARK_EVERY)
    live.mark({"a": 2, "b": 9})
    assert live.watermark.emptied(live.now) == {"a": 2, "b": 9}


def test_a_set_that_needs_no_proof_any_more_is_not_confirmed(live: Live) -> None:
    live.mark({"a": 1, "b": 9})
    live.wait(MARK_EVERY)
    live.mark({"a": 2})
    assert live.watermark.emptied(live.now) == {"a": 2}


def test_nothing_to_prove_means_no_marks(live: Live) -> None:
    live.mark({})
    assert not live.watermark.waits
    live.mark()
    live.mark({})
    assert not live.watermark.waits
    assert live.watermark.emptied(live.now) == {}


# By time ----------------------------------------------------------------------------------------------------------------


def test_a_short_receive_after_the_visibility_time_out_confirms(live: Live) -> None:
    live.mark()
    live.wait(VISIBLE_AGAIN)
    assert live.settled() == {}
    live.short_receive()
    assert live.settled() == SET


def test_a_receive_that_began_before_does_not_confirm(live: Live) -> None:
    live.mark()
    live.wait(VISIBLE_AGAIN - 0.5)
    live.short_receive()
    assert live.settled() == {}
    live.short_receive()
    assert live.settled() == SET


def test_while_receives_come_back_full_nothing_is_confirmed(live: Live) -> None:
    live.mark()
    live.wait(VISIBLE_AGAIN)
    for _ in range(100):
        full = live.watermark.receive(live.now)
        live.wait(1)
        live.watermark.stored(full)
    assert live.settled() == {}
    live.short_receive()
    assert live.settled() == SET


def test_what_was_received_must_be_stored_first(live: Live) -> None:
    live.mark()
    live.wait(VISIBLE_AGAIN)
    received = live.watermark.receive(live.now)
    live.short_receive()
    assert live.settled() == {}, "an older message may be in the receive that is open"
    live.watermark.stored(received)
    assert live.settled() == SET


def test_receives_that_began_after_the_queue_was_drained_need_not_be_stored(live: Live) -> None:
    live.mark()
    live.wait(VISIBLE_AGAIN)
    live.short_receive()
    live.watermark.receive(live.now)
    live.wait(1)
    assert live.settled() == SET


def test_a_steady_stream_is_proved_again_and_again(live: Live) -> None:
    proved: list[int] = []
    for second in range(200):
        live.mark({"a": second})
        live.short_receive()
        proved += live.settled().values()
    assert proved == sorted(proved)
    assert proved[0] == 0
    assert proved[-1] >= 200 - VISIBLE_AGAIN - 5


# What resets ------------------------------------------------------------------------------------------------------------


def test_a_suspended_observer_confirms_nothing_that_it_marked_before(live: Live) -> None:
    live.mark()
    live.suspend(LONGEST_GAP + 0.1)
    assert not live.watermark.waits
    live.wait(VISIBLE_AGAIN)
    live.short_receive()
    assert (live.settled(), live.watermark.emptied(live.now)) == ({}, {})


def test_a_short_gap_is_a_busy_machine(live: Live) -> None:
    live.mark()
    live.suspend(LONGEST_GAP)
    assert live.watermark.waits


def test_after_a_failure_only_new_marks_are_confirmed(live: Live) -> None:
    live.mark()
    live.wait(VISIBLE_AGAIN)
    live.short_receive()
    live.watermark.failed(live.now)
    assert live.settled() == {}
    live.mark({"a": 2})
    live.wait(VISIBLE_AGAIN - 0.5)
    live.short_receive()
    assert live.settled() == {}
    live.wait(1)
    live.short_receive()
    assert live.settled() == {"a": 2}


def test_an_observer_killed_while_catching_up_leaves_no_proof_behind(live: Live) -> None:
    live.mark()
    live.wait(VISIBLE_AGAIN)
    new = Watermark(settles_after=VISIBLE_AGAIN, now=live.now)
    live.watermark = new
    live.short_receive()
    assert live.settled() == {}
    live.mark()
    live.short_receive()
    assert live.settled() == {}, "what the dead one received is not visible yet"
    live.wait(VISIBLE_AGAIN)
    live.short_receive()
    assert live.settled() == SET


# Several observers ------------------------------------------------------------------------------------------------------


def ripe(live: Live) -> float:
    """Marks, and drains the queue so that without others the mark is confirmed. Returns when it was marked."""
    live.wait(200)
    live.mark()
    marked = live.now
    live.wait(VISIBLE_AGAIN)
    live.short_receive()
    return marked


def test_another_live_observer_must_have_stored_what_it_received(live: Live) -> None:
    marked = ripe(live)
    drained = live.now

    def other(stored: float) -> Observer:
        return Observer(live.now, marked - SLACK, stored, False)

    assert live.settled(other(drained + SLACK - 1)) == {}
    live.wait(SLACK)
    assert live.settled(other(drained + SLACK)) == SET


def test_another_observer_that_failed_since_the_mark_stands_in_its_way(live: Live) -> None:
    marked = ripe(live)
    live.wait(20)
    assert live.settled(Observer(live.now, marked - SLACK + 1, live.now, False)) == {}
    assert live.settled(Observer(live.now, marked - SLACK, live.now, False)) == SET


def test_a_silent_observer_stands_in_the_way_until_it_can_have_received_nothing(live: Live) -> None:
    marked = ripe(live)
    live.wait(20)
    assert live.settled(Observer(live.now - FRESH - 1, 0, live.now, False)) == {}
    assert live.settled(Observer(marked - LOST + 1, 0, 0, False)) == {}
    assert live.settled(Observer(marked - LOST, 0, 0, False)) == SET


def test_an_observer_that_stopped_after_the_mark_stands_in_its_way(live: Live) -> None:
    marked = ripe(live)
    live.wait(20)
    assert live.settled(Observer(marked + 1, 0, 0, True)) == {}
    assert live.settled(Observer(marked - SLACK, 0, 0, True)) == SET


def test_an_exact_count_needs_no_other_observer(live: Live) -> None:
    live.mark()
    assert live.watermark.emptied(live.now) == SET
