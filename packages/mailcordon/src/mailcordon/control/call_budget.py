"""One budget of management calls to SES, shared by kinds of work.

SES allows about one such call a second (ses.md 3.5), so calls wait for a turn. Each kind of work (control/work.py) has a share
that nothing else can use up; what one does not use, the others get. A kind that had no call waiting is served at once within its
share, whatever waits elsewhere. Inside a kind, tenants take turns in the order in which they came. If SES refuses a call for its
rate, all calls slow down, and recover slowly.
"""

import asyncio
import math
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from mailcordon.control.work import Work

#: Shares of the calls while every kind waits. Urgent work and a newcomer get every third call each.
SHARES: Mapping[Work, int] = {
    Work.URGENT: 30,
    Work.ONBOARDING: 30,
    Work.REPAIR: 10,
    Work.BULK: 10,
    Work.SCAN: 10,
    Work.POLLING: 5,
    Work.SUPPRESSION: 5,
}
MOST_WAITING = 1000  #: calls of one kind: the loops that make them are few, so more would be a fault
WINDOW = 60  #: seconds over which used calls are counted
SLOWEST = 1 / 16  #: of the configured rate, after SES has refused several calls in a row
_UNLIMITED = 50.0  #: calls a second from which a budget without a limit slows down
_RECOVERY = 60.0  #: seconds from a standstill to the full rate


class QueueFull(Exception):
    """Too many calls of this kind wait already."""


class Stopped(Exception):
    """The process ends, and does not wait for a turn any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    per_second: float | None = 1.0  #: all calls together; None: no limit
    operations: Mapping[str, float] = field(
        default_factory=dict[str, float]
    )  #: by API name, such as GetAccount


@dataclass(eq=False, slots=True)
class Ticket:
    """A call that waits for its turn."""

    work: Work
    tenant: int | None
    operation: str
    since: float
    give: Callable[[], None]  #: called once, when it is the call's turn


class Turns:
    """Decides whose call is next. Times are seconds of one clock, passed in; nothing is read or awaited."""

    def __init__(self, rates: Rates, shares: Mapping[Work, int] = SHARES) -> None:
        self.rates = rates
        self.slowed_at: float | None = None  #: when SES last refused a call for its rate
        # Weighted fair queueing (WF2Q+) in whole numbers: a call of a kind lasts `stride` in the kind's own time, and a step in
        # the common time. A kind waits at most a stride's worth of calls and one more.
        total = sum(shares.values())
        scale = math.lcm(*shares.values()) * total
        self._stride = {work: scale // share for work, share in shares.items()}
        self._step = scale // total
        self._start = dict.fromkeys(shares, 0)  # the kind's own time: where its next call begins
        self._time = 0
        self._queues: dict[Work, OrderedDict[int | None, deque[Ticket]]] = {
            work: OrderedDict() for work in shares
        }
        self._next = 0.0
        self._operation_next: dict[str, float] = {}
        self._slow = 1.0  # factor of the rate, 1: not slowed
        self._slow_since = 0.0
        self._used: dict[int, Counter[Work]] = {}
        self.total = Counter[Work]()  #: calls since the start

    # Waiting ------------------------------------------------------------------------------------------------------------

    def enter(self, ticket: Ticket) -> None:
        """Raises QueueFull."""
        queue = self._queues[ticket.work]
        if not queue:
            self._start[ticket.work] = max(self._start[ticket.work], self._time)
        elif sum(map(len, queue.values())) >= MOST_WAITING:
            raise QueueFull
        queue.setdefault(ticket.tenant, deque()).append(ticket)

    def leave(self, ticket: Ticket) -> None:
        """The caller no longer waits."""
        queue = self._queues[ticket.work]
        own = queue.get(ticket.tenant)
        if own is not None and ticket in own:
            own.remove(ticket)
            if not own:
                del queue[ticket.tenant]

    def take(self, now: float) -> Ticket | float | None:
        """The call whose turn it is; or the seconds until there may be one; or None if nothing waits."""
        if not any(self._queues.values()):
            return None
        if now < self._next:
            return self._next - now
        soonest: float | None = None
        for work in sorted(filter(self._queues.get, self._queues), key=self._order):
            for own in self._queues[work].values():
                ready = self._operation_next.get(own[0].operation, 0.0)
                if ready <= now:
                    return self._serve(own[0], now)
                soonest = ready if soonest is None else min(soonest, ready)
        return None if soonest is None else soonest - now

    def _order(self, work: Work) -> tuple[bool, int]:
        """First those whose next call has begun in the common time, and of these the one that ends soonest."""
        start = self._start[work]
        return start > self._time, start + self._stride[work]

    def _serve(self, ticket: Ticket, now: float) -> Ticket:
        work, queue = ticket.work, self._queues[ticket.work]
        own = queue.pop(ticket.tenant)
        own.popleft()
        if own:
            queue[ticket.tenant] = own  # at the end: the other tenants come first
        self._start[work] += self._stride[work]
        busy = [self._start[each] for each, waits in self._queues.items() if waits]
        self._time = max(self._time + self._step, min(busy, default=0))
        rate = self.rate(now)
        if rate is not None:
            self._next = now + 1 / rate
        slow = self._factor(now)
        if (limit := self.rates.operations.get(ticket.operation)) is not None:
            self._operation_next[ticket.operation] = now + 1 / (limit * slow)
        self._count(work, now)
        return ticket

    # The rate -----------------------------------------------------------------------------------------------------------

    def rate(self, now: float) -> float | None:
        """Calls a second at present. None: no limit."""
        slow = self._factor(now)
        if self.rates.per_second is None:
            return None if slow >= 1 else _UNLIMITED * slow
        return self.rates.per_second * slow

    def refused(self, now: float) -> None:
        """SES refused a call for its rate: the rate is halved, and the next call waits for a gap of the new rate."""
        self._slow = max(self._factor(now) / 2, SLOWEST)
        self._slow_since = self.slowed_at = now
        rate = self.rate(now)
        assert rate is not None
        self._next = max(self._next, now + 1 / rate)

    def _factor(self, now: float) -> float:
        return min(1.0, self._slow + (now - self._slow_since) / _RECOVERY) if self._slow < 1 else 1.0

    # Facts --------------------------------------------------------------------------------------------------------------

    def _count(self, work: Work, now: float) -> None:
        second = int(now)
        if second not in self._used:
            self._used = {at: used for at, used in self._used.items() if at > second - WINDOW}
            self._used[second] = Counter()
        self._used[second][work] += 1
        self.total[work] += 1

    def used(self, now: float) -> Mapping[Work, int]:
        """Calls of the last WINDOW seconds."""
        recent = (used for at, used in self._used.items() if at > int(now) - WINDOW)
        return sum(recent, Counter[Work]())

    def waiting(self, now: float) -> Mapping[Work, tuple[int, float]]:
        """By kind: calls that wait for a turn, and the seconds that the oldest has waited."""
        found: dict[Work, tuple[int, float]] = {}
        for work, queue in self._queues.items():
            tickets = [ticket for own in queue.values() for ticket in own]
            if tickets:
                found[work] = len(tickets), now - min(ticket.since for ticket in tickets)
        return found


class CallBudget:
    """Lets calls wait for their turn. One for each process that makes management calls."""

    def __init__(self, rates: Rates, clock: Callable[[], float] = time.monotonic) -> None:
        self.turns = Turns(rates)
        self._clock = clock
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: set[asyncio.Future[None]] = set()
        self._stopped = False
        self._closed = False

    async def turn(self, work: Work, tenant: int | None, operation: str) -> None:
        """Returns when it is this call's turn. Raises QueueFull, and Stopped instead of waiting after `stop`."""
        if self._closed:
            raise Stopped
        given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        ticket = Ticket(work, tenant, operation, self._clock(), lambda: _give(given))
        self.turns.enter(ticket)
        self._serve()
        if self._stopped and not given.done():
            given.set_exception(Stopped())
        self._waiting.add(given)
        try:
            await given
        except (asyncio.CancelledError, Stopped):
            self.turns.leave(ticket)
            raise
        finally:
            self._waiting.discard(given)

    def close(self) -> None:
        """From now on there is no turn for any call: the installation observes only, whatever asks."""
        self._closed = True
        self.stop()

    def stop(self) -> None:
        """From now on nobody waits for a turn: at one call a second, what waits would take too long."""
        self._stopped = True
        for given in self._waiting:
            if not given.done():
                given.set_exception(Stopped())

    def refused(self) -> None:
        """SES refused a call for its rate."""
        self.turns.refused(self._clock())

    def document(self) -> dict[str, object]:
        """What a heartbeat says of the calls (app/heartbeat.py)."""
        now, turns = self._clock(), self.turns
        slowed = turns.slowed_at
        return {
            "calls_per_second": turns.rates.per_second,
            "calls_per_second_now": turns.rate(now),
            "calls_slowed_seconds_ago": None if slowed is None else round(now - slowed),
            "calls_used": dict(turns.used(now)),
        }

    def _serve(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while isinstance(found := self.turns.take(self._clock()), Ticket):
            found.give()
        if found is not None:
            self._timer = asyncio.get_running_loop().call_later(found, self._serve)


def _give(given: asyncio.Future[None]) -> None:
    if not given.done():
        given.set_result(None)
