"""What an API process reports of lanes that refuse mail."""

from typing import Any, cast

from mailcordon.core.clock import host_ms
from mailcordon.send import facts
from mailcordon.send.facts import AcceptFacts


def full(told: AcceptFacts) -> dict[int, dict[str, Any]]:
    return {one["lane"]: one for one in cast("list[dict[str, Any]]", told.document()["full"])}


def test_a_full_lane_is_reported_with_its_refusals_until_two_minutes_after_the_last() -> None:
    told, now = AcceptFacts(), host_ms()
    told.full(7, "It is full.", now - facts.FULL_MS - 60_000)
    told.full(7, "It is full.", now - 2_000)
    told.full(7, "It is still full.", now)
    told.full(8, "It was full.", now - facts.FULL_MS - 60_000)
    assert full(told) == {
        7: {"lane": 7, "since": now - 2_000, "last": now, "refused": 2, "sentence": "It is still full."}
    }


def test_of_many_full_lanes_those_that_refused_last_are_reported() -> None:
    told, now = AcceptFacts(), host_ms()
    for lane in range(facts.MOST_FULL + 10):
        told.full(lane, "It is full.", now)
    told.full(10, "It is full.", now)
    told.full(1, "It is full.", now)
    assert set(full(told)) == {1, *range(10, facts.MOST_FULL + 10)} - {11}
