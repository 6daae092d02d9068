"""The times and bounds of incidents, with their reasons (docs/incidents.md)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Times are milliseconds."""

    quiet_ms: int = 600_000  #: without an alarm of its cause an incident closes: what comes back sooner is the same trouble
    settle_ms: int = (
        30_000  #: without any alarm it counts as mitigated: what comes and goes is not over each time
    )
    reopen_ms: int = 3_600_000  #: the same cause within this time after the close is the same incident
    refresh_ms: int = 10_000  #: between two changes of its text alone: sentences have figures that grow
    seen_ms: int = 30_000  #: between two writes of when its alarms were seen last: all that a crash loses
    #: An alarm that had an incident of its own for so long when a cause that explains it showed has a cause of its own.
    earlier_ms: int = 60_000
    most_open: int = 1_000  #: more are one incident that says how many
    most_alarms: int = 200  #: of one incident that are listed; all are counted
    most_entries: int = 500  #: of a timeline, without what people and alerts add
    most_concerned: int = 1_000  #: tenants of one incident that are listed


#: A developer does not wait ten minutes to see an incident close.
LOCAL = Rules(quiet_ms=5_000, settle_ms=1_000, refresh_ms=1_000, seen_ms=2_000, earlier_ms=5_000)
