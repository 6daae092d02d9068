"""Play does everything at its time, in the order of time, and tells the ground truth."""

from __future__ import annotations

import random
from typing import Any

import pytest

from seslocal.world.envelope import Envelope
from seslocal.world.play import Play, next_attempt
from seslocal.world.reaction import Reaction
from seslocal.world.truth import Truth
from seslocal.world.verdict import Verdict
from seslocal_fixtures.invented_world import InventedWorld, deferred, mail

HOUR = 3600.0
ANSWERED = 0.5  # seconds that an attempt takes


class Heard:
    def __init__(self) -> None:
        self.all: list[tuple[float, str, str]] = []

    def __call__(self, at: float, what: str, envelope: Envelope, news: Verdict | Reaction | None) -> None:
        self.all.append((at, what, envelope.key))

    def whats(self) -> list[str]:
        return [what for _, what, _ in self.all]


def played(world: InventedWorld, *mails: Envelope, give_up: float = 14 * HOUR) -> tuple[Heard, Truth]:
    heard, truth = Heard(), Truth(100)
    play = Play(world, heard, truth)
    for one in mails:
        play.submit(one, 60.0, give_up)
    play.run_until(1e9)
    assert play.due == 0
    return heard, truth


def test_a_deferred_mail_is_tried_again_until_it_is_accepted() -> None:
    world = InventedWorld(lambda envelope, number, at: deferred() if number < 3 else None)
    heard, truth = played(world, mail("a"))
    second = next_attempt(world, mail("a"), 1, 60.0)
    assert [(at, what) for at, what, _ in heard.all[:3]] == [
        (60.0, "attempt"),
        (second, "attempt"),
        (next_attempt(world, mail("a"), 2, second), "attempt"),
    ]
    assert truth.find("a")[0].ended == "inbox"
    assert [at for at, _ in truth.find("a")[0].attempts] == [at for at, *_ in heard.all[:3]]


def test_the_sender_gives_up_in_time() -> None:
    heard, truth = played(InventedWorld(lambda *_: deferred()), mail("a"), give_up=2 * HOUR)
    assert heard.all[-1] == (60.0 + 2 * HOUR, "expired", "a")
    assert heard.whats().count("expired") == 1
    assert truth.find("a")[0].ended == "expired"
    assert all(at <= 60.0 + 2 * HOUR for at, *_ in heard.all)


def test_an_accepted_mail_comes_back_at_its_time() -> None:
    world = InventedWorld(lambda *_: Verdict(kind="inbox", provider="small", seconds=5.0, returned=500.0))
    heard, truth = played(world, mail("a"))
    assert heard.all == [(60.0, "attempt", "a"), (565.0, "returned", "a")]
    assert truth.find("a")[0].ended == "returned"


def test_reactions_happen_in_order_and_reports_at_their_own_time() -> None:
    reactions = (
        Reaction(deed="open", after=10.0),
        Reaction(deed="complaint", after=20.0, reported=86_400.0),
        Reaction(deed="click", after=7000.0),
    )
    world = InventedWorld(reactions=reactions)
    heard, truth = played(world, mail("a"))
    accepted = 60.0 + ANSWERED
    assert [(at - accepted, what) for at, what, _ in heard.all] == [
        (-ANSWERED, "attempt"),
        (10.0, "open"),
        (20.0, "complaint"),
        (7000.0, "click"),
        (86_400.0, "reported"),
    ]
    assert world.happenings == [
        (accepted + 10.0, "open"),
        (accepted + 20.0, "complaint"),
        (accepted + 7000.0, "click"),
    ]
    cell = truth.tables.tenants()["acme"]
    assert (cell.opens, cell.clicks, cell.complaints, cell.complaints_known) == (1, 1, 1, 1)


def test_a_complaint_is_never_reported_before_it_is_made() -> None:
    world = InventedWorld(reactions=(Reaction(deed="complaint", after=200.0, reported=100.0),))
    heard, _ = played(world, mail("a"))
    assert heard.all[-1] == (260.0 + ANSWERED, "reported", "a")


def test_a_complaint_that_nobody_reports_stays_unknown_to_the_sender() -> None:
    heard, truth = played(InventedWorld(reactions=(Reaction(deed="complaint", after=1.0),)), mail("a"))
    assert "reported" not in heard.whats()
    cell = truth.tables.tenants()["acme"]
    assert (cell.complaints, cell.complaints_known) == (1, 0)


def test_run_until_does_what_is_due_before_that_time_only() -> None:
    heard = Heard()
    play = Play(InventedWorld(), heard)
    for at in (100.0, 130.0, 130.1, 170.0, 4000.0):
        play.submit(mail(f"{at}"), at)
    play.run_until(130.1)
    assert [key for *_, key in heard.all] == ["100.0", "130.0"]
    play.run_until(170.0)
    assert [key for *_, key in heard.all] == ["100.0", "130.0", "130.1"]
    assert play.due == 2


@pytest.mark.parametrize("shuffle", range(3))
def test_the_order_of_submission_changes_nothing(shuffle: int) -> None:
    def decide(envelope: Envelope, number: int, at: float) -> Verdict | None:
        return deferred() if (len(envelope.key) + number) % 3 == 0 else None

    mails = [mail("k" * (1 + index % 7) + str(index)) for index in range(60)]
    expected, _ = played(InventedWorld(decide), *mails)
    random.Random(shuffle).shuffle(mails)
    assert played(InventedWorld(decide), *mails)[0].all == expected.all


def test_two_equal_mails_are_both_played() -> None:
    heard, truth = played(InventedWorld(), mail("a"), mail("a"))
    assert heard.whats() == ["attempt", "attempt"]
    assert truth.tables.tenants()["acme"].inbox == 2


def test_times_never_go_back() -> None:
    def decide(envelope: Envelope, number: int, at: float) -> Verdict | None:
        return deferred() if number < 4 else None

    reactions = (Reaction(deed="open", after=5.0), Reaction(deed="complaint", after=61.0, reported=61.0))
    heard = Heard()
    play = Play(InventedWorld(decide, reactions), heard)
    chance = random.Random(1)
    now = 0.0
    for index in range(200):
        now += chance.random() * 40
        play.submit(mail(str(index)), now + chance.random() * 50)
        play.run_until(now)
    play.run_until(1e9)
    times: list[Any] = [at for at, *_ in heard.all]
    assert times == sorted(times)
    assert len(times) == 200 * (4 + 3)
