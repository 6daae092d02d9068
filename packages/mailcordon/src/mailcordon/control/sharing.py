"""What a lane still shares with others, as sentences: missing isolation is shown, never hidden."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailcordon.core import domain as domains
from mailcordon.core.priority import Class
from mailcordon.messages import api


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneFacts:
    """One lane of a tenant, and the parts its mail goes through."""

    type: str
    class_: Class
    domain: str
    ses_tenant: str
    configuration_set: str
    set_kind: str  #: shared or dedicated
    ip_pool: str | None  #: None: SES's shared addresses


def by_type(lanes: Sequence[LaneFacts]) -> dict[str, list[str]]:
    """For each of a tenant's lanes, by type: what it shares and with whom, the widest sharing last."""
    return {lane.type: _of_lane(lane, [o for o in lanes if o.type != lane.type]) for lane in lanes}


def _of_lane(lane: LaneFacts, others: Sequence[LaneFacts]) -> list[str]:
    said: list[str] = []
    if same := [o.type for o in others if o.domain == lane.domain]:
        said.append(api.domain_shared(lane.domain, sorted(same), others=True))
    for other in others:
        if other.domain == lane.domain:
            continue
        if domains.covers(other.domain, lane.domain) or domains.covers(lane.domain, other.domain):
            said.append(api.parent_domain_shared(lane.domain, other.domain, other.type))
    if same := [o.type for o in others if o.ses_tenant == lane.ses_tenant]:
        said.append(api.ses_tenant_shared(lane.ses_tenant, sorted(same), others=True))
    if lane.set_kind == "shared":
        said.append(api.configuration_set_of_class(lane.configuration_set, lane.class_.word))
    elif same := [o.type for o in others if o.configuration_set == lane.configuration_set]:
        said.append(api.configuration_set_shared(lane.configuration_set, sorted(same), others=True))
    if lane.ip_pool is None:
        said.append(api.ip_pool_of_ses([]))
    elif same := [o.type for o in others if o.ip_pool == lane.ip_pool]:
        said.append(api.ip_pool_shared(lane.ip_pool, sorted(same)))
    return said


def summary(lanes: Sequence[LaneFacts]) -> list[str]:
    """For a whole tenant: what several of its lanes share, or share with other tenants."""
    said: list[str] = []
    for domain, types in _grouped(lanes, lambda lane: lane.domain).items():
        if len(types) > 1:
            said.append(api.domain_shared(domain, types))
    for name, types in _grouped(lanes, lambda lane: lane.ses_tenant).items():
        if len(types) > 1:
            said.append(api.ses_tenant_shared(name, types))
    shared = [lane for lane in lanes if lane.set_kind == "shared"]
    for name, types in _grouped(shared, lambda lane: lane.configuration_set).items():
        said.append(api.configuration_set_of_tenants(name, types))
    own = [lane for lane in lanes if lane.set_kind != "shared"]
    for name, types in _grouped(own, lambda lane: lane.configuration_set).items():
        if len(types) > 1:
            said.append(api.configuration_set_shared(name, types))
    if pooled := [lane.type for lane in lanes if lane.ip_pool is None]:
        said.append(api.ip_pool_of_ses(sorted(pooled)))
    return said


def _grouped(lanes: Sequence[LaneFacts], by: Callable[[LaneFacts], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for lane in lanes:
        found.setdefault(by(lane), []).append(lane.type)
    return {name: sorted(types) for name, types in found.items()}
