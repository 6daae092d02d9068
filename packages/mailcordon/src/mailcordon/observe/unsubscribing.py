"""Unsubscribing by a link: what its page shows, and what a recipient or the tenant may change.

An unsubscription suppresses the address for one lane. A recipient may take it back on the page; the tenant may with evidence that
the recipient asked for it later. Suppressions for other causes are not touched by either.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from mailcordon.core.priority import Class

CAUSE = "unsubscribe"
BY = "recipient"  #: who added such a suppression


class How(StrEnum):
    """How a recipient unsubscribed. The values are recorded as evidence."""

    ONE_CLICK = "one-click"  #: the mail program's button (RFC 8058)
    PAGE = "page"  #: the button or the list on our page


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One lane, for one recipient."""

    lane: int
    type: str
    description: str  #: of the message type
    class_: Class
    unsubscribed: bool
    stopped: bool  #: something else suppresses the address: a bounce, a complaint, a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscriptions:
    """What a recipient gets of the tenant of a link."""

    tenant: int
    sender: str  #: the domain that the lane of the link sends from, as the recipient knows it
    linked: Subscription  #: the lane of the link
    marketing: tuple[
        Subscription, ...
    ]  #: every marketing lane of the tenant, in order, that of the link included


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsubscribed:
    """An unsubscription that stands."""

    address: str
    since: int  #: milliseconds since 1970


class UnsubscribeStore(Protocol):
    async def subscriptions(self, lane: int, hash: bytes) -> Subscriptions | None:
        """None if the lane does not exist (any more)."""
        ...

    async def choose(self, lane: int, hash: bytes, wanted: Mapping[int, bool], how: How) -> bool:
        """Unsubscribes from the lanes that are not wanted, and takes back unsubscriptions from those that are.

        `wanted`: by lane, of the tenant of `lane`; others are ignored. Returns False if the lane does not exist."""
        ...

    async def resubscribe(
        self, tenant: int, lane: int, type: str, hash: bytes, *, evidence: str, consented_at: int, actor: str
    ) -> Unsubscribed | None:
        """Takes an unsubscription back for the tenant, and returns what stood; None if the address was not unsubscribed. Raises
        Conflict if the recipient unsubscribed later than they consented."""
        ...
