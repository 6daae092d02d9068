"""Compares desired with actual: the changes that make SES agree, as values that can be counted, shown and refused.

Nothing is ever deleted, and members for which no value is wanted are left as they are: somebody else may have set them on
purpose.
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
    """The changes that one resource needs, none if SES agrees. `actual` is None if the resource does not exist."""
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


def _same(want: Json, have: Json) -> bool:
    """SES treats lists as sets: it returns reasons and event types in any order."""
    if isinstance(want, Sequence) and isinstance(have, Sequence) and not isinstance(want, str):
        return sorted(map(str, want)) == sorted(map(str, have))
    return want == have


def _texts(of: Mapping[str, Json] | None, member: str) -> list[str]:
    return list(cast("Sequence[str]", (of or {}).get(member) or ()))
