"""A delivery's moves have one home: no statement besides writes the queue, and the numbers stand in one table."""

import re
from collections import defaultdict
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest

from mailcordon.adapters.db import queries
from mailcordon.core.delivery import State, Why
from mailcordon.core.event import Kind

DIRECTORY = Path(queries.__file__).parent
WRITES = re.compile(
    r"\b(?:insert\s+into|update(?:\s+only)?|delete\s+from|truncate|merge\s+into|copy)\s+(ready|waiting|ledger|lane_finished)\b"
)

#: Statements that write queue rows themselves. Each has a test that it writes what the functions of 0005-moves.sql would.
HOT = {
    "accept_store.accept": {"ready"},
    # The slow path of accept: what it refuses was never queued, so it has no place to be taken from; mail for a later time begins
    # where it waits.
    "accept_store.accept_store": {"ready", "waiting", "ledger"},
    "queue_store.claim": {"ready"},
    "limited_claim.take": {"ready"},
    "result_store.finish_sent": {"ready", "ledger", "lane_finished"},
    # Adds the counts of ended dispatchers together; no count is made or lost.
    "upkeep_store.fold_finished": {"lane_finished"},
}


def statements() -> dict[str, str]:
    return {
        f"{file.stem}.{name}": text
        for file in sorted((DIRECTORY / "sql").glob("*.sql"))
        for name, text in queries.load(file.name).items()
    }


def test_only_the_functions_and_the_hot_statements_write_the_queue() -> None:
    found = {name: set(WRITES.findall(text.lower())) for name, text in statements().items()}
    assert {name: tables for name, tables in found.items() if tables} == HOT


def test_no_later_migration_writes_the_queue_beside_its_functions() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for file in sorted((DIRECTORY / "migrations").glob("*.sql")):
        for line in file.read_text().splitlines():
            code, _, _ = line.partition("--")
            found[file.name] |= set(WRITES.findall(code))
    later = {name: tables for name, tables in found.items() if tables and name != "0005-moves.sql"}
    assert later == {
        # An erasure takes the words out of what has left the queue, and moves nothing.
        "0015-lifecycle.sql": {"ledger"},
        "0029-suppressions.sql": {"ledger"},
        "0040-raw-mail.sql": {"ledger"},
        # Mail that was only observed never was in the queue.
        "0038-observed.sql": {"ledger"},
        # The attempt of a call that a restored database does not know; nothing moves.
        "0064-restorations.sql": {"ledger"},
        # What a limit keeps waits: queue_limit.
        "0046-limits.sql": {"ready", "waiting"},
        "0051-paths.sql": {"ready", "waiting"},  # queue_defer, by the path of each delivery
        "0060-paths-apart.sql": {"ready", "waiting"},  # queue_defer, for a stop of the path too
        "0079-claims-at-once.sql": {"ready"},  # claim_seen, the twin of the statements `claim` and `take`
        "0072-accept-one.sql": {"ready"},  # accept_one, the twin of the statement `accept`
        # The functions again, each row taken at its place.
        "0090-moves-by-key.sql": {"ready", "waiting", "ledger", "lane_finished"},
        "0025-cohorts.sql": {
            "ready",
            "waiting",
            "ledger",
            "lane_finished",
        },  # queue_finish, as it counts as well
    }


@pytest.mark.parametrize(
    ("constraint", "numbers"),
    [
        ("waiting_why", set(Why)),
        ("ledger_state", {state for state in State if state >= State.REFUSED} - set(range(State.DELAYED, State.NO_OUTCOME))),
        ("outcome_state", {state for state in State if state >= State.SENT}),
        ("event_kind", set(Kind)),
    ],
)  # fmt: skip
async def test_the_database_knows_the_numbers_of_the_code_and_no_others(
    world: Any, constraint: str, numbers: set[IntEnum]
) -> None:
    rule = await world.connection.fetchval(
        "select pg_get_expr(conbin, conrelid) from pg_constraint where conname = $1 and conparentid = 0",
        constraint,
    )
    column = re.search(r"\((\w+) ", rule)
    assert column is not None
    for number in range(-1, 40):
        allowed = await world.connection.fetchval(
            f"select {rule} from (select $1::smallint as {column[1]}) x", number
        )
        assert allowed == (number in numbers), number
