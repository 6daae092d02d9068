"""What the process that runs the breaker remembers: lanes that rest are put aside, and read again with their next change."""

import dataclasses
from typing import Any, cast

from mailcordon.core.limit import Mode
from mailcordon.core.priority import Class
from mailcordon.guard.arming import Arming
from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.nouns import LaneFacts, Level
from mailcordon.guard.counts import Delta
from mailcordon.observe.breaker.intervals import is_due
from mailcordon.observe.breaker.records import MINUTE_MS, Changes, Kept, Watched
from mailcordon.observe.breaker.state import State

DAY = 1440
NOW = 20_000 * DAY
SHADOW = Arming(absolute=Mode.ENFORCE, relative=Mode.SHADOW, checks=(), proposed=False, lost=False)


def watched(lane: int, *, age: int | None = 40, arming: Arming | None = SHADOW) -> Watched:
    since = None if age is None else NOW - age * DAY
    return Watched(
        facts=LaneFacts(lane=lane, tenant=lane, type="newsletter", class_=Class.MARKETING, since=since),
        slug=f"tenant-{lane}",
        arming=arming,
    )


def remembered(*lanes: Watched) -> State:
    """Lanes whose counts changed a day ago."""
    state = State(engine=Breaker(), volume=cast(Any, None), fold=1)
    for one in lanes:
        state.lanes[one.facts.lane] = one
        state.loaded[one.facts.lane] = 1
        state.engine.lane(one.facts)
        state.changed[one.facts.lane] = NOW - DAY
    return state


def test_a_lane_that_rests_is_put_aside_and_is_to_be_read_again():
    state = remembered(watched(1))
    state.put_aside(NOW)
    assert (state.lanes, state.loaded, state.changed) == ({}, {}, {})


def test_lanes_that_send_or_are_new_or_armed_or_not_judged_stay():
    armed = dataclasses.replace(SHADOW, relative=Mode.ENFORCE)
    lost = dataclasses.replace(SHADOW, lost=True)
    state = remembered(
        watched(1),
        watched(2, age=20),
        watched(3, age=None),
        watched(4, arming=armed),
        watched(5, arming=lost),
        watched(6, arming=None),
    )
    mail = Delta(NOW - 5, 1, None, None, 3, sent=1)
    state.new_deltas(Changes(now=NOW * MINUTE_MS, fold=2, continues=True, deltas=[(2, mail)]))
    state.put_aside(NOW)
    assert set(state.lanes) == {1, 2, 3, 4, 5, 6}


def test_a_lane_with_something_open_stays():
    state = remembered(watched(1))
    state.open[1, "", "account"] = Kept(
        id=1,
        tenant=1,
        lane=1,
        part="",
        signal="account",
        half="absolute",
        level=Level.THROTTLE,
        mode=Mode.ENFORCE,
        at=0,
        since=0,
        seen="",
    )
    state.put_aside(NOW)
    assert set(state.loaded) == {1}


def test_what_is_looked_at_now_and_then_does_not_wait_for_a_clock_that_stepped_back():
    assert not is_due(1_000, 500, 600)
    assert is_due(1_100, 500, 600)
    assert is_due(400, 500, 600)
