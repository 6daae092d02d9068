"""Every limit of the door, with its unit, its default and the reason for the default. config/door.py reads them from settings."""

from dataclasses import dataclass
from enum import StrEnum


class Limit(StrEnum):
    """The name of a limit in DoorFacts, in `mailcordon status` and in docs/door.md."""

    HEAD_BYTES = "head-bytes"
    HEAD_FIELDS = "head-fields"
    HEAD_TIME = "head-time"
    BODY_BYTES = "body-bytes"
    BODY_TIME = "body-time"
    BODY_MEMORY = "body-memory"
    RESPONSE_TIME = "response-time"
    PIPELINE = "pipelined-requests"
    CONNECTIONS = "connections"
    ADDRESS_CONNECTIONS = "connections-per-address"
    KEY_CONNECTIONS = "connections-per-key"
    ADDRESS_REQUESTS = "requests-per-address"
    KEY_REQUESTS = "requests-per-key"
    FAILED_LOGINS = "failed-logins"  #: of one address, by SMTP (door/failed_logins.py)
    MALFORMED = (
        "malformed-request"  #: what is no HTTP/1: not a limit, but a refusal that is counted with the others
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Of one process. Times are seconds, sizes are bytes."""

    #: Request line and headers. Common servers take 8 to 64 KB; an API call with a long URL and a bearer key has less than 2.
    head_bytes: int = 32 * 1024
    #: Header fields of one request. Clients send about 10, a chain of proxies adds as many again.
    head_fields: int = 100
    #: From the first byte of a head (of the first request: from the connection's start) to its end. A head is one packet.
    head_seconds: float = 10.0
    #: From the end of the head to the end of the body: 24 MB, the largest, in 2 minutes is 1.6 Mbit/s.
    body_seconds: float = 120.0
    #: Bytes a second that a body must average after its first `head_seconds`. Slower is a stalled or a hostile client.
    body_bytes_per_second: int = 8 * 1024
    #: Bytes of all bodies in flight: announced by Content-Length or arrived, until the answer. Five of the largest; a body
    #: costs about three times its size while it is decoded. One caller gets half of it.
    body_memory: int = 128 * 1024 * 1024
    #: In which a client must go on reading its response after it has stopped.
    response_seconds: float = 30.0
    #: After which a connection without a request is closed. Longer than the 60 s after which common load balancers close theirs.
    idle_seconds: float = 75.0
    #: Connections of all callers; fewer if the process may not open that many files. An idle one costs about 12 KB.
    connections: int = 4096
    #: Connections of one client address (IPv6: of one /64, which is what one customer has). Many clients may share an
    #: office's or a cluster's address.
    connections_per_address: int = 512
    #: Connections that one key uses. A host needs about as many as it has requests in flight.
    connections_per_key: int = 512
    #: Requests of one key that are being read or answered. 256 saturate one process.
    requests_per_key: int = 256
    #: Requests without a known key from one address. They cost a look at the database each, and no client needs many.
    requests_per_address: int = 64
    #: Requests of one connection that wait for the answer to another. HTTP clients wait; each one here costs about 3 KB.
    pipelined: int = 16
