"""One local SES server: an account, its front and its sockets. `running` starts one on the current event loop, for tests;
`python -m seslocal` runs one as a process."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from seslocal import authentication, messages
from seslocal.admin import fault_calls, scenario, world_calls
from seslocal.admin.api import PREFIX, Admin
from seslocal.admission import Admission, is_loopback
from seslocal.clock import Clock
from seslocal.dns.strict import RecordWatch
from seslocal.front import Front
from seslocal.kept.keeper import App, Keeper
from seslocal.mail import delivery, world_delivery
from seslocal.sesv2 import reputation_monitor
from seslocal.sesv2.reputation_monitor import ReputationMonitor
from seslocal.state.access import SmtpPort
from seslocal.state.account import Account
from seslocal.state.settings import Settings
from seslocal.web import Web
from seslocal.wire.accepting import Acceptor
from seslocal.wire.protocol import Connection, Connections, Request

if TYPE_CHECKING:
    from seslocal.dns.nameserver import NameServer
    from seslocal.smtp.door import Door


_BACKLOG: Final = 1024  #: connections that wait to be accepted
WORLD: Final = ("PUT", "/world")  #: the step of a scenario that puts a world behind SES
_EVERY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 (every address -> one that clients can use)


class DnsNotInstalled(Exception):
    """The settings ask for DNS and dnspython is not installed (`pip install "seslocal[dns]"`)."""


class SmtpNotInstalled(Exception):
    """The settings ask for SMTP and aiosmtpd is not installed (`pip install "seslocal[smtp]"`)."""


class Local:
    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.account = Account(settings, clock)
        self._keeper = Keeper(Path(settings.state)) if settings.state is not None else None
        self.host = ""
        self.port = 0
        self.exposed = False  #: whether other machines can reach it
        self.token = settings.token  #: that the admin API and the page require
        self._connections = Connections(settings.limits)
        self._closing: set[asyncio.Task[None]] = set()  #: tasks that close what a reset replaced
        self._server: asyncio.Server | None = None
        #: Of the server's sockets, unless the loop can only serve them itself.
        self._acceptor: Acceptor | None = None
        self._listeners: list[socket.socket] = []
        self._admin: Admin | None = None
        self.names: NameServer | None = None  #: its DNS server, if it has one
        self.smtp: Door | None = None  #: its SMTP door, if it is open

    @property
    def url(self) -> str:
        host = _EVERY.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"

    async def listen(self, host: str, port: int) -> None:
        """Raises OSError, StateRefused, DnsNotInstalled."""
        if self._keeper is None:
            await self._listen(host, port)
            return
        await self._keeper.open()
        try:
            self.account = self._keeper.restore(self._empty_account)
            await self._listen(host, port)
        except BaseException:
            self._keeper.close()
            raise

    def _empty_account(self) -> Account:
        self.account.clock.reset()
        return Account(self.account.settings, self.account.clock)

    async def _listen(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        admin = self._admin = Admin(lambda: self.account, self.reset, self.close_idle)
        admission = Admission((), self.account.settings.names)
        web = Web(lambda: self.account, admission, host)
        front = Front(lambda: self.account, admission, admin, web, host)
        app = front if self._keeper is None else self._keeper.wrap(front)
        make = self._connection(app)
        self._server = await loop.create_server(make, host, port, backlog=_BACKLOG, start_serving=False)
        self.host = host
        bound = [each.getsockname() for each in self._server.sockets]
        self.port = bound[0][1]
        self._protect(admission, [address[0] for address in bound])
        self._set_up_account()
        await self._serve(self._server, make)
        settings = self.account.settings
        if settings.dns_port is not None or settings.strict:
            self.names = _name_server(lambda: self.account)
            await self.names.listen(host, settings.dns_port or 0)
        if settings.smtp_port is not None:
            await self.open_smtp(settings.smtp_port)

    async def _serve(self, server: asyncio.Server, make: Callable[[], Connection]) -> None:
        listeners = [socket.socket(fileno=os.dup(each.fileno())) for each in server.sockets]
        acceptor = Acceptor(listeners, make)
        try:
            acceptor.start()
        except NotImplementedError:
            for listener in listeners:
                listener.close()
            await server.start_serving()
            return
        self._acceptor = acceptor
        self._listeners = listeners
        for listener in listeners:
            listener.listen(_BACKLOG)

    async def open_smtp(self, port: int = 0) -> Door:
        """Opens the SMTP door, if it is not open, and returns it. Port 0 takes a free port. Raises OSError, SmtpNotInstalled."""
        if self.smtp is None:
            wrap = self._keeper.wrap if self._keeper is not None else _as_it_is
            door = _smtp_door(
                lambda: self.account, wrap, needs_tls=not self.account.settings.smtp_without_tls
            )
            await door.listen(self.host, port, self.url.removeprefix("http://"))
            self.smtp = door
            self._show_smtp()
        return self.smtp

    def _show_smtp(self) -> None:
        """Tells the account where its SMTP door is, for the admin API."""
        if self.smtp is not None:
            door, host = self.smtp, _EVERY.get(self.host, self.host)
            self.account.access.smtp = SmtpPort(host, door.port, door.needs_tls, door.certificate)

    def _protect(self, admission: Admission, bound: list[str]) -> None:
        """Beyond loopback the admin API and the page always require a token. If none was set, one is generated."""
        self.exposed = not all(is_loopback(address) for address in bound)
        if self.exposed and self.token is None:
            self.token = secrets.token_urlsafe(24)
        admission.bound, admission.token = (*bound, self.host), self.token

    def _connection(self, front: App) -> Callable[[], Connection]:
        def date() -> str:
            return authentication.date_line(self.account)

        return lambda: Connection(front, self._connections, self._after_response, date)

    async def close(self) -> None:
        self.account.clock.stop()
        if self._acceptor is not None:
            self._acceptor.stop()
            self._acceptor = None
            for listener in self._listeners:
                listener.close()
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.close()
        if self.names is not None:
            await self.names.close()
        if self.smtp is not None:
            await self.smtp.close()
        await self.account.events.outbox.close()
        await asyncio.gather(*self._closing)
        if self._server is not None:
            await self._server.wait_closed()
        if self._keeper is not None:
            self._keeper.close()

    def reset(self) -> None:
        """Replaces the account with a new one of the same settings. Long polls on its queues end: the queues are gone."""
        before = self.account
        closing = asyncio.get_running_loop().create_task(before.events.outbox.close())
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self.account = self._empty_account()
        self._set_up_account()
        for queue in list(before.queues.by_name.values()):
            before.queues.delete(queue)

    def _set_up_account(self) -> None:
        """Sets up a new account for this server."""
        self.account.url = self.url
        self._show_smtp()
        self.account.mail.observers += (ReputationMonitor(self.account),)
        if self.account.settings.strict:
            self.account.behaviour.verify_at_once = False
            RecordWatch(self.account).resume()
        if self.account.settings.scenario and self._admin is not None:
            steps = scenario.read(self.account.settings.scenario, self._admin.check)
            # A world that was kept goes on: a step that begins with it is for the first start.
            steps = [
                step
                for step in steps
                if step.at > 0
                or (step.method, step.path) != WORLD
                or not world_calls.has(self.account, step.body)
            ]
            self._admin.start_scenario(steps)
        if self.account.events.sns_url == "local":
            self.account.events.sns_url = self.url
        if self._keeper is not None:
            reputation_monitor.resume(self.account)
            fault_calls.resume(self.account)
            self._keeper.keep(self.account)
            delivery.resume(self.account)
            world_delivery.resume(self.account)

    def close_idle(self, most: int | None) -> int:
        """Closes connections that are idle between two requests, as servers and middleboxes do. Returns their number."""
        idle = [connection for connection in self._connections if connection.idle][:most]
        for connection in idle:
            connection.close()
        return len(idle)

    def _after_response(self, connection: Connection, request: Request) -> None:
        if (
            self.account.faults.active
            and not request.path.startswith(PREFIX)
            and connection.idle
            and self.account.faults.use("close_idle")
        ):
            connection.close()


def _name_server(account: Callable[[], Account]) -> NameServer:
    try:
        from seslocal.dns.nameserver import NameServer
    except ModuleNotFoundError as error:
        raise DnsNotInstalled(messages.dns_is_not_installed()) from error
    return NameServer(account)


def _smtp_door(account: Callable[[], Account], wrap: Callable[[App], App], *, needs_tls: bool) -> Door:
    try:
        from seslocal.smtp.door import Door
    except ModuleNotFoundError as error:
        if error.name != "aiosmtpd":
            raise
        raise SmtpNotInstalled(messages.smtp_is_not_installed()) from None
    return Door(account, wrap, needs_tls=needs_tls)


def _as_it_is(app: App) -> App:
    return app


async def start(
    *, host: str = "127.0.0.1", port: int = 0, settings: Settings | None = None, clock: Clock | None = None
) -> Local:
    """Starts a local SES; it listens when this returns. Port 0 takes a free port. Raises DnsNotInstalled, SmtpNotInstalled."""
    local = Local(settings or Settings(), clock or Clock())
    await local.listen(host, port)
    return local


@asynccontextmanager
async def running(
    *, host: str = "127.0.0.1", port: int = 0, settings: Settings | None = None, clock: Clock | None = None
) -> AsyncGenerator[Local]:
    local = await start(host=host, port=port, settings=settings, clock=clock)
    try:
        yield local
    finally:
        await local.close()
