"""Connections to PostgreSQL.

Hot paths keep a connection of their own from `connect`; cold paths share a pool. Every connection looks up names in the schema
`mailcordon` and has time-outs, so that no connection holds a snapshot or a lock for long.
"""

from typing import TYPE_CHECKING, Literal, TypeAlias

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
CONNECT_PATIENCE = 10.0  #: seconds

#: `force_generic_plan` pins plans on the queue's connections; otherwise an unanalysed queue table costs up to 7 times as much.
PlanCacheMode = Literal["auto", "force_generic_plan", "force_custom_plan"]


def _settings(
    plan_cache_mode: PlanCacheMode, statement_timeout_ms: int, lock_timeout_ms: int, application_name: str
) -> dict[str, str]:
    return {
        "application_name": application_name,
        "search_path": SCHEMA,
        "timezone": "UTC",
        "jit": "off",
        "plan_cache_mode": plan_cache_mode,
        "statement_timeout": str(statement_timeout_ms),
        "lock_timeout": str(lock_timeout_ms),
        "idle_in_transaction_session_timeout": "60000",
    }


async def connect(
    dsn: str,
    *,
    plan_cache_mode: PlanCacheMode = "auto",
    statement_timeout_ms: int = 30_000,
    lock_timeout_ms: int = 10_000,
    application_name: str = "mailcordon",
) -> Connection:
    """One connection for one caller. If it breaks, the caller connects again."""
    return await asyncpg.connect(
        dsn,
        timeout=CONNECT_PATIENCE,
        server_settings=_settings(plan_cache_mode, statement_timeout_ms, lock_timeout_ms, application_name),
    )


async def create_pool(
    dsn: str,
    *,
    min_size: int = 0,
    max_size: int = 8,
    statement_timeout_ms: int = 30_000,
    lock_timeout_ms: int = 10_000,
    application_name: str = "mailcordon",
) -> Pool:
    """A pool for cold paths. Session settings are reset when a connection is returned.

    By default it opens no connection at startup, so that a role can start while the database is down.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        timeout=CONNECT_PATIENCE,
        server_settings=_settings("auto", statement_timeout_ms, lock_timeout_ms, application_name),
    )
