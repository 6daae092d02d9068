"""The page in a real browser: headless Chromium, driven over the DevTools protocol."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import aiohttp.web
import boto3
import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

import seslocal
from seslocal_fixtures.receiver import Receiver

PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser")  #: the first needs a third less CPU
CHROMIUM = next(filter(None, map(shutil.which, PROGRAMS)), None)

pytestmark = pytest.mark.skipif(
    CHROMIUM is None,
    reason="THE PAGE WAS NOT LOOKED AT: there is no chromium here (Debian: apt install chromium)",
)


class Tab:
    """One browser tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._asked = 0
        self.logged: list[str] = []

    async def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._asked += 1
        await self._socket.send_json({"id": self._asked, "method": method, "params": params})
        while True:
            message = await self._next()
            if message.get("id") == self._asked:
                assert "error" not in message, message
                return message["result"]

    async def go(self, url: str, width: int = 1280) -> None:
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        await self.call("Emulation.setDeviceMetricsOverride", **size)
        await self.call("Page.navigate", url=url)
        while (await self._next()).get("method") != "Page.loadEventFired":
            pass

    async def value(self, expression: str) -> Any:
        result = await self.call(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        return result["result"].get("value")

    async def _next(self) -> dict[str, Any]:
        message = json.loads((await self._socket.receive(timeout=20)).data)
        if message.get("method") == "Log.entryAdded":
            self.logged.append(message["params"]["entry"]["text"])
        return message


@asynccontextmanager
async def browser(directory: Path, *flags: str) -> AsyncIterator[Tab]:
    assert CHROMIUM is not None
    process = subprocess.Popen(
        [
            CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
            "--disable-dev-shm-usage", f"--user-data-dir={directory}", "--remote-debugging-port=0", *flags, "about:blank",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        port_file = directory / "DevToolsActivePort"
        async with asyncio.timeout(30):
            while not port_file.exists() or not port_file.read_text().strip():
                await asyncio.sleep(0.05)
        port = port_file.read_text().split()[0]
        async with aiohttp.ClientSession() as session:
            async with session.get(f"http://127.0.0.1:{port}/json") as answer:
                [page, *_] = [each for each in await answer.json() if each["type"] == "page"]
            async with session.ws_connect(page["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                tab = Tab(socket)
                for domain in ("Page", "Log", "Runtime"):
                    await tab.call(f"{domain}.enable")
                yield tab
    finally:
        os.killpg(
            process.pid, signal.SIGTERM
        )  # Debian's program may be a shell script that waits for the browser
        process.wait(20)


def send(local: seslocal.Local, html: str) -> str:
    session = boto3.Session("test", "test", region_name="us-east-1")
    ses = session.client("sesv2", endpoint_url=local.url)
    ses.create_email_identity(EmailIdentity="acme.example")
    ses.create_configuration_set(ConfigurationSetName="s")
    long = "averylongaddress" * 3 + "@" + "subdomain." * 8 + "example.com"
    message_id = ""
    for number in range(3):
        message_id = ses.send_email(
            FromEmailAddress="a@acme.example",
            Destination={"ToAddresses": [long]},
            Content={"Simple": {
                "Subject": {"Data": f"{'Long' * 40} {number}"},
                "Body": {"Html": {"Data": html}, "Text": {"Data": "x" * 500}},
                "Headers": [{"Name": "X-Long", "Value": "y" * 900}],
                "Attachments": [{"FileName": "f" * 120 + ".txt", "RawContent": b"x"}],
            }},
        )["MessageId"]  # fmt: skip
    ses.close()
    return message_id


async def test_html_of_a_mail_runs_no_script_loads_nothing_and_cannot_navigate(tmp_path: Path) -> None:
    spy = Receiver()
    html = (
        f'<html><head><meta http-equiv=refresh content="0;url={spy.url}/refresh">'
        f'<link rel=stylesheet href="{spy.url}/style.css"><style>@import "{spy.url}/import.css";'
        f'p {{ background: url("{spy.url}/background.png") }}</style></head><body><p id=p>Hello</p>'
        f'<img src="{spy.url}/spy.png"><img srcset="{spy.url}/srcset.png 2x"><iframe src="{spy.url}/frame"></iframe>'
        f'<object data="{spy.url}/object"></object><video poster="{spy.url}/poster.png"></video>'
        f'<svg><image href="{spy.url}/svg.png"/></svg><form action="{spy.url}/form"><input autofocus></form>'
        f"<script>fetch('{spy.url}/script'); parent.document.title = 'caught'; top.location = '{spy.url}/top'</script>"
        f"<img src=x onerror=\"parent.document.title = 'caught'\"></body></html>"
    )
    fetched: list[str] = []
    spy.seen = fetched.append
    try:
        async with seslocal.running() as local, browser(tmp_path) as tab:
            message_id = await asyncio.to_thread(send, local, html)
            url = f"{local.url}/mail/{quote(message_id)}"
            await tab.go(url)
            assert await tab.value("document.querySelector('iframe').getBoundingClientRect().height") > 300
            await tab.go(f"{local.url}/")  # the frame has had time to load
            await tab.go(url + "/body")  # also when opened outside the frame
            assert await tab.value("document.getElementById('p').textContent") == "Hello"
            assert await tab.value("location.pathname") == f"/mail/{message_id}/body"
            assert await tab.value("window.origin") == "null"
            assert fetched == []
            await tab.go(url + "?view=html&remote=1")
            assert await tab.value("document.title") != "caught"
            async with asyncio.timeout(60):
                while "/spy.png" not in fetched:
                    await asyncio.sleep(0.05)
            for never in ("/script", "/top", "/refresh", "/frame", "/object", "/form"):
                assert never not in fetched
            assert await tab.value("location.href") == url + "?view=html&remote=1"
    finally:
        spy.close()


@pytest.mark.parametrize("width", [390, 1280])
async def test_the_page_fits_the_width_of_phone_and_desktop(tmp_path: Path, width: int) -> None:
    async with seslocal.running() as local, browser(tmp_path) as tab:
        empty = local.url + "/"
        await tab.go(empty, width)
        assert await tab.value("document.documentElement.scrollWidth") == width
        message_id = await asyncio.to_thread(send, local, "<p>Hello</p>")
        mail = f"{local.url}/mail/{quote(message_id)}"
        local.account.sending.set_enabled(False)
        views = [f"{mail}?view={view}" for view in ("text", "headers", "source", "events")]
        for url in (empty, mail, *views, f"{local.url}/account", f"{empty}?fate=delivered&tenant={'t' * 64}"):
            await tab.go(url, width)
            assert await tab.value("document.documentElement.scrollWidth") == width, url
            sticking = (
                "[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll, .tabs, pre, svg') && "
                "e.getBoundingClientRect().right > innerWidth + 1).map(e => e.outerHTML.slice(0, 80))"
            )
            assert await tab.value(sticking) == [], url
        assert await tab.value("document.querySelector('.none').textContent") == "No matches."
        await tab.go(mail, width)
        is_shown = "getComputedStyle(document.querySelector('.list')).display !== 'none'"
        assert await tab.value(is_shown) is (width > 760)
        assert [text for text in tab.logged if "Content Security Policy" in text] == []


async def test_new_mail_is_announced_without_a_reload(tmp_path: Path) -> None:
    async with seslocal.running() as local, browser(tmp_path) as tab:
        await tab.go(local.url + "/")
        assert await tab.value("document.getElementById('new').hidden") is True
        await asyncio.to_thread(send, local, "<p>Hello</p>")
        async with asyncio.timeout(15):
            while await tab.value("document.getElementById('new').textContent") != "3 new":
                await asyncio.sleep(0.1)
        await tab.value("document.getElementById('new').click()")
        async with asyncio.timeout(15):
            while await tab.value("document.querySelectorAll('.list li a').length") != 3:
                await asyncio.sleep(0.1)


async def test_the_pages_own_forms_work_and_those_of_another_page_do_not(tmp_path: Path) -> None:
    """The headers are those that a browser really sends."""

    async def attack(request: aiohttp.web.Request) -> aiohttp.web.Response:
        return aiohttp.web.Response(text="<title>evil</title>", content_type="text/html")

    evil = aiohttp.web.Application()
    evil.router.add_get("/", attack)
    runner = aiohttp.web.AppRunner(evil)
    await runner.setup()
    site = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    rules = "--host-resolver-rules=MAP evil.example 127.0.0.1"
    try:
        async with seslocal.running() as local, browser(tmp_path, rules) as tab:
            await asyncio.to_thread(send, local, "<p>the secret code is 4711</p>")
            ledger = local.account.mail.ledger
            for page in (f"http://127.0.0.1:{port}/", f"http://evil.example:{port}/"):
                for path in ("/_seslocal/reset", "/clear"):
                    await tab.go(page)
                    assert await tab.value("document.title") == "evil"
                    post = f"fetch('{local.url}{path}', {{method: 'POST', mode: 'no-cors', body: '{{}}'}}).then(() => 1, () => 1)"
                    assert await tab.value(post) == 1
                    form = (
                        f"document.body.innerHTML = '<form method=post enctype=text/plain action={local.url}{path}>'; "
                        "document.forms[0].submit()"
                    )
                    await tab.value(form)
                    await tab.go(page)  # the form was answered
                    assert len(ledger) == 3
            # The rebound name: for the browser it is one origin with what it reads.
            await tab.go(f"http://evil.example:{local.port}/_seslocal/sent")
            text = await tab.value("document.body.innerText")
            assert "The host name evil.example" in text
            assert "averylongaddress" not in text
            # A link to the page works from anywhere, and so does its own form.
            await tab.go(f"http://127.0.0.1:{port}/")
            await tab.value(f"location.href = '{local.url}/'")
            async with asyncio.timeout(15):
                while await tab.value("document.querySelectorAll('.list li a').length") != 3:
                    await asyncio.sleep(0.05)
            await tab.value(
                "window.confirm = () => true; document.querySelector('form.clear button').click()"
            )
            async with asyncio.timeout(15):
                while len(ledger):
                    await asyncio.sleep(0.05)
    finally:
        await runner.cleanup()


async def test_an_image_cannot_make_a_presigned_call_where_the_browser_does_not_say_its_site(
    tmp_path: Path,
) -> None:
    settings = seslocal.Settings(names=("seslocal.example",))
    rules = "--host-resolver-rules=MAP seslocal.example 127.0.0.1"
    async with seslocal.running(host="0.0.0.0", settings=settings) as local, browser(tmp_path, rules) as tab:
        url = f"http://seslocal.example:{local.port}/?Action=CreateTopic&Name=evil&Version=2010-03-31"
        request = AWSRequest("GET", url)
        SigV4QueryAuth(Credentials("test", "test"), "sns", "us-east-1", expires=60).add_auth(request)
        shown = "new Promise(done => {{ let image = new Image(); image.onerror = image.onload = () => done(1); image.src = {} }})"
        assert await tab.value(shown.format(json.dumps(request.url))) == 1
        session = boto3.Session("test", "test", region_name="us-east-1")
        topics = await asyncio.to_thread(session.client("sns", endpoint_url=local.url).list_topics)
        assert topics["Topics"] == []


async def test_the_page_asks_for_the_token_and_works_with_it(tmp_path: Path) -> None:
    async with seslocal.running(host="0.0.0.0") as local, browser(tmp_path) as tab:
        await asyncio.to_thread(send, local, "<p id=p>Hello</p>")
        await tab.go(local.url.replace("http://", f"http://kim:{local.token}@") + "/")
        assert await tab.value("document.querySelectorAll('.list li a').length") == 3
        await tab.go(local.url + "/")  # the browser keeps it, for the page's script and frame too
        assert await tab.value("fetch('/_seslocal/health').then(answer => answer.status)") == 200
        assert await tab.value("fetch('/mail/x/body').then(answer => answer.status)") == 404
