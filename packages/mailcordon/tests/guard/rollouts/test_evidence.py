"""E-values of two paths: their mean under the null, and late feedback that favours nobody."""

import math

import pytest

from guard.rollouts.made import DAY0
from mailcordon.guard.rollouts import evidence
from mailcordon.guard.rollouts.evidence import Seen
from mailcordon.guard.rollouts.nouns import Margin, Measure, Side


def mean_of_evidence(
    margin: Margin, rates: tuple[float, float], of: tuple[float, float], null: tuple[float, float]
) -> float:
    """The mean of the e-value of one stratum when the true rates are `null`, over all counts."""
    shift = evidence.nats(Seen(0, of[0], 0, of[1]), margin, *rates)
    per_new = evidence.nats(Seen(1, of[0], 0, of[1]), margin, *rates) - shift
    per_old = evidence.nats(Seen(0, of[0], 1, of[1]), margin, *rates) - shift
    # Of Poisson counts with these means.
    return math.exp(
        shift
        + null[0] * of[0] * (math.exp(min(per_new, 50)) - 1)
        + null[1] * of[1] * (math.exp(min(per_old, 50)) - 1)
    )


MARGINS = (Margin(1.0, 0.005), Margin(1.5, 0.02), Margin(2.0, 0.0))


@pytest.mark.parametrize("of", [(50.0, 900.0), (300.0, 300.0), (600.0, 30.0)])
def test_evidence_of_harm_has_a_mean_of_at_most_one_whatever_the_old_path_has(
    of: tuple[float, float],
) -> None:
    for margin in MARGINS:
        for reference in (0.002, 0.02):
            for rates in evidence.worse(Measure.BOUNCED, margin, reference):
                for old in (0.0005, 0.002, 0.01, 0.05):
                    for part in (1.0, 0.6):  # on the margin, and well inside of it
                        mean = mean_of_evidence(margin, rates, of, (part * margin.of(old), old))
                        assert mean <= 1 + 1e-6, (margin, rates, old, part)


@pytest.mark.parametrize("of", [(50.0, 900.0), (300.0, 300.0)])
def test_evidence_of_health_has_a_mean_of_at_most_one_for_every_path_that_is_too_bad(
    of: tuple[float, float],
) -> None:
    for margin in MARGINS:
        for reference in (0.002, 0.02):
            for rates in evidence.alike(reference):
                for old in (0.0005, 0.002, 0.01, 0.05):
                    for more in (1.0, 1.7):
                        mean = mean_of_evidence(margin, rates, of, (more * margin.of(old), old))
                        assert mean <= 1 + 1e-6, (margin, rates, old, more)


def test_fewer_opens_than_the_margin_allows_are_evidence_and_more_are_not() -> None:
    margin = Margin(0.8, 0.0)
    for rates in evidence.worse(Measure.OPENED, margin, 0.3):
        for old in (0.05, 0.3):
            assert mean_of_evidence(margin, rates, (200.0, 800.0), (margin.of(old), old)) <= 1 + 1e-6
        assert evidence.nats(Seen(4, 200, 240, 800), margin, *rates) > 5
        assert evidence.nats(Seen(60, 200, 240, 800), margin, *rates) < 0


def test_a_path_without_mail_says_nothing() -> None:
    for seen in (Seen(0, 0, 5, 500), Seen(5, 500, 0, 0)):
        assert evidence.nats(seen, Margin(1.0, 0.005), 0.05, 0.008) == 0


def sent(ago: int) -> list[Side]:
    first = DAY0 - ago
    return [Side(first=first, last=first + 59, sent=1000, reported=1000, heard=1000)]


def test_late_feedback_never_favours_the_new_path() -> None:
    for measure in (Measure.COMPLAINED, Measure.BOUNCED, Measure.DELAYED):
        for ago in (60, 120, 600, 3000):
            accused = evidence.accused(measure, sent(ago), sent(ago), DAY0)
            acquitted = evidence.acquitted(measure, sent(ago), sent(ago), DAY0)
            # Accused: what has not come counts as if it could have come. Acquitted: less is credited to it than to the old path.
            assert accused.new_of >= accused.old_of
            assert acquitted.new_of <= acquitted.old_of
            assert acquitted.new_of <= accused.new_of
    # A complaint that has not come within the first hour acquits nobody.
    assert evidence.acquitted(Measure.COMPLAINED, sent(60), sent(60), DAY0).new_of < 10


def test_mail_is_missing_only_after_ten_minutes() -> None:
    side = Side(first=DAY0 - 5, last=DAY0 - 5, sent=50, reported=0)
    young = evidence.accused(Measure.UNREPORTED, [side], [side], DAY0)
    assert (young.new, young.new_of) == (0, 0)
    old = evidence.accused(Measure.UNREPORTED, [side], [side], DAY0 + 5)
    assert (old.new, old.new_of) == (50, 50)


def test_counts_that_fell_below_zero_are_none() -> None:
    side = Side(first=DAY0 - 90, last=DAY0 - 31, sent=50, reported=52, bounced=-1)
    for measure in (Measure.BOUNCED, Measure.UNREPORTED):
        assert evidence.accused(measure, [side], [side], DAY0).new == 0


def test_a_change_after_healthy_days_is_seen_as_if_they_had_not_been() -> None:
    healthy = [(day, -40.0) for day in range(1, 21)]
    assert evidence.since_any_day([*healthy, (21, 20.0)]) > 20 - math.log(21 * 22) - 0.01
    assert sum(1 / (day * (day + 1)) for day in range(1, 10_000)) < 1


@pytest.mark.parametrize("measure", [one for one in Measure if one is not Measure.UNREPORTED])
@pytest.mark.parametrize("age", [5, 45, 300, 2000])
def test_late_feedback_never_favours_the_answer_that_is_looked_for(measure: Measure, age: int) -> None:
    """Both paths sent the same and got the same: the accuser sees the new path at its best, the acquitter at its worst."""
    side = Side(first=1_000, last=1_059, sent=1_000, reported=1_000, heard=1_000, **{measure.value: 40})
    now = 1_059 + age
    accused, acquitted = (
        judged(measure, [side], [side], now) for judged in (evidence.accused, evidence.acquitted)
    )
    worse = -1 if measure is Measure.OPENED else 1
    assert worse * (accused.new / accused.new_of - accused.old / accused.old_of) <= 1e-12
    assert worse * (acquitted.new / acquitted.new_of - acquitted.old / acquitted.old_of) >= -1e-12
