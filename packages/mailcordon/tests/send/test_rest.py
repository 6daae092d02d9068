"""When a dispatcher rests, and what wakes it."""

import asyncio

import pytest

from mailcordon.core.priority import Class
from mailcordon.send.ports import Look
from mailcordon.send.rest import LONGEST, OFTEN, QUIET_AFTER, UNCERTAIN, Rest

NOTHING = Look(due={}, certain=True, busy=False)
URGENT, MARKETING = 1 << Class.URGENT, 1 << Class.MARKETING


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def rest(clock: Clock) -> Rest:
    made = Rest(lambda: False, clock)
    clock.now += 2 * QUIET_AFTER
    return made


async def test_a_hint_ends_the_sleep_of_the_loop_that_claims_its_class(rest: Rest) -> None:
    urgent, other = rest.sleep([Class.URGENT]), rest.sleep([Class.TRANSACTIONAL, Class.MARKETING])
    rest.hint(MARKETING)
    assert await other.told_within(60)
    assert not await urgent.told_within(0)


async def test_a_hint_that_comes_between_the_look_and_the_sleep_is_not_lost(rest: Rest) -> None:
    sleep = rest.sleep([Class.URGENT])
    sleep.begin()
    rest.hint(URGENT)
    rest.seen(NOTHING, thorough=True)
    assert await sleep.told_within(60)


async def test_a_sleep_begins_anew_after_each_hint(rest: Rest) -> None:
    sleep = rest.sleep([Class.URGENT])
    rest.hint(URGENT)
    assert await sleep.told_within(60)
    sleep.begin()
    assert not await sleep.told_within(0.001)


async def test_a_sleep_without_a_hint_ends_in_time(rest: Rest) -> None:
    sleep = rest.sleep([Class.URGENT])
    sleep.begin()
    assert not await sleep.told_within(0.001)
    rest.hint(URGENT)
    assert await sleep.told_within(60)


@pytest.mark.parametrize(
    ("look", "seconds"),
    [
        (NOTHING, LONGEST),
        (NOTHING._replace(certain=False), UNCERTAIN),
        (NOTHING._replace(due={Class.URGENT: 0.3}), 0.3),
        (NOTHING._replace(due={Class.URGENT: 7.0}), LONGEST),
        (NOTHING._replace(due={Class.MARKETING: 0.1}), LONGEST),
        (NOTHING._replace(due={Class.URGENT: -0.5}), -0.5),
    ],
)
async def test_how_long_a_loop_sleeps_follows_from_what_it_saw(
    rest: Rest, look: Look, seconds: float
) -> None:
    assert rest.sleep([Class.URGENT]).seconds(look) == seconds


async def test_a_transaction_that_does_not_end_is_looked_for_less_and_less_often(rest: Rest) -> None:
    sleep, uncertain = rest.sleep([Class.URGENT]), NOTHING._replace(certain=False)
    waits = [sleep.seconds(uncertain, before) for before in range(20)]
    assert waits[0] == UNCERTAIN
    assert waits == sorted(waits)
    assert waits[-1] == min(LONGEST, UNCERTAIN * 32)


async def test_what_runs_beside_the_claims_rests_only_after_a_thorough_look_that_found_nothing(
    rest: Rest,
) -> None:
    rest.seen(NOTHING, thorough=False)
    assert not rest.resting
    rest.seen(NOTHING._replace(busy=True), thorough=True)
    assert not rest.resting


async def test_it_rests_when_nothing_is_left_and_a_while_has_passed(rest: Rest, clock: Clock) -> None:
    rest.worked()
    rest.seen(NOTHING, thorough=True)
    assert not rest.resting
    clock.now += QUIET_AFTER + 1
    rest.seen(NOTHING, thorough=True)
    assert rest.resting


async def test_it_does_not_rest_with_calls_on_the_wire(clock: Clock) -> None:
    rest = Rest(lambda: True, clock)
    clock.now += 2 * QUIET_AFTER
    rest.seen(NOTHING, thorough=True)
    assert not rest.resting


@pytest.mark.parametrize("what", ["hint", "due", "busy"])
async def test_what_wakes_what_rests(rest: Rest, what: str) -> None:
    rest.seen(NOTHING, thorough=True)
    pausing = asyncio.create_task(rest.pause(0))
    await asyncio.sleep(0.001)
    assert rest.resting
    assert not pausing.done()
    if what == "hint":
        rest.hint(URGENT)
    else:
        due = {Class.MARKETING: -1.0} if what == "due" else {}
        rest.seen(Look(due=due, certain=True, busy=what == "busy"), thorough=True)
    await asyncio.wait_for(pausing, 60)
    assert not rest.resting


async def test_a_loop_that_sees_mail_of_the_other_loop_wakes_it(rest: Rest) -> None:
    rest.sleep([Class.URGENT])
    other = rest.sleep([Class.MARKETING])
    rest.seen(NOTHING._replace(due={Class.MARKETING: 0.0}), thorough=False)
    assert await other.told_within(60)


async def test_a_pause_at_rest_has_an_end_where_it_is_given(rest: Rest) -> None:
    rest.seen(NOTHING, thorough=True)
    await asyncio.wait_for(rest.pause(0, 0.001), 60)
    assert rest.resting


async def test_many_hints_in_a_second_are_too_many_for_the_loop_that_they_are_for(
    rest: Rest, clock: Clock
) -> None:
    urgent, other = rest.sleep([Class.URGENT]), rest.sleep([Class.MARKETING])
    for _ in range(OFTEN - 1):
        rest.hint(MARKETING)
    assert not other.often
    rest.hint(MARKETING)
    assert other.often
    assert not urgent.often
    clock.now += 1.0
    assert not other.often
