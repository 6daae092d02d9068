"""The headers that a request may have once only: of two, a proxy may check the first and the server behind it use the last."""

from collections.abc import Iterable

from mailcordon.adapters.http.problems import Malformed
from mailcordon.messages import api


def credentials(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str | None, str | None]:
    """The values of Authorization and Idempotency-Key. Names are in lower case.

    Raises Malformed if one of them, or Host, is there twice.
    """
    authorization = key = host = None
    for name, value in headers:
        if name == b"authorization":
            if authorization is not None:
                raise _twice("Authorization")
            authorization = value
        elif name == b"host":
            if host is not None:
                raise _twice("Host")
            host = value
        elif name == b"idempotency-key":
            if key is not None:
                raise _twice("Idempotency-Key")
            key = value
    return (
        None if authorization is None else authorization.decode("latin-1"),
        None if key is None else key.decode("latin-1"),
    )


def _twice(name: str) -> Malformed:
    return Malformed(api.header_given_twice(name), code="duplicate-header")
