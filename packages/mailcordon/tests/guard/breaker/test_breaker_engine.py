"""The breaker as a whole: it stops what is guilty, says who it was, lets it back in, and leaves healthy mail alone."""

import math
from dataclasses import replace

import pytest

from mailcordon.core.priority import Class
from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.nouns import Decision, Dimension, Half, LaneFacts, Level, Phase, Slice
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.guard.delays import Signal
from mailcordon_fixtures.breaker_mail import DAY, GMAIL, MICROSOFT, START, YAHOO, Post, lane, permits

IMPORT = Slice(Dimension.LIST, "import-7")


def post(facts: LaneFacts | None = None, *, days: int = 12, seed: int = 1, narrow: bool = True) -> Post:
    """A lane with a healthy past."""
    breaker = Breaker(narrow=narrow)
    breaker.lane(facts or lane())
    made = Post(breaker, seed)
    made.history(days)
    return made


def bad_list(made: Post, *, minutes: int = 4, rate: float = 0.12) -> None:
    for minute in range(minutes):
        at = made.minute + minute
        made.send(500, at=at, campaign="sale", list_="l1")
        made.send(500, at=at, campaign="sale", list_="import-7", bounces=rate)


def open_levels(made: Post) -> dict[tuple[Slice, ...], Phase]:
    return {
        each.guilty: each.phase
        for each in made.breaker.standing(1)
        if each.phase not in (Phase.HEALTHY, Phase.PROBATION)
    }


def test_a_bought_list_is_stopped_alone_and_the_lane_throttled():
    made = post()
    assert made.decisions == []
    began = made.minute
    bad_list(made)
    stop = next(each for each in made.run(10) if each.level is Level.CORDON)
    assert stop.minute - began <= 2
    assert (stop.guilty, stop.signal, stop.since) == ((IMPORT,), Signal.BOUNCES, began)
    assert stop.suspects[0].slices == (IMPORT,)
    assert stop.suspects[0].share > 0.8
    assert stop.nats >= stop.threshold
    assert stop.events > 5 * stop.usual
    assert not stop.over_the_ceiling
    held, others, rest = permits(made.breaker, made.minute, [IMPORT], [Slice(Dimension.LIST, "l1")], [])
    assert (held, others, rest) == (0.0, 0.5, 0.5)
    assert made.breaker.permit(1, made.minute, None) == 0.0


def test_healthy_mail_is_left_alone():
    made = post(days=40, seed=7)
    assert made.decisions == []
    assert made.breaker.standing(1) == []


def test_feedback_that_comes_late_all_at_once_is_no_trouble():
    made = post()
    for minute in range(20):
        made.send(
            2000, at=made.minute + minute, campaign="late", list_="l1", delay=480 - minute, bounces=0.008
        )
    assert made.run(DAY) == []


def test_feedback_booked_when_it_arrives_would_be_trouble():
    """The test above can fail: the same bounces, booked on mail of their own minute."""
    made = post()
    made.send(50, at=made.minute + 480, campaign="late", list_="l1")
    made._add(  # pyright: ignore[reportPrivateUsage]
        made.minute + 480, Delta(made.minute + 480, 1, "late", "l1", MICROSOFT, hard_bounces=320)
    )
    assert any(each.level is Level.CORDON for each in made.run(DAY))


def test_a_provider_that_blocks_stops_mail_to_it_alone():
    made = post()
    for minute in range(30):
        made.send(300, at=made.minute + minute, campaign="x", only=MICROSOFT, blocks=0.2)
        made.send(300, at=made.minute + minute, campaign="x", only=YAHOO)
    made.run(40)
    microsoft = Slice(Dimension.PROVIDER, "microsoft")
    assert open_levels(made) == {(microsoft,): Phase.CORDONED}
    assert permits(made.breaker, made.minute, [microsoft], [Slice(Dimension.PROVIDER, "yahoo")]) == [0.0, 1.0]


def test_silence_is_no_recovery_and_good_probes_are():
    made = post(narrow=False)
    bad_list(made)
    made.run(10)
    assert open_levels(made) == {(): Phase.CORDONED}
    assert made.breaker.permit(1, made.minute) == 0.0
    made.run(7 * 60)  # the cool-down of bounces is six hours
    assert open_levels(made) == {(): Phase.PROBING}
    made.run(DAY)
    assert open_levels(made) == {(): Phase.PROBING}, "nothing was sent, so nothing is known"
    assert made.breaker.permit(1, made.minute) == 0.02
    made.send(400, campaign="probe", list_="l1", bounces=0.002)
    ends = [each for each in made.run(3 * 60) if each.over]
    assert [each.why for each in ends] == ["probed"]
    assert made.breaker.permit(1, made.minute) == 1.0
    assert [each.phase for each in made.breaker.standing(1)] == [Phase.PROBATION]
    made.run(8 * DAY)
    assert [each.phase for each in made.breaker.standing(1)] == [Phase.HEALTHY]


def test_a_person_does_not_wait_for_the_first_probe():
    made = post(narrow=False)
    bad_list(made)
    made.run(10)
    asked = made.minute
    assert not made.breaker.try_now(1, (), asked, asked - 60), (
        "what was held after it was asked for was not meant"
    )
    assert made.breaker.try_now(1, (), asked, asked)
    assert open_levels(made) == {(): Phase.PROBING}
    assert not made.breaker.try_now(1, (), asked, asked), "it is tried already"
    made.run(2)
    made.send(400, campaign="probe", list_="l1", bounces=0.15)
    assert any(each.why == "probe failed" for each in made.run(60))
    assert open_levels(made) == {(): Phase.CORDONED}
    assert not made.breaker.try_now(1, (), made.minute, asked), "it was asked for once"
    assert made.breaker.try_now(1, (), made.minute, made.minute)
    made.run(2)
    made.send(400, campaign="probe", list_="l1", bounces=0.002)
    assert [each.why for each in made.run(5 * 60) if each.over] == ["probed"]
    assert made.breaker.permit(1, made.minute) == 1.0


def test_a_held_list_is_not_tried_whoever_asks():
    made = post()
    bad_list(made)
    made.run(10)
    assert open_levels(made)[(IMPORT,)] is Phase.CORDONED
    assert not made.breaker.try_now(1, (IMPORT,), made.minute, made.minute)


def test_bad_probes_stop_it_again_for_twice_as_long():
    made = post(narrow=False)
    bad_list(made)
    made.run(7 * 60)
    made.send(400, campaign="probe", list_="l1", bounces=0.15)
    failed = next(each for each in made.run(60) if each.why == "probe failed")
    assert failed.level is Level.CORDON
    made.run(11 * 60)
    assert open_levels(made) == {(): Phase.CORDONED}
    made.run(2 * 60)
    assert open_levels(made) == {(): Phase.PROBING}


def test_evidence_is_used_once():
    made = post(narrow=False)
    bad_list(made)
    made.run(10)
    before = len(made.decisions)
    made.run(3 * DAY)  # late bounces of the same mail
    assert [each for each in made.decisions[before:] if not each.over] == []


def test_a_throttle_ends_when_a_day_was_quiet():
    made = post()
    bad_list(made)
    made.run(10)
    assert open_levels(made)[()] is Phase.THROTTLED
    made.history(2)
    assert () not in open_levels(made)
    assert open_levels(made)[IMPORT,] in (Phase.CORDONED, Phase.PROBING)


@pytest.mark.parametrize("steps", [(7,), (6, 1), (4, 1, 1, 1), (1,) * 12, (40,)])
def test_a_bought_list_is_stopped_by_the_ceiling_however_its_bounces_come_while_the_past_is_in_shadow(
    steps: tuple[int, ...],
):
    # What the past says is only said then. It must not use up what the ceiling needs.
    breaker = Breaker()
    breaker.lane(replace(lane(), past_in_shadow=True))
    decisions = [
        decision
        for count in steps
        for decision in breaker.observe(
            START, [Delta(START, 1, None, "import-7", 0, sent=count, hard_bounces=count)]
        )
    ]
    stops = [each for each in decisions if each.level is Level.CORDON and each.half is Half.ABSOLUTE]
    assert [each.guilty for each in stops] == [(IMPORT,)]
    assert float(str(stops[0].evidence["absolute"])) >= stops[0].threshold


def blocked(breaker: Breaker, steps: tuple[int, ...]) -> list[Decision]:
    """A new lane's mail to Yahoo, of which the newest is blocked in these steps."""
    decisions: list[Decision] = []
    for minute, sent in enumerate((300, 100)):  # the first 200 make the provider known
        decisions += breaker.observe(START + minute, [Delta(START + minute, 1, None, None, YAHOO, sent=sent)])
    for minute, count in enumerate(steps, START + 2):
        decisions += breaker.observe(minute, [Delta(minute, 1, None, None, YAHOO, sent=count, blocks=count)])
    return decisions


@pytest.mark.parametrize("steps", [(40,), (10,) * 4, (5,) * 8, (1,) * 40])
def test_blocks_of_a_provider_stop_its_mail_by_the_ceiling_however_they_come_while_the_past_is_in_shadow(
    steps: tuple[int, ...],
):
    breaker = Breaker()
    breaker.lane(replace(lane(), past_in_shadow=True))
    stops = [each for each in blocked(breaker, steps) if each.level is Level.CORDON]
    assert [each.half for each in stops[-1:]] == [Half.ABSOLUTE]
    assert [each.half for each in stops[:-1]] in ([], [Half.RELATIVE])
    assert {each.guilty for each in stops} == {(Slice(Dimension.PROVIDER, "yahoo"),)}


@pytest.mark.parametrize("provider", [0, YAHOO])
def test_what_was_decided_in_shadow_uses_up_nothing_that_the_ceiling_needs_after_a_restart(provider: int):
    facts = replace(lane(), past_in_shadow=True)
    before, after = Breaker(), Breaker()
    for each in (before, after):
        each.lane(facts)
    many = Delta(START, 1, None, None, provider, sent=400 if provider else 0)  # makes the provider known
    bad = Delta(START + 1, 1, None, "import-7", provider, sent=1)
    bad = bad._replace(blocks=1) if provider else bad._replace(hard_bounces=1)
    known, stops = [many], list[Half]()
    before.observe(START, known)
    while not stops and len(known) < 40:
        known.append(bad)
        stops = [each.half for each in before.observe(START + 1, [bad]) if each.level is Level.CORDON]
    assert stops == [Half.RELATIVE]
    after.restore(before.standing(1))
    after.replay(START + 1, known)
    for breaker in (before, after):  # it was as near to the ceiling as without the restart
        decided = [each for _ in range(3) for each in breaker.observe(START + 1, [bad])]
        assert [each.half for each in decided if each.level is Level.CORDON] == [Half.ABSOLUTE]


def test_one_campaign_above_the_ceiling_is_stopped_and_the_second_stops_the_lane():
    # A lane whose campaigns are known to vary much: its past says nothing, only the ceiling does.
    breaker = Breaker()
    breaker.lane(lane())
    made = Post(breaker)
    for minute in range(6):
        made.send(200, at=made.minute + minute, campaign="one", bounces=0.08)
        made.send(200, at=made.minute + minute, campaign="other")
    stops = [each for each in made.run(30) if each.level is Level.CORDON]
    assert [each.guilty for each in stops] == [(Slice(Dimension.CAMPAIGN, "one"),)]
    assert stops[0].half is Half.ABSOLUTE
    made.run(5 * DAY)
    for minute in range(6):
        made.send(200, at=made.minute + minute, campaign="two", bounces=0.08)
        made.send(200, at=made.minute + minute, campaign="other")
    stops = [each for each in made.run(30) if each.level is Level.CORDON]
    assert [each.guilty for each in stops] == [(Slice(Dimension.CAMPAIGN, "two"),), ()]


def test_a_held_list_is_not_tried_and_the_lane_is_tried_without_it():
    made = Post(Breaker())
    made.breaker.lane(lane())
    other, list_ = Slice(Dimension.LIST, "l1"), Slice(Dimension.LIST, "import-8")
    for name in ("import-7", "import-8"):
        for minute in range(6):
            made.send(200, at=made.minute + minute, campaign=None, list_=name, bounces=0.08)
            made.send(200, at=made.minute + minute, campaign=None, list_="l1")
        made.run(60)
    assert {(), (IMPORT,), (list_,)} <= open_levels(made).keys()
    made.run(7 * 60)
    assert open_levels(made) == {(): Phase.PROBING, (IMPORT,): Phase.CORDONED, (list_,): Phase.CORDONED}
    assert permits(made.breaker, made.minute, [IMPORT], [list_], [other]) == [0.0, 0.0, 0.02]
    made.send(400, campaign=None, list_="l1", bounces=0.002)
    made.run(6 * 60)
    assert open_levels(made) == {(IMPORT,): Phase.CORDONED, (list_,): Phase.CORDONED}
    ends = [each for each in made.run(14 * DAY) if each.over]
    assert {(each.guilty, each.why) for each in ends} == {((IMPORT,), "expired"), ((list_,), "expired")}
    assert permits(made.breaker, made.minute, [IMPORT], [other]) == [1.0, 1.0]


def test_a_day_of_mail_without_a_campaign_is_judged_from_its_beginning(monkeypatch: pytest.MonkeyPatch):
    found: list[int] = []
    for fresh in (0, 7):
        monkeypatch.setattr("mailcordon.guard.breaker.lane_watch.FRESH_A_DAY", fresh)
        made = Post(Breaker(), seed=5, minute=START // DAY * DAY)
        made.breaker.lane(lane(class_=Class.TRANSACTIONAL))
        for hour in range(5 * 24):
            made.send(60, at=made.minute + 60 * hour)
        made.run(5 * DAY)
        began = made.minute
        for minute in range(300):
            made.send(12, at=began + minute, bounces=0.035)
        found.append(next(each.minute for each in made.run(300) if each.level >= Level.WARN) - began)
    assert found[1] < found[0]


def test_after_a_list_was_let_go_its_lane_is_judged_ten_times_more_strictly():
    nats: list[float] = []
    for let_go in (False, True):
        made = post()
        bad_list(made)
        made.run(10)
        if let_go:
            made.breaker.let_go(1, (IMPORT,), made.minute)
        made.send(3000, campaign="next", list_="l2", bounces=0.2)
        nats.append(next(each.threshold for each in made.run(10) if each.level is Level.CORDON))
    assert nats[1] == pytest.approx(nats[0] - math.log(10))


def test_urgent_mail_is_not_stopped_for_being_unlike_its_past():
    facts = lane(class_=Class.URGENT)
    breaker = Breaker()
    breaker.lane(facts)
    made = Post(breaker)
    for _ in range(45 * 2):
        made.send(1500, bounces=0.001)
        made.run(12 * 60)
    for _ in range(12):  # far above its usual rate, below the ceiling of 3 %
        made.send(1500, bounces=0.02)
        made.run(120)
    levels = {each.level for each in made.decisions}
    assert Level.THROTTLE in levels
    assert Level.CORDON not in levels
    made.send(3000, bounces=0.2)
    made.run(5)
    assert Level.CORDON in {each.level for each in made.decisions}


def test_sensitivity_is_told_in_days():
    times: list[int] = []
    for sensitivity in (0.01, 1.0, 1e6):
        made = post(lane(sensitivity=sensitivity))
        began = made.minute
        for minute in range(200):
            made.send(30, at=began + minute, campaign="bad", list_="l1", bounces=0.08)
        times.append(next(each.minute for each in made.run(300) if each.level is Level.CORDON) - began)
    assert times[0] < times[1] < times[2]


@pytest.mark.parametrize(("room", "most"), [(1e6, Level.THROTTLE), (10.0, Level.CORDON)])
def test_who_can_do_the_account_no_harm_is_throttled_at_most(room: float, most: Level):
    made = post(replace(lane(), room={Signal.BOUNCES: room}))
    for minute in range(60):
        made.send(30, at=made.minute + minute, campaign="bad", list_="l1", bounces=0.05)
    assert max(each.level for each in made.run(100)) is most


def test_who_can_end_the_account_is_stopped_sooner():
    times: list[int] = []
    for room in (None, {Signal.BOUNCES: 1.0}):
        made = post(replace(lane(), room=room))
        began = made.minute
        for minute in range(200):
            made.send(30, at=began + minute, campaign="bad", list_="l1", bounces=0.08)
        times.append(next(each.minute for each in made.run(300) if each.level is Level.CORDON) - began)
    assert times[1] < times[0]


def test_what_a_person_accepts_is_normal_from_then_on():
    made = post(days=6)
    for _ in range(3):
        for minute in range(3):
            made.send(1000, at=made.minute + minute, campaign=f"x{made.minute}", list_="l1", bounces=0.02)
        made.run(DAY)
    assert open_levels(made)
    assert {each.why for each in made.breaker.accept(1, made.minute)} == {"accepted"}
    assert open_levels(made) == {}
    before = len(made.decisions)
    for _ in range(4):
        for minute in range(3):
            made.send(1000, at=made.minute + minute, campaign=f"x{made.minute}", list_="l1", bounces=0.018)
        made.run(DAY)
    assert [each.level for each in made.decisions[before:] if each.level > Level.WARN] == []


def test_one_dead_domain_is_not_a_sick_lane():
    def play(*, told: bool) -> set[Level]:
        made = post()
        at = made.minute
        made.send(2000, campaign="b2b", list_="l1", only=0)
        made.run(1)
        dead = Delta(at, 1, "b2b", "l1", 0, hard_bounces=90)
        domains = [DomainDelta(at, 1, 4711, 90)] if told else []
        return {each.level for each in made.breaker.observe(at + 1, [dead], domains)}

    assert Level.CORDON in play(told=False)
    assert play(told=True) == set()


def test_counts_that_are_taken_back_are_no_evidence():
    made = post()
    at = made.minute
    made.send(1000, campaign="x", list_="l1")
    made.run(1)
    one = Delta(at, 1, "x", "l1", MICROSOFT, hard_bounces=8)
    for turn in range(30):
        assert made.breaker.observe(at + 1 + turn, [one]) == []
        assert made.breaker.observe(at + 1 + turn, [one._replace(hard_bounces=-8)]) == []


def test_mail_to_providers_that_return_no_complaints_does_not_hide_those_of_others():
    found: list[int] = []
    for gmail in (0, 30_000):
        made = post()
        made.send(3000, campaign="x", list_="l1", only=YAHOO, complaints=0.012, bounces=0.0)
        if gmail:
            made.send(gmail, campaign="x", list_="l1", only=GMAIL, complaints=0.0, bounces=0.0)
        found.append(next(each.minute for each in made.run(2 * DAY) if each.level is Level.CORDON))
    assert abs(found[0] - found[1]) <= 10


def test_a_complaint_of_a_provider_that_returns_none_has_no_mail_to_compare_with():
    made = post()
    at = made.minute
    made.send(3000, campaign="x", list_="l1", only=GMAIL)
    made.run(1)
    assert made.breaker.observe(at + 1, [Delta(at, 1, "x", "l1", GMAIL, complaints=40)]) == []


def test_it_does_not_wait_for_all_feedback():
    """Half of the complaints come after six hours or later; those before are too many already."""
    made = post()
    began = made.minute
    made.send(10_000, campaign="x", list_="l1", only=YAHOO, complaints=0.006)
    stop = next(each for each in made.run(DAY) if each.level is Level.CORDON)
    assert stop.minute < began + 340


def test_lanes_that_are_not_known_are_left_out():
    breaker = Breaker()
    assert breaker.observe(START, [Delta(START, 9, None, None, 2, sent=10, hard_bounces=10)]) == []
    assert breaker.permit(9, START) == 1.0
    assert breaker.standing(9) == []


def test_a_lane_that_is_forgotten_has_no_past():
    made = post()
    bad_list(made)
    made.run(10)
    made.breaker.forget(1)
    assert made.breaker.permit(1, made.minute, None) == 1.0
    assert made.run(60) == []
