"""What the audit trail shows, and to whom."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from mailcordon.control.audit_chain import Entry
from mailcordon.control.views import Viewer


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditView:
    """A row for a reader: the object and the reason have the values of personal fields, while they are there."""

    id: int
    seq: int | None  #: its place in the chain
    at: datetime
    actor: str
    action: str
    tenant: str | None
    object: str
    before: Any
    after: Any
    because: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The end of the chain."""

    seq: int  #: of the last row: so many rows there are
    hash: bytes
    installation: str | None  #: None before the first start
    at: datetime  #: the database's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A part of the chain with the rows of one tenant. Of other rows it has the digests alone."""

    entries: Sequence[Entry]
    head: Head


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSearch:
    """Rows that fit all of it. None: not asked for."""

    tenant: int | None = None
    actor: str | None = None  #: a part of who did it
    action: str | None = None  #: how the action begins: `hold` finds `hold.add` and `hold.lift`
    text: str | None = None  #: a part of what it was done to, or of the reason
    since: int | None = None  #: milliseconds since 1970
    until: int | None = None


class AuditReads(Protocol):
    async def tenant_id(self, slug: str) -> int | None:
        """Of a retired tenant too: what was done stays readable."""
        ...

    async def page(self, asked: AuditSearch, *, before: int | None, limit: int) -> list[AuditView]:
        """Newest first."""
        ...

    async def proof(self, viewer: Viewer, *, after: int, limit: int) -> Proof:
        """The entries after a place. The viewer names one tenant."""
        ...
