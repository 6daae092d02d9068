"""Rates: over aged mail, with an interval, and of the mail that can bring such feedback."""

import math
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.guard.delays import DEFAULTS, Delay, Exponential, Lognormal, Signal
from mailcordon.observe import rates

HOUR = 3_600_000
AGES = st.floats(0, 40 * 86_400)
COUNTS = st.integers(0, 10_000_000)


@pytest.mark.parametrize("signal", list(Signal))
@given(one=AGES, other=AGES)
def test_the_share_seen_grows_from_0_to_1_with_age(signal: Signal, one: float, other: float) -> None:
    law = DEFAULTS[signal]
    early, late = sorted((one, other))
    assert 0 <= law.seen(early) <= law.seen(late) <= 1
    assert law.seen(0) == 0
    assert law.seen(law.mature) > 0.985
    # The mean of a time lies between the shares at its ends.
    assert law.seen(early) - 1e-6 <= law.mean(early, late) <= law.seen(late) + 1e-6


@pytest.mark.parametrize("law", [Exponential(20), Lognormal(900, 1.0), Lognormal(21_600, 1.2)])
def test_the_mean_share_of_a_time_is_the_mean_over_its_moments(law: Exponential | Lognormal) -> None:
    mixture = Delay(((1.0, law),), mature=1)
    for oldest in (30.0, 3_600.0, 86_400.0):
        steps = 20_000
        moments = [(index + 0.5) * oldest / steps for index in range(steps)]
        assert mixture.mean(0, oldest) == pytest.approx(sum(map(law.seen, moments)) / steps, abs=1e-4)


def test_half_the_complaints_have_come_after_six_hours_and_most_hard_bounces_after_a_minute() -> None:
    assert DEFAULTS[Signal.COMPLAINTS].seen(6 * 3600) == pytest.approx(0.5)
    assert 0.80 < DEFAULTS[Signal.BOUNCES].seen(60) < 0.82
    assert NormalDist().cdf(1.2) == pytest.approx(DEFAULTS[Signal.COMPLAINTS].seen(6 * 3600 * math.exp(1.44)))


@given(events=COUNTS, more=COUNTS)
def test_wilson_of_whole_counts_is_the_textbook_interval(events: int, more: int) -> None:
    sent = events + more
    low, high = rates.wilson(events, sent)
    if sent == 0:
        assert (low, high) == (0, 1)
        return
    z, p = 1.959964, events / sent
    centre = (p + z * z / (2 * sent)) / (1 + z * z / sent)
    half = z * math.sqrt(p * (1 - p) / sent + z * z / (4 * sent * sent)) / (1 + z * z / sent)
    assert low == pytest.approx(max(0, centre - half), abs=1e-9)
    assert high == pytest.approx(centre + half, abs=1e-9)
    assert 0 <= low <= p <= high + 1e-12 <= 1 + 1e-9


@given(events=st.integers(0, 1000), exposure=st.floats(0, 1e7))
def test_an_interval_of_any_exposure_lies_in_0_to_1_and_holds_its_rate(events: int, exposure: float) -> None:
    found = rates.aged(events, math.ceil(exposure), exposure)
    assert 0 <= found.low <= found.high <= 1
    if found.rate is not None:
        assert found.low - 1e-12 <= found.rate <= found.high + 1e-12


@given(events=st.integers(0, 100), exposure=st.floats(0.5, 1e6), factor=st.floats(1.0, 100.0))
def test_more_exposure_at_the_same_count_lowers_both_ends(
    events: int, exposure: float, factor: float
) -> None:
    low, high = rates.wilson(events, exposure + events)
    less_low, less_high = rates.wilson(events, (exposure + events) * factor)
    assert less_low <= low + 1e-12
    assert less_high <= high + 1e-12


def test_the_example_of_the_sentence() -> None:
    found = rates.aged(31, 420, 420)
    assert [round(100 * value, 1) for value in (found.rate or 0, found.low, found.high)] == [7.4, 5.2, 10.3]


def test_a_complaint_at_a_provider_that_reports_is_not_diluted_by_gmail() -> None:
    """1 of 21 mails, 20 of them to Gmail, which never reports: not 4.76 %."""
    found = rates.complaints(1, 21, 1.0, silent_complained=0, silent_sent=20)
    assert (found.events, found.sent, found.rate) == (1, 1, 1.0)
    assert found.left_out == pytest.approx(20 / 21)
    assert found.low > 0.0476


def test_mail_to_silent_providers_only_has_no_complaint_rate() -> None:
    found = rates.complaints(0, 20, 0.0, silent_complained=0, silent_sent=20)
    assert (found.rate, found.low, found.high, found.left_out) == (None, 0.0, 1.0, 1.0)


def test_complaints_of_a_fresh_campaign_are_not_called_few() -> None:
    """An hour after 10,000 mails, 7 complaints are a rate of about 1 %, not 0.07 %, and the rate is marked young."""
    weights = rates.weights(0, 60_000, HOUR)
    found = rates.aged(7, 10_000, 10_000 * weights.complaints)
    assert found.rate is not None
    assert 0.008 < found.rate < 0.013
    assert found.young
    later = rates.weights(0, 60_000, 72 * HOUR)
    assert not rates.aged(7, 10_000, 10_000 * later.complaints).young


def test_mail_of_a_bucket_that_is_still_filling_is_no_younger_than_now() -> None:
    assert rates.weights(0, 10 * HOUR, HOUR) == rates.weights(0, HOUR, HOUR)
    assert rates.weights(HOUR, 2 * HOUR, HOUR).bounces == 0


def test_counts_below_0_count_as_0() -> None:
    """A delivery that moves is taken from one minute before it is added to another."""
    found = rates.aged(-1, -2, -1.5)
    assert (found.events, found.sent, found.rate, found.young) == (0, 0, None, False)


@given(
    st.lists(
        st.tuples(st.integers(0, 50), st.floats(1.0, 1e6), st.integers(0, 50), st.floats(1.0, 1e6)),
        min_size=1,
        max_size=30,
    )
)
def test_the_parts_of_a_movement_add_up_to_it(parts: list[tuple[int, float, int, float]]) -> None:
    now = sum(part[0] for part in parts) / sum(part[1] for part in parts)
    before = sum(part[2] for part in parts) / sum(part[3] for part in parts)
    assert sum(rates.movement(parts)) == pytest.approx(now - before, abs=1e-9)


def test_mail_that_grew_at_the_usual_rate_moves_nothing() -> None:
    good, bad = rates.movement([(100, 10_000, 10, 1_000), (90, 1_000, 10, 1_000)])
    assert good == pytest.approx(0)
    assert bad > 0


def test_evidence_grows_with_the_count_and_is_none_at_the_healthy_rate() -> None:
    assert rates.evidence(8, 1000, 0.008) == pytest.approx(0)
    assert rates.evidence(4, 1000, 0.008) < 0
    assert rates.evidence(1, 2, 0.008) < rates.evidence(80, 1000, 0.008)
    assert rates.evidence(200, 50_000, 0.008) < 0


@pytest.mark.parametrize(
    ("now", "other", "expected"),
    [
        ((31, 420), (8, 1000), "above"),
        ((8, 1000), (31, 420), "below"),
        ((1, 20), (8, 1000), "like"),
        ((0, 0), (8, 1000), "unknown"),
        ((1, 20), None, "unknown"),
    ],
)
def test_a_rate_differs_from_another_when_their_intervals_are_apart(
    now: tuple[int, int], other: tuple[int, int] | None, expected: str
) -> None:
    against = None if other is None else rates.aged(*other, other[1])
    assert rates.standing(rates.aged(*now, now[1]), against) == expected
