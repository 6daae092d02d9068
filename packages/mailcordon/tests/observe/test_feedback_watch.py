"""When events that do not come back are missed, how long that lasts, and what it is put down to."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import pytest

from mailcordon.core.feedback import Cause
from mailcordon.observe import feedback_roads, feedback_watch
from mailcordon.observe.feedback_roads import Past, Road, RoadFacts
from mailcordon.observe.feedback_watch import (
    DUE_MS,
    ENOUGH,
    MINUTE,
    MOST_SETS,
    Difference,
    Facts,
    Fault,
    Looked,
    Loss,
    ObserverBeat,
    Observers,
    Tally,
    Verdict,
    judge,
)

M = 29_933_000  #: a minute
T = M * MINUTE
NEWS, URGENT = "mc-marketing", "mc-urgent"
BEAT = ObserverBeat(
    host="web-1",
    pid=7,
    beat=T,
    silent=False,
    queue="mailcordon-outcome",
    receives=True,
    problem=None,
    last_event=T,
)
WELL = Observers(beats=(BEAT,), sessions=3)
DISABLED = Fault(Cause.DESTINATION_DISABLED, "it is disabled")


def tallies(of: Mapping[str, Mapping[int, tuple[int, int]]]) -> dict[str, dict[int, Tally]]:
    """(sent, seen) by set and minutes after M."""
    return {
        name: {M + minute: Tally(*counts) for minute, counts in minutes.items()}
        for name, minutes in of.items()
    }


def facts(of: Mapping[str, Mapping[int, tuple[int, int]]], *, after: int = 3 * MINUTE, **over: Any) -> Facts:
    return Facts(**({"now": T + after, "tallies": tallies(of), "observers": WELL} | over))


def looked(fault: Fault | None = None, **over: Any) -> Looked:
    return Looked(at=T, fault=fault, queue="mailcordon-outcome", **over)


def loss(**over: Any) -> Loss:
    values: dict[str, Any] = {
        "id": 1,
        "signal": "send",
        "configuration_set": NEWS,
        "provider": None,
        "since": T,
        "until": None,
        "cause": Cause.DESTINATION_DISABLED,
        "last": T + MINUTE,
    }
    return Loss(**(values | over))


# When ------------------------------------------------------------------------------------------------------------------------


def test_mail_whose_events_have_come_raises_nothing_and_asks_for_nothing() -> None:
    assert judge(facts({NEWS: {0: (200, 200), 1: (5, 5)}})) == Verdict()


def test_a_loss_is_raised_within_two_minutes_of_its_first_mail() -> None:
    dead = {NEWS: {0: (1, 0)}}
    in_time = facts(dead, after=MINUTE + DUE_MS - 1, looked={NEWS: looked(DISABLED)})
    assert judge(in_time) == Verdict()  # its events may still come
    [new] = judge(dataclasses.replace(in_time, now=T + MINUTE + DUE_MS)).new
    assert MINUTE + DUE_MS < 2 * MINUTE
    assert (new.configuration_set, new.since, new.until, new.fault) == (NEWS, T, None, DISABLED)


def test_a_single_mail_is_enough_if_something_is_broken() -> None:
    dead = facts({NEWS: {0: (1, 0)}})
    assert judge(dead).look == (NEWS,)  # the way of its events is looked at first
    assert judge(dead).new == ()
    assert judge(dataclasses.replace(dead, looked={NEWS: looked()})).new == ()
    [new] = judge(dataclasses.replace(dead, looked={NEWS: looked(DISABLED)})).new
    assert new.fault == DISABLED


def test_without_a_cause_five_mails_raise_a_loss_and_fewer_when_ten_minutes_are_over() -> None:
    for sent in range(1, ENOUGH):
        few = facts({NEWS: {0: (sent, 0)}}, looked={NEWS: looked()})
        assert judge(few).new == ()
        assert judge(dataclasses.replace(few, now=T + 10 * MINUTE - 1)).new == ()
        [new] = judge(dataclasses.replace(few, now=T + 10 * MINUTE)).new
        assert new.fault.cause is Cause.UNKNOWN
    [new] = judge(facts({NEWS: {0: (ENOUGH, 0)}}, looked={NEWS: looked()})).new
    assert new.fault.cause is Cause.UNKNOWN


def test_a_single_event_that_is_missing_among_others_is_not_the_loop() -> None:
    assert judge(facts({NEWS: {0: (1000, 990), 1: (10, 10)}}, after=20 * MINUTE)) == Verdict()
    assert judge(facts({NEWS: {0: (2, 1), 1: (10, 10)}}, after=20 * MINUTE)) == Verdict()


def test_what_was_lost_is_raised_as_over_if_later_mail_has_its_events() -> None:
    [new] = judge(facts({NEWS: {0: (200, 0), 1: (30, 30)}})).new
    assert (new.since, new.until, new.evidence.missing) == (T, T + MINUTE, 200)
    assert new.fault.cause is Cause.UNKNOWN


def test_a_repaired_destination_explains_even_one_mail_of_meanwhile() -> None:
    was = Difference(
        configuration_set=NEWS,
        fault=DISABLED,
        signals=frozenset({"send"}),
        since=T + 20_000,
        ended=T + 40_000,
    )
    gap = facts({NEWS: {0: (1, 0), 1: (30, 30)}}, differences=[was])
    [new] = judge(gap).new
    assert (new.until, new.fault) == (T + MINUTE, DISABLED)
    other = dataclasses.replace(was, configuration_set=URGENT)
    assert judge(dataclasses.replace(gap, differences=[other])).new == ()
    before = dataclasses.replace(was, since=T - 99 * MINUTE, ended=T - 90 * MINUTE)
    assert judge(dataclasses.replace(gap, differences=[before])).new == ()


def test_what_is_broken_now_is_named_before_what_was_repaired() -> None:
    was = Difference(
        configuration_set=NEWS, fault=DISABLED, signals=frozenset({"send"}), since=T, ended=T + 9_000
    )
    dead = facts({NEWS: {0: (9, 0)}}, differences=[was])
    assert judge(dead).look == (NEWS,)
    other = Fault(Cause.TOPIC_POLICY, "the topic")
    assert [new.fault for new in judge(dataclasses.replace(dead, looked={NEWS: looked(other)})).new] == [
        other
    ]
    assert [new.fault for new in judge(dataclasses.replace(dead, looked={NEWS: looked()})).new] == [DISABLED]
    later = facts({NEWS: {0: (9, 0), 1: (9, 0)}}, differences=[was], looked={NEWS: looked()})
    assert [new.fault.cause for new in judge(later).new] == [Cause.UNKNOWN]


def test_a_canary_or_a_proof_whose_event_came_ends_a_gap_too() -> None:
    dead = {NEWS: {0: (5, 0)}}
    [new] = judge(facts(dead, seen_calls={NEWS: T + 2 * MINUTE})).new
    assert new.until == T + MINUTE


# What it covers --------------------------------------------------------------------------------------------------------------


def test_only_the_set_that_lost_its_events_is_covered() -> None:
    one = facts({NEWS: {0: (50, 0)}, URGENT: {0: (50, 50)}}, looked={NEWS: looked()})
    [new] = judge(one).new
    assert new.configuration_set == NEWS


def test_what_all_sets_have_in_common_is_one_loss() -> None:
    all_dead = facts({NEWS: {0: (50, 0)}, URGENT: {1: (50, 0)}}, looked={NEWS: looked(), URGENT: looked()})
    [new] = judge(all_dead).new
    assert (new.configuration_set, new.since, new.evidence.sent, new.evidence.sets) == (None, T, 100, 2)
    but_one = {NEWS: {0: (50, 0)}, URGENT: {1: (50, 0)}, "mc-transactional": {1: (50, 50)}}
    of_two = judge(facts(but_one, looked={NEWS: looked(), URGENT: looked()})).new
    assert {new.configuration_set for new in of_two} == {NEWS, URGENT}
    # A subscription is the same for all sets, however many have sent mail.
    gone = Fault(Cause.SUBSCRIPTION, "no subscription")
    [new] = judge(facts({NEWS: {0: (50, 0)}}, looked={NEWS: looked(gone)})).new
    assert (new.configuration_set, new.fault) == (None, gone)


def test_two_sets_with_causes_of_their_own_are_two_losses() -> None:
    both = facts(
        {NEWS: {0: (50, 0)}, URGENT: {0: (50, 0)}}, looked={NEWS: looked(DISABLED), URGENT: looked(DISABLED)}
    )
    assert {new.configuration_set for new in judge(both).new} == {NEWS, URGENT}


def test_many_sets_at_once_are_one_loss() -> None:
    names = [f"mc-{n}" for n in range(MOST_SETS + 1)]
    of: dict[str, dict[int, tuple[int, int]]] = {name: {0: (9, 0)} for name in names}
    of["well"] = {0: (9, 9)}
    [new] = judge(facts(of, looked={name: looked(DISABLED) for name in names})).new
    assert (new.configuration_set, new.evidence.sets) == (None, MOST_SETS + 1)


# Who reads the queue ---------------------------------------------------------------------------------------------------------


SILENT = dataclasses.replace(BEAT, silent=True)
OBSERVERS = {
    Cause.OBSERVER_ABSENT: Observers(),
    Cause.OBSERVER_STOPPED: Observers(beats=(SILENT,), sessions=2),
    Cause.OBSERVER_REFUSED: Observers(beats=(SILENT,), sessions=2, may_connect=False),
    Cause.OBSERVER_STUCK: Observers(
        beats=(dataclasses.replace(BEAT, receives=False, problem="the database refuses"),), sessions=2
    ),
}


@pytest.mark.parametrize("cause", OBSERVERS)
def test_an_observer_that_does_not_read_is_the_cause_before_ses_is_asked(cause: Cause) -> None:
    dead = facts({NEWS: {0: (1, 0)}}, observers=OBSERVERS[cause])
    verdict = judge(dead)
    assert verdict.look == ()
    [new] = verdict.new
    assert (new.fault.cause, new.late, new.configuration_set) == (cause, True, None)


def test_causes_of_an_observer_have_different_sentences() -> None:
    faults = [feedback_watch.observer_fault(one) for one in OBSERVERS.values()]
    assert len({fault.says for fault in faults if fault is not None}) == len(OBSERVERS)


def test_one_of_two_observers_is_enough_and_one_that_starts_says_nothing() -> None:
    stuck = dataclasses.replace(BEAT, receives=False, problem="x")
    assert feedback_watch.observer_fault(Observers(beats=(stuck, BEAT))) is None
    assert (
        feedback_watch.observer_fault(Observers(beats=(dataclasses.replace(BEAT, receives=False),))) is None
    )


def test_a_queue_that_is_read_slowly_is_late_and_one_of_which_nothing_is_stored_is_stuck() -> None:
    behind = facts({NEWS: {0: (50, 0)}}, looked={NEWS: looked(waiting=900)}, after=3 * MINUTE)
    reading = dataclasses.replace(BEAT, last_event=T + 3 * MINUTE - 5_000)
    [new] = judge(dataclasses.replace(behind, observers=Observers(beats=(reading,)))).new
    assert (new.fault.cause, new.late, new.evidence.waiting) == (Cause.BACKLOG, True, 900)
    [new] = judge(behind).new
    assert (new.fault.cause, new.late) == (Cause.OBSERVER_STUCK, True)
    # A few messages are not the events of many mails.
    [new] = judge(dataclasses.replace(behind, looked={NEWS: looked(waiting=2)})).new
    assert (new.fault.cause, new.late) == (Cause.UNKNOWN, False)


# Until when ------------------------------------------------------------------------------------------------------------------


def test_a_loss_that_lasts_is_not_raised_again_and_grows() -> None:
    grown = facts({NEWS: {0: (50, 0), 1: (10, 0)}}, losses=[loss()], looked={NEWS: looked(DISABLED)})
    verdict = judge(grown)
    assert verdict.new == ()
    [change] = verdict.changes
    assert change.evidence is not None
    assert (change.until, change.evidence.missing, change.evidence.last) == (None, 60, T + 2 * MINUTE)


def test_a_loss_ends_when_later_mail_has_its_event() -> None:
    [change] = judge(facts({NEWS: {0: (50, 0), 2: (3, 3)}}, after=4 * MINUTE, losses=[loss()])).changes
    assert change.until == T + MINUTE


def test_a_loss_without_later_mail_lasts_until_a_canary_or_a_proof() -> None:
    quiet = facts({}, after=500 * MINUTE, losses=[loss()])
    assert [change.until for change in judge(quiet).changes] == [None]
    proved = dataclasses.replace(quiet, seen_calls={NEWS: T + 499 * MINUTE})
    assert [change.until for change in judge(proved).changes] == [T + MINUTE]


def test_a_loss_without_later_mail_ends_when_its_destination_is_repaired() -> None:
    repaired = Fault(Cause.DESTINATION_DISABLED, "it was")
    was = Difference(
        configuration_set=NEWS, fault=repaired, signals=frozenset({"send"}), since=T, ended=T + 59_000
    )
    ended = facts({NEWS: {0: (5, 0)}}, losses=[loss()], differences=[was])
    [change] = judge(ended).changes
    assert (change.until, change.fault) == (T + MINUTE, repaired)
    later = facts({NEWS: {0: (5, 0), 5: (5, 0)}}, after=8 * MINUTE, losses=[loss()], differences=[was])
    assert judge(later).changes[0].until is None  # mail after the repair has no events either
    again = dataclasses.replace(ended, differences=[was, dataclasses.replace(was, ended=None)])
    assert judge(again).changes[0].until is None


def test_late_events_end_a_loss_and_leave_nothing_missing() -> None:
    came = facts({NEWS: {0: (50, 50)}}, losses=[loss(configuration_set=None, cause=Cause.OBSERVER_ABSENT)])
    [change] = judge(came).changes
    assert change.until == T + MINUTE


def test_a_loss_that_is_over_is_not_raised_again_and_a_later_one_is_new() -> None:
    over = loss(until=T + MINUTE)
    of = {NEWS: {0: (50, 0), 1: (30, 30)}}
    assert judge(facts(of, losses=[over])).new == ()
    again = {NEWS: {0: (50, 0), 1: (30, 30), 2: (30, 0)}}
    [new] = judge(facts(again, after=5 * MINUTE, losses=[over], looked={NEWS: looked()})).new
    assert new.since == T + 2 * MINUTE


def test_an_observer_that_is_back_and_events_that_still_do_not_come_have_another_cause() -> None:
    was = loss(configuration_set=None, cause=Cause.OBSERVER_STOPPED)
    dead = facts({NEWS: {0: (50, 0)}}, losses=[was])
    assert judge(dead).look == (NEWS,)
    [change] = judge(dataclasses.replace(dead, looked={NEWS: looked(DISABLED)})).changes
    assert change.fault == DISABLED


# Bounces and complaints --------------------------------------------------------------------------------------------------------


def road(expected: float, seen: int, name: str = NEWS, provider: int = 1) -> Road:
    return Road(
        configuration_set=name,
        provider=provider,
        since=T,
        until=T + MINUTE,
        sent=9000,
        expected=expected,
        seen=seen,
    )


def roads(*found: Road, **over: Any) -> RoadFacts:
    values: dict[str, Any] = {
        "now": T + 10 * MINUTE,
        "signal": "bounce",
        "roads": found,
        "tallies": {},
        "differences": (),
        "looked": {NEWS: looked(), URGENT: looked()},
        "losses": (),
    }
    return RoadFacts(**(values | over))


@pytest.mark.parametrize(
    ("expected", "seen", "stalled"),
    [(19, 0, False), (20, 0, True), (20, 1, False), (50, 9, True), (50, 10, False), (0, 0, False)],
)
def test_bounces_are_missed_below_a_fifth_of_fifty_or_if_none_of_twenty_came(
    expected: float, seen: int, stalled: bool
) -> None:
    assert bool(feedback_roads.judge(roads(road(expected, seen))).new) is stalled


def test_the_past_of_a_few_bounces_lets_nothing_be_expected() -> None:
    assert Past(100, 3).rate == 0.0
    assert Past(100_000, 2500).rate == pytest.approx(0.024)
    assert feedback_roads.expected("bounce", None, 10_000, since=T, until=T, now=T + MINUTE) == 0.0
    young = feedback_roads.expected(
        "complaint", Past(10**6, 10**4), 10**5, since=T, until=T, now=T + 60 * MINUTE
    )
    old = feedback_roads.expected(
        "complaint", Past(10**6, 10**4), 10**5, since=T, until=T, now=T + 6000 * MINUTE
    )
    assert young < 0.1 * old  # complaints take hours


def test_a_road_is_named_as_narrowly_as_the_counts_allow() -> None:
    def scopes(*found: Road) -> set[tuple[str | None, int | None]]:
        return {(new.configuration_set, new.provider) for new in feedback_roads.judge(roads(*found)).new}

    assert scopes(road(60, 0), road(60, 55, URGENT)) == {(NEWS, None)}
    assert scopes(road(60, 0), road(60, 0, URGENT)) == {(None, None)}
    assert scopes(
        road(40, 0), road(500, 500, provider=2), road(40, 0, URGENT), road(500, 500, URGENT, 2)
    ) == {(None, 1)}
    assert scopes(road(12, 0), road(12, 0, URGENT)) == {(None, None)}


def test_a_stalled_road_is_looked_at_before_it_is_raised() -> None:
    unread = roads(road(60, 0), road(60, 60, URGENT), looked={})
    assert feedback_roads.judge(unread).look == (NEWS,)
    assert feedback_roads.judge(unread).new == ()


def test_no_bounce_is_expected_of_mail_of_which_no_event_comes() -> None:
    assert feedback_roads.judge(roads(road(60, 0), losses=[loss()])).new == ()


def test_a_destination_that_does_not_publish_bounces_is_a_loss_of_however_little_mail() -> None:
    lacks = Difference(
        configuration_set=NEWS,
        fault=Fault(Cause.DESTINATION_EVENTS, "no BOUNCE"),
        signals=frozenset({"bounce"}),
        since=T,
        ended=None,
    )
    found = roads(tallies=tallies({NEWS: {0: (1, 1)}}), differences=[lacks])
    [new] = feedback_roads.judge(found).new
    assert (new.signal, new.configuration_set, new.fault.cause) == ("bounce", NEWS, Cause.DESTINATION_EVENTS)
    assert new.evidence.missing == 1  # nobody knows how many: not none
    assert feedback_roads.judge(dataclasses.replace(found, signal="complaint")).new == ()
    open_loss = loss(signal="bounce", cause=Cause.DESTINATION_EVENTS)
    repaired = dataclasses.replace(lacks, ended=T + 90_000)
    after = dataclasses.replace(found, losses=[open_loss], differences=[repaired])
    assert [change.until for change in feedback_roads.judge(after).changes] == [T + 2 * MINUTE]
    assert feedback_roads.judge(after).new == ()


def test_a_stalled_road_ends_when_bounces_come_again() -> None:
    stalled = loss(signal="bounce", cause=Cause.UNKNOWN)
    [change] = feedback_roads.judge(roads(road(60, 0), road(60, 60, URGENT), losses=[stalled])).changes
    assert change.until is None
    [change] = feedback_roads.judge(roads(road(60, 40), losses=[stalled])).changes
    assert change.until == T + 10 * MINUTE
