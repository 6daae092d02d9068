"""`./dev bench seslocal` measures a server that was really sent to, and gives no figure that it cannot vouch for."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import cpu, seslocal, seslocal_parts
from bench.seslocal import Phase
from bench.seslocal_load import Ticks, Void
from bench.system import Failed

ROOT = Path(__file__).resolve().parents[1]


def phase(messages: int, cpu: float, memory: int) -> Phase:
    return Phase(messages=messages, cpu=cpu, wall=1.0, generator=0.1, p50=0.001, p99=0.002, memory=memory)


def envelope(kind: str, number: int) -> str:
    event = {"eventType": kind, "mail": {"tags": {"number": [str(number)]}}}
    return json.dumps({"Message": json.dumps(event)})


def test_a_run_says_what_it_measured():
    done = subprocess.run(
        [sys.executable, "-m", "bench", "seslocal", "--messages", "400", "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert [one["messages"] for one in said["phases"]] == [40, 360]
    assert said["memory_ratio"] > 0
    assert list(said["parts"]) == seslocal_parts.PARTS
    assert all(microseconds > 0 for microseconds in said["parts"].values())
    assert all(one["memory"] > 10_000_000 for one in said["phases"])


def test_little_work_has_a_cost_too():
    before = cpu.exact(os.getpid())
    sum(range(1000))
    after = cpu.exact(os.getpid())
    assert before is not None
    assert after is not None
    assert 0 < after - before < 0.009, "less than a tick of /proc/PID/stat, and not nothing"


def test_a_process_that_is_gone_has_no_clock():
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    assert cpu.exact(gone.pid) is None


def test_memory_is_compared_with_the_ledger_full_at_both_moments():
    assert seslocal.parse([]).ledger == 100_000
    assert seslocal.parse(["--messages", "400"]).ledger == 40
    with pytest.raises(Failed, match="do not fill"):
        seslocal.run(seslocal.parse(["--messages", "400", "--ledger", "400"]))


def test_another_checkout_is_measured_in_the_same_run():
    words = ["--messages", "100", "--rounds", "2", "--json", "--against", "."]
    code = f"from bench import compare, seslocal; compare.MOST_ROUNDS = 2; raise SystemExit(seslocal.main({words}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["rounds"] == 2
    assert said["ratio"]["a SendEmail"] > 0
    assert set(seslocal_parts.PARTS) < said["ratio"].keys()
    assert said["verdict"]


def test_rate_is_by_the_servers_cpu_and_growth_from_first_to_last():
    phases = [phase(100, 0.02, 200), phase(900, 0.18, 300)]
    assert seslocal.whole(phases) == pytest.approx(5000)
    assert seslocal.growth(phases) == pytest.approx(1.5)
    said = seslocal.table(phases, {"HTTP": 15.0, "SQS": 25.0})
    assert re.search(r"HTTP +15\n +SQS +25\n +event loop, sockets +160\n", said), (
        "the rest is what the parts leave"
    )
    assert "5,000 signed SendEmail a second" in said
    assert "1.50 times" in said
    assert "missed" in said


def test_a_mail_is_complete_with_both_its_events_and_no_more():
    ticks = Ticks()
    ticks.expect(2)
    ticks.event(envelope("Send", 1))
    assert ticks.complete == 0
    ticks.event(envelope("Delivery", 1))
    assert ticks.complete == 1
    for kind in ("Send", "Bounce"):
        with pytest.raises(Void):
            ticks.event(envelope(kind, 1))


def test_what_a_destination_says_first_is_no_event():
    ticks = Ticks()
    ticks.event(json.dumps({"Message": "Successfully validated SNS topic for Amazon SES event publishing."}))
    assert ticks.complete == 0
