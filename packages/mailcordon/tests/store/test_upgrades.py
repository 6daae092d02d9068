"""During an upgrade, and after a step back, processes of the version before run on the schema of this one (docs/upgrades.md).

What the version before asks of its database is recorded: all its statements. On the new schema each must still have the same
parameters and columns, and no login may have lost a right.
"""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest

from mailcordon.adapters.db import engine, migrate, roles
from mailcordon_fixtures.recorded_statements import Released, released

GRANTS = """
select g.role || ' may ' || g.privilege || ' ' || g.object as granted from (
    select r.rolname as role, a.privilege_type as privilege, c.relname as object
      from pg_class c cross join lateral aclexplode(c.relacl) a join pg_roles r on r.oid = a.grantee
     where c.relnamespace = 'mailcordon'::regnamespace and c.relname !~ '_p[0-9]{8}$'
    union all
    select r.rolname, a.privilege_type, c.relname || '.' || t.attname
      from pg_attribute t join pg_class c on c.oid = t.attrelid cross join lateral aclexplode(t.attacl) a
      join pg_roles r on r.oid = a.grantee
     where c.relnamespace = 'mailcordon'::regnamespace
    union all
    select r.rolname, a.privilege_type, p.oid::regprocedure::text
      from pg_proc p cross join lateral aclexplode(p.proacl) a join pg_roles r on r.oid = a.grantee
     where p.pronamespace = 'mailcordon'::regnamespace) g
 where g.role like current_database() || '%' and g.role <> current_database() || '_owner'
"""


@pytest.fixture
async def fresh(postgres, tmp_path: Path) -> AsyncIterator[str]:
    name = f"mct_upgrade_{secrets.token_hex(4)}"
    yield postgres.database_dsn(name)
    admin = await asyncpg.connect(postgres.dsn)
    await admin.execute(f"drop database if exists {name} with (force)")
    for role in roles.role_names(name).values():
        await admin.execute(f"drop role if exists {role}")
    await admin.close()


async def shapes(dsn: str, statements: dict[str, str]) -> dict[str, str]:
    """Parameters and columns of each, or why the database does not take it."""
    connection = await engine.connect(dsn)
    found: dict[str, str] = {}
    try:
        for name, text in statements.items():
            try:
                prepared = await connection.prepare(text)
            except asyncpg.PostgresError as error:
                found[name] = f"refused: {error}"
                continue
            parameters = [each.name for each in prepared.get_parameters()]
            columns = [(each.name, each.type.name) for each in prepared.get_attributes()]
            found[name] = f"{parameters} -> {columns}"
    finally:
        await connection.close()
    return found


async def grants(dsn: str) -> set[str]:
    connection = await engine.connect(dsn)
    try:
        return {row["granted"] for row in await connection.fetch(GRANTS)}
    finally:
        await connection.close()


def test_the_last_release_is_recorded() -> None:
    assert [one.version for one in released()] == ["0.1.0"]


@pytest.mark.parametrize("before", released(), ids=lambda one: one.version)
async def test_the_version_before_works_on_the_schema_after_each_newer_migration(
    before: Released, fresh: str, tmp_path: Path
) -> None:
    shipped = migrate.shipped_migrations()
    older = [one for one in shipped if one.name <= before.newest_migration]

    async def to(migrations: list[migrate.Migration]) -> None:
        await migrate.migrate(fresh, home=tmp_path, say=lambda line: None, migrations=migrations)

    await to(older)
    had, may = await shapes(fresh, before.statements), await grants(fresh)
    # Statements that code completes with names of tables, as metrics_reader.py does: not tried.
    refused = {name for name, said in had.items() if said.startswith("refused")}
    assert {name for name in refused if "{" not in before.statements[name]} == {
        "metrics_reader.place"
    }  # a join
    assert len(refused) == 14, {name: had[name] for name in refused}
    assert len(may) > 100
    newer = shipped[len(older) :]
    assert newer, "nothing was added since the release"
    # After each one by itself: the fault of one that a later one takes back would stop the processes of a host that is between.
    for count, migration in enumerate(newer, len(older) + 1):
        await to(shipped[:count])
        has = await shapes(fresh, before.statements)
        changed = {name: (said, has[name]) for name, said in had.items() if has[name] != said}
        assert changed == {}, migration.name
        assert may - await grants(fresh) == set(), f"rights that {migration.name} took from a login"
