"""`./dev bench curve` plans, counts and judges as it says, and writes only measured figures into its page."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.curve import calls, paced_load, page, plan, report, sustained
from bench.curve.figures import Result, Spread, accept_ms, each
from bench.curve.goals import goals
from bench.curve.paced_load import Order
from bench.curve.plan import FLOOD, IDLE, Rate
from bench.curve.record import BARE, HERE, THERE, Phase, quantile
from bench.load import BadAnswer
from bench.mail import Stream
from bench.system import Failed

ROOT = Path(__file__).resolve().parents[1]


def phase(rate: Rate, side: str, us: float, *, accept: float = 0.002, call: float = 5.0) -> Phase:
    """`us`: of a mail; of an idle phase, of a second."""
    mails = 0 if rate.idle else 1000
    seconds = us * (mails or 10) / 1e6
    cpu = (
        {"boto3": seconds}
        if side == BARE
        else {"api": seconds / 4, "postgres:claim": seconds / 4, "up": seconds / 2}
    )
    return Phase(
        rate=rate, side=side, mails=mails, seconds=10.0, offered=100.0, cpu=cpu, wakeups={"api": 2000.0},
        accepts=[accept] * 99 + [accept * 10], calls={"urgent": [call]}, whole={"urgent": [call]},
    )  # fmt: skip


def result(*rounds: dict[tuple[Rate, str], Phase], there: str | None = "before; Python") -> Result:
    rates = sorted(
        {rate for one in rounds for rate, _ in one},
        key=lambda rate: rate.per_second if rate.per_second is not None else 1e9,
    )
    return Result(
        rates=rates, rounds=rounds, here="this checkout; Python 3.11.2", there=there, engine="PostgreSQL 18.4",
        resident={HERE: {"api": (100.0, 101.0)}, THERE: {"api": (90.0, 91.0)}}, between={HERE: 12.0},
        commits={HERE: "abcd0123", THERE: "6e8db4c5"},
    )  # fmt: skip


def measured(rate: Rate, here: float, there: float, bare: float = 1000.0) -> dict[tuple[Rate, str], Phase]:
    found = {(rate, HERE): phase(rate, HERE, here), (rate, THERE): phase(rate, THERE, there)}
    return found if rate.idle else found | {(rate, BARE): phase(rate, BARE, bare)}


# The plan ---------------------------------------------------------------------------------------------------------------


def test_rates_go_from_idle_to_the_flood_each_once():
    rates = plan.parse(["--rates", "flood,50,0,50,10"]).rates
    assert [rate.name for rate in rates] == ["idle", "10", "50", "flood"]


@pytest.mark.parametrize(
    "argv",
    [
        ["--rates", "fast"],
        ["--rates", "-1"],
        ["--seconds", "0"],
        ["--seconds", "nan"],
        ["--rounds", "0"],
        ["--page", "cost.md", "--rates", "50,flood"],
        ["--page", "cost.md", "--rates", "0,flood"],
        ["--sustain", "100", "--against", "."],
    ],
)
def test_a_run_that_cannot_be_is_refused(argv: list[str]):
    with pytest.raises(SystemExit):
        plan.parse(argv)


def test_quick_is_short_and_what_is_given_goes_before_it():
    quick, given = plan.parse(["--quick"]), plan.parse(["--quick", "--seconds", "7", "--rounds", "2"])
    assert (quick.seconds, quick.rounds, quick.counts) == (4.0, 1, False)
    assert (given.seconds, given.rounds, given.idle_seconds) == (7.0, 2, 10.0)


def test_mails_and_threads_follow_from_the_rate():
    assert Rate(50).mails(10.0, 6000) == 500
    assert FLOOD.mails(10.0, 6000) == 6000
    assert [Rate(n).bare_threads for n in (10, 250, 251, 1000)] == [1, 1, 2, 4]
    assert (FLOOD.bare_threads, FLOOD.connections, Rate(10).connections) == (1, 64, 400)


def test_sides_take_turns_at_going_first():
    turns = [list(plan.order([HERE, THERE, BARE], turn)) for turn in range(3)]
    assert [turn[0] for turn in turns] == [HERE, THERE, BARE]
    assert all(sorted(turn) == sorted(turns[0]) for turn in turns)


# Load -------------------------------------------------------------------------------------------------------------------


async def loaded(
    *,
    count: int,
    per_second: int | None,
    status: str = "202 Accepted",
    slow: float = 0.0,
    seconds: float | None = None,
    refusals: int = 0,
) -> tuple[paced_load.Done, list[bytes]]:
    bodies: list[bytes] = []
    served: list[asyncio.Task[None]] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.append(task)
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except asyncio.IncompleteReadError:
                break
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            bodies.append(await reader.readexactly(length))
            said = status if len(bodies) > refusals else "429 Too Many Requests"
            await asyncio.sleep(slow)
            body = b'{"state":"queued"}'
            writer.write(f"HTTP/1.1 {said}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        streams = [Stream("acme", "receipt", "receipt.acme.example", marketing=False)]
        order = Order(
            host=host,
            port=port,
            key="k",
            streams=streams,
            run="r",
            count=count,
            per_second=per_second,
            connections=2,
            unanswered=2,
            seconds=seconds,
        )
        load = paced_load.Load(order)
        await load.connect()
        try:
            await load.run()
        finally:
            load.close()
            await asyncio.gather(*served)
        return load.done, bodies


async def test_each_mail_is_handed_in_once_and_its_answer_counted():
    done, bodies = await loaded(count=20, per_second=2000)
    assert sorted(json.loads(body)["to"] for body in bodies) == sorted(
        f"r-{n}@inbox{n % 7}.example" for n in range(20)
    )
    assert (done.queued, len(done.latencies), len(done.handed)) == (20, 20, 20)


async def test_a_paced_load_waits_for_no_answer_and_counts_from_when_a_mail_was_due():
    done, _ = await loaded(count=8, per_second=10_000, slow=0.05)
    assert min(done.latencies) >= 0.05
    # Two connections, so the last two mails waited for three others of theirs.
    assert sorted(done.latencies)[-1] >= 0.15


async def test_a_flood_counts_from_when_a_mail_was_written():
    done, _ = await loaded(count=8, per_second=None, slow=0.05)
    assert done.queued == 8
    assert done.seconds >= 0.2
    assert sorted(done.latencies)[0] >= 0.05


async def test_an_answer_other_than_202_voids_the_run():
    with pytest.raises(BadAnswer, match="500"):
        await loaded(count=3, per_second=None, status="500 Oh")
    with pytest.raises(BadAnswer, match="refused"):
        await loaded(count=3, per_second=None, refusals=1)


async def test_a_sustained_load_tries_again_what_was_refused_and_begins_no_more_after_its_time():
    done, bodies = await loaded(count=10_000, per_second=100, slow=0.05, seconds=0.2, refusals=3)
    assert 0 < done.handed_in < 10_000
    assert done.refused == 3
    assert done.queued == done.handed_in == len(bodies) - 3
    assert {json.loads(body)["to"] for body in bodies} == {
        f"r-{n}@inbox{n % 7}.example" for n in range(done.handed_in)
    }


# Figures ----------------------------------------------------------------------------------------------------------------


def test_an_idle_phase_counts_by_the_second_and_others_by_the_mail():
    assert phase(IDLE, HERE, 47_000).each == pytest.approx(47_000)
    one = phase(Rate(50), HERE, 400)
    assert one.each == pytest.approx(400)
    assert (one.of("postgres"), one.of("others"), one.of("api")) == pytest.approx((100, 200, 100))
    assert (one.woken("api"), one.woken("all"), one.woken("dispatch")) == (2.0, 2.0, 0.0)


def test_quantiles_of_sorted_values():
    values = [float(n) for n in range(100)]
    assert (quantile(values, 0.5), quantile(values, 0.99), quantile([], 0.5), quantile([7.0], 0.99)) == (
        50.0,
        99.0,
        0.0,
        7.0,
    )


def test_a_ratio_is_of_phases_of_one_round():
    found = result(measured(Rate(50), 100, 200), measured(Rate(50), 300, 300), measured(Rate(50), 400, 800))
    assert found.ratio(Rate(50), THERE, each) == Spread(0.5, 0.5, 1.0)
    assert found.ratio(FLOOD, THERE, each) is None
    assert accept_ms(0.5)(found.phases(Rate(50), HERE)[0]) == 2.0


def judged(found: Result) -> Iterator[tuple[str, str]]:
    return ((goal.what, goal.verdict) for goal in goals(found))


def test_a_goal_is_held_by_the_median_and_says_when_rounds_do_not_agree():
    rate = Rate(50)
    against = "50 a second: CPU a mail, to the other checkout"
    assert dict(judged(result(measured(rate, 19, 100))))[against] == "held"
    assert dict(judged(result(measured(rate, 21, 100))))[against] == "NOT HELD"
    mixed = result(measured(rate, 19, 100), measured(rate, 18, 100), measured(rate, 25, 100))
    assert dict(judged(mixed))[against] == "held, but the rounds do not agree"
    other = result(measured(rate, 19, 100), measured(rate, 26, 100), measured(rate, 25, 100))
    assert dict(judged(other))[against] == "NOT HELD, but the rounds do not agree"


def test_bare_boto3_and_times_are_judged_at_each_rate():
    slow = measured(Rate(200), 1100, 1000, 1000) | {
        (Rate(200), HERE): phase(Rate(200), HERE, 1100, accept=0.005, call=5.1)
    }
    said = dict(judged(result(slow)))
    assert said["200 a second: CPU a mail, to bare boto3"] == "NOT HELD"
    assert said["200 a second: p50 of the 202, to the other checkout"] == "NOT HELD"
    assert said["200 a second: p99 accept to call of urgent mail, to the other checkout"] == "NOT HELD"
    assert said["1,000 a second: CPU a mail, to the other checkout"] == "not measured"
    assert said["idle: CPU a second, to the other checkout"] == "not measured"


def test_without_another_checkout_nothing_is_compared_with_one():
    alone = {key: one for key, one in measured(FLOOD, 300, 500).items() if key[1] != THERE}
    assert [goal.what for goal in goals(result(alone, there=None))] == ["flood: CPU a mail, to bare boto3"]
    assert "there" not in report.table(result(alone, there=None))


def test_the_report_has_each_rate_and_its_line_is_json():
    found = result(measured(IDLE, 40_000, 50_000) | measured(Rate(50), 400, 500) | measured(FLOOD, 300, 500))
    text = report.table(found)
    assert "0.80 (0.80 to 0.80)" in text
    said = json.loads(report.json_line(found))
    assert said["rates"]["50"][HERE]["us"]["middle"] == pytest.approx(400)
    assert said["rates"]["flood"]["ratio_to_bare"]["middle"] == pytest.approx(0.3)
    assert said["rates"]["idle"][HERE]["us"]["middle"] == pytest.approx(40_000)


def test_who_does_not_keep_the_pace_is_named():
    found = result(measured(Rate(200), 400, 500))  # `offered` is 100
    assert "At 200 a second bare was handed in at 100 a second only." in report.table(found)
    assert "only." not in report.table(result(measured(Rate(100), 400, 500)))


# Calls ------------------------------------------------------------------------------------------------------------------


def test_lines_of_perf_are_read_by_thread():
    line = "mailcordon: api-515,3241,,raw_syscalls:sys_enter,31663609,100.00,,"
    assert (calls.thread_of(line), calls.count_of(line)) == (515, ("system calls", 3241.0))
    sent = "a, b-c-516,7,,syscalls:sys_enter_sendto,9,100.00,,"
    assert (calls.thread_of(sent), calls.count_of(sent)) == (516, ("round trips", 7.0))
    assert calls.count_of("bash-515,<not counted>,,raw_syscalls:sys_enter,0,100.00,,") is None
    assert calls.count_of("17,,syscalls:sys_enter_fdatasync,9,100.00,,") == ("syncs", 17.0)
    assert (calls.thread_of("# started on"), calls.count_of("# started on")) == (None, None)


# The page ---------------------------------------------------------------------------------------------------------------


def test_cores_lie_on_a_line_between_measured_rates():
    curve = page.Curve([(0, 0.05), (50, 0.15), (1000, 0.5)])
    assert curve.cores(0) == pytest.approx(0.05)
    assert curve.cores(25) == pytest.approx(0.10)
    assert curve.cores(1000) == pytest.approx(0.5)
    assert curve.cores(2000) == pytest.approx(1.0)


def test_the_page_gets_what_was_measured_between_its_markers_only(tmp_path: Path):
    path = tmp_path / "cost.md"
    path.write_text(f"# Cost\n\n{page.BEGIN}\nold\n{page.END}\n\nAfter.\n")
    found = result(measured(IDLE, 100_000, 200_000) | measured(Rate(50), 4000, 8000))
    page.rewrite(path, found, 0.05, "on 2026-01-01")
    text = path.read_text()
    assert text.startswith("# Cost\n\n")
    assert text.endswith("\n\nAfter.\n")
    assert "old" not in text
    assert "| 50 | 4,000 | 20.0% | 0.50 (0.50 to 0.50) | 1,000 | 4.00 (4.00 to 4.00) |" in text
    # 1,000,000 a month are 0.3805 a second: 0.1 + 0.1 * 0.3805 / 50 cores.
    assert "| 1,000,000 | 0.38 | 0.101 | 3.68 | 100 | 3.68% |" in text
    assert "Measured on 2026-01-01 at abcd0123." in text
    assert "| to 6e8db4c5 |" in text
    page.rewrite(path, found, 0.05, "on 2026-01-01")
    assert path.read_text() == text


def test_a_page_without_markers_is_refused(tmp_path: Path):
    path = tmp_path / "cost.md"
    for text in (None, "# Cost\n", page.BEGIN):
        if text is not None:
            path.write_text(text)
        with pytest.raises(Failed, match="no page with lines"):
            page.around(path)


# A sustained run --------------------------------------------------------------------------------------------------------


def sustained_run(*, queue: float = 0.0, memory: float = 100.0, cpu: float = 40.0) -> sustained.Result:
    looks = [
        sustained.Look(at=10.0 * n, sent=10_000 * n, cpu=4.0 * n, memory={"api": 100.0 if n < 10 else memory},
                       tables={"ready": 8192.0 + queue * 10_000 * n, "ledger": 500.0 * 10_000 * n})
        for n in range(11)
    ]  # fmt: skip
    return sustained.Result(
        rate=1000, mails=100_000, handed_in=1000.0, carried=990.0, seconds=101.0, cpu=cpu, load=5.0, ses=30.0, others=0.0,
        refused=0, accepts=[0.002], looks=looks, here="this checkout", engine="PostgreSQL",
    )  # fmt: skip


def test_two_cores_carry_what_the_cpu_of_a_mail_lets_them():
    assert sustained_run(cpu=40.0).two_cores == pytest.approx(5000)
    text = sustained.table(sustained_run(cpu=50.0))
    assert "4,000 a second by this run's CPU a mail (goal 3,000: held; aim 5,000: NOT HELD)" in text


def test_history_may_grow_but_queue_and_memory_may_not():
    assert sustained_run().flat
    assert sustained_run().growth()["ledger"] == pytest.approx(500)
    assert not sustained_run(queue=40.0).flat
    assert not sustained_run(memory=120.0).flat
    assert json.loads(sustained.json_line(sustained_run(memory=120.0)))["flat"] is False


# The whole --------------------------------------------------------------------------------------------------------------


@pytest.mark.crash
@pytest.mark.timeout(300)
@pytest.mark.skipif(
    "MAILCORDON_TEST_KILLS" not in os.environ, reason="whole runs of the bench: ./dev crash bench"
)
@pytest.mark.parametrize(
    "argv",
    [
        ["--rates", "0,20,flood", "--seconds", "1", "--idle-seconds", "1", "--flood", "64", "--rounds", "1"],
        ["--sustain", "50", "--minutes", "0.1"],
    ],
)
def test_a_very_short_run_ends_with_its_figures(argv: list[str]):
    done = subprocess.run(
        [sys.executable, "-m", "bench", "curve", *argv, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    if "--sustain" in argv:
        assert said["mails"] == 300
        assert said["two_cores_carry"] > 0
        return
    for rate in said["rates"].values():
        assert rate[HERE]["us"]["middle"] > 0
    calls_a_mail = said["rates"]["20"][HERE]["calls"]
    assert any(name.startswith("function:") for name in calls_a_mail)
    assert said["rates"]["flood"][BARE]["us"]["middle"] > 0
    assert said["rates"]["20"][HERE]["accept_to_call_ms"]["urgent"]["p99"] > 0
