"""What is wrong with an IP pool. Pure."""

from dataclasses import replace

from mailcordon.control.pool_health import Address, Pool, Week, troubles
from mailcordon.core.provider import Provider

POOL = Pool(
    name="bulk",
    owner="ops",
    managed=False,
    minimum=1_000,
    members=1,
    addresses=[Address(ip="198.51.100.1", percentage=100)],
    weeks=[],
)


def week(
    sent: int, provider: Provider = Provider.GMAIL, *, days: int = 7, blocks: int = 0, complaints: int = 0
) -> Week:
    return Week(provider=provider, days=days, sent=sent, blocks=blocks, complaints=complaints)


def codes(*weeks: Week, pool: Pool = POOL) -> list[tuple[str, str | None]]:
    found = troubles(replace(pool, weeks=weeks))
    return [(one.code, None if one.provider is None else one.provider.word) for one in found]


def test_a_provider_that_sees_less_than_the_minimum_is_named_with_the_owner() -> None:
    assert codes(week(7_000)) == []
    assert codes(week(6_999)) == [("pool-below-minimum", "gmail")]
    [one] = troubles(replace(POOL, weeks=[week(2_940)]))
    assert one.sentence == (
        "The IP pool bulk (owner: ops) sent 420 mails a day to gmail in the last week; 1,000 keep a reputation there."
    )


def test_every_address_needs_the_minimum() -> None:
    two = replace(POOL, addresses=[*(POOL.addresses or ()), Address(ip="198.51.100.2", percentage=3)])
    assert codes(week(13_000), pool=two) == [("pool-below-minimum", "gmail")]
    assert codes(week(14_000), pool=two) == []


def test_a_provider_of_little_weight_and_many_small_ones_are_left_out() -> None:
    assert codes(week(70_000), week(700, Provider.YAHOO), week(20, Provider.OTHER)) == []


def test_a_pool_that_has_just_begun_is_not_judged_by_volume() -> None:
    assert codes(week(10, days=6)) == []


def test_a_silent_pool_is_named_once() -> None:
    assert codes(week(0, Provider.UNKNOWN)) == [("pool-below-minimum", None)]
    assert codes(week(0, Provider.UNKNOWN, days=3)) == []


def test_blocks_and_complaints_beyond_chance_are_a_reputation_that_slips() -> None:
    assert codes(week(10_000, blocks=100)) == []
    assert codes(week(10_000, blocks=160)) == [("pool-reputation", "gmail")]
    assert codes(week(10_000, complaints=40)) == [("pool-reputation", "gmail")]
    assert codes(week(10_000, days=1, blocks=160)) == [("pool-reputation", "gmail")], "harm is not waited for"


def test_a_standard_pool_with_members_needs_an_address() -> None:
    empty = replace(POOL, addresses=[])
    assert codes(pool=empty) == [("pool-empty", None)]
    assert codes(pool=replace(empty, managed=True)) == [], "SES leases them with the volume"
    assert codes(pool=replace(empty, addresses=None)) == [], "SES was not asked yet"
    assert codes(pool=replace(empty, members=0)) == []
