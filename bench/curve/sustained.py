"""A sustained run: mail at one rate for minutes on end. How much of two cores it took without the load generator and the local
SES, and whether memory and tables stay flat.

The load generator and the local SES need a part of this machine's cores. So two things are said: the rate that was really handed
in and carried here, and the rate that two cores carry if they have nothing else to do: two CPU seconds a second, divided by the
CPU of a mail of this run.
"""

import asyncio
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import asyncpg

from bench import mail, send, system
from bench.checkout import this
from bench.curve import phases
from bench.curve.goals import SUSTAINED, SUSTAINED_AIM
from bench.curve.meter import Meter, resident
from bench.curve.paced_load import Done, Order
from bench.curve.plan import CONNECTIONS, FLOOD, UNANSWERED, Options
from bench.curve.record import quantile
from bench.system import Failed, System

CORES = 2
_WINDOWS = 10  #: that a run is looked at
_FLAT = 1.1  #: size at the end, divided by the earlier one, up to which it is flat
_SLACK = 1.0  #: megabytes that it may have more
_QUEUES = ("ready", "waiting", "urgent_content")  #: tables that hold mail only until it is sent
_SEEN = 0.1  #: bytes a mail below which a table is not said
_STUCK = 60.0  #: seconds without a further outcome after which the run has failed

#: Partitions count for their table.
_SIZES = """
select coalesce(root.relname, c.relname)::text as name, sum(pg_total_relation_size(c.oid))::float8 as bytes
  from pg_class c left join pg_class root on root.oid = pg_partition_root(c.oid)
 where c.relkind = 'r' and c.relnamespace = 'mailcordon'::regnamespace group by 1
"""


@dataclass(frozen=True, slots=True)
class Look:
    """What one window ended with."""

    at: float  #: seconds since the start
    sent: int  #: mails that SES has
    cpu: float  #: CPU seconds of the system so far
    memory: Mapping[str, float]  #: megabytes by role
    tables: Mapping[str, float]  #: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    rate: int
    mails: int
    handed_in: float  #: mails a second, until the last 202
    carried: float  #: mails a second, from the first to the last recorded outcome
    seconds: float
    cpu: float  #: CPU seconds of the system
    load: float  #: CPU seconds of the load generator
    ses: float  #: of the local SES
    others: float  #: share of the machine
    refused: int  #: answers that said "not now"
    accepts: Sequence[float] = field(repr=False)  #: seconds, sorted
    looks: Sequence[Look]
    here: str
    engine: str

    @property
    def each(self) -> float:
        """CPU microseconds a mail."""
        return self.cpu / self.mails * 1e6

    @property
    def two_cores(self) -> float:
        """Mails a second that two cores carry, by CPU."""
        return CORES * 1e6 / self.each

    def growth(self) -> dict[str, float]:
        """Bytes a mail by which each table grew in the second half."""
        half, last = self.looks[len(self.looks) // 2], self.looks[-1]
        mails = max(1, last.sent - half.sent)
        return {
            name: (size - half.tables.get(name, 0.0)) / mails for name, size in sorted(last.tables.items())
        }

    def memory(self) -> dict[str, tuple[float, float]]:
        """Megabytes of each role after the first fifth of the run and at its end."""
        early, last = self.looks[len(self.looks) // 5], self.looks[-1]
        return {name: (early.memory.get(name, 0.0), size) for name, size in sorted(last.memory.items())}

    def queues(self) -> dict[str, tuple[float, float]]:
        """Megabytes of each table of the queue: the most in the first half of the run, and at its end."""
        first = self.looks[: len(self.looks) // 2 + 1]
        return {
            name: (
                max(look.tables.get(name, 0.0) for look in first) / 1e6,
                self.looks[-1].tables.get(name, 0.0) / 1e6,
            )
            for name in _QUEUES
        }

    @property
    def flat(self) -> bool:
        sizes = [*self.memory().values(), *self.queues().values()]
        return all(end <= _FLAT * early + _SLACK for early, end in sizes)


def table(result: Result) -> str:
    lines = [
        "",
        f"{result.mails:,} mails: {result.handed_in:,.0f} a second handed in of {result.rate:,} offered, "
        f"{result.carried:,.0f} a second until their outcomes were recorded, in {result.seconds:.0f} s.",
        f"CPU of the system: {result.each:.0f} us a mail, {result.cpu / result.seconds:.2f} cores. Not counted: load generator "
        f"{result.load / result.mails * 1e6:.0f} us and local SES {result.ses / result.mails * 1e6:.0f} us a mail.",
        f"Two cores that do nothing else carry {result.two_cores:,.0f} a second by this run's CPU a mail "
        f"(goal {SUSTAINED:,}: {'held' if result.two_cores >= SUSTAINED else 'NOT HELD'}; aim {SUSTAINED_AIM:,}: "
        f"{'held' if result.two_cores >= SUSTAINED_AIM else 'NOT HELD'}).",
        f"202: {quantile(result.accepts, 0.5) * 1000:.1f} ms in the median, "
        f"{quantile(result.accepts, 0.99) * 1000:.1f} ms at p99, from when the mail was due. "
        f"{result.refused:,} answers said that there is no room now; their mails were tried again.",
        "",
        f"{'seconds':>8}{'at SES':>12}{'cores':>8}"
        + "".join(f"{name + ' MB':>14}" for name in sorted(result.looks[-1].memory)),
    ]
    for before, look in zip(result.looks, result.looks[1:], strict=False):
        cores = (look.cpu - before.cpu) / (look.at - before.at)
        lines.append(
            f"{look.at:>8.0f}{look.sent:>12,}{cores:>8.2f}"
            + "".join(f"{size:>14.0f}" for _, size in sorted(look.memory.items()))
        )
    lines += [
        "",
        "Bytes a mail by which tables grew in the second half:",
    ]
    lines += [
        f"  {name:28}{grown:>10.1f}"
        for name, grown in result.growth().items()
        if abs(grown) >= _SEEN and name not in _QUEUES
    ]
    lines += ["Megabytes of tables of the queue, the most in the first half and at the end:"]
    lines += [f"  {name:28}{most:>10.1f}{end:>10.1f}" for name, (most, end) in result.queues().items()]
    lines += [
        f"Memory of the roles and tables of the queue are {'flat' if result.flat else 'NOT flat'}.",
        "",
        f"here: {result.here}",
        result.engine,
        f"Others used {result.others:.0%} of this machine's CPU meanwhile.",
    ]
    return "\n".join(lines)


def json_line(result: Result) -> str:
    return json.dumps(
        {
            "rate": result.rate,
            "mails": result.mails,
            "handed_in": round(result.handed_in, 1),
            "carried": round(result.carried, 1),
            "refused": result.refused,
            "us": round(result.each, 1),
            "two_cores_carry": round(result.two_cores, 1),
            "memory_megabytes": result.memory(),
            "bytes_a_mail": {
                name: round(grown, 2) for name, grown in result.growth().items() if abs(grown) >= _SEEN
            },
            "queue_megabytes": result.queues(),
            "flat": result.flat,
            "others_share_of_cpu": round(result.others, 3),
        }
    )


async def measured(options: Options, say: Callable[[str], None]) -> Result:
    assert options.sustain is not None
    here, rate = this(), options.sustain
    count = round(rate * options.minutes * 60)
    async with system.running(say, here) as under_test:
        say("warming up")
        await phases.governed("here", under_test, [], FLOOD, "warm", 1000)
        newest, last, total = (
            await under_test.ses.newest(),
            await under_test.newest_id(),
            await under_test.ses.total(),
        )
        host, port = under_test.address
        order = Order(host=host, port=port, key=under_test.key, streams=under_test.streams, run="s", count=count,
                      per_second=rate, connections=CONNECTIONS, unanswered=UNANSWERED, ahead=False,
                      seconds=options.minutes * 60)  # fmt: skip
        async with phases.loading(order) as load:
            meter, ses, began = await Meter.start(under_test, []), under_test.ses.cpu(), time.perf_counter()
            looks = [await _look(under_test, began, total)]
            running = asyncio.create_task(load.run())
            done = await _watched(
                under_test, running, looks, options.minutes * 60 / _WINDOWS, began, total, say
            )
            count = done.handed_in
            await _all_recorded(under_test, last, count)
            used = await meter.read(done.cpu_seconds)
            ses = under_test.ses.cpu() - ses
            looks.append(await _look(under_test, began, total))
        if done.queued != count:
            raise Failed("not every mail was queued")
        say("comparing with SES's ledger")
        send.check_ledger(mail.recipients("s", count), await under_test.ses.recipients_after(newest))
        return Result(
            rate=rate,
            mails=count,
            handed_in=count / done.seconds,
            carried=count / used.seconds,
            seconds=used.seconds,
            cpu=sum(used.cpu.values()),
            load=done.cpu_seconds,
            ses=ses,
            others=used.others,
            refused=done.refused,
            accepts=sorted(done.latencies),
            looks=looks,
            here=f"{here.name}; {here.interpreter()}",
            engine=under_test.engine,
        )


async def _watched(
    under_test: System,
    running: asyncio.Task[Done],
    looks: list[Look],
    window: float,
    began: float,
    total: int,
    say: Callable[[str], None],
) -> Done:
    while True:
        await asyncio.wait([running], timeout=window)
        if running.done():
            return running.result()
        looks.append(await _look(under_test, began, total))
        say(f"{looks[-1].at:.0f} s: {looks[-1].sent:,} mails are at SES")


async def _look(under_test: System, began: float, total: int) -> Look:
    return Look(
        at=time.perf_counter() - began,
        sent=await under_test.ses.total() - total,
        cpu=sum(under_test.tree.sample().seconds.values()),
        memory=resident(under_test),
        tables=await _sizes(under_test.session),
    )


async def _sizes(session: asyncpg.Connection) -> dict[str, float]:
    return {row["name"]: row["bytes"] for row in await session.fetch(_SIZES)}


async def _all_recorded(under_test: System, last: int, count: int) -> None:
    """As long as it goes on."""
    best, since = -1, time.monotonic()
    while (found := min(await under_test.count_outcomes(last), await under_test.count_ledger(last))) < count:
        if found > best:
            best, since = found, time.monotonic()
        elif time.monotonic() - since > _STUCK:
            raise Failed(f"{found} of {count} outcomes are recorded, and for {_STUCK:.0f} s no more came")
        await asyncio.sleep(1.0)
    await asyncio.sleep(phases.AFTERWARDS)
