"""Which layers apply to a lane, from the widest to the narrowest, and what the policy of that lane is.

What is built in for all, then for the class; what the document says of the class; the tier, from the one that it is like on; the
tenant; and last the lane. A part about a class comes after the part that it stands in.
"""

from collections.abc import Iterator

from mailcordon.core.priority import Class
from mailcordon.guard.policy import built_in, merge
from mailcordon.guard.policy.document import PolicyDocument, TenantPolicy, Tier
from mailcordon.guard.policy.effective import Explained, Valued
from mailcordon.guard.policy.layer import Layer
from mailcordon.messages import policies as words

_NOTHING = TenantPolicy()


def tier_of(document: PolicyDocument, tenant: str) -> str:
    return document.tenants.get(tenant, _NOTHING).tier or document.default_tier


def effective(document: PolicyDocument, version: int, tenant: str, type: str, class_: Class) -> Explained:
    """The policy of one lane, each value with its origin. `version` is the document's; 0 for what is built in."""
    lane = f"{tenant}/{type}"
    chain = of_lane(document, tenant, type, class_)
    return merge.explain(lane, chain, version=version, tier=_tier(document, tenant))


class Explaining:
    """The policies of many lanes of one document. What tenants share of whom it says no more than a tier is worked out once, and
    the values of lanes that are alike are one object."""

    def __init__(self, document: PolicyDocument, version: int) -> None:
        self._document = document
        self._version = version
        self._shared: dict[tuple[str | None, Class], Explained] = {}

    def of(self, tenant: str, type: str, class_: Class) -> Explained:
        """As `effective`."""
        own = self._document.tenants.get(tenant, _NOTHING)
        if own.values or own.classes or own.types:
            return effective(self._document, self._version, tenant, type, class_)
        shared = self._shared.get((own.tier, class_))
        if shared is None:
            shared = effective(self._document, self._version, tenant, type, class_)
            self._shared[own.tier, class_] = shared
        values = shared.values
        if own.tier is not None:
            values = {**values, "tier": merge.said(_tier(self._document, tenant))}
        return Explained(lane=f"{tenant}/{type}", policy=shared.policy, values=values)


def _tier(document: PolicyDocument, tenant: str) -> Valued[str]:
    own = document.tenants.get(tenant, _NOTHING)
    if own.tier is not None:
        return Valued(own.tier, f"tenant {tenant}", own.because)
    return Valued(document.default_tier, "default", words.default_tier())


def of_lane(document: PolicyDocument, tenant: str, type: str, class_: Class) -> Iterator[Layer]:
    yield from of_tier(document, tier_of(document, tenant), class_)
    own = document.tenants.get(tenant, _NOTHING)
    yield Layer(f"tenant {tenant}", own.values)
    if class_ in own.classes:
        yield Layer(f"class {class_.word} of {tenant}", own.classes[class_])
    if type in own.types:
        yield Layer(f"lane {tenant}/{type}", own.types[type])


def of_tier(document: PolicyDocument, tier: str, class_: Class) -> Iterator[Layer]:
    """What applies to every lane of a class in a tier."""
    yield built_in.DEFAULTS
    yield built_in.CLASSES[class_]
    if class_ in document.classes:
        yield Layer(f"class {class_.word}", document.classes[class_])
    for name in _chain(document, tier):
        if name in built_in.TIERS:
            yield built_in.TIERS[name]
        own = document.tiers.get(name, Tier())
        yield Layer(f"tier {name}", own.values)
        if class_ in own.classes:
            yield Layer(f"class {class_.word} of tier {name}", own.classes[class_])


def _chain(document: PolicyDocument, tier: str) -> list[str]:
    """The tier after those that it is like. One of ours that is like none adds to `standard`."""
    chain = [tier]
    while (like := document.tiers.get(chain[-1], Tier()).like) is not None and like not in chain:
        chain.append(like)
    if chain[-1] not in built_in.TIERS:
        chain.append(built_in.STANDARD)
    return chain[::-1]
