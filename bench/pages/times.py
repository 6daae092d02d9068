"""Times of the dashboard's pages over HTTP, as a browser waits for them, and what a hundred viewers of live figures cost."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass

import httpx

from bench import cpu
from bench.pages import entering, links
from bench.pages.routes import NEVER, Line, line
from bench.pages.serving import Served
from bench.system import PATIENCE, Failed

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewers:
    viewers: int
    seconds: float
    events: int
    core: Mapping[str, float]  #: share of a core, by process


async def viewers(served: Served, *, count: int, seconds: float, page: str = "/now") -> Viewers | None:
    """So many people look at live figures. None if the page has no stream."""
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
                async for row in answer.aiter_lines():
                    events += row.startswith("data:")
                    if stop.is_set():
                        return

        stop, ready = asyncio.Event(), asyncio.Semaphore(0)
        tasks = [asyncio.create_task(view(stop, ready)) for _ in range(count)]
        try:
            async with asyncio.timeout(PATIENCE):
                for _ in range(count):
                    await ready.acquire()
            events = 0
            before, began = _parts(served), time.monotonic()
            await asyncio.sleep(seconds)
            after, passed = _parts(served), time.monotonic() - began
        finally:
            stop.set()
            for task in tasks:
                task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.gather(*tasks, return_exceptions=True)
        return Viewers(
            viewers=count,
            seconds=round(passed, 1),
            events=events,
            core={name: round((after[name] - before[name]) / passed, 4) for name in after},
        )


def _parts(served: Served) -> dict[str, float]:
    tree = cpu.Tree(served.postmaster, {"postgres": served.postmaster})
    whole = sum(tree.sample().seconds.values())
    dashboard = cpu.read(served.dashboard)
    return {"dashboard": 0.0 if dashboard is None else dashboard.seconds, "postgres": whole}
