"""Who is let in, which forms are taken, and what every answer carries."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Response, get, post
from litestar.params import FromPath

from mailcordon.adapters.dashboard import application
from mailcordon.adapters.dashboard.rendering import StaticFiles, Templates
from mailcordon.adapters.dashboard.rest import Problem, Rest
from mailcordon.adapters.dashboard.site import PageRequest, Site
from mailcordon.adapters.dashboard.visitor import Visitor
from mailcordon.core.errors import Unavailable
from mailcordon.core.principal import OPERATE, READ, Principal

PERSON = Principal(
    key_id=-1,
    prefix="s1",
    name="dashboard",
    holder="kim@platform.example",
    tenant_id=None,
    tenant_slug=None,
    scopes=frozenset({READ, OPERATE}),
)
TOKEN = "the-token-of-this-session"


class Api:
    """Answers as the REST API would, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, Mapping[str, str], bytes]] = []
        self.answer: tuple[int, bytes] = (200, b'{"items": []}')

    async def call(
        self, principal: Principal, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        assert principal is PERSON
        self.asked.append((method, path, query, body))
        return self.answer


class OneSession:
    def __init__(self) -> None:
        self.is_away = False

    async def visitor(self, cookies: dict[str, str]) -> Visitor | None:
        if self.is_away:
            raise Unavailable("The database does not respond.")
        return Visitor(principal=PERSON, csrf=TOKEN) if cookies.get("mailcordon") == "kim" else None


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
def sessions() -> OneSession:
    return OneSession()


@pytest.fixture
async def client(api: Api, sessions: OneSession) -> AsyncIterator[httpx.AsyncClient]:
    static = StaticFiles()
    site = Site(
        calls=api,
        templates=Templates(static),
        static=static,
        installation="test",
        is_local=False,
        url="https://mail.platform.example",
        is_secure=True,
    )

    @get("/things/{name:str}")
    async def thing(request: PageRequest, name: FromPath[str]) -> Response[str]:
        found = await site.rest(request).get("/v1/things/{}", name, open=True, tenant=None)
        return site.page(request, "problem.html", title="Thing", sentence=str(found))

    @post("/things")
    async def act(request: PageRequest) -> Any:
        await site.rest(request).post("/v1/things", body={"because": "of this"})
        return site.done("/things/a?x=1#part", "held")

    app = application.build(site, sessions, [thing, act])
    transport = httpx.ASGITransport(app)  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(
        transport=transport, base_url="https://mail.platform.example", cookies={"mailcordon": "kim"}
    ) as found:
        yield found


async def test_a_page_asks_the_api_as_the_person_who_looks(client: httpx.AsyncClient, api: Api):
    shown = await client.get("/things/acme")
    assert shown.status_code == 200
    assert api.asked == [("GET", "/v1/things/acme", {"open": "true"}, b"")]
    assert "kim@platform.example" in shown.text
    assert "operator" in shown.text


async def test_every_answer_has_the_headers_that_keep_others_out(client: httpx.AsyncClient):
    for path in ("/things/acme", "/no-such-page", "/health"):
        headers = (await client.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
        assert "max-age" in headers["strict-transport-security"]


async def test_without_a_session_a_page_leads_to_the_sign_in_and_nothing_is_asked(
    client: httpx.AsyncClient, api: Api
):
    client.cookies.clear()
    led = await client.get("/things/a%20b?x=1")
    assert led.status_code == 303
    assert led.headers["location"] == "/sign-in?next=%2Fthings%2Fa%2520b%3Fx%3D1"
    part = await client.get("/things/acme", headers={"hx-request": "true"})
    assert part.status_code == 401
    assert (await client.post("/things", data={"csrf": TOKEN})).status_code == 401
    assert api.asked == []


@pytest.mark.parametrize("fields", [{}, {"csrf": ""}, {"csrf": "other"}, {"csrf": TOKEN + "x"}])
async def test_a_form_without_this_sessions_token_does_nothing(
    client: httpx.AsyncClient, api: Api, fields: dict[str, str]
):
    refused = await client.post("/things", data=fields)
    assert refused.status_code == 403
    assert "another session" in refused.text
    assert api.asked == []


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ],
)
async def test_a_form_from_another_site_does_nothing(
    client: httpx.AsyncClient, api: Api, headers: dict[str, str]
):
    refused = await client.post("/things", data={"csrf": TOKEN}, headers=headers)
    assert refused.status_code == 403
    assert api.asked == []


@pytest.mark.parametrize(
    "headers", [{}, {"sec-fetch-site": "same-origin"}, {"origin": "https://mail.platform.example"}]
)
async def test_a_form_of_this_session_acts_and_leads_to_the_page_that_says_so(
    client: httpx.AsyncClient, api: Api, headers: dict[str, str]
):
    done = await client.post("/things", data={"csrf": TOKEN}, headers=headers)
    assert done.status_code == 303
    assert done.headers["location"] == "/things/a?x=1&did=held#part"
    assert api.asked == [("POST", "/v1/things", {}, b'{"because":"of this"}')]
    assert "The mail is held." in (await client.get("/things/a?did=held")).text
    assert "hacked" not in (await client.get("/things/a?did=hacked")).text.replace("did=hacked", "")


async def test_what_the_api_refuses_is_a_page_with_its_sentence_and_fields(
    client: httpx.AsyncClient, api: Api
):
    problem = {"detail": "No <tenant>.", "code": "x", "errors": [{"field": "to", "problem": "is <b>bad</b>"}]}
    api.answer = (422, msgspec.json.encode(problem))
    shown = await client.get("/things/acme")
    assert shown.status_code == 422
    assert "No &lt;tenant&gt;." in shown.text
    assert "is &lt;b&gt;bad&lt;/b&gt;" in shown.text


async def test_a_fault_of_ours_shows_no_internals(client: httpx.AsyncClient, api: Api):
    api.answer = (200, b"no JSON: secret")
    shown = await client.get("/things/acme")
    assert shown.status_code == 500
    assert "secret" not in shown.text
    assert "Traceback" not in shown.text


async def test_static_files_are_kept_for_ever_under_the_name_of_their_content(client: httpx.AsyncClient):
    client.cookies.clear()
    url = StaticFiles().url("dashboard.css")
    found = await client.get(url)
    assert found.headers["content-type"].startswith("text/css")
    assert "immutable" in found.headers["cache-control"]
    assert (await client.get(url.replace("/static/", "/static/0"))).status_code == 404
    for path in ("/static/x/../rest.py", "/static/x/%2e%2e/rest.py", "/static/x//etc/passwd"):
        assert (await client.get(path)).status_code == 404


async def test_while_the_database_is_away_a_page_says_so_and_looks_as_always(
    client: httpx.AsyncClient, sessions: OneSession
):
    sessions.is_away = True
    shown = await client.get("/things/acme")
    assert (shown.status_code, "The database does not respond." in shown.text) == (503, True)
    assert (await client.get(StaticFiles().url("dashboard.css"))).status_code == 200
    assert (await client.get("/health")).status_code == 200


@pytest.mark.parametrize("name", ["a/b", "../keys", "", ".", ".."])
async def test_a_name_cannot_become_another_path_of_the_api(api: Api, name: str):
    with pytest.raises(Problem) as refused:
        await Rest(api, PERSON).get("/v1/things/{}", name)
    assert refused.value.status == 404
    assert api.asked == []


async def test_found_is_none_for_what_this_person_may_not_see(api: Api):
    for status in (403, 404):
        api.answer = (status, b"{}")
        assert await Rest(api, PERSON).found("/v1/things") is None
    api.answer = (503, b"{}")
    with pytest.raises(Problem):
        await Rest(api, PERSON).found("/v1/things")
