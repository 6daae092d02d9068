"""`./dev bench curve`: what a governed mail costs at each rate, beside another checkout and beside bare boto3 paced alike.

In each round each rate is measured on each side in turn; all systems are up all the time, and one of them has mail. CPU is
that of all our processes and all of PostgreSQL's, until every outcome is recorded and a second longer. The load generator, bare
boto3 and the local SES are processes of their own and not counted.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from bench import checkout, command, system
from bench.checkout import Checkout
from bench.curve import calls, page, phases, report, sustained
from bench.curve.figures import Result
from bench.curve.meter import resident
from bench.curve.plan import IDLE, Options, Rate, order, parse
from bench.curve.record import BARE, HERE, THERE, Phase
from bench.system import System

_PAUSE = 1.5  #: before each phase, so that the one before is over for both sides
_COUNTING = 5.0  #: seconds of each rate in which calls are counted
_COUNTED_FLOOD = 3000  #: mails
_WARM_UP = 1000  #: mails


def main(argv: list[str]) -> int:
    options = parse(argv)
    return command.run(_measured(options), json=options.json)


async def _measured(options: Options) -> tuple[str, str]:
    if options.sustain is not None:
        sustained_run = await sustained.measured(options, _say)
        return sustained.table(sustained_run), sustained.json_line(sustained_run)
    if options.page is not None:
        page.around(options.page)  # else it fails after all was measured
    result = await _curve(options)
    text = report.table(result)
    if options.page is not None:
        page.rewrite(options.page, result, options.vcpu_hour, f"on {datetime.now(UTC):%Y-%m-%d}")
        text += f"\n{options.page} has these figures now."
    return text, report.json_line(result)


def _say(sentence: str) -> None:
    print(f"bench: {sentence}", file=sys.stderr, flush=True)


class _Run:
    """Systems side by side. `systems`: by side."""

    def __init__(self, options: Options, systems: dict[str, System]) -> None:
        self._options = options
        self._systems = systems
        self._number = 0

    def _beside(self, side: str) -> list[System]:
        return [one for name, one in self._systems.items() if name != side]

    async def warm_up(self) -> None:
        for side in self._systems:
            await self._one(Rate(None), side, _WARM_UP)

    async def round(self, turn: int) -> dict[tuple[Rate, str], Phase]:
        found: dict[tuple[Rate, str], Phase] = {}
        for place, rate in enumerate(self._options.rates):
            if rate.idle:
                await asyncio.sleep(self._options.settle_seconds)
                for phase in await phases.idle(list(self._systems.items()), self._options.idle_seconds):
                    found[rate, phase.side] = phase
                    _say(report.phase_line(phase))
                continue
            count = rate.mails(self._options.seconds, self._options.flood)
            for side in order([*self._systems, BARE], turn + place):
                await asyncio.sleep(_PAUSE)
                found[rate, side] = phase = await self._one(rate, side, count)
                _say(report.phase_line(phase))
        return found

    async def counts(self) -> dict[tuple[Rate, str], dict[str, float]]:
        """Calls a mail. Counting costs CPU, so it comes last."""
        found: dict[tuple[Rate, str], dict[str, float]] = {}
        perf = calls.perf_counts()
        for side, one in self._systems.items():
            await calls.track_functions(one)
            for rate in self._options.rates:
                seconds = min(_COUNTING, self._options.seconds)
                count = rate.mails(seconds, min(_COUNTED_FLOOD, self._options.flood))
                await asyncio.sleep(_PAUSE)
                async with calls.counting(one, perf=perf) as counted:
                    if rate.idle:
                        await asyncio.sleep(seconds)
                    else:
                        await self._one(rate, side, count)
                per = seconds if rate.idle else count
                found[rate, side] = {name: value / per for name, value in counted.calls.items()}
        return found

    async def _one(self, rate: Rate, side: str, count: int) -> Phase:
        self._number += 1
        run = f"n{self._number}"
        if side == BARE:
            return await phases.bare(self._systems[HERE], self._beside(HERE), rate, run, count)
        return await phases.governed(side, self._systems[side], self._beside(side), rate, run, count)


async def _curve(options: Options) -> Result:
    sides: dict[str, Checkout] = {HERE: checkout.this()}
    if options.against is not None:
        sides[THERE] = checkout.at(options.against)
    async with AsyncExitStack() as stack:
        systems = {
            name: await stack.enter_async_context(system.running(_say, one)) for name, one in sides.items()
        }
        run = _Run(options, systems)
        _say("warming up")
        await run.warm_up()
        before = {name: resident(one) for name, one in systems.items()}
        spent = _Between(systems)
        rounds = []
        for turn in range(options.rounds):
            _say(f"round {turn + 1} of {options.rounds}")
            rounds.append(await run.round(turn))
        between = spent.read(rounds)
        after = {name: resident(one) for name, one in systems.items()}
        if options.counts:
            _say("counting calls")
        counted = await run.counts() if options.counts else {}
        names = {name: f"{one.name}; {one.interpreter()}" for name, one in sides.items()}
        return Result(
            rates=options.rates,
            rounds=rounds,
            here=names[HERE],
            there=names.get(THERE),
            engine=systems[HERE].engine,
            resident={
                side: {name: (start, after[side].get(name, 0.0)) for name, start in found.items()}
                for side, found in before.items()
            },
            between=between,
            calls=counted,
            commits=_commits(options),
            notes=_notes(options),
        )


class _Between:
    """CPU of each side outside of its own phases. Work that a system puts off does not escape the bench."""

    def __init__(self, systems: dict[str, System]) -> None:
        self._systems = systems
        self._began = time.perf_counter()
        self._cpu = {name: _cpu(one) for name, one in systems.items()}

    def read(self, rounds: Sequence[dict[tuple[Rate, str], Phase]]) -> dict[str, float]:
        """Milliseconds a second."""
        wall = time.perf_counter() - self._began
        found: dict[str, float] = {}
        for name, one in self._systems.items():
            own = [phase for measured in rounds for phase in measured.values() if phase.side == name]
            outside = _cpu(one) - self._cpu[name] - sum(sum(phase.cpu.values()) for phase in own)
            found[name] = outside / (wall - sum(phase.seconds for phase in own)) * 1000
        return found


def _commits(options: Options) -> dict[str, str | None]:
    paths = {HERE: Path(__file__).parents[2]} | ({THERE: options.against} if options.against else {})
    return {side: checkout.commit(path) for side, path in paths.items()}


def _cpu(one: System) -> float:
    return sum(one.tree.sample().seconds.values())


def _notes(options: Options) -> list[str]:
    paced = f"{options.seconds:g} s at each rate over 400 connections"
    idle = (
        f"{options.idle_seconds:g} s idle after {options.settle_seconds:g} s of rest"
        if IDLE in options.rates
        else ""
    )
    return [
        "; ".join(part for part in (paced, idle, f"a flood of {options.flood} mails by 64 callers") if part)
    ]
