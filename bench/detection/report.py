"""The report of `./dev bench detect`: tables for people, one JSON object for machines."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.detection import ceiling, null, snowshoe, targets
from bench.detection.null import Counted
from bench.detection.protocol import LEVELS
from bench.detection.runs import OURS
from bench.detection.score import Line, Score, lines
from bench.detection.targets import Target
from mailcordon.guard.peers import PEERS

_APART = (ceiling.KIND, snowshoe.KIND)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    detector: str
    public: bool  #: the whole public set was played, so its targets apply
    scores: Mapping[str, Sequence[Score]] = field(
        default_factory=dict[str, Sequence[Score]]
    )  #: by detector, in order
    null: Sequence[Counted] | None = None

    @property
    def ours(self) -> Sequence[Score]:
        return self.scores.get(OURS, ())

    @property
    def errors(self) -> list[str]:
        return [f"{one.name}: {one.error}" for one in self.ours if one.error] + [
            f"null run, batch {one.number} of cell {one.cell}: {one.error}"
            for one in self.null or ()
            if one.error
        ]

    @property
    def targets(self) -> list[Target]:
        found = targets.of(self.ours, lines(self.ours), public=self.public) if self.ours else []
        return found + (targets.of_null(null.parts(self.null)) if self.null else [])


def text(result: Result) -> str:
    of_peers = {
        name: {one.scenario: one for one in lines(scores)}
        for name, scores in result.scores.items()
        if name != OURS
    }
    ours = lines(result.ours)
    blocks = [
        _incidents([one for one in ours if one.detections], of_peers),
        _healthy([one for one in ours if not one.detections and one.kind not in _APART], of_peers),
        _loops([one for one in ours if one.loop and one.kind not in _APART], of_peers),
        _snowshoes(result.ours),
        _over(result),
        _null(result),
        _speed(ours),
        _targets(result.targets),
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _incidents(ours: Sequence[Line], peers: Mapping[str, Mapping[str, Line]]) -> list[str]:
    if not ours:
        return []
    head = f"{'incidents: guilty mails until the stop,':<40}{'throttle':>9}{'cordon':>8}{'min':>7}{'cause':>12}{'false':>9}"
    found = [
        head + _peer_heads(peers),
        "as a multiple of what no rule can better (medians)",
    ]
    for line in ours:
        throttle, cordon = line.detections["throttle"], line.detections["cordon"]
        cause = f"{line.cause_top1 or 0:.2f} {line.cause_top3 or 0:.2f}"
        false = " ".join(str(line.false[level]) for level in LEVELS)
        found.append(
            f"{line.scenario[:40]:<40}{_number(throttle.ratio_median, 2):>9}{_number(cordon.ratio_median, 2):>8}"
            f"{_number(cordon.minutes_median, 0):>7}{cause:>12}{false:>9}"
            + "".join(
                f"{_number(one[line.scenario].detections['cordon'].ratio_median, 2):>11}"
                for one in peers.values()
            )
        )
    return found


def _healthy(ours: Sequence[Line], peers: Mapping[str, Mapping[str, Line]]) -> list[str]:
    if not ours:
        return []
    found = [
        f"{'healthy: false stops of the peers, and of ours':<48}{'years':>7}{'warn':>6}{'throttle':>10}{'cordon':>8}"
        f"{'':>6}" + _peer_heads(peers)
    ]
    for line in ours:
        warn, throttle, cordon = (line.false[level] for level in LEVELS)
        found.append(
            f"{line.scenario[:48]:<48}{line.tenant_years:>7.1f}{warn:>6}{throttle:>10}{cordon:>8}{'':>6}"
            + "".join(f"{one[line.scenario].false['cordon']:>11}" for one in peers.values())
        )
    return found


def _loops(ours: Sequence[Line], peers: Mapping[str, Mapping[str, Line]]) -> list[str]:
    if not ours:
        return []
    found = [f"{'decisions with effect':<40}{'':>25}{'ours':>10}{'':>10}" + _peer_heads(peers)]
    rows = (
        ("guilty mails sent", "affected_sent", 0),
        ("share of all mail that left", "delivered_share", 3),
        ("runs that send all again at the end", "resumed_at_end", 2),
    )
    for line in ours:
        for title, name, digits in rows:
            found.append(
                f"{line.scenario[:26] + ': ' + title:<65}{_number(getattr(line.loop, name), digits):>10}{'':>10}"
                + "".join(
                    f"{_number(getattr(one[line.scenario].loop, name), digits):>11}" for one in peers.values()
                )
            )
    return found


def _snowshoes(scores: Sequence[Score]) -> list[str]:
    found: list[str] = []
    for score in scores:
        one = score.containment
        if one is None:
            continue
        when = "never" if one.first_minutes is None else f"after {one.first_minutes:,} minutes"
        found += [
            f"{score.name}, {one.members} members: {'contained in its first day' if one.contained else 'NOT CONTAINED'}",
            f"  first action {when}; after a day {one.covered_first_day:.0%} of who had sent were held back,"
            f" {one.cordoned} members cordoned in the end",
            f"  {one.mails_first_day:,} mails left on the first day; later {one.let_through:.1%} of what was planned,"
            f" {one.loose:.1%} of it from members that nothing held back",
            f"  others held back: {one.others} of {one.other_tenants} tenants",
        ]
    return found


def _over(result: Result) -> list[str]:
    found: list[str] = []
    for score in result.ours:
        one = score.over
        if one is None:
            continue
        found += [
            f"{score.name}, over the ceiling: {one.above} of {one.campaigns} campaigns in {one.lane_years:.1f} lane-years",
            f"  {'ours':<11}{(one.of_lanes + one.of_parts) / one.lane_years:>7.2f} cordons a lane-year:"
            f" {one.of_parts} of a campaign or list ({one.right} where one was above), {one.of_lanes} of lanes;"
            f" {one.caught} of {one.above} campaigns caught",
        ]
        for name, scores in result.scores.items():
            stops = next((other.over for other in scores if other.name == score.name), None)
            if name != OURS and stops:
                found.append(
                    f"  {name:<11}{stops.of_lanes / stops.lane_years:>7.2f} stops a lane-year, all of lanes;"
                    f" {stops.caught} of {stops.above} campaigns caught"
                )
    return found


def _null(result: Result) -> list[str]:
    if not result.null:
        return []
    found = ["null run: false actions of a healthy lane a year, with the 95 % interval, and the bound"]
    for part in null.parts(result.null):
        found.append(f"  {part.name}, {part.years:,.0f} tenant-years")
        for level, rate in part.rates.items():
            found.append(
                f"    {level:<10}{rate.count:>6}   {rate.per_year:.4f} ({rate.low:.4f} to {rate.high:.4f}),"
                f" at most {rate.bound:g}: {rate.verdict}"
            )
    return found


def _speed(ours: Sequence[Line]) -> list[str]:
    speeds = targets.speed(ours)
    if not speeds:
        return []
    worst, cpu = max(ours, key=lambda line: line.us_per_row), targets.speed(ours, cpu=True)
    return [
        f"a row takes {speeds['mean']:.1f} us in the detector (CPU {cpu['mean']:.1f}),"
        f" over {sum(line.rows for line in ours):,} rows;"
        f" in the worst scenario {speeds['worst']:.1f} ({worst.scenario}; CPU at worst {cpu['worst']:.1f})"
    ]


def _targets(ones: Sequence[Target]) -> list[str]:
    if not ones:
        return []
    missed = [one for one in ones if not one.met]
    return [
        f"targets: {len(ones) - len(missed)} of {len(ones)} met",
        *(
            f"  MISSED {one.name}: {_number(one.value, 3)}{' ' + one.unit if one.unit else ''},"
            f" at {'least' if one.least else 'most'} {one.bound:g}"
            for one in missed
        ),
    ]


def _peer_heads(peers: Mapping[str, Any]) -> str:
    return "".join(f"{name:>11}" for name in peers)


def _number(value: float, digits: int) -> str:
    if math.isinf(value):
        return "never"
    return f"{value:,.{digits}f}"


def document(result: Result) -> dict[str, Any]:
    """For machines. What was not detected is null."""
    ours = lines(result.ours)
    return _finite(
        {
            "detector": result.detector,
            "us_per_row": dict(targets.speed(ours)),
            "cpu_us_per_row": dict(targets.speed(ours, cpu=True)),
            "scenarios": [asdict(one) for one in ours],
            "peers": {
                peer.name: [asdict(one) for one in lines(result.scores[peer.name])]
                for peer in PEERS
                if peer.name in result.scores
            },
            "over_the_ceiling": {
                name: {one.name: asdict(one.over) for one in scores if one.over}
                for name, scores in result.scores.items()
                if any(one.over for one in scores)
            },
            "snowshoe": {
                one.name: asdict(one.containment) | {"contained": one.containment.contained}
                for one in result.ours
                if one.containment
            },
            "null": null.as_json(null.parts(result.null), result.null) if result.null else None,
            "targets": [asdict(one) | {"met": one.met} for one in result.targets],
            "misses": targets.missed(result.targets),
            "errors": result.errors,
        }
    )


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def runs(result: Result) -> dict[str, Any]:
    """Every single run of every detector."""
    return _finite({name: [asdict(one) for one in scores] for name, scores in result.scores.items()})
