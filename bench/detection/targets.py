"""What the breaker has to reach on the public scenarios (detection.md, section 14). Other scenarios have no targets."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.detection import ceiling, snowshoe
from bench.detection.null import Part
from bench.detection.score import Line, Score

#: By scenario: the largest median ratios until a throttle, and until a cordon.
RATIOS: Mapping[str, Mapping[str, float]] = {
    "bounce-50-list-20%": {"throttle": 1.15, "cordon": 1.45},
    "bounce-50-lane-10%": {"throttle": 2.75, "cordon": 2.9},
    **{
        name: {"throttle": 1.15, "cordon": 1.15}
        for name in (
            "bounce-5k-campaign-5%",
            "bounce-5k-list-10%",
            "bounce-500k-campaign-3%",
            "bounce-5M-campaign-5%",
            "loop-20k-list-15%",
            "complaint-5k-campaign-0.5%",
            "complaint-500k-campaign-0.3%",
            "complaint-500k-list-1%",
        )
    },
    "bounce-5k-lane-8%": {"throttle": 2.3, "cordon": 2.9},
    "blocks-50k-provider-5%": {"throttle": 2.0, "cordon": 2.45},
    "ramp-5k-lane-to-5%": {"throttle": 1.85, "cordon": 2.3},
    "placement-20k-gmail": {"throttle": 1.15},
}
#: By scenario: the longest median minutes.
MINUTES: Mapping[str, Mapping[str, float]] = {
    "complaint-5k-campaign-0.5%": {"cordon": 110},
    "complaint-500k-campaign-0.3%": {"cordon": 65},
    "complaint-500k-list-1%": {"cordon": 56},
    "placement-20k-gmail": {"throttle": 15},
}
FALSE = {"warn": 3, "throttle": 1, "cordon": 0}  #: in all of the public scenarios
CAUSE = {"cause_top1": 0.90, "cause_top3": 0.98}  #: share of the runs with an incident
LOOP = "loop-20k-list-15%"
US_PER_ROW = {"mean": 100.0, "worst": 250.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    name: str
    value: float
    bound: float
    least: bool = False  #: `bound` is the least and not the most
    unit: str = ""

    @property
    def met(self) -> bool:
        return self.value >= self.bound if self.least else self.value <= self.bound


def of(scores: Sequence[Score], lines: Sequence[Line], *, public: bool) -> list[Target]:
    """Of a run of the scenarios. The targets of the whole set are those of the public one."""
    found = list(_of_lines(lines))
    ordinary = [one for one in scores if one.kind not in (ceiling.KIND, snowshoe.KIND)]
    if public:
        for level, most in FALSE.items():
            found.append(
                Target(name=f"false {level}s", value=sum(one.false[level] for one in ordinary), bound=most)
            )
        incidents = [one.incident for one in ordinary if one.incident]
        for name, least in CAUSE.items():
            if incidents:
                share = sum(getattr(one, name) for one in incidents) / len(incidents)
                found.append(
                    Target(name=name.replace("_", " "), value=round(share, 3), bound=least, least=True)
                )
    for which, value in speed(lines).items():
        if public or which == "worst":
            found.append(Target(name=f"time a row, {which}", value=value, bound=US_PER_ROW[which], unit="us"))
    for one in scores:
        if one.containment:
            found.append(
                Target(
                    name=f"{one.name}: contained in its first day",
                    value=float(one.containment.contained),
                    bound=1,
                    least=True,
                )
            )
    return found


def _of_lines(lines: Sequence[Line]) -> Iterable[Target]:
    for line in lines:
        for action, most in RATIOS.get(line.scenario, {}).items():
            if action in line.detections:
                value = line.detections[action].ratio_median
                yield Target(name=f"{line.scenario}: {action}, ratio", value=value, bound=most)
        for action, most in MINUTES.get(line.scenario, {}).items():
            if action in line.detections:
                value = line.detections[action].minutes_median
                yield Target(name=f"{line.scenario}: {action}", value=value, bound=most, unit="min")
        if line.scenario == LOOP and line.loop:
            yield Target(name=f"{LOOP}: guilty mails sent", value=line.loop.affected_sent, bound=6150)
            yield Target(
                name=f"{LOOP}: delivered share", value=line.loop.delivered_share, bound=0.90, least=True
            )
            yield Target(name=f"{LOOP}: resumed", value=line.loop.resumed_at_end, bound=1.0, least=True)


def speed(lines: Sequence[Line], *, cpu: bool = False) -> Mapping[str, float]:
    """Microseconds a row, of the wall clock or of CPU: the mean over all rows, and of the worst scenario."""
    timed = [(line.cpu_us_per_row if cpu else line.us_per_row, line.rows) for line in lines if line.rows]
    if not timed:
        return {}
    return {
        "mean": round(sum(one * rows for one, rows in timed) / sum(rows for _, rows in timed), 1),
        "worst": max(one for one, _ in timed),
    }


def of_null(parts: Sequence[Part]) -> list[Target]:
    """No rate may be shown to be above its bound: the low end of its interval is what is compared."""
    return [
        Target(
            name=f"null run, {part.name}: false {level}s a year, low end of the interval",
            value=round(rate.low, 5),
            bound=rate.bound,
        )
        for part in parts
        for level, rate in part.rates.items()
    ]


def missed(targets: Iterable[Target]) -> list[str]:
    return [one.name for one in targets if not one.met or math.isnan(one.value)]
