"""Maintenance besides provisioning: the account's rate, tenants that SES has paused, removal of addresses from SES's lists, new
partitions, and deletion of old data in bounded batches."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mailcordon.control.administration import Administration, SesAccount, SesError
from mailcordon.control.governor import Governor
from mailcordon.core.hold import NewHold
from mailcordon.core.target import Target
from mailcordon.messages import reasons

_LOG = logging.getLogger(__name__)
SES = "ses"
PAUSED = {"status": "DISABLED"}  #: evidence of the hold on a tenant that SES has paused
DAYS_AHEAD = 14
BATCH = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A suppression whose removal was requested."""

    tenant: int
    ses_tenant: str
    slug: str
    hash: bytes
    scope: int
    target: int
    address: str
    alone: bool  #: no other suppression covers this address for the tenant


class UpkeepStore(Protocol):
    async def write_account(self, cell: str, account: SesAccount) -> None: ...

    async def tenants_by_key(self, keys: Sequence[str]) -> dict[str, int]: ...

    async def paused(self) -> dict[int, list[int]]:
        """SES's open holds on whole tenants, by tenant, whichever process placed them."""
        ...

    async def recheck_refused(self) -> int:
        """Makes due the resources of lanes that SES has refused since they were last read."""
        ...

    async def removals(self, limit: int) -> list[Removal]: ...

    async def removed(self, removal: Removal) -> None: ...

    async def ensure_partitions(self, days: int) -> int: ...

    async def purge_idempotency(self, most: int) -> int: ...

    async def purge_content(self, after: int, *, urgent: bool, most: int) -> tuple[int, int | None]:
        """Deletes expired bodies that no queue needs, from an id on. Returns how many, and the last id checked."""
        ...


class Upkeep:
    def __init__(self, store: UpkeepStore, ses: Administration, governor: Governor, *, cell: str) -> None:
        self._store = store
        self._ses = ses
        self._governor = governor
        self._cell = cell
        # Urgent or not -> last message id checked, so that a pass does not start at the first one again.
        self._checked_to = {True: 0, False: 0}

    async def poll_account(self) -> None:
        """Stores the account's limits in the row from which every dispatcher takes its share."""
        await self._store.write_account(self._cell, await self._ses.get_account())

    async def follow_pauses(self) -> None:
        """Holds tenants that SES has paused, with SES as owner and its cause, and releases those that may send again."""
        disabled = await self._ses.tenants_with_status("DISABLED")
        known = await self._store.tenants_by_key(sorted(disabled))
        held = await self._store.paused()
        for key, tenant in known.items():
            if tenant not in held:
                cause = await self._ses.status_cause(disabled[key])
                new = NewHold(
                    target=Target(tenant=tenant),
                    owner=SES,
                    because=reasons.tenant_paused(cause),
                    evidence=PAUSED,
                )
                await self._governor.place(new, actor=SES, once=True)
        for tenant in held.keys() - set(known.values()):
            because = reasons.tenant_resumed()
            await self._governor.lift(held[tenant], tenant=tenant, actor=SES, because=because)

    async def recheck_refused(self) -> int:
        """SES refused a lane's set-up, so what we last read of it may be out of date. Returns how many resources became due."""
        return await self._store.recheck_refused()

    async def remove_suppressions(self) -> int:
        """First from SES's list, then from ours, so that no address looks free while SES would still drop its mail."""
        gone = 0
        for removal in await self._store.removals(BATCH):
            try:
                if removal.alone:
                    await self._ses.delete_suppressed(removal.address, tenant=removal.ses_tenant)
            except SesError as error:  # one address that SES refuses must not block the others
                _LOG.warning("SES keeps %s on the list of %s: %s", removal.address, removal.slug, error)
                continue
            await self._store.removed(removal)
            gone += 1
        return gone

    async def make_partitions(self) -> int:
        return await self._store.ensure_partitions(DAYS_AHEAD)

    async def purge(self) -> None:
        """Deletes one batch of each kind; the rest waits for the next run."""
        await self._store.purge_idempotency(BATCH)
        for urgent in (True, False):
            _, last = await self._store.purge_content(self._checked_to[urgent], urgent=urgent, most=BATCH)
            if last is not None:
                self._checked_to[urgent] = last
