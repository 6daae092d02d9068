"""Results of runs made by hand: one culprit, and one tenant of each relation to it."""

from __future__ import annotations

from seslocal.fleets.result import STEP, Action, Counts, Row, Run, Tenant

CULPRIT = Tenant("bad", "shops", "mixed", "brand.example", "platform", True)
SISTER = Tenant("sister", "shops", "mixed", "brand.example", "platform", False)
NEIGHBOR = Tenant("neighbor", "others", "mixed", "neighbor.example", "platform", False)
STRANGER = Tenant("stranger", "others", "mixed", "stranger.example", "alone", False)
ALL = (CULPRIT, NEIGHBOR, SISTER, STRANGER)


def row(tenant: str, provider: str = "gmail", **steps: Counts) -> Row:
    """Returns a row with the counts of some steps: `s0` is the first."""
    by_number = {int(name[1:]): counts for name, counts in steps.items()}
    total = Counts()
    for counts in by_number.values():
        total.add(counts)
    return Row(tenant, provider, total, by_number)


def run(
    *rows: Row,
    tenants: tuple[Tenant, ...] = ALL,
    actions: tuple[Action, ...] = (),
    title: str = "By hand",
    days: int = 2,
    last: float | None = None,
) -> Run:
    return Run(
        scenario="by-hand",
        title=title,
        seed=1,
        days=days,
        scale=1.0,
        without=(),
        start=0.0,
        step=STEP,
        tenants=list(tenants),
        rows=list(rows),
        actions=list(actions),
        attempts=0,
        last_incident_mail=last,
    )
