"""The dashboard's pages of tenants and lanes, over HTTP against a running system: what they show, and to whom."""

import asyncio
import contextlib
import html
import json
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from browser import serving
from mailcordon.control.people.roles import Role
from mailcordon_fixtures import signing_in, systems
from mailcordon_fixtures.traffic import Traffic, domain

SECTIONS = (
    "",
    "/rates",
    "/limits",
    "/domains",
    "/sharing",
    "/suppressions",
    "/access",
    "/templates",
    "/policy",
    "/history",
)
NEWS, RESET = "newsletter", "password-reset"
LANE_ACTIONS = ("lanes/newsletter/breaker", "prove", "cancel")  #: of an operator


@dataclass
class Pages:
    url: str
    control: str
    mail: Traffic
    acme: str  #: whose pages are looked at: its newsletter is held
    other: str  #: nobody of acme may learn of it
    stack: contextlib.AsyncExitStack = field(default_factory=contextlib.AsyncExitStack)

    async def as_role(self, role: Role) -> httpx.AsyncClient:
        return await self._client(signing_in.COOKIE, await signing_in.token(self.control, role=role))

    async def as_tenant(self, slug: str) -> httpx.AsyncClient:
        return await self._client(signing_in.VIEW_COOKIE, await signing_in.view_token(self.control, slug))

    async def _client(self, cookie: str, value: str) -> httpx.AsyncClient:
        client = httpx.AsyncClient(base_url=self.url, cookies={cookie: value}, timeout=60)
        return await self.stack.enter_async_context(client)


@pytest.fixture(scope="module")
def served(system: systems.System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[serving.Served]:
    """The dashboard in this process, over the database of the shared system. Making its pages takes most of a second of CPU."""
    logins = json.loads((system.home / "database.json").read_text())
    secret = (system.home / "secret-keys").read_text().strip()
    dashboard = serving.dashboard(logins, secret, tmp_path_factory.mktemp("dashboard"))
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(dashboard) as found:
        yield found


@pytest.fixture
async def pages(mail: Traffic, served: serving.Served) -> AsyncIterator[Pages]:
    acme, other = (f"{name}-{secrets.token_hex(3)}" for name in ("pages", "bystander"))
    await mail.onboard({acme: (NEWS, RESET), other: (NEWS,)})
    for slug in (acme, other):
        await mail.fill(slug, NEWS, 3, campaign="spring-sale")
    await mail.all_final(acme, other)
    await mail.all_counted(acme, other)
    async with contextlib.AsyncExitStack() as stack:
        yield Pages(served.url, served.control, mail, acme, other, stack)
    await mail.lift(acme)


async def token_of(client: httpx.AsyncClient, path: str) -> str:
    """What a form of this page carries."""
    found = re.search(r'name="csrf" value="([^"]+)"', (await client.get(path)).text)
    assert found, path
    return found[1]


async def act(client: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    return await client.post(path, data={"csrf": await token_of(client, path), **fields})


async def test_every_section_shows_what_is_known_of_the_tenant(pages: Pages) -> None:
    slug = pages.acme
    await pages.mail.hold(slug, type=NEWS, because="the list was bought")
    held = (await pages.mail.call("GET", f"/v1/holds?tenant={slug}&open=true"))[1]["items"][0]["id"]
    viewer = await pages.as_role(Role.ADMIN)
    asked = [f"/tenants?prefix={slug}", *(f"/tenants/{slug}{section}" for section in SECTIONS)]
    lane, own = f"/tenants/{slug}/lanes/{NEWS}", f"/tenants/{slug}/domains/{domain(slug, NEWS)}"
    answers = await asyncio.gather(*(viewer.get(path) for path in (*asked, lane, own)))
    shown = {path: html.unescape(one.text) for path, one in zip((*asked, lane, own), answers, strict=True)}
    assert {one.status_code for one in answers} == {200}
    listed, overview = shown[asked[0]], shown[f"/tenants/{slug}"]
    assert "the list was bought" in listed
    assert pages.other not in listed
    for page in (overview, shown[lane]):
        assert "the list was bought" in page
        assert f"mailcordon uncordon {slug} --hold {held}" in page
        assert f"/holds/lift?id={held}" in page
        assert "when it is lifted" in page
    assert "proof" in shown[lane].lower()
    assert "3" in shown[lane]
    assert "<figure" in shown[lane]
    assert "spring" in shown[f"/tenants/{slug}/rates"]
    assert "a day of" in shown[f"/tenants/{slug}/limits"] or "No limit" in shown[f"/tenants/{slug}/limits"]
    assert domain(slug, NEWS) in shown[f"/tenants/{slug}/domains"]
    assert "_domainkey" in shown[own]
    assert "$ORIGIN" in shown[own]
    assert "configuration set" in shown[f"/tenants/{slug}/sharing"]
    key = (await pages.mail.call("GET", f"/v1/keys?tenant={slug}"))[1]["items"][0]
    assert key["prefix"] in shown[f"/tenants/{slug}/access"]
    assert "breaker.mode" in shown[f"/tenants/{slug}/policy"]
    assert "hold.place" in shown[f"/tenants/{slug}/history"]


async def test_what_does_not_exist_is_a_plain_page_that_says_so(pages: Pages) -> None:
    viewer = await pages.as_role(Role.VIEWER)
    for slug in ("nobody-of-this-name", "..", "%00", "a b", "A", "x" * 300, "<script>"):
        for section in (*SECTIONS, "/lanes/newsletter", "/domains/mail.example"):
            answer = await viewer.get(httpx.URL(pages.url).join(f"/tenants/{html.escape(slug)}{section}"))
            assert answer.status_code in (303, 404), (slug, section, answer.status_code)
            assert "<script>" not in answer.text.replace("<script src", "")
    for path in (f"lanes/{RESET}x", f"domains/{domain(pages.other, NEWS)}", "releases/1/open"):
        assert (await viewer.get(f"/tenants/{pages.acme}/{path}")).status_code in (403, 404), path


async def test_a_tenants_own_admin_sees_its_pages_and_nobody_else(pages: Pages) -> None:
    slug, other = pages.acme, pages.other
    await pages.mail.hold(slug, type=NEWS, because="checked by hand")
    key = await pages.mail.db.fetchval("select key from tenant where slug = $1", other)
    tenant = await pages.as_tenant(slug)
    first = await tenant.get("/")
    assert first.headers["location"] == f"/tenants/{slug}"
    waiting, seen = [f"/tenants/{slug}", "/tenants"], dict[str, str]()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.startswith(("/tenants", "/go", "/messages?")) or len(seen) > 80:
            continue
        answer = await tenant.get(path)
        assert answer.status_code == 200, (path, answer.status_code)
        seen[path] = html.unescape(answer.text)
        waiting += [html.unescape(one) for one in re.findall(r'href="(/[^"]*)"', answer.text)]
    for section in SECTIONS:
        assert f"/tenants/{slug}{section}" in seen
    assert f"/tenants/{slug}/lanes/{NEWS}" in seen
    for path, text in seen.items():
        assert other not in text, path
        assert key not in text, path
        assert "/holds/" not in text, path  # no button that it may not press
    assert "checked by hand" in seen[f"/tenants/{slug}"]
    for path in ("", *(f"{section}" for section in SECTIONS), f"/lanes/{NEWS}"):
        assert (await tenant.get(f"/tenants/{other}{path}")).status_code == 404, path
    for asked in (other, domain(other, NEWS), other[:9], f"{other}/{NEWS}"):
        answer = await tenant.get("/go", params={"q": asked})
        assert answer.status_code == 200, asked
        assert "Nothing is called" in answer.text, asked


async def test_who_may_act_may_and_the_api_has_the_person_in_its_trail(pages: Pages) -> None:
    slug = pages.acme
    rate = f"/tenants/{slug}/lanes/{NEWS}/rate"
    operator_pages = [
        *(f"/tenants/{slug}/{one}" for one in LANE_ACTIONS),
        f"/tenants/{slug}/domains/{domain(slug, NEWS)}/check",
    ]
    for client in (await pages.as_role(Role.VIEWER), await pages.as_tenant(slug)):
        token = await token_of(client, f"/tenants/{slug}")
        for path in (*operator_pages, rate):
            assert (await client.get(path)).status_code == 403, path
            assert (await client.post(path, data={"csrf": token, "because": "x"})).status_code == 403, path
    operator, admin = await pages.as_role(Role.OPERATOR), await pages.as_role(Role.ADMIN)
    for path in operator_pages:
        assert (await operator.get(path)).status_code == 200, path
    assert (await operator.get(rate)).status_code == 403
    assert f"mailcordon lane limit {slug} {NEWS} --rate 5" in html.unescape(
        (await admin.get(f"{rate}?rate=5")).text
    )
    assert (await act(admin, rate, rate="0", because="x")).status_code == 422
    assert (await act(admin, rate, rate="5", because="warming up")).status_code == 303
    lane: Any = (await pages.mail.call("GET", f"/v1/tenants/{slug}/lanes/{NEWS}"))[1]
    assert lane["own_rate"] == 5
    disarmed = await act(operator, f"/tenants/{slug}/lanes/{NEWS}/breaker", armed="no", because="it moves")
    assert disarmed.headers["location"] == f"/tenants/{slug}/lanes/{NEWS}?did=saved"
    trail = (await pages.mail.call("GET", f"/v1/audit?tenant={slug}&limit=20"))[1]["items"]
    said = {one["because"]: one["actor"] for one in trail}
    assert "kim@example.com" in said["warming up"]
    assert "kim@example.com" in said["it moves"]


async def test_a_hold_is_lifted_alone_and_mail_that_waits_is_cancelled(pages: Pages) -> None:
    slug = pages.acme
    await pages.mail.hold(slug, type=NEWS, because="one")
    await pages.mail.fill(slug, NEWS, 2)
    operator = await pages.as_role(Role.OPERATOR)
    another = await act(operator, f"/holds/new?tenant={slug}", tenant=slug, type=NEWS, because="two")
    assert another.status_code == 303
    open_ = (await pages.mail.call("GET", f"/v1/holds?tenant={slug}&open=true"))[1]["items"]
    ids = {one["because"]: one["id"] for one in open_}
    lifted = await act(
        operator,
        f"/holds/lift?tenant={slug}&type={NEWS}&id={ids['one']}",
        tenant=slug,
        type=NEWS,
        id=str(ids["one"]),
        because="done",
    )
    assert lifted.status_code == 303
    open_ = (await pages.mail.call("GET", f"/v1/holds?tenant={slug}&open=true"))[1]["items"]
    assert [one["because"] for one in open_] == ["two"]
    preview = html.unescape((await operator.get(f"/tenants/{slug}/cancel?type={NEWS}")).text)
    assert f"mailcordon cancel {slug} --type {NEWS}" in preview
    assert (await act(operator, f"/tenants/{slug}/cancel", type=NEWS, because="")).status_code == 422
    gone = await act(operator, f"/tenants/{slug}/cancel", type=NEWS, because="wrong list")
    assert gone.headers["location"] == f"/tenants/{slug}/lanes/{NEWS}?did=cancelled"
    assert await pages.mail.queued(slug) == 0


async def test_the_search_of_the_bar_leads_to_what_was_meant(pages: Pages) -> None:
    slug = pages.acme
    viewer = await pages.as_role(Role.VIEWER)
    found = (await pages.mail.call("GET", f"/v1/messages?tenant={slug}&limit=1"))[1]["items"][0]
    leads = {
        slug: f"/tenants/{slug}",
        slug.upper(): f"/tenants/{slug}",
        slug[:-1]: f"/tenants/{slug}",
        f"{slug}/{NEWS}": f"/tenants/{slug}/lanes/{NEWS}",
        domain(slug, NEWS): f"/tenants/{slug}/domains/{domain(slug, NEWS)}",
        found["id"]: f"/messages/{found['id']}",
        found["message"]: f"/messages/{found['message']}",
        found["message_id"]: f"/messages/{found['message']}",
        found["ses_id"]: f"/messages/{found['message']}",
        "someone@example.com": "/messages?to=someone%40example.com",
    }
    for asked, page in leads.items():
        answer = await viewer.get("/go", params={"q": asked})
        assert (answer.status_code, answer.headers.get("location")) == (303, page), asked
    for asked in (
        "",
        "\0",
        "<script>alert(1)</script>",
        "../../etc",
        "a" * 5000,
        "//evil.example",
        "@",
        "msg_",
        "9" * 9,
    ):
        answer = await viewer.get("/go", params={"q": asked})
        assert answer.status_code == 200, asked
        assert "<script>" not in answer.text
