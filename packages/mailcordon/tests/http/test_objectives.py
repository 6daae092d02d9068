"""Who reads which objectives over HTTP."""

from typing import Any

import pytest


async def ask(world: Any, key: str | None, path: str) -> Any:
    return await world.ask(("GET", path, None), key)


@pytest.mark.parametrize("path", ["/v1/objectives", "/v1/tenants/acme/lanes/newsletter/objectives"])
async def test_without_a_key_nobody_reads_objectives(world: Any, path: str) -> None:
    assert (await ask(world, None, path)).status_code == 401
    sends = await world.key(None, "send")
    assert (await ask(world, sends, path)).status_code == 403


async def test_a_tenants_key_reads_its_own_objectives_and_no_other_tenant_exists(world: Any) -> None:
    platform, own = await world.key(None, "read"), world.tenant_keys["acme"]
    everybody = (await ask(world, platform, "/v1/objectives")).json()["items"]
    assert {"acme", "zen"} <= {item["tenant"] for item in everybody}
    mine = (await ask(world, own, "/v1/objectives")).json()["items"]
    assert mine == [item for item in everybody if item["tenant"] == "acme"]
    goals = [one["goal"] for item in mine if item["type"] == "newsletter" for one in item["objectives"]]
    assert goals == ["delivered", "bounces", "complaints"]
    assert (await ask(world, own, "/v1/objectives?tenant=zen")).status_code == 404
    others = await ask(world, own, "/v1/tenants/zen/lanes/newsletter/objectives")
    nobody = await ask(world, own, "/v1/tenants/nobody/lanes/newsletter/objectives")
    assert (others.status_code, nobody.status_code) == (404, 404)
    assert others.json()["code"] == nobody.json()["code"]
    assert (await ask(world, platform, "/v1/objectives?type=a%00b")).status_code == 404
    assert (await ask(world, platform, "/v1/tenants/acme/lanes/nothing/objectives")).status_code == 404


async def test_a_lane_shows_its_objectives_where_it_is_shown_alone(world: Any) -> None:
    key = world.tenant_keys["acme"]
    shown = (await ask(world, key, "/v1/tenants/acme/lanes/newsletter")).json()
    own = (await ask(world, key, "/v1/tenants/acme/lanes/newsletter/objectives")).json()
    assert shown["objectives"] == own["objectives"]
    assert {one["standing"] for one in own["objectives"]} == {"unknown"}
    assert own["objectives"][1]["detail"].startswith("acme/newsletter, at most 2 % hard bounces: no mail")
