"""Ungoverned senders over HTTP: who may read and declare, and what is shown."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.ungoverned_store import UngovernedStore
from mailcordon.adapters.http import server, ungoverned
from mailcordon.control.key_cache import KeyCache
from mailcordon.control.ungoverned import Ungoverned
from mailcordon.core.ungoverned import Fact, Sighting

EXPECT = {"identity": "old.example", "until_seconds": 600, "because": "moves soon"}
#: Method, path, body, and the scope that is needed. The last ends what the one before declares.
ENDPOINTS = (
    ("GET", "/v1/ungoverned", None, "read"),
    ("GET", "/v1/ungoverned/1", None, "read"),
    ("GET", "/v1/ungoverned/expectations", None, "read"),
    ("POST", "/v1/ungoverned/expectations", EXPECT, "admin"),
    ("POST", "/v1/ungoverned/expectations/1/end", {"because": "x"}, "admin"),
)


@pytest.fixture
async def ask(world: Any) -> AsyncIterator[Any]:
    pool = await engine.create_pool(world.database.dsn("control"))
    store = UngovernedStore(pool)
    found = ungoverned.routes(Ungoverned(store), ControlReader(pool, pool), lag_ms=900_000)
    transport = httpx.ASGITransport(server.application(KeyCache(KeyStore(pool)), found))  # pyright: ignore[reportArgumentType]
    now = await store.now()
    await store.record(
        [
            Sighting(
                identity=identity,
                caller="shop",
                ses_id=f"id-{n}",
                at=now,
                sends=True,
                facts={Fact.IP: "10.0.3.7", Fact.ACCOUNT: "123456789012"},
            )
            for n, identity in enumerate(("old.example", "old.example", "new.example"))
        ]
    )
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def one(method: str, path: str, body: Any, key: str | None) -> Any:
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            return await client.request(method, path, json=body, headers=headers)

        yield one
    await pool.close()


async def test_only_a_platform_key_with_the_scope_may(world: Any, ask: Any) -> None:
    keys = {scope: await world.key(None, scope) for scope in ("send", "operate", "admin", "read", "events")}
    for method, path, body, scope in ENDPOINTS:
        for key in (None, "nonsense"):
            assert (await ask(method, path, body, key)).status_code == 401, (method, path)
        for slug in ("acme", "zen"):
            answer = await ask(method, path, body, world.tenant_keys[slug])
            assert (answer.status_code, answer.json()["code"]) == (403, "platform-only"), (method, path)
        for other in keys.keys() - {scope}:
            answer = await ask(method, path, body, keys[other])
            assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing"), (
                method,
                path,
                other,
            )
    for method, path, body, scope in ENDPOINTS:
        answer = await ask(method, path, body, keys[scope])
        assert answer.status_code in (200, 201), (method, path, answer.text)


async def test_senders_are_listed_in_pages_and_shown_with_the_policy(world: Any, ask: Any) -> None:
    key = await world.key(None, "read")
    first = (await ask("GET", "/v1/ungoverned?limit=1", None, key)).json()
    rest = (await ask("GET", f"/v1/ungoverned?limit=1&after={first['next']}", None, key)).json()
    assert {one["identity"]: one["mails"] for one in first["items"] + rest["items"]} == {
        "new.example": 1,
        "old.example": 2,
    }
    [old] = [one for one in first["items"] + rest["items"] if one["mails"] == 2]
    shown = (await ask("GET", f"/v1/ungoverned/{old['id']}", None, key)).json()
    assert shown["facts"]["source_ips"] == [{"value": "10.0.3.7", "mails": 2}]
    [statement] = shown["policy"]["Statement"]
    assert statement["Condition"] == {"ArnLike": {"aws:PrincipalArn": ["arn:aws:iam::123456789012:*/shop"]}}
    missing = await ask("GET", "/v1/ungoverned/999", None, key)
    assert (missing.status_code, missing.json()["code"]) == (404, "no-such-sender")
    acme = (await ask("GET", "/v1/ungoverned?tenant=acme", None, key)).json()
    assert (acme["items"], acme["counts"]) == ([], [])
    assert (await ask("GET", "/v1/ungoverned?tenant=nobody", None, key)).status_code == 404


async def test_what_is_declared_shows_until_it_ends(world: Any, ask: Any) -> None:
    admin, reader = await world.key(None, "admin"), await world.key(None, "read")
    made = (await ask("POST", "/v1/ungoverned/expectations", EXPECT, admin)).json()
    assert (made["identity"], made["valid"], made["caller"]) == ("old.example", True, None)
    [old] = [
        one
        for one in (await ask("GET", "/v1/ungoverned", None, reader)).json()["items"]
        if one["identity"] == "old.example"
    ]
    assert old["expected"]["because"] == "moves soon"
    ended = await ask("POST", f"/v1/ungoverned/expectations/{made['id']}/end", {"because": "x"}, admin)
    assert ended.json()["valid"] is False
    again = await ask("POST", f"/v1/ungoverned/expectations/{made['id']}/end", {"because": "x"}, admin)
    assert (again.status_code, again.json()["code"]) == (404, "no-such-expectation")
    bad = await ask("POST", "/v1/ungoverned/expectations", EXPECT | {"until_seconds": 1}, admin)
    assert (bad.status_code, bad.json()["errors"][0]["field"]) == (422, "until_seconds")
