"""Drift over HTTP: what SES has that differs from what is desired, accepting it, and what happens when a kind of it is found."""

from typing import Annotated, Literal

import msgspec
from litestar import get, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import After, AnyTenant, Limit, Time
from mailcordon.control.findings import By, Finding, Findings, KindPolicy
from mailcordon.core.drift import Policy
from mailcordon.core.principal import ADMIN, READ

Severity = Literal["critical", "high", "medium", "low"]


class ByItem(msgspec.Struct):
    """Who made the change, as SES's management event tells it. An event is a hint, and can be forged by who may write events."""

    name: str | None  #: such as `role deploy` or `user Kim`
    arn: str | None
    access_key: str | None
    source_ip: str | None
    user_agent: str | None
    event: str | None  #: the operation of SES
    at: Time | None


class RepairItem(msgspec.Struct):
    """A call to SES that repairs it."""

    kind: str
    name: str
    action: str
    member: str | None


class FindingItem(msgspec.Struct):
    id: int
    kind: str
    severity: str
    resource_kind: str
    resource: str
    member: str | None
    tenant: str | None  #: whom it concerns; null: all
    says: str  #: its consequence
    by: ByItem | None
    act: str  #: what the policy of its kind does with the repair: apply or propose
    repair: list[RepairItem]  #: empty: SES has no call that repairs it
    plan: int | None  #: the plan that repairs it and waits for a person
    hold: int | None  #: the hold that the policy placed for it
    found_by: str  #: scan or event
    since: Time
    seen_at: Time
    ended_at: Time | None
    ended_because: str | None


class FindingPage(msgspec.Struct):
    items: list[FindingItem]
    next: str | None


class AcceptBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str


class PolicyItem(msgspec.Struct):
    kind: str  #: of a difference; `addition`: everything that is missing
    severity: str | None
    isolation: bool  #: whether it can break the isolation between tenants
    act: str  #: apply or propose
    hold: bool  #: hold the tenant's mail while it lasts
    is_default: bool
    by: str | None
    because: str | None
    at: Time | None


class PolicyList(msgspec.Struct):
    items: list[PolicyItem]


class PolicyBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    act: Literal["apply", "propose"]
    hold: bool = False
    because: str


def routes(findings: Findings) -> list[HTTPRouteHandler]:
    @get("/v1/drift", summary="List what differs at SES, newest first", tags=["control"])
    async def list_findings(
        request: AnyRequest,
        tenant: AnyTenant = None,
        kind: Annotated[str | None, QueryParameter(description="Only differences of this kind.")] = None,
        severity: Annotated[Severity | None, QueryParameter(description="Only this severity.")] = None,
        is_open: Annotated[
            bool | None,
            QueryParameter(
                name="open", description="Only open ones, or only those that ended. Default: both."
            ),
        ] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> FindingPage:
        platform_principal(request, READ)
        found = await findings.newest(
            tenant=tenant, kind=kind, severity=severity, is_open=is_open, before=after, limit=limit
        )
        return FindingPage(
            [finding_item(each) for each in found], shapes.next_of([each.id for each in found], limit)
        )

    @get("/v1/drift/{finding_id:int}", summary="Show one difference", tags=["control"])
    async def get_finding(request: AnyRequest, finding_id: FromPath[int]) -> FindingItem:
        platform_principal(request, READ)
        return finding_item(await findings.get(finding_id))

    @post(
        "/v1/drift/{finding_id:int}/accept",
        summary="Accept what SES has as it is",
        tags=["control"],
        status_code=200,
    )
    async def accept(
        request: AnyRequest, finding_id: FromPath[int], data: JSONBody[AcceptBody]
    ) -> FindingItem:
        actor = platform_principal(request, ADMIN).actor
        because = shapes.reason(data.because)
        return finding_item(await findings.accept(finding_id, actor=actor, because=because))

    @get(
        "/v1/drift/policies", summary="List what happens when a kind of difference is found", tags=["control"]
    )
    async def list_policies(request: AnyRequest) -> PolicyList:
        platform_principal(request, READ)
        return PolicyList([_policy(each) for each in await findings.policies()])

    @get(
        "/v1/drift/policies/{kind:str}",
        summary="Show what happens when a kind of difference is found",
        tags=["control"],
    )
    async def get_policy(request: AnyRequest, kind: FromPath[str]) -> PolicyItem:
        platform_principal(request, READ)
        return _policy(await findings.policy(kind))

    @put(
        "/v1/drift/policies/{kind:str}",
        summary="Set what happens when a kind of difference is found",
        tags=["control"],
    )
    async def set_policy(request: AnyRequest, kind: FromPath[str], data: JSONBody[PolicyBody]) -> PolicyItem:
        actor = platform_principal(request, ADMIN).actor
        because = shapes.reason(data.because)
        policy = Policy(act=data.act, hold=data.hold)
        return _policy(await findings.set_policy(kind, policy, actor=actor, because=because))

    return [list_findings, get_finding, accept, list_policies, get_policy, set_policy]


def finding_item(found: Finding) -> FindingItem:
    return FindingItem(
        id=found.id,
        kind=found.kind.value,
        severity=found.severity,
        resource_kind=found.resource_kind,
        resource=found.resource,
        member=found.member or None,
        tenant=found.tenant,
        says=found.sentence,
        by=None if found.by is None else _by(found.by),
        act=found.act,
        repair=[
            RepairItem(each["kind"], each["name"], each["action"], each["member"] or None)
            for each in found.repair
        ],
        plan=found.plan,
        hold=found.hold,
        found_by=found.found_by,
        since=shapes.iso(found.since),
        seen_at=shapes.iso(found.seen_at),
        ended_at=shapes.iso_or_none(found.ended_at),
        ended_because=found.ended_because,
    )


def _by(by: By) -> ByItem:
    return ByItem(
        name=by.name,
        arn=by.arn,
        access_key=by.access_key,
        source_ip=by.source_ip,
        user_agent=by.user_agent,
        event=by.event,
        at=shapes.iso_or_none(by.at),
    )


def _policy(found: KindPolicy) -> PolicyItem:
    return PolicyItem(
        kind=found.kind,
        severity=found.severity,
        isolation=found.isolation,
        act=found.policy.act,
        hold=found.policy.hold,
        is_default=found.is_default,
        by=found.by,
        because=found.because,
        at=shapes.iso_or_none(found.at),
    )
