"""Folds all events of one delivery into one outcome row, whatever their order, copies or delay.

Merging is commutative, associative and idempotent. The highest-ranked state wins; among equals the earliest; among those a
fixed order of the other fields. So two observers that saw the same events in any order have the same row.
"""

from mailcordon.core.delivery import State
from mailcordon.core.event import MOVES, Kind
from mailcordon.observe.attribute import Attributed
from mailcordon.observe.ports import Outcome

#: By state, because a row has no more: reject and rendering failure share one.
RANK: dict[State, int] = {state: rank for rank, state in sorted(MOVES.values())}


_SENT = 1 << Kind.SEND


def outcome_of(found: Attributed, *, without_row: bool = False) -> Outcome:
    """The outcome of one event alone. Any event means at least that SES has the mail. `without_row`: of a Send event of which
    nothing else is stored."""
    event = found.event
    move = MOVES.get(event.kind)
    if move is None or event.kind is Kind.SEND:
        state, at, reason, detail = State.SENT, event.mail_at, None, None
    else:
        state, at, reason, detail = move[1], event.at, event.reason, event.text
    return Outcome(
        id=found.attempt.delivery,
        tenant=found.lane.tenant,
        lane=found.lane.id,
        provider=found.provider,
        left_at=found.attempt.called_at,
        state=state,
        at=at,
        kinds=1 << event.kind,
        reasons=0 if event.bounce_reason is None else 1 << event.bounce_reason,
        attempt=found.attempt.attempt,
        ses_id=event.ses_id,
        reason=reason,
        detail=detail,
        send_at=event.at if without_row else None,
    )


def merge(one: Outcome, other: Outcome) -> Outcome:
    """Merges two outcomes of one delivery. Which provider wins does not matter, but it must always be the same."""
    ranks = RANK[one.state] - RANK[other.state]
    first = min(one, other, key=_order) if ranks == 0 else one if ranks > 0 else other
    kinds = one.kinds | other.kinds
    reasons = one.reasons | other.reasons
    left_at = min(one.left_at, other.left_at)
    provider = max(one.provider, other.provider)
    send_at = _send_at(one, other)
    if (kinds, reasons, left_at, provider, send_at) == (
        first.kinds,
        first.reasons,
        first.left_at,
        first.provider,
        first.send_at,
    ):
        return first
    return Outcome(
        id=first.id,
        tenant=first.tenant,
        lane=first.lane,
        provider=provider,
        left_at=left_at,
        state=first.state,
        at=first.at,
        kinds=kinds,
        reasons=reasons,
        attempt=first.attempt,
        ses_id=first.ses_id,
        reason=first.reason,
        detail=first.detail,
        send_at=send_at,
    )


def _send_at(one: Outcome, other: Outcome) -> int | None:
    """None if a row has the Send event, or nobody saw it."""
    if not one.kinds & _SENT:
        return other.send_at
    if not other.kinds & _SENT:
        return one.send_at
    if one.send_at is None or other.send_at is None:
        return None
    return min(one.send_at, other.send_at)


def _order(row: Outcome) -> tuple[int, int, str, str, str]:
    """The order among outcomes of the same rank."""
    return (row.at, row.attempt, row.ses_id, row.reason or "", row.detail or "")
