"""The rates that an API key may use. What a key does not set, the installation's defaults set."""

from dataclasses import dataclass

MOST_PER_SECOND = 1e9  #: of any rate; more is a slip of the keyboard
LEAST_PER_SECOND = 0.01  #: of any rate: one message in 100 s


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """Rates per second. None: the default of the installation."""

    messages_per_second: float | None = None  #: messages that POST /v1/messages takes
    bytes_per_second: float | None = None  #: bytes of their bodies
    reads_per_second: float | None = None  #: all other requests


UNLIMITED_BY_KEY = KeyLimits()  #: a key that sets no limit of its own
