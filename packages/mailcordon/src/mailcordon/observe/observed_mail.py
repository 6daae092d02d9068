"""Attributes a batch's events of mail that did not pass through us: by rules, to deliveries that are made for them.

It runs only for batches with such events. What is attributed goes the same way as our own mail: events, outcomes, suppressions
and counts. Nothing of it settles a call or proves an absence, and nothing is asked of SES for it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mailcordon.core import ids, provider
from mailcordon.core.delivery import State
from mailcordon.core.event import Attempt, Event, Kind
from mailcordon.core.installation import Installation
from mailcordon.core.lane import Lane
from mailcordon.messages import observing as messages
from mailcordon.observe import observing, plausible
from mailcordon.observe.attribute import Attributed, Quarantine
from mailcordon.observe.observing import Mapped, ObservedMail, Origin, Rules, Unmapped
from mailcordon.observe.ports import Facts, Transaction

#: Events that name no recipient, and about nothing that has to be known.
_ABOUT_NOBODY = frozenset({Kind.OPEN, Kind.CLICK, Kind.MACHINE_OPEN, Kind.MACHINE_CLICK, Kind.OTHER})


@dataclass(slots=True)
class Found:
    attributed: list[Attributed] = field(default_factory=list[Attributed])
    facts: dict[int, Facts] = field(default_factory=dict[int, Facts])
    mapped: list[bool] = field(default_factory=list[bool])  #: of each event, whether a rule has it
    aside: list[tuple[int, Quarantine]] = field(default_factory=list[tuple[int, Quarantine]])
    odd: int = 0


@dataclass(frozen=True, slots=True)
class _Wanted:
    place: int  #: of the event in its batch
    origin: Origin
    event: Event
    address: str
    mail: ObservedMail
    counts: bool


@dataclass(frozen=True, slots=True)
class _Past:
    """Of a mail past retention."""

    place: int
    origin: Origin
    event: Event
    lane: tuple[int, int]  #: tenant and type
    to: tuple[str, ...]


async def attribute(
    tx: Transaction,
    events: Sequence[Event],
    ours: Installation,
    *,
    kept_ms: int,
    hash_of: Callable[[str], bytes | None],
    count_unmapped: bool,
) -> Found:
    """`count_unmapped`: whether mail without a rule is counted here; else somebody else deals with it."""
    now, rules = await tx.observed_rules()
    found = Found()
    wanted: list[_Wanted] = []
    past: list[_Past] = []
    unmapped: dict[Origin, Unmapped] = {}
    for place, event in enumerate(events):
        origin = observing.origin_of(event)
        mapped = observing.match(event, origin, rules)
        found.mapped.append(isinstance(mapped, Mapped))
        if not isinstance(mapped, Mapped):
            _count(unmapped.setdefault(origin, Unmapped()), event, mapped)
            continue
        to = observing.recipients_of(event)
        if not to and event.kind in _ABOUT_NOBODY:
            found.odd += 1  # opened by one of several recipients: nobody knows whom it counts for
            continue
        if not to or event.mail_at > now + plausible.TOLERANCE:
            detail = messages.no_delivery(recipients=len(event.destinations))
            found.aside.append((place, Quarantine("unknown-delivery", detail, mapped.rule.tenant)))
            continue
        if now - event.mail_at > kept_ms or event.mail_at < ids.EPOCH_MS:
            past.append(_Past(place, origin, event, (mapped.rule.tenant, rules.types[mapped.type]), to))
            continue
        for n, address in enumerate(to):
            # SES names all who may have complained: it is one complaint, and all of them get no more mail.
            counts = event.kind is not Kind.COMPLAINT or n == 0
            mail = _mail(event, origin, mapped, address, rules, hash_of)
            wanted.append(_Wanted(place, origin, event, address, mail, counts))
    left: dict[int, _Wanted | _Past] = {}
    if wanted:
        left |= await _place(tx, wanted, found, ours, now)
    if past:
        left |= await _without_rows(tx, past, found, ours)
    for place, one in left.items():
        found.mapped[place] = False
        _count(unmapped.setdefault(one.origin, Unmapped()), one.event, observing.NO_RULE)
    if unmapped and count_unmapped:
        await tx.count_unmapped(unmapped)
    return found


async def _place(
    tx: Transaction, wanted: Sequence[_Wanted], found: Found, ours: Installation, now: int
) -> dict[int, _Wanted]:
    """Returns the events whose rule was removed a moment ago."""
    mails: dict[tuple[str, str], ObservedMail] = {}
    for one in wanted:
        key = one.mail.ses_id, one.address.lower()
        if key not in mails or (one.mail.makes and not mails[key].makes):
            mails[key] = one.mail
    order = list(mails)
    placed = {order[n]: at for n, at in (await tx.place_observed(list(mails.values()))).items()}
    left: dict[int, _Wanted] = {}
    for one in wanted:
        at = placed.get((one.mail.ses_id, one.address.lower()))
        if at is None:
            if one.mail.makes:
                left[one.place] = one
            continue
        attempt = _attempt(ours, at.lane, at.delivery)
        event = plausible.corrected(one.event, called_at=attempt.called_at, recipient=one.address, now=now)
        found.odd += event is not one.event
        found.attributed.append(
            Attributed(event, attempt, at.lane, one.address, at.provider, one.counts, False, ours=False)
        )
        found.facts[at.delivery] = Facts(
            tenant=at.lane.tenant,
            lane=at.lane.id,
            recipient=at.recipient,
            provider=at.provider,
            newest_attempt=1,
            path=observing.PATH,
            # No call of ours: it is counted as handed to SES by the first event.
            ledger_state=State.SENT,
        )
    return left


async def _without_rows(
    tx: Transaction, past: Sequence[_Past], found: Found, ours: Installation
) -> dict[int, _Past]:
    """Mail past retention suppresses, and is not counted. Returns the events whose rule was removed a moment ago."""
    lanes = await tx.observed_lanes({one.lane for one in past})
    left: dict[int, _Past] = {}
    for one in past:
        lane = lanes.get(one.lane)
        if lane is None:
            left[one.place] = one
            continue
        for address in one.to:
            attempt = _attempt(ours, lane, max(0, ids.first_of(one.event.mail_at)))
            of = int(provider.of(address.rpartition("@")[2].lower()))
            found.attributed.append(
                Attributed(one.event, attempt, lane, address, of, False, False, ours=False)
            )
    return left


def _attempt(ours: Installation, lane: Lane, delivery: int) -> Attempt:
    return Attempt(
        installation=ours.name,
        tenant_key=lane.tenant_key,
        type=lane.type,
        delivery=delivery,
        attempt=1,
        called_at=ids.ms_of(delivery),
    )


def _mail(
    event: Event,
    origin: Origin,
    mapped: Mapped,
    address: str,
    rules: Rules,
    hash_of: Callable[[str], bytes | None],
) -> ObservedMail:
    return ObservedMail(
        tenant=mapped.rule.tenant,
        type=rules.types[mapped.type],
        at=event.mail_at,
        slot=observing.slot_of(event.ses_id, address),
        ses_id=event.ses_id,
        address=address[:320],
        hash=hash_of(address),
        provider=int(provider.of(address.rpartition("@")[2].lower())),
        sender=origin.sender,
        # What changes no state, such as a subscription, is no mail by itself.
        makes=event.kind is not Kind.OTHER,
    )


def _count(counted: Unmapped, event: Event, why: str) -> None:
    counted.events += 1
    counted.mails += event.kind is Kind.SEND
    counted.why, counted.tags = why, observing.shown_tags(event)
