"""Delivery to Firehose's HTTP endpoints: documents are buffered and sent as one batch when the buffer is full or old enough, in
Firehose's request format. Documents for a stream without an endpoint are dropped."""

from __future__ import annotations

import base64
from functools import partial
from typing import Final

import msgspec

from seslocal.state.account import Account
from seslocal.state.firehose_streams import FirehoseStream
from seslocal.state.outbox import HttpDelivery

_encode = msgspec.json.Encoder().encode
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)  # Firehose retries for five minutes
_MOST_RECORDS: Final = 10_000


class _Receipt(msgspec.Struct):
    requestId: str  #: in Firehose's spelling


def put(account: Account, arn: str, record: bytes) -> None:
    stream = account.events.streams.get(arn.rpartition("/")[2])
    if stream is None:
        return
    if not stream.records:
        account.clock.call_later(stream.seconds, partial(_flush_when_due, account, stream, stream.batch))
    stream.records.append(record)
    stream.size += len(record)
    if stream.size >= stream.most_bytes or len(stream.records) >= _MOST_RECORDS:
        flush(account, stream)


def flush(account: Account, stream: FirehoseStream) -> int:
    """Sends the buffered records. Returns their number."""
    records, stream.records, stream.size = stream.records, [], 0
    stream.batch += 1
    if records:
        account.events.outbox.send(_batch(account, stream, records))
    return len(records)


def _flush_when_due(account: Account, stream: FirehoseStream, batch: int) -> None:
    if stream.batch == batch and account.events.streams.get(stream.name) is stream:
        flush(account, stream)


def _batch(account: Account, stream: FirehoseStream, records: list[bytes]) -> HttpDelivery:
    request_id = account.ids.uuid()
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "Amazon Kinesis Data Firehose Agent/1.0",
        "X-Amz-Firehose-Protocol-Version": "1.0",
        "X-Amz-Firehose-Request-Id": request_id,
        "X-Amz-Firehose-Source-Arn": (
            f"arn:aws:firehose:{account.region}:{account.id}:deliverystream/{stream.name}"
        ),
    }
    if stream.access_key:
        headers["X-Amz-Firehose-Access-Key"] = stream.access_key
    if stream.attributes:
        common = _encode({"commonAttributes": stream.attributes}).decode()
        headers["X-Amz-Firehose-Common-Attributes"] = common
    body = {
        "requestId": request_id,
        "timestamp": int(account.clock.now() * 1000),
        "records": [{"data": base64.b64encode(record).decode()} for record in records],
    }
    return HttpDelivery(stream.url, headers, _encode(body), partial(_is_delivered, request_id), _PAUSES)


def _is_delivered(request_id: str, status: int, body: bytes) -> bool | None:
    """Firehose treats a batch as delivered only if the response repeats its id. It retries anything else except a 413."""
    if status == 413:
        return None
    try:
        response = msgspec.json.decode(body, type=_Receipt)
    except (ValueError, RecursionError):
        return False
    return status == 200 and response.requestId == request_id
