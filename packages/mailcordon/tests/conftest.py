"""Shared fixtures: one PostgreSQL and one running system per pytest process (so per xdist worker), and a fresh, migrated
database per test.

The server is our embedded one in a short-lived directory (MAILCORDON_TEST_BINARIES names the `bin` of another PostgreSQL
to run there), or the one that MAILCORDON_TEST_DATABASE_URL names, whose user must be allowed to make roles and databases.
A template is migrated once for all workers; each test gets a copy, which takes about 30 ms in memory (docs/testing.md).
"""

import asyncio
import concurrent.futures
import contextlib
import functools
import json
import os
import secrets
import shutil
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import anyio.from_thread
import asyncpg
import botocore.session
import hypothesis
import pytest
from anyio.from_thread import BlockingPortal

from mailcordon.adapters.db import embedded, engine, migrate, roles
from mailcordon_fixtures import once, systems

pytest_plugins = [
    "mailcordon_fixtures.queue_world",
    "mailcordon_fixtures.calls",
    "mailcordon_fixtures.cohorts",
    "mailcordon_fixtures.breaker_watching",
    "mailcordon_fixtures.receiver",
    "mailcordon_fixtures.alerting",
    "mailcordon_fixtures.incidents",
]

#: The same examples in every run and worker, and no deadline: a busy machine is no failure. For other examples:
#: `--hypothesis-profile default`.
hypothesis.settings.register_profile("suite", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile("suite")

#: Every session of boto3 would read and parse the models of its services again, for a tenth of a second of CPU.
botocore.session.create_loader = functools.cache(botocore.session.create_loader)

TODAY = "select (now() at time zone 'UTC')::date"
TEMPLATE_FILE = "template.json"  #: in a server's home: its template's name and day
MOST_USED = 20  #: databases, of 15 MB each
MEMORY = Path("/dev/shm")
MEMORY_NEEDED = 2 << 30  #: bytes free for one pytest process; a container often has 64 MB


#: Carries out one statement as superuser, in one session for all tests: a new one for each costs 10 ms.
Administer = Callable[[str], Awaitable[None]]


@contextlib.contextmanager
def administrator(portal: BlockingPortal, dsn: str) -> Iterator[Administer]:
    """Its session lives in the portal's event loop, since a test's ends with the test."""
    session: asyncpg.Connection | None = None

    async def execute(statement: str) -> None:
        nonlocal session
        if session is None or session.is_closed():
            session = await asyncpg.connect(dsn)
        await session.execute(statement)

    async def close() -> None:
        if session is not None:
            await session.close()

    async def administer(statement: str) -> None:
        await asyncio.wrap_future(portal.start_task_soon(execute, statement))

    try:
        yield administer
    finally:
        portal.call(close)


@dataclass(frozen=True)
class Server:
    """A PostgreSQL for tests. `dsn` enters as one who may make roles and databases."""

    dsn: str
    home: Path
    administer: Administer
    used: deque[str] = field(default_factory=deque[str])  #: databases of past tests, the oldest first
    kept: list[str] = field(default_factory=list[str])  #: databases that tests get copies of
    ours: bool = True  #: it ends with the tests, and all that is in it

    def database_dsn(self, database: str) -> str:
        return urlunsplit(urlsplit(self.dsn)._replace(path=f"/{database}"))


@dataclass(frozen=True)
class Database:
    """One test's own database."""

    name: str
    owner_dsn: str
    role_dsns: dict[str, str]

    def dsn(self, role: str) -> str:
        """The address for `control`, `governor`, `send`, `observe`, `reader`; `owner` is migrate's superuser."""
        return self.owner_dsn if role == roles.OWNER else self.role_dsns[role]


@dataclass
class Template:
    """The migrated database that tests' databases are copied from; nobody connects to it."""

    database: Database
    day: date  #: it has the partitions of this day and its neighbours


def renamed(dsn: str, database: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{database}"))


def fast_directory() -> Path | None:
    """None for the usual temporary directory."""
    with contextlib.suppress(OSError):
        if os.access(MEMORY, os.W_OK | os.X_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED:
            remove_abandoned()
            return MEMORY
    return None


def remove_abandoned() -> None:
    """What killed test runs left would occupy memory until the next boot."""
    for left in MEMORY.glob("mc-*-*"):
        pid = left.name.split("-")[1]
        if pid.isdigit() and not Path("/proc", pid).exists():
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def short_directory() -> Iterator[Path]:
    """A new directory that PostgreSQL's user can enter even when the tests run as root. In memory if there is room:
    fsync stays on, as every role demands, but costs nothing there."""
    directory = Path(tempfile.mkdtemp(prefix=f"mc-{os.getpid()}-", dir=fast_directory()))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session", autouse=True)
def _what_workers_share(tmp_path_factory: pytest.TempPathFactory) -> None:  # pyright: ignore[reportUnusedFunction]
    if "PYTEST_XDIST_WORKER" in os.environ:
        once.share(tmp_path_factory.getbasetemp().parent)


@pytest.fixture(scope="session")
def short_home() -> Callable[[], contextlib.AbstractContextManager[Path]]:
    """Makes homes for systems of a test's own: `with short_home() as home`."""
    return short_directory


@pytest.fixture(scope="session")
def system() -> Iterator[systems.System]:
    """One running system for all tests that do it no harm: each uses tenants of its own."""
    with (
        short_directory() as home,
        systems.running(home, MAILCORDON_SMTP="on", MAILCORDON_DASHBOARD="on") as running,
    ):
        yield running


@pytest.fixture(scope="session")
def shaken_system() -> Iterator[systems.System]:
    """One running system for the modules that stop its mail, kill its processes or put forgeries into its queue, and let it
    recover. It believes only what SNS signed, and logs JSON. They lift what they hold, so each can ask that nothing is held."""
    settings = {"MAILCORDON_EVENT_PROOF": "signature", "MAILCORDON_LOG": "json"}
    with short_directory() as home, systems.running(home, **settings) as running:
        yield running


SHARED_SYSTEMS = ("system", "shaken_system", "incident_system")
#: Seconds after its last test until a system ends that the next test does not need, though it is of the same group. A start costs
#: as much CPU as a minute of idling.
IDLE_SECONDS = 60.0
_last_uses = pytest.StashKey[dict[str, tuple[float, Any]]]()


def _shared_systems(item: pytest.Item | None) -> dict[str, Any]:
    """The definitions of the session's systems that the test uses, without one of its module's own with such a name."""
    found = getattr(item, "_fixtureinfo", None)
    definitions = {} if found is None else found.name2fixturedefs
    last = {name: definitions[name][-1] for name in SHARED_SYSTEMS if definitions.get(name)}
    return {name: definition for name, definition in last.items() if definition.scope == "session"}


def _group_of(item: pytest.Item | None) -> str | None:
    marker = None if item is None else item.get_closest_marker("xdist_group")
    return None if marker is None else str(marker.args[0])


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Ends a system that idles: its six processes would take CPU from all other tests until the end of the run. Tests that share
    one are a group (`conftest.py` of the repository), so no test of another group needs it."""
    group = _group_of(item)
    idle = IDLE_SECONDS if group and group == _group_of(nextitem) else 0.0
    uses = item.config.stash.setdefault(_last_uses, {})
    now = time.monotonic()
    uses.update({name: (now, definition) for name, definition in _shared_systems(item).items()})
    for name in uses.keys() - _shared_systems(nextitem).keys():
        at, definition = uses[name]
        if now - at >= idle:
            del uses[name]
            definition.finish(getattr(item, "_request"))  # noqa: B009 (pytest has no public way to end a fixture early)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with short_directory() as home, anyio.from_thread.start_blocking_portal() as portal:
        if given := os.environ.get("MAILCORDON_TEST_DATABASE_URL"):
            with administrator(portal, given) as administer:
                yield Server(given, home, administer, ours=False)
            return
        if once.is_shared():
            original = once.make_once("server", make_server)
            systems.copy_home(original, home, "postgres", migrate.DSN_FILE, TEMPLATE_FILE)
        server = own_server(home)
        try:
            portal.call(server.start)
            if not once.is_shared():
                asyncio.run(do_less(server.dsn()))
            with administrator(portal, server.dsn()) as administer:
                yield Server(server.dsn(), home, administer)
        finally:
            portal.call(server.stop)


def own_server(home: Path) -> embedded.EmbeddedPostgres:
    binaries = os.environ.get("MAILCORDON_TEST_BINARIES")
    return embedded.EmbeddedPostgres(home, binaries=Path(binaries) if binaries else None)


def make_server() -> Path:
    """The home of a stopped server with a template, of which each worker runs a copy: making it takes 3 s of CPU."""
    home = once.directory(fast_directory())

    async def make() -> None:
        server = own_server(home)
        try:
            await server.start()
            await do_less(server.dsn())
            template = await make_template(server.dsn(template_name()), home)
        finally:
            await server.stop()
        named = {"name": template.database.name, "day": template.day.isoformat()}
        (home / TEMPLATE_FILE).write_text(json.dumps(named))

    asyncio.run(make())
    return home


#: Databases of one test are not worth the work that makes a server last: a fifth of its time.
NEEDLESS = ("autovacuum", "full_page_writes", "wal_compression")


async def do_less(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        for setting in NEEDLESS:
            await connection.execute(f"alter system set {setting} = off")
        # A new copy is read page by page, and a page from memory is sooner read than asked of a process that reads it.
        if await connection.fetchval("select exists (select from pg_settings where name = 'io_method')"):
            await connection.execute("alter system set io_method = sync")  # with the next start
        await connection.execute("select pg_reload_conf()")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def template(postgres: Server) -> Iterator[Template]:
    """It keeps the partitions of yesterday, today and tomorrow: those of two weeks are half of all relations, and every
    copy and every plan would pay for them. Tests of partitions use `shipped_database`."""
    if (postgres.home / TEMPLATE_FILE).exists():
        named = json.loads((postgres.home / TEMPLATE_FILE).read_text())
        dsns = migrate.read_dsns(postgres.home)
        copy = Database(named["name"], postgres.database_dsn(named["name"]), dsns)
        yield Template(copy, date.fromisoformat(named["day"]))
        return
    name = template_name()

    async def drop() -> None:
        admin = await asyncpg.connect(postgres.dsn)
        try:
            for one in (*postgres.kept, name):
                await admin.execute(f"drop database if exists {one} with (force)")
            for role in roles.role_names(name).values():
                await admin.execute(f"drop role if exists {role}")
        finally:
            await admin.close()

    try:
        yield asyncio.run(make_template(postgres.database_dsn(name), postgres.home))
    finally:
        if not postgres.ours:
            asyncio.run(drop())


def template_name() -> str:
    return f"mct_{os.getpid()}_{secrets.token_hex(3)}"


async def make_template(dsn: str, home: Path) -> Template:
    made = await migrate.migrate(dsn, home=home, say=lambda _: None)
    name = urlsplit(dsn).path.removeprefix("/")
    return Template(Database(name, dsn, made.dsns), await keep_three_days(dsn))


async def keep_three_days(dsn: str) -> date:
    """Leaves the partitions of yesterday, today and tomorrow. Returns today."""
    connection = await asyncpg.connect(dsn, server_settings={"search_path": engine.SCHEMA})
    try:
        today: date = await connection.fetchval(TODAY)
        await connection.execute("select ensure_partitions(2)")
        rows = await connection.fetch(
            "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid"
            " where c.relkind = 'r' and c.relname ~ '_p[0-9]{8}$' and right(c.relname, 8) <> all ($1::text[])",
            [f"{today + timedelta(days=n):%Y%m%d}" for n in (-1, 0, 1)],
        )
        await connection.execute("drop table " + ", ".join(row["relname"] for row in rows))
        # Once, instead of in each copy. In full, since the dropped relations have left the catalogs half empty.
        await connection.execute("vacuum (full, freeze)")
    finally:
        await connection.close()
    # The first session after a change writes the file of the catalogs' cache, which each session reads first.
    await (await asyncpg.connect(dsn)).close()
    return today


@pytest.fixture(scope="session")
def shipped(postgres: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Database]]:
    """Makes a database as `migrate` leaves it, with all its partitions; for each day once. Nobody connects to it."""
    of_day: dict[date, Database] = {}

    def make() -> Database:
        today = datetime.now(UTC).date()
        if today not in of_day:
            name = f"mct_shipped_{secrets.token_hex(4)}"
            dsn = postgres.database_dsn(name)
            home = tmp_path_factory.mktemp("shipped")
            # In a thread: a test's own event loop runs in this one.
            with concurrent.futures.ThreadPoolExecutor(1) as apart:
                made = apart.submit(asyncio.run, migrate.migrate(dsn, home=home, say=lambda _: None)).result()
            of_day[today] = Database(name, dsn, made.dsns)
        return of_day[today]

    async def drop() -> None:
        admin = await asyncpg.connect(postgres.dsn)
        try:
            for one in of_day.values():
                await admin.execute(f"drop database {one.name} with (force)")
                for role in roles.role_names(one.name).values():
                    await admin.execute(f"drop role if exists {role}")
        finally:
            await admin.close()

    yield make
    if not postgres.ours:
        asyncio.run(drop())


@pytest.fixture
async def shipped_database(postgres: Server, shipped: Callable[[], Database]) -> AsyncIterator[Database]:
    """A database as `migrate` leaves it, with all its partitions."""
    async with copied(postgres, shipped()) as database:
        yield database


@contextlib.asynccontextmanager
async def copied(server: Server, original: Database, *, keep: bool = False) -> AsyncIterator[Database]:
    """A copy of a database that nobody is connected to. `keep`: until the end of all tests."""
    name = f"{original.name}_{secrets.token_hex(4)}"
    await server.administer(f"create database {name} template {original.name} strategy file_copy")
    # As `migrate` does; no copy has it.
    await server.administer(f"revoke temporary on database {name} from public")
    role_dsns = {role: renamed(dsn, name) for role, dsn in original.role_dsns.items()}
    yield Database(name, server.database_dsn(name), role_dsns)
    if keep:
        server.kept.append(name)
        return
    server.used.append(name)
    # What the server's own end sweeps away is only dropped when disk adds up, and then together: each drop asks for a checkpoint,
    # and only the first finds something to write.
    if len(server.used) > (MOST_USED if server.ours else 0):
        while server.used:
            await server.administer(f"drop database if exists {server.used.popleft()} with (force)")


@pytest.fixture(scope="session")
def copy_of(postgres: Server) -> Callable[..., contextlib.AbstractAsyncContextManager[Database]]:
    """Makes a test's database from another: `async with copy_of(template.database) as database`."""
    return functools.partial(copied, postgres)


@pytest.fixture
async def todays_template(template: Template) -> Template:
    if template.day != datetime.now(UTC).date():  # the run has crossed midnight
        template.day = await keep_three_days(template.database.owner_dsn)
    return template


@pytest.fixture
async def database(postgres: Server, todays_template: Template) -> AsyncIterator[Database]:
    async with copied(postgres, todays_template.database) as database:
        yield database
