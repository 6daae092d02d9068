"""`./dev bench metrics`: how long questions about the counts of a large fleet take, and what its sums cost a fold.

It has a PostgreSQL of its own. The counts are written by COPY (fleet.py). Each question is asked through the reader that the API
uses; times are of the client, and the CPU of PostgreSQL's session is given beside them, since a busy machine only adds to the
former.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import asyncpg

from bench import command, cpu, fleet
from bench.system import temporary_home
from mailcordon.adapters.db import engine, migrate
from mailcordon.adapters.db.embedded import EmbeddedPostgres
from mailcordon.adapters.db.metrics_reader import PostgresMetricsReader
from mailcordon.core.provider import Provider
from mailcordon.observe.metrics_view import MetricQuery, MetricScope, Page, TopQuery
from mailcordon.observe.windows import DAY, HOUR, Window

TARGET = 100.0  #: ms
_FLEET = MetricScope(tenant=None)
_OURS = MetricScope(tenant=7, as_tenant=True)
_FOLDS = 20
_CHANGES = 2000  #: of one fold, each of another lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    name: str
    command: str
    best_ms: float
    median_ms: float
    cpu_ms: float  #: of PostgreSQL's session
    lines: int


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="bench metrics", description=__doc__)
    parser.add_argument("--lanes", type=int, default=20_000)
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="a line of JSON as well")
    options = parser.parse_args(argv)
    measured = _measure(options.lanes, options.days, options.rounds)
    return command.run(measured, json=options.json, loop=asyncio.new_event_loop)


async def _measure(lanes: int, days: int, rounds: int) -> tuple[str, str]:
    with temporary_home() as home:
        postgres = EmbeddedPostgres(home, say=lambda _: None)
        await postgres.start()
        try:
            return await _report(postgres, home, lanes, days, rounds)
        finally:
            await postgres.stop()


async def _report(
    postgres: EmbeddedPostgres, home: Path, lanes: int, days: int, rounds: int
) -> tuple[str, str]:
    dsn = postgres.dsn("mailcordon")
    made = await migrate.migrate(dsn, home=home, say=lambda _: None, own_cluster=True)
    owner = await asyncpg.connect(dsn, server_settings={"search_path": engine.SCHEMA})
    pools = [await engine.create_pool(made.dsns[login], max_size=1) for login in ("control", "reader")]
    try:
        now = await owner.fetchval("select (now_ms() / 60000)::int")
        began = time.perf_counter()
        written = await fleet.write(owner, lanes=lanes, days=days, now=now)
        took = time.perf_counter() - began
        sessions = [await pool.fetchval("select pg_backend_pid()") for pool in pools]
        reader = PostgresMetricsReader(pools[0], pools[1])
        now = await reader.now()
        asked = [
            await _ask(name, words, ask, sessions, rounds) for name, words, ask in _questions(reader, now)
        ]
        costs = await _fold_costs(owner)
    finally:
        for pool in pools:
            await pool.close()
        await owner.close()
    rows = ", ".join(f"{count:,} in {name}" for name, count in written.rows.items())
    text = "\n".join(
        [
            f"{written.lanes:,} lanes of {written.tenants:,} tenants over {days} days, written in {took:.0f} s: {rows}",
            "",
            f"{'question':34} {'best':>8} {'median':>8} {'CPU':>8}  lines",
            *(
                f"{one.name:34} {one.best_ms:5.0f} ms {one.median_ms:5.0f} ms {one.cpu_ms:5.0f} ms  {one.lines:5}"
                for one in asked
            ),
            "",
            f"target {TARGET:.0f} ms; missed by: "
            + (", ".join(one.name for one in asked if one.median_ms > TARGET) or "none"),
            f"a fold of {_CHANGES:,} changes: {costs[1]:.0f} us a change, {costs[0]:.0f} us without the sums",
        ]
    )
    line = {
        "lanes": written.lanes,
        "days": days,
        "rows": written.rows,
        "questions": {one.name: [one.best_ms, one.median_ms, one.cpu_ms] for one in asked},
        "fold_us": costs,
    }
    return text, json.dumps(line)


Question = tuple[str, str, Callable[[], Awaitable[Page]]]


def _questions(reader: PostgresMetricsReader, now: int) -> Iterable[Question]:
    def window(minutes: int) -> Window:
        return Window(now - minutes, now + 1)

    def top(name: str, minutes: int, **more: object) -> Question:
        query = TopQuery(**({"per": "lane", "ranking": "bounces", "window": window(minutes)} | more))  # pyright: ignore[reportArgumentType]
        return name, "top", lambda: reader.top(query)

    def lines(name: str, scope: MetricScope, minutes: int, **more: object) -> Question:
        query = MetricQuery(**({"window": window(minutes), "limit": 200} | more))  # pyright: ignore[reportArgumentType]
        return name, "metrics", lambda: reader.metrics(scope, query)

    yield top("worst lanes now (1 h)", 60)
    yield top("worst lanes of a day", DAY)
    yield top("most complaints, 7 days", 7 * DAY, ranking="complaints")
    yield top("worst tenants, 90 days", 90 * DAY, per="tenant")
    yield top("worst lanes at Gmail, 6 h", 6 * HOUR, provider=Provider.GMAIL)
    yield top("worst lanes at Gmail, 7 days", 7 * DAY, provider=Provider.GMAIL)
    yield top("worst IP pools of a day", DAY, per="pool")
    yield top("who moved the rate, 1 h", 60, movers=True)
    yield top("who moved the rate, 1 day", DAY, movers=True)
    yield lines("Gmail this week, by day", _FLEET, 7 * DAY, by="day", provider=Provider.GMAIL)
    yield lines("by provider, 7 days", _FLEET, 7 * DAY, by="provider")
    yield lines("by class, 90 days", _FLEET, 90 * DAY, by="class")
    yield lines("by day, 90 days", _FLEET, 90 * DAY, by="day")
    yield lines("by lane, 1 h, a page of 200", _FLEET, 60, by="lane")
    yield lines("by lane, 90 days, a page of 200", _FLEET, 90 * DAY, by="lane")
    yield lines("by tenant, 90 days, a page of 200", _FLEET, 90 * DAY, by="tenant")
    yield lines("Gmail by tenant, 7 days, a page", _FLEET, 7 * DAY, by="tenant", provider=Provider.GMAIL)
    yield lines("by pool, 7 days", _FLEET, 7 * DAY, by="pool")
    yield lines("one tenant by lane, 1 h", _OURS, 60, by="lane")
    yield lines("one tenant by lane, 90 days", _OURS, 90 * DAY, by="lane")
    yield lines("one tenant by provider, 90 days", _OURS, 90 * DAY, by="provider")


async def _ask(
    name: str, words: str, ask: Callable[[], Awaitable[Page]], sessions: list[int], rounds: int
) -> Asked:
    page = await ask()  # what it reads is in memory then, as it is on a server that is asked often
    before, times = _cpu(sessions), list[float]()
    for _ in range(rounds):
        began = time.perf_counter()
        await ask()
        times.append(1000 * (time.perf_counter() - began))
    used = 1000 * (_cpu(sessions) - before) / rounds
    return Asked(
        name=name,
        command=words,
        best_ms=min(times),
        median_ms=median(times),
        cpu_ms=used,
        lines=len(page.lines),
    )


def _cpu(sessions: list[int]) -> float:
    found = [cpu.read(pid) for pid in sessions]
    return sum(one.seconds for one in found if one is not None)


async def _fold_costs(owner: asyncpg.Connection) -> tuple[float, float]:
    """CPU of PostgreSQL for one change in us, without the sums and with them."""
    pid = await owner.fetchval("select pg_backend_pid()")
    costs: list[float] = []
    for state in ("disable", "enable"):
        await owner.execute(f"alter table cohort_feed {state} trigger cohort_sums")
        used = 0.0
        for fold in range(_FOLDS + 1):
            await owner.execute(
                "insert into cohort_change (tenant, lane, minute, path, provider, counts)"
                " select tenant, id, now_ms() / 60000, 'shared', 1, '{1,1,1}' from lane order by id offset $1 limit $2",
                fold % 3 * _CHANGES,
                _CHANGES,
            )
            before = _cpu([pid])
            await owner.fetchval("select fold_cohorts($1)", 2 * _CHANGES)
            used += _cpu([pid]) - before if fold else 0.0
        costs.append(1e6 * used / _FOLDS / _CHANGES)
    return costs[0], costs[1]
