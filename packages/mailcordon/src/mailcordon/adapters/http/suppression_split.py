"""The account's suppression list taken apart, over HTTP. Platform keys only: the list is the account's, and each entry may be any
tenant's."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromQuery, JSONBody, QueryParameter

from mailcordon.adapters.http import shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal
from mailcordon.adapters.http.shapes import AnyTenant, Limit, Time
from mailcordon.control import lookup
from mailcordon.control.lookup import TenantNames
from mailcordon.control.suppression_split.nouns import State
from mailcordon.control.suppression_split.splits import EntryView, Splits, Status, To
from mailcordon.core import address as addresses
from mailcordon.core.errors import Fault, Invalid
from mailcordon.core.principal import OPERATE, READ
from mailcordon.messages import suppression_split as messages

StateWord = Literal[
    "listed", "owned", "freeing", "assigned", "kept", "unowned", "platform", "freed", "gone", "odd"
]


class ForecastItem(msgspec.Struct):
    calls: int  #: to SES that remain, as far as entries are listed
    most_calls: int  #: if every entry turns out to be a tenant's
    seconds: (
        float | None
    )  #: at the measured pace, else at the whole rate; null: there is no limit and no measure
    most_seconds: float | None  #: if all other work with SES waits all the time
    complete: bool  #: false: the list is not listed to its end, so there may be more


class SplitItem(msgspec.Struct):
    """The newest split: where it stands."""

    id: int
    phase: Literal["listing", "reading", "comparing", "watching"]
    owner: str  #: who decides on entries that are nobody's
    releases: bool  #: whether an entry leaves the account's list once it is assigned
    because: str
    started_at: Time
    started_by: str
    compared_at: Time | None  #: when ours and SES's lists were last found to agree
    ended_at: Time | None
    ended_by: str | None
    round: int  #: how often the account's list is listed, this time included
    calls: int  #: to SES so far
    calls_per_second: float | None  #: as measured over the last minutes
    problem: str | None  #: why the last step failed
    entries: int
    states: dict[str, int]  #: entries by state
    assigned_by: dict[str, int]  #: of a tenant's entries: message, archive, history or person
    with_problems: int
    forecast: ForecastItem
    sentences: list[str]
    feels_migrated: list[str]  #: of tenants with domains of their own: what they still share


class SplitEntryItem(msgspec.Struct):
    """An entry of the account's list, in the spelling that SES has."""

    address: str
    state: StateWord
    tenant: str | None  #: whose it is
    by: str | None  #: what says so: message, archive, history or person
    reason: str  #: BOUNCE or COMPLAINT
    listed_at: Time
    message_id: str | None  #: SES's id of the mail that it was entered for
    owner: str | None  #: who decides, while it covers every tenant
    evidence: dict[
        str, Any
    ]  #: `others`: tenants with evidence of their own; `freed`: tenants that it blocked until then
    decided_at: Time | None
    done_at: Time | None
    problem: str | None


class SplitEntryPage(msgspec.Struct):
    items: list[SplitEntryItem]
    next: str | None


class SplitStart(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    owner: str
    because: str
    release: bool | None = (
        None  #: null: entries leave the account's list unless mail past Mailcordon was seen
    )


class SplitAssign(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    addresses: list[str]  #: in the spellings that SES has
    because: str
    tenant: str | None = None
    platform: bool = False  #: it goes on covering every tenant
    nobody: bool = False  #: it covers no mail any more, and leaves the account's list


class SplitFinish(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    because: str
    leave_unowned: bool = False


class SplitAssigned(msgspec.Struct):
    entries: int
    detail: str


def routes(splits: Splits, tenants: TenantNames, hash_key: bytes) -> list[HTTPRouteHandler]:
    @get("/v1/suppression-split", summary="Show where the split stands", tags=["suppressions"])
    async def show_split(request: AnyRequest) -> SplitItem:
        platform_principal(request, READ)
        return _item(await splits.status())

    @post("/v1/suppression-split", summary="Take the account's suppression list apart", tags=["suppressions"])
    async def start_split(request: AnyRequest, data: JSONBody[SplitStart]) -> SplitItem:
        actor = platform_principal(request, OPERATE).actor
        found = await splits.start(
            owner=data.owner, because=shapes.reason(data.because), releases=data.release, actor=actor
        )
        return _item(found)

    @get("/v1/suppression-split/entries", summary="List entries of the split", tags=["suppressions"])
    async def list_split_entries(
        request: AnyRequest,
        tenant: AnyTenant = None,
        in_state: Annotated[
            FromQuery[StateWord | None],
            QueryParameter(name="state", description="Only in this state.", required=False),
        ] = None,
        address: Annotated[
            FromQuery[str | None], QueryParameter(description="Only this address, in any spelling.")
        ] = None,
        after: Annotated[
            FromQuery[str | None], QueryParameter(description="`next` of the page before.")
        ] = None,
        limit: Limit = 100,
    ) -> SplitEntryPage:
        viewer = await lookup.viewer(tenants, platform_principal(request, READ), tenant)
        found = await splits.rows.entries(
            state=None if in_state is None else State(in_state),
            tenant=viewer.tenant,
            hash=None if address is None else addresses.hash_of(hash_key, shapes.address(address)),
            after=after or "",
            limit=limit,
        )
        return SplitEntryPage(
            [_entry(one) for one in found], found[-1].spelling if len(found) == limit else None
        )

    @post(
        "/v1/suppression-split/assign",
        summary="Decide on entries that are nobody's",
        tags=["suppressions"],
        status_code=200,
    )
    async def assign_split_entries(request: AnyRequest, data: JSONBody[SplitAssign]) -> SplitAssigned:
        actor = platform_principal(request, OPERATE).actor
        said = [
            to
            for to, chosen in (
                (To.TENANT, data.tenant is not None),
                (To.PLATFORM, data.platform),
                (To.NOBODY, data.nobody),
            )
            if chosen
        ]
        if len(said) != 1:
            raise Invalid(Fault("tenant", messages.one_of_three()))
        tenant = None if data.tenant is None else await lookup.tenant_id(tenants, data.tenant)
        number = await splits.assign(
            data.addresses, said[0], tenant, because=shapes.reason(data.because), actor=actor
        )
        return SplitAssigned(number, messages.assigned(number, data.tenant or str(said[0])))

    @post("/v1/suppression-split/finish", summary="End the split", tags=["suppressions"], status_code=200)
    async def finish_split(request: AnyRequest, data: JSONBody[SplitFinish]) -> SplitItem:
        actor = platform_principal(request, OPERATE).actor
        found = await splits.finish(
            leave_unowned=data.leave_unowned, because=shapes.reason(data.because), actor=actor
        )
        return _item(found)

    return [show_split, start_split, list_split_entries, assign_split_entries, finish_split]


def _item(found: Status) -> SplitItem:
    run, ahead = found.run, found.forecast
    return SplitItem(
        id=run.id,
        phase=run.phase.value,
        owner=run.owner,
        releases=run.releases,
        because=run.because,
        started_at=shapes.iso_ms(run.started_at),
        started_by=run.started_by,
        compared_at=shapes.iso_ms_or_none(run.compared_at),
        ended_at=shapes.iso_ms_or_none(run.ended_at),
        ended_by=run.ended_by,
        round=run.round,
        calls=run.calls,
        calls_per_second=run.pace,
        problem=run.problem,
        entries=found.counts.total,
        states={state.value: number for state, number in found.counts.states.items()},
        assigned_by={by.value: number for by, number in found.counts.by.items()},
        with_problems=found.counts.problems,
        forecast=ForecastItem(
            calls=ahead.calls,
            most_calls=ahead.most_calls,
            seconds=ahead.seconds,
            most_seconds=ahead.most_seconds,
            complete=ahead.complete,
        ),
        sentences=found.sentences,
        feels_migrated=list(found.feels_migrated),
    )


def _entry(found: EntryView) -> SplitEntryItem:
    return SplitEntryItem(
        address=found.spelling,
        state=found.state.value,
        tenant=found.tenant,
        by=None if found.by is None else found.by.value,
        reason=found.reason,
        listed_at=shapes.iso_ms(found.listed_at),
        message_id=found.message_id,
        owner=found.owner,
        evidence=dict(found.evidence),
        decided_at=shapes.iso_ms_or_none(found.decided_at),
        done_at=shapes.iso_ms_or_none(found.done_at),
        problem=found.problem,
    )
