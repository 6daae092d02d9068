"""How much a new lane may send in a day (detection.md, section 8): so much on its first day, then half as much again as on its
busiest day so far.

It grows by what really left, so that a lane which sleeps for weeks and wakes up is as small as on its first day. A lane is new
until 30 days have passed since its first mail and mail has left on seven days.
"""

from dataclasses import dataclass

from mailcordon.guard.policy.effective import NewSenderPolicy
from mailcordon.messages import policies as words

NEW_DAYS = 30
LEAST_ACTIVE_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What left on the lane on the UTC days before today."""

    age_days: int | None = None  #: since the day of its first mail; None: it has sent none
    active_days: int = 0  #: on which mail left
    busiest: int | None = None  #: mails on its busiest day of the last 30


@dataclass(frozen=True, slots=True)
class DayCap:
    mails: int
    because: str


def cap(policy: NewSenderPolicy, record: Record) -> DayCap | None:
    """The cap of today; None: the lane is not new any more."""
    if (
        record.age_days is not None
        and record.age_days >= NEW_DAYS
        and record.active_days >= LEAST_ACTIVE_DAYS
    ):
        return None
    grown = 0 if record.busiest is None else int(record.busiest * policy.growth)
    mails = max(policy.first, grown)
    return DayCap(mails, words.new_sender(mails, record.busiest, policy.first))
