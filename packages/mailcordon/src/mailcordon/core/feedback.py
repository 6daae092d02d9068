"""Feedback that is lost or late: nouns (docs/decisions/033-feedback-losses.md)."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

#: The kind of event that does not come. `send`: none at all comes of these mails.
Signal = Literal["send", "bounce", "complaint"]


class Cause(StrEnum):
    """What keeps events from being counted, in the order in which an event meets it."""

    SET_MISSING = "set-missing"
    DESTINATION_MISSING = "destination-missing"
    DESTINATION_DISABLED = "destination-disabled"
    DESTINATION_ELSEWHERE = "destination-elsewhere"
    DESTINATION_EVENTS = "destination-events"
    TOPIC_MISSING = "topic-missing"
    TOPIC_POLICY = "topic-policy"
    SUBSCRIPTION = "subscription"
    QUEUE_MISSING = "queue-missing"
    QUEUE_POLICY = "queue-policy"
    OBSERVER_ABSENT = "observer-absent"
    OBSERVER_STOPPED = "observer-stopped"
    OBSERVER_REFUSED = "observer-refused"
    OBSERVER_STUCK = "observer-stuck"
    BACKLOG = "backlog"
    PROVIDER_SILENT = "provider-silent"
    UNKNOWN = "unknown"


#: The events wait in the queue meanwhile, and count when they are read.
LATE = frozenset(
    {
        Cause.OBSERVER_ABSENT,
        Cause.OBSERVER_STOPPED,
        Cause.OBSERVER_REFUSED,
        Cause.OBSERVER_STUCK,
        Cause.BACKLOG,
    }
)
#: They do not depend on the configuration set: what one set's events meet, all meet.
GENERAL = LATE | {Cause.TOPIC_MISSING, Cause.SUBSCRIPTION, Cause.QUEUE_MISSING, Cause.QUEUE_POLICY}
#: They are about one configuration set.
OF_SET = frozenset(
    {
        Cause.SET_MISSING,
        Cause.DESTINATION_MISSING,
        Cause.DESTINATION_DISABLED,
        Cause.DESTINATION_ELSEWHERE,
        Cause.DESTINATION_EVENTS,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A loss that covers mail of a lane. Times are milliseconds since 1970."""

    lane: int
    loss: int | None  #: its number; None for a tenant's key
    signal: Signal
    provider: int | None  #: core.provider.Provider; None: every provider
    since: int  #: the beginning of the first minute concerned, by the time of the call to SES
    until: int | None  #: the end of the last; None: it lasts
    late: bool  #: the events wait in the queue, and will be counted
