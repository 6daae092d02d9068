"""Ends what is being retired, step by step, in the control role.

A lane that is being retired takes no mail. Its queue is sealed once no transaction can add to it; its mail leaves or is
cancelled; then SES gets the time that it may take for the last mail, since a deleted configuration set reports nothing more. Then
the lane is retired, after the last lane of a domain the domain, and after the last lane of a tenant the tenant. What a retired
lane alone used at SES goes with the calls of the plan that retired it. Each step is one transaction, so a process that dies loses
nothing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from mailcordon.control.governor import Governor
from mailcordon.control.steps import Mail
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.core.target import Target
from mailcordon.messages import lifecycle

ACTOR = "control"
LANES = 1000  #: looked at in one round; the next round goes on after them
_LOCAL_SECONDS = 3.0  #: the local SES reports within seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Retiring:
    """A lane that takes no new mail and is not retired yet."""

    lane: int
    tenant: int
    slug: str
    type: str
    class_: Class
    mail: Mail
    sealed: bool  #: nothing can be added to its queue any more
    drained_for: float | None  #: seconds since its queue was found empty
    has_mail: bool  #: on the wire and outcome unknown included
    has_cancellable: bool
    has_sent: bool  #: any mail at all


class Next(Enum):
    SEAL = "seal"
    CANCEL = "cancel"
    WAIT = "wait"
    DRAINED = "drained"  #: its queue is empty
    DONE = "done"  #: nothing needs it any more


def next_of(lane: Retiring, late_seconds: float) -> Next:
    """`late_seconds`: how long SES may take for the last mail."""
    if lane.mail == "cancel" and lane.has_cancellable:
        return Next.CANCEL
    if not lane.sealed:
        return Next.SEAL
    if lane.has_mail:
        return Next.WAIT
    if lane.drained_for is None:
        return Next.DRAINED
    return Next.WAIT if lane.has_sent and lane.drained_for < late_seconds else Next.DONE


def late_seconds(class_: Class, *, local: bool) -> float:
    """How long SES may try to deliver mail of a class, and so report on it."""
    longest = float(CLASS_DEFAULTS[class_].max_delivery_seconds)
    return min(longest, _LOCAL_SECONDS) if local else longest


class RetirementStore(Protocol):
    """Each method is one transaction."""

    async def retiring(self, after: int, most: int) -> list[Retiring]:
        """The first ones after a lane, in the order of their numbers."""
        ...

    async def seal(self) -> bool:
        """False if the transactions that accept mail left no moment for it. Otherwise nothing can be added to the queues of the
        lanes that are being retired."""
        ...

    async def drained(self, lanes: Sequence[int]) -> None: ...

    async def with_ends(self) -> list[int]:
        """Tenants that can be retired, or have a domain that can."""
        ...

    async def finish(self, tenant: int, lanes: Sequence[int], *, actor: str) -> bool:
        """Ends these lanes of a tenant, and what of it ends with them. Returns whether anything did."""
        ...


class Retirement:
    def __init__(self, store: RetirementStore, governor: Governor, late: Callable[[Class], float]) -> None:
        """`late`: the seconds that SES may take for the last mail of a class."""
        self._store = store
        self._governor = governor
        self._late = late
        self._after = 0

    async def advance(self) -> None:
        """One step of what is being retired, `LANES` lanes at a time. Costs one query if there is nothing."""
        lanes = await self._store.retiring(self._after, LANES)
        self._after = lanes[-1].lane if len(lanes) == LANES else 0
        found: dict[Next, list[Retiring]] = {each: [] for each in Next}
        for lane in lanes:
            found[next_of(lane, self._late(lane.class_))].append(lane)
        for lane in found[Next.CANCEL]:
            target = Target(tenant=lane.tenant, lane=lane.lane)
            await self._governor.cancel(target, actor=ACTOR, because=lifecycle.cancelled_with_its_lane())
        if found[Next.SEAL]:
            await self._store.seal()
        if found[Next.DRAINED]:
            await self._store.drained([lane.lane for lane in found[Next.DRAINED]])
        done: dict[int, list[int]] = {tenant: [] for tenant in await self._store.with_ends()}
        for lane in found[Next.DONE]:
            done.setdefault(lane.tenant, []).append(lane.lane)
        for tenant, ended in sorted(done.items()):
            await self._store.finish(tenant, ended, actor=ACTOR)
