"""Three recorded accounts: a report finds every danger that was planted in them, and no other."""

from collections.abc import Callable
from datetime import UTC, datetime
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


async def test_without_vdm_the_account_still_counts_itself_and_the_report_says_what_is_not_known(
    registrable: Callable[[str], str | None],
) -> None:
    account = recorded.empty()
    made = recorded.Planter(account)
    made.set("main")
    made.identity("mail.platform.example", set="main")
    for name in ("acme", "zen"):
        made.tenant(name, identities=["mail.platform.example"], sets=["main"])
    now = account.clock.now()
    account.mail.statistics.points.append([int(now) // 900 - 200, 10_000, 700, 2, 0])
    today = datetime.fromtimestamp(now, UTC).date()
    reading = Reading(recorded.Direct(account), "eu-west-1", today)
    found = report.assess(await reading.read(await reading.lists()), registrable=registrable)
    assert {(each.code, each.severity.value) for each in found.dangers} == {
        ("account-bounces", "now"),
        ("identity-shared", "soon"),
        ("set-shared", "soon"),
    }
    off, silent = found.unknown
    assert "Virtual Deliverability Manager is off" in off
    assert "how much mail acme and zen send" in silent
