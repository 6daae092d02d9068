"""Medians of the rounds, and ratios of phases that were measured in the same round."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.curve.plan import Rate
from bench.curve.record import HERE, THERE, Phase, quantile


@dataclass(frozen=True, slots=True)
class Spread:
    middle: float  #: the median
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        return cls(median(values), min(values), max(values)) if values else None


Round = Mapping[tuple[Rate, str], Phase]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    rates: Sequence[Rate]
    rounds: Sequence[Round]
    here: str  #: which checkout, and its interpreter
    there: str | None
    engine: str
    resident: Mapping[
        str, Mapping[str, tuple[float, float]]
    ]  #: by side and role: megabytes at the start and at the end
    between: Mapping[str, float] = field(default_factory=dict[str, float])
    #: by side: CPU milliseconds a second while it was not measured, in the last round
    calls: Mapping[tuple[Rate, str], Mapping[str, float]] = field(
        default_factory=dict[tuple[Rate, str], Mapping[str, float]]
    )
    #: system calls a mail by part (`system calls:api`), and calls of database functions a mail (`function:accept`)
    commits: Mapping[str, str | None] = field(default_factory=dict[str, str | None])  #: by side, where known
    notes: Sequence[str] = ()

    @property
    def sides(self) -> list[str]:
        return [HERE, THERE] if self.there else [HERE]

    @property
    def mail_rates(self) -> list[Rate]:
        return [rate for rate in self.rates if not rate.idle]

    def phases(self, rate: Rate, side: str) -> list[Phase]:
        return [one[rate, side] for one in self.rounds if (rate, side) in one]

    def spread(self, rate: Rate, side: str, figure: Callable[[Phase], float]) -> Spread | None:
        return Spread.of([figure(phase) for phase in self.phases(rate, side)])

    def ratio(self, rate: Rate, over: str, figure: Callable[[Phase], float]) -> Spread | None:
        """Of this checkout to the other side, round by round."""
        pairs = [
            (one[rate, HERE], one[rate, over])
            for one in self.rounds
            if (rate, HERE) in one and (rate, over) in one
        ]
        return Spread.of([figure(a) / figure(b) for a, b in pairs if figure(b) > 0])

    def others(self) -> float:
        return median(phase.others for one in self.rounds for phase in one.values())

    def parts(self, rate: Rate) -> list[str]:
        return sorted(
            {name for side in self.sides for phase in self.phases(rate, side) for name in phase.cpu}
        )


def each(phase: Phase) -> float:
    return phase.each


def of(part: str) -> Callable[[Phase], float]:
    return lambda phase: phase.of(part)


def accept_ms(share: float) -> Callable[[Phase], float]:
    """Milliseconds from when a mail was due to its 202."""
    return lambda phase: quantile(phase.accepts, share) * 1000


def call_ms(share: float, kind: str) -> Callable[[Phase], float]:
    """Milliseconds from acceptance to SES's call, of a class."""
    return lambda phase: quantile(phase.calls.get(kind, ()), share)


def whole_ms(share: float, kind: str) -> Callable[[Phase], float]:
    """Milliseconds from the request to SES's call, of a class."""
    return lambda phase: quantile(phase.whole.get(kind, ()), share)
