"""What is marked in a picture: where incidents start and end, and where SES or the operator stops somebody."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from seslocal.fleets.result import Action
from seslocal.fleets.tables import moment

_MOST: Final = 9  # marks; further ones are named after the last
_MOST_TOGETHER: Final = 3  # deeds that one mark names
_INCIDENT: Final = "#8250df"
_DEED: Final = "#24292f"


class Mark(msgspec.Struct, frozen=True):
    number: int  #: from 1
    at: float  #: seconds since the start
    said: str
    color: str


def marks(actions: Sequence[Action], apart: float) -> list[Mark]:
    """Returns them by time. Those that are less than `apart` seconds after one are named by the same mark."""
    groups: list[list[Action]] = []
    for action in actions:
        if not _counts(action):
            continue
        if groups and action.at < groups[-1][0].at + apart:
            groups[-1].append(action)
        else:
            groups.append([action])
    found = [
        Mark(
            number,
            group[0].at,
            _said(group),
            _INCIDENT if all(one.who == "incident" for one in group) else _DEED,
        )
        for number, group in enumerate(groups[:_MOST], 1)
    ]
    if len(groups) > _MOST:
        more = sum(len(group) for group in groups[_MOST:])
        found[-1] = msgspec.structs.replace(found[-1], said=f"{found[-1].said}; and {more} later ones")
    return found


def _counts(action: Action) -> bool:
    return action.who != "ses" or action.what.endswith(("paused", "probation", "resumed"))


def _said(group: Sequence[Action]) -> str:
    said = "; ".join(_one(action) for action in group[:_MOST_TOGETHER])
    more = len(group) - _MOST_TOGETHER
    return f"{moment(group[0].at)}: {said}" + (f"; and {more} more" if more > 0 else "")


def _one(action: Action) -> str:
    if action.who == "incident":
        of = f" ({action.tenant})" if action.tenant else ""
        return f"{action.why.replace('_', ' ')} {action.what}s{of}"
    who = "SES" if action.who == "ses" else action.who
    about = f" {action.tenant}" if action.tenant else ""
    return f"{who}: {action.what.replace('_', ' ')}{about}, {action.why}"
