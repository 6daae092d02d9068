"""Onboarding on a real PostgreSQL: what it creates, what it refuses, and that repeating it changes nothing."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.plan_store import PlanStore
from mailcordon.adapters.db.tenant_store import TenantStore
from mailcordon.control import desired, keys
from mailcordon.control.governor import Governor
from mailcordon.control.plans import Plans
from mailcordon.control.tenants import Onboarded, Tenants
from mailcordon.core.errors import Conflict, Invalid, Unavailable
from mailcordon.core.hold import NewHold
from mailcordon.core.priority import Class
from mailcordon.core.target import Target
from mailcordon_fixtures.cases import case

TYPES = {"password-reset": "mail.acme.example", "newsletter": "news.acme.example"}
SETTINGS = desired.Settings(
    outcome_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-outcome",
    engagement_topic_arn="arn:aws:sns:us-east-1:123456789012:mailcordon-engagement",
    local=True,
)
TABLES = (
    "tenant",
    "identity",
    "turn",
    "lane",
    "route",
    "configuration_set",
    "api_key",
    "audit",
    "hold",
    "ses_resource",
    "epoch",
    "plan",
    "plan_change",
)


class World:
    def __init__(self, owner: engine.Connection, control: engine.Pool, governor: engine.Pool) -> None:
        self.owner = owner
        self.governor = Governor(GovernorStore(governor))
        self.control = control
        self.store = TenantStore(control)
        self.plans = Plans(PlanStore(control), self.governor, SETTINGS)
        self.tenants = Tenants(self.store, self.plans, local=True)
        self.keys = keys.Keys(KeyStore(control))
        self.key_store = KeyStore(control)

    async def onboard(
        self, slug: str = "acme", types: dict[str, str] | None = None, **more: Any
    ) -> Onboarded:
        return await self.tenants.onboard(slug, types or TYPES, actor="ann", **more)

    async def rows(self) -> dict[str, list[tuple[Any, ...]]]:
        return {
            t: [tuple(r) for r in await self.owner.fetch(f"select * from {t} order by 1, 2")] for t in TABLES
        }


@contextlib.asynccontextmanager
async def opened(database: Any) -> AsyncIterator[World]:
    owner = await engine.connect(database.dsn("owner"))
    control = await engine.create_pool(database.dsn("control"))
    governor = await engine.create_pool(database.dsn("governor"))
    try:
        yield World(owner, control, governor)
    finally:
        await governor.close()
        await control.close()
        await owner.close()


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    async with opened(database) as world:
        yield world


async def test_a_tenant_gets_its_lanes_routes_key_and_audit_at_once(world: World) -> None:
    made = await world.onboard()
    assert made.is_new
    assert made.key_text is not None
    assert made.key_prefix is not None
    assert f"_{made.key_prefix}_" in made.key_text
    rows = await world.owner.fetch(
        "select t.name, l.class, l.expiry_ms, l.grace_ms, l.resend, r.path, r.share, r.domain, r.configuration_set,"
        " r.ses_tenant = e.key as own, u.class as turn"
        " from lane l join message_type t on t.id = l.type join route r on r.lane = l.id join tenant e on e.id = l.tenant"
        " join turn u on u.id = l.turn order by l.class"
    )
    assert [tuple(row) for row in rows] == [
        (
            "password-reset",
            0,
            900_000,
            60_000,
            True,
            "isolated",
            100,
            "mail.acme.example",
            "mc-urgent",
            True,
            0,
        ),
        (
            "newsletter",
            2,
            259_200_000,
            600_000,
            False,
            "isolated",
            100,
            "news.acme.example",
            "mc-marketing",
            True,
            2,
        ),
    ]
    actions = await world.owner.fetch("select actor, action from audit order by id")
    assert [tuple(a) for a in actions] == [
        ("ann", "tenant.onboard"),
        ("ann", "key.create"),
        ("policy", "hold.place"),
        ("policy", "hold.place"),
    ]


async def test_the_tenants_key_is_its_own_and_stored_only_as_a_hash(world: World) -> None:
    made = await world.onboard()
    assert made.key_text is not None
    found = await world.key_store.find(keys.hash_of(made.key_text))
    assert found.principal is not None
    assert (found.principal.tenant_slug, found.principal.scopes) == ("acme", frozenset(("send", "read")))
    secret = made.key_text[len("mck_12345678_") :]
    for table, rows in (await world.rows()).items():
        assert secret not in repr(rows), table


async def test_repeating_an_onboarding_changes_nothing_and_makes_no_key(world: World) -> None:
    first = await world.onboard()
    before = await world.rows()
    second = await world.onboard()
    assert await world.rows() == before
    assert (second.is_new, second.added, second.key_text) == (False, (), None)
    assert second.key_prefix == first.key_prefix


async def test_naming_more_types_adds_their_lanes_and_touches_no_other(world: World) -> None:
    await world.onboard()
    lanes = (await world.rows())["lane"]
    more = await world.onboard(types={"invoice": "mail.acme.example"})
    assert (more.added, more.key_text) == (("invoice",), None)
    assert (await world.rows())["lane"][: len(lanes)] == lanes
    wanted = await world.owner.fetchval("select desired::text from ses_resource where kind = 'association'")
    for name in (
        "identity/mail.acme.example",
        "configuration-set/mc-transactional",
        "configuration-set/mc-urgent",
    ):
        assert name in wanted


async def test_an_unknown_type_is_refused_with_a_list_of_the_types(world: World) -> None:
    before = await world.rows()
    with pytest.raises(Invalid, match=r"types.password-rest: .*password-reset") as refused:
        await world.onboard(types={"password-rest": "mail.acme.example"})
    assert refused.value.faults[0].code == "unknown-type"
    assert await world.rows() == before


async def test_a_domain_equal_to_above_or_below_anothers_is_refused_without_naming_the_other(
    world: World,
) -> None:
    await world.onboard()
    before = await world.rows()
    for domain in ("mail.acme.example", "acme.example", "x.mail.acme.example", "MAIL.acme.example"):
        with case(domain):
            with pytest.raises(Invalid, match="equal to, above or below") as refused:
                await world.onboard("zen", {"newsletter": domain})
            assert "news.acme" not in str(refused.value)
            assert "acme " not in str(refused.value)
            assert await world.rows() == before


async def test_on_aws_no_lane_sends_from_a_domain_that_no_mail_can_be_sent_from(world: World) -> None:
    before = await world.rows()
    on_aws = Tenants(world.store, world.plans, local=False)
    for domain in ("news.acme.example", "acme.test", "example.com", "mail.acme.local", "news.xn--a.com"):
        with case(domain):
            types = {"newsletter": domain, "receipt": "mail.acme-shop.com"}
            with pytest.raises(Invalid) as caught:
                await on_aws.onboard("acme", types, actor="ann")
            assert [(fault.field, fault.code) for fault in caught.value.faults] == [
                ("types.newsletter", "reserved-domain")
            ]
            assert await world.rows() == before


async def test_a_domain_with_the_same_ending_but_another_label_is_not_taken(world: World) -> None:
    await world.onboard()
    await world.onboard("zen", {"newsletter": "othermail.acme.example.com", "invoice": "xmail.acme.example"})


async def test_two_tenants_that_claim_a_domain_at_once_do_not_both_get_it(world: World) -> None:
    answers = await asyncio.gather(
        *(world.onboard(f"t{n}", {"newsletter": "shared.example"}) for n in range(5)), return_exceptions=True
    )
    assert sum(isinstance(a, Onboarded) for a in answers) == 1
    assert sum(isinstance(a, Invalid) for a in answers) == 4


async def test_the_same_onboarding_twice_at_once_makes_one_tenant_and_one_key(world: World) -> None:
    answers = await asyncio.gather(*(world.onboard() for _ in range(4)))
    assert sum(a.key_text is not None for a in answers) == 1
    assert await world.owner.fetchval("select count(*) from api_key") == 1


async def test_a_lane_is_held_while_its_domain_is_not_verified_and_the_reason_names_the_records(
    world: World,
) -> None:
    made = await world.onboard()
    holds = await world.governor.open_holds(made.tenant)
    assert {h.owner for h in holds} == {"policy"}
    assert "mailcordon identity show mail.acme.example" in " ".join(hold.because for hold in holds)
    assert await world.owner.fetchval("select bool_and(held) from lane")


async def test_verifying_one_domain_opens_its_lanes_alone(world: World) -> None:
    made = await world.onboard()
    await world.owner.execute("update identity set status = 'verified' where domain = 'mail.acme.example'")
    await world.governor.align(made.tenant)
    rows = await world.owner.fetch(
        "select t.name, l.held from lane l join message_type t on t.id = l.type order by 1"
    )
    assert [tuple(r) for r in rows] == [("newsletter", True), ("password-reset", False)]


async def test_losing_the_verification_closes_the_lane_again(world: World) -> None:
    made = await world.onboard()
    await world.owner.execute("update identity set status = 'verified'")
    await world.governor.align(made.tenant)
    await world.owner.execute("update identity set status = 'failed' where domain = 'mail.acme.example'")
    await world.governor.align_all()
    assert await world.owner.fetchval("select count(*) from lane where held") == 1


async def test_an_onboarding_killed_before_its_holds_leaves_held_lanes_and_is_completed_by_the_sweep(
    world: World, database: Any
) -> None:
    gone = await engine.create_pool(database.dsn("governor"))
    await gone.close()
    plans = Plans(PlanStore(world.control), Governor(GovernorStore(gone)), SETTINGS)
    dying = Tenants(world.store, plans, local=True)
    with pytest.raises(Unavailable):
        await dying.onboard("acme", TYPES, actor="ann")
    assert await world.owner.fetchval("select bool_and(held) from lane")
    assert await world.owner.fetchval("select count(*) from hold") == 0
    await world.governor.align_all()
    assert await world.owner.fetchval("select count(*) from hold") == 2


async def test_a_lane_added_under_a_tenants_hold_is_held_by_it_too(world: World) -> None:
    made = await world.onboard()
    await world.owner.execute("update identity set status = 'verified'")
    await world.governor.place(
        NewHold(target=Target(tenant=made.tenant), owner="person", because="unpaid"), actor="ann"
    )
    await world.onboard(types={"invoice": "mail.acme.example"})
    rows = await world.owner.fetch("select l.held from lane l where l.class = $1", Class.TRANSACTIONAL)
    assert [r["held"] for r in rows] == [True]


async def test_a_tenant_with_sets_of_its_own_keeps_them(world: World) -> None:
    await world.onboard(dedicated=True)
    key = await world.owner.fetchval("select key from tenant")
    sets = {r["configuration_set"] for r in await world.owner.fetch("select configuration_set from route")}
    assert sets == {f"{key}-urgent", f"{key}-marketing"}
    await world.onboard(types={"invoice": "mail.acme.example"})
    assert await world.owner.fetchval("select count(*) from configuration_set where tenant is not null") == 3
    with pytest.raises(Conflict, match="has dedicated configuration sets"):
        await world.onboard(dedicated=False)


async def test_a_lane_is_not_moved_to_another_domain(world: World) -> None:
    await world.onboard()
    with pytest.raises(Conflict, match=r"news\.acme\.example"):
        await world.onboard(types={"newsletter": "mail.acme.example"})


async def test_every_onboarding_bumps_the_epoch_of_cached_routes(world: World) -> None:
    before = await world.owner.fetchval("select value from epoch where name = 'control'")
    await world.onboard()
    assert await world.owner.fetchval("select value from epoch where name = 'control'") > before
