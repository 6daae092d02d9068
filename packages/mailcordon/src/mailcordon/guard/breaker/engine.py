"""The breaker as its users see it: deltas of cohorts in, decisions out.

It holds a cache over the cohort counters, which are the truth. After a restart it is built anew with `replay` and `restore`.
Time is passed in, in minutes since 1970. Not safe for use by several threads.
"""

from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np

from mailcordon.core.provider import Provider
from mailcordon.guard.breaker.nouns import Decision, LaneFacts, Slice, Standing
from mailcordon.guard.counts import Delta, DomainDelta

#: Providers that return no complaints to senders.
SILENT = frozenset({int(Provider.GMAIL)})


class Breaker:
    """`silent`: providers that return no complaints. `word`: the name of a provider, for decisions."""

    def __init__(
        self,
        *,
        silent: Collection[int] = SILENT,
        word: Callable[[int], str] = lambda provider: Provider(provider).word,
    ) -> None:
        self._silent = frozenset(silent)
        self._word = word
        self._facts: dict[int, LaneFacts] = {}
        self._weights = np.zeros(0)

    def lane(self, facts: LaneFacts) -> None:
        """Makes a lane known, or tells what changed about it. Deltas of lanes that are not known are left out."""
        self._facts[facts.lane] = facts

    def forget(self, lane: int) -> None:
        """A lane that is gone."""
        self._facts.pop(lane, None)

    def observe(
        self, minute: int, deltas: Sequence[Delta], domains: Sequence[DomainDelta] = ()
    ) -> list[Decision]:
        """Counts changes that became known in this minute, and decides. `domains` are the hard bounces among them outside the
        named providers, by the recipient's domain: many at one domain have one cause."""
        return []

    def tick(self, minute: int) -> list[Decision]:
        """What time alone decides: probes that begin, and ends. To be called about once a minute."""
        return []

    def permit(self, lane: int, minute: int, slices: Collection[Slice] | None = ()) -> float:
        """The share, 0 to 1, of a lane's mail that may leave now: of mail in these slices, () mail in no guilty one, None mail
        whose slices are not known, so that all of it counts as guilty."""
        return 1.0

    def standing(self, lane: int) -> list[Standing]:
        """Everything that is not healthy about a lane: the whole and its parts."""
        return []

    def restore(self, standings: Iterable[Standing]) -> None:
        """After a restart: what was decided and has not ended."""

    def replay(self, minute: int, deltas: Iterable[Delta], domains: Iterable[DomainDelta] = ()) -> None:
        """Builds the state from the counters, up to `minute`: deltas in the order of their minutes, each with all that is known
        of its mail. Decides nothing."""

    def accept(self, lane: int, minute: int) -> list[Decision]:
        """A person says that what the lane shows is normal: everything open ends, and the lane's past is learned at once."""
        return []
