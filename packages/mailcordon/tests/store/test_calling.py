"""One claimed delivery: an outcome is unknown only if SES may have the mail, and every unknown one counts towards an outage."""

import pytest

from mailcordon.send.refusals import Answer
from mailcordon.send.window import UNCLEAR
from mailcordon_fixtures.calls import Caller

RETRY, UNKNOWN = (1, "retry"), (2, "outcome-unknown")


async def test_a_mail_that_cannot_be_composed_is_retried_and_its_outcome_is_known(caller: Caller) -> None:
    [claim] = await caller.claim()
    await caller.deliver(claim._replace(to=Unprintable("kim@example.com")))
    assert (await caller.waiting(), caller.ses.calls) == ([RETRY], 0)
    assert not caller.calling.window.outage


class Unprintable(str):
    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> bytes:
        raise ValueError


async def test_an_exception_of_the_call_is_an_unknown_outcome_and_counts_towards_an_outage(
    caller: Caller,
) -> None:
    claims = await caller.claim(UNCLEAR + 2)
    caller.ses.reply = RuntimeError("the socket of somebody else")
    await caller.deliver(*claims[:UNCLEAR])
    assert await caller.waiting() == [UNKNOWN] * UNCLEAR
    assert caller.calling.window.stopped
    await caller.deliver(*claims[UNCLEAR:])
    assert caller.ses.calls == UNCLEAR, "the rest went back"


async def test_credentials_that_expired_stop_the_dispatcher_and_leave_no_unknown_outcome(
    caller: Caller,
) -> None:
    claims = await caller.claim(8)
    caller.ses.reply = Answer(403, code="ExpiredTokenException", text="The security token is expired")
    for claim in claims:
        await caller.deliver(claim)
    assert (await caller.waiting(), caller.ses.calls) == ([], 1)
    assert await caller.world.count("ready", "state = 0") == 8
    assert caller.calling.stops.stopped


async def test_a_hold_that_comes_while_a_connection_is_made_withdraws_the_call(caller: Caller) -> None:
    [claim] = await caller.claim()

    def stale() -> None:
        caller.now += 10

    caller.ses.meanwhile = stale
    await caller.deliver(claim)
    assert (caller.ses.calls, await caller.world.count("ready", "state = 0")) == (0, 1)


async def test_a_lane_without_a_route_keeps_its_mail_and_spends_no_call(caller: Caller) -> None:
    [claim] = await caller.claim()
    await caller.calling.deliver(claim, None, caller.loop)
    await caller.calling.results.flush()
    assert ((await caller.waiting())[0][1], caller.ses.calls) == ("no-route", 0)


async def test_an_error_while_a_refusal_is_recorded_leaves_no_unknown_outcome(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller.ses.reply = Answer(429, code="TooManyRequestsException")
    monkeypatch.setattr(caller.loop.tokens, "lapse", lambda: 1 / 0)
    await caller.deliver(*await caller.claim())
    assert await caller.waiting() == [RETRY]


async def test_a_sent_mail_is_in_the_ledger(caller: Caller) -> None:
    await caller.deliver(*await caller.claim(3))
    assert (await caller.world.count("ledger", "state = 20"), await caller.waiting()) == (3, [])
