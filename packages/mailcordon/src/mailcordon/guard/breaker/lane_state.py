"""One lane in the breaker: from its counts to evidence to decisions, and back to health."""

import math
from collections.abc import Callable, Collection
from dataclasses import replace

from mailcordon.core.priority import Class
from mailcordon.guard.breaker import attribution, case_counts
from mailcordon.guard.breaker.baselines import Unlearned
from mailcordon.guard.breaker.cases import (
    IDLE_MINUTES,
    PROBATION_MINUTES,
    QUIET_MINUTES,
    REMEMBER_MINUTES,
    STRICTER,
    THROTTLE_EVENTS,
    THROTTLE_MINUTES,
    WARN_MINUTES,
    Case,
    healthy_again,
    stakes,
    still_sick,
    threshold,
)
from mailcordon.guard.breaker.lane_evidence import LaneEvidence, Verdict
from mailcordon.guard.breaker.lane_watch import NAMED, LaneWatch
from mailcordon.guard.breaker.measures import (
    BLOCKS,
    DAY,
    HOUR,
    LANE_SIGNALS,
    MEASURES,
    PROVIDER_SIGNALS,
    SIGNALS,
    ceiling,
)
from mailcordon.guard.breaker.nouns import (
    Decision,
    Dimension,
    Half,
    Level,
    Phase,
    Slice,
    Standing,
    Suspect,
)
from mailcordon.guard.delays import Signal

_MOST = 0.8  #: of the excess, that one part must explain to be stopped alone
_LEARNED_OF = 240 * DAY  #: older mail teaches next to nothing
_AGAIN = 30 * DAY  #: a second part above the ceiling in this time, and the lane is stopped
_LOG_STRICTER = math.log(STRICTER)


class LaneState:
    """`narrow` False: parts of the mail cannot be held apart, so the whole lane is."""

    def __init__(self, watch: LaneWatch, word: Callable[[int], str], *, narrow: bool) -> None:
        self.watch = watch
        self.evidence = LaneEvidence(watch)
        self.cases: dict[tuple[Slice, ...], Case] = {}
        self.narrow = narrow
        self._word = word
        self._parts_over: list[int] = []  #: minutes at which a part above the ceiling was stopped
        self._ended: list[Unlearned] = []
        self._restored: dict[Slice, int] = {}  #: providers, and before which minute their evidence is used

    # Judging.

    def judge(self, minute: int) -> list[Decision]:
        """After new counts."""
        found: list[Decision] = []
        if not self.watch.heard:
            return found
        self.watch.heard = False
        whole = self.cases.get(())
        if any(self.watch.news[s] for s in LANE_SIGNALS) and (whole is None or whole.level < Level.CORDON):
            found += self._judge_lane(minute, whole)
        for signal in PROVIDER_SIGNALS:
            if self.watch.news[signal]:
                found += self._judge_providers(signal, minute)
        for case in [each for each in self.cases.values() if each.phase is Phase.PROBING]:
            found += self._judge_probe(case, minute)
        return found

    def _nats(self, level: int, case: Case | None) -> float:
        facts = self.watch.facts
        on_probation = case is not None and case.phase is Phase.PROBATION
        nats = threshold(facts.class_, Level(level), facts.sensitivity)
        return nats + (_LOG_STRICTER if on_probation else 0.0)

    def _judge_lane(self, minute: int, whole: Case | None) -> list[Decision]:
        level = 0 if whole is None else whole.level
        # A big fish is judged a class stricter, which is only known once its suspects are.
        room = self.watch.facts.room is not None
        target = self._nats(level + 1, whole) + (_LOG_STRICTER if room else 0.0)
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
            if self._evidence_for(Level(each), verdict) >= self._nats(each, whole) + bonus:
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
        self._open(decision, Phase.CORDONED, minute)
        whole = self.cases.get(())
        if guilty:
            if guilty[0].dimension in (Dimension.CAMPAIGN, Dimension.LIST):
                self.watch.hold(guilty[0], minute + 1)
            if whole is None or whole.level < Level.THROTTLE:
                also = self._decision(Level.THROTTLE, verdict, (), lane, ranked, minute, over_the_ceiling)
                self._open(also, Phase.THROTTLED, minute)
                found.append(also)
            self.cases[()].decided = minute + 1
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
        if verdict.half is Half.ABSOLUTE and single.slices[0].dimension is not Dimension.PROVIDER:
            self._parts_over = [each for each in self._parts_over if each > minute - _AGAIN]
            self._parts_over.append(minute)
            if len(self._parts_over) > 1:
                return (), False
            return single.slices, verdict.relative < self._nats(Level.CORDON, None)
        return single.slices, False

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
        case = self.cases.get(guilty)
        return Decision(
            minute=minute,
            lane=facts.lane,
            level=level,
            signal=SIGNALS[verdict.signal],
            half=verdict.half,
            guilty=guilty,
            since=verdict.since,
            nats=verdict.nats,
            threshold=self._nats(level, case),
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
        levels = {each: 0 if case is None else case.level for each, case in open_.items()}
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
            if most >= Level.CORDON and blocks.nats >= self._nats(Level.CORDON, case):
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
            if phase is Phase.CORDONED:
                self.watch.use(column, minute)
                self.evidence.clear()
            found.append(decision)
        return found

    def _provider_slice(self, column: int) -> Slice:
        provider = self.watch.providers[column]
        assert provider is not None
        return Slice(Dimension.PROVIDER, self._word(provider))

    def _open(self, decision: Decision, phase: Phase, minute: int) -> None:
        case = self.cases.get(decision.guilty)
        decided = case.decided if case is not None else self.watch.blocks.birth
        failed = case.failed_probes if case is not None and case.phase is Phase.PROBATION else 0
        self.cases[decision.guilty] = Case(
            guilty=decision.guilty,
            signal=decision.signal,
            phase=phase,
            since=minute,
            decided=minute + 1 if phase is Phase.CORDONED else decided,
            failed_probes=failed,
            decision=decision,
        )
        self._tell_troubles()

    def _tell_troubles(self) -> None:
        """What is not to be learned from."""
        lasting = [
            Unlearned(SIGNALS.index(case.signal), case.decision.since, None)
            for case in self.cases.values()
            if case.level and case.decision is not None and not case.pooled
        ]
        self.watch.troubles = [*self._ended, *lasting]

    # The way back.

    def tick(self, minute: int) -> list[Decision]:
        found: list[Decision] = []
        for case in list(self.cases.values()):
            if case.pooled:
                continue
            if case.phase is Phase.CORDONED:
                if minute >= case.since + case.cool_minutes:
                    self._probe(case, minute)
            elif case.phase is Phase.PROBING:
                if minute >= case.looked + HOUR:
                    found += self._judge_probe(case, minute)
            elif case.phase is Phase.WARNED:
                if minute >= case.since + WARN_MINUTES and self._quiet(case, Level.WARN, minute):
                    found += self._end(case, Phase.HEALTHY, "quiet", minute)
            elif case.phase is Phase.THROTTLED:
                found += self._maybe_end_throttle(case, minute)
            elif case.phase is Phase.PROBATION:
                if minute >= case.since + PROBATION_MINUTES:
                    case.phase, case.since, case.failed_probes = Phase.HEALTHY, minute, 0
            elif case.phase is Phase.HEALTHY and minute >= case.since + REMEMBER_MINUTES:
                del self.cases[case.guilty]
        return found

    def _quiet(self, case: Case, level: Level, minute: int) -> bool:
        """Whether the evidence is well below a level."""
        signals = LANE_SIGNALS if not case.guilty else PROVIDER_SIGNALS
        if case.guilty and SIGNALS.index(case.signal) in LANE_SIGNALS:
            return True
        for signal in signals:
            self.evidence.evaluate(signal, minute, every=True)
        if case.guilty:
            column = case_counts.column(self.watch, self._word, case)
            nats = -math.inf if column is None else self.evidence.provider(column).nats
        else:
            nats = self.evidence.lane(minute).nats
        return nats < self._nats(level, None) + _LOG_STRICTER

    def _maybe_end_throttle(self, case: Case, minute: int) -> list[Decision]:
        if not self._quiet(case, Level.THROTTLE, minute):
            case.quiet_since = None
            return []
        if case.quiet_since is None:
            case.quiet_since = minute
        if minute < case.quiet_since + QUIET_MINUTES:
            return []
        if minute < case.since + THROTTLE_MINUTES:
            signal = SIGNALS.index(case.signal)
            _, aged, _ = case_counts.totals(
                self.watch, self._word, case, signal, minute - DAY, minute, lower=False
            )
            if aged * float(self.watch.versions.now.mean[signal, 0]) < THROTTLE_EVENTS:
                return []
        return self._end(case, Phase.HEALTHY, "quiet", minute)

    def _probe(self, case: Case, minute: int) -> None:
        case.phase, case.since = Phase.PROBING, minute
        case.probe_from, case.probe_mails = minute + 1, MEASURES[case.signal].probe_mails
        case.probed = 0
        column = case_counts.column(self.watch, self._word, case)
        if column is not None:
            case.decided = minute + 1
            self.watch.use(column, minute)
        if not case.guilty:
            case.decided = minute + 1
            self.watch.clear(minute)
            self.evidence.clear()

    def _judge_probe(self, case: Case, minute: int) -> list[Decision]:
        assert case.probe_from is not None
        case.looked = minute
        signal = SIGNALS.index(case.signal)
        events, aged, mails = case_counts.totals(
            self.watch, self._word, case, signal, case.probe_from, minute, lower=True
        )
        case.probed = round(mails)
        key = 0 if case.guilty == () else 1 + (case_counts.column(self.watch, self._word, case) or 0)
        key = key if key > NAMED else 0
        normal = self.watch.versions.now
        usual, steadiness = float(normal.usual[signal, key]), float(normal.steadiness[signal, key])
        line = ceiling(case.signal, self.watch.facts.class_)
        _, early, _ = case_counts.totals(
            self.watch, self._word, case, signal, case.probe_from, minute, lower=False
        )
        nats = self._nats(Level.THROTTLE, None)
        if still_sick(events, usual * early, line / (1.0 - line) * early, steadiness, nats):
            return [self._fail_probe(case, minute, events, mails, usual * early)]
        if healthy_again(events, aged, usual, line):
            return self._end(case, Phase.PROBATION, "probed", minute)
        if minute >= case.since + IDLE_MINUTES and mails < MEASURES[case.signal].probe_mails:
            return self._end(case, Phase.PROBATION, "expired", minute)
        if mails >= case.probe_mails and minute >= case.since + case.cool_minutes:
            case.since = minute  # nothing is decided yet: some more may leave
            case.probe_mails += MEASURES[case.signal].probe_mails
        return []

    def _fail_probe(self, case: Case, minute: int, events: float, mails: float, usual: float) -> Decision:
        assert case.decision is not None
        before = case.decision
        nats = self._nats(Level.THROTTLE, None)
        decision = replace(
            before,
            minute=minute,
            level=Level.CORDON,
            since=case.probe_from or minute,
            nats=nats,
            threshold=nats,
            days=math.exp(nats),
            events=round(events),
            mails=round(mails),
            usual=usual,
            why="probe failed",
            evidence={},
        )
        failed = case.failed_probes + 1
        self._open(decision, Phase.CORDONED, minute)
        case = self.cases[case.guilty]
        case.failed_probes = failed
        if not case.guilty:
            self.watch.clear(minute)
            self.evidence.clear()
        return decision

    def _end(self, case: Case, phase: Phase, why: str, minute: int) -> list[Decision]:
        before = case.decision
        if before is not None and not case.pooled:
            self._ended = [each for each in self._ended if (each.until or minute) > minute - _LEARNED_OF]
            self._ended.append(Unlearned(SIGNALS.index(case.signal), before.since, minute))
        case.phase, case.since = phase, minute
        case.probe_from, case.probe_mails, case.quiet_since = None, 0, None
        if case.guilty and case.guilty[0].dimension in (Dimension.CAMPAIGN, Dimension.LIST):
            self.watch.hold(case.guilty[0], None)
        self._tell_troubles()
        if before is None:
            return []
        return [replace(before, minute=minute, over=True, why=why, evidence={})]

    def let_go(self, guilty: tuple[Slice, ...], minute: int) -> list[Decision]:
        case = self.cases.get(guilty)
        if case is None or not case.level:
            return []
        case.decided = minute + 1
        if not guilty:
            self.watch.clear(minute)
            self.evidence.clear()
        return self._end(case, Phase.PROBATION, "let go", minute)

    def pooled(self, decision: Decision) -> None:
        """A pool that the lane belongs to is throttled, or is no more."""
        if decision.over:
            self.cases.pop(decision.guilty, None)
        else:
            self._open(decision, Phase.THROTTLED, decision.minute)

    def accept(self, minute: int) -> list[Decision]:
        found: list[Decision] = []
        for case in list(self.cases.values()):
            if case.level:
                found += self._end(case, Phase.HEALTHY, "accepted", minute)
        self._ended = []
        self.watch.accept(minute)
        self.watch.clear(minute)
        self.evidence.clear()
        return found

    def permit(self, slices: Collection[Slice] | None) -> float:
        share = 1.0
        for case in self.cases.values():
            if case.level < Level.THROTTLE:
                continue
            if case.guilty and not case.pooled:
                if slices is None and case.guilty[0].dimension is Dimension.PROVIDER:
                    continue
                if slices is not None and not set(case.guilty) <= set(slices):
                    continue
            share = min(share, case.permitted)
        return share

    # Keeping.

    def standings(self) -> list[Standing]:
        lane = self.watch.facts.lane
        found = [each.standing(lane) for each in self.cases.values()]
        if not self._ended and not self.watch.accepted:
            return found
        if () not in self.cases:
            birth = self.watch.blocks.birth
            found.append(Case((), Signal.BOUNCES, Phase.HEALTHY, birth, birth).standing(lane))
        memory = tuple((SIGNALS[each.signal], each.since, each.until) for each in self._ended)
        return [
            each if each.guilty else replace(each, unlearned=memory, accepted=self.watch.accepted)
            for each in found
        ]

    def restore(self, standing: Standing) -> None:
        case = Case.of(standing)
        self.cases[case.guilty] = case
        if not case.guilty:
            self.watch.blocks.birth = max(self.watch.blocks.birth, case.decided)
            self.watch.accepted = standing.accepted
            self._ended = [
                Unlearned(SIGNALS.index(signal), since, until) for signal, since, until in standing.unlearned
            ]
        elif case.guilty[0].dimension in (Dimension.CAMPAIGN, Dimension.LIST) and case.level:
            self.watch.hold(case.guilty[0], case.decided)
        elif case.guilty[0].dimension is Dimension.PROVIDER:
            self._restored[case.guilty[0]] = case.decided
        self._tell_troubles()
