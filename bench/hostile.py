"""Callers that harm a server without limits, as one process: `python -m bench.hostile KIND ...` runs until it is terminated.

None of them honours Retry-After, and a connection that is closed is opened again, at most RECONNECTS times a second in all.
"""

import argparse
import asyncio
import json
import resource
import sys
from collections.abc import Awaitable, Callable

import uvloop

RECONNECTS = 200  #: a second; more would measure the kernel's TCP
ADDRESS = "127.0.0.2"  #: of the callers, which is not the bystander's
PART = 64 * 1024


class _Target:
    def __init__(self, host: str, port: int, key: str, address: str, sender: str, type: str) -> None:
        self.host, self.port, self.key = host, port, key
        self.address = address  #: with a history
        self.sender, self.type = sender, type
        self._next = 0.0

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        loop = asyncio.get_running_loop()
        self._next = max(self._next + 1 / RECONNECTS, loop.time())
        await asyncio.sleep(self._next - loop.time())
        return await asyncio.open_connection(self.host, self.port, limit=2**20, local_addr=(ADDRESS, 0))

    def head(self, line: str, *more: str) -> bytes:
        lines = (line + " HTTP/1.1", f"Host: {self.host}", f"Authorization: Bearer {self.key}", *more, "", "")
        return "\r\n".join(lines).encode()

    async def forever(self, once: Callable[["_Target"], Awaitable[None]]) -> None:
        while True:
            try:
                await once(self)
            except (OSError, asyncio.IncompleteReadError, ValueError):
                continue


async def _read_to_end(reader: asyncio.StreamReader) -> None:
    while await reader.read(PART):
        pass


async def _head(target: _Target) -> None:
    """A head without an end."""
    reader, writer = await target.connect()
    ended = asyncio.ensure_future(_read_to_end(reader))
    try:
        writer.write(b"GET /v1/health HTTP/1.1\r\nHost: x\r\n")
        line = b"X-Filler: " + b"x" * 4000 + b"\r\n"
        while not ended.done():
            writer.write(line * 16)
            await writer.drain()
            await asyncio.sleep(0)
    finally:
        ended.cancel()
        writer.close()


async def _half(target: _Target) -> None:
    """A request that is never finished, of a stranger."""
    reader, writer = await target.connect()
    try:
        writer.write(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Le")
        await _read_to_end(reader)
    finally:
        writer.close()


async def _body(target: _Target) -> None:
    """A large body that is never finished."""
    reader, writer = await target.connect()
    ended = asyncio.ensure_future(_read_to_end(reader))
    try:
        writer.write(target.head("POST /v1/messages", "Content-Length: 22000000"))
        part = b" " * PART
        for _ in range(22_000_000 // PART - 1):
            if ended.done():
                return
            writer.write(part)
            await writer.drain()
        await ended
    finally:
        ended.cancel()
        writer.close()


async def _answered(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    length = next(int(line.partition(b":")[2]) for line in lines if line.startswith(b"content-length:"))
    await reader.readexactly(length)
    if b"connection: close" in lines:
        raise ValueError
    return head


def _requests(request: bytes) -> Callable[[_Target], Awaitable[None]]:
    async def once(target: _Target) -> None:
        reader, writer = await target.connect()
        try:
            while True:
                writer.write(request)
                await writer.drain()
                await _answered(reader)
        finally:
            writer.close()

    return once


def _large(target: _Target) -> Callable[[_Target], Awaitable[None]]:
    body = {
        "type": target.type,
        "from": target.sender,
        "to": "large@inbox.example",
        "subject": "Large",
        "html": "<p>" + "All work and no play makes a large mail. " * 219_500 + "</p>",
    }
    raw = json.dumps(body).encode()
    return _requests(target.head("POST /v1/messages", f"Content-Length: {len(raw)}") + raw)


#: kind -> how many at once, and what each does
KINDS: dict[str, tuple[int, Callable[[_Target], Callable[[_Target], Awaitable[None]]]]] = {
    "head": (1, lambda _: _head),
    "half": (3000, lambda _: _half),
    "bodies": (60, lambda _: _body),
    "large": (4, _large),
    "reads": (100, lambda target: _requests(target.head(f"GET /v1/addresses/{target.address}"))),
}


async def _main(kind: str, target: _Target) -> None:
    count, make = KINDS[kind]
    once = make(target)
    await asyncio.gather(*(target.forever(once) for _ in range(count)))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("kind", choices=KINDS)
    for name in ("host", "key", "address", "sender", "type"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        chosen = _Target(given.host, given.port, given.key, given.address, given.sender, given.type)
        sys.exit(runner.run(_main(given.kind, chosen)))
