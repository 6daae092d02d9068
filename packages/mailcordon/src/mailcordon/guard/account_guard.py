"""Which lanes to slow when the whole account comes near the line where AWS reviews it (detection.md 8).

AWS reviews an account at 5 % hard bounces or 0.1 % complaints and pauses at 10 % and 0.5 % (ses.md 5). The account belongs to
everybody, so the marketing lanes that bring most of what is too much are slowed first, until what is left would keep the account
below half of the line. Urgent and transactional mail is never slowed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailcordon.core.priority import Class
from mailcordon.guard.delays import Signal

REVIEW = {Signal.BOUNCES: 0.05, Signal.COMPLAINTS: 0.001}  #: rates at which AWS reviews an account
PAUSE = {Signal.BOUNCES: 0.10, Signal.COMPLAINTS: 0.005}  #: and may pause it
#: The highest rates that are accepted as healthy (detection.md 6).
CEILING = {
    Signal.BOUNCES: {Class.URGENT: 0.03, Class.TRANSACTIONAL: 0.03, Class.MARKETING: 0.025},
    Signal.COMPLAINTS: {Class.URGENT: 0.001, Class.TRANSACTIONAL: 0.001, Class.MARKETING: 0.001},
}
NEAR = 0.8  #: of the line; below `OVER` of it the account has room again
OVER = 0.5
LEAST_MAILS = 1_000  #: of the account in the window; a rate of fewer says nothing
MOST_LANES = 10  #: slowed at a time
LEAST_EVENTS = 5  #: of a lane that is slowed
LEAST_SHARE = 0.1  #: of what is too much in the account


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneShare:
    """What a lane sent in the window, and what came back of it."""

    lane: int
    class_: Class
    mails: int
    events: int

    def excess(self, signal: Signal) -> float:
        """Events above what is accepted of its class."""
        return max(0.0, self.events - CEILING[signal][self.class_] * self.mails)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slowed:
    lane: int
    signal: Signal
    share: float  #: of what is too much in the account
    rate: float  #: the account's


def in_danger(signal: Signal, mails: int, events: int, *, probation: bool, before: bool) -> bool:
    """Whether the account must be guarded. `before`: it was a moment ago; it has to fall below half of the line to be over."""
    if mails < LEAST_MAILS:
        return probation and before
    rate = events / mails
    line = REVIEW[signal]
    return rate >= line * (OVER if before or probation else NEAR)


def slowed(
    signal: Signal, lanes: Sequence[LaneShare], *, probation: bool = False, before: bool = False
) -> tuple[Slowed, ...]:
    """The marketing lanes to slow, the worst first: so many that the account without half of their excess has room again."""
    mails = sum(lane.mails for lane in lanes)
    events = sum(lane.events for lane in lanes)
    if not in_danger(signal, mails, events, probation=probation, before=before):
        return ()
    total = sum(lane.excess(signal) for lane in lanes)
    worst = sorted(
        (
            lane
            for lane in lanes
            if lane.class_ is Class.MARKETING
            and lane.excess(signal) >= max(1.0, LEAST_SHARE * total)
            and lane.events >= LEAST_EVENTS
        ),
        key=lambda lane: (-lane.excess(signal), lane.lane),
    )
    found: list[Slowed] = []
    left = float(events)
    for lane in worst[:MOST_LANES]:
        if left <= OVER * REVIEW[signal] * mails:
            break
        found.append(
            Slowed(lane=lane.lane, signal=signal, share=lane.excess(signal) / total, rate=events / mails)
        )
        left -= lane.excess(signal)
    return tuple(found)


def room(mails: Mapping[Signal, int], events: Mapping[Signal, int]) -> dict[Signal, float] | None:
    """Bad events a day that the account can still have below half of AWS's review line (detection.md 8). None: it sent too
    little to tell."""
    if min(mails[signal] for signal in REVIEW) < LEAST_MAILS:
        return None
    return {signal: max(0.0, OVER * REVIEW[signal] * mails[signal] - events[signal]) for signal in REVIEW}
