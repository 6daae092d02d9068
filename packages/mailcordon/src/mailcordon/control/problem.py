"""A problem: what a person should look at, and what to do about it."""

from dataclasses import dataclass
from typing import Literal, get_args

Check = Literal[
    "roles",
    "waiting mail",
    "stops",
    "set-aside mail",
    "account",
    "feedback",
    "unknown outcomes",
    "resources at SES",
    "domains",
    "partitions",
    "default partitions",
    "quarantine",
    "snapshots",
    "clocks",
]
CHECKS: tuple[Check, ...] = get_args(Check)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    code: str
    check: Check
    sentence: str
    next: str  #: what to do, or what happens by itself
    whose: str | None = None  #: the tenant's slug; None: the platform's
    since: int | None = None  #: milliseconds since 1970
