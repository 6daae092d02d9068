"""E-mail over our own API: what counts as accepted."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

import pytest

from mailcordon.adapters.web import own_api
from mailcordon.observe.alerts.ports import NotDelivered


@contextlib.asynccontextmanager
async def answering(status: int, document: object) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = json.dumps(document).encode()
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def test_a_mail_that_was_accepted_at_an_earlier_try_is_delivered() -> None:
    """Its text says how long ago something began, so a second try under the same key has another body."""
    async with answering(409, {"code": "idempotency"}) as url:
        await own_api.submit(url, "mck_", "alert-1-1", {})
    async with answering(202, {"deliveries": [{"state": "queued"}]}) as url:
        await own_api.submit(url, "mck_", "alert-1-1", {})


@pytest.mark.parametrize(
    ("status", "document", "id_is_used"),
    [
        (202, {"deliveries": [{"state": "refused", "reason": "suppressed"}]}, True),
        (409, {"code": "retiring"}, False),
        (503, {"code": "busy"}, False),
        (500, [], False),
    ],
)
async def test_any_other_answer_is_tried_again_and_a_refused_mail_under_another_key(
    status: int, document: object, id_is_used: bool
) -> None:
    async with answering(status, document) as url:
        with pytest.raises(NotDelivered) as why:
            await own_api.submit(url, "mck_", "alert-1-1", {})
    assert why.value.id_is_used is id_is_used
