"""An event document as our Event: one function for each kind, and what all kinds share.

Lenient where SES is loose (unknown kinds, missing members, nulls, no time), strict where a guess would be wrong: an event without
a message id or a type is refused.
"""

import hashlib
from collections.abc import Callable, Mapping

from mailcordon.adapters.ses import sending_document
from mailcordon.adapters.ses.event_document import (
    Document,
    Engagement,
    Mail,
    Recipient,
    RenderingFailure,
)
from mailcordon.adapters.ses.event_values import (
    CONFIGURATION_SET_TAG,
    LONGEST_REASON,
    LONGEST_TEXT,
    SES_TENANT_TAG,
    bare_address,
    event_key,
    milliseconds,
)
from mailcordon.core import tags
from mailcordon.core.event import NO_TIME, Event, Kind
from mailcordon.messages import reasons
from mailcordon.observe import classify
from mailcordon.observe.bounce_reasons import Finding, find


class Unusable(Exception):
    """An event without its type or its mail's id. The message says which is missing."""


class _Part:
    """What is read from the member of one kind of event; `event_of` adds what all kinds share."""

    __slots__ = ("at", "bounce", "detail", "key", "kind", "reason", "recipients", "text")

    def __init__(
        self,
        kind: Kind,
        *,
        at: str | None = None,
        recipients: tuple[str, ...] = (),
        key: tuple[str | None, ...] = (),
        reason: str | None = None,
        text: str | None = None,
        detail: dict[str, object] | None = None,
        bounce: Finding | None = None,
    ) -> None:
        self.kind = kind
        self.at = at
        self.recipients = recipients
        self.key = key  #: what makes this event unique, beside type, message id and recipients (ses.md 4.9)
        self.reason = reason
        self.text = text
        self.detail = detail or {}
        self.bounce = bounce


def event_of(document: Document, mail: Mail, source: str | bytes) -> Event:
    """Raises Unusable. `source` is the document's own JSON."""
    type = document.eventType or document.notificationType
    if type is None:
        raise Unusable(reasons.no_event_type())
    if not mail.messageId:
        raise Unusable(reasons.no_ses_id())
    read = _PARTS.get(type)
    part = read(document) if read is not None else None
    if part is None:
        part = _other(type, source)
    at = milliseconds(part.at)
    mail_at = milliseconds(mail.timestamp)
    if mail_at is None:
        mail_at = NO_TIME if at is None else at
    if part.text is not None:
        part.text = part.text[:LONGEST_TEXT].replace("\0", "")
    if part.reason is not None:
        part.reason = part.reason[:LONGEST_REASON].replace("\0", "")
    first_values = {name: values[0] for name, values in mail.tags.items() if values} if mail.tags else {}
    return Event(
        kind=part.kind,
        at=mail_at if at is None else at,
        mail_at=mail_at,
        ses_id=mail.messageId.replace("\0", ""),
        configuration_set=first_values.get(CONFIGURATION_SET_TAG),
        ses_tenant=first_values.get(SES_TENANT_TAG),
        destinations=tuple([bare_address(address) for address in mail.destination or ()]),
        recipients=part.recipients,
        tags=first_values,
        key=event_key(type, mail.messageId, part.recipients, part.key),
        reason=part.reason,
        text=part.text,
        detail=_with_source(part, mail.source),
        bounce_reason=None if part.bounce is None else part.bounce.reason,
        bounce_passing=part.bounce is not None and part.bounce.passing,
        sending=None if tags.carries_ours(first_values) else sending_document.read(source),
    )


def _with_source(part: _Part, source: str | None) -> Mapping[str, object]:
    detail = {name: value for name, value in part.detail.items() if value is not None}
    if source is not None:
        detail["source"] = source[:320]
    return detail


def _send(document: Document) -> _Part:
    return _Part(Kind.SEND)


def _delivery(document: Document) -> _Part | None:
    reported = document.delivery
    if reported is None:
        return None
    return _Part(
        Kind.DELIVERY,
        at=reported.timestamp,
        recipients=tuple([bare_address(address) for address in reported.recipients or ()]),
        key=(reported.timestamp,),
        text=reported.smtpResponse,
        detail={"reporting_mta": reported.reportingMTA, "remote_ip": reported.remoteMtaIp},
    )


def _bounce(document: Document) -> _Part | None:
    reported = document.bounce
    if reported is None:
        return None
    first = reported.bouncedRecipients[0] if reported.bouncedRecipients else Recipient()
    kind = classify.bounce(reported.bounceType, reported.bounceSubType)
    return _Part(
        kind,
        at=reported.timestamp,
        recipients=_addresses(reported.bouncedRecipients),
        # Without a feedbackId two bounces of one mail could only be told apart by their times.
        key=(reported.feedbackId or reported.timestamp,),
        reason=f"{reported.bounceType}/{reported.bounceSubType}",
        text=first.diagnosticCode,
        detail={
            "status": first.status,
            "reporting_mta": reported.reportingMTA,
            "feedback_id": reported.feedbackId,
        },
        bounce=None
        if kind is Kind.SUPPRESSED
        else find(reported.bounceSubType, first.status, first.diagnosticCode),
    )


def _complaint(document: Document) -> _Part | None:
    reported = document.complaint
    if reported is None:
        return None
    return _Part(
        classify.complaint(reported.complaintSubType, reported.complaintFeedbackType),
        at=reported.timestamp,
        recipients=_addresses(reported.complainedRecipients),
        key=(reported.feedbackId or reported.timestamp,),
        reason=reported.complaintSubType or reported.complaintFeedbackType,
        detail={
            "feedback_id": reported.feedbackId,
            "user_agent": reported.userAgent and reported.userAgent[:200],
            "arrived": reported.arrivalDate,
        },
    )


def _delay(document: Document) -> _Part | None:
    reported = document.deliveryDelay
    if reported is None:
        return None
    first = reported.delayedRecipients[0] if reported.delayedRecipients else Recipient()
    return _Part(
        Kind.DELAY,
        at=reported.timestamp,
        recipients=_addresses(reported.delayedRecipients),
        key=(reported.timestamp,),
        reason=reported.delayType,
        text=first.diagnosticCode,
        detail={
            "status": first.status,
            "reporting_mta": reported.reportingMTA,
            "ses_tries_until": reported.expirationTime,
        },
    )


def _reject(document: Document) -> _Part:
    reason = document.reject.reason if document.reject is not None else None
    return _Part(Kind.REJECT, reason=reason, text=reason)


def _rendering(document: Document) -> _Part:
    reported = document.failure or RenderingFailure()
    return _Part(Kind.RENDERING_FAILURE, reason=reported.templateName, text=reported.errorMessage)


def _engagement(of_people: Kind, of_machines: Kind, reported: Engagement | None) -> _Part | None:
    if reported is None:
        return None
    return _Part(
        of_machines if reported.isBotEvent == "Likely" else of_people,
        at=reported.timestamp,
        key=(reported.timestamp, reported.link),
        detail={
            "ip": reported.ipAddress,
            "user_agent": reported.userAgent and reported.userAgent[:200],
            "link": reported.link and reported.link[:2000],
            "bot": reported.isBotEvent,
        },
    )


def _other(type: str, source: str | bytes) -> _Part:
    """A subscription, a kind newer than this code, or an event without the member of its kind: it changes no state."""
    raw = source.encode(errors="replace") if isinstance(source, str) else source
    return _Part(Kind.OTHER, key=(hashlib.blake2b(raw, digest_size=16).hexdigest(),), reason=type[:100])


_PARTS: dict[str, Callable[[Document], _Part | None]] = {
    "Send": _send,
    "Delivery": _delivery,
    "Bounce": _bounce,
    "Complaint": _complaint,
    "DeliveryDelay": _delay,
    "Reject": _reject,
    "Rendering Failure": _rendering,
    "RenderingFailure": _rendering,
    "Open": lambda document: _engagement(Kind.OPEN, Kind.MACHINE_OPEN, document.open),
    "Click": lambda document: _engagement(Kind.CLICK, Kind.MACHINE_CLICK, document.click),
}


def _addresses(recipients: list[Recipient] | None) -> tuple[str, ...]:
    return tuple([bare_address(one.emailAddress) for one in recipients or () if one.emailAddress])
