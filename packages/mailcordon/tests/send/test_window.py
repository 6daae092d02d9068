"""An outage meets few calls, however it comes and goes, and single errors stop nothing."""

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from mailcordon.send.window import CANARY_EVERY, FIRST, IDLE, OPEN_AT, RECENT, UNCLEAR, WITHIN, Window


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def window(clock: Clock) -> Window:
    return Window("default", clock)


def open_wide(window: Window) -> None:
    for _ in range(2 * OPEN_AT):
        window.answered()
    assert window.allowed(1) > OPEN_AT


def fail(window: Window, times: int = UNCLEAR) -> list[bool]:
    return [window.unclear("503") for _ in range(times)]


# What stops it ----------------------------------------------------------------------------------------------------------


def test_half_of_the_recent_answers_unclear_stop_it_and_say_why(window: Window) -> None:
    open_wide(window)
    for n in range(UNCLEAR - 1):
        assert not window.unclear(f"answer {n}")
        window.answered()
    assert window.unclear("the last answer")
    assert window.stopped
    assert "the last answer" in (window.because or "")
    assert window.allowed(0) == 0


def test_fewer_do_not(window: Window) -> None:
    open_wide(window)
    for _ in range(50):
        fail(window, UNCLEAR - 1)
        for _ in range(RECENT - UNCLEAR + 1):
            window.answered()
    assert not window.stopped


def test_old_answers_do_not_count_as_long_as_newer_ones_are_enough(window: Window, clock: Clock) -> None:
    open_wide(window)
    clock.now += WITHIN + 1
    assert fail(window) == [False] * (UNCLEAR - 1) + [True]


def test_with_little_mail_five_unclear_answers_in_a_row_stop_it(window: Window, clock: Clock) -> None:
    stopped: list[bool] = []
    for _ in range(UNCLEAR):
        clock.now += 60
        assert window.allowed(0) > 0
        stopped.append(window.unclear("503"))
    assert stopped == [False] * (UNCLEAR - 1) + [True]


def test_another_reason_stops_it_at_once_and_is_said_once(window: Window) -> None:
    assert window.stop("SES cannot be reached")
    assert not window.stop("SES cannot be reached")
    assert window.because == "SES cannot be reached"


# What opens it ----------------------------------------------------------------------------------------------------------


def test_a_stopped_window_asks_for_one_canary_a_second(window: Window, clock: Clock) -> None:
    assert not window.canary_due()
    fail(window)
    assert not window.canary_due()
    clock.now += CANARY_EVERY
    assert window.canary_due()
    assert not window.canary_due()
    clock.now += CANARY_EVERY
    assert window.canary_due()


def test_a_canary_allows_one_call_and_clear_answers_double_it(window: Window) -> None:
    fail(window)
    assert window.probed()
    assert not window.probed()
    widths: list[int] = []
    for width in (1, 2, 4, 8, 16):
        widths.append(window.allowed(0))
        for _ in range(width):
            assert window.allowed(0) == width
            window.answered()
    assert widths == [1, 2, 4, 8, 16]
    assert window.allowed(0) > OPEN_AT


def test_calls_on_the_wire_count(window: Window) -> None:
    assert [window.allowed(n) for n in (0, 3, FIRST, 100)] == [FIRST, FIRST - 3, 0, 0]


def test_an_unclear_answer_of_the_first_call_stops_it_again(window: Window) -> None:
    fail(window)
    window.probed()
    assert window.unclear("503")


def test_an_unclear_answer_later_allows_one_call_again(window: Window) -> None:
    fail(window)
    window.probed()
    for _ in range(7):
        window.answered()
    assert window.allowed(0) == 8
    assert not window.unclear("503")
    assert window.allowed(0) == 1
    assert window.unclear("503")


def test_late_answers_of_calls_from_before_the_stop_do_not_count(window: Window, clock: Clock) -> None:
    began = clock.now
    clock.now += 1
    fail(window)
    window.answered(began)
    assert window.stopped
    clock.now += 1
    window.probed()
    assert not window.unclear("a time-out, 30 s later", began)
    window.answered(began)
    assert window.allowed(0) == 1


def test_a_window_that_was_idle_begins_anew(window: Window, clock: Clock) -> None:
    open_wide(window)
    clock.now += IDLE + 0.1
    assert window.allowed(1) > OPEN_AT, "a call is on the wire"
    assert window.allowed(0) == FIRST


def test_idleness_does_not_widen_a_narrow_window(window: Window, clock: Clock) -> None:
    fail(window)
    window.probed()
    clock.now += IDLE + 0.1
    assert window.allowed(0) == 1


# In numbers: a dispatcher with 96 slots that has mail without end -------------------------------------------------------


@dataclass
class Run:
    """Calls of `latency` seconds, at most `rate` a second, started in groups as a claim does. `clear(now)`: SES's answer."""

    clear: Callable[[float], bool]
    rate: float = 500.0
    latency: float = 0.05
    slots: int = 96
    group: int = 8
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    def seconds(self, seconds: float) -> None:
        clock = Clock(0.0)
        window = Window("default", clock)
        self.unknown = self.sent = self.stops = self.most = 0
        self.on_the_wire: list[tuple[float, float]] = []
        wire: list[tuple[float, int, float]] = []  # when it is answered, number, when it began
        number = itertools.count()
        step = self.group / self.rate
        while clock.now < seconds:
            while wire and wire[0][0] <= clock.now:
                _, _, began = heapq.heappop(wire)
                if self.clear(began):
                    self.sent += 1
                    window.answered(began)
                else:
                    self.unknown += 1
                    self.stops += window.unclear("503", began)
            if window.canary_due() and self.clear(clock.now):
                window.probed()
            free = min(self.group, self.slots - len(wire), window.allowed(len(wire)))
            for _ in range(free):
                latency = self.latency * self.chance.uniform(0.5, 1.5)
                heapq.heappush(wire, (clock.now + latency, next(number), clock.now))
            self.most = max(self.most, len(wire))
            self.on_the_wire.append((clock.now, len(wire)))
            clock.now += step

    def wire_at(self, at: float) -> float:
        return max(n for now, n in self.on_the_wire if now <= at + 0.05)


def errors(share: float, since: float = 0, until: float = float("inf")) -> Callable[[float], bool]:
    chance = random.Random(3)
    return lambda at: not (since <= at < until) or chance.random() >= share


def test_one_percent_of_errors_does_not_stop_it() -> None:
    run = Run(errors(0.01))
    run.seconds(300)
    assert run.stops == 0
    assert run.sent > 300 * 450


def test_a_second_of_errors_leaves_unknown_what_was_on_the_wire_and_a_few_more() -> None:
    run = Run(errors(1.0, 10, 11))
    run.seconds(20)
    assert run.unknown <= run.wire_at(10) + UNCLEAR + 2 * 8
    assert run.stops == 1
    assert run.sent > 15 * 450


def test_an_outage_of_most_calls_leaves_few_unknown() -> None:
    run = Run(errors(0.8, 10, 30))
    run.seconds(40)
    assert run.unknown < 60
    assert run.sent > 17 * 450, "it is open again"


def test_a_dispatcher_that_starts_in_an_outage_leaves_few_unknown() -> None:
    run = Run(errors(1.0))
    run.seconds(30)
    assert run.unknown == FIRST
    run = Run(errors(0.8))
    run.seconds(30)
    assert run.unknown < 40


def test_after_an_outage_full_speed_is_back_within_seconds() -> None:
    run = Run(errors(1.0, 0, 10))
    run.seconds(20)
    assert run.sent > 7 * 450
