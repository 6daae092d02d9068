"""What a check of `mailcordon doctor` found."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warn", "bad"]


@dataclass(frozen=True, slots=True)
class Finding:
    about: str
    state: State
    says: str  #: what is so and, unless it is ok, what to do
    retryable: bool | None = (
        None  #: whether asking again may be enough, as after a time-out; None: it is ok, or not known
    )
