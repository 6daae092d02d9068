"""Calls of the REST API within its process: the rights of the principal that is named, and nobody from outside names one."""

from typing import Any

import httpx
import msgspec
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.audit_store import AuditReader
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.http import audit, server
from mailcordon.adapters.http.in_process import InProcess
from mailcordon.control.key_cache import KeyCache
from mailcordon.core.principal import READ, SEND, Principal
from mailcordon.door.reads import ReadLimits, Reads


def somebody(*scopes: str, tenant: int | None = None) -> Principal:
    return Principal(
        key_id=-1,
        prefix="s1",
        name="dashboard",
        holder="kim@platform.example",
        tenant_id=tenant,
        tenant_slug=None if tenant is None else "acme",
        scopes=frozenset(scopes),
    )


async def test_a_call_has_the_rights_of_the_principal_that_is_named(database: Any):
    pools = {login: await engine.create_pool(database.dsn(login)) for login in ("control", "reader")}
    try:
        routes = audit.routes(AuditReader(pools["control"], pools["reader"]))
        app = server.application(KeyCache(KeyStore(pools["control"])), routes)
        inside = InProcess(app, Reads(ReadLimits(), lambda limit: None))
        status, body = await inside.call(somebody(READ), "GET", "/v1/audit", {"limit": "1"}, b"")
        assert status == 200
        assert "items" in msgspec.json.decode(body)
        for refused in (somebody(), somebody(SEND)):
            status, body = await inside.call(refused, "GET", "/v1/audit", {}, b"")
            assert status == 403
            assert msgspec.json.decode(body)["code"] == "scope-missing"
        status, body = await inside.call(somebody(READ), "GET", "/v1/audit", {"limit": "0"}, b"")
        assert status == 422
    finally:
        for pool in pools.values():
            await pool.close()


@pytest.mark.parametrize("name", ["mailcordon.principal", "Mailcordon-Principal", "X-Mailcordon.Principal"])
async def test_a_request_from_outside_names_no_principal(database: Any, name: str):
    pool = await engine.create_pool(database.dsn("control"))
    try:
        app = server.application(KeyCache(KeyStore(pool)), audit.routes(AuditReader(pool, pool)))
        transport = httpx.ASGITransport(app)  # pyright: ignore[reportArgumentType]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for asked in (
                client.get("/v1/audit", headers={name: "1"}),
                client.get("/v1/audit", params={name: "1"}),
                client.get("/v1/audit", headers={"cookie": f"{name}=1"}),
            ):
                assert (await asked).status_code == 401
    finally:
        await pool.close()
