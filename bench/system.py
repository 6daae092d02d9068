"""The system that a benchmark measures: the local SES, and `mailcordon up` with a temporary home.

The bench starts the local SES itself, not `up`, so that its CPU is not counted. Its rate and quota are raised, so that they
do not limit what is measured. Everything listens on free ports.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import asyncpg

from bench import bare, cpu, seed
from bench.checkout import Checkout
from bench.cpu import Tree
from bench.mail import Stream
from mailcordon.adapters.ses.signer import Credentials, Signer

PATIENCE = 60.0  #: seconds; for starting, and for what was sent to be recorded
ACCOUNT = "123456789012"  #: of the local SES, and of Mailcordon's queues there
RATE = 100_000  #: recipients a second that the local SES grants
_LEDGER = 2_000_000  #: mails that it keeps


class Failed(Exception):
    """The figures of the bench are not valid."""


@dataclass
class Ses:
    """The local SES, whose ledger says what was really sent."""

    url: str
    pid: int

    def cpu(self) -> float:
        process = cpu.read(self.pid)
        return process.seconds if process is not None else 0.0

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"{self.url}/_seslocal{path}", timeout=30) as answer:
            return json.loads(answer.read())

    async def total(self) -> int:
        return (await asyncio.to_thread(self._get, "/health"))["sent"]

    async def newest(self, *, tenant: str | None = None) -> str | None:
        """Id of the newest mail; of one tenant of SES only, if given. Later mails are those of the phase that follows."""
        chosen = f"&tenant={tenant}" if tenant else ""
        sent = (await asyncio.to_thread(self._get, f"/sent?limit=1&order=newest{chosen}"))["sent"]
        return sent[0]["message_id"] if sent else None

    async def lines_after(self, message_id: str | None, *, tenant: str | None = None) -> list[dict[str, Any]]:
        """The ledger's lines, oldest first; of one tenant of SES only, if given."""
        return [line async for page in self._pages_after(message_id, tenant) for line in page]

    async def recipients_after(self, message_id: str | None) -> list[str]:
        """Without keeping the lines: there may be millions."""
        return [
            to async for page in self._pages_after(message_id) for line in page for to in line["recipients"]
        ]

    async def _pages_after(
        self, message_id: str | None, tenant: str | None = None
    ) -> AsyncIterator[list[dict[str, Any]]]:
        chosen = f"&tenant={tenant}" if tenant else ""
        while True:
            place = f"&after={message_id}" if message_id else ""
            page = await asyncio.to_thread(self._get, f"/sent?limit=1000{chosen}{place}")
            yield page["sent"]
            message_id = page["next"]
            if message_id is None:
                return

    async def waiting_events(self) -> int:
        """Messages in the outcome queue that are not deleted yet."""
        return await asyncio.to_thread(self._waiting_events)

    def _waiting_events(self) -> int:
        wanted = [
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        ]
        queue = f"{self.url}/{ACCOUNT}/mailcordon-outcome"
        body = json.dumps({"QueueUrl": queue, "AttributeNames": wanted}).encode()
        headers = {
            "content-type": "application/x-amz-json-1.0",
            "x-amz-target": "AmazonSQS.GetQueueAttributes",
        }
        signer = Signer(service="sqs", region="us-east-1", host=urlsplit(self.url).netloc)
        headers = signer.sign(Credentials("test", "test"), "/", body, headers)
        request = urllib.request.Request(self.url, body, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return sum(int(number) for number in json.loads(answer.read())["Attributes"].values())


@dataclass
class System:
    """A running system with tenants and lanes, and a database session of the bench whose CPU is not counted."""

    ses: Ses
    home: Path
    url: str
    key: str
    streams: list[Stream]
    tree: Tree
    processes: dict[str, int]
    logins: dict[str, str]
    session: asyncpg.Connection  #: the bench's own
    engine: str  #: PostgreSQL's version and settings, for the report

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "127.0.0.1", parts.port or 80

    @contextlib.contextmanager
    def stopped(self, role: str) -> Iterator[None]:
        """Stops a role's process for a while. Without `observe`, events stay in their queue."""
        os.kill(self.processes[role], signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.processes[role], signal.SIGCONT)

    async def end_ramps(self) -> None:
        """Skips the ramp of released lanes, which lasts a minute."""
        await _end_ramps(self.logins["send"])

    async def name_backends(self) -> None:
        """Finds out which session serves which of our loops. Each login sees the names of its own sessions only."""
        for login, dsn in self.logins.items():
            connection = await asyncpg.connect(dsn)
            try:
                for row in await connection.fetch(
                    "select pid, application_name from pg_stat_activity where usename = current_user and pid <> pg_backend_pid()"
                ):
                    name = row["application_name"].removeprefix("mailcordon ")
                    self.tree.backends[row["pid"]] = f"{login} pools" if name == "mailcordon" else name
            finally:
                await connection.close()

    async def newest_id(self) -> int:
        return await self.session.fetchval("select coalesce(max(id), 0) from message")

    async def count_ledger(self, after: int) -> int:
        return await self.session.fetchval("select count(*) from ledger where id > $1", after + 63)

    async def count_outcomes(self, after: int) -> int:
        """Deliveries whose outcome is there: `delivered` (23)."""
        return await self.session.fetchval(
            "select count(*) from outcome where id > $1 and state = 23", after + 63
        )

    async def deliveries(self, after: int) -> list[tuple[str, int | None, int | None, int | None]]:
        """Recipient, state in the ledger, attempt, state by the outcome: of every mail accepted after that message."""
        rows = await self.session.fetch(
            "select m.recipients[1] as recipient, l.state, l.attempt, o.state as outcome from message m "
            "left join ledger l on l.id = m.id + 1 left join outcome o on o.id = m.id + 1 where m.id > $1",
            after,
        )
        return [tuple(row) for row in rows]


async def until(
    what: Callable[[], Any], wanted: Callable[[Any], bool], sentence: str, pause: float = 0.02
) -> None:
    deadline = time.monotonic() + PATIENCE
    while not wanted(found := await what()):
        if time.monotonic() > deadline:
            raise Failed(f"{sentence}: still {found} after {PATIENCE:.0f} s")
        await asyncio.sleep(pause)


@contextlib.asynccontextmanager
async def running(say: Callable[[str], None], checkout: Checkout) -> AsyncIterator[System]:
    """A system of this checkout or another, with a local SES in a process of its own."""
    with temporary_home() as home, local_ses(home) as ses:
        say(f"starting the system of {checkout.name}, and a local SES for it in a separate process")
        async with beside(checkout, home, ses) as system:
            yield system


@contextlib.asynccontextmanager
async def beside(
    checkout: Checkout, home: Path, ses: Ses, *, commit_times: bool = False, settings: Mapping[str, str] = {}
) -> AsyncIterator[System]:
    """A system beside a local SES that runs. `commit_times`: PostgreSQL records when each transaction was committed."""
    with _up(checkout, home, ses.url, settings) as up:
        if commit_times:
            await _record_commit_times(home)
        ran = json.loads((home / "run.json").read_text())
        cli = json.loads((home / "cli.json").read_text())
        logins = json.loads((home / "database.json").read_text())
        streams = await seed.onboard(cli["url"], cli["key"])
        await asyncio.to_thread(_verify_bare_identity, ses.url)
        await _end_ramps(logins["send"])
        session = await asyncpg.connect(logins["control"], server_settings={"search_path": "mailcordon"})
        tree = Tree(up.pid, ran["processes"])
        tree.uncounted.add(await session.fetchval("select pg_backend_pid()"))
        system = System(
            ses=ses,
            home=home,
            url=cli["url"],
            key=cli["key"],
            streams=streams,
            tree=tree,
            processes=ran["processes"],
            logins=logins,
            session=session,
            engine=await _engine(session),
        )
        try:
            yield system
        finally:
            await session.close()


async def _record_commit_times(home: Path) -> None:
    """PostgreSQL reads this setting at its start: it is stopped, and `up` starts it again."""
    old = json.loads((home / "run.json").read_text())
    postgres = old["processes"]["postgres"]
    dsn = superuser(json.loads((home / "database.json").read_text()), postgres)
    connection = await asyncpg.connect(dsn)
    await connection.execute("alter system set track_commit_timestamp = on")
    await connection.close()
    os.kill(postgres, signal.SIGINT)

    async def replaced() -> int | None:
        return json.loads((home / "run.json").read_text())["processes"]["postgres"]

    await until(replaced, lambda found: found not in (None, postgres), "PostgreSQL has to start again")

    async def healthy() -> bool:
        return await asyncio.to_thread(_is_healthy, old["url"])

    await until(healthy, bool, "the API has to be healthy")


def _is_healthy(url: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/v1/health", timeout=30) as answer:
        return answer.status == 200
    return False


def superuser(logins: dict[str, str], postgres: int) -> str:
    """The address for the embedded server's superuser. `postgres`: the process id of its first process."""
    parts = urlsplit(logins["control"])
    data = Path(os.path.realpath(f"/proc/{postgres}/cwd"))
    password = (data / "mailcordon.password").read_text().strip()
    return f"postgresql://postgres:{quote(password)}@/{parts.path[1:]}?{parts.query}"


async def _end_ramps(dsn: str) -> None:
    """Skips the ramp of released lanes, which lasts a minute."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": "mailcordon"})
    await connection.execute("update lane set released_at = null")
    await connection.close()


async def _engine(connection: asyncpg.Connection) -> str:
    names = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
    values = [await connection.fetchval(f"show {name}") for name in names]
    return "PostgreSQL " + ", ".join(
        f"{n} {v}" if n != "server_version" else v for n, v in zip(names, values, strict=True)
    )


def _verify_bare_identity(ses_url: str) -> None:
    client = bare.client(ses_url)
    client.create_email_identity(EmailIdentity=bare.DOMAIN)
    client.close()


@contextlib.contextmanager
def temporary_home() -> Iterator[Path]:
    """A temporary directory that PostgreSQL's user can enter even if we run as root."""
    directory = Path(tempfile.mkdtemp(prefix="mc-bench-"))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def environment(**settings: str) -> dict[str, str]:
    """Our environment without settings and credentials."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAILCORDON_", "AWS_"))}
    return kept | settings


@contextlib.contextmanager
def process(
    command: list[str], log: Path, settings: dict[str, str], ready: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs until the block ends; entered once its file `ready` is there. Raises Failed."""
    with log.open("ab") as said:
        started = subprocess.Popen(command, env=settings, stdout=said, stderr=said)
    try:
        deadline = time.monotonic() + PATIENCE
        while not ready.exists():
            if started.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"{' '.join(command[1:4])} did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield started
    finally:
        started.terminate()
        started.wait(PATIENCE)


@contextlib.contextmanager
def local_ses(home: Path) -> Iterator[Ses]:
    ready = home / "seslocal.json"
    command = [sys.executable, "-m", "seslocal", "--port", "0", "--ready-file", str(ready)]
    command += ["--account", ACCOUNT, "--rate", str(RATE), "--quota", "-1", "--ledger", str(_LEDGER)]
    with process(command, home / "seslocal.log", environment(), ready) as started:
        yield Ses(json.loads(ready.read_text())["url"], started.pid)


def _without_optional_roles(checkout: Checkout) -> dict[str, str]:
    """A role that most benches do not use would be counted. An older checkout may have none, and refuses the setting."""
    asked = "from mailcordon import config; print(*config.KNOWN)"
    done = subprocess.run([checkout.python, "-c", asked], capture_output=True, text=True, check=False)
    known = done.stdout.split()
    return {name: "off" for name in ("MAILCORDON_SMTP", "MAILCORDON_DASHBOARD") if name in known}


@contextlib.contextmanager
def _up(
    checkout: Checkout, home: Path, ses_url: str, more: Mapping[str, str]
) -> Iterator[subprocess.Popen[bytes]]:
    settings = environment(
        MAILCORDON_HOME=str(home), MAILCORDON_SES_ENDPOINT=ses_url, **_without_optional_roles(checkout)
    )
    settings |= more
    command = [*checkout.mailcordon, "up", "--port", "0"]
    with process(command, home / "up.log", settings, home / "run.json") as started:
        yield started
