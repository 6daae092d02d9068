"""Canaries that prove an absence: with the set of the call, and rarely."""

from dataclasses import dataclass, field

import pytest

from mailcordon.core.lane import Lane
from mailcordon.core.priority import Class
from mailcordon.core.route import Route
from mailcordon.send.canary import MAX_INTERVAL, MIN_INTERVAL, Canaries, Identity
from mailcordon.send.ports import CanaryNeed, Unknown
from mailcordon.send.refusals import Answer

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

    async def call(self, body: bytes) -> Answer:
        self.bodies.append(body)
        return Answer(200, "ses-1")

    def clock(self) -> float:
        return self.now


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def canaries(world: World) -> Canaries:
    return Canaries(Identity(installation="test", mac_key=b"k" * 32), world.call, clock=world.clock)


def need(seen: int = 0, configuration_set: str = "mc-urgent") -> CanaryNeed:
    return CanaryNeed(UNKNOWN, configuration_set, seen)


async def test_a_canary_uses_the_set_of_the_call_not_of_the_lanes_route_now(
    world: World, canaries: Canaries
) -> None:
    await canaries.prove(need(), ROUTE)
    assert b'"mc-urgent"' in world.bodies[0]
    assert b"mc-new" not in world.bodies[0]


async def test_one_canary_per_set_and_interval(world: World, canaries: Canaries) -> None:
    for _ in range(5):
        await canaries.prove(need(), ROUTE)
        await canaries.prove(need(configuration_set="mc-transactional"), ROUTE)
    assert len(world.bodies) == 2
    world.now += MIN_INTERVAL
    await canaries.prove(need(), ROUTE)
    assert len(world.bodies) == 3


async def test_while_no_event_arrives_canaries_become_rare(world: World, canaries: Canaries) -> None:
    for _ in range(3600):
        await canaries.prove(need(), ROUTE)
        world.now += 1
    assert 3600 / MAX_INTERVAL <= len(world.bodies) <= 3600 / MAX_INTERVAL + 6
    await canaries.prove(need(seen=5), ROUTE)
    sent = len(world.bodies)
    world.now += MAX_INTERVAL
    await canaries.prove(need(seen=6), ROUTE)
    world.now += MIN_INTERVAL
    await canaries.prove(need(seen=7), ROUTE)
    assert len(world.bodies) == sent + 2, "events arrive again"
