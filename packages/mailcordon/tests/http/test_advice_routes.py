"""Advice over HTTP, from the counts of a real database: what it says, and the plan that follows it."""

from typing import Any

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.advice_store import AdviceStore
from mailcordon.adapters.http import shapes
from mailcordon_fixtures.plans import rows_read


async def send(world: Any, slug: str, class_: int, mails: int, *, days: int = 42, blocks: int = 0) -> None:
    await world.owner.execute(
        "insert into cohort_day (day, lane, provider, tenant, sent, sender_reputation)"
        " select now_ms() / 86400000 - n, l.id, 1, l.tenant, $3, $4 from generate_series(1, $5::int) n,"
        " (select l.* from lane l join tenant t on t.id = l.tenant where t.slug = $1 and l.class = $2 order by l.id limit 1) l",
        slug,
        class_,
        mails,
        blocks,
        days,
    )
    await world.owner.execute("delete from cohort_lane; delete from cohort_fleet")
    await world.owner.execute(
        "insert into cohort_lane (span, minute, lane, isolated, tenant, sent, sender_reputation)"
        " select b.span, d.day * 1440 - d.day * 1440 % b.span, d.lane, false, d.tenant, sum(d.sent), sum(d.sender_reputation)"
        " from cohort_day d cross join (values (1440), (10080), (40320)) b (span) group by 1, 2, 3, 5"
    )
    await world.owner.execute(
        "insert into cohort_fleet (span, minute, type, provider, sent, sender_reputation)"
        " select 1440, d.day * 1440, l.type, d.provider, sum(d.sent), sum(d.sender_reputation)"
        " from cohort_day d join lane l on l.id = d.lane group by 2, 3, 4"
    )


async def test_mail_that_others_hurt_is_advised_into_a_pool_and_the_plan_does_it(world: Any) -> None:
    await send(world, "acme", 2, 4_000, blocks=120)
    await send(world, "zen", 2, 50_000, blocks=2_500)
    admin = await world.key(None, "admin", "read")
    await world.owner.execute("update ip_pool set managed = false")
    found = await world.ask(("GET", "/v1/tenants/acme/advice", None), admin)
    assert found.status_code == 200, found.text
    advice = {item["decision"]: item for item in found.json()["items"]}
    assert [item["change"] for item in advice.values()] == [False, True, True]
    ip = advice["ip"]
    assert "Let the marketing mail of acme leave from a standard pool of 1 address." in ip["says"]
    assert (ip["cost"]["monthly"], ip["cost"]["days"]) == (24.95, 45)
    assert ip["cost"]["calls"] > 0
    assert ip["evidence"][0] == "marketing: 4,000 mails a day over 42 days, with mail on 100% of them"
    made = await world.ask(("POST", "/v1/tenants/acme/advice/ip/plan", {"because": "blocks"}), admin)
    assert made.status_code == 201, made.text
    assert [step["to"] for step in made.json()["steps"]] == ["dedicated one", "marketing bulk"]
    assert len(made.json()["calls"]) == ip["cost"]["calls"]


async def test_others_mail_is_the_same_from_either_part_of_the_lanes(world: Any) -> None:
    await send(world, "acme", 2, 4_000)
    await send(world, "zen", 2, 50_000, blocks=500)
    await world.owner.execute("update route set ip_pool = null")
    pool = await engine.create_pool(world.database.dsn("control"))
    try:
        # First zen has most lanes, so that the sums of all are read; then acme has as many, and zen's lanes are read.
        for slug in ("zen", "acme"):
            await world.owner.execute(
                "insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend)"
                " select t.id, y.id, y.class, u.id, 1000, 1000, false from tenant t cross join message_type y"
                " join turn u on u.tenant = t.id and u.class = y.class"
                " where t.slug = $1 and not exists (select from lane l where l.tenant = t.id and l.type = y.id)",
                slug,
            )
            facts = await AdviceStore(pool).facts("acme")
            assert facts is not None
            assert [(one.sent, one.blocks) for one in facts.others.values()] == [(14 * 50_000, 14 * 500)], (
                slug
            )
    finally:
        await pool.close()


async def count(world: Any) -> None:
    pool = await engine.create_pool(world.database.dsn("control"))
    try:
        await AdviceStore(pool).count_senders()
    finally:
        await pool.close()


async def test_the_fleet_names_the_riskiest_first(world: Any) -> None:
    await send(world, "acme", 2, 1_000, blocks=100, days=28)
    await send(world, "zen", 2, 1_000, days=28)
    read = await world.key(None, "read")
    await count(world)
    found = await world.ask(("GET", "/v1/advice", None), read)
    assert found.status_code == 200, found.text
    first, second, *_ = found.json()["items"]
    assert (first["tenant"], first["mails"], first["risk"], first["bad_share"]) == ("acme", 28_000, 2.0, 0.1)
    assert (second["tenant"], second["mails"], second["risk"]) == ("zen", 28_000, 0.0)
    assert found.json()["next"] is None
    page = (await world.ask(("GET", "/v1/advice?limit=1", None), read)).json()
    assert ([one["tenant"] for one in page["items"]], page["next"]) == (["acme"], "1")
    assert page["tenants"] == found.json()["tenants"] == len(found.json()["items"])
    page = (await world.ask(("GET", "/v1/advice?limit=1&after=1", None), read)).json()
    assert [one["tenant"] for one in page["items"]] == ["zen"]
    assert (await world.ask(("GET", f"/v1/advice?after={2**62}", None), read)).json()["items"] == []
    assert "month.identity" in found.json()["unknown"]
    assert found.json()["unchecked"] == [], "no mail leaves from managed addresses"


async def test_the_fleet_is_as_it_was_counted_and_says_when(world: Any) -> None:
    read = await world.key(None, "read")
    found = (await world.ask(("GET", "/v1/advice", None), read)).json()
    assert (found["counted_at"], found["tenants"], found["items"], found["next"]) == (None, 0, [], None)
    await send(world, "acme", 2, 1_000, days=28)
    await count(world)
    before = await world.owner.fetchval("select now_ms()")
    first = (await world.ask(("GET", "/v1/advice", None), read)).json()
    assert shapes.time("counted_at", first["counted_at"]) <= before
    await send(world, "zen", 2, 50_000, days=28)
    assert (await world.ask(("GET", "/v1/advice", None), read)).json() == first
    await count(world)
    later = (await world.ask(("GET", "/v1/advice", None), read)).json()
    assert {one["tenant"]: one["mails"] for one in later["items"]} == {"acme": 28_000, "zen": 1_400_000}
    assert shapes.time("counted_at", later["counted_at"]) >= before


async def test_addresses_of_a_pool_are_divided_by_its_mail(world: Any) -> None:
    await send(world, "acme", 2, 3_000, days=28)
    await send(world, "zen", 2, 1_000, days=28)
    await world.owner.execute(
        "update ip_pool set managed = false; delete from ip_pool_member;"
        "insert into ses_resource (kind, name, phase, desired, observed)"
        " select 'ip-pool', name, 0, '{}', '{\"ips\": [1, 2, 3, 4]}' from ip_pool where name = 'bulk'"
        " on conflict (kind, name) do update set observed = excluded.observed;"
        "insert into ip_pool_member (pool, marketing, tenant, class, since, added_by, because)"
        " select 'bulk', true, id, 2, 0, 'ann', 'because' from tenant where slug in ('acme', 'zen')"
    )
    await count(world)
    rows = await world.owner.fetch(
        "select slug, addresses from advice_tenant a join tenant t on t.id = a.tenant"
    )
    assert {row["slug"]: row["addresses"] for row in rows} == {"acme": 3.0, "zen": 1.0}


async def test_a_page_of_the_fleet_reads_its_own_rows(world: Any) -> None:
    """Whatever the number of tenants and their mail."""
    statements = queries.load("advice_store.sql")
    await world.owner.execute(
        "insert into tenant (key, slug) select 'mc-' || lpad(n::text, 10, '0'), 'more-' || n from generate_series(1, 2000) n"
    )
    await count(world)
    await world.owner.execute("analyze")
    assert len(await world.owner.fetch(statements.counted)) == 1
    assert await rows_read(world.owner, statements.senders, "int, int", 100, 50) == 100, (
        "and its tenant of each"
    )


async def test_an_unknown_tenant_or_decision_is_not_found(world: Any) -> None:
    admin = await world.key(None, "admin", "read")
    assert (await world.ask(("GET", "/v1/tenants/nobody/advice", None), admin)).status_code == 404
    asked = ("POST", "/v1/tenants/acme/advice/weather/plan", {"because": "x"})
    assert (await world.ask(asked, admin)).json()["code"] == "no-such-decision"
