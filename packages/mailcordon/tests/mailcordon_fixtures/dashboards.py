"""The dashboard over a test's own database, with somebody of each role signed in."""

import contextlib
import html
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from bench import fleet
from browser import serving
from mailcordon.adapters.db import engine
from mailcordon.control.people.roles import Role
from mailcordon_fixtures import signing_in
from mailcordon_fixtures.pages import csrf_of

ROLES = {"viewer": Role.VIEWER, "operator": Role.OPERATOR, "admin": Role.ADMIN}
#: Writes rows, given the owner's URL and the key of recipients' hashes.
Fill = Callable[[str, bytes], Awaitable[None]]


@dataclass
class Dashboard:
    client: httpx.AsyncClient
    tokens: dict[str, str]
    owner: engine.Connection
    csrf: dict[str, str] = field(default_factory=dict[str, str])

    async def get(self, path: str, who: str = "admin", status: int = 200) -> str:
        answer = await self.client.get(path, headers=self.headers(who))
        assert answer.status_code == status, (path, who, answer.status_code, answer.text[-1500:])
        return answer.text

    async def post(self, path: str, who: str = "admin", status: int = 303, **fields: str) -> httpx.Response:
        if who not in self.csrf:  # the same as long as the session lasts
            self.csrf[who] = csrf_of(await self.get("/messages", who))
        data = {"csrf": self.csrf[who], **fields}
        answer = await self.client.post(path, data=data, headers=self.headers(who))
        assert answer.status_code == status, (path, who, answer.status_code, answer.text[-1500:])
        return answer

    def headers(self, who: str) -> dict[str, str]:
        cookie = signing_in.VIEW_COOKIE if who == "tenant" else signing_in.COOKIE
        return {"cookie": f"{cookie}={self.tokens[who]}"}

    async def audited(self, action: str) -> tuple[str, str | None]:
        """Who did this last, and why."""
        row = await self.owner.fetchrow(
            "select actor, because from audit where action = $1 order by id desc limit 1", action
        )
        assert row is not None, action
        return row["actor"].partition(" ")[0], row["because"]


@contextlib.asynccontextmanager
async def opened(database: Any, home: Path, fill: Fill | None = None) -> AsyncIterator[Dashboard]:
    """`fill`: writes what is there, tenants too. People of each role are signed in, and somebody of the first tenant."""
    secret, hash_key = await serving.install(database.owner_dsn)
    if fill is not None:
        await fill(database.owner_dsn, hash_key)
    owner = await asyncpg.connect(database.owner_dsn, server_settings={"search_path": engine.SCHEMA})
    async with serving.dashboard(database.role_dsns, secret, home) as served:
        tokens = {
            name: await signing_in.token(served.control, person=f"{name}@platform.example", role=role)
            for name, role in ROLES.items()
        }
        if fill is not None:
            slug = await owner.fetchval("select slug from tenant order by id limit 1")
            tokens["tenant"] = await signing_in.view_token(served.control, slug)
        async with httpx.AsyncClient(base_url=served.url, timeout=60) as client:
            yield Dashboard(client, tokens, owner)
    await owner.close()


async def two_tenants(owner_dsn: str, _: bytes) -> None:
    owner = await asyncpg.connect(owner_dsn, server_settings={"search_path": engine.SCHEMA})
    try:
        now = int(time.time()) // 60
        await fleet.write(owner, lanes=4, tenants=2, types=("receipt", "newsletter"), days=1, now=now)
    finally:
        await owner.close()


def once(answer: httpx.Response) -> list[str]:
    """The secrets that a page shows once. It is kept nowhere, and no address has them."""
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    found = [
        html.unescape(one) for one in re.findall(r'class="copy secret"><code>([^<]+)</code>', answer.text)
    ]
    assert found, answer.text[-1500:]
    for one in found:
        assert one not in str(answer.url)
        assert one not in answer.headers.get("location", "")
    return found


def beside(answer: httpx.Response, name: str) -> str:
    """What a refused form says beside a field."""
    assert answer.status_code == 422, answer.text[-1500:]
    found = re.search(f'id="{name}-wrong">(.*?)</small>', answer.text, re.DOTALL)
    assert found is not None, re.findall(r'id="([\w.]+)-wrong"', answer.text)
    return html.unescape(re.sub(r"<[^>]+>", "", found[1]))
