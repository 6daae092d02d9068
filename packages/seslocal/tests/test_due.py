"""The queue of the clock: everything in the order of its due time, then of its scheduling, in little memory."""

from __future__ import annotations

import gc
import tracemalloc
from random import Random
from typing import Any

import pytest

from seslocal import due
from seslocal.due import DueWork, Entry

Taken = tuple[float, int, Any]


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of few records, so that a few thousand fill many."""
    monkeypatch.setattr(due, "BATCH", 16)
    monkeypatch.setattr(due, "MOST_NEAR", 32)


def taken(entry: Entry) -> Taken:
    return entry[0], entry[1], entry[3]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("seed", range(8))
def test_everything_comes_in_the_order_of_a_sorted_list(seed: int) -> None:
    random, work = Random(seed), DueWork()
    waiting: list[Taken] = []
    now, count = 1000.0, 0

    def schedule() -> None:
        nonlocal count
        count += 1
        after = random.choice((0.0, 0.5, 2.0, 30.0, 59.0, 60.0, 61.0, 600.0, random.uniform(0, 4000)))
        at, place = now + after - random.choice((0, 0, 0, 100)), work.place()
        if random.random() < 0.8:
            record = b"%d" % count
            work.add_record(at, place, 1, record)
            waiting.append((at, place, record))
        else:
            work.add(at, place, 0, str(count))
            waiting.append((at, place, str(count)))

    for _ in range(60):
        for _ in range(random.choice((0, 3, 100))):
            schedule()
        until = now + random.choice((0.0, 1.0, 45.0, 500.0))
        while True:
            waiting.sort(key=lambda entry: entry[:2])
            assert work.first == (waiting[0][0] if waiting else due.NEVER)
            entry = work.pop(until)
            if entry is None:
                break
            assert taken(entry) == waiting.pop(0)
            now = max(now, entry[0])
            if random.random() < 0.3:
                schedule()
            if random.random() < 0.1:
                work.put_back(entry)
                waiting.append(taken(entry))
        assert not waiting or waiting[0][0] > until
        assert len(work) == len(waiting)
        assert sorted(map(taken, work.entries()), key=lambda entry: entry[:2]) == waiting
        now = until
    work.clear()
    assert (len(work), work.first, work.pop(due.NEVER)) == (0, due.NEVER, None)


@pytest.mark.usefixtures("small")
def test_a_record_can_take_a_place_that_was_given_before() -> None:
    work = DueWork()
    early = work.place()
    for number in range(40):
        work.add_record(90.0, work.place(), 0, b"%d" % number)
    work.add_record(90.0, early, 0, b"first")
    assert work.pop(100.0) == (90.0, early, 0, b"first")
    assert work.pop(100.0) == (90.0, early + 1, 0, b"0")


@pytest.mark.parametrize(
    ("spread", "soon"),
    [(3600.0, False), (0.0, False), (50.0, True)],
    ids=["within an hour", "at one moment", "within the minute that has begun"],
)
def test_many_records_take_little_more_than_their_own_bytes(
    spread: float, soon: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due, "MOST_NEAR", 2000)
    count, size, random = 15_000, 100, Random(1)
    work = DueWork()
    if soon:
        work.add_record(0.0, work.place(), 0, b"begins the minute")
        assert work.pop(0.0)
    tracemalloc.start()
    try:
        for _ in range(count):
            work.add_record(random.uniform(0, spread) + 1, work.place(), 0, random.randbytes(size))
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        while work.pop(due.NEVER) is not None:
            pass
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    near = due.MOST_NEAR * 330 if soon else 0  # those are objects
    assert held - near < count * (size + 25) * 1.25, held / count
    assert most < 1.1 * held + 1_000_000


def test_thousands_of_records_of_a_minute_have_no_room_to_grow() -> None:
    count, random, record = 15_000, Random(1), bytes(250)
    work = DueWork()
    tracemalloc.start()
    try:
        for _ in range(count):
            work.add_record(random.uniform(0, 299), work.place(), 0, record)
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert held / count < 275 * 1.04
