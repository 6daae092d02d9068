"""The catalogue of message types. A type's class never changes, since its lanes, turns and configuration sets belong to that
class. Values set on a type override those of its class."""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mailcordon.core import names, text
from mailcordon.core.errors import Fault, Invalid, parse_into
from mailcordon.core.priority import CLASS_DEFAULTS, Class
from mailcordon.messages import api

LONGEST_DAYS = 14  #: of a duration: partitions exist that far ahead
_LONGEST_MS = LONGEST_DAYS * 24 * 3_600_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageType:
    id: int = 0
    name: str
    class_: Class
    criticality: int  #: 1 to 5: with 5, a missing mail hurts most
    description: str
    expiry_ms: int | None = None  #: None: the value of the class
    grace_ms: int | None = None
    resend: bool | None = None

    def __post_init__(self) -> None:
        faults: list[Fault] = []
        parse_into(faults, "name", names.message_type, self.name)
        if not 1 <= self.criticality <= 5:
            faults.append(Fault("criticality", api.bad_criticality()))
        parse_into(faults, "description", text.description, self.description)
        for field, value in (("expiry_seconds", self.expiry_ms), ("grace_seconds", self.grace_ms)):
            if value is not None and not 0 < value <= _LONGEST_MS:
                faults.append(Fault(field, api.bad_duration(LONGEST_DAYS)))
        if faults:
            raise Invalid(*faults)

    def effective(self) -> tuple[int, int, bool]:
        """Expiry and grace in milliseconds, and whether it is resent: the type's value, else the class's."""
        defaults = CLASS_DEFAULTS[self.class_]
        return (
            self.expiry_ms if self.expiry_ms is not None else defaults.expiry_ms,
            self.grace_ms if self.grace_ms is not None else defaults.grace_ms,
            self.resend if self.resend is not None else defaults.resend,
        )

    def changed(self, change: Mapping[str, object]) -> "MessageType":
        """Raises Invalid."""
        return dataclasses.replace(self, **change)  # pyright: ignore[reportArgumentType]

    def as_json(self) -> str:
        return json.dumps(
            {
                "class": self.class_.word,
                "criticality": self.criticality,
                "description": self.description,
                "expiry_ms": self.expiry_ms,
                "grace_ms": self.grace_ms,
                "resend": self.resend,
            }
        )


class TypeStore(Protocol):
    """Each method is one transaction with its audit row, and bumps the control epoch."""

    async def add_type(self, new: MessageType, *, actor: str) -> MessageType:
        """Raises Conflict if the name is taken."""
        ...

    async def change_type(self, name: str, change: dict[str, object], *, actor: str) -> MessageType:
        """Raises NotFound or Invalid."""
        ...
