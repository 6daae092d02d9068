"""Lanes as every face shows them: the lane, the holds and stops that cause its state, and what it shares."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailcordon.control import lookup, sharing
from mailcordon.control.views import HoldView, LaneView, Reads, TenantFilter, TenantRow, Viewer
from mailcordon.core import health
from mailcordon.core.health import Outflow
from mailcordon.core.priority import Class
from mailcordon.core.stop import Stop
from mailcordon.messages import paths

COUNT_IN_A_LIST = 100_000  #: deliveries; a list stops counting a backlog there
COUNT_OF_ONE = 100_000_000
MOST_LANES = 1000


@dataclass(frozen=True, slots=True)
class LaneStop:
    """What keeps all mail of a lane from leaving, apart from holds."""

    reason: str
    sentence: str
    stop: int | None  #: the id of the stop, if there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneOverview:
    lane: LaneView
    holds: tuple[HoldView, ...]
    stops: tuple[LaneStop, ...]
    shares_with: tuple[str, ...]


async def overviews(
    reads: Reads,
    viewer: Viewer,
    *,
    type: str | None = None,
    state: str | None = None,
    after: int = 0,
    limit: int = MOST_LANES,
) -> list[LaneOverview]:
    """In the order of the lanes' ids, from the one behind `after`."""
    rows = await reads.lanes(
        viewer,
        type=type,
        state=state,
        after=after,
        limit=limit,
        count_to=COUNT_IN_A_LIST if type is None else COUNT_OF_ONE,
    )
    tenants = sorted({row.route.lane.tenant for row in rows})
    facts = await reads.facts(viewer, tenants)
    shared = {tenant: sharing.by_type(lanes) for tenant, lanes in facts.items()}
    holds = await reads.open_holds(viewer, tenants)
    outflow = await reads.outflow(viewer)
    stops = await reads.stops_on(viewer, [row.route.lane.id for row in rows])
    return [
        LaneOverview(
            lane=row,
            holds=tuple(
                view for view in holds if view.hold.target.covers_lane(lane.tenant, lane.class_, lane.id)
            ),
            stops=_stops(stops.get(lane.id, ()), outflow, lane.class_),
            shares_with=tuple(shared[lane.tenant].get(lane.type, ())),
        )
        for row in rows
        for lane in [row.route.lane]
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantOverview:
    """A tenant in a list, with what keeps or slows its mail, as sentences."""

    tenant: TenantRow
    reasons: tuple[str, ...]


async def tenants(
    reads: Reads, viewer: Viewer, wanted: TenantFilter, *, after: int, limit: int
) -> list[TenantOverview]:
    """In the order of their ids, from the one behind `after`."""
    rows = await reads.tenants(viewer, wanted, after=after, limit=limit, count_to=COUNT_IN_A_LIST)
    holds = await reads.open_holds(viewer, [row.id for row in rows])
    stops = await reads.stops_on(viewer, [lane for row in rows for lane in row.stopped_lanes])
    found: list[TenantOverview] = []
    for row in rows:
        said = [one.hold.sentence for one in holds if one.tenant == row.slug]
        said += [_sentence(stop) for lane in row.stopped_lanes for stop in stops.get(lane, ())]
        found.append(TenantOverview(tenant=row, reasons=tuple(dict.fromkeys(said))))
    return found


async def overview(reads: Reads, viewer: Viewer, slug: str, type: str) -> LaneOverview:
    """One lane of the viewer's tenant. Raises NotFound."""
    found = await overviews(reads, viewer, type=type, limit=1)
    if not found:
        raise lookup.no_lane(slug, type)
    return found[0]


def _stops(stops: Sequence[Stop], outflow: Outflow, class_: Class) -> tuple[LaneStop, ...]:
    """The stops on the lane, and what halts its class if no stop says the same."""
    said = [LaneStop(str(stop.cause), _sentence(stop), stop.id) for stop in stops]
    halt = health.halt(outflow, class_)
    if halt is not None and halt.reason not in {stop.cause for stop in stops}:
        said.append(LaneStop(halt.reason, halt.sentence, None))
    return tuple(said)


def _sentence(stop: Stop) -> str:
    return stop.sentence if stop.path is None else paths.one_path_stopped(stop.path, stop.sentence)
