"""What has become of a mail, for each recipient: read from the events of the mail, or as the ledger foretold it once its events
are forgotten (the event log keeps the newest ones)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from seslocal.state.account import Account
from seslocal.state.event_log import Document, Entry, recipients
from seslocal.state.ledger import LedgerEntry


@dataclass(frozen=True, slots=True)
class Fate:
    group: str  #: one of GROUPS, which the page filters by; "": not known any more
    colour: str
    word: str
    more: str = ""  #: sub-type


#: what the page filters by -> its words
GROUPS: Final = {
    "delivered": "Delivered",
    "bounced": "Bounced",
    "complained": "Complained",
    "suppressed": "Suppressed",
    "rejected": "Rejected",
    "delayed": "Delayed",
    "in-flight": "In flight",
}
_IN_FLIGHT: Final = Fate("in-flight", "slow", "in flight")
_DELIVERED: Final = Fate("delivered", "good", "delivered")
_REJECTED: Final = Fate("rejected", "bad", "rejected")
_NOT_RENDERED: Final = Fate("rejected", "bad", "not rendered")
_UNSUBSCRIBED: Final = Fate("suppressed", "off", "unsubscribed")  # which SES reports as a bounce
_PLANNED: Final = {
    "delivers": _DELIVERED,
    "bounces": Fate("bounced", "bad", "bounced"),
    "complains": Fate("complained", "bad", "complained"),
    "defers": Fate("delayed", "slow", "delayed"),
    "suppressed": Fate("suppressed", "off", "suppressed"),
    "rejected": _REJECTED,
    "rendering_failed": _NOT_RENDERED,
    "world": Fate("", "off", "sent"),  # a world decides later, and its events are forgotten
}
_ABOUT_ALL: Final = {"Reject": _REJECTED, "Rendering Failure": _NOT_RENDERED}
_OUTCOMES: Final = ("Delivery", "Bounce", "Complaint", "DeliveryDelay")


def fates(
    account: Account, entry: LedgerEntry, facts: Mapping[str, Any], events: Sequence[Entry]
) -> dict[str, Fate]:
    """Returns the fate of each recipient. `events` are all of this mail that are kept, oldest first."""
    planned: dict[str, Fate] = {one: _planned(fate) for one, fate in facts["fates"].items()}
    if not events:
        return dict.fromkeys(planned, _IN_FLIGHT) if _is_new(account, entry) else planned
    # A mail whose Send is forgotten may have lost other events too.
    found: dict[str, Fate] = dict.fromkeys(planned, _IN_FLIGHT) if events[0][0] == "Send" else planned
    spelled = {one.lower(): one for one in found}
    for event, _, _, build in events:
        if (for_all := _ABOUT_ALL.get(event)) is not None:
            return dict.fromkeys(found, for_all)
        if event not in _OUTCOMES:
            continue
        if event == "Delivery" and len(found) == 1:  # its document is not needed
            found = dict.fromkeys(found, _DELIVERED)
            continue
        document = build()
        fate = _of_event(event, document)
        for address in recipients(document):
            if (one := spelled.get(address.lower())) is not None:
                found[one] = fate
    return found


def may_be(account: Account, entry: LedgerEntry, group: str) -> bool:
    """Whether a mail without events may have a fate of this group; it is cheaper than reading its facts."""
    if group == "in-flight":
        return _is_new(account, entry)
    return any(
        b'"fate":"%b"' % name.encode() in entry.facts
        for name, fate in _PLANNED.items()
        if fate.group == group
    ) or (group == "suppressed" and b"UnsubscribedRecipient" in entry.facts)


def _is_new(account: Account, entry: LedgerEntry) -> bool:
    """Whether a mail's first event is still to come."""
    return account.clock.now() < entry.at + account.settings.event_delay


def _planned(fate: Mapping[str, Any]) -> Fate:
    more: str = fate["subtype"] or ""
    if more == "UnsubscribedRecipient":
        return _UNSUBSCRIBED
    known = _PLANNED[fate["fate"]]
    return Fate(known.group, known.colour, known.word, more) if more else known


def _of_event(event: str, document: Document) -> Fate:
    if event == "Delivery":
        return _DELIVERED
    if event == "DeliveryDelay":
        return Fate("delayed", "slow", "delayed", document["deliveryDelay"]["delayType"])
    if event == "Bounce":
        more: str = document["bounce"]["bounceSubType"]
        group, word = "bounced", "bounced"
    else:
        complaint = document["complaint"]
        more = complaint["complaintSubType"] or complaint.get("complaintFeedbackType") or ""
        group, word = "complained", "complained"
    if more == "UnsubscribedRecipient":
        return _UNSUBSCRIBED
    if more in ("OnTenantSuppressionList", "OnAccountSuppressionList"):
        return Fate("suppressed", "off", "suppressed", more)
    return Fate(group, "bad", word, more)
