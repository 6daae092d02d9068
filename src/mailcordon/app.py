"""The composition root: settings become adapters, adapters meet planes, planes become the four role processes.

The only place (with `run/`, which keeps the processes) that may import everything. A role is an async function of the
settings and of `stop`; it serves until `stop` is set, finishes what it began, and returns. Its frame (`run/role.py`) has
checked the databases before.
"""

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass

import mailcordon
from mailcordon.adapters.db import engine, observe_store
from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.adapters.db.control_reads import ControlReads
from mailcordon.adapters.db.control_store import ControlStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.installation import load_installation
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.line import GONE
from mailcordon.adapters.db.message_reader import MessageCanceller, MessageReader
from mailcordon.adapters.db.observe_reader import PostgresObserveReader, PostgresSuppressions
from mailcordon.adapters.db.provision_store import ProvisionStore
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.adapters.db.settle_store import SettleStore
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.adapters.http import control as control_routes
from mailcordon.adapters.http import observe as observe_routes
from mailcordon.adapters.http import server
from mailcordon.adapters.http.auth import KeyCache
from mailcordon.adapters.http.messages import MessageDoor
from mailcordon.adapters.ses import feedback
from mailcordon.adapters.ses.administer import Administer
from mailcordon.adapters.ses.queue import open_queue
from mailcordon.adapters.ses.send import SesSend
from mailcordon.adapters.ses.signer import (
    BotocoreCredentialsSource,
    Credentials,
    CredentialsSource,
    FixedCredentials,
)
from mailcordon.adapters.ses.wire import LeanTransport
from mailcordon.config import Config
from mailcordon.control import keys, loop, reconcile
from mailcordon.control.desired import Settings
from mailcordon.control.governor import Governor
from mailcordon.control.reconcile import Reconciler
from mailcordon.control.tenants import Tenants
from mailcordon.control.upkeep import Upkeep
from mailcordon.core.errors import Unavailable
from mailcordon.core.installation import Installation
from mailcordon.core.target import NewHold, Target
from mailcordon.observe import view as observe_view
from mailcordon.observe.ingest import Ingest
from mailcordon.observe.pipeline import Pipeline
from mailcordon.run import serve
from mailcordon.send.accept import Accept
from mailcordon.send.dispatch import Dispatcher, Identity

#: SES's management rate (ses.md 3.5).
AWS_CALLS_PER_SECOND = 1.0

Body = Callable[[Config, asyncio.Event], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SesHolds:
    """The data plane's way of asking the governor: SES itself has stopped a lane or a tenant."""

    governor: Governor

    async def hold_for_ses(self, *, tenant: int, lane: int | None, because: str) -> None:
        target = Target(tenant=tenant, lane=lane)
        await self.governor.place(
            NewHold(target=target, owner="ses", because=because), actor="dispatch", once=True
        )


async def run_api(config: Config, stop: asyncio.Event) -> None:
    """REST, on `config.api_fd` if it is there, else on `config.api_host` and `config.api_port`."""
    installation = await _installation(config, "control")
    async with contextlib.AsyncExitStack() as stack:
        pools = {
            login: await stack.enter_async_context(await engine.create_pool(config.login_url(login)))
            for login in ("control", "governor", "reader")
        }
        accept_store = AcceptStore(config.login_url("send"))
        stack.push_async_callback(accept_store.close)
        canceller = MessageCanceller(config.login_url("send"))
        stack.push_async_callback(canceller.close)
        cache = KeyCache(KeyStore(pools["control"]))
        accept = Accept(accept_store, installation.hash_key, _now_ms, cache.invalidate)
        door = MessageDoor(
            accept=accept,
            keys=cache,
            reader=MessageReader(pools["control"], pools["reader"]),
            canceller=canceller,
            hash_key=installation.hash_key,
        )
        replays = observe_store.ObserveStore(
            functools.partial(observe_store.connect, config.login_url("observe"))
        )
        stack.push_async_callback(replays.close)
        observed = observe_routes.ObserveServices(
            reader=PostgresObserveReader(pools["control"], pools["reader"]),
            suppressions=PostgresSuppressions(pools["control"]),
            replay=observe_view.Replay(replays, decode=feedback.decode, ingest=Ingest(installation)),
            hash_key=installation.hash_key,
        )
        governor = Governor(GovernorStore(pools["governor"]))
        control_store = ControlStore(pools["control"])
        controlled = control_routes.ControlServices(
            reads=ControlReads(pools["control"], pools["reader"]),
            tenants=Tenants(control_store, governor, _settings(config)),
            types=control_store,
            keys=keys.Keys(KeyStore(pools["control"])),
            governor=governor,
        )
        handlers = [*control_routes.routes(controlled), *observe_routes.routes(observed)]
        health = functools.partial(_health, pools["control"])
        application = server.build(door, cache, handlers, health, mailcordon.__version__)
        await stack.enter_async_context(_running(accept.run()))
        await serve.serve(application, config, stop)


async def run_dispatch(config: Config, stop: asyncio.Event) -> None:
    """Takes turns and sends."""
    installation = await _installation(config, "send")
    async with contextlib.AsyncExitStack() as stack:
        credentials = await stack.enter_async_context(_credentials(config))
        transport = LeanTransport(config.ses_endpoint or f"https://email.{config.region}.amazonaws.com")
        stack.push_async_callback(transport.close)
        governors = await stack.enter_async_context(
            await engine.create_pool(config.login_url("governor"), max_size=2)
        )
        queue = QueueStore(config.login_url("send"))
        stack.push_async_callback(queue.close)
        settle = SettleStore(config.login_url("send"))
        stack.push_async_callback(settle.close)
        dispatcher = Dispatcher(
            store=queue,
            settle=settle,
            ses=SesSend(transport, host=transport.host, region=config.region, credentials=credentials),
            governor=SesHolds(Governor(GovernorStore(governors))),
            identity=Identity(installation=installation.name, mac_key=installation.mac_key),
            cell=config.cell,
            slots=config.call_slots,
        )
        await dispatcher.run(stop)


async def run_observe(config: Config, stop: asyncio.Event) -> None:
    """Reads both event queues, each by a pipeline of its own, so that a blast's opens delay no bounce."""
    installation = await _installation(config, "observe")
    async with contextlib.AsyncExitStack() as stack:
        credentials = await stack.enter_async_context(_credentials(config))
        pipelines: list[Pipeline] = []
        for url in (config.outcome_queue_url, config.engagement_queue_url):
            if url is None:
                continue
            queue = open_queue(
                url, region=config.region, credentials=credentials, endpoint=config.sqs_endpoint
            )
            stack.push_async_callback(queue.close)
            store = observe_store.ObserveStore(
                functools.partial(observe_store.connect, config.login_url("observe"))
            )
            stack.push_async_callback(store.close)
            pipelines.append(Pipeline(queue, store, decode=feedback.decode, ingest=Ingest(installation)))
        await asyncio.gather(*(pipeline.run(stop) for pipeline in pipelines))


async def run_control(config: Config, stop: asyncio.Event) -> None:
    """Reconciles SES with what is desired; keeps partitions ahead; ends holds whose time is over."""
    async with contextlib.AsyncExitStack() as stack:
        pool = await stack.enter_async_context(await engine.create_pool(config.login_url("control")))
        governors = await stack.enter_async_context(
            await engine.create_pool(config.login_url("governor"), max_size=2)
        )
        ses = Administer(
            region=config.region,
            endpoint=config.ses_endpoint,
            access_key=config.access_key,
            secret_key=config.secret_key,
            calls_per_second=None if config.local else AWS_CALLS_PER_SECOND,
        )
        stack.callback(ses.close)
        governor = Governor(GovernorStore(governors))
        provision = ProvisionStore(pool)
        services = loop.Services(
            governor=governor,
            reconciler=Reconciler(provision, ses, governor, reconcile.LOCAL if config.local else None),
            upkeep=Upkeep(UpkeepStore(pool), ses, governor, cell=config.cell),
            settings=_settings(config),
            want_everything=provision.want_everything,
            sole=provision.sole,
            rhythm=loop.LOCAL if config.local else loop.Rhythm(),
        )
        await loop.run(services, stop)


def _settings(config: Config) -> Settings:
    assert config.outcome_topic_arn is not None
    assert config.engagement_topic_arn is not None
    return Settings(
        outcome_topic_arn=config.outcome_topic_arn, engagement_topic_arn=config.engagement_topic_arn
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


async def _installation(config: Config, login: str) -> Installation:
    connection = await engine.connect(config.login_url(login))
    try:
        installation = await load_installation(connection, config.secret_keys)
    finally:
        await connection.close()
    if installation is None:
        raise Unavailable(
            "this database has no installation yet: `mailcordon up` or `mailcordon migrate` begins it"
        )
    return installation


async def _health(pool: engine.Pool) -> server.Health:
    try:
        async with pool.acquire(timeout=2) as connection:
            oldest = await connection.fetchval(
                "select extract(epoch from max(now() - xact_start))::float8 from pg_stat_activity "
                "where backend_xmin is not null and pid <> pg_backend_pid()",
                timeout=2,
            )
    except GONE as gone:
        return server.Health(
            ok=False, database=f"does not answer ({type(gone).__name__})", oldest_snapshot_seconds=None
        )
    return server.Health(ok=True, database="ok", oldest_snapshot_seconds=oldest)


@contextlib.asynccontextmanager
async def _credentials(config: Config) -> AsyncGenerator[CredentialsSource]:
    """The local SES's fixed pair, or whatever botocore finds on this host, kept fresh."""
    if config.access_key is not None and config.secret_key is not None:
        yield FixedCredentials(Credentials(config.access_key, config.secret_key))
        return
    source = BotocoreCredentialsSource()
    await source.refresh()
    async with _running(source.keep_fresh()):
        yield source


@contextlib.asynccontextmanager
async def _running(work: Awaitable[None]) -> AsyncGenerator[None]:
    task = asyncio.ensure_future(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


ROLES: Mapping[str, Body] = {
    "api": run_api,
    "dispatch": run_dispatch,
    "observe": run_observe,
    "control": run_control,
}
