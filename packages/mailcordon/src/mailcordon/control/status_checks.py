"""The checks behind the status: each yields the problems in one part of the facts (control/status.py). Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from mailcordon.control import subjects
from mailcordon.control.problem import Check, Problem
from mailcordon.control.status_events import backlogs, feedback, full_quarantine, ses_findings
from mailcordon.control.status_facts import MINUTE, Account, Facts, Waiting, alive, doors
from mailcordon.core import health
from mailcordon.core.health import OPTIONAL_ROLES, ROLES
from mailcordon.core.priority import Class
from mailcordon.core.reason import MEANINGS, Reason
from mailcordon.messages import (
    alarms,
    identities,
    limits,
    pacing,
    providers,
    reasons,
    rollouts,
    status,
    times,
)

#: How long mail of a class may wait for its turn. A person waits for urgent mail: half of it leaves within a second, and 30 s
#: is when they ask for another. A receipt after 10 minutes is late, not useless. A newsletter of a day's size may take hours
#: on purpose (a lane's own rate, a warm-up), but 6 h of its 72 h without a turn is no plan.
LONGEST_WAIT_MS: Mapping[Class, int] = {
    Class.URGENT: 30_000,
    Class.TRANSACTIONAL: 10 * MINUTE,
    Class.MARKETING: 360 * MINUTE,
}
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
MANY_LANES = 20  #: mail of so many lanes waits too long and nothing is stopped: no lane of them is the cause
IDLE_MS = (
    MINUTE  #: without a claim, although mail waits too long: a slow lane's next turn may be this far away
)
ALARMS_MS = 60_000  #: alarms are read every second


def _roles(facts: Facts) -> Iterator[Problem]:
    for role in ROLES:
        if alive(facts, role) or (role == "dispatch" and facts.observe_only):
            continue
        beat = max(facts.of(role), key=lambda one: one.beat, default=None)
        if beat is None and role in OPTIONAL_ROLES:
            continue
        last = None if beat is None else beat.beat
        since = None if last is None else times.minute(last)
        yield Problem(
            code="role-silent",
            check="roles",
            sentence=reasons.no_dispatcher(since)
            if role == "dispatch"
            else status.status_role_silent(role=role, since=since),
            next=status.status_start_role(role=role),
            since=last,
            about=subjects.of_role(role, beat),
        )


def _waiting(facts: Facts) -> Iterator[Problem]:
    yield from _kept_by_limits(facts)
    of_lane = {(one.tenant, one.type): one for one in (*facts.waiting, *facts.late)}
    late = [one for one in of_lane.values() if facts.now - one.since > LONGEST_WAIT_MS[one.class_]]
    plain = [one for one in late if not subjects.explanations(one, facts)]
    many = len(plain) >= MANY_LANES
    yield from _idle(facts, plain)
    if many:
        yield Problem(
            code="many-lanes-wait",
            check="waiting mail",
            sentence=alarms.many_lanes_wait(lanes=len(plain), tenants=len({one.tenant for one in plain})),
            next=alarms.many_lanes_wait_next(),
            since=min(one.since + LONGEST_WAIT_MS[one.class_] for one in plain),
            about=subjects.of_many(len(plain)),
        )
    for one in late:
        yield Problem(
            code="mail-waits",
            check="waiting mail",
            sentence=status.status_mail_waits(
                class_=one.class_.word,
                tenant=one.tenant,
                type=one.type,
                waited=_duration(facts.now - one.since),
                most=_duration(LONGEST_WAIT_MS[one.class_]),
            ),
            next=status.status_mail_waits_next(tenant=one.tenant, type=one.type),
            whose=one.tenant,
            since=one.since,
            about=subjects.of_waiting(one, facts, many=many),
        )


def _kept_by_limits(facts: Facts) -> Iterator[Problem]:
    for one in facts.stopped_releases:
        command = pacing.show_command(one.tenant, one.name, one.type)
        yield Problem(
            code="release-closed" if one.closed else "release-silent",
            check="waiting mail",
            sentence=pacing.status_closed(one.tenant, one.type, one.because, one.expiry_ms)
            if one.closed
            else pacing.status_silent(one.tenant, one.type, one.kind, one.name, one.sent, one.heard),
            next=pacing.status_closed_next(command) if one.closed else pacing.status_silent_next(command),
            whose=one.tenant,
            since=one.since,
            about=subjects.of_release(one, command),
        )
    for one in facts.over_limits:
        yield Problem(
            code="urgent-over-limit",
            check="waiting mail",
            sentence=limits.status_urgent(one.tenant, one.type, one.because, one.expiry_ms),
            next=limits.status_urgent_next(one.tenant, one.type),
            whose=one.tenant,
            since=one.since,
            about=subjects.of_over_limit(one),
        )


def _idle(facts: Facts, late: Sequence[Waiting]) -> Iterator[Problem]:
    """Dispatchers that report, are not stopped, and take none of the mail that may leave."""
    beats = alive(facts, "dispatch")
    if not late or not beats or any(beat.facts.get("stopped") or beat.facts.get("because") for beat in beats):
        return
    last = max((int(beat.facts.get("last_claim") or 0) for beat in beats), default=0)
    if facts.now - max(last, *(beat.started for beat in beats), min(one.since for one in late)) > IDLE_MS:
        yield Problem(
            code="dispatcher-idle",
            check="waiting mail",
            sentence=alarms.dispatch_idle(since=times.minute(last) if last else None),
            next=alarms.dispatch_idle_next(),
            since=max(last, min(one.since for one in late)),
            about=subjects.of_idle(beats),
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
            about=subjects.of_stop(stop),
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
                about=subjects.of_dispatcher(beat),
            )


def _who_can_act(cause: Reason) -> str:
    if cause is Reason.RESTORED:
        return status.status_restored_next()
    return status.status_stop_next(cause=cause, actor=MEANINGS[cause].actor.value)


def _set_aside(facts: Facts) -> Iterator[Problem]:
    if facts.set_aside:
        yield Problem(
            code="set-aside",
            check="set-aside mail",
            sentence=status.status_set_aside(count=facts.set_aside),
            next=status.status_set_aside_next(),
            about=subjects.of_set_aside(),
        )


def _account(facts: Facts) -> Iterator[Problem]:
    if facts.observe_only:
        return
    stopped = {stop.cause for stop in facts.stops}
    if not facts.accounts and Reason.RATE_UNKNOWN not in stopped:
        yield Problem(
            code="rate-unknown",
            check="account",
            sentence=reasons.rate_unknown(),
            next=status.status_ask_account_next(),
            about=subjects.of_account(None, Reason.RATE_UNKNOWN),
        )
    for account in facts.accounts:
        if facts.now - account.polled_at > ACCOUNT_OLD_MS:
            yield Problem(
                code="account-old",
                check="account",
                sentence=status.status_account_old(cell=account.cell, since=times.minute(account.polled_at)),
                next=status.status_ask_account_next(),
                since=account.polled_at,
                about=subjects.of_account(account, "not-read"),
            )
        if not account.enabled and Reason.ACCOUNT_PAUSED not in stopped:
            yield Problem(
                code="account-paused",
                check="account",
                sentence=reasons.account_paused(),
                next=status.status_account_paused_next(),
                about=subjects.of_account(account, Reason.ACCOUNT_PAUSED, "critical"),
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
    about = subjects.of_account(account, Reason.DAILY_QUOTA, "critical" if left < 1 else "high")
    yield Problem(code=code, check="account", sentence=sentence, next=advice, about=about)


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
            about=subjects.of_unknown(),
        )
    for beat in alive(facts, "dispatch"):
        if rejected := beat.facts.get("rejected"):
            yield Problem(
                code="results-rejected",
                check="unknown outcomes",
                sentence=status.status_results_rejected(count=rejected, host=beat.host, pid=beat.pid),
                next=status.status_results_rejected_next(),
                about=subjects.of_results(beat),
            )


def _resources(facts: Facts) -> Iterator[Problem]:
    for plan in facts.plans:
        yield Problem(
            code="plan-waits",
            check="resources at SES",
            sentence=status.status_plan_waits(calls=plan.calls),
            next=status.status_plan_waits_next(plan=plan.id),
            since=plan.since,
            about=subjects.of_plan(plan.id),
        )
    for found in facts.findings:
        yield Problem(
            code="drift",
            check="resources at SES",
            sentence=found.sentence.rstrip("."),
            next=status.status_drift_next(finding=found.id, plan=found.plan),
            whose=found.tenant,
            since=found.since,
            about=subjects.of_drift(found),
        )
    for one in facts.failing:
        yield Problem(
            code="resource-failing",
            check="resources at SES",
            sentence=status.status_resource_failing(kind=one.kind, name=one.name, error=one.error),
            next=status.status_resource_failing_next(tenant=one.tenant),
            whose=one.tenant,
            about=subjects.of_failing(one),
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
            about=subjects.of_lapse(one),
        )
    if facts.unchecked is not None:
        days = UNCHECKED_MS // (24 * 60 * MINUTE)
        yield Problem(
            code="domains-unchecked",
            check="domains",
            sentence=identities.domains_unchecked(facts.unchecked.count, days),
            next=identities.domains_unchecked_next(facts.unchecked.domain),
            about=subjects.of_look_ups("domains"),
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
            about=subjects.of_look_ups("recipients"),
        )
    if found.failed >= FEWEST_FAILED and found.failed > found.answered:
        yield Problem(
            code="recipients-dns-fails",
            check="domains",
            sentence=providers.look_ups_fail(found.failed, found.failed + found.answered, found.detail or ""),
            next=providers.look_ups_fail_next(),
            about=subjects.of_look_ups("recipients"),
        )


def _partitions(facts: Facts) -> Iterator[Problem]:
    days = None if facts.storage is None else facts.storage.days_left
    if days is None:
        yield Problem(
            code="partitions-missing",
            check="partitions",
            sentence=status.status_partitions_missing(),
            next=status.status_migrate(),
            about=subjects.of_database("partitions"),
        )
    elif days < FEWEST_DAYS:
        yield Problem(
            code="partitions-few",
            check="partitions",
            sentence=status.status_partitions_few(days=max(0, days)),
            next=status.status_partitions_few_next(),
            about=subjects.of_database("partitions"),
        )


def _strays(facts: Facts) -> Iterator[Problem]:
    for each in () if facts.storage is None else facts.storage.tables:
        if each.in_default:
            yield Problem(
                code="default-partition",
                check="default partitions",
                sentence=status.status_default_partition(table=each.table, rows=each.in_default),
                next=status.status_partitions_few_next(),
                about=subjects.of_database("partitions", each.table),
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
            about=subjects.of_database("snapshots"),
        )


def _clocks(facts: Facts) -> Iterator[Problem]:
    for beat in doors(facts):
        skew = beat.facts.get("skew_ms")
        if skew is not None and abs(skew) > SKEW_MS:
            yield Problem(
                code="clock-skew",
                check="clocks",
                sentence=status.status_clock_skew(host=beat.host, seconds=round(skew / 1000)),
                next=status.status_clock_next(),
                about=subjects.of_clock(beat.host),
            )


def _pools(facts: Facts) -> Iterator[Problem]:
    for one in facts.pool_troubles:
        yield Problem(
            code=one.code,
            check="IP pools",
            sentence=one.sentence,
            next=one.next,
            since=one.since,
            about=subjects.of_pool(one),
        )


def _rollouts(facts: Facts) -> Iterator[Problem]:
    for one in facts.back_rollouts:
        yield Problem(
            code="rollout-back",
            check="rollouts",
            sentence=rollouts.went_back(one.id, one.tenant, one.types, one.sentence),
            next=rollouts.went_back_next(one.id),
            whose=one.tenant,
            since=one.since,
            about=subjects.of_rollout(one),
        )


def _duration(ms: int) -> str:
    return times.span(ms // 1000)


#: The check behind each name.
def _incidents(facts: Facts) -> Iterator[Problem]:
    """What other checks say is not said twice."""
    beats = [
        beat for role in ("control", "api") for beat in alive(facts, role) if "last_alarm_round" in beat.facts
    ]
    # One process reads alarms; a process that has just started may be about to.
    last = max((beat.facts["last_alarm_round"] or 0 for beat in beats), default=facts.now)
    began = max((beat.started for beat in beats), default=facts.now)
    if facts.now - max(last, began) > ALARMS_MS:
        yield Problem(
            code="alarms-unread",
            check="incidents",
            sentence=status.status_alarms_unread(since=times.minute(last) if last else None),
            next=status.status_alarms_unread_next(),
            since=last or None,
        )
    for one in facts.incidents:
        if one.others and not one.mitigated:
            yield Problem(
                code="incident-open",
                check="incidents",
                sentence=status.status_incident(number=one.id, sentence=one.sentence),
                next=one.next,
                whose=one.tenant,
                since=one.since,
            )


OF: Mapping[Check, Callable[[Facts], Iterator[Problem]]] = {
    "roles": _roles,
    "waiting mail": _waiting,
    "stops": _stops,
    "set-aside mail": _set_aside,
    "account": _account,
    "feedback": feedback,
    "unknown outcomes": _unknown,
    "resources at SES": _resources,
    "findings of SES": ses_findings,
    "backlogs": backlogs,
    "domains": _domains,
    "IP pools": _pools,
    "rollouts": _rollouts,
    "partitions": _partitions,
    "default partitions": _strays,
    "quarantine": full_quarantine,
    "incidents": _incidents,
    "snapshots": _snapshots,
    "clocks": _clocks,
}
