"""The world behind this local SES, if there is one: mailbox providers and people, the ground truth of what became of each mail,
and the key that all chance of a mail depends on."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import blake2b
from math import inf, nextafter
from typing import Final

from seslocal.world.counterfactual import MOST_SUSPECTS, Blame, Counterfactual, Record, blame, compare
from seslocal.world.reasons import Reason, reason
from seslocal.world.settings import WorldSettings
from seslocal.world.truth import Truth
from seslocal.world.world import World

KEY_HEADER: Final = "X-Seslocal-Key"  #: a sender's own key of a mail
MOST_MAILS: Final = 100_000  #: kept in the ground truth
_MOST_KEYS: Final = 200_000  #: mails without a key that are told apart from earlier equal ones


class WorldState:
    """`start`: seconds since the epoch; the times in the settings count from it."""

    def __init__(self, settings: WorldSettings, start: float, most: int = MOST_MAILS) -> None:
        self.settings = settings
        self.start = start
        self.world = World(settings, start)
        self.truth = Truth(most)
        self._seen: dict[bytes, int] = {}

    def key(self, given: str | None, tenant: str | None, sender: str, recipient: str, subject: str) -> str:
        """Returns the key of a mail to one recipient: `given`, the value of the header X-Seslocal-Key, if there is one. Else it
        follows from what the mail says and from how many such mails came before, so it never depends on an id of SES."""
        if given:
            return given
        said = "\0".join((tenant or "", sender, recipient, subject))
        digest = blake2b(said.encode("utf-8", "surrogatepass"), digest_size=9).digest()
        count = self._seen.pop(digest, 0) + 1
        self._seen[digest] = count
        if len(self._seen) > _MOST_KEYS:
            del self._seen[next(iter(self._seen))]
        return f"{digest.hex()}.{count}"

    def why(self, name: str) -> list[Reason]:
        """Returns for each recipient of a mail why it became of it what did; empty if the mail is not kept."""
        return [reason(mail, self.truth.tables, self.world) for mail in self.truth.find(name)]

    def counterfactual(self, without: Collection[str], now: float) -> Counterfactual:
        """Returns what the other tenants lost to these. It plays all mails that are kept twice, some 50 microseconds each."""
        return compare(self._record(now), without)

    def blame(self, tenant: str, now: float, most: int = MOST_SUSPECTS) -> Blame:
        """Returns to whom a tenant lost its mails. It plays all mails that are kept, up to `most` + 2 times."""
        return blame(self._record(now), tenant, most)

    def _record(self, now: float) -> Record:
        return Record(
            lambda: World(self.settings, self.start), self.truth.mails, self.truth.tables, nextafter(now, inf)
        )
