"""How many calls the reading of an account takes, and how long. Pure.

Every management call is allowed about once a second (ses.md 3.5); BatchGetMetricData is allowed 16 times, with 10 queries each
(ses.md 8.3), and is called at half of that. CloudWatch allows more: its calls go at the same pace.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

QUERIES = 10  #: of one BatchGetMetricData
METRICS = ("SEND", "PERMANENT_BOUNCE", "COMPLAINT")
METRIC_CALLS = "BatchGetMetricData"
STATISTICS = "GetSendStatistics"  #: of SES v1: the account's own counts of two weeks
WATCH_CALLS = "GetMetricData"  #: of CloudWatch
WATCH_LIST = "ListMetrics"  #: of CloudWatch
SERIES_OF_A_CALL = 500  #: of one GetMetricData, as CloudWatch allows
FAST = frozenset({METRIC_CALLS, WATCH_CALLS, WATCH_LIST})
METRIC_RATE = 8.0  #: calls a second of these
PROVIDERS = (
    "Gmail",
    "Yahoo",
    "Microsoft",
    "Apple",
    "AOL",
    "GMX",
    "WEB_DE",
    "Orange",
    "Comcast",
    "UNKNOWN_ISP",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Calls that are still to be made, by operation."""

    calls: Mapping[str, int] = field(default_factory=dict[str, int])

    def without(self, done: Mapping[str, int]) -> "Forecast":
        """What is left when these calls need not be made."""
        left = {name: max(0, number - done.get(name, 0)) for name, number in self.calls.items()}
        return Forecast(calls={name: number for name, number in left.items() if number})

    @property
    def number(self) -> int:
        return sum(self.calls.values())

    def seconds(self, per_second: float | None) -> float:
        """`per_second` None: the local SES, where no call waits."""
        if per_second is None:
            return 0.0
        fast = sum(self.calls.get(name, 0) for name in FAST)
        return (self.number - fast) / per_second + fast / METRIC_RATE


def of(
    *,
    identities: int,
    sets: int,
    tenants: int,
    unowned: int | None = None,
    vdm: bool = True,
    watch_calls: int = 0,
) -> Forecast:
    """The most that can follow once the lists are known. `unowned`: identities and sets that do not belong to exactly one tenant,
    whose mail is counted by themselves; None: before that is known, all if there are no SES tenants, else none."""
    calls = {
        "GetEmailIdentity": identities,
        "GetConfigurationSet": sets,
        "GetConfigurationSetEventDestinations": sets,
        "GetTenant": tenants,
        "ListTenantResources": tenants,
    }
    if unowned is None:
        unowned = 0 if tenants else identities + sets
    calls[STATISTICS] = 1
    if vdm:
        # Those with mail are asked for once more, by mailbox provider.
        series = 1 + len(PROVIDERS) + (tenants + unowned) * (1 + len(PROVIDERS))
        calls[METRIC_CALLS] = math.ceil(series * len(METRICS) / QUERIES)
    calls[WATCH_CALLS] = watch_calls
    return Forecast(calls={name: number for name, number in calls.items() if number})
