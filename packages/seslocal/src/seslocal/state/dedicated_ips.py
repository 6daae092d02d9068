"""The IP addresses that mail leaves from: dedicated ones with their pools and warm-up, and the shared one (ses.md 7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from seslocal.state.managed_pools import PoolDemand, WarmUps, wanted_ips

SHARED_IP: Final = "192.0.2.25"
DEFAULT_POOL: Final = "ses-default-dedicated-pool"
SHARED_POOL: Final = "ses-shared-pool"
WARM_UP: Final = 45 * 86400.0  # seconds that automatic warm-up takes, whatever the volume
MOST_IPS: Final = 254 * 2
_NETWORKS: Final = ("198.51.100", "203.0.113")  # set aside for examples (RFC 5737)
_DAY: Final = 86400
_FORGOTTEN: Final = (
    30 * _DAY
)  # seconds without enough mail after which providers do not know an IP any more (ses.md 7)


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
    day: int = 0  #: the last day on which mail was chosen for it
    carried: int = 0  #: mails that left from it on that day
    busy_at: float = 0.0  #: the last day, in seconds, on which it carried enough for providers to know it

    def warmed(self, now: float) -> int:
        """Returns the warm-up percentage, 0 to 100."""
        if not self.warms:
            return self.percentage
        return min(100, self.percentage + int((now - self.since) / WARM_UP * 100))


class Outgoing(NamedTuple):
    """What a mail leaves from."""

    ip: str
    pool: str  #: SHARED_POOL if it is the shared IP, whatever pool the mail asked for


SHARED: Final = Outgoing(SHARED_IP, SHARED_POOL)


class TooFewIps(Exception):
    """Fewer IPs are free than were asked for."""

    def __init__(self, free: int) -> None:
        super().__init__(f"{free} IPs are free")
        self.free = free


@dataclass(slots=True)
class DedicatedIps:
    """The account's dedicated addresses. Those without a pool are in the default pool."""

    pools: dict[str, Pool] = field(default_factory=dict[str, Pool])
    by_ip: dict[str, DedicatedIp] = field(default_factory=dict[str, DedicatedIp])
    auto_warm_up: bool = True  #: addresses leased later warm up automatically; else they start fully warm
    warm_ups: WarmUps = field(default_factory=WarmUps)  #: of managed pools
    demands: dict[str, PoolDemand] = field(default_factory=dict[str, PoolDemand])  #: by managed pool
    _turns: dict[str, int] = field(default_factory=dict[str, int])
    _members: dict[str, list[DedicatedIp]] = field(default_factory=dict[str, list[DedicatedIp]])  # by pool

    def knows(self, pool: str) -> bool:
        return pool in self.pools or pool in (DEFAULT_POOL, SHARED_POOL)

    def is_managed(self, pool: str) -> bool:
        found = self.pools.get(pool)
        return found is not None and found.mode == "MANAGED"

    def lease(self, count: int, pool: str, at: float) -> list[str]:
        """Adds IPs to a pool and returns them. Raises TooFewIps, and then adds none."""
        free = [
            ip
            for net in _NETWORKS
            for ip in (f"{net}.{host}" for host in range(1, 255))
            if ip not in self.by_ip
        ]
        if count > len(free):
            raise TooFewIps(len(free))
        self._members.clear()
        for ip in free[:count]:
            self.by_ip[ip] = DedicatedIp(
                ip, pool, at, 0 if self.auto_warm_up else 100, self.auto_warm_up, busy_at=at
            )
        return free[:count]

    def move(self, ip: DedicatedIp, pool: str) -> None:
        """Puts a leased IP into another pool."""
        self._members.clear()
        ip.pool = pool

    def release(self, ip: str) -> bool:
        """Returns an IP. False: it is not leased."""
        self._members.clear()
        self.warm_ups.forget(ip)
        return self.by_ip.pop(ip, None) is not None

    def choose(self, pool: str | None, provider: str, chances: tuple[float, float], at: float) -> Outgoing:
        """Returns what a mail of this pool to this mailbox provider leaves from, and counts the mail.

        It depends on the mails of earlier minutes and days, and on the mail's own `chances`, two uniform numbers in [0, 1): not
        on the order of mails within a minute. Without `pool` the default pool is used if it has IPs.

        An IP of a standard pool carries its warm-up percentage of the mail, and one of a managed pool what it is warm for at this
        provider. The rest leaves from a warm IP of the same standard pool, if there is one, else from the shared IPs.
        """
        name = pool or DEFAULT_POOL
        if name == SHARED_POOL:
            return SHARED
        managed = self.is_managed(name)
        if managed:
            self._scale(name, at)
        ips = self._members.get(name)
        if ips is None:
            ips = self._members[name] = [ip for ip in self.by_ip.values() if ip.pool == name]
        if not ips:
            return SHARED
        pick, chance = chances
        chosen = ips[int(pick * len(ips))]
        if managed:
            leaves = self.warm_ups.takes(chosen.ip, provider, chance, at)
            return Outgoing(chosen.ip, name) if leaves else SHARED
        percentage = self._wanted(chosen, at)
        if chance * 100 >= percentage:
            warm = [ip for ip in ips if self.percentage(ip, at) == 100]
            if not warm:
                return SHARED
            # what is left of the chance is uniform too
            chosen = warm[int((chance * 100 - percentage) / (100 - percentage) * len(warm))]
        self._carry(chosen, at)
        return Outgoing(chosen.ip, name)

    def percentage(self, ip: DedicatedIp, at: float) -> int:
        """Returns the warm-up percentage of an IP of a standard pool, 0 to 100."""
        return 0 if self._is_forgotten(ip, at) else ip.warmed(at)

    def outgoing(self, pool: str | None, now: float) -> str:
        """Returns the address that the next mail of this pool leaves from, in turn: if there is no world. Mail above the
        percentage of a warming address leaves from the shared one."""
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

    def _is_forgotten(self, ip: DedicatedIp, at: float) -> bool:
        return self.warm_ups.rules.cool_standard and at - max(ip.busy_at, ip.since) > _FORGOTTEN

    def _wanted(self, ip: DedicatedIp, at: float) -> int:
        """Returns the percentage of an IP that mail asks for. One that providers have forgotten begins to warm up again."""
        if self._is_forgotten(ip, at):
            ip.percentage, ip.since, ip.warms = 0, at // 60 * 60, True
        return ip.warmed(at)

    def _carry(self, ip: DedicatedIp, at: float) -> None:
        day = int(at) // _DAY
        if day != ip.day:
            ip.day, ip.carried = day, 0
        ip.carried += 1
        if ip.carried >= self.warm_ups.rules.first:
            ip.busy_at = float(day * _DAY)

    def _scale(self, pool: str, at: float) -> None:
        """Counts a mail of a managed pool; on a new day it may get an IP or give one back."""
        demand = self.demands.get(pool)
        if demand is None:
            demand = self.demands[pool] = PoolDemand(at)
        if not demand.count(at):
            return
        have = [ip.ip for ip in self.by_ip.values() if ip.pool == pool]
        wanted = wanted_ips(demand.demands, len(have), self.warm_ups.rules)
        if wanted > len(have) and len(self.by_ip) < MOST_IPS:
            self.lease(1, pool, at)
        for ip in have[wanted:]:
            self.release(ip)
