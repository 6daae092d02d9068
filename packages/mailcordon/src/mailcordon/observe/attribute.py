"""Whose mail an event speaks of. Pure: tags and rows in, a verdict out, and no guess in between.

The signed attempt tag decides; everything else SES says is compared with it and with our rows, and what does not agree goes to
quarantine with the sentence that says what disagreed. So a tenant cannot blame another by copying a delivery's id, a database
restored from a backup is noticed, and mail that did not pass through us is an ungoverned send.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mailcordon.core import ids, provider, tags
from mailcordon.core.event import Attempt, Event
from mailcordon.core.installation import Installation
from mailcordon.messages import reasons
from mailcordon.observe.ports import Directory, Facts, LaneRef, SetRef

RETENTION_MS = 90 * 24 * 3600 * 1000  #: how long our rows of a message are kept


@dataclass(slots=True)  # not frozen: made for every event
class Attributed:
    event: Event
    attempt: Attempt
    lane: LaneRef
    address: (
        str  #: the recipient we wrote to: the one to suppress, whatever a bounce after a forwarding names
    )
    provider: int
    has_rows: bool  #: false when they are past retention: such mail still suppresses, and is counted no more
    settles: bool  #: whether this is the first that tells us the attempt's SES id


@dataclass(frozen=True, slots=True)
class Quarantine:
    why: str  #: ungoverned, disagreement, unknown-delivery or double
    detail: str  #: a sentence
    tenant: int | None = None  #: whose it would be, where the signature makes that much certain


@dataclass(frozen=True, slots=True)
class OtherInstallation:
    name: str


def claim(event: Event, ours: Installation) -> Attempt | Quarantine | OtherInstallation:
    """What the tags alone prove."""
    named = event.tags.get(tags.INSTALLATION)
    if not tags.carries_ours(event.tags):
        return Quarantine("ungoverned", _ungoverned(event))
    if named is not None and named != ours.name:
        return OtherInstallation(named[:256])
    try:
        return tags.verify(ours.mac_key, event.tags)
    except ValueError as error:
        return Quarantine("disagreement", reasons.bad_signature(str(error)))


def check(event: Event, attempt: Attempt, directory: Directory, facts: Facts) -> Attributed | Quarantine:
    """Compares what the tags prove with our rows and with what else SES says of the mail."""
    lane = directory.lanes.get((attempt.tenant_key, attempt.type))
    if lane is None:
        return Quarantine("disagreement", reasons.unknown_lane(attempt.tenant_key, attempt.type))
    trouble = _wrong_names(event, lane, directory.sets)
    if trouble is not None:
        return Quarantine("disagreement", trouble, lane.tenant)
    if facts.tenant is None:
        return _without_rows(event, attempt, lane, directory.now)
    return _with_rows(event, attempt, lane, facts)


def _with_rows(event: Event, attempt: Attempt, lane: LaneRef, facts: Facts) -> Attributed | Quarantine:
    number = attempt.attempt
    if facts.tenant != lane.tenant or facts.lane != lane.lane:
        detail = reasons.another_lane(_id(attempt), number, lane.tenant_key, lane.type)
        return Quarantine("disagreement", detail, lane.tenant)
    if facts.recipient is None:
        return Quarantine("disagreement", reasons.no_recipient(_id(attempt), number), lane.tenant)
    if not _is_among(facts.recipient, event.destinations):
        detail = reasons.another_recipient(_id(attempt), number, len(event.destinations))
        return Quarantine("disagreement", detail, lane.tenant)
    if facts.newest_attempt is not None and number > facts.newest_attempt:
        detail = reasons.newer_attempt(_id(attempt), number, facts.newest_attempt)
        return Quarantine("disagreement", detail, lane.tenant)
    known = facts.ses_ids.get(number)
    if known is not None and known != event.ses_id:
        detail = reasons.sent_twice(_id(attempt), number, known, event.ses_id)
        return Quarantine("double", detail, lane.tenant)
    own = facts.provider
    if own is None:
        own = provider.of(facts.recipient.rpartition("@")[2].lower())
    return Attributed(event, attempt, lane, facts.recipient, int(own), True, known is None)


def _id(attempt: Attempt) -> str:
    return ids.delivery_id(attempt.delivery)


def _is_among(recipient: str, destinations: tuple[str, ...]) -> bool:
    """Whether SES wrote to whom we did, as far as it says."""
    if not destinations or recipient in destinations:
        return True
    return recipient.lower() in [address.lower() for address in destinations]


def _without_rows(event: Event, attempt: Attempt, lane: LaneRef, now: int) -> Attributed | Quarantine:
    age = now - ids.ms_of(attempt.delivery)
    if age <= RETENTION_MS:
        detail = reasons.unknown_delivery(_id(attempt), attempt.attempt)
        return Quarantine("unknown-delivery", detail, lane.tenant)
    if len(event.destinations) != 1:
        detail = reasons.ambiguous_recipient(len(event.destinations))
        return Quarantine("unknown-delivery", detail, lane.tenant)
    address = event.destinations[0]
    of = provider.of(address.rpartition("@")[2].lower())
    return Attributed(event, attempt, lane, address, int(of), False, False)


def _wrong_names(event: Event, lane: LaneRef, sets: Mapping[str, SetRef]) -> str | None:
    """What SES's own tags contradict. Routes change, so a set that could be the lane's is enough."""
    if event.ses_tenant is not None and not _is_tenants(event.ses_tenant, lane.tenant_key):
        return reasons.another_ses_tenant(lane.tenant_key, event.ses_tenant[:100])
    if event.configuration_set is None:
        return None
    set_ = sets.get(event.configuration_set)
    if set_ is None:
        return reasons.unknown_configuration_set(event.configuration_set[:100])
    fits = (
        set_.kind != "ungoverned"
        and set_.tenant in (None, lane.tenant)
        and set_.class_ in (None, lane.class_)
    )
    if not fits:
        return reasons.wrong_configuration_set(event.configuration_set, lane.type)
    return None


def _is_tenants(ses_tenant: str, key: str) -> bool:
    """A tenant's SES tenants are its key, alone or followed by the class."""
    return ses_tenant == key or ses_tenant.startswith(key + "-")


def _ungoverned(event: Event) -> str:
    source = str(event.detail.get("source", "an unnamed sender"))
    caller = event.tags.get("ses:caller-identity")
    return reasons.ungoverned(source, caller and caller[:100], (event.configuration_set or "")[:100])
