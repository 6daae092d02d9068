"""`./dev bench send --limits`: what is concluded from phases that alternate, with its interval, and how it is printed.

Phases come in blocks of four: with, without, without, with, and the next block the other way round. A block gives one ratio, so
what drifts evenly falls out of it.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev

GOAL = 0.05  #: more CPU a mail that limits and breaker may cost
PRECISE = 0.008  #: standard error at which the run ends
FEWEST_BLOCKS = 8  #: for a verdict
_WIDTH = 2.0  #: standard errors on each side of the interval, about 95 %
_TRIMMED = (
    0.1  #: share of the blocks that is left out at either end: a burst of something else fell into them
)
#: PostgreSQL's upkeep comes in bursts, minutes apart, and is said apart.
UPKEEP = ("postmaster and ended backends", "checkpointer", "background", "autovacuum")
#: The parts that do something for limits; the others are the same code and the same work in both.
TOUCHED = ("dispatch", "postgres:claim", "postgres:complete", "postgres:clear")

Parts = Mapping[str, float]  #: CPU microseconds a mail, by part


@dataclass(frozen=True, slots=True)
class Block:
    """The mean of its two phases with and of its two phases without."""

    on: Parts
    off: Parts

    def ratio(self, parts: Sequence[str] | None = None) -> float:
        """With to without. `parts`: only what these cost more is taken as the difference."""
        off = _sum(self.off)
        more = _sum(self.on) - off if parts is None else _sum(self.on, parts) - _sum(self.off, parts)
        return 1 + more / off


@dataclass(frozen=True, slots=True)
class Estimate:
    middle: float
    error: float  #: standard error; infinite for too few blocks

    @property
    def low(self) -> float:
        return self.middle - _WIDTH * self.error

    @property
    def high(self) -> float:
        return self.middle + _WIDTH * self.error


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    blocks: Sequence[Block]
    limits: int
    others: float  #: share of the machine's CPU that processes of others used
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def all(self) -> Estimate:
        return estimate([block.ratio() for block in self.blocks])

    @property
    def touched(self) -> Estimate:
        return estimate([block.ratio(TOUCHED) for block in self.blocks])

    @property
    def precise(self) -> bool:
        return len(self.blocks) >= FEWEST_BLOCKS and self.all.error <= PRECISE

    @property
    def verdict(self) -> str:
        found = self.all
        if len(self.blocks) < FEWEST_BLOCKS:
            return f"no verdict: it takes at least {FEWEST_BLOCKS} blocks"
        if found.high <= 1 + GOAL:
            return f"within {GOAL:.0%}"
        if found.low > 1 + GOAL:
            return f"MORE than {GOAL:.0%}"
        return (
            f"no verdict: the interval includes {GOAL:.0%}; run it on a quiet machine or with more --rounds"
        )


def estimate(values: Sequence[float]) -> Estimate:
    """The trimmed mean, with its standard error (Tukey and McLaughlin: from the winsorised values)."""
    ordered = sorted(values)
    n, cut = len(ordered), int(len(ordered) * _TRIMMED)
    middle = mean(ordered[cut : n - cut])
    if n < FEWEST_BLOCKS:
        return Estimate(middle, math.inf)
    winsorised = [min(max(value, ordered[cut]), ordered[n - 1 - cut]) for value in ordered]
    return Estimate(middle, stdev(winsorised) / ((1 - 2 * _TRIMMED) * math.sqrt(n)))


def is_upkeep(part: str) -> bool:
    kind, _, name = part.partition(":")
    return kind == "postgres" and name in UPKEEP


def table(result: Result) -> str:
    lines = ["", f"{'CPU us a mail':34}{'with':>10}{'without':>10}{'more':>9}   standard error"]
    names = sorted(
        {name for block in result.blocks for name in (*block.on, *block.off)},
        key=lambda name: (is_upkeep(name), name),
    )
    for name in names:
        on = mean(block.on.get(name, 0.0) for block in result.blocks)
        off = mean(block.off.get(name, 0.0) for block in result.blocks)
        if on + off >= 1:
            error = estimate(
                [block.on.get(name, 0.0) - block.off.get(name, 0.0) for block in result.blocks]
            ).error
            mark = "   not in the ratio" if is_upkeep(name) else ""
            lines.append(f"{name:34}{on:>10.1f}{off:>10.1f}{on - off:>9.1f}   {error:.1f}{mark}")
    on, off = (
        mean(_sum(side) for side in sides)
        for sides in ([b.on for b in result.blocks], [b.off for b in result.blocks])
    )
    lines.append(f"{'all that is in the ratio':34}{on:>10.1f}{off:>10.1f}{on - off:>9.1f}")
    for name, found in (
        ("ratio of all", result.all),
        ("ratio if only dispatch differs", result.touched),
    ):
        lines.append(
            f"{name:42}{found.middle:.3f}, 95 % interval {found.low:.3f} to {found.high:.3f} (standard error {found.error:.3f})"
        )
    lines += [
        "",
        f"with: {result.limits} limits and the breaker; without: neither",
        *result.notes,
        f"{len(result.blocks)} blocks of four phases. Processes of others used {result.others:.0%} of the machine.",
        f"{result.verdict}",
    ]
    return "\n".join(lines)


def json_line(result: Result) -> str:
    found, touched = result.all, result.touched
    known = math.isfinite(found.error)
    return json.dumps(
        {
            "verdict": result.verdict,
            "blocks": len(result.blocks),
            "ratio": round(found.middle, 4),
            "standard_error": round(found.error, 4) if known else None,
            "interval": [round(found.low, 4), round(found.high, 4)] if known else None,
            "touched_ratio": round(touched.middle, 4),
            "touched_standard_error": round(touched.error, 4) if known else None,
            "others_share_of_cpu": round(result.others, 3),
        }
    )


def _sum(parts: Parts, only: Sequence[str] | None = None) -> float:
    return sum(us for name, us in parts.items() if not is_upkeep(name) and (only is None or name in only))
