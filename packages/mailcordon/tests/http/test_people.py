"""Links, sessions and view links over HTTP: what is shown once, what lists say, and where a link leads."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

World = Any  # the class is in conftest.py, which is no module to import


async def test_a_sign_in_link_is_shown_once_with_the_dashboards_address(world: World) -> None:
    key = await world.key(None, "read", "operate", "admin")
    made = (
        await world.ask(("POST", "/v1/sign-in-links", {"person": "lee@example.com", "role": "admin"}), key)
    ).json()
    assert made["url"] == "https://mail.platform.example" + made["path"]
    assert made["path"].startswith("/sign-in/link/mcl_")
    listed = (await world.ask(("GET", "/v1/sign-in-links", None), key)).json()
    mine = [one for one in listed["items"] if one["person"] == "lee@example.com"]
    assert [(one["role"], one["used_at"], one["revoked_at"]) for one in mine] == [("admin", None, None)]
    assert "mcl_" not in str(listed)
    revoked = await world.ask(("DELETE", f"/v1/sign-in-links/{made['prefix']}", None), key)
    assert revoked.json()["revoked_at"] is not None
    assert (await world.ask(("DELETE", "/v1/sign-in-links/%00", None), key)).status_code == 404


async def test_without_a_name_a_link_is_for_the_holder_of_the_key_and_by_default_reads_only(
    world: World,
) -> None:
    key = await world.key(None, "read", "admin")
    made = (await world.ask(("POST", "/v1/sign-in-links", {}), key)).json()
    assert (made["person"], made["role"]) == ("test", "viewer")


@pytest.mark.parametrize(
    "body",
    [
        {"person": "kim\u0000"},
        {"person": ""},
        {"person": " "},
        {"person": "k" * 101},
        {"role": "owner"},
        {"days": 3},
    ],
)
async def test_a_link_for_nobody_or_with_no_role_is_refused_by_field(
    world: World, body: dict[str, str]
) -> None:
    key = await world.key(None, "read", "operate", "admin")
    refused = await world.ask(("POST", "/v1/sign-in-links", body), key)
    assert refused.status_code in (400, 422)


async def test_sessions_are_listed_by_person_and_state_and_ended(world: World) -> None:
    key = await world.key(None, "read", "admin")

    async def listed(query: str) -> list[str]:
        found = (await world.ask(("GET", f"/v1/sessions{query}", None), key)).json()
        assert "hash" not in str(found)
        return [one["prefix"] for one in found["items"]]

    assert await listed("") == await listed("?person=kim&open=true") == ["ssssssss"]
    assert await listed("?person=lee") == await listed("?open=false") == []
    assert (await world.ask(("GET", "/v1/sessions?person=%00", None), key)).status_code == 422
    ended = (await world.ask(("DELETE", "/v1/sessions?person=kim", None), key)).json()
    assert [(one["prefix"], one["person"]) for one in ended["items"]] == [("ssssssss", "kim")]
    assert ended["items"][0]["ended_by"].startswith("test (key")
    assert await listed("?open=true") == []
    assert (await world.ask(("DELETE", "/v1/sessions", None), key)).status_code in (400, 422)


async def test_a_view_link_lasts_a_week_unless_said_and_a_month_at_most(world: World) -> None:
    key = await world.key(None, "read", "admin")
    path = "/v1/tenants/acme/view-links"
    made = (await world.ask(("POST", path, {"name": "Lee, Acme"}), key)).json()
    end = datetime.fromisoformat(made["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=6, hours=23) < end <= timedelta(days=7)
    assert made["url"].startswith("https://mail.platform.example/view/mcv_")
    late = (datetime.now(UTC) + timedelta(days=31)).isoformat()
    refused = await world.ask(("POST", path, {"name": "Lee", "expires_at": late}), key)
    assert refused.status_code == 422
    assert "in the next 30 days" in refused.text
    listed = (await world.ask(("GET", path, None), key)).json()
    assert {one["name"] for one in listed["items"]} == {"lee", "Lee, Acme"}
    assert "mcv_" not in str(listed)
    assert (await world.ask(("GET", "/v1/tenants/zen/view-links", None), key)).json()["items"] == []
    assert (
        await world.ask(("DELETE", f"/v1/tenants/zen/view-links/{made['prefix']}", None), key)
    ).status_code == 404
    for tenant in ("none", "%00"):
        assert (
            await world.ask(("POST", f"/v1/tenants/{tenant}/view-links", {"name": "Lee"}), key)
        ).status_code == 404
