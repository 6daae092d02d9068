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
#: Of axe-core; the dearest of all, so it is asked only where a page has colours that no page had before it.
_CONTRAST = "color-contrast"
#: The colours of each text and of what is behind it, and whether it is large: what decides of its contrast.
_COLOURS = """() => {
    const behind = new Map(), found = new Set();
    const ground = one => {
        if (!one) return 'canvas';
        if (!behind.has(one)) {
            const of = getComputedStyle(one).backgroundColor;
            behind.set(one, of === 'rgba(0, 0, 0, 0)' ? ground(one.parentElement) : of);
        }
        return behind.get(one);
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), seen = new Set();
    while (walker.nextNode()) {
        const one = walker.currentNode.parentElement;
        if (seen.has(one) || !walker.currentNode.data.trim()) continue;
        seen.add(one);
        const style = getComputedStyle(one), size = parseFloat(style.fontSize);
        const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700), isDrawn = one.closest('svg') !== null;
        found.add(`${style.color} on ${ground(one)}, ${style.opacity}, ${isLarge}, ${isDrawn}`);
    }
    for (const one of document.querySelectorAll('input, select, textarea, button'))
        found.add(`${getComputedStyle(one).color} on ${ground(one)}, ${one.disabled}`);
    return [...found];
}"""
_MOST_SHOWN = 3  #: elements of one violation
_LONGEST_PICTURE = 6000  #: pixels; a table of thousands of rows says no more below
#: Violations of the content security policy, also of those that the console does not show.
_LISTEN = """
window.violations = [];
document.addEventListener('securitypolicyviolation', e => window.violations.push(
    `${e.effectiveDirective} refused ${e.blockedURI} (${e.sourceFile}:${e.lineNumber})`));
"""
#: The page hears of its new size at the begin of a frame, and a busy browser is late with that.
_TWO_FRAMES = (
    "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => done(null))))"
)
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


@dataclass
class Seen:
    """What pages had that were looked at already, so that the same is not judged again on each page."""

    colours: dict[str, set[str]] = field(default_factory=dict[str, set[str]])  #: by scheme

    def new(self, scheme: str, colours: Sequence[str]) -> bool:
        """Whether some of them are new; from now on they are not."""
        known = self.colours.setdefault(scheme, set())
        before = len(known)
        known.update(colours)
        return len(known) > before


async def look(
    page: Page,
    watch: Watch,
    name: str,
    *,
    into: Path | None = None,
    variants: Sequence[tuple[int, str]] = VARIANTS,
    axe: bool = True,
    pictures: bool | None = None,
    seen: Seen | None = None,
) -> list[str]:
    """What is wrong with the page that is open, as sentences. `name` names the pictures.

    `pictures`: of each variant, whatever it shows; None: only if MAILCORDON_TEST_ARTEFACTS names a folder. Of a variant that has
    something wrong there is always one. axe-core asks everything in the first variant, and in others only what they can change.
    """
    wrong: list[str] = []
    folder = into or artefacts()
    seen = seen or Seen()
    wanted = pictures if pictures is not None else bool(os.environ.get("MAILCORDON_TEST_ARTEFACTS"))
    for place, (width, scheme) in enumerate(variants):
        await page.emulate_media(color_scheme=scheme)  # pyright: ignore[reportArgumentType]
        await page.set_viewport_size({"width": width, "height": HEIGHT[width]})
        await page.evaluate(_TWO_FRAMES)
        found: list[str] = await page.evaluate(_STICKING)
        if axe:
            if place == 0:
                found += await violations(page, without=(_CONTRAST,))
            elif width == NARROW:
                found += await violations(page, only=("scrollable-region-focusable",))
            if seen.new(scheme, await page.evaluate(_COLOURS)):
                found += await violations(page, only=(_CONTRAST,))
        wrong += [f"{scheme}, {width} px: {one}" for one in found]
        if wanted or found:
            folder.mkdir(parents=True, exist_ok=True)
            await _picture(page, folder / f"{_file(name)}-{width}-{scheme}.png", width)
    wrong += await page.evaluate("window.violations ?? []")
    wrong += watch.complaints
    wrong += [f"a dialog opened: {one}" for one in watch.dialogs]
    watch.complaints.clear()
    watch.dialogs.clear()
    return [f"{name}: {one}" for one in wrong]


async def violations(page: Page, *, only: Sequence[str] = (), without: Sequence[str] = ()) -> list[str]:
    """Serious and critical violations that axe-core finds; `only`: of these rules, `without`: of all but these."""
    if not await page.evaluate("typeof window.axe === 'object'"):
        await page.evaluate(_axe())
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if only:
        options["runOnly"] = {"type": "rule", "values": list(only)}
    options["rules"] = {name: {"enabled": False} for name in without}
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
