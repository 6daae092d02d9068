"""Accepts mail: checks what can be checked at once, and has it stored durably, once per idempotency key.

What one tenant sends does not delay another's. Tenants take turns in a batch (committer.py), and what waits is bounded. A large
message is parsed in a thread and stored alone, on a connection of its own: it delays other large messages only.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from mailcordon.core import address, provider, reserved_domains
from mailcordon.core.errors import Invalid, TooMuch, Unavailable
from mailcordon.core.turns import Full, Turns
from mailcordon.messages import api, mail
from mailcordon.send import compose, own_tags
from mailcordon.send.accept_item import LARGE, Accepted, Item, Recipient, Repeated, fail
from mailcordon.send.committer import Committer
from mailcordon.send.facts import AcceptFacts
from mailcordon.send.pending import Pending
from mailcordon.send.ports import AcceptStore
from mailcordon.send.submission import Submission


@dataclass(slots=True, kw_only=True, eq=False)
class _Unparsed:
    """A large message as it arrived."""

    make: Callable[[], Item]
    admit: Callable[[str], None]
    done: asyncio.Future[Accepted | Repeated]


class Accept:
    """`local` says whether the local SES is used, which takes mail for the domains that are reserved for tests.

    `links` says whether there is an address for our own links to unsubscribe.

    `host_ms` is any clock that does not jump. Ids have the database's time: this clock and the difference last seen.

    `on_change` is called when the control epoch has moved, so that the caller can drop its own caches. `large` stores large
    messages, on connections of its own; without it they take turns with the others. `refused` is told why a message may not wait:
    `pending-per-tenant` or `pending`. `provider_of` says who receives a domain's mail, from memory; it is told
    whose mail it is."""

    def __init__(
        self,
        store: AcceptStore,
        hash_key: bytes,
        host_ms: Callable[[], int],
        on_change: Callable[[], None],
        *,
        local: bool,
        links: bool = False,
        large: AcceptStore | None = None,
        pending: Pending | None = None,
        refused: Callable[[str], None] = lambda limit: None,
        provider_of: Callable[[str, str], int] = lambda domain, slug: provider.of(domain),
    ) -> None:
        self._provider_of = provider_of
        self._local = local
        self.facts = AcceptFacts()
        self._hash_key = hash_key
        self._refused = refused
        bounds = (pending or Pending()).bounds
        self._changes = 0
        self._on_change = on_change
        self._small = Committer(
            store, host_ms, self._change, self._changes_now, self.facts, bounds, local=local, links=links
        )
        self._large = (
            self._small
            if large is None
            else Committer(
                large, host_ms, self._change, self._changes_now, self.facts, bounds, local=local, links=links
            )
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
        refusal: Invalid | None = None,
    ) -> asyncio.Future[Accepted | Repeated]:
        """Puts the message into the next batch. The future is done when the message is stored, once per (tenant, key).

        `still_allowed` raises if the caller's API key is no longer valid; it is called when the control epoch has moved.

        `refusal`: the message is not stored. The future has the answer that its key got before, or fails with this.

        Raises TooMuch if the tenant has too many messages waiting, Unavailable if all have. The future fails with Invalid
        (unknown tenant or type, foreign From), Conflict (the key was used with another body), TooMuch (the lane's backlog is
        full) or Unavailable (nothing was confirmed; retry).
        """
        done: asyncio.Future[Accepted | Repeated] = asyncio.get_running_loop().create_future()
        item = self._item(slug, submission, api_key, key, still_allowed, self._changes, done)
        item.refusal = refusal
        self._put(item)
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

        def make() -> Item:
            slug, submission = parse()
            item = self._item(slug, submission, api_key, key, still_allowed, changes, done)
            # Resolution does not read the content, and a large one is not kept twice.
            item.submission = submission._replace(text=None, html=None, attachments=(), raw=None)
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
            fail([one.done for one in rest], Unavailable(api.server_stopping()))

    def _item(
        self,
        slug: str,
        submission: Submission,
        api_key: int,
        key: str | None,
        still_allowed: Callable[[], Awaitable[object]],
        changes: int,
        done: asyncio.Future[Accepted | Repeated],
    ) -> Item:
        content = compose.content(submission)
        recipients = tuple(
            [
                (
                    text := str(to),
                    address.hash_of_text(self._hash_key, text),
                    int(self._provider_of(to.domain, slug)),
                    reserved_domains.find(to.domain, self._local),
                )
                for to in submission.envelope
            ]
        )
        return Item(
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

    def _put(self, item: Item) -> None:
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


def _digest(slug: str, submission: Submission, content: bytes, recipients: Sequence[Recipient]) -> bytes:
    if submission.asked:
        # A retry after the template was changed asks for the same, whatever it would be made into now.
        unmade = compose.content(submission._replace(subject="", text="-", html=None, asked=b""))
        content = unmade + submission.asked
    addresses = [recipient[0] for recipient in recipients]
    parts = (slug, submission.type, submission.campaign or "", submission.list or "", *addresses)
    digest = hashlib.blake2b(content, digest_size=16)  # a copy of a large one would cost as much
    digest.update(b"\0" + "\0".join(parts).encode())
    if submission.tags or submission.send_at is not None:
        digest.update(f"\0{own_tags.encode(submission.tags)}\0{submission.send_at}".encode())
    return digest.digest()
