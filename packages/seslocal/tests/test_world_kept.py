"""The ground truth after a kill: of what was answered before, it knows everything."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seslocal import Clock, Settings
from seslocal.kept import keeper
from seslocal_fixtures.world import ACCOUNT, PATIENCE, REGION, Background, World

START = 1_767_600_000.0
HOUR = 3600.0


@pytest.fixture(autouse=True)
def nothing_is_written_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a call, the file does not change within the test."""
    monkeypatch.setattr(keeper, "EVERY", 1e6)


class Life:
    """A process on a state directory, until `kill`."""

    def __init__(self, state: Path) -> None:
        settings = Settings(region=REGION, account_id=ACCOUNT, state=str(state), event_delay=0.001)
        self._background = Background(settings, Clock(START, 0))
        self._state = state
        self.world = World(self._background.local, None, None)

    def kill(self) -> Life:
        """Returns the process that follows."""
        copy = self._state.with_name(self._state.name + "+")
        shutil.copytree(self._state, copy)
        self._background.stop()
        return Life(copy)

    def stop(self) -> None:
        self._background.stop()

    def call(self, work: Callable[[], None]) -> None:
        """Calls it on the server's event loop."""
        self._background._loop.call_soon_threadsafe(work)


@pytest.fixture
def lives(tmp_path: Path) -> Iterator[list[Life]]:
    found = [Life(tmp_path / "state")]
    yield found
    found[-1].stop()


def send(world: World, number: int) -> None:
    body = {
        "FromEmailAddress": "news@acme.example",
        "Destination": {"ToAddresses": [f"kim.{number}@gmail.com", f"lee.{number}@gmx.de"]},
        "Content": {"Simple": {"Subject": {"Data": f"Hi {number}"}, "Body": {"Text": {"Data": "Hello"}}}},
    }
    status, answer = world.http("POST", "/v2/email/outbound-emails", json.dumps(body).encode())
    assert status == 200, answer


def truth(world: World) -> Any:
    mails = world.admin("GET", "/world/mails?limit=1000")["mails"]
    return world.admin("GET", "/world/tables"), sorted(
        mails, key=lambda row: (row["message_id"], row["recipient"])
    )


def test_the_truth_knows_what_was_answered_before_a_kill(lives: list[Life]) -> None:
    world = lives[0].world
    bad = {"provider": "gmx", "start": 0, "seconds": HOUR, "defers": 1.0}
    world.admin("PUT", "/world", {"seed": 5, "quality": "bought", "weather": [bad]})
    status, _ = world.http("POST", "/v2/email/identities", b'{"EmailIdentity": "acme.example"}')
    assert status == 200
    for number in range(30):
        send(world, number)
    lives.append(lives[-1].kill())  # after the calls that sent
    world = lives[-1].world
    tables, mails = truth(world)
    assert (sum(row["mails"] for row in tables["rows"]), len(mails)) == (60, 60)
    assert {row["ended"] for row in mails} == {"under_way"}
    for seconds in (1.0, HOUR / 2, 30 * HOUR, 300 * HOUR):
        world.admin("PUT", "/clock", {"advance": seconds})
        before = truth(world)
        lives.append(lives[-1].kill())  # after the move
        world = lives[-1].world
        assert truth(world) == before
    (total,) = world.admin("GET", "/world/tables?by=tenant")["rows"]
    assert total["deferrals"] >= 30
    ended = sum(total[name] for name in ("inbox", "spam", "returned", "refused", "expired"))
    assert (total["mails"], ended) == (60, 60)
    assert world.admin("POST", "/world/counterfactual", {"without": ""})["differing"] == 0


def test_a_journey_tells_of_an_attempt_that_was_not_written(lives: list[Life]) -> None:
    """In real time attempts follow no call: the truth is written once a second, and a journey at each step."""
    world = lives[0].world
    bad = {"provider": "gmx", "start": 0, "seconds": HOUR, "defers": 1.0}
    world.admin("PUT", "/world", {"seed": 5, "weather": [bad]})
    world.http("POST", "/v2/email/identities", b'{"EmailIdentity": "acme.example"}')
    send(world, 1)
    clock, done = world.local.account.clock, threading.Event()

    def move() -> None:
        clock.advance(60.0)
        done.set()

    lives[0].call(move)
    assert done.wait(PATIENCE)
    before = truth(world)
    assert [row["attempts"] for row in before[1]] == [1, 1]
    world.admin("GET", "/health")  # the journeys are in the file before the answer
    lives.append(lives[-1].kill())
    (row,) = lives[-1].world.admin("GET", "/world/mails?recipient=lee.1@gmx.de")["mails"]
    assert (row["attempts"], row["ended"]) == (1, "under_way")
