"""The narrowest HTTP client that can call SES and SQS: POST bytes, get bytes, and know what a failure means.

It never tries again and keeps apart the two kinds of failure that matter to mail: `NotSent` (the request cannot have
left) and `Ambiguous` (it may have been carried out). Idle connections are closed after five seconds, because a POST
on a socket that the other side has just closed cannot be told from one that was served. `Transport` is the seam;
`httptools_transport.py` has the client in use.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

KEEP_ALIVE_SECONDS = 5.0
CONNECT_SECONDS = 5.0
LONGEST_BODY = (
    32 * 1024 * 1024
)  #: bytes; ten SQS messages of 1 MiB with their escapes are the most we ever get


class Response(NamedTuple):
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
