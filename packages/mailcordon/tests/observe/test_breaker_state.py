"""What the process that runs the breaker remembers: lanes that rest are put aside, and read again with their next change."""

import dataclasses
from typing import Any, cast

import pytest

from mailcordon.core.limit import Mode
from mailcordon.core.priority import Class
from mailcordon.guard.arming import Arming
from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.nouns import LaneFacts, Level
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.observe.breaker.intervals import is_due
from mailcordon.observe.breaker.records import MINUTE_MS, Changes, Kept, Watched
from mailcordon.observe.breaker.state import State, newest_apart

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


def test_of_many_lanes_that_wait_to_be_read_the_worst_come_first():
    state = remembered(watched(1))
    state.to_load = dict.fromkeys(range(2, 1_000), 0)
    counts = {1: 50, 700: 3, 800: 40, 900: 0}
    deltas = [(2, Delta(NOW, lane, None, None, 3, sent=500, hard_bounces=n)) for lane, n in counts.items()]
    state.note_unknown(Changes(now=NOW * MINUTE_MS, fold=2, continues=True, deltas=deltas))
    assert state.next_to_load(4) == [800, 700, 2, 3]
    state.note_unknown(Changes(now=NOW * MINUTE_MS, fold=3, continues=True, deltas=2 * [deltas[1]] * 20))
    assert state.next_to_load(2) == [700, 800]


def test_each_lane_has_its_turn_and_one_that_was_never_judged_comes_first():
    lanes = range(1, 6)
    state = remembered(*(watched(lane) for lane in lanes))
    assert state.next_to_arm(2, 60_000, 60_000) == [1, 2]
    state.lanes[6], state.loaded[6], state.unarmed[6] = watched(6, arming=None), 1, None
    assert state.next_to_arm(2, 61_000, 60_000) == [6, 3]
    del state.lanes[4], state.loaded[4]
    assert state.next_to_arm(2, 62_000, 60_000) == [5]
    assert state.next_to_arm(2, 119_000, 60_000) == []
    assert state.next_to_arm(9, 120_000, 60_000) == [1, 2, 3, 5, 6]
    assert [state.next_to_refresh(4, 120_000 + at, 60_000) for at in (0, 1, 2)] == [[1, 2, 3, 5], [6], []]


def test_when_mail_of_a_minute_was_seen_is_remembered_for_a_while():
    state = remembered(watched(1))
    for minute, second in ((NOW, 5), (NOW, 9), (NOW + 1, 3)):
        mail = Delta(minute, 1, "spring", None, 3, sent=1)
        at = minute * MINUTE_MS + 1_000 * second
        state.note_first(Changes(now=at, fold=2, continues=True, deltas=[(2, mail)]))
    assert state.onset(1, "campaign=spring", NOW) == NOW * MINUTE_MS + 3_000
    assert state.onset(1, "", NOW + 1) == (NOW + 1) * MINUTE_MS + 1_000
    state.note_first(Changes(now=(NOW + 30) * MINUTE_MS, fold=3, continues=True))
    assert (state.first, state.onset(1, "", NOW)) == ({}, NOW * MINUTE_MS)


def as_read(domains: int, *, read_after: int) -> list[int]:
    """Levels of what is decided about a new lane of which 40 mails bounce, evenly at so many domains outside the named providers:
    `read_after` bounces were counted when the lane was first read, and the rest came later."""
    breaker = Breaker()
    breaker.lane(dataclasses.replace(watched(1, age=0).facts, past_in_shadow=True))

    def part(first: int, last: int) -> tuple[list[Delta], list[DomainDelta]]:
        count = last - first
        each = [count // domains + (1 if name < count % domains else 0) for name in range(domains)]
        mails = Delta(NOW, 1, None, "bought", 0, sent=count, hard_bounces=count)
        return [mails] if count else [], [DomainDelta(NOW, 1, name, n) for name, n in enumerate(each) if n]

    known = newest_apart(*part(0, read_after), NOW - DAY)
    breaker.replay(NOW, known.history, known.domains)
    decided = breaker.observe(NOW, known.newest, known.newest_domains)
    decided += breaker.observe(NOW, *part(read_after, 40))
    return [int(one.level) for one in decided]


@pytest.mark.parametrize("read_after", [0, 1, 5, 17, 39, 40])
def test_bounces_at_one_domain_are_one_cause_however_many_were_counted_when_the_lane_was_first_read(
    read_after: int,
):
    assert Level.CORDON not in as_read(1, read_after=read_after)
    assert Level.CORDON in as_read(40, read_after=read_after)
