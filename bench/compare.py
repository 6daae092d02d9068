"""Two checkouts measured in one run, round by round: what the comparison says, and when it has enough rounds to say it.

The figure is a ratio of CPU per message, this checkout to the other, from phases that follow each other directly. Absolute values
drift with the machine; a ratio of neighbours does not.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

TOLERANCE = 0.03  #: a change of CPU per message that counts as "the same"
PRECISE = 0.01  #: standard error of the median ratio up to which a difference of TOLERANCE can be seen
FEWEST_ROUNDS = 5  #: for a verdict; fewer can agree by chance
#: Standard error of a median, from the median absolute deviation, for values that are normal but for outliers:
#: 1.4826 turns the deviation into a standard deviation, 1.2533 is sqrt(pi / 2).
_ERROR_OF_MEDIAN = 1.4826 * 1.2533
MOST_ROUNDS = 20  #: after which the run ends even if it is not precise


@dataclass(frozen=True, slots=True)
class Pair:
    """One round: CPU microseconds per message by phase, here and there."""

    here: Mapping[str, float]
    there: Mapping[str, float]

    def ratio(self, phase: str) -> float:
        return self.here[phase] / self.there[phase]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    pairs: Sequence[Pair]
    headline: str  #: the phase that decides
    here: str
    there: str
    notes: Sequence[str] = ()

    def ratios(self, phase: str) -> list[float]:
        return [pair.ratio(phase) for pair in self.pairs]

    def error(self, phase: str) -> float:
        """Standard error of the median ratio. A round that something disturbed changes it little. Infinite for too few rounds."""
        ratios = self.ratios(phase)
        if len(ratios) < FEWEST_ROUNDS:
            return float("inf")
        middle = median(ratios)
        return _ERROR_OF_MEDIAN * median(abs(ratio - middle) for ratio in ratios) / len(ratios) ** 0.5

    @property
    def precise(self) -> bool:
        return self.error(self.headline) <= PRECISE

    @property
    def verdict(self) -> str:
        middle = median(self.ratios(self.headline))
        if len(self.pairs) < FEWEST_ROUNDS:
            return f"no verdict: it takes at least {FEWEST_ROUNDS} rounds"
        if not self.precise:
            return "no verdict: the rounds differ too much; run it on a quiet machine or with more --rounds"
        if middle > 1 + TOLERANCE:
            return f"this checkout uses {middle - 1:.1%} MORE CPU per message"
        if middle < 1 - TOLERANCE:
            return f"this checkout uses {1 - middle:.1%} less CPU per message"
        return f"the same within {TOLERANCE:.0%}"


def table(result: Comparison) -> str:
    lines = ["", f"{'CPU us per message':30}{'here':>10}{'there':>10}{'ratio':>9}   least to most"]
    for phase in result.pairs[0].here:
        here, there = (median(side[phase] for side in sides) for sides in _sides(result))
        ratios = result.ratios(phase)
        lines.append(
            f"{phase:30}{here:>10.1f}{there:>10.1f}{median(ratios):>9.3f}   {min(ratios):.3f} to {max(ratios):.3f}"
        )
    lines += [
        "",
        f"here: {result.here}",
        f"there: {result.there}",
        *result.notes,
        f"{len(result.pairs)} rounds, the two taking turns at going first. "
        f"Standard error of the ratio of {result.headline}: {result.error(result.headline):.3f}.",
        f"{result.headline}: {result.verdict}",
    ]
    return "\n".join(lines)


def json_line(result: Comparison) -> str:
    return json.dumps(
        {
            "verdict": result.verdict,
            "rounds": len(result.pairs),
            "standard_error": round(result.error(result.headline), 4)
            if len(result.pairs) >= FEWEST_ROUNDS
            else None,
            "ratio": {phase: round(median(result.ratios(phase)), 4) for phase in result.pairs[0].here},
            "ratio_spread": {
                phase: [round(min(result.ratios(phase)), 4), round(max(result.ratios(phase)), 4)]
                for phase in result.pairs[0].here
            },
        }
    )


def _sides(result: Comparison) -> tuple[list[Mapping[str, float]], list[Mapping[str, float]]]:
    return [pair.here for pair in result.pairs], [pair.there for pair in result.pairs]
