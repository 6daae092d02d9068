"""`./dev bench events`: what an event costs from SES's queue to PostgreSQL, how many a second are counted, and how long a bounce
takes from the queue to its suppression.

Each round measures two phases of a real system with mail in its ledger. Full queue: all documents are on the queue before the
observer runs. Paced: they are put on it at a steady rate. CPU is that of all our processes and PostgreSQL's; the local SES, which
serves the queue, is shown apart. No figure is given unless cohorts, outcomes, suppressions and quarantine afterwards are
exactly those of the documents.

With `--against PATH` this checkout and another one are measured in turns, in one run and with this checkout's local SES for both.
"""

import argparse
import contextlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import asyncpg

from bench import checkout, command, cpu, event_queue, event_stream, load, mail, system
from bench.event_queue import EventQueue
from bench.event_stream import Cell, Lane, Stream
from bench.system import Failed, System
from mailcordon.adapters.db.installation import load_installation
from mailcordon.core import ids
from mailcordon.core.installation import Installation

ROLES = ("observe", "postgres", "control")
_BUSY = 0.1  #: share of the machine beyond which the work of others blurs the figures


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    events: int  #: a phase
    rate: float  #: events a second of the paced phase
    rounds: int
    against: Path | None
    json: bool


def parse(argv: list[str]) -> Options:
    parser = argparse.ArgumentParser(prog="./dev bench events", description=__doc__)
    add = parser.add_argument
    add("--events", type=_count, default=100_000, help="documents in each phase (default %(default)s)")
    add(
        "--rate",
        type=_count,
        default=10_000,
        help="documents a second of the paced phase (default %(default)s)",
    )
    add("--rounds", type=_count, default=3, help="times that all is measured in turn (default %(default)s)")
    add(
        "--against",
        type=Path,
        metavar="PATH",
        help="another checkout to compare this one with; it is set up by its ./dev",
    )
    add("--json", action="store_true", help="end with one line of JSON")
    given = parser.parse_args(argv)
    return Options(
        events=given.events, rate=given.rate, rounds=given.rounds, against=given.against, json=given.json
    )


def _count(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1")
    return int(text)


def main(argv: list[str]) -> int:
    options = parse(argv)
    return command.run(_measured(options), json=options.json)


def _say(sentence: str) -> None:
    print(f"bench: {sentence}", file=sys.stderr, flush=True)


# What is measured -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    events: int  #: documents, copies among them
    wall: float  #: seconds until the queue was empty
    cpu: Mapping[str, float]  #: CPU seconds by part, until all was counted
    queue: float  #: CPU seconds of the local SES
    others: float  #: share of the machine's CPU that processes of others used
    delays: Sequence[float] = ()  #: seconds from the queue to the committed suppression, sorted

    @property
    def rate(self) -> float:
        return self.events / self.wall

    @property
    def each(self) -> float:
        """CPU microseconds per event."""
        return sum(self.of(role) for role in ROLES)

    def of(self, role: str) -> float:
        return sum(s for name, s in self.cpu.items() if name.partition(":")[0] == role) / self.events * 1e6

    def quantile(self, share: float) -> float:
        return self.delays[min(len(self.delays) - 1, int(len(self.delays) * share))] if self.delays else 0.0


@dataclass(frozen=True, slots=True)
class Round:
    full: Phase
    paced: Phase


@dataclass(slots=True)
class Side:
    """One checkout's system, its queue, and what was measured of it."""

    checkout: checkout.Checkout
    home: Path
    queue: EventQueue
    system: System
    owner: asyncpg.Connection
    ours: Installation
    lanes: Sequence[Lane]
    has_cohorts: bool
    nodes: Iterator[int]
    rounds: list[Round]


async def _measured(options: Options) -> tuple[str, str]:
    """The report for people, and its line for machines."""
    async with contextlib.AsyncExitStack() as stack:
        sides = [await stack.enter_async_context(_side(checkout.this()))]
        if options.against is not None:
            sides.append(await stack.enter_async_context(_side(checkout.at(options.against))))
        for side in sides:
            _say(f"warming up {side.checkout.name}")
            await _full(side, min(5000, options.events), "warm")
            await side.system.name_backends()
        for number in range(1, options.rounds + 1):
            _say(f"round {number} of {options.rounds}")
            for side in sides if number % 2 else reversed(sides):
                full = await _full(side, options.events, f"r{number}f")
                side.rounds.append(Round(full, await _paced(side, options, f"r{number}p")))
        return table(sides, options), json_line(sides)


@contextlib.asynccontextmanager
async def _side(of: checkout.Checkout) -> AsyncIterator[Side]:
    with system.temporary_home() as home, event_queue.started(home) as queue:
        _say(f"starting the system of {of.name}, and a local SES for it in a separate process")
        async with system.beside(of, home, queue.ses, commit_times=True) as under_test:
            dsn = system.superuser(under_test.logins, under_test.processes["postgres"])
            owner = await asyncpg.connect(dsn, server_settings={"search_path": "mailcordon"})
            try:
                under_test.tree.uncounted.add(await owner.fetchval("select pg_backend_pid()"))
                ours = await load_installation(owner, [(home / "secret-keys").read_text().strip()])
                assert ours is not None
                yield Side(
                    checkout=of,
                    home=home,
                    queue=queue,
                    system=under_test,
                    owner=owner,
                    ours=ours,
                    lanes=await _lanes(under_test, queue, owner),
                    has_cohorts=await owner.fetchval("select to_regclass('metric_minute') is null"),
                    nodes=iter(event_stream.NODES),
                    rounds=[],
                )
            finally:
                await owner.close()


async def _lanes(under_test: System, queue: EventQueue, owner: asyncpg.Connection) -> list[Lane]:
    """Sends one real mail on each lane, and keeps what SES reports of it as a sample."""
    host, port = under_test.address
    streams = under_test.streams
    addresses = [f"sample-{n}@inbox.example" for n in range(len(streams))]
    asked = [
        mail.request(stream, to, under_test.key, f"{host}:{port}")
        for stream, to in zip(streams, addresses, strict=True)
    ]
    with under_test.stopped("observe"):
        await load.run(host, port, asked, 4, system.PATIENCE)
        await system.until(
            queue.left,
            lambda left: left >= 2 * len(streams),
            "the events of a mail on each lane have to come",
        )
        documents = await queue.peek()
    await system.until(queue.left, lambda left: not left, "the event queue has to be empty")
    samples = dict(filter(None, map(_sample, documents)))
    rows = await owner.fetch(
        "select m.recipients[1] as to, m.lane, m.tenant, m.path, t.key, y.name as type from message m"
        " join lane l on l.id = m.lane join tenant t on t.id = m.tenant join message_type y on y.id = l.type"
        " where m.recipients[1] = any ($1::text[])",
        addresses,
    )
    return [
        Lane(row["lane"], row["tenant"], row["key"], row["type"], row["path"], *samples[row["to"]])
        for row in rows
    ]


def _sample(document: str) -> tuple[str, tuple[Any, Any]] | None:
    """Address -> the member `mail`, and the envelope. None for a topic's test message, which is no event."""
    event = json.loads(document)
    envelope = event if "Message" in event else None
    if envelope is not None:
        if not envelope["Message"].startswith("{"):
            return None
        event = json.loads(envelope["Message"])
    return event["mail"]["destination"][0], (event["mail"], envelope)


async def _full(side: Side, events: int, run: str) -> Phase:
    """All documents are on the queue before the observer goes on."""
    stream, before = await _prepare(side, events, run)
    with side.system.stopped("observe"):
        await side.queue.fill()
        meter = _Meter(side)
    wall = await _until_read(side, meter.began)
    await _until_folded(side)
    read = meter.read(len(stream.documents), wall)
    await _check(side, stream, before)
    return read


async def _paced(side: Side, options: Options, run: str) -> Phase:
    stream, before = await _prepare(side, options.events, run)
    meter = _Meter(side)
    puts = await side.queue.pace(options.rate)
    wall = await _until_read(side, meter.began)
    await _until_folded(side)
    delays = await _delays(side, stream, puts)
    read = meter.read(len(stream.documents), wall, delays)
    await _check(side, stream, before)
    return read


async def _prepare(side: Side, events: int, run: str) -> tuple[Stream, dict[Cell, Counter[str]]]:
    """Writes the mail into the ledger, and hands the documents to the process of the queue."""
    now: int = await side.owner.fetchval("select now_ms()")
    stream = event_stream.make(side.lanes, side.ours, events, run=run, node=next(side.nodes), now=now)
    file = side.home / "documents"
    file.write_text("\n".join(stream.documents) + "\n")
    await side.queue.load(file)
    await _until_folded(side)  # the mail of the samples
    before = await _counts(side, stream)
    async with side.owner.transaction():
        await _copy(side.owner, "message", event_stream.MESSAGE, stream.messages)
        await _copy(side.owner, "recipient", event_stream.RECIPIENT, stream.recipients)
        await _copy(side.owner, "ledger", event_stream.LEDGER, stream.ledger)
        if side.has_cohorts:
            await _hand_over(side, stream)
    for relation in ("message", "recipient", "ledger"):
        await side.owner.execute(f"analyze {relation}")
    await side.owner.execute("checkpoint")
    await _until_folded(side)
    return stream, before


async def _copy(
    owner: asyncpg.Connection, relation: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    await owner.copy_records_to_table(relation, schema_name="mailcordon", columns=columns, records=rows)


async def _hand_over(side: Side, stream: Stream) -> None:
    """What dispatch counts when SES has accepted a mail."""
    tenants = {lane.id: lane.tenant for lane in side.lanes}
    width = await side.owner.fetchval(
        "select count(*) from pg_attribute where attrelid = 'cohort_minute'::regclass and attnum > 3"
    )
    await _copy(
        side.owner,
        "cohort_change",
        ("tenant", "lane", "minute", "path", "provider", "counts"),
        [
            (tenants[lane], lane, minute, stream.paths[lane], provider, [counts["sent"], *[0] * (width - 1)])
            for (lane, provider, minute), counts in stream.counts.items()
        ],
    )


async def _until_read(side: Side, began: float) -> float:
    """Returns the seconds until the queue was empty."""
    await system.until(side.queue.left, lambda left: not left, "the event queue has to be empty", pause=0.05)
    return time.perf_counter() - began


async def _until_folded(side: Side) -> None:
    if side.has_cohorts:
        batches = await side.owner.fetchval("select to_regclass('mailcordon.pending_change') is not null")
        changes = "pending_change" if batches else "cohort_change"  # an older checkout has no batches
        await system.until(
            lambda: side.owner.fetchval(f"select count(*) from (select from {changes} limit 1) x"),
            lambda found: not found,
            "all changes have to be folded",
            pause=0.05,
        )


class _Meter:
    """CPU of a phase, and of the rest of this machine during it."""

    def __init__(self, side: Side) -> None:
        self._side = side
        self._machine, self._queue = cpu.machine(), side.queue.ses.cpu()
        self._own = time.process_time()
        self._tree, self.began = side.system.tree.sample(), time.perf_counter()

    def read(self, events: int, wall: float, delays: Sequence[float] = ()) -> Phase:
        tree = self._side.system.tree
        parts = tree.sample().since(self._tree)
        if gone := tree.missing():
            raise Failed(f"{', '.join(gone)} died meanwhile")
        queue = self._side.queue.ses.cpu() - self._queue
        known = sum(parts.values()) + queue + time.process_time() - self._own
        took = time.perf_counter() - self.began
        others = max(0.0, cpu.machine() - self._machine - known) / took / (os.cpu_count() or 1)
        return Phase(events=events, wall=wall, cpu=parts, queue=queue, others=others, delays=delays)


async def _delays(side: Side, stream: Stream, puts: Sequence[tuple[int, float]]) -> list[float]:
    """From the time before the first document that suppresses an address was put on the queue to the commit of its row."""
    rows = await side.owner.fetch(
        "select address, extract(epoch from pg_xact_commit_timestamp(xmin))::float8 as at from suppression"
        " where address = any ($1::text[])",
        list(stream.suppressing),
    )
    committed = {row["address"]: row["at"] for row in rows}
    ordered = sorted(stream.suppressing.items(), key=lambda one: one[1])
    at = 0
    delays: list[float] = []
    for to, place in ordered:
        while at + 1 < len(puts) and puts[at + 1][0] <= place:
            at += 1
        if to in committed:
            delays.append(committed[to] - puts[at][1])
    return sorted(delays)


# What has to be there afterwards ----------------------------------------------------------------------------------------


async def _counts(side: Side, stream: Stream) -> dict[Cell, Counter[str]]:
    columns = ["sent", *event_stream.COUNTED.values()]
    if side.has_cohorts:
        columns.append("send_events")
    sums = ", ".join(f"coalesce(sum({column}), 0)::int as {column}" for column in columns)
    source = "cohort_minute c join slice s on s.id = c.slice" if side.has_cohorts else "metric_minute"
    minutes = [minute for _, _, minute in stream.counts]
    rows = await side.owner.fetch(
        f"select lane, provider, minute, {sums} from {source} where minute between $1 and $2 group by 1, 2, 3",
        min(minutes),
        max(minutes),
    )
    return {
        (row["lane"], row["provider"], row["minute"]): Counter({name: row[name] for name in columns})
        for row in rows
    }


async def _check(side: Side, stream: Stream, before: Mapping[Cell, Counter[str]]) -> None:
    """Raises Failed unless each event was counted exactly once."""
    after = await _counts(side, stream)
    for cell, expected in stream.counts.items():
        found = Counter(after.get(cell, Counter()))
        found.subtract(before.get(cell, Counter()))
        if side.has_cohorts:
            expected = expected + Counter(send_events=expected["sent"])
        if +found != +expected:
            raise Failed(f"of the mail of {cell}, {dict(+found)} is counted where {dict(expected)} has to be")
    first, last = min(stream.outcomes), max(stream.outcomes)
    rows = await side.owner.fetch(
        "select id, state, kinds from outcome where id between $1 and $2", first, last
    )
    outcomes = {row["id"]: (row["state"], row["kinds"]) for row in rows}
    wrong = [id for id, expected in stream.outcomes.items() if outcomes.get(id) != expected]
    if wrong:
        raise Failed(
            f"{len(wrong)} outcomes are not what SES reported, such as that of {ids.delivery_id(wrong[0])}"
        )
    suppressed = await side.owner.fetchval(
        "select count(*) from suppression where address = any ($1::text[])", list(stream.suppressing)
    )
    quarantined = await side.owner.fetchval("select count(*) from quarantine")
    if (suppressed, quarantined) != (len(stream.suppressing), 0):
        raise Failed(
            f"{suppressed} addresses are suppressed where {len(stream.suppressing)} have to be; "
            f"{quarantined} documents are in quarantine"
        )


# Reports ----------------------------------------------------------------------------------------------------------------


def _figures(side: Side) -> dict[str, float]:
    """Medians of the rounds."""

    def of(value: Callable[[Round], float]) -> float:
        return median(map(value, side.rounds))

    return {
        "events/s, full queue": of(lambda one: one.full.rate),
        "CPU us per event, full queue": of(lambda one: one.full.each),
        **{f"  {role}": of(lambda one, role=role: one.full.of(role)) for role in ROLES},
        "  beside: the local SES, as the queue": of(lambda one: one.full.queue / one.full.events * 1e6),
        "events/s, paced": of(lambda one: one.paced.rate),
        "CPU us per event, paced": of(lambda one: one.paced.each),
        **{f"  {role}, paced": of(lambda one, role=role: one.paced.of(role)) for role in ROLES},
        "ms from queue to suppression, p50": of(lambda one: one.paced.quantile(0.5) * 1000),
        "ms from queue to suppression, p99": of(lambda one: one.paced.quantile(0.99) * 1000),
    }


def table(sides: Sequence[Side], options: Options) -> str:
    figures = [_figures(side) for side in sides]
    heads = ["here", "there"][: len(sides)]
    lines = [
        "",
        f"{'':40}" + "".join(f"{head:>12}" for head in heads) + ("       ratio" if len(sides) > 1 else ""),
    ]
    for name in figures[0]:
        values = [each[name] for each in figures]
        ratio = f"{values[0] / values[1]:>12.3f}" if len(values) > 1 and values[1] else ""
        lines.append(f"{name:40}" + "".join(f"{value:>12,.1f}" for value in values) + ratio)
    others = [phase.others for side in sides for one in side.rounds for phase in (one.full, one.paced)]
    lines.append("")
    for head, side in zip(heads, sides, strict=True):
        lines.append(f"{head}: {side.checkout.name}; {side.checkout.interpreter()}")
    lines += [
        sides[0].system.engine + ", track_commit_timestamp on",
        f"{options.events:,} documents a phase, paced at {options.rate:,.0f} a second, {len(sides[0].lanes)} lanes, "
        f"{len(sides[0].rounds)} rounds; medians. Every event was counted exactly once.",
    ]
    if max(others) > _BUSY:
        lines.append(
            f"Other processes used up to {max(others):.0%} of this machine: rates and delays are for orientation only."
        )
    return "\n".join(lines)


def json_line(sides: Sequence[Side]) -> str:
    def document(side: Side) -> dict[str, object]:
        rounds = side.rounds
        return {
            "events_per_second": round(median(one.full.rate for one in rounds)),
            "us_per_event": round(median(one.full.each for one in rounds), 1),
            "us_per_event_by_role": {
                role: round(median(one.full.of(role) for one in rounds), 1) for role in ROLES
            },
            "us_per_event_of_the_queue": round(
                median(one.full.queue / one.full.events * 1e6 for one in rounds), 1
            ),
            "paced": {
                "events_per_second": round(median(one.paced.rate for one in rounds)),
                "us_per_event": round(median(one.paced.each for one in rounds), 1),
                "p50_ms": round(median(one.paced.quantile(0.5) for one in rounds) * 1000),
                "p99_ms": round(median(one.paced.quantile(0.99) for one in rounds) * 1000),
            },
        }

    phases = [phase for side in sides for one in side.rounds for phase in (one.full, one.paced)]
    line = {**document(sides[0]), "others_share_of_cpu": round(max(phase.others for phase in phases), 3)}
    if len(sides) > 1:
        line["there"] = document(sides[1])
    return json.dumps(line)
