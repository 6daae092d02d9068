"""Webhooks, as the control role: endpoints with encrypted secrets, their outbox and its log."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from mailcordon.adapters.db import connection_pool, queries, row_level_security
from mailcordon.adapters.db.engine import Pool, PooledConnection
from mailcordon.adapters.db.secret_rows import SecretRows
from mailcordon.adapters.db.secrets import SecretsUnreadable, Vault
from mailcordon.core import address as addresses
from mailcordon.core import ids
from mailcordon.core.errors import Conflict
from mailcordon.core.suppression import SCOPES
from mailcordon.messages import webhooks as messages
from mailcordon.observe.webhooks import plan
from mailcordon.observe.webhooks.endpoints import NewEndpoint
from mailcordon.observe.webhooks.nouns import (
    LEFT_STATES,
    REPORTED,
    Endpoint,
    EndpointForm,
    LogView,
    Mail,
    Message,
    Result,
)
from mailcordon.observe.webhooks.plan import After

_SQL = queries.load("webhook_store.sql")
_SHARED = queries.load("shared.sql")
AUTHOR = "mailcordon"  #: who pauses what fails for too long
LEASE_MS = 60_000
TIDIED = 5_000  #: rows at a time
MOST_COUNTED = 100_000  #: waiting messages
#: What of SES's report a program gets, beside the reason and the text.
_REPORTED_FACTS = ("status", "link", "user_agent", "ip")


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
                        _SQL.served, row["id"], now + wait, rounds, since, str(unreadable), now
                    )
            return found

    async def due(self, endpoint: Endpoint, most: int) -> list[Message]:
        async with connection_pool.acquire(self._pool) as conn:
            while rows := await conn.fetch(_SQL.due, endpoint.id, await self._now(conn), most):
                found = {row["id"]: _message(row, endpoint) for row in rows}
                if gone := [id for id, message in found.items() if message is None]:
                    await conn.execute(_SQL.give_up, gone, messages.nothing_to_tell())
                if told := [message for message in found.values() if message is not None]:
                    return told
            return []

    async def record(self, endpoint: Endpoint, results: Sequence[Result], after: After) -> Endpoint | None:
        async with connection_pool.transaction(self._pool) as conn:
            now = await self._now(conn)
            arrived = [None if one.problem is not None else now for one in results]
            again = [None if one.problem is None else plan.next_try(one, now) for one in results]
            numbers = [one.message.number for one in results]
            await conn.execute(_SQL.record, numbers, [one.problem for one in results], again, arrived)
            row = await conn.fetchrow(
                _SQL.served,
                endpoint.id,
                after.next_at,
                after.failed_rounds,
                after.failing_since,
                after.problem,
                now + LEASE_MS,
            )
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
        signing = secret["signing"] if secret.get("former_until", 0) > now else secret["signing"][:1]
        return dataclasses.replace(_endpoint(row), url=secret["url"], signing=tuple(signing))

    # -- endpoints --------------------------------------------------------------------------------------------------

    async def endpoints(self, *, tenant: int | None, name: str | None = None) -> list[Endpoint]:
        reader = self._reader or self._pool
        async with row_level_security.read_transaction(self._pool, reader, tenant, snapshot=False) as conn:
            return [_endpoint(row) for row in await conn.fetch(_SQL.endpoints, name)]

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
                await conn.execute(_SQL.lock_adding, tenant)
                if await conn.fetchval(_SQL.count, tenant) >= most:
                    raise Conflict(messages.too_many_endpoints(most), code="too-many-webhooks")
                now = await self._now(conn)
                await conn.execute(_SQL.add, new.name, tenant, form, target, stored, list(events), now, actor)
                after = {"form": form, "tenant": new.tenant, "target": target, "events": list(events)}
                await _changed(conn, actor, "add", tenant, new.name, after, because)
        except asyncpg.UniqueViolationError:
            raise Conflict(messages.endpoint_exists(new.name), code="webhook-exists") from None

    async def change_secret(
        self,
        endpoint: Endpoint,
        secret: Mapping[str, object],
        *,
        target: str,
        actor: str,
        because: str | None,
    ) -> bool:
        stored = self._vault.encrypt(json.dumps(secret).encode())
        async with connection_pool.transaction(self._pool) as conn:
            if await conn.fetchval(_SQL.change_secret, endpoint.id, stored, target) is None:
                return False
            after = {"target": target}
            await _changed(conn, actor, "rotate", endpoint.tenant, endpoint.name, after, because)
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


async def _changed(
    conn: PooledConnection,
    actor: str,
    what: str,
    tenant: int | None,
    name: str,
    after: Mapping[str, object] | None,
    because: str | None,
) -> None:
    await conn.execute(_SHARED.bump_epoch, "control")  # observers cache who gets what
    await _audit(conn, actor, what, tenant, name, after, because)


async def _audit(
    conn: PooledConnection,
    actor: str,
    what: str,
    tenant: int | None,
    name: str,
    after: Mapping[str, object] | None,
    because: str | None,
) -> None:
    document = None if after is None else json.dumps(after)
    about = f"webhook {name}"
    await conn.execute(_SHARED.write_audit, actor, f"webhook.{what}", tenant, about, None, document, because)


def _endpoint(row: asyncpg.Record) -> Endpoint:
    return Endpoint(
        id=row["id"],
        name=row["name"],
        tenant=row["tenant"],
        slug=row["slug"],
        form=row["form"],
        target=row["target"],
        events=tuple(row["events"]),
        made_at=row["made_at"],
        made_by=row["made_by"],
        next_at=row["next_at"],
        failed_rounds=row.get("failed_rounds") or 0,
        failing_since=row["failing_since"],
        problem=row["problem"],
        paused_at=row["paused_at"],
        paused_by=row["paused_by"],
        paused_because=row["paused_because"],
    )


def _message(row: asyncpg.Record, endpoint: Endpoint) -> Message | None:
    """None if there is nothing to tell of any more: its rows are past retention, or the suppression was removed."""
    event: str = row["event"]
    mail: Mail | None = None
    facts: dict[str, object]
    at = row["made_at"]
    if event.startswith("delivery."):
        if row["message"] is None:
            return None
        mail = _mail(row)
        if row["key"] is not None:
            if row["kind"] is None:
                return None
            at, facts = row["event_at"], _reported(row)
        elif row["left_state"] is None:
            return None
        else:
            at = row["left_at"]
            facts = {
                "attempt": row["left_attempt"],
                "reason": row["left_reason"],
                "detail": row["left_detail"],
            }
    elif event == "suppression.added":
        if row["address"] is None:
            return None
        facts = _suppressed(row)
    else:
        data = json.loads(row["data"])
        facts = {"type": row["type"], "held": data["held"], "stopped": data["stopped"]}
    document: str | None = row["document"]
    if endpoint.form == "ses-sns" and row["key"] is not None and document is None:
        return None  # SES's JSON is not kept any more
    return Message(
        number=row["id"],
        id=_id(row),
        event=event,
        at=at,
        tried_from=row["tried_from"] or row["made_at"],
        tries=row["tries"],
        slug=row["slug"],
        mail=mail,
        facts=facts,
        document=document if endpoint.form == "ses-sns" else None,
    )


def _id(row: asyncpg.Record) -> str:
    """The same for every endpoint and every replay."""
    if row["delivery"] is None:
        return f"evt_{row['id']}"
    which = "left" if row["key"] is None else row["key"][:8].hex()
    return f"evt_{ids.encode(row['delivery'])}_{which}"


def _mail(row: asyncpg.Record) -> Mail:
    tags = json.loads(row["tags"]) if row["tags"] is not None else None
    return Mail(
        delivery=row["delivery"],
        type=row["type"],
        to=None if row["recipient"] == addresses.ERASED else row["recipient"],
        sender=None if row["from_address"] == addresses.ERASED else row["from_address"],
        campaign=row["campaign"],
        list=row["list"],
        tags=tags or {},
    )


def _reported(row: asyncpg.Record) -> dict[str, object]:
    detail: dict[str, Any] = json.loads(row["event_detail"])
    facts: dict[str, object] = {
        "attempt": row["event_attempt"],
        "reason": detail.get("bounce_reason") or detail.get("reason"),
        "detail": detail.get("text"),
    }
    return facts | {name: detail[name] for name in _REPORTED_FACTS if name in detail}


def _suppressed(row: asyncpg.Record) -> dict[str, object]:
    return {
        "to": None if row["address"] == addresses.ERASED else row["address"],
        "cause": row["cause"],
        "scope": SCOPES[json.loads(row["data"])["scope"]],
    }


def _rewritten(row: asyncpg.Record) -> tuple[object, ...]:
    of_signer = row["place"] == "webhook_signer"
    statement = _SQL.rewrite_signer_secret if of_signer else _SQL.rewrite_endpoint_secret
    return statement, row["id"], row["secret"]


SECRETS = SecretRows(_SQL.secrets, _rewritten)
