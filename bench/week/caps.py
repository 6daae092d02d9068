"""The limits of a fleet's lanes: counts what left in each window, and says until when the rest waits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping

from bench.week.lanes import Lane
from mailcordon.core.limit import LimitScope, Mode, Per
from mailcordon.guard.policy.effective import LanePolicy
from seslocal.fleets.operator import Waiting

_MINUTES = {Per.MINUTE: 1, Per.HOUR: 60, Per.DAY: 1440}


class Caps:
    """`policies`: by lane. Minutes are since 1970; `start` is that in which the week begins."""

    def __init__(self, policies: Mapping[int, LanePolicy], start: int) -> None:
        self._start = start
        self._caps = {
            lane: [cap for cap in policy.caps if cap.mode is Mode.ENFORCE and cap.per in _MINUTES]
            for lane, policy in policies.items()
        }
        self._used: defaultdict[tuple[object, ...], int] = defaultdict(int)

    def until(self, lane: Lane, mail: Waiting, minute: int) -> int | None:
        """The minute in which the window ends that is used up; None: it may leave."""
        found: int | None = None
        for cap in self._caps[lane.id]:
            length = _MINUTES[cap.per]
            if self._used[self._key(lane, mail, cap.scope, length, minute)] >= cap.mails:
                found = max(found or 0, (minute // length + 1) * length)
        return found

    def sent(self, lane: Lane, mail: Waiting, minute: int) -> None:
        for cap in self._caps[lane.id]:
            self._used[self._key(lane, mail, cap.scope, _MINUTES[cap.per], minute)] += 1

    def _key(
        self, lane: Lane, mail: Waiting, scope: LimitScope, length: int, minute: int
    ) -> tuple[object, ...]:
        whose = {
            LimitScope.TENANT: lane.tenant,
            LimitScope.RECIPIENT: (lane.id, mail.recipient),
            LimitScope.CAMPAIGN: (lane.id, mail.campaign),
            LimitScope.PROVIDER: (lane.id, mail.provider),
        }.get(scope, lane.id)
        return scope, whose, length, minute // length
