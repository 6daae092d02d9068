"""Starting TLS on a connection that has received some of it already."""

import asyncio
from typing import cast


def hand_over(transport: asyncio.Transport, data: bytes) -> None:
    """Gives `data` to the TLS protocol that `start_tls` has put on the transport, as if it came now."""
    protocol = cast(asyncio.BufferedProtocol, transport.get_protocol())
    if transport.is_closing() or not hasattr(protocol, "get_buffer"):
        return
    view = memoryview(data)
    while view:
        buffer = cast(memoryview, protocol.get_buffer(len(view)))
        size = min(len(buffer), len(view))
        buffer[:size] = view[:size]
        protocol.buffer_updated(size)
        view = view[size:]
