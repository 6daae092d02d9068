"""A rehearsal from the counters to what would happen, beside what would happen otherwise. Deterministic; seconds of CPU for a
week of 200 tenants."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailcordon.guard.rehearsal import trust
from mailcordon.guard.rehearsal.change import BoughtList, Change, Rollout
from mailcordon.guard.rehearsal.mailing import mix, starts
from mailcordon.guard.rehearsal.move import FAULT, Move, Moved
from mailcordon.guard.rehearsal.play import Played, play
from mailcordon.guard.rehearsal.trust import Trust
from mailcordon.guard.rehearsal.week import Given, Way, Week, coming


@dataclass(frozen=True, slots=True)
class OfList:
    """A bought list: with the present policy and without any, each beside the same week without the list."""

    lane: int
    begins: int  #: minute of the first mail
    mix: Mapping[int, float]  #: shares of the list by provider
    guarded: Played
    unguarded: Played
    quiet: Played  #: under the policy, without the list
    untouched: Played  #: without a policy and without the list


@dataclass(frozen=True, slots=True)
class OfMove:
    lanes: Sequence[int]
    new: Mapping[int, Way]
    planned: Moved
    faulty: Moved | None  #: with a fault that the change does not name; None: it names one
    quiet: Played


@dataclass(frozen=True, slots=True)
class Answer:
    week: Week
    found: OfList | OfMove
    trust: Trust


def run(given: Given, change: Change, new: Mapping[int, Way]) -> Answer:
    """`new`: by lane, what it leaves from on its own path. The lanes of the change are in the record."""
    week = coming(given)
    quiet = play(week, None, guarded=True)
    found = _list(week, change, quiet) if isinstance(change, BoughtList) else _move(week, change, new, quiet)
    held = sum(
        result.breaker.mails + sum(kept.mails for _, kept in result.limits.values())
        for result in quiet.results
    )
    return Answer(week, found, trust.of(week, quiet.reactions.tallies.values(), held))


def _list(week: Week, change: BoughtList, quiet: Played) -> OfList:
    lane = week.lane(change.tenant, change.type)
    assert lane is not None, "who asks has looked for it"
    id = lane.facts.lane
    return OfList(
        lane=id,
        begins=starts(change, week)[0],
        mix=mix(week, id),
        guarded=play(week, change, guarded=True),
        unguarded=play(week, change, guarded=False),
        quiet=quiet,
        untouched=play(week, None, guarded=False),
    )


def _move(week: Week, change: Rollout, new: Mapping[int, Way], quiet: Played) -> OfMove:
    lanes = [
        one.facts.lane for one in week.lanes if one.slug == change.tenant and one.facts.type in change.types
    ]
    return OfMove(
        lanes=lanes,
        new=new,
        planned=Move(week, change, lanes, new, change.worse).play(),
        faulty=None if change.worse else Move(week, change, lanes, new, FAULT).play(),
        quiet=quiet,
    )
