"""How long a split still takes, by its calls and the budget of calls (control/call_budget.py). Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from mailcordon.control.call_budget import SHARES
from mailcordon.control.suppression_split.nouns import Phase, State
from mailcordon.control.work import Work

PAGE = 1000  #: entries that a call lists
#: The share of the calls that is left while every other kind of work waits.
LEAST_SHARE = SHARES[Work.SUPPRESSION] / sum(SHARES.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    calls: int  #: that remain, as far as entries are listed
    most_calls: int  #: if every entry turns out to be a tenant's
    seconds: float | None  #: at the measured pace, else at the whole rate; None: no rate is set
    most_seconds: float | None  #: if all other work waits all the time, with `most_calls`
    complete: bool  #: false: the account's list is not listed to its end, so there may be more


def forecast(
    *,
    states: Mapping[State, int],
    phase: Phase,
    releases: bool,
    lists: int,
    rate: float | None,
    pace: float | None,
) -> Forecast:
    """`lists`: tenants' lists at SES that are compared. `rate`: calls a second of the whole budget, None: no limit.

    An entry takes one call to read; one that is a tenant's takes a call to store it on the tenant's list, and one to take it off
    the account's. How many will be a tenant's is taken from those that were read.
    """
    to_read = states.get(State.LISTED, 0)
    owned = states.get(State.OWNED, 0)
    settled = sum(states.get(one, 0) for one in (State.ASSIGNED, State.KEPT, State.OWNED))
    read = settled + sum(states.get(one, 0) for one in (State.UNOWNED, State.PLATFORM, State.GONE))
    share = settled / read if read else 1.0
    of_owner = 2 if releases else 1
    pages = 0
    if phase is not Phase.WATCHING:
        pages = -(-sum(states.values()) // PAGE) + lists
    fixed = owned * of_owner + states.get(State.FREEING, 0) + pages
    calls = round(to_read * (1 + share * of_owner)) + fixed
    most = to_read * (1 + of_owner) + fixed
    speed = pace if pace else rate
    return Forecast(
        calls=calls,
        most_calls=most,
        seconds=calls / speed if speed else None,
        most_seconds=most / (rate * LEAST_SHARE) if rate else None,
        complete=phase is not Phase.LISTING,
    )
