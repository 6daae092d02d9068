"""The SMTP door of a server: it listens beside HTTP, on the same host, for the same account."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from seslocal.smtp import certificate, submission
from seslocal.smtp.session import Session, Shared
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.wire.protocol import App, Request, Response


class Door:
    """`account` returns the current account. `wrap` records what a call changed before its response leaves. With `needs_tls` AUTH
    and mail are refused before STARTTLS, as at SES."""

    def __init__(
        self, account: Callable[[], Account], wrap: Callable[[App], App], *, needs_tls: bool
    ) -> None:
        self._account = account
        self._wrap = wrap
        self._server: asyncio.Server | None = None
        self._shared: Shared | None = None
        self.needs_tls = needs_tls
        self.port = 0
        self.certificate = ""  #: PEM; a client that trusts it can check the server

    async def listen(self, host: str, port: int, links: str) -> None:
        """`links` is host and port of the HTTP server. Port 0 takes a free port. Raises OSError."""
        logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's own; it warns of its own members
        made = certificate.make(host)
        most = self._account().settings.limits.connections
        shared = Shared(self._account, self._send, made.context, self.needs_tls, links, most)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Session(shared), host, port, backlog=1024)
        self._shared, self.certificate = shared, made.pem
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is None or self._shared is None:
            return
        self._server.close()
        ending = [session.abort() for session in list(self._shared.open)]
        await asyncio.gather(*(task for task in ending if task is not None), return_exceptions=True)
        await self._server.wait_closed()

    def _send(
        self, sender: str, recipients: list[str], data: bytes, caller: Caller
    ) -> Response | Awaitable[Response]:
        def app(request: Request) -> Response | Awaitable[Response]:
            account = self._account()
            account.clock.settle()
            return submission.submit(account, sender, recipients, data, caller)

        request = Request("POST", "/v2/email/outbound-emails", "", {}, b"", caller.source_ip, True)
        return self._wrap(app)(request)
