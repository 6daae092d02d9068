"""A bought list in a world of mailbox providers: real processes hold it, and decide what the same rules decide in one process.

In the suite the rules decide in one process, and `scenarios/test_breaker.py` has real processes hold a list. The drill itself,
which takes a minute of two cores, is played by `./dev crash incident`, and must decide the same.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.week.guard import Guard
from bench.week.policies import of_fleet
from mailcordon.adapters.cli.drill import incident
from mailcordon.observe.breaker.records import part_of
from mailcordon_fixtures import systems
from seslocal.fleets.player import Player
from seslocal.fleets.scenario import BoughtList, Group, Scenario, Ses

PATIENCE = 90  #: seconds, on a busy machine
Stop = tuple[str, str, str, str, str]  #: type, part, level, signal, half
#: What both ways decide in the first minute with a stop.
DECIDED: dict[str, set[Stop]] = {
    "acme": {
        ("newsletter", "list:bought", "cordon", "bounces", "absolute"),
        ("newsletter", "", "throttle", "bounces", "absolute"),
    }
}


def played() -> Guard:
    """The same in one process: a minute there is half a second here."""
    of_each = {"mails_a_day": 300.0, "campaigns_a_week": 7, "campaign_lasts": "1h"}
    scenario = Scenario(
        name="drill",
        title="The drill",
        seed=17,
        days=2,
        groups=tuple(Group(name=name, **of_each) for name in ("acme", "otto", "zen")),
        incidents=(
            BoughtList(
                tenant="acme",
                start="day 2 20:00",
                addresses=incident.ADDRESSES,
                lasts=f"{incident.ADDRESSES // incident.TOGETHER}m",
            ),
        ),
        ses=Ses(reviews_account=False),
    )
    player = Player(scenario)
    guard = Guard(player.senders, player.start, of_fleet(player.senders))
    run = Player(scenario, operator=guard).run()
    assert 0 < run.total().incident < incident.ADDRESSES
    return guard


def of_guard(guard: Guard) -> dict[str, set[Stop]]:
    """Of each tenant what the first minute with a stop decided: what comes later depends on how long a play lasts."""
    stops = [one for one in guard.decided if one.stops]
    found: dict[str, set[Stop]] = {}
    for one in stops:
        if one.at == stops[0].at:
            decision = one.decision
            part = part_of(decision.guilty).replace("acme-bought", "bought")
            level = decision.level.name.lower()
            stop = (one.lane.type, part, level, str(decision.signal), str(decision.half))
            found.setdefault(one.lane.tenant, set()).add(stop)
    return found


def of_drill(decisions: Iterable[dict[str, Any]]) -> dict[str, set[Stop]]:
    found: dict[str, set[Stop]] = {}
    for one in decisions:
        if one["level"] != "warn":
            stop = (one["type"], one["part"], one["level"], one["signal"], one["half"])
            found.setdefault(one["tenant"].partition("-")[0], set()).add(stop)
    return found


@pytest.fixture
def home() -> Iterator[Path]:
    """Its path is short, for sockets, and others may reach what is below it: as root, PostgreSQL runs as another user. In memory
    if there is room, as all systems of tests."""
    memory = Path("/dev/shm")
    room = memory.is_dir() and shutil.disk_usage(memory).free >= 1 << 30
    made = Path(tempfile.mkdtemp(prefix=f"mc-{os.getpid()}-", dir=memory if room else None))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_the_rules_stop_the_bought_list_alone() -> None:
    assert of_guard(played()) == DECIDED


@pytest.mark.crash
@pytest.mark.skipif(
    "MAILCORDON_TEST_KILLS" not in os.environ, reason="a minute of real processes: ./dev crash incident"
)
def test_real_processes_hold_a_bought_list_and_decide_as_one_process_does(home: Path) -> None:
    words = ("drill", "--incident", "--json", "--patience", str(PATIENCE))
    done = subprocess.run(
        [sys.executable, "-m", "mailcordon", *words],
        env=systems.environment(home, {"TMPDIR": str(home)}),
        capture_output=True,
        text=True,
        timeout=280,  # before pytest's own limit, so that its output shows
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert systems.processes_naming(str(home)) == {}
    found = json.loads(done.stdout)
    assert [step["wrong"] for step in found["steps"]] == [None] * 6
    live = found["incident"]
    assert 0 < live["guilty_out"] < live["handed_in"] == incident.ADDRESSES
    assert live["decision"]["mode"] == "enforce"
    assert live["decision"]["part"] == "list:bought"
    assert of_drill(live["decisions"]) == DECIDED
