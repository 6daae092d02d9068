"""When a newcomer would be ready."""

from mailcordon.control.account import NEWCOMER_CALLS, newcomer_seconds
from mailcordon.control.call_budget import SHARES
from mailcordon.control.work import Work


def test_alone_a_newcomer_has_every_call() -> None:
    assert newcomer_seconds(1.0, set()) == NEWCOMER_CALLS
    assert newcomer_seconds(None, set(Work)) == 0


def test_whatever_waits_a_newcomer_has_its_share() -> None:
    others = set(Work) - {Work.ONBOARDING}
    assert newcomer_seconds(1.0, others) == NEWCOMER_CALLS / (SHARES[Work.ONBOARDING] / 100)


def test_beside_other_newcomers_it_has_half_of_it() -> None:
    assert newcomer_seconds(1.0, {Work.ONBOARDING}) == 2 * NEWCOMER_CALLS
