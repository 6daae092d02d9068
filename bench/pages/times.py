"""Times of the dashboard's pages over HTTP, as a browser waits for them, and what a hundred viewers of live figures cost."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg
import httpx

from bench import cpu
from bench.pages import entering, links, rows
from bench.pages.routes import NEVER, Line, line
from bench.pages.serving import Served
from bench.system import PATIENCE, Failed
from mailcordon.adapters.db import engine

#: Where a page names its stream of live figures.
_STREAM = re.compile(r'(?:hx-sse:connect|sse-connect|data-stream)="([^"]+)"')
_REFUSED = {"median": NEVER, "p95": NEVER, "worst": NEVER, "kilobytes": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLine:
    line: Line
    cpu_ms: float  #: of the dashboard and PostgreSQL together, for one answer


@contextlib.asynccontextmanager
async def signed_in(served: Served, most: int = 10) -> AsyncIterator[httpx.AsyncClient]:
    """`most`: connections."""
    limits = httpx.Limits(max_connections=most, max_keepalive_connections=most)
    async with httpx.AsyncClient(base_url=served.url, timeout=PATIENCE, limits=limits) as client:
        path = await entering.link(served.control)
        answer = await client.post(path, data={"csrf": entering.csrf((await client.get(path)).text)})
        if answer.status_code != 303:
            raise Failed(f"the link was not taken: {answer.status_code} {answer.text[:300]}")
        yield client


async def every_page(served: Served, *, each: int, rounds: int, only: Sequence[str] = ()) -> list[PageLine]:
    """`each`: pages of a kind. `only`: these paths, with their queries, instead of those that links lead to."""
    async with signed_in(served) as client:

        async def fetch(path: str) -> str:
            answer = await client.get(path, follow_redirects=True)
            return answer.text if answer.status_code == 200 else ""

        paths = list(only) or [path async for path in links.pages(fetch, each=each)]
        return [await _page(served, client, path, rounds) for path in paths]


async def _page(served: Served, client: httpx.AsyncClient, path: str, rounds: int) -> PageLine:
    took: list[float] = []
    size, before = 0, 0.0
    for n in range(rounds + 1):
        if n == 1:  # the first one opens connections and reads pages from the disk
            before = _cpu(served)
        began = time.perf_counter()
        answer = await client.get(path, follow_redirects=True)
        if n:
            took.append(1000 * (time.perf_counter() - began))
        if answer.status_code != 200:
            return PageLine(line=Line(name=f"{path}: {answer.status_code}", **_REFUSED), cpu_ms=0.0)
        size = max(size, len(answer.content))
    used = 1000 * (_cpu(served) - before) / rounds
    return PageLine(line=line(path, took, size), cpu_ms=round(used, 1))


def _cpu(served: Served) -> float:
    tree = cpu.Tree(served.dashboard, {"dashboard": served.dashboard})
    tree.add("postgres", served.postmaster)
    return sum(tree.sample().seconds.values())


#: Once a second while figures change: what a fold counted, what the account has sent, and what is said of an incident.
_CHANGES = (
    "update cohort_lane set sent = coalesce(sent, 0) + 10 where span = 360 and lane <= 100"
    " and minute = (select max(minute) from cohort_lane where span = 360)",
    "insert into account_rate (cell, ceiling, rate, at, max_24h, sent_24h, sending_enabled, enforcement, polled_at)"
    " values ('default', 1000, 1000, 0, 50000000, 1000, true, 'HEALTHY', now_ms())"
    " on conflict (cell) do update set sent_24h = account_rate.sent_24h + 100, polled_at = now_ms()",
    "update incident set sentence = regexp_replace(sentence, '( at [0-9]+)?$', ' at ' || now_ms())"
    " where id = (select max(id) from incident where closed_at is null)",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewers:
    viewers: int
    changing: bool  #: whether the figures changed each second
    seconds: float
    events: int
    core: Mapping[str, float]  #: share of a core, by process


@contextlib.asynccontextmanager
async def _figures_change(served: Served) -> AsyncIterator[Callable[[], float]]:
    """Each second. Yields the seconds of CPU that the changes themselves have taken."""
    owner = await asyncpg.connect(
        served.postgres.dsn(rows.DATABASE), server_settings={"search_path": engine.SCHEMA}
    )

    async def change() -> None:
        while True:
            for statement in _CHANGES:
                await owner.execute(statement)
            await asyncio.sleep(1.0)

    def seconds() -> float:
        found = cpu.read(owner.get_server_pid())
        return 0.0 if found is None else found.seconds

    task = asyncio.create_task(change())
    try:
        yield seconds
        if task.done():
            task.result()  # it failed, and the figures stood still
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await owner.close()


@contextlib.asynccontextmanager
async def _figures_stand_still() -> AsyncIterator[Callable[[], float]]:
    yield lambda: 0.0


async def viewers(
    served: Served, *, count: int, seconds: float, changing: bool, page: str = "/now"
) -> Viewers | None:
    """So many people look at live figures. None if the page has no stream."""
    changes = _figures_change(served) if changing else _figures_stand_still()
    async with changes as own:
        return await _viewers(served, count, seconds, changing, page, own)


async def _viewers(
    served: Served, count: int, seconds: float, changing: bool, page: str, own: Callable[[], float]
) -> Viewers | None:
    async with signed_in(served, count + 10) as client:
        found = _STREAM.search((await client.get(page)).text)
        if found is None:
            return None
        events = 0

        async def view(stop: asyncio.Event, ready: asyncio.Semaphore) -> None:
            nonlocal events
            async with client.stream("GET", found[1], timeout=None) as answer:
                if answer.status_code != 200:
                    raise Failed(f"{found[1]} answered {answer.status_code}")
                ready.release()
                before = ""
                async for row in answer.aiter_lines():
                    events += before.startswith("data:") and not row  # the empty line ends an event
                    before = row
                    if stop.is_set():
                        return

        stop, ready = asyncio.Event(), asyncio.Semaphore(0)
        tasks = [asyncio.create_task(view(stop, ready)) for _ in range(count)]
        try:
            async with asyncio.timeout(PATIENCE):
                for _ in range(count):
                    await ready.acquire()
            events = 0
            before, began = _parts(served, own()), time.monotonic()
            await asyncio.sleep(seconds)
            after, passed = _parts(served, own()), time.monotonic() - began
        finally:
            stop.set()
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)
        return Viewers(
            viewers=count,
            changing=changing,
            seconds=round(passed, 1),
            events=events,
            core={name: round((after[name] - before[name]) / passed, 4) for name in after},
        )


def _parts(served: Served, own: float) -> dict[str, float]:
    """Without `own` seconds of the bench itself."""
    tree = cpu.Tree(served.postmaster, {"postgres": served.postmaster})
    whole = sum(tree.sample().seconds.values())
    dashboard = cpu.read(served.dashboard)
    return {"dashboard": 0.0 if dashboard is None else dashboard.seconds, "postgres": whole - own}
