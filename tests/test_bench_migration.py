"""`./dev bench migration` and `./dev bench moves` in small forms: what they decide, count and say."""

import json

import pytest

from bench.migration import command, defects, measures, moves_command, report
from bench.migration.comparison import Comparison
from bench.migration.moves import Moved, move
from bench.migration.population import Sender
from bench.migration.setups import Played, Setup
from bench.migration.ways import SHARED, Ways
from mailcordon.core.provider import Provider
from mailcordon.guard.rollouts.nouns import Measure, Side
from seslocal.fleets import reading
from seslocal.fleets.operator import Seen, Waiting
from seslocal.fleets.scenario import BoughtList, Group, Scenario, Ses

SMALL = Scenario(
    name="small",
    title="Six tenants",
    seed=3,
    days=4,
    known=500,
    groups=(
        Group(name="bazaar", mails_a_day=100.0, new=True),
        Group(name="banks", count=5, type="transactional", mails_a_day=160.0, new=True),
    ),
    incidents=(BoughtList(tenant="bazaar", start="day 2 09:00", addresses=600, lasts="1h"),),
    ses=Ses(pauses_tenants="none", reviews_account=False),
)
MINUTE = 29_540_160


@pytest.fixture(scope="module")
def played() -> dict[tuple[Setup, bool], Played]:
    return command.run(SMALL)


def mail(key: str = "a", to: str = "acme.000001@outlook.com", *, bulk: bool = True) -> Waiting:
    return Waiting(key, to, "microsoft", "acme", "june", bulk, "text", 600.0)


def test_the_shipped_fleet_has_200_tenants_that_own_a_new_domain_and_one_culprit() -> None:
    scenario = reading.load(command.SCENARIO)
    assert sum(group.count for group in scenario.groups) == 200
    assert all(group.new for group in scenario.groups)
    assert [getattr(one, "tenant", "") for one in scenario.incidents] == ["bazaar"]


def test_the_culprit_harms_who_shares_with_it_and_who_is_apart_hardly(
    played: dict[tuple[Setup, bool], Played],
) -> None:
    before = measures.figures(played).stages[0]
    assert before.share == 0
    assert before.lost[Setup.STAYS] > 0.02
    assert abs(before.lost[Setup.APART]) < 0.003
    assert before.lost[Setup.MOVES] < 0.5 * before.lost[Setup.STAYS], (
        "the breaker holds the list on either path"
    )


def test_a_healthy_fleet_moves_and_nothing_goes_back(played: dict[tuple[Setup, bool], Played]) -> None:
    moved = played[Setup.MOVES, False]
    assert [one.share for one in moved.looks if one.rollout == "banks"] == [1]
    assert measures.figures(played).backs == 0
    assert moved.run.total().wanted == played[Setup.STAYS, False].run.total().wanted
    assert sum(row.counts.held for row in moved.run.rows if row.tenant != "bazaar") == 0


def test_the_report_has_a_row_for_each_share_and_one_line_for_programs(
    played: dict[tuple[Setup, bool], Played],
) -> None:
    found = measures.figures(played)
    table = report.table(found)
    assert [line.split(" |")[0] for line in table.splitlines()[2:4]] == ["| 0 %", "| 1 %"]
    line = json.loads(report.json_line(found, played, scenario="small"))
    assert line["stages"][0]["lost"].keys() == {"stays", "apart", "moves"}
    assert "banks: 1 %" in report.steps(played[Setup.MOVES, False])


def test_a_mail_keeps_the_path_that_it_was_given_until_it_is_taken_back() -> None:
    shares = {"acme": 0}
    ways = Ways(shares)
    assert ways.path(0.0, mail()) is SHARED
    shares["acme"] = 100
    assert ways.path(0.0, mail()) is SHARED
    assert ways.path(0.0, mail("b")) is None
    ways.back(["b"])
    assert ways.path(0.0, mail("b")) is SHARED


def test_both_paths_are_counted_once_a_mail_and_what_left_before_the_share_is_not() -> None:
    counted = Comparison(MINUTE)
    counted.sent(2, mail("old"), 600.0, new=False)
    counted.begin()
    for key, new in (("a", True), ("b", False)):
        counted.sent(2, mail(key), 660.0, new=new)
    for key in ("old", "a", "a"):
        counted.see(Seen(700.0, "delay", mail(key)))
    counted.see(Seen(9_000.0, "delivery", mail("a")))
    text = "550 5.7.1 Our system has detected that this message is likely unsolicited mail"
    counted.see(Seen(720.0, "bounce", mail("b"), False, 550, "5.7.1", text))
    [one] = counted.strata()
    assert (one.lane, one.provider, one.batch) == (2, Provider.MICROSOFT, "june")
    minute = MINUTE + 11
    assert one.new == Side(
        minute, minute, sent=1, reported=1, heard=1, delivered=1, delayed=1, timed=1, late=1
    )
    assert one.old == Side(minute, minute, sent=1, reported=1, heard=1, undelivered=1, refused=1)
    assert counted.first_new == minute


def test_a_healthy_move_reaches_its_end() -> None:
    found = move(Sender(seed=5, volume=8_000.0), every=720)
    assert not found.back
    assert found.share == 100
    assert found.stood is not None
    assert list(found.lasted) == [0, 1, 5, 25, 50]
    assert found.mails > 0.75 * 2 * 8_000


@pytest.mark.parametrize(
    ("defect", "by"),
    [
        (defects.WRONG_SELECTOR, Measure.REFUSED),
        (defects.NO_DESTINATION, Measure.UNREPORTED),
        (defects.NO_TAGS, Measure.UNREPORTED),
        (defects.COLD_IP, Measure.DELAYED),
        (defects.SUPPRESSION, Measure.SUPPRESSED),
    ],
    ids=lambda one: getattr(one, "name", str(one)),
)
def test_counts_alone_catch_a_planted_defect_at_five_percent_at_most(
    defect: defects.Defect, by: Measure
) -> None:
    [found] = moves_command.planted(defect, [2], checks=False)
    assert found.back
    assert found.share <= 5
    assert found.by == by.value
    assert found.sentence.startswith("Back from")


def test_a_defect_that_the_checklist_sees_keeps_a_move_from_beginning() -> None:
    found = move(moves_command.sender(1), defects.MAIL_FROM)
    assert (found.share, found.mails, found.by) == (0, 0, "mail-from:move")
    assert "fallen back" in found.sentence


def test_the_report_of_moves_says_how_many_went_back_beside_what_is_stated() -> None:
    stood = Moved(1, 1000.0, share=100, stood=7200)
    back = Moved(2, 1000.0, back=True, share=5, by="delayed", sentence="Back from 5 percent.", mails=9)
    text = moves_command.report([stood, back], [(defects.COLD_IP, [], [back])])
    assert "2 healthy moves: 1 went back (50.00%" in text
    assert "stated: at most 1%" in text
    assert "| cold IP | does not see it | 1 of 1 | 5 % (1) | 9 | 0 | delayed (1) |" in text
    assert moves_command.upper_bound(0, 500) == pytest.approx(0.0074, abs=0.0002)
