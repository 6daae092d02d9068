"""What is expected of a good operator, measured in a run's result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from seslocal.fleets.relations import members
from seslocal.fleets.result import Counts, Result, Run
from seslocal.fleets.scenario import (
    BoughtList,
    Expectation,
    HijackedForm,
    Incident,
    RunawayLoop,
    Scenario,
    Snowshoe,
    StaleImport,
    moment_of,
)

_SENDING: Final = (
    BoughtList,
    StaleImport,
    RunawayLoop,
    HijackedForm,
    Snowshoe,
)  # incidents with mail of their own


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One expectation and what the run says of it."""

    name: str
    measure: str
    of: str
    value: float | None  #: None: the run has nothing to measure it by
    at_least: float | None
    at_most: float | None

    @property
    def met(self) -> bool | None:
        """None: it cannot be said."""
        if self.value is None:
            return None
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)


def check(scenario: Scenario, result: Result) -> list[Outcome]:
    """Returns the outcomes in the order of the file."""
    return [
        Outcome(
            name=one.name,
            measure=one.measure,
            of=one.of,
            value=_measured(one, scenario, result),
            at_least=one.at_least,
            at_most=one.at_most,
        )
        for one in scenario.expect
    ]


def needs_without(scenario: Scenario) -> bool:
    """Returns whether an expectation can only be measured with a run without the culprits."""
    return any(one.measure == "inbox_lost_share" for one in scenario.expect)


def _measured(one: Expectation, scenario: Scenario, result: Result) -> float | None:
    run = result.run
    if one.measure == "seconds_to_stop":
        return _seconds_to_stop(scenario.incidents, run)
    counts = _sum(run, one)
    if one.measure == "incident_mails":
        return float(counts.incident)
    if one.measure == "inbox_lost_share":
        if result.without is None:
            return None
        before = _sum(result.without, one, members(run, one.of))
        return (before.inbox - counts.inbox) / before.inbox if before.inbox else None
    part, whole = _part(one.measure, counts)
    return part / whole if whole else None


def _part(measure: str, counts: Counts) -> tuple[int, int]:
    match measure:
        case "sent_share":
            return counts.submitted, counts.wanted
        case "accepted_share":
            return counts.accepted, counts.submitted
        case "inbox_share":
            return counts.inbox, counts.submitted
        case "late_share":
            return counts.late, counts.inbox
        case "spam_share":
            return counts.spam, counts.accepted
        case "refused_share":
            return counts.refused + counts.returned + counts.expired, counts.submitted
        case "deferred_share":
            return counts.deferred, counts.submitted
        case "bounce_share":
            return counts.unknown, counts.submitted
        case _:  # complaint_share
            return counts.complaints, counts.accepted


def _sum(run: Run, one: Expectation, wanted: set[str] | None = None) -> Counts:
    wanted = members(run, one.of) if wanted is None else wanted
    total = Counts()
    for row in run.rows:
        if row.tenant in wanted and one.provider in (None, row.provider):
            for counts in _steps(row.steps, run, one):
                total.add(counts)
    return total


def _steps(steps: dict[int, Counts], run: Run, one: Expectation) -> Iterator[Counts]:
    first = int(moment_of(one.since) // run.step) if one.since else 0
    end = moment_of(one.until) / run.step if one.until else float("inf")
    return (counts for step, counts in steps.items() if first <= step < end)


def _seconds_to_stop(incidents: tuple[Incident, ...], run: Run) -> float | None:
    starts = [
        start
        for incident in incidents
        if isinstance(incident, _SENDING) and (start := moment_of(incident.start)) < run.days * 86_400
    ]
    if not starts:
        return None
    if run.last_incident_mail is None:
        return 0.0  # none left
    return max(0.0, run.last_incident_mail - min(starts))
