"""The kinds of work that share the budget of calls to SES (docs/control.md). Each has its own queue, in turns by tenant."""

from enum import StrEnum


class Work(StrEnum):
    URGENT = "urgent"  #: a repair that lanes wait for, or that isolation depends on
    ONBOARDING = "onboarding"  #: a new tenant or lane that somebody waits for
    REPAIR = "repair"  #: any other difference
    BULK = "bulk"  #: many tenants at once: a file, or changed settings
    SCAN = "scan"  #: looking at what is as it should be
    POLLING = "polling"  #: the account's limits and paused tenants
    SUPPRESSION = "suppression"  #: look-ups and removals in SES's lists


#: What a row of the observed-state table may wait as, the most pressing first.
WORK_OF_ROWS = (Work.URGENT, Work.ONBOARDING, Work.REPAIR, Work.BULK, Work.SCAN)
