"""Mail of many tenants through a running system: accepted over its API, judged by the local SES's ledger and the database."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import asyncpg

from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon_fixtures import systems

MOST_RECIPIENTS = 50  #: of one message
CALLERS = 8  #: requests open at once
NEVER_SENT = frozenset(
    int(state)
    for state in (State.REFUSED, State.EXPIRED, State.CANCELLED, State.GIVEN_UP, State.REJECTED_AT_CALL)
)
MARKETING = ("newsletter", "announcement")
ONE_CLICK = {"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}

NOBODY_ANSWERS = (aiohttp.ClientError, TimeoutError, ValueError)  #: what a call raises while the API is down

Types = Sequence[str]


def superuser_dsn(system: systems.System) -> str:
    """The embedded server's superuser, who may do what no role may: drop a partition, shift the clock."""
    parts = urlsplit(system.dsn("control"))
    password = (Path(os.path.realpath(data_directory(system))) / "mailcordon.password").read_text().strip()
    return f"postgresql://postgres:{quote(password)}@/{parts.path[1:]}?{parts.query}"


def data_directory(system: systems.System) -> Path:
    """Where the embedded server has its data, as the process itself says."""
    return Path(os.readlink(f"/proc/{system.processes['postgres']}/cwd"))


@dataclass
class Traffic:
    """Tenants of one system, their mail, and what became of it."""

    system: systems.System
    http: aiohttp.ClientSession
    db: asyncpg.Connection
    accepted: dict[int, str] = field(default_factory=dict[int, str])  #: message id -> tenant
    refused: Counter[int] = field(default_factory=Counter[int])  #: status -> requests that were not accepted
    _sent: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    _after: str | None = None  #: newest mail of SES's ledger that was read

    async def reconnect(self) -> None:
        self.db.terminate()
        self.db = await connect(self.system)

    # Our API ------------------------------------------------------------------------------------------------------------

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        headers["authorization"] = f"Bearer {self.system.key}"
        async with self.http.request(method, self.system.url + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def onboard(self, tenants: Mapping[str, Types], *, objectives: bool = False, **lanes: int) -> None:
        """Waits until their lanes may send, and skips the ramps. `lanes` overrides columns of these lanes.

        Their built-in limit of 5 resets an hour to one address goes: tests mail the same addresses again. Without `objectives`
        none of their mail has to be delivered: mail that a test lets expire would be an incident for an hour.
        """
        for slug, types in tenants.items():
            body = {"slug": slug, "types": {type: domain(slug, type) for type in types}}
            status, said = await self.call("POST", "/v1/tenants", body)
            assert status in (200, 201), said
        for slug in tenants:

            async def provisioned(slug: str = slug) -> bool:
                return (await self.call("GET", f"/v1/tenants/{slug}"))[1]["provisioning"]["done"]

            await self.until(provisioned, f"{slug} is provisioned")
        await self.db.execute(
            "select replace_limits(id, 'default', '[]') from tenant where slug = any ($1::text[])",
            list(tenants),
        )
        if not objectives:
            await self.db.execute(
                "update lane_policy set document = document || jsonb_build_object('objectives', (document -> 'objectives')"
                ' || \'{"delivered": null, "delivered_seconds": null}\')'
                " where tenant = any (select id from tenant where slug = any ($1::text[]))",
                list(tenants),
            )
        await self.set_lanes(tenants, released_at=None, **lanes)

    async def set_lanes(self, slugs: Iterable[str], **values: int | None) -> None:
        """Sets columns of all lanes of these tenants, as onboarding with another message type would."""
        names = ", ".join(f"{name} = ${n}" for n, name in enumerate(values, 2))
        await self.db.execute(
            f"update lane set {names} where tenant = any (select id from tenant where slug = any ($1::text[]))",
            list(slugs),
            *values.values(),
        )
        await self.db.execute("update epoch set value = value + 1")

    async def put(
        self,
        slug: str,
        type: str,
        to: Sequence[str] = ("kim@example.com",),
        *,
        campaign: str | None = None,
        list_name: str | None = None,
        key: str | None = None,
        subject: str = "hello",
    ) -> int | None:
        """The message's id if it was accepted; None if not, or if nobody answered."""
        body: dict[str, Any] = {
            "tenant": slug,
            "type": type,
            "from": f"a@{domain(slug, type)}",
            "to": list(to),
            "subject": subject,
            "text": "hello",
            "individually": True,
        }
        if type in MARKETING:
            body["headers"] = ONE_CLICK
            body["to"] = [
                {"address": one, "headers": {"List-Unsubscribe": f"<https://acme.example/u/{one}>"}}
                for one in to
            ]
        if campaign is not None:
            body["campaign"] = campaign
        if list_name is not None:
            body["list"] = list_name
        try:
            headers = {} if key is None else {"idempotency-key": key}
            status, said = await self.call("POST", "/v1/messages", body, **headers)
        except NOBODY_ANSWERS:
            return None
        if status == 500:
            raise AssertionError(
                f"POST /v1/messages answered 500. The log of api ends so:\n{self._end_of_log()}"
            )
        if status != 202:
            self.refused[status] += 1
            return None
        id = ids.parse_message_id(said["id"])
        self.accepted[id] = slug
        return id

    def _end_of_log(self) -> str:
        return "\n".join(self.system.log("api").splitlines()[-60:])

    async def fill(self, slug: str, type: str, count: int, *, campaign: str | None = None) -> None:
        """Hands in `count` deliveries, many to a message, and repeats a request that was answered with 503."""
        starts = iter(range(0, count, MOST_RECIPIENTS))

        async def caller() -> None:
            for start in starts:
                to = [f"r{n}@example.com" for n in range(start, min(count, start + MOST_RECIPIENTS))]
                while await self.put(slug, type, to, campaign=campaign) is None:
                    assert set(self.refused) <= {503}, self.refused
                    await asyncio.sleep(0.1)

        await asyncio.gather(*(caller() for _ in range(CALLERS)))

    async def hold(self, slug: str, **target: Any) -> None:
        body = {"tenant": slug, "because": "a test", **target}
        status, said = await self.call("POST", "/v1/holds", body)
        assert status == 201, said

    async def lift(self, slug: str, **target: Any) -> dict[str, Any]:
        body = {"tenant": slug, "because": "the test goes on", **target}
        status, said = await self.call("POST", "/v1/holds/lift", body)
        assert status == 200, said
        return said

    # SES ----------------------------------------------------------------------------------------------------------------

    async def ses(self, method: str, path: str, body: object = None) -> Any:
        url = f"{self.system.ses_url}/_seslocal{path}"
        async with self.http.request(method, url, json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json(content_type=None)

    @contextlib.asynccontextmanager
    async def fault(self, fault: str, **which: Any) -> AsyncIterator[None]:
        made = await self.ses("POST", "/faults", {"fault": fault, **which})
        try:
            yield
        finally:
            url = f"{self.system.ses_url}/_seslocal/faults/{made['id']}"
            async with self.http.delete(url):
                pass  # 404: it was used up

    async def account(self, *, rate: float | None = None, quota: float | None = None) -> None:
        """Sets SES's limits, and waits until the dispatchers know them."""
        wanted = {name: value for name, value in (("rate", rate), ("quota", quota)) if value is not None}
        await self.ses("PUT", "/account", wanted)

        async def known() -> bool:
            row = await self.db.fetchrow("select ceiling, max_24h from account_rate")
            return row is not None and all(
                row["ceiling" if name == "rate" else "max_24h"] == value for name, value in wanted.items()
            )

        await self.until(known, "the account's limits are known")
        await self.db.execute("update account_rate set tokens = least(tokens, ceiling), rate = ceiling")

    async def sent(self, *slugs: str) -> list[dict[str, Any]]:
        """Everything of these tenants that SES accepted, in that order, canaries apart."""
        while True:
            after = f"&after={self._after}" if self._after else ""
            page = await self.ses("GET", f"/sent?limit=1000{after}")
            self._sent += [
                mail for mail in page["sent"] if "simulator.amazonses" not in str(mail["recipients"])
            ]
            if page["sent"]:
                self._after = page["sent"][-1]["message_id"]
            if page["next"] is None:
                break
        return [mail for mail in self._sent if not slugs or tenant_of(mail) in slugs]

    async def count_sent(self, *slugs: str) -> int:
        return len(await self.sent(*slugs))

    # The queue ----------------------------------------------------------------------------------------------------------

    async def until(
        self, condition: Callable[[], Awaitable[Any]], what: str, patience: float = systems.PATIENCE
    ) -> Any:
        """Waits for what other processes do. `patience` only bounds a failing test."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(patience):
                while not (found := await condition()):
                    await asyncio.sleep(systems.pause(time.monotonic() - began))
                return found
        except TimeoutError:
            raise AssertionError(f"still waiting until {what}") from None

    async def count(self, table: str, slug: str, where: str = "true") -> int:
        return await self.db.fetchval(
            f"select count(*) from {table} where tenant = (select id from tenant where slug = $1) and {where}",
            slug,
        )

    async def queued(self, *slugs: str) -> int:
        return await self.db.fetchval(
            "select (select count(*) from ready where tenant = any (t.ids))"
            " + (select count(*) from waiting where tenant = any (t.ids))"
            " from (select array_agg(id) as ids from tenant where slug = any ($1::text[])) t",
            list(slugs),
        )

    async def all_final(self, *slugs: str, patience: float = systems.PATIENCE) -> None:
        async def final() -> bool:
            return not await self.queued(*slugs)

        await self.until(final, "all mail is final", patience)

    async def all_counted(self, *slugs: str) -> None:
        """Waits until what is final is in the counts, from which pages and rates are made."""

        async def counted() -> bool:
            return not await self.db.fetchval(
                "select exists (select from pending_change c join tenant t on t.id = c.tenant where t.slug = any ($1::text[]))",
                list(slugs),
            )

        await self.until(counted, "all mail is counted")

    async def age(self, slug: str, ms: int) -> None:
        """Makes all mail of this tenant that is ready older, as if it had been accepted `ms` earlier."""
        lanes = "select l.id from lane l join tenant t on t.id = l.tenant where t.slug = $1"
        messages = f"select distinct id & -64 from ready where lane in ({lanes})"
        async with self.db.transaction():
            for table in ("urgent_content", "content", "message"):
                await self.db.execute(
                    f"update {table} set id = id - ($2::bigint << 22) where id in ({messages})", slug, ms
                )
            await self.db.execute(
                f"update ready set id = id - ($2::bigint << 22) where lane in ({lanes})", slug, ms
            )
        self.accepted = {id: owner for id, owner in self.accepted.items() if owner != slug}

    # Faults of the database ---------------------------------------------------------------------------------------------

    async def drop_partitions(self, *parents: str) -> None:
        """Drops today's and all later partitions of these tables."""
        rows = await self.db.fetch(
            "select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid join pg_class p on p.oid = i.inhparent"
            " where p.relname = any ($1::text[]) and c.relname ~ '_p\\d{8}$'"
            " and right(c.relname, 8) >= to_char(to_timestamp(now_ms() / 1000.0) at time zone 'UTC', 'YYYYMMDD')",
            list(parents),
        )
        for row in rows:
            await self.db.execute(f"drop table {row['relname']}")

    async def shift_clock(self, ms: int) -> None:
        """Sets the database's clock for everybody but this connection: all others have to connect again."""
        name = await self.db.fetchval("select current_database()")
        await self.db.execute(f"alter database {name} set mailcordon.clock_offset_ms = {ms}")
        await self.db.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )

    # Judging ------------------------------------------------------------------------------------------------------------

    async def judge(self, *slugs: str) -> "Verdict":
        """What was lost or doubled. Only what the records say was sent again may have been sent more than once."""
        times: Counter[int] = Counter(delivery_of(mail) for mail in await self.sent(*slugs))
        verdict = Verdict()
        rows = await self.db.fetch(
            "select m.id, t.slug, cardinality(m.recipients) as n from message m join tenant t on t.id = m.tenant"
            " where t.slug = any ($1::text[])",
            list(slugs),
        )
        deliveries = [row["id"] + n for row in rows for n in range(1, row["n"] + 1)]
        states: dict[int, int] = {
            row["id"]: row["state"]
            for row in await self.db.fetch(
                "select id, state from ledger where id = any ($1::bigint[])", deliveries
            )
        }
        resends: Counter[int] = Counter(
            row["id"]
            for row in await self.db.fetch(
                "select id from note where what = 'resend' and id = any ($1::bigint[])", deliveries
            )
        )
        stored = {row["id"] for row in rows}
        wanted = {id for id, slug in self.accepted.items() if slug in slugs}
        verdict.lost += [f"{ids.message_id(id)} was accepted and is not stored" for id in wanted - stored]
        for id in deliveries:
            state = states.get(id)
            name = ids.delivery_id(id)
            if state is None:
                verdict.stuck.append(name)
                continue
            verdict.states[State(state).word] += 1
            if state in NEVER_SENT:
                if times[id] and state == State.GIVEN_UP:
                    verdict.given_up.append(name)
                elif times[id]:
                    verdict.wrong.append(f"{name} is {State(state).word} and SES has it")
            elif not times[id] and state == State.SENT:
                verdict.lost.append(f"{name} is sent and SES never had it")
            if times[id] > 1 + resends[id]:
                verdict.doubled.append(
                    f"{name} went {times[id]} times, and {resends[id]} resends are recorded"
                )
            verdict.resent += min(resends[id], max(0, times[id] - 1))
        verdict.wrong += [
            f"SES has {ids.delivery_id(id)}, which is not stored" for id in times if id & ~63 not in stored
        ]
        return verdict


@dataclass
class Verdict:
    lost: list[str] = field(default_factory=list[str])
    doubled: list[str] = field(default_factory=list[str])  #: beyond what is recorded
    stuck: list[str] = field(default_factory=list[str])  #: not final
    wrong: list[str] = field(default_factory=list[str])
    resent: int = 0  #: sent again with a record that says so, and SES had both
    given_up: list[str] = field(default_factory=list[str])  #: absence was proved, and SES has it
    states: Counter[str] = field(default_factory=Counter[str])

    @property
    def faults(self) -> list[str]:
        return [*self.lost, *self.doubled, *self.stuck, *self.wrong]

    def __str__(self) -> str:
        return (
            f"{len(self.lost)} lost, {len(self.doubled)} doubled beyond the record ({self.resent} within it),"
            f" {len(self.stuck)} stuck, {len(self.given_up)} given up that SES has; ended: {dict(self.states)}"
        )


def domain(slug: str, type: str) -> str:
    return f"{type}.{slug}.example"


def tenant_of(mail: Mapping[str, Any]) -> str:
    return mail["from"].rpartition("@")[2].rstrip(">").split(".")[-2]


def delivery_of(mail: Mapping[str, Any]) -> int:
    return ids.decode(mail["tags"]["mc-delivery"][0])


@contextlib.asynccontextmanager
async def on(system: systems.System) -> AsyncIterator[Traffic]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
        mail = Traffic(system, http, await connect(system))
        try:
            yield mail
        finally:
            mail.db.terminate()


async def connect(system: systems.System) -> asyncpg.Connection:
    return await asyncpg.connect(superuser_dsn(system), server_settings={"search_path": "mailcordon"})


@contextlib.contextmanager
def frozen(pids: Sequence[int]) -> Iterator[None]:
    """Stops processes with SIGSTOP for a while."""
    try:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def stopped(system: systems.System, name: str) -> contextlib.AbstractContextManager[None]:
    return frozen([system.processes[name]])


def start_another(system: systems.System, role: str) -> subprocess.Popen[bytes]:
    """A further process of a role, with the settings of the one that `up` started."""
    systems.wait_until(lambda: system.processes[role] is not None, f"{role} runs")
    settings = Path(f"/proc/{system.processes[role]}/environ").read_bytes().rstrip(b"\0").split(b"\0")
    environment = dict(setting.split(b"=", 1) for setting in settings)
    with (system.home / "log" / f"another-{role}.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "mailcordon", "run", role], env=environment, stdout=log, stderr=log
        )
