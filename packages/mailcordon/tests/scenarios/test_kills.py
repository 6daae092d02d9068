"""What must survive kill -9: everything that was accepted, exactly once, with the local SES's ledger as the judge.

Processes are real and die in the middle of what they do. The tests marked `crash` kill a few times here; `./dev crash` runs the
same tests with many kills and prints their reports (docs/testing.md).
"""

import asyncio
import contextlib
import os
import random
import secrets
import signal
import subprocess
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from mailcordon.core import ids
from mailcordon_fixtures import systems, traffic
from mailcordon_fixtures.traffic import Traffic, Verdict

KILLS = int(os.environ.get("MAILCORDON_TEST_KILLS", "2"))  #: in each test marked `crash`
#: Beside the first run, in `./dev crash` only: it promises less.
LONG_FORM = ["late-and-lost"] if KILLS > 2 else []
CRASH_TIMEOUT = 300 + 30 * KILLS  #: seconds; on a busy machine a kill with its restart takes 10
GRACE = 4_000  #: milliseconds; more than any call is late in these tests, as in production
FAIR_SPREAD = 3  #: mails: one, and one more for each other dispatcher
SETTINGS = {"MAILCORDON_VISIBILITY_SECONDS": "3", "MAILCORDON_RAMP_SECONDS": "5"}
TENANTS = {
    "acme": ("password-reset", "receipt", "newsletter"),
    "zen": ("password-reset", "newsletter"),
    "kite": ("login-code", "receipt", "announcement"),
}


@pytest.fixture(scope="module")
def stormy(short_home: Callable[[], AbstractContextManager[Path]]) -> Iterator[systems.System]:
    """One system for all storms. Each ends with it running well, and uses tenants of its own."""
    with short_home() as home, systems.running(home, **SETTINGS) as system:
        yield system


# Kills under load -------------------------------------------------------------------------------------------------------


@dataclass
class Storm:
    """Load, faults and kills, and what they met."""

    mail: Traffic
    chance: random.Random
    lossy: bool  #: whether SES's events may be late or lost
    tenants: Mapping[str, Sequence[str]]
    over: asyncio.Event = field(default_factory=asyncio.Event)
    dispatchers: list[subprocess.Popen[bytes]] = field(default_factory=list[subprocess.Popen[bytes]])
    on_the_wire: dict[str, list[int]] = field(
        default_factory=dict[str, list[int]]
    )  #: by victim, at each kill
    frozen: Counter[str] = field(default_factory=Counter[str])
    faults: Counter[str] = field(default_factory=Counter[str])
    holds: Counter[str] = field(default_factory=Counter[str])
    cancelled: int = 0
    requests: int = 0

    @property
    def lanes(self) -> list[tuple[str, str]]:
        return [(slug, type) for slug, types in self.tenants.items() for type in types]

    # Load ---------------------------------------------------------------------------------------------------------------

    async def feed(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(12):
                group.create_task(self.caller())

    async def caller(self) -> None:
        """Repeats each request under its key until it is answered, as a client has to."""
        while not self.over.is_set():
            self.requests += 1
            number = self.requests
            slug, type = self.chance.choice(self.lanes)
            to = [f"r{number}-{n}@example.com" for n in range(self.chance.randint(1, 6))]
            campaign = self.chance.choice(("spring", "autumn", None))
            while (
                id := await self.mail.put(slug, type, to, campaign=campaign, key=f"key-{number}")
            ) is None and not self.over.is_set():
                await asyncio.sleep(0.1)
            if id is not None and self.chance.random() < 0.1:
                await self.cancel(id)
            await asyncio.sleep(self.chance.uniform(0, 0.1))

    async def cancel(self, message: int) -> None:
        with contextlib.suppress(*traffic.NOBODY_ANSWERS):
            status, said = await self.mail.call("DELETE", f"/v1/messages/{ids.message_id(message)}")
            if status == 200:
                self.cancelled += len(said["cancelled"])

    async def hold(self) -> None:
        """Cordons and uncordons lanes and campaigns."""
        while not self.over.is_set():
            slug, type = self.chance.choice(self.lanes)
            target = self.chance.choice(({"type": type}, {"campaign": "spring"}))
            for action in (self.mail.hold, self.mail.lift):
                with contextlib.suppress(*traffic.NOBODY_ANSWERS, AssertionError):
                    async with asyncio.timeout(5):
                        await action(slug, **target)
                        self.holds[action.__name__] += 1
                await asyncio.sleep(self.chance.uniform(0.2, 1))

    # Faults -------------------------------------------------------------------------------------------------------------

    async def trouble_at_ses(self) -> None:
        chance = self.chance
        while not self.over.is_set():
            late_or_lost: list[dict[str, Any]] = [
                {"fault": "delay_events", "share": 0.3, "seconds": chance.uniform(1, 8)},
                {
                    "fault": "reorder_events",
                    "share": 0.5,
                    "seconds": 0.5,
                },  # a kill of the local SES loses them
                {"fault": "drop_events", "share": 0.2, "events": ["Send"]},
                {"fault": "drop_events", "share": 0.1},
            ]
            fault = chance.choice(
                [
                    {"fault": "throttle_storm", "share": 0.7, "operation": "SendEmail"},
                    {"fault": "error_500", "share": 0.5, "accepted": chance.random() < 0.5},
                    {"fault": "error_503", "share": 0.9},
                    {"fault": "accept_lose_answer", "share": 0.2},
                    {"fault": "time_out", "share": 0.1, "seconds": 1, "accepted": chance.random() < 0.5},
                    {"fault": "slow", "seconds": 1},
                    {"fault": "close_idle"},
                    {"fault": "double_events", "share": 0.3},
                    {"fault": "queue_outage"},
                    *(late_or_lost if self.lossy else ()),
                ]
            )
            with contextlib.suppress(*traffic.NOBODY_ANSWERS):
                await self.mail.ses("POST", "/faults", fault | {"lasts": chance.uniform(0.3, 2)})
                self.faults[fault["fault"]] += 1
            await asyncio.sleep(chance.uniform(0.5, 2))

    async def freeze(self) -> None:
        """SIGSTOP of each role and of all of PostgreSQL, for longer than a dispatcher may be silent, too."""
        system, chance = self.mail.system, self.chance
        while not self.over.is_set():
            await asyncio.sleep(chance.uniform(0.5, 2))
            name = chance.choice(
                ("api", "dispatch", "another dispatch", "observe", "control", "postgres", "seslocal")
            )
            if name == "another dispatch":
                pids = [process.pid for process in self.dispatchers[:1]]
            elif (pid := system.processes[name]) is not None:
                pids = [pid, *(children_of(pid) if name == "postgres" else ())]
            else:
                continue
            self.frozen[name] += 1
            # A call must not be later than the grace, which is 15 times longer in production.
            with traffic.frozen(pids):
                await asyncio.sleep(chance.uniform(0.1, 1 if name == "seslocal" else 3.5))

    # Kills --------------------------------------------------------------------------------------------------------------

    async def kill(self, victim: str) -> None:
        wire = await self.wait_for_the_wire()
        self.on_the_wire.setdefault(victim, []).append(wire)
        if victim == "another dispatch":
            dead = self.dispatchers.pop(0)
            dead.kill()
            await asyncio.to_thread(dead.wait)
            self.dispatchers.append(traffic.start_another(self.mail.system, "dispatch"))
            return
        pid = self.mail.system.processes[victim]
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        await asyncio.to_thread(self.mail.system.wait_replaced, victim, pid)

    async def wait_for_the_wire(self) -> int:
        """How many calls are on the wire; waits a moment for the first. -1 if the database does not answer."""
        deadline = time.monotonic() + 2
        wire = -1
        while wire <= 0 and time.monotonic() < deadline:
            with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                async with asyncio.timeout(2):
                    connection = await traffic.connect(self.mail.system)
                    try:
                        wire = await connection.fetchval("select count(*) from ready where state = 1")
                    finally:
                        connection.terminate()
            await asyncio.sleep(0.01)
        return wire

    # The end ------------------------------------------------------------------------------------------------------------

    async def calm(self) -> None:
        """Takes away every fault and hold, and waits until all mail is final."""
        mail = self.mail
        await asyncio.to_thread(systems.wait_until, mail.system.healthy, "the API answers again")
        await mail.reconnect()
        await mail.ses("DELETE", "/faults")
        for slug in self.tenants:
            _, page = await mail.call("GET", f"/v1/holds?tenant={slug}&open=true&limit=1000")
            if holds := [hold["id"] for hold in page["items"] if hold["owner"] == "person"]:
                await mail.lift(slug, ids=holds)
        with contextlib.suppress(AssertionError):  # the verdict names what is stuck
            await mail.all_final(*self.tenants)

    def report(self, verdict: Verdict) -> str:
        kills = sum(map(len, self.on_the_wire.values()))
        wires = "; ".join(
            f"{victim} {', '.join(map(str, at))}" for victim, at in sorted(self.on_the_wire.items())
        )
        return (
            f"\n{kills} kills, SES's events {'late and lost' if self.lossy else 'all arrive'}: {verdict}"
            f"\n  {len(self.mail.accepted)} messages accepted, turned away: {dict(self.mail.refused)};"
            f" {self.cancelled} deliveries cancelled, {dict(self.holds)} holds"
            f"\n  calls on the wire at each kill: {wires}"
            f"\n  stopped with SIGSTOP: {dict(self.frozen)}"
            f"\n  faults of SES: {dict(self.faults)}"
        )


def children_of(parent: int) -> list[int]:
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(stat.read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(stat.parent.name))
    return found


@contextlib.asynccontextmanager
async def storm(system: systems.System, *, lossy: bool) -> AsyncIterator[Storm]:
    """A system with three dispatchers, of which nothing fits today's partitions."""
    suffix = secrets.token_hex(3)
    tenants = {f"{slug}-{suffix}": types for slug, types in TENANTS.items()}
    async with traffic.on(system) as mail:
        await mail.onboard(tenants, grace_ms=GRACE)
        await mail.drop_partitions("ledger", "event", "outcome", "note", "send_event")
        # Calls that take a while, so that a kill meets some.
        await mail.ses("POST", "/faults", {"fault": "slow", "share": 0.5, "seconds": 0.15})
        storm = Storm(mail, random.Random(KILLS), lossy, tenants)
        try:
            storm.dispatchers += [traffic.start_another(system, "dispatch") for _ in range(2)]
            yield storm
        finally:
            for process in storm.dispatchers:
                process.terminate()
            for process in storm.dispatchers:
                process.wait(systems.PATIENCE)


@pytest.mark.crash
@pytest.mark.timeout(CRASH_TIMEOUT)
@pytest.mark.parametrize("events", ["all-arrive", *LONG_FORM])
async def test_whatever_dies_nothing_is_lost_doubled_or_stuck(stormy: systems.System, events: str) -> None:
    lossy = events == "late-and-lost"
    async with storm(stormy, lossy=lossy) as the:
        background = [
            asyncio.create_task(work) for work in (the.feed(), the.hold(), the.trouble_at_ses(), the.freeze())
        ]
        victims: list[str] = []
        for _ in range(KILLS):
            if not victims:
                victims = [
                    "dispatch",
                    "observe",
                    "postgres",
                    "another dispatch",
                    "api",
                    "control",
                    "seslocal",
                ]
                the.chance.shuffle(victims)
            await asyncio.sleep(the.chance.uniform(0.2, 1))
            if failed := [task for task in background if task.done()]:
                await asyncio.gather(*failed)
            await the.kill(victims.pop())
        the.over.set()
        await asyncio.gather(*background)
        await the.calm()
        verdict = await the.mail.judge(*the.tenants)
    print(the.report(verdict))
    assert not verdict.faults, verdict.faults[:20]
    assert any(count > 0 for counts in the.on_the_wire.values() for count in counts), "no kill met a call"
    if not lossy:
        assert not verdict.resent, "absence was proved of mail that SES had"
        assert not verdict.given_up, "absence was proved of mail that SES had"


@pytest.mark.crash
@pytest.mark.timeout(CRASH_TIMEOUT)
async def test_service_stays_fair_while_dispatchers_die(stormy: systems.System) -> None:
    """Sixteen tenants of two classes with more mail than the rate lets through, and three dispatchers."""
    rounds = max(1, KILLS // 8)
    classes = {type: [f"{type}{n}" for n in range(8)] for type in ("receipt", "newsletter")}
    chance = random.Random(KILLS)
    spreads: list[int] = []
    async with storm(stormy, lossy=False) as the:
        mail = the.mail
        await mail.onboard({slug: [type] for type, slugs in classes.items() for slug in slugs})
        await mail.account(rate=250)
        for _ in range(rounds):
            # Stopped, so that nobody is served while others have no mail yet.
            everyone = [mail.system.processes["dispatch"], *(process.pid for process in the.dispatchers)]
            with traffic.frozen(everyone):
                for type, slugs in classes.items():
                    for slug in slugs:
                        await mail.fill(slug, type, 100)
            for victim in ("dispatch", "another dispatch"):
                await asyncio.sleep(chance.uniform(0, 0.5))
                await the.kill(victim)
                spreads += await least_spreads(mail, list(classes.values()))
    print(f"\n{2 * rounds} kills of dispatchers; spread of service in {len(spreads)} snapshots: {spreads}")
    assert spreads
    assert max(spreads) <= FAIR_SPREAD


async def least_spreads(mail: Traffic, classes: Sequence[Sequence[str]]) -> list[int]:
    """Of each class whose tenants all have mail left: by how much they differ, at best within a second. A claim that dies with
    its dispatcher is undone, and what others have claimed meanwhile stands: those it would have served are next."""
    best: dict[int, int] = {}
    for _ in range(20):
        rows = await mail.db.fetch(
            "select t.slug, (select count(*) from lane l join ready r on r.lane = l.id"
            " where l.tenant = t.id and r.state = 0) as n from tenant t"
        )
        left = {row["slug"]: row["n"] for row in rows}
        for place, slugs in enumerate(classes):
            counts = [left[slug] for slug in slugs]
            if min(counts) > 0:
                best[place] = min(best.get(place, max(counts)), max(counts) - min(counts))
        if all(spread <= FAIR_SPREAD for spread in best.values()):
            break
        await asyncio.sleep(0.05)
    return list(best.values())


# One at a time ----------------------------------------------------------------------------------------------------------


@pytest.fixture
async def mail(stormy: systems.System) -> AsyncIterator[Traffic]:
    """On the same system: another one would cost a start."""
    async with traffic.on(stormy) as mail:
        yield mail


@pytest.fixture
async def slug(mail: Traffic) -> str:
    slug = f"acme-{secrets.token_hex(3)}"
    await mail.onboard({slug: ["password-reset", "newsletter"]})
    return slug


async def test_an_idempotency_key_outlives_the_api(mail: Traffic, slug: str) -> None:
    first = await mail.put(slug, "password-reset", ["r1@example.com"], key="order-1")
    pid = mail.system.kill("api")
    await asyncio.to_thread(mail.system.wait_replaced, "api", pid)
    await asyncio.to_thread(systems.wait_until, mail.system.healthy, "the API answers again")
    assert await mail.put(slug, "password-reset", ["r1@example.com"], key="order-1") == first
    assert await mail.put(slug, "password-reset", ["r2@example.com"], key="order-1") is None
    assert mail.refused == {409: 1}


async def test_accepted_but_answer_lost_is_settled_by_the_send_event(mail: Traffic, slug: str) -> None:
    async with mail.fault("accept_lose_answer", count=3):
        await mail.fill(slug, "password-reset", 3)
        await mail.all_final(slug)
    verdict = await mail.judge(slug)
    assert not verdict.faults
    assert verdict.states == {"sent": 3}


async def test_a_hold_stops_a_busy_lane_within_a_second_and_others_do_not_notice(
    mail: Traffic, slug: str
) -> None:
    other = f"zen-{secrets.token_hex(3)}"
    await mail.onboard({other: ["newsletter"]})
    done = asyncio.Event()

    async def feed(slug: str) -> None:
        while not done.is_set():
            await mail.fill(slug, "newsletter", 10)
            await asyncio.sleep(0.05)

    async with mail.fault("slow", seconds=0.02):
        feeding = [asyncio.create_task(feed(one)) for one in (slug, other)]
        await asyncio.sleep(1)
        await mail.hold(slug, type="newsletter")
        held_at = time.time()
        await asyncio.sleep(2.2)
        done.set()
        await asyncio.gather(*feeding)
        calls = {one: [_seconds(sent["at"]) for sent in await mail.sent(one)] for one in (slug, other)}
    last = max(calls[slug]) - held_at
    before, after = (sum(low <= at - held_at < low + 1 for at in calls[other]) for low in (-1, 0))
    print(f"\nlast call of the held lane: {last * 1000:+.0f} ms from the hold")
    print(f"the other lane: {before} mails in the second before it, {after} in the second after")
    assert not [at for at in calls[slug] if at - held_at > 1.5]
    assert any(at - held_at > 1.5 for at in calls[other])


def _seconds(at: Any) -> float:
    return float(at) if isinstance(at, int | float) else datetime.fromisoformat(at).timestamp()
