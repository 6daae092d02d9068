"""One phase: so many mails at a rate, until every outcome is recorded; or nothing at all; or bare boto3 alike.

No figure leaves here unless each mail is in SES's ledger exactly once and was delivered at its first attempt.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import mail, send
from bench.curve.meter import Meter
from bench.curve.paced_load import Done, Order
from bench.curve.plan import IDLE, UNANSWERED, Rate
from bench.curve.record import BARE, Phase
from bench.mail import Stream
from bench.system import Failed, System
from mailcordon.core import ids

AFTERWARDS = (
    1.0  #: seconds that are counted as well after the last outcome: what is done behind must not be free
)
CLASSES = {"password-reset": "urgent", "receipt": "transactional", "newsletter": "marketing"}
_ROOT = Path(__file__).parents[2]


async def idle(systems: Sequence[tuple[str, System]], seconds: float) -> list[Phase]:
    """All sides at once: none of them has mail."""
    others = [[one for _, one in systems if one is not system] for _, system in systems]
    meters = [await Meter.start(system, beside) for (_, system), beside in zip(systems, others, strict=True)]
    await asyncio.sleep(seconds)
    used = [await meter.read() for meter in meters]
    return [
        Phase(
            rate=IDLE,
            side=name,
            mails=0,
            seconds=one.seconds,
            cpu=one.cpu,
            wakeups=one.wakeups,
            database=one.database,
            others=one.others,
        )
        for (name, _), one in zip(systems, used, strict=True)
    ]


async def governed(
    side: str, system: System, beside: Sequence[System], rate: Rate, run: str, count: int
) -> Phase:
    recipients = mail.recipients(run, count)
    newest, last, total = await system.ses.newest(), await system.newest_id(), await system.ses.total()
    host, port = system.address
    order = Order(host=host, port=port, key=system.key, streams=system.streams, run=run, count=count,
                  per_second=rate.per_second, connections=rate.connections,
                  unanswered=UNANSWERED)  # fmt: skip
    async with loading(order) as load:
        meter = await Meter.start(system, beside)
        done = await load.run()
        await send.settled(system, total, last, count, events=True)
        await asyncio.sleep(AFTERWARDS)
        used = await meter.read(done.cpu_seconds)
    if done.queued != count:
        raise Failed("not every mail was queued")
    await check(system, recipients, newest, last)
    calls, whole = await _calls(system, newest, done, order.streams)
    return Phase(
        rate=rate,
        side=side,
        mails=count,
        seconds=used.seconds,
        offered=count / done.seconds,
        cpu=used.cpu,
        wakeups=used.wakeups,
        database=used.database,
        accepts=sorted(done.latencies),
        calls=calls,
        whole=whole,
        others=used.others,
    )


async def check(system: System, recipients: list[str], newest: str | None, last: int) -> None:
    send.check_ledger(recipients, await system.ses.recipients_after(newest))
    deliveries = await system.deliveries(last)
    wrong = [one for one in deliveries if one[1:] != (send.SENT, 1, send.DELIVERED)]
    if wrong or sorted(one[0] for one in deliveries) != sorted(recipients):
        raise Failed(
            f"{len(deliveries)} deliveries are in the database where {len(recipients)} have to be, "
            f"and {len(wrong)} are not where they have to be, such as {wrong[:3]}"
        )


async def _calls(
    system: System, newest: str | None, done: Done, streams: Sequence[Stream]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Milliseconds until the call reached SES, by class: from the acceptance (the delivery's id says when), and from the moment
    that the load generator wrote the request. SES's ledger says when the call was there."""
    accepted: dict[str, list[float]] = {name: [] for name in CLASSES.values()}
    handed: dict[str, list[float]] = {name: [] for name in CLASSES.values()}
    for line in await system.ses.lines_after(newest):
        tags, to = line["tags"], line["recipients"][0]
        kind = CLASSES[tags["mc-type"][0]]
        accepted[kind].append(line["at"] * 1000 - ids.ms_of(ids.decode(tags["mc-delivery"][0])))
        handed[kind].append((line["at"] - done.handed[to]) * 1000)
    return {name: sorted(values) for name, values in accepted.items()}, {
        name: sorted(values) for name, values in handed.items()
    }


class Load:
    """A load generator that is connected."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.pid = process.pid

    async def run(self) -> Done:
        out, _ = await self._process.communicate(b"\n")
        if self._process.returncode != 0:
            raise Failed("the load generator failed")
        return Done(**json.loads(out))


@asynccontextmanager
async def loading(order: Order) -> AsyncIterator[Load]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.curve.paced_load", stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT,
        limit=2**30,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(json.dumps(asdict(order)).encode() + b"\n")
        if await process.stdout.readline() != b"ready\n":
            raise Failed("the load generator did not connect")
        yield Load(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def bare(system: System, beside: Sequence[System], rate: Rate, run: str, count: int) -> Phase:
    """Against the local SES of this side, whose system rests."""
    newest = await system.ses.newest()
    meter = await Meter.start(system, beside)
    said = await _bare_process(system.ses.url, rate, run, count)
    used = await meter.read(said["whole_cpu_seconds"])
    expected = mail.recipients(run, count) + mail.recipients(f"{run}-warm", said["warm_up"])
    send.check_ledger(expected, await system.ses.recipients_after(newest))
    return Phase(
        rate=rate,
        side=BARE,
        mails=count,
        seconds=said["seconds"],
        offered=count / said["seconds"],
        cpu={"boto3": said["cpu_seconds"]},
        accepts=sorted(said["latencies"]),
        others=used.others,
    )


async def _bare_process(endpoint: str, rate: Rate, run: str, count: int) -> dict[str, Any]:
    pace = [] if rate.per_second is None else ["--per-second", str(rate.per_second)]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.curve.paced_bare", "--endpoint", endpoint, "--run", run,
        "--messages", str(count), "--threads", str(rate.bare_threads), *pace,
        stdout=subprocess.PIPE, cwd=_ROOT,
    )  # fmt: skip
    out, _ = await process.communicate()
    if process.returncode != 0:
        raise Failed("the bare boto3 process failed")
    return json.loads(out)
