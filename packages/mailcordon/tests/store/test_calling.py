"""One claimed delivery: an outcome is unknown only if SES may have the mail, and every unknown one counts towards an outage."""

from dataclasses import replace

import pytest

from mailcordon.core.priority import Class
from mailcordon.send.refusals import Answer
from mailcordon.send.unsubscribe import Keyring, Links
from mailcordon.send.window import UNCLEAR
from mailcordon_fixtures.calls import Caller

RETRY, UNKNOWN = (1, "retry"), (2, "outcome-unknown")


async def test_a_mail_that_cannot_be_composed_is_retried_and_its_outcome_is_known(caller: Caller) -> None:
    [claim] = await caller.claim()
    await caller.deliver(claim._replace(to=Unprintable("kim@example.com")))
    assert (await caller.waiting(), caller.ses.calls) == ([RETRY], 0)
    assert not caller.calling.window.outage


async def test_marketing_mail_does_not_leave_without_a_link_to_unsubscribe(caller: Caller) -> None:
    first, second, own = await caller.claim(3)
    route = await caller.route()
    news = replace(route, lane=replace(route.lane, class_=Class.MARKETING))
    content = b'"Content":{"Simple":{"Subject":{"Data":"x"}}}'
    await caller.deliver(first._replace(content=content), route=news)
    assert (await caller.waiting(), caller.ses.calls) == ([RETRY], 0)
    theirs = b'{"Name":"List-Unsubscribe","Value":"<https://acme.example/u/1>"}'
    post = b'{"Name":"List-Unsubscribe-Post","Value":"List-Unsubscribe=One-Click"}'
    await caller.deliver(
        own._replace(content=content[:-2] + b',"Headers":[%b,%b]}}' % (theirs, post)), route=news
    )
    assert (caller.ses.calls, caller.ses.body.count(b"List-Unsubscribe")) == (1, 3)  # the app's own
    caller.calling.links = Links(Keyring({1: bytes(64)}), b"h" * 32, "https://links.example")
    await caller.deliver(second._replace(content=content), route=news)
    assert (await caller.waiting(), caller.ses.calls) == ([RETRY], 2)
    assert b'"Value":"<https://links.example/u/' in caller.ses.body
    assert b'"Value":"List-Unsubscribe=One-Click"' in caller.ses.body


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


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        (Answer(503, code="ServiceUnavailable"), UNKNOWN),
        (Answer(-1, code="NoAnswer", text="no response within 30 s"), UNKNOWN),
        (Answer(200, code="NoMessageId"), UNKNOWN),
        (Answer(400, code="BadRequestException", text="words that nobody knows"), (1, "set-aside")),
    ],
)
async def test_what_is_neither_accepted_nor_refused_for_good_waits(
    caller: Caller, answer: Answer, left: tuple[int, str]
) -> None:
    caller.ses.reply = answer
    await caller.deliver(*await caller.claim())
    assert await caller.waiting() == [left]
    assert await caller.world.count("ledger") == 0
    if left == UNKNOWN:
        names = await caller.world.connection.fetchval("select configuration_set from waiting")
        assert names == (await caller.route()).configuration_set, "its Send event comes with this set"


async def test_a_mail_that_ses_rejects_for_good_ends_and_its_lane_goes_on(caller: Caller) -> None:
    claims = await caller.claim(2)
    caller.ses.reply = Answer(400, code="MessageRejected", text="Message contains a virus.")
    await caller.deliver(claims[0])
    caller.ses.reply = Answer(200, "0100-ab")
    await caller.deliver(claims[1])
    states = await caller.world.connection.fetch("select state from ledger order by id")
    assert len(states) == 2
    assert states[0]["state"] != states[1]["state"] == 20


async def test_throttled_calls_that_were_on_the_wire_together_go_back_and_lower_the_rate_once(
    caller: Caller,
) -> None:
    async def rate() -> float:
        return await caller.world.connection.fetchval("select rate from account_rate")

    caller.ses.reply = Answer(429, code="TooManyRequestsException", text="Maximum sending rate exceeded.")
    claims = await caller.claim(4)
    await caller.deliver(claims[0])
    once = await rate()
    await caller.deliver(*claims[1:])
    assert await rate() == once < 100_000
    assert await caller.world.count("ready", "state = 0") == 4


@pytest.mark.parametrize("what", ["stale", "window", "stopping"])
async def test_while_no_call_may_start_claimed_mail_goes_back_and_spends_no_call(
    caller: Caller, what: str
) -> None:
    claims = await caller.claim(3)
    if what == "stale":
        caller.now += 10
    elif what == "window":
        caller.calling.window.stop("outage")
    else:
        caller.calling.stopping = True
    await caller.deliver(*claims)
    assert (caller.ses.calls, await caller.world.count("ready", "state = 0")) == (0, 3)


async def test_a_refusal_of_the_set_stops_its_lanes_before_the_next_call(caller: Caller) -> None:
    claims = await caller.claim(3)
    caller.ses.reply = Answer(
        400, code="SendingPausedException", text="Sending paused for configuration set x."
    )
    for claim in claims:
        await caller.deliver(claim)
    assert (caller.ses.calls, await caller.world.count("ready", "state = 0")) == (1, 3)
    assert not caller.calling.stops.stopped, "other lanes go on"
