"""Tenants: their associations with resources, their suppression settings and their reputation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from seslocal.state.findings import Counts, Finding, Thresholds
from seslocal.state.suppression import SuppressionList
from seslocal.wire.params import Params


@dataclass(slots=True)
class StatusRecord:
    status: str  #: ENABLED, DISABLED or REINSTATED
    cause: str | None
    at: float

    def shown(self) -> Params:
        shown: Params = {"Status": self.status, "LastUpdatedTimestamp": self.at}
        if self.cause:
            shown["Cause"] = self.cause
        return shown


@dataclass(slots=True)
class Tenant:
    name: str
    id: str
    arn: str
    created: float
    tags: dict[str, str]
    scope: str | None  #: TENANT, ACCOUNT or unset; set and unset together with reasons
    reasons: tuple[str, ...] | None
    policy: str  #: ARN
    customer_managed: StatusRecord
    aws_managed: StatusRecord
    suppression: SuppressionList = field(default_factory=SuppressionList)
    associations: dict[str, float] = field(default_factory=dict[str, float])  #: ARN -> when
    impact: str | None = None  #: LOW or HIGH, set by the admin API
    counts: Counts = field(default_factory=Counts)
    findings: dict[str, Finding] = field(default_factory=dict[str, Finding])  #: the latest of each type
    review_is_due: bool = False  #: the next review of its open findings is scheduled

    @property
    def open_findings(self) -> list[Finding]:
        return [finding for finding in self.findings.values() if finding.is_open]

    @property
    def status(self) -> str:
        """The aggregate of both records."""
        both = (self.customer_managed.status, self.aws_managed.status)
        return "DISABLED" if "DISABLED" in both else "REINSTATED" if "REINSTATED" in both else "ENABLED"


class Tenants(dict[str, Tenant]):
    """All tenants by name."""

    def __init__(self) -> None:
        super().__init__()
        self.of_resource: dict[str, dict[str, float]] = {}  #: resource ARN -> tenant name -> when
        self.automatic_findings = True  #: findings follow from the counts; else only the admin API sets them
        self.thresholds = Thresholds()
        self.added: Callable[[Tenant], None] = lambda tenant: None  #: called with each new tenant

    def __setitem__(self, name: str, tenant: Tenant) -> None:
        super().__setitem__(name, tenant)
        self.added(tenant)

    def associate(self, tenant: Tenant, arn: str, at: float) -> None:
        tenant.associations[arn] = at
        self.of_resource.setdefault(arn, {})[tenant.name] = at

    def dissociate(self, tenant: Tenant, arn: str) -> None:
        if tenant.associations.pop(arn, None) is None:
            return
        links = self.of_resource[arn]
        del links[tenant.name]
        if not links:
            del self.of_resource[arn]
