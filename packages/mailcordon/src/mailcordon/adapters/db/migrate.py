"""Migrates a database to the schema of this version, and creates the roles that may use it.

Migrations are the numbered `.sql` files of `migrations/`. Each runs once, in order, as the schema's owner and in a transaction of
its own; pogo's tables remember which ran. Placeholders such as `{{send}}` stand for role names, which depend on the database's
name. If several processes start at once, one migrates and the others wait.
"""

import asyncio
import hashlib
import importlib.resources
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
from pogo_core.util import sql as pogo_sql

from mailcordon.adapters.db import engine, roles
from mailcordon.adapters.db.cluster_files import Say
from mailcordon.core.errors import Refused
from mailcordon.host.private_file import write_private
from mailcordon.messages import database as database_messages

LOCK = 0x6D61696C63  #: the advisory lock of every migration: "mailc"
DSN_FILE = "database.json"

_PLACEHOLDER = re.compile(r"\{\{ *(\w+) *\}\}")


class MigrationFailed(Refused):
    """The database keeps the schema it had. The message names the migration and the server's error."""

    code = "migration-failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    dsns: dict[str, str]  #: one DSN for each of `roles.LOGINS`
    applied: tuple[str, ...]  #: the migrations that this run applied


@dataclass(frozen=True, slots=True)
class Migration:
    name: str  #: the file name without `.sql`, `0001-foundation`
    text: str


_MOST_NAMED = 5  #: migrations; a new database gets all of them, which says nothing to anybody


def shipped_migrations() -> list[Migration]:
    directory = importlib.resources.files("mailcordon.adapters.db") / "migrations"
    files = sorted((f for f in directory.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return [Migration(f.name.removesuffix(".sql"), f.read_text()) for f in files]


async def migrate(
    dsn: str,
    *,
    home: Path,
    say: Say = print,
    given: Mapping[str, str] | None = None,
    own_cluster: bool = False,
    new_passwords: bool = False,
    migrations: Sequence[Migration] | None = None,
) -> Migrated:
    """Safe to repeat at any time, and from several processes at once.

    `given` are DSNs that the operator sets for some roles; those of the others are kept in the home, readable by its owner only.
    `own_cluster`: nobody else uses this PostgreSQL, so passwords may be replaced at any time.
    """
    files = shipped_migrations() if migrations is None else list(migrations)
    await ensure_database(dsn)
    connection = await asyncpg.connect(dsn, timeout=engine.CONNECT_PATIENCE, server_settings=_SETTINGS)
    try:
        await roles.check_server(connection)
        database = str(await connection.fetchval("select current_database()"))
        roles.check_database_name(database)
        await connection.execute("select pg_advisory_lock($1)", LOCK)
        rewrite = own_cluster or new_passwords
        dsns = await _role_dsns(connection, dsn, database, home, given or {}, rewrite=rewrite)
        passwords = {role: roles.login_of(each)[1] for role, each in dsns.items()}
        await roles.ensure(connection, database, passwords, rewrite_passwords=rewrite)
        applied = await _apply(connection, database, files)
        # `doctor` says which version's schema this is.
        control = await connection.fetchval("select quote_ident($1)", roles.role_names(database)["control"])
        await connection.execute(f"grant select on public._pogo_migration to {control}")
    finally:
        await connection.close()
    for text in _told(applied):
        say(text)
    return Migrated(dsns=dsns | dict(given or {}), applied=tuple(applied))


def _told(applied: Sequence[str]) -> list[str]:
    if len(applied) > _MOST_NAMED:
        return [database_messages.migrations_applied(count=len(applied), first=applied[0], last=applied[-1])]
    return [database_messages.migration_applied(name=name) for name in applied]


#: No time-outs: a migration may wait for another process's, and rewriting a big table takes long.
_SETTINGS = {
    "application_name": "mailcordon migrate",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "client_min_messages": "warning",
}


async def ensure_database(dsn: str) -> None:
    """Creates the DSN's database if it does not exist."""
    try:
        connection = await asyncpg.connect(dsn, timeout=engine.CONNECT_PATIENCE)
    except asyncpg.InvalidCatalogNameError:
        pass
    else:
        await connection.close()
        return
    parts = urlsplit(dsn)
    database = parts.path.removeprefix("/")
    connection = await asyncpg.connect(
        urlunsplit(parts._replace(path="/postgres")), timeout=engine.CONNECT_PATIENCE
    )
    try:
        quoted = await connection.fetchval("select quote_ident($1)", database)
        await connection.execute(f"create database {quoted} encoding 'UTF8' template template0")
    except (asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
        pass  # another process created it first
    finally:
        await connection.close()


async def _role_dsns(
    connection: engine.Connection,
    dsn: str,
    database: str,
    home: Path,
    given: Mapping[str, str],
    *,
    rewrite: bool,
) -> dict[str, str]:
    """Every role's DSN: the operator's, else the one in the home, else a new one.

    New passwords are written to disk before the roles get them, so that a crash in between loses no role's password.
    """
    file = home / DSN_FILE
    stored = read_dsns(home)
    names = roles.role_names(database)
    existing = await roles.existing_roles(connection, database)
    dsns: dict[str, str] = {}
    for role in roles.LOGINS:
        user, password = roles.login_of(given.get(role, ""))
        if user != names[role]:
            stored_user, password = roles.login_of(stored.get(role, ""))
            if stored_user != names[role]:
                password = ""
        if not password and role in existing and role not in given and not rewrite:
            raise MigrationFailed(
                database_messages.role_password_lost(role=names[role], login=role, file=str(file))
            )
        dsns[role] = roles.role_dsn(dsn, names[role], password or roles.new_password())
    if dsns != stored:
        await asyncio.to_thread(write_private, file, json.dumps(dsns, indent=2) + "\n")
    return dsns


def read_dsns(home: Path) -> dict[str, str]:
    """The DSNs that an earlier migrate left in the home; none where there was none."""
    file = home / DSN_FILE
    return json.loads(file.read_text()) if file.exists() else {}


async def _apply(connection: engine.Connection, database: str, files: Sequence[Migration]) -> list[str]:
    await pogo_sql.ensure_pogo_sync(connection)
    done = await pogo_sql.get_applied_migrations(connection, schema_name=engine.SCHEMA)
    if unknown := done - {file.name for file in files}:
        raise MigrationFailed(database_messages.migrations_unknown(names=", ".join(sorted(unknown))))
    pending = [file for file in files if file.name not in done]
    names = roles.role_names(database)
    texts = [render(file, names) for file in pending]
    for file, text in zip(pending, texts, strict=True):  # all are rendered before the first runs
        try:
            async with connection.transaction():
                # In one message: pogo would take it apart first, which takes twice as long as running it.
                await connection.execute(text)
                await pogo_sql.migration_applied(
                    connection,
                    file.name,
                    hashlib.sha256(file.name.encode()).hexdigest(),
                    schema_name=engine.SCHEMA,
                )
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
            raise MigrationFailed(
                database_messages.migration_failed(name=file.name, why=str(problem))
            ) from problem
    return [file.name for file in pending]


def render(file: Migration, names: Mapping[str, str]) -> str:
    """The migration's statements: run as the owner, in our schema, with the role names filled in."""

    def quoted(role: str) -> str:
        if role not in names:
            raise MigrationFailed(
                database_messages.migration_names_unknown_role(migration=file.name, role=role)
            )
        return '"' + names[role].replace('"', '""') + '"'

    body = _PLACEHOLDER.sub(lambda found: quoted(found[1]), file.text).strip()
    return "\n".join(
        [
            f"set local role {quoted(roles.OWNER)};",
            f"set local search_path = {engine.SCHEMA};",
            body,
            "reset role;",
            "reset search_path;",
        ]
    )
