"""Events from files: what went past us, or came before us. Each is stored as if it had just been received, and counts once.

Who replays a file vouches for it, so no signature and no topic is asked for; the tags' own signature is, as always. A file
proves nothing of the absence of an event (docs/decisions/040).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailcordon.core.errors import Unavailable
from mailcordon.core.queue import Unreachable
from mailcordon.core.text import harmless
from mailcordon.messages import event_doors as messages
from mailcordon.observe.batches import Batches
from mailcordon.observe.door import BATCH, RETRY_AFTER, Body
from mailcordon.observe.ingest import Ingest, Report
from mailcordon.observe.ports import Decoded, EventReader, Store, Transaction, Undecided

LONGEST_NAME = 200  #: characters of a file's name that are kept


@dataclass(slots=True)
class Replayed:
    documents: int = 0  #: events and other documents that the texts held
    report: Report = field(default_factory=Report)
    lost: int = 0  #: neither stored nor quarantined: the database takes nothing of them


class FileReplay:
    def __init__(
        self, store: Store, ingest: Ingest, reader: EventReader, unwrap: Callable[[Body], list[Body]]
    ) -> None:
        self._store = store
        self._batches = Batches(store, ingest, "replay", proves=False)
        self._reader = reader
        self._unwrap = unwrap

    async def run(self, texts: Sequence[str], *, file: str, actor: str) -> Replayed:
        """Raises Unavailable while the database is away: what was stored until then counts once, so all can be sent again."""
        found = Replayed()
        bodies = [one for text in texts for one in self._unwrap(text)]
        found.documents = len(bodies)
        try:
            for start in range(0, len(bodies), BATCH):
                await self._store_some(bodies[start : start + BATCH], found)
            await self._store.run(lambda tx: self._audit(tx, found, file, actor))
        except Unreachable as error:
            raise Unavailable(messages.database_away(str(error)), retry_after=RETRY_AFTER) from error
        return found

    async def _store_some(self, bodies: Sequence[Body], found: Replayed) -> None:
        def done(places: Sequence[int], report: Report) -> None:
            found.report.add(report)

        decoded: list[Decoded] = []
        for body in bodies:
            one = self._reader.decode(body, proved=True)
            assert not isinstance(one, Undecided), "what is proved needs no certificate"
            decoded.append(one)
        await asyncio.sleep(0)
        found.lost += len(await self._batches.store(decoded, bodies, done))

    async def _audit(self, tx: Transaction, found: Replayed, file: str, actor: str) -> None:
        report = found.report
        await tx.audit_replay(
            harmless(file, LONGEST_NAME),
            actor,
            {
                "documents": found.documents,
                "new": sum(report.counted.values()),
                "copies": report.copies,
                "quarantined": sum(report.quarantined.values()),
            },
        )
