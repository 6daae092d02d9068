"""The limits of a policy in a back-test: caps and new-sender caps, counted in UTC windows as dispatchers count them.

What the counters do not know cannot be tested: limits of API keys and of single addresses. Warm-up and paced release are not
replayed either: they open by feedback minute by minute, and their own tests and benches say what they do.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.guard.backtest import Mail
from mailcordon.guard.policy import limits, new_sender
from mailcordon.guard.policy.effective import Explained

_SECONDS = {Per.MINUTE: 60, Per.HOUR: 3_600, Per.DAY: 86_400}
_DAY = _SECONDS[Per.DAY]
_MANY = 1 << 62
#: Scopes whose mail the counters tell apart.
_KNOWN = (
    *(LimitScope.TENANT, LimitScope.CLASS, LimitScope.LANE, LimitScope.PROVIDER),
    *(LimitScope.CAMPAIGN, LimitScope.LIST),
)
#: Urgent mail counts in these and is never held by them.
_SPARING = (LimitScope.TENANT, LimitScope.KEY, LimitScope.IDENTITY)


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
        self._rows: dict[int, tuple[Limit, ...]] = {}
        self.left_out: dict[str, Limit] = {}  #: by sentence: limits that the counters cannot tell
        numbers = iter(range(1, _MANY))
        by_tenant: dict[int, list[CappedLane]] = {}
        for lane in self._lanes.values():
            by_tenant.setdefault(lane.tenant, []).append(lane)
        for tenant, own in by_tenant.items():
            found = [replace(row, id=next(numbers)) for row in _of_tenant(tenant, own)]
            for row in found:
                if row.scope not in _KNOWN or row.per not in _SECONDS:
                    self.left_out[row.because] = row
            for lane in own:
                self._rows[lane.lane] = tuple(
                    row
                    for row in found
                    if row.scope in _KNOWN
                    and row.per in _SECONDS
                    and row.lane in (None, lane.lane)
                    and row.class_ in (None, lane.class_)
                )
        self._numbers = numbers
        self._new: dict[int, tuple[int, Limit | None]] = {}  #: by lane, the day and its new-sender cap
        self._days = {lane.lane: dict(lane.days) for lane in self._lanes.values()}
        self._used: dict[tuple[object, ...], tuple[int, int]] = {}  #: window, and what left in it

    def room(self, mail: Mail, at: int) -> tuple[int, Limit | None]:
        room, found = _MANY, None
        lane = self._lanes[mail.lane]
        for row in self._about(mail, at):
            if row.mode is not Mode.ENFORCE:
                continue
            if lane.class_ is Class.URGENT and row.spares_urgent and row.scope in _SPARING:
                continue
            left = max(0, row.cap - self._count(row, mail, at))
            if left < room:
                room, found = left, row
        return room, found

    def count(self, mail: Mail, mails: int, at: int) -> Iterator[tuple[Limit, int]]:
        for row in list(self._about(mail, at)):
            before = self._count(row, mail, at)
            self._used[_key(row, mail)] = (at // _SECONDS[row.per], before + mails)
            if row.mode is Mode.SHADOW and (over := min(mails, before + mails - row.cap)) > 0:
                yield row, over
        days = self._days[mail.lane]
        days[at // _DAY] = days.get(at // _DAY, 0) + mails

    def _about(self, mail: Mail, at: int) -> Iterator[Limit]:
        for row in self._rows[mail.lane]:
            if row.provider is None or int(row.provider) == mail.provider:
                yield row
        if (new := self._new_sender(mail.lane, at // _DAY)) is not None:
            yield new

    def _count(self, row: Limit, mail: Mail, at: int) -> int:
        window, used = self._used.get(_key(row, mail), (-1, 0))
        return used if window == at // _SECONDS[row.per] else 0

    def _new_sender(self, id: int, day: int) -> Limit | None:
        known = self._new.get(id)
        if known is not None and known[0] == day:
            return known[1]
        lane, days = (
            self._lanes[id],
            {at: mails for at, mails in self._days[id].items() if at < day and mails > 0},
        )
        first = lane.first_day if lane.first_day is not None else min(days, default=None)
        record = new_sender.Record(
            age_days=None if first is None or first >= day else day - first,
            active_days=len(days),
            busiest=max(
                (mails for at, mails in days.items() if at >= day - new_sender.NEW_DAYS), default=None
            ),
        )
        cap = new_sender.cap(lane.explained.policy.new_sender, record)
        row = None
        if cap is not None:
            number = known[1].id if known is not None and known[1] is not None else next(self._numbers)
            row = replace(limits.of_new_sender(lane.tenant, id, cap.mails, cap.because), id=number)
        self._new[id] = (day, row)
        return row


def _of_tenant(tenant: int, lanes: Iterable[CappedLane]) -> list[Limit]:
    # An API key is needed for its cap to show among what is left out; which one does not matter.
    of = [limits.LaneOf(lane=lane.lane, class_=lane.class_, explained=lane.explained) for lane in lanes]
    return limits.of_caps(tenant, of, keys=(0,))


def _key(row: Limit, mail: Mail) -> tuple[object, ...]:
    """What is counted together."""
    part = {LimitScope.CAMPAIGN: mail.campaign, LimitScope.LIST: mail.list}.get(row.scope)
    if row.scope is LimitScope.PROVIDER:
        part = str(mail.provider)
    return row.id, part
