"""Links to unsubscribe: `/u/TOKEN`, for mail programs and for people. It needs no key; the token is the right.

POST with the one field of RFC 8058 unsubscribes. GET and HEAD show a page and change nothing, since scanners and mail programs
follow links before anybody reads the mail. The page's own forms do what their buttons say; any other POST changes nothing.

Plain ASGI: requests take no turns among the API's reads, and have database connections of their own.
"""

import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import cast
from urllib.parse import parse_qsl

import structlog
from litestar.types import HTTPScope, Receive, Scope, Send

from mailcordon.adapters.http import message_endpoint, unsubscribe_page
from mailcordon.adapters.http.message_endpoint import Reply
from mailcordon.core.errors import Unavailable
from mailcordon.door.visitors import Visitors
from mailcordon.messages import unsubscribe as messages
from mailcordon.observe.unsubscribing import How, Subscriptions, UnsubscribeStore
from mailcordon.send.unsubscribe import PATH, Named, is_one_click

log = structlog.get_logger("mailcordon.unsubscribe")

MAX_BODY = 32 * 1024  #: bytes: the list of a hundred mailings has some 15 KB
_MOST_WAITING = 256  #: requests that wait for the database
_RETRY_SECONDS = 60
_PLAIN = {**unsubscribe_page.HEADERS, "content-type": "text/plain; charset=utf-8"}


class Unsubscribe:
    """`read`: whom a token names; None for a text that is no token of ours. `refused` is told the name of a limit."""

    def __init__(
        self,
        store: UnsubscribeStore,
        read: Callable[[str], Awaitable[Named | None]],
        *,
        refused: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._read = read
        self._refused = refused
        self._clock = clock
        self._visitors = Visitors()
        self._waiting = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            reply = await self._reply(cast(HTTPScope, scope), receive)
        except Unavailable:
            reply = _busy()
        except Exception as error:
            log.error("unexpected error", error=type(error).__name__, exc_info=error)
            reply = _busy()
        await message_endpoint.respond(send, reply)

    async def _reply(self, scope: HTTPScope, receive: Receive) -> Reply:
        method = scope["method"]
        if method not in ("GET", "HEAD", "POST"):
            return _notice(405, messages.method(), {"allow": "GET, HEAD, POST"})
        with self._counted():
            named = await self._read(scope["path"].removeprefix(PATH))
        wait = self._visitors.retry_after(
            message_endpoint.client_of(scope), self._clock(), real=named is not None
        )
        if wait is not None:
            self._refused("unsubscribes-per-address")
            return _notice(429, messages.too_many(), {"retry-after": str(wait)})
        if named is None:
            return _notice(404, messages.link_unknown())
        if method == "POST":
            body = await _body(receive)  # not counted: slow clients must not take the places of others
            if body is None:
                return _notice(413, messages.nothing_changed())
            with self._counted():
                return await self._post(named, _header(scope, b"content-type"), body)
        with self._counted():
            found = await self._store.subscriptions(named.lane, named.hash)
        return _notice(410, messages.lane_gone()) if found is None else _page(200, found)

    @contextmanager
    def _counted(self) -> Generator[None]:
        """Around what waits for the database. Raises Unavailable if too many do."""
        if self._waiting >= _MOST_WAITING:
            self._refused("unsubscribes")
            raise Unavailable(messages.busy())
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def _post(self, named: Named, content_type: str, body: bytes) -> Reply:
        if is_one_click(content_type, body):
            await self._store.choose(named.lane, named.hash, {named.lane: False}, How.ONE_CLICK)
            return Reply(200, messages.done().encode(), _PLAIN)
        found = await self._store.subscriptions(named.lane, named.hash)
        if found is None:
            return _notice(410, messages.lane_gone())
        chosen = _chosen(content_type, body, found)
        if chosen is None:
            return _page(400, found, messages.nothing_changed())
        wanted, said = chosen
        await self._store.choose(named.lane, named.hash, wanted, How.PAGE)
        now = await self._store.subscriptions(named.lane, named.hash)
        return _page(200, now or found, said)


def _chosen(
    content_type: str, body: bytes, found: Subscriptions
) -> tuple[dict[int, bool], str | None] | None:
    """Which lanes the recipient wants, and what to say. None for a form that is none of the page's."""
    if content_type.partition(";")[0].strip().lower() != "application/x-www-form-urlencoded":
        return None
    try:
        fields = parse_qsl(body.decode("ascii"), keep_blank_values=True, max_num_fields=1000)
    except (UnicodeDecodeError, ValueError):
        return None
    match [value for name, value in fields if name == unsubscribe_page.DO]:
        case [unsubscribe_page.UNSUBSCRIBE]:
            return {found.linked.lane: False}, None
        case [unsubscribe_page.CHOOSE]:
            shown = {value for name, value in fields if name == unsubscribe_page.SHOWN}
            ticked = {value for name, value in fields if name == unsubscribe_page.WANTED}
            of_list = (one for one in found.marketing if one.type in shown and not one.stopped)
            return {one.lane: one.type in ticked for one in of_list}, messages.saved()
        case _:
            return None


def _header(scope: HTTPScope, name: bytes) -> str:
    return next((value.decode("latin-1") for known, value in scope["headers"] if known == name), "")


async def _body(receive: Receive) -> bytes | None:
    """None if it is too large or cut off."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY:
            return None
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


def _page(status: int, found: Subscriptions, said: str | None = None) -> Reply:
    return Reply(status, unsubscribe_page.page(found, said), unsubscribe_page.HEADERS)


def _notice(status: int, text: str, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, unsubscribe_page.notice(text), {**unsubscribe_page.HEADERS, **(headers or {})})


def _busy() -> Reply:
    return _notice(503, messages.busy(), {"retry-after": str(_RETRY_SECONDS)})
