"""The outbox of HTTP deliveries: messages to SNS endpoints and batches to Firehose endpoints. A failed delivery is retried
after its pauses, on the account's clock; one that is rejected permanently, or too often, is dropped and counted. At most ten
thousand wait at a time. Certificates of endpoints on this machine are not checked."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import aiohttp
from yarl import URL

from seslocal.clock import Clock

log = logging.getLogger("seslocal")

MOST: Final = 10_000  # deliveries that wait
_AT_ONCE: Final = 32
_PATIENCE: Final = 15.0  # seconds per try, as at SNS

#: status and body of a response -> True: delivered, False: retry, None: rejected permanently
Check = Callable[[int, bytes], bool | None]


@dataclass(slots=True)
class HttpDelivery:
    url: str
    headers: dict[str, str]
    body: bytes
    check: Check
    pauses: tuple[float, ...]  #: seconds before each retry
    tries: int = 0


class Outbox:
    def __init__(self, clock: Clock) -> None:
        self.sent = 0  #: deliveries that succeeded
        self.dropped = 0  #: deliveries that failed, or for which the outbox was full
        self._clock = clock
        self._tasks: set[asyncio.Task[None]] = set()
        self.waiting = 0  #: deliveries that are not finished
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    def send(self, delivery: HttpDelivery) -> None:
        if self.waiting >= MOST or self._closed:
            self.dropped += 1
            return
        self.waiting += 1
        self._start(delivery)

    @property
    def under_way(self) -> int:
        """The number of deliveries that are being tried now. Those that wait for a retry are not among them."""
        return len(self._tasks)

    async def tried(self) -> None:
        """Returns when no delivery is being tried."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def endpoints(self) -> list[str]:
        """The URLs that are being tried now, without user names and passwords."""
        return sorted({task.get_name() for task in self._tasks})

    async def close(self) -> None:
        self._closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def _start(self, delivery: HttpDelivery) -> None:
        if self._closed:
            return
        name = str(URL(delivery.url).with_user(None))
        task = asyncio.get_running_loop().create_task(self._try(delivery), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try(self, delivery: HttpDelivery) -> None:
        delivery.tries += 1
        async with self._turns:
            done = await self._post(delivery)
        if done is False and delivery.tries <= len(delivery.pauses):
            self._clock.call_later(delivery.pauses[delivery.tries - 1], lambda: self._start(delivery))
            return
        self.waiting -= 1
        if done:
            self.sent += 1
        else:
            self.dropped += 1
            log.warning("gave up on %s after %d tries", URL(delivery.url).with_user(None), delivery.tries)

    async def _post(self, delivery: HttpDelivery) -> bool | None:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=_PATIENCE)
            # An endpoint that restarts between two tests would close idle connections.
            connector = aiohttp.TCPConnector(force_close=True)
            self._session = aiohttp.ClientSession(timeout=timeout, connector=connector, auto_decompress=False)
        url = URL(delivery.url)
        bare = url.with_user(None) if url.user is not None else url
        try:
            status, body, challenged = await self._once(bare, delivery, delivery.headers)
            if challenged and url.user is not None:
                pair = base64.b64encode(f"{url.user}:{url.password or ''}".encode()).decode()
                status, body, _ = await self._once(
                    bare, delivery, {**delivery.headers, "Authorization": f"Basic {pair}"}
                )
        except (OSError, aiohttp.ClientError, TimeoutError, ValueError) as error:
            log.info("%s: %s", bare, error)
            return False
        return delivery.check(status, body)

    async def _once(
        self, url: URL, delivery: HttpDelivery, headers: dict[str, str]
    ) -> tuple[int, bytes, bool]:
        assert self._session is not None
        checked = not (url.scheme == "https" and _is_here(url.host or ""))
        async with self._session.post(
            url, data=delivery.body, headers=headers, ssl=checked, allow_redirects=False
        ) as response:
            body = await response.content.read(64 * 1024)
            return response.status, body, response.status == 401 and "WWW-Authenticate" in response.headers


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
