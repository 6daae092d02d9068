"""Writes the content of one large message into its table, in parts.

As an argument of a statement, 9 MB are encoded and sent in one go, which keeps the event loop for tens of milliseconds, and the
server copies them several times. COPY takes half the server's CPU, and the loop does other work between two parts.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Sequence

from mailcordon.adapters.db import engine
from mailcordon.core.priority import Class
from mailcordon.send.accept_item import LARGE
from mailcordon.send.ports import NewMessage

_PART = 64 * 1024  #: bytes
#: PostgreSQL's documentation of COPY, binary format: signature, flags, length of the header's extension.
_HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
_ROW = struct.Struct("!hiqi")  #: columns, length of the id, id, length of the body
_END = struct.pack("!h", -1)


def is_alone(batch: Sequence[NewMessage]) -> bool:
    """Whether the batch is one large message: these are stored alone (send/committer.py)."""
    return len(batch) == 1 and len(batch[0].content) > LARGE


async def write(connection: engine.Connection, message: NewMessage) -> None:
    """Inserts the row of `content` or `urgent_content`."""
    await connection.copy_to_table(
        "urgent_content" if message.route.lane.class_ is Class.URGENT else "content",
        columns=["id", "body"],
        source=_parts(message.id, message.content),
        format="binary",
    )


async def _parts(id: int, body: bytes) -> AsyncIterator[bytes]:
    yield _HEADER + _ROW.pack(2, 8, id, len(body))
    for start in range(0, len(body), _PART):
        yield body[start : start + _PART]
        await asyncio.sleep(0)  # the driver waits only while the connection takes no more
    yield _END
