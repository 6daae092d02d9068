"""The control plane's routes on a real database, in the test's own event loop."""

import asyncio
import contextlib
import dataclasses
import functools
import itertools
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.access_key_store import AccessKeyStore
from mailcordon.adapters.db.advice_store import AdviceStore, PriceFile
from mailcordon.adapters.db.audit_store import AuditReader
from mailcordon.adapters.db.backtest_store import BacktestStore
from mailcordon.adapters.db.breaker_reader import BreakerEditor, BreakerReader
from mailcordon.adapters.db.claim_store import ClaimStore
from mailcordon.adapters.db.control_reader import ControlReader
from mailcordon.adapters.db.control_store import ControlStore
from mailcordon.adapters.db.dkim_key_store import DkimKeyStore
from mailcordon.adapters.db.erasure_store import ErasureStore
from mailcordon.adapters.db.feedback_reader import FeedbackReader
from mailcordon.adapters.db.finding_store import FindingStore
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.identity_check_store import IdentityCheckStore
from mailcordon.adapters.db.incident_reader import IncidentEditor, IncidentReader
from mailcordon.adapters.db.isolation_store import IsolationStore
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.lifecycle_store import LifecycleStore
from mailcordon.adapters.db.objective_store import ObjectiveReader
from mailcordon.adapters.db.outside_signal_store import OutsideSignalReader, OutsideSignalStore
from mailcordon.adapters.db.pacing_reader import PacingReader
from mailcordon.adapters.db.path_store import PathStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.policy_store import PolicyStore
from mailcordon.adapters.db.pool_store import PoolStore
from mailcordon.adapters.db.proof_store import ProofStore
from mailcordon.adapters.db.rehearsal_store import RehearsalStore
from mailcordon.adapters.db.release_store import ReleaseStore
from mailcordon.adapters.db.rollout_reader import RolloutReader
from mailcordon.adapters.db.rollout_store import RolloutStore
from mailcordon.adapters.db.secrets import make_secret_key
from mailcordon.adapters.db.tenant_facts import PostgresFacts
from mailcordon.adapters.db.tenant_store import TenantStore
from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.adapters.dns.reply import Server
from mailcordon.adapters.dns.resolver import Resolver
from mailcordon.adapters.http import control, server
from mailcordon.app import people
from mailcordon.config.dashboard import DashboardSettings
from mailcordon.control import desired
from mailcordon.control.access_keys import AccessKeys, SetName
from mailcordon.control.advice.advisor import Advisor
from mailcordon.control.backtests import Backtests
from mailcordon.control.claims import Claims
from mailcordon.control.dkim_keys import DkimKeys
from mailcordon.control.erasure import ErasureRequests
from mailcordon.control.findings import Findings
from mailcordon.control.governor import Governor
from mailcordon.control.identity_checks import IdentityChecks
from mailcordon.control.identity_records import IdentityRecords
from mailcordon.control.ip_pools import IpPools
from mailcordon.control.isolation import Isolation
from mailcordon.control.key_cache import KeyCache
from mailcordon.control.keys import Keys
from mailcordon.control.lifecycle import Lifecycle
from mailcordon.control.outside_signals import OutsideSignals
from mailcordon.control.plans import Plans
from mailcordon.control.policies import Policies
from mailcordon.control.proofs import Proofs
from mailcordon.control.rehearsals import Rehearsals
from mailcordon.control.rollouts.changes import Changes as RolloutChanges
from mailcordon.control.rollouts.loop import Rollouts
from mailcordon.control.steps import Step, StepKind
from mailcordon.control.tenant_facts import FactKeeper
from mailcordon.control.tenants import Tenants
from mailcordon.control.views import Viewer
from mailcordon.guard.breaker.nouns import Phase, Standing
from mailcordon.guard.delays import Signal
from mailcordon_fixtures.written_dns import WrittenDns

SETTINGS = desired.Settings(
    outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    engagement_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-engagement",
    local=True,
)


SUFFIXES = PublicSuffixes()
#: Links of people: prefix, table, and what is special of it.
PEOPLE = (
    ("kkkkkkkk", "sign_in_link", "person, role", "'kim', 'admin'"),
    ("vvvvvvvv", "view_link", "tenant, name", "id, 'lee'"),
)
CopyOf = Callable[..., contextlib.AbstractAsyncContextManager[Any]]


def rollout_changes(control: engine.Pool, plans: Plans) -> RolloutChanges:
    store = RolloutStore(control)
    return RolloutChanges(store, Rollouts(store, PathStore(control)), plans)


#: The services and the keys of the test that runs; none between tests.
_running: dict[str, Any] = {}


class _Running:
    """Stands for a service of whichever test runs, or for a part of it. The routes are made once, over these: Litestar takes a
    tenth of a second of CPU to make them."""

    def __init__(self, find: Callable[[], Any]) -> None:
        self._find = find

    def __getattr__(self, name: str) -> Any:
        if not _running:  # the routes are being made
            return _Running(lambda: getattr(self._find(), name))
        return getattr(self._find(), name)

    def __call__(self, *given: Any, **named: Any) -> Any:
        return self._find()(*given, **named)


@functools.cache
def application() -> Litestar:
    assert not _running  # else the routes would keep parts of one test's
    services: dict[str, Any] = {
        one.name: _Running(lambda name=one.name: getattr(_running["services"], name))
        for one in dataclasses.fields(control.ControlServices)
    }
    keys: Any = _Running(lambda: _running["keys"])
    return server.application(keys, control.routes(control.ControlServices(**services)))


class ControlWorld:
    def __init__(
        self,
        database: Any,
        client: httpx.AsyncClient,
        keys: Keys,
        app: Litestar,
        owner: engine.Connection,
        governor: Governor,
        key_store: KeyStore,
    ) -> None:
        self.cache = KeyCache(key_store, clock=lambda: self.now)
        self.database = database
        self.client = client
        self.keys = keys
        self.app = app
        self.owner = owner
        self.governor = governor
        self.tenant_keys: dict[str, str] = {}
        self.spare = ""
        self.plan = 0  #: a proposed plan of acme
        self.policy_plan = 0  #: a proposed plan of the policy
        self.proof = 0  #: of acme, ended
        self.finding = 0  #: an open finding
        self.release = 0  #: of acme, not over
        self.rollouts: dict[str, int] = {}  #: of acme, by state
        self.freeze = 0
        self.incident = 0  #: an open incident of acme
        self.decision = 0  #: an open decision of the breaker about acme
        self.held = 0  #: an open decision that holds the lane of another tenant
        self.now = time.time()  #: of the key cache's clock

    async def key(self, tenant: str | None, *scopes: str) -> str:
        _, text = await self.keys.create(tenant=tenant, name="t", scopes=scopes, actor="test")
        return text

    async def ask(self, endpoint: tuple[Any, ...], key: str | None) -> Any:
        method, path, body, *_ = endpoint
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        return await self.client.request(
            method,
            path.replace("{prefix}", self.spare)
            .replace("{plan}", str(self.plan))
            .replace("{policy_plan}", str(self.policy_plan))
            .replace("{proof}", str(self.proof))
            .replace("{finding}", str(self.finding))
            .replace("{held}", str(self.held))
            .replace("{incident}", str(self.incident))
            .replace("{release}", str(self.release))
            .replace("{rollout}", str(self.rollouts.get("running")))
            .replace("{held_rollout}", str(self.rollouts.get("held")))
            .replace("{standing_rollout}", str(self.rollouts.get("standing")))
            .replace("{freeze}", str(self.freeze))
            .replace("{decision}", str(self.decision)),
            json=body,
            headers=headers,
        )

    async def everything(self) -> list[Any]:
        tables = (
            "tenant",
            "lane",
            "hold",
            "message_type",
            "ledger",
            "plan",
            "policy_version",
            "tenant_fact",
            "lane_policy",
            "send_limit",
            "proof",
            "proof_mail",
            "domain_claim",
            "shared_parent",
            "dkim_key",
            "breaker_decision",
            "breaker_lane",
            "rollout",
            "rollout_freeze",
            "access_key",
            "ses_door_set",
            "sign_in_link",
            "person_session",
            "view_link",
            "audit",
            "api_key",
        )
        return [[tuple(r) for r in await self.owner.fetch(f"select * from {t} order by 1")] for t in tables]


@contextlib.asynccontextmanager
async def opened(database: Any) -> AsyncIterator[tuple[ControlWorld, control.ControlServices]]:
    owner = await engine.connect(database.dsn("owner"))
    pools = {role: await engine.create_pool(database.dsn(role)) for role in ("control", "governor", "reader")}
    governor = Governor(GovernorStore(pools["governor"]))
    store, key_store = ControlStore(pools["control"]), KeyStore(pools["control"])
    keys = Keys(key_store)
    plans = Plans(PlanStore(pools["control"]), governor, SETTINGS)
    dkim = DkimKeys(DkimKeyStore(pools["control"], [make_secret_key()], pools["reader"]))
    services = control.ControlServices(
        reads=ControlReader(pools["control"], pools["reader"]),
        tenants=Tenants(TenantStore(pools["control"]), plans, local=True),
        types=store,
        keys=keys,
        access_keys=AccessKeys(AccessKeyStore(pools["control"], [make_secret_key()])),
        people=people.services(pools["control"], DashboardSettings(url="https://mail.platform.example")),
        audit=AuditReader(pools["control"], pools["reader"]),
        governor=governor,
        plans=plans,
        lifecycle=Lifecycle(plans, LifecycleStore(pools["control"]), local=True),
        erasures=ErasureRequests(
            ControlReader(pools["control"], pools["reader"]), ErasureStore(pools["control"])
        ),
        findings=Findings(FindingStore(pools["control"]), governor),
        records=IdentityRecords(
            ControlReader(pools["control"], pools["reader"]), dkim, SUFFIXES, region="us-east-1"
        ),
        advisor=Advisor(AdviceStore(pools["control"]), plans, PriceFile(Path("/nonexistent")).read),
        pools=IpPools(PoolStore(pools["control"]), plans),
        isolation=Isolation(
            ControlReader(pools["control"], pools["reader"]),
            IsolationStore(pools["control"]),
            SUFFIXES,
            topic=SETTINGS.outcome_topic_arn,
        ),
        dkim=dkim,
        claims=Claims(
            ClaimStore(pools["control"], pools["reader"]),
            plans,
            lambda: Resolver([Server("127.0.0.1", 9)], seconds=0.2).check(authoritative=True),
        ),
        checks=IdentityChecks(
            IdentityCheckStore(pools["control"], pools["reader"]),
            ControlReader(pools["control"], pools["reader"]),
            governor,
            lambda _: WrittenDns({}),
            SUFFIXES,
            region="us-east-1",
            clock=_half_a_minute_later,
        ),
        proofs=Proofs(ProofStore(pools["control"], pools["reader"])),
        feedback=FeedbackReader(pools["control"], pools["reader"]),
        incidents=IncidentReader(pools["control"], pools["reader"]),
        incident_changes=IncidentEditor(pools["control"]),
        breaker=BreakerReader(pools["control"], pools["reader"]),
        breaker_changes=BreakerEditor(pools["control"]),
        objectives=ObjectiveReader(pools["control"], pools["reader"]),
        policies=Policies(PolicyStore(pools["control"])),
        facts=FactKeeper(PostgresFacts(pools["control"])),
        pacing=PacingReader(pools["control"], pools["reader"]),
        pacing_changes=ReleaseStore(pools["control"]),
        rollouts=RolloutReader(pools["control"], pools["reader"]),
        rollout_changes=rollout_changes(pools["control"], plans),
        paths=PathStore(pools["control"]),
        backtests=Backtests(BacktestStore(pools["control"])),
        rehearsals=Rehearsals(RehearsalStore(pools["control"])),
        outside=OutsideSignals(OutsideSignalStore(pools["control"])),
        signals=OutsideSignalReader(pools["control"], pools["reader"]),
    )
    app = application()
    _running.update(services=services, keys=KeyCache(key_store))
    # In this loop, where the pools live.
    transport = httpx.ASGITransport(app)  # pyright: ignore[reportArgumentType]
    try:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield ControlWorld(database, client, keys, app, owner, governor, key_store), services
    finally:
        _running.clear()
    for pool in pools.values():
        await pool.close()
    await owner.close()


_CLOCK = itertools.count(int(time.time() * 1000), 30_000)


async def _half_a_minute_later() -> int:
    """Each look is later than the one before, so that a domain can be checked as often as a test likes."""
    return next(_CLOCK)


async def furnish(world: ControlWorld, services: control.ControlServices) -> None:
    for slug in ("acme", "zen"):
        made = await services.tenants.onboard(slug, {"newsletter": f"news.{slug}.example"}, actor="test")
        world.tenant_keys[slug] = made.key_text or ""
    key, _ = await services.keys.create(tenant=None, name="spare", scopes=["send"], actor="test")
    world.spare = key.prefix
    await services.access_keys.put_set(SetName(name="old-set", type="newsletter", tenant=None), actor="test")
    await world.owner.execute(
        "insert into access_key (id, api_key, secret, made_by)"
        " select 'MCAKAAAAAAAAAAAAAAAA', id, 'sealed', 'test' from api_key where prefix = $1",
        world.spare,
    )
    for prefix, table, columns, values in PEOPLE:
        await world.owner.execute(
            f"insert into {table} (prefix, hash, made_by, expires_at, {columns})"
            f" select $1, sha256($1::text::bytea), 'test', now() + interval '1 day', {values} from tenant where slug = 'acme'",
            prefix,
        )
    await world.owner.execute(
        "insert into person_session (prefix, hash, person, role, way, subject, idle, expires_at)"
        " values ('ssssssss', sha256('s'), 'kim', 'admin', 'link', 'tttttttt', interval '1 day', now() + interval '1 day')"
    )
    # A retired tenant, whose personal data was asked to be erased.
    await world.owner.execute(
        "insert into tenant (key, slug, retiring_at, retired_at) values ('mc-aaaaaaaa', 'gone', now(), now())"
    )
    await world.owner.execute(
        "insert into erasure (tenant, requested_by, because) select id, 'ann', 'asked to' from tenant where slug = 'gone'"
    )
    world.proof = await world.owner.fetchval(
        "insert into proof (tenant, lane, asked_at, asked_by, limit_ms, ended_at, proved, counts, because)"
        " select l.tenant, l.id, now_ms(), 'test', 60000, now_ms(), true, true, 'all of acme' from lane l"
        " join tenant t on t.id = l.tenant where t.slug = 'acme' returning id"
    )
    spare = Step(kind=StepKind.ADD_DOMAIN, tenant="acme", domain="old.acme.example")
    planned = await services.plans.make([spare], actor="test")
    await services.plans.apply(planned.id or 0, actor="test")
    await services.claims.share("platform.example", actor="test", because="ours")
    await world.owner.execute(
        "select begin_release(l.tenant, l.id, 'campaign', 'old-sale', 1500, false, 'size', 'enforce', 'steps') from lane l"
        " join tenant t on t.id = l.tenant join message_type y on y.id = l.type where t.slug = 'acme' and y.name = 'newsletter'"
    )
    world.release = await world.owner.fetchval("select id from release")
    for state, share in (("running", 0), ("held", 0), ("standing", 100)):
        world.rollouts[state] = await world.owner.fetchval(
            "insert into rollout (tenant, state, share, shares, began_by, because)"
            " select id, $1, $2, '{1,100}', 'ann', 'acme moves' from tenant where slug = 'acme' returning id",
            state,
            share,
        )
    world.freeze = await world.owner.fetchval(
        "insert into rollout_freeze (since, until, by, because) values (0, 9e12, 'ann', 'sale') returning id"
    )
    await world.owner.execute(
        "insert into ip_pool (name, managed, marketing, owner, because, created_by)"
        " values ('bulk', true, true, 'ops', 'x', 'test')"
    )
    await world.owner.execute(
        "insert into ip_pool_member (pool, marketing, tenant, class, because, added_by)"
        " select 'bulk', true, id, 2, 'x', 'test' from tenant where slug = 'zen'"
    )
    world.finding = await world.owner.fetchval(
        "insert into finding (kind, severity, resource_kind, resource, detail, row_kind, row_name) values"
        " ('extra-set', 'low', 'configuration-set', 'old-set', '{\"name\": \"old-set\"}', 'list', 'configuration-set')"
        " returning id"
    )
    world.incident = await world.owner.fetchval(
        "insert into incident (kind, cause, severity, scope, name, tenant, sentence, next, since, opened_at, seen_at,"
        " cause_seen_at) select 'rates', 'tenant:acme', 'high', 'tenant', 'acme', id, 'acme bounces', 'look', 1, 1, 1, 1"
        " from tenant where slug = 'acme'"
        " returning id"
    )
    world.decision = await world.owner.fetchval(
        "insert into breaker_decision (tenant, lane, part, signal, half, level, mode, at, since, seen, done, document)"
        " select l.tenant, l.id, 'list:bought', 'bounces', 'absolute', 3, 'shadow', 1, 1, 'acme bounces', 'Nothing is held.',"
        " '{}'"
        " from lane l join tenant t on t.id = l.tenant join message_type y on y.id = l.type"
        " where t.slug = 'acme' and y.name = 'newsletter' returning id"
    )
    world.held = await world.owner.fetchval(
        "insert into breaker_decision (tenant, lane, part, signal, half, level, mode, at, since, seen, done, document)"
        " select l.tenant, l.id, '', 'bounces', 'absolute', 3, 'enforce', 1, 1, 'zen bounces', 'Held.', '{}'"
        " from lane l join tenant t on t.id = l.tenant join message_type y on y.id = l.type"
        " where t.slug = 'zen' and y.name = 'newsletter' returning id"
    )
    standing = Standing(
        lane=1, guilty=(), signal=Signal.BOUNCES, phase=Phase.CORDONED, since=1, decided=1, failed_probes=0
    )
    await world.owner.execute(
        "insert into breaker_standing (lane, part, signal, document)"
        " select lane, part, signal, $1 from breaker_decision where id = $2",
        msgspec.json.encode(standing).decode(),
        world.held,
    )
    await services.checks.now(Viewer(None), "news.acme.example", reread=False)
    more = Step(kind=StepKind.ADD_LANE, tenant="acme", type="invoice", to="news.acme.example")
    world.plan = (await services.plans.make([more], actor="test")).id or 0
    strict = await services.policies.make({"tenants": {"acme": "strict"}}, actor="test")
    world.policy_plan = strict.id or 0


@pytest.fixture(scope="session")
def furnished(copy_of: CopyOf, template: Any) -> tuple[Any, ControlWorld]:
    """A database with what the tests of the routes begin with, of which each gets a copy, and what is known of it."""

    async def make() -> tuple[Any, ControlWorld]:
        async with copy_of(template.database, keep=True) as database:
            async with opened(database) as (world, services):
                await furnish(world, services)
            return database, world

    return asyncio.run(make())


@pytest.fixture
async def world(copy_of: CopyOf, furnished: tuple[Any, ControlWorld]) -> AsyncIterator[ControlWorld]:
    original, known = furnished
    async with copy_of(original) as database, opened(database) as (world, _):
        world.tenant_keys = dict(known.tenant_keys)
        world.spare, world.plan, world.finding = known.spare, known.plan, known.finding
        world.proof, world.incident, world.decision = known.proof, known.incident, known.decision
        world.policy_plan, world.held = known.policy_plan, known.held
        world.release = known.release
        world.rollouts, world.freeze = known.rollouts, known.freeze
        yield world
