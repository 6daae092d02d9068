"""Forms that make and change things, over a real database: what is made works, what is refused says so beside its field, and
a secret is on one page and nowhere else. Who may not is refused in test_platform_pages.py, route by route."""

import contextlib
import html
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio

from mailcordon.control.keys import hash_of
from mailcordon.guard.policy import suggest
from mailcordon_fixtures.dashboards import Dashboard, beside, once, opened, two_tenants
from mailcordon_fixtures.pages import csrf_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

Template = Any
Copy = Callable[..., contextlib.AbstractAsyncContextManager[Any]]
ADMIN = "admin@platform.example"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dashboard(
    template: Template, copy_of: Copy, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Dashboard]:
    home: Path = tmp_path_factory.mktemp("forms")
    async with copy_of(template.database) as database, opened(database, home, two_tenants) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def slug(dashboard: Dashboard) -> str:
    return await dashboard.owner.fetchval("select slug from tenant order by id limit 1")


async def test_a_key_is_made_replaced_changed_and_its_text_is_nowhere_else(
    dashboard: Dashboard, slug: str
) -> None:
    made = await dashboard.post(
        "/settings/keys/new", status=200, whose="tenant", tenant=slug, name="shop",
        **{"scopes.send": "yes", "scopes.read": "yes"}, days="90", types="receipt", messages_per_second="20",
    )  # fmt: skip
    [text] = once(made)
    row = await dashboard.owner.fetchrow("select * from api_key where hash = $1", hash_of(text))
    assert row is not None
    assert (row["name"], row["created_by"].partition(" ")[0]) == ("shop", ADMIN)
    assert (await dashboard.audited("key.create"))[0] == ADMIN
    prefix = row["prefix"]
    listed = await dashboard.get(f"/settings/keys?tenant={quote(slug)}")
    assert prefix in listed
    assert text not in listed
    assert (
        await dashboard.owner.fetchval("select count(*) from audit where audit::text like $1", f"%{text}%")
        == 0
    )

    change = f"/settings/keys/{prefix}/change"
    shown = await dashboard.get(change)
    assert 'value="receipt"' in shown
    same = {
        "name": "shop", "types": "receipt", "scopes.send": "yes", "scopes.read": "yes", "messages_per_second": "20"
    }  # fmt: skip
    unchanged = await dashboard.post(change, "admin", 422, **same)
    assert "Nothing was changed" in unchanged.text
    await dashboard.post(change, "admin", 303, **{**same, "scopes.read": ""})
    assert (await dashboard.audited("key.change"))[0] == ADMIN
    assert await dashboard.owner.fetchval("select scopes from api_key where prefix = $1", prefix) == ["send"]

    rotate = f"/settings/keys/{prefix}/rotate"
    assert "Must be" in beside(await dashboard.post(rotate, status=422, hours="soon", end="never"), "hours")
    [new] = once(await dashboard.post(rotate, status=200, hours="24", end="days", days="30"))
    successor = await dashboard.owner.fetchrow("select * from api_key where hash = $1", hash_of(new))
    assert successor is not None
    assert successor["succeeds"] is not None
    await dashboard.post(f"/settings/keys/{prefix}/revoke", because="replaced")


async def test_a_key_that_cannot_be_made_says_why_beside_the_field_and_keeps_what_was_typed(
    dashboard: Dashboard, slug: str
) -> None:
    send = {"whose": "tenant", "name": "shop", "scopes.send": "yes"}
    path = "/settings/keys/new"
    assert "Name the tenant" in beside(await dashboard.post(path, status=422, **send), "tenant")
    both = {**send, "whose": "platform", "tenant": slug}
    assert "Name the tenant" in beside(await dashboard.post(path, status=422, **both), "tenant")
    of = {**send, "tenant": slug}
    assert beside(await dashboard.post(path, status=422, **of, networks="here"), "networks")
    assert beside(
        await dashboard.post(path, status=422, **of, messages_per_second="-1"), "messages_per_second"
    )
    wrong = await dashboard.post(path, status=422, **of, types="no-such-type")
    assert "no-such-type" in beside(wrong, "types")
    assert 'value="no-such-type"' in wrong.text
    assert re.search(r'name="scopes.send" value="yes"[^>]* checked', wrong.text)
    assert not re.search(r'name="scopes.read" value="yes"[^>]* checked', wrong.text)
    assert beside(await dashboard.post(path, status=422, **of, **{"scopes.admin": "yes"}), "scopes")


async def test_an_access_key_of_the_ses_door_is_shown_with_its_key(dashboard: Dashboard, slug: str) -> None:
    made = await dashboard.post(
        "/settings/keys/new", status=200, whose="tenant", tenant=slug, name="boto", ses="yes",
        **{"scopes.send": "yes", "scopes.read": "yes"},
    )  # fmt: skip
    _, id, secret = once(made)
    assert id.startswith("MCAK")
    assert secret not in await dashboard.get("/settings/keys")


async def test_a_webhook_is_made_with_a_secret_that_is_replaced_and_its_events_are_sent_again(
    dashboard: Dashboard, slug: str
) -> None:
    new = "/settings/webhooks/new"
    of = {"name": "crm", "url": "https://hooks.example.com/secret-path", "tenant": slug, "because": "asked"}
    events = {f"events.{one}": "yes" for one in ("delivery.bounced", "lane.held")}
    wrong = await dashboard.post(new, status=422, **{**of, "url": "http://10.0.0.1/"}, **events)
    assert beside(wrong, "url")
    assert re.search(r'name="events.lane.held" value="yes"[^>]* checked', wrong.text)
    assert not re.search(r'name="events.delivery.opened" value="yes"[^>]* checked', wrong.text)
    [secret] = once(await dashboard.post(new, "admin", 200, **of, **events))
    assert secret.startswith("whsec_")
    assert await dashboard.audited("webhook.add") == (ADMIN, "asked")
    listed = await dashboard.get("/settings/webhooks")
    assert "delivery.bounced, lane.held" in html.unescape(listed)
    assert secret not in listed
    assert "secret-path" not in listed
    assert "all but the frequent ones" not in listed
    await dashboard.post(new, status=200, **{**of, "name": "usual"})
    assert "all but the frequent ones" in await dashboard.get("/settings/webhooks")

    change = "/settings/webhooks/crm/change"
    form = html.unescape(await dashboard.get(change))
    assert "at hooks.example.com" in form
    assert "secret-path" not in form
    assert re.search(r'name="events.lane.held" value="yes"[^>]* checked', form)
    same: dict[str, Any] = {"tenant": slug, "because": "they moved", **events}
    assert "Nothing was changed" in (await dashboard.post(change, "admin", 422, **same)).text
    assert beside(await dashboard.post(change, status=422, tenant=slug, because="they moved"), "events")
    wrong = await dashboard.post(change, status=422, **same, url="http://10.0.0.1/hush")
    assert beside(wrong, "url")
    await dashboard.post(change, "operator", 403, **same, url="https://new.example.com/hush")
    await dashboard.post(change, **same, url="https://new.example.com/hush")
    assert await dashboard.audited("webhook.change") == (ADMIN, "they moved")
    listed = await dashboard.get("/settings/webhooks")
    assert "new.example.com" in listed
    assert "hush" not in listed

    rotate = "/settings/webhooks/crm/rotate"
    assert beside(await dashboard.post(rotate, status=422, hours="9999", because="leaked"), "hours")
    [other] = once(await dashboard.post(rotate, status=200, hours="1", because="leaked"))
    assert other != secret
    assert await dashboard.audited("webhook.rotate") == (ADMIN, "leaked")

    replay = "/settings/webhooks/crm/replay"
    assert "either" in beside(
        await dashboard.post(replay, "operator", 422, because="they were down"), "since"
    )
    await dashboard.post(replay, "operator", since="2", because="they were down")
    assert await dashboard.audited("webhook.replay") == ("operator@platform.example", "they were down")
    await dashboard.post(replay, "operator", 404, message="msg_03ba5kvmth020", because="they were down")


async def test_what_is_typed_as_a_secret_is_taken_from_no_address_and_comes_back_empty(
    dashboard: Dashboard,
) -> None:
    for path, name in (
        ("/settings/webhooks/new", "url"),
        ("/settings/webhooks/new", "secret"),
        ("/settings/alerts/new?form=slack", "url"),
        ("/settings/alerts/new?form=pagerduty", "key"),
    ):
        joined = "&" if "?" in path else "?"
        page = await dashboard.get(f"{path}{joined}{name}=https://hush.example/x&name=known")
        assert 'value="known"' in page
        assert "hush.example" not in re.sub(r'<form class="go".*?</form>', "", page, flags=re.DOTALL), path
    wrong = await dashboard.post(
        "/settings/alerts/new", status=422, form="pagerduty", name="pager", key="hush-hush", because="x"
    )
    assert beside(wrong, "key")
    assert "hush-hush" not in wrong.text


async def test_an_ip_pool_is_deleted_once_nothing_uses_it(dashboard: Dashboard) -> None:
    await dashboard.owner.execute(
        "insert into ip_pool (name, managed, marketing, owner, because, created_by)"
        " values ('small', true, true, 'ops', 'x', 'ann')"
    )
    delete, page = "/pools/small/delete", "/pools/small"
    assert delete in html.unescape(await dashboard.get(page))
    assert "SES gives its addresses back" in html.unescape(await dashboard.get(delete))
    await dashboard.owner.execute(
        "insert into ip_pool_member (pool, marketing, tenant, class, because, added_by)"
        " select 'small', true, min(id), 2, 'x', 'ann' from tenant"
    )
    assert delete not in html.unescape(await dashboard.get(page))
    refused = await dashboard.post(delete, "admin", 409, because="nobody")
    assert "The IP pool small is used" in refused.text
    await dashboard.owner.execute(
        "update ip_pool_member set ended_at = 1, ended_by = 'ann' where pool = 'small'"
    )
    await dashboard.post(delete, "operator", 403, because="nobody")
    await dashboard.post(delete, because="nobody")
    assert await dashboard.audited("pool.delete") == (ADMIN, "nobody")
    await dashboard.get(page, status=404)


async def test_an_ip_pool_is_made_and_given_another_owner(dashboard: Dashboard) -> None:
    assert "/pools/new" in html.unescape(await dashboard.get("/pools"))

    async def made(who: str = "admin", status: int = 303, **other: str) -> httpx.Response:
        given = {"name": "bulk", "mail": "marketing", "mode": "standard", "owner": "ops", "because": "blocks"}
        return await dashboard.post("/pools/new", who, status, **(given | other))

    async def is_now() -> tuple[object, ...]:
        columns = "managed, marketing, owner, minimum, escalation"
        rows = await dashboard.owner.fetch(f"select {columns} from ip_pool where name = 'bulk'")
        return tuple(rows[0])

    await made("operator", 403)
    assert beside(await made(status=422, minimum="many"), "minimum")
    wrong = await made(status=422, name="No Name", owner="")
    assert beside(wrong, "name")
    assert beside(wrong, "owner")
    assert 'value="blocks"' in wrong.text
    await made(minimum="2000")
    assert await dashboard.audited("pool.create") == (ADMIN, "blocks")
    assert await is_now() == (False, True, "ops", 2000, "")
    change = "/pools/bulk/change"
    page = html.unescape(re.sub("</?span>", "", await dashboard.get(change)))
    assert "mailcordon pool owner bulk --owner ops" in page
    same = await dashboard.post(change, status=422, owner="ops", minimum="2000", because="x")
    assert "Nothing was changed" in html.unescape(same.text)
    await dashboard.post(change, "operator", 403, owner="mail team", because="moved")
    await dashboard.post(change, owner="mail team", minimum="", escalation="call", because="moved")
    assert await is_now() == (False, True, "mail team", 2000, "call")
    await dashboard.get("/pools/none/change", status=404)


async def test_alert_channels_of_each_form_are_made(dashboard: Dashboard) -> None:
    new = "/settings/alerts/new"
    [secret] = once(
        await dashboard.post(
            new, status=200, form="webhook", name="night", url="https://hooks.example.com/a", least="high",
            because="on call", **{"kinds.breaker": "yes"},
        )
    )  # fmt: skip
    assert await dashboard.audited("channel.add") == (ADMIN, "on call")
    await dashboard.post(
        new,
        form="slack",
        name="ops",
        url="https://hooks.slack.com/services/T/B/hush",
        least="low",
        because="team",
    )
    change = "/settings/alerts/ops/change"
    form = html.unescape(await dashboard.get(change))
    assert "ops leads to hooks.slack.com" in form
    assert "hush" not in form
    same: dict[str, Any] = {"least": "low", "because": "team"}
    assert "Nothing was changed" in (await dashboard.post(change, "admin", 422, **same)).text
    assert beside(await dashboard.post(change, status=422, **same, url="http://10.0.0.1/"), "url")
    await dashboard.post(change, "operator", 403, **{**same, "least": "medium"})
    same |= {"least": "medium", "kinds.drift": "yes"}
    await dashboard.post(change, **same)
    assert await dashboard.audited("channel.change") == (ADMIN, "team")
    listed = html.unescape(await dashboard.get("/settings/alerts"))
    assert "medium and worse" in listed
    assert "high and worse" in listed
    assert "hooks.slack.com" in listed
    assert "hush" not in listed
    assert secret not in listed
    wrong = await dashboard.post(
        new,
        status=422,
        form="slack",
        name="x",
        url="https://hooks.slack.com/x",
        tenants="nobody",
        because="x",
    )
    assert "nobody" in beside(wrong, "tenants")
    assert "role" in (await dashboard.post(new, "operator", 403, form="slack")).text


async def test_a_contact_of_a_tenant_is_set_tested_and_removed(dashboard: Dashboard, slug: str) -> None:
    of = f"/tenants/{quote(slug)}"
    new = of + "/contacts/new"
    refused = await dashboard.post(new, status=409, form="email", email="ops@acme.example", because="asked")
    assert "channel" in refused.text
    assert 'value="ops@acme.example"' in refused.text
    url = "https://contact.example.com/mail"
    [secret] = once(await dashboard.post(new, status=200, form="webhook", url=url, because="asked"))
    assert await dashboard.audited("contact.set") == (ADMIN, "asked")
    listed = await dashboard.get(of + "/access")
    assert "contact.example.com" in listed
    assert secret not in listed
    assert f"{of}/contacts/webhook/remove" in listed
    assert f"{of}/contacts/webhook/remove" not in await dashboard.get(of + "/access", "tenant")
    tried = await dashboard.post(of + "/contacts/webhook/test", "operator", 422)
    assert "did not arrive" in tried.text
    await dashboard.post(of + "/contacts/webhook/remove", because="they left")
    assert "contact.example.com" not in await dashboard.get(of + "/access")
    await dashboard.post(of + "/contacts/webhook/remove", "admin", 404, because="they left")


async def test_a_view_link_is_shown_once_works_and_is_revoked(dashboard: Dashboard, slug: str) -> None:
    of = f"/tenants/{quote(slug)}"
    new = of + "/view-links/new"
    assert beside(await dashboard.post(new, status=422, name="Lee", days="400"), "days")
    [url] = once(await dashboard.post(new, status=200, name="Lee of Acme", days="3"))
    token = url.rpartition("/")[2]
    async with httpx.AsyncClient(base_url=str(dashboard.client.base_url)) as browser:
        followed = await browser.get(url.removeprefix(str(dashboard.client.base_url)))
        assert followed.status_code == 303
        assert (await browser.get(of)).status_code == 200
        listed = await dashboard.get(of + "/access")
        assert token not in listed
        [prefix] = set(
            re.findall(r"/view-links/(\w+)/revoke", listed.partition("Lee of Acme")[2].partition("</tr>")[0])
        )
        await dashboard.post(f"{of}/view-links/{prefix}/revoke")
        assert (await dashboard.audited("view-link.revoke"))[0] == ADMIN
        assert (await browser.get(of)).status_code == 303


async def test_a_link_to_sign_in_is_shown_once_lets_its_person_in_and_can_be_revoked(
    dashboard: Dashboard,
) -> None:
    new = "/settings/people/new"
    base = str(dashboard.client.base_url)
    [url] = once(await dashboard.post(new, status=200, person="lee@platform.example", role="viewer"))
    assert url.rpartition("/")[2] not in await dashboard.get("/settings/people")
    async with httpx.AsyncClient(base_url=base) as browser:
        shown = await browser.get(url.removeprefix(base))
        used = await browser.post(url.removeprefix(base), data={"csrf": csrf_of(shown.text)})
        assert used.status_code == 303
        assert "lee@platform.example" in (await browser.get("/now")).text
    [unused] = once(await dashboard.post(new, status=200, person="ann@platform.example", role="admin"))
    listed = html.unescape(await dashboard.get("/settings/people")).partition("ann@platform.example")[2]
    await dashboard.post(re.findall(r"/settings/people/links/\w+/revoke", listed)[0])
    async with httpx.AsyncClient(base_url=base) as browser:
        shown = await browser.get(unused.removeprefix(base))
        refused = await browser.post(unused.removeprefix(base), data={"csrf": csrf_of(shown.text)})
        assert refused.status_code == 401


async def test_where_no_caps_are_suggested_a_policy_begins_with_what_is_in_force(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    suggested = "/settings/policy/plans/new?from=suggestions"
    assert "caps were not suggested" not in await dashboard.get(suggested)
    monkeypatch.setattr(suggest, "MOST_LANES", 0)
    page = await dashboard.get(suggested)
    assert "caps were not suggested" in page
    assert 'name="document"' in page


async def test_a_policy_is_planned_from_text_or_a_file_and_its_faults_have_lines(
    dashboard: Dashboard, slug: str
) -> None:
    new, because = "/settings/policy/plans/new", "the list bounced"
    in_force = await dashboard.get(new)
    assert "version: 1" in in_force
    same = html.unescape(in_force.partition("<textarea")[2].partition(">")[2].partition("</textarea>")[0])
    assert "changes nothing" in (await dashboard.post(new, status=422, document=same, because=because)).text
    assert "ocument:2: not YAML" in beside(
        await dashboard.post(new, status=422, document="version: 1\n  x: : y", because=because), "document"
    )
    wrong = f"version: 1\ntenants:\n  {slug}:\n    tier: no-such-tier\n    because: growth\n"
    refused = await dashboard.post(new, status=422, document=wrong, because=because)
    assert f"Line 4, tenants.{slug}.tier" in beside(refused, "document")
    assert "no-such-tier" in refused.text.partition("<textarea")[2]
    assert await dashboard.owner.fetchval("select count(*) from policy_version") == 0

    good = f"version: 1\ntenants:\n  {slug}:\n    tier: trusted\n    because: growth\n"
    csrf = csrf_of(await dashboard.get(new))
    made = await dashboard.client.post(
        new,
        data={"csrf": csrf, "document": "left as it was", "because": because},
        files={"file": ("policy.yaml", good.encode(), "application/yaml")},
        headers=dashboard.headers("admin"),
    )
    assert made.status_code == 303, made.text[-1500:]
    plan = made.headers["location"].partition("?")[0]
    shown = await dashboard.get(plan)
    assert "proposed" in shown
    assert because in shown
    assert slug in shown
    no_text = await dashboard.client.post(
        new,
        data={"csrf": csrf, "because": because},
        files={"file": ("policy.yaml", b"\xff\xfe", "application/yaml")},
        headers=dashboard.headers("admin"),
    )
    assert no_text.status_code == 422
    assert "not UTF-8" in no_text.text
    await dashboard.post(plan + "/apply", because="agreed")
    assert await dashboard.audited("policy.apply") == (ADMIN, "agreed")


async def test_a_message_type_is_added_and_changed(dashboard: Dashboard) -> None:
    new = "/settings/types/new"
    of = {
        "name": "booking",
        "class": "transactional",
        "criticality": "4",
        "description": "A booking was made",
    }
    assert beside(await dashboard.post(new, "admin", 422, **{**of, "name": "Not a name"}), "name")
    assert beside(await dashboard.post(new, "admin", 422, **of, expiry_seconds="99999999"), "expiry_seconds")
    await dashboard.post(new, "admin", 303, **of, resend="no")
    assert (await dashboard.audited("type.create"))[0] == ADMIN
    change = "/settings/types/booking/change"
    assert "A booking was made" in await dashboard.get(change)
    now = {"description": "A booking was made", "criticality": "5", "expiry_seconds": "3600", "resend": "no"}
    await dashboard.post(change, "admin", 303, **now)
    assert (await dashboard.audited("type.change"))[0] == ADMIN
    assert "Nothing was changed" in (await dashboard.post(change, "admin", 422, **now)).text
    row = await dashboard.owner.fetchrow("select * from message_type where name = 'booking'")
    assert row is not None
    assert (row["criticality"], row["expiry_ms"], row["resend"]) == (5, 3_600_000, False)
    await dashboard.post("/settings/types/no-such/change", "admin", 404, **now)


async def test_the_split_is_begun_decided_on_and_ended(dashboard: Dashboard, slug: str) -> None:
    split = "/migration/suppression-split"
    assert "Take it apart…" in await dashboard.get(split, "operator")
    await dashboard.post(
        split + "/start", "operator", owner="kim", because="acme moves to a path of its own", release="no"
    )
    assert await dashboard.audited("suppression-split.start") == (
        "operator@platform.example",
        "acme moves to a path of its own",
    )
    assign = split + "/assign"
    of = {"addresses": "kim@example.com lee@example.com", "because": "imported in 2024"}
    assert "Name the tenant" in beside(
        await dashboard.post(assign, "operator", 422, **of, to="tenant"), "tenant"
    )
    assert "Name the tenant" in beside(
        await dashboard.post(assign, "operator", 422, **of, to="nobody", tenant=slug), "tenant"
    )
    refused = await dashboard.post(assign, "operator", 404, **of, to="tenant", tenant=slug)
    assert "kim@example.com" in refused.text
    assert "split" in (await dashboard.post(split + "/finish", "operator", 409, because="all moved")).text
