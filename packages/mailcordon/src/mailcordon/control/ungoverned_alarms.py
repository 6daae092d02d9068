"""Ungoverned mail as alarms: one for each identity and caller, and one for what only SES's count shows. Pure."""

from collections.abc import Sequence

from mailcordon.control.send_count import Judged
from mailcordon.control.ungoverned import Count, Seen, Sender, policy
from mailcordon.core import ungoverned
from mailcordon.core.incident import Action, Alarm, Kind, Scope, ScopeKind, Severity
from mailcordon.core.ungoverned import Fact
from mailcordon.messages import ungoverned as messages

SHOWN_MS = 3_600_000  #: an alarm shows for so long after the last mail: a job that runs each ten minutes is one incident
CONTAINED_MS = 15 * 60_000  #: without mail for so long it does no more harm
MANY = 1_000  #: mails of 24 hours that make it critical


def alarms(seen: Seen, *, lag_ms: int) -> list[Alarm]:
    """All alarms as they are now. What is expected is none until the end that was declared."""
    found = [
        _of_sender(sender, seen.now)
        for sender in seen.senders
        if sender.seen_at > seen.now - SHOWN_MS and _is_alarming(sender, seen.now)
    ]
    return found + [
        _of_count(count, seen.now, lag_ms)
        for count in seen.counts
        if count.over_since is not None and not count.expected
    ]


def _is_alarming(sender: Sender, now: int) -> bool:
    """Whether mail was seen that nobody expected."""
    expected = sender.expected
    if expected is None:
        return True
    ended = min(expected.until, expected.ended_at or expected.until)
    return ended <= now and sender.seen_at > ended


def _of_sender(sender: Sender, now: int) -> Alarm:
    values = {fact: ungoverned.by_count(sender.facts, fact) for fact in Fact}
    service = next(iter(values[Fact.SERVICE]), None)
    sentence = messages.sends(sender.who, sender.whose, sender.mails, sender.since, values[Fact.IP], service)
    expected, since, actions = sender.expected, sender.since, list[Action]()
    if expected is not None and sender.since < (ended := expected.ended_at or expected.until):
        sentence += messages.expected_before(ended)
        since = ended
        actions.append(
            Action(
                key=f"expected:{expected.id}",
                at=expected.since,
                author=expected.by,
                text=messages.expected(expected.until, expected.because),
            )
        )
    return Alarm(
        key=f"ungoverned:{sender.id}",
        kind=Kind.UNGOVERNED,
        cause=f"ungoverned:{sender.identity}/{sender.caller}",
        severity=_severity(sender),
        scope=Scope(kind=ScopeKind.IDENTITY, name=sender.identity or sender.whose),
        sentence=sentence,
        next=messages.own_role() if sender.is_our_role else messages.what_next(sender.id),
        command=f"mailcordon ungoverned show {sender.id}",
        since=since,
        tenant=sender.tenant,
        culprit=sender.who if sender.caller else sender.whose,
        contained=sender.seen_at <= now - CONTAINED_MS,
        evidence={
            "identity": sender.identity,
            "caller": sender.caller or None,
            "tenant": sender.tenant_slug,
            "mails": sender.mails,
            "mails_24h": sender.day_mails,
            "recipients": sender.recipients,
            "bounces": sender.bounces,
            "complaints": sender.complaints,
            **{fact.value: found for fact, found in values.items() if found},
            "policy": policy(sender),
        },
        actions=tuple(actions),
    )


def _severity(sender: Sender) -> Severity:
    """A tenant's domain carries its reputation, and what bounces there is suppressed by nobody."""
    if sender.day_mails >= MANY:
        return "critical"
    return "high" if sender.tenant is not None else "medium"


def _of_count(count: Count, now: int, lag_ms: int) -> Alarm:
    assert count.over_since is not None
    return Alarm(
        key=f"ses-count:{count.cell}",
        kind=Kind.UNGOVERNED,
        cause=f"ungoverned:count/{count.cell}",
        severity="high",
        scope=Scope(kind=ScopeKind.CELL, name=count.cell),
        sentence=messages.counted(count.cell, count.sent, count.excess, count.identities, lag_ms // 1000),
        next=messages.count_next(),
        command="mailcordon ungoverned list",
        since=count.over_since - lag_ms,
        culprit=_likely(count.identities),
        contained=Judged(over_since=count.over_since, grew_at=count.grew_at).is_quiet(now),
        evidence={
            "ses_count": count.sent,
            "excess": count.excess,
            "identities": list(count.identities),
            "lag_seconds": lag_ms // 1000,
        },
    )


def _likely(identities: Sequence[str]) -> str | None:
    """Nothing names the sender. A few identities that are not ours are likely; many tell nothing."""
    return messages.candidate(identities) if 0 < len(identities) <= 3 else None
