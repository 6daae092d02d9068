"""Connections to PostgreSQL.

Hot paths keep a connection of their own from `connect`; cold paths share a pool. Every connection looks up names in the schema
`mailcordon` and has time-outs, so that no connection holds a snapshot or a lock for long. The server's time-outs cannot act
while the server hangs, so the client has its own: a statement fails with TimeoutError if no answer comes.
"""

from typing import TYPE_CHECKING, TypeAlias

import asyncpg

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    #: A connection borrowed from a pool. Where a function takes either, annotate `Connection | PooledConnection`.
    PooledConnection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
else:  # at run time the driver's classes take no parameters
    Connection, Pool = asyncpg.Connection, asyncpg.Pool
    PooledConnection = asyncpg.pool.PoolConnectionProxy

SCHEMA = "mailcordon"
#: PostgreSQL's own schema is looked in first. A session's temporary schema would be too, if it were not named last.
SEARCH_PATH = f"{SCHEMA}, pg_temp"
CONNECT_PATIENCE = 10.0  #: seconds
STATEMENT_SECONDS = 30  #: the server's limit for one statement
#: Seconds until the client gives up waiting for an answer. Longer than the server's limit, so that a slow statement is ended by
#: the server, which says why.
ANSWER_PATIENCE = STATEMENT_SECONDS + 5.0

_SETTINGS = {
    "search_path": SEARCH_PATH,
    # What a statement carries is mail. The settings of which a role's own value counts are set by `roles.ensure`.
    "log_parameter_max_length_on_error": "0",
    "timezone": "UTC",
    "jit": "off",
    "plan_cache_mode": "auto",
    "statement_timeout": f"{STATEMENT_SECONDS}s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "10s",
}


async def connect(
    dsn: str,
    *,
    generic_plans: bool = False,
    application_name: str = "mailcordon",
    answer_seconds: float = ANSWER_PATIENCE,
    idle_seconds: float | None = None,
    durable: bool = True,
) -> Connection:
    """One connection for one caller. If it breaks, the caller connects again. Raises TimeoutError if the server does not answer.

    `idle_seconds`: the server ends the session, and with it its locks, when it was idle so long.

    `durable` False: a commit does not wait until it is on disk. If the server crashes, the last half second of them may be gone.

    `generic_plans` plans each statement once; otherwise an unanalysed queue table costs up to 7 times as much.
    """
    settings = _SETTINGS | {"application_name": application_name}
    if idle_seconds is not None:
        settings["idle_session_timeout"] = f"{round(idle_seconds * 1000)}ms"
    if not durable:
        settings["synchronous_commit"] = "off"
    if generic_plans:
        settings["plan_cache_mode"] = "force_generic_plan"
    return await asyncpg.connect(
        dsn,
        timeout=min(CONNECT_PATIENCE, answer_seconds),
        command_timeout=answer_seconds,
        server_settings=settings,
    )


async def create_pool(
    dsn: str,
    *,
    max_size: int = 8,
    answer_seconds: float = ANSWER_PATIENCE,
    statement_seconds: float = STATEMENT_SECONDS,
    settings: dict[str, str] | None = None,
) -> Pool:
    """A pool for cold paths. Its users leave the session of a connection as it was: what they set ends with their transaction,
    and who takes a lock of the session gives it back. A reset would be one more round trip for each user.

    `statement_seconds`: the server ends a statement that takes longer. `settings`: more settings of its sessions.

    It opens no connection at startup, so that a role can start while the database is down.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=max_size,
        reset=_as_it_is,
        timeout=min(CONNECT_PATIENCE, answer_seconds),
        command_timeout=answer_seconds,
        server_settings=_SETTINGS
        | {"application_name": "mailcordon", "statement_timeout": f"{round(statement_seconds * 1000)}ms"}
        | (settings or {}),
    )


async def _as_it_is(connection: Connection) -> None:
    """The driver itself rolls back a transaction that was left open."""


def row_count(status: str) -> int:
    """How many rows a statement changed, from what `execute` returns: `UPDATE 3`."""
    return int(status.rpartition(" ")[2])
