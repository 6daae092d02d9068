"""The pages of messages, SES, migration, pools, audit and settings over a real database, whose every text is hostile: who
sees what, who may act, route by route, and that it acts in the person's name."""

import contextlib
import html
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest
import pytest_asyncio

from browser import hostile
from mailcordon.adapters.dashboard import every_page
from mailcordon.adapters.dashboard.pages import actions
from mailcordon.adapters.dashboard.rendering import StaticFiles, Templates
from mailcordon.adapters.dashboard.site import Site
from mailcordon.core import ids
from mailcordon.core.principal import ADMIN, READ
from mailcordon_fixtures.dashboards import ROLES, Dashboard, opened

pytestmark = pytest.mark.asyncio(loop_scope="module")

Template = Any
Copy = Callable[..., contextlib.AbstractAsyncContextManager[Any]]
PAGES = (
    "/messages", "/messages?state=bounced", "/messages?to=nobody@example.com", "/addresses", "/addresses?address=kim@example.com",
    "/ses", "/ses/plans", "/ses/plans?state=proposed", "/ses/drift", "/ses/drift?open=yes", "/ses/drift/policies",
    "/ses/quarantine", "/ses/ungoverned", "/ses/feedback", "/ses/lapses",
    "/migration", "/migration?open=yes", "/migration/paths", "/migration/suppression-split", "/migration/advice",
    "/pools", "/audit", "/audit?actor=kim&action=hold&text=x&since=24h",
    "/settings", "/settings/policy", "/settings/tiers", "/settings/types", "/settings/alerts", "/settings/contacts",
    "/settings/webhooks", "/settings/keys", "/settings/ses-door", "/settings/people", "/settings/templates", "/settings/signals",
    "/settings/providers", "/settings/providers?domain=gmail.com",
)  # fmt: skip
#: One of each kind of page about one thing, found by the links of a list.
LINKED = (
    ("/messages", r"/messages/dlv_\w+"), ("/ses/plans", r"/ses/plans/\d+"), ("/ses/drift", r"/ses/drift/\d+"),
    ("/ses/quarantine", r"/ses/quarantine/\d+"), ("/ses/ungoverned", r"/ses/ungoverned/\d+"),
    ("/migration", r"/migration/rollouts/\d+"), ("/pools", r"/pools/(?!new)[\w-]+"),
)  # fmt: skip


#: Documents of frames, which no GET has.
POSTED_ONLY = tuple(
    f"{of}/html"
    for parent in ("/settings", "/tenants/x")
    for of in (f"{parent}/new-template", f"{parent}/templates/x/store")
)


async def hostile_rows(owner_dsn: str, hash_key: bytes) -> None:
    await hostile.write(owner_dsn, hash_key, hostile.WORDS)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def full(
    template: Template, copy_of: Copy, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Dashboard]:
    async with (
        copy_of(template.database) as database,
        opened(database, tmp_path_factory.mktemp("full"), hostile_rows) as dashboard,
    ):
        yield dashboard


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def empty(
    template: Template, copy_of: Copy, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Dashboard]:
    async with (
        copy_of(template.database) as database,
        opened(database, tmp_path_factory.mktemp("empty")) as dashboard,
    ):
        yield dashboard


def acts() -> list[tuple[str, str]]:
    """The path of every action of all pages, with values for its parameters, and the scope that it needs."""
    static = StaticFiles()
    site = Site(
        calls=None,  # pyright: ignore[reportArgumentType]
        templates=Templates(static),
        static=static,
        installation="test",
        is_local=True,
    )
    return sorted(
        (re.sub(r"\{\w+:str\}", "x", re.sub(r"\{\w+:int\}", "1", path)), str(handler.opt[actions.NEEDS]))
        for handler in every_page.beside_now(site)
        # A POST that needs no more than reading previews something; one without this is a filter or the way out.
        if "POST" in handler.http_methods and handler.opt.get(actions.NEEDS, READ) != READ
        for path in handler.paths
    )


async def linked(dashboard: Dashboard) -> list[str]:
    """A page of one thing of each kind. Every kind must be there."""
    found: list[str] = []
    for listed, pattern in LINKED:
        match = re.search(f'href="({pattern})"', html.unescape(await dashboard.get(listed)))
        assert match is not None, f"{listed} links to nothing like {pattern}"
        found.append(match[1])
    return found


async def test_every_page_is_shown_to_every_role_and_no_text_from_outside_becomes_markup(
    full: Dashboard,
) -> None:
    every = [*PAGES, *await linked(full)]
    for path in every:
        for who in ROLES:
            if path.startswith("/ses/quarantine/") and who == "viewer":
                await full.get(path, who, 403)  # its documents name recipients of any tenant
                continue
            page = await full.get(path, who)
            for word in hostile.WORDS:
                if "<" in word:
                    assert word not in page, (path, who, word)
            assert str(7 * 1337331) not in page, path


async def test_every_page_says_something_before_there_is_anything(empty: Dashboard) -> None:
    for path in PAGES:
        page = await empty.get(path, "viewer")
        assert "<h1>" in page, path
    assert "No mail was accepted yet." in await empty.get("/messages")


async def test_a_tenant_is_shown_its_own_mail_and_no_others_name(full: Dashboard) -> None:
    slugs = [row["slug"] for row in await full.owner.fetch("select slug from tenant order by id")]
    page = await full.get("/messages", "tenant")
    assert slugs[0] in page
    for path in ("/messages", "/addresses?address=kim@example.com"):
        page = await full.get(path, "tenant")
        assert not [slug for slug in slugs[1:] if slug in page], path
    for path in (
        "/ses",
        "/ses/plans",
        "/ses/quarantine",
        "/pools",
        "/audit",
        "/settings",
        "/settings/keys",
        "/settings/people",
    ):
        answer = await full.client.get(path, headers=full.headers("tenant"))
        assert answer.status_code in (303, 403, 404) or not [
            slug for slug in slugs[1:] if slug in answer.text
        ], path


async def test_who_may_not_act_is_refused_on_every_route_and_nothing_changes(full: Dashboard) -> None:
    every = acts()
    assert len(every) >= 100
    before = await full.owner.fetchval("select count(*) from audit")
    for path, needs in every:
        for who in ("viewer", "operator", "tenant"):
            if who == "operator" and needs != ADMIN:
                continue
            if path not in POSTED_ONLY:
                assert "needs the role" in await full.get(path, who, 403) or who == "tenant", path
            await full.post(path, who, 403, because="tried")
    assert await full.owner.fetchval("select count(*) from audit") == before


async def test_a_form_without_the_sessions_token_does_nothing(full: Dashboard) -> None:
    for path, _ in acts():
        answer = await full.client.post(
            path,
            data={"because": "forged"},
            headers=full.headers("admin"),
        )
        assert answer.status_code == 403, path
    assert await full.owner.fetchval("select count(*) from audit where because = 'forged'") == 0


async def test_a_preview_changes_nothing_and_names_its_command(full: Dashboard) -> None:
    before = await full.owner.fetchval("select count(*) from audit")
    plan = await full.owner.fetchval("select id from plan where state = 'proposed' limit 1")
    finding = await full.owner.fetchval("select id from finding where ended_at is null limit 1")
    for path, command in (
        (f"/ses/plans/{plan}/apply", f'mailcordon apply {plan} --because "..."'),
        (f"/ses/plans/{plan}/reject", f'mailcordon plans reject {plan} --because "..."'),
        (f"/ses/drift/{finding}/accept", f'mailcordon drift accept {finding} --because "..."'),
        (
            "/ses/drift/policies/destination-disabled?act=propose&hold=yes",
            "mailcordon drift policy destination-disabled propose --hold",
        ),
        ("/ses/lapses/urgent/fails?action=hold", "mailcordon identity lapse-policy urgent fails hold"),
        (
            "/ses/ungoverned/expect?identity=x.example&days=3",
            "mailcordon ungoverned expect x.example --until 3d",
        ),
        ("/migration/freezes/add?days=2", "mailcordon rollout freeze add --for 2d"),
    ):
        page = html.unescape(await full.get(path))
        assert command in page, path
        assert "What it will do" in page
    assert await full.owner.fetchval("select count(*) from audit") == before


async def test_what_a_person_does_is_done_in_their_name_and_for_their_reason(full: Dashboard) -> None:
    plan = await full.owner.fetchval("select id from plan where state = 'proposed' order by id desc limit 1")
    await full.post(f"/ses/plans/{plan}/reject", because="not now")
    assert await full.owner.fetchval("select state from plan where id = $1", plan) == "rejected"
    assert await full.audited("plan.reject") == ("admin@platform.example", "not now")

    await full.post(
        "/ses/drift/policies/destination-disabled", act="propose", hold="no", because="we look first"
    )
    assert "we look first" in await full.get("/ses/drift/policies")
    await full.post("/ses/lapses/urgent/fails", action="hold", because="no unsigned codes")
    assert "no unsigned codes" in await full.get("/ses/lapses")
    await full.post("/ses/ungoverned/expect", identity="x.example", days="3", because="old shop")
    assert "old shop" in await full.get("/ses/ungoverned")
    await full.post("/migration/freezes/add", "operator", days="2", because="sales week")
    assert "sales week" in await full.get("/migration", "operator")

    key = await full.owner.fetchval(
        "select prefix from api_key where revoked_at is null order by id desc limit 1"
    )
    await full.post(f"/settings/keys/{key}/revoke", because="leaked")
    assert await full.audited("key.revoke") == ("admin@platform.example", "leaked")
    refused = await full.post("/migration/freezes/add", "operator", 422, days="many", because="x")
    assert "whole number" in refused.text


async def test_an_address_is_suppressed_and_allowed_again(full: Dashboard) -> None:
    slug = await full.owner.fetchval("select slug from tenant order by id limit 1")
    of = {"address": "wish@example.com", "tenant": slug, "scope": "class", "class": "marketing"}
    preview = await full.get(
        f"/addresses/suppress?address=wish@example.com&tenant={quote(slug)}&scope=class&class=marketing",
        "operator",
    )
    assert "will not send marketing mail to wish@example.com" in html.unescape(preview)
    await full.post("/addresses/suppress", "operator", **of, because="asked by phone")
    shown = html.unescape(await full.get(f"/addresses?address=wish@example.com&tenant={quote(slug)}"))
    assert "asked by phone" in shown
    assert "Allow again" in shown
    assert "SES's lists were not read for it" in shown
    asked = await full.post("/addresses/read", "operator", address=of["address"], tenant=slug)
    assert "did=asked" in asked.headers["location"]
    await full.post("/addresses/suppress", "operator", 422, **{**of, "class": ""}, because="no class")
    await full.post("/addresses/allow", "operator", **of, because="asked again")
    assert (await full.audited("suppression.remove"))[0] == "operator@platform.example"


async def test_a_mail_shows_its_events_as_stored_and_what_waits_is_cancelled(full: Dashboard) -> None:
    row = await full.owner.fetchrow(
        "select r.id, r.tenant, r.lane, t.slug from ready r join tenant t on t.id = r.tenant where r.state = 0 limit 1"
    )
    assert row is not None
    mail = ids.message_id(row["id"] & -64)
    await full.owner.execute(
        "insert into event (delivery, key, tenant, lane, kind, attempt, at, ses_id, detail)"
        " select r.id, 'k', r.tenant, r.lane, 1, 1, now_ms(), 's', $2 from ready r where r.id = $1",
        row["id"],
        json.dumps({"text": "<script>alert(1)</script>"}),
    )
    shown = await full.get(f"/messages/{mail}", "viewer")
    assert "The event as it is stored" in shown
    assert "&lt;script&gt;alert(1)" in shown
    path = f"/messages/{mail}/cancel"
    assert "would never leave" in await full.get(path, "operator")
    await full.post(path, "operator", because="wrong recipients")
    assert "wrong recipients" in await full.get(f"/messages/{mail}", "viewer")
    assert "Nothing of" in await full.get(path, "operator")


async def test_what_is_pasted_into_the_search_finds_its_page(full: Dashboard) -> None:
    for text, target in (
        ("msg_03ba5kvmth020", "/messages/msg_03ba5kvmth020"),
        ("kim@example.com", "/messages?to=kim%40example.com"),
        ("<0100-x@email.amazonses.com>", "/messages?message_id="),
        ("spring-sale", "/messages?campaign=spring-sale"),
        ("order=7", "/messages?tag=order%3D7"),
    ):
        answer = await full.client.get(
            "/messages",
            params={"find": text},
            headers=full.headers("viewer"),
        )
        assert answer.status_code == 303
        assert answer.headers["location"].startswith(target), text


async def test_a_search_that_cannot_be_says_so_beside_its_form(full: Dashboard) -> None:
    for query in (
        "to=no",
        "id=x",
        "since=yesterday",
        "tenant=nobody",
        "state=lost",
        "tag=x",
        "reason=%00",
        "to=%00",
    ):
        page = await full.get(f"/messages?{query}", "viewer", 404 if query.startswith("tenant") else 422)
        assert 'role="alert"' in page, query
        assert "<form" in page, query


@pytest.mark.parametrize("path", ["/ses/drift", "/migration"])
async def test_the_sentence_counts_what_is_open_whatever_the_list_shows(full: Dashboard, path: str) -> None:
    said = [
        re.search(r'<p class="sentence[^>]*>.*?</p>', await full.get(path + query), re.DOTALL)
        for query in ("", "?open=no", "?open=yes")
    ]
    assert None not in said
    sentences = {one.group() for one in said if one is not None}
    assert len(sentences) == 1
    assert "has what is desired" not in sentences.pop()
