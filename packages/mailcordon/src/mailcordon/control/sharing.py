"""What a lane still shares with others, as sentences: isolation that is not there is shown, never hidden."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mailcordon.core import domain as domains
from mailcordon.core.priority import Class


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
    """For each of one tenant's lanes (by type) what it shares and with whom, the widest sharing last."""
    return {lane.type: list(_of_lane(lane, [o for o in lanes if o.type != lane.type])) for lane in lanes}


def _of_lane(lane: LaneFacts, others: Sequence[LaneFacts]) -> Sequence[str]:
    said: list[str] = []
    if same := [o.type for o in others if o.domain == lane.domain]:
        said.append(f"domain {lane.domain}, and so its reputation: with {_enumerate(same)}")
    for other in others:
        if other.domain == lane.domain:
            continue
        if domains.covers(other.domain, lane.domain) or domains.covers(lane.domain, other.domain):
            said.append(
                f"parent domain: {lane.domain} and {other.domain} ({other.type}) are one to some mailbox providers"
            )
    if same := [o.type for o in others if o.ses_tenant == lane.ses_tenant]:
        said.append(
            f"SES tenant {lane.ses_tenant}: with {_enumerate(same)}; when SES pauses it, all of them stop"
        )
    if lane.set_kind == "shared":
        said.append(
            f"configuration set {lane.configuration_set}: with the {lane.class_.word} lanes of other tenants"
        )
    elif same := [o.type for o in others if o.configuration_set == lane.configuration_set]:
        said.append(f"configuration set {lane.configuration_set}: with {_enumerate(same)}")
    if lane.ip_pool is None:
        said.append("sending addresses: SES's shared IP pool, with every sender in the region")
    elif same := [o.type for o in others if o.ip_pool == lane.ip_pool]:
        said.append(f"IP pool {lane.ip_pool}: with {_enumerate(same)}")
    return said


def _enumerate(words: Sequence[str]) -> str:
    words = sorted(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def summary(lanes: Sequence[LaneFacts]) -> list[str]:
    """For a whole tenant: each thing that several of its lanes go through, or that others go through too."""
    said: list[str] = []
    for domain, types in _grouped(lanes, lambda lane: lane.domain).items():
        if len(types) > 1:
            said.append(f"domain {domain}, and so its reputation: {_enumerate(types)}")
    for name, types in _grouped(lanes, lambda lane: lane.ses_tenant).items():
        if len(types) > 1:
            said.append(f"SES tenant {name}: {_enumerate(types)}; when SES pauses it, all of them stop")
    shared = [lane for lane in lanes if lane.set_kind == "shared"]
    for name, types in _grouped(shared, lambda lane: lane.configuration_set).items():
        said.append(
            f"configuration set {name}: {_enumerate(types)}, with lanes of the same class of other tenants"
        )
    own = [lane for lane in lanes if lane.set_kind != "shared"]
    for name, types in _grouped(own, lambda lane: lane.configuration_set).items():
        if len(types) > 1:
            said.append(f"configuration set {name}: {_enumerate(types)}")
    if pooled := [lane.type for lane in lanes if lane.ip_pool is None]:
        said.append(f"SES's shared IP pool: {_enumerate(pooled)}, with every sender in the region")
    return said


def _grouped(lanes: Sequence[LaneFacts], by: Callable[[LaneFacts], str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for lane in lanes:
        found.setdefault(by(lane), []).append(lane.type)
    return found
