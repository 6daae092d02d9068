"""The three ways to run a platform that are compared, and playing the week under one of them."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

import msgspec

from bench.week.guard import Decided, Guard
from bench.week.lanes import Lane
from mailcordon.core.limit import Mode
from mailcordon.core.priority import Class
from mailcordon.guard.policy.effective import LanePolicy
from mailcordon.guard.policy.merge import built_in_policy
from seslocal.fleets import tenants
from seslocal.fleets.player import Player
from seslocal.fleets.result import Run
from seslocal.fleets.scenario import Scenario, Ses
from seslocal.world.draws import Draws


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


def armed(policy: LanePolicy) -> LanePolicy:
    """The same with a breaker that enforces, as a person arms it once the lane is proved."""
    return replace(policy, breaker=replace(policy.breaker, mode=Mode.ENFORCE))


def policies(scenario: Scenario) -> Mapping[str, LanePolicy]:
    """Of each lane by name."""

    found: dict[str, LanePolicy] = {}
    for sender in tenants.senders(scenario, Draws(scenario.seed)):
        found[f"{sender.name}/password-reset"] = armed(built_in_policy(Class.URGENT))
        found[f"{sender.name}/newsletter"] = armed(built_in_policy(Class.MARKETING))
    return found


def play(
    scenario: Scenario, setup: Setup, *, scale: float = 1.0, days: int | None = None, without: bool = False
) -> Played:
    """Plays a scenario to its end. `without`: without the culprits."""
    rules = msgspec.structs.replace(scenario, ses=RULES[setup])
    left_out = tenants.culprits(scenario) if without else set[str]()
    player = Player(rules, scale=scale, days=days, without=left_out)
    guard = None
    if setup is Setup.MAILCORDON:
        guard = Guard(player.senders, player.start, policies(scenario))
        player = Player(rules, scale=scale, days=days, without=left_out, operator=guard)
    began = time.process_time()
    gc.disable()  # a mail makes no reference cycles
    try:
        run = player.run()
    finally:
        gc.enable()
    cpu = time.process_time() - began
    if guard is None:
        return Played(setup, run, cpu=cpu)
    return Played(setup, run, guard.decided, guard.counts_of_waiting(), cpu)
