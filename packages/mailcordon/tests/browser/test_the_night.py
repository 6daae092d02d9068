"""A night on call, clicked: from the first page to the culprit, what is done about it, and who is seen to have done it."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from browser import looking, worlds
from browser.conftest import signed_in
from mailcordon.adapters.cli.client import Client, path
from mailcordon.control.people.roles import Role
from mailcordon_fixtures.systems import System

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),  # the browser's
    pytest.mark.timeout(900),
]

PERSON = "kim@example.com"
PATIENCE = 60_000  #: milliseconds for a page on a busy machine
ACME, OTTO, ZEN = worlds.TENANTS


async def test_a_night_on_call(chrome: Browser, incident_system: System) -> None:
    url, control = incident_system.dashboard_url, incident_system.dsn("control")
    expect.set_options(timeout=PATIENCE)
    async with signed_in(chrome, url, control) as context:
        page = await context.new_page()
        page.set_default_timeout(PATIENCE)
        watch = await looking.prepared(page)
        incident = await culprit(page)
        await hold_and_lift(page, incident)
        await throttle(page, incident)
        await note(page, incident)
        await lift_and_hold_again(page)
        await report(page, incident)
        await suppress_and_allow(page)
        await apply_plan(page, await planned(incident_system))
        await page.goto("/audit?actor=kim")
        await expect(page.get_by_text("until acme says where the list is from").first).to_be_visible()
        assert watch.complaints == []
    async with signed_in(chrome, url, control, role=Role.VIEWER) as context:
        await viewer_cannot(await context.new_page(), incident)


async def culprit(page: Page) -> str:
    """From the first page to the incident. Returns its path."""
    await page.goto("/now")
    await expect(page.locator(".sentence")).to_contain_text(ACME)
    await (
        page.locator("#now-incidents a[href^='/incidents/']")
        .filter(has_text=f"{ACME}/newsletter")
        .first.click()
    )
    await expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"Incident \d+"))
    await expect(page.locator("table", has_text="Share of what is too much")).to_contain_text("bought")
    return urlsplit(page.url).path


async def hold_and_lift(page: Page, incident: str) -> None:
    """What brings the harm: the form begins with it. The timeline has it once the incident was judged anew."""
    because = "acme deletes what it bought"
    await page.get_by_role("link", name="Hold mail…").click()
    await expect(page.get_by_label("List")).to_have_value("bought")
    await act(page, "Hold this mail", because)
    await did(page, "The mail is held.")
    entry = page.locator(".timeline li", has_text=because)
    await reloaded_until(page, incident, entry, there=True)
    await expect(entry.first).to_contain_text(PERSON)
    await page.locator("tr", has_text=f"by {PERSON}").get_by_role("link", name="Lift…").click()
    await act(page, "Lift it", "it is deleted")
    await did(page, "The hold is lifted.")


async def throttle(page: Page, incident: str) -> None:
    await page.get_by_role("link", name="Throttle…").click()
    await expect(page.get_by_role("button", name="Set this rate")).to_have_count(0)
    await page.get_by_label("Mails a second, at most").fill("0.5")
    await page.get_by_role("button", name="Show what it would do").click()
    await expect(page.get_by_label("What it will do")).to_contain_text(
        f"{ACME}/newsletter will send at most 0.5 a second"
    )
    await act(page, "Set this rate", "until acme says where the list is from")
    await expect(page).to_have_url(re.compile(re.escape(incident)))
    await did(page, "The rate is set.")


async def note(page: Page, incident: str) -> None:
    await page.goto(incident)
    await page.get_by_role("link", name="Note…").click()
    await act(page, "Write it", "Called acme; they look for the import.")
    entry = page.locator(".timeline li", has_text="Called acme; they look for the import.")
    await expect(entry.first).to_contain_text(PERSON)


async def lift_and_hold_again(page: Page) -> None:
    """The hold that somebody placed on a campaign. Mistyping its tenant on the form loses nothing."""
    await page.goto("/now")
    row = page.locator("#now-kept tr", has_text="spring-sale")
    await row.get_by_role("link", name="Lift…").click()
    await expect(page.get_by_label("What it will do")).to_contain_text("Not touched:")
    await act(page, "Lift it", "the prices are right now")
    await did(page, "The hold is lifted.")
    await expect(page.locator("#now-kept tr", has_text="spring-sale")).to_have_count(0)
    await page.goto(f"/holds/new?tenant={ZEN}x&campaign=spring-sale&type=newsletter&back=/now")
    await expect(page.get_by_role("alert")).to_contain_text(f"{ZEN}x")
    await page.locator("main").get_by_label("Tenant").fill(ZEN)
    await page.get_by_role("button", name="Show what it would do").click()
    await expect(page.get_by_label("Campaign")).to_have_value("spring-sale")
    await act(page, "Hold this mail", "wrong prices in it")
    await expect(page.locator("#now-kept tr", has_text="spring-sale")).to_contain_text(PERSON)


async def report(page: Page, incident: str) -> None:
    await page.goto(incident)
    await page.get_by_role("link", name=f"For {ACME}").click()
    await expect(page.get_by_role("heading", level=1)).to_contain_text(f"report for {ACME}")
    await expect(page.get_by_role("button", name="Copy the text")).to_be_visible()
    words = await page.locator("main").inner_text()
    assert OTTO not in words
    assert ZEN not in words


async def suppress_and_allow(page: Page) -> None:
    address = "night@example.com"
    await page.goto(f"/addresses?address={address}&tenant={OTTO}")
    await page.get_by_role("link", name="Suppress…").click()
    await page.get_by_role("button", name="Show what it would do").click()
    await act(page, "Suppress it", "asked by phone")
    await expect(page.locator("main")).to_contain_text("asked by phone")
    allowing = page.get_by_role("link", name="Allow again…")
    await allowing.click()
    await act(page, "Allow it again", "asked again")
    await did(page, "The change is saved.")
    # SES's own lists are asked first, which the page says meanwhile.
    await reloaded_until(page, f"/addresses?address={address}&tenant={OTTO}", allowing, there=False)


async def planned(system: System) -> int:
    """A plan that waits for a person: configuration sets of its own for a tenant."""
    api = Client(system.url, system.key)
    try:
        change = {"action": "set-topology", "dedicated": True, "because": "its mail is to be told apart"}
        return (await api.post(path("tenants", OTTO, "changes"), change))["plan"]["id"]
    finally:
        await api.close()


async def apply_plan(page: Page, plan: int) -> None:
    await page.goto("/ses/plans")
    await page.get_by_role("link", name=f"Plan {plan}", exact=True).click()
    await expect(page.locator(".facts")).to_contain_text("proposed")
    await page.get_by_role("link", name="Apply…").click()
    await expect(page.get_by_label("What it will do")).to_contain_text(OTTO)
    await act(page, "Apply the plan", "agreed with otto")
    await did(page, "The plan is applied.")
    await expect(page.locator(".facts")).to_contain_text(re.compile("applying|applied"))
    await expect(page.locator(".facts")).to_contain_text(PERSON)


async def viewer_cannot(page: Page, incident: str) -> None:
    await page.goto(incident)
    await expect(page.get_by_role("heading", level=1)).to_have_text(re.compile(r"Incident \d+"))
    await expect(page.get_by_role("link", name="Throttle…")).to_have_count(0)
    await expect(page.get_by_role("link", name="Lift…")).to_have_count(0)
    for refused in (f"{incident}/note", f"/tenants/{ACME}/lanes/newsletter/rate", "/holds/new"):
        answer = await page.goto(refused)
        assert answer is not None
        assert answer.status == 403, refused
        await expect(page.locator("main")).to_contain_text("needs the role")


async def reloaded_until(page: Page, path: str, what: Locator, *, there: bool) -> None:
    """What another process brings about shows on a page that is opened again."""
    for _ in range(120):
        if bool(await what.count()) is there:
            return
        await page.goto(path)
    raise AssertionError(f"{path} {'never shows' if there else 'goes on to show'} {what}")


async def act(page: Page, button: str, because: str) -> None:
    await page.get_by_label("Reason").fill(because)
    await page.get_by_role("button", name=button).click()


async def did(page: Page, words: str) -> None:
    """What the page that follows an action says."""
    await expect(page.locator(".notice[role=status]")).to_have_text(words)
