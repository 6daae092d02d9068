"""Runs the longest tests first, and reports what a run cost: the suite's time against its budget, and the tests over theirs
(docs/testing.md).

Only reports: a test never fails for its time, since the machine may be busy.
"""

from __future__ import annotations

import gc
import json
import os
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pluggy
import pytest
from xdist.scheduler import LoadScopeScheduling

SUITE_BUDGET = 900  #: seconds of all tests together: 7.5 minutes for two workers
TEST_BUDGET = (
    20  #: seconds of one test without its fixtures: the first user of a shared one would pay for all
)
#: What begins first, by a part of its group or path, so that no worker is left alone with it at the end.
LONGEST = (
    "systems/system",
    "browser",
    "scenarios/test_kills",
    "scenarios/test_restarts",
    "systems/shaken_system",
    "scenarios/test_promises",
    "run/test_up",
    "scenarios/test_breaker",
    "scenarios/test_soak",
    "scenarios/",
    "run/",
    "tests/test_be",
    "tests/test_build",
    "/http/",
    "/observe/",
    "/store/",
)
SHARED_SYSTEMS = ("system", "shaken_system")  #: fixtures of the session, each a whole system
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
_groups = pytest.StashKey[Path]()
_group_of_module = pytest.StashKey[dict[str, str]]()
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


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests of a module follow each other, and so do all that share a whole system or the browser: a start costs as much as ten
    tests."""
    groups = config.stash.setdefault(_group_of_module, {})
    for item in items:
        definitions = getattr(getattr(item, "_fixtureinfo", None), "name2fixturedefs", {})
        for name in SHARED_SYSTEMS:
            if name in definitions and definitions[name][-1].scope == "session":
                groups.setdefault(module_of(item), f"systems/{name}")
    names = [group_of(item) for item in items]
    first: dict[str, int] = {}
    for n, name in enumerate(names):
        first.setdefault(name, n)

    def place(n: int) -> tuple[int, int]:
        rank = next((rank for rank, part in enumerate(LONGEST) if part in names[n]), len(LONGEST))
        return rank, first[names[n]]

    for item, name in zip(items, names, strict=True):
        item.add_marker(pytest.mark.xdist_group(name))  # a shared system ends where the group ends
    items[:] = [items[n] for n in sorted(range(len(items)), key=place)]


def module_of(item: pytest.Item) -> str:
    return item.nodeid.partition("::")[0]


def group_of(item: pytest.Item) -> str:
    """One worker runs all tests of a group."""
    module = module_of(item)
    return "browser" if "/browser/" in module else item.config.stash[_group_of_module].get(module, module)


class Grouped(LoadScopeScheduling):
    """Gives a worker the next group of tests. (xdist's own `loadgroup` finds no groups with pytest 9.2.)"""

    def __init__(self, config: pytest.Config, log: Any, file: Path) -> None:
        super().__init__(config, log)
        self._file = file
        self._groups: dict[str, str] = {}

    def schedule(self) -> None:
        if not self._groups and self._file.exists():  # a worker wrote it after its collection
            self._groups = json.loads(self._file.read_text())
        super().schedule()

    def _split_scope(self, nodeid: str) -> str:
        module = nodeid.partition("::")[0]
        return self._groups.get(module, module)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """For `--dist loadscope`; other ways are xdist's."""
    return Grouped(config, log, groups_file(config)) if config.getoption("dist") == "loadscope" else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput["groups"] = str(groups_file(node.config))


def groups_file(config: pytest.Config) -> Path:
    """Goes with the rest of the run: `pytest_unconfigure`."""
    if _groups not in config.stash:
        directory = Path(tempfile.mkdtemp(prefix=f"mc-{os.getpid()}-"))
        config.stash[_groups] = directory / "groups.json"
    return config.stash[_groups]


def pytest_collection_finish(session: pytest.Session) -> None:
    """Thousands of tests and all modules stay until the end: the cycle collector need not look at them again and again."""
    given = getattr(session.config, "workerinput", {})
    if given.get("workerid") == "gw0":
        groups = {module_of(item): group_of(item) for item in session.items}
        Path(given["groups"]).write_text(json.dumps(groups))
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
    workers: dict[str, set[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                total += report.duration
                cpu[kind_of(report.nodeid)] += vars(report).get("cpu", 0)
                workers.setdefault(report.nodeid.partition("::")[0], set()).add(
                    vars(report).get("worker_id", "")
                )
                if report.when == "call":
                    called[report.nodeid] = report.duration
    terminalreporter.section("time budget")
    terminalreporter.line(f"{total:.0f} s of {SUITE_BUDGET} s, all workers together")
    kinds = ", ".join(f"{kind} {seconds:.0f} s" for kind, seconds in cpu.most_common())
    terminalreporter.line(f"CPU of the test processes, without those that they start: {kinds}")
    if total > SUITE_BUDGET:
        terminalreporter.line("OVER BUDGET: make tests cheaper or move long runs to ./dev crash", red=True)
    if torn := [module for module, ran in workers.items() if len(ran) > 1]:
        terminalreporter.line(
            f"On more than one worker, and its fixtures made for each: {', '.join(torn[:9])}", red=True
        )
    for test, seconds in sorted(called.items(), key=lambda one: -one[1]):
        if seconds > TEST_BUDGET:
            terminalreporter.line(f"{seconds:.0f} s, over the {TEST_BUDGET} s of one test: {test}")
