"""Findings about a tenant's bounce and complaint rates of the last day. SES does not publish its thresholds (ses.md 1.7);
these are ours, and can be changed. Counts are kept per hour, the comparison is a pure function, and
`sesv2/reputation_monitor.py` acts on it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

WINDOW: Final = 24  # hours
BOUNCE: Final = "BOUNCE"
COMPLAINT: Final = "COMPLAINT"
LOW: Final = "LOW"
HIGH: Final = "HIGH"
#: chosen: people in a world complain now and then, and one complaint in fewer mails would be above 0.1 %
IN_A_WORLD: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """Shares of mails. A rate at or above one is a finding of that impact."""

    minimum: int = 100  #: recipients in the window, below which there are no findings
    #: the same for complaints, of recipients at providers that report them; 0: `minimum`, and in a world IN_A_WORLD
    complaint_minimum: int = 0
    bounce_low: float = 0.05  #: where SES reviews an account (ses.md 8.1)
    bounce_high: float = 0.15  #: of the only HIGH finding in AWS's documentation
    complaint_low: float = 0.001
    complaint_high: float = 0.005

    def in_a_world(self) -> Thresholds:
        """Returns the thresholds for complaints of people in a world."""
        return replace(self, complaint_minimum=self.complaint_minimum or IN_A_WORLD)


@dataclass(slots=True)
class Finding:
    """A finding about a tenant, as ListRecommendations shows it."""

    type: str
    impact: str  #: LOW or HIGH
    description: str
    created: float
    updated: float
    is_open: bool = True
    by_hand: bool = False  #: set by the admin API, and closed only by it


class Counts:
    """Recipients of the last day: mailed, hard bounced, at providers with a feedback loop, and complained."""

    def __init__(self) -> None:
        self._hours: deque[list[int]] = deque()  # [hour, mailed, bounced, with_loop, complained]
        self.mailed = self.bounced = self.with_loop = self.complained = 0

    def add(self, now: float, mailed: int, bounced: int, with_loop: int, complained: int) -> None:
        hour = int(now // 3600)
        last = self._hours[-1] if self._hours else None
        if last is None or last[0] != hour:
            self.forget(now)
            last = [hour, 0, 0, 0, 0]
            self._hours.append(last)
        last[1] += mailed
        last[2] += bounced
        last[3] += with_loop
        last[4] += complained
        self.mailed += mailed
        self.bounced += bounced
        self.with_loop += with_loop
        self.complained += complained

    def forget(self, now: float) -> None:
        """Drops what is older than the window."""
        oldest = int(now // 3600) - WINDOW
        while self._hours and self._hours[0][0] <= oldest:
            _, mailed, bounced, with_loop, complained = self._hours.popleft()
            self.mailed -= mailed
            self.bounced -= bounced
            self.with_loop -= with_loop
            self.complained -= complained

    @property
    def hours(self) -> list[list[int]]:
        """Hour, mailed, bounced, at providers with a feedback loop, complained; for `restore`."""
        return [list(hour) for hour in self._hours]

    def restore(self, hours: list[list[int]]) -> None:
        self._hours = deque(list(hour) for hour in hours)
        self.mailed, self.bounced, self.with_loop, self.complained = (
            sum(hour[index] for hour in hours) for index in range(1, 5)
        )

    @property
    def since(self) -> float:
        """The start of the oldest hour that is counted."""
        return self._hours[0][0] * 3600.0 if self._hours else 0.0


def find_exceeded(counts: Counts, limits: Thresholds) -> dict[str, tuple[str, float]]:
    """Returns type of finding -> its impact and the threshold that the rate exceeds."""
    found: dict[str, tuple[str, float]] = {}
    for kind, part, whole, least, low, high in (
        (BOUNCE, counts.bounced, counts.mailed, limits.minimum, limits.bounce_low, limits.bounce_high),
        (
            COMPLAINT,
            counts.complained,
            counts.with_loop,
            limits.complaint_minimum or limits.minimum,
            limits.complaint_low,
            limits.complaint_high,
        ),
    ):
        if part and whole >= max(1, least) and (rate := part / whole) >= low:
            found[kind] = (HIGH, high) if rate >= high else (LOW, low)
    return found


def find_pausing(policy: str, findings: Iterable[Finding]) -> Finding | None:
    """Returns the open finding for which this reputation policy (standard, strict or none) pauses a tenant (ses.md 1.7)."""
    for finding in findings:
        if finding.is_open and (policy == "strict" or (policy == "standard" and finding.impact == HIGH)):
            return finding
    return None
