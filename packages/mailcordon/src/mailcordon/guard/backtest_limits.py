"""The limits of a policy in a back-test: caps and new-sender caps, by the rules that dispatchers obey (guard/limits).

What the counters do not know cannot be tested: limits of API keys and of single addresses. Warm-up and paced release are not
replayed either: they open by feedback minute by minute, and their own tests and benches say what they do.
"""

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from mailcordon.core.limit import EACH, OF_AN_ADDRESS, Limit, LimitScope
from mailcordon.core.priority import Class
from mailcordon.guard.backtest import Mail
from mailcordon.guard.limits import rules
from mailcordon.guard.limits.admission import count_shadow, room_for
from mailcordon.guard.limits.rules import Kind, LaneRules
from mailcordon.guard.limits.windows import Use
from mailcordon.guard.policy import limits, new_sender
from mailcordon.guard.policy.effective import Explained

_DAY = 86_400
#: Scopes whose mail the counters do not tell apart, or whose limits are made when a claim meets the mail.
_UNKNOWN = (LimitScope.KEY, LimitScope.IDENTITY, *OF_AN_ADDRESS, *EACH)


@dataclass(frozen=True, slots=True, kw_only=True)
class CappedLane:
    lane: int
    tenant: int
    class_: Class
    explained: Explained
    days: Mapping[int, int] = field(
        default_factory=dict[int, int]
    )  #: mails by day since 1970, before the back-test
    first_day: int | None = None  #: of its first mail; None: it had none before


class Caps:
    """Implements `backtest.Gate`."""

    def __init__(self, lanes: Iterable[CappedLane]) -> None:
        self._lanes = {lane.lane: lane for lane in lanes}
        self.left_out: list[Limit] = []  #: limits that the counters cannot tell
        self._numbers = itertools.count(1)
        self._limits: dict[int, list[Limit]] = {}  #: of policies, by tenant
        by_tenant: dict[int, list[CappedLane]] = {}
        for lane in self._lanes.values():
            by_tenant.setdefault(lane.tenant, []).append(lane)
        for tenant, own in by_tenant.items():
            found = [replace(row, id=next(self._numbers)) for row in _of_tenant(tenant, own)]
            self.left_out += [row for row in found if row.scope in _UNKNOWN]
            self._limits[tenant] = [row for row in found if row.scope not in _UNKNOWN]
        self._new: dict[int, int] = {}  #: by lane, the number of its new-sender cap
        self._rules: dict[int, tuple[int, LaneRules | None]] = {}  #: by lane, the day for which they are
        self._days = {lane.lane: dict(lane.days) for lane in self._lanes.values()}
        self._uses: dict[int, Use] = {}

    def room(self, mail: Mail, at: int) -> tuple[int, Limit | None]:
        of = self._of(mail.lane, at // _DAY)
        if of is None:
            return 0, None
        room, full = room_for(of.of(_kind(mail)), self._uses, at * 1000)
        return (0, None) if full is None else (room, full[0].limit)

    def count(self, mail: Mail, mails: int, at: int) -> list[tuple[Limit, int]]:
        days = self._days[mail.lane]
        days[at // _DAY] = days.get(at // _DAY, 0) + mails
        of = self._of(mail.lane, at // _DAY)
        found: list[tuple[Limit, int]] = []
        for scope in () if of is None else of.of(_kind(mail)):
            use = self._uses.setdefault(scope.use, Use())
            beyond: dict[int, int] = {}
            count_shadow(scope.bounds, use, mails, at * 1000, beyond)
            use.add(mails, at * 1000)
            by_id = {bound.limit.id: bound.limit for bound in scope.bounds}
            found += [(by_id[id], over) for id, over in beyond.items()]
        return found

    def _of(self, id: int, day: int) -> LaneRules | None:
        known = self._rules.get(id)
        if known is not None and known[0] == day:
            return known[1]
        lane = self._lanes[id]
        found = list(self._limits[lane.tenant])
        if (new := self._new_sender(id, day)) is not None:
            found.append(new)
        # Each limit counts in a row of its own: that several share one saves only room.
        made = rules.of_lane(id, lane.class_, (), [(row, row.id) for row in found])
        self._rules[id] = day, made
        return made

    def _new_sender(self, id: int, day: int) -> Limit | None:
        lane = self._lanes[id]
        days = {at: mails for at, mails in self._days[id].items() if at < day and mails > 0}
        first = lane.first_day if lane.first_day is not None else min(days, default=None)
        record = new_sender.Record(
            age_days=None if first is None or first >= day else day - first,
            active_days=len(days),
            busiest=max(
                (mails for at, mails in days.items() if at >= day - new_sender.NEW_DAYS), default=None
            ),
        )
        cap = new_sender.cap(lane.explained.policy.new_sender, record)
        if cap is None:
            return None
        row = limits.of_new_sender(lane.tenant, id, cap.mails, cap.because)
        return replace(row, id=self._new.setdefault(id, next(self._numbers)))


def _kind(mail: Mail) -> Kind:
    return Kind(mail.provider, mail.campaign, mail.list, None)


def _of_tenant(tenant: int, lanes: Iterable[CappedLane]) -> list[Limit]:
    # An API key is needed for its cap to show among what is left out; which one does not matter.
    of = [limits.LaneOf(lane=lane.lane, class_=lane.class_, explained=lane.explained) for lane in lanes]
    return limits.of_caps(tenant, of, keys=(0,))
