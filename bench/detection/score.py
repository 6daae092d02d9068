"""Compares what a detector said with what was planted (metrics: docs/bench.md)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.detection import ceiling, laws, snowshoe
from bench.detection.population import Planted
from bench.detection.protocol import DAY, LEVELS, YEAR, Decision
from bench.detection.scenarios import Scenario
from bench.detection.simulator import Played, Watched

_RANK = {level: number for number, level in enumerate(LEVELS)}
ACTIONS = ("throttle", "cordon")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """The first decision of a level, or above it, that is right."""

    messages: int  #: of the guilty slice, sent from its start until then
    minutes: int  #: since its start
    bad: int  #: events that these messages cause
    ratio: float  #: to what no detector can better, or to the first minute's mails
    ratio_to_limit: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    limit_messages: int
    delay_limit_messages: int | None
    delay_limit_minutes: int | None
    first_minute_messages: int
    healthy: float
    bad_rate: float
    total_affected: int
    hits: Mapping[str, Hit | None]  #: by level
    cause: Sequence[tuple[str, ...]] | None  #: as the detector named it
    wanted: tuple[str, str]

    @property
    def cause_top1(self) -> bool:
        return bool(self.cause) and self.wanted == (self.cause or [()])[0]

    @property
    def cause_top3(self) -> bool:
        return self.wanted in (self.cause or ())[:3]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    offered: int
    sent: int
    cordons: int
    affected_sent: int
    permit_at_end: float | None  #: None: the incident had not ended, or the detector permits nothing

    @property
    def delivered_share(self) -> float:
        return round(self.sent / max(1, self.offered), 4)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Of one detector in one run."""

    name: str
    base: str
    kind: str
    tenant_years: float
    false: Mapping[str, int]  #: by level
    excused: int  #: at a provider that had trouble itself
    rows: int
    seconds: float  #: within the detector, by the wall clock
    cpu: float  #: the same in seconds of CPU
    incident: Found | None = None
    loop: Loop | None = None
    over: ceiling.Stops | None = None  #: of kind over_the_ceiling
    containment: snowshoe.Containment | None = None  #: of kind snowshoe
    error: str | None = None


def failed(scenario: Scenario, error: str) -> Score:
    return Score(
        name=scenario.name,
        base=scenario.base,
        kind=scenario.kind,
        tenant_years=0.0,
        false=dict.fromkeys(LEVELS, 0),
        excused=0,
        rows=0,
        seconds=0.0,
        cpu=0.0,
        error=error,
    )


def judge(played: Played, watched: Watched) -> Score:
    population = played.population
    scenario, planted = population.scenario, population.planted
    if watched.error:
        return failed(scenario, watched.error)
    verdicts = _Verdicts(scenario, planted)
    for minute, one in watched.decisions:
        verdicts.add(minute, one)
    years = sum(
        (scenario.end - max(scenario.warm, tenant.first_minute)) / YEAR for tenant in population.tenants
    )
    return Score(
        name=scenario.name,
        base=scenario.base,
        kind=scenario.kind,
        tenant_years=years,
        false=verdicts.false,
        excused=verdicts.excused,
        rows=played.rows,
        seconds=watched.seconds,
        cpu=watched.cpu,
        incident=_found(played, planted, verdicts) if planted else None,
        loop=_loop(played, watched) if scenario.closed_loop else None,
        over=ceiling.judge(played, watched.decisions) if scenario.kind == ceiling.KIND else None,
        containment=snowshoe.judge(played, watched.decisions) if scenario.kind == snowshoe.KIND else None,
    )


@dataclass(slots=True)
class _Verdicts:
    scenario: Scenario
    planted: Planted | None
    false: dict[str, int] = field(default_factory=lambda: dict.fromkeys(LEVELS, 0))
    hits: dict[str, int | None] = field(default_factory=lambda: dict.fromkeys(LEVELS, None))
    excused: int = 0
    cause: Sequence[tuple[str, ...]] | None = None
    _last: dict[tuple[object, ...], int] = field(default_factory=dict[tuple[object, ...], int])

    def add(self, minute: int, said: Decision) -> None:
        level, provider, message_type = said["level"], said.get("provider"), said.get("message_type")
        if provider is not None and self._bad_weather(provider, minute):
            self.excused += 1
        elif self._mine(minute, said):
            for name in LEVELS:
                if _RANK[level] >= _RANK[name] and self.hits[name] is None:
                    self.hits[name] = minute
            if _RANK[level] >= _RANK["throttle"] and self.cause is None and said.get("cause"):
                self.cause = [tuple(one) for one in said.get("cause", ())]
        elif minute >= self.scenario.warm:
            key = (said["tenant"], message_type, provider, level)
            if minute - self._last.get(key, -(10**9)) >= DAY:
                self._last[key] = minute
                self.false[level] += 1

    def _bad_weather(self, provider: str, minute: int) -> bool:
        return any(
            one.provider == provider and one.start_day * DAY <= minute < (one.start_day + one.days + 1) * DAY
            for one in self.scenario.weather
        )

    def _mine(self, minute: int, said: Decision) -> bool:
        planted = self.planted
        if planted is None or said["tenant"] != planted.tenant.name or minute < planted.start:
            return False
        incident, provider = planted.incident, said.get("provider")
        return said.get("message_type") in (None, incident.message_type) and (
            provider is None or (incident.scope == "provider" and provider == planted.value)
        )


def _found(played: Played, planted: Planted, verdicts: _Verdicts) -> Found:
    population, incident = played.population, planted.incident
    reporting = 1.0
    if incident.signal == "complaints" and incident.scope != "provider":
        providers = population.scenario.providers
        reporting = sum(one.share for one in providers if one.fbl) / sum(one.share for one in providers)
    needed = laws.mails_needed(planted.tenant.volume, planted.bad_rate, planted.healthy)
    if planted.bad_rate > planted.healthy:
        needed /= reporting
    reached = laws.reached(played.guilty, population.scenario.delay[incident.signal], needed)
    first = played.guilty[0].mails if played.guilty else 0
    reference = max(reached[0], first) if reached else None

    def hit(minute: int | None) -> Hit | None:
        if minute is None:
            return None
        until = [one for one in played.guilty if one.minute <= minute]
        messages, bad = (until[-1].mails, until[-1].bad) if until else (0, 0)
        return Hit(
            messages=messages,
            minutes=minute - planted.start,
            bad=bad,
            ratio=round(messages / reference, 3) if reference else 1.0,
            ratio_to_limit=round(messages / needed, 3),
        )

    return Found(
        limit_messages=round(needed),
        delay_limit_messages=reached[0] if reached else None,
        delay_limit_minutes=reached[1] - planted.start if reached else None,
        first_minute_messages=first,
        healthy=round(planted.healthy, 6),
        bad_rate=planted.bad_rate,
        total_affected=played.guilty_mails,
        hits={level: hit(minute) for level, minute in verdicts.hits.items()},
        cause=verdicts.cause,
        wanted=(incident.scope, planted.value),
    )


def _loop(played: Played, watched: Watched) -> Loop:
    planted, scenario = played.population.planted, played.population.scenario
    at_end = None
    if planted and planted.end < scenario.end and hasattr(watched.detector, "permit"):
        at_end = watched.permit(planted.tenant.name, planted.incident.message_type, scenario.end)
    return Loop(
        offered=played.offered,
        sent=played.sent,
        cordons=sum(one["level"] == "cordon" for _, one in watched.decisions),
        affected_sent=played.guilty_mails,
        permit_at_end=at_end,
    )


# Runs of a scenario together -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Of the throttles, or cordons, of a scenario's runs. What was not detected is infinite."""

    detected: float
    ratio_median: float
    ratio_p90: float
    minutes_median: float
    messages_median: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopMeans:
    offered: float
    sent: float
    delivered_share: float
    cordons: float
    affected_sent: float
    permit_at_end: float
    resumed_at_end: float  #: share of the runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    scenario: str
    kind: str
    runs: int
    errors: int
    tenant_years: float
    false: Mapping[str, int]
    excused: int
    rows: int
    us_per_row: float  #: within the detector, by the wall clock
    cpu_us_per_row: float
    detections: Mapping[str, Detection] = field(default_factory=dict[str, Detection])  #: by action
    limit_median: float | None = None
    delay_limit_median: float | None = None
    cause_top1: float | None = None
    cause_top3: float | None = None
    loop: LoopMeans | None = None


def lines(scores: Sequence[Score]) -> list[Line]:
    """One line a scenario, in the order of the scores."""
    by_base: dict[str, list[Score]] = {}
    for score in scores:
        by_base.setdefault(score.base, []).append(score)
    return [_line(name, runs) for name, runs in by_base.items()]


def _line(name: str, runs: Sequence[Score]) -> Line:
    good = [one for one in runs if one.error is None]
    founds = [one.incident for one in good if one.incident]
    loops = [one.loop for one in good if one.loop]
    rows = max(1, sum(one.rows for one in good))
    return Line(
        scenario=name,
        kind=runs[0].kind,
        runs=len(runs),
        errors=len(runs) - len(good),
        tenant_years=sum(one.tenant_years for one in good),
        false={level: sum(one.false[level] for one in good) for level in LEVELS},
        excused=sum(one.excused for one in good),
        rows=sum(one.rows for one in good),
        us_per_row=round(1e6 * sum(one.seconds for one in good) / rows, 1),
        cpu_us_per_row=round(1e6 * sum(one.cpu for one in good) / rows, 1),
        detections={action: _detection([one.hits[action] for one in founds]) for action in ACTIONS}
        if founds
        else {},
        limit_median=_median([one.limit_messages for one in founds]),
        delay_limit_median=_median([one.delay_limit_messages or math.inf for one in founds]),
        cause_top1=_mean([one.cause_top1 for one in founds]),
        cause_top3=_mean([one.cause_top3 for one in founds]),
        loop=LoopMeans(
            offered=_mean([one.offered for one in loops]) or 0.0,
            sent=_mean([one.sent for one in loops]) or 0.0,
            delivered_share=_mean([one.delivered_share for one in loops]) or 0.0,
            cordons=_mean([one.cordons for one in loops]) or 0.0,
            affected_sent=_mean([one.affected_sent for one in loops]) or 0.0,
            permit_at_end=_mean([one.permit_at_end or 0.0 for one in loops]) or 0.0,
            resumed_at_end=_mean([(one.permit_at_end or 0.0) >= 0.999 for one in loops]) or 0.0,
        )
        if loops
        else None,
    )


def _detection(hits: Sequence[Hit | None]) -> Detection:
    ratios = [one.ratio if one else math.inf for one in hits]
    return Detection(
        detected=round(float(np.mean(np.isfinite(ratios))), 3),
        ratio_median=float(np.median(ratios)),
        ratio_p90=float(np.quantile(ratios, 0.9, method="higher")),
        minutes_median=float(np.median([one.minutes if one else math.inf for one in hits])),
        messages_median=float(np.median([one.messages if one else math.inf for one in hits])),
    )


def _median(values: Sequence[float]) -> float | None:
    return float(np.median(values)) if values else None


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None
