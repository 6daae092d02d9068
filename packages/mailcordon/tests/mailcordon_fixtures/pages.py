"""The dashboard's pages in a test's own event loop, over a real database, with a browser that keeps cookies."""

import contextlib
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import httpx
from litestar import Response, get, post

from mailcordon.adapters.dashboard import application
from mailcordon.adapters.dashboard.rendering import StaticFiles, Templates
from mailcordon.adapters.dashboard.sign_in import pages
from mailcordon.adapters.dashboard.sign_in.cookies import Cookies
from mailcordon.adapters.dashboard.sign_in.pages import SignIn
from mailcordon.adapters.dashboard.sign_in.provider import Provider
from mailcordon.adapters.dashboard.sign_in.visitors import SignedIn
from mailcordon.adapters.dashboard.site import PageRequest, Site, visitor_of
from mailcordon.adapters.db import engine
from mailcordon.adapters.http.people import PeopleServices
from mailcordon.app import people as composed
from mailcordon.config.dashboard import DashboardSettings
from mailcordon.core.principal import Principal

_CSRF = re.compile(r'name="csrf" value="([^"]*)"')


class NoApi:
    async def call(
        self, principal: Principal, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        raise AssertionError(f"a page of the sign-in called {path}")


@dataclass(slots=True)
class Pages:
    """`browser` follows no redirects. /who says who is signed in, a POST of /act does something in their name."""

    browser: httpx.AsyncClient
    people: PeopleServices
    url: str
    sign_in: SignIn

    def another_browser(self, **options: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=self.browser._transport,  # pyright: ignore[reportPrivateUsage]
            base_url=self.url,
            **options,  # pyright: ignore[reportArgumentType]
        )

    async def who(self, browser: httpx.AsyncClient | None = None) -> str | None:
        """Who is signed in, with their role; None: nobody."""
        found = await (browser or self.browser).get("/who")
        return found.text if found.status_code == 200 else None


def csrf_of(page: str) -> str:
    """The token of the page's own form: the bar above it has one to sign out."""
    found = _CSRF.findall(page)
    assert found, page
    return found[-1]


@contextlib.asynccontextmanager
async def opened(control: str, settings: DashboardSettings) -> AsyncIterator[Pages]:
    """`control`: URL of the control login."""
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(await engine.create_pool(control))
        people = composed.services(pool, settings)
        assert settings.url is not None
        provider = None
        if settings.oidc is not None:
            provider = await stack.enter_async_context(
                Provider(settings.oidc, f"{settings.url}/sign-in/oidc/callback")
            )
        static = StaticFiles()
        site = Site(
            calls=NoApi(),
            templates=Templates(static),
            static=static,
            installation="test",
            is_local=False,
            url=settings.url,
            is_secure=settings.is_secure,
        )
        cookies = Cookies(site.is_secure)
        sign_in = SignIn(
            sessions=people.sessions, view_links=people.view_links, cookies=cookies, provider=provider
        )

        @get("/who")
        async def who(request: PageRequest) -> Response[str]:
            visitor = visitor_of(request)
            return Response(f"{visitor.name} {visitor.role}", media_type="text/plain")

        @get("/form")
        async def form(request: PageRequest) -> Response[str]:
            return site.page(request, "problem.html", title="Form")

        @post("/act", status_code=200)
        async def act(request: PageRequest) -> Response[str]:
            return Response("done", media_type="text/plain")

        handlers = [who, form, act, *pages.routes(site, sign_in)]
        app = application.build(site, SignedIn(people.sessions, people.view_links, cookies), handlers)
        transport = httpx.ASGITransport(app)  # pyright: ignore[reportArgumentType]
        browser = await stack.enter_async_context(
            httpx.AsyncClient(transport=transport, base_url=settings.url)
        )
        yield Pages(browser, people, settings.url, sign_in)
