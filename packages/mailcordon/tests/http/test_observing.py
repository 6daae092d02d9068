"""Rules for mail that did not pass through us, over HTTP: who may use them, what they refuse, and what onboarding makes of a
tenant that was observed only."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.observing_store import ObservingStore
from mailcordon.adapters.http import observing, server
from mailcordon.control.key_cache import KeyCache

Ask = Callable[..., Awaitable[Any]]
ENDPOINTS = [
    ("GET", "/v1/observed/rules", None, "read"),
    (
        "POST",
        "/v1/observed/rules",
        {"rules": [{"by": "set", "value": "s", "tenant": "x", "type": "receipt"}]},
        "admin",
    ),
    ("DELETE", "/v1/observed/rules/1", None, "admin"),
    ("GET", "/v1/observed/unmapped", None, "read"),
]


@pytest.fixture
async def ask(world: Any) -> AsyncIterator[Ask]:
    pool = await engine.create_pool(world.database.dsn("control"))
    app = server.application(KeyCache(KeyStore(pool)), observing.routes(ObservingStore(pool)))
    transport = httpx.ASGITransport(app)  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def call(method: str, path: str, body: Any = None, key: str | None = "") -> Any:
            if key == "":
                key = await world.key(None, "admin", "read")
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            return await client.request(method, path, json=body, headers=headers)

        yield call
    await pool.close()


def rule(value: str, tenant: str = "shop", type: str | None = "receipt", **more: Any) -> dict[str, Any]:
    return {
        "by": "from",
        "value": value,
        "tenant": tenant,
        **({} if type is None else {"type": type}),
        **more,
    }


async def test_only_a_platform_key_with_the_scope_uses_them(world: Any, ask: Ask) -> None:
    for method, path, body, scope in ENDPOINTS:
        for key in (None, "nonsense"):
            assert (await ask(method, path, body, key)).status_code == 401
        for slug in ("acme", "zen"):
            answer = await ask(method, path, body, world.tenant_keys[slug])
            assert (answer.status_code, answer.json()["code"]) == (403, "platform-only")
        others = [each for each in ("send", "read", "operate", "admin") if each != scope]
        answer = await ask(method, path, body, await world.key(None, *others))
        assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
    assert await world.owner.fetchval("select count(*) from observed_rule") == 0


async def test_a_rule_makes_its_tenant_observed_only_and_is_safe_to_repeat(world: Any, ask: Ask) -> None:
    body = {"rules": [rule("Shop.Example"), rule("news@shop.example", type="newsletter")]}
    first = (await ask("POST", "/v1/observed/rules", body)).json()
    assert (first["added"], first["new_tenants"]) == (2, ["shop"])
    assert [one["value"] for one in first["rules"]] == ["shop.example", "news@shop.example"]
    again = (await ask("POST", "/v1/observed/rules", body)).json()
    assert (again["added"], again["unchanged"], again["new_tenants"]) == (0, 2, [])
    assert await world.owner.fetchval("select observed from tenant where slug = 'shop'")
    assert (
        await world.owner.fetchval(
            "select count(*) from ses_resource r join tenant e on e.id = r.tenant where e.slug = 'shop'"
        )
        == 0
    )
    actions = await world.owner.fetch(
        "select action from audit where action like '%observe%' order by id desc limit 3"
    )
    assert [row["action"] for row in actions] == ["observed-rule.put", "observed-rule.put", "tenant.observe"]


async def test_a_value_that_is_mapped_is_moved_only_when_asked_to(ask: Ask) -> None:
    await ask("POST", "/v1/observed/rules", {"rules": [rule("shop.example")]})
    moved = {"rules": [rule("other.example", "other"), rule("shop.example", "other")]}
    refused = await ask("POST", "/v1/observed/rules", moved)
    assert (refused.status_code, refused.json()["code"]) == (409, "rule-exists")
    assert [one["tenant"] for one in (await ask("GET", "/v1/observed/rules")).json()["items"]] == ["shop"]
    answer = (await ask("POST", "/v1/observed/rules", {**moved, "replace": True})).json()
    assert (answer["added"], answer["replaced"]) == (1, 1)


async def test_each_wrong_field_is_named(ask: Ask) -> None:
    wrong = [
        ({"by": "from", "value": "not a domain", "tenant": "shop", "type": "receipt"}, "rules[0].value"),
        ({"by": "from", "value": "a.example", "tenant": "Shop!", "type": "receipt"}, "rules[0].tenant"),
        ({"by": "from", "value": "a.example", "tenant": "shop"}, "rules[0].type"),
        ({"by": "from", "value": "a.example", "tenant": "shop", "type": "no-such"}, "rules[0].type"),
        ({"by": "tag", "value": "7", "tenant": "shop", "type": "receipt"}, "rules[0].name"),
        ({"by": "set", "value": "a set", "tenant": "shop", "type": "receipt"}, "rules[0].value"),
        ({"by": "hat", "value": "7", "tenant": "shop", "type": "receipt"}, "rules[0].by"),
    ]
    for body, field in wrong:
        answer = await ask("POST", "/v1/observed/rules", {"rules": [body]})
        assert answer.status_code == 422, body
        assert [fault["field"] for fault in answer.json()["errors"]] == [field]
    twice = await ask("POST", "/v1/observed/rules", {"rules": [rule("a.example"), rule("A.example")]})
    assert twice.json()["errors"][0]["field"] == "rules[1]"
    assert (await ask("GET", "/v1/observed/rules")).json()["items"] == []


async def test_a_rule_of_a_retired_tenant_is_refused(ask: Ask) -> None:
    answer = await ask("POST", "/v1/observed/rules", {"rules": [rule("a.example", "gone")]})
    assert (answer.status_code, answer.json()["code"]) == (409, "tenant-retired")


async def test_a_removed_rule_is_gone_and_audited(world: Any, ask: Ask) -> None:
    made = (await ask("POST", "/v1/observed/rules", {"rules": [rule("a.example")]})).json()
    path = f"/v1/observed/rules/{made['rules'][0]['id']}"
    assert (await ask("DELETE", path)).json()["value"] == "a.example"
    assert (await ask("DELETE", path)).status_code == 404
    assert (
        await world.owner.fetchval(
            "select action from audit where action like '%observe%' order by id desc limit 1"
        )
        == "observed-rule.remove"
    )


async def test_onboarding_makes_an_observed_tenant_one_that_sends_and_keeps_its_lanes(
    world: Any, ask: Ask
) -> None:
    await ask("POST", "/v1/observed/rules", {"rules": [rule("shop.example")]})
    tenant = await world.owner.fetchval("select id from tenant where slug = 'shop'")
    lane = await world.owner.fetchval(
        "select observed_lane($1, (select id::int from message_type where name = 'receipt'))", tenant
    )
    assert await world.owner.fetchval("select count(*) from route where lane = $1", lane) == 0

    admin = {"Authorization": f"Bearer {await world.key(None, 'admin', 'send', 'read')}"}
    body = {"slug": "shop", "types": {"receipt": "shop.example", "newsletter": "shop.example"}}
    answer = await world.client.post("/v1/tenants", json=body, headers=admin)
    assert answer.status_code == 201, answer.text
    details = answer.json()
    assert sorted(one["type"] for one in details["lanes"]) == ["newsletter", "receipt"]
    row = await world.owner.fetchrow(
        "select l.id, l.observed, l.expiry_ms, e.observed as tenant_observed, e.key from lane l join tenant e on e.id = l.tenant"
        " join route r on r.lane = l.id join message_type t on t.id = l.type where e.slug = 'shop' and t.name = 'receipt'"
    )
    assert tuple(row)[:4] == (lane, False, 86_400_000, False)
    assert details["key"] == row["key"]
    names = await world.owner.fetch(
        "select name from ses_resource where tenant = $1 and kind = 'tenant'", tenant
    )
    assert [one["name"] for one in names] == [row["key"]]


async def test_no_plan_wants_anything_at_ses_for_a_tenant_that_is_observed_only(world: Any, ask: Ask) -> None:
    await ask("POST", "/v1/observed/rules", {"rules": [rule("shop.example")]})
    admin = {"Authorization": f"Bearer {await world.key(None, 'admin', 'read')}"}
    document = (await world.client.get("/v1/document", headers=admin)).json()
    assert "shop" not in str(document)
    plan = (await world.client.post("/v1/plans", json={}, headers=admin)).json()
    assert "shop" not in str(plan)


async def test_mail_that_does_not_pass_through_us_cannot_be_held(world: Any, ask: Ask) -> None:
    await ask("POST", "/v1/observed/rules", {"rules": [rule("shop.example")]})
    operator = {"Authorization": f"Bearer {await world.key(None, 'operate', 'read')}"}
    hold = {"tenant": "shop", "because": "x"}
    for path, body in (("/v1/holds", hold), ("/v1/holds/preview", {"tenant": "shop", "action": "cordon"})):
        answer = await world.client.post(path, json=body, headers=operator)
        assert (answer.status_code, answer.json()["code"]) == (409, "observed-only"), path
    assert (
        await world.owner.fetchval(
            "select count(*) from hold h join tenant e on e.id = h.tenant where slug = 'shop'"
        )
        == 0
    )
    [shop] = [
        one
        for one in (await world.client.get("/v1/tenants", headers=operator)).json()["items"]
        if one["slug"] == "shop"
    ]
    assert shop["observed"]
