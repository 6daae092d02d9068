"""A cell stops after five unclear answers in a row, sends a canary a second while stopped, and opens at a clear answer."""

from dataclasses import dataclass

import pytest

from mailcordon.send.cell import CANARY_EVERY, UNCLEAR_IN_A_ROW, Cell


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cell(clock) -> Cell:
    return Cell("default", clock)


def stop(cell: Cell) -> None:
    for _ in range(UNCLEAR_IN_A_ROW):
        cell.unclear("503")


def test_five_unclear_answers_in_a_row_stop_the_cell_and_say_why(cell):
    news = [cell.unclear(f"answer {n}") for n in range(UNCLEAR_IN_A_ROW)]
    assert news == [False] * 4 + [True]
    assert cell.stopped
    assert "answer 4" in cell.because


def test_a_clear_answer_between_keeps_it_open(cell):
    for _ in range(10):
        for _ in range(UNCLEAR_IN_A_ROW - 1):
            assert not cell.unclear("503")
        assert not cell.answered()
    assert not cell.stopped


def test_late_answers_do_not_stop_a_stopped_cell_again(cell):
    stop(cell)
    assert not cell.unclear("another")
    assert not cell.stop("SES has suspended this account") or cell.stopped


def test_a_refusal_of_the_account_stops_it_at_once(cell):
    assert cell.stop("SES has suspended this account")
    assert cell.stopped
    assert not cell.stop("SES has suspended this account")


def test_an_open_cell_sends_no_canaries(cell):
    assert not cell.canary_due()


def test_a_stopped_cell_sends_one_canary_a_second(cell, clock):
    stop(cell)
    assert cell.canary_due()
    assert not cell.canary_due()
    clock.now += CANARY_EVERY - 0.01
    assert not cell.canary_due()
    clock.now += 0.01
    assert cell.canary_due()


def test_the_first_clear_answer_opens_it_and_resets_the_count(cell):
    stop(cell)
    assert cell.answered()
    assert not cell.stopped
    for _ in range(UNCLEAR_IN_A_ROW - 1):
        assert not cell.unclear("503")
