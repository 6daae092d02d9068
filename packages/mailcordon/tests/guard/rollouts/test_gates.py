"""Gates: planted defects are seen at small shares and named, healthy paths are not taken back."""

import pytest

from guard.rollouts import made
from guard.rollouts.made import GMAIL, MICROSOFT, Defect, facts, mail, standing
from mailcordon.guard.rollouts import gates
from mailcordon.guard.rollouts.nouns import Gate, Measure, Side, Stratum, Verdict


def judged(
    share: int, defect: Defect | None = None, *, seed: int = 1, hours: int = 8, age: int = 0
) -> tuple[Gate, ...]:
    strata = mail(share, defect=defect, seed=seed, hours=hours, age=age)
    return gates.judge(standing(share, hours=hours), facts(strata, age=age))


def breach(found: tuple[Gate, ...]) -> Gate | None:
    return next((gate for gate in found if gate.verdict is Verdict.BACK), None)


def wrong_selector(measure: Measure, provider: int) -> float | None:
    if measure in (Measure.UNDELIVERED, Measure.REFUSED) and provider == GMAIL:
        return 0.3
    return None


def set_without_destination(measure: Measure, provider: int) -> float:
    return 1.0 if measure is Measure.UNREPORTED else 0.0


def cold_ip(measure: Measure, provider: int) -> float | None:
    return 0.4 if measure is Measure.DELAYED and provider in (GMAIL, MICROSOFT) else None


def suppression_copied(measure: Measure, provider: int) -> float | None:
    return 0.15 if measure is Measure.SUPPRESSED else None


def in_spam(measure: Measure, provider: int) -> float | None:
    return 0.02 if measure is Measure.OPENED and provider == GMAIL else None


DEFECTS = {
    Measure.REFUSED: wrong_selector,
    Measure.UNREPORTED: set_without_destination,
    Measure.DELAYED: cold_ip,
    Measure.SUPPRESSED: suppression_copied,
}


@pytest.mark.parametrize("measure", DEFECTS)
def test_a_planted_defect_is_seen_at_one_percent_and_named(measure: Measure) -> None:
    gate = breach(judged(1, DEFECTS[measure]))
    assert gate is not None
    assert gate.measure in (measure, Measure.UNDELIVERED if measure is Measure.REFUSED else measure)
    assert gate.seen.new > 0
    assert gate.sentence.endswith("This is no luck.")


def test_a_defect_at_one_provider_is_named_with_it() -> None:
    gate = breach(judged(5, wrong_selector))
    assert gate is not None
    assert gate.provider == GMAIL
    assert "to gmail" in gate.sentence


def test_mail_that_vanishes_in_spam_folders_is_seen_by_its_opens() -> None:
    gate = breach(judged(5, in_spam, hours=10, age=480))
    assert gate is not None
    assert gate.measure is Measure.OPENED


@pytest.mark.parametrize("share", [1, 5, 50])
def test_a_healthy_path_is_not_taken_back(share: int) -> None:
    for seed in range(8):
        assert breach(judged(share, seed=seed, hours=4)) is None, seed


def test_a_healthy_path_passes_once_it_has_mail_enough() -> None:
    found = judged(5, hours=10, age=60)
    assert {gate.verdict for gate in found} == {Verdict.PASS}


def test_too_little_mail_passes_nothing_that_must_be_shown() -> None:
    few = mail(5, hours=1, per_hour=100)
    waiting = {
        gate.measure: gate for gate in gates.judge(standing(5), facts(few)) if gate.verdict is Verdict.WAIT
    }
    assert waiting.keys() >= {Measure.UNDELIVERED, Measure.BOUNCED}


def test_a_gate_without_a_doubt_says_how_much_mail_there_is_and_not_how_little_of_one_provider() -> None:
    age = 3 * 1440  # all feedback has come
    for seed in range(5):
        strata = mail(5, hours=10, seed=seed, age=age)
        mails = sum(stratum.new.sent for stratum in strata)
        found = gates.judge(standing(5), facts(strata, age=age))
        gate = next(gate for gate in found if gate.measure is Measure.BOUNCED)
        assert gate.doubt < gates.DOUBT
        assert f"New path: of {mails:,} mails" in gate.sentence


def test_at_one_percent_it_must_be_shown_that_events_come_and_nothing_else() -> None:
    few = mail(1, hours=4, per_hour=400, age=60)
    gone_on = [gate for gate in gates.judge(standing(1), facts(few, age=60)) if gate.pass_at is not None]
    assert [gate.measure for gate in gone_on] == [Measure.UNREPORTED]
    none = tuple(stratum._replace(new=made.Side()) for stratum in few)
    found = gates.judge(standing(1), facts(none))
    assert {gate.measure for gate in found if gate.verdict is not Verdict.PASS} == {Measure.UNREPORTED}


def test_no_mail_on_the_new_path_passes_nothing() -> None:
    none = tuple(stratum._replace(new=made.Side()) for stratum in mail(5))
    found = gates.judge(standing(5), facts(none))
    assert {gate.measure for gate in found if gate.verdict is not Verdict.PASS} >= set(gates.MUST_SHOW)
    assert breach(found) is None


def test_trouble_that_both_paths_have_is_none_of_the_new_one() -> None:
    strata = tuple(
        stratum._replace(
            new=stratum.new._replace(bounced=stratum.new.sent // 4),
            old=stratum.old._replace(bounced=stratum.old.sent // 4),
        )
        for stratum in mail(5)
    )
    assert breach(gates.judge(standing(5), facts(strata))) is None


def test_at_a_hundred_percent_the_objectives_are_the_gate() -> None:
    ceilings = {Measure.BOUNCED: 0.02, Measure.UNDELIVERED: 0.02}
    at = standing(100, hours=4, first_mail=made.DAY0 - 60 * 1440)
    healthy = gates.judge(at, facts(mail(100, hours=4), ceilings=ceilings))
    assert breach(healthy) is None
    bad = gates.judge(
        at,
        facts(
            mail(100, hours=4, defect=lambda measure, _: 0.06 if measure is Measure.BOUNCED else None),
            ceilings=ceilings,
        ),
    )
    gate = breach(bad)
    assert gate is not None
    assert gate.measure is Measure.BOUNCED
    assert "Old path" not in gate.sentence


def test_at_a_hundred_percent_a_provider_that_always_had_more_is_not_taken_for_a_breach() -> None:
    def small_hosts(measure: Measure, provider: int) -> float | None:
        return 0.05 if measure is Measure.BOUNCED and provider == made.OTHER else None

    at = standing(100, hours=8, first_mail=made.DAY0 - 60 * 1440)
    past = {Measure.BOUNCED: 0.75 * 0.008 + 0.25 * 0.05}
    for seed in range(3):
        strata = mail(100, hours=8, defect=small_hosts, seed=seed)
        assert breach(gates.judge(at, facts(strata, reference=past))) is None


def test_at_a_hundred_percent_feedback_that_comes_at_once_is_not_taken_for_a_high_rate() -> None:
    """Nothing is left to compare with whose feedback came as fast."""
    minute = made.DAY0 + 720
    at = standing(100, hours=1)

    def after(delayed: int) -> Gate | None:
        sent = Side(first=minute, last=minute, sent=900, reported=900, heard=900, delayed=delayed)
        return breach(gates.judge(at, facts((Stratum(1, made.MICROSOFT, None, new=sent),))))

    assert after(delayed=20) is None  # less than the margin allows, in the first minute
    found = after(delayed=300)
    assert found is not None
    assert found.measure is Measure.DELAYED


def test_margins_are_wider_while_providers_learn_the_path_and_the_sentence_says_so() -> None:
    young, known = gates.margin(Measure.DELAYED, 1), gates.margin(Measure.DELAYED, 30)
    assert young.of(0.01) > 2 * known.of(0.01)
    assert gates.margin(Measure.UNREPORTED, 1) == gates.margin(Measure.UNREPORTED, 30)
    gate = next(gate for gate in judged(5) if gate.measure is Measure.DELAYED)
    assert "3 times the usual margin while providers learn the path" in gate.sentence


def test_what_recipients_do_again_and_again_is_no_new_evidence() -> None:
    strata = mail(5, defect=lambda measure, _: 0.17 if measure is Measure.OPENED else None, hours=4)
    once = gates.judge(standing(5), facts(strata))
    often = gates.judge(standing(5), facts(strata, repeats=20.0))
    harm = [next(gate.harm for gate in found if gate.measure is Measure.OPENED) for found in (once, often)]
    assert abs(harm[1]) < abs(harm[0])
    campaigns = tuple(stratum._replace(batch=name) for name in "abc" for stratum in strata[:3])
    assert gates.repeats(gates.mailings(campaigns)) == 3
    assert gates.repeats(gates.mailings(strata)) == 1


def test_who_has_mail_of_several_lanes_is_counted_in_each_and_a_lane_is_judged_by_its_own() -> None:
    strata = mail(5, defect=lambda measure, _: 0.17 if measure is Measure.OPENED else None, hours=4)
    lanes = tuple(stratum._replace(lane=lane) for lane in (1, 2, 3) for stratum in strata)
    assert gates.mailings(lanes) == {1: 1, 2: 1, 3: 1}
    assert gates.repeats(gates.mailings(lanes)) == 3
    assert gates.repeats(gates.mailings(lanes), apart=True) == 1

    def opened(judged: tuple[Stratum, ...], lanes: int) -> Gate:
        mailings = gates.mailings(judged)
        given = facts(judged, repeats=gates.repeats(mailings), mailings=mailings)
        return next(g for g in gates.judge(standing(5, lanes=lanes), given) if g.measure is Measure.OPENED)

    # The same recipients in three lanes are no more evidence than in one.
    assert opened(lanes, 3).doubt <= opened(strata, 1).doubt + 0.01


def test_a_lane_with_mail_every_day_has_enough_some_day_although_its_recipients_are_always_the_same() -> None:
    strata = mail(5, hours=10, per_hour=10_000, age=60)

    def undelivered(repeats: float) -> Gate:
        found = gates.judge(standing(5, hours=10), facts(strata, age=60, repeats=repeats))
        return next(gate for gate in found if gate.measure is Measure.UNDELIVERED)

    assert undelivered(1).sound > 40
    assert undelivered(30).sound == undelivered(gates.MOST_REPEATS).sound >= (undelivered(30).pass_at or 0)
    assert abs(undelivered(30).harm) < abs(undelivered(7).harm)


def test_the_weights_of_all_that_is_watched_sum_to_one() -> None:
    assert sum(gates.WEIGHTS.values()) == pytest.approx(1)
    by_key = gates.weights_of(lanes=[1, 2, 3])
    assert sum(by_key) == pytest.approx(1)
