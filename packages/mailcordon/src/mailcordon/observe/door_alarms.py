"""The alarm of a door: SNS said that the subscription of our address to a topic of the settings was cancelled."""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass

from mailcordon.core.incident import Alarm, Kind, Scope, ScopeKind
from mailcordon.messages import event_doors as messages

#: How long it shows. Whoever moves a topic's events to a queue and keeps the topic in the settings ends it by that.
SHOWN_MS = 7 * 86_400_000


@dataclass(frozen=True, slots=True)
class Subscription:
    """What is known of the subscription of our address to a topic. Times are SNS's, in milliseconds since 1970."""

    topic: str
    confirmed_at: int | None
    ended_at: int | None
    last_at: int | None  #: of a message that came

    @property
    def is_cancelled(self) -> bool:
        """A later confirmation takes it back, and so does a message: somebody subscribed us again without asking us."""
        lived_at = max(self.confirmed_at or 0, self.last_at or 0)
        return self.ended_at is not None and self.ended_at > lived_at


def alarms(found: Iterable[Subscription], *, topics: Set[str], cell: str, now: int) -> Sequence[Alarm]:
    """`topics`: those of the settings. `now`: milliseconds since 1970."""
    return [
        Alarm(
            key=f"subscription:{one.topic}",
            kind=Kind.FEEDBACK_LOST,
            cause=f"topic:{one.topic}",
            severity="high",
            scope=Scope(kind=ScopeKind.CELL, name=cell),
            sentence=messages.subscription_ended(topic=one.topic, at=one.ended_at),
            next=messages.subscription_ended_next(topic=one.topic),
            command=messages.subscribe_command(topic=one.topic),
            since=one.ended_at,
            culprit=messages.subscription_culprit(topic=one.topic),
        )
        for one in found
        if one.topic in topics
        and one.is_cancelled
        and one.ended_at is not None
        and now - one.ended_at < SHOWN_MS
    ]
