"""Takes addresses off SES's lists that SES put there for a bounce that is not about the address.

SES lists the recipient of every bounce that it calls permanent, also of those for spam, a policy or a full mailbox. From then on
it drops all of the tenant's mail to the address, and says so only in an event. Only the entry that SES made for the bounced mail
is deleted: one of a person, or of another mail, stays.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mailcordon.control.administration import Administration, SesError
from mailcordon.control.ses_lists import entry
from mailcordon.control.work import Work

_LOG = logging.getLogger(__name__)
BATCH = (
    20  #: a run asks about these one after the other, so that a wave of bounces leaves the calls to others
)
TRIES = 3  #: SES may list an address some time after the event of its bounce
RETRY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlisting:
    tenant: int
    lists: tuple[str, ...]  #: the tenant's SES tenants: each has a list of its own
    hash: bytes
    spelling: str
    ses_id: str
    since: int
    tries: int
    suppressed: bool  #: something else suppresses the address


class UnlistingStore(Protocol):
    async def due(self, most: int) -> Sequence[Unlisting]: ...

    async def done(self, one: Unlisting, *, deleted: bool) -> None:
        """Ends it. `deleted`: hits on the entry, also those that are reported later, do not suppress the address."""
        ...

    async def later(self, one: Unlisting, seconds: float, *, why: str | None) -> None:
        """Tries it again; `why` SES refused, None: it has no such entry yet."""
        ...


class Unlister:
    def __init__(
        self, store: UnlistingStore, ses: Administration, *, retry_seconds: float = RETRY_SECONDS
    ) -> None:
        self._store = store
        self._ses = ses
        self._retry = retry_seconds

    async def advance(self) -> int:
        """Takes the addresses that are due off SES's lists. Returns how many entries were deleted."""
        deleted = 0
        for one in await self._store.due(BATCH):
            try:
                deleted += await self._one(one)
            except SesError as error:
                _LOG.warning("%s stays on SES's list: %s", one.spelling, error)
                await self._store.later(one, self._retry, why=str(error))
        return deleted

    async def _one(self, one: Unlisting) -> int:
        if one.suppressed:
            await self._store.done(one, deleted=False)
            return 0
        ses = self._ses.doing(Work.SUPPRESSION, one.tenant)
        listed, deleted = False, 0
        for name in one.lists:
            found = await ses.get_suppressed(one.spelling, tenant=name)
            if found is None:
                continue
            listed = True
            made = entry(found)
            if made.reason == "BOUNCE" and made.message_id == one.ses_id:
                await ses.delete_suppressed(made.spelling or one.spelling, tenant=name)
                deleted += 1
        if listed or not one.lists or one.tries + 1 >= TRIES:
            await self._store.done(one, deleted=bool(deleted))
        else:
            await self._store.later(one, self._retry, why=None)
        return deleted
