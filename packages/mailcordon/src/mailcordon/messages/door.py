"""Why the door refuses a connection or a request: its limits of sizes, rates and times."""

from mailcordon.messages import example


@example(32_768)
def head_too_large(most: int) -> str:
    """The request line and headers of a request, or what surrounds the chunks of its body, are too long (431)."""
    return f"The request line and headers must be at most {most:,} bytes."


@example(100)
def too_many_header_fields(most: int) -> str:
    """A request has too many header fields (431)."""
    return f"A request may have at most {most} header fields."


@example(10)
def head_too_slow(seconds: float) -> str:
    """A connection did not finish the headers of a request in time (408)."""
    return f"The headers of the request did not arrive within {seconds:g} s."


@example(120, 8192)
def body_too_slow(seconds: float, pace: int) -> str:
    """The body of a request did not arrive in time, or more slowly than it may (408)."""
    return f"The body of a request must arrive within {seconds:g} s, and at {pace:,} bytes a second or more."


@example(30)
def response_not_read(seconds: float) -> str:
    """A client does not read a response; its connection is closed, so only the count is ever seen."""
    return f"The response was not read within {seconds:g} s."


@example()
def body_memory_full() -> str:
    """All bodies that are being received take as much memory as they may, or those of this caller do (503)."""
    return "The server is receiving as many bytes as it can hold. Retry later."


@example(4096)
def connections_full(most: int) -> str:
    """The process has as many connections as it can have (503)."""
    return f"The server has {most:,} open connections, which is its limit. Retry later."


@example(512)
def too_many_connections_of_address(most: int) -> str:
    """A client address has too many connections (429)."""
    return f"Your address has {most:,} open connections, which is its limit. Close some, or reuse them."


@example(512)
def too_many_connections_of_key(most: int) -> str:
    """An API key is used on too many connections (429)."""
    return f"Your key is in use on {most:,} connections, which is its limit. Close some, or reuse them."


@example(64)
def too_many_requests_of_address(most: int) -> str:
    """A client address has too many requests without a known key in flight (429)."""
    return f"Your address has {most:,} unanswered requests, which is its limit. Wait for an answer before you send more."


@example(256)
def too_many_requests_of_key(most: int) -> str:
    """An API key has too many requests in flight (429)."""
    return f"Your key has {most:,} unanswered requests, which is its limit. Wait for an answer before you send more."


@example(16)
def too_many_pipelined(most: int) -> str:
    """A client sent too many requests on one connection without waiting; it is closed, so only the count is ever seen."""
    return f"A connection may have at most {most} requests that wait for the answer to another."


@example()
def not_http() -> str:
    """What a connection sent is not an HTTP/1 request (400)."""
    return "This is not an HTTP/1 request."


@example()
def too_many_failed_logins() -> str:
    """Too many logins by SMTP of a client address failed (454)."""
    return "Too many logins from your address failed. Try again in a minute."
