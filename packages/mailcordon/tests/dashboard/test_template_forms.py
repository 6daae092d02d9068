"""Templates on pages, over a real database: stored, previewed and retired, and what is refused keeps what was typed."""

import contextlib
import html
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from mailcordon.adapters.dashboard.pages import message_preview
from mailcordon_fixtures.dashboards import Dashboard, beside, opened, two_tenants
from mailcordon_fixtures.pages import csrf_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

Template = Any
Copy = Callable[..., contextlib.AbstractAsyncContextManager[Any]]
ADMIN = "admin@platform.example"
RECEIPT = {
    "subject": "Receipt for {{ name }}",
    "html": '<link rel=preconnect href="http://evil.example"><p style="color:red">Dear {{ name }}</p>\n',
    "dialect": "jinja",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dashboard(
    template: Template, copy_of: Copy, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Dashboard]:
    home: Path = tmp_path_factory.mktemp("templates")
    async with copy_of(template.database) as database, opened(database, home, two_tenants) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def slug(dashboard: Dashboard) -> str:
    return await dashboard.owner.fetchval("select slug from tenant order by id limit 1")


async def stored(dashboard: Dashboard, name: str, slug: str | None, version: int | None = None) -> Any:
    return await dashboard.owner.fetchrow(
        "select v.* from template_version v join template t on t.id = v.template left join tenant o on o.id = t.tenant"
        " where t.name = $1 and o.slug is not distinct from $2 and v.version = coalesce($3::int, t.latest)",
        name,
        slug,
        version,
    )


async def test_a_tenants_template_is_stored_shown_changed_and_retired(
    dashboard: Dashboard, slug: str
) -> None:
    of = f"/tenants/{slug}"
    assert "Make a template…" in await dashboard.get(of + "/templates")
    new = of + "/new-template"
    first = await dashboard.post(new, "admin", 303, name="receipt", because="launch", **RECEIPT)
    page = first.headers["location"].partition("?")[0]
    assert page == of + "/templates/receipt"
    assert await dashboard.audited("template.put") == (ADMIN, "launch")
    assert (await stored(dashboard, "receipt", slug))["html"] == RECEIPT["html"]  # to its last line break
    shown = await dashboard.get(page, "viewer")
    assert "&lt;p style=" in shown
    assert page + "/store" not in html.unescape(shown)
    assert page + "/store" in html.unescape(await dashboard.get(page))
    assert page in html.unescape(await dashboard.get(of + "/templates", "tenant"))

    store = page + "/store?version=1"
    form = html.unescape(await dashboard.get(store))
    assert RECEIPT["html"] in form
    # A browser sends line breaks as CR LF.
    as_sent = {name: text.replace("\n", "\r\n") for name, text in RECEIPT.items()}
    same = await dashboard.post(page + "/store", "admin", 422, **as_sent)
    assert "version 1 has these sources already" in same.text
    changed = {**as_sent, "new_part": "footer.html", "new_part_source": "<hr>"}
    await dashboard.post(page + "/store", "admin", 303, **changed, text="Dear {{ name }}")
    row = await stored(dashboard, "receipt", slug)
    assert (row["version"], row["text"], row["parts"]) == (2, "Dear {{ name }}", '{"footer.html": "<hr>"}')
    assert "Version 1" in await dashboard.get(page)
    assert "1 of 2" in await dashboard.get(page + "?version=1")
    await dashboard.post(page + "/store", "admin", 303, **as_sent, **{"part.footer.html": ""})
    assert (await stored(dashboard, "receipt", slug))["parts"] == "{}"

    await dashboard.post(page + "/retire", because="replaced")
    assert await dashboard.audited("template.retire") == (ADMIN, "replaced")
    assert "no message can name it" in await dashboard.get(page)
    await dashboard.post(page + "/retire", status=404, because="replaced")
    await dashboard.post(new, "admin", 303, name="receipt", **RECEIPT)
    assert "no message can name it" not in await dashboard.get(page)


async def test_a_template_that_is_refused_says_why_beside_its_field_and_keeps_what_was_typed(
    dashboard: Dashboard, slug: str
) -> None:
    new = f"/tenants/{slug}/new-template"
    for wrong, name in (
        ({"subject": "{{ name"}, "subject"),
        ({"html": "{% if %}"}, "html"),
        ({"html": "", "text": ""}, "html"),
        ({"mjml": "<mjml></mjml>"}, "mjml"),
        ({"new_part": "Footer", "new_part_source": "x"}, "new_part"),
        ({"name": "no name"}, "name"),
        ({"name": "a/b"}, "name"),
        ({"do": "preview", "data": "{"}, "data"),
        ({"do": "preview", "data": "[1]"}, "data"),
        ({"do": "preview", "data": "{}"}, "subject"),
    ):
        typed = {"name": "welcome", "text": "  Kept. ", **RECEIPT, **wrong}
        answer = await dashboard.post(new, "admin", 422, **typed)
        assert beside(answer, name), wrong
        for field in ("subject", "html", "text"):
            if typed[field]:
                assert typed[field] in html.unescape(answer.text), (wrong, field)
    assert await stored(dashboard, "welcome", slug) is None
    await dashboard.post(new, "admin", 303, name="welcome", **RECEIPT)
    taken = await dashboard.post(new, "admin", 422, name="welcome", **{**RECEIPT, "subject": "other"})
    assert "already" in beside(taken, "name")


async def test_a_tenant_gets_its_own_from_one_of_the_platform(dashboard: Dashboard, slug: str) -> None:
    await dashboard.post("/settings/new-template", "admin", 303, name="invite", **RECEIPT)
    assert "/settings/templates/invite" in html.unescape(await dashboard.get("/settings/templates"))
    of_tenant = f"/tenants/{slug}/templates/invite"
    shown = html.unescape(await dashboard.get(of_tenant))
    assert "It is the platform's" in shown
    assert of_tenant + "/retire" not in shown
    await dashboard.post(of_tenant + "/store", "admin", 303, **{**RECEIPT, "subject": "Ours"})
    assert (await stored(dashboard, "invite", slug))["subject"] == "Ours"
    assert (await stored(dashboard, "invite", None))["subject"] == RECEIPT["subject"]
    assert of_tenant + "/retire" in html.unescape(await dashboard.get(of_tenant))


async def test_a_preview_stores_nothing_and_its_html_comes_in_a_frame_in_which_nothing_can_happen(
    dashboard: Dashboard, slug: str
) -> None:
    page = f"/tenants/{slug}/templates/shipped"
    await dashboard.post(f"/tenants/{slug}/new-template", "admin", 303, name="shipped", **RECEIPT)
    audited = await dashboard.owner.fetchval("select count(*) from audit")
    data = '{"name": "<b>Kim</b>"}'
    for who in ("viewer", "tenant", "admin"):
        answer = await dashboard.post(page + "/preview", who, 200, version="1", data=data)
        frame = page + "/preview/html"
        assert "Receipt for &lt;b&gt;Kim" in answer.text
        assert 'name="mail" sandbox="" referrerpolicy="no-referrer"' in answer.text
        assert "<b>Kim" not in answer.text
        assert answer.headers["content-security-policy"].endswith(
            f"frame-src {str(dashboard.client.base_url).rstrip('/')}{frame}"
        )
        await framed(dashboard, frame, who, {"version": "1", "data": data})
    sources = {**RECEIPT, "text": "Not stored, {{ name }}", "data": data}
    answer = await dashboard.post(page + "/store", "admin", 200, do="preview", **sources)
    assert "Not stored, &lt;b&gt;Kim" in answer.text
    hidden = [
        (html.unescape(name), html.unescape(value))
        for name, value in re.findall(
            r'<input type="hidden" name="([^"]+)" value="([^"]*)">',
            answer.text.partition("data-into-frame")[2],
        )
    ]
    await framed(dashboard, page + "/store/html", "admin", dict(hidden))
    assert (await stored(dashboard, "shipped", slug))["version"] == 1
    assert await dashboard.owner.fetchval("select count(*) from audit") == audited
    wrong = await dashboard.post(page + "/preview", "viewer", 422, version="1", data="{}")
    assert "name is not in the data" in beside(wrong, "data")


async def framed(dashboard: Dashboard, path: str, who: str, fields: dict[str, str]) -> httpx.Response:
    csrf = csrf_of(await dashboard.get("/messages", who))
    for destination, status in (("iframe", 200), ("document", 403)):
        answer = await dashboard.client.post(
            path,
            data={**fields, "csrf": csrf},
            headers={**dashboard.headers(who), "sec-fetch-dest": destination},
        )
        assert answer.status_code == status
    forged = await dashboard.client.post(path, data={**fields, "csrf": "x"}, headers=dashboard.headers(who))
    assert forged.status_code == 403
    answer = await dashboard.client.post(path, data={**fields, "csrf": csrf}, headers=dashboard.headers(who))
    for name, value in message_preview.FRAME_HEADERS.items():
        assert answer.headers[name] == value
    assert answer.text.rstrip("\n") == (
        '<x-link rel=preconnect href="http://evil.example"><p style="color:red">Dear &lt;b&gt;Kim&lt;/b&gt;</p>'
    )
    return answer


async def test_a_tenants_reader_sees_no_other_tenants_templates(dashboard: Dashboard) -> None:
    other = await dashboard.owner.fetchval("select slug from tenant order by id offset 1 limit 1")
    await dashboard.post(f"/tenants/{other}/new-template", "admin", 303, name="hidden", **RECEIPT)
    for path in ("", "/hidden", "/hidden/preview"):
        await dashboard.get(f"/tenants/{other}/templates{path}", "tenant", 404)
    await dashboard.post(f"/tenants/{other}/templates/hidden/preview", "tenant", 404, data="{}")
    await dashboard.post(f"/tenants/{other}/templates/hidden/preview/html", "tenant", 404, data="{}")
