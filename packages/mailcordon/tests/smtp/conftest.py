"""Submission by SMTP on a real database, in the test's own event loop."""

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.accept_store import AcceptStore
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.smtp import connection
from mailcordon.adapters.smtp.login import Keys
from mailcordon.adapters.smtp.shared import SmtpDoor
from mailcordon.adapters.smtp.submit import Submitter
from mailcordon.control import keys
from mailcordon.control.key_cache import KeyCache
from mailcordon.door.buckets import TENANT_RATES, Buckets, Rates
from mailcordon.door.limits import Limits
from mailcordon.door.reads import ReadLimits, Reads
from mailcordon.intake import Intake
from mailcordon.send import raw_mail
from mailcordon.send.accept import Accept
from mailcordon_fixtures.queue_world import HASH_KEY, World
from mailcordon_fixtures.smtp_client import PATIENCE, Smtp


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of 127.0.0.1 and localhost, self-made; and its key."""
    folder = tmp_path_factory.mktemp("tls")
    made, key = folder / "tls.pem", folder / "tls.key"
    subprocess.run(
        [
            *(
                "openssl",
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
            ),
            *("-keyout", key, "-out", made, "-days", "2", "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        ],
        check=True,
        capture_output=True,
    )
    return made, key


@pytest.fixture
def limits() -> Limits:
    """Of the door. A test may have its own."""
    return Limits()


@pytest.fixture
async def smtp(database: Any, limits: Limits, certificate: tuple[Path, Path]) -> AsyncIterator[Smtp]:
    connection_of_owner = await asyncpg.connect(
        database.dsn("owner"), server_settings={"search_path": "mailcordon"}
    )
    world = World(database, connection_of_owner)
    for slug in ("acme", "zen"):
        await world.lane(slug, "receipt")
        await world.lane(slug, "newsletter")
    await world.account()
    await world.dispatcher()
    pools = {login: await engine.create_pool(database.dsn(login)) for login in ("control", "send")}
    stores = [AcceptStore(database.dsn("send")) for _ in range(2)]
    cache = KeyCache(KeyStore(pools["send"]))
    accept = Accept(
        stores[0],
        HASH_KEY,
        lambda: time.time_ns() // 1_000_000,
        cache.invalidate,
        local=True,
        large=stores[1],
    )
    buckets = Buckets(Rates(), TENANT_RATES, lambda limit: None)
    looked_up = Keys(cache, Reads(ReadLimits(), lambda limit: None))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    door = SmtpDoor(
        Submitter(Intake(accept, buckets), looked_up),
        looked_up,
        buckets,
        most_bytes=raw_mail.MAX_BYTES,
        limits=limits,
        tls=context,
        failure_seconds=0.0,
    )
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(connection.factory(door, tls_first=tls_first), "127.0.0.1", 0)
        for tls_first in (False, True)
    ]
    port, tls_port = (server.sockets[0].getsockname()[1] for server in servers)
    running = asyncio.create_task(accept.run())
    made = Smtp(world, keys.Keys(KeyStore(pools["control"])), cache, door, port, tls_port, certificate[0])
    await made.key("acme", "acme")
    await made.key("platform", None)
    yield made
    for client in made.clients:
        client.close()
    for server in servers:
        server.close()
    await door.drain(PATIENCE)
    assert door.facts.connections == 0
    assert door.facts.body_bytes == 0
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    for store in stores:
        await store.close()
    for pool in pools.values():
        await pool.close()
    await connection_of_owner.close()
