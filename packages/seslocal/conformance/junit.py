"""Reads the JUnit reports of pytest and node, and compares them with a list of accepted failures."""

from __future__ import annotations

import re
import tomllib
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

KINDS: Final = ("contradicts", "outside", "undecided")
SOURCES: Final = ("SES facts, section ", "Users of SES: ")  #: how `facts` begins
_NOT_ACTING: Final = re.compile(r"does not implement|InvalidAction|NotImplemented")


class BadList(Exception):
    """The list of differences is invalid."""


@dataclass(frozen=True, slots=True)
class Case:
    name: str  #: MODULE::TEST
    outcome: str  #: passed, failed or skipped
    detail: str  #: why it did not pass, in one line


@dataclass(frozen=True, slots=True)
class Difference:
    """A third-party test that seslocal fails on purpose."""

    test: str
    kind: str  #: contradicts: SES does otherwise; outside: SES has it and seslocal does not implement it;
    #: undecided: the facts are silent, and `why` gives the reason for seslocal's choice
    facts: str  #: section of the facts about SES, or a public thread; for `contradicts`
    why: str


@dataclass(frozen=True, slots=True)
class Verdict:
    passed: tuple[Case, ...]
    differing: tuple[Case, ...]  #: failed, and listed
    failed: tuple[Case, ...]  #: failed, and listed nowhere
    skipped: tuple[Case, ...]
    stale: tuple[str, ...]  #: listed, and passing or gone

    @property
    def good(self) -> bool:
        return not self.failed and not self.stale and bool(self.passed)


def read(report: Path) -> list[Case]:
    return [_case(element) for element in ElementTree.parse(report).iter("testcase")]


def _case(element: ElementTree.Element) -> Case:
    module = (element.get("classname") or "").rpartition(".")[2]
    name = f"{module}::{element.get('name')}" if module else str(element.get("name"))
    for kind, outcome in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        if (found := element.find(kind)) is not None:
            text = (found.get("message") or found.text or "").strip()
            return Case(name, outcome, text.splitlines()[0] if text else kind)
    return Case(name, "passed", "")


def differences(path: Path) -> dict[str, Difference]:
    listed: dict[str, Difference] = {}
    for entry in tomllib.loads(path.read_text()).get("difference", []):
        for test in entry.get("tests", []):
            found = Difference(test, entry.get("kind", ""), entry.get("facts", ""), entry.get("why", ""))
            if found.kind not in KINDS:
                raise BadList(f"{test}: kind must be one of {', '.join(KINDS)}, not {found.kind!r}.")
            if not found.why:
                raise BadList(f"{test}: why is missing.")
            if found.kind == "contradicts" and not found.facts.startswith(SOURCES):
                raise BadList(
                    f"{test}: facts must name a section of the SES facts or a report of users of SES."
                )
            if test in listed:
                raise BadList(f"{test} is listed twice.")
            listed[test] = found
    return listed


def _explains(difference: Difference, case: Case) -> bool:
    """A test listed as outside must have failed because the operation is not implemented."""
    return difference.kind != "outside" or _NOT_ACTING.search(case.detail) is not None


def compare(cases: Iterable[Case], listed: Mapping[str, Difference]) -> Verdict:
    found: dict[str, list[Case]] = {"passed": [], "differing": [], "failed": [], "skipped": []}
    for case in cases:
        difference = listed.get(case.name)
        accepted = case.outcome == "failed" and difference is not None and _explains(difference, case)
        found["differing" if accepted else case.outcome].append(case)
    failing = {case.name for kind in ("differing", "failed") for case in found[kind]}
    return Verdict(
        tuple(found["passed"]),
        tuple(found["differing"]),
        tuple(found["failed"]),
        tuple(found["skipped"]),
        tuple(sorted(set(listed) - failing)),
    )
