"""A mail is lost to somebody if it reaches an inbox once they are left out, and everything else is as it was."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import pytest

from seslocal.world.counterfactual import Record, blame, blaming, compare, comparing, replay
from seslocal.world.envelope import Envelope
from seslocal.world.play import Play
from seslocal.world.truth import Truth
from seslocal.world.verdict import Verdict
from seslocal_fixtures.invented_world import InventedWorld, deferred, mail, refused


class ResentfulWorld(InventedWorld):
    """Its one provider puts a domain's mail into the spam folder, and defers that of its pool, from the minute after it got
    three mails to a bought list; a minute later it refuses the domain. `gone.` has no mailbox anywhere."""

    def __init__(self) -> None:
        super().__init__()
        self._bought: Counter[tuple[str, int]] = Counter()

    def attempt(self, envelope: Envelope, number: int, at: float) -> Verdict:
        minute = int(at // 60)
        if envelope.recipient.startswith("bought."):
            self._bought[f"domain {envelope.domain}", minute] += 1
            self._bought[f"pool {envelope.pool}", minute] += 1
        if envelope.recipient.startswith("gone."):
            return refused()
        if self._bad(f"domain {envelope.domain}", minute - 1):
            return refused("reputation")
        if self._bad(f"domain {envelope.domain}", minute):
            return Verdict(kind="spam", provider="gmail", text="OK")
        if self._bad(f"pool {envelope.pool}", minute) and number == 1:
            return deferred()
        return Verdict(kind="inbox", provider="gmail", text="OK")

    def _bad(self, what: str, before: int) -> bool:
        return (
            sum(count for (name, minute), count in self._bought.items() if name == what and minute < before)
            >= 3
        )


def sent() -> list[tuple[float, Envelope]]:
    """bad sends to a bought list in minute 0. kin shares its domain, mate its pool, far nothing; kin sends to gone. too."""

    def of(tenant: str, at: float, to: str, domain: str, pool: str) -> tuple[float, Envelope]:
        key = f"{tenant} {at}"
        return at, mail(
            key, sender=tenant, recipient=f"{to}@gmail.com", signed_by=domain, from_domain=domain, pool=pool
        )

    mails: list[tuple[float, Envelope]] = []
    for index in range(4):
        mails.append(of("bad", 2.0 + index, f"bought.{index}", "one.example", "a"))
    for minute in range(5):
        mails.append(of("kin", minute * 60 + 10.0, f"spring.{minute}", "one.example", "b"))
        mails.append(of("kin", minute * 60 + 11.0, f"gone.{minute}", "one.example", "b"))
        mails.append(of("mate", minute * 60 + 12.0, f"spring.{minute}", "two.example", "a"))
        mails.append(of("far", minute * 60 + 13.0, f"spring.{minute}", "three.example", "c"))
    return mails


def recorded(
    world: InventedWorld, mails: list[tuple[float, Envelope]], most: int = 1000, until: float = 1e9
) -> Record:
    truth = Truth(most)
    play = Play(world, None, truth)
    for at, envelope in mails:
        play.submit(envelope, at)
    play.run_until(until)
    return Record(type(world), truth.mails, truth.tables, until)


@pytest.fixture
def record() -> Record:
    return recorded(ResentfulWorld(), sent())


@pytest.mark.parametrize("until", [0.0, 3.0, 100.0, 200.0, 1e9])
def test_a_replay_with_everybody_ends_as_the_truth_did(until: float) -> None:
    record = recorded(ResentfulWorld(), sent(), until=until)
    assert replay(record) == [found.ended for found in record.mails()]
    assert compare(record, ["bad"]).differing == 0


def test_the_tenants_left_out_send_nothing(record: Record) -> None:
    ended = replay(record, ["bad", "far"])
    by_tenant = {name: set[str]() for name in ("bad", "kin", "mate", "far")}
    for one, end in zip(record.mails(), ended, strict=True):
        by_tenant[one.envelope.sender].add(end)
    assert by_tenant == {"bad": {""}, "far": {""}, "kin": {"inbox", "refused"}, "mate": {"inbox"}}


def test_what_the_others_lost_to_a_culprit(record: Record) -> None:
    found = compare(record, ["bad"])
    rows = {row.tenant: row for row in found.tenants}
    assert set(rows) == {"kin", "mate", "far"}
    kin = rows["kin"]
    assert (kin.mails, kin.inbox, kin.inbox_without, kin.lost, kin.gained) == (10, 1, 5, 4, 0)
    assert kin.lost_by == {"gmail refused": 3, "gmail spam": 1}
    assert kin.shares == ["domain one.example"]
    assert rows["mate"].shares == ["pool a"]
    assert rows["far"].shares == []
    assert (rows["mate"].lost, rows["far"].lost, rows["far"].gained) == (0, 0, 0)
    assert (found.lost, found.gained, found.mails, found.without) == (4, 0, 20, ["bad"])
    assert found.tenants[0].tenant == "kin"


def test_without_somebody_who_did_no_harm_nothing_changes(record: Record) -> None:
    found = compare(record, ["far"])
    assert (found.lost, found.gained) == (0, 0)


def test_a_mail_that_reaches_the_inbox_only_because_of_somebody_is_gained() -> None:
    class Welcoming(InventedWorld):
        """It trusts a pool from the second mail on."""

        def attempt(self, envelope: Envelope, number: int, at: float) -> Verdict:
            self.attempts.append((at, envelope, number))
            return Verdict(kind="inbox" if len(self.attempts) > 1 else "spam", provider="gmail")

    mails = [(1.0, mail("a", sender="first")), (2.0, mail("b", sender="second"))]
    (row,) = compare(recorded(Welcoming(), mails), ["first"]).tenants
    assert (row.tenant, row.inbox, row.inbox_without, row.gained, row.lost) == ("second", 1, 0, 1, 0)


def test_mails_that_were_suppressed_stay_so() -> None:
    truth = Truth(10)
    envelope = mail("a")
    truth.submitted("a", envelope, 1.0)
    truth.suppressed("a", envelope, 1.0, "on a list")
    record = Record(InventedWorld, truth.mails, truth.tables, 1e9)
    assert replay(record) == ["suppressed"]


def test_two_mails_of_the_same_key_are_told_apart() -> None:
    class Alternating(InventedWorld):
        def attempt(self, envelope: Envelope, number: int, at: float) -> Verdict:
            return Verdict(kind="spam" if at > 100 else "inbox", provider="gmail")

    truth = Truth(10)
    play = Play(Alternating(), None, None)
    for name, at in (("m1", 50.0), ("m2", 150.0)):
        truth.submitted(name, mail("same"), at)
        play.submit(mail("same"), at)
    assert replay(Record(Alternating, truth.mails, truth.tables, 1e9)) == ["inbox", "spam"]


def test_forgotten_mails_show_as_differing() -> None:
    record = recorded(ResentfulWorld(), sent(), most=20)  # the culprit's are forgotten
    found = compare(record, ["bad"])
    assert found.differing == 4
    assert found.lost == 0


class TestBlame:
    def test_the_one_that_shares_its_domain(self, record: Record) -> None:
        found = blame(record, "kin")
        assert (found.mails, found.inbox, found.lost, found.to_others, found.own) == (10, 1, 9, 4, 5)
        assert found.lost_by == {"gmail refused": 8, "gmail spam": 1}
        assert found.own_by == {"refused no_mailbox": 5}
        assert [(one.tenant, one.lost, one.shares, one.sent.mails) for one in found.suspects] == [
            ("bad", 4, ["domain one.example"], 4)
        ]
        assert found.said == (
            "1 of 10 mails of kin reached an inbox, and 9 were lost. 4 of the lost ones reach it if nobody else uses its "
            "domains, pools and content. 4 reach it without bad (it shares domain one.example)."
        )

    def test_one_that_lost_nothing(self, record: Record) -> None:
        found = blame(record, "far")
        assert (found.lost, found.to_others, found.own, found.suspects) == (0, 0, 0, [])
        assert found.said == "5 of 5 mails of far reached an inbox, and 0 were lost."

    def test_one_that_shares_nothing_lost_by_itself(self) -> None:
        class Refusing(InventedWorld):
            def attempt(self, envelope: Envelope, number: int, at: float) -> Verdict:
                return refused("content")

        found = blame(recorded(Refusing(), [(1.0, mail("a"))]), "acme")
        assert (found.lost, found.to_others, found.own, found.own_by) == (1, 0, 1, {"refused content": 1})
        assert "none was lost to others" in found.said

    def test_each_suspect_costs_a_replay_so_there_is_a_limit(self) -> None:
        class Harsh(InventedWorld):
            """It refuses everything once it got three mails to bought lists."""

            def attempt(self, envelope: Envelope, number: int, at: float) -> Verdict:
                self.attempts.append((at, envelope, number))
                bought = sum(one.recipient.startswith("bought.") for _, one, _ in self.attempts)
                return refused("reputation") if bought >= 3 else Verdict(kind="inbox", provider="gmail")

        mails: list[tuple[float, Envelope]] = []
        for index in range(6):
            recipient = f"{'bought' if index < 3 else 'spring'}.{index}@gmail.com"
            for count in range(index + 1):
                key = f"{index} {count}"
                mails.append((float(index), mail(key, sender=f"t{index}", recipient=recipient)))
        mails.append((9.0, mail("v", sender="victim")))
        found = blame(recorded(Harsh(), mails), "victim", most=2)
        assert (len(found.suspects), found.more_suspects) == (2, 4)
        assert (found.lost, found.to_others) == (1, 1)

    def test_no_single_one_need_be_guilty(self) -> None:
        """Two do the harm together: leaving out one of them changes it, leaving out a third does not."""
        found: Any = blame(recorded(ResentfulWorld(), _by_two()), "kin")
        assert found.to_others == 1
        assert {one.tenant: one.lost for one in found.suspects} == {"one": 1, "two": 1, "three": 0}


def _by_two() -> list[tuple[float, Envelope]]:
    def of(key: str, tenant: str, recipient: str) -> Envelope:
        return mail(key, sender=tenant, recipient=recipient)

    return [
        (1.0, of("a", "one", "bought.1@gmail.com")),
        (2.0, of("b", "one", "bought.2@gmail.com")),
        (3.0, of("c", "two", "bought.3@gmail.com")),
        (4.0, of("d", "three", "spring.4@gmail.com")),
        (70.0, of("e", "kin", "spring.5@gmail.com")),
    ]


def test_a_step_is_short_however_much_is_due_in_one_minute() -> None:
    """Between two yields at most 50 things happen, so a server can answer others meanwhile."""
    attempts = [0]

    class Counting(ResentfulWorld):
        def attempt(self, envelope: Envelope, number: int, at: float) -> Verdict:
            attempts[0] += 1
            return super().attempt(envelope, number, at)

    play, truth = play_with_truth(Counting(), 1000)
    for index in range(600):
        play.submit(mail(f"{index}", sender="abc"[index % 3], recipient=f"kim.{index}@gmail.com"), 2.0)
    play.run_until(3600.0)
    record = Record(Counting, truth.snapshot(), truth.tables, 3600.0)
    for steps in (comparing(record, ["a"]), blaming(record, "b")):
        attempts[0], before, played = 0, 0, 0
        for count in steps:
            assert attempts[0] - before <= 50
            before, played = attempts[0], played + count
        assert attempts[0] > 600
        assert played >= 600


def test_a_snapshot_stays_as_it_is() -> None:
    play, truth = play_with_truth(ResentfulWorld())
    for index in range(100):
        play.submit(mail(f"{index}", recipient=f"kim.{index}@gmail.com"), 2.0 + 10 * index)
    play.run_until(500.0)
    kept = truth.snapshot()
    before = msgspec.msgpack.encode(list(kept()))
    assert before == msgspec.msgpack.encode(list(truth.mails()))
    for index in range(80):
        play.submit(mail(f"later {index}", recipient=f"lee.{index}@gmail.com"), 600.0)
    play.run_until(5000.0)
    assert before == msgspec.msgpack.encode(list(kept()))
    assert before != msgspec.msgpack.encode(list(truth.mails()))


def play_with_truth(world: InventedWorld, most: int = 150) -> tuple[Play, Truth]:
    truth = Truth(most)
    return Play(world, None, truth), truth
