"""Requests that do not end: their bytes, their headers and their time are bounded, and so are the connections of one address."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

import seslocal
from seslocal.wire.protocol import Connections, Limits

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

HEALTH = b"GET /_seslocal/health HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"GET /_seslocal/health HTTP/1.1\r\nHost: localhost\r\n"
POST = b"POST /_seslocal/reset HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"


def answered(world: World, *parts: bytes) -> bytes:
    """Sends the parts one after the other, without ever ending the request. Returns the answer."""
    with socket.create_connection((world.local.host, world.local.port), timeout=60) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for part in parts:
                sock.sendall(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        return sock.recv(4096)


class TestTheHead:
    def test_a_header_without_an_end_is_431(self, world: World) -> None:
        assert answered(world, HEAD + b"X-A: " + b"a" * 33_000).startswith(b"HTTP/1.1 431 ")

    def test_a_header_that_trickles_is_431(self, world: World) -> None:
        assert answered(world, HEAD + b"X-A: ", *[b"a" * 1000] * 40).startswith(b"HTTP/1.1 431 ")

    def test_a_name_without_an_end_is_431(self, world: World) -> None:
        assert answered(world, HEAD + b"X" * 33_000).startswith(b"HTTP/1.1 431 ")

    def test_many_headers_that_fit_are_431_from_the_101st(self, world: World) -> None:
        assert answered(world, HEAD + b"X: y\r\n" * 99 + b"\r\n").startswith(b"HTTP/1.1 200 ")
        assert answered(world, HEAD + b"X: y\r\n" * 101).startswith(b"HTTP/1.1 431 ")

    def test_31_kb_are_allowed(self, world: World) -> None:
        assert answered(world, HEAD + b"X-A: " + b"a" * 31_000 + b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")

    def test_a_trailer_or_a_chunk_extension_without_an_end_is_431(self, world: World) -> None:
        endless = [
            b"a" * 16_000
        ] * 30  # more than one read: the one that has a part of the body is not counted
        for start in (b"0\r\nX-A: ", b"2;x="):
            got = answered(world, CHUNKED + b"2\r\n{}\r\n", start, *endless)
            assert got.startswith(b"HTTP/1.1 431 ")

    def test_what_came_before_on_the_connection_is_not_counted(self, world: World) -> None:
        last = HEAD + b"Connection: close\r\n\r\n"
        body = POST + b"Content-Length: 40000\r\n\r\n{" + b" " * 39_998 + b"}"
        data = HEALTH * 700 + body + HEALTH + last
        assert world.talk(data).count(b"HTTP/1.1 200 ") == 703
        # also when each read ends within a request
        with socket.create_connection((world.local.host, world.local.port), timeout=60) as sock:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for _ in range(900):
                sock.sendall(HEALTH[:20])
                sock.sendall(HEALTH[20:])
            sock.sendall(last)
            got = b""
            while part := sock.recv(65536):
                got += part
        assert got.count(b"HTTP/1.1 200 ") == 901


@asynccontextmanager
async def connected(local: seslocal.Local, data: bytes) -> AsyncIterator[asyncio.StreamReader]:
    reader, writer = await asyncio.open_connection(local.host, local.port)
    writer.write(data)
    try:
        yield reader
    finally:
        writer.close()


class TestTime:
    @pytest.mark.parametrize(
        ("data", "what"),
        [
            (b"G", b"headers"),
            (HEAD + b"X-A: ", b"headers"),
            (HEALTH + HEAD, b"headers"),
            (POST + b"Content-Length: 9\r\n\r\n{", b"body"),
            (POST + b"Content-Length: 9\r\nExpect: 100-continue\r\n\r\n", b"body"),
            (CHUNKED + b"2\r\n{}\r\n", b"body"),
        ],
    )
    async def test_an_unfinished_request_ends_with_408(self, data: bytes, what: bytes) -> None:
        settings = seslocal.Settings(limits=Limits(head_seconds=0.1, body_seconds=0.1))
        async with seslocal.running(settings=settings) as local, connected(local, data) as reader:
            answer = await asyncio.wait_for(reader.read(), 60)
        assert b"HTTP/1.1 408 " in answer
        assert b"The " + what + b" of the request did not arrive within 0.1 seconds." in answer

    async def test_only_the_own_phase_counts(self) -> None:
        settings = seslocal.Settings(limits=Limits(head_seconds=0.05, body_seconds=1000))
        async with seslocal.running(settings=settings) as local:
            body = POST + b"Content-Length: 2\r\n\r\n{"
            async with connected(local, body) as reader, connected(local, HEAD) as other:
                assert b" 408 " in await asyncio.wait_for(other.read(), 60)
                assert not reader.at_eof()  # its head is complete, and its body has time

    async def test_an_idle_connection_stays(self) -> None:
        settings = seslocal.Settings(limits=Limits(head_seconds=0.05, body_seconds=0.05))
        async with seslocal.running(settings=settings) as local:
            reader, writer = await asyncio.open_connection(local.host, local.port)
            for part in (HEALTH[:9], HEALTH[9:]):
                writer.write(part)
            assert b" 200 " in await reader.readuntil(b"}")
            async with connected(local, HEAD) as other:
                assert b" 408 " in await asyncio.wait_for(other.read(), 60)
            writer.write(HEALTH)
            assert b" 200 " in await reader.readuntil(b"}")
            writer.close()


class TestConnections:
    def test_an_address_without_connections_is_forgotten(self) -> None:
        connections = Connections(Limits())
        made: list[Any] = [object(), object()]
        for each in made:
            assert connections.admit(each, "192.0.2.1")
        for each in (*made, *made):
            connections.release(each, "192.0.2.1")
        assert (len(connections), connections.addresses) == (0, 0)

    async def test_an_address_has_so_many_and_no_more(self) -> None:
        async with seslocal.running(settings=seslocal.Settings(limits=Limits(connections=3))) as local:
            for _ in range(2):  # closed ones do not count
                held = [await asyncio.open_connection(local.host, local.port) for _ in range(3)]
                for _, writer in held:  # they are counted once the server has seen them
                    writer.write(HEALTH)
                for reader, _ in held:
                    assert b" 200 " in await reader.readuntil(b"}")
                async with connected(local, HEALTH) as reader:
                    answer = await asyncio.wait_for(reader.read(), 60)
                assert answer.startswith(b"HTTP/1.1 429 ")
                assert b"Retry-After: 1\r\n" in answer
                assert b"127.0.0.1 has 3 open connections already, which is the limit." in answer
                for reader, writer in held:
                    writer.write(HEALTH[:-2] + b"Connection: close\r\n\r\n")
                    assert b" 200 " in await asyncio.wait_for(reader.read(), 60)
                    writer.close()
