"""Tables of the ground truth: whole numbers for each tenant at each provider, and who was trapped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from seslocal.world.envelope import Envelope
from seslocal.world.people import Person
from seslocal.world.providers import provider_of
from seslocal.world.reaction import Deed, Reaction


class Cell(msgspec.Struct):
    """Counts of mails, one for each recipient."""

    mails: int = 0
    suppressed: int = 0  #: never attempted
    attempts: int = 0
    deferrals: int = 0  #: attempts that were deferred
    deferred: int = 0  #: mails whose first attempt was
    accepted: int = 0  #: by the receiving host: inbox + spam + those that come back later
    inbox: int = 0
    spam: int = 0
    refused: int = 0
    returned: int = 0
    expired: int = 0
    trapped: int = 0  #: accepted for a spam trap
    opens: int = 0
    opens_unseen: int = 0  #: of these: nothing was fetched, so that the sender's tracking does not see them
    machine_opens: int = 0
    clicks: int = 0
    machine_clicks: int = 0
    complaints: int = 0
    complaints_known: int = 0  #: that the sender was told of
    not_spam: int = 0
    unsubscribes: int = 0
    deletes: int = 0

    def did(self, reaction: Reaction) -> None:
        name = _COLUMNS[reaction.deed]
        setattr(self, name, getattr(self, name) + 1)
        if reaction.deed == "open" and not reaction.agent:
            self.opens_unseen += 1

    def add(self, other: Cell) -> None:
        for name in COLUMNS:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    @property
    def lost(self) -> int:
        """Mails that ended anywhere but in an inbox."""
        return self.spam + self.refused + self.returned + self.expired + self.suppressed


COLUMNS: Final = Cell.__struct_fields__
_COLUMNS: Final[dict[Deed, str]] = {
    "open": "opens",
    "machine_open": "machine_opens",
    "click": "clicks",
    "machine_click": "machine_clicks",
    "complaint": "complaints",
    "not_spam": "not_spam",
    "unsubscribe": "unsubscribes",
    "delete": "deletes",
}


class Place(msgspec.Struct, frozen=True, array_like=True):
    """What a cell counts for."""

    tenant: str
    provider: str
    domain: str  #: whose reputation the mails had
    pool: str


class Trap(msgspec.Struct, array_like=True):
    """Traps of one kind that a tenant hit at a provider with one list."""

    hits: int
    first: float  #: seconds since the epoch
    last: float
    campaign: str  #: of the first hit
    recipient: str  #: of the first hit


class Tables:
    """Bounded by the number of tenants, domains and pools, not of mails."""

    def __init__(self) -> None:
        self.cells: dict[Place, Cell] = {}
        self.traps: dict[tuple[str, str, str, str], Trap] = {}  #: by tenant, provider, who, list
        self._found: dict[tuple[str, str, str | None, str, str], Cell] = {}

    def cell(self, envelope: Envelope) -> Cell:
        host = envelope.recipient.rpartition("@")[2]
        key = (envelope.sender, host, envelope.signed_by, envelope.from_domain, envelope.pool)
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= 100_000:
                self._found.clear()  # it only saves time
            place = Place(envelope.sender, provider_of(envelope.recipient), envelope.domain, envelope.pool)
            found = self._found[key] = self.cells.setdefault(place, Cell())
        return found

    def trapped(self, envelope: Envelope, person: Person, at: float) -> None:
        key = (envelope.sender, provider_of(envelope.recipient), person.who, person.list)
        found = self.traps.get(key)
        if found is None:
            self.traps[key] = Trap(1, at, at, envelope.campaign, envelope.recipient)
        else:
            found.hits += 1
            found.first = min(found.first, at)
            found.last = max(found.last, at)

    def by(
        self,
        group: Callable[[Place], tuple[str, ...]],
        wanted: Callable[[Place], bool] = lambda place: True,
    ) -> dict[tuple[str, ...], Cell]:
        """Returns the sums of cells by a key, for example `lambda place: (place.tenant, place.provider)`, sorted by it."""
        sums: dict[tuple[str, ...], Cell] = {}
        for place, cell in self.cells.items():
            if wanted(place):
                sums.setdefault(group(place), Cell()).add(cell)
        return dict(sorted(sums.items()))

    def tenants(self) -> dict[str, Cell]:
        return {key[0]: cell for key, cell in self.by(lambda place: (place.tenant,)).items()}

    def keep(self) -> bytes:
        return msgspec.msgpack.encode((list(self.cells.items()), list(self.traps.items())))

    def restore(self, kept: bytes) -> None:
        """Takes over what `keep` returned. Raises msgspec.DecodeError."""
        cells, traps = msgspec.msgpack.decode(
            kept, type=tuple[list[tuple[Place, Cell]], list[tuple[tuple[str, str, str, str], Trap]]]
        )
        self.cells, self.traps = dict(cells), dict(traps)
        self._found.clear()

    def __iter__(self) -> Iterator[tuple[Place, Cell]]:
        return iter(self.cells.items())
