"""Paths of lanes over HTTP: who sees and sets them, and a plan that gives and takes one."""

from typing import Any

import pytest

SHARED = {
    "name": "platform",
    "domain": "mail.platform.example",
    "ses_tenant": "old-tenant",
    "because": "how all mail left",
}
LANE = {"tenant": "acme", "type": "newsletter"}
CHANGES = (
    ("/v1/shared-paths", SHARED),
    ("/v1/paths/share", {**LANE, "isolated": 5, "because": "x"}),
    ("/v1/paths/move", {**LANE, "to": "shared", "because": "x"}),
)


async def post(world: Any, key: str | None, path: str, body: Any) -> Any:
    return await world.ask(("POST", path, body), key)


@pytest.mark.parametrize("path", ["/v1/paths", "/v1/shared-paths"])
async def test_only_platform_keys_that_read_see_paths(world: Any, path: str) -> None:
    for key, status in ((None, 401), (world.tenant_keys["acme"], 403), (await world.key(None, "send"), 403)):
        assert (await world.ask(("GET", path, None), key)).status_code == status
    assert (await world.ask(("GET", path, None), await world.key(None, "read"))).status_code == 200


async def test_only_operators_set_shares_and_only_admins_name_shared_paths(world: Any) -> None:
    for path, body in CHANGES:
        for key, status in (
            (None, 401),
            (world.tenant_keys["acme"], 403),
            (await world.key(None, "read"), 403),
        ):
            assert (await post(world, key, path, body)).status_code == status, path
    assert (await post(world, await world.key(None, "operate"), *CHANGES[0])).status_code == 403


async def test_a_lane_gets_a_shared_path_shares_and_loses_it_again(world: Any) -> None:
    admin = await world.key(None, "admin", "operate", "read")
    made = await post(world, admin, "/v1/shared-paths", SHARED)
    assert (made.status_code, made.json()["lanes"]) == (201, 0)
    assert (await post(world, admin, "/v1/shared-paths", SHARED)).status_code == 409
    bad = {**SHARED, "name": "B ad", "domain": "x", "ses_tenant": "a b"}
    refused = (await post(world, admin, "/v1/shared-paths", bad)).json()
    assert {one["field"] for one in refused["errors"]} == {"name", "domain", "ses_tenant"}
    desired = await world.owner.fetchval(
        "select desired ->> 'resources' from ses_resource where kind = 'association' and name = 'old-tenant'"
    )
    assert "identity/mail.platform.example" in desired
    assert "configuration-set/mc-marketing" in desired

    assert (await post(world, admin, *CHANGES[1])).json()["code"] == "not-two-paths"
    unknown = {"action": "add-path", "type": "newsletter", "path": "nothing", "because": "x"}
    said = await post(world, admin, "/v1/tenants/acme/changes", unknown)
    assert said.status_code == 422
    assert "platform" in said.text
    planned = await post(world, admin, "/v1/tenants/acme/changes", {**unknown, "path": "platform"})
    assert planned.status_code == 201, planned.text
    assert any("platform" in one for one in planned.json()["touches"])
    await apply(world, admin, planned)
    # A lane that sends goes on as before.
    assert await shares(world, admin) == {"isolated": 100, "shared": 0}
    unverified = await post(world, admin, *CHANGES[1])
    assert (unverified.status_code, unverified.json()["code"]) == (409, "not-verified")
    await world.owner.execute("update identity set status = 'verified'")
    assert (await post(world, admin, *CHANGES[1])).status_code == 200
    assert await shares(world, admin) == {"isolated": 5, "shared": 95}
    assert (await post(world, admin, *CHANGES[2])).json() == {"moved": 0, "kept": 0}
    shown = (
        await world.ask(("GET", "/v1/tenants/acme/lanes/newsletter", None), world.tenant_keys["acme"])
    ).json()
    assert shown["shares_with"][-1].startswith(
        "95 % of its recipients take the shared path: the domain mail.platform"
    )

    moving = {"action": "move-lane", "type": "newsletter", "domain": "other.acme.example", "because": "x"}
    assert (await post(world, admin, "/v1/tenants/acme/changes", moving)).json()["code"] == "two-paths"
    drop = {"action": "drop-path", "type": "newsletter", "because": "x"}
    planned = await post(world, admin, "/v1/tenants/acme/changes", drop)
    refused = await post(world, admin, f"/v1/plans/{planned.json()['plan']['id']}/apply", {"because": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "path-in-use")
    await post(world, admin, "/v1/paths/share", {**LANE, "isolated": 100, "because": "over"})
    await apply(world, admin, await post(world, admin, "/v1/tenants/acme/changes", drop))
    assert await shares(world, admin) == {"isolated": 100}

    async def remove(query: str) -> Any:
        return await world.ask(("DELETE", f"/v1/shared-paths/platform?because=over{query}", None), admin)

    tried = await remove("&dry_run=true")
    assert (tried.status_code, tried.json()["done"], tried.json()["path"]["lanes"]) == (200, False, 0)
    assert len((await world.ask(("GET", "/v1/shared-paths", None), admin)).json()["items"]) == 1
    await apply(
        world, admin, await post(world, admin, "/v1/tenants/acme/changes", {**unknown, "path": "platform"})
    )
    kept = await remove("")
    assert (kept.status_code, kept.json()["code"], "acme newsletter" in kept.text) == (
        409,
        "path-in-use",
        True,
    )
    await world.owner.execute(
        "update lane set retiring_at = now(), retired_at = now(), retire_mail = 'drain', retired_with = 'lane'"
        " where id in (select lane from route where path = 'shared')"
    )
    await world.owner.execute("update route set share = 50 where domain <> 'news.zen.example'")
    assert (await remove("")).json()["done"] is True
    left = await world.owner.fetch("select path, share from route where domain = 'news.acme.example'")
    assert [(row["path"], row["share"]) for row in left] == [("isolated", 100)]
    assert await world.owner.fetchval("select count(*) from route_before where path = 'shared'") > 0
    assert (await world.ask(("GET", "/v1/shared-paths", None), admin)).json()["items"] == []
    assert (await remove("")).status_code == 404
    assert await world.owner.fetchval("select wanted from ses_resource where name = 'old-tenant'") is False
    assert await world.owner.fetchval("select count(*) from audit where action = 'path.remove'") == 1


async def apply(world: Any, key: str, planned: Any) -> None:
    done = await post(world, key, f"/v1/plans/{planned.json()['plan']['id']}/apply", {"because": "x"})
    assert done.status_code == 200, done.text


async def shares(world: Any, key: str) -> dict[str, int]:
    found = (await world.ask(("GET", "/v1/paths?tenant=acme", None), key)).json()["items"]
    [lane] = [one for one in found if one["type"] == "newsletter"]
    return {one["path"]: one["share"] for one in lane["paths"]}
