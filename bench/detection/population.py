"""Who sends in a scenario, when, how healthy each tenant and campaign is, and where the incident is planted."""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bench.detection.laws import information
from bench.detection.protocol import DAY
from bench.detection.scenarios import BadScenarios, Group, Incident, Rates, Scenario


@dataclass(slots=True)
class Tenant:
    name: str
    group: Group
    rates: Mapping[str, Rates]
    means: Mapping[str, float]  #: by signal, its own
    lists: Sequence[str]
    volume: float = 0.0  #: mails a day
    campaigns: dict[str, int] = field(default_factory=dict[str, int])  #: their first minutes

    @property
    def first_minute(self) -> int:
        return int(self.group.start_day * DAY)


@dataclass(frozen=True, slots=True)
class Planted:
    """An incident with what chance has made of it."""

    incident: Incident
    tenant: Tenant
    start: int
    end: int  #: its first minute that is healthy again
    value: str  #: the name of the guilty campaign, list, provider or message type
    healthy: float  #: the tenant's mean rate without it

    @property
    def bad_rate(self) -> float:
        mult = self.incident.mult
        return self.healthy * mult if mult else self.incident.rate

    def covers(self, tenant: str, message_type: str, signal: str, minute: int) -> bool:
        return (
            tenant == self.tenant.name
            and message_type == self.incident.message_type
            and signal == self.incident.signal
            and self.start <= minute < self.end
        )

    def guilty(self, campaign: str, list_id: str, provider: str) -> bool:
        slice_ = {"campaign": campaign, "list": list_id, "provider": provider, "lane": self.value}
        return slice_[self.incident.scope] == self.value

    def rate(self, healthy: float, minute: int) -> float:
        if self.incident.mult:
            return healthy * self.incident.mult
        if not self.incident.ramp_days:
            return self.incident.rate
        return healthy + (self.incident.rate - healthy) * self._risen(minute)

    def worth(self, minute: int) -> float:
        """What a guilty mail tells, beside one of the full incident rate."""
        if not self.incident.ramp_days:
            return 1.0
        rate = self.healthy + (self.incident.rate - self.healthy) * self._risen(minute)
        if rate <= self.healthy:
            return 0.0
        return information(rate, self.healthy) / information(self.incident.rate, self.healthy)

    def _risen(self, minute: int) -> float:
        return min(1.0, (minute - self.start) / (self.incident.ramp_days * DAY))


@dataclass(frozen=True, slots=True)
class Batch:
    """Mails that a tenant plans for one minute. Transactional mail has a "campaign" a day."""

    tenant: Tenant
    message_type: str
    campaign: str
    mails: int


class Population:
    """Deterministic: the scenario's seed decides everything. What is drawn, and in which order, is that of the reference."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.many = np.random.default_rng(scenario.seed)
        self.few = random.Random(scenario.seed * 7919 + 1)
        self.plan: dict[int, list[Batch]] = {}
        self.tenants: list[Tenant] = []
        for group in scenario.tenants:
            for _ in range(group.count):
                self._add(f"t{len(self.tenants)}", group)
        self._rates: dict[tuple[str, str], float] = {}
        self._lists: dict[str, Sequence[tuple[str, float]]] = {}
        self.planted = self._plant(scenario.incident) if scenario.incident else None

    def rate(self, tenant: Tenant, campaign: str, signal: str) -> float:
        """Of a healthy campaign, or day."""
        key = (campaign if campaign in tenant.campaigns else tenant.name + campaign, signal)
        rate = self._rates.get(key)
        if rate is None:
            rates = tenant.rates[signal]
            rate = self._rates[key] = self._drawn(
                tenant.means[signal], rates.campaign_cv, rates.dist, rates.camp_max
            )
        return rate

    def lists(self, tenant: Tenant, message_type: str, campaign: str) -> Sequence[tuple[str, float]]:
        """The lists of a campaign, with their shares of it."""
        key = campaign if message_type == "marketing" else tenant.name + "tx"
        shares = self._lists.get(key)
        if shares is None:
            shares = (
                list(zip(tenant.lists, self.many.dirichlet([2, 2, 2]), strict=True))
                if message_type == "marketing"
                else [("none", 1.0)]
            )
            self._lists[key] = shares
        planted = self.planted
        if (
            planted
            and planted.incident.scope == "list"
            and planted.tenant is tenant
            and message_type == "marketing"
            and planted.start <= tenant.campaigns[campaign] < planted.end
        ):
            bad = planted.incident.share
            return [*((name, share * (1 - bad)) for name, share in shares), (planted.value, bad)]
        return shares

    def _drawn(self, mean: float, cv: float, dist: str, most: float) -> float:
        if cv <= 0:
            return mean
        if dist == "lognormal":
            variance = math.log(1 + cv * cv)
            drawn = mean * math.exp(math.sqrt(variance) * self.many.normal() - variance / 2)
        else:
            drawn = self.many.gamma(1 / cv**2) * mean * cv**2
        return min(drawn, most)

    def _add(self, name: str, group: Group) -> None:
        rates = {
            signal: replace(one, **group.rates.get(signal, {})) for signal, one in self.scenario.rates.items()
        }
        means = {
            signal: max(self._drawn(one.mean, one.tenant_cv, "gamma", one.max), 0.1 * one.mean)
            for signal, one in rates.items()
        }
        tenant = Tenant(name, group, rates, means, [f"{name}-l{number}" for number in range(3)])
        for pattern, share in group.patterns:
            volume = group.volume * share
            if pattern == "transactional":
                self._plan_waves(tenant, volume)
            else:
                self._plan_campaigns(tenant, volume)
            tenant.volume += volume
        self.tenants.append(tenant)

    def _plan_waves(self, tenant: Tenant, volume: float) -> None:
        """A mail now and then, more by day than by night."""
        minutes = np.arange(tenant.first_minute, self.scenario.end)
        wave = 1 + 0.8 * np.sin(2 * np.pi * (minutes % DAY) / DAY - np.pi / 2)
        mails = self.many.poisson(volume / DAY * wave)
        for place in np.flatnonzero(mails):
            minute = int(minutes[place])
            self._put(minute, Batch(tenant, "transactional", f"day{minute // DAY}", int(mails[place])))

    def _plan_campaigns(self, tenant: Tenant, volume: float) -> None:
        group, end = tenant.group, self.scenario.end
        usual = (
            (1, 100)
            if volume <= 100
            else (2, 2000)
            if volume <= 1e4
            else (7, 10_000)
            if volume <= 1e6
            else (21, 20_000)
        )
        a_week = group.campaigns_per_week or usual[0]
        a_minute = group.per_minute or usual[1]
        mean, gap = volume * 7 / a_week, 7 * DAY / a_week
        first = tenant.first_minute + int(self.many.random() * gap)
        while first < end:
            grown = group.growth_per_week ** ((first - tenant.first_minute) / (7 * DAY))
            left = max(1, int(mean * grown * math.exp(0.5 * self.many.normal() - 0.125)))
            campaign = f"{tenant.name}-c{len(tenant.campaigns)}"
            tenant.campaigns[campaign] = first
            minute = first
            while left > 0 and minute < end:
                mails = min(left, max(1, int(self.many.poisson(a_minute))))
                self._put(minute, Batch(tenant, "marketing", campaign, mails))
                left -= mails
                minute += 1
            first = max(first + int(gap * (0.5 + self.many.random())), minute + 5)

    def _put(self, minute: int, batch: Batch) -> None:
        self.plan.setdefault(minute, []).append(batch)

    def _plant(self, incident: Incident) -> Planted:
        tenant = self.tenants[incident.tenant]
        start, campaign = self.scenario.warm + int(incident.start_after_days * DAY), ""
        if incident.message_type == "marketing":
            later = sorted((first, name) for name, first in tenant.campaigns.items() if first >= start)
            if not later:
                raise BadScenarios(
                    f"no campaign of {tenant.name} begins after minute {start}, so there is no incident"
                )
            start, campaign = later[0]
        value = {
            "campaign": campaign,
            "list": f"{tenant.name}-import",
            "provider": incident.provider or "",
            "lane": incident.message_type,
        }[incident.scope]
        end = start + int(incident.duration_days * DAY)
        return Planted(incident, tenant, start, end, value, tenant.means[incident.signal])
