"""One coming week, with a change or without it, under the policy or without any. The breaker, the limits and the paced release
are those that the roles run."""

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field

from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.guard.backtest import MINUTE, Change, LaneResult, Mail, Replay
from mailcordon.guard.backtest_limits import Caps
from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.nouns import Decision, Dimension, Half, Slice
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.guard.rehearsal.change import CAMPAIGN, LIST, BoughtList
from mailcordon.guard.rehearsal.mailing import Mailing, due
from mailcordon.guard.rehearsal.pace import Closed, Pace
from mailcordon.guard.rehearsal.reactions import Reactions
from mailcordon.guard.rehearsal.week import DAY, Week

RELEASE = -1  #: id of what stands for the paced release among limits


@dataclass(slots=True)
class Played:
    """`results` of lanes under the policy; empty without one."""

    reactions: Reactions
    results: Sequence[LaneResult] = ()
    list_mails: int = 0  #: that the change wanted to send
    closed: Sequence[Closed] = ()
    first_kept: dict[tuple[int, int], int] = field(
        default_factory=dict[tuple[int, int], int]
    )  #: minute, by lane and limit
    left_out: Sequence[Limit] = ()


def play(week: Week, change: BoughtList | None, *, guarded: bool) -> Played:
    reactions = Reactions(week)
    mailing = None
    changes = week.changes()
    lane = None if change is None else week.lane(change.tenant, change.type)
    if change is not None and lane is not None:
        id = lane.facts.lane
        mailing = Mailing(change, week, id, reactions.way(id), reactions.providers)
        reactions.plays(mailing)
        changes = heapq.merge(changes, mailing.changes(), key=lambda one: one.at)
    mails = 0 if mailing is None else mailing.mails
    if not guarded:
        _let_go(changes, reactions)
        return Played(reactions, list_mails=mails)
    gates = _Gates(
        Caps(week.capped), mailing, _pace(week, change, lane.facts.lane) if change and lane else None
    )
    breaker = _Listening(week.relative, lambda minute, deltas: _heard(reactions, gates, minute, deltas))
    gates.listens_to(breaker)
    replay = Replay(week.lanes, gates, breaker)
    breaker.replay(week.since, week.before)
    results = replay.run(changes, week.until * MINUTE)
    return Played(
        reactions, list(results.values()), mails, gates.closed, gates.first_kept, gates.caps.left_out
    )


def _let_go(changes: Iterable[Change], reactions: Reactions) -> None:
    for at, group in itertools.groupby(changes, key=lambda one: one.at):
        reactions.hear(at // MINUTE, [one.delta for one in group])


def _heard(reactions: Reactions, gates: "_Gates", minute: int, deltas: Sequence[Delta | DomainDelta]) -> None:
    reactions.hear(minute, deltas)
    gates.hear(deltas)


class _Listening(Breaker):
    """Tells what the breaker is told. `relative`: lanes whose comparison with their own past may hold mail."""

    def __init__(
        self, relative: Collection[int], hear: Callable[[int, Sequence[Delta | DomainDelta]], None]
    ) -> None:
        super().__init__()
        self._relative = relative
        self._hear = hear

    def observe(
        self, minute: int, deltas: Sequence[Delta], domains: Sequence[DomainDelta] = ()
    ) -> list[Decision]:
        self._hear(minute, deltas)
        return super().observe(minute, deltas, domains)

    def permit(self, lane: int, minute: int, slices: Collection[Slice] | None = ()) -> float:
        share = super().permit(lane, minute, slices)
        if share < 1 and lane not in self._relative and not self._absolute(lane):
            return 1.0
        return share

    def _absolute(self, lane: int) -> bool:
        decisions = (one.decision for one in self.standing(lane))
        return any(one is not None and one.half is Half.ABSOLUTE for one in decisions)

    def warns_of(self, lane: int, slices: Collection[Slice]) -> bool:
        """Of all of the lane's mail, or of mail in these slices."""
        standings = self.standing(lane)
        return any(
            one.decision is not None and all(part in slices for part in one.guilty) for one in standings
        )


class _Gates:
    """Limits, and the paced release of the mailing. Implements `backtest.Gate`."""

    def __init__(self, caps: Caps, mailing: Mailing | None, pace: "_Paced | None") -> None:
        self.caps = caps
        self.first_kept: dict[tuple[int, int], int] = {}
        self._mailing = mailing
        self._paced = pace

    @property
    def closed(self) -> Sequence[Closed]:
        return () if self._paced is None else self._paced.pace.closed

    def listens_to(self, breaker: _Listening) -> None:
        if self._paced is not None:
            self._paced.breaker = breaker

    def room(self, mail: Mail, at: int) -> tuple[int, Limit | None]:
        room, limit = self.caps.room(mail, at)
        if self._paced is not None and self._is_list(mail):
            paced = self._paced.pace.room(at // MINUTE)
            if paced is not None and (limit is None or paced < room):
                room, limit = paced, self._paced.limit
        if limit is not None and room == 0:
            self.first_kept.setdefault((mail.lane, limit.id), at // MINUTE)
        return room, limit

    def count(self, mail: Mail, mails: int, at: int) -> list[tuple[Limit, int]]:
        if self._paced is not None and self._is_list(mail):
            self._paced.pace.left(mails)
        return self.caps.count(mail, mails, at)

    def hear(self, deltas: Iterable[Delta | DomainDelta]) -> None:
        if self._paced is not None:
            self._paced.pace.hear(one for one in deltas if isinstance(one, Delta) and self._is_list(one))

    def _is_list(self, mail: Mail | Delta) -> bool:
        return self._mailing is not None and self._mailing.is_of(mail)


@dataclass(slots=True)
class _Paced:
    pace: Pace
    limit: Limit
    breaker: _Listening | None = None


def _pace(week: Week, change: BoughtList, lane: int) -> _Paced | None:
    """Urgent and transactional mail is not paced."""
    capped = next(one for one in week.capped if one.lane == lane)
    if capped.class_ is not Class.MARKETING:
        return None
    days: Counter[int] = Counter()
    for one in week.before:
        if one.lane == lane:
            days[one.minute // DAY] += one.sent
    made: _Paced

    def warned() -> bool:
        parts = (Slice(Dimension.CAMPAIGN, CAMPAIGN), Slice(Dimension.LIST, LIST))
        return made.breaker is not None and made.breaker.warns_of(lane, parts)

    policy = capped.explained.policy.release
    pace = Pace(policy, list(due(change, week, lane)), float(max(days.values(), default=0)), warned)
    limit = Limit(
        id=RELEASE,
        tenant=capped.tenant,
        owner="release",
        scope=LimitScope.CAMPAIGN,
        per=Per.EVER,
        cap=policy.first,
        mode=Mode.ENFORCE,
        because="",
        lane=lane,
        campaign=CAMPAIGN,
    )
    made = _Paced(pace, limit)
    return made
