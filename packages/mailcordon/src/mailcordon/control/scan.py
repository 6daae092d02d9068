"""The rolling scan: every resource at SES is read again within a period that follows from how many there are and how many calls
a second SES allows. What the scan costs is measured, since a list shows many resources in one call.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mailcordon.control.call_budget import SHARES, Rates
from mailcordon.control.work import Work

PART = 0.7  #: of the calls, while nothing else waits: the rest is room for what comes in between
SHARED_SECONDS = 60.0  #: between two looks at what all tenants share: its drift concerns everybody
LEAST_SECONDS = 45.0  #: between two looks at any other resource
MOST_SECONDS = (
    86_400.0  #: a row is due again after a day at most; if calls are too few by then, it waits for them
)
QUIET_TIMES = 20  #: so much rarer are the looks at a quiet local SES
CALLS_EACH = 1.2  #: calls a resource, until that is measured
_FEW = 50  #: resources after which the measure counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    rows: int  #: resources of tenants
    shared: int = 0  #: resources that all tenants share


class Scan:
    """`least` is the shortest period; `each` is how many seconds a resource adds to it if calls are not limited, as for the local
    SES."""

    def __init__(
        self,
        rates: Rates,
        *,
        least: float = LEAST_SECONDS,
        shared: float = SHARED_SECONDS,
        each: float = 0.1,
        is_quiet: Callable[[], bool] = lambda: False,
    ) -> None:
        """`is_quiet`: nothing has happened for a while, so that a look finds nothing and can be rarer."""
        self.is_quiet = is_quiet
        self.rates = rates
        self.shared_seconds = shared
        self.size = Size(rows=0)
        self._least = least
        self._each = each
        self._rows = 0
        self._calls = 0

    def looked(self, *, calls: int) -> None:
        """One more resource was read again; `calls` were made for the scan since the start, lists included."""
        self._rows += 1
        self._calls = calls

    @property
    def calls_each(self) -> float:
        """Calls a resource."""
        return self._calls / self._rows if self._rows >= _FEW else CALLS_EACH

    def period(self) -> float:
        """Seconds in which every resource of a tenant is read again while nothing else needs the calls."""
        return self._period(PART)

    def longest_period(self) -> float:
        """The same while every other kind of work uses its whole share."""
        return self._period(SHARES[Work.SCAN] / sum(SHARES.values()))

    def again_in(self, *, shared: bool) -> float:
        """Seconds until a resource that is as it should be is read again."""
        seconds = self.shared_seconds if shared else self.period()
        return min(seconds * (QUIET_TIMES if self.is_quiet() else 1), MOST_SECONDS)

    def _period(self, part: float) -> float:
        if self.rates.per_second is None:
            return max(self._least, self._each * self.size.rows)
        calls = self.rates.per_second * part
        # What all share is read more often, with at most half of the calls.
        left = max(calls - self.calls_each * self.size.shared / self.shared_seconds, calls / 2)
        return max(self._least, self.size.rows * self.calls_each / left)

    def document(self) -> dict[str, object]:
        """What a heartbeat says of the scan (app/heartbeat.py)."""
        return {
            "period_seconds": round(self.period()),
            "longest_period_seconds": round(self.longest_period()),
            "shared_seconds": round(self.shared_seconds),
            "resources": self.size.rows + self.size.shared,
            "calls_each": round(self.calls_each, 2),
        }
