"""Claimed mail, a dispatcher's parts around the real queue, and an SES that answers what a test wants."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from mailcordon.adapters.db import engine
from mailcordon.adapters.db.governor_store import GovernorStore
from mailcordon.adapters.db.queue_store import QueueStore
from mailcordon.control.governor import Governor
from mailcordon.core.route import Route
from mailcordon.send.calling import Calling, Loop
from mailcordon.send.canary import Canaries, Identity
from mailcordon.send.decide import RowFacts
from mailcordon.send.holds import Holds
from mailcordon.send.moves import Claimed
from mailcordon.send.refusals import WITHDRAWN, Answer
from mailcordon.send.results import Results, Slots
from mailcordon.send.room import Room
from mailcordon.send.stops import Stops
from mailcordon.send.tokens import Tokens
from mailcordon.send.window import Window

CONTENT = b"subject: x"
Reply = Answer | Exception


@dataclass
class Ses:
    reply: Reply = field(default_factory=lambda: Answer(200, "0100-ab"))
    calls: int = 0
    body: bytes = b""  #: of the last call
    meanwhile: Callable[[], None] = lambda: None

    @property
    def ready(self) -> bool:
        return False

    def start(self, *_: object) -> bool:
        """Each call needs a task."""
        return False

    async def send_email(self, body: bytes, permitted: Callable[[], bool] | None = None) -> Answer:
        """Asks for permission as after a connection that took a while."""
        self.meanwhile()
        if permitted is not None and not permitted():
            return Answer(0, code=WITHDRAWN)
        self.calls += 1
        self.body = body
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply


async def on_the_wire(
    world: Any, queue: QueueStore, n: int, to: str = "kim@example.com", attempt: int = 1
) -> list[Claimed]:
    """`n` deliveries of the only lane, claimed by this worker."""
    lane = await world.connection.fetchrow("select id, tenant from lane")
    rows = await world.connection.fetch(
        "insert into ready (lane, id, tenant, state, attempt, worker, called_at, hash)"
        " select $1, ((now_ms() - 1767225600000) << 22) + 64 * n + 1, $2, 1, $5, $3, now_ms(), '\\x00'"
        " from generate_series(1, $4::int) n returning id, called_at",
        lane["id"],
        lane["tenant"],
        queue.worker,
        n,
        attempt,
    )
    return [
        Claimed(
            lane["id"],
            row["id"],
            lane["tenant"],
            attempt,
            row["called_at"],
            0,
            None,
            None,
            to,
            CONTENT,
            RowFacts(None),
        )
        for row in rows
    ]


@dataclass
class Caller:
    world: Any
    queue: QueueStore
    ses: Ses
    calling: Calling
    loop: Loop
    now: float = 0.0

    async def claim(self, n: int = 1, to: str = "kim@example.com", attempt: int = 1) -> list[Claimed]:
        """`n` deliveries on the wire."""
        claims = await on_the_wire(self.world, self.queue, n, to, attempt)
        for claim in claims:
            self.loop.slots.take(claim.tenant)
        return claims

    async def route(self) -> Route:
        [route] = (await self.queue.lane_routes([await self.lane()])).values()
        return route

    async def lane(self) -> int:
        return await self.world.connection.fetchval("select id from lane")

    async def deliver(self, *claims: Claimed, route: Route | None = None) -> None:
        route, free = route or await self.route(), self.loop.slots.free
        await asyncio.gather(*(self.calling.deliver(claim, route, self.loop) for claim in claims))
        await self.calling.results.flush()
        assert self.loop.slots.free == free + len(claims), "one result each"

    async def waiting(self) -> list[tuple[int, str]]:
        rows = await self.world.connection.fetch("select why, code from waiting order by id")
        return [(row["why"], row["code"]) for row in rows]


@pytest.fixture
async def caller(world: Any) -> AsyncIterator[Caller]:
    await world.lane("acme", "password-reset")
    await world.account()
    queue = QueueStore(world.database.dsn("send"))
    await queue.begin_work()
    pool = await engine.create_pool(world.database.dsn("governor"), max_size=1)
    identity, ses = Identity(installation="test", mac_key=b"k" * 32), Ses()
    stops = Stops(
        store=queue,
        governor=Governor(GovernorStore(pool)).stops,
        canaries=Canaries(
            identity, ses.send_email, may_use=lambda route: True, now_ms=lambda: 1_795_000_000_000
        ),
        cell="default",
        first_probe_ms=1_000,
    )
    caller: Caller
    holds = Holds(queue, lambda: caller.now)
    calling = Calling(
        store=queue,
        ses=ses,
        identity=identity,
        holds=holds,
        stops=stops,
        window=Window("default", lambda: caller.now),
        results=Results(queue),
    )
    caller = Caller(
        world, queue, ses, calling, Loop(Slots(16), Tokens(queue, "default", urgent=True), Room(1 << 20))
    )
    await holds.read()
    yield caller
    await pool.close()
    await queue.close()
