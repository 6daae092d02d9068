"""Bad mail spread over many new tenants, so that none of them sends enough to be judged alone (detection.md, section 16.3)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bench.detection.protocol import DAY, Decision
from bench.detection.scenarios import Group, Scenario, plain
from bench.detection.simulator import Played

KIND = "snowshoe"
_TOGETHER: Mapping[str, object] = {
    "mean": 0.08,
    "tenant_cv": 0.0,
    "max": 0.08,
    "campaign_cv": 0.2,
    "camp_max": 0.2,
}
#: Of the mail planned after the first day, the most that may come from members under no action.
LOOSE = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Containment:
    members: int
    first_minutes: (
        int | None
    )  #: from their first mail to the first throttle or cordon of one of them; None: never
    covered_first_day: (
        float  #: share of the members that sent on the first day and were under an action at its end
    )
    loose: float  #: share of the mail planned after the first day by members under no action
    let_through: float  #: share of the mail planned after the first day that left
    mails_first_day: int
    cordoned: int  #: members of which a lane was cordoned
    others: int  #: tenants that are not of them and were throttled or cordoned
    other_tenants: int

    @property
    def contained(self) -> bool:
        """Within the first day: afterwards no mail leaves that nothing holds back."""
        return self.first_minutes is not None and self.first_minutes < DAY and self.loose <= LOOSE


def scenarios() -> list[Scenario]:
    """200 tenants with 50 mails a day each and 8 % hard bounces come to a healthy fleet: in campaigns, and mail by mail."""
    return [
        replace(
            plain(
                f"snowshoe-200x50-{pattern}",
                KIND,
                seed,
                38,
                [
                    _group(10, 5000, "campaign"),
                    _group(20, 200, "campaign", start_day=30, labels=("signup:direct",)),
                    _group(
                        200,
                        50,
                        pattern,
                        start_day=31,
                        campaigns_per_week=7.0,
                        labels=("signup:partner-x",),
                        guilty=True,
                        rates={"hard_bounces": _TOGETHER},
                    ),
                ],
            ),
            closed_loop=True,
        )
        for pattern, seed in (("campaign", 43_000), ("transactional", 43_100))
    ]


def _group(count: int, volume: float, pattern: str, **more: object) -> Group:
    made = Group(count=count, volume=volume, patterns=[(pattern, 1.0)], campaigns_per_week=0, per_minute=0)
    return replace(made, **more)


def judge(played: Played, decisions: list[tuple[int, Decision]]) -> Containment:
    tenants = played.population.tenants
    members = {one.name for one in tenants if one.group.guilty}
    acted: dict[str, int] = {}  # minute of the first throttle or cordon
    cordoned: set[str] = set()
    warm = played.population.scenario.warm
    for minute, said in decisions:
        if said["level"] != "warn" and minute >= warm:
            acted.setdefault(said["tenant"], minute)
            if said["level"] == "cordon":
                cordoned.add(said["tenant"])
    sends = [one for one in played.sends if one[1] in members]
    first = min((one[0] for one in sends), default=0)
    day_one = [one for one in sends if one[0] < first + DAY]
    later = [one for one in sends if one[0] >= first + DAY]
    planned = sum(mails for _, _, mails, _ in later)
    senders = {tenant for _, tenant, _, _ in day_one}
    starts = [minute for tenant, minute in acted.items() if tenant in members]
    return Containment(
        members=len(members),
        first_minutes=min(starts) - first if starts else None,
        covered_first_day=sum(acted.get(one, first + DAY) < first + DAY for one in senders)
        / max(1, len(senders)),
        loose=sum(mails for minute, one, mails, _ in later if acted.get(one, minute + 1) > minute)
        / max(1, planned),
        let_through=sum(left for *_, left in later) / max(1, planned),
        mails_first_day=sum(left for *_, left in day_one),
        cordoned=len(cordoned & members),
        others=len(acted.keys() - members),
        other_tenants=len(tenants) - len(members),
    )
