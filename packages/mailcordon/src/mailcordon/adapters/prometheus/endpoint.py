"""`GET /metrics` of one role process, on a port of its own.

It takes few connections at a time, each for one request with a small head, and for a few seconds: whoever reaches the port cannot
slow the role's own work by much. What fails here is logged and does not end the role.
"""

import asyncio
import hmac
import logging
import socket
from collections.abc import Awaitable, Callable

from mailcordon.core.log_limit import LogLimit
from mailcordon.messages import machine_metrics

MOST_CONNECTIONS = 8
MOST_HEAD = 8192  #: bytes
HEAD_SECONDS = 5.0
ANSWER_SECONDS = 20.0  #: with reading the state of the installation and with a slow reader

#: From the Accept header to the body and its content type.
Page = Callable[[str], Awaitable[tuple[bytes, str]]]

_log = logging.getLogger(__name__)
_TEXT = "text/plain; charset=utf-8"


class Endpoint:
    def __init__(self, page: Page, *, token: str | None) -> None:
        """`token`: what a scraper must send as a bearer token; None: nothing."""
        self._page = page
        self._token = token
        self._open = 0
        self._logged = LogLimit()

    async def start(self, listener: socket.socket) -> asyncio.Server:
        return await asyncio.start_server(self._serve, sock=listener, limit=MOST_HEAD)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._open >= MOST_CONNECTIONS:
            writer.transport.abort()
            return
        self._open += 1
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
            async with asyncio.timeout(ANSWER_SECONDS):
                writer.write(await self._answer(head.decode("latin-1")))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, EOFError, TimeoutError, asyncio.LimitOverrunError):
            pass  # a scraper that went away, or none
        finally:
            self._open -= 1
            writer.transport.abort()

    async def _answer(self, head: str) -> bytes:
        first, *lines = head.split("\r\n")
        method, _, rest = first.partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        fields = {
            name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
        }
        if path != "/metrics":
            return _response("404 Not Found", machine_metrics.wrong_path().encode())
        if method not in ("GET", "HEAD"):
            return _response(
                "405 Method Not Allowed", machine_metrics.wrong_method().encode(), "Allow: GET, HEAD"
            )
        if not self._may(fields.get("authorization", "")):
            refused = machine_metrics.wrong_token().encode()
            return _response("401 Unauthorized", refused, "WWW-Authenticate: Bearer")
        try:
            body, content_type = await self._page(fields.get("accept", ""))
        except Exception:
            if self._logged.count("failed"):
                _log.exception("metrics could not be made")
            return _response("500 Internal Server Error", machine_metrics.not_made().encode())
        return _response("200 OK", body, content_type=content_type, head_only=method == "HEAD")

    def _may(self, authorization: str) -> bool:
        if self._token is None:
            return True
        scheme, _, given = authorization.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode("latin-1"), self._token.encode()
        )


def _response(
    status: str, body: bytes, *headers: str, content_type: str = _TEXT, head_only: bool = False
) -> bytes:
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        "Connection: close",
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + (b"" if head_only else body)
