"""The limits of mail, with what is counted in them and what waits for them, as people are shown them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mailcordon.control.views import Viewer
from mailcordon.core.errors import NotFound
from mailcordon.core.limit import EACH, Limit, Mode
from mailcordon.guard.limits import sentences
from mailcordon.guard.limits.sentences import LaneName
from mailcordon.messages import limits as messages
from mailcordon.messages import times

MOST_WAITING = 100_000  #: counting stops there


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownLimit:
    limit: Limit
    tenant: str  #: slug
    type: str | None  #: of the lane it is about
    key: str | None  #: name of the API key it is about
    used: int | None  #: in this window; None: each address is counted apart
    opens_at: (
        int | None
    )  #: when the next window begins, in milliseconds since 1970; None: a limit for ever has none
    waiting: int  #: mails that wait for it, at most MOST_WAITING
    would_have_held: int  #: in shadow mode
    would_since: int | None

    @property
    def left(self) -> int | None:
        return None if self.used is None else max(0, self.limit.cap - self.used)

    @property
    def allows(self) -> str:
        """`500 mails an hour of acme/newsletter`."""
        return sentences.allows(self.limit, LaneName(self.tenant, self.type or ""), key=self.key)

    @property
    def sentence(self) -> str:
        """How much of it is used, and what happens to what is over it."""
        limit, opens_at = self.limit, self.opens_at
        next_at = None if opens_at is None else times.minute(opens_at)
        if limit.scope in EACH:
            return messages.made_when_met(self.allows, self.waiting)
        if self.used is None:
            return messages.of_each_address(self.allows, self.waiting, next_at)
        if limit.mode is not Mode.ENFORCE:
            would = None if limit.mode is Mode.OBSERVE else self.would_have_held
            return messages.not_enforced(self.allows, self.used, would)
        if self.used < limit.cap:
            return messages.left(self.allows, self.used, limit.cap - self.used, next_at)
        return messages.used_up(self.allows, self.waiting, next_at, refuses=limit.refuses)


class LimitReads(Protocol):
    async def limits(
        self, viewer: Viewer, *, lane: int | None, owner: str | None, after: int, limit: int
    ) -> Sequence[ShownLimit]:
        """In the order of their ids. `lane`: those that are about its mail."""
        ...

    async def limit(self, viewer: Viewer, id: int) -> ShownLimit | None: ...


async def shown(reads: LimitReads, viewer: Viewer, id: int) -> ShownLimit:
    """Raises NotFound, also for another tenant's."""
    found = await reads.limit(viewer, id)
    if found is None:
        raise NotFound(messages.no_limit(id), code="no-such-limit")
    return found
