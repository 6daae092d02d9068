"""Claims deliveries fairly, calls SES and records the results. Nothing else calls SES's send.

The intent to send is committed before the call. A claim never exceeds the free call slots, so the rows marked `sending` are the
calls on the wire, and a slot is free again only when its result is committed. Holds are checked in memory right before each
call. Urgent mail has its own loop and slots, so that a newsletter cannot delay a password reset.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.errors import Unavailable
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.messages import reasons
from mailcordon.send import compose, retry
from mailcordon.send.canary import Canaries, Identity
from mailcordon.send.cell import Cell
from mailcordon.send.holds import Holds, boot_time
from mailcordon.send.ports import (
    WHY_HELD,
    WHY_RETRY,
    WHY_UNKNOWN,
    Claimed,
    Defer,
    Finish,
    HoldAsker,
    LaneRoute,
    QueueStore,
    Sender,
    SettleStore,
)
from mailcordon.send.results import Results, Slots
from mailcordon.send.retry import Next, Verdict
from mailcordon.send.route_cache import RouteCache
from mailcordon.send.tokens import Tokens

log: Any = structlog.get_logger()

POLL_BUSY = 0.01  #: seconds between claims while there was mail in the last second
POLL_FULL = 0.002  #: seconds between checks for free slots while none are free
POLL_IDLE = 0.05  #: seconds between claims after a quiet second
RECHECK_EVERY = 0.05  #: seconds between rechecks of turns that were set idle
BUSY_FOR = 1.0  #: seconds
HEARTBEAT_EVERY = 0.75  #: seconds
DEAD_AFTER_MS = 2_000  #: a worker is dead when its heartbeat is this old and its lock is free
THROTTLE_WINDOW = 1.0  #: seconds; throttling answers within it lower the rate once
SWEEP_EVERY = 30.0  #: seconds
SETTLE_EVERY = 0.25  #: seconds
URGENT_SHARE = 0.25  #: share of the call slots reserved for urgent mail

#: The classes that share a loop, and the seconds in which a busy loop lets mail gather between two claims.
LOOPS = (((Class.URGENT,), 0.02), ((Class.TRANSACTIONAL, Class.MARKETING), 0.06))


class Dispatcher:
    def __init__(
        self,
        *,
        store: QueueStore,
        settle: SettleStore,
        ses: Sender,
        governor: HoldAsker,
        identity: Identity,
        cell: str,
        slots: int,
        clock: Callable[[], float] = boot_time,
    ) -> None:
        self._store = store
        self._settle = settle
        self._ses = ses
        self._governor = governor
        self._identity = identity
        self._holds = Holds(store, clock)
        self._routes = RouteCache(store)
        self._results = Results(store)
        self._cell = Cell(cell, clock)
        urgent = max(1, round(slots * URGENT_SHARE))
        self._slots = (urgent, max(1, slots - urgent))
        self._calls: set[asyncio.Task[None]] = set()
        self._canaries = Canaries(identity, ses.send_email)
        self._slowed_at = float("-inf")
        self._last_call: tuple[int, LaneRoute] | None = None
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Sends until `stop`; then claims nothing more, waits for the calls on the wire and records them."""
        await self._retry_until_available(self._holds.read)
        await self._retry_until_available(self._store.begin_work)
        background: list[Coroutine[Any, Any, None]] = [
            self._holds.run(),
            self._results.run(),
            self._heartbeat(),
            self._every(SETTLE_EVERY, self._settle_once),
            self._every(SWEEP_EVERY, self._store.sweep),
        ]
        tasks = [asyncio.create_task(one) for one in background]
        loops = [
            asyncio.create_task(self._loop(classes, size, gather))
            for (classes, gather), size in zip(LOOPS, self._slots, strict=True)
        ]
        waiter = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([waiter, *tasks, *loops], return_when=asyncio.FIRST_COMPLETED)
            self._stopping = True
            await asyncio.gather(*loops)
            if self._calls:
                await asyncio.wait(self._calls, timeout=35)
            await self._results.flush()
            await self._store.end_work()
        finally:
            for task in (waiter, *tasks, *loops):
                task.cancel()
            ended: list[object] = await asyncio.gather(waiter, *tasks, *loops, return_exceptions=True)
        for problem in ended:
            if isinstance(problem, Exception):
                raise problem

    # The loop of a group of classes ---------------------------------------------------------------------------------------

    async def _loop(self, classes: Sequence[Class], size: int, gather: float) -> None:
        slots = Slots(size)
        tokens = Tokens(self._store, self._cell.name, urgent=Class.URGENT in classes)
        quiet_since = 0.0
        logged: str | None = None
        while not self._stopping:
            try:
                claimed = await self._claim(classes, slots, tokens, busy=quiet_since == 0)
            except Unavailable as problem:
                log.warning("claiming failed", problem=str(problem))
                await asyncio.sleep(0.25)
                continue
            if tokens.because != logged:
                logged = tokens.because
                if logged:
                    log.warning("nothing is sent", because=logged)
            now = time.monotonic()
            if claimed:
                quiet_since = 0.0
                # Mail gathers meanwhile: claiming many costs little more than claiming one. Without free slots there is
                # already enough of it.
                await asyncio.sleep(gather if slots.free else POLL_FULL)
            elif slots.free < slots.size // 2:
                await asyncio.sleep(POLL_FULL)
            elif slots.free < slots.size:
                await asyncio.sleep(POLL_BUSY)
            else:
                quiet_since = quiet_since or now
                await asyncio.sleep(POLL_BUSY if now - quiet_since < BUSY_FOR else POLL_IDLE)

    async def _claim(self, classes: Sequence[Class], slots: Slots, tokens: Tokens, *, busy: bool) -> int:
        free = slots.free
        if free < slots.size // 2 or self._cell.stopped or not self._holds.fresh:
            if self._cell.canary_due():
                await self._probe()
            return 0
        await self._store.recheck(RECHECK_EVERY)
        if not busy and not await self._store.due(classes):
            await tokens.return_unused()
            return 0
        granted = await tokens.take(free)
        if not granted:
            return 0
        batch = await self._store.claim(classes, granted)
        claimed = batch.claimed
        tokens.keep(granted - len(claimed))
        if claimed:
            slots.take(len(claimed))
            routes = await self._routes_of(claimed, batch.epoch)
            for claim in claimed:
                task = asyncio.create_task(
                    self._deliver_guarded(claim, routes.get(claim.lane), slots, tokens)
                )
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)
        return len(claimed)

    async def _routes_of(self, claimed: Sequence[Claimed], epoch: int) -> dict[int, LaneRoute]:
        """Retries until the database answers: claimed mail must not be dropped. It is requeued if the holds are stale by then."""
        while True:
            try:
                return await self._routes.get({claim.lane for claim in claimed}, epoch)
            except Unavailable as problem:
                log.warning("routes could not be read", problem=str(problem))
                await asyncio.sleep(0.25)

    # One delivery ---------------------------------------------------------------------------------------------------------

    async def _deliver_guarded(
        self, claim: Claimed, route: LaneRoute | None, slots: Slots, tokens: Tokens
    ) -> None:
        """Turns an internal error into an unknown outcome, so that the delivery is neither lost nor stuck as `sending`."""
        try:
            await self._deliver(claim, route, slots, tokens)
        except Exception as problem:
            log.exception("a delivery failed with an internal error", delivery=ids.delivery_id(claim.id))
            reason = reasons.internal_error(type(problem).__name__)
            defer = Defer(claim=claim, why=WHY_UNKNOWN, until=None, reason=reason, note="outcome-unknown")
            self._results.defer(slots, defer)

    async def _deliver(self, claim: Claimed, route: LaneRoute | None, slots: Slots, tokens: Tokens) -> None:
        if route is None:
            # The lane lost its route after accept. The mail stays queued until someone restores the route.
            self._results.defer(
                slots,
                Defer(
                    claim=claim,
                    why=WHY_RETRY,
                    until=claim.called_at + 5_000,
                    reason=reasons.route_missing(),
                    note="no-route",
                ),
            )
            return
        if (
            not self._holds.fresh
            or self._holds.holds_lane(claim.lane)
            or self._cell.stopped
            or self._stopping
        ):
            self._results.requeue(slots, claim, route.turn)
        elif hold := self._holds.narrow_hold(claim, route, claim.called_at):
            self._results.defer(
                slots,
                Defer(
                    claim=claim, why=WHY_HELD, until=None, reason=hold.sentence, hold=hold.id, note="parked"
                ),
            )
        elif claim.suppressed:
            self._finish(
                slots,
                claim,
                route,
                State.REFUSED,
                "suppressed",
                reasons.suppressed_since(),
            )
        elif claim.content is None or not claim.to:
            self._finish(
                slots,
                claim,
                route,
                State.GIVEN_UP,
                "no-content",
                reasons.content_missing(),
            )
        else:
            await self._call(claim, route, claim.content, slots, tokens)

    async def _call(
        self, claim: Claimed, route: LaneRoute, content: bytes, slots: Slots, tokens: Tokens
    ) -> None:
        self._last_call = (claim.id, route)
        body = compose.call(
            content,
            to=claim.to,
            ses_tenant=route.ses_tenant,
            configuration_set=route.configuration_set,
            key=self._identity.mac_key,
            attempt=self._identity.attempt(route, claim.id, claim.attempt, claim.called_at),
        )
        answer = await self._ses.send_email(body)
        await self._record(claim, route, retry.decide(answer, claim.attempt), slots, tokens)

    async def _record(
        self, claim: Claimed, route: LaneRoute, verdict: Verdict, slots: Slots, tokens: Tokens
    ) -> None:
        match verdict.next:
            case Next.SENT:
                self._answered()
                self._finish(slots, claim, route, State.SENT, verdict.reason, verdict.detail, verdict.ses_id)
            case Next.DEAD:
                self._answered()
                self._finish(slots, claim, route, State.REJECTED_AT_CALL, verdict.reason, verdict.detail)
            case Next.UNKNOWN:
                if self._cell.unclear(verdict.detail):
                    log.error("cell stopped", cell=self._cell.name, because=self._cell.because)
                self._results.defer(
                    slots,
                    Defer(
                        claim=claim,
                        why=WHY_UNKNOWN,
                        until=None,
                        reason=verdict.detail,
                        note="outcome-unknown",
                    ),
                )
            case Next.THROTTLED:
                tokens.lapse()
                await self._slow_down()
                self._results.requeue(slots, claim, route.turn)
            case Next.AGAIN:
                self._results.defer(
                    slots,
                    Defer(
                        claim=claim,
                        why=WHY_RETRY,
                        until=claim.called_at + verdict.after_ms,
                        reason=verdict.detail,
                        note="retry",
                    ),
                )
            case Next.STOP_LANE | Next.STOP_TENANT:
                self._answered()
                lane = claim.lane if verdict.next is Next.STOP_LANE else None
                await self._log_failure(
                    self._governor.hold_for_ses(tenant=claim.tenant, lane=lane, because=verdict.detail)
                )
                self._results.requeue(slots, claim, route.turn)
            case Next.STOP_ACCOUNT:
                if self._cell.stop(verdict.detail):
                    log.error("cell stopped", cell=self._cell.name, because=verdict.detail)
                self._results.requeue(slots, claim, route.turn)

    def _finish(
        self,
        slots: Slots,
        claim: Claimed,
        route: LaneRoute,
        state: State,
        reason: str,
        detail: str,
        ses_id: str | None = None,
    ) -> None:
        forget = CLASS_DEFAULTS[route.class_].content_kept_ms == 0
        self._results.finish(
            slots,
            Finish(claim=claim, state=state, reason=reason, detail=detail, ses_id=ses_id, forget=forget),
        )

    def _answered(self) -> None:
        if self._cell.answered():
            log.info("cell open again", cell=self._cell.name)

    async def _probe(self) -> None:
        """Sends a canary from a stopped cell over the route of the last call."""
        if self._last_call is None or await self._canaries.answers(*self._last_call):
            self._answered()  # without an earlier call, the next real call is the probe

    # In the background ------------------------------------------------------------------------------------------------------

    async def _settle_once(self) -> None:
        settled = await self._settle.settle()
        if settled is None:
            return
        self._canaries.skew_ms = settled.now - time.time_ns() // 1_000_000
        if settled.proved_sent or settled.resent or settled.given_up or settled.no_outcome:
            log.info(
                "unknown outcomes settled",
                proved_sent=settled.proved_sent,
                resent=settled.resent,
                given_up=settled.given_up,
                no_outcome=settled.no_outcome,
            )
        if self._cell.stopped or not self._holds.fresh:
            return
        for need in settled.canaries:
            if route := (await self._routes.get({need.unknown.lane}, settled.epoch)).get(need.unknown.lane):
                await self._canaries.prove(need, route)

    async def _heartbeat(self) -> None:
        async def once() -> None:
            await self._store.begin_work()
            if reaped := await self._store.reap(DEAD_AFTER_MS):
                log.warning("a worker died; the outcome of its open calls is unknown", deliveries=reaped)

        await self._every(HEARTBEAT_EVERY, once)

    async def _every(self, seconds: float, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        while True:
            await self._retry_until_available(work)
            await asyncio.sleep(seconds)

    async def _retry_until_available(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        while True:
            try:
                await work()
                return
            except Unavailable as problem:
                log.warning("the database cannot be reached", problem=str(problem))
                await asyncio.sleep(0.5)

    async def _slow_down(self) -> None:
        """Lowers the rate once for all calls that were on the wire together."""
        now = time.monotonic()
        if now - self._slowed_at >= THROTTLE_WINDOW:
            self._slowed_at = now
            await self._log_failure(self._store.cut_rate(self._cell.name))

    async def _log_failure(self, asked: Coroutine[Any, Any, None]) -> None:
        try:
            await asked
        except Exception as problem:
            log.error("a result could not be recorded; the mail goes back to its queue", problem=str(problem))
            await asyncio.sleep(1)
