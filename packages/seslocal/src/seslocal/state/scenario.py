"""The steps of a scenario: what goes wrong when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Step:
    at: float  #: seconds after the start
    method: str
    path: str
    body: dict[str, Any]
    outcome: str = "waits"  #: waits, done, or the error

    def shown(self) -> dict[str, Any]:
        return {
            "at": self.at,
            "call": f"{self.method} {self.path}",
            "body": self.body,
            "outcome": self.outcome,
        }
