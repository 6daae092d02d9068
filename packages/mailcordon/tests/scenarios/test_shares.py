"""One tenant's large mails, reads and floods wait for each other and not for another tenant's: on a running system, judged by the
order of answers and by counts, while the database is made to wait for the hostile tenant only.
"""

import asyncio
import contextlib
import hashlib
import io
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from mailcordon_fixtures import traffic
from mailcordon_fixtures.traffic import Traffic, domain

LARGE = "All work and no play makes a large mail. " * 219_500  #: 9 MB
Answer = tuple[int, Any]


class Tenant:
    def __init__(self, mail: Traffic, slug: str, key: str) -> None:
        self.mail = mail
        self.slug = slug
        self.key = key

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        headers |= {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        raw = None if body is None else io.BytesIO(json.dumps(body).encode())
        async with self.mail.http.request(
            method, self.mail.system.url + path, data=raw, headers=headers
        ) as answer:
            return answer.status, await answer.json(content_type=None)

    async def post(self, text: str = "Thank you.", idempotency_key: str | None = None) -> Answer:
        body = {
            "type": "receipt",
            "from": f"hello@{domain(self.slug, 'receipt')}",
            "to": "kim@example.com",
            "subject": "Your receipt",
            "text": text,
        }
        headers = {} if idempotency_key is None else {"idempotency-key": idempotency_key}
        return await self.call("POST", "/v1/messages", body, **headers)


async def tenants(mail: Traffic, **limits: float) -> tuple[Tenant, Tenant]:
    """A hostile one, whose key has these limits, and a bystander."""
    suffix = secrets.token_hex(3)
    slugs = [f"hostile-{suffix}", f"bystander-{suffix}"]
    await mail.onboard({slug: ["receipt"] for slug in slugs})
    made: list[Tenant] = []
    for slug in slugs:
        new = {"tenant": slug, "name": "test", "scopes": ["send", "read"]}
        if limits and not made:
            new["limits"] = limits
        status, said = await mail.call("POST", "/v1/keys", new)
        assert status == 201, said
        made.append(Tenant(mail, slug, said["key"]))
    return made[0], made[1]


@contextlib.asynccontextmanager
async def holding(mail: Traffic, statement: str, *arguments: object) -> AsyncIterator[asyncpg.Connection]:
    """What this statement locks stays locked meanwhile."""
    other = await traffic.connect(mail.system)
    try:
        async with other.transaction():
            await other.execute(statement, *arguments)
            yield other
    finally:
        await other.close()


async def sessions_kept(mail: Traffic, holder: asyncpg.Connection, login: str) -> int:
    """Sessions of a login that wait for what the holder has locked."""
    return await mail.db.fetchval(
        "select count(*) from pg_stat_activity where usename like '%' || $2 and ($1 = any (pg_blocking_pids(pid)) or pid in"
        " (select a.pid from pg_stat_activity a, unnest(pg_blocking_pids(a.pid)) b where $1 = any (pg_blocking_pids(b))))",
        holder.get_server_pid(),
        login,
    )


async def test_a_tenants_large_mails_do_not_delay_another_tenants_mail(mail: Traffic) -> None:
    """Their commit waits for another transaction, which uses their idempotency keys."""
    hostile, bystander = await tenants(mail)
    used = (
        "insert into idempotency (tenant, key, body, message)"
        " select t.id, k, '', 0 from tenant t, unnest($2::bytea[]) k where t.slug = $1"
    )
    keys = [f"large-{n}" for n in range(4)]
    digests = [hashlib.blake2b(key.encode(), digest_size=16).digest() for key in keys]
    assert (await bystander.post())[0] == 202
    async with holding(mail, used, hostile.slug, digests) as holder:
        large = [asyncio.create_task(hostile.post(LARGE, key)) for key in keys]
        await mail.until(lambda: _waits(mail, holder, "send"), "the commit of a large mail waits")
        await asyncio.wait(
            [*large, bystanders := asyncio.create_task(_one_by_one(bystander.post, 5))],
            return_when=asyncio.FIRST_COMPLETED,
        )
        assert bystanders.done(), "a large mail was answered first"
    assert bystanders.result() == [202] * 5
    await asyncio.gather(*large)


async def test_a_tenants_reads_do_not_delay_another_tenants_reads(mail: Traffic) -> None:
    """They wait for a lock, until they are ended for it."""
    hostile, bystander = await tenants(mail)
    _, said = await bystander.post()
    message = f"/v1/messages/{said['id']}"
    assert (await bystander.call("GET", message))[0] == 200
    assert (await _read(hostile))[0] == 200
    async with holding(mail, "lock table recipient in access exclusive mode") as holder:
        reads = [asyncio.create_task(_read(hostile)) for _ in range(100)]
        await mail.until(lambda: _waits(mail, holder, "reader"), "the hostile tenant's read waits")
        assert await _one_by_one(lambda: bystander.call("GET", message), 5) == [200] * 5
        ended = sum(one.done() for one in reads)
        assert ended < 50, "the bystander has waited for them"
        assert await sessions_kept(mail, holder, "reader") <= 1
    answered = Counter([status for status, _ in await asyncio.gather(*reads)])
    assert set(answered) <= {200, 503}


async def test_a_read_that_takes_too_long_is_ended_and_says_so(mail: Traffic) -> None:
    hostile, _ = await tenants(mail)
    async with holding(mail, "lock table recipient in access exclusive mode"):
        status, said = await hostile.call("GET", "/v1/addresses/kim@example.com")
    assert (status, said["code"], said["retryable"]) == (503, "query-timeout", True)
    assert "did not finish this in time (canceling statement due to statement timeout)" in said["detail"]


@pytest.mark.parametrize("what", ["messages", "bytes", "reads"])
async def test_a_key_that_exceeds_its_rate_is_told_which_and_when_it_may_again(
    mail: Traffic, what: str
) -> None:
    """A rate of 0.01 a second grants one request, and the next after minutes."""
    hostile, bystander = await tenants(mail, **{f"{what}_per_second": 0.01})
    call = _read if what == "reads" else Tenant.post
    # A key that the process does not know yet is not charged for the look at the database that makes it known.
    statuses = [(await call(hostile))[0] for _ in range(2)]
    assert statuses[0] in (200, 202)
    status, said = await call(hostile)
    assert (status, said["code"]) == (429, "rate-limit")
    assert f"0.01 {what} a second, is used up" in said["detail"]
    assert (await call(bystander))[0] in (200, 202)
    await mail.until(lambda: _counted(mail, f"{what}-per-key"), "the refusal is reported")


async def _one_by_one(call: Callable[[], Awaitable[Answer]], count: int) -> list[int]:
    return [(await call())[0] for _ in range(count)]


async def _read(tenant: Tenant) -> Answer:
    return await tenant.call("GET", "/v1/addresses/kim@example.com")


async def _counted(mail: Traffic, limit: str) -> bool:
    return bool(
        await mail.db.fetchval(
            "select count(*) from role_health where role = 'api' and facts -> 'door' -> 'refused' ? $1", limit
        )
    )


async def _waits(mail: Traffic, holder: asyncpg.Connection, login: str) -> bool:
    return await sessions_kept(mail, holder, login) > 0
