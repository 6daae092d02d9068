"""What is expected of a good operator, measured."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from seslocal.fleets.expectations import Outcome, check, needs_without
from seslocal.fleets.result import Counts, Result
from seslocal.fleets.scenario import Expectation, Scenario
from seslocal_fixtures.fleets import BOUGHT, scenario
from seslocal_fixtures.runs import row, run

FIRST = Counts(
    wanted=200, held=10, paused=20, suppressed=10, submitted=160, inbox=80, late=8, spam=20, returned=10
)
FIRST = msgspec.structs.replace(
    FIRST, refused=40, expired=10, deferred=32, unknown=16, complaints=11, incident=50
)
LATER = Counts(wanted=40, submitted=40, inbox=40)
RUN = run(
    row("bad", s0=FIRST, s5=LATER),
    row("bad", "yahoo", s0=LATER),
    row("stranger", s0=Counts(wanted=10, submitted=10, inbox=9, spam=1)),
    last=40_000.0,
)


def expected(measure: str, **more: Any) -> Expectation:
    return msgspec.convert({"name": "x", "measure": measure, "at_most": 1.0, **more}, Expectation)


def measured(one: Expectation, without: Result | None = None, of: Scenario | None = None) -> Outcome:
    found = without or Result(run=RUN)
    (outcome,) = check(msgspec.structs.replace(of or scenario(), expect=(one,)), found)
    return outcome


@pytest.mark.parametrize(
    ("measure", "value"),
    [
        ("sent_share", 160 / 200),
        ("accepted_share", 110 / 160),
        ("inbox_share", 80 / 160),
        ("late_share", 8 / 80),
        ("spam_share", 20 / 110),
        ("refused_share", 60 / 160),
        ("deferred_share", 32 / 160),
        ("bounce_share", 16 / 160),
        ("complaint_share", 11 / 110),
        ("incident_mails", 50),
    ],
)
def test_measures(measure: str, value: float) -> None:
    one = expected(measure, of="bad", provider="gmail", until="day 1 12:00")
    assert measured(one).value == pytest.approx(value)


def test_every_measure_is_tested() -> None:
    marks: list[pytest.Mark] = test_measures.pytestmark  # pyright: ignore[reportFunctionMemberAccess, reportUnknownVariableType, reportUnknownMemberType]
    tested = {case[0] for case in marks[0].args[1]}
    known = set(msgspec.json.schema(Expectation)["$defs"]["Expectation"]["properties"]["measure"]["enum"])
    assert known - tested == {"inbox_lost_share", "seconds_to_stop"}


def test_provider_and_time_choose_what_is_counted() -> None:
    assert measured(expected("inbox_share", of="bad", provider="yahoo")).value == 1
    assert measured(expected("inbox_share", of="bad", provider="gmail", since="day 2 06:00")).value == 1
    assert measured(expected("inbox_share", of="bad")).value == pytest.approx(160 / 240)
    assert measured(expected("inbox_share", of="others")).value == pytest.approx(0.9)


def test_what_cannot_be_measured_is_neither_met_nor_missed() -> None:
    outcome = measured(expected("inbox_share", of="sister"))
    assert (outcome.value, outcome.met) == (None, None)


def test_lost_mail_needs_a_run_without_the_culprits() -> None:
    one = expected("inbox_lost_share", of="strangers")
    assert needs_without(msgspec.structs.replace(scenario(), expect=(one,)))
    assert not needs_without(msgspec.structs.replace(scenario(), expect=(expected("spam_share"),)))
    assert measured(one).value is None
    without = run(row("stranger", s0=Counts(wanted=10, submitted=10, inbox=10)))
    assert measured(one, Result(run=RUN, without=without)).value == pytest.approx(0.1)


def test_time_to_stop_counts_from_the_first_incident_with_mail_of_its_own() -> None:
    bought = scenario(BOUGHT)  # it starts on day 1 at 9:00
    assert measured(expected("seconds_to_stop"), of=bought).value == 40_000 - 9 * 3600
    assert measured(expected("seconds_to_stop"), of=scenario()).value is None, "there is no incident"
    assert measured(expected("seconds_to_stop"), Result(run=run()), bought).value == 0, "none of it left"


@pytest.mark.parametrize(
    ("limits", "met"),
    [
        ({"at_least": 0.5}, True),
        ({"at_least": 0.51}, False),
        ({"at_most": 0.5}, True),
        ({"at_most": 0.49}, False),
        ({"at_least": 0.4, "at_most": 0.49}, False),
        ({"at_least": 0.4, "at_most": 0.6}, True),
    ],
)
def test_limits(limits: dict[str, float], met: bool) -> None:
    one = expected(
        "inbox_share", of="bad", provider="gmail", until="day 1 12:00", **{"at_most": None, **limits}
    )
    assert measured(one).met is met
