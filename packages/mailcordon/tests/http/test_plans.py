"""Plans over HTTP: shapes that programs rely on, and sentences that people read."""

from typing import Any

import pytest

from mailcordon.adapters.http import plans as http_plans

from .test_control import Api
from .test_control import api as api

ADD = {"kind": "add-lane", "tenant": "acme", "type": "invoice", "to": "bills.acme.example"}


async def test_a_plan_shows_its_steps_its_calls_in_order_and_why(api: Api) -> None:
    made = await api.ask("POST", "/v1/plans", {"steps": [ADD], "because": "asked for"}, status=201)
    assert (made["state"], made["source"], made["because"]) == ("proposed", "person", "asked for")
    assert made["made_by"].startswith("test (key ")
    assert [step["says"] for step in made["steps"]] == [
        "add the domain bills.acme.example to acme",
        "let acme send invoice from bills.acme.example",
    ]
    key = await api.owner.fetchval("select key from tenant where slug = 'acme'")
    assert [(call["seq"], call["says"], call["why"]) for call in made["calls"]] == [
        (1, "create identity bills.acme.example", "SES does not have it"),
        (
            2,
            f"associate configuration-set/mc-transactional with tenant {key}",
            "the tenant cannot send with it",
        ),
        (3, f"associate identity/bills.acme.example with tenant {key}", "the tenant cannot send with it"),
    ]
    assert made["actions"] == {"create identity": 1, "associate association": 2}
    assert made["tenants"] == ["acme"]
    assert (await api.ask("GET", f"/v1/plans/{made['id']}"))["calls"] == made["calls"]


async def test_a_plan_is_applied_once_and_the_second_operator_is_told(api: Api) -> None:
    first = await api.ask("POST", "/v1/plans", {"steps": [ADD]}, status=201)
    second = await api.ask("POST", "/v1/plans", {"steps": [{**ADD, "type": "receipt"}]}, status=201)
    done = await api.ask("POST", f"/v1/plans/{first['id']}/apply", {"because": "go"})
    assert (done["state"], done["decided_because"], done["counts"]) == ("applying", "go", {"pending": 3})
    lane = await api.ask("GET", "/v1/tenants/acme/lanes/invoice")
    assert lane["state"] == "held"
    told = await api.ask("POST", f"/v1/plans/{second['id']}/apply", {}, status=409)
    assert told["code"] == "plan-outdated"
    assert f"applied plan {first['id']} at" in told["detail"]
    again = await api.ask("POST", f"/v1/plans/{first['id']}/apply", {}, status=409)
    assert again["code"] == "plan-decided"


async def test_a_rejected_plan_says_by_whom_and_why(api: Api) -> None:
    made = await api.ask("POST", "/v1/plans", {"steps": [ADD]}, status=201)
    gone = await api.ask("POST", f"/v1/plans/{made['id']}/reject", {"because": "wrong domain"})
    assert (gone["state"], gone["decided_because"]) == ("rejected", "wrong domain")
    assert (await api.ask("POST", f"/v1/plans/{made['id']}/apply", {}, status=409))["code"] == "plan-decided"
    assert await api.wrong("POST", f"/v1/plans/{api.world.plan}/reject", {"because": " "})


async def test_plans_are_listed_newest_first_in_pages_and_by_state(api: Api) -> None:
    made = [(await api.ask("POST", "/v1/plans", {"steps": [ADD]}, status=201))["id"] for _ in range(3)]
    page = await api.ask("GET", "/v1/plans?limit=2")
    assert [item["id"] for item in page["items"]] == made[:0:-1]
    rest = await api.ask("GET", f"/v1/plans?limit=100&after={page['next']}")
    assert made[0] in [item["id"] for item in rest["items"]]
    assert "calls" not in rest["items"][0]
    await api.ask("POST", f"/v1/plans/{made[0]}/apply", {})
    assert {item["id"] for item in (await api.ask("GET", "/v1/plans?state=outdated"))["items"]} >= set(
        made[1:]
    )
    assert await api.ask("GET", "/v1/plans?state=nonsense", status=422)


async def test_a_large_plan_shows_its_first_steps_and_has_all_in_pages(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_plans, "MOST_STEPS", 3)
    asked = [
        {**ADD, "to": f"bills-{n}.acme.example", "type": type}
        for n, type in enumerate(("invoice", "receipt"))
    ]
    made = await api.ask("POST", "/v1/plans", {"steps": asked}, status=201)
    assert ([step["seq"] for step in made["steps"]], made["steps_left_off"]) == ([1, 2, 3], 1)
    assert (made["tenants_left_off"], made["notes_left_off"], made["calls_left_off"]) == (0, 0, 0)
    path = f"/v1/plans/{made['id']}"
    first = await api.ask("GET", f"{path}/steps?limit=3")
    assert first["items"] == made["steps"]
    rest = await api.ask("GET", f"{path}/steps?limit=3&after={first['next']}")
    assert ([step["seq"] for step in rest["items"]], rest["next"]) == ([4], None)
    assert rest["items"][0]["says"] == "let acme send receipt from bills-1.acme.example"

    first = await api.ask("GET", f"{path}/calls?limit=3")
    rest = await api.ask("GET", f"{path}/calls?after={first['next']}")
    assert [*first["items"], *rest["items"]] == made["calls"]
    assert rest["next"] is None
    for each in ("steps", "calls"):
        assert (await api.ask("GET", f"/v1/plans/999999/{each}", status=404))["code"] == "no-such-plan"
        assert (await api.ask("GET", f"{path}/{each}?after=999999"))["items"] == []


async def test_a_plan_that_changes_nothing_has_no_number(api: Api) -> None:
    exported = await api.ask("GET", "/v1/document")
    before = await api.owner.fetchval("select count(*) from plan")
    made = await api.ask("POST", "/v1/plans", {"document": exported}, status=200)
    assert (made["id"], made["calls"], made["steps"]) == (None, [], [])
    assert made["notes"] == ["Nothing to change: what was last seen at SES is what is desired."]
    assert await api.owner.fetchval("select count(*) from plan") == before


async def test_the_document_of_the_tenants_can_be_changed_and_applied(api: Api) -> None:
    exported = await api.ask("GET", "/v1/document?tenants=acme")
    assert list(exported["tenants"]) == ["acme"]
    exported["tenants"]["acme"]["types"]["invoice"] = "bills.acme.example"
    exported["tenants"]["new"] = {"types": {"newsletter": "new.example.net"}, "dedicated": True}
    made = await api.ask("POST", "/v1/plans", {"document": exported}, status=201)
    assert made["tenants"] == ["acme", "new"]
    await api.ask("POST", f"/v1/plans/{made['id']}/apply", {})
    after = await api.ask("GET", "/v1/document")
    assert {slug: after["tenants"][slug] for slug in ("acme", "new")} == exported["tenants"]
    assert (await api.ask("GET", "/v1/tenants/new"))["dedicated"]


async def test_a_fault_of_a_document_names_its_member(api: Api) -> None:
    document = {
        "version": 1,
        "tenants": {
            "acme": {"types": {"nonsense": "mail.acme.example", "newsletter": "not a domain"}},
            "zen": {"colour": "red"},
        },
    }
    assert set(await api.wrong("POST", "/v1/plans", {"document": document})) == {
        "document.tenants.acme.types.newsletter",
        "document.tenants.zen.colour",
    }
    document["tenants"] = {
        "acme": {"types": {"nonsense": "mail.acme.example", "newsletter": "news.zen.example"}}
    }
    found = await api.wrong("POST", "/v1/plans", {"document": document})
    assert "no such message type" in found["document.tenants.acme.types.nonsense"]
    assert "another tenant" in found["document.tenants.acme.types.newsletter"]
    assert "zen is" not in str(found.values())


WRONG_PLANS: list[tuple[dict[str, Any], str]] = [
    ({"steps": [ADD], "document": {}}, "steps"),
    ({"prune": True}, "prune"),
    ({"steps": []}, "steps"),
    ({"steps": [{**ADD, "kind": "explode"}]}, "steps[0].kind"),
    ({"steps": [ADD, {**ADD, "to": "not a domain"}]}, "steps[1].to"),
    ({"steps": [{**ADD, "tenant": "A B"}]}, "steps[0].tenant"),
    ({"steps": [{"kind": "set-topology", "tenant": "acme", "to": "mine"}]}, "steps[0].to"),
    ({"steps": [{"kind": "add-tenant", "tenant": "new", "to": "shared one mc-mine"}]}, "steps[0].to"),
    ({"steps": [{**ADD, "type": "nonsense"}]}, "type"),
    ({"steps": [{**ADD, "to": "x.news.zen.example"}]}, "domain"),
    ({"steps": [ADD], "because": " "}, "because"),
]


async def test_a_wrong_plan_names_the_field(api: Api) -> None:
    for body, field in WRONG_PLANS:
        assert field in await api.wrong("POST", "/v1/plans", body), body


async def test_an_unknown_plan_is_not_found(api: Api) -> None:
    assert (await api.ask("GET", "/v1/plans/999", status=404))["code"] == "no-such-plan"
    assert (await api.ask("POST", "/v1/plans/999/apply", {}, status=404))["code"] == "no-such-plan"
    assert (await api.ask("GET", "/v1/document?tenants=nobody", status=404))["code"] == "no-such-tenant"
