"""SES's own count against ours, over simulated days: what is found, how soon, and that nothing is found where nothing is."""

import random
from bisect import bisect_left, bisect_right
from collections.abc import Callable

import pytest

from mailcordon.control import send_count
from mailcordon.control.send_count import DAY_MS, Judged, Known, Reading

MINUTE = 60_000
LAG = send_count.LAG_MS


class Days:
    """An account: mail of ours and of somebody else by minute, and SES's figure, which is late by a random time."""

    def __init__(self, seed: int, *, lag_ms: int = LAG) -> None:
        self.random = random.Random(seed)
        self.lag = lag_ms
        self.times: dict[str, list[int]] = {"ours": [], "foreign": []}
        self.judged = Judged()
        self.lowest: dict[int, int | None] = {}
        self.readings: list[Reading] = []
        self.found: list[tuple[int, Judged]] = []

    def send(self, whose: str, at: int, number: int) -> None:
        self.times[whose] += [at] * number

    def count(self, whose: str, after: int, until: int) -> int:
        times = self.times[whose]
        return bisect_right(times, until) - bisect_right(times, after)

    def read(self, at: int) -> None:
        """A reading, and the judgement of the one before it."""
        late = at - self.random.randint(0, self.lag)
        sent = sum(self.count(whose, late - DAY_MS, late) for whose in self.times)
        new = Reading(at=at, sent=sent, ours=self.count("ours", 0, at))
        if self.readings:
            self.judge(self.readings[-1], new)
        self.readings.append(new)

    def judge(self, last: Reading, new: Reading) -> None:
        times, first = [one.at for one in self.readings], self.readings[0]

        def before(at: int) -> Reading | None:
            place = bisect_right(times, at) - 1
            return None if place < 0 else self.readings[place]

        late, window = (
            before(min(last.at - self.lag, last.at - 1)),
            before(last.at - DAY_MS - self.lag - MINUTE),
        )

        self.judged = send_count.judge(
            last,
            Known(
                ours_now=new.ours,
                unknown=0,
                others=0,
                named=0,
                ours_lag=None if late is None else late.ours,
                lowest=None if late is None else self.lowest[late.at],
                ours_day=self.readings[bisect_left(times, max(first.at, last.at - DAY_MS))].ours,
                ours_window=None if window is None else window.ours,
                ours_first=first.ours,
            ),
            self.judged,
            lag_ms=self.lag,
        )
        self.lowest[last.at] = self.judged.lowest
        self.found.append((last.at, self.judged))


def run(
    days: Days,
    minutes: int,
    ours: Callable[[int], int],
    foreign: Callable[[int], int] = lambda _: 0,
    *,
    begin: int = 0,
) -> list[tuple[int, Judged]]:
    """`begin`: the minute of the first reading; the account sent before."""
    for minute in range(minutes):
        at = (minute + 2000) * MINUTE
        days.send("ours", at, ours(minute))
        days.send("foreign", at, foreign(minute))
        if minute >= begin:
            days.read(at + 1)
    return days.found


def over(found: list[tuple[int, Judged]]) -> list[int]:
    """Minutes in which it is an alarm."""
    return [at // MINUTE - 2000 for at, judged in found if judged.over_since is not None]


@pytest.mark.parametrize("seed", range(2))
def test_mail_of_ours_alone_is_never_an_alarm_however_it_varies(seed: int) -> None:
    pick = random.Random(seed)

    def bursts(_: int) -> int:
        return pick.choice((0, 0, 1, 5, 200))

    assert over(run(Days(seed), 3 * 1440, bursts)) == []


@pytest.mark.parametrize("seed", range(2))
def test_a_burst_of_ours_that_the_figure_does_not_have_yet_does_not_hide_what_was_sent_before(
    seed: int,
) -> None:
    """Else the mail from before the first reading would be an alarm as soon as the figure has the burst."""
    pick = random.Random(seed)
    found = run(Days(seed), 1900, lambda _: pick.choice((0, 0, 0, 300)), lambda _: 0, begin=1000)
    assert over(found) == []


def test_what_was_sent_before_the_first_reading_is_no_alarm_while_it_leaves_the_day() -> None:
    found = run(Days(1), 3 * 1440, lambda _: 3, lambda minute: 40 if minute < 1000 else 0, begin=1000)
    assert over(found) == []


@pytest.mark.parametrize(("begin", "least"), [(0, 440), (2500, 250)])
def test_mail_of_somebody_else_is_an_alarm_within_the_lag(begin: int, least: int) -> None:
    """On the first day mail from before it, which leaves SES's count, hides some."""
    at = begin + 900
    found = run(Days(2), at + 120, lambda _: 2, lambda minute: 500 if minute == at else 0, begin=begin)
    assert over(found)[0] - at <= LAG // MINUTE + 2
    assert over(found)[0] >= at
    assert least <= max(judged.excess for _, judged in found[-10:]) <= 500


def test_a_trickle_is_found_when_it_exceeds_the_mail_of_the_lag() -> None:
    found = run(Days(3), 1440, lambda _: 1, lambda minute: 1 if minute > 60 and minute % 5 == 0 else 0)
    first = over(found)[0]
    assert 60 < first < 300
    print(f"one mail in five minutes beside one of ours a minute is found after {first - 60} min")


def test_an_excess_ends_when_it_leaves_the_day_and_is_quiet_before() -> None:
    found = run(Days(4), 3 * 1440, lambda _: 2, lambda minute: 300 if minute == 1500 else 0)
    alarms = over(found)
    assert 1500 <= alarms[0] <= 1500 + 17
    assert 1500 + 1400 < alarms[-1] <= 1500 + 1440 + 2 * LAG // MINUTE
    assert alarms == list(range(alarms[0], alarms[-1] + 1))  # a figure that is late once does not end it
    quiet = [at // MINUTE - 2000 for at, judged in found if judged.is_quiet(at)]
    assert alarms[0] + 60 <= quiet[0] <= alarms[0] + 60 + LAG // MINUTE


def test_a_growing_excess_says_when_it_grew_last() -> None:
    found = run(Days(5), 1200, lambda _: 0, lambda minute: 100 if minute in (400, 900) else 0)
    grew = {judged.grew_at // MINUTE - 2000 for _, judged in found if judged.grew_at is not None}
    assert len(grew) == 2


def test_a_trickle_that_lasts_for_days_is_not_quiet() -> None:
    found = run(Days(8), 3 * 1440, lambda _: 0, lambda minute: 1 if minute > 100 else 0)
    assert not any(judged.is_quiet(at) for at, judged in found if at > (2000 + 1600) * MINUTE)
    assert over(found)[-1] >= 3 * 1440 - 2


def test_a_local_ses_that_counts_at_once_is_compared_from_the_second_reading_on() -> None:
    found = run(Days(6, lag_ms=0), 30, lambda _: 1, lambda minute: 8 if minute == 20 else 0)
    assert over(found)[0] == 20
    assert 6 <= found[-1][1].excess <= 8  # ours of the time until the next reading may be in it


def test_before_the_lag_is_over_nothing_is_said() -> None:
    found = run(Days(7), 10, lambda _: 0, lambda minute: 900 if minute == 5 else 0)
    assert {judged.lowest for _, judged in found} == {None}
    assert over(found) == []


def test_mail_that_another_net_named_and_other_installations_explain_the_count() -> None:
    reading = Reading(at=10 * DAY_MS, sent=1_000, ours=0)
    base = {"ours_now": 0, "ours_lag": 0, "lowest": None, "ours_day": 0, "ours_window": 0, "ours_first": 0}
    none = Known(unknown=0, others=0, named=0, **base)
    assert send_count.judge(reading, none, Judged(), lag_ms=LAG).excess == 1_000
    some = Known(unknown=100, others=400, named=500, **base)
    judged = send_count.judge(reading, some, Judged(), lag_ms=LAG)
    assert (judged.excess, judged.over_since) == (0, None)
