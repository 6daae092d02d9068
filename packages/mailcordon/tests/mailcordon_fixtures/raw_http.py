"""One connection to an HTTP server, on which a test writes bytes and reads whole responses."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Response:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)


@dataclass
class Client:
    """Reading raises TimeoutError after `patience` seconds."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    patience: float = 20.0

    async def write(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        raw = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), self.patience)
        first, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines)
        assert len(headers) == len(lines), "a header came twice"
        return int(first.split(" ")[1]), headers

    async def response(self) -> Response:
        status, headers = await self.head()
        body = await asyncio.wait_for(self.reader.readexactly(int(headers["content-length"])), self.patience)
        return Response(status, headers, body)

    async def ended(self) -> bytes:
        """What the server sends until it closes the connection."""
        return await asyncio.wait_for(self.reader.read(), self.patience)
