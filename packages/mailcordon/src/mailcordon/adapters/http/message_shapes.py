"""The JSON of messages: what POST takes and what is answered."""

from typing import Any, cast

import msgspec

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.shapes import Time
from mailcordon.core import ids, ses_ids
from mailcordon.core.delivery import State
from mailcordon.core.suppression import Suppression
from mailcordon.send import submission, view
from mailcordon.send.accept_item import Accepted


class Recipient(msgspec.Struct, forbid_unknown_fields=True):
    """A recipient with headers of their own: one takes the place of the message's header with its name."""

    address: str
    headers: dict[str, str]


class SendBody(msgspec.Struct, forbid_unknown_fields=True):
    """A message to send: one delivery to each recipient in `to`."""

    type: str
    from_: str = msgspec.field(name="from")
    to: str | list[str | Recipient]
    subject: str
    text: str | None = None
    html: str | None = None
    tenant: str | None = None
    reply_to: str | list[str] | None = None
    headers: dict[str, str] = {}
    campaign: str | None = None
    list_: str | None = msgspec.field(name="list", default=None)


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


def is_flat(body: SendBody) -> bool:
    return not body.headers and (isinstance(body.to, str) or Recipient not in set(map(type, body.to)))


def _recipients(to: str | list[str | Recipient]) -> tuple[list[str], list[dict[str, str] | None]]:
    """The addresses, and the headers of each; none at all if nobody has own ones."""
    if isinstance(to, str):
        return [to], []
    if Recipient not in set(map(type, to)):
        return cast("list[str]", to), []
    return (
        [one if isinstance(one, str) else one.address for one in to],
        [None if isinstance(one, str) else one.headers for one in to],
    )


def checked(
    body: SendBody, text: submission.Text | None, html: submission.Text | None
) -> submission.Submission:
    reply_to = body.reply_to
    to, own_headers = _recipients(body.to)
    return submission.check(
        type=body.type,
        sender=body.from_,
        to=to,
        subject=body.subject,
        text=text,
        html=html,
        reply_to=[] if reply_to is None else [reply_to] if isinstance(reply_to, str) else reply_to,
        headers=body.headers,
        own_headers=own_headers,
        campaign=body.campaign,
        list=body.list_,
    )


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
