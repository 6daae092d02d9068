"""Is the service well? Pure: facts in, a list of problems out. The API, the command line and `doctor` show the same list.

A problem is something that a person should look at: mail that waits longer than its class may, a role that is silent, a stop, a
resource that fails. What people did on purpose, such as a hold, is a notice. "Well" is said only of what was checked: `checked`
lists it, and a check whose facts could not be read is a problem.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mailcordon.control import now, status_checks, subjects
from mailcordon.control.problem import CHECKS, Check, Problem
from mailcordon.control.retention import Storage
from mailcordon.control.status_facts import Beat, Facts, OpenIncident, Waiting, alive, doors, refusals
from mailcordon.control.status_notices import notices
from mailcordon.messages import status

#: Of an installation that observes only, nothing is asked of SES.
_ASKED_OF_SES = frozenset[Check]({"account", "resources at SES", "findings of SES"})
MOST_OF_A_KIND = 10  #: problems with one code; the rest is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    at: int
    problems: tuple[Problem, ...]
    notices: tuple[Problem, ...]
    checked: tuple[Check, ...]
    processes: tuple[Beat, ...]
    waiting: tuple[Waiting, ...]
    refused: Mapping[str, int]  #: by limit of the door, of all API processes since their start
    storage: Storage | None
    sentence: str = ""  #: what is wrong now, and what flows (control/now.py)
    incidents: tuple[OpenIncident, ...] = ()  #: that are open, the worst first
    scan: str | None = None  #: within which time a change at SES is found; None: no process reconciles

    @property
    def ok(self) -> bool:
        return not self.problems


def problems(facts: Facts, check: Check) -> Iterable[Problem]:
    """All of one check. The alarms are made of the same (control/alarms.py)."""
    if check in facts.unread:
        return [_unread(check, facts.unread[check])]
    return status_checks.OF[check](facts)


def judge(facts: Facts) -> Status:
    found: list[Problem] = []
    everything: list[Problem] = []
    for check in CHECKS:
        of_check = list(problems(facts, check))
        everything += of_check
        found += _bounded(of_check)
    return Status(
        at=facts.now,
        sentence=now.sentence(facts, everything),
        problems=tuple(found),
        notices=tuple(_bounded(notices(facts))),
        checked=tuple(check for check in CHECKS if _is_checked(check, facts)),
        processes=tuple(facts.beats),
        waiting=tuple(facts.waiting),
        refused=refusals(doors(facts)),
        storage=facts.storage,
        incidents=tuple(facts.incidents),
        scan=_scan(alive(facts, "control")),
    )


def _is_checked(check: Check, facts: Facts) -> bool:
    return check not in facts.unread and not (facts.observe_only and check in _ASKED_OF_SES)


def _scan(beats: Sequence[Beat]) -> str | None:
    events = any(beat.facts.get("signals") for beat in beats)
    for beat in beats:
        calls: Mapping[str, Any] = beat.facts.get("calls") or {}
        scan: Mapping[str, Any] = calls.get("scan") or {}
        if scan:
            return status.scan_period(
                period=int(scan["period_seconds"]), shared=int(scan["shared_seconds"]), events=events
            )
    return None


def _bounded(problems: Iterable[Problem]) -> list[Problem]:
    """At most MOST_OF_A_KIND of each code; one line says how many more there are."""
    by_code: dict[str, list[Problem]] = {}
    for problem in problems:
        by_code.setdefault(problem.code, []).append(problem)
    out: list[Problem] = []
    for code, same in by_code.items():
        out += same[:MOST_OF_A_KIND]
        more = len(same) - MOST_OF_A_KIND
        if more > 0:
            sentence = status.status_more(count=more, code=code)
            out.append(Problem(code=code, check=same[0].check, sentence=sentence, next=same[0].next))
    return out


def _unread(check: Check, why: str) -> Problem:
    return Problem(
        code="not-checked",
        check=check,
        sentence=status.status_not_checked(check=check, why=why),
        next=status.status_not_checked_next(),
        about=subjects.of_check(check),
    )
