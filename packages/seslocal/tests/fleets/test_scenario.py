"""Moments, spans, and scenarios of another size."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from seslocal.fleets.scenario import LogNormal, moment_of, scaled, seconds_of
from seslocal_fixtures.fleets import scenario

INCIDENTS = """
[[incidents]]
kind = "stale_import"
tenant = "shops-001"
start = "day 1 09:00"
addresses = 1_000

[[incidents]]
kind = "hijacked_form"
tenant = "shops-001"
start = "day 1 09:00"
lasts = "1h"
mails_a_minute = 4

[[incidents]]
kind = "snowshoe"
start = "day 1 09:00"
lasts = "1d"
count = 5
mails_a_day = 50

[[incidents]]
kind = "cold_ip"
tenant = "shops-001"
start = "day 2 00:00"
"""


@pytest.mark.parametrize(("span", "seconds"), [("90m", 5_400), ("6h", 21_600), ("2d", 172_800)])
def test_spans(span: str, seconds: float) -> None:
    assert seconds_of(span) == seconds


def test_days_count_from_one() -> None:
    assert moment_of("day 1 00:00") == 0
    assert moment_of("day 3 09:30") == 2 * 86_400 + 9.5 * 3_600


def test_scaling_multiplies_volumes_and_no_number_of_tenants() -> None:
    grown = scaled(scenario(INCIDENTS), 2)
    assert [(group.count, group.mails_a_day) for group in grown.groups] == [(3, 600), (2, 400)]
    stale, form, snowshoe, cold = grown.incidents
    assert getattr(stale, "addresses", None) == 2_000
    assert getattr(form, "mails_a_minute", None) == 8
    assert (getattr(snowshoe, "count", None), getattr(snowshoe, "mails_a_day", None)) == (5, 100)
    assert cold == scenario(INCIDENTS).incidents[3]


def test_scaling_moves_the_median_and_not_the_spread() -> None:
    given = scenario()
    spread = replace(given, groups=(replace(given.groups[0], mails_a_day=LogNormal(median=5, sigma=0.5)),))
    assert scaled(spread, 3).groups[0].mails_a_day == LogNormal(median=15, sigma=0.5)
