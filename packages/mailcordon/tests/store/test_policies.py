"""Policies on a real PostgreSQL: plans that change nothing until they are applied, and what applies to each lane from then on."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from mailcordon.adapters.db import connection_pool, policy_rows
from mailcordon.adapters.db.lane_policy_row import policy_of
from mailcordon.adapters.db.limit_store import LimitStore
from mailcordon.adapters.db.policy_store import PolicyStore, StoredTransaction
from mailcordon.adapters.db.tenant_facts import PostgresFacts
from mailcordon.adapters.db.upkeep_store import UpkeepStore
from mailcordon.control.policies import Policies
from mailcordon.control.tenant_facts import FactKeeper
from mailcordon.control.upkeep import Purged
from mailcordon.core.errors import Conflict, Invalid, NotFound
from mailcordon.core.limit import Limit, Mode
from mailcordon.core.priority import Class
from mailcordon.guard.policy.effective import LanePolicy

from .test_control_onboarding import World, opened

CopyOf = Callable[..., contextlib.AbstractAsyncContextManager[Any]]

STRICT = {"tenants": {"acme": {"tier": "strict", "because": "its first list bounced"}}}
CAPPED: dict[str, Any] = {
    "tenants": {
        "acme": {
            "because": "asked for",
            "types": {"newsletter": {"caps": {"lane": {"day": {"mails": 4000, "mode": "enforce"}}}}},
        }
    }
}


@pytest.fixture(scope="module")
def onboarded(copy_of: CopyOf, template: Any) -> Any:
    """A database in which acme is a tenant; each test gets a copy."""

    async def make() -> Any:
        async with copy_of(template.database, keep=True) as database:
            async with opened(database) as world:
                await world.onboard()
            return database

    return asyncio.run(make())


@pytest.fixture
async def world(copy_of: CopyOf, onboarded: Any) -> AsyncIterator[World]:
    async with copy_of(onboarded) as database, opened(database) as world:
        yield world


def policies(world: World) -> Policies:
    return Policies(PolicyStore(world.control))


async def lane_policy(world: World, slug: str, type: str) -> LanePolicy:
    row = await world.owner.fetchrow(
        "select l.class, p.document from lane l join tenant e on e.id = l.tenant join message_type t on t.id = l.type"
        " left join lane_policy p on p.lane = l.id where e.slug = $1 and t.name = $2",
        slug,
        type,
    )
    assert row is not None
    assert row["document"] is not None, "the lane has no row"
    return policy_of(row["document"], Class(row["class"]))


async def limits(world: World, slug: str = "acme", owner: str | None = None) -> list[Limit]:
    id = await world.owner.fetchval("select id from tenant where slug = $1", slug)
    return list(await LimitStore(world.control).list(id, owner))


async def applied(world: World, given: dict[str, Any]) -> int:
    made = await policies(world).make(given, actor="ann", because="asked")
    assert made.id is not None
    done = await policies(world).apply(made.id, actor="bob")
    assert done.version is not None
    return done.version


# Plans -------------------------------------------------------------------------------------------------------------------


async def test_a_plan_shows_what_would_change_and_changes_nothing(world: World) -> None:
    before = await limits(world), await lane_policy(world, "acme", "newsletter")
    made = await policies(world).make(STRICT, actor="ann", because="bounces")
    assert (made.state, made.base, made.made_by, made.because) == ("proposed", 0, "ann", "bounces")
    assert made.changes[0].path == "breaker.sensitivity"
    assert made.changes[0].sentence == (
        "breaker.sensitivity: 1 -> 0.1 for acme/newsletter and acme/password-reset"
        " (tier strict: stops ten times as readily: harm costs more than a false stop)"
    )
    assert (await limits(world), await lane_policy(world, "acme", "newsletter")) == before
    assert (await policies(world).in_force())[0].version == 0


async def test_applying_writes_what_changes_at_once_and_a_new_version_removes_what_it_leaves_out(
    world: World,
) -> None:
    assert await applied(world, CAPPED) == 1
    newsletter = await lane_policy(world, "acme", "newsletter")
    assert (newsletter.version, newsletter.caps[0].mails) == (1, 4000)
    (cap,) = [one for one in await limits(world, owner="policy") if one.cap == 4000]
    assert (cap.mode, cap.because) == (
        Mode.ENFORCE,
        "lane acme/newsletter: the policy says so, without a reason",
    )
    found, plan = await policies(world).in_force()
    assert (found.version, found.document) == (1, CAPPED)
    assert plan is not None
    assert (plan.state, plan.decided_by) == ("applied", "bob")
    row = await world.owner.fetchrow("select * from audit where action = 'policy.apply'")
    assert row is not None
    assert (row["actor"], json.loads(row["after"])) == ("bob", {"plan": plan.id, "lanes": 1})
    # A lane whose policy stays keeps its row.
    assert (await lane_policy(world, "acme", "password-reset")).version == 0
    # The same document again is no plan.
    again = await policies(world).make(CAPPED, actor="ann")
    assert (again.id, list(again.changes)) == (None, [])
    await applied(world, {"tenants": {}})
    assert [one.cap for one in await limits(world, owner="policy")] == [
        5
    ]  # the built-in stop of runaway loops
    assert (await lane_policy(world, "acme", "newsletter")).caps == ()


async def test_of_two_plans_the_second_is_outdated_and_told_by_whom(world: World) -> None:
    first = await policies(world).make(STRICT, actor="ann")
    second = await policies(world).make(CAPPED, actor="zoe")
    assert first.id is not None
    assert second.id is not None
    await policies(world).apply(second.id, actor="zoe")
    with pytest.raises(Conflict, match="zoe has applied version 1 of the policy since"):
        await policies(world).apply(first.id, actor="ann")
    with pytest.raises(Conflict, match=f"Plan {second.id} of the policy was applied by zoe already"):
        await policies(world).apply(second.id, actor="zoe")
    assert (await policies(world).get(first.id)).state == "outdated"


async def test_a_plan_that_was_computed_while_another_was_applied_is_outdated(world: World) -> None:
    await applied(world, CAPPED)
    late = await PolicyStore(world.control).insert(0, STRICT, [], actor="ann", because=None)
    with pytest.raises(Conflict, match="bob has applied version 1"):
        await policies(world).apply(late, actor="ann")
    assert (await policies(world).in_force())[0].version == 1


async def more_tenants(world: World, count: int) -> list[int]:
    """Tenants with a lane each and no policy, as after an upgrade. Returns their ids."""
    rows = await world.owner.fetch(
        "with t as (insert into tenant (key, slug) select 'mc-' || lpad(n::text, 10, '0'), 'more-' || n"
        "           from generate_series(1, $1) n returning id),"
        " u as (insert into turn (tenant, class) select id, 2 from t returning id, tenant)"
        " insert into lane (tenant, type, class, turn, expiry_ms, grace_ms, resend)"
        " select u.tenant, y.id, 2, u.id, 86400000, 60000, true from u join message_type y on y.name = 'newsletter'"
        " returning tenant",
        count,
    )
    return sorted(row["tenant"] for row in rows)


async def test_a_version_for_many_tenants_goes_on_where_it_stopped_and_the_next_one_takes_over(
    world: World,
) -> None:
    await more_tenants(world, 2)
    await policies(world).keep()
    store = PolicyStore(world.control)

    async def capped() -> list[str]:
        query = "select distinct e.slug from send_limit s join tenant e on e.id = s.tenant where s.cap = 4000"
        return sorted(row["slug"] for row in await world.owner.fetch(query))

    plan = {"classes": {"marketing": {"caps": {"lane": {"day": 4000}}}}}
    made = await policies(world).make(plan, actor="ann")
    assert made.id is not None
    tenants = [row["id"] for row in await world.owner.fetch("select id from tenant order by id")]
    async with store.changing() as transaction:
        await transaction.apply(made.id, 1, tenants, 3, actor="ann", because=None)
        assert await transaction.write_next(1)
    # Whoever applied it dies here. It is in force, and whoever asks is told who does not have it yet.
    assert await capped() == ["acme"]
    assert (await policies(world).get(made.id)).tenants_left == 2
    assert (await policies(world).in_force())[0].version == 1
    # A tenant that is made meanwhile has it at once.
    await world.onboard("zen", {"newsletter": "news.zen.example"})
    assert await capped() == ["acme", "zen"]
    # The next version changes one tenant; those that wait get it too.
    await applied(world, {**plan, "tenants": {"zen": {"tier": "strict", "because": "bounced"}}})
    assert await capped() == ["acme", "more-1", "more-2", "zen"]
    assert [one.tenants_left for one in await policies(world).newest()] == [0, 0]
    # So does the control role, if nobody applies another one.
    late = await policies(world).make({}, actor="ann")
    assert late.id is not None
    tenants = [row["id"] for row in await world.owner.fetch("select id from tenant order by id")]
    async with store.changing() as transaction:
        await transaction.apply(late.id, 3, tenants, 4, actor="ann", because=None)
    assert await capped() == ["acme", "more-1", "more-2", "zen"]
    await policies(world).keep()
    assert await capped() == []
    assert (await policies(world).get(late.id)).tenants_left == 0


async def test_the_number_of_statements_does_not_grow_with_the_number_of_tenants(world: World) -> None:
    made = await policies(world).make({"default_tier": "strict"}, actor="ann")
    assert made.id is not None
    many = await more_tenants(world, 40)
    async with connection_pool.transaction(world.control) as conn:
        await StoredTransaction(conn).apply(made.id, 1, many, 40, actor="ann", because=None)
        counts: list[int] = []
        for tenants in (many[:1], many[1:3], many[3:]):
            said: list[str] = []
            await conn.execute("update policy_version set unwritten = $1 where version = 1", tenants)
            with conn.query_logger(lambda record, said=said: said.append(record.query)):
                await policy_rows.write_next(conn, 100)
            counts.append(len(said))
        written = await conn.fetchval("select count(*) from lane_policy where document ->> 'tier' = 'strict'")
    assert written == 40
    # The first time the driver asks for types as well.
    assert counts[1] == counts[2] <= 15, counts


async def test_a_rejected_plan_changes_nothing_and_one_that_names_nobody_is_none(world: World) -> None:
    with pytest.raises(Invalid) as raised:
        await policies(world).make({"tenants": {"nobody": "strict"}}, actor="ann")
    assert [fault.field for fault in raised.value.faults] == ["tenants.nobody"]
    made = await policies(world).make(STRICT | {"tenants": {}, "default_tier": "strict"}, actor="ann")
    assert made.id is not None
    rejected = await policies(world).reject(made.id, actor="bob", because="not now")
    assert (rejected.state, rejected.decided_because) == ("rejected", "not now")
    assert await world.owner.fetchval("select count(*) from audit where action = 'policy.reject'") == 1
    with pytest.raises(Conflict):
        await policies(world).apply(made.id, actor="ann")
    with pytest.raises(NotFound):
        await policies(world).apply(9999, actor="ann")


async def test_versions_can_be_compared(world: World) -> None:
    await applied(world, STRICT)
    await applied(world, CAPPED)
    paths = {one.path for one in await policies(world).between(1, 2)}
    assert {"tier", "breaker.sensitivity", "caps.lane.day"} <= paths
    assert [one.path for one in await policies(world).between(0, 0)] == []
    with pytest.raises(NotFound):
        await policies(world).between(1, 3)


# Lanes that are made later -----------------------------------------------------------------------------------------------


async def test_a_new_lane_has_its_policy_and_limits_from_its_first_moment(world: World) -> None:
    await applied(world, CAPPED | {"default_tier": "strict"})
    await world.onboard("zen", {"login-code": "mail.zen.example"})
    found = await lane_policy(world, "zen", "login-code")
    assert (found.version, found.tier) == (1, "strict")
    caps = {(one.owner, one.scope, one.per): (one.cap, one.mode) for one in await limits(world, "zen")}
    assert caps == {
        ("policy", "recipient", "hour"): (5, Mode.ENFORCE),
        ("new-sender", "lane", "day"): (200, Mode.ENFORCE),
    }


async def test_another_lane_of_a_tenant_keeps_the_limits_of_the_first(world: World) -> None:
    await applied(world, CAPPED)
    await world.onboard("acme", {"invoice": "mail.acme.example"})
    assert sorted(one.cap for one in await limits(world)) == [5, 500, 500, 500, 4000]


async def test_lanes_of_an_older_version_get_theirs_from_the_control_process(world: World) -> None:
    await world.owner.execute(
        "delete from lane_policy; delete from send_limit; select default_limits(array(select id from lane))"
    )
    await policies(world).keep()
    assert (await lane_policy(world, "acme", "newsletter")).version == 0
    assert sorted(one.cap for one in await limits(world)) == [5, 500, 500]


async def test_a_policy_lifts_the_stop_of_runaway_loops_and_limits_each_key_also_a_new_one(
    world: World,
) -> None:
    await applied(world, {"tenants": {"acme": {"because": "bots", "caps": {"recipient": {"hour": None}}}}})
    assert [one.scope for one in await limits(world)] == ["lane", "lane"]
    await applied(world, {"tenants": {"acme": {"caps": {"key": {"hour": 70}}}}})
    assert [one.api_key is not None for one in await limits(world) if one.cap == 70] == [True]
    await world.keys.create(tenant="acme", name="second", scopes=["send"], actor="ann")
    await policies(world).keep()
    assert len([one for one in await limits(world) if one.cap == 70]) == 2


async def test_what_is_left_of_a_tenant_without_lanes_is_looked_after_no_more(world: World) -> None:
    await applied(world, {"tenants": {"acme": {"caps": {"key": {"hour": 70}}}}})
    await world.keys.create(tenant="acme", name="second", scopes=["send"], actor="ann")
    await world.owner.execute(
        "update lane set retiring_at = now(), retired_at = now(), retire_mail = 'drain', retired_with = 'lane'"
    )
    # As many tenants as one transaction has would be read again and again, without an end.
    async with asyncio.timeout(20):
        await PolicyStore(world.control).keep(1)


async def test_versions_that_are_long_past_are_deleted_but_not_those_in_force_and_plans_that_wait(
    world: World,
) -> None:
    for n in range(1, 5):
        await applied(world, {"tenants": {"acme": {"caps": {"tenant": {"hour": n}}}}})
    rejected = await policies(world).make(STRICT, actor="ann", because=None)
    assert rejected.id is not None
    await policies(world).reject(rejected.id, actor="bob", because="no")
    await world.owner.execute("update policy_version set decided_at = decided_at - 500 * 86400000::bigint")
    await world.owner.execute(
        "update lane_policy set version = 2 where lane = (select min(lane) from lane_policy)"
    )
    waiting = await policies(world).make(CAPPED, actor="ann", because=None)
    await world.owner.execute("update policy_version set made_at = 0")
    upkeep = UpkeepStore(world.control)
    while await upkeep.purge(Purged.POLICIES, 400 * 86_400_000, 1):
        pass
    rows = await world.owner.fetch("select id, version from policy_version order by id")
    assert [row["version"] for row in rows] == [2, 4, None]
    assert rows[-1]["id"] == waiting.id
    assert (await policies(world).make(CAPPED, actor="ann", because=None)).base == 4


# New senders -------------------------------------------------------------------------------------------------------------


async def sent(world: World, type: str, *mails: int) -> None:
    """On the days before today, the oldest first. The lane is older than that."""
    lane, tenant = await world.owner.fetchrow(  # pyright: ignore[reportGeneralTypeIssues]
        "select l.id, l.tenant from lane l join message_type t on t.id = l.type where t.name = $1", type
    )
    await world.owner.execute("update lane set created_at = now() - interval '90 days' where id = $1", lane)
    for ago, number in zip(range(len(mails), 0, -1), mails, strict=True):
        await world.owner.execute(
            "insert into cohort_day (day, lane, provider, tenant, sent) values ((now_ms() / 86400000)::int - $1, $2, 1, $3, $4)",
            ago,
            lane,
            tenant,
            number,
        )


async def new_sender_caps(world: World) -> dict[str, int]:
    await policies(world).keep()
    types = {
        row["id"]: row["name"]
        for row in await world.owner.fetch(
            "select l.id, t.name from lane l join message_type t on t.id = l.type"
        )
    }
    return {types[one.lane or 0]: one.cap for one in await limits(world, owner="new-sender")}


async def test_a_new_lane_may_send_half_as_much_again_as_on_its_busiest_day(world: World) -> None:
    await sent(world, "newsletter", 400, 1000, 30)
    assert await new_sender_caps(world) == {"password-reset": 500, "newsletter": 1500}


async def test_a_lane_that_is_known_has_no_cap_and_never_gets_one_again(world: World) -> None:
    await sent(world, "newsletter", *[100] * 7, *[0] * 25)
    assert await new_sender_caps(world) == {"password-reset": 500}
    await world.owner.execute("delete from cohort_day")
    await applied(world, STRICT)
    assert await new_sender_caps(world) == {"password-reset": 200}


# Suggestions -------------------------------------------------------------------------------------------------------------


async def test_caps_are_suggested_from_what_left(world: World) -> None:
    await sent(world, "newsletter", *[1000] * 10, 6000)
    by_type = {one.type: one for one in await policies(world).suggest(None)}
    assert by_type["password-reset"].caps == ()
    day = by_type["newsletter"].caps[0]
    assert (day.path, day.mails, day.held, day.windows) == ("caps.lane.day", 2000, 4000, 1)


async def test_each_value_of_a_tenants_lanes_says_where_it_comes_from(world: World) -> None:
    await world.onboard("zen", {"invoice": "mail.zen.example"})
    await applied(world, STRICT)
    id = await world.owner.fetchval("select id from tenant where slug = 'acme'")
    found = await policies(world).explain(id)
    assert [one.lane for one in found] == ["acme/newsletter", "acme/password-reset"]
    assert found[1].values["tier"].because == "its first list bounced"


# Facts -------------------------------------------------------------------------------------------------------------------


async def test_facts_that_are_told_suggest_a_tier_and_are_audited(world: World) -> None:
    facts = FactKeeper(PostgresFacts(world.control))
    before = await facts.of("acme")
    assert (before.tier, before.suggested.tier, before.told_by) == ("standard", "strict", None)
    told = await facts.tell("acme", {"payment": "invoice", "list_source": "customers"}, actor="ann")
    assert (told.suggested.tier, told.told_by) == ("standard", "ann")
    told = await facts.tell(
        "acme", {"signed_up_at": 0, "owner_group": "north"}, actor="ann", because="contract"
    )
    assert (told.suggested.tier, told.told.payment, told.told.owner_group) == ("trusted", "invoice", "north")
    assert (await facts.tell("acme", {"payment": None}, actor="ann")).told.payment is None
    assert await world.owner.fetchval("select count(*) from audit where action = 'tenant.facts'") == 3
    await applied(world, STRICT)
    assert (await facts.of("acme")).tier == "strict"


async def test_wrong_facts_are_refused_by_their_names(world: World) -> None:
    facts = FactKeeper(PostgresFacts(world.control))
    wrong = {"payment": "gold", "list_source": "found", "planned_per_day": -1, "owner_group": "Nord!"}
    with pytest.raises(Invalid) as raised:
        await facts.tell("acme", wrong, actor="ann")
    assert {fault.field for fault in raised.value.faults} == wrong.keys()
    with pytest.raises(NotFound):
        await facts.of("nobody")
