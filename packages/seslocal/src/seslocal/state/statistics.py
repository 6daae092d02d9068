"""Counts of what happened to mail, for each quarter of an hour of the last two weeks."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from seslocal.state.accepted_mail import Mail
from seslocal.state.configuration_sets import ConfigurationSet
from seslocal.state.outcomes import Outcome, Plan

POINT: Final = 900  # seconds
MOST: Final = 14 * 86400 // POINT
_ATTEMPTS, _BOUNCES, _COMPLAINTS, _REJECTS = range(1, 5)
_WHAT: Final = {"Send": _ATTEMPTS, "Bounce": _BOUNCES, "Complaint": _COMPLAINTS, "Reject": _REJECTS}


class Statistics:
    """A mail observer."""

    def __init__(self) -> None:
        self.points: deque[list[int]] = deque(maxlen=MOST)  # [point, attempts, bounces, complaints, rejects]

    def accepted(
        self, mail: Mail, configuration_set: ConfigurationSet | None, plans: list[tuple[str, Plan]]
    ) -> None:
        pass

    def happened(
        self, mail: Mail, event: str, outcome: Outcome | None, recipients: Sequence[str], at: float
    ) -> None:
        what = _WHAT.get(event)
        if what is None:
            return
        point = int(at) // POINT
        if not self.points or self.points[-1][0] < point:
            self.points.append([point, 0, 0, 0, 0])
        self.points[-1][what] += len(recipients) or len(mail.destination)
