"""`./dev bench search`: how long each kind of search takes among many messages.

It has a PostgreSQL of its own, which is filled by COPY (`search_rows.py`), and asks the API's own application without a network.
Ten million messages take about ten minutes and 12 GB; with --home the filled database is kept and used again.
"""

import argparse
import asyncio
import contextlib
import json
import random
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx

from bench import command, search_rows
from bench.search_rows import DAY_MS, Filled, Lane
from bench.system import Failed, temporary_home
from mailcordon.adapters.db import engine, migrate
from mailcordon.adapters.db.embedded import EmbeddedPostgres
from mailcordon.adapters.db.key_store import KeyStore
from mailcordon.adapters.db.message_reader import MessageReader
from mailcordon.adapters.db.message_search import MessageSearch
from mailcordon.adapters.http import search, server
from mailcordon.adapters.http.message_endpoint import MessageEndpoint
from mailcordon.control import keys
from mailcordon.control.key_cache import KeyCache
from mailcordon.core import ids
from mailcordon.door.buckets import Buckets, Rates

TARGET_MS = 300.0
_MARK = "filled.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    kind: str
    p50_ms: float
    p95_ms: float
    items: float  #: of a page, on average
    partial: int  #: pages that stopped early


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    messages: int
    days: int
    fill_seconds: float
    gigabytes: float
    lines: Sequence[Line]

    @property
    def misses(self) -> list[str]:
        return [line.kind for line in self.lines if line.p95_ms > TARGET_MS]


Query = Mapping[str, str]
Kinds = Mapping[str, tuple[str, Callable[[random.Random], Query]]]


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="./dev bench search", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000_000, help="(default %(default)s)")
    parser.add_argument(
        "--days", type=int, default=35, help="that they are spread over (default %(default)s)"
    )
    parser.add_argument("--tenants", type=int, default=1_000, help="(default %(default)s)")
    parser.add_argument("--queries", type=int, default=40, help="of each kind (default %(default)s)")
    parser.add_argument("--kind", action="append", help="measure only this kind; may be repeated")
    parser.add_argument(
        "--home", type=Path, help="keep the filled database in this directory, and use it if it is there"
    )
    parser.add_argument("--json", action="store_true", help="print a line for machines too")
    options = parser.parse_args(argv)
    return command.run(_measured(options), json=options.json, loop=asyncio.new_event_loop)


async def _measured(options: argparse.Namespace) -> tuple[str, str]:
    async with _database(options.home) as (home, postgres, dsns):
        owner = await engine.connect(postgres.dsn("mailcordon"), answer_seconds=3600)
        await owner.execute("set statement_timeout = 0")
        try:
            filled, seconds = await _filled(owner, home, options)
            size = await owner.fetchval("select pg_database_size(current_database())")
        finally:
            await owner.close()
        async with _api(dsns, filled) as (client, tokens):
            lines = [
                await _time(client, tokens, name, *kind, options.queries)
                for name, kind in kinds(filled).items()
                if not options.kind or name in options.kind
            ]
    result = Result(
        messages=filled.messages, days=filled.days, fill_seconds=seconds, gigabytes=size / 1e9, lines=lines
    )
    return table(result), json.dumps(asdict(result) | {"misses": result.misses})


@contextlib.asynccontextmanager
async def _database(kept: Path | None) -> AsyncIterator[tuple[Path, EmbeddedPostgres, Mapping[str, str]]]:
    with contextlib.ExitStack() as stack:
        home = kept or stack.enter_context(temporary_home())
        home.mkdir(parents=True, exist_ok=True)
        home.chmod(0o711)
        postgres = EmbeddedPostgres(home, say=lambda _: None)
        await postgres.start()
        try:
            migrated = await migrate.migrate(
                postgres.dsn("mailcordon"), home=home, say=lambda _: None, own_cluster=True
            )
            yield home, postgres, migrated.dsns
        finally:
            await postgres.stop()


async def _filled(owner: Any, home: Path, options: argparse.Namespace) -> tuple[Filled, float]:
    mark = home / _MARK
    if mark.exists():
        said = json.loads(mark.read_text())
        lanes = [Lane(*one) for one in said["filled"].pop("lanes")]
        return Filled(**said["filled"], lanes=lanes), said["seconds"]
    began = time.monotonic()
    last = int(time.time() * 1000) - 60_000
    lanes = await search_rows.add_lanes(owner, options.tenants)
    filled = Filled(
        messages=options.messages,
        days=options.days,
        first_ms=last - options.days * DAY_MS,
        last_ms=last,
        lanes=lanes,
    )
    await search_rows.fill(owner, filled, print)
    print("vacuuming, as autovacuum has done by then")
    for table_ in search_rows.COLUMNS:
        await owner.execute(f"vacuum (analyze) {table_}")
    seconds = time.monotonic() - began
    facts = asdict(filled) | {"lanes": [[one.tenant, one.slug, one.id, one.type] for one in lanes]}
    del facts["hash_key"]  # the usual one
    mark.write_text(json.dumps({"filled": facts, "seconds": seconds}))
    return filled, seconds


@contextlib.asynccontextmanager
async def _api(
    dsns: Mapping[str, str], filled: Filled
) -> AsyncIterator[tuple[httpx.AsyncClient, Mapping[str, str]]]:
    async with contextlib.AsyncExitStack() as stack:
        pools = {
            login: await stack.enter_async_context(await engine.create_pool(dsns[login]))
            for login in ("control", "reader")
        }
        key_store = KeyStore(pools["control"])
        made = keys.Keys(key_store)
        tokens = {
            "platform": (await made.create(tenant=None, name="bench", scopes=["read"], actor="bench"))[1],
            "acme": (await made.create(tenant="acme", name="bench", scopes=["read"], actor="bench"))[1],
            "small": (
                await made.create(
                    tenant=filled.lanes[-len(filled.lanes) // 10].slug,
                    name="bench",
                    scopes=["read"],
                    actor="bench",
                )
            )[1],
        }
        nothing: Any = None  # these routes are not asked
        read_as = (pools["control"], pools["reader"])
        cache, unlimited = KeyCache(key_store), Rates(reads=10_000)
        endpoint = MessageEndpoint(
            accept=nothing,
            keys=cache,
            reader=MessageReader(*read_as),
            canceller=nothing,
            hash_key=search_rows.HASH_KEY,
            buckets=Buckets(unlimited, unlimited, lambda limit: None),
        )

        async def health() -> server.Health:
            return server.Health(ok=True, database="ok", oldest_snapshot_seconds=None)

        services = search.SearchServices(
            search=MessageSearch(*read_as), hash_key=search_rows.HASH_KEY, region="us-east-1"
        )
        application: Any = server.build(endpoint, cache, search.routes(services), health, "0")
        client = httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://bench")
        yield await stack.enter_async_context(client), tokens


async def _time(
    client: httpx.AsyncClient,
    tokens: Mapping[str, str],
    name: str,
    who: str,
    query: Callable[[random.Random], Query],
    queries: int,
) -> Line:
    chance, took, items, partial = random.Random(name), list[float](), 0, 0
    for n in range(queries + 2):
        path = "/v1/messages?" + urlencode(query(chance))
        began = time.perf_counter()
        answer = await client.get(path, headers={"authorization": f"Bearer {tokens[who]}"})
        if n >= 2:  # the first ones open connections
            took.append((time.perf_counter() - began) * 1000)
        if answer.status_code != 200:
            raise Failed(f"{path} answered {answer.status_code}: {answer.text[:500]}")
        page = answer.json()
        items += len(page["items"])
        partial += page["stopped_early"] is not None
    took.sort()
    return Line(
        kind=name,
        p50_ms=round(took[len(took) // 2], 1),
        p95_ms=round(took[min(len(took) - 1, int(len(took) * 0.95))], 1),
        items=round(items / (queries + 2), 1),
        partial=partial,
    )


def kinds(filled: Filled) -> Kinds:
    """Each kind: whose key, and a query."""

    def some(chance: random.Random) -> int:
        return chance.randrange(max(1, filled.messages - 10_000))

    def day(chance: random.Random) -> Query:
        start = chance.randrange(max(1, filled.days - 1)) * DAY_MS + filled.first_ms
        return {"since": _iso(start), "until": _iso(start + DAY_MS)}

    def ses_id(chance: random.Random) -> str:
        n = some(chance)
        return search_rows.ses_id_of(filled.ms_of(n) + 55, n)

    def small(chance: random.Random) -> str:
        return chance.choice(filled.lanes[len(filled.lanes) // 3 :]).slug

    found: dict[str, tuple[str, Callable[[random.Random], Query]]] = {
        "newest": ("platform", lambda c: {}),
        "newest of a tenant": ("acme", lambda c: {}),
        "newest of a small tenant": ("small", lambda c: {}),
        "to": ("platform", lambda c: {"to": search_rows.address_of(some(c))}),
        "to, of a tenant": ("acme", lambda c: {"to": search_rows.address_of(some(c))}),
        "to, never mailed": ("platform", lambda c: {"to": f"persom{some(c)}@gmial.com"}),
        "to, never mailed by a tenant": (
            "acme",
            lambda c: {"to": f"person{c.randrange(3_000_000)}@exmaple.com"},
        ),
        "id": ("platform", lambda c: {"id": ids.message_id(filled.id_of(some(c)))}),
        "message-id": ("platform", lambda c: {"message_id": f"<{ses_id(c)}@email.amazonses.com>"}),
        "message-id, unknown": (
            "platform",
            lambda c: {"message_id": f"{ses_id(c)[:-12]}zz@email.amazonses.com"},
        ),
        "ses id, of a tenant": ("acme", lambda c: {"ses_id": ses_id(c)}),
        "campaign": ("platform", lambda c: {"campaign": f"week-{c.randrange(5)}"}),
        "campaign, of a small tenant": ("platform", lambda c: {"campaign": "week-1", "tenant": small(c)}),
        "campaign, rare": ("platform", lambda c: {"campaign": "welcome"}),
        "campaign, rare, of a tenant": ("acme", lambda c: {"campaign": "welcome"}),
        "campaign, unknown": ("platform", lambda c: {"campaign": "none"}),
        "campaign, complained": ("acme", lambda c: {"campaign": "week-2", "state": "complained"}),
        "list": ("platform", lambda c: {"list": "weekly"}),
        "list, rare": ("acme", lambda c: {"list": "founders"}),
        "tenant and type": ("platform", lambda c: {"tenant": small(c), "type": "receipt"}),
        "type": ("platform", lambda c: {"type": "password-reset"}),
        "a day": ("platform", day),
        "a day of a tenant": ("small", day),
        "reason suppressed": ("platform", lambda c: {"reason": "suppressed"}),
        "reason undeliverable-domain": ("acme", lambda c: {"reason": "undeliverable-domain"}),
        "reason mailbox_full": ("platform", lambda c: {"reason": "mailbox_full"}),
        "reason too_large": ("platform", lambda c: {"reason": "too_large"}),
        "reason Permanent/NoEmail": ("acme", lambda c: {"reason": "Permanent/NoEmail"}),
        "reason Transient/MessageTooLarge": ("platform", lambda c: {"reason": "Transient/MessageTooLarge"}),
    }
    states = (
        *(
            "queued",
            "held",
            "waiting",
            "unknown",
            "refused",
            "expired",
            "cancelled",
            "given-up",
            "rejected-at-call",
        ),
        *(
            "sent",
            "delayed",
            "soft-bounced",
            "delivered",
            "suppressed-at-ses",
            "rejected",
            "bounced",
            "complained",
        ),
        "no-outcome",
    )
    for state in states:
        found[f"state {state}"] = ("platform", lambda c, state=state: {"state": state})
        found[f"state {state}, of a tenant"] = ("acme", lambda c, state=state: {"state": state})
    found["state complained, of a small tenant"] = ("small", lambda c: {"state": "complained"})
    found["state delivered, a day of a small tenant"] = ("small", lambda c: {"state": "delivered", **day(c)})
    return found


def _iso(ms: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ms / 1000))


def table(result: Result) -> str:
    lines = [
        f"{result.messages:,} messages over {result.days} days, {result.gigabytes:.1f} GB, filled in {result.fill_seconds:.0f} s",
        "",
        "| kind | p50 ms | p95 ms | items | stopped early |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one.kind} | {one.p50_ms} | {one.p95_ms} | {one.items} | {one.partial or ''} |"
        for one in result.lines
    ]
    missed = ", ".join(result.misses)
    return "\n".join([*lines, "", f"p95 above {TARGET_MS:.0f} ms: {missed or 'none'}"])
