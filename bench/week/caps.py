"""The limits of a fleet's lanes: the rows that dispatchers obey, counted here in UTC windows as they count."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from bench.week.lanes import KNOWN_MINUTES, Lane, Lanes, provider_of
from mailcordon.core.limit import Limit, LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard import warm_up
from mailcordon.guard.counts import Delta
from mailcordon.guard.policy import limits, new_sender
from mailcordon.guard.policy.effective import Explained
from seslocal.fleets.operator import Waiting

_MINUTES = {Per.MINUTE: 1, Per.HOUR: 60, Per.DAY: 1440}
_DAY = 1440


class Caps:
    """`explained`: the policy of each lane. Minutes are since 1970; `start` is that in which the week begins."""

    def __init__(self, lanes: Lanes, explained: Mapping[int, Explained], start: int) -> None:
        self._lanes = lanes
        self._explained = explained
        self._start = start
        self._day = -1
        self._rows: dict[int, list[Limit]] = {lane.id: self._of_policy(lane) for lane in lanes.every}
        self._daily: dict[int, list[Limit]] = {}  #: new-sender caps and warm-up, by lane
        self._used: dict[tuple[object, ...], int] = {}
        self._sent: defaultdict[int, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        #: Of new domains at each provider: the days' mails, delays and blocks.
        self._warming: defaultdict[tuple[str, int], dict[int, list[int]]] = defaultdict(dict)

    def turn(self, minute: int, deltas: list[Delta]) -> None:
        """A new minute begins."""
        for delta in deltas:
            lane = self._lanes.by_id(delta.lane)
            if lane.new:
                day = self._warming[lane.domain, delta.provider].setdefault(delta.minute // _DAY, [0, 0, 0])
                for index, count in enumerate((delta.sent, delta.delays, delta.blocks)):
                    day[index] += count
        if minute // _DAY != self._day:
            self._day = minute // _DAY
            self._used = {}
            for lane in self._lanes.every:
                self._daily[lane.id] = [*self._of_new_sender(lane), *self._of_warm_up(lane)]

    def until(self, lane: Lane, mail: Waiting, minute: int) -> int | None:
        """The minute in which the window ends that is used up; None: it may leave."""
        found: int | None = None
        for row in self._all(lane):
            if (key := self._key(row, lane, mail, minute)) is None or self._used.get(key, 0) < row.cap:
                continue
            if not (row.spares_urgent and lane.class_ is Class.URGENT and row.scope in _WIDE):
                length = _MINUTES[row.per]
                found = max(found or 0, (minute // length + 1) * length)
        return found

    def sent(self, lane: Lane, mail: Waiting, minute: int) -> None:
        self._sent[lane.id][minute // _DAY] += 1
        for row in self._all(lane):
            if (key := self._key(row, lane, mail, minute)) is not None:
                self._used[key] = self._used.get(key, 0) + 1

    def _all(self, lane: Lane) -> list[Limit]:
        return [*self._rows[lane.id], *self._daily.get(lane.id, ())]

    def _key(self, row: Limit, lane: Lane, mail: Waiting, minute: int) -> tuple[object, ...] | None:
        """The window that a mail counts in; None: the limit is about other mail."""
        if row.mode is not Mode.ENFORCE:
            return None
        if row.provider is not None and row.provider is not provider_of(mail):
            return None
        whose: object
        match row.scope:
            case LimitScope.TENANT | LimitScope.CLASS | LimitScope.KEY:
                whose = lane.tenant
            case LimitScope.IDENTITY:
                whose = row.domain
            case LimitScope.RECIPIENT | LimitScope.REPEAT:
                whose = lane.id, mail.recipient
            case _:
                whose = lane.id
        return row.owner, row.scope, row.provider, whose, row.per, minute // _MINUTES[row.per]

    def _of_policy(self, lane: Lane) -> list[Limit]:
        of = limits.LaneOf(lane=lane.id, class_=lane.class_, explained=self._explained[lane.id])
        return [row for row in limits.of_caps(0, [of]) if row.per in _MINUTES]

    def _of_new_sender(self, lane: Lane) -> list[Limit]:
        days = {day: mails for day, mails in self._sent[lane.id].items() if day < self._day}
        first = min(days, default=None) if lane.new else (self._start - KNOWN_MINUTES) // _DAY
        record = new_sender.Record(
            age_days=None if first is None else self._day - first,
            active_days=len(days) if lane.new else 365,
            busiest=max(days.values(), default=None),
        )
        cap = new_sender.cap(self._explained[lane.id].policy.new_sender, record)
        return [] if cap is None else [limits.of_new_sender(0, lane.id, cap.mails, cap.because)]

    def _of_warm_up(self, lane: Lane) -> list[Limit]:
        policy = self._explained[lane.id].policy.warm_up
        if not lane.new or policy.mode is not Mode.ENFORCE:
            return []
        found: list[Limit] = []
        for provider in Provider:
            if not provider.named:
                continue
            steps = warm_up.curve(policy, provider)
            days = self._warming.get((lane.domain, int(provider)), {})
            counted = [warm_up.Day(day, *counts) for day, counts in sorted(days.items())]
            cap = warm_up.replay(counted, self._day, steps).cap
            if cap is not None:
                found.append(
                    Limit(
                        id=0, tenant=0, owner="warm-up", scope=LimitScope.IDENTITY, per=Per.DAY, cap=cap,
                        mode=policy.mode, because="warm-up", provider=provider, domain=lane.domain,
                    )
                )  # fmt: skip
        return found


#: Urgent mail counts in these and is never held by them.
_WIDE = (LimitScope.TENANT, LimitScope.KEY, LimitScope.IDENTITY)
