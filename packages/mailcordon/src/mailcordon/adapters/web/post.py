"""POSTs to a URL that somebody else configured.

The name is resolved once for a message, or for a few that follow each other. Every address that it has is checked, and the
connection goes to one of these: a name that resolves to something else a moment later changes nothing. The certificate must be
the name's. Redirects are not followed, proxies of the environment are not used, and the time is bounded. Nothing of the answer
but its status is read, so that no page of ours can be read this way, and no body that is slow, endless or broken makes a message
that arrived look as if it had not.
"""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from mailcordon.adapters.web import addresses
from mailcordon.adapters.web.addresses import Network
from mailcordon.messages import alerts as messages
from mailcordon.observe.alerts.ports import NotDelivered

if TYPE_CHECKING:
    import aiohttp
    from aiohttp.abc import AbstractResolver

SECONDS = 10.0  #: for all of it: name, connection, answer
LONGEST_URL = 2_000
LOOK_UPS = 8  #: names that are looked up at a time
_MOST_WAIT = 3_600  #: seconds of a Retry-After that are believed
_GONE = 410


class Poster:
    """`networks`: addresses that are allowed although they are not public, and may be reached without TLS."""

    def __init__(
        self,
        networks: Sequence[Network] = (),
        *,
        seconds: float = SECONDS,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._networks = tuple(networks)
        self._seconds = seconds
        self._tls = tls
        # Apart from the threads of everything else: a name server that does not answer keeps them for long. A name has one of
        # them at most, so that it delays no other.
        self._threads = ThreadPoolExecutor(LOOK_UPS, thread_name_prefix="look-up")
        self._look_ups: dict[str, asyncio.Future[list[str]]] = {}

    def check(self, url: str) -> None:
        """Raises ValueError for a URL that can never be used. Its addresses are checked at each request."""
        parts = _parts(url)
        host = parts.hostname or ""
        try:
            literal = ipaddress.ip_address(host)
        except ValueError:
            if parts.scheme != "https" and not self._networks:
                raise ValueError(messages.url_without_tls()) from None
            return
        if not addresses.is_allowed(host, self._networks):
            raise ValueError(messages.address_not_allowed(host))
        if parts.scheme != "https" and not addresses.is_named(literal, self._networks):
            raise ValueError(messages.url_without_tls())

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        """The status of the answer, if it is 2xx. Raises NotDelivered."""
        try:
            async with (
                asyncio.timeout(self._seconds),
                self.line(url, connections=1, keep=False) as line,
            ):
                return await line.post(body, headers)
        except TimeoutError:
            raise NotDelivered(messages.no_answer(self._seconds)) from None

    @contextlib.asynccontextmanager
    async def line(self, url: str, *, connections: int, keep: bool = True) -> AsyncGenerator["Line"]:
        """For several messages to one URL: its name is resolved once, and its connections are kept between messages. Raises
        NotDelivered."""
        import aiohttp

        try:
            parts = _parts(url)
        except ValueError as wrong:
            raise NotDelivered(str(wrong)) from None
        try:
            async with asyncio.timeout(self._seconds):
                found = await self._resolve(parts.hostname or "")
        except TimeoutError:
            raise NotDelivered(messages.no_answer(self._seconds)) from None
        if parts.scheme != "https" and not all(
            addresses.is_named(ipaddress.ip_address(one), self._networks) for one in found
        ):
            raise NotDelivered(messages.url_without_tls())
        connector = aiohttp.TCPConnector(
            resolver=_known(parts.hostname or "", found),
            use_dns_cache=False,
            force_close=not keep,
            limit=connections,
            ssl=self._tls if self._tls is not None else True,
            socket_factory=self._socket,
        )
        async with aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            max_line_size=8_190,
        ) as session:
            yield Line(session, url, parts.hostname or "", self._seconds, keeps=keep)

    async def _resolve(self, host: str) -> list[str]:
        """All its addresses, each of them allowed. Raises NotDelivered."""
        look_up = self._look_ups.get(host)
        if look_up is None:
            look_up = asyncio.get_running_loop().run_in_executor(self._threads, _addresses, host)
            self._look_ups[host] = look_up
            look_up.add_done_callback(lambda done: self._looked_up(host, done))
        try:
            found = await asyncio.shield(look_up)
        except (OSError, UnicodeError):
            raise NotDelivered(messages.name_not_found(host)) from None
        for address in found:
            if not addresses.is_allowed(address, self._networks):
                raise NotDelivered(messages.resolves_to(host, address))
        if not found:
            raise NotDelivered(messages.name_not_found(host))
        return found

    def _looked_up(self, host: str, done: "asyncio.Future[list[str]]") -> None:
        del self._look_ups[host]
        if not done.cancelled():
            done.exception()  # nobody may wait for it any more

    def _socket(self, info: tuple[int, int, int, str, tuple[object, ...]]) -> socket.socket:
        """The last look: whatever led here, no socket is made for another address."""
        address = str(info[4][0])
        if not addresses.is_allowed(address, self._networks):
            raise OSError(messages.address_not_allowed(address))
        return socket.socket(info[0], info[1], info[2])


class Line:
    """Messages to one URL. Several may be sent at a time. A connection whose answer did not end at once is not used again."""

    def __init__(
        self, session: "aiohttp.ClientSession", url: str, host: str, seconds: float, *, keeps: bool
    ) -> None:
        self._session = session
        self._url = url
        self._host = host
        self._seconds = seconds
        self._keeps = keeps

    async def post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """As `Poster.post`. A kept connection that the receiver has closed meanwhile is no failure: it is sent once more."""
        import aiohttp

        try:
            async with asyncio.timeout(self._seconds):
                try:
                    return await self._post(body, headers)
                except aiohttp.ServerDisconnectedError:
                    if not self._keeps:
                        raise
                    return await self._post(body, headers)
        except TimeoutError:
            raise NotDelivered(messages.no_answer(self._seconds)) from None
        except aiohttp.ClientConnectorCertificateError:
            raise NotDelivered(messages.bad_certificate(self._host)) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NotDelivered(messages.not_reached(_why(error))) from None

    async def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        async with self._session.post(
            self._url,
            data=body,
            headers={"User-Agent": "Mailcordon", "Accept": "*/*", **headers},
            allow_redirects=False,
        ) as answer:
            if not 200 <= answer.status < 300:
                raise NotDelivered(
                    messages.answered(answer.status),
                    retry_after=_wait(answer.headers.get("Retry-After")),
                    is_gone=answer.status == _GONE,
                )
            return answer.status


def _addresses(host: str) -> list[str]:
    rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


def _known(of: str, found: Sequence[str]) -> "AbstractResolver":
    """A resolver of aiohttp that knows one name, and asks nobody."""
    from aiohttp.abc import AbstractResolver, ResolveResult

    class Known(AbstractResolver):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            if host != of:
                raise OSError(host)
            return [
                ResolveResult(
                    hostname=host,
                    host=one,
                    port=port,
                    family=socket.AF_INET6 if ":" in one else socket.AF_INET,
                    proto=socket.IPPROTO_TCP,
                    flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
                )
                for one in found
            ]

        async def close(self) -> None:
            pass

    return Known()


def _parts(url: str):
    """Raises ValueError for what is no URL of a web server, or has a user or password in it."""
    if len(url) > LONGEST_URL or not url.isascii() or any(not 33 <= ord(one) <= 126 for one in url):
        raise ValueError(messages.bad_url())
    parts = urlsplit(url)
    try:
        _ = parts.port
    except ValueError:
        raise ValueError(messages.bad_url()) from None
    if (
        parts.scheme not in ("https", "http")
        or not parts.hostname
        or "@" in parts.netloc
        or "%" in parts.netloc
    ):
        raise ValueError(messages.bad_url())
    return parts


def _wait(header: str | None) -> int | None:
    return (
        min(int(header), _MOST_WAIT)
        if header and header.isascii() and header.isdigit() and len(header) < 9
        else None
    )


def _why(error: Exception) -> str:
    cause = getattr(error, "os_error", error)
    return str(getattr(cause, "strerror", None) or type(error).__name__)
