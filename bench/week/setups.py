"""The three ways to run a platform that are compared, and playing the week under one of them."""

from __future__ import annotations

import gc
import time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import msgspec

from bench.week import policies
from bench.week.guard import Decided, Guard
from bench.week.lanes import Lane
from mailcordon.guard.counts import Delta
from seslocal.fleets import tenants
from seslocal.fleets.player import Player
from seslocal.fleets.result import Run
from seslocal.fleets.scenario import Scenario, Ses
from seslocal.fleets.tenants import Sender


class Setup(StrEnum):
    NAIVE = "naive"  #: one SES account for all, nobody watches
    SES = "ses"  #: a tenant at SES for each, with the reputation policy `standard`
    MAILCORDON = "mailcordon"  #: the same, behind Mailcordon with its breakers armed


RULES: Final = {
    Setup.NAIVE: Ses(pauses_tenants="none"),
    Setup.SES: Ses(pauses_tenants="standard"),
    Setup.MAILCORDON: Ses(pauses_tenants="standard"),
}


@dataclass(frozen=True, slots=True)
class Played:
    setup: Setup
    run: Run
    decided: list[Decided] = field(default_factory=list[Decided])
    #: Mails of each lane that waited, by what held them back first. A mail may be in several.
    waited: list[tuple[Lane, str, int]] = field(default_factory=list[tuple[Lane, str, int]])
    cpu: float = 0.0  #: seconds
    senders: list[Sender] = field(default_factory=list[Sender])
    counted: list[Delta] = field(
        default_factory=list[Delta]
    )  #: what the guard counted, if that was asked for


def play(
    scenario: Scenario,
    setup: Setup,
    *,
    scale: float = 1.0,
    days: int | None = None,
    without: bool = False,
    counts: bool = False,
) -> Played:
    """Plays a scenario to its end. `without`: without the culprits. `counts`: the guard's counts are kept."""
    rules = msgspec.structs.replace(scenario, ses=RULES[setup])
    left_out = tenants.culprits(scenario) if without else set[str]()
    player = Player(rules, scale=scale, days=days, without=left_out)
    guard = None
    counted: list[Delta] = []
    if setup is Setup.MAILCORDON:
        guard = Guard(
            player.senders, player.start, policies.of_fleet(player.senders), counted if counts else None
        )
        player = Player(rules, scale=scale, days=days, without=left_out, operator=guard)
    began = time.process_time()
    gc.disable()  # a mail makes no reference cycles
    try:
        run = player.run()
    finally:
        gc.enable()
    cpu = time.process_time() - began
    if guard is None:
        return Played(setup, run, cpu=cpu, senders=player.senders)
    return Played(setup, run, guard.decided, guard.counts_of_waiting(), cpu, player.senders, counted)
