"""SES's review of the account: its bounce and complaint rates lead to a review, then to a pause of everybody (ses.md 8.1)."""

from collections import deque
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from mailcordon.guard.account_guard import REVIEW
from mailcordon.guard.delays import Signal

PAUSE: Final = {Signal.BOUNCES: 0.10, Signal.COMPLAINTS: 0.005}
#: Mails below which a rate is not judged, and that rates are of at least: AWS's notices speak of 10,000. Choices.
LEAST: Final = {Signal.BOUNCES: 1_000, Signal.COMPLAINTS: 5_000}
REPRESENTATIVE: Final = 10_000
DAYS: Final = 7  #: that rates are of at least
EVERY: Final = 10  #: minutes between two judgements


class Status(IntEnum):
    HEALTHY = 0
    REVIEW = 1
    PAUSED = 2


@dataclass(frozen=True, slots=True)
class Judged:
    minute: int
    status: Status
    signal: Signal
    rate: float


@dataclass(slots=True)
class Account:
    """Minutes are since 1970. What comes is counted in the hour in which it comes."""

    status: Status = Status.HEALTHY
    changes: list[Judged] = field(default_factory=list[Judged])
    _hours: deque[list[int]] = field(
        default_factory=deque[list[int]]
    )  #: hour, mails, reporting, bounces, complaints
    _judged: int = 0

    def count(self, minute: int, mails: int, reporting: int, bounces: int, complaints: int) -> None:
        """`reporting`: of the mails, those to providers that report complaints."""
        hour = minute // 60
        if not self._hours or self._hours[-1][0] < hour:
            self._hours.append([hour, 0, 0, 0, 0])
        for place, count in enumerate((mails, reporting, bounces, complaints), 1):
            self._hours[-1][place] += count

    def judge(self, minute: int) -> None:
        """A pause lasts: only AWS's support ends it."""
        if minute // EVERY == self._judged or self.status is Status.PAUSED:
            return
        self._judged = minute // EVERY
        oldest = minute // 60 - DAYS * 24
        while len(self._hours) > 1 and self._hours[0][0] < oldest:
            if sum(one[1] for one in self._hours) - self._hours[0][1] < REPRESENTATIVE:
                break
            self._hours.popleft()
        mails, reporting, bounces, complaints = (
            sum(one[place] for one in self._hours) for place in (1, 2, 3, 4)
        )
        for signal, bad, of in ((Signal.BOUNCES, bounces, mails), (Signal.COMPLAINTS, complaints, reporting)):
            rate = bad / of if of else 0.0
            if mails < LEAST[signal]:
                continue
            status = (
                Status.PAUSED
                if rate >= PAUSE[signal]
                else Status.REVIEW
                if rate >= REVIEW[signal]
                else Status.HEALTHY
            )
            if status > self.status:
                self.status = status
                self.changes.append(Judged(minute, status, signal, rate))
