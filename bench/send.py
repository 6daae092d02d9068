"""`./dev bench send`: what a governed mail costs beside a bare boto3 `send_email`, in one run, against the same endpoint.

Each round measures three phases: bare boto3; the governed path while nobody reads SES's events; and the governed path with
its events, until the outcome of every delivery is recorded. One HTTP request per mail, with an idempotency key, everything
durable. CPU is that of all our processes and all of PostgreSQL's, and that of the boto3 process. The local SES and the load
generator are not counted. A figure is given only if every mail is in SES's ledger exactly once and its delivery has the
expected state in the database before counting stops.

With `--against PATH` the governed path of this checkout is measured beside that of another one, in the same run and with this
checkout's local SES and load for both. With `--limits` one system is measured with limits and the breaker, and without.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import checkout, command, compare, cpu, limits_report, load, mail, report, send_limits, system
from bench.system import Failed, System

SENT, DELIVERED = 20, 23  # states in the ledger and in what came back
_EVENTS = 2  #: a mail: Send and Delivery
_LIMITS_MESSAGES = 2400  #: a phase with `--limits`: short, so that there are many
_LIMITS_SECONDS = 400.0  #: after which `--limits` begins no more blocks


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    messages: int  #: a governed phase
    bare: int  #: a bare phase
    concurrency: int  #: connections of the load generator
    seconds: float  #: the longest that a phase may hand in mail
    rounds: (
        int  #: at least; a comparison adds rounds until it is precise. 0 with `limits`: as many as are needed
    )
    against: Path | None  #: another checkout
    limits: bool  #: with limits beside without
    json: bool


def parse(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="./dev bench send", description=__doc__)
    add = parser.add_argument
    add("--messages", type=_count, help="mails in each governed phase (default 6000; 2400 with --limits)")
    add("--bare", type=_count, help="mails in each bare phase (default: a quarter of --messages)")
    add(
        "--concurrency",
        type=_count,
        default=64,
        help="keep-alive connections to the API (default %(default)s)",
    )
    add(
        "--seconds",
        type=float,
        default=20.0,
        help="the longest that a phase hands in mail (default %(default)g)",
    )
    add(
        "--rounds",
        type=_count,
        help="times that all is measured in turn (default 3; with --limits as needed)",
    )
    add(
        "--against",
        type=Path,
        metavar="PATH",
        help="another checkout to compare this one with; it is set up by its ./dev",
    )
    add("--limits", action="store_true", help="compare limits and the breaker with neither, on one system")
    add("--json", action="store_true", help="end with one line of JSON")
    given = parser.parse_args(argv)
    if given.limits and given.against is not None:
        parser.error("--limits and --against are two comparisons")
    messages = given.messages or (_LIMITS_MESSAGES if given.limits else 6000)
    return Options(
        messages=messages,
        bare=given.bare or max(1, messages // 4),
        concurrency=given.concurrency,
        seconds=given.seconds,
        rounds=given.rounds or (0 if given.limits else 3),
        against=given.against,
        limits=given.limits,
        json=given.json,
    )


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1")
    return int(text)


def main(argv: list[str]) -> int:
    options = parse(argv)
    return command.run(_measured(options), json=options.json)


async def _measured(options: Options) -> tuple[str, str]:
    """The report for people, and its line for machines."""
    if options.limits:
        limited = await _compare_limits(options)
        return limits_report.table(limited), limits_report.json_line(limited)
    if options.against is not None:
        comparison = await _compare(options, checkout.at(options.against))
        return compare.table(comparison), compare.json_line(comparison)
    result = await _bench(options)
    return report.table(result), report.json_line(result)


def _say(sentence: str) -> None:
    print(f"bench: {sentence}", file=sys.stderr, flush=True)


async def _bench(options: Options) -> report.Result:
    here = checkout.this()
    async with system.running(_say, here) as under_test:
        await _warm_up(under_test, options)
        rounds: list[report.Round] = []
        for number in range(1, options.rounds + 1):
            _say(f"round {number} of {options.rounds}")
            bare = await _bare(under_test, options, f"r{number}a")
            rounds.append(report.Round(bare, *await _both(under_test, options, f"r{number}")))
        return report.Result(
            rounds=rounds,
            engine=under_test.engine,
            interpreter=str(here.interpreter()),
            lanes=len(under_test.streams),
            concurrency=options.concurrency,
        )


async def _compare(options: Options, other: checkout.Checkout) -> compare.Comparison:
    """Both systems run all the time; only one of them has mail at any moment."""
    here = checkout.this()
    async with system.running(_say, here) as mine, system.running(_say, other) as theirs:
        for under_test in (mine, theirs):
            await _warm_up(under_test, options)
        pairs: list[compare.Pair] = []
        while True:
            number = len(pairs) + 1
            _say(f"round {number}")
            sides: dict[str, dict[str, float]] = {}
            order = [("here", mine), ("there", theirs)]
            for name, under_test in order if number % 2 else reversed(order):
                quiet, events = await _both(under_test, options, f"r{number}")
                sides[name] = {"without events": quiet.each, "with its 2 events": events.each}
            pairs.append(compare.Pair(**sides))
            result = compare.Comparison(
                pairs=pairs,
                headline="with its 2 events",
                here=f"{here.name}; {here.interpreter()}",
                there=f"{other.name}; {other.interpreter()}",
                notes=[mine.engine, f"{options.messages} mails a phase, {options.concurrency} callers"],
            )
            if number >= options.rounds and (result.precise or number >= compare.MOST_ROUNDS):
                return result


async def _compare_limits(options: Options) -> limits_report.Result:
    async with (
        system.running(_say, checkout.this()) as under_test,
        send_limits.guard(under_test) as guard,
    ):
        await _warm_up(under_test, options)
        blocks: list[limits_report.Block] = []
        others: list[float] = []
        began = time.monotonic()
        while True:
            number = len(blocks) + 1
            _say(f"block {number}")
            sides: dict[bool, list[report.Phase]] = {True: [], False: []}
            first = number % 2 == 1
            was: bool | None = None
            for place, on in enumerate((first, not first, not first, first)):
                run = f"b{number}p{place}"
                if on is not was:
                    await guard.turn(on=on)
                    await _governed(under_test, options, f"{run}w", 2 * options.concurrency, events=True)
                was = on
                sides[on].append(await _governed(under_test, options, run, options.messages, events=True))
            others.append(sum(phase.others for side in sides.values() for phase in side) / 4)
            blocks.append(limits_report.Block(on=_mean(sides[True]), off=_mean(sides[False])))
            result = limits_report.Result(
                blocks=blocks,
                limits=guard.limits,
                others=sum(others) / len(others),
                notes=[under_test.engine, f"{options.messages} mails a phase, {options.concurrency} callers"],
            )
            spent = time.monotonic() - began
            if number >= options.rounds and (options.rounds or result.precise or spent > _LIMITS_SECONDS):
                return result


def _mean(phases: Sequence[report.Phase]) -> dict[str, float]:
    """CPU microseconds a mail, by part."""
    parts = {part for phase in phases for part in phase.cpu}
    messages = sum(phase.messages for phase in phases)
    return {part: sum(phase.cpu.get(part, 0.0) for phase in phases) / messages * 1e6 for part in parts}


async def _warm_up(under_test: System, options: Options) -> None:
    _say("warming up")
    await _governed(
        under_test, options, "warm", max(options.concurrency * 2, min(1000, options.messages)), events=True
    )
    await under_test.name_backends()


async def _both(under_test: System, options: Options, run: str) -> tuple[report.Phase, report.Phase]:
    """The governed path without and with its events."""
    quiet = await _governed(under_test, options, f"{run}b", options.messages, events=False)
    return quiet, await _governed(under_test, options, f"{run}c", options.messages, events=True)


class _Meter:
    """CPU of a phase, and of the rest of this machine during it."""

    def __init__(self, under_test: System) -> None:
        self._under_test = under_test
        self._machine, self._ses, self._own = cpu.machine(), under_test.ses.cpu(), cpu.own()
        self._tree, self._began = under_test.tree.sample(), time.perf_counter()

    def read(self, bare: float = 0.0) -> "_Reading":
        wall = time.perf_counter() - self._began
        parts = self._under_test.tree.sample().since(self._tree)
        if gone := self._under_test.tree.missing():
            raise Failed(f"{', '.join(gone)} died meanwhile")
        known = sum(parts.values()) + self._under_test.ses.cpu() - self._ses + cpu.own() - self._own + bare
        others = max(0.0, cpu.machine() - self._machine - known) / wall / cpu.CORES
        return _Reading(parts, wall, others)


@dataclass(frozen=True, slots=True)
class _Reading:
    parts: dict[str, float]
    wall: float
    others: float  #: share of the machine's CPU that processes of others used


# Bare -------------------------------------------------------------------------------------------------------------------


async def _bare(under_test: System, options: Options, run: str) -> report.Phase:
    newest = await under_test.ses.newest()
    meter = _Meter(under_test)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.bare", "--endpoint", under_test.ses.url, "--run", run,
        "--messages", str(options.bare), "--seconds", str(options.seconds),
        stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent,
    )  # fmt: skip
    out, _ = await process.communicate()
    if process.returncode != 0:
        raise Failed("the bare boto3 process failed")
    said = json.loads(out)
    read = meter.read(said["whole_cpu_seconds"])
    sent = await under_test.ses.recipients_after(newest)
    expected = mail.recipients(run, said["sent"]) + mail.recipients(f"{run}-warm", said["warm_up"])
    check_ledger(expected, sent)
    return report.Phase(
        messages=said["sent"],
        wall=said["wall_seconds"],
        cpu={"boto3": said["cpu_seconds"]},
        beside=sum(read.parts.values()) / read.wall,
        others=read.others,
    )


# Governed ---------------------------------------------------------------------------------------------------------------


async def _governed(
    under_test: System, options: Options, run: str, count: int, *, events: bool
) -> report.Phase:
    recipients = mail.recipients(run, count)
    host, port = under_test.address
    requests = [
        mail.request(under_test.streams[n % len(under_test.streams)], to, under_test.key, f"{host}:{port}")
        for n, to in enumerate(recipients)
    ]
    newest, last, total = (
        await under_test.ses.newest(),
        await under_test.newest_id(),
        await under_test.ses.total(),
    )
    observing = contextlib.nullcontext() if events else under_test.stopped("observe")
    with observing:
        meter, own = _Meter(under_test), cpu.own()
        done = await load.run(host, port, requests, options.concurrency, options.seconds)
        own = cpu.own() - own
        await settled(under_test, total, last, len(done.answers), events=events)
        read = meter.read()
        await _check(under_test, recipients[: len(done.answers)], newest, last, done, events=events)
    if not events:
        await settled(under_test, total, last, len(done.answers), events=True)
    return report.Phase(
        messages=len(done.answers),
        wall=read.wall,
        cpu=read.parts,
        generator=own,
        others=read.others,
        latencies=sorted(done.latencies),
    )


async def settled(under_test: System, total: int, last: int, count: int, *, events: bool) -> None:
    """Waits until all of it is done. The local SES is asked first: its CPU is not counted."""
    await system.until(
        under_test.ses.total, lambda found: found >= total + count, f"SES has to have {total + count} mails"
    )
    if events:
        await system.until(
            under_test.ses.waiting_events, lambda found: not found, "the event queue has to be empty"
        )
        await system.until(
            lambda: under_test.count_outcomes(last),
            lambda found: found >= count,
            f"{count} outcomes have to be there",
        )
        await system.until(
            under_test.ses.waiting_events, lambda found: not found, "the event queue has to be empty"
        )
    await system.until(
        lambda: under_test.count_ledger(last),
        lambda found: found >= count,
        f"{count} results have to be there",
    )


async def _check(
    under_test: System, expected: list[str], newest: str | None, last: int, done: load.Run, *, events: bool
) -> None:
    if any(b'"state":"queued"' not in answer for answer in done.answers):
        raise Failed("not every mail was queued")
    check_ledger(expected, await under_test.ses.recipients_after(newest))
    deliveries = await under_test.deliveries(last)
    wrong = [one for one in deliveries if one[1:] != (SENT, 1, DELIVERED if events else None)]
    if wrong or sorted(one[0] for one in deliveries) != sorted(expected):
        raise Failed(
            f"{len(deliveries)} deliveries are in the database where {len(expected)} have to be, "
            f"and {len(wrong)} are not where they have to be, such as {wrong[:3]}"
        )


def check_ledger(expected: list[str], sent: list[str]) -> None:
    """SES has each of them exactly once, and nothing else."""
    if sorted(sent) != sorted(expected):
        twice = sum(1 for times in Counter(sent).values() if times > 1)
        missing = len(set(expected) - set(sent))
        raise Failed(
            f"SES's ledger has {len(sent)} mails of this phase where {len(expected)} were handed in: "
            f"{missing} are missing, {twice} came more than once"
        )
