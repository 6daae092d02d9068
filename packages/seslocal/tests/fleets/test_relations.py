"""Who shares what with the culprits."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from seslocal.fleets.relations import RELATIONS, members, relations, words
from seslocal_fixtures.runs import ALL, CULPRIT, NEIGHBOR, STRANGER, run


def test_the_nearest_relation_counts() -> None:
    assert relations(run()) == {
        "bad": "culprit",
        "sister": "shares domain",
        "neighbor": "shares pool",
        "stranger": "stranger",
    }


def test_the_pool_of_ses_is_told_from_one_of_the_platform() -> None:
    tenants = (replace(CULPRIT, pool="shared"), replace(NEIGHBOR, pool="shared"), STRANGER)
    assert relations(run(tenants=tenants))["neighbor"] == "shares SES's pool"
    assert members(run(tenants=tenants), "sharers") == {"neighbor"}


def test_who_sends_from_the_pool_of_ses_shares_nothing_with_a_culprit_elsewhere() -> None:
    assert relations(run(tenants=(CULPRIT, replace(NEIGHBOR, pool="shared"))))["neighbor"] == "stranger"


def test_without_a_culprit_all_are_strangers() -> None:
    tenants = tuple(replace(one, culprit=False) for one in ALL)
    assert set(relations(run(tenants=tenants)).values()) == {"stranger"}


@pytest.mark.parametrize(
    ("who", "found"),
    [
        ("all", {"bad", "sister", "neighbor", "stranger"}),
        ("others", {"sister", "neighbor", "stranger"}),
        ("culprits", {"bad"}),
        ("sharers", {"sister", "neighbor"}),
        ("strangers", {"stranger"}),
        ("shops", {"bad", "sister"}),
        ("stranger", {"stranger"}),
        ("nobody", set[str]()),
    ],
)
def test_members(who: str, found: set[str]) -> None:
    assert members(run(), who) == found


@pytest.mark.parametrize("relation", RELATIONS)
def test_one_and_many_have_words(relation: str) -> None:
    assert relation in RELATIONS
    one, many = words(relation, 1), words(relation, 2)
    assert one != many
    assert words(relation, 0) == many
