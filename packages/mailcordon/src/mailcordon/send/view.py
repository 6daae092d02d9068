"""The state of each delivery of a message, its reason and its timeline, computed from the stored rows."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from mailcordon.core import health, ids, path_choice
from mailcordon.core.bounce_reason import BounceReason, Follow
from mailcordon.core.delivery import State, fold
from mailcordon.core.event import Kind
from mailcordon.core.health import Outflow
from mailcordon.core.hold import Hold
from mailcordon.core.priority import Class
from mailcordon.core.provider import Provider
from mailcordon.core.reason import Reason
from mailcordon.core.suppression import Suppression
from mailcordon.messages import limits, observing, reasons, times
from mailcordon.send import resolve, scheduling


class Behind(NamedTuple):
    """More of the same waits before it than the limit lets leave in its next window. Times are milliseconds since 1970."""

    mails: int
    opens_at: int  #: the limit, next
    own_at: int  #: when it can leave itself, at the earliest


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
    behind: Behind | None = None  #: of mail that waits for a limit of its address


@dataclass(frozen=True, slots=True)
class Bounced:
    """What a bounce says."""

    reason: BounceReason
    follow: Follow
    hard: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    at: int  #: milliseconds since 1970
    what: str  #: a Reason, the state in which it left the queue, or SES's event
    detail: str
    bounced: Bounced | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRow:
    id: int
    tenant: int
    tenant_slug: str
    lane: int
    type: str
    from_address: str
    recipients: Sequence[str]
    learnt: Sequence[
        int
    ] = ()  #: by recipient: the mailbox provider of its domain, where it was learnt after the accept
    campaign: str | None
    list: str | None
    observed: bool = False  #: it did not pass through us (docs/observe-only.md)
    tags: Mapping[str, str] = field(default_factory=dict[str, str])  #: the app's own
    send_at: int | None = None  #: what time it is scheduled for, in milliseconds since 1970
    scheduled_at: int | None = None  #: when scheduled mail was accepted
    path: str = path_choice.ISOLATED
    other_path: int | None = None  #: who takes the other one (core/path_choice.py)

    def path_of(self, delivery: int) -> str:
        return path_choice.path_of(self.path, self.other_path, ids.recipient_of(delivery))

    @property
    def fixed_path(self) -> str | None:
        """Why it keeps its path, if its lane had two and it does."""
        return resolve.fixed_path(self.path, self.other_path)

    @property
    def accepted_at(self) -> int:
        """Milliseconds since 1970."""
        return ids.ms_of(self.id) if self.scheduled_at is None else self.scheduled_at


@dataclass(frozen=True, slots=True, kw_only=True)
class PastHold:
    """A hold that stopped mail of the message's lane after its acceptance, lifted by now or not."""

    hold: Hold
    lifted_at: int | None = None
    lifted_by: str | None = None
    lifted_because: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PastStop:
    """A stop that covered the message's lane after its acceptance, ended by now or not; or a time without a dispatcher."""

    sentence: str  #: why the delivery waits, while it is open
    record: str  #: what the timeline says of it
    since: int
    path: str | None = None  #: of a lane with two: the one that it stops; None: all
    ended_at: int | None = None
    ended_because: str | None = None
    reason: Reason = Reason.STOPPED  #: or NO_DISPATCHER


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRecords:
    """All rows about one message, read in one snapshot."""

    message: MessageRow
    rows: Sequence[DeliveryRow]
    history: Mapping[int, Sequence[TimelineEntry]]  #: by delivery: notes and events
    class_: Class
    holds: Sequence[PastHold]  #: oldest first
    stops: Sequence[PastStop]
    outflow: Outflow
    expiry_ms: int
    silence_ms: int  #: SES's own time limit has passed after this time without an outcome
    now: int
    over_limit: str | None = None  #: the sentence of the limit that keeps all mail of its lane now


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRecords:
    """What is known of an address, for one tenant, read in one snapshot."""

    #: The newest first, each with what is known of it and its message; without history and without its other recipients.
    deliveries: Sequence[tuple[int, MessageRecords]]
    suppressions: Sequence[Suppression]


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
    bounced: Bounced | None  #: the newest hard bounce, else the newest soft bounce
    timeline: tuple[TimelineEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """What SES reported of a delivery, as it is stored."""

    delivery: int
    kind: str
    attempt: int
    at: int  #: milliseconds since 1970
    received_at: int
    ses_id: str
    size: int  #: of `detail`, in bytes of JSON
    detail: Mapping[str, Any] | None  #: None: larger than EVENT_LIMIT


EVENT_LIMIT = 16_384  #: bytes


class Canceller(Protocol):
    async def cancel_message(
        self, message: int, lane: int, *, tenant: int, actor: str, because: str | None
    ) -> Sequence[int]:
        """Removes what has not left from the queue, and audits it if there was any. Returns the ids of these deliveries."""
        ...


class MessageReader(Protocol):
    """Reads rows. A tenant id limits the read to that tenant's rows; None is for platform keys."""

    async def records(self, message: int, tenant: int | None) -> MessageRecords | None: ...
    async def tenant_id(self, slug: str) -> int | None: ...

    async def events(self, message: int, limit: int) -> Sequence[StoredEvent]:
        """For platform keys. Oldest first by delivery; those of the same delivery by SES's time."""
        ...

    async def address(self, tenant: int, hash: bytes, limit: int, *, as_tenant: bool) -> AddressRecords: ...


def cancellable(records: MessageRecords) -> Sequence[int]:
    """Deliveries that have not left, as `cancel_message` finds them: no worker has claimed them, and SES was not called with an
    unknown outcome."""
    return sorted(
        row.id
        for row in records.rows
        if (row.source == "ready" and row.state is not State.SENDING)
        or (row.source == "waiting" and row.state is not State.UNKNOWN)
    )


def delivery(records: MessageRecords, id: int) -> DeliveryView:
    """One delivery of a message."""
    to = records.message.recipients[ids.recipient_of(id) - 1]
    return _delivery(records, id, to, {row.source: row for row in records.rows if row.id == id})


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
    provider = max((row.provider for row in found), default=Provider.UNKNOWN)
    place = ids.recipient_of(id) - 1
    if provider == Provider.UNKNOWN and place < len(records.message.learnt):
        provider = records.message.learnt[place]
    kept = _what_kept_it(records, id, provider, ledger)
    recorded = _as_recorded(records, id, kept, queue, ledger, outcome)
    now = _by_time(records, id, recorded.state, kept, queue, ledger) or recorded
    return DeliveryView(
        id=id,
        to=to,
        state=now.state,
        since=now.since,
        reason=now.reason,
        detail=now.detail,
        provider=Provider(provider).word,
        attempts=max((row.attempt for row in found), default=0),
        ses_id=next((row.ses_id for row in (ledger, outcome) if row and row.ses_id), None),
        bounced=_bounced(records.history.get(id, ())),
        timeline=_timeline(records, id, kept, now, queue, ledger),
    )


def _bounced(history: Sequence[TimelineEntry]) -> Bounced | None:
    found = [(entry.bounced.hard, entry.at, entry.bounced) for entry in history if entry.bounced is not None]
    return max(found, key=lambda one: one[:2])[2] if found else None


@dataclass(frozen=True, slots=True)
class _Status:
    state: State
    since: int
    reason: str | None
    detail: str | None


# What kept it in the queue ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Kept:
    """A hold or stop that covered the delivery for a part of its time in the queue. Nothing is recorded with the mail: a hold on
    a million mails is one row."""

    what: Reason  #: HELD or STOPPED
    sentence: str
    start: int  #: not before the acceptance
    end: int | None  #: None: it still does
    ended: str  #: what ended it, in words


def _what_kept_it(
    records: MessageRecords, id: int, provider: int, ledger: DeliveryRow | None
) -> Sequence[_Kept]:
    """In the order in which they began."""
    message, accepted = records.message, ids.ms_of(id)
    left = ledger.at if ledger is not None and ledger.at is not None else None
    held = [
        _Kept(
            Reason.HELD,
            past.hold.sentence,
            max(accepted, past.hold.since),
            past.lifted_at,
            reasons.released(past.lifted_by or "", past.lifted_because or ""),
        )
        for past in records.holds
        if past.hold.stops and past.hold.target.covers_mail(provider, message.campaign, message.list)
    ]
    stopped = [
        _Kept(
            Reason.STOPPED,
            past.record,
            max(accepted, past.since),
            past.ended_at,
            reasons.stop_ended(past.ended_because or ""),
        )
        for past in records.stops
        if past.path in (None, records.message.path_of(id))
    ]
    spans = (
        span
        for span in [*held, *stopped]
        if (span.end is None or span.end > accepted) and (left is None or span.start < left)
    )
    return sorted(spans, key=lambda span: span.start)


def _expired(kept: Sequence[_Kept], accepted: int, at: int) -> str:
    """Why a delivery that expired then had not left: what kept it at that moment, else what kept it for half of its time."""
    for span in kept:
        if span.start <= at and (span.end is None or span.end >= at):
            return reasons.expired_while(span.sentence)
    for span in kept:
        if span.end is not None and 2 * (span.end - span.start) >= at - accepted:
            return reasons.expired_after(span.sentence)
    return reasons.expired_in_queue()


# The state ----------------------------------------------------------------------------------------------------------------


def _as_recorded(
    records: MessageRecords,
    id: int,
    kept: Sequence[_Kept],
    queue: DeliveryRow | None,
    ledger: DeliveryRow | None,
    outcome: DeliveryRow | None,
) -> _Status:
    row = outcome or ledger or queue
    accepted = ids.ms_of(id)
    if row is None:
        # The rows are past retention or not visible yet; the delivery was accepted.
        return _Status(State.READY, accepted, None, None)
    state = fold(queue and queue.state, ledger and ledger.state, outcome and outcome.state)
    since, detail = row.at or row.called_at or accepted, row.detail
    if state is State.EXPIRED and detail in (None, reasons.expired_in_queue()):
        detail = _expired(kept, accepted, min(since, accepted + records.expiry_ms))
    if state is State.WAITING and row.reason in (Reason.LIMIT, Reason.RECIPIENT_LIMIT) and detail:
        if row.behind is not None:
            own = limits.leaves_behind(times.minute(row.behind.own_at), row.behind.mails)
            detail = detail.replace(limits.leaves(times.minute(row.behind.opens_at)), own)
        # A code is worth minutes, and its limit may open after an hour.
        detail = f"{detail}. {reasons.expires(times.minute(accepted + records.expiry_ms))}"
    return _Status(state, since, row.reason, detail)


def _by_time(
    records: MessageRecords,
    id: int,
    state: State,
    kept: Sequence[_Kept],
    queue: DeliveryRow | None,
    ledger: DeliveryRow | None,
) -> _Status | None:
    """States that follow from time, a hold or a stop, without a change of any row."""
    accepted = ids.ms_of(id)
    if state is State.WAITING and queue is not None and queue.reason != Reason.SCHEDULED:
        # When its retry is due, it goes back to a lane that is closed.
        return _closed(records, queue, queue.at or accepted)
    if state is State.READY and queue is not None:
        expires = accepted + records.expiry_ms
        if expires < records.now:
            return _Status(State.EXPIRED, expires, Reason.EXPIRED, _expired(kept, accepted, expires))
        if closed := _closed(records, queue, accepted):
            return closed
        if records.over_limit is not None:
            return _Status(State.WAITING, accepted, Reason.LIMIT, records.over_limit)
        if halt := health.halt(records.outflow, records.class_):
            return _Status(State.READY, accepted, halt.reason, halt.sentence)
    if state in (State.SENT, State.DELAYED) and ledger is not None and ledger.at is not None:
        silent_at = ledger.at + records.silence_ms
        if silent_at < records.now:
            return _Status(State.NO_OUTCOME, silent_at, Reason.NO_OUTCOME, reasons.no_outcome())
    return None


def _closed(records: MessageRecords, queue: DeliveryRow, since: int) -> _Status | None:
    """The hold or stop that closes its lane now."""
    if queue.lane_held:
        held = next((past.hold.sentence for past in records.holds if _holds_lane(past)), None)
        return _Status(State.HELD, since, Reason.HELD, held or reasons.held_lane())
    for past in records.stops:
        on_its_path = past.path in (None, records.message.path_of(queue.id))
        if on_its_path and past.ended_at is None and past.reason is Reason.STOPPED:
            return _Status(State.HELD, since, Reason.STOPPED, past.sentence)
    return None


def _holds_lane(past: PastHold) -> bool:
    return past.lifted_at is None and past.hold.stops and not past.hold.narrow


# The timeline -------------------------------------------------------------------------------------------------------------


def _timeline(
    records: MessageRecords,
    id: int,
    kept: Sequence[_Kept],
    now: _Status,
    queue: DeliveryRow | None,
    ledger: DeliveryRow | None,
) -> tuple[TimelineEntry, ...]:
    history = records.history.get(id, ())
    message = records.message
    first = observing.sent_by_others if message.observed else reasons.accepted
    entries = [
        TimelineEntry(
            at=message.accepted_at, what=Reason.ACCEPTED, detail=first(message.type, message.tenant_slug)
        ),
        *_scheduled(message),
        *history,
        *_kept_entries(kept, {entry.detail for entry in history}, _left(now, ledger)),
    ]
    if message.observed:
        return tuple(sorted(entries, key=lambda entry: entry.at))
    if ledger is not None and ledger.called_at is not None and ledger.state is State.SENT:
        entries.append(
            TimelineEntry(
                at=ledger.called_at, what=Reason.CALLED, detail=reasons.call_answered(ledger.attempt)
            )
        )
    if queue is not None and queue.state is State.SENDING and queue.called_at is not None:
        entries.append(
            TimelineEntry(at=queue.called_at, what=Reason.CALLED, detail=reasons.call_open(queue.attempt))
        )
    if ledger is not None and ledger.at is not None:
        detail = now.detail if now.state is ledger.state is State.EXPIRED else ledger.detail
        entries.append(TimelineEntry(at=ledger.at, what=ledger.state.word, detail=detail or ""))
    return tuple(sorted(entries, key=lambda entry: entry.at))


def _scheduled(message: MessageRow) -> Iterator[TimelineEntry]:
    if message.send_at is not None:
        detail = scheduling.sentence(message.send_at)
        yield TimelineEntry(at=message.accepted_at, what=Reason.SCHEDULED, detail=detail)


def _left(now: _Status, ledger: DeliveryRow | None) -> int | None:
    """When it left the queue; None while it is in it."""
    if ledger is not None:
        return ledger.at
    return now.since if now.state is State.EXPIRED else None


def _kept_entries(kept: Sequence[_Kept], said: Set[str], left: int | None) -> Iterator[TimelineEntry]:
    """A hold whose sentence the delivery's own history has is not repeated."""
    for span in kept:
        if span.sentence not in said:
            yield TimelineEntry(at=span.start, what=span.what, detail=span.sentence)
        if span.end is not None and (left is None or span.end < left):
            what = Reason.RELEASED if span.what is Reason.HELD else Reason.OPEN_AGAIN
            yield TimelineEntry(at=span.end, what=what, detail=span.ended)


def event_word(kind: int) -> str:
    try:
        return Kind(kind).word
    except ValueError:
        return f"event {kind}"
