"""How SES reviews an account, as a pure function of counts. The wire has its own tests in test_account_under_review.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from seslocal.state.account_review import HEALTHY, PROBATION, SHUTDOWN, AccountReview, ReviewRules

STEP = ReviewRules().interval
DAY = 86400.0
T = 1_767_571_200.0  # a start of an interval


def reviewed(rules: ReviewRules | None = None, **counts: int) -> AccountReview:
    review = AccountReview(rules)
    review.count(T, **counts)
    return review


@pytest.mark.parametrize(
    ("counts", "status"),
    [
        ({"mailed": 999, "bounced": 999}, HEALTHY),
        ({"mailed": 10_000, "bounced": 499}, HEALTHY),
        ({"mailed": 10_000, "bounced": 500}, PROBATION),
        ({"mailed": 10_000, "bounced": 999}, PROBATION),
        ({"mailed": 10_000, "bounced": 1000}, SHUTDOWN),
        ({"mailed": 10_000, "with_loop": 4_999, "complained": 40}, HEALTHY),
        ({"mailed": 10_000, "with_loop": 5_000, "complained": 4}, HEALTHY),
        ({"mailed": 10_000, "with_loop": 5_000, "complained": 5}, PROBATION),
        ({"mailed": 10_000, "with_loop": 5_000, "complained": 25}, SHUTDOWN),
        # complaints are a share of the mail to providers that report them, not of all mail
        ({"mailed": 1_000_000, "with_loop": 5_000, "complained": 25}, SHUTDOWN),
    ],
)
def test_rates_lead_to_a_review_and_to_a_pause(counts: dict[str, int], status: str) -> None:
    assert reviewed(None, **counts).status_at(T + STEP) == status


def test_what_is_counted_is_judged_at_the_end_of_its_interval_only() -> None:
    review = reviewed(mailed=10_000, bounced=5_000)
    assert review.status_at(T + STEP - 0.001) == HEALTHY
    assert review.status_at(T + STEP) == SHUTDOWN
    assert review.since == T + STEP


def test_the_order_of_counts_within_an_interval_changes_nothing() -> None:
    counts = [{"mailed": 600}, {"bounced": 300}, {"mailed": 9_000}, {"bounced": 200}, {"mailed": 400}]
    found: list[object] = []
    for order in (counts, counts[::-1], counts[2:] + counts[:2]):
        review = AccountReview()
        for second, one in enumerate(order):
            review.count(T + second, **one)
        review.move(T + STEP)
        found.append(review.snapshot())
    assert found[0] == found[1] == found[2]
    assert reviewed(mailed=10_000, bounced=500).status_at(T + STEP) == PROBATION


def test_a_small_sender_is_judged_by_its_last_ten_thousand_mails_however_old() -> None:
    review = AccountReview()
    for day in range(225):
        review.count(T + day * DAY, mailed=45)
    review.move(T + 225 * DAY)
    assert 10_000 <= review.bounces.mails < 10_000 + 2 * 45


def test_a_large_sender_is_judged_by_its_last_seven_days() -> None:
    review = AccountReview()
    for hour in range(24 * 30):
        review.count(T + hour * 3600, mailed=10_000)
    review.move(T + 30 * DAY)
    assert review.bounces.mails == (7 * 24 + 1) * 10_000  # and the hour that had begun


def test_a_bad_batch_weighs_less_in_a_large_account() -> None:
    for usual, status in ((1_000, SHUTDOWN), (20_000, PROBATION), (100_000, HEALTHY)):
        review = AccountReview()
        for day in range(7):
            review.count(T + day * DAY, mailed=usual)
        review.count(T + 6 * DAY + 60, mailed=50_000, bounced=12_500)
        assert review.status_at(T + 6 * DAY + STEP) == status, usual


def test_a_review_whose_cause_goes_on_ends_with_a_pause() -> None:
    review = reviewed(mailed=10_000, bounced=600)
    review.count(T + DAY, mailed=10_000, bounced=600)
    assert review.status_at(T + STEP + 14 * DAY - 1) == PROBATION
    assert review.status_at(T + STEP + 14 * DAY) == SHUTDOWN
    assert review.paused
    assert "The review period is over." in review.cause


@pytest.mark.parametrize("later", [{}, {"mailed": 20_000, "bounced": 100}])
def test_a_review_ends_well_if_the_sender_stopped_or_mended_it(later: dict[str, int]) -> None:
    review = reviewed(mailed=10_000, bounced=600)
    review.count(T + DAY, **later)
    assert review.status_at(T + STEP + 14 * DAY) == HEALTHY
    # what led to the review is not held against the account again
    assert (review.bounces.mails, review.bounces.bad) == (later.get("mailed", 0), later.get("bounced", 0))
    assert review.status_at(T + 30 * DAY) == HEALTHY


def test_a_review_becomes_a_pause_when_the_rate_rises() -> None:
    review = reviewed(mailed=10_000, bounced=600)
    assert review.status_at(T + STEP) == PROBATION
    review.count(T + STEP, mailed=1_000, bounced=900)
    assert review.status_at(T + 2 * STEP) == SHUTDOWN
    assert [change.status for change in review.changes] == [PROBATION, SHUTDOWN]


def test_the_third_review_for_the_same_is_a_pause() -> None:
    review, at = AccountReview(), T
    found: list[str] = []
    for _ in range(3):
        review.count(at, mailed=10_000, bounced=600)
        found.append(review.status_at(at + STEP))
        at += 20 * DAY
        review.move(at)
    assert found == [PROBATION, PROBATION, SHUTDOWN]


def test_a_pause_ends_by_hand_and_what_led_to_it_is_forgotten() -> None:
    review = reviewed(mailed=10_000, bounced=5_000)
    assert review.status_at(T + 365 * DAY) == SHUTDOWN
    review.set_by_hand(T + 365 * DAY, HEALTHY)
    assert review.status_at(T + 366 * DAY) == HEALTHY
    review.count(T + 366 * DAY, mailed=10_000, bounced=5_000)
    assert review.status_at(T + 367 * DAY) == SHUTDOWN


def test_a_pause_ends_after_its_time_if_one_is_set() -> None:
    review = reviewed(ReviewRules(pause=2 * DAY), mailed=10_000, bounced=5_000)
    assert review.status_at(T + STEP + 2 * DAY - 1) == SHUTDOWN
    assert review.status_at(T + STEP + 2 * DAY) == HEALTHY


def test_a_status_set_by_hand_stays_and_is_not_a_pause_by_rates() -> None:
    for status in (PROBATION, SHUTDOWN):
        review = AccountReview()
        review.set_by_hand(T, status)
        assert (review.status_at(T + 365 * DAY), review.paused) == (status, False)


def test_changed_rules_judge_what_was_counted_before() -> None:
    review = reviewed(mailed=100, bounced=50)
    assert review.status_at(T + STEP) == HEALTHY
    review.change_rules(T + STEP, replace(review.rules, minimum=100, interval=60))
    assert review.status_at(T + STEP + 1) == SHUTDOWN


def test_a_snapshot_restores_everything_but_the_rules() -> None:
    review = reviewed(mailed=10_000, bounced=600, with_loop=6_000, complained=1)
    review.count(T + DAY, mailed=10, bounced=2)
    copy = AccountReview()
    copy.restore(**review.snapshot())  # pyright: ignore[reportArgumentType]
    assert copy.snapshot() == review.snapshot()
    for each in (review, copy):
        each.count(T + 2 * DAY, mailed=10_000, bounced=900)
        assert each.status_at(T + STEP + 14 * DAY) == SHUTDOWN


def test_hours_and_changes_are_bounded() -> None:
    review = AccountReview(ReviewRules(minimum=1, repeats=10**6))
    for hour in range(11_000):
        review.count(T + hour * 3600, mailed=1)
    assert len(review.bounces.hours) == 10_000
    assert review.bounces.mails == sum(mails for _, mails, _ in review.bounces.hours)
    for turn in range(200):
        review.set_by_hand(T + 11_000 * 3600 + turn, PROBATION if turn % 2 else SHUTDOWN)
    assert len(review.changes) == 100


def test_a_clock_that_is_set_back_stops_no_review() -> None:
    review = AccountReview()
    assert review.status_at(T + 365 * DAY) == HEALTHY
    review.count(T, mailed=10_000, bounced=600)
    assert review.status_at(T + STEP) == PROBATION
    assert review.since == T + STEP
