"""Connections to PostgreSQL and the statements sent over them.

Hot paths hold fixed connections from `connect`; cold paths share a pool. Every connection of ours looks up names in the
schema `mailcordon` and has time-outs, so that nothing holds a snapshot or a lock for long. Statements live in named
blocks of the files in `sql/`; `load_queries` gives them as attributes.
"""

import importlib.resources
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

import asyncpg

if TYPE_CHECKING:
    Connection: TypeAlias = asyncpg.Connection[asyncpg.Record]
    Pool: TypeAlias = asyncpg.Pool[asyncpg.Record]
    #: What a pool lends; where a function takes either, annotate `Connection | PooledConnection`.
    PooledConnection: TypeAlias = "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]"
else:  # the driver's classes take no parameters at run time
    Connection, Pool = asyncpg.Connection, asyncpg.Pool
    PooledConnection = asyncpg.pool.PoolConnectionProxy

SCHEMA = "mailcordon"
CONNECT_PATIENCE = 10.0  #: seconds

#: `force_generic_plan` pins plans on the queue's connections: an unanalysed queue table costs up to 7x otherwise.
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
    """One connection of its own, for a hot loop. It ends with the server: the loop connects again."""
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
    """A pool for cold paths. What was set on a connection is reset when it comes back.

    It opens nothing by itself by default, so that a role may start while the database is away.
    """
    return await asyncpg.create_pool(
        dsn,
        min_size=min_size,
        max_size=max_size,
        timeout=CONNECT_PATIENCE,
        server_settings=_settings("auto", statement_timeout_ms, lock_timeout_ms, application_name),
    )


class Queries(Mapping[str, str]):
    """The named statements of one file: `queries.claim_due` or `queries["claim_due"]`."""

    def __init__(self, file: str, statements: Mapping[str, str]) -> None:
        self._file = file
        self._statements = dict(statements)

    def __getitem__(self, name: str) -> str:
        return self._statements[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._statements)

    def __len__(self) -> int:
        return len(self._statements)

    def __getattr__(self, name: str) -> str:
        try:
            return self.__dict__["_statements"][name]
        except KeyError:
            raise AttributeError(f"{self.__dict__.get('_file')} has no statement named {name}") from None


_NAME = re.compile(r"^-- name: *([a-z][a-z0-9_]*) *$", re.MULTILINE)


def load_queries(file: str) -> Queries:
    """The statements of `sql/<file>`, a block each, headed by `-- name: its_name`."""
    text = (importlib.resources.files("mailcordon.adapters.db") / "sql" / file).read_text()
    return parse_queries(file, text)


def parse_queries(file: str, text: str) -> Queries:
    parts = _NAME.split(text)
    if any(line.strip() and not line.startswith("--") for line in parts[0].splitlines()):
        raise ValueError(f"{file}: SQL stands before the first `-- name:` line")
    statements: dict[str, str] = {}
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if name in statements:
            raise ValueError(f"{file}: two statements are named {name}")
        if not body.strip():
            raise ValueError(f"{file}: {name} is empty")
        statements[name] = body.strip()
    return Queries(file, statements)
