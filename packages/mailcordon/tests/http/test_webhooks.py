"""Webhooks over HTTP: who may use each route, what a tenant sees, and that no secret is read back."""

import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.secrets import make_secret_key
from mailcordon.adapters.db.webhook_store import PostgresWebhooks
from mailcordon.adapters.http import server, webhooks
from mailcordon.adapters.web import standard_webhooks
from mailcordon.adapters.web.post import Poster
from mailcordon.adapters.web.webhook_courier import SesForm, WebhookCourier
from mailcordon.app.webhooks import Signing
from mailcordon.control.key_cache import KeyCache
from mailcordon.core import ses_door_ids
from mailcordon.observe.webhooks.endpoints import Endpoints
from mailcordon_fixtures.receiver import Receiver

HOOK = {"name": "night", "url": "https://hooks.example.com/T0K3N", "tenant": "acme"}
BECAUSE = {"because": "x"}

#: method, path, body, the scope that it needs, whether only a platform key will do, and what a foreign tenant's key gets.
ENDPOINTS: list[tuple[str, str, Any, str, bool, int]] = [
    ("GET", "/v1/webhooks", None, "read", False, 200),
    ("GET", "/v1/webhooks?tenant=acme", None, "read", False, 404),
    ("GET", "/v1/webhooks/first", None, "read", False, 404),
    ("GET", "/v1/webhooks/first/messages", None, "read", False, 404),
    ("POST", "/v1/webhooks", HOOK, "admin", True, 403),
    ("PATCH", "/v1/webhooks/first", {"events": ["lane.held"]}, "admin", True, 403),
    ("POST", "/v1/webhooks/first/rotation", {}, "admin", True, 403),
    ("POST", "/v1/webhooks/first/test", None, "operate", True, 403),
    ("POST", "/v1/webhooks/first/pause", BECAUSE, "operate", True, 403),
    ("POST", "/v1/webhooks/first/resume", {}, "operate", True, 403),
    ("POST", "/v1/webhooks/first/replay", {"since": "2026-11-28T00:00:00Z"}, "operate", True, 403),
    ("DELETE", "/v1/webhooks/first?because=x", None, "admin", True, 403),
]
SCOPES = ("send", "read", "operate", "admin")


@dataclass
class Doors:
    client: httpx.AsyncClient
    world: Any
    root: str
    secrets: list[str]

    async def ask(self, endpoint: tuple[Any, ...], key: str | None) -> httpx.Response:
        method, path, body, *_ = endpoint
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return await self.client.request(method, path, json=body, headers=headers)

    async def stored(self) -> list[Any]:
        tables = ("webhook_endpoint", "webhook_message", "audit")
        return [
            [tuple(row) for row in await self.world.owner.fetch(f"select * from {table} order by 1")]
            for table in tables
        ]


@pytest.fixture
async def doors(world: Any, receiver: Receiver) -> AsyncIterator[Doors]:
    pools = {role: await engine.create_pool(world.database.dsn(role)) for role in ("control", "reader")}
    store = PostgresWebhooks(pools["control"], [make_secret_key()], reader=pools["reader"])
    poster = Poster([ipaddress.ip_network("127.0.0.0/8")])
    signing = Signing(store, "https://mail.example.com")
    ses = SesForm(signer=signing.signer, region="us-east-1", message_id=ses_door_ids.encode)
    endpoints = Endpoints(
        store,
        WebhookCourier(poster, ses),
        check_url=poster.check,
        new_secret=standard_webhooks.new_secret,
        is_secret=standard_webhooks.is_secret,
        ses_form=signing.ready,
    )
    reads = ControlReader(pools["control"], pools["reader"])
    services = webhooks.WebhookServices(reads=reads, endpoints=endpoints, store=store)
    app = server.application(KeyCache(KeyStore(pools["control"])), webhooks.routes(services))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:  # pyright: ignore[reportArgumentType]
        root = await world.key(None, "admin", "read", "operate")
        found = Doors(client, world, root, ["T0K3N"])
        first = {"name": "first", "url": f"{receiver.url}/T0K3N", "tenant": "acme"}
        everything = {"name": "all", "url": f"{receiver.url}/T0K3N"}
        for body in (first, everything):
            made = await found.ask(("POST", "/v1/webhooks", body), root)
            found.secrets.append(made.json()["secret"])
        await world.owner.execute(
            "insert into webhook_message (endpoint, event, tenant, data, made_at, due_at)"
            " select e.id, 'lane.held', t.id, '{}', 1, null from webhook_endpoint e, tenant t where t.slug = 'acme'"
        )
        yield found
    for pool in pools.values():
        await pool.close()


async def test_each_route_admits_only_keys_that_may_use_it(doors: Doors) -> None:
    small = {
        scope: await doors.world.key(None, *(one for one in SCOPES if one != scope))
        for scope in ("read", "operate", "admin")
    }
    before = await doors.stored()
    for endpoint in ENDPOINTS:
        _, path, _, scope, platform_only, foreign = endpoint
        answer = await doors.ask(endpoint, None)
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised"), path
        answer = await doors.ask(endpoint, small[scope])
        assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing"), path
        answer = await doors.ask(endpoint, doors.world.tenant_keys["zen"])
        assert answer.status_code == foreign, answer.text
        own = await doors.ask(endpoint, doors.world.tenant_keys["acme"])
        assert own.status_code == (403 if platform_only else 200), path
    assert await doors.stored() == before
    exact = {scope: await doors.world.key(None, scope) for scope in {one[3] for one in ENDPOINTS}}
    for endpoint in ENDPOINTS:
        answer = await doors.ask(endpoint, exact[endpoint[3]])
        assert answer.status_code in (200, 201), answer.text


async def test_a_tenant_sees_its_own_webhooks_and_their_log_and_none_of_the_platform(doors: Doors) -> None:
    acme, zen = (doors.world.tenant_keys[slug] for slug in ("acme", "zen"))
    listed = await doors.ask(("GET", "/v1/webhooks", None), acme)
    assert [one["name"] for one in listed.json()["items"]] == ["first"]
    assert (await doors.ask(("GET", "/v1/webhooks", None), zen)).json()["items"] == []
    log = await doors.ask(("GET", "/v1/webhooks/first/messages", None), acme)
    assert [one["event"] for one in log.json()["items"]] == ["lane.held"]
    for path in ("/v1/webhooks/all", "/v1/webhooks/all/messages"):
        assert (await doors.ask(("GET", path, None), acme)).status_code == 404
    every = await doors.ask(("GET", "/v1/webhooks", None), doors.root)
    of_acme = await doors.ask(("GET", "/v1/webhooks?tenant=acme", None), doors.root)
    assert [one["tenant"] for one in of_acme.json()["items"]] == ["acme"]
    assert len(every.json()["items"]) > 1
    assert [one["name"] for one in every.json()["items"]] == ["all", "first"]


async def test_no_answer_shows_a_secret_that_was_shown_once(doors: Doors) -> None:
    for endpoint in ENDPOINTS:
        if endpoint[1].endswith("/rotation") or endpoint[2] == HOOK:
            continue
        answer = await doors.ask(endpoint, doors.root)
        assert [secret for secret in doors.secrets if secret in answer.text] == [], endpoint[1]
        assert "whsec_" not in answer.text


async def test_anybody_gets_the_certificate_and_nothing_else_under_its_name(doors: Doors) -> None:
    body = {"name": "ses", "url": "https://hooks.example.com/", "form": "ses-sns"}
    assert (await doors.ask(("POST", "/v1/webhooks", body), doors.root)).json()["secret"] is None
    answer = await doors.client.get("/v1/webhook-certificates/1.pem")
    assert answer.text.startswith("-----BEGIN CERTIFICATE-----")
    assert "PRIVATE" not in answer.text
    for name in ("2.pem", "0.pem", "1", "1.pem.pem", "99999999999.pem", "%2e%2e"):
        assert (await doors.client.get(f"/v1/webhook-certificates/{name}")).status_code == 404, name


#: A body, and the field that is wrong.
WRONG: list[tuple[Any, str]] = [
    ({**HOOK, "name": "Not A Slug"}, "name"),
    ({**HOOK, "url": "https://10.0.0.1/"}, "url"),
    ({**HOOK, "url": "https://[::ffff:169.254.169.254]/"}, "url"),
    ({**HOOK, "url": "file:///etc/passwd"}, "url"),
    ({**HOOK, "secret": "whsec_short"}, "secret"),
    ({**HOOK, "events": ["delivery.delivered", "delivery.eaten"]}, "events[1]"),
    ({**HOOK, "form": "ses-sns", "events": ["lane.held"]}, "events[0]"),
    ({**HOOK, "form": "ses-sns", "secret": standard_webhooks.new_secret()}, "secret"),
]


async def test_what_is_not_named_in_a_change_stays_and_null_is_every_tenant(doors: Doors) -> None:
    async def changed(**body: Any) -> tuple[Any, ...]:
        answer = await doors.ask(("PATCH", "/v1/webhooks/first", body), doors.root)
        assert answer.status_code == 200, answer.text
        assert [secret for secret in ("N3W", "whsec_") if secret in answer.text] == []
        item = answer.json()
        return item["tenant"], item["target"], item["events"]

    events = ["delivery.bounced", "lane.held"]
    _, host, usual = await changed()
    assert await changed(events=events[::-1]) == ("acme", host, events)
    assert await changed(url="https://hooks.example.com/N3W") == ("acme", "hooks.example.com", events)
    secret = standard_webhooks.new_secret()
    assert await changed(tenant=None, secret=secret) == (None, "hooks.example.com", events)
    assert await changed(tenant="zen", events=[]) == ("zen", "hooks.example.com", usual)
    assert (
        await doors.ask(("GET", "/v1/webhooks/first", None), doors.world.tenant_keys["acme"])
    ).status_code == 404


async def test_a_change_to_what_cannot_work_is_refused_with_its_field(doors: Doors) -> None:
    ses = {"name": "ses", "url": "https://hooks.example.com/", "form": "ses-sns"}
    assert (await doors.ask(("POST", "/v1/webhooks", ses), doors.root)).status_code == 201
    before = await doors.stored()
    wrong: list[tuple[str, Any, str]] = [
        *(("first", {"url": body["url"]}, "url") for body, field in WRONG if field == "url"),
        ("first", {"events": ["delivery.delivered", "delivery.eaten"]}, "events[1]"),
        ("first", {"secret": "whsec_short"}, "secret"),
        ("ses", {"secret": standard_webhooks.new_secret()}, "secret"),
        ("ses", {"events": ["lane.held"]}, "events[0]"),
    ]
    for name, body, field in wrong:
        answer = await doors.ask(("PATCH", f"/v1/webhooks/{name}", body), doors.root)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), (body, answer.text)
    for name, body, status in (("first", {"tenant": "nobody"}, 404), ("nobody", {"events": []}, 404)):
        assert (await doors.ask(("PATCH", f"/v1/webhooks/{name}", body), doors.root)).status_code == status
    for body in ({"name": "other"}, {"form": "ses-sns"}, {"url": None}, {"events": None}):
        answer = await doors.ask(("PATCH", "/v1/webhooks/first", body), doors.root)
        assert answer.status_code in (400, 422), body
    assert await doors.stored() == before


async def test_a_webhook_that_cannot_work_is_refused_with_its_field(doors: Doors) -> None:
    before = await doors.stored()
    for body, field in WRONG:
        answer = await doors.ask(("POST", "/v1/webhooks", body), doors.root)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), (body, answer.text)
    for body, code in (({**HOOK, "name": "first"}, 409), ({**HOOK, "tenant": "nobody"}, 404)):
        assert (await doors.ask(("POST", "/v1/webhooks", body), doors.root)).status_code == code
    for more in ({}, {"since": "2026-11-28", "message": "msg_x"}, {"since": "yesterday"}, {"message": "x"}):
        answer = await doors.ask(("POST", "/v1/webhooks/first/replay", more), doors.root)
        assert answer.status_code == 422, more
    assert await doors.stored() == before
