"""How often the breaker's loop looks at what does not change each second."""

from dataclasses import dataclass

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Intervals:
    """Milliseconds."""

    arming: int = 60_000  #: between two judgements of what the breaker may do to a lane
    facts: int = 60_000  #: between two readings of a lane's policy
    carried: int = 10_000  #: between two looks whether all holds are there, if nothing happened
    account: int = 60_000
    volume: int = 60_000
    follow: int = 10_000  #: between two notes of how far the feed was read, if nothing happened
    delays: int = 600_000  #: between two notes of how late feedback comes
    purge: int = 3_600_000
    keep: int = 90 * _DAY_MS  #: decisions after their end


LOCAL = Intervals(arming=5_000, facts=3_000, carried=3_000, account=10_000, volume=5_000)


def is_due(now: int, last: int, every: int) -> bool:
    """Whether it is time again. Also if the clock stepped back behind the last time: nothing waits for it to come back."""
    return not 0 <= now - last < every
