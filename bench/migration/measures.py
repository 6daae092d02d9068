"""What a move costs and saves whom: inbox and delivered shares of the others, stage by stage, and of each tenant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from bench.migration.setups import Played, Setup
from seslocal.fleets.result import STEP, Counts, Run

#: Points of its inbox share that a tenant may lose to the move: a domain that no provider knows has 6 % more in the spam folder
#: at first (packages/seslocal/docs/world.md), and a tenant that mails little stays unknown for long. Of delivered mail: 1 point.
INBOX_MARGIN: Final = 0.06
DELIVERED_MARGIN: Final = 0.01
#: A tenant with fewer mails is too small for a share.
ENOUGH: Final = 200


@dataclass(frozen=True, slots=True)
class Stage:
    """The time in which most of the fleet's mail had one share on its own paths. Counts are of all but the culprit."""

    share: int
    since: float  #: seconds since the start
    until: float
    wanted: int
    inbox: Mapping[Setup, float]  #: share of the mail, with the culprit
    lost: Mapping[Setup, float]  #: points of the inbox share that the culprit costs the others


@dataclass(frozen=True, slots=True)
class Tenant:
    name: str
    wanted: int
    inbox: float  #: points that its inbox share is below that of staying without the culprit; below 0: more
    delivered: float
    beside: float  #: the same of staying beside the culprit


@dataclass(frozen=True, slots=True)
class Figures:
    stages: Sequence[Stage]
    tenants: Sequence[Tenant]
    backs: int  #: ways back
    stops: int  #: mail that the breaker held: decisions
    guilty_wanted: int
    guilty_out: Mapping[Setup, int]

    @property
    def worst(self) -> Tenant:
        return max(self.tenants, key=lambda one: one.inbox)

    @property
    def beyond(self) -> list[Tenant]:
        """Tenants that lost more than the stated margins."""
        return [one for one in self.tenants if one.inbox > INBOX_MARGIN or one.delivered > DELIVERED_MARGIN]

    @property
    def median(self) -> float:
        return median(one.inbox for one in self.tenants)


def figures(played: Mapping[tuple[Setup, bool], Played]) -> Figures:
    """`played`: by set-up, and whether it was without the culprit."""
    moves = played[Setup.MOVES, False]
    culprits = {one.name for one in moves.run.tenants if one.culprit}
    return Figures(
        stages=[*_stages(played, culprits)],
        tenants=_tenants(played, culprits),
        backs=sum(one.share == 0 for one in moves.looks),
        stops=moves.stops,
        guilty_wanted=played[Setup.STAYS, False].run.total().incident,
        guilty_out={
            setup: one.run.total().incident for (setup, without), one in played.items() if not without
        },
    )


def _stages(played: Mapping[tuple[Setup, bool], Played], culprits: set[str]) -> Iterable[Stage]:
    moves = played[Setup.MOVES, False]
    last = moves.run.days * 86_400.0
    largest = max(_sizes(moves.run, moves), key=lambda one: one[1])[0]
    changes = [(0.0, 0), *((one.at, one.share) for one in moves.looks if one.rollout == largest)]
    for place, (since, share) in enumerate(changes):
        until = changes[place + 1][0] if place + 1 < len(changes) else last
        steps = range(-(-int(since) // STEP), -(-int(until) // STEP))
        sums = {key: _sum(one.run, culprits, steps) for key, one in played.items()}
        wanted = sums[Setup.MOVES, False].wanted
        if not wanted:
            continue
        inbox = {key: one.inbox / max(1, one.wanted) for key, one in sums.items()}
        yield Stage(
            share=share,
            since=since,
            until=until,
            wanted=wanted,
            inbox={setup: inbox[setup, False] for setup in Setup if (setup, False) in inbox},
            lost={
                setup: inbox[setup, True] - inbox[setup, False]
                for setup in Setup
                if (setup, True) in inbox and (setup, False) in inbox
            },
        )


def _sizes(run: Run, played: Played) -> list[tuple[str, int]]:
    """Rollouts and the mails of their tenants."""
    groups = {one.name: one.group for one in run.tenants}
    found: dict[str, int] = {}
    for row in run.rows:
        found[groups[row.tenant]] = found.get(groups[row.tenant], 0) + row.counts.wanted
    rolled = {one.rollout for one in played.looks}
    return [(name, size) for name, size in found.items() if name in rolled] or [("", 0)]


def _sum(run: Run, culprits: set[str], steps: range) -> Counts:
    total = Counts()
    for row in run.rows:
        if row.tenant not in culprits:
            for step in steps:
                if step in row.steps:
                    total.add(row.steps[step])
    return total


def _tenants(played: Mapping[tuple[Setup, bool], Played], culprits: set[str]) -> list[Tenant]:
    moved, stayed, beside = (
        _by_tenant(played[key].run)
        for key in ((Setup.MOVES, False), (Setup.STAYS, True), (Setup.STAYS, False))
    )
    found: list[Tenant] = []
    for name, had in stayed.items():
        if name in culprits or had.wanted < ENOUGH:
            continue
        one, other = moved[name], beside[name]
        found.append(
            Tenant(
                name,
                one.wanted,
                had.inbox / had.wanted - one.inbox / one.wanted,
                _delivered(had) / had.wanted - _delivered(one) / one.wanted,
                had.inbox / had.wanted - other.inbox / other.wanted,
            )
        )
    return found


def _by_tenant(run: Run) -> dict[str, Counts]:
    found: dict[str, Counts] = {}
    for row in run.rows:
        found.setdefault(row.tenant, Counts()).add(row.counts)
    return found


def _delivered(counts: Counts) -> int:
    return counts.accepted - counts.returned
