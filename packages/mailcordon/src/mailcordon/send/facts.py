"""What a dispatcher and the API know of their own work. Their processes report it (app/heartbeat.py), `status` judges it.

Plain numbers, written where the work is done; nothing here is read back by the data plane. Times are milliseconds since 1970.
"""

from collections import deque
from dataclasses import dataclass, field

from mailcordon.core.clock import host_ms
from mailcordon.core.histogram import Histogram

#: Minutes with accepted calls that are remembered: feedback is judged by them (control/status.py).
MINUTES_KEPT = 30
MINUTE_MS = 60_000
#: Bounds in seconds. SES answers within tenths of a second; the client gives up well below 20 s.
CALL_SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0)
#: From the second in which half of all urgent mail leaves to the hours of a newsletter.
SENT_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 600.0, 3600.0, 21_600.0, 86_400.0)


@dataclass(slots=True)
class DispatchFacts:
    """Of one dispatcher since its start."""

    last_claim: int | None = None  #: the last claim that found mail
    last_success: int | None = None  #: the last call that SES accepted
    claimed: int = 0
    sent: int = 0
    set_aside: int = 0  #: mails that SES refused with an error that we do not know
    clock_corrections: int = 0  #: stamps from the future that were set to now
    last_clock_correction: int | None = None
    #: By claiming loop: why the account's rate gives it nothing; None if it gives.
    because: dict[str, str | None] = field(default_factory=dict[str, "str | None"])
    call_seconds: Histogram = field(default_factory=lambda: Histogram(CALL_SECONDS))
    #: From acceptance to the call that SES accepted, by claiming loop.
    sent_seconds: dict[str, Histogram] = field(
        default_factory=lambda: {loop: Histogram(SENT_SECONDS) for loop in ("urgent", "other")}
    )
    _minutes: deque[int] = field(default_factory=lambda: deque[int](maxlen=MINUTES_KEPT))

    def claim(self, n: int) -> None:
        self.claimed += n
        self.last_claim = host_ms()

    def success(self, called_at: int, accepted_at: int, *, urgent: bool) -> None:
        """SES accepted the call that was made then, of urgent mail or other."""
        self.sent += 1
        self.sent_seconds["urgent" if urgent else "other"].add((called_at - accepted_at) / 1000)
        if self.last_success is None or called_at > self.last_success:
            self.last_success = called_at
        minute = called_at // MINUTE_MS
        if not self._minutes or minute > self._minutes[-1]:
            self._minutes.append(minute)

    def clock_corrected(self) -> None:
        self.clock_corrections += 1
        self.last_clock_correction = host_ms()

    def document(self, *, in_flight: int, stopped: str | None, rejected: int = 0) -> dict[str, object]:
        """`in_flight`: calls on the wire. `stopped`: why this dispatcher has stopped claiming. `rejected`: results of calls that
        the database does not take (send/results.py)."""
        return {
            "last_claim": self.last_claim,
            "last_success": self.last_success,
            "claimed": self.claimed,
            "sent": self.sent,
            "in_flight": in_flight,
            "stopped": stopped,
            "set_aside": self.set_aside,
            "rejected": rejected,
            "clock_corrections": self.clock_corrections,
            "last_clock_correction": self.last_clock_correction,
            "because": next((why for why in self.because.values() if why), None),
            "success_minutes": list(self._minutes),
        }


FULL_MS = 120_000  #: a lane that refused mail for its backlog is reported for so long
MOST_FULL = 50  #: lanes that are reported


@dataclass(slots=True)
class FullLane:
    """A lane that refuses mail, since its backlog is full."""

    since: int
    last: int
    sentence: str
    refused: int = 1


@dataclass(slots=True)
class AcceptFacts:
    """Of one API process since its start."""

    accepted: int = 0  #: deliveries
    last_accepted: int | None = None
    skew_ms: int | None = None  #: the database's clock minus this host's, at the last commit
    _full: dict[int, FullLane] = field(default_factory=dict[int, FullLane])  #: by lane, the last refusal last

    def stored(self, deliveries: int, database_now: int) -> None:
        self.accepted += deliveries
        self.last_accepted = database_now
        self.skew_ms = database_now - host_ms()

    def full(self, lane: int, sentence: str, now: int) -> None:
        """The lane refused a message. `now` by the database's clock."""
        known = self._full.pop(lane, None)
        if known is None or now - known.last > FULL_MS:
            known = FullLane(since=now, last=now, sentence=sentence)
        else:
            known.last, known.sentence = now, sentence
            known.refused += 1
        self._full[lane] = known
        while len(self._full) > MOST_FULL:
            del self._full[next(iter(self._full))]

    def _full_now(self, now: int) -> list[dict[str, object]]:
        self._full = {lane: one for lane, one in self._full.items() if now - one.last <= FULL_MS}
        return [
            {
                "lane": lane,
                "since": one.since,
                "last": one.last,
                "refused": one.refused,
                "sentence": one.sentence,
            }
            for lane, one in self._full.items()
        ]

    def document(self) -> dict[str, object]:
        return {
            "full": self._full_now(host_ms() + (self.skew_ms or 0)),
            "accepted": self.accepted,
            "last_accepted": self.last_accepted,
            "skew_ms": self.skew_ms,
        }
