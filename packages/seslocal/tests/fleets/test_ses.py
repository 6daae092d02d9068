"""SES pauses tenants and accounts, and remembers addresses."""

from __future__ import annotations

import pytest

from seslocal.fleets.scenario import Ses
from seslocal.fleets.ses import Reactions
from seslocal.state.findings import IN_A_WORLD

MAILED, BOUNCED, LOOP, COMPLAINED = range(4)


def after_a_minute(rules: Ses, *counts: tuple[int, int]) -> Reactions:
    found = Reactions(rules)
    for which, number in counts:
        count(found, "a", which, number)
    found.end_minute(60)
    return found


def count(found: Reactions, tenant: str, which: int, number: int) -> None:
    for _ in range(number):
        if which == BOUNCED:
            found.bounced(tenant)
        elif which == COMPLAINED:
            found.complained(tenant)
        else:
            found.mailed(tenant, which == LOOP)


@pytest.mark.parametrize(
    ("policy", "bounced", "paused"),
    [("standard", 149, False), ("standard", 150, True), ("strict", 49, False), ("strict", 50, True), ("none", 900, False)],
)  # fmt: skip
def test_a_tenant_is_paused_by_its_policy(policy: str, bounced: int, paused: bool) -> None:
    rules = Ses(pauses_tenants=policy, reviews_account=False)  # type: ignore[arg-type]
    found = after_a_minute(rules, (MAILED, 1_000), (BOUNCED, bounced))
    assert found.stops("a") is paused
    assert not found.stops("b")
    assert [(action.at, action.what, action.tenant) for action in found.actions] == (
        [(60, "tenant_paused", "a")] if paused else []
    )


def test_a_reinstated_tenant_is_judged_again_once_its_findings_are_closed() -> None:
    found = after_a_minute(Ses(resumes_after="2h", reviews_account=False), (MAILED, 1_000), (BOUNCED, 500))
    found.end_minute(60 + 2 * 3_600)
    count(found, "a", MAILED, 100)
    count(found, "a", BOUNCED, 90)
    found.end_minute(3 * 3_600)
    assert not found.stops("a"), "open findings of a reinstated tenant are ignored (ses.md 1.6)"
    count(found, "a", MAILED, 1)
    count(found, "a", BOUNCED, 1)
    found.end_minute(30 * 3_600)
    count(found, "a", MAILED, 1_000)
    count(found, "a", BOUNCED, 500)
    found.end_minute(31 * 3_600)
    assert found.stops("a")


def test_nothing_is_judged_before_the_end_of_the_minute() -> None:
    found = Reactions(Ses())
    count(found, "a", MAILED, 1_000)
    count(found, "a", BOUNCED, 900)
    assert not found.stops("a")


def test_a_few_complaints_of_a_small_tenant_are_no_finding() -> None:
    few = after_a_minute(Ses(), (LOOP, IN_A_WORLD - 1), (MAILED, 4_000), (COMPLAINED, 50))
    enough = after_a_minute(Ses(), (LOOP, IN_A_WORLD), (MAILED, 4_000), (COMPLAINED, 50))
    assert (few.stops("a"), enough.stops("a")) == (False, True)


def test_a_paused_tenant_comes_back_if_the_file_says_so() -> None:
    found = after_a_minute(Ses(resumes_after="2h", reviews_account=False), (MAILED, 1_000), (BOUNCED, 500))
    found.end_minute(2 * 3_600)
    assert found.stops("a")
    found.end_minute(60 + 2 * 3_600)
    assert not found.stops("a")
    assert [action.what for action in found.actions] == ["tenant_paused", "tenant_resumed"]
    count(found, "a", MAILED, 1)
    found.end_minute(120 + 2 * 3_600)
    assert not found.stops("a"), "the bounces of before are not held against it"


@pytest.mark.parametrize("reviews", [True, False])
def test_the_account_is_reviewed_and_paused_for_all(reviews: bool) -> None:
    found = Reactions(Ses(pauses_tenants="none", reviews_account=reviews))
    for minute in range(1, 60):
        for tenant in ("a", "b"):
            count(found, tenant, MAILED, 100)
            count(found, tenant, BOUNCED, 6 if minute < 20 else 40)
        found.end_minute(minute * 60)
    assert found.stops("c") is reviews
    assert [action.what for action in found.actions] == (
        ["account_probation", "account_paused"] if reviews else []
    )


def test_addresses_are_remembered_for_their_tenant() -> None:
    found = Reactions(Ses())
    found.suppress("a", "x@gmail.com")
    assert (found.suppressed("a"), found.suppressed("b")) == ({"x@gmail.com"}, set())
    none = Reactions(Ses(suppression="none"))
    none.suppress("a", "x@gmail.com")
    assert none.suppressed("a") == set()
