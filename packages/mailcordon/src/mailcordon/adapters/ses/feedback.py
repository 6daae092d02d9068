"""Reads what SES says of our mail: the JSON of an event, bare or in the envelope of SNS or EventBridge, as one of our nouns.

Lenient where SES is loose (unknown members, missing ones, nulls), strict where a mistake would cost: an event without a
message id or a time is malformed, never guessed. Both dialects are read, `eventType` of event publishing and the older
`notificationType`. One pass of msgspec per layer; headers are skipped, not parsed. A Send or Delivery of governed mail, as nearly
all are, is read by a shorter way that makes of it the same event, but for the tags that nobody asks for.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from mailcordon.core import tags
from mailcordon.core.event import Event, Kind
from mailcordon.observe import classify
from mailcordon.observe.ports import Decoded, DecodedEvent, Malformed, Notice

INBOUND = "inbound mail: it speaks of no mail that we sent"
LONGEST_TEXT = 1000  #: characters of what a receiving server said

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_TOPIC_TEST = "Successfully validated SNS topic"
_SET, _SES_TENANT = "ses:configuration-set", "ses:tenant-name"
_WHITE = " \t\r\n\ufeff"


class _Lenient(msgspec.Struct, gc=False):
    pass


class _Recipient(_Lenient):
    emailAddress: str | None = None
    status: str | None = None
    diagnosticCode: str | None = None


class _Mail(_Lenient):
    timestamp: str | None = None
    messageId: str | None = None
    source: str | None = None
    destination: list[str] | None = None
    tags: dict[str, list[str] | None] | None = None


class _Bounce(_Lenient):
    bounceType: str | None = None
    bounceSubType: str | None = None
    bouncedRecipients: list[_Recipient] | None = None
    timestamp: str | None = None
    feedbackId: str | None = None
    reportingMTA: str | None = None


class _Complaint(_Lenient):
    complainedRecipients: list[_Recipient] | None = None
    timestamp: str | None = None
    feedbackId: str | None = None
    complaintSubType: str | None = None
    complaintFeedbackType: str | None = None
    userAgent: str | None = None
    arrivalDate: str | None = None


class _Delivery(_Lenient):
    timestamp: str | None = None
    recipients: list[str] | None = None
    smtpResponse: str | None = None
    reportingMTA: str | None = None
    remoteMtaIp: str | None = None


class _Delay(_Lenient):
    timestamp: str | None = None
    delayType: str | None = None
    delayedRecipients: list[_Recipient] | None = None
    expirationTime: str | None = None
    reportingMTA: str | None = None


class _Reject(_Lenient):
    reason: str | None = None


class _Failure(_Lenient):
    templateName: str | None = None
    errorMessage: str | None = None


class _Engagement(_Lenient):
    timestamp: str | None = None
    ipAddress: str | None = None
    userAgent: str | None = None
    link: str | None = None
    isBotEvent: str | None = None


class _Stamped(_Lenient):
    timestamp: str | None = None


class _Document(_Lenient):
    """SES's document, and around it the members by which an envelope is known."""

    eventType: str | None = None
    notificationType: str | None = None
    mail: _Mail | None = None
    bounce: _Bounce | None = None
    complaint: _Complaint | None = None
    delivery: _Delivery | None = None
    deliveryDelay: _Delay | None = None
    reject: _Reject | None = None
    failure: _Failure | None = None
    open: _Engagement | None = None
    click: _Engagement | None = None
    subscription: _Stamped | None = None
    # SNS
    Type: str | None = None
    Message: str | None = None
    TopicArn: str | None = None
    # EventBridge
    detail_type: str | None = msgspec.field(default=None, name="detail-type")
    detail: msgspec.Raw = msgspec.Raw()
    resources: list[str] | None = None


_decoder = msgspec.json.Decoder(_Document)


def decode(body: str | bytes) -> Decoded:
    """One body of an SQS message, or a document that quarantine kept. Never raises."""
    return _common(body) or _decode(body, 0)


def _decode(body: str | bytes, depth: int) -> Decoded:
    try:
        document = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return _no_json(body, str(error))
    try:
        if document.mail is not None:
            return _told(document, document.mail, body)
        if depth < 2 and document.Message is not None and document.Type is not None:
            return _sns(document.Type, document.Message, document.TopicArn, depth)
        if document.detail_type is not None:
            return _event_bridge(document.detail_type, bytes(document.detail), document.resources, body)
    except _Unusable as error:
        return Malformed(str(error), body)
    if document.notificationType == "AmazonSnsSubscriptionSucceeded":
        return Notice("SES subscribed an identity's topic", None, False, body)
    if document.notificationType == "Received":
        return Notice(INBOUND, None, True, body)
    return Malformed("valid JSON, but no SES event: it has no member `mail`", body)


def _told(document: _Document, mail: _Mail, source: str | bytes) -> Decoded:
    if document.notificationType == "Received":
        return Notice(INBOUND, None, True, source)
    return DecodedEvent(_event(document, mail, source), source)


def _no_json(body: str | bytes, error: str) -> Decoded:
    start = body[:400] if isinstance(body, str) else body[:400].decode(errors="replace")
    if start.lstrip(_WHITE).startswith(_TOPIC_TEST):
        return Notice("SES tested the topic", None, False, body)
    return Malformed(f"no SES event in JSON: {error}", body)


def _sns(type: str, message: str, topic: str | None, depth: int) -> Decoded:
    if type != "Notification":
        # With a queue SNS confirms by itself; such a message comes when somebody subscribed the queue by hand.
        return Notice(f"SNS: {type}", topic, True, message)
    return _decode(message, depth + 1)


def _event_bridge(detail_type: str, detail: bytes, resources: list[str] | None, body: str | bytes) -> Decoded:
    try:
        document = _decoder.decode(detail)
        problem = "it has no member `mail`"
    except (msgspec.DecodeError, RecursionError) as error:
        document, problem = _Document(), str(error)
    if document.mail is not None:
        return _told(document, document.mail, detail)
    if detail_type.startswith("Email "):
        return Malformed(f"the event bus's `{detail_type}` holds no SES event: {problem}", body)
    return Notice(detail_type, resources[0] if resources else None, True, body)


# The common case ---------------------------------------------------------------------------------------------------------


class _GovernedTags(_Lenient):
    """What attribution reads of a governed mail's tags."""

    installation: list[str] | None = msgspec.field(default=None, name=tags.INSTALLATION)
    tenant: list[str] | None = msgspec.field(default=None, name=tags.TENANT)
    type: list[str] | None = msgspec.field(default=None, name=tags.TYPE)
    delivery: list[str] | None = msgspec.field(default=None, name=tags.DELIVERY)
    attempt: list[str] | None = msgspec.field(default=None, name=tags.ATTEMPT)
    configuration_set: list[str] | None = msgspec.field(default=None, name=_SET)
    ses_tenant: list[str] | None = msgspec.field(default=None, name=_SES_TENANT)


class _CommonMail(_Lenient):
    timestamp: str
    messageId: str
    destination: list[str]
    tags: _GovernedTags
    source: str | None = None


class _Common(_Lenient):
    eventType: str | None = None
    notificationType: str | None = None
    mail: _CommonMail | None = None
    delivery: _Delivery | None = None
    Type: str | None = None
    Message: str | None = None


_common_decoder = msgspec.json.Decoder(_Common)


def _common(body: str | bytes) -> DecodedEvent | None:
    """None: it is something else, or not as it should be, and wants to be read with care."""
    try:
        document = _common_decoder.decode(body)
        if document.mail is None and document.Message is not None and document.Type == "Notification":
            body = document.Message
            document = _common_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    mail = document.mail
    if mail is None or document.notificationType is not None or not mail.messageId:
        return None
    mail_at = _milliseconds(mail.timestamp)
    all_tags = _first_values(mail.tags)
    if mail_at is None or all_tags is None:
        return None
    detail: dict[str, object] = {}
    if document.eventType == "Send":
        kind, at, recipients, text = Kind.SEND, mail_at, (), None
        key = f"Send\x1f{mail.messageId}\x1f"
    elif document.eventType == "Delivery" and (said := document.delivery) is not None:
        delivered_at = _milliseconds(said.timestamp)
        if delivered_at is None or said.recipients is None or len(said.recipients) != 1:
            return None
        kind, at, recipients = Kind.DELIVERY, delivered_at, (_bare(said.recipients[0]),)
        key = f"Delivery\x1f{mail.messageId}\x1f{recipients[0]}\x1f\x1f{said.timestamp}"
        text = said.smtpResponse
        if text is not None:
            text = text[:LONGEST_TEXT].replace("\0", "")
        if said.reportingMTA is not None:
            detail["reporting_mta"] = said.reportingMTA
        if said.remoteMtaIp is not None:
            detail["remote_ip"] = said.remoteMtaIp
    else:
        return None
    if mail.source is not None:
        detail["source"] = mail.source[:320]
    event = Event(
        kind=kind,
        at=at,
        mail_at=mail_at,
        ses_id=mail.messageId.replace("\0", ""),
        configuration_set=all_tags.get(_SET),
        ses_tenant=all_tags.get(_SES_TENANT),
        destinations=tuple([_bare(address) for address in mail.destination]),
        recipients=recipients,
        tags=all_tags,
        key=hashlib.blake2b(key.encode(errors="replace"), digest_size=16).digest(),
        reason=None,
        text=text,
        detail=detail,
    )
    return DecodedEvent(event, body)


def _first_values(of: _GovernedTags) -> dict[str, str] | None:
    """None where one of ours is missing: such mail is judged by all of its tags."""
    if not (of.installation and of.tenant and of.type and of.delivery and of.attempt):
        return None
    found = {
        tags.INSTALLATION: of.installation[0],
        tags.TENANT: of.tenant[0],
        tags.TYPE: of.type[0],
        tags.DELIVERY: of.delivery[0],
        tags.ATTEMPT: of.attempt[0],
    }
    if of.configuration_set:
        found[_SET] = of.configuration_set[0]
    if of.ses_tenant:
        found[_SES_TENANT] = of.ses_tenant[0]
    return found


# One kind each -----------------------------------------------------------------------------------------------------------


class _Unusable(Exception):
    """The document is SES's, and lacks what attribution or order need."""


class _Part:
    """What the member of one kind says, before the mail's own facts are added."""

    __slots__ = ("at", "detail", "key", "kind", "reason", "recipients", "text")

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
    ) -> None:
        self.kind = kind
        self.at = at
        self.recipients = recipients
        self.key = key  #: what, beside type and message id, makes this event itself (ses.md 4.9)
        self.reason = reason
        self.text = text
        self.detail = detail or {}


def _event(document: _Document, mail: _Mail, source: str | bytes) -> Event:
    type = document.eventType or document.notificationType
    if type is None:
        raise _Unusable("it names neither an eventType nor a notificationType")
    if not mail.messageId:
        raise _Unusable("its mail has no messageId")
    read = _PARTS.get(type)
    part = read(document) if read is not None else None
    if part is None:
        part = _other(type, source)
    at = _milliseconds(part.at)
    mail_at = _milliseconds(mail.timestamp)
    if mail_at is None:
        mail_at = at
    if mail_at is None:
        raise _Unusable("neither it nor its mail has a time")
    if part.text is not None:
        part.text = part.text[:LONGEST_TEXT].replace("\0", "")
    said = {name: values[0] for name, values in mail.tags.items() if values} if mail.tags else {}
    return Event(
        kind=part.kind,
        at=mail_at if at is None else at,
        mail_at=mail_at,
        ses_id=mail.messageId.replace("\0", ""),
        configuration_set=said.get(_SET),
        ses_tenant=said.get(_SES_TENANT),
        destinations=tuple([_bare(address) for address in mail.destination or ()]),
        recipients=part.recipients,
        tags=said,
        key=_digest(type, mail.messageId, part.recipients, part.key),
        reason=part.reason,
        text=part.text,
        detail=_with_source(part, mail.source),
    )


def _with_source(part: _Part, source: str | None) -> Mapping[str, object]:
    detail = {name: value for name, value in part.detail.items() if value is not None}
    if source is not None:
        detail["source"] = source[:320]
    return detail


def _send(document: _Document) -> _Part:
    return _Part(Kind.SEND)


def _delivery(document: _Document) -> _Part | None:
    said = document.delivery
    if said is None:
        return None
    return _Part(
        Kind.DELIVERY,
        at=said.timestamp,
        recipients=tuple([_bare(address) for address in said.recipients or ()]),
        key=(said.timestamp,),
        text=said.smtpResponse,
        detail={"reporting_mta": said.reportingMTA, "remote_ip": said.remoteMtaIp},
    )


def _bounce(document: _Document) -> _Part | None:
    said = document.bounce
    if said is None:
        return None
    first = said.bouncedRecipients[0] if said.bouncedRecipients else _Recipient()
    return _Part(
        classify.bounce(said.bounceType, said.bounceSubType),
        at=said.timestamp,
        recipients=_addresses(said.bouncedRecipients),
        # Without a feedbackId two bounces of one mail could only be told apart by their times.
        key=(said.feedbackId or said.timestamp,),
        reason=f"{said.bounceType}/{said.bounceSubType}",
        text=first.diagnosticCode,
        detail={
            "status": first.status,
            "reporting_mta": said.reportingMTA,
            "feedback_id": said.feedbackId,
        },
    )


def _complaint(document: _Document) -> _Part | None:
    said = document.complaint
    if said is None:
        return None
    return _Part(
        classify.complaint(said.complaintSubType, said.complaintFeedbackType),
        at=said.timestamp,
        recipients=_addresses(said.complainedRecipients),
        key=(said.feedbackId or said.timestamp,),
        reason=said.complaintSubType or said.complaintFeedbackType,
        detail={
            "feedback_id": said.feedbackId,
            "user_agent": said.userAgent and said.userAgent[:200],
            "arrived": said.arrivalDate,
        },
    )


def _delay(document: _Document) -> _Part | None:
    said = document.deliveryDelay
    if said is None:
        return None
    first = said.delayedRecipients[0] if said.delayedRecipients else _Recipient()
    return _Part(
        Kind.DELAY,
        at=said.timestamp,
        recipients=_addresses(said.delayedRecipients),
        key=(said.timestamp,),
        reason=said.delayType,
        text=first.diagnosticCode,
        detail={
            "status": first.status,
            "reporting_mta": said.reportingMTA,
            "ses_tries_until": said.expirationTime,
        },
    )


def _reject(document: _Document) -> _Part:
    reason = document.reject.reason if document.reject is not None else None
    return _Part(Kind.REJECT, reason=reason, text=reason)


def _rendering(document: _Document) -> _Part:
    said = document.failure or _Failure()
    return _Part(Kind.RENDERING_FAILURE, reason=said.templateName, text=said.errorMessage)


def _engagement(kind: Kind, said: _Engagement | None) -> _Part | None:
    if said is None:
        return None
    return _Part(
        kind,
        at=said.timestamp,
        key=(said.timestamp, said.link),
        detail={
            "ip": said.ipAddress,
            "user_agent": said.userAgent and said.userAgent[:200],
            "link": said.link and said.link[:2000],
            "bot": said.isBotEvent,
        },
    )


def _other(type: str, source: str | bytes) -> _Part:
    """A subscription, a kind that SES invented after this code, or one without its member: kept whole, moves nothing."""
    raw = source.encode(errors="replace") if isinstance(source, str) else source
    return _Part(Kind.OTHER, key=(hashlib.blake2b(raw, digest_size=16).hexdigest(),), reason=type[:100])


_PARTS: dict[str, Callable[[_Document], _Part | None]] = {
    "Send": _send,
    "Delivery": _delivery,
    "Bounce": _bounce,
    "Complaint": _complaint,
    "DeliveryDelay": _delay,
    "Reject": _reject,
    "Rendering Failure": _rendering,
    "RenderingFailure": _rendering,
    "Open": lambda document: _engagement(Kind.OPEN, document.open),
    "Click": lambda document: _engagement(Kind.CLICK, document.click),
}


# Small things ------------------------------------------------------------------------------------------------------------


def _addresses(recipients: list[_Recipient] | None) -> tuple[str, ...]:
    return tuple([_bare(one.emailAddress) for one in recipients or () if one.emailAddress])


def _bare(address: str) -> str:
    """`Name <a@b>` -> `a@b`: SES's samples have both."""
    if address.endswith(">"):
        address = address[address.rfind("<") + 1 : -1]
    return address.strip()


_minutes: dict[str, int] = {}  #: `2026-03-01T10:00:` -> milliseconds since 1970: times come in droves


def _milliseconds(text: str | None) -> int | None:
    if text is None:
        return None
    digits = text[17:19] + text[20:23]
    if len(text) == 24 and text[19] == "." and text[23] == "Z" and digits.isdigit() and digits.isascii():
        minute, rest = _minutes.get(text[:17]), int(digits)
        if minute is not None and rest < 60_000:
            return minute + rest
        found = _any_milliseconds(text)
        if found is not None:
            if len(_minutes) > 1000:
                _minutes.clear()
            _minutes[text[:17]] = found - rest
        return found
    return _any_milliseconds(text)


def _any_milliseconds(text: str) -> int | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MILLISECOND


def _digest(type: str, ses_id: str, recipients: tuple[str, ...], key: tuple[str | None, ...]) -> bytes:
    parts = [type, ses_id, *sorted(recipients), "", *[part or "" for part in key]]
    return hashlib.blake2b("\x1f".join(parts).encode(errors="replace"), digest_size=16).digest()
