"""`./dev bench isolation`: how much does one tenant's mail delay another's?

A small tenant hands in mail of every class at a steady pace, and each mail's delay is measured from its acceptance to its
arrival at SES. First nobody else sends (idle), then others get in its way: a tenant with a large backlog, one whose calls SES
answers in four seconds, and one whose campaign is held and released. The result is the ratio of each p99 to the idle one of the
same run. The last figure is the spread of service: many tenants of two classes have more mail than the rate lets through, and
the mail taken from them is compared within each class.
"""

import argparse
import asyncio
import json
import sys
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from bench import checkout, command, cpu, load, mail, seed, system
from bench.mail import Stream
from bench.system import Failed, System
from mailcordon.core import ids

SMALL, BIG, SLOW, CAMPAIGN = seed.TENANTS
CLASSES = {"password-reset": "urgent", "receipt": "transactional", "newsletter": "marketing"}
SLOW_ANSWER = 4.0  #: seconds
PACE = 30  #: mails a second of the small tenant, of all classes in turn
RATE = 500  #: recipients a second that SES grants, so that a backlog lasts
#: phase -> the largest ratio that is a pass
TARGETS = {"backlog": 1.2, "slow": 1.5, "held": 1.2}
SPREAD_TARGET = 1
AT_REST = 0.2  #: CPU seconds a second of everything on this machine, below which the phase before has no more effect
LONGEST_REST = 60.0  #: seconds; a machine with other work is never at rest
RECEIPTS, NEWSLETTERS = 10, 39  #: tenants of the last phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    backlog: int  #: mails of the big tenant
    held: int  #: mails of the held campaign
    seconds: float  #: of each phase
    rounds: int
    json: bool


@dataclass(slots=True)
class Result:
    """Delays in milliseconds, by phase and class."""

    options: Options
    engine: str
    delays: dict[str, dict[str, list[float]]] = field(default_factory=dict[str, dict[str, list[float]]])
    spread: int = 0
    snapshots: int = 0  #: how often the spread was looked at

    def add(self, phase: str, delays: dict[str, list[float]]) -> None:
        for class_, found in delays.items():
            self.delays.setdefault(phase, {}).setdefault(class_, []).extend(found)

    def quantile(self, phase: str, share: float, class_: str | None = None) -> float:
        """Of one class, or of all."""
        chosen = sorted(
            delay for name, delays in self.delays[phase].items() for delay in delays if class_ in (None, name)
        )
        return chosen[min(len(chosen) - 1, int(len(chosen) * share))]

    def ratio(self, phase: str, class_: str | None = None) -> float:
        return self.quantile(phase, 0.99, class_) / self.quantile("idle", 0.99, class_)

    @property
    def misses(self) -> list[str]:
        late = [phase for phase, most in TARGETS.items() if self.ratio(phase) > most]
        return late + (["spread"] if self.spread > SPREAD_TARGET else [])


def parse(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="./dev bench isolation", description=__doc__)
    add = parser.add_argument
    add("--backlog", type=int, default=300_000, help="mails of the big tenant (default %(default)s)")
    add("--held", type=int, default=30_000, help="mails of the held campaign (default %(default)s)")
    add("--seconds", type=float, default=20.0, help="of each phase (default %(default)g)")
    add("--rounds", type=int, default=2, help="times that all phases run in turn (default %(default)s)")
    add("--short", action="store_true", help="5,000 mails, 1,000 held, 5 seconds, 1 round: to try it")
    add("--json", action="store_true", help="end with one line of JSON")
    given = parser.parse_args(argv)
    if given.short:
        return Options(backlog=5_000, held=1_000, seconds=5.0, rounds=1, json=given.json)
    if min(given.backlog, given.held, given.seconds, given.rounds) < 1:
        parser.error("every number is at least 1")
    return Options(
        backlog=given.backlog, held=given.held, seconds=given.seconds, rounds=given.rounds, json=given.json
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
        f"{result.engine}; SES grants {RATE} a second; {PACE} mails a second of the small tenant,"
        f" {options.rounds} x {options.seconds:g} s a phase",
        "",
        f"{'ms from accept to SES, p50 and p99':<52}{'all':>14}{'urgent':>14}{'transactional':>15}{'marketing':>14}  p99 / idle",
    ]
    names = {
        "idle": "nobody else sends",
        "backlog": f"beside {options.backlog:,} mails of another tenant",
        "slow": f"beside a tenant whose calls take {SLOW_ANSWER:g} s",
        "held": f"beside a held campaign of {options.held:,}, and its release",
    }
    for phase, name in names.items():
        cells = "".join(
            f"{result.quantile(phase, 0.5, one):>{width - 8}.0f}{result.quantile(phase, 0.99, one):>8.0f}"
            for one, width in ((None, 14), ("urgent", 14), ("transactional", 15), ("marketing", 14))
        )
        verdict = ""
        if phase in TARGETS:
            ratio = result.ratio(phase)
            verdict = (
                f"{ratio:.2f}, at most {TARGETS[phase]:g}: {'met' if ratio <= TARGETS[phase] else 'MISSED'}"
            )
        lines.append(f"{name:<52}{cells}  {verdict}")
    met = "met" if result.spread <= SPREAD_TARGET else "MISSED"
    lines += [
        "",
        f"spread of service within a class, {RECEIPTS} tenants with receipts and {NEWSLETTERS} with newsletters:"
        f" {result.spread} (in {result.snapshots} snapshots), at most {SPREAD_TARGET}: {met}",
    ]
    return "\n".join(lines)


def json_line(result: Result) -> str:
    phases = {
        phase: {
            name: {
                "p50_ms": round(result.quantile(phase, 0.5, class_), 1),
                "p99_ms": round(result.quantile(phase, 0.99, class_), 1),
                "ratio": round(result.ratio(phase, class_), 3),
            }
            for name, class_ in (("all", None), *((one, one) for one in CLASSES.values()))
        }
        for phase in result.delays
    }
    return json.dumps({"phases": phases, "spread": result.spread, "misses": result.misses})


def _say(sentence: str) -> None:
    print(f"bench: {sentence}", file=sys.stderr, flush=True)


async def _measured(options: Options) -> Result:
    async with system.running(_say, checkout.this()) as under_test:
        bench = _Bench(under_test, options)
        await bench.grant(RATE)
        await bench.watch("warm", 2)
        for number in range(1, options.rounds + 1):
            _say(f"round {number} of {options.rounds}")
            for name, beside in (("backlog", bench.backlog), ("slow", bench.slow), ("held", bench.held)):
                # Before each: what else the machine does changes from minute to minute.
                await _rest()
                await bench.phase("idle", bench.nobody, options.seconds / 2)
                await bench.phase(name, beside, options.seconds)
        await bench.spread()
        return bench.result


async def _rest() -> None:
    """Waits until the machine is at rest: events and vacuums of the phase before slow an idle phase down, and its ratios lie."""
    until = asyncio.get_running_loop().time() + LONGEST_REST
    while asyncio.get_running_loop().time() < until:
        before = cpu.machine()
        await asyncio.sleep(1)
        if cpu.machine() - before < AT_REST:
            return
    _say(f"the machine did not come to rest within {LONGEST_REST:.0f} s; idle figures are too high")


class _Bench:
    def __init__(self, under_test: System, options: Options) -> None:
        self._system = under_test
        self._options = options
        self._phases = 0
        self._streams = {(one.tenant, one.type): one for one in under_test.streams}
        self.result = Result(options, under_test.engine)

    async def phase(self, name: str, beside: Callable[[], Any], seconds: float) -> None:
        _say(name)
        async with beside():
            self.result.add(name, await self.watch(name, seconds))

    async def watch(self, name: str, seconds: float) -> dict[str, list[float]]:
        """Hands in the small tenant's mail at its pace. Returns the delays, by class."""
        self._phases += 1
        newest = await self._system.ses.newest(tenant=await self._key_of(SMALL))
        host, port = self._system.address
        loop, began, calls = asyncio.get_running_loop(), asyncio.get_running_loop().time(), []
        for number in range(int(seconds * PACE)):
            stream = self._streams[SMALL, list(CLASSES)[number % len(CLASSES)]]
            to = f"{name}-{self._phases}-{number}@small.example"
            request = mail.request(stream, to, self._system.key, f"{host}:{port}")
            await asyncio.sleep(max(0.0, began + number / PACE - loop.time()))
            calls.append(asyncio.create_task(load.run(host, port, [request], 1, 30)))
        await asyncio.gather(*calls)

        async def arrived() -> list[dict[str, Any]]:
            return await self._system.ses.lines_after(newest, tenant=await self._key_of(SMALL))

        await system.until(
            arrived, lambda found: len(found) == len(calls), f"{len(calls)} mails have to arrive", 0.5
        )
        delays: dict[str, list[float]] = {class_: [] for class_ in CLASSES.values()}
        for line in await arrived():
            accepted = ids.ms_of(ids.decode(line["tags"]["mc-delivery"][0]))
            delays[CLASSES[line["tags"]["mc-type"][0]]].append(line["at"] * 1000 - accepted)
        return delays

    # What gets in its way -----------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def nobody(self) -> AsyncIterator[None]:
        yield

    @asynccontextmanager
    async def backlog(self) -> AsyncIterator[None]:
        await self._fill(self._streams[BIG, "newsletter"], self._options.backlog)
        yield
        await self._clear(BIG)

    @asynccontextmanager
    async def slow(self) -> AsyncIterator[None]:
        fault = {"fault": "slow", "seconds": SLOW_ANSWER, "tenant": await self._key_of(SLOW)}
        made = await self._ses("POST", "/faults", fault)
        for type in CLASSES:
            await self._fill(self._streams[SLOW, type], 2_000)
        yield
        await self._clear(SLOW)
        await self._ses("DELETE", f"/faults/{made['id']}")

    @asynccontextmanager
    async def held(self) -> AsyncIterator[None]:
        """Held at a third of the phase's time, released at two thirds."""
        with self._system.stopped("dispatch"):
            await self._fill(self._streams[CAMPAIGN, "newsletter"], self._options.held, campaign="spring")
        meddling = asyncio.create_task(self._hold_and_release())
        yield
        await meddling
        await self._clear(CAMPAIGN)

    async def _hold_and_release(self) -> None:
        target = {"tenant": CAMPAIGN, "campaign": "spring", "because": "bench"}
        await asyncio.sleep(self._options.seconds / 3)
        await self._api("/v1/holds", target)
        await asyncio.sleep(self._options.seconds / 3)
        await self._api("/v1/holds/lift", target)

    async def _fill(self, stream: Stream, count: int, campaign: str | None = None) -> None:
        host, port = self._system.address
        self._phases += 1
        to = [f"f{self._phases}-{n}@inbox{n % 7}.example" for n in range(count)]
        requests = [
            mail.request(stream, to[start : start + 50], self._system.key, f"{host}:{port}", campaign)
            for start in range(0, count, 50)
        ]
        done = await load.run(host, port, requests, 16, 300)
        if len(done.answers) != len(requests):
            raise Failed("the backlog was not accepted in 300 s")

    async def _clear(self, tenant: str) -> None:
        """Drops what is left of a tenant's mail, and waits for its calls."""
        await self._api("/v1/cancellations", {"tenant": tenant, "because": "bench"})

        async def left() -> int:
            return await self._system.session.fetchval(
                "select count(*) from lane l join tenant t on t.id = l.tenant where t.slug = $1"
                " and (exists (select from ready r where r.lane = l.id) or exists (select from waiting w where w.lane = l.id))",
                tenant,
            )

        await system.until(left, lambda found: not found, f"mail of {tenant} has to be final", 0.1)

    # Service ------------------------------------------------------------------------------------------------------------

    async def spread(self) -> None:
        _say("spread of service")
        classes = {
            "receipt": [f"receipts-{n}" for n in range(RECEIPTS)],
            "newsletter": [f"newsletters-{n}" for n in range(NEWSLETTERS)],
        }
        await seed.onboard(
            self._system.url,
            self._system.key,
            {slug: [type] for type, slugs in classes.items() for slug in slugs},
        )
        await self._system.end_ramps()
        with self._system.stopped("dispatch"):
            for type, slugs in classes.items():
                for slug in slugs:
                    stream = Stream(slug, type, seed.domain(slug, type), type == seed.MARKETING)
                    await self._fill(stream, 200 if type == "receipt" else 50)
        while True:
            rows = await self._system.session.fetch(
                "select t.slug, (select count(*) from lane l join ready r on r.lane = l.id"
                " where l.tenant = t.id and r.state = 0) as n from tenant t where t.slug = any ($1::text[])",
                [slug for slugs in classes.values() for slug in slugs],
            )
            left = {row["slug"]: row["n"] for row in rows}
            counts = [[left[slug] for slug in slugs] for slugs in classes.values()]
            if all(min(one) == 0 for one in counts):
                return
            for one in counts:
                if min(one) > 0:
                    self.result.spread = max(self.result.spread, max(one) - min(one))
                    self.result.snapshots += 1
            await asyncio.sleep(0.05)

    # Calls --------------------------------------------------------------------------------------------------------------

    async def grant(self, rate: int) -> None:
        await self._ses("PUT", "/account", {"rate": rate})

        async def ceiling() -> float:
            return await self._system.session.fetchval("select ceiling from account_rate")

        await system.until(ceiling, lambda found: found == rate, "the account's rate has to be known", 0.1)

    async def _key_of(self, tenant: str) -> str:
        return await self._system.session.fetchval("select key from tenant where slug = $1", tenant)

    async def _ses(self, method: str, path: str, body: object = None) -> Any:
        return await asyncio.to_thread(_call, method, f"{self._system.ses.url}/_seslocal{path}", body)

    async def _api(self, path: str, body: object) -> Any:
        return await asyncio.to_thread(_call, "POST", self._system.url + path, body, self._system.key)


def _call(method: str, url: str, body: object, key: str = "") -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    with urllib.request.urlopen(
        urllib.request.Request(url, data, headers, method=method), timeout=300
    ) as answer:
        return json.loads(answer.read() or b"{}")
