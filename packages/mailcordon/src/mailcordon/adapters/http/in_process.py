"""Calls the routes of the REST API within this process: with the same rights, limits, answers and audit as a call from outside.

The caller has authenticated somebody already, and names the principal instead of showing a key.
"""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlencode

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from mailcordon.adapters.http.auth import PRINCIPAL
from mailcordon.core.principal import Principal
from mailcordon.door.reads import Reads


class InProcess:
    """`rest` is what `server.application` returns. `reads` bounds how many calls of one principal run and wait."""

    def __init__(self, rest: ASGIApp, reads: Reads) -> None:
        self._rest = rest
        self._reads = reads

    async def call(
        self, principal: Principal, method: str, path: str, query: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        """The status and the body of the answer. `path` is decoded: it may have any characters.

        Raises TooMuch if the principal has too many calls waiting, Unavailable if all have."""
        parts: list[bytes] = []
        status = 500
        sent = False

        async def receive() -> Any:
            nonlocal sent
            if sent:
                return {"type": "http.disconnect"}
            sent = True
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            elif message["type"] == "http.response.body":
                parts.append(message.get("body", b""))

        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": urlencode(query).encode(),
            "headers": [
                (b"content-type", b"application/json"),
                (b"content-length", str(len(body)).encode()),
            ],
            "client": None,
            "server": None,
            "state": {},
            "extensions": {},
            PRINCIPAL: principal,
        }
        async with self._reads.of(principal):
            await self._rest(cast(Scope, scope), cast(Receive, receive), cast(Send, send))
        return status, b"".join(parts)
