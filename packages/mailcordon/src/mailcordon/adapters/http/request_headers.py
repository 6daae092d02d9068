"""The headers that a request may have once only: of two, a proxy may check the first and the server behind it use the last."""

from collections.abc import Iterable, Sequence

from mailcordon.adapters.http.problems import FIREHOSE_PATH, Malformed
from mailcordon.messages import api

_FIREHOSE_URL = FIREHOSE_PATH.encode()


def credentials(headers: Iterable[tuple[bytes, bytes]]) -> tuple[str | None, str | None]:
    """The values of Authorization and Idempotency-Key. Names are in lower case.

    Raises Malformed if one of them, or Host, is there twice.
    """
    authorization, key = raw_credentials(list(headers))
    return (
        None if authorization is None else authorization.decode("latin-1"),
        None if key is None else key.decode("latin-1"),
    )


def raw_credentials(headers: Sequence[tuple[bytes, bytes]]) -> tuple[bytes | None, bytes | None]:
    """As `credentials`, not decoded."""
    by_name = dict(headers)
    if len(by_name) == len(headers):  # none is there twice
        return by_name.get(b"authorization"), by_name.get(b"idempotency-key")
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
    return authorization, key


def firehose_key(url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The access key of a stream of Firehose, as the header Authorization that it stands for. None at any other address."""
    if url.partition(b"?")[0] != _FIREHOSE_URL:
        return None
    found = next((value for name, value in headers if name == b"x-amz-firehose-access-key"), None)
    return None if found is None else b"Bearer " + found.strip()


def _twice(name: str) -> Malformed:
    return Malformed(api.header_given_twice(name), code="duplicate-header")
