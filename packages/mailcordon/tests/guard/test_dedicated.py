"""Whether mail should leave from IP addresses of its own. Pure."""

import pytest

from mailcordon.core.provider import Provider
from mailcordon.guard import dedicated
from mailcordon.guard.dedicated import Choice, Count, Day, Decision, Facts, Why

TODAY = 20_000
GMAIL, YAHOO, OTHER = Provider.GMAIL, Provider.YAHOO, Provider.OTHER
#: Others on the shared addresses, of whom Gmail blocks 5 %.
BAD_NEIGHBOURS = {GMAIL: Count(1_000_000, 50_000)}
GOOD_NEIGHBOURS = {GMAIL: Count(1_000_000, 2_000), YAHOO: Count(1_000_000, 2_000)}


def days(
    mails: int, provider: Provider = GMAIL, *, of: int = 42, every: int = 1, blocked: float = 0.0
) -> list[Day]:
    """The same number of mails on every nth of the last days."""
    return [
        Day(day, provider, mails, round(mails * blocked))
        for day in range(TODAY - of, TODAY)
        if day % every == 0
    ]


def decide(found: list[Day], **more: object) -> Decision:
    return dedicated.decide(Facts(today=TODAY, days=found, **more))  # pyright: ignore[reportArgumentType]


def test_large_steady_mail_that_neighbours_hurt_gets_standard_addresses() -> None:
    found = decide(days(4_000, blocked=0.03), others=BAD_NEIGHBOURS)
    assert (found.choice, found.why, found.ips) == (Choice.STANDARD, (Why.NEIGHBOURS,), 1)
    assert found.lost_staying == pytest.approx(4_000 * 0.02)
    assert found.cold_going == 0


def test_the_same_mail_stays_if_it_loses_nothing() -> None:
    """Dedicated does not automatically mean better."""
    found = decide(days(4_000, blocked=0.001), others=GOOD_NEIGHBOURS)
    assert (found.choice, found.able, found.why) == (Choice.SHARED, Choice.STANDARD, (Why.NOTHING_LOST,))


def test_a_sender_takes_its_own_blocks_along_and_so_stays() -> None:
    found = decide(days(4_000, blocked=0.05), others=GOOD_NEIGHBOURS)
    assert (found.choice, found.able) == (Choice.SHARED, Choice.SHARED)
    assert Why.OWN_BLOCKS in found.why
    assert found.lost_staying == 0


def test_a_few_hundred_mails_a_day_stay_whatever_neighbours_do() -> None:
    found = decide(days(300, blocked=0.03), others=BAD_NEIGHBOURS)
    assert found.choice is Choice.SHARED
    assert found.why[0] is Why.SMALL


def test_a_short_history_is_no_evidence_however_large() -> None:
    found = decide(days(100_000, of=27, blocked=0.03), others=BAD_NEIGHBOURS)
    assert (found.choice, found.why[0], found.history) == (Choice.SHARED, Why.YOUNG, 27)
    assert decide(days(100_000, of=28, blocked=0.03), others=BAD_NEIGHBOURS).choice is Choice.STANDARD


def test_mail_spread_over_providers_that_see_too_little_goes_to_a_managed_pool() -> None:
    """A managed pool sends what an address cannot carry from the shared ones (ses.md 7)."""
    spread = [*days(900, blocked=0.03), *days(900, YAHOO)]
    found = decide(spread, others=BAD_NEIGHBOURS)
    assert (found.choice, found.served) == (Choice.MANAGED, 0.0)
    assert Why.SCATTERED in found.why
    assert found.cold_going == pytest.approx(1_800)


def test_what_goes_to_no_one_provider_is_not_served_by_volume() -> None:
    found = decide([*days(2_000, blocked=0.03), *days(50_000, OTHER)], others=BAD_NEIGHBOURS)
    assert [(seat.provider, seat.served) for seat in found.seats] == [(OTHER, False), (GMAIL, True)]
    assert found.choice is Choice.MANAGED


@pytest.mark.parametrize(("every", "choice"), [(1, Choice.STANDARD), (2, Choice.MANAGED), (9, Choice.SHARED)])
def test_mail_that_comes_in_bursts_keeps_no_standard_address(every: int, choice: Choice) -> None:
    assert decide(days(20_000, every=every, blocked=0.03), others=BAD_NEIGHBOURS).choice is choice


def test_weeks_of_very_different_size_are_bursts() -> None:
    found = decide([*days(2_000, blocked=0.03), *days(12_000, of=7, blocked=0.03)], others=BAD_NEIGHBOURS)
    assert found.spread == pytest.approx(7)
    assert (found.choice, Why.BURSTS in found.why) == (Choice.MANAGED, True)


def test_the_busiest_day_sets_the_number_of_addresses_and_each_needs_the_minimum() -> None:
    found = decide(days(120_000, blocked=0.03), others=BAD_NEIGHBOURS)
    assert (found.choice, found.ips) == (Choice.STANDARD, 3)
    thin = decide([*days(120_000, blocked=0.03), *days(2_500, YAHOO)], others=BAD_NEIGHBOURS)
    assert [seat.served for seat in thin.seats] == [True, False], (
        "2,500 mails on 3 addresses are below 1,000 each"
    )


def test_the_pools_own_minimum_counts() -> None:
    assert decide(days(1_500, blocked=0.03), others=BAD_NEIGHBOURS).choice is Choice.STANDARD
    assert decide(days(1_500, blocked=0.03), others=BAD_NEIGHBOURS, minimum=2_000).choice is Choice.MANAGED


def test_what_is_in_a_pool_leaves_it_later_than_it_would_enter_it() -> None:
    """60 % served: too little to enter, enough to stay."""
    part = [*days(3_000), *days(500, YAHOO), *days(500, Provider.APPLE), *days(1_000, OTHER)]
    assert decide(part, others=BAD_NEIGHBOURS).able is Choice.MANAGED
    inside = decide(part, pooled=Choice.STANDARD)
    assert (inside.choice, inside.why) == (Choice.STANDARD, (Why.KEPT,))


def test_what_is_in_a_pool_and_has_become_small_goes_back() -> None:
    assert decide(days(200), pooled=Choice.STANDARD).choice is Choice.SHARED
    assert decide([], pooled=Choice.MANAGED).choice is Choice.SHARED


def test_what_is_in_a_pool_does_not_take_its_blocks_back_to_the_shared_addresses() -> None:
    assert decide(days(4_000, blocked=0.05), pooled=Choice.STANDARD).choice is Choice.STANDARD


def test_today_is_not_over_and_does_not_count() -> None:
    today = [Day(TODAY, GMAIL, 1_000_000)]
    assert decide([*days(4_000), *today]).per_day == 4_000


def test_no_mail_is_no_reason() -> None:
    found = decide([])
    assert (found.choice, found.history, found.seats, found.why[0]) == (Choice.SHARED, 0, (), Why.YOUNG)
