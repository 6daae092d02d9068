"""The governor's part for stops: places, tests and ends them, with an audit row for each placing and each end.

A hold is asked for; a stop is observed. Any process may report one: the dispatcher whose call was refused, or the control role
that reads the account's state and the paused tenants. Ending a stop says only that SES may be asked again: if it still refuses,
the next call places the stop again.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from mailcordon.core.reason import Reason
from mailcordon.core.stop import NewStop, Stop
from mailcordon.messages import reasons

CONTROL = "control"  #: the actor of what the system itself does


class AccountSays(NamedTuple):
    """What GetAccount said last."""

    enabled: bool
    has_quota: bool


class Covering(NamedTuple):
    """A stop that covers some of the lanes asked about, and how many other lanes it covers."""

    stop: Stop
    others: int


class StopStore(Protocol):
    """Each change is one transaction, which derives the lanes covered, wakes those released and bumps the epoch."""

    async def place(self, new: NewStop, *, actor: str, hits: int) -> Stop: ...
    async def end(self, ids: Sequence[int], *, actor: str, because: str) -> list[Stop]: ...
    async def take_probes(self, worker: int, first_ms: int) -> list[Stop]: ...
    async def probe_lane(self, stop: Stop) -> int | None: ...
    async def record_probe(self, stop: Stop, found: str, lane: int | None) -> None: ...
    async def probe_soon(self) -> int: ...
    async def account(self, cell: str) -> AccountSays | None: ...
    async def open(self) -> list[Stop]: ...
    async def covering(self, lanes: Sequence[int]) -> list[Covering]: ...
    async def of_gone_workers(self) -> list[int]: ...
    async def of_no_lane(self) -> list[int]: ...


class Stops:
    def __init__(self, store: StopStore) -> None:
        self._store = store

    async def place(self, new: NewStop, *, actor: str, hits: int = 1) -> Stop:
        """The open stop of this scope, name and cause: a new one, or the one there is, counted `hits` times more. A new one
        makes what SES has for the refused lane's route due at once."""
        return await self._store.place(new, actor=actor, hits=hits)

    async def end(self, ids: Sequence[int], *, actor: str, because: str) -> list[Stop]:
        """Those that were open. Their lanes start along the ramp, unless something else stops them."""
        return await self._store.end(ids, actor=actor, because=because) if ids else []

    async def take_probes(self, worker: int, first_ms: int) -> list[Stop]:
        """The stops that this dispatcher is to test now. Each is due again after its back-off, whatever becomes of the test."""
        return await self._store.take_probes(worker, first_ms)

    async def probe_lane(self, stop: Stop) -> int | None:
        """The lane whose route the test mail uses. None if a hold closes every lane that the stop covers."""
        return await self._store.probe_lane(stop)

    async def probe_failed(self, stop: Stop, found: str, lane: int | None = None) -> None:
        """Records what the test found. The resources of the lane's route are read again."""
        await self._store.record_probe(stop, found, lane)

    async def account_agrees(self, stop: Stop, cell: str) -> bool:
        """Whether GetAccount no longer reports the cause of a stop of the account."""
        says = await self._store.account(cell)
        if says is None:
            return False
        if stop.cause is Reason.DAILY_QUOTA:
            return says.has_quota
        return stop.cause is Reason.RATE_UNKNOWN or says.enabled

    async def probe_soon(self) -> int:
        """After a repair at SES: tests the open stops of routes now. Returns how many."""
        return await self._store.probe_soon()

    async def open(self) -> list[Stop]:
        return await self._store.open()

    async def covering(self, lanes: Sequence[int]) -> list[Covering]:
        """The open stops that cover any of these lanes by their route."""
        return await self._store.covering(lanes) if lanes else []

    async def end_of_gone_workers(self) -> int:
        """Ends the stops of dispatchers that ended or died. Returns how many."""
        ids = await self._store.of_gone_workers()
        return len(await self.end(ids, actor=CONTROL, because=reasons.worker_gone()))

    async def end_of_no_lane(self) -> int:
        """Ends the stops of routes that no lane has any more. Returns how many."""
        ids = await self._store.of_no_lane()
        return len(await self.end(ids, actor=CONTROL, because=reasons.no_lane_uses_it()))
