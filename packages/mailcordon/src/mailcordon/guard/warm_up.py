"""Warm-up: how much mail a From domain may send to one mailbox provider on a day, until the provider knows it.

A provider judges a new domain, and new IP addresses, by what it sees of them: a sudden volume looks like spam, and so does a
burst after a silence (ses.md 7). So a day's mail follows a curve. A day on which the budget was used and the provider took the
mail leads to the next step; deferrals and blocks lead back. All of it is computed from the days' counts. A domain that is warm
stays so as long as it sends: its deferrals and blocks are the breaker's business.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from mailcordon.core.provider import Provider
from mailcordon.guard import excess
from mailcordon.guard.policy.effective import WarmUpPolicy

#: A budget of which less was used says little about the next step.
USED = 0.5
#: After so many days without mail the domain is new again: Gmail and others forget senders within a month (ses.md 7).
FORGOTTEN_DAYS = 30
#: What a provider that takes the mail does at most: deferrals and blocks as shares of the mail, and the nats above that count.
DELAYED = 0.05
BLOCKED = 0.01
SLOW_NATS = 3.0
#: A day on which the provider slows the domain down has this share of its budget.
REST_OF_DAY = 0.5


class Verdict(StrEnum):
    """What led to the step of today."""

    FIRST = "first"  #: no mail has left yet
    ADVANCED = "advanced"
    UNUSED = "unused"  #: the last day used less than half of its budget
    SLOWED = "slowed"  #: the provider deferred or blocked the mail
    FORGOTTEN = "forgotten"  #: no mail for a month
    WARM = "warm"  #: the curve is behind it


class Trouble(StrEnum):
    DELAYS = "delays"
    BLOCKS = "blocks"


class Day(NamedTuple):
    """Mail of one UTC day from a domain to a provider. `day` counts from 1970."""

    day: int
    sent: int
    delays: int = 0  #: mails with a delivery delay
    blocks: int = 0  #: bounces, hard or soft, whose reason is spam, reputation or policy


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """Where a domain stands at a provider on a day."""

    day: int  #: UTC, since 1970, for which this holds
    step: int  #: of the curve; 0 is the first, and its length is warm
    of: int  #: steps of the curve
    last_day: int | None = None  #: with mail, before this one
    verdict: Verdict = Verdict.FIRST
    slowed_today: Trouble | None = None  #: trouble of today, which has cut today's budget
    cap: int | None = None  #: mails that may leave today; None: no limit

    @property
    def warm(self) -> bool:
        return self.step >= self.of


def curve(policy: WarmUpPolicy, provider: Provider) -> tuple[int, ...]:
    """Mails a day, from the first day on; () if the policy has no curve for this provider: it needs no warm-up."""
    return policy.steps.get(provider.word, policy.others)


def trouble(day: Day) -> Trouble | None:
    """Whether the provider slowed the domain down that day, and how."""
    found = {
        Trouble.BLOCKS: excess.nats(day.blocks, BLOCKED * day.sent),
        Trouble.DELAYS: excess.nats(day.delays, DELAYED * day.sent),
    }
    worst = max(found, key=found.__getitem__)
    return worst if found[worst] >= SLOW_NATS else None


def begin(day: int, steps: Sequence[int]) -> WarmUp:
    return budget(WarmUp(day=day, step=0, of=len(steps)), steps)


def replay(days: Iterable[Day], today: int, steps: Sequence[int], at: WarmUp | None = None) -> WarmUp:
    """Where the days' counts lead to, in order, from `at` on. Days before `at.day` were seen already, and today's counts may be
    the last. The same whether each day was followed or all are replayed at once."""
    for day in days:
        if day.sent <= 0 or day.day > today or (at is not None and day.day < at.day):
            continue
        if at is None:
            at = begin(day.day, steps)
        if day.day > at.day:
            at = next_day(at, None, day.day, steps)
        at = look(at, day, steps)
        if day.day < today:
            at = next_day(at, day, day.day + 1, steps)
    if at is None:
        return begin(today, steps)
    return next_day(at, None, today, steps) if at.day < today else at


def next_day(at: WarmUp, last: Day | None, day: int, steps: Sequence[int]) -> WarmUp:
    """The standing of a later day. `last`: what left on `at.day`; None or no mail: nothing did."""
    step, verdict, last_day = min(at.step, len(steps)), at.verdict, at.last_day
    if last is not None and last.sent > 0:
        step, verdict = _step_after(step, last, steps)
        last_day = at.day
    if last_day is not None and day - last_day > FORGOTTEN_DAYS:
        step, verdict = 0, Verdict.FORGOTTEN
    if step >= len(steps):
        verdict = Verdict.WARM
    return budget(WarmUp(day=day, step=step, of=len(steps), last_day=last_day, verdict=verdict), steps)


def look(at: WarmUp, today: Day, steps: Sequence[int]) -> WarmUp:
    """Cuts the budget of today if the provider slows the domain down. A cut lasts until the end of the day."""
    if at.slowed_today is not None or at.step >= len(steps):
        return at
    found = trouble(today)
    if found is None:
        return at
    return replace(at, slowed_today=found, cap=max(1, int(REST_OF_DAY * steps[at.step])))


def _step_after(step: int, last: Day, steps: Sequence[int]) -> tuple[int, Verdict]:
    if step >= len(steps):
        return step, Verdict.WARM
    if trouble(last) is not None:
        return max(0, step - 1), Verdict.SLOWED
    # A domain that sent more before its warm-up was watched stands where its volume says.
    step = max(step, bisect_right(steps, last.sent) - 1)
    if last.sent >= USED * steps[step]:
        return step + 1, Verdict.ADVANCED
    return step, Verdict.UNUSED


def budget(at: WarmUp, steps: Sequence[int]) -> WarmUp:
    """With what may leave on its day by a curve, which may be another one than before."""
    step = min(at.step, len(steps))
    return replace(at, step=step, of=len(steps), cap=None if step >= len(steps) else steps[step])
