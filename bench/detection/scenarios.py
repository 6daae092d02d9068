"""Scenario files: what they may say, and what is wrong with one that says something else (fields: docs/bench.md)."""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from bench.detection.laws import Law, Part
from bench.detection.protocol import DAY, SIGNALS

PUBLIC = Path(__file__).with_name("scenarios_public.json")
_MOST_DAYS, _MOST_TENANTS = 5000, 20_000


class BadScenarios(Exception):
    """The sentence names the scenario, the field and what it may be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    name: str
    share: float
    fbl: bool = False  #: returns complaints
    bounce_mult: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often a signal comes in healthy mail."""

    mean: float  #: over tenants
    tenant_cv: float  #: coefficient of variation of the tenants' means
    max: float  #: no tenant's mean is above it
    campaign_cv: float  #: of a tenant's campaigns, or days
    camp_max: float  #: no campaign's rate is above it
    dist: str = "gamma"  #: of campaigns; or lognormal


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Tenants that are alike."""

    count: int
    volume: float  #: mails a day
    patterns: Sequence[tuple[str, float]]  #: (campaign | transactional, share of the volume)
    campaigns_per_week: float  #: 0: as is usual for the volume
    per_minute: float  #: of a campaign; 0: as is usual for the volume
    growth_per_week: float = 1.0
    start_day: float = 0
    rates: Mapping[str, Mapping[str, Any]] = field(default_factory=dict[str, Mapping[str, Any]])
    labels: tuple[str, ...] = ()
    guilty: bool = False  #: of kind snowshoe: whom to contain


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    provider: str
    signal: str
    start_day: float
    days: float
    mult: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Blackout:
    start_day: float
    hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    provider: str
    signal: str
    at_minute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    signal: str
    scope: str  #: campaign, list, provider or lane
    rate: float = 0.0
    mult: float | None = None  #: times the healthy rate; if it is given, it goes before `rate`
    tenant: int = 0
    message_type: str = "marketing"
    provider: str | None = None
    share: float = 0.4  #: of each campaign that goes to the bad list
    start_after_days: float = 1
    duration_days: float = 10**6
    ramp_days: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    name: str
    base: str  #: the name without the number of the run
    kind: str  #: a label; `over_the_ceiling` and `snowshoe` have reports of their own
    seed: int
    days: float
    warmup_days: float
    tenants: Sequence[Group]
    signals: tuple[str, ...]
    providers: Sequence[Provider]
    delay: Mapping[str, Law]
    rates: Mapping[str, Rates]
    weather: Sequence[Weather] = ()
    blackouts: Sequence[Blackout] = ()
    digests: Sequence[Digest] = ()
    incident: Incident | None = None
    closed_loop: bool = False
    budgets: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def end(self) -> int:
        return int(self.days * DAY)

    @property
    def warm(self) -> int:
        return int(self.warmup_days * DAY)


PROVIDERS = (
    Provider(name="gmail", share=0.42, bounce_mult=0.9),
    Provider(name="microsoft", share=0.25, fbl=True, bounce_mult=1.15),
    Provider(name="yahoo", share=0.15, fbl=True, bounce_mult=1.0),
    Provider(name="apple", share=0.08, bounce_mult=0.8),
    Provider(name="other", share=0.10, fbl=True, bounce_mult=1.25),
)
DELAY: Mapping[str, Law] = {
    "hard_bounces": (Part(0.85, 1 / 3, None), Part(0.10, 15, 1.0), Part(0.05, 360, 1.0)),
    "complaints": (Part(1.0, 360, 1.2),),
    "delays": (Part(1.0, 12, 0.8),),
    "spam_blocks": (Part(0.9, 1 / 3, None), Part(0.1, 30, 1.0)),
    "opens": (Part(1.0, 150, 1.5),),
}
#: `camp_max` is below the ceilings of detection.md, section 6: no healthy campaign is above them.
RATES: Mapping[str, Rates] = {
    "hard_bounces": Rates(mean=0.006, tenant_cv=0.6, max=0.012, campaign_cv=0.35, camp_max=0.019),
    "complaints": Rates(mean=0.00025, tenant_cv=0.6, max=0.0005, campaign_cv=0.35, camp_max=0.0009),
    "delays": Rates(mean=0.006, tenant_cv=0.3, max=0.02, campaign_cv=0.3, camp_max=0.04),
    "spam_blocks": Rates(mean=0.0006, tenant_cv=0.5, max=0.002, campaign_cv=0.3, camp_max=0.004),
    "opens": Rates(mean=0.30, tenant_cv=0.2, max=0.5, campaign_cv=0.2, camp_max=0.6),
}


def plain(name: str, kind: str, seed: int, days: float, tenants: Sequence[Group]) -> Scenario:
    """Healthy tenants in the usual world, for 30 days of warm-up and the rest."""
    return Scenario(
        name=name,
        base=name,
        kind=kind,
        seed=seed,
        days=days,
        warmup_days=30,
        tenants=tenants,
        signals=("hard_bounces", "complaints"),
        providers=PROVIDERS,
        delay=DELAY,
        rates=RATES,
    )


Warn = Callable[[str], None]


def load(path: Path, warn: Warn) -> list[Scenario]:
    """The runs of a file, in its order. `warn` is told of fields that nothing reads. Raises BadScenarios."""
    try:
        return list(read(json.loads(path.read_text()), warn))
    except (OSError, UnicodeDecodeError) as error:
        raise BadScenarios(f"{path} cannot be read: {error}") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise BadScenarios(f"{path} is not JSON: {error}") from None
    except BadScenarios as error:
        raise BadScenarios(f"{path}: {error}") from None


def read(document: Any, warn: Warn) -> Iterator[Scenario]:
    """The runs: a scenario with `repeat` is so many runs, with seeds one after the other."""
    if not isinstance(document, dict) or not isinstance(document.get("scenarios"), list):
        raise BadScenarios('the file has to be an object with a list "scenarios"')
    known: set[str] = set()
    for number, said in enumerate(document["scenarios"]):
        for one in _runs(_Fields(said, f"scenario {number + 1}", warn)):
            if one.name in known:
                raise BadScenarios(f"two scenarios are named {one.name!r}")
            known.add(one.name)
            yield one


def _runs(top: "_Fields") -> Iterator[Scenario]:
    name = top.text("name")
    top.place = f"scenario {name!r}"
    repeat = top.whole("repeat", 1, least=1, most=10_000)
    scenario = _scenario(top, name)
    for run in range(repeat):
        yield replace(
            scenario, name=f"{name}#{run}" if repeat > 1 else name, base=name, seed=scenario.seed + run
        )


def _scenario(top: "_Fields", name: str) -> Scenario:
    providers = top.many("providers", lambda one: one.make(Provider)) if top.has("providers") else PROVIDERS
    if sum(one.share for one in providers) <= 0:
        raise BadScenarios(f"{top.place}: the shares of the providers add up to nothing")
    names = [one.name for one in providers]
    if len(set(names)) < len(names):
        raise BadScenarios(f"{top.place}: two providers have the same name")
    scenario = Scenario(
        name=name,
        base=name,
        kind=top.text("kind"),
        seed=top.whole("seed", least=0),
        days=top.number("days", above=0, most=_MOST_DAYS),
        warmup_days=top.number("warmup_days", 30, least=0, most=_MOST_DAYS),
        tenants=top.many("tenants", _group),
        signals=tuple(top.words("signals", ("hard_bounces", "complaints"), SIGNALS)),
        providers=providers,
        delay={**DELAY, **_by_signal(top, "delay", _law)},
        rates={
            **RATES,
            **_by_signal(
                top, "rates", lambda holder, signal: replace(RATES[signal], **_rates(holder, signal))
            ),
        },
        weather=top.many("weather", lambda one: one.make(Weather), ()),
        blackouts=top.many("blackouts", lambda one: one.make(Blackout), ()),
        digests=top.many("digests", lambda one: one.make(Digest), ()),
        incident=_incident(top.inner("incident")) if top.has("incident") else None,
        closed_loop=top.flag("closed_loop"),
        budgets=top.raw("budgets", dict) if top.has("budgets") else {},
    )
    top.end()
    if not scenario.tenants:
        raise BadScenarios(f"{top.place}: it has no tenants")
    for field_, ones in (("weather", scenario.weather), ("digests", scenario.digests)):
        for one in ones:
            if one.provider not in names or one.signal not in SIGNALS:
                raise BadScenarios(f"{top.place}: {field_} names a provider or a signal that is not there")
    _check_incident(scenario, top.place, names)
    return scenario


def _check_incident(scenario: Scenario, place: str, providers: Sequence[str]) -> None:
    incident = scenario.incident
    if incident is None:
        if scenario.kind == "incident":
            raise BadScenarios(f'{place}: it is of kind "incident" and has no incident')
        return
    if not 0 <= incident.tenant < sum(group.count for group in scenario.tenants):
        raise BadScenarios(f"{place}: incident.tenant is not one of its tenants")
    if incident.signal not in scenario.signals:
        raise BadScenarios(f"{place}: incident.signal is not among its signals")
    if incident.scope == "provider" and incident.provider not in providers:
        raise BadScenarios(f"{place}: incident.provider is not one of its providers")
    if incident.message_type != "marketing" and incident.scope in ("campaign", "list"):
        raise BadScenarios(f"{place}: only marketing mail has campaigns and lists to be guilty")
    if incident.rate <= 0 and (incident.mult is None or incident.ramp_days):
        raise BadScenarios(f"{place}: incident.rate has to be above 0, unless mult says it without a ramp")


def _group(group: "_Fields") -> Group:
    volume = group.number("volume", above=0, most=1e9)
    pattern = group.raw("pattern", (str, list))
    patterns: list[tuple[str, float]] = []
    for part in [[pattern, 1.0]] if isinstance(pattern, str) else pattern:
        if (
            not isinstance(part, list)
            or len(part) != 2
            or part[0] not in ("campaign", "transactional")
            or not _is_number(part[1])
            or part[1] <= 0
        ):
            raise BadScenarios(
                f'{group.place}.pattern has to be "campaign", "transactional" or pairs of these with their shares'
            )
        patterns.append((part[0], part[1]))
    made = Group(
        count=group.whole("count", least=1, most=_MOST_TENANTS),
        volume=volume,
        patterns=patterns,
        campaigns_per_week=group.number("campaigns_per_week", 0, least=0, most=10_000),
        per_minute=group.number("per_minute", 0, least=0),
        growth_per_week=group.number("growth_per_week", 1.0, above=0),
        start_day=group.number("start_day", 0, least=0),
        rates=_by_signal(group, "rates", _rates),
        labels=tuple(group.words("labels", ())),
        guilty=group.flag("guilty"),
    )
    group.end()
    return made


def _incident(said: "_Fields") -> Incident:
    made = said.make(Incident)
    if made.scope not in ("campaign", "list", "provider", "lane"):
        raise BadScenarios(f"{said.place}.scope has to be campaign, list, provider or lane")
    if made.message_type not in ("marketing", "transactional"):
        raise BadScenarios(f"{said.place}.message_type has to be marketing or transactional")
    if made.rate >= 1 or not 0 < made.share <= 1:
        raise BadScenarios(f"{said.place}: rate has to be below 1, and share above 0 and at most 1")
    return made


def _law(holder: "_Fields", signal: str) -> Law:
    wrong = (
        f'{holder.place}.{signal} has to be a list of [share, "exp", mean] and [share, "logn", median, sigma]'
    )
    parts: list[Part] = []
    for part in holder.raw(signal, list):
        lengths = {"exp": 3, "logn": 4}
        if not isinstance(part, list) or len(part) < 3 or lengths.get(str(part[1])) != len(part):
            raise BadScenarios(wrong)
        numbers = [part[0], *part[2:]]
        if not all(_is_number(number) and number > 0 for number in numbers):
            raise BadScenarios(wrong)
        parts.append(Part(part[0], part[2], part[3] if len(part) == 4 else None))
    if not parts:
        raise BadScenarios(wrong)
    return tuple(parts)


def _rates(holder: "_Fields", signal: str) -> dict[str, Any]:
    one = holder.inner(signal)
    names = ("mean", "tenant_cv", "max", "campaign_cv", "camp_max")
    found: dict[str, Any] = {name: one.number(name, least=0) for name in names if one.has(name)}
    if one.has("dist"):
        found["dist"] = one.choice("dist", ("gamma", "lognormal"))
    one.end()
    return found


def _by_signal(holder: "_Fields", name: str, read_one: Callable[["_Fields", str], Any]) -> dict[str, Any]:
    if not holder.has(name):
        return {}
    inner = holder.inner(name)
    found = {signal: read_one(inner, signal) for signal in SIGNALS if inner.has(signal)}
    inner.end()
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


class _Fields:
    """An object of the file. Each field is taken once; `end` tells of what is left."""

    def __init__(self, said: Any, place: str, warn: Warn) -> None:
        if not isinstance(said, dict):
            raise BadScenarios(f"{place} has to be an object")
        self.place = place
        self._warn = warn
        self._left: dict[str, Any] = dict(said)

    def has(self, name: str) -> bool:
        return name in self._left

    def raw(self, name: str, kinds: type | tuple[type, ...]) -> Any:
        if name not in self._left:
            raise BadScenarios(f"{self.place}: {name} is missing")
        value = self._left.pop(name)
        if not isinstance(value, kinds):
            raise BadScenarios(f"{self.place}.{name} has the wrong type")
        return value

    def text(self, name: str) -> str:
        value = self.raw(name, str)
        if not value or len(value) > 200:
            raise BadScenarios(f"{self.place}.{name} has to have 1 to 200 characters")
        return value

    def flag(self, name: str) -> bool:
        return self.raw(name, bool) if self.has(name) else False

    def choice(self, name: str, among: Sequence[str]) -> str:
        value = self.text(name)
        if value not in among:
            raise BadScenarios(f"{self.place}.{name} is {value!r}; it has to be one of {', '.join(among)}")
        return value

    def words(self, name: str, default: Sequence[str], among: Sequence[str] | None = None) -> list[str]:
        value = self.raw(name, list) if self.has(name) else list(default)
        if not all(isinstance(one, str) and (among is None or one in among) for one in value):
            raise BadScenarios(f"{self.place}.{name} has to be a list of {', '.join(among or ('texts',))}")
        return value

    def number(
        self,
        name: str,
        default: float | None = None,
        *,
        least: float = -math.inf,
        above: float = -math.inf,
        most: float = math.inf,
    ) -> float:
        if not self.has(name) and default is not None:
            return default
        value = self.raw(name, object)
        if not _is_number(value) or not (above < value <= most and value >= least):
            bounds = [
                f"{word} {bound:g}"
                for word, bound in (("at least", least), ("above", above), ("at most", most))
                if math.isfinite(bound)
            ]
            raise BadScenarios(
                f"{self.place}.{name} is {value!r}; it has to be a number"
                + "".join(f", {one}" for one in bounds)
            )
        return value

    def whole(
        self, name: str, default: int | None = None, *, least: float = -math.inf, most: float = math.inf
    ) -> int:
        value = self.number(name, default, least=least, most=most)
        if not isinstance(value, int):
            raise BadScenarios(f"{self.place}.{name} is {value!r}; it has to be a whole number")
        return value

    def inner(self, name: str) -> "_Fields":
        return _Fields(self.raw(name, dict), f"{self.place}.{name}", self._warn)

    def many(
        self, name: str, read_one: Callable[["_Fields"], Any], default: Sequence[Any] | None = None
    ) -> list[Any]:
        if default is not None and not self.has(name):
            return list(default)
        return [
            read_one(_Fields(one, f"{self.place}.{name}[{number}]", self._warn))
            for number, one in enumerate(self.raw(name, list))
        ]

    def make(self, kind: type[Any]) -> Any:
        """An object of plain fields: texts, flags and numbers that are not negative."""
        found: dict[str, Any] = {}
        for one in fields(kind):
            if not self.has(one.name):
                if one.default is one.default_factory:  # both are MISSING: it has no default
                    raise BadScenarios(f"{self.place}: {one.name} is missing")
                continue
            if one.type is bool:
                found[one.name] = self.flag(one.name)
            elif one.type is int:
                found[one.name] = self.whole(one.name, least=0)
            elif one.type in (float, float | None):
                found[one.name] = self.number(one.name, least=0)
            else:
                found[one.name] = self.text(one.name)
        self.end()
        return kind(**found)

    def end(self) -> None:
        for name in self._left:
            self._warn(f"{self.place} has a field {name!r} that nothing reads")
