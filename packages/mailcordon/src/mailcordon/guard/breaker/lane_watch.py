"""One lane's counts as the breaker keeps them: blocks, epochs, campaigns and lists, and the lane's normal.

All of it follows from the counters and from what was decided before, so it can be built anew.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailcordon.guard.breaker import baselines
from mailcordon.guard.breaker.baselines import Epoch, Unlearned, Versions
from mailcordon.guard.breaker.blocks import Blocks
from mailcordon.guard.breaker.delay_curves import DelayCurves
from mailcordon.guard.breaker.fleet import Fleet
from mailcordon.guard.breaker.measures import (
    BLOCKS,
    BOUNCES,
    COMPLAINTS,
    DAY,
    DELAYS,
    FRESH_A_DAY,
    FRESH_MINUTES,
    PROVIDER_SIGNALS,
    SIGNALS,
    ceiling,
)
from mailcordon.guard.breaker.nouns import Dimension, LaneFacts, Slice
from mailcordon.guard.breaker.parts import KEEP_MINUTES, Part
from mailcordon.guard.counts import Delta, DomainDelta

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

#: Columns of providers that have none of their own: those that return complaints, and those that do not.
REST, REST_SILENT = 0, 1
NAMED = 2  #: the first column of a provider's own
_WEEK = 7 * DAY
_OWN_COLUMN = 200  #: mails a week from which a provider has a column of its own
_MOST_COLUMNS = 14
_EPOCH = 3 * DAY  #: mail of a campaign that goes on for longer is of another epoch
_MOST_EPOCHS = 400
_LEARN = 3 * DAY  #: between two looks at the lane's normal; one day while it has few epochs
_FEW_EPOCHS = 20
_RECENT_EPOCHS = 50  #: that a bounce can be of
#: Bounces of a day at one recipient domain that count, and as many as all mail outside the named providers usually has: how much
#: of it goes to the domain is not known.
DOMAIN_EVENTS = 3.0


@dataclass(slots=True)
class _Column:
    index: int
    since: int  #: mail of earlier minutes is in the rest


class LaneWatch:
    def __init__(
        self, facts: LaneFacts, minute: int, curves: DelayCurves, fleet: Fleet, silent: frozenset[int]
    ) -> None:
        self.facts = facts
        self.curves = curves
        self._fleet = fleet
        self._silent_providers = silent
        self.silent: list[bool] = [False, True]  #: columns of providers that return no complaints
        self.providers: list[int | None] = [None, None]  #: by column
        self._columns: dict[int, _Column] = {}
        self._weeks: dict[int, list[int]] = {}
        self.versions = Versions(baselines.unknown(facts.class_, NAMED))
        #: (signals, the lane and its columns): the ceiling, as odds.
        self.odds: Floats = self._odds(np.ones((len(SIGNALS), NAMED)))
        self.blocks = Blocks(minute, NAMED)
        self.epochs: list[Epoch] = []
        self._epoch_of: dict[tuple[str, int] | int, Epoch] = {}
        self._campaign_first: dict[str, int] = {}
        self.parts: dict[Slice, Part] = {}
        self._slices: dict[tuple[Dimension, str], Slice] = {}
        self._pairs: dict[tuple[str | None, str | None], tuple[Part, ...]] = {}
        self._used: dict[int, int] = {}
        #: Epochs of mail without a campaign that have evidence of their own from their beginning, with their first minutes.
        self.days: dict[int, int] = {}
        self.blocks.apart = self.days
        self._fresh_day = -1
        self._fresh_count = 0
        self.held: dict[Slice, int] = {}  #: parts that are judged, and since when
        self.troubles: list[Unlearned] = []
        self.accepted = 0
        self._learned = minute
        self._domains: dict[tuple[int, int], list[float]] = {}
        self._rest_sent: dict[int, float] = {}
        self.active_days: dict[int, float] = {}  #: mails by day, for the lane's busy day
        self._rows: list[Ints] | None = None
        self._rows_of = -1
        #: By signal: events since the last evaluation, and the columns that have some.
        self.news = [0] * len(SIGNALS)
        self.touched: list[set[int]] = [set() for _ in SIGNALS]
        self.heard = False  #: there are events that nobody has judged
        self.first = self.last = minute

    # Counting.

    def add(self, delta: Delta) -> None:
        minute, _, campaign, list_, provider, sent, _, bounces, complaints, blocks, delays, _ = delta
        if sent:
            self._add_sent(minute, campaign, list_, provider, sent)
        if bounces:
            self._add_event(BOUNCES, minute, campaign, list_, provider, bounces)
        if complaints:
            self._add_event(COMPLAINTS, minute, campaign, list_, provider, complaints)
        if blocks:
            self._add_event(BLOCKS, minute, campaign, list_, provider, blocks)
        if delays:
            self._add_event(DELAYS, minute, campaign, list_, provider, delays)

    def _add_sent(
        self, minute: int, campaign: str | None, list_: str | None, provider: int, sent: int
    ) -> None:
        if provider not in self._columns:
            self._maybe_own_column(minute, provider, sent)
        column = self._column(provider, minute)
        if minute > self.last:
            self.last = minute
        held = False
        parts = self._pairs.get((campaign, list_))
        if parts is None:
            parts = self._new_pair(campaign, list_, minute)
        for part in parts:
            part.add_sent(minute, column, sent, heard=not self.silent[column])
            held |= part.held_from is not None and part.held(minute)
        if held:
            return
        epoch = self._epoch(minute, campaign, create=True)
        assert epoch is not None
        if minute > epoch.last:
            epoch.last = minute
        count = epoch.sent[column] + sent
        epoch.sent[column] = count if count > 0.0 else 0.0
        day = minute // DAY
        self.active_days[day] = self.active_days.get(day, 0.0) + sent
        if column < NAMED:
            self._rest_sent[day] = self._rest_sent.get(day, 0.0) + sent
        if minute >= self.blocks.birth:
            self.blocks.add_sent(minute, epoch.number, self.versions.number, column, sent)

    def _new_pair(self, campaign: str | None, list_: str | None, minute: int) -> tuple[Part, ...]:
        found: list[Part] = []
        if campaign is not None:
            found.append(self._part(Dimension.CAMPAIGN, campaign, minute))
        if list_ is not None:
            found.append(self._part(Dimension.LIST, list_, minute))
        pair = self._pairs[campaign, list_] = tuple(found)
        return pair

    def _add_event(
        self, signal: int, minute: int, campaign: str | None, list_: str | None, provider: int, events: int
    ) -> None:
        column = self._column(provider, minute)
        if signal == COMPLAINTS and self.silent[column]:
            return
        held = False
        self.heard = True
        for part in self._pairs.get((campaign, list_), ()):
            part.add_event(minute, signal, column, events)
            held |= part.held_from is not None and part.held(minute)
        if held:
            return
        epoch = self._epoch(minute, campaign, create=False)
        number = -1
        if epoch is not None:
            number = epoch.number
            count = epoch.events[signal][column] + events
            epoch.events[signal][column] = count if count > 0.0 else 0.0
        if minute < self.blocks.birth or (signal in PROVIDER_SIGNALS and minute < self._used.get(column, 0)):
            return
        if self.blocks.add_event(minute, number, signal, column, events):
            self.news[signal] += abs(events)
            self.touched[signal].add(column)

    def add_domain(self, delta: DomainDelta) -> int:
        """Bounces that one recipient domain has too many of are taken back: they have one cause. Returns how many."""
        day = delta.minute // DAY
        counts = self._domains.setdefault((delta.domain, day), [0.0, 0.0])
        counts[0] = max(0.0, counts[0] + delta.hard_bounces)
        expected = float(self.versions.now.usual[BOUNCES, 0]) * self._rest_sent.get(day, 0.0)
        too_many = max(0.0, counts[0] - DOMAIN_EVENTS - expected)
        change = too_many - counts[1]
        if not change:
            return 0
        counts[1] = too_many
        return self._take_back(delta.minute, round(change))

    def _take_back(self, minute: int, bounces: int) -> int:
        """Of a domain outside the named providers. Nobody knows whose mail it was, so each campaign and list of the minute counts
        less: rather too little than too much."""
        taken_back = round(self.blocks.take_back(minute, BOUNCES, (REST, REST_SILENT), bounces))
        for part in self.parts.values():
            if part.first <= minute <= part.last and part.events[BOUNCES]:
                taken = part.blocks.take_back(minute, BOUNCES, (REST, REST_SILENT), bounces)
                part.events[BOUNCES] = max(0, part.events[BOUNCES] - round(taken))
                part.stale[BOUNCES] = True
        for epoch in self.epochs[-_RECENT_EPOCHS:]:
            if epoch.first <= minute <= epoch.last and bounces > 0:
                taken = min(epoch.events[BOUNCES][REST], bounces)
                epoch.events[BOUNCES][REST] -= taken
                bounces -= round(taken)
        return taken_back

    def _column(self, provider: int, minute: int) -> int:
        own = self._columns.get(provider)
        if own is not None and minute >= own.since:
            return own.index
        return REST_SILENT if provider in self._silent_providers else REST

    def _maybe_own_column(self, minute: int, provider: int, sent: int) -> None:
        week = self._weeks.get(provider)
        if week is None or minute - week[0] >= _WEEK:
            week = self._weeks[provider] = [minute, 0]
        week[1] += sent
        if week[1] < _OWN_COLUMN or len(self.providers) >= _MOST_COLUMNS or provider <= 0:
            return
        self._columns[provider] = _Column(len(self.providers), minute + 1)
        self.providers.append(provider)
        columns = len(self.providers)
        self.silent.append(provider in self._silent_providers)
        self.blocks.widen(columns)
        for epoch in self.epochs:
            epoch.widen(columns)
        for part in self.parts.values():
            part.blocks.widen(columns)
        self.versions.widen(self._learn(minute))
        self._rows = None

    def _epoch(self, minute: int, campaign: str | None, *, create: bool) -> Epoch | None:
        if campaign is None:
            key: tuple[str, int] | int = minute // DAY
        else:
            first = self._campaign_first.get(campaign)
            if first is None:
                if not create:
                    return None
                first = self._campaign_first[campaign] = minute
            key = (campaign, (minute - first) // _EPOCH)
        epoch = self._epoch_of.get(key)
        if epoch is None and create:
            number = self.epochs[-1].number + 1 if self.epochs else 0
            epoch = self._epoch_of[key] = Epoch(number, minute, len(self.providers))
            self.epochs.append(epoch)
            if campaign is None and minute >= self.blocks.birth and self._is_fresh(minute):
                self.days[number] = minute
            if minute - self._learned >= (DAY if len(self.epochs) < _FEW_EPOCHS else _LEARN):
                self.learn(minute)
            if len(self.epochs) > _MOST_EPOCHS:
                self._forget_epochs(minute)
        return epoch

    def _forget_epochs(self, minute: int) -> None:
        del self.epochs[: _MOST_EPOCHS // 8]
        kept = {each.number for each in self.epochs}
        self._epoch_of = {key: each for key, each in self._epoch_of.items() if each.number in kept}
        campaigns = {key[0] for key in self._epoch_of if isinstance(key, tuple)}
        self._campaign_first = {key: first for key, first in self._campaign_first.items() if key in campaigns}

    def _slice(self, dimension: Dimension, value: str) -> Slice:
        key = (dimension, value)
        found = self._slices.get(key)
        if found is None:
            found = self._slices[key] = Slice(dimension, value)
        return found

    def _part(self, dimension: Dimension, value: str, minute: int) -> Part:
        slice_ = self._slice(dimension, value)
        part = self.parts.get(slice_)
        if part is None:
            fresh = self._is_fresh(minute)
            part = self.parts[slice_] = Part(
                slice_,
                minute,
                len(self.providers),
                self.versions.number,
                weighted=fresh and minute >= self.blocks.birth,
            )
            part.held_from = self.held.get(slice_)
        return part

    def _is_fresh(self, minute: int) -> bool:
        """Whether one more new campaign, list or day has a share of the budget."""
        if minute // DAY != self._fresh_day:
            self._fresh_day, self._fresh_count = minute // DAY, 0
            self._forget_parts(minute)
        self._fresh_count += 1
        return self._fresh_count <= FRESH_A_DAY

    def _forget_parts(self, minute: int) -> None:
        for slice_ in [each.slice for each in self.parts.values() if each.last < minute - KEEP_MINUTES]:
            part = self.parts.pop(slice_)
            del self._slices[slice_.dimension, slice_.value]
            self._pairs = {key: pair for key, pair in self._pairs.items() if part not in pair}
        for number in [each for each, first in self.days.items() if first < minute - FRESH_MINUTES]:
            del self.days[number]
        for days in (self.active_days, self._rest_sent):
            for day in [day for day in days if day < minute // DAY - 28]:
                del days[day]
        for key in [key for key in self._domains if key[1] < minute // DAY - 28]:
            del self._domains[key]

    # The lane's normal.

    def learn(self, minute: int) -> None:
        self._learned = minute
        oldest = min(self.blocks.versions, default=self.versions.number)
        self.versions.add(self._learn(minute), oldest)

    def _learn(self, minute: int) -> baselines.Normal:
        ratios = np.ones((len(SIGNALS), len(self.providers)))
        for column, provider in enumerate(self.providers):
            if provider is not None:
                ratios[:, column] = self._fleet.ratios(provider)
        self.odds = self._odds(ratios)
        normal = baselines.learn(
            self.facts.class_,
            self.epochs,
            minute,
            np.array(self.silent),
            ratios,
            self.troubles,
            self.accepted,
        )
        self._report(minute, normal)
        return normal

    def _odds(self, ratios: Floats) -> Floats:
        lines = np.array([[ceiling(signal, self.facts.class_)] for signal in SIGNALS])
        rates = np.concatenate((lines, lines * np.maximum(1.0, ratios)), axis=1)
        return rates / (1.0 - rates)

    def _report(self, minute: int, normal: baselines.Normal) -> None:
        sums: Floats = np.zeros((2, len(SIGNALS), len(self.providers)))
        old = [each for each in self.epochs if each.last < minute - 4 * DAY]
        if old and len(self.providers) > NAMED:
            sums[0] = np.array([each.events for each in old]).sum(axis=0)
            sums[1] = normal.mean[:, :1] * np.array([each.sent for each in old]).sum(axis=0)
            self._fleet.report(
                self.facts.lane,
                {
                    provider: sums[:, :, column]
                    for column, provider in enumerate(self.providers)
                    if provider is not None
                },
            )

    @property
    def learns_at(self) -> int:
        """The first minute whose mail may make it look at its normal again."""
        return self._learned + DAY

    def plain_providers(self) -> frozenset[int] | None:
        """Providers whose mail cannot make a new column; None: no provider's can."""
        return None if len(self.providers) >= _MOST_COLUMNS else frozenset(self._columns)

    def accept(self, minute: int) -> None:
        """All that was seen so far is normal."""
        self.accepted = minute
        self.troubles = []
        self.versions.replace(self._learn(minute))

    @property
    def busy_day(self) -> float:
        """Mails of a busy day: the 90th percentile of the active ones."""
        return float(np.quantile(list(self.active_days.values()), 0.9)) if self.active_days else 0.0

    # Reading.

    def rows(self, signal: int) -> Ints:
        """The curve of each column."""
        if self._rows is None or self._rows_of != self.curves.changes:
            self._rows_of = self.curves.changes
            self._rows = [
                np.array([0 if each is None else self.curves.row(s, each) for each in self.providers])
                for s in range(len(SIGNALS))
            ]
        return self._rows[signal]

    def exposure(self, blocks: Blocks, signal: int, minute: int, *, of_mean: bool = False) -> Floats:
        """(columns, blocks): mails whose outcome can have come. `of_mean`: a block is as old as its mails on average, not as the
        oldest."""
        layout = blocks.layout
        ages = minute - layout.centres if of_mean else layout.ages(minute)
        seen = self.curves.upper(signal, self.rows(signal), ages)
        exposed = blocks.sent[:, : len(blocks)] * seen
        if signal == COMPLAINTS:
            exposed[self.silent] = 0.0
        return exposed

    def fresh(self, minute: int) -> Iterable[Part]:
        """New campaigns and lists with evidence of their own."""
        oldest = minute - FRESH_MINUTES
        return [
            each
            for each in self.parts.values()
            if each.weighted and each.held_from is None and each.first >= oldest
        ]

    def hold(self, slice_: Slice, minute: int | None) -> None:
        """A part is judged from a minute on; None: no more."""
        if minute is None:
            self.held.pop(slice_, None)
        else:
            self.held[slice_] = minute
        part = self.parts.get(slice_)
        if part is not None:
            part.held_from = minute

    def use(self, column: int, minute: int) -> None:
        """Evidence about a provider up to this minute is used: its blocks and delays."""
        self._used[column] = minute + 1
        self.blocks.events[list(PROVIDER_SIGNALS), column] = 0

    def clear(self, minute: int) -> None:
        """Evidence up to this minute is used."""
        self.blocks.clear(minute + 1)
        for part in self.parts.values():
            part.weighted = False
        self.days.clear()
        self.news = [0] * len(SIGNALS)
        for touched in self.touched:
            touched.clear()
