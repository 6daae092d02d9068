"""`mailcordon up` and its kin, with real processes: it starts, keeps, drains, and leaves nothing behind."""

import asyncio
import json
import os
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import boto3
import pytest

from mailcordon import config
from mailcordon.adapters.db import roles
from mailcordon.adapters.dns.reply import Server
from mailcordon.adapters.dns.resolver import Resolver
from mailcordon.host import forking
from mailcordon_fixtures import systems
from mailcordon_fixtures.systems import System

ROLES = ("api", "dispatch", "observe", "control")
STARTER = {"starter"} if forking.possible() else set[str]()


@pytest.fixture
def home(short_home) -> Iterator[Path]:
    with short_home() as directory:
        yield directory


@dataclass
class Life:
    """One home of this module's own, and the system that runs in it. Each start and each end costs seconds."""

    home: Path
    stack: ExitStack = field(default_factory=ExitStack)
    system: System | None = None
    known: tuple[str, str, str] | None = None  #: its keys and a login, of the last start

    def up(self) -> System:
        self.stack.close()
        self.stack = ExitStack()
        system = self.system = self.stack.enter_context(systems.up(self.home))
        self.known = known(system)
        return system

    def running(self) -> System:
        """The one that runs, if one does."""
        system = self.system
        return self.up() if system is None or system.process.poll() is not None else system


def known(system: System) -> tuple[str, str, str]:
    return system.key, system.send_key, system.dsn("send")


@pytest.fixture(scope="module")
def life(short_home) -> Iterator[Life]:
    """Its tests go on with what the one before left, and can be run alone."""
    with short_home() as home:
        life = Life(home)
        try:
            yield life
        finally:
            life.stack.close()


def alive(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "state=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.strip()
    return state not in ("", "Z")


def test_it_says_where_everything_is_and_everything_is_there(system: System):
    assert system.healthy()
    assert set(system.processes) == {*ROLES, *STARTER, "smtp", "dashboard", "seslocal", "postgres"}
    assert all(alive(pid) for pid in system.processes.values())
    for word in (system.url, system.ses_url, str(system.home), 'mailcordon env)"'):
        assert word in system.said()
    assert system.key not in system.said()
    shown = json.loads(system.cli("env", "--json").stdout)["MAILCORDON_KEY"]
    assert shown == system.send_key
    listed = json.loads(system.cli("key", "list", "--json").stdout)["items"]
    assert {item["prefix"]: item["scopes"] for item in listed}[shown[4:12]] == ["send"]
    sqs = boto3.client(
        "sqs",
        endpoint_url=system.ses_url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    names = {urlsplit(url).path.rpartition("/")[2] for url in sqs.list_queues()["QueueUrls"]}
    assert {"mailcordon-outcome", "mailcordon-engagement", "mailcordon-management"} <= names
    sqs.close()


def test_the_lines_that_up_prints_can_be_pasted(system: System):
    """But for the tenant's name, which other tests may have used."""
    name = f"acme-{secrets.token_hex(3)}"
    lines = system.said().partition("In another terminal:\n")[2].partition("\n\n")[0]
    script = lines.replace("acme", name).replace(
        "./dev mailcordon", f"{shlex.quote(sys.executable)} -m mailcordon"
    )
    done = subprocess.run(
        ["sh", "-euc", script],
        env=systems.environment(system.home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert '"state":"queued"' in done.stdout
    assert "kim@example.com" in done.stdout


def test_secrets_in_the_home_can_be_read_by_their_owner_alone(system: System):
    for name in ("cli.json", "database.json", "run.json", "secret-keys"):
        assert (system.home / name).stat().st_mode & 0o077 == 0, name


def test_doctor_finds_nothing_bad(system: System):
    # `up` waits for the API; the other roles report a moment later.
    systems.wait_until(lambda: system.cli("status").returncode == 0, "all roles have reported")
    done = system.cli("doctor")
    assert done.returncode == 0, done.stdout
    assert "BAD" not in done.stdout


def test_a_second_up_in_the_same_home_refuses_and_names_the_first(system: System):
    done = system.cli("up")
    assert done.returncode == 1
    assert f"pid {system.process.pid}" in done.stderr
    assert system.healthy()


def test_each_role_gets_its_own_logins_and_no_others(system: System):
    environ = Path(f"/proc/{system.processes['dispatch']}/environ")
    if not environ.exists():
        pytest.skip("this system shows no process's environment")
    names = {item.partition("=")[0] for item in environ.read_text().split("\0")}
    databases = {name for name in names if name.startswith("MAILCORDON_DATABASE_URL")}
    assert databases == {"MAILCORDON_DATABASE_URL_SEND", "MAILCORDON_DATABASE_URL_GOVERNOR"}


@pytest.mark.skipif(not STARTER, reason="here each role is an interpreter of its own")
def test_the_process_that_roles_are_forked_from_has_no_settings_and_no_threads(system: System):
    starter = Path(f"/proc/{system.processes['starter']}")
    names = {item.partition("=")[0] for item in (starter / "environ").read_text().split("\0")}
    assert not [name for name in names if name.startswith(("MAILCORDON_", "AWS_"))]
    assert len(list((starter / "task").iterdir())) == 1
    assert system.log("starter") == ""


def test_ps_shows_each_role_as_one_would_start_it(system: System):
    for role in ROLES:
        shown = subprocess.run(
            ["ps", "-ww", "-o", "args=", "-p", str(system.processes[role])],
            capture_output=True,
            text=True,
            check=True,
        )
        assert shown.stdout.strip() == f"{sys.executable} -m mailcordon run {role}"


async def test_each_role_asks_the_name_server_of_the_local_ses(system: System):
    environ = Path(f"/proc/{system.processes['control']}/environ")
    if not environ.exists():
        pytest.skip("this system shows no process's environment")
    settings = {
        name: value for name, _, value in (item.partition("=") for item in environ.read_text().split("\0"))
    }
    servers = settings["MAILCORDON_DNS_SERVERS"]
    [(address, port)] = config.read({"MAILCORDON_DNS_SERVERS": servers}).dns_servers
    check = Resolver([Server(address, port)]).check(authoritative=True)
    found = await check.find("feedback-smtp.us-east-1.amazonses.com", "A")
    assert (found.records, found.authoritative) == (("192.0.2.26",), True)


def test_two_systems_run_side_by_side(system: System, life: Life):
    own = life.running()
    assert own.url != system.url
    assert own.ses_url != system.ses_url
    assert own.healthy()
    assert system.healthy()


def test_callers_wait_while_the_api_restarts_instead_of_being_refused(life: Life):
    own = life.running()
    host, port = urlsplit(own.url).hostname, urlsplit(own.url).port
    first = own.kill("api")
    with socket.create_connection((host, port), timeout=systems.PATIENCE) as caller:
        caller.sendall(f"GET /v1/health HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        assert caller.recv(12) == b"HTTP/1.1 200"
    assert own.wait_replaced("api", first) != first


@pytest.mark.skipif(not STARTER, reason="here each role is an interpreter of its own")
def test_roles_go_on_when_the_process_that_they_were_forked_from_is_killed_and_the_next_one_forks(life: Life):
    own = life.running()
    roles = {name: pid for name, pid in own.processes.items() if name != "starter"}
    own.wait_replaced("starter", own.kill("starter"))
    assert own.processes == roles | {"starter": own.processes["starter"]}
    assert own.healthy()
    assert "starter was killed by signal 9; starting it again" in own.said()
    first = own.kill("dispatch")
    assert alive(own.wait_replaced("dispatch", first))
    own.wait_replaced("starter", own.kill("starter"))
    os.kill(first := own.processes["api"], signal.SIGKILL)
    own.kill("starter")  # while it is asked, or before
    own.wait_replaced("api", first)
    systems.wait_until(own.healthy, "the API is back")


def test_down_stops_it_and_nothing_stays(life: Life):
    system = life.running()
    pids = system.processes
    done = system.cli("down")
    assert done.returncode == 0
    assert str(system.process.pid) in done.stdout
    assert system.process.wait(systems.PATIENCE) == 0
    assert not any(alive(pid) for pid in pids.values())
    assert not (life.home / "run.json").exists()
    assert "nothing runs" in systems.mailcordon(life.home, "down").stdout


def test_it_comes_up_again_with_the_same_key_and_data(life: Life):
    before = life.known or known(life.up())
    system = life.up()
    assert known(system) == before
    assert system.said().count("created a new, empty database") == 1


def test_a_killed_up_leaves_no_orphan(life: Life):
    system = life.running()
    pids = system.processes
    system.process.kill()
    system.process.wait()
    systems.wait_until(lambda: not any(alive(pid) for pid in pids.values()), "all its children are gone")
    assert not systems.processes_naming(str(life.home))


def test_the_one_after_a_killed_up_starts_has_new_keys_if_asked_and_drains_in_its_time_though_nobody_reads_it(
    life: Life,
):
    """What hangs is killed when that time is over. These are one test because a start costs seconds."""
    before = life.known or known(life.up())
    life.stack.close()
    command = [sys.executable, "-m", "mailcordon", "up", "--new-key", "--port", "0", "--ses-port", "0"]
    settings = {"MAILCORDON_SMTP": "off", "MAILCORDON_DASHBOARD": "off", "MAILCORDON_DRAIN_SECONDS": "1"}
    (life.home / "run.json").unlink(missing_ok=True)
    process = subprocess.Popen(
        command,
        env=systems.environment(life.home, settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    life.stack.callback(process.kill)  # if this test fails
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    systems.wait_until((life.home / "run.json").exists, "it is up")
    system = System(life.home, process, settings)
    assert system.healthy()
    assert system.key != before[0]
    assert system.send_key != before[1]
    hung = system.kill("dispatch", signal.SIGSTOP)
    begun = time.monotonic()
    assert system.stop() == 0
    print(f"stopped after {time.monotonic() - begun:.1f} s")
    assert not alive(hung)
    assert not (life.home / "run.json").exists()


def test_a_port_that_is_taken_is_refused_with_its_number(life: Life):
    life.stack.close()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = systems.mailcordon(life.home, "up", "--port", str(port))
    assert done.returncode == 1
    assert str(port) in done.stderr


def test_a_role_with_too_much_power_refuses_to_run_and_up_says_so(home: Path, postgres):
    """The operator gave `send` the owner's address: nothing may start. What else refuses: store/test_migrate.py."""
    name = f"mct_up_{os.getpid()}"
    dsn = postgres.database_dsn(name)
    settings = {"MAILCORDON_DATABASE_URL": dsn, "MAILCORDON_DATABASE_URL_SEND": dsn}
    try:
        done = systems.mailcordon(home, "up", "--port", "0", "--ses-port", "0", **settings)
    finally:
        _drop(postgres, name)
    assert done.returncode == 1
    assert "superuser" in done.stderr
    assert not systems.processes_naming(str(home))


def test_migrate_alone_makes_a_database_and_a_key(home: Path):
    done = systems.mailcordon(home, "migrate", "--first-key")
    assert done.returncode == 0, done.stderr
    assert (home / "cli.json").exists()
    again = systems.mailcordon(home, "migrate")
    assert "up to date" in again.stdout
    assert not systems.processes_naming(str(home))


def test_a_role_started_by_hand_without_a_migrated_home_says_what_to_run(home: Path):
    done = systems.mailcordon(home, "run", "dispatch")
    assert done.returncode == 2
    assert "mailcordon migrate" in done.stderr


def _execute(dsn: str, *statements: str) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(dsn)
        for statement in statements:
            await connection.execute(statement)
        await connection.close()

    asyncio.run(run())


def _drop(postgres, name: str) -> None:
    dropped = [f"drop role if exists {role}" for role in roles.role_names(name).values()]
    _execute(postgres.dsn, f"drop database if exists {name} with (force)", *dropped)
