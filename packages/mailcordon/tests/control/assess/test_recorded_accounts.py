"""Three recorded accounts: a report finds every danger that was planted in them, and no other."""

from collections.abc import Callable
from functools import cache

import pytest

from mailcordon.adapters.dns.public_suffixes import PublicSuffixes
from mailcordon.control.assess import report
from mailcordon.control.assess.reading import Reading
from mailcordon.control.assess.report import Report
from mailcordon_fixtures import recorded_accounts as recorded
from seslocal.state.account import Account

Made = Callable[[Account], recorded.Found]


@pytest.fixture(scope="session")
def registrable() -> Callable[[str], str | None]:
    return cache(PublicSuffixes().registrable)


async def assessed(made: Made, registrable: Callable[[str], str | None]) -> tuple[Report, recorded.Found]:
    account = recorded.empty()
    planted = made(account)
    reading = Reading(recorded.Direct(account), "eu-west-1", recorded.TODAY)
    return report.assess(await reading.read(await reading.lists()), registrable=registrable), planted


@pytest.mark.parametrize("made", [recorded.small, recorded.messy, recorded.large])
async def test_every_planted_danger_is_found_and_nothing_is_invented(
    made: Made, registrable: Callable[[str], str | None]
) -> None:
    found, planted = await assessed(made, registrable)
    assert {(each.code, each.about) for each in found.dangers} == planted
    assert found.unknown == ()
