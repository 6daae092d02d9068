"""IP pools over HTTP: made, shown with their volumes, given an owner; and plans that put mail in and take it out."""

from typing import Any

from mailcordon.adapters.db import alarm_facts, engine
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.pool_store import PoolStore
from mailcordon.control import desired
from mailcordon.control.alarms import Alarms, Others
from mailcordon.control.ip_pools import IpPools
from mailcordon.control.plans import Plans
from mailcordon.control.status_facts import Facts

JOIN = {
    "steps": [
        {"kind": "set-topology", "tenant": "acme", "to": "dedicated one"},
        {"kind": "set-pool", "tenant": "acme", "to": "marketing bulk"},
    ],
    "because": "volume",
}
SETTINGS = desired.Settings(outcome_topic_arn="arn:o", engagement_topic_arn="arn:e", local=True)


async def pool(world: Any, name: str) -> dict[str, Any]:
    found = await world.ask(("GET", f"/v1/pools/{name}", None), await world.key(None, "read"))
    assert found.status_code == 200, found.text
    return found.json()


async def test_a_pool_is_made_here_and_wanted_at_ses(world: Any) -> None:
    admin = await world.key(None, "admin")
    body = {
        "name": "receipts",
        "mail": "transactional",
        "managed": False,
        "owner": "ops",
        "because": "known IPs",
    }
    made = await world.ask(("POST", "/v1/pools", body), admin)
    assert made.status_code == 201, made.text
    item = made.json()
    assert (item["owner"], item["minimum"], item["state"], item["addresses"]) == (
        "ops",
        1000,
        "pending",
        None,
    )
    wanted = await world.owner.fetchval(
        "select desired ->> 'mode' from ses_resource where kind = 'ip-pool' and name = 'receipts'"
    )
    assert wanted == "STANDARD"
    again = await world.ask(("POST", "/v1/pools", body), admin)
    assert (again.status_code, again.json()["code"]) == (409, "pool-exists")
    audit = await world.owner.fetchrow("select action, because from audit order by id desc limit 1")
    assert tuple(audit) == ("pool.create", "known IPs")


async def test_a_name_of_ses_and_a_pool_without_an_owner_are_refused(world: Any) -> None:
    admin = await world.key(None, "admin")
    body = {
        "name": "ses-mine",
        "mail": "marketing",
        "managed": True,
        "owner": " ",
        "minimum": -1,
        "because": "x",
    }
    found = await world.ask(("POST", "/v1/pools", body), admin)
    assert found.status_code == 422
    assert {fault["field"] for fault in found.json()["errors"]} == {"name", "owner", "minimum"}


async def test_a_new_owner_is_recorded_with_the_reason(world: Any) -> None:
    admin = await world.key(None, "admin")
    change = {"owner": "mail team", "escalation": "page oncall", "because": "ops was split"}
    found = await world.ask(("PATCH", "/v1/pools/bulk", change), admin)
    assert (found.json()["owner"], found.json()["escalation"]) == ("mail team", "page oncall")
    row = await world.owner.fetchrow(
        "select before, after from audit where action = 'pool.change' order by id desc limit 1"
    )
    assert '"owner": "ops"' in row["before"]
    empty = await world.ask(("PATCH", "/v1/pools/bulk", {"because": "x"}), admin)
    assert empty.status_code == 422


async def test_a_tenant_of_the_shared_sets_gets_its_own_in_the_plan_that_puts_it_into_a_pool(
    world: Any,
) -> None:
    admin = await world.key(None, "admin", "read")
    found = await world.ask(
        ("POST", "/v1/pools/bulk/members", {"tenant": "acme", "because": "volume"}), admin
    )
    assert found.status_code == 201, found.text
    plan = found.json()
    assert [step["kind"] for step in plan["steps"]] == ["set-topology", "set-pool"]
    assert [step["to"] for step in plan["steps"]] == ["dedicated one", "marketing bulk"]
    assert (await pool(world, "bulk"))["members"][0]["tenant"] == "zen", "a plan changes nothing"
    applied = await world.ask(("POST", f"/v1/plans/{plan['id']}/apply", {"because": "volume"}), admin)
    assert applied.status_code == 200, applied.text
    members = {each["tenant"]: each for each in (await pool(world, "bulk"))["members"]}
    assert (members["acme"]["because"], members["acme"]["class"], members["acme"]["at_ses"]) == (
        "volume",
        "marketing",
        False,
    )
    back = await world.ask(
        ("POST", "/v1/pools/bulk/members/remove", {"tenant": "acme", "because": "small"}), admin
    )
    assert [step["to"] for step in back.json()["steps"]] == ["marketing ses-shared-pool"]


async def test_a_tenant_that_is_not_in_a_pool_cannot_be_taken_out(world: Any) -> None:
    admin = await world.key(None, "admin")
    found = await world.ask(
        ("POST", "/v1/pools/bulk/members/remove", {"tenant": "acme", "because": "x"}), admin
    )
    assert (found.status_code, found.json()["code"]) == (404, "not-in-pool")


async def test_the_week_counts_days_after_the_members_joined_and_says_what_is_wrong(world: Any) -> None:
    await world.owner.execute("update ip_pool_member set since = now_ms() - 9 * 86400000::bigint")
    for day, provider, sent in ((0, 1, 9_000), (1, 1, 700), (2, 1, 700), (2, 0, 5_000), (8, 1, 90_000)):
        await world.owner.execute(
            "insert into cohort_day (day, lane, provider, tenant, sent)"
            " select now_ms() / 86400000 - $1::int, l.id, $2, l.tenant, $3"
            " from lane l join tenant t on t.id = l.tenant where t.slug = 'zen' and l.class = 2 order by l.id limit 1",
            day,
            provider,
            sent,
        )
    found = await pool(world, "bulk")
    weeks = {week["provider"]: (week["days"], week["sent"]) for week in found["weeks"]}
    assert weeks == {"gmail": (7, 1_400), "other": (7, 5_000)}, "neither today nor the day before the week"
    assert [(each["code"], each["provider"]) for each in found["troubles"]] == [
        ("pool-below-minimum", "gmail")
    ]
    await world.owner.execute("update ip_pool_member set since = now_ms() - 1 * 86400000::bigint")
    fresh = await pool(world, "bulk")
    assert fresh["troubles"] == [], "a pool that has just begun is not judged yet"


async def test_a_pool_goes_once_nothing_uses_it_and_what_uses_it_is_named(world: Any) -> None:
    admin = await world.key(None, "admin", "read")
    delete = ("DELETE", "/v1/pools/bulk?because=small", None)

    async def refused() -> str:
        answer = await world.ask(delete, admin)
        assert (answer.status_code, answer.json()["code"]) == (409, "pool-in-use"), answer.text
        return answer.json()["detail"]

    assert "mail of zen is in it" in await refused()
    await world.owner.execute("update ip_pool_member set ended_at = now_ms(), ended_by = 'ann'")
    plan = await world.ask(("POST", "/v1/plans", JOIN), admin)
    assert plan.status_code == 201, plan.text
    number = plan.json()["id"]
    assert f"the open plan {number} puts mail into it" in await refused()
    await world.ask(("POST", f"/v1/plans/{number}/reject", {"because": "no"}), admin)
    for use, no_use, said in (
        (
            "update route set ip_pool = 'bulk' where lane = (select min(lane) from route)",
            "update route set ip_pool = null",
            "routes of ",
        ),
        (
            "insert into shared_path (name, domain, ses_tenant, ip_pool) values ('main', 'x.example', 'x', 'bulk')",
            "delete from shared_path where name = 'main'",
            "the shared path main names it",
        ),
        (
            "insert into ses_resource (kind, name, phase, desired, observed, work) values"
            """ ('configuration-set', 'left', 1, '{}', '{"sending_pool": "bulk"}', 'scan')""",
            "delete from ses_resource where name = 'left'",
            "on the set left",
        ),
    ):
        await world.owner.execute(use)
        assert said in await refused()
        await world.owner.execute(no_use)
    await world.owner.execute(
        "insert into ip_pool_trouble (pool, code, sentence, next) values ('bulk', 'pool-empty', 'x', 'x')"
    )
    gone = await world.ask(delete, admin)
    assert (gone.status_code, gone.json()["name"]) == (200, "bulk"), gone.text
    again = await world.ask(delete, admin)
    assert (again.status_code, again.json()["code"]) == (404, "no-such-pool")
    row = await world.owner.fetchrow("select before, because from audit where action = 'pool.delete'")
    assert ('"owner": "ops"' in row["before"], row["because"]) == (True, "small")
    assert await world.owner.fetchval("select pool from ip_pool_member") == "bulk", (
        "who was in it stays known"
    )


async def test_a_standard_pool_with_leased_addresses_stays(world: Any) -> None:
    """Without it, SES would send mail of every set without a pool from them."""
    admin = await world.key(None, "admin", "read")
    body = {
        "name": "receipts",
        "mail": "transactional",
        "managed": False,
        "owner": "ops",
        "because": "known IPs",
    }
    await world.ask(("POST", "/v1/pools", body), admin)
    delete = ("DELETE", "/v1/pools/receipts?because=small", None)
    seen = "update ses_resource set observed = $1::jsonb where kind = 'ip-pool' and name = 'receipts'"
    await world.owner.execute(seen, '{"mode": "STANDARD", "ips": [{"Ip": "198.51.100.1"}]}')
    answer = await world.ask(delete, admin)
    assert (answer.status_code, answer.json()["code"]) == (409, "pool-has-addresses")
    assert "198.51.100.1" in answer.json()["detail"]
    await world.owner.execute(seen, '{"mode": "STANDARD", "ips": []}')
    assert (await world.ask(delete, admin)).status_code == 200
    wanted = "select wanted from ses_resource where kind = 'ip-pool' and name = 'receipts'"
    assert await world.owner.fetchval(wanted) is False
    assert (await world.ask(("POST", "/v1/pools", body), admin)).status_code == 201
    assert await world.owner.fetchval(wanted) is True


async def test_what_is_wrong_with_a_pool_is_an_alarm_until_it_is_over(world: Any) -> None:
    control = await engine.create_pool(world.database.dsn("control"))
    plans = Plans(PlanStore(control), world.governor, SETTINGS)
    pools = IpPools(PoolStore(control), plans)

    async def alarms() -> list[Any]:
        await pools.watch()
        async with control.acquire() as conn:
            found = await alarm_facts.pool_troubles(conn)
        return [one for one in Alarms().of(Facts(now=10, **found), Others()) if one.cause.startswith("pool:")]

    await world.owner.execute("update ip_pool_member set since = now_ms() - 9 * 86400000::bigint")
    first = await alarms()
    assert [(one.kind, one.cause, one.command) for one in first] == [
        ("rates", "pool:bulk", "mailcordon pool show bulk")
    ]
    assert "(owner: ops) sent nothing in the last week" in first[0].sentence
    since = await world.owner.fetchval("select since from ip_pool_trouble")
    await alarms()
    assert await world.owner.fetchval("select since from ip_pool_trouble") == since, "it lasts"
    await world.owner.execute("update ip_pool_member set ended_at = now_ms(), ended_by = 'ann'")
    assert await alarms() == []
    await control.close()
