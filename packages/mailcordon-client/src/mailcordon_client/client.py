"""The two clients: they carry out what `exchange.perform` asks for, one by blocking, the other with `await`."""

import asyncio
import functools
import os
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Final, TypeVar
from urllib.parse import urlsplit

import httpx

from mailcordon_client import operations
from mailcordon_client.errors import MailcordonError, Problem
from mailcordon_client.exchange import Answer, Call, Failure, Request, Retries, perform
from mailcordon_client.message import Message
from mailcordon_client.results import Accepted, Cancelled, MessageStatus

T = TypeVar("T")

TIMEOUT: Final = 30.0  #: seconds for each step of a request: to connect, to write, to read
_RETRIES: Final = Retries()


@functools.cache
def _trust() -> ssl.SSLContext:
    """Made once: reading all certificates takes 20 ms, and Django's backend makes a client for each mail."""
    return httpx.create_ssl_context()


def _settings(url: str | None, key: str | None, timeout: float) -> tuple[str, dict[str, str], httpx.Timeout]:
    """The server's URL and the headers of every request. Raises ValueError if one of the two is not known."""
    url = url or os.environ.get("MAILCORDON_URL", "")
    key = key or os.environ.get("MAILCORDON_KEY", "")
    if not key:
        raise ValueError("There is no API key: give `key`, or set MAILCORDON_KEY.")
    if not (key.isascii() and key.isprintable()):
        raise ValueError("The API key has characters that no key has.")  # never shown: it may end in a log
    try:
        parts = urlsplit(url)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port or an IPv6 address that cannot be
        known = False
    if not known:
        raise ValueError(
            f"{url!r} is not the URL of a server: give `url`, or set MAILCORDON_URL, for example https://mailcordon.internal."
        )
    headers = {
        "authorization": f"Bearer {key}",
        "user-agent": "mailcordon-client/0.1",
        "accept": "application/json",
    }
    return url.rstrip("/"), headers, httpx.Timeout(timeout)


def _answer(response: httpx.Response) -> Answer:
    return Answer(response.status_code, dict(response.headers.items()), response.content)


def _failure(url: str, error: httpx.RequestError) -> Failure:
    return Failure(f"No answer from {url}: {error or type(error).__name__}")


class Client:
    """Sends messages, and shows and cancels them. Threads may share one; it keeps its connections open until `close`.

    Without `url` and `key`, MAILCORDON_URL and MAILCORDON_KEY of the environment are used. Raises ValueError without either.
    """

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT,
        retries: Retries = _RETRIES,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url, headers, limits = _settings(url, key, timeout)
        self._http = httpx.Client(headers=headers, timeout=limits, verify=_trust())
        self._retries = retries
        self._sleep = sleep

    def send(self, message: Message, *, idempotency_key: str | None = None) -> Accepted:
        """Hands the message over. When this returns, it is stored durably. Raises MailcordonError.

        With its key (one is made if you give none) a message is accepted once, however often it is handed over within 24 hours.
        Give one that your app can repeat, such as `invoice-4711`, if your own process may die before this returns.
        """
        key = idempotency_key or operations.new_key()
        try:
            return self._perform(operations.send(message, key))
        except MailcordonError as error:
            error.idempotency_key = key
            raise

    def send_batch(
        self, messages: Sequence[Message], *, idempotency_keys: Sequence[str] | None = None
    ) -> list[Accepted | Problem]:
        """Hands over up to 1,000 messages at once. Returns for each, in order, what was accepted or why not; raises
        MailcordonError only if the request as a whole failed.

        Each message has an idempotency key, yours or a new one. A `Later` among the results has it too, to be sent again. An
        error of the request has all of them, as `idempotency_keys`.
        """
        keys = idempotency_keys or [operations.new_key() for _ in messages]
        try:
            return self._perform(operations.send_batch(messages, keys))
        except MailcordonError as error:
            error.idempotency_keys = tuple(keys)
            raise

    def message(self, id: str) -> MessageStatus:
        """What became of a message, for each recipient. The key needs the scope `read`."""
        return self._perform(operations.message(id))

    def cancel(self, id: str) -> Cancelled:
        """Cancels the deliveries that have not left."""
        return self._perform(operations.cancel(id))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _perform(self, call: Call[T]) -> T:
        steps = perform(call, self._retries)
        outcome: Answer | Failure | None = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as done:
                return done.value
            if isinstance(step, Request):
                outcome = self._exchange(step)
            else:
                self._sleep(step.seconds)
                outcome = None

    def _exchange(self, request: Request) -> Answer | Failure:
        try:
            return _answer(
                self._http.request(
                    request.method,
                    self._url + request.path,
                    content=request.body,
                    headers=dict(request.headers),
                )
            )
        except httpx.RequestError as error:
            return _failure(self._url, error)


class AsyncClient:
    """As Client, with `await`. One belongs to one event loop."""

    def __init__(
        self,
        url: str | None = None,
        key: str | None = None,
        *,
        timeout: float = TIMEOUT,
        retries: Retries = _RETRIES,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._url, headers, limits = _settings(url, key, timeout)
        self._http = httpx.AsyncClient(headers=headers, timeout=limits, verify=_trust())
        self._retries = retries
        self._sleep = sleep

    async def send(self, message: Message, *, idempotency_key: str | None = None) -> Accepted:
        """As Client.send."""
        key = idempotency_key or operations.new_key()
        try:
            return await self._perform(operations.send(message, key))
        except MailcordonError as error:
            error.idempotency_key = key
            raise

    async def send_batch(
        self, messages: Sequence[Message], *, idempotency_keys: Sequence[str] | None = None
    ) -> list[Accepted | Problem]:
        """As Client.send_batch."""
        keys = idempotency_keys or [operations.new_key() for _ in messages]
        try:
            return await self._perform(operations.send_batch(messages, keys))
        except MailcordonError as error:
            error.idempotency_keys = tuple(keys)
            raise

    async def message(self, id: str) -> MessageStatus:
        """As Client.message."""
        return await self._perform(operations.message(id))

    async def cancel(self, id: str) -> Cancelled:
        """As Client.cancel."""
        return await self._perform(operations.cancel(id))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _perform(self, call: Call[T]) -> T:
        steps = perform(call, self._retries)
        outcome: Answer | Failure | None = None
        while True:
            try:
                step = steps.send(outcome)
            except StopIteration as done:
                return done.value
            if isinstance(step, Request):
                outcome = await self._exchange(step)
            else:
                await self._sleep(step.seconds)
                outcome = None

    async def _exchange(self, request: Request) -> Answer | Failure:
        try:
            return _answer(
                await self._http.request(
                    request.method,
                    self._url + request.path,
                    content=request.body,
                    headers=dict(request.headers),
                )
            )
        except httpx.RequestError as error:
            return _failure(self._url, error)
