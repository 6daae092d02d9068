"""One message on its way through the door, and its answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from mailcordon.core.delivery import State
from mailcordon.core.errors import Conflict, Invalid
from mailcordon.core.reserved_domains import Undeliverable
from mailcordon.messages import mail
from mailcordon.send.ports import Replay
from mailcordon.send.submission import Submission

LARGE = 256 * 1024  #: bytes; a larger message is parsed in a thread and stored alone


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
    removed: tuple[str, ...] = ()  #: names of headers that were taken out of a whole MIME message
    path: str | None = None  #: why it keeps its path, if its lane has two and it does


@dataclass(frozen=True, slots=True)
class Repeated:
    """The idempotency key was used before with the same body; `message` is the message it created."""

    message: int
    removed: tuple[str, ...] = ()  #: as in `Accepted`


class AnotherBody(Conflict):
    """The idempotency key was used before with another body; `message` is the message it created."""

    code = "idempotency"

    def __init__(self, message: int) -> None:
        super().__init__(mail.key_used_with_another_body())
        self.message = message


#: Address, hash, provider, and why no mail can be delivered to its domain.
Recipient: TypeAlias = tuple[str, bytes, int, Undeliverable | None]


@dataclass(slots=True, kw_only=True, eq=False)
class Item:
    slug: str
    submission: Submission
    content: bytes
    recipients: tuple[Recipient, ...]
    api_key: int
    key: bytes | None
    body: bytes  #: digest; empty without a key
    still_allowed: Callable[[], Awaitable[object]]
    changes: int  #: how often the epoch had moved when the key was looked up, or last looked at again
    done: asyncio.Future[Accepted | Repeated]
    refusal: Invalid | None = (
        None  #: it is refused for this, unless its key was used before with the same body
    )


def answered(item: Item) -> bool:
    """False if the client disconnected: its mail is still to be stored."""
    return item.done.done() and not item.done.cancelled()


def split_repeats(batch: Sequence[Item]) -> tuple[list[Item], list[tuple[Item, Item]]]:
    """Separates the items whose key occurs earlier in the batch, each with that earlier item, which decides its answer."""
    if len(batch) == 1:
        return [*batch], []
    originals: dict[tuple[str, bytes], Item] = {}
    first: list[Item] = []
    repeats: list[tuple[Item, Item]] = []
    for item in batch:
        if item.key is None or (original := originals.setdefault((item.slug, item.key), item)) is item:
            first.append(item)
        else:
            repeats.append((item, original))
    return first, repeats


def answer_repeat(repeat: Item, original: Item) -> None:
    if repeat.done.done() or not original.done.done() or original.done.cancelled():
        if not repeat.done.done():
            repeat.done.set_exception(Conflict(mail.same_key_interrupted()))
        return
    if problem := original.done.exception():
        repeat.done.set_exception(problem)
    elif repeat.body != original.body:
        answer = original.done.result()
        repeat.done.set_exception(AnotherBody(answer.id if isinstance(answer, Accepted) else answer.message))
    else:
        answer = original.done.result()
        repeat.done.set_result(
            Repeated(answer.id, answer.removed) if isinstance(answer, Accepted) else answer
        )


def answer_replay(item: Item, replay: Replay) -> None:
    if replay.same_body:
        item.done.set_result(Repeated(replay.message, item.submission.removed))
    else:
        item.done.set_exception(AnotherBody(replay.message))


def fail_items(items: Sequence[Item], problem: BaseException) -> None:
    fail([item.done for item in items], problem)


def fail(answers: Sequence[asyncio.Future[Accepted | Repeated]], problem: BaseException) -> None:
    for done in answers:
        if not done.done():
            done.set_exception(problem)
