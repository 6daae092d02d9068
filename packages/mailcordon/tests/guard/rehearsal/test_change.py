"""The document of a change is read whole, and every fault names its member."""

import pytest

from mailcordon.core.errors import Invalid
from mailcordon.guard.rehearsal.change import BoughtList, Rollout, parse
from mailcordon.guard.rollouts.nouns import SHARES, Measure

LIST = {"tenant": "acme", "type": "newsletter", "mails": 10_000}


def test_a_list_has_defaults_and_a_rollout_those_of_rollouts() -> None:
    assert parse({"bought_list": LIST}) == BoughtList(tenant="acme", type="newsletter", mails=10_000)
    given = {**LIST, "starts": "7:30", "dead": "0.3", "mailings": 2}
    found = parse({"version": 1, "bought_list": given})
    assert isinstance(found, BoughtList)
    assert (found.starts, found.dead, found.mailings) == (450, 0.3, 2)
    rollout = parse({"rollout": {"tenant": "acme", "types": ["digest"], "worse": {"refused": 0.05}}})
    assert rollout == Rollout(tenant="acme", types=("digest",), shares=SHARES, worse={Measure.REFUSED: 0.05})


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        (None, ["document"]),
        ([], ["document", "document"]),
        ({"bought_list": LIST, "rollout": {}}, ["rollout"]),
        ({"version": 2, "bought_list": LIST}, ["version"]),
        ({"bought_lists": LIST}, ["bought_lists", "document"]),
        ({"bought_list": {**LIST, "size": 3, "starts": "25:00"}}, ["bought_list.size", "bought_list.starts"]),
        (
            {"bought_list": {"tenant": "No Slug", "mails": 0}},
            ["bought_list.type", "bought_list.tenant", "bought_list.mails"],
        ),
        ({"bought_list": {**LIST, "dead": 0.99}}, ["bought_list.traps"]),
        ({"rollout": {"tenant": "acme", "types": ["a"], "shares": [5, 1, 100]}}, ["rollout.shares"]),
        ({"rollout": {"tenant": "acme", "types": ["a"], "worse": {"sunk": 1}}}, ["rollout.worse.sunk"]),
    ],
)
def test_each_fault_names_its_member(document: object, fields: list[str]) -> None:
    with pytest.raises(Invalid) as wrong:
        parse(document)
    assert [one.field for one in wrong.value.faults] == fields
