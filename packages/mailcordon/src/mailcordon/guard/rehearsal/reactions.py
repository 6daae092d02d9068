"""What providers and SES make of a week's mail: hears what leaves and what comes back, and counts where it ends.

Of the week's own mail the record says what was delivered. A provider that thinks worse of its sender than when the week began
refuses more of it, and puts more of it into the spam folder.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mailcordon.guard.breaker.engine import SILENT
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.guard.rehearsal.account import Account, Status
from mailcordon.guard.rehearsal.mailing import Mailing
from mailcordon.guard.rehearsal.providers import SHARED, Providers, Stand
from mailcordon.guard.rehearsal.week import DAY, Way, Week


@dataclass(slots=True)
class Tally:
    """What became of mail. `delivered` and `inbox` are expected values: the model has no chance."""

    sent: int = 0
    delivered: float = 0.0
    inbox: float = 0.0
    bounces: int = 0
    complaints: int = 0
    blocks: float = 0.0
    unsent: int = 0  #: SES had paused the account

    def add(self, other: "Tally") -> None:
        for name in ("sent", "delivered", "inbox", "bounces", "complaints", "blocks", "unsent"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass(slots=True)
class Reactions:
    week: Week
    providers: Providers = field(default_factory=Providers)
    account: Account = field(default_factory=Account)
    tallies: dict[int, Tally] = field(default_factory=lambda: defaultdict[int, Tally](Tally))
    listed: Tally = field(default_factory=Tally)  #: of the mailing; not in the lane's
    by_provider: dict[tuple[int, int], Tally] = field(
        default_factory=lambda: defaultdict[tuple[int, int], Tally](Tally)
    )
    first_out: int | None = None  #: minute of the first mail of the mailing, and of the last one
    last_out: int | None = None
    outs: list[tuple[int, int]] = field(
        default_factory=list[tuple[int, int]]
    )  #: minutes and mails of the mailing
    paused_at: int | None = None
    _mailing: Mailing | None = None
    _begin: dict[tuple[int, Way], Stand] = field(default_factory=dict[tuple[int, Way], Stand])
    _now: dict[tuple[int, Way], tuple[int, Stand]] = field(
        default_factory=dict[tuple[int, Way], tuple[int, Stand]]
    )
    _usual: float = 0.0  #: complaints of a delivered mail, where they are reported

    def __post_init__(self) -> None:
        reported = delivered = 0
        for minute, cohort in _by_day(self.week.before):
            reporting = 0 if cohort.provider in SILENT else cohort.sent
            reported += 0 if cohort.provider in SILENT else cohort.complaints
            delivered += 0 if cohort.provider in SILENT else cohort.delivered
            self._usual = reported / delivered if delivered else 0.0
            self._think(cohort, minute, cohort.delivered)
            self.account.count(minute, cohort.sent, reporting, cohort.hard_bounces, cohort.complaints)

    def plays(self, mailing: Mailing) -> None:
        self._mailing = mailing

    def way(self, lane: int) -> Way:
        return self.week.ways.get(lane) or Way(domain=f"lane {lane}", pool=SHARED)

    def hear(self, minute: int, deltas: Iterable[Delta | DomainDelta]) -> None:
        """What became known in this minute."""
        self.account.judge(minute)
        if self.paused_at is None and self.account.status is Status.PAUSED:
            self.paused_at = minute
        for delta in deltas:
            if isinstance(delta, DomainDelta):
                continue
            if self.paused_at is not None and delta.minute >= self.paused_at:
                (self.listed if self._is_list(delta) else self.tallies[delta.lane]).unsent += delta.sent
                continue
            if self._is_list(delta):
                self._of_list(minute, delta)
            else:
                self._of_week(minute, delta)
            reporting = 0 if delta.provider in SILENT else delta.sent
            self.account.count(minute, delta.sent, reporting, delta.hard_bounces, delta.complaints)

    def out_before(self, minute: int) -> int:
        """Mails of the mailing that had left before a minute."""
        return sum(mails for at, mails in self.outs if at < minute)

    def _is_list(self, delta: Delta) -> bool:
        return self._mailing is not None and self._mailing.is_of(delta)

    def _of_list(self, minute: int, delta: Delta) -> None:
        assert self._mailing is not None
        if delta.sent > 0:
            self.first_out = minute if self.first_out is None else self.first_out
            self.last_out = minute
            self.outs.append((minute, delta.sent))
        stand = self._stand(delta, minute)
        inbox = delta.delivered * (1 - stand.spam)
        _count(self.listed, delta, delta.delivered, inbox, delta.blocks)
        # Gmail tells nobody of its complaints, and counts them.
        complaints = inbox * self._mailing.complaints if delta.provider in SILENT else delta.complaints
        way = self.way(delta.lane)
        self.providers.count(
            delta.provider,
            way.domain,
            way.pool,
            minute,
            mails=delta.delivered + delta.hard_bounces,
            dead=delta.hard_bounces,
            complaints=complaints,
            traps=delta.delivered * self._mailing.trap_points,
        )

    def _of_week(self, minute: int, delta: Delta) -> None:
        delivered = inbox = float(delta.delivered)
        if delta.delivered:
            stand, begin = self._stand(delta, minute), self._begun(delta)
            more = max(0.0, stand.refused - begin.refused) / (1 - begin.refused)
            delivered *= 1 - more
            inbox = delivered * (1 - stand.spam)
        blocks = delta.blocks + delta.delivered - delivered
        for tally in (self.tallies[delta.lane], self.by_provider[delta.lane, delta.provider]):
            _count(tally, delta, delivered, inbox, blocks)
        self._think(delta, minute, delivered)

    def _think(self, delta: Delta, minute: int, delivered: float) -> None:
        complaints = delivered * self._usual if delta.provider in SILENT else delta.complaints
        if delivered or delta.hard_bounces or complaints:
            way = self.way(delta.lane)
            self.providers.count(
                delta.provider,
                way.domain,
                way.pool,
                minute,
                mails=delivered + delta.hard_bounces,
                dead=delta.hard_bounces,
                complaints=complaints,
            )

    def _stand(self, delta: Delta, minute: int) -> Stand:
        """As of this minute; asked once a minute."""
        way = self.way(delta.lane)
        self._begun(delta)
        known = self._now.get((delta.provider, way))
        if known is None or known[0] != minute:
            known = minute, self.providers.stand(delta.provider, way.domain, way.pool, minute)
            self._now[delta.provider, way] = known
        return known[1]

    def _begun(self, delta: Delta) -> Stand:
        way = self.way(delta.lane)
        found = self._begin.get((delta.provider, way))
        if found is None:
            found = self.providers.stand(delta.provider, way.domain, way.pool, self.week.since)
            self._begin[delta.provider, way] = found
        return found


def _count(tally: Tally, delta: Delta, delivered: float, inbox: float, blocks: float) -> None:
    tally.sent += delta.sent
    tally.delivered += delivered
    tally.inbox += inbox
    tally.bounces += delta.hard_bounces
    tally.complaints += delta.complaints
    tally.blocks += blocks


def _by_day(mail: Iterable[Delta]) -> Iterator[tuple[int, Delta]]:
    """Cohorts of days, with the last minute of each."""
    sums: defaultdict[tuple[int, int, int], list[int]] = defaultdict(lambda: [0] * 7)
    for one in mail:
        counts = sums[one.minute // DAY, one.lane, one.provider]
        for place, count in enumerate(one[5:]):
            counts[place] += count
    for (day, lane, provider), counts in sorted(sums.items()):
        yield (
            day * DAY + DAY - 1,
            Delta(day * DAY, lane, None, None, provider, *(max(0, count) for count in counts)),
        )
