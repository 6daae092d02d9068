"""`./dev bench control`: what the control plane costs in management calls to SES, and whom a long queue of them delays.

It has a PostgreSQL of its own and the local SES in this process. Calls are counted at the client. Waits are measured with the
real control role at a rate of calls that is several times AWS's, with all its intervals as short in proportion, and are given as
at one call a second.
"""

import argparse
import asyncio
import contextlib
import json
import resource
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from bench import command, cpu
from bench.system import PATIENCE, Failed, temporary_home
from mailcordon import config as configs
from mailcordon.adapters.db import engine, migrate
from mailcordon.adapters.db.beside_store import BesideStore
from mailcordon.adapters.db.embedded import EmbeddedPostgres
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.provision_store import ProvisionStore, make_due
from mailcordon.adapters.db.tenant_store import TenantStore
from mailcordon.adapters.ses.administer import Administer
from mailcordon.app import control, wiring
from mailcordon.control.beside import LIST_COVERS_SECONDS, Beside
from mailcordon.control.call_budget import Rates
from mailcordon.control.governor import Governor
from mailcordon.control.plans import Plans
from mailcordon.control.reconcile import Pace, Reconciler
from mailcordon.control.scan import Scan, Size
from mailcordon.control.steps import Step, StepKind, add_tenant
from mailcordon.control.tenants import Onboarded, Tenants
from mailcordon.control.work import WORK_OF_ROWS, Work
from mailcordon.core.errors import Unavailable
from seslocal import server
from seslocal.state.settings import Settings

#: Domains of the tenant whose calls are counted, by message type: two classes.
_TYPES = {"password-reset": "mail.{}.example", "newsletter": "news.{}.example"}
_RATE = 5.0  #: calls a second; the local intervals are a fifth of AWS's, so that a fifth of a second stands for one
_DECISIONS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """Management calls for one tenant with two types and two domains."""

    make: int
    check: int  #: beside SES's lists, which show 100 of a kind in one call
    repair: int  #: after its suppression list was switched off behind our back


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    tenants: int
    resources: int
    calls: Mapping[str, Calls]  #: by topology
    scan_hours: float  #: at one call a second
    plan_seconds: float  #: CPU of ours and of PostgreSQL for a plan without a change
    apply_seconds: float  #: to write a plan of all tenants
    start_seconds: float  #: CPU to derive again what SES should have, at each start of the control role
    decide_ms: float  #: median over the kinds of work with everything due, the slowest kind
    decide_ms_most: float
    newcomer_first: Sequence[float] = field(
        default_factory=tuple[float, ...]
    )  #: seconds at one call a second
    newcomer_ready: Sequence[float] = field(default_factory=tuple[float, ...])
    urgent_first: Sequence[float] = field(default_factory=tuple[float, ...])


@dataclass
class Made:
    """A call that was made."""

    at: float
    operation: str
    tenant: int | None
    work: Work


@dataclass
class World:
    home: Path
    postmaster: int
    local: server.Local
    config: configs.Config
    owner: engine.Connection
    pool: engine.Pool
    governor: Governor
    plans: Plans
    store: ProvisionStore
    calls: list[Made] = field(default_factory=list[Made])

    @property
    def tenants(self) -> Tenants:
        return Tenants(TenantStore(self.pool), self.plans, local=True)

    def spent(self) -> float:
        """CPU seconds of this process and of PostgreSQL."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        tree = cpu.Tree(self.postmaster, {"postgres": self.postmaster})
        return own.ru_utime + own.ru_stime + sum(tree.sample().seconds.values())


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench control", description=__doc__)
    parser.add_argument("--tenants", type=int, default=10_000, help="that all wait (default %(default)s)")
    parser.add_argument("--newcomers", type=int, default=5, help="and urgent repairs (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print a line for machines too")
    options = parser.parse_args(argv)
    # PostgreSQL is started as its own user, which uvloop cannot do.
    return command.run(
        _measured(options.tenants, options.newcomers), json=options.json, loop=asyncio.new_event_loop
    )


async def _measured(tenants: int, newcomers: int) -> tuple[str, str]:
    async with _world() as world:
        result = await measure(world, tenants, newcomers)
    return table(result), json.dumps(asdict(result))


async def measure(world: World, tenants: int, newcomers: int, say: Callable[[str], None] = print) -> Result:
    say("counting the calls of one tenant in each topology")
    calls = {
        name: await _count(world, name, dedicated=name == "dedicated") for name in ("shared", "dedicated")
    }
    say(f"planning and applying {tenants} tenants")
    apply_seconds = await _fill(world, tenants)
    say("measuring a plan without a change, and what is due next")
    plan_seconds = await _plan_without_change(world)
    start_seconds = await _start(world)
    decide = await _decide(world)
    size = await world.store.size()
    scan = Scan(Rates(per_second=1.0))
    scan.size = Size(rows=size.rows, shared=size.shared)
    rows = len(_TYPES) + 3  # a domain each, the SES tenant, its policy and its associations
    for row in range(1, 1001):
        scan.looked(calls=round(row * calls["shared"].check / rows))
    say(f"onboarding {newcomers} newcomers, and repairing as often, while everything waits")
    first, ready, urgent = await _waits(world, newcomers)
    return Result(
        tenants=tenants,
        resources=size.rows + size.shared,
        calls=calls,
        scan_hours=scan.period() / 3600,
        plan_seconds=plan_seconds,
        apply_seconds=apply_seconds,
        start_seconds=start_seconds,
        decide_ms=median(decide.values()),
        decide_ms_most=max(decide.values()),
        newcomer_first=first,
        newcomer_ready=ready,
        urgent_first=urgent,
    )


# Calls of one tenant ----------------------------------------------------------------------------------------------------


async def _count(world: World, name: str, *, dedicated: bool) -> Calls:
    reconciler = Reconciler(world.store, _ses(world), world.governor, Pace(retry=0.05, identity=0.0))
    await _settle(world, reconciler)  # what all tenants share
    world.calls.clear()
    types = {type: domain.format(name) for type, domain in _TYPES.items()}
    done = await world.tenants.onboard(name, types, actor="bench", dedicated=dedicated)
    await _settle(world, reconciler)
    make = _of(world, done.tenant)
    await _due(world, done.tenant)
    await _settle(world, reconciler)
    await _lists(world)  # what they show to be right is not read by itself for a day
    await world.owner.execute(
        "update ses_resource set next_try_at = now(), work = 'scan'"
        " where tenant = $1 and next_try_at < now() + interval '1 h'",
        done.tenant,
    )
    world.calls.clear()
    await _settle(world, reconciler)
    check = _of(world, done.tenant)
    key = await world.owner.fetchval("select key from tenant where id = $1", done.tenant)
    await _ses(world).put_tenant_suppression(key, scope="TENANT", reasons=["BOUNCE"])
    world.calls.clear()
    await _due(world, done.tenant, "tenant")
    await _settle(world, reconciler)
    if not any(call.operation == "PutTenantSuppressionAttributes" for call in world.calls):
        raise Failed("what was switched off was not repaired")
    return Calls(make=make, check=check, repair=_of(world, done.tenant))


def _of(world: World, tenant: int) -> int:
    return sum(call.tenant == tenant for call in world.calls)


async def _lists(world: World) -> None:
    """Reads SES's lists, which show 100 of a kind in one call."""
    beside = Beside(BesideStore(world.pool), _ses(world), cell="bench", recheck=LIST_COVERS_SECONDS)
    await beside.round()


async def _due(world: World, tenant: int, kind: str | None = None) -> None:
    """Makes what is recorded of a tenant due for a check."""
    await world.owner.execute(
        "update ses_resource set next_try_at = now(), work = 'scan' where tenant = $1 and kind = coalesce($2, kind)",
        tenant,
        kind,
    )


async def _settle(world: World, reconciler: Reconciler) -> None:
    deadline = time.monotonic() + PATIENCE
    while await reconciler.step() or await world.owner.fetchval(
        "select exists (select from ses_resource where state <> 'applied' and next_try_at < now() + interval '5 s')"
    ):
        if time.monotonic() > deadline:
            rows = await world.owner.fetch(
                "select kind, name, error from ses_resource where state <> 'applied'"
            )
            raise Failed(f"the local SES is not as it should be: {[tuple(row) for row in rows]}")
        await asyncio.sleep(0.01)


# Ten thousand tenants ---------------------------------------------------------------------------------------------------


async def _fill(world: World, tenants: int) -> float:
    """Applies one plan that adds the tenants. Returns the CPU seconds that it took."""
    asked: list[Step] = []
    for number in range(tenants):
        slug = f"t{number}"
        asked.append(add_tenant(slug))
        asked.append(Step(kind=StepKind.ADD_LANE, tenant=slug, type="newsletter", to=f"mail.{slug}.example"))
    before = world.spent()
    made = await world.plans.make(asked, actor="bench")
    if made.id is None:
        raise Failed("the plan changes nothing")
    await world.plans.apply(made.id, actor="bench")
    spent = world.spent() - before
    await world.owner.execute("analyze")
    return spent


async def _plan_without_change(world: World) -> float:
    """As if SES had everything: what is pending is compared with the whole of it."""
    await world.owner.execute(
        "create table bench_state as select kind, name, state, observed from ses_resource"
    )
    await world.owner.execute(
        "update ses_resource set state = 'applied', observed = desired where observed is null"
    )
    before = world.spent()
    made = await world.plans.make(None, actor="bench")
    spent = world.spent() - before
    if made.id is not None:
        raise Failed(f"a plan without a change has {made.counts}")
    await world.owner.execute(
        "update ses_resource r set state = b.state, observed = b.observed from bench_state b"
        " where b.kind = r.kind and b.name = r.name"
    )
    await world.owner.execute("drop table bench_state")
    return spent


async def _start(world: World) -> float:
    before = world.spent()
    await world.plans.want_everything(wiring.settings(world.config))
    return world.spent() - before


async def _decide(world: World) -> dict[Work, float]:
    """Median milliseconds to find the next row of each kind of work, with everything due."""
    found: dict[Work, float] = {}
    for work in WORK_OF_ROWS:
        await world.owner.execute(
            "update ses_resource set work = $1, next_try_at = now() - interval '1 h'", work
        )
        await world.owner.execute("vacuum analyze ses_resource")
        times: list[float] = []
        for _ in range(_DECISIONS):
            began = time.perf_counter()
            rows = await world.store.due(1, work, newest=work is Work.ONBOARDING)
            times.append((time.perf_counter() - began) * 1000)
            if not rows:
                raise Failed(f"nothing is due as {work}")
        found[work] = median(times)
    return found


# Who waits --------------------------------------------------------------------------------------------------------------


async def _waits(world: World, times: int) -> tuple[list[float], list[float], list[float]]:
    """Everything waits: a third as bulk, a third as repair, a third for the scan. Each newcomer and each urgent repair comes
    alone. Seconds as at one call a second."""
    await world.owner.execute(
        "update ses_resource set work = (array['bulk', 'repair', 'scan'])[1 + tenant % 3], attempts = 0,"
        " next_try_at = now() - interval '1 h', due_since = null where tenant is not null"
    )
    stop = asyncio.Event()
    role = asyncio.create_task(control.run(world.config, stop))
    first, ready, urgent = list[float](), list[float](), list[float]()
    try:
        await _until(world, lambda call: call.work in (Work.BULK, Work.REPAIR), 0.0, role)
        await _onboard(world, "warm-up")  # the role has just started
        await _none(world, "work = 'onboarding'")
        for number in range(times):
            began, done = await _onboard(world, f"new{number}")
            call = await _until(world, lambda call, id=done.tenant: call.tenant == id, began, role)
            first.append((call.at - began) * _RATE)
            await _none(world, f"tenant = {done.tenant} and state <> 'applied'")
            ready.append((time.monotonic() - began) * _RATE)
            lane = await world.owner.fetchval("select id from lane where tenant = $1", done.tenant)
            began = time.monotonic()
            async with world.pool.acquire() as connection:
                await make_due(connection, lane)
            call = await _until(world, lambda call: call.work is Work.URGENT, began, role)
            urgent.append((call.at - began) * _RATE)
            await _none(world, "work = 'urgent'")
    finally:
        stop.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await role
    return first, ready, urgent


async def _onboard(world: World, slug: str) -> tuple[float, Onboarded]:
    """Returns when it was asked for, and what was answered. A control role that has just started holds onboarding up for a
    while."""
    deadline = time.monotonic() + 5 * PATIENCE
    while True:
        began = time.monotonic()
        try:
            types = {"newsletter": f"mail.{slug}.example"}
            return began, await world.tenants.onboard(slug, types, actor="bench")
        except Unavailable as problem:
            if time.monotonic() > deadline:
                raise Failed(str(problem)) from None
            await asyncio.sleep(1)


async def _none(world: World, where: str) -> None:
    """Waits until no resource is like that."""
    deadline = time.monotonic() + 5 * PATIENCE
    query = f"select count(*) from ses_resource where {where}"
    while left := await world.owner.fetchval(query):
        if time.monotonic() > deadline:
            raise Failed(f"still {left} resources with {where}")
        await asyncio.sleep(0.01)


async def _until(
    world: World, wanted: Callable[[Made], bool], since: float, role: asyncio.Task[None]
) -> Made:
    deadline = time.monotonic() + 5 * PATIENCE
    while True:
        for call in world.calls:
            if call.at >= since and wanted(call):
                return call
        if role.done():
            raise Failed("the control role has ended")
        if time.monotonic() > deadline:
            raise Failed("the call that was waited for was not made")
        await asyncio.sleep(0.01)


# The world --------------------------------------------------------------------------------------------------------------


def _ses(world: World) -> Administer:
    return Administer(region="us-east-1", endpoint=world.local.url, access_key="test", secret_key="test")


@contextlib.asynccontextmanager
async def _world() -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as stack:
        home = stack.enter_context(temporary_home())
        postgres = EmbeddedPostgres(home, say=_quiet)
        await postgres.start()
        stack.push_async_callback(postgres.stop)
        dsns = (
            await migrate.migrate(postgres.dsn("mailcordon"), home=home, say=_quiet, own_cluster=True)
        ).dsns
        local = server.Local(Settings(), server.Clock())
        await local.listen("127.0.0.1", 0)
        stack.push_async_callback(local.close)
        local.account.queues.ensure("mailcordon-management")
        config = configs.read(
            {
                "MAILCORDON_HOME": str(home),
                "MAILCORDON_SES_ENDPOINT": local.url,
                "MAILCORDON_SES_CALLS_PER_SECOND": str(_RATE),
                **{configs.login_setting(login): dsns[login] for login in ("control", "governor")},
            },
            "control",
        )
        owner = await engine.connect(postgres.dsn("mailcordon"))
        stack.push_async_callback(owner.close)
        pool = await engine.create_pool(dsns["control"], answer_seconds=PATIENCE, statement_seconds=PATIENCE)
        stack.push_async_callback(pool.close)
        governors = await engine.create_pool(dsns["governor"])
        stack.push_async_callback(governors.close)
        governor = Governor(GovernorStore(governors))
        assert postgres.postmaster is not None
        world = World(
            home=home,
            postmaster=postgres.postmaster,
            local=local,
            config=config,
            owner=owner,
            pool=pool,
            governor=governor,
            plans=wiring.plans(config, pool, governor),
            store=ProvisionStore(pool),
        )
        await world.plans.want_everything(wiring.settings(config))
        with _recorded(world.calls):
            yield world


@contextlib.contextmanager
def _recorded(calls: list[Made]) -> Iterator[None]:
    """Notes each call when its turn has come."""
    made = Administer._call

    async def noted(self: Administer, operation: str, **members: Any) -> dict[str, Any]:
        result = await made(self, operation, **members)
        name = "".join(part.title() for part in operation.split("_"))
        calls.append(Made(time.monotonic(), name, self._tenant, self._work))
        return result

    Administer._call = noted
    try:
        yield
    finally:
        Administer._call = made


def _quiet(_: str) -> None: ...


# The report -------------------------------------------------------------------------------------------------------------


def table(result: Result) -> str:
    lines = ["", f"{'calls per tenant':24}{'to make':>10}{'to check':>10}{'to repair':>11}"]
    for topology, calls in result.calls.items():
        lines.append(f"{topology:24}{calls.make:10}{calls.check:10}{calls.repair:11}")
    lines += [
        "  a tenant with two types of two classes and two domains; to repair: its suppression list",
        "",
        f"{result.tenants:,} tenants, {result.resources:,} resources:",
        f"  each resource is read again within {result.scan_hours:.1f} h at one call a second",
        f"  a plan without a change: {result.plan_seconds:.1f} s of CPU, PostgreSQL's included (goal: 10)",
        f"  a plan that adds all of them, and its application: {result.apply_seconds:.1f} s of CPU",
        f"  what a start of the control role derives again: {result.start_seconds:.1f} s of CPU",
        f"  to decide what is due, everything being due: {result.decide_ms:.2f} ms in the median, {result.decide_ms_most:.2f} ms"
        " for the slowest kind of work (goal: 10)",
        "",
        f"while everything waits, at one call a second (median, most of {len(result.newcomer_first)}):",
        f"  a newcomer's first call: {_seconds(result.newcomer_first)} (goal: 10)",
        f"  a newcomer is set up: {_seconds(result.newcomer_ready)}",
        f"  an urgent repair's first call: {_seconds(result.urgent_first)} (goal: 5)",
    ]
    return "\n".join(lines)


def _seconds(values: Sequence[float]) -> str:
    return f"{median(values):.1f} s, {max(values):.1f} s"
