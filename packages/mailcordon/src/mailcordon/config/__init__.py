"""All settings of one process, read once from its environment and frozen.

The process does not start if a setting is wrong, unknown or missing: every fault gets a sentence. `mailcordon up` passes what it
has found out (ports, database addresses, the local SES) to its children as the same settings, so a role process that a person or
a service manager starts is configured in the same way.
"""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mailcordon.config import dashboard as dashboard_settings
from mailcordon.config import door
from mailcordon.config import metrics as metrics_settings
from mailcordon.config import oidc as oidc_settings
from mailcordon.config import smtp as smtp_settings
from mailcordon.config.dashboard import DashboardSettings
from mailcordon.config.metrics import MetricsEndpoint
from mailcordon.config.setting_reader import SettingReader
from mailcordon.config.smtp import SmtpSettings
from mailcordon.core import names
from mailcordon.core.errors import BadConfig
from mailcordon.core.suppression import DAY_MS, HOUR_MS, SoftBouncePolicy
from mailcordon.door import client_address
from mailcordon.door.buckets import TENANT_RATES, Rates
from mailcordon.door.client_address import Network
from mailcordon.door.limits import Limits
from mailcordon.door.reads import ReadLimits
from mailcordon.host.home import AUDIT_CHECKPOINTS_FILE, DATABASE_FILE, SECRET_KEYS_FILE
from mailcordon.messages import settings
from mailcordon.send.pending import Pending

#: The database logins that each role process needs and gets. `api` serves the routes of every plane, and `dashboard`
#: calls them for its pages, so they have all of them.
PROCESS_LOGINS: Mapping[str, tuple[str, ...]] = {
    "api": ("send", "control", "governor", "observe", "reader"),
    "dispatch": ("send", "governor"),
    "observe": ("observe", "governor"),
    "control": ("control", "governor"),
    "smtp": ("send",),
    "dashboard": ("send", "control", "governor", "observe", "reader"),
}
LOGINS = ("control", "governor", "send", "observe", "reader")
#: Queues of events about mail. Each has a topic, and its setting is required on AWS.
QUEUES = {"outcome": "mailcordon-outcome", "engagement": "mailcordon-engagement"}
MANAGEMENT_QUEUE = "mailcordon-management"  #: also the name of EventBridge's rule that feeds it
LOCAL_ACCOUNT = "123456789012"

REGION = r"[a-z]{2}(-[a-z]+)+-\d"
_NAME_IN_WORDS = "1 to 32 of a-z, 0-9 and -"
_TOPIC = r"arn:[a-z-]+:sns:[a-z0-9-]+:\d+:[A-Za-z0-9_-]{1,256}"
_PROFILE = r"[A-Za-z0-9_.@:/+=,-]{1,128}"
_PROFILE_IN_WORDS = "the name of an AWS profile of this host"
_TOPIC_IN_WORDS = "the ARN of an SNS topic, such as arn:aws:sns:us-east-1:123456789012:name"
_TOPICS_IN_WORDS = "ARNs of SNS topics, separated by commas"
_CHECKPOINTS_IN_WORDS = "the path of a file, or log, or both with a comma between them"
_HOST_AND_PATH = r"([A-Za-z0-9.-]{1,253}|\[[0-9a-f:]{2,39}\])(:\d{1,5})?(/[A-Za-z0-9._~-]{1,100}){0,3}/?"
_UNSUBSCRIBE_IN_WORDS = (
    "a URL that begins with https:// and has no query, such as https://links.platform.example"
)
_SECRET_KEYS_IN_WORDS = "keys of 32 bytes in URL-safe base64, separated by commas"  # noqa: S105 (words, not a key)

#: Every variable that a process, the command line or the tests read. Any other MAILCORDON_* variable is a typing error.
KNOWN = frozenset(
    [
        "MAILCORDON_HOME",
        "MAILCORDON_DATABASE_URL",
        *(f"MAILCORDON_DATABASE_URL_{login.upper()}" for login in LOGINS),
        "MAILCORDON_API_HOST",
        "MAILCORDON_API_PORT",
        "MAILCORDON_API_FD",
        "MAILCORDON_METRICS",
        "MAILCORDON_METRICS_HOST",
        "MAILCORDON_METRICS_PORT",
        "MAILCORDON_METRICS_TOKEN",
        "MAILCORDON_SES",
        "MAILCORDON_SES_PORT",
        "MAILCORDON_SES_WORLD",
        "MAILCORDON_SES_ENDPOINT",
        "MAILCORDON_SQS_ENDPOINT",
        "MAILCORDON_REGION",
        "MAILCORDON_SEND_PROFILE",
        "MAILCORDON_ADMINISTER_PROFILE",
        "MAILCORDON_OBSERVE_PROFILE",
        "MAILCORDON_INSTALLATION",
        "MAILCORDON_SECRET_KEYS",
        "MAILCORDON_OUTCOME_QUEUE_URL",
        "MAILCORDON_ENGAGEMENT_QUEUE_URL",
        "MAILCORDON_MANAGEMENT_QUEUE_URL",
        "MAILCORDON_OUTCOME_TOPIC_ARN",
        "MAILCORDON_ENGAGEMENT_TOPIC_ARN",
        "MAILCORDON_IDENTITY_TOPIC_ARNS",
        "MAILCORDON_EVENT_TOPIC_ARNS",
        "MAILCORDON_EVENT_PROOF",
        "MAILCORDON_SES_CALLS_PER_SECOND",
        "MAILCORDON_SES_CALL_RATES",
        "MAILCORDON_CALL_SLOTS",
        "MAILCORDON_VISIBILITY_SECONDS",
        "MAILCORDON_RAMP_SECONDS",
        "MAILCORDON_CELL",
        "MAILCORDON_PROBE_SECONDS",
        "MAILCORDON_DRAIN_SECONDS",
        "MAILCORDON_KEEP_BODIES_DAYS",
        "MAILCORDON_KEEP_RECORDS_DAYS",
        "MAILCORDON_KEEP_PLANS_DAYS",
        "MAILCORDON_KEEP_MINUTE_COUNTS_DAYS",
        "MAILCORDON_KEEP_HOUR_COUNTS_DAYS",
        "MAILCORDON_KEEP_DAY_COUNTS_DAYS",
        "MAILCORDON_KEEP_SETS_DAYS",
        "MAILCORDON_KEEP_CALLS_DAYS",
        "MAILCORDON_PROOF_DAYS",
        "MAILCORDON_SOFT_BOUNCES",
        "MAILCORDON_SOFT_BOUNCE_WINDOW_DAYS",
        "MAILCORDON_SOFT_BOUNCE_SPREAD_DAYS",
        "MAILCORDON_SOFT_BOUNCE_OFF_DAYS",
        "MAILCORDON_SOFT_BOUNCE_PAUSE",
        "MAILCORDON_SOFT_BOUNCE_PAUSE_HOURS",
        "MAILCORDON_AUDIT_CHECKPOINTS",
        "MAILCORDON_LOG",
        "MAILCORDON_SMTP",
        "MAILCORDON_SMTP_HOST",
        "MAILCORDON_SMTP_PORT",
        "MAILCORDON_SMTPS_PORT",
        "MAILCORDON_SMTP_FD",
        "MAILCORDON_SMTPS_FD",
        "MAILCORDON_SMTP_TLS_CERTIFICATE",
        "MAILCORDON_SMTP_TLS_KEY",
        "MAILCORDON_DASHBOARD",
        "MAILCORDON_DASHBOARD_HOST",
        "MAILCORDON_DASHBOARD_PORT",
        "MAILCORDON_DASHBOARD_FD",
        "MAILCORDON_DASHBOARD_URL",
        "MAILCORDON_TRUSTED_PROXIES",
        "MAILCORDON_TLS_CERTIFICATE",
        "MAILCORDON_TLS_KEY",
        "MAILCORDON_HEAD_BYTES",
        "MAILCORDON_HEAD_FIELDS",
        "MAILCORDON_HEAD_SECONDS",
        "MAILCORDON_BODY_SECONDS",
        "MAILCORDON_BODY_BYTES_PER_SECOND",
        "MAILCORDON_BODY_MEMORY_MB",
        "MAILCORDON_RESPONSE_SECONDS",
        "MAILCORDON_IDLE_SECONDS",
        "MAILCORDON_CONNECTIONS",
        "MAILCORDON_CONNECTIONS_PER_ADDRESS",
        "MAILCORDON_CONNECTIONS_PER_KEY",
        "MAILCORDON_REQUESTS_PER_ADDRESS",
        "MAILCORDON_REQUESTS_PER_KEY",
        "MAILCORDON_PIPELINED_REQUESTS",
        "MAILCORDON_KEY_MESSAGES_PER_SECOND",
        "MAILCORDON_KEY_BYTES_PER_SECOND",
        "MAILCORDON_KEY_READS_PER_SECOND",
        "MAILCORDON_TENANT_MESSAGES_PER_SECOND",
        "MAILCORDON_TENANT_BYTES_PER_SECOND",
        "MAILCORDON_TENANT_READS_PER_SECOND",
        "MAILCORDON_PENDING_MESSAGES_PER_TENANT",
        "MAILCORDON_PENDING_MESSAGES",
        "MAILCORDON_PENDING_MB_PER_TENANT",
        "MAILCORDON_PENDING_MB",
        "MAILCORDON_READS_AT_ONCE",
        "MAILCORDON_READS_AT_ONCE_PER_CALLER",
        "MAILCORDON_READS_WAITING_PER_CALLER",
        "MAILCORDON_READS_WAITING",
        "MAILCORDON_READ_SECONDS",
        "MAILCORDON_DNS_SERVERS",
        "MAILCORDON_DNS_TIMEOUT_SECONDS",
        "MAILCORDON_CLAIM_DAYS",
        "MAILCORDON_MAIL_FROM_LABEL",
        "MAILCORDON_LAPSE_HOURS",
        "MAILCORDON_OBSERVE_ONLY",
        "MAILCORDON_ALERT_NETWORKS",
        "MAILCORDON_ALERT_API_URL",
        "MAILCORDON_UNSUBSCRIBE_URL",
        "MAILCORDON_PUBLIC_URL",
        *oidc_settings.NAMES,
        "MAILCORDON_URL",
        "MAILCORDON_KEY",
        "MAILCORDON_TEST_DATABASE_URL",
        "MAILCORDON_TEST_BINARIES",
        "MAILCORDON_SHARED",
    ]
)


_THIS_MACHINE = client_address.parse_networks("127.0.0.0/8, ::1/128")


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Each field has its unit, its default and the reason for the default."""

    #: Directory of all state: database, keys, logs. `.mailcordon/` in a checkout, else `~/.local/state/mailcordon`:
    #: deleting one directory deletes everything.
    home: Path
    #: The address that `up` and `migrate` use, of a PostgreSQL >= 15. None: the embedded one, so nothing has to be installed.
    database_url: str | None = None
    #: Addresses by login. Default: those that `migrate` wrote to the home.
    login_urls: Mapping[str, str] = field(default_factory=dict[str, str])
    #: Address the API listens on. Default: this machine only, because the API must be exposed behind TLS.
    api_host: str = "127.0.0.1"
    #: TCP port; 0 takes a free one. None: 8025 if it is free, so that examples can be pasted, else any.
    api_port: int | None = None
    #: Number of a listening socket that `up` passes on, instead of host and port: `up` keeps it open while the API restarts.
    api_fd: int | None = None
    #: `local` or `aws`. AWS only if set: credentials found in the environment must not start to send.
    ses: str = "local"
    #: TCP port of the local SES; 0 takes a free one. None: 8005 if it is free, else any.
    ses_port: int | None = None
    #: Settings of a world behind the local SES: TOML or JSON. None: all mail is delivered.
    ses_world: Path | None = None
    #: URLs of SES and SQS. None on AWS: the endpoints of the region.
    ses_endpoint: str | None = None
    sqs_endpoint: str | None = None
    #: AWS region; all resources of one cell are in one region.
    region: str = "us-east-1"
    #: The only credentials that the local SES accepts. None on AWS: botocore finds and renews them.
    access_key: str | None = "test"
    secret_key: str | None = "test"  # noqa: S105 (the local SES takes only this)
    #: AWS profiles with the credentials for each kind of calls: send, administer, observe. Default: what botocore finds, which is
    #: one identity for all processes of a host; with a role for each, sending and administering are apart. With the local SES:
    #: to try policies that its keys have.
    profiles: Mapping[str, str] = field(default_factory=dict[str, str])
    #: Tells our mail from another Mailcordon's in the same account; sent as a tag. 1 to 32 of a-z, 0-9 and -.
    installation: str = "local"
    #: Encrypt secrets in the database; the first encrypts, all decrypt. Local: one is created in the home at the first start.
    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    #: Where SES's events arrive. Two queues, so that a large mailing's opens do not delay bounces.
    outcome_queue_url: str | None = None
    engagement_queue_url: str | None = None
    outcome_topic_arn: str | None = None
    engagement_topic_arn: str | None = None
    #: Where SES's management events arrive, as CloudTrail reports them through EventBridge. None: what others change
    #: at SES is found only by the rolling check. The events need a trail and a rule, which are part of the infrastructure.
    management_queue_url: str | None = None
    #: Topics of identities (SetIdentityNotificationTopic), whose notifications have no tags: they are attributed by SES's id of
    #: the mail. Default: none, because an event without tags proves nothing about its mail.
    identity_topic_arns: tuple[str, ...] = ()
    #: More topics whose messages are read, e.g. of a set-up that is not ours yet. Default: none, because whoever publishes to a
    #: topic of this list is believed.
    event_topic_arns: tuple[str, ...] = ()
    #: What proves that an event comes from SES: `signature` (SNS's, checked for each message) or `queue-policy` (only our topics
    #: and rules can write to the queues). Default: the signature on AWS, because a policy may be wrong and nobody notices; the
    #: local SES signs only on request. Raw delivery and EventBridge have no signature and need `queue-policy`.
    event_proof: str = "queue-policy"
    #: Management calls to SES a second, all operations together. Default: 1 on AWS, which is what SES allows (ses.md 3.5); no
    #: limit for the local SES. Calls that send are not counted.
    ses_calls_per_second: float | None = None
    #: The same for single operations, by name. Default: none has a limit of its own.
    ses_call_rates: Mapping[str, float] = field(default_factory=dict[str, float])
    #: Most calls to SES that one dispatcher has open, with those whose results are not recorded yet. With 256,
    #: claims are large, which makes them cheap, and each is still below one second of work.
    call_slots: int = 256
    #: Seconds until a received event that was not stored can be received again. Well below 60 s, the grace of an urgent mail
    #: whose outcome is unknown, because the proof of what happened waits for it.
    visibility_seconds: int = 30
    #: Seconds until a stop is tested for the first time; doubles with each test, up to a minute (30 s if urgent mail waits). SES
    #: sees one test mail for each.
    probe_seconds: int = 1
    #: Seconds in which what was held gets back to its full rate, doubling from 20 mails a second.
    ramp_seconds: int = 60
    #: Name of the AWS account, region and database this process belongs to. One is enough to begin with.
    cell: str = "default"
    #: Seconds a process may take to finish its work before it is killed. SES answers well within 20.
    drain_seconds: float = 20.0
    #: Days after which bodies of mail are deleted; at least the longest expiry of a class, three days, and one more. A week is
    #: enough to look into a complaint about what was sent, and bodies are most of the space.
    keep_bodies_days: int = 7
    #: Days after which everything else about a mail is deleted. Bounces and complaints come within days; 90 days are a quarter
    #: of reports.
    keep_records_days: int = 90
    #: Days after its end until a plan is deleted, with its calls. A yearly review finds what was done since the last one; who
    #: decided what stays in the audit trail.
    keep_plans_days: int = 400
    keep_minute_counts_days: int = 14
    keep_hour_counts_days: int = 90
    keep_day_counts_days: int = 1096
    #: Days after its last mail until a tenant's own configuration set is deleted at SES, which then reports nothing more of it.
    #: 99 % of complaints come within four days. 0 on the local SES, which reports within seconds.
    keep_sets_days: int = 7
    #: Days that a dispatcher keeps its log of calls, which says what was sent since a backup (docs/backup.md); 0: it writes none.
    #: Longer than the time between two backups, and a weekend until somebody restores one.
    keep_calls_days: int = 3
    #: Days that a proof of a lane's attribution counts. Routes are the same for months, but topics, queues and their policies are
    #: not Mailcordon's, and nothing says that they changed.
    proof_days: int = 7
    #: When repeated soft bounces suppress an address (core/suppression.py). One full mailbox is emptied tomorrow; five refusals
    #: over three days are a mailbox that nobody reads. A month later it is tried again.
    soft_bounces: SoftBouncePolicy = field(default_factory=SoftBouncePolicy)
    #: Where the control process writes checkpoints of the audit trail: a file (None: none), lines of the log, or both. Default: a
    #: file in the home, so that there is always one outside of the database.
    audit_checkpoint_file: Path | None = None
    audit_checkpoint_log: bool = False
    #: What one caller may take of an API process; each limit has its own default and reason (door/limits.py).
    limits: Limits = field(default_factory=Limits)
    #: Proxies whose X-Forwarded-For names the client that is limited instead of them. None: anybody can write the header.
    trusted_proxies: tuple[Network, ...] = ()
    #: PEM files with which the API speaks TLS itself. None: a proxy in front of it does, which renews certificates too.
    tls_certificate: Path | None = None
    tls_key: Path | None = None
    #: Messages, bytes of bodies and reads a second that a tenant's key may use, in the long run (door/buckets.py). Generous: one
    #: API process takes two to three thousand messages a second, and SES grants most accounts less than one key may use.
    key_rates: Rates = field(default_factory=Rates)
    #: The same for a tenant, whatever keys are used: two keys' worth.
    tenant_rates: Rates = TENANT_RATES
    #: What may wait for its commit; each bound has its own reason (send/pending.py).
    pending: Pending = field(default_factory=Pending)
    #: Reads that run and wait; each limit has its own reason (door/reads.py).
    reads: ReadLimits = field(default_factory=ReadLimits)
    #: Seconds until the database ends a read. A page of any list takes milliseconds, and who waits for longer has given up.
    read_seconds: int = 5
    #: Resolvers, as address and port, for the look-ups of domains' records. None: those of this host. `up` names the local SES's.
    dns_servers: tuple[tuple[str, int], ...] = ()
    #: Seconds for one such look-up, with all tries; as long as resolvers themselves usually wait.
    dns_timeout_seconds: int = 5
    #: Days until a claim to a domain that nobody has proved lapses. Publishing DNS records takes an afternoon or a ticket; SES
    #: itself stops looking after three days.
    claim_days: int = 14
    #: DNS label of a new domain's MAIL FROM domain: with `bounce`, mail from acme.example bounces to bounce.acme.example, so that
    #: SPF aligns. Empty: SES's own.
    mail_from_label: str = "bounce"
    #: Hours over which a zone's own name servers must agree that a record is lost before that counts. A day: whoever moves a zone
    #: by mistake is back at work by then, and no cache is that old.
    lapse_hours: float = 24.0
    #: Whether the installation sends nothing and changes nothing at SES, and only counts mail of others (docs/observe-only.md).
    #: None: as the installation was last told, at first that it sends.
    observe_only: bool | None = None
    #: Networks that alerts and notices may be posted to although they are not public, and without TLS. Default: none on AWS,
    #: because whoever sets a webhook would reach what only our own network reaches; this machine with the local SES.
    alert_networks: tuple[Network, ...] = ()
    #: URL of our own API, where the e-mail of alerts is submitted. `up` names its own. None: no alert goes by e-mail.
    alert_api_url: str | None = None
    #: What links to unsubscribe begin with: an address that leads to the API, for as long as anybody has such a mail. None: only
    #: tenants with a host name of their own have links, and marketing mail of others must bring its own. `up` with the local SES
    #: names its own API.
    unsubscribe_url: str | None = None
    #: URL under which apps reach this API: receivers of webhooks in SNS's form get their certificate there. `up` with the
    #: local SES names its own.
    public_url: str | None = None
    #: Where this process answers `GET /metrics`; None: nowhere.
    metrics: MetricsEndpoint | None = field(default_factory=MetricsEndpoint)
    #: Where submission by SMTP listens; None: it is switched off.
    smtp: SmtpSettings | None = field(default_factory=SmtpSettings)
    #: Where the dashboard is served; None: it is switched off.
    dashboard: DashboardSettings | None = field(default_factory=DashboardSettings)
    #: Format of the log: `text` for people, `json` for machines (every line is a JSON object).
    log: str = "text"

    @property
    def local(self) -> bool:
        return self.ses == "local"

    @property
    def topic_arns(self) -> frozenset[str]:
        """The topics whose messages are read."""
        own = (self.outcome_topic_arn, self.engagement_topic_arn)
        named = (*own, *self.identity_topic_arns, *self.event_topic_arns)
        return frozenset(arn for arn in named if arn)

    def login_url(self, login: str) -> str:
        """The address for one login. Raises KeyError for a login that this process was not given."""
        return self.login_urls[login]

    def require_logins(self, role: str) -> None:
        """Raises BadConfig unless the role has all its addresses."""
        missing = [login for login in PROCESS_LOGINS[role] if login not in self.login_urls]
        if missing:
            raise BadConfig(*(settings.login_url_missing(role=role, login=login) for login in missing))


def read(environ: Mapping[str, str], role: str | None = None) -> Config:
    """The settings of this process; a role process gets only its own logins. Raises BadConfig with every fault found."""
    reader = SettingReader(environ, KNOWN)
    ses = reader.choice("MAILCORDON_SES", ("local", "aws"), "local")
    local = ses == "local"
    region = reader.pattern("MAILCORDON_REGION", REGION, "an AWS region such as us-east-1", "us-east-1")
    home = reader.home()
    ses_endpoint = reader.url("MAILCORDON_SES_ENDPOINT")
    checkpoint_file, checkpoint_log = _audit_checkpoints(reader, home)
    observe_only = _observe_only(reader)
    config = Config(
        home=home,
        database_url=reader.database("MAILCORDON_DATABASE_URL"),
        login_urls=_login_urls(reader, home, LOGINS if role is None else PROCESS_LOGINS[role]),
        api_host=environ.get("MAILCORDON_API_HOST") or "127.0.0.1",
        api_port=reader.port("MAILCORDON_API_PORT"),
        api_fd=reader.number("MAILCORDON_API_FD", 0, 0, 1_000_000) or None,
        ses=ses,
        ses_port=reader.port("MAILCORDON_SES_PORT"),
        ses_world=_ses_world(reader, starts_local_ses=local and ses_endpoint is None),
        ses_endpoint=ses_endpoint,
        sqs_endpoint=reader.url("MAILCORDON_SQS_ENDPOINT") or (ses_endpoint if local else None),
        region=region,
        access_key="test" if local else None,
        secret_key="test" if local else None,
        profiles=_profiles(reader),
        installation=reader.pattern(
            "MAILCORDON_INSTALLATION", names.SHORT, _NAME_IN_WORDS, "local" if local else None
        ),
        secret_keys=_secret_keys(reader, home, local=local),
        identity_topic_arns=reader.patterns("MAILCORDON_IDENTITY_TOPIC_ARNS", _TOPIC, _TOPICS_IN_WORDS),
        event_topic_arns=reader.patterns("MAILCORDON_EVENT_TOPIC_ARNS", _TOPIC, _TOPICS_IN_WORDS),
        event_proof=reader.choice(
            "MAILCORDON_EVENT_PROOF",
            ("signature", "queue-policy"),
            "queue-policy" if local else "signature",
        ),
        ses_calls_per_second=reader.rate("MAILCORDON_SES_CALLS_PER_SECOND", None if local else 1.0),
        ses_call_rates=reader.rates("MAILCORDON_SES_CALL_RATES"),
        call_slots=reader.number("MAILCORDON_CALL_SLOTS", 256, 1, 10_000),
        visibility_seconds=reader.number("MAILCORDON_VISIBILITY_SECONDS", 30, 1, 600),
        probe_seconds=reader.number("MAILCORDON_PROBE_SECONDS", 1, 1, 60),
        ramp_seconds=reader.number("MAILCORDON_RAMP_SECONDS", 60, 1, 3600),
        cell=reader.pattern("MAILCORDON_CELL", names.SHORT, _NAME_IN_WORDS, "default"),
        drain_seconds=float(reader.number("MAILCORDON_DRAIN_SECONDS", 20, 0, 600)),
        keep_bodies_days=reader.number("MAILCORDON_KEEP_BODIES_DAYS", 7, 4, 3650),
        keep_records_days=reader.number("MAILCORDON_KEEP_RECORDS_DAYS", 90, 4, 3650),
        keep_plans_days=reader.number("MAILCORDON_KEEP_PLANS_DAYS", 400, 4, 3650),
        keep_minute_counts_days=reader.number("MAILCORDON_KEEP_MINUTE_COUNTS_DAYS", 14, 4, 366),
        keep_hour_counts_days=reader.number("MAILCORDON_KEEP_HOUR_COUNTS_DAYS", 90, 14, 366),
        keep_day_counts_days=reader.number("MAILCORDON_KEEP_DAY_COUNTS_DAYS", 1096, 90, 36_500),
        keep_sets_days=reader.number("MAILCORDON_KEEP_SETS_DAYS", 0 if local else 7, 0, 90),
        keep_calls_days=reader.number("MAILCORDON_KEEP_CALLS_DAYS", 3, 0, 60),
        proof_days=reader.number("MAILCORDON_PROOF_DAYS", 7, 1, 365),
        soft_bounces=_soft_bounces(reader),
        audit_checkpoint_file=checkpoint_file,
        audit_checkpoint_log=checkpoint_log,
        limits=door.limits(reader),
        trusted_proxies=reader.networks("MAILCORDON_TRUSTED_PROXIES"),
        tls_certificate=reader.file("MAILCORDON_TLS_CERTIFICATE"),
        tls_key=reader.file("MAILCORDON_TLS_KEY"),
        key_rates=door.rates(reader, "KEY", Rates()),
        tenant_rates=door.rates(reader, "TENANT", TENANT_RATES),
        pending=door.pending(reader),
        reads=door.reads(reader),
        read_seconds=reader.number("MAILCORDON_READ_SECONDS", 5, 1, 30),
        dns_servers=reader.servers("MAILCORDON_DNS_SERVERS"),
        dns_timeout_seconds=reader.number("MAILCORDON_DNS_TIMEOUT_SECONDS", 5, 1, 60),
        claim_days=reader.number("MAILCORDON_CLAIM_DAYS", 14, 1, 365),
        mail_from_label=_mail_from_label(reader),
        lapse_hours=reader.rate("MAILCORDON_LAPSE_HOURS", 24.0) or 24.0,
        observe_only=observe_only,
        alert_networks=reader.networks("MAILCORDON_ALERT_NETWORKS") or (_THIS_MACHINE if local else ()),
        alert_api_url=reader.url("MAILCORDON_ALERT_API_URL"),
        unsubscribe_url=_unsubscribe_url(reader, local=local),
        public_url=reader.url("MAILCORDON_PUBLIC_URL"),
        metrics=metrics_settings.endpoint(reader),
        smtp=smtp_settings.read(reader),
        dashboard=dashboard_settings.read(reader),
        log=reader.choice("MAILCORDON_LOG", ("text", "json"), "text"),
        **_feedback(
            reader, local=local, region=region, endpoint=ses_endpoint, observe_only=bool(observe_only)
        ),
    )
    if (config.tls_certificate is None) is not (config.tls_key is None):
        reader.wrong.append(settings.tls_half_set())
    if reader.wrong:
        raise BadConfig(*reader.wrong)
    return config


def _soft_bounces(reader: SettingReader) -> SoftBouncePolicy:
    return SoftBouncePolicy(
        count=reader.number("MAILCORDON_SOFT_BOUNCES", 5, 0, 20),
        window_ms=reader.number("MAILCORDON_SOFT_BOUNCE_WINDOW_DAYS", 14, 1, 60) * DAY_MS,
        spread_ms=reader.number("MAILCORDON_SOFT_BOUNCE_SPREAD_DAYS", 3, 0, 59) * DAY_MS,
        off_ms=reader.number("MAILCORDON_SOFT_BOUNCE_OFF_DAYS", 30, 1, 365) * DAY_MS,
        pause_count=reader.number("MAILCORDON_SOFT_BOUNCE_PAUSE", 3, 0, 20),
        pause_ms=reader.number("MAILCORDON_SOFT_BOUNCE_PAUSE_HOURS", 6, 1, 168) * HOUR_MS,
    )


def _ses_world(reader: SettingReader, *, starts_local_ses: bool) -> Path | None:
    file = reader.file("MAILCORDON_SES_WORLD", "the path of a TOML or JSON file")
    if file is not None and not starts_local_ses:
        reader.wrong.append(settings.world_without_local_ses())
    return None if file is None else file.absolute()


def _observe_only(reader: SettingReader) -> bool | None:
    if not reader.environ.get("MAILCORDON_OBSERVE_ONLY"):
        return None
    return reader.choice("MAILCORDON_OBSERVE_ONLY", ("yes", "no"), "no") == "yes"


def _profiles(reader: SettingReader) -> dict[str, str]:
    found = {
        kind: reader.pattern(f"MAILCORDON_{kind.upper()}_PROFILE", _PROFILE, _PROFILE_IN_WORDS, "")
        for kind in ("send", "administer", "observe")
    }
    return {kind: name for kind, name in found.items() if name}


def _audit_checkpoints(reader: SettingReader, home: Path) -> tuple[Path | None, bool]:
    """The file, and whether the log gets them too. A relative path is below the home."""
    name = "MAILCORDON_AUDIT_CHECKPOINTS"
    value = reader.environ.get(name, "").strip() or AUDIT_CHECKPOINTS_FILE
    kinds = [kind.strip() for kind in value.split(",")]
    files = [home / Path(kind).expanduser() for kind in kinds if kind != "log"]
    if len(files) > 1 or "" in kinds or any(file.is_dir() for file in files):
        reader.wrong.append(settings.setting_wrong(name=name, value=value, takes=_CHECKPOINTS_IN_WORDS))
        return None, False
    return (files[0] if files else None), "log" in kinds


def _unsubscribe_url(reader: SettingReader, *, local: bool) -> str | None:
    """Without a slash at its end. Mail programs take https only (RFC 8058 section 3.1); with the local SES there are none."""
    name = "MAILCORDON_UNSUBSCRIBE_URL"
    if not reader.environ.get(name, "").strip():
        return None
    scheme = "https?" if local else "https"
    return reader.pattern(name, rf"{scheme}://{_HOST_AND_PATH}", _UNSUBSCRIBE_IN_WORDS, "").rstrip("/")


def _mail_from_label(reader: SettingReader) -> str:
    name = "MAILCORDON_MAIL_FROM_LABEL"
    if reader.environ.get(name) == "":  # said on purpose: no MAIL FROM domain
        return ""
    return reader.pattern(
        name, r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", "a DNS label such as bounce, or nothing", "bounce"
    )


def login_setting(login: str) -> str:
    """The setting that holds the address of one database login."""
    return f"MAILCORDON_DATABASE_URL_{login.upper()}"


def given_login_urls(environ: Mapping[str, str]) -> dict[str, str]:
    """The addresses of database logins that the operator has set."""
    named = {login: environ.get(login_setting(login)) for login in LOGINS}
    return {login: url for login, url in named.items() if url}


def _login_urls(reader: SettingReader, home: Path, logins: tuple[str, ...]) -> dict[str, str]:
    """An address that the operator sets wins over the one that `migrate` wrote to the home."""
    stored = reader.json(home / DATABASE_FILE, settings.repair_database_file())
    given = {login: reader.database(login_setting(login)) for login in LOGINS}
    found = {login: given[login] or stored.get(login) for login in logins}
    return {login: url for login, url in found.items() if url}


def _secret_keys(reader: SettingReader, home: Path, *, local: bool) -> tuple[str, ...]:
    text = reader.environ.get("MAILCORDON_SECRET_KEYS", "")
    file = home / SECRET_KEYS_FILE
    source = "MAILCORDON_SECRET_KEYS"
    if not text and local:
        text, source = reader.text(file), str(file)
    keys = tuple(key for key in re.split(r"[\s,]+", text) if key)
    if not keys and not local:
        reader.wrong.append(settings.secret_keys_missing())
    if not all(_is_secret_key(key) for key in keys):
        reader.wrong.append(settings.setting_wrong_secret(name=source, takes=_SECRET_KEYS_IN_WORDS))
    return keys


def _is_secret_key(text: str) -> bool:
    try:
        return len(base64.urlsafe_b64decode(text)) == 32
    except ValueError:
        return False


def _feedback(
    reader: SettingReader, *, local: bool, region: str, endpoint: str | None, observe_only: bool
) -> dict[str, str | None]:
    """Queues and topics. On AWS they must exist, and those of events about mail be set, except to observe only; `up` creates them
    in the local SES."""
    found: dict[str, str | None] = {}
    needed = not local and not observe_only  # whoever observes only may have one queue, or none
    for kind, name in QUEUES.items():
        queue, topic = f"MAILCORDON_{kind.upper()}_QUEUE_URL", f"MAILCORDON_{kind.upper()}_TOPIC_ARN"
        queue_url = reader.url(queue)
        if local and endpoint and not queue_url:
            queue_url = f"{endpoint.rstrip('/')}/{LOCAL_ACCOUNT}/{name}"
        if needed and not queue_url:
            reader.wrong.append(settings.setting_missing(name=queue, takes="the URL of an SQS queue"))
        default = f"arn:aws:sns:{region}:{LOCAL_ACCOUNT}:{name}" if local else None if needed else ""
        found[f"{kind}_queue_url"] = queue_url
        found[f"{kind}_topic_arn"] = reader.pattern(topic, _TOPIC, _TOPIC_IN_WORDS, default)
    found["management_queue_url"] = reader.url("MAILCORDON_MANAGEMENT_QUEUE_URL") or (
        f"{endpoint.rstrip('/')}/{LOCAL_ACCOUNT}/{MANAGEMENT_QUEUE}" if local and endpoint else None
    )
    return found
