"""Ports: the one asked for or a refusal that names it; the usual one, or another with a word about it."""

import asyncio
import os
import socket
import sys
from collections.abc import Iterator

import pytest

from mailcordon.host import listening
from mailcordon.host.listening import PortTaken, Wanted


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_refused_with_its_setting_and_its_holder(taken: int):
    with pytest.raises(PortTaken) as refused:
        listening.listen(listening.api("127.0.0.1", taken))
    assert f"Port {taken} " in str(refused.value)
    assert "MAILCORDON_API_PORT" in str(refused.value)
    if sys.platform == "linux":
        assert f"process {os.getpid()} " in str(refused.value)


async def test_the_local_ses_names_its_own_setting(taken: int):
    with pytest.raises(PortTaken, match="MAILCORDON_SES_PORT"):
        await listening.free_port(listening.local_ses(taken), 0.0, print)


def test_the_usual_port_is_replaced_and_said(taken: int):
    said: list[str] = []
    wanted = Wanted("127.0.0.1", None, taken, "HOST", "PORT")
    with listening.listen(wanted, said.append) as listener:
        chosen = listener.getsockname()[1]
    assert chosen != taken
    assert len(said) == 1
    assert str(taken) in said[0]
    assert str(chosen) in said[0]


def test_zero_takes_any_port_without_a_message():
    said: list[str] = []
    with listening.listen(listening.api("127.0.0.1", 0), said.append) as listener:
        assert listener.getsockname()[1] > 0
    assert said == []


@pytest.mark.parametrize("host", ["203.0.113.1", "no-such-host.invalid"])
def test_a_foreign_address_is_refused_with_its_setting(host: str):
    with pytest.raises(PortTaken, match="MAILCORDON_API_HOST"):
        listening.listen(listening.api(host, None))


async def test_a_port_that_is_released_is_waited_for(taken: int):
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]
    asyncio.get_running_loop().call_later(0.2, server.close)
    with await listening.listen_patiently(listening.api("127.0.0.1", port), 10.0, print) as listener:
        assert listener.getsockname()[1] == port
