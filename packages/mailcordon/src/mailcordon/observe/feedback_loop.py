"""Watches whether events come back, and records what is lost or late (docs/decisions/033-feedback-losses.md).

Runs in the control process, which is alive when observe is not. It follows the feed of folded counts, so that a round costs as
much as what changed since the last one. SES, SNS and SQS are read only when events of a set are missing and nothing else
explains it, once in ten minutes for a set at most.
"""

import dataclasses
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mailcordon.core.feedback import Signal
from mailcordon.messages import feedback as messages
from mailcordon.observe import feedback_roads, feedback_watch
from mailcordon.observe.feedback_roads import Past, Road, RoadFacts
from mailcordon.observe.feedback_watch import (
    DUE_MS,
    MINUTE,
    WINDOW,
    Change,
    Difference,
    Facts,
    Looked,
    Loss,
    NewLoss,
    Observers,
    Tally,
)

_LOG = logging.getLogger(__name__)

LOOK_AGAIN_MS = 10 * MINUTE  #: a set's way is read so often at most
MOST_LOOKS = 3  #: of a round; a dead topic shows in the first
ROADS_MS = MINUTE  #: between two judgements of bounces
DAYS_MS = 60 * MINUTE  #: between two judgements over days, which read the days of all lanes
SHORT, LONG = 10, WINDOW  #: minutes of mail over which bounces are judged
RECENT_DAYS = 3  #: of mail over which complaints, and bounces of little mail, are judged
PAST_DAYS = 31  #: before that, from which the rates come
_DAY = 1440  #: minutes
_BY_EXPECTATION: tuple[Signal, ...] = ("bounce", "complaint")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Changes of the counts of one set, minute and provider."""

    configuration_set: str
    minute: int
    provider: int
    sent: int
    seen: int
    others: int
    bounced: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OfDay:
    """A day's mail of one set and provider. `day` since 1970."""

    configuration_set: str
    provider: int
    day: int
    sent: int
    bounced: int
    complained: int

    def events(self, signal: Signal) -> int:
        return self.bounced if signal == "bounce" else self.complained


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What the database has for one round, as of one moment."""

    now: int
    folded_at: int  #: what was counted before is in `counted`, or was returned before
    fold: int
    is_whole: bool  #: `counted` is the whole window, not what changed since the fold that was asked for
    counted: Sequence[Counted]
    observers: Observers
    differences: Sequence[Difference]
    seen_calls: Mapping[str, int]
    losses: Sequence[Loss]


class WatchStore(Protocol):
    async def read(self, fold: int | None, *, window: int, queue: str) -> Round:
        """What changed since `fold`, or the minutes of the window if it is None or too long ago. `queue`: the outcome queue."""
        ...

    async def days(self, since: int) -> list[OfDay]: ...

    async def record(
        self, now: int, new: Sequence[NewLoss], changes: Sequence[Change]
    ) -> list[tuple[int, NewLoss]]:
        """One transaction. Returns the new losses with their numbers; one that is open already is left out."""
        ...

    async def recount(self, now: int, ids: Sequence[int]) -> None:
        """Counts again how many Send events are missing of the mail of these losses."""
        ...


class Look(Protocol):
    """The way of a set's events, as SES and AWS show it to this process."""

    async def look(self, configuration_set: str, signal: Signal, now: int) -> Looked: ...


@dataclass(slots=True)
class _Bounces:
    sent: int = 0
    bounced: int = 0


@dataclass(slots=True)
class _Window:
    """The last hour's counts."""

    tallies: dict[str, dict[int, Tally]] = field(default_factory=dict[str, dict[int, Tally]])
    bounces: dict[tuple[str, int], dict[int, _Bounces]] = field(
        default_factory=dict[tuple[str, int], dict[int, _Bounces]]
    )

    def add(self, counted: Sequence[Counted], oldest: int) -> None:
        for one in counted:
            if one.minute < oldest:
                continue
            tally = self.tallies.setdefault(one.configuration_set, {}).setdefault(one.minute, Tally())
            tally.sent += one.sent
            tally.seen += one.seen
            tally.others += one.others
            key = (one.configuration_set, one.provider)
            bounces = self.bounces.setdefault(key, {}).setdefault(one.minute, _Bounces())
            bounces.sent += one.sent
            bounces.bounced += one.bounced

    def forget(self, oldest: int) -> None:
        for tallies in self.tallies.values():
            for minute in [minute for minute in tallies if minute < oldest]:
                del tallies[minute]
        for bounces in self.bounces.values():
            for minute in [minute for minute in bounces if minute < oldest]:
                del bounces[minute]
        self.tallies = {name: tallies for name, tallies in self.tallies.items() if tallies}
        self.bounces = {key: bounces for key, bounces in self.bounces.items() if bounces}


class Watch:
    """`queue`: the name of the outcome queue."""

    def __init__(self, store: WatchStore, look: Look, *, queue: str) -> None:
        self._store = store
        self._look = look
        self._queue = queue
        self._fold: int | None = None
        self._window = _Window()
        self._looked: dict[tuple[str, Signal], Looked] = {}
        self._past: Mapping[Signal, Mapping[tuple[str, int], Past]] = {}
        self._of_days: Mapping[Signal, Sequence[Road]] = {}
        self._next_roads = 0
        self._next_days = 0
        self._recounted = 0
        self._stale: set[int] = set()  #: losses that are over whose mail had an event since

    async def advance(self, *, ahead_ms: int = 0) -> None:
        """One round. `ahead_ms`: as if it were so much later."""
        found = await self._store.read(self._fold, window=WINDOW, queue=self._queue)
        # While folds are behind, mail may be counted whose Send event is stored and not counted yet.
        now = min(found.now, found.folded_at) + ahead_ms
        if found.is_whole:
            self._window = _Window()
        oldest = found.now // MINUTE - WINDOW
        self._window.add(found.counted, oldest)
        self._window.forget(oldest)
        self._fold = found.fold
        self._stale |= {
            loss.id
            for loss in found.losses
            if loss.until is not None
            and (
                found.is_whole or any(loss.covers(one.configuration_set, one.minute) for one in found.counted)
            )
        }
        self._looked = {key: one for key, one in self._looked.items() if now - one.at < LOOK_AGAIN_MS}
        await self._send(found, now)
        if now >= self._next_roads:
            self._next_roads = now + ROADS_MS
            await self._roads(found, now)
        if self._stale and now - self._recounted >= MINUTE:
            self._recounted = now
            await self._store.recount(now, sorted(self._stale))
            self._stale.clear()

    async def _send(self, found: Round, now: int) -> None:
        facts = Facts(
            now=now,
            tallies=self._window.tallies,
            seen_calls=found.seen_calls,
            observers=found.observers,
            differences=found.differences,
            looked=self._of_signal("send"),
            losses=found.losses,
        )
        verdict = feedback_watch.judge(facts)
        if verdict.look:
            await self._look_at(verdict.look[:MOST_LOOKS], "send", now)
            verdict = feedback_watch.judge(dataclasses.replace(facts, looked=self._of_signal("send")))
        await self._record(now, verdict.new, verdict.changes)

    async def _roads(self, found: Round, now: int) -> None:
        if now >= self._next_days:
            self._next_days = now + DAYS_MS
            self._take_days(await self._store.days(now // MINUTE // _DAY - RECENT_DAYS - PAST_DAYS), now)
        losses = list(found.losses)
        for signal in _BY_EXPECTATION:
            stretches = [self._of_days.get(signal, ())]
            if signal == "bounce":
                stretches = [self._bounces(SHORT, now), self._bounces(LONG, now), *stretches]
            # What has stopped in the last minutes is judged first; a longer stretch finds it in less mail.
            for roads in stretches:
                facts = RoadFacts(
                    now=now,
                    signal=signal,
                    roads=roads,
                    tallies=self._window.tallies,
                    differences=found.differences,
                    looked=self._of_signal(signal),
                    losses=losses,
                )
                verdict = feedback_roads.judge(facts)
                if verdict.look:
                    await self._look_at(verdict.look[:MOST_LOOKS], signal, now)
                    verdict = feedback_roads.judge(dataclasses.replace(facts, looked=self._of_signal(signal)))
                await self._record(now, verdict.new, verdict.changes)
                if verdict.new or verdict.changes:
                    break

    def _of_signal(self, signal: Signal) -> dict[str, Looked]:
        return {name: one for (name, of), one in self._looked.items() if of == signal}

    async def _look_at(self, names: Sequence[str], signal: Signal, now: int) -> None:
        for name in names:
            self._looked[name, signal] = await self._look.look(name, signal, now)

    async def _record(self, now: int, new: Sequence[NewLoss], changes: Sequence[Change]) -> None:
        if not new and not changes:
            return
        for id, loss in await self._store.record(now, new, changes):
            _LOG.warning("loss %d: %s", id, sentence(loss))
        for change in changes:
            if change.until is not None:
                self._stale.add(change.id)
                _LOG.info("loss %d is over: events come back", change.id)

    # By expectation -----------------------------------------------------------------------------------------------------------

    def _take_days(self, days: Sequence[OfDay], now: int) -> None:
        """The rates of the past, and what the last days' mail had so far."""
        recent = now // MINUTE // _DAY - RECENT_DAYS
        past: dict[Signal, dict[tuple[str, int], Past]] = {signal: {} for signal in _BY_EXPECTATION}
        for one in days:
            if one.day >= recent:
                continue
            for signal, of_signal in past.items():
                before = of_signal.get((one.configuration_set, one.provider), Past(0, 0))
                after = Past(before.sent + one.sent, before.events + one.events(signal))
                of_signal[one.configuration_set, one.provider] = after
        self._past = past
        roads: dict[Signal, list[Road]] = {signal: [] for signal in _BY_EXPECTATION}
        for one in days:
            if one.day < recent or one.sent <= 0:
                continue
            since, until = one.day * _DAY * MINUTE, min(now, (one.day + 1) * _DAY * MINUTE)
            for signal, of_signal in roads.items():
                of_signal.append(
                    Road(
                        configuration_set=one.configuration_set,
                        provider=one.provider,
                        since=since,
                        until=until,
                        sent=one.sent,
                        expected=feedback_roads.expected(
                            signal,
                            past[signal].get((one.configuration_set, one.provider)),
                            one.sent,
                            since=since,
                            until=until,
                            now=now,
                        ),
                        seen=max(0, one.events(signal)),
                    )
                )
        self._of_days = roads

    def _bounces(self, minutes: int, now: int) -> list[Road]:
        due = (now - DUE_MS) // MINUTE
        roads: list[Road] = []
        for (name, provider), of_minutes in self._window.bounces.items():
            taken = {minute: one for minute, one in of_minutes.items() if due - minutes <= minute < due}
            if not taken:
                continue
            past = self._past.get("bounce", {}).get((name, provider))
            expected = sum(
                feedback_roads.expected(
                    "bounce",
                    past,
                    one.sent,
                    since=minute * MINUTE,
                    until=(minute + 1) * MINUTE,
                    now=now,
                )
                for minute, one in taken.items()
            )
            roads.append(
                Road(
                    configuration_set=name,
                    provider=provider,
                    since=min(taken) * MINUTE,
                    until=(max(taken) + 1) * MINUTE,
                    sent=sum(one.sent for one in taken.values()),
                    expected=expected,
                    seen=max(0, sum(one.bounced for one in taken.values())),
                )
            )
        return roads


def sentence(loss: NewLoss) -> str:
    """A new loss as the log has it."""
    return messages.loss(
        loss.signal,
        messages.whose(loss.configuration_set, None if loss.provider is None else str(loss.provider)),
        loss.evidence.sent,
        loss.evidence.seen,
        loss.evidence.others,
        loss.since,
        loss.until,
        loss.fault.says,
        late=loss.late,
    )
