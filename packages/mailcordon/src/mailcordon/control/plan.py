"""Desired against actual: the ordered changes that make SES agree, as values that can be counted, shown and refused.

Nothing is ever deleted here, and members of which we want nothing in particular are left as they are: what somebody else has
set on a resource for a reason of theirs is not ours to repair.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from mailcordon.control.desired import Json, Kind, Resource

CREATE = "create"
UPDATE = "update"
ASSOCIATE = "associate"


@dataclass(frozen=True, slots=True)
class Change:
    """One call to SES."""

    resource: Resource
    action: str  #: create, update or associate
    member: str | None = None  #: what is updated, or the resource that is associated
    was: Json = None

    def __str__(self) -> str:
        if self.action == ASSOCIATE:
            return f"associate {self.member} with tenant {self.resource.name}"
        return f"{self.action} {self.resource}" + (f": {self.member}" if self.member else "")


#: Members that one call sets together.
_GROUPS: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {
    Kind.CONFIGURATION_SET: {
        "suppression": ("suppressed_reasons", "suppression_scope"),
        "delivery": ("max_delivery_seconds",),
    },
    Kind.EVENT_DESTINATION: {"destination": ("events", "topic", "enabled")},
    Kind.IDENTITY: {"configuration_set": ("configuration_set",)},
    Kind.TENANT: {"suppression": ("suppression_scope", "suppressed_reasons")},
    Kind.POLICY: {"policy": ("policy",)},
}


def changes(resource: Resource, actual: Mapping[str, Json] | None) -> list[Change]:
    """What is to be done about one resource; nothing if SES agrees. `actual` is None where there is no such thing."""
    if resource.kind == Kind.ASSOCIATION:
        have = set(_texts(actual, "resources"))
        missing = [name for name in _texts(resource.want, "resources") if name not in have]
        return [Change(resource, ASSOCIATE, name) for name in missing]
    if actual is None:
        return [Change(resource, CREATE)]
    found: list[Change] = []
    for group, members in _GROUPS[resource.kind].items():
        off = [m for m in members if m in resource.want and not _same(resource.want[m], actual.get(m))]
        if off:
            found.append(Change(resource, UPDATE, group, {m: actual.get(m) for m in off}))
    return found


def plan(
    wanted: Sequence[Resource], actual: Mapping[tuple[Kind, str], Mapping[str, Json] | None]
) -> list[Change]:
    """The changes for several resources, in an order in which each finds what it needs."""
    ordered = sorted(wanted, key=lambda each: (each.kind, each.name))
    return [change for each in ordered for change in changes(each, actual.get((each.kind, each.name)))]


def _same(want: Json, have: Json) -> bool:
    """Lists are sets to SES: it answers reasons and event types in an order of its own."""
    if isinstance(want, Sequence) and isinstance(have, Sequence) and not isinstance(want, str):
        return sorted(map(str, want)) == sorted(map(str, have))
    return want == have


def _texts(of: Mapping[str, Json] | None, member: str) -> list[str]:
    return list(cast("Sequence[str]", (of or {}).get(member) or ()))
