"""The `smtp` role: submission by SMTP, on the sockets that `up` passes on, else on sockets of its own."""

import asyncio
import contextlib
import socket

import structlog

from mailcordon.adapters.db import engine
from mailcordon.adapters.smtp import connection
from mailcordon.adapters.smtp.login import Keys
from mailcordon.adapters.smtp.shared import SmtpDoor
from mailcordon.adapters.smtp.submit import Submitter
from mailcordon.app import heartbeat, intake, listeners, mac_keys, machine_metrics, wiring
from mailcordon.app import server as http_server
from mailcordon.config import Config
from mailcordon.config.smtp import SmtpSettings
from mailcordon.core.errors import Refused
from mailcordon.host import listening
from mailcordon.intake import Intake
from mailcordon.messages import smtp as messages
from mailcordon.send import raw_mail

_LOGIN = "send"
_CONNECTIONS = 4  #: to the database, for keys that are not in memory

_log = structlog.get_logger("mailcordon.app")


async def run(config: Config, stop: asyncio.Event) -> None:
    """Takes mail until `stop` is set, then finishes what is being stored."""
    if config.smtp is None:
        raise Refused(messages.switched_off(), code="smtp-off")
    installation = await wiring.installation(config, _LOGIN)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(mac_keys.kept_fresh(installation, config, _LOGIN))
        pool = await stack.enter_async_context(
            await engine.create_pool(config.login_url(_LOGIN), max_size=_CONNECTIONS)
        )
        taking = await stack.enter_async_context(intake.opened(config, installation, pool, stop))
        keys = Keys(taking.keys, taking.reads)
        door = SmtpDoor(
            Submitter(Intake(taking.accept, taking.buckets), keys),
            keys,
            taking.buckets,
            most_bytes=raw_mail.MAX_BYTES,
            limits=http_server.possible(config.limits),
            facts=taking.facts,
            tls=listeners.tls_context(config.smtp.certificate, config.smtp.key),
        )
        await stack.enter_async_context(wiring.running(taking.accept.run(), stop))
        served = await stack.enter_async_context(
            machine_metrics.served(
                config, "smtp", lambda: {**taking.accept.facts.document(), **taking.facts.document()}
            )
        )
        await stack.enter_async_context(heartbeat.beating("smtp", config.login_url(_LOGIN), served))
        await _serve(config.smtp, door, stop, config.drain_seconds)


async def _serve(settings: SmtpSettings, door: SmtpDoor, stop: asyncio.Event, drain_seconds: float) -> None:
    plain = listeners.open_listener(
        settings.fd, "MAILCORDON_SMTP_FD", listening.smtp(settings.host, settings.port)
    )
    sockets = [(plain, False)]
    if door.tls is not None:
        wanted = listening.smtps(settings.host, settings.tls_port)
        sockets.append((listeners.open_listener(settings.tls_fd, "MAILCORDON_SMTPS_FD", wanted), True))
    loop = asyncio.get_running_loop()
    servers: list[asyncio.Server] = []
    for listener, tls_first in sockets:
        make = connection.factory(door, tls_first=tls_first)
        servers.append(await loop.create_server(make, sock=listener, backlog=1024))
        _log.info(messages.listening(_address(listener), tls_first=tls_first))
    if door.tls is None:
        _log.warning(messages.no_certificate())
    try:
        await stop.wait()
    finally:
        for server in servers:
            server.close()
        await door.drain(drain_seconds)


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
