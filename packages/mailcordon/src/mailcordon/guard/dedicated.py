"""Whether mail should leave from IP addresses of its own: pure, from days' counts.

Two questions decide. Can the mail keep a reputation alone? A mailbox provider judges an address by what it sees of it: it needs
2 to 6 weeks of steady mail to form an opinion, and about 1,000 mails a day and address to keep it (ses.md 7). And does the mail
lose anything on the shared addresses? Those are warm, and only blocks that others cause there end with addresses of its own.
Blocks that a sender causes itself go with it.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from mailcordon.core.provider import Provider
from mailcordon.guard import excess

WINDOW_DAYS = 42  #: that are looked at: providers need at most 6 weeks to form an opinion (ses.md 7)
FEWEST_DAYS = 28  #: of history. Providers need 2 to 6 weeks, and two weeks may be one campaign
FEW = 500  #: mails a day: with "a few hundred" or fewer, stay on shared addresses (ses.md 7)
MINIMUM = 1_000  #: mails a day to a provider from one address that keep its reputation (ses.md 7)
PER_IP = 50_000  #: mails a day that a warm standard address takes (ses.md 7)
WARM_UP_DAYS = 45  #: of a standard address, by time alone (ses.md 7)
#: The share of the mail whose providers must see enough of an address; what is in a pool already leaves it below `STILL_SERVED`.
SERVED = 0.8
STILL_SERVED = 0.5
STEADY = 5 / 7  #: share of the days with mail: working days
SPREAD = (
    3.0  #: busiest week over quietest: beyond it, it is bursts after silence, which look like spam (ses.md 7)
)
SILENCE_DAYS = 7  #: without mail are a silence
BUSY_DAYS = 5  #: of the last 14, with `FEW` mails or more: from such days on a managed pool gets its first address (ses.md 7)
BLOCKED = 0.01  #: share of the mail that a provider blocks at most at senders it likes (guard/warm_up.py)
SURE_NATS = 5.9  #: less than once in 365 by chance


class Choice(StrEnum):
    SHARED = "shared"  #: SES's shared addresses
    MANAGED = "managed"  #: SES leases, scales and warms the addresses
    STANDARD = "standard"  #: leased addresses


class Why(StrEnum):
    """What speaks against dedicated addresses, or against standard ones; at the end what speaks for them."""

    YOUNG = "young"  #: too short a history
    SMALL = "small"  #: too little mail
    OWN_BLOCKS = "own-blocks"  #: providers block it more than others' mail from the same addresses
    SCATTERED = "scattered"  #: most providers would see too little of an address
    BURSTS = "bursts"  #: weeks differ too much, or days are missing
    SILENT = "silent"  #: a week or more without mail
    NOTHING_LOST = "nothing-lost"  #: it could, but loses nothing where it is
    NEIGHBOURS = "neighbours"  #: others cause blocks on the shared addresses that hit this mail
    KEPT = "kept"  #: it is in a pool, and still carries it


class Day(NamedTuple):
    """Mail of one UTC day to a provider. `day` counts from 1970."""

    day: int
    provider: Provider
    sent: int
    blocks: int = 0  #: bounces, hard or soft, whose reason is spam, reputation or policy


class Count(NamedTuple):
    sent: int
    blocks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`days`: of the mail that is decided about. `others`: of the window, the mail of others from the same addresses."""

    today: int  #: which is not over, and does not count
    days: Sequence[Day]
    others: Mapping[Provider, Count] = field(default_factory=dict[Provider, Count])
    pooled: Choice | None = None  #: the kind of the pool that it is in; None: on shared addresses
    minimum: int = MINIMUM


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """What an address would have at one provider."""

    provider: Provider
    share: float  #: of the mail
    per_day: float
    enough: float  #: share of the days on which the provider would see enough of an address
    served: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    choice: Choice
    able: Choice  #: what the mail could carry, whether or not it gains by it
    why: tuple[Why, ...]  #: the weightiest first
    history: int  #: days
    per_day: float
    active: float  #: share of the days with mail
    spread: float  #: busiest week over quietest; infinite if one had none
    silence: int  #: longest run of days without mail
    seats: tuple[Seat, ...]  #: by share
    served: float  #: share of the mail whose providers would see enough
    ips: int  #: standard addresses that its busiest day needs; 0: none
    lost_staying: float  #: mails a day that are blocked because of others on the shared addresses
    cold_going: float  #: mails a day to providers that would not come to know an address


def decide(facts: Facts) -> Decision:
    """The decision for mail of one class of a tenant."""
    first = min((one.day for one in facts.days if one.sent > 0), default=facts.today)
    start = max(first, facts.today - WINDOW_DAYS)
    history = facts.today - start
    window = [one for one in facts.days if start <= one.day < facts.today and one.sent > 0]
    by_day, by_provider = _sums(window)
    total = sum(by_day.values())
    per_day = total / history if history else 0.0
    spread, silence = _spread(by_day, start, facts.today), _silence(by_day, start, facts.today)
    active = len(by_day) / history if history else 0.0
    ips = max(1, math.ceil(max(by_day.values(), default=0) / PER_IP))
    seats = _seats(window, by_provider, total, history, facts.minimum * ips)
    served = sum(seat.share for seat in seats if seat.served)
    own = _own_blocks(by_provider, facts.others)
    lost = 0.0 if own or not history else _lost_to_others(by_provider, facts.others) / history
    against = _against(
        facts,
        history=history,
        per_day=per_day,
        own=own,
        served=served,
        active=active,
        spread=spread,
        silence=silence,
    )
    able = _able(against, by_day, facts)
    choice, why = _choice(facts, able, against, lost)
    return Decision(
        choice=choice,
        able=able,
        why=why,
        history=history,
        per_day=per_day,
        active=active,
        spread=spread,
        silence=silence,
        seats=seats,
        served=served,
        ips=ips if able is Choice.STANDARD else 0,
        lost_staying=lost,
        cold_going=per_day * (1 - served),
    )


def _choice(
    facts: Facts, able: Choice, against: tuple[Why, ...], lost: float
) -> tuple[Choice, tuple[Why, ...]]:
    if able is Choice.SHARED:
        return Choice.SHARED, against
    if facts.pooled is not None:
        return facts.pooled, (Why.KEPT, *against)
    if lost > 0:
        return able, (Why.NEIGHBOURS, *against)
    return Choice.SHARED, (Why.NOTHING_LOST, *against)


def _against(
    facts: Facts,
    *,
    history: int,
    per_day: float,
    own: bool,
    served: float,
    active: float,
    spread: float,
    silence: int,
) -> tuple[Why, ...]:
    found = {
        Why.YOUNG: history < FEWEST_DAYS,
        Why.SMALL: per_day < FEW,
        Why.OWN_BLOCKS: own,
        Why.SCATTERED: served < (SERVED if facts.pooled is None else STILL_SERVED),
        Why.SILENT: silence >= SILENCE_DAYS,
        Why.BURSTS: active < STEADY or spread > SPREAD,
    }
    return tuple(why for why, holds in found.items() if holds)


def _able(against: Sequence[Why], by_day: Mapping[int, int], facts: Facts) -> Choice:
    # What is in a pool stays for its own blocks: it would only take them to where they hit others.
    never = {Why.YOUNG, Why.SMALL} if facts.pooled else {Why.YOUNG, Why.SMALL, Why.OWN_BLOCKS}
    if never & set(against):
        return Choice.SHARED
    if not {Why.SCATTERED, Why.SILENT, Why.BURSTS} & set(against):
        return Choice.STANDARD
    if Why.SILENT in against:
        return Choice.SHARED
    recent = [sent for day, sent in by_day.items() if facts.today - 14 <= day]
    return Choice.MANAGED if sum(sent >= FEW for sent in recent) >= BUSY_DAYS else Choice.SHARED


def _sums(window: Sequence[Day]) -> tuple[dict[int, int], dict[Provider, Count]]:
    by_day: dict[int, int] = defaultdict(int)
    by_provider: dict[Provider, Count] = {}
    for one in window:
        by_day[one.day] += one.sent
        before = by_provider.get(one.provider, Count(0, 0))
        by_provider[one.provider] = Count(before.sent + one.sent, before.blocks + one.blocks)
    return by_day, by_provider


def _seats(
    window: Sequence[Day], by_provider: Mapping[Provider, Count], total: int, history: int, minimum: int
) -> tuple[Seat, ...]:
    enough: dict[Provider, int] = defaultdict(int)
    for one in window:
        enough[one.provider] += one.sent >= minimum
    seats = [
        Seat(
            provider=provider,
            share=count.sent / total,
            per_day=count.sent / history,
            enough=enough[provider] / history,
            # OTHER and UNKNOWN are many providers, of which none sees what all of them get.
            served=enough[provider] / history >= STEADY and provider > Provider.OTHER,
        )
        for provider, count in by_provider.items()
    ]
    return tuple(sorted(seats, key=lambda seat: (-seat.share, seat.provider)))


def _spread(by_day: Mapping[int, int], start: int, today: int) -> float:
    """Of whole weeks, counted back from yesterday."""
    weeks = [sum(by_day.get(day, 0) for day in range(end - 7, end)) for end in range(today, start + 6, -7)]
    if not weeks or max(weeks) == 0:
        return 1.0
    return math.inf if min(weeks) == 0 else max(weeks) / min(weeks)


def _silence(by_day: Mapping[int, int], start: int, today: int) -> int:
    longest = run = 0
    for day in range(start, today):
        run = 0 if day in by_day else run + 1
        longest = max(longest, run)
    return longest


def _own_blocks(own: Mapping[Provider, Count], others: Mapping[Provider, Count]) -> bool:
    """Whether a provider surely blocks this mail more than it blocks others from the same addresses."""
    for provider, count in own.items():
        beside = others.get(provider, Count(0, 0))
        usual = max(BLOCKED, beside.blocks / beside.sent if beside.sent else 0.0)
        if excess.nats(count.blocks, usual * count.sent) >= SURE_NATS:
            return True
    return False


def _lost_to_others(own: Mapping[Provider, Count], others: Mapping[Provider, Count]) -> float:
    """Blocks of the window at providers that surely block the others' mail too much: their share above the usual."""
    lost = 0.0
    for provider, count in own.items():
        beside = others.get(provider, Count(0, 0))
        if excess.nats(beside.blocks, BLOCKED * beside.sent) >= SURE_NATS:
            lost += max(0.0, count.blocks - BLOCKED * count.sent)
    return lost
