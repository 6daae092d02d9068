"""What an admin changes of a tenant and of the SES door on pages, over a real database: plans, facts, lanes, domains, keys.
Who may not is refused in test_platform_pages.py, route by route."""

import contextlib
import html
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from mailcordon_fixtures.dashboards import Dashboard, beside, once, opened, two_tenants

pytestmark = pytest.mark.asyncio(loop_scope="module")

Template = Any
Copy = Callable[..., contextlib.AbstractAsyncContextManager[Any]]
ADMIN = "admin@platform.example"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def dashboard(
    template: Template, copy_of: Copy, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Dashboard]:
    home: Path = tmp_path_factory.mktemp("tenants")
    async with copy_of(template.database) as database, opened(database, home, two_tenants) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def slug(dashboard: Dashboard) -> str:
    return await dashboard.owner.fetchval("select slug from tenant order by id limit 1")


async def shown(dashboard: Dashboard, path: str, who: str = "admin") -> str:
    """The page, with its links as they are."""
    return html.unescape(await dashboard.get(path, who))


async def onboarded(dashboard: Dashboard, slug: str) -> str:
    """Its path."""
    made = await dashboard.post(
        "/onboard",
        status=200,
        tenant=slug,
        types=f"receipt mail.{slug}.example\r\nnewsletter=news.{slug}.example",
    )
    once(made)
    return f"/tenants/{slug}"


async def test_a_tenant_is_onboarded_with_a_key_that_is_shown_once_and_gets_another_lane(
    dashboard: Dashboard,
) -> None:
    assert "/onboard" in await shown(dashboard, "/tenants")
    assert "/onboard" not in await shown(dashboard, "/tenants", "viewer")
    of = {"tenant": "robin", "types": "receipt mail.robin.example\r\n\r\nnewsletter = news.robin.example"}
    for wrong, name in (
        ({"tenant": "Not a name"}, "tenant"),
        ({"types": "receipt"}, "types"),
        ({"types": "receipt a.example\nreceipt b.example"}, "types"),
        ({"types": "no-such-type a.example"}, "types"),
    ):
        refused = await dashboard.post("/onboard", "admin", 422, **{**of, **wrong})
        assert beside(refused, name), wrong
        assert {**of, **wrong}["types"].replace("\r\n", "\n") in html.unescape(refused.text).replace(
            "\r\n", "\n"
        )
    [key] = once(await dashboard.post("/onboard", "admin", 200, **of))
    assert key.startswith("mck_")
    page = await shown(dashboard, "/tenants/robin")
    assert key not in page
    assert "/onboard?tenant=robin" in page
    assert (await dashboard.audited("tenant.onboard"))[0] == ADMIN
    added = await dashboard.post("/onboard", tenant="robin", types="invoice mail.robin.example")
    assert added.headers["location"] == "/tenants/robin?did=saved"
    assert "/tenants/robin/lanes/invoice" in await shown(dashboard, "/tenants/robin")


async def test_a_change_is_previewed_without_a_plan_and_made_as_one(dashboard: Dashboard) -> None:
    of = await onboarded(dashboard, "wren")
    before = await dashboard.owner.fetchval("select count(*) from plan")
    for path, words in (
        ("retire-lane?type=newsletter&mail=cancel", "From now on wren takes no new mail of newsletter"),
        ("move-lane?type=newsletter&domain=more.wren.example", "more.wren.example"),
        ("retire-domain?domain=news.wren.example", "news.wren.example"),
        ("set-topology?dedicated=yes", "Every other tenant is not touched."),
        ("retire-tenant?mail=drain", "From now on wren takes no new mail"),
    ):
        page = await shown(dashboard, f"{of}/changes/{path}")
        assert words in re.sub(r"</?(bdi|wbr)>", "", page), path
        assert "makes a plan" in page
        assert "mailcordon " in page
    for path, words in (
        ("retire-lane?type=invoice", "invoice"),
        ("unretire-lane?type=newsletter", 'role="alert"'),
        ("move-lane?type=newsletter&domain=no%20domain", 'role="alert"'),
        ("unretire-tenant", 'role="alert"'),
        ("drop-path?type=newsletter", 'role="alert"'),
    ):
        page = await shown(dashboard, f"{of}/changes/{path}")
        assert words in page, path
        assert 'method="post" action="/tenants' not in page, path
    assert "Show what it would do" in await shown(dashboard, f"{of}/changes/add-path")
    assert await dashboard.owner.fetchval("select count(*) from plan") == before

    answer = await dashboard.post(
        f"{of}/changes/retire-lane", type="newsletter", mail="cancel", because="unused"
    )
    target = answer.headers["location"].partition("?")[0]
    assert re.fullmatch(r"/ses/plans/\d+", target)
    assert await dashboard.owner.fetchval("select count(*) from plan") == before + 1
    await dashboard.post(target + "/apply", because="agreed")
    assert await dashboard.audited("tenant.change") == (ADMIN, "agreed")
    assert f"{of}/changes/unretire-lane?type=newsletter" in await shown(dashboard, f"{of}/lanes/newsletter")
    refused = await dashboard.post(
        f"{of}/changes/retire-lane", status=409, type="newsletter", because="unused"
    )
    assert 'value="unused"' in refused.text
    await dashboard.post(
        f"{of}/changes/move-lane", status=422, type="receipt", domain="x y", because="a move"
    )


async def test_personal_data_is_erased_of_a_retired_tenant_only(dashboard: Dashboard) -> None:
    of = await onboarded(dashboard, "gone")
    page = await shown(dashboard, of + "/erase")
    assert "retire" in page
    assert 'class="danger"' not in page
    await dashboard.post(of + "/erase", status=409, because="asked to")
    await dashboard.owner.execute(
        "update lane set retired_at = now() where tenant = (select id from tenant where slug = 'gone')"
    )
    await dashboard.owner.execute("update tenant set retired_at = now() where slug = 'gone'")
    assert of + "/erase" in await shown(dashboard, of)
    assert "Erase it for good" in await shown(dashboard, of + "/erase")
    await dashboard.post(of + "/erase", because="asked to")
    assert await dashboard.audited("tenant.erase") == (ADMIN, "asked to")


async def test_a_tier_is_a_plan_of_the_policy(dashboard: Dashboard, slug: str) -> None:
    of = f"/tenants/{slug}"
    assert of + "/tier" in await shown(dashboard, of + "/policy")
    assert of + "/tier" not in await shown(dashboard, of + "/policy", "viewer")
    assert "strict" in await shown(dashboard, of + "/tier")
    wrong = await dashboard.post(of + "/tier", status=422, tier="gold", because="growth")
    assert "There is no tier gold" in beside(wrong, "tier")
    assert 'value="growth"' in wrong.text
    answer = await dashboard.post(of + "/tier", tier="trusted", because="growth")
    plan = answer.headers["location"].partition("?")[0]
    assert "trusted" in await shown(dashboard, plan)
    await dashboard.post(plan + "/apply", because="agreed")
    same = await dashboard.post(of + "/tier", status=422, tier="trusted", because="again")
    assert "has the tier trusted" in beside(same, "tier")


async def test_facts_are_told_kept_and_forgotten(dashboard: Dashboard, slug: str) -> None:
    facts = f"/tenants/{slug}/facts"
    told = {
        "sign_up_source": "sales", "signed_up_at": "2019-05-01", "list_source": "own-signups", "planned_per_day": "2500000",
        "payment": "invoice", "owner_group": "team-north",
    }  # fmt: skip
    for wrong, name in (
        ({"signed_up_at": "last year"}, "signed_up_at"),
        ({"planned_per_day": "many"}, "planned_per_day"),
        ({"planned_per_day": "2.5"}, "planned_per_day"),
        ({"sign_up_source": "Not a label"}, "sign_up_source"),
        ({"payment": "gold"}, "payment"),
    ):
        refused = await dashboard.post(facts, "admin", 422, **{**told, **wrong})
        assert beside(refused, name), wrong
        assert 'value="team-north"' in refused.text
    await dashboard.post(facts, "admin", 303, **told, because="they signed")
    assert (await dashboard.audited("tenant.facts"))[1] == "they signed"
    page = await shown(dashboard, facts)
    for value in ("sales", "2019-05-01", "2500000", "team-north"):
        assert f'value="{value}"' in page, value
    assert "Nothing was changed" in (await dashboard.post(facts, "admin", 422, **told)).text
    await dashboard.post(facts, "admin", 303, **{**told, "payment": ""})
    row = await dashboard.owner.fetchrow(
        "select f.* from tenant_fact f join tenant t on t.id = f.tenant where t.slug = $1", slug
    )
    assert row is not None
    assert (row["payment"], row["planned_per_day"], row["list_source"]) == (None, 2_500_000, "own-signups")


async def test_links_to_unsubscribe_get_a_name_of_their_own(dashboard: Dashboard) -> None:
    slug = "linnet"
    await onboarded(dashboard, slug)
    host = f"/tenants/{slug}/unsubscribe-host"
    assert beside(await dashboard.post(host, status=422, whose="own", host="", because="x"), "host")
    assert beside(await dashboard.post(host, status=422, whose="own", host="a b", because="x"), "host")
    both = await dashboard.post(host, status=422, whose="shared", host="links.acme.example", because="x")
    assert beside(both, "host")
    assert 'value="links.acme.example"' in both.text
    await dashboard.post(host, whose="own", host="links.acme.example", because="their own name")
    assert "links.acme.example" in await shown(dashboard, f"/tenants/{slug}/sharing")
    await dashboard.post(host, whose="shared", host="", because="given up")
    assert "links.acme.example" not in await shown(dashboard, f"/tenants/{slug}/sharing")


async def test_a_domain_is_claimed_moved_and_signed_with_a_key_of_ours(dashboard: Dashboard) -> None:
    of = await onboarded(dashboard, "finch")
    assert of + "/claim" in await shown(dashboard, of + "/domains")
    assert beside(await dashboard.post(of + "/claim", status=422, domain="no domain"), "domain")
    await dashboard.post(of + "/claim", domain="more.finch.example", because="a new shop")
    assert "more.finch.example" in await shown(dashboard, of + "/domains")
    domain = of + "/domains/mail.finch.example"
    page = await shown(dashboard, domain)
    assert domain + "/transfer" in page
    assert "/changes/retire-domain?domain=mail.finch.example" in page
    await dashboard.get("/tenants/wren/domains/mail.finch.example/transfer", status=404)
    await dashboard.post(
        "/tenants/wren/domains/mail.finch.example/dkim", status=404, action="own", because="x"
    )
    refused = await dashboard.post(domain + "/transfer", status=409, to="wren", because="sold")
    assert 'value="wren"' in refused.text
    missing = await dashboard.post(domain + "/transfer", status=404, to="nobody", because="sold")
    assert "nobody" in missing.text
    bad = await dashboard.post(
        domain + "/dkim", status=422, action="own", selector="not a label", because="x"
    )
    assert beside(bad, "selector")
    await dashboard.post(domain + "/dkim", action="own", selector="ours", because="we keep the keys")
    assert "ours" in await shown(dashboard, domain)


async def test_access_keys_are_made_listed_and_revoked(dashboard: Dashboard, slug: str) -> None:
    await dashboard.post(
        "/settings/keys/new", "admin", 200, whose="tenant", tenant=slug, name="boto", **{"scopes.send": "yes"}
    )
    prefix = await dashboard.owner.fetchval("select prefix from api_key order by id desc limit 1")
    of = f"/settings/keys/{prefix}/access-keys"
    assert of in await shown(dashboard, "/settings/keys", "viewer")
    assert "has no access key" in await shown(dashboard, of, "viewer")
    assert of + "/new" not in await shown(dashboard, of, "viewer")
    id, secret = once(await dashboard.post(of + "/new", status=200))
    listed = await shown(dashboard, of)
    assert id in listed
    assert secret not in listed
    assert (await dashboard.audited("access-key.create"))[0] == ADMIN
    await dashboard.post(f"{of}/{id}/revoke")
    assert (await dashboard.audited("access-key.revoke"))[0] == ADMIN
    assert f"{of}/{id}/revoke" not in await shown(dashboard, of)
    await dashboard.get(f"{of}/MCAKAAAAAAAAAAAAAAAA/revoke", status=404)
    await dashboard.post(f"/settings/keys/{prefix}/revoke", because="unused")
    ended = await dashboard.post(of + "/new", status=409)
    assert "revoked" in ended.text


async def test_a_configuration_set_name_stands_for_a_type_until_it_is_forgotten(
    dashboard: Dashboard, slug: str
) -> None:
    door = "/settings/ses-door"
    assert "No name stands for" in await shown(dashboard, door, "viewer")
    assert door + "/name" not in await shown(dashboard, door, "viewer")
    of = {"set": "receipts", "type": "receipt", "tenant": slug}
    for wrong, name in (
        ({"set": "a/b"}, "set"),
        ({"set": ""}, "set"),
        ({"type": "no-such-type"}, "type"),
    ):
        refused = await dashboard.post(door + "/name", "admin", 422, **{**of, **wrong})
        assert beside(refused, name), wrong
        assert f'value="{slug}"' in refused.text
    await dashboard.post(door + "/name", "admin", 404, **{**of, "tenant": "nobody"})
    await dashboard.post(door + "/name", "admin", 303, **of)
    await dashboard.post(door + "/name", "admin", 303, **{**of, "type": "newsletter"})
    assert (await dashboard.audited("ses-door.map"))[0] == ADMIN
    listed = await shown(dashboard, f"{door}?tenant={slug}")
    assert "newsletter" in listed
    assert "receipts" not in await shown(dashboard, door)
    await dashboard.get(f"{door}/forget?set=receipts", status=404)
    assert "Forget what receipts" in re.sub(
        r"</?bdi>", "", await shown(dashboard, f"{door}/forget?set=receipts&tenant={slug}")
    )
    await dashboard.post(door + "/forget", set="receipts", tenant=slug)
    assert "receipts" not in await shown(dashboard, f"{door}?tenant={slug}")
