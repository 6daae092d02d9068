"""All that SES said of one delivery, folded into one row. Order, copies and delay leave no trace.

Merging is a join: commutative, associative, idempotent. The highest-ranked state wins; among equals the earliest, and among
those a fixed order of their other members, so that two observers who saw the same events in any order hold the same row.
"""

from mailcordon.core.delivery import State
from mailcordon.core.event import MOVES, Kind
from mailcordon.observe.attribute import Attributed
from mailcordon.observe.ports import Outcome

#: By state, since a row remembers no more: reject and rendering failure share one.
RANK: dict[State, int] = {state: rank for rank, state in sorted(MOVES.values())}


def outcome_of(found: Attributed) -> Outcome:
    """What this one event says of its delivery. Whatever SES reports, it has the mail: that is the least it says."""
    event = found.event
    move = MOVES.get(event.kind)
    if move is None or event.kind is Kind.SEND:
        state, at, reason, detail = State.SENT, event.mail_at, None, None
    else:
        state, at, reason, detail = move[1], event.at, event.reason, event.text
    return Outcome(
        id=found.attempt.delivery,
        tenant=found.lane.tenant,
        lane=found.lane.lane,
        provider=found.provider,
        left_at=found.attempt.called_at,
        state=state,
        at=at,
        kinds=1 << event.kind,
        attempt=found.attempt.attempt,
        ses_id=event.ses_id,
        reason=reason,
        detail=detail,
    )


def merge(one: Outcome, other: Outcome) -> Outcome:
    """Both of one delivery. Which provider wins matters to nobody, as long as it is always the same."""
    ranks = RANK[one.state] - RANK[other.state]
    first = min(one, other, key=_order) if ranks == 0 else one if ranks > 0 else other
    kinds = one.kinds | other.kinds
    left_at = min(one.left_at, other.left_at)
    provider = max(one.provider, other.provider)
    if (kinds, left_at, provider) == (first.kinds, first.left_at, first.provider):
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
        attempt=first.attempt,
        ses_id=first.ses_id,
        reason=first.reason,
        detail=first.detail,
    )


def _order(row: Outcome) -> tuple[int, int, str, str, str]:
    """Among those of one rank."""
    return (row.at, row.attempt, row.ses_id, row.reason or "", row.detail or "")
