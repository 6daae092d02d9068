"""Every page in a real browser: amid an incident, before the first tenant, with hostile names, without JavaScript, by keyboard.

Pages are found by following links, so a new page is looked at without being listed here.
"""

from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, BrowserContext

from bench.pages import links
from browser import hostile, looking, worlds
from browser.conftest import Copy, hostile_dashboard, signed_in
from browser.serving import Served
from mailcordon_fixtures.systems import System

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.timeout(900),
]  # thirty pages on a busy machine

SECTIONS = (
    "/now",
    "/tenants",
    "/incidents",
    "/messages",
    "/ses",
    "/migration",
    "/pools",
    "/audit",
    "/settings",
)
#: Every page is at most so many clicks from the first one.
CLICKS = 2


#: What can be acted on and seen, and cannot be reached by Tab; and what has the focus without showing it.
UNREACHABLE = """() => [...document.querySelectorAll('a[href], button, input, select, textarea, summary, [hx-get], [hx-post]')]
    .filter(e => e.checkVisibility({visibilityProperty: true}) && e.type !== 'hidden' && !e.disabled && !e.closest('[inert]'))
    .filter(e => e.tabIndex !== 0).map(e => e.outerHTML.slice(0, 100))"""
_FOCUSED = """() => {
    const one = document.activeElement, style = getComputedStyle(one), at = one.getBoundingClientRect();
    return {tag: one.tagName, text: (one.innerText || one.name || '').slice(0, 40), top: at.top, height: at.height,
            ring: (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none'};
}"""


@pytest.fixture(scope="module")
def seen() -> looking.Seen:
    return looking.Seen()


async def every_page(
    context: BrowserContext,
    into: Path,
    *,
    seen: looking.Seen | None = None,
    hostile_names: bool = False,
) -> tuple[list[str], list[str]]:
    """The paths that were looked at, one of each kind, and what is wrong. `seen`: axe-core is asked, too.

    Each page is opened once: its links are those that the browser got."""
    html: dict[str, str] = {}
    wrong: list[str] = []
    page = await context.new_page()
    # Rows have names that the API would refuse, so what leads back to it may be refused, in words.
    watch = await looking.prepared(page, refusals=not hostile_names)

    async def fetched(path: str) -> str:
        return html[path]

    async for path in links.pages(fetched, each=1, clicks=CLICKS):
        answer = await page.goto(path)
        assert answer is not None, path
        html[path] = await answer.text()
        if hostile_names:
            wrong += [f"{path}: {one}" for one in await hostile.harm(page)]
        else:
            wrong += [f"{path}: Tab does not reach {one}" for one in await page.evaluate(UNREACHABLE)]
        wrong += await looking.look(
            page, watch, path, into=into, variants=looking.QUICK, axe=seen is not None, seen=seen
        )
    await page.close()
    return list(html), wrong


async def test_every_page_amid_an_incident(
    chrome: Browser, incident_system: System, seen: looking.Seen
) -> None:
    async with signed_in(chrome, incident_system.dashboard_url, incident_system.dsn("control")) as context:
        found, wrong = await every_page(context, looking.artefacts() / "incident", seen=seen)
    assert not wrong, "\n".join(wrong)
    assert set(SECTIONS) <= set(found)


async def test_every_page_before_the_first_tenant(chrome: Browser, empty: Served, seen: looking.Seen) -> None:
    async with signed_in(chrome, empty.url, empty.control) as context:
        found, wrong = await every_page(context, looking.artefacts() / "empty", seen=seen)
    assert not wrong, "\n".join(wrong)
    assert set(SECTIONS) <= set(found)


async def test_hostile_names_never_run_and_break_no_page(chrome: Browser, hostile_names: Served) -> None:
    async with signed_in(chrome, hostile_names.url, hostile_names.control) as context:
        found, wrong = await every_page(context, looking.artefacts() / "hostile", hostile_names=True)
    assert not wrong, "\n".join(wrong)
    assert set(SECTIONS) <= set(found)


@pytest.mark.skipif(
    not hostile.shared(), reason="MAILCORDON_SHARED names no folder with strings of other projects"
)
async def test_strings_of_other_projects_never_run_and_break_no_page(
    chrome: Browser, template: Any, copy_of: Copy, tmp_path: Path
) -> None:
    async with (
        hostile_dashboard(template, copy_of, tmp_path, hostile.shared()) as served,
        signed_in(chrome, served.url, served.control) as context,
    ):
        found, wrong = await every_page(context, looking.artefacts() / "shared", hostile_names=True)
    assert not wrong, "\n".join(wrong)
    assert set(SECTIONS) <= set(found)


async def test_a_harm_is_seen(chrome: Browser) -> None:
    """What the test above looks for is found where it is."""
    words = (
        '<img src=x onerror="window.ran = 1">',
        "<script>window.ran = 1</script>",
        "<plaintext>",
        "\u202eabc",
        "9361317",
    )
    for word, is_harm in (
        *((one, True) for one in words),
        ("<bdi>\u202eabc</bdi>", False),
        ("&lt;script&gt;", False),
    ):
        page = await chrome.new_page()
        await page.set_content(f"<body><header></header><main>{word}</main></body>")
        assert bool(await hostile.harm(page)) is is_harm, word
        await page.close()


async def test_pages_can_be_read_without_javascript(chrome: Browser, incident_system: System) -> None:
    url, control = incident_system.dashboard_url, incident_system.dsn("control")
    acme = worlds.TENANTS[0]
    wrong: list[str] = []
    async with (
        signed_in(chrome, url, control, java_script_enabled=False) as without,
        signed_in(chrome, url, control) as with_it,
    ):
        pages = [await context.new_page() for context in (without, with_it)]
        for path in (*SECTIONS, f"/tenants/{acme}"):
            words: list[set[str]] = []
            for page in pages:
                await page.goto(path)
                assert await page.locator("main h1").count() == 1, path
                words.append(set((await page.locator("main").inner_text()).split()))
            # Times and counts go on between the two; what is only there with JavaScript would be many words.
            if missing := {one for one in words[1] - words[0] if one.isalpha()}:
                wrong += [f"{path}: only with JavaScript: {' '.join(sorted(missing)[:8])}"] * (
                    len(missing) > 5
                )
    assert not wrong, "\n".join(wrong)


async def test_the_keyboard_skips_to_the_content_and_shows_where_it_is(
    chrome: Browser, incident_system: System
) -> None:
    """That Tab reaches everything is asked of each page above."""
    async with signed_in(chrome, incident_system.dashboard_url, incident_system.dsn("control")) as context:
        page = await context.new_page()
        await page.goto("/now")
        await page.keyboard.press("Tab")
        first = await page.evaluate(_FOCUSED)
        assert first["text"].startswith("Skip")
        assert first["top"] >= 0
        assert first["height"] > 0
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"
        for n in range(12):
            await page.keyboard.press("Tab")
            focused = await page.evaluate(_FOCUSED)
            assert focused["tag"] == "BODY" or focused["ring"], f"after {n + 2} times Tab: {focused}"
        await page.close()
