"""What a key may give to another key, what widens one, and which terms a key can have."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest

from mailcordon.control.keys import Terms, check, check_given, widens
from mailcordon.core.errors import Forbidden, Invalid
from mailcordon.core.key_limits import KeyLimits
from mailcordon.core.principal import SCOPES, Principal

SOON, LATER = (datetime.now(UTC) + timedelta(days=days) for days in (1, 2))
ANY = Terms(tenant="acme", name="ci", scopes=("send", "read"))


def principal(*scopes: str, **over: Any) -> Principal:
    given: dict[str, Any] = {"tenant_id": None, "tenant_slug": None, **over}
    return Principal(
        key_id=1, prefix="abcdefgh", name="ops", holder="Kim Lee", scopes=frozenset(scopes), **given
    )


def test_a_key_gives_the_scopes_it_holds_and_no_other():
    check_given(principal(*SCOPES), ANY)
    check_given(principal("admin", "send", "read"), ANY)
    for lacking in ("send", "read"):
        with pytest.raises(Forbidden, match=f"not {lacking}") as caught:
            check_given(principal(*set(SCOPES) - {lacking}), ANY)
        assert caught.value.code == "scope-not-held"


def test_a_key_that_could_mint_any_scope_before_still_does():
    check_given(principal("admin", also_mints=frozenset(SCOPES)), ANY)


def test_what_a_successor_may_mint_must_be_held_as_well():
    with pytest.raises(Forbidden):
        check_given(principal("admin"), replace(ANY, tenant=None, scopes=("admin",)), ("operate",))


def test_a_key_gives_only_its_own_tenant_and_its_own_types():
    own = principal("send", "read", tenant_id=7, tenant_slug="acme")
    check_given(own, ANY)
    for tenant in (None, "zen"):
        with pytest.raises(Forbidden):
            check_given(own, replace(ANY, tenant=tenant))
    typed = principal("send", "read", types=frozenset({"invoice"}))
    check_given(typed, replace(ANY, types=("invoice",)))
    for types in (None, ("receipt",), ("invoice", "receipt")):
        with pytest.raises(Forbidden):
            check_given(typed, replace(ANY, types=types))


NARROW = Terms(
    tenant="acme", name="ci", scopes=("send",), types=("invoice",), networks=(ip_network("10.1.0.0/16"),),
    expires_at=SOON,
)  # fmt: skip
WIDER: dict[str, dict[str, Any]] = {
    "a scope": {"scopes": ("send", "read")},
    "a type": {"types": ("invoice", "receipt")},
    "all types": {"types": None},
    "a wider range": {"networks": (ip_network("10.0.0.0/8"),)},
    "one range more": {"networks": (ip_network("10.1.0.0/16"), ip_network("2001:db8::/32"))},
    "any address": {"networks": ()},
    "a later end": {"expires_at": LATER},
    "no end": {"expires_at": None},
}


@pytest.mark.parametrize("over", WIDER.values(), ids=WIDER)
def test_more_of_anything_widens_a_key_and_less_does_not(over: dict[str, Any]):
    wider = replace(NARROW, **over)
    assert widens(NARROW, wider)
    assert not widens(wider, NARROW)
    assert not widens(NARROW, NARROW)


def test_a_part_of_a_range_and_another_limit_do_not_widen_a_key():
    assert not widens(
        NARROW, replace(NARROW, networks=(ip_network("10.1.2.0/24"), ip_network("10.1.3.0/24")))
    )
    assert not widens(NARROW, replace(NARROW, limits=KeyLimits(messages_per_second=1000)))


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "no types": ({"types": ()}, "types"),
    "a type that no type is called": ({"types": ("a\0b",)}, "types"),
    "types with a scope that concerns all": ({"tenant": None, "scopes": ("admin",), "types": ("invoice",)}, "types"),
    "a rate of nothing": ({"limits": KeyLimits(messages_per_second=0)}, "limits.messages_per_second"),
    "a rate below any clock": ({"limits": KeyLimits(reads_per_second=1e-320)}, "limits.reads_per_second"),
    "a rate that is no number": ({"limits": KeyLimits(bytes_per_second=float("nan"))}, "limits.bytes_per_second"),
    "an endless rate": ({"limits": KeyLimits(bytes_per_second=float("inf"))}, "limits.bytes_per_second"),
    "an end after the end of time": ({"expires_at": datetime.max.replace(tzinfo=UTC)}, "expires_at"),
    "a name with a line break": ({"name": "ci\n2026 admin"}, "name"),
    "no name": ({"name": " "}, "name"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG.values(), ids=WRONG)
def test_terms_that_no_key_can_have_are_refused_by_field(case: tuple[dict[str, Any], str]):
    over, field = case
    with pytest.raises(Invalid) as caught:
        check(replace(ANY, **over))
    assert [fault.field for fault in caught.value.faults] == [field]


def test_a_key_that_has_ended_keeps_its_end_when_something_else_changes():
    ended = replace(ANY, expires_at=datetime.now(UTC) - timedelta(days=1))
    check(ended, ends=False)
    with pytest.raises(Invalid):
        check(ended)
