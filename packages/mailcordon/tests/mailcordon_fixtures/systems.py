"""A whole running system for tests, in processes of its own: `mailcordon up` as a user starts it."""

import asyncio
import atexit
import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from mailcordon.adapters.db.embedded import EmbeddedPostgres
from mailcordon_fixtures import once

PATIENCE = 120.0  #: seconds; real processes on a busy machine


def environment(home: Path, settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, without whatever settings or credentials lie about in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAILCORDON_", "AWS_"))}
    return {**kept, "MAILCORDON_HOME": str(home), **(settings or {})}


def wait_until(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    """Only for what other processes do; everything else is told what time it is."""
    began = time.monotonic()
    while not condition():
        waited = time.monotonic() - began
        assert waited < patience, f"still waiting until {what}"
        time.sleep(pause(waited))


def pause(waited: float) -> float:
    """Seconds until a condition is looked at again. Each look takes CPU from the processes that are waited for."""
    return min(0.1, max(0.02, waited / 10))


def processes_naming(text: str) -> dict[int, str]:
    """Process ids, and command lines, of everything whose command line or environment's home names `text`."""
    asked = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True)
    rows = (line.split(None, 1) for line in asked.stdout.splitlines() if text in line)
    return {int(row[0]): row[1] for row in rows}


@dataclass
class System:
    """`up` in a home of its own, ready."""

    home: Path
    process: subprocess.Popen[bytes]
    settings: Mapping[str, str]

    def _file(self, name: str) -> dict[str, Any]:
        return json.loads((self.home / name).read_text())

    @property
    def url(self) -> str:
        return self._file("cli.json")["url"]

    @property
    def key(self) -> str:
        return self._file("cli.json")["key"]

    @property
    def send_key(self) -> str:
        return self._file("cli.json")["send_key"]

    @property
    def ses_url(self) -> str:
        return self._file("cli.json")["ses_url"]

    @property
    def dashboard_url(self) -> str:
        return self._file("run.json")["dashboard"]

    @property
    def processes(self) -> dict[str, int]:
        """Process ids by name: api, dispatch, observe, control, seslocal, postgres. None for one that is down."""
        return self._file("run.json")["processes"]

    def dsn(self, login: str) -> str:
        return self._file("database.json")[login]

    @property
    def smtp(self) -> tuple[str, int]:
        """Host and port of submission by SMTP."""
        host, _, port = str(self._file("run.json")["smtp"]).rpartition(":")
        return host, int(port)

    def log(self, name: str) -> str:
        return (self.home / "log" / f"{name}.log").read_text()

    def said(self) -> str:
        return (self.home / "up.txt").read_text()

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        pid = self.processes[name]
        os.kill(pid, number)
        return pid

    def wait_replaced(self, name: str, pid: int) -> int:
        """The process id of the one that was started in a killed one's place."""

        def replaced() -> bool:
            with contextlib.suppress(FileNotFoundError):
                return self.processes[name] not in (None, pid)
            return False

        wait_until(replaced, f"{name} is started again")
        return self.processes[name]

    def healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/v1/health", timeout=30) as answer:
                return answer.status == 200
        except OSError:
            return False

    def cli(self, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return mailcordon(self.home, *arguments, **settings)

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


def mailcordon(home: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mailcordon", *arguments],
        env=environment(home, settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


@functools.cache
def _migrated() -> Path:
    """A home with a database that `migrate` has made, for copies: making one takes half of a system's start."""
    return once.make_once("migrated-home", _make_migrated)


def _make_migrated() -> Path:
    memory = Path("/dev/shm")
    directory = once.directory(memory if memory.is_dir() else None)
    if not once.is_shared():
        atexit.register(shutil.rmtree, directory, ignore_errors=True)
    home = directory / "home"
    done = mailcordon(home, "migrate")
    assert done.returncode == 0, done.stderr
    asyncio.run(_lift_caps(home))
    return home


#: Tests share systems whose lanes are all new, and send many mails at once and to one address: the built-in caps of new senders
#: and of one address would hold them, as would paced releases. Tests of these set a policy of their own.
GENEROUS: dict[str, Any] = {
    "classes": {
        "urgent": {"caps": {"recipient": {"hour": None}}},
        "transactional": {"caps": {"repeat": {"hour": None}}},
        "marketing": {"release": {"mode": "observe"}},
    },
    "tiers": {tier: {"new_sender": {"first": 1_000_000}} for tier in ("strict", "standard", "trusted")},
}


async def _lift_caps(home: Path) -> None:
    server = EmbeddedPostgres(home)
    await server.start()
    try:
        login = json.loads((home / "database.json").read_text())["control"]
        connection = await asyncpg.connect(login, server_settings={"search_path": "mailcordon"})
        await connection.execute(
            "insert into policy_version (version, base, state, document, changes, made_at, made_by, decided_at, decided_by)"
            " values (1, 0, 'applied', $1::jsonb, '[]', now_ms(), 'tests', now_ms(), 'tests')",
            json.dumps(GENEROUS),
        )
        await connection.close()
    finally:
        await server.stop()


def _prepare(home: Path) -> None:
    """Copies the migrated database and its logins."""
    copy_home(_migrated(), home, "postgres", "database.json", "secret-keys")


def copy_home(original: Path, home: Path, *names: str) -> None:
    """Copies what a stopped server's home has under these names. Addresses in `*.json` name the new home."""
    for name in names:
        subprocess.run(["cp", "-a", original / name, home], check=True)
        if name.endswith(".json"):
            file = home / name
            file.write_text(file.read_text().replace(str(original), str(home)))


@contextlib.contextmanager
def running(home: Path, *options: str, **settings: str) -> Iterator[System]:
    """As `up`, but a new home gets a database that is there already, which is faster."""
    home.mkdir(parents=True, exist_ok=True)
    if not (home / "database.json").exists():
        _prepare(home)
    with up(home, *options, **settings) as system:
        yield system


@contextlib.contextmanager
def in_world(home: Path, world: Mapping[str, Any], **settings: str) -> Iterator[System]:
    """As `running`, whose local SES has this world of recipients: as a person starts it who wants one."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "world.json"
        file.write_text(json.dumps(world))
        with running(home, "--world", str(file), **settings) as system:
            yield system


@contextlib.contextmanager
def up(home: Path, *options: str, **settings: str) -> Iterator[System]:
    """Starts a system and stops it after, on free ports. Fails with what it said when it does not come up.

    Without the roles `smtp` and `dashboard`, whose starts cost as much as another test, unless settings say `on`."""
    off = {
        "MAILCORDON_SMTP": "off",
        "MAILCORDON_SMTP_PORT": "0",
        "MAILCORDON_DASHBOARD": "off",
        "MAILCORDON_DASHBOARD_PORT": "0",
    }
    settings = {**off, **settings}
    home.mkdir(parents=True, exist_ok=True)
    (home / "run.json").unlink(missing_ok=True)
    with (home / "up.txt").open("ab") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "mailcordon", "up", "--port", "0", "--ses-port", "0", *options],
            env=environment(home, settings),
            stdout=said,
            stderr=said,
        )
    system = System(home, process, settings)
    try:
        wait_until(lambda: (home / "run.json").exists() or process.poll() is not None, "the system is up")
        assert process.poll() is None, system.said()
        yield system
    finally:
        if process.poll() is None:
            system.stop()
