"""Rows to test the queue with: tenants and lanes as onboarding leaves them, made by SQL: these tests need no other plane."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.core import address
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.core.route import Route
from mailcordon.send import submission
from mailcordon.send.accept import Accept
from mailcordon.send.ports import NewDelivery, NewMessage
from mailcordon.send.submission import Submission

HASH_KEY = b"h" * 32
MAC_KEY = b"m" * 32


@dataclass(frozen=True)
class World:
    """One database with lanes in it, seen as its owner."""

    database: Any
    connection: Any  # asyncpg's, as superuser

    async def lane(self, slug: str, type: str, **over: Any) -> int:
        """The lane of tenant `slug` for a message type that ships with the product."""
        c = self.connection
        tenant = await c.fetchval(
            "insert into tenant (key, slug) values ('mc-' || md5($1), $1) "
            "on conflict (slug) do update set slug = excluded.slug returning id",
            slug,
        )
        row = await c.fetchrow("select id, class from message_type where name = $1", type)
        defaults = CLASS_DEFAULTS[Class(row["class"])]
        turn = await c.fetchval(
            "insert into turn (tenant, class) values ($1, $2) "
            "on conflict (tenant, class) do update set class = excluded.class returning id",
            tenant,
            row["class"],
        )
        values = {
            "expiry_ms": defaults.expiry_ms,
            "grace_ms": defaults.grace_ms,
            "resend": defaults.resend,
            **over,
        }
        names = ", ".join(values)
        lane = await c.fetchval(
            f"insert into lane (tenant, type, class, turn, {names}) values ($1, $2, $3, $4, "
            + ", ".join(f"${n}" for n in range(5, 5 + len(values)))
            + ") returning id",
            tenant,
            row["id"],
            row["class"],
            turn,
            *values.values(),
        )
        domain = f"{type}.{slug}.example"
        identity = await c.fetchval(
            "insert into identity (tenant, domain, status) values ($1, $2, 'verified') returning id",
            tenant,
            domain,
        )
        set_ = f"mc-{Class(row['class']).word}"
        await c.execute(
            "insert into configuration_set (name, kind, class) values ($1, 'shared', $2) on conflict do nothing",
            set_,
            row["class"],
        )
        await c.execute(
            "insert into route (lane, tenant, path, ses_tenant, identity, domain, configuration_set) "
            "values ($1, $2, 'isolated', 'mc-' || md5($3), $4, $5, $6)",
            lane,
            tenant,
            slug,
            identity,
            domain,
            set_,
        )
        await c.execute("update epoch set value = value + 1 where name = 'control'")
        return lane

    async def share(self, lane: int, isolated: int = 0) -> None:
        """Gives the lane the shared path as well, with all but `isolated` percent of its recipients."""
        await self.connection.execute(
            "insert into shared_path (name, domain, ses_tenant) values ('platform', 'mail.platform.example', 'platform') "
            "on conflict do nothing"
        )
        await self.connection.execute(
            "insert into route (lane, tenant, path, share, ses_tenant, domain, configuration_set) "
            "select lane, tenant, 'shared', 100 - $2::int, 'platform', 'mail.platform.example', configuration_set "
            "from route where lane = $1",
            lane,
            isolated,
        )
        await self.connection.execute(
            "update route set share = $2::int where lane = $1 and path = 'isolated'", lane, isolated
        )
        await self.connection.execute("update epoch set value = value + 1 where name = 'control'")

    async def suppress(self, slug: str, text: str, scope: int = 0, target: int = 0) -> None:
        await self.connection.execute(
            "insert into suppression (tenant, hash, scope, target, address, cause, since, by) "
            "select id, $2, $3, $4, $5, 'hard-bounce', now_ms(), 'test' from tenant where slug = $1",
            slug,
            address.hash_of(HASH_KEY, address.parse(text)),
            scope,
            target,
            text,
        )

    async def account(self, rate: float = 100_000) -> None:
        await self.connection.execute(
            "insert into account_rate (cell, ceiling, rate, tokens, at, max_24h, sent_24h, sending_enabled, enforcement, "
            "polled_at) values ('default', $1, $1, $1, now_ms(), -1, 0, true, 'HEALTHY', now_ms())",
            rate,
        )

    async def dispatcher(self, role: str = "dispatch", age_ms: int = 0) -> None:
        """A process that has reported so long ago."""
        await self.connection.execute(
            "insert into role_health (role, instance, host, pid, started, beat) "
            "values ($1, 'x', 'h', 1, now_ms(), now_ms() - $2::bigint) "
            "on conflict (role, instance) do update set beat = excluded.beat",
            role,
            age_ms,
        )

    async def prove_absence(self) -> None:
        """Observe has shown, for every configuration set, that it misses no Send event of a call made before now."""
        await self.connection.execute(
            "insert into send_seen (configuration_set, called_at, proved_called_at) "
            "select name, now_ms(), now_ms() from configuration_set on conflict (configuration_set) do update "
            "set called_at = excluded.called_at, proved_called_at = excluded.proved_called_at"
        )

    async def count(self, table: str, where: str = "true") -> int:
        return await self.connection.fetchval(f"select count(*) from {table} where {where}")


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    connection = await asyncpg.connect(database.dsn("owner"), server_settings={"search_path": "mailcordon"})
    try:
        yield World(database, connection)
    finally:
        await connection.close()


MakeSubmission = Callable[..., Submission]


@pytest.fixture
def make_submission() -> MakeSubmission:
    def make(
        type: str = "password-reset", slug: str = "acme", to: list[str] | None = None, **over: Any
    ) -> Submission:
        to = to or ["kim@example.com"]
        marketing = type in ("newsletter", "announcement")
        return submission.check(
            **{
                "type": type,
                "sender": f"Acme <hello@{type}.{slug}.example>",
                "to": to,
                "subject": "Hello",
                "text": "Hello Kim",
                "html": None,
                "reply_to": [],
                "headers": {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"} if marketing else {},
                "own_headers": [{"List-Unsubscribe": f"<https://acme.example/u/{one}>"} for one in to]
                if marketing
                else [],
                "campaign": None,
                "list": None,
                **over,
            }
        )

    return make


async def allowed() -> None:
    return None


Allowed = Callable[[], Awaitable[None]]


@contextlib.asynccontextmanager
async def database_away(owner: Any, dsn: str) -> AsyncIterator[None]:
    """For the login of this address: its sessions end, and it gets no new ones."""
    role = urlsplit(dsn).username
    await owner.execute(f'alter role "{role}" nologin')
    try:
        await owner.execute("select pg_terminate_backend(pid) from pg_stat_activity where usename = $1", role)
        yield
    finally:
        await owner.execute(f'alter role "{role}" login')


def new_message(id: int, slug: str, route: Route, recipients: int = 1, **over: Any) -> NewMessage:
    """A message as accept hands it to its store. The hash of recipient `n` is 16 bytes of value `n`."""
    return NewMessage(
        **{
            "id": id,
            "tenant_slug": slug,
            "route": route,
            "from_address": "hello@x.example",
            "deliveries": tuple(
                NewDelivery(id=id + n, address=f"k{n}@x.example", hash=bytes([n]) * 16, provider=0)
                for n in range(1, recipients + 1)
            ),
            "campaign": None,
            "list": None,
            "content": b"x",
            "api_key": 1,
            "key": None,
            "body": b"b",
            **over,
        }
    )


def now_ms() -> int:
    return time.time_ns() // 1_000_000


@contextlib.asynccontextmanager
async def accepting(
    world: World, clock: Callable[[], int] = now_ms, *, local: bool = True
) -> AsyncIterator[Accept]:
    """Takes mail in, by the host's clock in milliseconds. `local`: for the local SES."""
    store = AcceptStore(world.database.dsn("send"))
    accept = Accept(store, HASH_KEY, clock, lambda: None, local=local)
    running = asyncio.create_task(accept.run())
    try:
        yield accept
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await store.close()
