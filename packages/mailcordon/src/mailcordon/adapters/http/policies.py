"""Policies over HTTP: the document in force, plans and versions of it, what applies to each lane, and suggestions. A tenant's key
reads what applies to its own lanes."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, patch, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import UNSET, UnsetType

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import After, Limit, Time
from mailcordon.control import lookup
from mailcordon.control.policies import Policies, PolicyPlan
from mailcordon.control.tenant_facts import FactKeeper, TenantFacts
from mailcordon.control.views import Reads
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.principal import ADMIN, READ
from mailcordon.guard.policy import difference, suggest
from mailcordon.guard.policy.difference import Change
from mailcordon.guard.policy.effective import Explained
from mailcordon.guard.policy.suggest import Suggestion
from mailcordon.messages import policies as words

MOST_CHANGES = 1000  #: of one plan that are shown
State = Literal["proposed", "applied", "rejected", "outdated"]
StateFilter = Annotated[State | None, QueryParameter(name="state", description="Only plans in this state.")]
VersionNumber = Annotated[int, QueryParameter(ge=0, le=2**31 - 1, description="A version; 0: built in.")]


class PolicyBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A whole document of a policy: what it does not say is what is built in."""

    document: dict[str, Any]
    because: str | None = None


class DocumentBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    document: dict[str, Any]


class DecideBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str | None = None


class RejectBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str


class ChangeItem(msgspec.Struct):
    path: str  #: of the value, such as breaker.sensitivity or caps.lane.day
    was: str
    now: str
    origin: str  #: what sets it: a tier, a tenant, a lane
    because: str
    lanes: list[str]  #: the first ones, such as acme/newsletter
    number: int  #: of lanes
    mode: str | None  #: of a cap: observe, shadow or enforce
    says: str


class PlanItem(msgspec.Struct):
    id: int | None  #: null: nothing would change, and nothing was stored
    version: int | None  #: once it was applied
    base: int  #: the version that it was made on; 0: built in
    state: str
    made_at: Time | None
    made_by: str
    because: str | None
    decided_at: Time | None
    decided_by: str | None
    decided_because: str | None
    tenants_left: int  #: of an applied one: tenants that do not have it yet


class PlanDetails(PlanItem):
    changes: list[ChangeItem]  #: the first 1,000
    changes_left_off: int
    document: dict[str, Any]


class PlanPage(msgspec.Struct):
    items: list[PlanItem]
    next: str | None


class PolicyView(msgspec.Struct):
    version: int  #: 0: nobody has written one, and what is built in applies
    document: dict[str, Any]
    applied_at: Time | None
    applied_by: str | None
    because: str | None
    tiers: list[str]


class ChangeList(msgspec.Struct):
    changes: list[ChangeItem]
    changes_left_off: int


class ValueItem(msgspec.Struct):
    path: str
    value: Any
    says: str  #: the value as people read it
    origin: str
    because: str


class LanePolicyItem(msgspec.Struct):
    type: str
    tier: str
    version: int
    values: list[ValueItem]


class TenantPolicyView(msgspec.Struct):
    tenant: str
    lanes: list[LanePolicyItem]


class CapItem(msgspec.Struct):
    path: str
    mails: int
    mode: str
    because: str
    held: int  #: mails that it would have held in the last weeks
    windows: int  #: hours or days in which it would have held some
    effect: str


class SuggestionItem(msgspec.Struct):
    tenant: str
    type: str
    caps: list[CapItem]
    because: str | None  #: why there are none


class SuggestionView(msgspec.Struct):
    days: int
    items: list[SuggestionItem]
    document: dict[str, Any]  #: the one in force with these caps, for `policy set`


class TierBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    tier: str
    because: str


class FactsBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Members that are left out stay as they are; null forgets one."""

    sign_up_source: str | UnsetType | None = UNSET
    signed_up_at: str | UnsetType | None = UNSET
    list_source: str | UnsetType | None = UNSET
    planned_per_day: int | UnsetType | None = UNSET
    payment: str | UnsetType | None = UNSET
    owner_group: str | UnsetType | None = UNSET
    because: str | None = None


class FactsItem(msgspec.Struct):
    tenant: str
    tier: str
    suggested_tier: str
    suggested_because: list[str]
    age_days: int
    sign_up_source: str | None
    signed_up_at: Time | None
    list_source: str | None
    planned_per_day: int | None
    payment: str | None
    owner_group: str | None
    told_at: Time | None
    told_by: str | None


class FactsPage(msgspec.Struct):
    items: list[FactsItem]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyServices:
    reads: Reads
    policies: Policies
    facts: FactKeeper


def routes(services: PolicyServices) -> list[HTTPRouteHandler]:
    return [*_document_routes(services.policies), *_tenant_routes(services)]


def _document_routes(policies: Policies) -> list[HTTPRouteHandler]:
    @get("/v1/policy", summary="Show the policy that is in force", tags=["policy"])
    async def get_policy(request: AnyRequest) -> PolicyView:
        platform_principal(request, READ)
        found, plan = await policies.in_force()
        return PolicyView(
            version=found.version,
            document=dict(found.document),
            applied_at=shapes.iso_ms_or_none(plan and plan.decided_at),
            applied_by=plan and plan.decided_by,
            because=plan and (plan.decided_because or plan.because),
            tiers=found.read.tier_names,
        )

    @post(
        "/v1/policy/plans",
        summary="Plan a policy: what would change. Changes nothing",
        tags=["policy"],
        responses={200: ResponseSpec(PlanDetails, description="Nothing would change: no plan is stored")},
    )
    async def make_plan(request: AnyRequest, data: JSONBody[PolicyBody]) -> Response[PlanDetails]:
        actor = platform_principal(request, ADMIN).actor
        because = None if data.because is None else shapes.reason(data.because)
        try:
            made = await policies.make(data.document, actor=actor, because=because)
        except Invalid as problem:
            raise _in_document(problem) from None
        return _stored(made)

    @get("/v1/policy/plans", summary="List plans and versions of the policy, newest first", tags=["policy"])
    async def list_plans(
        request: AnyRequest, in_state: StateFilter = None, after: After = None, limit: Limit = 100
    ) -> PlanPage:
        platform_principal(request, READ)
        before = None if after is None else shapes.id32(after)
        found = await policies.newest(state=in_state, before=before, limit=limit)
        ids = [one.id for one in found if one.id is not None]
        return PlanPage([PlanItem(**_fields(one)) for one in found], shapes.next_of(ids, limit))

    @get("/v1/policy/plans/{plan_id:int}", summary="Show a plan of the policy", tags=["policy"])
    async def get_plan(request: AnyRequest, plan_id: FromPath[int]) -> PlanDetails:
        platform_principal(request, READ)
        return _details(await policies.get(plan_id))

    @post(
        "/v1/policy/plans/{plan_id:int}/apply",
        summary="Apply a plan of the policy",
        tags=["policy"],
        status_code=200,
    )
    async def apply_plan(
        request: AnyRequest, plan_id: FromPath[int], data: JSONBody[DecideBody]
    ) -> PlanDetails:
        actor = platform_principal(request, ADMIN).actor
        because = None if data.because is None else shapes.reason(data.because)
        try:
            return _details(await policies.apply(plan_id, actor=actor, because=because))
        except Invalid as problem:  # a tenant or a type that it names is gone
            raise _in_document(problem) from None

    @post(
        "/v1/policy/plans/{plan_id:int}/reject",
        summary="Reject a plan of the policy",
        tags=["policy"],
        status_code=200,
    )
    async def reject_plan(
        request: AnyRequest, plan_id: FromPath[int], data: JSONBody[RejectBody]
    ) -> PlanDetails:
        actor = platform_principal(request, ADMIN).actor
        return _details(await policies.reject(plan_id, actor=actor, because=shapes.reason(data.because)))

    @post(
        "/v1/policy/diff",
        summary="Compare a document with the policy that is in force. Stores nothing",
        tags=["policy"],
        status_code=200,
    )
    async def diff_document(request: AnyRequest, data: JSONBody[DocumentBody]) -> ChangeList:
        platform_principal(request, READ)
        try:
            return _changes(await policies.differences(data.document))
        except Invalid as problem:
            raise _in_document(problem) from None

    @get("/v1/policy/diff", summary="Compare two versions of the policy", tags=["policy"])
    async def diff_versions(request: AnyRequest, version: VersionNumber, to: VersionNumber) -> ChangeList:
        platform_principal(request, READ)
        return _changes(await policies.between(version, to))

    return [
        get_policy,
        make_plan,
        list_plans,
        get_plan,
        apply_plan,
        reject_plan,
        diff_document,
        diff_versions,
    ]


def _tenant_routes(services: PolicyServices) -> list[HTTPRouteHandler]:
    reads, policies, facts = services.reads, services.policies, services.facts

    @get(
        "/v1/tenants/{slug:str}/policy",
        summary="Show what applies to each lane of a tenant, and why",
        tags=["policy"],
    )
    async def tenant_policy(request: AnyRequest, slug: FromPath[str]) -> TenantPolicyView:
        viewer = await lookup.viewer(reads, principal_of(request), slug)
        assert viewer.tenant is not None
        found = await policies.explain(viewer.tenant)
        return TenantPolicyView(slug, [_lane(one) for one in found])

    @get(
        "/v1/policy/suggestions",
        summary="Suggest caps from what lanes have sent, with what they would have held",
        tags=["policy"],
    )
    async def suggestions(
        request: AnyRequest,
        tenant: Annotated[
            str | None, QueryParameter(description="The tenant's slug. Without it: every tenant.")
        ] = None,
    ) -> SuggestionView:
        platform_principal(request, READ)
        of = None if tenant is None else await lookup.tenant_id(reads, tenant)
        found = await policies.suggest(of)
        in_force, _ = await policies.in_force()
        document = suggest.document(found, in_force.document)
        return SuggestionView(suggest.DAYS, [_suggestion(one) for one in found], document)

    @post(
        "/v1/tenants/{slug:str}/tier",
        summary="Plan another tier for a tenant, as a plan of the policy. Changes nothing",
        tags=["policy"],
        responses={200: ResponseSpec(PlanDetails, description="It has that tier: no plan is stored")},
    )
    async def plan_tier(
        request: AnyRequest, slug: FromPath[str], data: JSONBody[TierBody]
    ) -> Response[PlanDetails]:
        actor = platform_principal(request, ADMIN).actor
        because = shapes.reason(data.because)
        made = await policies.make_tier(slug, data.tier, actor=actor, because=because)
        return _stored(made)

    @get("/v1/policy/tenants", summary="List tenants with their tier and the suggested one", tags=["policy"])
    async def list_facts(request: AnyRequest, after: After = None, limit: Limit = 100) -> FactsPage:
        platform_principal(request, READ)
        found = await facts.all(after=shapes.id32(after), limit=limit)
        return FactsPage([_facts(one) for one in found], shapes.next_of([one.tenant for one in found], limit))

    @get(
        "/v1/tenants/{slug:str}/facts",
        summary="Show what is known of a tenant, and the tier that it suggests",
        tags=["policy"],
    )
    async def get_facts(request: AnyRequest, slug: FromPath[str]) -> FactsItem:
        platform_principal(request, READ)
        return _facts(await facts.of(slug))

    @patch("/v1/tenants/{slug:str}/facts", summary="Say what is known of a tenant", tags=["policy"])
    async def tell_facts(request: AnyRequest, slug: FromPath[str], data: JSONBody[FactsBody]) -> FactsItem:
        actor = platform_principal(request, ADMIN).actor
        because = None if data.because is None else shapes.reason(data.because)
        told = {
            name: value
            for name in ("sign_up_source", "list_source", "planned_per_day", "payment", "owner_group")
            if (value := getattr(data, name)) is not UNSET
        }
        if data.signed_up_at is not UNSET:
            at = data.signed_up_at
            told["signed_up_at"] = None if at is None else _past("signed_up_at", at)
        return _facts(await facts.tell(slug, told, actor=actor, because=because))

    return [tenant_policy, suggestions, plan_tier, list_facts, get_facts, tell_facts]


def _past(field: str, text: str) -> int:
    found = shapes.time(field, text)
    if found < 0:
        raise Invalid(Fault(field, words.before_1970()))
    return found


def _in_document(problem: Invalid) -> Invalid:
    return Invalid(*(Fault(f"document.{one.field}", one.problem, one.code) for one in problem.faults))


def _fields(plan: PolicyPlan) -> dict[str, Any]:
    return {
        "id": plan.id,
        "version": plan.version,
        "base": plan.base,
        "state": plan.state,
        "made_at": shapes.iso_ms_or_none(plan.made_at),
        "made_by": plan.made_by,
        "because": plan.because,
        "decided_at": shapes.iso_ms_or_none(plan.decided_at),
        "decided_by": plan.decided_by,
        "decided_because": plan.decided_because,
        "tenants_left": plan.tenants_left,
    }


def _stored(made: PolicyPlan) -> Response[PlanDetails]:
    return Response(_details(made), status_code=200 if made.id is None else 201)


def _details(plan: PolicyPlan) -> PlanDetails:
    said = _changes(list(plan.changes))
    return PlanDetails(
        **_fields(plan),
        changes=said.changes,
        changes_left_off=said.changes_left_off,
        document=dict(plan.document),
    )


def _changes(found: list[Change]) -> ChangeList:
    items = [
        ChangeItem(
            path=one.path,
            was=one.was,
            now=one.now,
            origin=one.origin,
            because=one.because,
            lanes=list(one.lanes),
            number=one.number,
            mode=one.mode,
            says=one.sentence,
        )
        for one in found[:MOST_CHANGES]
    ]
    return ChangeList(items, len(found) - len(items))


def _lane(found: Explained) -> LanePolicyItem:
    return LanePolicyItem(
        type=found.lane.partition("/")[2],
        tier=found.policy.tier,
        version=found.policy.version,
        values=[
            ValueItem(
                path, msgspec.to_builtins(one.value), difference.shown(one.value), one.origin, one.because
            )
            for path, one in found.values.items()
        ],
    )


def _suggestion(found: Suggestion) -> SuggestionItem:
    caps = [
        CapItem(one.path, one.mails, one.mode, one.because, one.held, one.windows, one.effect)
        for one in found.caps
    ]
    return SuggestionItem(found.tenant, found.type, caps, found.because)


def _facts(found: TenantFacts) -> FactsItem:
    told, suggested = found.told, found.suggested
    return FactsItem(
        tenant=found.slug,
        tier=found.tier,
        suggested_tier=suggested.tier,
        suggested_because=list(suggested.because),
        age_days=found.facts.age_days,
        sign_up_source=told.sign_up_source,
        signed_up_at=shapes.iso_ms_or_none(told.signed_up_at),
        list_source=told.list_source,
        planned_per_day=told.planned_per_day,
        payment=told.payment,
        owner_group=told.owner_group,
        told_at=shapes.iso_ms_or_none(found.told_at),
        told_by=found.told_by,
    )
