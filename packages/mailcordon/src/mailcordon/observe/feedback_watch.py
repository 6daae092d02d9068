"""Judges whether the events of mail come back: facts in, losses out (docs/decisions/033-feedback-losses.md). Pure.

What was handed to SES is known from our own ledger, so each minute of a configuration set's mail says how many Send events must
come. A minute is due when the usual delay after its end is over. Minutes of which events are missing, without a good one in
between, are a gap; a gap becomes a loss when it is large enough, old enough, or explained by something that is broken.

This is about the loop only. A loss says nothing of the mail, good or bad.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mailcordon.core.feedback import GENERAL, LATE, OF_SET, Cause, Signal
from mailcordon.messages import feedback as messages
from mailcordon.messages import proofs

MINUTE = 60_000  #: milliseconds
#: After the end of a minute. SES publishes Send events within seconds (ses.md 4); observe and the fold add two. A mail of the
#: first second is missed 90 s later, so that a loss is raised within two minutes of its first mail.
DUE_MS = 30_000
WINDOW = 60  #: minutes that are looked at
#: A healthy loop loses nothing (SNS and SQS deliver at least once), so a few mails are enough. One or two can be missing for a
#: reason of their own: an event in quarantine, a mail that SES reports on late.
ENOUGH = 5
#: Fewer mails raise a loss when none after them has an event either and they are this old.
ALONE_MS = 10 * MINUTE
#: Of a minute's mail. Less is not the loop: single events go to quarantine or are rejected by the database.
SHARE = 0.05
#: Sets that lose their events at once, for one cause, before they are one loss: nobody reads a list of a thousand.
MOST_SETS = 50
#: How much later than the mail a difference at SES may be found and still explain it: a round of the rolling scan on AWS.
FOUND_LATER_MS = 30 * MINUTE
IDLE_MS = MINUTE  #: an observer stores a batch at least so often while messages wait


@dataclass(slots=True)
class Tally:
    """Mail of one minute. Counts change for days, and may fall."""

    sent: int = 0
    seen: int = 0  #: of these, with their Send event
    others: int = 0  #: other events of theirs

    @property
    def missing(self) -> int:
        return max(0, self.sent - self.seen)

    @property
    def is_bad(self) -> bool:
        return self.missing > 0 and self.missing >= SHARE * self.sent


#: By configuration set and minute since 1970.
Tallies = Mapping[str, Mapping[int, Tally]]


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is broken, as a sentence without its full stop."""

    cause: Cause
    says: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A destination or set that differed at SES, as the reconciler found it. Times are milliseconds since 1970."""

    configuration_set: str
    fault: Fault
    signals: frozenset[Signal]  #: whose events it keeps away
    since: int
    ended: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ObserverBeat:
    """The last report of an observer."""

    host: str
    pid: int
    beat: int
    silent: bool
    queue: str  #: its outcome queue
    receives: bool
    problem: str | None  #: why not
    last_event: int | None  #: the last batch that it stored


@dataclass(frozen=True, slots=True, kw_only=True)
class Observers:
    beats: Sequence[ObserverBeat] = ()
    sessions: int = 0  #: connections of the observer's login to the database
    may_connect: bool = True  #: whether the database lets that login in


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look at SES, SNS and SQS found on the way of one set's events."""

    at: int
    fault: Fault | None
    queue: str = ""
    waiting: int | None = None  #: messages in the queue; None: not read
    unread: tuple[str, ...] = ()  #: what this login may not read, or did not answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """A loss as recorded. Times are milliseconds since 1970."""

    id: int
    signal: Signal
    configuration_set: str | None  #: None: every set
    provider: int | None
    since: int
    until: int | None
    cause: Cause
    last: int  #: the end of the last minute of mail without events, so far

    def covers(self, configuration_set: str, minute: int) -> bool:
        return (
            self.configuration_set in (None, configuration_set)
            and self.since <= minute * MINUTE
            and (self.until is None or minute * MINUTE < self.until)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    sent: int
    seen: int
    others: int
    sets: int  #: that are concerned
    last: int  #: the end of the last minute of mail without events
    waiting: int | None = None  #: messages in the queue
    expected: int | None = None  #: bounces or complaints, if that is what does not come

    @property
    def missing(self) -> int:
        """Events that did not come. Of bounces and complaints that nobody can count, at least one."""
        if self.expected is not None:
            return max(1, self.expected - self.seen)
        return max(0, self.sent - self.seen)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLoss:
    signal: Signal
    configuration_set: str | None
    provider: int | None = None
    since: int
    until: int | None  #: set: it is over already
    fault: Fault
    evidence: Evidence

    @property
    def late(self) -> bool:
        return self.fault.cause in LATE


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What is now known of an open loss. `until`: it is over."""

    id: int
    fault: Fault | None  #: None: as before
    evidence: Evidence | None
    until: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    now: int
    tallies: Tallies
    #: By set, the latest call whose Send event arrived: of canaries and proofs too.
    seen_calls: Mapping[str, int] = field(default_factory=dict[str, int])
    observers: Observers = field(default_factory=Observers)
    differences: Sequence[Difference] = ()
    looked: Mapping[str, Looked] = field(default_factory=dict[str, Looked])
    losses: Sequence[Loss] = ()  #: open ones, and those that ended within the window


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    new: tuple[NewLoss, ...] = ()
    changes: tuple[Change, ...] = ()
    #: Sets whose way is to be looked at before their gap can be judged, those with most missing events first.
    look: tuple[str, ...] = ()


@dataclass(slots=True)
class Gap:
    configuration_set: str
    minutes: dict[int, Tally]
    is_over: bool  #: a later mail has its event

    @property
    def since(self) -> int:
        return min(self.minutes) * MINUTE

    @property
    def last(self) -> int:
        return (max(self.minutes) + 1) * MINUTE

    @property
    def missing(self) -> int:
        return sum(tally.missing for tally in self.minutes.values())


def gaps(facts: Facts) -> list[Gap]:
    """Mail that is due and has no Send events, by set, in the order of time."""
    due = (facts.now - DUE_MS) // MINUTE  # the first minute that is not
    found: list[Gap] = []
    for name, minutes in facts.tallies.items():
        gap: Gap | None = None
        for minute in sorted(minute for minute, tally in minutes.items() if minute < due and tally.sent > 0):
            tally = minutes[minute]
            if tally.is_bad:
                gap = gap or Gap(name, {}, is_over=False)
                gap.minutes[minute] = tally
            elif gap is not None:
                gap.is_over = True
                found.append(gap)
                gap = None
        if gap is not None:
            gap.is_over = facts.seen_calls.get(name, 0) >= gap.last
            found.append(gap)
    return found


def judge(facts: Facts) -> Verdict:
    """What is to be raised, changed and ended, and what must be looked at first."""
    found = gaps(facts)
    observer = observer_fault(facts.observers)
    new, look = _raise(facts, found, observer)
    changes, more = _follow(facts, found, observer)
    wanted = sorted(
        {gap.configuration_set: gap for gap in (*look, *more)}.values(), key=lambda gap: -gap.missing
    )
    return Verdict(
        new=tuple(new), changes=tuple(changes), look=tuple(gap.configuration_set for gap in wanted)
    )


# Raising -------------------------------------------------------------------------------------------------------------------


def _raise(facts: Facts, found: Sequence[Gap], observer: Fault | None) -> tuple[list[NewLoss], list[Gap]]:
    causes: list[tuple[Gap, Fault]] = []
    look: list[Gap] = []
    for gap in (_uncovered(gap, facts.losses) for gap in found):
        if not gap.minutes:
            continue
        fault = _explained(gap, facts, observer)
        if fault is None:
            if not gap.is_over and gap.configuration_set not in facts.looked:
                look.append(gap)
                continue
            if gap.missing < ENOUGH and (gap.is_over or facts.now - gap.since < ALONE_MS):
                continue
            fault = _unexplained(gap, facts)
        causes.append((gap, fault))
    return _scoped(causes, facts), look


def _uncovered(gap: Gap, losses: Sequence[Loss]) -> Gap:
    """Without the minutes that a loss covers."""
    of_send = [loss for loss in losses if loss.signal == "send"]
    left = {
        minute: tally
        for minute, tally in gap.minutes.items()
        if not any(loss.covers(gap.configuration_set, minute) for loss in of_send)
    }
    return Gap(gap.configuration_set, left, gap.is_over)


def _explained(gap: Gap, facts: Facts, observer: Fault | None) -> Fault | None:
    """Something that is broken, else something that was. Nothing that is wrong now explains what is over."""
    differed = [
        one
        for one in facts.differences
        if one.configuration_set == gap.configuration_set
        and "send" in one.signals
        and (one.ended is None or one.ended >= gap.since)
        and one.since <= gap.last + FOUND_LATER_MS
    ]
    if not gap.is_over:
        if observer is not None:
            return observer
        now = next((one.fault for one in differed if one.ended is None), None)
        looked = facts.looked.get(gap.configuration_set)
        if now is not None or looked is None:
            return now
        if (seen := _seen(gap, looked, facts)) is not None:
            return seen
        # Mail of after the repair has no events either: something else is wrong.
        differed = [one for one in differed if gap.last <= _end_of_minute(one.ended)]
    last = max(differed, key=lambda one: one.since, default=None)
    return None if last is None else last.fault


def _seen(gap: Gap, looked: Looked, facts: Facts) -> Fault | None:
    if looked.fault is not None:
        return looked.fault
    # Each mail has a Send event and others. The count is not exact at AWS.
    if not looked.waiting or 2 * looked.waiting < gap.missing:
        return None
    stored = max((beat.last_event or 0 for beat in facts.observers.beats if not beat.silent), default=0)
    if facts.now - stored > IDLE_MS:
        return Fault(Cause.OBSERVER_STUCK, messages.observer_idle(looked.queue, looked.waiting))
    return Fault(Cause.BACKLOG, messages.backlog(looked.queue, looked.waiting))


def _end_of_minute(at: int | None) -> int:
    """Mail of the minute of a repair may have been sent before it."""
    return ((at or 0) // MINUTE + 1) * MINUTE


def _unexplained(gap: Gap, facts: Facts) -> Fault:
    looked = facts.looked.get(gap.configuration_set)
    if gap.is_over or looked is None:
        return Fault(Cause.UNKNOWN, messages.over_and_unknown())
    return Fault(Cause.UNKNOWN, messages.unknown(list(looked.unread)))


def _scoped(causes: Sequence[tuple[Gap, Fault]], facts: Facts) -> list[NewLoss]:
    """One loss for what all sets have in common, and one for each set with a cause of its own."""
    if not causes:
        return []
    everywhere = _all_sets(facts, [gap for gap, _ in causes if not gap.is_over])
    shared: dict[Cause, list[tuple[Gap, Fault]]] = {}
    alone: list[tuple[Gap, Fault]] = []
    for gap, fault in causes:
        if not gap.is_over and (fault.cause in GENERAL or (everywhere and fault.cause not in OF_SET)):
            shared.setdefault(fault.cause, []).append((gap, fault))
        else:
            alone.append((gap, fault))
    if len(alone) > MOST_SETS:
        for gap, fault in alone:
            shared.setdefault(fault.cause, []).append((gap, fault))
        alone = []
    new: list[NewLoss] = []
    if shared:
        # One row for all sets may be open: the cause with the most sets names it.
        cause = max(shared, key=lambda cause: len(shared[cause]))
        new.append(
            _new(None, [gap for each in shared.values() for gap, _ in each], shared[cause][0][1], facts)
        )
    return [*new, *(_new(gap.configuration_set, [gap], fault, facts) for gap, fault in alone)]


def _all_sets(facts: Facts, bad: Sequence[Gap]) -> bool:
    """Whether every set that sent mail in that time is concerned, and there are several."""
    names = {gap.configuration_set for gap in bad}
    if len(names) < 2:
        return False
    since = min(gap.since for gap in bad) // MINUTE
    due = (facts.now - DUE_MS) // MINUTE
    active = {
        name
        for name, minutes in facts.tallies.items()
        if any(since <= minute < due and tally.sent > 0 for minute, tally in minutes.items())
    }
    return active <= names


def _new(name: str | None, found: Sequence[Gap], fault: Fault, facts: Facts) -> NewLoss:
    over = all(gap.is_over for gap in found)
    last = max(gap.last for gap in found)
    return NewLoss(
        signal="send",
        configuration_set=name,
        since=min(gap.since for gap in found),
        until=last if over else None,
        fault=fault,
        evidence=_evidence(found, facts, last),
    )


def _evidence(found: Sequence[Gap], facts: Facts, last: int) -> Evidence:
    tallies = [tally for gap in found for tally in gap.minutes.values()]
    waiting = [
        looked.waiting
        for gap in found
        if (looked := facts.looked.get(gap.configuration_set)) is not None and looked.waiting is not None
    ]
    return Evidence(
        sent=sum(tally.sent for tally in tallies),
        seen=sum(tally.seen for tally in tallies),
        others=sum(tally.others for tally in tallies),
        sets=len({gap.configuration_set for gap in found}),
        last=last,
        waiting=max(waiting, default=None),
    )


# Following what is open --------------------------------------------------------------------------------------------------------


def _follow(facts: Facts, found: Sequence[Gap], observer: Fault | None) -> tuple[list[Change], list[Gap]]:
    changes: list[Change] = []
    look: list[Gap] = []
    for loss in facts.losses:
        if loss.until is not None or loss.signal != "send":
            continue
        bad = [part for gap in found if (part := _part(gap, loss)).minutes]
        last = max([loss.last, *(part.last for part in bad)])
        until = _over(loss, bad, last, facts)
        evidence = _evidence(bad, facts, last) if bad else None
        fault = None
        if until is None and bad:
            worst = max(bad, key=lambda part: part.missing)
            fault = _explained(worst, facts, observer)
            if fault is None and worst.configuration_set not in facts.looked:
                look.append(worst)
            elif fault is None and loss.cause is not Cause.UNKNOWN:
                fault = _unexplained(worst, facts)
        elif until is not None:
            fault = next((one.fault for one in _differences(loss, facts) if one.ended is not None), None)
        changes.append(Change(id=loss.id, fault=fault, evidence=evidence, until=until))
    return changes, look


def _part(gap: Gap, loss: Loss) -> Gap:
    minutes = {
        minute: tally for minute, tally in gap.minutes.items() if loss.covers(gap.configuration_set, minute)
    }
    return Gap(gap.configuration_set, minutes, gap.is_over)


def _over(loss: Loss, bad: Sequence[Gap], last: int, facts: Facts) -> int | None:
    """When a loss ended, if it has: a later mail of its sets has its event, its own mails have them now, or what was broken has
    been repaired and no mail was sent since."""
    if any(gap.is_over for gap in bad) and (
        loss.configuration_set is not None or all(gap.is_over for gap in bad)
    ):
        return last
    if bad:
        return _repaired(loss, last, facts)
    names = facts.tallies.keys() | facts.seen_calls.keys()
    if loss.configuration_set is not None:
        names = {loss.configuration_set}
    if any(facts.seen_calls.get(name, 0) >= loss.last for name in names):
        return last
    due = (facts.now - DUE_MS) // MINUTE
    came = any(
        tally.sent > 0 and loss.since <= minute * MINUTE and minute < due
        for name in names
        for minute, tally in facts.tallies.get(name, {}).items()
    )
    return last if came else _repaired(loss, last, facts)


def _repaired(loss: Loss, last: int, facts: Facts) -> int | None:
    found = _differences(loss, facts)
    ended = [one.ended for one in found if one.ended is not None]
    if len(ended) < len(found) or not ended:
        return None
    return last if last <= _end_of_minute(max(ended)) else None


def _differences(loss: Loss, facts: Facts) -> list[Difference]:
    """What kept events of the loss's set away, in the time of the loss."""
    return [
        one
        for one in facts.differences
        if one.configuration_set == loss.configuration_set
        and "send" in one.signals
        and (one.ended is None or one.ended >= loss.since)
    ]


# The observer ----------------------------------------------------------------------------------------------------------------


def observer_fault(observers: Observers) -> Fault | None:
    """What is wrong with those who read the queue, by their own reports and by the database's."""
    alive = [beat for beat in observers.beats if not beat.silent]
    if not alive:
        if not observers.may_connect:
            return Fault(Cause.OBSERVER_REFUSED, messages.observer_refused())
        last = max(observers.beats, key=lambda beat: beat.beat, default=None)
        if last is not None and observers.sessions:
            return Fault(Cause.OBSERVER_STOPPED, messages.observer_stopped(last.host, last.pid))
        return Fault(Cause.OBSERVER_ABSENT, proofs.no_observer())
    if any(beat.receives for beat in alive):
        return None
    # One that has just started says nothing yet.
    stuck = next((beat for beat in alive if beat.problem), None)
    if stuck is None:
        return None
    return Fault(Cause.OBSERVER_STUCK, proofs.observer_stuck(stuck.queue, stuck.problem or ""))
