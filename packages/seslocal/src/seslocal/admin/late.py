"""Results of admin calls that are there later."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from seslocal.admin.fields import Json


@dataclass(frozen=True, slots=True)
class Late:
    """A result that is not there yet. Both raise Refused."""

    wait: Callable[[], Awaitable[Json]]  #: other calls are answered meanwhile
    at_once: Callable[[], Json]  #: does what is left, and nothing else meanwhile
