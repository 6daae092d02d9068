"""When a sender tries again after a deferral (`data/retries.toml`). The receiving hosts do not know it."""

from __future__ import annotations

from functools import cache

from seslocal.world import parameters
from seslocal.world.draws import Draws
from seslocal.world.envelope import Envelope


def pause(number: int, chance: float) -> float:
    """Returns the seconds between attempt `number`, which was deferred, and the next one. `chance` is uniform in [0, 1)."""
    spread = _spread()
    return _base(number) * (1.0 - spread + 2.0 * spread * chance)


def drawn(draws: Draws, envelope: Envelope, number: int) -> float:
    """Returns the pause after attempt `number` at this mail."""
    return pause(number, draws.four("retry", f"{envelope.key} {envelope.recipient} {number}")[0])


def _base(number: int) -> float:
    pauses = _pauses()
    return pauses[min(number, len(pauses)) - 1]


@cache
def _pauses() -> tuple[float, ...]:
    return parameters.read("retries").numbers("pauses")


@cache
def _spread() -> float:
    return parameters.read("retries").number("spread")
