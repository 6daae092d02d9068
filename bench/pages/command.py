"""`./dev bench pages`: how long pages, the routes behind them and searches take on a large installation.

It makes an installation of its own and fills it by COPY; with --home that is kept and used again. Only PostgreSQL and the
dashboard run. The full size takes about ten minutes on two idle cores to write, and 13 GB.
"""

import argparse
import asyncio
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import command
from bench.pages import routes, rows, serving, times
from bench.pages.routes import Line
from bench.search_rows import Filled
from bench.system import temporary_home

PAGE_MS, SEARCH_MS, CORE = (
    200.0,
    300.0,
    0.05,
)  #: targets: of a page's median, of a search's p95, of a hundred viewers
_PARTS = ("routes", "search", "pages", "viewers")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench pages", description=__doc__)
    parser.add_argument("--tenants", type=int, default=10_000, help="(default %(default)s)")
    parser.add_argument("--lanes", type=int, default=20_000, help="(default %(default)s)")
    parser.add_argument("--days", type=int, default=90, help="of counts (default %(default)s)")
    parser.add_argument("--messages", type=int, default=10_000_000, help="(default %(default)s)")
    parser.add_argument(
        "--message-days", type=int, default=35, help="they are spread over (default %(default)s)"
    )
    parser.add_argument("--rounds", type=int, default=20, help="of each question (default %(default)s)")
    parser.add_argument("--each", type=int, default=2, help="pages of each kind (default %(default)s)")
    parser.add_argument("--viewers", type=int, default=100, help="of live figures (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="that they look (default %(default)s)")
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=list(_PARTS), help="(default: all)")
    parser.add_argument(
        "--only", nargs="+", metavar="TEXT", default=[], help="routes and searches with this in their name"
    )
    parser.add_argument(
        "--paths", nargs="+", metavar="PATH", default=[], help="pages; default: those that links lead to"
    )
    parser.add_argument(
        "--home", type=Path, help="keep the installation in this directory, and use it if it is there"
    )
    parser.add_argument("--json", action="store_true", help="print a line for machines too")
    options = parser.parse_args(argv)
    # PostgreSQL is started as its own user, which uvloop cannot do.
    return command.run(_measured(options), json=options.json, loop=asyncio.new_event_loop)


async def _measured(options: argparse.Namespace) -> tuple[str, str]:
    if options.home is not None:
        return await _in(options.home, options)
    with temporary_home() as home:
        return await _in(home, options)


async def _in(home: Path, options: argparse.Namespace) -> tuple[str, str]:
    size = rows.Size(
        tenants=options.tenants, lanes=options.lanes, days=options.days, messages=options.messages,
        message_days=options.message_days,
    )  # fmt: skip
    await rows.migrated(home)
    filled, seconds = await rows.filled(home, size, print)
    found: dict[str, Any] = {"size": asdict(size), "filled_seconds": seconds}
    text = [
        f"{size.tenants:,} tenants, {size.lanes:,} lanes, {size.days} days of counts, {size.messages:,} messages"
    ]
    async with serving.dashboard(home) as served:
        for part in options.parts:
            title, lines, facts = await _PART[part](home, served, filled, options)
            found[part] = facts
            text += ["", title, *lines]
    return "\n".join(text), json.dumps(found)


Report = tuple[str, Sequence[str], Any]


async def _routes(home: Path, served: serving.Served, filled: Filled, options: argparse.Namespace) -> Report:
    async with routes.opened({"MAILCORDON_HOME": str(home), "MAILCORDON_METRICS": "off"}) as calls:
        lines = [
            await routes.ask(calls, routes.platform(), name, one, options.rounds)
            for name, one in routes.questions(filled).items()
            if _wanted(name, options)
        ]
    slow = [one.name for one in lines if one.median > PAGE_MS]
    return (
        "Routes that pages call, within the process (ms)",
        [*_table(lines), f"median above {PAGE_MS:.0f} ms: {', '.join(slow) or 'none'}"],
        [asdict(one) for one in lines],
    )


async def _search(home: Path, served: serving.Served, filled: Filled, options: argparse.Namespace) -> Report:
    who = {
        "platform": routes.platform(),
        "acme": routes.of_tenant(filled, 0),
        "small": routes.of_tenant(filled, -len(filled.lanes) // 10),
    }
    async with routes.opened({"MAILCORDON_HOME": str(home), "MAILCORDON_METRICS": "off"}) as calls:
        lines = [
            await routes.ask(calls, who[whose], name, one, options.rounds)
            for name, (whose, one) in routes.searches(filled).items()
            if _wanted(name, options)
        ]
    slow = [one.name for one in lines if one.p95 > SEARCH_MS]
    return (
        "Searching mail, within the process (ms)",
        [*_table(lines), f"p95 above {SEARCH_MS:.0f} ms: {', '.join(slow) or 'none'}"],
        [asdict(one) for one in lines],
    )


async def _pages(home: Path, served: serving.Served, filled: Filled, options: argparse.Namespace) -> Report:
    found = await times.every_page(served, each=options.each, rounds=options.rounds, only=options.paths)
    slow = [one.line.name for one in found if one.line.median > PAGE_MS]
    return (
        "Pages over HTTP, without a browser (ms)",
        [
            *_table([one.line for one in found], {one.line.name: one.cpu_ms for one in found}),
            f"median above {PAGE_MS:.0f} ms: {', '.join(slow) or 'none'}",
        ],
        [{**asdict(one.line), "cpu_ms": one.cpu_ms} for one in found],
    )


async def _viewers(home: Path, served: serving.Served, filled: Filled, options: argparse.Namespace) -> Report:
    title = f"{options.viewers} viewers of live figures"
    lines: list[str] = []
    facts: list[Any] = []
    for changing in (False, True):
        found = await times.viewers(served, count=options.viewers, seconds=options.seconds, changing=changing)
        if found is None:
            return title, ["the first page has no live figures"], None
        shares = ", ".join(f"{name} {share:.1%} of a core" for name, share in found.core.items())
        verdict = "within" if sum(found.core.values()) <= CORE else "ABOVE"
        which = "figures that change each second" if changing else "figures that stand still"
        lines.append(f"{which}: {shares}; {found.events} events in {found.seconds} s; {verdict} {CORE:.0%}")
        facts.append(asdict(found))
    return title, lines, facts


_PART = {"routes": _routes, "search": _search, "pages": _pages, "viewers": _viewers}


def _wanted(name: str, options: argparse.Namespace) -> bool:
    return not options.only or any(one in name for one in options.only)


def _table(lines: Iterable[Line], cpu: dict[str, float] | None = None) -> list[str]:
    head = f"{'':48} {'median':>8} {'p95':>8} {'worst':>8} {'kB':>7}" + (
        "" if cpu is None else f" {'CPU ms':>8}"
    )
    return [
        head,
        *(
            f"{one.name[:48]:48} {one.median:8} {one.p95:8} {one.worst:8} {one.kilobytes:7}"
            + ("" if cpu is None else f" {cpu[one.name]:8}")
            for one in lines
        ),
    ]
