"""Admin calls that lease and return dedicated IPs. At AWS, support does that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from seslocal.admin import fields, messages
from seslocal.admin.fields import Json, Query, Refused
from seslocal.state.account import Account
from seslocal.state.dedicated_ips import DEFAULT_POOL, DedicatedIp

MOST_IPS: Final = 254 * 2
_NETWORKS: Final = ("198.51.100", "203.0.113")  # set aside for examples (RFC 5737)


def lease(account: Account, query: Query, body: Json) -> Json:
    fields.allow_only(body, "count", "pool")
    count = int(fields.number(body, "count", 1, 1, MOST_IPS))
    pool = fields.text(body, "pool") or DEFAULT_POOL
    if not account.dedicated_ips.knows(pool):
        raise Refused(404, messages.no_such("dedicated IP pool", pool))
    by_ip = account.dedicated_ips.by_ip
    free = [ip for net in _NETWORKS for ip in (f"{net}.{host}" for host in range(1, 255)) if ip not in by_ip]
    if count > len(free):
        raise Refused(400, messages.too_few_ips(MOST_IPS, len(free)))
    for ip in free[:count]:
        warms = account.dedicated_ips.auto_warm_up
        by_ip[ip] = DedicatedIp(ip, pool, account.clock.now(), 0 if warms else 100, warms)
    return {"ips": free[:count], "pool": pool}


def release(account: Account, ip: str, query: Query, body: Json) -> Json:
    if account.dedicated_ips.by_ip.pop(ip, None) is None:
        raise Refused(404, messages.not_leased(ip))
    return {}


ROUTES: Final[tuple[tuple[str, str, Callable[..., Json]], ...]] = (
    ("POST", r"/dedicated-ips", lease),
    ("DELETE", r"/dedicated-ips/([^/]+)", release),
)
