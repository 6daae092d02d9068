"""The state of each delivery of a message, its reason and its timeline, computed from the stored rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mailcordon.core import ids
from mailcordon.core.delivery import State, fold
from mailcordon.core.event import Kind
from mailcordon.core.provider import Provider
from mailcordon.core.suppression import Suppression
from mailcordon.messages import reasons


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """One row about a delivery: where it is queued, how it left, or what SES reported."""

    source: str  #: ready, waiting, ledger or outcome
    id: int
    state: State
    attempt: int
    provider: int
    ses_id: str | None
    called_at: int | None
    at: int | None
    reason: str | None
    detail: str | None
    lane_held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    at: int  #: milliseconds since 1970
    what: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    id: int
    tenant: int
    tenant_slug: str
    lane: int
    type: str
    from_address: str
    recipients: Sequence[str]
    campaign: str | None
    list: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecords:
    """All rows about one message, read in one snapshot."""

    message: MessageRow
    rows: Sequence[DeliveryRow]
    history: Mapping[int, Sequence[TimelineEntry]]  #: by delivery: notes and events
    lane_hold: str | None  #: the sentence of the lane's first stopping hold
    expiry_ms: int
    silence_ms: int  #: SES's own time limit has passed after this time without an outcome
    now: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryView:
    id: int
    to: str
    state: State
    since: int
    reason: str | None
    detail: str | None
    provider: str
    attempts: int
    ses_id: str | None
    timeline: tuple[TimelineEntry, ...]


class Canceller(Protocol):
    async def cancel_message(self, message: int, lane: int, detail: str) -> Sequence[int]:
        """Removes what has not left from the queue. Returns the ids of these deliveries."""
        ...


class MessageReader(Protocol):
    """Reads rows. A tenant id limits the read to that tenant's rows; None is for platform keys."""

    async def records(self, message: int, tenant: int | None) -> MessageRecords | None: ...
    async def tenant_id(self, slug: str) -> int | None: ...
    async def deliveries_to(
        self, tenant: int, hash: bytes, limit: int, *, as_tenant: bool
    ) -> Sequence[int]: ...
    async def suppressions_of(
        self, tenant: int, hash: bytes, *, as_tenant: bool
    ) -> Sequence[Suppression]: ...


def deliveries(records: MessageRecords) -> tuple[DeliveryView, ...]:
    by_delivery: dict[int, dict[str, DeliveryRow]] = {}
    for row in records.rows:
        by_delivery.setdefault(row.id, {})[row.source] = row
    return tuple(
        _delivery(records, records.message.id + index, to, by_delivery.get(records.message.id + index, {}))
        for index, to in enumerate(records.message.recipients, start=1)
    )


def _delivery(records: MessageRecords, id: int, to: str, rows: Mapping[str, DeliveryRow]) -> DeliveryView:
    queue = rows.get("ready") or rows.get("waiting")
    ledger, outcome = rows.get("ledger"), rows.get("outcome")
    found = [row for row in (queue, ledger, outcome) if row]
    recorded = _as_recorded(id, queue, ledger, outcome)
    now = _by_time(records, id, recorded.state, queue, ledger) or recorded
    return DeliveryView(
        id=id,
        to=to,
        state=now.state,
        since=now.since,
        reason=now.reason,
        detail=now.detail,
        provider=Provider(max((row.provider for row in found), default=0)).word,
        attempts=max((row.attempt for row in found), default=0),
        ses_id=next((row.ses_id for row in (ledger, outcome) if row and row.ses_id), None),
        timeline=_timeline(records, id, queue, ledger),
    )


@dataclass(frozen=True, slots=True)
class _Status:
    state: State
    since: int
    reason: str | None
    detail: str | None


def _as_recorded(
    id: int, queue: DeliveryRow | None, ledger: DeliveryRow | None, outcome: DeliveryRow | None
) -> _Status:
    row = outcome or ledger or queue
    if row is None:
        # The rows are past retention or not visible yet; the delivery was accepted.
        return _Status(State.READY, ids.ms_of(id), None, None)
    state = fold(queue and queue.state, ledger and ledger.state, outcome and outcome.state)
    return _Status(state, row.at or row.called_at or ids.ms_of(id), row.reason, row.detail)


def _by_time(
    records: MessageRecords, id: int, state: State, queue: DeliveryRow | None, ledger: DeliveryRow | None
) -> _Status | None:
    """States that follow from time or a hold, without a change of any row."""
    if state is State.READY and queue is not None:
        expires = ids.ms_of(id) + records.expiry_ms
        if expires < records.now:
            return _Status(
                State.EXPIRED,
                expires,
                "expired",
                reasons.expired_in_queue(),
            )
        if queue.lane_held:
            return _Status(State.HELD, ids.ms_of(id), "held", records.lane_hold or reasons.held_lane())
    if state in (State.SENT, State.DELAYED) and ledger is not None and ledger.at is not None:
        silent_at = ledger.at + records.silence_ms
        if silent_at < records.now:
            return _Status(
                State.NO_OUTCOME,
                silent_at,
                "no-outcome",
                reasons.no_outcome(),
            )
    return None


def _timeline(
    records: MessageRecords, id: int, queue: DeliveryRow | None, ledger: DeliveryRow | None
) -> tuple[TimelineEntry, ...]:
    entries = [
        TimelineEntry(
            at=ids.ms_of(id),
            what="accepted",
            detail=reasons.accepted(records.message.type, records.message.tenant_slug),
        )
    ]
    entries.extend(records.history.get(id, ()))
    if ledger is not None and ledger.called_at is not None and ledger.state is State.SENT:
        entries.append(
            TimelineEntry(at=ledger.called_at, what="called", detail=reasons.call_answered(ledger.attempt))
        )
    if queue is not None and queue.state is State.SENDING and queue.called_at is not None:
        entries.append(
            TimelineEntry(at=queue.called_at, what="called", detail=reasons.call_open(queue.attempt))
        )
    if ledger is not None and ledger.at is not None:
        entries.append(TimelineEntry(at=ledger.at, what=ledger.state.word, detail=ledger.detail or ""))
    return tuple(sorted(entries, key=lambda entry: entry.at))


def event_word(kind: int) -> str:
    try:
        return Kind(kind).word
    except ValueError:
        return f"event {kind}"
