"""Looking into the content of mail: who may, what is never shown, and what the trail and the answers say of it."""

import contextlib
import html
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from browser import serving
from mailcordon.adapters.dashboard.pages import message_preview
from mailcordon.adapters.db import engine
from mailcordon.adapters.db.content_reader import ContentReader
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.message_reader import MessageReader
from mailcordon.adapters.http import message_preview as routes
from mailcordon.adapters.http import server
from mailcordon.adapters.http.message_endpoint import MessageEndpoint
from mailcordon.control.key_cache import KeyCache
from mailcordon.control.keys import Keys
from mailcordon.control.people.roles import Role
from mailcordon.core import ids
from mailcordon.send import submission
from mailcordon_fixtures import signing_in
from mailcordon_fixtures.queue_world import HASH_KEY, World, accepting, allowed

pytestmark = pytest.mark.asyncio(loop_scope="module")

Copy = Callable[..., contextlib.AbstractAsyncContextManager[Any]]
HTML = '<link rel=preconnect href="http://evil.example"><script>bad()</script><b>hello</b>'
SECRET = "the code is 771204"
ROLES = {"viewer": Role.VIEWER, "operator": Role.OPERATOR, "admin": Role.ADMIN}


@dataclass
class Mail:
    owner: Any
    client: httpx.AsyncClient  #: of the API
    pages: httpx.AsyncClient
    keys: dict[str, str]
    cookies: dict[str, str]
    ids: dict[str, int]
    control: engine.Pool

    async def ask(self, what: str, who: str = "operate", status: int = 200, **query: str) -> Any:
        path = f"/v1/messages/{ids.message_id(self.ids[what])}/preview"
        headers = {"authorization": f"Bearer {self.keys[who]}"}
        answer = await self.client.get(path, params=query, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def page(
        self, what: str, who: str, rest: str = "", status: int = 200, **headers: str
    ) -> httpx.Response:
        path = f"/messages/{ids.message_id(self.ids[what])}/preview{rest}"
        answer = await self.pages.get(path, headers={"cookie": self.cookies[who], **headers})
        assert answer.status_code == status, answer.text[-1500:]
        return answer

    async def looks(self) -> int:
        return await self.owner.fetchval("select count(*) from audit where action = 'message.preview'")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def mail(template: Any, copy_of: Copy, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Mail]:
    async with copy_of(template.database) as database, contextlib.AsyncExitStack() as stack:
        owner = await asyncpg.connect(database.dsn("owner"), server_settings={"search_path": "mailcordon"})
        stack.push_async_callback(owner.close)
        world = World(database, owner)
        for type in ("password-reset", "newsletter", "receipt"):
            await world.lane("acme", type)
        await world.lane("zen", "receipt")
        await world.account()
        await world.dispatcher()
        found: dict[str, int] = {}
        async with accepting(world) as accept:
            for name, slug, type, text in (
                ("reset", "acme", "password-reset", SECRET),
                ("code", "acme", "password-reset", SECRET),
                ("receipt", "acme", "receipt", "Thank you."),
                ("gone", "acme", "receipt", "long ago"),
                ("erased", "acme", "receipt", "somebody"),
                ("broken", "acme", "receipt", "x"),
                ("large", "acme", "receipt", "x"),
            ):
                one = submission.check(
                    type=type, sender=f"hello@{type}.{slug}.example", to=["kim@example.com"], subject="<b>Hello",
                    text=text, html=HTML, reply_to=[], headers={}, campaign=None, list=None,
                )  # fmt: skip
                accepted = await accept.enqueue(slug, one, api_key=1, key=None, still_allowed=allowed)
                found[name] = ids.message_of(accepted.deliveries[0].id)  # pyright: ignore[reportAttributeAccessIssue]
        await owner.execute("delete from content where id = $1", found["gone"])
        await owner.execute("update message set from_address = 'erased' where id = $1", found["erased"])
        await owner.execute("update content set body = 'x' where id = $1", found["broken"])
        await owner.execute(
            "update content set body = repeat('x', 9000000)::bytea where id = $1", found["large"]
        )
        pools = {login: await engine.create_pool(database.dsn(login)) for login in ("control", "reader")}
        for pool in pools.values():
            stack.push_async_callback(pool.close)
        store = KeyStore(pools["control"])
        made = {
            name: (await Keys(store).create(tenant=tenant, name=name, scopes=scopes, actor="test", **more))[1]
            for name, tenant, scopes, more in (
                ("operate", None, ["read", "operate"], {}),
                ("read", None, ["read"], {}),
                ("acme", "acme", ["read", "send"], {}),
                ("zen", "zen", ["read"], {}),
            )
        }
        nothing: Any = None
        endpoint = MessageEndpoint(
            accept=nothing, keys=KeyCache(store), reader=MessageReader(pools["control"], pools["reader"]),
            canceller=nothing, hash_key=HASH_KEY,
        )  # fmt: skip
        rest = server.application(
            endpoint.keys, routes.routes(endpoint, ContentReader(pools["control"]), kept_days=7)
        )
        secret, _ = await serving.install(database.owner_dsn)
        served = await stack.enter_async_context(
            serving.dashboard(database.role_dsns, secret, tmp_path_factory.mktemp("preview"))
        )
        cookies = {
            name: f"{signing_in.COOKIE}="
            + await signing_in.token(served.control, person=f"{name}@platform.example", role=role)
            for name, role in ROLES.items()
        }
        cookies["tenant"] = f"{signing_in.VIEW_COOKIE}={await signing_in.view_token(served.control, 'acme')}"
        transport: Any = httpx.ASGITransport(rest)  # pyright: ignore[reportArgumentType]
        yield Mail(
            owner=owner,
            client=await stack.enter_async_context(
                httpx.AsyncClient(transport=transport, base_url="http://x")
            ),
            pages=await stack.enter_async_context(httpx.AsyncClient(base_url=served.url)),
            keys=made,
            cookies=cookies,
            ids=found,
            control=pools["control"],
        )


async def test_the_content_is_shown_and_each_look_is_in_the_trail(mail: Mail) -> None:
    before = await mail.looks()
    found = await mail.ask("receipt")
    content = found["content"]
    assert (content["subject"], content["text"]["content"], content["html"]["content"]) == (
        "<b>Hello",
        "Thank you.",
        HTML,
    )
    assert (found["why_not"], found["detail"]) == (None, None)
    text = (await mail.ask("receipt", part="text"))["content"]
    assert (text["text"]["content"], text["html"]["content"]) == ("Thank you.", None)
    assert await mail.looks() == before + 2
    row = await mail.owner.fetchrow(
        "select * from audit where action = 'message.preview' order by id desc limit 1"
    )
    assert row["object"] == f"message {ids.message_id(mail.ids['receipt'])}"
    assert json.loads(row["after"]) == {"delivery": ids.delivery_id(mail.ids["receipt"] + 1), "part": "text"}
    assert row["tenant"] == await mail.owner.fetchval("select id from tenant where slug = 'acme'")


async def test_urgent_mail_is_never_shown_wherever_its_content_lies(mail: Mail) -> None:
    await mail.owner.execute(
        "insert into content (id, body) select id, body from urgent_content where id = $1", mail.ids["reset"]
    )
    before = await mail.looks()
    found = await mail.ask("reset")
    assert (found["content"], found["why_not"]) == (None, "urgent")
    assert "never shown" in found["detail"]
    shown = (await mail.page("reset", "admin")).text
    assert "never shown" in shown
    assert SECRET not in shown
    assert SECRET not in json.dumps(found)
    assert await mail.looks() == before


async def test_the_statement_finds_nothing_of_urgent_mail(mail: Mail) -> None:
    """Even if its class were not asked for."""
    contents = ContentReader(mail.control)
    id = mail.ids["code"]
    assert await mail.owner.fetchval("select count(*) from urgent_content where id = $1", id) == 1
    before = await mail.looks()
    found = await contents.look(id, largest=10**6, tenant=1, actor="kim", object="message", said="{}")
    assert found is None
    assert await mail.looks() == before


async def test_what_is_not_there_is_said_and_not_audited(mail: Mail) -> None:
    before = await mail.looks()
    for what, why, words in (
        ("gone", "deleted", "No content is stored"),
        ("erased", "erased", "erased"),
        ("large", "too-large", "8.6 MB"),
    ):
        found = await mail.ask(what)
        assert (found["content"], found["why_not"]) == (None, why)
        assert words in found["detail"]
        assert words in (await mail.page(what, "operator")).text
        await mail.page(what, "operator", "/html", 404)
    assert await mail.looks() == before
    assert (await mail.ask("broken"))["why_not"] == "unreadable"


async def test_only_who_may_operate_the_platform_looks(mail: Mail) -> None:
    before = await mail.looks()
    await mail.ask("receipt", "read", 403)
    await mail.ask("receipt", "acme", 403)
    await mail.ask("receipt", "zen", 403)
    assert (
        await mail.client.get(f"/v1/messages/{ids.message_id(mail.ids['receipt'])}/preview")
    ).status_code == 401
    for rest in ("", "/html"):
        for who in ("viewer", "tenant"):
            answer = await mail.page("receipt", who, rest, 403)
            assert "Thank you" not in answer.text
            assert "<b>hello" not in answer.text
        answer = await mail.pages.get(f"/messages/{ids.message_id(mail.ids['receipt'])}/preview{rest}")
        assert answer.status_code == 303
    assert await mail.looks() == before


async def test_the_html_comes_in_a_frame_in_which_nothing_can_happen(mail: Mail) -> None:
    page = await mail.page("receipt", "operator")
    shown = html.unescape(page.text)
    frame = f"/messages/{ids.delivery_id(mail.ids['receipt'] + 1)}/preview/html"
    assert f'<iframe class="mail" src="{frame}" sandbox="" referrerpolicy="no-referrer"' in shown
    assert "&lt;b&gt;Hello" in page.text
    assert "<b>hello" not in page.text
    assert "operator@platform.example" in shown.replace("<wbr>", "")
    policy = page.headers["content-security-policy"]
    assert policy.endswith(f"frame-src {str(mail.pages.base_url).rstrip('/')}{frame}")
    answer = await mail.page("receipt", "operator", "/html", 200, **{"sec-fetch-dest": "iframe"})
    for name, value in message_preview.FRAME_HEADERS.items():
        assert answer.headers[name] == value
    assert "sandbox;" in answer.headers["content-security-policy"]
    assert (
        answer.text == '<x-link rel=preconnect href="http://evil.example"><script>bad()</script><b>hello</b>'
    )
    await mail.page("receipt", "operator", "/html", 403, **{"sec-fetch-dest": "document"})
    host = message_preview._HOST  # pyright: ignore[reportPrivateUsage]
    for good in ("mail.example", "127.0.0.1:8020", "[::1]:8020"):
        assert host.fullmatch(good), good
    for bad in ("", "evil.example; script-src *", "evil.example *", "evil.example/x"):
        assert not host.fullmatch(bad), bad


async def test_what_no_policy_covers_is_renamed() -> None:
    for word in ("<LINK rel=x>", "<meta\nx>", "<Base/href=x>"):
        assert message_preview.harmless(word).lower().startswith(b"<x-")
    for word in ("<linkx>", "< link>", "<b>meta</b>", "&lt;link>"):
        assert message_preview.harmless(word) == word.encode()
