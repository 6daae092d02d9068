"""The observability plane's transactions: whole batches as arrays, over one pinned connection of the observe role.

A batch that meets another transaction's locks is retried. Rows that the database refuses for good (BadRow) are told apart from a
database that is unavailable (Unreachable).
"""

import contextlib
import operator
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Set
from typing import TypeVar

import asyncpg

from mailcordon.adapters.db import (
    address_reports,
    arrays,
    engine,
    observe_rows,
    observed_mail,
    queries,
    ungoverned_rows,
)
from mailcordon.adapters.db.driver_errors import in_words
from mailcordon.adapters.db.pinned_connection import PinnedConnection
from mailcordon.adapters.db.route_row import lane_from_row
from mailcordon.core import ids
from mailcordon.core.errors import Unavailable
from mailcordon.core.event import Kind
from mailcordon.core.lane import Lane
from mailcordon.core.priority import Class
from mailcordon.core.queue import Unreachable
from mailcordon.core.suppression import Suppression
from mailcordon.core.ungoverned import Sighting
from mailcordon.messages import api
from mailcordon.observe import quarantine as quarantines
from mailcordon.observe.observing import ObservedMail, Origin, Placed, Rules, Unmapped
from mailcordon.observe.ports import (
    AtOnce,
    BadRow,
    Candidate,
    Counts,
    Directory,
    EventRow,
    Facts,
    LaneName,
    NoticeRow,
    Outcome,
    ProofEventRow,
    Quarantined,
    Send,
    SetRef,
    Times,
    Transaction,
)
from mailcordon.observe.reports import ListHit, Remembered, Report, TakenBack, Unlist
from mailcordon.observe.webhooks.nouns import DocumentRow, OutboxRow, Subscriptions

T = TypeVar("T")

TRIES = 5
MOST_CACHED = 100_000  #: lanes; with more the cache is emptied and filled again as lanes are needed

_SQL = queries.load("observe_store.sql")
_SHARED = queries.load("shared.sql")
_place = operator.attrgetter("delivery", "key")
_id = operator.attrgetter("id")


def _changed_id(one: tuple[str, Outcome]) -> int:
    return one[1].id


class ObserveStore:
    """One connection, one transaction at a time. Implements observe.ports.Store."""

    def __init__(self, dsn: str) -> None:
        self._connection = PinnedConnection(dsn, "observe")
        self._cache = _Cache()

    async def close(self) -> None:
        await self._connection.close()

    async def run(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        try:
            async with self._connection.use() as connection:
                return await self._with_retries(connection, work)
        except Unavailable as error:
            cause = error.__cause__ or error
            raise Unreachable(api.database_unreachable(in_words(cause))) from cause
        except asyncpg.PostgresError as error:
            # A missing grant or a login that is switched off is treated as a missing server: nothing is lost, the events wait.
            raise Unreachable(api.database_unreachable(in_words(error))) from error

    async def _with_retries(
        self, connection: engine.Connection, work: Callable[[Transaction], Awaitable[T]]
    ) -> T:
        for left in reversed(range(TRIES)):
            try:
                async with contextlib.AsyncExitStack() as stack:
                    return await work(PostgresTransaction(connection, self._cache, stack))
            except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError) as error:
                if left == 0:
                    raise Unreachable(api.batch_always_blocked(in_words(error))) from error
            except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
                raise BadRow(in_words(error)) from error
        raise AssertionError("the last try returns or raises")


class _Cache:
    """Lanes and configuration sets as of one epoch. Missing ones are not cached."""

    def __init__(self) -> None:
        self.epoch = -1
        self.lanes: dict[LaneName, Lane] = {}
        self.sets: dict[str, SetRef] = {}
        self.observed = observed_mail.Cache()
        self.webhooks: Subscriptions = {}

    def has(self, lanes: Set[LaneName], sets: Set[str]) -> bool:
        return lanes <= self.lanes.keys() and sets <= self.sets.keys()

    def at(self, epoch: int) -> bool:
        """Whether it was emptied."""
        if epoch == self.epoch and len(self.lanes) <= MOST_CACHED:
            return False
        self.epoch = epoch
        self.lanes, self.sets = {}, {}
        self.observed = observed_mail.Cache()
        return True


class PostgresTransaction:
    """Implements observe.ports.Transaction.

    It begins with the first statement that writes or locks, and ends with `stack`: what is read before is the same outside of it,
    and work of a single statement takes one round trip.
    """

    def __init__(
        self, connection: engine.Connection, cache: _Cache, stack: contextlib.AsyncExitStack
    ) -> None:
        self._connection = connection
        self._cache = cache
        self._stack = stack
        self._begun = False

    async def _writing(self) -> engine.Connection:
        if not self._begun:
            self._begun = True
            await self._stack.enter_async_context(self._connection.transaction())
        return self._connection

    async def known(
        self, deliveries: Mapping[int, LaneName], lanes: Set[LaneName], sets: Set[str]
    ) -> tuple[Directory, Mapping[int, Facts]]:
        cache = self._cache
        if cache.has(lanes, sets) and deliveries:
            rows = await self._facts(deliveries)
            if rows and rows[0]["epoch"] == cache.epoch:
                return Directory(
                    rows[0]["now"], cache.lanes, cache.sets, cache.webhooks
                ), observe_rows.by_delivery(rows)
        now = await self._fill_cache(lanes, sets)
        rows = await self._facts(deliveries)
        return Directory(now, cache.lanes, cache.sets, cache.webhooks), observe_rows.by_delivery(rows)

    async def _facts(self, deliveries: Mapping[int, LaneName]) -> list[asyncpg.Record]:
        known = self._cache.lanes
        asked = {id: known[name].id for id, name in deliveries.items() if name in known}
        if not asked:
            return []
        first, last = ids.message_of(min(asked)), max(asked)
        return await self._connection.fetch(
            _SQL.facts, arrays.integers(asked), arrays.integers(asked.values()), first, last
        )

    async def _fill_cache(self, lanes: Set[LaneName], sets: Set[str]) -> int:
        """Reads what the cache lacks. Returns the database's time."""
        row = await self._connection.fetchrow(_SHARED.now_and_control_epoch)
        assert row is not None
        cache = self._cache
        if cache.at(row["epoch"]):
            cache.webhooks = observe_rows.subscriptions(
                await self._connection.fetch(_SQL.webhook_subscriptions)
            )
        missing = sorted(lanes - cache.lanes.keys())
        if missing:
            keys, types = zip(*missing, strict=True)
            for lane in await self._connection.fetch(_SQL.lanes, keys, types):
                cache.lanes[lane["tenant_key"], lane["type"]] = lane_from_row(lane)
        unknown = sorted(sets - cache.sets.keys())
        if unknown:
            for set_ in await self._connection.fetch(_SQL.configuration_sets, unknown):
                of = None if set_["class"] is None else Class(set_["class"])
                cache.sets[set_["name"]] = SetRef(set_["kind"], of, set_["tenant"])
        return row["now"]

    async def by_ses_id(self, ses_id: str, from_domain: str, address_hash: bytes) -> Candidate | None:
        labels = from_domain.split(".")
        domains = [".".join(labels[start:]) for start in range(len(labels) - 1)]
        row = await self._connection.fetchrow(_SQL.by_ses_id, ses_id, domains, address_hash)
        if row is None:
            return None
        return Candidate(row["tenant_key"], row["type"], row["delivery"], row["attempt"], row["called_at"])

    async def store_at_once(self, batch: AtOnce, *, alone: bool) -> bool:
        connection = self._connection if alone else await self._writing()
        events = sorted(batch.events, key=_place)
        new = sorted(batch.new, key=_id)
        changed = sorted(batch.changed, key=_changed_id)
        counted = [
            (*cell, arrays.integers(observe_rows.trimmed(counts))) for cell, counts in batch.counts.items()
        ]
        timed = [(*cell, arrays.integers(counts)) for cell, counts in batch.times.items()]
        proofs = sorted((row.delivery, row.attempt, row.ses_id, row.at) for row in batch.sends)
        stored: bool = await connection.fetchval(
            _SQL.store_at_once,
            *observe_rows.event_columns(events),
            len(events),
            *observe_rows.outcome_columns([*new, *(row for _, row in changed)]),
            len(new),
            arrays.texts([version for version, _ in changed]),
            len(new) + len(changed),
            *observe_rows.some(sorted(batch.queued), 2),
            *observe_rows.some(proofs, 4),
            *observe_rows.some(counted, 9),
            *observe_rows.some(timed, 6),
            *observe_rows.some(sorted(batch.seen.items()), 2),
        )
        return stored

    async def record(
        self, events: Sequence[EventRow], outcomes: Sequence[Outcome]
    ) -> tuple[Set[tuple[int, bytes]], Set[int]]:
        events = sorted(events, key=_place)
        outcomes = sorted(outcomes, key=_id)
        row = await (await self._writing()).fetchrow(
            _SQL.record,
            *observe_rows.event_columns(events),
            *observe_rows.outcome_columns(outcomes),
            len(events),
            len(outcomes),
        )
        assert row is not None
        new: Set[tuple[int, bytes]]
        if row["events"] == len(events):
            new = {(one.delivery, one.key) for one in events}
        else:
            new = set(zip(row["deliveries"] or (), row["keys"] or (), strict=True))
        if row["outcomes"] == len(outcomes):
            return new, {one.id for one in outcomes}
        return new, set(row["ids"] or ())

    async def lock_deliveries(self, ids: Sequence[int]) -> dict[int, tuple[int, int | None]]:
        rows = await (await self._writing()).fetch(_SQL.lock_deliveries, arrays.integers(ids))
        return {row["id"]: (row["state"], row["called_at"]) for row in rows}

    async def lock_outcomes(self, ids: Sequence[int]) -> dict[int, Outcome]:
        ordered = sorted(ids)
        rows = await (await self._writing()).fetch(
            _SQL.lock_outcomes, arrays.integers(ordered), ordered[0], ordered[-1]
        )
        return {row["id"]: observe_rows.outcome(row, row["id"], row["provider"]) for row in rows}

    async def update_outcomes(self, rows: Sequence[Outcome]) -> None:
        columns = observe_rows.outcome_columns(sorted(rows, key=_id))
        await (await self._writing()).execute(_SQL.update_outcomes, *columns)

    async def record_sends(self, rows: Sequence[Send]) -> None:
        ordered = sorted((row.delivery, row.attempt, row.ses_id, row.at) for row in rows)
        await (await self._writing()).execute(_SQL.record_sends, *observe_rows.columns(ordered, 4))

    async def record_proof_events(self, rows: Sequence[ProofEventRow]) -> None:
        values = [
            (
                row.mail,
                row.key,
                int(row.kind),
                row.at,
                row.ses_id,
                row.queue,
                row.topic,
                row.configuration_set,
                row.ses_tenant,
                row.lane,
                row.problem,
            )
            for row in rows
        ]
        values.sort(key=operator.itemgetter(0, 1))
        await (await self._writing()).execute(_SQL.record_proof_events, *observe_rows.columns(values, 11))

    async def suppress(self, rows: Sequence[Suppression]) -> None:
        values = [
            (
                row.tenant,
                row.hash,
                row.scope,
                row.target,
                row.address,
                row.cause,
                observe_rows.clean(row.evidence),
                row.since,
                row.until,
                row.by,
            )
            for row in rows
        ]
        await (await self._writing()).execute(
            _SQL.suppress, *observe_rows.columns(sorted(values, key=lambda one: one[:4]), 10)
        )

    async def remember(self, reports: Sequence[Report]) -> Sequence[Remembered]:
        return await address_reports.remember(await self._writing(), reports)

    async def lift(self, taken_back: Sequence[TakenBack]) -> None:
        await address_reports.lift(await self._writing(), taken_back)

    async def want_entries(self, hits: Sequence[ListHit]) -> None:
        await address_reports.want_entries(await self._writing(), hits)

    async def deleted_entries(
        self, addresses: Iterable[tuple[int, bytes]]
    ) -> Mapping[tuple[int, bytes], int]:
        return await address_reports.deleted_entries(await self._writing(), addresses)

    async def unlist(self, rows: Sequence[Unlist]) -> None:
        await address_reports.unlist(await self._writing(), rows)

    async def tell_webhooks(self, rows: Sequence[OutboxRow], documents: Sequence[DocumentRow]) -> None:
        told = [(row.endpoint, row.event, row.tenant, row.delivery, row.key) for row in rows]
        await (await self._writing()).execute(_SQL.tell_webhooks, *observe_rows.columns(told, 5))
        if documents:
            kept = [(row.delivery, row.key, row.document) for row in documents]
            await (await self._writing()).execute(_SQL.keep_documents, *observe_rows.columns(kept, 3))

    async def quarantine(self, rows: Sequence[Quarantined]) -> Mapping[str, int]:
        kinds = sorted({row.why for row in rows})
        locked = await (await self._writing()).fetch(_SQL.lock_quarantine_kinds, kinds)
        if len(locked) < len(kinds):
            await (await self._writing()).execute(_SQL.add_quarantine_kinds, kinds)
            locked = await (await self._writing()).fetch(_SQL.lock_quarantine_kinds, kinds)
        found = quarantines.entries(rows, locked[0]["today"])
        before = await (await self._writing()).fetch(
            _SQL.quarantined_before, [entry.digest for entry in found], quarantines.MOST_SAMPLES
        )
        plan = quarantines.plan(
            found,
            {
                row["digest"]: quarantines.Kept(
                    id=row["id"], documents=tuple(row["documents"]), takes=row["takes"]
                )
                for row in before
            },
            {
                row["why"]: quarantines.Room(entries=row["room_entries"], bytes=row["room_bytes"])
                for row in locked
            },
        )
        await self._write_quarantine(plan)
        return plan.not_kept

    async def _write_quarantine(self, plan: quarantines.Plan) -> None:
        new = [
            (
                entry.digest,
                entry.why,
                entry.detail,
                entry.documents[0],
                observe_rows.json_text(entry.documents[1:]),
                quarantines.size_of(entry.documents),
                entry.source,
                entry.tenant,
                entry.copies,
            )
            for entry in plan.new
        ]
        if new:
            await (await self._writing()).execute(_SQL.quarantine, *observe_rows.columns(new, 9))
        again = [(one.id, one.copies, observe_rows.json_text(one.samples), one.bytes) for one in plan.again]
        if again:
            await (await self._writing()).execute(_SQL.quarantine_again, *observe_rows.columns(again, 4))
        counts = [
            (why, plan.entries[why], plan.bytes[why], documents, plan.not_kept[why])
            for why, documents in sorted(plan.documents.items())
        ]
        await (await self._writing()).execute(_SQL.count_quarantine, *observe_rows.columns(counts, 5))

    async def record_ungoverned(self, sightings: Sequence[Sighting]) -> None:
        await ungoverned_rows.record(await self._writing(), sightings)

    async def observed_rules(self) -> tuple[int, Rules]:
        now = await self._fill_cache(set(), set())
        return now, await observed_mail.rules(await self._writing(), self._cache.observed)

    async def place_observed(self, mails: Sequence[ObservedMail]) -> Mapping[int, Placed]:
        return await observed_mail.place(await self._writing(), self._cache.observed, mails)

    async def observed_lanes(self, of: Set[tuple[int, int]]) -> Mapping[tuple[int, int], Lane]:
        return await observed_mail.lanes(await self._writing(), self._cache.observed, of)

    async def count_unmapped(self, counts: Mapping[Origin, Unmapped]) -> None:
        await observed_mail.count_unmapped(await self._writing(), counts)

    async def keep_notices(self, notices: Sequence[NoticeRow]) -> int:
        copies = Counter(row.digest for row in notices)
        once = {row.digest: row for row in notices}
        values = [
            (digest, row.what, row.subject, row.document, copies[digest])
            for digest, row in sorted(once.items())
        ]
        not_kept: int = await (await self._writing()).fetchval(
            _SQL.keep_notices, *observe_rows.columns(values, 5), quarantines.MOST_NOTICES
        )
        if not_kept:
            await (await self._writing()).execute(
                _SQL.count_notices_not_kept,
                not_kept,
                quarantines.MOST_NOTICES,
                quarantines.MOST_NOTICES * quarantines.LONGEST_NOTICE,
            )
        return not_kept

    async def count_elsewhere(self, counts: Mapping[tuple[str, Kind], int]) -> None:
        values = [(name, int(kind), documents) for (name, kind), documents in sorted(counts.items())]
        await (await self._writing()).execute(
            _SQL.count_elsewhere, *observe_rows.columns(values, 3), quarantines.MOST_INSTALLATIONS
        )

    async def count(self, counts: Counts, seen: Mapping[str, int], times: Times) -> None:
        values = [(*cell, arrays.integers(counts[cell])) for cell in counts]
        timed = [(*cell, arrays.integers(times[cell])) for cell in times]
        await (await self._writing()).execute(
            _SQL.add_counts,
            *observe_rows.columns(values, 9),
            *observe_rows.columns(sorted(seen.items()), 2),
            *observe_rows.columns(timed, 6),
        )

    async def unproved(self) -> dict[str, int]:
        rows = await self._connection.fetch(_SQL.unproved)
        return {row["configuration_set"]: row["called_at"] for row in rows}

    async def prove(self, called: Mapping[str, int]) -> None:
        await self._connection.execute(_SQL.prove, *observe_rows.columns(sorted(called.items()), 2))

    async def report_observer(
        self, queue: str, observer: str, live: float, stored: float, *, ended: bool
    ) -> list[tuple[float, float, float, bool]]:
        rows = await self._connection.fetch(
            _SQL.report_observer, queue, observer, round(live * 1000), round(stored * 1000), ended
        )
        return [
            (row["beat"] / 1000, row["live_since"] / 1000, row["stored_before"] / 1000, row["ended"])
            for row in rows
        ]

    async def quarantined(self, id: int) -> tuple[str, str] | None:
        row = await (await self._writing()).fetchrow(_SQL.lock_quarantined, id)
        return None if row is None else (row["why"], row["document"])

    async def resolve(
        self, id: int, resolution: str, actor: str, *, settled: bool, because: str | None
    ) -> None:
        row = await (await self._writing()).fetchrow(_SQL.resolve, id, resolution[:2000], settled)
        if row is not None:
            after = observe_rows.clean({"why": row["why"], "resolution": resolution[:2000]})
            await (await self._writing()).execute(
                _SHARED.write_audit,
                actor,
                "quarantine.replay",
                row["tenant"],
                f"quarantine {id}",
                None,
                after,
                because,
            )

    async def audit_replay(self, file: str, actor: str, counts: Mapping[str, int]) -> None:
        await (await self._writing()).execute(
            _SHARED.write_audit,
            actor,
            "events.replay",
            None,
            f"file {file}",
            None,
            observe_rows.clean(counts),
            None,
        )
