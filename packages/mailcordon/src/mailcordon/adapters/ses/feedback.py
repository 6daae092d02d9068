"""Decodes what the event queues bring: an SES event, bare or in the envelope of SNS or EventBridge, or a notice about no mail.

Nearly all events are read by `common_events.py`; the others, and everything odd, by `event_kinds.py` with one pass of msgspec
for each layer.
"""

import msgspec

from mailcordon.adapters.ses.common_events import decode_common
from mailcordon.adapters.ses.event_document import Document, Mail
from mailcordon.adapters.ses.event_kinds import Unusable, event_of
from mailcordon.messages import reasons
from mailcordon.observe.ports import Decoded, DecodedEvent, Malformed, Notice

_TOPIC_TEST = "Successfully validated SNS topic"
_WHITE = " \t\r\n\ufeff"

_decoder = msgspec.json.Decoder(Document)


def decode(body: str | bytes) -> Decoded:
    """One body of an SQS message, or a document that quarantine kept. Never raises."""
    return decode_common(body) or _decode(body, 0)


def _decode(body: str | bytes, depth: int) -> Decoded:
    try:
        document = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return _no_json(body, str(error))
    try:
        if document.mail is not None:
            return _event(document, document.mail, body)
        if depth < 2 and document.Message is not None and document.Type is not None:
            return _sns(document.Type, document.Message, document.TopicArn, depth)
        if document.detail_type is not None:
            return _event_bridge(document.detail_type, bytes(document.detail), document.resources, body)
    except Unusable as error:
        return Malformed(str(error), body)
    if document.notificationType == "AmazonSnsSubscriptionSucceeded":
        return Notice("AmazonSnsSubscriptionSucceeded", None, False, body)
    if document.notificationType == "Received":
        return Notice(reasons.inbound_mail(), None, True, body)
    return Malformed(reasons.no_mail(), body)


def _event(document: Document, mail: Mail, source: str | bytes) -> Decoded:
    if document.notificationType == "Received":
        return Notice(reasons.inbound_mail(), None, True, source)
    return DecodedEvent(event_of(document, mail, source), source)


def _no_json(body: str | bytes, error: str) -> Decoded:
    start = body[:400] if isinstance(body, str) else body[:400].decode(errors="replace")
    if start.lstrip(_WHITE).startswith(_TOPIC_TEST):
        return Notice(_TOPIC_TEST, None, False, body)
    return Malformed(reasons.no_json(error), body)


def _sns(type: str, message: str, topic: str | None, depth: int) -> Decoded:
    if type != "Notification":
        # SNS confirms a queue without asking; such a message comes when somebody subscribed the queue by hand.
        return Notice(f"SNS: {type}", topic, True, message)
    return _decode(message, depth + 1)


def _event_bridge(detail_type: str, detail: bytes, resources: list[str] | None, body: str | bytes) -> Decoded:
    try:
        document = _decoder.decode(detail)
        problem = reasons.no_member_mail()
    except (msgspec.DecodeError, RecursionError) as error:
        document, problem = Document(), str(error)
    if document.mail is not None:
        return _event(document, document.mail, detail)
    if detail_type.startswith("Email "):
        return Malformed(reasons.no_event_in_envelope(detail_type, problem), body)
    return Notice(detail_type, resources[0] if resources else None, True, body)
