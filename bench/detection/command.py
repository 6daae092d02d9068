"""`./dev bench detect`: how soon is a sick lane stopped, and how often a healthy one?

Scenarios are played minute by minute in this process; no system is started. The breaker is told what the counters would tell it,
and what it decides is compared with what was planted. The rules of others run beside it on the same mail.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.detection import ceiling, null, report, runs, scenarios, snowshoe
from bench.detection.report import Result
from bench.detection.runs import DETECTOR, Run
from bench.detection.scenarios import BadScenarios, Scenario
from bench.detection.score import Score
from bench.system import Failed


def main(argv: list[str]) -> int:
    options = _parse(argv)
    try:
        chosen, public = _chosen(options)
        result = _measured(options, chosen, public)
    except (BadScenarios, Failed) as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    print(report.text(result))
    for error in result.errors:
        _say(f"failed: {error}")
    if options.out:
        options.out.write_text(json.dumps(report.runs(result)))
    if options.json:
        print(json.dumps(report.document(result)))
    return 1 if result.errors else 0


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench detect", description=__doc__)
    add = parser.add_argument
    add(
        "--scenarios",
        type=Path,
        help="a file of scenarios, instead of the public ones and ours (docs/bench.md)",
    )
    add("--only", metavar="TEXT", help="runs whose name contains it")
    add(
        "--null",
        type=float,
        metavar="YEARS",
        help="so many tenant-years of healthy mail too; 3,000 show the promise",
    )
    add(
        "--log",
        type=Path,
        help="where the null run writes what is done, so that it can be stopped and continued",
    )
    add("--null-only", action="store_true", help="no scenarios")
    add("--no-peers", action="store_true", help="only the detector, in less time")
    add("--detector", default=DETECTOR, help="package.module:factory (default %(default)s)")
    add("--jobs", type=int, default=1, help="processes (default %(default)s)")
    add("--out", type=Path, help="a file for every single run, as JSON")
    add("--json", action="store_true", help="end with one line of JSON")
    options = parser.parse_args(argv)
    if options.jobs < 1 or (options.null is not None and not 0 < options.null <= 100_000):
        parser.error("--jobs is at least 1, and --null above 0 and at most 100,000")
    if options.null is None and (options.null_only or options.log):
        parser.error("--null-only and --log go with --null")
    return options


def _chosen(options: argparse.Namespace) -> tuple[list[Scenario], bool]:
    """The runs, and whether all of the public ones are among them."""
    if options.null_only:
        return [], False
    all_ = scenarios.load(options.scenarios or scenarios.PUBLIC, _say)
    if not options.scenarios:
        all_ += [*ceiling.scenarios(), *snowshoe.scenarios()]
    chosen = [one for one in all_ if not options.only or options.only in one.name]
    if not chosen:
        raise BadScenarios(
            f"no run's name contains {options.only!r}" if options.only else "the file has no scenarios"
        )
    return chosen, not options.scenarios and len(chosen) == len(all_)


def _measured(options: argparse.Namespace, chosen: Sequence[Scenario], public: bool) -> Result:
    runs.factory(options.detector)
    done: dict[str, dict[str, Score]] = {}
    for scenario, scores in runs.each(
        Run(options.detector, peers=not options.no_peers), chosen, options.jobs
    ):
        done[scenario.name] = dict(scores)
        _say(f"{scenario.name} ({len(done)} of {len(chosen)})")
    by_detector: dict[str, list[Score]] = {}
    for scenario in chosen:
        for name, score in done[scenario.name].items():
            by_detector.setdefault(name, []).append(score)
    counted = None
    if options.null:
        counted = null.play(options.detector, options.null, jobs=options.jobs, log=options.log, say=_say)
    return Result(detector=options.detector, public=public, scores=by_detector, null=counted)


def _say(sentence: str) -> None:
    print(f"bench: {sentence}", file=sys.stderr, flush=True)
