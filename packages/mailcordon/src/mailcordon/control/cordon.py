"""Cordon, uncordon and cancel as an operator asks for them: which mail is meant, what the action will do, and the action itself.

The REST API and, through it, the CLI use this. It turns the words of a request into a target; the governor makes the change.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mailcordon.control import lookup, preview
from mailcordon.control.governor import Governor
from mailcordon.control.preview import LaneCounts, Preview
from mailcordon.control.stops import Covering
from mailcordon.control.views import HoldView, Reads, StopView
from mailcordon.core import names
from mailcordon.core.errors import Conflict, Fault, Invalid, NotFound, parse_field
from mailcordon.core.hold import Hold, NewHold
from mailcordon.core.principal import Principal
from mailcordon.core.priority import parse_class
from mailcordon.core.provider import parse_provider
from mailcordon.core.target import Target
from mailcordon.messages import api, observing
from mailcordon.messages import holds as hold_messages

PERSON, SES = "person", "ses"  #: owners of what an uncordon ends
MOST_LIFTED = 100  #: holds named by number in one request
_HIGHEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which mail a request means, in its own words."""

    tenant: str | None = None  #: None: the key's own
    type: str | None = None
    class_: str | None = None
    provider: str | None = None
    campaign: str | None = None
    list: str | None = None

    @property
    def is_whole_tenant(self) -> bool:
        parts = (self.type, self.class_, self.provider, self.campaign, self.list)
        return all(part is None for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What an action will do."""

    lanes: tuple[LaneCounts, ...]
    effect: str  #: a sentence or two
    untouched: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    lifted: list[HoldView]
    released: int  #: deliveries that nothing stops any more
    remaining: list[HoldView]  #: open holds that still stop some of the mail
    ended: list[StopView] = field(default_factory=list[StopView])


class Cordons:
    """Each method raises Invalid, naming the field, or NotFound for an unknown tenant, lane or hold."""

    def __init__(self, reads: Reads, governor: Governor) -> None:
        self._reads = reads
        self._governor = governor

    async def preview(
        self, action: preview.Action, selection: Selection, principal: Principal, *, owner: str = PERSON
    ) -> Expected:
        """What the action would do now. Changes nothing. `owner` as in `uncordon`."""
        slug, target = await self._target(selection, principal)
        if action == "cordon":
            await self._refuse_observed(target, slug)
        found = await self._governor.preview(target)
        if action == "uncordon" and owner == SES:
            effect = preview.end_effect(found, await self._stops(found), slug)
        else:
            effect = preview.effect(action, found, slug, owner)
        return Expected(lanes=found.lanes, effect=effect, untouched=preview.untouched(found, slug))

    async def cordon(
        self, selection: Selection, principal: Principal, *, because: str, seconds: float | None
    ) -> HoldView:
        """Places an operator's hold, for some seconds or until it is lifted."""
        slug, target = await self._target(selection, principal)
        await self._refuse_observed(target, slug)
        until = None if seconds is None else await self._reads.now_ms() + int(seconds * 1000)
        new = NewHold(target=target, owner="person", because=because, until=until)
        hold = await self._governor.place(new, actor=principal.actor)
        return (await self._views([hold.id]))[0]

    async def uncordon(
        self, selection: Selection, principal: Principal, *, because: str, owner: str = PERSON
    ) -> Lifted:
        """Lifts this owner's holds that cover exactly this mail. For SES: ends the stops that cover it; SES's next refusal
        places them again."""
        _, target = await self._target(selection, principal)
        found = await self._governor.preview(target)
        if owner == SES:
            return await self._end(found, principal, because)
        return await self._lift(target.tenant, preview.liftable(found, owner), principal, because)

    async def _stops(self, found: Preview) -> list[Covering]:
        """The stops that cover the lanes of a preview. Raises Invalid for a part of a lane: a stop covers whole lanes."""
        if found.target.narrow:
            raise Invalid(Fault("owner", hold_messages.stops_cover_lanes()))
        return await self._governor.stops.covering([lane.lane for lane in found.lanes])

    async def _end(self, found: Preview, principal: Principal, because: str) -> Lifted:
        stops = await self._stops(found)
        ended = await self._governor.stops.end(
            [one.stop.id for one in stops], actor=principal.actor, because=because
        )
        return Lifted(
            lifted=[],
            released=sum(lane.ready + lane.waiting for lane in preview.freed(found)) if ended else 0,
            remaining=await self._views([hold.id for hold in found.holds]),
            ended=await self._reads.stops_by_id([stop.id for stop in ended]) if ended else [],
        )

    async def uncordon_holds(
        self, ids: Sequence[int], selection: Selection, principal: Principal, *, because: str
    ) -> Lifted:
        """Lifts these holds of the tenant, of any owner. Holds that are lifted already are skipped."""
        tenant, holds = await self._open_holds(ids, selection, principal)
        return await self._lift(tenant, holds, principal, because)

    async def cancel(self, selection: Selection, principal: Principal, *, because: str) -> int:
        """Drops what has not left, for good. Returns how many deliveries were dropped."""
        _, target = await self._target(selection, principal)
        return await self._governor.cancel(target, actor=principal.actor, because=because)

    async def _lift(self, tenant: int, holds: Sequence[Hold], principal: Principal, because: str) -> Lifted:
        released, remaining = await self._released_by(tenant, holds)
        ids = [hold.id for hold in holds]
        lifted = await self._governor.lift(ids, tenant=tenant, actor=principal.actor, because=because)
        return Lifted(
            lifted=await self._views([hold.id for hold in lifted]),
            released=released if lifted else 0,
            remaining=await self._views(remaining),
        )

    async def _released_by(self, tenant: int, holds: Sequence[Hold]) -> tuple[int, list[int]]:
        """How many deliveries nothing stops once these holds are gone, and which holds still stop some of the rest."""
        deliveries: dict[int, int] = {}
        remaining: set[int] = set()
        for hold in holds:
            found = await self._governor.preview(hold.target)
            for lane in preview.released(found, holds):
                deliveries[lane.lane] = max(deliveries.get(lane.lane, 0), lane.ready + lane.waiting)
            remaining |= {other.id for other in found.holds}
        return sum(deliveries.values()), sorted(remaining - {hold.id for hold in holds})

    async def _views(self, ids: Sequence[int]) -> list[HoldView]:
        return await self._reads.holds_by_id(ids) if ids else []

    async def _refuse_observed(self, target: Target, slug: str) -> None:
        """A hold that stops nothing must not look like one that does."""
        if await self._reads.observed_only(target.tenant, target.lane):
            raise Conflict(observing.cannot_hold(tenant=slug), code="observed-only")

    async def _target(self, selection: Selection, principal: Principal) -> tuple[str, Target]:
        """The tenant's slug, and the target."""
        given_class, given_provider = selection.class_, selection.provider
        class_ = None if given_class is None else parse_field("class", parse_class, given_class)
        provider = None if given_provider is None else parse_field("provider", parse_provider, given_provider)
        if selection.campaign is not None:
            parse_field("campaign", names.campaign, selection.campaign)
        if selection.list is not None:
            parse_field("list", names.list_, selection.list)
        if selection.type is not None and class_ is not None:
            raise Invalid(Fault("class", hold_messages.class_beside_type()))
        slug = principal.tenant_for(selection.tenant)
        tenant = await lookup.tenant_id(self._reads, slug)
        lane = None
        if selection.type is not None:
            lane = await lookup.lane_id(self._reads, tenant, slug, selection.type)
        return slug, Target(
            tenant=tenant,
            class_=class_,
            lane=lane,
            provider=provider,
            campaign=selection.campaign,
            list=selection.list,
        )

    async def _open_holds(
        self, ids: Sequence[int], selection: Selection, principal: Principal
    ) -> tuple[int, list[Hold]]:
        wanted = sorted(set(ids))
        if not 1 <= len(wanted) <= MOST_LIFTED or not all(0 < id <= _HIGHEST_ID for id in wanted):
            raise Invalid(Fault("ids", hold_messages.bad_hold_ids(MOST_LIFTED)))
        if not selection.is_whole_tenant:
            raise Invalid(Fault("ids", hold_messages.hold_ids_and_target()))
        slug = principal.tenant_for(selection.tenant)
        tenant = await lookup.tenant_id(self._reads, slug)
        views = await self._reads.holds_by_id(wanted)
        found = {view.hold.id: view for view in views if view.hold.target.tenant == tenant}
        for id in wanted:
            if id not in found:
                raise NotFound(api.no_hold(slug, id), code="no-such-hold")
        return tenant, [view.hold for view in found.values() if view.lifted_at is None]
