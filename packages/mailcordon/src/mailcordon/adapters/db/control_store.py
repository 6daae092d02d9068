"""The catalogue of message types, as the control role. Each change, its audit row and the epoch change in one transaction."""

import asyncpg

from mailcordon.adapters.db import connection_pool, queries
from mailcordon.adapters.db.engine import Pool
from mailcordon.control.catalogue import MessageType
from mailcordon.core import names, text
from mailcordon.core.errors import Conflict, NotFound
from mailcordon.core.priority import Class
from mailcordon.messages import api

_SQL = queries.load("control_store.sql")
_SHARED = queries.load("shared.sql")


def type_of(row: asyncpg.Record) -> MessageType:
    return MessageType(
        id=row["id"],
        name=row["name"],
        class_=Class(row["class"]),
        criticality=row["criticality"],
        description=text.harmless(row["description"]),  # older versions took any
        expiry_ms=row["expiry_ms"],
        grace_ms=row["grace_ms"],
        resend=row["resend"],
    )


class ControlStore:
    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add_type(self, new: MessageType, *, actor: str) -> MessageType:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(
                _SQL.insert_type,
                new.name,
                new.class_,
                new.criticality,
                new.description,
                new.expiry_ms,
                new.grace_ms,
                new.resend,
            )
            if row is None:
                raise Conflict(api.type_exists(new.name), code="type-exists")
            made = type_of(row)
            await conn.execute(
                _SHARED.write_audit,
                actor,
                "type.create",
                None,
                f"type {new.name}",
                None,
                made.as_json(),
                None,
            )
            await conn.execute(_SHARED.bump_epoch, "control")
            return made

    async def change_type(self, name: str, change: dict[str, object], *, actor: str) -> MessageType:
        """Changes some fields of the type, and every lane of it. Returns the type as changed."""
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.lock_type, name) if names.is_slug(name) else None
            if row is None:
                raise NotFound(api.no_type(text.harmless(name, 64)), code="no-such-type")
            before = type_of(row)
            after = before.changed(change)
            if after == before:
                return before
            await conn.execute(
                _SQL.update_type,
                after.id,
                after.criticality,
                after.description,
                after.expiry_ms,
                after.grace_ms,
                after.resend,
            )
            expiry, grace, resend = after.effective()
            await conn.execute(_SQL.update_lanes_of_type, after.id, expiry, grace, resend)
            await conn.execute(
                _SHARED.write_audit,
                actor,
                "type.change",
                None,
                f"type {name}",
                before.as_json(),
                after.as_json(),
                None,
            )
            await conn.execute(_SHARED.bump_epoch, "control")
            return after
