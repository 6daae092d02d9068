"""What the incidents of a scenario change beside the mails themselves: how a tenant's mail looks, and the world."""

from __future__ import annotations

from typing import Final

import msgspec

from seslocal.fleets import tenants
from seslocal.fleets.operator import Path
from seslocal.fleets.scenario import BadWeather, BrokenDkim, ColdIp, NewRule, Scenario, moment_of, seconds_of
from seslocal.fleets.tenants import Sender
from seslocal.world.settings import Rule, Weather, WorldSettings

DAY: Final = 86_400.0


class Look(msgspec.Struct, frozen=True):
    """How a tenant's mail looks in a minute."""

    signed_by: str | None
    spf: bool
    aligned: bool
    pool: str
    ip: str


def settings(scenario: Scenario, every: list[Sender]) -> WorldSettings:
    """The lists are those of all tenants, also of those left out: that a list exists changes nothing."""
    return WorldSettings(
        seed=scenario.seed,
        known=scenario.known,
        lists=tuple(tenants.lists(every)),
        cold=tuple(tenants.cold(every, scenario)),
        shared=(tenants.SHARED_POOL,),
        weather=tuple(
            Weather(
                provider=one.provider,
                start=moment_of(one.start),
                seconds=seconds_of(one.lasts),
                defers=one.defers,
                slower=one.slower,
            )
            for one in scenario.incidents
            if isinstance(one, BadWeather)
        ),
        rules=tuple(
            Rule(provider=one.provider, start=moment_of(one.start), kind=one.rule, refuses=one.refuses)
            for one in scenario.incidents
            if isinstance(one, NewRule)
        ),
    )


def changes(scenario: Scenario, tenant: str) -> list[tuple[float, float, BrokenDkim | ColdIp]]:
    """Start, end and incident of all that changes how this tenant's mail looks."""
    found: list[tuple[float, float, BrokenDkim | ColdIp]] = []
    for one in scenario.incidents:
        if isinstance(one, (BrokenDkim, ColdIp)) and one.tenant == tenant:
            start = moment_of(one.start)
            end = scenario.days * DAY if one.lasts is None else start + seconds_of(one.lasts)
            found.append((start, end, one))
    return found


def look(sender: Sender, changed: list[tuple[float, float, BrokenDkim | ColdIp]], at: float) -> Look:
    dkim, spf, pool = sender.dkim, sender.spf, sender.pool
    for start, end, change in changed:
        if start <= at < end:
            if isinstance(change, BrokenDkim):
                dkim, spf = False, spf and change.spf
            else:
                pool = f"{sender.name}-cold"
    return Look(sender.domain if dkim else None, spf, dkim or spf, pool, ip_of(pool))


def of_path(path: Path) -> Look:
    return Look(
        path.domain if path.dkim else None, path.spf, path.dkim or path.spf, path.pool, ip_of(path.pool)
    )


def ip_of(pool: str) -> str:
    """Returns an address for a pool, of those set aside for documentation (RFC 5737)."""
    return f"198.51.100.{sum(pool.encode()) % 254 + 1}"
