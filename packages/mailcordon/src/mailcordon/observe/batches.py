"""Stores batches of decoded messages: each in one transaction, and one by one if the database rejects a batch.

Of a rejected batch, the message that causes it goes to quarantine alone.
"""

import logging
from collections.abc import Callable, Sequence

from mailcordon.core.log_limit import LogLimit
from mailcordon.core.queue import Unreachable
from mailcordon.core.text import harmless
from mailcordon.messages import queues, reasons
from mailcordon.observe.ingest import Ingest, Report
from mailcordon.observe.ports import BadRow, Decoded, Malformed, Store, Transaction

#: Is told the places in the batch of messages that were committed together, and the result.
Done = Callable[[Sequence[int], Report], None]

_log = logging.getLogger("mailcordon.observe")


class Batches:
    """Messages of one source. `proves`: as in `Ingest.store`."""

    def __init__(self, store: Store, ingest: Ingest, source: str, *, proves: bool = True) -> None:
        self._store = store
        self._ingest = ingest
        self._source = source
        self._proves = proves
        self._warnings = LogLimit()

    async def store(self, decoded: Sequence[Decoded], bodies: Sequence[str | bytes], done: Done) -> list[int]:
        """`bodies`: the messages as they came. Returns the places of those that can be neither stored nor quarantined.

        Raises Unreachable while the database is away; what `done` was told of is stored.
        """
        try:
            report = await self._commit(decoded)
        except Unreachable:
            raise
        except Exception as error:
            if not isinstance(error, BadRow):
                _log.exception(
                    "a batch of %d could not be stored; storing its messages one by one", len(decoded)
                )
            return await self._store_singly(decoded, bodies, done)
        self._done(range(len(decoded)), report, done)
        return []

    async def _store_singly(
        self, decoded: Sequence[Decoded], bodies: Sequence[str | bytes], done: Done
    ) -> list[int]:
        left: list[int] = []
        for place, (one, body) in enumerate(zip(decoded, bodies, strict=True)):
            try:
                report = await self._commit([one])
            except Unreachable:
                raise
            except Exception as error:
                try:
                    report = await self._set_aside(one, body, error)
                except BadRow as worse:
                    _log.error("a message can neither be stored nor quarantined: %s", worse)
                    left.append(place)
                    continue
            self._done([place], report, done)
        return left

    async def _set_aside(self, decoded: Decoded, body: str | bytes, error: Exception) -> Report:
        if not isinstance(error, BadRow):
            _log.exception("storing a message failed; quarantining it")
        why = reasons.not_stored(
            str(error) if isinstance(error, BadRow) else f"{type(error).__name__}: {error}"
        )

        async def work(tx: Transaction) -> Report:
            return await self._ingest.set_aside(tx, decoded, Malformed(why, body), self._source)

        return await self._store.run(work)

    async def _commit(self, decoded: Sequence[Decoded]) -> Report:
        async def work(tx: Transaction) -> Report:
            return await self._ingest.store(tx, decoded, self._source, proves=self._proves)

        return await self._store.run(work)

    def _done(self, places: Sequence[int], report: Report, done: Done) -> None:
        done(places, report)
        self._warn(report)

    def _warn(self, report: Report) -> None:
        """A line a minute for each kind: events arrive by the thousand, and quarantine has them."""
        for why, sentence in report.alarms.items():
            if self._warnings.count(why) is not None:
                shown = harmless(sentence)  # it has words of the document
                _log.warning("quarantine: %s (%d in this batch)", shown, report.quarantined[why])
        for why, documents in report.not_kept.items():
            if self._warnings.count((why, "not kept")) is not None:
                _log.error("quarantine: %s", queues.quarantine_not_kept(why=why, documents=documents))
