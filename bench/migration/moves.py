"""One seeded move: a sender's mail goes through the course of a rollout, look by look, until it stands or goes back.

What is counted is what the roles' counters would hold: mails by lane, provider and campaign or hour, and events as they arrive.
`mailcordon.guard.rollouts` decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from bench.migration.population import DAY, HEARD, HOUR, PROVIDERS, Flags, Floats, Ints, Mails, Sender
from mailcordon.guard.rollouts import course, gates
from mailcordon.guard.rollouts.nouns import (
    Check,
    Decision,
    Facts,
    Item,
    Measure,
    Side,
    Standing,
    State,
    Stratum,
    Verdict,
)

#: Minutes since 1970 at which every move begins: a Monday.
START: Final = 29_540_160
#: Minutes between two looks. The loop of the roles looks each few seconds; more looks find a breach sooner.
EVERY: Final = 180
#: A move that stands is watched for so many days more.
WATCHED: Final = 3
#: A move that has not ended by then is given up: what keeps it is said.
MOST_DAYS: Final = 21
_WIDTH: Final = len(PROVIDERS)
_COUNTED: Final = tuple(measure for measure in Measure if measure is not Measure.UNREPORTED)


@dataclass(frozen=True, slots=True)
class Effect:
    """What is wrong with the new path."""

    measure: Measure
    more: float  #: share of its mails to which this happens besides; of `opened`: share of the opens that do not come
    providers: frozenset[int] = frozenset(range(_WIDTH))  #: places in PROVIDERS
    lanes: frozenset[int] | None = None  #: None: all


@dataclass(frozen=True, slots=True)
class Defect:
    name: str
    effects: tuple[Effect, ...]
    check: Check | None = None  #: the line of the checklist that sees it


@dataclass(slots=True)
class Moved:
    """What became of a move. Minutes count from its first look."""

    seed: int
    volume: float  #: mails a day
    back: bool = False
    share: int = 0  #: at which it went back, or the last one
    by: str = ""  #: the measure or check that led back or keeps it
    sentence: str = ""
    minutes: int = 0
    mails: int = 0  #: on the new path until the end
    stood: int | None = None  #: when all mail took the new path
    lasted: dict[int, int] = field(default_factory=dict[int, int])  #: minutes, by share
    looks: int = 0


def move(sender: Sender, defect: Defect | None = None, *, checks: bool = True, every: int = EVERY) -> Moved:
    """`checks`: whether the checklist sees the defect; else only the counts do."""
    reference = sender.reference()
    begin = 7 * HOUR
    standing = Standing(state=State.RUNNING, share=0, since=_ms(begin), lanes=sender.lanes)
    found = Moved(sender.seed, sender.volume)
    today: list[Mails] = []
    made = before = 0
    counted = Counted(0, begin, defect)
    for minute in range(begin, MOST_DAYS * DAY, every):
        while made * DAY <= minute:
            today = sender.day(made)
            made += 1
            for mails in today:
                counted.add(mails)
        strata = counted.strata(minute)
        mailings = gates.mailings(strata)
        if standing.first_mail is None and counted.new_mails:
            standing = replace(standing, first_mail=START + counted.first_new)
        facts = Facts(
            now=_ms(minute),
            strata=strata,
            reference=reference,
            checklist=_checklist(defect if checks else None, standing),
            repeats=gates.repeats(mailings),
            mailings=mailings,
        )
        decision = course.look(standing, facts)
        found.looks += 1
        found.minutes = minute - begin
        if decision.verdict is Verdict.WAIT:
            found.sentence = decision.sentence
            found.by = decision.blocked_by[0] if decision.blocked_by else ""
            if standing.share == 0:
                break  # the checklist does not let it begin
            if standing.state is State.STANDING and minute - _minute(standing.since) >= WATCHED * DAY:
                break
            continue
        before += counted.new_mails
        found.lasted[standing.share] = minute - _minute(standing.since)
        if decision.verdict is Verdict.BACK:
            found.back = True
            found.by = _by(decision)
            found.sentence = decision.sentence
            before -= counted.new_mails
            break
        standing = course.after(standing, decision, _ms(minute))
        found.share = standing.share
        if standing.state is State.STANDING:
            found.stood = found.minutes
        counted = Counted(standing.share, minute, defect)
        for mails in today:
            counted.add(mails)
    found.mails = before + counted.new_mails
    return found


def _by(decision: Decision) -> str:
    gate = next((one for one in decision.gates if one.verdict is Verdict.BACK), None)
    return gate.measure.value if gate is not None else "check"


class Counted:
    """Mail since a share began, counted up to a minute that only grows."""

    def __init__(self, share: int, since: int, defect: Defect | None) -> None:
        self._share = share
        self._since = since
        self._defect = defect
        self._keys: list[tuple[int, str | None]] = []
        #: What has not come yet: minutes, and places: 2 x (batch x providers + provider) + (1 if the old path).
        self._sent: list[tuple[Floats, Ints]] = []
        self._coming: dict[Measure, list[tuple[Floats, Ints]]] = {measure: [] for measure in Measure}
        self._counts: dict[Measure, Ints] = {measure: np.zeros(0, dtype=np.int64) for measure in Measure}
        self._sides = np.zeros((3, 0), dtype=np.int64)  #: first, last, sent

    def add(self, mails: Mails) -> None:
        if self._share <= 0:
            return
        of = mails.at >= self._since
        if not of.any():
            return
        new = mails.chance * 100 < self._share
        places = 2 * (len(self._keys) * _WIDTH + mails.provider) + ~new
        self._keys.append((mails.lane, mails.batch))
        self._sent.append((mails.at[of], places[of]))
        for measure in Measure:
            when = mails.when[measure]
            if measure is Measure.UNREPORTED:
                when = np.where(np.isfinite(when), mails.at, np.inf)  # it is missing from the start
            for effect in self._defect.effects if self._defect else ():
                if effect.measure is measure and (effect.lanes is None or mails.lane in effect.lanes):
                    when = _worse(effect, mails, new, when)
            happens = of & np.isfinite(when)
            self._coming[measure].append((when[happens], places[happens]))

    def strata(self, now: int) -> tuple[Stratum, ...]:
        size = len(self._keys) * _WIDTH * 2
        sides = np.zeros((3, size), dtype=np.int64)
        sides[0] = 1 << 60
        had = self._sides.shape[1]
        sides[:, :had] = self._sides
        for at, places in _come(self._sent, now):
            minutes = at.astype(np.int64) + START
            np.minimum.at(sides[0], places, minutes)
            np.maximum.at(sides[1], places, minutes)
            sides[2] += np.bincount(places, minlength=size)
        self._sides = sides
        for measure, coming in self._coming.items():
            counts = np.zeros(size, dtype=np.int64)
            counts[:had] = self._counts[measure]
            for _, places in _come(coming, now):
                counts += np.bincount(places, minlength=size)
            self._counts[measure] = counts
        return tuple(self._made(size))

    def _made(self, size: int) -> list[Stratum]:
        first, last, sent = (one.tolist() for one in self._sides)
        counts = {measure.value: one.tolist() for measure, one in self._counts.items()}
        missing = counts.pop(Measure.UNREPORTED.value)

        def side(place: int) -> Side:
            if not sent[place]:
                return Side()
            return Side(
                first=first[place],
                last=last[place],
                sent=sent[place],
                reported=sent[place] - missing[place],
                heard=sent[place] if HEARD[place // 2 % _WIDTH] else 0,
                timed=sent[place],
                **{measure.value: counts[measure.value][place] for measure in _COUNTED},
            )

        found: list[Stratum] = []
        for place in range(0, size, 2):
            if sent[place] or sent[place + 1]:
                lane, batch = self._keys[place // 2 // _WIDTH]
                provider = int(PROVIDERS[place // 2 % _WIDTH][0])
                found.append(Stratum(lane, provider, batch, side(place), side(place + 1)))
        return found

    @property
    def new_mails(self) -> int:
        return int(self._sides[2, ::2].sum())

    @property
    def first_new(self) -> int:
        return int(self._sides[0, ::2].min()) - START


def _come(coming: list[tuple[Floats, Ints]], now: int) -> list[tuple[Floats, Ints]]:
    """Takes what has come by now out of what is coming."""
    came: list[tuple[Floats, Ints]] = []
    left: list[tuple[Floats, Ints]] = []
    for when, places in coming:
        there = when < now
        if there.any():
            came.append((when[there], places[there]))
        if not there.all():
            left.append((when[~there], places[~there]))
    coming[:] = left
    return came


def _worse(effect: Effect, mails: Mails, new: Flags, when: Floats) -> Floats:
    of = new & np.isin(mails.provider, list(effect.providers))
    hit = of & (mails.bad < effect.more)
    if effect.measure is Measure.OPENED:
        return np.where(hit, np.inf, when)
    at = mails.at if effect.measure is Measure.UNREPORTED else mails.at + mails.age[effect.measure]
    return np.where(hit, np.minimum(when, at), when)


def _checklist(defect: Defect | None, standing: Standing) -> tuple[Item, ...]:
    broken = None if defect is None else defect.check
    return tuple(
        Item(
            check=check,
            of="move",
            holds=check is not broken,
            said=f"{check.value} does not hold: {defect.name}." if defect and check is broken else "",
            since=standing.since,
        )
        for check in Check
    )


def _ms(minute: int) -> int:
    return (START + minute) * 60_000


def _minute(ms: int) -> int:
    return ms // 60_000 - START
