"""Objectives: what counts as bad, how much of a budget is spent, and when it goes too fast. Pure."""

import math
from dataclasses import replace

import pytest

from mailcordon.core.errors import Invalid
from mailcordon.core.priority import Class
from mailcordon.guard import objectives
from mailcordon.guard.objectives import (
    TIME_BOUNDS,
    TIME_CLASSES,
    WINDOWS,
    Cell,
    Goal,
    Objective,
    Standing,
    Tally,
    first_late,
    judge,
    percentile,
    tally,
    time_class,
)
from mailcordon.guard.policy import difference, document, layers
from mailcordon.guard.policy.effective import ObjectivePolicy

NOW = 30_000_000
BOUNCES = Objective(goal=Goal.BOUNCES, may_be_bad=0.02, days=28)
DELIVERED = Objective(goal=Goal.DELIVERED, may_be_bad=0.02, days=28)
IN_30_S = Objective(goal=Goal.DELIVERY_TIME, may_be_bad=0.05, days=28, seconds=30)


def windows(long: Tally, short: Tally, rest: Tally | None = None) -> dict[int, Tally]:
    """An hour and its last ten minutes; all longer windows have `rest`."""
    found = dict.fromkeys(WINDOWS, rest or Tally(0, 1e6))
    found[60], found[10] = long, short
    return found


def test_a_policy_is_the_objectives_that_it_sets_for_all_mail_and_for_each_provider_it_names() -> None:
    policy = ObjectivePolicy(
        delivered=0.99, delivered_seconds=30, bounces=None, complaints=0.001, days=7, providers=("gmail",)
    )
    found = objectives.objectives(policy)
    assert [(one.goal, one.provider) for one in found] == [
        (goal, provider)
        for provider in (None, "gmail")
        for goal in (Goal.DELIVERED, Goal.DELIVERY_TIME, Goal.COMPLAINTS)
    ]
    assert math.isclose(found[0].may_be_bad, 0.01)
    assert (found[1].may_be_bad, found[1].seconds, found[1].days) == (0.05, 30, 7)


def test_recipients_that_are_gone_and_mail_on_its_way_say_nothing_of_delivery() -> None:
    cell = Cell(start=NOW - 20, span=10, sent=1_000, delivered=900, hard_bounced=30, bounced=40, gone=25)
    assert tally([cell], DELIVERED, NOW - 60, NOW) == Tally(15, 915.0)
    more = replace(cell, rejected=2, not_sent=3)
    assert tally([more], DELIVERED, NOW - 60, NOW) == Tally(20, 920.0)


def test_mail_that_is_younger_than_its_feedback_counts_less() -> None:
    young = Cell(start=NOW, span=1, sent=1_000, heard=1_000, hard_bounced=10, complained=1)
    old = replace(young, start=NOW - 5 * 1440)
    bounces = [tally([one], BOUNCES, 0, NOW).of for one in (young, old)]
    assert 700 < bounces[0] < 900 < 999 < bounces[1]
    complaints = replace(BOUNCES, goal=Goal.COMPLAINTS)
    assert [tally([one], complaints, 0, NOW).of > 900 for one in (young, old)] == [False, True]


def test_a_window_has_the_cells_that_reach_into_it() -> None:
    cells = [Cell(start=NOW - ago, span=10, sent=0, hard_bounced=ago) for ago in (100, 70, 69, 5)]
    assert tally(cells, BOUNCES, NOW - 60, NOW).bad == 69 + 5


def test_feedback_that_is_faster_than_assumed_makes_no_share_above_1() -> None:
    cell = Cell(start=NOW, span=1, sent=10, hard_bounced=10)
    found = tally([cell], BOUNCES, 0, NOW)
    assert (found.share, found.bad) == (1.0, 10)
    assert tally([Cell(start=NOW, span=1, sent=-3, hard_bounced=-3)], BOUNCES, 0, NOW).bad == 0


def test_a_time_is_late_only_in_a_class_that_is_wholly_later() -> None:
    for seconds in (0, 1, 1.5, 30, 30.001, 86_400, 90_000):
        place = time_class(seconds)
        assert place == len([bound for bound in TIME_BOUNDS if bound < seconds])
        assert place < TIME_CLASSES
        assert place < first_late(seconds)
    times = [0] * TIME_CLASSES
    for seconds in (12, 29, 30, 31, 50):
        times[time_class(seconds)] += 1
    assert tally([Cell(start=NOW, span=10, times=times)], IN_30_S, 0, NOW) == Tally(2, 5.0)
    waits = Cell(start=NOW, span=1, overdue=4)
    assert tally([Cell(start=NOW, span=10, times=times), waits], IN_30_S, 0, NOW) == Tally(6, 9.0)
    # An objective between two bounds counts as the higher one.
    assert tally([Cell(start=NOW, span=10, times=times)], replace(IN_30_S, seconds=35), 0, NOW).bad == 1


def test_a_percentile_is_the_upper_end_of_its_class() -> None:
    times = [0] * TIME_CLASSES
    assert percentile(times, 0.95) is None
    times[time_class(1)], times[time_class(8)] = 95, 5
    assert (percentile(times, 0.95), percentile(times, 0.951)) == (1.0, 10.0)
    times[-1] = 100
    assert percentile(times, 0.95) == math.inf


def test_the_budget_is_the_share_of_the_mail_that_may_be_bad() -> None:
    found = judge(BOUNCES, Tally(30, 3_000), windows(Tally(0, 0), Tally(0, 0)))
    assert (found.allowed, found.spent, found.left, found.standing) == (60.0, 0.5, 0.5, Standing.MET)
    over = judge(BOUNCES, Tally(90, 3_000), windows(Tally(0, 0), Tally(0, 0)))
    assert (over.spent, over.left, over.standing) == (1.5, 0.0, Standing.SPENT)
    none = judge(BOUNCES, Tally(0, 0), windows(Tally(0, 0), Tally(0, 0)))
    assert (none.standing, none.burning) == (Standing.UNKNOWN, None)


def test_a_budget_that_goes_fast_is_an_alarm() -> None:
    found = judge(BOUNCES, Tally(70, 3_000), windows(Tally(60, 150), Tally(15, 40)))
    assert found.standing is Standing.BURNING
    assert found.burning is not None
    assert found.burning.pace.name == "fast"
    assert math.isclose(found.burning.long_rate, 20)
    # It was, and no longer is.
    assert judge(BOUNCES, Tally(70, 3_000), windows(Tally(60, 150), Tally(1, 40))).burning is None


def test_a_few_bad_mails_of_a_lane_with_little_mail_at_night_are_no_alarm() -> None:
    night = windows(Tally(3, 5), Tally(3, 5))
    assert judge(BOUNCES, Tally(3, 200), night).burning is None
    # Five of twelve burn 20 times, and are a thousandth of the budget of a large lane.
    small = windows(Tally(5, 12), Tally(5, 12))
    assert judge(BOUNCES, Tally(900, 250_000), small).burning is None
    assert judge(BOUNCES, Tally(5, 300), small).burning is not None


def test_a_share_that_luck_explains_is_no_alarm() -> None:
    """Slightly above the allowed share, with a tenth of the budget in three days: not yet, then with more of the same."""
    some = windows(Tally(0, 0), Tally(0, 0), Tally(23, 1_000))
    assert judge(BOUNCES, Tally(40, 4_000), some).burning is None
    much = windows(Tally(0, 0), Tally(0, 0), Tally(900, 30_000))
    found = judge(BOUNCES, Tally(1_000, 60_000), much)
    assert found.burning is not None
    assert found.burning.pace.name == "steady"


def test_an_alarm_does_not_come_and_go_with_its_evidence() -> None:
    # 6.9 nats: too few to begin, enough to last.
    lasting = windows(Tally(6, 17), Tally(3, 8))
    assert 5 < objectives.evidence(Tally(6, 17), 0.02) < 15
    weak = windows(Tally(5, 17), Tally(3, 8))
    nats = objectives.evidence(Tally(5, 17), 0.02)
    assert 5 < nats < 10
    assert judge(BOUNCES, Tally(6, 300), lasting).burning is not None
    assert judge(BOUNCES, Tally(5, 300), weak).burning is None
    assert judge(BOUNCES, Tally(5, 300), weak, open=True).burning is not None


def test_a_document_names_the_providers_that_must_reach_the_same() -> None:
    def read(providers: object) -> ObjectivePolicy:
        part = {"because": "x", "objectives": {"providers": providers}}
        found = document.parse({"version": 1, "tenants": {"acme": part}})
        explained = layers.effective(found, 1, "acme", "newsletter", Class.MARKETING)
        assert difference.shown(explained.values["objectives.providers"].value) == "gmail, yahoo"
        return explained.policy.objectives

    assert read(["gmail", "yahoo", "gmail"]).providers == ("gmail", "yahoo")
    for wrong in ("gmail", 5, ["nobody"]):
        with pytest.raises(Invalid) as refused:
            read(wrong)
        assert [fault.field for fault in refused.value.faults] == ["tenants.acme.objectives.providers"]
