"""What a tenant's worst week was, and what it would have cost the others. Pure.

A rate of few mails says little, so a tenant endangers others only if the lower end of its rate's interval is above SES's limit:
its true rate is at least that high with 95 % confidence (Wilson's interval, one-sided).
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from mailcordon.control.assess.account import Count, Days

Z = 1.645  #: one-sided 95 %


class Kind(StrEnum):
    BOUNCES = "bounces"
    COMPLAINTS = "complaints"


#: SES reviews an account at the first and may pause it at the second (ses.md 8.1).
LIMITS: Mapping[Kind, tuple[float, float]] = {Kind.BOUNCES: (0.05, 0.10), Kind.COMPLAINTS: (0.001, 0.005)}
AIM: Mapping[Kind, float] = {
    Kind.BOUNCES: 0.02,
    Kind.COMPLAINTS: 0.0005,
}  #: ses.md 8.1 for bounces; half of the review's


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    monday: date
    count: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """A tenant's worst week. `with_it` and `without_it` are the account's rates of that week."""

    tenant: str
    kind: Kind
    monday: date
    count: Count
    rate: float
    at_least: float  #: the lower end of the interval
    with_it: float
    without_it: float
    others_sent: int  #: mail of everybody else that week

    @property
    def pauses(self) -> bool:
        """Whether the rate is one at which SES pauses an account."""
        return self.at_least >= LIMITS[self.kind][1]

    @property
    def tipped(self) -> str | None:
        """The limit that the account was over because of this tenant alone: pause, review or None."""
        for word, limit in zip(("pause", "review"), reversed(LIMITS[self.kind]), strict=True):
            if self.with_it >= limit > self.without_it:
                return word
        return None


def weeks(days: Days) -> list[Week]:
    found: dict[date, Count] = {}
    for day, count in days.items():
        monday = day - timedelta(days=day.weekday())
        found[monday] = found.get(monday, Count()) + count
    return [Week(monday=monday, count=found[monday]) for monday in sorted(found)]


def bad(kind: Kind, count: Count) -> int:
    return count.bounced if kind is Kind.BOUNCES else count.complained


def rate(kind: Kind, count: Count) -> float:
    return bad(kind, count) / count.sent if count.sent else 0.0


def at_least(number: int, of: int) -> float:
    """The lower end of Wilson's interval for a share."""
    if of <= 0 or number <= 0:
        return 0.0
    share = min(number / of, 1.0)
    middle = share + Z * Z / (2 * of)
    spread = Z * math.sqrt(share * (1 - share) / of + Z * Z / (4 * of * of))
    return max(0.0, (middle - spread) / (1 + Z * Z / of))


def worst(tenant: str, days: Days, everybody: Days) -> Harm | None:
    """The week in which it was nearest to, or furthest over, a limit of SES. None: it sent nothing that came back."""
    account = {week.monday: week.count for week in weeks(everybody)}
    found: Harm | None = None
    for week in weeks(days):
        for kind, (review, _) in LIMITS.items():
            least = at_least(bad(kind, week.count), week.count.sent)
            if least <= 0 or (found is not None and least / review <= found.at_least / LIMITS[found.kind][0]):
                continue
            whole = account.get(week.monday, week.count)
            rest = Count(
                max(0, whole.sent - week.count.sent),
                max(0, whole.bounced - week.count.bounced),
                max(0, whole.complained - week.count.complained),
            )
            found = Harm(
                tenant=tenant,
                kind=kind,
                monday=week.monday,
                count=week.count,
                rate=rate(kind, week.count),
                at_least=least,
                with_it=rate(kind, whole),
                without_it=rate(kind, rest),
                others_sent=rest.sent,
            )
    return found


def endangers(harm: Harm) -> bool:
    """Whether it is over the limit at which SES reviews an account."""
    return harm.at_least >= LIMITS[harm.kind][0]


def added(of: Iterable[Days]) -> dict[date, Count]:
    found: dict[date, Count] = {}
    for days in of:
        for day, count in days.items():
            found[day] = found.get(day, Count()) + count
    return found
