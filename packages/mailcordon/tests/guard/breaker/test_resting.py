"""Lanes that rest decide as if they had never rested."""

import sys

import pytest

from mailcordon.guard.breaker import engine
from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.resting import Packer, Resting
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon_fixtures.breaker_mail import DAY, START, Post, lane


def play(breaker: Breaker) -> Post:
    """Old and new lanes, some with a bad list, over eight days."""
    for number in range(12):
        breaker.lane(lane(number, labels={"x"}, since=START - (400 * DAY if number < 8 else 0)))
    post = Post(breaker)
    for day in range(8):
        for number in range(12):
            at = post.minute + 60 * number
            bad = 0.15 if number in (2, 9) and day == 6 else 0.01
            post.send(900, at=at, number=number, campaign=f"c{day}", bounces=bad)
            post.send(40, at=at + 400, number=number, only=2 + day % 3)
        post.run(DAY)
    return post


def test_what_is_decided_does_not_depend_on_how_many_lanes_are_awake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "QUIET_MINUTES", 10**9)
    never = play(Breaker(most_awake=10**9))
    assert any(each.level for each in never.decisions), "there is something to compare"
    monkeypatch.setattr(engine, "QUIET_MINUTES", 5)
    monkeypatch.setattr(engine, "FEW_AWAKE", 0)
    quiet = play(Breaker())
    assert quiet.decisions == never.decisions
    monkeypatch.setattr(engine, "QUIET_MINUTES", 60)
    one = play(Breaker(most_awake=1))
    assert one.decisions == never.decisions
    for number in range(12):
        assert (
            one.breaker.standing(number) == quiet.breaker.standing(number) == never.breaker.standing(number)
        )


def test_so_many_are_awake_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    breaker = Breaker(most_awake=3)
    post = play(breaker)
    awake = breaker._lanes.keys() - breaker._open  # pyright: ignore[reportPrivateUsage]
    assert len(awake) <= 3
    assert len(breaker._lanes) + len(breaker._resting) == 12  # pyright: ignore[reportPrivateUsage]
    breaker.forget(5)
    assert breaker.permit(5, post.minute) == 1.0
    breaker.lane(lane(6, labels={"y"}, since=START))
    breaker.observe(post.minute, [], [DomainDelta(post.minute, 7, 4711, 1)])
    assert len(breaker._lanes) + len(breaker._resting) == 11  # pyright: ignore[reportPrivateUsage]


def test_a_packed_lane_is_small_and_keeps_counts_for_later_that_need_no_judgement() -> None:
    breaker = Breaker(most_awake=10**9)
    play(breaker)
    state = breaker._awake(0)  # pyright: ignore[reportPrivateUsage]
    assert state is not None
    packer: Packer = breaker._packer  # pyright: ignore[reportPrivateUsage]
    resting = Resting(state, packer)
    assert len(resting.packed) + sys.getsizeof(resting) < 20_000
    at = state.watch.learns_at - 1
    assert resting.takes(Delta(at, 0, "c7", None, 2, sent=50))
    assert resting.takes(Delta(at, 0, "c7", None, 2, delivered=50))
    assert len(resting.pending) == 1
    for needs in (
        Delta(at, 0, "c7", None, 2, hard_bounces=1),
        Delta(at, 0, "c7", None, 2, delays=1),
        Delta(at + 2 * DAY, 0, "c7", None, 1, sent=1),
        Delta(at, 0, "c7", None, 17, sent=1),
    ):
        assert not resting.takes(needs), needs
    unpacked = resting.unpacked(packer, state.watch.facts)
    state.watch.add(Delta(at, 0, "c7", None, 2, sent=50))
    assert unpacked.watch.active_days == state.watch.active_days
    assert unpacked.watch.blocks.starts == state.watch.blocks.starts
    assert (unpacked.watch.blocks.sent == state.watch.blocks.sent).all()
    assert unpacked.watch.curves is state.watch.curves
