"""Compares desired with actual: the changes that make SES agree, as values that can be counted, shown and refused.

Members for which no value is wanted are left as they are: somebody else may have set them on purpose. What is not wanted is
detached and deleted, and an association that is not wanted is removed; control/approval.py says which changes a person must have
approved.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from mailcordon.control.desired import Json, Kind, Resource

CREATE = "create"
UPDATE = "update"
ASSOCIATE = "associate"
DISASSOCIATE = "disassociate"
DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """One call to SES."""

    resource: Resource
    action: str  #: create, update, associate, disassociate or delete
    member: str | None = None  #: what is updated, or the resource that is associated
    was: Json = None

    @property
    def key(self) -> str:
        """Names the change among those of its resource: `update suppression`."""
        return f"{self.action} {self.member}" if self.member else self.action

    @property
    def removes(self) -> bool:
        return self.action in (DISASSOCIATE, DELETE)

    def __str__(self) -> str:
        if self.action == ASSOCIATE:
            return f"associate {self.member} with tenant {self.resource.name}"
        if self.action == DISASSOCIATE:
            return f"disassociate {self.member} from tenant {self.resource.name}"
        return f"{self.action} {self.resource}" + (f": {self.member}" if self.member else "")


#: Members that one call sets together.
GROUPS: Mapping[Kind, Mapping[str, tuple[str, ...]]] = {
    Kind.IP_POOL: {},  # a managed pool cannot become a standard one (ses.md 7): its mode is shown, not repaired
    Kind.CONFIGURATION_SET: {
        "suppression": ("suppressed_reasons", "suppression_scope"),
        "delivery": ("max_delivery_seconds", "tls_policy", "sending_pool"),
        "sending": ("sending_enabled",),
        "tracking": ("tracking_domain",),
        "vdm": ("engagement",),
    },
    Kind.EVENT_DESTINATION: {"destination": ("events", "topic", "enabled")},
    Kind.IDENTITY: {
        "configuration_set": ("configuration_set",),
        "dkim": ("dkim_signing",),
        "mail_from": ("mail_from", "mail_from_behavior"),
        "feedback": ("feedback_forwarding",),
    },
    Kind.TENANT: {"suppression": ("suppression_scope", "suppressed_reasons")},
    Kind.POLICY: {"policy": ("policy",)},
    Kind.ACCOUNT: {},
}
#: Members that are ours only if a value is desired. Without one, a change of them is reported, but nothing sets them.
_OURS_IF_WANTED = frozenset({"tls_policy"})


def changes(resource: Resource, actual: Mapping[str, Json] | None, *, wanted: bool = True) -> list[Change]:
    """The changes that one resource needs, none if SES agrees. `actual` is None if the resource does not exist. If it is not
    `wanted`, it is to be gone: policies go with their tenant, and destinations with their set."""
    if resource.kind == Kind.ASSOCIATION:
        have = _texts(actual, "resources")
        want = _texts(resource.want, "resources") if wanted else []
        missing = [Change(resource, ASSOCIATE, name) for name in want if name not in have]
        if resource.want.get(
            "keeps_others"
        ):  # a SES tenant of the platform's, which may serve more than our mail
            return missing
        return missing + [Change(resource, DISASSOCIATE, name) for name in sorted(have) if name not in want]
    if not wanted:
        goes_with_another = resource.kind in (Kind.POLICY, Kind.EVENT_DESTINATION)
        return [] if actual is None or goes_with_another else [Change(resource, DELETE, was=actual)]
    if actual is None:
        return [] if resource.kind == Kind.ACCOUNT else [Change(resource, CREATE)]
    found: list[Change] = []
    for group, members in GROUPS[resource.kind].items():
        off = [m for m in members if wants(resource, m) and not same(resource.want[m], actual.get(m))]
        if off:
            found.append(Change(resource, UPDATE, group, {m: actual.get(m) for m in off}))
    return found


def wants(resource: Resource, member: str) -> bool:
    """Whether a value of this member is desired."""
    want = resource.want
    if member == "mail_from":  # None with a behaviour: SES's own was chosen (control/desired.py)
        return want.get(member) is not None or "mail_from_behavior" in want
    if member == "mail_from_behavior":
        return want.get("mail_from") is not None and member in want
    return member in want and not (member in _OURS_IF_WANTED and want[member] is None)


def same(want: Json, have: Json) -> bool:
    """SES treats lists as sets: it returns reasons and event types in any order."""
    if isinstance(want, Sequence) and isinstance(have, Sequence) and not isinstance(want, str):
        return sorted(map(str, want)) == sorted(map(str, have))
    return want == have


def _texts(of: Mapping[str, Json] | None, member: str) -> list[str]:
    return list(cast("Sequence[str]", (of or {}).get(member) or ()))
