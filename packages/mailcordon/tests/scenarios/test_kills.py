"""What must survive kill -9: everything that was accepted, exactly once, with the local SES's ledger as the judge.

Processes are real and die in the middle of what they do. The report of each test prints what was on the wire at each kill.
The tests marked `crash` kill a few times here; `./dev crash` runs the same tests with many kills (docs/testing.md).
"""

import asyncio
import contextlib
import os
import random
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import pytest

from mailcordon.core import ids
from mailcordon.core.delivery import State
from mailcordon_fixtures import systems

KILLS = int(os.environ.get("MAILCORDON_TEST_KILLS", "2"))  #: of each process, in tests marked `crash`
CRASH_TIMEOUT = 300 + 30 * KILLS  #: seconds; on a busy machine a kill with its restart takes 10
NEVER_SENT = {
    state.word
    for state in (State.REFUSED, State.EXPIRED, State.CANCELLED, State.GIVEN_UP, State.REJECTED_AT_CALL)
}
MARKETING = {
    "List-Unsubscribe": "<https://acme.example/u/1>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


@dataclass
class Run:
    """One tenant of a system under load, and what was accepted for it."""

    system: systems.System
    http: aiohttp.ClientSession
    slug: str = "acme"
    accepted: dict[str, str] = field(default_factory=dict[str, str])  #: message id -> type
    refused: Counter[int] = field(default_factory=Counter[int])

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        headers["authorization"] = f"Bearer {self.system.key}"
        async with self.http.request(method, self.system.url + path, json=body, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None)

    async def onboard(self, slug: str, **types: str) -> None:
        status, said = await self.call("POST", "/v1/tenants", {"slug": slug, "types": types})
        assert status in (200, 201), said
        async with asyncio.timeout(systems.PATIENCE):
            while not (await self.call("GET", f"/v1/tenants/{slug}"))[1]["provisioning"]["done"]:
                await asyncio.sleep(0.1)

    async def onboard_lanes(self, slug: str) -> None:
        await self.onboard(
            slug, **{type: f"{type}.{slug}.example" for type in ("password-reset", "newsletter")}
        )

    async def put(
        self, type: str, number: int, *, key: str | None = None, slug: str | None = None
    ) -> str | None:
        """The message's id if it was accepted; None if not, or if nobody answered."""
        slug = slug or self.slug
        body = {
            "tenant": slug,
            "type": type,
            "from": f"a@{type}.{slug}.example",
            "to": [f"r{number}@example.com"],
            "subject": f"number {number}",
            "text": "hello",
            "headers": MARKETING if type == "newsletter" else {},
        }
        headers = {} if key is None else {"idempotency-key": key}
        try:
            status, said = await self.call("POST", "/v1/messages", body, **headers)
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None
        if status != 202:
            self.refused[status] += 1
            return None
        self.accepted[said["id"]] = type
        return said["id"]

    @contextlib.asynccontextmanager
    async def fault(self, **body: Any) -> AsyncIterator[None]:
        url = f"{self.system.ses_url}/_seslocal/faults"
        async with self.http.post(url, json=body) as answer:
            id = (await answer.json())["id"]
        yield
        async with self.http.delete(f"{url}/{id}"):
            pass

    async def mails(self, slug: str | None = None) -> list[dict[str, Any]]:
        """Everything of this tenant that SES really accepted, canaries apart."""
        out: list[dict[str, Any]] = []
        after = None
        while True:
            query = {"limit": "1000", **({"after": after} if after else {})}
            async with self.http.get(f"{self.system.ses_url}/_seslocal/sent", params=query) as answer:
                page = await answer.json()
            out += [
                mail
                for mail in page["sent"]
                if f".{slug or self.slug}.example" in mail["from"]
                and "simulator.amazonses.com" not in str(mail["recipients"])
            ]
            after = page.get("next")
            if not after:
                return out

    async def database(self) -> Any:
        return await asyncpg.connect(
            self.system.dsn("control"), server_settings={"search_path": "mailcordon"}
        )

    async def wait_all_final(self, seconds: float = 60) -> None:
        database = await self.database()
        try:
            async with asyncio.timeout(seconds):
                while await database.fetchval(
                    "select (select count(*) from ready where tenant = t.id)"
                    " + (select count(*) from waiting where tenant = t.id) from tenant t where slug = $1",
                    self.slug,
                ):
                    await asyncio.sleep(0.2)
        finally:
            await database.close()


@contextlib.asynccontextmanager
async def run_on(system: systems.System, slug: str) -> AsyncIterator[Run]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as http:
        run = Run(system, http, slug)
        await run.onboard_lanes(slug)
        yield run


@contextlib.asynccontextmanager
async def under_load(home: Path) -> AsyncIterator[Run]:
    with systems.running(home) as system:
        async with run_on(system, "acme") as run:
            yield run


@pytest.fixture
async def run(system: systems.System) -> AsyncIterator[Run]:
    """A tenant of the shared system: for tests that leave it running well."""
    async with run_on(system, f"acme-{secrets.token_hex(3)}") as run:
        yield run


@pytest.fixture
def home(short_home: Callable[[], AbstractContextManager[Path]]) -> Iterator[Path]:
    with short_home() as home:
        yield home


async def judge(run: Run) -> Counter[str]:
    """Nothing is lost, and only what the records say was sent again is doubled. Returns the states reached."""
    sent: Counter[str] = Counter(mail["tags"]["mc-delivery"][0] for mail in await run.mails())
    database = await run.database()
    states: Counter[str] = Counter()
    try:
        rows = await database.fetch(
            "select m.id, (select count(*) from note n where n.id = m.id + 1 and n.what = 'resend') as resends"
            " from message m join tenant t on t.id = m.tenant where t.slug = $1",
            run.slug,
        )
    finally:
        await database.close()
    stored = {row["id"]: row["resends"] for row in rows}

    async def look(message: str) -> None:
        id = ids.parse_message_id(message)
        assert id in stored, f"{message} was accepted and is not in the database"
        _, view = await run.call("GET", f"/v1/messages/{message}")
        [delivery] = view["deliveries"]
        times = sent[ids.encode(id + 1)]
        states[delivery["state"]] += 1
        if delivery["state"] in NEVER_SENT:
            assert times == 0, f"{message} is {delivery['state']} and SES has it"
        else:
            assert times >= 1, f"{message} is {delivery['state']} and SES never had it"
        assert times <= 1 + stored[id], f"{message} went {times} times, and {stored[id]} resends are recorded"

    accepted = list(run.accepted)
    for start in range(0, len(accepted), 16):
        await asyncio.gather(*(look(message) for message in accepted[start : start + 16]))
    assert set(sent) <= {ids.encode(id + 1) for id in stored}
    return states


@pytest.mark.crash
@pytest.mark.timeout(CRASH_TIMEOUT)
async def test_a_dispatcher_killed_in_the_middle_of_calls_loses_and_doubles_nothing(home: Path) -> None:
    chance = random.Random(KILLS)
    async with under_load(home) as run:
        for type in ("password-reset", "newsletter"):
            status, said = await run.call("PATCH", f"/v1/types/{type}", {"grace_seconds": 2})
            assert status == 200, said
        database = await run.database()
        done = asyncio.Event()

        async def feed() -> None:
            number = 0
            while not done.is_set():
                types = chance.choices(("password-reset", "newsletter"), k=20)
                await asyncio.gather(*(run.put(type, number + n) for n, type in enumerate(types)))
                number += 20
                await asyncio.sleep(0.15)

        on_the_wire: list[int] = []
        mine = (
            "select count(*) from ready where state = 1 and worker in (select id from worker where pid = $1)"
        )

        async def wait_on_the_wire(pid: int) -> None:
            async with asyncio.timeout(systems.PATIENCE):
                while not await database.fetchval(mine, pid):
                    await asyncio.sleep(0.01)

        async with run.fault(fault="slow", seconds=0.1, count=None):
            feeding = asyncio.create_task(feed())
            for _ in range(KILLS):
                pid = run.system.processes["dispatch"]
                await wait_on_the_wire(pid)
                await asyncio.sleep(chance.uniform(0, 0.2))
                await wait_on_the_wire(pid)
                run.system.kill("dispatch")
                on_the_wire.append(await database.fetchval(mine, pid))
                await asyncio.to_thread(run.system.wait_replaced, "dispatch", pid)
            done.set()
            await feeding
            await database.close()
            await run.wait_all_final(90)
        states = await judge(run)
    print(
        f"\n{KILLS} kills, in `sending` at each: {on_the_wire}; {len(run.accepted)} accepted, ended: {dict(states)}"
    )
    assert any(on_the_wire), "no kill met mail on the wire, so the kills proved nothing"
    assert not run.refused


@pytest.mark.crash
@pytest.mark.timeout(CRASH_TIMEOUT)
@pytest.mark.parametrize("victim", ["api", "postgres"])
async def test_every_202_survives_the_death_of_the_api_and_of_the_postmaster(home: Path, victim: str) -> None:
    chance = random.Random(KILLS)
    async with under_load(home) as run:
        number = 0

        async def feed(seconds: float) -> None:
            nonlocal number
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                number += 32
                await asyncio.gather(*(run.put("password-reset", number + n) for n in range(32)))
                await asyncio.sleep(0.05)

        for _ in range(KILLS):
            feeding = asyncio.create_task(feed(3))
            await asyncio.sleep(chance.uniform(0.5, 1.5))
            pid = run.system.kill(victim)
            await asyncio.to_thread(run.system.wait_replaced, victim, pid)
            await feeding
        await asyncio.to_thread(systems.wait_until, run.system.healthy, "the API answers again")
        await run.wait_all_final(90)
        states = await judge(run)
    print(
        f"\n{KILLS} kills of {victim}: {len(run.accepted)} accepted, turned away: {dict(run.refused)}; ended: {dict(states)}"
    )
    assert len(run.accepted) > 50 * KILLS


async def test_an_idempotency_key_outlives_the_api(run: Run) -> None:
    first = await run.put("password-reset", 1, key="order-1")
    pid = run.system.kill("api")
    await asyncio.to_thread(run.system.wait_replaced, "api", pid)
    await asyncio.to_thread(systems.wait_until, run.system.healthy, "the API answers again")
    assert await run.put("password-reset", 1, key="order-1") == first
    assert await run.put("password-reset", 2, key="order-1") is None
    assert run.refused == {409: 1}


async def test_accepted_but_answer_lost_is_settled_by_the_send_event(run: Run) -> None:
    async with run.fault(fault="accept_lose_answer", count=3):
        for n in range(3):
            await run.put("password-reset", n)
        await run.wait_all_final(60)
    states = await judge(run)
    assert len(await run.mails()) == 3
    assert set(states) <= {"sent", "delivered"}


async def test_a_hold_stops_a_busy_lane_within_a_second_and_others_do_not_notice(run: Run) -> None:
    other = f"zen-{secrets.token_hex(3)}"
    await run.onboard(other, newsletter=f"newsletter.{other}.example")
    done = asyncio.Event()

    async def feed(slug: str) -> None:
        number = 0
        while not done.is_set():
            await asyncio.gather(*(run.put("newsletter", number + n, slug=slug) for n in range(10)))
            number += 10
            await asyncio.sleep(0.05)

    async with run.fault(fault="slow", seconds=0.02, count=None):
        feeding = [asyncio.create_task(feed(slug)) for slug in (run.slug, other)]
        await asyncio.sleep(2)
        status, said = await run.call(
            "POST", "/v1/holds", {"tenant": run.slug, "type": "newsletter", "because": "a test stops it"}
        )
        held_at = time.time()
        assert status == 201, said
        await asyncio.sleep(3)
        done.set()
        await asyncio.gather(*feeding)
        calls = {slug: [_seconds(mail["at"]) for mail in await run.mails(slug)] for slug in (run.slug, other)}
    last = max(calls[run.slug]) - held_at
    before, after = (sum(low <= at - held_at < low + 2 for at in calls[other]) for low in (-2, 0))
    print(f"\nlast call of the held lane: {last * 1000:+.0f} ms from the hold")
    print(f"the other lane: {before} mails in the 2 s before it, {after} in the 2 s after")
    assert not [at for at in calls[run.slug] if at - held_at > 1.5]
    assert any(at - held_at > 1.5 for at in calls[other])


def _seconds(at: Any) -> float:
    if isinstance(at, int | float):
        return float(at)
    from datetime import datetime

    return datetime.fromisoformat(at).timestamp()
