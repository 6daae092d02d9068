"""Lanes with known rates, to count how often healthy ones raise an alarm (docs/decisions/043-rate-alarms.md has longer runs)."""

import math
import random
from dataclasses import dataclass

from mailcordon.core.priority import Class
from mailcordon.guard.delays import DEFAULTS, Exponential, Signal
from mailcordon.observe import rate_alarms
from mailcordon.observe.rate_alarms import Cell, LaneMail

DAY = 1440
START = 18_750 * DAY  #: minutes since 1970
#: Mean and coefficient of variation of lanes' rates, and the variation of one lane's campaigns (detection.md 6).
LANES = {Signal.BOUNCES: (0.008, 0.9), Signal.COMPLAINTS: (0.0003, 1.0)}
CAMPAIGNS = 0.35


@dataclass(frozen=True)
class Lane:
    """A marketing lane: one campaign a day at a random minute, 2,000 mails a minute, each day's to a list of its own."""

    signal: Signal
    a_day: int
    days: int
    rate: float | None = None  #: of every campaign; None: drawn, and no campaign above the ceiling

    def alarms(self, rng: random.Random) -> int:
        """Judged after each minute in which feedback came. After an alarm the lane rests for a day."""
        limit = rate_alarms.ceiling(self.signal, Class.MARKETING)
        mean = self.rate or _drawn(rng, *LANES[self.signal], most=0.8 * limit)
        mails: list[tuple[int, int, int]] = []  # minute, number, campaign
        events: list[tuple[int, int]] = []  # minute, index of the mails
        for day in range(self.days):
            rate = self.rate or min(limit, _gamma(rng, mean, CAMPAIGNS))
            at = day * DAY + rng.randrange(DAY)
            for first in range(0, self.a_day, 2_000):
                number = min(2_000, self.a_day - first)
                for _ in range(_bad(rng, number, rate)):
                    events.append((int(at + rng.random() + _delay(rng, self.signal)), len(mails)))
                mails.append((at, number, day))
                at += 1
        seen = [0] * len(mails)
        raised, rests_until, oldest = 0, 0, 0
        events.sort()
        for n, (minute, index) in enumerate(events):
            seen[index] += 1
            now = minute + 1
            if now > self.days * DAY:
                break
            if now < rests_until or (n + 1 < len(events) and events[n + 1][0] == minute):
                continue
            while mails[oldest][0] < now - rate_alarms.WINDOW[self.signal]:
                oldest += 1
            taken = [(*mails[n], seen[n]) for n in range(oldest, len(mails)) if mails[n][0] < now]
            if rate_alarms.judge(_mail(taken), self.signal, (START + now) * 60_000):
                raised += 1
                rests_until = now + DAY
        return raised


def _mail(taken: list[tuple[int, int, int, int]]) -> LaneMail:
    def cell(span: int, minute: int, number: int, bad: int, name: str | None) -> Cell:
        start = START + minute - minute % span
        return Cell(
            start=start, span=span, sent=number, bounced=bad, complained=bad, campaign=name, list=name
        )

    return LaneMail(
        lane=1,
        class_=Class.MARKETING,
        whole=[cell(10, minute, number, bad, None) for minute, number, _, bad in taken],
        parts=[cell(60, minute, number, bad, str(day)) for minute, number, day, bad in taken],
    )


def _gamma(rng: random.Random, mean: float, variation: float) -> float:
    shape = variation**-2
    return rng.gammavariate(shape, mean / shape)


def _drawn(rng: random.Random, mean: float, variation: float, *, most: float) -> float:
    while True:
        if (rate := _gamma(rng, mean, variation)) <= most:
            return rate


def _bad(rng: random.Random, number: int, rate: float) -> int:
    """How many of so many mails: by the gaps between them."""
    bad, at, log = 0, -1, math.log1p(-rate)
    while (at := at + 1 + int(math.log(1.0 - rng.random()) / log)) < number:
        bad += 1
    return bad


def _delay(rng: random.Random, signal: Signal) -> float:
    """Minutes."""
    parts = DEFAULTS[signal].parts
    law = rng.choices([law for _, law in parts], [share for share, _ in parts])[0]
    if isinstance(law, Exponential):
        return rng.expovariate(1 / law.mean) / 60
    return law.median * math.exp(rng.gauss(0, law.sigma)) / 60
