"""Gates: old and new path compared, one measure at a time.

A gate answers `back` if the new path is shown to be worse by more than the margin, `pass` if going on has what it needs,
else `wait`. Both tests may be looked at as often as one likes (evidence.py).

The errors that are stated: a new path that is no worse than the margin goes back in at most FALSE_BACK of rollouts,
whatever their number of lanes, providers, measures, days and looks: evidence is averaged with weights that are fixed before
(detection.md 7). A path that is worse by more than the margin to go on passes a measure that must be shown in at most
FALSE_PASS of steps.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from mailcordon.core.provider import Provider
from mailcordon.guard.rollouts import evidence
from mailcordon.guard.rollouts.nouns import (
    Facts,
    Gate,
    Margin,
    Measure,
    Rates,
    Side,
    Standing,
    Stratum,
    Verdict,
)
from mailcordon.messages import rollouts as words

FALSE_BACK = 0.01  #: of rollouts from the first share to the last
FALSE_PASS = 0.05  #: of steps, for each measure that must be shown

#: Of a path that providers know. Choices: what AWS and providers act on is a multiple of these (ses.md 7, detection.md 6).
MARGINS = {
    Measure.UNREPORTED: Margin(1.0, 0.02),
    Measure.UNDELIVERED: Margin(1.0, 0.01),
    Measure.REFUSED: Margin(1.0, 0.005),
    Measure.SUPPRESSED: Margin(1.0, 0.01),
    Measure.BOUNCED: Margin(1.0, 0.005),
    Measure.DELAYED: Margin(1.5, 0.02),
    Measure.LATE: Margin(1.5, 0.02),
    Measure.COMPLAINED: Margin(1.0, 0.0005),
    Measure.OPENED: Margin(0.8, 0.0),
}
#: Rates of an ordinary lane, until the old path's own are known.
USUAL = {
    Measure.UNREPORTED: 0.001,
    Measure.UNDELIVERED: 0.005,
    Measure.REFUSED: 0.001,
    Measure.SUPPRESSED: 0.001,
    Measure.BOUNCED: 0.008,
    Measure.DELAYED: 0.01,
    Measure.LATE: 0.01,
    Measure.COMPLAINED: 0.0003,
    Measure.OPENED: 0.2,
}
#: A reference below this share of the usual rate says that there was too little mail to see any.
_LEAST_REFERENCE = 0.2

#: A provider trusts a new domain or address less until it knows it (ses.md 7): up to so many days, so many times the margin.
WIDENED = ((3.0, 3.0), (7.0, 2.0), (14.0, 1.5))
#: Whether events reach us, and what SES suppresses, no provider has to learn.
_NEVER_WIDENED = frozenset({Measure.UNREPORTED, Measure.SUPPRESSED})
#: What must be shown before the share grows, by the present share: few recipients can lose little.
GOING_ON = ((1, 4.0), (5, 2.0), (100, 1.0))
MUST_SHOW = (Measure.UNREPORTED, Measure.UNDELIVERED, Measure.BOUNCED, Measure.DELAYED)
#: Before this share only that events reach us must be shown. One in a hundred recipients are too few people to show more: of
#: 2,000 they are 20, and what these do again and again is no new evidence (`./dev bench moves`).
ALL_SHOWN_FROM = 5

#: What a recipient does once keeps it from doing it again (it is suppressed), or it is not the recipient's doing.
_ONCE = frozenset({Measure.UNREPORTED, Measure.SUPPRESSED, Measure.BOUNCED, Measure.COMPLAINED})

#: To go on, mails of one recipient beyond so many are new evidence: a full mailbox or a host that is down lasts days, not weeks.
#: Without it a lane with mail every day would never have enough, since its mailings grow as its evidence does. A way back goes by
#: all of them.
MOST_REPEATS = 7.0

# Weights of what is watched. They are fixed before anything is seen, and sum to 1.
WEIGHTS = {
    Measure.UNREPORTED: 0.15,
    Measure.UNDELIVERED: 0.15,
    Measure.REFUSED: 0.15,
    Measure.SUPPRESSED: 0.10,
    Measure.BOUNCED: 0.15,
    Measure.DELAYED: 0.10,
    Measure.LATE: 0.05,
    Measure.COMPLAINED: 0.10,
    Measure.OPENED: 0.05,
}
_ALL, _BY_PROVIDER, _BY_LANE = 0.4, 0.4, 0.2
_PROVIDERS = {Provider.GMAIL: 0.2, Provider.MICROSOFT: 0.2, Provider.YAHOO: 0.15, Provider.APPLE: 0.1}
_OTHER_PROVIDERS = (1 - sum(_PROVIDERS.values())) / (len(Provider) - len(_PROVIDERS))

#: Nats, before the weights, that keep a share from growing without a way back: luck shows as much once in 20 looks.
DOUBT = math.log(20)

_DAY = 1440
_DAY_MS = 86_400_000


class _Key(NamedTuple):
    """What evidence is added up over."""

    provider: int | None = None
    lane: int | None = None


_EVERYTHING = _Key()


class _Part(NamedTuple):
    """Mail that differs by its path alone."""

    day: int
    lane: int
    provider: int
    batch: str | None


#: The sides of both paths, new and old.
_Parts = Mapping[_Part, tuple[Sequence[Side], Sequence[Side]]]


def widening(measure: Measure, days: float) -> float:
    """How many times the margin is allowed on a path whose first mail is so many days old: providers have to learn it."""
    if measure in _NEVER_WIDENED:
        return 1.0
    return next((times for until, times in WIDENED if days < until), 1.0)


def widened(margin: Margin, times: float) -> Margin:
    """A margin that allows so many times the difference."""
    ratio = 1 + (margin.ratio - 1) * times
    return Margin(max(0.1, ratio), margin.points * times)


def margin(measure: Measure, days: float) -> Margin:
    """What is allowed of a path whose first mail is so many days old."""
    return widened(MARGINS[measure], widening(measure, days))


def margin_to_go_on(measure: Measure, days: float, share: int) -> Margin:
    """What must be shown before a share grows."""
    times = next(times for until, times in GOING_ON if share <= until)
    return widened(margin(measure, days), times)


def must_show(measure: Measure, share: int) -> bool:
    """Whether a share grows only once this measure is shown to be sound."""
    return measure is Measure.UNREPORTED or (measure in MUST_SHOW and share >= ALL_SHOWN_FROM)


def reference(measure: Measure, facts: Facts) -> float:
    """The rate that the tests are made for. A wrong one makes them slower and nothing else."""
    return max(facts.reference.get(measure, USUAL[measure]), _LEAST_REFERENCE * USUAL[measure])


def judge(standing: Standing, facts: Facts) -> tuple[Gate, ...]:
    """Every measure's gate, the most alarming first. None while no mail may take the new path."""
    if standing.share <= 0:
        return ()
    now = facts.now // 60_000
    days = 0.0 if standing.first_mail is None else max(0.0, (now - standing.first_mail) / _DAY)
    judge_one = _against_ceiling if standing.share >= 100 else _compared
    measures = [measure for measure in Measure if measure is not Measure.LATE or _any_timed(facts)]
    parts = _parts(facts.strata)
    found = [judge_one(measure, standing, facts, parts, now, days) for measure in measures]
    gates = sorted((gate for gate in found if gate is not None), key=lambda gate: -gate.harm)
    # The error is promised for the sum of all e-values. It may pass where none does by itself.
    total = evidence.log_mean([gate.harm for gate in gates], [1.0] * len(gates))
    breach = total >= _back_at(standing)
    return tuple(_judged(gate, standing, back=breach and place == 0) for place, gate in enumerate(gates))


def _any_timed(facts: Facts) -> bool:
    """Whether a lane has an objective of time, and mail that it was measured of. Else there is nothing to say of it."""
    return any(stratum.new.timed or stratum.old.timed for stratum in facts.strata)


def _judged(gate: Gate, standing: Standing, *, back: bool) -> Gate:
    if back:
        verdict = Verdict.BACK
    elif gate.doubt >= DOUBT or (gate.pass_at is not None and gate.sound < gate.pass_at):
        verdict = Verdict.WAIT
    else:
        verdict = Verdict.PASS
    return replace(gate, verdict=verdict, sentence=_sentence(gate, verdict, standing))


def _sentence(gate: Gate, verdict: Verdict, standing: Standing) -> str:
    doubtful = verdict is Verdict.BACK or gate.doubt >= DOUBT
    return words.gate(
        measure=gate.measure.value,
        verdict=verdict.value,
        new=gate.seen.new,
        new_of=round(gate.seen.new_of),
        old=None if standing.share >= 100 else gate.seen.old,
        old_of=round(gate.seen.old_of),
        allowed=gate.margin.of(gate.seen.old_share),
        provider=Provider(gate.provider).word if doubtful and gate.provider is not None else None,
        widened=gate.widened,
        doubtful=doubtful,
        shown=gate.pass_at is None or gate.sound >= gate.pass_at,
        to_show=gate.pass_margin.of(gate.seen.old_share),
    )


def mature_mails(facts: Facts) -> float:
    """Mails of the new path whose bounces can have come, if they take twice their time."""
    new = [stratum.new for stratum in facts.strata]
    return evidence.acquitted(Measure.BOUNCED, new, (), facts.now // 60_000).new_of


def mailings(strata: Sequence[Stratum]) -> Mapping[int, int]:
    """Mails that one recipient had of each lane at most: of each campaign one, and on each day one of a lane's mail without a
    campaign. Of who mails more often than that, more evidence is counted than there is."""
    found: dict[int, set[str | int]] = {}
    for stratum in strata:
        found.setdefault(stratum.lane, set()).add(stratum.batch or stratum.first // _DAY)
    return {lane: len(each) for lane, each in found.items()}


def repeats(of_lanes: Mapping[int, int], *, apart: bool = False) -> float:
    """Mails that one recipient had at most, of all lanes together. `apart`: the lanes are of different tenants, each of which
    chooses its own recipients, so that nobody counts in two."""
    return float(max(1, max(of_lanes.values(), default=1) if apart else sum(of_lanes.values())))


def _back_at(standing: Standing) -> float:
    """The budget of the rollout is split evenly over its shares. A rollout that begins again has a new one."""
    return math.log(len(standing.shares) / FALSE_BACK)


def _compared(
    measure: Measure, standing: Standing, facts: Facts, parts: _Parts, now: int, days: float
) -> Gate:
    allowed = margin(measure, days)
    expected = reference(measure, facts)
    seen = {part: evidence.accused(measure, *sides, now) for part, sides in parts.items()}
    alternatives = evidence.worse(measure, allowed, expected)

    def log(one: evidence.Seen, alternative: tuple[float, float]) -> float:
        return evidence.nats(one, allowed, *alternative)

    harm, at, doubt = _harm(measure, standing, facts, seen, alternatives, log)
    shown = margin_to_go_on(measure, days, standing.share)
    must = must_show(measure, standing.share)
    late = [evidence.acquitted(measure, *sides, now) for sides in parts.values()] if must else []
    sound = evidence.log_mean(
        [
            sum(evidence.nats(one, shown, *alternative) for one in late)
            / min(_repeats(measure, facts), MOST_REPEATS)
            for alternative in evidence.alike(expected)
        ]
    )
    return Gate(
        measure=measure,
        verdict=Verdict.WAIT,
        margin=allowed,
        widened=widening(measure, days),
        pass_margin=shown,
        seen=_rates(seen, at),
        harm=harm,
        doubt=doubt,
        back_at=_back_at(standing),
        sound=sound,
        pass_at=math.log(1 / FALSE_PASS) if must else None,
        provider=at.provider,
        lane=at.lane,
    )  # fmt: skip


def _against_ceiling(
    measure: Measure, standing: Standing, facts: Facts, parts: _Parts, now: int, days: float
) -> Gate | None:
    """Where all mail takes the new path, nothing is left to compare it with: it must stay below what the objectives allow, or
    below what the margin allows beside the old path's own past, whichever is more. That past is of all mail together: a provider
    or a lane by itself may always have had more, so it is not held against it."""
    if measure is Measure.OPENED:
        return None  # opens differ from campaign to campaign by more than a broken path would change
    allowed = margin(measure, days)
    ceiling = max(facts.ceilings.get(measure, 0.0), allowed.of(reference(measure, facts)))
    seen = {part: evidence.against_all(measure, *sides, now) for part, sides in parts.items()}
    alternatives = tuple((min(1.0, times * ceiling), ceiling) for times in evidence.WORSE)

    def log(one: evidence.Seen, alternative: tuple[float, float]) -> float:
        return evidence.above(one.new, one.new_of, ceiling, alternative[0])

    harm, at, doubt = _harm(measure, standing, facts, seen, alternatives, log)
    return Gate(
        measure=measure,
        verdict=Verdict.WAIT,
        margin=Margin(0.0, ceiling),
        widened=widening(measure, days),
        pass_margin=Margin(0.0, ceiling),
        seen=_rates(seen, at),
        harm=harm,
        doubt=doubt,
        back_at=_back_at(standing),
        sound=0.0,
        pass_at=None,
        provider=at.provider,
        lane=at.lane,
    )


def _parts(strata: Sequence[Stratum]) -> _Parts:
    """Hours of a day are added up: the split is the same in all of them."""
    parts: dict[_Part, tuple[list[Side], list[Side]]] = {}
    for stratum in strata:
        part = _Part(stratum.first // _DAY, stratum.lane, stratum.provider, stratum.batch)
        new, old = parts.setdefault(part, ([], []))
        if stratum.new.first:
            new.append(stratum.new)
        if stratum.old.first:
            old.append(stratum.old)
    return parts


def _harm(
    measure: Measure,
    standing: Standing,
    facts: Facts,
    seen: Mapping[_Part, evidence.Seen],
    alternatives: Sequence[tuple[float, float]],
    log: Callable[[evidence.Seen, tuple[float, float]], float],
) -> tuple[float, _Key, float]:
    """Nats of harm with the weight of the measure, where it is clearest, and the same without any weight."""
    begun = standing.since // _DAY_MS
    sums: dict[_Key, list[dict[int, float]]] = {}
    repeats: dict[_Key, float] = {}
    for part, one in seen.items():
        if one.new_of <= 0:
            continue
        day = max(1, part.day - begun + 1)
        keys = _keys(part, standing)
        for number, alternative in enumerate(alternatives):
            nats = log(one, alternative)
            for key in keys:
                if key not in sums:
                    sums[key] = [{} for _ in alternatives]
                    repeats[key] = _repeats(measure, facts, key.lane)
                days = sums[key][number]
                days[day] = days.get(day, 0.0) + nats / repeats[key]
    if not sums:
        return -math.inf, _EVERYTHING, -math.inf
    logs = {
        key: evidence.log_mean([evidence.since_any_day(days.items()) for days in each])
        for key, each in sums.items()
    }
    weighted = {
        key: nats + math.log(WEIGHTS[measure] * _weight(key, standing.lanes)) for key, nats in logs.items()
    }
    clearest = max(weighted, key=lambda key: (weighted[key], key == _EVERYTHING))
    total = evidence.log_mean(list(weighted.values()), [1.0] * len(weighted))
    doubt = logs[clearest]
    # Without a doubt nothing is said of a provider or a lane, so what is shown is all mail.
    return total, clearest if doubt >= DOUBT else _EVERYTHING, doubt


def _keys(part: _Part, standing: Standing) -> list[_Key]:
    if standing.share >= 100:
        return [_EVERYTHING]
    by_lane = [_Key(lane=part.lane)] if standing.lanes > 1 else []
    return [_EVERYTHING, _Key(provider=part.provider), *by_lane]


def _weight(key: _Key, lanes: int) -> float:
    if key.provider is not None:
        named = {int(provider): weight for provider, weight in _PROVIDERS.items()}
        return _BY_PROVIDER * named.get(key.provider, _OTHER_PROVIDERS)
    if key.lane is not None:
        return _BY_LANE / max(1, lanes)
    return _ALL


def weights_of(lanes: Sequence[int]) -> tuple[float, ...]:
    """The weights of all that evidence is added up over, in a rollout of these lanes."""
    keys = [_EVERYTHING, *(_Key(provider=int(one)) for one in Provider), *(_Key(lane=lane) for lane in lanes)]
    return tuple(_weight(key, len(lanes)) for key in keys)


def _repeats(measure: Measure, facts: Facts, lane: int | None = None) -> float:
    """A product of k dependent e-values, to the power of 1/k, has a mean of at most 1 (Hoelder's inequality). A recipient with a
    full mailbox delays each of its mails, and one who opens mail opens all of it, of every lane, always on the same path.
    `lane`: of its mail alone."""
    if measure in _ONCE:
        return 1.0
    return max(1.0, facts.repeats if lane is None else facts.mailings.get(lane, facts.repeats))


def _rates(seen: Mapping[_Part, evidence.Seen], key: _Key) -> Rates:
    whole = evidence.added(
        one
        for part, one in seen.items()
        if key.provider in (None, part.provider) and key.lane in (None, part.lane)
    )
    return Rates(new=whole.new, new_of=whole.new_of, old=whole.old, old_of=whole.old_of)
