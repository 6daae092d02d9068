"""A delivery that is begun without a task has the result that `deliver` gives it, and the same consequences."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
import structlog

from mailcordon.core.route import Route
from mailcordon.send.calling import Loop
from mailcordon.send.facts import DispatchFacts
from mailcordon.send.moves import Claimed
from mailcordon.send.refusals import WITHDRAWN, Answer
from mailcordon.send.results import Results, Slots
from mailcordon.send.room import Room
from mailcordon.send.stops import Stops
from mailcordon.send.tokens import Tokens
from mailcordon.send.window import Window
from mailcordon_fixtures.calls import Caller, Ses

from .test_calling import Unprintable

REPLIES: list[Answer | Exception] = [
    Answer(200, "0100-ab"),
    Answer(200, "0100-ab"),
    Answer(200, None, "NoMessageId", "{}"),
    Answer(-1, code="NoAnswer", text="reset"),
    Answer(0, code="NotSent", text="refused"),
    Answer(0, code="NoCredentials", text="none"),
    Answer(0, code=WITHDRAWN),
    Answer(400, code="MessageRejected", text="Message length is too much"),
    Answer(400, code="NewException", text="something new"),
    Answer(403, code="AccessDeniedException", text="Tenant not associated with resources"),
    Answer(404, code="NotFoundException", text="Configuration set acme does not exist"),
    Answer(429, code="TooManyRequestsException", text="Maximum sending rate exceeded"),
    Answer(500, code="InternalFailure", text="oops"),
    RuntimeError("the socket of somebody else"),
]


class Immediate(Ses):
    """Starts calls without a task. `refuses`: but for this one, which is known only when it is tried if `late`. `fails`: instead
    of starting one."""

    refuses = late = fails = False
    started = 0

    @property
    def ready(self) -> bool:
        return not self.refuses or self.late

    def start(self, *given: Any) -> bool:
        body, _, done = given
        if self.refuses:
            return False
        self.started += 1
        self.calls += 1
        self.body = body
        if self.fails:
            assert isinstance(self.reply, Exception)
            raise self.reply
        asyncio.get_running_loop().call_soon(done, self.reply)
        return True


class Side:
    """One dispatcher's parts over the shared queue."""

    def __init__(self, caller: Caller) -> None:
        mine, queue = caller.calling, caller.queue
        self.ses = Immediate()
        self.results = Results(queue)
        stops = Stops(
            store=queue,
            governor=mine.stops._governor,  # type: ignore[attr-defined]
            canaries=mine.stops._canaries,  # type: ignore[attr-defined]
            cell="default",
            first_probe_ms=1_000,
        )
        window = Window("default", mine.window.clock)
        self.calling = replace(
            mine, ses=self.ses, results=self.results, stops=stops, window=window, facts=DispatchFacts()
        )
        self.loop = Loop(Slots(64), Tokens(queue, "default", urgent=True), Room(1 << 20))

    async def begin(self, claim: Claimed, route: Route | None) -> None:
        ended = asyncio.Event()
        self.calling.begin(claim, route, self.loop, ended.set)
        await ended.wait()

    async def deliver(self, claim: Claimed, route: Route | None) -> None:
        await self.calling.deliver(claim, route, self.loop)

    def found(self) -> dict[str, object]:
        batch, facts = self.results._batch, self.calling.facts  # type: ignore[attr-defined]
        window, stops, tokens = self.calling.window, self.calling.stops, self.loop.tokens
        return {
            "results": (batch.finished, batch.deferred, batch.requeued),
            "window": window,
            "facts": replace(facts, call_seconds=None, sent_seconds={}),  # type: ignore[arg-type]
            "calls": facts.call_seconds.counts,
            "sent": [one.counts for one in facts.sent_seconds.values()],
            "stops": stops._seen,  # type: ignore[attr-defined]
            "tokens": (tokens._have, tokens._lapsed),  # type: ignore[attr-defined]
            "last call": self.calling.last_call,
            "called": (self.ses.calls, self.ses.body),
        }


Way = Callable[[Claimed, Route | None], Awaitable[None]]


@pytest.mark.parametrize("seed", range(8))
async def test_it_ends_as_a_delivery_in_a_task_does(caller: Caller, seed: int) -> None:
    chance, route = random.Random(seed), await caller.route()
    claims = await caller.claim(40)
    plain, fast = Side(caller), Side(caller)
    ways: list[tuple[Side, Way]] = [(plain, plain.deliver), (fast, fast.begin)]
    for claim in claims:
        reply = chance.choice(REPLIES)
        kind = chance.choice(
            ["as it is"] * 6 + ["unprintable", "empty", "no route", "stopped", "busy", "refused", "fails"]
        )
        for side, way in ways:
            side.calling.stopping = kind == "stopped"
            side.ses.reply, side.ses.refuses = reply, kind in ("busy", "refused")
            side.ses.late = kind == "refused"
            side.ses.fails = kind == "fails" and isinstance(reply, Exception)
            changed = claim
            if kind == "unprintable":
                changed = claim._replace(to=Unprintable(claim.to))
            elif kind == "empty":
                changed = claim._replace(content=None)
            with structlog.testing.capture_logs():
                await way(changed, None if kind == "no route" else route)
        caller.now += 0.01
        if chance.random() < 0.6:  # what a probe or a person ends
            for side, _ in ways:
                side.calling.window.probed()
                side.calling.stops.read([])
                side.calling.stops._seen.clear()  # type: ignore[attr-defined]
                side.calling.stops.read([])
    for what, expected in plain.found().items():
        assert fast.found()[what] == expected, what
    assert fast.ses.started > 10
    done = fast.results._batch  # type: ignore[attr-defined]
    assert len(done) == len(claims), "one result each"


async def test_mail_that_is_begun_is_recorded_and_its_slots_are_free(caller: Caller) -> None:
    """Sent, unclear, and too fast: one result each, in the database."""
    caller.calling.ses = ses = Immediate()
    claims = await caller.claim(3)
    route, left = await caller.route(), [3]
    over = asyncio.Event()

    def ended() -> None:
        left[0] -= 1
        if not left[0]:
            over.set()

    for claim, reply in zip(claims, (REPLIES[0], REPLIES[3], REPLIES[11]), strict=True):
        ses.reply = reply
        caller.calling.begin(claim, route, caller.loop, ended)
    assert left == [3]
    await over.wait()
    await caller.calling.results.flush()
    assert await caller.waiting() == [(2, "outcome-unknown")]
    assert await caller.world.count("ready", "state = 0") == 1
    assert await caller.world.count("ledger") == 1
    assert caller.loop.slots.free == caller.loop.slots.size
    [empty] = await caller.claim()
    left[0] = 1
    caller.calling.begin(empty._replace(content=None), route, caller.loop, ended)
    assert left == [0]
    assert caller.loop.tokens._have == 1, "only calls spend tokens"  # type: ignore[attr-defined]
