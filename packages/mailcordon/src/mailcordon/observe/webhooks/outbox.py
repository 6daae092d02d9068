"""Which endpoints get which events of a batch. Pure."""

from collections.abc import Iterable, Mapping, Sequence

from mailcordon.core.event import Kind
from mailcordon.observe.attribute import Attributed
from mailcordon.observe.webhooks.nouns import REPORTED, DocumentRow, OutboxRow, Subscription, Subscriptions


def of_tenant(tenant: int, subscriptions: Subscriptions) -> Sequence[Subscription]:
    own, every = subscriptions.get(tenant, ()), subscriptions.get(None, ())
    return [*own, *every] if own and every else own or every


def wants_documents(tenant: int, subscriptions: Subscriptions) -> bool:
    return any(one.documents for one in of_tenant(tenant, subscriptions))


def reads_sends(tenant: int, subscriptions: Subscriptions) -> bool:
    return any(REPORTED[Kind.SEND] in one.events for one in of_tenant(tenant, subscriptions))


def rows(
    new: Iterable[Attributed], subscriptions: Subscriptions, documents: Mapping[tuple[int, bytes], str]
) -> tuple[list[OutboxRow], list[DocumentRow]]:
    """`new`: events that were not stored before. Mail that did not pass through us is told by whoever sent it."""
    told: list[OutboxRow] = []
    kept: list[DocumentRow] = []
    for one in new:
        event = REPORTED.get(one.event.kind)
        if event is None or not one.has_rows or not one.ours:
            continue
        tenant, delivery, key = one.lane.tenant, one.attempt.delivery, one.event.key
        keeps = False
        for subscription in of_tenant(tenant, subscriptions):
            if event in subscription.events:
                told.append(OutboxRow(subscription.endpoint, event, tenant, delivery, key))
                keeps = keeps or subscription.documents
        if keeps and (document := documents.get((delivery, key))) is not None:
            kept.append(DocumentRow(delivery, key, document))
    return told, kept
