"""The evidence against one lane and its mail to each provider: that of its keys, added up with weights fixed in advance
(detection.md, section 7).

A key is only evaluated after an event of it, and only if the new events could take the lane past the level in question: between
events evidence can but fall.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mailcordon.guard.breaker.evidence import NOTHING, fixed, log_sum, mixture
from mailcordon.guard.breaker.lane_watch import NAMED, LaneWatch
from mailcordon.guard.breaker.measures import (
    ABSOLUTE,
    COMPLAINTS,
    FRESH,
    FRESH_A_DAY,
    LANE_SIGNALS,
    MEASURES,
    PROVIDER_SIGNALS,
    PROVIDERS,
    RELATIVE,
    SIGNALS,
    WHOLE,
    weight_until,
)
from mailcordon.guard.breaker.nouns import Half
from mailcordon.guard.breaker.parts import Part

Floats = NDArray[np.float64]

_SHARES = [MEASURES[signal].share for signal in SIGNALS]
_FRESH_SHARE = FRESH / FRESH_A_DAY
_MANY = 40  #: new events after which an evaluation is due whatever they could do
_COUNT = len(RELATIVE) + len(ABSOLUTE)
#: The part of a new start's weight that each alternative has.
_PARTS = [0.5 / len(RELATIVE)] * len(RELATIVE) + [0.5 / len(ABSOLUTE)] * len(ABSOLUTE)
#: By number of events: the most by which they raise each alternative's evidence.
_POWERS = [[each**events for each in (*RELATIVE, *ABSOLUTE)] for events in range(_MANY + 1)]
_NO_DAYS: Floats = np.zeros((0, _COUNT))
_TOP = 600.0  #: nats, beyond which exp() is cut off


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Natural logarithms of evidence. A healthy lane reaches `nats` once in exp(nats) days or less often."""

    nats: float
    relative: float
    absolute: float
    signal: int  #: that says most
    since: int  #: minute of the probable beginning

    def half(self, enough: float = math.inf) -> Half:
        """Which half decides: the one that says more, or the ceiling if that alone has `enough` nats."""
        return Half.ABSOLUTE if self.absolute >= min(enough, self.relative) else Half.RELATIVE


class LaneEvidence:
    def __init__(self, watch: LaneWatch) -> None:
        self._watch = watch
        self.clear()

    def clear(self) -> None:
        keys = 1 + len(self._watch.providers)
        shape = (len(SIGNALS), keys)
        self._relative: Floats = np.full(shape, NOTHING)
        self._absolute: Floats = np.full(shape, NOTHING)
        self._alternatives: Floats = np.full((*shape, _COUNT), NOTHING)
        self._since = np.zeros(shape, dtype=np.int64)
        #: By signal: the evidence of each alternative at the last evaluation, all keys together. No logarithm.
        self._sums: list[list[float]] = [[0.0] * _COUNT for _ in SIGNALS]
        self._weights = [0.0] * len(SIGNALS)
        self._shares: list[Floats] = []
        self._logs: list[Floats] = []
        #: By signal: days of mail without a campaign, as their first minutes and their alternatives.
        self._days: list[tuple[list[int], Floats]] = [([], _NO_DAYS) for _ in SIGNALS]

    def could_pass(self, signal: int, minute: int, nats: float) -> bool:
        """Whether the events since the last evaluation can have taken evidence to `nats`. Never False if they did."""
        if self._watch.news[signal] > _MANY:
            return True
        bound = self._bound(signal, minute)
        if signal in LANE_SIGNALS:
            other = LANE_SIGNALS[1 - signal]
            if self._watch.news[other] > _MANY:
                return True
            bound += self._bound(other, minute)
        return bound >= math.exp(nats)

    def _bound(self, signal: int, minute: int) -> float:
        age = minute - self._watch.blocks.birth + 1
        before = self._weights[signal]
        started = max(0.0, weight_until(max(0, age)) - before) + FRESH + (1.0 if before == 0.0 else 0.0)
        new = started * _SHARES[signal]
        powers = _POWERS[self._watch.news[signal]]
        return sum(
            (known + new * part) * power
            for known, part, power in zip(self._sums[signal], _PARTS, powers, strict=True)
        )

    def total(self) -> float:
        """Nats of the lane's evidence at the last evaluation."""
        total = sum(sum(self._sums[signal]) for signal in LANE_SIGNALS)
        return math.log(total) if total > 0.0 else NOTHING

    def evaluate(self, signal: int, minute: int, *, every: bool = False) -> None:
        """Of the keys with news, or of every one."""
        watch = self._watch
        if self._relative.shape[1] != 1 + len(watch.providers):
            self._widen()
        named = range(NAMED, len(watch.providers))
        columns = [each for each in named if every or each in watch.touched[signal]]
        keys = [1 + each for each in columns]
        if signal in LANE_SIGNALS:
            keys.insert(0, 0)
        if keys and len(watch.blocks):
            self._evaluate_keys(signal, minute, keys)
        if signal in LANE_SIGNALS:
            for part in watch.fresh(minute):
                if part.events[signal] and (every or part.stale[signal]):
                    self._evaluate_part(part, signal, minute)
        watch.news[signal] = 0
        watch.touched[signal].clear()
        self._weights[signal] = weight_until(max(1, minute - watch.blocks.birth + 1))
        self._sums[signal] = self._sum(signal, minute)

    def _evaluate_keys(self, signal: int, minute: int, keys: list[int]) -> None:
        watch = self._watch
        blocks = watch.blocks
        layout = blocks.layout
        count = len(blocks)
        exposed = watch.exposure(blocks, signal, minute)
        seen = blocks.events[signal][:, :count]
        version = watch.versions.index(layout.versions)
        usual = watch.versions.usual[version, signal].T[keys]
        steadiness = watch.versions.steadiness[version, signal].T[keys]
        if keys[0] == 0:
            columns = [key - 1 for key in keys[1:]]
            exposed = np.concatenate((exposed.sum(axis=0)[None], exposed[columns]))
            seen = np.concatenate((seen.sum(axis=0)[None], seen[columns]))
        else:
            columns = [key - 1 for key in keys]
            exposed, seen = exposed[columns], seen[columns]
        firsts: list[int] = []
        heads: list[int] = []
        if keys[0] == 0:
            for number, first in watch.days.items():
                head = layout.heads.get(number)
                if head is not None and head[1] == first:
                    heads.append(head[0])
                    firsts.append(first)
        found = mixture(
            seen, usual * exposed, watch.odds[signal][keys][:, None] * exposed, steadiness, layout, heads
        )
        if keys[0] == 0:
            self._days[signal] = (firsts, _NO_DAYS if found.epochs is None else found.epochs)
        self._relative[signal, keys] = found.relative
        self._absolute[signal, keys] = found.absolute
        self._alternatives[signal, keys] = np.maximum(found.alternatives, NOTHING)
        self._since[signal, keys] = layout.starts[found.best]

    def _evaluate_part(self, part: Part, signal: int, minute: int) -> None:
        watch = self._watch
        part.stale[signal] = False
        version = max(0, min(len(watch.versions.usual) - 1, part.version - watch.versions.first))
        usual = float(watch.versions.usual[version, signal, 0])
        odds = float(watch.odds[signal, 0])
        steadiness = float(watch.versions.steadiness[version, signal, 0])
        events = part.events[signal]
        # All its mail is at least as old as the last: mostly this says already that there is nothing.
        mails = part.heard if signal == COMPLAINTS else part.sent
        least = mails * watch.curves.upper_of_one(signal, minute - part.last)
        found = fixed(events, usual * least, odds * least, steadiness)
        if max(found.relative, found.absolute) > 0.0:
            exposed = float(watch.exposure(part.blocks, signal, minute).sum())
            found = fixed(events, usual * exposed, odds * exposed, steadiness)
        part.cached[signal] = found

    def _share(self, signal: int) -> Floats:
        """Of the lane's keys, in the budget."""
        watch = self._watch
        count = len(watch.providers)
        if not self._shares or len(self._shares[0]) != 1 + count:
            named = count - NAMED
            self._shares = [np.zeros(1 + count) for _ in SIGNALS]
            for each in LANE_SIGNALS:
                self._shares[each][0] = _SHARES[each] * (WHOLE if named else WHOLE + PROVIDERS)
                self._shares[each][1 + NAMED :] = _SHARES[each] * PROVIDERS / max(1, named)
            for each in PROVIDER_SIGNALS:
                self._shares[each][1 + NAMED :] = _SHARES[each] / max(1, named)
            with np.errstate(divide="ignore"):
                self._logs = [np.log(each) for each in self._shares]
        return self._shares[signal]

    def _log_shares(self, signal: int) -> Floats:
        self._share(signal)
        return self._logs[signal]

    def _sum(self, signal: int, minute: int) -> list[float]:
        sums: list[float] = (
            self._share(signal) @ np.exp(np.minimum(self._alternatives[signal], _TOP))
        ).tolist()
        if signal in LANE_SIGNALS:
            share = _SHARES[signal] * _FRESH_SHARE
            days = self._days[signal][1]
            if len(days):
                more = share * np.exp(np.minimum(days, _TOP)).sum(axis=0)
                sums = [one + other for one, other in zip(sums, more.tolist(), strict=True)]
            for part in self._watch.fresh(minute):
                if part.events[signal]:
                    for index, nats in enumerate(part.cached[signal].alternatives):
                        if nats > -20.0:
                            sums[index] += share * math.exp(min(nats, _TOP))
        return sums

    def lane(self, minute: int) -> Verdict:
        """Of the whole lane: bounces and complaints."""
        relative: list[float] = []
        absolute: list[float] = []
        best = (NOTHING, 0, minute)
        for signal in LANE_SIGNALS:
            shares = self._log_shares(signal)
            ones = self._relative[signal] + shares
            others = self._absolute[signal] + shares
            relative += ones.tolist()
            absolute += others.tolist()
            key = int(np.maximum(ones, others).argmax())
            best = max(best, (float(max(ones[key], others[key])), signal, int(self._since[signal, key])))
            share = math.log(_SHARES[signal] * _FRESH_SHARE)
            firsts, days = self._days[signal]
            for first, alternatives in zip(firsts, days.tolist(), strict=True):
                one, other = log_sum(alternatives[: len(RELATIVE)]), log_sum(alternatives[len(RELATIVE) :])
                relative.append(one + share)
                absolute.append(other + share)
                best = max(best, (max(one, other) + share, signal, first))
            for part in self._watch.fresh(minute):
                found = part.cached[signal]
                if part.events[signal]:
                    relative.append(found.relative + share)
                    absolute.append(found.absolute + share)
                    best = max(best, (max(found.relative, found.absolute) + share, signal, part.first))
        return _verdict(relative, absolute, best)

    def provider(self, column: int, signals: Sequence[int] = PROVIDER_SIGNALS) -> Verdict:
        """Of the lane's mail to one provider."""
        key = 1 + column
        shares = [float(self._log_shares(s)[key]) for s in signals]
        ones = [float(self._relative[s, key]) + share for s, share in zip(signals, shares, strict=True)]
        others = [float(self._absolute[s, key]) + share for s, share in zip(signals, shares, strict=True)]
        best = max(
            (max(one, other), s, int(self._since[s, key]))
            for s, one, other in zip(signals, ones, others, strict=True)
        )
        return _verdict(ones, others, best)

    def _widen(self) -> None:
        more = 1 + len(self._watch.providers) - self._relative.shape[1]
        self._relative = np.pad(self._relative, ((0, 0), (0, more)), constant_values=NOTHING)
        self._absolute = np.pad(self._absolute, ((0, 0), (0, more)), constant_values=NOTHING)
        self._alternatives = np.pad(self._alternatives, ((0, 0), (0, more), (0, 0)), constant_values=NOTHING)
        self._since = np.pad(self._since, ((0, 0), (0, more)))


def _verdict(relative: list[float], absolute: list[float], best: tuple[float, int, int]) -> Verdict:
    one, other = log_sum(relative), log_sum(absolute)
    return Verdict(nats=log_sum([one, other]), relative=one, absolute=other, signal=best[1], since=best[2])
