"""Others' rules stop at the lines they publish, count events when they arrive, and forget what has left the window."""

import pytest

from mailcordon.guard.delays import Signal
from mailcordon.guard.peers import DAY, HOUR, PEERS, WEEK, Stop, Watch, of


def names(stops: list[Stop]) -> list[str]:
    return [one.peer.name for one in stops]


def only(name: str, first_minute: int = -90 * DAY) -> Watch:
    return Watch([peer for peer in PEERS if peer.name == name], first_minute=first_minute)


@pytest.mark.parametrize(
    ("peer", "mails", "enough", "signal"),
    [
        ("ses-pause", 1000, 100, Signal.BOUNCES),
        ("ses-pause", 1000, 5, Signal.COMPLAINTS),
        ("ses-review", 1000, 50, Signal.BOUNCES),
        ("ses-review", 1000, 1, Signal.COMPLAINTS),
        ("plunk", 1000, 80, Signal.BOUNCES),  # of all time; a week needs 100
        ("plunk", 5000, 6, Signal.COMPLAINTS),
        ("coss", 1000, 80, Signal.BOUNCES),
        ("coss", 1000, 3, Signal.COMPLAINTS),
        ("usual", 100, 5, Signal.BOUNCES),
        ("usual", 1000, 3, Signal.COMPLAINTS),
    ],
)
def test_each_stops_at_its_line_and_not_before(peer: str, mails: int, enough: int, signal: Signal):
    watch = only(peer)
    assert watch.count(0, mails, 0, 0) == []

    def arrive(minute: int, events: int) -> list[Stop]:
        bounces, complaints = (events, 0) if signal is Signal.BOUNCES else (0, events)
        return watch.count(minute, 0, bounces, complaints)

    assert arrive(1, enough - 1) == []
    (stop,) = arrive(2, 1)
    assert (stop.minute, stop.events, stop.mails, stop.line.signal) == (2, enough, mails, signal)


@pytest.mark.parametrize(
    ("peer", "floor"), [("ses-pause", 1000), ("plunk", 100), ("coss", 200), ("usual", 100)]
)
def test_a_few_mails_stop_nobody(peer: str, floor: int):
    assert only(peer).count(0, floor - 1, floor - 1, 0) == []
    assert names(only(peer).count(0, floor, floor, 0)) == [peer]


def test_plunk_stops_a_new_sender_at_a_number_of_bounces_whatever_its_mail():
    assert names(only("plunk", first_minute=0).count(5, 1_000_000, 25, 0)) == ["plunk"]
    assert only("plunk", first_minute=0).count(5, 1_000_000, 24, 6) == []
    assert only("plunk", first_minute=0).count(31 * DAY, 1_000_000, 25, 7) == []


def test_posthog_looks_on_the_hour():
    watch = only("posthog")
    assert watch.count(10, 500, 60, 0) == []
    (stop,) = watch.count(3 * HOUR, 0, 0, 0)
    assert (stop.minute, stop.events, stop.mails) == (HOUR, 60, 500)


def test_late_events_are_divided_by_the_mail_of_their_own_window():
    """The fault of these rules: a healthy campaign's tail arrives when nothing is being sent."""
    watch = only("usual")
    watch.count(0, 10_000, 0, 0)
    watch.count(DAY + 1, 100, 0, 0)
    assert names(watch.count(DAY + 2, 0, 5, 0)) == ["usual"]


def test_what_has_left_the_window_counts_no_more_but_of_all_time_it_does():
    watch = only("coss")
    watch.count(0, 1000, 79, 0)
    assert watch.count(WEEK, 1000, 79, 0) == []
    plunk = only("plunk")
    plunk.count(0, 1000, 79, 0)
    assert names(plunk.count(10 * WEEK, 1, 3, 0)) == ["plunk"]


def test_a_long_past_is_forgotten_and_the_sums_stay_right():
    watch = only("usual")
    for minute in range(0, 40 * DAY, 10):
        assert watch.count(minute, 1, 0, 0) == []
    assert watch.count(40 * DAY, 0, 7, 0) == []  # 143 mails a day: 5 % are 7.15
    assert names(watch.count(40 * DAY, 0, 1, 0)) == ["usual"]


def test_a_peer_that_stopped_rests_for_a_day():
    watch = only("usual")
    assert names(watch.count(0, 100, 50, 0)) == ["usual"]
    assert watch.count(DAY - 1, 100, 50, 0) == []
    assert names(watch.count(DAY, 100, 50, 0)) == ["usual"]


def test_ses_divides_complaints_by_the_mail_to_providers_that_return_them():
    assert names(only("ses-pause").count(0, 4000, 0, 5, to_reporting=1000)) == ["ses-pause"]
    assert only("coss").count(0, 4000, 0, 5, to_reporting=1000) == []


def test_peers_are_known_by_what_they_stop():
    assert {one.name for one in of("lane")} == {"posthog", "usual"}
    assert {one.name for one in of("tenant")} | {"posthog", "usual"} == {one.name for one in PEERS}
