"""The checklist: what must hold before more mail takes the new path, and what is worth a way back if it breaks under way.

What is not known blocks as what does not hold does. Only what is known to be broken goes back, and only after it has been
for some minutes: one answer of a name server that is missing is no reason to move mail to and fro.
"""

from mailcordon.guard.rollouts.nouns import Check, Item

#: Mail of the new path is harmed while one of these is broken. The others only keep the share from growing.
BREAKS = frozenset(
    {
        Check.IDENTITY,
        Check.ALIGNED,
        Check.MAIL_FROM,
        Check.TAKEN,
        Check.DESTINATIONS,
        Check.SUPPRESSION,
    }
)
#: So long it must be broken. The identity checks wait for a second look themselves (docs/identities.md).
BROKEN_MS = 120_000

#: From this share on, limits and breaker must be enforced; before, watching is enough.
ENFORCED_FROM = 25


def blocks(item: Item, target: int) -> bool:
    """Whether the share may not grow to `target`."""
    return item.holds is not True and target >= item.from_share


def breaks(item: Item, now: int) -> bool:
    """Whether mail that takes the new path is harmed by it now. `now`: ms since 1970."""
    return (
        item.holds is False
        and item.check in BREAKS
        and item.since is not None
        and now - item.since >= BROKEN_MS
    )
