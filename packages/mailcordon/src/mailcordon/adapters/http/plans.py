"""Plans over HTTP: what would change and why, applying and rejecting it; and the document that describes the tenants."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.openapi import ResponseSpec
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import problems, shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import After, Limit, Time
from mailcordon.control import draft, steps
from mailcordon.control.draft import Call
from mailcordon.control.plans import Plan, Plans
from mailcordon.control.steps import Mail, Step, StepKind
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.principal import ADMIN, READ
from mailcordon.messages import api
from mailcordon.messages import plans as words

#: Steps, notes and tenants of a plan in one response; a plan of a large file has tens of thousands.
MOST_STEPS = 1000

State = Literal["proposed", "applying", "applied", "rejected", "outdated"]
StateFilter = Annotated[State | None, QueryParameter(name="state", description="Only plans in this state.")]


class StepBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A change of the platform, such as {"kind": "add-lane", "tenant": "acme", "type": "invoice", "to": "mail.acme.example"}."""

    kind: str
    tenant: str
    type: str | None = None
    domain: str | None = None
    to: str | None = None
    mail: Mail | None = None


class NewPlan(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A document, or steps; without both, what differs at SES from what is wanted."""

    document: dict[str, Any] | None = None
    prune: bool = False  #: with a document: retire what it does not name
    steps: list[StepBody] | None = None
    because: str | None = None


class ApplyBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str | None = None


class RejectBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str


class StepItem(msgspec.Struct):
    seq: int
    kind: str
    tenant: str
    type: str | None
    domain: str | None
    was: str | None
    to: str | None
    mail: str | None
    says: str


class CallItem(msgspec.Struct):
    seq: int
    action: str
    kind: str  #: of the resource
    name: str
    member: str | None
    tenant: str | None  #: null: all tenants share it
    says: str
    why: str
    waits: str | None  #: why a person has to approve it
    state: str
    waits_for_mail: bool  #: approved, but mail on its way needs what it takes away
    outcome: str | None  #: what SES answered, if it refused
    at: Time | None


class PlanItem(msgspec.Struct):
    id: int | None  #: null: nothing would change, and nothing was stored
    source: str  #: person, control (a repair) or settings (changed at a start)
    state: str
    made_at: Time | None
    made_by: str
    because: str | None
    decided_at: Time | None
    decided_by: str | None
    decided_because: str | None
    ended_at: Time | None
    counts: dict[str, int]  #: calls by state
    later: int  #: new tenants of a large plan that is being applied which are still to be added


class PlanDetails(PlanItem):
    steps: list[StepItem]  #: the first 1,000
    steps_left_off: int  #: those that /v1/plans/{id}/steps has beside these
    calls: list[CallItem]  #: the first 10,000
    calls_left_off: int  #: those that /v1/plans/{id}/calls has beside these
    actions: dict[str, int]  #: calls by action and kind: {"create tenant": 3}
    notes: list[str]  #: the first 1,000
    notes_left_off: int
    tenants: list[str]  #: whom it touches: the first 1,000 by name
    tenants_left_off: int
    seconds: float  #: for the calls that are left, if nothing else waits


class StepPage(msgspec.Struct):
    items: list[StepItem]
    next: str | None


class CallPage(msgspec.Struct):
    items: list[CallItem]
    next: str | None


class PlanPage(msgspec.Struct):
    items: list[PlanItem]
    next: str | None


def routes(plans: Plans) -> list[HTTPRouteHandler]:
    @post(
        problems.PLANS_PATH,
        summary="Make a plan: what would change, and why. Changes nothing",
        tags=["control"],
        request_max_body_size=problems.MAX_PLAN_BODY,
        responses={200: ResponseSpec(PlanDetails, description="Nothing would change: no plan is stored")},
    )
    async def make_plan(request: AnyRequest, data: JSONBody[NewPlan]) -> Response[PlanDetails]:
        actor = platform_principal(request, ADMIN).actor
        because = shapes.reason(data.because) if data.because is not None else None
        if data.document is not None and data.steps is not None:
            raise Invalid(Fault("steps", words.document_or_steps()))
        if data.prune and data.document is None:
            raise Invalid(Fault("prune", words.prunes_a_document()))
        if data.document is not None:
            try:
                made = await plans.make_from(data.document, prune=data.prune, actor=actor, because=because)
            except Invalid as problem:
                faults = [Fault(f"document.{each.field}", each.problem, each.code) for each in problem.faults]
                raise Invalid(*faults) from None
        elif data.steps is not None:
            made = await plans.make(_steps(data.steps), actor=actor, because=because)
        else:
            made = await plans.make(None, actor=actor, because=because)
        return Response(details(plans, made), status_code=200 if made.id is None else 201)

    @get("/v1/plans", summary="List plans, the newest first", tags=["control"])
    async def list_plans(
        request: AnyRequest, in_state: StateFilter = None, after: After = None, limit: Limit = 100
    ) -> PlanPage:
        platform_principal(request, READ)
        found = await plans.newest(state=in_state, before=after, limit=limit)
        return PlanPage(
            [PlanItem(**_fields(each)) for each in found],
            shapes.next_of([each.id for each in found if each.id is not None], limit),
        )

    @get(
        "/v1/plans/{plan_id:int}", summary="Show a plan, its calls and what became of them", tags=["control"]
    )
    async def get_plan(request: AnyRequest, plan_id: FromPath[int]) -> PlanDetails:
        platform_principal(request, READ)
        return details(plans, await plans.get(plan_id))

    @get("/v1/plans/{plan_id:int}/steps", summary="List the steps of a plan, in order", tags=["control"])
    async def list_steps(
        request: AnyRequest, plan_id: FromPath[int], after: After = None, limit: Limit = 100
    ) -> StepPage:
        platform_principal(request, READ)
        first = shapes.id32(after)
        found = await plans.steps(plan_id, after=first, limit=limit)
        items = [_step_item(n, step) for n, step in enumerate(found, first + 1)]
        return StepPage(items, shapes.next_of([each.seq for each in items], limit))

    @get(
        "/v1/plans/{plan_id:int}/calls",
        summary="List the calls of a plan in order, with what became of them",
        tags=["control"],
    )
    async def list_calls(
        request: AnyRequest, plan_id: FromPath[int], after: After = None, limit: Limit = 100
    ) -> CallPage:
        platform_principal(request, READ)
        first = shapes.id32(after)
        found = await plans.calls(plan_id, after=first, limit=limit)
        items = [_call(n, call) for n, call in enumerate(found, first + 1)]
        return CallPage(items, shapes.next_of([each.seq for each in items], limit))

    @post("/v1/plans/{plan_id:int}/apply", summary="Apply a plan", tags=["control"], status_code=200)
    async def apply_plan(
        request: AnyRequest, plan_id: FromPath[int], data: JSONBody[ApplyBody]
    ) -> PlanDetails:
        actor = platform_principal(request, ADMIN).actor
        because = shapes.reason(data.because) if data.because is not None else None
        return details(plans, await plans.apply(plan_id, actor=actor, because=because))

    @post("/v1/plans/{plan_id:int}/reject", summary="Reject a plan", tags=["control"], status_code=200)
    async def reject_plan(
        request: AnyRequest, plan_id: FromPath[int], data: JSONBody[RejectBody]
    ) -> PlanDetails:
        actor = platform_principal(request, ADMIN).actor
        return details(plans, await plans.reject(plan_id, actor=actor, because=shapes.reason(data.because)))

    @get("/v1/document", summary="The tenants as a document, as POST /v1/plans takes it", tags=["control"])
    async def get_document(
        request: AnyRequest,
        tenants: Annotated[
            str | None, QueryParameter(description="Slugs, with commas between. Without it: all tenants.")
        ] = None,
    ) -> dict[str, Any]:
        platform_principal(request, READ)
        return await plans.document(None if tenants is None else tenants.split(","))

    return [make_plan, list_plans, get_plan, list_steps, list_calls, apply_plan, reject_plan, get_document]


def _steps(given: list[StepBody]) -> list[Step]:
    """Raises Invalid."""
    if not given:
        raise Invalid(Fault("steps", api.field_required(), "missing"))
    return [_step(body, f"steps[{n}]") for n, body in enumerate(given)]


def _step(body: StepBody, field: str) -> Step:
    try:
        kind = StepKind(body.kind)
    except ValueError:
        raise Invalid(Fault(f"{field}.kind", api.not_one_of([str(each) for each in StepKind]))) from None
    step = Step(kind=kind, tenant=body.tenant, type=body.type, domain=body.domain, to=body.to, mail=body.mail)
    try:
        return steps.parse(step)
    except Invalid as problem:
        raise Invalid(
            *(Fault(f"{field}.{each.field}", each.problem, each.code) for each in problem.faults)
        ) from None


def _fields(plan: Plan) -> dict[str, Any]:
    return {
        "id": plan.id,
        "source": plan.source,
        "state": plan.state,
        "made_at": shapes.iso_or_none(plan.made_at),
        "made_by": plan.made_by,
        "because": plan.because,
        "decided_at": shapes.iso_or_none(plan.decided_at),
        "decided_by": plan.decided_by,
        "decided_because": plan.decided_because,
        "ended_at": shapes.iso_or_none(plan.ended_at),
        "counts": dict(plan.counts),
        "later": plan.later,
    }


def details(plans: Plans, plan: Plan) -> PlanDetails:
    """A plan with its calls, as every route shows it."""
    left = plan.counts.get("pending", 0) + plan.counts.get("failed", 0)
    return PlanDetails(
        **_fields(plan),
        steps=[_step_item(n, step) for n, step in enumerate(plan.steps[:MOST_STEPS], 1)],
        steps_left_off=max(0, len(plan.steps) - MOST_STEPS),
        calls=[_call(n, call) for n, call in enumerate(plan.calls, 1)],
        calls_left_off=sum(plan.counts.values()) - len(plan.calls),
        actions=dict(plan.actions),
        notes=list(plan.notes[:MOST_STEPS]),
        notes_left_off=max(0, len(plan.notes) - MOST_STEPS),
        tenants=list(plan.tenants[:MOST_STEPS]),
        tenants_left_off=max(0, len(plan.tenants) - MOST_STEPS),
        seconds=plans.seconds(left),
    )


def _step_item(number: int, step: Step) -> StepItem:
    return StepItem(
        seq=number,
        kind=step.kind,
        tenant=step.tenant,
        type=step.type,
        domain=step.domain,
        was=step.was,
        to=step.to,
        mail=step.mail,
        says=steps.says(step),
    )


def _call(number: int, call: Call) -> CallItem:
    change = call.change
    return CallItem(
        seq=number,
        action=change.action,
        kind=change.resource.kind.word,
        name=change.resource.name,
        member=change.member,
        tenant=call.tenant,
        says=str(change),
        why=draft.why(change),
        waits=call.waits,
        state=call.state,
        waits_for_mail=call.for_mail,
        outcome=call.outcome,
        at=shapes.iso_or_none(call.at),
    )
