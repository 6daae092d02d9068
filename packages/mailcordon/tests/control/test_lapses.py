"""When a loss of records counts: three times over 24 hours by the zone's own servers, or by SES's word. Times are passed in."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailcordon.control import lapses
from mailcordon.control.authentication.faults import Code, Fault, Record
from mailcordon.control.authentication.judgement import Judgement, Mail, MailAnswer, Result
from mailcordon.control.lapses import Area, Effect, Loss, Policy, Rules, Seen, Ses, State
from mailcordon.core.priority import Class

RULES = Rules()
HOUR = 3_600_000
DOMAIN = "mail.acme.example"
MX = {"type": "MX", "name": f"bounce.{DOMAIN}", "value": "10 feedback-smtp.us-east-1.amazonses.com"}
NO_MX = Loss(
    code="mail-from-mx-missing",
    area=Area.MAIL_FROM,
    record=MX["name"],
    says=f"{MX['name']} has no MX record.",
    publish=MX,
)
NO_DKIM = Loss(code="dkim-missing", area=Area.DKIM, record=f"a._domainkey.{DOMAIN}", says="No key.")
FAILS = Loss(code=lapses.FAILS_CODE, area=Area.MAIL, record=DOMAIN, says="It fails.")


def right(at: float) -> Seen:
    return Seen(at=int(at * HOUR), authoritative=True)


def lost(at: float, *losses: Loss) -> Seen:
    return Seen(at=int(at * HOUR), authoritative=True, losses=losses or (NO_MX,))


def failed(at: float) -> Seen:
    """No look-up was answered."""
    return Seen(at=int(at * HOUR), authoritative=False, unsure=frozenset(Area))


def after(*checks: Seen, state: State | None = None) -> State:
    state = state or lapses.fold(State(), right(0), RULES)
    for each in checks:
        state = lapses.fold(state, each, RULES)
    return state


def test_a_loss_lapses_once_three_checks_over_a_day_agree() -> None:
    assert after(lost(1), lost(9), lost(17)).lapsed_at is None
    assert after(lost(1), lost(9), lost(17), lost(24.9)).lapsed_at is None
    assert after(lost(1), lost(9), lost(17), lost(25)).lapsed_at == 25 * HOUR
    assert after(lost(1), lost(26)).lapsed_at is None  # a day, and only two


def test_many_checks_in_a_row_count_once() -> None:
    often = [lost(1 + minute / 60) for minute in range(120)]
    state = after(*often)
    assert [each.agreed for each in state.suspicions] == [1]
    assert after(*often, lost(30)).lapsed_at is None


@given(st.lists(st.floats(0.1, 400), max_size=60))
def test_a_dns_that_is_down_never_lapses_anything(hours: list[float]) -> None:
    state = after(*(failed(hour) for hour in sorted(hours)))
    assert state.suspicions == ()
    suspected = after(lost(1))
    assert after(*(failed(hour + 1) for hour in sorted(hours)), state=suspected) == suspected


@given(st.lists(st.tuples(st.floats(0.1, 12), st.sampled_from([lost, failed])), max_size=60))
def test_no_lapse_before_a_day_of_agreement(steps: list[tuple[float, object]]) -> None:
    """Whatever comes in which order: never before three real answers, the last at least a day after the first."""
    state, hour, answers = after(), 0.0, list[float]()
    for gap, kind in steps:
        hour += gap
        if kind is lost:
            answers.append(int(hour * HOUR) / HOUR)
        state = after(lost(hour) if kind is lost else failed(hour), state=state)
        if state.lapsed_at is not None:
            assert len(answers) >= 3
            assert answers[-1] - answers[0] >= 24
            return


@given(st.lists(st.sampled_from([lost, failed]), max_size=20))
def test_one_right_answer_ends_suspicion_and_lapse(kinds: list[object]) -> None:
    state = after(*(lost(1 + 8 * n) if kind is lost else failed(1 + 8 * n) for n, kind in enumerate(kinds)))
    assert after(right(200), state=state).suspicions == ()


@given(st.lists(st.sampled_from(["lost", "right", "failed", "cached"]), max_size=40))
def test_a_state_survives_its_storage(kinds: list[str]) -> None:
    state = after()
    for number, kind in enumerate(kinds):
        seen = {"lost": lost, "right": right, "failed": failed, "cached": lost}[kind](number * 8)
        state = after(replace(seen, authoritative=seen.authoritative and kind != "cached"), state=state)
        assert lapses.from_json(lapses.to_json(state)) == state


def test_answers_of_a_cache_count_neither_way() -> None:
    cached = [replace(lost(hour), authoritative=False) for hour in (1, 9, 17, 25, 33)]
    assert after(*cached).suspicions == ()
    lapsed = after(lost(1), lost(9), lost(17), lost(25))
    assert after(replace(right(26), authoritative=False), state=lapsed) == lapsed


def test_what_was_never_there_does_not_lapse() -> None:
    new = State()
    for hour in range(0, 100, 8):
        new = lapses.fold(new, lost(hour), RULES)
    assert new.suspicions == ()
    assert Area.DKIM in new.good  # only the MAIL FROM is missing


def test_after_days_without_an_answer_counting_begins_again() -> None:
    state = after(lost(1), lost(9), lost(9 + 73))
    assert [each.agreed for each in state.suspicions] == [1]
    assert after(lost(9 + 81), state=state).lapsed_at is None


def test_another_record_does_not_end_a_lapse() -> None:
    state = after(*(lost(1 + 8 * n, NO_MX, NO_DKIM) for n in range(4)))
    mended = after(lost(33, NO_DKIM), state=state)
    assert [each.loss.code for each in mended.lapses] == ["dkim-missing"]


def test_a_look_up_that_failed_keeps_only_its_own_area() -> None:
    state = after(*(lost(1 + 8 * n, NO_MX, NO_DKIM) for n in range(4)))
    half = Seen(at=40 * HOUR, authoritative=True, unsure=frozenset({Area.DKIM}))
    assert [each.loss.code for each in after(half, state=state).lapses] == ["dkim-missing"]


def test_the_word_of_ses_counts_at_once_and_ends_with_it() -> None:
    ses = Ses(status="SUCCESS", mail_from=MX["name"], mail_from_status="FAILED")
    nothing_wrong = judgement()
    lapsed = after(lapses.seen(nothing_wrong, ses, HOUR))
    assert lapsed.lapsed_at == HOUR
    assert MX["name"] in lapses.because(DOMAIN, lapsed)
    good = replace(ses, mail_from_status="SUCCESS")
    assert after(lapses.seen(nothing_wrong, good, 2 * HOUR), state=lapsed).lapsed_at is None
    dns_is_down = replace(lapses.seen(nothing_wrong, good, 2 * HOUR), authoritative=False)
    assert after(dns_is_down, state=lapsed).lapsed_at is None
    # SES looks for an MX for 72 h: until then it has not said its last word.
    waiting = replace(ses, mail_from_status="TEMPORARY_FAILURE")
    assert after(lapses.seen(nothing_wrong, waiting, HOUR)).lapsed_at is None


def test_ses_that_never_found_a_mail_from_reports_no_lapse() -> None:
    ses = Ses(status="SUCCESS", mail_from=MX["name"], mail_from_status="FAILED")
    fault = mx_fault()
    assert lapses.fold(State(), lapses.seen(judgement(fault), ses, HOUR), RULES).suspicions == ()


def test_what_ses_and_the_dns_miss_alike_counts_at_once() -> None:
    ses = Ses(status="TEMPORARY_FAILURE", dkim_status="TEMPORARY_FAILURE")
    fault = Fault(
        code=Code.DKIM_MISSING, severity="error", sentence="No key.", record=f"a._domainkey.{DOMAIN}"
    )
    state = after(lapses.seen(judgement(fault, result=Result.FAILS), ses, HOUR))
    assert state.effect is Effect.FAILS
    assert {each.loss.code for each in state.lapses} == {
        "dkim-missing",
        lapses.SES_CODE,
        lapses.FAILS_CODE,
    }


def test_an_identity_without_a_custom_mail_from_has_none_to_lose() -> None:
    state = after(*(lost(1 + 8 * n) for n in range(4)))
    seen = lapses.seen(judgement(), Ses(status="SUCCESS"), 33 * HOUR)
    assert Area.MAIL_FROM not in seen.applies
    assert after(seen, state=state).suspicions == ()


def mx_fault() -> Fault:
    return Fault(
        code=Code.MAIL_FROM_MX_MISSING,
        severity="error",
        sentence=f"{MX['name']} has no MX record.",
        record=MX["name"],
        publish=Record(**MX),
    )


def judgement(*faults: Fault, result: Result = Result.PASSES_BOTH) -> Judgement:
    answer = MailAnswer(
        mail=Mail(lane="newsletter", from_domain=DOMAIN),
        result=result,
        sentence="It does.",
        organisation="acme.example",
        policy="reject",
    )
    return Judgement(domain=DOMAIN, faults=faults, mails=(answer,), authoritative=True, complete=True)


@pytest.mark.parametrize("effect", list(Effect))
@pytest.mark.parametrize("class_", list(Class))
def test_by_default_only_marketing_that_fails_dmarc_waits(class_: Class, effect: Effect) -> None:
    losses = (NO_MX, FAILS) if effect is Effect.FAILS else (NO_MX,)
    state = after(*(lost(1 + 8 * n, *losses) for n in range(4)))
    assert state.effect is effect
    wanted = lapses.wanted(DOMAIN, state, class_, {})
    assert (wanted is not None) == (class_ is Class.MARKETING and effect is Effect.FAILS)


def test_a_hold_names_the_record_to_publish() -> None:
    state = after(*(lost(1 + 8 * n, NO_MX, FAILS) for n in range(4)))
    wanted = lapses.wanted(DOMAIN, state, Class.MARKETING, {})
    assert wanted is not None
    assert wanted.stops
    assert "MX bounce.mail.acme.example 10 feedback-smtp.us-east-1.amazonses.com" in wanted.because


def test_a_policy_can_slow_a_class_or_spare_it() -> None:
    state = after(*(lost(1 + 8 * n, NO_MX, FAILS) for n in range(4)))
    policies = {(Class.MARKETING, Effect.FAILS): Policy(action="slow", rate=0.5)}
    slowed = lapses.wanted(DOMAIN, state, Class.MARKETING, policies)
    assert slowed is not None
    assert (slowed.stops, slowed.rate) == (False, 0.5)
    spared = {(Class.MARKETING, Effect.FAILS): Policy(action="report")}
    assert lapses.wanted(DOMAIN, state, Class.MARKETING, spared) is None
    assert lapses.wanted(DOMAIN, after(), Class.MARKETING, policies) is None


def test_a_suspicion_is_checked_again_soon_enough_to_be_proved_in_a_day() -> None:
    state, at, checks = after(), HOUR, 0
    while state.lapsed_at is None:
        state = lapses.fold(state, replace(lost(0), at=at), RULES)
        at = lapses.next_check(
            state, at, RULES, verified=True, complete=True, age_ms=90 * 24 * HOUR, identity=7
        )
        checks += 1
    assert state.lapsed_at - HOUR == 24 * HOUR
    assert checks == 4


@given(st.integers(1, 10**9), st.booleans(), st.booleans(), st.integers(0, 10**11))
def test_every_domain_is_checked_again_within_a_day_or_so(
    identity: int, verified: bool, complete: bool, age: int
) -> None:
    wait = lapses.next_check(
        after(), 0, RULES, verified=verified, complete=complete, age_ms=age, identity=identity
    )
    assert 10 * 60_000 <= wait <= 27 * HOUR


def test_a_domain_is_checked_again_soon_if_what_ses_has_of_it_was_not_read() -> None:
    wait = lapses.next_check(
        after(), 0, RULES, read=False, verified=True, complete=True, age_ms=90 * 24 * HOUR, identity=7
    )
    assert wait == 60_000


def test_a_record_that_receivers_still_use_is_not_lost() -> None:
    wrong = Fault(
        code=Code.DMARC_SYNTAX, severity="warning", sentence="A tag is ignored.", record=f"_dmarc.{DOMAIN}"
    )
    judged = Judgement(domain=DOMAIN, faults=(wrong,), mails=(), authoritative=True, complete=True)
    assert lapses.seen(judged, Ses(), at=0).losses == ()
    gone = replace(judged, faults=(replace(wrong, severity="error"),))
    assert [each.record for each in lapses.seen(gone, Ses(), at=0).losses] == [f"_dmarc.{DOMAIN}"]


def test_keys_that_ses_has_not_made_are_none_to_lose() -> None:
    not_yet = Fault(
        code=Code.DKIM_NOT_YET, severity="warning", sentence="No keys.", record=DOMAIN, unsure=True
    )
    judged = Judgement(domain=DOMAIN, faults=(not_yet,), mails=(), authoritative=True, complete=True)
    new = lapses.fold(State(), lapses.seen(judged, Ses(), at=0), RULES)
    assert Area.DKIM not in new.good
    assert after(*(lost(8 * n, NO_DKIM) for n in range(5)), state=new).suspicions == ()


def test_a_look_up_says_nothing_of_the_area_it_was_for_whatever_the_domain_is_called() -> None:
    silent = Fault(
        code=Code.NOT_KNOWN, severity="warning", sentence="-", record="bounce.dkim.example", unsure=True
    )
    judged = Judgement(domain="dkim.example", faults=(silent,), mails=(), authoritative=True, complete=False)
    assert lapses.seen(judged, Ses(), at=0).unsure == {Area.MAIL_FROM}


def test_records_of_a_new_mail_from_or_key_are_not_lost_before_they_were_there() -> None:
    def about(seen: Seen, mail_from: str) -> Seen:
        return replace(seen, subjects=Ses(keys=("a", "b"), mail_from=mail_from).subjects)

    state = after(about(right(0), "old.acme.example"))
    moved = [about(lost(8 * n), "new.acme.example") for n in range(1, 6)]
    assert after(*moved, state=state).suspicions == ()
    assert Area.DKIM in after(*moved, state=state).good  # its keys are the same
    stayed = [about(lost(8 * n), "old.acme.example") for n in range(1, 6)]
    assert after(*stayed, state=state).lapsed_at is not None
    there = after(about(right(60), "new.acme.example"), state=after(*moved, state=state))
    again = [about(lost(60 + 8 * n), "new.acme.example") for n in range(1, 6)]
    assert after(*again, state=there).lapsed_at is not None
    assert lapses.from_json(lapses.to_json(there)) == there


def test_a_lapse_ends_when_the_mail_from_is_changed() -> None:
    state = after(*(lost(1 + 8 * n) for n in range(4)))
    state = replace(state, subjects={Area.MAIL_FROM: "old.acme.example"})
    moved = replace(lost(34), subjects={Area.MAIL_FROM: "new.acme.example"})
    assert after(moved, state=state).lapsed_at is None
