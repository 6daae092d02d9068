"""Feedback that is lost or late: which counts it makes unreliable (docs/decisions/033-feedback-losses.md)."""

from dataclasses import dataclass
from typing import Literal

#: The kind of event that does not come. `send`: none at all comes of these mails.
Signal = Literal["send", "bounce", "complaint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A loss that covers mail of a lane. Times are milliseconds since 1970."""

    lane: int
    loss: int | None  #: its number; None for a tenant's key
    signal: Signal
    provider: int | None  #: core.provider.Provider; None: every provider
    since: int  #: the beginning of the first minute concerned, by the time of the call to SES
    until: int | None  #: the end of the last; None: it lasts
    late: bool  #: the events wait in the queue, and will be counted
