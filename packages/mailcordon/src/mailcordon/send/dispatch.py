"""The dispatcher: claiming loops, calls, and what runs beside them.

The intent to send is committed before the call. `claiming` takes mail from the queue, `calling` decides and calls, `results`
records, `settling` settles unknown outcomes. Urgent mail has its own loop and slots, so that a newsletter cannot delay a
password reset. While it has more mail than slots, the loop of other mail claims urgent mail too.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from mailcordon.core import provider
from mailcordon.core.clock import boot_time
from mailcordon.core.errors import Unavailable
from mailcordon.core.priority import Class
from mailcordon.core.route import Route
from mailcordon.send.calling import Calling
from mailcordon.send.canary import Canaries, Identity
from mailcordon.send.claiming import Claiming, Gather
from mailcordon.send.clearing import CORRECT_EVERY, Clearing
from mailcordon.send.facts import DispatchFacts
from mailcordon.send.holds import Holds
from mailcordon.send.lineage import Lineage
from mailcordon.send.moves import Claimed
from mailcordon.send.ports import (
    ClearingStore,
    ProvingStore,
    QueueStore,
    Sender,
    SettleStore,
    StopAsker,
)
from mailcordon.send.proving import Proving
from mailcordon.send.rest import Rest
from mailcordon.send.results import Results
from mailcordon.send.route_cache import RouteCache
from mailcordon.send.settling import Settling
from mailcordon.send.stops import Stops
from mailcordon.send.unsubscribe import Links
from mailcordon.send.window import Window

log: Any = structlog.get_logger()

HEARTBEAT_EVERY = 0.75  #: seconds
HEARTBEAT_AT_REST = 5.0  #: seconds: a dispatcher that has nothing on the wire leaves nothing when it dies
DEAD_AFTER_MS = 2_000  #: a worker is dead when its heartbeat is this old and its lock is free
SWEEP_EVERY = 30.0  #: seconds
SETTLE_EVERY = 0.25  #: seconds
NOTHING_WAITS = 0.5  #: seconds more until it is looked again whether mail waits, after a look that found none
CLEAR_EVERY = 0.25  #: seconds
PROVE_EVERY = 1.0  #: seconds
FAILED_PAUSE = 5.0  #: seconds until background work that failed is tried again
DRAIN = 35.0  #: seconds in which the calls on the wire may end and their results be recorded
URGENT_SHARE = 0.25  #: share of the call slots reserved for urgent mail

#: The classes that share a loop, and the seconds in which a busy loop lets mail gather between two claims: many, and few.
LOOPS = (
    ((Class.URGENT,), Gather(0.016, 0.016)),
    ((Class.TRANSACTIONAL, Class.MARKETING), Gather(0.06, 0.12)),
)


class Dispatcher:
    def __init__(
        self,
        *,
        store: QueueStore,
        settle: SettleStore,
        clearing: ClearingStore,
        proving: ProvingStore,
        ses: Sender,
        governor: StopAsker,
        identity: Identity,
        cell: str,
        slots: int,
        first_probe_ms: int = 1_000,
        drain: float = DRAIN,
        clock: Callable[[], float] = boot_time,
        provider_of: Callable[[str], int] = provider.of,
        links: Links | None = None,
        lineage: Lineage | None = None,
    ) -> None:
        self._store = store
        self._lineage = lineage
        self._drain = drain
        self._results = Results(store, lambda: self._window.narrow is None)
        self._rest = Rest(self._occupied)
        store.tell(self._rest.hint)
        self._window = Window(cell, clock)
        self._canaries = Canaries(
            identity, ses.send_email, may_use=self._may_use, now_ms=lambda: self._holds.database_ms
        )
        self._stops = Stops(
            store=store,
            governor=governor,
            canaries=self._canaries,
            cell=cell,
            first_probe_ms=first_probe_ms,
            released=self._window.restart,
        )
        self._holds = Holds(
            store,
            clock,
            self._stops.read,
            provider_of,
            None if lineage is None else self._goes_on,
            self._rest.pause,
        )
        self._worker = 0
        routes = RouteCache(store)
        self._calling = Calling(
            store=store,
            ses=ses,
            identity=identity,
            holds=self._holds,
            stops=self._stops,
            window=self._window,
            results=self._results,
            links=links,
        )
        self._settling = Settling(
            settle,
            canaries=self._canaries,
            routes=routes,
            stops=self._stops,
            window=self._window,
        )
        self._proving = Proving(
            store=proving,
            queue=store,
            cell=cell,
            identity=identity,
            call=ses.send_email,
            may_use=lambda route: self._may_use(route) and self._settling.may_start(route),
        )
        self._clearing = Clearing(clearing, holds=self._holds, facts=self._calling.facts)
        urgent = max(1, round(slots * URGENT_SHARE))
        self._claiming: list[Claiming] = []
        for (classes, gather), size in zip(LOOPS, (urgent, max(1, slots - urgent)), strict=True):
            self._claiming.append(
                Claiming(
                    classes,
                    slots=size,
                    gather=gather,
                    store=store,
                    routes=routes,
                    calling=self._calling,
                    probe=self._probe,
                    in_flight=self._in_flight,
                    rest=self._rest,
                    begins=None if lineage is None else self._begins,
                    helps=self._claiming[0] if self._claiming else None,
                )
            )

    def facts(self) -> dict[str, object]:
        """What this dispatcher reports of itself (send/facts.py)."""
        return self._calling.facts.document(
            in_flight=self._in_flight(),
            stopped=self._window.because or self._stops.because,
            rejected=self._results.rejected + self._settling.rejected,
        )

    @property
    def latency(self) -> DispatchFacts:
        """How long calls and mail took."""
        return self._calling.facts

    def _occupied(self) -> bool:
        return bool(self._in_flight() or self._results.rejected or self._window.stopped or self._stops.open)

    def _in_flight(self) -> int:
        return sum(one.in_flight for one in self._claiming)

    async def run(self, stop: asyncio.Event) -> None:
        """Sends until `stop`; then claims nothing more, waits for the calls on the wire and records them.

        Ends within DRAIN seconds of `stop`, even if the database is away.
        """
        if not await self._begun(stop):
            return
        background: list[Coroutine[Any, Any, None]] = [
            self._holds.run(),
            self._stops.run(lambda: self._worker, self._rest.pause),
            self._results.run(),
            self._every(HEARTBEAT_EVERY, self._heartbeat, HEARTBEAT_AT_REST),
            self._every(SETTLE_EVERY, self._settle),
            self._every(CLEAR_EVERY, self._clear, CORRECT_EVERY),
            self._every(PROVE_EVERY, self._proving.once),
            self._every(SWEEP_EVERY, self._store.sweep, SWEEP_EVERY),
        ]
        tasks = [asyncio.create_task(one) for one in background]
        loops = [asyncio.create_task(one.run()) for one in self._claiming]
        waiter = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([waiter, *tasks, *loops], return_when=asyncio.FIRST_COMPLETED)
            self._calling.stopping = True
            self._rest.end()
            try:
                async with asyncio.timeout(self._drain):
                    await self._end(loops)
            except (TimeoutError, Unavailable) as problem:
                # Another dispatcher, or the next one, finds the worker silent, and what it left has an unknown outcome.
                log.error("not everything was recorded", deliveries=self._in_flight(), problem=str(problem))
        finally:
            for task in (waiter, *tasks, *loops):
                task.cancel()
            ended: list[object] = await asyncio.gather(waiter, *tasks, *loops, return_exceptions=True)
        for problem in ended:
            if isinstance(problem, Exception):
                raise problem

    async def _begun(self, stop: asyncio.Event) -> bool:
        """Returns False if `stop` came before the database."""
        beginning, waiter = asyncio.create_task(self._begin()), asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([beginning, waiter], return_when=asyncio.FIRST_COMPLETED)
        finally:
            beginning.cancel()
            waiter.cancel()
            await asyncio.gather(beginning, waiter, return_exceptions=True)
        if beginning.cancelled():
            return False
        beginning.result()
        return True

    async def _begin(self) -> None:
        await self._retry_until_available(self._holds.read)
        await self._retry_until_available(self._begin_work)

    async def _end(self, loops: Sequence[asyncio.Task[None]]) -> None:
        await asyncio.gather(*loops)
        await asyncio.gather(*(one.calls_ended() for one in self._claiming))
        await self._results.flush()
        if not self._results.rejected and not self._in_flight():
            await self._store.end_work()

    def _may_use(self, route: Route) -> bool:
        """Whether a canary may use this route."""
        return self._holds.fresh and not self._holds.holds_lane(route.lane.id)

    async def _probe(self) -> None:
        """Sends a canary for the stopped window over the route of the last call; no canary over a held lane."""
        last = self._calling.last_call
        # Without a route for a canary, the next real call is the probe.
        route = None if last is None or self._holds.holds_lane(last[1].lane.id) else last
        if route is not None and not await self._canaries.answers(*route):
            return
        if self._window.probed():
            log.info("SES answers again; one call may start")

    async def _begin_work(self) -> None:
        self._worker = await self._store.begin_work()

    async def _goes_on(self) -> bool:
        assert self._lineage is not None
        return await self._lineage.holds(stopped=self._stops.restored)

    async def _begins(self, claimed: Sequence[Claimed]) -> None:
        assert self._lineage is not None
        await self._lineage.begins([(one.called_at, one.id, one.attempt) for one in claimed])

    async def _heartbeat(self) -> None:
        await self._begin_work()
        if self._lineage is not None:
            await self._lineage.report()
        self._stops.outage(self._window.outage)
        if reaped := await self._store.reap(DEAD_AFTER_MS):
            log.warning("a worker died; the outcome of its open calls is unknown", deliveries=reaped)

    async def _settle(self) -> None:
        if not await self._settling.once():
            await asyncio.sleep(NOTHING_WAITS)

    async def _clear(self) -> None:
        await (self._clearing.correct() if self._rest.resting else self._clearing.once())

    async def _every(
        self, seconds: float, work: Callable[[], Coroutine[Any, Any, Any]], at_rest: float | None = None
    ) -> None:
        """`at_rest`: seconds between two rounds while nothing has to be done; None: then there are none."""
        while True:
            try:
                await self._retry_until_available(work)
            except Exception:
                # E.g. a row that the database rejects. Claiming and recording go on.
                log.exception("a round in the background failed", retry_seconds=FAILED_PAUSE)
                await asyncio.sleep(FAILED_PAUSE)
            await self._rest.pause(seconds, at_rest)

    async def _retry_until_available(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        while True:
            try:
                await work()
                return
            except Unavailable as problem:
                log.warning("the database cannot be reached", problem=str(problem))
                await asyncio.sleep(0.5)
