"""What each problem of the status is about, and what it is due to: the part of a problem that an incident needs. Pure.

Problems with the same cause are one incident. So the cause names the thing that somebody has to repair (a role, a configuration
set, a domain, a queue), and not the check that found it: what a dead destination does to its set is one incident with the
difference at SES that explains it.
"""

from collections.abc import Sequence
from typing import Literal

from mailcordon.control.problem import About
from mailcordon.control.status_facts import (
    Account,
    BackRollout,
    Beat,
    Doubtful,
    Facts,
    FailingResource,
    FullLane,
    LapsedDomain,
    LateOverLimit,
    OpenFinding,
    OpenLoss,
    OpenStop,
    PoolTrouble,
    SesFinding,
    StoppedRelease,
    Waiting,
)
from mailcordon.core.feedback import LATE, OF_SET, Cause
from mailcordon.core.health import Role
from mailcordon.core.incident import Scope, ScopeKind, Severity
from mailcordon.core.priority import Class
from mailcordon.core.reason import Reason
from mailcordon.core.stop import StopScope
from mailcordon.messages import alarms as messages
from mailcordon.messages import rollouts

FEEDBACK = "feedback"
DISPATCH = "role:dispatch"
OBSERVE = "role:observe"
CONTROL = "role:control"
SLOW = "lanes:slow"
_OF_CLASS: dict[Class, Severity] = {
    Class.URGENT: "high",
    Class.TRANSACTIONAL: "medium",
    Class.MARKETING: "low",
}


def scope(kind: ScopeKind, name: str) -> Scope:
    return Scope(kind=kind, name=name)


# Roles and waiting mail --------------------------------------------------------------------------------------------------------


def of_role(role: Role, last: Beat | None) -> About:
    return About(
        scope=scope(ScopeKind.PROCESS, role),
        cause=f"role:{role}",
        culprit=messages.role_culprit(
            role=role, host=None if last is None else last.host, pid=None if last is None else last.pid
        ),
        severity="critical" if role in ("api", "dispatch") else "high",
        command=f"mailcordon run {role}",
    )


def of_idle(beats: Sequence[Beat]) -> About:
    hosts = ", ".join(f"{beat.host} (pid {beat.pid})" for beat in beats[:5])
    return About(
        scope=scope(ScopeKind.PROCESS, "dispatch"),
        cause=DISPATCH,
        culprit=messages.idle_culprit(hosts=hosts),
        command="mailcordon status",
    )


def of_waiting(one: Waiting, facts: Facts, *, many: bool) -> About:
    """`many`: mail of so many lanes waits that one lane is not the cause."""
    why = explanations(one, facts)
    return About(
        scope=scope(ScopeKind.LANE, f"{one.tenant}/{one.type}"),
        cause=f"lane:{one.tenant}/{one.type}" if one.lane is None else f"lane:{one.lane}",
        culprit=messages.lane_culprit(type=one.type, tenant=one.tenant),
        severity=_OF_CLASS[one.class_],
        command=f"mailcordon lane show {one.tenant} {one.type}",
        lane=one.lane,
        explained_by=(*why, SLOW) if many else why,
    )


def of_release(one: StoppedRelease, command: str) -> About:
    """The cause is that of the breaker's and the rates' alarms about the same mail: they are one incident."""
    whole = one.kind == "lane"
    return About(
        scope=scope(ScopeKind.LANE, f"{one.tenant}/{one.type}")
        if whole
        else scope(ScopeKind(one.kind), one.name),
        cause=f"lane:{one.lane}/rates" if whole else f"lane:{one.lane}/{one.kind}:{one.name}",
        key=str(one.id),
        culprit=messages.lane_culprit(type=one.type, tenant=one.tenant)
        if whole
        else messages.batch_culprit(kind=one.kind, name=one.name, type=one.type, tenant=one.tenant),
        command=command,
        lane=one.lane,
        explained_by=() if one.closed else (FEEDBACK,),
        contained=one.closed,
    )


def of_rollout(one: BackRollout) -> About:
    """The new path is at fault. If its domain or its set has an incident, what is said here belongs to it."""
    at_fault = dict(zip(one.lanes, one.types, strict=True)).get(one.at_fault or 0)
    types = one.types if at_fault is None else [at_fault]
    whole = len(types) > 1
    return About(
        scope=scope(ScopeKind.TENANT, one.tenant)
        if whole
        else scope(ScopeKind.LANE, f"{one.tenant}/{types[0]}"),
        cause=f"rollout:{one.id}",
        culprit=rollouts.culprit(one.tenant, types, one.domains, one.provider),
        command=f"mailcordon rollout status {one.id}",
        lane=None if whole else one.lanes[one.types.index(types[0])],
        explained_by=(
            *(f"identity:{domain}" for domain in one.domains),
            *(f"set:{name}" for name in one.configuration_sets),
        ),
        contained=not one.moving,
    )


def of_over_limit(one: LateOverLimit) -> About:
    return About(
        scope=scope(ScopeKind.LANE, f"{one.tenant}/{one.type}"),
        cause=f"lane:{one.lane}/limit",
        key=str(one.limit),
        culprit=messages.lane_culprit(type=one.type, tenant=one.tenant),
        command=f"mailcordon limit list --tenant {one.tenant} --type {one.type}",
        lane=one.lane,
    )


def of_many(lanes: int) -> About:
    return About(
        scope=scope(ScopeKind.CELL, "lanes"),
        cause=SLOW,
        culprit=messages.slow_culprit(lanes=lanes),
        command="mailcordon account",
        explained_by=(DISPATCH,),
    )


def explanations(one: Waiting | FullLane, facts: Facts) -> tuple[str, ...]:
    """What keeps, or lately kept, the mail of a lane from leaving."""
    found: list[str] = [DISPATCH] if facts.was_silent else []
    for stop in (*facts.stops, *facts.past_stops):
        covers = (
            stop.scope in (StopScope.CELL, StopScope.WORKER)
            or (stop.scope == StopScope.SET and stop.name == one.configuration_set)
            or (stop.scope == StopScope.IDENTITY and stop.name == one.domain)
            or (stop.scope == StopScope.TENANT and stop.name == one.ses_tenant)
            or (stop.scope == StopScope.LANE and stop.name == str(one.lane))
        )
        if covers:
            found.append(cause_of_stop(stop))
    return tuple(dict.fromkeys(found))


# What SES refuses --------------------------------------------------------------------------------------------------------------


def cause_of_stop(stop: OpenStop) -> str:
    match stop.scope:
        case StopScope.CELL:
            return f"cell:{stop.name}/{stop.cause}"
        case StopScope.WORKER:
            return f"dispatch:{stop.cause}"
        case StopScope.TENANT:
            return f"tenant:{stop.tenant or stop.name}"
        case _:
            return f"{stop.scope}:{stop.name}"


def of_stop(stop: OpenStop) -> About:
    kinds = {StopScope.WORKER: ScopeKind.PROCESS}
    kind = kinds.get(StopScope(stop.scope)) or ScopeKind(stop.scope)
    name = stop.name
    if kind is ScopeKind.TENANT:
        name = stop.tenant or stop.name
    elif kind is ScopeKind.LANE:
        name = f"{stop.tenant}/{stop.type}"
    return About(
        scope=scope(kind, name),
        cause=cause_of_stop(stop),
        key=f"{stop.scope}:{stop.name}",
        culprit=messages.stop_culprit(scope=stop.scope, name=stop.name, tenant=stop.tenant),
        severity="critical" if kind is ScopeKind.CELL else "medium" if kind is ScopeKind.LANE else "high",
        command="mailcordon stops list --open",
        lane=int(stop.name) if kind is ScopeKind.LANE and stop.name.isdigit() else None,
        evidence={"stop": stop.id, "cause": str(stop.cause)},
        sentence=stop.record or None,
    )


def of_dispatcher(beat: Beat) -> About:
    """One that has stopped by itself."""
    return About(
        scope=scope(ScopeKind.PROCESS, f"dispatch on {beat.host}"),
        cause=f"dispatch:{Reason.OUTAGE}",
        key=beat.instance,
        culprit=messages.idle_culprit(hosts=f"{beat.host} (pid {beat.pid})"),
        command="mailcordon status",
    )


def of_account(account: Account | None, cause: str, severity: Severity | None = None) -> About:
    """`cause` as that of the stop that it becomes."""
    cell = "default" if account is None else account.cell
    return About(
        scope=scope(ScopeKind.CELL, cell),
        cause=f"cell:{cell}/{cause}",
        culprit=messages.stop_culprit(scope="cell", name=cell, tenant=None),
        severity=severity,
        command="mailcordon account",
        explained_by=(CONTROL,),
    )


# Feedback ----------------------------------------------------------------------------------------------------------------------


def of_loss(loss: OpenLoss, queues: Sequence[str] = ()) -> About:
    """`queues`: those that observers read."""
    cause = Cause(loss.cause) if loss.cause in set(Cause) else Cause.UNKNOWN
    if cause in OF_SET or (cause is Cause.UNKNOWN and loss.configuration_set is not None):
        name = f"set:{loss.configuration_set}"
    elif cause is Cause.PROVIDER_SILENT:
        name = f"provider:{loss.provider}"
    elif cause in LATE and cause is not Cause.BACKLOG:
        name = OBSERVE
    else:
        name = f"{FEEDBACK}:{cause}"
    if loss.configuration_set is not None:
        where = scope(ScopeKind.SET, loss.configuration_set)
    elif loss.provider is not None:
        where = scope(ScopeKind.PROVIDER, loss.provider)
    else:
        where = scope(ScopeKind.CELL, "events")
    everything = loss.signal == "send" and loss.configuration_set is None and loss.provider is None
    return About(
        scope=where,
        cause=name,
        key=str(loss.id),
        culprit=None if cause is Cause.UNKNOWN else loss.because or str(cause),
        severity="critical" if everything else "medium" if loss.late else "high",
        command="mailcordon feedback",
        explained_by=tuple(f"queue:{queue}" for queue in queues) if cause is Cause.BACKLOG else (),
        evidence={"loss": loss.id, "signal": loss.signal, "cause": loss.cause},
    )


def of_silence() -> About:
    return About(
        scope=scope(ScopeKind.CELL, "events"),
        cause=f"{FEEDBACK}:{Cause.UNKNOWN}",
        command="mailcordon feedback",
        explained_by=(OBSERVE, CONTROL),
    )


def of_queue(queue: str, key: str = "") -> About:
    return About(
        scope=scope(ScopeKind.PROCESS, queue),
        cause=f"queue:{queue}",
        key=key,
        culprit=messages.queue_culprit(queue=queue),
        command="mailcordon status",
        explained_by=(OBSERVE,),
    )


# What SES has ------------------------------------------------------------------------------------------------------------------


def _of_resource(kind: str, name: str, tenant: str | None) -> tuple[str, Scope]:
    """The cause and scope of what is wrong with a resource at SES."""
    match kind:
        case "configuration-set" | "event-destination":
            set_name = name.partition("/")[0]
            return f"set:{set_name}", scope(ScopeKind.SET, set_name)
        case "identity":
            return f"identity:{name}", scope(ScopeKind.IDENTITY, name)
        case "tenant" | "policy" | "association":
            return f"tenant:{tenant or name}", scope(ScopeKind.TENANT, tenant or name)
        case _:
            return f"{kind}:{name}", scope(ScopeKind.CELL, name)


def of_drift(found: OpenFinding) -> About:
    cause, where = _of_resource(found.resource_kind, found.resource, found.tenant)
    return About(
        scope=where,
        cause=cause,
        key=str(found.id),
        culprit=messages.drift_culprit(
            by=found.by,
            resource=messages.resource_culprit(kind=found.resource_kind, name=found.resource),
        ),
        severity=found.severity,
        command=f"mailcordon drift show {found.id}"
        if found.plan is None
        else f"mailcordon apply {found.plan}",
        contained=found.held,
        evidence={"finding": found.id},
    )


def of_failing(one: FailingResource) -> About:
    cause, where = _of_resource(one.kind, one.name, one.tenant)
    return About(
        scope=where,
        cause=cause,
        key=f"{one.kind}/{one.name}",
        culprit=messages.resource_culprit(kind=one.kind, name=one.name),
        command=f"mailcordon tenant show {one.tenant}" if one.tenant else "mailcordon status",
        explained_by=(CONTROL,),
    )


def of_plan(plan: int) -> About:
    return About(
        scope=scope(ScopeKind.CELL, "settings"),
        cause="settings",
        key=str(plan),
        culprit=messages.settings_culprit(),
        command=f"mailcordon plans show {plan}",
    )


def of_ses_finding(found: SesFinding) -> About:
    kind = ScopeKind.CELL if found.tenant is None else ScopeKind.TENANT
    name = found.tenant or found.name
    return About(
        scope=scope(kind, name),
        cause=f"tenant:{found.tenant}" if found.tenant else f"ses:{found.name}",
        key=str(found.id),
        culprit=messages.ses_finding_culprit(name=name, type=found.type),
        severity="high" if found.impact == "HIGH" else "medium",
        command=f"mailcordon metrics --tenant {found.tenant}" if found.tenant else "mailcordon account",
        contained=found.quiet,
        evidence={"type": found.type, "impact": found.impact, "said": found.description},
    )


# Domains -----------------------------------------------------------------------------------------------------------------------


def of_lapse(one: LapsedDomain) -> About:
    return About(
        scope=scope(ScopeKind.IDENTITY, one.domain),
        cause=f"identity:{one.domain}",
        culprit=messages.domain_culprit(domain=one.domain, tenant=one.tenant),
        command=f"mailcordon identity check {one.domain}",
        contained=one.held,
    )


def of_look_ups(name: Literal["domains", "recipients"]) -> About:
    return About(
        scope=scope(ScopeKind.PROCESS, "control"),
        cause=f"look-ups:{name}",
        culprit=messages.dns_culprit(),
        command="mailcordon status",
        explained_by=(CONTROL,),
    )


# Mailcordon itself -------------------------------------------------------------------------------------------------------------


def of_database(name: str, key: str = "") -> About:
    """`name`: what of it, e.g. partitions."""
    return About(
        scope=scope(ScopeKind.PROCESS, "database"),
        cause=f"database:{name}",
        key=key,
        culprit=messages.database_culprit(),
        command="mailcordon status",
        explained_by=(CONTROL,),
    )


def of_results(beat: Beat) -> About:
    return About(
        scope=scope(ScopeKind.PROCESS, f"dispatch on {beat.host}"),
        cause="database:results",
        key=beat.instance,
        culprit=messages.database_culprit(),
        command="mailcordon status",
        explained_by=("database:partitions",),
    )


def of_set_aside() -> About:
    return About(scope=scope(ScopeKind.CELL, "mail"), cause="mail:set-aside", command="mailcordon status")


def of_unknown() -> About:
    return About(
        scope=scope(ScopeKind.CELL, "mail"),
        cause="mail:unknown-outcomes",
        command="mailcordon status",
        explained_by=(OBSERVE, DISPATCH, f"{FEEDBACK}:{Cause.UNKNOWN}"),
    )


def of_clock(host: str) -> About:
    return About(
        scope=scope(ScopeKind.PROCESS, host),
        cause=f"clock:{host}",
        culprit=messages.clock_culprit(host=host),
        command="mailcordon doctor",
    )


def of_check(check: str) -> About:
    return About(
        scope=scope(ScopeKind.PROCESS, "database"),
        cause="database:reads",
        key=check,
        culprit=messages.database_culprit(),
        command="mailcordon status",
    )


# Integrity and backlogs --------------------------------------------------------------------------------------------------------

_DOUBTS: dict[str, Severity] = {"double": "high", "disagreement": "high", "unverified": "medium"}


def of_quarantine(why: str) -> About:
    return About(
        scope=scope(ScopeKind.CELL, "quarantine"),
        cause=f"quarantine:{why}",
        culprit=why,
        command=f"mailcordon quarantine list --why {why}",
    )


def of_doubtful(one: Doubtful) -> About:
    whose = f"tenant:{one.tenant}" if one.tenant else f"source:{one.source}"
    return About(
        scope=scope(ScopeKind.TENANT, one.tenant) if one.tenant else scope(ScopeKind.PROCESS, one.source),
        cause=f"integrity:{whose}",
        key=one.why,
        culprit=messages.doubtful_culprit(tenant=one.tenant, source=one.source),
        severity=_DOUBTS.get(one.why, "low"),
        command=f"mailcordon quarantine list --why {one.why}",
        evidence={"why": one.why, "documents": one.documents},
    )


def of_full(one: FullLane, facts: Facts) -> About:
    return About(
        scope=scope(ScopeKind.LANE, f"{one.tenant}/{one.type}"),
        cause=f"lane:{one.lane}",
        culprit=messages.lane_culprit(type=one.type, tenant=one.tenant),
        command=f"mailcordon lane show {one.tenant} {one.type}",
        lane=one.lane,
        explained_by=explanations(one, facts),
        evidence={"refused": one.refused},
    )


def of_pool(one: PoolTrouble) -> About:
    """Its troubles are one incident: they have one owner, and mostly one reason."""
    return About(
        scope=scope(ScopeKind.CELL, f"IP pool {one.pool}"),
        cause=f"pool:{one.pool}",
        key=f"{one.code}:{one.provider or ''}",
        culprit=messages.pool_culprit(pool=one.pool),
        command=f"mailcordon pool show {one.pool}",
    )
