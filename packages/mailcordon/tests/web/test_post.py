"""One POST to a URL that somebody else configured: real sockets, and names that lead where they should not."""

import asyncio
import contextlib
import ipaddress
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mailcordon.adapters.web.post import LOOK_UPS, Poster
from mailcordon.observe.alerts.ports import NotDelivered
from mailcordon_fixtures.receiver import Receiver

LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]
Names = Callable[..., list[str]]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """What names resolve to, instead of the DNS. Each look-up takes the first entry off, but for the last."""
    known: dict[str, list[str]] = {}
    real = socket.getaddrinfo

    def look_up(host: str, port: int, *args: Any, **kwargs: Any) -> Any:
        if host not in known:
            return real(host, port, *args, **kwargs)
        addresses = known[host]
        answer = addresses.pop(0) if len(addresses) > 1 else addresses[0]
        return [found for one in answer.split() for found in real(one, port, *args, **kwargs)]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return known


async def refused(poster: Poster, url: str) -> str:
    with pytest.raises(NotDelivered) as why:
        await poster.post(url, b"{}", {})
    return str(why.value)


async def test_a_post_arrives_with_its_headers_and_body(receiver: Receiver) -> None:
    assert await Poster(LOOPBACK).post(receiver.url, b'{"a": 1}', {"X-Mine": "1"}) == 200
    (got,) = receiver.take()
    assert (got.path, got.headers["x-mine"], got.json) == ("/hook", "1", {"a": 1})


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f000001", "[::1]", "[::ffff:127.0.0.1]"]
)
async def test_no_spelling_of_this_machine_is_reached(host: str, receiver: Receiver) -> None:
    why = await refused(Poster(), f"http://{host}:{receiver.port}/hook")
    assert "public" in why or "https" in why or "no address" in why, why
    why = await refused(Poster(), f"https://{host}:{receiver.port}/hook")
    assert "public" in why or "no address" in why, why
    assert receiver.take() == []


async def test_a_name_with_one_private_address_among_public_ones_is_refused(
    receiver: Receiver, names: dict[str, list[str]]
) -> None:
    names["hooks.example"] = ["203.0.114.7 127.0.0.1"]
    assert "leads to 127.0.0.1" in await refused(Poster(), f"https://hooks.example:{receiver.port}/")
    assert receiver.take() == []


async def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(
    receiver: Receiver, names: dict[str, list[str]]
) -> None:
    """Its second answer would be another network's."""
    names["hooks.example"] = ["127.0.0.1", "10.9.9.9"]
    await Poster(LOOPBACK).post(f"http://hooks.example:{receiver.port}/hook", b"{}", {})
    assert len(receiver.take()) == 1
    assert names["hooks.example"] == ["10.9.9.9"]


async def test_a_redirect_is_not_followed(receiver: Receiver) -> None:
    receiver.answer(302, {"Location": receiver.url})
    assert "redirect" in await refused(Poster(LOOPBACK), receiver.url)
    assert len(receiver.take()) == 1


async def test_an_answer_that_is_not_2xx_is_told_by_its_status_alone(receiver: Receiver) -> None:
    receiver.answer(503, {"Retry-After": "120"})
    with pytest.raises(NotDelivered) as why:
        await Poster(LOOPBACK).post(receiver.url, b"{}", {})
    assert (str(why.value), why.value.retry_after) == ("the answer was 503", 120)


async def test_plain_http_goes_only_to_a_network_that_is_named(names: dict[str, list[str]]) -> None:
    names["hooks.example"] = ["203.0.114.7"]
    assert "https" in await refused(Poster(LOOPBACK), "http://hooks.example/hook")


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example/",
        "file:///etc/passwd",
        "https://user:pass@hooks.example/",
        "https://hooks.example:99999/",
        "https:///hook",
        "https://hooks.example/a b",
        "https://hooks.example/\r\nX: y",
        "https://h\u00f6oks.example/",
        "https://hooks%2eexample/",
        "https://hooks.example/" + "x" * 2_000,
        "hooks.example",
        "",
    ],
)
async def test_what_is_no_url_of_a_web_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        Poster().check(url)
    assert "URL" in await refused(Poster(), url)


@contextlib.asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any], tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await serve(reader, writer)
        writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_a_receiver_that_never_answers_is_given_up(receiver: Receiver) -> None:
    over = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()

    async with listening(silent) as port:
        why = await refused(Poster(LOOPBACK, seconds=0.1), f"http://127.0.0.1:{port}/")
        over.set()
    assert "no answer" in why


@pytest.mark.parametrize(
    "more", ["", "Content-Length: 1000\r\n", "Transfer-Encoding: chunked\r\n", "Content-Encoding: gzip\r\n"]
)
async def test_what_follows_the_status_is_not_waited_for(more: str) -> None:
    """Else a message that arrived would be sent again, for a day."""
    over = asyncio.Event()

    async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 200 OK\r\n{more}\r\n".encode())
        await writer.drain()
        await over.wait()

    async with listening(slow) as port:
        assert await Poster(LOOPBACK, seconds=20).post(f"http://127.0.0.1:{port}/", b"{}", {}) == 200
        over.set()


async def test_an_endless_answer_is_not_read() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65_536)
            await writer.drain()

    async with listening(endless) as port:
        assert await Poster(LOOPBACK, seconds=20).post(f"http://127.0.0.1:{port}/", b"{}", {}) == 200


async def test_a_name_whose_server_does_not_answer_delays_no_other(
    receiver: Receiver, names: dict[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names["hooks.example"] = ["127.0.0.1"]
    over = threading.Event()
    known = socket.getaddrinfo

    def look_up(host: str, *args: Any, **kwargs: Any) -> Any:
        if host == "lame.example":
            over.wait()
            raise socket.gaierror
        return known(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    poster = Poster(LOOPBACK, seconds=20)
    stuck = [asyncio.create_task(refused(poster, "https://lame.example/")) for _ in range(2 * LOOK_UPS)]
    await asyncio.sleep(0)
    assert await poster.post(f"http://hooks.example:{receiver.port}/hook", b"{}", {}) == 200
    over.set()
    assert all("no address" in why for why in await asyncio.gather(*stuck))


def certificate(tmp_path: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's context, and one of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "cert.pem"
    file.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cadata=made.public_bytes(serialization.Encoding.PEM).decode())


async def ok(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    await writer.drain()


async def test_the_certificate_must_be_the_names_and_not_the_addresss(
    tmp_path: Path, names: dict[str, list[str]]
) -> None:
    names["hooks.example"] = names["other.example"] = ["127.0.0.1"]
    server, trusting = certificate(tmp_path, "hooks.example")
    poster = Poster(LOOPBACK, tls=trusting)
    async with listening(ok, server) as port:
        assert (await poster.post(f"https://hooks.example:{port}/", b"{}", {})) == 204
        assert "certificate" in await refused(poster, f"https://other.example:{port}/")
        assert "certificate" in await refused(Poster(LOOPBACK), f"https://hooks.example:{port}/")


def test_no_socket_is_made_for_an_address_that_is_not_allowed_whatever_led_there() -> None:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        info = (int(family), int(socket.SOCK_STREAM), 6, "", (address, 443))
        with pytest.raises(OSError, match="not a public address"):
            Poster()._socket(info)  # pyright: ignore[reportPrivateUsage]


async def test_several_messages_take_one_connection_and_one_that_the_receiver_closed_is_no_failure() -> None:
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers two requests on each connection, and closes it without a word."""
        connections.append(0)
        for _ in range(2):
            if not await reader.readuntil(b"\r\n\r\n{}"):
                break
            connections[-1] += 1
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        with contextlib.suppress(asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n{}")  # the third request is read, and not answered
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        async with Poster(LOOPBACK).line(url, connections=1) as line:
            for _ in range(4):
                assert await line.post(b"{}", {}) == 200
    assert connections == [2, 2]
