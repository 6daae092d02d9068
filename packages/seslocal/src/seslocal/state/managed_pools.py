"""Managed IP pools: how warm each of their IPs is at each mailbox provider, and how many IPs a pool has (ses.md 7). Pure: times
and chance are passed in.

Warmth is a number of mails a day. It grows on a day on which it was used and falls when the mail to that provider becomes less,
as SES's guide says ("When sending volume to an ISP drops, the warmup percentage also drops for that ISP"). Mail beyond it leaves
from the shared IPs. Whether a mail does follows from the mail of earlier minutes and from the mail's own chance, so the order of
mails within a minute changes nothing."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final

_DAY: Final = 86400
_MINUTE: Final = 60
_WEEK: Final = 7
_MONTH: Final = 30
MOST_WARMTHS: Final = 20_000  # of IPs at providers; beyond that the first ones are forgotten
_LEAST_REST: Final = 0.1  # of a day's mail: it is always expected to come still


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUpRules:
    """Mails a day are mails of one IP to one provider, if not said otherwise. SES publishes none of the numbers that have no
    source."""

    start: float = 200.0  #: mails a day of a cold IP; ses.md 7: rule of thumb, 50 to 200 per provider
    growth: float = (
        1.3  #: factor for a day on which it was used; ses.md 7: volume doubles in two to three days
    )
    full: float = 50_000.0  #: most mails a day; ses.md 7: a warm IP's allowance
    busy: float = (
        0.5  #: share of its warmth that must be sent for it to grow; chosen: a working day, not a weekend
    )
    halves: float = 7.0  #: days in which warmth that is not used halves; chosen: after a month's rest it is cold (ses.md 7)
    first: float = (
        300.0  #: mails a day of a managed pool that need an IP of its own; ses.md 7: hundreds per day
    )
    first_days: int = 3  #: days on which it must have had them; ses.md 7: over several days
    most: int = 10  #: IPs of one managed pool; chosen
    #: an IP of a standard pool becomes cold when it carries less than `first` mails a day for a month. SES's own warm-up of these
    #: goes by time alone, so it does not do that; providers forget such an IP (ses.md 7)
    cool_standard: bool = False


class Warmth:
    """Of one IP at one provider."""

    __slots__ = (
        "_demand_now",
        "_minute",
        "_used_now",
        "day",
        "demand",
        "demands",
        "share",
        "used",
        "warm_for",
    )

    def __init__(self, warm_for: float, at: float) -> None:
        self.warm_for = warm_for  #: mails a day
        self.day = int(at) // _DAY
        self.demand = 0  #: mails of this day that the IP was wanted for
        self.used = 0  #: of these, those that left from it
        self.demands: deque[int] = deque(maxlen=_WEEK)  #: of the days before
        self.share = 0.0  #: of this minute's mails that leaves from it
        self._minute = -1
        self._demand_now = self._used_now = 0  # of this minute

    def takes(self, chance: float, at: float, rules: WarmUpRules) -> bool:
        """Counts a mail and returns whether it leaves from this IP. `chance` is uniform in [0, 1)."""
        minute = int(at) // _MINUTE
        if minute != self._minute:
            self._begin(minute, rules)
        self._demand_now += 1
        if chance < self.share:
            self._used_now += 1
            return True
        return False

    def move(self, at: float, rules: WarmUpRules) -> None:
        """Ends the minutes and days before this time."""
        minute = int(at) // _MINUTE
        if minute != self._minute:
            self._begin(minute, rules)

    def snapshot(self) -> list[object]:
        """The running minute is counted as over."""
        used, demand = self.used + self._used_now, self.demand + self._demand_now
        return [self.warm_for, self.day, demand, used, list(self.demands)]

    @staticmethod
    def restored(kept: tuple[float, int, int, int, list[int]]) -> Warmth:
        made = Warmth(kept[0], 0.0)
        _, made.day, made.demand, made.used, demands = kept
        made.demands.extend(demands)
        return made

    def _begin(self, minute: int, rules: WarmUpRules) -> None:
        self.demand += self._demand_now
        self.used += self._used_now
        self._demand_now = self._used_now = 0
        self._minute = minute
        day = minute * _MINUTE // _DAY
        if day > self.day:
            self._end_days(day - self.day, rules)
            self.day = day
        self.share = self._share(rules)

    def _end_days(self, days: int, rules: WarmUpRules) -> None:
        if self.used >= rules.busy * self.warm_for:
            self.warm_for = min(rules.full, self.warm_for * rules.growth)
        else:
            self._cool(1, self.used / rules.busy, rules)
        self.demands.append(self.demand)
        if days > 1:
            self._cool(days - 1, 0.0, rules)
            self.demands.extend([0] * min(days - 1, _WEEK))
        self.demand = self.used = 0

    def _cool(self, days: int, least: float, rules: WarmUpRules) -> None:
        self.warm_for = max(rules.start, least, self.warm_for * 0.5 ** (days / rules.halves))

    def _share(self, rules: WarmUpRules) -> float:
        """Spreads what is left of the day's warmth over the mail that is expected still."""
        left = self.warm_for - self.used
        if left <= 0:
            return 0.0
        usual = max(self.demands) if self.demands else rules.full
        expected = max(usual, self.demand)
        return min(1.0, left / max(expected - self.demand, expected * _LEAST_REST, 1.0))


class PoolDemand:
    """Mails a day of a managed pool, and how many IPs it should have."""

    __slots__ = ("day", "demand", "demands")

    def __init__(self, at: float) -> None:
        self.day = int(at) // _DAY
        self.demand = 0  #: mails of this day
        self.demands: deque[int] = deque(maxlen=_MONTH)  #: of the days before

    def count(self, at: float, mails: int = 1) -> bool:
        """Returns whether a new day began."""
        day = int(at) // _DAY
        is_new = day > self.day
        if is_new:
            self.demands.append(self.demand)
            self.demands.extend([0] * min(day - self.day - 1, _MONTH))
            self.day, self.demand = day, 0
        self.demand += mails
        return is_new

    def snapshot(self) -> list[object]:
        return [self.day, self.demand, list(self.demands)]

    @staticmethod
    def restored(kept: tuple[int, int, list[int]]) -> PoolDemand:
        made = PoolDemand(0.0)
        made.day, made.demand, demands = kept
        made.demands.extend(demands)
        return made


def wanted_ips(demands: Sequence[int], have: int, rules: WarmUpRules) -> int:
    """Returns how many IPs a managed pool should have that has `have` and had these mails a day, the newest day last. The first
    comes when there were enough mails on several days, one more at a time when those are full. After a month of little mail the
    pool uses the shared IPs again."""
    days = list(demands)
    if not have:
        last = days[-rules.first_days :]
        return 1 if len(last) == rules.first_days and min(last) >= rules.first else 0
    if len(days) >= _MONTH and max(days[-_MONTH:]) < rules.first:
        return 0
    usual = sum(days[-_WEEK:]) / max(1, len(days[-_WEEK:]))
    needed = min(rules.most, max(1, ceil(usual / (0.8 * rules.full))))
    return have + 1 if needed > have else have - 1 if needed < have - 1 else have


class WarmUps:
    """The warmth of all IPs of managed pools."""

    def __init__(self, rules: WarmUpRules | None = None) -> None:
        self.rules = rules or WarmUpRules()
        self.by_ip: dict[tuple[str, str], Warmth] = {}  #: by IP and provider

    def takes(self, ip: str, provider: str, chance: float, at: float) -> bool:
        """Counts a mail for this IP, and returns whether it leaves from it rather than from the shared ones."""
        found = self.by_ip.get((ip, provider))
        if found is None:
            if len(self.by_ip) >= MOST_WARMTHS:
                del self.by_ip[next(iter(self.by_ip))]
            found = self.by_ip[ip, provider] = Warmth(self.rules.start, at)
        return found.takes(chance, at, self.rules)

    def forget(self, ip: str) -> None:
        for key in [key for key in self.by_ip if key[0] == ip]:
            del self.by_ip[key]
