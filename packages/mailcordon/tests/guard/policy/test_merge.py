"""Layers become one policy, and each value says where it comes from."""

import pytest

from mailcordon.adapters.db.lane_policy_row import document_of, policy_of
from mailcordon.core.limit import LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.guard.policy.effective import Cap, Valued
from mailcordon.guard.policy.layer import CapValue, Layer, Reasoned
from mailcordon.guard.policy.merge import built_in_policy, explain

WIDE = Layer(
    "tier careful",
    {"breaker.sensitivity": Reasoned(0.1, "unknown"), "caps.lane.day": Reasoned(CapValue(500), "x")},
)
CAREFUL = Valued("careful", "tenant acme", "no contract yet")
NARROW = Layer("lane acme/newsletter", {"breaker.sensitivity": Reasoned(1.0, "known since 2019")})


def test_the_narrower_layer_wins_value_by_value() -> None:
    found = explain("acme/newsletter", (WIDE, NARROW), version=3, tier=CAREFUL)
    assert found.policy.breaker.sensitivity == 1.0
    assert found.values["breaker.sensitivity"].origin == "lane acme/newsletter"
    assert found.values["breaker.sensitivity"].because == "known since 2019"
    assert found.policy.caps == (Cap(scope=LimitScope.LANE, per=Per.DAY, mails=500, mode=Mode.SHADOW),)
    assert found.values["caps.lane.day"].origin == "tier careful"


def test_a_layer_can_lift_a_cap_of_the_layers_below() -> None:
    lifted = Layer("tenant acme", {"caps.lane.day": Reasoned(CapValue(None), "paid for")})
    found = explain("acme/newsletter", (WIDE, lifted), version=3, tier=CAREFUL)
    assert found.policy.caps == ()
    assert "caps.lane.day" not in found.values


@pytest.mark.parametrize("class_", Class)
def test_a_lane_without_a_row_has_the_built_in_policy_of_its_class(class_: Class) -> None:
    found = policy_of(None, class_)
    assert found == built_in_policy(class_)
    assert (found.version, found.tier) == (0, "standard")


def test_five_mails_an_hour_to_one_address_are_all_that_urgent_lanes_send_by_default() -> None:
    (cap,) = built_in_policy(Class.URGENT).caps
    assert (cap.scope, cap.per, cap.mails, cap.mode) == (LimitScope.RECIPIENT, Per.HOUR, 5, Mode.ENFORCE)


def test_a_policy_is_stored_and_read_back_as_it_was() -> None:
    for class_ in Class:
        policy = built_in_policy(class_)
        assert policy_of(document_of(policy), class_) == policy


def test_members_of_a_newer_version_are_left_out_and_missing_ones_have_their_default() -> None:
    read = policy_of(
        '{"version": 4, "tier": "strict", "breaker": {"sensitivity": 10, "colour": "red"}}', Class.MARKETING
    )
    assert (read.version, read.tier, read.breaker.sensitivity, read.caps) == (4, "strict", 10, ())
