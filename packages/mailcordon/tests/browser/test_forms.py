"""Forms, clicked: a key is made, sends a mail and is revoked; what is shown once is nowhere else; forms for eye and keyboard."""

import asyncio
import re
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.async_api import Browser, Page, Route, expect

from browser import looking, worlds
from browser.conftest import signed_in
from browser.serving import Served
from browser.test_pages import UNREACHABLE
from mailcordon.control.people.roles import Role
from mailcordon_fixtures.systems import System

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),  # the browser's
    pytest.mark.timeout(900),
]

PATIENCE = 60_000  #: milliseconds for a page on a busy machine
ACME = worlds.TENANTS[0]
#: Together they have every kind of field.
FORMS = (
    "/settings/webhooks/new",
    "/settings/alerts/new?form=pagerduty",
    "/settings/policy/plans/new",
    f"/tenants/{ACME}/contacts/new",
    "/migration/suppression-split/assign?addresses=kim@example.com",
    "/onboard",
    f"/tenants/{ACME}/facts",
    f"/tenants/{ACME}/tier",
    f"/tenants/{ACME}/unsubscribe-host",
    f"/tenants/{ACME}/claim",
    f"/tenants/{ACME}/domains/mail.{ACME}.example/dkim",
    f"/tenants/{ACME}/domains/mail.{ACME}.example/transfer",
    f"/tenants/{ACME}/changes/retire-lane?type=newsletter&mail=drain",
    f"/tenants/{ACME}/changes/set-topology",
    f"/tenants/{ACME}/templates/{worlds.RECEIPT}",
    f"/tenants/{ACME}/templates/{worlds.RECEIPT}/store",
    f"/tenants/{ACME}/templates/{worlds.RECEIPT}/preview",
    f"/tenants/{ACME}/templates/{worlds.RECEIPT}/retire",
    f"/settings/templates/{worlds.RECEIPT}",
    "/settings/ses-door/name?set=news",
)
#: Those that are there before the first tenant, and that links do not lead to within two clicks.
FORMS_BEFORE = ("/settings/new-template", "/settings/ses-door/name", "/onboard")


async def test_a_key_is_made_sends_a_mail_and_is_revoked(chrome: Browser, incident_system: System) -> None:
    url, control = incident_system.dashboard_url, incident_system.dsn("control")
    expect.set_options(timeout=PATIENCE)
    async with signed_in(chrome, url, control) as context:
        await context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        watch = await looking.prepared(page)
        await page.goto(f"/tenants/{ACME}/access")
        await page.get_by_role("link", name="Make a key…").click()
        await expect(page.get_by_label("Tenant", exact=True)).to_have_value(ACME)
        key = await made(page, "web shop")
        assert not await looking.look(page, watch, "key-made", variants=looking.QUICK)
        # Where it could be kept: the address, the history, and what a reload shows.
        await expect(page).to_have_url(re.compile(rf"/settings/keys\?tenant={ACME}$"))
        await page.reload()
        assert key not in await page.content()
        await expect(page.locator("tr", has_text="web shop")).to_have_count(1)

        async with httpx.AsyncClient(base_url=incident_system.url, timeout=60) as api:
            assert (await send(api, key)).status_code == 202
            await page.locator("tr", has_text="web shop").get_by_role("link", name="Revoke…").click()
            await page.get_by_label("Reason").fill("a test of the shop")
            await page.get_by_role("button", name="Revoke it for good").click()
            await expect(page.locator(".notice[role=status]")).to_have_text("It is removed.")
            for _ in range(600):  # other processes learn of it within a second
                if (await send(api, key)).status_code == 401:
                    break
            else:
                raise AssertionError("a revoked key goes on to send")
        await expect(page.locator("tr", has_text="web shop")).to_contain_text("revoked")
        assert watch.complaints == []
    for name in incident_system.processes:
        if (incident_system.home / "log" / f"{name}.log").exists():
            assert key not in incident_system.log(name), name


async def test_a_key_is_made_without_javascript_and_a_viewer_sees_no_form(
    chrome: Browser, incident_system: System
) -> None:
    url, control = incident_system.dashboard_url, incident_system.dsn("control")
    async with signed_in(chrome, url, control, java_script_enabled=False) as context:
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        await page.goto(f"/settings/keys/new?tenant={ACME}")
        await page.get_by_label("Name", exact=True).fill("plain")
        await page.get_by_role("button", name="Make the key").click()
        await expect(page.locator(".secret code")).to_have_text(re.compile(r"^mck_\w{8}_.{43}$"))
    async with signed_in(chrome, url, control, role=Role.VIEWER) as context:
        page = await context.new_page()
        for listed in ("/settings/keys", "/settings/webhooks", f"/tenants/{ACME}/access"):
            await page.goto(listed)
            await expect(page.locator("main").get_by_role("link", name=re.compile("…$"))).to_have_count(0)
        answer = await page.goto("/settings/keys/new")
        assert answer is not None
        assert answer.status == 403
        await expect(page.locator("main form")).to_have_count(0)


async def test_forms_for_eye_and_keyboard(chrome: Browser, incident_system: System) -> None:
    wrong: list[str] = []
    seen = looking.Seen()
    async with signed_in(chrome, incident_system.dashboard_url, incident_system.dsn("control")) as context:
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        watch = await looking.prepared(page)
        for path in FORMS:
            answer = await page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            for folded in await page.locator("main details > summary").all():
                await folded.click()
            wrong += [f"{path}: Tab does not reach {one}" for one in await page.evaluate(UNREACHABLE)]
            wrong += await looking.look(page, watch, path, variants=looking.QUICK, seen=seen)
        # What is refused stands beside its field, for a screen reader too.
        watch.refusals = False
        await page.goto(f"/settings/keys/new?tenant={ACME}")
        await page.get_by_label("Name", exact=True).fill("shop")
        await page.locator("main details > summary").click()
        await page.get_by_label("Works from").fill("here")
        await page.get_by_role("button", name="Make the key").click()
        await expect(page.get_by_label("Works from")).to_have_accessible_description(
            re.compile("^Must be an address range")
        )
        wrong += await looking.look(page, watch, "key-refused", variants=looking.QUICK, seen=seen)
    assert not wrong, "\n".join(wrong)


async def test_forms_before_the_first_tenant(chrome: Browser, empty: Served) -> None:
    wrong: list[str] = []
    async with signed_in(chrome, empty.url, empty.control) as context:
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        watch = await looking.prepared(page)
        for path in FORMS_BEFORE:
            await page.goto(path)
            wrong += await looking.look(
                page, watch, f"empty {path}", variants=looking.QUICK, seen=looking.Seen()
            )
    assert not wrong, "\n".join(wrong)


async def made(page: Page, name: str) -> str:
    """Makes a key with the form that is open. Returns it, as the button copies it."""
    await page.get_by_label("Name", exact=True).fill(name)
    await clicked_twice(page, "Make the key")
    shown = await page.locator(".secret code").inner_text()
    await page.get_by_role("button", name="Copy: API key").click()
    await expect(page.get_by_text("Copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == shown
    return shown


async def clicked_twice(page: Page, name: str) -> None:
    """The second click comes while the first one's form is on its way: it must send none."""
    sent: list[str] = []
    clicked = asyncio.Event()

    async def hold(route: Route) -> None:
        sent.append(route.request.method)
        await clicked.wait()
        await route.continue_()

    path = urlsplit(page.url).path
    await page.route(f"**{path}", hold)
    await page.get_by_role("button", name=name).evaluate(
        "one => new Promise(done => {"
        " one.click(); setTimeout(() => { one.click(); setTimeout(done, 100); }, 100); })"
    )
    clicked.set()
    await expect(page.locator(".once")).to_be_visible()
    await page.unroute(f"**{path}")
    assert sent == ["POST"]


async def send(api: httpx.AsyncClient, key: str) -> httpx.Response:
    body = {
        "tenant": ACME,
        "type": "password-reset",
        "from": f"hello@mail.{ACME}.example",
        "to": ["kim@members.example"],
        "subject": "Your new password",
        "text": "Hello.",
    }
    return await api.post("/v1/messages", json=body, headers={"authorization": f"Bearer {key}"})
