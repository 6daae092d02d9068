"""What is open about one lane: cases that begin, and their way back to health (detection.md, section 11)."""

import math
from collections.abc import Callable, Collection
from dataclasses import replace

from mailcordon.guard.breaker import case_counts
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
    still_sick,
    threshold,
)
from mailcordon.guard.breaker.lane_evidence import LaneEvidence
from mailcordon.guard.breaker.lane_watch import NAMED, LaneWatch
from mailcordon.guard.breaker.measures import (
    DAY,
    HOUR,
    LANE_SIGNALS,
    MEASURES,
    PROVIDER_SIGNALS,
    SIGNALS,
    ceiling,
)
from mailcordon.guard.breaker.nouns import Decision, Dimension, Half, Level, Phase, Slice, Standing
from mailcordon.guard.delays import Signal

PARTS = (Dimension.CAMPAIGN, Dimension.LIST)
LOG_STRICTER = math.log(STRICTER)
_LEARNED_OF = 240 * DAY  #: older mail teaches next to nothing


class LaneCases:
    def __init__(self, watch: LaneWatch, word: Callable[[int], str]) -> None:
        self.watch = watch
        self.evidence = LaneEvidence(watch)
        self.cases: dict[tuple[Slice, ...], Case] = {}
        self._word = word
        self._ended: list[Unlearned] = []
        self._restored: dict[Slice, int] = {}  #: providers, and before which minute their evidence is used

    def _nats(self, level: int, case: Case | None) -> float:
        facts = self.watch.facts
        on_probation = case is not None and case.phase is Phase.PROBATION
        nats = threshold(facts.class_, Level(level), facts.sensitivity)
        return nats + (LOG_STRICTER if on_probation else 0.0)

    def _is_settled(self, decision: Decision) -> bool:
        """Its evidence is used up: not if it is in shadow, since the ceiling still needs it."""
        return decision.half is Half.ABSOLUTE or not self.watch.facts.past_in_shadow

    def _open(self, decision: Decision, phase: Phase, minute: int) -> None:
        case = self.cases.get(decision.guilty)
        decided = case.decided if case is not None else self.watch.blocks.birth
        failed = case.failed_probes if case is not None and case.phase is Phase.PROBATION else 0
        self.cases[decision.guilty] = Case(
            guilty=decision.guilty,
            signal=decision.signal,
            phase=phase,
            since=minute,
            decided=minute + 1 if phase is Phase.CORDONED and self._is_settled(decision) else decided,
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
            if case.is_part and case.level:
                # Mail that is known to be bad is not tried: a person lets it go, or time does.
                if minute >= case.since + IDLE_MINUTES:
                    found += self._end(case, Phase.PROBATION, "expired", minute)
            elif case.phase is Phase.CORDONED:
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
        return nats < self._nats(level, None) + LOG_STRICTER

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

    def try_now(self, guilty: tuple[Slice, ...], minute: int, asked: int) -> bool:
        """A person does not wait for the next probe: it begins. Mail that is known to be bad is not tried.

        `asked`: the minute in which it was asked for. What was held after that was not meant."""
        case = self.cases.get(guilty)
        if case is None or case.phase is not Phase.CORDONED or case.is_part or case.since > asked:
            return False
        self._probe(case, minute)
        return True

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
        if case.is_part:
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
        # Of a decision in shadow the evidence is not used up.
        is_used = case.decision is None or case.decided > case.decision.minute
        if not case.guilty:
            self.watch.blocks.birth = max(self.watch.blocks.birth, case.decided)
            self.watch.accepted = standing.accepted
            self._ended = [
                Unlearned(SIGNALS.index(signal), since, until) for signal, since, until in standing.unlearned
            ]
        elif is_used and case.is_part and case.level:
            self.watch.hold(case.guilty[0], case.decided)
        elif is_used and case.guilty[0].dimension is Dimension.PROVIDER:
            self._restored[case.guilty[0]] = case.decided
        self._tell_troubles()
