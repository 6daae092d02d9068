"""A small scenario: its own strangers, sharers of a pool, and a culprit."""

from __future__ import annotations

import io
from typing import Any

from seslocal.fleets.player import Player
from seslocal.fleets.reading import read
from seslocal.fleets.result import Run
from seslocal.fleets.scenario import Scenario

SMALL = """
name = "small"
title = "A small fleet"
days = 2

[[groups]]
name = "shops"
count = 3
mails_a_day = 300

[[groups]]
name = "apart"
count = 2
type = "transactional"
mails_a_day = 200
pool = "own"
"""

BOUGHT = """
[[incidents]]
kind = "bought_list"
tenant = "shops-002"
start = "day 1 09:00"
addresses = 600
lasts = "2h"
"""


def scenario(more: str = "", **changes: str) -> Scenario:
    """Returns the small scenario. `changes`: texts in it to replace, by name of a member of the first group."""
    text = SMALL
    for name, value in changes.items():
        text = text.replace("mails_a_day = 300", f"mails_a_day = 300\n{name} = {value}", 1)
    return read(text + more)


def play(of: Scenario, **options: Any) -> tuple[Run, bytes]:
    """Returns the result and the event log."""
    log = io.BytesIO()
    run = Player(of, log=log, **options).run()
    return run, log.getvalue()
