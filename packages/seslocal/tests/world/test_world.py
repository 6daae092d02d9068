"""Whole worlds: good senders, new ones, broken ones and many small ones."""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from seslocal_fixtures.world_senders import HOSTS, START, Senders, letter


@pytest.mark.parametrize("provider", sorted(HOSTS))
def test_a_good_sender_reaches_the_inbox(provider: str) -> None:
    senders = Senders()
    for day in range(3):
        senders.send(300, "good", provider, day)
    senders.end(3)
    found = [senders.inbox(day) for day in range(3)]
    assert 0.95 <= sum(found) / 3 <= 0.995
    refused = sum(senders.days[day, "a.example"]["refuse"] for day in range(3))
    assert refused <= 0.02 * 900


def test_peek_changes_nothing() -> None:
    looked, only_sent = Senders().world, Senders().world
    for number in range(200):
        envelope = letter(str(number), f"bought.{number}@gmail.com", content=str(number % 3))
        at = START + number * 20
        before = looked.opinions.keep()
        looked.move(at)
        moved = looked.opinions.keep()
        peeked = looked.peek(envelope, 1, at)
        assert looked.peek(envelope, 1, at) == peeked
        assert looked.opinions.keep() == moved
        assert before != b""
        assert looked.attempt(envelope, 1, at) == only_sent.attempt(envelope, 1, at) == peeked
    assert looked.opinions.keep() == only_sent.opinions.keep()


def test_an_attempt_has_its_own_chance() -> None:
    world = Senders(cold=("a.example",)).world
    envelope = letter("k", "good.1@gmail.com")
    answers = [world.peek(envelope, number, START) for number in range(1, 40)]
    assert world.peek(envelope, 1, START) == answers[0]
    assert {one.kind for one in answers} == {"inbox", "spam"}


@cache
def first_days(plan: tuple[int, ...], provider: str) -> Senders:
    """Until noon of the last day."""
    senders = Senders(cold=("new.example", "own"))
    for day, number in enumerate(plan):
        senders.send(number, "good", provider, day, "new.example", pool="own", hours=(8, 11))
    senders.end(len(plan) - 1, 12)
    return senders


@pytest.mark.parametrize("provider", ["gmail", "microsoft", "yahoo"])
def test_a_new_sender_that_sends_much_at_once_is_deferred_and_partly_refused(provider: str) -> None:
    """A tenth of 50,000 mails, at one provider, is many times what a new sender may send."""
    senders = first_days((5_000,), provider)
    first = senders.days[0, "new.example"]
    assert first["inbox"] + first["spam"] < 0.3 * 5_000
    assert first["defer"] > 5_000
    assert 0.02 * 5_000 < first["refuse"] < 0.3 * 5_000
    assert senders.inbox(0, "new.example") < 0.9


@pytest.mark.parametrize("provider", ["gmail", "microsoft", "yahoo"])
def test_a_new_sender_that_ramps_is_not(provider: str) -> None:
    plan = (200, 320, 500, 800, 1_250)
    senders = first_days(plan, provider)
    days = [senders.days[day, "new.example"] for day in range(len(plan))]
    assert sum(one["rate"] for one in days) == 0
    assert sum(one["refuse"] for one in days) < 0.01 * sum(plan)
    assert sum(senders.inbox(day, "new.example") for day in range(5)) / 5 > 0.88


def test_who_mails_shortly_before_midnight_is_not_ignored_and_who_is_never_read_is() -> None:
    """At midnight hardly anybody has opened what has just arrived."""
    senders = Senders()
    for domain, kind in (("a.example", "good"), ("b.example", "bought")):
        for day in range(2):
            senders.send(2_000, kind, "gmail", day, domain, hours=(23.5, 23.99), pool=domain)
    senders.end(1, 20)
    standing = {
        domain: dict(senders.world.standing(letter("k", "good.1@gmail.com", domain, pool=domain)).parts)
        for domain in ("a.example", "b.example")
    }
    assert "ignored" not in standing["a.example"] | standing["b.example"]
    for number in range(2):
        senders.send(1, "good", "gmail", 2 + number, "b.example", pool="b.example")
    senders.end(3, 20)
    last = senders.world.standing(letter("k", "good.1@gmail.com", "b.example", pool="b.example"))
    assert dict(last.parts)["ignored"] > 0.1


def test_an_established_sender_that_runs_away_is_slowed_down() -> None:
    senders = Senders(known=300)
    senders.send(200, "good", "gmail", 0)
    senders.send(1_500, "good", "gmail", 1, hours=(8, 10))
    senders.end(1, 11)
    assert senders.days[0, "a.example"]["rate"] == 0
    assert senders.days[1, "a.example"]["rate"] > 800


@pytest.mark.parametrize(
    ("policy", "hit"), [("reject", "refuse"), ("quarantine", "spam"), ("none", None), ("absent", None)]
)
def test_a_broken_signature_hits_at_once_what_asks_for_it(policy: str, hit: str | None) -> None:
    senders = Senders()
    senders.send(100, "good", "gmail", 0, dmarc=policy)
    senders.send(200, "good", "gmail", 1, signed_by=None, aligned=False, dmarc=policy)
    senders.end(2)
    before, after = senders.days[0, "a.example"], senders.days[1, "a.example"]
    if hit is not None:
        assert after[hit] >= 0.9 * 200
        assert before[hit] <= 10
    else:
        assert 0.7 * 200 < after["inbox"] < 0.95 * 200, "mail that fails DMARC is doubted"


def snowshoe(same: bool) -> tuple[list[float], float]:
    """Inbox share on two days of 60 new domains that send 60 mails each, with one content or each with its own, and the share of
    the last domain's mail that goes to spam then."""
    domains = [f"snow{number}.example" for number in range(60)]
    senders = Senders(cold=tuple(domains))
    for day in range(2):
        for number, domain in enumerate(domains):
            content = "one" if same else domain
            hours = (8 + number / 100, 18 + number / 100)
            senders.send(60, "bought", "gmail", day, domain, hours=hours, content=content)
    senders.end(2)
    inbox = [sum(senders.days[day, domain]["inbox"] for domain in domains) / 3_600 for day in range(2)]
    last = letter("k", "good.1@gmail.com", domains[-1], content="one" if same else domains[-1])
    return inbox, senders.world.standing(last).spam


def test_many_small_domains_with_one_content_are_found_by_it() -> None:
    (first, second), spam = snowshoe(same=True)
    apart, spam_apart = snowshoe(same=False)
    assert first < 0.25
    assert second < 0.15
    assert min(apart) > 0.3, "spread out, no domain alone is bad enough"
    assert spam > 0.8 > spam_apart


def test_deferrals_and_refusals_are_counted_against_their_sender() -> None:
    """Each attempt that is put off, and of each mail that it is wanted, once: a mail that waits does not look like two."""
    senders = Senders(cold=("a.example",))
    senders.send(3_000, "good", "yahoo", 0, hours=(8, 9))
    senders.end(0, 9)
    (opinion,) = (one for _, one in senders.world.opinions.all() if one.kind == "domain")
    answers = Counter(one.kind for _, _, one in senders.verdicts["a.example"])
    assert answers["defer"] > 1_000
    assert opinion.deferred == pytest.approx(answers["defer"], rel=0.02)
    assert opinion.refused > 0
