"""Claims fairly, calls SES, records: the only caller of SES's send.

The order is the promise. The intent is committed before the call; a claim never exceeds the free call slots, so what is marked
`sending` is what is on the wire; a slot is free again only when its result is committed. Before each call the holds are looked
at once more, in memory. Urgent mail has a loop and slots of its own, so that nobody's newsletter stands before a reset.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon.core.errors import Unavailable
from mailcordon.core.event import Attempt
from mailcordon.core.priority import WORTH, Class
from mailcordon.send import compose, retry
from mailcordon.send.cell import Cell
from mailcordon.send.holds import Holds, boot_time
from mailcordon.send.ports import (
    WHY_HELD,
    WHY_RETRY,
    WHY_UNKNOWN,
    Claimed,
    HoldAsker,
    Leave,
    Park,
    QueueStore,
    Sender,
    SettleStore,
    Unknown,
    Way,
)
from mailcordon.send.retry import Next, Verdict

log: Any = structlog.get_logger()

POLL_BUSY = 0.01  #: seconds between claims while there was mail lately
POLL_IDLE = 0.05  #: seconds between claims after a quiet second
BUSY_FOR = 1.0  #: seconds
TOKENS_FOR = 0.5  #: seconds that tokens of the account's rate are kept before they lapse
DEAD_AFTER_MS = 2_000  #: of silence, and with its lock free, a worker is dead
SWEEP_EVERY = 30.0  #: seconds
SETTLE_EVERY = 0.25  #: seconds
CANARY_AGAIN = 5.0  #: seconds between two canaries for one configuration set
URGENT_SHARE = 0.25  #: of the call slots, for urgent mail alone

CLASSES = ((Class.URGENT,), (Class.TRANSACTIONAL, Class.MARKETING))


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What goes into every tag of this installation."""

    installation: str
    mac_key: bytes


class Ways:
    """What is remembered of lanes' routes; thrown away whenever the control epoch moves."""

    def __init__(self, store: QueueStore) -> None:
        self._store = store
        self._known: dict[int, Way] = {}
        self._epoch = -1

    async def of(self, lanes: set[int]) -> dict[int, Way]:
        epoch = await self._store.control_epoch()
        if epoch != self._epoch:
            self._known, self._epoch = {}, epoch
        if missing := [lane for lane in lanes if lane not in self._known]:
            self._known.update(await self._store.ways(missing))
        return self._known


class Tokens:
    """This process's share of the account's rate, taken in lots so that the row is not visited for every claim."""

    def __init__(self, store: QueueStore, cell: str, *, urgent: bool) -> None:
        self._store, self._cell, self._urgent = store, cell, urgent
        self._have = 0
        self._until = 0.0
        self.because: str | None = None  #: why there are none

    async def take(self, want: int) -> int:
        now = time.monotonic()
        if now > self._until:
            self._have = 0
        if self._have < want:
            granted, self.because = await self._store.take_tokens(
                self._cell, want * 2 - self._have, urgent=self._urgent
            )
            self._have += granted
            self._until = now + TOKENS_FOR
        taken = min(want, self._have)
        self._have -= taken
        return taken

    async def give_back(self, n: int) -> None:
        """There was less mail than tokens: what is left goes back to the row, for the other loops and processes."""
        left, self._have = self._have + n, 0
        await self._store.return_tokens(self._cell, left)

    def lapse(self) -> None:
        self._have = 0


class Slots:
    """How many calls may still start here. A slot is taken at the claim and free again when its result is committed."""

    def __init__(self, size: int) -> None:
        self.size = self.free = size

    def take(self, n: int) -> None:
        self.free -= n

    def release(self) -> None:
        self.free += 1


class Results:
    """Collects what became of deliveries and commits it batch by batch, freeing the slots afterwards."""

    def __init__(self, store: QueueStore) -> None:
        self._store = store
        self._leaves: list[Leave] = []
        self._parks: list[Park] = []
        self._backs: list[Claimed] = []
        self._turns: dict[int, int] = {}
        self._slots: list[Slots] = []
        self._arrived = asyncio.Event()

    def leave(self, slots: Slots, leave: Leave) -> None:
        self._leaves.append(leave)
        self._done(slots)

    def park(self, slots: Slots, park: Park) -> None:
        self._parks.append(park)
        self._done(slots)

    def give_back(self, slots: Slots, claim: Claimed, turn: int) -> None:
        self._backs.append(claim)
        self._turns[claim.lane] = turn
        self._done(slots)

    def _done(self, slots: Slots) -> None:
        self._slots.append(slots)
        self._arrived.set()

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            await self.flush()

    async def flush(self) -> None:
        while self._slots:
            leaves, parks, backs, turns, slots = (
                self._leaves,
                self._parks,
                self._backs,
                self._turns,
                self._slots,
            )
            self._leaves, self._parks, self._backs, self._turns, self._slots = [], [], [], {}, []
            while True:
                try:
                    await self._store.complete(leaves, parks, backs, turns)
                    break
                except Unavailable as problem:
                    # The rows say `sending` until this is committed; if we die first they become "outcome unknown".
                    log.warning("results wait for the database", results=len(slots), problem=str(problem))
                    await asyncio.sleep(0.25)
            for one in slots:
                one.release()


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
        self._ways = Ways(store)
        self._results = Results(store)
        self._cell = Cell(cell, clock)
        urgent = max(1, round(slots * URGENT_SHARE))
        self._slots = (urgent, max(1, slots - urgent))
        self._calls: set[asyncio.Task[None]] = set()
        self._canaried: dict[str, float] = {}
        self._skew_ms = 0  #: of the database's clock against ours
        self._last_way: tuple[Claimed, Way] | None = None
        self._stopping = False

    async def run(self, stop: asyncio.Event) -> None:
        """Sends until `stop`; then claims nothing more, waits for the calls on the wire and records them."""
        await self._patiently(self._holds.read)
        await self._patiently(self._store.begin_work)
        endless: list[Coroutine[Any, Any, None]] = [
            self._holds.run(),
            self._results.run(),
            self._beat(),
            self._every(SETTLE_EVERY, self._settle_once),
            self._every(SWEEP_EVERY, self._store.sweep),
        ]
        tasks = [asyncio.create_task(one) for one in endless]
        loops = [asyncio.create_task(self._loop(c, n)) for c, n in zip(CLASSES, self._slots, strict=True)]
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

    async def _loop(self, classes: Sequence[Class], size: int) -> None:
        slots = Slots(size)
        tokens = Tokens(self._store, self._cell.name, urgent=Class.URGENT in classes)
        busy_until = 0.0
        said: str | None = None
        while not self._stopping:
            try:
                claimed = await self._claim(classes, slots, tokens)
            except Unavailable as problem:
                log.warning("nothing can be claimed", problem=str(problem))
                await asyncio.sleep(0.25)
                continue
            if tokens.because != said:
                said = tokens.because
                if said:
                    log.warning("nothing is sent", because=said)
            now = time.monotonic()
            if claimed:
                busy_until = now + BUSY_FOR
            elif now >= busy_until:
                await asyncio.sleep(POLL_IDLE)
                continue
            # Waiting a moment lets slots gather: a claim costs the same for one mail as for many.
            await asyncio.sleep(POLL_BUSY if not claimed else 0.002)

    async def _claim(self, classes: Sequence[Class], slots: Slots, tokens: Tokens) -> int:
        free = slots.free
        if free < max(1, slots.size // 8) or self._cell.stopped or not self._holds.fresh:
            if self._cell.canary_due():
                await self._probe()
            return 0
        await self._store.recheck()
        if not await self._store.due(classes):
            return 0
        granted = await tokens.take(free)
        if not granted:
            return 0
        claimed = await self._store.claim(classes, granted)
        if len(claimed) < granted:
            await tokens.give_back(granted - len(claimed))
        if claimed:
            slots.take(len(claimed))
            ways = await self._ways.of({claim.lane for claim in claimed})
            for claim in claimed:
                task = asyncio.create_task(self._deliver_surely(claim, ways.get(claim.lane), slots, tokens))
                self._calls.add(task)
                task.add_done_callback(self._calls.discard)
        return len(claimed)

    # One delivery ---------------------------------------------------------------------------------------------------------

    async def _deliver_surely(self, claim: Claimed, way: Way | None, slots: Slots, tokens: Tokens) -> None:
        """A fault of ours in the middle of a delivery must leave it neither lost nor marked `sending` for ever."""
        try:
            await self._deliver(claim, way, slots, tokens)
        except Exception as problem:
            log.exception("a delivery failed by a fault of ours", delivery=ids.delivery_id(claim.id))
            reason = f"a fault of ours during the call: {type(problem).__name__}"
            park = Park(claim=claim, why=WHY_UNKNOWN, until=None, reason=reason, note="outcome-unknown")
            self._results.park(slots, park)

    async def _deliver(self, claim: Claimed, way: Way | None, slots: Slots, tokens: Tokens) -> None:
        if way is None:
            # The lane lost its route between accept and now: the mail stays, somebody must look.
            self._results.park(
                slots,
                Park(
                    claim=claim,
                    why=WHY_RETRY,
                    until=claim.called_at + 5_000,
                    reason="its lane has no route",
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
            self._results.give_back(slots, claim, way.turn)
        elif hold := self._holds.narrow_hold(claim, way, claim.called_at):
            self._results.park(
                slots,
                Park(
                    claim=claim, why=WHY_HELD, until=None, reason=hold.sentence, hold=hold.id, note="parked"
                ),
            )
        elif claim.suppressed:
            self._leave(
                slots,
                claim,
                way,
                State.REFUSED,
                "suppressed",
                "suppressed after it was accepted, found just before the call",
            )
        elif claim.content is None or not claim.to:
            self._leave(
                slots,
                claim,
                way,
                State.GIVEN_UP,
                "no-content",
                "its content is gone, so it cannot be sent; this should not happen",
            )
        else:
            await self._call(claim, way, claim.content, slots, tokens)

    async def _call(self, claim: Claimed, way: Way, content: bytes, slots: Slots, tokens: Tokens) -> None:
        self._last_way = (claim, way)
        body = compose.call(
            content,
            to=claim.to,
            ses_tenant=way.ses_tenant,
            configuration_set=way.configuration_set,
            key=self._identity.mac_key,
            attempt=self._attempt(claim, way),
        )
        answer = await self._ses.send_email(body)
        await self._record(claim, way, retry.decide(answer, claim.attempt), slots, tokens)

    async def _record(self, claim: Claimed, way: Way, verdict: Verdict, slots: Slots, tokens: Tokens) -> None:
        match verdict.next:
            case Next.SENT:
                self._answered()
                self._leave(slots, claim, way, State.SENT, verdict.reason, verdict.detail, verdict.ses_id)
            case Next.DEAD:
                self._answered()
                self._leave(slots, claim, way, State.REJECTED_AT_CALL, verdict.reason, verdict.detail)
            case Next.UNKNOWN:
                if self._cell.unclear(verdict.detail):
                    log.error("the cell is stopped", cell=self._cell.name, because=self._cell.because)
                self._results.park(
                    slots,
                    Park(
                        claim=claim,
                        why=WHY_UNKNOWN,
                        until=None,
                        reason=verdict.detail,
                        note="outcome-unknown",
                    ),
                )
            case Next.THROTTLED:
                tokens.lapse()
                await self._quietly(self._store.cut_rate(self._cell.name))
                self._results.give_back(slots, claim, way.turn)
            case Next.AGAIN:
                self._results.park(
                    slots,
                    Park(
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
                await self._quietly(
                    self._governor.hold_for_ses(tenant=claim.tenant, lane=lane, because=verdict.detail)
                )
                self._results.give_back(slots, claim, way.turn)
            case Next.STOP_ACCOUNT:
                if self._cell.stop(verdict.detail):
                    log.error("the cell is stopped", cell=self._cell.name, because=verdict.detail)
                self._results.give_back(slots, claim, way.turn)

    def _leave(
        self,
        slots: Slots,
        claim: Claimed,
        way: Way,
        state: State,
        reason: str,
        detail: str,
        ses_id: str | None = None,
    ) -> None:
        forget = WORTH[way.class_].content_kept_ms == 0
        self._results.leave(
            slots, Leave(claim=claim, state=state, reason=reason, detail=detail, ses_id=ses_id, forget=forget)
        )

    def _attempt(self, claim: Claimed, way: Way) -> Attempt:
        return Attempt(
            installation=self._identity.installation,
            tenant_key=way.tenant_key,
            type=way.type,
            delivery=claim.id,
            attempt=claim.attempt,
            called_at=claim.called_at,
        )

    def _answered(self) -> None:
        if self._cell.answered():
            log.info("the cell is open again", cell=self._cell.name)

    # Canaries -------------------------------------------------------------------------------------------------------------

    async def _probe(self) -> None:
        """Asks a stopped cell's SES whether it answers again, over the way of the last call."""
        if self._last_way is None:
            self._cell.answered()  # nothing was ever called: the next real call will tell
            return
        claim, way = self._last_way
        verdict = await self._canary(claim.id, way)
        if verdict.next not in (Next.UNKNOWN, Next.STOP_ACCOUNT):
            self._answered()

    async def _canary(self, delivery: int, way: Way) -> Verdict:
        attempt = Attempt(
            installation=self._identity.installation,
            tenant_key=way.tenant_key,
            type=way.type,
            delivery=delivery,
            attempt=0,
            called_at=time.time_ns() // 1_000_000 + self._skew_ms,
            canary=True,
        )
        body = compose.call(
            compose.canary_content(way.domain),
            to=compose.canary_recipient(ids.encode(delivery)),
            ses_tenant=way.ses_tenant,
            configuration_set=way.configuration_set,
            key=self._identity.mac_key,
            attempt=attempt,
        )
        return retry.decide(await self._ses.send_email(body), 1)

    async def _canary_for(self, unknown: Unknown, configuration_set: str) -> None:
        now = time.monotonic()
        if now - self._canaried.get(configuration_set, float("-inf")) < CANARY_AGAIN or self._cell.stopped:
            return
        if not self._holds.fresh:
            return
        way = (await self._ways.of({unknown.lane})).get(unknown.lane)
        if way is None:
            return
        self._canaried[configuration_set] = now
        log.info(
            "a canary is sent, since nothing else can prove what became of a call",
            delivery=ids.delivery_id(unknown.id),
        )
        await self._canary(unknown.id, way)

    # The slow half ----------------------------------------------------------------------------------------------------------

    async def _settle_once(self) -> None:
        settled = await self._settle.settle()
        if settled is None:
            return
        self._skew_ms = settled.now - time.time_ns() // 1_000_000
        if settled.proved_sent or settled.resent or settled.given_up or settled.no_outcome:
            log.info(
                "unknown outcomes settled",
                proved_sent=settled.proved_sent,
                resent=settled.resent,
                given_up=settled.given_up,
                no_outcome=settled.no_outcome,
            )
        for need in settled.canaries:
            await self._canary_for(need.unknown, need.configuration_set)

    async def _beat(self) -> None:
        async def once() -> None:
            await self._store.begin_work()
            if reaped := await self._store.reap(DEAD_AFTER_MS):
                log.warning("a worker died; what it had on the wire is unknown", deliveries=reaped)

        await self._every(0.5, once)

    async def _every(self, seconds: float, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        while True:
            await self._patiently(work)
            await asyncio.sleep(seconds)

    async def _patiently(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        while True:
            try:
                await work()
                return
            except Unavailable as problem:
                log.warning("the database is away", problem=str(problem))
                await asyncio.sleep(0.5)

    async def _quietly(self, asked: Coroutine[Any, Any, None]) -> None:
        try:
            await asked
        except Exception as problem:
            log.error("could not be recorded; the mail goes back to its queue", problem=str(problem))
            await asyncio.sleep(1)
