"""Large batches of marketing mail are noticed while they arrive, in memory."""

from collections import Counter
from typing import Any

from mailcordon.core.lane import Lane
from mailcordon.core.priority import Class
from mailcordon.core.route import Route
from mailcordon.send import batches
from mailcordon.send.batches import Batches
from mailcordon.send.ports import BatchName
from mailcordon_fixtures.queue_world import new_message


def route(class_: Class = Class.MARKETING) -> Route:
    lane = Lane(id=5, tenant=1, tenant_key="mc-x", type="newsletter", class_=class_)
    return Route(
        lane=lane, turn=1, path="shared", ses_tenant="mc-x", domain="x.example", configuration_set="c"
    )


def message(n: int = 1, class_: Class = Class.MARKETING, **over: Any) -> Any:
    return new_message(64, "acme", route(class_), n, **over)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


SALE = BatchName(1, 5, "campaign", "sale")


def test_a_batch_goes_by_its_campaign_and_its_list_and_else_by_its_lane() -> None:
    assert batches.names(message(campaign="sale")) == [SALE]
    assert batches.names(message(campaign="sale", list="new")) == [SALE, BatchName(1, 5, "list", "new")]
    assert batches.names(message()) == (BatchName(1, 5, "lane", ""),)
    for class_ in (Class.URGENT, Class.TRANSACTIONAL):
        assert batches.names(message(class_=class_, campaign="sale")) == ()


def test_the_store_is_told_before_the_trickle_is_over_and_then_once_a_second() -> None:
    clock = Clock()
    found = Batches(clock, trickle=100)
    assert found.arrive([message(50, campaign="sale"), message(49, campaign="sale")]) == []
    told = found.arrive([message(1, campaign="sale")])
    assert told == [(SALE, 100)]
    found.told(told)
    assert found.arrive([message(50, campaign="sale")]) == []
    clock.now += 1
    told = found.arrive([message(50, campaign="sale")])
    assert told == [(SALE, 100)]
    found.told(told)
    assert found.rest() == []


def test_other_mail_between_changes_nothing() -> None:
    """The short way for mail that is in no batch, beside the long one."""
    clock = Clock()
    alone, mixed = Batches(clock, trickle=100), Batches(clock, trickle=100)
    for number in range(40):
        clock.now += 2.5
        sale = [message(30, campaign="sale"), message(9)]
        others = [message(50, Class.URGENT, campaign="sale"), message(50, Class.TRANSACTIONAL)]
        if number % 3 == 0:
            assert mixed.arrive(others) == ()
        told = alone.arrive(sale)
        assert mixed.arrive([others[0], *sale, others[1]]) == told
        alone.told(told)
        mixed.told(told)
        assert alone.rest() == mixed.rest()
        assert mixed.any_known or not mixed.rest()
    assert mixed.any_known


def test_what_the_store_could_not_be_told_is_told_again() -> None:
    found = Batches(Clock(), trickle=10)
    assert found.arrive([message(10, campaign="sale")]) == [(SALE, 10)]
    assert found.arrive([message(1, campaign="sale")]) == [(SALE, 11)]


def test_the_end_of_a_batch_is_told_when_no_more_mail_comes() -> None:
    found = Batches(Clock(), trickle=10)
    found.told(found.arrive([message(10, campaign="sale")]))
    found.arrive([message(7, campaign="sale"), message(3, campaign="other")])
    assert found.rest() == [(SALE, 7)]
    found.told(found.rest())
    assert found.rest() == []


def test_a_trickle_is_no_batch_however_long_it_lasts() -> None:
    clock = Clock()
    found = Batches(clock, trickle=100)
    for _ in range(50):
        clock.now += batches.WINDOW / 3
        assert found.arrive([message(20, campaign="drip")]) == []


def test_a_name_for_each_mail_is_no_way_around() -> None:
    clock = Clock()
    found = Batches(clock, trickle=100)
    lane = BatchName(1, 5, "lane", "")
    for n in range(batches.SCATTERED - 1):
        assert found.arrive([message(campaign=f"c{n}")]) == []
    told = found.arrive([message(campaign="last")])
    assert told == [(lane, batches.SCATTERED)]
    found.told(told)
    clock.now += 1
    assert found.arrive([message(3, campaign="next")]) == [(lane, 3)]


def test_mail_of_a_batch_is_not_counted_for_its_lane() -> None:
    found = Batches(Clock(), trickle=100)
    found.told(found.arrive([message(100, campaign="sale")]))
    for _ in range(20):
        found.arrive([message(100, campaign="sale")])
    assert [one.batch for one in found.rest()] == [SALE]


def test_a_batch_is_made_known_again_after_some_minutes_since_it_may_be_over() -> None:
    clock = Clock()
    found = Batches(clock, trickle=100)
    found.told(found.arrive([message(50, campaign="sale"), message(50, campaign="sale")]))
    clock.now += batches.KNOWN_FOR + 1
    assert found.arrive([message(50, campaign="sale")]) == []
    assert found.arrive([message(50, campaign="sale")]) == [(SALE, 100)]


def test_memory_is_bounded_however_many_names_an_app_makes_up() -> None:
    found = Batches(Clock(), trickle=100)
    for n in range(batches.MOST + 1000):
        found.arrive([message(campaign=f"c{n}")])
    counts: Counter[BatchName] = found._counts  # pyright: ignore[reportPrivateUsage]
    assert len(counts) <= batches.MOST + 1
