"""The ranking of who brings what is too much, from the evidence that alarms keep."""

from mailcordon.observe.incidents.culprits import Culprit, ranked

SUSPECTS = [
    {"part": [{"kind": "lane", "name": "newsletter"}], "share": 1.0, "events": 17, "mails": 270},
    {"part": [{"kind": "list", "name": "bought"}], "share": 1.0, "events": 17, "mails": 120},
    {"part": [{"kind": "provider", "name": "gmail"}], "share": 0.4, "events": 7, "mails": 60},
]


def test_what_explains_most_with_the_least_mail_comes_first() -> None:
    found = ranked({"suspects": SUSPECTS})
    assert [one.name for one in found] == ["bought", "newsletter", "gmail"]
    assert found[0].sentence == "list bought: 100 % of what is too much, 17 of 120 mails"


def test_the_evidence_of_a_rate_is_ranked_too() -> None:
    found = ranked(
        {"excess_by": [{"part": "campaign", "value": "sale", "share": 0.9, "events": 9, "sent": 80}]}
    )
    assert found == [Culprit(kind="campaign", name="sale", share=0.9, events=9, mails=80)]


def test_other_evidence_has_no_ranking() -> None:
    assert ranked({}) == []
    assert ranked({"suspects": "x", "excess_by": [1, None]}) == []
    assert ranked({"suspects": [{"part": [], "share": 1}]}) == []
