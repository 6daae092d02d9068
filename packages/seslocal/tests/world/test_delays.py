"""Times of receiving hosts: laws, late bounces, reports of complaints."""

import pytest

from seslocal.world import delays
from seslocal.world.parameters import read
from seslocal.world.providers import PROVIDERS, SYSTEMS

DAY = 86_400.0


def test_a_law_has_its_median_its_99th_percentile_and_its_bounds() -> None:
    law = delays.processing("gmail", "accept")
    of = read("delays").number
    assert law.at(0.5) == pytest.approx(of("processing.gmail.accept.median"))
    assert law.at(0.99) == pytest.approx(of("processing.gmail.accept.p99"))
    assert law.at(0.0) == of("processing.gmail.accept.least")
    assert law.at(1.0 - 2.0**-53) <= of("processing.gmail.accept.most")


def test_every_system_has_times_and_gateways_that_read_the_content_are_slower_than_gmail() -> None:
    for system in SYSTEMS:
        for outcome in ("accept", "defer", "refuse"):
            assert 0.1 < delays.processing(system, outcome).at(0.5) < 10
    quick = delays.processing("gmail", "accept")
    for system in ("proofpoint", "mimecast", "barracuda", "cisco"):
        assert delays.processing(system, "accept").at(0.5) > 2 * quick.at(0.5)


def test_only_some_systems_return_mails_later_and_as_often_as_their_share() -> None:
    chances = [number / 10_000 for number in range(10_000)]
    for system, share in (("exchange", 0.45), ("exchange_online", 0.15), ("outlook", 0.0), ("gmx", 0.0)):
        late = [delays.returned(system, "no_mailbox", chance) for chance in chances]
        assert sum(one is not None for one in late) / len(late) == pytest.approx(share, abs=0.001)
    assert delays.returned("exchange", "reputation", 0.0) is None


def test_late_bounces_take_minutes_and_at_most_days() -> None:
    late = sorted(
        found
        for number in range(10_000)
        if (found := delays.returned("exchange", "no_mailbox", number / 10_000)) is not None
    )
    assert late[0] >= 3
    assert 60 < late[len(late) // 2] < 300
    assert DAY / 24 < late[-1] <= 4 * DAY


def test_gmail_never_reports_and_microsoft_and_yahoo_report_each_complaint_by_itself() -> None:
    at = 1_790_000_000.0
    for name, provider in PROVIDERS.items():
        assert (delays.reported(name, at, 0.5) is None) == (not provider.complaints)
    assert delays.reported("gmail", at, 0.5) is None
    assert delays.reported("microsoft", at, 0.5) == pytest.approx(at + 1800)
    assert delays.reported("yahoo", at, 0.5) == pytest.approx(at + 300)


def test_a_digest_brings_the_complaints_of_a_day_in_the_next_morning() -> None:
    midnight = 20_000 * DAY
    morning = midnight + 6 * 3600
    assert delays.reported("telco", midnight + 60, 0.0) == morning
    assert delays.reported("telco", morning - 1, 0.5) == morning + 900
    assert delays.reported("telco", morning, 0.0) == morning + DAY
    assert delays.reported("telco", midnight + 20 * 3600, 0.0) == morning + DAY
