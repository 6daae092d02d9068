"""Admin calls that lease and return dedicated IPs. At AWS, support does that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.admin import fields, messages
from seslocal.admin.fields import Json, Query, Refused
from seslocal.state.account import Account
from seslocal.state.dedicated_ips import DEFAULT_POOL, MOST_IPS, DedicatedIp, TooFewIps


def show(account: Account, query: Query, body: Json) -> Json:
    """Returns all leased IPs; those of managed pools with what they are warm for."""
    ips = account.dedicated_ips
    return {"ips": [_shown(account, ip) for ip in ips.by_ip.values()]}


def lease(account: Account, query: Query, body: Json) -> Json:
    fields.allow_only(body, "count", "pool")
    count = int(fields.number(body, "count", 1, 1, MOST_IPS))
    pool = fields.text(body, "pool") or DEFAULT_POOL
    if not account.dedicated_ips.knows(pool):
        raise Refused(404, messages.no_such("dedicated IP pool", pool))
    try:
        ips = account.dedicated_ips.lease(count, pool, account.clock.now())
    except TooFewIps as error:
        raise Refused(400, messages.too_few_ips(MOST_IPS, error.free)) from None
    return {"ips": ips, "pool": pool}


def release(account: Account, ip: str, query: Query, body: Json) -> Json:
    if not account.dedicated_ips.release(ip):
        raise Refused(404, messages.not_leased(ip))
    return {}


def _shown(account: Account, ip: DedicatedIp) -> Json:
    ips, now = account.dedicated_ips, account.clock.now()
    shown: Json = {"ip": ip.ip, "pool": ip.pool}
    if not ips.is_managed(ip.pool):
        return {**shown, "percentage": ips.percentage(ip, now)}
    providers: Json = {}
    for (address, provider), warmth in ips.warm_ups.by_ip.items():
        if address == ip.ip:
            warmth.move(now, ips.warm_ups.rules)
            providers[provider] = {
                "warm_for": round(warmth.warm_for, 1),
                "share": round(warmth.share, 4),
                "wanted_today": warmth.demand,
                "sent_today": warmth.used,
            }
    return {**shown, "providers": providers}


ROUTES: Final[tuple[tuple[str, str, Callable[..., Json]], ...]] = (
    ("GET", r"/dedicated-ips", show),
    ("POST", r"/dedicated-ips", lease),
    ("DELETE", r"/dedicated-ips/([^/]+)", release),
)
