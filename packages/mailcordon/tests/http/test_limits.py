"""GET /v1/limits: who reads which, and what is said of them."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.limit_reader import LimitReader
from mailcordon.adapters.http import limits
from mailcordon_fixtures import route

HOUR = {
    "scope": "lane",
    "per": "hour",
    "cap": 500,
    "mode": "enforce",
    "spares_urgent": True,
    "refuses": False,
}


@pytest.fixture
async def limited(world: Any) -> Any:
    """Acme has used up a limit of its newsletter, and zen has one in shadow mode."""
    owner = await engine.connect(world.database.dsn("owner"))
    rows = await owner.fetch("select l.id, l.tenant, t.slug from lane l join tenant t on t.id = l.tenant")
    for row in rows:
        mode = "enforce" if row["slug"] == "acme" else "shadow"
        wanted = [{**HOUR, "lane": row["id"], "mode": mode, "because": "Tier standard."}]
        await owner.execute(
            "select replace_limits($1, 'guard', $2::jsonb)", row["tenant"], json.dumps(wanted)
        )
    await owner.execute("update limit_use set hour = now_ms() / 3600000, in_hour = 500")
    await owner.execute(
        "insert into limit_shadow select s.id, s.tenant, 70, 1, 2 from send_limit s where s.mode = 'shadow' and s.owner = 'guard'"
    )
    await owner.execute(
        "insert into ready (lane, id, tenant, hash) select l.id, n, l.tenant, '' from lane l, generate_series(1, 3) n"
    )
    await owner.close()
    return world


@pytest.fixture
async def reader(limited: Any) -> AsyncIterator[Any]:
    pool = await engine.create_pool(limited.database.dsn("reader"))
    yield pool
    await pool.close()


async def ask(world: Any, reader: Any, path: str, key: str | None) -> Any:
    async with route.asked(
        world.database,
        path,
        lambda pool: limits.routes(LimitReader(pool, reader), ControlReader(pool, reader)),
    ) as get:
        return await get(key)


async def test_a_tenants_key_sees_its_own_limits_and_a_platform_key_with_read_all(
    limited: Any, reader: Any
) -> None:
    for key, status in ((None, 401), ("nonsense", 401), (await limited.key(None, "send"), 403)):
        for path in ("/v1/limits", "/v1/limits/1"):
            assert (await ask(limited, reader, path, key)).status_code == status
    platform = await limited.key(None, "read")
    own = (await ask(limited, reader, "/v1/limits?owner=guard", limited.tenant_keys["acme"])).json()["items"]
    every = (await ask(limited, reader, "/v1/limits?owner=guard", platform)).json()["items"]
    assert [item["tenant"] for item in own] == ["acme"]
    assert {item["tenant"] for item in every} == {"acme", "zen"}
    of_zen = next(item for item in every if item["tenant"] == "zen")
    hidden = await ask(limited, reader, f"/v1/limits/{of_zen['id']}", limited.tenant_keys["acme"])
    assert (hidden.status_code, hidden.json()["code"]) == (404, "no-such-limit")
    assert (
        await ask(limited, reader, "/v1/limits?tenant=zen", limited.tenant_keys["acme"])
    ).status_code == 404
    shown = await ask(limited, reader, f"/v1/limits/{of_zen['id']}", limited.tenant_keys["zen"])
    assert shown.json() == of_zen


async def test_a_limit_says_what_is_used_and_what_waits_or_would(limited: Any, reader: Any) -> None:
    platform = await limited.key(None, "read")
    every = (await ask(limited, reader, "/v1/limits?owner=guard", platform)).json()["items"]
    by_tenant = {item["tenant"]: item for item in every}
    acme, zen = by_tenant["acme"], by_tenant["zen"]
    assert (acme["used"], acme["left"], acme["waiting"], acme["would_have_held"]) == (500, 0, 3, 0)
    assert acme["sentence"].startswith(
        "500 mails an hour of acme/newsletter: used up. 3 mails wait, and can leave from "
    )
    assert (zen["used"], zen["waiting"], zen["would_have_held"]) == (500, 0, 70)
    assert "it would have held 70 mails" in zen["sentence"]


async def test_limits_of_a_lane_are_asked_for_with_its_tenant(limited: Any, reader: Any) -> None:
    platform = await limited.key(None, "read")
    path = "/v1/limits?owner=guard&type=newsletter"
    assert (await ask(limited, reader, path, platform)).json()["errors"][0]["field"] == "tenant"
    found = (await ask(limited, reader, path + "&tenant=zen", platform)).json()["items"]
    assert [item["tenant"] for item in found] == ["zen"]
    mine = (await ask(limited, reader, path, limited.tenant_keys["acme"])).json()["items"]
    assert [item["tenant"] for item in mine] == ["acme"]
    assert (await ask(limited, reader, "/v1/limits?tenant=zen&type=none", platform)).status_code == 404
