"""Moving, retiring, bringing back and erasing over HTTP: what is planned and refused, and what is shown of a retired tenant."""

from typing import Any

import pytest


class Admin:
    def __init__(self, world: Any, key: str) -> None:
        self.world = world
        self.key = key

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        return await self.world.ask((method, path, body), self.key)

    async def change(self, slug: str = "acme", **body: Any) -> Any:
        return await self.ask("POST", f"/v1/tenants/{slug}/changes", {"because": "asked to", **body})


@pytest.fixture
async def admin(world: Any) -> Admin:
    return Admin(world, await world.key(None, "admin", "read"))


async def test_a_change_is_planned_shown_and_applied_as_a_plan(admin: Admin) -> None:
    answer = await admin.change(action="retire-lane", type="newsletter", mail="cancel")
    assert answer.status_code == 201
    found = answer.json()
    assert found["does"][0].startswith("From now on acme takes no new mail of newsletter")
    assert found["touches"] == ["Every other tenant is not touched."]
    assert found["lanes"] == [{"type": "newsletter", "queued": 0, "sending": 0}]
    plan = found["plan"]
    assert (plan["state"], plan["steps"][0]["mail"], plan["because"]) == ("proposed", "cancel", "asked to")
    assert (await admin.ask("GET", "/v1/lanes?tenant=acme")).json()["items"] != []
    applied = await admin.ask("POST", f"/v1/plans/{plan['id']}/apply", {"because": "go"})
    assert applied.status_code == 200, applied.text
    again = await admin.change(action="retire-lane", type="newsletter")
    assert (again.status_code, again.json()["code"]) == (409, "nothing-to-do")
    back = await admin.change(action="unretire-lane", type="newsletter")
    assert back.json()["does"][0] == "acme takes mail of newsletter again."


WRONG_CHANGES: list[tuple[dict[str, Any], list[str]]] = [
    ({"action": "retire-lane"}, ["type"]),
    ({"action": "retire-tenant", "type": "newsletter"}, ["type"]),
    ({"action": "move-lane", "type": "newsletter"}, ["domain"]),
    ({"action": "move-lane", "type": "newsletter", "domain": "not a domain"}, ["domain"]),
    ({"action": "move-lane", "type": "newsletter", "domain": "news.zen.example"}, ["domain"]),
    ({"action": "retire-domain", "domain": "elsewhere.example"}, ["domain"]),
    ({"action": "set-topology"}, ["dedicated"]),
    ({"action": "set-topology", "dedicated": True, "domain": "a.example"}, ["domain"]),
    ({"action": "retire-lane", "type": "invoice", "dedicated": True}, ["dedicated"]),
    ({"action": "retire-lane", "type": "receipt"}, ["type"]),
    ({"action": "retire-lane", "type": "newsletter", "because": " "}, ["because"]),
]


async def test_a_wrong_change_names_the_field_and_plans_nothing(admin: Admin) -> None:
    before = await admin.world.owner.fetchval("select count(*) from plan")
    for body, fields in WRONG_CHANGES:
        answer = await admin.change(**body)
        assert answer.status_code == 422, (body, answer.text)
        assert [each["field"] for each in answer.json()["errors"]] == fields, body
        assert await admin.world.owner.fetchval("select count(*) from plan") == before, body


async def test_a_preview_says_what_the_plan_would_and_stores_nothing(admin: Admin) -> None:
    before = await admin.world.owner.fetchval("select count(*) from plan")
    wanted = {"action": "retire-lane", "type": "newsletter", "mail": "cancel"}
    answer = await admin.ask("POST", "/v1/tenants/acme/changes/preview", wanted)
    assert answer.status_code == 200, answer.text
    for body, fields in WRONG_CHANGES[:-1]:
        refused = await admin.ask("POST", "/v1/tenants/acme/changes/preview", body)
        assert [each["field"] for each in refused.json()["errors"]] == fields, body
    assert await admin.world.owner.fetchval("select count(*) from plan") == before
    planned = (await admin.change(**wanted)).json()
    assert answer.json() == {name: planned[name] for name in ("does", "touches", "stays", "lanes")}
    await admin.ask("POST", f"/v1/plans/{planned['plan']['id']}/apply", {})
    again = await admin.ask("POST", "/v1/tenants/acme/changes/preview", wanted)
    assert (again.status_code, again.json()["code"]) == (409, "nothing-to-do")


async def test_an_unknown_tenant_is_not_found(admin: Admin) -> None:
    for method, path, body in (
        ("POST", "changes", {"action": "retire-tenant", "because": "x"}),
        ("POST", "changes/preview", {"action": "retire-tenant"}),
        ("POST", "erasure", {"because": "x"}),
        ("POST", "erasure/preview", None),
        ("GET", "erasure", None),
    ):
        for slug in ("nobody", "a%20b", "-"):
            answer = await admin.ask(method, f"/v1/tenants/{slug}/{path}", body)
            assert (answer.status_code, answer.json()["code"]) == (404, "no-such-tenant"), (slug, path)


async def test_a_retired_domain_is_shown_as_such(admin: Admin) -> None:
    made = (await admin.change(action="retire-domain", domain="NEWS.acme.example")).json()
    await admin.ask("POST", f"/v1/plans/{made['plan']['id']}/apply", {})
    found = (await admin.ask("GET", "/v1/identities/news.acme.example")).json()
    assert (found["retiring_at"] is not None, found["retired_at"]) == (True, None)


async def test_only_a_retired_tenant_can_be_erased(admin: Admin) -> None:
    for path in ("erasure/preview", "erasure"):
        answer = await admin.ask("POST", f"/v1/tenants/acme/{path}", {"because": "x"})
        assert (answer.status_code, answer.json()["code"]) == (409, "not-retired")
    assert (await admin.ask("GET", "/v1/tenants/acme/erasure")).json()["code"] == "no-erasure"
    found = (await admin.ask("GET", "/v1/tenants/gone/erasure")).json()
    assert (found["state"], found["requested_by"], found["done_at"]) == ("running", "ann", None)


async def test_a_retired_tenant_can_still_be_looked_at(admin: Admin) -> None:
    found = await admin.ask("GET", "/v1/tenants/gone")
    assert found.status_code == 200
    assert found.json()["retired_at"] is not None
    assert (await admin.ask("GET", "/v1/holds?tenant=gone")).status_code == 200


async def test_a_lane_that_drains_says_so(admin: Admin) -> None:
    made = (await admin.change(action="retire-lane", type="newsletter")).json()
    await admin.world.owner.execute(
        "insert into ready (lane, id, tenant, hash) select id, 1::bigint << 60, tenant, '' from lane where tenant = 1"
    )
    await admin.ask("POST", f"/v1/plans/{made['plan']['id']}/apply", {})
    [lane] = (await admin.ask("GET", "/v1/lanes?tenant=acme")).json()["items"]
    assert (lane["retiring_at"] is not None, lane["retire_mail"]) == (True, "drain")
    found = (await admin.ask("GET", "/v1/tenants/acme")).json()
    assert found["retirement"][0] == "newsletter: 1 delivery in its queue is sent first."
    assert "keeps its mail" in found["retirement"][1]  # its domain is not verified
