"""Keeps an account in a journal: reads it at the start, records each change before the response that reports it, and rewrites
the journal when it has grown.

What changes often has a recorder (messages of queues, suppression lists, the ledger, mails under way). Everything else is
compared with what was written last, after each call that may have changed it and once a second (`nouns`). All records of one
call, or of one turn of the event loop, are one frame: a kill leaves all of them or none."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from seslocal import messages
from seslocal.kept import records
from seslocal.kept.journal import Journal, Unusable
from seslocal.kept.nouns import NOUNS
from seslocal.kept.records import Kept, Record
from seslocal.state.account import Account
from seslocal.state.global_suppression import Entry
from seslocal.state.ledger import LedgerEntry
from seslocal.state.mail_under_way import MailUnderWay
from seslocal.state.queues import Message
from seslocal.state.suppression import SuppressedDestination, SuppressionList
from seslocal.state.tenants import Tenant
from seslocal.wire.protocol import Request, Response

log = logging.getLogger("seslocal")

EVERY: Final = 1.0  # seconds between two looks at what has no recorder
PATIENCE: Final = 10.0  # seconds that a process which was told to stop may still hold the directory
_LEAST_GROWTH: Final = 64 * 1024 * 1024  # bytes before the journal is rewritten
_GROWTH: Final = 4  # times its size after the last rewriting
_FRAME: Final = 500  # records of a frame when it is rewritten
_MOST_CONTENT: Final = 16 * 1024 * 1024  # bytes of the ledger's content that outlive a rewriting
_CLOCK: Final = (
    "/_seslocal/clock"  # a move changes much that has no recorder, such as the ground truth of a world
)
_SENDS: Final = frozenset({"/v2/email/outbound-emails", "/v2/email/outbound-bulk-emails"})
_ON_MESSAGES: Final = frozenset(
    f"AmazonSQS.{name}{batch}"
    for name in ("SendMessage", "ReceiveMessage", "DeleteMessage", "ChangeMessageVisibility")
    for batch in ("", "Batch")
)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode

App = Callable[[Request], "Response | Awaitable[Response]"]


class StateRefused(Exception):
    """The directory cannot be used, or another process uses it. Its text says so."""


class Keeper:
    """`open` and `restore`, then `keep`; `close` at the end."""

    def __init__(self, directory: Path) -> None:
        self._journal = Journal(directory)
        self._account: Account | None = None
        self._recorders: _Recorders | None = None
        self._written: dict[str, dict[str, bytes]] = {noun.kind: {} for noun in NOUNS}
        self._pending: list[Record] = []
        self._flush_is_due = False  #: it is scheduled, or follows with the response
        self._is_broken = False  #: the journal lacks changes, since it could not be written
        self._tick: asyncio.TimerHandle | None = None

    @property
    def path(self) -> Path:
        return self._journal.path

    async def open(self) -> None:
        """Takes the directory. Raises StateRefused."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE
        directory = str(self.path.parent)
        try:
            while not self._journal.lock():
                if loop.time() > until:
                    raise StateRefused(messages.state_in_use(directory))
                await asyncio.sleep(0.05)
        except OSError as error:
            raise StateRefused(messages.state_not_usable(directory, error.strerror or str(error))) from error

    def restore(self, make: Callable[[], Account]) -> Account:
        """Returns the account that the journal describes. If it cannot be used it is kept under another name, and the account
        is empty. Raises StateRefused."""
        account = make()
        try:
            try:
                payloads, said = self._journal.read()
                if said is not None:
                    log.warning("%s", said)
                if payloads:
                    self._restore(account, payloads)
            except Unusable as unusable:
                log.warning("%s", self._journal.set_aside(str(unusable)))
                account = make()
        except OSError as error:
            directory = str(self.path.parent)
            raise StateRefused(messages.state_not_usable(directory, error.strerror or str(error))) from error
        return account

    def keep(self, account: Account) -> None:
        """Records the changes of this account from now on, whatever was kept before."""
        self._account = account
        self._pending.clear()
        if self._recorders is not None:
            self._recorders.is_current = False
        self._recorders = _Recorders(self._add)
        self._recorders.attach(account)
        self._rewrite(account)
        if self._tick is None:
            self._tick = asyncio.get_running_loop().call_later(EVERY, self._look)

    def wrap(self, app: App) -> App:
        """Returns the app, with everything recorded before the response leaves."""

        def respond(request: Request) -> Response | Awaitable[Response]:
            was_due, self._flush_is_due = self._flush_is_due, True
            try:
                response = app(request)
                self._before(request)
            finally:
                self._flush_is_due = was_due
            return response if isinstance(response, Response) else respond_late(response, request)

        async def respond_late(pending: Awaitable[Response], request: Request) -> Response:
            try:
                return await pending
            finally:
                self._before(request)

        return respond

    def close(self) -> None:
        if self._tick is not None:
            self._tick.cancel()
            self._tick = None
        if self._account is not None:
            self._compare(self._account, everything=True)
            self._flush()
            if self._is_broken or self._journal.size > 2 * self._journal.rewritten_size + (1 << 20):
                self._rewrite(self._account)
        self._account = None
        if self._recorders is not None:
            self._recorders.is_current = False  # another process may have the file now
        self._journal.close()

    # reading

    def _restore(self, account: Account, payloads: list[bytes]) -> None:
        kept = Kept()
        try:
            for payload in payloads:
                records.replay(_decode(payload), kept)
        except Exception as error:
            raise Unusable(messages.state_unreadable(str(error))) from error
        own = (account.region, account.id)
        if kept.account != own:
            found = " ".join(kept.account) if kept.account else "?"
            raise Unusable(messages.state_of_another_account(found, " ".join(own)))
        try:
            _fill(account, kept)
        except Exception as error:
            raise Unusable(messages.state_unreadable(f"{type(error).__name__}: {error}")) from error

    # writing

    def _before(self, request: Request) -> None:
        """Called before the response to a request leaves."""
        if self._account is None:
            return
        if _changes_nouns(request):
            self._compare(self._account, everything=request.path == _CLOCK)
        self._flush()

    def _look(self) -> None:
        self._tick = asyncio.get_running_loop().call_later(EVERY, self._look)
        if self._account is None:
            return
        self._compare(self._account, everything=True)
        self._flush()
        journal = self._journal
        if self._is_broken or journal.size > max(_LEAST_GROWTH, _GROWTH * journal.rewritten_size):
            self._rewrite(self._account)

    def _add(self, record: Record) -> None:
        self._pending.append(record)
        if not self._flush_is_due:
            self._flush_is_due = True
            asyncio.get_running_loop().call_soon(self._flush_due)

    def _compare(self, account: Account, *, everything: bool = False) -> None:
        for noun in NOUNS:
            if not noun.often and not everything:
                continue
            before, now = self._written[noun.kind], dict[str, bytes]()
            for key, value in noun.read(account):
                now[key] = encoded = _encode(value)
                if before.get(key) != encoded:
                    self._add((records.NOUN, noun.kind, key, encoded))
            for key in before.keys() - now.keys():
                self._add((records.NOUN_GONE, noun.kind, key))
            self._written[noun.kind] = now

    def _flush_due(self) -> None:
        self._flush_is_due = False
        self._flush()

    def _flush(self) -> None:
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        if self._is_broken:
            return  # the next look writes everything
        try:
            self._journal.append(_payload(pending))
        except OSError as error:
            self._failed(error)

    def _rewrite(self, account: Account) -> None:
        self._compare(account, everything=True)
        self._pending.clear()  # the snapshot has them
        everything = _snapshot(account, self._written)
        try:
            self._journal.rewrite(_payload(part) for part in _parts(everything))
        except OSError as error:
            self._failed(error)
            return
        if self._is_broken:
            self._is_broken = False
            log.warning("%s", messages.state_written_again(str(self.path)))

    def _failed(self, error: OSError) -> None:
        if not self._is_broken:
            self._is_broken = True
            log.error("%s", messages.state_not_written(str(self.path), error.strerror or str(error)))


def _changes_nouns(request: Request) -> bool:
    if request.method in ("GET", "HEAD") or request.path in _SENDS:
        return False
    if request.headers.get("x-amz-target", "") in _ON_MESSAGES:
        return False
    return not request.body.startswith(b"Action=Send")


class _Recorders:
    """Turns what happens to the account's nouns into records."""

    def __init__(self, add: Callable[[Record], None]) -> None:
        self._to = add
        self.is_current = (
            True  #: False after a reset or the end: what still happens to the account is not recorded
        )

    def _add(self, record: Record) -> None:
        if self.is_current:
            self._to(record)

    def attach(self, account: Account) -> None:
        account.queues.record(self)
        self._follow(account.suppression.list, "")
        for tenant in account.tenants.values():
            self._tenant_added(tenant)
        account.tenants.added = self._tenant_added
        account.suppression.global_list.changed = self._changed_globally
        account.mail.ledger.added = self._sent
        account.mail.ledger.cleared = lambda: self._add((records.SENT_TOTAL, account.mail.ledger.total))
        account.mail.under_way.recorder = self
        account.mail.journeys.moved = lambda journey, due: self._add(records.journey_record(journey, due))

    def put(self, queue: str, message: Message) -> None:
        self._add(records.message_record(queue, message))

    def hidden(self, queue: str, message: Message) -> None:
        self._add(records.hidden_record(queue, message))

    def removed(self, queue: str, message: Message) -> None:
        self._add((records.MESSAGE_GONE, queue, message.id))

    def emptied(self, queue: str) -> None:
        self._add((records.QUEUE_EMPTIED, queue))

    def _tenant_added(self, tenant: Tenant) -> None:
        self._follow(tenant.suppression, tenant.id)

    def _follow(self, one: SuppressionList, owner: str) -> None:
        one.recorder = _ListRecorder(self._add, owner)

    def _changed_globally(self, folded: str, entry: Entry | None) -> None:
        self._add(records.global_record(folded, entry))

    def _sent(self, entry: LedgerEntry) -> None:
        self._add(records.sent_record(entry))

    def started(self, mail: MailUnderWay) -> None:
        self._add(records.under_way_record(mail))

    def stepped(self, mail: MailUnderWay, step: int, is_last: bool) -> None:
        message_id = mail.mail.message_id
        self._add((records.FINISHED, message_id) if is_last else (records.STEP, message_id, step))


class _ListRecorder:
    def __init__(self, add: Callable[[Record], None], owner: str) -> None:
        self._add = add
        self._owner = owner

    def put(self, entry: SuppressedDestination) -> None:
        self._add(records.suppressed_record(self._owner, entry))

    def deleted(self, address: str) -> None:
        self._add((records.UNSUPPRESSED, self._owner, address))

    def cleared(self) -> None:
        self._add((records.LIST_CLEARED, self._owner))


def _payload(pending: list[Record]) -> bytes:
    try:
        return _encode(pending)
    except (
        Exception
    ):  # a value that cannot be written, such as half a surrogate pair, must not lose the others
        return _encode([record for record in pending if _can_be_written(record)])


def _can_be_written(record: Record) -> bool:
    try:
        _encode(record)
    except Exception:
        log.exception("a record %r cannot be written", record[0])
        return False
    return True


def _parts(everything: Iterable[Record]) -> Iterator[list[Record]]:
    left = iter(everything)
    while part := list(islice(left, _FRAME)):
        yield part


def _snapshot(account: Account, nouns: dict[str, dict[str, bytes]]) -> Iterator[Record]:
    """Yields the records that amount to the account."""
    yield (records.ACCOUNT, account.region, account.id)
    for kind, values in nouns.items():
        for key, value in values.items():
            yield (records.NOUN, kind, key, value)
    for name, queue in account.queues.by_name.items():
        for message in queue.messages.values():
            yield records.message_record(name, message)
    owners = [("", account.suppression.list)]
    owners += [(tenant.id, tenant.suppression) for tenant in account.tenants.values()]
    for owner, found in owners:
        for entry in found.entries.values():
            yield records.suppressed_record(owner, entry)
    for folded, entry in account.suppression.global_list.entries.items():
        yield records.global_record(folded, entry)
    yield from _ledger(account)
    for mail in account.mail.under_way.waiting():
        yield records.under_way_record(mail)
        for step in mail.done:
            yield (records.STEP, mail.mail.message_id, step)
    for due, journey in account.mail.journeys.waiting():
        yield (records.JOURNEY, journey.name, due, journey)


def _ledger(account: Account) -> Iterator[Record]:
    ledger, left, first = account.mail.ledger, _MOST_CONTENT, 0
    for entry in ledger.newest_first():
        left -= len(entry.content or b"")
        if left < 0:
            first = entry.number + 1  # the first with its content
            break
    yield (records.SENT_TOTAL, ledger.total - len(ledger))
    for entry in ledger.since(0):
        yield records.sent_record(entry, with_content=entry.number >= first)


def _fill(account: Account, kept: Kept) -> None:
    """Makes an empty account what was kept."""
    account.ids.random.seed()  # a seed would give the ids of the first run again
    for noun in NOUNS:
        for (kind, key), value in kept.nouns.items():
            if kind == noun.kind:
                noun.restore(account, key, _decode(value))
    for name, values in kept.messages.items():
        account.queues.ensure(name).restore([records.message_of(each) for each in values.values()])
    by_id = {tenant.id: tenant.suppression for tenant in account.tenants.values()}
    by_id[""] = account.suppression.list
    for owner, entries in kept.suppressed.items():
        if (found := by_id.get(owner)) is not None:
            for values in entries.values():
                found.put(SuppressedDestination(*values))
    for folded, (until, bounces) in kept.globally.items():
        account.suppression.global_list.entries[folded] = Entry(until, bounces)
    account.mail.ledger.restore((LedgerEntry(*values) for values in kept.sent.values()), kept.total)

    def suppression(scope: str, tenant: str | None) -> SuppressionList:
        if scope != "TENANT":
            return account.suppression.list
        found = account.tenants.get(tenant or "")
        return found.suppression if found else SuppressionList()

    for message_id, values in kept.under_way.items():
        done = kept.steps.get(message_id, set())
        find = account.configuration_sets.get
        account.mail.under_way.restored.append(records.under_way_of(values, done, find, suppression))
    account.mail.journeys.restored = [records.journey_of(values) for values in kept.journeys.values()]
