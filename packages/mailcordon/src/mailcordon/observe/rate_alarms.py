"""Which lanes have rates of hard bounces or complaints that people must see, since when, and whose mail it is (pure).

A warning, not the breaker: it holds nothing. It compares with a fixed ceiling, the highest rate that is accepted as healthy, and
not with a lane's own past. It is asked every second and looks for every possible beginning, so an interval alone would find luck:
the evidence must also pass a threshold in nats. docs/decisions/043-rate-alarms.md has the measured rate of false alarms.
"""

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.guard.delays import DEFAULTS, Signal
from mailcordon.observe import rates
from mailcordon.observe.rates import Rate

MINUTE_MS = 60_000
_HOUR = 60  #: minutes

SIGNALS = (Signal.BOUNCES, Signal.COMPLAINTS)
#: Minutes of mail that are judged. Nearly all bounces of a mail come within a day, nearly all complaints within three.
WINDOW = {Signal.BOUNCES: 24 * _HOUR, Signal.COMPLAINTS: 72 * _HOUR}
#: Mail counts as if it were at least this many minutes old. Too much exposure only makes an alarm later; feedback that is faster
#: than the laws of delays.py would otherwise read as a high rate in the first moments.
_LEAST_AGE = {Signal.BOUNCES: 1, Signal.COMPLAINTS: 60}

LEAST_EVENTS = 5
#: Nats against the ceiling, to which the logarithm of the number of things that are compared is added. Whatever passes it has
#: its whole 95 % interval above the ceiling.
THRESHOLD = 10.0
#: An alarm lasts until its evidence has fallen to this, so that it does not come and go.
ENDS_BELOW = 5.0
#: A part of the mail is at fault if it explains this share of the events that are too many.
MOST_OF_THE_EXCESS = 0.8
#: A mailbox provider that has nearly all of the mail says nothing about it.
_NEARLY_ALL = 0.9
#: Fewer events than this do little harm, whatever their rate.
_FEW_EVENTS = 10
#: What no mail of the culprit leaving for so long shows: it does no more harm at present.
QUIET_MINUTES = 60

#: Above these AWS may pause the account (ses.md).
PAUSES = {Signal.BOUNCES: 0.10, Signal.COMPLAINTS: 0.005}

Severity = Literal["high", "medium", "low"]


def ceiling(signal: Signal, class_: Class) -> float:
    """The highest rate that is accepted as healthy. AWS reviews an account at 5 % of bounces or 0.1 % of complaints."""
    if signal is Signal.COMPLAINTS:
        return 0.001
    return 0.025 if class_ is Class.MARKETING else 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Counts of mail of one lane sent in `span` minutes from `start` on (minutes since 1970)."""

    start: int
    span: int
    sent: int
    bounced: int
    complained: int = 0  #: at providers that report complaints
    heard: int | None = None  #: mail to providers that report complaints; None: all of it
    campaign: str | None = None
    list: str | None = None
    provider: int = Provider.UNKNOWN

    def events(self, signal: Signal) -> int:
        return max(0, self.bounced if signal is Signal.BOUNCES else self.complained)

    def mails(self, signal: Signal) -> int:
        """What the events are a share of."""
        counted = self.sent if signal is Signal.BOUNCES or self.heard is None else self.heard
        return max(0, counted)


PartKind = Literal["list", "campaign", "provider"]
_KINDS: tuple[PartKind, ...] = (
    "list",
    "campaign",
    "provider",
)  #: the first of those that hold the same mail is named


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a lane's mail."""

    kind: PartKind
    value: str  #: the name of a list or campaign, or the word of a mailbox provider

    def has(self, cell: Cell) -> bool:
        return part_of(cell, self.kind) == self.value


def part_of(cell: Cell, kind: PartKind) -> str | None:
    """None: the mail names no list or campaign, or its provider is not one of those that are told apart."""
    if kind == "list":
        return cell.list
    if kind == "campaign":
        return None if cell.campaign == "*" else cell.campaign
    return Provider(cell.provider).word if cell.provider > Provider.OTHER else None


@dataclass(frozen=True, slots=True)
class Count:
    """Events and the mail that they are of, from `start` (minutes since 1970) on."""

    start: int
    events: int
    sent: int
    exposure: float

    @property
    def rate(self) -> Rate:
        return rates.aged(self.events, self.sent, self.exposure)


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the excess a part explains. 1 is all of it."""

    part: Part
    share: float
    count: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneMail:
    """The mail of a lane in the windows."""

    lane: int
    class_: Class
    whole: Sequence[Cell]  #: all of it, without campaigns, lists and providers
    parts: Sequence[Cell]  #: the same mail by campaign, list and provider
    complete: bool = True  #: whether `parts` has all of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A rate above the ceiling."""

    signal: Signal
    part: Part | None  #: None: the whole lane
    count: Count
    evidence: float  #: nats
    shares: tuple[Share, ...]  #: what explains the excess, the most first; at most three


Exposed = Callable[[Cell, Signal], float]


def exposure_at(now_ms: int, *, prompt: bool = False) -> Exposed:
    """How much of a cell's mail feedback can have come of by now. `prompt`: all feedback comes at once, as from a local SES."""

    def exposure(cell: Cell, signal: Signal) -> float:
        mails = cell.mails(signal)
        if prompt or mails == 0:
            return float(mails)
        return mails * _seen(signal, max(_LEAST_AGE[signal], now_ms // MINUTE_MS - cell.start + 1))

    return exposure


@functools.lru_cache(maxsize=20_000)
def _seen(signal: Signal, minutes: int) -> float:
    """Of the oldest mail of a cell: to credit feedback early is the safe side."""
    return DEFAULTS[signal].seen(minutes * 60.0)


def judge(
    mail: LaneMail,
    signal: Signal,
    now_ms: int,
    *,
    known: Iterable[Part] = (),
    exposed: Exposed | None = None,
) -> Found | None:
    """The worst of what is above its ceiling. `known`: parts with an alarm already, whose mail is left out."""
    exposed = exposed or exposure_at(now_ms)
    limit = ceiling(signal, mail.class_)
    oldest = now_ms // MINUTE_MS - WINDOW[signal]
    known = tuple(known)
    parts = [
        cell
        for cell in mail.parts
        if cell.start + cell.span > oldest and not any(part.has(cell) for part in known)
    ]
    # Without the parts that are known there is only what is told apart.
    whole = parts if known else [cell for cell in mail.whole if cell.start + cell.span > oldest]
    if sum(cell.events(signal) for cell in whole) < LEAST_EVENTS:
        return None
    keys: dict[Part | None, Sequence[Cell]] = {}
    if not known or mail.complete:
        keys[None] = whole
    keys |= _by_part(parts, signal)
    threshold = THRESHOLD + math.log(len(keys) or 1)
    found: dict[Part | None, tuple[Count, float]] = {}
    for part, cells in keys.items():
        count, nats = strongest(cells, signal, limit, exposed)
        if nats >= threshold:
            found[part] = count, nats
    if not found:
        return None
    return _blamed(signal, found, parts, whole, exposed)


def _blamed(
    signal: Signal,
    found: Mapping[Part | None, tuple[Count, float]],
    parts: Sequence[Cell],
    whole: Sequence[Cell],
    exposed: Exposed,
) -> Found:
    """The part at fault, if one explains most of the excess; else the whole lane."""
    start = min(count.start for count, _ in found.values()) if None not in found else found[None][0].start
    since = [cell for cell in parts if cell.start + cell.span > start]
    shares = explained(since, _total(whole, signal, start, exposed), signal, exposed)
    if None in found:
        best = shares[0] if shares and shares[0].share >= MOST_OF_THE_EXCESS else None
        part = None if best is None else best.part
        if part is not None and part in found:
            count, nats = found[part]
        elif best is not None:
            count, nats = best.count, found[None][1]
        else:
            count, nats = found[None]
    else:
        ranked = sorted(
            ((part, *of) for part, of in found.items() if part is not None),
            key=lambda one: (-round(one[2]), _KINDS.index(one[0].kind), one[0].value),
        )
        part, count, nats = ranked[0]
    return Found(signal=signal, part=part, count=count, evidence=nats, shares=shares[:3])


def _by_part(cells: Sequence[Cell], signal: Signal) -> dict[Part | None, Sequence[Cell]]:
    """The cells of each part that has enough events to be judged."""
    made: dict[Part, list[Cell]] = {}
    for kind in _KINDS:
        for cell in cells:
            if (value := part_of(cell, kind)) is not None:
                made.setdefault(Part(kind, value), []).append(cell)
    return {part: of for part, of in made.items() if sum(cell.events(signal) for cell in of) >= LEAST_EVENTS}


def strongest(cells: Iterable[Cell], signal: Signal, limit: float, exposed: Exposed) -> tuple[Count, float]:
    """From which beginning on the mail speaks most strongly for a rate above `limit`, and how strongly, in nats."""
    best, most = Count(0, 0, 0, 0.0), -math.inf
    events, sent, exposure = 0, 0, 0.0
    for start, of_start in _newest_first(cells):
        for cell in of_start:
            events += cell.events(signal)
            sent += cell.mails(signal)
            exposure += exposed(cell, signal)
        # Feedback of mail that has hardly any exposure is as much as one event of each mail.
        nats = rates.evidence(events, max(exposure, float(events)), limit)
        if events > 0 and nats > most:
            best, most = Count(start, events, sent, exposure), nats
    return best, most


def _newest_first(cells: Iterable[Cell]) -> list[tuple[int, list[Cell]]]:
    by_start: dict[int, list[Cell]] = {}
    for cell in cells:
        by_start.setdefault(cell.start, []).append(cell)
    return sorted(by_start.items(), reverse=True)


def onset(cells: Iterable[Cell], signal: Signal, limit: float, exposed: Exposed) -> int | None:
    """The first minute from which the events that are more than `limit` allows add up to the most."""
    best: int | None = None
    excess, most = 0.0, 0.0
    for start, of_start in _newest_first(cells):
        excess += sum(cell.events(signal) - limit * exposed(cell, signal) for cell in of_start)
        if excess > 0 and excess >= most:
            best, most = start, excess
    return best


def counted(cells: Iterable[Cell], signal: Signal, since: int, exposed: Exposed) -> Count:
    """Of mail since a minute; a cell counts whole if a part of it is later."""
    return _total(list(cells), signal, since, exposed)


def _total(cells: Sequence[Cell], signal: Signal, since: int, exposed: Exposed) -> Count:
    taken = [cell for cell in cells if cell.start + cell.span > since]
    return Count(
        since,
        sum(cell.events(signal) for cell in taken),
        sum(cell.mails(signal) for cell in taken),
        sum(exposed(cell, signal) for cell in taken),
    )


def explained(cells: Sequence[Cell], total: Count, signal: Signal, exposed: Exposed) -> tuple[Share, ...]:
    """What share of the events that healthy mail would not have had each part explains, the strongest evidence first.

    Not by the rate or the number of events: those name the smallest or the largest part (detection.md 11).
    """
    healthy = rates.HEALTHY[signal]
    excess = total.events - healthy * total.exposure
    if excess <= 0:
        return ()
    ranked: list[tuple[float, int, str, Share]] = []
    by_part: dict[Part, list[Cell]] = {}
    for cell in cells:
        for kind in _KINDS:
            if (value := part_of(cell, kind)) is not None:
                by_part.setdefault(Part(kind, value), []).append(cell)
    for part, of in by_part.items():
        count = _total(of, signal, min(cell.start for cell in of), exposed)
        own = count.events - healthy * count.exposure
        if own <= 0 or (part.kind == "provider" and count.exposure >= _NEARLY_ALL * total.exposure):
            continue
        nats = rates.evidence(count.events, max(count.exposure, float(count.events)), healthy)
        share = Share(part, min(1.0, own / excess), count)
        ranked.append((-round(nats), _KINDS.index(part.kind), part.value, share))
    return tuple(one[3] for one in sorted(ranked, key=lambda one: one[:3]))


def lasts(count: Count, evidence_limit: float) -> bool:
    """Whether an alarm that was raised still shows, from the mail since its onset."""
    nats = rates.evidence(count.events, max(count.exposure, float(count.events)), evidence_limit)
    return count.events >= LEAST_EVENTS and nats > ENDS_BELOW


def severity(signal: Signal, count: Count) -> Severity:
    """Never critical: one lane's rates alone do not stop everybody within minutes."""
    if count.events < _FEW_EVENTS:
        return "low"
    return "high" if count.rate.low > PAUSES[signal] else "medium"


def contains(hold: Hold, part: Part | None, now_ms: int) -> bool:
    """Whether a hold that covers the lane stops all mail at fault."""
    if not hold.stops or (hold.until is not None and hold.until <= now_ms):
        return False
    target = hold.target
    named = {
        "provider": None if target.provider is None else target.provider.word,
        "campaign": target.campaign,
        "list": target.list,
    }
    wanted = {kind: value for kind, value in named.items() if value is not None}
    return wanted == {} or (part is not None and wanted == {part.kind: part.value})
