"""Mail for the breaker's tests: sends with true rates, whose events come after the usual delays."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

import numpy as np

from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.nouns import Decision, LaneFacts, Slice
from mailcordon.guard.counts import Delta

DAY = 1440
START = 20_000 * DAY
GMAIL, MICROSOFT, YAHOO = int(Provider.GMAIL), int(Provider.MICROSOFT), int(Provider.YAHOO)
PROVIDERS = ((MICROSOFT, 0.6), (YAHOO, 0.4))


def lane(
    number: int = 1,
    class_: Class = Class.MARKETING,
    *,
    labels: Collection[str] = (),
    since: int = START - 100 * DAY,
    sensitivity: float = 1.0,
) -> LaneFacts:
    return LaneFacts(
        lane=number,
        tenant=number,
        type="newsletter",
        class_=class_,
        since=since,
        labels=frozenset(labels),
        sensitivity=sensitivity,
    )


@dataclass
class Post:
    """Sends mail and hands the breaker what became known, minute by minute."""

    breaker: Breaker
    seed: int = 1
    minute: int = START
    decisions: list[Decision] = field(default_factory=list[Decision])
    sent: list[Delta] = field(default_factory=list[Delta])  #: with all that ever came of it

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._coming: dict[int, list[Delta]] = {}

    def send(
        self,
        mails: int,
        *,
        at: int | None = None,
        number: int = 1,
        campaign: str | None = None,
        list_: str | None = None,
        bounces: float = 0.006,
        complaints: float = 0.0003,
        blocks: float = 0.0,
        delay: int = 0,
        only: int | None = None,
    ) -> None:
        """Bounces come in the minute of the call or within the hour, complaints within hours; `delay` minutes are added."""
        minute = self.minute if at is None else at
        for provider, share in PROVIDERS if only is None else ((only, 1.0),):
            count = round(mails * share)
            self._add(minute, Delta(minute, number, campaign, list_, provider, sent=count))
            totals = [0, 0, 0]
            for place, rate in enumerate((bounces, complaints, blocks)):
                totals[place] = int(self._random.binomial(count, rate))
                for _ in range(totals[place]):
                    late = delay + self._late(complaint=place == 1)
                    counts = [0, 0, 0]
                    counts[place] = 1
                    self._add(minute + late, Delta(minute, number, campaign, list_, provider, 0, 0, *counts))
            self.sent.append(Delta(minute, number, campaign, list_, provider, count, 0, *totals))

    def _late(self, *, complaint: bool) -> int:
        if complaint:
            return int(360 * np.exp(1.2 * self._random.normal()))
        return 0 if self._random.random() < 0.85 else int(15 * np.exp(self._random.normal()))

    def _add(self, minute: int, delta: Delta) -> None:
        self._coming.setdefault(minute, []).append(delta)

    def run(self, minutes: int) -> list[Decision]:
        """What is decided in the next minutes."""
        before = len(self.decisions)
        end = self.minute + minutes
        while self.minute < end:
            deltas = self._coming.pop(self.minute, None)
            if deltas:
                self.decisions += self.breaker.observe(self.minute, deltas)
            if self.minute % 10 == 0:
                self.decisions += self.breaker.tick(self.minute)
            self.minute += 1
        return self.decisions[before:]

    def history(self, days: int, *, number: int = 1, mails: int = 3000, bounces: float = 0.006) -> None:
        """A healthy campaign a day, to three lists."""
        for _ in range(days):
            day = (self.minute - START) // DAY
            for part in range(3):
                self.send(
                    mails // 3,
                    at=self.minute + part,
                    number=number,
                    campaign=f"c{day}",
                    list_=f"l{part}",
                    bounces=bounces,
                )
            self.run(DAY)


def permits(breaker: Breaker, minute: int, *parts: Iterable[Slice]) -> list[float]:
    """The shares that may leave of lane 1: of its mail in each of these sets of slices."""
    return [breaker.permit(1, minute, tuple(part)) for part in parts]
