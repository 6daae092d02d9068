"""The order in which tenants move, and a calendar of 2 to 6 weeks with what drives it. Pure.

The times: a rollout has five steps of two days at least; a new domain begins with a few hundred mails a day and doubles every two
and a half days (the rule of thumb of ses.md 7); a DNS record of somebody else takes a week to come; SES answers a call a second.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from mailcordon.control.assess.account import Account
from mailcordon.control.assess.dangers import Danger
from mailcordon.control.assess.harm import LIMITS
from mailcordon.control.assess.tenants import Portrait, What
from mailcordon.messages import assess as messages

LEAST, MOST = 2, 6  #: weeks
STEPS, STEP_DAYS = 5, 2.0
FIRST_DAY = 200  #: mails that a new domain may begin with
DOUBLES = 2.5  #: days
DNS_DAYS = 7.0
AT_ONCE = 20  #: domains whose owners can be asked in a week by one person
LEAST_DAYS = 0.1  #: what takes less drives nothing
_DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    tenant: str
    why: str  #: pilot, endangers, critical or rest
    says: str
    days: float  #: of its rollout


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    name: str
    number: int
    days: float
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    number: int
    part: str
    tenants: tuple[str, ...]
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    moves: tuple[Move, ...]
    drivers: tuple[Driver, ...]  #: the longest first
    calendar: tuple[Week, ...]
    weeks: int
    too_long: str | None = None

    @property
    def fits(self) -> bool:
        return self.weeks <= MOST


def plan(account: Account, portraits: Sequence[Portrait], dangers: Sequence[Danger]) -> Schedule:
    """Of the tenants that share more than the account, or endanger others."""
    moving = [each for each in portraits if each.endangers or _shares(each)]
    if not moving:
        return Schedule(moves=(), drivers=(), calendar=(), weeks=0)
    moves = _order(moving)
    drivers = _drivers(account, moving, dangers, moves)
    calendar, weeks = _calendar(moves, drivers)
    too_long = messages.too_long(weeks=weeks, most=MOST) if weeks > MOST else None
    return Schedule(moves=moves, drivers=drivers, calendar=calendar, weeks=weeks, too_long=too_long)


def _shares(portrait: Portrait) -> bool:
    return any(share.what not in (What.ACCOUNT, What.ORGANISATION) for share in portrait.shares)


def needs_domain(portrait: Portrait) -> bool:
    """Whether it sends from a domain that others use, or has none."""
    return not portrait.identities or any(share.what is What.IDENTITY for share in portrait.shares)


def _order(moving: Sequence[Portrait]) -> tuple[Move, ...]:
    bad = sorted((each for each in moving if each.endangers), key=_badness)
    healthy = [each for each in moving if not each.endangers]
    pilot = min(healthy, key=_pilot, default=None)
    rest = [each for each in healthy if each is not pilot]
    critical = sorted(
        (each for each in rest if each.critical), key=lambda one: (-len(one.shares), -one.sent, one.slug)
    )
    others = sorted((each for each in rest if not each.critical), key=lambda one: (one.sent, one.slug))
    whys = (("pilot", [pilot] if pilot else []), ("endangers", bad), ("critical", critical), ("rest", others))
    return tuple(
        Move(
            tenant=each.slug,
            why=why,
            says=messages.moves_because(why=why, tenant=each.slug),
            days=_days(each),
        )
        for why, of in whys
        for each in of
    )


def _pilot(portrait: Portrait) -> tuple[bool, bool, int, int, str]:
    """Some mail but little, nothing critical, a domain that it has already."""
    silent = not portrait.sent
    return bool(portrait.critical), silent, needs_domain(portrait), portrait.sent, portrait.slug


def _badness(portrait: Portrait) -> tuple[float, str]:
    harm = portrait.harm
    assert harm is not None
    return -harm.at_least / LIMITS[harm.kind][0], portrait.slug


def _daily(portrait: Portrait) -> int:
    return round(portrait.weekly / 7)


def warm_up_days(daily: int) -> float:
    """Until a new domain sends so much a day."""
    return DOUBLES * math.log2(daily / FIRST_DAY) if daily > FIRST_DAY else 0.0


def _days(portrait: Portrait) -> float:
    steps = STEPS * STEP_DAYS
    return max(steps, warm_up_days(_daily(portrait))) if needs_domain(portrait) else steps


def _drivers(
    account: Account, moving: Sequence[Portrait], dangers: Sequence[Danger], moves: Sequence[Move]
) -> tuple[Driver, ...]:
    slugs = {each.tenant for each in moves}
    new = [each for each in moving if needs_domain(each)]
    broken = {
        each.about
        for each in dangers
        if each.code in ("dkim-off", "mail-from-fallen-back", "identity-unverified")
        and slugs & set(each.tenants)
    }
    types = {lane.type for each in moving for lane in each.lanes}
    entries = sum((account.suppressed or {}).values())
    largest = max((_daily(each) for each in new), default=0)
    found = [
        ("domains", len(new), DNS_DAYS * math.ceil(len(new) / AT_ONCE)),
        ("authentication", len(broken), DNS_DAYS * math.ceil(len(broken) / AT_ONCE)),
        ("types", len(types), float(math.ceil(len(types) / 4))),
        ("suppression", entries, entries / _DAY),
        ("warm-up", largest, warm_up_days(largest)),
        ("steps", STEPS, STEPS * STEP_DAYS),
    ]
    return tuple(
        Driver(
            name=name,
            number=number,
            days=days,
            says=messages.driver(driver=name, number=number, days=days),
        )
        for name, number, days in sorted(found, key=lambda one: (-one[2], one[0]))
        if number and days >= LEAST_DAYS
    )


def _calendar(moves: Sequence[Move], drivers: Sequence[Driver]) -> tuple[tuple[Week, ...], int]:
    """Preparation, the pilot, and each group a week after the one before; DNS work goes on beside."""
    before = {"domains", "authentication", "types", "suppression"}
    work = max((each.days for each in drivers if each.name in before), default=0.0)
    prepared = 1
    weeks: list[Week] = []

    def add(number: int, part: str, tenants: Sequence[str] = ()) -> None:
        says = messages.week(number=number, part=part, tenants=tenants)
        weeks.append(Week(number=number, part=part, tenants=tuple(tenants), says=says))

    add(1, "prepare")
    at, end = prepared, prepared
    for part in ("pilot", "endangers", "critical", "rest"):
        of = [each for each in moves if each.why == part]
        if not of:
            continue
        at += 1
        add(at, part, [each.tenant for each in of])
        end = max(end, at - 1 + math.ceil(max(each.days for each in of) / 7))
    # The last domain's records may come later than the last group begins.
    end = max(end, math.ceil((work + STEPS * STEP_DAYS) / 7), LEAST)
    if end > at:
        growing = [each.tenant for each in moves if each.days > STEPS * STEP_DAYS]
        for number in range(at + 1, min(end, MOST)):
            if growing:
                add(number, "warm-up", growing)
        add(end, "finish")
    return tuple(weeks), end
