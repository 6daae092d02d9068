"""The statements of a claim and of clearing read by keys alone, on empty and on full tables."""

import re
from typing import Any

import pytest

from mailcordon.adapters.db import engine, queries
from mailcordon_fixtures.plans import assert_by_key, plan

_QUEUE = queries.load("queue_store.sql")
_PARKING = queries.load("parking.sql")
_CLEARING = queries.load("clearing_store.sql")
_LIMITED = queries.load("limited_claim.sql")
_OPENING = queries.load("limit_clearing.sql")
_QUICK = queries.load("quick_claim.sql")
_RESULTS = queries.load("result_store.sql")

#: Statement, its types, and arguments for a lane 1 of turn 1.
STATEMENTS: dict[str, tuple[str, str, tuple[object, ...]]] = {
    "take_turns": (
        _QUEUE.take_turns,
        "smallint[], int[], int, int[], bigint[]",
        ("{1,2}", "{0,0,0,0,0,0,0,9,0,0,0,0,0,0,9,0,0,0,0,6,3,0,0,0}", 9, "{7}", "{0,0}"),
    ),
    "see": (_QUICK.see, "smallint[], int[], int, int", ("{1,2}", "{7}", 49, 8)),
    "claim": (
        _QUEUE.claim,
        "int[], int[], bigint[], int[], int[], smallint[], bigint, int",
        ("{1}", "{5}", "{1}", "{1}", "{5}", "{2}", 1, 1),
    ),
    "return_turns": (
        _QUEUE.return_turns,
        "tid[], int[], bigint[], int[], real[], bigint[], bigint, bigint[], bigint, bigint, boolean, int",
        ('{"(0,1)"}', "{0}", "{null}", "{1}", "{1}", "{1}", 1, "{64}", 64, 64, False, 1_000_000),
    ),
    "suppressed_ahead": (
        _QUEUE.suppressed_ahead,
        "int[], bigint[], int, bigint",
        ("{1}", "{1}", 500, 1),
    ),
    "park": (
        _PARKING.park,
        "int[], bigint[], int, bigint[], smallint[], int[], smallint[], text[], text[], text[], smallint[]",
        ("{1}", "{1}", 200, "{1}", "{null}", "{null}", "{null}", "{spring}", "{null}", "{x}", "{2}"),
    ),
    "recheck_turns": (_QUEUE.recheck_turns, "int[], boolean", ("{1}", False)),
    "look_at_rest": (
        _QUEUE.look_at_rest,
        "int[], boolean, smallint[], boolean",
        ("{1}", False, "{0,1,2}", False),
    ),
    "expire_ready": (_CLEARING.expire_ready, "int, bigint[], bigint[]", (1000, "{1}", "{}")),
    "ended_holds": (_CLEARING.ended_holds + " limit $1", "bigint", (9,)),
    "give_back": (_CLEARING.give_back, "bigint, int", (1, 100)),
    "limits_of": (_LIMITED.limits_of, "int[]", ("{1}",)),
    "lanes_of": (_LIMITED.lanes_of, "int[]", ("{1}",)),
    "look": (
        _LIMITED.look,
        "int[], int[], bigint[], int[], int[], smallint[], int[], bigint",
        ("{1}", "{5}", "{1}", "{1}", "{5}", "{2}", "{7}", 1),
    ),
    "uses": (_LIMITED.uses, "int[], int[]", ("{1}", "{2}")),
    "take": (
        _LIMITED.take,
        "tid[], bigint, int",
        ('{"(0,1)"}', 1, 1),
    ),
    "return_limited_turns": (
        _LIMITED.return_turns,
        "tid[], int[], bigint[], int[], real[], bigint[], bigint"
        + ", text" * 13
        + ", bigint[], bigint, bigint, boolean, int, boolean",
        (
            *('{"(0,1)"}', "{0}", "{null}", "{1}", "{1}", "{1}", 1, *["{1}"] * 11, "{x}", "{1}"),
            *("{64}", 64, 64, False, 1_000_000, True),
        ),
    ),
    "bring_back": (_LIMITED.bring_back, "int[], bigint", ("{1}", 1)),
    "park_limited": (
        _LIMITED.park,
        "int[], bigint[], int, int[], int[], smallint[], text[], text[], int[], bytea[], bigint[], text[], text[], boolean[],"
        " bytea[], text[]",
        (
            "{1}",
            "{1}",
            500,
            "{1}",
            "{1}",
            "{null}",
            "{spring}",
            "{null}",
            "{null}",
            "{null}",
            "{1}",
            "{x}",
            "{limit}",
            "{false}",
            "{x}",
            "{null}",
        ),
    ),
    "waiting_limits": (_OPENING.waiting_limits, "", ()),
    "open_limit": (_OPENING.give_back, "int, int", (1, 100)),
    "open_addresses": (
        _OPENING.give_back_addresses,
        "int, bytea, int, bigint, text, int, bigint",
        (1, "", 100, 5, "hour", 1, 1000),
    ),
    "open_repeats": (
        _OPENING.give_back_repeats,
        "int, bytea, int, bigint, text, int, bigint",
        (1, "", 100, 5, "hour", 1, 1000),
    ),
    "uncount": (_RESULTS.uncount, "int[], int[], bigint", ("{1}", "{1}", 1)),
    "uncount_addresses": (
        _RESULTS.uncount_addresses,
        "int[], bytea[], int[], bigint",
        ("{1}", "{x}", "{1}", 1),
    ),
}


@pytest.mark.parametrize("full", [False, True])
async def test_a_claim_and_what_runs_beside_it_look_rows_up_by_key(
    world: Any, pinned: engine.Connection, full: bool
) -> None:
    lane = await world.lane("acme", "newsletter")
    if full:
        await world.connection.execute(
            "insert into ready (lane, id, tenant, hash) select $1, n, 1, '' from generate_series(1, 20000) n",
            lane,
        )
        await world.connection.execute(
            "insert into waiting (lane, id, tenant, why, hold, attempt, hash, reason, code, since)"
            " select $1, 100000 + n, 1, 3, 1, 0, '', 'x', 'held', 0 from generate_series(1, 20000) n",
            lane,
        )
        await world.connection.execute(
            "insert into waiting (lane, id, tenant, why, send_limit, attempt, hash, reason, code, since)"
            " select $1, 200000 + n, 1, 5, 1, 0, int4send(n / 9), 'x', 'recipient-limit', 0 from generate_series(1, 20000) n",
            lane,
        )
        await world.connection.execute(
            "insert into recipient_use (lane, hash, minute, in_minute, hour, in_hour, day, in_day)"
            " select $1, int4send(n), 1, 1, 1, 1, 1, 1 from generate_series(1, 20000) n",
            lane,
        )
        await world.connection.execute(
            "analyze recipient_use; analyze ready; analyze waiting; analyze turn; analyze lane"
        )
    for name, (statement, types, arguments) in STATEMENTS.items():
        text = await plan(pinned, statement, types, *arguments)
        assert_by_key(name, text)


async def test_a_claim_finds_again_by_place_what_it_has_just_seen(
    world: Any, pinned: engine.Connection
) -> None:
    """By key it would meet every old version of a turn, of which a long snapshot keeps thousands."""
    for name, table in (("return_turns", "turn t"), ("claim", "ready q")):
        statement, types, arguments = STATEMENTS[name]
        text = await plan(pinned, statement, types, *arguments)
        assert f"Tid Scan on {table}" in text, f"{name}\n{text}"


async def test_a_quick_claim_finds_its_mail_by_place_though_that_was_planned_while_the_queue_was_empty(
    world: Any, pinned: engine.Connection
) -> None:
    await world.connection.execute("vacuum (analyze) ready")
    source = await world.connection.fetchval("select prosrc from pg_proc where proname = 'claim_seen'")
    found = re.search(r"update ready q set .*?;", source, re.DOTALL)
    assert found is not None
    statement = found[0].rstrip(";")
    for n, name in enumerate(("the_worker", "at_us", "mails, mail_rows, attempts"), 1):
        statement = statement.replace(name, f"${n}" if n < 3 else "$3, $4, $5")
    text = await plan(
        pinned, statement, "int, bigint, bigint[], tid[], smallint[]", 1, 1, "{1}", '{"(0,1)"}', "{1}"
    )
    assert "Tid Scan on ready q" in text, text
