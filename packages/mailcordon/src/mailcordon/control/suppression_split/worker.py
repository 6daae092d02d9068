"""Takes the account's suppression list apart: lists it, reads each entry, gives it to its tenant, and compares the lists.

Of an entry that is a tenant's, in this order: its suppression here and the decision are written in one transaction; the entry is
put on the lists of the tenant's SES tenants; it is taken off the account's list; what kept other tenants from the address is
lifted. So the address is suppressed for its tenant all the time, and for the others until the last step. Each step can be done
twice: a process that dies leaves rows that say where the next one goes on. Rows are read in small batches, so a long list takes
no memory. Calls wait in the budget as Work.SUPPRESSION.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol, Self

from mailcordon.control.administration import SesError, Whole
from mailcordon.control.ses_lists import Entry, entry
from mailcordon.control.suppression_split.assignment import decide
from mailcordon.control.suppression_split.nouns import (
    ACCOUNT,
    Candidate,
    Decision,
    Listed,
    Phase,
    Run,
    SplitEntry,
    State,
)
from mailcordon.control.work import Work
from mailcordon.core.clock import boot_time

_LOG = logging.getLogger(__name__)
BATCH = 40  #: entries that are read from the database at a time
AT_ONCE = 4  #: calls to SES: each takes 100 to 200 ms, and the budget bounds their rate
ROUND_SECONDS = 30.0  #: after which a round ends, so that its progress is recorded
WATCH_SECONDS = 600.0  #: between two looks at what SES added, once all is taken apart
WATCH_ENDED_SECONDS = (
    3600.0  #: the same after a person ended the run: each look lists all that was added since then
)
RETRY_SECONDS = 60.0
OVERLAP_MS = 3_600_000  #: a look covers more than the time since the last: SES's clock is not ours
_BAD_TOKEN = frozenset({"InvalidNextTokenException"})  #: one that has expired (ses.md 6)
_FEWEST_OF_PACE = 10  #: calls from which a pace is measured


class Lists(Protocol):
    """What is needed of control.administration.Administration. Each method is one call. Raises SesError."""

    def doing(self, work: Work, tenant: int | None) -> Self: ...

    async def get_suppressed(self, address: str, *, tenant: str | None) -> Whole | None: ...

    async def suppressed_page(
        self, *, tenant: str | None, token: str | None, since: datetime | None = None
    ) -> tuple[Sequence[Whole], str | None]: ...

    async def put_suppressed(self, address: str, *, reason: str, tenant: str) -> None: ...

    async def delete_suppressed(self, address: str, *, tenant: str | None) -> None: ...


class SplitWork(Protocol):
    """Where the work stands, in rows. Each method is one transaction, and changes nothing if a row is not as it was read."""

    async def newest(self) -> Run | None: ...

    async def sweep(self) -> int:
        """Ends suppressions that follow from hits on entries which were taken off meanwhile."""
        ...

    async def progress(
        self, run: Run, calls: int, pace: float | None, problem: str | None, wait_seconds: float | None
    ) -> None: ...

    async def list_page(self, run: Run, listed: Sequence[Listed], token: str | None) -> None:
        """Records a page of the account's list, and where its listing goes on."""
        ...

    async def compare_page(self, run: Run, listed: Sequence[Listed], token: str | None) -> None:
        """Records what a page of a tenant's list has of what was put there, and suppresses for the tenant what only SES has."""
        ...

    async def account_listed(self, run: Run) -> None:
        """After a whole listing: what is not there any more."""
        ...

    async def left_again(self, run: Run) -> None:
        """After a look at what was entered since the run ended: what is not there any more."""
        ...

    async def store_missing(self) -> None:
        """Puts entries of tenants that got an SES tenant since on its list."""
        ...

    async def tenant_listed(self, run: Run) -> None:
        """After a whole listing of a tenant's list: what is not there is put there again."""
        ...

    async def next_list(self, after: str) -> str | None:
        """The next SES tenant whose list is compared."""
        ...

    async def enter(
        self,
        run: Run,
        phase: Phase,
        *,
        list: str = ACCOUNT,
        new_round: bool = False,
        wait_seconds: float | None = None,
        since: int | None = None,
    ) -> None: ...

    async def open(self, before: int | None) -> int:
        """Entries that calls remain for; without those that SES entered since `before`."""
        ...

    async def due(self, limit: int) -> Sequence[SplitEntry]: ...

    async def candidates(self, hash: bytes, message_id: str | None) -> Sequence[Candidate]: ...

    async def own(self, one: SplitEntry, found: Entry, decision: Decision) -> SplitEntry | None:
        """Records that it is a tenant's, with its suppression. Returns it as it is then."""
        ...

    async def disown(self, run: Run, one: SplitEntry, found: Entry) -> None:
        """Records that it is nobody's, and puts it on the platform's list."""
        ...

    async def gone(self, one: SplitEntry) -> None: ...

    async def read_again(self, one: SplitEntry) -> None: ...

    async def stored(self, run: Run, one: SplitEntry, list: str) -> None: ...

    async def settle(self, one: SplitEntry, state: State) -> None:
        """No call remains. If it is off the account's list, what kept others from the address ends in the same transaction."""
        ...

    async def failed(self, one: SplitEntry, why: str, seconds: float) -> None: ...


@dataclass(slots=True)
class _Round:
    """What one round did."""

    began: float
    calls: int = 0
    failed: str | None = None  #: the last failure, while nothing has succeeded since
    failures: int = 0


class Splitter:
    def __init__(
        self,
        store: SplitWork,
        ses: Lists,
        hash_of: Callable[[str], bytes | None],
        *,
        retry_seconds: float = RETRY_SECONDS,
        watch_seconds: float = WATCH_SECONDS,
        watch_ended_seconds: float = WATCH_ENDED_SECONDS,
        round_seconds: float = ROUND_SECONDS,
    ) -> None:
        """`hash_of` returns the keyed hash of an address; None for a text that is none."""
        self._store = store
        self._ses = ses.doing(Work.SUPPRESSION, None)
        self._hash_of = hash_of
        self._retry = retry_seconds
        self._watch = watch_seconds
        self._watch_ended = watch_ended_seconds
        self._round = round_seconds

    async def advance(self, over: asyncio.Event | None = None) -> int:
        """Goes on for one round. Returns how many calls it made. `over`: ends the round early."""
        await self._store.sweep()
        run = await self._store.newest()
        if run is None or (run.next_at or 0) > run.now:
            return 0
        round = _Round(boot_time())
        problem: str | None = None
        wait: float | None = None
        try:
            while not (over is not None and over.is_set()) and boot_time() - round.began < self._round:
                if not await self._step(run, round):
                    break
                if round.failures >= BATCH:
                    problem, wait = round.failed, self._retry
                    break
                again = await self._store.newest()
                if again is None or again.id != run.id or again.ended_at != run.ended_at:
                    break
                run = again
        except SesError as error:
            _LOG.warning("the account's suppression list cannot be taken apart further: %s", error)
            problem, wait = str(error), self._retry
        finally:
            # Also when the process ends in the middle: the figure is what the forecast learns from.
            await self._store.progress(run, round.calls, self._pace(run, round), problem, wait)
        return round.calls

    def _pace(self, run: Run, round: _Round) -> float | None:
        if round.calls < _FEWEST_OF_PACE:
            return None
        now = round.calls / max(boot_time() - round.began, 0.001)
        return now if run.pace is None else 0.7 * run.pace + 0.3 * now

    async def _step(self, run: Run, round: _Round) -> bool:
        """Does a little. False: nothing is to be done now."""
        match run.phase:
            case Phase.LISTING:
                await self._list(run, round)
                return True
            case Phase.COMPARING:
                await self._compare(run, round)
                return True
            case Phase.READING:
                if await self._entries(run, round):
                    return True
                if await self._store.open(None) == 0:
                    await self._store.enter(run, Phase.COMPARING, new_round=True, since=run.now)
                    return True
                await self._store.enter(run, Phase.READING, wait_seconds=self._retry)
                return False
            case Phase.WATCHING if run.ended_at is not None:
                return await self._look_after_end(run, run.ended_at, round)
            case Phase.WATCHING:
                return await self._entries(run, round) or await self._look(run, round)

    # Listing -------------------------------------------------------------------------------------------------------------

    async def _page(
        self, run: Run, round: _Round, since: datetime | None = None
    ) -> tuple[list[Listed], str | None] | None:
        """The next page of the run's list. None: its token has expired, and the list begins again."""
        round.calls += 1
        try:
            page, token = await self._ses.suppressed_page(
                tenant=run.list or None, token=run.token, since=since
            )
        except SesError as error:
            if run.token is None or error.code not in _BAD_TOKEN:
                raise
            return None
        shown = (entry(one) for one in page)
        listed = {
            one.spelling: Listed(
                spelling=one.spelling,
                hash=self._hash_of(one.spelling),
                reason=one.reason,
                listed_at=one.listed_at or 0,
            )
            for one in shown
            if one.spelling and "\0" not in one.spelling
        }
        return list(listed.values()), token

    async def _list(self, run: Run, round: _Round) -> None:
        found = await self._page(run, round)
        if found is None:
            return await self._store.list_page(run, (), None)
        await self._store.list_page(run, *found)
        if found[1] is None:
            await self._store.enter(run, Phase.READING, since=run.started_at)
        return None

    async def _compare(self, run: Run, round: _Round) -> None:
        of_account = run.list == ACCOUNT
        record = self._store.list_page if of_account else self._store.compare_page
        found = await self._page(run, round)
        if found is None:
            return await record(run, (), None)
        await record(run, *found)
        if found[1] is not None:
            return None
        if of_account:
            await self._store.account_listed(run)
            await self._store.store_missing()
        else:
            await self._store.tenant_listed(run)
        following = await self._store.next_list(run.list)
        if following is not None:
            await self._store.enter(run, Phase.COMPARING, list=following)
        elif await self._store.open(run.listed_since):
            await self._store.enter(run, Phase.READING)
        else:
            await self._store.enter(run, Phase.WATCHING)
        return None

    async def _look(self, run: Run, round: _Round) -> bool:
        """Lists what SES added to the account's list. False: all of it."""
        since = datetime.fromtimestamp(max((run.listed_since or 0) - OVERLAP_MS, 0) / 1000, UTC)
        found = await self._page(run, round, since)
        if found is None:
            await self._store.list_page(run, (), None)
            return True
        await self._store.list_page(run, *found)
        if found[1] is None:
            await self._store.store_missing()
            await self._store.enter(run, Phase.WATCHING, wait_seconds=self._watch, since=run.now)
        return found[1] is not None

    async def _look_after_end(self, run: Run, ended_at: int, round: _Round) -> bool:
        """Lists what came on the account's list since a person ended the run. It is recorded for `status`, and left there.
        False: all of it."""
        since = datetime.fromtimestamp(max(ended_at - OVERLAP_MS, 0) / 1000, UTC)
        found = await self._page(run, round, since)
        await self._store.list_page(run, *(found or ((), None)))
        if found is None or found[1] is not None:
            return True
        await self._store.left_again(run)
        await self._store.enter(run, Phase.WATCHING, new_round=True, wait_seconds=self._watch_ended)
        return False

    # Entries -------------------------------------------------------------------------------------------------------------

    async def _entries(self, run: Run, round: _Round) -> bool:
        due = await self._store.due(BATCH)
        for start in range(0, len(due), AT_ONCE):
            done = await asyncio.gather(
                *(self._one(run, round, one) for one in due[start : start + AT_ONCE]), return_exceptions=True
            )
            for each in done:
                if isinstance(each, BaseException):
                    raise each
            if boot_time() - round.began >= self._round:
                break  # at one call a second, the rest of the batch would take minutes
        return bool(due)

    async def _one(self, run: Run, round: _Round, one: SplitEntry) -> None:
        try:
            match one.state:
                case State.LISTED:
                    await self._assign(run, round, one)
                case State.OWNED:
                    await self._move(run, round, one)
                case _:
                    await self._free(round, one)
        except SesError as error:
            # One that SES refuses must not keep the others waiting.
            round.failed, round.failures = str(error), round.failures + 1
            await self._store.failed(one, str(error), self._retry)
        else:
            round.failures = 0

    async def _assign(self, run: Run, round: _Round, one: SplitEntry) -> None:
        if one.hash is None:
            return None
        if one.must_read:
            found = await self._get(round, one)
            if found is None:
                return await self._store.gone(one)
        else:
            found = Entry(
                spelling=one.spelling,
                reason=one.reason,
                listed_at=one.listed_at,
                message_id=one.message_id,
                feedback_id=one.feedback_id,
            )
        candidates = await self._store.candidates(one.hash, found.message_id)
        decision = decide(
            reason=found.reason,
            listed_at=found.listed_at or one.listed_at,
            message_id=found.message_id,
            candidates=candidates,
        )
        if decision is None:
            return await self._store.disown(run, one, found)
        owned = await self._store.own(one, found, decision)
        if owned is not None:
            await self._move(run, round, owned)
        return None

    async def _move(self, run: Run, round: _Round, one: SplitEntry) -> None:
        """From the account's list to the tenant's."""
        listed = True
        if one.must_read:
            found = await self._get(round, one)
            listed = found is not None
            if found is not None and _is_newer(found, one):
                return await self._store.read_again(one)
        for name in one.lists:
            round.calls += 1
            await self._ses.put_suppressed(one.spelling, reason=one.reason, tenant=name)
            await self._store.stored(run, one, name)
        if one.past_us or not run.releases:
            return await self._store.settle(one, State.KEPT if listed else State.ASSIGNED)
        if listed:
            round.calls += 1
            await self._ses.delete_suppressed(one.spelling, tenant=None)
        return await self._store.settle(one, State.ASSIGNED)

    async def _free(self, round: _Round, one: SplitEntry) -> None:
        found = await self._get(round, one)
        if found is not None and _is_newer(found, one):
            return await self._store.read_again(one)
        if found is not None:
            round.calls += 1
            await self._ses.delete_suppressed(one.spelling, tenant=None)
        return await self._store.settle(one, State.FREED)

    async def _get(self, round: _Round, one: SplitEntry) -> Entry | None:
        round.calls += 1
        found = await self._ses.get_suppressed(one.spelling, tenant=None)
        return None if found is None else entry(found)


def _is_newer(found: Entry, one: SplitEntry) -> bool:
    """Whether SES entered it anew since it was decided on: for another mail, or at another time."""
    if found.message_id != one.message_id:
        return True
    return found.listed_at is not None and found.listed_at > one.listed_at + 1000
