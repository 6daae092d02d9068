"""A suppression covers the mail that its scope names, until its end, and says so in one sentence."""

from typing import Any

import pytest

from mailcordon.core.priority import Class
from mailcordon.core.suppression import Scope, Suppression
from mailcordon.messages import suppressions

NOW = 1_790_000_000_000


def suppression(scope: Scope, target: int = 0, **more: Any) -> Suppression:
    return Suppression(
        tenant=1,
        hash=b"h" * 16,
        address="kim@example.com",
        scope=scope,
        target=target,
        cause="complaint",
        since=NOW,
        **more,
    )


@pytest.mark.parametrize(
    ("one", "covers"),
    [
        (suppression(Scope.TENANT), True),
        (suppression(Scope.PLATFORM), True),
        (suppression(Scope.CLASS, Class.MARKETING), True),
        (suppression(Scope.CLASS, Class.URGENT), False),
        (suppression(Scope.LANE, 7), True),
        (suppression(Scope.LANE, 8), False),
    ],
)
def test_it_covers_what_its_scope_names(one: Suppression, covers: bool) -> None:
    assert one.covers(Class.MARKETING, 7, NOW) is covers


def test_it_ends_at_its_time_to_the_millisecond() -> None:
    one = suppression(Scope.TENANT, until=NOW)
    assert one.covers(Class.URGENT, 1, NOW - 1)
    assert not one.covers(Class.URGENT, 1, NOW)


def test_the_sentence_names_the_mail_that_is_meant() -> None:
    assert (
        suppression(Scope.TENANT).sentence("acme").startswith("acme may not mail kim@example.com: complaint")
    )
    assert "send marketing mail to" in suppression(Scope.CLASS, Class.MARKETING).sentence("acme")
    assert "send newsletter mail to" in suppression(Scope.LANE, 7, type="newsletter").sentence("acme")
    assert suppression(Scope.PLATFORM).sentence("acme").startswith("No tenant may mail kim@example.com")


def test_a_command_that_names_an_address_can_be_pasted_whatever_the_address_is() -> None:
    address = "a`reboot`|sh@example.com"
    advice = suppressions.what_to_do(
        cause="manual",
        tenant="acme",
        address=address,
        scope="tenant",
        mail="",
        until="",
        soft_bounces=0,
    )
    for text in (advice, suppressions.listed_by_account(address)):
        assert f" '{address}'" in text
