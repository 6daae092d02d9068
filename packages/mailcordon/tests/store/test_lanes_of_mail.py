"""The schema itself keeps mail in the lanes of its own tenant, without a foreign key a row (docs/decisions/101)."""

import asyncpg
import pytest

from mailcordon_fixtures.queue_world import World

_READY = (
    "insert into ready (lane, id, tenant, hash) select lane, id, tenant, '\\x00' "
    "from unnest($1::int[], $2::bigint[], $3::int[]) u (lane, id, tenant)"
)
_MESSAGE = (
    "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key) "
    "select id, tenant, lane, 'isolated', 'a@x.example', '{k@x.example}', 1, 1 "
    "from unnest($1::int[], $2::bigint[], $3::int[]) u (lane, id, tenant)"
)
ID = 1 << 40


@pytest.mark.parametrize("statement", [_READY, _MESSAGE])
async def test_one_wrong_row_among_good_ones_is_refused_whoever_writes_it(
    world: World, statement: str
) -> None:
    acme, zen = await world.lane("acme", "receipt"), await world.lane("zen", "receipt")
    [mine, theirs] = await world.connection.fetch(
        "select tenant from lane where id in ($1, $2) order by id", acme, zen
    )
    send = await asyncpg.connect(world.database.dsn("send"), server_settings={"search_path": "mailcordon"})
    try:
        for connection in (world.connection, send):
            for lane, tenant in ((zen, mine[0]), (acme, theirs[0]), (1 << 30, mine[0]), (acme, 1 << 30)):
                lanes, ids, tenants = [acme, lane, zen], [ID, ID + 64, ID + 128], [mine[0], tenant, theirs[0]]
                with pytest.raises(
                    asyncpg.ForeignKeyViolationError, match=f"{ID + 64} in .* names lane {lane},"
                ):
                    await connection.execute(statement, lanes, ids, tenants)
            assert await world.count("ready") == await world.count("message") == 0
        await send.execute(statement, [acme, zen], [ID, ID + 64], [mine[0], theirs[0]])
    finally:
        await send.close()


@pytest.mark.parametrize(("table", "statement"), [("ready", _READY), ("message", _MESSAGE)])
async def test_mail_and_its_lane_keep_their_tenant(world: World, table: str, statement: str) -> None:
    acme, zen = await world.lane("acme", "receipt"), await world.lane("zen", "receipt")
    tenant = await world.connection.fetchval("select tenant from lane where id = $1", acme)
    other = await world.connection.fetchval("select tenant from lane where id = $1", zen)
    await world.connection.execute(statement, [acme], [ID], [tenant])
    for sentence, arguments in (
        (f"update {table} set lane = $1", [zen]),
        (f"update {table} set tenant = $1", [other]),
        ("update lane set tenant = $1 where id = $2", [other, acme]),
        ("update lane set id = $1 where id = $2", [1 << 30, acme]),
        ("delete from lane where id = $1", [acme]),
    ):
        with pytest.raises(asyncpg.PostgresError, match=r"keeps its|has mail|can only be updated to DEFAULT"):
            await world.connection.execute(sentence, *arguments)
    await world.connection.execute(f"update {table} set lane = lane, tenant = tenant")
