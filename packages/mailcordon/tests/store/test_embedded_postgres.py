"""The embedded PostgreSQL under real kills: committed data stays, and the processes that we started end with us."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import asyncpg
import pytest

from mailcordon.adapters.db import cluster_files, embedded, migrate, roles
from mailcordon_fixtures import embedded_postgres, systems

SYSTEM_15 = Path("/usr/lib/postgresql/15/bin")
ROOT = os.geteuid() == 0

#: A supervisor in a process of its own, to be killed. Prints the postmaster's pid, then stays.
SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from mailcordon.adapters.db import embedded

async def main():
    server = embedded.EmbeddedPostgres(Path(sys.argv[1]), say=lambda line: print(line, file=sys.stderr))
    await server.start()
    print(server.postmaster, server.dsn(), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""


ShortHome = Callable[[], contextlib.AbstractContextManager[Path]]


@pytest.fixture
def new_home(short_home: ShortHome) -> Iterator[Path]:
    """Without data: the first start runs initdb."""
    with short_home() as directory:
        yield directory


@pytest.fixture(scope="module")
def stopped(short_home: ShortHome) -> Iterator[Path]:
    """The home of a server that ran and was stopped."""

    async def run_once(home: Path) -> None:
        async with embedded_postgres.running(home):
            pass

    with short_home() as directory:
        asyncio.run(run_once(directory))
        yield directory


@pytest.fixture
def home(short_home: ShortHome, stopped: Path) -> Iterator[Path]:
    """With the data of a stopped server, which is copied with less work than initdb makes."""
    with short_home() as directory:
        systems.copy_home(stopped, directory, "postgres")
        yield directory


@pytest.fixture
async def server(home: Path) -> AsyncIterator[embedded.EmbeddedPostgres]:
    async with embedded_postgres.running(home) as running:
        yield running


@contextlib.contextmanager
def supervisor(home: Path) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(home)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        pid, dsn = process.stdout.readline().split()
        yield process, int(pid), dsn
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def servers_in(home: Path) -> list[int]:
    """Process ids of all PostgreSQL processes of this home, guardians included."""
    asked = subprocess.run(["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True)
    wanted = str((home / "postgres").resolve())
    return [int(line.split()[0]) for line in asked.stdout.splitlines() if wanted in line]


async def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"still waiting until {what}"
        await asyncio.sleep(0.02)


async def remember(dsn: str, value: int) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table if not exists remembered (value int)")
    await connection.execute("insert into remembered values ($1)", value)
    await connection.close()


async def remembered(dsn: str) -> list[int]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select value from remembered order by value")
        return [row["value"] for row in rows]
    finally:
        await connection.close()


async def test_data_outlives_a_stop_and_a_start(home: Path) -> None:
    async with embedded_postgres.running(home) as server:
        await remember(server.dsn(), 1)
    assert servers_in(home) == []
    async with embedded_postgres.running(home) as server:
        assert await remembered(server.dsn()) == [1]


async def test_a_killed_postmaster_comes_back_with_all_that_was_committed(server: embedded.EmbeddedPostgres):
    for round in range(3):
        await remember(server.dsn(), round)
        busy = await asyncpg.connect(server.dsn())
        working = asyncio.create_task(busy.execute("select pg_sleep(60)"))
        await asyncio.sleep(0)
        assert server.postmaster is not None
        os.kill(server.postmaster, signal.SIGKILL)
        with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
            await working
        busy.terminate()
        await until(lambda wanted=round + 2: server.starts == wanted, "the server is up again")
    assert await remembered(server.dsn()) == [0, 1, 2]


async def test_a_killed_guardian_is_replaced_and_leaves_one_server(
    server: embedded.EmbeddedPostgres, home: Path
):
    await remember(server.dsn(), 1)
    first = server.postmaster
    assert first is not None
    asked = subprocess.run(
        ["ps", "-o", "ppid=", "-p", str(first)], capture_output=True, text=True, check=True
    )
    guardian = int(asked.stdout)
    os.kill(guardian, signal.SIGKILL)
    await until(lambda: server.starts == 2, "another server is up")
    assert server.postmaster != first
    assert first not in servers_in(home)
    assert await remembered(server.dsn()) == [1]


async def test_a_killed_supervisor_leaves_no_orphan(home: Path):
    with supervisor(home) as (process, postmaster, dsn):
        await remember(dsn, 1)
        assert postmaster in servers_in(home)
        process.kill()
        process.wait()
        await until(lambda: not servers_in(home), "the orphans are gone")


async def test_the_next_supervisor_starts_although_the_server_of_a_killed_one_still_runs(home: Path):
    with supervisor(home) as (process, _, dsn):
        await remember(dsn, 1)
        process.kill()
        async with embedded_postgres.running(home) as server:
            assert await remembered(server.dsn()) == [1]


async def test_the_next_supervisor_starts_after_everything_was_killed_at_once(home: Path):
    with supervisor(home) as (process, postmaster, dsn):
        await remember(dsn, 1)
        process.kill()
        os.kill(postmaster, signal.SIGKILL)
        async with embedded_postgres.running(home) as server:
            assert await remembered(server.dsn()) == [1]


async def test_a_lock_file_whose_pid_is_another_programs_now_does_not_block_the_start(home: Path):
    async with embedded_postgres.running(home) as server:
        await remember(server.dsn(), 1)
        user, data = server.files.user, server.files.data
    stranger = subprocess.Popen(["sleep", "600"], user=user.uid if user.switched else None)
    try:
        lines = [str(stranger.pid), str(data), "1", "5432", "", "", "", "ready"]
        (data / "postmaster.pid").write_text("\n".join(lines) + "\n")
        async with embedded_postgres.running(home) as server:
            assert await remembered(server.dsn()) == [1]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.skipif(sys.platform != "linux", reason="makes a zombie by hand")
async def test_a_lock_file_that_names_a_zombie_does_not_block_the_start(home: Path):
    """In a container whose first process never reaps zombies, the pid of a killed server accepts signals for ever."""
    async with embedded_postgres.running(home) as server:
        await remember(server.dsn(), 1)
        user, data = server.files.user, server.files.data
    uid = user.uid if user.switched else None
    zombie = subprocess.Popen(["sh", "-c", "printf postgres >/proc/self/comm; kill -9 $$"], user=uid)
    stat = Path(f"/proc/{zombie.pid}/stat")
    await until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "Z", "it is dead")
    assert Path(f"/proc/{zombie.pid}/comm").read_text() == "postgres\n"
    lines = [str(zombie.pid), str(data), "1", "5432", "", "", "", "ready"]
    (data / "postmaster.pid").write_text("\n".join(lines) + "\n")
    async with embedded_postgres.running(home) as server:
        assert await remembered(server.dsn()) == [1]
    zombie.wait()


async def test_an_initdb_that_was_killed_is_started_again(new_home: Path):
    half = new_home / "postgres" / "making-0000"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    async with embedded_postgres.running(new_home) as server:
        await remember(server.dsn(), 1)
    assert not half.exists()


async def test_a_failure_that_waiting_cannot_fix_is_reported_at_once_with_postgres_message(home: Path):
    async with embedded_postgres.running(home) as server:
        data = server.files.data
    with (data / "postgresql.conf").open("a") as settings:
        settings.write("no_such_setting_of_postgres = 1\n")
    with pytest.raises(embedded.DatabaseWillNotStart, match="no_such_setting_of_postgres"):
        async with embedded_postgres.running(home):
            pass


async def test_data_of_another_major_version_is_refused_with_the_way_out(home: Path):
    async with embedded_postgres.running(home) as server:
        data = server.files.data
    (data / "PG_VERSION").write_text("14\n")
    with pytest.raises(embedded.DatabaseWillNotStart, match="made by PostgreSQL 14.*pg_dump"):
        async with embedded_postgres.running(home):
            pass


async def test_a_wrong_password_is_refused_and_nothing_listens_on_the_network(
    server: embedded.EmbeddedPostgres,
):
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.dsn().replace("postgres:", "postgres:x", 1))
    connection = await asyncpg.connect(server.dsn())
    assert await connection.fetchval("show listen_addresses") == ""
    assert await connection.fetchval("show fsync") == "on"
    await connection.close()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", embedded.PORT), timeout=1):
        pass


async def test_two_homes_run_side_by_side(new_home: Path):
    async with (
        embedded_postgres.running(new_home / "a") as one,
        embedded_postgres.running(new_home / "b") as other,
    ):
        await remember(one.dsn(), 1)
        await remember(other.dsn(), 2)
        assert await remembered(one.dsn()) == [1]
        assert await remembered(other.dsn()) == [2]


async def test_a_home_with_a_path_too_long_for_a_socket_works(new_home: Path):
    deep = new_home / ("x" * 60) / ("y" * 60)
    async with embedded_postgres.running(deep) as server:
        assert len(str(server.files.sockets)) <= cluster_files.LONGEST_SOCKET_DIRECTORY
        await remember(server.dsn(), 1)
        assert await remembered(server.dsn()) == [1]
    server.files.sockets.rmdir()


@pytest.mark.skipif(not ROOT, reason="only root hands the server to another user")
async def test_root_with_a_private_home_moves_data_and_binaries_where_they_can_be_reached(new_home: Path):
    private = new_home / "private"
    private.mkdir(mode=0o700)
    said: list[str] = []
    async with embedded_postgres.running(private, say=said.append) as server:
        await remember(server.dsn(), 1)
        assert (private / "postgres").resolve().parent == cluster_files.SHARED_ROOT
        assert any(str(cluster_files.SHARED_ROOT) in line for line in said)
    async with embedded_postgres.running(private, say=said.append) as server:
        assert await remembered(server.dsn()) == [1]
    (private / "postgres").unlink()  # the home was deleted, and one of the same name is made
    try:
        async with embedded_postgres.running(private, say=said.append) as server:
            with pytest.raises(asyncpg.UndefinedTableError):
                await remembered(server.dsn())
        assert "moved to" in "\n".join(said)
    finally:
        root = (private / "postgres").resolve()
        for left in [root, *root.parent.glob(f"{root.name}.left-*")]:
            subprocess.run(["rm", "-rf", str(left)], check=True)


@pytest.mark.skipif(not ROOT, reason="copies are only needed where root switches to another user")
async def test_binaries_out_of_the_other_users_reach_are_copied_with_their_libraries(new_home: Path):
    user = cluster_files.find_server_user()
    hidden = new_home / "hidden"
    shipped = cluster_files.find_binaries()
    files = cluster_files.prepare(new_home, print)
    assert files.binaries == shipped or files.root in files.binaries.parents
    copied = cluster_files.copy_binaries(shipped, files.root)
    hidden.mkdir(mode=0o700)
    assert not cluster_files.reachable(hidden, user)
    asked = subprocess.run(
        [copied / "initdb", "--version"], capture_output=True, text=True, user=user.uid, check=False
    )
    assert asked.stdout.startswith("initdb (PostgreSQL) 18"), asked.stderr


@pytest.mark.skipif(not SYSTEM_15.exists(), reason=f"no PostgreSQL 15 in {SYSTEM_15}")
async def test_postgres_15_takes_the_same_supervisor_migrations_and_roles(new_home: Path):
    async with embedded_postgres.running(new_home, binaries=SYSTEM_15) as server:
        made = await migrate.migrate(server.dsn("mailcordon"), home=new_home)
        for login in roles.LOGINS:
            connection = await asyncpg.connect(made.dsns[login])
            await roles.check_running(connection)
            assert (await connection.fetchval("show server_version")).startswith("15")
            await connection.close()


def test_a_plain_user_needs_no_root(new_home: Path) -> None:
    """As root, runs the supervisor as another user. As a plain user, the tests above cover this."""
    if not ROOT:
        return
    user = cluster_files.find_server_user()
    python = Path(sys.executable).resolve()
    if not cluster_files.reachable(python, user):
        pytest.skip(f"{python} is out of reach for `{user.name}`")
    os.chown(new_home, user.uid, user.gid)
    script = SUPERVISOR.replace("await asyncio.sleep(600)", "await server.stop()")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    done = subprocess.run(
        [sys.executable, "-c", script, str(new_home)],
        user=user.uid,
        group=user.gid,
        extra_groups=[],
        env=environment,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (new_home / "postgres" / "data").stat().st_uid == user.uid
