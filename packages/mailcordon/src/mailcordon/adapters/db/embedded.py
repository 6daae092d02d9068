"""The embedded PostgreSQL, supervised: it starts in about a second, is restarted when it dies, and ends when we end.

The server runs under a guardian, which shuts it down however we die. After a kill -9 PostgreSQL recovers the data; we wait for
the lock file and the backends that a killed server left. Nothing listens on the network: clients connect through a Unix socket
in a private directory, with passwords, because roles must stay separate.
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
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mailcordon.adapters.db import cluster_files
from mailcordon.adapters.db.cluster_files import ClusterFiles, Say
from mailcordon.core.errors import Refused
from mailcordon.host import guardian, log_file
from mailcordon.host.private_file import write_private
from mailcordon.messages import database as database_messages
from mailcordon.messages import system

SUPERUSER = "postgres"
PASSWORD_FILE = "mailcordon.password"  # noqa: S105 (the name of the file inside the data directory)
PORT = 5432  # only names the socket's file; nothing listens on a port
START_PATIENCE = (
    60.0  #: seconds; covers recovery after kill -9 of a busy server, or waiting for an old one to end
)
STOP_PATIENCE = 30.0  #: seconds for a fast shutdown with its checkpoint, before an immediate one

SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    # A pinned plan locks every partition of its tables: several hundred with 90 days of records.
    "max_locks_per_transaction": "256",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "min_wal_size": "128MB",
    "checkpoint_timeout": "10min",
    "checkpoint_completion_target": "0.9",
    "wal_compression": "on",
    # Accepted means durable. Every role process checks these two at startup as well.
    "fsync": "on",
    "synchronous_commit": "on",
    # One old snapshot bloats a queue. None of our transactions is open for a minute.
    "idle_in_transaction_session_timeout": "60s",
    "autovacuum_naptime": "15s",
    # Our statements are short: compiling them costs more than running them.
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # Slow statements are logged without their parameters, and errors without rows and values: these are mail and addresses.
    "log_min_duration_statement": "2s",
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
    "client_min_messages": "warning",
    "password_encryption": "scram-sha-256",
}

#: PostgreSQL logs one of these while processes of a killed server still block the start; waiting helps.
STILL_BLOCKED = re.compile(r"pre-existing shared memory block|lock file .* (already exists|is empty)")


class DatabaseWillNotStart(Refused):
    """The embedded PostgreSQL does not start; the message has the end of its log."""

    code = "database-will-not-start"


class EmbeddedPostgres:
    """One server in one home. `start` returns when it accepts connections, `stop` when it is down."""

    def __init__(
        self,
        home: Path,
        *,
        say: Say = print,
        binaries: Path | None = None,
        on_up: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self._home = home
        self._say = say
        self._given_binaries = binaries
        self._on_up = on_up
        self._files: ClusterFiles | None = None
        self._password = ""
        self._server: guardian.Guarded | None = None
        self._postmaster: int | None = None
        self._supervision: asyncio.Task[None] | None = None
        self._stopping = False
        self.starts = 0  #: how often the server was started, the first time included

    @property
    def files(self) -> ClusterFiles:
        assert self._files is not None, "the server was not started"
        return self._files

    @property
    def postmaster(self) -> int | None:
        """Process id of the running postmaster; None while it is down."""
        return self._postmaster

    @property
    def log_file(self) -> Path:
        return self._home / "log" / "postgres.log"

    def dsn(self, database: str = "postgres") -> str:
        """The superuser's address. For `migrate` only: a role process refuses it."""
        where = f"host={quote(str(self.files.sockets), safe='/')}&port={PORT}"
        return f"postgresql://{SUPERUSER}:{self._password}@/{database}?{where}"

    async def start(self) -> None:
        files = await asyncio.to_thread(cluster_files.prepare, self._home, self._say, self._given_binaries)
        self._files = files
        self.log_file.parent.mkdir(parents=True, exist_ok=True)
        self._password = await self._ensure_cluster(files)
        await self._start_with_retries()
        self._supervision = asyncio.create_task(self._supervise(), name="embedded-postgres")

    async def stop(self) -> None:
        """A fast shutdown: ends sessions and writes the data, so that the next start needs no recovery."""
        self._stopping = True
        supervision, self._supervision = self._supervision, None
        if supervision is not None:
            supervision.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await supervision
        await self._end()

    # -- the cluster ------------------------------------------------------------------------------------------------

    async def _ensure_cluster(self, files: ClusterFiles) -> str:
        """Creates the data directory if it is missing. Returns the superuser's password.

        initdb works in a temporary directory, which is renamed when complete and contains the password. A kill in between leaves
        no incomplete data directory, and the data is never separated from its password.
        """
        if not (files.data / "PG_VERSION").exists():
            await self._make_cluster(files)
            self._say(database_messages.database_created(root=str(files.root)))
        else:
            await self._check_version(files)
        return (files.data / PASSWORD_FILE).read_text().strip()

    async def _make_cluster(self, files: ClusterFiles) -> None:
        for incomplete in files.root.glob("making-*"):
            shutil.rmtree(incomplete, ignore_errors=True)
        temporary = files.root / f"making-{secrets.token_hex(4)}"
        password = files.root / f"{temporary.name}.password"
        write_private(password, secrets.token_urlsafe(24) + "\n")
        if files.user.switched:
            os.chown(password, files.user.uid, files.user.gid)
        arguments = ["-D", str(temporary), "-U", SUPERUSER, f"--pwfile={password}", "--auth=scram-sha-256"]
        done = await self._run(files, "initdb", *arguments, "--encoding=UTF8", "--locale=C")
        if done.returncode != 0:
            password.unlink()
            output = (done.stderr or done.stdout).strip()
            raise DatabaseWillNotStart(database_messages.initdb_failed(root=str(files.root), why=output))
        password.rename(temporary / PASSWORD_FILE)
        temporary.rename(files.data)

    async def _check_version(self, files: ClusterFiles) -> None:
        made_by = (files.data / "PG_VERSION").read_text().strip()
        output = (await self._run(files, "postgres", "--version")).stdout
        found = re.search(r"(\d+)", output)
        if found is None or found[1] != made_by:
            raise DatabaseWillNotStart(
                database_messages.database_of_another_version(
                    data=str(files.data),
                    version=made_by,
                    binaries=str(files.binaries),
                    found=output.strip(),
                )
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
            **self._process_options(files),
        )
        out, err = await process.communicate()
        return subprocess.CompletedProcess(
            arguments, process.returncode or 0, out.decode(errors="replace"), err.decode(errors="replace")
        )

    def _process_options(self, files: ClusterFiles) -> dict[str, Any]:
        """The server's processes have their own user, a minimal environment and a session of their own.

        The session keeps a terminal's Ctrl-C away from them: we drain first and stop the database last.
        """
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"}
        options: dict[str, Any] = {"env": environment, "cwd": files.root, "start_new_session": True}
        if files.user.switched:
            options |= {"user": files.user.uid, "group": files.user.gid, "extra_groups": []}
        return options

    # -- the server -------------------------------------------------------------------------------------------------

    async def _start_with_retries(self) -> None:
        """Starts the server. Retries while processes of a killed one block it; any other failure is final."""
        deadline = time.monotonic() + START_PATIENCE
        announced = False
        while True:
            mark = self.log_file.stat().st_size if self.log_file.exists() else 0
            try:
                await self._start_once(deadline)
                return
            except _Died:
                output = self._log_since(mark)
            if not STILL_BLOCKED.search(output) or time.monotonic() > deadline:
                raise DatabaseWillNotStart(
                    database_messages.postgres_does_not_start(log_end=_last_lines(output))
                )
            if not announced:
                announced = True
                self._say(database_messages.waiting_for_killed_postgres())
            await asyncio.sleep(0.2)

    async def _start_once(self, deadline: float) -> None:
        files = self.files
        for lock_file in (files.data / "postmaster.pid", files.sockets / f".s.PGSQL.{PORT}.lock"):
            _remove_stale_lock(lock_file)
        settings = SETTINGS | {"unix_socket_directories": str(files.sockets), "port": str(PORT)}
        options = [f"-c{name}={value}" for name, value in settings.items()]
        command = [str(files.binaries / "postgres"), "-D", str(files.data), *options]
        with log_file.open_log(self.log_file) as log:
            # INT is PostgreSQL's fast shutdown, QUIT its immediate one.
            self._server = server = await guardian.start(
                command, kind="INT", hard="QUIT", patience=10, log=log, **self._process_options(files)
            )
        while server.pid is None or not _accepts_connections(files.data, server.pid):
            if server.ended or time.monotonic() > deadline:
                await self._end()
                raise _Died
            await asyncio.sleep(0.01)
        self._postmaster = server.pid
        self.starts += 1

    async def _supervise(self) -> None:
        """Starts the server again whenever it dies."""
        while not self._stopping:
            assert self._server is not None
            status = await self._server.wait()
            self._down()
            self._say(database_messages.postgres_ended(status=status))
            await self._restart()
            self._say(database_messages.postgres_is_back())
            if self._on_up is not None:
                await self._on_up()

    async def _restart(self) -> None:
        pause = 0.05
        while True:
            try:
                # Closes the pipe also if the guardian itself was killed, so that its watcher ends the server.
                await self._end()
                await self._start_with_retries()
                return
            except (DatabaseWillNotStart, OSError) as error:
                self._say(database_messages.postgres_retry(why=str(error), seconds=pause))
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
    """The server ended before it accepted connections."""


def _last_lines(output: str) -> str:
    lines = [line for line in output.strip().splitlines() if line]
    return " / ".join(lines[-4:]) or system.log_empty()


def _accepts_connections(data: Path, postmaster: int) -> bool:
    """As pg_ctl checks it: the first line of the lock file is the pid, the eighth the state."""
    with contextlib.suppress(OSError):
        lines = (data / "postmaster.pid").read_text().splitlines()
        return len(lines) >= 8 and lines[0].strip() == str(postmaster) and lines[7].strip() == "ready"
    return False


def _remove_stale_lock(lock_file: Path) -> None:
    """Removes a lock file whose pid now belongs to another program, or to a zombie process.

    After a restart of the machine or container a small pid is soon in use again, and PostgreSQL would never start. Its
    interlock in shared memory still prevents two servers on one data directory.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        pid = int(lock_file.read_text().splitlines()[0])
        state, name = _process_state(pid)
        if state == "Z" or "postgres" not in name:
            lock_file.unlink()


def _process_state(pid: int) -> tuple[str, str]:
    """The state as ps prints it (one letter), and the program's name. Raises ValueError if there is no such process."""
    if sys.platform == "linux":
        before, _, after = Path(f"/proc/{pid}/stat").read_text().rpartition(")")
        return after.split()[0], before.partition("(")[2]
    ps = subprocess.run(
        ["ps", "-o", "state=,comm=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, name = ps.stdout.strip().split(None, 1)
    return state[0], name
