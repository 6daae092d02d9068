"""A replay of the ground truth in slices: other calls are answered meanwhile, and what happens meanwhile does not change it."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Collection, Iterator
from typing import Any

import pytest

from seslocal.state.world_state import WorldState
from seslocal.world.counterfactual import Counterfactual, Steps
from seslocal_fixtures.world import PATIENCE, World

START = 1_767_600_000.0
HOUR = 3600.0


@pytest.fixture
def inhabited(world: World) -> World:
    """acme and bad have sent 20 mails each."""
    world.admin("PUT", "/clock", {"at": START, "frozen": True})
    world.admin("PUT", "/world", {"seed": 3})
    world.ready()
    world.tenant("bad", world.arn("identity/mail.acme.example"), world.arn("configuration-set/acme-reset"))
    for index in range(40):
        world.send(f"kim.{index}@gmail.com", tenant="bad" if index % 2 else "acme")
    world.admin("PUT", "/clock", {"advance": HOUR})
    return world


@pytest.fixture
def gate(inhabited: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Before it is opened a replay makes steps and does not end."""
    gate, until, comparing = threading.Event(), time.monotonic() + PATIENCE, WorldState.comparing

    def gated(state: WorldState, without: Collection[str], now: float) -> Steps[Counterfactual]:
        steps = comparing(state, without, now)  # of the mails that are kept now
        while not gate.is_set():
            assert time.monotonic() < until, "the gate was never opened"
            yield 1
        return (yield from steps)

    monkeypatch.setattr(WorldState, "comparing", gated)
    yield gate
    gate.set()


class Asked:
    """A call in a thread, which returns once its replay is under way."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.answer: tuple[int, Any] | None = None
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self) -> None:
        try:
            status, body = self._world.http("POST", "/_seslocal/world/counterfactual", b'{"without": "bad"}')
            self.answer = status, json.loads(body)
        except OSError:
            self.answer = 0, {}

    def end(self) -> tuple[int, Any]:
        self._thread.join(PATIENCE)
        assert self.answer is not None
        return self.answer


def played(world: World) -> int | None:
    return world.admin("GET", "/world")["played"]


def test_other_calls_are_answered_meanwhile(inhabited: World, gate: threading.Event) -> None:
    asked = Asked(inhabited)
    inhabited.wait_for(lambda: played(inhabited) is not None)
    before = played(inhabited)
    inhabited.wait_for(lambda: played(inhabited) != before)
    inhabited.send("lee.1@gmail.com", tenant="acme")
    inhabited.admin("PUT", "/clock", {"advance": HOUR})
    assert asked.answer is None
    gate.set()
    status, found = asked.end()
    assert (status, found["mails"], found["differing"]) == (200, 20, 0)
    assert played(inhabited) is None
    assert inhabited.admin("POST", "/world/counterfactual", {"without": "bad"})["mails"] == 21


def test_replays_wait_for_each_other(inhabited: World, gate: threading.Event) -> None:
    both = Asked(inhabited), Asked(inhabited)
    state = inhabited.local.account.mailboxes.world
    assert state is not None
    inhabited.wait_for(lambda: played(inhabited) is not None)
    gate.set()
    first, second = (one.end() for one in both)
    assert first == second
    assert first[0] == 200
    assert not state.replays.locked()


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [("DELETE", "/world", None), ("PUT", "/world", {}), ("POST", "/reset", None)],
    ids=["removed", "replaced", "reset"],
)
def test_the_end_of_the_world_ends_its_replay(
    inhabited: World,
    gate: threading.Event,
    caplog: pytest.LogCaptureFixture,
    method: str,
    path: str,
    body: Any,
) -> None:
    asked = Asked(inhabited)
    inhabited.wait_for(lambda: played(inhabited) is not None)
    inhabited.admin(method, path, body)
    status, said = asked.end()
    assert (status, "was removed or replaced, or the account was reset" in said["error"]) == (409, True)
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_scenario_asks_at_once(inhabited: World) -> None:
    inhabited.admin(
        "POST",
        "/scenario",
        {"steps": [{"at": 0, "call": "POST /world/counterfactual", "body": {"tenant": "acme"}}]},
    )
    (step,) = inhabited.admin("GET", "/scenario")["steps"]
    assert step["outcome"] == "done"


def test_mail_without_a_tenant_can_be_left_out(inhabited: World) -> None:
    inhabited.send("lee.1@gmail.com", tenant=None)
    inhabited.admin("PUT", "/clock", {"advance": HOUR})
    assert inhabited.admin("POST", "/world/counterfactual", {"without": ""})["mails"] == 40
    assert inhabited.admin("POST", "/world/counterfactual", {"tenant": ""})["mails"] == 1
