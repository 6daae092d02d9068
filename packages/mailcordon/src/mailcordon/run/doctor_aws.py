"""`mailcordon doctor --aws`: what AWS, the database's settings and the names that lead here are like. Changes and sends nothing.

All checks run at once, each for SECONDS at most. One says ok only of what it asked; else "cannot check ..., because ..., do ...".
Nothing that is printed holds a secret: credentials are named by whose they are.
"""

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
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
from mailcordon.adapters.ses import boto_calls, queue_policy
from mailcordon.config import Config
from mailcordon.messages import doctor_aws as messages
from mailcordon.run import iam_policies
from mailcordon.run.finding import Finding

SECONDS = 15  #: for one check
KINDS = ("send", "administer", "observe")
#: Seconds that this host's clock may differ: SES refuses signatures from 300 s on (ses.md 3.4).
CLOCK_WARN, CLOCK_BAD = 30, 240
LEAST_RETENTION = 7 * 86_400
LEAST_LOCKS = 256
#: Connections that a rolling restart may add: one of each role has 55 without mail (docs/sizing.md), restarted in turn.
RESERVE = 40
CERTIFICATE_DAYS = 14
#: Calls that read something of the whole account, or of a name that nobody has.
HARMLESS: Mapping[str, tuple[str, Mapping[str, object]]] = {
    "ses:GetAccount": ("get_account", {}),
    "ses:ListConfigurationSets": ("list_configuration_sets", {"PageSize": 1}),
    "ses:ListEmailIdentities": ("list_email_identities", {"PageSize": 1}),
    "ses:ListTenants": ("list_tenants", {"PageSize": 1}),
    "ses:GetConfigurationSet": ("get_configuration_set", {"ConfigurationSetName": "mc-doctor"}),
    "ses:GetEmailIdentity": ("get_email_identity", {"EmailIdentity": "doctor.mailcordon.invalid"}),
}
#: What is looked at, as the findings name it.
_REGION = "AWS region"
_CREDENTIALS = "AWS credentials"
_RESOLVER = "DNS resolver"
_RULE = "EventBridge rule"

_DENIED = frozenset(
    {"AccessDenied", "AccessDeniedException", "AuthorizationError", "AuthorizationErrorException"}
)
_SENDS = ("ses:SendRawEmail", "ses:SendBulkEmail", "ses:SendTemplatedEmail")


@dataclass(slots=True)
class Aws:
    """The account, asked through the profile of each kind of calls."""

    config: Config
    sessions: dict[str, Any] = field(default_factory=dict[str, Any])
    _made: dict[tuple[str, str], Any] = field(default_factory=dict[tuple[str, str], Any])
    _making: threading.Lock = field(
        default_factory=threading.Lock
    )  #: sessions are not safe to share while they make clients

    @property
    def local(self) -> bool:
        """Whether this is a local SES, which has no STS and no IAM to ask."""
        return self.config.ses_endpoint is not None

    def client(self, service: str, kind: str) -> Any:
        with self._making:
            if (service, kind) not in self._made:
                self._made[service, kind] = self._make(service, kind)
            return self._made[service, kind]

    def _make(self, service: str, kind: str) -> Any:
        config = self.config
        if kind not in self.sessions:
            own = kind in config.profiles
            self.sessions[kind] = boto_calls.session(
                region=config.region,
                access_key=None if own else config.access_key,
                secret_key=None if own else config.secret_key,
                profile=config.profiles.get(kind),
            )
        endpoints = {"sesv2": config.ses_endpoint, "sns": config.sqs_endpoint, "sqs": config.sqs_endpoint}
        return self.sessions[kind].client(
            service, endpoint_url=endpoints.get(service), config=boto_calls.configuration(10)
        )

    async def call(self, service: str, kind: str, method: str, **members: object) -> Any:
        """Raises ClientError, BotoCoreError or Unavailable."""
        client = await asyncio.to_thread(self.client, service, kind)
        return await asyncio.to_thread(partial(getattr(client, method), **members))

    def close(self) -> None:
        for client in self._made.values():
            client.close()


async def find(config: Config) -> list[Finding]:
    aws = Aws(config)
    checks: list[tuple[str, str, Callable[[], Awaitable[list[Finding]]]]] = [
        (_REGION, "set the settings to one region", partial(_region, config)),
        (_CREDENTIALS, messages.credentials_do(profile=None), partial(_credentials, aws)),
        (
            "SES account",
            "give the role administer what `mailcordon iam administer` prints",
            partial(_account, aws),
        ),
        (_RESOLVER, messages.dns_do(), partial(_dns, config)),
        ("database server", "see docs/operations.md, Your own PostgreSQL", partial(_database, config)),
        ("schema", "mailcordon migrate", partial(_schema, config)),
        (_RULE, "", _rule),
    ]
    for kind in ("outcome", "engagement"):
        checks += [
            (
                f"{kind} queue attributes",
                "give the role observe what `mailcordon iam observe` prints",
                partial(_queue, aws, kind),
            ),
            (f"{kind} topic", _topic_do(config, kind), partial(_topic, aws, kind)),
        ]
    checks += [
        (f"IAM, {kind}", f"give it what `mailcordon iam {kind}` prints", partial(_iam, aws, kind))
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


async def _credentials(aws: Aws) -> list[Finding]:
    found: list[Finding] = []
    whose: dict[str, list[str]] = {}
    for kind in KINDS:
        about, profile = f"AWS credentials, {kind}", aws.config.profiles.get(kind)
        do = messages.credentials_do(profile=profile)
        try:
            await asyncio.to_thread(aws.client, "sesv2", kind)
            has = await asyncio.to_thread(aws.sessions[kind].get_credentials)
            if has is None:
                says = messages.cannot(what=about, why="AWS's tools find none", do=do)
                found.append(Finding(about, "bad", says, False))
                continue
            who = None if aws.local else str((await aws.call("sts", kind, "get_caller_identity"))["Arn"])
        except Exception as error:  # the other profiles are asked too
            found.append(Finding(about, "bad", messages.cannot(what=about, why=str(error), do=do), True))
            continue
        found.append(Finding(about, "ok", messages.credentials_ok(kind=kind, profile=profile, who=who)))
        if who is not None:
            whose.setdefault(who.rpartition("/")[0], []).append(kind)
    for who, kinds in whose.items():
        if len(kinds) > 1:
            found.append(Finding(_CREDENTIALS, "warn", messages.one_identity(kinds=kinds, who=who), False))
    return found


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


async def _queue(aws: Aws, kind: str) -> list[Finding]:
    about = f"{kind} queue attributes"
    url = getattr(aws.config, f"{kind}_queue_url")
    said = await aws.call("sqs", "observe", "get_queue_attributes", QueueUrl=url, AttributeNames=["All"])
    has: Mapping[str, str] = said.get("Attributes", {})
    found: list[Finding] = []
    if has.get("RedrivePolicy"):
        found.append(Finding(about, "bad", messages.queue_redrives(kind=kind), False))
    keeps = int(has.get("MessageRetentionPeriod", 0))
    if keeps < LEAST_RETENTION:
        found.append(Finding(about, "warn", messages.queue_forgets(kind=kind, seconds=keeps), False))
    waiting = int(has.get("ApproximateNumberOfMessages", 0))
    return found or [
        Finding(about, "ok", messages.queue_ok(kind=kind, days=keeps // 86_400, waiting=waiting))
    ]


def _topic_do(config: Config, kind: str) -> str:
    if kind == "outcome":
        return "create it (docs/aws.md), or give the role administer what `mailcordon iam administer` prints"
    arn = config.engagement_topic_arn
    return f"look with a login that may: aws sns list-subscriptions-by-topic --topic-arn {arn}"


async def _topic(aws: Aws, kind: str) -> list[Finding]:
    """Whether it exists and feeds the queue. No role may read the engagement topic: that it cannot be read is a warning."""
    about = f"{kind} topic"
    arn, url = getattr(aws.config, f"{kind}_topic_arn"), getattr(aws.config, f"{kind}_queue_url")
    try:
        await aws.call("sns", "administer", "get_topic_attributes", TopicArn=arn)
        subscribed: list[str] = []
        more: dict[str, str] = {}
        while True:
            page = await aws.call("sns", "administer", "list_subscriptions_by_topic", TopicArn=arn, **more)
            subscribed += [str(one["Endpoint"]) for one in page.get("Subscriptions", ())]
            if not page.get("NextToken"):
                break
            more = {"NextToken": page["NextToken"]}
    except ClientError as error:
        if kind == "outcome" or not _is_denied(error):
            raise
        says = messages.cannot(
            what=about, why="no role of Mailcordon may read it", do=_topic_do(aws.config, kind)
        )
        return [Finding(about, "warn", says, False)]
    queue = queue_policy.queue_arn(url, region=aws.config.region, topic=arn)
    if queue not in subscribed:
        return [Finding(about, "bad", messages.topic_unsubscribed(kind=kind, topic=arn, queue=queue), False)]
    return [Finding(about, "ok", messages.topic_ok(kind=kind, subscriptions=len(subscribed)))]


async def _rule() -> list[Finding]:
    return [Finding(_RULE, "warn", messages.rule_not_read(), False)]


def _is_denied(error: ClientError) -> bool:
    code = boto_calls.failure(error).error.code
    return code in _DENIED


async def _iam(aws: Aws, kind: str) -> list[Finding]:
    """By SimulatePrincipalPolicy where that is allowed, else by harmless calls."""
    about = f"IAM, {kind}"
    if not aws.local:
        try:
            return await _simulated(aws, kind, about)
        except ClientError as error:
            if not _is_denied(error):
                raise
    if kind == "send":
        return [Finding(about, "warn", messages.send_not_asked(), False)]
    asked, denied = await (_asked_queues(aws) if kind == "observe" else _asked_ses(aws))
    how = "harmless calls"
    if denied:
        return [Finding(about, "bad", messages.iam_denied(kind=kind, how=how, denied=denied), False)]
    return [Finding(about, "ok", messages.iam_ok(kind=kind, how=how, actions=asked))]


async def _asked_ses(aws: Aws) -> tuple[int, list[str]]:
    denied: list[str] = []
    for action, (method, members) in HARMLESS.items():
        try:
            await aws.call("sesv2", "administer", method, **members)
        except ClientError as error:
            code = boto_calls.failure(error).error.code
            if _is_denied(error):
                denied.append(action)
            elif code != "NotFoundException":  # nobody has the name: the call was allowed
                raise
    return len(HARMLESS), denied


async def _asked_queues(aws: Aws) -> tuple[int, list[str]]:
    denied: list[str] = []
    for url in (aws.config.outcome_queue_url, aws.config.engagement_queue_url):
        try:
            await aws.call(
                "sqs", "observe", "get_queue_attributes", QueueUrl=url, AttributeNames=["QueueArn"]
            )
        except ClientError as error:
            if not _is_denied(error):
                raise
            denied.append("sqs:GetQueueAttributes")
    return 1, denied


async def _simulated(aws: Aws, kind: str, about: str) -> list[Finding]:
    """Each action of the printed policy against its own resources, and what the policy must not allow."""
    who = str((await aws.call("sts", kind, "get_caller_identity"))["Arn"])
    _, _, _, _, account, rest = who.split(":", 5)
    role = who
    if rest.startswith("assumed-role/"):
        role = f"{who.split(':sts:')[0]}:iam::{account}:role/{rest.split('/')[1]}"
    place = iam_policies.Place(account=account, region=aws.config.region, partition=who.split(":")[1])
    policy = getattr(iam_policies, kind)(place)
    how, asked = "SimulatePrincipalPolicy", 0
    denied: list[str] = []
    for statement in policy["Statement"]:
        if statement["Effect"] != "Allow":
            continue
        context = [
            {
                "ContextKeyName": "ses:TenantName",
                "ContextKeyValues": ["mc-doctor"],
                "ContextKeyType": "string",
            }
        ]
        resources = [one.replace("*", "mc-doctor") if one != "*" else one for one in statement["Resource"]]
        for action in statement["Action"]:
            asked += 1
            said = await aws.call(
                "iam",
                kind,
                "simulate_principal_policy",
                PolicySourceArn=role,
                ActionNames=[action],
                ResourceArns=resources,
                ContextEntries=context,
            )
            if all(one["EvalDecision"] != "allowed" for one in said["EvaluationResults"]):
                denied.append(action)
    said = await aws.call(
        "iam",
        kind,
        "simulate_principal_policy",
        PolicySourceArn=role,
        ActionNames=list(_SENDS),
        ResourceArns=["*"],
    )
    too_much = [
        one["EvalActionName"] for one in said["EvaluationResults"] if one["EvalDecision"] == "allowed"
    ]
    found: list[Finding] = []
    if denied:
        found.append(Finding(about, "bad", messages.iam_denied(kind=kind, how=how, denied=denied), False))
    if too_much:
        found.append(Finding(about, "bad", messages.iam_too_much(kind=kind, allowed=too_much), False))
    return found or [Finding(about, "ok", messages.iam_ok(kind=kind, how=how, actions=asked))]


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
