"""What SES's event documents say for an assessment: whose mail, which type, what became of it. Bare, in SNS's or EventBridge's
envelope, or in a container of several. Nothing of an event is kept but this, and of the subject only its shape."""

from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from mailcordon.adapters.ses import envelopes
from mailcordon.adapters.ses.event_document import Lenient
from mailcordon.adapters.ses.event_values import CONFIGURATION_SET_TAG, bare_address, milliseconds
from mailcordon.control.assess.traffic import Seen
from mailcordon.core import subject_shape

_KINDS = {"Send": "Send", "Delivery": "Delivery", "Bounce": "Bounce", "Complaint": "Complaint"}
#: Bounces of SES's own lists are no new ones (ses.md 4.3); those of the global list count.
_LISTED = frozenset(
    {
        "OnAccountSuppressionList",
        "OnTenantSuppressionList",
        "EmailValidationSuppressed",
        "UnsubscribedRecipient",
    }
)


class _Headers(Lenient):
    subject: str | None = None


class _Mail(Lenient):
    timestamp: str | None = None
    messageId: str | None = None
    source: str | None = None
    sourceArn: str | None = None
    destination: list[str] | None = None
    commonHeaders: _Headers | None = None
    tags: dict[str, list[str] | None] | None = None


class _Bounce(Lenient):
    bounceType: str | None = None
    bounceSubType: str | None = None
    bouncedRecipients: list[msgspec.Raw] | None = None


class _Complaint(Lenient):
    complaintSubType: str | None = None
    complaintFeedbackType: str | None = None


class _Delivery(Lenient):
    recipients: list[str] | None = None


class _Document(Lenient):
    eventType: str | None = None
    notificationType: str | None = None
    mail: _Mail | None = None
    bounce: _Bounce | None = None
    complaint: _Complaint | None = None
    delivery: _Delivery | None = None
    Message: str | None = None
    detail: msgspec.Raw = msgspec.Raw()


_decoder = msgspec.json.Decoder(_Document)


def seen(body: str | bytes) -> Iterator[Seen]:
    """The events in a body that say what became of mail. What is no event of SES says nothing."""
    for one in envelopes.documents(body):
        found = _document(one, 0)
        if found is not None and (event := _seen(found)) is not None:
            yield event


def _document(body: str | bytes, depth: int) -> _Document | None:
    try:
        found = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    inner = found.Message if found.Message is not None else bytes(found.detail)
    return found if not inner or found.mail is not None or depth > 2 else _document(inner, depth + 1)


def _seen(found: _Document) -> Seen | None:
    mail, kind = found.mail, _KINDS.get(found.eventType or found.notificationType or "")
    if mail is None or kind is None or mail.messageId is None or mail.source is None:
        return None
    at = milliseconds(mail.timestamp)
    if at is None:
        return None
    recipients = len(mail.destination or ()) or 1
    if kind == "Delivery" and found.delivery is not None and found.delivery.recipients is not None:
        recipients = max(recipients, len(found.delivery.recipients))
    if kind == "Bounce":
        bounce = found.bounce
        if bounce is None:
            return None
        # A bounce that is no hard one, and one of SES's lists, says that the mail was sent.
        if bounce.bounceType != "Permanent" or bounce.bounceSubType in _LISTED:
            kind = "Send"
        else:
            recipients = len(bounce.bouncedRecipients or ()) or 1
    if kind == "Complaint" and (
        found.complaint is None
        or found.complaint.complaintFeedbackType == "not-spam"
        or found.complaint.complaintSubType in _LISTED
    ):
        kind = "Send"
    tags = {name: values[0] for name, values in (mail.tags or {}).items() if values}
    shape = subject_shape.of((mail.commonHeaders.subject if mail.commonHeaders else None) or "")
    return Seen(
        mail=mail.messageId,
        kind=kind,
        day=datetime.fromtimestamp(at / 1000, UTC).date(),
        sender=bare_address(mail.source).lower(),
        identity=mail.sourceArn.partition("identity/")[2].lower() or None if mail.sourceArn else None,
        configuration_set=tags.get(CONFIGURATION_SET_TAG),
        tags=tags,
        subject_shape=shape,
        recipients=recipients,
    )
