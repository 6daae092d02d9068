"""All settings of one process, read once from its environment and frozen.

A setting that is wrong, unknown or missing stops the start with a sentence; nothing is guessed. What `mailcordon up`
finds out (ports, the databases' addresses, the local SES) it hands to its children as the same settings, so that
a role process started by hand or by a service manager is configured in just the same way.
"""

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from mailcordon.core.errors import Refused
from mailcordon.host.home import find_home

#: The databases' logins each role process needs, and gets: accept answers for every plane's routes, so `api` has most.
PROCESS_LOGINS: Mapping[str, tuple[str, ...]] = {
    "api": ("send", "control", "governor", "observe", "reader"),
    "dispatch": ("send", "governor"),
    "observe": ("observe", "governor"),
    "control": ("control", "governor"),
}
LOGINS = ("control", "governor", "send", "observe", "reader")
QUEUES = {"outcome": "mailcordon-outcome", "engagement": "mailcordon-engagement"}
LOCAL_ACCOUNT = "000000000000"

#: Every variable we read, or that the CLI and the tests read. Another MAILCORDON_* one is a typing error.
KNOWN = frozenset(
    [
        "MAILCORDON_HOME",
        "MAILCORDON_DATABASE_URL",
        *(f"MAILCORDON_DATABASE_URL_{login.upper()}" for login in LOGINS),
        "MAILCORDON_API_HOST",
        "MAILCORDON_API_PORT",
        "MAILCORDON_API_FD",
        "MAILCORDON_SES",
        "MAILCORDON_SES_PORT",
        "MAILCORDON_SES_ENDPOINT",
        "MAILCORDON_SQS_ENDPOINT",
        "MAILCORDON_REGION",
        "MAILCORDON_INSTALLATION",
        "MAILCORDON_SECRET_KEYS",
        "MAILCORDON_OUTCOME_QUEUE_URL",
        "MAILCORDON_ENGAGEMENT_QUEUE_URL",
        "MAILCORDON_OUTCOME_TOPIC_ARN",
        "MAILCORDON_ENGAGEMENT_TOPIC_ARN",
        "MAILCORDON_CALL_SLOTS",
        "MAILCORDON_CELL",
        "MAILCORDON_DRAIN_SECONDS",
        "MAILCORDON_LOG",
        "MAILCORDON_CLOCK_OFFSET_MS",
        "MAILCORDON_URL",
        "MAILCORDON_KEY",
        "MAILCORDON_TEST_DATABASE_URL",
        "MAILCORDON_TEST_BINARIES",
        "MAILCORDON_SHARED",
    ]
)


class BadConfig(Refused):
    """One or more settings are wrong. Each has its sentence, so that one start shows them all."""

    code = "bad-config"

    def __init__(self, *sentences: str) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Each field: its unit, its default, and why that."""

    #: Directory of all state: database, keys, logs. `.mailcordon/` in a checkout, else `~/.local/state/mailcordon`,
    #: so that removing one directory removes everything.
    home: Path
    #: Migrate's address of a PostgreSQL >= 15. None: the embedded one, so that nothing has to be installed first.
    database_url: str | None = None
    #: Addresses by login. Empty: those that `migrate` left in the home.
    login_urls: Mapping[str, str] = field(default_factory=dict[str, str])
    #: Where the API listens. This machine only: exposing it is a decision, behind TLS.
    api_host: str = "127.0.0.1"
    #: TCP port; 0 takes a free one. None: 8025 if it is free, so that examples can be pasted, else any.
    api_port: int | None = None
    #: An open listening socket, inherited; it wins over host and port. `up` keeps it while the API restarts.
    api_fd: int | None = None
    #: `local` or `aws`. AWS only when told: credentials that lie in the environment start nothing.
    ses: str = "local"
    #: TCP port of the local SES; as `api_port`, with 8005.
    ses_port: int | None = None
    #: URLs of the wire protocols. None on AWS: the region's own.
    ses_endpoint: str | None = None
    sqs_endpoint: str | None = None
    #: AWS region; every resource of one cell is in one.
    region: str = "us-east-1"
    #: Credentials of the local SES, which knows only these. None on AWS: botocore finds and renews them.
    access_key: str | None = "test"
    secret_key: str | None = "test"  # noqa: S105 (the local SES takes only this)
    #: Tells our mail from another Mailcordon's in the same account; travels as a tag. 1 to 32 of a-z, 0-9 and -.
    installation: str = "local"
    #: Encrypt secrets in the database; the first encrypts, all decrypt. Local: made into the home at the first start.
    secret_keys: tuple[str, ...] = field(default=(), repr=False)
    #: Where SES's events arrive. Two queues, so that a blast's opens do not delay bounces.
    outcome_queue_url: str | None = None
    engagement_queue_url: str | None = None
    outcome_topic_arn: str | None = None
    engagement_topic_arn: str | None = None
    #: Calls to SES that one dispatcher has open at most. 128 keeps a claim below a second of work.
    call_slots: int = 128
    #: Name of the AWS account, region and database this process belongs to. One is enough to begin with.
    cell: str = "default"
    #: Seconds a process may take to finish what it began before it is killed. SES answers well within 20.
    drain_seconds: float = 20.0
    #: `text` for people, `json` for machines.
    log: str = "text"
    #: Milliseconds added to the database's clock on our connections. Scenario tests only; 0 otherwise.
    clock_offset_ms: int = 0

    @property
    def local(self) -> bool:
        return self.ses == "local"

    def login_url(self, login: str) -> str:
        """The address for one login; asking for one that this process was not given is a bug of ours."""
        return self.login_urls[login]

    def require_logins(self, role: str) -> None:
        """A role process does not start without all its addresses."""
        missing = [login for login in PROCESS_LOGINS[role] if login not in self.login_urls]
        if missing:
            raise BadConfig(
                *(
                    f"`{role}` has no address for the database login `{login}`: run `mailcordon migrate` with the same "
                    f"MAILCORDON_HOME, or set MAILCORDON_DATABASE_URL_{login.upper()}."
                    for login in missing
                )
            )


def read(environ: Mapping[str, str], role: str | None = None) -> Config:
    """The settings of this process, or every reason why it cannot start. A role process gets its own logins only."""
    reader = _Reader(environ)
    ses = reader.choice("MAILCORDON_SES", ("local", "aws"), "local")
    local = ses == "local"
    region = reader.pattern(
        "MAILCORDON_REGION", r"[a-z]{2}(-[a-z]+)+-\d", "a region as us-east-1", "us-east-1"
    )
    home = find_home(environ)
    ses_endpoint = reader.url("MAILCORDON_SES_ENDPOINT")
    config = Config(
        home=home,
        database_url=reader.database("MAILCORDON_DATABASE_URL"),
        login_urls=_login_urls(reader, home, LOGINS if role is None else PROCESS_LOGINS[role]),
        api_host=environ.get("MAILCORDON_API_HOST") or "127.0.0.1",
        api_port=reader.port("MAILCORDON_API_PORT"),
        api_fd=reader.number("MAILCORDON_API_FD", 0, 0, 1_000_000) or None,
        ses=ses,
        ses_port=reader.port("MAILCORDON_SES_PORT"),
        ses_endpoint=ses_endpoint,
        sqs_endpoint=reader.url("MAILCORDON_SQS_ENDPOINT") or (ses_endpoint if local else None),
        region=region,
        access_key="test" if local else None,
        secret_key="test" if local else None,
        installation=reader.pattern(
            "MAILCORDON_INSTALLATION",
            r"[a-z0-9-]{1,32}",
            "1 to 32 of a-z, 0-9 and -",
            "local" if local else None,
        ),
        secret_keys=_secret_keys(environ, home, local=local),
        call_slots=reader.number("MAILCORDON_CALL_SLOTS", 128, 1, 10_000),
        cell=reader.pattern("MAILCORDON_CELL", r"[a-z0-9-]{1,32}", "1 to 32 of a-z, 0-9 and -", "default"),
        drain_seconds=float(reader.number("MAILCORDON_DRAIN_SECONDS", 20, 0, 600)),
        log=reader.choice("MAILCORDON_LOG", ("text", "json"), "text"),
        clock_offset_ms=reader.number("MAILCORDON_CLOCK_OFFSET_MS", 0, -(10**12), 10**12),
        **_feedback(reader, local=local, region=region, endpoint=ses_endpoint),
    )
    if not local and not config.secret_keys:
        reader.wrong.append(
            "MAILCORDON_SECRET_KEYS is not set: with AWS it must come from your secret store, so that losing this machine "
            "loses no secret. Make one with `python -c 'from cryptography.fernet import Fernet as F; "
            "print(F.generate_key().decode())'`."
        )
    if not local and config.clock_offset_ms:
        reader.wrong.append("MAILCORDON_CLOCK_OFFSET_MS is for tests against the local SES only: unset it.")
    if reader.wrong:
        raise BadConfig(*reader.wrong)
    return config


def _login_urls(reader: "_Reader", home: Path, logins: tuple[str, ...]) -> dict[str, str]:
    """What the operator names wins over what `migrate` left in the home."""
    stored = stored_login_urls(home)
    given = {login: reader.database(f"MAILCORDON_DATABASE_URL_{login.upper()}") for login in LOGINS}
    found = {login: given[login] or stored.get(login) for login in logins}
    return {login: url for login, url in found.items() if url}


def stored_login_urls(home: Path) -> dict[str, str]:
    file = home / "database.json"
    return json.loads(file.read_text()) if file.exists() else {}


def _secret_keys(environ: Mapping[str, str], home: Path, *, local: bool) -> tuple[str, ...]:
    text = environ.get("MAILCORDON_SECRET_KEYS", "")
    file = home / "secret-keys"
    if not text and local and file.exists():
        text = file.read_text()
    return tuple(key for key in re.split(r"[\s,]+", text) if key)


def _feedback(reader: "_Reader", *, local: bool, region: str, endpoint: str | None) -> dict[str, str | None]:
    """Queues and topics: settings that must exist on AWS, made by `up` in the local SES."""
    found: dict[str, str | None] = {}
    for kind, name in QUEUES.items():
        queue, topic = f"MAILCORDON_{kind.upper()}_QUEUE_URL", f"MAILCORDON_{kind.upper()}_TOPIC_ARN"
        found[f"{kind}_queue_url"] = reader.url(queue)
        found[f"{kind}_topic_arn"] = reader.environ.get(topic) or None
        if local:
            if endpoint and not found[f"{kind}_queue_url"]:
                found[f"{kind}_queue_url"] = f"{endpoint.rstrip('/')}/{LOCAL_ACCOUNT}/{name}"
            found[f"{kind}_topic_arn"] = (
                found[f"{kind}_topic_arn"] or f"arn:aws:sns:{region}:{LOCAL_ACCOUNT}:{name}"
            )
        else:
            for variable, value in ((queue, f"{kind}_queue_url"), (topic, f"{kind}_topic_arn")):
                if not found[value]:
                    reader.wrong.append(
                        f"{variable} is not set: with AWS, topics and queues must exist already."
                    )
    return found


class _Reader:
    """Reads settings of a kind, and gathers a sentence for each that is wrong."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ
        self.wrong: list[str] = []
        for name in sorted(environ):
            if name.startswith("MAILCORDON_") and name not in KNOWN:
                near = difflib.get_close_matches(name, KNOWN, n=1)
                hint = f"did you mean {near[0]}?" if near else "docs/operations.md lists those there are."
                self.wrong.append(f"{name} is no setting of Mailcordon: {hint}")

    def _get(self, name: str) -> str | None:
        return self.environ.get(name, "").strip() or None

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self._get(name) or default
        if value not in choices:
            self.wrong.append(f"{name} is {value!r}: it takes {' or '.join(choices)}.")
        return value

    def number(self, name: str, default: int, least: int, most: int) -> int:
        value = self._get(name)
        if value is None:
            return default
        if not re.fullmatch(r"-?\d{1,15}", value, re.ASCII) or not least <= int(value) <= most:
            self.wrong.append(f"{name} is {value!r}: it takes a whole number from {least} to {most}.")
            return default
        return int(value)

    def port(self, name: str) -> int | None:
        return None if self._get(name) is None else self.number(name, 0, 0, 65535)

    def pattern(self, name: str, pattern: str, wanted: str, default: str | None) -> str:
        value = self._get(name) or default
        if value is None:
            self.wrong.append(f"{name} is not set: it takes {wanted}.")
            return ""
        if not re.fullmatch(pattern, value, re.ASCII):
            self.wrong.append(f"{name} is {value!r}: it takes {wanted}.")
        return value

    def url(self, name: str) -> str | None:
        value = self._get(name)
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            self.wrong.append(f"{name} is {value!r}: it takes a URL that begins with http:// or https://.")
        return value

    def database(self, name: str) -> str | None:
        value = self._get(name)
        if value is not None and urlsplit(value).scheme not in ("postgresql", "postgres"):
            self.wrong.append(f"{name} must begin with postgresql://.")  # not shown: it may hold a password
        return value
