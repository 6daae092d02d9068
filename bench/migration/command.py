"""`./dev bench migration`: plays the move of 200 tenants beside staying and having been apart, and says who lost what."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench import processes
from bench.migration import measures, report
from bench.migration.setups import Played, Setup, play
from seslocal.fleets import bounds, reading
from seslocal.fleets.scenario import Scenario

SCENARIO: Final = Path(__file__).with_name("migration.toml")


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    try:
        scenario = reading.load(reading.find(options.scenario) if options.scenario else SCENARIO)
        played = run(scenario, scale=options.scale, days=options.days, jobs=options.jobs)
    except (reading.WrongScenario, bounds.TooLarge) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    found = measures.figures(played)
    days = options.days or scenario.days
    print(f"{scenario.title} ({days} days, seed {scenario.seed}, scale {options.scale:g}).\n")
    print(report.table(found))
    print()
    print(report.steps(played[Setup.MOVES, False]))
    if options.json:
        print(report.json_line(found, played, scenario=scenario.name, days=days, scale=options.scale))
    return 1 if found.beyond or found.backs else 0


def run(
    scenario: Scenario, *, scale: float = 1.0, days: int | None = None, jobs: int = 1
) -> dict[tuple[Setup, bool], Played]:
    """Plays each set-up with and without the culprits. `jobs`: processes."""
    keys = [(setup, without) for setup in Setup for without in (False, True)]
    tasks = [(scenario, setup, scale, days, without) for setup, without in keys]
    played = processes.each(_play, tasks, jobs)
    return dict(zip(keys, played, strict=True))


def _play(task: tuple[Scenario, Setup, float, int | None, bool]) -> Played:
    scenario, setup, scale, days, without = task
    return play(scenario, setup, scale=scale, days=days, without=without)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev bench migration",
        description="Play 200 tenants that move from a shared path to their own while one of them mails bought lists, beside "
        "a fleet that stays and one that was always apart.",
    )
    parser.add_argument(
        "--days", type=int, choices=range(4, 367), metavar="N", help="instead of the scenario's"
    )
    parser.add_argument(
        "--scale", type=float, default=1.0, metavar="X", help="multiply every volume by this (default 1)"
    )
    parser.add_argument(
        "--jobs", type=int, choices=range(1, 65), default=1, metavar="N", help="processes (default 1)"
    )
    parser.add_argument("--scenario", metavar="FILE", help="another scenario")
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    return parser
