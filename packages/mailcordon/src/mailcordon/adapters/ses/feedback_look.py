"""Looks at the way of a configuration set's events: its destination at SES, the topic, the subscription and the queue.

One call to SES, in the budget of the control process, and three or four to SNS and SQS. What this login may not read is said.
"""

import asyncio
from collections.abc import Mapping, Sequence

from mailcordon.adapters.ses.event_road import EventRoad
from mailcordon.control import observed
from mailcordon.control.administration import Administration, SesError, Whole
from mailcordon.control.desired import OUTCOME, Kind
from mailcordon.control.work import Work
from mailcordon.core.feedback import Cause, Signal
from mailcordon.messages import proofs as messages
from mailcordon.observe.feedback_watch import Fault, Looked

SECONDS = 15.0  #: for one look; what could not be read in time is said so
_EVENT: Mapping[Signal, str] = {"send": "SEND", "bounce": "BOUNCE", "complaint": "COMPLAINT"}
_CAUSES = {
    "topic": Cause.TOPIC_MISSING,
    "topic-policy": Cause.TOPIC_POLICY,
    "subscription": Cause.SUBSCRIPTION,
    "queue": Cause.QUEUE_MISSING,
    "queue-policy": Cause.QUEUE_POLICY,
}


class FeedbackLook:
    """Implements `observe.feedback_loop.Look`. `topic`: the ARN that destinations should publish to; `queue`: the name of the
    outcome queue."""

    def __init__(self, ses: Administration, road: EventRoad, *, topic: str, queue: str) -> None:
        self._ses = ses
        self._road = road
        self._topic = topic
        self._queue = queue

    async def look(self, configuration_set: str, signal: Signal, now: int) -> Looked:
        try:
            async with asyncio.timeout(SECONDS):
                return await self._look(configuration_set, signal, now)
        except TimeoutError:
            return Looked(at=now, fault=None, queue=self._queue, unread=(messages.not_in_time(),))

    async def _look(self, name: str, signal: Signal, now: int) -> Looked:
        unread: list[str] = []
        fault = None
        try:
            ses = self._ses.doing(Work.URGENT, None)
            fault = destination_fault(name, await ses.get_destinations(name), self._topic, signal)
        except SesError as error:
            unread.append(str(error))
        if fault is not None or signal != "send":  # other events have come the rest of the way
            return Looked(at=now, fault=fault, queue=self._queue, unread=tuple(unread))
        found, not_read = await self._road.faults(name)
        unread += not_read
        for one in found:
            return Looked(
                at=now, fault=Fault(_CAUSES[one.code], one.says), queue=self._queue, unread=tuple(unread)
            )
        waiting, problem = await self._road.waiting()
        if problem is not None:
            unread.append(problem)
        return Looked(at=now, fault=None, queue=self._queue, waiting=waiting, unread=tuple(unread))


def destination_fault(
    name: str, destinations: Sequence[Whole] | None, topic: str, signal: Signal
) -> Fault | None:
    """What keeps a set's events of this kind from its topic, as SES returned its destinations. Pure."""
    if destinations is None:
        return Fault(Cause.SET_MISSING, messages.no_set(name))
    found = next((each for each in destinations if each.get("Name") == OUTCOME), None)
    if found is None:
        return Fault(Cause.DESTINATION_MISSING, messages.no_destination(name))
    members = observed.members(Kind.EVENT_DESTINATION, f"{name}/{OUTCOME}", found)
    if not members["enabled"]:
        return Fault(Cause.DESTINATION_DISABLED, messages.destination_disabled(name))
    if members["topic"] != topic:
        has = members["topic"]
        says = messages.destination_elsewhere(name, None if has is None else str(has), topic)
        return Fault(Cause.DESTINATION_ELSEWHERE, says)
    events = members["events"]
    assert isinstance(events, list)
    if _EVENT[signal] not in events:
        return Fault(Cause.DESTINATION_EVENTS, messages.destination_lacks(name, [_EVENT[signal]]))
    return None
