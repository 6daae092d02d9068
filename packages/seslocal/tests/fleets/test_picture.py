"""A run as a picture."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from seslocal.fleets.picture import svg
from seslocal.fleets.result import Action, Counts, Run, Tenant
from seslocal.world.providers import PROVIDERS
from seslocal_fixtures.runs import ALL, CULPRIT, row, run

SVG = "{http://www.w3.org/2000/svg}"
GOOD = Counts(wanted=100, submitted=100, inbox=90, late=10, spam=10)
BAD = Counts(wanted=100, submitted=80, paused=20, inbox=10, spam=30, refused=40, complaints=4)
RUN = run(
    row("bad", s0=GOOD, s1=BAD),
    row("sister", s0=GOOD, s1=GOOD),
    row("neighbor", s0=GOOD),
    row("stranger", "yahoo", s0=GOOD),
    actions=(Action(6 * 3600.0, "incident", "start", "bad", "bought_list"),),
)


def texts(drawn: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(drawn).iter(f"{SVG}text")]


def test_it_says_what_became_of_whose_mail() -> None:
    found = texts(svg(RUN))
    for said in (
        "By hand",
        "1 culprit",
        "1 shares their domain",
        "1 shares their IP pool",
        "1 shares nothing",
        "gmail",
        "yahoo",
        "accepted",
        "inbox",
        "complaints per 1,000 accepted",
        "day 1 06:00: bought list starts (bad)",
    ):
        assert said in found
    assert "lost to them" not in found


def test_a_run_without_the_culprits_adds_what_was_lost() -> None:
    without = run(row("sister", s0=GOOD, s1=replace(GOOD, inbox=100, spam=0)), tenants=ALL[1:])
    found = texts(svg(RUN, without))
    assert "lost to them" in found
    assert "10 (5.3%)" in found
    assert svg(RUN, without).count('stroke-dasharray="2 2"') > svg(RUN).count('stroke-dasharray="2 2"')


def test_each_fate_has_a_bar_as_tall_as_its_mails() -> None:
    root = ElementTree.fromstring(svg(RUN))
    red = [one.get("d", "") for one in root.iter(f"{SVG}path") if one.get("fill") == "#d9534f"]
    bars = [bar for path in red for bar in re.findall(r"M([\d.]+) [\d.]+h([\d.]+)v([\d.]+)h", path)]
    assert len(bars) == 2, "the legend, and the culprit's second step"
    assert float(bars[1][2]) == pytest.approx(62 * 40 / 100, abs=0.1)


def test_the_same_run_has_the_same_bytes() -> None:
    again = run(*reversed(RUN.rows), actions=tuple(RUN.actions))
    assert svg(again) == svg(RUN)


def test_names_and_titles_are_escaped() -> None:
    name = '<b>&"x"</b>'
    tenant = replace(CULPRIT, name=name)
    action = Action(0.0, "operator", "paused", name, "a < b & c")
    drawn = svg(run(row(name, s0=GOOD), tenants=(tenant,), title="5 < 6 & 7", actions=(action,)))
    found = texts(drawn)
    assert "5 < 6 & 7" in found
    assert name in found
    assert "<b>" not in drawn


def large() -> Run:
    """A hundred tenants of each relation at every provider, for a month, and a hundred deeds."""
    tenants = tuple(replace(one, name=f"{one.name}-{n:03}") for one in ALL for n in range(100))
    steps = {f"s{n}": GOOD if n % 3 else BAD for n in range(120)}
    rows = [row(one.name, provider, **steps) for one in tenants for provider in PROVIDERS]
    deeds = tuple(Action(20_000.0 * n, "ses", "tenant_paused", "x" * 40, "y" * 200) for n in range(100))
    return run(*rows, tenants=tenants, days=30, actions=deeds)


def test_a_large_run_makes_no_large_picture() -> None:
    drawn = svg(large())
    assert len(drawn.encode()) < 150_000
    found = texts(drawn)
    assert "Tenants at providers, in percent of what was sent; 374 others are left out" in found
    assert sum(one.startswith("stranger-") for one in found) == 6, (
        "of each relation as many as there is room for"
    )
    assert sum(one.startswith("bad-") for one in found) == 7


@pytest.mark.parametrize("days", [1, 5, 10, 30, 366])
def test_any_length_can_be_drawn(days: int) -> None:
    ElementTree.fromstring(svg(replace(RUN, days=days)))


def test_a_run_without_mail_can_be_drawn() -> None:
    ElementTree.fromstring(svg(run()))
    empty: tuple[Tenant, ...] = ()
    ElementTree.fromstring(svg(run(tenants=empty)))
