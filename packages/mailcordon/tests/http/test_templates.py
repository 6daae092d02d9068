"""Templates over HTTP, rendered by the real process: versions, owners, what is refused, and previews."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.template_store import TemplateLookup, TemplateStore
from mailcordon.adapters.http import server, templates
from mailcordon.adapters.rendering.process import RenderingProcess
from mailcordon.control.key_cache import KeyCache
from mailcordon.control.templates import Owner, Templates
from mailcordon.core import template
from mailcordon.core.errors import Invalid
from mailcordon.core.template import Reference, Source, Version

RECEIPT = {"subject": "Receipt for {{ name }}", "html": "<p>Dear {{ name }}"}


class Asked:
    def __init__(self, client: httpx.AsyncClient, key: str) -> None:
        self.client = client
        self.key = key

    async def __call__(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Any:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        return await self.client.request(method, f"/v1/templates{path}", json=body, headers=headers)


@pytest.fixture
async def pools(world: Any) -> AsyncIterator[dict[str, Any]]:
    found = {role: await engine.create_pool(world.database.dsn(role)) for role in ("control", "reader")}
    yield found
    for pool in found.values():
        await pool.close()


@pytest.fixture
async def ask(world: Any, pools: dict[str, Any]) -> AsyncIterator[Asked]:
    async with RenderingProcess().running() as renderer:
        services = templates.TemplateServices(
            reads=ControlReader(pools["control"], pools["reader"]),
            templates=Templates(TemplateStore(pools["control"], pools["reader"]), renderer),
        )
        app = server.application(KeyCache(KeyStore(pools["control"])), templates.routes(services))
        transport = httpx.ASGITransport(app)  # pyright: ignore[reportArgumentType]
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield Asked(client, await world.key(None, "send", "read", "admin"))


async def test_a_template_gets_a_version_for_each_change_and_keeps_the_others(world: Any, ask: Asked) -> None:
    first = (await ask("PUT", "/receipt?tenant=acme", {**RECEIPT, "because": "launch"})).json()
    assert (first["made"], first["template"]["version"], first["template"]["because"]) == (True, 1, "launch")
    again = (await ask("PUT", "/receipt?tenant=acme", RECEIPT)).json()
    assert (again["made"], again["template"]["version"]) == (False, 1)
    changed = {**RECEIPT, "parts": {"footer.html": "<hr>"}}
    assert (await ask("PUT", "/receipt?tenant=acme", changed)).json()["template"]["version"] == 2
    shown = (await ask("GET", "/receipt?tenant=acme&version=1")).json()
    assert (shown["html"], shown["parts"], shown["latest"]) == (RECEIPT["html"], {}, 2)
    assert (await ask("GET", "/receipt?tenant=acme")).json()["parts"] == {"footer.html": "<hr>"}
    versions = (await ask("GET", "/receipt/versions?tenant=acme&limit=1")).json()
    assert ([one["version"] for one in versions["items"]], versions["next"]) == ([2], "2")
    rows = await world.owner.fetch("select action, object, after from audit where action like 'template%'")
    assert [(row["action"], row["object"]) for row in rows] == [
        ("template.put", "template receipt@1 of acme"),
        ("template.put", "template receipt@2 of acme"),
    ]
    assert "Dear" not in str([dict(row) for row in rows])


async def test_a_tenant_uses_its_own_template_before_the_platforms_and_sees_no_other_tenants(
    world: Any, ask: Asked, pools: dict[str, Any]
) -> None:
    acme, zen = [await world.key(slug, "send", "read") for slug in ("acme", "zen")]
    await ask("PUT", "/receipt", {**RECEIPT, "text": "platform"})
    await ask("PUT", "/other", {**RECEIPT, "text": "platform"})
    mine = await ask("PUT", "/receipt", {**RECEIPT, "text": "acme"}, key=acme)
    assert (mine.status_code, mine.json()["template"]["owner"]) == (200, "acme")
    for key, text, owner in ((acme, "acme", "acme"), (zen, "platform", None)):
        found = (await ask("GET", "/receipt", key=key)).json()
        assert (found["text"], found["owner"]) == (text, owner)
    listed = {key: (await ask("GET", "", key=key)).json()["items"] for key in (acme, zen)}
    assert [(one["name"], one["owner"]) for one in listed[acme]] == [
        ("receipt", None),
        ("other", None),
        ("receipt", "acme"),
    ]
    assert [one["owner"] for one in listed[zen]] == [None, None]
    assert (await ask("GET", "/receipt?tenant=acme", key=zen)).json()["code"] == "no-such-tenant"
    assert (await ask("PUT", "/x?tenant=acme", RECEIPT, key=zen)).json()["code"] == "no-such-tenant"
    assert (await ask("DELETE", "/receipt?tenant=acme", key=zen)).json()["code"] == "no-such-tenant"
    lookup = TemplateLookup(pools["control"])
    for slug, text in (("acme", "acme"), ("zen", "platform"), ("nobody", "platform")):
        version = await lookup.find(slug, Reference("receipt", None))
        assert version is not None
        assert version.source.text == text


async def test_who_may_make_a_key_that_sends_may_change_a_tenants_templates_and_no_other_admin(
    world: Any, ask: Asked
) -> None:
    admin, minting = [await world.key(None, "read", "admin") for _ in range(2)]
    operator = await world.key(None, "read", "operate")
    for key, mints in ((minting, ["send"]), (operator, ["send"])):
        await world.owner.execute(
            "update api_key set also_mints = $2 where prefix = $1", key.split("_")[1], mints
        )
    for method, body in (("PUT", RECEIPT), ("DELETE", None)):
        for key in (admin, operator):
            refused = await ask(method, "/receipt?tenant=acme", body, key=key)
            assert (refused.status_code, refused.json()["code"]) == (403, "scope-missing"), (method, key)
        assert (await ask(method, "/receipt?tenant=acme", body, key=minting)).status_code == 200, method


async def test_row_level_security_hides_other_tenants_templates_from_the_reader(
    world: Any, ask: Asked
) -> None:
    for tenant in ("", "?tenant=acme", "?tenant=zen"):
        await ask("PUT", f"/receipt{tenant}", RECEIPT)
    reader = await engine.connect(world.database.dsn("reader"))
    acme = await world.owner.fetchval("select id from tenant where slug = 'acme'")
    try:
        for table in ("template", "template_version"):
            assert await reader.fetchval(f"select count(*) from {table} where tenant is not null") == 0
            async with reader.transaction():
                await reader.execute(f"set local mailcordon.tenant = '{acme}'")
                rows = await reader.fetch(f"select tenant from {table} order by tenant")
                assert [row["tenant"] for row in rows] == [acme, None]
    finally:
        await reader.close()


async def test_who_may_change_templates(world: Any, ask: Asked) -> None:
    _, narrow = await world.keys.create(
        tenant="acme", name="n", scopes=("send",), types=("newsletter",), actor="test"
    )
    for key, path, code in (
        (await world.key("acme", "read"), "/receipt", "scope-missing"),
        (narrow, "/receipt", "type-not-allowed"),
        (await world.key(None, "read"), "/receipt?tenant=acme", "scope-missing"),
        (await world.key(None, "send"), "/receipt", "scope-missing"),
    ):
        for method, body in (("PUT", RECEIPT), ("DELETE", None)):
            answer = await ask(method, path, body, key=key)
            assert (answer.status_code, answer.json()["code"]) == (403, code), (method, path)
    for path in ("", "/receipt", "/receipt/versions"):
        answer = await ask("GET", path, key=await world.key("acme", "send"))
        assert answer.json()["code"] == "scope-missing"
    preview = await ask("POST", "/receipt/preview", {}, key=await world.key("acme", "send"))
    assert preview.json()["code"] == "scope-missing"


async def test_what_is_wrong_with_a_template_is_said_when_it_is_stored(ask: Asked) -> None:
    for name, body, field, said in (
        ("a%20b", RECEIPT, "name", "1 to 64 letters"),
        ("x", {"subject": "s"}, "html", "has text, html or mjml"),
        ("x", {"subject": " ", "text": "x"}, "subject", "has a subject"),
        ("x", {"subject": "s", "html": "x", "mjml": "<mjml/>"}, "mjml", "leave out html or mjml"),
        ("x", {"subject": "s", "html": "\n{% if a %}"}, "html", "template x, html, line 2: "),
        ("x", {"subject": "s", "html": "{{#if a}}", "dialect": "ses"}, "html", "{{#if}} is not closed"),
        ("x", {"subject": "s", "mjml": "<mjml><mj-bod"}, "mjml", "template x, mjml: "),
        ("x", {"subject": "s", "html": "x", "parts": {"../x.html": "x"}}, "parts", "a part has a name"),
        ("x", {"subject": "s", "html": "x", "parts": {"html.html": "x"}}, "parts", "a part has a name"),
        ("x", {"subject": "s", "html": "x" * 513_000}, "html", "at most 512,000 bytes"),
        ("x", {"subject": "s", "html": "x\0"}, "html", "NUL"),
        ("x", {"subject": "s", "html": "x", "because": "a\nb"}, "because", "line break"),
    ):
        answer = await ask("PUT", f"/{name}", body)
        assert answer.status_code == 422, (name, body, answer.text)
        [fault] = answer.json()["errors"]
        assert (fault["field"], said in fault["problem"]) == (field, True), fault


async def test_an_owner_has_bounded_templates_versions_and_bytes(
    world: Any, ask: Asked, pools: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, bound in (("MOST_TEMPLATES", 2), ("MOST_VERSIONS", 2), ("MOST_KEPT", 100)):
        monkeypatch.setattr(f"mailcordon.adapters.db.template_store.{name}", bound)
    store = TemplateStore(pools["control"])
    owner = Owner(tenant=None, slug=None)

    async def put(name: str, text: str) -> None:
        await store.put(owner, name, Source(subject="s", text=text), None, actor="t", because=None)

    await put("a", "1")
    await put("a", "2")
    await put("b", "1")
    for name, text, said in (
        ("a", "3", "at most 2 versions"),
        ("c", "1", "at most 2 templates"),
        ("b", "x" * 99, "bytes"),
    ):
        with pytest.raises(Invalid, match=said):
            await put(name, text)
    await put("b", "1")  # as it is
    assert template.MOST_KEPT >= 100 * template.MOST_SOURCE


async def test_a_retired_template_is_found_by_no_message_until_it_is_stored_again(
    world: Any, ask: Asked, pools: dict[str, Any]
) -> None:
    lookup = TemplateLookup(pools["control"])
    await ask("PUT", "/receipt?tenant=acme", RECEIPT)
    assert await lookup.find("acme", Reference("receipt", 1)) is not None
    assert (await ask("DELETE", "/receipt?tenant=acme&because=old")).json() == {
        "name": "receipt",
        "owner": "acme",
    }
    assert (await ask("DELETE", "/receipt?tenant=acme")).status_code == 404
    assert await lookup.find("acme", Reference("receipt", None)) is None
    assert await lookup.find("acme", Reference("receipt", 1)) is None
    shown = (await ask("GET", "/receipt?tenant=acme")).json()
    assert (shown["retired_at"] is not None, shown["retired_by"].startswith("test")) == (True, True)
    assert (await ask("PUT", "/receipt?tenant=acme", RECEIPT)).json()["template"]["version"] == 2
    assert await lookup.find("acme", Reference("receipt", 1)) is not None


async def test_a_version_that_was_stored_before_is_found_by_whoever_asks_after(
    ask: Asked, pools: dict[str, Any]
) -> None:
    lookup = TemplateLookup(pools["control"])
    for number in range(1, 4):
        await ask("PUT", "/receipt", {**RECEIPT, "text": str(number)})
        found = await lookup.find("acme", Reference("receipt", None))
        assert found is not None
        assert (found.version, found.source.text, found.label) == (number, str(number), f"receipt@{number}")
    assert await lookup.find("acme", Reference("receipt", 9)) is None


async def test_a_preview_shows_what_a_version_or_unstored_sources_make_of_data(ask: Asked) -> None:
    await ask("PUT", "/receipt", RECEIPT)
    await ask("PUT", "/receipt", {**RECEIPT, "text": "Two, {{ name }}"})
    preview = "/receipt/preview"
    data = {"name": "Kim & Jo"}
    assert (await ask("POST", preview, {"data": data})).json() == {
        "template": "receipt@2",
        "subject": "Receipt for Kim & Jo",
        "text": "Two, Kim & Jo",
        "html": "<p>Dear Kim &amp; Jo",
    }
    assert (await ask("POST", preview, {"data": data, "version": 1})).json()["text"] == "Dear Kim & Jo"
    sources = {"subject": "s", "text": "own {{name}}", "dialect": "ses"}
    assert (await ask("POST", "/new/preview", {"data": data, "sources": sources})).json()[
        "text"
    ] == "own Kim & Jo"
    missing = (await ask("POST", preview, {"data": {}})).json()
    assert missing["errors"] == [
        {
            "field": "subject",
            "problem": "template receipt@2, subject, line 1: name is not in the data",
            "code": "rendering",
        }
    ]
    assert (await ask("POST", preview, {"data": {"name": "x" * 300_000}})).json()["code"] == "too-large"
    assert (await ask("POST", "/nope/preview", {})).status_code == 404
    assert (await ask("POST", preview, {"version": 1, "sources": sources})).status_code == 422


async def test_bombs_fail_alone_with_a_sentence(ask: Asked) -> None:
    """What minijinja and mrml do not bound: the operating system does, in the process that renders."""
    deep = 20_000
    for sources, data, said in (
        ({"html": "{{ [1] * 100000000 }}"}, {}, "more than 1 s of computing time"),
        ({"html": "{{ '{:>1000000000}'.format(1) }}"}, {}, "more than 256 MB of memory"),
        ({"html": "{% for i in range(9999) %}{% set x = many|sort %}{% endfor %}"}, {"many": list(range(9999))}, "200,000 steps"),
        ({"mjml": "<mjml><mj-body>" + "<mj-wrapper>" * deep + "</mj-wrapper>" * deep + "</mj-body></mjml>"}, {}, "crashed"),
    ):  # fmt: skip
        body = {"data": data, "sources": {"subject": "s", **sources}}
        answer = await ask("POST", "/bomb/preview", body)
        for _ in range(
            9
        ):  # a busy machine may not have started the next renderer in time: the answer asks to try again
            if answer.status_code == 503:
                answer = await ask("POST", "/bomb/preview", body)
        assert answer.status_code == 422, answer.text
        assert said in answer.json()["detail"], answer.text
        fine = await ask("POST", "/fine/preview", {"data": {"name": "Kim"}, "sources": RECEIPT})
        assert json.loads(fine.text)["subject"] == "Receipt for Kim"


async def test_the_process_that_renders_has_no_environment_and_opens_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MAILCORDON_SECRET_KEYS", "a-secret")
    async with RenderingProcess().running() as renderer:
        assert await renderer.compile("acme", Source(subject="s", text="x")) is None
        child = Path("/proc", str(renderer.pid))
        environment = (child / "environ").read_bytes()
        assert (b"LANG" in environment, b"MAILCORDON" in environment) == (True, False)
        limits = {line[:26].strip(): line.split()[-3] for line in (child / "limits").read_text().splitlines()}
        assert (limits["Max open files"], limits["Max file size"], limits["Max core file size"]) == (
            "5",
            "0",
            "0",
        )
        assert len(list((child / "fd").iterdir())) == 5
    assert not child.exists()


async def test_a_renderer_that_dies_while_it_is_idle_costs_nobody_a_message() -> None:
    async with RenderingProcess().running() as renderer:
        for _ in range(2):
            assert await renderer.compile("acme", Source(subject="s", text="x")) is None
            assert renderer.pid is not None
            os.kill(renderer.pid, signal.SIGKILL)
        assert renderer.ended == 1


async def test_tenants_take_turns_at_the_renderer() -> None:
    version = Version(id=1, name="x", version=1, source=Source(subject="s", text="x"), compiled=None)
    done: list[str] = []

    async def render(renderer: RenderingProcess, owner: str) -> None:
        await renderer.render(owner, version, b"{}")
        done.append(owner)

    async with RenderingProcess().running() as renderer, asyncio.TaskGroup() as group:
        for owner in ["acme"] * 20 + ["zen"]:
            group.create_task(render(renderer, owner))
    assert done.index("zen") <= 2
