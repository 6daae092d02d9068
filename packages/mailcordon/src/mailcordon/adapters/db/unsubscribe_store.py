"""Implements observe.unsubscribing.UnsubscribeStore, and keeps tenants' own host names, as the control role.

Each change is one transaction. Unsubscriptions are written by the statement that writes every suppression.
"""

from collections.abc import Mapping

import asyncpg
import msgspec

from mailcordon.adapters.db import arrays, connection_pool, queries
from mailcordon.adapters.db.engine import Connection, Pool, PooledConnection
from mailcordon.core.errors import Conflict
from mailcordon.core.priority import Class
from mailcordon.core.suppression import Scope
from mailcordon.messages import times
from mailcordon.messages import unsubscribe as messages
from mailcordon.observe.unsubscribing import (
    BY,
    CAUSE,
    How,
    Subscription,
    Subscriptions,
    Unsubscribed,
)

_SQL = queries.load("unsubscribe_store.sql")
_OBSERVE = queries.load("observe_store.sql")
_SHARED = queries.load("shared.sql")
_json = msgspec.json.Encoder()


class PostgresUnsubscribes:
    def __init__(self, control: Pool) -> None:
        self._control = control

    async def subscriptions(self, lane: int, hash: bytes) -> Subscriptions | None:
        async with connection_pool.acquire(self._control) as connection:
            return await _subscriptions(connection, lane, hash)

    async def choose(self, lane: int, hash: bytes, wanted: Mapping[int, bool], how: How) -> bool:
        async with connection_pool.transaction(self._control) as connection:
            found = await _subscriptions(connection, lane, hash)
            if found is None:
                return False
            known = {one.lane: one for one in (found.linked, *found.marketing)}
            # In the order of lanes, as everybody locks rows.
            for one in sorted(known.values(), key=lambda one: one.lane):
                if one.lane not in wanted:
                    continue
                if not wanted[one.lane]:
                    await _unsubscribe(connection, found.tenant, one.lane, hash, how)
                elif one.unsubscribed:
                    await _resubscribe(
                        connection,
                        found.tenant,
                        one.lane,
                        one.type,
                        hash,
                        actor=BY,
                        evidence={"how": how.value},
                    )
            return True

    async def resubscribe(
        self, tenant: int, lane: int, type: str, hash: bytes, *, evidence: str, consented_at: int, actor: str
    ) -> Unsubscribed | None:
        async with connection_pool.transaction(self._control) as connection:
            row = await connection.fetchrow(_SQL.unsubscribed_at, tenant, hash, lane)
            if row is None:
                return None
            if consented_at <= row["since"]:
                raise Conflict(
                    messages.consent_too_old(type, times.minute(row["since"])), code="consent-too-old"
                )
            await _resubscribe(
                connection,
                tenant,
                lane,
                type,
                hash,
                actor=actor,
                evidence={"consented_at": consented_at},
                because=evidence,
            )
            return Unsubscribed(address=row["address"], since=row["since"])

    async def set_host(self, tenant: int, slug: str, host: str | None, *, because: str, actor: str) -> None:
        """None: the shared one again. Raises Conflict for a name that belongs to another tenant."""
        try:
            async with connection_pool.transaction(self._control) as connection:
                before = await connection.fetchval(_SQL.host_of, tenant)
                if host is None:
                    await connection.execute(_SQL.drop_host, tenant)
                else:
                    if await connection.fetchval(_SQL.is_foreign_host, tenant, host):
                        raise Conflict(messages.host_is_foreign(host), code="foreign-host")
                    await connection.execute(_SQL.set_host, tenant, host, actor)
                if before == host:
                    return
                await connection.execute(_SHARED.bump_epoch, "control")
                await connection.execute(
                    _SHARED.write_audit,
                    actor,
                    "tenant.unsubscribe-host",
                    tenant,
                    slug,
                    None if before is None else _text({"host": before}),
                    None if host is None else _text({"host": host}),
                    because,
                )
        except asyncpg.UniqueViolationError:
            raise Conflict(messages.host_is_foreign(host or ""), code="foreign-host") from None


async def lanes_without_host(connection: Connection) -> tuple[str, str, int] | None:
    """Tenant and type of a marketing lane whose links need the shared host name, and how many there are; None: none."""
    row = await connection.fetchrow(_SQL.lanes_without_host)
    return None if row is None else (row["tenant"], row["type"], row["lanes"])


async def _subscriptions(connection: PooledConnection, lane: int, hash: bytes) -> Subscriptions | None:
    rows = await connection.fetch(_SQL.lanes_of_link, lane, hash)
    if not rows:
        return None
    found = [_subscription(row) for row in rows]
    marketing = [one for one in found if one.class_ is Class.MARKETING]
    return Subscriptions(
        tenant=rows[0]["tenant"],
        sender=rows[0]["domain"] or rows[0]["slug"],
        linked=found[0],
        marketing=tuple(sorted(marketing, key=lambda one: one.type)),
    )


def _subscription(row: asyncpg.Record) -> Subscription:
    return Subscription(
        lane=row["lane"],
        type=row["type"],
        description=row["description"],
        class_=Class(row["class"]),
        unsubscribed=row["unsubscribed"],
        stopped=row["stopped"],
    )


async def _unsubscribe(connection: PooledConnection, tenant: int, lane: int, hash: bytes, how: How) -> None:
    """One that stands already stays as it is."""
    now = await connection.fetchval(_SHARED.now)
    address = await connection.fetchval(_SQL.address_of_hash, tenant, hash)
    row = (tenant, hash, int(Scope.LANE), lane, address, CAUSE, _text(_evidence(how)), now, None, BY)
    await connection.execute(_OBSERVE.suppress, *[arrays.mixed([value]) for value in row])
    # A suppression by hand that lasts as long and began earlier was kept: its end must not end the unsubscription.
    await connection.execute(_SQL.unsubscribe_over, tenant, hash, lane, now, BY, _text(_evidence(how)))


async def _resubscribe(
    connection: PooledConnection,
    tenant: int,
    lane: int,
    type: str,
    hash: bytes,
    *,
    actor: str,
    evidence: Mapping[str, object],
    because: str | None = None,
) -> None:
    row = await connection.fetchrow(_SQL.unsubscribed_at, tenant, hash, lane)
    if row is None:
        return
    if not await connection.fetchval(_SQL.restore, tenant, hash, lane):
        await connection.execute(_SQL.resubscribe, tenant, hash, lane)
    personal = {"address": row["address"]} | ({} if because is None else {"because": because})
    await connection.execute(
        _SHARED.write_personal_audit,
        actor,
        "suppression.resubscribe",
        tenant,
        f"suppression of {{address}}, {type}",
        _text({"cause": CAUSE, "since": row["since"]}),
        _text(evidence),
        None if because is None else "{because}",
        _text(personal),
    )


def _evidence(how: How) -> dict[str, object]:
    return {"how": how.value, "text": messages.how(how.value)}


def _text(value: object) -> str:
    return _json.encode(value).decode().replace("\\u0000", "")
