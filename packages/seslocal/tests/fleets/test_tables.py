"""A run as text."""

from __future__ import annotations

import msgspec
import pytest

from seslocal.fleets.result import Action, Counts, Result
from seslocal.fleets.scenario import Expectation
from seslocal.fleets.tables import moment, share, text
from seslocal_fixtures.fleets import BOUGHT, scenario
from seslocal_fixtures.runs import row, run

BAD = row("bad", s0=Counts(wanted=1000, submitted=1000, inbox=300, spam=200, refused=500, complaints=3))
SISTER = row("sister", s0=Counts(wanted=1000, submitted=1000, inbox=900, spam=100))
STRANGER = row("stranger", "yahoo", s0=Counts(wanted=10, submitted=10, inbox=10))
RUN = run(BAD, SISTER, STRANGER)


def line(found: str, start: str) -> list[str]:
    (one,) = [one for one in found.splitlines() if one.startswith(start)]
    return one.removeprefix(start).split()


def test_relations_and_providers_have_lines() -> None:
    found = text(scenario(), Result(run=RUN))
    assert line(found, "1 culprit")[:6] == ["all", "1,000", "50.0%", "30.0%", "20.0%", "50.0%"]
    assert line(found, "1 shares nothing")[:2] == ["all", "10"]
    assert line(found, " " * 27 + "yahoo")[:1] == ["10"], "only who mails a provider has a line for it"
    assert "shares their IP pool" not in found, "it sent nothing"


def test_what_was_lost_is_said_by_relation_and_tenant() -> None:
    better = row("sister", s0=Counts(wanted=1000, submitted=1000, inbox=1000))
    found = text(scenario(), Result(run=RUN, without=run(better, STRANGER)))
    lost = found[found.index("Inbox mails with") :]
    assert line(lost, "1 shares their domain") == ["900", "1,000", "100", "10.0%"]
    assert line(found, "  sister (shares domain)") == ["900", "1,000", "100", "10.0%"]
    assert "stranger (stranger)" not in found


def test_expectations_that_are_missed_are_named() -> None:
    many = Expectation(name="Few are refused", measure="refused_share", of="culprits", at_most=0.1)
    unknown = Expectation(name="Nothing is lost", measure="inbox_lost_share", at_most=0)
    kept = Expectation(name="Strangers are read", measure="inbox_share", of="strangers", at_least=0.9)
    found = text(msgspec.structs.replace(scenario(), expect=(many, unknown, kept)), Result(run=RUN))
    assert "missed        Few are refused (refused_share of culprits: 0.5; at most 0.1)" in found
    assert "not measured  Nothing is lost (inbox_lost_share of others: needs --compare; at most 0)" in found
    assert "reached       Strangers are read (inbox_share of strangers: 1; at least 0.9)" in found


def test_a_time_is_of_nobody() -> None:
    quick = Expectation(name="Soon", measure="seconds_to_stop", at_most=60)
    found = text(
        msgspec.structs.replace(scenario(BOUGHT), expect=(quick,)), Result(run=run(BAD, last=33_000.0))
    )
    assert "missed        Soon (seconds_to_stop: 600; at most 60)" in found


def test_deeds_are_listed_up_to_a_number() -> None:
    deeds = tuple(Action(60.0 * n, "ses", "tenant_paused", f"t{n}", "too many") for n in range(40))
    found = text(scenario(), Result(run=run(BAD, actions=deeds)))
    assert "day 1 00:29  ses       tenant paused t29: too many" in found
    assert "t30" not in found
    assert "and 10 more; --json has all" in found


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 0, "-"), (0, 5, "0.0%"), (1, 1000, "0.10%"), (1, 10, "10.0%"), (-1, 1000, "-0.10%")],
)
def test_shares(part: int, whole: int, said: str) -> None:
    assert share(part, whole) == said


def test_moments_are_written_as_in_files() -> None:
    assert moment(2 * 86_400 + 9 * 3600 + 59.9) == "day 3 09:00"
