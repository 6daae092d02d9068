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
Content = tuple[
    list[str], bytes | None, str, int, int | None
]  #: recipients, content, path, bytes of a content that is not read yet, who takes the other path
_NO_CONTENT: Content = ([], None, "isolated", 0, None)


def asked(claimed: Sequence[asyncpg.Record], *, urgent: bool) -> tuple[object, ...]:
    """The last arguments of the statement that ends a claim: whose content it returns, and from which table."""
    messages = sorted({ids.message_of(row["id"]) for row in claimed})
    first, last = (messages[0], messages[-1]) if messages else (None, None)
    return messages, first, last, urgent, LARGE


def found(rows: Sequence[asyncpg.Record]) -> dict[int, Content]:
    """What it returned, by message."""
    return {
        row["id"]: (row["recipients"], row["body"], row["path"], row["large"], row["others"])
        for row in rows
        if row["id"] is not None
    }


async def read_urgent(
    connection: engine.Connection, claimed: Sequence[asyncpg.Record], contents: dict[int, Content]
) -> None:
    """For a claim of urgent mail and other: urgent content has a table of its own."""
    missing = [row for row in claimed if not _has_content(contents.get(ids.message_of(row["id"])))]
    if missing:
        nothing: tuple[object, ...] = ([], [], [], [], [], [], 0)
        rows = await connection.fetch(_SQL.return_turns, *nothing, *asked(missing, urgent=True))
        contents.update(found(rows))


def _has_content(found: Content | None) -> bool:
    return found is not None and (found[1] is not None or found[3] > 0)


def claimed(
    row: asyncpg.Record,
    now: int,
    contents: Mapping[int, Content],
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
