"""A PostgreSQL of our own, supervised: started in about a second, restarted when it dies, never left behind.

The server is started under a guardian: when we die in whatever way, it shuts the server down; when the server dies, we
start it again. Data that a kill -9 left is recovered by PostgreSQL; the lock file and the backends it left are waited
for. Nothing listens on the
network: clients come through a Unix socket in a private directory, with passwords, since roles are kept apart.
"""

import asyncio
import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mailcordon.adapters.db import cluster_files
from mailcordon.adapters.db.cluster_files import ClusterFiles, Say
from mailcordon.core.errors import Refused
from mailcordon.host import guardian, log_file
from mailcordon.host.private_file import write_private

SUPERUSER = "postgres"
PASSWORD_FILE = "mailcordon.password"  # noqa: S105 (the name of the file inside the data directory)
PORT = 5432  # only names the socket's file; nothing listens on a port
FIRST_START_PATIENCE = (
    60.0  #: seconds; recovery after kill -9 of a busy server, or waiting for an old one's end
)
STOP_PATIENCE = 30.0  #: seconds a fast shutdown (with its checkpoint) may take before we insist

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "min_wal_size": "128MB",
    "checkpoint_timeout": "10min",
    "checkpoint_completion_target": "0.9",
    "wal_compression": "on",
    # Accepted means durable: these two are checked by every role at its start as well.
    "fsync": "on",
    "synchronous_commit": "on",
    # One old snapshot bloats a queue: nobody of ours holds a transaction open for a minute.
    "idle_in_transaction_session_timeout": "60s",
    "autovacuum_naptime": "15s",
    # Our statements are short; compiling them costs more than running them.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    "log_min_duration_statement": "2s",
    "log_checkpoints": "off",
    "client_min_messages": "warning",
    "password_encryption": "scram-sha-256",
}

#: What PostgreSQL says while remains of a killed server still block the way; waiting helps.
PASSING = re.compile(r"pre-existing shared memory block|lock file .* (already exists|is empty)")


class DatabaseWillNotStart(Refused):
    """The embedded PostgreSQL does not come up; the message holds its own last words."""

    code = "database-will-not-start"


class EmbeddedPostgres:
    """One server in one home. `start` returns when it takes connections; `stop` when it is down."""

    def __init__(
        self,
        home: Path,
        *,
        say: Say = print,
        binaries: Path | None = None,
        port: int = PORT,
        on_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._home = home
        self._say = say
        self._port = port
        self._given_binaries = binaries
        self._on_up = on_up
        self._files: ClusterFiles | None = None
        self._password = ""
        self._server: guardian.Guarded | None = None
        self._postmaster: int | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._stopping = False
        self.starts = 0  #: how often the server came up, the first time included

    @property
    def files(self) -> ClusterFiles:
        assert self._files is not None, "the server was not started"
        return self._files

    @property
    def postmaster(self) -> int | None:
        """Process id of the running postmaster; none while it is down."""
        return self._postmaster

    @property
    def log_file(self) -> Path:
        return self._home / "log" / "postgres.log"

    def dsn(self, database: str = "postgres") -> str:
        """The superuser's address: for `migrate` only, no running role may have it."""
        where = f"host={quote(str(self.files.sockets), safe='/')}&port={self._port}"
        return f"postgresql://{SUPERUSER}:{self._password}@/{database}?{where}"

    async def start(self) -> None:
        files = await asyncio.to_thread(cluster_files.prepare, self._home, self._say, self._given_binaries)
        self._files = files
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        self._password = await self._ensure_cluster(files)
        await self._start_patiently()
        self._keeper = asyncio.create_task(self._keep(), name="embedded-postgres")

    async def stop(self) -> None:
        """A fast shutdown: sessions are ended, the data is written, nothing has to be recovered next time."""
        self._stopping = True
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
        await self._end()

    # -- the cluster ------------------------------------------------------------------------------------------------

    async def _ensure_cluster(self, files: ClusterFiles) -> str:
        """Makes the data directory if there is none, and answers the superuser's password.

        initdb works in a directory of its own that is renamed when complete, the password inside it: killed in between,
        it leaves no half, and the data never parts from its password.
        """
        if not (files.data / "PG_VERSION").exists():
            await self._make_cluster(files)
            self._say(f"made a new, empty database in {files.root}")
        else:
            await self._check_version(files)
        return (files.data / PASSWORD_FILE).read_text().strip()

    async def _make_cluster(self, files: ClusterFiles) -> None:
        for left in files.root.glob("making-*"):
            shutil.rmtree(left, ignore_errors=True)
        making = files.root / f"making-{secrets.token_hex(4)}"
        password = files.root / f"{making.name}.password"
        write_private(password, secrets.token_urlsafe(24) + "\n")
        if files.user.switched:
            os.chown(password, files.user.uid, files.user.gid)
        arguments = ["-D", str(making), "-U", SUPERUSER, f"--pwfile={password}", "--auth=scram-sha-256"]
        done = await self._run(files, "initdb", *arguments, "--encoding=UTF8", "--locale=C")
        if done.returncode != 0:
            password.unlink()
            said = (done.stderr or done.stdout).strip()
            raise DatabaseWillNotStart(f"initdb could not make a database in {files.root}: {said}")
        password.rename(making / PASSWORD_FILE)
        making.rename(files.data)

    async def _check_version(self, files: ClusterFiles) -> None:
        made_by = (files.data / "PG_VERSION").read_text().strip()
        said = (await self._run(files, "postgres", "--version")).stdout
        found = re.search(r"(\d+)", said)
        if found is None or found[1] != made_by:
            raise DatabaseWillNotStart(
                f"{files.data} was made by PostgreSQL {made_by}, but {files.binaries} is {said.strip()}: "
                "dump it with the old one and restore it (pg_dump, pg_restore), or use the old binaries."
            )

    async def _run(
        self, files: ClusterFiles, program: str, *arguments: str
    ) -> subprocess.CompletedProcess[str]:
        process = await asyncio.create_subprocess_exec(
            files.binaries / program,
            *arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **self._identity(files),
        )
        out, err = await process.communicate()
        return subprocess.CompletedProcess(
            arguments, process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")
        )

    def _identity(self, files: ClusterFiles) -> dict[str, Any]:
        """How the server's processes differ from us: their user, a plain environment, a session of their own.

        The session keeps a terminal's Ctrl-C from them: we drain first and stop the database last.
        """
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        options: dict[str, Any] = {"env": environment, "cwd": files.root, "start_new_session": True}
        if files.user.switched:
            options |= {"user": files.user.uid, "group": files.user.gid, "extra_groups": []}
        return options

    # -- the server -------------------------------------------------------------------------------------------------

    async def _start_patiently(self) -> None:
        """Starts the server, again while remains of a killed one block it; other failures are final at once."""
        deadline = time.monotonic() + FIRST_START_PATIENCE
        told = False
        while True:
            mark = self.log_file.stat().st_size if self.log_file.exists() else 0
            try:
                await self._start_once(deadline)
                return
            except _Died:
                said = self._log_since(mark)
            if not PASSING.search(said) or time.monotonic() > deadline:
                raise DatabaseWillNotStart(f"PostgreSQL does not start. Its last words: {_last_words(said)}")
            if not told:
                told = True
                self._say("waiting for the remains of a killed PostgreSQL to go")
            await asyncio.sleep(0.2)

    async def _start_once(self, deadline: float) -> None:
        files = self.files
        for lock_file in (files.data / "postmaster.pid", files.sockets / f".s.PGSQL.{self._port}.lock"):
            _forget_dead_owner(lock_file)
        settings = SETTINGS | {"unix_socket_directories": str(files.sockets), "port": str(self._port)}
        options = [f"-c{name}={value}" for name, value in settings.items()]
        command = [str(files.binaries / "postgres"), "-D", str(files.data), *options]
        with log_file.open_log(self.log_file) as log:
            # INT is PostgreSQL's fast shutdown, QUIT its immediate one.
            self._server = server = await guardian.start(
                command, kind="INT", hard="QUIT", patience=10, log=log, **self._identity(files)
            )
        while server.pid is None or not _takes_connections(files.data, server.pid):
            if server.ended or time.monotonic() > deadline:
                await self._end()
                raise _Died
            await asyncio.sleep(0.01)
        self._postmaster = server.pid
        self.starts += 1

    async def _keep(self) -> None:
        """Brings the server back whenever it dies."""
        while not self._stopping:
            assert self._server is not None
            status = await self._server.wait()
            self._down()
            self._say(f"PostgreSQL ended (status {status}); starting it again")
            await self._bring_back()
            self._say("PostgreSQL is back")
            if self._on_up is not None:
                await self._on_up()

    async def _bring_back(self) -> None:
        pause = 0.05
        while True:
            try:
                # Also closes the pipe of a guardian that was killed itself, so that its watcher ends the server.
                await self._end()
                await self._start_patiently()
                return
            except (DatabaseWillNotStart, OSError) as trouble:
                self._say(f"{trouble} Trying again in {pause:.1f} s.")
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)

    async def _end(self) -> None:
        server, self._server = self._server, None
        self._down()
        if server is None:
            return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.stop(), STOP_PATIENCE)
        if not server.ended and server.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(server.pid, signal.SIGQUIT)
            await server.wait()

    def _down(self) -> None:
        self._postmaster = None

    def _log_since(self, mark: int) -> str:
        with self.log_file.open("rb") as log:
            log.seek(mark if mark <= self.log_file.stat().st_size else 0)
            return log.read().decode(errors="replace")


class _Died(Exception):
    """The server ended before it took connections."""


@contextlib.asynccontextmanager
async def running(
    home: Path, *, say: Say = print, binaries: Path | None = None
) -> AsyncGenerator[EmbeddedPostgres]:
    server = EmbeddedPostgres(home, say=say, binaries=binaries)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()


def _last_words(said: str) -> str:
    lines = [line for line in said.strip().splitlines() if line]
    return " / ".join(lines[-4:]) or "none"


def _takes_connections(data: Path, postmaster: int) -> bool:
    """What pg_ctl does: the lock file's first line is the pid, its eighth the state."""
    with contextlib.suppress(OSError):
        lines = (data / "postmaster.pid").read_text().splitlines()
        return len(lines) >= 8 and lines[0].strip() == str(postmaster) and lines[7].strip() == "ready"
    return False


def _forget_dead_owner(lock_file: Path) -> None:
    """Removes a lock file whose pid now belongs to another program, or to a process that is dead but not collected.

    After a restart of the machine or container a small pid soon comes again, and PostgreSQL would refuse for ever.
    The shared memory's own interlock still keeps two servers from one data directory.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int(lock_file.read_text().splitlines()[0])
        state, name = _process_state(pid)
        if state == "Z" or "postgres" not in name:
            lock_file.unlink()


def _process_state(pid: int) -> tuple[str, str]:
    """One letter as ps prints it, and the program's name. Raises ValueError when there is no such process."""
    if sys.platform == "linux":
        before, _, after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        return after.split()[0], before.partition("(")[2]
    asked = subprocess.run(
        ["ps", "-o", "state=,comm=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, name = asked.stdout.strip().split(None, 1)
    return state[0], name
