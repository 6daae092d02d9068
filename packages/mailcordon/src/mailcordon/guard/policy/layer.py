"""One layer of a policy: values by their path, each with its reason. Later layers win, value by value."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mailcordon.core.limit import Mode


@dataclass(frozen=True, slots=True)
class CapValue:
    """A cap as a layer says it. `mails` None: no cap, whatever the layers below say."""

    mails: int | None
    mode: Mode = Mode.SHADOW
    refuses: bool = False  #: what is over it is refused instead of held


@dataclass(frozen=True, slots=True)
class Reasoned:
    value: Any
    because: str
    at: str = ""  #: the member of the document that says it; none of what is built in


@dataclass(frozen=True, slots=True)
class Layer:
    """`origin` names it, such as `tier standard` or `lane acme/newsletter`."""

    origin: str
    values: Mapping[str, Reasoned] = field(default_factory=dict[str, Reasoned])
