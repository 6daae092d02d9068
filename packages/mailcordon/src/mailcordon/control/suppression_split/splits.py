"""The split as people start, follow, decide and finish it. A change and its row of the audit trail are one transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from mailcordon.control.governor import require_because
from mailcordon.control.suppression_split import forecast, standing
from mailcordon.control.suppression_split.forecast import Forecast
from mailcordon.control.suppression_split.nouns import UNDECIDED, By, Counts, Phase, Run, State
from mailcordon.control.suppression_split.standing import Moved, Refilled, Standing
from mailcordon.core import text as texts
from mailcordon.core.errors import Conflict, Fault, Invalid, NotFound
from mailcordon.messages import suppression_split as messages
from mailcordon.messages import times

MOST_AT_ONCE = 1000  #: addresses that a person decides on
MOST_MOVED = 200  #: tenants of which findings are shown
LONGEST_OWNER = 200


class To(StrEnum):
    """What a person decides of an entry."""

    TENANT = "tenant"
    PLATFORM = "platform"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryView:
    spelling: str
    hash: bytes | None
    reason: str
    listed_at: int
    message_id: str | None
    state: State
    tenant: str | None  #: slug
    by: By | None
    evidence: Mapping[str, Any]
    owner: str | None  #: who decides, while it is nobody's
    decided_at: int | None
    done_at: int | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Decided:
    """An entry that a person decides on, as it was before."""

    spelling: str
    entry: EntryView | None  #: None: the account's list had none

    def may(self, to: To) -> bool:
        return self.problem(to) is None

    def problem(self, to: To) -> str | None:
        if self.entry is None:
            return messages.no_entry(self.spelling)
        if self.entry.state not in UNDECIDED:
            return messages.not_undecided(self.spelling, str(self.entry.state))
        if self.entry.hash is None and to is To.TENANT:
            return messages.no_address()
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    run: Run
    counts: Counts
    forecast: Forecast
    feels_migrated: Sequence[str]  #: of at most MOST_MOVED tenants
    refilled: Refilled | None = None  #: since it was ended

    @property
    def sentences(self) -> list[str]:
        """Where it stands, how long it takes, and what waits for a person."""
        run, states = self.run, self.counts.states
        if run.ended_at is not None:
            said = [messages.ended(times.minute(run.ended_at), run.ended_by or "")]
            if self.refilled is not None:
                said.append(self.refilled.sentence)
        else:
            ahead = self.forecast
            said = [
                messages.phase(str(run.phase), self.counts.open),
                messages.forecast(
                    ahead.calls,
                    ahead.most_calls,
                    ahead.seconds,
                    ahead.most_seconds,
                    complete=ahead.complete,
                ),
            ]
            if run.problem is not None and run.next_at is not None:
                said.append(messages.stuck(run.problem, times.minute(run.next_at)))
        if unowned := states.get(State.UNOWNED, 0):
            said.append(messages.undecided(unowned, run.owner))
        if kept := states.get(State.KEPT, 0):
            said.append(messages.kept(kept))
        return said


class SplitRows(Protocol):
    async def newest(self) -> Run | None: ...

    async def begin(self, *, owner: str, because: str, releases: bool, actor: str) -> bool:
        """A new run, or another round of one that watches. False: one is at work."""
        ...

    async def end(self, run: Run, *, unowned: int, because: str, actor: str) -> bool: ...

    async def senders_past_us(self) -> int:
        """Of the last 7 days, without those that are expected."""
        ...

    async def counts(self) -> Counts: ...

    async def lists_after(self, name: str) -> int: ...

    async def entries(
        self, *, state: State | None, tenant: int | None, hash: bytes | None, after: str, limit: int
    ) -> list[EntryView]: ...

    async def decide(
        self, spellings: Sequence[str], to: To, tenant: int | None, *, because: str, actor: str
    ) -> Sequence[Decided]:
        """Decides on all of them, or on none if one does not allow it."""
        ...

    async def standing(self, tenant: int) -> Standing: ...

    async def refilled(self) -> Refilled | None: ...

    async def moved(self, tenant: int | None, after: str, limit: int) -> list[Moved]: ...


class Splits:
    def __init__(
        self, rows: SplitRows, *, calls_per_second: float | None, observe_only: bool = False
    ) -> None:
        """`calls_per_second`: of the budget of management calls; None: no limit."""
        self.rows = rows
        self._rate = calls_per_second
        self._observe_only = observe_only

    async def start(self, *, owner: str, because: str, releases: bool | None, actor: str) -> Status:
        """Starts a run, or another round of one whose work is done. `releases` None: entries leave the account's list unless mail
        that does not pass through us was seen.

        Raises Invalid, or Conflict if one is at work, if that mail was seen, or if the installation observes only.
        """
        require_because(because)
        name = owner.strip()
        if not 0 < len(name) <= LONGEST_OWNER or texts.harmless(name) != name:
            raise Invalid(Fault("owner", messages.bad_owner(LONGEST_OWNER)))
        if self._observe_only:
            raise Conflict(messages.observes_only(), code="observe-only")
        if releases is None:
            if senders := await self.rows.senders_past_us():
                raise Conflict(messages.mail_past_us(senders), code="mail-past-us")
            releases = True
        if not await self.rows.begin(owner=name, because=because, releases=releases, actor=actor):
            run = await self.rows.newest()
            raise Conflict(messages.already_runs("" if run is None else str(run.phase)), code="split-runs")
        return await self.status()

    async def status(self) -> Status:
        """Raises NotFound if there was none."""
        run = await self._newest()
        counts = await self.rows.counts()
        comparing = run.phase is Phase.COMPARING
        lists = await self.rows.lists_after(run.list if comparing else "")
        moved = await self.rows.moved(None, "", MOST_MOVED)
        return Status(
            run=run,
            counts=counts,
            forecast=forecast.forecast(
                states=counts.states,
                phase=run.phase,
                releases=run.releases,
                lists=lists,
                rate=self._rate,
                pace=run.pace,
            ),
            feels_migrated=[said for one in moved for said in standing.half_moved(one)],
            refilled=await self.rows.refilled(),
        )

    async def finish(self, *, leave_unowned: bool, because: str, actor: str) -> Status:
        """Ends the run. Raises Conflict while entries are not taken apart, lists not compared, or entries nobody's."""
        require_because(because)
        run = await self._newest()
        if run.ended_at is not None:
            raise Conflict(messages.ended(times.minute(run.ended_at), run.ended_by or ""), code="split-over")
        counts = await self.rows.counts()
        if counts.open:
            raise Conflict(messages.entries_open(counts.open), code="split-open")
        if run.compared_at is None or run.phase is not Phase.WATCHING:
            raise Conflict(messages.not_compared(), code="split-open")
        unowned = counts.states.get(State.UNOWNED, 0)
        if unowned and not leave_unowned:
            raise Conflict(messages.nobody_decided(unowned, run.owner), code="split-unowned")
        await self.rows.end(run, unowned=unowned, because=because, actor=actor)
        return await self.status()

    async def assign(
        self, spellings: Sequence[str], to: To, tenant: int | None, *, because: str, actor: str
    ) -> int:
        """Decides on entries that are nobody's, all or none. Returns how many. Raises Invalid, NotFound or Conflict."""
        require_because(because)
        run = await self._newest()
        wanted = list(dict.fromkeys(spellings))
        if not wanted or len(wanted) > MOST_AT_ONCE:
            raise Invalid(Fault("addresses", messages.too_many(MOST_AT_ONCE)))
        if to is not To.PLATFORM and run.ended_at is not None:
            # Calls to SES follow, and no run is there to make them.
            raise Conflict(messages.run_is_over(), code="split-over")
        decided = await self.rows.decide(wanted, to, tenant, because=because, actor=actor)
        for one in decided:
            if (problem := one.problem(to)) is not None:
                raise (NotFound if one.entry is None else Conflict)(problem, code="split-entry")
        return len(decided)

    async def _newest(self) -> Run:
        run = await self.rows.newest()
        if run is None:
            raise NotFound(messages.none_yet(), code="no-split")
        return run
