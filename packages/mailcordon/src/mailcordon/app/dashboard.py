"""The `dashboard` role: pages for people, in a process of their own, so that a slow page never slows the acceptance of mail.

Pages call the routes of the REST API within this process. What it serves outside is pages only.
"""

import asyncio
import contextlib
import dataclasses
from collections import Counter
from typing import Any

import structlog
from litestar.types import Message, Receive, Scope, Send

from mailcordon.adapters.dashboard import application, every_page
from mailcordon.adapters.dashboard.pages import now
from mailcordon.adapters.dashboard.rendering import StaticFiles, Templates
from mailcordon.adapters.dashboard.sign_in.cookies import Cookies
from mailcordon.adapters.dashboard.sign_in.pages import SignIn
from mailcordon.adapters.dashboard.sign_in.visitors import SignedIn
from mailcordon.adapters.dashboard.site import Site
from mailcordon.adapters.http import message_protocol, server, shared_door, tls_gate
from mailcordon.adapters.http.in_process import InProcess
from mailcordon.app import heartbeat, listeners, mac_keys, machine_metrics, wiring
from mailcordon.app import rest as rests
from mailcordon.app import server as http_server
from mailcordon.config import Config
from mailcordon.core.errors import Refused
from mailcordon.door.client_address import TrustedProxies
from mailcordon.door.reads import Reads
from mailcordon.host import listening
from mailcordon.messages import dashboard as messages

#: Of one person: a page asks for several things at once.
_CALLS_AT_ONCE = 4

_log = structlog.get_logger("mailcordon.app")


async def run(config: Config, stop: asyncio.Event) -> None:
    """Serves pages until `stop` is set."""
    settings = config.dashboard
    if settings is None:
        raise Refused(messages.switched_off(), code="dashboard-off")
    installation = await wiring.installation(config, "control")
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(mac_keys.kept_fresh(installation, config, "control"))
        rest = await stack.enter_async_context(rests.opened(config, installation, stop))
        facts = rest.taking.facts
        routes = server.application(rest.taking.keys, server.every_route(rest.endpoint, rest.handlers))
        reads = dataclasses.replace(config.reads, at_once_each=_CALLS_AT_ONCE)
        static = StaticFiles()
        site = Site(
            calls=InProcess(routes, Reads(reads, facts.refuse)),
            templates=Templates(static),
            static=static,
            installation=config.installation,
            is_local=config.local,
            url=settings.url,
            is_secure=settings.is_secure or config.tls_certificate is not None,
        )
        people, cookies = rest.controlled.people, Cookies(site.is_secure)
        provider = None
        if settings.oidc is not None:
            # Its libraries take a tenth of what a dashboard takes to import, and most installations have no provider.
            from mailcordon.adapters.dashboard.sign_in.provider import Provider

            provider = Provider(settings.oidc, f"{settings.url}/sign-in/oidc/callback")
            await stack.enter_async_context(provider)
        sign_in = SignIn(
            sessions=people.sessions, view_links=people.view_links, cookies=cookies, provider=provider
        )
        visitors = SignedIn(people.sessions, people.view_links, cookies)
        live = now.live(site, stop)
        counted = _Counted(
            application.build(site, visitors, every_page.routes(site, sign_in, visitors, live))
        )
        served = await stack.enter_async_context(
            machine_metrics.served(
                config,
                "dashboard",
                lambda: {**facts.document(), **counted.document(), "live_viewers": live.viewers},
            )
        )
        await stack.enter_async_context(heartbeat.beating("dashboard", config.login_url("control"), served))
        # Live figures keep a request open for each viewer, and a whole office may have one address.
        viewers = max(config.limits.requests_per_address, config.limits.connections_per_address)
        limits = dataclasses.replace(http_server.possible(config.limits), requests_per_address=viewers)
        door = shared_door.Door(limits, facts, TrustedProxies(config.trusted_proxies))
        connections = message_protocol.protocol(rest.endpoint, door)
        if (context := listeners.tls_context(config.tls_certificate, config.tls_key)) is not None:
            connections = tls_gate.behind_tls(connections, door, context)
        listener = listeners.open_listener(
            settings.fd, "MAILCORDON_DASHBOARD_FD", listening.dashboard(settings.host, settings.port)
        )
        await http_server.serve(counted, connections, config, stop, listener)


class _Counted:
    """Counts the answers by status."""

    def __init__(self, pages: Any) -> None:
        self._pages = pages
        self._answers: Counter[str] = Counter()

    def document(self) -> dict[str, object]:
        return {"pages": dict(self._answers)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._answers[str(message["status"])] += 1
            await send(message)

        await self._pages(scope, receive, counted)
