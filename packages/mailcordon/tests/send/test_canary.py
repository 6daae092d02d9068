"""Canaries: with the set of the call, rarely, by the database's clock, and not over a held lane."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from mailcordon.core.lane import Lane
from mailcordon.core.priority import Class
from mailcordon.core.route import Route
from mailcordon.send.canary import MAX_INTERVAL, MIN_INTERVAL, Canaries, Identity
from mailcordon.send.ports import CanaryNeed, Unknown
from mailcordon.send.refusals import WITHDRAWN, Answer

UNKNOWN = Unknown(lane=1, id=65, tenant=1, attempt=1, called_at=1_000)
ROUTE = Route(
    lane=Lane(id=1, tenant=1, tenant_key="mc-acme0000", type="password-reset", class_=Class.URGENT),
    turn=1,
    path="isolated",
    ses_tenant="mc-acme0000",
    configuration_set="mc-new",
    domain="acme.example",
)


@dataclass
class World:
    now: float = 0.0
    bodies: list[bytes] = field(default_factory=list)
    database_ms: int | None = 1_795_000_000_000
    usable: bool = True
    connecting: Callable[[], None] = lambda: None

    async def call(self, body: bytes, permitted: Callable[[], bool]) -> Answer:
        self.connecting()
        if not permitted():
            return Answer(0, code=WITHDRAWN)
        self.bodies.append(body)
        return Answer(200, "ses-1")

    def clock(self) -> float:
        return self.now


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def canaries(world: World) -> Canaries:
    return Canaries(
        Identity(installation="test", mac_key=b"k" * 32),
        world.call,
        may_use=lambda route: world.usable,
        now_ms=lambda: world.database_ms,
        clock=world.clock,
    )


def always() -> bool:
    return True


def need(seen: int = 0, configuration_set: str = "mc-urgent") -> CanaryNeed:
    return CanaryNeed(UNKNOWN, configuration_set, seen)


async def test_a_canary_uses_the_set_of_the_call_not_of_the_lanes_route_now(
    world: World, canaries: Canaries
) -> None:
    await canaries.prove(need(), ROUTE, always)
    assert b'"mc-urgent"' in world.bodies[0]
    assert b"mc-new" not in world.bodies[0]


async def test_a_canary_of_a_route_that_moved_uses_the_ses_tenant_and_domain_of_the_call(
    world: World, canaries: Canaries
) -> None:
    """SES refuses a set that its tenant is not associated with."""
    moved = CanaryNeed(UNKNOWN, "mc-urgent", 0, "mc-before", "before.example")
    await canaries.prove(moved, ROUTE, always)
    assert b'"TenantName":"mc-before"' in world.bodies[0]
    assert b"@before.example" in world.bodies[0]


async def test_one_canary_per_set_and_interval(world: World, canaries: Canaries) -> None:
    for _ in range(5):
        await canaries.prove(need(), ROUTE, always)
        await canaries.prove(need(configuration_set="mc-transactional"), ROUTE, always)
    assert len(world.bodies) == 2
    world.now += MIN_INTERVAL
    await canaries.prove(need(), ROUTE, always)
    assert len(world.bodies) == 3


async def test_while_no_event_arrives_canaries_become_rare(world: World, canaries: Canaries) -> None:
    for _ in range(3600):
        await canaries.prove(need(), ROUTE, always)
        world.now += 1
    assert 3600 / MAX_INTERVAL <= len(world.bodies) <= 3600 / MAX_INTERVAL + 6
    await canaries.prove(need(seen=5), ROUTE, always)
    sent = len(world.bodies)
    world.now += MAX_INTERVAL
    await canaries.prove(need(seen=6), ROUTE, always)
    world.now += MIN_INTERVAL
    await canaries.prove(need(seen=7), ROUTE, always)
    assert len(world.bodies) == sent + 2, "events arrive again"


async def test_a_canary_is_stamped_with_the_databases_clock_and_none_is_sent_before_it_is_known(
    world: World, canaries: Canaries
) -> None:
    world.database_ms = None
    assert not await canaries.answers(65, ROUTE)
    assert await canaries.probe(ROUTE) is None
    await canaries.prove(need(), ROUTE, always)
    assert world.bodies == []
    world.database_ms = 1_795_000_000_123
    assert await canaries.answers(65, ROUTE)
    assert await canaries.probe(ROUTE) is not None
    await canaries.prove(need(configuration_set="another"), ROUTE, always)
    assert [b'"c0-1795000000123-' in body for body in world.bodies] == [True] * 3


async def test_no_canary_is_sent_over_a_lane_that_is_held_or_while_that_is_not_known(
    world: World, canaries: Canaries
) -> None:
    def end_permission() -> None:
        world.usable = False

    world.connecting = end_permission  # while the connection is made
    for usable in (True, False):
        world.usable = usable
        assert not await canaries.answers(65, ROUTE)
        world.usable = usable
        assert await canaries.probe(ROUTE) is None, "no verdict: SES was not asked"
        world.usable = usable
        await canaries.prove(need(), ROUTE, always)
    assert world.bodies == []


async def test_a_stop_that_comes_while_the_connection_is_made_withdraws_a_proof(
    world: World, canaries: Canaries
) -> None:
    stopped: list[bool] = []
    world.connecting = lambda: stopped.append(True)
    await canaries.prove(need(), ROUTE, lambda: not stopped)
    assert (stopped, world.bodies) == ([True], [])
