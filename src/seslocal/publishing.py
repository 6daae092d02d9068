"""Where events go: through the event destinations of the mail's configuration set into queues, wrapped as SNS
or EventBridge wrap them, past the faults that lose, repeat, delay or disorder them. A topic whose ARN ends in
NAME feeds the queue NAME, which is made when it is first needed."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from seslocal.events import MATCHING, TOPIC_IS_VALID, Document, bus_envelope, sns_envelope
from seslocal.state import Account, ConfigurationSet

SUBJECT = "Amazon SES Email Event Notification"
HELD_BACK = 0.25  # seconds that a reordering fault gathers events for, unless it says otherwise

_encode = msgspec.json.Encoder().encode


def publish(
    account: Account,
    configuration_set: ConfigurationSet | None,
    event: str,
    tenant: str | None,
    build: Callable[[], Document],
) -> None:
    """Publishes one event. `build` is called only when somebody listens. No set, no events."""
    if configuration_set is None:
        return
    matching = MATCHING[event]
    if not any(d.enabled and matching in d.types for d in configuration_set.destinations.values()):
        return
    document = build()
    faults = {fault.kind: fault for fault in account.faults.on_event(event, tenant, configuration_set.name)}
    if "drop_events" in faults:
        return
    times = 2 if "double_events" in faults else 1

    def deliver() -> None:
        for _ in range(times):
            _deliver(account, configuration_set, event, document)

    if "reorder_events" in faults:
        _hold_back(account, faults["reorder_events"].seconds or HELD_BACK, deliver)
    elif "delay_events" in faults:
        account.clock.call_later(faults["delay_events"].seconds, deliver)
    else:
        deliver()


def to_bus(account: Account, kind: str, resource: str, detail: Document) -> None:
    """Puts an event onto the default bus; with no rule to catch it, it is gone."""
    if account.bus_queue is None:
        return
    envelope = bus_envelope(
        detail, kind, resource, account.region, account.id, account.clock.now(), account.ids.uuid()
    )
    account.queues.ensure(account.bus_queue).put(_encode(envelope).decode())


def announce_topic(account: Account, topic: str) -> None:
    """The plain text that SES sends through a topic to see whether it may."""
    _to_topic(account, topic, TOPIC_IS_VALID, None)


def _deliver(account: Account, configuration_set: ConfigurationSet, event: str, document: Document) -> None:
    matching = MATCHING[event]
    text: str | None = None
    for destination in tuple(configuration_set.destinations.values()):
        if not destination.enabled or matching not in destination.types:
            continue
        if destination.topic is not None:
            text = text or _encode(document).decode()
            _to_topic(account, destination.topic, text, SUBJECT)
        elif destination.bus:
            to_bus(account, event, document["mail"]["sourceArn"], document)


def _to_topic(account: Account, topic: str, text: str, subject: str | None) -> None:
    name = topic.rpartition(":")[2]
    body = text
    if name not in account.raw_topics:
        envelope = sns_envelope(text, topic, account.region, account.clock.now(), account.ids.uuid(), subject)
        body = _encode(envelope).decode()
    account.queues.ensure(name).put(body)


def _hold_back(account: Account, seconds: float, deliver: Callable[[], None]) -> None:
    """Gathers events and lets them go last first."""
    account.held_back.append(deliver)
    if len(account.held_back) > 1:
        return

    def release() -> None:
        gathered = account.held_back[::-1]
        account.held_back.clear()
        for deliver in gathered:
            deliver()

    account.clock.call_later(seconds, release)
