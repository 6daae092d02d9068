"""Maintenance besides provisioning: the account's rate, tenants that SES has paused, new partitions, and deletion of old data in
bounded batches."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum
from typing import Protocol

from mailcordon.control import retention
from mailcordon.control.administration import Administration, SesAccount
from mailcordon.control.governor import Governor
from mailcordon.control.retention import Keep, Stored, TableDay
from mailcordon.control.work import Work
from mailcordon.core import stop as stops
from mailcordon.core.errors import Unavailable
from mailcordon.core.reason import Reason
from mailcordon.core.stop import NewStop
from mailcordon.messages import database, reasons

_LOG = logging.getLogger(__name__)
SES = "ses"
BATCH = 2000
PURGE_BATCH = 10_000
#: Batches of urgent bodies looked at in one run. What a long hold keeps need not be read again every time.
URGENT_BATCHES = 20


class Dropped(Enum):
    """How dropping a day ended."""

    GONE = "gone"
    NEEDED = "needed"  #: a queue still holds a delivery of that day
    BUSY = "busy"  #: others used the table all the time


class Purged(Enum):
    """Rows deleted by age that lie in no daily partition."""

    DAY_COUNTS = "day-counts"
    LANE_SUMS = "lane-sums"
    FLEET_SUMS = "fleet-sums"
    INCIDENTS = "incidents"  #: that are closed
    FEEDBACK_LOSSES = "feedback-losses"
    BOUNCE_DOMAINS = "bounce-domains"
    FEED = "feed"  #: of the changes of counts
    QUARANTINE = "quarantine"
    NOTICES = "notices"
    ELSEWHERE = "elsewhere"
    UNMAPPED = "unmapped"
    STOPS = "stops"  #: that ended
    ROUTES = "routes"  #: that lanes had before
    WORKERS = "workers"  #: that ended
    CALLS_OF_PLANS = "calls-of-plans"  #: that ended; a large plan has more calls than one batch
    PLANS = "plans"
    POLICIES = "policies"  #: plans and versions of the policy that are not in force
    REPORTS = "reports"  #: about addresses
    REMOVALS = "removals"  #: of suppressions, that evidence is compared with
    ENTRIES = "entries"  #: of SES's lists, as they were read
    DELETED_ENTRIES = "deleted-entries"  #: of SES's lists
    SESSIONS = "sessions"  #: of people, that ended
    SIGN_IN_LINKS = "sign-in-links"  #: that were used, or ended
    VIEW_LINKS = "view-links"  #: that ended
    PENDING_SIGN_INS = "pending-sign-ins"  #: whose browsers did not come back


class UpkeepStore(Protocol):
    async def write_account(self, cell: str, account: SesAccount) -> None: ...

    async def tenants_by_key(self, keys: Sequence[str]) -> dict[str, int]: ...

    async def stored(self) -> Stored: ...

    async def make_partition(self, wanted: TableDay) -> bool:
        """Makes a partition and moves its rows out of the default partition. False if others used the table all the time."""
        ...

    async def drop_day(self, day: TableDay) -> Dropped: ...

    async def purge_idempotency(self, after: int, most: int) -> int | None:
        """Deletes old keys of messages after an id. Returns the last id deleted; None if there was none left."""
        ...

    async def purge_urgent_bodies(self, after: int, most: int) -> int | None:
        """Deletes urgent bodies after an id that no queue needs. Returns the last id looked at; None if there was none left."""
        ...

    async def purge(self, kind: Purged, older_ms: int, most: int) -> int:
        """Deletes rows older than that. Returns how many."""
        ...

    async def purge_slices(self, idle_days: int, idle_large_days: int, most: int) -> int:
        """Deletes campaigns and lists that had no mail for so long, small ones earlier. Returns how many."""
        ...

    async def count_lanes(self) -> None:
        """Stores the totals of the lanes in which something happened."""
        ...

    async def thin_counts(self, keep_ms: int) -> None:
        """Deletes stored totals that no window needs: the older, the fewer are kept."""
        ...

    async def fold_counters(self) -> None:
        """Adds what processes that ended have counted to one shared row of each lane."""
        ...


class Upkeep:
    def __init__(
        self,
        store: UpkeepStore,
        ses: Administration,
        governor: Governor,
        *,
        cell: str,
        keep: Keep | None = None,
    ) -> None:
        self._store = store
        self._ses = ses
        self._governor = governor
        self._cell = cell
        self._keep = keep or Keep()
        self._urgent_after = 0  # where the last look at urgent bodies ended

    def _polling(self) -> Administration:
        return self._ses.doing(Work.POLLING, None)

    async def poll_account(self) -> None:
        """Stores the account's limits in the row from which every dispatcher takes its share, and places the stops that they
        mean, also while there is no mail that SES could refuse. The probe of a stop ends it."""
        account = await self._polling().get_account()
        await self._store.write_account(self._cell, account)
        cause = _stops(account)
        if cause is not None and cause not in {found.cause for found in await self._governor.stops.open()}:
            new = NewStop(
                scope=stops.scope_of(cause),
                name=self._cell,
                cause=cause,
                because=stops.because_of(cause, self._cell),
            )
            await self._governor.stops.place(new, actor=SES)

    async def follow_pauses(self) -> None:
        """Places a stop for each tenant that SES has paused, with its cause, and ends those of tenants that may send again."""
        held = {
            found.name: found
            for found in await self._governor.stops.open()
            if found.cause is Reason.TENANT_PAUSED
        }
        disabled = await self._polling().tenants_with_status("DISABLED")
        known = await self._store.tenants_by_key(sorted(disabled))
        for key, tenant in known.items():
            if key not in held:
                cause = await self._polling().status_cause(disabled[key])
                new = NewStop(
                    scope=stops.scope_of(Reason.TENANT_PAUSED),
                    name=key,
                    cause=Reason.TENANT_PAUSED,
                    because=reasons.tenant_paused(),
                    said=reasons.tenant_paused_for(cause),
                    tenant=tenant,
                )
                await self._governor.stops.place(new, actor=SES)
        # Read before SES was asked: a stop that a dispatcher has placed since is not ended by an older answer.
        ended = [found.id for key, found in held.items() if key not in known]
        await self._governor.stops.end(ended, actor=SES, because=reasons.tenant_resumed())

    async def make_partitions(self) -> int:
        """Makes the partitions of the next days. Returns how many. Raises Unavailable if some could not be locked."""
        wanted = retention.missing(await self._store.stored(), self._keep)
        made = [day for day in wanted if await self._store.make_partition(day)]
        if len(made) < len(wanted):
            raise Unavailable(database.tables_busy(number=len(wanted) - len(made)))
        return len(made)

    async def count_lanes(self) -> None:
        await self._store.count_lanes()

    async def thin_counts(self) -> None:
        await self._store.thin_counts(self._keep.records_days * retention.DAY_MS)

    async def drop_expired_days(self) -> int:
        """Drops the days past retention, but for those that mail in a queue still needs. Returns how many. Raises Unavailable if
        some could not be locked, or if the clock may be wrong."""
        stored = await self._store.stored()
        expired = retention.expired(stored, self._keep)
        if expired and not retention.is_settled(stored):
            raise Unavailable(
                database.day_not_settled(today=stored.today.isoformat(), days=retention.SETTLED_DAYS)
            )
        ends = [await self._store.drop_day(day) for day in expired]
        if busy := ends.count(Dropped.BUSY):
            raise Unavailable(database.tables_busy(number=busy))
        return ends.count(Dropped.GONE)

    async def purge(self, stop: asyncio.Event | None = None) -> None:
        """Folds the counters, and deletes in batches what there is one row of for each mail: idempotency keys, and urgent bodies
        that a crash left. Stops early if `stop` is set."""
        stop = stop or asyncio.Event()
        await self._store.fold_counters()
        await _walk(self._store.purge_idempotency, 0, stop)
        self._urgent_after = await _walk(
            self._store.purge_urgent_bodies, self._urgent_after, stop, batches=URGENT_BATCHES
        )

    async def purge_old_rows(self, stop: asyncio.Event | None = None) -> None:
        """Deletes, in batches, all other rows past their retention. Stops early if `stop` is set."""
        stop = stop or asyncio.Event()
        for kind in Purged:
            kept_ms = self._days_of(kind) * retention.DAY_MS
            while not stop.is_set() and await self._store.purge(kind, kept_ms, PURGE_BATCH):
                pass
        keep = self._keep
        large = max(keep.hour_counts_days, keep.day_counts_days)
        while not stop.is_set() and await self._store.purge_slices(keep.hour_counts_days, large, PURGE_BATCH):
            pass

    def _days_of(self, kind: Purged) -> int:
        match kind:
            case Purged.CALLS_OF_PLANS | Purged.PLANS | Purged.POLICIES:
                return self._keep.plans_days
            case Purged.DAY_COUNTS | Purged.LANE_SUMS | Purged.FLEET_SUMS:
                return self._keep.day_counts_days
            case Purged.FEEDBACK_LOSSES:  # rates of the days that one covers are unreliable
                return self._keep.day_counts_days
            case Purged.BOUNCE_DOMAINS:
                return self._keep.minute_counts_days
            case Purged.FEED | Purged.PENDING_SIGN_INS:
                return 1
            case _:
                return self._keep.records_days


async def _walk(
    purge: Callable[[int, int], Awaitable[int | None]],
    after: int,
    stop: asyncio.Event,
    *,
    batches: int | None = None,
) -> int:
    """Purges batch after batch. Returns where to go on in the next run: 0 once the end was reached."""
    while not stop.is_set() and batches != 0:
        last = await purge(after, PURGE_BATCH)
        if last is None:
            return 0
        after, batches = last, None if batches is None else batches - 1
    return after


def _stops(account: SesAccount) -> Reason | None:
    """What of the account's state stops every lane."""
    if account.enforcement == "SHUTDOWN":
        return Reason.ACCOUNT_SUSPENDED
    if not account.sending_enabled:
        return Reason.ACCOUNT_PAUSED
    if account.max_24h >= 0 and account.max_24h - account.sent_24h < 1:
        return Reason.DAILY_QUOTA
    return None
