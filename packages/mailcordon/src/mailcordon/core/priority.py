"""Priority classes, and how mail of each is treated. Every message type names its class.

The values are the defaults of docs/architecture.md. A message type may override the first three.
"""

from dataclasses import dataclass
from enum import IntEnum

from mailcordon.messages import api


class Class(IntEnum):
    URGENT = 0
    TRANSACTIONAL = 1
    MARKETING = 2

    @property
    def word(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassDefaults:
    """How mail of a class is treated, unless its message type overrides it."""

    expiry_ms: int  #: expires this long after accept, and is then dropped instead of sent
    grace_ms: int  #: a Send event of a call this much later proves that an earlier call without one was not accepted
    resend: bool  #: whether such a call is retried; else the delivery is given up
    weight: int  #: share of each claim, relative to the other classes
    #: SuppressedReasons of the configuration set; None leaves it unset (ses.md 2.2)
    ses_reasons: tuple[str, ...] | None
    max_delivery_seconds: int  #: how long SES retries (ses.md 6)
    keeps_content: bool  #: for MAILCORDON_KEEP_BODIES_DAYS; else only until the delivery has ended
    one_click: bool  #: requires List-Unsubscribe and List-Unsubscribe-Post (RFC 8058)


_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR

CLASS_DEFAULTS: dict[Class, ClassDefaults] = {
    Class.URGENT: ClassDefaults(
        expiry_ms=15 * _MINUTE,
        grace_ms=_MINUTE,
        resend=True,
        weight=8,
        ses_reasons=("BOUNCE",),
        max_delivery_seconds=900,
        keeps_content=False,
        one_click=False,
    ),
    Class.TRANSACTIONAL: ClassDefaults(
        expiry_ms=_DAY,
        grace_ms=10 * _MINUTE,
        resend=True,
        weight=4,
        ses_reasons=("BOUNCE",),
        max_delivery_seconds=14_400,
        keeps_content=True,
        one_click=False,
    ),
    Class.MARKETING: ClassDefaults(
        expiry_ms=72 * _HOUR,
        grace_ms=10 * _MINUTE,
        resend=False,
        weight=1,
        ses_reasons=None,
        max_delivery_seconds=50_400,
        keeps_content=True,
        one_click=True,
    ),
}

#: Of the classes, by their numbers: how much of the slots each has while mail of several waits.
WEIGHTS = {int(class_): defaults.weight for class_, defaults in CLASS_DEFAULTS.items()}


def parse_class(word: str) -> Class:
    """Raises ValueError, whose message lists the classes."""
    try:
        return Class[word.upper()]
    except KeyError:
        raise ValueError(api.not_one_of([each.word for each in Class])) from None
