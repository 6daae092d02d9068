"""`./dev bench split`: takes the suppression list of an account apart, by a process of its own against the local SES in this one.

It has a PostgreSQL of its own. Entries are spread over tenants; of some nothing says whose they are. Measured are the calls,
the time, the forecast against it, and the memory of the process that does the work, which must not grow with the list.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

from bench import command
from bench.system import PATIENCE, Failed, temporary_home
from mailcordon import config as configs
from mailcordon.adapters.db import engine, migrate
from mailcordon.adapters.db.embedded import EmbeddedPostgres
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.provision_store import ProvisionStore
from mailcordon.adapters.db.split_store import SplitStore
from mailcordon.adapters.ses.administer import Administer
from mailcordon.app import wiring
from mailcordon.control.call_budget import CallBudget, Rates
from mailcordon.control.governor import Governor
from mailcordon.control.reconcile import Pace, Reconciler
from mailcordon.control.steps import Step, StepKind, add_tenant
from mailcordon.control.suppression_split.nouns import Phase, State
from mailcordon.control.suppression_split.splits import Splits, Status
from mailcordon.control.suppression_split.worker import Splitter
from seslocal import server
from seslocal.state.settings import Settings
from seslocal.state.suppression import SuppressedDestination

TENANTS = 20
NOBODYS = 4  #: one entry of so many is nobody's


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    entries: int
    rate: float | None  #: calls a second that were allowed
    listing_seconds: float
    listing_calls: int
    listed_mb: float  #: most memory of the process once all was listed
    forecast_calls: int  #: once all was listed
    forecast_seconds: float | None
    read: int  #: entries that were settled
    seconds: float  #: after the listing
    calls: int
    most_mb: float  #: of the process in the end
    over: bool  #: the whole list was taken apart and compared
    at_one_a_second: float  #: forecast of the whole list at one call a second


def _quiet(_: str) -> None: ...


def hash_of(text: str) -> bytes | None:
    return hashlib.md5(text.lower().encode()).digest() if "@" in text else None


async def measure(entries: int, rate: float | None, seconds: float) -> Result:
    async with contextlib.AsyncExitStack() as stack:
        home = stack.enter_context(temporary_home())
        postgres = EmbeddedPostgres(home, say=_quiet)
        await postgres.start()
        stack.push_async_callback(postgres.stop)
        dsn = postgres.dsn("mailcordon")
        dsns = (await migrate.migrate(dsn, home=home, own_cluster=True, say=_quiet)).dsns
        local = server.Local(Settings(), server.Clock())
        await local.listen("127.0.0.1", 0)
        stack.push_async_callback(local.close)
        owner = await engine.connect(dsn)
        stack.push_async_callback(owner.close)
        pool = await engine.create_pool(dsns["control"], answer_seconds=PATIENCE, statement_seconds=PATIENCE)
        stack.push_async_callback(pool.close)
        governors = await engine.create_pool(dsns["governor"])
        stack.push_async_callback(governors.close)
        named = {
            "MAILCORDON_HOME": str(home),
            "MAILCORDON_SES_ENDPOINT": local.url,
            **{configs.login_setting(login): dsns[login] for login in ("control", "governor")},
        }
        config = configs.read(named, "control")
        await _tenants(config, pool, Governor(GovernorStore(governors)), local.url)
        await _fill(owner, local, entries)
        rows = SplitStore(pool)
        splits = Splits(rows, calls_per_second=rate)
        await splits.start(owner="bench", because="bench", releases=True, actor="bench")
        worker = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.suppression_split", "--worker"),
            *(local.url, dsns["control"], str(rate or 0), str(seconds)),
            stdout=asyncio.subprocess.PIPE,
        )
        assert worker.stdout is not None
        listed = json.loads(await worker.stdout.readline())
        ahead = await splits.status()
        last = json.loads(await worker.stdout.readline())
        if await worker.wait():
            raise Failed("the process that takes the list apart has failed")
        after = await splits.status()
        return _result(entries, rate, listed, ahead, last, after)


def _result(entries: int, rate: float | None, listed: Any, ahead: Status, last: Any, after: Status) -> Result:
    states = after.counts.states
    return Result(
        entries=entries,
        rate=rate,
        listing_seconds=listed["seconds"],
        listing_calls=listed["calls"],
        listed_mb=listed["mb"],
        forecast_calls=ahead.forecast.calls,
        forecast_seconds=None if rate is None else ahead.forecast.calls / rate,
        read=sum(states.get(state, 0) for state in (State.ASSIGNED, State.UNOWNED)),
        seconds=last["seconds"],
        calls=last["calls"],
        most_mb=last["mb"],
        over=after.run.phase is Phase.WATCHING,
        at_one_a_second=float(ahead.forecast.calls),
    )


async def _tenants(config: configs.Config, pool: engine.Pool, governor: Governor, url: str) -> None:
    plans = wiring.plans(config, pool, governor)
    await plans.want_everything(wiring.settings(config))
    asked: list[Step] = []
    for number in range(TENANTS):
        asked.append(add_tenant(f"t{number}"))
        asked.append(
            Step(kind=StepKind.ADD_LANE, tenant=f"t{number}", type="newsletter", to=f"mail.t{number}.example")
        )
    made = await plans.make(asked, actor="bench")
    assert made.id is not None
    await plans.apply(made.id, actor="bench")
    ses = Administer(region="us-east-1", endpoint=url, access_key="test", secret_key="test")
    reconciler = Reconciler(ProvisionStore(pool), ses, governor, Pace(retry=0.05, identity=0.0))
    while await reconciler.step():
        pass
    ses.close()


async def _fill(owner: engine.Connection, local: server.Local, entries: int) -> None:
    """A mail of yesterday to each address, and SES's entry for it; of one in NOBODYS we have no mail."""
    await owner.execute(
        "create table bench_mail as select first_id_at(now_ms() - 86400000) + 64 * n as id, n, l.tenant, l.id as lane,"
        " format('user%s@example.com', n) as address from generate_series(1, $1::int) n"
        " join (select row_number() over (order by id) as place, id, tenant from lane) l on l.place = 1 + n % $2::int"
        " where n % $3::int > 0",
        entries,
        TENANTS,
        NOBODYS,
    )
    await owner.execute(
        "insert into message (id, tenant, lane, path, from_address, recipients, bytes, api_key)"
        " select id, tenant, lane, 'isolated', 'a@b.example', array[address], 1, 1 from bench_mail"
    )
    await owner.execute(
        "insert into recipient (tenant, hash, id) select tenant, decode(md5(address), 'hex'), id + 1 from bench_mail"
    )
    await owner.execute(
        "insert into ledger (id, tenant, lane, state, attempt, provider, ses_id, called_at, at)"
        " select id + 1, tenant, lane, 20, 1, 0, 'm-' || n, now_ms() - 86400000, now_ms() - 86400000 from bench_mail"
    )
    await owner.execute("drop table bench_mail")
    await owner.execute("analyze")
    now = local.account.clock.now()
    for n in range(1, entries + 1):
        local.account.suppression.list.put(
            SuppressedDestination(f"user{n}@example.com", "BOUNCE", now - 86_400 + n / entries, f"m-{n}", "f")
        )


# The process that does the work -------------------------------------------------------------------------------------------


async def _work(url: str, dsn: str, rate: float, seconds: float) -> None:
    pool = await engine.create_pool(dsn, answer_seconds=PATIENCE, statement_seconds=PATIENCE)
    budget = CallBudget(Rates(per_second=rate or None))
    ses = Administer(region="us-east-1", endpoint=url, access_key="test", secret_key="test", budget=budget)
    store = SplitStore(pool)
    splitter = Splitter(store, ses, hash_of, watch_seconds=600, round_seconds=1.0)

    async def until(over: float, *phases: Phase) -> None:
        began, before = time.monotonic(), budget.turns.total.total()
        while time.monotonic() - began < over:
            await splitter.advance()
            run = await store.newest()
            assert run is not None
            if run.phase in phases:
                break
        mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        done = {"seconds": time.monotonic() - began, "calls": budget.turns.total.total() - before, "mb": mb}
        print(json.dumps(done), flush=True)

    await until(3600.0, Phase.READING)
    await until(seconds, Phase.WATCHING)
    ses.close()
    await pool.close()


def table(result: Result) -> str:
    lines = [
        "",
        f"{result.entries:,} entries, a quarter of them nobody's, {TENANTS} tenants:",
        f"  listed with {result.listing_calls:,} calls in {result.listing_seconds:.0f} s; "
        f"the process had at most {result.listed_mb:.0f} MB",
        f"  forecast then: {result.forecast_calls:,} calls, {result.at_one_a_second / 3600:.1f} h at one call a second",
        f"  {result.read:,} entries settled with {result.calls:,} calls in {result.seconds:.0f} s "
        f"({result.calls / max(result.seconds, 0.001):.1f} calls a second); at most {result.most_mb:.0f} MB",
    ]
    if result.over and result.forecast_seconds is not None:
        lines.append(
            f"  forecast {result.forecast_seconds:.0f} s and {result.forecast_calls:,} calls, "
            f"took {result.seconds:.0f} s and {result.calls:,} calls"
        )
    return "\n".join(lines)


async def _measured(options: argparse.Namespace) -> tuple[str, str]:
    result = await measure(options.entries, options.rate or None, options.seconds)
    return table(result), json.dumps(asdict(result))


def main(argv: list[str]) -> int:
    if argv[:1] == ["--worker"]:
        url, dsn, rate, seconds = argv[1:]
        asyncio.run(_work(url, dsn, float(rate), float(seconds)))
        return 0
    parser = argparse.ArgumentParser(prog="./dev bench split", description=__doc__)
    parser.add_argument("--entries", type=int, default=100_000, help="of the list (default %(default)s)")
    parser.add_argument("--rate", type=float, default=0.0, help="calls a second (default: no limit)")
    parser.add_argument(
        "--seconds", type=float, default=120.0, help="after the listing (default %(default)s)"
    )
    parser.add_argument("--json", action="store_true", help="print a line for machines too")
    options = parser.parse_args(argv)
    # PostgreSQL is started as its own user, which uvloop cannot do.
    return command.run(_measured(options), json=options.json, loop=asyncio.new_event_loop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
