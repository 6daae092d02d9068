"""A PostgreSQL with many tenants of two lanes each, and CPU seconds of this process and of PostgreSQL."""

import asyncio
import contextlib
import resource
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

import asyncpg

from bench import cpu
from bench.system import PATIENCE, temporary_home
from mailcordon.adapters.db import engine, migrate
from mailcordon.adapters.db.embedded import EmbeddedPostgres
from mailcordon.adapters.db.engine import Pool

TYPES = ("password-reset", "newsletter")
Figures = Mapping[str, float]  #: by what they are, with their unit


@dataclass
class World:
    owner: asyncpg.Connection
    control: Pool
    dsns: Mapping[str, str]
    _postmaster: int
    _began: float = field(default=0.0)

    def spent(self) -> float:
        """CPU seconds of this process and of PostgreSQL."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        return own.ru_utime + own.ru_stime + self.spent_by_postgres()

    def spent_by_postgres(self) -> float:
        tree = cpu.Tree(self._postmaster, {"postgres": self._postmaster})
        return sum(tree.sample().seconds.values())

    @contextlib.contextmanager
    def measured(self, figures: dict[str, float], name: str):
        """Adds `NAME: CPU s` and what of it was PostgreSQL's."""
        before, of_postgres = self.spent(), self.spent_by_postgres()
        yield
        figures[f"{name}: CPU s"] = self.spent() - before
        figures[f"{name}: of it PostgreSQL s"] = self.spent_by_postgres() - of_postgres


@contextlib.asynccontextmanager
async def opened(tenants: int) -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as stack:
        home = stack.enter_context(temporary_home())
        postgres = EmbeddedPostgres(home, say=lambda _: None)
        await postgres.start()
        stack.push_async_callback(postgres.stop)
        dsn = postgres.dsn("mailcordon")
        made = await migrate.migrate(dsn, home=home, say=lambda _: None, own_cluster=True)
        owner = await asyncpg.connect(dsn, server_settings={"search_path": engine.SCHEMA})
        stack.push_async_callback(owner.close)
        pool = await engine.create_pool(
            made.dsns["control"], answer_seconds=PATIENCE, statement_seconds=PATIENCE
        )
        stack.push_async_callback(pool.close)
        await _fill(owner, tenants)
        assert postgres.postmaster is not None
        yield World(owner, pool, made.dsns, postgres.postmaster)


async def _fill(owner: asyncpg.Connection, tenants: int) -> None:
    """As an installation that was upgraded: lanes without a policy."""
    await owner.execute("set statement_timeout = 0")
    await owner.execute(
        "insert into tenant (key, slug) select 'mc-' || lpad(n::text, 10, '0'), 'tenant-' || n from generate_series(1, $1) n",
        tenants,
    )
    await owner.execute(
        "insert into turn (tenant, class) select t.id, c from tenant t cross join generate_series(0, 2) c"
    )
    await owner.execute(
        "insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend)"
        " select t.id, y.id, y.class, u.id, 86400000, 60000, true from tenant t cross join message_type y"
        " join turn u on u.tenant = t.id and u.class = y.class where y.name = any ($1) order by t.id, y.name",
        list(TYPES),
    )
    await owner.execute(
        "insert into slice (tenant, lane, path, first_minute)"
        " select tenant, id, 'shared', 0 from lane order by id"
    )
    await owner.execute(
        "insert into identity (tenant, domain, status) select id, 'mail.' || slug || '.example', 'verified' from tenant"
    )
    await owner.execute(
        "insert into configuration_set (name, kind) values ('mc-bench', 'shared') on conflict do nothing"
    )
    await owner.execute(
        "insert into route (lane, tenant, path, ses_tenant, identity, domain, configuration_set)"
        " select l.id, l.tenant, 'shared', 'bench', i.id, i.domain, 'mc-bench'"
        " from lane l join identity i on i.tenant = l.tenant"
    )
    await owner.execute("vacuum analyze")


class Longest:
    """The longest time in which another transaction waited for a lock of rows, looked at every few milliseconds."""

    def __init__(self, dsn: str, statement: str) -> None:
        self._dsn = dsn
        self._statement = statement
        self.seconds = 0.0

    async def watch(self) -> None:
        """Runs the statement again and again, and keeps its longest time. Ends when it is cancelled."""
        connection = await asyncpg.connect(self._dsn, server_settings={"search_path": engine.SCHEMA})
        try:
            while True:
                began = time.perf_counter()
                try:
                    await connection.execute(self._statement)
                except asyncpg.exceptions.LockNotAvailableError:
                    pass
                finally:
                    self.seconds = max(self.seconds, time.perf_counter() - began)
                await asyncio.sleep(0.02)
        finally:
            await connection.close()
