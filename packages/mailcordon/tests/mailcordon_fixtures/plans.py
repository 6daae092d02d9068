"""What PostgreSQL plans for a statement that is prepared and frequent, and what it reads."""

import json
import re
from collections.abc import Iterator
from typing import Any

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


async def rows_read(connection: engine.Connection, statement: str, types: str, *arguments: object) -> int:
    """Rows that the statement takes from tables, and those that it throws away again: in a scan, in a join, in a conflict that it
    does not expect. It is executed, and its changes are undone."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        await connection.execute(f"prepare hot{f' ({types})' if types else ''} as {statement}")
        literals = ", ".join("null" if one is None else f"'{one}'" for one in arguments)
        [row] = await connection.fetch(f"explain (analyze, format json) execute hot ({literals})")
    finally:
        await transaction.rollback()
        await connection.execute("deallocate all")
    return sum(_rows(node) for node in _nodes(json.loads(row[0])[0]["Plan"]))


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from _nodes(below)


def _rows(node: dict[str, Any]) -> int:
    removed = sum(count for name, count in node.items() if name.startswith("Rows Removed by"))
    read = node["Actual Rows"] if "Relation Name" in node and node["Node Type"] != "ModifyTable" else 0
    # A look that finds nothing costs as much as one that finds a row.
    return round(max(read + removed, 1 if "Index Name" in node else 0) * node["Actual Loops"])
