"""The operations of API v2 that send nothing, by name."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from mailcordon.adapters.http.ses_door import account, suppressions, templates
from mailcordon.adapters.http.ses_door.errors import SesError
from mailcordon.adapters.http.ses_door.services import Services
from mailcordon.adapters.http.ses_door.v2 import decoded
from mailcordon.core.principal import Principal
from mailcordon.messages import ses_door as messages

_put = msgspec.json.Decoder(suppressions.Put)
_create = msgspec.json.Decoder(templates.Create)
_update = msgspec.json.Decoder(templates.Update)
_render = msgspec.json.Decoder(templates.Render)


async def perform(
    services: Services,
    principal: Principal,
    operation: str,
    path: tuple[str, ...],
    query: Mapping[str, Sequence[str]],
    body: bytes,
) -> dict[str, Any]:
    """The result, as JSON. Raises SesError or MailcordonError."""
    match operation:
        case "GetAccount":
            return await account.get_account(services, principal)
        case "GetMessageInsights":
            return await account.insights(services, principal, path[0])
        case "PutSuppressedDestination":
            return await suppressions.put(services, principal, decoded(_put, body))
        case "GetSuppressedDestination":
            return await suppressions.get(services, principal, path[0], query)
        case "DeleteSuppressedDestination":
            return await suppressions.delete(services, principal, path[0], query)
        case "ListSuppressedDestinations":
            return await suppressions.list_all(services, principal, query)
        case "CreateEmailTemplate":
            return await templates.create(services, principal, decoded(_create, body))
        case "GetEmailTemplate":
            return await templates.get(services, principal, path[0])
        case "UpdateEmailTemplate":
            return await templates.update(services, principal, path[0], decoded(_update, body))
        case "DeleteEmailTemplate":
            return await templates.delete(services, principal, path[0])
        case "ListEmailTemplates":
            return await templates.list_all(services, principal, query)
        case "TestRenderEmailTemplate":
            return await templates.render(services, principal, path[0], decoded(_render, body))
        case _:
            raise SesError("UnknownOperationException", messages.no_such_operation(operation), 404)
