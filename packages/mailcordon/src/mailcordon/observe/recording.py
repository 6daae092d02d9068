"""What a batch of events writes, computed from what was read of their deliveries. Pure.

If the rows are still as they were read, all of it is one statement (`Transaction.store_at_once`). Else `ingest.py` goes the long
way, which locks each row before it computes: both end with the same rows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence, Set

from mailcordon.core.event import Kind
from mailcordon.observe import closing, cohorts, delivery_times, fold
from mailcordon.observe.attribute import Attributed
from mailcordon.observe.ports import AtOnce, EventRow, Facts, Outcome, Send

Place = tuple[int, bytes]  #: of an event: its delivery and key
Found = Mapping[Place, Attributed]

_SENT = 1 << Kind.SEND
_NO_MINUTE = -1  #: never that of a call
_SAID_OF_SENDS = frozenset({"source"})  #: what the detail of every Send event has


def without_rows(found: Found, facts: Mapping[int, Facts], is_read: Callable[[int], bool]) -> set[Place]:
    """The Send events that need no row of their own: the answer to the call has been recorded, and says the same. The outcome
    tells whether one is a copy. `is_read`: whether somebody else reads the Send events of a tenant."""
    return {
        place
        for place, one in found.items()
        if one.event.kind is Kind.SEND
        and one.has_rows
        and one.ours
        and one.attempt.attempt == 1
        and (known := facts[place[0]]).is_answered
        and (_is_known(known) or not is_read(one.lane.tenant))
        and one.event.detail.keys() <= _SAID_OF_SENDS
    }


def is_copy(place: Place, facts: Mapping[int, Facts]) -> bool:
    """Of a Send event without a row."""
    return _is_known(facts[place[0]])


def _is_known(facts: Facts) -> bool:
    return facts.before is not None and facts.before.kinds & _SENT != 0


def outcomes(found: Found, rowless: Set[Place]) -> dict[int, Outcome]:
    """The merged outcome of these events, by delivery."""
    merged: dict[int, Outcome] = {}
    for place, one in found.items():
        if one.has_rows and one.event.kind is not Kind.OTHER:
            outcome = fold.outcome_of(one, without_row=place in rowless)
            before = merged.get(outcome.id)
            merged[outcome.id] = outcome if before is None else fold.merge(before, outcome)
    return merged


def sends(found: Iterable[Attributed]) -> list[Send]:
    """Any event of an attempt settles its outcome, unless the answer to its call did."""
    made: dict[tuple[int, int], Send] = {}
    for one in found:
        if one.settles and one.has_rows:
            key = (one.attempt.delivery, one.attempt.attempt)
            made.setdefault(key, Send(*key, one.event.ses_id, one.event.mail_at))
    return list(made.values())


def at_once(
    events: Sequence[EventRow],
    reported: Mapping[int, Outcome],
    facts: Mapping[int, Facts],
    sends: Sequence[Send],
    seen: Mapping[str, int],
) -> AtOnce:
    """`reported`: the outcome of the batch's events alone."""
    pairs: list[cohorts.Pair] = []
    new: list[Outcome] = []
    changed: list[tuple[str, Outcome]] = []
    queued: list[tuple[int, int]] = []
    for id, outcome in reported.items():
        known = facts[id]
        before = known.before
        if before is None:
            new.append(outcome)
        else:
            outcome = fold.merge(before, outcome)
            if outcome == before:
                continue
            assert known.version is not None
            changed.append((known.version, outcome))
        pairs.append((before, outcome))
        if known.ledger_state is None:
            minute = outcome.left_at // cohorts.MINUTE_MS
            stays = before is None or before.left_at // cohorts.MINUTE_MS == minute
            queued.append((id, minute if stays else _NO_MINUTE))
    return AtOnce(
        events=events,
        new=new,
        changed=changed,
        queued=queued,
        sends=sends,
        counts=cohorts.changes(pairs, facts),
        seen=seen,
        times=delivery_times.changes(pairs, facts),
    )


def event_row(one: Attributed) -> EventRow:
    event = one.event
    detail = event.detail
    if event.reason is not None:
        detail = {**detail, "reason": event.reason}
    if event.text is not None:
        detail = {**detail, "text": event.text}
    if event.bounce_reason is not None:
        detail = {
            **detail,
            "bounce_reason": event.bounce_reason.word,
            "follows": closing.follow(event).value,
        }
    return EventRow(
        delivery=one.attempt.delivery,
        key=event.key,
        tenant=one.lane.tenant,
        lane=one.lane.id,
        kind=event.kind,
        attempt=one.attempt.attempt,
        at=event.at,
        ses_id=event.ses_id,
        detail=detail,
    )
