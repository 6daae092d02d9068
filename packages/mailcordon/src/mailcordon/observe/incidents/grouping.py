"""Which alarms are one incident: those with one cause, and those that it explains. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mailcordon.core.incident import SEVERITIES, Alarm, Kind, Severity

_KINDS = {kind: number for number, kind in enumerate(Kind)}
_SEVERITIES = {severity: number for number, severity in enumerate(SEVERITIES)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An alarm of this round with the name of its source."""

    source: str
    alarm: Alarm


def rank(severity: Severity, kind: Kind) -> tuple[int, int]:
    """Lower is worse."""
    return _SEVERITIES[severity], _KINDS[kind]


def is_worse(severity: Severity, than: Severity) -> bool:
    return _SEVERITIES[severity] < _SEVERITIES[than]


def worst_first(found: Iterable[Found], cause: str) -> list[Found]:
    """Alarms of the cause itself come before those that it explains, and what does harm before what is contained."""
    return sorted(
        found,
        key=lambda one: (
            one.alarm.cause != cause,
            one.alarm.contained,
            rank(one.alarm.severity, one.alarm.kind),
            one.alarm.since,
            one.alarm.key,
        ),
    )


def by_cause(
    found: Sequence[Found], standing: Mapping[str, int], own: Mapping[str, int], *, earlier_ms: int, now: int
) -> dict[str, list[Found]]:
    """The alarms by the cause of the incident that they belong to.

    `standing`: causes whose incident is open and whose own alarms showed a short while ago, with the time it was opened.
    `own`: by alarm, since when it is in an incident of its own cause: long before what would explain it, it has another cause.
    """
    present: dict[str, list[Alarm]] = {}
    for one in found:
        present.setdefault(one.alarm.cause, []).append(one.alarm)

    def explanation(alarms: Iterable[Alarm], cause: str, since: int | None) -> str | None:
        for alarm in alarms:
            for other in alarm.explained_by:
                if other == cause or (other not in present and other not in standing):
                    continue
                if since is None or since >= standing.get(other, now) - earlier_ms:
                    return other
        return None

    groups: dict[str, list[Found]] = {}
    for one in found:
        path = [one.alarm.cause]
        further = explanation([one.alarm], path[-1], own.get(one.alarm.key))
        while further is not None and further not in path:
            path.append(further)
            further = explanation(present.get(further, ()), further, standing.get(further))
        # Causes that explain each other are one.
        cause = path[-1] if further is None else min(path[path.index(further) :])
        groups.setdefault(cause, []).append(one)
    return groups
