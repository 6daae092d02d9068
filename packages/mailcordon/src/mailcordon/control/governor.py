"""The governor: the only code that stops, slows, releases and cancels mail, for every owner and in every process.

Holds are what somebody decides; what SES refuses is a stop (`control/stops.py`). A hold takes effect with its commit, which also
updates the lanes it covers and writes the audit row. Lifting names the holds it lifts and changes no other. A cancel runs in
bounded transactions and can be resumed.
"""

from collections.abc import Sequence

from mailcordon.control.ports import GovernorStore
from mailcordon.control.preview import Preview
from mailcordon.control.stops import Stops
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.hold import OWNERS, Hold, NewHold
from mailcordon.core.target import Target
from mailcordon.messages import api, holds, reasons

CHUNK = 1000  #: deliveries per transaction
LEAST_RATE = 0.001  #: deliveries per second of a lane or a slowing hold: one in 17 minutes
MOST_RATE = 1_000_000
CLOCK = "clock"  #: the actor that lifts expired holds


class Governor:
    def __init__(self, store: GovernorStore) -> None:
        self._store = store
        self.stops = Stops(store.stops)

    async def place(self, hold: NewHold, *, actor: str, once: bool = False) -> Hold:
        """Raises Invalid or NotFound. With `once`, returns an open hold of the same owner, target and evidence if any."""
        check(hold)
        return await self._store.place(hold, actor=actor, once=once)

    async def lift(self, hold_ids: Sequence[int], *, tenant: int, actor: str, because: str) -> list[Hold]:
        """The holds that were open and are lifted now. The mail they had deferred follows along a ramp (send/clearing.py)."""
        require_because(because)
        return await self._store.lift(tenant, hold_ids, actor=actor, because=because)

    async def preview(self, target: Target) -> Preview:
        """The lanes that the target covers, with their counts and holds. Changes nothing."""
        return await self._store.preview(target)

    async def cancel(self, target: Target, *, actor: str, because: str) -> int:
        """Drops what has not left, for good. Returns how many deliveries. Those on the wire, or outcome unknown, are left."""
        require_because(because)
        lanes = await self._store.announce_cancel(target, actor=actor, because=because)
        detail = reasons.cancelled(actor, because)
        cancelled = 0
        for lane in lanes:
            while moved := await self._store.cancel(target, lane, detail=detail, most=CHUNK):
                cancelled += moved
        return cancelled

    async def open_holds(self, tenant: int) -> list[Hold]:
        return await self._store.open_holds(tenant)

    async def align(self, tenant: int) -> None:
        """Holds the lanes on domains that SES has not verified, lifts that hold from the others, and derives each lane's state
        from its open holds. New lanes stay closed until this has run."""
        await self._store.align(tenant)

    async def set_rate(self, tenant: int, lane: int, rate: float | None, *, actor: str, because: str) -> None:
        """Sets a lane's own limit in deliveries per second, or removes it with None. A slowing hold can only lower it."""
        require_because(because)
        if rate is not None:
            require_rate(rate)
        await self._store.set_rate(tenant, lane, rate, actor=actor, because=because)

    async def lift_expired(self) -> int:
        """Lifts holds past their end. Returns how many were lifted."""
        lifted = 0
        for tenant, ids in await self._store.due_holds():
            lifted += len(await self.lift(ids, tenant=tenant, actor=CLOCK, because=reasons.hold_ended()))
        return lifted

    async def align_all(self) -> None:
        """Aligns every tenant that still needs it because the process that should have done so died."""
        seen: set[int] = set()
        while new := set(await self._store.unaligned_tenants()) - seen:
            for tenant in sorted(new):
                await self._store.align(tenant)
            seen |= new


def check(hold: NewHold) -> None:
    """Raises Invalid."""
    require_because(hold.because)
    if hold.owner not in OWNERS:
        raise Invalid(Fault("owner", api.not_one_of(list(OWNERS))))
    if not hold.stops:
        require_rate(hold.rate or 0.0)
    if not hold.stops and hold.target.narrow:
        raise Invalid(Fault("rate", holds.rate_of_a_part()))


def require_rate(rate: float) -> None:
    """Raises Invalid for deliveries per second that a lane cannot be slowed to. The database has rates in single precision."""
    if not LEAST_RATE <= rate <= MOST_RATE:
        raise Invalid(Fault("rate", holds.bad_rate(LEAST_RATE, MOST_RATE)))


def require_because(because: str) -> None:
    """Raises Invalid if there is no reason: everyone affected must be able to read one."""
    if not because.strip():
        raise Invalid(Fault("because", api.reason_missing(), "missing"))
