"""Signing in with a real browser, at a real OpenID provider and by links: cookies, redirects and the security policy agree."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from browser import looking, serving
from browser.serving import Served
from mailcordon.adapters.db import engine
from mailcordon.adapters.db.sign_in_link_store import SignInLinkStore
from mailcordon.control.people.roles import Role
from mailcordon.control.people.sessions import principal_of
from mailcordon.control.people.sign_in_links import SignInLinks
from mailcordon_fixtures import openid_provider, signing_in
from mailcordon_fixtures.openid_provider import Absence

pytestmark = pytest.mark.asyncio(loop_scope="session")  # the browser's

Copy = Callable[..., contextlib.AbstractAsyncContextManager[Any]]
PEOPLE = {
    "kim": {"email": "kim@example.com", "email_verified": True, "groups": ["on-call"]},
    "eve": {"email": "eve@example.com", "email_verified": True, "groups": ["others"]},
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def served(
    program: str, template: Any, copy_of: Copy, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Served]:
    home: Path = tmp_path_factory.mktemp("sign-in")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    async with contextlib.AsyncExitStack() as stack:
        try:
            started = openid_provider.running(f"{url}/sign-in/oidc/callback", log=home / "openid.log")
            provider = stack.enter_context(started)
        except Absence as absence:
            pytest.skip(str(absence))
        await asyncio.to_thread(provider.knows, PEOPLE)
        database = await stack.enter_async_context(copy_of(template.database))
        secret, _ = await serving.install(database.owner_dsn)
        owner = await asyncpg.connect(database.owner_dsn, server_settings={"search_path": engine.SCHEMA})
        await owner.execute("insert into tenant (key, slug) values ('mc-aaaaaaaaaa', 'acme')")
        await owner.close()
        more = {
            "MAILCORDON_DASHBOARD_URL": url,
            "MAILCORDON_OIDC_ISSUER": provider.issuer,
            "MAILCORDON_OIDC_CLIENT_ID": "public",
            "MAILCORDON_OIDC_SCOPES": "openid,email,groups",
            "MAILCORDON_OIDC_OPERATORS": "on-call",
        }
        yield await stack.enter_async_context(
            serving.dashboard(database.role_dsns, secret, home, port=port, more=more)
        )


async def looked_at(page: Page, watch: looking.Watch, name: str) -> None:
    assert await looking.look(page, watch, name) == []


async def test_a_person_signs_in_and_out_and_a_tenant_looks(chrome: Browser, served: Served) -> None:
    async with await chrome.new_context(
        base_url=served.url, extra_http_headers={"X-Person": "kim"}
    ) as context:
        page = await context.new_page()
        watch = await looking.prepared(page)
        await page.goto("/messages?q=kim")
        await expect(page).to_have_url(f"{served.url}/sign-in?next=%2Fmessages%3Fq%3Dkim")
        await looked_at(page, watch, "/sign-in")
        await page.get_by_role("link", name="Sign in with your organisation").click()
        await expect(page).to_have_url(f"{served.url}/messages?q=kim")
        await page.get_by_text("kim@example.com").first.click()
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_text("You are signed out.")).to_be_visible()
        async with await engine.create_pool(served.control) as pool:
            ann = principal_of(0, "aaaaaaaa", "ann", Role.ADMIN)
            _, link = await SignInLinks(SignInLinkStore(pool)).create(ann, person="lee", role="viewer")
        await page.goto(f"/sign-in/link/{link}")
        await looked_at(page, watch, "/sign-in/link")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page).to_have_url(f"{served.url}/now")
        await expect(page.get_by_text("lee viewer")).to_be_visible()
    async with await chrome.new_context(base_url=served.url) as context:
        page = await context.new_page()
        await page.goto(f"/view/{await signing_in.view_token(served.control, 'acme')}")
        await expect(page).to_have_url(f"{served.url}/tenants/acme")


async def test_who_has_no_role_reads_why(chrome: Browser, served: Served) -> None:
    async with await chrome.new_context(
        base_url=served.url, extra_http_headers={"X-Person": "eve"}
    ) as context:
        page = await context.new_page()
        watch = await looking.prepared(page, refusals=False)
        await page.goto("/sign-in")
        await page.get_by_role("link", name="Sign in with your organisation").click()
        await expect(
            page.get_by_text("eve@example.com is known, but may not use this dashboard")
        ).to_be_visible()
        await looked_at(page, watch, "/sign-in/no-role")
