"""However events come and whatever dies, the rows are those of a run in order.

Real observers read a real queue that brings events in any order, late, more than once and to several observers. They are killed
with SIGKILL, as is a process that folds counts. `./dev crash events --events 1000000` is the long form (docs/testing.md).
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from mailcordon import config
from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.observe_store import ObserveStore
from mailcordon.adapters.db.secrets import Vault, make_secret_key
from mailcordon.adapters.ses.feedback import decode
from mailcordon.core import address, ids, provider, tags
from mailcordon.core.event import Attempt
from mailcordon.observe.ports import Transaction
from mailcordon_fixtures import folder, systems
from seslocal import server
from seslocal.state.queues import Queue
from seslocal.state.settings import Settings

from .conftest import INSTALLATION, SETS, Sent, World

EVENTS = int(os.environ.get("MAILCORDON_TEST_EVENTS", "1500"))
KILLS = max(3, EVENTS // 10_000)
LATE = max(200, min(50_000, EVENTS // 4))  #: documents that wait at any time, each for its random turn
TWICE = 0.03
FULL = 20_000  #: most messages in the queue
#: Seconds. With many events an observer that is slow on a busy machine would get again what it has not stored yet.
VISIBILITY = 1 if EVENTS < 10_000 else 20
DAY = 86_400_000
SPAN = int(3.5 * DAY)  #: of the calls, so that soft bounces are repeated over days
QUEUE = "outcome"
LANES = (("acme", "password-reset"), ("acme", "receipt"), ("acme", "newsletter"), ("zen", "newsletter"))
DOMAINS = ("gmail.com", "yahoo.com", "outlook.com")
#: Domains of which nobody knows the provider at first.
UNKNOWN_DOMAINS = [f"d{number}.example" for number in range(40)]
TEXTS = (
    ("5.1.1", "smtp; 550 5.1.1 User unknown"),
    ("5.2.2", "smtp; 552 5.2.2 Mailbox full"),
    ("5.7.1", "smtp; 550 5.7.1 Message rejected as spam by Content Filtering"),
    ("5.7.26", "smtp; 550 5.7.26 This mail is unauthenticated, SPF and DKIM did not pass"),
    ("4.4.7", "smtp; 450 4.4.7 Message expired"),
    (None, None),
)
_SQL = queries.load("installation.sql")


# The mail and what SES reports of it -------------------------------------------------------------------------------------------


@dataclass
class Post:
    """Mail by number: the same rows and the same documents whenever it is asked."""

    world: World
    mails: int
    start: int  #: milliseconds since 1970 of the first call
    made: ids.IdGenerator = field(default_factory=lambda: ids.IdGenerator(100))
    deliveries: list[int] = field(default_factory=list[int])

    def __post_init__(self) -> None:
        self.deliveries = [self.made.next(self.at(number)) + 1 for number in range(self.mails)]

    def at(self, number: int) -> int:
        return self.start + number * SPAN // self.mails

    def sent(self, number: int) -> Sent:
        chance = random.Random(number)
        slug, type = chance.choice(LANES)
        who = f"kim{number % 30}" if number % 10 == 0 else f"r{number}"
        where = chance.choice((*DOMAINS, chance.choice(UNKNOWN_DOMAINS)))
        attempt = Attempt(
            installation=INSTALLATION.name,
            tenant_key=World.key(slug),
            type=type,
            delivery=self.deliveries[number],
            attempt=1,
            called_at=self.at(number),
        )
        set_ = SETS[self.world.classes[slug, type]]
        return Sent(attempt, f"ses-{number:07}", f"{who}@{where}", set_, f"App <hello@{slug}.example>")

    def is_resent(self, number: int) -> bool:
        return number % 23 == 5

    def is_unanswered(self, number: int) -> bool:
        """Its call has no answer yet, so there is no ledger row."""
        return number % 41 == 7

    def documents(self, number: int) -> list[str]:
        """In the order in which it happened."""
        chance = random.Random(-number - 1)
        sent = self.sent(number)
        said = [sent.send(), *_fate(sent, chance)]
        if self.is_resent(number):
            later = sent.again(ses_id=f"again-{number:07}")
            said += [later.send(), *_fate(later, chance)]
        if number % max(97, self.mails // 100) == 3:
            said += _nonsense(sent, number)
        return said


def _fate(sent: Sent, chance: random.Random) -> list[str]:
    status, text = chance.choice(TEXTS)
    recipient = {"emailAddress": sent.to, "action": "failed"}
    bounced: dict[str, Any] = {
        "bouncedRecipients": [recipient | {"status": status, "diagnosticCode": text} if status else recipient]
    }
    match chance.randrange(16):
        case 0 | 1:
            return [sent.bounce(**bounced)]
        case 2:
            return [sent.delivery_event(), sent.bounce(after=60_000, **bounced)]
        case 3 | 4:
            return [
                sent.bounce(
                    "Transient",
                    chance.choice(("MailboxFull", "General")),
                    after=after,
                    feedbackId=str(after),
                    **bounced,
                )
                for after in (2000, 3000)
            ]
        case 5:
            feedback = chance.choice(("abuse", "not-spam", None))
            return [
                sent.delivery_event(),
                sent.complaint(after=chance.randrange(5000, 90_000), complaintFeedbackType=feedback),
            ]
        case 6:
            lists = (
                "OnTenantSuppressionList",
                "OnAccountSuppressionList",
                "Suppressed",
                "UnsubscribedRecipient",
            )
            return [sent.bounce(sub_type=chance.choice(lists))]
        case 7:
            failure = sent.document("Rendering Failure", errorMessage="x", templateName="t")
            return [chance.choice((sent.document("Reject", reason="Bad content"), failure))]
        case 8:
            delay = sent.document("DeliveryDelay", after=800, delayType="MailboxFull")
            return [delay, sent.delivery_event(after=5000)]
        case 9 | 10:
            seen = [
                sent.document("Open", after=after, isBotEvent=bot)
                for after, bot in ((3000, "Likely"), (9000, "Unlikely"), (12_000, None))
            ]
            clicks = [
                sent.document(
                    "Click",
                    after=13_000,
                    link="https://x.example",
                    isBotEvent=chance.choice(("Likely", None)),
                )
            ]
            return [sent.delivery_event(), *seen, *clicks]
        case _:
            return [sent.delivery_event()]


def _nonsense(sent: Sent, number: int) -> list[str]:
    """Nothing that may count: forged, of others, or no event at all."""
    foreign = {name: [value] for name, value in tags.sign(b"x" * 32, sent.attempt).items()}
    return [
        sent.bounce(mail=sent.mail(tags=foreign)),
        sent.bounce(mail=sent.mail(tags={"ses:configuration-set": ["ungoverned"]})),
        json.dumps({"mail": {"tags": number}}),
    ]


# Two databases with the same mail ----------------------------------------------------------------------------------------------


@pytest.fixture
async def mailed(
    database: Any, copy_of: Callable[..., AbstractAsyncContextManager[Any]]
) -> AsyncIterator[tuple[Post, Any, Any, str]]:
    """The mail, two databases that have it, and the key of their secrets."""
    owner = await engine.connect(database.dsn("owner"))
    store = ObserveStore(database.dsn("observe"))
    secret = make_secret_key()
    vault = Vault([secret])
    now = await owner.fetchval("select now_ms()")
    world = World(owner, store, now)
    await owner.execute(
        _SQL.insert_installation,
        INSTALLATION.name,
        vault.encrypt(INSTALLATION.mac_key),
        vault.encrypt(INSTALLATION.hash_key),
    )
    for class_, name in SETS.items():
        await owner.execute(
            "insert into configuration_set (name, kind, class) values ($1, 'shared', $2)", name, class_
        )
    await owner.execute("insert into configuration_set (name, kind) values ('ungoverned', 'ungoverned')")
    await world.tenant("acme", "password-reset", "receipt", "newsletter")
    await world.tenant("zen", "newsletter")
    post = Post(world, EVENTS * 10 // 27, now - SPAN - 600_000)
    for start in range(0, post.mails, 20_000):
        await write(world, post, range(start, min(post.mails, start + 20_000)))
    await store.close()
    await owner.close()
    async with copy_of(database) as other:
        yield post, database, other, secret


async def write(world: World, post: Post, numbers: Sequence[int]) -> None:
    messages: list[tuple[Any, ...]] = []
    ledger: list[tuple[Any, ...]] = []
    ready: list[tuple[Any, ...]] = []
    for number in numbers:
        sent = post.sent(number)
        slug = sent.source.rpartition("@")[2].partition(".")[0]
        tenant, lane = world.tenants[slug], world.lanes[slug, sent.attempt.type]
        to = address.parse(sent.to)
        of, hash = int(provider.of(to.domain)), address.hash_of(INSTALLATION.hash_key, to)
        campaign, list_ = (
            ("spring", None) if number % 3 == 0 else (None, "weekly" if number % 5 == 0 else None)
        )
        messages.append(
            (
                ids.message_of(sent.delivery),
                tenant,
                lane,
                "shared",
                "a@x.example",
                [sent.to],
                campaign,
                list_,
                1,
                1,
            )
        )
        last = sent.again(ses_id=f"again-{number:07}") if post.is_resent(number) else sent
        if post.is_unanswered(number):
            called_at, attempt = last.attempt.called_at, last.attempt.attempt
            ready.append((lane, sent.delivery, tenant, 1, attempt, of, 1, called_at, hash))
        else:
            called_at = last.attempt.called_at
            ledger.append(
                (sent.delivery, tenant, lane, 20, last.attempt.attempt, of, last.ses_id, called_at, called_at)
            )
    columns = {
        "message": "id tenant lane path from_address recipients campaign list bytes api_key",
        "ledger": "id tenant lane state attempt provider ses_id called_at at",
        "ready": "lane id tenant state attempt provider worker called_at hash",
    }
    for table, rows in (("message", messages), ("ledger", ledger), ("ready", ready)):
        await world.owner.copy_records_to_table(
            table, schema_name=engine.SCHEMA, columns=columns[table].split(), records=rows
        )
    await world.owner.execute("select count_finished($1::bigint[])", [row[0] for row in ledger])


#: What events write, without the columns that say when. Slices by their key: their numbers depend on the order.
_SLICE = "s.tenant, s.lane, s.path, s.campaign, s.list"
_BOUNDS = "'{slice, first_minute, last_minute}'::text[]"
PICTURE = {
    "event": "select delivery, key, tenant, lane, kind, attempt, at, ses_id, detail from event",
    "outcome": "select * from outcome",
    "send_event": "select * from send_event",
    "send_seen": "select configuration_set, called_at from send_seen",
    "suppression": "select * from suppression",
    "address_report": "select * from address_report",
    "ses_entry": "select tenant, hash, list, spelling, found from ses_entry",
    "ses_unlisting": "select tenant, hash, spelling, ses_id, since, due_at from ses_unlisting",
    "quarantine": "select digest, why, detail, source, tenant from quarantine where why <> 'ungoverned'",
    "ungoverned": "select digest, why, source, tenant from quarantine where why = 'ungoverned'",
    "cohort_minute": f"select {_SLICE}, to_jsonb(c) - 'slice' from cohort_minute c join slice s on s.id = c.slice",
    "cohort_hour": f"select {_SLICE}, to_jsonb(c) - 'slice' from cohort_hour c join slice s on s.id = c.slice",
    "cohort_day": "select * from cohort_day",
    # Its first and last minute are bounds: they may be of counts that were taken back.
    "cohort_slice": f"select {_SLICE}, to_jsonb(c) - {_BOUNDS} from cohort_slice c join slice s on s.id = c.slice",
    "cohort_unknown": f"select {_SLICE}, c.domain, c.minute, c.counts from cohort_unknown c join slice s on s.id = c.slice",
    "cohort_bounce_domain": "select * from cohort_bounce_domain",
}


async def picture(dsn: str) -> dict[str, tuple[int, str]]:
    """Of each table how many rows it has, and a digest of them in any order."""
    owner = await engine.connect(dsn)
    digest = "coalesce(sum(hashtextextended(x::text, 0)::numeric), 0)::text as digest"
    found: dict[str, tuple[int, str]] = {}
    for name, query in PICTURE.items():
        [row] = await owner.fetch(f"select count(*) as rows, {digest} from ({query}) x")
        found[name] = row["rows"], row["digest"]
    await owner.close()
    return found


async def difference(name: str, one: str, other: str) -> list[str]:
    """Some rows of a table that only one of two databases has."""
    found: list[set[str]] = []
    for dsn in (one, other):
        owner = await engine.connect(dsn)
        found.append(
            {row["x"] for row in await owner.fetch(f"select x::text from ({PICTURE[name]} limit 200000) x")}
        )
        await owner.close()
    return [f"in order: {row}" for row in sorted(found[0] - found[1])[:5]] + [
        f"in a storm: {row}" for row in sorted(found[1] - found[0])[:5]
    ]


async def learn(owner: engine.Connection, numbers: Sequence[int]) -> None:
    """What the learner does when the provider of a domain is known."""
    rows = [(UNKNOWN_DOMAINS[number], 0, number % 4) for number in numbers]
    await owner.executemany(
        "insert into domain_provider_change (domain, minute, provider) values ($1, $2, $3)", rows
    )
    await owner.fetchval("select move_unknown($1, 10000)", [row[0] for row in rows])


async def finish(dsn: str) -> None:
    """Folds and moves all that is left."""
    owner = await engine.connect(dsn)
    try:
        # The statement of a killed folder may still run; until it ends, no other one folds.
        await owner.execute("select pg_advisory_lock(28015, 0)")
        while await owner.fetchval("select fold_cohorts(10000)") or await owner.fetchval(
            "select move_unknown($1, 10000)", UNKNOWN_DOMAINS
        ):
            pass
        assert await owner.fetchval("select count(*) from pending_change") == 0
    finally:
        await owner.close()


# In order ----------------------------------------------------------------------------------------------------------------------


async def in_order(post: Post, database: Any) -> None:
    """Each event once, in batches, without a queue."""
    store = ObserveStore(database.dsn("observe"))
    batch: list[str] = []
    for number in range(post.mails):
        batch += post.documents(number)
        if len(batch) > 400 or number == post.mails - 1:
            decoded = [decode(document) for document in batch]

            async def work(tx: Transaction, decoded: Any = decoded) -> None:
                await post.world.ingest.store(tx, decoded, QUEUE)

            await store.run(work)
            batch = []
    await store.close()
    owner = await engine.connect(database.dsn("owner"))
    while await owner.fetchval("select fold_cohorts(10000)"):
        pass
    await learn(owner, range(len(UNKNOWN_DOMAINS)))
    await owner.close()
    await finish(database.dsn("owner"))


# In a storm --------------------------------------------------------------------------------------------------------------------


@dataclass
class Storm:
    post: Post
    queue: Queue
    environment: dict[str, str]
    log: Path
    chance: random.Random = field(default_factory=lambda: random.Random(EVENTS))
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict[str, subprocess.Popen[bytes]])
    kills: int = 0
    put: int = 0

    def start(self, name: str) -> None:
        command = "mailcordon_fixtures.folder" if name == "folder" else "mailcordon run observe"
        with self.log.open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, "-m", *command.split()], env=self.environment, stdout=log, stderr=log
            )

    async def kill(self, name: str) -> None:
        process = self.running.pop(name)
        assert process.poll() is None, self.log.read_text()[-3000:]
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.wait)
        self.kills += 1

    def shuffled(self) -> Iterator[str]:
        """All documents, each late by a random time, some of them twice."""
        waiting: list[str] = []
        for number in range(self.post.mails):
            for document in self.post.documents(number):
                waiting += [document] * (2 if self.chance.random() < TWICE else 1)
            while len(waiting) > LATE:
                yield self._one_of(waiting)
        while waiting:
            yield self._one_of(waiting)

    def _one_of(self, waiting: list[str]) -> str:
        place = self.chance.randrange(len(waiting))
        waiting[place], waiting[-1] = waiting[-1], waiting[place]
        return waiting.pop()

    async def feed(self) -> None:
        for document in self.shuffled():
            self.queue.put(document)
            self.put += 1
            if self.put % 100 == 0:
                await asyncio.sleep(0)
                # Kills are spread over the whole run.
                while len(self.queue.messages) > FULL or self.put * KILLS >= EVENTS * (self.kills + 1):
                    await asyncio.sleep(0.02)

    async def disturb(self) -> None:
        while self.kills < KILLS:
            await asyncio.sleep(self.chance.uniform(0.2, 1.5))
            name = self.chance.choice(sorted(self.running))
            await self.kill(name)
            await asyncio.sleep(self.chance.uniform(0, 0.2))
            self.start(name)

    async def until_read(self) -> None:
        deadline = time.monotonic() + 120
        while self.queue.messages:
            for process in self.running.values():
                assert process.poll() is None, self.log.read_text()[-3000:]
            assert time.monotonic() < deadline, (
                f"{len(self.queue.messages)} left: {self.log.read_text()[-3000:]}"
            )
            await asyncio.sleep(0.05)


async def in_a_storm(post: Post, database: Any, secret: str, directory: Path) -> Storm:
    local = await server.start(settings=Settings(queue_most=10 * FULL))
    queue = local.account.queues.ensure(QUEUE)
    settings = {
        "MAILCORDON_SES_ENDPOINT": local.url,
        "MAILCORDON_OUTCOME_QUEUE_URL": f"{local.url}/123456789012/{QUEUE}",
        **{config.login_setting(login): database.dsn(login) for login in config.PROCESS_LOGINS["observe"]},
        "MAILCORDON_SECRET_KEYS": secret,
        "MAILCORDON_VISIBILITY_SECONDS": str(VISIBILITY),
        "PYTHONPATH": str(Path(folder.__file__).parent.parent),
    }
    storm = Storm(post, queue, systems.environment(directory, settings), directory / "log")
    owner: engine.Connection = await asyncpg.connect(
        database.dsn("owner"), server_settings={"search_path": engine.SCHEMA}
    )
    try:
        for name in ("observer", "another observer", "folder"):
            storm.start(name)
        fed = asyncio.create_task(storm.feed())
        disturbed = asyncio.create_task(storm.disturb())
        for some in range(4):
            while storm.put < EVENTS * (some + 1) // 5 and not (fed.done() or disturbed.done()):
                await asyncio.sleep(0.05)
            await learn(owner, range(10 * some, 10 * (some + 1)))
        await asyncio.gather(fed, disturbed)
        await storm.until_read()
    finally:
        for process in storm.running.values():
            process.kill()
            process.wait()
        await owner.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(local.close(), 10)
    await finish(database.dsn("owner"))
    return storm


@pytest.mark.crash
@pytest.mark.timeout(300 + EVENTS // 50)
async def test_events_in_any_order_make_the_rows_of_a_run_in_order_whatever_dies(
    mailed: tuple[Post, Any, Any, str], tmp_path: Path
) -> None:
    post, one, other, secret = mailed
    await in_order(post, one)
    expected = await picture(one.dsn("owner"))
    began = time.monotonic()
    storm = await in_a_storm(post, other, secret, tmp_path)
    found = await picture(other.dsn("owner"))
    print(
        f"\n{storm.put} documents of {post.mails} mails in {time.monotonic() - began:.0f} s, {storm.kills} kills; rows:"
    )
    print("  " + ", ".join(f"{name} {rows}" for name, (rows, _) in found.items()))
    assert all(rows for name, (rows, _) in expected.items() if name != "cohort_unknown"), expected
    assert storm.kills == KILLS
    wrong = [name for name, rows in expected.items() if rows != found[name]]
    for name in wrong:
        print(name, *await difference(name, one.dsn("owner"), other.dsn("owner")), sep="\n  ")
    assert not wrong
