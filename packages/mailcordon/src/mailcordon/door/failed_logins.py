"""Logins that failed, by client address: after some, an address waits before its next one. Pure; time is passed in."""

from collections.abc import Hashable
from dataclasses import dataclass

ALLOWED = 10  #: failures in a row; an application with an old key in its settings tries a few times
PERIOD = 600.0  #: seconds after which a failure is forgotten
_MOST = 10_000  #: addresses that are remembered; beyond it, the oldest are forgotten


@dataclass(slots=True)
class _Failures:
    count: float
    at: float


class FailedLogins:
    """Of one process."""

    def __init__(self) -> None:
        self._of: dict[Hashable, _Failures] = {}

    def wait(self, address: Hashable, now: float) -> float:
        """Seconds until this address may try again; 0 if it may now."""
        return max(0.0, self._count(address, now) - ALLOWED + 1) * PERIOD / ALLOWED

    def fail(self, address: Hashable, now: float) -> int:
        """Notes a failure. Returns how many there are."""
        count = self._count(address, now) + 1
        self._of.pop(address, None)
        if len(self._of) >= _MOST:
            del self._of[next(iter(self._of))]
        self._of[address] = _Failures(count, now)
        return round(count)

    def succeed(self, address: Hashable) -> None:
        self._of.pop(address, None)

    def _count(self, address: Hashable, now: float) -> float:
        """One failure is forgotten in each tenth of the period."""
        found = self._of.get(address)
        return 0.0 if found is None else max(0.0, found.count - (now - found.at) * ALLOWED / PERIOD)
