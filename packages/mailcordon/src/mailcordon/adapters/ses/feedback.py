"""Decodes what the event queues bring: an SES event, bare or in the envelope of SNS or EventBridge, or a notice about no mail.

Nearly all events are read by `common_events.py`; the others by `event_kinds.py` with one pass of msgspec for each layer; and a
document with an odd member by `lenient.py`. `Reader` also decides whether a message comes from SES.
"""

from collections.abc import Set

import msgspec

from mailcordon.adapters.ses import lenient
from mailcordon.adapters.ses.common_events import decode_common
from mailcordon.adapters.ses.event_document import Document, Mail, SnsMessage
from mailcordon.adapters.ses.event_kinds import Unusable, event_of
from mailcordon.adapters.ses.sns_signature import Proof
from mailcordon.messages import reasons
from mailcordon.observe.ports import Decoded, DecodedEvent, Malformed, Notice, Undecided, Unverified

_TOPIC_TEST = "Successfully validated SNS topic"
_WHITE = " \t\r\n\ufeff"

_decoder = msgspec.json.Decoder(Document)


class Reader:
    """Implements `EventReader` with SNS's signatures, or with the queue's policy."""

    def __init__(self, proof: Proof) -> None:
        self.proof = proof

    def decode(self, body: str | bytes, *, proved: bool = False) -> Decoded | Undecided:
        decoded, envelope = decode_with_envelope(body)
        if proved or (isinstance(decoded, Notice) and not decoded.keep):
            return decoded
        verdict = self.proof.without_envelope() if envelope is None else self.proof.check(envelope)
        if verdict is None:
            return decoded
        return verdict if isinstance(verdict, Undecided) else Unverified(verdict, body)

    async def fetch(self, certificates: Set[str]) -> None:
        await self.proof.fetch(certificates)


def decode(body: str | bytes) -> Decoded:
    """One document, whoever wrote it. Never raises."""
    return decode_with_envelope(body)[0]


def decode_with_envelope(body: str | bytes) -> tuple[Decoded, SnsMessage | None]:
    """As `decode`, with the outermost envelope if that is SNS's."""
    return decode_common(body) or _decode_carefully(body, body, None, 0)


def _decode_carefully(
    body: str | bytes, whole: str | bytes, envelope: SnsMessage | None, depth: int
) -> tuple[Decoded, SnsMessage | None]:
    try:
        document = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        odd = lenient.read(body)
        if odd is None:
            return _no_json(body, str(error)), envelope
        document = odd
    if document.mail is None and depth < 2 and document.Message is not None and document.Type is not None:
        envelope = envelope or document
        if document.Type == "Notification":
            return _decode_carefully(document.Message, whole, envelope, depth + 1)
        # SNS confirms a queue without asking; such a message comes when somebody subscribed the queue by hand.
        return Notice(f"SNS: {document.Type}", document.TopicArn, True, document.Message), envelope
    try:
        decoded = _unwrapped(document, body)
    except Unusable as error:
        decoded = Malformed(str(error), body)
    if isinstance(decoded, DecodedEvent):
        decoded.topic = None if envelope is None else envelope.TopicArn
        decoded.body = whole
    return decoded, envelope


def _unwrapped(document: Document, body: str | bytes) -> Decoded:
    """Raises Unusable."""
    if document.mail is not None:
        return _event(document, document.mail, body)
    if document.detail_type is not None:
        return _event_bridge(document.detail_type, bytes(document.detail), document.resources, body)
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


def _event_bridge(detail_type: str, detail: bytes, resources: list[str] | None, body: str | bytes) -> Decoded:
    problem = reasons.no_member_mail()
    try:
        document = _decoder.decode(detail)
    except (msgspec.DecodeError, RecursionError) as error:
        document, problem = lenient.read(detail) or Document(), str(error)
    if document.mail is not None:
        return _event(document, document.mail, detail)
    if detail_type.startswith("Email "):
        return Malformed(reasons.no_event_in_envelope(detail_type, problem), body)
    return Notice(detail_type, resources[0] if resources else None, True, body)
