"""Decides which address an event suppresses, in which scope and until when.

A hard bounce suppresses the address for the tenant unless its text says otherwise (closing.py), a complaint for the tenant's mail
of that class, an unsubscribe for the lane; never for another tenant. An entry on SES's global list is weak evidence and ends
after 14 days. A hit on another of SES's lists covers what the list covers: SES's entries for bounces drop all of the tenant's
mail, those for complaints only the mail of classes whose configuration sets heed complaints. Of several suppressions the one
that lasts longest stays, then one that not-spam feedback does not take back, then the earliest: a total order, so the order of
arrival does not matter.

Complaints and soft bounces are remembered as reports, because what follows from one depends on others: not-spam feedback takes
back the complaints before it, and soft bounces suppress only if they are repeated.
"""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from mailcordon.core import ids
from mailcordon.core.bounce_reason import BounceReason, Follow
from mailcordon.core.event import Event, Kind
from mailcordon.core.priority import Class
from mailcordon.core.suppression import (
    DAY_MS,
    LIFTED_BY_NOT_SPAM,
    Reported,
    Scope,
    SoftBouncePolicy,
    Suppression,
)
from mailcordon.observe import classify, closing
from mailcordon.observe.attribute import Attributed
from mailcordon.observe.reports import ListHit, Report, Unlist

GLOBAL_LIST_MS = 14 * 24 * 3600 * 1000  #: SES keeps entries of its global list about as long (ses.md 2.1)
FOREVER = 2**63 - 1

#: Soft bounces that say something of the mailbox, if they are repeated. Others are about the message, the sender or a server.
_OF_THE_MAILBOX = frozenset({BounceReason.MAILBOX_FULL, BounceReason.UNDETERMINED})
_OF_THE_ACCOUNT = frozenset({"ses-account-list", "ses-account-complaint"})
TENANT_LIST = "ses-tenant-list"
#: SES may check mail against an entry for so long after it was deleted.
DELETED_MS = 60_000
MOST_A_DAY = 20  #: reports of a kind about one address that are kept of one day; more would say nothing more


def suppression_of(found: Attributed, hash: bytes) -> Suppression | None:
    """What one event suppresses by itself; None if nothing. `hash` is the keyed hash of the address (core/address.py)."""
    event, lane = found.event, found.lane
    until = None
    cause = classify.list_of(event.kind, event.reason)
    if event.kind is Kind.COMPLAINT:
        scope, target, cause = Scope.CLASS, int(lane.class_), "complaint"
    elif cause is not None:
        complained = cause in LIFTED_BY_NOT_SPAM
        scope, target = (Scope.CLASS, int(lane.class_)) if complained else _listed(found)
    elif event.reason == classify.UNSUBSCRIBED:
        scope, target, cause = Scope.LANE, lane.id, "unsubscribe"
    elif event.kind is Kind.HARD_BOUNCE and event.reason == classify.GLOBAL_LIST:
        scope, target, cause = Scope.TENANT, 0, "ses-global-list"
        until = event.at + GLOBAL_LIST_MS
    elif event.kind is Kind.HARD_BOUNCE:
        scope, target, cause = Scope.TENANT, 0, "hard-bounce"
        match closing.follow(event):
            case Follow.SUPPRESS:
                pass
            case Follow.WEAKEN:
                until = event.at + closing.WEAK_MS
            case _:
                return None
    else:
        return None
    return Suppression(
        tenant=lane.tenant,
        hash=hash,
        scope=scope,
        target=target,
        address=found.address,
        cause=cause,
        evidence=_evidence(found),
        since=event.at,
        until=until,
    )


def report_of(found: Attributed, hash: bytes) -> Report | None:
    """What has to be remembered of an event; None if nothing."""
    event, lane = found.event, found.lane
    alone = suppression_of(found, hash)
    if alone is not None and alone.may_be_lifted:
        kind, cause = Reported.COMPLAINT, alone.cause
    elif classify.is_not_spam(event.kind, event.reason):
        kind, cause = Reported.NOT_SPAM, ""
    elif is_of_the_mailbox(event):
        kind, cause = Reported.SOFT_BOUNCE, "soft-bounces"
    else:
        return None
    return Report(
        tenant=lane.tenant,
        hash=hash,
        key=event.key,
        kind=kind,
        class_=lane.class_,
        at=event.at,
        cause=cause,
        address=found.address,
        evidence={} if kind is Reported.NOT_SPAM else _evidence(found),
    )


def hits_of(found: Attributed, hash: bytes) -> list[ListHit]:
    """Where SES's own entry can be read, if the event is a hit on a list that can be read: as mailed and as the event says."""
    event = found.event
    cause = classify.list_of(event.kind, event.reason)
    if cause is None:
        return []
    list_ = "" if cause in _OF_THE_ACCOUNT else event.ses_tenant or found.attempt.tenant_key
    return [
        ListHit(tenant=found.lane.tenant, hash=hash, list=list_, spelling=spelling)
        for spelling in _spellings(found)
    ]


def is_of_deleted_entry(row: Suppression, deleted: Mapping[tuple[int, bytes], int]) -> bool:
    """Whether a hit on a list is one on an entry that control has deleted since. `deleted` says when, by tenant and hash."""
    at = deleted.get((row.tenant, row.hash))
    return row.cause == TENANT_LIST and at is not None and row.since <= at + DELETED_MS


def unlist_of(found: Attributed, hash: bytes) -> list[Unlist]:
    """Where SES's own entry is to go, since the bounce closes the address for a while or not at all."""
    event = found.event
    if event.kind is not Kind.HARD_BOUNCE or event.reason == classify.GLOBAL_LIST:
        return []
    follow = closing.follow(event)
    if follow is Follow.SUPPRESS:
        return []
    return [
        Unlist(
            tenant=found.lane.tenant,
            hash=hash,
            spelling=spelling,
            ses_id=event.ses_id,
            since=event.at,
            due_at=event.at + (closing.WEAK_MS if follow is Follow.WEAKEN else 0),
        )
        for spelling in _spellings(found)
    ]


def _spellings(found: Attributed) -> list[str]:
    """As the event says it and as mailed."""
    named = [one for one in found.event.recipients if one.lower() == found.address.lower()]
    return list(dict.fromkeys([*named, found.address]))


def is_of_the_mailbox(event: Event) -> bool:
    """Whether it counts for the policy of repetition: a soft bounce, or one of a full mailbox whatever SES calls it."""
    if event.kind is Kind.HARD_BOUNCE:
        return event.bounce_reason is BounceReason.MAILBOX_FULL
    if event.kind is not Kind.SOFT_BOUNCE or event.bounce_reason not in _OF_THE_MAILBOX:
        return False
    # Out-of-office replies come as Transient/General, and name no status and no answer of a mail server (ses.md 4.3).
    return event.reason != classify.TRANSIENT or bool(event.text or event.detail.get("status"))


def follows(
    reports: Iterable[Report], removed: Mapping[tuple[Scope, int], int], policy: SoftBouncePolicy
) -> list[Suppression]:
    """The suppressions of one address that follow from all that was reported about it, one for each scope and target.

    `removed`: until when evidence is void, since a person removed the suppression.
    """
    found: dict[tuple[Scope, int], Suppression] = {}
    reports = list(reports)
    taken_back = not_spam(reports)
    for one in reports:
        key = Scope.CLASS, int(one.class_)
        void = max(taken_back.get(one.class_, -1), removed.get(key, -1))
        if one.kind is Reported.COMPLAINT and one.at > void:
            row = _suppression(one, Scope.CLASS, int(one.class_), None)
            found[key] = stronger(found[key], row) if key in found else row
    void = removed.get((Scope.TENANT, 0), -1)
    soft = [one for one in reports if one.kind is Reported.SOFT_BOUNCE and one.at > void]
    last = _repeated(soft, policy.count, policy.window_ms, policy.spread_ms)
    if last is not None:
        found[Scope.TENANT, 0] = _suppression(last, Scope.TENANT, 0, last.at + policy.off_ms)
    key = Scope.CLASS, int(Class.MARKETING)
    soft = [one for one in soft if one.class_ is Class.MARKETING and one.at > removed.get(key, -1)]
    last = _repeated(soft, policy.pause_count, policy.pause_ms, 0)
    if last is not None:
        row = _suppression(last, *key, last.at + policy.pause_ms)
        found[key] = stronger(found[key], row) if key in found else row
    return [found[key] for key in sorted(found)]


def surplus(reports: Iterable[Report]) -> list[Report]:
    """The reports of one address that need not be kept: those beyond MOST_A_DAY of a kind, class and day.

    Which stay depends on the reports alone: the earliest, of not-spam feedback the latest.
    """
    days: dict[tuple[Reported, Class, int], list[Report]] = defaultdict(list)
    for one in reports:
        days[one.kind, one.class_, one.at // DAY_MS].append(one)
    too_much: list[Report] = []
    for (kind, _, _), of_a_day in days.items():
        of_a_day.sort(key=lambda one: (one.at, one.key), reverse=kind is Reported.NOT_SPAM)
        too_much += of_a_day[MOST_A_DAY:]
    return too_much


def not_spam(reports: Iterable[Report]) -> dict[Class, int]:
    """The latest not-spam feedback of each class. Complaints up to then are taken back."""
    latest: dict[Class, int] = {}
    for one in reports:
        if one.kind is Reported.NOT_SPAM:
            latest[one.class_] = max(one.at, latest.get(one.class_, one.at))
    return latest


def _repeated(soft: Sequence[Report], count: int, window_ms: int, spread_ms: int) -> Report | None:
    """The latest soft bounce that is one of `count` within the window, at least `spread_ms` after the first of them."""
    if count <= 0:
        return None
    ordered = sorted(soft, key=lambda one: (one.at, one.key))
    for last in range(len(ordered) - 1, count - 2, -1):
        at = ordered[last].at
        first = bisect_right(ordered, at - window_ms, key=lambda one: one.at)
        if first <= last and last - first + 1 >= count and at - ordered[first].at >= spread_ms:
            return ordered[last]
    return None


def _suppression(one: Report, scope: Scope, target: int, until: int | None) -> Suppression:
    return Suppression(
        tenant=one.tenant,
        hash=one.hash,
        scope=scope,
        target=target,
        address=one.address,
        cause=one.cause,
        evidence=one.evidence,
        since=one.at,
        until=until,
    )


def _listed(found: Attributed) -> tuple[Scope, int]:
    """What an entry for a bounce covers: all mail that goes through the SES tenant whose list it is on."""
    class_ = found.lane.class_
    if found.event.ses_tenant == f"{found.attempt.tenant_key}-{class_.word}":
        return Scope.CLASS, int(class_)
    return Scope.TENANT, 0


def _evidence(found: Attributed) -> dict[str, object]:
    event = found.event
    return {
        "event": event.key.hex(),
        "delivery": ids.delivery_id(found.attempt.delivery),
        "type": found.lane.type,
        "ses_id": event.ses_id,
        "reason": event.reason or "",
        "text": event.text or "",
        "bounce_reason": "" if event.bounce_reason is None else event.bounce_reason.word,
    }


def stronger(one: Suppression, other: Suppression) -> Suppression:
    """Returns the one of two suppressions of an address and scope that stays. The statement `suppress` has the same order."""
    return max(one, other, key=_strength)


def _strength(row: Suppression) -> tuple[int, bool, int, str, str]:
    return (
        FOREVER if row.until is None else row.until,
        not row.may_be_lifted,
        -row.since,
        row.cause,
        str(row.evidence.get("event", "")),
    )
