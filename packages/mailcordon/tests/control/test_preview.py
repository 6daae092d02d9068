"""Previews of cordon, uncordon and cancel: pure."""

from typing import Any

import pytest

from mailcordon.control import preview
from mailcordon.control.preview import LaneCounts, Preview
from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.core.target import Target

NEWS = LaneCounts(
    lane=1, type="newsletter", class_=Class.MARKETING, state="open", ready=3, waiting=1, sending=2
)
OFFERS = LaneCounts(
    lane=2, type="announcement", class_=Class.MARKETING, state="open", ready=0, waiting=0, sending=0
)


def preview_of(target: Target, *holds: Hold, lanes: tuple[LaneCounts, ...] = (NEWS,)) -> Preview:
    return Preview(target=target, lanes=lanes, untouched=("password-reset",), holds=holds)


def hold(id: int, owner: str = "person", because: str = "why", **more: Any) -> Hold:
    return Hold(id=id, target=Target(tenant=1, **more), owner=owner, because=because, by="ann", since=0)


def test_a_cordon_says_what_waits_what_cannot_be_recalled_and_whom_it_leaves_alone() -> None:
    found = preview_of(Target(tenant=1, class_=Class.MARKETING), lanes=(OFFERS, NEWS))
    assert preview.effect("cordon", found, "acme") == (
        "Holds marketing mail of acme (announcement and newsletter): 4 deliveries in the queue and all new ones wait until the "
        "hold is lifted or they expire. 2 deliveries are being sent already and cannot be recalled."
    )
    assert preview.untouched(found, "acme") == "password-reset of acme; every other tenant."


def test_a_cancel_says_that_it_is_for_good() -> None:
    found = preview_of(Target(tenant=1, lane=1, campaign="spring"))
    said = preview.effect("cancel", found, "acme")
    assert said.startswith("Drops 4 deliveries of newsletter mail of acme, campaign spring for good.")
    assert "all other mail of newsletter" in preview.untouched(found, "acme")


def test_an_uncordon_lifts_a_persons_hold_on_exactly_this_and_names_what_stays() -> None:
    target = Target(tenant=1, lane=1)
    mine, breakers, tenants = hold(7, lane=1), hold(8, lane=1, owner="breaker", because="bounces"), hold(9)
    found = preview_of(target, mine, breakers, tenants)
    assert preview.liftable(found) == [mine]
    said = preview.effect("uncordon", found, "acme")
    assert said == (
        'Lifts hold 7 "why" by ann, but the mail stays held. Not lifted: hold 8 "bounces" by breaker and hold 9 "why" by ann.'
    )


def test_an_uncordon_that_frees_a_lane_says_how_much_leaves() -> None:
    found = preview_of(Target(tenant=1, lane=1), hold(7, lane=1))
    assert (
        preview.effect("uncordon", found, "acme")
        == 'Lifts hold 7 "why" by ann: 4 deliveries of newsletter can leave.'
    )


def test_a_narrow_hold_that_stays_does_not_hold_the_lane() -> None:
    found = preview_of(Target(tenant=1, lane=1), hold(7, lane=1), hold(8, lane=1, provider=Provider.GMAIL))
    assert [lane.type for lane in preview.released(found, preview.liftable(found))] == ["newsletter"]


@pytest.mark.parametrize(
    "other", [hold(7), hold(7, class_=Class.MARKETING), hold(7, lane=1, campaign="spring")]
)
def test_an_uncordon_of_a_lane_does_not_lift_a_wider_or_narrower_hold(other: Hold) -> None:
    found = preview_of(Target(tenant=1, lane=1), other)
    assert preview.liftable(found) == []
    assert "Nobody has cordoned exactly newsletter mail of acme" in preview.effect("uncordon", found, "acme")
