"""`./dev bench moves`: how often the gates take back a healthy move, and at which share they catch a defect."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from statistics import median
from typing import Final

from bench import processes
from bench.migration import defects
from bench.migration.moves import Defect, Moved, move
from bench.migration.population import DAY, Sender
from mailcordon.guard.rollouts.gates import FALSE_BACK

#: Mails a day of the senders: between these, most of them small.
SMALLEST, LARGEST = 3_000.0, 30_000.0
#: A share at which a defect has to be caught.
CAUGHT_BY: Final = 5


def sender(seed: int) -> Sender:
    """One to three lanes."""
    place = (seed * 0.6180339887) % 1.0  # spread evenly over the seeds
    return Sender(seed=seed, lanes=1 + seed % 3, volume=SMALLEST * (LARGEST / SMALLEST) ** place)


def healthy(seeds: Sequence[int], jobs: int = 1) -> list[Moved]:
    return _played([(seed, None, True) for seed in seeds], jobs)


def planted(defect: Defect, seeds: Sequence[int], *, checks: bool, jobs: int = 1) -> list[Moved]:
    return _played([(seed, defect, checks) for seed in seeds], jobs)


def _played(tasks: list[tuple[int, Defect | None, bool]], jobs: int) -> list[Moved]:
    return processes.each(_one, tasks, jobs, together=4)


def _one(task: tuple[int, Defect | None, bool]) -> Moved:
    seed, defect, checks = task
    return move(sender(seed), defect, checks=checks)


def upper_bound(events: int, of: int) -> float:
    """The 95 % upper bound of a share (Clopper-Pearson), by bisection."""
    if events >= of:
        return 1.0
    low, high = events / of, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        tail = sum(math.comb(of, k) * middle**k * (1 - middle) ** (of - k) for k in range(events + 1))
        low, high = (middle, high) if tail > 0.025 else (low, middle)
    return high


def report(moves: Sequence[Moved], found: Sequence[tuple[Defect, Sequence[Moved], Sequence[Moved]]]) -> str:
    """In Markdown. `found`: of each defect the moves whose checklist sees it, and those in which only counts do."""
    lines: list[str] = []
    if moves:
        backs = [one for one in moves if one.back]
        stood = [one.stood / DAY for one in moves if one.stood is not None]
        open_ = (
            len(moves) - len(backs) - len([one for one in moves if not one.back and one.stood is not None])
        )
        lines += [
            f"{len(moves)} healthy moves: {len(backs)} went back ({len(backs) / len(moves):.2%}; 95 % upper bound "
            f"{upper_bound(len(backs), len(moves)):.2%}; stated: at most {FALSE_BACK:.0%}). "
            f"{len(stood)} stand at 100 %, after {median(stood) if stood else math.nan:.1f} days (median); {open_} still wait.",
            *(f"  went back: seed {one.seed}: {one.sentence}" for one in backs),
        ]
    if found:
        lines += [
            "",
            "| defect | the checklist | caught by counts alone at <= 5 % | at | mails on the new path | hours | by |",
            "|---|---|---|---|---|---|---|",
        ]
    for defect, checked, counted in found:
        lines.append(_row(defect, checked, counted))
    return "\n".join(lines)


def _row(defect: Defect, checked: Sequence[Moved], counted: Sequence[Moved]) -> str:
    kept = sum(1 for one in checked if one.share == 0 and one.by.startswith(str(defect.check)))
    begin = "does not see it" if defect.check is None else f"keeps {kept} of {len(checked)} from beginning"
    caught = [one for one in counted if one.back and one.share <= CAUGHT_BY]
    waits = sum(1 for one in counted if not one.back and one.stood is None)
    found = f"{len(caught)} of {len(counted)}" + (f", {waits} wait" if waits else "")
    if not caught:
        return f"| {defect.name} | {begin} | {found} | - | - | - | - |"
    shares = Counter(one.share for one in caught)
    by = Counter(one.by for one in caught)
    return (
        f"| {defect.name} | {begin} | {found} | "
        + ", ".join(f"{share} % ({number})" for share, number in sorted(shares.items()))
        + f" | {median(one.mails for one in caught):,.0f} | {median(one.minutes for one in caught) / 60:,.0f}"
        + " | "
        + ", ".join(f"{name} ({number})" for name, number in by.most_common(3))
        + " |"
    )


def main(argv: Sequence[str]) -> int:
    options = _parser().parse_args(argv)
    began = time.process_time()
    seeds = range(options.first, options.first + options.moves)
    moves = healthy(seeds, options.jobs) if options.moves else []
    some = range(options.first, options.first + options.planted)
    found = [
        (
            defect,
            [] if defect.check is None else planted(defect, some, checks=True, jobs=options.jobs),
            planted(defect, some, checks=False, jobs=options.jobs),
        )
        for defect in (defects.EVERY if options.planted else ())
    ]
    print(report(moves, found))
    print(f"\n{time.process_time() - began:.0f} s of CPU time in this process")
    if options.json:
        print(
            json.dumps(
                {
                    "healthy": [asdict(one) for one in moves],
                    "planted": {
                        defect.name: {
                            "checks": [asdict(one) for one in checked],
                            "counts": [asdict(one) for one in counted],
                        }
                        for defect, checked, counted in found
                    },
                }
            )
        )
    backs = sum(one.back for one in moves)
    if moves and upper_bound(backs, len(moves)) > FALSE_BACK and backs > FALSE_BACK * len(moves):
        print("bench: more healthy moves went back than is stated", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="./dev bench moves",
        description="Play seeded moves through the gates of rollouts: healthy ones, and such with a planted defect.",
    )
    parser.add_argument("--moves", type=int, default=500, metavar="N", help="healthy ones (default 500)")
    parser.add_argument("--planted", type=int, default=25, metavar="N", help="of each defect (default 25)")
    parser.add_argument("--first", type=int, default=0, metavar="SEED", help="the first seed (default 0)")
    parser.add_argument(
        "--jobs", type=int, choices=range(1, 65), default=1, metavar="N", help="processes (default 1)"
    )
    parser.add_argument("--json", action="store_true", help="print one line of JSON at the end")
    return parser
