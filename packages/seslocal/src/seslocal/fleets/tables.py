"""A run as text: what became of the mail of the culprits and of the others at each provider, who lost most, what was done, and
whether what is expected of a good operator was reached."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from seslocal.fleets.expectations import Outcome, check
from seslocal.fleets.relations import RELATIONS, Relation, relations, words
from seslocal.fleets.result import Action, Counts, Result, Run
from seslocal.fleets.scenario import Scenario

_MOST_TENANTS: Final = 12
_UNSAID: Final = {"inbox_lost_share": "needs --compare"}
_MOST_ACTIONS: Final = 30
_HEAD: Final = (
    "mails",
    "accepted",
    "inbox",
    "spam",
    "refused",
    "deferred",
    "late",
    "unknown",
    "complaints",
    "reported",
    "opens",
)


def text(scenario: Scenario, result: Result) -> str:
    """Returns the tables."""
    run = result.run
    left_out = f", without {_few(run.without)}" if run.without else ""
    lines = [f"{run.title} (seed {run.seed}, {run.days} days{left_out})", ""]
    lines += _by_relation(run)
    if result.without is not None:
        lines += ["", *_lost(run, result.without)]
    if run.actions:
        lines += ["", *_actions(run.actions)]
    if outcomes := check(scenario, result):
        lines += ["", *_expected(outcomes)]
    return "\n".join(lines)


def _few(names: Sequence[str]) -> str:
    shown = ", ".join(names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"


def _by_relation(run: Run) -> list[str]:
    found = relations(run)
    sums: dict[tuple[str, str], Counts] = {}
    for row in run.rows:
        for provider in ("all", row.provider):
            sums.setdefault((found[row.tenant], provider), Counts()).add(row.counts)
    lines = [_line("", "", _HEAD)]
    for relation in RELATIONS:
        names = [name for name, one in found.items() if one == relation]
        providers = sorted({provider for one, provider in sums if one == relation} - {"all"})
        for provider in ["all", *providers] if providers else []:
            who = _plural(relation, len(names)) if provider == "all" else ""
            lines.append(_line(who, provider, _cells(sums[relation, provider])))
    return lines


def _plural(relation: Relation, count: int) -> str:
    return f"{count} {words(relation, count)}"


def _cells(counts: Counts) -> list[str]:
    return [
        f"{counts.submitted:,}",
        share(counts.accepted, counts.submitted),
        share(counts.inbox, counts.submitted),
        share(counts.spam, counts.submitted),
        share(counts.refused + counts.returned + counts.expired, counts.submitted),
        share(counts.deferred, counts.submitted),
        share(counts.late, counts.inbox),
        share(counts.unknown, counts.submitted),
        share(counts.complaints, counts.accepted),
        f"{counts.complaints_known:,}",
        share(counts.opens, counts.accepted),
    ]


def share(part: int, whole: int) -> str:
    """Returns a share in percent, with more digits if it is small."""
    if not whole:
        return "-"
    value = 100 * part / whole
    return f"{value:.1f}%" if value >= 1 or not part else f"{value:.2f}%"


def _line(who: str, provider: str, cells: Sequence[str]) -> str:
    return f"{who:26} {provider:10}" + "".join(f"{cell:>11}" for cell in cells)


def _lost(run: Run, without: Run) -> list[str]:
    """What the others lost to the culprits: the same mails, played with and without them."""
    found = relations(run)
    before = _inbox(without)
    after = _inbox(run)
    lines = ["Inbox mails with the culprits, without them, and lost to them", ""]
    for relation in RELATIONS[1:]:
        names = [name for name, one in found.items() if one == relation]
        if not names:
            continue
        had, has = sum(before.get(name, 0) for name in names), sum(after.get(name, 0) for name in names)
        lines.append(
            f"{_plural(relation, len(names)):38}{has:>11,}{had:>11,}{had - has:>11,}  {share(had - has, had)}"
        )
    losses = sorted(((after.get(name, 0) - had, name) for name, had in before.items()), key=lambda one: one)
    lines += [
        f"  {name} ({found[name]})".ljust(38)
        + f"{after.get(name, 0):>11,}{before[name]:>11,}{-change:>11,}  {share(-change, before[name])}"
        for change, name in losses[:_MOST_TENANTS]
        if change < 0
    ]
    return lines


def _inbox(run: Run) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in run.rows:
        found[row.tenant] = found.get(row.tenant, 0) + row.counts.inbox
    return found


def _actions(actions: Sequence[Action]) -> list[str]:
    lines = [
        f"{moment(action.at)}  {action.who:9} {action.what.replace('_', ' ')}"
        f"{f' {action.tenant}' if action.tenant else ''}: {action.why}"
        for action in actions[:_MOST_ACTIONS]
    ]
    if len(actions) > _MOST_ACTIONS:
        lines.append(f"and {len(actions) - _MOST_ACTIONS:,} more; --json has all")
    return lines


def moment(at: float) -> str:
    """Returns a time since the start as scenario files write it."""
    day, rest = divmod(int(at), 86_400)
    return f"day {day + 1} {rest // 3600:02}:{rest // 60 % 60:02}"


def _expected(outcomes: Sequence[Outcome]) -> list[str]:
    lines = ["What is expected of a good operator"]
    words = {True: "reached", False: "missed", None: "not measured"}
    for one in outcomes:
        limits = [f"at least {one.at_least:,g}"] if one.at_least is not None else []
        limits += [f"at most {one.at_most:,g}"] if one.at_most is not None else []
        of = f" of {one.of}" if one.measure != "seconds_to_stop" else ""
        value = (
            _number(one.value)
            if one.value is not None
            else _UNSAID.get(one.measure, "nothing to measure it by")
        )
        lines.append(f"  {words[one.met]:13} {one.name} ({one.measure}{of}: {value}; {' and '.join(limits)})")
    return lines


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
