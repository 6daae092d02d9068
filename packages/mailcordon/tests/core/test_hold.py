"""How a hold ends, in words: never "when it is lifted" of one that ends by itself."""

from typing import Any

import pytest

from mailcordon.core.hold import OWNERS, Hold
from mailcordon.core.priority import Class
from mailcordon.core.target import Target


def hold(**over: Any) -> Hold:
    target = {name: over.pop(name) for name in ("campaign", "list", "class_") if name in over}
    values: dict[str, Any] = {"id": 1, "owner": "person", "because": "x", "by": "ann", "since": 0}
    return Hold(target=Target(tenant=1, **target), **(values | over))


@pytest.mark.parametrize(
    ("given", "ends"),
    [
        ({}, "when it is lifted"),
        ({"class_": Class.MARKETING}, "when it is lifted"),
        ({"until": 1_796_022_180_000}, "at 30 Nov 2026 07:03 UTC, or when it is lifted before"),
        ({"owner": "breaker", "list": "bought"}, "when it is lifted, or after 14 days"),
        ({"owner": "breaker", "campaign": "spring"}, "when it is lifted, or after 14 days"),
        ({"owner": "breaker", "stops": False}, "by itself, once this mail is normal again"),
        ({"owner": "policy"}, "by itself, once its cause is gone"),
        ({"owner": "rollout"}, "when the rollout that placed it goes on or goes back"),
    ],
)
def test_a_hold_says_how_it_ends(given: dict[str, Any], ends: str) -> None:
    assert hold(**given).ends == ends


def test_a_lane_that_the_breaker_holds_is_let_go_by_a_probe() -> None:
    assert "once a probe of this mail was healthy" in hold(owner="breaker").ends


def test_every_owner_says_it() -> None:
    assert len({hold(owner=owner).ends for owner in OWNERS}) == len(OWNERS)
