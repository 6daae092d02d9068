"""Proofs of attribution over HTTP: asking for them, their evidence, and which lanes are proved (docs/proofs.md)."""

from typing import Annotated, Literal

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.shapes import After, Limit, Time
from mailcordon.control import lookup, proofs
from mailcordon.control.proofs import EventSeen, Freshness, LaneProof, Mail, Proof, Proofs
from mailcordon.control.views import Reads, Viewer
from mailcordon.core import ids
from mailcordon.core.event import Kind
from mailcordon.core.principal import OPERATE
from mailcordon.core.proof import EXPECTED
from mailcordon.messages import proofs as messages

MOST_TYPES = 1000

ProofState = Literal["running", "proved", "failed"]


class AskBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    #: Message types of the lanes. Without it: every lane that takes mail.
    types: Annotated[list[str], msgspec.Meta(max_length=MOST_TYPES, min_length=1)] | None = None
    reject: bool = False  #: also a mail that SES rejects; it counts in the day's quota and is billed
    #: how long an event may take after its call
    limit_seconds: Annotated[int, msgspec.Meta(ge=proofs.SHORTEST_LIMIT, le=proofs.LONGEST_LIMIT)] = (
        proofs.LIMIT_SECONDS
    )


class EvidenceItem(msgspec.Struct):
    """An event that came back."""

    kind: str
    at: Time  #: by SES
    seconds: float | None  #: from the call until it was stored
    late: bool  #: it came after the proof had ended
    tenant: str | None  #: of the lane that its tags name
    type: str | None
    queue: str
    topic: str | None
    configuration_set: str | None
    ses_tenant: str | None
    ses_id: str
    problem: str | None  #: how it contradicts the records


class ProofMailItem(msgspec.Struct):
    what: str  #: success, bounce, complaint or reject
    delivery: str  #: the id in its tags
    state: str  #: asked, calling, accepted, refused or unknown
    said: str | None  #: SES's words, if it did not take the mail
    called_at: Time | None
    ses_id: str | None
    expected: list[str]
    missing: list[str]
    events: list[EvidenceItem]


class ScopeItem(msgspec.Struct):
    """The suppression that applies to the lane's mail, as read from SES."""

    says: str
    tenant_scope: str | None
    tenant_reasons: list[str] | None
    set_scope: str | None
    set_reasons: list[str] | None


class FaultItem(msgspec.Struct):
    code: str
    says: str


class ProofItem(msgspec.Struct):
    id: int
    tenant: str
    type: str
    state: ProofState
    because: str | None
    asked_at: Time
    asked_by: str
    limit_seconds: int
    ended_at: Time | None
    valid_until: Time | None  #: of one that proved its lane
    faults: list[FaultItem]
    scope: ScopeItem | None
    mails: list[ProofMailItem]


class AskedItem(msgspec.Struct):
    proof: ProofItem
    is_new: bool  #: false: it ran already, asked for by somebody else
    says: str | None


class AskedList(msgspec.Struct):
    items: list[AskedItem]


class LaneProofItem(msgspec.Struct):
    """Whether the attribution of a lane is proved."""

    tenant: str
    type: str
    state: Literal["fresh", "stale", "failed", "never"]
    because: str
    proof: int | None
    proved_at: Time | None
    valid_until: Time | None
    running: int | None  #: the proof that runs now


class LaneProofPage(msgspec.Struct):
    items: list[LaneProofItem]
    next: str | None


def routes(reads: Reads, service: Proofs) -> list[HTTPRouteHandler]:
    @post(
        "/v1/tenants/{slug:str}/proofs",
        summary="Ask for a proof of attribution of each lane",
        tags=["control"],
        status_code=202,
    )
    async def ask(request: AnyRequest, slug: FromPath[str], data: JSONBody[AskBody]) -> AskedList:
        actor = platform_principal(request, OPERATE).actor
        asked = await service.ask(
            slug, data.types, reject=data.reject, limit_seconds=data.limit_seconds, actor=actor
        )
        now = await service.now_ms()
        return AskedList(
            [
                AskedItem(
                    proof=proof_item(each.proof, now, days=service.days, as_tenant=False),
                    is_new=each.is_new,
                    says=None if each.is_new else _already(each.proof),
                )
                for each in asked
            ]
        )

    @get("/v1/tenants/{slug:str}/proofs", summary="List lanes and whether they are proved", tags=["control"])
    async def list_proofs(
        request: AnyRequest,
        slug: FromPath[str],
        type_: Annotated[str | None, QueryParameter(name="type", description="Only this type.")] = None,
        after: After = None,
        limit: Limit = 100,
    ) -> LaneProofPage:
        viewer = await lookup.viewer(reads, principal_of(request), slug)
        found = await service.lanes(viewer, type=type_, after=shapes.id32(after), limit=limit)
        items = [lane_proof_item(lane, freshness) for lane, freshness in found]
        return LaneProofPage(items, shapes.next_of([lane.lane for lane, _ in found], limit))

    @get("/v1/proofs/{proof_id:int}", summary="Show a proof with its evidence", tags=["control"])
    async def get_proof(request: AnyRequest, proof_id: FromPath[int]) -> ProofItem:
        viewer: Viewer = await lookup.viewer(reads, principal_of(request), None)
        found = await service.get(viewer, proof_id)
        return proof_item(found, await service.now_ms(), days=service.days, as_tenant=viewer.as_tenant)

    return [ask, list_proofs, get_proof]


def lane_proof_item(lane: LaneProof, freshness: Freshness) -> LaneProofItem:
    return LaneProofItem(
        tenant=lane.tenant,
        type=lane.type,
        state=freshness.state,
        because=freshness.because,
        proof=freshness.proof,
        proved_at=shapes.iso_ms_or_none(freshness.proved_at),
        valid_until=shapes.iso_ms_or_none(freshness.valid_until),
        running=lane.running,
    )


def proof_item(found: Proof, now: int, *, days: int, as_tenant: bool) -> ProofItem:
    unjudged = found.ended_at is None and now > found.unjudged_at
    state: ProofState = "running"
    if found.ended_at is not None or unjudged:
        state = "proved" if found.proved else "failed"
    until = found.ended_at + days * 86_400_000 if found.proved and found.ended_at is not None else None
    return ProofItem(
        id=found.id,
        tenant=found.slug,
        type=found.type,
        state=state,
        because=messages.unjudged() if unjudged else found.because,
        asked_at=shapes.iso_ms(found.asked_at),
        asked_by=found.asked_by,
        limit_seconds=found.limit_ms // 1000,
        ended_at=shapes.iso_ms_or_none(found.ended_at),
        valid_until=shapes.iso_ms_or_none(until),
        faults=[FaultItem(each.code, each.says) for each in found.faults],
        scope=_scope(found),
        mails=[_mail(found, mail, as_tenant=as_tenant) for mail in found.mails],
    )


def _already(found: Proof) -> str:
    return messages.already(found.type, found.id, found.asked_by, shapes.iso_ms(found.asked_at))


def _scope(found: Proof) -> ScopeItem | None:
    scope = found.scope
    if scope is None or scope.problem is not None:
        return None
    tenant = None if scope.tenant_reasons is None else list(scope.tenant_reasons)
    of_set = None if scope.set_reasons is None else list(scope.set_reasons)
    says = messages.scope(scope.tenant_scope, tenant, scope.set_scope, of_set)
    return ScopeItem(says, scope.tenant_scope, tenant, scope.set_scope, of_set)


def _mail(found: Proof, mail: Mail, *, as_tenant: bool) -> ProofMailItem:
    return ProofMailItem(
        what=mail.what.value,
        delivery=ids.delivery_id(mail.id),
        state=mail.state,
        said=mail.said,
        called_at=shapes.iso_ms_or_none(mail.called_at),
        ses_id=mail.ses_id,
        expected=[_word(kind) for kind in EXPECTED[mail.what]],
        missing=[_word(kind) for kind in mail.missing],
        events=[_event(found, mail, event, as_tenant=as_tenant) for event in mail.events],
    )


def _event(found: Proof, mail: Mail, event: EventSeen, *, as_tenant: bool) -> EvidenceItem:
    # An event that names parts of another tenant is shown to the platform only.
    hidden = as_tenant and (event.problem is not None or event.lane != found.lane)
    return EvidenceItem(
        kind=_word(event.kind),
        at=shapes.iso_ms(event.at),
        seconds=None if mail.called_at is None else round((event.received_at - mail.called_at) / 1000, 3),
        late=found.ended_at is not None and event.received_at > found.ended_at,
        tenant=event.tenant_name,
        type=event.type_name,
        queue=event.queue,
        topic=event.topic,
        configuration_set=None if hidden else event.configuration_set,
        ses_tenant=None if hidden else event.ses_tenant,
        ses_id=event.ses_id,
        problem=messages.contradicted(mail.what, _word(event.kind)) if hidden else event.problem,
    )


def _word(kind: Kind) -> str:
    return kind.word
