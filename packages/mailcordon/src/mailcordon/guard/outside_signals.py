"""What follows of what others say of our mail (detection.md 16.7): an incident, and at most mail is slowed.

No mail is held for it: it names no campaign and no list, and what it is about has left.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mailcordon.core.outside_signal import OutsideSignal, Source, Trust
from mailcordon.core.provider import Provider

#: Google's guidelines for senders ask for a spam rate below 0.1 %, and never 0.3 % or more.
HIGH_RATE = 0.001
TOO_HIGH_RATE = 0.003
FRESH_DAYS = 7  #: how long a day's figure counts; Gmail's come one to two days late
#: Mail through SES that fails DMARC fails by our fault. Of few mails it can be a list that changes them.
FAILING_SHARE = 0.05
LEAST_FAILING = 10  #: mails, in the days that count
SLOWED_TO = 0.5  #: of the usual mail of a day


class Level(StrEnum):
    """The order is that of how bad it is."""

    FINE = "fine"
    NOTED = "noted"  #: it would be bad, and its trust is too low for anything to follow
    BAD = "bad"  #: an incident
    SLOW = "slow"  #: an incident, and mail of the domain to the provider is slowed


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the latest signals of a source say of a domain."""

    source: Source
    domain: str
    provider: Provider | None  #: None: of all reporters
    level: Level
    rate: float
    day: int  #: of the latest signal, in UTC days since 1970
    since: int  #: the first day of the latest days that were all as bad
    trust: Trust
    bad: int | None = None
    of: int | None = None
    reporters: tuple[str, ...] = ()


def standings(signals: Iterable[OutsideSignal], today: int) -> Sequence[Standing]:
    """Of each domain with signals that count on the day `today`, in the order of source, domain and provider."""
    of_rates: dict[tuple[str, int], list[OutsideSignal]] = defaultdict(list)
    of_reports: dict[str, list[OutsideSignal]] = defaultdict(list)
    for one in signals:
        if not is_fresh(one.day, today):
            continue
        if one.source is Source.DMARC:
            of_reports[one.domain].append(one)
        elif one.provider is not None:
            of_rates[one.domain, int(one.provider)].append(one)
    return [
        *(_of_reports(found) for _, found in sorted(of_reports.items())),
        *(_of_rate(found) for _, found in sorted(of_rates.items())),
    ]


def is_fresh(day: int, today: int) -> bool:
    """Not of the future either: a wrong date would count for years."""
    return today - FRESH_DAYS <= day <= today


def _of_rate(found: Sequence[OutsideSignal]) -> Standing:
    """The latest day decides. Of a rate at which mail is slowed, the other days say since when."""
    days = sorted(found, key=lambda one: one.day, reverse=True)
    last = days[0]
    level = _level_of_rate(last)
    since = last.day
    for one in days:
        if level is Level.FINE or one.rate < HIGH_RATE:
            break
        since = one.day
    return Standing(
        source=last.source,
        domain=last.domain,
        provider=last.provider,
        level=level,
        rate=last.rate,
        day=last.day,
        since=since,
        trust=last.trust,
    )


def _level_of_rate(one: OutsideSignal) -> Level:
    if one.rate < HIGH_RATE:
        return Level.FINE
    if one.trust is Trust.LOW:
        return Level.NOTED
    return Level.SLOW if one.rate >= TOO_HIGH_RATE and one.trust is Trust.HIGH else Level.BAD


def _of_reports(found: Sequence[OutsideSignal]) -> Standing:
    """All reports of the days that count, added up. Those of low trust count only if there are no others."""
    believed = [one for one in found if one.trust is not Trust.LOW] or list(found)
    bad, of = sum(one.bad or 0 for one in believed), sum(one.of or 0 for one in believed)
    rate = bad / of if of else 0.0
    level = Level.FINE
    if bad >= LEAST_FAILING and rate >= FAILING_SHARE:
        level = Level.NOTED if believed[0].trust is Trust.LOW else Level.BAD
    failing = [one for one in believed if one.bad]
    return Standing(
        source=Source.DMARC,
        domain=believed[0].domain,
        provider=None,
        level=level,
        rate=rate,
        day=max(one.day for one in believed),
        since=min(one.day for one in failing or believed),
        trust=believed[0].trust,
        bad=bad,
        of=of,
        reporters=tuple(sorted({one.reporter for one in failing})),
    )


def cap(sent: int, days: int) -> int | None:
    """Mails a day to the provider while it is slowed. `sent`: in the last week up to the signal's day, on `days` days with mail.
    None: there was none, and nothing to slow."""
    return None if days <= 0 or sent <= 0 else max(1, math.floor(SLOWED_TO * sent / days))
