"""A bought list as mail of the coming week: when it is due, and what comes back of it as providers think at that time. Without
chance: shares of mails become whole mails in turn."""

import heapq
import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from mailcordon.guard.backtest import MINUTE, Change, Mail
from mailcordon.guard.backtest_record import Arrivals
from mailcordon.guard.breaker.engine import SILENT
from mailcordon.guard.counts import Delta
from mailcordon.guard.rehearsal.change import CAMPAIGN, LIST, BoughtList
from mailcordon.guard.rehearsal.providers import TRAP_POINTS, Providers
from mailcordon.guard.rehearsal.week import DAY, Way, Week

#: Share of a list at each provider, where the lane has had too little mail to tell: a list of consumers.
USUAL = {1: 0.36, 2: 0.22, 3: 0.16, 4: 0.06, 5: 0.06, 6: 0.04, 0: 0.10}
LEAST_MAILS = 200  #: of a lane's own mail that its providers' shares are taken from


class Due(NamedTuple):
    minute: int
    provider: int
    mails: int


def mix(week: Week, lane: int) -> Mapping[int, float]:
    """A lane's shares of mail by provider; of the fleet's, if it had too little itself."""
    for mail in ([one for one in week.mail if one.lane == lane], week.mail):
        counts = Counter[int]()
        for one in mail:
            counts[one.provider] += one.sent
        if (total := counts.total()) >= LEAST_MAILS:
            return {provider: count / total for provider, count in sorted(counts.items()) if count}
    return USUAL


def starts(change: BoughtList, week: Week) -> list[int]:
    """Minutes at which its mailings begin: from the first whole day on."""
    first = (week.since // DAY + 1) * DAY + change.starts
    return [at for number in range(change.mailings) if (at := first + number * DAY) < week.until]


def due(change: BoughtList, week: Week, lane: int) -> Iterator[Due]:
    shares = mix(week, lane)
    for begins in starts(change, week):
        whole = _Whole()
        for part in range(change.lasts):
            mails = change.mails * (part + 1) // change.lasts - change.mails * part // change.lasts
            left = mails
            for place, (provider, share) in enumerate(shares.items(), 1):
                number = left if place == len(shares) else min(left, whole.take(str(provider), mails * share))
                left -= number
                if number:
                    yield Due(begins + part, provider, number)


class Mailing:
    """Changes of counts of the list. `providers` is asked when mail is due, so it has to have heard of all that came before."""

    def __init__(self, change: BoughtList, week: Week, lane: int, way: Way, providers: Providers) -> None:
        self._change = change
        self._due = list(due(change, week, lane))
        self._until = week.until * MINUTE
        self._lane = lane
        self._way = way
        self._providers = providers
        self._whole = _Whole()
        self.mails = sum(one.mails for one in self._due)
        self.complaints = change.complaints  #: of a mail in an inbox
        self.trap_points = (
            TRAP_POINTS * change.traps / max(1e-9, 1 - change.dead)
        )  #: of a mail that is delivered

    def is_of(self, mail: Mail | Delta) -> bool:
        return mail.lane == self._lane and mail.campaign == CAMPAIGN

    def changes(self) -> Iterator[Change]:
        arrivals = Arrivals(self._until)
        later: list[tuple[int, int, Change]] = []
        numbers = itertools.count()
        for one in self._due:
            while later and later[0][0] <= one.minute * MINUTE:
                yield heapq.heappop(later)[2]
            for change in arrivals.changes(self._cohort(one)):
                if change.at <= one.minute * MINUTE:
                    yield change
                else:
                    heapq.heappush(later, (change.at, next(numbers), change))
        while later:
            yield heapq.heappop(later)[2]

    def _cohort(self, one: Due) -> Delta:
        """Who is refused or deferred follows from what the provider thinks in this minute."""
        stand = self._providers.stand(one.provider, self._way.domain, self._way.pool, one.minute)
        take, place = self._whole.take, one.provider
        refused = min(one.mails, take(f"refused {place}", one.mails * stand.refused))
        dead = min(one.mails - refused, take(f"dead {place}", (one.mails - refused) * self._change.dead))
        delivered = one.mails - refused - dead
        inbox = delivered * (1 - stand.spam)
        complaints = 0 if place in SILENT else take(f"complaints {place}", inbox * self.complaints)
        return Delta(
            one.minute,
            self._lane,
            CAMPAIGN,
            LIST,
            place,
            sent=one.mails,
            delivered=delivered,
            hard_bounces=dead,
            complaints=min(delivered, complaints),
            blocks=refused,
            delays=take(f"delays {place}", delivered * stand.deferred),
        )


class _Whole:
    """Whole mails of shares: what is left over counts with the next."""

    def __init__(self) -> None:
        self._rest: dict[str, float] = {}

    def take(self, name: str, mails: float) -> int:
        total = self._rest.get(name, 0.5) + mails
        self._rest[name] = total - int(total)
        return int(total)
