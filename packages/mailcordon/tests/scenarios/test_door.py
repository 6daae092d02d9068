"""Hostile callers at a real `api` process, over real sockets: each is answered by a limit, memory stays bounded, and a
bystander is served meanwhile. Callers have loopback addresses of their own, so each test has a clean count.
"""

import asyncio
import contextlib
import functools
import itertools
import json
import resource
import secrets
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.installation import load_or_create_installation
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.secrets import make_secret_key
from mailcordon.control import keys
from mailcordon_fixtures import systems
from mailcordon_fixtures.queue_world import World
from mailcordon_fixtures.raw_http import Client, Response

PATIENCE = 60.0  #: seconds; a process starts in it, on a busy machine
MB = 1 << 20
PROXY = "127.0.0.9"
#: Short times and small counts, so that a test reaches each limit with little.
SETTINGS = {
    "MAILCORDON_HEAD_SECONDS": "2",
    "MAILCORDON_BODY_SECONDS": "20",
    "MAILCORDON_BODY_MEMORY_MB": "64",
    "MAILCORDON_RESPONSE_SECONDS": "1",
    "MAILCORDON_CONNECTIONS_PER_ADDRESS": "40",
    "MAILCORDON_CONNECTIONS_PER_KEY": "70",
    "MAILCORDON_REQUESTS_PER_KEY": "20",
    "MAILCORDON_TRUSTED_PROXIES": PROXY,
}
#: Nothing times out, and few files may be open.
FEW_FILES = {
    "MAILCORDON_HEAD_SECONDS": "600",
    "MAILCORDON_CONNECTIONS_PER_ADDRESS": "60",
}
_MAIL: dict[str, Any] = {
    "type": "receipt",
    "to": "kim@example.com",
    "subject": "Your receipt",
    "text": "Thank you.",
}
_addresses = (f"127.0.{n // 250 + 1}.{n % 250 + 1}" for n in itertools.count())


class Connection(Client):
    async def write(self, raw: bytes) -> None:
        """Raises TimeoutError while the server does not read."""
        await asyncio.wait_for(super().write(raw), self.patience)

    async def closed(self) -> None:
        """Returns when the server has closed the connection, in whatever way. Raises TimeoutError."""
        with contextlib.suppress(ConnectionError):
            await self.ended()

    @property
    def has_received(self) -> bool:
        return bool(self.reader._buffer)  # type: ignore[attr-defined]


@dataclass
class Door:
    """An `api` process, with a key each of two tenants, and a platform's."""

    port: int
    pid: int
    database: Any
    keys: dict[str, str]

    @contextlib.asynccontextmanager
    async def connections(
        self, count: int = 1, address: str | None = None
    ) -> AsyncIterator[list[Connection]]:
        """Open connections of one client address, by default one that nobody else has."""
        source = address or next(_addresses)
        opened = [
            Connection(
                *await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0)),
                patience=PATIENCE,
            )
            for _ in range(count)
        ]
        try:
            yield opened
        finally:
            for one in opened:
                one.writer.transport.abort()

    async def ask(self, raw: bytes, address: str | None = None) -> Response:
        async with self.connections(address=address) as [one]:
            await one.write(raw)
            return await one.response()

    def head(self, method: str, path: str, key: str | None = None, *lines: str) -> bytes:
        said = [f"{method} {path} HTTP/1.1", "Host: x", *lines]
        if key is not None:
            said.append(f"Authorization: Bearer {self.keys[key]}")
        return "\r\n".join([*said, "", ""]).encode()

    def mail(self, tenant: str) -> bytes:
        body = json.dumps({**_MAIL, "from": f"hello@receipt.{tenant}.example"}).encode()
        return self.head("POST", "/v1/messages", tenant, f"Content-Length: {len(body)}") + body

    def unfinished(self, tenant: str, *lines: str, size: int, sent: int = 0) -> bytes:
        """A message of which `sent` bytes have arrived."""
        return self.head("POST", "/v1/messages", tenant, f"Content-Length: {size}", *lines) + b" " * sent

    async def sends(self, tenant: str) -> bool:
        return (await self.ask(self.mail(tenant))).status == 202

    @property
    def memory(self) -> int:
        """Bytes that the process has in memory now."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * resource.getpagesize()

    async def until(self, condition: Callable[[], Awaitable[bool]], what: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while not await condition():
            assert time.monotonic() < deadline, f"still waiting until {what}"
            await asyncio.sleep(0.05)


@contextlib.contextmanager
def serving(
    database: Any, home: Path, texts: dict[str, str], settings: dict[str, str], files: int | None = None
) -> Iterator[Door]:
    """An `api` process on a free port. `files`: the most files it may open."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)

    def limited() -> None:
        if files is not None:
            resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    urls = {f"MAILCORDON_DATABASE_URL_{login.upper()}": dsn for login, dsn in database.role_dsns.items()}
    own = {"MAILCORDON_SECRET_KEYS": database.secret_key, "MAILCORDON_API_FD": str(listener.fileno())}
    environment = systems.environment(home, {**urls, **settings, **own})
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mailcordon", "run", "api"],
            env=environment,
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
            preexec_fn=limited,
        )
        port = listener.getsockname()[1]
        listener.close()
        door = Door(port, process.pid, database, texts)
        try:
            yield door
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.seek(0)
            said = log.read().decode()
            print(said)
        assert "Traceback" not in said


@dataclass(frozen=True)
class Copy:
    role_dsns: dict[str, str]
    owner_dsn: str
    secret_key: str

    def dsn(self, role: str) -> str:
        return self.role_dsns[role]


@pytest.fixture(scope="module")
def tenants(postgres: Any, template: Any) -> tuple[Any, dict[str, str]]:
    """A database with two tenants that can send, and the texts of their keys and of a platform's."""

    async def make() -> tuple[Any, dict[str, str]]:
        original = template.database
        name = f"{original.name}_{secrets.token_hex(4)}"
        admin = await asyncpg.connect(postgres.dsn)
        await admin.execute(f"create database {name} template {original.name} strategy file_copy")
        await admin.close()
        dsns = {
            role: str(urlunsplit(urlsplit(dsn)._replace(path=f"/{name}")))
            for role, dsn in original.role_dsns.items()
        }
        database = Copy(dsns, postgres.database_dsn(name), make_secret_key())
        owner = await engine.connect(database.owner_dsn)
        await load_or_create_installation(owner, [database.secret_key], "local")
        pool = await engine.create_pool(database.dsn("control"))
        texts: dict[str, str] = {}
        for slug in ("acme", "zen"):
            await World(database, owner).lane(slug, "receipt")
            _, texts[slug] = await keys.Keys(KeyStore(pool)).create(
                tenant=slug, name=slug, scopes=("send", "read"), actor="test"
            )
        _, texts["platform"] = await keys.Keys(KeyStore(pool)).create(
            tenant=None, name="platform", scopes=("read",), actor="test"
        )
        await pool.close()
        await owner.close()
        return database, texts

    return asyncio.run(make())


@pytest.fixture(scope="module")
def served(postgres: Any, tenants: Any) -> Iterator[Door]:
    with serving(tenants[0], postgres.home, tenants[1], SETTINGS) as door:
        yield door


@pytest.fixture
async def door(served: Door) -> Door:
    """With both keys in its cache, as after a tenant's first request."""
    for tenant in ("acme", "zen"):
        assert await served.sends(tenant)
    return served


# Heads -------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "more"),
    [
        pytest.param(b"GET /", b"a" * 1000, id="a path"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"x: " + b"a" * 995 + b"\r\n", id="header fields"),
        pytest.param(b"GET / HTTP/1.1\r\nx: ", b"a" * 1000, id="a value"),
        pytest.param(b"GET / HTTP/1.1\r\n", b"a" * 1000, id="a name"),
        pytest.param(b"", b"\r\n" * 500, id="empty lines"),
        pytest.param(b"0\r\n", b"x: " + b"a" * 995 + b"\r\n", id="trailers"),
        pytest.param(b"1;x=", b"a" * 1000, id="an extension of a chunk"),
    ],
)
async def test_a_head_without_an_end_is_refused_after_32_kb(door: Door, start: bytes, more: bytes) -> None:
    sent, before = 0, door.memory
    if start[:1].isdigit():  # in a body
        start = door.head("POST", "/v1/messages", "acme", "Transfer-Encoding: chunked") + start
    async with door.connections() as [one]:
        with contextlib.suppress(ConnectionError):
            await one.write(start)
            while sent < 32 * MB and not one.has_received:
                await one.write(more * 16)
                sent += 16 * len(more)
                await asyncio.sleep(0.001)
        answer = await one.response()
        assert (answer.status, answer.said["code"]) == (431, "head-too-large")
        await one.closed()
    assert sent < 4 * MB
    assert door.memory - before < 32 * MB
    assert await door.sends("zen")


async def test_too_many_header_fields_are_refused_at_the_end_of_the_head(door: Door) -> None:
    answer = await door.ask(door.head("GET", "/v1/health", None, *(f"x-{n}: 1" for n in range(100))))
    assert (answer.status, answer.said["code"]) == (431, "head-too-large")
    answer = await door.ask(door.head("GET", "/v1/health", None, f"x: {'a' * 33_000}"))
    assert (answer.status, answer.said["code"]) == (431, "head-too-large")
    answer = await door.ask(door.head("GET", "/v1/health", None, f"x: {'a' * 31_000}"))
    assert answer.status == 200


async def test_a_head_that_is_not_finished_in_time_gets_408(door: Door) -> None:
    starts = (b"", b"G", b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Le")
    async with door.connections(9) as opened, door.connections() as [dripping]:
        for one, start in zip(opened, starts * 3, strict=True):
            await one.write(start)
        answering = asyncio.create_task(dripping.response())
        for byte in itertools.chain(b"GET /v1/health HTTP/1.1\r\nx: ", itertools.repeat(97)):
            await dripping.write(bytes([byte]))
            await asyncio.wait({answering}, timeout=0.1)
            if answering.done():
                break
        assert (await answering).status == 408
        for one in opened:
            assert (await one.response()).status == 408
            await one.closed()


async def test_a_head_that_begins_behind_another_request_has_the_time_of_a_head(door: Door) -> None:
    async with door.connections() as [one]:
        await one.write(door.mail("acme") + b"GET /v1/health HTT")
        assert (await one.response()).status == 202
        assert (await one.response()).status == 408
        await one.closed()


# Bodies ------------------------------------------------------------------------------------------------------------------


async def test_a_body_that_does_not_come_gets_408(door: Door) -> None:
    async with door.connections(2) as [stalled, slow]:
        await stalled.write(door.unfinished("acme", size=100_000))
        await slow.write(door.unfinished("acme", size=100_000, sent=2000))
        for one in (stalled, slow):
            answer = await one.response()
            assert (answer.status, answer.said["code"]) == (408, "request-timeout")
            await one.closed()


@pytest.mark.parametrize("chunked", [False, True])
async def test_unfinished_bodies_of_one_key_take_bounded_memory_and_give_it_back(
    door: Door, chunked: bool
) -> None:
    """60 of 22 MB, of which each sends 6."""
    # What the connections of the other case have sent is still read and thrown away.
    hostile, bystander = ("acme", "zen") if chunked else ("zen", "acme")
    before = door.memory
    size, sent = 22 * MB, 0
    lines = ["Transfer-Encoding: chunked"] if chunked else [f"Content-Length: {size}"]
    async with door.connections(30) as some, door.connections(30) as others:
        attackers = [*some, *others]

        async def attack(one: Connection) -> None:
            nonlocal sent
            with contextlib.suppress(ConnectionError, TimeoutError):
                await one.write(door.head("POST", "/v1/messages", hostile, *lines))
                await one.write(b"%x\r\n" % size if chunked else b"")
                for _ in range(6):
                    await one.write(b" " * MB)
                    sent += MB

        await asyncio.gather(*(attack(one) for one in attackers))
        grown = door.memory - before
        assert sent > 150 * MB
        assert await door.sends(bystander)
        answers = [await one.response() for one in attackers if one.has_received]
        assert len(answers) > 50
        codes = {(one.status, one.said["code"]) for one in answers}
        assert codes <= {(503, "busy"), (429, "too-many-requests")}
        assert min(int(one.headers["retry-after"]) for one in answers) > 0
    assert grown < 64 * MB

    async def given_back() -> bool:
        return door.memory - before < 16 * MB

    await door.until(given_back, "the memory is given back")


async def test_a_body_that_is_too_large_is_refused_before_it_is_sent(door: Door) -> None:
    for raw in (
        door.unfinished("acme", size=49 * MB),
        door.head("POST", "/v1/holds", "platform", f"Content-Length: {2 * MB}"),
    ):
        answer = await door.ask(raw)
        assert (answer.status, answer.said["code"]) == (413, "too-large")


# Counts ------------------------------------------------------------------------------------------------------------------


async def test_one_address_has_so_many_connections_and_others_are_served(door: Door) -> None:
    address = next(_addresses)
    async with door.connections(40, address) as opened:
        assert (await door.ask(door.mail("acme"), address)).status == 429
        refused = await door.ask(door.head("GET", "/openapi.json"), address)
        assert (refused.status, refused.said["code"]) == (429, "too-many-connections")
        assert (refused.headers["retry-after"], refused.headers["connection"]) == ("2", "close")
        assert await door.sends("zen")
        assert (await door.ask(door.head("GET", "/v1/health"), address)).status == 200
        opened[0].writer.close()

        async def has_room() -> bool:
            return (await door.ask(door.head("GET", "/openapi.json"), address)).status == 200

        await door.until(has_room, "the place of a closed connection is free")


async def test_health_is_answered_while_many_more_than_may_come_from_the_same_address(door: Door) -> None:
    address = next(_addresses)
    async with door.connections(200, address):

        async def answered() -> bool:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                return (await door.ask(door.head("GET", "/v1/health"), address)).status == 200
            return False

        await door.until(answered, "the health is answered")
        assert (await door.ask(door.head("GET", "/v1/health"))).status == 200


async def test_one_key_is_used_on_so_many_connections(door: Door) -> None:
    async with contextlib.AsyncExitStack() as stack:

        async def opened(address: str) -> bool:
            async with contextlib.AsyncExitStack() as attempt:
                [one] = await attempt.enter_async_context(door.connections(1, address))
                await one.write(door.mail("acme"))
                if (await one.response()).status != 202:
                    return False
                await stack.enter_async_context(attempt.pop_all())
                return True

        for address in (next(_addresses), next(_addresses)):
            for _ in range(35):
                # The end of an earlier test's connection may not have been seen yet.
                await door.until(functools.partial(opened, address), "the key has room for a connection")
        refused = await door.ask(door.mail("acme"))
        assert (refused.status, refused.said["code"]) == (429, "too-many-connections")
        assert await door.sends("zen")


async def test_one_key_has_so_many_requests_in_flight(door: Door) -> None:
    async with door.connections(20) as opened, door.connections() as [another]:
        for one in opened:
            await one.write(door.unfinished("acme", size=200_000, sent=150_000))

        async def refused() -> bool:
            await another.write(door.mail("acme"))
            answer = await another.response()
            assert answer.status == 202 or answer.said["code"] == "too-many-requests"
            return answer.status == 429

        await door.until(refused, "all requests are seen")
        assert await door.sends("zen")
        # The connection stays open, and is served when there is room.
        opened[0].writer.transport.abort()

        async def served() -> bool:
            return not await refused()

        await door.until(served, "the request of a closed connection is given up")


async def test_behind_a_trusted_proxy_the_forwarded_client_is_limited_and_the_proxy_is_not(
    door: Door,
) -> None:
    async with door.connections(60, PROXY) as opened:
        for n, one in enumerate(opened[:40]):
            forwarded = "X-Forwarded-For: 203.0.113.7, 198.51.100.1"
            await one.write(door.unfinished(("acme", "zen")[n % 2], forwarded, size=200_000, sent=150_000))
        refused = Response(0, {}, b"")

        async def is_refused() -> bool:
            nonlocal refused
            raw = door.head("GET", "/openapi.json", None, "X-Forwarded-For: 192.0.2.1, 198.51.100.1")
            await opened[40].write(raw)
            refused = await opened[40].response()
            return refused.status == 429

        await door.until(is_refused, "the forwarded client is refused")
        assert refused.said["code"] == "too-many-connections"
        for lines in (["X-Forwarded-For: 203.0.113.7"], []):
            await opened[40].write(door.head("GET", "/v1/health", None, *lines))
            assert (await opened[40].response()).status == 200
    # The header of anybody else is not believed.
    address = next(_addresses)
    async with door.connections(40, address):
        raw = door.head("GET", "/openapi.json", None, "X-Forwarded-For: 203.0.113.99")
        assert (await door.ask(raw, address)).status == 429


async def test_a_proxys_idle_connections_count_for_no_key(door: Door) -> None:
    async with door.connections(71, PROXY) as opened:
        for n, one in enumerate(opened):
            await one.write(
                door.mail("acme").replace(b"Host: x", b"Host: x\r\nX-Forwarded-For: 198.51.100.%d" % n)
            )
            assert (await one.response()).status == 202


async def test_requests_that_do_not_wait_for_answers_end_the_connection(door: Door) -> None:
    before = door.memory
    async with door.connections() as [one]:
        with contextlib.suppress(ConnectionError):
            for _ in range(100):
                await one.write(b"GET /v1/health HTTP/1.1\r\n\r\n" * 1000)
        received = b""
        with contextlib.suppress(ConnectionError):
            received = await asyncio.wait_for(one.reader.read(1 << 20), PATIENCE)
        assert received.count(b"HTTP/1.1 200") <= 17
        await one.closed()
    assert door.memory - before < 16 * MB


async def test_a_client_that_does_not_read_its_answers_is_disconnected(door: Door) -> None:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.bind((next(_addresses), 0))
    sock.settimeout(PATIENCE)
    sock.connect(("127.0.0.1", door.port))

    def ask() -> bool:
        """Whether the server ends the connection. It takes about 200 answers to fill the buffers between us."""
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                sock.sendall(door.head("GET", "/openapi.json"))
                time.sleep(0.005)
            return False
        return True

    try:
        assert await asyncio.to_thread(ask)
    finally:
        sock.close()


async def test_refusals_are_counted_and_shown_in_the_status(door: Door) -> None:
    assert (
        await door.ask(door.head("GET", "/v1/health", None, *(f"x-{n}: 1" for n in range(100))))
    ).status == 431

    async def shown() -> bool:
        said = (await door.ask(door.head("GET", "/v1/status", "platform"))).said
        notice = [one for one in said["notices"] if one["code"] == "door-refused"]
        return said["refused"].get("head-fields", 0) > 0 and len(notice) == 1

    await door.until(shown, "the status shows the refusal")


# Connections of everybody ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(postgres: Any, tenants: Any) -> Iterator[Door]:
    """May open 240 files, of which 112 are for connections."""
    with serving(tenants[0], postgres.home, tenants[1], FEW_FILES, files=240) as door:
        yield door


async def test_half_sent_requests_from_everywhere_do_not_keep_a_new_caller_out(small: Door) -> None:
    for tenant in ("acme", "zen"):
        assert await small.sends(tenant)
    async with small.connections() as [known], contextlib.AsyncExitStack() as stack:
        await known.write(small.mail("zen"))
        assert (await known.response()).status == 202
        for n in range(5):
            for one in await stack.enter_async_context(small.connections(60)):
                with contextlib.suppress(ConnectionError):
                    await one.write(b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Le")
            assert await small.sends("zen"), f"after {60 * (n + 1)} half-sent requests"
        # A connection with a known key is not the one that makes room.
        await known.write(small.mail("zen"))
        assert (await known.response()).status == 202


async def test_with_connections_of_keys_alone_a_new_caller_is_told_to_come_back(small: Door) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for tenant in ("acme", "zen"):
            for _ in range(2):
                for one in await stack.enter_async_context(small.connections(30)):
                    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                        await one.write(small.mail(tenant))
                        assert (await one.response()).status in (202, 503)
        statuses: list[int] = []
        for _ in range(5):
            async with small.connections() as [one]:
                answer = await one.response()
                statuses.append(answer.status)
                assert answer.headers["retry-after"] == "2"
        assert statuses == [503] * 5


# TLS ---------------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The PEM files of a certificate for localhost and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    directory = tmp_path_factory.mktemp("tls")
    pem, secret = directory / "tls.pem", directory / "tls.key"
    pem.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pem, secret


async def test_over_tls_handshakes_that_are_not_finished_are_counted_and_ended(
    postgres: Any, tenants: Any, certificate: tuple[Path, Path]
) -> None:
    pem, secret = certificate
    settings = {
        "MAILCORDON_TLS_CERTIFICATE": str(pem),
        "MAILCORDON_TLS_KEY": str(secret),
        "MAILCORDON_HEAD_SECONDS": "2",
        "MAILCORDON_CONNECTIONS": "50",
    }
    context = ssl.create_default_context(cafile=str(pem))
    with serving(tenants[0], postgres.home, tenants[1], settings) as door:

        async def sends() -> bool:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", door.port, ssl=context, server_hostname="localhost"
            )
            one = Connection(reader, writer, PATIENCE)
            try:
                await one.write(door.mail("zen"))
                return (await one.response()).status == 202
            finally:
                writer.transport.abort()

        assert await sends()
        async with contextlib.AsyncExitStack() as stack:
            # More than there is room for, from several addresses: none of them shakes hands.
            stalled = [one for _ in range(4) for one in await stack.enter_async_context(door.connections(25))]
            assert await sends()
            for one in stalled:
                await one.closed()
