"""GET /v1/lanes/map: who may read it, what comes first, and what is counted."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.lane_map_reader import LaneMapReader
from mailcordon.adapters.http import lane_map, server
from mailcordon.control.key_cache import KeyCache

Ask = Callable[..., Any]


@pytest.fixture
async def ask(world: Any) -> AsyncIterator[Ask]:
    pool = await engine.create_pool(world.database.dsn("control"))
    app = server.application(KeyCache(KeyStore(pool)), lane_map.routes(LaneMapReader(pool)))
    transport = httpx.ASGITransport(app)  # pyright: ignore[reportArgumentType]
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:

        async def get(key: str | None, **query: Any) -> Any:
            headers = {} if key is None else {"Authorization": f"Bearer {key}"}
            return await client.get("/v1/lanes/map", params=query, headers=headers)

        yield get
    await pool.close()


async def sent(world: Any, slug: str, type: str, mails: int, bounced: int = 0, ago: int = 0) -> None:
    """So many minutes ago."""
    await world.owner.execute(
        "insert into cohort_lane (span, minute, lane, isolated, tenant, sent, hard_bounced)"
        " select 360, m - m % 360, l.id, true, l.tenant, $3, $4 from (select (now_ms() / 60000 - $5::int)::int as m) n, lane l"
        " join tenant e on e.id = l.tenant join message_type t on t.id = l.type where e.slug = $1 and t.name = $2",
        *(slug, type, mails, bounced, ago),
    )


async def more_lanes(world: Any, count: int) -> None:
    """Of zen, of types of their own."""
    await world.owner.execute(
        "with t as (insert into message_type (name, class, criticality, description) select 'receipt-' || n, 1, 1, 'x'"
        " from generate_series(1, $1) n returning id)"
        " insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend)"
        " select l.tenant, t.id, l.class, l.turn, l.expiry_ms, l.grace_ms, l.resend from t, lane l"
        " join tenant e on e.id = l.tenant where e.slug = 'zen'",
        count,
    )


async def lanes(world: Any) -> list[tuple[str, str]]:
    rows = await world.owner.fetch(
        "select e.slug, t.name from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type"
        " where l.retired_at is null and not l.observed order by 1, 2"
    )
    return [(row["slug"], row["name"]) for row in rows]


def names(answer: Any) -> list[tuple[str, str]]:
    assert answer.status_code == 200, answer.text
    return [(one["tenant"], one["type"]) for one in answer.json()["items"]]


async def test_only_a_platform_key_that_may_read_sees_the_map(world: Any, ask: Ask) -> None:
    for key in (None, "nonsense"):
        assert (await ask(key)).status_code == 401
    answer = await ask(world.tenant_keys["acme"])
    assert (answer.status_code, answer.json()["code"]) == (403, "platform-only")
    assert "newsletter" not in answer.text
    answer = await ask(await world.key(None, "send", "operate", "admin"))
    assert (answer.status_code, answer.json()["code"]) == (403, "scope-missing")
    assert (await ask(await world.key(None, "read"))).status_code == 200


async def test_lanes_that_are_not_open_come_first_then_those_with_the_most_mail(world: Any, ask: Ask) -> None:
    key = await world.key(None, "read")
    await more_lanes(world, 3)
    every = await lanes(world)
    *rest, throttled, held = every
    await world.owner.execute("update hold set lifted_at = now_ms() where lifted_at is null")
    await world.owner.execute("update lane set held = false, stopped = false")
    for place, (slug, type) in enumerate(rest):
        await sent(world, slug, type, 100 * (place + 1))
    await world.owner.execute(
        "update lane set held = true where id = (select l.id from lane l join tenant e on e.id = l.tenant join message_type t"
        " on t.id = l.type where e.slug = $1 and t.name = $2)",
        *held,
    )
    await world.owner.execute(
        "insert into hold (tenant, lane, stops, rate, owner, because, by, since)"
        " select l.tenant, l.id, false, 1, 'person', 'x', 'x', 1"
        " from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type where e.slug = $1 and t.name = $2",
        *throttled,
    )
    assert names(await ask(key)) == [held, throttled, *reversed(rest)]
    found = (await ask(key, limit=2)).json()
    assert found["states"] == {"open": len(rest), "throttled": 1, "stopped": 0, "held": 1}
    assert found["left_out"] == len(rest)
    assert [one["state"] for one in found["items"]] == ["held", "throttled"]
    assert names(await ask(key, state="held")) == [held]
    assert (await ask(key, state="open", limit=1)).json()["left_out"] == len(rest) - 1
    assert names(await ask(key, sort="volume"))[: len(rest)] == list(reversed(rest))
    assert names(await ask(key, sort="name")) == every
    assert names(await ask(key, sort="name", tenant="acme")) == [one for one in every if one[0] == "acme"]
    assert (await ask(key, state="stopped")).json()["items"] == []
    assert set((await ask(key, **{"class": "urgent"})).json()["states"].values()) == {0}


async def test_mail_of_two_days_ago_does_not_count(world: Any, ask: Ask) -> None:
    (slug, type), other = (await lanes(world))[:2]
    await sent(world, slug, type, 10, bounced=3)
    await sent(world, slug, type, 5, ago=1_440)
    await sent(world, slug, type, 1_000, ago=2_880)
    await sent(world, *other, 500)
    items = (await ask(await world.key(None, "read"), sort="bounces")).json()["items"]
    assert (items[0]["tenant"], items[0]["type"], items[0]["sent"], items[0]["hard_bounced"]) == (
        slug,
        type,
        15,
        3,
    )


async def test_what_is_no_tenant_state_or_order_is_refused(world: Any, ask: Ask) -> None:
    key = await world.key(None, "read")
    assert (await ask(key, tenant="nobody")).status_code == 404
    assert (await ask(key, tenant="a\x00")).status_code in (404, 422)
    for query in ({"state": "gone"}, {"sort": "x"}, {"class": "x\x00"}, {"limit": 1_001}, {"limit": 0}):
        assert (await ask(key, **query)).status_code == 422, query
