"""The fast path without ASGI, over real sockets: what a connection may do, and that both paths give the same responses."""

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any, cast

import pytest
import uvicorn

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.message_reader import MessageCanceller, MessageReader
from mailcordon.adapters.http import (
    limited_connection,
    message_endpoint,
    message_protocol,
    server,
    shared_door,
)
from mailcordon.adapters.http.message_endpoint import MessageEndpoint
from mailcordon.control import keys
from mailcordon.control.key_cache import KeyCache
from mailcordon.core.key_limits import KeyLimits
from mailcordon.core.principal import SCOPES, Principal
from mailcordon.send.accept import Accept
from mailcordon_fixtures.queue_world import HASH_KEY, World
from mailcordon_fixtures.raw_http import Client, Response

PATIENCE = 20.0  #: seconds
GOOD: dict[str, Any] = {
    "type": "receipt",
    "from": "Acme <hello@receipt.acme.example>",
    "to": "kim@example.com",
    "subject": "Your receipt",
    "text": "Thank you.",
}


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass
class Api:
    """The API on a port, with its key."""

    world: World
    port: int
    key: str
    prefix: str
    keys: keys.Keys
    cache: KeyCache
    accept: Accept
    server: uvicorn.Server
    running: list[asyncio.Task[Any]] = field(default_factory=list[asyncio.Task[Any]])
    through_asgi: list[str] = field(
        default_factory=list[str]
    )  #: methods and paths of the requests that went through ASGI

    @contextlib.asynccontextmanager
    async def client(self) -> AsyncIterator[Client]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**26)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def head(
        self, *lines: str, method: str = "POST", path: str = message_endpoint.PATH, key: str | None = None
    ) -> bytes:
        said = [
            f"{method} {path} HTTP/1.1",
            "Host: x",
            f"Authorization: Bearer {key or self.key}",
            *lines,
            "",
            "",
        ]
        return "\r\n".join(said).encode()

    def request(self, body: Any = GOOD, *lines: str, key: str | None = None) -> bytes:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.head(*lines, f"Content-Length: {len(raw)}", key=key) + raw

    async def ask(self, raw: bytes) -> Response:
        async with self.client() as client:
            await client.write(raw)
            return await client.response()

    async def stored(self) -> int:
        return await self.world.count("message")

    def start_committing(self) -> None:
        self.running.append(asyncio.create_task(self.accept.run()))

    async def stop_committing(self) -> None:
        for task in self.running:
            task.cancel()
        await asyncio.gather(*self.running, return_exceptions=True)
        self.running.clear()


@pytest.fixture
async def world(database: Any) -> AsyncIterator[World]:
    connection = await engine.connect(database.dsn("owner"))
    yield World(database, connection)
    await connection.close()


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    """Its key is cached already, as it is after a tenant's first request."""
    await world.lane("acme", "receipt")
    pools = {login: await engine.create_pool(world.database.dsn(login)) for login in ("control", "reader")}
    store, canceller = (
        AcceptStore(world.database.dsn("send")),
        MessageCanceller(world.database.dsn("governor")),
    )
    key_store = KeyStore(pools["control"])
    cache = KeyCache(key_store)
    accept = Accept(store, HASH_KEY, lambda: time.time_ns() // 1_000_000, cache.invalidate, local=True)
    mail = MessageEndpoint(
        accept=accept,
        keys=cache,
        reader=MessageReader(pools["control"], pools["reader"]),
        canceller=canceller,
        hash_key=HASH_KEY,
    )

    async def health() -> server.Health:
        return server.Health(ok=True, database="ok", oldest_snapshot_seconds=None)

    app: Any = server.build(mail, cache, [], health, "0")
    made: Api

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            made.through_asgi.append(f"{scope['method']} {scope['path']}")
        await app(scope, receive, send)

    listener = socket.create_server(("127.0.0.1", 0))
    serving = _Server(
        uvicorn.Config(
            watched,
            http=message_protocol.protocol(mail),  # pyright: ignore[reportArgumentType]
            lifespan="on",
            access_log=False,
            log_config=None,
            timeout_graceful_shutdown=5,
        )
    )
    key, text = await keys.Keys(key_store).create(
        tenant="acme", name="acme", scopes=("send", "read"), actor="test"
    )
    made = Api(
        world, listener.getsockname()[1], text, key.prefix, keys.Keys(key_store), cache, accept, serving
    )
    task = asyncio.create_task(serving.serve(sockets=[listener]))
    made.start_committing()
    await accept.forget()  # reads the epoch now, since a new one would drop the cached key
    await cache.load(f"Bearer {text}")
    deadline = time.monotonic() + PATIENCE
    while not serving.started:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    yield made
    serving.should_exit = True
    await asyncio.wait_for(task, PATIENCE)
    await made.stop_committing()
    await store.close()
    await canceller.close()
    for pool in pools.values():
        await pool.close()


async def test_one_connection_takes_several_messages_and_other_requests_in_between(api: Api) -> None:
    async with api.client() as client:
        for number in range(3):
            await client.write(api.request({**GOOD, "to": f"r{number}@example.com"}))
            answer = await client.response()
            assert answer.status == 202
            assert answer.headers["content-type"] == "application/json"
            assert {"date", "content-length"} <= set(answer.headers)
            assert answer.said["deliveries"][0]["to"] == f"r{number}@example.com"
            await client.write(api.head(method="GET", path=f"/v1/messages/{answer.said['id']}"))
            assert (await client.response()).said["id"] == answer.said["id"]
    assert await api.stored() == 3
    assert [one for one in api.through_asgi if one.startswith("POST")] == []


@pytest.mark.parametrize("line", ["Authorization: Bearer x", "Host: y", "Idempotency-Key: 2"])
async def test_a_second_key_host_or_idempotency_key_is_refused_at_every_door(api: Api, line: str) -> None:
    other = f"{line}\r\nContent-Length: 0"
    for raw in (
        api.request(GOOD, "Idempotency-Key: 1", line),
        api.head("Idempotency-Key: 1", line, method="GET", path="/v1/messages/msg_1"),
        api.head("Idempotency-Key: 1", line, method="GET", path="/v1/health"),
        api.head("Idempotency-Key: 1", other, method="POST", path="/v1/messages", key="unknown"),
    ):
        answer = await api.ask(raw)
        assert (answer.status, answer.said["code"]) == (400, "duplicate-header"), raw
        assert line.partition(":")[0] in answer.said["detail"]
    assert await api.stored() == 0


async def test_both_paths_give_the_same_response(api: Api) -> None:
    bodies: list[Any] = [
        GOOD,
        {**GOOD, "to": ["a@x.example", "b@x.example"]},
        {**GOOD, "subject": ""},
        {**GOOD, "type": "fax"},
        {**GOOD, "tenant": "zen"},
        b"{",
        b"",
        b"\xff",
        b"[]",
        b'{"to": "a@x.example", "to": "b@x.example"}',
    ]
    for body in bodies:
        direct_answer = await api.ask(api.request(body))
        api.cache.invalidate()  # a key that is not cached takes the path through ASGI
        came = len(api.through_asgi)
        asgi_answer = await api.ask(api.request(body))
        assert len(api.through_asgi) == came + 1
        assert direct_answer.status == asgi_answer.status
        assert {n: v for n, v in direct_answer.headers.items() if n != "date"} == {
            n: v for n, v in asgi_answer.headers.items() if n != "date"
        }
        if direct_answer.status != 202:
            assert direct_answer.body == asgi_answer.body
    assert api.through_asgi == [f"POST {message_endpoint.PATH}"] * len(bodies)


async def test_a_key_for_some_types_is_refused_another_one_on_both_paths(api: Api) -> None:
    _, text = await api.keys.create(
        tenant="acme", name="news", scopes=("send",), actor="test", types=("newsletter",)
    )
    await api.cache.load(f"Bearer {text}")
    direct = await api.ask(api.request(GOOD, key=text))
    api.cache.invalidate()
    through_asgi = await api.ask(api.request(GOOD, key=text))
    assert api.through_asgi == [f"POST {message_endpoint.PATH}"]
    assert (direct.status, direct.said["code"]) == (403, "type-not-allowed")
    assert direct.body == through_asgi.body
    assert await api.stored() == 0


async def test_a_key_for_some_addresses_sends_from_no_other_in_one_piece_or_several(api: Api) -> None:
    texts: list[str] = []
    for network in ("127.0.0.0/8", "192.0.2.0/24"):
        _, text = await api.keys.create(
            tenant="acme", name="n", scopes=("send",), actor="test", networks=(ip_network(network),)
        )
        await api.cache.load(f"Bearer {text}")
        texts.append(text)
    near, far = texts
    assert (await api.ask(api.request(GOOD, key=near))).status == 202
    refused = await api.ask(api.request(GOOD, key=far))
    assert (refused.status, refused.said["code"]) == (403, "address-not-allowed")
    raw = api.request(GOOD, key=far)
    async with api.client() as client:
        await client.write(raw[:-10])
        await asyncio.sleep(0)
        await client.write(raw[-10:])
        assert (await client.response()).status == 403
    assert await api.stored() == 1


async def test_a_narrowed_key_sends_nothing_more_although_the_wider_one_is_in_memory(api: Api) -> None:
    operator = Principal(
        key_id=0,
        prefix="abcdefgh",
        name="o",
        holder="o",
        tenant_id=None,
        tenant_slug=None,
        scopes=frozenset(SCOPES),
    )
    large = {**GOOD, "text": "x" * 300_000}
    cases: list[tuple[dict[str, Any], dict[str, Any], int]] = [
        ({"types": ("newsletter",)}, GOOD, 403),
        ({"scopes": ("read",)}, GOOD, 403),
        ({"networks": (ip_network("192.0.2.0/24"),)}, GOOD, 503),
        ({"types": ("newsletter",)}, large, 503),
    ]
    for change, body, status in cases:
        key, text = await api.keys.create(tenant="acme", name="n", scopes=("send",), actor="test")
        await api.cache.load(f"Bearer {text}")
        await api.keys.change(operator, key.prefix, **change)
        assert api.cache.lookup(f"Bearer {text}") is not None
        answers = [(await api.ask(api.request(body, key=text))).status for _ in range(2)]
        assert answers == [status, 403], change
    assert await api.stored() == 0


async def test_a_widened_key_sends_at_once_although_an_older_one_is_in_memory(api: Api) -> None:
    operator = Principal(
        key_id=0,
        prefix="abcdefgh",
        name="o",
        holder="o",
        tenant_id=None,
        tenant_slug=None,
        scopes=frozenset(SCOPES),
    )
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"types": ("newsletter",)}, {"types": None}),
        ({"scopes": ("read",)}, {"scopes": ("send",)}),
    ]
    for narrow, wide in cases:
        terms: Any = {"tenant": "acme", "name": "n", "scopes": ("send",), "actor": "test", **narrow}
        key, text = await api.keys.create(**terms)
        await api.cache.load(f"Bearer {text}")
        await api.keys.change(operator, key.prefix, **wide)
        assert api.cache.lookup(f"Bearer {text}") is not None
        assert (await api.ask(api.request(GOOD, key=text))).status == 202
    large = {**GOOD, "text": "x" * 300_000}
    key, text = await api.keys.create(
        tenant="acme", name="n", scopes=("send",), actor="test", types=("newsletter",)
    )
    await api.cache.load(f"Bearer {text}")
    await api.keys.change(operator, key.prefix, types=None)
    # Its body is not kept: this answer is that of the older key, and the next one of the key as it is.
    assert [(await api.ask(api.request(large, key=text))).status for _ in range(2)] == [403, 202]
    assert api.through_asgi == []


async def test_a_repeated_idempotency_key_gets_the_first_response_marked_as_replayed(api: Api) -> None:
    request = api.request(GOOD, "Idempotency-Key: k1")
    first, again = await api.ask(request), await api.ask(request)
    assert again.status == first.status == 202
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    # The replay has the states of now: with no dispatcher in this test, it says why the mail waits.
    said = again.said
    assert said["deliveries"][0].pop("reason") == "no-dispatcher"
    assert said["deliveries"][0].pop("detail")
    assert said == first.said
    other = await api.ask(api.request({**GOOD, "subject": "Other"}, "Idempotency-Key: k1"))
    assert (other.status, other.said["code"]) == (409, "idempotency")
    assert (await api.ask(api.request(GOOD, f"Idempotency-Key: {'k' * 256}"))).status == 422
    assert await api.stored() == 1
    assert api.through_asgi == []


async def test_pipelined_requests_are_answered_in_their_order(api: Api) -> None:
    async with api.client() as client:
        requests = [api.request({**GOOD, "to": f"r{number}@example.com"}) for number in range(5)]
        requests.insert(2, api.head(method="GET", path="/v1/health"))
        await client.write(b"".join(requests))
        answers = [await client.response() for _ in requests]
    assert [one.status for one in answers] == [202, 202, 200, 202, 202, 202]
    sent = [one.said["deliveries"][0]["to"] for one in answers if one.status == 202]
    assert sent == [f"r{number}@example.com" for number in range(5)]
    assert await api.stored() == 5


async def test_a_body_in_chunks_is_one_body(api: Api) -> None:
    raw = json.dumps(GOOD).encode()
    chunks = b"".join(
        b"%x\r\n%b\r\n" % (len(raw[at : at + 7]), raw[at : at + 7]) for at in range(0, len(raw), 7)
    )
    async with api.client() as client:
        for _ in range(2):
            await client.write(api.head("Transfer-Encoding: chunked") + chunks + b"0\r\n\r\n")
            assert (await client.response()).status == 202
    assert await api.stored() == 2
    assert api.through_asgi == []


async def test_a_request_that_comes_byte_by_byte_is_one_request(api: Api) -> None:
    async with api.client() as client:
        for byte in api.request():
            await client.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.response()).status == 202
    assert await api.stored() == 1


async def test_a_client_that_waits_for_100_continue_gets_it(api: Api) -> None:
    raw = json.dumps(GOOD).encode()
    async with api.client() as client:
        await client.write(api.head("Expect: 100-continue", f"Content-Length: {len(raw)}"))
        assert await client.head() == (100, {})
        await client.write(raw)
        assert (await client.response()).status == 202


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_body_that_is_too_large_is_refused_and_the_connection_stays_open(
    api: Api, chunked: bool
) -> None:
    size = message_endpoint.MAX_BODY + 1
    async with api.client() as client:
        if chunked:
            head = api.head("Transfer-Encoding: chunked")
            await client.write(head + b"%x\r\n" % size + b" " * size + b"\r\n0\r\n\r\n")
        else:
            await client.write(api.head(f"Content-Length: {size}") + b" " * size)
        refused = await client.response()
        assert (refused.status, refused.said["code"]) == (413, "too-large")
        await client.write(api.request())
        assert (await client.response()).status == 202
    assert await api.stored() == 1
    assert api.through_asgi == []


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_message_beyond_the_rate_is_refused_before_it_is_sent(api: Api, chunked: bool) -> None:
    _, key = await api.keys.create(
        tenant="acme",
        name="slow",
        scopes=("send",),
        actor="test",
        limits=KeyLimits(bytes_per_second=0.01),
    )
    size = 9_000_000
    async with api.client() as client:
        assert (await api.ask(api.request(key=key))).status == 202  # and may send nothing more for hours
        if chunked:
            await client.write(api.head("Transfer-Encoding: chunked", key=key))
            await client.write(b"%x\r\n" % size + b" " * 300_000)
        else:
            await client.write(api.head(f"Content-Length: {size}", key=key))
        refused = await client.response()
        assert (refused.status, refused.said["code"]) == (429, "rate-limit")
        await client.write(b" " * (size - 300_000 * chunked) + b"\r\n0\r\n\r\n" * chunked)
        await client.write(api.request())
        assert (await client.response()).status == 202


async def test_refused_bodies_are_read_at_a_bounded_rate(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_door, "_DISCARD_RATE", 1900)
    monkeypatch.setattr(message_endpoint, "MAX_BODY", 1000)
    async with api.client() as client, api.client() as another:
        await client.write(api.head("Content-Length: 2000"))
        assert (await client.response()).status == 413
        connection = _used_connection(api)
        await client.write(b" " * 500)
        await _until(lambda: connection.flow.read_paused)
        await another.write(api.request())
        assert (await another.response()).status == 202
        await client.write(b" " * 1500 + api.request())
        assert (await client.response()).status == 202


@pytest.mark.parametrize("paused", [False, True])
async def test_a_connection_that_sends_fast_lets_others_come_first(api: Api, paused: bool) -> None:
    async with api.client() as client:
        await client.write(api.head("Content-Length: 1000000") + b" ")
        await _seen(api)
        connection = _used_connection(api)
        connection.data_received(b" " * 100_000)
        assert not connection.transport.is_reading()
        if paused:  # for another reason
            connection.flow.pause_reading()
        await asyncio.sleep(0)
        assert connection.transport.is_reading() is not paused
        connection.flow.resume_reading()


@pytest.mark.parametrize(
    ("method", "path"), [("POST", message_endpoint.PATH), ("GET", "/v1/addresses/kim@example.com")]
)
async def test_a_connection_that_was_refused_is_not_read_for_a_while(
    api: Api, method: str, path: str
) -> None:
    async with api.client() as client, api.client() as another:
        await client.write(api.head(path=path, key="mck_unknown", method=method) + api.request())
        assert (await client.response()).status == 401
        connection = _used_connection(api)
        assert connection.flow.read_paused
        await another.write(api.request())
        assert (await another.response()).status == 202
        await client.write(api.request())
        for _ in range(2):
            assert (await client.response()).status == 202
        assert not connection.flow.read_paused


async def test_a_client_that_never_stops_sending_is_disconnected(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(message_endpoint, "MAX_BODY", 1000)
    monkeypatch.setattr(limited_connection, "MOST_DISCARDED", 4000)
    async with api.client() as client:
        await client.write(api.head("Content-Length: 1000000000") + b" " * 2000)
        assert (await client.response()).status == 413
        with contextlib.suppress(OSError):
            for _ in range(1000):
                await client.write(b" " * 1000)
        with contextlib.suppress(ConnectionResetError):
            assert await client.ended() == b""


@pytest.mark.parametrize(
    "raw",
    [
        b"nonsense\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nContent-Length: x\r\n\r\n",
        b"POST /v1/messages HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        b"POST /v1/messages HTTP/9\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_bytes_that_are_not_http_are_refused_and_end_the_connection(api: Api, raw: bytes) -> None:
    async with api.client() as client:
        await client.write(raw)
        assert (await client.head())[0] == 400
        await client.ended()
    assert (await api.ask(api.request())).status == 202


async def test_a_broken_chunk_in_the_middle_of_a_mail_stores_nothing(api: Api) -> None:
    async with api.client() as client:
        await client.write(api.head("Transfer-Encoding: chunked") + b'5\r\n{"typ\r\nzz\r\n')
        assert (await client.head())[0] == 400
        await client.ended()
    assert await api.stored() == 0
    assert (await api.ask(api.request())).status == 202


async def test_http_1_0_and_connection_close_end_the_connection_after_the_response(api: Api) -> None:
    async with api.client() as client:
        await client.write(api.request(GOOD, "Connection: close"))
        answer = await client.response()
        assert (answer.status, answer.headers["connection"]) == (202, "close")
        assert await client.ended() == b""
    async with api.client() as client:
        await client.write(api.request().replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert (await client.response()).status == 202
        assert await client.ended() == b""


async def test_other_methods_and_similar_paths_do_not_reach_the_endpoint(api: Api) -> None:
    for method, path, status in (
        ("PUT", "/v1/messages", 405),
        ("POST", "/v1/messages/", 404),
        ("POST", "/v1/messagesX", 404),
    ):
        answer = await api.ask(api.head("Content-Length: 0", method=method, path=path))
        assert answer.status == status, path
    assert (await api.ask(api.request().replace(b"/v1/messages ", b"/v1/messages?a=b "))).status == 202


async def test_a_request_without_a_valid_key_is_refused_before_its_body_is_kept(api: Api) -> None:
    async with api.client() as client:
        await client.write(api.head("Content-Length: 1000000", key="mck_nobody") + b" " * 1000)
        answer = await client.response()
        assert (answer.status, answer.said["code"]) == (401, "unauthorised")


async def test_a_key_revoked_between_two_requests_of_a_connection_is_refused(api: Api) -> None:
    async with api.client() as client:
        for _ in range(2):
            await client.write(api.request(GOOD))
            assert (await client.response()).status == 202
        await api.keys.revoke(api.prefix, actor="test")
        api.cache.invalidate()  # as any other request does that sees the new epoch
        await client.write(api.request(GOOD))
        answer = await client.response()
        assert (answer.status, answer.said["code"]) == (401, "unauthorised")
    assert api.through_asgi == ["POST /v1/messages"]  # it was looked up again, not refused by the commit
    assert await api.stored() == 2


async def test_a_key_that_expires_between_two_requests_of_a_connection_is_refused(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    expires = datetime.now(UTC) + timedelta(minutes=5)
    _, text = await api.keys.create(
        tenant="acme", name="n", scopes=("send",), actor="test", expires_at=expires
    )
    await api.accept.forget()
    await api.cache.load(f"Bearer {text}")
    async with api.client() as client:
        await client.write(api.request(GOOD, key=text))
        assert (await client.response()).status == 202
        monkeypatch.setattr(api.cache, "_clock", lambda: expires.timestamp() + 1)
        await client.write(api.request(GOOD, key=text))
        assert (await client.response()).status == 401
    assert await api.stored() == 1


async def test_each_request_of_a_connection_is_its_own_keys(api: Api) -> None:
    _, reader = await api.keys.create(tenant="acme", name="n", scopes=("read",), actor="test")
    await api.accept.forget()
    for text in (api.key, reader):
        await api.cache.load(f"Bearer {text}")
    async with api.client() as client:
        for key, status in ((api.key, 202), (reader, 403), (api.key, 202)):
            await client.write(api.request(GOOD, key=key))
            assert (await client.response()).status == status
        await client.write(api.request(GOOD).replace(f"Bearer {api.key}".encode(), b"Bearer mck_nobody"))
        assert (await client.response()).status == 401


async def test_an_answer_has_the_headers_that_the_server_has_now(api: Api) -> None:
    async with api.client() as client:
        for date in (b"Sat, 28 Nov 2026 10:00:00 GMT", b"Sat, 28 Nov 2026 10:00:01 GMT"):
            api.server.server_state.default_headers = [(b"date", date)]
            await client.write(api.request(GOOD))
            assert (await client.response()).headers["date"] == date.decode().lower()


async def test_a_key_revoked_while_the_body_arrives_is_refused(api: Api) -> None:
    raw = json.dumps(GOOD).encode()
    async with api.client() as client:
        await client.write(api.head(f"Content-Length: {len(raw)}") + raw[:20])
        await _seen(api)
        await api.keys.revoke(api.prefix, actor="test")
        api.cache.invalidate()  # as any other request does that sees the new epoch
        await client.write(raw[20:])
        answer = await client.response()
        assert (answer.status, answer.said["code"]) == (401, "unauthorised")
    assert await api.stored() == 0


async def test_a_trailer_does_not_become_a_header(api: Api) -> None:
    raw = json.dumps(GOOD).encode()
    head = f"POST {message_endpoint.PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    trailer = f"Authorization: Bearer {api.key}\r\n\r\n".encode()
    answer = await api.ask(head + b"%x\r\n%b\r\n0\r\n" % (len(raw), raw) + trailer)
    assert answer.status == 401
    assert await api.stored() == 0


async def test_a_message_is_kept_although_its_client_disconnected(api: Api) -> None:
    await api.stop_committing()
    async with api.client() as client:
        await client.write(api.request())
        await _pending(api, 1)
    api.start_committing()
    deadline = time.monotonic() + PATIENCE
    while await api.stored() < 1:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)
    assert (await api.ask(api.request())).status == 202


async def test_a_connection_that_is_lost_while_it_is_refused_gives_everything_back(api: Api) -> None:
    async with api.client() as client:
        await client.write(api.head("Content-Length: 1000") + b" ")
        await _seen(api)
        [connection] = api.server.server_state.connections
        assert isinstance(connection, message_protocol.MessageProtocol)
        admission = connection.admission
        assert admission.facts.body_bytes == 1000
        connection.transport.abort()
        connection.check_deadline(connection.loop.time() + 1000)  # before the loop says that it is lost
        await client.ended()
        await _until(lambda: not admission.facts.connections)
    assert admission.facts.refused == {"body-time": 1}
    assert (admission.facts.body_bytes, admission._keys) == (0, {})


async def test_requests_in_progress_at_shutdown_are_answered_and_their_connections_closed(api: Api) -> None:
    await api.stop_committing()
    raw = json.dumps(GOOD).encode()
    async with api.client() as whole, api.client() as half, api.client() as idle:
        await idle.write(api.head(method="GET", path="/v1/health"))
        await idle.response()
        await whole.write(api.request())
        await half.write(api.head(f"Content-Length: {len(raw)}") + raw[:20])
        await _pending(api, 1)
        await _seen(api)
        api.server.should_exit = True
        assert await idle.ended() == b""
        api.start_committing()
        await half.write(raw[20:])
        for client in (whole, half):
            answer = await client.response()
            assert (answer.status, answer.headers["connection"]) == (202, "close")
            assert await client.ended() == b""
    assert await api.stored() == 2


async def test_a_message_that_cannot_be_committed_at_shutdown_gets_503(api: Api) -> None:
    await api.stop_committing()
    async with api.client() as client:
        await client.write(api.request())
        await _pending(api, 1)
        async with api.world.connection.transaction():
            await api.world.connection.execute("lock table message")
            api.start_committing()
            while not await api.world.connection.fetchval("select count(*) from pg_locks where not granted"):
                await asyncio.sleep(0.005)
            await api.stop_committing()
        answer = await client.response()
        assert (answer.status, answer.said["retryable"]) == (503, True)
    assert await api.stored() == 0


def _used_connection(api: Api) -> message_protocol.MessageProtocol:
    """The one that has had a request."""
    [connection] = [
        one
        for one in api.server.server_state.connections
        if isinstance(one, message_protocol.MessageProtocol) and cast(object, one.cycle) is not None
    ]
    return connection


async def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)


async def _pending(api: Api, count: int) -> None:
    await _until(lambda: api.accept.waiting >= count)


async def _seen(api: Api) -> None:
    """Waits until a connection has received a part of a message."""
    deadline = time.monotonic() + PATIENCE
    while not any(
        one.cycle is not None and not one.cycle.response_complete and one.cycle._chunks  # type: ignore[union-attr]
        for one in api.server.server_state.connections
        if isinstance(one, message_protocol.MessageProtocol)
    ):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.005)
