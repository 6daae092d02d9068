"""`./dev bench seslocal`: how many SendEmail calls per second the local SES serves on one core, where their CPU goes, and whether
its memory stays flat.

The server is one process, measured from outside: its CPU clock, and resident memory from /proc. Another process sends (each call
signed, each mail with a tenant, a configuration set and a tag), and receives and deletes both events of each mail. A run is
valid only if every mail was accepted and had its Send and its Delivery exactly once.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import boto3
from botocore import xform_name

from bench import checkout, compare, cpu, seslocal_load, seslocal_parts
from bench.system import PATIENCE, Failed

_ROOT = Path(__file__).resolve().parent.parent
_WARM = 2000  #: mails before anything is measured
_GOAL_RATE, _GOAL_RATIO = 5000, 1.2
_LEDGER = 100_000  #: mails that the ledger keeps by default
_PARTS = 2000  #: mails whose parts are measured at a time
_TIMES = 3  #: how often, without a comparison
_WHOLE = "a SendEmail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    messages: int
    cpu: float  #: seconds of the server
    wall: float  #: seconds, until every event was received
    generator: float  #: CPU seconds of the load
    p50: float  #: seconds from call to answer
    p99: float
    memory: int  #: bytes resident in the server afterwards

    @property
    def rate(self) -> float:
        """Mails for each second of the server's CPU."""
        return self.messages / self.cpu


@dataclass(frozen=True, slots=True)
class Options:
    messages: int
    connections: int
    consumers: int
    ledger: int  #: mails that the server's ledger keeps
    rounds: int  #: of a comparison, at least
    against: Path | None  #: another checkout
    json: bool
    seslocal: tuple[str, ...]


def main(argv: list[str]) -> int:
    options = parse(argv)
    try:
        text, machine = _measured(options)
    except (Failed, checkout.NoCheckout) as failed:
        print(f"bench: {failed}", file=sys.stderr)
        return 1
    if not options.json:
        print(text)
    print(machine)
    return 0


def _measured(options: Options) -> tuple[str, str]:
    """The report for people, and its line for machines."""
    if options.against is not None:
        comparison = run_against(options, checkout.at(options.against))
        return compare.table(comparison), compare.json_line(comparison)
    phases, parts = run(options)
    return table(phases, parts), json_line(phases, parts)


def parse(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="./dev bench seslocal", description=__doc__)
    add = parser.add_argument
    add(
        "--messages",
        type=_count,
        help="mails in all (1,000,000); with --against, mails a round for each side (20,000)",
    )
    add("--connections", type=int, default=24, help="connections that send (%(default)s)")
    add("--consumers", type=int, default=16, help="connections that receive and delete (%(default)s)")
    add(
        "--ledger",
        type=int,
        help="mails the server's ledger keeps (100,000, or a tenth of --messages if that is less)",
    )
    add(
        "--against",
        type=Path,
        metavar="PATH",
        help="another checkout to compare this one with; it is set up by its ./dev",
    )
    add("--rounds", type=int, default=5, help="rounds of a comparison, at least (%(default)s)")
    add("--json", action="store_true", help="only the last line, for machines")
    add("seslocal", nargs="*", help="options for the server, after --")
    given = parser.parse_args(argv)
    messages = given.messages or (1_000_000 if given.against is None else 20_000)
    return Options(
        messages=messages,
        connections=given.connections,
        consumers=given.consumers,
        ledger=given.ledger or min(_LEDGER, messages // 10),
        rounds=max(1, given.rounds),
        against=given.against,
        json=given.json,
        seslocal=tuple(given.seslocal),
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 10:
        raise argparse.ArgumentTypeError(f"{number} mails measure nothing: give 10 or more")
    return number


def run(options: Options) -> tuple[list[Phase], dict[str, float]]:
    """Two phases: until the ledger is full and a tenth is sent, then the rest. So memory is compared between two moments
    at which the ledger holds as many mails as it may. With them, the parts of a mail's CPU in microseconds."""
    first = max(options.ledger, options.messages // 10)
    if first >= options.messages:
        raise Failed(
            f"{options.messages} mails do not fill a ledger of {options.ledger} and leave some: send more"
        )
    with tempfile.TemporaryDirectory() as home, _server(checkout.this(), Path(home), options) as (url, pid):
        _set_up(url)
        with _load(url, options) as load:
            _phase(load, pid, min(_WARM, options.messages))
            phases = [_phase(load, pid, first), _phase(load, pid, options.messages - first)]
    with _taking_apart(checkout.this()) as process:
        times = [_parts(process, options) for _ in range(_TIMES)]
    return phases, {part: median(one[part] for one in times) for part in times[0]}


def run_against(options: Options, other: checkout.Checkout) -> compare.Comparison:
    """Both servers run all the time, under this checkout's load; only one of them has mail at any moment."""
    here = checkout.this()
    with ExitStack() as stack:
        sides: dict[str, tuple[subprocess.Popen[str], int]] = {}
        apart: dict[str, subprocess.Popen[str]] = {}
        for name, side in (("here", here), ("there", other)):
            home = stack.enter_context(tempfile.TemporaryDirectory())
            url, pid = stack.enter_context(_server(side, Path(home), options))
            _set_up(url)
            load = stack.enter_context(_load(url, options))
            _phase(load, pid, min(_WARM, options.messages))
            sides[name] = load, pid
            apart[name] = stack.enter_context(_taking_apart(side))
            _parts(apart[name], options)
        pairs: list[compare.Pair] = []
        while True:
            number = len(pairs) + 1
            print(f"bench: round {number}", file=sys.stderr, flush=True)
            order = list(sides) if number % 2 else list(reversed(sides))
            phases = {name: _phase(*sides[name], options.messages) for name in order}
            each = {
                name: {_WHOLE: phase.cpu / phase.messages * 1e6, **_parts(apart[name], options)}
                for name, phase in phases.items()
            }
            pairs.append(compare.Pair(each["here"], each["there"]))
            result = compare.Comparison(
                pairs=pairs,
                headline=_WHOLE,
                here=f"{here.name}; {here.interpreter()}",
                there=f"{other.name}; {other.interpreter()}",
                notes=[
                    f"{options.messages} mails a round for each side; their parts without event loop and sockets, "
                    f"of {min(_PARTS, options.messages)} mails a round",
                ],
            )
            if number >= options.rounds and (result.precise or number >= compare.MOST_ROUNDS):
                return result


def _phase(load: "subprocess.Popen[str]", pid: int, count: int) -> Phase:
    assert load.stdin is not None
    assert load.stdout is not None
    before = cpu.exact(pid)
    load.stdin.write(f"{count}\n")
    load.stdin.flush()
    result = json.loads(load.stdout.readline() or '{"void": "the load ended"}')
    if "void" in result:
        raise Failed(f"no figure: {result['void']}")
    after = cpu.exact(pid)
    if before is None or after is None:
        raise Failed("no figure: the server is gone")
    return Phase(
        messages=count,
        cpu=after - before,
        wall=result["wall"],
        generator=result["cpu"],
        p50=result["p50"],
        p99=result["p99"],
        memory=_resident(pid),
    )


@contextmanager
def _taking_apart(side: checkout.Checkout) -> Iterator["subprocess.Popen[str]"]:
    """A process that measures the parts of a mail, with this checkout's bench and that side's seslocal."""
    process = subprocess.Popen(
        [side.python, "-m", seslocal_parts.__name__],
        cwd=_ROOT,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.communicate()


def _parts(process: "subprocess.Popen[str]", options: Options) -> dict[str, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(f"{min(_PARTS, options.messages)}\n")
    process.stdin.flush()
    line = process.stdout.readline()
    if not line:
        raise Failed("no figure: the parts of a mail could not be measured (see above)")
    return json.loads(line)


def _resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def _server(side: checkout.Checkout, home: Path, options: Options) -> Iterator[tuple[str, int]]:
    ready = home / "ready.json"
    command = [
        *side.seslocal,
        "--port",
        "0",
        "--rate",
        "1000000",
        "--account",  # that of the load: an older checkout has another one by default
        seslocal_load.ACCOUNT,
        "--quota",
        "-1",
        "--ledger",
        str(options.ledger),
    ]
    process = subprocess.Popen(
        [*command, "--ready-file", str(ready), *options.seslocal], stdout=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + PATIENCE
        while not ready.exists():
            if process.poll() is not None or time.monotonic() > until:
                raise Failed("the local SES did not start")
            time.sleep(0.02)
        yield json.loads(ready.read_text())["url"], process.pid
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def _load(url: str, options: Options) -> Iterator["subprocess.Popen[str]"]:
    at = urlsplit(url)
    arguments = [str(at.hostname), str(at.port), str(options.connections), str(options.consumers)]
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.seslocal_load", *arguments],
        cwd=_ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _set_up(url: str) -> None:
    ses = boto3.client(
        "sesv2",
        endpoint_url=url,
        region_name=seslocal_load.REGION,
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    for operation, params in seslocal_load.set_up_calls():
        getattr(ses, xform_name(operation))(**params)


def whole(phases: list[Phase]) -> float:
    """Mails for each second of the server's CPU, over all phases."""
    return sum(phase.messages for phase in phases) / sum(phase.cpu for phase in phases)


def growth(phases: list[Phase]) -> float:
    """Memory at the end, as a multiple of that after the first phase."""
    return phases[-1].memory / phases[0].memory


def table(phases: list[Phase], parts: dict[str, float]) -> str:
    lines = [
        "",
        f"{'mails':>10}{'per CPU s':>11}{'CPU us':>9}{'per wall s':>12}{'p50 ms':>9}{'p99 ms':>9}{'MB':>8}",
    ]
    for phase in phases:
        lines.append(
            f"{phase.messages:>10,}{phase.rate:>11,.0f}{phase.cpu / phase.messages * 1e6:>9.0f}"
            f"{phase.messages / phase.wall:>12,.0f}{phase.p50 * 1000:>9.1f}{phase.p99 * 1000:>9.1f}"
            f"{phase.memory / 1e6:>8.0f}"
        )
    rate, ratio, sent = whole(phases), growth(phases), sum(phase.messages for phase in phases)
    generator = sum(phase.generator for phase in phases) / sent * 1e6
    spent = 1e6 / rate
    shown = {**parts, seslocal_parts.SOCKETS: spent - sum(parts.values())}
    lines += [
        "",
        f"The {spent:.0f} us of a mail, by part:",
        *[f"{part:>26}{microseconds:>8.0f}" for part, microseconds in shown.items()],
        "",
        f"{rate:,.0f} signed SendEmail a second on one core, both events received and deleted "
        f"(goal {_GOAL_RATE:,}: {'reached' if rate >= _GOAL_RATE else 'missed'}).",
        f"Memory after {sent:,} mails is {ratio:.2f} times that after {phases[0].messages:,}, the ledger full at both moments "
        f"(goal {_GOAL_RATIO}: {'reached' if ratio <= _GOAL_RATIO else 'missed'}).",
        f"Not counted: the load, {generator:.0f} us a mail on another core.",
        f"{checkout.this().interpreter()}.",
    ]
    return "\n".join(lines)


def json_line(phases: list[Phase], parts: dict[str, float]) -> str:
    return json.dumps(
        {
            "parts": {part: round(microseconds, 2) for part, microseconds in parts.items()},
            "messages_per_second_on_one_core": round(whole(phases), 1),
            "memory_ratio": round(growth(phases), 4),
            "phases": [asdict(phase) for phase in phases],
        }
    )
