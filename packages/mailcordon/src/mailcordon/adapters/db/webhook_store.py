"""Webhooks, as the control role: endpoints with encrypted secrets, their outbox and its log."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, queries, row_level_security, webhook_rows
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.secret_rows import SecretRows
from mailcordon.adapters.db.secrets import SecretsUnreadable, Vault
from mailcordon.core import ids
from mailcordon.core.errors import Conflict
from mailcordon.messages import webhooks as messages
from mailcordon.observe.webhooks import plan
from mailcordon.observe.webhooks.endpoints import NewEndpoint
from mailcordon.observe.webhooks.nouns import (
    LEFT_STATES,
    REPORTED,
    Endpoint,
    EndpointForm,
    LogView,
    Message,
    Result,
)
from mailcordon.observe.webhooks.plan import After

_SQL = queries.load("webhook_store.sql")
_SHARED = queries.load("shared.sql")
#: What the audit calls the fields that can be changed.
_TERMS = {"url": "url", "tenant": "tenant", "events": "events", "secret": "signing"}
AUTHOR = "mailcordon"  #: who pauses what fails for too long
LEASE_MS = 60_000
TIDIED = 5_000  #: rows at a time
MOST_COUNTED = 100_000  #: waiting messages


class PostgresWebhooks:
    """`secret_keys`: MAILCORDON_SECRET_KEYS. `reader`: for tenants' keys. `clock_ms` is added to the clock, for tests."""

    def __init__(
        self, control: Pool, secret_keys: Sequence[str], *, reader: Pool | None = None, clock_ms: int = 0
    ) -> None:
        self._pool = control
        self._reader = reader
        self._secret_keys = secret_keys
        self.clock_ms = clock_ms

    async def _now(self, conn: PooledConnection) -> int:
        return await conn.fetchval(_SHARED.now) + self.clock_ms

    async def now(self) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return await self._now(conn)

    # -- sending ----------------------------------------------------------------------------------------------------

    async def lease(self, most: int) -> list[Endpoint]:
        async with connection_pool.acquire(self._pool) as conn:
            found: list[Endpoint] = []
            for row in await conn.fetch(_SQL.lease, most, LEASE_MS, self.clock_ms):
                now = row["now"]
                try:
                    found.append(self._with_secret(row, now))
                except SecretsUnreadable as unreadable:  # the other endpoints get theirs
                    rounds = row["failed_rounds"] + 1
                    since = row["failing_since"] or now
                    wait = plan.LEFT_ALONE[-1]
                    await conn.execute(
                        _SQL.served,
                        row["id"],
                        now + wait,
                        rounds,
                        since,
                        str(unreadable),
                        now,
                        row["secret"],
                    )
            return found

    async def due(self, endpoint: Endpoint, most: int) -> list[Message]:
        async with connection_pool.acquire(self._pool) as conn:
            while rows := await conn.fetch(
                _SQL.due, endpoint.id, await self._now(conn), most, endpoint.sealed
            ):
                if foreign := [row["id"] for row in rows if endpoint.tenant not in (None, row["tenant"])]:
                    await conn.execute(_SQL.give_up, foreign, messages.of_another_tenant())
                own = [row for row in rows if endpoint.tenant in (None, row["tenant"])]
                found = {row["id"]: webhook_rows.message_of(row, endpoint) for row in own}
                if gone := [id for id, message in found.items() if message is None]:
                    await conn.execute(_SQL.give_up, gone, messages.nothing_to_tell())
                if told := [message for message in found.values() if message is not None]:
                    return told
            return []

    async def record(self, endpoint: Endpoint, results: Sequence[Result], after: After) -> Endpoint | None:
        async with connection_pool.transaction(self._pool) as conn:
            now = await self._now(conn)
            row = await conn.fetchrow(
                _SQL.served,
                endpoint.id,
                after.next_at,
                after.failed_rounds,
                after.failing_since,
                after.problem,
                now + LEASE_MS,
                endpoint.sealed,
            )
            arrived = [None if one.problem is not None else now for one in results]
            # What failed at a receiver that was changed meanwhile is tried at the new one.
            again = [
                None if one.problem is None else now if row is None else plan.next_try(one, now)
                for one in results
            ]
            numbers = [one.message.number for one in results]
            await conn.execute(_SQL.record, numbers, [one.problem for one in results], again, arrived)
            if row is None:
                return None
            if after.pause and row["paused_at"] is None:
                problem = after.problem or ""
                why = messages.gone(problem) if after.gone else messages.failed_too_long(problem)
                await self._pause(conn, endpoint, now, actor=AUTHOR, because=why)
                return None
            return None if row["paused_at"] is not None else self._with_secret(row, now)

    async def release(self, endpoint: Endpoint) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.release, endpoint.id, await self._now(conn))

    async def tidy(self) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            now = await self._now(conn)
            if await conn.fetch(_SQL.remove_of_retired, now):
                await conn.execute(_SHARED.bump_epoch, "control")
            await conn.execute(_SQL.drop_waiting, messages.endpoint_gone())
            gone = await conn.fetch(_SQL.tidy_messages, now - plan.KEPT, TIDIED)
            documents = await conn.fetch(_SQL.tidy_documents, now - plan.KEPT, TIDIED)
            return len(gone) == TIDIED or len(documents) == TIDIED

    def _with_secret(self, row: asyncpg.Record, now: int) -> Endpoint:
        """Signed by its newest secret, and by the one before until that ends."""
        secret: dict[str, Any] = json.loads(self._vault.decrypt(row["secret"]))
        former_until = secret.get("former_until", 0)
        signing = secret["signing"] if former_until > now else secret["signing"][:1]
        return dataclasses.replace(
            webhook_rows.endpoint_of(row),
            url=secret["url"],
            signing=tuple(signing),
            former_until=former_until,
            sealed=row["secret"],
        )

    # -- endpoints --------------------------------------------------------------------------------------------------

    async def endpoints(
        self, *, tenant: int | None, name: str | None = None, of: int | None = None
    ) -> list[Endpoint]:
        reader = self._reader or self._pool
        async with row_level_security.read_transaction(self._pool, reader, tenant, snapshot=False) as conn:
            return [webhook_rows.endpoint_of(row) for row in await conn.fetch(_SQL.endpoints, name, of)]

    async def with_secret(self, name: str) -> Endpoint | None:
        """None if there is none of that name."""
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.endpoint, name)
            return None if row is None else self._with_secret(row, await self._now(conn))

    @property
    def _vault(self) -> Vault:
        return Vault(self._secret_keys)

    async def waiting(self, endpoint: Endpoint) -> int:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SQL.waiting, endpoint.id, MOST_COUNTED)

    async def add(
        self,
        new: NewEndpoint,
        *,
        form: EndpointForm,
        tenant: int | None,
        target: str,
        secret: Mapping[str, object],
        events: Sequence[str],
        most: int,
        actor: str,
        because: str | None,
    ) -> None:
        stored = self._vault.encrypt(json.dumps(secret).encode())
        try:
            async with connection_pool.transaction(self._pool) as conn:
                await _check_room(conn, tenant, most)
                now = await self._now(conn)
                await conn.execute(_SQL.add, new.name, tenant, form, target, stored, list(events), now, actor)
                after = {"form": form, "tenant": new.tenant, "target": target, "events": list(events)}
                await _changed(conn, actor, "add", tenant, new.name, after, because)
        except asyncpg.UniqueViolationError:
            raise Conflict(messages.endpoint_exists(new.name), code="webhook-exists") from None

    async def change(
        self,
        name: str,
        decide: Callable[[Endpoint, int], Endpoint],
        *,
        what: str,
        most: int,
        actor: str,
        because: str | None,
    ) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            row = await conn.fetchrow(_SQL.lock_endpoint, name)
            if row is None:
                return False
            now = await self._now(conn)
            before = self._with_secret(row, now)
            after = decide(before, now)
            if after == before:
                return True
            if after.tenant != before.tenant:
                await _check_room(conn, after.tenant, most)
                await conn.execute(_SQL.forget_told, before.id)
            secret = {"url": after.url, "signing": after.signing, "former_until": after.former_until}
            stored = self._vault.encrypt(json.dumps(secret).encode())
            await conn.execute(_SQL.change, before.id, after.tenant, after.target, stored, list(after.events))
            if after.url != before.url:
                await conn.execute(_SQL.moved, before.id)
                await conn.execute(_SQL.hurry, before.id, now)
            changed = [word for word, of in _TERMS.items() if getattr(before, of) != getattr(after, of)]
            told = {**_shown(after), "changed": changed}
            # Of another tenant now: each of both would read of the other one.
            tenant = before.tenant if after.tenant == before.tenant else None
            await _changed(conn, actor, what, tenant, name, told, because, before=_shown(before))
            return True

    async def pause(self, endpoint: Endpoint, *, actor: str, because: str) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            return await self._pause(conn, endpoint, await self._now(conn), actor=actor, because=because)

    async def _pause(
        self, conn: PooledConnection, endpoint: Endpoint, now: int, *, actor: str, because: str
    ) -> bool:
        if await conn.fetchval(_SQL.pause, endpoint.id, now, actor, because) is None:
            return False
        await _changed(conn, actor, "pause", endpoint.tenant, endpoint.name, None, because)
        return True

    async def resume(self, endpoint: Endpoint, *, actor: str, because: str | None) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            if await conn.fetchval(_SQL.resume, endpoint.id) is None:
                return False
            await _changed(conn, actor, "resume", endpoint.tenant, endpoint.name, None, because)
            return True

    async def works(self, endpoint: Endpoint) -> None:
        async with connection_pool.acquire(self._pool) as conn:
            await conn.execute(_SQL.works, endpoint.id)

    async def remove(self, endpoint: Endpoint, *, actor: str, because: str) -> bool:
        async with connection_pool.transaction(self._pool) as conn:
            if await conn.fetchval(_SQL.remove, endpoint.id, await self._now(conn), actor) is None:
                return False
            await _changed(conn, actor, "remove", endpoint.tenant, endpoint.name, None, because)
            return True

    # -- the log ----------------------------------------------------------------------------------------------------

    async def log(
        self,
        endpoint: Endpoint,
        *,
        tenant: int | None,
        state: str | None,
        delivery: int | None,
        before: int | None,
        limit: int,
    ) -> list[LogView]:
        reader = self._reader or self._pool
        async with row_level_security.read_transaction(self._pool, reader, tenant, snapshot=False) as conn:
            rows = await conn.fetch(_SQL.log, endpoint.id, before, delivery, state, limit)
        return [
            LogView(
                number=row["id"],
                event=row["event"],
                delivery=row["delivery"],
                made_at=row["made_at"],
                due_at=row["due_at"],
                tries=row["tries"],
                arrived_at=row["arrived_at"],
                problem=row["problem"],
            )
            for row in rows
        ]

    async def replay_since(
        self,
        endpoint: Endpoint,
        since: int,
        until: int,
        *,
        after: int,
        arrived: bool,
        most: int,
        actor: str,
        because: str | None,
    ) -> tuple[int, int | None]:
        """How many messages are sent again, and the number of the last one if there may be more. `arrived`: also those that
        arrived."""
        async with connection_pool.transaction(self._pool) as conn:
            now = await self._now(conn)
            row = await conn.fetchrow(_SQL.replay_since, endpoint.id, since, until, after, arrived, most, now)
            assert row is not None
            told = {"since": since, "until": until, "after": after, "messages": row["messages"]}
            await _audit(conn, actor, "replay", endpoint.tenant, endpoint.name, told, because)
        return row["messages"], row["last"] if row["messages"] == most else None

    async def replay_mail(
        self,
        endpoint: Endpoint,
        message: int,
        delivery: int | None,
        *,
        events: Sequence[str],
        actor: str,
        because: str | None,
    ) -> int | None:
        """How many messages there are of it; None: the endpoint's tenant has no such message."""
        async with connection_pool.transaction(self._pool) as conn:
            whose = await conn.fetchval(_SQL.message_tenant, message)
            if whose is None or endpoint.tenant not in (None, whose):
                return None
            now = await self._now(conn)
            done = await conn.execute(
                _SQL.replay_mail,
                endpoint.id,
                message,
                delivery,
                now,
                [int(kind) for kind in REPORTED],
                list(REPORTED.values()),
                list(events),
                [int(state) for state in LEFT_STATES],
                list(LEFT_STATES.values()),
            )
            count = int(done.rpartition(" ")[2])
            told = {"message": ids.message_id(message), "messages": count}
            await _audit(conn, actor, "replay", endpoint.tenant, endpoint.name, told, because)
        return count

    # -- incidents and SNS's form -----------------------------------------------------------------------------------

    async def failing(self, *, for_ms: int) -> list[asyncpg.Record]:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetch(_SQL.failing, await self._now(conn) - for_ms)

    async def signer(self) -> tuple[int, bytes] | None:
        """Number and private key (PEM) of what signs messages in SNS's form."""
        async with connection_pool.acquire(self._pool) as conn:
            row = await conn.fetchrow(_SQL.signer)
        return None if row is None else (row["id"], self._vault.decrypt(row["secret"]))

    async def add_signer(self, private: bytes, certificate: str) -> None:
        """Unless there is one."""
        async with connection_pool.transaction(self._pool) as conn:
            await conn.execute(_SQL.lock_signer)
            now = await self._now(conn)
            await conn.execute(_SQL.add_signer, self._vault.encrypt(private), certificate, now)

    async def certificate(self, number: int) -> str | None:
        async with connection_pool.acquire(self._pool) as conn:
            return await conn.fetchval(_SQL.certificate, number)


async def _check_room(conn: PooledConnection, tenant: int | None, most: int) -> None:
    await conn.execute(_SQL.lock_adding, tenant)
    if await conn.fetchval(_SQL.count, tenant) >= most:
        raise Conflict(messages.too_many_endpoints(most), code="too-many-webhooks")


async def _changed(
    conn: PooledConnection,
    actor: str,
    what: str,
    tenant: int | None,
    name: str,
    after: Mapping[str, object] | None,
    because: str | None,
    *,
    before: Mapping[str, object] | None = None,
) -> None:
    await conn.execute(_SHARED.bump_epoch, "control")  # observers cache who gets what
    await _audit(conn, actor, what, tenant, name, after, because, before=before)


async def _audit(
    conn: PooledConnection,
    actor: str,
    what: str,
    tenant: int | None,
    name: str,
    after: Mapping[str, object] | None,
    because: str | None,
    *,
    before: Mapping[str, object] | None = None,
) -> None:
    documents = [None if one is None else json.dumps(one) for one in (before, after)]
    await conn.execute(
        _SHARED.write_audit, actor, f"webhook.{what}", tenant, f"webhook {name}", *documents, because
    )


def _shown(endpoint: Endpoint) -> dict[str, object]:
    """Without secrets."""
    return {"tenant": endpoint.slug, "target": endpoint.target, "events": list(endpoint.events)}


def _rewritten(row: asyncpg.Record) -> tuple[object, ...]:
    of_signer = row["place"] == "webhook_signer"
    statement = _SQL.rewrite_signer_secret if of_signer else _SQL.rewrite_endpoint_secret
    return statement, row["id"], row["secret"]


SECRETS = SecretRows(_SQL.secrets, _rewritten)
