"""Accepts mail: resolves each message to its lane and stores it durably, once per idempotency key.

Requests that arrive while a transaction commits form the next batch, so load makes batches larger, not commits more frequent.
A request is answered after its commit. If a batch fails, its messages are stored one by one, so that only the bad one fails.

What one tenant sends does not delay another's. Tenants take turns in a batch, and what waits is bounded. A large message is
parsed in a thread and stored alone, on a connection of its own: it delays other large messages only.
"""

import asyncio
import hashlib
import random
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from mailcordon.core import address, ids, provider, reserved_domains
from mailcordon.core.delivery import State
from mailcordon.core.errors import Conflict, Invalid, MailcordonError, TooMuch, Unavailable
from mailcordon.core.reserved_domains import Undeliverable
from mailcordon.core.route import Route
from mailcordon.core.turns import Bounds, Full, Turns
from mailcordon.messages import api, mail
from mailcordon.send import compose, decide, resolve
from mailcordon.send.facts import AcceptFacts
from mailcordon.send.pending import Pending
from mailcordon.send.ports import AcceptStore, Backlog, NewDelivery, NewMessage, Replay, StaleRoutes, Stored
from mailcordon.send.resolve import Entry, Lanes
from mailcordon.send.submission import Submission

MAX_BATCH = 256  #: messages per transaction
#: Bytes of content per transaction. A mail of a tenant is in the next batch, so this bounds what others' mails delay it by.
_MAX_BATCH_BYTES = 2 * 1024 * 1024
LARGE = 256 * 1024  #: bytes; a larger message is parsed in a thread and stored alone
_BACKLOG_CACHE_SECONDS = 1.0
_STALE_TRIES = 5
#: Remembered until the control epoch moves: tenants with their lanes, and slugs of no tenant.
_MOST_TENANTS = 50_000
_MOST_UNKNOWN = 10_000


class AcceptedDelivery(NamedTuple):
    id: int
    address: str
    state: State
    reason: str | None = None
    detail: str | None = None


class Accepted(NamedTuple):
    """A message that is durably stored."""

    id: int
    tenant: str
    type: str
    deliveries: tuple[AcceptedDelivery, ...]


@dataclass(frozen=True, slots=True)
class Repeated:
    """The idempotency key was used before with the same body; `message` is the message it created."""

    message: int


#: Address, hash, provider, and why no mail can be delivered to its domain.
_Recipient: TypeAlias = tuple[str, bytes, int, Undeliverable | None]


@dataclass(slots=True, kw_only=True, eq=False)
class _Item:
    slug: str
    submission: Submission
    content: bytes
    recipients: tuple[_Recipient, ...]
    api_key: int
    key: bytes | None
    body: bytes  #: digest; empty without a key
    still_allowed: Callable[[], Awaitable[object]]
    changes: int  #: how often the epoch had moved when the key was looked up, or last looked at again
    done: asyncio.Future[Accepted | Repeated]


@dataclass(slots=True, kw_only=True, eq=False)
class _Unparsed:
    """A large message as it arrived."""

    make: Callable[[], _Item]
    admit: Callable[[str], None]
    done: asyncio.Future[Accepted | Repeated]


class Accept:
    """`local` says whether the local SES is used, which takes mail for the domains that are reserved for tests.

    `host_ms` is any clock that does not jump. Ids have the database's time: this clock and the difference last seen.

    `on_change` is called when the control epoch has moved, so that the caller can drop its own caches. `large` stores large
    messages, on connections of its own; without it they take turns with the others. `refused` is told why a message may not wait:
    `pending-per-tenant` or `pending`."""

    def __init__(
        self,
        store: AcceptStore,
        hash_key: bytes,
        host_ms: Callable[[], int],
        on_change: Callable[[], None],
        *,
        local: bool,
        large: AcceptStore | None = None,
        pending: Pending | None = None,
        refused: Callable[[str], None] = lambda limit: None,
    ) -> None:
        self._local = local
        self.facts = AcceptFacts()
        self._hash_key = hash_key
        self._refused = refused
        bounds = (pending or Pending()).bounds
        self._changes = 0
        self._on_change = on_change
        self._small = _Committer(
            store, host_ms, self._change, self._changes_now, self.facts, bounds, local=local
        )
        self._large = (
            self._small
            if large is None
            else _Committer(large, host_ms, self._change, self._changes_now, self.facts, bounds, local=local)
        )
        self._unparsed: Turns[_Unparsed] = Turns(bounds)
        self._arrived = asyncio.Event()

    def enqueue(
        self,
        slug: str,
        submission: Submission,
        *,
        api_key: int,
        key: str | None,
        still_allowed: Callable[[], Awaitable[object]],
    ) -> asyncio.Future[Accepted | Repeated]:
        """Puts the message into the next batch. The future is done when the message is stored, once per (tenant, key).

        `still_allowed` raises if the caller's API key is no longer valid; it is called when the control epoch has moved.

        Raises TooMuch if the tenant has too many messages waiting, Unavailable if all have. The future fails with Invalid
        (unknown tenant or type, foreign From), Conflict (the key was used with another body), TooMuch (the lane's backlog is
        full) or Unavailable (nothing was confirmed; retry).
        """
        done: asyncio.Future[Accepted | Repeated] = asyncio.get_running_loop().create_future()
        self._put(self._item(slug, submission, api_key, key, still_allowed, self._changes, done))
        return done

    def enqueue_large(
        self,
        caller: Hashable,
        size: int,
        parse: Callable[[], tuple[str, Submission]],
        *,
        admit: Callable[[str], None],
        api_key: int,
        key: str | None,
        still_allowed: Callable[[], Awaitable[object]],
    ) -> asyncio.Future[Accepted | Repeated]:
        """As `enqueue`, for a message of `size` bytes that is not parsed yet.

        `parse` returns tenant and submission, or raises MailcordonError; it runs in another thread. `admit` is called with the
        tenant before the message is put into a batch, and may raise. Callers take turns in being parsed."""
        done: asyncio.Future[Accepted | Repeated] = asyncio.get_running_loop().create_future()

        changes = self._changes

        def make() -> _Item:
            slug, submission = parse()
            item = self._item(slug, submission, api_key, key, still_allowed, changes, done)
            # Resolution does not read the text, and a large one is not kept twice.
            item.submission = submission._replace(text=None, html=None)
            return item

        full = self._unparsed.put(caller, _Unparsed(make=make, admit=admit, done=done), size)
        if full is not None:
            raise self._too_many(full, mail.large_messages_wait())
        self._arrived.set()
        return done

    async def run(self) -> None:
        """Commits batches until cancelled. Requests that are still open then fail with Unavailable."""
        async with asyncio.TaskGroup() as group:
            for committer in {self._small, self._large}:
                group.create_task(committer.run())
            group.create_task(self._parse_large())

    @property
    def waiting(self) -> int:
        """Messages that are not in a batch yet."""
        committers = {self._small, self._large}
        return len(self._unparsed) + sum(committer.waiting for committer in committers)

    async def forget(self) -> None:
        """Drops what is remembered of tenants, lanes and backlogs, and reads the control epoch again."""
        for committer in {self._small, self._large}:
            await committer.forget()

    async def _parse_large(self) -> None:
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, "large-message")
        unparsed: list[_Unparsed] = []
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                while unparsed := self._unparsed.take(1, 0):
                    [one] = unparsed
                    try:
                        item = await loop.run_in_executor(thread, one.make)
                        one.admit(item.slug)
                        self._put(item)
                    except Exception as problem:
                        if not one.done.done():
                            one.done.set_exception(problem)
        finally:
            thread.shutdown(wait=False, cancel_futures=True)
            rest = [*unparsed, *self._unparsed.take(len(self._unparsed), self._unparsed.bytes)]
            _fail([one.done for one in rest], Unavailable(api.server_stopping()))

    def _item(
        self,
        slug: str,
        submission: Submission,
        api_key: int,
        key: str | None,
        still_allowed: Callable[[], Awaitable[object]],
        changes: int,
        done: asyncio.Future[Accepted | Repeated],
    ) -> _Item:
        content = compose.content(submission)
        recipients = tuple(
            [
                (
                    text := str(to),
                    address.hash_of_text(self._hash_key, text),
                    int(provider.of(to.domain)),
                    reserved_domains.find(to.domain, self._local),
                )
                for to in submission.to
            ]
        )
        return _Item(
            slug=slug,
            submission=submission,
            content=content,
            recipients=recipients,
            api_key=api_key,
            key=None if key is None else hashlib.blake2b(key.encode(), digest_size=16).digest(),
            body=b"" if key is None else _digest(slug, submission, content, recipients),
            still_allowed=still_allowed,
            changes=changes,
            done=done,
        )

    def _change(self) -> None:
        self._changes += 1
        self._on_change()

    def _changes_now(self) -> int:
        return self._changes

    def _put(self, item: _Item) -> None:
        committer = self._small if len(item.content) <= LARGE else self._large
        full = committer.put(item)
        if full is not None:
            raise self._too_many(full, mail.messages_wait(item.slug))

    def _too_many(self, full: Full, of_one: str) -> TooMuch | Unavailable:
        if full is Full.OWNER:
            self._refused("pending-per-tenant")
            return TooMuch(of_one, code="too-many-requests")
        self._refused("pending")
        return Unavailable(mail.too_many_messages_wait(), code="busy")


class _Committer:
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
    ) -> None:
        self._local = local
        self._store = store
        self._host_ms = host_ms
        self._skew_ms = 0  #: the database's clock minus `host_ms`; the first look at the epoch measures it
        self._on_change = on_change
        self._changes = changes
        self._pending: Turns[_Item] = Turns(bounds)
        self._arrived = asyncio.Event()
        self._lanes: dict[str, Lanes] = {}
        self._unknown: set[str] = set()  #: slugs of no tenant
        self._epoch = 0
        self._ids = ids.IdGenerator(0)
        self._facts = facts
        self._backlogs: dict[int, tuple[float, Backlog]] = {}

    def put(self, item: _Item) -> Full | None:
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
        batch: list[_Item] = []
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                while batch := self._pending.take(MAX_BATCH, _MAX_BATCH_BYTES):
                    for part in _apart(batch):
                        await self._commit(part)
        finally:
            rest = self._pending.take(len(self._pending), self._pending.bytes)
            _fail_items([*batch, *rest], Unavailable(api.server_stopping()))

    async def _commit(self, batch: list[_Item]) -> None:
        try:
            await self._store_batch(batch)
        except Exception as problem:
            alone = len(batch) == 1 or (isinstance(problem, MailcordonError) and problem.code != "busy")
            if alone:
                _fail_items(batch, problem)
                return
            for item in batch:
                if not item.done.done():
                    await self._commit([item])

    async def _store_batch(self, batch: list[_Item]) -> None:
        first, repeats = _split_repeats(batch)
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
                stored = await self._store.store([message for _, message in resolved], self._epoch)
                self._set_clock(stored.now)
            except StaleRoutes:
                await self._drop_cache()
                first = await self._allowed([item for item in first if not _answered(item)])
                continue
            self._count(resolved, stored)
            await self._answer(resolved, stored)
            break
        else:
            _fail_items(first, TooMuch(mail.lanes_keep_changing(), retry_after=1))
        for repeat, original in repeats:
            _answer_repeat(repeat, original)

    async def _allowed(self, items: Sequence[_Item]) -> list[_Item]:
        """Those whose key may still send them. The others are answered."""
        good: list[_Item] = []
        changes = self._changes()
        for item in items:
            try:
                await item.still_allowed()
                item.changes = changes
                good.append(item)
            except MailcordonError as problem:
                _fail_items([item], problem)
        return good

    async def _resolve(self, batch: Sequence[_Item]) -> list[tuple[_Item, NewMessage]]:
        self._use_node(await self._store.node())
        found: list[tuple[_Item, Entry]] = []
        fresh = False
        refused: list[tuple[_Item, int, MailcordonError]] = []
        await self._read_lanes({item.slug for item in batch})
        for item in batch:
            lanes = self._lanes.get(item.slug)
            try:
                entry = resolve.resolve(
                    lanes, item.slug, item.submission, int(random.random() * 100), local=self._local
                )
                found.append((item, entry))
            except Invalid as problem:
                # The cache may be stale: the tenant or lane may exist by now. One look is enough for all that wait already:
                # a caller that sends invalid mail must not cost the others in its batch a round trip each.
                if not fresh and await self._read_epoch() != self._epoch:
                    raise StaleRoutes from None
                fresh = True
                if lanes is None:
                    _fail_items([item], problem)
                else:
                    refused.append((item, lanes.tenant, problem))
        await self._refresh_backlogs({entry.route.lane.id for _, entry in found})
        out: list[tuple[_Item, NewMessage]] = []
        for item, entry in found:
            try:
                self._check_backlog(item.slug, entry)
                out.append((item, _message(item, entry.route, self._ids.next(self._now_ms()))))
            except TooMuch as problem:
                refused.append((item, entry.route.lane.tenant, problem))
        if refused:
            await self._refuse(refused)
        return out

    async def _refuse(self, refused: Sequence[tuple[_Item, int, MailcordonError]]) -> None:
        """A full lane refuses new mail, and a retired one any. What was accepted before is not new: its key gets its answer."""
        keyed = [(item, tenant) for item, tenant, _ in refused if item.key is not None]
        found = await self._store.replays([(tenant, item.key or b"", item.body) for item, tenant in keyed])
        for place, (item, _) in enumerate(keyed):
            if not item.done.done() and (replay := found.get(place)):
                _answer_replay(item, replay)
        for item, _, problem in refused:
            _fail_items([item], problem)

    def _now_ms(self) -> int:
        return self._host_ms() + self._skew_ms

    def _set_clock(self, now_ms: int) -> None:
        self._skew_ms = now_ms - self._host_ms()

    async def _read_epoch(self) -> int:
        moment = await self._store.moment()
        self._set_clock(moment.now)
        return moment.epoch

    def _use_node(self, node: int) -> None:
        if node != self._ids.node:
            self._ids = ids.IdGenerator(node)

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
        now = time.monotonic()
        stale = [
            lane
            for lane in lanes
            if lane not in self._backlogs or now - self._backlogs[lane][0] > _BACKLOG_CACHE_SECONDS
        ]
        if stale:
            for lane, backlog in (await self._store.backlogs(stale)).items():
                self._backlogs[lane] = (now, backlog)
                self._set_clock(backlog.now)

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

    def _count(self, resolved: Sequence[tuple[_Item, NewMessage]], stored: Stored) -> None:
        new = (m for position, (_, m) in enumerate(resolved) if position not in stored.replays)
        self._facts.stored(sum(len(message.deliveries) for message in new), stored.now)

    async def _answer(self, resolved: Sequence[tuple[_Item, NewMessage]], stored: Stored) -> None:
        for position, (item, message) in enumerate(resolved):
            if item.done.done():  # the client disconnected; the mail is stored nevertheless
                continue
            if replay := stored.replays.get(position):
                _answer_replay(item, replay)
            else:
                item.done.set_result(_accepted(message, stored))


def _apart(batch: list[_Item]) -> list[list[_Item]]:
    """The batch without its large messages, and each of these alone."""
    large = [item for item in batch if len(item.content) > LARGE]
    if not large:
        return [batch]
    small = [item for item in batch if len(item.content) <= LARGE]
    return [*([small] if small else []), *([item] for item in large)]


def _digest(slug: str, submission: Submission, content: bytes, recipients: Sequence[_Recipient]) -> bytes:
    addresses = [recipient[0] for recipient in recipients]
    parts = (slug, submission.type, submission.campaign or "", submission.list or "", *addresses)
    digest = hashlib.blake2b(content, digest_size=16)  # a copy of a large one would cost as much
    digest.update(b"\0" + "\0".join(parts).encode())
    return digest.digest()


def _message(item: _Item, route: Route, id: int) -> NewMessage:
    return NewMessage(
        id=id,
        tenant_slug=item.slug,
        route=route,
        from_address=str(item.submission.sender),
        deliveries=tuple(
            [
                NewDelivery(id + place, address, hash, provider, undeliverable)
                for place, (address, hash, provider, undeliverable) in enumerate(item.recipients, start=1)
            ]
        ),
        campaign=item.submission.campaign,
        list=item.submission.list,
        content=item.content,
        api_key=item.api_key,
        key=item.key,
        body=item.body,
    )


def _accepted(message: NewMessage, stored: Stored) -> Accepted:
    lane, slug = message.route.lane, message.tenant_slug
    held = stored.held.get(lane.id)
    deliveries: list[AcceptedDelivery] = []
    for d in message.deliveries:
        hit = stored.suppressed.get(d.id)
        decision = decide.at_door(
            decide.DoorFacts(d.undeliverable, hit.sentence(slug) if hit else None, held)
        )
        deliveries.append(
            AcceptedDelivery(d.id, d.address, decision.state, decision.reason, decision.sentence or None)
        )
    return Accepted(id=message.id, tenant=slug, type=lane.type, deliveries=tuple(deliveries))


def _answered(item: _Item) -> bool:
    """False if the client disconnected: its mail is still to be stored."""
    return item.done.done() and not item.done.cancelled()


def _split_repeats(batch: Sequence[_Item]) -> tuple[list[_Item], list[tuple[_Item, _Item]]]:
    """Separates the items whose key occurs earlier in the batch, each with that earlier item, which decides its answer."""
    originals: dict[tuple[str, bytes], _Item] = {}
    first: list[_Item] = []
    repeats: list[tuple[_Item, _Item]] = []
    for item in batch:
        if item.key is None or (original := originals.setdefault((item.slug, item.key), item)) is item:
            first.append(item)
        else:
            repeats.append((item, original))
    return first, repeats


def _answer_repeat(repeat: _Item, original: _Item) -> None:
    if repeat.done.done() or not original.done.done() or original.done.cancelled():
        if not repeat.done.done():
            repeat.done.set_exception(Conflict(mail.same_key_interrupted()))
        return
    if problem := original.done.exception():
        repeat.done.set_exception(problem)
    elif repeat.body != original.body:
        repeat.done.set_exception(_another_body())
    else:
        answer = original.done.result()
        repeat.done.set_result(Repeated(answer.id) if isinstance(answer, Accepted) else answer)


def _answer_replay(item: _Item, replay: Replay) -> None:
    if replay.same_body:
        item.done.set_result(Repeated(replay.message))
    else:
        item.done.set_exception(_another_body())


def _another_body() -> Conflict:
    return Conflict(mail.key_used_with_another_body(), code="idempotency")


def _fail_items(items: Sequence[_Item], problem: BaseException) -> None:
    _fail([item.done for item in items], problem)


def _fail(answers: Sequence[asyncio.Future[Accepted | Repeated]], problem: BaseException) -> None:
    for done in answers:
        if not done.done():
            done.set_exception(problem)
