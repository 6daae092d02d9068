"""What a channel is told of an incident next. Pure.

Each round compares the incident as it is with what the channel was told, so nothing is lost with a process, and whatever happened
in between is one message: the present. A message that could not be delivered gives way to what is true now.
"""

from collections.abc import Iterable

from mailcordon.core.incident import SEVERITIES, Severity
from mailcordon.observe.alerts.nouns import Channel, Incident, Thread, What

_SECOND, _MINUTE, _HOUR = 1_000, 60_000, 3_600_000
#: Until nobody's acknowledgement is asked for again, from the message before.
REMIND_AFTER = (15 * _MINUTE, _HOUR, 4 * _HOUR, 24 * _HOUR)
#: Until a message that did not arrive is sent again.
RETRY_AFTER = (5 * _SECOND, 20 * _SECOND, _MINUTE, 3 * _MINUTE, 10 * _MINUTE, 30 * _MINUTE)
#: That an incident is over is tried this often, for about a day. What is still open is tried for as long as it is.
MOST_TRIES_WHEN_OVER = 50
SKIPPED_AFTER = (
    5 * _MINUTE
)  #: until a message that could not go this way, as its lane is in trouble, is tried again
MOST_NEW = 30  #: incidents that one channel is told of in `NEW_WINDOW`; the others wait, the worst first
NEW_WINDOW = 10 * _MINUTE
OWN_CAUSE = "alert-channel:"  #: the cause of the incident that a channel does not work; it is not told of it


def next_message(incident: Incident, channel: Channel, thread: Thread | None, now: int) -> What | None:
    """What the channel is to be told now, or None."""
    thread = thread or Thread()
    wanted = wants(channel, incident)
    told = thread.told_severity
    if told is None:
        return What.OPENED if wanted and incident.closed_at is None else None
    if incident.closed_at is not None:
        return None if thread.told_closed else What.CLOSED
    if thread.told_closed:
        return What.REOPENED if wanted else None
    if is_worse(incident.severity, told):
        return What.WORSENED
    if incident.acknowledged_at is not None:
        return None if thread.told_acknowledged else What.ACKNOWLEDGED
    if incident.culprit is not None and not thread.told_culprit:
        return What.IDENTIFIED
    return What.REMINDER if thread.remind_at is not None and now >= thread.remind_at else None


def new_ones(candidates: Iterable[tuple[Severity, int]], lately: int) -> set[int]:
    """The incidents that a channel is told of for the first time. `candidates`: severity and id; `lately`: how many were told."""
    in_order = sorted(candidates, key=lambda one: (SEVERITIES.index(one[0]), one[1]))
    return {id for _, id in in_order[: max(0, MOST_NEW - lately)]}


def wants(channel: Channel, incident: Incident) -> bool:
    if incident.cause == OWN_CAUSE + channel.name:
        return False
    if SEVERITIES.index(incident.severity) > SEVERITIES.index(channel.least):
        return False
    if channel.kinds and incident.kind not in channel.kinds:
        return False
    return not channel.tenants or bool(channel.tenants & concerned(incident))


def concerned(incident: Incident) -> frozenset[int]:
    """The tenants that an incident is about."""
    own = frozenset[int]() if incident.tenant is None else frozenset({incident.tenant})
    return incident.concerned | own


def is_worse(one: Severity, than: Severity) -> bool:
    return SEVERITIES.index(one) < SEVERITIES.index(than)


def after_sent(thread: Thread, what: What, incident: Incident, now: int) -> Thread:
    """The thread once a message has arrived."""
    if what in (What.OPENED, What.REOPENED, What.WORSENED):
        reminders, remind_at = 0, now + REMIND_AFTER[0]
    elif what is What.REMINDER:
        reminders = thread.reminders + 1
        remind_at = now + REMIND_AFTER[min(reminders, len(REMIND_AFTER) - 1)]
    else:
        reminders, remind_at = thread.reminders, thread.remind_at
    return Thread(
        told_severity=incident.severity,
        told_culprit=incident.culprit is not None,
        told_acknowledged=incident.acknowledged_at is not None,
        told_closed=what is What.CLOSED,
        reminders=reminders,
        remind_at=remind_at,
    )


def retry_at(tries: int, now: int, asked: int | None = None) -> int:
    """When a message is sent again that failed `tries` times. `asked`: seconds that the receiver asked to wait."""
    wait = RETRY_AFTER[min(tries, len(RETRY_AFTER)) - 1]
    return now + max(wait, (asked or 0) * 1_000)


def is_given_up(what: What, tries: int) -> bool:
    return what is What.CLOSED and tries >= MOST_TRIES_WHEN_OVER
