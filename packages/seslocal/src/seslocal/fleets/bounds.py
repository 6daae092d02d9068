"""What a run would need, estimated before it begins, so that a slip in a number is answered with a sentence and not with a full
memory."""

from __future__ import annotations

from typing import Final

from seslocal.fleets import messages
from seslocal.fleets.scenario import (
    BoughtList,
    HijackedForm,
    RunawayLoop,
    Scenario,
    StaleImport,
    moment_of,
    seconds_of,
)
from seslocal.fleets.tenants import Sender

MOST_BYTES: Final = 8e9  # chosen: what a developer's machine has to spare
MOST_TENANTS: Final = 100_000  # chosen: ten times the largest group
_DAY: Final = 86_400.0

# Bytes, chosen so that runs stay below: on CPython 3.11, three took 59, 51 and 19 MB where these say 69, 112 and 99
_TENANT: Final = 8_000  # with its lists, streams, and what eight providers think of it
_CAMPAIGN: Final = 1_500
_CELL: Final = 700  # counts of a tenant at a provider in a step of six hours
_DUE: Final = 1_000  # a mail that leaves in this hour, and its reactions
_MAIL: Final = 60  # what stays of a mail that has left: suppressed addresses and late reactions
_PROVIDERS: Final = 8
_STEPS: Final = 4  # of a day
_BUSY: Final = 6.0  # the busiest hour of a week, as a multiple of a mean one


class TooLarge(ValueError):
    """The message is a sentence."""


def check(scenario: Scenario, every: list[Sender]) -> None:
    """Raises TooLarge. `every`: the scenario's tenants."""
    mails, busiest = expected(scenario, every)
    days = scenario.days
    campaigns = sum(one.campaigns_a_week for one in every if one.marketing > 0) * (days / 7 + 1)
    cells = min(mails, len(every) * _PROVIDERS * _STEPS * days)
    needed = _TENANT * len(every) + _CAMPAIGN * campaigns + _CELL * cells + _DUE * busiest + _MAIL * mails
    if needed > MOST_BYTES:
        raise TooLarge(messages.too_large(len(every), mails, busiest, days, needed, MOST_BYTES))


def expected(scenario: Scenario, every: list[Sender]) -> tuple[float, float]:
    """Returns the mails of the whole run and about those of its busiest hour."""
    mails = hour = campaign = 0.0
    for one in every:
        days = float(scenario.days)
        if one.snowshoe is not None:
            days = min(days, seconds_of(one.snowshoe.lasts) / _DAY)
        mails += (one.transactional + one.marketing) * days
        hour += (one.transactional + one.marketing) / 24 * _BUSY
        campaign = max(campaign, one.audience * _share_of_hour(one.campaign_lasts))
    incident = 0.0
    for one in scenario.incidents:
        left = scenario.days * _DAY - moment_of(one.start)
        if left <= 0:
            continue
        match one:
            case BoughtList() | StaleImport():
                mailings = min(one.mailings, 1 + left // seconds_of(one.every))
                together = max(1.0, seconds_of(one.lasts) / seconds_of(one.every))
                mails += one.addresses * mailings
                incident += one.addresses * _share_of_hour(one.lasts) * min(mailings, together)
            case RunawayLoop() | HijackedForm():
                mails += one.mails_a_minute * min(left, seconds_of(one.lasts)) / 60
                incident += one.mails_a_minute * 60
            case _:
                pass
    return mails, min(mails, max(hour, campaign) + incident)


def _share_of_hour(lasts: str) -> float:
    return min(1.0, 3_600 / seconds_of(lasts))
