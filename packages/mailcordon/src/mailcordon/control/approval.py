"""Which changes apply by themselves, which are proposed to a person, and which plans are too big to be true. Pure."""

from collections import Counter
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass
from enum import StrEnum

from mailcordon.control import plan
from mailcordon.control.desired import Json, Kind, Resource
from mailcordon.control.plan import Change

#: A change of the desired state that takes away or rewires more than both of what exists of a kind waits for a person: one wrong
#: setting would do it to all, while a person who retires three things of a small platform means it.
GUARD_SHARE = 0.10
GUARD_COUNT = 3


class Act(StrEnum):
    APPLY = "apply"
    PROPOSE = "propose"  #: a person decides
    WAIT = "wait"  #: approved, and applied once no mail needs the old state


#: Says what the policy is for an addition (a create or an associate) and for a repair (an update) of this change.
Policy = Callable[[Change], Act]


def judge(change: Change, *, allowed: Set[str], later: Set[str], policy: Policy) -> Act:
    """What to do with a change that a resource needs. `allowed` and `later` are keys of changes of applied plans: those that can
    be made, and those that wait for mail. Nothing is deleted or detached without such a plan."""
    if change.key in allowed:
        return Act.APPLY
    if change.key in later:
        return Act.WAIT
    if change.removes:
        return Act.PROPOSE
    return policy(change)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a resource should be, before or after a change of the desired state."""

    resource: Resource
    wanted: bool = True


Wishes = Mapping[tuple[Kind, str], Wish]


@dataclass(frozen=True, slots=True, kw_only=True)
class TooBig:
    """A kind of which too much would be taken away or rewired."""

    kind: Kind
    touched: int
    existing: int


def guard(before: Wishes, after: Wishes) -> list[TooBig]:
    """The kinds of which the new desired state takes away or rewires more than it may by itself; empty: it may be applied.
    `after` needs to have only what differs; what it does not name stays."""
    existing = Counter(kind for (kind, _), wish in before.items() if wish.wanted)
    touched = Counter(
        key[0]
        for key, wish in after.items()
        if (old := before.get(key)) and old.wanted and rewires(old, wish)
    )
    return [
        TooBig(kind=kind, touched=count, existing=existing[kind])
        for kind, count in sorted(touched.items())
        if count > GUARD_COUNT and count > GUARD_SHARE * existing[kind]
    ]


def rewires(old: Wish, new: Wish) -> bool:
    """Whether the new wish takes away something of the old one, or gives a member another value. A member that the old wish does
    not have is an addition: a newer version governs more members."""
    if not new.wanted:
        return True
    if old.resource.kind == Kind.ASSOCIATION:
        return bool(_resources(old) - _resources(new))
    return any(
        name in new.resource.want and not plan.same(value, new.resource.want[name])
        for name, value in old.resource.want.items()
    )


def _resources(wish: Wish) -> frozenset[Json]:
    listed = wish.resource.want.get("resources")
    return frozenset(listed) if isinstance(listed, list | tuple) else frozenset()
