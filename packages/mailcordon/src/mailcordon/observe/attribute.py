"""Attributes an event to a delivery. Pure: tags and rows in, a verdict out. Nothing is guessed.

The signed attempt tag decides. What SES adds (configuration set, SES tenant, id of the mail) is compared with our rows; a
contradiction goes to quarantine with its reason. So a tenant cannot use another tenant's delivery id, a database restored from a
backup is detected, and mail that did not pass through us is an ungoverned send.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mailcordon.core import address, ids, path_choice, provider, tags, text
from mailcordon.core.event import Attempt, Event
from mailcordon.core.installation import Installation
from mailcordon.core.lane import Lane
from mailcordon.messages import reasons
from mailcordon.observe.ports import Directory, Facts, SetRef


@dataclass(slots=True)  # not frozen, as one is made per event
class Attributed:
    event: Event
    attempt: Attempt
    lane: Lane
    #: The recipient we sent to, which is the one to suppress. After forwarding, a bounce may name another.
    address: str
    provider: int
    has_rows: bool  #: False past retention: the event still suppresses, but is not counted
    settles: bool  #: whether the attempt's SES id was not known before
    ours: bool = (
        True  #: False: it did not pass through us, and SES's lists are not ours to change (observed_mail.py)
    )


@dataclass(frozen=True, slots=True)
class Quarantine:
    why: str  #: unverified, ungoverned, disagreement, unknown-delivery, double or malformed
    detail: str  #: a sentence for people
    tenant: int | None = None  #: the tenant, if the signature proves it
    sender: tuple[str, str] | None = (
        None  #: of ungoverned mail: whose identity, and who called SES ("": not named)
    )


@dataclass(frozen=True, slots=True)
class OtherInstallation:
    name: str


def read_tags(event: Event, ours: Installation) -> Attempt | Quarantine | OtherInstallation:
    """Reads the tags alone."""
    named = event.tags.get(tags.INSTALLATION)
    if not tags.carries_ours(event.tags):
        return Quarantine("ungoverned", _ungoverned(event), sender=_sender(event))
    if named is not None and named != ours.name:
        return OtherInstallation(named[:256])
    try:
        return tags.verify(ours.mac_keys, event.tags)
    except ValueError as error:
        return Quarantine("disagreement", reasons.bad_signature(str(error)))


def check(
    event: Event, attempt: Attempt, directory: Directory, facts: Facts, *, kept_ms: int
) -> Attributed | Quarantine:
    """Compares the proved attempt with our rows and with the rest of the event. A message's rows are kept for `kept_ms`."""
    lane = directory.lanes.get((attempt.tenant_key, attempt.type))
    if lane is None:
        return Quarantine("disagreement", reasons.unknown_lane(attempt.tenant_key, attempt.type))
    contradiction = _wrong_names(event, lane, directory.sets, shared=facts.path == path_choice.SHARED)
    if contradiction is not None:
        return Quarantine("disagreement", contradiction, lane.tenant)
    if facts.tenant is None:
        return _without_rows(event, attempt, lane, directory.now - ids.ms_of(attempt.delivery) > kept_ms)
    return _with_rows(event, attempt, lane, facts)


def evidence(event: Event, attempt: Attempt, directory: Directory) -> tuple[int | None, str | None]:
    """The lane that an event of a proof's mail is attributed to, as one of any mail would be, and how SES's own tags contradict
    it."""
    lane = directory.lanes.get((attempt.tenant_key, attempt.type))
    if lane is None:
        return None, reasons.unknown_lane(attempt.tenant_key, attempt.type)
    return lane.id, _wrong_names(event, lane, directory.sets)


def _with_rows(event: Event, attempt: Attempt, lane: Lane, facts: Facts) -> Attributed | Quarantine:
    number = attempt.attempt
    if facts.tenant != lane.tenant or facts.lane != lane.id:
        detail = reasons.another_lane(_id(attempt), number, lane.tenant_key, lane.type)
        return Quarantine("disagreement", detail, lane.tenant)
    if facts.recipient is None:
        return Quarantine("disagreement", reasons.no_recipient(_id(attempt), number), lane.tenant)
    if facts.newest_attempt is not None and number > facts.newest_attempt:
        detail = reasons.newer_attempt(_id(attempt), number, facts.newest_attempt)
        return Quarantine("disagreement", detail, lane.tenant)
    known = facts.ses_ids.get(number)
    if known is not None and known != event.ses_id:
        detail = reasons.sent_twice(_id(attempt), number, known, event.ses_id)
        return Quarantine("double", detail, lane.tenant)
    recipient = facts.recipient
    if recipient == address.ERASED:
        if len(event.destinations) != 1:
            detail = reasons.ambiguous_recipient(len(event.destinations))
            return Quarantine("unknown-delivery", detail, lane.tenant)
        recipient = event.destinations[0]
    own = facts.provider
    if own is None:
        own = provider.of(recipient.rpartition("@")[2].lower())
    return Attributed(event, attempt, lane, recipient, int(own), True, known is None)


def _id(attempt: Attempt) -> str:
    return ids.delivery_id(attempt.delivery)


def _without_rows(event: Event, attempt: Attempt, lane: Lane, past: bool) -> Attributed | Quarantine:
    if not past:
        detail = reasons.unknown_delivery(_id(attempt), attempt.attempt)
        return Quarantine("unknown-delivery", detail, lane.tenant)
    if len(event.destinations) != 1:
        detail = reasons.ambiguous_recipient(len(event.destinations))
        return Quarantine("unknown-delivery", detail, lane.tenant)
    recipient = event.destinations[0]
    of = provider.of(recipient.rpartition("@")[2].lower())
    return Attributed(event, attempt, lane, recipient, int(of), False, False)


def _wrong_names(event: Event, lane: Lane, sets: Mapping[str, SetRef], *, shared: bool = False) -> str | None:
    """Returns how SES's own tags contradict the lane, or None. Routes change, so any set that may carry the lane is right.
    `shared`: by our rows it left on the path that tenants share, whose SES tenant is none of theirs (docs/paths.md)."""
    if event.ses_tenant is not None and not shared and not _is_tenants(event.ses_tenant, lane.tenant_key):
        return reasons.another_ses_tenant(lane.tenant_key, text.harmless(event.ses_tenant, 100))
    if event.configuration_set is None:
        return None
    set_ = sets.get(event.configuration_set)
    if set_ is None:
        return reasons.unknown_configuration_set(text.harmless(event.configuration_set, 100))
    fits = (
        set_.kind != "ungoverned"
        and set_.tenant in (None, lane.tenant)
        and set_.class_ in (None, lane.class_)
    )
    if not fits:
        return reasons.wrong_configuration_set(event.configuration_set, lane.type)
    return None


def _is_tenants(ses_tenant: str, key: str) -> bool:
    """The names of a tenant's SES tenants are its key, alone or followed by the class."""
    return ses_tenant == key or ses_tenant.startswith(key + "-")


def _sender(event: Event) -> tuple[str, str]:
    """Whose identity the mail was sent from, and who called SES. SES names both; each is "" where it does not."""
    domain = str(event.detail.get("source", "")).rpartition("@")[2].rstrip(">")
    identity = event.tags.get("ses:from-domain") or domain
    return text.harmless(identity, 253).lower(), text.harmless(
        event.tags.get("ses:caller-identity") or "", 256
    )


def _ungoverned(event: Event) -> str:
    source = text.harmless(str(event.detail.get("source", reasons.unnamed_sender())))
    caller = event.tags.get("ses:caller-identity")
    return reasons.ungoverned(
        source, caller and text.harmless(caller, 100), text.harmless(event.configuration_set or "", 100)
    )
