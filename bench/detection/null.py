"""The null run: healthy tenants only, for so long that false stops can be counted and not just be absent (detection.md, section
16.1).

Every normal is learned, as in operation, and counting begins after 30 days. A run of thousands of tenant-years takes hours: with
a log it can be stopped and continued.
"""

import hashlib
import importlib
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.detection import runs
from bench.detection.protocol import LEVELS
from bench.detection.runs import OURS, Run
from bench.detection.scenarios import Group, Scenario, plain

#: False actions of a healthy lane in a year, at most, by class (detection.md, section 7).
BOUNDS: Mapping[str, Mapping[str, float]] = {
    "campaign": {"warn": 1.0, "throttle": 0.1, "cordon": 0.01},
    "transactional": {"warn": 0.1, "throttle": 0.01, "cordon": 0.001},
}
#: Of all tenants together (detection.md, section 14).
OVERALL = {"warn": 0.3, "throttle": 0.03, "cordon": 0.003}
_SURE = 0.95
_FIRST_SEED = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    volume: int  #: mails a day of each tenant
    pattern: str
    share: float  #: of the tenant-years
    tenants: int  #: of a batch, which lasts a year after its warm-up

    @property
    def name(self) -> str:
        return f"{self.volume:,} a day, {self.pattern}"


#: Of 3,000 tenant-years, 50 are the long ones.
CELLS = (
    Cell(volume=50, pattern="campaign", share=0.70, tenants=25),
    Cell(volume=50, pattern="transactional", share=0.20, tenants=25),
    Cell(volume=5000, pattern="campaign", share=0.25 / 3, tenants=10),
    Cell(volume=5000, pattern="transactional", share=0.05 / 3, tenants=1),
)


@dataclass(frozen=True, slots=True)
class Batch:
    cell: int
    number: int

    @property
    def scenario(self) -> Scenario:
        cell = CELLS[self.cell]
        group = Group(
            count=cell.tenants,
            volume=cell.volume,
            patterns=[(cell.pattern, 1.0)],
            campaigns_per_week=0,
            per_minute=0,
        )
        seed = _FIRST_SEED + self.cell * 100_000 + self.number
        return plain(f"null: {cell.name}, batch {self.number}", "healthy", seed, 395, [group])


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What one batch showed."""

    cell: int
    number: int
    made_by: str  #: fingerprint of the detector's sources
    years: float
    false: Mapping[str, int]
    rows: int
    cpu: float  #: seconds within the detector
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    count: int
    per_year: float
    low: float  #: ends of the interval that holds the true rate with 95 %
    high: float
    bound: float

    @property
    def verdict(self) -> str:
        """`kept`: shown, the whole interval is within the bound; `not refuted`; or `broken`: the whole interval is above it."""
        return "kept" if self.high <= self.bound else "not refuted" if self.low <= self.bound else "broken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    years: float
    rates: Mapping[str, Rate]


def batches(years: float) -> list[Batch]:
    """At least so many tenant-years, the cells in turn, so that a run that is stopped has its share of each."""
    found = [
        ((number + 0.5) * cell.tenants / cell.share, Batch(place, number))
        for place, cell in enumerate(CELLS)
        for number in range(math.ceil(years * cell.share / cell.tenants - 1e-9))
    ]
    return [batch for _, batch in sorted(found, key=lambda one: one[0])]


def play(
    spec: str, years: float, *, jobs: int, log: Path | None, say: Callable[[str], None]
) -> list[Counted]:
    """Plays what the log does not hold. A batch of other sources than today's is played again."""
    made_by = fingerprint(spec)
    done = {(one.cell, one.number): one for one in (_logged(log) if log else ()) if one.made_by == made_by}
    if log and log.exists() and not log.read_text().endswith("\n"):
        with log.open("a") as file:
            file.write("\n")  # after a line that was cut off
    wanted = batches(years)
    left = [one for one in wanted if (one.cell, one.number) not in done]
    for batch, counted in runs.each(_Play(spec, made_by), left, jobs):
        done[batch.cell, batch.number] = counted
        if log:
            with log.open("a") as file:
                file.write(json.dumps(asdict(counted)) + "\n")
        total = sum(one.years for one in done.values())
        cordons = sum(one.false["cordon"] for one in done.values())
        say(f"{total:,.0f} of {years:,.0f} tenant-years without an incident, {cordons} cordons")
    return [done[one.cell, one.number] for one in wanted]


@dataclass(frozen=True, slots=True)
class _Play:
    spec: str
    made_by: str

    def __call__(self, batch: Batch) -> Counted:
        score = Run(self.spec, peers=False)(batch.scenario)[OURS]
        return Counted(
            cell=batch.cell,
            number=batch.number,
            made_by=self.made_by,
            years=score.tenant_years,
            false=score.false,
            rows=score.rows,
            cpu=score.cpu,
            error=score.error,
        )


def fingerprint(spec: str) -> str:
    """Changes with the sources that decide: the detector's module and the breaker."""
    module = Path(importlib.import_module(spec.partition(":")[0]).__file__ or "")
    guard = Path(importlib.import_module("mailcordon.guard").__file__ or "").parent
    files = [module, guard / "counts.py", guard / "delays.py", *sorted((guard / "breaker").rglob("*.py"))]
    return hashlib.sha256(b"".join(one.read_bytes() for one in files)).hexdigest()[:16]


def _logged(log: Path) -> Iterable[Counted]:
    if not log.exists():
        return
    for line in log.read_text().splitlines():
        try:
            yield Counted(**json.loads(line))
        except (json.JSONDecodeError, TypeError):
            continue  # cut off when the run was stopped


def parts(counted: Sequence[Counted]) -> list[Part]:
    """Each cell, and all of them."""
    good = [one for one in counted if one.error is None]
    found = [
        _part(cell.name, [one for one in good if one.cell == place], BOUNDS[cell.pattern])
        for place, cell in enumerate(CELLS)
    ]
    return [one for one in [*found, _part("all", good, OVERALL)] if one.years > 0]


def _part(name: str, counted: Sequence[Counted], bounds: Mapping[str, float]) -> Part:
    years = sum(one.years for one in counted)
    rates: dict[str, Rate] = {}
    for level in LEVELS if years else ():
        count = sum(one.false[level] for one in counted)
        low, high = interval(count)
        rates[level] = Rate(
            count=count, per_year=count / years, low=low / years, high=high / years, bound=bounds[level]
        )
    return Part(name=name, years=years, rates=rates)


def interval(count: int, sure: float = _SURE) -> tuple[float, float]:
    """Of the mean of a Poisson law that showed `count` (Garwood's exact interval)."""
    tail = (1 - sure) / 2
    low = 0.0 if count == 0 else _solve(lambda mean: _at_most(count - 1, mean) - (1 - tail), count)
    return low, _solve(lambda mean: _at_most(count, mean) - tail, count)


def _at_most(count: int, mean: float) -> float:
    if mean <= 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(count + 1))


def _solve(falling: Callable[[float], float], count: int) -> float:
    """Where a falling function is zero."""
    low, high = 0.0, 10.0 + 3 * count
    for _ in range(60):
        middle = (low + high) / 2
        if falling(middle) > 0:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def as_json(parts_: Sequence[Part], counted: Sequence[Counted]) -> dict[str, Any]:
    return {
        "tenant_years": round(sum(one.years for one in counted), 1),
        "errors": sum(one.error is not None for one in counted),
        "cpu_us_per_row": round(
            1e6 * sum(one.cpu for one in counted) / max(1, sum(one.rows for one in counted)), 1
        ),
        "parts": [
            {
                "name": one.name,
                "tenant_years": round(one.years, 1),
                "false": {
                    level: asdict(rate) | {"verdict": rate.verdict} for level, rate in one.rates.items()
                },
            }
            for one in parts_
        ],
    }
