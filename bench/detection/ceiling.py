"""Fleets whose campaigns are not cut at the ceiling: what is stopped there is policy, and is told apart from false stops.

A campaign above the ceiling does more harm than any healthy one (detection.md, section 16.2). Its stop is right if it stops that
campaign, and hard on the tenant if it stops the lane.
"""

from dataclasses import dataclass, replace

from bench.detection.population import Population
from bench.detection.protocol import DAY, YEAR, Decision
from bench.detection.scenarios import RATES, Group, Scenario, plain
from bench.detection.simulator import Played

KIND = "over_the_ceiling"
#: The rates that no healthy marketing campaign passes (detection.md, section 6).
CEILINGS = {"hard_bounces": 0.025, "complaints": 0.001}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stops:
    """Cordons after the warm-up, at most one a day for each part of each lane."""

    lane_years: float
    campaigns: int
    above: int  #: campaigns whose true rate is above a ceiling
    of_lanes: int  #: stops of whole lanes
    of_parts: int  #: stops of a campaign or list
    right: int  #: of these, of a campaign that is above the ceiling, or of a list in one
    caught: int  #: campaigns above the ceiling that were stopped, by themselves or with their lane within three days


def scenarios(*, tenants: int = 25, days: float = 120) -> list[Scenario]:
    """Lognormal campaigns that nothing cuts off: rough ones, and wild ones."""
    group = Group(
        count=tenants, volume=5000, patterns=[("campaign", 1.0)], campaigns_per_week=0, per_minute=0
    )
    return [
        replace(
            plain(f"over-the-ceiling-cv-{cv:g}", KIND, seed, days, [group]),
            rates={
                **RATES,
                **{
                    signal: replace(RATES[signal], dist="lognormal", campaign_cv=cv, camp_max=1.0)
                    for signal in CEILINGS
                },
            },
        )
        for cv, seed in ((0.6, 41_000), (1.0, 41_100))
    ]


def judge(played: Played, decisions: list[tuple[int, Decision]]) -> Stops:
    population = played.population
    scenario = population.scenario
    bad = {
        campaign: tenant.name
        for tenant in population.tenants
        for campaign, first in tenant.campaigns.items()
        if first >= scenario.warm and _above(population, campaign)
    }
    firsts = {
        campaign: first for tenant in population.tenants for campaign, first in tenant.campaigns.items()
    }
    last: dict[tuple[str, ...], int] = {}
    of_lanes = of_parts = right = 0
    caught: set[str] = set()
    for minute, said in decisions:
        part = tuple(said.get("part") or ())
        key = (said["tenant"], str(said.get("message_type")), *part)
        if said["level"] != "cordon" or minute < scenario.warm or minute - last.get(key, -DAY) < DAY:
            continue
        last[key] = minute
        running = {
            campaign
            for campaign, owner in bad.items()
            if owner == said["tenant"] and firsts[campaign] <= minute <= firsts[campaign] + 3 * DAY
        }
        if not part:
            of_lanes += 1
            caught |= running
            continue
        of_parts += 1
        guilty = running & {part[1]} if part[0] == "campaign" else running
        right += bool(guilty)
        caught |= guilty
    years = sum((scenario.end - max(scenario.warm, one.first_minute)) / YEAR for one in population.tenants)
    return Stops(
        lane_years=years,
        campaigns=sum(first >= scenario.warm for first in firsts.values()),
        above=len(bad),
        of_lanes=of_lanes,
        of_parts=of_parts,
        right=right,
        caught=len(caught),
    )


def _above(population: Population, campaign: str) -> bool:
    tenant = next(one for one in population.tenants if campaign in one.campaigns)
    return any(population.rate(tenant, campaign, signal) > most for signal, most in CEILINGS.items())
