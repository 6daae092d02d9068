"""What to say of a message: each delivery's one state, why, and the way there, folded from records and nothing else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from mailcordon.core import ids
from mailcordon.core.delivery import State, fold
from mailcordon.core.event import Kind
from mailcordon.core.provider import Provider


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One row that speaks of a delivery: where it is, or how it left, or what SES reported."""

    place: str  #: ready, waiting, ledger or outcome
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
class Moment:
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
class Records:
    """Everything known of one message, read in one snapshot."""

    message: MessageRow
    places: Sequence[Place]
    history: Mapping[int, Sequence[Moment]]  #: delivery -> notes and events
    lane_hold: str | None  #: the reason of the lane's first stopping hold
    expiry_ms: int
    silence_ms: int  #: after this long without any outcome, SES's own time limit has passed
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
    timeline: tuple[Moment, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionRow:
    """One reason why an address may not be mailed, as it is kept."""

    scope: str  #: tenant, class or lane
    target: str | None  #: the class, or the lane's message type
    cause: str
    evidence: Mapping[str, object]
    since: int
    until: int | None
    by: str
    removing: bool


class Canceller(Protocol):
    async def cancel_message(self, message: int, lane: int, detail: str) -> Sequence[int]:
        """Takes what has not left out of the queue, and says which deliveries that were."""
        ...


class MessageReader(Protocol):
    """Reads for somebody: a tenant id keeps the reading to that tenant's rows, None is for platform keys."""

    async def records(self, message: int, tenant: int | None) -> Records | None: ...
    async def tenant_id(self, slug: str) -> int | None: ...
    async def deliveries_to(
        self, tenant: int, hash: bytes, limit: int, *, as_tenant: bool
    ) -> Sequence[int]: ...
    async def suppressions_of(
        self, tenant: int, hash: bytes, *, as_tenant: bool
    ) -> Sequence[SuppressionRow]: ...


def deliveries(records: Records) -> tuple[DeliveryView, ...]:
    by_delivery: dict[int, dict[str, Place]] = {}
    for place in records.places:
        by_delivery.setdefault(place.id, {})[place.place] = place
    return tuple(
        _delivery(records, records.message.id + index, to, by_delivery.get(records.message.id + index, {}))
        for index, to in enumerate(records.message.recipients, start=1)
    )


def _delivery(records: Records, id: int, to: str, places: Mapping[str, Place]) -> DeliveryView:
    queue = places.get("ready") or places.get("waiting")
    ledger, outcome = places.get("ledger"), places.get("outcome")
    rows = [place for place in (queue, ledger, outcome) if place]
    recorded = _as_recorded(id, queue, ledger, outcome)
    now = _by_time(records, id, recorded.state, queue, ledger) or recorded
    return DeliveryView(
        id=id,
        to=to,
        state=now.state,
        since=now.since,
        reason=now.reason,
        detail=now.detail,
        provider=Provider(max((place.provider for place in rows), default=0)).word,
        attempts=max((place.attempt for place in rows), default=0),
        ses_id=next((place.ses_id for place in (ledger, outcome) if place and place.ses_id), None),
        timeline=_timeline(records, id, queue, ledger),
    )


@dataclass(frozen=True, slots=True)
class _Now:
    state: State
    since: int
    reason: str | None
    detail: str | None


def _as_recorded(id: int, queue: Place | None, ledger: Place | None, outcome: Place | None) -> _Now:
    speaks = outcome or ledger or queue
    if speaks is None:
        # Its rows are past retention or not there yet; that it was accepted is certain.
        return _Now(State.READY, ids.ms_of(id), None, None)
    state = fold(queue and queue.state, ledger and ledger.state, outcome and outcome.state)
    return _Now(state, speaks.at or speaks.called_at or ids.ms_of(id), speaks.reason, speaks.detail)


def _by_time(
    records: Records, id: int, state: State, queue: Place | None, ledger: Place | None
) -> _Now | None:
    """The states that only time or a hold makes: no row changes for them until somebody needs it to."""
    if state is State.READY and queue is not None:
        expires = ids.ms_of(id) + records.expiry_ms
        if expires < records.now:
            return _Now(
                State.EXPIRED,
                expires,
                "expired",
                "no longer worth sending; it is dropped when its turn comes",
            )
        if queue.lane_held:
            return _Now(State.HELD, ids.ms_of(id), "held", records.lane_hold or "its lane is held")
    if state in (State.SENT, State.DELAYED) and ledger is not None and ledger.at is not None:
        silent_at = ledger.at + records.silence_ms
        if silent_at < records.now:
            return _Now(
                State.NO_OUTCOME,
                silent_at,
                "no-outcome",
                "SES took it and reported nothing final within its own time limit",
            )
    return None


def _timeline(records: Records, id: int, queue: Place | None, ledger: Place | None) -> tuple[Moment, ...]:
    moments = [
        Moment(
            at=ids.ms_of(id),
            what="accepted",
            detail=f"{records.message.type} for {records.message.tenant_slug}",
        )
    ]
    moments.extend(records.history.get(id, ()))
    if ledger is not None and ledger.called_at is not None and ledger.state is State.SENT:
        moments.append(
            Moment(at=ledger.called_at, what="called", detail=f"attempt {ledger.attempt} of SES's send")
        )
    if queue is not None and queue.state is State.SENDING and queue.called_at is not None:
        moments.append(
            Moment(at=queue.called_at, what="called", detail=f"attempt {queue.attempt}, no answer yet")
        )
    if ledger is not None and ledger.at is not None:
        moments.append(Moment(at=ledger.at, what=ledger.state.word, detail=ledger.detail or ""))
    return tuple(sorted(moments, key=lambda moment: moment.at))


def event_word(kind: int) -> str:
    try:
        return Kind(kind).word
    except ValueError:
        return f"event {kind}"
