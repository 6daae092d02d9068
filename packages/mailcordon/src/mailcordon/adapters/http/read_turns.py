"""Lets requests read the database in turn (door/reads.py): everything but POST /v1/messages, whose batches take turns themselves.

The turn is taken before the key is looked up in the database, and held for the work only: not while the body arrives, and not while
the client reads the response, since a slow client must not keep others waiting.
"""

import time
from collections.abc import Hashable
from contextlib import AbstractAsyncContextManager
from typing import cast

from litestar.types import HTTPScope, Message, Receive, Scope, Send

from mailcordon.adapters.http import messages
from mailcordon.control.key_cache import KeyCache
from mailcordon.core.principal import Principal
from mailcordon.door.buckets import Buckets
from mailcordon.door.reads import Reads


class ReadTurns:
    """Of one process."""

    def __init__(self, keys: KeyCache, reads: Reads, buckets: Buckets) -> None:
        self._keys = keys
        self._reads = reads
        self._buckets = buckets

    def of(self, principal: Principal) -> AbstractAsyncContextManager[None]:
        """A turn for work that a request of this key causes."""
        return self._reads.turn(_name(principal))

    def of_stranger(self, client: Hashable) -> AbstractAsyncContextManager[None]:
        """A turn to look a key up."""
        return self._reads.turn(("client", client))

    def request(self, scope: HTTPScope) -> AbstractAsyncContextManager[None]:
        """A turn for a whole request. Raises TooMuch if its key or tenant reads more than its rate gives."""
        authorization, _ = messages.key_headers(scope["headers"])
        principal = self._keys.lookup(authorization)
        if principal is None:
            return self.of_stranger((scope.get("client") or ("",))[0])
        now, slug = time.monotonic(), principal.tenant_slug
        self._buckets.read_of_key(
            principal.key_id, principal.prefix, principal.limits, now, platform=slug is None
        )
        if slug is not None:
            self._buckets.read_of_tenant(slug, now)
        return self.of(principal)


def in_turn(rest: messages.App, turns: ReadTurns, most: int) -> messages.App:
    """The ASGI application `rest`, whose requests take turns. Bodies of more than `most` bytes are left to it, to refuse."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await rest(scope, receive, send)
            return
        arrived = _Arrived(receive, [])
        if scope["method"] not in ("GET", "HEAD"):
            await arrived.read(most)
        response: list[Message] = []

        async def keep(message: Message) -> None:
            response.append(message)

        try:
            async with turns.request(cast(HTTPScope, scope)):
                await rest(scope, arrived, keep)
        except Exception as error:
            if response:
                raise
            await messages.respond(send, messages.failure(error))
            return
        for message in response:
            await send(message)

    return app


class _Arrived:
    """The parts of a body, read before they are asked for."""

    def __init__(self, receive: Receive, parts: list[Message]) -> None:
        self._receive = receive
        self._parts = parts

    async def read(self, most: int) -> None:
        size = 0
        while size <= most:
            part = await self._receive()
            self._parts.append(part)
            if part["type"] != "http.request" or not part.get("more_body"):
                return
            size += len(part.get("body", b""))

    async def __call__(self) -> Message:
        return self._parts.pop(0) if self._parts else await self._receive()


def _name(principal: Principal) -> Hashable:
    return ("key", principal.key_id) if principal.tenant_id is None else ("tenant", principal.tenant_id)
