"""The metrics port beside a role: whatever becomes of it, the role works."""

import asyncio
import socket
from pathlib import Path

import pytest

from mailcordon.app import machine_metrics, machine_state
from mailcordon.config import Config
from mailcordon.config.metrics import MetricsEndpoint
from mailcordon.control.machine_state import State
from mailcordon.control.status_facts import Facts
from mailcordon.core.errors import Unavailable


async def test_a_port_in_use_does_not_stop_a_role_and_is_taken_once_it_is_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine_metrics, "PORT_RETRY", 0.01)
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        served = machine_metrics.served(
            Config(home=tmp_path, metrics=MetricsEndpoint(port=port)), "dispatch", lambda: {"sent": 1}
        )
        facts = await served.__aenter__()
        await asyncio.sleep(0)
        assert facts() == {"sent": 1, "metrics": None}
    while facts()["metrics"] is None:
        await asyncio.sleep(0.01)
    assert facts()["metrics"] == f"127.0.0.1:{port}"
    await served.__aexit__(None, None, None)
    with socket.create_server(("127.0.0.1", port)):
        pass  # it is free again


async def test_switched_off_no_port_is_open(tmp_path: Path) -> None:
    async with machine_metrics.served(Config(home=tmp_path, metrics=None), "api", dict) as facts:
        await asyncio.sleep(0.01)
        assert facts() == {"metrics": None}


class Reader:
    """A database that is away at first."""

    def __init__(self) -> None:
        self.read = 0
        self.away = True

    async def state(self) -> State:
        self.read += 1
        await asyncio.sleep(0)
        if self.away:
            raise Unavailable("the database is away")
        return State(
            facts=Facts(now=1),
            lanes=(),
            waiting={},
            holds=(),
            incidents=(),
            times=(),
            last_hour=(),
            webhooks=(),
        )


async def test_the_state_is_read_once_for_all_who_ask_and_anew_later(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader()
    reader.away = False
    kept = machine_state.Kept(reader)
    first = await asyncio.gather(*(kept.read() for _ in range(5)))
    assert reader.read == 1
    assert first[0] is not None
    assert await kept.read() is first[0]
    monkeypatch.setattr(machine_state, "STATE_FRESH", -1.0)
    await kept.read()
    assert reader.read == 2


async def test_while_the_database_is_away_nothing_old_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine_state, "STATE_FRESH", -1.0)
    reader = Reader()
    kept = machine_state.Kept(reader)
    reader.away = False
    assert await kept.read() is not None
    reader.away = True
    assert await kept.read() is None
