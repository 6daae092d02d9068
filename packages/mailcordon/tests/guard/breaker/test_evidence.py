"""The statistic, against a slow calculation by the book, and against what it promises of healthy mail."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from mailcordon.guard.breaker.blocks import Blocks
from mailcordon.guard.breaker.cases import healthy_again
from mailcordon.guard.breaker.evidence import fixed, mixture
from mailcordon.guard.breaker.measures import ABSOLUTE, DAY, RELATIVE, weight_until

Floats = NDArray[np.float64]


def by_the_book(
    epochs: list[int], weights: list[float], x: Floats, e: Floats, c: Floats, a: Floats
) -> tuple[float, float]:
    """detection.md, section 4: every start, every alternative, every epoch, one after the other."""
    relative = absolute = 0.0
    for start, weight in enumerate(weights):
        seen = x[start:].sum()
        if seen == 0:
            continue
        for rho in RELATIVE:
            log = seen * math.log(rho)
            for epoch in set(epochs[start:]):
                of = [index for index in range(start, len(epochs)) if epochs[index] == epoch]
                steady = a[epochs.index(epoch)]
                xs, es = x[of].sum(), e[of].sum()
                log += (steady + xs) * math.log((steady + es) / (steady + rho * es))
            relative += 0.5 * weight * math.exp(log) / len(RELATIVE)
        for rho in ABSOLUTE:
            log = seen * math.log(rho) - (rho - 1) * c[start:].sum()
            absolute += 0.5 * weight * math.exp(log) / len(ABSOLUTE)
    return math.log(relative), math.log(absolute)


@pytest.mark.parametrize("epochs", [[0, 0, 0, 1, 1, 2], [0, 1, 0, 1, 2, 0], [3, 3, 3, 3, 3, 3]])
def test_it_is_what_the_book_says(epochs: list[int]):
    random = np.random.default_rng(5)
    blocks = Blocks(1000, 1)
    for index, epoch in enumerate(epochs):
        blocks.add_sent(1000 + 7 * index, epoch, 0, 0, 100)
    x = random.poisson(3, 6).astype(float)
    e, c = random.uniform(1, 3, 6), random.uniform(2, 5, 6)
    a = np.array([2.0 + epochs.index(each) for each in epochs])
    found = mixture(x[None], e[None], c[None], a[None], blocks.layout)
    relative, absolute = by_the_book(epochs, blocks.weights, x, e, c, a)
    assert found.relative[0] == pytest.approx(relative)
    assert found.absolute[0] == pytest.approx(absolute)
    assert np.logaddexp.reduce(found.alternatives[0]) == pytest.approx(np.logaddexp(relative, absolute))


@pytest.mark.parametrize("epochs", [[0, 0, 0, 1, 1, 2], [0, 1, 0, 1, 2, 0]])
def test_an_epoch_by_itself_is_judged_from_its_beginning(epochs: list[int]):
    blocks = Blocks(1000, 1)
    for index, epoch in enumerate(epochs):
        blocks.add_sent(1000 + 7 * index, epoch, 0, 0, 100)
    x, e, c = np.array([4.0, 0, 3, 9, 0, 0]), np.linspace(1, 3, 6), np.linspace(2, 5, 6)
    layout = blocks.layout
    assert {number: start for number, (_, start) in layout.heads.items()} == {
        each: 1000 + 7 * epochs.index(each) for each in set(epochs)
    }
    heads = [layout.heads[each][0] for each in range(3)]
    found = mixture(x[None], e[None], c[None], np.full((1, 6), 3.0), layout, heads).epochs
    assert found is not None
    for number in range(3):
        of = [index for index, each in enumerate(epochs) if each == number]
        known = fixed(x[of].sum(), e[of].sum(), c[of].sum(), 3.0)
        assert found[number].tolist() == pytest.approx(known.alternatives)


def test_no_events_are_no_evidence():
    blocks = Blocks(0, 1)
    blocks.add_sent(5, 0, 0, 0, 100)
    one = np.ones((1, 1))
    found = mixture(np.zeros((1, 1)), one, one, one, blocks.layout)
    assert max(found.relative[0], found.absolute[0]) < -1e9
    assert fixed(0, 1.0, 1.0, 1.0).relative < -1e9


def test_one_campaign_is_one_unusual_campaign_whatever_its_size():
    """With a = 9, at 1.8 times the usual rate: evidence saturates at a (rho - 1 - log rho) for each alternative."""
    nats = [fixed(1.8 * usual, usual, 1e9, 9.0).relative for usual in (1e2, 1e4, 1e6)]
    assert nats[0] < nats[1] < nats[2] + 1e-9
    assert nats[2] - nats[1] < 0.1
    assert nats[2] < 9 * (2 - 1 - math.log(2))
    steady = [fixed(1.8 * usual, usual, 1e9, 1e9).relative for usual in (1e2, 1e4)]
    assert steady[1] > 90 * steady[0], "without variation between campaigns each mail is a proof"


@pytest.mark.parametrize("steadiness", [1.0, 9.0])
@pytest.mark.parametrize("usual", [0.5, 10.0, 200.0])
def test_healthy_campaigns_have_a_mean_ratio_of_at_most_one(steadiness: float, usual: float):
    """Of campaigns as the null says they vary, and of campaigns that do not vary at all. For each alternative apart."""
    random = np.random.default_rng(3)
    count = 40_000
    for theta in (random.gamma(steadiness, 1 / steadiness, count), np.ones(count)):
        x = random.poisson(theta * usual)
        for rho in (1.5, 2.0):
            logs = x * math.log(rho) + (steadiness + x) * math.log(
                (steadiness + usual) / (steadiness + rho * usual)
            )
            ratios = np.exp(logs)
            assert ratios.mean() <= 1 + 4 * ratios.std() / math.sqrt(count)
    for events in (0, 1, 7):
        found = fixed(events, usual, usual, steadiness)
        if events:
            ratio = events * math.log(2) + (steadiness + events) * math.log(
                (steadiness + usual) / (steadiness + 2 * usual)
            )
            assert found.alternatives[1] == pytest.approx(ratio - math.log(14))


def test_the_absolute_half_keeps_its_promise_at_the_very_ceiling():
    """detection.md, section 4: P(S >= A within T days) <= (T + 1) / A. Here A = 20, T = 10 days, at most 0.55."""
    random = np.random.default_rng(8)
    passed = 0
    for _ in range(20):
        blocks = Blocks(0, 1)
        worst = -math.inf
        for minute in range(0, 10 * DAY, 240):
            blocks.add_sent(minute, 0, 0, 0, 80)
            events = int(random.binomial(80, 0.025))
            if events:
                blocks.add_event(minute, 0, 0, 0, events)
                count = len(blocks)
                sent = blocks.sent[:, :count]
                found = mixture(
                    blocks.events[0][:, :count], sent, sent * 0.025 / 0.975, np.ones_like(sent), blocks.layout
                )
                worst = max(worst, float(found.absolute[0]) + math.log(2))
        passed += worst >= math.log(20)
    assert passed <= 0.55 * 20


def test_a_day_of_starts_weighs_one():
    assert weight_until(0) == 0
    for minute in (4096, 100_000, 1_000_000):
        assert weight_until(minute) <= minute / DAY + 1e-9
    for day in range(1, 30):
        assert 0.85 < weight_until((day + 1) * DAY) - weight_until(day * DAY) < 1.1


def test_a_probe_of_sick_mail_seldom_passes():
    """Mail at three times the usual rate, or at twice the ceiling, passes once in 20 times at most."""
    random = np.random.default_rng(2)
    usual, ceiling = 0.01, 0.025
    passed = 0
    for _ in range(400):
        events = 0
        for mails in range(1, 401):
            events += random.random() < 0.05
            if healthy_again(events, mails, usual, ceiling):
                passed += 1
                break
    assert 0 < passed <= 0.05 * 400 + 12
    assert healthy_again(1, 130, usual, ceiling)
    assert not healthy_again(0, 20, usual, ceiling), "no feedback is no recovery"
