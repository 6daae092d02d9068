"""`./dev look`: pictures of every page of the dashboard, wide and narrow, light and dark, and what is wrong with each.

It starts a system, fills it, signs in, follows the links from the first page, and looks at one or two pages of each kind.
"""

import argparse
import asyncio
import contextlib
import json
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from playwright.async_api import BrowserContext

from bench.pages import links, rows, serving
from browser import chromium, looking, signing_in, worlds


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev look", description=__doc__)
    state = parser.add_mutually_exclusive_group()
    state.add_argument(
        "--empty", action="store_true", help="a fresh system; default: three tenants that send"
    )
    state.add_argument("--incident", action="store_true", help="a bought list is held at present")
    state.add_argument(
        "--tenants",
        type=int,
        help="so many tenants, written by COPY, of which only the API and the dashboard run",
    )
    state.add_argument("--running", type=Path, metavar="HOME", help="a system that runs already")
    parser.add_argument(
        "--home", type=Path, help="keep the system in this directory, and go on with it if it is there"
    )
    parser.add_argument(
        "--pages",
        nargs="+",
        metavar="PATH",
        help="only these, such as /messages; default: all that links lead to",
    )
    parser.add_argument("--each", type=int, default=2, help="most pages of each kind (default %(default)s)")
    parser.add_argument("--into", type=Path, help="where pictures go (default .mailcordon/screenshots/STATE)")
    parser.add_argument(
        "--quick", action="store_true", help="one wide and one narrow picture, without axe-core"
    )
    parser.add_argument(
        "--stay", action="store_true", help="after that, print the address and go on until Ctrl-C"
    )
    options = parser.parse_args(argv)
    program = chromium.found()
    if program is None:
        print(chromium.ABSENT, file=sys.stderr)
        return 3
    with contextlib.suppress(KeyboardInterrupt):
        return asyncio.run(_look(options, program))
    return 130


async def _look(options: argparse.Namespace, program: str) -> int:
    async with _dashboard(options) as (state, url, at):
        into = options.into or looking.artefacts() / state
        wrong: list[str] = []
        async with chromium.running(program) as browser:
            context = await browser.new_context(base_url=url)
            await signing_in.sign_in(context, url, signing_in.control_of(at))

            async def fetch(path: str) -> str:
                return await (await context.request.get(path)).text()

            if options.pages:
                for path in options.pages:
                    wrong += await _page(context, path, into, quick=options.quick)
            else:
                async for path in links.pages(fetch, each=options.each):
                    wrong += await _page(context, path, into, quick=options.quick)
        print(f"pictures are in {into}")
        if options.stay:
            print(
                f"it goes on at {url} until Ctrl-C; MAILCORDON_HOME={at} mailcordon sign-in lets you in",
                flush=True,
            )
            await asyncio.Event().wait()
        print(f"{len(wrong)} things are wrong" if wrong else "nothing is wrong", flush=True)
        return 1 if wrong else 0


async def _page(context: BrowserContext, path: str, into: Path, *, quick: bool) -> list[str]:
    began = time.monotonic()
    page = await context.new_page()
    try:
        watch = await looking.prepared(page)
        answer = await page.goto(path)
        variants = looking.QUICK if quick else looking.VARIANTS
        found = await looking.look(
            page, watch, path, into=into, variants=variants, axe=not quick, pictures=True
        )
        status = answer.status if answer is not None else "no answer"
        print(f"{path}: {status} ({time.monotonic() - began:.1f} s)", flush=True)
        for one in found:
            print(f"  WRONG {one.removeprefix(path)[2:]}", flush=True)
        return found
    finally:
        await page.close()


@contextlib.asynccontextmanager
async def _dashboard(options: argparse.Namespace) -> AsyncIterator[tuple[str, str, Path]]:
    """The name of the state that is looked at, the dashboard's URL, and the home."""
    if options.running is not None:
        running = json.loads((options.running / "run.json").read_text())
        yield "running", running["dashboard"], options.running
        return
    state = "empty" if options.empty else "incident" if options.incident else "tenants"
    async with contextlib.AsyncExitStack() as stack:
        home = options.home or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mc-look-")))
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o711)  # PostgreSQL's user must be able to enter it if this is root
        if options.tenants is not None:
            if not (home / rows.MARK).exists():
                await rows.migrated(home)
                await rows.filled(home, serving.size_of(options.tenants), print)
            served = await stack.enter_async_context(serving.dashboard(home))
            yield f"{options.tenants}-tenants", served.url, home
            return
        fresh = not (home / "database.json").exists()
        system = await asyncio.to_thread(stack.enter_context, worlds.system(home))  # it runs loops of its own
        if fresh and options.incident:
            await worlds.incident_in_progress(system, print)
        elif fresh and not options.empty:
            await worlds.tenants_that_send(system, print)
        yield state, system.dashboard_url, system.home


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
