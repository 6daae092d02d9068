"""The rules by which others stop a sender, for comparison with the breaker: in benches, and in a back-test of a policy.

Each is a ratio over a floor in a window of the clock. Events count when they arrive, and are divided by the mail of the same
window: that is how these rules are built. Thresholds of Plunk, PostHog and coss are those of their source or documents, those of
AWS are its review and pause lines (peers.md, section 2). AWS publishes no window ("representative volume"): seven days and a
thousand mails are a stand-in (detection.md, section 12).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mailcordon.guard.delays import Signal

HOUR, DAY, WEEK = 60, 1440, 10080  #: minutes
_SPANS = (HOUR, DAY, WEEK, None)  #: of the windows; None is all time
_EVER = len(_SPANS) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Stops at `share` of the window's mail, or, without one, at `events`."""

    signal: Signal  #: BOUNCES or COMPLAINTS
    minutes: int | None  #: of the window: an hour, a day or a week; None: all time
    share: float | None = None
    mails: int = 0  #: a window with less mail stops nobody
    events: int = 1  #: nor does one with fewer events
    young: bool = False  #: only in the sender's first 30 days


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    name: str  #: a word for columns and JSON
    title: str  #: for people
    stops: str  #: what it stops: tenant, or lane
    lines: tuple[Line, ...]
    hourly: bool = False  #: it looks only on the hour; the others at each event
    of_reporting: bool = False  #: complaints are a share of the mail to providers that return them


def _both(minutes: int | None, bounces: float, complaints: float, mails: int) -> tuple[Line, Line]:
    return (
        Line(signal=Signal.BOUNCES, minutes=minutes, share=bounces, mails=mails),
        Line(signal=Signal.COMPLAINTS, minutes=minutes, share=complaints, mails=mails),
    )


PEERS = (
    Peer(
        name="ses-pause",
        title="SES's pause line",
        stops="tenant",
        lines=_both(WEEK, 0.10, 0.005, 1000),
        of_reporting=True,
    ),
    Peer(
        name="ses-review",
        title="SES's review line, as if it stopped",
        stops="tenant",
        lines=_both(WEEK, 0.05, 0.001, 1000),
        of_reporting=True,
    ),
    Peer(
        name="plunk",
        title="Plunk",
        stops="tenant",
        lines=(
            Line(signal=Signal.BOUNCES, minutes=WEEK, share=0.10, mails=100, events=10),
            Line(signal=Signal.BOUNCES, minutes=None, share=0.08, mails=100, events=10),
            Line(signal=Signal.COMPLAINTS, minutes=WEEK, share=0.0015, mails=100, events=5),
            Line(signal=Signal.COMPLAINTS, minutes=None, share=0.0012, mails=100, events=5),
            Line(signal=Signal.BOUNCES, minutes=DAY, events=25, young=True),
            Line(signal=Signal.BOUNCES, minutes=WEEK, events=50, young=True),
            Line(signal=Signal.COMPLAINTS, minutes=DAY, events=7, young=True),
            Line(signal=Signal.COMPLAINTS, minutes=WEEK, events=20, young=True),
        ),
    ),
    Peer(
        name="posthog",
        title="PostHog",
        stops="lane",
        hourly=True,
        lines=(
            Line(signal=Signal.BOUNCES, minutes=HOUR, share=0.10, mails=200, events=20),
            Line(signal=Signal.BOUNCES, minutes=DAY, share=0.05, mails=1000, events=50),
            Line(signal=Signal.COMPLAINTS, minutes=HOUR, share=0.01, mails=200, events=5),
            Line(signal=Signal.COMPLAINTS, minutes=DAY, share=0.003, mails=1000, events=10),
        ),
    ),
    Peer(name="coss", title="coss.com", stops="tenant", lines=_both(WEEK, 0.08, 0.003, 200)),
    Peer(name="usual", title="5 % over 100", stops="lane", lines=_both(DAY, 0.05, 0.003, 100)),
)


class Stop(NamedTuple):
    peer: Peer
    line: Line
    minute: int
    events: int  #: in the line's window
    mails: int


class Watch:
    """What the peers would do about one sender: a tenant, or a lane for those that stop no more than that (`Peer.stops`).

    A peer that has stopped the sender says nothing more for `rest` minutes: a person looks at it and lets it go on.
    """

    def __init__(
        self, peers: Iterable[Peer] = PEERS, *, first_minute: int | None = None, rest: int = DAY
    ) -> None:
        self._peers = tuple(peers)
        self._first = first_minute
        self._rest = rest
        self._until: dict[str, int] = {}
        self._entries: list[
            tuple[int, int, int, int, int]
        ] = []  # minute, mails, to reporting, bounces, complaints
        self._heads = [0] * _EVER  # of each window, in _entries
        self._sums = [[0, 0, 0, 0] for _ in _SPANS]
        self._last: int | None = None

    def count(
        self, minute: int, mails: int, bounces: int, complaints: int, to_reporting: int | None = None
    ) -> list[Stop]:
        """Adds what was sent and what arrived in a minute, and says who would stop the sender now. Minutes must not decrease.

        `to_reporting`: the mails among `mails` to providers that return complaints; None: all of them.
        """
        if self._first is None:
            self._first = minute
        stops: list[Stop] = []
        if self._last is not None and minute // HOUR > self._last // HOUR:
            # The looks on the hour since the last counts. Between the first and the last of them nothing is new.
            for hour in sorted({self._last // HOUR + 1, minute // HOUR}):
                self._expire(hour * HOUR)
                stops += self._judge(hour * HOUR, hourly=True)
        self._last = minute
        self._expire(minute)
        one = (mails, mails if to_reporting is None else to_reporting, bounces, complaints)
        self._entries.append((minute, *one))
        for sums in self._sums:
            for place, value in enumerate(one):
                sums[place] += value
        if bounces or complaints:
            stops += self._judge(minute, hourly=False)
        return stops

    def _expire(self, minute: int) -> None:
        entries = self._entries
        for place, span in enumerate(_SPANS[:_EVER]):
            sums, head = self._sums[place], self._heads[place]
            while head < len(entries) and entries[head][0] <= minute - (span or 0):
                for column, value in enumerate(entries[head][1:]):
                    sums[column] -= value
                head += 1
            self._heads[place] = head
        gone = min(self._heads)
        if gone > 1000:
            del entries[:gone]
            self._heads = [head - gone for head in self._heads]

    def _judge(self, minute: int, *, hourly: bool) -> list[Stop]:
        stops: list[Stop] = []
        for peer in self._peers:
            if peer.hourly is not hourly or minute < self._until.get(peer.name, minute):
                continue
            for line in peer.lines:
                mails, reporting, bounces, complaints = self._sums[_SPANS.index(line.minutes)]
                events = bounces if line.signal is Signal.BOUNCES else complaints
                base = reporting if peer.of_reporting and line.signal is Signal.COMPLAINTS else mails
                if self._passes(line, minute, events, base):
                    self._until[peer.name] = minute + self._rest
                    stops.append(Stop(peer, line, minute, events, base))
                    break
        return stops

    def _passes(self, line: Line, minute: int, events: int, mails: int) -> bool:
        if line.young and minute - (self._first or 0) >= 30 * DAY:
            return False
        return (
            events >= line.events
            and mails >= line.mails
            and (line.share is None or events >= line.share * mails)
        )


def of(stops: str) -> Sequence[Peer]:
    """The peers that stop a `tenant`, or a `lane`."""
    return tuple(peer for peer in PEERS if peer.stops == stops)
