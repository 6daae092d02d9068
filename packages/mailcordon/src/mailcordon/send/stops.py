"""A dispatcher's view of the stops: which routes it may not call, what it has seen refused, and the tests that end a stop.

A refusal acts in memory at once: what was claimed for the same scope goes back without a call. The row that every process sees is
written in the background, so that no call slot waits for it, and again until it is written. Whoever finds a test due takes it: a
mail to SES's simulator over a route that the stop covers. An accepted one ends the stop.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from mailcordon.core import path_choice, stop
from mailcordon.core.errors import Unavailable
from mailcordon.core.log_limit import LogLimit
from mailcordon.core.reason import Reason
from mailcordon.core.route import Route
from mailcordon.core.stop import NewStop, Stop, StopScope
from mailcordon.messages import reasons
from mailcordon.send.canary import Canaries
from mailcordon.send.ports import QueueStore, StopAsker
from mailcordon.send.refusals import Next, Verdict

log: Any = structlog.get_logger()

EVERY = 0.25  #: seconds between two rounds of the background work
DENIED_ALL = (
    3  #: different resources that IAM denies, and SES accepts no call meanwhile: then it denies the action
)
DENIED_WITHIN = 60.0  #: seconds
RATE_PATIENCE = 5.0  #: seconds without a known rate before that is a stop: at a fresh start it is normal
ACTOR = "dispatch"

Key = tuple[StopScope, str, Reason]


class Stops:
    def __init__(
        self,
        *,
        store: QueueStore,
        governor: StopAsker,
        canaries: Canaries,
        cell: str,
        first_probe_ms: int,
        released: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`released` is called when nothing stops the claiming any more."""
        self._store = store
        self._governor = governor
        self._canaries = canaries
        self._cell = cell
        self._first_probe_ms = first_probe_ms
        self._released = released
        self._clock = clock
        self._known: dict[Key, Stop] = {}
        self._seen: dict[Key, tuple[NewStop, int]] = {}  #: not written yet, with the number of refused calls
        self._names: frozenset[tuple[StopScope, str]] = frozenset()
        self._outage: str | None = None
        self._rate_unknown_since = float("-inf")
        self._rate_asked_at = float("-inf")  #: the last visit that found no known rate; -inf: it is known
        self._worker = ""
        self._stopped = False
        self._probing: dict[int, asyncio.Task[None]] = {}  #: by the stop's id
        self._denied: dict[
            tuple[StopScope, str], float
        ] = {}  #: what IAM denied since SES last accepted a call
        self._failures = LogLimit()

    # What is stopped ------------------------------------------------------------------------------------------------------

    def read(self, stops: Sequence[Stop]) -> None:
        """Takes over the open stops as the database has them."""
        self._known = {found.key: found for found in stops}
        self._refresh()

    @property
    def stopped(self) -> bool:
        """Whether nothing may be claimed: the account or this dispatcher is stopped."""
        return self._stopped

    @property
    def open(self) -> bool:
        """Whether any stop is known: it has to be tested."""
        return bool(self._known or self._seen)

    @property
    def restored(self) -> bool:
        """Whether the stop of a restored database is known here."""
        return (StopScope.CELL, self._cell, Reason.RESTORED) in self._known

    @property
    def because(self) -> str | None:
        """What stops the claiming, without the details of its stop."""
        for found in self._known.values():
            if self._stops_claiming(found.scope, found.name, found.cause):
                return found.because
        return next((new.because for new, _ in self._seen.values() if self._covers_all(new)), None)

    def stops_route(self, route: Route) -> bool:
        """Whether a stop covers this route. Asked before each call."""
        names = self._names
        return bool(names) and (
            (StopScope.SET, route.configuration_set) in names
            or (StopScope.IDENTITY, route.domain) in names
            or (StopScope.TENANT, route.ses_tenant) in names
            or (StopScope.LANE, str(route.lane.id)) in names
        )

    def of_path(self, route: Route) -> Stop | None:
        """The stop of a part of this route that the lane's other path need not have. None: none, or it is not written yet."""
        if not self._names:
            return None
        return next((one for one in self._known.values() if _names_part(one, route)), None)

    def _stops_claiming(self, scope: StopScope, name: str, cause: Reason) -> bool:
        # The window of this dispatcher decides what an outage stops (send/window.py).
        return cause is not Reason.OUTAGE and (
            (scope is StopScope.CELL and name == self._cell)
            or (scope is StopScope.WORKER and name == self._worker)
        )

    def _covers_all(self, new: NewStop) -> bool:
        return self._stops_claiming(new.scope, new.name, new.cause)

    def _refresh(self) -> None:
        keys = [*self._known, *self._seen]
        self._names = frozenset((scope, name) for scope, name, _ in keys)
        was, self._stopped = self._stopped, any(self._stops_claiming(*key) for key in keys)
        if was and not self._stopped:
            self._released()

    # What is seen ---------------------------------------------------------------------------------------------------------

    def refused(self, verdict: Verdict, route: Route) -> None:
        """SES refused a call over this route for a cause that stops more than the mail."""
        assert verdict.scope is not None
        self._see(self._found(verdict, route))

    def accepted(self) -> None:
        """SES accepted a call: IAM denies single resources at most."""
        self._denied.clear()

    def _iam_denies_all(self, new: NewStop) -> bool:
        """Whether the action itself is denied: a revoked policy would else be a stop of each lane, identity and set."""
        if (StopScope.WORKER, self._worker, new.cause) in self._known:
            return True
        now = self._clock()
        self._denied[new.scope, new.name] = now
        for key, at in list(self._denied.items()):
            if now - at > DENIED_WITHIN:
                del self._denied[key]
        return len(self._denied) >= DENIED_ALL

    def without_tokens(self, cause: Reason | None) -> None:
        """Why the account's rate has just given a claim nothing; None if it gave some. Called after each visit and only then."""
        if cause is Reason.RATE_UNKNOWN:
            now = self._clock()
            if now - self._rate_asked_at >= RATE_PATIENCE:
                self._rate_unknown_since = (
                    now  # nobody asked for a while, so nothing is known of the time between
                )
            self._rate_asked_at = now
            if now - self._rate_unknown_since < RATE_PATIENCE:
                return
        else:
            self._rate_asked_at = float("-inf")
        if cause is not None and (StopScope.CELL, self._cell, cause) not in self._known:
            self._see(self._of_cell(cause, stop.because_of(cause, self._cell)))

    def outage(self, because: str | None) -> None:
        """Shows the outage that this dispatcher's window sees, or its end. It stops nothing here."""
        self._outage = because

    def _see(self, new: NewStop) -> None:
        before = self._seen.get(new.key)
        self._seen[new.key] = (new, 1 if before is None else before[1] + 1)
        if before is None and new.key not in self._known:
            log.error(
                "SES refuses calls", scope=new.scope.value, name=new.name, because=new.because, said=new.said
            )
            self._refresh()

    def _found(self, verdict: Verdict, route: Route) -> NewStop:
        new = self._new(verdict, route)
        if verdict.by_iam and self._iam_denies_all(new):
            return self._new(verdict._replace(scope=StopScope.WORKER), route)
        return new

    def _new(self, verdict: Verdict, route: Route) -> NewStop:
        scope, cause = verdict.scope, verdict.reason
        # The domain and the SES tenant of a shared path are no tenant's own.
        whose = None if route.path == path_choice.SHARED else route.lane.tenant
        name, tenant = {
            StopScope.CELL: (self._cell, None),
            StopScope.WORKER: (self._worker, None),
            StopScope.SET: (route.configuration_set, None),
            StopScope.IDENTITY: (route.domain, whose),
            StopScope.TENANT: (route.ses_tenant, whose),
            StopScope.LANE: (str(route.lane.id), route.lane.tenant),
        }[scope or StopScope.LANE]
        quoted = cause not in (Reason.SES_UNREACHABLE, Reason.OUTAGE)  # there the sentence has the words
        return NewStop(
            scope=scope or StopScope.LANE,
            name=name,
            cause=cause,
            because=stop.because_of(cause, name, code=verdict.code, said=verdict.said),
            said=verdict.said if quoted else "",
            tenant=tenant,
            lane=None if scope in (StopScope.CELL, StopScope.WORKER) else route.lane.id,
            first_probe_ms=self._first_probe_ms,
        )

    def _of_cell(self, cause: Reason, because: str) -> NewStop:
        return NewStop(
            scope=StopScope.CELL,
            name=self._cell,
            cause=cause,
            because=because,
            first_probe_ms=self._first_probe_ms,
        )

    # In the background ----------------------------------------------------------------------------------------------------

    async def once(self, worker: int) -> None:
        """Writes what was seen and makes the tests that are due. Raises Unavailable; what was not written stays."""
        if str(worker) != self._worker:
            self._worker = str(worker)
            self._refresh()
        await self._write()
        await self._show_outage()
        if self._known:
            for found in await self._governor.take_probes(worker, self._first_probe_ms):
                # On its own: a test may take as long as a call to SES, and holds up neither the writing nor another test.
                if found.id not in self._probing:
                    self._probing[found.id] = asyncio.create_task(self._probe_and_log(found))

    async def probed(self) -> None:
        """Waits until the tests that have begun are done."""
        await asyncio.gather(*self._probing.values())

    async def _probe_and_log(self, found: Stop) -> None:
        try:
            await self._probe(found)
        except Unavailable as problem:
            log.warning("the test of a stop failed", stop=found.id, problem=str(problem))
        except Exception as problem:
            if times := self._failures.count(("probe", found.key, type(problem))):
                log.exception("the test of a stop failed", stop=found.id, times=times)
        finally:
            del self._probing[found.id]

    async def _write(self) -> None:
        for key, (new, hits) in list(self._seen.items()):
            try:
                placed = await self._governor.place(new, actor=ACTOR, hits=hits)
            except Unavailable:
                raise
            except Exception as problem:
                # One that cannot be written must not keep the others from it; it still stops calls here.
                if times := self._failures.count(("write", key, type(problem))):
                    words = "a stop could not be written"
                    log.exception(words, scope=new.scope.value, name=new.name, times=times)
                continue
            again, seen = self._seen.pop(key)
            if seen > hits:
                self._seen[key] = (again, seen - hits)
            self._known[key] = placed
            self._refresh()

    async def _show_outage(self) -> None:
        key = (StopScope.WORKER, self._worker, Reason.OUTAGE)
        shown = self._known.get(key)
        if self._outage is not None and shown is None:
            new = NewStop(scope=key[0], name=key[1], cause=key[2], because=self._outage)
            self._known[key] = await self._governor.place(new, actor=ACTOR, hits=1)
        elif (
            shown is not None and self._outage != shown.because
        ):  # it is over; the next round shows another one
            await self._end(shown, reasons.calls_succeed())

    async def _probe(self, found: Stop) -> None:
        if found.cause in stop.OF_THE_ACCOUNT and not await self._governor.account_agrees(found, self._cell):
            await self._governor.probe_failed(found, reasons.account_disagrees())
            return
        if found.cause is Reason.RATE_UNKNOWN:
            await self._end(found, reasons.account_agrees())
            return
        route = await self._route_for(found)
        if route is None:
            await self._governor.probe_failed(found, reasons.probe_has_no_route())
            return
        verdict = await self._canaries.probe(route)
        if verdict is None:
            return  # a hold came, or it is not known what is held: the test is due again later
        if verdict.next is Next.SENT:
            self.accepted()
            await self._end(found, reasons.probe_accepted())
            return
        log.info("a stop goes on", stop=found.id, because=found.because, answer=verdict.detail)
        if verdict.next is Next.STOP:
            new = self._found(verdict, route)
            if new.key not in self._known:
                self._see(new)
        # The words of another cause may speak of another tenant, whose lane carried the test.
        same = verdict.reason is found.cause
        said = (
            reasons.probe_refused(verdict.detail)
            if same
            else reasons.probe_failed_otherwise(str(verdict.reason))
        )
        await self._governor.probe_failed(found, said, route.lane.id)

    async def _route_for(self, found: Stop) -> Route | None:
        lane = await self._governor.probe_lane(found)
        route = None if lane is None else (await self._store.lane_routes([lane])).get(lane)
        if route is not None and route.other is not None and _names_part(found, route.other):
            return route if _names_part(found, route) else route.other
        return route

    async def _end(self, found: Stop, because: str) -> None:
        await self._governor.end([found.id], actor=ACTOR, because=because)
        log.info("a stop ended", stop=found.id, was=found.because, because=because)
        known = self._known.get(found.key)
        if known is None or known.id == found.id:  # else it has ended before, and came back
            self._known.pop(found.key, None)
            self._seen.pop(found.key, None)
            self._refresh()

    async def run(
        self, worker: Callable[[], int], pause: Callable[[float], Awaitable[None]] = asyncio.sleep
    ) -> None:
        """`pause` lasts until the next round, at least so many seconds."""
        try:
            while True:
                try:
                    await self.once(worker())
                except Unavailable as problem:
                    log.warning("stops could not be written", problem=str(problem))
                except Exception as problem:
                    if times := self._failures.count(("round", type(problem))):
                        log.exception("stops could not be written", times=times)
                await pause(EVERY)
        finally:
            for task in self._probing.values():
                task.cancel()


def _names_part(one: Stop, route: Route) -> bool:
    """Whether the stop names a part of this route. A stop of a lane is about all of its paths."""
    match one.scope:
        case StopScope.SET:
            return one.name == route.configuration_set
        case StopScope.IDENTITY:
            return one.name == route.domain
        case StopScope.TENANT:
            return one.name == route.ses_tenant
        case _:
            return False
