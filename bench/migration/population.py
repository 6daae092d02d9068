"""Senders for seeded moves: recipients with habits, campaigns and daily mail, and what comes back of each mail, drawn once for
both paths. Rates differ between senders, providers and campaigns, and feedback may be faster or slower than the gates assume."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mailcordon.core.provider import Provider
from mailcordon.guard.delays import Delay, Exponential
from mailcordon.guard.rollouts.evidence import LAWS
from mailcordon.guard.rollouts.nouns import Measure

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

HOUR: Final = 60
DAY: Final = 1440
#: Hours with mail that is of no campaign. Few, since the gates' work grows with the hours.
SENDING: Final = (8, 11, 14, 18)
#: Share of a consumer list, and whether it reports complaints (packages/seslocal/docs/world.md).
PROVIDERS: Final = (
    (Provider.GMAIL, 0.36, False),
    (Provider.MICROSOFT, 0.22, True),
    (Provider.YAHOO, 0.16, True),
    (Provider.APPLE, 0.06, False),
    (Provider.GMX, 0.06, False),
    (Provider.COMCAST, 0.04, True),
    (Provider.OTHER, 0.10, False),
)
HEARD: Final = np.array([heard for _, _, heard in PROVIDERS])
MEASURES: Final = tuple(Measure)
#: Least and greatest usual rate of a sender.
RATES: Final = {
    Measure.UNREPORTED: (0.0, 0.0005),
    Measure.UNDELIVERED: (0.001, 0.012),
    Measure.REFUSED: (0.0, 0.003),
    Measure.SUPPRESSED: (0.0, 0.003),
    Measure.BOUNCED: (0.002, 0.015),
    Measure.DELAYED: (0.003, 0.05),
    Measure.LATE: (0.001, 0.02),
    Measure.COMPLAINED: (0.00005, 0.0006),
    Measure.OPENED: (0.12, 0.45),
}
#: What a recipient does again and again: greylisting hosts and full mailboxes, and who opens mail. Shape of the gamma law.
_HABIT: Final = {Measure.DELAYED: 0.1, Measure.LATE: 0.1, Measure.UNDELIVERED: 0.05, Measure.OPENED: 2.0}
_CAMPAIGN_CV: Final = 0.35  #: as in detection.md 12
_PROVIDER_SIGMA: Final = 0.4


@dataclass(frozen=True, slots=True)
class Mails:
    """Mails of one lane and campaign, or of one hour. Minutes count from the start of the move."""

    lane: int
    batch: str | None
    provider: Ints  #: place in PROVIDERS
    person: Ints
    chance: Floats  #: of the recipient: it is on the new path at a share above 100 x this
    at: Floats
    #: When the event of a measure comes, as a minute; infinity: never. Before the effects of a path.
    when: dict[Measure, Floats]
    age: dict[Measure, Floats]  #: minutes to the event, had there been one
    bad: Floats  #: a draw from 0 to 1 for each mail: a defect hits what is below its share


@dataclass(slots=True)
class Sender:
    """`lanes` lanes; the same chance of each recipient in each lane of it, as the hash of tenant and address gives."""

    seed: int
    lanes: int = 1
    volume: float = 0.0  #: mails a day; 0: drawn, 300 to 20,000
    speed: float = 0.0  #: times the time that the gates assume for feedback; 0: drawn, 0.5 to 2
    rates: dict[Measure, Floats] = field(default_factory=dict[Measure, Floats])  #: by provider
    _random: np.random.Generator = field(init=False)
    _chance: Floats = field(init=False)
    _provider: Ints = field(init=False)
    _habit: dict[Measure, Floats] = field(init=False)
    _gone: Flags = field(init=False)
    _campaign_days: list[tuple[int, ...]] = field(init=False)

    def __post_init__(self) -> None:
        random = self._random = np.random.default_rng([18, self.seed])
        self.volume = self.volume or float(np.exp(random.uniform(np.log(300), np.log(20_000))))
        self.speed = self.speed or float(np.exp(random.uniform(np.log(0.5), np.log(2.0))))
        for measure, (least, most) in RATES.items():
            usual = np.exp(random.uniform(np.log(max(least, 1e-5)), np.log(most)))
            self.rates.setdefault(
                measure, np.minimum(0.9, usual * np.exp(random.normal(0.0, _PROVIDER_SIGMA, len(PROVIDERS))))
            )
        people = max(200, int(2.0 * self.volume))
        self._chance = random.random(people)
        shares = np.array([share for _, share, _ in PROVIDERS])
        self._provider = random.choice(len(PROVIDERS), people, p=shares / shares.sum())
        self._habit = {measure: random.gamma(shape, 1 / shape, people) for measure, shape in _HABIT.items()}
        self._gone = np.zeros(people, dtype=np.bool_)
        self._campaign_days = [
            tuple(int(day) for day in random.choice(7, int(random.integers(2, 6)), replace=False))
            for _ in range(self.lanes)
        ]

    def reference(self) -> dict[Measure, float]:
        """Shares of a week of mail before the move, with its luck."""
        found: dict[Measure, float] = {}
        week = 7 * self.volume
        shares = np.array([share for _, share, _ in PROVIDERS])
        for measure, rates in self.rates.items():
            mean = float((rates * shares).sum())
            of = week * (float((shares * HEARD).sum()) if measure is Measure.COMPLAINED else 1.0)
            found[measure] = float(self._random.poisson(mean * of)) / max(1.0, of)
        return found

    def day(self, day: int) -> list[Mails]:
        """Mail of a day: each lane has mail in some hours, and its campaigns leave within one."""
        found: list[Mails] = []
        each = self.volume / self.lanes
        for lane in range(self.lanes):
            campaign_days = self._campaign_days[lane]
            daily = 0.4 * each
            for hour in SENDING:
                number = int(self._random.poisson(daily / len(SENDING)))
                if number:
                    who = self._random.integers(0, len(self._chance), number)
                    at = day * DAY + hour * HOUR + self._random.random(number) * HOUR
                    found.append(self._mails(lane, None, who, at))
            if day % 7 in campaign_days:
                number = int(0.6 * each * 7 / len(campaign_days))
                who = self._random.choice(len(self._chance), min(number, len(self._chance)), replace=False)
                start = day * DAY + self._random.uniform(8, 17) * HOUR
                at = start + self._random.random(len(who)) * HOUR
                found.append(self._mails(lane, f"c{day}", who, at))
        return found

    def _mails(self, lane: int, batch: str | None, who: Ints, at: Floats) -> Mails:
        who = who[~self._gone[who]]
        at = np.sort(at[: len(who)])
        provider = self._provider[who]
        when: dict[Measure, Floats] = {}
        age: dict[Measure, Floats] = {}
        for measure in MEASURES:
            factor = 1.0 if batch is None else float(self._random.gamma(1 / _CAMPAIGN_CV**2, _CAMPAIGN_CV**2))
            rate = self.rates[measure][provider] * factor
            if measure in self._habit:
                rate = rate * self._habit[measure][who]
            if measure is Measure.COMPLAINED:
                rate = rate * HEARD[provider]
            age[measure] = self._ages(LAWS[measure], len(who))
            when[measure] = np.where(self._random.random(len(who)) < rate, at + age[measure], np.inf)
        # Who bounced or complained is suppressed: no later mail goes there.
        once = np.isfinite(when[Measure.BOUNCED]) | np.isfinite(when[Measure.COMPLAINED])
        self._gone[who[once]] = True
        return Mails(
            lane, batch, provider, who, self._chance[who], at, when, age, self._random.random(len(who))
        )

    def _ages(self, law: Delay, number: int) -> Floats:
        """Minutes from the call to the event."""
        weights = np.array([share for share, _ in law.parts])
        which = self._random.choice(len(weights), number, p=weights / weights.sum())
        found = np.zeros(number)
        for place, (_, part) in enumerate(law.parts):
            of = which == place
            count = int(of.sum())
            if isinstance(part, Exponential):
                found[of] = self._random.exponential(part.mean, count)
            else:
                found[of] = part.median * np.exp(self._random.normal(0.0, part.sigma, count))
        return found * self.speed / 60.0
