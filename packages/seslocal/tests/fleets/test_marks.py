"""What is marked in a picture."""

from __future__ import annotations

from seslocal.fleets.marks import marks
from seslocal.fleets.result import Action

START = Action(9 * 3600.0, "incident", "start", "bad", "bought_list")
PAUSE = Action(10 * 3600.0, "ses", "tenant_paused", "bad", "bounce rate above 15.0%")
END = Action(40 * 3600.0, "incident", "end", "bad", "bought_list")


def test_incidents_and_pauses_are_marked_by_time() -> None:
    found = marks([START, PAUSE, END], 1800)
    assert [(one.number, one.at) for one in found] == [(1, START.at), (2, PAUSE.at), (3, END.at)]
    assert [one.said for one in found] == [
        "day 1 09:00: bought list starts (bad)",
        "day 1 10:00: SES: tenant paused bad, bounce rate above 15.0%",
        "day 2 16:00: bought list ends (bad)",
    ]
    assert found[0].color == found[2].color != found[1].color


def test_what_lies_close_together_has_one_mark() -> None:
    (one,) = marks([START, PAUSE], 3601)
    assert one.said == (
        "day 1 09:00: bought list starts (bad); SES: tenant paused bad, bounce rate above 15.0%"
    )


def test_of_many_deeds_the_first_are_named() -> None:
    pauses = [Action(60.0 * n, "ses", "tenant_paused", f"t{n}", "x") for n in range(50)]
    (one,) = marks(pauses, 1e6)
    assert one.said.endswith("SES: tenant paused t2, x; and 47 more")
    many = marks(pauses, 1)
    assert len(many) == 9
    assert many[-1].said.endswith("; and 41 later ones")


def test_a_healthy_account_is_no_mark() -> None:
    assert marks([Action(0.0, "ses", "account_healthy", "", "")], 1) == []
    assert len(marks([Action(0.0, "operator", "cordoned", "bad", "why")], 1)) == 1
