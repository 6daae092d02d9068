"""GET and DELETE of messages, and the history of an address. POST is message_endpoint.py's."""

from typing import Annotated

from litestar import delete, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter

from mailcordon.adapters.http import message_shapes, shapes
from mailcordon.adapters.http.auth import AnyRequest, platform_principal, principal_of
from mailcordon.adapters.http.message_endpoint import MessageEndpoint
from mailcordon.adapters.http.message_shapes import (
    AddressDelivery,
    AddressView,
    EventList,
    MessageCancelResult,
    MessageView,
)
from mailcordon.adapters.http.shapes import Limit
from mailcordon.control import lookup
from mailcordon.core import address, ids
from mailcordon.core.errors import NotFound
from mailcordon.core.principal import OPERATE, READ, SEND, Principal
from mailcordon.messages import api
from mailcordon.send import view

_ADDRESS_LIMIT = 50


def routes(endpoint: MessageEndpoint) -> list[HTTPRouteHandler]:
    """GET and DELETE; POST goes to the endpoint itself."""

    @get("/v1/messages/{id:str}", summary="Show a message and its deliveries", tags=["messages"])
    async def get_message(request: AnyRequest, id: FromPath[str]) -> MessageView:
        principal = principal_of(request)
        principal.require("read")
        return message_shapes.message_view(await endpoint.records(id, principal), endpoint.region)

    @delete(
        "/v1/messages/{id:str}",
        status_code=200,
        summary="Cancel the deliveries that have not left",
        tags=["messages"],
    )
    async def cancel_message(
        request: AnyRequest,
        id: FromPath[str],
        because: Annotated[
            str | None, QueryParameter(description="Why; it is kept with each delivery, and audited.")
        ] = None,
        dry_run: Annotated[bool, QueryParameter(description="Only say what would be cancelled.")] = False,
    ) -> MessageCancelResult:
        principal = principal_of(request)
        if not (principal.is_platform and OPERATE in principal.scopes):
            principal.require(SEND)
        reason = None if because is None else shapes.reason(because)
        records = await endpoint.records(id, principal)
        principal.require_type(records.message.type)
        if dry_run:
            gone = view.cancellable(records)
        else:
            gone = await endpoint.canceller.cancel_message(
                records.message.id,
                records.message.lane,
                tenant=records.message.tenant,
                actor=principal.actor,
                because=reason,
            )
        message, left = ids.message_id(records.message.id), len(records.message.recipients) - len(gone)
        said = api.would_cancel if dry_run else api.cancelled
        return MessageCancelResult(
            id=message,
            cancelled=[ids.delivery_id(one) for one in gone],
            left=left,
            dry_run=dry_run,
            detail=said(message, len(gone), left),
        )

    @get(
        "/v1/messages/{id:str}/events",
        summary="List what SES reported of a message, as it is stored",
        tags=["messages"],
    )
    async def list_events(request: AnyRequest, id: FromPath[str], limit: Limit = 200) -> EventList:
        principal = platform_principal(request, READ)
        records = await endpoint.records(id, principal)
        found = await endpoint.reader.events(records.message.id, limit + 1)
        return EventList([message_shapes.event(one) for one in found[:limit]], len(found) > limit)

    @get("/v1/addresses/{text:str}", summary="Show why an address gets mail or not", tags=["messages"])
    async def look_up_address(
        request: AnyRequest, text: FromPath[str], tenant: FromQuery[str | None] = None
    ) -> AddressView:
        principal = principal_of(request)
        principal.require("read")
        slug = principal.tenant_for(tenant)
        return await _address_view(endpoint, principal, slug, text)

    return [get_message, cancel_message, list_events, look_up_address]


async def _address_view(endpoint: MessageEndpoint, principal: Principal, slug: str, text: str) -> AddressView:
    parsed = shapes.address(text)
    tenant = principal.tenant_id
    if tenant is None:
        tenant = await lookup.tenant_id(endpoint.reader, slug, code=NotFound.code)
    hash = address.hash_of(endpoint.hash_key, parsed)
    found = await endpoint.reader.address(tenant, hash, _ADDRESS_LIMIT, as_tenant=not principal.is_platform)
    deliveries: list[AddressDelivery] = []
    for id, records in found.deliveries:
        one = view.delivery(records, id)
        deliveries.append(
            AddressDelivery(
                id=ids.delivery_id(id),
                message=ids.message_id(records.message.id),
                type=records.message.type,
                at=shapes.iso_ms(records.message.accepted_at),
                state=message_shapes.word(one.state),
                reason=one.reason,
                detail=one.detail,
            )
        )
    return AddressView(
        address=str(parsed),
        tenant=slug,
        suppressions=[message_shapes.suppression(one, slug) for one in found.suppressions],
        deliveries=deliveries,
    )
