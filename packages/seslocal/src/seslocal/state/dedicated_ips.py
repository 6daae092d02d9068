"""The IP addresses that mail leaves from: dedicated ones with their pools and warm-up, and the shared one (ses.md 7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

SHARED_IP: Final = "192.0.2.25"
DEFAULT_POOL: Final = "ses-default-dedicated-pool"
SHARED_POOL: Final = "ses-shared-pool"
WARM_UP: Final = 45 * 86400.0  # seconds that automatic warm-up takes, whatever the volume


@dataclass(slots=True)
class Pool:
    name: str
    arn: str
    mode: str  #: STANDARD or MANAGED
    tags: dict[str, str]


@dataclass(slots=True)
class DedicatedIp:
    ip: str
    pool: str
    since: float  #: when `percentage` was set
    percentage: int = 0
    warms: bool = True  #: automatically, with time

    def warmed(self, now: float) -> int:
        """Returns the warm-up percentage, 0 to 100."""
        if not self.warms:
            return self.percentage
        return min(100, self.percentage + int((now - self.since) / WARM_UP * 100))


@dataclass(slots=True)
class DedicatedIps:
    """The account's dedicated addresses. Those without a pool are in the default pool."""

    pools: dict[str, Pool] = field(default_factory=dict[str, Pool])
    by_ip: dict[str, DedicatedIp] = field(default_factory=dict[str, DedicatedIp])
    auto_warm_up: bool = True  #: addresses leased later warm up automatically; else they start fully warm
    _turns: dict[str, int] = field(default_factory=dict[str, int])

    def knows(self, pool: str) -> bool:
        return pool in self.pools or pool in (DEFAULT_POOL, SHARED_POOL)

    def is_managed(self, pool: str) -> bool:
        found = self.pools.get(pool)
        return found is not None and found.mode == "MANAGED"

    def outgoing(self, pool: str | None, now: float) -> str:
        """Returns the address that the next mail of this pool leaves from. Mail above the percentage of a warming address
        leaves from the shared one."""
        if not self.by_ip or pool == SHARED_POOL:
            return SHARED_IP
        pool = pool or DEFAULT_POOL
        ips = [ip for ip in self.by_ip.values() if ip.pool == pool]
        if not ips:
            return SHARED_IP
        turn = self._turns[pool] = self._turns.get(pool, -1) + 1
        chosen = ips[turn % len(ips)]
        # Spread evenly: `share` of each hundred turns.
        share, round_ = (100 if self.is_managed(pool) else chosen.warmed(now)), turn // len(ips) % 100
        return chosen.ip if (round_ + 1) * share // 100 > round_ * share // 100 else SHARED_IP
