"""How long a round of the rolling scan takes."""

import pytest

from mailcordon.control.call_budget import SHARES, Rates
from mailcordon.control.scan import CALLS_EACH, MOST_SECONDS, PART, Scan, Size
from mailcordon.control.work import Work


def scan(rows: int, *, shared: int = 0, rate: float | None = 1.0) -> Scan:
    one = Scan(Rates(per_second=rate))
    one.size = Size(rows=rows, shared=shared)
    return one


def test_the_period_is_what_all_calls_of_a_round_take_at_the_scans_part_of_the_rate() -> None:
    assert scan(10_000).period() == pytest.approx(10_000 * CALLS_EACH / PART)  # pyright: ignore[reportUnknownMemberType]
    assert scan(10_000, rate=4).period() == scan(10_000).period() / 4


def test_while_everything_else_waits_the_scan_has_its_share() -> None:
    share = SHARES[Work.SCAN] / sum(SHARES.values())
    assert scan(10_000).longest_period() == pytest.approx(10_000 * CALLS_EACH / share)  # pyright: ignore[reportUnknownMemberType]


def test_what_all_tenants_share_is_read_within_a_minute_and_takes_half_of_the_calls_at_most() -> None:
    assert scan(10_000, shared=13).again_in(shared=True) <= 60
    assert scan(10_000, shared=13).period() > scan(10_000).period()
    assert scan(10_000, shared=10_000).period() == scan(10_000).period() * 2


def test_a_row_is_due_again_after_a_day_at_most_though_its_turn_comes_later() -> None:
    assert scan(10**6).again_in(shared=False) == MOST_SECONDS
    assert scan(10**6).period() > MOST_SECONDS


def test_few_resources_are_not_read_all_the_time() -> None:
    assert scan(1).period() == scan(1, rate=None).period() == 45


def test_what_a_resource_costs_is_measured_with_the_calls_of_lists() -> None:
    one = scan(1000)
    one.looked(calls=40)
    assert one.calls_each == CALLS_EACH
    for calls in range(41, 141):
        one.looked(calls=calls)
    assert one.calls_each == pytest.approx(140 / 101)  # pyright: ignore[reportUnknownMemberType]
