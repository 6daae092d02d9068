"""Whose call to SES is next. Time is passed in; one call a second unless said otherwise."""

import asyncio
from collections import Counter
from collections.abc import Iterable

import pytest

from mailcordon.control import call_budget
from mailcordon.control.call_budget import CallBudget, QueueFull, Rates, Stopped, Ticket, Turns
from mailcordon.control.work import Work


def nothing() -> None: ...


class Line:
    """Calls wait in `turns`, and `now` goes on as they are given."""

    def __init__(self, rates: Rates | None = None) -> None:
        self.turns = Turns(rates or Rates())
        self.now = 100.0

    def wait(self, work: Work, tenant: int | None = None, operation: str = "GetTenant") -> Ticket:
        ticket = Ticket(work, tenant, operation, self.now, nothing)
        self.turns.enter(ticket)
        return ticket

    def next(self) -> Ticket:
        while not isinstance(found := self.turns.take(self.now), Ticket):
            assert found is not None
            self.now += found
        return found

    def serve(self, number: int, again: Iterable[Work] = ()) -> list[Ticket]:
        """The next calls. Kinds of `again` always have another call waiting."""
        served: list[Ticket] = []
        for _ in range(number):
            served.append(self.next())
            if served[-1].work in again:
                self.wait(served[-1].work, served[-1].tenant)
        return served


@pytest.fixture
def line() -> Line:
    return Line()


def busy(line: Line, kinds: Iterable[Work]) -> None:
    for kind in kinds:
        for tenant in range(50):
            line.wait(kind, tenant)


def test_calls_are_a_gap_apart(line: Line) -> None:
    busy(line, [Work.SCAN])
    times: list[float] = []
    for _ in range(5):
        line.next()
        times.append(line.now)
    assert times == [100.0, 101.0, 102.0, 103.0, 104.0]


def test_a_quiet_time_is_not_made_up_for(line: Line) -> None:
    busy(line, [Work.SCAN])
    line.next()
    line.now += 60
    line.next()
    assert line.turns.take(line.now) == 1.0


def test_shares_are_kept_while_every_kind_waits(line: Line) -> None:
    for kind in Work:
        line.wait(kind)
    served = Counter(ticket.work for ticket in line.serve(1000, again=Work))
    assert {kind: round(served[kind] / 10) for kind in Work} == call_budget.SHARES


def test_a_kind_alone_gets_every_call(line: Line) -> None:
    line.wait(Work.SUPPRESSION)
    line.serve(100, again=[Work.SUPPRESSION])
    assert line.now == 199.0


@pytest.mark.parametrize("before", [0, 1, 2, 3, 50, 98, 99, 333])
@pytest.mark.parametrize(("kind", "within"), [(Work.URGENT, 5), (Work.ONBOARDING, 10)])
def test_a_kind_that_becomes_busy_is_served_at_once(line: Line, kind: Work, within: int, before: int) -> None:
    others = [other for other in Work if other is not kind]
    for other in others:
        line.wait(other)
    line.wait(kind)
    line.serve(before, again=Work)  # it has used its share until now
    line.serve(1, again=others)
    while kind in line.turns.waiting(line.now):
        line.serve(1, again=others)
    since = line.now
    line.wait(kind, tenant=7)
    while line.serve(1, again=others)[0].tenant != 7:
        pass
    assert line.now - since <= within


def test_what_an_idle_kind_did_not_use_is_not_saved(line: Line) -> None:
    line.wait(Work.SCAN)
    line.serve(500, again=[Work.SCAN])
    line.wait(Work.BULK)
    served = Counter(ticket.work for ticket in line.serve(20, again=Work))
    assert abs(served[Work.SCAN] - served[Work.BULK]) <= 2


def test_tenants_take_turns_in_the_order_in_which_they_came(line: Line) -> None:
    for tenant in (1, 1, 1, 2, 3, 2):
        line.wait(Work.BULK, tenant)
    assert [ticket.tenant for ticket in line.serve(6)] == [1, 2, 3, 1, 2, 1]


def test_an_operation_with_a_rate_of_its_own_delays_no_other() -> None:
    line = Line(Rates(per_second=10, operations={"ListRecommendations": 0.5}))
    line.wait(Work.POLLING, 1, "ListRecommendations")
    line.wait(Work.POLLING, 1, "ListRecommendations")
    line.wait(Work.POLLING, 2, "GetTenant")
    line.wait(Work.SCAN, 3, "GetTenant")
    served: list[tuple[str, float]] = []
    for _ in range(4):
        operation = line.next().operation
        served.append((operation, round(line.now - 100, 3)))
    assert served == [
        ("GetTenant", 0),
        ("ListRecommendations", 0.1),
        ("GetTenant", 0.2),
        ("ListRecommendations", 2.1),
    ]


def test_a_refusal_for_the_rate_slows_all_calls_down_and_they_recover(line: Line) -> None:
    busy(line, [Work.SCAN])
    line.next()
    line.turns.refused(line.now)
    assert line.turns.take(line.now) == 2.0
    for _ in range(10):
        line.turns.refused(line.now)
    assert line.turns.rate(line.now) == call_budget.SLOWEST
    line.now += 30
    assert line.turns.rate(line.now) == pytest.approx(0.5 + call_budget.SLOWEST)  # pyright: ignore[reportUnknownMemberType]
    line.now += 30
    assert line.turns.rate(line.now) == 1


def test_a_budget_without_a_limit_slows_down_too() -> None:
    line = Line(Rates(per_second=None))
    busy(line, [Work.SCAN])
    line.serve(10)
    assert line.now == 100
    line.turns.refused(line.now)
    assert line.turns.take(line.now) == pytest.approx(1 / 25)  # pyright: ignore[reportUnknownMemberType]
    line.now += 60
    assert line.turns.rate(line.now) is None


def test_more_waiting_calls_of_a_kind_than_its_queue_holds_are_refused(line: Line) -> None:
    for tenant in range(call_budget.MOST_WAITING):
        line.wait(Work.SCAN, tenant % 7)
    with pytest.raises(QueueFull):
        line.wait(Work.SCAN)
    line.wait(Work.URGENT)


def test_facts_name_what_was_used_and_what_waits(line: Line) -> None:
    line.wait(Work.SCAN)
    line.wait(Work.URGENT)
    line.wait(Work.BULK)
    line.serve(2)
    line.now += 5
    used = dict(line.turns.used(line.now))
    assert used == {Work.URGENT: 1, Work.BULK: 1}
    assert dict(line.turns.waiting(line.now)) == {Work.SCAN: (1, 6.0)}
    assert not line.turns.used(line.now + call_budget.WINDOW)


async def test_a_caller_that_gives_up_leaves_the_queue() -> None:
    budget = CallBudget(Rates(per_second=0.001))
    await budget.turn(Work.SCAN, None, "GetTenant")
    waiting = [asyncio.create_task(budget.turn(Work.URGENT, 1, "GetTenant")) for _ in range(2)]
    await asyncio.sleep(0)
    assert budget.turns.waiting(0)[Work.URGENT][0] == 2
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert not budget.turns.waiting(0)


async def test_callers_are_let_go_in_the_order_of_turns() -> None:
    budget = CallBudget(Rates(per_second=200))
    order: list[Work] = []

    async def call(work: Work) -> None:
        await budget.turn(work, None, "GetTenant")
        order.append(work)

    await asyncio.gather(*(call(work) for work in (Work.SCAN, Work.BULK, Work.URGENT)))
    assert order == [Work.SCAN, Work.URGENT, Work.BULK]


async def test_a_process_that_ends_does_not_wait_for_turns() -> None:
    budget = CallBudget(Rates(per_second=0.001))
    await budget.turn(Work.SCAN, None, "GetTenant")
    waiting = asyncio.create_task(budget.turn(Work.SCAN, None, "GetTenant"))
    await asyncio.sleep(0)
    budget.stop()
    with pytest.raises(Stopped):
        await waiting
    with pytest.raises(Stopped):
        await budget.turn(Work.SCAN, None, "GetTenant")
    assert not budget.turns.waiting(0)


async def test_a_call_that_need_not_wait_is_made_though_the_process_ends() -> None:
    budget = CallBudget(Rates(per_second=None))
    budget.stop()
    await budget.turn(Work.SCAN, None, "GetTenant")


async def test_a_closed_budget_gives_no_turn_although_one_is_free() -> None:
    budget = CallBudget(Rates(per_second=None))
    await budget.turn(Work.URGENT, None, "GetAccount")
    budget.close()
    with pytest.raises(Stopped):
        await budget.turn(Work.URGENT, None, "GetAccount")
