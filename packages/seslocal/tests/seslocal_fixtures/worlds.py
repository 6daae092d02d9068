"""The shipped scenarios: a short form of each for tests, and what `./dev worlds` makes of the whole ones: a picture and
the tables of each, in docs/world/.

A picture holds a digest of its scenario file and of the results of the short form. So a test that takes seconds says when the
world has changed and the pictures have not. It does not see a change that shows in the whole run alone."""

from __future__ import annotations

import hashlib
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from seslocal.fleets import picture, reading, tables
from seslocal.fleets.player import Player
from seslocal.fleets.result import Result
from seslocal.fleets.scenario import Scenario
from seslocal.fleets.tenants import culprits

DIRECTORY: Final = Path(__file__).parents[2] / "docs" / "world"


class Short(msgspec.Struct, frozen=True):
    """A run of less than a CPU second in which one sees what the scenario is for."""

    days: int
    scale: float
    left_out: tuple[str, ...] = ()  #: groups that do not matter for that


SHORT: Final = {
    "bought-list": Short(4, 0.04),
    "broken-dkim": Short(4, 0.04),
    "cold-ip": Short(3, 0.3, ("shops", "brands")),
    "hijacked-form": Short(5, 0.05),
    "new-rule": Short(3, 0.05),
    "runaway-loop": Short(4, 0.04),
    "snowshoe": Short(4, 0.04),
    "stale-import": Short(3, 0.1, ("solo",)),
}


def scenario(name: str) -> Scenario:
    return reading.load(reading.find(name))


@cache
def short(name: str) -> Result:
    """Returns the result of the short form, with and without the culprits."""
    form = SHORT[name]
    return _played(scenario(name), form.days, form.scale, form.left_out)


def digest(name: str) -> str:
    found = hashlib.sha256(reading.find(name).read_bytes())
    found.update(short(name).encode())
    return found.hexdigest()[:16]


def seal(name: str) -> str:
    """Returns the line of a picture that holds its digest."""
    return f"<!-- ./dev worlds: {digest(name)} -->"


def _played(of: Scenario, days: int | None, scale: float, left_out: tuple[str, ...] = ()) -> Result:
    without = {group.name for group in of.groups if group.name in left_out}
    every = Player(of, days=days, scale=scale)
    gone = {sender.name for sender in every.senders if sender.group in without}
    return Result(
        run=Player(of, days=days, scale=scale, without=gone).run(),
        without=Player(of, days=days, scale=scale, without=gone | culprits(of)).run(),
    )


def _whole(name: str) -> tuple[str, str]:
    """Plays it; returns picture and tables."""
    of = scenario(name)
    result = _played(of, None, 1.0)
    drawn = picture.svg(result.run, result.without)
    return f"{drawn}{seal(name)}\n", tables.text(of, result)


def current(name: str) -> bool:
    path = DIRECTORY / f"{name}.svg"
    return path.exists() and seal(name) in path.read_text()


def main(argv: list[str]) -> int:
    """Plays what is out of date, with `--all` every scenario. Returns the exit status."""
    if argv not in ([], ["--all"]):
        print("usage: ./dev worlds [--all]", file=sys.stderr)
        return 2
    DIRECTORY.mkdir(exist_ok=True)
    names = [name for name in reading.shipped_names() if argv or not current(name)]
    print(f"{len(names)} of {len(SHORT)} are played.", file=sys.stderr)
    with ProcessPoolExecutor(2) as processes:
        for name, (drawn, said) in zip(names, processes.map(_whole, names), strict=True):
            (DIRECTORY / f"{name}.svg").write_text(drawn)
            (DIRECTORY / f"{name}.txt").write_text(f"{said}\n")
            print(f"{name}: {len(drawn):,} bytes", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
