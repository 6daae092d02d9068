"""How SES reviews an account: its bounce and complaint rates lead to a review, then to a pause (ses.md 8.1). Pure: times are
passed in, and nothing here reads a clock.

The rates are of a representative volume of mail, not of a fixed time. SES judges from time to time, not at each bounce: what was
counted until the end of an interval is judged there, so the order of counts within an interval changes nothing.

    review = AccountReview()
    review.count(at, mailed=1000, bounced=80, with_loop=400)
    review.status_at(at + 600)  # PROBATION

SES tells its customer by e-mail. It publishes nothing about the account's own status on the event bus; GetAccount shows it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, NamedTuple

HEALTHY: Final = "HEALTHY"
PROBATION: Final = "PROBATION"  #: under review; mail is still sent
SHUTDOWN: Final = "SHUTDOWN"  #: paused
STATUSES: Final = (HEALTHY, PROBATION, SHUTDOWN)
BOUNCE: Final = "BOUNCE"
COMPLAINT: Final = "COMPLAINT"
MOST_HOURS: Final = 10_000  # hours with mail that a volume keeps, more than a year
MOST_CHANGES: Final = 100
_HOUR: Final = 3600
_DAY: Final = 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRules:
    """Shares of mails, numbers of mails, and times. Those without a source are not published by SES and were chosen."""

    bounce_review: float = 0.05  #: ses.md 8.1
    bounce_pause: float = 0.10  #: ses.md 8.1
    complaint_review: float = 0.001  #: ses.md 8.1
    complaint_pause: float = 0.005  #: ses.md 8.1
    minimum: int = (
        1_000  #: mails below which a bounce rate is not judged; chosen: fifty bounces are no accident
    )
    #: mails below which a complaint rate is not judged; chosen: in fewer, four complaints would be a review
    complaint_minimum: int = 5_000
    #: mails that the rates are of, at least; AWS's notice of a pause says "the last 10,192 eligible emails"
    representative: int = 10_000
    #: days that the rates are of, at least: a large sender's typical sending (AWS's FAQ); chosen: a week has all its campaigns
    days: float = 7.0
    #: seconds between two judgements. AWS's printed finding (ses.md 1.7) was written eleven minutes after the end of its counts
    interval: float = 600.0
    review: float = 14 * _DAY  #: seconds that a review lasts; chosen: AWS names no time
    #: number of reviews of one kind of which the last is a pause (AWS's FAQ: "several times for the same issue")
    repeats: int = 3
    pause: float = 0.0  #: seconds that a pause lasts; 0: until it is ended by hand, as AWS's support does


class Change(NamedTuple):
    at: float
    status: str
    cause: str


class Volume:
    """Mails, and how many of them were bad, in the newest hours that make a representative volume."""

    def __init__(self) -> None:
        self._hours: deque[list[int]] = deque()  # [hour, mails, bad]
        self.mails = self.bad = 0
        self.mails_ever = self.bad_ever = 0

    @property
    def rate(self) -> float:
        return self.bad / self.mails if self.mails else 0.0

    def add(self, at: float, mails: int, bad: int) -> None:
        hour = int(at) // _HOUR
        if not self._hours or self._hours[-1][0] < hour:
            self._hours.append([hour, 0, 0])
            if len(self._hours) > MOST_HOURS:
                self._drop()
        last = self._hours[-1]
        last[1] += mails
        last[2] += bad
        self.mails += mails
        self.bad += bad
        self.mails_ever += mails
        self.bad_ever += bad

    def forget(self, at: float, rules: ReviewRules) -> None:
        """Drops hours that are older than the rules' days and not needed for their number of mails."""
        oldest = int(at - rules.days * _DAY) // _HOUR
        while (
            self._hours
            and self._hours[0][0] < oldest
            and self.mails - self._hours[0][1] >= rules.representative
        ):
            self._drop()

    def restart(self, at: float, mails: int = 0, bad: int = 0) -> None:
        """From now on only these mails are known."""
        self._hours.clear()
        self.mails = self.bad = 0
        if mails or bad:
            self.add(at, mails, bad)
            self.mails_ever -= mails
            self.bad_ever -= bad

    @property
    def hours(self) -> list[list[int]]:
        """Hour, mails, bad; for `restore`."""
        return [list(hour) for hour in self._hours]

    def restore(self, hours: list[list[int]], mails_ever: int, bad_ever: int) -> None:
        self._hours = deque(list(hour) for hour in hours)
        self.mails, self.bad = (sum(hour[index] for hour in hours) for index in (1, 2))
        self.mails_ever, self.bad_ever = mails_ever, bad_ever

    def _drop(self) -> None:
        _, mails, bad = self._hours.popleft()
        self.mails -= mails
        self.bad -= bad


class AccountReview:
    """The account's status as SES decides it.

    HEALTHY becomes PROBATION at a rate for review, and SHUTDOWN at a rate for a pause or at the third review for the same. A
    review ends after its time: with SHUTDOWN if the mail since its start still has a rate for review, else with HEALTHY. A pause
    ends by hand or after its time. After either end the rates start anew, from mail that was sent since.
    """

    def __init__(self, rules: ReviewRules | None = None) -> None:
        self.rules = rules or ReviewRules()
        self.status = HEALTHY
        self.kind = ""  #: BOUNCE or COMPLAINT: what the status is about; "": it was set by hand
        self.cause = ""  #: a sentence; "": the status was set by hand
        self.since = 0.0
        self.bounces = Volume()  #: of mail to domains that the account has not verified
        self.complaints = Volume()  #: of mail to providers that report complaints
        self.reviews = {BOUNCE: 0, COMPLAINT: 0}  #: how many there were
        self.changes: deque[Change] = deque(maxlen=MOST_CHANGES)
        self._start = (0, 0)  # mails_ever and bad_ever of its kind when the review began
        self._begun = self._next = 0.0  # start and end of the interval in which counts are added

    @property
    def paused(self) -> bool:
        """SES paused it, because of its rates."""
        return self.status == SHUTDOWN and bool(self.kind)

    def count(
        self, at: float, mailed: int = 0, bounced: int = 0, with_loop: int = 0, complained: int = 0
    ) -> None:
        """Adds recipients: mailed and hard bounced at domains that the account has not verified; mailed and complained at
        providers that report complaints. They are judged at the end of the interval."""
        if not self._begun <= at < self._next:
            self.move(at)
        if mailed or bounced:
            self.bounces.add(at, mailed, bounced)
        if with_loop or complained:
            self.complaints.add(at, with_loop, complained)

    def status_at(self, at: float) -> str:
        """Returns HEALTHY, PROBATION or SHUTDOWN."""
        if not self._begun <= at < self._next:
            self.move(at)
        return self.status

    def move(self, at: float) -> None:
        """Judges what was counted before the interval of `at`, and ends a review or a pause whose time is over."""
        if self._begun <= at < self._next:
            return
        interval = self.rules.interval
        self._judge(min(at, self._next))  # `at` if the clock was set back
        begun = self._begun = at // interval * interval
        self._next = begun + interval
        if self.status == PROBATION and self.kind and begun >= self.since + self.rules.review:
            self._end_review(begun)
        elif self.paused and self.rules.pause and begun >= self.since + self.rules.pause:
            self._restart(begun)
            self._become(begun, HEALTHY, "", "")

    def change_rules(self, at: float, rules: ReviewRules) -> None:
        """What was counted until now is judged by the new rules at the next call."""
        self.move(at)
        self.rules, self._begun, self._next = rules, at, at

    def set_by_hand(self, at: float, status: str) -> None:
        """Does what AWS's support does. A status that it has already is kept as it is."""
        self.move(at)
        if status != self.status:
            if status == HEALTHY:
                self._restart(at)
            self._become(at, status, "", "")

    def snapshot(self) -> dict[str, object]:
        """Returns everything but the rules, for `restore`."""
        return {
            "status": [self.status, self.kind, self.cause, self.since],
            "reviews": self.reviews,
            "changes": [list(change) for change in self.changes],
            "start": list(self._start),
            "interval": [self._begun, self._next],
            "volumes": [[v.hours, v.mails_ever, v.bad_ever] for v in (self.bounces, self.complaints)],
        }

    def restore(
        self,
        status: tuple[str, str, str, float],
        reviews: dict[str, int],
        changes: list[tuple[float, str, str]],
        start: tuple[int, int],
        interval: tuple[float, float],
        volumes: list[tuple[list[list[int]], int, int]],
    ) -> None:
        self.status, self.kind, self.cause, self.since = status
        self.reviews, self._start = {**self.reviews, **reviews}, (start[0], start[1])
        self._begun, self._next = interval
        self.changes = deque((Change(*change) for change in changes), maxlen=MOST_CHANGES)
        for volume, kept in zip((self.bounces, self.complaints), volumes, strict=True):
            volume.restore(*kept)

    def _judge(self, at: float) -> None:
        for kind in (BOUNCE, COMPLAINT):
            volume, minimum, to_review, to_pause = self._measure(kind)
            volume.forget(at, self.rules)
            if self.status == SHUTDOWN or volume.mails < minimum or not volume.bad:
                continue
            if volume.rate >= to_pause:
                self._become(at, SHUTDOWN, kind, _sentence(kind, volume.mails, volume.rate, to_pause))
            elif volume.rate >= to_review and self.status == HEALTHY:
                self._begin_review(at, kind, volume, to_review)

    def _begin_review(self, at: float, kind: str, volume: Volume, limit: float) -> None:
        self.reviews[kind] += 1
        sentence = _sentence(kind, volume.mails, volume.rate, limit)
        if self.reviews[kind] >= self.rules.repeats:
            self._become(at, SHUTDOWN, kind, f"{sentence} It is review number {self.reviews[kind]} for this.")
            return
        self._start = (volume.mails_ever, volume.bad_ever)
        self._become(at, PROBATION, kind, sentence)

    def _end_review(self, at: float) -> None:
        volume, minimum, limit, _ = self._measure(self.kind)
        mails, bad = volume.mails_ever - self._start[0], volume.bad_ever - self._start[1]
        if mails >= minimum and bad / mails >= limit:
            sentence = _sentence(self.kind, mails, bad / mails, limit)
            self._become(at, SHUTDOWN, self.kind, f"{sentence} The review period is over.")
            return
        self._restart(at)
        volume.restart(at, mails, bad)
        self._become(at, HEALTHY, "", "")

    def _measure(self, kind: str) -> tuple[Volume, int, float, float]:
        """Returns the volume, its minimum, and the rates for a review and for a pause."""
        rules = self.rules
        if kind == BOUNCE:
            return self.bounces, rules.minimum, rules.bounce_review, rules.bounce_pause
        return self.complaints, rules.complaint_minimum, rules.complaint_review, rules.complaint_pause

    def _restart(self, at: float) -> None:
        self.bounces.restart(at)
        self.complaints.restart(at)

    def _become(self, at: float, status: str, kind: str, cause: str) -> None:
        self.status, self.kind, self.cause, self.since = status, kind, cause, at
        self.changes.append(Change(at, status, cause))


def _sentence(kind: str, mails: int, rate: float, limit: float) -> str:
    return (
        f"The {kind.lower()} rate is {rate:.2%} of the last {mails:,} eligible mails, and {limit:.1%} or more is too "
        "high."
    )
