"""Paced release: what opens a step, what closes it, and that silence opens nothing."""

from dataclasses import replace

from mailcordon.core.limit import Mode
from mailcordon.guard import release
from mailcordon.guard.policy.effective import ReleasePolicy
from mailcordon.guard.release import Facts, Minute, Phase, Release, Why

POLICY = ReleasePolicy()
T0 = 1_800_000_000_000  # a whole minute
M0 = T0 // 60_000
MINUTE = 60_000


def mail(
    sent: int, *, bounces: int = 0, complaints: int = 0, heard: int | None = None, at: int = M0
) -> Minute:
    return Minute(at, sent, sent if heard is None else heard, bounces, complaints, sent)


def facts(
    now: int,
    *minutes: Minute,
    size: int = 100_000,
    arrived: int | None = None,
    queued: bool = True,
    warned: bool = False,
    fresh: bool = False,
    busy: float = 0.0,
    rate: float | None = None,
) -> Facts:
    return Facts(
        now=now,
        size=size,
        last_accepted=now if arrived is None else arrived,
        queued=queued,
        minutes=minutes,
        busy_day=busy,
        rate=rate,
        warned=warned,
        fresh_list=fresh,
    )


def begun(*, first_left: int | None = T0, cap: int = 1500, policy: ReleasePolicy = POLICY) -> Release:
    return replace(release.begin(policy, T0), cap=cap, left_at=first_left)


def test_the_first_step_waits_for_prompt_bounces_and_then_steps_grow_threefold() -> None:
    at = release.begin(POLICY, T0)
    assert release.allowed(at, facts(T0), POLICY) == 1500
    at = release.decide(at, facts(T0), POLICY)
    assert (at.why, at.next_at) == (Why.NOTHING_LEFT, None)
    at = release.decide(at, facts(T0 + 5_000, mail(1500)), POLICY)
    assert (at.why, at.next_at, at.cap) == (Why.AGE, T0 + 125_000, 1500)
    early = release.decide(at, facts(T0 + 124_999, mail(1500)), POLICY)
    assert early.cap == 1500
    at = release.decide(at, facts(T0 + 125_000, mail(1500, bounces=15)), POLICY)
    assert (at.step, at.cap, at.why, at.next_at) == (1, 6000, Why.PACE, T0 + 185_000)
    at = release.decide(at, facts(T0 + 184_999, mail(6000)), POLICY)
    assert at.step == 1
    at = release.decide(at, facts(T0 + 185_000, mail(6000)), POLICY)
    assert (at.step, at.cap) == (2, 19_500)


def test_silence_opens_nothing() -> None:
    at = release.decide(begun(), facts(T0 + 10 * MINUTE, mail(1500, heard=749)), POLICY)
    assert (at.cap, at.why, at.next_at) == (1500, Why.SILENCE, None)
    assert release.decide(begun(), facts(T0 + 10 * MINUTE, mail(1500, heard=750)), POLICY).cap == 6000


def test_a_step_that_was_not_used_opens_no_other() -> None:
    at = replace(begun(), step=1, cap=6000, opened_at=T0)
    assert release.decide(at, facts(T0 + MINUTE, mail(3749)), POLICY).why is Why.UNUSED
    assert release.decide(at, facts(T0 + MINUTE, mail(3750)), POLICY).step == 2


def test_bounces_above_the_ceiling_close_it_where_it_is() -> None:
    now = T0 + 125_000
    for bounces, closes in ((45, False), (75, True), (150, True), (450, True)):
        at = release.decide(begun(), facts(now, mail(1500, bounces=bounces)), POLICY)
        assert (at.phase is Phase.CLOSED) is closes, bounces
    at = release.decide(begun(), facts(now, mail(1500, bounces=450)), POLICY)
    assert (at.why, at.next_at, at.cap) == (Why.BOUNCES, None, 1500)
    assert release.allowed(at, facts(now, mail(1500)), POLICY) == 0, "what is out does not come back"


def test_early_bounces_are_held_against_the_mail_that_can_have_bounced() -> None:
    now = T0 + 10_000
    assert release.decide(begun(), facts(now, mail(1500, bounces=30, heard=30)), POLICY).phase is Phase.CLOSED
    assert release.decide(begun(), facts(now, mail(1500, bounces=8, heard=8)), POLICY).phase is Phase.STEPS


def test_complaints_close_it_measured_against_the_mail_to_providers_that_report_them() -> None:
    now = T0 + 12 * 60 * MINUTE
    few = mail(6000, complaints=6)
    many = mail(6000, complaints=30)
    assert release.decide(begun(), facts(now, few), POLICY).phase is Phase.STEPS
    assert release.decide(begun(), facts(now, many), POLICY).why is Why.COMPLAINTS
    silent = few._replace(reporting=0)
    assert release.decide(begun(), facts(now, silent), POLICY).why is Why.COMPLAINTS


def test_a_warning_of_the_breaker_closes_it_and_it_begins_anew_when_the_warning_is_over() -> None:
    at = replace(begun(), step=3, cap=60_000, opened_at=T0)
    out = mail(20_000)
    at = release.decide(at, facts(T0 + MINUTE, out, warned=True), POLICY)
    assert (at.phase, at.why, at.cap) == (Phase.CLOSED, Why.WARNED, 20_000)
    calm = T0 + 3 * MINUTE
    assert release.decide(at, facts(calm - 1, out), POLICY).phase is Phase.CLOSED
    at = release.decide(at, facts(calm, out), POLICY)
    assert (at.phase, at.step, at.cap, at.why) == (Phase.STEPS, 0, 21_500, Why.AGE)
    again = mail(1500, at=M0 + 3)
    at = release.decide(at, facts(calm + 1_000, out, again), POLICY)
    assert (at.cap, at.next_at) == (21_500, calm + 121_000)
    at = release.decide(at, facts(calm + 121_000, out, again), POLICY)
    assert (at.step, at.cap) == (1, 26_000)


def test_what_closed_it_must_be_clearly_over_before_it_reopens() -> None:
    at = release.decide(begun(), facts(T0 + 125_000, mail(1500, bounces=75)), POLICY)
    assert at.phase is Phase.CLOSED
    later = T0 + 10 * MINUTE
    assert release.decide(at, facts(later, mail(1500, bounces=58)), POLICY).phase is Phase.CLOSED
    assert release.decide(at, facts(later, mail(1500, bounces=45)), POLICY).phase is Phase.STEPS


def test_small_batches_leave_at_once_when_their_size_is_known() -> None:
    now = T0 + 11_000
    at = release.decide(begun(), facts(now, mail(1500), size=4000, arrived=now - 9_999), POLICY)
    assert at.cap == 1500, "more may come"
    at = release.decide(begun(), facts(now, mail(1500), size=4000, arrived=now - 10_000), POLICY)
    assert (at.why, at.cap) == (Why.SMALL, 5000)
    grown = release.decide(at, facts(now + 1_000, mail(5000), size=9000), POLICY)
    assert grown.cap == 5000, "what came later is paced"
    assert release.decide(begun(), facts(now, mail(1500), size=5001, arrived=T0), POLICY).cap == 1500


def test_a_batch_is_large_for_a_lane_that_sends_little() -> None:
    assert release.threshold(POLICY, 0) == 5000
    assert release.threshold(POLICY, 20_000) == 4000
    assert release.threshold(POLICY, 1_000_000) == 5000
    assert release.threshold(POLICY, 100) == 1500, "the first step leaves at once anyway"


def test_the_pace_ends_when_a_step_is_more_than_the_lane_can_send_in_it() -> None:
    at = replace(begun(), step=4, cap=181_500, opened_at=T0)
    steps = facts(T0 + MINUTE, mail(181_500), rate=700)
    assert release.decide(at, steps, POLICY).phase is Phase.STEPS
    at = release.decide(at, replace(steps, rate=600), POLICY)
    assert (at.phase, at.why) == (Phase.OPEN, Why.HEALTHY)
    assert release.allowed(at, steps, POLICY) is None
    at = release.decide(at, replace(steps, warned=True), POLICY)
    assert (at.phase, at.cap) == (Phase.CLOSED, 181_500)


def test_a_share_of_a_fresh_list_leaves_hours_before_the_rest() -> None:
    policy = replace(POLICY, canary_share=0.05, canary_hours=6.0)
    at = begun(policy=policy)
    half_way = facts(T0 + 125_000, mail(1000), size=20_000, fresh=True)
    assert release.allowed(at, half_way, policy) == 1000
    at = release.decide(at, half_way, policy)
    assert (at.cap, at.why, at.next_at) == (1500, Why.CANARY, T0 + 6 * 60 * MINUTE)
    after = replace(half_way, now=T0 + 6 * 60 * MINUTE)
    assert release.allowed(at, after, policy) == 1500
    at = release.decide(at, after, policy)
    assert (at.step, at.cap) == (1, 6000)
    known = replace(half_way, fresh_list=False)
    assert release.allowed(begun(policy=policy), known, policy) == 1500
    assert release.allowed(begun(policy=policy), replace(half_way, size=10), policy) == release.LEAST_CANARY


def test_a_canary_that_complains_keeps_the_rest() -> None:
    policy = replace(POLICY, canary_share=0.05)
    now = T0 + 5 * 60 * MINUTE
    at = release.decide(
        begun(policy=policy), facts(now, mail(1000, complaints=12), size=20_000, fresh=True), policy
    )
    assert (at.phase, at.why) == (Phase.CLOSED, Why.COMPLAINTS)


def test_a_person_takes_the_pace_away_for_good() -> None:
    closed = release.decide(begun(), facts(T0 + 125_000, mail(1500, bounces=450)), POLICY)
    at = release.opened_by_hand(closed)
    at = release.decide(at, facts(T0 + 130_000, mail(1500, bounces=450), warned=True), POLICY)
    assert (at.phase, at.why) == (Phase.OPEN, Why.PERSON)


def test_it_is_over_when_nothing_waits_and_nothing_comes() -> None:
    quiet = T0 + release.QUIET_MS
    over = facts(quiet, mail(1500), size=1500, arrived=T0, queued=False)
    assert release.decide(begun(), over, POLICY).phase is Phase.OVER
    assert release.decide(begun(), replace(over, queued=True), POLICY).phase is Phase.STEPS
    assert release.decide(begun(), replace(over, now=quiet - 1), POLICY).phase is Phase.STEPS


def test_a_policy_that_only_observes_limits_nothing() -> None:
    policy = replace(POLICY, mode=Mode.OBSERVE)
    assert release.decide(begun(), facts(T0, mail(10)), policy).phase is Phase.OPEN


def test_a_clock_that_was_set_back_neither_opens_nor_blocks() -> None:
    at = replace(begun(), step=1, cap=6000, opened_at=T0 + 3_600_000, left_at=T0 + 3_600_000)
    at = release.decide(at, facts(T0, mail(6000)), POLICY)
    assert (at.cap, at.next_at) == (6000, T0 + MINUTE)
    assert release.decide(at, facts(T0 + MINUTE, mail(6000)), POLICY).step == 2


def test_steps_never_overflow() -> None:
    assert release.steps_mails(replace(POLICY, factor=1e300), 5) == release.ALL
    assert release.steps_mails(replace(POLICY, factor=1.0), 5) == 1500
