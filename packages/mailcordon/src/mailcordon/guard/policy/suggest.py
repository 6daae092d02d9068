"""Caps from what a lane has sent in the last weeks and from what is at stake, and what they would have held (detection.md, 8).

The cap of a day is twice the 90th percentile of the days on which the lane sent, at least 500. A critical message type has more
room: a mail that waits costs more there than one too many.
"""

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mailcordon.core.limit import LimitScope, Mode, Per
from mailcordon.core.priority import Class
from mailcordon.messages import policies as words

DAYS: Final = 28
MOST_LANES: Final = 2_000  #: that are looked at in one request
LEAST_DAYS: Final = 7  #: with mail, or nothing is suggested
FLOOR: Final = {Per.DAY: 500, Per.HOUR: 100}
ROOM: Final = 2.0  #: of a day; of an hour, half as much again
#: By criticality of the message type, 1 to 5.
STAKES: Final = {1: 1.0, 2: 1.0, 3: 1.0, 4: 1.5, 5: 2.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What left on a lane: mails by day and by hour since 1970, without those in which none did."""

    tenant: str
    type: str
    class_: Class
    criticality: int
    days: Mapping[int, int]
    hours: Mapping[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedCap:
    per: Per
    mails: int
    because: str
    held: int  #: mails that it would have held
    windows: int  #: days or hours in which it would have held some
    scope: LimitScope = LimitScope.LANE
    mode: Mode = Mode.SHADOW

    @property
    def path(self) -> str:
        return f"caps.{self.scope}.{self.per}"

    @property
    def effect(self) -> str:
        return words.would_have_held(self.held, self.windows, self.per)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suggestion:
    tenant: str
    type: str
    caps: tuple[SuggestedCap, ...]  #: empty: too little history
    because: str | None = None  #: why there are none


def suggest(throughput: Throughput) -> Suggestion:
    if len(throughput.days) < LEAST_DAYS:
        return Suggestion(
            tenant=throughput.tenant, type=throughput.type, caps=(), because=words.too_little_history()
        )
    room = ROOM * STAKES[throughput.criticality]
    day = _cap(Per.DAY, throughput.days, room)
    caps = [day]
    # Counts of hours may be deleted before those of days.
    if throughput.hours:
        # Hours differ more than days do: a campaign is one hour's mail.
        hour = _cap(Per.HOUR, throughput.hours, room * 1.5)
        # A lane whose day is one hour has no use for a cap of the hour, which could never be reached.
        if hour.mails < day.mails:
            caps.append(hour)
    return Suggestion(tenant=throughput.tenant, type=throughput.type, caps=tuple(caps))


def document(suggestions: Sequence[Suggestion], base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """A policy's document with these caps, as plain values. `base`: the document that they are added to; a lane whose caps it
    names keeps those."""
    base = base or {}
    given: Mapping[str, Any] = base.get("tenants") or {}
    tenants: dict[str, dict[str, Any]] = {
        slug: {"tier": own} if isinstance(own, str) else copy.deepcopy(own or {})
        for slug, own in given.items()
    }
    for one in suggestions:
        if one.caps:
            caps = {str(cap.per): {"mails": cap.mails, "mode": str(cap.mode)} for cap in one.caps}
            tenant = tenants.setdefault(one.tenant, {})
            types: dict[str, dict[str, Any] | None] = tenant.get("types") or {}
            part: dict[str, Any] = types.get(one.type) or {}
            own: dict[str, Any] = part.get("caps") or {}
            tenant["types"], types[one.type], part["caps"] = types, part, own
            if not own.get(str(LimitScope.LANE)):
                part.setdefault("because", "; ".join(cap.because for cap in one.caps))
                own[str(LimitScope.LANE)] = caps
    return {"version": 1, **base, "tenants": tenants}


def _cap(per: Per, windows: Mapping[int, int], room: float) -> SuggestedCap:
    busy = percentile(list(windows.values()), 0.9)
    mails = _rounded(max(FLOOR[per], busy * room))
    over = [sent - mails for sent in windows.values() if sent > mails]
    because = words.suggests_cap(f"{LimitScope.LANE}/{per}", mails, busy, DAYS)
    return SuggestedCap(per=per, mails=mails, because=because, held=sum(over), windows=len(over))


def percentile(values: Sequence[int], share: float) -> int:
    """The smallest value that so large a share of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def _rounded(mails: float) -> int:
    """Up to two leading digits: nobody has to read 20,418."""
    step = 10 ** max(0, len(str(int(mails))) - 2)
    return math.ceil(mails / step) * step
