"""/v1/messages through the whole ASGI application on a real database: what is accepted, what is refused, and how."""

import asyncio
import base64
import gzip
import json
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.generation import GenerationMode

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.message_reader import MessageCanceller, MessageReader
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.adapters.http import message_endpoint, server
from mailcordon.adapters.http.message_endpoint import MessageEndpoint
from mailcordon.control import keys
from mailcordon.control.key_cache import KeyCache
from mailcordon.core.priority import Class
from mailcordon.send import submission
from mailcordon.send.accept import Accept
from mailcordon_fixtures.queue_world import HASH_KEY, World

GOOD: dict[str, Any] = {
    "type": "password-reset",
    "from": "Acme <hello@password-reset.acme.example>",
    "to": "kim@example.com",
    "subject": "Your new password",
    "text": "Here it is.",
}
NEWS: dict[str, Any] = {
    **GOOD,
    "type": "newsletter",
    "from": "hello@newsletter.acme.example",
    "headers": {
        "List-Unsubscribe": "<https://acme.example/u/1>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    },
}
LEE = {"address": "lee@example.com", "headers": {"List-Unsubscribe": "<https://acme.example/u/2>"}}
TABLES = ("message", "content", "recipient", "ready", "ledger", "idempotency", "lane_intake")


@dataclass
class Api:
    """The application and its clients."""

    world: World
    client: httpx.AsyncClient
    keys: keys.Keys
    tokens: dict[str, str] = field(default_factory=dict)
    offset: float = 0.0  #: seconds by which the key cache's clock is ahead

    async def key(self, name: str, tenant: str | None = None, *scopes: str, **over: Any) -> str:
        key, text = await self.keys.create(
            tenant=tenant, name=name, scopes=scopes or ("send", "read"), actor="test", **over
        )
        self.tokens[name] = text
        return key.prefix

    async def ask(self, method: str, path: str, who: str | None = "acme", **over: Any) -> httpx.Response:
        headers = {} if who is None else {"authorization": f"Bearer {self.tokens[who]}"}
        return await self.client.request(method, path, headers={**headers, **over.pop("headers", {})}, **over)

    async def post(self, body: Any, who: str | None = "acme", **headers: str) -> httpx.Response:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.ask("POST", "/v1/messages", who, content=raw, headers=named)

    async def accepted(self, body: Any, who: str = "acme", **headers: str) -> Any:
        answer = await self.post(body, who, **headers)
        assert answer.status_code == 202, answer.text
        return answer.json()

    async def rows(self) -> dict[str, int]:
        return {table: await self.world.count(table) for table in TABLES}


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    """The world of the queue tests, instead of the one in conftest.py."""
    connection = await asyncpg.connect(database.dsn("owner"), server_settings={"search_path": "mailcordon"})
    yield World(database, connection)
    await connection.close()


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    for slug in ("acme", "zen"):
        await world.lane(slug, "password-reset")
        await world.lane(slug, "newsletter")
    await world.account()
    await world.dispatcher()
    pools = {login: await engine.create_pool(world.database.dsn(login)) for login in ("control", "reader")}
    store, canceller = (
        AcceptStore(world.database.dsn("send")),
        MessageCanceller(world.database.dsn("governor")),
    )
    key_store = KeyStore(pools["control"])
    made = Api(world, httpx.AsyncClient(), keys.Keys(key_store))
    cache = KeyCache(key_store, clock=lambda: time.time() + made.offset)
    accept = Accept(store, HASH_KEY, lambda: time.time_ns() // 1_000_000, cache.invalidate, local=True)
    endpoint = MessageEndpoint(
        accept=accept,
        keys=cache,
        reader=MessageReader(pools["control"], pools["reader"]),
        canceller=canceller,
        hash_key=HASH_KEY,
    )

    async def health() -> server.Health:
        return server.Health(ok=True, database="ok", oldest_snapshot_seconds=None)

    app: Any = server.build(endpoint, cache, [], health, "0")
    running = asyncio.create_task(accept.run())
    await made.key("acme", "acme")
    await made.key("zen", "zen")
    await made.key("platform", None, "send", "read")
    await made.key("reader", "acme", "read")
    await made.key("sender", "acme", "send")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://mailcordon") as client:
        made.client = client
        yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await store.close()
    await canceller.close()
    for pool in pools.values():
        await pool.close()


def problem(answer: httpx.Response) -> tuple[int, str, list[str]]:
    """Status, code and fields of a response, which must be a problem."""
    assert answer.headers["content-type"] == "application/problem+json"
    said = answer.json()
    assert set(said) <= {"type", "title", "status", "detail", "code", "retryable", "errors"}
    assert set(said) >= {"type", "title", "status", "detail", "code", "retryable"}
    assert said["type"] == f"urn:mailcordon:problem:{said['code']}"
    assert said["status"] == answer.status_code
    assert said["title"]
    assert said["detail"]
    assert all(set(one) == {"field", "problem", "code"} for one in said.get("errors", []))
    return answer.status_code, said["code"], [one["field"] for one in said.get("errors", [])]


# WHAT IS REFUSED ------------------------------------------------------------------------------------------------------------

BAD: dict[str, tuple[Any, int, str, list[str]]] = {
    "unknown type": ({"type": "fax"}, 422, "unknown-type", ["type"]),
    "a type that the tenant has no lane for": ({"type": "receipt"}, 422, "unknown-type", ["type"]),
    "another of the tenant's domains": ({"from": "a@newsletter.acme.example"}, 422, "foreign-domain", ["from"]),
    "another tenant's domain": ({"from": "a@password-reset.zen.example"}, 422, "foreign-domain", ["from"]),
    "the domain above": ({"from": "a@acme.example"}, 422, "foreign-domain", ["from"]),
    "no from": ({"from": ""}, 422, "bad-address", ["from"]),
    "two froms": (
        {"from": "a@password-reset.acme.example, b@password-reset.acme.example"}, 422, "bad-address", ["from"]),
    "two named froms": (
        {"from": "A <a@password-reset.acme.example>, B <b@zen.example>"}, 422, "bad-address", ["from"]),
    "a line break in from": ({"from": "a@password-reset.acme.example\r\nBcc: e@x.example"}, 422, "bad-address", ["from"]),
    "a line break in the name": (
        {"from": "Acme\r\nBcc: e@x.example <a@password-reset.acme.example>"}, 422, "bad-address", ["from"]),
    "an encoded line break": (
        {"from": "=?utf-8?q?A=0d=0aBcc=3a_e=40x?= <a@password-reset.acme.example>"}, 422, "bad-address", ["from"]),
    "a line break in the subject": ({"subject": "Hi\r\nBcc: e@x.example"}, 422, "header-injection", ["subject"]),
    "an encoded line break in the subject": (
        {"subject": "=?utf-8?q?Hi=0d=0aBcc=3a_e=40x?="}, 422, "header-injection", ["subject"]),
    "an encoded line break in a recipient": ({"to": "kim%0d%0a@example.com"}, 422, "bad-address", ["to[0]"]),
    "another address in the name": (
        {"from": '"ceo@bank.com" <a@password-reset.acme.example>'}, 422, "bad-address", ["from"]),
    "a name that is not shown as it is": (
        {"from": "Ac\u200bme <a@password-reset.acme.example>"}, 422, "bad-address", ["from"]),
    "a name too long once it is encoded": (
        {"from": "日" * 280 + " <a@password-reset.acme.example>"}, 422, "bad-address", ["from"]),
    "no subject": ({"subject": ""}, 422, "invalid", ["subject"]),
    "a line break in a header": ({"headers": {"X-A": "1\r\nBcc: e@x.example"}}, 422, "header-injection", ["headers.X-A"]),
    "a line break in a header's name": (
        {"headers": {"X-A\r\nBcc": "1"}}, 422, "header-injection", ["headers.X-A\r\nBcc"]),
    "a configuration set": (
        {"headers": {"X-SES-CONFIGURATION-SET": "mine"}}, 422, "reserved-header", ["headers.X-SES-CONFIGURATION-SET"]),
    "another tenant at SES": ({"headers": {"x-ses-tenant": "zen"}}, 422, "reserved-header", ["headers.x-ses-tenant"]),
    "a verdict on spam": ({"headers": {"X-Spam-Status": "No"}}, 422, "reserved-header", ["headers.X-Spam-Status"]),
    "a header that is not on the list": ({"headers": {"Received": "x"}}, 422, "reserved-header", ["headers.Received"]),
    "a long in-reply-to": ({"headers": {"In-Reply-To": "<1@x.example>" * 80}}, 422, "invalid", ["headers.In-Reply-To"]),
    "bcc": ({"headers": {"Bcc": "e@x.example"}}, 422, "reserved-header", ["headers.Bcc"]),
    "cc": ({"headers": {"cc": "e@x.example"}}, 422, "reserved-header", ["headers.cc"]),
    "a second from": ({"headers": {"From": "e@x.example"}}, 422, "reserved-header", ["headers.From"]),
    "return-path": ({"headers": {"Return-Path": "e@x.example"}}, 422, "reserved-header", ["headers.Return-Path"]),
    "resent-from": ({"headers": {"Resent-From": "e@x.example"}}, 422, "reserved-header", ["headers.Resent-From"]),
    "message-id": ({"headers": {"Message-ID": "<1@x.example>"}}, 422, "reserved-header", ["headers.Message-ID"]),
    "feedback-id": ({"headers": {"Feedback-ID": "a:b:c:d"}}, 422, "reserved-header", ["headers.Feedback-ID"]),
    "too much text": ({"text": "x" * (submission.MAX_BYTES + 1)}, 422, "too-large", ["text"]),
    "no text": ({"text": None}, 422, "invalid", ["text"]),
    "a bad address in the middle": (
        {"to": ["a@x.example", "b@x.example", "c@x.example", "nobody", "d@x.example"]}, 422, "bad-address", ["to[3]"]),
    "two named recipients in one text": ({"to": "Kim <k@x.example>, Lee <l@x.example>"}, 422, "bad-address", ["to[0]"]),
    "the same recipient twice": (
        {"to": ["kim@example.com", "KIM@example.com"]}, 422, "duplicate-recipient", ["to[1]"]),
    "nobody": ({"to": []}, 422, "invalid", ["to"]),
    "fifty-one": ({"to": [f"kim{n}@example.com" for n in range(51)]}, 422, "invalid", ["to"]),
    "a bad reply-to": ({"reply_to": ["help"]}, 422, "bad-address", ["reply_to[0]"]),
    "a bad campaign": ({"campaign": "a\nb"}, 422, "invalid", ["campaign"]),
    "a bad list": ({"list": ""}, 422, "invalid", ["list"]),
    "an unknown member": ({"blind": "e@x.example"}, 422, "invalid", ["blind"]),
    "copies of a mailing": ({"cc": "e@x.example", "individually": True}, 422, "mailing-with-copies", ["cc"]),
    "a file that SES refuses": (
        {"attachments": [{"filename": "a.exe", "content": "aGk="}]}, 422, "refused-file-type", ["attachments[0].filename"]),
    "a file that is no base64": (
        {"attachments": [{"filename": "a.txt", "content": "hi!"}]}, 422, "invalid", ["attachments[0].content"]),
    "a whole message and a subject": ({"raw": "aGk="}, 422, "invalid", ["subject", "text"]),
    "a number for a text": ({"subject": 7}, 422, "invalid", ["subject"]),
    "a number among recipients": ({"to": ["a@x.example", 7]}, 422, "invalid", ["to[1]"]),
    "null for a text": ({"from": None}, 422, "invalid", ["from"]),
    "a header that is a list": ({"headers": {"X-A": ["1"]}}, 422, "invalid", ["headers[...]"]),
    "several at once": (
        {"from": "x", "to": ["y"], "subject": ""}, 422, "bad-address", ["from", "to[0]", "subject"]),
    "a list": (b"[]", 422, "invalid", ["body"]),
    "a text": (b'"hello"', 422, "invalid", ["body"]),
    "nothing": (b"", 400, "malformed-json", []),
    "half": (b'{"type": "password-reset", ', 400, "malformed-json", []),
    "a form": (b"type=password-reset&to=kim", 400, "malformed-json", []),
    "latin-1": (json.dumps(GOOD, ensure_ascii=False).replace("Acme", "Acmé").encode("latin-1"), 400, "json-not-utf8", []),
    "a member twice": (json.dumps(GOOD).encode()[:-1] + b', "to": "eve@example.com"}', 400, "json-duplicate-member", []),
    "half a surrogate pair": (json.dumps({**GOOD, "subject": "x\ud800y"}).encode(), 400, "json-lone-surrogate", []),
    "deeper than anybody means": (b"[" * 100_000, 400, "json-too-deep", []),
    "more than any mail": (b" " * (message_endpoint.MAX_BODY + 1), 413, "too-large", []),
    "much beside the texts": (b'{"headers": {"X-A": "' + b"x" * (1 << 20) + b'"}}', 413, "too-large", []),
}  # fmt: skip


async def test_a_faulty_message_is_refused_with_its_field_and_nothing_of_it_is_stored(api: Api) -> None:
    before = await api.rows()
    said = {}
    for name, (over, *_) in BAD.items():
        said[name] = problem(await api.post(over if isinstance(over, bytes) else {**GOOD, **over}))
    assert said == {name: (status, code, fields) for name, (_, status, code, fields) in BAD.items()}
    assert await api.rows() == before
    assert len((await api.accepted(GOOD))["deliveries"]) == 1  # the table varies a message that is good


async def test_recipients_with_headers_of_their_own_are_one_message_and_one_body_for_its_key(
    api: Api,
) -> None:
    ann = {"address": "ann@example.com", "headers": {"List-Unsubscribe": "<HTTPS://acme.example/u/3>"}}
    news = {**NEWS, "to": ["kim@gmail.com", LEE, ann]}
    made = await api.accepted(news, idempotency_key="k")
    assert [one["to"] for one in made["deliveries"]] == [
        "kim@gmail.com",
        "lee@example.com",
        "ann@example.com",
    ]
    stored = await api.world.connection.fetchval("select body from content")
    assert stored.split(b"\n")[2:4] == [
        b'{"Name":"List-Unsubscribe","Value":"<https://acme.example/u/2>"}',
        b'{"Name":"List-Unsubscribe","Value":"<HTTPS://acme.example/u/3>"}',
    ]
    assert (await api.accepted(news, idempotency_key="k"))["id"] == made["id"]
    other = {
        **news,
        "to": ["kim@gmail.com", LEE, {**ann, "headers": {"List-Unsubscribe": "<https://acme.example/u/4>"}}],
    }
    assert problem(await api.post(other, idempotency_key="k")) == (409, "idempotency", [])


async def test_a_marketing_mail_to_several_needs_a_link_of_each(api: Api) -> None:
    shared = await api.post({**NEWS, "to": ["kim@gmail.com", "lee@example.com"]})
    assert problem(shared) == (422, "unsubscribe-shared", ["headers.List-Unsubscribe"])
    post = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    missing = await api.post({**NEWS, "headers": post, "to": [LEE, "kim@gmail.com"]})
    assert problem(missing) == (422, "one-click-missing", ["headers.List-Unsubscribe"])
    bad = await api.post({**NEWS, "to": ["kim@gmail.com", {**LEE, "headers": {"Bcc": "e@x.example"}}]})
    assert problem(bad) == (422, "reserved-header", ["to[1].headers.Bcc"])
    for to, at in (
        ([{"headers": {}}], "to[0].address"),
        ([{"address": "kim@example.com", "headers": {}, "phone": "1"}], "to[0].phone"),
        ([{"address": 7, "headers": {}}], "to[0].address"),
    ):
        assert problem(await api.post({**NEWS, "to": to})) == (422, "invalid", [at])


async def test_a_missing_field_is_named(api: Api) -> None:
    for member in ("type", "from", "to", "subject"):
        answer = await api.post({name: value for name, value in GOOD.items() if name != member})
        assert problem(answer) == (422, "invalid", [member])
        assert "is required" in answer.text


async def test_an_unknown_tenant_is_refused(api: Api) -> None:
    for slug in ("nobody", "", "ACME", "acme ", "a\x00b", "x" * 10_000, "acme'; drop table tenant--"):
        answer = await api.post({**GOOD, "tenant": slug}, "platform")
        assert problem(answer) == (422, "unknown-tenant", ["tenant"])
    assert await api.world.count("message") == 0


async def test_a_platform_key_must_name_the_tenant(api: Api) -> None:
    assert problem(await api.post(GOOD, "platform")) == (422, "missing", ["tenant"])


async def test_marketing_without_one_click_is_refused(api: Api) -> None:
    for missing in NEWS["headers"]:
        headers = {name: value for name, value in NEWS["headers"].items() if name != missing}
        answer = await api.post({**NEWS, "headers": headers})
        assert problem(answer) == (422, "one-click-missing", ["headers.List-Unsubscribe"])


# WHO ASKS -------------------------------------------------------------------------------------------------------------------


NO_KEYS = ("", "Bearer", "Bearer x", "Basic YTpi", f"Bearer mck_abcdefgh_{'x' * 43}", "Bearer mck_\xe9", None)


async def test_a_request_without_a_valid_key_is_refused(api: Api) -> None:
    for header in NO_KEYS:
        headers = {} if header is None else {"authorization": header.encode("latin-1")}
        for method, path in (("POST", "/v1/messages"), ("GET", "/v1/messages/msg_0000000000000")):
            answer = await api.ask(method, path, None, headers=headers, content=json.dumps(GOOD))
            assert problem(answer) == (401, "unauthorised", [])
            assert answer.headers["www-authenticate"].startswith("Bearer")
    assert await api.world.count("message") == 0


async def test_a_revoked_key_is_refused_at_once_even_if_it_is_cached(api: Api) -> None:
    prefix = await api.key("leaver", "acme")
    await api.accepted(GOOD, "leaver")
    await api.keys.revoke(prefix, actor="test")
    assert problem(await api.post(GOOD, "leaver")) == (401, "unauthorised", [])
    assert await api.world.count("message") == 1


async def test_an_expired_key_is_refused_at_once_even_if_it_is_cached(api: Api) -> None:
    await api.key("guest", "acme", expires_at=datetime.now(UTC) + timedelta(hours=1))
    await api.accepted(GOOD, "guest")
    api.offset = 3_601
    assert problem(await api.post(GOOD, "guest")) == (401, "unauthorised", [])


async def test_a_key_that_only_reads_sends_nothing_and_the_other_way_round(api: Api) -> None:
    assert problem(await api.post(GOOD, "reader")) == (403, "scope-missing", [])
    sent = await api.accepted(GOOD, "sender")
    path = f"/v1/messages/{sent['id']}"
    assert problem(await api.ask("GET", path, "sender")) == (403, "scope-missing", [])
    assert problem(await api.ask("DELETE", path, "reader")) == (403, "scope-missing", [])
    assert problem(await api.ask("GET", "/v1/addresses/kim@example.com", "sender"))[0] == 403


async def test_a_key_for_some_types_sends_and_cancels_no_other_and_reads_them_all(api: Api) -> None:
    await api.key("news", "acme", types=("newsletter",))
    await api.key("all news", None, "send", "read", types=("newsletter",))
    for who, over in (("news", {}), ("all news", {"tenant": "acme"})):
        answer = await api.post({**GOOD, **over}, who)
        assert problem(answer) == (403, "type-not-allowed", [])
        assert "password-reset" in answer.json()["detail"]
        await api.accepted({**NEWS, **over}, who)
    reset, news = await api.accepted(GOOD), await api.accepted(NEWS)
    assert problem(await api.ask("DELETE", f"/v1/messages/{reset['id']}", "news"))[1] == "type-not-allowed"
    assert (await api.ask("DELETE", f"/v1/messages/{news['id']}", "news")).json()["left"] == 0
    assert (await api.ask("GET", f"/v1/messages/{reset['id']}", "news")).status_code == 200


async def test_a_preview_of_a_cancel_names_what_would_go_and_changes_nothing(api: Api) -> None:
    sent = await api.accepted({**NEWS, "to": ["kim@example.com", LEE]})
    path = f"/v1/messages/{sent['id']}"
    said = (await api.ask("DELETE", path, params={"dry_run": "true"})).json()
    assert said["cancelled"] == [one["id"] for one in sent["deliveries"]]
    assert (said["dry_run"], said["left"]) == (True, 0)
    assert "would never leave" in said["detail"]
    assert await api.world.count("ready") == 2
    done = (await api.ask("DELETE", path, params={"because": "wrong list"})).json()
    assert (done["cancelled"], done["dry_run"]) == (said["cancelled"], False)
    shown = (await api.ask("GET", path)).json()["deliveries"][0]
    assert shown["state"] == "cancelled"
    assert shown["detail"].endswith(": wrong list")
    assert (await api.ask("DELETE", path, params={"dry_run": "true"})).json()["cancelled"] == []
    assert (await api.ask("DELETE", path, params={"because": "twice"})).json()["cancelled"] == []
    # One row: neither the preview nor a cancel that found nothing is audited.
    [row] = await api.world.connection.fetch(
        "select actor, object, after -> 'deliveries' as deliveries, because from audit where action = 'message.cancel'"
    )
    assert (row["object"], row["because"]) == (f"message {sent['id']}", "wrong list")
    assert json.loads(row["deliveries"]) == done["cancelled"]
    assert row["actor"] in shown["detail"]


async def test_what_operates_for_all_tenants_cancels_too_and_what_only_reads_does_not(api: Api) -> None:
    await api.key("operator", None, "read", "operate")
    await api.key("viewer", None, "read")
    path = f"/v1/messages/{(await api.accepted(GOOD))['id']}"
    assert problem(await api.ask("DELETE", path, "viewer")) == (403, "scope-missing", [])
    assert (await api.ask("DELETE", path, "operator", params={"because": "wrong"})).json()["left"] == 0


async def test_what_ses_reported_is_listed_as_it_is_stored_for_the_platform_only(api: Api) -> None:
    await api.key("viewer", None, "read")
    sent = await api.accepted(GOOD)
    row = await api.world.connection.fetchrow("select id, tenant, lane from ready")
    assert row is not None
    for n, detail in enumerate(({"text": "250 ok <script>"}, {"text": "x" * 20_000})):
        await api.world.connection.execute(
            "insert into event (delivery, key, tenant, lane, kind, attempt, at, ses_id, detail)"
            " values ($1, $2, $3, $4, 3, 1, $5, 's', $6)",
            row["id"], bytes([n]), row["tenant"], row["lane"], 1_800_000_000_000 + n, json.dumps(detail),
        )  # fmt: skip
    path = f"/v1/messages/{sent['id']}/events"
    for who in ("acme", "zen", "reader"):
        assert problem(await api.ask("GET", path, who))[:2] == (403, "platform-only")
    assert problem(await api.ask("GET", path, "sender"))[0] == 403
    found = (await api.ask("GET", path, "viewer")).json()
    first, second = found["items"]
    assert (first["delivery"], first["what"]) == (sent["deliveries"][0]["id"], "delivery")
    assert first["detail"] == {"text": "250 ok <script>"}
    assert second["detail"] is None
    assert second["size"] > 20_000
    assert found["more"] is False
    shorter = (await api.ask("GET", path, "viewer", params={"limit": 1})).json()
    assert (len(shorter["items"]), shorter["more"]) == (1, True)


async def test_a_tenants_key_cannot_name_another_tenant(api: Api) -> None:
    for slug in ("zen", "nobody", ""):
        assert problem(await api.post({**GOOD, "tenant": slug})) == (403, "foreign-tenant", [])
    assert await api.world.count("message") == 0
    assert (await api.accepted({**GOOD, "tenant": "acme"}))["tenant"] == "acme"


async def test_a_message_of_another_tenant_is_not_found(api: Api) -> None:
    sent = await api.accepted(GOOD)
    for id in (sent["id"], sent["deliveries"][0]["id"], "msg_0000000000000", "nonsense", "msg_zzzzzzzzzzzzz"):
        for method in ("GET", "DELETE"):
            assert problem(await api.ask(method, f"/v1/messages/{id}", "zen")) == (404, "not-found", [])
    assert await api.world.count("ready") == 1


async def test_a_platform_key_serves_every_tenant_by_name(api: Api) -> None:
    for slug in ("acme", "zen"):
        body = {**GOOD, "tenant": slug, "from": f"a@password-reset.{slug}.example"}
        sent = await api.accepted(body, "platform")
        assert (await api.ask("GET", f"/v1/messages/{sent['id']}", "platform")).json()["tenant"] == slug


# WHAT IS LET IN -------------------------------------------------------------------------------------------------------------


async def test_an_accepted_message_is_found_by_its_id_or_by_one_of_its_deliveries(api: Api) -> None:
    sent = await api.accepted({**NEWS, "to": ["kim@gmail.com", LEE], "campaign": "spring", "list": "all"})
    assert [d["state"] for d in sent["deliveries"]] == ["queued", "queued"]
    for id in (sent["id"], sent["deliveries"][1]["id"]):
        seen = (await api.ask("GET", f"/v1/messages/{id}")).json()
        assert seen["id"] == sent["id"]
        assert (seen["tenant"], seen["type"], seen["campaign"], seen["list"]) == (
            "acme",
            "newsletter",
            "spring",
            "all",
        )
        assert [d["id"] for d in seen["deliveries"]] == [d["id"] for d in sent["deliveries"]]
        assert [d["provider"] for d in seen["deliveries"]] == ["gmail", "unknown"]
        assert [m["what"] for m in seen["deliveries"][0]["timeline"]] == ["accepted"]
        assert seen["accepted_at"].endswith("Z")


async def test_a_delivery_has_the_provider_that_its_domain_was_learnt_to_have(api: Api) -> None:
    sent = await api.accepted({**NEWS, "to": ["kim@gmail.com", LEE]})
    await api.world.connection.execute("insert into domain_provider_change values ('example.com', 1, 2)")
    seen = (await api.ask("GET", f"/v1/messages/{sent['id']}")).json()
    assert [d["provider"] for d in seen["deliveries"]] == ["gmail", "microsoft"]


async def test_fifty_recipients_get_a_delivery_each(api: Api) -> None:
    sent = await api.accepted({**GOOD, "to": [f"kim{n}@example.com" for n in range(50)]})
    assert len({d["id"] for d in sent["deliveries"]}) == 50


async def test_a_suppressed_recipient_is_refused_and_the_others_are_mailed(api: Api) -> None:
    await api.world.suppress("acme", "kim@example.com")
    sent = await api.accepted({**GOOD, "to": ["Kim@example.com", "lee@example.com"]})
    refused, queued = sent["deliveries"]
    assert (refused["state"], refused["reason"]) == ("refused", "suppressed")
    assert "hard bounce" in refused["detail"]
    assert queued["state"] == "queued"


async def test_one_tenants_suppression_is_not_anothers(api: Api) -> None:
    await api.world.suppress("acme", "kim@example.com")
    sent = await api.accepted({**GOOD, "from": "a@password-reset.zen.example"}, "zen")
    assert sent["deliveries"][0]["state"] == "queued"


async def test_mail_for_a_held_lane_is_accepted_and_shows_the_hold(api: Api) -> None:
    await api.world.connection.execute(
        "insert into hold (tenant, owner, because, by, since) "
        "select id, 'person', 'bad list', 'kim', now_ms() from tenant where slug = 'acme'"
    )
    await api.world.connection.execute(
        "update lane set held = true where tenant = (select id from tenant where slug = 'acme')"
    )
    sent = await api.accepted(GOOD)
    assert sent["deliveries"][0]["state"] == "held"
    detail = sent["deliveries"][0]["detail"]
    assert detail.startswith("Held by kim since ")
    assert "bad list" in detail
    seen = (await api.ask("GET", f"/v1/messages/{sent['id']}")).json()
    assert (seen["deliveries"][0]["state"], seen["deliveries"][0]["detail"]) == ("held", detail)
    zen = await api.accepted({**GOOD, "from": "a@password-reset.zen.example"}, "zen")
    assert zen["deliveries"][0]["state"] == "queued"


async def test_a_new_tenant_or_lane_works_at_once_although_it_was_unknown_before(
    api: Api,
) -> None:
    later = {**GOOD, "tenant": "late", "from": "a@password-reset.late.example"}
    assert problem(await api.post(later, "platform"))[1] == "unknown-tenant"
    await api.world.lane("late", "password-reset")
    await api.accepted(later, "platform")
    receipt = {**later, "type": "receipt", "from": "a@receipt.late.example"}
    assert problem(await api.post(receipt, "platform"))[1] == "unknown-type"
    await api.world.lane("late", "receipt")
    await api.accepted(receipt, "platform")


async def test_a_full_lane_asks_to_retry_later_and_others_accept(api: Api) -> None:
    await api.world.connection.execute(
        "update lane set backlog_deliveries = 1 where id = (select min(id) from lane)"
    )
    await api.world.connection.execute("update epoch set value = value + 1 where name = 'control'")
    await api.world.connection.execute(
        "insert into lane_intake (lane, node, deliveries) select min(id), 0, 1 from lane"
    )
    answer = await api.post(GOOD)
    assert problem(answer) == (429, "backlog", [])
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["retryable"]
    await api.accepted(NEWS)


# ONCE -----------------------------------------------------------------------------------------------------------------------


async def test_the_same_key_and_body_are_the_same_message(api: Api) -> None:
    first = await api.accepted(GOOD, idempotency_key="order-7")
    again = await api.post(GOOD, idempotency_key="order-7")
    assert again.status_code == 202
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json() == first
    assert await api.world.count("message") == 1


async def test_raw_mail_of_a_lane_with_two_paths_says_that_it_keeps_the_path_of_its_from(api: Api) -> None:
    lane = await api.world.lane("acme", "receipt")
    await api.world.share(lane, 100)
    mime = b"From: hello@mail.platform.example\r\nTo: kim@example.com\r\nSubject: x\r\n\r\nx\r\n"
    body = {"type": "receipt", "raw": base64.b64encode(mime).decode()}
    for _ in range(2):  # the second is a replay
        said = (await api.accepted(body, idempotency_key="raw-7"))["path"]
        assert said.startswith(
            "It takes the path that tenants share and keeps it, whatever the shares: raw MIME"
        )
    assert "path" not in await api.accepted(GOOD)


async def test_a_replay_shows_the_current_state_of_the_message(api: Api) -> None:
    first = await api.accepted(GOOD, idempotency_key="order-7")
    await api.ask("DELETE", f"/v1/messages/{first['id']}")
    assert (await api.accepted(GOOD, idempotency_key="order-7"))["deliveries"][0]["state"] == "cancelled"


@pytest.mark.parametrize(
    ("since", "code"),
    [
        ("update lane set retiring_at = now(), retire_mail = 'drain', retired_with = 'lane'", "lane-retired"),
        ("update tenant set retiring_at = now()", "tenant-retired"),
        ("update route set domain = 'elsewhere.example'", "foreign-domain"),
    ],
)
async def test_a_retry_of_what_was_accepted_gets_its_first_answer_whatever_the_lane_has_become(
    api: Api, since: str, code: str
) -> None:
    first = await api.accepted(GOOD, idempotency_key="order-7")
    await api.world.connection.execute(since)
    await api.world.connection.execute("update epoch set value = value + 1 where name = 'control'")
    again = await api.post(GOOD, idempotency_key="order-7")
    assert (again.status_code, again.json()) == (202, first)
    assert problem(await api.post(GOOD, idempotency_key="order-8"))[1] == code
    assert await api.world.count("message") == 1


async def test_the_same_key_with_another_body_is_a_conflict(api: Api) -> None:
    await api.accepted(GOOD, idempotency_key="order-7")
    for over in (
        {"subject": "Another"},
        {"to": "lee@example.com"},
        {"campaign": "spring"},
        {"text": "Here."},
    ):
        assert problem(await api.post({**GOOD, **over}, idempotency_key="order-7")) == (
            409,
            "idempotency",
            [],
        )
    assert await api.world.count("message") == 1


async def test_the_same_body_in_other_json_is_the_same_body(api: Api) -> None:
    first = await api.accepted(GOOD, idempotency_key="order-7")
    otherwise = json.dumps({**dict(reversed(GOOD.items())), "to": ["kim@example.com"]}, indent=2).encode()
    assert await api.accepted(otherwise, idempotency_key="order-7") == first


async def test_idempotency_keys_of_two_tenants_are_separate(api: Api) -> None:
    first = await api.accepted(GOOD, idempotency_key="order-7")
    other = await api.accepted(
        {**GOOD, "from": "a@password-reset.zen.example"}, "zen", idempotency_key="order-7"
    )
    assert first["id"] != other["id"]


async def test_two_requests_at_once_with_one_idempotency_key_make_one_message(api: Api) -> None:
    answers = await asyncio.gather(*(api.post(GOOD, idempotency_key="order-7") for _ in range(8)))
    assert {a.status_code for a in answers} == {202}
    assert len({a.json()["id"] for a in answers}) == 1
    assert await api.world.count("ready") == 1


async def test_without_a_key_each_request_is_a_message(api: Api) -> None:
    first, second = await api.accepted(GOOD), await api.accepted(GOOD)
    assert first["id"] != second["id"]


async def test_a_refused_message_does_not_use_up_its_key(api: Api) -> None:
    assert problem(await api.post({**GOOD, "type": "fax"}, idempotency_key="order-7"))[0] == 422
    await api.accepted(GOOD, idempotency_key="order-7")


async def test_a_malformed_idempotency_key_is_refused(api: Api) -> None:
    for key in ("", "x" * 256, "a\tb"):
        answer = await api.post(GOOD, idempotency_key=key)
        assert problem(answer) == (422, "invalid", ["Idempotency-Key"])


# CANCEL AND LOOK ------------------------------------------------------------------------------------------------------------


async def test_cancelling_drops_what_has_not_left_and_counts_the_rest(api: Api) -> None:
    sent = await api.accepted({**GOOD, "to": ["kim@example.com", "lee@example.com"]})
    queue = QueueStore(api.world.database.dsn("send"))
    await queue.begin_work()
    (claim,) = (await queue.claim([Class.URGENT], 1)).claimed
    answer = (await api.ask("DELETE", f"/v1/messages/{sent['id']}")).json()
    detail = f"1 delivery of {sent['id']} will never leave. 1 delivery of it has left, or ended already: nothing recalls that."
    gone = [sent["deliveries"][1]["id"]]
    assert answer == {"id": sent["id"], "cancelled": gone, "left": 1, "dry_run": False, "detail": detail}
    assert claim.to == "kim@example.com"
    seen = (await api.ask("GET", f"/v1/messages/{sent['id']}")).json()
    assert [d["state"] for d in seen["deliveries"]] == ["sending", "cancelled"]
    assert "acme" in seen["deliveries"][1]["detail"]
    again = (await api.ask("DELETE", f"/v1/messages/{sent['id']}")).json()
    assert (again["cancelled"], again["left"]) == ([], 2)
    await queue.close()


async def test_an_address_shows_its_mail_and_its_suppressions(api: Api) -> None:
    first = await api.accepted(GOOD)
    await api.world.suppress("acme", "kim@example.com")
    second = await api.accepted(GOOD)
    seen = (await api.ask("GET", "/v1/addresses/KIM@example.com")).json()
    assert [(d["message"], d["state"]) for d in seen["deliveries"]] == [
        (second["id"], "refused"),
        (first["id"], "queued"),
    ]
    [suppression] = seen["suppressions"]
    assert (suppression["scope"], suppression["cause"]) == ("tenant", "hard-bounce")
    assert suppression["detail"].startswith("acme may not mail ")
    zen = (await api.ask("GET", "/v1/addresses/kim@example.com", "zen")).json()
    assert (zen["deliveries"], zen["suppressions"]) == ([], [])


async def test_an_address_is_looked_up_for_one_tenant_only(api: Api) -> None:
    kim = "/v1/addresses/kim@example.com"
    for path, who, said in (
        (f"{kim}?tenant=zen", "acme", (403, "foreign-tenant", [])),
        (kim, "platform", (422, "missing", ["tenant"])),
        (f"{kim}?tenant=nobody", "platform", (404, "not-found", [])),
        (f"{kim}?tenant=a%00b", "platform", (422, "unknown-tenant", ["tenant"])),
        ("/v1/addresses/kim", "acme", (422, "bad-address", ["address"])),
    ):
        assert problem(await api.ask("GET", path, who)) == said
    assert (await api.ask("GET", f"{kim}?tenant=zen", "platform")).status_code == 200


# THE APPLICATION ------------------------------------------------------------------------------------------------------------


async def test_an_unknown_url_is_a_problem_as_any_other_error(api: Api) -> None:
    for path in ("/", "/v2/messages", "/v1/messages/msg_0000000000000/raw"):
        assert problem(await api.ask("GET", path))[0] == 404
    for method, path, allowed in (
        ("PUT", "/v1/messages", "POST"),
        ("DELETE", "/v1/messages", "GET, POST"),
        ("POST", "/v1/messages/msg_0000000000000", "GET"),
        ("POST", "/v1/health", "GET"),
    ):
        answer = await api.ask(method, path)
        assert problem(answer)[0] == 405
        assert allowed in answer.headers["allow"]


async def test_health_needs_no_key(api: Api) -> None:
    assert (await api.ask("GET", "/v1/health", None)).json()["ok"] is True


async def test_openapi_marks_every_time(api: Api) -> None:
    schemas = (await api.ask("GET", "/openapi.json", None)).json()["components"]["schemas"]
    times = {
        f"{name}.{field}": json.dumps(schema)
        for name, one in schemas.items()
        for field, schema in one["properties"].items()
        if field in ("at", "since", "until", "minute") or field.endswith("_at")
    }
    assert {
        "MessageView.accepted_at",
        "MomentView.at",
        "DeliveryView.since",
        "AddressSuppression.until",
    } <= set(times)
    assert [name for name, schema in times.items() if '"format": "date-time"' not in schema] == []


async def test_the_api_describes_itself_in_openapi_3_1(api: Api) -> None:
    jsonschema_rs = pytest.importorskip("jsonschema_rs")
    from schemathesis.specs.openapi import definitions

    described = (await api.ask("GET", "/openapi.json", None)).json()
    assert described["openapi"].startswith("3.1")
    assert jsonschema_rs.validator_for(definitions.OPENAPI_31).is_valid(described)
    post = described["paths"]["/v1/messages"]["post"]
    assert set(post["responses"]) >= {"202", "400", "401", "403", "409", "413", "422", "429", "503"}
    assert set(described["paths"]) >= {
        "/v1/messages",
        "/v1/messages/{id}",
        "/v1/addresses/{text}",
        "/v1/health",
    }


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_every_body_gets_a_response_that_openapi_describes(api: Api, data: st.DataObject) -> None:
    """Bodies that the OpenAPI document allows and does not allow, and a valid message with some fields replaced by theirs."""
    described = (await api.ask("GET", "/openapi.json", None)).json()
    schema = schemathesis.openapi.from_dict(described)
    mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    body = data.draw(schema["/v1/messages"]["POST"].as_strategy(generation_mode=mode)).body
    if isinstance(body, dict) and data.draw(st.booleans()):
        exchanged = data.draw(st.sets(st.sampled_from(sorted(body)), max_size=2)) if body else set()
        body = {**GOOD, "tenant": "acme", **{name: body[name] for name in exchanged}}
    answer = await api.post(body, "platform")
    assert str(answer.status_code) in described["paths"]["/v1/messages"]["post"]["responses"]
    if answer.status_code != 202:
        problem(answer)
    for path in ("/v1/messages/{id}", "/v1/addresses/{text}"):
        case = data.draw(schema[path]["GET"].as_strategy(generation_mode=mode))
        asked = case.as_transport_kwargs(base_url="http://mailcordon")
        answer = await api.ask("GET", asked["url"], "platform", params=asked.get("params") or {})
        assert answer.status_code in (200, 400, 404, 422), asked
        if answer.status_code != 200:
            problem(answer)


HOSTILE = Path(os.environ.get("MAILCORDON_SHARED") or "/nonexistent") / "data/robustness"


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="MAILCORDON_SHARED names no data")
async def test_collected_hostile_inputs_never_cause_a_500(api: Api) -> None:
    texts = [json.loads(line)["s"] for line in (HOSTILE / "naughty_strings.jsonl").read_text().splitlines()]
    for text in texts:
        for over in ({"subject": text}, {"text": text, "html": text}, {"from": f"{text} <a@password-reset.acme.example>"},
                     {"to": text}, {"headers": {"X-A": text}}, {"campaign": text}, {"type": text}):  # fmt: skip
            answer = await api.post({**GOOD, **over})
            assert answer.status_code in (202, 422), over
            if answer.status_code == 202 and "subject" in over:
                sent = await api.world.connection.fetchval(
                    "select body from urgent_content order by id desc limit 1"
                )
                assert json.loads(b"{" + sent + b"}")["Content"]["Simple"]["Subject"]["Data"] == text
    for line in gzip.decompress((HOSTILE / "jsontestsuite.jsonl.gz").read_bytes()).splitlines():
        row = json.loads(line)
        answer = await api.post(base64.b64decode(row["body_b64"]))
        wanted = {"reject": (400, 422), "accept": (422,), "either": (400, 422)}[row["expect"]]
        assert problem(answer)[0] in wanted, row


async def test_a_tenants_own_key_reads_what_keeps_its_mail_and_what_kept_it(api: Api) -> None:
    connection = api.world.connection
    id = (await api.accepted(GOOD))["id"]
    await connection.execute(
        "insert into hold (tenant, owner, because, by, since, lifted_at, lifted_by, lifted_because) "
        "select id, 'person', 'bad list', 'Ana', now_ms() - 60000, now_ms() + 5, 'Ben', 'fixed' from tenant"
    )
    [delivery] = (await api.ask("GET", f"/v1/messages/{id}", "acme")).json()["deliveries"]
    assert (delivery["state"], delivery["reason"]) == ("queued", None)
    assert [entry["what"] for entry in delivery["timeline"]] == ["accepted", "held", "released"]
    assert "[hold 1]" in delivery["timeline"][1]["detail"]

    await api.world.dispatcher(age_ms=11_000)
    [delivery] = (await api.ask("GET", f"/v1/messages/{id}", "acme")).json()["deliveries"]
    assert (delivery["state"], delivery["reason"]) == ("queued", "no-dispatcher")
    assert delivery["detail"].startswith("No dispatcher has reported since ")
    await api.world.dispatcher()
    await connection.execute("update account_rate set max_24h = 200, sent_24h = 150, taken = 50")
    [delivery] = (await api.ask("GET", f"/v1/messages/{id}", "acme")).json()["deliveries"]
    assert (delivery["reason"], delivery["detail"]) == (
        "daily-quota",
        "The account's 24-hour quota is used up, for every lane",
    )
