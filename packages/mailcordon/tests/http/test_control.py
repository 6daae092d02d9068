"""The responses of the control plane's endpoints: shapes that programs rely on, and sentences that people read."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from mailcordon.core import ids


class Api:
    def __init__(self, world: Any, key: str) -> None:
        self.world = world
        self.owner = world.owner
        self.key = key

    async def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        answer = await self.world.ask((method, path, body), self.key)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def wrong(self, method: str, path: str, body: Any) -> dict[str, str]:
        answer = await self.ask(method, path, body, status=422)
        return {each["field"]: each["problem"] for each in answer["errors"]}

    async def verify(self) -> None:
        """Does what the control role does when SES has verified the domains."""
        await self.owner.execute("update identity set status = 'verified'")
        for row in await self.owner.fetch("select id from tenant"):
            await self.world.governor.align(row["id"])

    async def enqueue(self, slug: str, type: str, *, campaign: str | None = None) -> int:
        now = await self.owner.fetchval("select now_ms()")
        count = await self.owner.fetchval("select count(*) from ready")
        await self.owner.execute(
            "insert into ready (lane, id, tenant, hash, campaign) select l.id, $3, l.tenant, 'h', $4 from lane l"
            " join tenant e on e.id = l.tenant join message_type t on t.id = l.type where e.slug = $1 and t.name = $2",
            slug, type, ids.first_of(now) + 64 * count + 1, campaign,
        )  # fmt: skip
        return now


@pytest.fixture
async def api(world: Any) -> Api:
    return Api(world, await world.key(None, "send", "read", "operate", "admin"))


async def test_onboarding_returns_the_whole_tenant_and_shows_the_key_once(api: Api) -> None:
    body = {"slug": "new", "types": {"password-reset": "mail.new.example", "newsletter": "news.new.example"}}
    first = await api.ask("POST", "/v1/tenants", body, status=201)
    assert first["api_key"]["key"].startswith(f"mck_{first['api_key']['prefix']}_")
    assert first["key"].startswith("mc-")
    assert [(lane["type"], lane["class"], lane["state"]) for lane in first["lanes"]] == [
        ("newsletter", "marketing", "held"),
        ("password-reset", "urgent", "held"),
    ]
    lane = first["lanes"][1]
    assert lane["route"] == {
        "path": "isolated",
        "ses_tenant": first["key"],
        "domain": "mail.new.example",
        "identity_status": "pending",
        "configuration_set": "mc-urgent",
        "ip_pool": None,
    }
    assert [hold["owner"] for hold in lane["holds"]] == ["policy"]
    assert {identity["domain"] for identity in first["identities"]} == set(body["types"].values())
    assert any("when SES pauses it" in said for said in first["shares"])
    assert first["provisioning"]["done"] is False
    assert {step["state"] for step in first["provisioning"]["steps"]} == {"pending"}
    kinds = {step["kind"] for step in first["provisioning"]["steps"]}
    assert kinds == {"configuration-set", "event-destination", "identity", "tenant", "policy", "association"}

    again = await api.ask("POST", "/v1/tenants", body)
    assert again["api_key"] == {"prefix": first["api_key"]["prefix"]}
    assert await api.ask("GET", "/v1/tenants/new") == again


async def test_a_step_that_ses_refuses_shows_the_message_of_ses_and_provisioning_is_not_done(
    api: Api,
) -> None:
    await api.owner.execute("update ses_resource set state = 'applied', observed_at = now()")
    assert (await api.ask("GET", "/v1/tenants/acme"))["provisioning"]["done"] is True
    await api.owner.execute(
        "update ses_resource set state = 'failing', error = 'LimitExceeded: no more', attempts = 3"
        " where kind = 'identity' and name = 'news.acme.example'"
    )
    provisioning = (await api.ask("GET", "/v1/tenants/acme"))["provisioning"]
    assert provisioning["done"] is False
    failed = [step for step in provisioning["steps"] if step["state"] == "failed"]
    assert [(step["name"], step["detail"]) for step in failed] == [
        ("news.acme.example", "LimitExceeded: no more (3 attempts so far; it is retried)")
    ]


async def test_onboarding_refuses_each_wrong_field(api: Api) -> None:
    bad = {"slug": "Bad Slug", "types": {"newsletter": "localhost"}}
    assert set(await api.wrong("POST", "/v1/tenants", bad)) == {"slug", "types.newsletter"}
    taken = await api.wrong(
        "POST", "/v1/tenants", {"slug": "new", "types": {"invoice": "x.news.acme.example"}}
    )
    assert "another tenant" in taken["types.invoice"]
    assert "types" in await api.wrong("POST", "/v1/tenants", {"slug": "new", "types": {}})


async def test_a_cordon_holds_what_its_preview_says_and_lifting_it_releases_what_waited(api: Api) -> None:
    await api.verify()
    await api.ask("POST", "/v1/tenants", {"slug": "acme", "types": {"password-reset": "news.acme.example"}})
    for _ in range(3):
        await api.enqueue("acme", "newsletter")
    target = {"tenant": "acme", "class": "marketing"}
    preview = await api.ask("POST", "/v1/holds/preview", {**target, "action": "cordon"})
    assert preview["lanes"] == [
        {"type": "newsletter", "class": "marketing", "state": "open", "ready": 3, "waiting": 0, "sending": 0}
    ]
    assert "3 deliveries" in preview["effect"]
    assert preview["untouched"] == "password-reset of acme; every other tenant."

    hold = await api.ask("POST", "/v1/holds", {**target, "because": "too many complaints"}, status=201)
    assert (hold["tenant"], hold["class"], hold["type"], hold["owner"]) == (
        "acme",
        "marketing",
        None,
        "person",
    )
    lane = await api.ask("GET", "/v1/tenants/acme/lanes/newsletter")
    assert (lane["state"], lane["backlog"]["deliveries"]) == ("held", 3)
    assert lane["backlog"]["oldest_at"].endswith("Z")
    assert [each["id"] for each in lane["holds"]] == [hold["id"]]
    held = await api.ask("GET", "/v1/lanes?state=held")
    assert [(each["tenant"], each["type"]) for each in held["items"]] == [("acme", "newsletter")]

    lifted = await api.ask("POST", "/v1/holds/lift", {**target, "because": "list cleaned"})
    assert [each["id"] for each in lifted["lifted"]] == [hold["id"]]
    assert lifted["lifted"][0]["lifted_because"] == "list cleaned"
    assert (lifted["released"], lifted["remaining"]) == (3, [])
    assert (await api.ask("GET", "/v1/tenants/acme/lanes/newsletter"))["state"] == "open"


async def test_uncordoning_a_lane_that_no_person_cordoned_lifts_nothing(api: Api) -> None:
    """The lane is held because its domain is not verified: an uncordon of the lane does not lift a hold of policy."""
    lifted = await api.ask("POST", "/v1/holds/lift", {"tenant": "acme", "type": "newsletter", "because": "x"})
    assert (lifted["lifted"], lifted["released"]) == ([], 0)
    assert (await api.ask("GET", "/v1/tenants/acme/lanes/newsletter"))["state"] == "held"


async def test_a_hold_is_lifted_by_its_number_for_its_own_tenant_only(api: Api) -> None:
    await api.verify()
    hold = await api.ask("POST", "/v1/holds", {"tenant": "acme", "because": "x"}, status=201)
    by_number = {"ids": [hold["id"]], "because": "y"}
    await api.ask("POST", "/v1/holds/lift", {"tenant": "zen", **by_number}, status=404)
    assert len((await api.ask("POST", "/v1/holds/lift", {"tenant": "acme", **by_number}))["lifted"]) == 1
    assert (await api.ask("GET", "/v1/holds?tenant=acme&open=true"))["items"] == []


@pytest.mark.parametrize(
    "more", [{"ids": []}, {"ids": [0]}, {"ids": [1], "type": "newsletter"}, {"ids": [1], "class": ""}]
)
async def test_holds_are_lifted_by_number_or_by_target_and_not_both(api: Api, more: dict[str, Any]) -> None:
    assert list(await api.wrong("POST", "/v1/holds/lift", {"tenant": "acme", "because": "x", **more})) == [
        "ids"
    ]


async def test_a_hold_with_an_end_shows_it(api: Api) -> None:
    body = {"tenant": "acme", "because": "x", "until_seconds": 60}
    hold = await api.ask("POST", "/v1/holds", body, status=201)
    assert hold["since"] < hold["until"]


async def test_a_cancel_drops_what_it_names(api: Api) -> None:
    for campaign in ("spring", "spring", None):
        await api.enqueue("acme", "newsletter", campaign=campaign)
    body = {"tenant": "acme", "campaign": "spring", "because": "wrong price"}
    assert await api.ask("POST", "/v1/cancellations", body) == {"cancelled": 2}
    assert await api.owner.fetchval("select count(*) from ready") == 1


WRONG_HOLDS: list[tuple[dict[str, Any], str]] = [
    ({"because": " "}, "because"),
    ({"class": "loud"}, "class"),
    ({"class": ""}, "class"),
    ({"provider": ""}, "provider"),
    ({"provider": "pigeon"}, "provider"),
    ({"campaign": ""}, "campaign"),
    ({"campaign": "a\0b"}, "campaign"),
    ({"campaign": "Spring sale (UK)!"}, "campaign"),
    ({"campaign": "x" * 129}, "campaign"),
    ({"list": "naïve"}, "list"),
    ({"because": "wrong list\nHeld by root"}, "because"),
    ({"because": "wrong \u202etsil"}, "because"),
    ({"until_seconds": 0}, "until_seconds"),
    ({"type": "newsletter", "class": "marketing"}, "class"),
]


async def test_a_hold_with_a_wrong_field_is_refused_and_holds_nothing(api: Api) -> None:
    before = await api.owner.fetchval("select count(*) from hold")
    for more, field in WRONG_HOLDS:
        body = {"tenant": "acme", "because": "x", **more}
        assert list(await api.wrong("POST", "/v1/holds", body)) == [field], more
        assert await api.owner.fetchval("select count(*) from hold") == before, more


async def test_a_misspelt_field_is_refused_and_does_not_hold_more_than_was_meant(api: Api) -> None:
    before = await api.owner.fetchval("select count(*) from hold")
    answer = await api.world.ask(
        ("POST", "/v1/holds", {"tenant": "acme", "because": "x", "tpye": "newsletter"}), api.key
    )
    assert 400 <= answer.status_code < 500
    assert await api.owner.fetchval("select count(*) from hold") == before


async def test_a_change_of_a_type_changes_its_lanes_and_null_restores_the_value_of_the_class(
    api: Api,
) -> None:
    lanes = (
        "select l.expiry_ms, l.grace_ms, l.resend from lane l join message_type t on t.id = l.type"
        " where t.name = 'newsletter'"
    )
    changed = await api.ask("PATCH", "/v1/types/newsletter", {"expiry_seconds": 1.5, "resend": True})
    assert (changed["expiry_seconds"], changed["grace_seconds"], changed["resend"]) == (1.5, None, True)
    assert {tuple(row) for row in await api.owner.fetch(lanes)} == {(1_500, 600_000, True)}
    await api.ask("PATCH", "/v1/types/newsletter", {"expiry_seconds": None})
    assert {tuple(row) for row in await api.owner.fetch(lanes)} == {(259_200_000, 600_000, True)}
    assert "expiry_seconds" in await api.wrong("PATCH", "/v1/types/newsletter", {"expiry_seconds": -1})
    await api.ask("PATCH", "/v1/types/nothing", {"resend": True}, status=404)


async def test_a_new_type_can_be_onboarded_at_once_and_its_name_is_taken(api: Api) -> None:
    new = {
        "name": "booking",
        "class": "transactional",
        "criticality": 4,
        "description": "A booking",
        "grace_seconds": 2,
    }
    assert (await api.ask("POST", "/v1/types", new, status=201))["grace_seconds"] == 2
    await api.ask("POST", "/v1/types", new, status=409)
    await api.ask("POST", "/v1/tenants", {"slug": "acme", "types": {"booking": "news.acme.example"}})
    assert await api.owner.fetchval("select grace_ms from lane order by id desc limit 1") == 2_000


async def test_a_lanes_rate_is_set_and_removed_with_a_reason(api: Api) -> None:
    path = "/v1/tenants/acme/lanes/newsletter"
    assert (await api.ask("PATCH", path, {"rate": 5, "because": "warm-up"}))["rate"] == 5
    assert (await api.ask("PATCH", path, {"rate": None, "because": "warm"}))["rate"] is None
    assert "cordon" in (await api.wrong("PATCH", path, {"rate": 0, "because": "stop"}))["rate"]
    audit = await api.ask("GET", "/v1/audit?tenant=acme&limit=2")
    assert [(each["action"], each["before"], each["after"]) for each in audit["items"]] == [
        ("lane.rate", {"rate": 5}, {"rate": None}),
        ("lane.rate", {"rate": None}, {"rate": 5}),
    ]


def times(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a response that is a time by its name, and every number that could be milliseconds since 1970."""
    if isinstance(value, dict):
        for name, member in value.items():
            is_time = name in ("at", "since", "until", "removing_since", "minute") or name.endswith("_at")
            if (is_time and member is not None) or (isinstance(member, int) and member > 10**11):
                yield f"{path}.{name}", member
            else:
                yield from times(member, f"{path}.{name}")
    elif isinstance(value, list):
        for member in value:
            yield from times(member, path)


async def test_every_time_in_a_response_is_iso_8601_in_utc_with_milliseconds(api: Api) -> None:
    await api.verify()
    await api.enqueue("acme", "newsletter")
    body = {"tenant": "acme", "because": "x", "until_seconds": 60}
    hold = await api.ask("POST", "/v1/holds", body, status=201)
    await api.ask("POST", "/v1/holds/lift", {"tenant": "acme", "ids": [hold["id"]], "because": "y"})
    expiring = {"tenant": "acme", "name": "ci", "scopes": ["send"], "expires_at": "2099-01-01T01:00:00+01:00"}
    await api.ask("POST", "/v1/keys", expiring, status=201)
    found: dict[str, Any] = {}
    for path in ("tenants", "tenants/acme", "lanes", "identities", "keys", "audit", "holds", "types"):
        found |= times(await api.ask("GET", f"/v1/{path}"), path)
    assert {".before.until", ".after.until"} <= {name.removeprefix("audit.items") for name in found}
    form = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
    assert {name: time for name, time in found.items() if not form.fullmatch(str(time))} == {}


async def test_every_list_is_bounded_and_its_pages_join_without_gap_or_overlap(api: Api) -> None:
    for n in range(3):
        await api.ask("POST", "/v1/holds", {"tenant": "acme", "because": str(n)}, status=201)
    for path in ("/v1/tenants", "/v1/lanes", "/v1/identities", "/v1/keys", "/v1/audit", "/v1/holds"):
        whole = (await api.ask("GET", path))["items"]
        assert len(whole) > 1, path
        pages: list[Any] = []
        after = ""
        while True:
            page = await api.ask("GET", f"{path}?limit=1{after}")
            assert len(page["items"]) <= 1
            pages += page["items"]
            if page["next"] is None:
                break
            after = f"&after={page['next']}"
        assert pages == whole, path
        for limit in (0, 1001, "many"):
            answer = await api.world.ask(("GET", f"{path}?limit={limit}", None), api.key)
            assert 400 <= answer.status_code < 500, path


async def test_tenants_are_found_by_the_beginning_of_their_slug_their_worst_lane_and_their_tier(
    api: Api,
) -> None:
    await api.ask(
        "POST", "/v1/tenants", {"slug": "acme-two", "types": {"invoice": "two.acme.example"}}, status=201
    )
    await api.ask(
        "POST", "/v1/holds", {"tenant": "acme", "type": "newsletter", "because": "list"}, status=201
    )

    async def found(query: str) -> list[str]:
        return [one["slug"] for one in (await api.ask("GET", f"/v1/tenants?{query}"))["items"]]

    everyone = await found("")
    assert await found("prefix=acme") == ["acme", "acme-two"]
    assert await found("prefix=cme") == await found("prefix=%25") == []
    held = {"acme", "acme-two"}  # SES has not verified their domains
    assert held <= set(await found("state=held")) < set(everyone)
    assert await found("state=held&prefix=acme-") == ["acme-two"]
    assert not held & set(await found("state=stopped"))
    assert await found("tier=standard") == everyone
    assert await found("tier=none") == []
    for wrong in ("prefix=%00", "tier=%00", "state=gone"):
        await api.ask("GET", f"/v1/tenants?{wrong}", status=422)
    [acme, _] = (await api.ask("GET", "/v1/tenants?prefix=acme"))["items"]
    by_policy, by_person = acme["reasons"]
    assert by_policy.startswith("Held by policy")
    assert ": list [hold " in by_person
    assert (acme["state"], acme["tier"], acme["waiting"]) == ("held", "standard", 0)
    assert acme["number_of_lanes"] == len((await api.ask("GET", "/v1/tenants/acme"))["lanes"])


async def test_a_tenants_key_finds_no_other_tenant_by_any_filter(world: Any) -> None:
    key = world.tenant_keys["acme"]
    for query in ("", "?prefix=", "?state=open", "?state=stopped", "?tier=standard"):
        answer = (await world.ask(("GET", f"/v1/tenants{query}", None), key)).json()
        assert {one["slug"] for one in answer["items"]} <= {"acme"}, query


async def test_a_key_is_created_shown_once_listed_by_prefix_and_revoked(api: Api) -> None:
    body = {"tenant": "acme", "name": "ci", "scopes": ["send"], "expires_at": "2099-01-01T00:00:00Z"}
    made = await api.ask("POST", "/v1/keys", body, status=201)
    assert made["key"].startswith(f"mck_{made['prefix']}_")
    assert made["expires_at"] == "2099-01-01T00:00:00.000Z"
    listed = (await api.ask("GET", "/v1/keys?tenant=acme"))["items"]
    assert [each["prefix"] for each in listed][-1] == made["prefix"]
    assert "key" not in listed[-1]
    assert (await api.ask("DELETE", f"/v1/keys/{made['prefix']}"))["revoked_at"]
    await api.ask("DELETE", "/v1/keys/zzzzzzzz", status=404)
    assert "scopes" in await api.wrong(
        "POST", "/v1/keys", {"tenant": "acme", "name": "x", "scopes": ["admin"]}
    )


async def test_a_lane_says_what_keeps_all_its_mail_in_the_words_of_its_deliveries(world: Any) -> None:
    for key in (await world.key(None, "read"), world.tenant_keys["acme"]):
        lane = (await world.ask(("GET", "/v1/tenants/acme/lanes/newsletter", None), key)).json()
        detail = "No dispatcher has reported, so no mail leaves"
        assert lane["stops"] == [{"reason": "no-dispatcher", "detail": detail, "stop": None}]
    await world.owner.execute(
        "insert into role_health (role, instance, host, pid, started, beat) "
        "values ('dispatch', 'a', 'h', 1, now_ms(), now_ms())"
    )
    await world.owner.execute(
        "insert into account_rate (cell, ceiling, rate, tokens, at, max_24h, sent_24h, sending_enabled, enforcement, "
        "polled_at) values ('default', 1, 1, 1, now_ms(), -1, 0, true, 'HEALTHY', now_ms())"
    )
    [lane] = (await world.ask(("GET", "/v1/lanes?tenant=acme", None), world.tenant_keys["acme"])).json()[
        "items"
    ]
    assert lane["stops"] == []


async def test_isolation_names_other_tenants_to_the_platform_and_counts_them_for_a_tenant(world: Any) -> None:
    path = "/v1/tenants/acme/isolation"

    async def of_set(key: str) -> Any:
        [item] = (await world.ask(("GET", path, None), key)).json()["items"]
        return next(each for each in item["dimensions"] if each["name"] == "set")

    platform, own = await of_set(await world.key(None, "read")), await of_set(world.tenant_keys["acme"])
    assert (platform["names"], platform["tenants"], platform["says"]) == (["zen"], 1, "zen")
    assert (own["names"], own["tenants"], own["says"]) == (None, 1, "1 other tenant")
    await world.owner.execute(
        "insert into shared_parent (domain, by, because) values ('acme.example', 'ann', 'x')"
    )
    [item] = (await world.ask(("GET", path, None), world.tenant_keys["acme"])).json()["items"]
    assert item["dimensions"][0]["says"].startswith("acme.example: shared, not isolated")
