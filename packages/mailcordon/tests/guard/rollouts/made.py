"""Makes facts of rollouts for the tests of this folder."""

import math
import random
from collections.abc import Callable, Mapping

from mailcordon.guard.rollouts.evidence import LAWS
from mailcordon.guard.rollouts.nouns import Facts, Measure, Side, Standing, State, Stratum

DAY0 = 20_000 * 1440  #: minutes since 1970
GMAIL, MICROSOFT, OTHER = 1, 2, 0
RATES: Mapping[Measure, float] = {
    Measure.UNDELIVERED: 0.006,
    Measure.REFUSED: 0.001,
    Measure.SUPPRESSED: 0.001,
    Measure.BOUNCED: 0.008,
    Measure.DELAYED: 0.015,
    Measure.LATE: 0.01,
    Measure.COMPLAINED: 0.0003,
    Measure.OPENED: 0.25,
}
Defect = Callable[[Measure, int], float | None]  #: the new path's rate at a provider; None: as the old path's


def standing(share: int, hours: float = 0, **more: object) -> Standing:
    """At a share since so many hours before noon of the first day, on a path that is two days old."""
    since = (DAY0 + 720) * 60_000 - round(hours * 3_600_000)
    values: dict[str, object] = {
        "state": State.STANDING if share >= 100 else State.RUNNING,
        "share": share,
        "since": since,
        "first_mail": DAY0 - 2880,
    }
    return Standing(**(values | more))  # type: ignore[arg-type]


def mail(
    share: int,
    *,
    hours: int = 8,
    per_hour: int = 2000,
    defect: Defect | None = None,
    seed: int = 1,
    age: int = 0,
) -> tuple[Stratum, ...]:
    """Mail of the hours before noon, half of it to Gmail, each outcome by chance and what came of it by the laws of delay. `age`:
    minutes more since then."""
    rng = random.Random(seed)
    now = DAY0 + 720 + age
    found: list[Stratum] = []
    for hour in range(hours):
        first = DAY0 + 720 - 60 * (hours - hour)
        for provider, part in ((GMAIL, 0.5), (MICROSOFT, 0.25), (OTHER, 0.25)):
            count = round(per_hour * part)
            new = _some(rng, count, share / 100)
            found.append(
                Stratum(
                    1,
                    provider,
                    None,
                    new=_side(rng, new, first, now, provider, defect),
                    old=_side(rng, count - new, first, now, provider, None),
                )
            )
    return tuple(found)


def _side(rng: random.Random, sent: int, first: int, now: int, provider: int, defect: Defect | None) -> Side:
    if not sent:
        return Side()
    counts: dict[str, int] = {}
    for measure, usual in RATES.items():
        other = None if defect is None else defect(measure, provider)
        rate = usual if other is None else other
        seen = rate * LAWS[measure].mean(60.0 * max(0, now - first - 59), 60.0 * (now - first + 1))
        counts[measure.value] = _some(rng, sent, seen)
    missing = (None if defect is None else defect(Measure.UNREPORTED, provider)) or 0.0
    return Side(
        first=first,
        last=first + 59,
        sent=sent,
        reported=sent - _some(rng, sent, missing),
        heard=0 if provider == GMAIL else sent,
        delivered=sent,
        timed=sent,
        **(counts | ({"complained": 0} if provider == GMAIL else {})),
    )


def _some(rng: random.Random, of: int, rate: float) -> int:
    """How many of so many it happens to."""
    mean = of * rate
    if rate >= 1:
        return of
    if mean > 30:
        return max(0, min(of, round(rng.gauss(mean, math.sqrt(mean * (1 - rate))))))
    count, chance, least = 0, rng.random(), math.exp(-mean)
    while chance > least:
        count, chance = count + 1, chance * rng.random()
    return min(of, count)


def facts(strata: tuple[Stratum, ...] = (), *, age: int = 0, **more: object) -> Facts:
    """At noon of the first day."""
    return Facts(now=(DAY0 + 720 + age) * 60_000, strata=strata, **more)  # type: ignore[arg-type]
