"""Layers in, one effective policy out: the last layer that names a value wins, and each value keeps where it comes from."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from mailcordon.core.limit import LimitScope, Per
from mailcordon.core.priority import Class
from mailcordon.guard.policy import built_in
from mailcordon.guard.policy.effective import (
    BreakerPolicy,
    Cap,
    Explained,
    LanePolicy,
    NewSenderPolicy,
    ObjectivePolicy,
    ReleasePolicy,
    Valued,
    WarmUpPolicy,
)
from mailcordon.guard.policy.layer import CapValue, Layer

BUILT_IN: Final = 0  #: the version of what applies before anybody has written a policy


def explain(lane: str, layers: Iterable[Layer], *, version: int, tier: Valued[str]) -> Explained:
    """The effective policy of a lane such as `acme/newsletter`. `layers` go from the widest to the narrowest."""
    values: dict[str, Valued[object]] = {}
    for layer in layers:
        for path, one in layer.values.items():
            values[path] = Valued(one.value, layer.origin, one.because)
    kept = {path: one for path, one in sorted(values.items()) if not _lifts(one.value)}
    policy = of_values({path: one.value for path, one in kept.items()}, version=version, tier=tier.value)
    return Explained(lane=lane, policy=policy, values={"tier": said(tier), **kept})


def said(tier: Valued[str]) -> Valued[object]:
    """A tier as one of the values."""
    return Valued(tier.value, tier.origin, tier.because)


def built_in_policy(class_: Class) -> LanePolicy:
    """What applies to a lane of this class that has no row in `lane_policy`."""
    return _BUILT_IN[class_]


def of_values(values: Mapping[str, Any], *, version: int, tier: str) -> LanePolicy:
    """The policy that has these values, by their paths. Values that are not named are those of the dataclasses."""
    parts: dict[str, dict[str, Any]] = {}
    caps: list[Cap] = []
    steps: dict[str, tuple[int, ...]] = {}
    for path, value in values.items():
        part, _, name = path.partition(".")
        if part == "caps":
            caps.append(cap(path, value))
        elif path.startswith("warm_up.steps."):
            steps[name.removeprefix("steps.")] = value
        else:
            parts.setdefault(part, {})[name] = value
    return LanePolicy(
        version=version,
        tier=tier,
        caps=tuple(caps),
        new_sender=NewSenderPolicy(**parts.get("new_sender", {})),
        breaker=BreakerPolicy(**parts.get("breaker", {})),
        release=ReleasePolicy(**parts.get("release", {})),
        warm_up=WarmUpPolicy(**parts.get("warm_up", {}), steps=steps),
        objectives=ObjectivePolicy(**parts.get("objectives", {})),
    )


def cap(path: str, value: CapValue) -> Cap:
    """The cap at a path such as `caps.lane.day` or `caps.provider.gmail.day`."""
    _, word, rest = path.split(".", 2)
    name, _, per = rest.rpartition(".")  # a campaign's name may have dots
    scope = LimitScope(word)
    assert value.mails is not None, path
    return Cap(
        scope=scope,
        per=Per(per),
        mails=value.mails,
        mode=value.mode,
        provider=name if scope is LimitScope.PROVIDER else None,
        campaign=name if scope is LimitScope.CAMPAIGN else None,
        refuses=value.refuses,
    )


def _lifts(value: object) -> bool:
    return isinstance(value, CapValue) and value.mails is None


_BUILT_IN: Final[Mapping[Class, LanePolicy]] = {
    class_: explain(
        "",
        (built_in.DEFAULTS, built_in.CLASSES[class_], built_in.TIERS[built_in.STANDARD]),
        version=BUILT_IN,
        tier=Valued(built_in.STANDARD, built_in.DEFAULTS.origin, ""),
    ).policy
    for class_ in Class
}
