"""The tenants of a scenario: which there are, how much each sends, and from which domain and pool."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from seslocal.fleets.rhythm import normal
from seslocal.fleets.scenario import ColdIp, Group, Incident, LogNormal, Scenario, Snowshoe
from seslocal.world.draws import Draws
from seslocal.world.settings import ListRule

KINDS_OF_LISTS: Final = ("users", "stale", "bought")  # a tenant's lists are TENANT and TENANT-KIND
SHARED_POOL: Final = "shared"  # the pool of SES's that many other senders use too


class Sender(msgspec.Struct, frozen=True, kw_only=True):
    """A tenant before the incidents. Volumes are means, in mails a day."""

    name: str
    group: str
    transactional: float
    marketing: float
    campaigns_a_week: int
    campaign_lasts: str
    stale: float  #: share of its marketing list
    bought: float
    readers: Literal["consumers", "businesses"]
    customers: int
    domain: str
    pool: str
    new: bool
    dkim: bool
    spf: bool
    dmarc: str
    one_click: bool
    size: int
    type: str
    snowshoe: Snowshoe | None = None  #: the incident that it came with

    @property
    def audience(self) -> int:
        """Addresses on its marketing list: each campaign goes to all of them."""
        return round(self.marketing * 7 / self.campaigns_a_week)

    @property
    def quality(self) -> str:
        return self.snowshoe.quality if self.snowshoe else "opted-in"


def senders(scenario: Scenario, draws: Draws) -> list[Sender]:
    """Returns all tenants, by name."""
    found: list[Sender] = []
    for group in scenario.groups:
        found += [_of_group(group, name, draws) for name in names(group.name, group.count)]
    for incident in scenario.incidents:
        if isinstance(incident, Snowshoe):
            found += _of_snowshoe(incident)
    return sorted(found, key=lambda sender: sender.name)


def names(name: str, count: int) -> list[str]:
    """Returns the names of the tenants of a group."""
    width = max(3, len(str(count)))
    return [name] if count == 1 else [f"{name}-{number:0{width}}" for number in range(1, count + 1)]


def name_of(incident: Incident) -> str:
    return incident.name or str(incident.__struct_config__.tag)


def culprits(scenario: Scenario) -> set[str]:
    """Returns the names of the tenants whose fault the incidents are."""
    groups = {group.name: names(group.name, group.count) for group in scenario.groups}
    snowshoes = {
        name_of(incident): names(name_of(incident), incident.count)
        for incident in scenario.incidents
        if isinstance(incident, Snowshoe)
    }
    known = {**groups, **snowshoes}
    if scenario.culprits:
        return {tenant for name in scenario.culprits for tenant in known.get(name, [name])}
    found = {tenant for tenants in snowshoes.values() for tenant in tenants}
    for incident in scenario.incidents:
        if (tenant := getattr(incident, "tenant", None)) is not None:
            found.add(tenant)
    return found


def lists(every: list[Sender]) -> Iterator[ListRule]:
    """Returns the quality of each list of addresses."""
    for sender in every:
        yield ListRule(name=f"{sender.name}-users", quality="transactional")
        yield ListRule(name=sender.name, quality="bought" if sender.quality == "bought" else "opted-in")
        yield ListRule(name=f"{sender.name}-stale", quality="stale")
        yield ListRule(name=f"{sender.name}-bought", quality="bought")


def cold(every: list[Sender], scenario: Scenario) -> list[str]:
    """Returns the domains and pools that no provider has seen before, sorted. A pool is new if all that send from it are."""
    old = {sender.pool for sender in every if not sender.new}
    found = {f"{one.tenant}-cold" for one in scenario.incidents if isinstance(one, ColdIp)}
    for sender in every:
        if sender.new:
            found.add(sender.domain)
            if sender.pool not in old and sender.pool != SHARED_POOL:
                found.add(sender.pool)
    return sorted(found)


def _of_group(group: Group, name: str, draws: Draws) -> Sender:
    volume = group.mails_a_day
    if isinstance(volume, LogNormal):
        chance, other, *_ = draws.four("size of tenant", name)
        volume = volume.median * math.exp(volume.sigma * normal(chance, other))
    share = {"transactional": 0.0, "marketing": 1.0, "mixed": group.marketing_share}[group.type]
    shared = group.domain or f"{group.name}.example"
    return Sender(
        name=name,
        group=group.name,
        transactional=volume * (1 - share),
        marketing=volume * share,
        campaigns_a_week=group.campaigns_a_week,
        campaign_lasts=group.campaign_lasts,
        stale=group.lists.stale,
        bought=group.lists.bought,
        readers=group.readers,
        customers=max(1, round(volume * (1 - share) * group.customers)),
        domain=shared
        if group.domains == "shared" or group.count == 1
        else f"{name}.{group.domain or 'example'}",
        pool=name if group.pool == "own" else group.pool,
        new=group.new,
        dkim=group.dkim,
        spf=group.spf,
        dmarc=group.dmarc,
        one_click=group.one_click,
        size=group.size,
        type=group.type,
    )


def _of_snowshoe(incident: Snowshoe) -> Iterator[Sender]:
    group = name_of(incident)
    for name in names(group, incident.count):
        yield Sender(
            name=name,
            group=group,
            transactional=0.0,
            marketing=incident.mails_a_day,
            campaigns_a_week=7,
            campaign_lasts="8h",
            stale=0.0,
            bought=0.0,
            readers="consumers",
            customers=1,
            domain=f"{name}.example",
            pool=incident.pool,
            new=True,
            dkim=True,
            spf=True,
            dmarc="none",
            one_click=True,
            size=20_000,
            type="marketing",
            snowshoe=incident,
        )
