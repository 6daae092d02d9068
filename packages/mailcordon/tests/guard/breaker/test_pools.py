"""New tenants too small to be judged alone are judged together."""

import pytest

from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.nouns import Dimension, Level, Slice
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon_fixtures.breaker_mail import DAY, START, Post, lane

PARTNER = Slice(Dimension.POOL, "signup:partner-x")
DIRECT = Slice(Dimension.POOL, "signup:direct")


def fleet(*, guilty: int = 60, healthy: int = 20, age: int = 0) -> Post:
    breaker = Breaker()
    for number in range(guilty):
        breaker.lane(lane(number, labels={"signup:partner-x"}, since=START - age))
    for number in range(1000, 1000 + healthy):
        breaker.lane(lane(number, labels={"signup:direct"}, since=START - age))
    return Post(breaker)


def day(post: Post, *, guilty: int = 60, healthy: int = 20, bounces: float = 0.08) -> None:
    for number in range(guilty):
        post.send(50, at=post.minute + 10 * number, number=number, campaign=f"{number}", bounces=bounces)
    for number in range(1000, 1000 + healthy):
        post.send(50, at=post.minute + (number - 1000) * 30, number=number, campaign=f"{number}")
    post.run(DAY)


def test_snowshoe_senders_are_throttled_on_their_first_day_and_nobody_else():
    post = fleet()
    day(post)
    throttled = {each.lane for each in post.decisions if each.guilty == (PARTNER,)}
    assert len(throttled) == 60
    assert all(each.level is Level.THROTTLE for each in post.decisions if each.guilty == (PARTNER,))
    assert not [each for each in post.decisions if each.lane >= 1000]
    assert post.breaker.permit(0, post.minute) == 0.5
    assert post.breaker.permit(1000, post.minute) == 1.0


def test_who_joins_them_later_is_throttled_too():
    post = fleet()
    day(post)
    post.breaker.lane(lane(500, labels={"signup:partner-x"}, since=post.minute))
    post.send(50, number=500, campaign="500", bounces=0.0)
    post.run(60)
    assert [each.guilty for each in post.decisions if each.lane == 500] == [(PARTNER,)]
    assert post.breaker.permit(500, post.minute) == 0.5


def test_healthy_newcomers_are_left_alone():
    post = fleet()
    for _ in range(3):
        day(post, bounces=0.008)
    assert post.decisions == []


def test_lanes_that_are_not_new_are_judged_alone():
    post = fleet(age=31 * DAY)
    day(post)
    assert not [each for each in post.decisions if each.guilty and each.guilty[0].dimension is Dimension.POOL]


def test_one_bad_newcomer_does_not_throttle_the_others():
    post = fleet(guilty=1, healthy=20)
    post.send(2000, number=0, campaign="bad", bounces=0.2)
    day(post, guilty=0)
    assert any(each.level is Level.CORDON for each in post.decisions if each.lane == 0)
    assert not [each for each in post.decisions if each.lane >= 1000]


@pytest.mark.parametrize("domains", [1, 40])
@pytest.mark.parametrize("read_at_once", [True, False])
def test_bounces_at_one_dead_domain_throttle_no_newcomers_and_those_at_many_do(
    domains: int, read_at_once: bool
):
    breaker = Breaker()
    lanes = range(12)
    for number in lanes:
        breaker.lane(lane(number, labels={"signup:partner-x"}, since=START))
    counts = [Delta(START, number, None, None, 0, sent=400, hard_bounces=40) for number in lanes]
    at = [DomainDelta(START, number, one, 40 // domains) for number in lanes for one in range(domains)]
    if read_at_once:
        breaker.replay(START, counts, at)
        counts, at = (
            [Delta(START + 1, number, None, None, 0, sent=100, hard_bounces=1) for number in lanes],
            [],
        )
    found = breaker.observe(START + 5, counts, at)
    pooled = {each.lane for each in found if each.guilty == (PARTNER,)}
    assert pooled == (set() if domains == 1 else set(lanes))


def test_they_are_let_go_when_their_mail_is_good_again():
    post = fleet()
    day(post)
    for _ in range(6):
        day(post, bounces=0.004)
    assert post.breaker.permit(0, post.minute) == 1.0
    ends = [each for each in post.decisions if each.over and each.guilty == (PARTNER,)]
    assert {each.lane for each in ends} == set(range(60))
    assert DIRECT not in {slice_ for each in post.decisions for slice_ in each.guilty}


def test_a_restart_neither_doubles_a_throttle_nor_keeps_it_for_ever():
    post = fleet()
    day(post)
    breaker = Breaker()
    for number in [*range(60), *range(1000, 1020)]:
        label = "signup:partner-x" if number < 60 else "signup:direct"
        breaker.lane(lane(number, labels={label}, since=START))
    for number in range(60):
        breaker.restore(post.breaker.standing(number))
    breaker.replay(post.minute - 1, sorted(post.sent, key=lambda each: each.minute))
    assert breaker.permit(0, post.minute) == 0.5
    after = Post(breaker, minute=post.minute)
    day(after)
    assert [each for each in after.decisions if each.guilty == (PARTNER,)] == []
    for _ in range(6):
        day(after, bounces=0.004)
    assert {each.lane for each in after.decisions if each.over} == set(range(60))
    assert breaker.permit(0, after.minute) == 1.0


def test_a_label_that_control_adds_later_counts_from_then_on():
    post = fleet(guilty=0)
    for number in range(60):
        post.breaker.lane(lane(number, since=START))
        post.send(1, number=number)
    post.run(10)
    for number in range(60):
        post.breaker.lane(lane(number, labels={"signup:partner-x"}, since=START))
    day(post, healthy=0)
    assert {each.guilty for each in post.decisions} == {(PARTNER,)}


def test_a_lane_leaves_its_pools_when_it_is_thirty_days_old():
    post = fleet(age=28 * DAY)
    day(post, bounces=0.004)
    post.run(2 * DAY)
    day(post)
    assert not [each for each in post.decisions if each.guilty and each.guilty[0].dimension is Dimension.POOL]


def test_a_person_who_frees_one_frees_all_of_its_pool_and_what_was_seen_is_used():
    post = fleet()
    day(post)
    freed = post.breaker.let_pool_go(7, PARTNER, post.minute)
    assert {each.lane for each in freed} == set(range(60))
    assert {(each.over, each.why) for each in freed} == {(True, "let go")}
    assert [post.breaker.permit(number, post.minute) for number in range(60)] == [1.0] * 60
    before = len(post.decisions)
    day(post, bounces=0.004)
    assert [each for each in post.decisions[before:] if each.guilty == (PARTNER,)] == []
    assert post.breaker.let_pool_go(1000, DIRECT, post.minute) == []
