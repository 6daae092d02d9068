"""One lane in the breaker: from its counts to evidence to decisions. `lane_cases` leads back to health."""

import math
from collections.abc import Callable, Collection

from mailcordon.core.priority import Class
from mailcordon.guard.breaker import attribution
from mailcordon.guard.breaker.cases import Case, stakes
from mailcordon.guard.breaker.lane_cases import LOG_STRICTER, PARTS, LaneCases
from mailcordon.guard.breaker.lane_evidence import Verdict
from mailcordon.guard.breaker.lane_watch import NAMED, LaneWatch
from mailcordon.guard.breaker.measures import (
    BLOCKS,
    DAY,
    LANE_SIGNALS,
    MEASURES,
    PROVIDER_SIGNALS,
    SIGNALS,
    ceiling,
)
from mailcordon.guard.breaker.nouns import Decision, Dimension, Half, Level, Phase, Slice, Suspect

_MOST = 0.8  #: of the excess, that one part must explain to be stopped alone
_AGAIN = 30 * DAY  #: a second part above the ceiling in this time, and the lane is stopped


class LaneState(LaneCases):
    """`narrow` False: parts of the mail cannot be held apart, so the whole lane is."""

    def __init__(self, watch: LaneWatch, word: Callable[[int], str], *, narrow: bool) -> None:
        super().__init__(watch, word)
        self.narrow = narrow
        self._parts_over: list[int] = []  #: minutes at which a part above the ceiling was stopped

    def judge(self, minute: int) -> list[Decision]:
        """After new counts."""
        found: list[Decision] = []
        if not self.watch.heard:
            return found
        self.watch.heard = False
        whole = self.cases.get(())
        judged_further = whole is None or whole.level < Level.CORDON or self._may_follow()
        if any(self.watch.news[s] for s in LANE_SIGNALS) and judged_further:
            found += self._judge_lane(minute, whole)
        for signal in PROVIDER_SIGNALS:
            if self.watch.news[signal]:
                found += self._judge_providers(signal, minute)
        for case in [each for each in self.cases.values() if each.phase is Phase.PROBING]:
            found += self._judge_probe(case, minute)
        return found

    def _judged_as(self) -> Case | None:
        """The case that says how strictly the whole lane is judged: also of a part of it that was let go."""
        for case in self.cases.values():
            if case.phase is Phase.PROBATION and (not case.guilty or case.is_part):
                return case
        return self.cases.get(())

    def _half(self, verdict: Verdict, threshold: float) -> Half:
        """What is above the ceiling stops mail for that, even where the lane's past says more but is in shadow."""
        return verdict.half(threshold if self.watch.facts.past_in_shadow else math.inf)

    def _is_followed(self, case: Case) -> bool:
        """Whether its mail was to be stopped for being unlike the past, and still leaves, since that half is in shadow: the
        ceiling is judged on."""
        return (
            self.watch.facts.past_in_shadow
            and case.phase is Phase.CORDONED
            and not case.pooled
            and case.decision is not None
            and case.decision.half is Half.RELATIVE
        )

    def _may_follow(self) -> bool:
        return any(
            self._is_followed(case) and SIGNALS.index(case.signal) in LANE_SIGNALS
            for case in self.cases.values()
        )

    def _judge_lane(self, minute: int, whole: Case | None) -> list[Decision]:
        follows = self._may_follow()
        level = Level.THROTTLE if follows else 0 if whole is None else whole.level
        judged = self._judged_as()
        # A big fish is judged a class stricter, which is only known once its suspects are.
        room = self.watch.facts.room is not None
        target = self._nats(level + 1, judged) + (LOG_STRICTER if room else 0.0)
        evaluated = False
        for signal in LANE_SIGNALS:
            if self.watch.news[signal] and self.evidence.could_pass(signal, minute, target):
                self.evidence.evaluate(signal, minute)
                evaluated = True
        if not evaluated or self.evidence.total() < target:
            return []
        for signal in LANE_SIGNALS:
            self.evidence.evaluate(signal, minute, every=True)
        verdict = self.evidence.lane(minute)
        if verdict.nats < target:
            return []
        lane, rest, ranked = attribution.suspects(
            self.watch, verdict.signal, verdict.since, minute, self._word
        )
        bonus, most = self._stakes(verdict, lane)
        reached = level
        for each in range(level + 1, most + 1):
            evidence = verdict.absolute if follows else self._evidence_for(Level(each), verdict)
            if evidence >= self._nats(each, judged) + bonus:
                reached = each
        if reached == level:
            return []
        return self._act(Level(reached), verdict, lane, rest, ranked, minute)

    def _evidence_for(self, level: Level, verdict: Verdict) -> float:
        """Urgent mail is only stopped for being above the ceiling; else a person decides."""
        urgent = self.watch.facts.class_ is Class.URGENT
        return verdict.absolute if urgent and level is Level.CORDON else verdict.nats

    def _stakes(self, verdict: Verdict, lane: Suspect) -> tuple[float, int]:
        """What to add to the thresholds, and the most that may be done (detection.md, section 8)."""
        facts, signal = self.watch.facts, SIGNALS[verdict.signal]
        room = None if facts.room is None else facts.room.get(signal)
        if room is None or lane.expected <= 0:
            return 0.0, Level.CORDON
        rate = lane.events * float(self.watch.versions.now.mean[verdict.signal, 0]) / lane.expected
        return stakes(signal, rate, ceiling(signal, facts.class_), self.watch.busy_day, room)

    def _act(
        self,
        level: Level,
        verdict: Verdict,
        lane: Suspect,
        rest: Suspect | None,
        ranked: Collection[Suspect],
        minute: int,
    ) -> list[Decision]:
        guilty, over_the_ceiling = (
            ((), False) if level < Level.CORDON else self._guilty(verdict, ranked, minute)
        )
        decision = self._decision(level, verdict, guilty, lane, ranked, minute, over_the_ceiling)
        if level < Level.CORDON:
            self._open(decision, Phase.WARNED if level is Level.WARN else Phase.THROTTLED, minute)
            return [decision]
        found = [decision]
        part = guilty or self._part_at_fault(ranked)
        if part and not guilty:
            # The lane will be tried without it.
            found.insert(0, self._decision(level, verdict, part, lane, ranked, minute))
        for each in found:
            self._open(each, Phase.CORDONED, minute)
        whole = self.cases.get(())
        is_settled = self._is_settled(decision)
        if is_settled and part and part[0].dimension in PARTS:
            self.watch.hold(part[0], minute + 1)
        if guilty:
            if whole is None or whole.level < Level.THROTTLE:
                also = self._decision(Level.THROTTLE, verdict, (), lane, ranked, minute, over_the_ceiling)
                self._open(also, Phase.THROTTLED, minute)
                found.append(also)
            if is_settled:
                self.cases[()].decided = minute + 1
        if is_settled:
            self.watch.clear(minute)
            self.evidence.clear()
        return found

    def _guilty(
        self, verdict: Verdict, ranked: Collection[Suspect], minute: int
    ) -> tuple[tuple[Slice, ...], bool]:
        """The narrowest part that explains it, () the whole lane; and whether the lane is healthy but for one part above the
        ceiling."""
        if not self.narrow:
            return (), False
        single = next((each for each in ranked if len(each.slices) == 1), None)
        if single is None or single.slices[0].dimension is Dimension.LANE or single.share < _MOST:
            return (), False
        half = self._half(verdict, self._nats(Level.CORDON, self._judged_as()))
        if half is Half.ABSOLUTE and single.slices[0].dimension is not Dimension.PROVIDER:
            self._parts_over = [each for each in self._parts_over if each > minute - _AGAIN]
            self._parts_over.append(minute)
            if len(self._parts_over) > 1:
                return (), False
            return single.slices, verdict.relative < self._nats(Level.CORDON, None)
        return single.slices, False

    def _part_at_fault(self, ranked: Collection[Suspect]) -> tuple[Slice, ...]:
        """The campaign or list that explains it; () if there is none, or parts cannot be held apart."""
        single = next((each for each in ranked if len(each.slices) == 1), None)
        if not self.narrow or single is None or single.share < _MOST:
            return ()
        return single.slices if single.slices[0].dimension in PARTS else ()

    def _decision(
        self,
        level: Level,
        verdict: Verdict,
        guilty: tuple[Slice, ...],
        lane: Suspect,
        ranked: Collection[Suspect],
        minute: int,
        over_the_ceiling: bool = False,
    ) -> Decision:
        facts = self.watch.facts
        case = self._judged_as() if verdict.signal in LANE_SIGNALS else self.cases.get(guilty)
        threshold = self._nats(level, case)
        return Decision(
            minute=minute,
            lane=facts.lane,
            level=level,
            signal=SIGNALS[verdict.signal],
            half=self._half(verdict, threshold),
            guilty=guilty,
            since=verdict.since,
            nats=verdict.nats,
            threshold=threshold,
            days=math.exp(min(60.0, verdict.nats)),
            events=lane.events,
            mails=lane.mails,
            usual=lane.expected,
            ceiling=ceiling(SIGNALS[verdict.signal], facts.class_),
            suspects=tuple(ranked)[:3],
            over_the_ceiling=over_the_ceiling,
            evidence={"relative": verdict.relative, "absolute": verdict.absolute},
        )

    def _judge_providers(self, signal: int, minute: int) -> list[Decision]:
        found: list[Decision] = []
        named = [each for each in self.watch.touched[signal] if each >= NAMED]
        if not named:
            self.watch.news[signal] = 0
            return found
        slices = {each: self._provider_slice(each) for each in named}
        for column, slice_ in slices.items():
            if slice_ in self._restored:
                self.watch.use(column, self._restored.pop(slice_) - 1)
        open_ = {each: self.cases.get((slices[each],)) for each in named}
        most = MEASURES[SIGNALS[signal]].most
        followed = {each for each, case in open_.items() if case is not None and self._is_followed(case)}
        levels = {
            each: Level.THROTTLE if each in followed else 0 if case is None else case.level
            for each, case in open_.items()
        }
        named = [each for each in named if levels[each] < most]
        target = min((self._nats(levels[each] + 1, open_[each]) for each in named), default=math.inf)
        if not self.evidence.could_pass(signal, minute, target):
            return found
        self.evidence.evaluate(signal, minute)
        for column in named:
            case = open_[column]
            verdict = self.evidence.provider(column)
            reached = levels[column]
            for each in range(reached + 1, Level.THROTTLE + 1):
                if verdict.nats >= self._nats(each, case):
                    reached = each
            # Delays alone stop nothing.
            blocks = self.evidence.provider(column, (BLOCKS,))
            evidence = blocks.absolute if column in followed else blocks.nats
            if most >= Level.CORDON and evidence >= self._nats(Level.CORDON, case):
                verdict, reached = blocks, int(Level.CORDON)
            if reached == levels[column]:
                continue
            lane, _, ranked = attribution.suspects(
                self.watch, verdict.signal, verdict.since, minute, self._word
            )
            mine = [each for each in ranked if each.slices == (slices[column],)]
            ranked = [*mine, *(each for each in ranked if each not in mine)]
            about = mine[0] if mine else lane
            decision = self._decision(Level(reached), verdict, (slices[column],), about, ranked, minute)
            phase = (Phase.WARNED, Phase.THROTTLED, Phase.CORDONED)[reached - 1]
            self._open(decision, phase, minute)
            if phase is Phase.CORDONED and self._is_settled(decision):
                self.watch.use(column, minute)
                self.evidence.clear()
            found.append(decision)
        return found

    def _provider_slice(self, column: int) -> Slice:
        provider = self.watch.providers[column]
        assert provider is not None
        return Slice(Dimension.PROVIDER, self._word(provider))
