"""A faster decoder for nearly all events: a Send or Delivery of mail with our tags, bare or from SNS.

It gives the same event as `event_kinds.py`, except for tags that nothing reads. Whatever is unusual is left to the careful
decoder.
"""

import hashlib

import msgspec

from mailcordon.adapters.ses.event_document import Delivery, Lenient, SnsMessage
from mailcordon.adapters.ses.event_values import (
    CONFIGURATION_SET_TAG,
    LONGEST_TEXT,
    SES_TENANT_TAG,
    bare_address,
    milliseconds,
)
from mailcordon.core import tags
from mailcordon.core.event import Event, Kind
from mailcordon.observe.ports import DecodedEvent


class _GovernedTags(Lenient):
    """The tags of a governed mail that attribution reads."""

    installation: list[str] | None = msgspec.field(default=None, name=tags.INSTALLATION)
    tenant: list[str] | None = msgspec.field(default=None, name=tags.TENANT)
    type: list[str] | None = msgspec.field(default=None, name=tags.TYPE)
    delivery: list[str] | None = msgspec.field(default=None, name=tags.DELIVERY)
    attempt: list[str] | None = msgspec.field(default=None, name=tags.ATTEMPT)
    configuration_set: list[str] | None = msgspec.field(default=None, name=CONFIGURATION_SET_TAG)
    ses_tenant: list[str] | None = msgspec.field(default=None, name=SES_TENANT_TAG)


class _CommonMail(Lenient):
    timestamp: str
    messageId: str
    destination: list[str]
    tags: _GovernedTags
    source: str | None = None


class _Common(SnsMessage):
    eventType: str | None = None
    notificationType: str | None = None
    mail: _CommonMail | None = None
    delivery: Delivery | None = None


_decoder = msgspec.json.Decoder(_Common)


def decode_common(body: str | bytes) -> tuple[DecodedEvent, SnsMessage | None] | None:
    """The event with its envelope from SNS. None: another kind of document, or an odd one; the careful decoder reads it."""
    envelope: SnsMessage | None = None
    whole = body
    try:
        document = _decoder.decode(body)
        if document.mail is None and document.Message is not None and document.Type == "Notification":
            envelope, body = document, document.Message
            document = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    mail = document.mail
    if mail is None or document.notificationType is not None or not mail.messageId:
        return None
    mail_at = milliseconds(mail.timestamp)
    all_tags = _first_values(mail.tags)
    if mail_at is None or all_tags is None:
        return None
    detail: dict[str, object] = {}
    if document.eventType == "Send":
        kind, at, recipients, text = Kind.SEND, mail_at, (), None
        key = f"Send\x1f{mail.messageId}\x1f"
    elif document.eventType == "Delivery" and (delivery := document.delivery) is not None:
        delivered_at = milliseconds(delivery.timestamp)
        if delivered_at is None or delivery.recipients is None or len(delivery.recipients) != 1:
            return None
        kind, at, recipients = Kind.DELIVERY, delivered_at, (bare_address(delivery.recipients[0]),)
        key = f"Delivery\x1f{mail.messageId}\x1f{recipients[0]}\x1f\x1f{delivery.timestamp}"
        text = delivery.smtpResponse
        if text is not None:
            text = text[:LONGEST_TEXT].replace("\0", "")
        if delivery.reportingMTA is not None:
            detail["reporting_mta"] = delivery.reportingMTA
        if delivery.remoteMtaIp is not None:
            detail["remote_ip"] = delivery.remoteMtaIp
    else:
        return None
    if mail.source is not None:
        detail["source"] = mail.source[:320]
    event = Event(
        kind=kind,
        at=at,
        mail_at=mail_at,
        ses_id=mail.messageId.replace("\0", ""),
        configuration_set=all_tags.get(CONFIGURATION_SET_TAG),
        ses_tenant=all_tags.get(SES_TENANT_TAG),
        destinations=tuple([bare_address(address) for address in mail.destination]),
        recipients=recipients,
        tags=all_tags,
        key=hashlib.blake2b(key.encode(errors="replace"), digest_size=16).digest(),
        reason=None,
        text=text,
        detail=detail,
    )
    topic = None if envelope is None else envelope.TopicArn
    return DecodedEvent(event, body, topic, whole), envelope


def _first_values(of: _GovernedTags) -> dict[str, str] | None:
    """None if one of our tags is missing: such mail is attributed from all of its tags."""
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
        found[CONFIGURATION_SET_TAG] = of.configuration_set[0]
    if of.ses_tenant:
        found[SES_TENANT_TAG] = of.ses_tenant[0]
    return found
