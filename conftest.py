"""Runs the longest tests first, and reports what a run cost: the suite's time against its budget, and the tests over theirs
(docs/testing.md).

Only reports: a test never fails for its time, since the machine may be busy.
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pluggy
import pytest

SUITE_BUDGET = 900  #: seconds of all tests together: 7.5 minutes for two workers
TEST_BUDGET = (
    20  #: seconds of one test without its fixtures: the first user of a shared one would pay for all
)
#: Tests of whole systems, the longest modules first: no worker is left alone with one of them at the end.
LONGEST = (
    "scenarios/test_kills",
    "scenarios/test_restarts",
    "scenarios/test_promises",
    "run/test_up",
    "scenarios/test_breaker",
    "scenarios/test_soak",
    "scenarios/test_stops",  # these three share a system
    "scenarios/test_events",
    "scenarios/test_logs",
    "scenarios/",
    "run/",
    "tests/test_bench",
)
#: Kinds of tests, by the first of these that is in a test's path; all others are pure.
KINDS = {
    "/scenarios/": "whole systems",
    "/run/": "whole systems",
    "/store/": "database",
    "/http/": "database",
    "/observe/": "database",
    "/smtp/": "database",
    "packages/seslocal/": "local SES",
}
_reported = time.process_time()  #: this process's CPU when it made its last report


def pytest_configure() -> None:
    """A shell starts what runs in its background with SIGINT ignored, and every process that a test starts would inherit that."""
    gc.disable()  # until all tests are collected: nothing of them is garbage
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_unconfigure() -> None:
    """Removes what one worker made for all (`mailcordon_fixtures.once`): its name has the id of the process that ends last."""
    for parent in ("/dev/shm", tempfile.gettempdir()):  # noqa: S108 (as the tests of databases have it)
        for left in Path(parent).glob(f"mc-{os.getpid()}-*"):
            shutil.rmtree(left, ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def place(item: pytest.Item) -> tuple[int, bool]:
        found = (n for n, part in enumerate(LONGEST) if part in item.nodeid)
        # Tests that share a system follow each other: it ends soon after the last of them.
        return next(found, len(LONGEST)), "system" not in getattr(item, "fixturenames", ())

    items.sort(key=place)


def pytest_collection_finish() -> None:
    """Thousands of tests and all modules stay until the end: the cycle collector need not look at them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)
    gc.enable()
    global _reported
    _reported = time.process_time()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport() -> Generator[None, pluggy.Result[pytest.TestReport]]:
    """Adds the CPU seconds of this process since its last report. Workers send it along."""
    global _reported
    outcome = yield
    now = time.process_time()
    vars(outcome.get_result())["cpu"] = now - _reported
    _reported = now


def kind_of(nodeid: str) -> str:
    path = nodeid.partition("::")[0]
    return next((kind for part, kind in KINDS.items() if part in path), "pure")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    total = 0.0
    called: dict[str, float] = {}
    cpu: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                total += report.duration
                cpu[kind_of(report.nodeid)] += vars(report).get("cpu", 0)
                if report.when == "call":
                    called[report.nodeid] = report.duration
    terminalreporter.section("time budget")
    terminalreporter.line(f"{total:.0f} s of {SUITE_BUDGET} s, all workers together")
    kinds = ", ".join(f"{kind} {seconds:.0f} s" for kind, seconds in cpu.most_common())
    terminalreporter.line(f"CPU of the test processes, without those that they start: {kinds}")
    if total > SUITE_BUDGET:
        terminalreporter.line("OVER BUDGET: make tests cheaper or move long runs to ./dev crash", red=True)
    for test, seconds in sorted(called.items(), key=lambda one: -one[1]):
        if seconds > TEST_BUDGET:
            terminalreporter.line(f"{seconds:.0f} s, over the {TEST_BUDGET} s of one test: {test}")
