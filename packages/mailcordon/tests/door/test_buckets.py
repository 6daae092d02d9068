"""A bucket grants its rate in the long run, a burst after a quiet spell, and says when it fills."""

from typing import Any

import pytest

from mailcordon.core.errors import TooMuch
from mailcordon.core.key_limits import UNLIMITED_BY_KEY, KeyLimits
from mailcordon.door import buckets
from mailcordon.door.buckets import BURST_SECONDS, BYTES_BURST_SECONDS, Buckets, Rates

# Powers of two, so that sums of tokens are exact.
KEY = Rates(messages=8, bytes=1024, reads=2)
TENANT = Rates(messages=16, bytes=2048, reads=4)


class World:
    def __init__(self) -> None:
        self.refused: list[str] = []
        self.buckets = Buckets(KEY, TENANT, self.refused.append)
        self.now = 1000.0

    def post(
        self, key: int = 1, size: int = 1, limits: KeyLimits = UNLIMITED_BY_KEY, platform: bool = False
    ) -> bool:
        return self._granted(
            self.buckets.message_of_key, key, f"mck_{key}", limits, size, self.now, platform=platform
        )

    def post_of(self, tenant: str, size: int = 1) -> bool:
        return self._granted(self.buckets.message_of_tenant, tenant, size, self.now)

    def read(self, key: int = 1) -> bool:
        return self._granted(
            self.buckets.read_of_key, key, f"mck_{key}", UNLIMITED_BY_KEY, self.now, platform=False
        )

    def _granted(self, take: Any, *arguments: Any, **named: Any) -> bool:
        try:
            take(*arguments, **named)
        except TooMuch:
            return False
        return True


@pytest.fixture
def world() -> World:
    return World()


def test_a_quiet_key_may_send_a_burst_and_then_its_rate(world: World):
    assert sum(world.post() for _ in range(500)) == 8 * BURST_SECONDS
    world.now += 1
    assert sum(world.post() for _ in range(500)) == 8
    world.now += 1000
    assert sum(world.post() for _ in range(500)) == 8 * BURST_SECONDS


def test_one_key_takes_nothing_of_another(world: World):
    while world.post(key=1):
        pass
    assert world.post(key=2)


def test_messages_bytes_and_reads_have_buckets_of_their_own(world: World):
    assert world.post(size=int(1024 * BYTES_BURST_SECONDS))
    assert not world.post(size=1)
    assert world.refused == ["bytes-per-key"]
    assert sum(world.read() for _ in range(500)) == 2 * BURST_SECONDS
    assert world.refused[1] == "reads-per-key"


def test_a_body_larger_than_the_bucket_is_taken_once_and_paid_for(world: World):
    assert world.post(size=1_024_000)
    world.now += 999 - BYTES_BURST_SECONDS
    assert not world.post()
    world.now += 2
    assert world.post()


def test_what_is_refused_costs_nothing(world: World):
    assert world.post(size=10_240)
    for _ in range(1000):
        assert not world.post()
    world.now += 10
    assert sum(world.post(size=0) for _ in range(500)) == 8 * BURST_SECONDS


def test_a_tenant_has_a_bucket_whatever_key_is_used(world: World):
    assert sum(world.post_of("acme") for _ in range(500)) == 16 * BURST_SECONDS
    assert world.refused[0] == "messages-per-tenant"
    assert world.post_of("zen")


def test_a_platform_key_has_no_bucket_of_its_own_unless_it_sets_one(world: World):
    assert all(world.post(platform=True) for _ in range(5000))
    limited = KeyLimits(messages_per_second=1)
    assert sum(world.post(key=2, limits=limited, platform=True) for _ in range(500)) == BURST_SECONDS


def test_a_keys_own_limits_replace_the_defaults_as_soon_as_they_change(world: World):
    while world.post():
        pass
    more = KeyLimits(messages_per_second=64)
    assert sum(world.post(limits=more) for _ in range(5000)) == 64 * BURST_SECONDS
    assert not world.post(limits=KeyLimits(messages_per_second=64))


def test_whether_there_is_room_is_known_before_anything_is_taken(world: World):
    def require(slug: str | None = "acme", key: int = 1) -> None:
        world.buckets.require_room(key, "mck_1", UNLIMITED_BY_KEY, slug, world.now, platform=slug is None)

    for _ in range(1000):
        require()
    assert world.post(size=10_240)
    with pytest.raises(TooMuch):
        require()
    assert world.post_of("zen", size=20_480)
    require(key=2)
    with pytest.raises(TooMuch):
        require("zen", key=2)
    require(None, key=3)
    assert world.refused == ["bytes-per-key", "bytes-per-tenant"]


def test_the_refusal_says_which_bucket_and_when_it_fills(world: World):
    while world.post_of("acme"):
        pass
    with pytest.raises(TooMuch) as problem:
        world.buckets.message_of_tenant("acme", 1, world.now - 2.5)
    assert (problem.value.code, problem.value.retry_after) == ("rate-limit", 3)
    assert str(problem.value) == (
        "The rate of the tenant acme, 16 messages a second, is used up: there is room again in 2.5 s, and all of it in 12 s."
    )


def test_the_number_of_owners_is_bounded_and_those_that_owe_are_kept(world: World):
    while world.post_of("acme"):
        pass
    world.now += 0.1
    for n in range(3 * buckets._MOST):
        world.now += 0.1 if n % 5000 == 0 else 0
        world.post_of(f"unknown-{n}")
    assert len(world.buckets._tenants) <= buckets._MOST
    assert "acme" in world.buckets._tenants


def test_owners_that_all_owe_are_bounded_too(world: World):
    for n in range(3 * buckets._MOST):
        assert world.post_of(f"unknown-{n}")
    assert len(world.buckets._tenants) <= buckets._MOST
