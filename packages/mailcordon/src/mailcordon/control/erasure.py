"""Erases the personal data of a retired tenant: addresses, contents, and the words of mailbox providers about them.

What remains says nothing of a person: keyed hashes of addresses, so that suppressions still work and `why ADDRESS` can say that
it was erased; states, times and counts; the audit trail. The control role erases in batches, each one transaction, so a process
that dies goes on where it was. SES may report on a mail for weeks, so passes are repeated daily while rows of the tenant's mail
exist.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from mailcordon.control import lookup
from mailcordon.control.views import TenantView, Viewer
from mailcordon.core import names
from mailcordon.core.errors import Conflict, NotFound
from mailcordon.messages import lifecycle

ACTOR = "control"
BATCH = 500  #: deliveries; a batch takes some 50 ms
COUNT_TO = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """One that was asked for."""

    requested_at: datetime
    requested_by: str
    because: str
    deliveries: int  #: erased so far
    done_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Personal:
    """What a tenant has to erase. Deliveries are counted to a limit."""

    deliveries: int
    suppressions: int
    quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    tenant: int
    slug: str
    first: bool  #: the pass that was asked for; a later one erases what came since


class ErasureStore(Protocol):
    async def request(self, tenant: int, slug: str, *, actor: str, because: str) -> None:
        """Asking again changes nothing, unless the tenant came back and was retired again."""
        ...

    async def erasure(self, tenant: int) -> Erasure | None: ...

    async def personal(self, tenant: int, count_to: int) -> Personal: ...

    async def due(self) -> list[Due]: ...

    async def erase_some(self, tenant: int, most: int) -> int:
        """One transaction. Returns how many rows or deliveries; 0 at the end of the pass."""
        ...

    async def forgotten_due(self) -> list[tuple[int, bytes]]:
        """Tenant and hash of forgotten addresses with a pass to make."""
        ...

    async def forget_some(self, tenant: int, hash: bytes, most: int) -> int:
        """One transaction. Returns how many mails; 0 at the end of the pass."""
        ...

    async def erased(self, due: Due, *, actor: str, deliveries: int) -> None:
        """Records the end of the pass that was asked for."""
        ...


def preview(tenant: TenantView, personal: Personal) -> tuple[list[str], list[str]]:
    """What it will do, and what stays. Raises Conflict if the tenant is not retired."""
    require_retired(tenant)
    does = [
        lifecycle.erases_mail(personal.deliveries, COUNT_TO),
        lifecycle.erases_suppressions(personal.suppressions),
        lifecycle.erases_quarantine(personal.quarantined),
        lifecycle.erases_templates(),
        lifecycle.erases_audit(),
    ]
    stays = [lifecycle.erasure_keeps(), lifecycle.backups_keep(), lifecycle.not_undone()]
    return does, stays


def require_retired(tenant: TenantView) -> None:
    """Raises Conflict."""
    if tenant.retired_at is None:
        raise Conflict(lifecycle.erase_only_retired(tenant.slug), code="not-retired")


class TenantReader(Protocol):
    async def tenant(self, viewer: Viewer, slug: str) -> TenantView | None: ...


class ErasureRequests:
    """A person's part. Each method raises NotFound for an unknown tenant."""

    def __init__(self, reads: TenantReader, store: ErasureStore) -> None:
        self._reads = reads
        self._store = store

    async def preview(self, slug: str) -> tuple[list[str], list[str]]:
        """What it would do, and what stays. Raises Conflict."""
        tenant = await self._tenant(slug)
        return preview(tenant, await self._store.personal(tenant.id, COUNT_TO))

    async def request(self, slug: str, *, actor: str, because: str) -> Erasure:
        """Raises Conflict if the tenant is not retired. Asking again changes nothing, unless it came back in between."""
        tenant = await self._tenant(slug)
        require_retired(tenant)
        await self._store.request(tenant.id, slug, actor=actor, because=because)
        return await self.get(slug)

    async def get(self, slug: str) -> Erasure:
        """Raises NotFound, also if none was asked for."""
        tenant = await self._tenant(slug)
        found = await self._store.erasure(tenant.id)
        if found is None:
            raise NotFound(lifecycle.no_erasure(slug), code="no-erasure")
        return found

    async def _tenant(self, slug: str) -> TenantView:
        found = await self._reads.tenant(Viewer(None), slug) if names.is_slug(slug) else None
        if found is None:
            raise lookup.no_tenant(slug)
        return found


class Erasures:
    """The control role's part."""

    def __init__(self, store: ErasureStore) -> None:
        self._store = store

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Erases what is due, or what there is time for until `stop` is set."""
        stop = stop or asyncio.Event()
        for tenant, hash in await self._store.forgotten_due():
            while not stop.is_set() and await self._store.forget_some(tenant, hash, BATCH):
                pass
        for due in await self._store.due():
            while not stop.is_set():
                if await self._store.erase_some(due.tenant, BATCH):
                    continue
                if due.first and (done := await self._store.erasure(due.tenant)) is not None:
                    await self._store.erased(due, actor=ACTOR, deliveries=done.deliveries)
                break
