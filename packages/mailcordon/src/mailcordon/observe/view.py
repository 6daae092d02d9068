"""Reads quarantine for people, and processes quarantined documents again on their behalf.

The stores behind these protocols read under a tenant's key as the reader role, which sees only that tenant's rows, and write
each change together with its audit row.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mailcordon.core.errors import NotFound, Unavailable
from mailcordon.core.queue import Unreachable
from mailcordon.messages import api, reasons
from mailcordon.observe.ingest import Ingest
from mailcordon.observe.ports import (
    BadRow,
    EventReader,
    NoCertificate,
    Store,
    Transaction,
    Undecided,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadScope:
    """The tenant whose rows are read. `as_tenant`: the caller has a tenant's key, and the database enforces the limit too."""

    tenant: int
    as_tenant: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineEntry:
    id: int
    why: str
    detail: str
    tenant: str | None
    source: str
    copies: int
    first_received_at: datetime
    last_received_at: datetime
    replayed_at: datetime | None
    resolution: str | None
    document: str | None  #: only when a single entry is read
    samples: Sequence[str] | None  #: with it: more documents of an entry about many mails


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineKind:
    """What a kind of quarantine has, and may have."""

    why: str
    entries: int
    most_entries: int
    bytes: int
    most_bytes: int
    keep_days: int
    documents: int  #: ever received, copies included
    not_kept: int  #: of these, only counted: there was no room


class ObserveReader(Protocol):
    async def quarantine(
        self, *, why: str | None, before: int | None, limit: int
    ) -> Sequence[QuarantineEntry]:
        """Newest first."""
        ...

    async def quarantine_kinds(self) -> Sequence[QuarantineKind]: ...

    async def quarantine_entry(self, id: int) -> QuarantineEntry | None: ...


class Replay:
    """Processes a quarantined document again as a new event, and records the result.

    A document is proved again if it was not proved when it came.
    """

    def __init__(self, store: Store, *, reader: EventReader, ingest: Ingest) -> None:
        self._store = store
        self._reader = reader
        self._ingest = ingest

    async def run(self, id: int, actor: str, because: str | None = None) -> None:
        """Raises NotFound, or Unavailable while the database or a certificate is unavailable."""
        needed: dict[str, str | None] = {}

        async def work(tx: Transaction) -> None:
            entry = await tx.quarantined(id)
            if entry is None:
                raise NotFound(api.not_in_quarantine(id))
            why, document = entry
            decoded = self._reader.decode(document, proved=why != "unverified")
            if isinstance(decoded, Undecided):
                needed[decoded.certificate] = decoded.why
                return
            needed.clear()
            report = await self._ingest.store(tx, [decoded], "replay", quarantine=False, proves=False)
            outcome = report.sentence
            settled = not report.quarantined
            sentence = outcome if settled else reasons.still_in_quarantine(outcome)
            await tx.resolve(id, sentence, actor, settled=settled, because=because)

        try:
            await self._store.run(work)
            if needed:
                await self._reader.fetch(set(needed))
                await self._store.run(work)
            for why in needed.values():
                raise NoCertificate(why or reasons.certificates_not_here())
        except Unreachable as error:
            raise Unavailable(api.not_replayed(id, str(error))) from error
        except BadRow as error:
            await self._record(id, api.replay_still_malformed(str(error)), actor, because)

    async def _record(self, id: int, sentence: str, actor: str, because: str | None) -> None:
        try:
            await self._store.run(lambda tx: tx.resolve(id, sentence, actor, settled=False, because=because))
        except Unreachable as error:
            raise Unavailable(api.not_replayed(id, str(error))) from error
