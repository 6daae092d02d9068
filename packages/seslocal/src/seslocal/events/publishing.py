"""Publishes events: applies the faults that drop, double, delay or reorder them or take their tags, then delivers to the event
destinations of the mail's configuration set: SNS topics, the event bus, Firehose streams and CloudWatch. A topic NAME that was
not created through SNS feeds the queue NAME, which is created on first use; one created through SNS has its subscriptions."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec

from seslocal.events import firehose, http_subscribers
from seslocal.events.certificate import sign
from seslocal.events.documents import (
    TOPIC_IS_VALID,
    Document,
    bus_envelope,
    event_document,
    recommendation,
    rendering_failure,
    sns_envelope,
    subscription,
)
from seslocal.events.texts import sns_text
from seslocal.iam import resource_policies
from seslocal.iam.resource_policies import SES, SNS
from seslocal.state.accepted_mail import Mail
from seslocal.state.account import Account
from seslocal.state.configuration_sets import MATCHING, ConfigurationSet
from seslocal.state.contacts import Preferences
from seslocal.state.queues import Queue
from seslocal.state.topics import Subscription, Topic

SUBJECT = "Amazon SES Email Event Notification"
HELD_BACK = 0.25  # seconds for which a reordering fault gathers events by default

_encode = msgspec.json.Encoder().encode


def publish(
    account: Account,
    configuration_set: ConfigurationSet | None,
    event: str,
    mail: Mail,
    build: Callable[[], Document],
) -> None:
    """Publishes one event. Calls `build` only if a destination matches. Without a set nothing is published."""
    account.events.log.add(event, mail.message_id, account.clock.now(), build)
    if configuration_set is None:
        return
    matching = MATCHING[event]
    for destination in configuration_set.destinations.values():
        if destination.enabled and matching in destination.types:
            break
    else:
        return
    document = build()
    if not account.faults.active:
        _deliver(account, configuration_set, event, document)
        return
    faults = {
        fault.kind: fault for fault in account.faults.on_event(event, mail.tenant, configuration_set.name)
    }
    if "drop_events" in faults:
        return
    if "untagged_events" in faults:
        document = _without_tags(document)
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


def _without_tags(document: Document) -> Document:
    """With the tags that SES sets itself, as if the mail had been sent without any. Shared parts are not changed."""
    mail = document["mail"]
    tags = {name: value for name, value in mail["tags"].items() if name.startswith("ses:")}
    return {**document, "mail": {**mail, "tags": tags}}


def publish_to_bus(account: Account, kind: str, resource: str, detail: Document) -> None:
    """Publishes to the default bus. Without a rule for it, the event is dropped."""
    if (queue := account.events.bus_queue) is not None:
        at = account.clock.now() + account.faults.skew()
        put_on_queue(account, queue, kind, [resource], detail, at)


def put_on_queue(
    account: Account, queue: str, kind: str, resources: list[str], detail: Document, at: float
) -> None:
    """Puts an event on the queue that a rule of the default bus feeds."""
    envelope = bus_envelope(detail, kind, resources, account.region, account.id, at, account.ids.uuid())
    account.queues.ensure(queue).put(_encode(envelope).decode())


def publish_recommendation(
    account: Account,
    resource: str,
    sentence: str,
    impact: str | None = None,
    kind: str | None = None,
    *,
    is_open: bool = True,
) -> None:
    """Publishes on the bus that an advisor's recommendation about this ARN was opened or resolved."""
    word = "Open" if is_open else "Resolved"
    publish_to_bus(
        account, f"Advisor Recommendation Status {word}", resource, recommendation(sentence, impact, kind)
    )


def rendering_failed(
    account: Account, configuration_set: ConfigurationSet | None, mail: Mail, template: str, sentence: str
) -> None:
    """Publishes that a template could not be rendered."""
    body = rendering_failure(template, sentence)
    _publish_event(account, configuration_set, mail, "Rendering Failure", body)


def preferences_changed(
    account: Account,
    configuration_set: ConfigurationSet | None,
    mail: Mail,
    contact_list: str,
    source: str,
    old: Preferences,
    new: Preferences,
) -> None:
    """Publishes that a recipient changed preferences through a mail's unsubscribe link."""
    at = account.clock.now() + account.faults.skew()
    body = subscription(contact_list, source, at, old, new)
    _publish_event(account, configuration_set, mail, "Subscription", body)


def send_validation_message(account: Account, topic: str) -> None:
    """Publishes the plain text with which SES validates a topic."""
    publish_to_topic(account, topic, TOPIC_IS_VALID, None)


def publish_to_topic(
    account: Account, arn: str, text: str, subject: str | None, *, source: str | None = None
) -> str:
    """Publishes to all confirmed subscribers. Returns the MessageId.

    `source`: the ARN for which SES publishes; what the topic's policy does not let it is lost, as at AWS.
    """
    name = arn.rpartition(":")[2]
    topic = account.events.topics.get(name)
    if topic is None:
        raw = name in account.events.raw_topics
        message_id = "" if raw else account.ids.uuid()
        body = text if raw else _enveloped(account, arn, text, subject, message_id, None, "1")
        _put(account, account.queues.ensure(name), arn, body)
        return message_id
    policy = topic.attributes.get("Policy")
    if source is not None and policy and not _may(account, policy, SES, "sns:Publish", arn, source):
        return ""
    message_id = account.ids.uuid()
    for subscriber in tuple(topic.subscriptions.values()):
        if subscriber.confirmed:
            _to_subscriber(account, topic, subscriber, text, subject, message_id)
    return message_id


def _put(account: Account, queue: Queue, topic: str, body: str) -> None:
    """Unless the queue's policy does not let the topic write."""
    policy = queue.attributes.get("Policy")
    if not policy or _may(account, policy, SNS, "sqs:SendMessage", queue.arn, topic):
        queue.put(body)


def _may(account: Account, policy: str, service: str, action: str, resource: str, source: str) -> bool:
    return resource_policies.allows(policy, service, action, resource, source=source, account=account.id)


def _publish_event(
    account: Account, configuration_set: ConfigurationSet | None, mail: Mail, event: str, body: Document
) -> None:
    tenant_tag = account.behaviour.tenant_tag_on_every_event
    build = partial(event_document, mail, event, body, tenant_tag=tenant_tag)
    publish(account, configuration_set, event, mail, build)


def _deliver(account: Account, configuration_set: ConfigurationSet, event: str, document: Document) -> None:
    matching = MATCHING[event]
    text: str | None = None
    for destination in tuple(configuration_set.destinations.values()):
        if not destination.enabled or matching not in destination.types:
            continue
        if destination.bus:
            publish_to_bus(account, event, document["mail"]["sourceArn"], document)
            continue
        text = text or _encode(document).decode()
        if destination.topic is not None:
            publish_to_topic(account, destination.topic, text, SUBJECT, source=configuration_set.arn)
        elif stream := destination.definition.get("KinesisFirehoseDestination"):
            firehose.put(account, stream["DeliveryStreamArn"], text.encode() + b"\n")
        elif metrics := destination.definition.get("CloudWatchDestination"):
            dimensions = metrics["DimensionConfigurations"]
            account.events.cloudwatch.count(event, document, dimensions, account.clock.now())


def _to_subscriber(
    account: Account,
    topic: Topic,
    subscriber: Subscription,
    text: str,
    subject: str | None,
    message_id: str,
) -> None:
    is_queue = subscriber.protocol == "sqs"
    version = topic.signature_version
    if subscriber.raw:
        body = text
    else:
        body = _enveloped(
            account, topic.arn, text, subject, message_id, subscriber.arn, version, is_queue=is_queue
        )
    if is_queue:
        queue = account.queues.by_name.get(subscriber.endpoint.rpartition(":")[2])
        if queue is not None:
            _put(account, queue, topic.arn, body)
        return
    http_subscribers.deliver(account, topic, subscriber, "Notification", message_id, body)


def _enveloped(
    account: Account,
    topic: str,
    text: str,
    subject: str | None,
    message_id: str,
    subscription: str | None,
    version: str,
    *,
    is_queue: bool = True,
) -> str:
    base = http_subscribers.sns_url(account)
    at = account.clock.now() + account.faults.skew()
    if is_queue and not account.behaviour.sign_in_queues:
        return sns_text(
            text, topic, base, at, message_id, subject, subscription=subscription, version=version
        )
    envelope = sns_envelope(
        text, topic, base, at, message_id, subject, subscription=subscription, version=version
    )
    sign(envelope)
    return _encode(envelope).decode()


def _hold_back(account: Account, seconds: float, deliver: Callable[[], None]) -> None:
    """Gathers events and delivers them in reverse order."""
    account.events.held_back.append(deliver)
    if len(account.events.held_back) > 1:
        return

    def release() -> None:
        gathered = account.events.held_back[::-1]
        account.events.held_back.clear()
        for deliver in gathered:
            deliver()

    account.clock.call_later(seconds, release)
