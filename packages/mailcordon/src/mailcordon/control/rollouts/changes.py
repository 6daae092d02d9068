"""What people do to rollouts: begin, go on, hold, go back, finish, and let something pass with a reason."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from mailcordon.control import lookup
from mailcordon.control.lookup import TenantNames
from mailcordon.control.plans import Plan
from mailcordon.control.rollouts.facts import LaneFacts
from mailcordon.control.rollouts.loop import Open, Rollouts, RolloutStore, late_from
from mailcordon.control.steps import Step, StepKind
from mailcordon.core.errors import Conflict, Fault, Invalid, NotFound
from mailcordon.guard.rollouts import course
from mailcordon.guard.rollouts.course import WATCHED
from mailcordon.guard.rollouts.nouns import SHARES, Decision, Item, Standing, State, Verdict
from mailcordon.messages import rollouts as words

MOST_LANES = 200
LONGEST_FREEZE_MS = 366 * 86_400_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A lane that may be moved."""

    lane: int
    type: str
    share: int | None  #: percent on its own path; None: it has one path


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a rollout would do, and what stands in its way."""

    tenant: str
    shares: tuple[int, ...]
    lanes: tuple[LaneFacts, ...]
    checklist: tuple[Item, ...]
    decision: Decision  #: about the first share


class ChangeStore(RolloutStore, TenantNames, Protocol):
    async def now_ms(self) -> int: ...

    async def one(self, id: int) -> Open | None: ...

    async def candidates(self, tenant: int, types: Sequence[str] | None) -> Sequence[Candidate]:
        """Lanes that take mail: of these types, or all."""
        ...

    async def start(
        self,
        tenant: int,
        lanes: Sequence[int],
        shares: Sequence[int],
        pace: float,
        first_late: Mapping[int, int],
        *,
        actor: str,
        because: str,
    ) -> int:
        """`first_late`: as in `late`. Raises Conflict if one of the lanes is in a rollout already."""
        ...

    async def override(
        self, one: Open, keys: Sequence[str], share: int, *, actor: str, because: str
    ) -> None: ...

    async def keep_plan(self, id: int, plan: int) -> None:
        """The plan that drops the old path, of a rollout that is being finished."""
        ...

    async def freeze(
        self, tenant: int | None, since: int, until: int, *, actor: str, because: str
    ) -> int: ...

    async def unfreeze(self, id: int, *, actor: str, because: str) -> bool: ...


class PlanMaker(Protocol):
    async def make(self, asked: Sequence[Step] | None, *, actor: str, because: str | None = None) -> Plan: ...


class Changes:
    def __init__(self, store: ChangeStore, rollouts: Rollouts, plans: PlanMaker) -> None:
        self._store = store
        self._rollouts = rollouts
        self._plans = plans

    async def preview(self, slug: str, types: Sequence[str] | None, shares: Sequence[int] | None) -> Preview:
        """A dry run: nothing is changed. Raises NotFound, Invalid and Conflict as `start` does."""
        tenant = await lookup.tenant_id(self._store, slug)
        chosen = _shares(shares)
        lanes = await self._lanes(tenant, slug, types)
        now = await self._store.now_ms()
        one = Open(
            id=0,
            tenant=tenant,
            slug=slug,
            version=0,
            standing=Standing(state=State.RUNNING, share=0, since=now, shares=chosen, lanes=len(lanes)),
            lanes=tuple(lane.lane for lane in lanes),
            types=tuple(lane.type for lane in lanes),
            reference={},
            overrides=(),
            freezes=(),
            broken={},
            looked_at=0,
            now=now,
        )
        facts, standing = await self._rollouts.facts(one)
        return Preview(
            tenant=slug,
            shares=chosen,
            lanes=tuple(await self._store.lane_facts(one.lanes)),
            checklist=facts.checklist,
            decision=course.look(standing, facts),
        )

    async def start(
        self,
        slug: str,
        types: Sequence[str] | None,
        shares: Sequence[int] | None,
        pace: float,
        *,
        actor: str,
        because: str,
    ) -> int:
        """Makes a rollout of lanes that have both paths and all mail on the shared one. Nothing moves before the checklist holds.

        Raises NotFound, Invalid, or Conflict if a lane has one path, mail on its own path, or is in a rollout already."""
        tenant = await lookup.tenant_id(self._store, slug)
        chosen = _shares(shares)
        if not 0 <= pace <= 100:
            raise Invalid(Fault("pace", words.bad_pace()))
        lanes = [lane.lane for lane in await self._lanes(tenant, slug, types)]
        first_late = late_from(await self._store.lane_facts(lanes))
        return await self._store.start(tenant, lanes, chosen, pace, first_late, actor=actor, because=because)

    async def _lanes(self, tenant: int, slug: str, types: Sequence[str] | None) -> Sequence[Candidate]:
        found = await self._store.candidates(tenant, types)
        if types is not None:
            there = {lane.type for lane in found}
            if unknown := [type for type in types if type not in there]:
                raise lookup.no_lane(slug, unknown[0])
        else:
            found = [lane for lane in found if lane.share is not None]
        if not found:
            raise NotFound(words.no_lanes_with_two_paths(slug), code=lookup.NO_LANE)
        if len(found) > MOST_LANES:
            raise Invalid(Fault("types", words.too_many_lanes(len(found), MOST_LANES)))
        for lane in found:
            if lane.share is None:
                raise Conflict(words.one_path_only(slug, lane.type), code="not-two-paths")
            if lane.share > 0:
                raise Conflict(words.moved_already(slug, lane.type, lane.share), code="moved-already")
        return found

    async def advance(
        self, id: int, overrides: Sequence[str], *, to: int | None = None, actor: str, because: str
    ) -> Decision:
        """Lets a rollout go on: from a hold, from a way back, or to the next share now. What stands in the way is named, and goes
        on only if each of it is overridden. `to`: the share that is meant, in percent, so that a call that is repeated does not
        take the one after it. Raises NotFound, or Conflict with what stands in the way or the share that would come instead."""
        one = await self._get(id)
        standing = one.standing
        if standing.state not in (State.RUNNING, State.HELD, State.BACK):
            raise Conflict(words.nothing_to_decide(standing.state.value), code="rollout-over")
        facts, standing = await self._rollouts.facts(_again(one))
        if odd := [key for key in overrides if key not in course.keys(facts)]:
            raise Invalid(Fault("overrides", words.unknown_override(odd[0])))
        given = tuple(
            course.override(key, standing, by=actor, because=because) for key in dict.fromkeys(overrides)
        )
        facts = replace(facts, overrides=(*facts.overrides, *given))
        decision = course.may_advance(replace(standing, state=one.standing.state), facts)
        if decision.verdict is not Verdict.PASS:
            if standing.state is State.HELD and not overrides:
                # It is let go, and grows by itself once nothing stands in the way.
                released = replace(one.standing, state=State.RUNNING)
                wait = replace(decision, sentence=words.goes_on(decision.sentence))
                await self._carry_out(one, wait, released, what="advance", by=actor)
                return wait
            raise Conflict(words.blocked(decision.sentence, decision.blocked_by), code="rollout-blocked")
        if to is not None and decision.share != to:
            raise Conflict(words.other_share(one.standing.share, decision.share, to), code="other-share")
        if given:
            await self._store.override(
                one, [each.key for each in given], decision.share, actor=actor, because=because
            )
        after = course.after(replace(one.standing, state=State.RUNNING), decision, one.now)
        decision = replace(decision, sentence=words.by_hand(decision.sentence, because))
        await self._carry_out(one, decision, after, what="advance", by=actor)
        return decision

    async def hold(self, id: int, *, actor: str, because: str) -> None:
        """The share does not grow until somebody lets it. A breach still goes back. Raises NotFound and Conflict."""
        one = await self._get(id)
        if one.standing.state is not State.RUNNING:
            raise Conflict(words.nothing_to_hold(one.standing.state.value), code="rollout-not-running")
        decision = Decision(
            verdict=Verdict.WAIT,
            share=one.standing.share,
            sentence=words.held_by_hand(one.standing.share, because),
        )
        await self._carry_out(one, decision, replace(one.standing, state=State.HELD), what="hold", by=actor)

    async def back(self, id: int, *, actor: str, because: str) -> None:
        """All mail takes the old path again, at once. Raises NotFound, or Conflict once the old path is gone."""
        one = await self._get(id)
        if one.standing.state not in WATCHED:
            raise Conflict(words.nothing_to_take_back(one.standing.state.value), code="rollout-not-back")
        decision = Decision(
            verdict=Verdict.BACK, share=0, sentence=words.back_by_hand(one.standing.share, because)
        )
        after = course.after(one.standing, decision, one.now)
        await self._carry_out(one, decision, after, what="back", by=actor)

    async def finish(self, id: int, *, actor: str, because: str) -> None:
        """Makes the plan that drops the old path. Until it is applied the old path stands, and there is a way back; the rollout
        ends with it. Repeated, it makes the plan again, on what is there now. Raises NotFound, or Conflict below 100 percent."""
        one = await self._get(id)
        if one.standing.state not in (State.STANDING, State.FINISHING):
            raise Conflict(words.not_standing(one.standing.share), code="rollout-not-standing")
        if one.standing.state is State.STANDING:
            decision = Decision(verdict=Verdict.WAIT, share=100, sentence=words.finishes(because))
            after = replace(one.standing, state=State.FINISHING)
            await self._carry_out(one, decision, after, what="finish", by=actor)
        drops = [Step(kind=StepKind.DROP_PATH, tenant=one.slug, type=type) for type in one.types]
        plan = await self._plans.make(drops, actor=actor, because=because) if drops else None
        if plan is not None and plan.id is not None:
            await self._store.keep_plan(id, plan.id)

    async def cancel(self, id: int, *, actor: str, because: str) -> None:
        """A rollout that is back, or has not begun, is given up. Raises NotFound and Conflict."""
        one = await self._get(id)
        if one.standing.share > 0 or one.standing.state not in (State.RUNNING, State.HELD, State.BACK):
            raise Conflict(words.not_to_cancel(one.standing.share), code="rollout-has-mail")
        decision = Decision(verdict=Verdict.WAIT, share=0, sentence=words.cancelled(because))
        await self._carry_out(
            one, decision, replace(one.standing, state=State.CANCELLED), what="cancel", by=actor
        )

    async def freeze(self, slug: str | None, since: int, until: int, *, actor: str, because: str) -> int:
        """Raises NotFound, or Invalid for a time that ends before it begins or lasts longer than a year."""
        tenant = None if slug is None else await lookup.tenant_id(self._store, slug)
        if not since < until or until - since > LONGEST_FREEZE_MS:
            raise Invalid(Fault("until", words.bad_freeze()))
        return await self._store.freeze(tenant, since, until, actor=actor, because=because)

    async def unfreeze(self, id: int, *, actor: str, because: str) -> None:
        """Raises NotFound."""
        if not await self._store.unfreeze(id, actor=actor, because=because):
            raise NotFound(words.no_freeze(id), code="no-such-freeze")

    async def _get(self, id: int) -> Open:
        one = await self._store.one(id)
        if one is None:
            raise NotFound(words.no_rollout(id), code="no-such-rollout")
        return one

    async def _carry_out(self, one: Open, decision: Decision, after: Standing, *, what: str, by: str) -> None:
        if not await self._store.carry_out(one, decision, after, what=what, by=by):
            raise Conflict(words.changed_meanwhile(), code="rollout-changed")


def _again(one: Open) -> Open:
    """A rollout that went back is looked at as one that begins."""
    if one.standing.state is not State.BACK:
        return one
    return replace(one, standing=replace(one.standing, share=0))


def _shares(shares: Sequence[int] | None) -> tuple[int, ...]:
    chosen = tuple(SHARES if shares is None else shares)
    rising = all(low < high for low, high in itertools.pairwise(chosen))
    if not chosen or chosen[-1] != 100 or chosen[0] < 1 or not rising or len(chosen) > 20:
        raise Invalid(Fault("shares", words.bad_shares()))
    return chosen
