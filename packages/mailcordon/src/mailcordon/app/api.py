"""The `api` role: the REST API of all planes, and the endpoint for mail."""

import asyncio
import contextlib

import mailcordon
from mailcordon.adapters.db import engine, health_reader
from mailcordon.adapters.db.account_reader import AccountReader
from mailcordon.adapters.db.driver_errors import UNREACHABLE, in_words
from mailcordon.adapters.db.metrics_reader import PostgresMetricsReader
from mailcordon.adapters.db.unsubscribe_keys import TokenReader
from mailcordon.adapters.db.unsubscribe_store import PostgresUnsubscribes
from mailcordon.adapters.http import message_protocol, server, shared_door, tls_gate
from mailcordon.adapters.http.ses_door.endpoint import SesDoor
from mailcordon.adapters.http.ses_door.services import Services
from mailcordon.adapters.http.unsubscribe import Unsubscribe
from mailcordon.app import (
    alerts,
    breaker,
    event_doors,
    heartbeat,
    incidents,
    listeners,
    mac_keys,
    machine_metrics,
    webhooks,
    wiring,
)
from mailcordon.app import rest as rests
from mailcordon.app import server as http_server
from mailcordon.config import Config
from mailcordon.control.access_keys import AccessKeyCache
from mailcordon.door.client_address import TrustedProxies
from mailcordon.messages import api

_HEALTH_SECONDS = 1.0
_PAGES_AT_ONCE = 4  #: of links to unsubscribe


async def run(config: Config, stop: asyncio.Event) -> None:
    """REST, on `config.api_fd` if it is there, else on `config.api_host` and `config.api_port`."""
    installation = await wiring.installation(config, "control")
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(mac_keys.kept_fresh(installation, config, "control"))
        rest = await stack.enter_async_context(rests.opened(config, installation, stop))
        taking, endpoint, pools, readers = rest.taking, rest.endpoint, rest.pools, rest.readers
        accept, cache, door_facts = taking.accept, taking.keys, taking.facts
        read_as = (readers["control"], readers["reader"])
        ses = SesDoor(
            endpoint,
            AccessKeyCache(rest.access_key_store, cache),
            Services(
                suppression_reader=rest.suppressed.reader,
                suppressions=rest.suppressed.suppressions,
                metrics=PostgresMetricsReader(*read_as),
                messages=endpoint.reader,
                account=AccountReader(readers["control"]),
                templates=rest.templates,
                tenants=rest.controlled.reads,
                key_rates=config.key_rates,
                hash_key=installation.hash_key,
                region=config.region,
            ),
        )
        health = _Health(pools["control"]).check
        events, event_totals = await stack.enter_async_context(
            event_doors.open_doors(config, installation, cache, endpoint.reads, stop)
        )
        # Of its own: anybody may ask for these pages, and nothing else must wait for that.
        pages = await stack.enter_async_context(
            await engine.create_pool(config.login_url("control"), max_size=_PAGES_AT_ONCE)
        )
        unsubscribe = Unsubscribe(
            PostgresUnsubscribes(pages),
            TokenReader(pages, config.secret_keys).read,
            refused=door_facts.refuse,
        )
        application = server.build(
            endpoint, cache, rest.handlers, health, mailcordon.__version__, events, ses, unsubscribe
        )
        await stack.enter_async_context(wiring.running(accept.run(), stop))
        door = shared_door.Door(
            http_server.possible(config.limits), door_facts, TrustedProxies(config.trusted_proxies)
        )
        stand_by = heartbeat.StandBy()
        news = stand_by.news
        told = await stack.enter_async_context(incidents.running(config, stop, news, stand_by=True))
        watched = await stack.enter_async_context(breaker.running(config, stop, news, stand_by=True))
        facts = await stack.enter_async_context(
            machine_metrics.served(
                config,
                "api",
                lambda: {
                    **accept.facts.document(),
                    **door_facts.document(),
                    **event_totals.document(),
                    **told.document(),
                    **watched.document(),
                },
            )
        )
        await stack.enter_async_context(
            heartbeat.beating("api", config.login_url("control"), facts, stand_by)
        )
        await stack.enter_async_context(alerts.running(config, stop, news, stand_by.is_needed))
        await stack.enter_async_context(webhooks.running(config, stop, news, stand_by.is_needed))
        connections = message_protocol.protocol(endpoint, door, ses)
        if (context := listeners.tls_context(config.tls_certificate, config.tls_key)) is not None:
            connections = tls_gate.behind_tls(connections, door, context)
        await http_server.serve(application, connections, config, stop, http_server.api_listener(config))


class _Health:
    """Anybody may ask, so one look at the database answers everybody who asks within a second."""

    def __init__(self, pool: engine.Pool) -> None:
        self._pool = pool
        self._looked = 0.0
        self._look: asyncio.Task[server.Health] | None = None

    async def check(self) -> server.Health:
        now = asyncio.get_running_loop().time()
        if self._look is None or (self._look.done() and now - self._looked > _HEALTH_SECONDS):
            self._looked = now
            self._look = asyncio.create_task(_health(self._pool))
        return await asyncio.shield(self._look)


async def _health(pool: engine.Pool) -> server.Health:
    try:
        async with pool.acquire(timeout=2) as connection:
            oldest = await health_reader.oldest_snapshot(connection, timeout=2)
    except UNREACHABLE as gone:
        problem = api.database_not_responding(in_words(gone))
        return server.Health(ok=False, database=problem, oldest_snapshot_seconds=None)
    return server.Health(ok=True, database="ok", oldest_snapshot_seconds=oldest)
