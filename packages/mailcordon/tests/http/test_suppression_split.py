"""The split of the account's suppression list over HTTP: who may read and decide, and what is shown."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.split_store import SplitStore
from mailcordon.adapters.http import server, suppression_split
from mailcordon.control.key_cache import KeyCache
from mailcordon.control.suppression_split.splits import Splits
from mailcordon.core import address as addresses

HASH_KEY = b"k" * 32
START = {"owner": "kim", "because": "tenants move", "release": True}
ASSIGN = {"addresses": ["Kim@example.com"], "tenant": "acme", "because": "known"}
#: Method, path, body, and the scope that is needed.
ENDPOINTS = (
    ("POST", "/v1/suppression-split", START, "operate"),
    ("GET", "/v1/suppression-split", None, "read"),
    ("GET", "/v1/suppression-split/entries", None, "read"),
    ("POST", "/v1/suppression-split/assign", ASSIGN, "operate"),
    ("POST", "/v1/suppression-split/finish", {"because": "x"}, "operate"),
)


@pytest.fixture
async def ask(world: Any) -> AsyncIterator[Any]:
    pool = await engine.create_pool(world.database.dsn("control"))
    splits = Splits(SplitStore(pool), calls_per_second=1.0)
    found = suppression_split.routes(splits, ControlReader(pool, pool), HASH_KEY)
    transport = httpx.ASGITransport(server.application(KeyCache(KeyStore(pool)), found))  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def one(method: str, path: str, body: Any, key: str | None) -> Any:
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            return await client.request(method, path, json=body, headers=headers)

        yield one
    await pool.close()


async def enter(world: Any, spelling: str, state: str) -> None:
    hash = addresses.hash_of_any(HASH_KEY, spelling)
    await world.owner.execute(
        "insert into split_entry (spelling, hash, split, reason, listed_at, state)"
        " select $1, $2, id, 'BOUNCE', 1790000000000, $3 from split",
        spelling,
        hash,
        state,
    )


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
            assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing"), (path, other)
    assert await world.owner.fetchval("select count(*) from split") == 0
    missing = await ask("GET", "/v1/suppression-split", None, keys["read"])
    assert (missing.status_code, missing.json()["code"]) == (404, "no-split")


async def test_a_split_is_started_shown_decided_on_and_finished(world: Any, ask: Any) -> None:
    operate, read = await world.key(None, "operate"), await world.key(None, "read")
    started = await ask("POST", "/v1/suppression-split", START, operate)
    assert started.status_code == 201, started.text
    twice = await ask("POST", "/v1/suppression-split", START, operate)
    assert (twice.status_code, twice.json()["code"]) == (409, "split-runs")
    for spelling in ("Kim@example.com", "liv@example.com"):
        await enter(world, spelling, "unowned")
    await enter(world, "new@example.com", "listed")

    shown = (await ask("GET", "/v1/suppression-split", None, read)).json()
    assert shown["states"] == {"listed": 1, "unowned": 2}
    assert (shown["forecast"]["calls"], shown["forecast"]["complete"]) == (2, False)
    assert "2 entries are nobody's" in " ".join(shown["sentences"])
    first = (await ask("GET", "/v1/suppression-split/entries?limit=1&state=unowned", None, read)).json()
    after = f"/v1/suppression-split/entries?limit=1&state=unowned&after={first['next']}"
    rest = (await ask("GET", after, None, read)).json()
    assert [one["address"] for one in first["items"] + rest["items"]] == [
        "Kim@example.com",
        "liv@example.com",
    ]
    found = (await ask("GET", "/v1/suppression-split/entries?address=kim@example.com", None, read)).json()
    assert [one["address"] for one in found["items"]] == ["Kim@example.com"]

    for body in ({**ASSIGN, "nobody": True}, {"addresses": ["Kim@example.com"], "because": "x"}):
        answer = await ask("POST", "/v1/suppression-split/assign", body, operate)
        assert (answer.status_code, "say one of" in answer.text) == (422, True)
    done = await ask("POST", "/v1/suppression-split/assign", ASSIGN, operate)
    assert (done.status_code, done.json()["entries"]) == (200, 1)
    of_acme = (await ask("GET", "/v1/suppression-split/entries?tenant=acme", None, read)).json()
    assert [(one["address"], one["by"]) for one in of_acme["items"]] == [("Kim@example.com", "person")]

    early = await ask("POST", "/v1/suppression-split/finish", {"because": "x"}, operate)
    assert (early.status_code, early.json()["code"]) == (409, "split-open")
    await world.owner.execute("delete from split_entry where state in ('listed', 'owned')")
    await world.owner.execute("update split set phase = 'watching', compared_at = 1")
    left = await ask("POST", "/v1/suppression-split/finish", {"because": "x"}, operate)
    assert (left.status_code, left.json()["code"]) == (409, "split-unowned")
    body = {"because": "x", "leave_unowned": True}
    ended = await ask("POST", "/v1/suppression-split/finish", body, operate)
    assert (ended.status_code, ended.json()["ended_by"] is not None) == (200, True)
