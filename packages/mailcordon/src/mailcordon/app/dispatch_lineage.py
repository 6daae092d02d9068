"""What a dispatcher needs to find that its database was restored from a backup (send/lineage.py)."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, Sequence

from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.lineage_store import LineageStore
from mailcordon.adapters.db.restoration_store import RestorationStore
from mailcordon.config import Config
from mailcordon.control.governor import Governor
from mailcordon.control.restorations import Restorations
from mailcordon.host import dispatch_memory
from mailcordon.host.dispatch_memory import Call, CallLog
from mailcordon.messages import restorations as messages
from mailcordon.send.lineage import Lineage, Remembered, Standing

ACTOR = "dispatch"
_AT_ONCE = 32  #: lines of the log of calls


class HomeMemory:
    """Implements `send.lineage.Memory` with files of the home."""

    def __init__(self, config: Config) -> None:
        self._home = config.home
        self._memory = dispatch_memory.load(config.home)
        self._log = CallLog(config.home, keep_days=config.keep_calls_days)
        self._writing = asyncio.Lock()

    @property
    def remembered(self) -> Remembered:
        return Remembered(str(self._memory.home), self._memory.beats, self._memory.at)

    async def reported(self, beats: int, at: int) -> None:
        self._memory = dispatch_memory.Memory(self._memory.home, beats, at)
        await asyncio.to_thread(dispatch_memory.save, self._home, self._memory)

    async def forget(self) -> None:
        self._memory = dispatch_memory.forgotten(self._memory)
        await asyncio.to_thread(dispatch_memory.save, self._home, self._memory)

    async def calls(self, calls: Sequence[tuple[int, int, int]]) -> None:
        if not self._log.on:
            return
        # A few lines into the page cache take less than giving them to a thread.
        lines = [Call(*one) for one in calls]
        if len(lines) <= _AT_ONCE and self._log.is_open(lines[0].at) and not self._writing.locked():
            self._log.write(lines)
            return
        async with self._writing:  # two loops claim
            await asyncio.to_thread(self._log.write, lines)

    def close(self) -> None:
        self._log.close()


@contextlib.asynccontextmanager
async def lineage(config: Config, governors: Pool) -> AsyncGenerator[Lineage]:
    store = LineageStore(config.login_url("send"))
    memory = HomeMemory(config)
    restorations = Restorations(
        RestorationStore(governors), Governor(GovernorStore(governors)).stops, config.cell
    )

    async def found(known: Remembered, standing: Standing) -> None:
        await restorations.found(
            by=ACTOR,
            because=messages.reports_missing(
                host=socket.gethostname(), known=known.beats, has=standing.beats
            ),
            backup_at=standing.at or None,
            known_until=known.at if standing.beats < known.beats else None,
        )

    try:
        yield Lineage(store, memory, found)
    finally:
        memory.close()
        await store.close()
