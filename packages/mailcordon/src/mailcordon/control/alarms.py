"""Problems of the status as alarms of incidents. Pure: facts, what was known before, and the time go in.

There is one judgement: every alarm of this source is a problem that `mailcordon status` shows at that moment with the same
sentence, or a notice about events that nobody can trust. A problem becomes an alarm once it has lasted for the patience of its
code: a process that is replaced, or a difference that control repairs by itself, is no incident.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from mailcordon.control import status, status_checks, status_events
from mailcordon.control.problem import CHECKS, Check, Problem
from mailcordon.control.status_facts import Facts, OpenHold
from mailcordon.core.incident import Action, Alarm, Kind, Severity

SECOND = 1_000  #: milliseconds
FORGET_MS = 600_000  #: a problem that returns within this time is the same as before; its patience is over

#: What a problem with this code is, and how bad, unless it says so itself. `stopped-*` stands for every cause of a stop.
KINDS: Mapping[str, tuple[Kind, Severity]] = {
    "role-silent": (Kind.SERVICE, "high"),
    "dispatcher-idle": (Kind.STUCK, "critical"),
    "mail-waits": (Kind.STUCK, "medium"),
    "many-lanes-wait": (Kind.STUCK, "high"),
    "release-closed": (Kind.RATES, "medium"),
    "release-silent": (Kind.STUCK, "medium"),
    "urgent-over-limit": (Kind.STUCK, "high"),
    "set-aside": (Kind.STUCK, "medium"),
    "unknown-overdue": (Kind.STUCK, "medium"),
    "stopped-*": (Kind.SES_STATUS, "high"),
    "dispatcher-stopped": (Kind.SES_STATUS, "high"),
    "rate-unknown": (Kind.SES_STATUS, "high"),
    "account-old": (Kind.SES_STATUS, "medium"),
    "account-paused": (Kind.SES_STATUS, "critical"),
    "quota-used-up": (Kind.SES_STATUS, "critical"),
    "quota-reserved": (Kind.SES_STATUS, "high"),
    "feedback-lost": (Kind.FEEDBACK_LOST, "high"),
    "feedback-late": (Kind.FEEDBACK_LOST, "medium"),
    "feedback-silent": (Kind.FEEDBACK_LOST, "high"),
    "events-uncertain": (Kind.FEEDBACK_LOST, "high"),
    "queue-silent": (Kind.FEEDBACK_LOST, "high"),
    "pool-empty": (Kind.RATES, "medium"),
    "pool-below-minimum": (Kind.RATES, "low"),
    "pool-reputation": (Kind.RATES, "medium"),
    "rollout-back": (Kind.ROLLOUT, "high"),
    "drift": (Kind.DRIFT, "high"),
    "resource-failing": (Kind.DRIFT, "high"),
    "plan-waits": (Kind.DRIFT, "low"),
    "ses-finding": (Kind.SES_FINDING, "high"),
    "events-doubtful": (Kind.INTEGRITY, "medium"),
    "quarantine-full": (Kind.INTEGRITY, "medium"),
    "lane-full": (Kind.BACKLOG, "high"),
    "queue-grows": (Kind.BACKLOG, "medium"),
    "domain-lapsed": (Kind.DOMAIN_LAPSED, "high"),
    "domains-unchecked": (Kind.SERVICE, "low"),
    "recipients-not-looked-up": (Kind.SERVICE, "medium"),
    "recipients-dns-fails": (Kind.SERVICE, "medium"),
    "results-rejected": (Kind.SERVICE, "critical"),
    "counts-behind": (Kind.SERVICE, "medium"),
    "partitions-missing": (Kind.SERVICE, "critical"),
    "partitions-few": (Kind.SERVICE, "high"),
    "default-partition": (Kind.SERVICE, "medium"),
    "snapshot-old": (Kind.SERVICE, "medium"),
    "clock-skew": (Kind.SERVICE, "medium"),
    "not-checked": (Kind.SERVICE, "medium"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """For how long a problem must last, in milliseconds."""

    #: A role whose process died is started again by its supervisor, and its silence has lasted ten seconds already.
    silent: int = 10 * SECOND
    #: A role that nothing runs: a process that ends in order leaves no report, and the next version starts.
    absent: int = 60 * SECOND
    #: Control repairs most differences within seconds (docs/drift.md).
    repair: int = 15 * SECOND
    #: SES is asked for the account's limits once a minute.
    account: int = 90 * SECOND
    #: One slow statement says nothing; and a second look at a clock or at the counts costs nothing.
    again: int = 20 * SECOND

    def of(self, problem: Problem) -> int:
        match problem.code:
            case "role-silent":
                return self.absent if problem.since is None else self.silent
            case "drift" | "resource-failing" | "dispatcher-stopped":
                return self.repair
            case "rate-unknown" | "account-old":
                return self.account
            case "clock-skew" | "counts-behind" | "not-checked" | "results-rejected" | "default-partition":
                return self.again
            case _:
                return 0


#: The local system repairs, asks and starts faster, and a developer waits for the result.
LOCAL = Patience(
    silent=2 * SECOND, absent=15 * SECOND, repair=3 * SECOND, account=20 * SECOND, again=5 * SECOND
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """What alarms tell beside the facts of the status."""

    tenants: Mapping[str, int] = field(default_factory=dict[str, int])  #: by slug
    holds: Sequence[OpenHold] = ()
    #: Checks whose facts have not been read since then, and why: their facts are those of before.
    unread: Mapping[Check, tuple[int, str]] = field(default_factory=dict[Check, tuple[int, str]])


@dataclass(slots=True)
class _Seen:
    first: int  #: when it was first seen
    last: int


class Alarms:
    """Remembers since when each problem lasts. One for each process that looks."""

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self._seen: dict[str, _Seen] = {}

    def of(self, facts: Facts, others: Others) -> list[Alarm]:
        """All alarms at the time of the facts."""
        now = facts.now
        found: dict[str, Alarm] = {}
        for problem in _problems(facts, others):
            if problem.about is None:
                continue
            key = key_of(problem)
            seen = self._seen.get(key)
            if seen is None or now - seen.last > FORGET_MS:
                seen = self._seen[key] = _Seen(first=now, last=now)
            seen.last = now
            if now - seen.first >= self._patience.of(problem):
                found[key] = _alarm(key, problem, seen.first, others)
        self._seen = {key: seen for key, seen in self._seen.items() if now - seen.last <= FORGET_MS}
        return list(found.values())


def key_of(problem: Problem) -> str:
    about = problem.about
    assert about is not None
    return ":".join([problem.code, about.cause, *([about.key] if about.key else [])])


def kind_of(code: str) -> tuple[Kind, Severity]:
    return KINDS["stopped-*" if code.startswith("stopped-") else code]


def _problems(facts: Facts, others: Others) -> Iterator[Problem]:
    for check in CHECKS:
        yield from status_checks.OF[check](facts)
        if check in others.unread:
            _, why = others.unread[check]
            yield from status.problems(replace(facts, unread={check: why}), check)
    yield from status_events.doubtful(facts)


def _alarm(key: str, problem: Problem, first: int, others: Others) -> Alarm:
    about = problem.about
    assert about is not None
    kind, severity = kind_of(problem.code)
    return Alarm(
        key=key,
        kind=kind,
        cause=about.cause,
        severity=about.severity or severity,
        scope=about.scope,
        sentence=about.sentence or problem.sentence,
        next=problem.next,
        command=about.command,
        since=min(first, problem.since) if problem.since is not None else first,
        tenant=None if problem.whose is None else others.tenants.get(problem.whose),
        lane=about.lane,
        culprit=about.culprit,
        explained_by=tuple(cause for cause in about.explained_by if cause != about.cause),
        contained=about.contained,
        evidence=about.evidence,
        actions=(*about.actions, *_holds(problem, others)),
    )


def _holds(problem: Problem, others: Others) -> Iterator[Action]:
    """What stops or slows the tenant's mail meanwhile."""
    if problem.whose is not None:
        for hold in others.holds:
            if hold.tenant == problem.whose:
                yield Action(key=f"hold:{hold.id}", at=hold.since, author=hold.by, text=hold.sentence)
