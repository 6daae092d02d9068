"""`./dev bench week`: plays the week under each set-up, with and without the culprit, and prints what the others lost."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench import processes
from bench.week import measures, report
from bench.week.setups import Played, Setup, play
from seslocal.fleets import bounds, reading
from seslocal.fleets.scenario import Scenario

SCENARIO: Final = Path(__file__).with_name("week.toml")


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        scenario = reading.load(reading.find(options.scenario) if options.scenario else SCENARIO)
        measures.first_list(scenario)
        found = run(
            scenario, options.setups or list(Setup), scale=options.scale, days=options.days, jobs=options.jobs
        )
    except (reading.WrongScenario, bounds.TooLarge, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    days = options.days or scenario.days
    print(
        report.table(f"{scenario.title} ({days} days, seed {scenario.seed}, scale {options.scale:g})", found)
    )
    for one in found:
        print(f"\n{report.NAMES[one.setup]}: {one.mails:,} mails, {one.cpu:.0f} s of CPU time", end="")
    print()
    if options.json:
        print(report.json_line(found, scenario=scenario.name, days=days, scale=options.scale))
    return 0


def run(
    scenario: Scenario,
    setups: Sequence[Setup],
    *,
    scale: float = 1.0,
    days: int | None = None,
    jobs: int = 1,
) -> list[measures.Figures]:
    """Plays each set-up twice and measures it. `jobs`: processes."""
    tasks = [(scenario, setup, scale, days, without) for setup in setups for without in (False, True)]
    played = processes.each(_play, tasks, jobs)
    return [
        measures.figures(scenario, with_, without, scale)
        for with_, without in zip(played[::2], played[1::2], strict=True)
    ]


def _play(task: tuple[Scenario, Setup, float, int | None, bool]) -> Played:
    scenario, setup, scale, days, without = task
    return play(scenario, setup, scale=scale, days=days, without=without)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev bench week",
        description="Play 200 tenants for a week, one of which mails a bought list: by one SES account, by SES's tenants alone, "
        "and behind Mailcordon.",
    )
    parser.add_argument(
        "--days", type=int, choices=range(1, 367), metavar="N", help="instead of the scenario's"
    )
    parser.add_argument(
        "--scale", type=_factor, default=1.0, metavar="X", help="multiply every volume by this (default 1)"
    )
    parser.add_argument(
        "--jobs", type=int, choices=range(1, 65), default=1, metavar="N", help="processes (default 1)"
    )
    parser.add_argument(
        "--setup",
        type=Setup,
        choices=list(Setup),
        action="append",
        dest="setups",
        help="only this one; can be repeated",
    )
    parser.add_argument(
        "--scenario", metavar="FILE", help="another scenario with a bought list (seslocal world list)"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    return parser


def _factor(text: str) -> float:
    value = float(text)
    if not 0 < value <= 100:
        raise argparse.ArgumentTypeError("it must be above 0 and at most 100")
    return value
