"""`./dev bench door`: what does a hostile caller cost a bystander?

A tenant hands in mail and reads a message, both at a steady pace, and each answer's delay is measured. First nobody else calls,
then each of bench/hostile.py's callers does: first at a dummy server, which shows what the load itself costs on this machine, and
then at the API. The result is the ratio of the second p99 to the first.

With `--checkout PATH` another checkout is measured, with this one's callers.
"""

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httptools

from bench import checkout, command, load, mail, seed, system
from bench.mail import Stream
from bench.system import Failed, System

ACME, ZEN = seed.TENANTS[:2]  # the hostile caller's, and the bystander
PACE = {"accept": 40, "read": 10}  #: mails and reads a second of the bystander
TARGET = 2.0  #: the largest ratio that is a pass
KNOWN = "known@inbox.example"  #: the address whose history is read
PATIENCE = 30.0  #: seconds after which a request of the bystander counts as lost
SETTLE = 2.0  #: seconds that a hostile caller runs before the bystander's delays count
NAMES = {
    "head": "one head without an end",
    "half": "3,000 half-sent requests",
    "bodies": "60 unfinished bodies of 22 MB",
    "large": "four connections posting 9 MB mails",
    "reads": "100 concurrent reads of an address",
}
PROBES = tuple(PACE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    seconds: float  #: of each phase
    rounds: int
    hostile: tuple[str, ...]
    checkout: Path | None
    json: bool


@dataclass(slots=True)
class Result:
    """Delays in milliseconds, by phase (`idle`, `dummy KIND`, `KIND`) and probe."""

    options: Options
    engine: str
    delays: dict[str, dict[str, list[float]]] = field(default_factory=dict[str, dict[str, list[float]]])

    def add(self, phase: str, delays: dict[str, list[float]]) -> None:
        for probe, found in delays.items():
            self.delays.setdefault(phase, {}).setdefault(probe, []).extend(found)

    def quantile(self, phase: str, probe: str, share: float) -> float:
        chosen = sorted(self.delays[phase][probe])
        return chosen[min(len(chosen) - 1, int(len(chosen) * share))]

    def ratio(self, kind: str, probe: str) -> float:
        return self.quantile(kind, probe, 0.99) / self.quantile(f"dummy {kind}", probe, 0.99)

    @property
    def misses(self) -> list[str]:
        return [
            f"{kind} {probe}"
            for kind in self.options.hostile
            for probe in PROBES
            if self.ratio(kind, probe) > TARGET
        ]


def parse(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="./dev bench door", description=__doc__)
    add = parser.add_argument
    add("--seconds", type=float, default=10.0, help="of each phase (default %(default)g)")
    add("--rounds", type=int, default=2, help="times that all phases run in turn (default %(default)s)")
    add("--hostile", nargs="+", choices=NAMES, default=list(NAMES), help="only these callers")
    add(
        "--checkout", type=Path, metavar="PATH", help="another checkout to measure; it is set up by its ./dev"
    )
    add("--short", action="store_true", help="3 seconds, 1 round: to try it")
    add("--json", action="store_true", help="end with one line of JSON")
    given = parser.parse_args(argv)
    if min(given.seconds, given.rounds) < 1:
        parser.error("every number is at least 1")
    return Options(
        seconds=3.0 if given.short else given.seconds,
        rounds=1 if given.short else given.rounds,
        hostile=tuple(given.hostile),
        checkout=given.checkout,
        json=given.json,
    )


def main(argv: list[str]) -> int:
    options = parse(argv)
    return command.run(_report(options), json=options.json)


async def _report(options: Options) -> tuple[str, str]:
    result = await _measured(options)
    return table(result), json_line(result)


def table(result: Result) -> str:
    options = result.options
    lines = [
        f"{result.engine}; {PACE['accept']} mails and {PACE['read']} reads a second of"
        f" the bystander,"
        f" {options.rounds} x {options.seconds:g} s a phase",
        "",
        f"{'ms until the bystander is answered, p50 and p99':<50}{'accept':>18}{'read':>18}  p99 / p99 at the dummy",
    ]

    def row(name: str, phase: str, verdict: str = "") -> str:
        cells = "".join(
            f"{result.quantile(phase, probe, 0.5):>10.1f}{result.quantile(phase, probe, 0.99):>8.1f}"
            for probe in PROBES
        )
        return f"{name:<50}{cells}{verdict}"

    lines.append(row("nobody else calls", "idle"))
    for kind in options.hostile:
        lines.append(row(f"beside {NAMES[kind]}, at the dummy", f"dummy {kind}"))
        ratios = [result.ratio(kind, probe) for probe in PROBES]
        met = "met" if max(ratios) <= TARGET else "MISSED"
        verdict = f"  {ratios[0]:.2f} and {ratios[1]:.2f}, at most {TARGET:g}: {met}"
        lines.append(row(f"beside {NAMES[kind]}", kind, verdict))
    return "\n".join(lines)


def json_line(result: Result) -> str:
    phases = {
        phase: {
            probe: {
                "p50_ms": round(result.quantile(phase, probe, 0.5), 1),
                "p99_ms": round(result.quantile(phase, probe, 0.99), 1),
            }
            for probe in PROBES
        }
        for phase in result.delays
    }
    ratios = {
        kind: {probe: round(result.ratio(kind, probe), 2) for probe in PROBES}
        for kind in result.options.hostile
    }
    return json.dumps({"phases": phases, "ratios": ratios, "misses": result.misses})


def _say(sentence: str) -> None:
    print(f"bench: {sentence}", file=sys.stderr, flush=True)


async def _measured(options: Options) -> Result:
    chosen = checkout.this() if options.checkout is None else checkout.at(options.checkout)
    async with system.running(_say, chosen) as under_test, _dummy() as dummy:
        bench = _Bench(under_test, options, dummy)
        await bench.prepare()
        await bench.watch(2.0)
        for number in range(1, options.rounds + 1):
            _say(f"round {number} of {options.rounds}")
            await bench.phase("idle", None, dummy)
            for kind in options.hostile:
                await bench.phase(f"dummy {kind}", kind, dummy)
                await bench.phase(kind, kind, under_test.address)
        return bench.result


@contextlib.asynccontextmanager
async def _dummy() -> AsyncIterator[tuple[str, int]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.dummy", stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent
    )
    assert process.stdout is not None
    try:
        yield "127.0.0.1", int(await process.stdout.readline())
    finally:
        process.terminate()
        await process.wait()


class _Bench:
    def __init__(self, under_test: System, options: Options, dummy: tuple[str, int]) -> None:
        self._system = under_test
        self._options = options
        self._mails = 0
        self._streams = {(one.tenant, one.type): one for one in under_test.streams}
        self._keys: dict[str, str] = {}
        self._message = ""
        self.result = Result(options, under_test.engine)

    @property
    def _sender(self) -> Stream:
        return self._streams[ACME, "receipt"]

    async def prepare(self) -> None:
        """Keys of both tenants, a history for the address that is read, and a message that the bystander reads."""
        for tenant in (ACME, ZEN):
            made = await self._api(
                "/v1/keys", {"tenant": tenant, "name": "bench", "scopes": ["send", "read"]}
            )
            self._keys[tenant] = made["key"]
        host, port = self._system.address
        requests = [
            mail.request(self._sender, KNOWN, self._keys[ACME], f"{host}:{port}").replace(
                b"Idempotency-Key: bench-", b"Idempotency-Key: %d-" % n
            )
            for n in range(60)
        ]
        await load.run(host, port, requests, 4, PATIENCE)
        request = mail.request(
            self._streams[ZEN, "receipt"], "first@inbox.example", self._keys[ZEN], f"{host}:{port}"
        )
        first = await load.run(host, port, [request], 1, PATIENCE)
        self._message = json.loads(first.answers[0])["id"]

    async def phase(self, name: str, kind: str | None, target: tuple[str, int]) -> None:
        _say(name)
        async with self._hostile(kind, target):
            await asyncio.sleep(SETTLE)
            self.result.add(name, await self.watch(self._options.seconds))
        await asyncio.sleep(1.0)

    @contextlib.asynccontextmanager
    async def _hostile(self, kind: str | None, target: tuple[str, int]) -> AsyncIterator[None]:
        if kind is None:
            yield
            return
        sender = self._sender
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.hostile", kind,
            "--host", target[0], "--port", str(target[1]), "--key", self._keys[ACME], "--address", KNOWN,
            "--sender", f"Team <hello@{sender.domain}>", "--type", sender.type,
            cwd=Path(__file__).parent.parent,
        )  # fmt: skip
        try:
            yield
            if process.returncode is not None:
                raise Failed(f"the hostile caller {kind} ended by itself")
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def watch(self, seconds: float) -> dict[str, list[float]]:
        """Calls at a steady pace, however long the answers take. Returns the delays in ms."""
        probes = [_Probe(*self._system.address) for _ in range(8)]

        async def at_pace(probe: str) -> list[float]:
            began, calls = time.perf_counter(), list[asyncio.Task[float]]()
            for number in range(int(seconds * PACE[probe])):
                await asyncio.sleep(max(0.0, began + number / PACE[probe] - time.perf_counter()))
                calls.append(asyncio.create_task(_Probe.call(probes, self._request(probe))))
            return [delay * 1000 for delay in await asyncio.gather(*calls)]

        delays = dict(zip(PROBES, await asyncio.gather(*map(at_pace, PROBES)), strict=True))
        for one in probes:
            one.close()
        return delays

    def _request(self, probe: str) -> bytes:
        host, port = self._system.address
        key = self._keys[ZEN]
        if probe == "read":
            head = f"GET /v1/messages/{self._message} HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {key}\r\n\r\n"
            return head.encode()
        self._mails += 1
        return mail.request(
            self._streams[ZEN, "receipt"], f"b{self._mails}@inbox.example", key, f"{host}:{port}"
        )

    async def _api(self, path: str, body: object) -> Any:
        def call() -> Any:
            headers = {"content-type": "application/json", "authorization": f"Bearer {self._system.key}"}
            request = urllib.request.Request(self._system.url + path, json.dumps(body).encode(), headers)
            with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                return json.loads(answer.read())

        return await asyncio.to_thread(call)


class _Probe:
    """A keep-alive connection of the bystander. One that is lost is opened again: its delay counts until the answer."""

    def __init__(self, host: str, port: int) -> None:
        self._address = host, port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._busy = False

    @staticmethod
    async def call(probes: "list[_Probe]", request: bytes) -> float:
        """Uses an idle connection, or one more. Returns the delay in seconds, at most PATIENCE."""
        probe = next((one for one in probes if not one._busy), None)
        if probe is None:
            probe = _Probe(*probes[0]._address)
            probes.append(probe)
        probe._busy = True
        began = time.perf_counter()
        try:
            async with asyncio.timeout(PATIENCE):
                while not await probe._answered(request):
                    probe.close()
        except TimeoutError:
            probe.close()
            return PATIENCE
        finally:
            probe._busy = False
        return time.perf_counter() - began

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None

    async def _answered(self, request: bytes) -> bool:
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection(*self._address)
            reader, writer = self._streams
            writer.write(request)
            answer = _Answer()
            parser = httptools.HttpResponseParser(answer)
            while not answer.complete:
                part = await reader.read(65536)
                if not part:
                    return False
                parser.feed_data(part)
        except OSError:
            await asyncio.sleep(0.05)
            return False
        status = parser.get_status_code()
        if status not in (200, 202):
            raise Failed(f"the bystander was answered {status}")
        return True


class _Answer:
    def __init__(self) -> None:
        self.complete = False

    def on_message_complete(self) -> None:
        self.complete = True
