"""The database roles: the owner of the schema, and one login for each plane, with only the rights it needs.

Roles belong to a whole PostgreSQL server, so their names contain the database's. `ensure` creates them, each with its own
password. Every role process calls `check_running` at startup, which refuses a connection with too many rights and a server that
may lose committed data.
"""

import base64
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

import asyncpg

from mailcordon.adapters.db.engine import SCHEMA, SEARCH_PATH, Connection, PooledConnection
from mailcordon.core.errors import Refused
from mailcordon.messages import database as database_messages

OWNER = "owner"
LOGINS = ("control", "governor", "send", "observe", "reader")
OLDEST_SERVER = 150000  #: as `server_version_num` writes it: PostgreSQL 15
LONGEST_TRANSACTION = "120s"  #: of our logins, on servers that can limit it (PostgreSQL 17)
LONGEST_DATABASE_NAME = 63 - len("_governor")
#: What a server must not log of our logins' statements, since their parameters are mail and addresses. Only a superuser, or who
#: was granted the setting, may give a role such a value.
#: - Parameters of slow statements, and of failed ones.
#: - DETAIL and CONTEXT of an error, which show rows, keys and values. `terse` leaves them out.
#: - Errors of statements as such: `invalid input syntax for type integer: "..."` shows the value in its first line. The login
#:   gets the error all the same and reports it, without values (driver_errors.in_words).
QUIET = {
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_min_messages": "log",
}
#: The same of extensions that log statements, where the server has loaded them.
QUIET_EXTENSIONS = {
    "auto_explain.log_parameter_max_length": "0",
    "pgaudit.log_parameter": "off",
}
SCRAM_ITERATIONS = 4096  #: PostgreSQL's own number
TEMPORARY = "TEMPORARY"  #: the database's privilege


class UnfitDatabase(Refused):
    """This server, database or login must not be used. The message says why and what to do."""

    code = "unfit-database"


def role_names(database: str) -> dict[str, str]:
    """The database's name for each role: `send` -> `mailcordon_send`."""
    return {role: f"{database}_{role}" for role in (OWNER, *LOGINS)}


def role_dsn(dsn: str, user: str, password: str) -> str:
    """The same database with another user."""
    parts = urlsplit(dsn)
    place = parts.netloc.rpartition("@")[2]
    kept = [(k, v) for k, v in parse_qsl(parts.query) if k not in ("user", "password", "passfile")]
    netloc = f"{quote(user, safe='')}:{quote(password, safe='')}@{place}"
    return urlunsplit((parts.scheme, netloc, parts.path, urlencode(kept, safe="/"), ""))


def login_of(dsn: str) -> tuple[str, str]:
    """User and password of a DSN; empty where it has none."""
    parts = urlsplit(dsn)
    query = dict(parse_qsl(parts.query))
    user = unquote(parts.username or "") or query.get("user", "")
    return user, unquote(parts.password or "") or query.get("password", "")


def new_password() -> str:
    return secrets.token_urlsafe(24)


async def ensure(
    connection: Connection, database: str, passwords: Mapping[str, str], *, rewrite_passwords: bool
) -> None:
    """Creates missing roles and the schema. Existing roles keep their passwords unless `rewrite_passwords` is set."""
    names = role_names(database)
    existing = await existing_roles(connection, database)
    async with connection.transaction():
        if OWNER not in existing:
            await _run(connection, "create role %I nologin", names[OWNER])
        # `migrate` acts as the owner. If it is not a superuser it must be a member of that role.
        await _run(
            connection, "grant %I to %I", names[OWNER], await connection.fetchval("select current_user")
        )
        for role in LOGINS:
            name = names[role]
            if role not in existing:
                await _run(connection, "create role %I login", name)
                await _set_password(connection, name, passwords[role])
            elif rewrite_passwords:
                await _run(connection, "alter role %I login", name)
                await _set_password(connection, name, passwords[role])
            # A role that somebody else made may not be ours to change. Our sessions set their path themselves.
            with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
                async with connection.transaction():
                    await _run(connection, f"alter role %I set search_path = {SEARCH_PATH}", name)
            await _quiet(connection, name)
            if await connection.fetchval("select current_setting('transaction_timeout', true)") is not None:
                # A snapshot that stays open keeps every old version of a queue's row (docs/decisions/003).
                await _run(
                    connection, "alter role %I set transaction_timeout = %L", name, LONGEST_TRANSACTION
                )
        await _run(connection, f"create schema if not exists {SCHEMA} authorization %I", names[OWNER])
        for role in LOGINS:
            await _run(connection, f"grant usage on schema {SCHEMA} to %I", names[role])
        # Whoever can make temporary objects can put names before ours. Without the right to revoke it this is only a warning.
        await _run(connection, "revoke temporary on database %I from public", database)


async def _set_password(connection: Connection, name: str, password: str) -> None:
    """As a verifier, since the server may log the statement. Some hosted servers take passwords in plain text only."""
    statement = "alter role %I password %L"
    if password.isascii() and password.isprintable():  # others would have to be normalised first (RFC 4013)
        try:
            async with connection.transaction():
                await _run(connection, statement, name, scram_verifier(password))
                return
        except asyncpg.PostgresError:
            pass
    await _run(connection, statement, name, password)


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """What PostgreSQL stores of a password (RFC 5803): it shows that somebody knows the password, and not which it is."""
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    salt_text, stored_text, server_text = (base64.b64encode(one).decode() for one in (salt, stored, server))
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{salt_text}${stored_text}:{server_text}"


async def _quiet(connection: Connection, name: str) -> None:
    """Keeps parameters out of the server's log, as far as migrate's user may. `doctor` names what it may not."""
    for setting, value in (QUIET | QUIET_EXTENSIONS).items():
        if await connection.fetchval("select current_setting($1, true)", setting) is None:
            continue  # an extension that is not loaded
        try:
            async with connection.transaction():
                await _run(connection, f"alter role %I set {setting} = %L", name, value)
        except asyncpg.InsufficientPrivilegeError:
            continue


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a database's owner should change, since `migrate` may not."""

    setting: str  #: a parameter of the server, or TEMPORARY
    value: str  #: as it is for this login


async def exposures(connection: Connection | PooledConnection) -> list[Exposure]:
    """What this login's server may log of mail, and whether the login may make temporary objects."""
    found = [
        Exposure(setting, value)
        for setting, wanted in (QUIET | QUIET_EXTENSIONS).items()
        if (value := await connection.fetchval("select current_setting($1, true)", setting))
        not in (None, wanted)
        and not (setting == "log_min_messages" and value in ("fatal", "panic"))
    ]
    if await connection.fetchval(
        "select has_database_privilege(current_user, current_database(), $1)", TEMPORARY
    ):
        found.append(Exposure(TEMPORARY, "granted"))
    return found


async def existing_roles(connection: Connection, database: str) -> set[str]:
    names = role_names(database)
    rows = await connection.fetch(
        "select rolname from pg_roles where rolname = any($1)", list(names.values())
    )
    found = {row["rolname"] for row in rows}
    return {role for role, name in names.items() if name in found}


async def _run(connection: Connection, template: str, *values: object) -> None:
    # Statements about roles take no parameters, so the server quotes the values.
    arguments = ", ".join(f"${n}::text" for n in range(1, len(values) + 1))
    await connection.execute(await connection.fetchval(f"select format('{template}', {arguments})", *values))


def check_database_name(database: str) -> None:
    if len(database.encode()) > LONGEST_DATABASE_NAME:
        raise UnfitDatabase(
            database_messages.database_name_too_long(database=database, most=LONGEST_DATABASE_NAME)
        )


async def check_server(connection: Connection | PooledConnection) -> None:
    version = int(await connection.fetchval("show server_version_num"))
    if version < OLDEST_SERVER:
        raise UnfitDatabase(
            database_messages.postgres_too_old(version=await connection.fetchval("show server_version"))
        )


async def check_running(connection: Connection | PooledConnection) -> None:
    """Raises UnfitDatabase for a login with too many rights, and for a server that may lose committed data."""
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
        raise UnfitDatabase(database_messages.login_is_superuser(user=name))
    if facts["owner"]:
        raise UnfitDatabase(database_messages.login_is_owner(user=name, schema=SCHEMA))
    if facts["rolbypassrls"]:
        raise UnfitDatabase(database_messages.login_bypasses_row_security(user=name))
    if facts["rolcreaterole"]:
        raise UnfitDatabase(database_messages.login_creates_roles(user=name))
    if not facts["migrated"]:
        raise UnfitDatabase(database_messages.schema_missing(schema=SCHEMA))
    if facts["fsync"] == "off":
        raise UnfitDatabase(database_messages.fsync_off())
    if facts["synchronous_commit"] == "off":
        raise UnfitDatabase(database_messages.synchronous_commit_off(user=name))
    if facts["standby"]:
        raise UnfitDatabase(database_messages.server_is_standby())
