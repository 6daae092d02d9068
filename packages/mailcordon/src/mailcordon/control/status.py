"""Is the service well? Pure: facts in, a list of problems out. The API, the command line and `doctor` show the same list.

A problem is something that a person should look at: mail that waits longer than its class may, a role that is silent, a stop, a
resource that fails. What people did on purpose, such as a hold, is a notice. "Well" is said only of what was checked: `checked`
lists it, and a check whose facts could not be read is a problem.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args

from mailcordon.control.retention import Storage
from mailcordon.core import health
from mailcordon.core.health import ROLES, Role
from mailcordon.core.priority import Class
from mailcordon.core.reason import MEANINGS, Reason
from mailcordon.messages import reasons, status, times

Check = Literal[
    "roles",
    "waiting mail",
    "stops",
    "set-aside mail",
    "account",
    "feedback",
    "unknown outcomes",
    "resources at SES",
    "partitions",
    "default partitions",
    "quarantine",
    "snapshots",
    "clocks",
]
CHECKS: tuple[Check, ...] = get_args(Check)

_MINUTE = 60_000
#: How long mail of a class may wait for its turn. A person waits for urgent mail: half of it leaves within a second, and 30 s
#: is when they ask for another. A receipt after 10 minutes is late, not useless. A newsletter of a day's size may take hours
#: on purpose (a lane's own rate, a warm-up), but 6 h of its 72 h without a turn is no plan.
LONGEST_WAIT_MS: Mapping[Class, int] = {
    Class.URGENT: 30_000,
    Class.TRANSACTIONAL: 10 * _MINUTE,
    Class.MARKETING: 360 * _MINUTE,
}
#: SES publishes Send events within seconds (ses.md 4); an observer that catches up after a restart needs minutes.
FEEDBACK_MS = 5 * _MINUTE
QUEUE_SILENT_MS = _MINUTE  #: a receive waits 20 s at most and is then repeated
ACCOUNT_OLD_MS = 5 * _MINUTE  #: GetAccount is asked every minute
UNKNOWN_MARGIN_MS = 5 * _MINUTE  #: beyond the grace: a canary, its event and the queue's visibility time-out
FEWEST_DAYS = 3  #: partitions ahead: a weekend
LONGEST_SNAPSHOT_SECONDS = 60  #: an older snapshot makes the queue several times slower
SKEW_MS = 5_000  #: between a host and the database; SES refuses signatures from 5 minutes on
CLOCK_NEWS_MS = 10 * _MINUTE  #: a correction of a clock is shown this long
REFUSAL_NEWS_MS = 10 * _MINUTE  #: and the last refusal of a door
QUARANTINE_NEWS_MS = 24 * 60 * _MINUTE  #: a document that quarantine had no room for is shown this long
MOST_OF_A_KIND = 10  #: problems with one code; the rest is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Beat:
    """The report of one process."""

    role: Role
    instance: str
    host: str
    pid: int
    started: int
    beat: int
    facts: Mapping[str, Any]

    def is_silent(self, now: int) -> bool:
        return health.silent(self.beat, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """The mail of a class that has waited longest for its turn, apart from mail that a hold keeps."""

    class_: Class
    tenant: str
    type: str
    since: int  #: its acceptance, or the release of its lane if that was later


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenStop:
    id: int
    scope: str
    name: str
    tenant: str | None  #: slug; None: everybody
    type: str | None
    cause: Reason
    because: str
    sentence: str  #: the one that every surface shows
    since: int
    probe_at: int | None
    last_probe: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldMail:
    """An open hold that stops mail."""

    tenant: str  #: slug
    mail: str  #: what it covers, in words
    sentence: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldRetirement:
    """A lane that is being retired and does not end, since a hold keeps its mail."""

    tenant: str  #: slug
    type: str
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailingResource:
    kind: str
    name: str
    tenant: str | None
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingPlan:
    """Changed settings that would rewire too much to be applied by themselves."""

    id: int
    calls: int
    since: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What GetAccount said last."""

    cell: str
    polled_at: int
    max_24h: float  #: negative: unlimited
    sent_24h: float  #: and what dispatchers took since
    enabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineKind:
    """What a kind of quarantine takes, and what it may take."""

    why: str
    entries: int
    most_entries: int
    bytes: int
    most_bytes: int
    not_kept: int  #: documents that were counted and not kept, since it had no room
    not_kept_at: int | None  #: the last of them


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFinding:
    """A difference at SES that is high or critical."""

    id: int
    tenant: str | None
    sentence: str
    plan: int | None  #: that repairs it and waits for a person
    since: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """Unknown outcomes past their grace."""

    count: int
    oldest: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    now: int  #: the database's clock, milliseconds since 1970
    beats: Sequence[Beat] = ()
    waiting: Sequence[Waiting] = ()
    stops: Sequence[OpenStop] = ()
    holds: Sequence[HeldMail] = ()
    retirements: Sequence[HeldRetirement] = ()
    accounts: Sequence[Account] = ()
    seen_call: int | None = None  #: the latest call whose Send event arrived
    overdue: Overdue | None = None
    set_aside: int = 0  #: mails that SES refused with an error that we do not know
    failing: Sequence[FailingResource] = ()
    plans: Sequence[WaitingPlan] = ()
    findings: Sequence[OpenFinding] = ()
    storage: Storage | None = None  #: None: it was not read
    quarantine: Sequence[QuarantineKind] = ()
    snapshot_seconds: float | None = None
    unread: Mapping[Check, str] = field(
        default_factory=dict[Check, str]
    )  #: why the facts of a check are missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    code: str
    check: Check
    sentence: str
    next: str  #: what to do, or what happens by itself
    whose: str | None = None  #: the tenant's slug; None: the platform's
    since: int | None = None  #: milliseconds since 1970


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    at: int
    problems: tuple[Problem, ...]
    notices: tuple[Problem, ...]
    checked: tuple[Check, ...]
    processes: tuple[Beat, ...]
    waiting: tuple[Waiting, ...]
    refused: Mapping[str, int]  #: by limit of the door, of all API processes since their start
    storage: Storage | None
    scan: str | None = None  #: within which time a change at SES is found; None: no process reconciles

    @property
    def ok(self) -> bool:
        return not self.problems


class Reader(Protocol):
    async def facts(self) -> Facts:
        """Raises Unavailable while the database cannot be reached."""
        ...


def judge(facts: Facts) -> Status:
    checks = {
        "roles": _roles,
        "waiting mail": _waiting,
        "stops": _stops,
        "set-aside mail": _set_aside,
        "account": _account,
        "feedback": _feedback,
        "unknown outcomes": _unknown,
        "resources at SES": _resources,
        "partitions": _partitions,
        "default partitions": _strays,
        "quarantine": _quarantine,
        "snapshots": _snapshots,
        "clocks": _clocks,
    }
    found: list[Problem] = []
    for check in CHECKS:
        if check in facts.unread:
            found.append(_unread(check, facts.unread[check]))
        else:
            found += _bounded(checks[check](facts))
    return Status(
        at=facts.now,
        problems=tuple(found),
        notices=tuple(_bounded(_notices(facts))),
        checked=tuple(check for check in CHECKS if check not in facts.unread),
        processes=tuple(facts.beats),
        waiting=tuple(facts.waiting),
        refused=_refused(_alive(facts, "api")),
        storage=facts.storage,
        scan=_scan(_alive(facts, "control")),
    )


def _scan(beats: Sequence[Beat]) -> str | None:
    events = any(beat.facts.get("signals") for beat in beats)
    for beat in beats:
        calls: Mapping[str, Any] = beat.facts.get("calls") or {}
        scan: Mapping[str, Any] = calls.get("scan") or {}
        if scan:
            return status.scan_period(
                period=int(scan["period_seconds"]), shared=int(scan["shared_seconds"]), events=events
            )
    return None


def _bounded(problems: Iterable[Problem]) -> list[Problem]:
    """At most MOST_OF_A_KIND of each code; one line says how many more there are."""
    by_code: dict[str, list[Problem]] = {}
    for problem in problems:
        by_code.setdefault(problem.code, []).append(problem)
    out: list[Problem] = []
    for code, same in by_code.items():
        out += same[:MOST_OF_A_KIND]
        more = len(same) - MOST_OF_A_KIND
        if more > 0:
            sentence = status.status_more(count=more, code=code)
            out.append(Problem(code=code, check=same[0].check, sentence=sentence, next=same[0].next))
    return out


def _alive(facts: Facts, role: Role) -> list[Beat]:
    return [beat for beat in facts.beats if beat.role == role and not beat.is_silent(facts.now)]


def _unread(check: Check, why: str) -> Problem:
    return Problem(
        code="not-checked",
        check=check,
        sentence=status.status_not_checked(check=check, why=why),
        next=status.status_not_checked_next(),
    )


# Problems ----------------------------------------------------------------------------------------------------------------


def _roles(facts: Facts) -> Iterator[Problem]:
    for role in ROLES:
        if _alive(facts, role):
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
    for beat in _alive(facts, "dispatch"):
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
    """SES accepted calls long enough ago, and no Send event of a call as late as these has arrived."""
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
        if minute * _MINUTE > seen and (minute + 1) * _MINUTE + FEEDBACK_MS <= facts.now
    ]
    if silent:
        since = min(silent) * _MINUTE
        yield Problem(
            code="feedback-silent",
            check="feedback",
            sentence=status.status_feedback_silent(since=times.minute(since)),
            next=status.status_feedback_silent_next(),
            since=since,
        )
    observers = _alive(facts, "observe")
    for name, queues in _by_queue(observers).items():
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


def _by_queue(observers: Sequence[Beat]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for beat in observers:
        for queue in beat.facts.get("queues", ()):
            found.setdefault(str(queue["name"]), []).append(queue)
    return found


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
    for beat in _alive(facts, "dispatch"):
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
    for beat in _alive(facts, "api"):
        skew = beat.facts.get("skew_ms")
        if skew is not None and abs(skew) > SKEW_MS:
            yield Problem(
                code="clock-skew",
                check="clocks",
                sentence=status.status_clock_skew(host=beat.host, seconds=round(skew / 1000)),
                next=status.status_clock_next(),
            )


# Notices -----------------------------------------------------------------------------------------------------------------


def _notices(facts: Facts) -> Iterator[Problem]:
    yield from _door(facts)
    for hold in facts.holds:
        yield Problem(
            code="held",
            check="waiting mail",
            sentence=status.status_held(mail=hold.mail, hold=hold.sentence),
            next=status.status_held_next(tenant=hold.tenant),
            whose=hold.tenant,
            since=hold.since,
        )
    for one in facts.retirements:
        yield Problem(
            code="retirement-held",
            check="waiting mail",
            sentence=status.status_retirement_held(
                tenant=one.tenant, type=one.type, since=times.minute(one.since)
            ),
            next=status.status_retirement_held_next(tenant=one.tenant, type=one.type),
            whose=one.tenant,
            since=one.since,
        )
    for beat in _alive(facts, "dispatch"):
        if (because := beat.facts.get("because")) and because not in {stop.because for stop in facts.stops}:
            yield Problem(
                code="nothing-sent",
                check="account",
                sentence=status.status_nothing_sent(host=beat.host, pid=beat.pid, because=because),
                next=status.status_ask_account_next(),
            )
        corrected = beat.facts.get("last_clock_correction")
        if corrected is not None and facts.now - corrected < CLOCK_NEWS_MS:
            yield Problem(
                code="clock-corrected",
                check="clocks",
                sentence=status.status_clock_corrected(
                    count=int(beat.facts.get("clock_corrections") or 0), since=times.minute(corrected)
                ),
                next=status.status_clock_next(),
                since=corrected,
            )
    yield from _event_notices(_alive(facts, "observe"))
    yield from _signal_notices(facts)


def _event_notices(observers: Sequence[Beat]) -> Iterator[Problem]:
    for name, queues in _by_queue(observers).items():
        unverified = sum(int(queue.get("unverified") or 0) for queue in queues)
        if unverified:
            yield Problem(
                code="events-unverified",
                check="feedback",
                sentence=status.status_events_unverified(queue=name, count=unverified),
                next=status.status_events_unverified_next(),
            )
    for topic in sorted({topic for beat in observers for topic in beat.facts.get("version_1_topics", ())}):
        yield Problem(
            code="topic-signs-with-sha-1",
            check="feedback",
            sentence=status.status_topic_version_1(topic=topic),
            next=status.status_topic_version_1_next(topic=topic),
        )


def _signal_notices(facts: Facts) -> Iterator[Problem]:
    """Nothing is lost while management events are not read: the rolling check finds the same, later."""
    queues = [queue for beat in _alive(facts, "control") if (queue := beat.facts.get("signals"))]
    newest = max((queue.get("last_receive") or 0 for queue in queues), default=0)
    why = next((queue["problem"] for queue in queues if queue.get("problem")), None)
    if why and facts.now - newest > QUEUE_SILENT_MS:
        yield Problem(
            code="management-events-unread",
            check="resources at SES",
            sentence=status.status_management_unread(why=why),
            next=status.status_management_unread_next(),
            since=newest or None,
        )


def _door(facts: Facts) -> Iterator[Problem]:
    apis = _alive(facts, "api")
    last = max((beat.facts.get("door", {}).get("last_refusal") or 0 for beat in apis), default=0)
    if facts.now - last < REFUSAL_NEWS_MS:
        refused = _refused(apis)
        yield Problem(
            code="door-refused",
            check="roles",
            sentence=status.status_door_refused(
                count=sum(refused.values()),
                limits=", ".join(f"{limit} {count:,}" for limit, count in refused.items()),
                last=times.minute(last),
            ),
            next=status.status_door_refused_next(),
            since=last,
        )


def _refused(apis: Iterable[Beat]) -> dict[str, int]:
    """The most frequent limit first."""
    total: Counter[str] = Counter()
    for beat in apis:
        total.update(beat.facts.get("door", {}).get("refused", {}))
    return dict(total.most_common())


def _duration(ms: int) -> str:
    return times.span(ms // 1000)
