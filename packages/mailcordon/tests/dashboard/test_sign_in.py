"""Signing in by one-time links, out again, and looking by a tenant's view link: over the pages, with a browser's cookies."""

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie
from typing import Any

import httpx
import pytest

from mailcordon.adapters.db import engine
from mailcordon.config.dashboard import DashboardSettings
from mailcordon.control.people.roles import Role
from mailcordon.control.people.sessions import principal_of
from mailcordon.door.failed_logins import ALLOWED
from mailcordon_fixtures import pages
from mailcordon_fixtures.pages import Pages, csrf_of

URL = "https://mail.platform.example"
ANN = principal_of(1, "aaaaaaaa", "ann", Role.ADMIN)
SESSION, VIEW, FORM = "__Host-mailcordon", "__Host-mailcordon-view", "__Host-mailcordon-form"


@pytest.fixture
async def site(database: Any) -> AsyncIterator[Pages]:
    owner = await engine.connect(database.dsn("owner"))
    await owner.execute("insert into tenant (key, slug) values ('mc-aaaaaaaaaa', 'acme')")
    await owner.close()
    async with pages.opened(database.dsn("control"), DashboardSettings(url=URL)) as found:
        yield found


async def link(site: Pages, role: str = "operator") -> str:
    return f"/sign-in/link/{(await site.people.sign_in_links.create(ANN, person='kim', role=role))[1]}"


async def use(
    site: Pages, path: str, browser: httpx.AsyncClient | None = None, **headers: str
) -> httpx.Response:
    """Opens a link and presses its button."""
    browser = browser or site.browser
    asked = await browser.get(path)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return await browser.post(path, data={"csrf": csrf_of(asked.text)}, headers=sent)


def cookies_of(answer: httpx.Response) -> dict[str, Any]:
    found: SimpleCookie = SimpleCookie()
    for header in answer.headers.get_list("set-cookie"):
        found.load(header)
    return dict(found)


async def test_a_link_is_looked_at_by_programs_without_being_used_and_lets_its_person_in(site: Pages):
    path = await link(site)
    for _ in range(3):
        looked = await site.another_browser().get(path)
        assert looked.status_code == 200
        assert (
            looked.headers["referrer-policy"] == "same-origin"
        )  # stricter, a browser would send `Origin: null`
    entered = await use(site, path)
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert await site.who() == "kim operator"
    again = await use(site, path, site.another_browser())
    assert again.status_code == 401
    assert "works once" in again.text


async def test_no_script_and_no_other_host_reads_or_sets_the_sessions_cookie(site: Pages):
    cookie = cookies_of(await use(site, await link(site)))[SESSION]
    assert cookie["httponly"] is True
    assert cookie["secure"] is True
    assert (cookie["path"], cookie["domain"], cookie["samesite"].lower()) == ("/", "", "lax")


async def test_without_tls_the_cookie_has_a_name_that_browsers_take(database: Any):
    async with pages.opened(database.dsn("control"), DashboardSettings(url="http://127.0.0.1:8020")) as site:
        cookie = cookies_of(await use(site, await link(site)))["mailcordon"]
        assert (cookie["httponly"], cookie["secure"]) == (True, "")
        assert await site.who() == "kim operator"


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
async def test_a_form_of_another_site_does_nothing(site: Pages, headers: dict[str, str]):
    path = await link(site)
    sent = {name.replace("-", "_"): value for name, value in headers.items()}
    assert (await use(site, path, None, **sent)).status_code == 403
    assert await site.who() is None
    await use(site, path)
    token = csrf_of((await site.browser.get("/form")).text)
    assert (await site.browser.post("/act", data={"csrf": token}, headers=headers)).status_code == 403
    assert (await site.browser.post("/sign-out", data={"csrf": token}, headers=headers)).status_code == 403
    assert await site.who() == "kim operator"


async def test_a_form_without_its_sessions_token_does_nothing(site: Pages):
    path = await link(site)
    asked = csrf_of((await site.browser.get(path)).text)
    other = site.another_browser()
    await other.get(path)
    for token in ("", "x" * 43, asked):  # the last one is of another browser
        assert (await other.post(path, data={"csrf": token})).status_code == 403
    assert (await site.another_browser().post(path, data={"csrf": asked})).status_code == 403
    await use(site, path)
    before_signing_in = asked
    other_session = site.another_browser()
    await use(site, await link(site), other_session)
    foreign = csrf_of((await other_session.get("/form")).text)
    for token in ("", foreign, before_signing_in):
        assert (await site.browser.post("/act", data={"csrf": token})).status_code == 403
    own = csrf_of((await site.browser.get("/form")).text)
    assert (await site.browser.post("/act", data={"csrf": own})).text == "done"


async def test_a_session_that_was_planted_is_worth_nothing_after_the_sign_in(site: Pages):
    attacker = site.another_browser()
    await use(site, await link(site, "viewer"), attacker)
    planted = attacker.cookies[SESSION]
    site.browser.cookies.set(SESSION, planted, domain="mail.platform.example")
    await use(site, await link(site, "admin"))
    assert await site.who() == "kim admin"
    assert site.browser.cookies[SESSION] != planted
    assert await site.who(attacker) is None
    invented = site.another_browser()
    invented.cookies.set(SESSION, "mcs_" + "a" * 43, domain="mail.platform.example")
    assert await site.who(invented) is None
    await use(site, await link(site), invented)
    assert invented.cookies[SESSION] != "mcs_" + "a" * 43


async def test_who_signs_out_is_out_with_every_copy_of_the_cookie(site: Pages):
    await use(site, await link(site))
    copied = site.another_browser()
    copied.cookies.set(SESSION, site.browser.cookies[SESSION], domain="mail.platform.example")
    assert await site.who(copied) == "kim operator"
    token = csrf_of((await site.browser.get("/form")).text)
    assert (await site.browser.get("/sign-out")).status_code in (404, 405)
    out = await site.browser.post("/sign-out", data={"csrf": token})
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in?did=signed-out")
    assert SESSION not in site.browser.cookies
    assert await site.who(copied) is None
    assert "signed out" in (await site.browser.get(out.headers["location"])).text


async def test_an_ended_session_ends_at_the_next_request(site: Pages):
    await use(site, await link(site))
    session = (await site.people.sessions.list(person="kim", is_open=True, after=0, limit=9))[0]
    await site.people.sessions.end(session.prefix, actor="ann")
    led = await site.browser.get("/who?x=1")
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=%2Fwho%3Fx%3D1")


async def test_whoever_guesses_waits(site: Pages):
    guess = "/sign-in/link/mcl_" + "a" * 43
    for _ in range(ALLOWED):
        assert (await use(site, guess)).status_code == 401
    waits = await use(site, guess)
    assert waits.status_code == 429
    assert "Wait" in waits.text
    assert (await site.browser.get("/view/mcv_" + "a" * 43)).status_code == 429


async def test_a_view_link_becomes_a_cookie_and_reads_one_tenant(site: Pages):
    made, token = await site.people.view_links.create(ANN, "acme", name="lee", expires_at=None)
    led = await site.browser.get(f"/view/{token}")
    assert (led.status_code, led.headers["location"]) == (303, "/tenants/acme")
    assert led.headers["referrer-policy"] == "same-origin"
    cookie = cookies_of(led)[VIEW]
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"].lower()) == (True, True, "lax")
    assert await site.who() == "lee tenant"
    await use(site, await link(site))
    assert await site.who() == "kim operator"  # a link that is followed signs nobody out
    site.browser.cookies.delete(SESSION)
    await site.people.view_links.revoke("acme", made.prefix, actor="ann")
    assert await site.who() is None
    ended = await site.browser.get(f"/view/{token}")
    assert ended.status_code == 401
    assert "<h1>This link does not work</h1>" in ended.text
    assert "Go to the first page" not in ended.text


async def test_a_token_of_one_kind_is_none_of_another(site: Pages):
    view = (await site.people.view_links.create(ANN, "acme", name="lee", expires_at=None))[1]
    await use(site, await link(site))
    session = site.browser.cookies[SESSION]
    for name, value in ((SESSION, view), (VIEW, session)):
        other = site.another_browser()
        other.cookies.set(name, value, domain="mail.platform.example")
        assert await site.who(other) is None


async def test_without_a_provider_the_page_says_how_to_get_in(site: Pages):
    shown = await site.browser.get("/sign-in?next=https://evil.example")
    assert "mailcordon sign-in" in shown.text
    assert "evil" not in shown.text
    assert (await site.browser.get("/sign-in/oidc")).status_code == 404
