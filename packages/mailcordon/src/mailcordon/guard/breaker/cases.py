"""What the breaker has open against a lane or a part of it, and how it ends by itself (detection.md, section 11)."""

import functools
import math
from dataclasses import dataclass

from mailcordon.core.priority import Class
from mailcordon.guard.breaker.evidence import fixed, log_sum
from mailcordon.guard.breaker.measures import DAY, DAYS_BETWEEN, HOUR, MEASURES
from mailcordon.guard.breaker.nouns import Decision, Dimension, Level, Phase, Slice, Standing
from mailcordon.guard.delays import Signal

WARN_MINUTES = DAY
QUIET_MINUTES = 6 * HOUR  #: with little evidence, until a throttle ends
THROTTLE_MINUTES = DAY
THROTTLE_EVENTS = 100.0  #: usual events of the last day that are as good as the day
PROBATION_MINUTES = 7 * DAY
MOST_COOL_MINUTES = 7 * DAY
IDLE_MINUTES = 14 * DAY  #: without enough mail to probe, until probation begins
REMEMBER_MINUTES = 60 * DAY  #: a case that has ended: its evidence is used
PROBE_SHARE = 0.02  #: of the mail that may leave while probing
STRICTER = 0.1  #: on probation, and if the account is at stake: days between two false actions

_SMALL, _BIG = 0.001, 0.2  #: of the account's room
#: AWS pauses an account here: nobody is too small to be stopped.
_PAUSE = {Signal.BOUNCES: 0.10, Signal.COMPLAINTS: 0.005}
_LEVELS = {
    Phase.WARNED: 1,
    Phase.THROTTLED: 2,
    Phase.CORDONED: 3,
    Phase.PROBING: 3,
}


@dataclass(slots=True)
class Case:
    guilty: tuple[Slice, ...]  #: () the whole lane
    signal: Signal
    phase: Phase
    since: int  #: minute of the last change
    decided: int  #: minute before which no evidence counts again
    failed_probes: int = 0
    probe_from: int | None = None
    probe_mails: int = 0  #: that may leave as a probe, in all
    probed: int = 0  #: that left
    looked: int = 0  #: minute of the last look at its probes
    quiet_since: int | None = None
    decision: Decision | None = None

    @property
    def level(self) -> int:
        """0 to 3, as Level."""
        return _LEVELS.get(self.phase, 0)

    @property
    def cool_minutes(self) -> int:
        return min(MOST_COOL_MINUTES, MEASURES[self.signal].cool_minutes * 2**self.failed_probes)

    @property
    def pooled(self) -> bool:
        return bool(self.guilty) and self.guilty[0].dimension is Dimension.POOL

    @property
    def is_part(self) -> bool:
        """It is about a campaign or a list."""
        return bool(self.guilty) and self.guilty[0].dimension in (Dimension.CAMPAIGN, Dimension.LIST)

    @property
    def permitted(self) -> float:
        """The share of its mail that may leave."""
        if self.phase is Phase.THROTTLED:
            return 0.5
        if self.phase is Phase.PROBING and self.probed < self.probe_mails:
            return PROBE_SHARE
        return 0.0

    def standing(self, lane: int) -> Standing:
        return Standing(
            lane=lane,
            guilty=self.guilty,
            signal=self.signal,
            phase=self.phase,
            since=self.since,
            decided=self.decided,
            failed_probes=self.failed_probes,
            probe_from=self.probe_from,
            probe_mails=self.probe_mails,
            decision=self.decision,
        )

    @classmethod
    def of(cls, standing: Standing) -> "Case":
        return cls(
            guilty=standing.guilty,
            signal=standing.signal,
            phase=standing.phase,
            since=standing.since,
            decided=standing.decided,
            failed_probes=standing.failed_probes,
            probe_from=standing.probe_from,
            probe_mails=standing.probe_mails,
            decision=standing.decision,
        )


@functools.lru_cache(1024)
def threshold(class_: Class, level: Level, sensitivity: float) -> float:
    """Nats of evidence that a level needs."""
    return math.log(DAYS_BETWEEN[class_][level] * sensitivity)


def healthy_again(events: float, aged: float, usual: float, ceiling: float) -> bool:
    """The reverse test. `aged` are the mails whose feedback must have come by now. Mail that is still at `sick` passes once in 20
    times."""
    sick = max(3.0 * usual, 2.0 * ceiling)
    return events * math.log(usual / sick) + (sick - usual) * aged >= math.log(20.0)


def still_sick(events: float, usual: float, ceiling: float, steadiness: float, nats: float) -> bool:
    """The forward test of a probe: `usual` and `ceiling` are the events that they would have shown by now."""
    found = fixed(events, usual, ceiling, steadiness)
    return log_sum([found.relative, found.absolute]) >= nats


def stakes(signal: Signal, rate: float, ceiling: float, busy_day: float, room: float) -> tuple[float, int]:
    """What to add to the thresholds, and the most that may be done. `room`: bad events a day until AWS looks at the account."""
    excess = max(0.0, rate - ceiling) * busy_day
    if excess > _BIG * room:
        return math.log(STRICTER), Level.CORDON
    if excess < _SMALL * room and rate < _PAUSE[signal]:
        return 0.0, Level.THROTTLE
    return 0.0, Level.CORDON
