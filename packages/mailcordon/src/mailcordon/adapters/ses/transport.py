"""The interface of the HTTP client for SES and SQS: POST bytes, get bytes, and say what a failure means.

It never retries, and distinguishes `NotSent` (the request cannot have been sent) from `Ambiguous` (it may have been processed).
Idle connections are closed after five seconds: if the server has just closed a connection, a POST on it is ambiguous.
`httptools_transport.py` implements it.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeAlias

KEEP_ALIVE_SECONDS = 5.0
CONNECT_SECONDS = 5.0
LONGEST_BODY = 32 * 1024 * 1024  #: bytes; the most is ten SQS messages of 1 MiB, escaped


class Response(NamedTuple):
    status: int
    headers: Mapping[str, str]  #: by lower-case name
    body: bytes


class CallFailed(Exception):
    """There is no complete response. The message says why, for the record of the attempt."""


class NotSent(CallFailed):
    """No connection was made, so nothing was sent. A retry is safe."""


class Withdrawn(NotSent):
    """A connection was made, but meanwhile the caller's permission to send had ended. Nothing was sent."""


class Ambiguous(CallFailed):
    """The request, or part of it, was sent. It may have been processed."""


Done: TypeAlias = Callable[[Response | CallFailed], None]


class Transport(Protocol):
    host: str  #: the Host header, which the signature covers

    @property
    def has_free(self) -> bool:
        """Whether there may be a free connection."""
        ...

    def start(self, path: str, body: bytes, lines: bytes, done: Done) -> bool:
        """`post` without a task, over a connection that is free: writes the request now. `done` gets the response, or Ambiguous,
        once and later, and must not raise. False: there is no free connection, so nothing was sent and `done` is not called.

        `lines`: the headers as they are written, each with its end of line, Host among them.
        """
        ...

    async def post(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str],
        permitted: Callable[[], bool] | None = None,
    ) -> Response:
        """Returns every complete response, whatever its status. Raises NotSent, Withdrawn or Ambiguous.

        `permitted` is asked again before the first byte is written if a connection had to be made first, which can take seconds.
        """
        ...

    async def close(self) -> None: ...
