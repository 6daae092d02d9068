"""Whether a document makes sense as a whole: values that are right by themselves and contradict each other.

A cap below the first step of the warm-up keeps a domain from ever warming up; a cap of an hour above that of the day is never
reached. Both members are named, so that a file's reader shows both lines.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mailcordon.core.document_path import path
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.limit import Per
from mailcordon.core.priority import Class
from mailcordon.guard.policy import document as documents
from mailcordon.guard.policy import layers
from mailcordon.guard.policy.document import PolicyDocument
from mailcordon.guard.policy.layer import CapValue, Layer, Reasoned
from mailcordon.messages import policies as words

_LONGER = {Per.MINUTE: (Per.HOUR, Per.DAY), Per.HOUR: (Per.DAY,)}


@dataclass(frozen=True, slots=True)
class Known:
    """What the platform has."""

    tenants: frozenset[str]
    types: Mapping[str, Class]


def check(document: PolicyDocument, known: Known | None = None) -> None:
    """`known` None: names of tenants and types are not looked at, as on the command line. Raises Invalid."""
    faults: dict[Fault, None] = {}
    if known is not None:
        faults |= dict.fromkeys(_unknown(document, known))
    for chain in _chains(document, known):
        faults |= dict.fromkeys(_contradictions(chain))
    if faults:
        raise Invalid(*list(faults)[: documents.MOST_FAULTS])


def _unknown(document: PolicyDocument, known: Known) -> Iterator[Fault]:
    for slug, tenant in document.tenants.items():
        at = path("tenants", slug)
        if slug not in known.tenants:
            yield Fault(at, words.unknown_tenant(slug), "no-such-tenant")
        for type in tenant.types:
            if type not in known.types:
                sentence = words.unknown_type(type, sorted(known.types))
                yield Fault(path(path(at, "types"), type), sentence, "unknown-type")


def _chains(document: PolicyDocument, known: Known | None) -> Iterator[Iterable[Layer]]:
    """The layers of every lane that could be told apart."""
    for class_ in Class:
        for tier in document.tier_names:
            yield layers.of_tier(document, tier, class_)
        for slug, tenant in document.tenants.items():
            if tenant.values or class_ in tenant.classes:
                yield layers.of_lane(document, slug, "", class_)
            for type in tenant.types:
                if known is None or known.types.get(type, class_) is class_:
                    yield layers.of_lane(document, slug, type, class_)


def _contradictions(chain: Iterable[Layer]) -> Iterator[Fault]:
    values: dict[str, Reasoned] = {}
    for layer in chain:
        values.update(layer.values)
    yield from _below_warm_up(values)
    caps = {at: one for at, one in values.items() if at.startswith("caps.") and one.value.mails is not None}
    for at, one in caps.items():
        scope, _, per = at.rpartition(".")
        for longer in _LONGER.get(Per(per), ()):
            other = caps.get(f"{scope}.{longer}")
            if other is not None and other.value.mails < one.value.mails and (one.at or other.at):
                sentence = words.never_reached(one.value.mails, per, other.at, other.value.mails, longer)
                yield Fault(one.at or other.at, sentence)


def _below_warm_up(values: Mapping[str, Reasoned]) -> Iterator[Fault]:
    others = values["warm_up.others"]
    steps = {
        at.removeprefix("warm_up.steps."): one
        for at, one in values.items()
        if at.startswith("warm_up.steps.")
    }
    lowest = min([others, *steps.values()], key=lambda one: one.value[0])
    pairs = [(values.get("caps.lane.day"), lowest), (values.get("new_sender.first"), lowest)]
    for at, one in values.items():
        parts = at.split(".")
        if parts[:2] == ["caps", "provider"] and parts[-1] == Per.DAY and len(parts) == 4:
            pairs.append((one, steps.get(parts[2], others)))
    for one, curve in pairs:
        if one is None:
            continue
        mails = one.value.mails if isinstance(one.value, CapValue) else one.value
        if mails is None or mails >= curve.value[0]:
            continue
        if one.at:
            yield Fault(one.at, words.below_warm_up(mails, curve.at, curve.value[0]))
        if curve.at:
            yield Fault(curve.at, words.above_cap(curve.value[0], one.at or "new_sender.first", mails))
