"""Commits what waits, in batches: resolves each message to its lane and stores it, once per idempotency key.

Requests that arrive while a transaction commits form the next batch, so load makes batches larger, not commits more frequent.
A request is answered after its commit. If a batch fails, its messages are stored one by one, so that only the bad one fails.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import structlog

from mailcordon.core import address, ids, subject_shape
from mailcordon.core.errors import Invalid, MailcordonError, TooMuch, Unavailable
from mailcordon.core.route import Route
from mailcordon.core.turns import Bounds, Full, Turns
from mailcordon.messages import api, mail
from mailcordon.send import decide, own_tags, resolve, scheduling
from mailcordon.send.accept_item import (
    LARGE,
    Accepted,
    AcceptedDelivery,
    Item,
    answer_repeat,
    answer_replay,
    answered,
    fail_items,
    split_repeats,
)
from mailcordon.send.batches import TELL_EVERY, Batches
from mailcordon.send.facts import AcceptFacts
from mailcordon.send.ports import AcceptStore, Arrived, Backlog, NewDelivery, NewMessage, StaleRoutes, Stored
from mailcordon.send.resolve import Entry, Lanes, Resolved

log: Any = structlog.get_logger()

MAX_BATCH = 256  #: messages per transaction
#: Bytes of content per transaction. A mail of a tenant is in the next batch, so this bounds what others' mails delay it by.
_MAX_BATCH_BYTES = 2 * 1024 * 1024
#: Seconds from the beginning of a commit to that of the next, while callers are many: what a batch costs is shared by more mail.
APART = 0.0025
#: Commits in a row during which no mail came, after which callers are few: one that sends mail after mail waits for nothing.
_ALONE = 8
_BACKLOG_CACHE_SECONDS = 1.0
_MOST_BESIDE = 100  #: lanes whose backlog is read before it is too old, because that of another is
_STALE_TRIES = 5
#: Remembered until the control epoch moves: tenants with their lanes, and slugs of no tenant.
_MOST_TENANTS = 50_000
_MOST_UNKNOWN = 10_000


class Committer:
    """Commits batches through one store, one after the other."""

    def __init__(
        self,
        store: AcceptStore,
        host_ms: Callable[[], int],
        on_change: Callable[[], None],
        changes: Callable[[], int],
        facts: AcceptFacts,
        bounds: Bounds,
        *,
        local: bool,
        links: bool = False,
    ) -> None:
        self._local = local
        self._links = links
        self._store = store
        self._host_ms = host_ms
        self._skew_ms = 0  #: the database's clock minus `host_ms`; the first look at the epoch measures it
        self._on_change = on_change
        self._changes = changes
        self._pending: Turns[Item] = Turns(bounds)
        self._arrived = asyncio.Event()
        self._lanes: dict[str, Lanes] = {}
        self._unknown: set[str] = set()  #: slugs of no tenant
        self._epoch = 0
        self._ids = ids.IdGenerator(0)
        self._facts = facts
        self._backlogs: dict[int, tuple[float, Backlog]] = {}
        self._used: set[int] = set()  #: lanes that mail came for since backlogs were read
        self._batches = Batches()
        self._began = float("-inf")  #: when the last commit did
        self._alone = _ALONE  #: commits in a row during which no mail came
        self._quiet: asyncio.TimerHandle | None = None  #: looks whether no mail came for `TELL_EVERY`
        self._was_quiet = False

    def put(self, item: Item) -> Full | None:
        """Puts it into the next batch in which its tenant has a turn. Returns the bound that it would exceed."""
        full = self._pending.put(item.slug, item, len(item.content))
        if full is None:
            self._arrived.set()
        return full

    @property
    def waiting(self) -> int:
        return len(self._pending)

    async def forget(self) -> None:
        self._backlogs.clear()
        await self._drop_cache()

    async def run(self) -> None:
        batch: list[Item] = []
        try:
            while True:
                await self._next()
                self._arrived.clear()
                while len(self._pending):
                    await self._gather()
                    batch = self._pending.take(MAX_BATCH, _MAX_BATCH_BYTES)
                    for part in _apart(batch):
                        await self._commit(part)
                    self._alone = 0 if len(self._pending) else self._alone + 1
        finally:
            if self._quiet is not None:
                self._quiet.cancel()
            rest = self._pending.take(len(self._pending), self._pending.bytes)
            fail_items([*batch, *rest], Unavailable(api.server_stopping()))

    async def _next(self) -> None:
        """Until mail is there. The end of a large batch is counted meanwhile."""
        while True:
            # One timer a second, not one for each wait: with mail at any rate there are many more waits.
            if self._quiet is None and self._batches.any_known:
                self._quiet = asyncio.get_running_loop().call_later(TELL_EVERY, self._after_a_pause)
            await self._arrived.wait()
            if len(self._pending):
                return
            self._arrived.clear()
            if self._was_quiet and (rest := self._batches.rest()):
                await self._tell(rest)
            self._was_quiet = False

    def _after_a_pause(self) -> None:
        self._quiet = None
        left = self._began + TELL_EVERY - time.monotonic()
        if left > 0:
            self._quiet = asyncio.get_running_loop().call_later(left, self._after_a_pause)
        elif self._batches.rest():
            self._was_quiet = True
            self._arrived.set()

    async def _gather(self) -> None:
        """Until the next commit may begin (`APART`)."""
        left = self._began + APART - time.monotonic()
        if left > 0 and self._alone < _ALONE and len(self._pending) < MAX_BATCH:
            await asyncio.sleep(left)
        self._began = time.monotonic()

    async def _tell(self, rest: Sequence[Arrived]) -> None:
        try:
            await self._store.arrived(rest)
        except Unavailable:
            return
        except Exception:
            # Mail must be accepted whatever becomes of these counts. They are given up: the same failure would come back.
            log.exception("a batch could not be counted to its end")
        self._batches.told(rest)

    async def _commit(self, batch: list[Item]) -> None:
        try:
            await self._store_batch(batch)
        except Exception as problem:
            alone = len(batch) == 1 or (isinstance(problem, MailcordonError) and problem.code != "busy")
            if alone:
                fail_items(batch, problem)
                return
            for item in batch:
                if not item.done.done():
                    await self._commit([item])

    async def _store_batch(self, batch: list[Item]) -> None:
        first, repeats = split_repeats(batch)
        for _ in range(_STALE_TRIES):
            try:
                resolved = await self._resolve(first)
                changes = self._changes()
                if any(item.changes != changes for item, _ in resolved):
                    # The epoch moved after the keys were looked up, and the commit would not notice it.
                    allowed = set(await self._allowed([item for item, _ in resolved]))
                    resolved = [one for one in resolved if one[0] in allowed]
                if not resolved:
                    break
                if arrived := self._batches.arrive(message for _, message in resolved):
                    await self._store.arrived(arrived)
                    self._batches.told(arrived)
                stored = await self._store.store([message for _, message in resolved], self._epoch)
                self._set_clock(stored.now)
            except StaleRoutes:
                await self._drop_cache()
                first = await self._allowed([item for item in first if not answered(item)])
                continue
            self._count(resolved, stored)
            await self._answer(resolved, stored)
            break
        else:
            fail_items(first, TooMuch(mail.lanes_keep_changing(), retry_after=1))
        for repeat, original in repeats:
            answer_repeat(repeat, original)

    async def _allowed(self, items: Sequence[Item]) -> list[Item]:
        """Those whose key may still send them. The others are answered."""
        good: list[Item] = []
        changes = self._changes()
        for item in items:
            try:
                await item.still_allowed()
                item.changes = changes
                good.append(item)
            except MailcordonError as problem:
                fail_items([item], problem)
        return good

    async def _resolve(self, batch: Sequence[Item]) -> list[tuple[Item, NewMessage]]:
        node = await self._store.node()
        if node != self._ids.node:
            self._ids = ids.IdGenerator(node)
        found: list[tuple[Item, Resolved]] = []
        fresh = False
        refused: list[tuple[Item, int, MailcordonError]] = []
        for item in batch:
            if item.slug not in self._lanes and item.slug not in self._unknown:
                await self._read_lanes({one.slug for one in batch})
                break
        for item in batch:
            lanes = self._lanes.get(item.slug)
            if item.refusal is not None and lanes is not None:
                refused.append((item, lanes.tenant, item.refusal))
                continue
            try:
                resolved = resolve.resolve(
                    lanes,
                    item.slug,
                    item.submission,
                    [recipient[1] for recipient in item.recipients],
                    local=self._local,
                    links=self._links,
                )
                if item.submission.send_at is not None:
                    scheduling.check(item.submission.send_at, self._now_ms())
                found.append((item, resolved))
            except Invalid as problem:
                # The cache may be stale: the tenant or lane may exist by now. One look is enough for all that wait already:
                # a caller that sends invalid mail must not cost the others in its batch a round trip each.
                if not fresh and await self._read_epoch() != self._epoch:
                    raise StaleRoutes from None
                fresh = True
                if lanes is None:
                    fail_items([item], problem)
                else:
                    refused.append((item, lanes.tenant, problem))
        await self._refresh_backlogs({resolved.entry.route.lane.id for _, resolved in found})
        later = [item for item, _ in found if item.submission.send_at is not None]
        places = iter(await self._store.places(len(later)) if later else ())
        out: list[tuple[Item, NewMessage]] = []
        for item, (entry, others) in found:
            send_at = item.submission.send_at
            try:
                self._check_backlog(item.slug, entry)
                id = (
                    self._ids.next(self._now_ms())
                    if send_at is None
                    else ids.scheduled(send_at, next(places))
                )
                out.append((item, _message(item, entry.route, id, others)))
            except TooMuch as problem:
                self._facts.full(entry.route.lane.id, str(problem), self._now_ms())
                refused.append((item, entry.route.lane.tenant, problem))
        if refused:
            await self._refuse(refused)
        return out

    async def _refuse(self, refused: Sequence[tuple[Item, int, MailcordonError]]) -> None:
        """A full lane refuses new mail, a retired one any, and a template may have changed. What was accepted before is not new:
        its key gets its answer."""
        keyed = [(item, tenant) for item, tenant, _ in refused if item.key is not None]
        found = await self._store.replays([(tenant, item.key or b"", item.body) for item, tenant in keyed])
        for place, (item, _) in enumerate(keyed):
            if not item.done.done() and (replay := found.get(place)):
                answer_replay(item, replay)
        for item, _, problem in refused:
            fail_items([item], problem)

    def _now_ms(self) -> int:
        return self._host_ms() + self._skew_ms

    def _set_clock(self, now_ms: int) -> None:
        self._skew_ms = now_ms - self._host_ms()

    async def _read_epoch(self) -> int:
        moment = await self._store.moment()
        self._set_clock(moment.now)
        return moment.epoch

    async def _read_lanes(self, slugs: set[str]) -> None:
        """Reads those of these tenants that are not known yet, at once."""
        if len(self._lanes) > _MOST_TENANTS or not (self._lanes or self._unknown):
            await self._drop_cache()
        if missing := slugs - self._lanes.keys() - self._unknown:
            found = await self._store.lanes(sorted(missing))
            self._lanes.update(found)
            # A platform key can name any tenant: what does not exist must not push out what does.
            if len(self._unknown) > _MOST_UNKNOWN:
                self._unknown.clear()
            self._unknown |= missing - found.keys()

    async def _drop_cache(self) -> None:
        self._lanes.clear()
        self._unknown.clear()
        epoch = await self._read_epoch()
        if epoch != self._epoch:
            self._epoch = epoch
            self._on_change()

    async def _refresh_backlogs(self, lanes: set[int]) -> None:
        """Reads those that are too old, and with them those that soon will be: one question for many lanes costs little more."""
        now = time.monotonic()
        self._used |= lanes
        if old := [lane for lane in lanes if self._age(lane, now) > _BACKLOG_CACHE_SECONDS]:
            others = sorted(self._used - lanes)[:_MOST_BESIDE]
            old += [lane for lane in others if self._age(lane, now) > _BACKLOG_CACHE_SECONDS / 2]
            self._used.clear()
            for lane, backlog in (await self._store.backlogs(old)).items():
                self._backlogs[lane] = (now, backlog)
                self._set_clock(backlog.now)

    def _age(self, lane: int, now: float) -> float:
        read = self._backlogs.get(lane)
        return float("inf") if read is None else now - read[0]

    def _check_backlog(self, slug: str, entry: Entry) -> None:
        lane = entry.route.lane
        backlog, type = self._backlogs[lane.id][1], lane.type
        if backlog.deliveries >= entry.backlog_deliveries:
            problem = mail.backlog_deliveries(slug, type, backlog.deliveries)
            raise TooMuch(problem, retry_after=30, code="backlog")
        if backlog.bytes >= entry.backlog_bytes:
            problem = mail.backlog_bytes(slug, type, backlog.bytes)
            raise TooMuch(problem, retry_after=30, code="backlog")
        if (
            backlog.oldest_id is not None
            and self._now_ms() - ids.ms_of(backlog.oldest_id) >= entry.backlog_age_ms
        ):
            raise TooMuch(mail.backlog_age(slug, type), retry_after=60, code="backlog")

    def _count(self, resolved: Sequence[tuple[Item, NewMessage]], stored: Stored) -> None:
        replays = stored.replays
        deliveries = 0
        for position, (_, message) in enumerate(resolved):
            if position not in replays:
                deliveries += len(message.deliveries)
        self._facts.stored(deliveries, stored.now)

    async def _answer(self, resolved: Sequence[tuple[Item, NewMessage]], stored: Stored) -> None:
        for position, (item, message) in enumerate(resolved):
            if item.done.done():  # the client disconnected; the mail is stored nevertheless
                continue
            if replay := stored.replays.get(position):
                answer_replay(item, replay)
            else:
                item.done.set_result(_accepted(item, message, stored))


def _apart(batch: list[Item]) -> list[list[Item]]:
    """The batch without its large messages, and each of these alone."""
    if len(batch) == 1:
        return [batch]
    large = [item for item in batch if len(item.content) > LARGE]
    if not large:
        return [batch]
    small = [item for item in batch if len(item.content) <= LARGE]
    return [*([small] if small else []), *([item] for item in large)]


def _message(item: Item, route: Route, id: int, others: int | None) -> NewMessage:
    return NewMessage(
        id=id,
        tenant_slug=item.slug,
        route=route,
        from_address=address.shown(item.submission.sender),
        deliveries=tuple(
            [
                NewDelivery(id + place, to, hash, provider, undeliverable)
                for place, (to, hash, provider, undeliverable) in enumerate(item.recipients, start=1)
            ]
        ),
        campaign=item.submission.campaign,
        list=item.submission.list,
        content=item.content,
        api_key=item.api_key,
        key=item.key,
        body=item.body,
        tags=own_tags.encode(item.submission.tags),
        send_at=item.submission.send_at,
        scheduled=None if item.submission.send_at is None else scheduling.sentence(item.submission.send_at),
        alike=subject_shape.alike(item.submission.subject, item.submission.template),
        others=others,
    )


def _accepted(item: Item, message: NewMessage, stored: Stored) -> Accepted:
    lane, slug = message.route.lane, message.tenant_slug
    held = stored.held.get(lane.id)
    deliveries: list[AcceptedDelivery] = []
    for d in message.deliveries:
        hit = stored.suppressed.get(d.id)
        decision = decide.at_door(
            decide.DoorFacts(d.undeliverable, hit.sentence(slug) if hit else None, held, message.scheduled)
        )
        deliveries.append(
            AcceptedDelivery(d.id, d.address, decision.state, decision.reason, decision.sentence or None)
        )
    return Accepted(
        id=message.id,
        tenant=slug,
        type=lane.type,
        deliveries=tuple(deliveries),
        removed=item.submission.removed,
        path=None if message.others is None else resolve.fixed_path(message.route.path, message.others),
    )
