"""Rates hold over any interval, released lanes ramp up, the account's rate is shared, and no class starves."""

from collections import Counter
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.send import limits
from mailcordon.send.limits import AccountRate, Bucket, Grant

NOW = 1_790_000_000_000
STEPS = st.lists(st.tuples(st.integers(0, 5_000), st.integers(1, 400)), min_size=1, max_size=60)
RATES = st.floats(0.05, 500)


# LANES ---------------------------------------------------------------------------------------------------------------------


@given(RATES, STEPS)
def test_a_lane_never_exceeds_its_rate_over_any_interval(rate, steps):
    bucket, now, sent = Bucket(rate, 0.0, NOW), NOW, []
    for wait, want in steps:
        now += wait
        bucket = bucket.refilled(now)
        granted = min(want, bucket.whole)
        bucket = bucket.spent(granted)
        sent.append((now, granted))
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            took = sum(n for _, n in sent[first : last + 1])
            seconds = (sent[last][0] - sent[first][0]) / 1000
            assert took <= max(1.0, rate) + rate * seconds + 0.01


def test_a_quiet_lane_saves_at_most_a_second_of_work():
    assert Bucket(50, 0.0, NOW).refilled(NOW + 3_600_000).whole == 50


def test_a_slow_lane_still_gets_a_whole_mail():
    assert Bucket(0.01, 0.0, NOW).refilled(NOW + 100_000).whole == 1


def test_a_rate_of_zero_stops_a_lane_including_saved_tokens():
    bucket = Bucket(0, 5.0, NOW).refilled(NOW + 1_000)
    assert bucket.whole == 0
    assert bucket.next_at() is None


@given(RATES, st.floats(0, 0.99))
def test_the_next_visit_has_a_token_and_is_not_much_too_late(rate, tokens):
    bucket = Bucket(rate, tokens, NOW)
    at = bucket.next_at()
    assert at is not None
    assert bucket.refilled(at).whole >= 1
    assert at - NOW <= ceil(1000 / rate) + 2


def test_a_clock_that_was_set_back_gives_no_tokens_and_stops_no_lane():
    now = NOW - 600_000
    bucket = Bucket(10, 0.0, NOW).refilled(now)
    assert bucket.tokens == 0
    assert bucket.refilled(now + 500).whole == 5


def test_another_dispatchers_clock_that_is_a_little_ahead_gives_no_tokens_twice():
    bucket = Bucket(10, 0.0, NOW).refilled(NOW - 500)
    assert bucket.refilled(NOW).whole == 0


# RAMPS ---------------------------------------------------------------------------------------------------------------------


def test_a_released_lane_starts_slowly_and_is_free_after_a_minute():
    rates = [limits.ramp(NOW, NOW + ms) or 0 for ms in range(0, limits.RAMP_MS, 500)]
    assert rates[0] == 20
    assert rates == sorted(rates)
    assert limits.ramp(NOW, NOW + limits.RAMP_MS) is None


@given(st.integers(1, 3_600), st.integers(0, 3_600_000))
def test_a_ramp_of_any_length_starts_at_20_a_second_and_lets_go_what_its_rates_add_up_to(seconds, elapsed):
    ramp_ms = seconds * 1000
    assert limits.ramp(NOW, NOW, ramp_ms) == 20
    if elapsed >= ramp_ms:
        assert limits.released(elapsed, ramp_ms) == limits.UNLIMITED
        return
    steps = [(n + 0.5) * elapsed / 1000 for n in range(1000)]
    total = sum((limits.ramp(0, step, ramp_ms) or 0) * elapsed / 1_000_000 for step in steps)
    assert limits.released(elapsed, ramp_ms) == pytest.approx(total, rel=0.01, abs=1.1)


def test_a_lane_that_was_never_held_has_no_ramp():
    assert limits.ramp(None, NOW) is None


def test_a_clock_that_steps_back_after_a_release_does_not_end_the_ramp():
    assert limits.ramp(NOW, NOW - 3_000) == 20


def test_the_lower_of_rate_and_ramp_counts():
    assert limits.effective_rate(5, NOW, NOW) == 5
    assert limits.effective_rate(500, NOW, NOW) == 20
    assert limits.effective_rate(None, NOW, NOW) == 20
    assert limits.effective_rate(5, None, NOW) == 5
    assert limits.effective_rate(0, NOW, NOW) == 0
    assert limits.effective_rate(None, None, NOW) is None


# THE ACCOUNT ---------------------------------------------------------------------------------------------------------------


def account(**over) -> AccountRate:
    return AccountRate(
        **{
            "ceiling": 100.0,
            "rate": 100.0,
            "tokens": 100.0,
            "at": NOW,
            "quota": None,
            "remaining": 0.0,
            "sending_enabled": True,
            **over,
        }
    )


@given(
    st.floats(1, 1_000),
    st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 2_000), st.booleans()), min_size=1, max_size=60),
)
def test_the_account_never_exceeds_what_ses_allows_over_any_interval(ceiling, steps):
    row, now, sent = account(ceiling=ceiling, rate=ceiling, tokens=0.0), NOW, []
    for wait, want, urgent in steps:
        now += wait
        grant, row = row.take(want, urgent=urgent, now=now)
        sent.append((now, grant.calls))
    for first in range(len(sent)):
        for last in range(first, len(sent)):
            took = sum(n for _, n in sent[first : last + 1])
            seconds = (sent[last][0] - sent[first][0]) / 1000
            assert took <= ceiling * (1 + seconds) + 0.01


def test_no_more_is_granted_than_was_asked_for():
    assert account().take(7, urgent=True, now=NOW)[0].calls == 7


def test_a_fifth_of_the_rate_is_kept_for_urgent_mail():
    grant, row = account().take(1_000, urgent=False, now=NOW)
    assert grant.calls == 80
    assert row.take(1_000, urgent=False, now=NOW)[0].calls == 0
    assert row.take(1_000, urgent=True, now=NOW)[0].calls == 20


def test_at_one_mail_a_second_there_is_no_urgent_reserve():
    sandbox = account(ceiling=1.0, rate=1.0, tokens=1.0)
    assert sandbox.take(5, urgent=False, now=NOW)[0].calls == 1


def test_a_throttling_answer_empties_the_bucket_and_slows_the_refill():
    row = account().throttled(NOW)
    assert row.take(10, urgent=True, now=NOW)[0].calls == 0
    assert row.rate == pytest.approx(70)


def test_the_rate_climbs_back_to_what_ses_allows_and_no_further():
    row = account().throttled(NOW)
    now, rates = NOW, []
    for _ in range(20):
        now += 1_000
        _, row = row.take(1_000, urgent=True, now=now)
        rates.append(row.rate)
    assert rates == sorted(rates)
    assert rates[5] < 100
    assert rates[-1] == 100


def test_throttling_never_stops_the_account_for_good():
    row = account(ceiling=14.0, rate=14.0)
    for _ in range(50):
        row = row.throttled(NOW)
    assert row.rate == 1.0
    assert row.take(5, urgent=False, now=NOW + 2_000)[0].calls >= 1


def test_a_lower_ceiling_applies_at_once():
    assert account(ceiling=10.0).take(1_000, urgent=True, now=NOW)[0].calls == 10


def test_no_more_than_the_rest_of_the_daily_quota_is_granted():
    assert account(quota=10.0, remaining=3.0).take(50, urgent=True, now=NOW)[0].calls == 3
    assert account(quota=10.0, remaining=0.0).take(50, urgent=True, now=NOW)[0].calls == 0
    assert account(quota=10.0, remaining=-2.0).take(50, urgent=True, now=NOW)[0].calls == 0


def test_a_tenth_of_the_daily_quota_is_kept_for_urgent_mail():
    row = account(quota=400.0, remaining=45.0)
    assert row.take(50, urgent=False, now=NOW)[0] == Grant(5, limited=True)
    assert account(quota=400.0, remaining=40.0).take(50, urgent=False, now=NOW)[0].calls == 0
    assert row.take(5, urgent=True, now=NOW)[0] == Grant(5, limited=True)
    assert row.take(20, urgent=True, now=NOW)[0] == Grant(20, limited=True, reserve_left=40)
    assert account(quota=400.0, remaining=12.0).take(20, urgent=True, now=NOW)[0].reserve_left == 12


def test_nothing_is_granted_in_advance_from_the_reserve():
    row = account(quota=400.0, remaining=60.0)
    assert row.take(10, urgent=True, most=80, now=NOW)[0].calls == 10
    assert row.take(10, urgent=True, most=20, now=NOW)[0].calls == 20


@given(st.integers(1, 1000), st.lists(st.tuples(st.integers(0, 5), st.integers(1, 100)), max_size=60))
def test_no_tenant_takes_more_of_the_reserve_than_it_leaves(reserve, asks):
    left, used = reserve, Counter()
    for tenant, want in asks:
        n = min(want, limits.of_reserve(left, used[tenant]), left)
        left, used[tenant] = left - n, used[tenant] + n
    assert max(used.values(), default=0) <= (reserve + 1) // 2
    if len(used) == 1:
        assert left >= reserve // 2


def test_a_clock_that_was_set_back_does_not_stop_the_account():
    now = NOW - 600_000
    grant, row = account(tokens=0.0).take(50, urgent=True, now=now)
    assert grant.calls == 0
    assert row.take(50, urgent=True, now=now + 500)[0].calls == 50


def test_an_account_that_ses_switched_off_sends_nothing():
    assert account(sending_enabled=False).take(50, urgent=True, now=NOW)[0].calls == 0


# CLASSES -------------------------------------------------------------------------------------------------------------------

WEIGHTS = {int(c): defaults.weight for c, defaults in CLASS_DEFAULTS.items()}
WAITING = st.dictionaries(st.sampled_from([0, 1, 2]), st.integers(0, 50), min_size=1)
CHANCES = st.floats(0, 1, exclude_max=True)


@given(st.integers(1, 500), WAITING, CHANCES)
def test_shares_add_up_to_the_free_slots(slots, waiting, chance):
    given_ = limits.shares(slots, waiting, WEIGHTS, chance)
    assert all(n >= 0 for n in given_.values())
    assert sum(given_.values()) == (slots if any(waiting.values()) else 0)


@given(st.integers(1, 500), WAITING, CHANCES)
def test_a_class_without_mail_gets_nothing(slots, waiting, chance):
    given_ = limits.shares(slots, waiting, WEIGHTS, chance)
    assert all(given_[c] == 0 for c, n in waiting.items() if n == 0)


@given(st.integers(1, 500), CHANCES)
def test_each_class_has_its_weights_share_to_within_a_slot(slots, chance):
    given_ = limits.shares(slots, {0: 1, 1: 1, 2: 1}, WEIGHTS, chance)
    for class_, weight in WEIGHTS.items():
        assert abs(given_[class_] - slots * weight / 13) <= 1


@pytest.mark.parametrize("slots", [1, 2, 3])
def test_no_class_starves_however_few_slots_there_are(slots):
    total: Counter[int] = Counter()
    for n in range(1_300):
        total.update(limits.shares(slots, {0: 9, 1: 9, 2: 9}, WEIGHTS, n / 1_300))
    for class_, weight in WEIGHTS.items():
        assert total[class_] == pytest.approx(slots * 100 * weight, abs=2)


def test_the_last_class_with_mail_gets_everything():
    assert limits.shares(64, {0: 0, 1: 0, 2: 3}, WEIGHTS, 0.5)[Class.MARKETING] == 64
