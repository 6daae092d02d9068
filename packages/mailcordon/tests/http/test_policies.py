"""Policies over HTTP: shapes that programs rely on, and whose policy a tenant's key reads."""

from typing import Any

from .test_control import Api
from .test_control import api as api

DOCUMENT: dict[str, Any] = {
    "tenants": {
        "acme": {
            "tier": "strict",
            "because": "its first list bounced",
            "types": {"newsletter": {"caps": {"lane": {"day": 4000}}}},
        }
    }
}


async def test_a_plan_is_made_shown_and_applied(api: Api) -> None:
    made = await api.ask("POST", "/v1/policy/plans", {"document": DOCUMENT, "because": "asked"}, status=201)
    assert (made["state"], made["base"], made["version"], made["because"]) == ("proposed", 0, None, "asked")
    cap = next(one for one in made["changes"] if one["path"] == "caps.lane.day")
    assert (cap["was"], cap["now"], cap["mode"], cap["lanes"]) == (
        "none", "4,000 (shadow)", "shadow", ["acme/newsletter"]
    )  # fmt: skip
    done = await api.ask("POST", f"/v1/policy/plans/{made['id']}/apply", {"because": "go"})
    assert (done["state"], done["version"], done["decided_because"]) == ("applied", 1, "go")
    found = await api.ask("GET", "/v1/policy")
    assert (found["version"], found["document"], found["because"]) == (1, DOCUMENT, "go")
    assert found["tiers"] == ["standard", "strict", "trusted"]
    again = await api.ask("POST", "/v1/policy/plans", {"document": DOCUMENT})
    assert (again["id"], again["changes"]) == (None, [])
    told = await api.ask("POST", f"/v1/policy/plans/{api.world.policy_plan}/apply", {}, status=409)
    assert told["code"] == "plan-outdated"
    states = [one["state"] for one in (await api.ask("GET", "/v1/policy/plans"))["items"]]
    assert states == ["applied", "outdated"]


async def test_faults_name_the_members_of_the_document(api: Api) -> None:
    wrong = {"tenants": {"nobody": "strict", "acme": {"breaker": {"sensitivity": "high"}}}}
    assert await api.wrong("POST", "/v1/policy/plans", {"document": wrong}) == {
        "document.tenants.acme.breaker.sensitivity": "must be a number from 0.01 to 100"
    }
    wrong["tenants"]["acme"] = {}
    assert await api.wrong("POST", "/v1/policy/diff", {"document": wrong}) == {
        "document.tenants.nobody": "there is no tenant nobody"
    }


async def test_a_difference_is_shown_without_a_plan(api: Api) -> None:
    before = await api.ask("GET", "/v1/policy/plans")
    found = await api.ask("POST", "/v1/policy/diff", {"document": DOCUMENT})
    assert found["changes"][-1]["says"].startswith("tier: standard -> strict for acme/newsletter")
    assert await api.ask("GET", "/v1/policy/plans") == before


async def test_a_tier_is_planned_alone_and_keeps_what_else_the_document_says(api: Api) -> None:
    made = await api.ask("POST", "/v1/policy/plans", {"document": DOCUMENT}, status=201)
    await api.ask("POST", f"/v1/policy/plans/{made['id']}/apply", {"because": "go"})
    planned = await api.ask(
        "POST", "/v1/tenants/acme/tier", {"tier": "trusted", "because": "two good years"}, status=201
    )
    assert (planned["state"], planned["because"]) == ("proposed", "two good years")
    own = DOCUMENT["tenants"]["acme"]
    assert planned["document"] == {
        "tenants": {"acme": {**own, "tier": "trusted", "because": "two good years"}}
    }
    assert "tier" in {one["path"] for one in planned["changes"]}
    same = await api.ask("POST", "/v1/tenants/acme/tier", {"tier": "strict", "because": "again"})
    assert (same["id"], same["changes"]) == (None, [])
    assert await api.wrong("POST", "/v1/tenants/acme/tier", {"tier": "gold", "because": "x"}) == {
        "tier": "there is no tier gold: there are standard, strict and trusted"
    }
    none = await api.ask("POST", "/v1/tenants/nobody/tier", {"tier": "strict", "because": "x"}, status=404)
    assert none["code"] == "no-such-tenant"


async def test_a_tenants_key_reads_what_applies_to_its_lanes_with_each_reason(api: Api) -> None:
    await api.ask("POST", f"/v1/policy/plans/{api.world.policy_plan}/apply", {})
    api.key = api.world.tenant_keys["acme"]
    (lane,) = (await api.ask("GET", "/v1/tenants/acme/policy"))["lanes"]
    assert (lane["type"], lane["tier"], lane["version"]) == ("newsletter", "strict", 1)
    values = {one["path"]: one for one in lane["values"]}
    assert values["breaker.sensitivity"] == {
        "path": "breaker.sensitivity",
        "value": 0.1,
        "says": "0.1",
        "origin": "tier strict",
        "because": "stops ten times as readily: harm costs more than a false stop",
    }


async def test_a_fact_that_is_left_out_stays_and_null_forgets_it(api: Api) -> None:
    first = {
        "payment": "invoice",
        "list_source": "customers",
        "planned_per_day": 900,
        "signed_up_at": "2019-05-01",
    }
    found = await api.ask("PATCH", "/v1/tenants/acme/facts", first)
    assert (found["tier"], found["suggested_tier"], found["signed_up_at"][:10]) == (
        "standard",
        "trusted",
        "2019-05-01",
    )
    assert "pays by invoice" in found["suggested_because"][0]
    found = await api.ask("PATCH", "/v1/tenants/acme/facts", {"planned_per_day": None})
    assert (found["payment"], found["planned_per_day"]) == ("invoice", None)
    wrong = await api.wrong(
        "PATCH", "/v1/tenants/acme/facts", {"signed_up_at": "1950-01-01", "payment": "gold"}
    )
    assert list(wrong) == ["signed_up_at"]
    listed = await api.ask("GET", "/v1/policy/tenants")
    assert [(one["tenant"], one["suggested_tier"]) for one in listed["items"]] == [
        ("acme", "trusted"),
        ("zen", "strict"),
    ]


async def test_nothing_is_suggested_for_lanes_that_sent_nothing(api: Api) -> None:
    found = await api.ask("GET", "/v1/policy/suggestions?tenant=acme")
    assert found["days"] == 28
    (item,) = found["items"]
    assert (item["tenant"], item["type"], item["caps"]) == ("acme", "newsletter", [])
    assert "too few days" in item["because"]
    assert found["document"] == {"version": 1, "tenants": {}}


async def test_the_deepest_document_is_read(api: Api) -> None:
    cap = {"caps": {"provider": {"gmail": {"day": {"mails": 900, "mode": "enforce"}}}}}
    deepest = {"tenants": {"acme": {"types": {"newsletter": cap}}}}
    found = await api.ask("POST", "/v1/policy/diff", {"document": deepest})
    assert [(one["path"], one["now"]) for one in found["changes"]] == [
        ("caps.provider.gmail.day", "900 (enforce)")
    ]
