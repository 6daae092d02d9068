"""Decides which address an event suppresses, in which scope and until when.

A hard bounce suppresses the address for the tenant, a complaint for the tenant's mail of that class, an unsubscribe for the
lane; never for another tenant. An entry on SES's global list is weak evidence and ends after 14 days. Of several suppressions
the one that lasts longest stays, then the earliest: a total order, so the order of arrival does not matter.
"""

from mailcordon.core import ids
from mailcordon.core.event import Kind
from mailcordon.core.suppression import Scope, Suppression
from mailcordon.observe import classify
from mailcordon.observe.attribute import Attributed

GLOBAL_LIST_MS = 14 * 24 * 3600 * 1000  #: SES keeps entries of its global list about as long (ses.md 2.1)
FOREVER = 2**63 - 1


def suppression_of(found: Attributed, hash: bytes) -> Suppression | None:
    """Returns None if the event suppresses nothing. `hash` is the keyed hash of the address (core/address.py)."""
    event, lane = found.event, found.lane
    until = None
    if event.kind is Kind.COMPLAINT:
        scope, target, cause = Scope.CLASS, int(lane.class_), "complaint"
    elif event.reason == classify.UNSUBSCRIBED:
        scope, target, cause = Scope.LANE, lane.id, "unsubscribe"
    elif event.kind is Kind.HARD_BOUNCE and event.reason == classify.GLOBAL_LIST:
        scope, target, cause = Scope.TENANT, 0, "ses-global-list"
        until = event.at + GLOBAL_LIST_MS
    elif event.kind is Kind.HARD_BOUNCE:
        scope, target, cause = Scope.TENANT, 0, "hard-bounce"
    else:
        return None
    evidence = {
        "event": event.key.hex(),
        "delivery": ids.delivery_id(found.attempt.delivery),
        "type": lane.type,
        "ses_id": event.ses_id,
        "reason": event.reason or "",
        "text": event.text or "",
        "bounce_reason": "" if event.bounce_reason is None else event.bounce_reason.word,
    }
    return Suppression(
        tenant=lane.tenant,
        hash=hash,
        scope=scope,
        target=target,
        address=found.address,
        cause=cause,
        evidence=evidence,
        since=event.at,
        until=until,
    )


def stronger(one: Suppression, other: Suppression) -> Suppression:
    """Returns the one of two suppressions of an address and scope that stays. The statement `suppress` has the same order."""
    return max(one, other, key=_strength)


def _strength(row: Suppression) -> tuple[int, int, str, str]:
    return (
        FOREVER if row.until is None else row.until,
        -row.since,
        row.cause,
        str(row.evidence.get("event", "")),
    )
