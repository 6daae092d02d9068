"""Changes suppressions on behalf of people. A change and its audit row are one transaction."""

from collections.abc import Mapping, Sequence

import msgspec

from mailcordon.adapters.db import arrays, connection_pool, engine, queries
from mailcordon.adapters.db.suppression_row import suppression_from_row
from mailcordon.core.suppression import Suppression
from mailcordon.observe import suppression_view as view

_SQL = queries.load("suppression_store.sql")
_OBSERVE = queries.load("observe_store.sql")
_SHARED = queries.load("shared.sql")
_json = msgspec.json.Encoder()
_AT_ONCE = 5000  #: rows of an import that one statement writes


class _DryRun(Exception):
    """Rolls an import back."""


class PostgresSuppressions:
    """Implements observe.suppression_view.Suppressions, as the control role."""

    def __init__(self, control: engine.Pool) -> None:
        self._control = control

    async def add(
        self, key: view.SuppressionKey, *, because: str, until_seconds: int | None, actor: str
    ) -> tuple[Suppression, bool]:
        async with connection_pool.transaction(self._control) as connection:
            now = await connection.fetchval(_SHARED.now)
            until = None if until_seconds is None else now + until_seconds * 1000
            before = await self._at(connection, key)
            where = (key.tenant, key.hash, key.scope, key.target, key.address)
            row = (*where, "manual", _text({"because": because}), now, until, actor)
            await connection.execute(_OBSERVE.suppress, *[arrays.mixed([value]) for value in row])
            after = await self._at(connection, key)
            assert after is not None
            await self._audit(connection, key, actor, "suppression.add", (before, after), because)
            return after, before != after

    async def remove(
        self, key: view.SuppressionKey, *, because: str | None, actor: str
    ) -> Suppression | None:
        async with connection_pool.transaction(self._control) as connection:
            before = await self._at(connection, key)
            if before is None:
                return None
            if before.removing_since is not None:
                await connection.execute(_SQL.remove_soon, key.tenant, key.hash, key.scope, key.target)
                return before
            await connection.execute(_SQL.remove_suppression, key.tenant, key.hash, key.scope, key.target)
            after = await self._at(connection, key)
            await self._audit(connection, key, actor, "suppression.remove", (before, after), because)
            return after

    async def import_all(
        self,
        rows: Sequence[Suppression],
        tenant: int,
        facts: Mapping[str, object],
        *,
        actor: str,
        dry_run: bool,
    ) -> int:
        ordered = sorted(rows, key=lambda one: (one.hash, one.scope, one.target))
        added = 0
        try:
            async with connection_pool.transaction(self._control) as connection:
                now = await connection.fetchval(_SHARED.now)
                for start in range(0, len(ordered), _AT_ONCE):
                    values = [
                        (
                            tenant,
                            one.hash,
                            int(one.scope),
                            one.target,
                            one.address,
                            one.cause,
                            _text(one.evidence),
                            now,
                            one.until,
                            one.by,
                        )
                        for one in ordered[start : start + _AT_ONCE]
                    ]
                    columns = [arrays.mixed(column) for column in zip(*values, strict=True)]
                    await connection.execute(_OBSERVE.suppress, *columns)
                    added += await connection.fetchval(_SQL.standing, tenant, *columns[1:4], now, "imported")
                if dry_run:
                    raise _DryRun
                await connection.execute(
                    _SHARED.write_audit,
                    actor,
                    "suppression.import",
                    tenant,
                    f"{len(ordered)} suppressions",
                    None,
                    _text({**facts, "added": added, "kept": len(ordered) - added}),
                    str(facts.get("because") or ""),
                )
        except _DryRun:
            pass
        return added

    async def forget(
        self, tenant: int, slug: str, hash: bytes, address: str, *, because: str, actor: str
    ) -> None:
        async with connection_pool.transaction(self._control) as connection:
            await connection.execute(_SQL.forget_address, tenant, hash, address, actor)
            await connection.execute(
                _SHARED.write_personal_audit,
                actor,
                "suppression.forget",
                tenant,
                f"an address of {slug}",
                None,
                None,
                "{because}",
                _text({"because": because}),
            )

    async def want_entries(self, tenant: int, hash: bytes, address: str) -> int:
        async with connection_pool.transaction(self._control) as connection:
            return await connection.fetchval(_SQL.want_entries, tenant, hash, address)

    async def _at(self, connection: engine.PooledConnection, key: view.SuppressionKey) -> Suppression | None:
        row = await connection.fetchrow(_SQL.suppression_at, key.tenant, key.hash, key.scope, key.target)
        return None if row is None else suppression_from_row(row)

    async def _audit(
        self,
        connection: engine.PooledConnection,
        key: view.SuppressionKey,
        actor: str,
        action: str,
        change: tuple[Suppression | None, Suppression | None],
        because: str | None,
    ) -> None:
        before, after = (None if one is None else _text(_shown(one)) for one in change)
        personal = {"address": key.address} | ({} if because is None else {"because": because})
        await connection.execute(
            _SHARED.write_personal_audit,
            actor,
            action,
            key.tenant,
            f"suppression of {{address}}, scope {key.scope.word}",
            before,
            after,
            None if because is None else "{because}",
            _text(personal),
        )


def _shown(entry: Suppression) -> dict[str, object]:
    return {
        "cause": entry.cause,
        "since": entry.since,
        "until": entry.until,
        "by": entry.by,
        "removing_since": entry.removing_since,
    }


def _text(value: object) -> str:
    return _json.encode(value).decode().replace("\\u0000", "")
