"""The narrowest HTTP client that can call SES and SQS: POST bytes, get bytes, and know what a failure means.

It never tries again and keeps apart the two kinds of failure that matter to mail: `NotSent` (the request cannot have
left) and `Ambiguous` (it may have been carried out). Idle connections are closed after five seconds, because a POST
on a socket that the other side has just closed cannot be told from one that was served. `Transport` is the seam: a
leaner client may take its place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import aiohttp
from yarl import URL

KEEP_ALIVE_SECONDS = 5.0
CONNECT_SECONDS = 5.0
LONGEST_BODY = (
    32 * 1024 * 1024
)  #: bytes; ten SQS messages of 1 MiB with their escapes are the most we ever get


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    headers: Mapping[str, str]  #: looked up by names in lower case
    body: bytes


class CallFailed(Exception):
    """No complete answer came. The message says what happened, for the record of the attempt."""


class NotSent(CallFailed):
    """The connection was never made, so nothing was asked: trying again is safe."""


class Ambiguous(CallFailed):
    """The request, or a part of it, left: it may have been carried out."""


class Transport(Protocol):
    host: str  #: what the Host header says, which the signature covers

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        """Raises NotSent or Ambiguous; every complete answer, whatever its status, is returned."""
        ...

    async def close(self) -> None: ...


class AiohttpTransport:
    """One endpoint, one pool of connections. To be made inside the running event loop."""

    def __init__(self, endpoint: str, *, answer_seconds: float = 30.0, connections: int = 0) -> None:
        """`answer_seconds`: how long a call may take once connected. `connections`: 0 lets the caller be the limit."""
        base = URL(endpoint)
        self._base = base.origin()
        #: What the Host header says, which the signature covers.
        self.host = base.raw_authority if not base.is_default_port() else str(base.raw_host)
        self._urls: dict[str, URL] = {}
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=connections, keepalive_timeout=KEEP_ALIVE_SECONDS, ttl_dns_cache=30
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(
                total=CONNECT_SECONDS + answer_seconds, connect=CONNECT_SECONDS, sock_read=answer_seconds
            ),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
            auto_decompress=False,
            trust_env=False,
        )

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Response:
        url = self._urls.get(path)
        if url is None:
            url = self._urls[path] = self._base.with_path(path, encoded=True)
        try:
            async with self._session.post(url, data=body, headers=headers, allow_redirects=False) as answer:
                return Response(answer.status, answer.headers, await self._read(answer))
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(f"no connection to {self.host}: {_words(error)}") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Ambiguous(f"{self.host} gave no complete answer: {_words(error)}") from error

    async def close(self) -> None:
        await self._session.close()

    async def _read(self, answer: aiohttp.ClientResponse) -> bytes:
        if (answer.content_length or 0) > LONGEST_BODY:
            raise aiohttp.ClientPayloadError(f"{answer.content_length} bytes are more than we read")
        return await answer.read()


def _words(error: BaseException) -> str:
    return str(error) or type(error).__name__
