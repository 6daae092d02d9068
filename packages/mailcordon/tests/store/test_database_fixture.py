"""The database fixtures that other tests use."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import asyncpg
import pytest

from mailcordon.adapters.db import engine, roles


@pytest.mark.parametrize("role", roles.LOGINS)
async def test_each_role_connects_to_its_own_copy_and_passes_the_startup_checks(database, role):
    connection = await engine.connect(database.dsn(role))
    try:
        assert await connection.fetchval("select current_database()") == database.name
        assert await connection.fetchval("show search_path") == "mailcordon"
        await roles.check_running(connection)
    finally:
        await connection.close()


async def test_the_migrating_login_is_refused_as_a_running_role(database):
    connection = await asyncpg.connect(database.dsn("owner"))
    try:
        with pytest.raises(roles.UnfitDatabase, match="superuser|owner"):
            await roles.check_running(connection)
    finally:
        await connection.close()


def test_a_home_in_memory_goes_with_the_run_that_made_it(
    short_home: Callable[[], AbstractContextManager[Path]],
) -> None:
    with short_home() as first:
        if not first.is_relative_to("/dev/shm"):
            pytest.skip("/dev/shm has no room for tests")
        abandoned = first.with_name("mc-9999999-abandoned")  # above the largest possible pid
        abandoned.mkdir()
        with short_home():
            assert not abandoned.exists()
            assert first.name.startswith(f"mc-{os.getpid()}-")
            assert first.exists()
    assert not first.exists()
