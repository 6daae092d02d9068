"""The send rate and the rolling 24-hour quota: what counts, and the errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from seslocal.state.sending import SendLimits

if TYPE_CHECKING:
    from seslocal_fixtures.world import World


def test_beyond_the_rate_is_429_and_nothing_is_accepted(world: World) -> None:
    world.ready()
    world.admin("PUT", "/account", {"rate": 1})
    world.send("kim@example.com")
    assert world.refused(lambda: world.send("kim@example.com")) == (
        429,
        "TooManyRequestsException",
        "Maximum sending rate exceeded.",
    )
    assert len(world.sent()) == 1


def test_beyond_the_quota_is_a_400_limit_exceeded(world: World) -> None:
    world.ready()
    world.admin("PUT", "/account", {"quota": 3})
    world.send("a@example.com", "b@example.com")
    assert world.refused(lambda: world.send("c@example.com", "d@example.com")) == (
        400,
        "LimitExceededException",
        "Daily message quota exceeded.",
    )
    world.send("c@example.com")
    quota = world.ses.get_account()["SendQuota"]
    assert quota == {"Max24HourSend": 3, "MaxSendRate": 1000, "SentLast24Hours": 3}


def test_the_simulator_counts_for_the_rate_and_not_for_the_quota(world: World) -> None:
    world.ready()
    world.admin("PUT", "/account", {"quota": 0, "rate": 1})
    world.send("success@simulator.amazonses.com")
    assert world.refused(lambda: world.send("success@simulator.amazonses.com"))[0] == 429
    assert world.ses.get_account()["SendQuota"]["SentLast24Hours"] == 0


def test_a_refused_call_uses_no_rate_or_quota(world: World) -> None:
    world.ready()
    world.admin("PUT", "/account", {"rate": 1, "quota": 1})
    world.refused(lambda: world.send("not an address"))
    world.refused(lambda: world.send("kim@example.com", tenant="nobody"))
    assert world.send("kim@example.com")


def test_an_unlimited_quota_is_minus_one(world: World) -> None:
    world.ready()
    world.admin("PUT", "/account", {"quota": -1})
    world.send("kim@example.com")
    assert world.ses.get_account()["SendQuota"]["Max24HourSend"] == -1


def test_rate_tokens_refill_up_to_one_seconds_worth() -> None:
    allowance = SendLimits(rate=10, quota=-1)
    assert allowance.has_tokens(10, now=100.0)
    allowance.take(10, 10, now=100.0)
    assert not allowance.has_tokens(1, now=100.05)
    assert allowance.has_tokens(5, now=100.5)
    assert not allowance.has_tokens(6, now=100.5)
    assert allowance.has_tokens(10, now=900.0)
    allowance.take(10, 10, now=900.0)
    assert not allowance.has_tokens(1, now=900.0)


def test_a_message_larger_than_the_rate_bucket_is_sent_when_it_is_full() -> None:
    allowance = SendLimits(rate=1, quota=-1)
    assert allowance.has_tokens(50, now=0.0)
    allowance.take(50, 50, now=0.0)
    assert not allowance.has_tokens(1, now=49.0)
    assert allowance.has_tokens(1, now=51.0)


def test_the_quota_rolls_over_24_hours() -> None:
    allowance = SendLimits(rate=1000, quota=10)
    day = 24 * 3600
    allowance.take(6, 6, now=1000.0)
    allowance.take(4, 4, now=1000.0 + 3600)
    assert not allowance.has_quota(1, now=1000.0 + day - 120)
    assert allowance.has_quota(6, now=1000.0 + day + 60)
    assert not allowance.has_quota(7, now=1000.0 + day + 60)
    assert allowance.sent(now=1000.0 + 2 * day) == 0
