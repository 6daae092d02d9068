"""The ground truth counts every mail once, keeps the newest ones, and gives back what it was told."""

from __future__ import annotations

import tracemalloc
from typing import Any

import msgspec
import pytest

from seslocal.world.people import Person
from seslocal.world.reaction import Reaction
from seslocal.world.tables import Cell
from seslocal.world.truth import Truth
from seslocal.world.verdict import Verdict
from seslocal_fixtures.invented_world import deferred, mail, refused

READER = Person("active", "opted-in", "")
TRAP = Person("recycled_trap", "stale", "spring")
INBOX = Verdict(kind="inbox", provider="gmail", text="OK", why="score 0.93")
SPAM = Verdict(kind="spam", provider="gmail", text="OK")
LATE = Verdict(kind="inbox", provider="gmail", text="OK", returned=60.0)


def cell(truth: Truth) -> Cell:
    return truth.tables.tenants()["acme"]


@pytest.mark.parametrize(
    ("verdicts", "then", "ended", "counts"),
    [
        ([INBOX], None, "inbox", {"accepted": 1, "inbox": 1}),
        ([SPAM], None, "spam", {"accepted": 1, "spam": 1}),
        ([refused()], None, "refused", {"refused": 1}),
        ([deferred(), deferred(), INBOX], None, "inbox", {"deferred": 1, "deferrals": 2, "accepted": 1, "inbox": 1}),
        ([deferred()], None, "", {"deferred": 1, "deferrals": 1}),
        ([deferred()], "expired", "expired", {"deferred": 1, "deferrals": 1, "expired": 1}),
        ([LATE], None, "", {"accepted": 1}),
        ([LATE], "returned", "returned", {"accepted": 1, "returned": 1}),
    ],
)  # fmt: skip
def test_how_a_mail_ends(
    verdicts: list[Verdict], then: str | None, ended: str, counts: dict[str, int]
) -> None:
    truth, envelope = Truth(10), mail("a")
    truth.submitted("m", envelope, 5.0)
    for number, verdict in enumerate(verdicts, 1):
        truth.attempted("m", envelope, number, 5.0 + number, verdict, READER)
    if then == "expired":
        truth.expired("m", envelope, 99.0)
    elif then == "returned":
        truth.returned("m", envelope, 99.0)
    (found,) = truth.find("m")
    assert found.ended == ended
    assert found.envelope == envelope
    assert found.attempts == [(5.0 + number, verdict) for number, verdict in enumerate(verdicts, 1)]
    assert cell(truth) == Cell(mails=1, attempts=len(verdicts), **counts)


def test_a_suppressed_mail_was_never_attempted() -> None:
    truth, envelope = Truth(10), mail("a")
    truth.submitted("m", envelope, 5.0)
    truth.suppressed("m", envelope, 5.0, "on the account's list")
    (found,) = truth.find("m")
    assert (found.ended, found.why, found.attempts) == ("suppressed", "on the account's list", [])
    assert cell(truth) == Cell(mails=1, suppressed=1)


def test_recipients_of_one_mail_are_told_apart() -> None:
    truth = Truth(10)
    one, two = mail("a", recipient="kim@gmail.com"), mail("a", recipient="lee@yahoo.com")
    for envelope in (one, two):
        truth.submitted("m", envelope, 5.0)
    truth.attempted("m", one, 1, 5.0, SPAM, READER)
    assert [found.ended for found in truth.find("m")] == ["spam", ""]
    truth.attempted("m", two, 1, 6.0, refused(), READER)
    assert [found.ended for found in truth.find("m")] == ["spam", "refused"]
    assert len(truth) == 1
    assert {place.provider for place, _ in truth.tables} == {"gmail", "yahoo"}


def test_a_recipient_added_to_a_mail_that_has_ended() -> None:
    truth = Truth(10)
    for name in ("kim@gmail.com", "lee@gmail.com"):
        truth.submitted("m", mail("a", recipient=name), 5.0)
        truth.attempted("m", mail("a", recipient=name), 1, 5.0, INBOX, READER)
    assert [found.ended for found in truth.find("m")] == ["inbox", "inbox"]


def test_the_newest_mails_are_kept_and_all_are_counted() -> None:
    truth = Truth(3)
    for index in range(5):
        truth.submitted(f"m{index}", mail(str(index)), float(index))
        truth.attempted(f"m{index}", mail(str(index)), 1, float(index), INBOX, READER)
    assert [found.name for found in truth.mails()] == ["m2", "m3", "m4"]
    assert [found.name for found in truth.mails(after="m3")] == ["m4"]
    assert truth.forgotten == 2
    assert truth.find("m0") == []
    assert cell(truth).inbox == 5


def test_what_happens_to_a_forgotten_mail_is_counted() -> None:
    truth, old = Truth(1), mail("old")
    truth.submitted("m0", old, 0.0)
    truth.submitted("m1", mail("new"), 0.0)
    truth.attempted("m0", old, 1, 0.0, SPAM, READER)
    assert cell(truth).spam == 1
    assert truth.find("m0") == []


def test_none_are_kept_if_none_are_wanted() -> None:
    truth = Truth(0)
    truth.submitted("m", mail("a"), 0.0)
    truth.attempted("m", mail("a"), 1, 0.0, INBOX, READER)
    assert (len(truth), truth.forgotten, cell(truth).inbox) == (0, 0, 1)


@pytest.mark.parametrize(
    ("deed", "column"),
    [
        ("open", "opens"),
        ("machine_open", "machine_opens"),
        ("click", "clicks"),
        ("machine_click", "machine_clicks"),
        ("complaint", "complaints"),
        ("not_spam", "not_spam"),
        ("unsubscribe", "unsubscribes"),
        ("delete", "deletes"),
    ],
)
def test_each_deed_has_its_column(deed: Any, column: str) -> None:
    truth = Truth(0)
    truth.happened("m", mail("a"), Reaction(deed=deed, after=1.0, agent="Mozilla/5.0"), 5.0)
    assert cell(truth) == Cell(**{column: 1})


def test_an_open_that_fetches_nothing_is_counted_apart_too() -> None:
    truth = Truth(0)
    truth.happened("m", mail("a"), Reaction(deed="open", after=1.0), 5.0)
    assert cell(truth) == Cell(opens=1, opens_unseen=1)


def test_a_known_complaint_has_its_column() -> None:
    truth = Truth(0)
    truth.reported("m", mail("a"), 5.0)
    assert cell(truth) == Cell(complaints_known=1)


def test_who_was_trapped() -> None:
    truth = Truth(0)
    for at, recipient in ((9.0, "spring.1@gmail.com"), (4.0, "spring.2@gmail.com"), (5.0, "x@yahoo.com")):
        envelope = mail("a", recipient=recipient, campaign="may")
        truth.attempted("m", envelope, 1, at, INBOX, TRAP)
    truth.attempted("m", mail("a"), 1, 6.0, INBOX, READER)
    truth.attempted("m", mail("a"), 1, 6.0, refused(), TRAP)
    traps = truth.tables.traps
    assert set(traps) == {
        ("acme", "gmail", "recycled_trap", "spring"),
        ("acme", "yahoo", "recycled_trap", "spring"),
    }
    hit = traps["acme", "gmail", "recycled_trap", "spring"]
    assert (hit.hits, hit.first, hit.last, hit.campaign) == (2, 4.0, 9.0, "may")
    assert cell(truth).trapped == 3


def test_a_mail_takes_little_memory() -> None:
    """Below 300 bytes on average, with the texts that providers write; the caller has its name anyway."""
    truth = Truth(2000)
    for index in range(2000):
        envelope = mail(f"news.{index}", recipient=f"spring.{index:06}@gmail.com", campaign="spring news")
        verdict = Verdict(
            kind="inbox" if index % 5 else "spam",
            provider="gmail",
            text=f"OK 17000{index:05} d2e1a72fcca58-6e4b{index:05x}si{index}8421b3a.{index % 400} - gsmtp",
            host="gmail-smtp-in.l.google.com",
            address="192.0.2.26",
            seconds=0.4 + index / 7,
            why=f"score 0.{index % 977:03} of acme.example over shared (domain 0.71, pool 0.92, both 0.66)",
        )
        truth.submitted(f"m{index}", envelope, 1.8e9 + index / 3)
        truth.attempted(f"m{index}", envelope, 1, 1.8e9 + index / 3, verdict, READER)
    assert truth.bytes / 2000 < 300, truth.bytes / 2000


def waits(truth: Truth, index: int, attempts: int) -> None:
    """Submits a mail that was deferred so often, each time in words of its own."""
    envelope = mail(f"news.{index}", recipient=f"spring.{index:06}@gmail.com")
    truth.submitted(f"m{index}", envelope, 0.0)
    for number in range(1, attempts + 1):
        ids = f"{index * number:05x}-{index:05}si{number * 7919}qkb.{number}"
        text = f"Our system has detected an unusual rate of mail. Try again later. {ids} - gsmtp"
        why = f"harm 0.{index}: domain 0.{number}, pool 0.08, pair 0.15"
        verdict = msgspec.structs.replace(deferred(), text=text * 3, why=why)
        truth.attempted(f"m{index}", envelope, number, 3600.0 * number, verdict, READER)


def test_a_mail_that_is_deferred_for_hours_takes_little_memory() -> None:
    """With the texts of seventeen attempts, as in the fourteen hours after which SES gives up."""
    truth = Truth(1000)
    for index in range(20):
        waits(truth, index, 2)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for index in range(20, 520):
            waits(truth, index, 17)
        took = (tracemalloc.get_traced_memory()[0] - before) / 500
    finally:
        tracemalloc.stop()
    assert took < 1800, took
    assert [len(found.attempts) for found in truth.mails()] == [2] * 20 + [17] * 500


def test_a_mail_that_waits_is_the_same_in_a_snapshot_and_after_a_restart() -> None:
    truth = Truth(10)
    waits(truth, 1, 3)
    (before,) = truth.find("m1")
    snapshot, again = truth.snapshot(), kept_again(truth, turned=False)
    truth.attempted("m1", before.envelope, 4, 9e4, INBOX, READER)
    assert list(snapshot()) == list(again.mails()) == [before]
    again.attempted("m1", before.envelope, 4, 9e4, INBOX, READER)
    assert list(again.mails()) == list(truth.mails())
    assert [(found.ended, len(found.attempts)) for found in truth.mails()] == [("inbox", 4)]


def test_mails_are_found_in_the_order_of_submission_whenever_they_ended() -> None:
    truth, waiting = Truth(1000), list[int]()
    for index in range(300):
        truth.submitted(f"m{index}", mail(str(index)), float(index))
        if index % 7 == 0:
            waiting.append(index)
            continue
        truth.attempted(f"m{index}", mail(str(index)), 1, float(index), INBOX, READER)
    for index in reversed(waiting):
        truth.attempted(f"m{index}", mail(str(index)), 1, 999.0, SPAM, READER)
    assert [found.name for found in truth.mails()] == [f"m{index}" for index in range(300)]
    assert [index for index in range(300) if truth.find(f"m{index}")[0].ended == "spam"] == waiting


def test_a_recipient_added_to_a_mail_that_is_in_a_block() -> None:
    truth = Truth(1000)
    for index in range(100):
        truth.submitted(f"m{index}", mail(str(index)), 0.0)
        truth.attempted(f"m{index}", mail(str(index)), 1, 0.0, INBOX, READER)
    late = mail("3", recipient="late@gmail.com")
    truth.submitted("m3", late, 0.0)
    assert [found.ended for found in truth.find("m3")] == ["inbox", ""]
    truth.attempted("m3", late, 1, 0.0, SPAM, READER)
    assert [found.ended for found in truth.find("m3")] == ["inbox", "spam"]
    assert truth.find("m4")[0].ended == "inbox"


def kept_again(truth: Truth, turned: bool) -> Truth:
    again, parts = Truth(truth.most), list(truth.keep())
    for name, part in reversed(parts) if turned else parts:
        again.restore(name, part)
    return again


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("most", [40, 150, 1000])
def test_everything_comes_back_from_what_is_kept(most: int, turned: bool) -> None:
    """In whichever order the parts come."""
    truth = Truth(most)
    for index in range(200):
        envelope = mail(str(index), recipient=f"spring.{index}@gmail.com")
        truth.submitted(f"m{index:03}", envelope, float(index))
        if index % 5:
            truth.attempted(
                f"m{index:03}", envelope, 1, float(index), deferred() if index % 3 else INBOX, TRAP
            )
    late = mail("51", recipient="late@gmail.com")
    truth.submitted(
        "m051", late, 51.0 if most > 40 else 200.0
    )  # that mail is taken out of its block, or comes anew
    again = kept_again(kept_again(truth, turned), turned)
    assert list(again.mails()) == list(truth.mails())
    assert (len(again), again.forgotten) == (len(truth), truth.forgotten)
    assert (again.tables.cells, again.tables.traps) == (truth.tables.cells, truth.tables.traps)
    for one in (truth, again):  # both go on alike
        for index in range(200, 260):
            one.submitted(f"m{index}", mail(str(index)), float(index))
            one.attempted(f"m{index}", mail(str(index)), 1, float(index), SPAM, READER)
        one.expired("m199", mail("199", recipient="spring.199@gmail.com"), 300.0)
    assert list(again.mails()) == list(truth.mails())
    assert (len(again), again.forgotten) == (len(truth), truth.forgotten)


def test_what_is_kept_of_old_mails_does_not_change() -> None:
    """So that it need not be written again each time."""
    truth = Truth(1000)
    for index in range(100):
        truth.submitted(f"m{index}", mail(str(index)), 0.0)
        truth.attempted(f"m{index}", mail(str(index)), 1, 0.0, INBOX, READER)
    before = dict(truth.keep())
    truth.submitted("new", mail("new"), 0.0)
    after = dict(truth.keep())
    assert {name for name, part in after.items() if before.get(name) != part} == {"tables", "mail new"}
    assert sum(name.startswith("block") for name in before) == 3
