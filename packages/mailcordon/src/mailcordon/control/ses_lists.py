"""Reads SES's suppression lists, and removes from them what a person removed here.

SES keeps the letter case in which an address was entered, and its management calls need the exact spelling, while its check at
sending ignores case (ses.md 2.4). So an address is gone from a list only if reading says so in every spelling that is known: as
mailed, as events named it, and as the list itself shows. Calls wait in the budget as Work.SUPPRESSION; the tenants take turns.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar, cast

from mailcordon.control.administration import Administration, SesError, Whole
from mailcordon.control.work import Work
from mailcordon.core import address as addresses
from mailcordon.messages import suppressions

_LOG = logging.getLogger(__name__)
BATCH = 2000
#: Of one tenant in a round, which ends with its slowest tenant: others who ask meanwhile wait for so many calls only.
MOST_REMOVED, MOST_READ = 200, 50
MOST_PAGES = 1000  #: of a list of SES, 1,000 entries each
RETRY_SECONDS = 60.0  #: until SES is asked again about what it refused, or still lists
LONGEST_RETRY = 60  #: times as long: a removal that waits for a person must not read the tenant's lists each minute for ever
_TENANTS_AT_ONCE = 20
ACCOUNT = ""  #: the name of the account's list


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A suppression whose removal was requested."""

    tenant: int
    slug: str
    lists: tuple[str, ...]  #: the tenant's SES tenants: each has a list of its own
    account_applies: bool  #: whether SES checks the account's list for mail of this tenant
    hash: bytes
    scope: int
    target: int
    address: str
    spellings: tuple[str, ...]  #: as mailed and as events named it
    alone: bool  #: no other suppression covers this address for the tenant
    waited_ms: int = 0  #: since it was asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """An entry that is to be read."""

    tenant: int
    hash: bytes
    list: str  #: an SES tenant, or ACCOUNT
    spelling: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of a list of SES. Times are milliseconds since 1970."""

    spelling: str
    reason: str  #: BOUNCE or COMPLAINT
    listed_at: int | None
    message_id: str | None  #: of the mail for which SES entered it; None: a person or a tool did
    feedback_id: str | None


class SesListStore(Protocol):
    async def removals(self, limit: int, each: int) -> list[Removal]:
        """Those that are due, of each tenant `each` at most, its oldest requests first."""
        ...

    async def removed(self, removal: Removal) -> None: ...

    async def waits(self, removal: Removal, why: str, seconds: float) -> None:
        """Records why it is not done, and tries it again later."""
        ...

    async def forgotten(self, limit: int) -> list[Removal]:
        """Addresses to delete from SES's lists because their owners asked to be forgotten. They stay suppressed here."""
        ...

    async def forgotten_at_ses(self, removal: Removal) -> None: ...

    async def not_forgotten(self, removal: Removal, why: str, seconds: float) -> None: ...

    async def wanted(self, limit: int, each: int) -> list[Wanted]: ...

    async def read(self, wanted: Wanted, found: Entry | None) -> None:
        """Records what SES says of an entry. One that is not on our list is added to it: SES drops this mail."""
        ...

    async def not_read(self, wanted: Wanted, why: str, seconds: float) -> None: ...


T = TypeVar("T")


class SesLists:
    def __init__(
        self,
        store: SesListStore,
        ses: Administration,
        hash_of: Callable[[str], bytes | None],
        *,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """`hash_of` returns the keyed hash of an address; None for a text that is none."""
        self._store = store
        self._ses = ses
        self._hash_of = hash_of
        self._retry = retry_seconds

    async def read(self) -> int:
        """Reads the entries that are asked for, one call each. Returns how many SES answered."""
        return await _by_tenant(await self._store.wanted(BATCH, MOST_READ), self._read)

    async def remove(self) -> int:
        """Does the removals that are due: first at SES, then here, so that no address looks free while SES would drop its mail.
        Returns how many are done."""
        return await _by_tenant(await self._store.removals(BATCH, MOST_REMOVED), self._remove)

    async def forget(self) -> int:
        """Deletes forgotten addresses from SES's lists. Returns how many are gone."""
        return await _by_tenant(await self._store.forgotten(BATCH), self._forget)

    async def _forget(self, removals: Sequence[Removal]) -> int:
        gone = 0
        for one in removals:
            try:
                why = await self._not_gone(one, await self._shown([one]))
            except SesError as error:
                why = str(error)
            if why is None:
                await self._store.forgotten_at_ses(one)
                gone += 1
            else:
                await self._store.not_forgotten(one, why, self._retry)
        return gone

    async def _read(self, wanted: Sequence[Wanted]) -> int:
        read = 0
        for one in wanted:
            ses = self._ses.doing(Work.SUPPRESSION, one.tenant)
            try:
                found = await ses.get_suppressed(one.spelling, tenant=one.list or None)
            except SesError as error:  # one that SES refuses must not block the others
                await self._store.not_read(one, str(error), self._retry)
                continue
            await self._store.read(one, None if found is None else entry(found))
            read += 1
        return read

    async def _remove(self, removals: Sequence[Removal]) -> int:
        """Removes what one tenant asked for. Its lists are read once for all of it."""
        # The list of before an erasure went with its SES tenant, and an erased address names no entry.
        at_ses = [one for one in removals if one.alone and one.address != addresses.ERASED]
        done = [one for one in removals if one not in at_ses]
        shown: dict[tuple[str, bytes], list[str]] = {}
        try:
            if at_ses:
                shown = await self._shown(at_ses)
        except SesError as error:
            await self._wait(at_ses, str(error))
            at_ses = []
        for one in at_ses:
            try:
                why = await self._not_gone(one, shown)
            except SesError as error:
                why = str(error)
            if why is None:
                done.append(one)
            else:
                await self._wait([one], why)
        for one in done:
            await self._store.removed(one)
        return len(done)

    async def _wait(self, removals: Iterable[Removal], why: str) -> None:
        for one in removals:
            _LOG.warning("%s stays suppressed for %s: %s", one.address, one.slug, why)
            await self._store.waits(one, why, self._pause(one))

    def _pause(self, removal: Removal) -> float:
        """Seconds until a removal is tried again: a tenth of the time that it has waited."""
        return min(max(self._retry, removal.waited_ms / 10_000), self._retry * LONGEST_RETRY)

    async def _shown(self, removals: Sequence[Removal]) -> dict[tuple[str, bytes], list[str]]:
        """In which spellings the tenant's lists show these addresses, by list and hash. Raises SesError."""
        sought = {one.hash for one in removals}
        ses = self._ses.doing(Work.SUPPRESSION, removals[0].tenant)
        found: dict[tuple[str, bytes], list[str]] = defaultdict(list)
        for name in removals[0].lists:
            token: str | None = None
            for _ in range(MOST_PAGES):
                page, token = await ses.suppressed_page(tenant=name, token=token)
                for one in page:
                    spelling = str(one.get("EmailAddress") or "")
                    hash = self._hash_of(spelling)
                    if hash in sought:
                        found[name, hash].append(spelling)
                if token is None:
                    break
            else:
                raise SesError("TooLong", suppressions.list_too_long(name))
        return found

    async def _not_gone(self, removal: Removal, shown: dict[tuple[str, bytes], list[str]]) -> str | None:
        """Removes it from the tenant's lists. Why it is not gone; None: reading says in every known spelling that it is."""
        ses = self._ses.doing(Work.SUPPRESSION, removal.tenant)
        listed = (one for (_, hash), of in shown.items() if hash == removal.hash for one in of)
        known = dict.fromkeys([*listed, removal.address, *removal.spellings, removal.address.lower()])
        for name in removal.lists:
            for spelling in shown.get((name, removal.hash), ()):
                await ses.delete_suppressed(spelling, tenant=name)
            for spelling in known:
                found = await ses.get_suppressed(spelling, tenant=name)
                if found is None:
                    continue
                stored = entry(found).spelling or spelling
                await ses.delete_suppressed(stored, tenant=name)
                if await ses.get_suppressed(stored, tenant=name) is not None:
                    return suppressions.still_listed(stored, name)
        if removal.account_applies:
            for spelling in known:
                if await ses.get_suppressed(spelling, tenant=None) is not None:
                    return suppressions.listed_by_account(spelling)
        return None


def entry(found: Whole) -> Entry:
    """An answer of GetSuppressedDestination. Members that SES leaves out are None."""
    about = cast("Whole", found.get("Attributes") or {})
    at = found.get("LastUpdateTime")
    return Entry(
        spelling=str(found.get("EmailAddress") or ""),
        reason=str(found.get("Reason") or ""),
        listed_at=None if at is None else round(datetime.fromisoformat(str(at)).timestamp() * 1000),
        message_id=about.get("MessageId"),
        feedback_id=about.get("FeedbackId"),
    )


async def _by_tenant(items: Iterable[T], work: Callable[[Sequence[T]], Awaitable[int]]) -> int:
    """Runs the items of each tenant one after the other, those of several tenants at once."""
    by_tenant: dict[int, list[T]] = defaultdict(list)
    for one in items:
        by_tenant[one.tenant].append(one)  # type: ignore[attr-defined]
    at_once = asyncio.Semaphore(_TENANTS_AT_ONCE)

    async def in_turn(own: Sequence[T]) -> int:
        async with at_once:
            return await work(own)

    return sum(await asyncio.gather(*map(in_turn, by_tenant.values())))
