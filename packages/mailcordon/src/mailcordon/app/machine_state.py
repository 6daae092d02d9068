"""The state of the installation for control's metrics, read when somebody asks."""

import asyncio
import time
from collections.abc import Iterator

import structlog

from mailcordon.adapters.prometheus import state_samples
from mailcordon.adapters.prometheus.samples import Sample
from mailcordon.control.machine_state import State, StateReader
from mailcordon.core.errors import Unavailable
from mailcordon.core.log_limit import LogLimit

#: Seconds in which another scrape gets the state that was read before: two Prometheus servers read the database once.
STATE_FRESH = 10.0

_log = structlog.get_logger("mailcordon.app")


class Kept:
    """One reading answers everybody who asks within STATE_FRESH seconds."""

    def __init__(self, reader: StateReader) -> None:
        self._reader = reader
        self._began = float("-inf")
        self._reading: asyncio.Task[State | None] | None = None
        self._logged = LogLimit()

    async def read(self) -> State | None:
        if self._reading is None or (self._reading.done() and time.monotonic() - self._began > STATE_FRESH):
            self._began = time.monotonic()
            self._reading = asyncio.create_task(self._read())
        return await asyncio.shield(self._reading)

    async def samples(self) -> Iterator[Sample]:
        return state_samples.of_state(await self.read())

    async def _read(self) -> State | None:
        """None if the database cannot be read."""
        try:
            return await self._reader.state()
        except (Unavailable, TimeoutError) as problem:
            if self._logged.count("state"):
                _log.warning("the state could not be read for metrics", problem=str(problem))
        except Exception:
            if self._logged.count("failed"):
                _log.exception("the state could not be read for metrics")
        return None
