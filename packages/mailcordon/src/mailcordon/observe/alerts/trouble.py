"""Whether an e-mail channel's own lane is part of what is wrong. Pure. An alert never takes the way that it is about."""

from mailcordon.core.incident import ScopeKind
from mailcordon.messages import alerts as messages
from mailcordon.observe.alerts.nouns import Incident, LaneState
from mailcordon.observe.alerts.plan import concerned

#: Without one of these no mail leaves, or none is taken.
_NEEDED = ("role:dispatch", "role:api")


def of_lane(lane: LaneState) -> str | None:
    """Why the lane cannot carry mail at present, or None."""
    if lane.nothing_leaves:
        return messages.lane_nothing_leaves(lane.name)
    if lane.dispatcher_silent:
        return messages.lane_no_dispatcher(lane.name)
    return messages.lane_held(lane.name) if lane.held or lane.stopped else None


def reason(incident: Incident, lane: LaneState) -> str | None:
    """Why the lane cannot carry an alert about the incident, or None."""
    if (why := of_lane(lane)) is not None:
        return why
    if incident.closed_at is not None:
        return None  # it is over, so the way is open again
    if incident.cause in _NEEDED or incident.cause.startswith("cell:") or incident.scope is ScopeKind.CELL:
        return messages.lane_needs(lane.name, incident.cause)
    if lane.tenant in concerned(incident) or incident.lane == lane.lane:
        return messages.lane_same_tenant(lane.name)
    named = {incident.name, incident.cause.partition(":")[2].partition("/")[0]}
    if incident.cause.startswith("set:") or incident.scope is ScopeKind.SET:
        return (
            messages.lane_same_set(lane.name, lane.configuration_set)
            if lane.configuration_set in named
            else None
        )
    if lane.domain in named:
        return messages.lane_same_domain(lane.name, lane.domain)
    return None
