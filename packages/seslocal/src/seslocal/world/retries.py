"""When a sender tries again after a deferral, as the sending host does; the receiving hosts do not know it."""

from __future__ import annotations

from typing import Final

_PAUSES: Final = (60.0, 300.0, 900.0, 1800.0)  # seconds after the first deferrals, then hourly


def pause(number: int, chance: float) -> float:
    """Returns the seconds between attempt `number`, which was deferred, and the next one. `chance` is uniform in [0, 1)."""
    base = _PAUSES[number - 1] if number <= len(_PAUSES) else 3600.0
    return base * (0.8 + 0.4 * chance)
