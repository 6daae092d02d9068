"""What each tenant costs, beside the risk it carries. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailcordon.control.advice import DAYS, Volume
from mailcordon.control.advice.prices import Prices

EVENTS_PER_MAIL = 2.5  #: Send, Delivery, and an open or click on some
_MONTH = 30 / DAYS  #: of the days that are counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What costs something."""

    volume: Volume  #: of the last `DAYS` days
    managed_mails: int  #: of these, from managed pools
    ses_tenants: int
    sets: int  #: of its own
    domains: int
    addresses: float  #: standard addresses, its part of each pool by mail


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    slug: str
    uses: Uses


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """All tenants together."""

    at_ms: int  #: when they were counted
    tenants: int
    payers: int  #: that send from managed pools
    uses: Uses


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
    """Some lines of the list, and what is said of all of it."""

    lines: tuple[Line, ...]
    unknown: tuple[str, ...]  #: prices that the file does not have: left out of all lines
    unchecked: tuple[str, ...]  #: prices in some line that nobody looked up


def weigh(senders: Sequence[Sender], counted: Counted, prices: Prices) -> Fleet:
    """In the order of `senders`."""
    used = [name for name, amount in _amounts(counted.uses, 1.0).items() if amount]
    return Fleet(
        lines=tuple(_line(one, counted, prices) for one in senders),
        unknown=tuple(sorted(name for name in used if prices.get(name) is None)),
        unchecked=prices.not_looked_up(used),
    )


def _amounts(uses: Uses, fee: float) -> Mapping[str, float]:
    """How much of each price a month. `fee`: the part of the fee of managed pools."""
    return {
        "thousand_mails.mail": uses.volume.sent * _MONTH / 1_000,
        "thousand_mails.managed_ips": uses.managed_mails * _MONTH / 1_000,
        "million.events": uses.volume.sent * _MONTH * EVENTS_PER_MAIL / 1_000_000,
        "month.ses_tenant": float(uses.ses_tenants),
        "month.configuration_set": float(uses.sets),
        "month.identity": float(uses.domains),
        "month.standard_ip": uses.addresses,
        "month.managed_pools": fee if uses.managed_mails else 0.0,
    }


def _line(one: Sender, counted: Counted, prices: Prices) -> Line:
    amounts = _amounts(one.uses, 1 / max(1, counted.payers))
    monthly = sum((prices.get(name) or 0.0) * amount for name, amount in amounts.items())
    sent, bad, whole = one.uses.volume.sent, one.uses.volume.bad, counted.uses.volume
    share_of_bad = bad / whole.bad if whole.bad else 0.0
    return Line(
        slug=one.slug,
        mails=sent,
        monthly=round(monthly, 2),
        per_thousand=round(monthly / (sent * _MONTH) * 1_000, 3) if sent else None,
        bad_share=bad / sent if sent else 0.0,
        risk=share_of_bad / (sent / whole.sent) if sent else 0.0,
    )
