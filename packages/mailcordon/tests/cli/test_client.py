"""The client of the REST API: how long it waits for an answer."""

import asyncio

import pytest

from mailcordon.adapters.cli import client, failures


async def test_a_call_that_takes_longer_names_its_own_time() -> None:
    asked = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    api = client.Client(f"http://127.0.0.1:{port}", None, timeout=0.01)
    try:
        with pytest.raises(failures.Failure):
            await api.post("/v1/slow", {})
        asked.clear()
        patient = asyncio.create_task(api.post("/v1/slow", {}, timeout=60))
        await asyncio.wait_for(asked.wait(), 60)
        done, _ = await asyncio.wait([patient], timeout=0.1)
        assert not done
        patient.cancel()
    finally:
        await api.close()
        server.close()
