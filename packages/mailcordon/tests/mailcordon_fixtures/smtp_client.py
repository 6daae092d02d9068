"""A client of SMTP that says every byte itself, and a door in the test's own event loop for it."""

import asyncio
import base64
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mailcordon.adapters.smtp.shared import SmtpDoor
from mailcordon.control import keys
from mailcordon.control.key_cache import KeyCache
from mailcordon_fixtures.queue_world import World

PATIENCE = 5.0
MAIL = (
    "From: Acme <hello@receipt.acme.example>\r\nTo: kim@example.com\r\nSubject: Your receipt\r\n"
    "Message-ID: <1@acme.example>\r\n\r\nThank you.\r\n"
)


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def reply(self) -> tuple[int, str]:
        """Code and text of one reply, its lines joined with line feeds."""
        lines: list[str] = []
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), PATIENCE)).decode()
            assert line, "the connection is closed"
            assert line.endswith("\r\n")
            lines.append(line[4:].rstrip())
            if line[3] == " ":
                return int(line[:3]), "\n".join(lines)

    async def write(self, data: bytes | str) -> None:
        self.writer.write(data if isinstance(data, bytes) else data.encode())
        await self.writer.drain()

    async def say(self, line: str) -> tuple[int, str]:
        await self.write(line + "\r\n")
        return await self.reply()

    async def login(self, user: str, password: str) -> tuple[int, str]:
        answer = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return await self.say(f"AUTH PLAIN {answer}")

    async def send(
        self, mail: str = MAIL, to: tuple[str, ...] = ("kim@example.com",), sender: str = "a@acme.example"
    ) -> tuple[int, str]:
        """The last reply: to the data, or to what was refused before."""
        for line in (f"MAIL FROM:<{sender}>", *(f"RCPT TO:<{one}>" for one in to), "DATA"):
            code, text = await self.say(line)
            if code >= 400:
                return code, text
        return await self.say(mail + ".")

    async def is_closed(self) -> bool:
        return await asyncio.wait_for(self.reader.read(1), PATIENCE) == b""

    def close(self) -> None:
        self.writer.close()


@dataclass
class Smtp:
    """A door with its clients."""

    world: World
    keys: keys.Keys
    cache: KeyCache
    door: SmtpDoor
    port: int
    tls_port: int
    certificate: Path
    tokens: dict[str, str] = field(default_factory=dict[str, str])
    clients: list[Client] = field(default_factory=list[Client])

    async def key(self, name: str, tenant: str | None, *scopes: str, **over: Any) -> str:
        key, text = await self.keys.create(
            tenant=tenant, name=name, scopes=scopes or ("send",), actor="test", **over
        )
        self.tokens[name] = text
        return key.prefix

    async def connect(self, port: int | None = None, **over: Any) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", port or self.port, **over))
        self.clients.append(client)
        return client

    async def greeted(self) -> Client:
        client = await self.connect()
        assert (await client.reply())[0] == 220
        assert (await client.say("EHLO test"))[0] == 250
        return client

    async def logged_in(self, user: str = "acme+receipt", key: str = "acme") -> Client:
        client = await self.greeted()
        code, text = await client.login(user, self.tokens[key])
        assert code == 235, text
        return client

    @property
    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))
