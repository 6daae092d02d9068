"""What is said before an action, and what lanes share: pure."""

from typing import Any

import pytest

from mailcordon.control import preview, sharing
from mailcordon.control.sharing import LaneFacts
from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.core.target import LaneCounts, Preview, Target

NEWS = LaneCounts(
    lane=1, type="newsletter", class_=Class.MARKETING, state="open", ready=3, waiting=1, sending=2
)
OFFERS = LaneCounts(
    lane=2, type="announcement", class_=Class.MARKETING, state="open", ready=0, waiting=0, sending=0
)


def preview_of(target: Target, *holds: Hold, lanes: tuple[LaneCounts, ...] = (NEWS,)) -> Preview:
    return Preview(target=target, lanes=lanes, untouched=("password-reset",), holds=holds)


def hold(id: int, **more: Any) -> Hold:
    return Hold(
        **{"id": id, "tenant": 1, "owner": "person", "because": "why", "by": "ann", "since": 0, **more}
    )


def test_a_cordon_says_what_waits_what_is_not_recalled_and_whom_it_leaves_alone() -> None:
    found = preview_of(Target(tenant=1, class_=Class.MARKETING), lanes=(OFFERS, NEWS))
    assert preview.effect("cordon", found, "acme") == (
        "Stops marketing of acme (announcement and newsletter): 4 deliveries and all that follow wait until it is lifted, or "
        "until they expire. 2 deliveries already on the wire cannot be recalled."
    )
    assert preview.untouched(found, "acme") == "password-reset of acme; every other tenant."


def test_a_cancel_says_that_it_is_for_good() -> None:
    found = preview_of(Target(tenant=1, lane=1, campaign="spring"))
    said = preview.effect("cancel", found, "acme")
    assert said.startswith("Drops 4 deliveries of newsletter of acme, campaign spring (newsletter) for ever")
    assert "all else in newsletter" in preview.untouched(found, "acme")


def test_an_uncordon_lifts_a_persons_hold_on_exactly_this_and_names_what_stays() -> None:
    target = Target(tenant=1, lane=1)
    mine, breakers, tenants = hold(7, lane=1), hold(8, lane=1, owner="breaker", because="bounces"), hold(9)
    found = preview_of(target, mine, breakers, tenants)
    assert preview.liftable(found) == [mine]
    said = preview.effect("uncordon", found, "acme")
    assert said == (
        "Lifts hold 7 (why), but nothing leaves yet. Left in place: hold 8 of breaker (bounces) and hold 9 of person (why)."
    )


def test_an_uncordon_that_frees_a_lane_says_how_much_leaves() -> None:
    found = preview_of(Target(tenant=1, lane=1), hold(7, lane=1))
    assert (
        preview.effect("uncordon", found, "acme")
        == "Lifts hold 7 (why): 4 deliveries of newsletter leave by themselves."
    )


def test_a_narrow_hold_that_stays_does_not_keep_the_lane() -> None:
    found = preview_of(Target(tenant=1, lane=1), hold(7, lane=1), hold(8, lane=1, provider=Provider.GMAIL))
    assert [lane.type for lane in preview.released(found, preview.liftable(found))] == ["newsletter"]


@pytest.mark.parametrize(
    "other", [hold(7), hold(7, class_=Class.MARKETING), hold(7, lane=1, campaign="spring")]
)
def test_a_wider_or_narrower_hold_is_not_meant_by_a_lanes_uncordon(other: Hold) -> None:
    found = preview_of(Target(tenant=1, lane=1), other)
    assert preview.liftable(found) == []
    assert "No person's hold is aimed at exactly newsletter of acme" in preview.effect(
        "uncordon", found, "acme"
    )


# Shares ------------------------------------------------------------------------------------------------------------------


def lane(type: str, domain: str, class_: Class, **more: Any) -> LaneFacts:
    given: dict[str, Any] = {
        "ses_tenant": "mc-a",
        "configuration_set": f"mc-{class_.word}",
        "set_kind": "shared",
        "ip_pool": None,
    }
    return LaneFacts(type=type, class_=class_, domain=domain, **{**given, **more})


def test_lanes_on_one_domain_say_so() -> None:
    found = sharing.by_type(
        [
            lane("invoice", "m.acme.example", Class.TRANSACTIONAL),
            lane("receipt", "m.acme.example", Class.TRANSACTIONAL),
        ]
    )
    assert found["invoice"][0] == "domain m.acme.example, and so its reputation: with receipt"


def test_a_parent_domain_is_shared_in_part() -> None:
    found = sharing.by_type(
        [
            lane("invoice", "acme.example", Class.TRANSACTIONAL),
            lane("newsletter", "news.acme.example", Class.MARKETING),
        ]
    )
    assert any(said.startswith("parent domain") for said in found["newsletter"])


def test_a_lane_with_everything_of_its_own_shares_nothing() -> None:
    one = lane(
        "invoice",
        "m.example",
        Class.TRANSACTIONAL,
        configuration_set="mc-a-x",
        set_kind="dedicated",
        ip_pool="own",
    )
    assert sharing.by_type([one]) == {"invoice": []}
    assert sharing.summary([one]) == []


def test_the_summary_names_each_shared_thing_once_with_all_its_lanes() -> None:
    lanes = [
        lane("password-reset", "m.example", Class.URGENT),
        lane("login-code", "m.example", Class.URGENT),
        lane("newsletter", "n.example", Class.MARKETING),
    ]
    assert sharing.summary(lanes) == [
        "domain m.example, and so its reputation: login-code and password-reset",
        "SES tenant mc-a: login-code, newsletter and password-reset; when SES pauses it, all of them stop",
        "configuration set mc-urgent: login-code and password-reset, with lanes of the same class of other tenants",
        "configuration set mc-marketing: newsletter, with lanes of the same class of other tenants",
        "SES's shared IP pool: login-code, newsletter and password-reset, with every sender in the region",
    ]
