"""The ways to run the platform that are compared, and playing the fleet under one of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from bench.migration.mover import Look, Mover
from bench.migration.ways import Ways
from seslocal.fleets import tenants
from seslocal.fleets.player import Player
from seslocal.fleets.result import Run
from seslocal.fleets.scenario import Scenario
from seslocal.fleets.tenants import Sender

#: When the rollouts start: on the fourth day at seven.
SINCE: Final = 3 * 86_400.0 + 7 * 3600.0


class Setup(StrEnum):
    STAYS = "stays"  #: all mail on the shared path, nobody watches
    APART = "apart"  #: all mail on the tenants' own paths from the start, nobody watches
    MOVES = "moves"  #: rollouts from the shared path to their own, behind Mailcordon


@dataclass(frozen=True, slots=True)
class Played:
    setup: Setup
    run: Run
    looks: list[Look] = field(default_factory=list[Look])
    stops: int = 0
    waits: Mapping[str, str] = field(default_factory=dict[str, str])  #: by rollout: what its last look said
    cpu: float = 0.0  #: seconds


def play(
    scenario: Scenario, setup: Setup, *, scale: float = 1.0, days: int | None = None, without: bool = False
) -> Played:
    """Plays a scenario to its end. `without`: without the culprits."""
    left_out = tenants.culprits(scenario) if without else set[str]()
    first = Player(scenario, scale=scale, days=days, without=left_out)
    began = time.process_time()
    mover = None
    if setup is Setup.MOVES:
        mover = Mover(first.senders, first.start, groups(first.senders), SINCE)
        player = Player(scenario, scale=scale, days=days, without=left_out, operator=mover, paths=mover.ways)
    else:
        share = 0 if setup is Setup.STAYS else 100
        ways = Ways({sender.name: share for sender in first.senders})
        player = Player(scenario, scale=scale, days=days, without=left_out, paths=ways)
    gc.disable()  # a mail makes no reference cycles
    try:
        run = player.run()
    finally:
        gc.enable()
    cpu = time.process_time() - began
    if mover is None:
        return Played(setup, run, cpu=cpu)
    waits = {name: one.sentence for name, one in mover.last.items()}
    return Played(setup, run, mover.looks, mover.stops, waits, cpu)


def groups(senders: list[Sender]) -> dict[str, frozenset[str]]:
    """A rollout for the tenants of each group."""
    found: dict[str, set[str]] = {}
    for sender in senders:
        found.setdefault(sender.group, set()).add(sender.name)
    return {name: frozenset(names) for name, names in found.items()}
