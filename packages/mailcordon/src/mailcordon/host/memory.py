"""Gives freed memory back to the operating system, where the C library can (glibc keeps what it may need again)."""

import asyncio
import ctypes
from collections.abc import Callable
from typing import Protocol

#: Freed bytes that the process may keep, and seconds between two times that it gives back more: that takes milliseconds.
_KEPT = 4 * 1024 * 1024
_EVERY = 3.0


def give_back() -> None:
    """Takes some milliseconds for each 100 MB that the process has."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class Counted(Protocol):
    """What knows how much was freed."""

    freed: int  #: bytes since somebody set this to 0
    on_freed: Callable[[], None]


class GivesBack:
    """Gives back a moment after much was freed. Needs a running event loop by then."""

    def __init__(self, counted: Counted) -> None:
        self._counted = counted
        self._is_planned = False
        counted.on_freed = self._soon

    def _soon(self) -> None:
        if self._counted.freed > _KEPT and not self._is_planned:
            self._is_planned = True
            asyncio.get_running_loop().call_later(_EVERY, self._now)

    def _now(self) -> None:
        self._is_planned = False
        self._counted.freed = 0
        give_back()
