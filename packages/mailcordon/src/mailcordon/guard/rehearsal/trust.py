"""How far a rehearsal can be believed: what it makes of a week in which nothing changes, how like the week before last week
was, and where there was too little mail to tell."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mailcordon.guard.counts import Delta
from mailcordon.guard.rehearsal.reactions import Tally
from mailcordon.guard.rehearsal.week import WEEK, Week

COUNTED: Final = ("sent", "delivered", "bounces", "complaints")
#: What a week without the change may differ by: a share of the record, and so many mails.
BOUNDS: Final = {"sent": (0.01, 1), "delivered": (0.01, 1), "bounces": (0.05, 5), "complaints": (0.05, 5)}
LEAST_AT_PROVIDER: Final = (
    1_000  #: mails of all lanes to a provider in the week; of fewer, rates are mostly luck
)
LEAST_OF_LANE: Final = 200  #: mails of a lane in the week


@dataclass(frozen=True, slots=True)
class Repeated:
    """One count of the record, and what the week without the change made of it."""

    what: str
    recorded: int
    played: float

    @property
    def within(self) -> bool:
        share, mails = BOUNDS[self.what]
        return abs(self.played - self.recorded) <= max(share * self.recorded, mails)


@dataclass(frozen=True, slots=True)
class Before:
    """What the week before last week would have foretold of last week, had it been rehearsed."""

    what: str
    foretold: float
    happened: int


@dataclass(frozen=True, slots=True)
class ProviderBefore:
    provider: int
    mails: int
    bounces_foretold: float
    bounces: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    mails: int  #: of the record
    lanes: int
    repeated: Sequence[Repeated]
    before: Sequence[Before]  #: empty: there was no mail in the week before
    worst: ProviderBefore | None  #: the provider whose bounces were foretold worst, of those with enough mail
    thin_providers: Mapping[int, int]  #: mails, by provider
    thin_lanes: Sequence[tuple[str, int]]  #: name and mails, the fewest first
    held: int  #: mails of the week itself that the present policy would hold, without any change

    @property
    def sound(self) -> bool:
        return all(one.within for one in self.repeated)


def of(week: Week, tallies: Iterable[Tally], held: int) -> Trust:
    """`tallies`: of the lanes, in a week without the change. `held`: mail of the week that waited in it, some of it to its
    end."""
    played = Tally()
    for one in tallies:
        played.add(one)
    recorded = _sums(week.mail)
    by_provider, by_lane = Counter[int](), Counter[int]()
    for one in week.mail:
        by_provider[one.provider] += one.sent
        by_lane[one.lane] += one.sent
    last = [one._replace(minute=one.minute - (week.until - week.since)) for one in week.mail]
    since = 2 * week.since - week.until
    earlier = [one for one in week.before if since - WEEK <= one.minute < since]
    names = {one.facts.lane: one.name for one in week.lanes}
    return Trust(
        mails=recorded["sent"],
        lanes=len(by_lane),
        repeated=[Repeated(what, recorded[what], getattr(played, what)) for what in COUNTED],
        before=_before(earlier, last),
        worst=_worst(earlier, last),
        thin_providers={
            provider: mails
            for provider, mails in sorted(by_provider.items())
            if 0 < mails < LEAST_AT_PROVIDER
        },
        thin_lanes=sorted(
            (
                (names[lane], mails)
                for lane, mails in by_lane.items()
                if lane in names and mails < LEAST_OF_LANE
            ),
            key=lambda one: (one[1], one[0]),
        ),
        held=held,
    )


def _sums(mail: Iterable[Delta]) -> dict[str, int]:
    found: dict[str, int] = dict.fromkeys(COUNTED, 0)
    for one in mail:
        for what, count in zip(
            COUNTED, (one.sent, one.delivered, one.hard_bounces, one.complaints), strict=True
        ):
            found[what] += count
    return found


def _before(earlier: Sequence[Delta], last: Sequence[Delta]) -> list[Before]:
    before, happened = _sums(earlier), _sums(last)
    if not before["sent"]:
        return []
    found = [Before("sent", float(before["sent"]), happened["sent"])]
    for what in COUNTED[1:]:
        found.append(Before(what, before[what] / before["sent"] * happened["sent"], happened[what]))
    return found


def _worst(earlier: Sequence[Delta], last: Sequence[Delta]) -> ProviderBefore | None:
    counts: defaultdict[int, list[int]] = defaultdict(lambda: [0] * 4)
    for place, mail in ((0, earlier), (2, last)):
        for one in mail:
            counts[one.provider][place] += one.sent
            counts[one.provider][place + 1] += one.hard_bounces
    found = [
        ProviderBefore(provider, sent, bad_before / sent_before * sent, bad)
        for provider, (sent_before, bad_before, sent, bad) in sorted(counts.items())
        if sent_before >= LEAST_AT_PROVIDER and sent >= LEAST_AT_PROVIDER
    ]
    return max(found, key=lambda one: abs(one.bounces_foretold - one.bounces), default=None)
