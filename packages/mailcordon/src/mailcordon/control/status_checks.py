"""The checks behind the status: each yields the problems in one part of the facts (control/status.py). Pure."""

from collections.abc import Callable, Iterator, Mapping

from mailcordon.control.problem import Check, Problem
from mailcordon.control.status_facts import MINUTE, Account, Facts, alive, by_queue
from mailcordon.core import health
from mailcordon.core.health import ROLES
from mailcordon.core.priority import Class
from mailcordon.core.reason import MEANINGS, Reason
from mailcordon.messages import feedback, identities, providers, reasons, status, times

#: How long mail of a class may wait for its turn. A person waits for urgent mail: half of it leaves within a second, and 30 s
#: is when they ask for another. A receipt after 10 minutes is late, not useless. A newsletter of a day's size may take hours
#: on purpose (a lane's own rate, a warm-up), but 6 h of its 72 h without a turn is no plan.
LONGEST_WAIT_MS: Mapping[Class, int] = {
    Class.URGENT: 30_000,
    Class.TRANSACTIONAL: 10 * MINUTE,
    Class.MARKETING: 360 * MINUTE,
}
#: SES publishes Send events within seconds (ses.md 4); an observer that catches up after a restart needs minutes.
FEEDBACK_MS = 5 * MINUTE
COUNTS_MS = 15_000  #: changes of counts are folded every second
QUEUE_SILENT_MS = MINUTE  #: a receive waits 20 s at most and is then repeated
ACCOUNT_OLD_MS = 5 * MINUTE  #: GetAccount is asked every minute
UNKNOWN_MARGIN_MS = 5 * MINUTE  #: beyond the grace: a canary, its event and the queue's visibility time-out
FEWEST_DAYS = 3  #: partitions ahead: a weekend
LONGEST_SNAPSHOT_SECONDS = 60  #: an older snapshot makes the queue several times slower
SKEW_MS = 5_000  #: between a host and the database; SES refuses signatures from 5 minutes on
UNCHECKED_MS = 48 * 60 * MINUTE  #: a verified domain is checked once a day
UNLEARNT_MS = (
    10 * MINUTE
)  #: a domain is looked up within seconds; a large import of new addresses may take minutes
LOOKED_UP_MS = 10 * MINUTE  #: how long a look-up speaks of the DNS as it is
FEWEST_FAILED = 20  #: fewer may be a few domains whose own DNS is broken
QUARANTINE_NEWS_MS = 24 * 60 * MINUTE  #: a document that quarantine had no room for is shown this long


def _roles(facts: Facts) -> Iterator[Problem]:
    for role in ROLES:
        if alive(facts, role):
            continue
        last = max((beat.beat for beat in facts.beats if beat.role == role), default=None)
        since = None if last is None else times.minute(last)
        yield Problem(
            code="role-silent",
            check="roles",
            sentence=reasons.no_dispatcher(since)
            if role == "dispatch"
            else status.status_role_silent(role=role, since=since),
            next=status.status_start_role(role=role),
            since=last,
        )


def _waiting(facts: Facts) -> Iterator[Problem]:
    for one in facts.waiting:
        waited, most = facts.now - one.since, LONGEST_WAIT_MS[one.class_]
        if waited > most:
            yield Problem(
                code="mail-waits",
                check="waiting mail",
                sentence=status.status_mail_waits(
                    class_=one.class_.word,
                    tenant=one.tenant,
                    type=one.type,
                    waited=_duration(waited),
                    most=_duration(most),
                ),
                next=status.status_mail_waits_next(tenant=one.tenant, type=one.type),
                whose=one.tenant,
                since=one.since,
            )


def _stops(facts: Facts) -> Iterator[Problem]:
    said: set[str] = set()
    for stop in facts.stops:
        said.add(stop.because)
        yield Problem(
            code=f"stopped-{stop.cause}",
            check="stops",
            sentence=stop.sentence,
            next=_who_can_act(stop.cause),
            whose=stop.tenant,
            since=stop.since,
        )
    for beat in alive(facts, "dispatch"):
        because = beat.facts.get("stopped")
        if because and because not in said:
            said.add(because)
            yield Problem(
                code="dispatcher-stopped",
                check="stops",
                sentence=status.status_dispatcher_stopped(host=beat.host, pid=beat.pid, because=because),
                next=_who_can_act(Reason.OUTAGE),
            )


def _who_can_act(cause: Reason) -> str:
    return status.status_stop_next(cause=cause, actor=MEANINGS[cause].actor.value)


def _set_aside(facts: Facts) -> Iterator[Problem]:
    if facts.set_aside:
        yield Problem(
            code="set-aside",
            check="set-aside mail",
            sentence=status.status_set_aside(count=facts.set_aside),
            next=status.status_set_aside_next(),
        )


def _account(facts: Facts) -> Iterator[Problem]:
    stopped = {stop.cause for stop in facts.stops}
    if not facts.accounts and Reason.RATE_UNKNOWN not in stopped:
        yield Problem(
            code="rate-unknown",
            check="account",
            sentence=reasons.rate_unknown(),
            next=status.status_ask_account_next(),
        )
    for account in facts.accounts:
        if facts.now - account.polled_at > ACCOUNT_OLD_MS:
            yield Problem(
                code="account-old",
                check="account",
                sentence=status.status_account_old(cell=account.cell, since=times.minute(account.polled_at)),
                next=status.status_ask_account_next(),
                since=account.polled_at,
            )
        if not account.enabled and Reason.ACCOUNT_PAUSED not in stopped:
            yield Problem(
                code="account-paused",
                check="account",
                sentence=reasons.account_paused(),
                next=status.status_account_paused_next(),
            )
        if account.max_24h >= 0 and Reason.DAILY_QUOTA not in stopped:
            yield from _quota(account)


def _quota(account: Account) -> Iterator[Problem]:
    left = account.max_24h - account.sent_24h
    if left < 1:
        code, sentence = "quota-used-up", reasons.quota_used_up()
    elif health.only_reserve(account.max_24h, left):
        code, sentence = "quota-reserved", reasons.quota_reserved()
    else:
        return
    advice = status.status_quota_next(most=int(account.max_24h))
    yield Problem(code=code, check="account", sentence=sentence, next=advice)


def _feedback(facts: Facts) -> Iterator[Problem]:
    for loss in facts.losses:
        yield Problem(
            code="feedback-late" if loss.late else "feedback-lost",
            check="feedback",
            sentence=loss.sentence,
            next=feedback.what_next(loss.cause),
            since=loss.since,
        )
    yield from _silence(facts)
    yield from _queues(facts)
    yield from _counts(facts)


def _silence(facts: Facts) -> Iterator[Problem]:
    """SES accepted calls long enough ago, and no Send event of a call as late as these has arrived. Control raises a loss sooner,
    if it runs."""
    if any(loss.signal == "send" for loss in facts.losses):
        return
    minutes = {
        int(minute)
        for beat in facts.beats
        if beat.role == "dispatch"
        for minute in beat.facts.get("success_minutes", ())
    }
    seen = facts.seen_call or 0
    silent = [
        minute
        for minute in minutes
        if minute * MINUTE > seen and (minute + 1) * MINUTE + FEEDBACK_MS <= facts.now
    ]
    if silent:
        since = min(silent) * MINUTE
        yield Problem(
            code="feedback-silent",
            check="feedback",
            sentence=status.status_feedback_silent(since=times.minute(since)),
            next=status.status_feedback_silent_next(),
            since=since,
        )


def _queues(facts: Facts) -> Iterator[Problem]:
    observers = alive(facts, "observe")
    for name, queues in by_queue(observers).items():
        uncertain = next((queue["uncertain"] for queue in queues if queue.get("uncertain")), None)
        if uncertain is not None:
            yield Problem(
                code="events-uncertain",
                check="feedback",
                sentence=status.status_events_uncertain(queue=name, why=uncertain),
                next=status.status_events_uncertain_next(),
            )
            continue
        left = next((queue["left"] for queue in queues if queue.get("left")), None)
        if left is not None:
            yield Problem(
                code="events-uncertain",
                check="feedback",
                sentence=status.status_events_left(queue=name, why=left),
                next=status.status_events_uncertain_next(),
            )
        newest = max((queue.get("last_receive") or 0 for queue in queues), default=0)
        started = min(beat.started for beat in observers)
        if facts.now - max(newest, started) > QUEUE_SILENT_MS:
            yield Problem(
                code="queue-silent",
                check="feedback",
                sentence=status.status_queue_silent(
                    queue=name, why=next((queue["problem"] for queue in queues if queue.get("problem")), None)
                ),
                next=status.status_queue_silent_next(),
                since=newest or None,
            )


def _counts(facts: Facts) -> Iterator[Problem]:
    """Of processes that run and do not fold. Without any, the roles are the problem."""
    folders = [*alive(facts, "control"), *alive(facts, "observe")]
    if folders and facts.folded_at is not None:
        since = max(facts.folded_at, min(beat.started for beat in folders))
        if facts.now - since > COUNTS_MS:
            seconds = (facts.now - since) // 1000
            yield Problem(
                code="counts-behind",
                check="feedback",
                sentence=status.status_counts_behind(seconds=seconds),
                next=status.status_counts_behind_next(),
                since=since,
            )


def _unknown(facts: Facts) -> Iterator[Problem]:
    if facts.overdue is not None and facts.overdue.count:
        yield Problem(
            code="unknown-overdue",
            check="unknown outcomes",
            sentence=status.status_unknown_overdue(
                count=facts.overdue.count, since=times.minute(facts.overdue.oldest)
            ),
            next=status.status_unknown_overdue_next(),
            since=facts.overdue.oldest,
        )
    for beat in alive(facts, "dispatch"):
        if rejected := beat.facts.get("rejected"):
            yield Problem(
                code="results-rejected",
                check="unknown outcomes",
                sentence=status.status_results_rejected(count=rejected, host=beat.host, pid=beat.pid),
                next=status.status_results_rejected_next(),
            )


def _resources(facts: Facts) -> Iterator[Problem]:
    for plan in facts.plans:
        yield Problem(
            code="plan-waits",
            check="resources at SES",
            sentence=status.status_plan_waits(calls=plan.calls),
            next=status.status_plan_waits_next(plan=plan.id),
            since=plan.since,
        )
    for found in facts.findings:
        yield Problem(
            code="drift",
            check="resources at SES",
            sentence=found.sentence.rstrip("."),
            next=status.status_drift_next(finding=found.id, plan=found.plan),
            whose=found.tenant,
            since=found.since,
        )
    for one in facts.failing:
        yield Problem(
            code="resource-failing",
            check="resources at SES",
            sentence=status.status_resource_failing(kind=one.kind, name=one.name, error=one.error),
            next=status.status_resource_failing_next(tenant=one.tenant),
            whose=one.tenant,
        )


def _domains(facts: Facts) -> Iterator[Problem]:
    for one in facts.lapsed:
        yield Problem(
            code="domain-lapsed",
            check="domains",
            sentence=one.sentence,
            next=identities.domains_lapsed_next(one.domain),
            whose=one.tenant,
            since=one.since,
        )
    if facts.unchecked is not None:
        days = UNCHECKED_MS // (24 * 60 * MINUTE)
        yield Problem(
            code="domains-unchecked",
            check="domains",
            sentence=identities.domains_unchecked(facts.unchecked.count, days),
            next=identities.domains_unchecked_next(facts.unchecked.domain),
        )
    yield from _recipients(facts)


def _recipients(facts: Facts) -> Iterator[Problem]:
    found = facts.recipients
    if found is None:
        return
    if found.waiting_since is not None and facts.now - found.waiting_since > UNLEARNT_MS:
        yield Problem(
            code="recipients-not-looked-up",
            check="domains",
            sentence=providers.not_looked_up(found.waiting, times.minute(found.waiting_since)),
            next=providers.not_looked_up_next(),
            since=found.waiting_since,
        )
    if found.failed >= FEWEST_FAILED and found.failed > found.answered:
        yield Problem(
            code="recipients-dns-fails",
            check="domains",
            sentence=providers.look_ups_fail(found.failed, found.failed + found.answered, found.detail or ""),
            next=providers.look_ups_fail_next(),
        )


def _partitions(facts: Facts) -> Iterator[Problem]:
    days = None if facts.storage is None else facts.storage.days_left
    if days is None:
        yield Problem(
            code="partitions-missing",
            check="partitions",
            sentence=status.status_partitions_missing(),
            next=status.status_migrate(),
        )
    elif days < FEWEST_DAYS:
        yield Problem(
            code="partitions-few",
            check="partitions",
            sentence=status.status_partitions_few(days=max(0, days)),
            next=status.status_partitions_few_next(),
        )


def _strays(facts: Facts) -> Iterator[Problem]:
    for each in () if facts.storage is None else facts.storage.tables:
        if each.in_default:
            yield Problem(
                code="default-partition",
                check="default partitions",
                sentence=status.status_default_partition(table=each.table, rows=each.in_default),
                next=status.status_partitions_few_next(),
            )


def _quarantine(facts: Facts) -> Iterator[Problem]:
    for kind in facts.quarantine:
        if kind.not_kept_at is None or facts.now - kind.not_kept_at > QUARANTINE_NEWS_MS:
            continue
        yield Problem(
            code="quarantine-full",
            check="quarantine",
            sentence=status.status_quarantine_full(
                why=kind.why,
                entries=kind.entries,
                most_entries=kind.most_entries,
                bytes=kind.bytes,
                most_bytes=kind.most_bytes,
                not_kept=kind.not_kept,
                since=times.minute(kind.not_kept_at),
            ),
            next=status.status_quarantine_full_next(why=kind.why),
            since=kind.not_kept_at,
        )


def _snapshots(facts: Facts) -> Iterator[Problem]:
    seconds = int(facts.snapshot_seconds or 0)
    if seconds > LONGEST_SNAPSHOT_SECONDS:
        yield Problem(
            code="snapshot-old",
            check="snapshots",
            sentence=status.status_snapshot_old(seconds=seconds),
            next=status.status_snapshot_old_next(),
            since=facts.now - seconds * 1000,
        )


def _clocks(facts: Facts) -> Iterator[Problem]:
    for beat in alive(facts, "api"):
        skew = beat.facts.get("skew_ms")
        if skew is not None and abs(skew) > SKEW_MS:
            yield Problem(
                code="clock-skew",
                check="clocks",
                sentence=status.status_clock_skew(host=beat.host, seconds=round(skew / 1000)),
                next=status.status_clock_next(),
            )


def _duration(ms: int) -> str:
    return times.span(ms // 1000)


#: The check behind each name.
OF: Mapping[Check, Callable[[Facts], Iterator[Problem]]] = {
    "roles": _roles,
    "waiting mail": _waiting,
    "stops": _stops,
    "set-aside mail": _set_aside,
    "account": _account,
    "feedback": _feedback,
    "unknown outcomes": _unknown,
    "resources at SES": _resources,
    "domains": _domains,
    "partitions": _partitions,
    "default partitions": _strays,
    "quarantine": _quarantine,
    "snapshots": _snapshots,
    "clocks": _clocks,
}
