"""Takes apart what holds several documents: the events of a Lambda function, a batch of Firehose, an error file of Firehose, a
receive of SQS, and texts in which documents follow each other.

What is not such a container is one document, and is returned as it is: `feedback.py` decides what it means.
"""

import binascii
import json

import msgspec

from mailcordon.adapters.ses.event_document import Lenient

MOST_DOCUMENTS = 5_000  #: of a body; what follows is one document. An event of SES has 1 KB, a body 1 MiB
MOST_DEPTH = 3  #: containers in each other: Firehose's error file of a record of a Lambda function's event
_BETWEEN = " \t\r\n,\x1e\ufeff"  #: what stands between documents; a record separator comes from JSON text sequences (RFC 7464)
_MARKS = (b'"Records"', b'"records"', b'"rawData"', b'"Messages"', b"}{", b"}\n{", b"}\r\n{", b"} {")


class _Record(Lenient):
    """A record of a Lambda function's event, of a batch of Firehose, or a message that SQS returned."""

    body: str | None = None  #: Lambda, of SQS
    Sns: msgspec.Raw = msgspec.Raw()  #: Lambda, of SNS
    data: str | None = None  #: Firehose, base64
    Body: str | None = None  #: ReceiveMessage


class _Container(Lenient):
    Records: list[_Record] | None = None
    records: list[_Record] | None = None
    Messages: list[_Record] | None = None
    rawData: str | None = None  #: a record that Firehose could not deliver, base64
    errorCode: str | None = None
    # What an event or an envelope has; a container has none of them.
    mail: msgspec.Raw = msgspec.Raw()
    Message: msgspec.Raw = msgspec.Raw()
    detail: msgspec.Raw = msgspec.Raw()


_container = msgspec.json.Decoder(_Container)
_any = json.JSONDecoder()
Body = str | bytes


def documents(body: Body) -> list[Body]:
    """The documents in a body, in their order. Never raises: what cannot be taken apart is returned as it is."""
    found: list[Body] = []
    _take_apart(body, found, 0)
    return found


def _take_apart(body: Body, found: list[Body], depth: int) -> None:
    if depth > MOST_DEPTH or len(found) >= MOST_DOCUMENTS or not _may_hold_several(body):
        found.append(body)
        return
    try:
        container = _container.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        several = _split(body) if "trailing characters" in str(error) else None
        if several is None:
            found.append(body)
        else:
            for one in several:
                _take_apart(one, found, depth + 1)
        return
    inner = _inner(container)
    if inner is None:
        found.append(body)
        return
    for one in inner:
        _take_apart(one, found, depth + 1)


def _may_hold_several(body: Body) -> bool:
    """A quick look: events come by the thousand, and nearly all are one document."""
    text = body if isinstance(body, bytes) else body.encode(errors="replace")
    return any(mark in text for mark in _MARKS)


def _inner(container: _Container) -> list[Body] | None:
    """None if it is no container."""
    if any(bytes(one) for one in (container.mail, container.Message, container.detail)):
        return None
    if container.rawData is not None and container.errorCode is not None:
        return [_from_base64(container.rawData)]
    records = container.Records or container.records or container.Messages
    if not records:
        return None
    found = [_content(record) for record in records]
    # Some other event of AWS, such as mail that SES received, is one document that says so.
    return None if None in found else [one for one in found if one is not None]


def _content(record: _Record) -> Body | None:
    if sns := bytes(record.Sns):
        return sns
    if record.data is not None:
        return _from_base64(record.data)
    return record.body if record.body is not None else record.Body


def _from_base64(text: str) -> Body:
    """The text itself if it is no base64: it goes to quarantine alone."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        return text


def _split(body: Body) -> list[Body] | None:
    """JSON texts that follow each other, as Firehose's files have them. None if that is not what it is."""
    text = body if isinstance(body, str) else body.decode(errors="replace")
    found: list[Body] = []
    place = 0
    while True:
        while place < len(text) and text[place] in _BETWEEN:
            place += 1
        if place == len(text):
            return found
        if len(found) == MOST_DOCUMENTS:
            found.append(text[place:])
            return found
        try:
            _, end = _any.raw_decode(text, place)
        except (ValueError, RecursionError):
            if not found:
                return None
            found.append(text[place:])
            return found
        found.append(text[place:end])
        place = end
