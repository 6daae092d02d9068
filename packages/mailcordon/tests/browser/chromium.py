"""Finds and starts Chromium. Nothing is downloaded: Playwright only drives the one that is installed (docs/decisions/090)."""

import contextlib
import os
import shutil
from collections.abc import AsyncIterator

from playwright.async_api import Browser, async_playwright

ABSENT = (
    "NO PAGE WAS LOOKED AT: there is no chromium here (Debian: apt install chromium-headless-shell fonts-dejavu-core; or name one"
    " with MAILCORDON_TEST_CHROMIUM)"
)
_FLAGS = (
    "--disable-gpu",
    "--disable-dev-shm-usage",  # a container often has 64 MB of it
    "--disable-background-networking",
    "--disable-component-update",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
)


def found() -> str | None:
    """The program: what MAILCORDON_TEST_CHROMIUM names, else what is on the path. Chromium without its windows needs a third less
    CPU."""
    if named := os.environ.get("MAILCORDON_TEST_CHROMIUM"):
        return shutil.which(named)
    return shutil.which("chromium-headless-shell") or shutil.which("chromium")


@contextlib.asynccontextmanager
async def running(program: str) -> AsyncIterator[Browser]:
    """One headless browser. Its contexts share nothing, so each test takes one of its own."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            yield browser
        finally:
            await browser.close()
