"""One attempt: what is asked in which order, and what follows from where the sender stands."""

from __future__ import annotations

from typing import Any

import pytest

from seslocal.world.decision import Decision, Decisions, Drawn
from seslocal.world.draws import Draws
from seslocal.world.people import Person, Who
from seslocal.world.settings import Rule
from seslocal.world.standing import Standing
from seslocal_fixtures.world_senders import HOSTS, START, letter

FINE = Standing(
    harm=0.0,
    spam=0.02,
    defers=0.0,
    refuses=0.0,
    slows=0.0,
    slow_pool=False,
    floods=0.0,
    bulk=False,
    listed="",
    listed_pool=False,
    bad_pool=False,
    bad_content=False,
    parts=(("domain", 0.0),),
)


def standing(**other: Any) -> Standing:
    return Standing(**{name: other.get(name, getattr(FINE, name)) for name in Standing.__struct_fields__})


def decide(
    provider: str = "gmail",
    stands: Standing = FINE,
    who: Who = "active",
    drawn: Drawn = (0.5, 0.5, 0.5, 0.5),
    rules: tuple[Rule, ...] = (),
    at: float = START,
    **mail: Any,
) -> Decision:
    mail = {"dmarc": "none", **mail}
    envelope = letter("k", f"good.1@{HOSTS[provider]}", **mail)
    return Decisions(Draws(1), rules, START).decide(
        provider, envelope, Person(who, "opted-in", "good"), at, stands, drawn
    )


def said(found: Decision) -> tuple[str, str, str]:
    return found.kind, found.cause, found.about


@pytest.mark.parametrize("provider", sorted(HOSTS))
def test_good_mail_to_a_reader_reaches_the_inbox(provider: str) -> None:
    assert said(decide(provider)) == ("inbox", "", "")
    assert decide(provider, drawn=(0.019, 0.5, 0.5, 0.5)).kind == "spam"


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ("nobody", ("refuse", "no_mailbox", "")),
        ("moved", ("refuse", "moved", "")),
        ("full", ("defer", "full", "")),
        ("abandoned", ("inbox", "", "")),
        ("pristine_trap", ("inbox", "", "")),
        ("recycled_trap", ("inbox", "", "")),
    ],
)
def test_what_becomes_of_a_mail_depends_on_the_mailbox(who: Who, expected: tuple[str, str, str]) -> None:
    assert said(decide(who=who)) == expected


def test_some_full_mailboxes_refuse() -> None:
    assert said(decide(who="full", drawn=(0.5, 0.5, 0.5, 0.1))) == ("refuse", "full", "")


def test_bad_senders_are_refused_deferred_or_let_in() -> None:
    bad = standing(refuses=0.3, defers=0.4)
    kinds = [decide(stands=bad, drawn=(0.5, chance, 0.5, 0.5)).kind for chance in (0.2, 0.5, 0.8)]
    assert kinds == ["refuse", "defer", "inbox"]
    assert said(decide(stands=standing(refuses=1.0, bad_pool=True))) == ("refuse", "reputation", "ip")
    assert said(decide(stands=standing(refuses=1.0, bad_content=True))) == ("refuse", "content", "domain")


def test_a_host_that_refuses_at_the_connection_tells_nothing_of_its_mailboxes() -> None:
    bad = standing(refuses=1.0)
    assert decide("microsoft", bad, who="nobody").cause == "reputation"
    assert decide("gmail", bad, who="nobody").cause == "no_mailbox"
    assert decide("gmail", bad).cause == "reputation"


def test_too_much_mail_is_deferred_and_partly_refused() -> None:
    fast = standing(slows=0.8, floods=0.25, slow_pool=True)
    kinds = [decide(stands=fast, drawn=(0.5, 0.5, chance, 0.5)).kind for chance in (0.1, 0.7, 0.9)]
    assert kinds == ["refuse", "defer", "inbox"]
    assert said(decide(stands=fast)) == ("defer", "rate", "ip")


def test_a_host_asks_block_lists_always_or_never() -> None:
    listed = standing(listed="a.example")
    decisions = Decisions(Draws(1), (), START)
    causes: dict[str, set[str]] = {}
    for number in range(300):
        host = f"{number % 100}.example"
        found = decisions.decide(
            "small",
            letter(str(number), f"good.{number}@{host}"),
            Person("active", "opted-in", "good"),
            START,
            listed,
            (0.5, 0.5, 0.5, 0.5),
        )
        causes.setdefault(host, set()).add(found.cause)
    assert all(len(found) == 1 for found in causes.values())
    refusing = sum(found == {"listed"} for found in causes.values())
    assert 45 <= refusing <= 75  # lists.asks of small hosts is 0.6
    assert decide("gmail", listed).kind == "inbox", "it asks no block list"


def test_a_mail_may_be_too_large() -> None:
    assert said(decide(size=30 * 2**20)) == ("refuse", "too_large", "")
    assert decide("gateways", size=30 * 2**20).kind == "inbox"


@pytest.mark.parametrize(
    ("provider", "policy", "drawn", "expected"),
    [
        ("gmail", "reject", 0.99, ("refuse", "authentication", "dmarc")),
        ("small", "reject", 0.4, ("refuse", "authentication", "dmarc")),
        ("small", "reject", 0.6, ("inbox", "", "")),
        ("gmail", "quarantine", 0.9, ("spam", "", "")),
        ("gmail", "none", 0.0, ("inbox", "", "")),
        ("gmail", "absent", 0.0, ("inbox", "", "")),
    ],
)
def test_dmarc_policies(provider: str, policy: str, drawn: float, expected: tuple[str, str, str]) -> None:
    found = decide(
        provider, drawn=(0.5, 0.5, 0.5, drawn), signed_by="ses.example", aligned=False, dmarc=policy
    )
    assert said(found) == expected


def test_unaligned_mail_is_doubted() -> None:
    chances = [one / 100 for one in range(100)]
    spam = sum(
        decide(drawn=(one, 0.5, 0.5, 0.5), aligned=False, signed_by="ses.example").kind == "spam"
        for one in chances
    )
    assert 10 <= spam <= 20  # 14 % by the curve


def test_mail_with_neither_spf_nor_dkim() -> None:
    nothing = {"spf": False, "signed_by": None, "aligned": False}
    assert said(decide("gmail", drawn=(0.5, 0.5, 0.5, 0.99), **nothing)) == (
        "refuse",
        "authentication",
        "spf",
    )
    assert decide("small", drawn=(0.5, 0.5, 0.5, 0.5), **nothing).kind == "inbox"


@pytest.mark.parametrize(
    ("mail", "about"),
    [
        ({"signed_by": None}, "needs_dkim"),
        ({"spf": False}, "needs_dmarc"),
        ({"dmarc": "absent"}, "needs_dmarc"),
        ({"aligned": False, "signed_by": "ses.example"}, "needs_dmarc"),
    ],
)
def test_rules_for_bulk_senders(mail: dict[str, Any], about: str) -> None:
    bulk = standing(bulk=True)
    assert said(decide("microsoft", bulk, drawn=(0.5, 0.5, 0.5, 0.99), **mail)) == ("refuse", "rule", about)
    kinds = [decide("gmail", bulk, drawn=(0.5, 0.5, 0.5, one), **mail).kind for one in (0.4, 0.7, 0.9)]
    assert kinds == ["refuse", "defer", "inbox"]
    assert decide("microsoft", FINE, **mail).kind == "inbox", "it is no bulk sender"


def test_a_bulk_senders_newsletter_needs_one_click_unsubscribe() -> None:
    bulk = standing(bulk=True)
    chance = (0.1, 0.5, 0.5, 0.5)  # 2 % and a tenth of the rest go to spam
    assert decide("gmail", bulk, drawn=chance, one_click=False).kind == "spam"
    assert decide("gmail", bulk, drawn=chance).kind == "inbox"
    assert decide("gmail", bulk, drawn=chance, bulk=False, one_click=False).kind == "inbox", "a receipt"
    assert decide("gmail", FINE, drawn=chance, one_click=False).kind == "inbox", "a small sender"


@pytest.mark.parametrize(
    ("kind", "mail"),
    [
        ("needs_dmarc", {"dmarc": "absent"}),
        ("needs_dkim", {"signed_by": None}),
        ("needs_one_click", {"one_click": False}),
    ],
)
def test_a_new_rule_of_a_provider(kind: Any, mail: dict[str, Any]) -> None:
    rules = (Rule(provider="apple", start=3600, kind=kind, refuses=0.6),)
    broken = [
        decide("apple", rules=rules, at=START + at, drawn=(0.5, 0.5, 0.5, chance), **mail)
        for at, chance in ((3599, 0.1), (3600, 0.5), (3600, 0.7))
    ]
    assert [one.kind for one in broken] == ["inbox", "refuse", "defer"]
    assert (broken[1].cause, broken[1].about) == ("rule", kind)
    assert decide("apple", rules=rules, at=START + 9999).kind == "inbox"
    assert decide("gmx", rules=rules, at=START + 9999, **mail).kind == "inbox"


def test_why_has_the_numbers() -> None:
    bad = standing(spam=0.9, harm=3.0, parts=(("domain", 2.0), ("pair", 1.0)))
    assert decide(stands=bad).why == "harm 3.00: domain 2.00, pair 1.00; 90.0% to spam"
