"""Reads cost what they show, however much a tenant has: few statements, and rows looked up by key."""

from typing import Any

import pytest

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.message_reader import MessageReader
from mailcordon.core import address, ids
from mailcordon.core.delivery import State
from mailcordon.send import view
from mailcordon_fixtures.queue_world import HASH_KEY, accepting, allowed

_SQL = queries.load("message_reader.sql")
MOST_STATEMENTS = 11  #: with the beginning and the end of the transaction
KIM = address.parse("kim@example.com")


async def test_the_history_of_an_address_takes_a_few_statements_and_says_what_each_message_says(
    world: Any, make_submission: Any
) -> None:
    types = ("password-reset", "receipt", "newsletter")
    for type in types:
        await world.lane("acme", type)
    await world.account()
    await world.dispatcher()
    async with accepting(world) as accept:
        for n in range(30):
            one = make_submission(types[n % 3], to=["lee@example.com", str(KIM)])
            await accept.enqueue("acme", one, api_key=1, key=None, still_allowed=allowed)
    tenant = await world.connection.fetchval("select id from tenant where slug = 'acme'")
    held = "update lane set held = true where class = 2"
    placed = (
        "insert into hold (tenant, lane, owner, because, by, since)"
        " select tenant, id, 'person', 'list looks bought', 'kim', now_ms() from lane where class = 2"
    )
    for statement in (held, placed):
        await world.connection.execute(statement)
    pool = await engine.create_pool(world.database.dsn("reader"), max_size=1)
    reader, made = MessageReader(pool, pool), list[str]()
    try:
        await reader.address(
            tenant, address.hash_of(HASH_KEY, KIM), 1, as_tenant=True
        )  # types are looked up once
        async with pool.acquire() as connection:
            connection.add_query_logger(lambda record: made.append(record.query))
        found = await reader.address(tenant, address.hash_of(HASH_KEY, KIM), 50, as_tenant=True)
        statements = len(made)
        assert len(found.deliveries) == 30
        assert 5 < statements <= MOST_STATEMENTS, made
        for id, records in found.deliveries:
            whole = await reader.records(ids.message_of(id), tenant)
            assert whole is not None
            one, same = view.delivery(records, id), view.deliveries(whole)[ids.recipient_of(id) - 1]
            assert (one.id, one.to, one.state, one.reason, one.detail) == (
                same.id, same.to, same.state, same.reason, same.detail
            )  # fmt: skip
        states = {view.delivery(records, id).state for id, records in found.deliveries}
        assert states == {State.READY, State.HELD}
    finally:
        await pool.close()


@pytest.mark.parametrize("as_tenant", [True, False])
async def test_an_address_that_got_nothing_has_no_history(world: Any, as_tenant: bool) -> None:
    await world.lane("acme", "receipt")
    pool = await engine.create_pool(world.database.dsn("reader" if as_tenant else "control"), max_size=1)
    try:
        found = await MessageReader(pool, pool).address(1, b"x" * 16, 50, as_tenant=as_tenant)
    finally:
        await pool.close()
    assert found == view.AddressRecords(deliveries=[], suppressions=[])


async def test_holds_that_were_lifted_long_ago_are_not_read(world: Any) -> None:
    lane = await world.lane("acme", "receipt")
    await world.connection.execute(
        "insert into hold (tenant, owner, because, by, since, lifted_at, lifted_by, lifted_because)"
        " select id, 'person', 'x', 'kim', n, n, 'kim', 'x' from tenant, generate_series(1, 3000) n"
    )
    await world.connection.execute("analyze hold")
    rows = await world.connection.fetch(
        "explain (analyze, costs off, timing off, buffers off) " + _SQL.holds_since, [lane], [2990]
    )
    text = "\n".join(row[0] for row in rows)
    assert "hold_lifted" in text
    assert "Seq Scan on hold" not in text
    assert "rows=3000" not in text
    found = await world.connection.fetch(_SQL.holds_since, [lane], [2990])
    assert [row["since"] for row in found] == list(range(2991, 3001))
