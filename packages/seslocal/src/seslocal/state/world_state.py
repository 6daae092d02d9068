"""The world behind this local SES, if there is one: mailbox providers and people, the ground truth of what became of each mail,
and the key that all chance of a mail depends on."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from hashlib import blake2b
from math import inf, nextafter
from typing import Final

import msgspec

from seslocal.world.counterfactual import (
    MOST_SUSPECTS,
    Blame,
    Counterfactual,
    Record,
    Steps,
    blaming,
    comparing,
    finish,
)
from seslocal.world.reasons import Reason, reason
from seslocal.world.settings import WorldSettings
from seslocal.world.truth import Truth
from seslocal.world.world import World

KEY_HEADER: Final = "X-Seslocal-Key"  #: a sender's own key of a mail
MOST_MAILS: Final = 100_000  #: kept in the ground truth
_SHARDS: Final = 64  # parts in which the counts of mails without a key are kept
_MOST_KEYS: Final = 1000  # of a part; they tell a mail without a key from earlier equal ones


class WorldState:
    """`start`: seconds since the epoch; the times in the settings count from it. `made`: when it came to be, `start` if None."""

    def __init__(
        self, settings: WorldSettings, start: float, most: int = MOST_MAILS, made: float | None = None
    ) -> None:
        self.settings = settings
        self.start = start
        self.made = start if made is None else made
        self.world = World(settings, start)
        self.truth = Truth(most)
        self.replays = asyncio.Lock()  #: one at a time, so that they take the memory of one
        self.played: int | None = None  #: mails that the replay which is under way has played so far
        self._seen: list[dict[bytes, int]] = [{} for _ in range(_SHARDS)]
        self._kept: list[bytes | None] = [b""] * _SHARDS  # of each part, as it was last encoded

    def key(self, given: str | None, tenant: str | None, sender: str, recipient: str, subject: str) -> str:
        """Returns the key of a mail to one recipient: `given`, the value of the header X-Seslocal-Key, if there is one. Else it
        follows from what the mail says and from how many such mails came before, so it never depends on an id of SES."""
        if given:
            return given
        said = "\0".join((tenant or "", sender, recipient, subject))
        digest = blake2b(said.encode("utf-8", "surrogatepass"), digest_size=9).digest()
        shard = digest[0] % _SHARDS
        seen = self._seen[shard]
        count = seen.pop(digest, 0) + 1
        seen[digest] = count
        self._kept[shard] = None
        if len(seen) > _MOST_KEYS:
            del seen[next(iter(seen))]
        return f"{digest.hex()}.{count}"

    def why(self, name: str) -> list[Reason]:
        """Returns for each recipient of a mail why it became of it what did; empty if the mail is not kept."""
        return [reason(mail, self.truth.tables, self.world) for mail in self.truth.find(name)]

    def counterfactual(self, without: Collection[str], now: float) -> Counterfactual:
        """Returns what the other tenants lost to these. It plays all mails that are kept twice, some 50 microseconds each."""
        return finish(self.comparing(without, now))

    def blame(self, tenant: str, now: float, most: int = MOST_SUSPECTS) -> Blame:
        """Returns to whom a tenant lost its mails. It plays all mails that are kept, up to `most` + 2 times."""
        return finish(self.blaming(tenant, now, most))

    def comparing(self, without: Collection[str], now: float) -> Steps[Counterfactual]:
        """`counterfactual` in steps, of the mails that are kept when it is called."""
        return comparing(self._record(now), without)

    def blaming(self, tenant: str, now: float, most: int = MOST_SUSPECTS) -> Steps[Blame]:
        """`blame` in steps, of the mails that are kept when it is called."""
        return blaming(self._record(now), tenant, most)

    def keep(self) -> Iterator[tuple[str, bytes]]:
        """Yields everything but settings and start in parts with names. Most parts never change."""
        yield "opinions", self.world.opinions.keep()
        yield from self.truth.keep()
        for shard, kept in enumerate(self._kept):
            if kept is None:
                kept = self._kept[shard] = msgspec.msgpack.encode(list(self._seen[shard].items()))
            if kept:
                yield f"keys {shard}", kept

    def restore(self, name: str, part: bytes) -> None:
        """Takes over a part that `keep` yielded. Raises msgspec.DecodeError, zlib.error, ValueError."""
        if name == "opinions":
            self.world.opinions.restore(part)
        elif name.startswith("keys "):
            shard = int(name[5:])
            self._seen[shard] = dict(msgspec.msgpack.decode(part, type=list[tuple[bytes, int]]))
            self._kept[shard] = part
        else:
            self.truth.restore(name, part)

    def _record(self, now: float) -> Record:
        return Record(
            lambda: World(self.settings, self.start),
            self.truth.snapshot(),
            self.truth.tables,
            nextafter(now, inf),
        )
