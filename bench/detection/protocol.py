"""What a detector is told, and what it answers. Detectors of other makers that keep to this can be judged too."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NamedTuple, NotRequired, Protocol, TypedDict

#: The order is that of the columns in `Row`.
SIGNALS = ("hard_bounces", "complaints", "delays", "spam_blocks", "opens")
LEVELS = ("warn", "throttle", "cordon")  #: from the mildest
DAY = 1440  #: minutes
YEAR = 365 * DAY

Level = Literal["warn", "throttle", "cordon"]


class Row(NamedTuple):
    """Counts of one tenant, message type, provider, campaign and list in one minute. `sent` counts the mails of that minute and
    `delivered` those of them that will neither hard-bounce nor be blocked; the others count events that arrived in it."""

    minute: int
    tenant: str
    message_type: str
    provider: str
    campaign: str
    list_id: str
    sent: int
    delivered: int
    hard_bounces: int
    complaints: int
    delays: int
    spam_blocks: int
    opens: int
    cohorts: Mapping[str, Sequence[tuple[int, int]]]  #: by signal: (minute of the mail, events)


class Decision(TypedDict):
    tenant: str
    level: Level
    message_type: NotRequired[str | None]  #: None: all of the tenant's
    provider: NotRequired[str | None]  #: None: the whole lane
    cause: NotRequired[Sequence[Sequence[str]]]  #: ranked: (campaign | list | provider | lane, value)
    #: What is stopped, if it is only a part of the lane: ("campaign", "t0-c3"). For the report of fleets over the ceiling.
    part: NotRequired[Sequence[str] | None]
    over_the_ceiling: NotRequired[bool]
    pool: NotRequired[str]  #: the label of the new tenants that were judged together
    signal: NotRequired[str]
    evidence: NotRequired[Any]


class Detector(Protocol):
    """May have a `permit` too (`Permits`), for scenarios in which its decisions have effect."""

    def observe(self, minute: int, rows: Sequence[Row]) -> Sequence[Decision] | None:
        """Called in order, for minutes with mail or events."""
        ...


class Permits(Protocol):
    def permit(self, tenant: str, message_type: str, minute: int) -> float:
        """The share of the mail planned for this minute that may leave, 0 to 1. The rest is lost, not queued."""
        ...


#: Makes a detector for one run. `config` has `minute_zero`, `signals`, `providers` ({name, fbl: returns complaints}),
#: `message_types`, `budgets`, and `labels` if the scenario gives some: those of each tenant, by its name.
Factory = Callable[[Mapping[str, Any]], Detector]
