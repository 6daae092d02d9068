"""What each tenant costs, beside the risk it carries. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailcordon.control.advice import DAYS, Volume
from mailcordon.control.advice.prices import Prices

EVENTS_PER_MAIL = 2.5  #: Send, Delivery, and an open or click on some


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """A tenant as it sends now."""

    slug: str
    volume: Volume  #: of the last `DAYS` days
    managed_mails: int  #: of these, from managed pools
    ses_tenants: int
    sets: int  #: of its own
    domains: int
    addresses: float  #: standard addresses, its part of each pool by mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    slug: str
    mails: int
    monthly: float  #: as far as prices are known
    per_thousand: float | None  #: None: it sent nothing
    bad_share: float  #: of its mail
    risk: float  #: its share of the platform's bad mail over its share of the mail; 1: as all others


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    lines: tuple[Line, ...]  #: the riskiest first
    unknown: tuple[str, ...]  #: prices that the file does not have: left out of all lines
    unchecked: tuple[str, ...] = ()  #: prices in some line that nobody looked up


def weigh(senders: Sequence[Sender], prices: Prices) -> Fleet:
    mails = sum(one.volume.sent for one in senders)
    bad = sum(one.volume.bad for one in senders)
    pays_fee = [one for one in senders if one.managed_mails]
    unknown: set[str] = set()
    used: set[str] = set()
    lines = [_line(one, prices, mails, bad, len(pays_fee), unknown, used) for one in senders]
    lines.sort(key=lambda line: (-line.risk * line.mails, line.slug))
    return Fleet(lines=tuple(lines), unknown=tuple(sorted(unknown)), unchecked=prices.not_looked_up(used))


def _line(
    one: Sender, prices: Prices, mails: int, bad: int, pay_fee: int, unknown: set[str], used: set[str]
) -> Line:
    month = 30 / DAYS
    amounts: Mapping[str, float] = {
        "thousand_mails.mail": one.volume.sent * month / 1_000,
        "thousand_mails.managed_ips": one.managed_mails * month / 1_000,
        "million.events": one.volume.sent * month * EVENTS_PER_MAIL / 1_000_000,
        "month.ses_tenant": float(one.ses_tenants),
        "month.configuration_set": float(one.sets),
        "month.identity": float(one.domains),
        "month.standard_ip": one.addresses,
        "month.managed_pools": 1 / pay_fee if one.managed_mails else 0.0,
    }
    monthly = 0.0
    for name, amount in amounts.items():
        price = prices.get(name)
        if price is None and amount:
            unknown.add(name)
        if amount:
            used.add(name)
        monthly += (price or 0.0) * amount
    sent = one.volume.sent
    share_of_bad = one.volume.bad / bad if bad else 0.0
    return Line(
        slug=one.slug,
        mails=sent,
        monthly=round(monthly, 2),
        per_thousand=round(monthly / (sent * month) * 1_000, 3) if sent else None,
        bad_share=one.volume.bad / sent if sent else 0.0,
        risk=share_of_bad / (sent / mails) if sent and mails else 0.0,
    )
