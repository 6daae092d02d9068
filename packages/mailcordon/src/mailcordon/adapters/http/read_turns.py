"""Lets requests read the database in turn (door/reads.py): everything but POST /v1/messages, whose batches take turns themselves.

The turn is taken before the key is looked up in the database, and held for the work only: not while the body arrives, and not
while the client reads the response, since a slow client must not keep others waiting.
"""

import time
from collections import deque
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, cast

from litestar.types import HTTPScope, Message, Receive, Scope, Send

from mailcordon.adapters.http import message_endpoint
from mailcordon.adapters.http.request_headers import credentials
from mailcordon.control.key_cache import KeyCache
from mailcordon.door.buckets import Buckets
from mailcordon.door.reads import Reads


def _turn(
    scope: HTTPScope, keys: KeyCache, reads: Reads, buckets: Buckets
) -> AbstractAsyncContextManager[None]:
    """Raises TooMuch if the key or its tenant reads more than its rate gives, and Malformed for two keys."""
    authorization, _ = credentials(scope["headers"])
    principal = keys.lookup(authorization)
    if principal is None:
        return reads.of_client(message_endpoint.client_of(scope))
    now, slug = time.monotonic(), principal.tenant_slug
    buckets.read_of_key(principal.key_id, principal.prefix, principal.limits, now, platform=slug is None)
    if slug is not None:
        buckets.read_of_tenant(slug, now)
    return reads.of(principal)


def in_turn(
    rest: message_endpoint.App, keys: KeyCache, reads: Reads, buckets: Buckets, most: Callable[[str], int]
) -> message_endpoint.App:
    """The ASGI application `rest`, whose requests take turns. Bodies of more bytes than `most` of their path are left to it, to
    refuse."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await rest(scope, receive, send)
            return
        arrived = _Arrived(receive)
        if scope["method"] not in ("GET", "HEAD"):
            await arrived.read(most(scope["path"]))
        response: list[Message] = []

        async def keep(message: Message) -> None:
            response.append(message)

        try:
            async with _turn(cast(HTTPScope, scope), keys, reads, buckets):
                await rest(scope, arrived, keep)
        except Exception as error:
            if response:
                raise
            await message_endpoint.respond(send, message_endpoint.failure(error))
            return
        for message in response:
            await send(message)

    return app


class _Arrived:
    """The parts of a body, read before they are asked for."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._parts: deque[Any] = deque()

    async def read(self, most: int) -> None:
        size = 0
        while size <= most:
            part = await self._receive()
            self._parts.append(part)
            if part["type"] != "http.request" or not part.get("more_body"):
                return
            size += len(part.get("body", b""))

    async def __call__(self) -> Any:
        return self._parts.popleft() if self._parts else await self._receive()
