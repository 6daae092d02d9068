"""New lanes that share a label, judged together (detection.md, section 16.3).

200 new tenants that send 50 mails a day each are too small to be judged alone; all of them together are not. A pool compares
with the ceiling only, has a budget of its own, and throttles its members: it never stops one.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from mailcordon.core.priority import Class
from mailcordon.guard.breaker.blocks import Blocks
from mailcordon.guard.breaker.cases import STRICTER, THROTTLE_MINUTES
from mailcordon.guard.breaker.delay_curves import DelayCurves
from mailcordon.guard.breaker.evidence import mixture
from mailcordon.guard.breaker.measures import (
    COMPLAINTS,
    DAY,
    LANE_SIGNALS,
    MEASURES,
    POOL_DAYS,
    SIGNALS,
    ceiling,
    odds,
)
from mailcordon.guard.breaker.nouns import Decision, Dimension, Half, LaneFacts, Level, Slice, Suspect
from mailcordon.guard.counts import Delta

NEW_MINUTES = 30 * DAY  #: as long is a lane new
EVERYBODY = "new"  #: the label that all new lanes have
_HEARD, _SILENT = 0, 1
_LEAST_MEMBERS = 3  #: lanes with events; fewer are judged alone
_EVERY = 5  #: minutes between two judgements
_MOST = 0.8  #: of the excess, that the members with one label must explain to be throttled alone
_NATS = math.log(POOL_DAYS)


@dataclass(slots=True)
class _Member:
    facts: LaneFacts
    since: int
    mails: int = 0
    events: int = 0


class Pool:
    """The new lanes of one class with one label. It is one epoch: the ceiling knows no past."""

    def __init__(self, label: str, class_: Class, minute: int) -> None:
        self.slice = Slice(Dimension.POOL, label)
        self.everybody = label == EVERYBODY
        self.class_ = class_
        self._blocks = Blocks(minute, 2)
        self._members: dict[int, _Member] = {}
        self._news = [0] * len(SIGNALS)
        self._judged = 0
        self._nats = [-math.inf] * len(SIGNALS)
        self._since = [0] * len(SIGNALS)
        self.throttled: Decision | None = None

    def add(self, facts: LaneFacts, since: int, delta: Delta, *, silent: bool) -> None:
        member = self._members.get(facts.lane)
        if member is None:
            member = self._members[facts.lane] = _Member(facts, since)
        column = _SILENT if silent else _HEARD
        if delta.sent:
            member.mails += delta.sent
            self._blocks.add_sent(delta.minute, 0, 0, column, delta.sent)
        for signal, events in ((0, delta.hard_bounces), (1, 0 if silent else delta.complaints)):
            if events and self._blocks.add_event(delta.minute, 0, signal, column, events):
                member.events = max(0, member.events + events)
                self._news[signal] += abs(events)

    def take_back(self, lane: int, minute: int, bounces: int) -> None:
        """Hard bounces of a member that have one cause with others that count."""
        member = self._members.get(lane)
        if member is not None:
            taken = self._blocks.take_back(minute, 0, (_HEARD, _SILENT), bounces)
            member.events = max(0, member.events - round(taken))

    def judge(self, minute: int, curves: DelayCurves, parts: Collection["Pool"] = ()) -> list[Decision]:
        """A throttle of each member, once. Of `parts`, pools of its members, the one that explains it is throttled instead."""
        if not any(self._news) or minute < self._judged + _EVERY:
            return []
        if (
            self.throttled is not None
            or sum(each.events > 0 for each in self._members.values()) < _LEAST_MEMBERS
        ):
            return []
        self._judged = minute
        self._evaluate(minute, curves)
        signal = max(LANE_SIGNALS, key=lambda each: self._nats[each])
        if self._nats[signal] < _NATS:
            return []
        whole = self._excess(signal, minute, curves)
        for part in parts:
            if part.throttled is None and part._excess(signal, minute, curves) >= _MOST * whole:
                return part._throttle(signal, minute, curves, self._nats[signal])
        return self._throttle(signal, minute, curves, self._nats[signal])

    def _throttle(self, signal: int, minute: int, curves: DelayCurves, nats: float) -> list[Decision]:
        self._forget_old(minute)
        self._evaluate(minute, curves)
        self._nats[signal] = max(nats, self._nats[signal])
        self.throttled = self._decision(signal, minute, curves)
        return [self._of(member, minute) for member in self._members.values()]

    def leave(self, lanes: Collection[int], minute: int) -> None:
        """These lanes are judged elsewhere, and what was seen of all together is used."""
        for lane in lanes:
            self._members.pop(lane, None)
        self._blocks.clear(minute + 1)
        self._news = [0] * len(SIGNALS)

    def _excess(self, signal: int, minute: int, curves: DelayCurves) -> float:
        count = len(self._blocks)
        if not count:
            return 0.0
        events = float(self._blocks.events[signal][:, :count].sum())
        return events - MEASURES[SIGNALS[signal]].prior * float(self._exposed(signal, minute, curves).sum())

    def newcomer(self, lane: int, minute: int) -> Decision | None:
        """The throttle of a lane that joined a throttled pool."""
        member = self._members.get(lane)
        return None if self.throttled is None or member is None else self._of(member, minute)

    def tick(self, minute: int, curves: DelayCurves) -> list[Decision]:
        """The ends of the members' throttles."""
        before = self.throttled
        if before is None or minute < before.minute + THROTTLE_MINUTES:
            return []
        self._evaluate(minute, curves)
        if max(self._nats[each] for each in LANE_SIGNALS) >= _NATS + math.log(STRICTER):
            return []
        found = [self._of(member, minute, over=True) for member in self._members.values()]
        self.throttled = None
        self._forget_old(minute)
        return found

    def let_go(self, minute: int) -> list[Decision]:
        """A person frees all members. What was seen of them is used, so that they are not throttled for it again."""
        if self.throttled is None:
            return []
        found = [self._of(member, minute, over=True, why="let go") for member in self._members.values()]
        self.throttled = None
        self._blocks.clear(minute + 1)
        self._news = [0] * len(SIGNALS)
        self._forget_old(minute)
        return found

    def restore(self, facts: LaneFacts, since: int, decision: Decision) -> None:
        """A member's throttle that was open before a restart."""
        self._members.setdefault(facts.lane, _Member(facts, since))
        self.throttled = decision

    def forget(self, lane: int) -> None:
        self._members.pop(lane, None)

    def _forget_old(self, minute: int) -> None:
        for lane in [each for each, member in self._members.items() if minute - member.since > NEW_MINUTES]:
            del self._members[lane]

    def _evaluate(self, minute: int, curves: DelayCurves) -> None:
        count = len(self._blocks)
        if not count:
            self._nats = [-math.inf] * len(SIGNALS)
            return
        layout = self._blocks.layout
        for signal in LANE_SIGNALS:
            self._news[signal] = 0
            seen = self._blocks.events[signal][:, :count].sum(axis=0)[None]
            exposed = self._exposed(signal, minute, curves)[None]
            line = odds(ceiling(SIGNALS[signal], self.class_))
            # The relative half needs a past, which a changing crowd has not.
            found = mixture(seen, exposed, line * exposed, np.ones_like(seen), layout)
            share = MEASURES[SIGNALS[signal]].share
            self._nats[signal] = float(found.absolute[0]) + math.log(2.0 * share)
            self._since[signal] = int(layout.starts[found.best_absolute[0]])

    def _exposed(
        self, signal: int, minute: int, curves: DelayCurves
    ) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        count = len(self._blocks)
        sent = self._blocks.sent[:, :count]
        mails = sent[_HEARD] if signal == COMPLAINTS else sent.sum(axis=0)
        return mails * curves.upper_of_all(signal, self._blocks.layout.ages(minute))

    def _decision(self, signal: int, minute: int, curves: DelayCurves) -> Decision:
        since = self._since[signal]
        late = self._blocks.layout.starts >= since
        count = len(self._blocks)
        line = ceiling(SIGNALS[signal], self.class_)
        events = round(float(self._blocks.events[signal][:, :count].sum(axis=0)[late].sum()))
        mails = round(float(self._blocks.sent[:, :count].sum(axis=0)[late].sum()))
        usual = MEASURES[SIGNALS[signal]].prior * float(self._exposed(signal, minute, curves)[late].sum())
        return Decision(
            minute=minute,
            lane=0,
            level=Level.THROTTLE,
            signal=SIGNALS[signal],
            half=Half.ABSOLUTE,
            guilty=(self.slice,),
            since=since,
            nats=self._nats[signal],
            threshold=_NATS,
            days=math.exp(min(60.0, self._nats[signal])),
            events=events,
            mails=mails,
            usual=usual,
            ceiling=line,
            suspects=(
                Suspect(
                    slices=(self.slice,),
                    events=events,
                    mails=mails,
                    expected=usual,
                    nats=self._nats[signal],
                    share=1.0,
                ),
            ),
            evidence={"members": len(self._members)},
        )

    def _of(self, member: _Member, minute: int, *, over: bool = False, why: str = "quiet") -> Decision:
        assert self.throttled is not None
        one = self.throttled
        return Decision(
            minute=minute,
            lane=member.facts.lane,
            level=one.level,
            signal=one.signal,
            half=one.half,
            guilty=one.guilty,
            since=one.since,
            nats=one.nats,
            threshold=one.threshold,
            days=one.days,
            events=one.events,
            mails=one.mails,
            usual=one.usual,
            ceiling=one.ceiling,
            suspects=one.suspects,
            over=over,
            why=why if over else "",
            evidence=one.evidence,
        )
