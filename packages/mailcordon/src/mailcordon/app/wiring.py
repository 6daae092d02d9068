"""Parts that several roles are composed of."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine
from typing import Any

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.claim_store import ClaimStore
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.engine import Pool
from mailcordon.adapters.db.identity_check_store import IdentityCheckStore
from mailcordon.adapters.db.installation import declare_mode, load_installation
from mailcordon.adapters.db.path_store import PathStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.provider_store import ProviderFeed
from mailcordon.adapters.db.rollout_store import RolloutStore
from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.adapters.dns.reply import Server
from mailcordon.adapters.dns.resolver import Resolver
from mailcordon.adapters.ses.certificates import AwsSource, Certificates, LocalSource
from mailcordon.adapters.ses.feedback import Reader
from mailcordon.adapters.ses.sns_signature import Proof
from mailcordon.config import Config
from mailcordon.control import lapses, retirement, send_count
from mailcordon.control.claims import Claims
from mailcordon.control.desired import Settings
from mailcordon.control.governor import Governor
from mailcordon.control.identity_checks import IdentityChecks
from mailcordon.control.plans import Plans
from mailcordon.control.rollouts.changes import Changes as RolloutChanges
from mailcordon.control.rollouts.loop import EVERY_MS, Rollouts
from mailcordon.core.errors import Unavailable
from mailcordon.core.installation import Installation
from mailcordon.core.priority import Class
from mailcordon.messages import database
from mailcordon.observe.ingest import Ingest
from mailcordon.send.provider_table import ProviderTable


def settings(config: Config) -> Settings:
    """What the control plane needs to know of this process's settings."""
    assert config.outcome_topic_arn is not None
    assert config.engagement_topic_arn is not None
    return Settings(
        outcome_topic_arn=config.outcome_topic_arn,
        engagement_topic_arn=config.engagement_topic_arn,
        local=config.local,
        mail_from_label=config.mail_from_label,
    )


def set_seconds(config: Config, class_: Class) -> float:
    """How long a tenant's own configuration set of a class is kept after its last mail: as long as SES may report on it."""
    days = config.keep_sets_days * 86_400.0
    return max(days, retirement.late_seconds(class_, local=config.local))


def kept_ms(config: Config) -> list[int]:
    """`set_seconds` of each class, in milliseconds."""
    return [int(1000 * set_seconds(config, class_)) for class_ in Class]


def resolver(config: Config) -> Resolver:
    servers = [Server(address, port) for address, port in config.dns_servers]
    return Resolver(servers, seconds=float(config.dns_timeout_seconds))


def plans(config: Config, control: Pool, governor: Governor, *, observe_only: bool = False) -> Plans:
    """`control`: a pool of the control login. `observe_only`: no plan is applied."""
    rate = None if config.local else config.ses_calls_per_second
    return Plans(
        PlanStore(control, kept_ms(config)),
        governor,
        settings(config),
        calls_per_second=rate,
        suffixes=PublicSuffixes(),
        observe_only=observe_only,
    )


def claims(config: Config, control: Pool, plans: Plans, *, reader: Pool | None = None) -> Claims:
    """`control`, `reader`: pools of these logins; without `reader`, no tenant's key reads."""
    found = resolver(config)
    return Claims(
        ClaimStore(control, reader, kept_ms(config)),
        plans,
        lambda: found.check(authoritative=True),
        lapse_days=config.claim_days,
        look_seconds=2.0 if config.local else 60.0,
    )


def identity_checks(
    config: Config, control: Pool, reads: ControlReader, governor: Governor, *, reader: Pool | None = None
) -> IdentityChecks:
    """`control`, `reader`: pools of these logins; without `reader`, no tenant's key reads."""
    found = resolver(config)
    return IdentityChecks(
        IdentityCheckStore(control, reader),
        reads,
        governor,
        lambda seconds: found.check(authoritative=True, seconds=seconds),
        PublicSuffixes(),
        region=config.region,
        rules=lapses.Rules(over_ms=int(config.lapse_hours * 3_600_000)),
    )


@contextlib.asynccontextmanager
async def provider_table(config: Config, stop: asyncio.Event) -> AsyncGenerator[ProviderTable]:
    """What is known of recipients' domains, which follows what is learnt."""
    feed = ProviderFeed(config.login_url("send"))
    table = ProviderTable(feed)
    try:
        async with running(table.run(), stop):
            yield table
    finally:
        await feed.close()


async def installation(config: Config, login: str) -> Installation:
    """The installation with its keys. Raises Unavailable if the database has none yet."""
    connection = await engine.connect(config.login_url(login))
    try:
        return await read_installation(connection, config)
    finally:
        await connection.close()


async def read_installation(connection: engine.Connection, config: Config) -> Installation:
    """As `installation`, over a connection that is there."""
    installation = await load_installation(connection, config.secret_keys)
    if installation is None:
        raise Unavailable(database.installation_missing())
    if config.observe_only is not None:
        installation.observe_only = config.observe_only
    return installation


async def remember_mode(config: Config) -> None:
    """What MAILCORDON_OBSERVE_ONLY says holds for processes that are started without it, too. Raises Refused."""
    if config.observe_only is not None:
        connection = await engine.connect(config.login_url("control"))
        try:
            await declare_mode(connection, observe_only=config.observe_only, actor="settings")
        finally:
            await connection.close()


def event_reader(config: Config) -> Reader:
    """Decodes events, and believes those that MAILCORDON_EVENT_PROOF proves."""
    if config.event_proof != "signature":
        return Reader(Proof(config.topic_arns))
    return Reader(signatures(config))


def signatures(config: Config) -> Proof:
    """Checks SNS's signatures, whatever proves the events of the queues."""
    endpoint = config.sqs_endpoint if config.local else None
    source = AwsSource() if endpoint is None else LocalSource(endpoint)
    return Proof(config.topic_arns, Certificates(source))


def ingest(config: Config, installation: Installation) -> Ingest:
    """Stores events, in whichever process they arrive."""
    return Ingest(
        installation,
        kept_days=config.keep_records_days,
        observe_only=installation.observe_only,
        identity_topics=frozenset(config.identity_topic_arns),
        soft_bounces=config.soft_bounces,
    )


@contextlib.asynccontextmanager
async def running(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> AsyncGenerator[None]:
    """Runs `work` beside the body. If it ends early, `stop` is set: a role without it must not look healthy."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda _: stop.set())
    try:
        yield
    finally:
        if not task.done():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        else:
            task.result()


async def always() -> bool:
    """For a loop that works in this process at any time."""
    return True


def count_lag_ms(config: Config) -> int:
    """By how much SES's own count may be late. The local SES counts at once."""
    return 0 if config.local else send_count.LAG_MS


def rollouts(control: Pool, *, local: bool) -> Rollouts:
    return Rollouts(RolloutStore(control), PathStore(control), every_ms=1_000 if local else EVERY_MS)


def rollout_changes(control: Pool, plans: Plans) -> RolloutChanges:
    return RolloutChanges(RolloutStore(control), rollouts(control, local=False), plans)
