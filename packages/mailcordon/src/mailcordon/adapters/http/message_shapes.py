"""The JSON of messages, as it is answered."""

from typing import Any

import msgspec

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.shapes import Time
from mailcordon.core import ids, ses_ids
from mailcordon.core.delivery import State
from mailcordon.core.suppression import Suppression
from mailcordon.send import view
from mailcordon.send.accept_item import Accepted


class DeliveryAccepted(msgspec.Struct, omit_defaults=True):
    id: str
    to: str
    state: str
    reason: str | None = None
    detail: str | None = None


class MessageAccepted(msgspec.Struct, omit_defaults=True):
    id: str
    tenant: str
    type: str
    deliveries: list[DeliveryAccepted]
    headers_removed: list[str] = []  #: names of headers that `raw` had and that are not the app's to set
    path: str | None = None  #: in a lane with two paths, why the message keeps its own (docs/paths.md)


class MomentView(msgspec.Struct):
    at: Time
    what: str
    detail: str
    bounce_reason: str | None = None  #: of a bounce (docs/bounces.md)


class BounceView(msgspec.Struct):
    reason: str
    group: str | None  #: the column of the metrics that it is counted in
    actor: str  #: who can act
    follows: str  #: for the address
    detail: str  #: all of it as a sentence


class DeliveryView(msgspec.Struct):
    id: str
    to: str
    state: str
    since: Time
    reason: str | None
    detail: str | None
    provider: str
    attempts: int
    ses_id: str | None
    bounce: BounceView | None
    message_id: str | None  #: the Message-ID header that the recipient sees; SES sets it
    timeline: list[MomentView]


class MessageView(msgspec.Struct):
    id: str
    tenant: str
    type: str
    from_: str = msgspec.field(name="from")
    campaign: str | None
    list_: str | None = msgspec.field(name="list")
    accepted_at: Time
    send_at: Time | None  #: what time it is scheduled for
    tags: dict[str, str]  #: the app's own
    deliveries: list[DeliveryView]


class MessageCancelResult(msgspec.Struct):
    id: str
    cancelled: list[str]
    left: int
    dry_run: bool  #: nothing was cancelled: `cancelled` is what would be
    detail: str


class EventItem(msgspec.Struct):
    """What SES reported of a delivery, as it is stored."""

    delivery: str
    what: str
    attempt: int
    at: Time  #: as SES says
    received_at: Time
    ses_id: str
    size: int  #: of the detail, in bytes
    detail: dict[str, Any] | None  #: null: larger than 16 KiB, so it is not shown


class EventList(msgspec.Struct):
    items: list[EventItem]  #: by delivery, oldest first
    more: bool  #: there are more than `limit`


class AddressDelivery(msgspec.Struct):
    id: str
    message: str
    type: str
    at: Time
    state: str
    reason: str | None
    detail: str | None


class AddressSuppression(msgspec.Struct):
    scope: str
    target: str | None
    cause: str
    detail: str  #: the cause, as a sentence
    since: Time
    until: Time | None
    by: str
    evidence: dict[str, Any]  #: as it was recorded
    removing: bool


class AddressView(msgspec.Struct):
    address: str
    tenant: str
    suppressions: list[AddressSuppression]
    deliveries: list[AddressDelivery]


def message_accepted(accepted: Accepted) -> MessageAccepted:
    return MessageAccepted(
        id=ids.message_id(accepted.id),
        tenant=accepted.tenant,
        type=accepted.type,
        deliveries=[
            DeliveryAccepted(
                ids.delivery_id(one.id),
                one.address,
                word(one.state),
                one.reason,
                one.detail,
            )
            for one in accepted.deliveries
        ],
        headers_removed=list(accepted.removed),
        path=accepted.path,
    )


def message_id_header(ses_id: str | None, region: str) -> str | None:
    return None if ses_id is None else ses_ids.header(ses_id, region)


def message_view(records: view.MessageRecords, region: str) -> MessageView:
    return MessageView(
        id=ids.message_id(records.message.id),
        tenant=records.message.tenant_slug,
        type=records.message.type,
        from_=records.message.from_address,
        campaign=records.message.campaign,
        list_=records.message.list,
        accepted_at=shapes.iso_ms(records.message.accepted_at),
        send_at=shapes.iso_ms_or_none(records.message.send_at),
        tags=dict(records.message.tags),
        deliveries=[
            DeliveryView(
                id=ids.delivery_id(one.id),
                to=one.to,
                state=word(one.state),
                since=shapes.iso_ms(one.since),
                reason=one.reason,
                detail=one.detail,
                provider=one.provider,
                attempts=one.attempts,
                ses_id=one.ses_id,
                message_id=message_id_header(one.ses_id, region),
                bounce=None if one.bounced is None else _bounce(one.bounced),
                timeline=[_moment(entry) for entry in one.timeline],
            )
            for one in view.deliveries(records)
        ],
    )


def event(found: view.StoredEvent) -> EventItem:
    return EventItem(
        delivery=ids.delivery_id(found.delivery),
        what=found.kind,
        attempt=found.attempt,
        at=shapes.iso_ms(found.at),
        received_at=shapes.iso_ms(found.received_at),
        ses_id=found.ses_id,
        size=found.size,
        detail=None if found.detail is None else dict(found.detail),
    )


def _moment(entry: view.TimelineEntry) -> MomentView:
    reason = None if entry.bounced is None else entry.bounced.reason.word
    return MomentView(shapes.iso_ms(entry.at), entry.what, entry.detail, reason)


def _bounce(found: view.Bounced) -> BounceView:
    reason = found.reason
    return BounceView(
        reason=reason.word,
        group=None if reason.group is None else reason.group.word,
        actor=reason.actor.value,
        follows=found.follow.value,
        detail=reason.sentence(found.follow),
    )


def suppression(found: Suppression, tenant: str) -> AddressSuppression:
    return AddressSuppression(
        scope=found.scope.word,
        target=found.mail,
        cause=found.cause,
        detail=found.sentence(tenant),
        since=shapes.iso_ms(found.since),
        until=shapes.iso_ms_or_none(found.until),
        by=found.by,
        evidence=dict(found.evidence),
        removing=found.removing_since is not None,
    )


def word(state: State) -> str:
    """The API says `queued` for the queue's `ready`."""
    return "queued" if state is State.READY else state.word


STATES = {word(state): state for state in State}
