"""Scenarios: steps that run at their time, from a file or an admin call."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import seslocal
from seslocal.admin.scenario import load
from seslocal.state.faults import KINDS

if TYPE_CHECKING:
    from seslocal_fixtures.world import World

TOML = """
[[step]]
call = "PUT /mailboxes/kim@example.com"
body = { fate = "bounces" }

[[step]]
at = 60
fault = "throttle_storm"
lasts = 30
share = 0.9

[[step]]
at = 3600
call = "PUT /account"
body = { enforcement = "PROBATION" }
"""


def test_steps_run_at_their_time(world: World) -> None:
    world.ready()
    world.admin("PUT", "/clock", {"frozen": True})
    steps = [
        {"fault": "throttle", "count": 1},
        {"at": 10, "fault": "quota_gone", "lasts": 5},
        {"at": 5, "fault": "tenant_paused", "tenant": "nobody"},
        {"at": 20, "call": "PUT /mailboxes/kim%40example.com", "body": {"fate": "bounces"}},
    ]
    world.admin("POST", "/scenario", {"steps": steps})
    assert world.refused(lambda: world.send("kim@example.com"))[0] == 429  # the first step runs immediately
    assert world.send("kim@example.com")
    world.admin("PUT", "/clock", {"advance": 12})
    assert "quota" in world.refused(lambda: world.send("kim@example.com"))[2]
    world.admin("PUT", "/clock", {"advance": 5})
    assert world.send("kim@example.com")
    assert world.admin("GET", "/mailboxes")["mailboxes"] == []
    world.admin("PUT", "/clock", {"advance": 5})
    assert world.admin("GET", "/mailboxes")["mailboxes"][0]["fate"] == "bounces"
    outcomes = [step["outcome"] for step in world.admin("GET", "/scenario")["steps"]]
    assert outcomes == ["done", "done", "There is no tenant nobody.", "done"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_fault_can_be_a_step(world: World, kind: str) -> None:
    world.ready()
    more = {"tenant_paused": {"tenant": "acme"}, "clock_skew": {"seconds": 60}}.get(kind, {})
    world.admin("PUT", "/clock", {"frozen": True})
    world.admin("POST", "/scenario", {"steps": [{"at": 1, "fault": kind, **more}]})
    assert world.admin("GET", "/faults")["faults"] == []
    world.admin("PUT", "/clock", {"advance": 1})
    assert [fault["fault"] for fault in world.admin("GET", "/faults")["faults"]] == [kind]
    world.admin("DELETE", "/faults")


@pytest.mark.parametrize(
    ("steps", "word"),
    [
        ("x", "steps must be a list"),
        ([{"fault": "throttle"}, {"fault": "explode"}], "Step 2: fault must be one of"),
        ([{"call": "PUT /nowhere"}], "Step 1: There is no call at"),
        ([{"call": "FETCH /account"}], "such as"),
        ([{"at": -1, "fault": "throttle"}], "at must be a number"),
        ([{"fault": "throttle", "body": {}}], "Unknown member body"),
        ([5], "an object"),
    ],
)
def test_a_scenario_is_checked_before_its_first_step(world: World, steps: object, word: str) -> None:
    assert word in world.admin("POST", "/scenario", {"steps": steps}, expect=400)["error"]
    assert world.admin("GET", "/faults")["faults"] == []


@pytest.mark.parametrize("suffix", [".toml", ".json"])
async def test_a_scenario_file_runs_at_startup_and_after_each_reset(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bad-day{suffix}"
    path.write_text(TOML)
    if suffix == ".json":
        import tomllib

        path.write_text(json.dumps(tomllib.loads(TOML)["step"]))
    settings = seslocal.Settings(scenario=load(path))
    async with seslocal.running(settings=settings, clock=seslocal.Clock(0, 0)) as local:
        for _ in range(2):
            account = local.account
            assert account.mailboxes.receive("kim@example.com", None, 0)
            assert not account.faults.is_active("throttle_storm")
            account.clock.advance(61)
            assert account.faults.is_active("throttle_storm")
            account.clock.advance(30)
            assert not account.faults.is_active("throttle_storm")
            account.clock.advance(3600)
            assert account.sending.enforcement == "PROBATION"
            local.reset()
            assert local.account is not account


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("[[step]", "not valid TOML"),
        ("a = 1", "[[step]]"),
        ('[[step]]\nfault = "explode"', "Step 1"),
        (None, "cannot read the scenario"),
    ],
)
def test_an_invalid_scenario_file_stops_startup_with_a_sentence(
    tmp_path: Path, text: str | None, word: str
) -> None:
    path = tmp_path / "bad.toml"
    if text is not None:
        path.write_text(text)
    ran = subprocess.run(
        [sys.executable, "-m", "seslocal", "--port", "0", "--scenario", str(path)],
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 1
    assert word in ran.stderr
    assert "Traceback" not in ran.stderr
