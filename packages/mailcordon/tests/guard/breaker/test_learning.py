"""What the breaker learns: how late feedback comes, and what is normal of a lane."""

import math

import numpy as np
import pytest

from mailcordon.core.priority import Class
from mailcordon.guard.breaker import baselines
from mailcordon.guard.breaker.baselines import Epoch, Normal, Unlearned, Versions
from mailcordon.guard.breaker.delay_curves import DelayCurves
from mailcordon.guard.breaker.measures import BOUNCES, COMPLAINTS, DAY

NOW = 20_000 * DAY
SILENT = np.array([False, True])
RATIOS = np.ones((4, 2))


def saw(curves: DelayCurves, signal: int, median: float, *, days: int = 20, a_day: int = 60) -> None:
    random = np.random.default_rng(4)
    for day in range(days):
        sent = NOW + day * DAY
        for late in median * np.exp(1.2 * random.normal(size=a_day)):
            curves.saw(signal, 2, sent, sent + int(random.random() + late), 1)
    curves.learn(NOW + (days + 6) * DAY)


def test_feedback_as_usual_changes_nothing():
    curves = DelayCurves()
    before = [curves.upper_of_one(COMPLAINTS, age) for age in (10, 60, 360, 2000)]
    saw(curves, COMPLAINTS, 360.0)
    assert [curves.upper_of_one(COMPLAINTS, age) for age in (10, 60, 360, 2000)] == pytest.approx(
        before, abs=0.01
    )


@pytest.mark.parametrize(("median", "a_day"), [(30.0, 60), (30.0, 20)])
def test_faster_feedback_is_learned_from_the_upper_side(median: float, a_day: int):
    curves = DelayCurves()
    saw(curves, COMPLAINTS, median, a_day=a_day)
    for age in (10, 60, 360, 2000):
        true = 0.5 * math.erfc(-math.log((age + 0.5) / median) / 1.2 / math.sqrt(2))
        row = np.array([curves.row(COMPLAINTS, 2)])
        seen = curves.upper(COMPLAINTS, row, np.array([age]))[0, 0]
        assert true - 0.02 <= seen <= true + 0.15


def test_few_events_teach_nothing_and_young_ones_neither():
    curves = DelayCurves()
    before = curves.upper_of_one(COMPLAINTS, 60)
    saw(curves, COMPLAINTS, 5.0, days=1, a_day=10)
    assert curves.upper_of_one(COMPLAINTS, 60) == before
    for _ in range(500):  # of mail of yesterday: who complains later is not known yet
        curves.saw(COMPLAINTS, 2, NOW + 6 * DAY, NOW + 6 * DAY + 5, 1)
    curves.learn(NOW + 8 * DAY)
    assert curves.upper_of_one(COMPLAINTS, 60) == before


def test_slower_feedback_makes_nothing_look_like_more():
    """A provider that reports once a day reports a campaign of the minute before at once."""
    curves = DelayCurves()
    before = curves.upper_of_one(BOUNCES, 30)
    random = np.random.default_rng(4)
    for day in range(30):
        for minute in random.integers(0, DAY, 40).tolist():
            sent = NOW + day * DAY + minute
            curves.saw(BOUNCES, 3, sent, sent + (DAY - minute), 1)
    curves.learn(NOW + 40 * DAY)
    row = np.array([curves.row(BOUNCES, 3)])
    assert curves.upper(BOUNCES, row, np.array([30]))[0, 0] >= before
    assert curves.upper_of_one(BOUNCES, 30) >= before
    assert curves.lower_of_all(BOUNCES, np.array([60]))[0] < 0.3, "a probe waits for it"


def test_what_was_learned_can_be_kept():
    one, other = DelayCurves(), DelayCurves()
    saw(one, COMPLAINTS, 30.0)
    other.load(one.document())
    other.learn(NOW + 26 * DAY)
    assert other.upper_of_one(COMPLAINTS, 60) == one.upper_of_one(COMPLAINTS, 60)


def epochs(*rates: float, mails: int = 5000, newest: int = 4) -> list[Epoch]:
    """One a day with these bounce rates; the last is `newest` days old."""
    found: list[Epoch] = []
    for index, rate in enumerate(rates):
        epoch = Epoch(index, NOW - (newest + len(rates) - 1 - index) * DAY, 2)
        epoch.sent[0] = mails
        epoch.events[BOUNCES][0] = rate * mails
        found.append(epoch)
    return found


def learned(found: list[Epoch], troubles: list[Unlearned] | None = None, accepted: int = 0) -> Normal:
    return baselines.learn(Class.MARKETING, found, NOW, SILENT, RATIOS, troubles or [], accepted)


def test_a_lane_without_a_past_is_given_the_prior():
    unknown = baselines.unknown(Class.MARKETING, 2)
    assert unknown.usual[BOUNCES, 0] == pytest.approx(0.008 * 1.9)
    assert unknown.steadiness[BOUNCES, 0] == pytest.approx(1 / (0.35**2 + 0.9**2))
    assert learned([]).usual == pytest.approx(unknown.usual)


def test_a_better_record_counts_at_once_and_a_worse_one_after_thirty_days():
    prior = baselines.unknown(Class.MARKETING, 2).usual[BOUNCES, 0]
    assert learned(epochs(*[0.005] * 10)).usual[BOUNCES, 0] < 0.45 * prior
    assert learned(epochs(*[0.022] * 10)).usual[BOUNCES, 0] == pytest.approx(prior)
    old = learned(epochs(*[0.022] * 10, newest=31)).usual[BOUNCES, 0]
    assert 0.018 < old <= 0.025


def test_an_incident_does_not_teach_that_it_is_normal():
    found = epochs(*[0.005] * 20, *[0.024] * 20, newest=31)
    since = found[20].first
    trusting = learned(found).usual[BOUNCES, 0]
    wary = learned(found, [Unlearned(BOUNCES, since, None)]).usual[BOUNCES, 0]
    assert wary < 0.008 < trusting
    assert learned(found, [Unlearned(COMPLAINTS, since, None)]).usual[BOUNCES, 0] == pytest.approx(trusting)
    accepted = learned(found, [Unlearned(BOUNCES, since, None)], accepted=NOW).usual[BOUNCES, 0]
    assert accepted == pytest.approx(trusting)


def test_young_epochs_do_not_count_as_good_ones():
    """Their bounces and complaints have not come yet."""
    silent = epochs(*[0.0] * 10, newest=0)
    few = learned(silent[-1:])
    assert few.usual[BOUNCES, 0] == pytest.approx(baselines.unknown(Class.MARKETING, 2).usual[BOUNCES, 0])


def test_one_huge_campaign_tells_about_itself():
    one = learned(epochs(0.004, mails=5_000_000, newest=5))
    many = learned(epochs(*[0.004] * 20, mails=250_000, newest=5))
    assert many.usual[BOUNCES, 0] < one.usual[BOUNCES, 0]
    assert many.steadiness[BOUNCES, 0] > one.steadiness[BOUNCES, 0]


def test_rough_campaigns_make_the_null_wide():
    rough = learned(epochs(*[0.002, 0.012] * 10)).steadiness[BOUNCES, 0]
    smooth = learned(epochs(*[0.007] * 20)).steadiness[BOUNCES, 0]
    assert rough < smooth / 2


def test_mail_to_providers_that_return_no_complaints_does_not_look_good():
    found = epochs(*[0.005] * 20)
    for epoch in found:
        epoch.sent[1] = 50_000
        epoch.events[COMPLAINTS][0] = 3
    assert learned(found).mean[COMPLAINTS, 0] > 0.0004


def test_a_better_normal_does_not_turn_the_past_into_evidence():
    versions = Versions(learned([]))
    old = versions.number
    versions.add(learned(epochs(*[0.003] * 20)), oldest=old)
    assert versions.number == old + 1
    now, before = versions.index(np.array([versions.number, old]))
    assert versions.usual[before, BOUNCES, 0] > 2 * versions.usual[now, BOUNCES, 0]
    assert versions.steadiness[before, BOUNCES, 0] < versions.steadiness[now, BOUNCES, 0]
    versions.add(learned([]), oldest=versions.number)
    assert versions.usual[versions.index(np.array([1]))[0], BOUNCES, 0] == pytest.approx(0.0152)
