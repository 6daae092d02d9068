"""The database fixtures that other tests use."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import engine, roles


@pytest.mark.parametrize("role", roles.LOGINS)
async def test_each_role_connects_to_its_own_copy_and_passes_the_startup_checks(database, role):
    connection = await engine.connect(database.dsn(role))
    try:
        assert await connection.fetchval("select current_database()") == database.name
        assert await connection.fetchval("show search_path") == "mailcordon, pg_temp"
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


@pytest.fixture
async def template_of_yesterday(template: Any) -> None:
    """As it was made, by a run that has crossed midnight since."""
    owner = await engine.connect(template.database.owner_dsn)
    tomorrow = template.day + timedelta(days=1)
    for row in await owner.fetch("select relname from pg_class where relname ~ $1", f"_p{tomorrow:%Y%m%d}$"):
        await owner.execute(f"drop table {row['relname']}")
    await owner.execute("select ensure_partitions(0, now_ms() - 86400000)")
    await owner.close()
    template.day -= timedelta(days=1)


@pytest.mark.usefixtures("template_of_yesterday")
async def test_after_midnight_a_copy_has_the_partitions_of_the_new_day_and_its_neighbours(
    database: Any,
) -> None:
    owner = await engine.connect(database.dsn("owner"))
    today = await owner.fetchval("select (now() at time zone 'UTC')::date")
    for parent in ("message", "send_event"):
        rows = await owner.fetch("select relname from pg_class where relname ~ $1", f"^{parent}_p[0-9]{{8}}$")
        wanted = [f"{parent}_p{today + timedelta(days=n):%Y%m%d}" for n in (-1, 0, 1)]
        assert sorted(row["relname"] for row in rows) == wanted
    await owner.close()


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
