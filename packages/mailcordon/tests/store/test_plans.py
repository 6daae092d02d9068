"""Plans on a real PostgreSQL: what they show, what applying one writes, and who is told when two meet. No SES is needed: its
answers are written as the control process would."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from mailcordon.adapters.db import connection_pool, plan_store, status_reader
from mailcordon.control import desired, plan, plans, steps
from mailcordon.control.desired import Kind, Resource
from mailcordon.control.plan import Change
from mailcordon.control.plans import Plan, Plans
from mailcordon.control.retention import DAY_MS
from mailcordon.control.steps import Step, StepKind
from mailcordon.core.errors import Conflict, Invalid, NotFound, Refused, Unavailable

from .test_control_onboarding import SETTINGS, World
from .test_control_onboarding import world as world

INVOICE = Step(kind=StepKind.ADD_LANE, tenant="acme", type="invoice", to="mail.acme.example")
RECEIPT = Step(kind=StepKind.ADD_LANE, tenant="acme", type="receipt", to="mail.acme.example")
DEDICATED = steps.set_topology("acme", dedicated=True, ses_tenants="per-class")


async def agree(world: World) -> None:
    """SES has everything that is desired, and has verified every domain."""
    await world.owner.execute(
        "update ses_resource set observed = desired || case kind when 'identity' then '{\"verified\": true}'::jsonb"
        " else '{}' end, observed_at = now(), state = 'applied', next_try_at = now() + interval '1 day'"
        " where wanted"
    )
    await world.owner.execute(
        "update plan_change set state = 'done' where plan in (select id from plan where state = 'applying')"
        " and action in ('create', 'update', 'associate')"
    )
    await world.owner.execute(
        "update plan p set state = 'applied', ended_at = now() where state = 'applying'"
        " and not exists (select from plan_change where plan = p.id and state = 'pending')"
    )
    await world.owner.execute("update identity set status = 'verified'")
    for row in await world.owner.fetch("select id from tenant"):
        await world.governor.align(row["id"])


async def record(world: World, kind: Kind, name: str, *done: Change, failed: Any = ()) -> None:
    """As the control process does after its calls."""
    async with connection_pool.transaction(world.control) as conn:
        if not failed:
            await conn.execute(
                "update ses_resource set state = 'applied', observed = desired where kind = $1 and name = $2",
                kind.word,
                name,
            )
        await plan_store.record(conn, kind.word, name, done, failed, is_settled=True)


def said(made: Plan) -> list[str]:
    return [str(call.change) for call in made.calls]


async def made(world: World, *asked: Step) -> tuple[int, Plan]:
    found = await world.plans.make(asked, actor="ann", because="asked")
    assert found.id is not None
    return found.id, found


async def test_making_a_plan_changes_nothing_but_stores_who_what_and_when(world: World) -> None:
    await world.onboard()
    await agree(world)
    before = await world.rows()
    _, found = await made(world, INVOICE)
    after = await world.rows()
    assert {table for table in after if after[table] != before[table]} == {"plan", "plan_change"}
    assert (found.state, found.source, found.made_by, found.because) == ("proposed", "person", "ann", "asked")
    assert found.made_at is not None
    assert [steps.says(step) for step in found.steps] == ["let acme send invoice from mail.acme.example"]
    key = await world.owner.fetchval("select key from tenant")
    assert said(found) == [f"associate configuration-set/mc-transactional with tenant {key}"]
    assert found.tenants == ("acme",)


async def test_the_calls_of_a_tenant_that_a_plan_adds_name_it_before_there_is_a_row(world: World) -> None:
    await world.onboard()
    await agree(world)
    added = steps.add_tenant("neu", dedicated=True, ses_tenants="per-class")
    lane = Step(kind=StepKind.ADD_LANE, tenant="neu", type="invoice", to="mail.neu.example")
    _, found = await made(world, added, lane)
    assert {call.tenant for call in found.calls} == {"neu"}
    assert (
        len({call.change.resource.kind for call in found.calls}) == len(Kind) - 2
    )  # all but the account and IP pools


async def test_a_plan_ends_though_its_last_two_calls_are_recorded_at_the_same_time(world: World) -> None:
    await world.onboard()
    await agree(world)
    lane = Step(kind=StepKind.ADD_LANE, tenant="neu", type="invoice", to="mail.neu.example")
    id, found = await made(world, steps.add_tenant("neu"), lane)
    last: dict[tuple[str, str], list[Change]] = {}
    for call in found.calls:
        resource = call.change.resource
        last.setdefault((resource.kind.word, resource.name), []).append(call.change)
    while len(last) > 2:
        del last[next(iter(last))]
    await world.plans.apply(id, actor="ann")
    await world.owner.execute(
        "update plan_change set state = 'done' where plan = $1 and not (kind, name) in"
        " (select * from unnest($2::text[], $3::text[]))",
        id,
        [kind for kind, _ in last],
        [name for _, name in last],
    )
    async with (
        connection_pool.transaction(world.control) as one,
        connection_pool.transaction(world.control) as other,
    ):
        for conn, ((kind, name), changes) in zip((one, other), last.items(), strict=True):
            await conn.execute(
                "update ses_resource set state = 'applied' where kind = $1 and name = $2", kind, name
            )
            await plan_store.record(conn, kind, name, changes, (), is_settled=True)
    await world.plans.follow()
    assert (await world.plans.get(id)).state == "applied"


async def test_applying_a_plan_writes_its_steps_and_raises_the_revision(world: World) -> None:
    await world.onboard()
    await agree(world)
    id, found = await made(world, INVOICE)
    applied = await world.plans.apply(id, actor="bob", because="go")
    assert (applied.state, applied.decided_by, applied.decided_because) == ("applying", "bob", "go")
    assert await world.owner.fetchval("select value from epoch where name = 'desired'") > found.revision
    assert await world.owner.fetchval("select count(*) from lane") == 3
    row = await world.owner.fetchrow("select state, work from ses_resource where kind = 'association'")
    assert row is not None
    assert tuple(row) == ("pending", "onboarding")
    actions = await world.owner.fetch(
        "select actor, action from audit where action like 'tenant.%' order by id"
    )
    assert [tuple(each) for each in actions] == [("ann", "tenant.onboard"), ("bob", "tenant.extend")]


async def test_a_plan_ends_with_its_last_call_and_keeps_what_ses_said(world: World) -> None:
    await world.onboard()
    await agree(world)
    id, found = await made(world, INVOICE)
    await world.plans.apply(id, actor="ann")
    (call,) = found.calls
    name = call.change.resource.name
    await record(world, Kind.ASSOCIATION, name, failed=[(call.change, "LimitExceeded: no")])
    now = await world.plans.get(id)
    assert (now.state, now.calls[0].state, now.calls[0].outcome) == (
        "applying",
        "failed",
        "LimitExceeded: no",
    )
    await record(world, Kind.ASSOCIATION, name, call.change)
    now = await world.plans.get(id)
    assert (now.state, now.calls[0].state, now.counts) == ("applied", "done", {"done": 1})
    assert now.ended_at is not None


async def test_a_call_that_ses_did_not_need_any_more_is_needless(world: World) -> None:
    await world.onboard()
    await agree(world)
    id, found = await made(world, INVOICE)
    await world.plans.apply(id, actor="ann")
    await record(world, Kind.ASSOCIATION, found.calls[0].change.resource.name)
    assert (await world.plans.get(id)).counts == {"needless": 1}


async def test_while_a_resource_is_not_as_desired_none_of_its_calls_is_needless(world: World) -> None:
    await world.onboard()
    await agree(world)
    id, found = await made(world, replace(INVOICE, to="bills.acme.example"))
    await world.plans.apply(id, actor="ann")
    first, second = [call for call in found.calls if call.change.action == plan.ASSOCIATE]
    async with connection_pool.transaction(world.control) as conn:
        await plan_store.record(
            conn, "association", first.change.resource.name, [first.change], (), is_settled=True
        )
    states = {call.change.key: call.state for call in (await world.plans.get(id)).calls}
    assert (states[first.change.key], states[second.change.key]) == ("done", "pending")


async def test_of_two_operators_the_second_is_told_who_was_first(world: World) -> None:
    await world.onboard()
    first, _ = await made(world, INVOICE)
    second, _ = await made(world, RECEIPT)
    await world.plans.apply(first, actor="Kim")
    before = await world.rows()
    with pytest.raises(Conflict, match=f"Kim applied plan {first} at .* make a new one") as refused:
        await world.plans.apply(second, actor="Lee")
    assert refused.value.code == "plan-outdated"
    assert await world.rows() == before
    assert (await world.plans.get(second)).state == "outdated"


async def test_an_onboarding_outdates_plans_too_and_leaves_one_of_its_own(world: World) -> None:
    await world.onboard()
    id, _ = await made(world, INVOICE)
    await world.onboard("zen", {"newsletter": "zen.example"})
    with pytest.raises(Conflict, match="ann applied plan"):
        await world.plans.apply(id, actor="Lee")
    newest = (await world.plans.newest())[0]
    assert newest.id is not None
    stored = await world.plans.get(newest.id)
    assert (stored.state, stored.tenants, stored.made_by) == ("applying", ("zen",), "ann")
    assert [step.kind for step in stored.steps] == ["add-tenant", "add-domain", "add-lane"]
    assert {call.tenant for call in stored.calls} == {"zen"}


async def test_a_plan_that_was_made_while_another_was_applied_is_outdated_too(world: World) -> None:
    await world.onboard()
    async with plan_store.PlanStore(world.control).changing() as transaction:
        await world.plans.carry_out(transaction, [INVOICE], actor="Kim")
        id, _ = await made(world, RECEIPT)  # on the state before Kim's commit
    assert (await world.plans.get(id)).state == "proposed"
    with pytest.raises(Conflict, match="Kim applied plan"):
        await world.plans.apply(id, actor="Lee")


@pytest.mark.parametrize("end", ["apply", "reject"])
async def test_a_plan_is_decided_once(world: World, end: str) -> None:
    await world.onboard()
    id, _ = await made(world, INVOICE)
    await (
        world.plans.apply(id, actor="Kim")
        if end == "apply"
        else world.plans.reject(id, actor="Kim", because="no")
    )
    for again in (world.plans.apply(id, actor="Lee"), world.plans.reject(id, actor="Lee", because="no")):
        with pytest.raises(Conflict, match="by Kim") as refused:
            await again
        assert refused.value.code == "plan-decided"


async def test_an_unknown_plan_is_not_found(world: World) -> None:
    for asked in (
        world.plans.get(77),
        world.plans.apply(77, actor="a"),
        world.plans.reject(77, actor="a", because="b"),
    ):
        with pytest.raises(NotFound):
            await asked


async def test_a_plan_without_a_change_says_so_and_is_not_stored(world: World) -> None:
    await world.onboard()
    await agree(world)
    before = await world.rows()
    same = Step(kind=StepKind.MOVE_LANE, tenant="acme", type="newsletter", to="news.acme.example")
    assert (await world.plans.make([same], actor="ann")).id is None
    assert (await world.plans.make(None, actor="ann")).id is None
    assert await world.rows() == before


async def test_a_step_that_is_refused_stores_nothing(world: World) -> None:
    await world.onboard()
    await world.onboard("zen", {"newsletter": "zen.example"})
    before = await world.rows()
    with pytest.raises(Invalid, match="equal to, above or below"):
        await world.plans.make([replace(INVOICE, to="mail.zen.example")], actor="ann")
    with pytest.raises(Invalid, match="there is no tenant"):
        await world.plans.make([replace(INVOICE, tenant="nobody")], actor="ann")
    assert await world.rows() == before


# What differs at SES -----------------------------------------------------------------------------------------------------------


async def test_without_steps_a_plan_shows_what_differs_and_applying_it_approves_that_alone(
    world: World,
) -> None:
    await world.onboard()
    await agree(world)
    key = await world.owner.fetchval("select key from tenant")
    await world.owner.execute(
        "update ses_resource set observed = jsonb_set(observed, '{resources}',"
        " observed -> 'resources' || '[\"identity/zen.example\"]') where kind = 'association'"
    )
    found = await world.plans.make(None, actor="ann")
    assert said(found) == [f"disassociate identity/zen.example from tenant {key}"]
    assert found.calls[0].waits == "it takes away what exists"
    assert found.id is not None
    allowed = "select plan_allowed('association', $1)"
    assert await world.owner.fetchval(allowed, key) == []
    revision = await world.owner.fetchval("select value from epoch where name = 'desired'")
    await world.plans.apply(found.id, actor="ann")
    assert await world.owner.fetchval(allowed, key) == ["disassociate identity/zen.example"]
    due = await world.owner.fetch("select kind from ses_resource where next_try_at <= now()")
    assert [row["kind"] for row in due] == ["association"]
    assert await world.owner.fetchval("select value from epoch where name = 'desired'") == revision


# Moving a lane ---------------------------------------------------------------------------------------------------------------


async def test_a_moved_lane_is_held_until_its_new_domain_is_verified_and_says_so(world: World) -> None:
    tenant = (await world.onboard()).tenant
    await agree(world)
    assert not await world.owner.fetchval("select bool_or(held) from lane")
    move = Step(kind=StepKind.MOVE_LANE, tenant="acme", type="newsletter", to="bulk.acme.example")
    id, found = await made(world, move)
    assert [step.kind for step in found.steps] == ["add-domain", "move-lane"]
    assert any("bulk.acme.example is not verified yet" in note for note in found.notes)
    await world.plans.apply(id, actor="ann")
    rows = await world.owner.fetch(
        "select t.name, r.domain from route r join lane l on l.id = r.lane join message_type t on t.id = l.type"
    )
    routes = {row["name"]: row["domain"] for row in rows}
    assert routes == {"newsletter": "bulk.acme.example", "password-reset": "mail.acme.example"}
    (hold,) = await world.governor.open_holds(tenant)
    assert "bulk.acme.example" in hold.because
    held = await world.owner.fetch(
        "select t.name from lane l join message_type t on t.id = l.type where held"
    )
    assert [row["name"] for row in held] == ["newsletter"]
    await agree(world)
    assert await world.governor.open_holds(tenant) == []


async def test_a_lane_is_closed_in_the_transaction_that_moves_it_to_an_unverified_domain(
    world: World,
) -> None:
    """Else it would send from there until the governor has placed the hold."""
    await world.onboard()
    await agree(world)
    move = Step(kind=StepKind.MOVE_LANE, tenant="acme", type="newsletter", to="bulk.acme.example")
    async with plan_store.PlanStore(world.control).changing() as transaction:
        await world.plans.carry_out(transaction, [move], actor="ann")
    held = await world.owner.fetch(
        "select t.name from lane l join message_type t on t.id = l.type where held"
    )
    assert [row["name"] for row in held] == ["newsletter"]


async def test_a_lane_that_moves_off_an_unverified_domain_is_released(world: World) -> None:
    tenant = (await world.onboard()).tenant
    await world.owner.execute("update identity set status = 'verified' where domain = 'mail.acme.example'")
    await world.governor.align(tenant)
    move = Step(kind=StepKind.MOVE_LANE, tenant="acme", type="newsletter", to="mail.acme.example")
    id, _ = await made(world, move)
    await world.plans.apply(id, actor="ann")
    assert await world.governor.open_holds(tenant) == []
    assert not await world.owner.fetchval("select bool_or(held) from lane")


async def test_a_route_that_changes_is_kept_with_all_its_parts(world: World) -> None:
    await world.onboard()
    move = Step(kind=StepKind.MOVE_LANE, tenant="acme", type="newsletter", to="bulk.acme.example")
    id, _ = await made(world, move)
    await world.plans.apply(id, actor="ann")
    row = await world.owner.fetchrow(
        "select configuration_set, domain, ses_tenant = (select key from tenant) as own from route_before"
    )
    assert row is not None
    assert tuple(row) == ("mc-marketing", "news.acme.example", True)


async def test_a_deadlock_with_others_who_lock_lanes_changes_nothing_and_can_be_retried(world: World) -> None:
    await world.onboard()
    await world.onboard("zen", {"newsletter": "zen.example"})
    steps_ = [Step(kind=StepKind.RETIRE_LANE, tenant=slug, type="newsletter") for slug in ("zen", "acme")]
    id, _ = await made(world, *steps_)
    lock = "select 1 from lane l join tenant t on t.id = l.tenant where t.slug = $1 for no key update of l"
    async with world.owner.transaction():
        await world.owner.fetch(lock, "acme")
        applying = asyncio.create_task(world.plans.apply(id, actor="ann"))
        while not await world.owner.fetchval("select exists (select from pg_locks where not granted)"):
            await asyncio.sleep(0.01)
        await world.owner.fetch(lock, "zen")
        with pytest.raises(Unavailable) as refused:
            await applying
    assert refused.value.code == "busy"
    assert (await world.plans.apply(id, actor="ann")).decided_by == "ann"


# Topologies --------------------------------------------------------------------------------------------------------------------


async def test_a_new_topology_takes_lanes_along_when_ses_has_it_and_leaves_nothing_before_that(
    world: World,
) -> None:
    await world.onboard()
    await agree(world)
    key = await world.owner.fetchval("select key from tenant")
    id, found = await made(world, DEDICATED)
    created = [text for text in said(found) if text.startswith("create")]
    assert len(created) == 2 + 4 + 2 + 2  # sets, destinations, SES tenants, policies
    removed = [text for text in said(found) if text.startswith(("disassociate", "delete"))]
    assert removed[-1] == f"delete tenant {key}"
    assert len(removed) == 5
    await world.plans.apply(id, actor="ann")
    routes = "select configuration_set, ses_tenant from route order by lane"
    old = [tuple(row) for row in await world.owner.fetch(routes)]
    await world.plans.follow()
    assert [tuple(row) for row in await world.owner.fetch(routes)] == old
    assert await world.owner.fetchval(
        "select bool_and(for_mail) from plan_change where plan = $1 and action in ('disassociate', 'delete')",
        id,
    )

    await agree(world)
    before = await world.owner.fetchval("select value from epoch where name = 'control'")
    await world.plans.follow()
    assert [tuple(row) for row in await world.owner.fetch(routes)] == [
        (f"{key}-marketing", f"{key}-marketing"),
        (f"{key}-urgent", f"{key}-urgent"),
    ]
    assert await world.owner.fetchval("select value from epoch where name = 'control'") > before


async def test_what_mail_still_needs_is_not_due_until_it_is_released(world: World) -> None:
    id = await switched(world)
    due = "select kind from ses_resource where not wanted and next_try_at <= now() and kind = 'tenant'"
    assert await world.owner.fetch(due) == []
    assert await waiting(world, id) == 0
    assert len(await world.owner.fetch(due)) == 1


@pytest.mark.parametrize(
    "missing",
    [
        "state = 'failing' where kind = 'configuration-set' and name like 'mc-%-urgent'",
        "state = 'pending' where kind = 'event-destination' and name like 'mc-%-urgent/outcome'",
        "state = 'pending' where kind = 'event-destination' and name like 'mc-%-urgent/engagement'",
        "state = 'failing' where kind = 'tenant' and name like 'mc-%-urgent'",
        "state = 'pending' where kind = 'policy' and name like 'mc-%-urgent'",
        "observed = jsonb_set(observed, '{resources}', (observed -> 'resources') - 0)"
        " where kind = 'association' and name like 'mc-%-urgent'",
        "observed = jsonb_set(observed, '{resources}', (observed -> 'resources') - 1)"
        " where kind = 'association' and name like 'mc-%-urgent'",
    ],
)
async def test_a_route_moves_only_when_every_part_of_the_new_one_is_at_ses(
    world: World, missing: str
) -> None:
    await world.onboard()
    await agree(world)
    id, _ = await made(world, DEDICATED)
    await world.plans.apply(id, actor="ann")
    await agree(world)
    await world.owner.execute(f"update ses_resource set {missing}")
    await world.plans.follow()
    key = await world.owner.fetchval("select key from tenant")
    sets = await world.owner.fetch("select configuration_set from route order by lane")
    assert [row["configuration_set"] for row in sets] == [f"{key}-marketing", "mc-urgent"]


@pytest.mark.parametrize("table", ["ready", "waiting"])
async def test_a_lane_with_mail_of_an_earlier_domain_stays_on_the_ses_tenant_that_may_send_it(
    world: World, table: str
) -> None:
    await world.onboard(types={"newsletter": "news.acme.example"})
    move = Step(kind=StepKind.MOVE_LANE, tenant="acme", type="newsletter", to="bulk.acme.example")
    for step in (move, DEDICATED):
        id, _ = await made(world, step)
        await world.plans.apply(id, actor="ann")
        await agree(world)
    await world.owner.execute(MAIL[table].format(state=0 if table == "ready" else 1, at=BEFORE))
    key = await world.owner.fetchval("select key from tenant")
    await world.plans.follow()
    assert await world.owner.fetchval("select ses_tenant from route") == key
    await world.owner.execute(f"delete from {table}")
    await world.plans.follow()
    assert await world.owner.fetchval("select ses_tenant from route") == f"{key}-marketing"


async def switched(world: World) -> int:
    """A tenant whose routes have moved to sets and SES tenants of their own, a minute ago."""
    await world.onboard()
    await agree(world)
    id, _ = await made(world, DEDICATED)
    await world.plans.apply(id, actor="ann")
    await agree(world)
    await world.plans.follow()
    await world.owner.execute("update route_before set until = until - 60000")
    return id


async def waiting(world: World, id: int) -> int:
    await world.plans.follow()
    return await world.owner.fetchval("select count(*) from plan_change where plan = $1 and for_mail", id)


async def test_what_a_moved_route_used_goes_when_no_call_over_it_is_unsettled(world: World) -> None:
    id = await switched(world)
    assert await waiting(world, id) == 0
    allowed = await world.owner.fetchval("select plan_allowed('tenant', key) from tenant")
    assert allowed == ["delete"]


MAIL = {
    "ready": "insert into ready (lane, id, tenant, state, attempt, worker, called_at, hash)"
    " select id, first_id_at({at}), tenant, {state}, 1, 1, {at}, '\\x00' from lane order by id limit 1",
    "waiting": "insert into waiting (lane, id, tenant, why, attempt, called_at, hash, reason, code, since)"
    " select id, first_id_at({at}), tenant, {state}, 1, {at}, '\\x00', 'x', 'x', {at} from lane order by id limit 1",
}
BEFORE = "(select max(until) - 1000 from route_before)"
SENDING = {"ready": 1, "waiting": 2}  #: on the wire, outcome unknown
RESTING = {"ready": 0, "waiting": 4}


@pytest.mark.parametrize("table", ["ready", "waiting"])
async def test_a_call_without_an_outcome_keeps_what_its_route_used(world: World, table: str) -> None:
    """On the wire, and outcome unknown. A call that began after the move does not."""
    id = await switched(world)
    await world.owner.execute(MAIL[table].format(at=BEFORE, state=SENDING[table]))
    assert await waiting(world, id) > 0
    needs = "select mail_needs('association', (select key from tenant), 'configuration-set/mc-marketing')"
    assert await world.owner.fetchval(needs)
    later = "(select max(until) + 10001 from route_before)"
    await world.owner.execute(f"update {table} set called_at = {later}, id = first_id_at({later})")
    assert not await world.owner.fetchval(needs)
    assert await waiting(world, id) == 0


async def test_a_route_that_just_changed_keeps_what_it_used_because_callers_still_have_it(
    world: World,
) -> None:
    id = await switched(world)
    await world.owner.execute("update route_before set until = now_ms()")
    assert await waiting(world, id) > 0


@pytest.mark.parametrize("table", ["ready", "waiting"])
async def test_mail_that_was_accepted_for_the_old_domain_keeps_it(world: World, table: str) -> None:
    """Its From address is there. It does not keep the old set: it leaves over the new one."""
    await switched(world)
    await world.owner.execute(MAIL[table].format(at=BEFORE, state=RESTING[table]))
    needs = "select mail_needs('association', (select key from tenant), $1)"
    assert await world.owner.fetchval(needs, "identity/news.acme.example")
    assert not await world.owner.fetchval(needs, "configuration-set/mc-marketing")
    later = "(select max(until) + 10001 from route_before)"
    await world.owner.execute(f"update {table} set id = first_id_at({later})")
    if table == "waiting":  # it is scheduled, so its id is later than its acceptance
        assert await world.owner.fetchval(needs, "identity/news.acme.example")
        await world.owner.execute(f"update waiting set since = {later}")
    assert not await world.owner.fetchval(needs, "identity/news.acme.example")


@pytest.mark.parametrize("end", ["retired", "moved"])
async def test_a_set_that_mail_went_through_is_kept_for_late_complaints(world: World, end: str) -> None:
    await switched(world)
    key, owner = await world.owner.fetchval("select key from tenant"), world.owner
    newsletter = (
        "select l.id, 0, 5 from lane l join message_type t on t.id = l.type where t.name = 'newsletter'"
    )
    for table in ("lane_intake", "lane_finished"):  # five were accepted, and sent
        await owner.execute(f"insert into {table} (lane, node, deliveries) {newsletter}")
    store = plan_store.PlanStore(world.control, [7 * DAY_MS] * 3)
    plans = Plans(store, world.governor, SETTINGS)
    if end == "retired":
        step = Step(kind=StepKind.RETIRE_TENANT, tenant="acme", mail="drain")
    else:
        step = steps.set_topology("acme", dedicated=False, ses_tenants="one")
    id, _ = await made(world, step)
    await plans.apply(id, actor="ann")

    async def last_mail(days_ago: float) -> None:
        if end == "retired":
            set_ = "sealed_at = now(), retired_at = now(), drained_at = now() - make_interval(secs => $1)"
            await owner.execute(f"update lane set {set_}", days_ago * 86_400)
        else:
            until = "until = now_ms() - $1::bigint"
            await owner.execute(f"update route_before set {until}", int(days_ago * DAY_MS))

    async def kept() -> set[str]:
        await plans.follow()
        waits = "plan = $1 and kind = 'configuration-set' and action = 'delete' and for_mail"
        return {row["name"] for row in await owner.fetch(f"select name from plan_change where {waits}", id)}

    await agree(world)
    await plans.follow()
    await last_mail(6.9)
    assert await kept() == {f"{key}-marketing"}
    assert (await plans.get(id)).state == "applying"
    await last_mail(7.1)
    assert await kept() == set()


async def test_a_topology_can_change_back_before_ses_has_followed(world: World) -> None:
    await world.onboard()
    await agree(world)
    id, _ = await made(world, DEDICATED)
    await world.plans.apply(id, actor="ann")
    back, _ = await made(world, steps.set_topology("acme", dedicated=False, ses_tenants="one"))
    await world.plans.apply(back, actor="ann")
    assert (
        await world.owner.fetchval("select count(*) from route where next_configuration_set is not null") == 0
    )
    key = await world.owner.fetchval("select key from tenant")
    unwanted = await world.owner.fetch("select distinct kind from ses_resource where not wanted order by 1")
    assert [row["kind"] for row in unwanted] == [
        "association",
        "configuration-set",
        "event-destination",
        "policy",
        "tenant",
    ]
    assert await world.owner.fetchval(
        "select wanted from ses_resource where kind = 'tenant' and name = $1", key
    )
    removed = [call for call in (await world.plans.get(id)).calls if call.change.removes]
    assert {call.state for call in removed} == {"needless"}


# In parts ------------------------------------------------------------------------------------------------------------------


def five() -> list[Step]:
    """Five new tenants and a change of one that exists."""
    new = [
        step
        for n in range(5)
        for step in (
            steps.add_tenant(f"new-{n}"),
            Step(kind=StepKind.ADD_LANE, tenant=f"new-{n}", type="invoice", to=f"mail.new-{n}.example"),
        )
    ]
    return [*new, INVOICE]


async def begun(world: World, monkeypatch: pytest.MonkeyPatch) -> int:
    """A plan of two parts and a rest, of which only the first was written: the process died then."""
    monkeypatch.setattr(plans, "PART", 2)
    await world.onboard()
    await agree(world)
    id, found = await made(world, *five())
    with monkeypatch.context() as dying:
        dying.setattr(Plans, "_part", died)
        with pytest.raises(ConnectionError):
            await world.plans.apply(id, actor="ann", because="many")
    assert (await world.plans.get(id)).later == 3
    assert (await world.plans.get(id)).calls == found.calls
    return id


async def died(*_: Any, **__: Any) -> bool:
    raise ConnectionError


async def slugs(world: World) -> list[str]:
    return [row["slug"] for row in await world.owner.fetch("select slug from tenant order by slug")]


async def test_a_large_plan_is_written_in_parts_and_ends_as_one_in_one_part(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "PART", 2)
    await world.onboard()
    await agree(world)
    id, found = await made(world, *five())
    before = await world.owner.fetchval("select value from epoch where name = 'desired'")
    done = await world.plans.apply(id, actor="ann", because="many")
    assert (done.state, done.later, done.counts) == ("applying", 0, {"pending": len(found.calls)})
    assert await world.owner.fetchval("select value from epoch where name = 'desired'") == before + 3
    assert await slugs(world) == ["acme", *(f"new-{n}" for n in range(5))]
    assert (await world.plans.pending()).calls == tuple(
        replace(call, for_mail=False) for call in (await world.plans.get(id)).calls
    )
    unnamed = "select count(*) from plan_change where plan = $1 and tenant is null and name like 'mc-%new%'"
    assert await world.owner.fetchval(unnamed, id) == 0
    whose = "select count(distinct tenant) from plan_change where plan = $1 and tenant is not null"
    assert await world.owner.fetchval(whose, id) == 6
    audited = await world.owner.fetch("select object from audit where because = 'many' order by object")
    assert [row["object"] for row in audited] == [f"tenant {slug}" for slug in await slugs(world)]
    await agree(world)
    assert (await world.plans.get(id)).state == "applied"


async def test_the_calls_of_each_part_have_their_tenant_even_if_the_process_dies_behind_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await begun(world, monkeypatch)
    named = "select count(distinct tenant) from plan_change where plan = $1"
    for tenants in (3, 5, 6):
        assert await world.owner.fetchval(named, id) == tenants
        await world.plans.follow()


async def test_between_two_parts_others_onboard_and_no_other_plan_is_applied(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await begun(world, monkeypatch)
    other, _ = await made(world, RECEIPT)
    await world.tenants.onboard("zen", {"newsletter": "news.zen.example"}, actor="bob")
    await world.plans.follow()
    assert (await world.plans.get(id)).later == 1
    with pytest.raises(Conflict, match="applied plan"):
        await world.plans.apply(other, actor="bob")
    await world.plans.follow()
    assert (await world.plans.get(id)).later == 0
    assert await slugs(world) == ["acme", *(f"new-{n}" for n in range(5)), "zen"]
    assert (
        await world.owner.fetchval("select distinct actor from audit where object = 'tenant new-4'") == "ann"
    )
    await world.plans.follow()
    assert len(await slugs(world)) == 7


async def test_a_tenant_whose_name_or_domain_was_taken_meanwhile_is_left_out_and_the_plan_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = await begun(world, monkeypatch)
    await world.tenants.onboard("new-2", {"newsletter": "news.zen.example"}, actor="bob")
    await world.tenants.onboard("zen", {"newsletter": "mail.new-3.example"}, actor="bob")
    await world.plans.follow()
    await world.plans.follow()
    found = await world.plans.get(id)
    assert found.later == 0
    assert [note.partition(":")[0] for note in found.notes[-2:]] == [
        "new-2 was not added",
        "new-3 was not added",
    ]
    needless = {call.tenant for call in found.calls if call.state == "needless"}
    assert needless == {"new-2", "new-3"}
    assert {call.tenant for call in found.calls if call.state == "pending"} >= {"new-4", "acme"}
    audited = await world.owner.fetch("select object, actor from audit where action = 'plan.leave-out'")
    assert [tuple(row) for row in audited] == [(f"plan {id}", "ann")] * 2
    await agree(world)
    assert (await world.plans.get(id)).state == "applied"


async def test_a_tenant_for_which_no_configuration_set_is_left_does_not_hold_up_the_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "PART", 2)
    await world.onboard()
    await agree(world)
    dedicated = [replace(step, to=(step.to or "").replace("shared", "dedicated")) for step in five()[4:6]]
    count = "select count(*) from ses_resource where kind = 'configuration-set'"
    id, _ = await made(world, *five()[:4], *dedicated, *five()[6:])
    monkeypatch.setattr(desired, "MOST_SETS", await world.owner.fetchval(count))
    done = await world.plans.apply(id, actor="ann", because="many")
    assert done.later == 0
    assert [note.partition(":")[0] for note in done.notes[-1:]] == ["new-2 was not added"]
    assert await slugs(world) == ["acme", "new-0", "new-1", "new-3", "new-4"]


def test_only_new_tenants_follow_in_parts_and_none_that_needs_what_the_plan_frees() -> None:
    asked = five()
    first, later = steps.in_parts(asked, 2)
    assert later == ["new-2", "new-3", "new-4"]
    assert [step.tenant for step in first] == ["new-0", "new-0", "new-1", "new-1", "acme"]
    assert steps.in_parts(asked, 5) == (asked, [])
    free = Step(kind=StepKind.FREE_DOMAIN, tenant="acme", domain="mail.new-4.example")
    first, later = steps.in_parts([*asked, free], 2)
    assert later == ["new-2", "new-3"]
    assert "new-4" in {step.tenant for step in first}


# Settings ----------------------------------------------------------------------------------------------------------------


OTHER = replace(SETTINGS, outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:wrong")


async def topics(world: World) -> set[str]:
    rows = await world.owner.fetch(
        "select desired ->> 'topic' as topic from ses_resource where name like '%/outcome'"
    )
    return {row["topic"] for row in rows}


async def test_a_setting_that_would_rewire_every_set_waits_for_a_person(world: World) -> None:
    """Status says so too."""
    await world.onboard()
    await world.plans.want_everything(SETTINGS)
    await agree(world)
    await world.plans.want_everything(OTHER)
    assert await topics(world) == {SETTINGS.outcome_topic_arn}
    (waits,) = await world.plans.newest(state="proposed")
    assert (waits.source, waits.because) == ("settings", "the settings changed")
    assert waits.id is not None
    full = await world.plans.get(waits.id)
    assert len(full.calls) == 4
    (told,) = (await status_reader.read(world.owner)).plans
    assert (told.id, told.calls) == (waits.id, 4)
    assert full.calls[0].waits == "it rewires 4 of 8 resources of the kind event-destination"
    await world.plans.apply(waits.id, actor="ann")
    assert await topics(world) == {OTHER.outcome_topic_arn}


async def test_one_plan_of_changed_settings_waits_however_often_the_process_starts(world: World) -> None:
    await world.plans.want_everything(SETTINGS)
    await agree(world)
    for _ in range(3):
        await world.plans.want_everything(OTHER)
    (first,) = await world.plans.newest(state="proposed")
    third = replace(OTHER, outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:third")
    await world.plans.want_everything(third)
    (second,) = await world.plans.newest(state="proposed")
    assert second.id != first.id
    await world.plans.want_everything(SETTINGS)
    assert await world.plans.newest(state="proposed") == []
    assert first.id is not None
    with pytest.raises(Conflict) as refused:
        await world.plans.apply(first.id, actor="ann")
    assert refused.value.code == "plan-outdated"


async def test_onboarding_does_not_slip_a_changed_setting_in(world: World) -> None:
    await world.onboard()
    await world.plans.want_everything(SETTINGS)
    changed = type(world.plans)(plan_store.PlanStore(world.control), world.governor, OTHER)
    await changed.make([steps.add_tenant("zen")], actor="ann")
    async with plan_store.PlanStore(world.control).changing() as transaction:
        await changed.carry_out(transaction, [steps.add_tenant("zen")], actor="ann")
    assert await topics(world) == {SETTINGS.outcome_topic_arn}


async def test_more_lanes_do_not_slip_a_changed_setting_into_what_their_tenant_has(world: World) -> None:
    await world.onboard(dedicated=True)
    changed = type(world.plans)(plan_store.PlanStore(world.control), world.governor, OTHER)
    asked = [INVOICE, steps.set_topology("acme", dedicated=True, ses_tenants="per-class")]
    async with plan_store.PlanStore(world.control).changing() as transaction:
        await changed.carry_out(transaction, asked, actor="ann")
    rows = await world.owner.fetch(
        "select split_part(name, '/', 1) as of, desired ->> 'topic' as topic from ses_resource where name like 'mc-%-%/outcome'"
    )
    key = await world.owner.fetchval("select key from tenant")
    assert {row["of"] for row in rows if row["topic"] == OTHER.outcome_topic_arn} == {f"{key}-transactional"}


async def test_a_small_change_of_settings_applies_by_itself(world: World) -> None:
    await world.onboard()
    await world.plans.want_everything(SETTINGS)
    await agree(world)
    await world.plans.want_everything(replace(SETTINGS, policy="strict"))
    assert await world.plans.newest(state="proposed") == []
    assert (
        await world.owner.fetchval("select desired ->> 'policy' from ses_resource where kind = 'policy'")
        == "strict"
    )


async def test_a_plan_that_needs_too_many_configuration_sets_is_refused(world: World) -> None:
    await world.onboard()
    await world.owner.execute(
        "insert into ses_resource (kind, name, phase, desired)"
        " select 'configuration-set', 'x' || n, 1, '{}' from generate_series(1, $1::int) n",
        desired.MOST_SETS - 5,
    )
    with pytest.raises(Refused, match="8,000"):
        await world.plans.make([DEDICATED], actor="ann")


async def test_a_repair_that_control_proposes_is_a_plan_that_waits(world: World) -> None:
    await world.onboard()
    resource = Resource(Kind.ASSOCIATION, "mc-x", {})
    async with connection_pool.transaction(world.control) as conn:
        id = await plan_store.propose(
            conn,
            [Change(resource, plan.DISASSOCIATE, "identity/a")],
            tenant=None,
            because="foreign",
            actor="control",
        )
    found = await world.plans.get(id)
    assert (found.source, found.state, said(found)) == (
        "control",
        "proposed",
        ["disassociate identity/a from tenant mc-x"],
    )
    assert json.loads(await world.owner.fetchval("select steps::text from plan where id = $1", id)) == []
