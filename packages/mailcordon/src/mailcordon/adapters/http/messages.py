"""GET and DELETE of messages, and the history of an address. POST is message_endpoint.py's."""

from litestar import delete, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery

from mailcordon.adapters.http import message_shapes, shapes
from mailcordon.adapters.http.auth import AnyRequest, principal_of
from mailcordon.adapters.http.message_endpoint import MessageEndpoint
from mailcordon.adapters.http.message_shapes import (
    AddressDelivery,
    AddressView,
    MessageCancelResult,
    MessageView,
)
from mailcordon.control import lookup
from mailcordon.core import address, ids
from mailcordon.core.errors import NotFound
from mailcordon.core.principal import Principal
from mailcordon.messages import reasons
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
    async def cancel_message(request: AnyRequest, id: FromPath[str]) -> MessageCancelResult:
        principal = principal_of(request)
        principal.require("send")
        records = await endpoint.records(id, principal)
        principal.require_type(records.message.type)
        gone = await endpoint.canceller.cancel_message(
            records.message.id, records.message.lane, reasons.cancelled(principal.actor, None)
        )
        return MessageCancelResult(
            id=ids.message_id(records.message.id),
            cancelled=[ids.delivery_id(one) for one in gone],
            left=len(records.message.recipients) - len(gone),
        )

    @get("/v1/addresses/{text:str}", summary="Show why an address gets mail or not", tags=["messages"])
    async def look_up_address(
        request: AnyRequest, text: FromPath[str], tenant: FromQuery[str | None] = None
    ) -> AddressView:
        principal = principal_of(request)
        principal.require("read")
        slug = principal.tenant_for(tenant)
        return await _address_view(endpoint, principal, slug, text)

    return [get_message, cancel_message, look_up_address]


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
