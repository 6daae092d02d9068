"""A plain table of a run."""

from __future__ import annotations

from collections.abc import Iterable

from seslocal.fleets.result import Counts, Result

_COLUMNS = (
    "submitted",
    "inbox",
    "spam",
    "refused",
    "expired",
    "deferred",
    "complaints",
    "complaints_known",
    "opens",
)


def text(result: Result) -> str:
    """Returns groups by providers, and what SES and the operator did."""
    run = result.run
    groups = {
        tenant.name: f"{tenant.group}{' (culprit)' if tenant.culprit else ''}" for tenant in run.tenants
    }
    totals: dict[tuple[str, str], Counts] = {}
    for row in run.rows:
        for provider in (row.provider, "all"):
            totals.setdefault((groups[row.tenant], provider), Counts()).add(row.counts)
    lines = [f"{run.title} (seed {run.seed}, {run.days} days)", "", _line("tenants", "provider", _COLUMNS)]
    for (group, provider), counts in sorted(totals.items()):
        lines.append(_line(group, provider, (f"{getattr(counts, name):,}" for name in _COLUMNS)))
    if result.without is not None:
        before = {(row.tenant, row.provider): row.counts for row in result.without.rows}
        lost = sum(
            before[row.tenant, row.provider].inbox - row.counts.inbox
            for row in run.rows
            if (row.tenant, row.provider) in before
        )
        lines += ["", f"{lost:,} mails of the others reach the inbox only without the culprits."]
    if run.actions:
        lines.append("")
    for action in run.actions[:40]:
        day, rest = divmod(int(action.at), 86_400)
        lines.append(
            f"day {day + 1} {rest // 3600:02}:{rest // 60 % 60:02}  {action.who} {action.what} {action.tenant}: {action.why}"
        )
    if len(run.actions) > 40:
        lines.append(f"and {len(run.actions) - 40} more")
    return "\n".join(lines)


def _line(group: str, provider: str, cells: Iterable[str]) -> str:
    return f"{group:24} {provider:10}" + "".join(f"{cell:>17}" for cell in cells)
