"""A template, clicked: previewed with data before it is stored, with and without JavaScript. Its HTML can do nothing."""

import re

import pytest
from playwright.async_api import Browser, Page, expect

from browser import looking, worlds
from browser.conftest import signed_in
from mailcordon.control.people.roles import Role
from mailcordon_fixtures.systems import System

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),  # the browser's
    pytest.mark.timeout(900),
]

PATIENCE = 60_000  #: milliseconds for a page on a busy machine
ACME = worlds.TENANTS[0]
HOSTILE = (
    '<p id="hello" style="color: rgb(1, 2, 3)">Dear {{ name }}</p><script>parent.ran = 1; document.title = "ran"</script>'
    '<img src="data:," onerror="parent.ran = 1"><form action="/sign-out"><button>x</button></form>'
)


async def test_a_template_is_previewed_stored_and_retired(chrome: Browser, incident_system: System) -> None:
    url, control = incident_system.dashboard_url, incident_system.dsn("control")
    expect.set_options(timeout=PATIENCE)
    async with signed_in(chrome, url, control) as context:
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        watch = await looking.prepared(page)
        await page.goto(f"/tenants/{ACME}")
        await page.get_by_role("link", name="Templates", exact=True).click()
        await page.get_by_role("link", name="Make a template…").click()
        await page.get_by_label("Name", exact=True).fill("welcome")
        await page.get_by_label("Subject", exact=True).fill("Hello {{ name }}")
        await page.get_by_label("HTML", exact=True).fill(HOSTILE)
        await page.get_by_label("Data to preview it with").fill('{"name": "Kim"}')
        await page.get_by_role("button", name="Preview it").click()
        await previewed(page)
        await expect(page.get_by_label("HTML", exact=True)).to_have_value(HOSTILE)
        # What the sandbox refuses is said in the console: it is what the frame is for.
        refused = [
            one for one in watch.complaints if "sandbox" in one.lower() or "content security" in one.lower()
        ]
        watch.complaints[:] = [one for one in watch.complaints if one not in refused]
        assert not await looking.look(page, watch, "template-previewed", variants=looking.QUICK)
        await page.get_by_role("button", name="Store it").click()
        await expect(page.locator("h1")).to_have_text("Template welcome")
        await expect(page.locator("pre", has_text="Dear {{ name }}")).to_be_visible()
        await page.get_by_role("link", name="Retire…").click()
        await page.get_by_label("Reason").fill("a test of the shop")
        await page.get_by_role("button", name="Retire it").click()
        await expect(page.locator("tr", has_text="welcome")).to_contain_text("retired")


async def test_a_viewer_previews_without_javascript(chrome: Browser, incident_system: System) -> None:
    url, control = incident_system.dashboard_url, incident_system.dsn("control")
    expect.set_options(timeout=PATIENCE)
    async with signed_in(chrome, url, control, role=Role.VIEWER, java_script_enabled=False) as context:
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        await page.goto(f"/tenants/{ACME}/templates/{worlds.RECEIPT}")
        await expect(page.get_by_role("link", name=re.compile("Store|Retire"))).to_have_count(0)
        await page.get_by_role("link", name="Preview…").click()
        await page.get_by_label("Data to preview it with").fill("{}")
        await page.get_by_role("button", name="Show the mail").click()
        await expect(page.get_by_label("Data to preview it with")).to_have_accessible_description(
            re.compile("name is not in the data")
        )
        await page.get_by_label("Data to preview it with").fill('{"name": "Kim"}')
        await page.get_by_role("button", name="Show the mail").click()
        await expect(page.get_by_role("heading", name="Receipt for Kim")).to_be_visible()
        await page.get_by_role("button", name="Show the HTML").click()
        await expect(page.frame_locator("iframe.mail").get_by_text("Dear Kim, thank you.")).to_be_visible()
        await expect(page.frame_locator("iframe.mail").get_by_text("1 Main Street")).to_be_visible()


async def previewed(page: Page) -> None:
    """The frame has the document, with its styles, and nothing of it ran."""
    hello = page.frame_locator("iframe.mail").locator("#hello")
    await expect(hello).to_have_text("Dear Kim")
    await expect(hello).to_have_css("color", "rgb(1, 2, 3)")
    await expect(page.get_by_role("heading", name="Hello Kim")).to_be_visible()
    assert await page.evaluate("window.ran") is None
    assert await page.title() != "ran"
