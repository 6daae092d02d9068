"""A move of the clock in slices: the server answers meanwhile, a reset or the end cuts it short, and a million mails that are due
on the way take bounded memory."""

from __future__ import annotations

import asyncio
import dataclasses
import gc
import logging
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import pytest

from seslocal import Clock, Settings
from seslocal.clock import SLICE, ClockIsMoving
from seslocal.sesv2 import configuration_sets, identities, sending
from seslocal.state import event_log, under_way
from seslocal.state.accepted_mail import Mail
from seslocal.state.access import Caller
from seslocal.state.account import Account
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.mail_under_way import MailUnderWay
from seslocal.state.outcomes import DELIVERY, Outcome, Plan
from seslocal.testing import SesLocal
from seslocal_fixtures.world import PATIENCE, Background, World

START = 1_767_225_600.0  # 2026-01-01T00:00:00Z
HOUR = 3600.0
CALLER = Caller("test", "us-east-1", "127.0.0.1", "127.0.0.1:8005", "test")


class Gate:
    """Work of the clock that is due again and again, so that a move cannot end before it is opened. Each time takes a slice."""

    def __init__(self, clock: Clock, due: float) -> None:
        self._clock = clock
        self._is_open = threading.Event()
        self.passed = 0
        self._until = time.monotonic() + PATIENCE
        clock.call_at(due, self._wait)

    def _wait(self) -> None:
        self.passed += 1
        if not self._is_open.wait(
            SLICE
        ):  # work that computed would keep the test's own thread from its calls
            assert time.monotonic() < self._until, "the gate was never opened"
            self._clock.call_later(0.0, self._wait)

    def open(self) -> None:
        self._is_open.set()


# the clock itself


async def test_a_short_move_is_over_when_it_returns() -> None:
    clock, seen = Clock(START, 0), list[float]()
    clock.call_at(START + 5, lambda: seen.append(clock.now()))
    move = clock.move(START + 10)
    assert (move.under_way, move.arrived, move.ran, clock.moving) == (False, True, 1, None)
    assert (seen, clock.now()) == ([START + 5], START + 10)


async def test_a_long_move_lets_the_loop_run_and_shows_the_time_of_what_ran_last() -> None:
    clock = Clock(START, 0)
    gate = Gate(clock, START + 5)
    later: list[float] = []
    clock.call_at(START + 9, lambda: later.append(clock.now()))
    move = clock.move(START + 10)
    assert clock.moving is move
    assert (clock.now(), later) == (START + 5, [])
    before = gate.passed
    while gate.passed == before:
        await asyncio.sleep(0)
    clock.call_at(START + 7, lambda: later.append(clock.now()))  # on the way
    with pytest.raises(ClockIsMoving):
        clock.advance(1)
    with pytest.raises(ClockIsMoving):
        clock.move(START + 20)
    clock.settle()  # does not run what is due at the time that it shows
    gate.open()
    assert await move.wait()
    assert (later, clock.now(), clock.moving) == ([START + 7, START + 9], START + 10, None)
    assert move.ran == gate.passed + 2


async def test_a_running_clock_stands_still_between_slices_and_then_continues() -> None:
    clock = Clock(START, 1.0)
    gate = Gate(clock, START + 50)
    move = clock.move(START + 100)
    assert clock.now() == START + 50
    assert clock.anchor[0] == START + 50  # a process that is killed now continues from here
    gate.open()
    await move.wait()
    assert clock.now() >= START + 100
    assert clock.speed == 1.0


async def test_work_that_sets_the_clock_during_a_move_is_heard() -> None:
    clock, seen = Clock(START, 0), list[tuple[str, float]]()
    clock.call_at(START + 5, lambda: clock.set(speed=2.0))
    clock.call_at(START + 6, lambda: clock.advance(10))
    clock.call_at(START + 8, lambda: seen.append(("on the way of the inner", clock.now())))
    clock.call_at(START + 30, lambda: seen.append(("after", clock.now())))
    move = clock.move(START + 40)
    assert not move.under_way
    assert clock.speed == 2.0
    assert [name for name, _ in seen] == ["on the way of the inner", "after"]
    assert seen[0][1] == pytest.approx(START + 8, abs=0.5)
    assert seen[1][1] == pytest.approx(START + 30, abs=0.5)


async def test_work_that_resets_the_clock_ends_the_move() -> None:
    clock, seen = Clock(START, 0), list[float]()
    clock.call_at(START + 5, clock.reset)
    clock.call_at(START + 6, lambda: seen.append(clock.now()))
    move = clock.move(START + 10)
    assert (move.under_way, move.arrived) == (False, False)
    assert (seen, clock.now(), clock.pending) == ([], START, 0)


async def test_what_is_due_in_real_time_runs_in_slices_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("seslocal.clock.SLICE", 0.0)  # so that each callback is one
    clock, seen = Clock(START, 1.0), list[str]()
    done = asyncio.Event()
    for _ in range(5):
        clock.call_at(START, lambda: seen.append("work"))
    clock.call_at(START, done.set)
    while not done.is_set():
        seen.append("loop")
        await asyncio.sleep(0)
    assert seen.count("work") == 5
    assert "work,work" not in ",".join(seen)


async def test_finish_does_the_rest_at_once() -> None:
    clock, seen = Clock(START, 0), list[float]()
    gate = Gate(clock, START + 5)
    clock.call_at(START + 6, lambda: seen.append(clock.now()))
    move = clock.move(START + 10)
    gate.open()
    clock.finish()
    assert (move.arrived, seen, clock.now()) == (True, [START + 6], START + 10)


# behind a server


@pytest.fixture
def gated(world: World) -> Iterator[tuple[World, Gate]]:
    """A frozen clock with a gate half an hour from now."""
    world.admin("PUT", "/clock", {"at": START, "frozen": True})
    world.ready()
    gate = Gate(world.local.account.clock, START + HOUR / 2)
    yield world, gate
    gate.open()
    world.admin("POST", "/reset")


def test_calls_are_answered_while_an_hour_passes(gated: tuple[World, Gate]) -> None:
    world, gate = gated
    for number in range(30):
        world.mailbox(f"slow{number}@example.com", "defers", seconds=100.0 * number)
    for number in range(30):
        world.send(f"slow{number}@example.com")
    queue = world.queue()
    shown = world.admin("PUT", "/clock", {"advance": HOUR, "wait": False})
    assert shown["moving"] == {"from": START, "to": START + HOUR, "ran": shown["moving"]["ran"]}
    assert START <= shown["now"] <= START + HOUR / 2
    assert world.admin("GET", "/health")["status"] == "ok"
    assert world.admin("GET", "/clock?wait=1")["moving"]["to"] == START + HOUR
    assert world.send("kim@example.com")
    got: list[dict[str, Any]] = []
    while len(got) < 30:  # what happened in the first half of the hour
        got += world.sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
    assert "clock moves to 2026-01-01 01:00:00" in world.bare("GET", "/")[1].decode()
    refused = world.admin("PUT", "/clock", {"advance": 1}, expect=409)["error"]
    assert "moving to 2026-01-01T01:00:00.000Z" in refused
    assert "moving" in world.admin("PUT", "/clock", {"speed": 5}, expect=409)["error"]
    assert "moving" in world.admin("GET", "/clock")
    gate.open()
    while "moving" in (shown := world.admin("GET", "/clock?wait=60")):
        pass
    assert (shown["now"], shown["due"], shown["frozen"]) == (START + HOUR, 0, True)
    assert len(world.sent()) == 31


def waiting_put(world: World, answers: list[tuple[int, bytes]]) -> threading.Thread:
    """Starts a `PUT` that waits for its move, and returns when the move is under way."""

    def put() -> None:
        try:
            answers.append(world.http("PUT", "/_seslocal/clock", b'{"advance": 3600}'))
        except OSError:
            answers.append((0, b"the connection was closed"))

    thread = threading.Thread(target=put)
    thread.start()
    world.wait_for(lambda: world.local.account.clock.moving is not None)
    return thread


def test_a_put_returns_when_the_move_is_over(gated: tuple[World, Gate]) -> None:
    world, gate = gated
    answers: list[tuple[int, bytes]] = []
    thread = waiting_put(world, answers)
    assert world.admin("GET", "/health")["status"] == "ok"
    assert answers == []
    gate.open()
    thread.join(PATIENCE)
    [(status, body)] = answers
    assert (status, b"moving" in body) == (200, False)
    assert world.admin("GET", "/clock")["now"] == START + HOUR


def test_a_reset_ends_a_move(gated: tuple[World, Gate], caplog: pytest.LogCaptureFixture) -> None:
    world, gate = gated
    world.mailbox("slow@example.com", "defers", seconds=0.9 * HOUR)
    world.send("slow@example.com")
    answers: list[tuple[int, bytes]] = []
    thread = waiting_put(world, answers)
    world.admin("POST", "/reset")
    thread.join(PATIENCE)
    [(status, body)] = answers
    assert (status, b"was reset" in body) == (409, True)
    passed = gate.passed
    shown = world.admin("GET", "/clock")
    assert ("moving" in shown, shown["due"]) == (False, 0)
    assert world.local.account.mail.ledger.total == 0
    assert gate.passed == passed  # nothing of the account before runs
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_the_end_of_the_server_ends_a_move(caplog: pytest.LogCaptureFixture) -> None:
    background = Background(Settings(event_delay=0.001), Clock(START, 0))
    world = World(background.local, None, None)
    gate = Gate(background.local.account.clock, START + 5)
    answers: list[tuple[int, bytes]] = []
    thread = waiting_put(world, answers)
    background.stop()
    thread.join(PATIENCE)
    assert len(answers) == 1
    assert answers[0][0] in (0, 409)
    clock = background.local.account.clock
    assert (clock.moving, clock.now()) == (None, START + 5)
    passed = gate.passed
    gate.open()
    assert gate.passed == passed
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_a_client_that_leaves_does_not_stop_the_move(gated: tuple[World, Gate]) -> None:
    world, gate = gated
    clock = world.local.account.clock
    with socket.create_connection((world.local.host, world.local.port), timeout=PATIENCE) as sock:
        sock.sendall(
            b"PUT /_seslocal/clock HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            b'Content-Length: 17\r\n\r\n{"advance": 3600}'
        )
        world.wait_for(lambda: clock.moving is not None)
    gate.open()
    world.wait_for(lambda: clock.moving is None)
    assert clock.now() == START + HOUR


def test_a_scenario_moves_the_clock_at_once(world: World) -> None:
    """The steps after it find the time that it led to, as ever."""
    world.admin("PUT", "/clock", {"at": START, "frozen": True})
    clock = world.local.account.clock

    def work() -> None:
        sum(range(2000))

    for number in range(2000):
        clock.call_at(START + 1 + number, work)
    steps = [
        {"at": 0, "call": "PUT /clock", "body": {"advance": 3000}},
        {"at": 0, "call": "PUT /clock", "body": {"advance": 10}},
    ]
    world.admin("POST", "/scenario", {"steps": steps})
    assert [step["outcome"] for step in world.admin("GET", "/scenario")["steps"]] == ["done", "done"]
    shown = world.admin("GET", "/clock")
    assert (shown["now"], shown["due"]) == (START + 3010, 0)
    world.admin("POST", "/reset")


def test_the_fixture_waits_for_the_end(gated: tuple[World, Gate]) -> None:
    world, gate = gated
    fixture = SesLocal(world.local)
    thread = threading.Thread(target=fixture.advance, args=(HOUR,))
    thread.start()
    world.wait_for(lambda: world.local.account.clock.moving is not None)
    assert thread.is_alive()
    gate.open()
    thread.join(PATIENCE)
    assert world.local.account.clock.now() == START + HOUR


# mails that are due


class Counter:
    """Counts what happens to mails."""

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}

    def accepted(
        self, mail: Mail, configuration_set: ConfigurationSet | None, plans: list[tuple[str, Plan]]
    ) -> None:
        pass

    def happened(
        self, mail: Mail, event: str, outcome: Outcome | None, recipients: Sequence[str], at: float
    ) -> None:
        self.counts[event] = self.counts.get(event, 0) + 1


def first_mail(account: Account) -> MailUnderWay:
    """Sends a mail, as a campaign's. Returns it before its Send."""
    identities.create(account, {"EmailIdentity": "acme.example"}, CALLER)
    headers = [
        {"Name": "List-Unsubscribe", "Value": "<https://acme.example/u/0123456789abcdef0123456789abcdef>"},
        {"Name": "List-Unsubscribe-Post", "Value": "List-Unsubscribe=One-Click"},
    ]
    body = {"Html": {"Data": "<p>Hello</p>"}, "Text": {"Data": "Hello"}}
    simple = {"Subject": {"Data": "Your spring offers"}, "Body": body, "Headers": headers}
    call = {
        "FromEmailAddress": "Acme News <news@acme.example>",
        "Destination": {"ToAddresses": ["spring.000000@example.com"]},
        "EmailTags": [{"Name": "campaign", "Value": "spring"}],
        "Content": {"Simple": simple},
    }
    sending.send_email(account, call, CALLER)
    [found] = account.mail.under_way.waiting()
    return found


def another(account: Account, first: MailUnderWay, number: int, late: float) -> MailUnderWay:
    """Returns a mail to somebody else, with an id and a link of its own, which is delivered late."""
    at, to = account.clock.now(), f"spring.{number:06d}@example.com"
    message_id, token = account.ids.message(at), account.ids.uuid()
    headers = [dict(header) for header in first.mail.headers]
    for header in headers:
        header["value"] = header["value"].replace("0123456789abcdef0123456789abcdef", token)
        header["value"] = header["value"].replace("spring.000000@example.com", to)
    mail = msgspec.structs.replace(
        first.mail,
        message_id=message_id,
        accepted_at=at,
        destination=(to,),
        headers=headers,
        common={**first.mail.common, "to": [to], "messageId": message_id},
        written=None,
    )
    plan = (dataclasses.replace(DELIVERY, after=late),)
    return msgspec.structs.replace(first, mail=mail, plans=[(to, plan)], done=set(), left_at=None)


@pytest.mark.parametrize(
    ("count", "spread"), [(4000, True), (2000, False)], ids=["spread over an hour", "all at one moment"]
)
async def test_due_mails_take_less_than_300_bytes_each_and_an_hour_of_them_takes_no_more(
    count: int, spread: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_log, "MOST", 10)  # it keeps what it has told, up to its limit
    account = Account(Settings(seed=1, ledger=100, event_delay=0.01), Clock(START, 0))
    first, counter = first_mail(account), Counter()
    account.clock.advance(1.0)
    account.mail.observers = (counter,)
    left_at = account.clock.now()
    tracemalloc.start(1)
    try:
        for number in range(count):
            late = 2.0 + HOUR * (number * 7919 % count) / count if spread else HOUR / 2
            sent = msgspec.structs.replace(another(account, first, number, late), left_at=left_at, done={0})
            account.mail.under_way.schedule(left_at + 0.01 + late, sent)
        gc.collect()
        waiting = tracemalloc.get_traced_memory()[0]
        assert account.clock.pending == count
        tracemalloc.reset_peak()
        move, slices = account.clock.move(START + 2 * HOUR), 1
        while move.under_way:
            slices += 1
            await asyncio.sleep(0)
        most = tracemalloc.get_traced_memory()[1]
        gc.collect()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert waiting / count < 300, waiting / count
    assert most < waiting + 500_000, (waiting, most)
    assert after < 500_000, after
    assert slices > 3
    assert account.clock.pending == 0
    assert counter.counts == {"Delivery": count}


async def test_mails_that_are_due_soon_are_objects_up_to_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(under_way, "MOST_NEAR", 10)
    account = Account(Settings(seed=1, event_delay=0.01), Clock(START, 0))
    first, counter = first_mail(account), Counter()
    account.mail.observers = (counter,)
    for number in range(50):
        account.mail.under_way.start(START + 0.01, another(account, first, number, 0.0))
    waiting = [thing for _, _, thing in account.clock.waiting("mail")]
    assert [isinstance(thing, bytes) for thing in waiting].count(False) == 10
    assert len({one.mail.message_id for one in account.mail.under_way.waiting()}) == 51
    account.clock.advance(1.0)
    assert counter.counts == {"Send": 51, "Delivery": 51}


async def test_a_queue_that_nobody_reads_stays_bounded_during_a_move() -> None:
    """What is published on the way is dropped, oldest first, as ever."""
    account = Account(Settings(seed=1, queue_most=50, event_delay=0.01), Clock(START, 0))
    configuration_sets.create(account, {"ConfigurationSetName": "s"}, CALLER)
    target = {"TopicArn": "arn:aws:sns:us-east-1:123456789012:events"}
    destination = {"Enabled": True, "MatchingEventTypes": ["DELIVERY"], "SnsDestination": target}
    configuration_sets.create_destination(
        account,
        {"ConfigurationSetName": "s", "EventDestinationName": "e", "EventDestination": destination},
        CALLER,
    )
    first = first_mail(account)
    for number in range(500):
        mail = another(account, first, number, float(number))
        mail = msgspec.structs.replace(mail, configuration_set=account.configuration_sets["s"])
        account.mail.under_way.start(account.clock.now() + 0.01, mail)
    await (move := account.clock.move(START + HOUR)).wait()
    queue = account.queues.by_name["events"]
    assert (move.arrived, len(queue.messages), queue.dropped) == (True, 50, 451)  # one is the topic's own
    assert "spring.000499@example.com" in [message.body for message in queue.take(50, 30)][-1]
