"""What a claim returns of each delivery: its row, its recipient and its content."""

from collections.abc import Mapping, Sequence

import asyncpg

from mailcordon.adapters.db import engine, queries
from mailcordon.core import ids, path_choice
from mailcordon.send.decide import RowFacts
from mailcordon.send.moves import Claimed

_SQL = queries.load("queue_store.sql")
#: Bytes of content that is read right before its call: a claim may have hundreds.
LARGE = 1024 * 1024
_Content = tuple[
    list[str], bytes | None, str, int, int | None
]  #: recipients, content, path, bytes of a content that is not read yet, who takes the other path
_NO_CONTENT: _Content = ([], None, "isolated", 0, None)


async def read(
    connection: engine.Connection, claimed: Sequence[asyncpg.Record], *, urgent: bool, only: bool
) -> dict[int, _Content]:
    """Recipients and content by message. Urgent content has a table of its own, read only if a claim can need it."""
    if not claimed:
        return {}
    messages = sorted({ids.message_of(row["id"]) for row in claimed})
    found: dict[int, _Content] = {}
    for apart in (True,) if urgent and only else (False, True) if urgent else (False,):
        rows = await connection.fetch(_SQL.claimed_content, messages, messages[0], messages[-1], apart, LARGE)
        for row in rows:
            if row["body"] is not None or row["id"] not in found:
                found[row["id"]] = (row["recipients"], row["body"], row["path"], row["large"], row["others"])
    return found


def claimed(
    row: asyncpg.Record,
    now: int,
    contents: Mapping[int, _Content],
    reserve: str | None,
    counted: Mapping[int, tuple[int, ...]],
    apart: Mapping[int, tuple[bytes, ...]],
) -> Claimed:
    id: int = row["id"]
    recipients, content, path, large, others = contents.get(ids.message_of(id), _NO_CONTENT)
    place = ids.recipient_of(id) - 1
    return Claimed(
        lane=row["lane"],
        id=id,
        tenant=row["tenant"],
        attempt=row["attempt"],
        called_at=now,
        provider=row["provider"],
        campaign=row["campaign"],
        list=row["list"],
        to=recipients[place] if place < len(recipients) else "",
        content=content,
        facts=RowFacts(*[row[fact] for fact in RowFacts._fields]),
        reserve=reserve,
        path=path if not others else path_choice.path_of(path, others, place + 1),
        two_paths=others is not None,
        large=large,
        counted=counted.get(id, ()),
        addresses=apart.get(id, ()),
    )
