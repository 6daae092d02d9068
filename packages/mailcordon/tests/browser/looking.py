"""Looks at a page as a person and a screen reader do, and says what is wrong with it."""

import asyncio
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from playwright.async_api import ConsoleMessage, Error, Page, Request, Response

WIDE, NARROW = 1440, 390
HEIGHT = {WIDE: 900, NARROW: 844}
VARIANTS: tuple[tuple[int, str], ...] = ((WIDE, "light"), (WIDE, "dark"), (NARROW, "light"), (NARROW, "dark"))
QUICK: tuple[tuple[int, str], ...] = ((WIDE, "light"), (NARROW, "dark"))
#: Impacts of axe-core that fail a page.
_BAD = ("serious", "critical")
#: What axe-core looks for in a variant; empty: for everything. Schemes differ in colours, widths in what has to be scrolled.
_RULES: dict[tuple[int, str], tuple[str, ...]] = {
    (WIDE, "light"): (),
    (WIDE, "dark"): ("color-contrast",),
    (NARROW, "dark"): ("color-contrast", "scrollable-region-focusable"),
}
_MOST_SHOWN = 3  #: elements of one violation
_LONGEST_PICTURE = 6000  #: pixels; a table of thousands of rows says no more below
#: Violations of the content security policy, also of those that the console does not show.
_LISTEN = """
window.violations = [];
document.addEventListener('securitypolicyviolation', e => window.violations.push(
    `${e.effectiveDirective} refused ${e.blockedURI} (${e.sourceFile}:${e.lineNumber})`));
"""
#: What sticks out at the right, without an element around it that scrolls or clips.
_STICKING = """() => {
    const inner = document.documentElement.clientWidth, found = [];
    if (document.documentElement.scrollWidth <= inner) return found;
    for (const one of document.querySelectorAll('body *')) {
        if (one.getBoundingClientRect().right <= inner + 1) continue;
        let around = one.parentElement, kept = false;
        for (; around && around !== document.body; around = around.parentElement)
            if (getComputedStyle(around).overflowX !== 'visible') { kept = true; break; }
        if (!kept) found.push(one.outerHTML.slice(0, 120));
    }
    return [`the page is ${document.documentElement.scrollWidth} px wide`, ...found.slice(0, 3)];
}"""


@cache
def _axe() -> str:
    return (files("axe_playwright_python") / "axe.min.js").read_text()


def artefacts() -> Path:
    """Where pictures go: MAILCORDON_TEST_ARTEFACTS, else .mailcordon/screenshots of the checkout."""
    named = os.environ.get("MAILCORDON_TEST_ARTEFACTS")
    return Path(named) if named else Path(__file__).resolve().parents[4] / ".mailcordon" / "screenshots"


@dataclass
class Watch:
    """What the browser complains of while a page is open."""

    complaints: list[str] = field(default_factory=list[str])
    dialogs: list[str] = field(default_factory=list[str])
    closing: "asyncio.Future[None] | None" = None  #: of the newest dialog
    refusals: bool = True  #: False: the page itself may answer 4xx, as one that says what is wrong

    def on(self, page: Page) -> "Watch":
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.complaints.append(f"a script failed: {error}"))
        page.on("requestfailed", self._failed)
        page.on("response", self._answered)
        page.on("dialog", lambda dialog: self._dialog(dialog))
        return self

    def _console(self, message: ConsoleMessage) -> None:
        # A failed answer is reported by `_answered`, with its URL.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            self.complaints.append(f"console: {message.text}")

    def _failed(self, request: Request) -> None:
        if request.failure != "net::ERR_ABORTED":  # a stream that ends with its page
            self.complaints.append(f"{request.method} {request.url} failed: {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and (self.refusals or response.status >= 500):
            self.complaints.append(f"{response.request.method} {response.url} answered {response.status}")

    def _dialog(self, dialog: Any) -> None:
        self.dialogs.append(dialog.message)
        self.closing = asyncio.ensure_future(dialog.dismiss())


async def prepared(page: Page, *, refusals: bool = True) -> Watch:
    """Call it before the page goes anywhere."""
    await page.add_init_script(_LISTEN)
    return Watch(refusals=refusals).on(page)


async def look(
    page: Page,
    watch: Watch,
    name: str,
    *,
    into: Path | None = None,
    variants: Sequence[tuple[int, str]] = VARIANTS,
    axe: bool = True,
    pictures: bool = True,
) -> list[str]:
    """What is wrong with the page that is open, as sentences; writes a picture of each variant. `name` names the pictures."""
    wrong: list[str] = []
    folder = into or artefacts()
    folder.mkdir(parents=True, exist_ok=True)
    for width, scheme in variants:
        await page.emulate_media(color_scheme=scheme)  # pyright: ignore[reportArgumentType]
        await page.set_viewport_size({"width": width, "height": HEIGHT[width]})
        wrong += [f"{scheme}, {width} px: {one}" for one in await page.evaluate(_STICKING)]
        if axe and (width, scheme) in _RULES:
            found = await violations(page, _RULES[width, scheme])
            wrong += [f"{scheme}, {width} px: {one}" for one in found]
        if pictures:
            await _picture(page, folder / f"{_file(name)}-{width}-{scheme}.png", width)
    wrong += await page.evaluate("window.violations ?? []")
    wrong += watch.complaints
    wrong += [f"a dialog opened: {one}" for one in watch.dialogs]
    watch.complaints.clear()
    watch.dialogs.clear()
    return [f"{name}: {one}" for one in wrong]


async def violations(page: Page, only: Sequence[str] = ()) -> list[str]:
    """Serious and critical violations that axe-core finds; `only`: of these rules."""
    if not await page.evaluate("typeof window.axe === 'object'"):
        await page.evaluate(_axe())
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if only:
        options["runOnly"] = {"type": "rule", "values": list(only)}
    found = await page.evaluate("options => axe.run(document, options)", options)
    return [
        f"axe {one['id']} ({one['impact']}): {one['help']}, at "
        + "; ".join(f"{node['target'][0]} ({_why(node)})" for node in one["nodes"][:_MOST_SHOWN])
        + (f" and {len(one['nodes']) - _MOST_SHOWN} more" if len(one["nodes"]) > _MOST_SHOWN else "")
        for one in found["violations"]
        if one["impact"] in _BAD
    ]


def _why(node: dict[str, Any]) -> str:
    return next((one["message"] for kind in ("any", "all", "none") for one in node[kind]), "")[:160]


async def _picture(page: Page, file: Path, width: int) -> None:
    tall = await page.evaluate("document.documentElement.scrollHeight")
    clip = {"x": 0, "y": 0, "width": width, "height": min(max(tall, HEIGHT[width]), _LONGEST_PICTURE)}
    try:
        await page.screenshot(path=file, full_page=True, clip=clip, animations="disabled")  # pyright: ignore[reportArgumentType]
    except Error as error:
        raise AssertionError(f"no picture could be taken of {page.url}: {error}") from error


def _file(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "start"
