"""Writes checkpoints of the audit trail outside of the database: once a minute if rows were added, and at the end.

A checkpoint that cannot be written is logged and tried again a minute later: it must not end a process that works. A chain that
contradicts the last checkpoint is an error in the log each time; `mailcordon audit verify` names the row.
"""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

import structlog

from mailcordon.adapters.db import audit_store, connection_pool, engine
from mailcordon.config import Config
from mailcordon.control import audit_checkpoints
from mailcordon.control.audit_checkpoints import Checkpoint
from mailcordon.core.errors import Unavailable
from mailcordon.host import append_file

_EVERY = 60.0  #: seconds
_END_PATIENCE = 2.0  #: seconds
_MOST = 100_000  #: rows of one round

_log = structlog.get_logger("mailcordon.app")


@contextlib.asynccontextmanager
async def written(config: Config, pool: engine.Pool) -> AsyncGenerator[None]:
    """Writes while the body runs, and once more at its end. The pool needs the control role."""
    writer = Writer(pool, file=config.audit_checkpoint_file, log=config.audit_checkpoint_log)
    task = asyncio.create_task(_write_every_minute(writer), name="audit checkpoints")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_PATIENCE):
                await writer.write()


@dataclass(slots=True)
class Writer:
    pool: engine.Pool
    file: Path | None
    log: bool = False
    logged: int = 0  #: the place of the last line in the log

    async def write(self) -> None:
        """Writes what was added since the last time. Does not raise."""
        try:
            await self._write()
        except Unavailable as problem:
            _log.warning("no checkpoint of the audit trail could be written", problem=str(problem))
        except Exception:
            _log.exception("no checkpoint of the audit trail could be written")

    async def _write(self) -> None:
        last = None if self.file is None else await asyncio.to_thread(_latest, self.file)
        async with connection_pool.acquire(self.pool) as connection:
            head = await audit_store.head(connection)
            if last is not None and await audit_store.hash_at(connection, last.seq) != bytes.fromhex(
                last.hash
            ):
                _log.error(
                    "the audit trail contradicts its last checkpoint: run `mailcordon audit verify`",
                    seq=last.seq,
                    at=last.at,
                )
            at = head.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            name = head.installation or ""
            if self.log and head.seq > self.logged:
                _log.info("audit checkpoint", seq=head.seq, hash=head.hash.hex(), installation=name, at=at)
                self.logged = head.seq
            seq = 0 if last is None else last.seq
            if self.file is None or head.seq <= seq:
                return
            hashes = await audit_store.hashes(connection, seq, head.seq, _MOST)
        for one in audit_checkpoints.make(at, name, hashes):
            await asyncio.to_thread(append_file.append_line, self.file, one.line)


def _latest(file: Path) -> Checkpoint | None:
    return audit_checkpoints.latest(append_file.last_lines(file))


async def _write_every_minute(writer: Writer) -> None:
    while True:
        await writer.write()
        await asyncio.sleep(_EVERY)
