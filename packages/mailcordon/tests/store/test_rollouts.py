"""Rollouts on a real database: what is counted of both paths, decisions in one transaction, and mail that follows a way back."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import pytest

from mailcordon.adapters.db import alarm_facts, connection_pool, engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.objective_store import ObjectiveStore
from mailcordon.adapters.db.path_store import PathStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.rollout_store import RolloutStore
from mailcordon.control import paths, status_checks, steps
from mailcordon.control.governor import Governor
from mailcordon.control.plans import Plans
from mailcordon.control.problem import Problem
from mailcordon.control.rollouts.changes import Changes
from mailcordon.control.rollouts.loop import Rollouts
from mailcordon.control.status_facts import Facts
from mailcordon.control.steps import Step, StepKind
from mailcordon.core.errors import Conflict, Invalid, NotFound
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.objectives import TIME_CLASSES
from mailcordon.guard.policy.merge import built_in_policy
from mailcordon.guard.rollouts import course
from mailcordon.guard.rollouts.nouns import Decision, Measure, State, Verdict
from mailcordon_fixtures import rollouts as made
from mailcordon_fixtures.cohorts import Cohorts

from .test_control_onboarding import SETTINGS

HOUR = 3_600_000


@dataclass
class Moving:
    """A lane with both paths, all mail on the shared one, and a checklist that holds."""

    world: Any
    cohorts: Cohorts
    store: RolloutStore
    rollouts: Rollouts
    changes: Changes
    plans: Plans
    lane: int
    pool: Any

    async def start(self, **more: Any) -> int:
        return await self.changes.start(
            "acme",
            ["newsletter"],
            more.get("shares"),
            more.get("pace", 1.0),
            actor="ann",
            because="to its own path",
        )

    async def look(self) -> Any:
        await self.rollouts.advance()
        return await self.row()

    async def row(self) -> Any:
        return await self.world.connection.fetchrow("select * from rollout order by id desc limit 1")

    async def decided(self) -> Decision:
        """What a look would decide now."""
        one = await self.store.one((await self.row())["id"])
        assert one is not None
        facts, standing = await self.rollouts.facts(one)
        return course.look(standing, facts)

    async def problems(self) -> list[Problem]:
        """Of rollouts, as the status has them."""
        async with connection_pool.acquire(self.pool) as conn:
            given = Facts(now=0, **await alarm_facts.back_rollouts(conn))
        return list(status_checks.OF["rollouts"](given))

    async def shares(self) -> dict[str, int]:
        rows = await self.world.connection.fetch("select path, share from route where lane = $1", self.lane)
        return {row["path"]: row["share"] for row in rows}

    async def steps(self) -> list[tuple[Any, ...]]:
        rows = await self.world.connection.fetch(
            "select what, from_share, to_share, by from rollout_step order by id"
        )
        return [tuple(row) for row in rows]

    async def later(self, hours: float) -> None:
        """So much time has passed, as far as the rollout knows."""
        await self.world.connection.execute(
            "update rollout set since = since - $1::bigint, looked_at = 0", round(hours * HOUR)
        )

    async def times(self, path: str, *counts: int, ago: int = 30) -> None:
        """Deliveries within 1 s, 2 s, 5 s and so on."""
        await self.world.connection.execute(
            "insert into delivery_time_change (tenant, lane, minute, provider, path, counts)"
            " select tenant, id, (now_ms() / 60000 - $2::int) / 10 * 10, 3, $3, $4 from lane where id = $1",
            self.lane,
            ago,
            path,
            [*counts, *[0] * (TIME_CLASSES - len(counts))],
        )
        await ObjectiveStore(self.pool).fold(1000, forget=True)

    async def mail(self, path: str, sent: int, *, ago: int = 90, **counts: int) -> None:
        minute = await self.world.connection.fetchval("select now_ms() / 60000")
        of: dict[str, Any] = {"send_events": sent, "delivered": sent, **counts}
        await self.cohorts.add(
            self.lane, minute=minute - ago, path=path, provider=Provider.YAHOO, sent=sent, **of
        )


@pytest.fixture
async def moving(world: Any) -> AsyncIterator[Moving]:
    lane = await world.lane("acme", "newsletter")
    await world.share(lane)
    await made.let_the_checklist_hold(world.connection, lane)
    pool = await engine.create_pool(world.database.dsn("control"))
    store = RolloutStore(pool)
    rollouts = Rollouts(store, PathStore(pool), every_ms=0)
    governors = await engine.create_pool(world.database.dsn("governor"))
    plans = Plans(PlanStore(pool), Governor(GovernorStore(governors)), SETTINGS)
    changes = Changes(store, rollouts, plans)
    yield Moving(world, Cohorts(world.connection), store, rollouts, changes, plans, lane, pool)
    await pool.close()
    await governors.close()


async def test_a_rollout_begins_when_the_checklist_holds_and_grows_by_what_was_counted(
    moving: Moving,
) -> None:
    await moving.start()
    assert await moving.shares() == {"shared": 100, "isolated": 0}
    row = await moving.look()
    assert (row["state"], row["share"]) == ("running", 1), row["sentence"]
    assert await moving.shares() == {"shared": 99, "isolated": 1}
    await moving.later(7)
    await moving.mail("shared", 20_000, hard_bounced=160, soft_bounced=100, delayed=200)
    assert (await moving.look())["share"] == 1
    await moving.mail("isolated", 220, hard_bounced=2, soft_bounced=1, delayed=2)
    row = await moving.look()
    assert (row["state"], row["share"]) == ("running", 5), row["sentence"]
    assert await moving.steps() == [
        ("start", 0, 0, "ann"),
        ("pass", 0, 1, "rollout"),
        ("pass", 1, 5, "rollout"),
    ]
    audit = await moving.world.connection.fetch("select actor, action from audit order by id")
    assert [tuple(one) for one in audit] == [
        ("ann", "rollout.start"),
        ("rollout", "rollout.pass"),
        ("rollout", "rollout.pass"),
    ]


async def test_what_others_say_of_the_new_domain_keeps_more_mail_from_it_until_it_is_better(
    moving: Moving,
) -> None:
    connection = moving.world.connection
    await connection.execute(
        "insert into outside_signal (source, domain, day, provider, rate, trust, imported_by)"
        " select 'postmaster', domain, now_ms() / 86400000, 1, 0.002, 'medium', 'ann' from route"
        " where lane = $1 and path = 'isolated'",
        moving.lane,
    )
    await moving.start()
    row = await moving.look()
    assert (row["share"], row["state"]) == (0, "running")
    assert "Gmail's users reported 0.2 % of the mail" in row["sentence"]
    await connection.execute("update outside_signal set trust = 'low'")
    await moving.later(1)
    assert (await moving.look())["share"] == 1


async def test_a_breach_goes_back_with_shares_epoch_and_waiting_mail(moving: Moving) -> None:
    await moving.start()
    await moving.look()
    await moving.later(1)
    await moving.mail("shared", 20_000, ago=30, hard_bounced=160)
    await moving.mail("isolated", 200, ago=30, send_events=0, delivered=0)
    connection = moving.world.connection
    message = await connection.fetchval(
        "with m as (insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key, other_path)"
        " select (now_ms() - 1767225600000) << 22, tenant, id, 'isolated', 'a@b.example', '{r@x.example}', 1, 1, 0"
        " from lane where id = $1 returning *),"
        " q as (insert into ready (lane, id, tenant, hash) select lane, id + 1, tenant, 'h' from m) select id from m",
        moving.lane,
    )
    epoch = await connection.fetchval("select value from epoch where name = 'control'")
    row = await moving.look()
    assert (row["state"], row["share"], row["backs"]) == ("back", 0, 1)
    assert "SES reported nothing of 200" in row["sentence"]
    assert await moving.shares() == {"shared": 100, "isolated": 0}
    assert await connection.fetchval("select value from epoch where name = 'control'") == epoch + 1
    path = "select path_of(path, other_path, id + 1) from message where id = $1"
    assert await connection.fetchval(path, message) == "shared"
    [problem] = await moving.problems()
    assert problem.about is not None
    assert (problem.about.cause, problem.about.contained) == (f"rollout:{row['id']}", False)
    assert problem.about.culprit == "the own path of acme/newsletter (from newsletter.acme.example)"
    assert row["sentence"] in problem.sentence
    # What was being accepted meanwhile is looked for again, and then no more.
    assert await connection.fetchval("select move_after from rollout_lane") == 0
    await connection.execute("update rollout_lane set move_until = 0")
    await moving.look()
    assert await connection.fetchval("select move_after from rollout_lane") is None
    assert [one.about.contained for one in await moving.problems() if one.about] == [True]
    # It does not begin again by itself, nor by a person before it has rested.
    assert (await moving.look())["share"] == 0
    with pytest.raises(Conflict, match="rests until"):
        await moving.changes.advance(row["id"], [], actor="ann", because="mended")
    again = await moving.changes.advance(row["id"], ["rest"], actor="ann", because="mended")
    assert again.share == 1
    assert await moving.shares() == {"shared": 99, "isolated": 1}
    assert await moving.problems() == []
    await moving.changes.back(row["id"], actor="ann", because="not today")
    assert await moving.problems() == []  # a person knows


async def test_what_does_not_hold_keeps_the_first_share_until_a_person_overrides_it(moving: Moving) -> None:
    await moving.world.connection.execute("delete from proof")
    id = await moving.start()
    row = await moving.look()
    assert (row["share"], row["verdict"]) == (0, "wait")
    assert "It was never shown that events of acme/newsletter come back to it." in row["sentence"]
    with pytest.raises(Conflict, match="override proved:acme/newsletter"):
        await moving.changes.advance(id, [], actor="ann", because="it works")
    with pytest.raises(Invalid):
        await moving.changes.advance(id, ["proved:acme/nothing"], actor="ann", because="it works")
    await moving.changes.advance(id, ["proved:acme/newsletter"], actor="ann", because="it works")
    assert (await moving.row())["share"] == 1
    override = await moving.world.connection.fetchrow("select key, share, by, because from rollout_override")
    assert tuple(override) == ("proved:acme/newsletter", 1, "ann", "it works")


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        (
            "update ses_resource set observed = null where name like '%/outcome'",
            "has no working destination for outcome",
        ),
        ("update identity set status = 'failed'", "is not verified at SES"),
        (
            "insert into stop (scope, name, cause, because, urgent, since, last_seen, probe_at)"
            " select 'identity', domain, 'mail-from', 'SES wants its MAIL FROM', false, 1, 1, 1"
            " from route where path = 'isolated'",
            "takes no mail over the new path of acme/newsletter: SES wants its MAIL FROM",
        ),
        (
            "update ses_resource set observed = '{}' where kind = 'tenant'",
            "other tenants' bounces would suppress",
        ),
        (
            "update identity_check set result = jsonb_set(result, '{ses,mail_from_status}', '\"FAILED\"')",
            "falls back to its own",
        ),
        (  # SES said so after the last check
            "insert into ses_resource (kind, name, phase, desired, observed, state)"
            " select 'identity', domain, 2, '{}', '{\"mail_from_status\": \"FAILED\"}', 'applied' from route"
            " where path = 'isolated'",
            "falls back to its own",
        ),
        (
            'update identity_check set result = jsonb_set(result, \'{faults}\', \'[{"what": "dkim", "severity": "error",'
            ' "unsure": false, "says": "The DKIM key of selector s2 is missing."}]\')',
            "The DKIM key of selector s2 is missing.",
        ),
    ],
)
async def test_what_breaks_under_way_goes_back_once_it_has_been_broken_for_two_minutes(
    moving: Moving, breaks: str, said: str
) -> None:
    await moving.start()
    await moving.look()
    await moving.world.connection.execute(breaks)
    row = await moving.look()
    assert (row["state"], row["share"]) == ("running", 1)
    await moving.world.connection.execute(
        "update rollout set looked_at = 0, checklist ="
        " (select jsonb_agg(i || case when i ->> 'since' is null then '{}' else '{\"since\": 1}'::jsonb end)"
        " from jsonb_array_elements(checklist) i)"
    )
    row = await moving.look()
    assert (row["state"], row["share"]) == ("back", 0)
    assert said in row["sentence"]


async def test_mail_that_comes_late_on_the_new_path_alone_goes_back(moving: Moving) -> None:
    """The lane's objective is 2 s. Times of before the share began, and of a lane in no rollout, are left out."""
    await moving.times("isolated", 0, 0, 0, 500)
    await moving.start()
    usual = built_in_policy(Class.MARKETING)
    policy = replace(usual, objectives=replace(usual.objectives, delivered_seconds=2.0))
    await moving.world.connection.execute(
        "insert into lane_policy (tenant, lane, version, document) select tenant, id, 0, $2::jsonb from lane where id = $1"
        " on conflict (lane) do update set document = excluded.document",
        moving.lane,
        msgspec.json.encode(policy).decode(),
    )
    assert (await moving.look())["share"] == 1
    await moving.times("isolated", 0, 0, 0, 500, ago=120)
    await moving.later(1)
    await moving.mail("shared", 20_000, ago=30, hard_bounced=160)
    await moving.mail("isolated", 200, ago=30)
    await moving.times("shared", 19_000, 500, 100)
    await moving.times("isolated", 190, 4, 2)
    late = next(gate for gate in (await moving.decided()).gates if gate.measure is Measure.LATE)
    assert (late.verdict, late.seen.new, late.seen.new_of) == (Verdict.PASS, 2, 196)
    assert (late.seen.old, late.seen.old_of) == (100, 19_600)
    await moving.times("isolated", 0, 0, 120)
    row = await moving.look()
    assert row["state"] == "back"
    assert "122 were delivered later than their lane's objective allows" in row["sentence"]


async def test_domains_that_mail_moves_to_are_checked_again_after_ten_minutes(moving: Moving) -> None:
    async def due_in(minutes: int) -> int:
        """Minutes until the next check after a look, if it was due in so many before."""
        await moving.world.connection.execute(
            "update identity_state set checked_at = now_ms() - 600001, next_check_at = now_ms() + $1::bigint * 60000",
            minutes,
        )
        await moving.look()
        state = "select round((next_check_at - now_ms()) / 60000.0)::int from identity_state"
        return await moving.world.connection.fetchval(state)

    await moving.start()
    assert await due_in(600) == 600  # no mail is on its path yet
    assert (await moving.row())["share"] == 1
    assert await due_in(600) == 0
    assert await due_in(4) == 4  # a check is under way


async def test_two_processes_that_decide_at_once_take_one_step(moving: Moving) -> None:
    await moving.start()
    [one] = await moving.store.due(10, 0)
    await asyncio.gather(*(moving.rollouts.look(one) for _ in range(4)))
    assert await moving.steps() == [("start", 0, 0, "ann"), ("pass", 0, 1, "rollout")]


async def test_a_lane_is_in_one_rollout_and_begins_on_the_shared_path(moving: Moving) -> None:
    id = await moving.start()
    with pytest.raises(Conflict, match=f"is in rollout {id}"):
        await moving.start()
    await moving.changes.cancel(id, actor="ann", because="not now")
    await moving.world.connection.execute(
        "update route set share = case path when 'isolated' then 40 else 60 end where lane = $1", moving.lane
    )
    with pytest.raises(Conflict, match="40 percent of acme/newsletter take its own path already"):
        await moving.start()
    alone = await moving.world.lane("acme", "invoice")
    assert alone
    with pytest.raises(Conflict, match="has one path only"):
        await moving.changes.start("acme", ["invoice"], None, 1.0, actor="ann", because="x")
    with pytest.raises(NotFound):
        await moving.changes.start("acme", ["nothing"], None, 1.0, actor="ann", because="x")
    for shares in ([], [5, 1, 100], [0, 100], [1, 50]):
        with pytest.raises(Invalid):
            await moving.changes.start("acme", ["newsletter"], shares, 1.0, actor="ann", because="x")


async def test_hold_back_and_finish_are_a_persons(moving: Moving) -> None:
    enforced = "limits:acme/newsletter:enforced"
    id = await moving.start(shares=[50, 100])
    assert (await moving.look())["share"] == 0
    await moving.changes.advance(id, [enforced], actor="ann", because="small tenant")
    await moving.changes.hold(id, actor="ann", because="wait for monday")
    await moving.later(100)
    assert (await moving.look())["state"] == "held"
    with pytest.raises(Conflict):
        await moving.changes.finish(id, actor="ann", because="done")
    every = ["time", "mails", *(f"gate:{m}" for m in ("unreported", "undelivered", "bounced", "delayed"))]
    every.append(enforced)
    with pytest.raises(Conflict, match="It is at 50 percent, and 100 comes next, not 50"):
        await moving.changes.advance(id, every, to=50, actor="ann", because="the same request again")
    assert await moving.shares() == {"shared": 50, "isolated": 50}
    await moving.changes.advance(id, every, to=100, actor="ann", because="monday")
    assert (await moving.row())["state"] == "standing"
    assert await moving.shares() == {"shared": 0, "isolated": 100}
    await moving.changes.back(id, actor="ann", because="customers complain")
    assert await moving.shares() == {"shared": 100, "isolated": 0}
    await moving.changes.advance(id, ["rest", enforced], actor="ann", because="again")
    await moving.changes.advance(id, every, actor="ann", because="again")
    drop = [Step(kind=StepKind.DROP_PATH, tenant="acme", type="newsletter")]
    with pytest.raises(Conflict, match=f"mailcordon rollout finish {id}"):
        await moving.plans.make(drop, actor="ann", because="now")
    await moving.changes.finish(id, actor="ann", because="a month without a breach")
    first = (await moving.row())["plan"]
    # Until the plan is applied there is a way back, and the plan cannot be applied after it.
    await moving.changes.back(id, actor="ann", because="not yet")
    with pytest.raises(Conflict, match=f"rollout {id} moves acme/newsletter"):
        await moving.plans.apply(first, actor="ann")
    await moving.changes.advance(id, ["rest", enforced], actor="ann", because="again")
    await moving.changes.advance(id, every, actor="ann", because="again")
    for _ in range(2):  # a second one, if the first plan was made on what is no longer there
        await moving.changes.finish(id, actor="ann", because="a month without a breach")
    await moving.look()
    row = await moving.row()
    assert (row["state"], row["plan"] > first) == ("finishing", True)
    await moving.plans.apply(row["plan"], actor="ann")
    await moving.look()
    assert (await moving.row())["state"] == State.FINISHED
    with pytest.raises(Conflict, match="no way back"):
        await moving.changes.back(id, actor="ann", because="too late")


async def test_a_way_back_that_meets_a_plan_that_drops_the_path_changes_nothing(moving: Moving) -> None:
    """The shared path is deleted, and the deletion is not committed yet."""
    id = await moving.start()
    await moving.world.connection.execute(
        "update rollout set state = 'finishing', share = 100;"
        " update route set share = case path when 'isolated' then 100 else 0 end"
    )
    connection = moving.world.connection
    drop = connection.transaction()
    await drop.start()
    await connection.execute("delete from route where lane = $1 and path = 'shared'", moving.lane)
    back = asyncio.create_task(moving.changes.back(id, actor="ann", because="customers complain"))
    waits = "select exists (select from pg_locks where not granted)"
    async with connection_pool.acquire(moving.pool) as other:
        while not await other.fetchval(waits):
            await asyncio.sleep(0.01)
    await drop.commit()
    with pytest.raises(Conflict):
        await back
    assert await moving.shares() == {"isolated": 100}
    assert (await moving.look())["state"] == State.FINISHED


async def test_nobody_else_changes_what_a_rollout_moves_or_compares(moving: Moving) -> None:
    await moving.start()
    await moving.look()
    id = (await moving.row())["id"]
    store = PathStore(moving.pool)
    with pytest.raises(Conflict, match=f"Rollout {id} sets the shares of acme/newsletter"):
        await store.set_shares({moving.lane: 30}, actor="ann", because="faster")
    lane = await paths.lane(store, "acme", "newsletter")
    for to in ("isolated", "shared"):
        with pytest.raises(Conflict, match=f"mailcordon rollout cancel {id}"):
            await paths.move(store, lane, to, actor="ann", because="faster")
    for step in (
        steps.set_topology("acme", dedicated=True, ses_tenants="one"),
        Step(kind=StepKind.DROP_PATH, tenant="acme", type="newsletter"),
        Step(kind=StepKind.MOVE_LANE, tenant="acme", type="newsletter", to="other.acme.example"),
    ):
        with pytest.raises(Conflict):
            await moving.plans.make([step], actor="ann", because="tidy")
    assert await moving.shares() == {"shared": 99, "isolated": 1}
    # Whoever leaves may leave.
    plan = await moving.plans.make(
        [Step(kind=StepKind.RETIRE_LANE, tenant="acme", type="newsletter")], actor="ann", because="gone"
    )
    assert plan.id is not None
    await moving.plans.apply(plan.id, actor="ann")
    row = await moving.look()
    assert (row["state"], row["sentence"]) == ("cancelled", "Given up: its lanes were retired.")


@pytest.mark.parametrize("part", ["domain", "ses_tenant", "ip_pool"])
async def test_a_proof_counts_for_the_whole_route(moving: Moving, part: str) -> None:
    await moving.world.connection.execute(
        "update proof set parts = parts || jsonb_build_object($1::text, 'x')", part
    )
    await moving.start()
    row = await moving.look()
    assert (row["share"], row["verdict"]) == (0, "wait")
    assert "That events of acme/newsletter come back to it is not shown now: proved" in row["sentence"]


async def test_no_share_grows_in_a_freeze(moving: Moving) -> None:
    now = await moving.store.now_ms()
    freeze = await moving.changes.freeze("acme", now - 1, now + HOUR, actor="ann", because="black friday")
    await moving.changes.freeze("acme", now - HOUR, now - 1, actor="ann", because="long over")
    await moving.start()
    assert "black friday" in (await moving.look())["sentence"]
    await moving.changes.unfreeze(freeze, actor="ann", because="it is over")
    assert (await moving.look())["share"] == 1
    with pytest.raises(NotFound):
        await moving.changes.unfreeze(freeze, actor="ann", because="again")
    with pytest.raises(Invalid):
        await moving.changes.freeze(None, now, now, actor="ann", because="never")


async def test_a_dry_run_changes_nothing_and_says_what_is_missing(moving: Moving) -> None:
    await moving.world.connection.execute("delete from proof")
    preview = await moving.changes.preview("acme", None, None)
    [lane] = preview.lanes
    assert lane.old is not None
    assert (lane.new.domain, lane.old.domain) == ("newsletter.acme.example", "mail.platform.example")
    assert preview.decision.blocked_by == ("proved:acme/newsletter",)
    assert await moving.row() is None
