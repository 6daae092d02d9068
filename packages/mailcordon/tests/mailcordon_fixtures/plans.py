"""What PostgreSQL plans for a statement that is prepared and frequent."""

import re

from mailcordon.adapters.db import engine


async def plan(connection: engine.Connection, statement: str, types: str, *arguments: object) -> str:
    await connection.execute(f"prepare hot{f' ({types})' if types else ''} as {statement}")
    literals = ", ".join(
        "null" if one is None else f"'{one}'" if isinstance(one, str) else str(one) for one in arguments
    )
    rows = await connection.fetch(f"explain (costs off) execute hot{f' ({literals})' if literals else ''}")
    await connection.execute("deallocate hot")
    return "\n".join(row[0] for row in rows)


def assert_by_key(name: str, text: str) -> None:
    """This plan of the statement `name` looks each row up by its key."""
    assert not re.findall(r"Seq Scan on (?!epoch)\w+", text), f"{name}\n{text}"
    assert "Bitmap" not in text, f"{name}\n{text}"
    assert not re.findall(r"(?:Hash|Merge) (?:Semi |Anti |Left )?Join", text), f"{name}\n{text}"
