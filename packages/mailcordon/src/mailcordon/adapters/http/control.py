"""All routes of the control plane."""

from dataclasses import dataclass

from litestar.handlers import HTTPRouteHandler

from mailcordon.adapters.http import (
    access_keys,
    advice,
    audit,
    backtests,
    breaker,
    catalogue,
    dkim_keys,
    domain_claims,
    drift,
    feedback,
    holds,
    identities,
    identity_checks,
    identity_records,
    incidents,
    isolation,
    keys,
    lanes,
    lifecycle,
    objectives,
    outside_signals,
    pacing,
    paths,
    people,
    plans,
    policies,
    pools,
    proofs,
    rehearsals,
    rollouts,
    stops,
    tenants,
)
from mailcordon.control.access_keys import AccessKeys
from mailcordon.control.advice.advisor import Advisor
from mailcordon.control.audit import AuditReads
from mailcordon.control.backtests import Backtests
from mailcordon.control.catalogue import TypeStore
from mailcordon.control.claims import Claims
from mailcordon.control.cordon import Cordons
from mailcordon.control.dkim_keys import DkimKeys
from mailcordon.control.erasure import ErasureRequests
from mailcordon.control.feedback import FeedbackReads
from mailcordon.control.findings import Findings
from mailcordon.control.governor import Governor
from mailcordon.control.identity_checks import IdentityChecks
from mailcordon.control.identity_records import IdentityRecords
from mailcordon.control.ip_pools import IpPools
from mailcordon.control.isolation import Isolation
from mailcordon.control.keys import Keys
from mailcordon.control.lifecycle import Lifecycle
from mailcordon.control.outside_signals import OutsideSignals, SignalReads
from mailcordon.control.pacing.view import PacingChanges, PacingReads
from mailcordon.control.paths import PathStore
from mailcordon.control.plans import Plans
from mailcordon.control.policies import Policies
from mailcordon.control.proofs import Proofs
from mailcordon.control.rehearsals import Rehearsals
from mailcordon.control.rollouts.changes import Changes as RolloutChanges
from mailcordon.control.rollouts.view import RolloutReads
from mailcordon.control.tenant_facts import FactKeeper
from mailcordon.control.tenants import Tenants
from mailcordon.control.views import Reads
from mailcordon.observe.breaker.view import BreakerChanges, BreakerReads
from mailcordon.observe.incidents.view import IncidentChanges, IncidentReads
from mailcordon.observe.objectives import ObjectiveReads


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlServices:
    """What the routes of this plane need."""

    reads: Reads
    tenants: Tenants
    types: TypeStore
    keys: Keys
    access_keys: AccessKeys
    people: people.PeopleServices
    audit: AuditReads
    governor: Governor
    plans: Plans
    lifecycle: Lifecycle
    erasures: ErasureRequests
    findings: Findings
    records: IdentityRecords
    claims: Claims
    dkim: DkimKeys
    proofs: Proofs
    feedback: FeedbackReads
    incidents: IncidentReads
    incident_changes: IncidentChanges
    breaker: BreakerReads
    breaker_changes: BreakerChanges
    isolation: Isolation
    pools: IpPools
    advisor: Advisor
    objectives: ObjectiveReads
    pacing: PacingReads
    pacing_changes: PacingChanges
    rollouts: RolloutReads
    rollout_changes: RolloutChanges
    paths: PathStore
    backtests: Backtests
    rehearsals: Rehearsals
    outside: OutsideSignals
    signals: SignalReads
    checks: IdentityChecks
    policies: Policies
    facts: FactKeeper


def routes(services: ControlServices) -> list[HTTPRouteHandler]:
    return [
        *tenants.routes(services.reads, services.tenants, services.lifecycle, services.findings),
        *identities.routes(services.reads),
        *identity_records.routes(services.reads, services.records),
        *dkim_keys.routes(services.reads, services.dkim),
        *domain_claims.routes(services.reads, services.claims, services.plans),
        *identity_checks.routes(services.reads, services.checks),
        *lanes.routes(
            services.reads, services.governor, services.proofs, services.feedback, services.objectives
        ),
        *objectives.routes(services.objectives),
        *pacing.routes(services.pacing, services.pacing_changes),
        *rollouts.routes(services.rollouts, services.rollout_changes),
        *paths.routes(services.paths),
        *backtests.routes(services.reads, services.backtests),
        *rehearsals.routes(services.rehearsals),
        *outside_signals.routes(services.signals, services.outside),
        *holds.routes(services.reads, Cordons(services.reads, services.governor)),
        *stops.routes(services.reads),
        *plans.routes(services.plans),
        *lifecycle.routes(services.lifecycle, services.plans, services.erasures),
        *policies.routes(
            policies.PolicyServices(reads=services.reads, policies=services.policies, facts=services.facts)
        ),
        *drift.routes(services.findings),
        *proofs.routes(services.reads, services.proofs),
        *feedback.routes(services.feedback),
        *incidents.routes(services.incidents, services.incident_changes, services.reads),
        *breaker.routes(services.breaker, services.breaker_changes),
        *isolation.routes(services.reads, services.isolation, services.proofs),
        *pools.routes(services.pools, services.plans),
        *advice.routes(services.advisor, services.plans),
        *catalogue.routes(services.reads, services.types),
        *keys.routes(services.reads, services.keys),
        *access_keys.routes(services.access_keys),
        *people.routes(services.people),
        *audit.routes(services.audit),
    ]
