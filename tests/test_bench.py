"""`./dev bench send` says what it measured, counts all of it, and gives no figure that it cannot vouch for."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import cpu, load, send
from bench.report import Phase, Result, Round, json_line, table
from bench.system import Failed

ROOT = Path(__file__).resolve().parents[1]


def phase(seconds: float, **parts: float) -> Phase:
    return Phase(messages=1000, wall=2.0, cpu=parts or {"boto3": seconds}, latencies=[0.001, 0.002])


def result(*bare_and_governed: tuple[float, float]) -> Result:
    rounds = [
        Round(phase(bare), phase(governed / 2), phase(governed)) for bare, governed in bare_and_governed
    ]
    return Result(rounds=rounds, engine="PostgreSQL", interpreter="Python", lanes=1, concurrency=8)


def test_a_bare_phase_is_a_quarter_of_a_governed_one():
    options = send.parse(["--messages", "400", "--concurrency", "8", "--seconds", "2.5", "--json"])
    assert (options.messages, options.bare, options.concurrency, options.seconds) == (400, 100, 8, 2.5)
    assert options.json


@pytest.mark.parametrize("number", ["0", "-1", "many"])
def test_a_bench_of_no_messages_is_refused(number: str):
    with pytest.raises(SystemExit):
        send.parse(["--messages", number])


def test_the_ratio_is_the_median_of_the_rounds():
    said = json.loads(json_line(result((1.0, 0.2), (1.0, 0.9), (1.0, 0.4))))
    assert said["cpu_ratio"] == 0.4
    assert said["cpu_ratio_spread"] == [0.2, 0.9]
    assert said["us_per_message"]["bare"] == 1000.0


def test_parts_of_postgres_are_summed_into_it():
    one = phase(0, **{"api": 0.1, "postgres:claim": 0.2, "postgres:accept": 0.3})
    assert one.of("postgres") == pytest.approx(500.0)
    assert one.of("postgres:claim") == pytest.approx(200.0)
    assert one.each == pytest.approx(600.0)
    assert "cpu_ratio" in table(result((1.0, 0.4)))


def test_a_mail_that_ses_has_twice_or_not_at_all_voids_the_bench():
    send.check_ledger(["a", "b"], ["b", "a"])
    for sent in (["a", "b", "b"], ["a"], ["a", "c"]):
        with pytest.raises(Failed):
            send.check_ledger(["a", "b"], sent)


def test_the_cpu_of_a_child_that_ended_still_counts():
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {burn!r}]); print(); input()"
    with subprocess.Popen([sys.executable, "-c", parent], stdin=-1, stdout=-1) as process:
        tree = cpu.Tree(process.pid, {"worker": process.pid})
        before = tree.sample()
        assert process.stdout is not None
        process.stdout.readline()
        assert tree.sample().since(before)["worker"] >= 0.25
        assert tree.missing() == []
        process.communicate(b"\n")
    assert tree.missing() == ["worker"]


def test_processes_of_the_bench_itself_do_not_count():
    tree = cpu.Tree(os.getpid(), {})
    tree.uncounted.add(os.getpid())
    assert tree.sample().seconds == {}


async def test_an_answer_other_than_202_voids_the_bench():
    import asyncio

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 429 Too Many\r\nContent-Length: 2\r\n\r\nno")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        with pytest.raises(load.BadAnswer, match="429"):
            await load.run(host, port, [b"GET / HTTP/1.1\r\n\r\n"], 1, 5.0)


@pytest.mark.crash
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    "MAILCORDON_TEST_KILLS" not in os.environ, reason="a whole run of the bench: ./dev crash bench"
)
def test_a_very_short_run_of_the_bench_ends_with_its_ratio():
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "bench",
            "send",
            "--messages",
            "64",
            "--concurrency",
            "8",
            "--rounds",
            "1",
            "--json",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["cpu_ratio"] > 0
    assert said["messages"] == [64]
    assert {"api", "dispatch", "observe", "postgres"} <= set(said["us_per_message_by_role"])
    assert sum(said["us_per_message_by_role"].values()) == pytest.approx(
        said["us_per_message"]["governed_with_events"], rel=0.05
    )
