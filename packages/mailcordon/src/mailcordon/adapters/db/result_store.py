"""Records what became of claimed deliveries: sent, ended otherwise, waiting again, or back at the head of their lane.

It has a connection of its own, so that recording results never waits for a claim.
"""

from collections import Counter
from collections.abc import Sequence

from mailcordon.adapters.db import engine, queries
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.core.delivery import State, Why
from mailcordon.core.provider import Provider
from mailcordon.send.moves import Claimed, Defer, Finish, Requeue

_SQL = queries.load("result_store.sql")


class ResultStore:
    def __init__(self, dsn: str) -> None:
        # A result that a crash of the server takes away leaves its delivery `sending`, of a worker that is gone: its outcome is
        # unknown, and the Send events settle it (docs/decisions/102).
        self._connection = PinnedConnection(dsn, "complete", durable=False)

    async def close(self) -> None:
        await self._connection.close()

    async def complete(
        self,
        worker: int,
        finished: Sequence[Finish],
        deferred: Sequence[Defer],
        requeued: Sequence[Requeue],
    ) -> None:
        """Records what became of deliveries that the worker claimed, in one transaction."""
        if deferred or requeued:
            async with self._connection.transaction() as connection:
                await _finish(connection, worker, finished)
                uncalled = [*await _defer(connection, deferred), *await _requeue(connection, requeued)]
                # Last: a claim has the turns before it has what limits count.
                await _uncount(connection, uncalled)
        else:
            async with self._connection.use() as connection:
                await _finish(connection, worker, finished)


async def _finish(connection: engine.Connection, worker: int, finished: Sequence[Finish]) -> None:
    """At most two statements. They need no common transaction: a delivery that the first one finished is not in the queue."""
    ordered = sorted(finished, key=lambda one: (one.claim.lane, one.claim.id))
    sent = [x for x in ordered if x.state is State.SENT and x.claim.attempt == 1]
    others = [x for x in ordered if x.state is not State.SENT or x.claim.attempt != 1]
    if sent:
        found = await connection.fetchval(
            _SQL.finish_sent,
            [x.claim.lane for x in sent],
            [x.claim.id for x in sent],
            [x.claim.attempt for x in sent],
            [x.ses_id for x in sent],
            [x.claim.called_at for x in sent],
            [len(x.claim.content or b"") for x in sent],
            -worker,
            any(x.forget for x in sent),
            [x.claim.path for x in sent],
            [_domain(x) for x in sent],
        )
        if found < len(sent):
            # Recorded before, or declared unknown while we wrote. `queue_finish` looks again.
            others = ordered
    if others:
        await connection.execute(
            _SQL.finish,
            [x.claim.lane for x in others],
            [x.claim.id for x in others],
            [x.claim.attempt for x in others],
            [int(x.state) for x in others],
            [x.ses_id for x in others],
            [x.claim.called_at for x in others],
            [x.reason for x in others],
            [x.detail for x in others],
            -worker,
        )


def _domain(one: Finish) -> str | None:
    """The recipient's domain, if its mailbox provider is not known yet."""
    if one.claim.provider != Provider.UNKNOWN:
        return None
    return one.claim.to.rpartition("@")[2].lower() or None


async def _uncount(connection: engine.Connection, claims: Sequence[Claimed]) -> None:
    """Limits count calls, and these were certainly not made."""
    times = sorted({claim.called_at for claim in claims if claim.counted or claim.addresses})
    if len(times) > 1:
        await connection.fetch(_SQL.lock_uses, list({use for claim in claims for use in claim.counted}))
    for at in times:
        uses = Counter(use for claim in claims for use in claim.counted if claim.called_at == at)
        if uses:
            await connection.execute(_SQL.uncount, list(uses), list(uses.values()), at)
    for at in times:
        to = Counter(
            (claim.lane, address) for claim in claims if claim.called_at == at for address in claim.addresses
        )
        if to:
            await connection.execute(
                _SQL.uncount_addresses,
                [lane for lane, _ in to],
                [address for _, address in to],
                list(to.values()),
                at,
            )


async def _requeue(connection: engine.Connection, requeued: Sequence[Requeue]) -> Sequence[Claimed]:
    """Returns those that were certainly not called, unless this may be a repetition."""
    if not requeued:
        return ()
    ordered = sorted((one.claim for one in requeued), key=lambda c: (c.lane, c.id))
    made = await connection.fetchval(
        _SQL.requeue,
        [c.lane for c in ordered],
        [c.id for c in ordered],
        [c.attempt for c in ordered],
        [c.called_at for c in ordered],
    )
    unspent = Counter((c.reserve, c.tenant, c.called_at // 3_600_000) for c in ordered if c.reserve)
    # If some were not on the wire any more, this may be a repetition.
    if made < len(ordered):
        return ()
    if unspent:
        await connection.execute(
            _SQL.return_reserve,
            [cell for cell, _, _ in unspent],
            [tenant for _, tenant, _ in unspent],
            [hour for _, _, hour in unspent],
            list(unspent.values()),
        )
    return ordered


async def _defer(connection: engine.Connection, deferred: Sequence[Defer]) -> Sequence[Claimed]:
    """As `_requeue`."""
    if not deferred:
        return ()
    ordered = sorted(deferred, key=lambda one: (one.claim.lane, one.claim.id))
    made = await connection.fetchval(
        _SQL.defer,
        [p.claim.lane for p in ordered],
        [p.claim.id for p in ordered],
        [p.claim.attempt for p in ordered],
        [p.claim.called_at for p in ordered],
        [p.why for p in ordered],
        [p.until for p in ordered],
        [p.hold for p in ordered],
        [p.reason for p in ordered],
        [p.code for p in ordered],
        [p.configuration_set for p in ordered],
    )
    noted = [p for p in ordered if p.note]
    if noted:
        await connection.execute(
            _SQL.add_notes,
            [p.claim.id for p in noted],
            [p.claim.tenant for p in noted],
            [p.note for p in noted],
            [p.claim.attempt for p in noted],
            [p.reason for p in noted],
        )
    return [p.claim for p in ordered if p.why in (Why.HELD, Why.STOPPED)] if made == len(ordered) else ()
