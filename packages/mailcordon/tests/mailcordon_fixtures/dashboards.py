"""The dashboard over a test's own database, with somebody of each role signed in."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx

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

    async def get(self, path: str, who: str = "admin", status: int = 200) -> str:
        answer = await self.client.get(path, headers=self.headers(who))
        assert answer.status_code == status, (path, who, answer.status_code, answer.text[-1500:])
        return answer.text

    async def post(self, path: str, who: str = "admin", status: int = 303, **fields: str) -> httpx.Response:
        csrf = csrf_of(await self.get("/messages", who))
        answer = await self.client.post(path, data={"csrf": csrf, **fields}, headers=self.headers(who))
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
