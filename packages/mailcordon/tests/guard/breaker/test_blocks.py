"""Blocks: few, fair to late events, and nothing is lost when they merge."""

import numpy as np
import pytest

from mailcordon.guard.breaker.blocks import Blocks
from mailcordon.guard.breaker.measures import DAY


def test_a_month_is_some_dozens_of_blocks_and_all_of_its_mail():
    blocks = Blocks(0, 2)
    for minute in range(0, 30 * DAY, 3):
        blocks.add_sent(minute, minute // (5 * DAY), 0, minute % 2, 10)
        blocks.add_event(minute, minute // (5 * DAY), 1, 0, 1)
    assert len(blocks) < 90
    count = len(blocks)
    assert blocks.sent[:, :count].sum() == sum(blocks.totals) == 10 * 10 * DAY
    assert blocks.events[1].sum() == 10 * DAY
    assert blocks.sent[:, count:].sum() == 0


def test_they_are_shorter_than_half_their_age():
    blocks = Blocks(0, 1)
    end = 20 * DAY
    for minute in range(end):
        blocks.add_sent(minute, 0, 0, 0, 1)
    for one, following in zip(blocks.starts, blocks.starts[1:], strict=False):
        assert following - one <= max(16, (end - one) // 2)


def test_the_weights_of_starts_are_at_most_one_a_day():
    blocks = Blocks(0, 1)
    for minute in range(0, 40 * DAY, 7):
        blocks.add_sent(minute, 0, 0, 0, 1)
    assert sum(blocks.weights) <= 41


def test_epochs_stay_apart_until_they_are_old():
    blocks = Blocks(0, 1)
    for campaign in range(6):
        for minute in range(30):
            blocks.add_sent(campaign * 40 + minute, campaign, 0, 0, 1000)
    assert set(blocks.epochs) == set(range(6))
    for minute in range(60):
        blocks.add_sent(59 * DAY + minute, 9, 0, 0, 1000)
    assert len(set(blocks.epochs)) == 2


def test_late_events_are_booked_on_the_mail_that_they_are_of():
    blocks = Blocks(0, 1)
    for minute in range(0, 3 * DAY, 5):
        blocks.add_sent(minute, minute // DAY, 0, 0, 10)
    assert blocks.add_event(10, 0, 0, 0, 3)
    index = int(blocks.events[0][0].argmax())
    assert blocks.epochs[index] == 0
    assert blocks.starts[index] <= 10 < blocks.starts[index + 1]


def test_mail_older_than_all_blocks_is_left_out():
    blocks = Blocks(100, 1)
    blocks.add_sent(100, 0, 0, 0, 10)
    assert not blocks.add_event(50, 0, 0, 0, 3)
    blocks.add_sent(50, 0, 0, 0, 10)
    assert sum(blocks.totals) == 10


def test_counts_never_fall_below_nothing():
    blocks = Blocks(0, 1)
    blocks.add_sent(5, 0, 0, 0, 10)
    blocks.add_event(5, 0, 0, 0, 1)
    blocks.add_event(5, 0, 0, 0, -4)
    blocks.add_sent(5, 0, 0, 0, -40)
    assert blocks.events[0].min() == 0
    assert blocks.sent.min() == 0
    blocks.add_event(5, 0, 0, 0, 2)
    assert blocks.events[0].sum() == 2


def test_a_block_that_merges_is_as_old_as_its_mail():
    blocks = Blocks(0, 1)
    for minute in range(300):
        blocks.add_sent(minute, 0, 0, 0, 1)
    for minute in range(60):
        blocks.add_sent(10 * DAY + minute, 0, 0, 0, 1)
    ages = blocks.layout.ages(11 * DAY)
    old = [index for index, start in enumerate(blocks.starts) if start < DAY]
    mean = np.average(ages[old], weights=np.array(blocks.totals)[old])
    assert mean == pytest.approx(11 * DAY - 149.5, abs=2)


def test_more_columns_change_nothing():
    blocks = Blocks(0, 2)
    for minute in range(100):
        blocks.add_sent(minute, 0, 0, 1, 5)
    blocks.widen(5)
    blocks.add_sent(101, 0, 0, 4, 7)
    assert blocks.sent[1].sum() == 500
    assert blocks.sent[4].sum() == 7


def test_mail_that_is_booked_late_makes_its_block_younger_or_older():
    blocks = Blocks(0, 1)
    for minute in range(300):
        blocks.add_sent(minute, 0, 0, 0, 1)
    for minute in range(60):
        blocks.add_sent(10 * DAY + minute, 0, 0, 0, 1)
    index = blocks.find(299, 0)
    centre, total = blocks.centres[index], blocks.totals[index]
    blocks.add_sent(299, 0, 0, 0, 50)
    assert blocks.centres[index] == pytest.approx((centre * total + 299 * 50) / (total + 50))
