"""Stores accepted mail: one transaction per batch, committed before any sender is told.

Implements `send.ports.AcceptStore`. A batch without repeated idempotency keys, refused recipients and scheduled mail is one
statement, a lean one for a mail that comes alone; any other takes the slow path, which can give the reasons.

The node number that makes ids unique is leased with the connection (an advisory lock), so two processes never share one, and a
dead process's number is free at once.
"""

import contextlib
import random
from collections import Counter
from collections.abc import Mapping, Sequence

import asyncpg

from mailcordon.adapters.db import accept_arguments, engine, large_content, queries, release_intake
from mailcordon.adapters.db.hold_row import hold_from_row
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.adapters.db.route_row import route_from_row
from mailcordon.adapters.db.stop_row import known, stop_from_row
from mailcordon.adapters.db.suppression_row import Recipient, why_suppressed
from mailcordon.core.delivery import State
from mailcordon.core.errors import Unavailable
from mailcordon.core.ids import SCHEDULED_NODE
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.core.suppression import Suppression
from mailcordon.messages import api, reasons
from mailcordon.send.decide import DoorFacts, Kept, at_door
from mailcordon.send.ports import (
    Arrived,
    Backlog,
    Moment,
    NewDelivery,
    NewMessage,
    Replay,
    StaleRoutes,
    Stored,
)
from mailcordon.send.resolve import Entry, Lanes

_SQL = queries.load("accept_store.sql")
_SHARED = queries.load("shared.sql")
NODE_LOCK = 0x6D63  #: first key of the advisory locks that lease nodes


class _NotStored(Exception):
    """Rolls a transaction back."""


class AcceptStore:
    def __init__(self, dsn: str) -> None:
        self._node: int | None = None
        self._stores = PinnedConnection(dsn, "accept", prepare=self._lease_node)
        self._reads = PinnedConnection(dsn, "resolve", index_plans=False)

    async def close(self) -> None:
        await self._stores.close()
        await self._reads.close()

    async def node(self) -> int:
        """The node number for new ids. It changes when the connection is made again."""
        if self._node is None or not self._stores.is_open:
            async with self._stores.use():
                pass  # it connects, and leases one
        assert self._node is not None
        return self._node

    async def arrived(self, batches: Sequence[Arrived]) -> None:
        async with self._stores.transaction() as connection:
            assert self._node is not None
            await release_intake.arrived(connection, batches, self._node)

    async def places(self, number: int) -> Sequence[int]:
        async with self._stores.use() as connection:
            return [row["nextval"] for row in await connection.fetch(_SQL.places, number)]

    async def _lease_node(self, connection: engine.Connection) -> None:
        first = random.randrange(SCHEDULED_NODE)
        for offset in range(SCHEDULED_NODE):
            node = (first + offset) % SCHEDULED_NODE
            if await connection.fetchval(_SHARED.try_lock, NODE_LOCK, node):
                self._node = node
                return
        raise Unavailable(api.too_many_accepting_processes(SCHEDULED_NODE))

    async def lanes(self, slugs: Sequence[str]) -> Mapping[str, Lanes]:
        async with self._reads.use() as connection:
            rows = await connection.fetch(_SQL.lanes_of_tenants, slugs)
        found: dict[str, Lanes] = {}
        entries: dict[str, tuple[Entry, ...]] = {}
        for row in rows:
            if row["slug"] not in found:
                entries = {}
                found[row["slug"]] = Lanes(
                    tenant=row["tenant"], slug=row["slug"], entries=entries, retired=row["tenant_retired"]
                )
            if row["path"] is None:
                continue
            entry = Entry(
                route=route_from_row(row),
                share=row["share"],
                policy_version=row["policy_version"],
                expiry_ms=row["expiry_ms"],
                backlog_deliveries=row["backlog_deliveries"],
                backlog_bytes=row["backlog_bytes"],
                backlog_age_ms=row["backlog_age_ms"],
                retired=row["retired"],
            )
            entries[row["type"]] = (*entries.get(row["type"], ()), entry)
        return found

    async def moment(self) -> Moment:
        async with self._reads.use() as connection:
            row = await connection.fetchrow(_SHARED.now_and_control_epoch)
        assert row is not None
        return Moment(row["now"], row["epoch"])

    async def backlogs(self, lanes: Sequence[int]) -> Mapping[int, Backlog]:
        async with self._reads.use() as connection:
            rows = await connection.fetch(_SQL.backlogs, lanes)
        return {
            row["lane"]: Backlog(row["deliveries"], row["bytes"], row["oldest_id"], row["now"])
            for row in rows
        }

    async def replays(self, keys: Sequence[tuple[int, bytes, bytes]]) -> Mapping[int, Replay]:
        async with self._reads.use() as connection:
            return await _replays(connection, keys) if keys else {}

    async def store(self, batch: Sequence[NewMessage], epoch: int) -> Stored:
        """Stores new messages. Raises StaleRoutes and stores nothing if the control epoch is no longer `epoch`."""
        if not _is_plain(batch):
            return await self._store_slowly(batch, epoch)
        async with self._stores.use() as connection:
            assert self._node is not None
            try:
                if large_content.is_alone(batch):
                    row = await self._accept_large(connection, batch, epoch)
                elif len(batch) == 1 and len(batch[0].deliveries) == 1:
                    row = await connection.fetchrow(
                        _SQL.accept_one, epoch, *accept_arguments.of_one(batch[0], self._node)
                    )
                else:
                    row = await connection.fetchrow(
                        _SQL.accept, epoch, *accept_arguments.build(batch, self._node)
                    )
            except asyncpg.UniqueViolationError:
                row = None  # another request used one of our keys at the same time; nothing was stored
            if row is not None:
                if row["epoch"] != epoch:
                    raise StaleRoutes
                if row["ok"]:
                    held = await self._held(connection, row["held"]) if row["held"] else {}
                    return Stored(replays={}, suppressed={}, held=held, now=row["now"])
        return await self._store_slowly(batch, epoch)

    async def _accept_large(
        self, connection: engine.Connection, batch: Sequence[NewMessage], epoch: int
    ) -> asyncpg.Record | None:
        """The content first: `accept` locks what other mail of the tenant needs, and that must not wait while it is written."""
        assert self._node is not None
        row: asyncpg.Record | None = None
        with contextlib.suppress(_NotStored):
            async with connection.transaction():
                try:
                    await large_content.write(connection, batch[0])
                    arguments = accept_arguments.build(batch, self._node, with_content=False)
                    row = await connection.fetchrow(_SQL.accept, epoch, *arguments)
                except TimeoutError:
                    connection.terminate()  # else the rollback would wait for the same server once more
                    raise
                if row is None or row["epoch"] != epoch or not row["ok"]:
                    raise _NotStored
        return row

    async def _store_slowly(self, batch: Sequence[NewMessage], epoch: int) -> Stored:
        """For a batch with a repeated idempotency key, a recipient that is refused or mail for a later time."""
        keyed = sorted((m.route.lane.tenant, m.key, m.body, m.id) for m in batch if m.key is not None)
        entries = [(m, d) for m in batch for d in m.deliveries]
        lanes = sorted({m.route.lane.id for m in batch})
        async with self._stores.transaction() as connection:
            checked = await connection.fetchrow(
                _SQL.accept_check,
                [k[0] for k in keyed],
                [k[1] for k in keyed],
                [k[2] for k in keyed],
                [k[3] for k in keyed],
                [m.route.lane.tenant for m, _ in entries],
                [d.hash for _, d in entries],
                [int(m.route.lane.class_) for m, _ in entries],
                [m.route.lane.id for m, _ in entries],
                lanes,
            )
            assert checked is not None
            if checked["epoch"] != epoch:
                raise StaleRoutes
            winners = set(checked["winners"])
            lost = [i for i, m in enumerate(batch) if m.key is not None and m.id not in winners]
            replays = await self._replays_of(connection, batch, lost) if lost else {}
            hit: list[tuple[NewMessage, NewDelivery]] = [entries[o - 1] for o in checked["suppressed"]]
            suppressed = await self._suppressed(connection, hit) if hit else {}
            held = await self._held(connection, checked["held"]) if checked["held"] else {}
            fresh = [m for i, m in enumerate(batch) if i not in replays]
            if fresh:
                await self._insert(connection, fresh, suppressed, checked["now"])
        return Stored(replays=replays, suppressed=suppressed, held=held, now=checked["now"])

    async def _replays_of(
        self, connection: engine.Connection, batch: Sequence[NewMessage], lost: Sequence[int]
    ) -> dict[int, Replay]:
        # A new statement, so that it sees what the other request has committed.
        found = await _replays(
            connection, [(batch[i].route.lane.tenant, batch[i].key, batch[i].body) for i in lost]
        )
        return {lost[place]: replay for place, replay in found.items()}

    async def _suppressed(
        self, connection: engine.Connection, hit: Sequence[tuple[NewMessage, NewDelivery]]
    ) -> dict[int, Suppression]:
        found = await why_suppressed(
            connection,
            [
                Recipient(
                    m.route.lane.tenant,
                    d.hash,
                    d.address,
                    m.route.lane.class_,
                    m.route.lane.id,
                    m.route.lane.type,
                )
                for m, d in hit
            ],
        )
        return {delivery.id: why for (_, delivery), why in zip(hit, found, strict=True)}

    async def _held(self, connection: engine.Connection, lanes: Sequence[int]) -> dict[int, Kept]:
        """Why each of these lanes may not send. A hold is named before a stop: it stays when the stop ends."""
        rows = await connection.fetch(_SHARED.why_held, lanes)
        kept = {row["covered_lane"]: Kept(Reason.HELD, hold_from_row(row).sentence) for row in rows}
        if others := [lane for lane in lanes if lane not in kept]:
            stops = await connection.fetch(_SHARED.why_stopped, others)
            # The caller is a tenant's application, also if it uses a platform key.
            kept |= {
                row["covered_lane"]: Kept(Reason.STOPPED, stop_from_row(row).for_tenants.sentence)
                for row in known(stops)
            }
        # Lifted or ended between the two statements.
        return {lane: kept.get(lane, Kept(Reason.HELD, reasons.held_lane())) for lane in lanes}

    async def _insert(
        self,
        connection: engine.Connection,
        fresh: Sequence[NewMessage],
        suppressed: Mapping[int, Suppression],
        now: int,
    ) -> None:
        entries = [(m, d) for m in fresh for d in m.deliveries]
        decided = [(m, d, at_door(_facts(m, d, suppressed.get(d.id)))) for m, d in entries]
        queued = [(m, d) for m, d, decision in decided if decision.state is not State.REFUSED]
        ready = [(m, d) for m, d in queued if m.send_at is None]
        later = [(m, d) for m, d in queued if m.send_at is not None]
        refused = [one for one in decided if one[2].state is State.REFUSED]
        deliveries: Counter[int] = Counter()
        sizes: Counter[int] = Counter()
        for m, _ in queued:
            deliveries[m.route.lane.id] += 1
            sizes[m.route.lane.id] += len(m.content)
        # The content of urgent mail is kept as long as a delivery is queued, so not if every recipient is refused.
        with_queued = {m.id for m, _ in queued}
        urgent = [m for m in fresh if m.route.lane.class_ is Class.URGENT and m.id in with_queued]
        plain = [m for m in fresh if m.route.lane.class_ is not Class.URGENT]
        if large_content.is_alone(fresh):
            for m in (*plain, *urgent):
                await large_content.write(connection, m)
            plain = urgent = []
        turned_away = Counter(m.route.lane.id for m, _, _ in refused)
        lanes = sorted(deliveries.keys() | turned_away.keys())
        await connection.execute(
            _SQL.accept_store,
            [m.id for m in fresh],
            [m.route.lane.tenant for m in fresh],
            [m.route.lane.id for m in fresh],
            [m.route.path for m in fresh],
            [m.from_address for m in fresh],
            ["\n".join(d.address for d in m.deliveries) for m in fresh],
            [m.campaign for m in fresh],
            [m.list for m in fresh],
            [len(m.content) for m in fresh],
            [m.api_key for m in fresh],
            [m.content for m in plain],
            [m.route.lane.tenant for m, _ in entries],
            [d.hash for _, d in entries],
            [d.id for _, d in entries],
            [m.route.lane.id for m, _ in ready],
            [d.id for _, d in ready],
            [m.route.lane.tenant for m, _ in ready],
            [d.provider for _, d in ready],
            [d.hash for _, d in ready],
            [m.campaign for m, _ in ready],
            [m.list for m, _ in ready],
            now,
            [d.id for _, d, _ in refused],
            [m.route.lane.tenant for m, _, _ in refused],
            [m.route.lane.id for m, _, _ in refused],
            [d.provider for _, d, _ in refused],
            [decision.reason for _, _, decision in refused],
            [decision.sentence for _, _, decision in refused],
            self._node,
            lanes,
            [deliveries[lane] for lane in lanes],
            [sizes[lane] for lane in lanes],
            sorted({m.route.turn for m, _ in ready}),
            [m.id for m in plain],
            [m.id for m in urgent],
            [m.content for m in urgent],
            [turned_away[lane] for lane in lanes],
            [m.tags for m in fresh],
            [m.send_at for m in fresh],
            [m.route.lane.id for m, _ in later],
            [d.id for _, d in later],
            [m.route.lane.tenant for m, _ in later],
            [m.send_at for m, _ in later],
            [d.provider for _, d in later],
            [d.hash for _, d in later],
            [m.campaign for m, _ in later],
            [m.list for m, _ in later],
            [m.scheduled for m, _ in later],
            [m.alike for m in fresh],
            [m.others for m in fresh],
        )


def _is_plain(batch: Sequence[NewMessage]) -> bool:
    """Whether all of it is for now, and can be delivered."""
    for message in batch:
        if message.send_at is not None:
            return False
        for delivery in message.deliveries:
            if delivery.undeliverable is not None:
                return False
    return True


def _facts(message: NewMessage, delivery: NewDelivery, suppressed: Suppression | None) -> DoorFacts:
    sentence = None if suppressed is None else suppressed.sentence(message.tenant_slug)
    return DoorFacts(delivery.undeliverable, sentence, None)


async def _replays(
    connection: engine.Connection, keys: Sequence[tuple[int, bytes | None, bytes]]
) -> dict[int, Replay]:
    rows = await connection.fetch(_SQL.replays, *([key[n] for key in keys] for n in range(3)))
    return {row["o"] - 1: Replay(row["message"], row["same_body"]) for row in rows}
