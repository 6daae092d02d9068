"""The coming week: last week's mail again, a week later, with what came back of it.

The record is that of a back-test. Campaigns and lists keep their names, weekday and hour. When feedback comes is taken from
the laws of delay, as in a back-test of mail that is older than a day.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from mailcordon.guard.backtest import MINUTE, BackLane, Change
from mailcordon.guard.backtest_job import Record
from mailcordon.guard.backtest_limits import CappedLane
from mailcordon.guard.backtest_record import Arrivals, by_minute
from mailcordon.guard.counts import Delta, DomainDelta

DAY = 1440
WEEK = 7 * DAY
_COUNTS = Delta._fields[5:]


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """What a lane's mail leaves from. `pool` is "" for SES's shared addresses."""

    domain: str
    pool: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What a rehearsal is made of. Minutes are since 1970."""

    record: Record  #: of the last week, and of 30 days before it
    ways: Mapping[int, Way]  #: by lane
    relative: frozenset[int] = frozenset()  #: lanes whose comparison with their own past may hold mail
    observed: int = 0  #: mails of the week that did not pass through us: they are left out


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    since: int
    until: int
    lanes: Sequence[BackLane]
    capped: Sequence[CappedLane]
    ways: Mapping[int, Way]
    relative: frozenset[int]
    before: Sequence[Delta]  #: what is known when the week begins: last week, and what was before it
    mail: Sequence[Delta]  #: cohorts with what becomes of them in the end
    domains: Sequence[DomainDelta]

    def changes(self) -> Iterator[Change]:
        """What becomes known, and when."""
        return Arrivals(self.until * MINUTE).of(self.mail, self.domains)

    def lane(self, slug: str, type: str) -> BackLane | None:
        return next((one for one in self.lanes if one.slug == slug and one.facts.type == type), None)


def coming(given: Given) -> Week:
    record = given.record
    last = cohorts(record)
    shift = record.until - record.since
    days = _days(last)
    return Week(
        since=record.until,
        until=record.until + shift,
        lanes=record.lanes,
        capped=[_known(one, days.get(one.lane, {})) for one in record.capped],
        ways=given.ways,
        relative=given.relative,
        before=[*record.history, *last],
        mail=[one._replace(minute=one.minute + shift) for one in last],
        domains=[one._replace(minute=one.minute + shift) for one in record.domains],
    )


def cohorts(record: Record) -> list[Delta]:
    """Last week's mail by minute, with all that is known of it."""
    sums: defaultdict[tuple[int, int, str | None, str | None, int], list[int]] = defaultdict(
        lambda: [0] * len(_COUNTS)
    )
    feed = (change.delta for change in record.changes if isinstance(change.delta, Delta))
    for delta in chain(by_minute(record.hours), record.minutes, feed):
        counts = sums[delta[:5]]
        for place, count in enumerate(delta[5:]):
            counts[place] += count
    found = [Delta(*key, *(max(0, count) for count in counts)) for key, counts in sums.items() if any(counts)]
    found.sort(key=lambda one: (one.minute, one.lane, one.provider, one.campaign or "", one.list or ""))
    return found


def _days(mail: Iterable[Delta]) -> dict[int, Counter[int]]:
    found: defaultdict[int, Counter[int]] = defaultdict(Counter)
    for one in mail:
        found[one.lane][one.minute // DAY] += one.sent
    return dict(found)


def _known(lane: CappedLane, days: Mapping[int, int]) -> CappedLane:
    """With last week's mail among what new-sender caps go by."""
    first = lane.first_day if lane.first_day is not None else min(days, default=None)
    added = {day: lane.days.get(day, 0) + mails for day, mails in days.items()}
    return replace(lane, days={**lane.days, **added}, first_day=first)
