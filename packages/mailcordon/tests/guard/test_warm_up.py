"""Warm-up: the budget of a domain at a provider, computed from the days' counts."""

from mailcordon.core.provider import Provider
from mailcordon.guard import warm_up
from mailcordon.guard.policy.effective import WarmUpPolicy
from mailcordon.guard.warm_up import Day, Trouble, Verdict, WarmUp

STEPS = (50, 100, 500, 1000)


def after(*days: Day, today: int) -> WarmUp:
    return warm_up.replay(days, today, STEPS)


def test_a_new_domain_begins_with_the_first_step() -> None:
    at = after(today=100)
    assert (at.step, at.of, at.cap, at.verdict, at.warm) == (0, 4, 50, Verdict.FIRST, False)


def test_each_day_whose_budget_was_used_leads_to_the_next_step_and_the_last_to_no_limit() -> None:
    caps: list[int | None] = []
    at = warm_up.begin(100, STEPS)
    for day in range(100, 105):
        caps.append(at.cap)
        sent = at.cap or 5000
        at = warm_up.next_day(warm_up.look(at, Day(day, sent), STEPS), Day(day, sent), day + 1, STEPS)
    assert caps == [50, 100, 500, 1000, None]
    assert at.warm
    assert at.verdict is Verdict.WARM


def test_a_budget_of_which_less_than_half_was_used_stays() -> None:
    assert after(Day(100, 24), today=101).step == 0
    assert after(Day(100, 24), today=101).verdict is Verdict.UNUSED
    assert after(Day(100, 25), today=101).step == 1


def test_days_without_mail_change_nothing_and_a_month_of_them_begins_anew() -> None:
    days = [Day(100, 50), Day(101, 100)]
    assert after(*days, today=102).step == 2
    assert after(*days, today=101 + warm_up.FORGOTTEN_DAYS).step == 2
    at = after(*days, today=102 + warm_up.FORGOTTEN_DAYS)
    assert (at.step, at.verdict, at.cap) == (0, Verdict.FORGOTTEN, 50)


def test_a_domain_that_sent_before_it_was_watched_stands_where_its_volume_says() -> None:
    assert after(Day(100, 600), today=101).step == 3
    assert after(Day(100, 4000), today=101).warm
    assert after(Day(100, 4000), Day(101, 20), today=102).warm, "a quiet day does not cool it down"


def test_deferrals_lead_a_step_back_and_halve_the_rest_of_the_day() -> None:
    bad = Day(102, 400, delays=60)
    at = warm_up.replay([Day(100, 50), Day(101, 100), bad], 102, STEPS)
    assert (at.step, at.slowed_today, at.cap) == (2, Trouble.DELAYS, 250)
    tomorrow = warm_up.next_day(at, bad, 103, STEPS)
    assert (tomorrow.step, tomorrow.verdict, tomorrow.cap, tomorrow.slowed_today) == (
        1,
        Verdict.SLOWED,
        100,
        None,
    )


def test_blocks_count_sooner_than_deferrals_and_a_few_of_either_count_nothing() -> None:
    assert warm_up.trouble(Day(1, 100, delays=6)) is None
    assert warm_up.trouble(Day(1, 100, blocks=1)) is None
    assert warm_up.trouble(Day(1, 100, blocks=6)) is Trouble.BLOCKS
    assert warm_up.trouble(Day(1, 100, delays=20)) is Trouble.DELAYS
    assert warm_up.trouble(Day(1, 100, delays=20, blocks=20)) is Trouble.BLOCKS


def test_the_first_step_is_never_left_backwards() -> None:
    assert after(Day(100, 50, blocks=20), today=101).step == 0


def test_a_cut_lasts_until_the_end_of_the_day() -> None:
    at = warm_up.look(warm_up.begin(100, STEPS), Day(100, 40, blocks=10), STEPS)
    assert at.cap == 25
    assert warm_up.look(at, Day(100, 4000, blocks=10), STEPS) == at


def test_trouble_of_a_warm_domain_is_not_the_warm_ups_business() -> None:
    at = after(Day(100, 4000), Day(101, 4000, blocks=400), today=102)
    assert at.warm
    assert at.cap is None


def test_each_provider_has_its_curve_of_the_policy() -> None:
    mine = WarmUpPolicy(steps={"gmail": (10, 20)}, others=(5,))
    assert warm_up.curve(mine, Provider.GMAIL) == (10, 20)
    assert warm_up.curve(mine, Provider.YAHOO) == (5,)
    assert warm_up.curve(WarmUpPolicy(), Provider.YAHOO) == ()
    assert warm_up.begin(100, ()).warm, "without a curve there is no limit"


def test_the_same_days_lead_to_the_same_standing_whether_they_are_followed_or_replayed() -> None:
    days = [Day(100, 50), Day(101, 90), Day(103, 300, delays=100), Day(104, 100), Day(140, 10)]
    at = warm_up.begin(100, STEPS)
    for day in days:
        if day.day > at.day:
            at = warm_up.next_day(at, None, day.day, STEPS)
        at = warm_up.look(at, day, STEPS)
        at = warm_up.next_day(at, day, day.day + 1, STEPS)
    assert at == warm_up.replay(days, 141, STEPS)
