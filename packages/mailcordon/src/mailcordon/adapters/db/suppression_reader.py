"""Reads suppressions. A tenant's key reads as the reader role, which sees only that tenant's rows; a platform key reads as
control."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace

import asyncpg

from mailcordon.adapters.db import connection_pool, engine, queries, row_level_security
from mailcordon.adapters.db.suppression_row import suppression_from_row
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.suppression import Suppression
from mailcordon.messages import api
from mailcordon.observe import view
from mailcordon.observe.suppression_report import MOST_DROPPED, AtSes, Dropped, Known

_SQL = queries.load("suppression_reader.sql")
_SHARED = queries.load("shared.sql")


class PostgresSuppressionReader:
    """Implements observe.suppression_view.SuppressionReader."""

    def __init__(self, control: engine.Pool, reader: engine.Pool) -> None:
        self._control = control
        self._reader = reader

    def _as(self, scope: view.ReadScope) -> AbstractAsyncContextManager[engine.PooledConnection]:
        tenant = scope.tenant if scope.as_tenant else None
        return row_level_security.read_transaction(self._control, self._reader, tenant, snapshot=False)

    async def tenant_id(self, slug: str) -> int | None:
        async with connection_pool.transaction(self._control) as connection:
            return await connection.fetchval(_SHARED.tenant_id, slug)

    async def lane_id(self, tenant: int, type: str) -> int | None:
        async with connection_pool.transaction(self._control) as connection:
            return await connection.fetchval(_SHARED.lane_by_type, tenant, type)

    async def suppressions(
        self, scope: view.ReadScope, *, hash: bytes | None, after: str | None, limit: int
    ) -> Sequence[Suppression]:
        start = (b"", 0, 0) if after is None else _cursor(after)
        async with self._as(scope) as connection:
            rows = await connection.fetch(_SQL.suppressions, scope.tenant, hash, *start, limit)
        return [suppression_from_row(row) for row in rows]

    async def known(self, scope: view.ReadScope, tenant: str, address: str, hash: bytes) -> Known:
        of = scope.tenant, hash
        async with self._as(scope) as connection:
            facts = await connection.fetchrow(_SQL.soft_bounces, *of)
            assert facts is not None
            rows = await connection.fetch(_SQL.suppressions_of, *of)
            entries = await connection.fetch(_SQL.entries_of, *of)
            dropped = await connection.fetch(_SQL.dropped, *of, MOST_DROPPED + 1)
        # The platform's list covers mail of every tenant, but only control may read it.
        async with connection_pool.acquire(self._control) as control:
            rows += await control.fetch(_SQL.platform_suppression_of, hash)
        return Known(
            tenant=tenant,
            address=address,
            now=facts["now"],
            ours=[suppression_from_row(row) for row in rows],
            at_ses=[_entry(row, whole=not scope.as_tenant) for row in entries],
            dropped=[Dropped(**dict(row)) for row in dropped],
            soft_bounces=facts["number"],
        )


def _entry(row: asyncpg.Record, *, whole: bool) -> AtSes:
    """`whole`: also of which mail the account's list has it. That may be mail of another tenant."""
    found = AtSes(**dict(row))
    return found if whole or found.list else replace(found, message_id=None, feedback_id=None)


def _cursor(text: str) -> tuple[bytes, int, int]:
    try:
        hash, scope, target = text.split(".")
        cursor = bytes.fromhex(hash), int(scope), int(target)
        if not (0 <= cursor[1] < 3 and 0 <= cursor[2] < 1 << 31):
            raise ValueError(text)
    except ValueError:
        raise Invalid(Fault("after", api.not_a_cursor())) from None
    return cursor
