"""The state of the installation as numbers, for metrics (adapters/prometheus, docs/machine-metrics.md)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mailcordon.control.status_facts import Facts
from mailcordon.core.priority import Class


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMail:
    """Accepted deliveries of a lane that have not ended, or of all other lanes of a class."""

    tenant: str
    type: str
    class_: Class
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LastHour:
    """What is known of the mail that a lane, or all others, handed to SES in the last full hour."""

    tenant: str
    type: str
    outcomes: Mapping[str, int]  #: by column of core.cohort


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenHolds:
    owner: str
    stops: bool  #: false: they slow
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncidents:
    kind: str
    severity: str
    count: int
    since: int  #: of the oldest, milliseconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentTimes:
    """Of incidents that were opened in the last 30 days: median and 95th percentile. None: of none is it known."""

    kind: str
    identify_ms: Sequence[float] | None
    mitigate_ms: Sequence[float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingMessages:
    """What waits for a webhook, or for all others."""

    name: str
    waiting: int  #: counted up to a bound for each
    oldest: int | None  #: when the oldest of these happened, milliseconds since 1970; None: nothing waits


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    facts: Facts
    lanes: Sequence[QueuedMail]
    waiting: Mapping[str, int]  #: by send.moves.Why in words, counted up to a bound
    holds: Sequence[OpenHolds]
    incidents: Sequence[OpenIncidents]
    times: Sequence[IncidentTimes]
    last_hour: Sequence[LastHour]
    webhooks: Sequence[WaitingMessages]


class StateReader(Protocol):
    async def state(self) -> State:
        """Raises Unavailable while the database cannot be reached or does not answer in time."""
        ...
