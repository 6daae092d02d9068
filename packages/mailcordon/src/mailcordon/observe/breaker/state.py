"""What the process that runs the breaker remembers between rounds, and what a round writes."""

import heapq
import itertools
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from mailcordon.core.limit import Limit, Mode
from mailcordon.guard.breaker.engine import Breaker
from mailcordon.guard.breaker.nouns import Decision, Level, Phase, Standing
from mailcordon.guard.breaker.pools import NEW_MINUTES
from mailcordon.guard.counts import Delta, DomainDelta
from mailcordon.guard.delays import Signal
from mailcordon.observe.breaker.intervals import is_due
from mailcordon.observe.breaker.records import (
    ACTOR,
    MINUTE_MS,
    Changes,
    End,
    Kept,
    Key,
    Watched,
    Write,
    key_of,
    part_of,
    signal_of,
    target_of,
)
from mailcordon.observe.breaker.volume import VolumeWatch

_FIRST = 20  #: minutes, for which it is remembered when mail of a minute was seen
_ASIDE = 60  #: minutes between two looks for what is not needed any more
_RESTS = 1440  #: minutes without any change of its counts, after which a lane is put aside
_DOMAINS = 7 * 1440  #: minutes; hard bounces of older mail are rare
_FOLD_MS = 2_000  #: from a call until its count is read


class State:
    """What a process remembers while it leads."""

    def __init__(self, engine: Breaker, volume: VolumeWatch, fold: int) -> None:
        self.engine = engine
        self.volume = volume
        self.fold = fold
        self.lanes: dict[int, Watched] = {}
        self.loaded: dict[int, int] = {}  #: lanes that were read, with the fold up to which
        self.to_load: dict[
            int, int
        ] = {}  #: lanes that are to be read, with how much bad was counted meanwhile
        self.gone_lanes: set[int] = set()
        self.open: dict[Key, Kept] = {}
        self.standings: dict[Key, Standing] = {}
        self.limits: dict[int, tuple[Limit, ...] | None] = {}  #: by tenant; None: of whoever led before
        self.probe_out: dict[Key, int] = {}
        self.ends: dict[int | None, str] = {}  #: why decisions ended whose holds are still there
        #: by minute, when its first mail of a lane, campaign and list was seen
        self.first: dict[int, dict[tuple[int, str | None, str | None], int]] = {}
        self.domains: dict[
            tuple[int, int], dict[int, int]
        ] = {}  #: hard bounces by minute and lane, then domain
        self.to_arm = deque[int]()  #: what may be done to them is judged next
        self.unarmed: dict[int, None] = {}  #: before these: it never was
        self.changed: dict[
            int, int
        ] = {}  #: the minute in which the counts of a lane last changed, or were read
        self.to_refresh = deque[int]()
        self.rearmed: set[int] = set()
        self.done_at: dict[Key, int] = {}
        self.room: dict[Signal, float] | None = None
        self.ticked = 0
        self.standings_at = 0
        self.facts_at = 0
        self.arming_at = 0
        self.account_at = 0
        self.volume_at = 0
        self.followed_at = 0
        self.carried_at = 0
        self.purged_at = 0
        self.delays_at = 0
        self.dirty = True  #: the holds of whoever led before may not be what they must be

    def note_unknown(self, changes: Changes) -> None:
        """Lanes with counts that were not read yet. The worst are read first: after a start thousands wait."""
        for _, one in changes.deltas:
            if one.lane not in self.loaded:
                bad = one.hard_bounces + one.complaints + one.blocks + one.delays
                self.to_load[one.lane] = self.to_load.get(one.lane, 0) + bad

    def next_to_load(self, most: int) -> list[int]:
        if len(self.to_load) <= most:
            return list(self.to_load)
        return heapq.nlargest(most, self.to_load, key=self.to_load.__getitem__)

    def next_to_arm(self, most: int, now: int, every: int) -> list[int]:
        """A few lanes, however many there are: those that were never judged, then each in its turn."""
        if not self.to_arm and is_due(now, self.arming_at, every):
            self.arming_at = now
            self.to_arm.extend(self.lanes)
        chosen = [lane for lane in itertools.islice(self.unarmed, most) if lane in self.lanes]
        self.unarmed = dict.fromkeys(itertools.islice(self.unarmed, most, None))
        return [*chosen, *self._next(self.to_arm, most - len(chosen))]

    def next_to_refresh(self, most: int, now: int, every: int) -> list[int]:
        if not self.to_refresh and is_due(now, self.facts_at, every):
            self.facts_at = now
            self.to_refresh.extend(self.loaded)
        return self._next(self.to_refresh, most)

    def _next(self, queue: deque[int], most: int) -> list[int]:
        taken = (queue.popleft() for _ in range(min(most, len(queue))))
        return [lane for lane in taken if lane in self.loaded]

    def open_about(self, lane: int, part: str) -> list[Kept]:
        """The breaker has one case about a lane or a part of it, whatever the signal."""
        return [
            one
            for one in self.open.values()
            if (one.lane, one.part) == (lane, part) and signal_of(one.signal) is not None
        ]

    def new_deltas(self, changes: Changes) -> list[Delta]:
        """Without what the history of a lane that was just read has already."""
        minute = changes.now // MINUTE_MS
        self.changed.update((delta.lane, minute) for _, delta in changes.deltas)
        return [
            delta
            for fold, delta in changes.deltas
            if delta.lane in self.lanes and fold > self.loaded.get(delta.lane, 0)
        ]

    def note_first(self, changes: Changes) -> None:
        """Counts know minutes. Of mail that leaves now it is known to the second or two when its first was counted."""
        minute = changes.now // MINUTE_MS
        for _, delta in changes.deltas:
            if delta.sent > 0 and minute - delta.minute <= 1:
                of = self.first.setdefault(delta.minute, {})
                of.setdefault((delta.lane, delta.campaign, delta.list), changes.now)
        for old in [one for one in self.first if one < minute - _FIRST]:
            del self.first[old]

    def onset(self, lane: int, part: str, minute: int) -> int:
        """When trouble began that began in a minute, in milliseconds since 1970."""
        target = target_of(0, lane, part)
        seen = [
            at
            for (of, campaign, list_), at in self.first.get(minute, {}).items()
            if of == lane and target.campaign in (None, campaign) and target.list in (None, list_)
        ]
        return max(minute * MINUTE_MS, min(seen) - _FOLD_MS) if seen else minute * MINUTE_MS

    def domain_changes(self, totals: Sequence[DomainDelta]) -> list[DomainDelta]:
        found: list[DomainDelta] = []
        for one in totals:
            if one.lane not in self.lanes:
                continue
            of = self.domains.setdefault((one.minute, one.lane), {})
            change = one.hard_bounces - of.get(one.domain, 0)
            of[one.domain] = one.hard_bounces
            if change:
                found.append(one._replace(hard_bounces=change))
        return found

    def note_domains(self, totals: Sequence[DomainDelta]) -> None:
        for one in totals:
            self.domains.setdefault((one.minute, one.lane), {})[one.domain] = one.hard_bounces

    def put_aside(self, minute: int) -> None:
        """Lanes that rest, with nothing open: their counts are read again with the next change. New lanes stay, since pools need
        them, and so do lanes that are armed: what they lack is an incident."""
        if minute % _ASIDE:
            return
        busy = {key[0] for key in self.open} | {key[0] for key in self.standings}
        for lane, one in list(self.lanes.items()):
            since = one.facts.since
            if (
                lane in busy
                or minute - self.changed.setdefault(lane, minute) < _RESTS
                or since is None
                or minute - since <= NEW_MINUTES
                or one.arming is None
                or one.arming.relative is Mode.ENFORCE
                or one.arming.lost
            ):
                continue
            self.engine.forget(lane)
            for known in (self.lanes, self.loaded, self.changed):
                known.pop(lane, None)

    def forget_old(self, minute: int) -> None:
        """What no change is compared with any more."""
        if minute % _ASIDE:
            return
        for key in [key for key in self.domains if key[0] < minute - _DOMAINS]:
            del self.domains[key]

    def count_probes(self, deltas: Sequence[Delta]) -> None:
        """The mails that have left since a probe began."""
        probing = [(key, one) for key, one in self.standings.items() if one.phase is Phase.PROBING]
        for key, standing in probing:
            began = standing.since if standing.probe_from is None else standing.probe_from
            sent = sum(
                delta.sent
                for delta in deltas
                if delta.lane == standing.lane and delta.minute >= began and _is_of(standing, delta)
            )
            if sent:
                self.probe_out[key] = self.probe_out.get(key, 0) + sent


class Writing:
    """What a round has to write."""

    def __init__(self) -> None:
        self.new: list[Kept] = []
        self.ended: list[End] = []
        self.changed: dict[int, Kept] = {}
        self.standings: list[Standing] = []
        self.gone: list[Key] = []
        self.spoken: set[tuple[int, str]] = (
            set()
        )  #: lanes and signals about which a person has ended a decision

    @property
    def is_empty(self) -> bool:
        return not (self.new or self.ended or self.changed or self.standings or self.gone)

    @property
    def was_used(self) -> bool:
        return not self.is_empty

    def add(self, state: State, kept: Kept) -> None:
        self.new.append(kept)
        state.open[kept.key] = kept

    def end(self, state: State, kept: Kept, because: str, *, by: str = ACTOR) -> None:
        if state.open.get(kept.key) is not kept:
            return
        del state.open[kept.key]
        state.probe_out.pop(kept.key, None)
        if kept.id == 0:
            self.new.remove(kept)
            return
        if by != ACTOR:
            self.spoken.add((kept.lane, kept.signal))
        self.ended.append(End(decision=kept.id, because=because, by=by))
        self.changed.pop(kept.id, None)
        state.ends[kept.id] = because

    def build(self, fold: int) -> Write:
        return Write(
            fold=fold,
            new=self.new,
            ended=self.ended,
            changed=list(self.changed.values()),
            standings=self.standings,
            gone=self.gone,
        )


class Known(NamedTuple):
    """The counts of lanes that were just read: what is only remembered, and what is judged."""

    history: list[Delta]
    domains: list[DomainDelta]
    newest: list[Delta]
    newest_domains: list[DomainDelta]


def newest_apart(history: Sequence[Delta], domains: Sequence[DomainDelta], since: int) -> Known:
    """For each lane the newest minute with an event apart from the rest, without its mails: those are counted with the rest.

    Bounces at one domain are taken back from those that are known, so the domains of that minute go with its events."""
    newest: dict[int, int] = {}
    for place, one in enumerate(history):
        if one.minute >= since and (
            one.hard_bounces > 0 or one.complaints > 0 or one.blocks > 0 or one.delays > 0
        ):
            newest[one.lane] = place
    places = set(newest.values())
    minutes = {(history[place].lane, history[place].minute) for place in places}
    return Known(
        history=[
            one._replace(hard_bounces=0, complaints=0, blocks=0, delays=0) if place in places else one
            for place, one in enumerate(history)
        ],
        domains=[one for one in domains if (one.lane, one.minute) not in minutes],
        newest=[history[place]._replace(sent=0, delivered=0, opens=0) for place in sorted(places)],
        newest_domains=[one for one in domains if (one.lane, one.minute) in minutes],
    )


def _is_of(standing: Standing, delta: Delta) -> bool:
    target = target_of(0, standing.lane, part_of(standing.guilty))
    return target.covers_mail(delta.provider, delta.campaign, delta.list)


def held_beside(decision: Decision, all: Sequence[Decision]) -> str | None:
    """The part that is held for the same trouble, if this is about the whole lane."""
    if decision.guilty or decision.over or decision.level is not Level.THROTTLE:
        return None
    return next(
        (
            part_of(one.guilty)
            for one in all
            if one.lane == decision.lane
            and one.guilty
            and one.level is Level.CORDON
            and (one.signal, one.since, one.over) == (decision.signal, decision.since, False)
        ),
        None,
    )


def standing_of(engine: Breaker, kept: Kept) -> Standing | None:
    return next((one for one in engine.standing(kept.lane) if key_of(one) == kept.key), None)
