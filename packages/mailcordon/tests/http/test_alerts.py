"""Alert channels, alerts and tenants' contacts over HTTP: who may use each route, and that no secret is read back."""

import ipaddress
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.alert_store import PostgresAlerts
from mailcordon.adapters.db.contact_store import PostgresContacts
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.secrets import make_secret_key
from mailcordon.adapters.http import alerts, contacts, server
from mailcordon.adapters.web import standard_webhooks
from mailcordon.adapters.web.courier import WebCourier
from mailcordon.adapters.web.post import Poster
from mailcordon.app.alerts import LaneKeys
from mailcordon.control.key_cache import KeyCache
from mailcordon.observe.alerts.channels import Channels
from mailcordon_fixtures.receiver import Receiver

HOOK = {"name": "night", "form": "webhook", "url": "https://hooks.example.com/T0K3N"}
MAIL = {
    "name": "mail",
    "form": "email",
    "to": "ops@platform.example",
    "tenant": "acme",
    "type": "invoice",
    "from": "alerts@news.acme.example",
}

#: method, path, body, the scope that it needs and those that it gives, whether only a platform key will do, and what a foreign
#: tenant's key gets.
ENDPOINTS: list[tuple[str, str, Any, str, bool, int]] = [
    ("GET", "/v1/alert-channels", None, "read", True, 403),
    ("GET", "/v1/alert-channels/first", None, "read", True, 403),
    ("POST", "/v1/alert-channels", HOOK, "admin", True, 403),
    ("POST", "/v1/alert-channels", MAIL, "admin send", True, 403),
    ("PATCH", "/v1/alert-channels/first", {"least": "high"}, "admin", True, 403),
    ("DELETE", "/v1/alert-channels/first?because=x", None, "admin", True, 403),
    ("POST", "/v1/alert-channels/first/test", None, "operate", True, 403),
    ("GET", "/v1/alerts", None, "read", True, 403),
    ("GET", "/v1/alerts/{alert}", None, "read", True, 403),
    ("GET", "/v1/tenants/acme/contacts", None, "read", False, 404),
    ("PUT", "/v1/tenants/acme/contacts", {"url": "https://acme.example/hook"}, "admin", True, 403),
    ("DELETE", "/v1/tenants/acme/contacts/webhook?because=x", None, "admin", True, 403),
    ("POST", "/v1/tenants/acme/contacts/webhook/test", None, "operate", True, 403),
    ("GET", "/v1/tenants/acme/notices", None, "read", False, 404),
]
SCOPES = ("send", "read", "operate", "admin")


@dataclass
class Doors:
    client: httpx.AsyncClient
    world: Any
    secrets: list[str]
    alert: int = 0

    async def ask(self, endpoint: tuple[Any, ...], key: str | None) -> httpx.Response:
        method, path, body, *_ = endpoint
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        path = path.replace("{alert}", str(self.alert))
        return await self.client.request(method, path, json=body, headers=headers)

    async def stored(self) -> list[Any]:
        tables = ("alert_channel", "tenant_contact", "api_key", "audit")
        return [
            [tuple(r) for r in await self.world.owner.fetch(f"select * from {t} order by 1")] for t in tables
        ]


@pytest.fixture
async def doors(world: Any, receiver: Receiver) -> AsyncIterator[Doors]:
    pools = {role: await engine.create_pool(world.database.dsn(role)) for role in ("control", "reader")}
    keys = [make_secret_key()]
    store = PostgresAlerts(pools["control"], keys)
    stored = PostgresContacts(pools["control"], keys, reader=pools["reader"])
    poster = Poster([ipaddress.ip_network("127.0.0.0/8")])
    channels = Channels(
        store,
        stored,
        WebCourier(poster, installation="test", api_url=None),
        LaneKeys(world.keys),
        check_url=poster.check,
        new_secret=standard_webhooks.new_secret,
        is_secret=standard_webhooks.is_secret,
        has_api=True,
    )
    reads = ControlReader(pools["control"], pools["reader"])
    handlers = [
        *alerts.routes(alerts.AlertServices(channels=channels, reads=store)),
        *contacts.routes(contacts.ContactServices(reads=reads, channels=channels, contacts=stored)),
    ]
    app = server.application(KeyCache(KeyStore(pools["control"])), handlers)
    await world.owner.execute(
        "insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend)"
        " select l.tenant, y.id, 1, l.turn, 1000, 1000, true from lane l join tenant t on t.id = l.tenant"
        " cross join message_type y where t.slug in ('acme', 'zen') and y.name = 'invoice' on conflict do nothing"
    )
    await world.owner.execute(
        "insert into route (lane, tenant, path, ses_tenant, identity, domain, configuration_set)"
        " select l.id, l.tenant, r.path, r.ses_tenant, r.identity, r.domain, r.configuration_set from lane l"
        " join message_type y on y.id = l.type and y.name = 'invoice' join route r on r.tenant = l.tenant"
        " where not exists (select from route x where x.lane = l.id)"
    )
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:  # pyright: ignore[reportArgumentType]
        found = Doors(client, world, [])
        root = await world.key(None, "admin", "read", "operate", "send")
        first = {"name": "first", "form": "webhook", "url": f"{receiver.url}/T0K3N"}
        made = await found.ask(("POST", "/v1/alert-channels", first), root)
        contact = {"url": f"{receiver.url}/C0NT4CT"}
        put = await found.ask(("PUT", "/v1/tenants/acme/contacts", contact), root)
        found.secrets = ["T0K3N", "C0NT4CT", made.json()["secret"], put.json()["secret"]]
        incident = await world.owner.fetchval(
            "insert into incident (kind, cause, severity, scope, name, sentence, next, since, opened_at, seen_at, cause_seen_at)"
            " values ('drift', 'set:x', 'high', 'set', 'x', 's', 'n', 1, 1, 1, 1) returning id"
        )
        await store.plan()
        found.alert = await world.owner.fetchval("select id from alert where incident = $1", incident)
        yield found
    for pool in pools.values():
        await pool.close()


async def test_each_route_admits_only_keys_that_may_use_it(doors: Doors) -> None:
    small = {
        scope: await doors.world.key(None, *(s for s in SCOPES if s != scope))
        for scope in ("read", "operate", "admin")
    }
    exact = {scopes: await doors.world.key(None, *scopes.split()) for scopes in {one[3] for one in ENDPOINTS}}
    before = await doors.stored()
    for endpoint in ENDPOINTS:
        _, path, _, scopes, platform_only, foreign = endpoint
        scope, *given = scopes.split()
        for key in (None, "mck_abcdefgh_" + "x" * 43):
            answer = await doors.ask(endpoint, key)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthorised"), path
        answer = await doors.ask(endpoint, small[scope])
        assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing"), path
        answer = await doors.ask(endpoint, doors.world.tenant_keys["zen"])
        assert answer.status_code == foreign, answer.text
        own = await doors.ask(endpoint, doors.world.tenant_keys["acme"])
        assert own.status_code == (403 if platform_only else 200), path
        if given:
            answer = await doors.ask(endpoint, exact[scope])
            assert (answer.status_code, answer.json()["code"]) == (403, "scope-not-held"), path
    assert await doors.stored() == before
    for endpoint in sorted(ENDPOINTS, key=lambda one: one[0] == "DELETE"):
        answer = await doors.ask(endpoint, exact[endpoint[3]])
        assert answer.status_code in (200, 201), answer.text


async def test_no_answer_shows_a_secret_that_was_shown_once(doors: Doors) -> None:
    root = await doors.world.key(None, "admin", "read", "operate", "send")
    mail = await doors.ask(("POST", "/v1/alert-channels", MAIL), root)
    assert mail.status_code == 201
    assert "mck_" not in mail.text
    for endpoint in ENDPOINTS:
        if endpoint[0] == "GET":
            answer = await doors.ask(endpoint, root)
            assert answer.status_code == 200
            assert [secret for secret in doors.secrets if secret in answer.text] == []
            assert "whsec_" not in answer.text


async def test_a_tenant_sees_its_contact_and_that_nothing_else_exists(doors: Doors) -> None:
    mine = await doors.ask(("GET", "/v1/tenants/acme/contacts", None), doors.world.tenant_keys["acme"])
    (item,) = mine.json()["items"]
    assert (item["tenant"], item["form"], item["tell"]) == ("acme", "webhook", ["holds"])
    none = await doors.ask(("GET", "/v1/tenants/zen/contacts", None), doors.world.tenant_keys["zen"])
    assert none.json()["items"] == []


async def test_the_key_of_an_email_channel_sends_its_lanes_mail_only_and_ends_with_it(doors: Doors) -> None:
    root = await doors.world.key(None, "admin", "read", "operate", "send")
    await doors.ask(("POST", "/v1/alert-channels", MAIL), root)
    row = await doors.world.owner.fetchrow(
        "select k.scopes, k.types, k.tenant, k.revoked_at from api_key k join alert_channel c on c.key_prefix = k.prefix"
    )
    acme = await doors.world.owner.fetchval("select id from tenant where slug = 'acme'")
    assert (row["scopes"], row["types"], row["tenant"], row["revoked_at"]) == (
        ["send"],
        ["invoice"],
        acme,
        None,
    )
    await doors.ask(("DELETE", "/v1/alert-channels/mail?because=x", None), root)
    assert await doors.world.owner.fetchval(
        "select revoked_at is not null from api_key where name = 'alert channel mail'"
    )


async def test_an_email_channel_that_another_lane_carries_has_another_key_and_the_former_one_ends(
    doors: Doors,
) -> None:
    root = await doors.world.key(None, "admin", "read", "operate", "send")
    await doors.ask(("POST", "/v1/alert-channels", MAIL), root)
    stored = (
        "select k.prefix, t.slug, k.types, k.revoked_at is null as works from api_key k join tenant t on t.id = k.tenant"
        " where k.name = 'alert channel mail' order by k.id"
    )
    change = ("PATCH", "/v1/alert-channels/mail", {"to": "night@platform.example"})
    assert (await doors.ask(change, root)).json()["target"] == "night@platform.example"
    (first,) = await doors.world.owner.fetch(stored)
    assert first["works"], "another recipient goes with the same key"
    zen = {"tenant": "zen", "from": "alerts@news.zen.example"}
    admin = await doors.world.key(None, "admin")
    refused = await doors.ask(("PATCH", "/v1/alert-channels/mail", zen), admin)
    assert (refused.status_code, refused.json()["code"]) == (403, "scope-not-held")
    half = await doors.ask(("PATCH", "/v1/alert-channels/mail", {"from": zen["from"]}), root)
    assert (half.status_code, half.json()["errors"][0]["field"]) == (422, "from")
    moved = await doors.ask(("PATCH", "/v1/alert-channels/mail", zen), root)
    assert (moved.status_code, moved.json()["lane"]) == (200, "zen/invoice"), moved.text
    assert "mck_" not in moved.text
    keys = await doors.world.owner.fetch(stored)
    assert [(row["slug"], row["types"], row["works"]) for row in keys] == [
        ("acme", ["invoice"], False),
        ("zen", ["invoice"], True),
    ]
    audited = await doors.world.owner.fetch("select audit::text from audit where action = 'channel.change'")
    assert len(audited) == 2
    assert "night@platform.example" not in str(audited), "what is in the audit trail stays there"
    in_use = await doors.world.owner.fetchval("select key_prefix from alert_channel where name = 'mail'")
    assert in_use == keys[1]["prefix"]


async def test_a_change_to_what_cannot_work_is_refused_with_its_field(doors: Doors) -> None:
    root = await doors.world.key(None, "admin", "read", "operate", "send")
    await doors.ask(("POST", "/v1/alert-channels", MAIL), root)
    before = (await doors.stored())[:3]
    wrong: list[tuple[str, Any, str]] = [
        *(
            ("first", {"url": body["url"]}, "url")
            for body, field in WRONG
            if field == "url" and "url" in body
        ),
        ("first", {"url": None}, "url"),
        ("first", {"key": "whsec_short"}, "key"),
        ("first", {"to": "kim@example.com"}, "to"),
        ("first", {"kinds": ["no-such-kind"]}, "kinds"),
        ("first", {"tenants": ["nobody"]}, "tenants[0]"),
        ("mail", {"url": "https://hooks.example.com/"}, "url"),
        ("mail", {"type": "newsletter"}, "type"),
        ("mail", {"from": "alerts@news.zen.example"}, "from"),
        ("mail", {"to": "nobody"}, "to"),
    ]
    for name, body, field in wrong:
        answer = await doors.ask(("PATCH", f"/v1/alert-channels/{name}", body), root)
        assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, field), (body, answer.text)
    for name, body, status in (("mail", {"type": "nothing"}, 404), ("nobody", {"least": "low"}, 404)):
        assert (await doors.ask(("PATCH", f"/v1/alert-channels/{name}", body), root)).status_code == status
    for body in ({"name": "other"}, {"form": "slack"}, {"least": "worst"}):
        assert (await doors.ask(("PATCH", "/v1/alert-channels/first", body), root)).status_code == 422
    assert (await doors.stored())[:3] == before


#: A body, and the field that is wrong; None: its name is taken.
WRONG: list[tuple[Any, str | None]] = [
    ({**HOOK, "name": "Not A Slug"}, "name"),
    ({**HOOK, "name": "first"}, None),
    ({**HOOK, "url": "http://hooks.example.com:70000/"}, "url"),
    ({**HOOK, "url": "https://10.0.0.1/"}, "url"),
    ({**HOOK, "url": "https://[::ffff:169.254.169.254]/"}, "url"),
    ({**HOOK, "url": "file:///etc/passwd"}, "url"),
    ({**HOOK, "key": "whsec_short"}, "key"),
    ({**HOOK, "to": "kim@example.com"}, "to"),
    ({**HOOK, "kinds": ["no-such-kind"]}, "kinds"),
    ({**HOOK, "tenants": ["nobody"]}, "tenants[0]"),
    ({"name": "x", "form": "webhook"}, "url"),
    ({"name": "x", "form": "pagerduty", "key": "no key!"}, "key"),
    ({**MAIL, "type": "newsletter"}, "type"),
    ({**MAIL, "from": "alerts@news.zen.example"}, "from"),
    ({**MAIL, "to": "nobody"}, "to"),
    ({"name": "x", "form": "email", "to": "ops@platform.example"}, "tenant"),
]


async def test_a_channel_that_cannot_work_is_refused_with_its_field(doors: Doors) -> None:
    root = await doors.world.key(None, "admin", "read", "operate", "send")
    before = (await doors.stored())[:3]
    for body, field in WRONG:
        answer = await doors.ask(("POST", "/v1/alert-channels", body), root)
        if field is None:
            assert (answer.status_code, answer.json()["code"]) == (409, "channel-exists")
        else:
            assert answer.status_code == 422, (body, answer.text)
            assert answer.json()["errors"][0]["field"] == field
    assert (await doors.stored())[:3] == before


async def test_a_contact_by_email_needs_a_lane_of_ours(doors: Doors) -> None:
    root = await doors.world.key(None, "admin", "read", "operate", "send")
    by_mail = ("PUT", "/v1/tenants/zen/contacts", {"email": "ops@zen.example"})
    answer = await doors.ask(by_mail, root)
    assert (answer.status_code, answer.json()["code"]) == (409, "no-email-channel")
    await doors.ask(("POST", "/v1/alert-channels", MAIL), root)
    answer = await doors.ask(by_mail, root)
    assert (answer.status_code, answer.json()["contact"]["target"]) == (200, "ops@zen.example")
    answer = await doors.ask(("DELETE", "/v1/alert-channels/mail?because=x", None), root)
    assert (answer.status_code, answer.json()["code"]) == (409, "channel-in-use")
