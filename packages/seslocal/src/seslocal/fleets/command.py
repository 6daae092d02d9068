"""`seslocal world`: plays, checks and shows scenarios."""

from __future__ import annotations

import argparse
import errno
import gc
import os
import platform
import sys
import sysconfig
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from seslocal.fleets import bounds, expectations, messages, picture, reading, schema, tables, tenants
from seslocal.fleets.player import Player
from seslocal.fleets.result import Result, Run
from seslocal.fleets.scenario import Scenario
from seslocal.world.draws import Draws


class _Failed(Exception):
    pass


def main(argv: list[str]) -> int:
    """Returns the exit status: 0, or 1 after a sentence on standard error."""
    options = _parser().parse_args(argv)
    if (reconfigure := getattr(sys.stdout, "reconfigure", None)) is not None:
        reconfigure(errors="backslashreplace")  # for a terminal that knows no umlauts
    act: Callable[[argparse.Namespace], None] = options.act
    try:
        act(options)
        print(end="", flush=True)
    except (reading.WrongScenario, bounds.TooLarge, _Failed) as error:
        print(f"seslocal: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # What is in its buffer cannot be written at the end of the process either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if not isinstance(error, BrokenPipeError):  # of `| head`
            print(f"seslocal: {messages.cannot_print(error.strerror or str(error))}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def python_build() -> str:
    """Returns version and build flags that matter for speed."""
    flags = sysconfig.get_config_var("CONFIG_ARGS") or ""
    found = [
        name for flag, name in (("--enable-optimizations", "PGO"), ("--with-lto", "LTO")) if flag in flags
    ]
    return f"{platform.python_implementation()} {platform.python_version()}, {' and '.join(found) or 'no PGO, no LTO'}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="seslocal world",
        description="Plays fleets of tenants into a world of mailbox providers and people, in one process and without HTTP.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    run = actions.add_parser("run", help="play a scenario and print what became of its mail")
    run.add_argument("scenario", metavar="FILE", help="TOML file, or name of a shipped scenario")
    run.add_argument("--seed", metavar="N", type=_from_to(0, 2**62), help="instead of the file's")
    run.add_argument("--days", metavar="N", type=_from_to(1, 366), help="instead of the file's")
    run.add_argument(
        "--scale", metavar="X", type=_factor, default=1.0, help="multiply every volume by this (default 1)"
    )
    run.add_argument(
        "--without",
        metavar="TENANT",
        action="append",
        default=[],
        help="leave out a tenant, a group, or the culprits; can be repeated",
    )
    run.add_argument(
        "--compare",
        action="store_true",
        help="play it again without the culprits, and say what they cost the others",
    )
    run.add_argument(
        "--log", metavar="FILE", type=Path, help="write each thing that happens as a line of JSON"
    )
    run.add_argument("--picture", metavar="FILE", type=Path, help="write a picture of the run, in SVG")
    run.add_argument(
        "--check",
        action="store_true",
        help="exit with 1 if something is missed that the file expects of a good operator",
    )
    run.add_argument("--json", action="store_true", help="print the result as JSON, and nothing else")
    run.set_defaults(act=_run)
    check = actions.add_parser("check", help="say what is wrong with scenario files")
    check.add_argument("scenarios", metavar="FILE", nargs="+")
    check.set_defaults(act=_check)
    every = actions.add_parser("list", help="list the shipped scenarios")
    every.set_defaults(act=_list)
    show = actions.add_parser("show", help="print a scenario's file")
    show.add_argument("scenario", metavar="FILE")
    show.set_defaults(act=_show)
    form = actions.add_parser("schema", help="print the JSON Schema of scenario files")
    form.set_defaults(act=_schema)
    return parser


def _from_to(least: int, most: int) -> Callable[[str], int]:
    def check(text: str) -> int:
        value = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else -1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(messages.not_a_number(text, least, most))
        return value

    return check


def _factor(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value <= 1e6:
        raise argparse.ArgumentTypeError(messages.not_a_factor(text))
    return value


def left_out(scenario: Scenario, named: list[str]) -> set[str]:
    """Returns the tenants that `--without` means. Raises WrongScenario."""
    every = tenants.senders(scenario, Draws(0))
    found: set[str] = set()
    for name in named:
        means = {one.name for one in every if name in (one.name, one.group)}
        if name == "culprits":
            means |= tenants.culprits(scenario)
        if not means:
            groups = sorted({one.group for one in every})
            raise reading.WrongScenario(messages.not_a_tenant_here(name, groups[:8]))
        found |= means
    return found


def _run(options: argparse.Namespace) -> None:
    scenario = reading.load(reading.find(options.scenario))
    if options.picture is not None and not options.picture.parent.is_dir():
        raise _Failed(messages.cannot_write(str(options.picture), os.strerror(errno.ENOENT)))
    began, cpu = time.perf_counter(), time.process_time()
    try:
        with options.log.open("wb") if options.log is not None else nullcontext() as log:
            run = _play(options, scenario, left_out(scenario, options.without), log)
    except OSError as error:
        raise _Failed(messages.cannot_write(str(options.log), error.strerror or str(error))) from None
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    found = Result(run=run)
    if options.compare or (options.check and expectations.needs_without(scenario)):
        named = [*options.without, "culprits"]
        found.without = _play(options, scenario, left_out(scenario, named), None)
    if options.picture is not None:
        try:
            options.picture.write_text(picture.svg(run, found.without), encoding="utf-8")
        except OSError as error:
            raise _Failed(messages.cannot_write(str(options.picture), error.strerror or str(error))) from None
    if options.json:
        print(found.encode().decode())
    else:
        print(tables.text(scenario, found))
        print()
        print(messages.summary(run.total().submitted, run.attempts, cpu, seconds, python_build()))
    if options.check:
        outcomes = expectations.check(scenario, found)
        if missed := [one.name for one in outcomes if one.met is False]:
            sys.stdout.flush()
            raise _Failed(messages.expectations_missed(missed, len(outcomes)))


def _play(options: argparse.Namespace, scenario: Scenario, without: set[str], log: IO[bytes] | None) -> Run:
    player = Player(
        scenario, seed=options.seed, days=options.days, scale=options.scale, without=without, log=log
    )
    with _rare_collections():
        run = player.run(None if options.json else _progress)
    if sys.stderr.isatty() and not options.json:
        print(file=sys.stderr)
    return run


@contextmanager
def _rare_collections() -> Generator[None]:
    """A mail makes no reference cycles: frequent collections would take 5 % of a run's time."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def _progress(days: float, mails: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{messages.progress(days, mails)}", end="", file=sys.stderr, flush=True)


def _check(options: argparse.Namespace) -> None:
    wrong: list[str] = []
    for name in options.scenarios:
        try:
            scenario = reading.load(reading.find(name))
        except reading.WrongScenario as error:
            wrong.append(str(error))
            continue
        every = tenants.senders(scenario, Draws(scenario.seed))
        mails, _ = bounds.expected(scenario, every)
        try:
            bounds.check(scenario, every)
        except bounds.TooLarge as error:
            wrong.append(f"{name}: {error}")
            continue
        print(messages.fine(name, len(every), mails, scenario.days))
    if wrong:
        raise _Failed("\n".join(wrong))


def _list(options: argparse.Namespace) -> None:
    for name in reading.shipped_names():
        print(f"{name:20}  {reading.load(reading.find(name)).title}")


def _show(options: argparse.Namespace) -> None:
    path = reading.find(options.scenario)
    reading.load(path)
    print(path.read_text(encoding="utf-8-sig"), end="")


def _schema(options: argparse.Namespace) -> None:
    print(schema.text(), end="")
