"""`mailcordon doctor --aws`: what AWS, the database's settings and the names that lead here are like. Changes and sends nothing.

All checks run at once, each for SECONDS at most. One says ok only of what it asked; else "cannot check ..., because ..., do ...".
Nothing that is printed holds a secret: credentials are named by whose they are.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError, ClientError

import mailcordon
from mailcordon.adapters.db import doctor_reader, engine, migrate
from mailcordon.adapters.dns.reply import NoReply, Server
from mailcordon.adapters.dns.resolver import Resolver, host_servers
from mailcordon.adapters.ses import boto_calls
from mailcordon.config import Config
from mailcordon.messages import doctor_aws as messages
from mailcordon.run import doctor_aws_events as events
from mailcordon.run import doctor_aws_iam as iam
from mailcordon.run.aws_account import KINDS, Aws
from mailcordon.run.finding import Finding

SECONDS = 15  #: for one check
#: Seconds that this host's clock may differ: SES refuses signatures from 300 s on (ses.md 3.4).
CLOCK_WARN, CLOCK_BAD = 30, 240
LEAST_LOCKS = 256
#: Connections that a rolling restart may add: one of each role has 55 without mail (docs/sizing.md), restarted in turn.
RESERVE = 40
CERTIFICATE_DAYS = 14
#: What is looked at, as the findings name it.
_REGION = "AWS region"
_RESOLVER = "DNS resolver"
_VERSIONS = "versions"


async def find(config: Config) -> list[Finding]:
    aws = Aws(config)
    checks: list[tuple[str, str, Callable[[], Awaitable[list[Finding]]]]] = [
        (_REGION, "set the settings to one region", partial(_region, config)),
        (iam.CREDENTIALS, messages.credentials_do(profile=None), partial(iam.credentials, aws)),
        (
            "SES account",
            "give the role administer what `mailcordon iam administer` prints",
            partial(_account, aws),
        ),
        (_RESOLVER, messages.dns_do(), partial(_dns, config)),
        ("database server", "see docs/operations.md, Your own PostgreSQL", partial(_database, config)),
        ("schema", "mailcordon migrate", partial(_schema, config)),
        (_VERSIONS, "see docs/upgrades.md", partial(_versions, config)),
        (
            events.RULE,
            "look with a login that may: aws events describe-rule --name mailcordon-management",
            partial(events.rule, aws),
        ),
    ]
    for kind in ("outcome", "engagement"):
        checks += [
            (
                f"{kind} queue attributes",
                "give the role observe what `mailcordon iam observe` prints",
                partial(events.queue, aws, kind),
            ),
            (f"{kind} topic", events.topic_do(config, kind), partial(events.topic, aws, kind)),
        ]
    checks += [
        (f"IAM, {kind}", f"give it what `mailcordon iam {kind}` prints", partial(iam.rights, aws, kind))
        for kind in KINDS
    ]
    try:
        found = await asyncio.gather(
            *(_checked(about, do, check) for about, do, check in checks),
            address_check("MAILCORDON_UNSUBSCRIBE_URL", config.unsubscribe_url)(),
            address_check("MAILCORDON_PUBLIC_URL", config.public_url)(),
        )
    finally:
        aws.close()
    return [one for each in found for one in each]


async def _checked(about: str, do: str, check: Callable[[], Awaitable[list[Finding]]]) -> list[Finding]:
    try:
        async with asyncio.timeout(SECONDS):
            return await check()
    except TimeoutError:
        why, retryable = messages.too_slow(seconds=SECONDS), True
    except ClientError as error:
        failed = boto_calls.failure(error)
        why, retryable = str(failed.error), failed.may_be_repeated
    except (BotoCoreError, OSError, NoReply) as error:
        why, retryable = (
            str(error) or type(error).__name__,
            not isinstance(error, ssl.SSLCertVerificationError),
        )
    except Exception as error:  # one document still comes out
        why, retryable = f"{type(error).__name__}: {error}", False
    return [Finding(about, "bad", messages.cannot(what=about, why=why, do=do), retryable)]


def address_check(name: str, url: str | None) -> Callable[[], Awaitable[list[Finding]]]:
    """The check of the URL of one setting."""
    about = "links to unsubscribe, TLS" if "UNSUBSCRIBE" in name else "public URL, TLS"
    return partial(_checked, about, messages.tls_do(), partial(_address, about, name, url))


async def _region(config: Config) -> list[Finding]:
    named = {
        "MAILCORDON_OUTCOME_TOPIC_ARN": config.outcome_topic_arn,
        "MAILCORDON_ENGAGEMENT_TOPIC_ARN": config.engagement_topic_arn,
    }
    found = [
        Finding(
            _REGION,
            "bad",
            messages.other_region(region=config.region, name=name, other=arn.split(":")[3]),
            False,
        )
        for name, arn in named.items()
        if arn is not None and arn.split(":")[3] != config.region
    ]
    for name, url in (
        ("MAILCORDON_OUTCOME_QUEUE_URL", config.outcome_queue_url),
        ("MAILCORDON_ENGAGEMENT_QUEUE_URL", config.engagement_queue_url),
        ("MAILCORDON_MANAGEMENT_QUEUE_URL", config.management_queue_url),
    ):
        host = (urlsplit(url or "").hostname or "").split(".")
        if len(host) > 2 and host[0] == "sqs" and host[1] != config.region:
            says = messages.other_region(region=config.region, name=name, other=host[1])
            found.append(Finding(_REGION, "bad", says, False))
    return found or [Finding(_REGION, "ok", messages.region_ok(region=config.region))]


async def _account(aws: Aws) -> list[Finding]:
    asked = datetime.now(UTC)
    about = "SES account"
    try:
        said = await aws.call("sesv2", "administer", "get_account")
    except ClientError as error:
        clock = [one for one in _clock(error.response, asked) if one.state != "ok"]
        if not clock:
            raise
        why = str(boto_calls.failure(error).error)
        says = messages.cannot(what=about, why=why, do="correct this host's clock, and try again")
        return [*clock, Finding(about, "bad", says, True)]
    found = _clock(said, asked)
    quota = said.get("SendQuota", {})
    day, second = int(quota.get("Max24HourSend", 0)), float(quota.get("MaxSendRate", 0))
    sent = int(quota.get("SentLast24Hours", 0))
    if not said.get("ProductionAccessEnabled"):
        found.append(Finding(about, "warn", messages.sandbox(day=day, second=second), False))
    if not said.get("SendingEnabled", True):
        found.append(Finding(about, "bad", messages.sending_off(), False))
    status = said.get("EnforcementStatus", "HEALTHY")
    if status != "HEALTHY":
        state = "bad" if status == "SHUTDOWN" else "warn"
        found.append(Finding(about, state, messages.under_review(status=status), False))
    if 0 < day * 4 < sent * 5:
        found.append(Finding(about, "warn", messages.quota_near(day=day, sent=sent), True))
    if all(one.about != about for one in found):
        found.append(Finding(about, "ok", messages.account_ok(day=day, second=second, sent=sent)))
    return found


def _clock(said: Mapping[str, Any], asked: datetime) -> list[Finding]:
    """Between when we asked and when the answer came, by the Date header of SES's answer."""
    stamp = said.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    if stamp is None:
        return []
    theirs = parsedate_to_datetime(stamp)
    early, late = (asked - theirs).total_seconds() - 1, (theirs - datetime.now(UTC)).total_seconds()
    seconds = max(0, int(max(early, late)))
    if seconds < CLOCK_WARN:
        return [Finding("clock", "ok", messages.clock_ok(seconds=seconds))]
    state = "bad" if seconds >= CLOCK_BAD else "warn"
    return [Finding("clock", state, messages.clock_wrong(seconds=seconds), True)]


async def _dns(config: Config) -> list[Finding]:
    servers = [Server(*each) for each in config.dns_servers] or list(host_servers())
    resolver = Resolver(servers, seconds=float(config.dns_timeout_seconds))
    deadline = monotonic() + SECONDS
    await resolver.ask(servers, "amazonses.com", "MX", recursive=True, deadline=deadline)
    return [Finding(_RESOLVER, "ok", messages.dns_ok(server=servers[0].address))]


async def _database(config: Config) -> list[Finding]:
    connection = await engine.connect(config.login_url("control"))
    try:
        has = await doctor_reader.server(connection)
    finally:
        await connection.close()
    about = "database server"
    found: list[Finding] = []

    def wrong(setting: str, value: str, wanted: str, why: str) -> None:
        says = messages.database_setting(setting=setting, value=value, wanted=wanted, why=why)
        found.append(Finding(about, "warn", says, False))

    if has.autovacuum != "on":
        wrong("autovacuum", has.autovacuum, "on", "the queue's tables grow without it")
    if has.locks < LEAST_LOCKS:
        why = "a statement over 90 days of records locks several hundred partitions"
        wrong("max_locks_per_transaction", str(has.locks), str(LEAST_LOCKS), why)
    if has.full_page_writes != "on":
        wrong("full_page_writes", has.full_page_writes, "on", "a power failure can then damage pages")
    if has.used + RESERVE > has.most:
        says = messages.connections_near(most=has.most, used=has.used, reserve=RESERVE)
        found.append(Finding(about, "warn", says, False))
    return found or [
        Finding(about, "ok", messages.database_ok(version=has.version, most=has.most, used=has.used))
    ]


async def _schema(config: Config) -> list[Finding]:
    connection = await engine.connect(config.login_url("control"))
    try:
        applied = await doctor_reader.migrations(connection)
    finally:
        await connection.close()
    shipped = [one.name for one in migrate.shipped_migrations()]
    if applied is None:
        return [
            Finding(
                "schema",
                "warn",
                messages.cannot(
                    what="the schema",
                    why="the login control may not read which migrations were applied",
                    do="mailcordon migrate says whether any is missing",
                ),
                False,
            )
        ]
    if missing := [name for name in shipped if name not in applied]:
        return [Finding("schema", "bad", messages.schema_old(missing=missing), False)]
    if unknown := sorted(applied - set(shipped)):
        return [Finding("schema", "warn", messages.schema_new(unknown=unknown), False)]
    return [Finding("schema", "ok", messages.schema_ok(version=mailcordon.__version__, newest=shipped[-1]))]


async def _versions(config: Config) -> list[Finding]:
    """Those of the other processes, as they report them."""
    connection = await engine.connect(config.login_url("control"))
    try:
        running = await doctor_reader.processes(connection)
    finally:
        await connection.close()
    ours = mailcordon.__version__
    others = [one for one in running if one.version != ours]
    if not running:
        return [Finding(_VERSIONS, "warn", messages.nothing_reports(), True)]
    if not others:
        return [Finding(_VERSIONS, "ok", messages.versions_ok(version=ours, processes=len(running)))]
    named = [f"{one.role} on {one.host} (pid {one.pid}), {one.version or 'unknown'}" for one in others]
    return [Finding(_VERSIONS, "warn", messages.other_versions(version=ours, others=named), False)]


async def _address(about: str, name: str, url: str | None) -> list[Finding]:
    """Whether the URL is reached over TLS with a certificate that is trusted, and leads to an API."""
    parts = urlsplit(url or "")
    if url is None or parts.hostname is None or parts.scheme != "https":
        return [Finding(about, "warn", messages.no_address(name=name), False)]
    reader, writer = await asyncio.open_connection(
        parts.hostname, parts.port or 443, ssl=ssl.create_default_context(), server_hostname=parts.hostname
    )
    try:
        certificate: Mapping[str, Any] = writer.get_extra_info("peercert")
        ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
        days = int((ends - datetime.now(UTC).timestamp()) // 86_400)
        found = [
            Finding(
                about, "warn" if days < CERTIFICATE_DAYS else "ok", messages.tls_ok(url=url, days=days), None
            )
        ]
        base = parts.path.rstrip("/")
        head = f"GET {base}/v1/health HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode("ascii"))
        await writer.drain()
        status = int((await reader.readline()).split()[1])
    finally:
        writer.close()
    if status != 200:
        found.append(Finding(about, "warn", messages.not_ours(url=url, status=status), status >= 500))
    return found
