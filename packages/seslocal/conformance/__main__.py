"""`./dev conformance`: runs unmodified clients and moto's own tests against `python -m seslocal`, and prints a table of results.

Each suite gets its own server and writes a JUnit report. A suite whose client cannot be installed is reported and counted as
absent. The run fails if a test fails that is not listed in conformance/moto-differences.toml, or if a listed one passes.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conformance import clients, junit, probe
from conformance.clients import HERE, Absence
from conformance.junit import Verdict
from conformance.server import PATIENCE, ROOT, Failed, seslocal

_LONGEST: Final = 900.0  # seconds for one suite
_ODD_CALLS: Final = "25000"  # of each kind, from a seed; `./dev test` uses fewer
_WORLD_MAILS: Final = "20000"  # of twenty tenants; `./dev test` sends fewer
#: moto's tests that use a server. The others call into moto directly.
_MOTO_TESTS: Final = ("test_ses/test_ses.py", "test_ses/test_ses_sns.py", "test_sesv2/test_sesv2.py")
_CLEAN: Final = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_DEFAULT_REGION": probe.REGION,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "PYTHONDONTWRITEBYTECODE": "1",
}


@dataclass(frozen=True, slots=True)
class Job:
    """One suite, ready to run against the server at a URL."""

    command: list[str]
    cwd: Path
    settings: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Suite:
    name: str
    title: str
    prepare: Callable[
        [Path, str, Path], Job
    ]  #: (directory of the clients, URL of the server, report to write)
    differences: str = ""  #: file that lists accepted failures
    options: tuple[str, ...] = ()  #: of the server
    short: tuple[str, ...] | None = (
        None  #: arguments that make it short enough for `./dev test`; None: not part of it
    )
    against: str = "seslocal"


@dataclass(frozen=True, slots=True)
class Row:
    suite: Suite
    verdict: Verdict | None  #: None: absent
    why: str = ""


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev conformance", description=__doc__)
    parser.add_argument(
        "suite", nargs="*", help=f"run only these: {', '.join(suite.name for suite in SUITES)}"
    )
    parser.add_argument("--home", type=Path, default=ROOT / ".conformance", help="directory of the clients")
    parser.add_argument("--require-all", action="store_true", help="fail if a suite is absent")
    parser.add_argument(
        "--bring", action="store_true", help="install the JavaScript clients if absent, and exit"
    )
    given = parser.parse_args(argv)
    if given.bring:
        return bring(given.home.resolve())
    if unknown := set(given.suite) - {suite.name for suite in SUITES}:
        parser.error(f"unknown suite: {', '.join(sorted(unknown))}")
    chosen = [suite for suite in SUITES if not given.suite or suite.name in given.suite]
    rows: list[Row] = []
    for suite in chosen:
        print(f"conformance: {suite.title} ...", file=sys.stderr, flush=True)
        rows.append(run(suite, given.home.resolve()))
    print(table(rows))
    absent = sum(row.verdict is None for row in rows)
    failed = any(row.verdict is not None and not row.verdict.good for row in rows)
    return 1 if failed or (absent and given.require_all) else 0


def bring(home: Path) -> int:
    try:
        clients.javascript(home)
    except Absence as absence:
        print(f"conformance: the JavaScript clients are ABSENT: {absence}", file=sys.stderr)
    return 0


def run(suite: Suite, home: Path, *, short: bool = False) -> Row:
    with tempfile.TemporaryDirectory(prefix="conformance-") as directory:
        report = Path(directory) / "report.xml"
        server = _moto_server(home) if suite.against == "moto" else _seslocal(*suite.options)
        try:
            with server as url:
                job = suite.prepare(home, url, report)
                done = subprocess.run(
                    [*job.command, *((short and suite.short) or ())],
                    cwd=job.cwd,
                    env={**_inherited(), **_CLEAN, **job.settings},
                    capture_output=True,
                    text=True,
                    check=False,
                    timeout=_LONGEST,
                )
        except Absence as absence:
            return Row(suite, None, str(absence))
        cases = junit.read(report) if report.exists() else []
        if not cases:
            raise Failed(f"{suite.title} wrote no report:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    listed = junit.differences(HERE / suite.differences) if suite.differences else {}
    return Row(suite, junit.compare(cases, listed))


def _inherited() -> dict[str, str]:
    """The environment without AWS and proxy settings, which could send a client elsewhere."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "MOTO_")) and not name.lower().endswith("_proxy")
    }


@contextmanager
def _seslocal(*options: str) -> Iterator[str]:
    with seslocal("--account", probe.ACCOUNT, "--event-delay", "0.001", *options) as server:
        yield server.url
        if "Traceback" in server.log():
            raise Failed(f"seslocal logged an unexpected exception:\n{server.log()[-5000:]}")


@contextmanager
def _moto_server(home: Path) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as probing:
        port = probing.getsockname()[1]
    command = [str(clients.python(home)), "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**_inherited(), **_CLEAN}
    )
    try:
        until = time.monotonic() + PATIENCE
        while not _listens(port):
            if process.poll() is not None or time.monotonic() > until:
                raise Failed("moto's server did not start.")
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(PATIENCE)


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


# suites


def _boto3(home: Path, url: str, report: Path) -> Job:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        f"--junitxml={report}",
        "tests/conformance",
    ]
    sizes = {"SESLOCAL_ODD_CALLS": _ODD_CALLS, "SESLOCAL_WORLD_MAILS": _WORLD_MAILS}
    return Job(command, ROOT, {name: os.environ.get(name, size) for name, size in sizes.items()})


def _pytest(home: Path, report: Path, *more: str) -> list[str]:
    ini = ["-c", str(HERE / "pytest.ini"), f"--junitxml={report}"]
    return [str(clients.python(home)), "-m", "pytest", "-q", *ini, *more]


def _client(file: str) -> Callable[[Path, str, Path], Job]:
    def prepare(home: Path, url: str, report: Path) -> Job:
        settings = {
            "SESLOCAL_URL": url,
            "SESLOCAL_ACTING": json.dumps(probe.acting()),
            "PYTHONPATH": str(ROOT),
        }
        return Job(_pytest(home, report, f"--rootdir={HERE}", file), HERE / "clients", settings)

    return prepare


def _node(file: str) -> Callable[[Path, str, Path], Job]:
    def prepare(home: Path, url: str, report: Path) -> Job:
        node, place = clients.javascript(home)
        reporter = ["--test-reporter=junit", f"--test-reporter-destination={report}"]
        return Job([str(node.node), "--test", *reporter, file], place, {"SESLOCAL_URL": url})

    return prepare


def _moto(*plugin: str) -> Callable[[Path, str, Path], Job]:
    def prepare(home: Path, url: str, report: Path) -> Job:
        source = clients.source(home, "moto")
        settings = {
            "TEST_SERVER_MODE": "true",
            "TEST_SERVER_MODE_ENDPOINT": url,
            "PYTHONPATH": str(HERE / "moto"),
        }
        tests = [f"tests/{test}" for test in _MOTO_TESTS]
        return Job(_pytest(home, report, f"--rootdir={source}", *plugin, *tests), source, settings)

    return prepare


SUITES: Final = (
    Suite("boto3", "boto3, every operation, malformed requests", _boto3),
    Suite("awscli", "AWS CLI, every implemented operation", _client("test_awscli.py"), short=("-k", "typed")),
    Suite("javascript", "JavaScript SDK v3", _node("sdk.test.mjs"), short=()),
    Suite("nodemailer", "nodemailer's SES transport", _node("nodemailer.test.mjs"), short=()),
    Suite(
        "django-ses",
        "django-ses, v1 and v2, with its webhook",
        _client("test_django_ses.py"),
        short=("-k", "arrives or unverified"),
    ),
    Suite(
        "anymail",
        "django-anymail, with its webhook",
        _client("test_anymail.py"),
        short=("-k", "mail_with or stored_template or refuses"),
    ),
    Suite("moto", "moto's tests, against moto", _moto(), against="moto"),
    Suite(
        "moto-seslocal",
        "moto's tests, against seslocal",
        _moto("-p", "moto_on_seslocal"),
        differences="moto-differences.toml",
        options=("--no-auth",),  # moto's tests sign for many regions, with their own keys
    ),
)


# the table


def table(rows: list[Row]) -> str:
    lines = ["", f"{'':44}{'passed':>8}{'listed':>8}{'failed':>8}{'skipped':>9}"]
    for row in rows:
        found = row.verdict
        if found is None:
            lines.append(f"{row.suite.title:44}  ABSENT: {row.why}")
            continue
        counts = (
            f"{len(found.passed):>8}{len(found.differing):>8}{len(found.failed):>8}{len(found.skipped):>9}"
        )
        lines.append(f"{row.suite.title:44}{counts}")
    for row in rows:
        if row.verdict is None:
            continue
        lines += [f"FAILED {row.suite.name}: {case.name}: {case.detail[:300]}" for case in row.verdict.failed]
        lines += [f"STALE {row.suite.name}: {name} is listed but does not fail" for name in row.verdict.stale]
    absent = [row for row in rows if row.verdict is None]
    failed = sum(len(row.verdict.failed) + len(row.verdict.stale) for row in rows if row.verdict is not None)
    if absent:
        lines += [
            "",
            f"!!! {len(absent)} of {len(rows)} suites did not run: their clients could not be installed.",
        ]
    lines += ["", "conformance: " + (f"{failed} unexpected results" if failed else "no unexpected results")]
    return "\n".join(lines)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (Failed, junit.BadList) as failed:
        sys.exit(f"conformance: {failed}")
