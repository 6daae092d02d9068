"""The course of a rollout: when a share grows, what goes back, and what people can let pass."""

import dataclasses

import pytest

from guard.rollouts import made
from guard.rollouts.made import GMAIL, facts, mail, standing
from mailcordon.guard.rollouts import checklist, course
from mailcordon.guard.rollouts.nouns import (
    Check,
    Facts,
    Freeze,
    Item,
    Measure,
    Override,
    Standing,
    State,
    Verdict,
)

HOUR = 3_600_000
FINE = Item(check=Check.IDENTITY, of="mail.acme.example", holds=True, said="fine")
BROKEN = dataclasses.replace(FINE, holds=False, said="The DKIM key is gone.")
NOW = facts().now


def healthy(share: int = 5, **more: object) -> Facts:
    return facts(mail(share, hours=10, age=60), age=60, **more)


def ready(share: int = 5, **more: object) -> Standing:
    return standing(share, hours=30, **more)


def test_a_share_grows_once_time_mail_checklist_and_gates_allow() -> None:
    decision = course.look(ready(), healthy(checklist=(FINE,)))
    assert (decision.verdict, decision.share) == (Verdict.PASS, 25)
    grown = course.after(ready(), decision, NOW)
    assert (grown.state, grown.share, grown.since) == (State.RUNNING, 25, NOW)
    last = course.after(ready(50), dataclasses.replace(decision, share=100), NOW)
    assert last.state is State.STANDING


def test_a_rollout_begins_once_the_checklist_holds() -> None:
    beginning = standing(0, first_mail=None)
    assert course.look(beginning, facts(checklist=(BROKEN,))).verdict is Verdict.WAIT
    decision = course.look(beginning, facts(checklist=(FINE,)))
    assert (decision.verdict, decision.share) == (Verdict.PASS, 1)


@pytest.mark.parametrize(
    ("key", "blocked"),
    [
        ("time", (standing(5, hours=3), healthy())),
        ("mails", (ready(), facts(mail(5, hours=1, per_hour=400, age=60), age=60))),
        (BROKEN.key, (ready(), healthy(checklist=(BROKEN,)))),
        (FINE.key, (ready(), healthy(checklist=(dataclasses.replace(FINE, holds=None),)))),
        (
            "freeze",
            (ready(), healthy(freezes=(Freeze(since=NOW - HOUR, until=NOW + 9 * HOUR, because="sale"),))),
        ),
    ],
)
def test_what_is_missing_keeps_the_share_and_a_person_can_let_it_pass(
    key: str, blocked: tuple[Standing, Facts]
) -> None:
    where, seen = blocked
    decision = course.look(where, seen)
    assert decision.verdict is Verdict.WAIT
    assert key in decision.blocked_by
    given = tuple(
        Override(key=each, share=25, by="ann", because="checked by hand") for each in decision.blocked_by
    )
    assert course.look(where, dataclasses.replace(seen, overrides=given)).verdict is Verdict.PASS
    # It was given for this share alone.
    other = tuple(dataclasses.replace(each, share=50) for each in given)
    assert course.look(where, dataclasses.replace(seen, overrides=other)).verdict is Verdict.WAIT


def test_what_only_larger_shares_need_does_not_keep_small_ones() -> None:
    later = dataclasses.replace(BROKEN, check=Check.LIMITS, from_share=checklist.ENFORCED_FROM)
    assert course.look(standing(0, first_mail=None), facts(checklist=(later,))).verdict is Verdict.PASS
    assert course.look(ready(), healthy(checklist=(later,))).blocked_by == (later.key,)


def cold(measure: Measure, provider: int) -> float | None:
    return 0.5 if measure is Measure.DELAYED and provider == GMAIL else None


@pytest.mark.parametrize("state", [State.RUNNING, State.HELD])
def test_a_breach_goes_back_though_the_rollout_is_held_or_frozen_or_young(state: State) -> None:
    freeze = Freeze(since=NOW - HOUR, until=NOW + HOUR, because="sale")
    where = standing(5, hours=1, state=state)
    decision = course.look(where, facts(mail(5, hours=8, defect=cold), freezes=(freeze,)))
    assert (decision.verdict, decision.share) == (Verdict.BACK, 0)
    assert "were delayed" in decision.sentence
    gone = course.after(where, decision, NOW)
    assert (gone.state, gone.share, gone.backs) == (State.BACK, 0, 1)


def test_a_line_of_the_checklist_that_breaks_under_way_goes_back_after_two_minutes() -> None:
    for age, verdict in ((60_000, Verdict.WAIT), (checklist.BROKEN_MS, Verdict.BACK)):
        broken = dataclasses.replace(BROKEN, since=NOW - age)
        assert course.look(ready(), facts(mail(5), checklist=(broken,))).verdict is verdict
    unknown = dataclasses.replace(BROKEN, holds=None, since=NOW - HOUR)
    assert course.look(ready(), facts(mail(5), checklist=(unknown,))).verdict is Verdict.WAIT
    told = dataclasses.replace(BROKEN, check=Check.ALERTS, since=NOW - HOUR)
    assert course.look(ready(), facts(mail(5), checklist=(told,))).verdict is Verdict.WAIT


def test_a_way_back_is_there_after_a_hundred_percent() -> None:
    bad = mail(100, hours=4, defect=lambda measure, _: 0.1 if measure is Measure.BOUNCED else None)
    decision = course.look(standing(100, hours=4), facts(bad, ceilings={Measure.BOUNCED: 0.02}))
    assert decision.verdict is Verdict.BACK
    quiet = course.look(standing(100, hours=4), facts(mail(100, hours=4), ceilings={Measure.BOUNCED: 0.02}))
    assert quiet.verdict is Verdict.WAIT


def test_after_a_way_back_it_rests_a_day_and_twice_as_long_after_the_next() -> None:
    for backs, hours in ((1, 24), (2, 48), (3, 96), (9, 168)):
        where = standing(0, state=State.BACK, backs=backs)
        until = course.rests_until(where)
        assert until is not None
        assert until == where.since + hours * HOUR
        assert course.look(where, facts(checklist=(FINE,))).verdict is Verdict.WAIT
        early = course.may_advance(where, dataclasses.replace(facts(), now=until - 1))
        assert (early.verdict, early.blocked_by) == (Verdict.WAIT, ("rest",))
        again = course.may_advance(where, dataclasses.replace(facts(), now=until))
        assert (again.verdict, again.share) == (Verdict.PASS, 1)
    allowed = dataclasses.replace(
        facts(), overrides=(Override(key="rest", share=1, by="ann", because="mended"),)
    )
    assert course.may_advance(standing(0, state=State.BACK, backs=1), allowed).verdict is Verdict.PASS


def test_a_held_rollout_does_not_grow() -> None:
    decision = course.look(ready(state=State.HELD), healthy())
    assert decision.verdict is Verdict.WAIT
    assert "Held by a person" in decision.sentence
    assert course.may_advance(ready(state=State.HELD), healthy()).verdict is Verdict.PASS


def test_what_is_over_is_not_decided() -> None:
    for state in (State.BACK, State.FINISHED, State.CANCELLED):
        assert course.look(standing(5, state=state), facts(mail(5, defect=cold))).verdict is Verdict.WAIT
    # While the old path stands there is a way back.
    finishing = standing(5, state=State.FINISHING)
    assert course.look(finishing, facts(mail(5, defect=cold))).verdict is Verdict.BACK


def test_a_breach_that_a_person_lets_pass_is_none() -> None:
    seen = facts(mail(5, hours=8, defect=cold))
    let = tuple(
        Override(key=f"gate:{measure}", share=5, by="ann", because="weather at gmail") for measure in Measure
    )
    assert course.look(ready(), seen).verdict is Verdict.BACK
    assert course.look(ready(), dataclasses.replace(seen, overrides=let)).verdict is Verdict.WAIT


def test_the_same_facts_give_the_same_decision() -> None:
    seen = facts(mail(5, hours=8, defect=cold))
    assert course.look(ready(), seen) == course.look(ready(), seen)
    assert made.standing(5) == made.standing(5)
