"""What a lane still shares with others, as sentences: missing isolation is shown, never hidden."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailcordon.core import domain as domains
from mailcordon.core.route import Route
from mailcordon.messages import paths, sharing


@dataclass(frozen=True, slots=True, kw_only=True)
class UsedRoute:
    """A lane's route, and whose its configuration set is."""

    route: Route
    set_kind: str  #: shared or dedicated
    shared_domain: str | None = None  #: of the shared path that the lane has beside its own
    shared_percent: int = 0  #: of its recipients take that


def by_type(lanes: Sequence[UsedRoute]) -> dict[str, list[str]]:
    """For each of a tenant's lanes, by type: what it shares and with whom, the widest sharing last."""
    return {
        lane.route.lane.type: _of_lane(lane, [o for o in lanes if o.route.lane.type != lane.route.lane.type])
        for lane in lanes
    }


def _of_lane(lane: UsedRoute, others: Sequence[UsedRoute]) -> list[str]:
    said: list[str] = []
    if same := [o.route.lane.type for o in others if o.route.domain == lane.route.domain]:
        said.append(sharing.domain_shared(lane.route.domain, sorted(same), others=True))
    for other in others:
        if other.route.domain == lane.route.domain:
            continue
        if domains.covers(other.route.domain, lane.route.domain) or domains.covers(
            lane.route.domain, other.route.domain
        ):
            said.append(
                sharing.parent_domain_shared(lane.route.domain, other.route.domain, other.route.lane.type)
            )
    if same := [o.route.lane.type for o in others if o.route.ses_tenant == lane.route.ses_tenant]:
        said.append(sharing.ses_tenant_shared(lane.route.ses_tenant, sorted(same), others=True))
    if lane.set_kind == "shared":
        said.append(
            sharing.configuration_set_of_class(lane.route.configuration_set, lane.route.lane.class_.word)
        )
    elif same := [
        o.route.lane.type for o in others if o.route.configuration_set == lane.route.configuration_set
    ]:
        said.append(sharing.configuration_set_shared(lane.route.configuration_set, sorted(same), others=True))
    if lane.route.ip_pool is None:
        said.append(sharing.ip_pool_of_ses([]))
    elif same := [o.route.lane.type for o in others if o.route.ip_pool == lane.route.ip_pool]:
        said.append(sharing.ip_pool_shared(lane.route.ip_pool, sorted(same)))
    if lane.shared_domain is not None:
        said.append(paths.shared_beside(lane.shared_domain, lane.shared_percent))
    return said


def summary(lanes: Sequence[UsedRoute]) -> list[str]:
    """For a whole tenant: what several of its lanes share, or share with other tenants."""
    said: list[str] = []
    for domain, types in _grouped(lanes, lambda lane: lane.route.domain).items():
        if len(types) > 1:
            said.append(sharing.domain_shared(domain, types))
    for name, types in _grouped(lanes, lambda lane: lane.route.ses_tenant).items():
        if len(types) > 1:
            said.append(sharing.ses_tenant_shared(name, types))
    shared = [lane for lane in lanes if lane.set_kind == "shared"]
    for name, types in _grouped(shared, lambda lane: lane.route.configuration_set).items():
        said.append(sharing.configuration_set_of_tenants(name, types))
    own = [lane for lane in lanes if lane.set_kind != "shared"]
    for name, types in _grouped(own, lambda lane: lane.route.configuration_set).items():
        if len(types) > 1:
            said.append(sharing.configuration_set_shared(name, types))
    if pooled := [lane.route.lane.type for lane in lanes if lane.route.ip_pool is None]:
        said.append(sharing.ip_pool_of_ses(sorted(pooled)))
    return said


def _grouped(lanes: Sequence[UsedRoute], by: Callable[[UsedRoute], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for lane in lanes:
        found.setdefault(by(lane), []).append(lane.route.lane.type)
    return {name: sorted(types) for name, types in found.items()}
