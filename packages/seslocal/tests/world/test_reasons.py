"""Why a provider decided as it did, in words and with who else counts for it."""

from __future__ import annotations

from seslocal.world.people import Person
from seslocal.world.reasons import Reason, reason
from seslocal.world.truth import Truth
from seslocal.world.verdict import Verdict
from seslocal_fixtures.invented_world import InventedWorld, deferred, mail, refused

READER = Person("active", "opted-in", "")
SPAM = Verdict(kind="spam", provider="gmail", text="OK", why="score 0.31")


def reasoned(*verdicts: Verdict, truth: Truth | None = None) -> Reason:
    truth, envelope = truth or Truth(10), mail("a")
    truth.submitted("m", envelope, 0.0)
    for number, verdict in enumerate(verdicts, 1):
        truth.attempted("m", envelope, number, float(number), verdict, READER)
    (found,) = truth.find("m")
    return reason(found, truth.tables, InventedWorld())


def test_each_attempt_and_the_end_are_said() -> None:
    assert reasoned(deferred(), SPAM).said == [
        "Attempt 1: gmail deferred it (rate). It answered: 421 4.7.0 later",
        "Attempt 2: gmail accepted it into the spam folder, because score 0.31. It answered: 250 2.0.0 OK",
        "It reached the spam folder, which its sender cannot see.",
    ]
    assert reasoned(refused()).said == [
        "Attempt 1: gmail refused it (no mailbox), because told so. It answered: 550 5.1.1 unknown",
        "It reached nobody.",
    ]
    assert reasoned(deferred()).said[-1] == "It is under way."


def test_why_it_was_not_attempted() -> None:
    truth = Truth(10)
    truth.submitted("m", mail("a"), 0.0)
    truth.suppressed("m", mail("a"), 0.0, "OnAccountSuppressionList")
    (found,) = truth.find("m")
    assert reason(found, truth.tables, InventedWorld()).said == [
        "It was not attempted: OnAccountSuppressionList."
    ]
    assert reason(found, truth.tables, InventedWorld()).reputations == []


def test_who_else_counts_for_the_same_domain_and_pool() -> None:
    truth = Truth(10)
    for count, (tenant, domain, pool, host) in enumerate(
        (
            ("kin", "acme.example", "other", "gmail.com"),
            ("mate", "mate.example", "shared", "gmail.com"),
            ("far", "far.example", "far", "gmail.com"),
            ("kin", "acme.example", "other", "yahoo.com"),
        ),
        2,
    ):
        envelope = mail("x", sender=tenant, signed_by=domain, pool=pool, recipient=f"kim@{host}")
        for index in range(count):
            truth.submitted(f"{tenant}{host}{index}", envelope, 0.0)
            truth.attempted(f"{tenant}{host}{index}", envelope, 1, 0.0, SPAM, READER)
    found = reasoned(SPAM, truth=truth)
    assert [(one.of, one.provider) for one in found.reputations] == [
        ("domain acme.example", "gmail"),
        ("pool shared", "gmail"),
    ]
    parts = [
        [(part.tenant, part.sent.mails, part.sent.spam) for part in one.parts] for one in found.reputations
    ]
    assert parts == [[("kin", 2, 2), ("acme", 1, 1)], [("mate", 3, 3), ("acme", 1, 1)]]
