"""Owners take turns, and what waits is bounded."""

import random
from collections import Counter

from mailcordon.core.turns import Bounds, Full, Turns

WIDE = Bounds(items_each=1000, items=10_000, bytes_each=1 << 30, bytes=1 << 30)


def test_one_item_of_another_owner_comes_before_the_next():
    turns = Turns[str](WIDE)
    for n in range(500):
        turns.put("flood", f"flood {n}", 1)
    turns.put("acme", "acme 0", 1)
    assert turns.take(4, 100) == ["flood 0", "acme 0", "flood 1", "flood 2"]


def test_whoever_was_served_goes_behind_the_others_in_the_next_batch_too():
    turns = Turns[str](WIDE)
    for owner in ("a", "b", "c"):
        for n in range(3):
            turns.put(owner, f"{owner}{n}", 1)
    assert [turns.take(2, 100) for _ in range(5)] == [
        ["a0", "b0"],
        ["c0", "a1"],
        ["b1", "c1"],
        ["a2", "b2"],
        ["c2"],
    ]


def test_what_two_owners_got_while_both_waited_differs_by_one_item_at_most():
    chance = random.Random(7)
    turns = Turns[str](WIDE)
    for owner in ("a", "b", "c"):
        for _ in range(200):
            turns.put(owner, owner, chance.randrange(100))
    got = Counter[str]()
    for _ in range(100):
        got.update(turns.take(chance.randrange(1, 9), chance.randrange(1, 400)))
        assert max(got.values()) - min(got[owner] for owner in "abc") <= 1


def test_a_batch_has_at_most_so_many_bytes_but_at_least_one_item():
    turns = Turns[str](WIDE)
    for size in (900, 60, 50, 10):
        turns.put("acme", str(size), size)
    assert [turns.take(10, 100) for _ in range(4)] == [["900"], ["60"], ["50", "10"], []]


def test_an_owner_beyond_its_bounds_is_told_apart_from_a_full_whole():
    turns = Turns[str](Bounds(items_each=3, items=3, bytes_each=100, bytes=150))
    assert [turns.put("a", "x", 40) for _ in range(3)] == [None, None, Full.OWNER]
    assert turns.put("b", "x", 40) is None
    assert turns.put("b", "x", 1) is Full.ALL
    assert (len(turns), turns.bytes) == (3, 120)
    turns.take(1, 100)
    assert turns.put("b", "x", 71) is Full.OWNER
    assert turns.put("b", "x", 60) is None


def test_the_bytes_of_all_are_bounded():
    turns = Turns[str](Bounds(items_each=9, items=9, bytes_each=100, bytes=150))
    assert turns.put("a", "x", 90) is None
    assert turns.put("b", "x", 50) is None
    assert turns.put("b", "x", 11) is Full.ALL
    assert turns.put("b", "x", 10) is None


def test_an_owner_with_nothing_waiting_is_never_kept_out_by_others():
    turns = Turns[str](Bounds(items_each=2, items=3, bytes_each=100, bytes=150))
    assert turns.put("a", "x", 1000) is None
    assert turns.put("a", "x", 1) is Full.OWNER
    assert [turns.put(owner, "x", 1) for owner in "bcd"] == [None, None, None]
    assert turns.put("b", "x", 1) is Full.ALL
    assert turns.take(1, 1) == ["x"]
    assert turns.put("a", "x", 1) is None
    assert (len(turns), turns.bytes) == (4, 4)
