"""The row of the installation: created once, by the first process, and readable only with the key that wrote it."""

import asyncio
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.installation import load_installation, load_or_create_installation
from mailcordon.adapters.db.secrets import SecretsUnreadable, make_secret_key
from mailcordon.core.errors import Refused


async def test_several_that_start_at_once_agree_on_one_installation(database: Any) -> None:
    keys = [make_secret_key()]
    pool = await engine.create_pool(database.dsn("control"))

    async def start(name: str) -> Any:
        async with pool.acquire() as conn:
            return await load_or_create_installation(conn, keys, name)

    found = await asyncio.gather(*(start(f"one-{n}") for n in range(6)))
    await pool.close()
    assert len({(each.name, each.mac_key, each.hash_key) for each in found}) == 1
    assert len(found[0].mac_key) == len(found[0].hash_key) == 32
    assert found[0].mac_key != found[0].hash_key


async def test_the_keys_are_stored_encrypted_and_read_only_with_the_key_that_wrote_them(
    database: Any,
) -> None:
    keys = [make_secret_key()]
    conn = await engine.connect(database.dsn("control"))
    made = await load_or_create_installation(conn, keys, "local")
    stored = await conn.fetchrow("select mac_key, hash_key from installation")
    assert stored is not None
    assert made.mac_key not in stored["mac_key"]
    with pytest.raises(SecretsUnreadable, match="MAILCORDON_SECRET_KEYS"):
        await load_installation(conn, [make_secret_key()])
    with pytest.raises(Refused, match="at least one key"):
        await load_installation(conn, [])
    await conn.close()


async def test_a_new_first_key_takes_over_what_the_old_one_wrote(database: Any) -> None:
    old, new = make_secret_key(), make_secret_key()
    conn = await engine.connect(database.dsn("control"))
    made = await load_or_create_installation(conn, [old], "local")
    assert await load_or_create_installation(conn, [new, old], "other") == made
    assert await load_installation(conn, [new]) == made
    await conn.close()


async def test_planes_that_only_read_find_no_installation_before_it_is_created(database: Any) -> None:
    conn = await engine.connect(database.dsn("send"))
    assert await load_installation(conn, [make_secret_key()]) is None
    await conn.close()
