"""The database roles: who owns, and who may do what. One login for each plane, none of them the owner.

Roles belong to a whole PostgreSQL, so their names carry the database's. `ensure` makes them, each with a password of
its own; `check_running` is asked at the start of every role process and refuses a connection that could do too much,
or a server that forgets what it has acknowledged.
"""

import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from mailcordon.adapters.db.engine import SCHEMA, Connection, PooledConnection
from mailcordon.core.errors import Refused

OWNER = "owner"
LOGINS = ("control", "governor", "send", "observe", "reader")
OLDEST_SERVER = 150000  #: as `server_version_num` writes it: PostgreSQL 15
LONGEST_DATABASE_NAME = 63 - len("_governor")


class UnfitDatabase(Refused):
    """This database, or this way into it, must not be used; the message says why and what to do."""

    code = "unfit-database"


def role_names(database: str) -> dict[str, str]:
    """The name of each role, by what it is: `send` -> `mailcordon_send`."""
    return {role: f"{database}_{role}" for role in (OWNER, *LOGINS)}


def role_dsn(dsn: str, user: str, password: str) -> str:
    """The same database, entered as somebody else."""
    parts = urlsplit(dsn)
    place = parts.netloc.rpartition("@")[2]
    kept = [(k, v) for k, v in parse_qsl(parts.query) if k not in ("user", "password", "passfile")]
    netloc = f"{quote(user, safe='')}:{quote(password, safe='')}@{place}"
    return urlunsplit((parts.scheme, netloc, parts.path, urlencode(kept, safe="/"), ""))


def login_of(dsn: str) -> tuple[str, str]:
    """User and password that a DSN names; empty where it names none."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    user = unquote(parts.username or "") or query.get("user", "")
    return user, unquote(parts.password or "") or query.get("password", "")


def new_password() -> str:
    return secrets.token_urlsafe(24)


async def ensure(
    connection: Connection, database: str, passwords: Mapping[str, str], *, rewrite_passwords: bool
) -> None:
    """Makes the roles and the schema that are missing. Passwords of existing roles stay, unless told otherwise."""
    names = role_names(database)
    existing = await existing_roles(connection, database)
    async with connection.transaction():
        if OWNER not in existing:
            await _run(connection, "create role %I nologin", names[OWNER])
        # `migrate` acts as the owner; where it is no superuser it has to be a member.
        await _run(
            connection, "grant %I to %I", names[OWNER], await connection.fetchval("select current_user")
        )
        for role in LOGINS:
            name = names[role]
            if role not in existing:
                await _run(connection, "create role %I login password %L", name, passwords[role])
                await _run(connection, f"alter role %I set search_path = {SCHEMA}", name)
            elif rewrite_passwords:
                await _run(connection, "alter role %I login password %L", name, passwords[role])
        await _run(connection, f"create schema if not exists {SCHEMA} authorization %I", names[OWNER])
        for role in LOGINS:
            await _run(connection, f"grant usage on schema {SCHEMA} to %I", names[role])


async def existing_roles(connection: Connection, database: str) -> set[str]:
    names = role_names(database)
    rows = await connection.fetch(
        "select rolname from pg_roles where rolname = any($1)", list(names.values())
    )
    found = {row["rolname"] for row in rows}
    return {role for role, name in names.items() if name in found}


async def _run(connection: Connection, template: str, *values: object) -> None:
    # Statements about roles take no parameters: the server itself quotes the values in.
    arguments = ", ".join(f"${n}::text" for n in range(1, len(values) + 1))
    await connection.execute(await connection.fetchval(f"select format('{template}', {arguments})", *values))


def check_database_name(database: str) -> None:
    if len(database.encode()) > LONGEST_DATABASE_NAME:
        raise UnfitDatabase(
            f"the database's name {database!r} is too long: role names are made from it, so "
            f"{LONGEST_DATABASE_NAME} bytes are the most."
        )


async def check_server(connection: Connection | PooledConnection) -> None:
    version = int(await connection.fetchval("show server_version_num"))
    if version < OLDEST_SERVER:
        said = await connection.fetchval("show server_version")
        raise UnfitDatabase(f"this is PostgreSQL {said}: Mailcordon needs 15 or newer.")


async def check_running(connection: Connection | PooledConnection) -> None:
    """Refuses a role process that connects with too much power, or to a server that may lose what it committed."""
    await check_server(connection)
    facts = await connection.fetchrow(
        """
        select current_user as name, r.rolsuper, r.rolbypassrls, r.rolcreaterole, n.oid is not null as migrated,
               coalesce(pg_has_role(r.oid, n.nspowner, 'member'), false) as owner,
               current_setting('fsync') as fsync, current_setting('synchronous_commit') as synchronous_commit,
               pg_is_in_recovery() as standby
        from pg_roles r left join pg_namespace n on n.nspname = $1
        where r.rolname = current_user
        """,
        SCHEMA,
    )
    assert facts is not None
    name = facts["name"]
    if facts["rolsuper"]:
        raise UnfitDatabase(
            f"{name} is a superuser: a running role must not be one. "
            "Give it the DSN that `mailcordon migrate` made for it."
        )
    if facts["owner"]:
        raise UnfitDatabase(
            f"{name} owns the schema {SCHEMA} or is a member of its owner: only `mailcordon migrate` may be. "
            "Give the role the DSN that `mailcordon migrate` made for it."
        )
    if facts["rolbypassrls"] or facts["rolcreaterole"]:
        power = "pass over row-level security" if facts["rolbypassrls"] else "make roles"
        raise UnfitDatabase(f"{name} may {power}: a running role must not. Take that right from it.")
    if not facts["migrated"]:
        raise UnfitDatabase(f"there is no schema {SCHEMA} here yet: run `mailcordon migrate` first.")
    if facts["fsync"] == "off":
        raise UnfitDatabase(
            "this server runs with fsync=off: accepted mail could be lost. Switch it on (ALTER SYSTEM SET fsync = on)."
        )
    if facts["synchronous_commit"] == "off":
        raise UnfitDatabase(
            f"synchronous_commit is off for {name}: accepted mail could be lost. "
            "Switch it on for the server, the database and the role."
        )
    if facts["standby"]:
        raise UnfitDatabase("this server is a read-only standby: give the address of the primary.")
