"""`./dev bench week` in a small form: the guard holds the bought list and nothing else, and the figures say what happened."""

import json

import pytest

from bench.week import command, measures, report
from bench.week.feedback import Feedback
from bench.week.guard import Guard
from bench.week.lanes import Lanes, list_of
from bench.week.setups import Setup, play
from mailcordon.core.provider import Provider
from mailcordon.guard.breaker.nouns import Level
from mailcordon.guard.counts import Delta
from mailcordon.guard.policy import document
from seslocal.fleets import reading
from seslocal.fleets.operator import Seen, Waiting
from seslocal.fleets.player import Player
from seslocal.fleets.scenario import BoughtList, Group, Scenario

SMALL = Scenario(
    name="small",
    title="Six tenants",
    seed=3,
    days=2,
    groups=(
        Group(name="bazaar", mails_a_day=900.0, pool="platform"),
        Group(name="shops", count=2, mails_a_day=120.0, pool="platform"),
        Group(name="apart", count=2, mails_a_day=120.0, pool="own"),
        Group(name="starters", count=1, mails_a_day=40.0, new=True, pool="platform"),
    ),
    incidents=(BoughtList(tenant="bazaar", start="day 2 09:00", addresses=2_500, lasts="25m", mailings=1),),
)
START = 1_772_409_600.0  # 2026-03-02, a Monday
MINUTE = int(START // 60)


@pytest.fixture(scope="module")
def found() -> dict[Setup, measures.Figures]:
    return {one.setup: one for one in command.run(SMALL, [Setup.NAIVE, Setup.MAILCORDON])}


def mail(
    key: str = "a", *, bulk: bool = True, due: float = 600.0, to: str = "acme-bought.000001@gmail.com"
) -> Waiting:
    return Waiting(key, to, "gmail", "acme", "june", bulk, "text", due)


def lanes() -> Lanes:
    senders = Player(Scenario(name="one", title="One", groups=(Group(name="acme"),)), days=1).senders
    return Lanes(senders, MINUTE)


def test_the_guard_holds_the_bought_list_early_and_names_it_first(
    found: dict[Setup, measures.Figures],
) -> None:
    naive, guarded = found[Setup.NAIVE], found[Setup.MAILCORDON]
    assert naive.guilty_wanted == 2_500
    assert naive.guilty_out >= 900
    assert naive.identified is None
    assert 0 < guarded.guilty_out <= 250
    assert guarded.identified is not None
    assert 0 < guarded.identified <= 300
    assert guarded.mitigated is not None
    assert guarded.named_first
    assert "list bazaar-bought of bazaar/newsletter" in guarded.by
    assert (guarded.false_stops, guarded.stops_without) == (0, 0)


def test_who_shares_nothing_is_equal_to_the_mail_and_the_culprits_codes_still_arrive(
    found: dict[Setup, measures.Figures],
) -> None:
    guarded = found[Setup.MAILCORDON]
    strangers = {
        one: next(each for each in found[one].others if each.relation == "stranger") for one in found
    }
    stranger = strangers[Setup.MAILCORDON]
    assert stranger.equal
    assert (stranger.lost, stranger.inbox) == (0, stranger.had_inbox)
    assert stranger.inbox > 0
    assert guarded.own_inbox > 0.8 * guarded.own_wanted > 0
    sharers = {
        one: next(each for each in found[one].others if each.relation == "shares pool") for one in found
    }
    assert sharers[Setup.MAILCORDON].lost <= sharers[Setup.NAIVE].lost


@pytest.mark.parametrize(("breaker", "least", "most"), [("shadow", 500, 2_500), ("enforce", 1, 300)])
def test_without_paced_release_it_is_the_breaker_that_holds_the_list(
    breaker: str, least: int, most: int
) -> None:
    player = Player(SMALL)
    policy = {"breaker": {"mode": breaker}, "release": {"mode": "observe"}, "because": "a test"}
    guard = Guard(player.senders, player.start, document.parse({"classes": {"marketing": policy}}))
    run = Player(SMALL, operator=guard).run()
    assert least <= run.total().incident <= most
    assert any(one.decision.level is Level.CORDON for one in guard.decided)
    waited = [(lane.name, why) for lane, why, _ in guard.counts_of_waiting()]
    assert waited == ([("bazaar/newsletter", "breaker")] if breaker == "enforce" else [])


def test_the_report_has_a_column_for_each_set_up_and_one_line_for_programs(
    found: dict[Setup, measures.Figures],
) -> None:
    table = report.table("A week", list(found.values()))
    lines = table.splitlines()
    assert lines[2] == "| | one SES account | Mailcordon |"
    assert all(line.count("|") == 4 for line in lines[2:])
    assert "0, equal to the mail" in table
    line = report.json_line(list(found.values()), scenario="small", days=2, scale=1.0)
    setups = json.loads(line)["setups"]
    assert setups["mailcordon"]["guilty_out"] == found[Setup.MAILCORDON].guilty_out
    assert setups["mailcordon"]["others"]["stranger"]["equal_to_the_mail"] is True


def test_feedback_is_counted_in_the_minute_of_the_call() -> None:
    feedback = Feedback(lanes(), MINUTE)
    late = mail("held", due=60.0)
    feedback.sent(late, MINUTE + 30)
    feedback.see(Seen(1_900.0, "delay", late))
    feedback.see(Seen(1_960.0, "delay", late))
    feedback.see(Seen(2_000.0, "bounce", late, True, 550, "5.1.1", "550 5.1.1 No such user"))
    blocked = mail("blocked")
    feedback.sent(blocked, MINUTE + 10)
    text = "550 5.7.1 Our system has detected that this message is likely unsolicited mail"
    feedback.see(Seen(601.0, "bounce", blocked, False, 550, "5.7.1", text))
    refused = mail("refused")
    feedback.sent(refused, MINUTE + 10)
    feedback.see(Seen(602.0, "rejected", refused))
    deltas, domains = feedback.take()
    gmail = int(Provider.GMAIL)
    assert deltas == [
        Delta(MINUTE + 10, 2, "june", "acme-bought", gmail, sent=1, blocks=1),
        Delta(MINUTE + 30, 2, "june", "acme-bought", gmail, sent=1, hard_bounces=1, delays=1),
    ]
    assert domains == []
    assert feedback.take() == ([], [])


def test_hard_bounces_outside_the_named_providers_are_counted_by_domain_too() -> None:
    feedback = Feedback(lanes(), MINUTE)
    one = mail(to="acme-bought.000001@host12.example")
    one = Waiting(one.key, one.recipient, "small", one.tenant, one.campaign, True, one.content, one.due)
    feedback.sent(one, MINUTE + 10)
    feedback.see(Seen(601.0, "bounce", one, True, 550, "5.1.1", "550 5.1.1 No such user"))
    deltas, [domain] = feedback.take()
    assert deltas[0].provider == Provider.OTHER
    assert (domain.minute, domain.lane, domain.hard_bounces) == (MINUTE + 10, 2, 1)


def test_a_code_is_on_no_list() -> None:
    assert list_of(mail(bulk=False)) is None
    assert list_of(mail()) == "acme-bought"


def test_the_shipped_week_has_200_tenants_and_one_culprit() -> None:
    scenario = reading.load(command.SCENARIO)
    assert sum(group.count for group in scenario.groups) == 200
    assert measures.first_list(scenario).tenant == "bazaar"


def test_a_scenario_without_a_bought_list_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["--scenario", "cold-ip"]) == 1
    assert "has no bought_list incident" in capsys.readouterr().err


def test_the_same_week_is_decided_the_same_way_twice() -> None:
    one, other = (play(SMALL, Setup.MAILCORDON, scale=0.2) for _ in range(2))
    assert one.decided == other.decided
    assert one.run == other.run
