"""The whole way to a real OpenID provider and back (npm's oidc-provider), and what becomes of answers that were tampered with."""

import dataclasses
import html
import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from mailcordon.adapters.dashboard.sign_in.provider import Provider
from mailcordon.config.dashboard import DashboardSettings
from mailcordon.control.people.oidc_settings import OidcSettings
from mailcordon.control.people.roles import Role, RoleMap
from mailcordon.core.errors import Forbidden, NotFound, Unavailable
from mailcordon.door.failed_logins import ALLOWED
from mailcordon_fixtures import openid_provider, pages
from mailcordon_fixtures.openid_provider import Absence, OpenidProvider
from mailcordon_fixtures.pages import Pages

URL = "http://127.0.0.1:8020"  #: nothing listens there: the pages are in this process
CALLBACK = f"{URL}/sign-in/oidc/callback"
ROLES = RoleMap(
    claim="groups",
    values={
        Role.VIEWER: frozenset({"staff"}),
        Role.OPERATOR: frozenset({"on-call"}),
        Role.ADMIN: frozenset({"mail-admins"}),
    },
)
PEOPLE: dict[str, dict[str, Any]] = {
    "kim": {"email": "kim@example.com", "email_verified": True, "groups": ["others", "on-call"]},
    "ann": {"email": "ann@example.com", "email_verified": True, "groups": ["mail-admins", "staff"]},
    "eve": {"email": "eve@example.com", "email_verified": True, "groups": ["others"]},
    "zoe": {"email": "kim@example.com", "email_verified": False, "groups": ["mail-admins"]},
}


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenidProvider]:
    try:
        with openid_provider.running(CALLBACK, log=tmp_path_factory.mktemp("openid") / "log") as found:
            found.knows(PEOPLE)
            yield found
    except Absence as absence:
        pytest.skip(str(absence))


def settings_of(provider: OpenidProvider, **changes: Any) -> OidcSettings:
    made = OidcSettings(
        issuer=provider.issuer,
        client_id="dashboard",
        client_secret="a secret: with % and +",
        scopes=("openid", "email", "groups"),
        roles=ROLES,
    )
    return dataclasses.replace(made, **changes)


@pytest.fixture
async def site(database: Any, provider: OpenidProvider) -> AsyncIterator[Pages]:
    settings = DashboardSettings(url=URL, oidc=settings_of(provider))
    async with pages.opened(database.dsn("control"), settings) as found:
        yield found


async def at_the_provider(url: str, person: str | None) -> str:
    """Signs in there, as a browser does. Returns the URL that it sends the browser back to."""
    headers = {} if person is None else {"X-Person": person}
    async with httpx.AsyncClient(headers=headers) as browser:
        for _ in range(10):
            if url.startswith(CALLBACK):
                return url
            answer = await browser.get(url)
            assert answer.is_redirect, answer.text
            url = str(answer.next_request.url) if answer.next_request else ""
    raise AssertionError(f"the provider does not come to an end: {url}")


async def set_out(browser: httpx.AsyncClient, next: str = "/who") -> str:
    led = await browser.get("/sign-in/oidc", params={"next": next}, headers={"sec-fetch-site": "same-origin"})
    assert led.status_code == 303, led.text
    return led.headers["location"]


async def enter(site: Pages, person: str, next: str = "/who") -> httpx.Response:
    back = await at_the_provider(await set_out(site.browser, next), person)
    return await site.browser.get(back)


def changed(url: str, **changes: str | None) -> str:
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    kept = {name: value for name, value in {**query, **changes}.items() if value is not None}
    return f"{url.partition('?')[0]}?{urlencode(kept)}"


async def test_people_come_in_with_the_role_of_their_groups(site: Pages):
    shown = await site.browser.get("/sign-in?next=/who")
    assert 'href="/sign-in/oidc?next=%2Fwho"' in html.unescape(shown.text)
    entered = await enter(site, "kim", "/who?x=1")
    assert (entered.status_code, entered.headers["location"]) == (303, "/who?x=1")
    assert await site.who() == "kim@example.com operator"
    assert "mailcordon-oidc" not in site.browser.cookies
    await enter(site, "ann")
    assert await site.who() == "ann@example.com admin"
    begun = await site.people.sessions.list(person=None, is_open=None, after=0, limit=9)
    assert [(one.person, one.way, one.subject, one.values) for one in begun] == [
        ("kim@example.com", "oidc", "kim", ("on-call",)),
        ("ann@example.com", "oidc", "ann", ("mail-admins", "staff")),
    ]
    assert begun[0].ended_at is not None  # the browser's former session


async def test_whom_the_provider_puts_out_of_a_group_is_out_within_the_hour(
    site: Pages, provider: OpenidProvider
):
    await enter(site, "kim")
    [session] = await site.people.sessions.list(person=None, is_open=None, after=0, limit=9)
    assert session.expires_at - session.started_at == timedelta(hours=1)
    provider.knows({**PEOPLE, "kim": {**PEOPLE["kim"], "groups": ["others"]}})
    try:
        assert await site.who() == "kim@example.com operator"  # until the provider is asked again
        refused = await enter(site, "kim")
        assert (refused.status_code, "may not use this dashboard" in refused.text) == (403, True)
    finally:
        provider.knows(PEOPLE)


async def test_who_signs_out_may_sign_out_at_the_provider_too(site: Pages, provider: OpenidProvider):
    await enter(site, "kim")
    out = await site.browser.post(
        "/sign-out", data={"csrf": pages.csrf_of((await site.browser.get("/form")).text)}
    )
    assert out.headers["location"] == "/sign-in?did=signed-out"
    for path, offered in (("/sign-in", False), (out.headers["location"], True)):
        shown = html.unescape((await site.browser.get(path)).text)
        assert ('href="/sign-out/provider"' in shown) is offered
    lured = await site.browser.get("/sign-out/provider", headers={"sec-fetch-site": "cross-site"})
    assert lured.headers["location"] == "/sign-in"
    left = await site.browser.get("/sign-out/provider", headers={"sec-fetch-site": "same-origin"})
    url = urlsplit(left.headers["location"])
    assert f"{url.scheme}://{url.netloc}" == provider.issuer
    assert parse_qs(url.query) == {
        "client_id": ["dashboard"],
        "post_logout_redirect_uri": [f"{URL}/sign-in"],
    }
    async with httpx.AsyncClient() as browser:  # the provider asks, and then sends the browser back
        asks = await browser.get(left.headers["location"])
        assert asks.status_code == 200, asks.text
        form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', asks.text))
        [action] = re.findall(r'action="([^"]*)"', asks.text)
        back = await browser.post(html.unescape(action), data={**form, "logout": "yes"})
        assert back.headers["location"] == f"{URL}/sign-in"


async def test_a_provider_without_a_place_to_sign_out_is_said_to_have_none(provider: OpenidProvider):
    async with Provider(settings_of(provider), CALLBACK) as found:
        document = dict(await found._discovered())  # pyright: ignore[reportPrivateUsage]
        document.pop("end_session_endpoint")

        async def without() -> Any:
            return document

        found._discovered = without  # pyright: ignore[reportPrivateUsage]
        with pytest.raises(NotFound, match="publishes no way to sign out"):
            await found.sign_out_url(f"{URL}/sign-in")


async def test_a_public_client_is_protected_by_pkce_alone(database: Any, provider: OpenidProvider):
    settings = settings_of(provider, client_id="public", client_secret=None)
    async with pages.opened(database.dsn("control"), DashboardSettings(url=URL, oidc=settings)) as site:
        await enter(site, "kim")
        assert await site.who() == "kim@example.com operator"


@pytest.mark.parametrize(
    ("person", "said"),
    [("eve", "may not use this dashboard"), ("zoe", "is not verified")],
)
async def test_who_has_no_role_or_no_verified_name_is_told_so(site: Pages, person: str, said: str):
    refused = await enter(site, person)
    assert refused.status_code == 403
    assert said in refused.text
    assert await site.who() is None


async def test_a_refusal_of_the_provider_is_shown_without_its_text(site: Pages):
    back = await at_the_provider(await set_out(site.browser), None)
    assert "error=access_denied" in back
    refused = await site.browser.get(back)
    assert refused.status_code == 403
    assert "access_denied" in refused.text
    assert "<b>" not in refused.text
    back = await at_the_provider(await set_out(site.browser), None)
    assert (
        "it gave no reason" in (await site.browser.get(changed(back, error="<script>alert(1)</script>"))).text
    )


async def test_an_answer_works_once_and_in_the_browser_that_asked(site: Pages):
    back = await at_the_provider(await set_out(site.browser), "ann")
    cookie = site.browser.cookies["mailcordon-oidc"]
    victim = site.another_browser()  # lured to the attacker's answer: it would act as the attacker
    assert (await victim.get(back)).status_code == 403
    await set_out(victim)
    assert (await victim.get(back)).status_code == 403
    assert (await site.browser.get(changed(back, state="x" * 43))).status_code == 403
    assert (await site.browser.get(changed(back, state=None))).status_code == 403
    assert await site.who(victim) is None
    assert (await site.browser.get(back)).status_code == 303
    assert await site.who() == "ann@example.com admin"
    replayed = site.another_browser()
    replayed.cookies.set("mailcordon-oidc", cookie, domain="127.0.0.1")
    assert (await replayed.get(back)).status_code == 403
    assert await site.who(replayed) is None


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"code": "made-up"}, "the code was not taken (invalid_grant)"),
        ({"iss": "https://evil.example"}, "it comes from another issuer"),
        ({"iss": None}, "it comes from another issuer"),
    ],
)
async def test_a_made_up_code_or_another_issuer_lets_nobody_in(
    site: Pages, change: dict[str, str | None], said: str
):
    back = await at_the_provider(await set_out(site.browser), "ann")
    refused = await site.browser.get(changed(back, **change))
    assert refused.status_code == 403
    assert said in refused.text
    assert await site.who() is None


async def test_a_code_that_another_sign_in_was_given_is_not_taken(site: Pages):
    """Code injection (RFC 9700 4.5): PKCE and the nonce bind a code to the browser that asked for it."""
    stolen = parse_qs(urlsplit(await at_the_provider(await set_out(site.browser), "ann")).query)["code"][0]
    attacker = site.another_browser()
    back = await at_the_provider(await set_out(attacker), "kim")
    refused = await attacker.get(changed(back, code=stolen))
    assert refused.status_code == 403
    assert "invalid_grant" in refused.text
    assert await site.who(attacker) is None


async def test_what_the_provider_is_asked_has_pkce_a_state_and_a_nonce_of_its_own(site: Pages):
    asked = [parse_qs(urlsplit(await set_out(site.browser)).query) for _ in range(2)]
    for one in asked:
        assert one["response_type"] == ["code"]
        assert one["code_challenge_method"] == ["S256"]
        assert one["redirect_uri"] == [CALLBACK]
        assert one["scope"] == ["openid email groups"]
    for name in ("state", "nonce", "code_challenge"):
        assert len(asked[0][name][0]) >= 43
        assert asked[0][name] != asked[1][name]
    cookie = site.browser.cookies["mailcordon-oidc"]
    assert cookie not in str(asked)


async def test_claims_are_refused_for_another_nonce_audience_or_verifier(provider: OpenidProvider):
    """Each is asked of the real provider, with a code that is good but for one thing."""

    async def exchanged(settings: OidcSettings, nonce: str = "n" * 43, verifier: str = "v" * 43) -> Any:
        async with Provider(settings_of(provider), CALLBACK) as asks, Provider(settings, CALLBACK) as answers:
            url = await asks.authorization_url(state="s", nonce="n" * 43, verifier="v" * 43)
            code = parse_qs(urlsplit(await at_the_provider(url, "ann")).query)["code"][0]
            return await answers.claims(code, nonce=nonce, verifier=verifier, issuer=provider.issuer)

    good = settings_of(provider)
    assert (await exchanged(good))["email"] == "ann@example.com"
    with pytest.raises(Forbidden, match="not for this sign-in .*nonce"):
        await exchanged(good, nonce="m" * 43)
    with pytest.raises(Forbidden, match="invalid_grant"):
        await exchanged(good, verifier="w" * 43)
    with pytest.raises(Forbidden, match="invalid_client"):
        await exchanged(settings_of(provider, client_secret="wrong"))
    with pytest.raises(Forbidden, match="invalid_grant"):
        await exchanged(settings_of(provider, client_id="other", client_secret="other-secret"))
    with pytest.raises(Unavailable, match="another issuer"):
        await exchanged(settings_of(provider, issuer=provider.issuer.replace("127.0.0.1", "localhost")))


async def test_another_site_cannot_send_a_browser_on_its_way(site: Pages):
    led = await site.browser.get("/sign-in/oidc?next=/who", headers={"sec-fetch-site": "cross-site"})
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=%2Fwho")
    assert "mailcordon-oidc" not in site.browser.cookies


@pytest.mark.parametrize("next", ["https://evil.example", "//evil.example", "/\\evil.example"])
async def test_the_way_back_leads_to_a_page_of_ours(site: Pages, next: str):
    assert (await enter(site, "kim", next)).headers["location"] == "/"


async def test_an_address_that_sets_out_again_and_again_waits(site: Pages):
    for _ in range(ALLOWED):
        await set_out(site.browser)
    waits = await site.browser.get("/sign-in/oidc")
    assert waits.status_code == 429


async def test_a_provider_that_is_away_is_said_to_be(database: Any):
    settings = OidcSettings(issuer="http://127.0.0.1:9", client_id="dashboard", roles=ROLES)
    async with pages.opened(database.dsn("control"), DashboardSettings(url=URL, oidc=settings)) as site:
        away = await site.browser.get("/sign-in/oidc")
        assert away.status_code == 503
        assert "mailcordon <span>sign-in</span>" in away.text  # a command whose words stay whole
